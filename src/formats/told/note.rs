//! What can be noticed in a file that is good.

use super::{Field, Place};
use crate::{
    domain::{
        key_uri::UriNote,
        seed_text::{self, Encoding},
    },
    remedy::{Remedy, Retry},
};
use std::fmt;

/// Something odd, or taken for granted, in lines that are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The line or entry; absent: it is about the whole file.
    pub place: Option<Place>,
    /// In how many further lines the same was noticed.
    pub more: u32,
    /// The field, where there is one.
    pub field: Option<Field>,
    /// What was noticed.
    pub kind: NoteKind,
}

impl Note {
    pub(in crate::formats) fn on_file(kind: NoteKind) -> Self {
        Self { place: None, more: 0, field: None, kind }
    }

    pub(in crate::formats) fn at(place: Place, field: Field, kind: NoteKind) -> Self {
        Self { place: Some(place), more: 0, field: Some(field), kind }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            place.fmt(f)?;
            if self.more > 0 {
                write!(f, " and {} more", self.more)?;
            }
        }
        match (self.place, self.field) {
            (Some(_), Some(field)) => write!(f, ", {field}: {}", self.kind),
            (Some(_), None) => write!(f, ": {}", self.kind),
            (None, _) => self.kind.fmt(f),
        }
    }
}

/// An entry that holds nothing for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// A key of another algorithm than TOTP and HOTP (a PIN, OCRA, a Yubico OTP).
    OtherAlgorithm,
    /// A code in letters for Steam.
    Steam,
    /// mOTP, Yandex or another scheme of its own.
    OtherScheme,
    /// A package of a PSKC file without a key.
    NoKey,
    /// MD5, which Google Authenticator's exports can state and nobody computes.
    Md5,
}

/// What can be noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteKind {
    /// The file was UTF-16.
    Utf16,
    /// The separator is not a comma.
    Separator(char),
    /// There is no column for the user.
    NoUpnColumn,
    /// A column that kiln doesn't know.
    UnknownColumn {
        /// Which, from 1.
        column: usize,
    },
    /// How the seeds were read, decided by the whole column.
    ReadAs {
        /// The spelling.
        encoding: Encoding,
    },
    /// The file states no period.
    PeriodNotStated,
    /// The file states no counter: that of a new token.
    CounterNotStated,
    /// Serials of several lengths: leading zeros may be lost.
    SerialLengths {
        /// Characters in the shortest.
        shortest: usize,
        /// Characters in the longest.
        longest: usize,
    },
    /// Seeds of several lengths in a file of tokens: a line may be cut off.
    SeedLengths {
        /// Bytes in the shortest.
        shortest: usize,
        /// Bytes in the longest.
        longest: usize,
    },
    /// All serials of 16 or more digits end in 0: a spreadsheet may have rounded them.
    SerialsRounded,
    /// Another line has the same seed.
    SeedTwice {
        /// The other line.
        other: Place,
    },
    /// A spreadsheet would run the text as a formula.
    Formula,
    /// An entry holds nothing for a token and was passed over.
    Skipped(Skipped),
    /// A user that is no user principal name was taken as the account.
    UserIsAccount,
    /// A part of an export is there twice.
    PartTwice,
    /// About the seed's text.
    Seed(seed_text::Note),
    /// About the key URI.
    Uri(UriNote),
}

impl NoteKind {
    /// Whether a person should say yes before such a seed is burned; the other notes need only be shown.
    pub fn wants_consent(&self) -> bool {
        match self {
            Self::SeedTwice { .. } | Self::SeedLengths { .. } | Self::SerialsRounded => true,
            Self::Seed(note) | Self::Uri(UriNote::Seed(note)) => note.wants_consent(),
            Self::Utf16
            | Self::Separator(_)
            | Self::NoUpnColumn
            | Self::UnknownColumn { .. }
            | Self::ReadAs { .. }
            | Self::PeriodNotStated
            | Self::CounterNotStated
            | Self::SerialLengths { .. }
            | Self::Formula
            | Self::Skipped(_)
            | Self::UserIsAccount
            | Self::PartTwice
            | Self::Uri(_) => false,
        }
    }

    /// Whether it is about an entry that was passed over, so that no good line belongs to it.
    pub(in crate::formats) fn stands_alone(&self) -> bool {
        matches!(self, Self::Skipped(_) | Self::PartTwice)
    }
}

impl fmt::Display for NoteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf16 => f.write_str("the file is UTF-16 (\"Unicode text\")"),
            Self::Separator('\t') => f.write_str("cells are separated by tabs"),
            Self::Separator(separator) => write!(f, "cells are separated by \"{separator}\""),
            Self::NoUpnColumn => f.write_str("there is no upn column: the file assigns no token to a user"),
            Self::UnknownColumn { column } => write!(f, "kiln does not know column {column} and left it out"),
            Self::ReadAs { encoding } => {
                write!(f, "the file does not say how its seeds are spelled; read them as {encoding}")
            }
            Self::PeriodNotStated => f.write_str("the file states no period: took 30 s"),
            Self::CounterNotStated => f.write_str("the file states no counter: took 0, that of a new token"),
            Self::SerialLengths { shortest, longest } => {
                write!(f, "serials have {shortest} to {longest} characters: leading zeros may be lost")
            }
            Self::SeedLengths { shortest, longest } => {
                write!(f, "seeds have {shortest} to {longest} bytes: one may be cut off")
            }
            Self::SerialsRounded => {
                f.write_str("all long serials end in 0: a spreadsheet may have rounded them")
            }
            Self::SeedTwice { other } => write!(f, "{other} has the same seed"),
            Self::Formula => f.write_str("a spreadsheet would take it for a formula"),
            Self::Skipped(why) => f.write_str(match why {
                Skipped::OtherAlgorithm => "passed over: the key is for neither TOTP nor HOTP",
                Skipped::Steam => "passed over: a Steam code, which no OATH token shows",
                Skipped::OtherScheme => "passed over: a scheme that no OATH token shows",
                Skipped::NoKey => "passed over: it holds no key",
                Skipped::Md5 => "passed over: its hash is MD5, which no OATH token has",
            }),
            Self::UserIsAccount => {
                f.write_str("the user is no user principal name; it was taken as the account")
            }
            Self::PartTwice => f.write_str("this part of the export is there twice; it was read once"),
            Self::Seed(note) => note.fmt(f),
            Self::Uri(note) => note.fmt(f),
        }
    }
}

impl Remedy for NoteKind {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Utf16 | Self::Separator(_) => "check that the first line was read as you expect",
            Self::NoUpnColumn => "add the users after the import, or before the upload to the server",
            Self::UnknownColumn { .. } => "check that nothing in it matters for the codes",
            Self::ReadAs { .. } => {
                "compare one token's code with the server's before the batch; --encoding says another"
            }
            Self::PeriodNotStated => "ask the vendor; a recipe can fix another period",
            Self::CounterNotStated => "verify each token with its next code, which sets the counter",
            Self::SerialLengths { .. } => {
                "compare a short serial with the one on its token; kiln adds no zeros"
            }
            Self::SeedLengths { .. } => "ask the vendor whether tokens of two kinds are in the file",
            Self::SerialsRounded => "compare one of them with its token before anything is burned",
            Self::SeedTwice { .. } => "ask the vendor: two tokens with one seed show the same codes",
            Self::Formula => "take care when the text is opened in a spreadsheet",
            Self::Skipped(_) => "nothing, unless a token was to hold it",
            Self::UserIsAccount => "state the upn in the file where a server needs it",
            Self::PartTwice => "nothing; check that no other part is missing",
            Self::Seed(note) | Self::Uri(UriNote::Seed(note)) => match note {
                seed_text::Note::Short { .. } | seed_text::Note::Doubtful { .. } => {
                    "compare it with the source; ask for a longer seed if it is as issued"
                }
                seed_text::Note::MixedCase | seed_text::Note::Twice { .. } => {
                    "compare it with the source, and one token's code with the server's, before the batch"
                }
                seed_text::Note::Quotes
                | seed_text::Note::Separators
                | seed_text::Note::Invisible { .. }
                | seed_text::Note::HexPrefix
                | seed_text::Note::LowerCase => "nothing, if the seed is as its source has it",
            },
            Self::Uri(_) => "compare it with the account at the service",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_note_says_what_to_do() {
        let skipped =
            [Skipped::OtherAlgorithm, Skipped::Steam, Skipped::OtherScheme, Skipped::NoKey, Skipped::Md5];
        for kind in [
            NoteKind::Utf16,
            NoteKind::Separator(';'),
            NoteKind::NoUpnColumn,
            NoteKind::UnknownColumn { column: 7 },
            NoteKind::ReadAs { encoding: Encoding::Hex },
            NoteKind::PeriodNotStated,
            NoteKind::CounterNotStated,
            NoteKind::SerialLengths { shortest: 13, longest: 14 },
            NoteKind::SeedLengths { shortest: 10, longest: 20 },
            NoteKind::SerialsRounded,
            NoteKind::SeedTwice { other: Place::Line(2) },
            NoteKind::Formula,
            NoteKind::UserIsAccount,
            NoteKind::PartTwice,
            NoteKind::Seed(seed_text::Note::LowerCase),
            NoteKind::Seed(seed_text::Note::Short { bytes: 10 }),
            NoteKind::Seed(seed_text::Note::MixedCase),
            NoteKind::Uri(UriNote::NoAccount),
        ]
        .into_iter()
        .chain(skipped.map(NoteKind::Skipped))
        {
            assert!(kind.remedy().len() > 10 && !kind.remedy().ends_with('.'), "{kind}");
            assert_eq!(kind.retry(), Retry::AfterOperator);
        }
    }
}
