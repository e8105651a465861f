//! How a burn ended: what goes on record, what the slot says, and what is paused where it is one failure too many.

use super::{Broken, Work};
use crate::{
    burn::{Ending, GoesOn, Step},
    face::{Doing, SlotView},
    station::{
        alarms::{self, Words},
        breaker::{self, Kind as Failing},
        core::STATION,
        prepare::{Door, Ready},
        resync,
        slot::Slot,
        views::job_event,
        visit::{After, Guest, drift_of},
    },
    store::{
        AlarmAbout, BurnDone, EntryDone, JobKind, JobRecord, MoveRefused, NewReading, ResyncDone, Stamp,
        StoreError,
    },
};

impl Work<'_> {
    /// Records how the burn ended and says so.
    pub(super) fn record(
        &self,
        slot: &mut Slot<'_>,
        ending: Ending,
        last_reading: Option<NewReading>,
    ) -> Result<After, Broken> {
        let core = self.core;
        let job = self.ready.job.id;
        let stamp = core.stamp(STATION);
        (core.crossing)("before-end");
        match ending {
            Ending::Burned(proofs) => {
                let entries = proofs.into_iter();
                let entries = entries.map(|(profile, proof)| EntryDone { profile, proof, detail: None });
                let record = self.record_done(entries.collect(), last_reading, &stamp)?;
                (core.crossing)("ended");
                core.bus.say(job_event(&record, Some(&slot.name)));
                slot.breaker.succeed();
                let next = self.next_for_it()?;
                self.show_burned(slot, &record, last_reading, next.as_ref());
                Ok(if next.is_some() { After::Soon } else { After::Take })
            }
            Ending::Failed { reason, key_refused } => {
                let record = core.store.failed(job, &reason, &stamp)?;
                (core.crossing)("ended");
                core.bus.say(job_event(&record, Some(&slot.name)));
                let kind = if key_refused.is_some() { Failing::KeyRefused } else { Failing::Refused };
                let remedy = match (key_refused, self.ready.job.kind) {
                    (Some(_), _) => {
                        "put the token aside; check which customer key it was set up with; do not guess"
                    }
                    (None, JobKind::Burn) => {
                        self.advice.get().unwrap_or("put the token aside; its seed is free for another one")
                    }
                    (None, JobKind::Resync) => {
                        self.advice.get().unwrap_or("put the token aside; nothing on it was changed")
                    }
                };
                self.went_wrong(slot, &record, &reason, remedy, Some(kind))?;
                Ok(After::Take)
            }
            Ending::Unfinished { reason, goes_on } => {
                let record = core.store.interrupted(job, &reason, &stamp)?;
                (core.crossing)("ended");
                core.bus.say(job_event(&record, Some(&slot.name)));
                let (remedy, kind) = match goes_on {
                    GoesOn::WhenPutBack => {
                        let remedy = "put the same token back and leave it until the slot says take";
                        self.show(slot, Doing::Look, &reason, remedy);
                        return Ok(After::Lost);
                    }
                    GoesOn::AfterALook => (
                        self.advice
                            .get()
                            .unwrap_or(
                                "take it off and put it back once; if it fails again, scrap it: kiln token scrap",
                            )
                            .to_owned(),
                        Failing::WentWrong,
                    ),
                    GoesOn::WhenTouched => {
                        let remedy = self
                            .advice
                            .get()
                            .unwrap_or("take it off and put it back, and touch it when the slot says touch");
                        self.show(slot, Doing::Look, &reason, remedy);
                        return Ok(After::Take);
                    }
                    GoesOn::WithItsKey => (
                        format!(
                            "{} its job waits for it; find out which key it takes; do not guess; then: kiln token \
                             allow {} --try-key",
                            match self.ready.job.kind {
                                JobKind::Burn => "it may hold its seed already, so",
                                JobKind::Resync => "its clock may be half set, so",
                            },
                            self.guest.serial
                        ),
                        Failing::KeyRefused,
                    ),
                };
                self.went_wrong(slot, &record, &reason, &remedy, Some(kind))?;
                Ok(After::Take)
            }
        }
    }

    /// What was done is on record from here on.
    fn record_done(
        &self,
        entries: Vec<EntryDone>,
        reading: Option<NewReading>,
        stamp: &Stamp,
    ) -> Result<JobRecord, MoveRefused> {
        let Ready { job, batch, plan, clock_override, .. } = self.ready;
        let (serial, clock_override, job_id) = (self.guest.serial.clone(), *clock_override, job.id);
        match job.kind {
            JobKind::Burn => {
                let seen = batch.policy.seen;
                let done = BurnDone { job: job_id, serial, entries, reading, clock_override, seen };
                self.core.store.burned(done, stamp)
            }
            JobKind::Resync => {
                let rewrote = plan.steps.iter().any(|step| matches!(step, Step::WriteSeed(_)));
                let done = ResyncDone { job: job_id, serial, entries, rewrote, reading, clock_override };
                self.core.store.resynced(done, stamp)
            }
        }
    }

    /// The job of another batch that this very key gets next, without being lifted. Any other token is taken away first:
    /// what was burned is not written over because it still lies there.
    fn next_for_it(&self) -> Result<Option<JobRecord>, StoreError> {
        let Guest { serial, model, .. } = self.guest;
        if !model.driver.names_profiles() || self.core.is_stopping() {
            return Ok(None);
        }
        self.core.store.own_job(serial, &model.name)
    }

    fn show_burned(
        &self,
        slot: &Slot<'_>,
        record: &JobRecord,
        last_reading: Option<NewReading>,
        next: Option<&JobRecord>,
    ) {
        let serial = &self.guest.serial;
        let (says, remedy) = if let Some(next) = next {
            (
                format!("burned; job {} of batch \"{}\" is for this key, too", next.id, next.batch_name),
                Some("leave it where it is; it goes on by itself".to_owned()),
            )
        } else if record.kind == JobKind::Resync {
            (resync::says_set(record), resync::what_then(self.core, record))
        } else if record.wants_eyes {
            (
                "burned; this one wants a person's eyes".to_owned(),
                Some(format!(
                    "take it, switch it off and on, and type the code it shows: kiln verify {serial} CODE"
                )),
            )
        } else {
            ("burned".to_owned(), None)
        };
        self.core.bus.slot(SlotView {
            doing: if next.is_some() { Doing::Wait } else { Doing::Take },
            says: Some(says),
            remedy,
            drift: last_reading.map(drift_of).or(self.view.drift),
            ..self.view.clone()
        });
        debug_assert_eq!(slot.name, self.view.slot);
    }

    fn show(&self, slot: &Slot<'_>, doing: Doing, says: &str, remedy: &str) {
        slot.core.bus.slot(SlotView {
            doing,
            says: Some(says.to_owned()),
            remedy: Some(remedy.to_owned()),
            ..self.view.clone()
        });
    }

    /// Says what went wrong, and pauses slot or batch where it is one too many.
    fn went_wrong(
        &self,
        slot: &mut Slot<'_>,
        record: &JobRecord,
        reason: &str,
        remedy: &str,
        kind: Option<Failing>,
    ) -> Result<(), Broken> {
        let core = self.core;
        self.show(slot, Doing::Look, reason, remedy);
        let words = Words {
            message: format!("token {}: {reason}", self.guest.serial),
            remedy,
            place: Some((&slot.name, Doing::Look)),
        };
        alarms::raise(core, AlarmAbout::Job(record.id), words);
        let Some(kind) = kind else { return Ok(()) };
        slot.breaker.fail(kind, core.resumes());
        let untried = match &self.ready.door {
            Door::Locked { fingerprint, .. } if kind == Failing::KeyRefused => {
                let batch = Some(record.batch);
                !core.store.key_standing(*fingerprint, &self.guest.serial, batch)?.accepted_in_batch
            }
            Door::Locked { .. } | Door::Open { .. } => false,
        };
        breaker::count(core, record.batch, &record.batch_name, kind, untried);
        Ok(())
    }
}
