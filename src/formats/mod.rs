//! Seed files: bytes in, values of the domain out, and back ([`out`]). What a file is, is decided by its content: names and
//! extensions lie. A line that can't be read is never dropped in silence, and doesn't hide the ones after it.
//!
//! No message made here holds text from a file, save single characters with their position: in a file whose columns
//! are mixed up, any cell may be a seed.

mod apps;
mod draft;
mod dualshield;
pub mod entra;
pub mod entra_errors;
mod graph;
mod json;
mod migration;
mod oath_csv;
pub mod out;
mod pskc;
mod recognise;
pub mod report;
mod row;
mod seal;
pub mod serial_list;
mod table;
mod text;
mod told;
mod uri_list;
mod whole_file;
mod xml;

pub use oath_csv::DuoType;
pub use recognise::Content;
pub use seal::{Cipher, FileSecret, OpensWith, SealError, SealWith, UnsealError, seal_pskc, sealed, unseal};
pub use told::{BadLine, Field, FileError, JsonFault, Note, NoteKind, Place, Problem, Skipped, XmlFault};
pub(crate) use xml::entity_text;

use crate::domain::{Seed, Serial, Stated, seed_text::Encoding};
use std::{fmt, str::FromStr};

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Entra ID's hardware OATH CSV, six columns; also the vendors' five without the user.
    EntraCsv,
    /// A table with other columns, named in its first line.
    SeedTable,
    /// Okta's fields in a table.
    OktaCsv,
    /// Microsoft Graph's hardware OATH tokens.
    GraphJson,
    /// PSKC, RFC 6030.
    Pskc,
    /// Deepnet's DualShield XML, of tokens whose kind its product code says.
    DualShieldXml,
    /// The same (`tseeds.xml`), of time-based tokens whatever its product code.
    DualShieldTime,
    /// The same (`hseeds.xml`), of counter-based tokens whatever its product code.
    DualShieldCounter,
    /// Deepnet's `tseeds.csv`: serial and seed of time-based tokens.
    DeepnetTime,
    /// Deepnet's `hseeds.csv`: serial and seed of counter-based tokens.
    DeepnetCounter,
    /// privacyIDEA's OATH CSV.
    PrivacyIdeaCsv,
    /// LinOTP's CSV.
    LinOtpCsv,
    /// Lines to be pasted into Duo, of one type.
    Duo(DuoType),
    /// The log of Yubico's tools.
    YubicoCsv,
    /// Key URIs (`otpauth://`), one in each line.
    KeyUriList,
    /// Exports of Google Authenticator, one URI in each line.
    Migration,
    /// An Aegis vault.
    Aegis,
    /// A 2FAS backup.
    TwoFas,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::EntraCsv,
        Self::SeedTable,
        Self::OktaCsv,
        Self::GraphJson,
        Self::Pskc,
        Self::DualShieldXml,
        Self::DualShieldTime,
        Self::DualShieldCounter,
        Self::DeepnetTime,
        Self::DeepnetCounter,
        Self::PrivacyIdeaCsv,
        Self::LinOtpCsv,
        Self::Duo(DuoType::Totp6),
        Self::Duo(DuoType::Totp8),
        Self::Duo(DuoType::Hotp6),
        Self::Duo(DuoType::Hotp8),
        Self::YubicoCsv,
        Self::KeyUriList,
        Self::Migration,
        Self::Aegis,
        Self::TwoFas,
    ];

    /// The word that names it on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::EntraCsv => "entra-csv",
            Self::SeedTable => "table",
            Self::OktaCsv => "okta-csv",
            Self::GraphJson => "graph-json",
            Self::Pskc => "pskc",
            Self::DualShieldXml => "dualshield-xml",
            Self::DualShieldTime => "tseeds-xml",
            Self::DualShieldCounter => "hseeds-xml",
            Self::DeepnetTime => "tseeds",
            Self::DeepnetCounter => "hseeds",
            Self::PrivacyIdeaCsv => "privacyidea-csv",
            Self::LinOtpCsv => "linotp-csv",
            Self::Duo(DuoType::Totp6) => "duo-totp6",
            Self::Duo(DuoType::Totp8) => "duo-totp8",
            Self::Duo(DuoType::Hotp6) => "duo-hotp6",
            Self::Duo(DuoType::Hotp8) => "duo-hotp8",
            Self::YubicoCsv => "yubico-csv",
            Self::KeyUriList => "key-uris",
            Self::Migration => "google-export",
            Self::Aegis => "aegis",
            Self::TwoFas => "twofas",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EntraCsv => "Entra ID CSV",
            Self::SeedTable => "table of seeds",
            Self::OktaCsv => "Okta CSV",
            Self::GraphJson => "Microsoft Graph JSON",
            Self::Pskc => "PSKC container (RFC 6030)",
            Self::DualShieldXml => "DualShield XML",
            Self::DualShieldTime => "DualShield XML (time-based)",
            Self::DualShieldCounter => "DualShield XML (counter-based)",
            Self::DeepnetTime => "Deepnet tseeds.csv",
            Self::DeepnetCounter => "Deepnet hseeds.csv",
            Self::PrivacyIdeaCsv => "privacyIDEA CSV",
            Self::LinOtpCsv => "LinOTP CSV",
            Self::Duo(DuoType::Totp6) => "Duo CSV (TOTP 6)",
            Self::Duo(DuoType::Totp8) => "Duo CSV (TOTP 8)",
            Self::Duo(DuoType::Hotp6) => "Duo CSV (HOTP 6)",
            Self::Duo(DuoType::Hotp8) => "Duo CSV (HOTP 8)",
            Self::YubicoCsv => "Yubico CSV",
            Self::KeyUriList => "list of key URIs",
            Self::Migration => "export of Google Authenticator",
            Self::Aegis => "Aegis vault",
            Self::TwoFas => "2FAS backup",
        })
    }
}

/// A word that names no format. The message says which would.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("kiln reads no format \"{0}\": one of {words} would fit", words = Format::ALL.map(Format::word).join(", "))]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        Self::ALL
            .into_iter()
            .find(|format| format.word().eq_ignore_ascii_case(word.trim()))
            .ok_or_else(|| UnknownFormat(word.chars().take(40).collect()))
    }
}

/// One seed of a file, with all that its line says.
#[derive(Debug)]
pub struct SeedLine {
    /// Where it stands in the file.
    pub place: Place,
    /// The token it belongs to; absent in formats without serials.
    pub serial: Option<Serial>,
    /// The seed.
    pub seed: Seed,
    /// What the line says about the codes.
    pub stated: Stated,
    /// The user principal name.
    pub upn: Option<String>,
    /// Who made the token.
    pub manufacturer: Option<String>,
    /// The token's model, as the file writes it.
    pub model: Option<String>,
    /// The issuer, in key URIs.
    pub issuer: Option<String>,
    /// The account, in key URIs.
    pub account: Option<String>,
}

/// Over this length a seed that stands in a file without a hash may be meant for another one than SHA-1.
const USUAL_SHA1_BYTES: usize = 20;

impl SeedLine {
    /// Whether the hash must be asked for: the file doesn't state it, and the seed is longer than SHA-1's usual 20 bytes,
    /// for which vendors and servers have rules of their own.
    pub fn is_hash_open(&self) -> bool {
        self.stated.hash.is_none() && self.seed.len_bytes() > USUAL_SHA1_BYTES
    }
}

/// What a file holds.
#[derive(Debug)]
pub struct Parsed {
    /// What the file is.
    pub format: Format,
    /// The good lines, in the order of the file.
    pub lines: Vec<SeedLine>,
    /// What is wrong with the others, by line; a line can have several faults.
    pub bad: Vec<BadLine>,
    /// What is odd, and what was taken for granted; those on the whole file first.
    pub notes: Vec<Note>,
}

impl Parsed {
    /// How many lines are bad.
    pub fn bad_lines(&self) -> usize {
        let mut places: Vec<Place> = self.bad.iter().map(|bad| bad.place).collect();
        places.dedup();
        places.len()
    }
}

/// The largest file read: a batch of the largest size, 100,000 tokens, in the longest form that kiln itself writes
/// (encrypted PSKC, some 800 bytes for each).
pub const MAX_FILE_BYTES: usize = 96 << 20;

/// The most lines or entries read, however short they are.
pub const MAX_LINES: usize = 500_000;

/// What the caller knows of a file besides its content.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints<'a> {
    /// The format, where the content is not to decide.
    pub format: Option<Format>,
    /// The columns of a table in order, where its first line doesn't name them: `serial,secret,-,interval`.
    pub columns: Option<&'a str>,
    /// How the seeds of a table are spelled, where its header doesn't say.
    pub encoding: Option<Encoding>,
    /// How many lines may tell of one token.
    pub lines: LinesPerToken,
}

/// How many lines of a file may tell of one token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LinesPerToken {
    /// One; of two with the same serial, neither is taken.
    #[default]
    One,
    /// Several: the caller looks whether they go together.
    Several,
}

/// Reads a seed file: by its content, or as `forced` says. An error is about the file as a whole; what is wrong with
/// single lines is in [`Parsed::bad`].
pub fn parse(bytes: &[u8], forced: Option<Format>) -> Result<Parsed, FileError> {
    parse_with(bytes, &Hints { format: forced, ..Hints::default() })
}

/// [`parse`] with all that a caller may know.
pub fn parse_with(bytes: &[u8], hints: &Hints<'_>) -> Result<Parsed, FileError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(FileError::TooLarge { bytes: bytes.len() });
    }
    if let Some(content) = recognise::binary(bytes) {
        return Err(FileError::Unreadable { content });
    }
    let (text, encoding_note) = text::decode(bytes)?;
    let format = match hints.format {
        Some(format) => format,
        // Columns that a person names make a table of whatever has no header.
        None if hints.columns.is_some() => Format::SeedTable,
        None => recognise::format(&text)?,
    };
    let mut read = match format {
        Format::EntraCsv
        | Format::SeedTable
        | Format::OktaCsv
        | Format::DeepnetTime
        | Format::DeepnetCounter => table::read(&text, format, hints),
        Format::GraphJson => graph::read(&text),
        Format::Pskc => pskc::read(&text),
        Format::DualShieldXml => dualshield::read(&text, dualshield::Kind::ByProduct),
        Format::DualShieldTime => dualshield::read(&text, dualshield::Kind::Time),
        Format::DualShieldCounter => dualshield::read(&text, dualshield::Kind::Counter),
        Format::PrivacyIdeaCsv => oath_csv::privacy_idea(&text),
        Format::LinOtpCsv => oath_csv::linotp(&text),
        Format::Duo(duo) => oath_csv::duo(&text, duo),
        Format::YubicoCsv => oath_csv::yubico(&text),
        Format::KeyUriList => uri_list::read(&text),
        Format::Migration => migration::read(&text),
        Format::Aegis => apps::aegis(&text),
        Format::TwoFas => apps::two_fas(&text),
    }?;
    if read.is_empty() {
        return Err(FileError::NoLines);
    }
    read.notes.extend(encoding_note.map(Note::on_file));
    Ok(whole_file::checked(format, read, hints.lines))
}

/// What a format's reader found, before lines are compared with each other.
#[derive(Default)]
struct Read {
    lines: Vec<SeedLine>,
    bad: Vec<BadLine>,
    notes: Vec<Note>,
    /// The serial of every line that has a readable one, bad lines among them.
    serials: Vec<(Place, Serial)>,
}

impl Read {
    fn is_empty(&self) -> bool {
        self.lines.is_empty()
            && self.bad.is_empty()
            && self.notes.iter().all(|note| !note.kind.stands_alone())
    }

    /// Bounds what a file of very short lines can make of itself.
    fn is_bearable(&self) -> Result<(), FileError> {
        let most = self.lines.len().max(self.bad.len()).max(self.notes.len());
        if most > MAX_LINES { Err(FileError::TooManyLines) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
