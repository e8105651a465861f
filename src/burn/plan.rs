//! Which commands burn a job onto a token, in which order.

use crate::domain::{Parameters, Profile, SeedId};
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
    /// How long the display stays on, in seconds.
    pub display_timeout_s: u16,
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
    /// Occupancy, parameters and title of a profile, where the device tells them.
    ReadProfile(Profile),
    /// Serial and clock.
    ReadClock,
}

impl Step {
    /// Whether the token may hold something else once this command was sent.
    pub fn writes(&self) -> bool {
        match self {
            Self::DeleteSeed(_) | Self::Configure(_) | Self::WriteSeed(_) | Self::WriteTitle(_) => true,
            Self::Authenticate | Self::ReadProfile(_) | Self::ReadClock => false,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn write(number: u8, title: Option<&str>) -> Write {
        Write {
            profile: Profile::new(number),
            seed: SeedId([number; 16]),
            parameters: Parameters::standard(),
            title: title.map(str::to_owned),
            display_timeout_s: 30,
        }
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
