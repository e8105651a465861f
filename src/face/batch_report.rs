//! What an auditor wants to know of a batch: numbers that add up, and who did what when by which clock.

use super::{ActivationRecord, AuditEntry, AuditHead, BatchDetail, JobCounts};
use crate::domain::{ClockState, DriftSeconds, JobState, Parameters, Profile, Proof, Serial, UnixMillis};
use serde::{Deserialize, Serialize};

/// A batch from its making to now. Holds no seed and no code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchReport {
    /// When it was written, by the station's clock.
    pub at: UnixMillis,
    /// What that clock was worth.
    pub clock: ClockState,
    /// kiln's version.
    pub version: String,
    /// The batch, what it allows and how far it is.
    pub batch: BatchDetail,
    /// Do the numbers add up?
    pub sums: Sums,
    /// Each job.
    pub jobs: Vec<ReportedJob>,
    /// Which tokens were activated at their server.
    pub activations: Vec<ActivationRecord>,
    /// What the audit log holds about the batch, oldest first: who, what, when, by which clock.
    pub log: Vec<AuditEntry>,
    /// The head of the audit chain: kept elsewhere, it shows later that nothing was cut off or rewritten.
    pub anchor: AuditHead,
}

/// Numbers that must add up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Jobs that came in.
    pub came_in: u64,
    /// Where they stand: adds up to `came_in`.
    pub jobs: JobCounts,
    /// How the burned ones are proven, weakest proof of each token: adds up to the burned ones.
    pub proven: Vec<(Proof, u64)>,
    /// Burned ones that a person should still look at, as the policy wants.
    pub to_be_seen: u64,
    /// Jobs that are not done: queued, claimed or unfinished.
    pub left: u64,
    /// Burned tokens that were activated at their server.
    pub activated: u64,
    /// What does not add up, a sentence each; empty where all does.
    pub wrong: Vec<String>,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportedJob {
    /// Its place in the batch, from 1.
    pub position: u32,
    /// Where it stands.
    pub state: JobState,
    /// Why, where somebody said so.
    pub reason: Option<String>,
    /// The token that it is for or on.
    pub serial: Option<Serial>,
    /// Its model.
    pub model: Option<String>,
    /// Whose it is.
    pub user: Option<String>,
    /// When it moved last.
    pub moved: UnixMillis,
    /// The weakest proof over its profiles.
    pub proof: Option<Proof>,
    /// Whether a person should still look at it.
    pub to_be_seen: bool,
    /// What it put on its token.
    pub profiles: Vec<ReportedProfile>,
    /// The token's clock after the burn, against the station's.
    pub drift: Option<DriftSeconds>,
    /// What the station's clock was worth at that moment.
    pub clock: Option<ClockState>,
}

/// One profile of a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportedProfile {
    /// Its number.
    pub profile: Profile,
    /// What the token's screen calls it.
    pub title: Option<String>,
    /// What the codes are made with.
    pub parameters: Parameters,
    /// How sure it is.
    pub proof: Option<Proof>,
    /// When that was proven.
    pub proven: Option<UnixMillis>,
}
