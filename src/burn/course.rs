//! A burn under way: what to do next, and how it ended.

use super::plan::{Plan, Step, Write};
use crate::domain::{Profile, Proof, Serial};

/// How far a token's clock may be off right after it was set, in seconds. The setting is rounded to the second and
/// the reading is in whole seconds, so that one second either way is no news; two are allowed for a slow link.
pub const CLOCK_TOLERANCE_S: f64 = 2.0;

/// What a device tells about a profile after the burn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileState {
    /// Whether it holds a seed.
    pub filled: bool,
    /// Hash, digits and period, as far as the device's numbers mean anything.
    pub parameters: Option<crate::domain::Parameters>,
    /// Its title.
    pub title: String,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The device said yes.
    Done,
    /// To [`Step::ReadClock`].
    Clock {
        /// Who answered.
        serial: Serial,
        /// Its clock against the station's, in seconds.
        drift_s: f64,
    },
    /// To [`Step::ReadProfile`].
    Profile(ProfileState),
    /// To [`Step::Compute`].
    Code(Agreement),
    /// To [`Step::ReadNames`]: those profiles of the plan that the key lists as they are meant.
    Listed(Vec<Profile>),
    /// Nobody touched the key in time: nothing happened.
    Untouched(String),
    /// The device said no to the key.
    KeyRefused {
        /// Attempts left, where it says so.
        tries_left: Option<u8>,
    },
    /// The device said no.
    Refused(String),
    /// The link was lost: the command may or may not have taken effect.
    Lost(String),
}

/// A code that a key calculated, against the one that its seed gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// They are the same.
    Same,
    /// They differ.
    Other,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Write down that an attempt will be made, durably, then authenticate.
    Attempt,
    /// Send this command.
    Send(Step),
    /// Nothing: it is over.
    End(Ending),
}

/// Whether the token may hold something of this job before the burn begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// Nothing of this job was ever written.
    Fresh,
    /// An earlier burn of this job broke off: nobody can say any more that nothing was written.
    Again,
}

/// What it takes for an unfinished job to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoesOn {
    /// Putting the same token back.
    WhenPutBack,
    /// A person, who looks into what went wrong.
    AfterALook,
    /// A person, who finds out which key the token takes: it refused this one.
    WithItsKey,
    /// Putting the same key back, and a touch in time.
    WhenTouched,
}

/// How a burn ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Everything is written, with this proof for each profile.
    Burned(Vec<(Profile, Proof)>),
    /// Nothing was written; the seeds are free again.
    Failed {
        /// Why.
        reason: String,
        /// Attempts left, if the device refused the key and said so.
        key_refused: Option<Option<u8>>,
    },
    /// Something may have been written; the same seeds go on when the serial comes back.
    Unfinished {
        /// Why.
        reason: String,
        /// What comes next.
        goes_on: GoesOn,
    },
}

/// A burn under way.
#[derive(Debug)]
pub struct Course {
    plan: Plan,
    serial: Serial,
    at: usize,
    written: bool,
    read_back: Vec<Profile>,
    computed: Vec<Profile>,
    ending: Option<Ending>,
}

impl Course {
    /// Begins `plan` on the token `serial`.
    pub fn new(plan: Plan, serial: Serial, begins: Begins) -> Self {
        let written = begins == Begins::Again;
        Self { plan, serial, at: 0, written, read_back: Vec::new(), computed: Vec::new(), ending: None }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Steps done, of how many.
    pub fn progress(&self) -> (u32, u32) {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (count(self.at), count(self.plan.steps.len()))
    }

    /// What to do next.
    pub fn next(&self) -> Next {
        if let Some(ending) = &self.ending {
            return Next::End(ending.clone());
        }
        match self.plan.steps.get(self.at) {
            Some(Step::Authenticate) => Next::Attempt,
            Some(step) => Next::Send(step.clone()),
            None => Next::End(Ending::Burned(self.proofs())),
        }
    }

    /// Takes what came of the step that [`Course::next`] named. A step that writes counts as written from the moment
    /// it is sent, whatever came back.
    pub fn answered(&mut self, answer: Answer) {
        let Some(step) = self.plan.steps.get(self.at).cloned() else { return };
        if self.ending.is_some() {
            return;
        }
        self.written |= step.writes();
        match (step, answer) {
            (_, Answer::Lost(reason)) => {
                self.ending = Some(Ending::Unfinished { reason, goes_on: GoesOn::WhenPutBack });
            }
            (Step::Authenticate, Answer::KeyRefused { tries_left }) => {
                let reason = match tries_left {
                    Some(left) => format!("the token refused the customer key ({left} attempts left)"),
                    None => "the token refused the key: it has another one, or it is locked".to_owned(),
                };
                self.end(reason, Some(tries_left));
            }
            (step, Answer::Untouched(reason)) => {
                let reason = format!("{}: {reason}", name(&step));
                // A step that only proves, or that a touch was missing for, has changed nothing; those before it have.
                self.ending = Some(Ending::Unfinished { reason, goes_on: GoesOn::WhenTouched });
            }
            (step, Answer::KeyRefused { .. }) => {
                self.end(format!("the token no longer accepts the authentication at {}", name(&step)), None);
            }
            (step, Answer::Refused(reason)) => self.end(format!("{}: {reason}", name(&step)), None),
            (Step::ReadClock, Answer::Clock { serial, drift_s }) => self.check_clock(&serial, drift_s),
            (Step::ReadProfile(profile), Answer::Profile(state)) => self.check_profile(profile, &state),
            (Step::Compute(profile), Answer::Code(Agreement::Same)) => {
                self.computed.push(profile);
                self.at += 1;
            }
            (Step::Compute(profile), Answer::Code(Agreement::Other)) => {
                self.end(
                    format!("the key calculates another code for profile {profile} than its seed gives"),
                    None,
                );
            }
            (Step::ReadNames, Answer::Listed(listed)) => self.check_listed(listed),
            (
                Step::Authenticate
                | Step::DeleteSeed(_)
                | Step::Configure(_)
                | Step::WriteSeed(_)
                | Step::WriteTitle(_)
                | Step::SetClock(_)
                | Step::WriteCredential(_)
                | Step::SetPassword,
                Answer::Done,
            ) => self.at += 1,
            (
                step,
                Answer::Done
                | Answer::Clock { .. }
                | Answer::Profile(_)
                | Answer::Code(_)
                | Answer::Listed(_),
            ) => {
                self.end(format!("{}: the answer is of another kind", name(&step)), None);
            }
        }
    }

    fn check_clock(&mut self, serial: &Serial, drift_s: f64) {
        if *serial != self.serial {
            self.end(format!("another token ({serial}) answered in the middle of the burn"), None);
        } else if drift_s.abs() > CLOCK_TOLERANCE_S {
            self.end(format!("the token's clock is {drift_s:+.0} s off although it was just set"), None);
        } else {
            self.at += 1;
        }
    }

    fn check_profile(&mut self, profile: Profile, state: &ProfileState) {
        match self.plan.write(profile).map(|write| mismatch(write, state)) {
            Some(None) => {
                self.read_back.push(profile);
                self.at += 1;
            }
            Some(Some(what)) => self.end(format!("profile {profile} reads back differently: {what}"), None),
            None => self.end(format!("profile {profile} was read but never meant"), None),
        }
    }

    fn check_listed(&mut self, listed: Vec<Profile>) {
        match self.plan.writes.iter().find(|write| !listed.contains(&write.profile)) {
            None => {
                self.read_back = listed;
                self.at += 1;
            }
            Some(missing) => {
                self.end(
                    format!("the key does not list profile {} as it was written", missing.profile),
                    None,
                );
            }
        }
    }

    fn end(&mut self, reason: String, key_refused: Option<Option<u8>>) {
        self.ending = Some(if self.written {
            let goes_on = if key_refused.is_some() { GoesOn::WithItsKey } else { GoesOn::AfterALook };
            Ending::Unfinished { reason, goes_on }
        } else {
            Ending::Failed { reason, key_refused }
        });
    }

    fn proofs(&self) -> Vec<(Profile, Proof)> {
        let proof = |profile| {
            if self.computed.contains(&profile) {
                Proof::Computed
            } else if self.read_back.contains(&profile) {
                Proof::ReadBack
            } else {
                Proof::Written
            }
        };
        self.plan.writes.iter().map(|write| (write.profile, proof(write.profile))).collect()
    }
}

/// What the operator calls a step.
fn name(step: &Step) -> String {
    match step {
        Step::Authenticate => "authentication".into(),
        Step::DeleteSeed(profile) => format!("emptying profile {profile}"),
        Step::Configure(profile) => format!("the configuration of profile {profile}"),
        Step::WriteSeed(profile) => format!("the seed of profile {profile}"),
        Step::WriteTitle(profile) => format!("the title of profile {profile}"),
        Step::SetClock(profile) => format!("setting the clock of profile {profile}"),
        Step::ReadProfile(profile) => format!("reading profile {profile} back"),
        Step::ReadClock => "reading the clock back".into(),
        Step::WriteCredential(profile) => format!("the credential of profile {profile}"),
        Step::SetPassword => "setting the password".into(),
        Step::Compute(profile) => format!("the code of profile {profile}"),
        Step::ReadNames => "reading the names back".into(),
    }
}

fn mismatch(meant: &Write, state: &ProfileState) -> Option<String> {
    if !state.filled {
        return Some("it is empty".into());
    }
    if state.parameters != Some(meant.parameters) {
        let reads = state.parameters.map_or_else(|| "values that mean nothing".into(), |p| p.to_string());
        return Some(format!("{reads} instead of {}", meant.parameters));
    }
    match &meant.title {
        Some(title) if *title != state.title => Some(format!("its title is \"{}\"", state.title)),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::plan::{ListTells, Password, plan, plan_key},
        *,
    };
    use crate::domain::{Mode, Parameters, SeedId, Touch};

    fn serial() -> Serial {
        "86596000000001".parse().unwrap()
    }

    fn course(reads_back: bool) -> Course {
        let write = Write {
            profile: Profile::ZERO,
            seed: SeedId([1; 16]),
            parameters: Parameters::standard(),
            title: None,
            touch: Touch::Free,
            display_timeout_s: 30,
        };
        Course::new(plan(vec![write], &[], reads_back), serial(), Begins::Fresh)
    }

    fn right_clock() -> Answer {
        Answer::Clock { serial: serial(), drift_s: -0.4 }
    }

    fn ending(mut course: Course, answers: impl IntoIterator<Item = Answer>) -> Ending {
        for answer in answers {
            assert!(!matches!(course.next(), Next::End(_)), "ended early: {:?}", course.next());
            course.answered(answer);
        }
        match course.next() {
            Next::End(ending) => ending,
            next => panic!("not over: {next:?}"),
        }
    }

    #[test]
    fn without_reading_back_the_proof_is_only_written() {
        let end = ending(course(false), [Answer::Done, Answer::Done, Answer::Done, right_clock()]);
        assert_eq!(end, Ending::Burned(vec![(Profile::ZERO, Proof::Written)]));
    }

    #[test]
    fn reading_back_proves_more() {
        let state =
            ProfileState { filled: true, parameters: Some(Parameters::standard()), title: String::new() };
        let answers = [Answer::Done, Answer::Done, Answer::Done, Answer::Profile(state), right_clock()];
        assert_eq!(ending(course(true), answers), Ending::Burned(vec![(Profile::ZERO, Proof::ReadBack)]));
    }

    #[test]
    fn a_profile_that_reads_back_empty_is_unfinished_not_burned() {
        let state = ProfileState { filled: false, parameters: None, title: String::new() };
        let end = ending(course(true), [Answer::Done, Answer::Done, Answer::Done, Answer::Profile(state)]);
        assert!(matches!(end, Ending::Unfinished { goes_on: GoesOn::AfterALook, .. }), "{end:?}");
    }

    #[test]
    fn a_refused_key_fails_the_job_and_frees_its_seed() {
        let end = ending(course(false), [Answer::KeyRefused { tries_left: Some(9) }]);
        assert!(matches!(end, Ending::Failed { key_refused: Some(Some(9)), .. }), "{end:?}");
    }

    #[test]
    fn a_job_that_broke_off_before_is_never_called_failed() {
        let again = || Course::new(course(false).plan, serial(), Begins::Again);
        let end = ending(again(), [Answer::KeyRefused { tries_left: None }]);
        assert!(matches!(end, Ending::Unfinished { goes_on: GoesOn::WithItsKey, .. }), "{end:?}");
        let end = ending(again(), [Answer::Refused("6F00".into())]);
        assert!(matches!(end, Ending::Unfinished { goes_on: GoesOn::AfterALook, .. }), "{end:?}");
    }

    #[test]
    fn a_link_lost_anywhere_leaves_the_job_unfinished() {
        for done in 0..4 {
            let mut course = course(false);
            for _ in 0..done {
                course.answered(Answer::Done);
            }
            let end = ending(course, [Answer::Lost("taken off".into())]);
            assert_eq!(end, Ending::Unfinished { reason: "taken off".into(), goes_on: GoesOn::WhenPutBack });
        }
    }

    #[test]
    fn a_refusal_after_a_write_was_sent_is_never_called_failed() {
        let end = ending(course(false), [Answer::Done, Answer::Refused("6A80".into())]);
        assert!(matches!(end, Ending::Unfinished { .. }), "{end:?}");
        let end = ending(course(false), [Answer::Refused("6F00".into())]);
        assert!(matches!(end, Ending::Failed { key_refused: None, .. }), "{end:?}");
    }

    #[test]
    fn another_token_or_a_wrong_clock_at_the_end_is_no_success() {
        let other = Answer::Clock { serial: "86596000000002".parse().unwrap(), drift_s: 0.0 };
        let slow = Answer::Clock { serial: serial(), drift_s: -3.0 };
        for last in [other, slow, Answer::Done] {
            let end = ending(course(false), [Answer::Done, Answer::Done, Answer::Done, last]);
            assert!(matches!(end, Ending::Unfinished { goes_on: GoesOn::AfterALook, .. }), "{end:?}");
        }
    }

    /// A key with a time-based, a counter-based and a touchy profile.
    fn key_course() -> Course {
        let write = |number, mode, touch| Write {
            profile: Profile::new(number),
            seed: SeedId([number; 16]),
            parameters: Parameters { mode, ..Parameters::standard() },
            title: Some(format!("x{number}")),
            touch,
            display_timeout_s: 30,
        };
        let time = Parameters::standard().mode;
        let writes = vec![
            write(0, time, Touch::Free),
            write(1, Mode::Hotp { counter: 0 }, Touch::Free),
            write(2, time, Touch::Required),
        ];
        Course::new(plan_key(writes, &[], Password::Leave, ListTells::Names), serial(), Begins::Fresh)
    }

    fn all() -> Answer {
        Answer::Listed([0, 1, 2].map(Profile::new).into())
    }

    const SAME: Answer = Answer::Code(Agreement::Same);

    #[test]
    fn a_key_proves_its_codes_and_its_counters_are_only_listed() {
        let end = ending(key_course(), [Answer::Done, Answer::Done, Answer::Done, all(), SAME, SAME]);
        let proofs = [Proof::Computed, Proof::ReadBack, Proof::Computed];
        let expected = [0, 1, 2].map(Profile::new).into_iter().zip(proofs).collect();
        assert_eq!(end, Ending::Burned(expected));
    }

    #[test]
    fn a_wrong_code_or_a_missing_name_is_no_success() {
        let written = || [Answer::Done, Answer::Done, Answer::Done];
        let wrong = Answer::Code(Agreement::Other);
        let end = ending(key_course(), written().into_iter().chain([all(), wrong]));
        assert!(
            matches!(&end, Ending::Unfinished { goes_on: GoesOn::AfterALook, reason } if reason.contains("another code"))
        );
        let end = ending(key_course(), written().into_iter().chain([Answer::Listed(vec![Profile::ZERO])]));
        assert!(matches!(end, Ending::Unfinished { goes_on: GoesOn::AfterALook, .. }));
    }

    #[test]
    fn a_missing_touch_waits_for_the_same_key() {
        let answers = [
            Answer::Done,
            Answer::Done,
            Answer::Done,
            all(),
            SAME,
            Answer::Untouched("nobody touched it".into()),
        ];
        let end = ending(key_course(), answers);
        assert!(matches!(end, Ending::Unfinished { goes_on: GoesOn::WhenTouched, .. }), "{end:?}");
    }

    #[test]
    fn an_attempt_is_written_down_before_it_is_made() {
        assert_eq!(course(false).next(), Next::Attempt);
    }
}
