//! Seed files on their way out: values of the domain in, a file of the server's own format out.
//!
//! Three questions are asked of each row before there is a file. [`Output::against`]: would the file make the server
//! compute other codes than the token shows, or refuse the line? Such a row can't go in. [`Output::losses`]: what of it
//! has no place in the format, though the codes come out right once the server is told by other means? [`Output::write`]
//! then writes all rows, or none.
//!
//! What is written is read back by this module's readers to equal values; tests ask that of every format. The layouts
//! are those that the readers are made for (`seed-files` in the documentation of each reader).

mod deepnet;
pub mod label;
mod pskc;
pub mod qr_sheet;
mod tables;
mod told;

pub use deepnet::DualShieldCodes;
pub use pskc::SuiteSpelling;
pub use told::{CannotCarry, Loss, Reason};

use super::{
    DuoType, Format, Place,
    dualshield::TIME_BASED_PRODUCT,
    entra::{self, EntraRow, SpellingOfInterval},
};
use crate::domain::{
    Digits, Hash, Mode, Parameters, Period, Profile, Seed, Serial, UnixTime,
    key_uri::KeyUri,
    seed_text::{self, Encoding},
};
use std::fmt;
use zeroize::Zeroizing;

/// What one profile of one token holds, with all that is known of it.
#[derive(Debug, Clone, Copy)]
pub struct OutRow<'a> {
    /// The token.
    pub serial: &'a Serial,
    /// Which of its profiles.
    pub profile: Profile,
    /// What the token's screen calls it.
    pub title: Option<&'a str>,
    /// The seed.
    pub seed: &'a Seed,
    /// What the codes are made with besides.
    pub parameters: Parameters,
    /// The user principal name.
    pub upn: Option<&'a str>,
    /// The issuer, as key URIs have it.
    pub issuer: Option<&'a str>,
    /// The account, as key URIs have it.
    pub account: Option<&'a str>,
    /// Who made the token.
    pub manufacturer: &'a str,
    /// Its model, as people call it.
    pub model: &'a str,
}

impl<'a> OutRow<'a> {
    /// Whose it is, in the best words there are.
    pub fn user(&self) -> Option<&'a str> {
        self.upn.or(self.account)
    }

    /// The key URI that enrols it in another place. Who has no account goes by the token's serial.
    pub fn key_uri(&self) -> Zeroizing<String> {
        let account = self.account.or(self.upn).unwrap_or(self.serial.as_str());
        KeyUri::new(self.issuer, account, self.seed.duplicate(), self.parameters).to_uri()
    }

    /// Every text that a file may carry.
    fn texts(&self) -> [&'a str; 7] {
        let known = |text: Option<&'a str>| text.unwrap_or("");
        [
            self.serial.as_str(),
            known(self.title),
            known(self.upn),
            known(self.issuer),
            known(self.account),
            self.manufacturer,
            self.model,
        ]
    }

    fn is_counter_based(&self) -> bool {
        matches!(self.parameters.mode, Mode::Hotp { .. })
    }
}

/// A format that is written, with the choices that it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Entra ID's hardware OATH CSV.
    EntraCsv(SpellingOfInterval),
    /// The body of a bulk upload to Microsoft Graph's hardware OATH tokens.
    GraphJson,
    /// Deepnet's DualShield XML (`tseeds.xml`, `hseeds.xml`): serial and hex seed.
    DualShieldXml(DualShieldCodes),
    /// Deepnet's `tseeds.csv` or `hseeds.csv`: serial and seed, no header.
    DeepnetCsv {
        /// Which of the two.
        kind: DeepnetKind,
        /// How the seeds are spelled.
        encoding: Encoding,
    },
    /// PSKC, RFC 6030, with plain values; [`seal_pskc`](super::seal_pskc) encrypts them.
    Pskc(SuiteSpelling),
    /// privacyIDEA's OATH CSV.
    PrivacyIdeaCsv,
    /// The fields of Okta's factor call as a table.
    OktaCsv {
        /// As the factor profile has it.
        encoding: Encoding,
        /// The factor profile's id; none leaves the column empty.
        factor_profile: Option<String>,
    },
    /// Lines to be pasted into Duo under one type.
    Duo(DuoType),
    /// Key URIs, one in each line.
    KeyUriList,
    /// A page of QR codes to be printed; HTML that stands alone.
    QrSheet,
    /// For whoever draws QR codes itself: lines of serial, profile and key URI, parted by tabs.
    QrLines,
}

/// Which of Deepnet's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeepnetKind {
    /// Time-based tokens.
    Time,
    /// Counter-based tokens.
    Counter,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EntraCsv(_) => "Entra ID's CSV",
            Self::GraphJson => "Microsoft Graph's JSON",
            Self::DualShieldXml(_) => "DualShield's XML",
            Self::DeepnetCsv { kind: DeepnetKind::Time, .. } => "tseeds.csv",
            Self::DeepnetCsv { kind: DeepnetKind::Counter, .. } => "hseeds.csv",
            Self::Pskc(_) => "PSKC",
            Self::PrivacyIdeaCsv => "privacyIDEA's CSV",
            Self::OktaCsv { .. } => "Okta's table",
            Self::Duo(DuoType::Totp6) => "Duo's form for TOTP 6",
            Self::Duo(DuoType::Totp8) => "Duo's form for TOTP 8",
            Self::Duo(DuoType::Hotp6) => "Duo's form for HOTP 6",
            Self::Duo(DuoType::Hotp8) => "Duo's form for HOTP 8",
            Self::KeyUriList => "a key URI",
            Self::QrSheet | Self::QrLines => "a QR code",
        })
    }
}

impl Output {
    /// Whether a serial may stand in the file once only. A server would refuse the second line, or (privacyIDEA) put it
    /// over the first.
    pub fn takes_serial_once(&self) -> bool {
        !matches!(self, Self::KeyUriList | Self::QrSheet | Self::QrLines)
    }

    /// Whether the hash stands in the file. Where it doesn't, the server takes some hash for granted.
    pub fn states_hash(&self) -> bool {
        matches!(
            self,
            Self::GraphJson
                | Self::Pskc(_)
                | Self::OktaCsv { .. }
                | Self::KeyUriList
                | Self::QrSheet
                | Self::QrLines
        )
    }

    /// The format by which it is read again; none for what is for people's eyes.
    pub fn reads_as(&self) -> Option<Format> {
        Some(match self {
            Self::EntraCsv(_) => Format::EntraCsv,
            Self::GraphJson => Format::GraphJson,
            // The file itself says so only where its product code is public.
            Self::DualShieldXml(codes) => match codes.kind {
                DeepnetKind::Counter => Format::DualShieldCounter,
                DeepnetKind::Time if codes.product == TIME_BASED_PRODUCT => Format::DualShieldXml,
                DeepnetKind::Time => Format::DualShieldTime,
            },
            Self::DeepnetCsv { kind: DeepnetKind::Time, .. } => Format::DeepnetTime,
            Self::DeepnetCsv { kind: DeepnetKind::Counter, .. } => Format::DeepnetCounter,
            Self::Pskc(_) => Format::Pskc,
            Self::PrivacyIdeaCsv => Format::PrivacyIdeaCsv,
            Self::OktaCsv { .. } => Format::OktaCsv,
            Self::Duo(duo) => Format::Duo(*duo),
            Self::KeyUriList => Format::KeyUriList,
            Self::QrSheet | Self::QrLines => return None,
        })
    }

    /// Where the row with this index stands in the file.
    pub fn place(&self, index: usize) -> Place {
        let number = u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1);
        match self {
            // Below a header.
            Self::EntraCsv(_) | Self::OktaCsv { .. } => Place::Line(number.saturating_add(1)),
            Self::DeepnetCsv { .. } | Self::PrivacyIdeaCsv | Self::Duo(_) | Self::KeyUriList => {
                Place::Line(number)
            }
            Self::GraphJson | Self::DualShieldXml(_) | Self::Pskc(_) | Self::QrSheet | Self::QrLines => {
                Place::Entry(number)
            }
        }
    }

    /// Why this row can't go into such a file; empty where it can.
    pub fn against(&self, row: &OutRow<'_>) -> Vec<CannotCarry> {
        let Parameters { hash, digits, mode } = row.parameters;
        let mut reasons = Vec::new();
        if row.texts().iter().any(|text| text.chars().any(char::is_control)) {
            reasons.push(Reason::ControlCharacter);
        }
        match mode {
            Mode::Totp { t0, .. } if t0 != UnixTime(0) && !self.carries_t0() => {
                reasons.push(Reason::StartTime(t0));
            }
            Mode::Totp { .. } | Mode::Hotp { .. } => {}
        }
        match self {
            // It has reasons of its own, in words that its portal uses.
            Self::EntraCsv(_) => {
                reasons = entra::reasons_against(&entra_row(row)).into_iter().map(Reason::Entra).collect()
            }
            Self::GraphJson => {
                let period = mode_period(mode);
                reasons.extend(row.is_counter_based().then_some(Reason::CounterBased));
                reasons.extend((hash == Hash::Sha512).then_some(Reason::Hash(hash)));
                reasons.extend((digits != Digits::SIX).then_some(Reason::Digits(digits)));
                reasons.extend(
                    period.filter(|p| ![Period::THIRTY, Period::SIXTY].contains(p)).map(Reason::Period),
                );
            }
            Self::DualShieldXml(codes) => reasons.extend(kind_misfit(codes.kind, row)),
            Self::DeepnetCsv { kind, .. } => reasons.extend(kind_misfit(*kind, row)),
            Self::PrivacyIdeaCsv => {
                let taken = tables::hash_by_length(row.seed.len_bytes());
                reasons.extend(
                    (taken != Some(hash))
                        .then(|| Reason::HashByLength { seed_len_bytes: row.seed.len_bytes(), hash }),
                );
            }
            Self::OktaCsv { .. } => {
                reasons.extend(row.is_counter_based().then_some(Reason::CounterBased));
                let formula = row.user().is_some_and(super::draft::starts_formula);
                reasons.extend(formula.then_some(Reason::Formula));
            }
            Self::Duo(duo) => {
                let counts = matches!(duo, DuoType::Hotp6 | DuoType::Hotp8);
                reasons
                    .extend(kind_misfit(if counts { DeepnetKind::Counter } else { DeepnetKind::Time }, row));
                reasons.extend((hash != Hash::Sha1).then_some(Reason::Hash(hash)));
                reasons.extend((digits != duo.digits()).then_some(Reason::Digits(digits)));
            }
            Self::QrSheet | Self::QrLines => {
                reasons.extend(qr_sheet::modules(row).is_none().then_some(Reason::TooLongForQr));
            }
            Self::Pskc(_) | Self::KeyUriList => {}
        }
        let carry = |reason| CannotCarry { format: self.to_string(), reason };
        reasons.into_iter().map(carry).collect()
    }

    /// What of this row has no place in such a file.
    pub fn losses(&self, row: &OutRow<'_>) -> Vec<Loss> {
        let Parameters { hash, digits, mode } = row.parameters;
        let period = mode_period(mode);
        let mut losses = Vec::new();
        let mut lose = |condition: bool, loss| {
            if condition {
                losses.push(loss);
            }
        };
        let has_title = row.title.is_some_and(|title| !title.is_empty());
        match self {
            Self::EntraCsv(_) => {
                lose(has_title, Loss::Title);
                lose(row.upn.is_none() && row.account.is_some(), Loss::Account);
            }
            Self::GraphJson => {
                lose(has_title && row.account.is_some(), Loss::Title);
                lose(row.upn.is_some(), Loss::GraphUser);
            }
            Self::DualShieldXml(_) | Self::DeepnetCsv { .. } => {
                let says_kind = !matches!(self, Self::DualShieldXml(_)) || !row.is_counter_based();
                lose(!says_kind, Loss::Kind);
                lose(hash != Hash::Sha1, Loss::Hash);
                lose(digits != Digits::SIX, Loss::Digits);
                lose(period.is_some_and(|period| period != Period::THIRTY), Loss::Period);
                lose(matches!(mode, Mode::Hotp { counter } if counter != 0), Loss::Counter);
                lose(has_title, Loss::Title);
                lose(row.user().is_some(), Loss::User);
            }
            Self::Pskc(_) => {
                lose(has_title && row.account.is_some(), Loss::Title);
            }
            Self::PrivacyIdeaCsv | Self::Duo(_) => {
                lose(has_title, Loss::Title);
                lose(row.user().is_some(), Loss::User);
            }
            Self::OktaCsv { .. } => {
                lose(has_title, Loss::Title);
                lose(row.user().is_none(), Loss::NoUser);
            }
            Self::KeyUriList => {
                lose(has_title, Loss::Title);
                lose(true, Loss::Serial);
                lose(
                    row.upn.is_some_and(|upn| row.account.is_some_and(|account| account != upn)),
                    Loss::User,
                );
            }
            Self::QrSheet | Self::QrLines => {}
        }
        if self.carries_t0() {
            let t0 = matches!(mode, Mode::Totp { t0, .. } if t0 != UnixTime(0));
            lose(t0, Loss::StartTime);
        }
        losses
    }

    fn carries_t0(&self) -> bool {
        matches!(self, Self::KeyUriList | Self::QrSheet | Self::QrLines)
    }

    /// The whole file. Rows must have nothing [`against`](Self::against) them, which is looked at once more.
    pub fn write(&self, rows: &[OutRow<'_>]) -> Result<Zeroizing<Vec<u8>>, CannotCarry> {
        if let Some(reason) = rows.iter().find_map(|row| self.against(row).into_iter().next()) {
            return Err(reason);
        }
        Ok(match self {
            Self::EntraCsv(spelling) => {
                let rows: Vec<EntraRow<'_>> = rows.iter().map(entra_row).collect();
                entra::write(&rows, *spelling).map_err(|refusals| {
                    let first = refusals.into_iter().next().map(|refusal| refusal.reason);
                    let reason = first.map_or(Reason::ControlCharacter, Reason::Entra);
                    CannotCarry { format: self.to_string(), reason }
                })?
            }
            Self::GraphJson => tables::graph(rows),
            Self::DualShieldXml(codes) => deepnet::xml(rows, codes),
            Self::DeepnetCsv { encoding, .. } => deepnet::csv(rows, *encoding),
            Self::Pskc(spelling) => pskc::write(rows, *spelling),
            Self::PrivacyIdeaCsv => tables::privacy_idea(rows),
            Self::OktaCsv { encoding, factor_profile } => {
                tables::okta(rows, *encoding, factor_profile.as_deref().unwrap_or(""))
            }
            Self::Duo(_) => tables::duo(rows),
            Self::KeyUriList => tables::key_uris(rows),
            Self::QrSheet => qr_sheet::write(rows),
            Self::QrLines => tables::qr_lines(rows),
        })
    }
}

fn kind_misfit(kind: DeepnetKind, row: &OutRow<'_>) -> Option<Reason> {
    match (kind, row.is_counter_based()) {
        (DeepnetKind::Time, true) => Some(Reason::CounterBased),
        (DeepnetKind::Counter, false) => Some(Reason::TimeBased),
        (DeepnetKind::Time, false) | (DeepnetKind::Counter, true) => None,
    }
}

fn mode_period(mode: Mode) -> Option<Period> {
    match mode {
        Mode::Totp { period, .. } => Some(period),
        Mode::Hotp { .. } => None,
    }
}

fn entra_row<'a>(row: &OutRow<'a>) -> EntraRow<'a> {
    EntraRow {
        upn: row.upn,
        serial: row.serial,
        seed: row.seed,
        parameters: row.parameters,
        manufacturer: row.manufacturer,
        model: row.model,
    }
}

/// A file being written: large enough from the start, since growing would leave copies of seeds behind that nothing
/// wipes.
struct Sheet {
    file: Zeroizing<Vec<u8>>,
    room: usize,
}

impl Sheet {
    /// Room for `rows` with `each` bytes of the format's own a row, every text of a row `texts` times over, and its seed.
    fn for_rows(head: usize, each: usize, texts: usize, rows: &[OutRow<'_>]) -> Self {
        let of = |row: &OutRow<'_>| {
            let letters: usize = row.texts().iter().map(|text| text.len()).sum();
            each + texts * letters + 2 * row.seed.len_bytes() + 8
        };
        let room = head + rows.iter().map(of).sum::<usize>();
        Self { file: Zeroizing::new(Vec::with_capacity(room)), room }
    }

    fn push(&mut self, text: &str) {
        self.file.extend_from_slice(text.as_bytes());
        debug_assert!(self.file.len() <= self.room, "it grew");
    }

    fn all(&mut self, texts: &[&str]) {
        texts.iter().for_each(|text| self.push(text));
    }

    /// As XML and HTML want it, in texts and in attributes.
    fn xml(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            self.push(&rest[..at]);
            self.push(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            });
            rest = &rest[at + 1..];
        }
        self.push(rest);
    }

    /// A cell of a CSV, RFC 4180.
    fn cell(&mut self, text: &str) {
        if text.contains([',', '"', ';', '\t']) || text.trim() != text {
            self.push("\"");
            self.push(&text.replace('"', "\"\""));
            self.push("\"");
        } else {
            self.push(text);
        }
    }

    fn seed(&mut self, seed: &Seed, encoding: Encoding) {
        self.push(&seed_text::encode(seed, encoding));
    }

    fn done(self) -> Zeroizing<Vec<u8>> {
        self.file
    }
}

#[cfg(test)]
mod tests;
