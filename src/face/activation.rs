//! Activation: some servers take an uploaded token only after they were given a code of it.

use crate::domain::{Profile, Proof, Serial, UnixMillis, UnixTime};
use serde::{Deserialize, Serialize};

/// Said wherever computed codes are given out.
pub const COMPUTED_PROVES_LITTLE: &str = "codes computed from the records prove nothing about the token in hand, which may \
                                          hold another seed";

/// Of which tokens codes are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationAsk {
    /// Only of this batch.
    #[serde(default)]
    pub batch: Option<String>,
    /// Only of these; empty: all that are not on record as activated.
    #[serde(default)]
    pub serials: Vec<Serial>,
    /// None of these.
    #[serde(default)]
    pub except: Vec<Serial>,
    /// So many at most. The server's own limit is kept besides.
    pub limit: u32,
    /// The server, by its target's name; none: the batch's.
    #[serde(default)]
    pub login_target: Option<String>,
}

/// Codes to be typed at the server now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationCodes {
    /// The moment for which they were computed, by the station's clock.
    pub at: UnixTime,
    /// The server, as people call it.
    pub login_target: String,
    /// The codes, in the order of the batch.
    pub codes: Vec<ActivationCode>,
    /// How many tokens wait for theirs besides.
    pub waiting: u64,
    /// When the server takes more, where its limit is reached.
    pub more_at: Option<UnixTime>,
    /// How many were left out, and why: a sentence each.
    pub left_out: Vec<String>,
}

/// A code of one token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationCode {
    /// The token.
    pub serial: Serial,
    /// The profile that the server knows.
    pub profile: Profile,
    /// Whose it is.
    pub user: Option<String>,
    /// The code.
    pub code: String,
    /// The first second in which it is no longer the current one.
    pub until: UnixTime,
}

/// A token that was activated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationRecord {
    /// The token.
    pub serial: Serial,
    /// When the server had taken its code, as a person said.
    pub at: UnixMillis,
    /// Who said so.
    pub who: String,
    /// Whether the code was computed by the station, which proves nothing about the token in hand, or seen on its display.
    pub proof: Proof,
}
