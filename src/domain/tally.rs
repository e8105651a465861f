//! How many jobs, burned tokens and tokens that came to a sweep stand where.

use super::job::{JobState, Proof};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How many jobs of a batch stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCounts {
    /// Free or reserved.
    pub queued: u64,
    /// Being burned.
    pub claimed: u64,
    /// Begun, and their tokens are not there.
    pub unfinished: u64,
    /// Done.
    pub burned: u64,
    /// Ended before anything was written.
    pub failed: u64,
    /// Their tokens died.
    pub scrapped: u64,
    /// Called off.
    pub cancelled: u64,
}

impl JobCounts {
    /// How many stand at `state`.
    pub fn of(mut self, state: JobState) -> u64 {
        *self.of_mut(state)
    }

    /// The same, to be changed.
    pub fn of_mut(&mut self, state: JobState) -> &mut u64 {
        match state {
            JobState::Queued => &mut self.queued,
            JobState::Claimed => &mut self.claimed,
            JobState::Unfinished => &mut self.unfinished,
            JobState::Burned => &mut self.burned,
            JobState::Failed => &mut self.failed,
            JobState::Scrapped => &mut self.scrapped,
            JobState::Cancelled => &mut self.cancelled,
        }
    }

    /// All of them.
    pub fn total(self) -> u64 {
        JobState::ALL.into_iter().map(|state| self.of(state)).sum()
    }
}

/// How many burned tokens of a batch are proven how well: each by the weakest proof among its profiles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofCounts {
    /// The device said yes.
    pub written: u64,
    /// Occupancy and parameters were read back.
    pub read_back: u64,
    /// The device computed the right code.
    pub computed: u64,
    /// A person typed the right code.
    pub seen: u64,
    /// Those whose display a person should still look at, because the policy wants it.
    pub waiting_for_eyes: u64,
}

impl ProofCounts {
    /// How many are proven by `proof`.
    pub fn of(mut self, proof: Proof) -> u64 {
        *self.of_mut(proof)
    }

    /// The same, to be changed.
    pub fn of_mut(&mut self, proof: Proof) -> &mut u64 {
        match proof {
            Proof::Written => &mut self.written,
            Proof::ReadBack => &mut self.read_back,
            Proof::Computed => &mut self.computed,
            Proof::Seen => &mut self.seen,
        }
    }
}

/// What became of a token's clock in a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SweptOutcome {
    /// It was set.
    Set,
    /// It was right: nothing was sent.
    Right,
    /// Its job did not come to its end; it goes on when the token comes back.
    Unfinished,
    /// Its job ended before anything was written.
    Failed,
    /// It could not be set with what is on record.
    Refused,
    /// Nothing is on record of what the token holds.
    #[serde(rename = "not known")]
    NotKnown,
    /// The sweep is for others.
    #[serde(rename = "not meant")]
    NotMeant,
}

impl SweptOutcome {
    /// Every one, in the order in which lists show them.
    pub const ALL: [Self; 7] = [
        Self::Set,
        Self::Right,
        Self::Unfinished,
        Self::Failed,
        Self::Refused,
        Self::NotKnown,
        Self::NotMeant,
    ];

    /// In lower case, the same on screen, in JSON and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Right => "right",
            Self::Unfinished => "unfinished",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::NotKnown => "not known",
            Self::NotMeant => "not meant",
        }
    }

    /// The one that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

impl fmt::Display for SweptOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How many tokens came to a sweep, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweptCounts {
    /// Their clocks were set.
    pub set: u64,
    /// Their clocks were right.
    pub right: u64,
    /// Their jobs are not at their end: they were taken away in between.
    pub unfinished: u64,
    /// Their jobs failed before anything was written.
    pub failed: u64,
    /// Nothing could be done with what is on record of them.
    pub refused: u64,
    /// Nothing is on record of them.
    pub not_known: u64,
    /// The sweep is for others.
    pub not_meant: u64,
}

impl SweptCounts {
    /// To how many that happened.
    pub fn of(mut self, outcome: SweptOutcome) -> u64 {
        *self.of_mut(outcome)
    }

    /// The same, to be changed.
    pub fn of_mut(&mut self, outcome: SweptOutcome) -> &mut u64 {
        match outcome {
            SweptOutcome::Set => &mut self.set,
            SweptOutcome::Right => &mut self.right,
            SweptOutcome::Unfinished => &mut self.unfinished,
            SweptOutcome::Failed => &mut self.failed,
            SweptOutcome::Refused => &mut self.refused,
            SweptOutcome::NotKnown => &mut self.not_known,
            SweptOutcome::NotMeant => &mut self.not_meant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_a_count_of_its_own() {
        let mut jobs = JobCounts::default();
        JobState::ALL.into_iter().zip(1..).for_each(|(state, n)| *jobs.of_mut(state) = n);
        assert_eq!((JobState::ALL.map(|state| jobs.of(state)), jobs.total()), ([1, 2, 3, 4, 5, 6, 7], 28));
        let mut proofs = ProofCounts::default();
        Proof::ALL.into_iter().zip(1..).for_each(|(proof, n)| *proofs.of_mut(proof) = n);
        assert_eq!(Proof::ALL.map(|proof| proofs.of(proof)), [1, 2, 3, 4]);
        let mut swept = SweptCounts::default();
        SweptOutcome::ALL.into_iter().zip(1..).for_each(|(outcome, n)| *swept.of_mut(outcome) = n);
        assert_eq!(SweptOutcome::ALL.map(|outcome| swept.of(outcome)), [1, 2, 3, 4, 5, 6, 7]);
        for outcome in SweptOutcome::ALL {
            assert_eq!(SweptOutcome::from_word(outcome.word()), Some(outcome));
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.word());
        }
    }
}
