//! Where a job stands, and the rules by which it moves. See the table in README, "What a job can be".

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Where a job stands. Stored before the step it names is taken, so that a crash loses no knowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Free, or reserved for a serial.
    Queued,
    /// A slot and a serial hold it; its seeds are bound to that serial from here on.
    Claimed,
    /// Claimed, and the burn did not come to its end: the token may hold the seed.
    Unfinished,
    /// Written and proven; ends here.
    Burned,
    /// Ended before anything was written; the seed is free again.
    Failed,
    /// The token died with its seed.
    Scrapped,
    /// Called off by a person.
    Cancelled,
}

/// What can happen to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobEvent {
    /// A slot takes it for a serial.
    Claim,
    /// The burn came to its end and its proof is recorded.
    Finish,
    /// It ended, and it is certain that nothing was written.
    GiveUp,
    /// It ended, and something may have been written.
    Interrupt,
    /// A person puts a failed job back.
    Retry,
    /// A person says that the token is dead.
    Scrap,
    /// A person calls it off.
    Cancel,
}

/// A move that the rules don't have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {from} can't take \"{event:?}\"")]
pub struct BadMove {
    /// Where the job stands.
    pub from: JobState,
    /// What was asked.
    pub event: JobEvent,
}

impl JobState {
    /// Every state, in the order in which lists show them.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Claimed,
        Self::Unfinished,
        Self::Burned,
        Self::Failed,
        Self::Scrapped,
        Self::Cancelled,
    ];

    /// What a restart makes of the stored state: a claimed token may or may not hold its seed by now.
    pub fn after_restart(self) -> Self {
        match self {
            Self::Claimed => Self::Unfinished,
            Self::Queued
            | Self::Unfinished
            | Self::Burned
            | Self::Failed
            | Self::Scrapped
            | Self::Cancelled => self,
        }
    }

    /// Where the job stands after `event`.
    pub fn after(self, event: JobEvent) -> Result<Self, BadMove> {
        use JobEvent as E;
        match (self, event) {
            (Self::Queued | Self::Unfinished, E::Claim) => Ok(Self::Claimed),
            (Self::Claimed, E::Finish) => Ok(Self::Burned),
            (Self::Claimed, E::GiveUp) => Ok(Self::Failed),
            (Self::Claimed | Self::Unfinished, E::Interrupt) => Ok(Self::Unfinished),
            (Self::Failed, E::Retry) => Ok(Self::Queued),
            (Self::Unfinished | Self::Burned, E::Scrap) => Ok(Self::Scrapped),
            (Self::Queued | Self::Failed, E::Cancel) => Ok(Self::Cancelled),
            (
                Self::Queued
                | Self::Claimed
                | Self::Unfinished
                | Self::Burned
                | Self::Failed
                | Self::Scrapped
                | Self::Cancelled,
                E::Claim | E::Finish | E::GiveUp | E::Interrupt | E::Retry | E::Scrap | E::Cancel,
            ) => Err(BadMove { from: self, event }),
        }
    }

    /// One lower-case word, the same on screen, in JSON and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Claimed => "claimed",
            Self::Unfinished => "unfinished",
            Self::Burned => "burned",
            Self::Failed => "failed",
            Self::Scrapped => "scrapped",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How sure it is that a token shows the right codes, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// The device said yes, and its clock, where readable, is right. A token whose memory failed also says yes.
    Written,
    /// Occupancy and parameters of the profile were read from the device and agree.
    ReadBack,
    /// The device calculated the right code.
    Computed,
    /// A person typed the right code from the display.
    Seen,
}

impl Proof {
    /// Every kind, weakest first.
    pub const ALL: [Self; 4] = [Self::Written, Self::ReadBack, Self::Computed, Self::Seen];

    /// As screens and files say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::ReadBack => "read back",
            Self::Computed => "computed",
            Self::Seen => "seen",
        }
    }

    /// The kind that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|proof| proof.word() == word)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What to do with a token that holds something before the burn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFound {
    /// Leave the token alone and say so.
    Refuse,
    /// Wait for a person's word for this serial.
    Ask,
    /// Write over it.
    Replace,
}

impl OnFound {
    /// All, the most careful first.
    pub const ALL: [Self; 3] = [Self::Refuse, Self::Ask, Self::Replace];

    /// The word that operators use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Ask => "ask",
            Self::Replace => "replace",
        }
    }

    /// What a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|found| found.word() == word)
    }
}

/// How many tokens of a batch a person must prove by typing the displayed code, where the device itself offers no
/// better proof than *written*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SeenPolicy {
    /// The first so many of the batch.
    pub first: u32,
    /// And then every so-manieth; 0 is none.
    pub every: u32,
}

impl Default for SeenPolicy {
    fn default() -> Self {
        Self { first: 1, every: 25 }
    }
}

/// A text that does not say which tokens must be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("two numbers, as in 1,25: the first so many tokens, then each so-manieth")]
pub struct SeenPolicyText;

impl FromStr for SeenPolicy {
    type Err = SeenPolicyText;

    fn from_str(text: &str) -> Result<Self, SeenPolicyText> {
        let (first, every) = text.split_once(',').ok_or(SeenPolicyText)?;
        let number = |text: &str| text.trim().parse().map_err(|_| SeenPolicyText);
        Ok(Self { first: number(first)?, every: number(every)? })
    }
}

impl SeenPolicy {
    /// Whether the `nth` burned token of a batch (from 1) is one of them.
    pub fn wants(self, nth: u32) -> bool {
        nth >= 1 && (nth <= self.first || (self.every > 0 && nth.is_multiple_of(self.every)))
    }
}

/// What a batch allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Policy {
    /// A token as delivered.
    pub factory: OnFound,
    /// A token that somebody else filled.
    pub foreign: OnFound,
    /// Which tokens must be seen.
    pub seen: SeenPolicy,
    /// By what serial a token goes that tells none.
    #[serde(default)]
    pub serials: Serials,
}

/// By what serial a token goes that tells none, as some keys do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Serials {
    /// By the one that a person gives it.
    #[default]
    Given,
    /// By a random one.
    Random,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            factory: OnFound::Replace,
            foreign: OnFound::Ask,
            seen: SeenPolicy::default(),
            serials: Serials::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_seen_is_two_numbers() {
        assert_eq!("3, 10".parse(), Ok(SeenPolicy { first: 3, every: 10 }));
        for wrong in ["", "3", "a,b", "-1,2", "1,2,3"] {
            assert_eq!(wrong.parse::<SeenPolicy>(), Err(SeenPolicyText), "{wrong}");
        }
        for found in OnFound::ALL {
            assert_eq!(OnFound::from_word(found.word()), Some(found));
        }
    }

    #[test]
    fn a_restart_doubts_only_claimed_jobs() {
        for state in JobState::ALL {
            let expected = if state == JobState::Claimed { JobState::Unfinished } else { state };
            assert_eq!(state.after_restart(), expected);
        }
    }

    #[test]
    fn a_job_that_may_have_been_written_is_never_freed() {
        for state in [JobState::Claimed, JobState::Unfinished, JobState::Burned] {
            assert!(state.after(JobEvent::Cancel).is_err(), "{state}");
            assert!(state.after(JobEvent::Retry).is_err(), "{state}");
        }
        assert_eq!(JobState::Unfinished.after(JobEvent::Claim), Ok(JobState::Claimed));
        assert!(JobState::Unfinished.after(JobEvent::GiveUp).is_err());
    }

    #[test]
    fn words_lead_back_to_their_values() {
        assert!(JobState::ALL.into_iter().all(|s| JobState::from_word(s.word()) == Some(s)));
        assert!(Proof::ALL.into_iter().all(|p| Proof::from_word(p.word()) == Some(p)));
    }

    #[test]
    fn the_default_wants_the_first_and_every_25th_seen() {
        let policy = SeenPolicy::default();
        let wanted: Vec<u32> = (0..=60).filter(|n| policy.wants(*n)).collect();
        assert_eq!(wanted, [1, 25, 50]);
        assert!(!SeenPolicy { first: 0, every: 0 }.wants(1));
    }
}
