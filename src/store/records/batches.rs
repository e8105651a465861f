//! Batches and their jobs, as they stand.

use super::{BatchId, BatchState, JobFacts, JobId, SourceFile};
use crate::{
    domain::{
        JobCounts, JobState, Parameters, Policy, Profile, Proof, ProofCounts, SeedId, Serial, SlotName,
        SweptCounts, Touch, UnixMillis,
    },
    store::Sweep,
};

/// A batch and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchSummary {
    /// Its row.
    pub id: BatchId,
    /// What people call it.
    pub name: String,
    /// Where it stands.
    pub state: BatchState,
    /// Why it stands there, where somebody said so (paused).
    pub reason: Option<String>,
    /// What it allows.
    pub policy: Policy,
    /// Higher goes first.
    pub priority: i32,
    /// The recipe's name.
    pub recipe: Option<String>,
    /// The target's name.
    pub target: Option<String>,
    /// The customer key's name.
    pub key_name: Option<String>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// The file it was first filled from.
    pub source: Option<SourceFile>,
    /// Its jobs.
    pub counts: JobCounts,
    /// Its burned tokens.
    pub proofs: ProofCounts,
    /// Of which tokens it sets the clocks, and how far it is; `None` for a batch that burns.
    pub sweep: Option<(Sweep, SweptCounts)>,
}

/// What a person or the station wants a batch to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchMove {
    /// Burn: from draft or paused.
    Start,
    /// Hold, and say why.
    Pause {
        /// Why, where the station does it by itself: "3 tokens refused the key". A person knows why.
        reason: Option<String>,
    },
    /// Call off: every queued or failed job is cancelled; what was begun can still be finished.
    Cancel,
}

/// What one profile of a job's token is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRecord {
    /// Where on the token.
    pub profile: Profile,
    /// Which seed.
    pub seed: SeedId,
    /// How long that seed is, in bytes: tells without opening it whether a token can take it.
    pub seed_len_bytes: usize,
    /// What the codes are made with besides the seed.
    pub parameters: Parameters,
    /// What the token's screen calls it.
    pub title: Option<String>,
    /// How long the screen stays on, in seconds; `None` leaves the model's default.
    pub display_timeout_s: Option<u16>,
    /// Whether each code wants a touch.
    pub touch: Touch,
    /// What the source said about this one, where it is not what it said of the whole job.
    pub facts: Option<JobFacts>,
}

/// What a job does to its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// Gives it seeds.
    Burn,
    /// Sets its clock, and leaves it the seeds that it has.
    Resync,
}

/// A job as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// Its row.
    pub id: JobId,
    /// The batch it belongs to.
    pub batch: BatchId,
    /// That batch's name.
    pub batch_name: String,
    /// Where that batch stands.
    pub batch_state: BatchState,
    /// What it does.
    pub kind: JobKind,
    /// Its place in the batch, from 0.
    pub position: u64,
    /// Where it stands.
    pub state: JobState,
    /// Why, where the station or a person said so.
    pub reason: Option<String>,
    /// The only serial that may have it.
    pub reserved: Option<Serial>,
    /// The only model that may have it.
    pub model: Option<String>,
    /// The token that has it (claimed, unfinished, burned, scrapped), or had it last (failed).
    pub serial: Option<Serial>,
    /// Where that token was put down last.
    pub slot: Option<SlotName>,
    /// What the last claim meant to do, as text.
    pub plan: Option<String>,
    /// Whether some burn of this job broke off: its token may hold a seed of it.
    pub may_hold_seed: bool,
    /// The weakest proof over what it burned; `None` until then.
    pub proof: Option<Proof>,
    /// Whether a person should type the code from the display.
    pub wants_eyes: bool,
    /// When it moved last.
    pub moved_at: UnixMillis,
    /// How far off the token's clock was before it was set, in milliseconds; of a job that sets clocks.
    pub drift_before_ms: Option<i64>,
    /// And afterwards.
    pub drift_after_ms: Option<i64>,
    /// What else the source said.
    pub facts: JobFacts,
    /// What goes where, by profile.
    pub entries: Vec<EntryRecord>,
}

/// Which jobs of a batch are wanted; empty is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only those that stand here; empty is anywhere.
    pub states: Vec<JobState>,
    /// Only those with this in a serial or a user's name, in any case.
    pub text: Option<String>,
}
