//! Carries out a burn: asks the rules for the next step, writes the intent down, sends the command, tells the rules
//! what came back, and records the end.

mod end;

use super::{
    alarms::{self, Words},
    core::{Core, STATION},
    loose_end::{self, LooseEnd},
    prepare::{Door, Ready},
    resync,
    slot::Slot,
    visit::{After, Guest, TOUCH_PATIENCE, drift_of, reading},
};
use crate::{
    burn::{Agreement, Answer, Begins, Course, Ending, GoesOn, Next, ProfileState, Step, Write},
    domain::{Clock, Mode, Touch, UnixTime, credential::Naming, model::Driver, otp},
    drivers::{Configuration, ReadError, Token, UnlockError, Unlocked, WriteError},
    face::{Doing, SlotView},
    link::ApduLink,
    remedy::Remedy,
    store::{AlarmAbout, AttemptResult, MoveRefused, NewReading, StoreError},
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
