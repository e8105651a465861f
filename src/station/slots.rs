//! Every reader has a thread of its own. This is the thread that looks after them: it starts one for each reader that
//! appears, fences one whose exchange outlives its deadline, and watches the clock meanwhile.
//!
//! A fenced thread may never send anything again, whenever its call returns. Its slot gets a new thread at once,
//! which waits until the call has returned or the token has left; no other slot notices.

use super::{
    alarms::{self, Words},
    core::Core,
    loose_end::{self, LooseEnd},
    slot::{self, Hand},
};
use crate::{
    domain::{ClockState, SlotName},
    drivers::fence::Fence,
    face::{Doing, Event, SlotView},
    link::LinkError,
    remedy::Remedy,
    store::AlarmAbout,
};
use std::{collections::BTreeMap, sync::Arc, thread};

struct Running {
    fence: Fence,
    hand: Arc<Hand>,
    thread: thread::JoinHandle<()>,
}

/// Looks after the slots until the station ends; then waits for what they have in hand.
pub fn look_after(core: &Arc<Core>) {
    let mut running: BTreeMap<String, Running> = BTreeMap::new();
    let mut trouble = None;
    let mut clock = None;
    while !core.is_stopping() {
        watch_clock(core, &mut clock);
        loose_end::tie_again(core);
        let listed = core.source.list();
        report_trouble(core, &mut trouble, listed.trouble);
        for reader in listed.names {
            running.entry(reader).or_insert_with_key(|reader| start(core, reader.clone(), None));
        }
        running.retain(|reader, slot| {
            if slot.thread.is_finished() {
                let name = core.slot_name(reader);
                // Empty, unless the thread panicked in the middle of a burn.
                interrupt_hand(core, &name, &slot.hand, "the slot's thread ended in the middle of the burn");
                alarms::over(core, &AlarmAbout::Reader(reader.clone()));
                core.bus.say(Event::SlotGone { slot: name });
                return false;
            }
            true
        });
        let overdue: Vec<String> = running
            .iter()
            .filter(|(_, slot)| slot.fence.close_if_overdue(core.limits.exchange))
            .map(|(reader, _)| reader.clone())
            .collect();
        for reader in overdue {
            if let Some(hung) = running.remove(&reader) {
                alarms::over(core, &AlarmAbout::Reader(reader.clone()));
                report_hung(core, &core.slot_name(&reader), &hung.hand);
                let started = start(core, reader.clone(), Some(hung.thread));
                running.insert(reader, started);
            }
        }
        alarms::review(core);
        core.set_readers(running.keys().cloned().collect());
        thread::park_timeout(core.limits.rescan);
    }
    for (reader, slot) in running {
        // What is in hand ends by itself or by its deadline; a thread that hangs beyond it dies with the process.
        while !slot.thread.is_finished() && !slot.fence.close_if_overdue(core.limits.exchange) {
            thread::park_timeout(core.limits.rescan.min(std::time::Duration::from_millis(20)));
        }
        if !slot.thread.is_finished() {
            let reason = LinkError::Deadline(core.limits.exchange).to_string();
            interrupt_hand(core, &core.slot_name(&reader), &slot.hand, &reason);
        }
    }
    // What was handed to the store without waiting must be on record before the process may end.
    if let Err(error) = core.store.caught_up() {
        tracing::error!(%error, "the last news could not be recorded");
    }
}

fn start(core: &Arc<Core>, reader: String, after: Option<thread::JoinHandle<()>>) -> Running {
    let fence = Fence::new();
    let hand = Arc::new(Hand::default());
    let thread = {
        let (core, fence, hand) = (core.clone(), fence.clone(), hand.clone());
        thread::spawn(move || {
            // The new thread must not talk to the token while an old call is still inside the reader.
            if after.is_none_or(|hung| slot::wait_for_leave(&core, &reader, &hung)) {
                slot::run(&core, &reader, &fence, &hand);
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
        occupied: true,
        says: Some(error.to_string()),
        remedy: Some(error.remedy().to_owned()),
        ..SlotView::empty(name.clone(), Doing::Look)
    });
    interrupt_hand(core, name, hand, &error.to_string());
}

/// Records for a thread that can't: its job may have been written, its attempt may have been counted.
fn interrupt_hand(core: &Core, name: &SlotName, hand: &Hand, reason: &str) {
    loose_end::tie(core, LooseEnd { slot: name.clone(), held: hand.take(), reason: reason.to_owned() });
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

fn report_trouble(core: &Core, last: &mut Option<LinkError>, now: Option<LinkError>) {
    if *last == now {
        return;
    }
    match &now {
        None => alarms::over(core, &AlarmAbout::Service),
        Some(error) => {
            let words = Words { message: error.to_string(), remedy: error.remedy(), place: None };
            alarms::raise(core, AlarmAbout::Service, words);
        }
    }
    *last = now;
}
