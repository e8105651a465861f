//! Every reader has a thread of its own. This is the thread that looks after them: it starts one for each reader that
//! appears, fences one whose exchange outlives its deadline, and watches the clock meanwhile.
//!
//! A fenced thread may never send anything again, whenever its call returns. Its slot gets a new thread at once,
//! which waits until the call has returned or the token has left; no other slot notices.

use super::{
    core::{Core, STATION},
    slot::{self, Hand},
};
use crate::{
    domain::{ClockState, SlotName},
    drivers::fence::Fence,
    face::{Doing, Event, SlotView},
    link::LinkError,
    remedy::Remedy,
};
use std::{collections::BTreeMap, sync::Arc, thread};

struct Running {
    fence: Fence,
    hand: Arc<Hand>,
    thread: thread::JoinHandle<()>,
}

/// Looks after the slots until the station ends; then waits for what they have in hand.
pub fn look_after(core: &Arc<Core>) {
    let mut running: BTreeMap<SlotName, Running> = BTreeMap::new();
    let mut service = Ok(());
    let mut clock = None;
    while !core.is_stopping() {
        watch_clock(core, &mut clock);
        let listed = core.source.list();
        report_service(core, &mut service, listed.as_ref().map(|_| ()).map_err(Clone::clone));
        if let Ok(names) = listed {
            for name in names.into_iter().map(SlotName) {
                running.entry(name).or_insert_with_key(|name| start(core, name.clone(), None));
            }
        }
        running.retain(|name, slot| {
            if slot.thread.is_finished() {
                core.bus.say(Event::SlotGone { slot: name.clone() });
                return false;
            }
            true
        });
        let overdue: Vec<SlotName> = running
            .iter()
            .filter(|(_, slot)| slot.fence.close_if_overdue(core.limits.exchange))
            .map(|(name, _)| name.clone())
            .collect();
        for name in overdue {
            if let Some(hung) = running.remove(&name) {
                report_hung(core, &name, &hung.hand);
                let started = start(core, name.clone(), Some(hung.thread));
                running.insert(name, started);
            }
        }
        thread::park_timeout(core.limits.rescan);
    }
    for (name, slot) in running {
        // What is in hand ends by itself or by its deadline; a thread that hangs beyond it dies with the process.
        while !slot.thread.is_finished() && !slot.fence.close_if_overdue(core.limits.exchange) {
            thread::park_timeout(core.limits.rescan.min(std::time::Duration::from_millis(20)));
        }
        if !slot.thread.is_finished() {
            interrupt_hand(core, &name, &slot.hand);
        }
    }
}

fn start(core: &Arc<Core>, name: SlotName, after: Option<thread::JoinHandle<()>>) -> Running {
    let fence = Fence::new();
    let hand = Arc::new(Hand::default());
    let thread = {
        let (core, fence, hand) = (core.clone(), fence.clone(), hand.clone());
        thread::spawn(move || {
            // The new thread must not talk to the token while an old call is still inside the reader.
            if after.is_none_or(|hung| slot::wait_for_leave(&core, &name, &hung)) {
                slot::run(&core, &name, &fence, &hand);
            }
        })
    };
    Running { fence, hand, thread }
}

/// Says that a slot's thread hangs, and speaks for the job that it has in hand.
fn report_hung(core: &Core, name: &SlotName, hand: &Hand) {
    let error = LinkError::Deadline(core.limits.exchange);
    tracing::warn!(slot = %name, "an exchange outlived its deadline; its thread is fenced");
    core.bus.slot(SlotView {
        slot: name.clone(),
        doing: Doing::Look,
        serial: None,
        model: None,
        job: None,
        progress: None,
        drift: None,
        says: Some(error.to_string()),
        remedy: Some(error.remedy().to_owned()),
    });
    interrupt_hand(core, name, hand);
}

/// Records for a thread that can't: its job may have been written.
fn interrupt_hand(core: &Core, name: &SlotName, hand: &Hand) {
    if let Some(job) = hand.take() {
        let reason = LinkError::Deadline(core.limits.exchange).to_string();
        match core.store.interrupted(job, &reason, &core.stamp(STATION)) {
            Ok(record) => core.bus.say(super::visit::job_event(&record, Some(name))),
            Err(error) => tracing::error!(%error, job = job.0, "a job could not be marked unfinished"),
        }
    }
}

fn watch_clock(core: &Core, last: &mut Option<(ClockState, bool)>) {
    let Ok(view) = core.clock_view() else { return };
    // The bound of the error grows all the time; what it means changes rarely.
    let kind = |state| match state {
        ClockState::Synchronised { .. } => ClockState::Synchronised { max_error_ms: 0 },
        ClockState::Unsynchronised { .. } => ClockState::Unsynchronised { max_error_ms: 0 },
        ClockState::Stepped { .. } | ClockState::Simulated => state,
    };
    let now = (kind(view.state), view.burns_allowed);
    if *last != Some(now) {
        *last = Some(now);
        core.bus.say(Event::Clock(view));
        core.changed();
    }
}

fn report_service(core: &Core, last: &mut Result<(), LinkError>, now: Result<(), LinkError>) {
    if *last == now {
        return;
    }
    if let Err(error) = &now {
        core.bus.say(Event::Alarm {
            message: error.to_string(),
            remedy: error.remedy().to_owned(),
            slot: None,
            doing: None,
        });
    }
    *last = now;
}
