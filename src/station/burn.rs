//! Carries out a burn: asks the rules for the next step, writes the intent down, sends the command, tells the rules
//! what came back, and records the end.

use super::{
    alarms::{self, Words},
    breaker::{self, Kind as Failing},
    core::{Core, STATION},
    loose_end::{self, LooseEnd},
    prepare::{Door, Ready},
    resync,
    slot::Slot,
    views::job_event,
    visit::{After, Guest, TOUCH_PATIENCE, drift_of, reading},
};
use crate::{
    burn::{Agreement, Answer, Begins, Course, Ending, GoesOn, Next, ProfileState, Step, Write},
    domain::{Clock, Mode, Touch, UnixTime, credential::Naming, model::Driver, otp},
    drivers::{Configuration, ReadError, Token, UnlockError, Unlocked, WriteError},
    face::{Doing, SlotView},
    link::ApduLink,
    remedy::Remedy,
    store::{
        AlarmAbout, AttemptResult, BurnDone, EntryDone, JobKind, JobRecord, MoveRefused, NewReading,
        ResyncDone, Stamp, StoreError,
    },
};
use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// A burn that stops before its end for a reason that is not the token's.
enum Broken {
    /// The slot was fenced in the middle: whoever fenced it has recorded the job, this thread says nothing more.
    Fenced,
    /// The store failed: nothing can be recorded.
    Store(String),
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<MoveRefused> for Broken {
    fn from(error: MoveRefused) -> Self {
        Self::Store(error.to_string())
    }
}

/// Burns a claimed job onto the token and records how it ended.
pub fn burn<L: ApduLink>(
    slot: &mut Slot<'_>,
    guest: &Guest<'_>,
    token: &mut Token<L>,
    ready: Ready,
    view: &SlotView,
) -> After {
    let core = slot.core;
    let work = Work { advice: Cell::new(None), core, guest, ready: &ready, view };
    let ended = work.run(token, slot);
    let after = match ended {
        Ok((ending, last_reading)) => work.record(slot, ending, last_reading),
        Err(broken) => Err(broken),
    };
    match after {
        Ok(after) => {
            slot.hand.take();
            core.say_batch(&ready.batch.name);
            core.changed();
            after
        }
        Err(Broken::Fenced) => After::Lost,
        Err(Broken::Store(error)) => {
            let says = format!("the end of this burn could not be recorded: {error}");
            let remedy = "see to the station's disk; then put the token back: its job goes on";
            let reason = says.clone();
            loose_end::tie(core, LooseEnd { slot: slot.name.clone(), held: slot.hand.take(), reason });
            let words = Words { message: says.clone(), remedy, place: Some((&slot.name, Doing::Look)) };
            alarms::raise(core, AlarmAbout::Job(ready.job.id), words);
            core.bus.slot(SlotView {
                doing: Doing::Look,
                says: Some(says),
                remedy: Some(remedy.into()),
                ..view.clone()
            });
            After::Take
        }
    }
}

struct Work<'a> {
    /// What to do about the last write that failed, where that is its own matter.
    advice: Cell<Option<&'static str>>,
    core: &'a Core,
    guest: &'a Guest<'a>,
    ready: &'a Ready,
    view: &'a SlotView,
}

impl Work<'_> {
    /// Runs the plan to its end, whatever that is.
    fn run<L: ApduLink>(
        &self,
        token: &mut Token<L>,
        slot: &Slot<'_>,
    ) -> Result<(Ending, Option<NewReading>), Broken> {
        let core = self.core;
        let begins = if self.ready.job.may_hold_seed { Begins::Again } else { Begins::Fresh };
        let mut course = Course::new(self.ready.plan.clone(), self.guest.serial.clone(), begins);
        let unlocked = match &self.ready.door {
            Door::Open { .. } => match token {
                Token::Key(session) => session.enter().map(Unlocked::Key),
                Token::OtpKey(session) => Some(Unlocked::OtpKey(session.enter())),
                Token::Single(_) | Token::Molto2(_) => None,
            },
            Door::Locked { key, attempt, is_proven, .. } => {
                let unlocked = token.unlock(key);
                (core.crossing)("attempt-answered");
                let (result, answer) = match &unlocked {
                    Ok(_) => (AttemptResult::Accepted, Answer::Done),
                    Err(error) => refused(error),
                };
                if fenced(slot, &answer) {
                    // Whoever fenced it could only call the attempt unknown. That it was not made is known here alone.
                    if result == AttemptResult::NotMade {
                        core.store.attempt_result_soon(*attempt, result, &core.stamp(STATION));
                    }
                    return Err(Broken::Fenced);
                }
                if result == AttemptResult::Accepted && *is_proven {
                    core.store.attempt_result_soon(*attempt, result, &core.stamp(STATION));
                } else {
                    // Other slots, and the next visit of this token, decide by it.
                    core.store.attempt_result(*attempt, result, &core.stamp(STATION))?;
                }
                slot.hand.attempt_settled();
                if result == AttemptResult::Accepted {
                    // Slots that waited for this key to be tried may go on.
                    core.changed();
                }
                (core.crossing)("attempt-recorded");
                course.answered(answer);
                unlocked.ok()
            }
        };
        let mut last_reading = None;
        if let Some(mut unlocked) = unlocked {
            while let Next::Send(step) = course.next() {
                let progress = course.progress();
                self.show_step(slot, &step, progress);
                (core.crossing)(&format!("before-step-{}", progress.0));
                let answer = match &unlocked {
                    Unlocked::Key(_) | Unlocked::OtpKey(_) => self.send_key(&mut unlocked, &step),
                    Unlocked::Single(_) | Unlocked::Molto2(_) => {
                        self.send(&mut unlocked, &step, &mut last_reading)
                    }
                };
                (core.crossing)(&format!("after-step-{}", progress.0));
                if fenced(slot, &answer) {
                    return Err(Broken::Fenced);
                }
                course.answered(answer);
            }
        }
        Ok((ending(&course), last_reading))
    }

    /// Says how far the burn is, and where a key waits for a touch, that it does. The exchange may take longer then.
    fn show_step(&self, slot: &Slot<'_>, step: &Step, progress: (u32, u32)) {
        let touch = match step {
            Step::Compute(profile) => {
                self.write(*profile).ok().filter(|write| write.touch == Touch::Required).map(|write| {
                    format!("touch the key: it proves the code of \"{}\"", write.name(self.naming()))
                })
            }
            Step::DeleteSeed(_) if self.guest.model.touch_to_delete => {
                Some("touch the key: it makes room for the new credential".to_owned())
            }
            _ => None,
        };
        let progress = Some(progress);
        // Whether a Token2 key wants a touch to be written to, nobody has said: on a reader it may take the time for one.
        let may_wait = touch.is_some() || self.guest.model.driver == Driver::Token2Otp;
        slot.fence.grant(if may_wait { TOUCH_PATIENCE } else { Duration::ZERO });
        self.core.bus.slot(match touch {
            Some(says) => {
                let patience = TOUCH_PATIENCE.as_secs();
                let remedy = format!(
                    "within {patience} seconds, by most keys' own rules 15; take it away to call this off"
                );
                SlotView {
                    doing: Doing::Touch,
                    progress,
                    says: Some(says),
                    remedy: Some(remedy),
                    ..self.view.clone()
                }
            }
            None => SlotView {
                progress,
                says: resync::says_step(&self.ready.job, step).or_else(|| self.view.says.clone()),
                ..self.view.clone()
            },
        });
    }

    /// One step on a key, of whichever family.
    fn send_key<L: ApduLink>(&self, key: &mut Unlocked<'_, L>, step: &Step) -> Answer {
        let naming = self.naming();
        let done = |result: Result<(), WriteError>| {
            result.map_or_else(|error| self.not_written(&error), |()| Answer::Done)
        };
        match step {
            Step::DeleteSeed(profile) => match self.write(*profile) {
                Ok(write) => done(key.delete_credential(*profile, &write.name(naming)).map(|_| ())),
                Err(answer) => answer,
            },
            Step::WriteCredential(profile) => {
                match self.write(*profile).map(|write| (write, self.ready.seeds.get(&write.seed))) {
                    Ok((write, Some(seed))) => {
                        let name = write.name(naming);
                        done(key.write_credential(*profile, &name, &write.parameters, write.touch, seed))
                    }
                    Ok((_, None)) => Answer::Refused("its seed is not at hand".into()),
                    Err(answer) => answer,
                }
            }
            Step::SetPassword => match &self.ready.door {
                Door::Open { new_password: Some(password) } => done(key.set_password(password)),
                Door::Open { new_password: None } | Door::Locked { .. } => {
                    Answer::Refused("there is no password to be set".into())
                }
            },
            Step::Compute(profile) => match self.write(*profile) {
                Ok(write) => self.compute(key, write),
                Err(answer) => answer,
            },
            Step::ReadNames => match key.credentials(self.core.clock.now().floor_second()) {
                Ok(listed) => {
                    let is_listed = |write: &&Write| {
                        let name = write.name(naming);
                        listed.iter().any(|one| one.is(&name, &write.parameters, write.touch))
                    };
                    let writes = self.ready.plan.writes.iter();
                    Answer::Listed(writes.filter(is_listed).map(|write| write.profile).collect())
                }
                Err(error) => not_read(&error),
            },
            Step::Authenticate
            | Step::Configure(_)
            | Step::WriteSeed(_)
            | Step::WriteTitle(_)
            | Step::SetClock(_)
            | Step::ReadProfile(_)
            | Step::ReadClock => Answer::Refused("a key has no such command".into()),
        }
    }

    /// Only keys are asked by name, and all of them name their profiles.
    fn naming(&self) -> Naming {
        self.guest.model.driver.naming().unwrap_or(Naming::WithPeriod)
    }

    /// Lets the key calculate the code of the current step, and compares. The step is the station's: the key has no clock.
    fn compute<L: ApduLink>(&self, key: &mut Unlocked<'_, L>, write: &Write) -> Answer {
        let Some(seed) = self.ready.seeds.get(&write.seed) else {
            return Answer::Refused("its seed is not at hand".into());
        };
        let now = self.core.clock.now().floor_second();
        let meant = match write.parameters.mode {
            Mode::Totp { .. } => otp::code_at(seed, &write.parameters, now),
            // A counter is not used up for a proof.
            Mode::Hotp { .. } => None,
        };
        let Some(meant) = meant else { return Answer::Refused("it has no current step".into()) };
        match key.calculate(&write.name(self.naming()), write.parameters.mode, now) {
            Ok(code) => Answer::Code(if meant.same_as(&code) { Agreement::Same } else { Agreement::Other }),
            Err(error) => not_read(&error),
        }
    }

    fn write(&self, profile: crate::domain::Profile) -> Result<&Write, Answer> {
        self.ready
            .plan
            .write(profile)
            .ok_or_else(|| Answer::Refused("the plan does not mean this profile".into()))
    }

    fn send<L: ApduLink>(
        &self,
        token: &mut Unlocked<'_, L>,
        step: &Step,
        last_reading: &mut Option<NewReading>,
    ) -> Answer {
        let done = |result: Result<(), WriteError>| {
            result.map_or_else(|error| self.not_written(&error), |()| Answer::Done)
        };
        match step {
            Step::Authenticate => Answer::Done,
            Step::DeleteSeed(profile) => done(token.delete_seed(*profile).map(|_| ())),
            Step::Configure(profile) => match self.write(*profile) {
                Ok(write) => {
                    let configuration = Configuration {
                        parameters: write.parameters,
                        display_timeout_s: write.display_timeout_s,
                    };
                    done(token.configure(*profile, &configuration, self.landing_time()))
                }
                Err(answer) => answer,
            },
            Step::WriteSeed(profile) => {
                match self.write(*profile).map(|write| self.ready.seeds.get(&write.seed)) {
                    Ok(Some(seed)) => done(token.write_seed(*profile, seed)),
                    Ok(None) => Answer::Refused("its seed is not at hand".into()),
                    Err(answer) => answer,
                }
            }
            Step::WriteTitle(profile) => match self.write(*profile) {
                Ok(write) => done(token.write_title(*profile, write.title.as_deref().unwrap_or_default())),
                Err(answer) => answer,
            },
            Step::SetClock(profile) => done(token.set_clock(*profile, self.landing_time())),
            Step::ReadProfile(profile) => match token.public_block(*profile) {
                Ok(block) => Answer::Profile(ProfileState {
                    filled: block.seed_present,
                    parameters: block.parameters(),
                    title: String::from_utf8_lossy(&block.title).into_owned(),
                }),
                Err(error) => not_read(&error),
            },
            Step::ReadClock => {
                let (asked, begun) = (self.core.clock.now(), Instant::now());
                match token.info() {
                    Ok(info) => {
                        let read = reading(info.clock.0, asked, begun.elapsed());
                        *last_reading = Some(read);
                        Answer::Clock { serial: info.serial, drift_s: drift_of(read).0 }
                    }
                    Err(error) => not_read(&error),
                }
            }
            Step::WriteCredential(_) | Step::SetPassword | Step::Compute(_) | Step::ReadNames => {
                Answer::Refused("only a key has such a command".into())
            }
        }
    }

    /// What a write that failed means for the burn. What to do about it is kept for the end.
    fn not_written(&self, error: &WriteError) -> Answer {
        let says = error.to_string();
        match error {
            WriteError::Unknown { .. } => Answer::Lost(says),
            WriteError::Untouched { .. } | WriteError::ButtonMissed { .. } => {
                self.advice.set(Some(error.remedy()));
                Answer::Untouched(says)
            }
            WriteError::Full { .. }
            | WriteError::NoCounters { .. }
            | WriteError::ListOff { .. }
            | WriteError::NoButtonCodes { .. }
            | WriteError::Cannot { .. } => {
                self.advice.set(Some(error.remedy()));
                Answer::Refused(says)
            }
            WriteError::NoRandomness { .. }
            | WriteError::SelfTest(_)
            | WriteError::OddKey { .. }
            | WriteError::NotOffered { .. }
            | WriteError::LockedAgain { .. }
            | WriteError::Refused { .. } => Answer::Refused(says),
        }
    }

    /// The second that it will be when a command sent now lands: half a round trip ahead, rounded, not truncated.
    fn landing_time(&self) -> UnixTime {
        let half_trip = i64::try_from(self.guest.round_trip.as_millis() / 2).unwrap_or(0);
        self.core.clock.now().plus(half_trip).nearest_second()
    }

    /// Records how the burn ended and says so.
    fn record(
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

fn ending(course: &Course) -> Ending {
    match course.next() {
        Next::End(ending) => ending,
        Next::Attempt | Next::Send(_) => {
            let reason = "the burn stopped before its end".into();
            Ending::Unfinished { reason, goes_on: GoesOn::WhenPutBack }
        }
    }
}

/// Whether the link was cut because this thread had outlived a deadline.
fn fenced(slot: &Slot<'_>, answer: &Answer) -> bool {
    matches!(answer, Answer::Lost(_)) && slot.fence.is_closed()
}

/// What an attempt that failed leaves to record.
pub fn attempt_result(error: &UnlockError) -> AttemptResult {
    match error {
        UnlockError::WrongKey { tries_left, .. } => AttemptResult::Refused { tries_left: Some(*tries_left) },
        UnlockError::WrongKeyOrLocked { .. } | UnlockError::WrongPassword { .. } => {
            AttemptResult::Refused { tries_left: None }
        }
        _ if error.may_have_cost_a_try() => AttemptResult::Unknown,
        _ => AttemptResult::NotMade,
    }
}

fn refused(error: &UnlockError) -> (AttemptResult, Answer) {
    let answer = match error {
        UnlockError::WrongKey { tries_left, .. } => Answer::KeyRefused { tries_left: Some(*tries_left) },
        UnlockError::WrongKeyOrLocked { .. } | UnlockError::WrongPassword { .. } => {
            Answer::KeyRefused { tries_left: None }
        }
        UnlockError::Link { .. } | UnlockError::AnswerLost { .. } => Answer::Lost(error.to_string()),
        UnlockError::SelfTest(_)
        | UnlockError::NotProven { .. }
        | UnlockError::Key { .. }
        | UnlockError::Challenge { .. }
        | UnlockError::Malformed { .. }
        | UnlockError::Status { .. } => Answer::Refused(error.to_string()),
    };
    (attempt_result(error), answer)
}

fn not_read(error: &ReadError) -> Answer {
    match error {
        ReadError::Link { .. } => Answer::Lost(error.to_string()),
        ReadError::Untouched { .. } | ReadError::ButtonMissed { .. } => Answer::Untouched(error.to_string()),
        ReadError::Cannot { .. }
        | ReadError::Status { .. }
        | ReadError::Malformed { .. }
        | ReadError::OtherToken { .. }
        | ReadError::NotOffered { .. } => Answer::Refused(error.to_string()),
    }
}
