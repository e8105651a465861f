//! One slot's thread: waits for a token, hands it to a visit, waits until it is taken away.

use super::{
    alarms,
    core::Core,
    visit::{self, After, Look},
};
use crate::{
    domain::{Serial, SlotName},
    drivers::fence::{Fence, FencedPort},
    face::{Doing, SlotView},
    link::{LinkError, Port, Presence},
    remedy::Remedy,
    store::{AlarmAbout, AttemptId, JobId, JobKind},
};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

/// What a slot has in hand, so that another thread can speak for it.
#[derive(Default)]
pub struct Hand(Mutex<InHand>);

/// A job that was claimed and an attempt that was made, as long as nobody has recorded how they ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct InHand {
    /// The job.
    pub job: Option<JobId>,
    /// The attempt to authenticate.
    pub attempt: Option<AttemptId>,
}

impl Hand {
    /// Takes a job in hand that was claimed just now.
    pub fn hold(&self, job: JobId) {
        *self.lock() = InHand { job: Some(job), attempt: None };
    }

    /// Takes the attempt in hand that is about to be made for the job.
    pub fn attempt_made(&self, attempt: AttemptId) {
        self.lock().attempt = Some(attempt);
    }

    /// How the attempt went is on record.
    pub fn attempt_settled(&self) {
        self.lock().attempt = None;
    }

    /// Lays everything down and tells what it was.
    pub fn take(&self) -> InHand {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, InHand> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a slot says, and what to do about it, while there is no work: no trouble, so hands only wait.
pub const NO_BATCH: (&str, &str) = ("no batch is running", "start one with \"kiln batch start\"");

/// What a slot's thread shares with the visits it makes.
pub struct Slot<'a> {
    /// The station.
    pub core: &'a Core,
    /// Its reader, by the name under which PC/SC lists it.
    pub reader: &'a str,
    /// Its own name: the operator's for it, else the reader's.
    pub name: SlotName,
    /// Stops it for good when an exchange outlives its deadline.
    pub fence: &'a Fence,
    /// The job in hand.
    pub hand: &'a Hand,
    /// Failures of one kind in a row.
    pub breaker: super::breaker::Row,
    /// Whether something lies here.
    pub presence: Presence,
    /// The token that lies here, as far as it told who it is.
    pub guest: Option<Serial>,
    /// The alarm that was raised for the token that lies here, so that it is raised once.
    pub alarmed: Option<String>,
}

/// When a token that stays where it is is looked at again.
#[derive(Clone, Copy)]
enum Again {
    /// Not before it was taken away.
    Never,
    /// As soon as the station's count of changes differs from this one.
    When(u64),
    /// After the next wait.
    Soon,
}

/// Runs a slot until its reader is gone, the station ends or the thread is fenced.
pub fn run(core: &Core, reader: &str, fence: &Fence, hand: &Hand) {
    let name = core.slot_name(reader);
    let mut slot = Slot {
        core,
        reader,
        name,
        fence,
        hand,
        breaker: super::breaker::Row::default(),
        presence: Presence::Empty,
        alarmed: None,
        guest: None,
    };
    while !core.is_stopping() && !fence.is_closed() {
        match core.source.open_port(reader) {
            Ok(port) => match watch(&mut slot, &mut FencedPort::new(port, fence.clone())) {
                Err(LinkError::ReaderGone) => return,
                Err(error) => slot.trouble(&error),
                Ok(()) => {}
            },
            Err(LinkError::ReaderGone) => return,
            Err(error) => slot.trouble(&error),
        }
        if !core.is_stopping() {
            // A dead service or context: a new port, with a pause (pcsc.md, "contexts and threads").
            thread::park_timeout(core.limits.rescan);
        }
    }
}

/// Waits until a hung thread's call has returned, or the token that it hangs on has left. Tells whether the slot can
/// be used again; not if the reader is gone or the station ends.
pub fn wait_for_leave(core: &Core, reader: &str, hung: &thread::JoinHandle<()>) -> bool {
    let mut port = core.source.open_port(reader).ok();
    while !core.is_stopping() {
        if hung.is_finished() {
            return true;
        }
        let seen = port.as_mut().map(|port| port.wait_change(Presence::Present, core.limits.rescan));
        match seen {
            Some(Ok(Presence::Empty)) => return true,
            Some(Ok(Presence::Present)) => {}
            Some(Err(LinkError::ReaderGone)) => return false,
            Some(Err(_)) | None => {
                thread::park_timeout(core.limits.rescan);
                port = core.source.open_port(reader).ok();
            }
        }
    }
    false
}

/// Watches one port; an error means that the port is of no more use.
fn watch(slot: &mut Slot<'_>, port: &mut dyn Port) -> Result<(), LinkError> {
    let core = slot.core;
    let mut known = Presence::Empty;
    slot.presence = known;
    let mut again = Again::Never;
    while !core.is_stopping() && !slot.fence.is_closed() {
        slot.take_name();
        if known == Presence::Empty {
            slot.show_idle();
        }
        let now = port.wait_change(known, core.limits.rescan)?;
        slot.presence = now;
        let look = match (now, known, again) {
            (Presence::Empty, _, _) => None,
            (Presence::Present, Presence::Empty, _) => Some(Look::First),
            (Presence::Present, Presence::Present, _) if core.reads.waits_for(&slot.name) => {
                Some(Look::Again)
            }
            (Presence::Present, Presence::Present, Again::Soon) => Some(Look::Again),
            (Presence::Present, Presence::Present, Again::When(count)) => {
                (count != core.change_count()).then_some(Look::Again)
            }
            // A finished token stays as it is, unless something was ordered for it.
            (Presence::Present, Presence::Present, Again::Never) => {
                slot.guest.as_ref().is_some_and(|serial| core.orders.waits_for(serial)).then_some(Look::Again)
            }
        };
        known = now;
        if now == Presence::Empty {
            slot.guest = None;
            slot.alarm_over();
        }
        if let Some(look) = look {
            let count = core.change_count();
            let mut after = visit::visit(slot, port, look);
            if after == After::Lost && !slot.fence.is_closed() {
                // Something may lie there that came so fast that nobody saw the first one leave.
                after = visit::visit(slot, port, Look::First);
            }
            again = match after {
                After::Take | After::Lost => Again::Never,
                After::WhenChanged => Again::When(count),
                After::Soon => Again::Soon,
            };
        }
    }
    Ok(())
}

impl Slot<'_> {
    /// Goes by the name that the operator gave it meanwhile.
    fn take_name(&mut self) {
        let name = self.core.slot_name(self.reader);
        if name != self.name {
            let old = std::mem::replace(&mut self.name, name);
            self.core.bus.rename(&old, &self.name);
        }
    }

    /// What was alarming about the token that lies here, or lay here, is over.
    pub fn alarm_over(&mut self) {
        if self.alarmed.take().is_some() {
            alarms::over(self.core, &AlarmAbout::Reader(self.reader.to_owned()));
        }
    }

    /// A view with nothing to say.
    pub fn view(&self, doing: Doing) -> SlotView {
        let occupied = self.presence == Presence::Present;
        SlotView { occupied, ..SlotView::empty(self.name.clone(), doing) }
    }

    /// Says what an empty slot waits for.
    fn show_idle(&self) {
        let look = |says: &str, remedy: &str| SlotView {
            says: Some(says.to_owned()),
            remedy: Some(remedy.to_owned()),
            ..self.view(Doing::Look)
        };
        let running = self.core.store.is_any_running().unwrap_or(false);
        self.core.bus.slot(if self.breaker.is_open(self.core) {
            look(
                "this slot is paused after three failures of one kind in a row",
                "find out why before more tokens are spent, then start the batch again with \"kiln batch start\"",
            )
        } else if !running {
            let (says, remedy) = NO_BATCH;
            SlotView { doing: Doing::Wait, ..look(says, remedy) }
        } else if self.core.data_key().is_err() {
            look("the vault is locked", "open it with \"kiln unlock\"")
        } else if !self.core.clock_view().is_ok_and(|clock| clock.burns_allowed) {
            look(
                "the station's clock is not to be trusted",
                "see \"kiln clock\"; let chrony or systemd-timesyncd set it",
            )
        } else {
            self.view_of_place()
        });
    }

    /// Any token may come; one that was lost here should.
    fn view_of_place(&self) -> SlotView {
        let mut view = self.view(Doing::Place);
        let lost = self.core.store.unfinished_at(&self.name).ok().flatten();
        if let Some((serial, kind)) = lost.and_then(|job| Some((job.serial?, job.kind))) {
            view.says = Some(match kind {
                JobKind::Burn => format!("token {serial} was lost here in the middle of its burn"),
                JobKind::Resync => format!("token {serial} was lost here while its clock was being set"),
            });
            view.remedy = Some("put it back, and leave it until the slot says take".to_owned());
        }
        view
    }

    /// Says what went wrong with the reader.
    pub fn trouble(&self, error: &LinkError) {
        self.core.bus.slot(SlotView {
            says: Some(error.to_string()),
            remedy: Some(error.remedy().to_owned()),
            ..self.view(Doing::Look)
        });
    }
}
