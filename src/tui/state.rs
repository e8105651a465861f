//! What is known of the station: the last snapshot, and every event since.

use super::{pace::Pace, sentence, sentence::Said};
use crate::{
    domain::{JobState, Serial, SlotName},
    face::{Alarm, BatchView, ClockView, Event, JobView, Numbered, SlotView, Snapshot, VaultState, Who},
};
use std::collections::{HashSet, VecDeque};

/// How many lines of the log are kept here; the audit log has the rest.
const LOG_KEPT: usize = 2000;
/// Where fewer queued jobs than this are known, the window is asked for again.
const QUEUE_LOW: usize = 16;

/// A burned token whose code a person should type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eyes {
    /// Which token.
    pub serial: Serial,
    /// Of which batch.
    pub batch: String,
    /// How many profiles it has; several want a code each.
    pub profiles: u32,
}

/// The station as this client knows it.
#[derive(Debug, Default)]
pub struct Station {
    /// Number of the last event.
    pub last_event: u64,
    /// Every slot, by name.
    pub slots: Vec<SlotView>,
    /// Batches, those not done first.
    pub batches: Vec<BatchView>,
    /// Jobs in hand, unfinished, and the next ones.
    pub queue: Vec<JobView>,
    /// Alarms, oldest first.
    pub alarms: Vec<Alarm>,
    /// The station's clock.
    pub clock: Option<ClockView>,
    /// The vault.
    pub vault: Option<VaultState>,
    /// Who looks on, this screen among them.
    pub attached: Vec<Who>,
    /// Tokens that want eyes.
    pub eyes: Vec<Eyes>,
    /// How fast it goes.
    pub pace: Pace,
    /// What happened since this screen was opened.
    pub log: VecDeque<Said>,
    /// The server said that it ends.
    pub stopping: bool,
    /// The queue's window has run low, or what is in it is not known in full.
    pub queue_is_stale: bool,
    read: HashSet<u64>,
}

impl Station {
    /// The snapshot is the truth.
    pub fn take(&mut self, snapshot: Snapshot) {
        let Snapshot { last_event, at: _, slots, batches, queue, alarms, clock, vault, clients: _, attached } =
            snapshot;
        self.last_event = last_event;
        self.slots = slots;
        self.slots.sort_by(|a, b| a.slot.cmp(&b.slot));
        self.batches = batches;
        self.alarms = alarms;
        self.clock = Some(clock);
        self.vault = Some(vault);
        self.attached = attached;
        self.take_queue(queue);
        self.stopping = false;
    }

    /// The part of a snapshot that no event tells.
    pub fn take_queue(&mut self, queue: Vec<JobView>) {
        self.queue = queue;
        self.sort_queue();
        self.queue_is_stale = false;
    }

    fn sort_queue(&mut self) {
        let rank = |state: JobState| match state {
            JobState::Claimed => 0,
            JobState::Unfinished => 1,
            _ => 2,
        };
        self.queue.sort_by_key(|job| rank(job.state));
    }

    /// It happened.
    pub fn hear(&mut self, numbered: Numbered) {
        let before = match &numbered.event {
            Event::Slot(slot) => self.slots.iter().find(|known| known.slot == slot.slot),
            _ => None,
        };
        if let Some(said) = sentence::said(&numbered, before) {
            self.log.push_back(said);
            if self.log.len() > LOG_KEPT {
                self.log.pop_front();
            }
        }
        let Numbered { number, at, event } = numbered;
        self.last_event = number;
        match event {
            Event::Started { .. } | Event::TokenRead { .. } | Event::Device { .. } => {}
            Event::Slot(slot) => match self.slots.binary_search_by(|known| known.slot.cmp(&slot.slot)) {
                Ok(place) => self.slots[place] = slot,
                Err(place) => self.slots.insert(place, slot),
            },
            Event::SlotGone { slot } => self.slots.retain(|known| known.slot != slot),
            Event::Job { job, batch, state, serial, slot, proof, wants_eyes, reason, resync } => {
                if state == JobState::Burned {
                    self.pace.burned(at);
                }
                let mut view = self.queue.iter().find(|known| known.job == job).cloned().unwrap_or(JobView {
                    job,
                    batch: batch.clone(),
                    position: 0,
                    state,
                    reason: None,
                    serial: None,
                    model: None,
                    slot: None,
                    upn: None,
                    profiles: 1,
                    proof: None,
                    wants_eyes: false,
                    resync,
                });
                if let Some(serial) = serial.clone().filter(|_| wants_eyes) {
                    self.wants_eyes(Eyes { serial, batch, profiles: view.profiles });
                }
                self.queue.retain(|known| known.job != job);
                if matches!(state, JobState::Queued | JobState::Claimed | JobState::Unfinished) {
                    view.state = state;
                    view.serial = serial.or(view.serial);
                    view.slot = slot;
                    view.proof = proof;
                    view.reason = reason;
                    view.resync = resync;
                    self.queue.push(view);
                    self.sort_queue();
                }
                let queued = self.queue.iter().filter(|job| job.state == JobState::Queued).count();
                self.queue_is_stale |= queued < QUEUE_LOW;
            }
            Event::Batch(batch) => {
                // Which jobs are in the window depends on which batches are live.
                let same = |known: &BatchView| known.name == batch.name && known.state == batch.state;
                self.queue_is_stale |= !self.batches.iter().any(same);
                match self.batches.iter_mut().find(|known| known.name == batch.name) {
                    Some(known) => *known = batch,
                    None => self.batches.push(batch),
                }
            }
            Event::Clock(clock) => self.clock = Some(clock),
            Event::Vault { state } => self.vault = Some(state),
            Event::Alarm { id, message, remedy, slot, .. } => {
                let place = slot.as_ref().map(|slot: &SlotName| format!("{slot}: ")).unwrap_or_default();
                self.alarms.push(Alarm { id, at, message: format!("{place}{message}"), remedy, slot });
            }
            Event::AlarmsOver { ids, .. } => self.alarms.retain(|alarm| !ids.contains(&alarm.id)),
            Event::Verified { serial, right } => {
                if right {
                    self.eyes.retain(|eyes| eyes.serial != serial || eyes.profiles > 1);
                }
            }
            Event::Attached(who) => self.attached.push(who),
            Event::Left(who) => {
                // One person may look on twice.
                if let Some(place) = self.attached.iter().position(|known| *known == who) {
                    self.attached.remove(place);
                }
            }
            Event::Stopping => self.stopping = true,
        }
    }

    /// A token's code should be typed.
    pub fn wants_eyes(&mut self, eyes: Eyes) {
        if !self.eyes.iter().any(|known| known.serial == eyes.serial) {
            self.eyes.push(eyes);
        }
    }

    /// Alarms that nobody at this screen has read.
    pub fn unread(&self) -> impl Iterator<Item = &Alarm> {
        self.alarms.iter().filter(|alarm| !self.read.contains(&alarm.id))
    }

    /// They were read.
    pub fn read_alarms(&mut self) {
        self.read = self.alarms.iter().map(|alarm| alarm.id).collect();
    }

    /// The slot on which `serial` lies.
    pub fn slot_of(&self, serial: &Serial) -> Option<&SlotView> {
        self.slots.iter().find(|slot| slot.serial.as_ref() == Some(serial))
    }

    /// How many burns are in hand.
    pub fn in_hand(&self) -> usize {
        self.slots.iter().filter(|slot| slot.job.is_some() && slot.doing == crate::face::Doing::Wait).count()
    }

    /// Jobs that running batches still have to burn.
    pub fn left(&self) -> u64 {
        let running = self.batches.iter().filter(|batch| batch.state == "running");
        running.map(|batch| batch.jobs.queued + batch.jobs.claimed + batch.jobs.unfinished).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Proof,
        face::Doing,
        tui::sample::{NOW, job_event, slot, snapshot},
    };

    fn heard(station: &mut Station, events: impl IntoIterator<Item = Event>) {
        for event in events {
            let number = station.last_event + 1;
            station.hear(Numbered { number, at: NOW, event });
        }
    }

    #[test]
    fn a_burned_job_leaves_the_queue_and_counts_for_the_pace() {
        let mut station = Station::default();
        station.take(snapshot());
        let first = station.queue.iter().find(|job| job.state == JobState::Queued).unwrap().job;
        heard(&mut station, [job_event(first, JobState::Claimed, "8659610000099")]);
        assert_eq!(station.queue.iter().position(|job| job.job == first), Some(2));
        assert!(station.queue_is_stale);
        heard(&mut station, [job_event(first, JobState::Burned, "8659610000099")]);
        assert!(station.queue.iter().all(|job| job.job != first));
        assert_eq!(station.pace.by_minute(NOW, 1), [1]);
    }

    #[test]
    fn a_token_wants_eyes_until_its_code_was_right() {
        let mut station = Station::default();
        let mut event = job_event(1, JobState::Burned, "8659610000099");
        if let Event::Job { wants_eyes, proof, .. } = &mut event {
            (*wants_eyes, *proof) = (true, Some(Proof::Written));
        }
        heard(&mut station, [event.clone(), event]);
        assert_eq!(station.eyes.len(), 1);
        let serial = station.eyes[0].serial.clone();
        heard(&mut station, [Event::Verified { serial: serial.clone(), right: false }]);
        assert_eq!(station.eyes.len(), 1);
        heard(&mut station, [Event::Verified { serial, right: true }]);
        assert!(station.eyes.is_empty());
    }

    #[test]
    fn alarms_stay_until_read_and_a_new_one_is_unread() {
        let mut station = Station::default();
        station.take(snapshot());
        let before = station.unread().count();
        station.read_alarms();
        assert!(before > 0 && station.unread().count() == 0);
        let alarm = Event::Alarm { id: 91, message: "m".into(), remedy: "r".into(), slot: None, doing: None };
        heard(&mut station, [alarm]);
        assert_eq!(station.unread().count(), 1);
    }

    #[test]
    fn slots_keep_their_order_and_go_with_their_reader() {
        let mut station = Station::default();
        for name in ["c", "a", "b", "a"] {
            heard(&mut station, [Event::Slot(slot(name, Doing::Place, None))]);
        }
        heard(&mut station, [Event::SlotGone { slot: SlotName("b".into()) }]);
        let names: Vec<&str> = station.slots.iter().map(|slot| slot.slot.0.as_str()).collect();
        assert_eq!(names, ["a", "c"]);
    }
}
