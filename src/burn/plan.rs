//! Which commands burn a job onto a token, in which order.

use crate::domain::{CredentialName, Mode, Parameters, Profile, SeedId, Touch, credential::Naming};
use serde::{Deserialize, Serialize};

/// What is to stand in one profile when the burn is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// Which profile.
    pub profile: Profile,
    /// Which seed.
    pub seed: SeedId,
    /// How codes are made of it.
    pub parameters: Parameters,
    /// The title, where the token shows one.
    pub title: Option<String>,
    /// Whether each code wants a touch, on keys that can want one.
    #[serde(default, skip_serializing_if = "Touch::is_free")]
    pub touch: Touch,
    /// How long the display stays on, in seconds.
    pub display_timeout_s: u16,
}

impl Write {
    /// What a key that knows its profiles by names calls this one.
    pub fn name(&self, naming: Naming) -> CredentialName {
        CredentialName::on(naming, self.title.as_deref().unwrap_or_default(), self.parameters.mode)
    }
}

/// One step of a burn: one command to the token, but for authentication, which takes two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Proves to the token that the station has its key. Counted against a lock-out.
    Authenticate,
    /// Empties a profile that is filled: the Molto2 takes a configuration only into an empty one.
    DeleteSeed(Profile),
    /// Parameters, display timeout and clock of a profile. Before the seed: on tokens with restricted time sync it
    /// clears it (token2-single section 4).
    Configure(Profile),
    /// The seed of a profile.
    WriteSeed(Profile),
    /// The title of a profile.
    WriteTitle(Profile),
    /// The clock of a profile and nothing else, where the token has a command for that.
    SetClock(Profile),
    /// Occupancy, parameters and title of a profile, where the device tells them.
    ReadProfile(Profile),
    /// Serial and clock.
    ReadClock,
    /// Name, parameters and seed of a profile at once, on a key that knows it by its name.
    WriteCredential(Profile),
    /// The password that the key asks for from now on.
    SetPassword,
    /// Lets the key calculate a profile's code of the current step.
    Compute(Profile),
    /// The names of all profiles of a key, with kind and hash of each.
    ReadNames,
}

impl Step {
    /// Whether the token may hold something else once this command was sent.
    pub fn writes(&self) -> bool {
        match self {
            Self::DeleteSeed(_)
            | Self::Configure(_)
            | Self::WriteSeed(_)
            | Self::WriteTitle(_)
            | Self::SetClock(_)
            | Self::WriteCredential(_)
            | Self::SetPassword => true,
            Self::Authenticate
            | Self::ReadProfile(_)
            | Self::ReadClock
            | Self::Compute(_)
            | Self::ReadNames => false,
        }
    }
}

/// A burn, laid out. It is stored with the claim, so that a later reader sees what was meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What is to stand where.
    pub writes: Vec<Write>,
    /// The commands, in order.
    pub steps: Vec<Step>,
}

impl Plan {
    /// What is to stand in `profile`.
    pub fn write(&self, profile: Profile) -> Option<&Write> {
        self.writes.iter().find(|write| write.profile == profile)
    }
}

/// Lays a burn out. `filled` are the profiles that hold a seed which must be deleted first; `reads_back` says whether
/// the device tells what its profiles hold.
pub fn plan(writes: Vec<Write>, filled: &[Profile], reads_back: bool) -> Plan {
    let mut steps = vec![Step::Authenticate];
    for write in &writes {
        if filled.contains(&write.profile) {
            steps.push(Step::DeleteSeed(write.profile));
        }
        steps.push(Step::Configure(write.profile));
        steps.push(Step::WriteSeed(write.profile));
        if write.title.is_some() {
            steps.push(Step::WriteTitle(write.profile));
        }
    }
    if reads_back {
        steps.extend(writes.iter().map(|write| Step::ReadProfile(write.profile)));
    }
    steps.push(Step::ReadClock);
    Plan { writes, steps }
}

/// Whether a burn gives a key its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// It keeps what it has.
    Leave,
    /// It has none and gets the batch's.
    Set,
}

/// What a key's list tells of its profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListTells {
    /// Hardly more than names: it is read where a counter has no other proof.
    Names,
    /// All but the seeds: it is always read.
    Parameters,
}

/// Lays out the burn of a key that calculates codes and knows its profiles by names. It is open already: what it holds
/// was listed to judge it. All writing comes before all proof, and what wants a touch comes last, so that whatever can be
/// done without a hand is done before one is asked for. A counter is not used up for a proof: its profile is only listed.
pub fn plan_key(writes: Vec<Write>, filled: &[Profile], password: Password, list: ListTells) -> Plan {
    let mut steps = Vec::new();
    for write in &writes {
        if filled.contains(&write.profile) {
            steps.push(Step::DeleteSeed(write.profile));
        }
        steps.push(Step::WriteCredential(write.profile));
    }
    if password == Password::Set {
        steps.push(Step::SetPassword);
    }
    let counts = |write: &&Write| matches!(write.parameters.mode, Mode::Hotp { .. });
    if list == ListTells::Parameters || writes.iter().any(|write| counts(&write)) {
        steps.push(Step::ReadNames);
    }
    for touch in [Touch::Free, Touch::Required] {
        let timed = writes.iter().filter(|write| !counts(write) && write.touch == touch);
        steps.extend(timed.map(|write| Step::Compute(write.profile)));
    }
    Plan { writes, steps }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(number: u8, title: Option<&str>) -> Write {
        Write {
            profile: Profile::new(number),
            seed: SeedId([number; 16]),
            parameters: Parameters::standard(),
            title: title.map(str::to_owned),
            touch: Touch::Free,
            display_timeout_s: 30,
        }
    }

    #[test]
    fn a_key_is_written_first_and_proven_afterwards_with_touches_at_the_end() {
        let touchy = Write { touch: Touch::Required, ..write(0, Some("a")) };
        let mut counted = write(1, Some("b"));
        counted.parameters.mode = Mode::Hotp { counter: 0 };
        let writes = vec![touchy, counted, write(2, Some("c"))];
        let plan = plan_key(writes, &[Profile::new(2)], Password::Set, ListTells::Names);
        let [a, b, c] = [0, 1, 2].map(Profile::new);
        assert_eq!(
            plan.steps,
            [
                Step::WriteCredential(a),
                Step::WriteCredential(b),
                Step::DeleteSeed(c),
                Step::WriteCredential(c),
                Step::SetPassword,
                Step::ReadNames,
                Step::Compute(c),
                Step::Compute(a),
            ]
        );
    }

    #[test]
    fn one_credential_on_an_open_key_is_two_commands() {
        let of = |list| plan_key(vec![write(0, Some("a"))], &[], Password::Leave, list).steps;
        let (put, compute) = (Step::WriteCredential(Profile::ZERO), Step::Compute(Profile::ZERO));
        assert_eq!(of(ListTells::Names), [put.clone(), compute.clone()]);
        assert_eq!(
            of(ListTells::Parameters),
            [put, Step::ReadNames, compute],
            "what can be read is compared"
        );
    }

    #[test]
    fn a_single_profile_burn_is_one_authentication_two_writes_and_a_look_at_the_clock() {
        let plan = plan(vec![write(0, None)], &[], false);
        let zero = Profile::ZERO;
        assert_eq!(
            plan.steps,
            [Step::Authenticate, Step::Configure(zero), Step::WriteSeed(zero), Step::ReadClock]
        );
    }

    #[test]
    fn a_filled_profile_is_emptied_first_and_every_profile_is_read_back() {
        let plan = plan(vec![write(0, Some("Mail")), write(7, None)], &[Profile::ZERO], true);
        let (a, b) = (Profile::ZERO, Profile::new(7));
        assert_eq!(
            plan.steps,
            [
                Step::Authenticate,
                Step::DeleteSeed(a),
                Step::Configure(a),
                Step::WriteSeed(a),
                Step::WriteTitle(a),
                Step::Configure(b),
                Step::WriteSeed(b),
                Step::ReadProfile(a),
                Step::ReadProfile(b),
                Step::ReadClock
            ]
        );
    }

    #[test]
    fn the_configuration_always_comes_before_the_seed() {
        let plan = plan((0..10).map(|n| write(n, Some("t"))).collect(), &[], true);
        for n in 0..10 {
            let place = |step: &Step| plan.steps.iter().position(|s| s == step);
            let profile = Profile::new(n);
            assert!(place(&Step::Configure(profile)) < place(&Step::WriteSeed(profile)));
        }
    }
}
