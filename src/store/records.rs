//! What goes into the store and comes out of it: plain values, with no row or statement in sight.
//!
//! Moments are the station's, in milliseconds; they are handed in with each act by a [`Stamp`].

use crate::{
    domain::{
        ClockSetBy, ClockState, JobState, Parameters, Policy, Profile, Proof, ReadingKind, SeedId,
        SeenPolicy, Serial, SlotName, Touch, UnixMillis,
    },
    vault::{Fingerprint, HolderKind, Sealed},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

row_id!(
    /// Names a batch within one store, for as long as the store lives.
    BatchId
);
row_id!(
    /// Names a job within one store; lower ones were imported earlier.
    JobId
);
row_id!(
    /// Names one try to authenticate.
    AttemptId
);
row_id!(
    /// Names one permission to burn in spite of the station's clock.
    OverrideId
);

row_id!(
    /// Names an alarm within one store; lower ones were raised earlier.
    AlarmId
);

/// A closed set of words, the same on screen, in JSON and in the database.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every one, in the order in which lists show them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// One lower-case word, the same on screen, in JSON and in the database.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The one that `word` names.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    };
}
pub(super) use words;

words!(
    /// Where a batch stands.
    BatchState {
        /// Imported or being put together; nothing of it is burned yet.
        Draft = "draft",
        /// Tokens that are put down get its jobs.
        Running = "running",
        /// Held, by a person or by the station after failures; see the reason.
        Paused = "paused",
        /// No job of it is open any more.
        Done = "done",
        /// Called off by a person.
        Cancelled = "cancelled",
    }
);

words!(
    /// Where a seed came from, which decides what becomes of it when its token dies.
    SeedOrigin {
        /// It was in a file: some server may know it already.
        Imported = "imported",
        /// kiln made it: nobody knows it but this store.
        Generated = "generated",
    }
);

words!(
    /// What a seed is doing.
    SeedState {
        /// On record, on no token, bound to none.
        Free = "free",
        /// Bound to one serial, which may hold it by now.
        Bound = "bound",
        /// Held by the token with the bound serial.
        OnToken = "on-token",
        /// Was on a token and is not any more; never used again.
        Retired = "retired",
        /// Its job was called off before anything was written; the same seed may be imported again.
        Dropped = "dropped",
    }
);

words!(
    /// How a seed came to be on a token.
    MappingOrigin {
        /// kiln burned it.
        Burned = "burned",
        /// The vendor's file says that the token was delivered with it.
        Delivered = "delivered",
    }
);

words!(
    /// Where a serial came from that a token could not tell.
    LentFrom {
        /// A person read it from the token, or gave it one.
        Given = "given",
        /// The station drew it.
        Random = "random",
    }
);

words!(
    /// What ended a mapping.
    EndedBy {
        /// Another burn of the same profile.
        Replaced = "replaced",
        /// The token died.
        Scrapped = "scrapped",
        /// The token was reset to its factory state.
        Reset = "reset",
    }
);

words!(
    /// How one try to authenticate went.
    AttemptOutcome {
        /// Recorded before the key was shown to the token; no answer is recorded yet.
        Made = "made",
        /// The token took the key.
        Accepted = "accepted",
        /// The token refused it.
        Refused = "refused",
        /// The link was lost, or the station stopped: the token may have counted it.
        Unknown = "unknown",
        /// The link was lost before the answer to the challenge left: the token can't have counted anything.
        NotMade = "not made",
    }
);

words!(
    /// What a person can allow for one token, once.
    ConsentTo {
        /// Write over a seed that is on record here.
        ReplaceOurs = "replace-ours",
        /// Write over a seed that somebody else put there.
        ReplaceForeign = "replace-foreign",
        /// Write over what the token was delivered with.
        ReplaceFactory = "replace-factory",
        /// Authenticate once more, though earlier tries were refused or never answered.
        AnotherAttempt = "another-attempt",
        /// Reset the token to its factory state.
        FactoryReset = "factory-reset",
        /// Replace the customer key.
        KeyChange = "key-change",
    }
);

/// A key that is about to be shown to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// Which key.
    pub key: Fingerprint,
    /// What allows it.
    pub by: TrialBy,
}

/// What allows a key to be shown to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialBy {
    /// Nothing on record speaks against it.
    Record,
    /// A person's word, which the attempt uses up ([`ConsentTo::AnotherAttempt`]).
    Consent,
}

/// Who does something, when, and what the station's clock was worth: the head of every audit entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The moment, by the station's clock.
    pub now: UnixMillis,
    /// The person, or `station` where nobody asked.
    pub who: String,
    /// What was known of that clock.
    pub clock: ClockState,
}

impl Stamp {
    /// What `who` does at `now`.
    pub fn new(now: UnixMillis, who: impl Into<String>, clock: ClockState) -> Self {
        Self { now, who: who.into(), clock }
    }
}

/// Which part of a long list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many to skip.
    pub offset: u64,
    /// How many at most to return.
    pub limit: u32,
}

impl Page {
    /// The beginning of a list.
    pub fn first(limit: u32) -> Self {
        Self { offset: 0, limit }
    }
}

/// One page of a list, and how long the whole list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The page.
    pub items: Vec<T>,
    /// How many there are on all pages.
    pub total: u64,
}

/// A person or key that can open the vault. The file is opened by the client, never here.
#[derive(Clone, PartialEq, Eq)]
pub struct Holder {
    /// What people call it; unique in a store.
    pub name: String,
    /// What opens the file.
    pub kind: HolderKind,
    /// The public half (age recipient or SSH public key); `None` for a passphrase.
    pub recipient: Option<String>,
    /// The age file of the data key.
    pub file: Vec<u8>,
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Holder({:?}, {}, {} bytes)", self.name, self.kind, self.file.len())
    }
}

/// A customer key on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// What people call it; unique in a store.
    pub name: String,
    /// The key, sealed under the vault's data key and this name.
    pub sealed: Sealed,
    /// Tells equal keys without opening them.
    pub fingerprint: Fingerprint,
    /// Since when it is on record.
    pub added_at: UnixMillis,
    /// Who added it.
    pub added_by: String,
}

/// A file that seeds came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its name, without its folder.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

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

/// How many jobs of a batch stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
    pub fn of(&self, state: JobState) -> u64 {
        match state {
            JobState::Queued => self.queued,
            JobState::Claimed => self.claimed,
            JobState::Unfinished => self.unfinished,
            JobState::Burned => self.burned,
            JobState::Failed => self.failed,
            JobState::Scrapped => self.scrapped,
            JobState::Cancelled => self.cancelled,
        }
    }

    pub(super) fn of_mut(&mut self, state: JobState) -> &mut u64 {
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
    pub fn total(&self) -> u64 {
        JobState::ALL.into_iter().map(|state| self.of(state)).sum()
    }
}

/// How many burned tokens of a batch are proven how well: each by the weakest proof among its profiles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProofCounts {
    /// The device said yes.
    pub written: u64,
    /// Parameters were read back.
    pub read_back: u64,
    /// The device computed the right code.
    pub computed: u64,
    /// A person typed the right code.
    pub seen: u64,
}

impl ProofCounts {
    /// How many are proven by `proof`.
    pub fn of(&self, proof: Proof) -> u64 {
        match proof {
            Proof::Written => self.written,
            Proof::ReadBack => self.read_back,
            Proof::Computed => self.computed,
            Proof::Seen => self.seen,
        }
    }

    pub(super) fn of_mut(&mut self, proof: Proof) -> &mut u64 {
        match proof {
            Proof::Written => &mut self.written,
            Proof::ReadBack => &mut self.read_back,
            Proof::Computed => &mut self.computed,
            Proof::Seen => &mut self.seen,
        }
    }
}

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
    /// How many of those a person should still prove.
    pub waiting_for_eyes: u64,
    /// Of which tokens it sets the clocks, and how far it is; `None` for a batch that burns.
    pub sweep: Option<(super::Sweep, super::SweptCounts)>,
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

/// What an alarm is about: when that is over, so is the alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlarmAbout {
    /// What lies on the reader of this name.
    Reader(String),
    /// A job that did not come to its end.
    Job(JobId),
    /// A batch that was paused.
    Batch(BatchId),
    /// The readers' service, or the way to it.
    Service,
}

/// Something that wants a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmRecord {
    /// Its number.
    pub id: AlarmId,
    /// Since when.
    pub at: UnixMillis,
    /// What happened.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// Where.
    pub slot: Option<SlotName>,
    /// What it is about.
    pub about: AlarmAbout,
}

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

/// Permission to burn in spite of the station's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockOverride {
    /// Its row.
    pub id: OverrideId,
    /// From when.
    pub since: UnixMillis,
    /// Until when.
    pub until: UnixMillis,
    /// Who gave it.
    pub who: String,
}

/// One entry of the audit log, as stored: text that is hashed, so it is kept letter by letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number, from 1 without gaps.
    pub seq: u64,
    /// When, by the station's clock.
    pub at: UnixMillis,
    /// Who.
    pub who: String,
    /// What, in one word or two ("job claimed").
    pub what: String,
    /// Which token, if any.
    pub serial: Option<String>,
    /// What the station's clock was worth, in words.
    pub clock: String,
    /// The rest, a JSON object.
    pub detail: String,
    /// The hash of the entry before; zeros for the first.
    pub previous: [u8; 32],
    /// SHA-256 over all of the above.
    pub hash: [u8; 32],
}

/// The end of the audit chain, to be kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// The number of the last entry; 0 for an empty log.
    pub seq: u64,
    /// Its hash; zeros for an empty log.
    pub hash: [u8; 32],
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, data_encoding::HEXLOWER.encode(&self.hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_their_values() {
        assert!(BatchState::ALL.iter().all(|s| BatchState::from_word(s.word()) == Some(*s)));
        assert!(SeedState::ALL.iter().all(|s| SeedState::from_word(s.word()) == Some(*s)));
        assert_eq!(SeedState::from_word("on-token"), Some(SeedState::OnToken));
        assert_eq!(ConsentTo::from_word("on-token"), None);
    }
}
