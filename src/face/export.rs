//! What goes out: which tokens, as what, checked by whom.

use super::{AuditHead, SecretBytes};
use crate::domain::{Profile, Serial, seed_text::Encoding};
use serde::{Deserialize, Serialize};

/// What to write, of which tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportOptions {
    /// As what.
    pub format: ExportFormat,
    /// Only this batch.
    #[serde(default)]
    pub batch: Option<String>,
    /// Not what was burned, but what the tokens of the inventory were delivered with.
    #[serde(default)]
    pub inventory: bool,
    /// Also tokens that are only *written* where the policy wanted them *seen*.
    #[serde(default)]
    pub unproven: bool,
    /// The one profile of each token that goes out. None: all, or where a serial may stand in the file once only, the
    /// first that the format can carry.
    #[serde(default)]
    pub profile: Option<ProfileChoice>,
    /// The server that will read it, by its target's name. None: the batch's, else the one that the format is of.
    #[serde(default)]
    pub login_target: Option<String>,
    /// What becomes of tokens that the server would refuse, or take for something else.
    #[serde(default)]
    pub on_lint: OnLint,
    /// Write nothing: only say what would be.
    #[serde(default)]
    pub dry_run: bool,
}

impl ExportOptions {
    /// Everything that was burned and is proven.
    pub fn of(format: ExportFormat) -> Self {
        Self {
            format,
            batch: None,
            inventory: false,
            unproven: false,
            profile: None,
            login_target: None,
            on_lint: OnLint::Refuse,
            dry_run: false,
        }
    }
}

/// One profile of each token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileChoice {
    /// By its number.
    Number(Profile),
    /// By what the token's screen calls it.
    Title(String),
}

/// What becomes of tokens that the server would refuse, or take for something else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLint {
    /// Nothing is written, and each is named.
    #[default]
    Refuse,
    /// They stay out, and each is named.
    GoodLinesOnly,
    /// They go in all the same: a person says so by the name of the target.
    Despite(String),
    /// Each is named, for a person who decides then. A look (`dry_run`) alone: else nothing is written, as with `Refuse`.
    Tell,
}

/// What an export is written as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Entra ID's hardware OATH CSV.
    EntraCsv {
        /// Spell the fourth column `timeinterval`, as older pages do.
        old_interval_column: bool,
    },
    /// The body of a bulk upload to Microsoft Graph.
    GraphJson,
    /// Deepnet's DualShield XML.
    DualShieldXml {
        /// Which kind of tokens.
        kind: Clocked,
        /// The manufacturer's code; none: `DN`.
        #[serde(default)]
        manufacturer_code: Option<String>,
        /// The product's code; none: `ST`, which is a time-based one.
        #[serde(default)]
        product_code: Option<String>,
    },
    /// Deepnet's `tseeds.csv` or `hseeds.csv`.
    DeepnetCsv {
        /// Which kind of tokens.
        kind: Clocked,
        /// How seeds are spelled; none: base32 for time-based tokens, hex for counter-based ones.
        #[serde(default)]
        encoding: Option<Encoding>,
    },
    /// PSKC with plain values. The client encrypts them, where the person and the passphrase are.
    Pskc {
        /// Spell hashes so that privacyIDEA understands them.
        for_privacyidea: bool,
    },
    /// privacyIDEA's OATH CSV.
    PrivacyideaCsv,
    /// A table with the fields of Okta's factor call.
    OktaCsv {
        /// How the factor profile spells seeds; none: base32.
        #[serde(default)]
        encoding: Option<Encoding>,
        /// The factor profile's id.
        #[serde(default)]
        factor_profile: Option<String>,
    },
    /// Lines to be pasted into Duo.
    Duo {
        /// Under which type.
        kind: DuoKind,
    },
    /// Key URIs, one in each line.
    KeyUris,
    /// A page of QR codes for print, HTML.
    QrSheet,
    /// For the client, which draws a picture of each: lines of serial, profile and key URI, parted by tabs.
    QrCodes,
    /// Labels for tokens, without seeds.
    Labels {
        /// A QR code of the serial instead of Code 128.
        qr: bool,
        /// An HTML page instead of one SVG document.
        html: bool,
    },
    /// One line for each profile, without seeds.
    Report,
}

impl ExportFormat {
    /// Whether what is written holds seeds.
    pub fn holds_seeds(&self) -> bool {
        match self {
            Self::EntraCsv { .. }
            | Self::GraphJson
            | Self::DualShieldXml { .. }
            | Self::DeepnetCsv { .. }
            | Self::Pskc { .. }
            | Self::PrivacyideaCsv
            | Self::OktaCsv { .. }
            | Self::Duo { .. }
            | Self::KeyUris
            | Self::QrSheet
            | Self::QrCodes => true,
            Self::Labels { .. } | Self::Report => false,
        }
    }
}

/// What moves a token's codes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clocked {
    /// Time.
    Time,
    /// A button.
    Counter,
}

/// The types under which Duo takes pasted lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuoKind {
    /// Time-based, six digits.
    Totp6,
    /// Time-based, eight digits.
    Totp8,
    /// Counter-based, six digits.
    Hotp6,
    /// Counter-based, eight digits.
    Hotp8,
}

/// A file for a server.
#[derive(Debug, Serialize, Deserialize)]
pub struct Exported {
    /// Its bytes; empty for a dry run.
    pub content: SecretBytes,
    /// How many tokens are in it.
    pub tokens: u32,
    /// What was left out and why, a sentence each.
    pub left_out: Vec<String>,
    /// What the format has no place for, and on which lines: a sentence each.
    #[serde(default)]
    pub cannot_carry: Vec<String>,
    /// The server by whose rules it was looked at; none: nobody said, and the format is of no server.
    #[serde(default)]
    pub login_target: Option<String>,
    /// What that server would refuse or take for something else, and goes in on a person's word.
    #[serde(default)]
    pub lint: Vec<ExportLine>,
    /// The head of the audit chain after the export was recorded.
    pub anchor: AuditHead,
}

/// What there is to say about a line of a file that is to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportLine {
    /// The line in words: "line 7", "entry 3".
    pub place: String,
    /// The token.
    pub serial: Serial,
    /// Its profile.
    pub profile: Profile,
    /// The server by whose rules, by its target's name.
    #[serde(default)]
    pub target: String,
    /// What would become of it.
    pub lint: Lint,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl ExportLine {
    /// What would become of it, why, and what to do.
    pub fn words(&self) -> String {
        let lint = match self.lint {
            Lint::Refused => "would be refused",
            Lint::Changed => "would be changed in silence",
        };
        let Self { place, serial, profile, problem, remedy, .. } = self;
        format!("{place} (token {serial}, profile {profile}) {lint}: {problem}; {remedy}")
    }
}

/// What would become of a line at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lint {
    /// It would be refused.
    Refused,
    /// It would be taken for something else without a word.
    Changed,
}
