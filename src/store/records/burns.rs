//! Tries to authenticate, and what a burn leaves: proofs, readings, settings of the clock.

use super::{JobId, OverrideId};
use crate::domain::{ClockSetBy, ClockState, Profile, Proof, ReadingKind, SeenPolicy, Serial, UnixMillis};

/// How a key was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptResult {
    /// It was.
    Accepted,
    /// It was not.
    Refused {
        /// How many tries the token says are left.
        tries_left: Option<u8>,
    },
    /// No answer came: the token may have counted it.
    Unknown,
    /// The key was not shown after all: nothing was counted.
    NotMade,
}

/// What is known of a key and a token, before it is shown to the token once more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyStanding {
    /// The last answer of this token to this key was no.
    pub refused_here: Option<RefusedHere>,
    /// Tries on this token without an answer, since its last answer to this key.
    pub unknown_attempts_here: u32,
    /// The last key that this token has taken is another one.
    pub took_another_here: bool,
    /// Some token of the batch has taken the key.
    pub accepted_in_batch: bool,
    /// How many tokens of the batch last said no to it.
    pub refused_in_batch: u32,
    /// It is being shown to another token of the batch now.
    pub in_flight_elsewhere: bool,
}

/// A refusal on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedHere {
    /// How many tries the token said were left.
    pub tries_left: Option<u8>,
    /// When.
    pub at: UnixMillis,
}

/// What became of one profile in a burn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryDone {
    /// Which profile.
    pub profile: Profile,
    /// How sure it is.
    pub proof: Proof,
    /// What was compared, for people. Never a secret.
    pub detail: Option<String>,
}

/// A token's clock as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewReading {
    /// Token clock minus station clock, in milliseconds. Positive: the token is fast.
    pub drift_ms: i64,
    /// How far off that may be, either way.
    pub uncertainty_ms: u64,
    /// How it was read.
    pub kind: ReadingKind,
}

/// A burn that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BurnDone {
    /// Which job.
    pub job: JobId,
    /// On which token; must be the one that claimed it.
    pub serial: Serial,
    /// Each profile of the job, once.
    pub entries: Vec<EntryDone>,
    /// The token's clock afterwards, where it can be read.
    pub reading: Option<NewReading>,
    /// The permission by which it was burned though the station's clock was not trusted.
    pub clock_override: Option<OverrideId>,
    /// Which tokens of the batch a person should prove, where nothing better than *written* is known.
    pub seen: SeenPolicy,
}

/// A reading on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingRecord {
    /// When, by the station's clock.
    pub at: UnixMillis,
    /// What was read.
    pub reading: NewReading,
    /// What the station's clock was worth.
    pub clock: ClockState,
}

/// That a token's clock was set, on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSetting {
    /// When, by the station's clock.
    pub at: UnixMillis,
    /// By what.
    pub by: ClockSetBy,
    /// What the station's clock was worth; not known of burns before this was recorded.
    pub clock: Option<ClockState>,
}

/// A proof on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofRecord {
    /// How sure.
    pub proof: Proof,
    /// Since when.
    pub at: UnixMillis,
    /// What was compared.
    pub detail: Option<String>,
}
