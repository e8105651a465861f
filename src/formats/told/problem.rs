//! What can be wrong with a line.

use super::{Field, Place};
use crate::{
    domain::{key_uri::KeyUriError, seed_text::SeedTextError},
    remedy::{Remedy, Retry},
};
use std::fmt;

/// A fault of one line or entry, which was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Which.
    pub place: Place,
    /// The field, where the fault lies in one.
    pub field: Option<Field>,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => write!(f, "{}, {field}: {}", self.place, self.problem),
            None => write!(f, "{}: {}", self.place, self.problem),
        }
    }
}

/// What can be wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A cell that must not be empty.
    #[error("it is empty")]
    Empty,
    /// A quotation mark that is never closed, or text behind the closing one.
    #[error("a quotation mark is not closed where its cell ends")]
    Quote,
    /// More cells than the header has columns.
    #[error("it has {extra} cell(s) more than there are columns")]
    ExtraCells {
        /// How many.
        extra: usize,
    },
    /// Fewer cells than the format has at least.
    #[error("it has {cells} cell(s), fewer than the {least} that the format has")]
    FewCells {
        /// How many.
        cells: usize,
        /// How many there are at least.
        least: usize,
    },
    /// The serial was turned into a number and rounded.
    #[error("a spreadsheet turned it into a rounded number; its digits are lost")]
    RoundedSerial,
    /// The secret was turned into a number and rounded.
    #[error("a spreadsheet turned it into a rounded number; the seed is lost")]
    RoundedSecret,
    /// No serial.
    #[error("it is no serial: 1 to 32 letters, digits and hyphens")]
    Serial,
    /// The serial has lost its leading zeros.
    #[error(
        "it has {digits} digits where the others have {usual} and begin with 0: its leading zeros are lost"
    )]
    ShortSerial {
        /// How many it has.
        digits: usize,
        /// How many the others have.
        usual: usize,
    },
    /// Another line has the same serial.
    #[error("{other} has the same serial")]
    SerialTwice {
        /// The other line.
        other: Place,
    },
    /// No seed.
    #[error("{0}")]
    Seed(SeedTextError),
    /// A seed of nothing but zeros: tokens take it for an order to delete.
    #[error("the seed is nothing but zeros")]
    SeedOfZeros,
    /// The seed is encrypted.
    #[error("the seed is encrypted, and the file does not say how in a way that kiln knows")]
    SeedSealed,
    /// Neither time- nor counter-based.
    #[error("it is neither totp nor hotp")]
    Kind,
    /// No period.
    #[error("it is no whole number of seconds, from 1")]
    Period,
    /// No counter.
    #[error("it is no whole number")]
    Counter,
    /// A counter-based seed without its counter.
    #[error("the codes are counter-based, and the counter is not stated")]
    NoCounter,
    /// No hash.
    #[error("it is no hash kiln knows: SHA1, SHA256 or SHA512")]
    Hash,
    /// A hash that the format gives by the seed's length, and that tokens don't have.
    #[error("by this format's rule a seed of {seed_len_bytes} bytes means {hash}, which kiln does not know")]
    HashByLength {
        /// The seed's length.
        seed_len_bytes: usize,
        /// The hash.
        hash: &'static str,
    },
    /// No code length.
    #[error("it is no number of digits from 4 to 10")]
    Digits,
    /// Codes that are not decimal.
    #[error("the codes are not decimal")]
    NotDecimal,
    /// Not of the form `user@domain`.
    #[error("it is no user principal name (user@example.com)")]
    Upn,
    /// A character that doesn't belong into a name: typographic quote, invisible or control character.
    #[error("position {position} holds the character U+{code_point:04X}, which does not belong there")]
    OddCharacter {
        /// Where, from 1.
        position: usize,
        /// Its code point.
        code_point: u32,
    },
    /// A policy that kiln doesn't know: by RFC 6030 the key must then not be used.
    #[error("its policy does not allow the use for one-time passwords, or is one that kiln does not know")]
    Policy,
    /// More than one key where the format has one.
    #[error("it holds {keys} keys where the format has one")]
    Keys {
        /// How many.
        keys: usize,
    },
    /// No key URI.
    #[error("{0}")]
    Uri(KeyUriError),
    /// A key URI that is neither totp nor hotp.
    #[error("the URI is neither of type totp nor hotp")]
    UriKind,
    /// An export of Google Authenticator among key URIs.
    #[error("this is an export of Google Authenticator, with several accounts in one URI")]
    Migration,
    /// A line of such an export that can't be read.
    #[error("it is no whole URI of an export of Google Authenticator")]
    MigrationUri,
    /// A part of such an export is not in the file.
    #[error("it is missing (there are {of})")]
    PartMissing {
        /// How many parts there are.
        of: u32,
    },
}

impl Remedy for Problem {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Empty => "fill it in, or delete the line",
            Self::Quote => "remove the quotation mark, or write it twice inside a quoted cell",
            Self::ExtraCells { .. } => "check for a separator inside a cell; quote such a cell",
            Self::FewCells { .. } => "complete the line, or delete it",
            Self::RoundedSerial => {
                "get the serial from the vendor's own file or from the token; in a spreadsheet make the column text first"
            }
            Self::RoundedSecret => {
                "get the seed from the vendor's own file; do not open seed files in a spreadsheet"
            }
            Self::Serial => "read the serial off the token's back and correct it",
            Self::ShortSerial { .. } => {
                "read the serial from the token's back or the vendor's own file; kiln adds no zeros"
            }
            Self::SerialTwice { .. } => "find out which of them belongs to the token and delete the other",
            Self::Seed(error) => error.remedy(),
            Self::SeedOfZeros => "get the real seed from whoever made the file",
            Self::SeedSealed => {
                "ask the vendor for a file that is encrypted as RFC 6030 says, AES-CBC with a MAC"
            }
            Self::Kind => "write totp or hotp",
            Self::Period => "write the period in seconds, 30 or 60 for nearly every token",
            Self::Counter => "write the counter of the next code, 0 for a new token",
            Self::NoCounter => "add the counter of the next code, 0 for a new token",
            Self::Hash => "write SHA1, SHA256 or SHA512",
            Self::HashByLength { .. } => {
                "get the same tokens as PSKC, which states the hash; or read the file as another format with --format"
            }
            Self::Digits => "write the code's length, 6 for nearly every token",
            Self::NotDecimal => "ask the vendor for seeds of decimal codes",
            Self::Upn => "write the full user principal name, or leave the cell empty",
            Self::OddCharacter { .. } => "type the text again by hand at that place",
            Self::Policy => {
                "ask the vendor for a file without it, if the key is meant for one-time passwords"
            }
            Self::Keys { .. } => "ask the vendor for a file with one key for each token",
            Self::Uri(error) => error.remedy(),
            Self::UriKind => "ask the service for a standard TOTP or HOTP enrolment",
            Self::Migration => "put the parts of the export into a file of their own, one URI in each line",
            Self::MigrationUri => "scan the QR code again, and copy the URI whole",
            Self::PartMissing { .. } => "scan that QR code of the export too, and add its URI to the file",
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
    fn every_problem_has_a_remedy() {
        for problem in [
            Problem::Empty,
            Problem::Quote,
            Problem::ExtraCells { extra: 1 },
            Problem::FewCells { cells: 1, least: 2 },
            Problem::RoundedSerial,
            Problem::RoundedSecret,
            Problem::Serial,
            Problem::ShortSerial { digits: 11, usual: 13 },
            Problem::SerialTwice { other: Place::Line(1) },
            Problem::Seed(SeedTextError::Empty),
            Problem::SeedOfZeros,
            Problem::SeedSealed,
            Problem::Kind,
            Problem::Period,
            Problem::Counter,
            Problem::NoCounter,
            Problem::Hash,
            Problem::HashByLength { seed_len_bytes: 28, hash: "SHA-224" },
            Problem::Digits,
            Problem::NotDecimal,
            Problem::Upn,
            Problem::OddCharacter { position: 1, code_point: 0xA0 },
            Problem::Policy,
            Problem::Keys { keys: 2 },
            Problem::Uri(KeyUriError::NoSecret),
            Problem::UriKind,
            Problem::Migration,
            Problem::MigrationUri,
            Problem::PartMissing { of: 2 },
        ] {
            assert!(problem.remedy().len() > 10 && !problem.remedy().ends_with('.'), "{problem}");
            assert_eq!(problem.retry(), Retry::AfterOperator);
        }
    }
}
