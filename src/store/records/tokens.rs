//! Tokens and seeds on record: what a token holds and held.

use super::{
    EndedBy, JobFacts, JobId, JobRecord, LentFrom, MappingOrigin, ProofRecord, ReadingRecord, SeedOrigin,
    SeedState,
};
use crate::{
    domain::{Parameters, Profile, Proof, SeedId, Serial, UnixMillis},
    vault::{Fingerprint, Sealed},
};

/// Which seed and parameters a profile of a token holds or held, and since and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingRecord {
    /// Which token.
    pub serial: Serial,
    /// Its model, where known.
    pub model: Option<String>,
    /// Where on it.
    pub profile: Profile,
    /// Which seed.
    pub seed: SeedId,
    /// What the codes are made with besides the seed.
    pub parameters: Parameters,
    /// What the token's screen calls it.
    pub title: Option<String>,
    /// Burned here, or delivered so.
    pub origin: MappingOrigin,
    /// What else the source said, the user's name among it.
    pub facts: JobFacts,
    /// The job that burned it.
    pub job: Option<JobId>,
    /// That job's batch, by name.
    pub batch: Option<String>,
    /// Since when.
    pub since: UnixMillis,
    /// Until when, and why not longer; `None` while the token holds it.
    pub ended: Option<(UnixMillis, EndedBy)>,
    /// How sure it is; `None` for a delivered one that nobody has tried.
    pub proof: Option<ProofRecord>,
    /// Whether a person should type the code from the display of this token.
    pub wants_eyes: bool,
}

/// A seed on record, still sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedRecord {
    /// Its name.
    pub id: SeedId,
    /// The seed, sealed under the vault's data key and this id.
    pub sealed: Sealed,
    /// Tells equal seeds without opening them.
    pub fingerprint: Fingerprint,
    /// How many bytes it has.
    pub len_bytes: u32,
    /// Where it came from.
    pub origin: SeedOrigin,
    /// What it is doing.
    pub state: SeedState,
    /// The one serial that may hold it.
    pub bound_to: Option<Serial>,
}

/// A token on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenLine {
    /// Its serial.
    pub serial: Serial,
    /// Its model, where known.
    pub model: Option<String>,
    /// When it was first on record.
    pub first_seen: UnixMillis,
    /// When it was last on record.
    pub last_seen: UnixMillis,
    /// When a person said that it is dead.
    pub scrapped_at: Option<UnixMillis>,
    /// How many profiles hold a seed on record.
    pub profiles: u32,
    /// The weakest proof among them; `None` where nothing is proven.
    pub proof: Option<Proof>,
    /// Whose it is, by the first profile that says so.
    pub upn: Option<String>,
    /// The batch of its last job.
    pub batch: Option<String>,
}

/// All that is on record about a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// In short.
    pub line: TokenLine,
    /// What it holds now, by profile.
    pub holdings: Vec<MappingRecord>,
    /// What it held before, latest first.
    pub history: Vec<MappingRecord>,
    /// Its clock, latest first.
    pub readings: Vec<ReadingRecord>,
    /// When its clock was set without a burn, latest first.
    pub clock_set: Vec<UnixMillis>,
    /// Jobs that are reserved for it or were burned onto it, latest first.
    pub jobs: Vec<JobRecord>,
}

/// A serial that a token could not tell itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LentSerial {
    /// What the token goes by from now on.
    pub serial: Serial,
    /// Where that came from.
    pub from: LentFrom,
}

/// Which tokens are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenFilter {
    /// Only those with each of these words somewhere in serial, model, titles, user's name, batch or state (of the last
    /// job, of the proofs, `scrapped`), in any case.
    pub text: Option<String>,
}

/// What becomes of a dead token's imported seeds. Generated ones are always retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportedSeeds {
    /// They stay bound to the dead serial; nothing else may use them.
    Hold,
    /// On a person's word: they go back to the end of their batch, for whichever token comes.
    Release,
}

/// What scrapping did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scrapped {
    /// Jobs that ended.
    pub jobs: Vec<JobId>,
    /// Seeds that nobody will use again.
    pub retired: u32,
    /// Imported seeds that wait for a person's word.
    pub held: u32,
    /// New jobs for released seeds.
    pub requeued: Vec<JobId>,
}
