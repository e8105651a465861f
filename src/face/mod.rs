//! What clients of a station see and say: commands and their replies, the snapshot, events. Both the socket and the
//! `--json` output of the verbs are made of these types and of nothing else; wording belongs to `cli` and `tui`.
//!
//! The socket carries one JSON object a line ([`ToServer`], [`ToClient`]). The server speaks first, with a
//! [`Greeting`]. A client asks with numbered requests and gets one reply for each, in any order. After
//! [`Command::Subscribe`] it gets the [`Snapshot`] as the reply and from then on numbered events; one that was too
//! slow gets [`ToClient::Lagged`], then no more events until it subscribes again.
//!
//! Secrets cross it only inside [`SecretBytes`].

mod activation;
mod batch_report;
mod command;
mod drift;
mod event;
mod examine;
mod export;
mod finding;
mod reply;
mod secret;
mod view;

pub use crate::domain::{JobCounts, ProofCounts, SweptCounts};
pub use activation::{
    ActivationAsk, ActivationCode, ActivationCodes, ActivationRecord, COMPUTED_PROVES_LITTLE,
};
pub use batch_report::{BatchReport, ReportedJob, ReportedProfile, Sums};
pub use command::{
    BatchPolicy, Command, Consent, ImportOptions, ImportTarget, JobFilter, MadeFor, NewBatch, NewSweep, Page,
    User,
};
pub use drift::{
    ClockCourse, ClockEvent, DriftFilter, DriftLine, DriftReport, FitPoint, Fleet, ModelRate, OddBatch,
    Ranged, RateBin, RateBy,
};
pub use event::{DeviceState, Event, Numbered};
pub use examine::{Examined, Lead, SeenCode, ShownRow};
pub use export::{
    Clocked, DuoKind, ExportFormat, ExportLine, ExportOptions, Exported, Lint, OnLint, ProfileChoice,
};
pub use finding::{Check, Finding, Health, Side};
pub use reply::{
    AuditEntry, AuditHead, BatchDetail, CatalogView, Failure, FailureKind, HolderFile, ImportLine,
    ImportReport, KeyCode, KeyCodes, KeyInfo, KeyWants, Named, PageOf, RecipeView, Reply, Retried, Revealed,
    SlotInfo, Source, Verdict,
};
pub use secret::SecretBytes;
pub use view::{
    Alarm, BatchView, ClockView, Doing, JobView, MappingView, ReadingView, ResyncView, SlotView, Snapshot,
    SweepView, SweptView, TokenLine, TokenView, VaultState, Who,
};

use serde::{Deserialize, Serialize};

/// Version of what this module describes. A client and a server that differ in it don't talk.
pub const PROTOCOL: u32 = 1;

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May look.
    Observer,
    /// May look and act.
    Operator,
}

impl Role {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Observer => "observer",
            Self::Operator => "operator",
        }
    }
}

/// The server's first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// [`PROTOCOL`] of the server.
    pub protocol: u32,
    /// Version of the server's kiln.
    pub version: String,
    /// What the server allows this caller, from the peer credentials of the connection.
    pub role: Role,
    /// Whether the station is a demonstration on virtual tokens.
    pub demo: bool,
}

/// A line from a client.
#[derive(Debug, Serialize, Deserialize)]
pub struct ToServer {
    /// Chosen by the client, from 1; comes back with the reply. The answer to a line whose number couldn't be read
    /// carries 0.
    pub id: u64,
    /// The role to ask in. The server allows no more than its greeting said; a client may ask for less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What is asked.
    pub command: Command,
}

/// A line from the server.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToClient {
    /// First, once.
    Greeting(Greeting),
    /// Instead of a greeting: this caller may not come in. Nothing follows.
    Refused(Failure),
    /// The answer to one request.
    Reply {
        /// The request's number.
        id: u64,
        /// What came of it.
        result: Result<Reply, Failure>,
    },
    /// To subscribers.
    Event(Numbered),
    /// Events were dropped for this client, and none follow: subscribe again.
    Lagged {
        /// How many.
        missed: u64,
    },
}
