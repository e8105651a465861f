//! What the reading of a seed file has to tell: what is wrong with the file, with one of its lines, and what was
//! noticed in lines that are good. Positions and facts, never a cell's text: it might be a seed.

use super::{Format, recognise::Content};
use crate::{
    domain::{
        key_uri::{KeyUriError, UriNote},
        seed_text::{self, SeedTextError},
    },
    remedy::{Remedy, Retry},
};
use std::fmt;

/// A place in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The user principal name.
    Upn,
    /// The serial.
    Serial,
    /// The seed.
    Secret,
    /// The period.
    Interval,
    /// The manufacturer.
    Manufacturer,
    /// The model.
    Model,
    /// The hash.
    Hash,
    /// The code length.
    Digits,
    /// The whole line, a key URI.
    Uri,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Upn => "upn",
            Self::Serial => "serial number",
            Self::Secret => "secret key",
            Self::Interval => "time interval",
            Self::Manufacturer => "manufacturer",
            Self::Model => "model",
            Self::Hash => "hash",
            Self::Digits => "digits",
            Self::Uri => "key URI",
        })
    }
}

/// Why a whole file can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Nothing but blanks.
    #[error("the file is empty")]
    Empty,
    /// Larger than any seed file.
    #[error("the file has {bytes} bytes, more than the {} that kiln reads", super::MAX_FILE_BYTES)]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Neither UTF-8 nor UTF-16, nor any kind of file that is known.
    #[error("the file is no text, and of no kind that kiln knows")]
    NotText,
    /// Text in an old code page.
    #[error("line {line} of the file is not UTF-8")]
    NotUtf8 {
        /// The first such line.
        line: u32,
    },
    /// Known for what it is, but not read by this version.
    #[error("this is {content}, which this version of kiln cannot read yet")]
    Unreadable {
        /// What it is.
        content: Content,
    },
    /// Text without anything to tell its format by.
    #[error(
        "kiln does not recognise this file: it is neither {} nor {}",
        Format::EntraCsv,
        Format::KeyUriList
    )]
    Unknown,
    /// A table whose first line names no columns.
    #[error(
        "the first line does not name the columns: upn, serial number, secret key, time interval, manufacturer, model"
    )]
    NoHeader,
    /// Columns without which no line can be read.
    #[error("the first line names no column {}", Quoted(missing))]
    MissingColumns {
        /// Which.
        missing: Vec<Field>,
    },
    /// A column that is named twice.
    #[error("the first line names the column \"{field}\" twice")]
    ColumnTwice {
        /// Which.
        field: Field,
    },
    /// A header, or comments, and nothing below.
    #[error("the file holds no seeds")]
    NoLines,
}

struct Quoted<'a>(&'a [Field]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(at, field)| {
            let joint = if at == 0 { "" } else { " and no column " };
            write!(f, "{joint}\"{field}\"")
        })
    }
}

impl Remedy for FileError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Empty | Self::NoLines => "check that this is the right file and that it was saved",
            Self::TooLarge { .. } => {
                "check that this is the right file; cut it into smaller ones, each with the header"
            }
            Self::NotText => {
                "check that this is the right file; export it as CSV (UTF-8) from the program that made it"
            }
            Self::NotUtf8 { .. } => {
                "save the file as UTF-8 (\"CSV UTF-8\" in a spreadsheet) and import it again"
            }
            Self::Unreadable { content } => content.remedy(),
            Self::Unknown => {
                "give a CSV with a header line, or key URIs one in each line; name the format with --format if kiln is wrong"
            }
            Self::NoHeader => {
                "put the line of column names on top, as the vendor's or Microsoft's sample has it"
            }
            Self::MissingColumns { .. } => "add the column, or correct its name in the first line",
            Self::ColumnTwice { .. } => "remove one of them",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// A fault of one line, which was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The line, from 1, the header counted.
    pub line: u32,
    /// The column, where the fault lies in one.
    pub field: Option<Field>,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => write!(f, "line {}, {field}: {}", self.line, self.problem),
            None => write!(f, "line {}: {}", self.line, self.problem),
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
    /// The serial was turned into a number and rounded.
    #[error("a spreadsheet turned it into a rounded number; its digits are lost")]
    RoundedSerial,
    /// The secret was turned into a number and rounded.
    #[error("a spreadsheet turned it into a rounded number; the seed is lost")]
    RoundedSecret,
    /// No serial.
    #[error("it is no serial: 1 to 32 letters, digits and hyphens")]
    Serial,
    /// Another line has the same serial.
    #[error("line {other_line} has the same serial")]
    SerialTwice {
        /// The other line.
        other_line: u32,
    },
    /// No seed.
    #[error("{0}")]
    Seed(SeedTextError),
    /// A seed of nothing but zeros: tokens take it for an order to delete.
    #[error("the seed is nothing but zeros")]
    SeedOfZeros,
    /// No period.
    #[error("it is no whole number of seconds, from 1")]
    Period,
    /// No hash.
    #[error("it is no hash kiln knows: SHA1, SHA256 or SHA512")]
    Hash,
    /// No code length.
    #[error("it is no number of digits from 4 to 10")]
    Digits,
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
    /// No key URI.
    #[error("{0}")]
    Uri(KeyUriError),
    /// A key URI that is neither totp nor hotp.
    #[error("the URI is neither of type totp nor hotp")]
    UriKind,
    /// An export of Google Authenticator among key URIs.
    #[error("this is an export of Google Authenticator with several accounts in one URI")]
    Migration,
}

impl Remedy for Problem {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Empty => "fill it in, or delete the line",
            Self::Quote => "remove the quotation mark, or write it twice inside a quoted cell",
            Self::ExtraCells { .. } => "check for a separator inside a cell; quote such a cell",
            Self::RoundedSerial => {
                "get the serial from the vendor's own file or from the token; in a spreadsheet make the column text first"
            }
            Self::RoundedSecret => {
                "get the seed from the vendor's own file; do not open seed files in a spreadsheet"
            }
            Self::Serial => "read the serial off the token's back and correct it",
            Self::SerialTwice { .. } => "find out which line belongs to the token and delete the other",
            Self::Seed(error) => error.remedy(),
            Self::SeedOfZeros => "get the real seed from whoever made the file",
            Self::Period => "write the period in seconds, 30 or 60 for nearly every token",
            Self::Hash => "write SHA1, SHA256 or SHA512",
            Self::Digits => "write the code's length, 6 for nearly every token",
            Self::Upn => "write the full user principal name, or leave the cell empty",
            Self::OddCharacter { .. } => "type the text again by hand at that place",
            Self::Uri(error) => error.remedy(),
            Self::UriKind => "ask the service for a standard TOTP or HOTP enrolment",
            Self::Migration => {
                "take the accounts out one by one as key URIs; this version cannot unpack it yet"
            }
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// Something odd, or taken for granted, in lines that are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The line; absent: it is about the whole file.
    pub line: Option<u32>,
    /// In how many further lines the same was noticed.
    pub more_lines: u32,
    /// The column, where there is one.
    pub field: Option<Field>,
    /// What was noticed.
    pub kind: NoteKind,
}

impl Note {
    pub(super) fn on_file(kind: NoteKind) -> Self {
        Self { line: None, more_lines: 0, field: None, kind }
    }

    pub(super) fn on_line(line: u32, field: Field, kind: NoteKind) -> Self {
        Self { line: Some(line), more_lines: 0, field: Some(field), kind }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}")?;
            if self.more_lines > 0 {
                write!(f, " and {} more", self.more_lines)?;
            }
        }
        match (self.line, self.field) {
            (Some(_), Some(field)) => write!(f, ", {field}: {}", self.kind),
            (Some(_), None) => write!(f, ": {}", self.kind),
            (None, _) => self.kind.fmt(f),
        }
    }
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
    /// The format says nothing about the hash, and the seed is longer than SHA-1's usual 20 bytes.
    HashNotStated {
        /// The seed's length.
        seed_len_bytes: usize,
    },
    /// Serials of several lengths: leading zeros may be lost.
    SerialLengths {
        /// Characters in the shortest.
        shortest: usize,
        /// Characters in the longest.
        longest: usize,
    },
    /// All serials of 16 or more digits end in 0: a spreadsheet may have rounded them.
    SerialsRounded,
    /// Another line has the same seed.
    SeedTwice {
        /// The other line.
        other_line: u32,
    },
    /// A spreadsheet would run the text as a formula.
    Formula,
    /// About the seed's text.
    Seed(seed_text::Note),
    /// About the key URI.
    Uri(UriNote),
}

impl NoteKind {
    /// Whether a person should say yes before such a seed is burned; the other notes need only be shown.
    pub fn wants_consent(&self) -> bool {
        match self {
            Self::SeedTwice { .. } | Self::SerialsRounded => true,
            Self::Seed(note) | Self::Uri(UriNote::Seed(note)) => note.wants_consent(),
            Self::Utf16
            | Self::Separator(_)
            | Self::NoUpnColumn
            | Self::UnknownColumn { .. }
            | Self::HashNotStated { .. }
            | Self::SerialLengths { .. }
            | Self::Formula
            | Self::Uri(_) => false,
        }
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
            Self::HashNotStated { seed_len_bytes } => write!(
                f,
                "the format does not state the hash, and a seed of {seed_len_bytes} bytes may be meant for SHA-256"
            ),
            Self::SerialLengths { shortest, longest } => {
                write!(f, "serials have {shortest} to {longest} characters: leading zeros may be lost")
            }
            Self::SerialsRounded => {
                f.write_str("all long serials end in 0: a spreadsheet may have rounded them")
            }
            Self::SeedTwice { other_line } => write!(f, "line {other_line} has the same seed"),
            Self::Formula => f.write_str("a spreadsheet would take it for a formula"),
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
            Self::HashNotStated { .. } => "ask the vendor; state it with --hash",
            Self::SerialLengths { .. } => {
                "compare a short serial with the one on its token; kiln adds no zeros"
            }
            Self::SerialsRounded => "compare one of them with its token before anything is burned",
            Self::SeedTwice { .. } => "ask the vendor: two tokens with one seed show the same codes",
            Self::Formula => "take care when the text is opened in a spreadsheet",
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
    fn every_file_error_has_a_remedy() {
        for error in [
            FileError::Empty,
            FileError::TooLarge { bytes: 1 },
            FileError::NotText,
            FileError::NotUtf8 { line: 1 },
            FileError::Unreadable { content: Content::Zip },
            FileError::Unknown,
            FileError::NoHeader,
            FileError::MissingColumns { missing: vec![Field::Serial, Field::Secret] },
            FileError::ColumnTwice { field: Field::Upn },
            FileError::NoLines,
        ] {
            assert!(error.remedy().len() > 10, "{error}");
        }
    }

    #[test]
    fn every_problem_has_a_remedy() {
        for problem in [
            Problem::Empty,
            Problem::Quote,
            Problem::ExtraCells { extra: 1 },
            Problem::RoundedSerial,
            Problem::RoundedSecret,
            Problem::Serial,
            Problem::SerialTwice { other_line: 1 },
            Problem::Seed(SeedTextError::Empty),
            Problem::SeedOfZeros,
            Problem::Period,
            Problem::Hash,
            Problem::Digits,
            Problem::Upn,
            Problem::OddCharacter { position: 1, code_point: 0xA0 },
            Problem::Uri(KeyUriError::NoSecret),
            Problem::UriKind,
            Problem::Migration,
        ] {
            assert!(problem.remedy().len() > 10, "{problem}");
        }
    }

    #[test]
    fn every_note_says_what_to_do() {
        for kind in [
            NoteKind::Utf16,
            NoteKind::Separator(';'),
            NoteKind::NoUpnColumn,
            NoteKind::UnknownColumn { column: 7 },
            NoteKind::HashNotStated { seed_len_bytes: 32 },
            NoteKind::SerialLengths { shortest: 13, longest: 14 },
            NoteKind::SerialsRounded,
            NoteKind::SeedTwice { other_line: 2 },
            NoteKind::Formula,
            NoteKind::Seed(seed_text::Note::LowerCase),
            NoteKind::Seed(seed_text::Note::Short { bytes: 10 }),
            NoteKind::Seed(seed_text::Note::MixedCase),
            NoteKind::Uri(UriNote::NoAccount),
        ] {
            assert!(kind.remedy().len() > 10, "{kind}");
        }
    }

    #[test]
    fn places_are_said_in_words() {
        let bad =
            BadLine { line: 7, field: Some(Field::Serial), problem: Problem::SerialTwice { other_line: 3 } };
        assert_eq!(bad.to_string(), "line 7, serial number: line 3 has the same serial");
        let mut note = Note::on_line(2, Field::Secret, NoteKind::Seed(seed_text::Note::LowerCase));
        note.more_lines = 19;
        assert_eq!(note.to_string(), "line 2 and 19 more, secret key: read lower-case letters as base32");
        let missing = FileError::MissingColumns { missing: vec![Field::Serial, Field::Interval] };
        assert_eq!(
            missing.to_string(),
            "the first line names no column \"serial number\" and no column \"time interval\""
        );
    }
}
