//! What goes into the store and comes out of it: plain values, with no row or statement in sight.
//!
//! Moments are the station's, in milliseconds; they are handed in with each act by a [`Stamp`].

mod batches;
mod burns;
mod imports;
mod tokens;
mod words;

pub use batches::*;
pub use burns::*;
pub use imports::*;
pub use tokens::*;
pub use words::*;

use crate::{
    domain::{ClockState, SlotName, UnixMillis},
    vault::{Fingerprint, HolderKind, Sealed},
};
use std::fmt;

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
