//! What a station answers.

use super::{
    ActivationCodes, BatchReport, BatchView, ClockView, DriftReport, Examined, Exported, Finding, JobView,
    SecretBytes, SlotView, Snapshot, SweptView, TokenLine, TokenView,
};
use crate::domain::{Policy, Proof, Serial, UnixMillis, UnixTime};
use serde::{Deserialize, Serialize};

/// The answer to a request that was carried out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It is done; there is nothing more to say.
    Done,
    /// To `snapshot` and `subscribe`.
    Snapshot(Box<Snapshot>),
    /// To `holders`.
    Holders(Vec<HolderFile>),
    /// To `keys`.
    Keys(Vec<KeyInfo>),
    /// To `import` and `batch_new`.
    Imported(ImportReport),
    /// To `catalog`.
    Catalog(CatalogView),
    /// To `batches`.
    Batches(Vec<BatchView>),
    /// To `batch_show`, `batch_start`, `batch_pause` and `resync`.
    Batch(Box<BatchDetail>),
    /// To `batch_retry`.
    Retried(Box<Retried>),
    /// To `jobs`.
    Jobs(PageOf<JobView>),
    /// To `swept`.
    Swept(PageOf<SweptView>),
    /// To `tokens`.
    Tokens(PageOf<TokenLine>),
    /// To `drift`.
    Drift(Box<DriftReport>),
    /// To `token`.
    Token(Box<TokenView>),
    /// To `verify`.
    Verdict(Verdict),
    /// To `reveal`.
    Revealed(Revealed),
    /// To `export`.
    Exported(Exported),
    /// To `activation_codes`.
    ActivationCodes(ActivationCodes),
    /// To `batch_report`.
    BatchReport(Box<BatchReport>),
    /// To `diagnose`, `whose` and `when`: the documents that these verbs print with `--json`.
    Findings(serde_json::Value),
    /// To `examine`.
    Examined(Box<Examined>),
    /// To `slots` and `slot_name`.
    Slots(Vec<SlotInfo>),
    /// To `otp_read`.
    Codes(KeyCodes),
    /// To `clock` and `clock_override`.
    Clock(ClockView),
    /// To `audit_verify` and `audit_anchor`.
    AuditHead(AuditHead),
    /// To `audit_show`.
    Audit(PageOf<AuditEntry>),
    /// To `doctor`.
    Doctor(Vec<Finding>),
}

/// What a key on a slot shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCodes {
    /// The key's serial, or what stands in for it.
    pub serial: Serial,
    /// Its model.
    pub model: Option<String>,
    /// The moment for which codes were calculated, by the station's clock.
    pub at: UnixTime,
    /// Its credentials, in the key's order.
    pub codes: Vec<KeyCode>,
}

/// One credential of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCode {
    /// Its whole name.
    pub name: String,
    /// Who checks the code, where the name says so.
    pub issuer: Option<String>,
    /// Whose it is.
    pub account: String,
    /// The period in seconds; none: it counts.
    pub period_s: Option<u32>,
    /// The code; none where the key does not calculate it by itself.
    pub code: Option<String>,
    /// The first second in which the code is no longer the current one.
    pub until: Option<UnixTime>,
    /// Why there is no code: what it takes to get one.
    pub wants: Option<KeyWants>,
}

/// What it takes to get a code that a key does not calculate by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyWants {
    /// A touch.
    Touch,
    /// To be asked for by name: its counter moves on.
    Asking,
}

/// A request that was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Which exit status fits.
    pub kind: FailureKind,
    /// What was tried and what came back.
    pub message: String,
    /// What to do now.
    pub remedy: String,
    /// Several of them: bad lines of a file, duplicates. Each is a sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// What kind of "no".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The answer is no: exit status 1.
    No,
    /// The request makes no sense as asked: exit status 2.
    Usage,
    /// The environment: a locked vault, no pcscd, no permission. Exit status 3.
    Environment,
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageOf<T> {
    /// How many there are in all.
    pub total: u64,
    /// This page's.
    pub items: Vec<T>,
}

/// One holder of the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderFile {
    /// Its name.
    pub name: String,
    /// `passphrase`, `age` or `ssh`.
    pub kind: String,
    /// The public half (age recipient or SSH public key); none for a passphrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The age file that holds the data key for this holder: base64. Not a secret by itself; as strong as what opens
    /// it.
    pub file: String,
}

/// A customer key, without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// Its name.
    pub name: String,
    /// The first bytes of a keyed hash: tells two keys apart and nothing more.
    pub fingerprint: String,
    /// Since when.
    pub added: UnixMillis,
}

/// What an import did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The format that was recognised.
    pub format: String,
    /// The new batch, where there is one.
    pub batch: Option<String>,
    /// How many lines, or tokens, were taken.
    pub taken: u32,
    /// How many were left out.
    pub left_out: u32,
    /// How many jobs came of it.
    pub jobs: u32,
    /// Serials that the file should hold and doesn't.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Serial>,
    /// One for each line with something to say.
    pub lines: Vec<ImportLine>,
    /// What holds for the whole file.
    pub notes: Vec<String>,
}

/// What there is to say about a line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportLine {
    /// The line, counted from 1 with the header, or the entry of a document.
    pub line: u32,
    /// The same in words: "line 7", "entry 3", "part 2".
    #[serde(default)]
    pub place: String,
    /// The column.
    pub field: Option<String>,
    /// What is wrong or odd.
    pub problem: String,
    /// What to do.
    pub remedy: String,
    /// Whether the line was left out for it.
    pub refused: bool,
}

/// Models, recipes and targets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogView {
    /// Kinds of tokens.
    pub models: Vec<Named>,
    /// What batches put on them.
    pub recipes: Vec<RecipeView>,
    /// Servers that check codes.
    pub targets: Vec<Named>,
}

/// An item of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// By which commands name it.
    pub name: String,
    /// As people call it.
    pub label: String,
}

/// A recipe, as far as it has to be known to choose it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipeView {
    /// Name and label.
    #[serde(flatten)]
    pub named: Named,
    /// The models it serves, by name.
    pub models: Vec<String>,
    /// How many profiles it fills.
    pub profiles: u32,
    /// Whether it wants a seed from a file; else all of its seeds are random.
    pub wants_file: bool,
}

/// What enrols one profile of a token elsewhere.
#[derive(Debug, Serialize, Deserialize)]
pub struct Revealed {
    /// The key URI (`otpauth://…`). It holds the seed.
    pub key_uri: SecretBytes,
}

/// A batch with what it allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchDetail {
    /// The summary.
    #[serde(flatten)]
    pub batch: BatchView,
    /// What it allows.
    pub policy: Policy,
    /// The recipe.
    pub recipe: Option<String>,
    /// The login server's target.
    pub login_target: Option<String>,
    /// The customer key's name.
    pub key: Option<String>,
    /// The file it came from.
    pub source: Option<Source>,
}

/// What came of putting the failed jobs of a batch back. Lists begin with the first jobs; `total` counts all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retried {
    /// The batch as it is now.
    #[serde(flatten)]
    pub batch: BatchDetail,
    /// Those that are in the queue again, as they stood before: failed, on which token, and why.
    pub put_back: PageOf<JobView>,
    /// Those that were left, since each goes on with its own token only, which may hold its seed.
    pub unfinished: PageOf<JobView>,
}

/// The file that a batch came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its name, without its folder.
    pub name: String,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
}

/// A slot, and the reader that it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlotInfo {
    /// What the slot shows, with its name.
    #[serde(flatten)]
    pub view: SlotView,
    /// The reader, as PC/SC lists it.
    pub reader: String,
}

/// What came of a code that a person typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether every code is right.
    pub right: bool,
    /// How many steps the last right one lies from the token's own step (from the station's, where the token's clock
    /// was never read).
    pub steps_off: Option<i64>,
    /// The window that was searched, in steps either way; of a counter-based token, in counts ahead.
    pub window: u32,
    /// The counter of the next code that is now on record; of counter-based tokens only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_counter: Option<u64>,
    /// The proof now on record.
    pub proof: Option<Proof>,
    /// A sentence for the operator.
    pub advice: String,
    /// Why a wrong code is wrong: the document that `diagnose` answers with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Box<serde_json::Value>>,
}

/// Where the audit chain ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// How many entries.
    pub entries: u64,
    /// Hash of the last one, hex.
    pub hash: String,
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its number, from 1.
    pub seq: u64,
    /// When.
    pub at: UnixMillis,
    /// Who.
    pub who: String,
    /// What.
    pub what: String,
    /// Which token.
    pub serial: Option<String>,
    /// What the station's clock was worth.
    pub clock: String,
    /// The rest, as JSON.
    pub detail: String,
    /// Its hash, hex.
    pub hash: String,
}
