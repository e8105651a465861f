//! What an import brings, and what it collides with.

use super::{BatchId, SeedOrigin};
use crate::{
    domain::{Parameters, Policy, Profile, SeedId, Serial, Touch},
    vault::{Fingerprint, Sealed},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A batch to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBatch {
    /// What people call it; unique in a store.
    pub name: String,
    /// What it allows.
    pub policy: Policy,
    /// Higher goes first.
    pub priority: i32,
    /// What it puts on each token, by the recipe's name.
    pub recipe: Option<String>,
    /// Which server will check the codes, by the target's name.
    pub target: Option<String>,
    /// Which customer key its tokens want, by the key's name.
    pub key_name: Option<String>,
}

/// A seed to be taken on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSeed {
    /// Its name from now on.
    pub id: SeedId,
    /// The seed, sealed under the vault's data key and this id.
    pub sealed: Sealed,
    /// Tells equal seeds without opening them.
    pub fingerprint: Fingerprint,
    /// How many bytes it has.
    pub len_bytes: u32,
    /// Where it came from.
    pub origin: SeedOrigin,
}

/// What one profile of a token is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Where on the token; unique in a job.
    pub profile: Profile,
    /// The seed.
    pub seed: NewSeed,
    /// What the codes are made with besides the seed.
    pub parameters: Parameters,
    /// What the token's screen calls it.
    pub title: Option<String>,
    /// How long the screen stays on, in seconds; `None` leaves the model's default.
    pub display_timeout_s: Option<u16>,
    /// Whether each code wants a touch.
    pub touch: Touch,
    /// What the source said about this one, where a job is made of several lines; `None`: what it said of the token.
    pub facts: Option<JobFacts>,
}

/// What the source said about a token besides seeds and serial.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFacts {
    /// Line of the file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Whose token it will be: a user principal name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upn: Option<String>,
    /// Anything else an export must give back, by column name (manufacturer, model as written, …). Never a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, String>,
}

/// One token's share of a batch, or one delivered token of an inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// The only serial that may have it; `None` for whichever comes.
    pub reserved: Option<Serial>,
    /// The only model that may have it, by its name in `profiles/models`.
    pub model: Option<String>,
    /// What else the source said.
    pub facts: JobFacts,
    /// What goes where, at least one.
    pub entries: Vec<NewEntry>,
    /// Whether its token may have others meanwhile.
    pub reserve: Reserve,
}

/// Whether a token for which a job is reserved may have jobs of other batches at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserve {
    /// No: what one of them burns, the next would replace.
    Alone,
    /// Yes: the token holds many things, and each job puts others beside them.
    BesideOthers,
}

/// Where an import goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportInto {
    /// A batch that this import makes (draft).
    NewBatch(NewBatch),
    /// The end of a batch that there is and that was not cancelled.
    Batch(String),
    /// No batch: the tokens hold these seeds already. Every job must name its serial.
    Inventory,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportDone {
    /// The batch that has the jobs; `None` for an inventory.
    pub batch: Option<BatchId>,
    /// How many jobs (or delivered tokens) came in.
    pub jobs: usize,
    /// How many seeds.
    pub seeds: usize,
}

/// What a job or seed that is imported again collides with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Existing {
    /// Another job of the same import, by its index from 0.
    SameImport(usize),
    /// A job of this batch.
    Batch(String),
    /// A token with this serial.
    Token(Serial),
}

/// What about a job is on record already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateOf {
    /// The seed for this profile.
    Seed(Profile),
    /// The serial: an open job (or, in an inventory, a mapping) has it.
    Serial,
}

/// One collision that keeps an import out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// Which job of the import, by its index from 0.
    pub job: usize,
    /// What of it.
    pub of: DuplicateOf,
    /// With what.
    pub existing: Existing,
}
