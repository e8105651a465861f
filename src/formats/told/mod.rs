//! What the reading of a seed file has to tell: what is wrong with the file, with one of its lines, and what was
//! noticed in lines that are good. Positions and facts, never a cell's text: it might be a seed.

mod file;
mod note;
mod problem;

pub use file::{FileError, JsonFault, XmlFault};
pub use note::{Note, NoteKind, Skipped};
pub use problem::{BadLine, Problem};

use std::fmt;

/// Where in a file a seed stands. Within one file nearly always of one kind; the order is that of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A line of a table or list, from 1, the header counted.
    Line(u32),
    /// An entry of a document whose line breaks mean nothing (XML, JSON, an export in QR codes), from 1.
    Entry(u32),
    /// A part of an export that comes in several, from 1.
    Part(u32),
}

impl Place {
    /// The number alone.
    pub fn number(self) -> u32 {
        match self {
            Self::Line(number) | Self::Entry(number) | Self::Part(number) => number,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Entry(number) => write!(f, "entry {number}"),
            Self::Part(number) => write!(f, "part {number}"),
        }
    }
}

/// A field of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The user principal name.
    Upn,
    /// The serial.
    Serial,
    /// The seed.
    Secret,
    /// Whether codes are time- or counter-based.
    Kind,
    /// The period.
    Interval,
    /// The counter.
    Counter,
    /// The manufacturer.
    Manufacturer,
    /// The model.
    Model,
    /// The hash.
    Hash,
    /// The code length.
    Digits,
    /// The issuer.
    Issuer,
    /// The account.
    Account,
    /// What the key may be used for.
    Policy,
    /// The whole line, a key URI.
    Uri,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Upn => "upn",
            Self::Serial => "serial number",
            Self::Secret => "secret key",
            Self::Kind => "type",
            Self::Interval => "time interval",
            Self::Counter => "counter",
            Self::Manufacturer => "manufacturer",
            Self::Model => "model",
            Self::Hash => "hash",
            Self::Digits => "digits",
            Self::Issuer => "issuer",
            Self::Account => "account",
            Self::Policy => "policy",
            Self::Uri => "key URI",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::seed_text;

    #[test]
    fn places_are_said_in_words() {
        let bad = BadLine {
            place: Place::Line(7),
            field: Some(Field::Serial),
            problem: Problem::SerialTwice { other: Place::Line(3) },
        };
        assert_eq!(bad.to_string(), "line 7, serial number: line 3 has the same serial");
        let mut note = Note::at(Place::Entry(2), Field::Secret, NoteKind::Seed(seed_text::Note::LowerCase));
        note.more = 19;
        assert_eq!(note.to_string(), "entry 2 and 19 more, secret key: read lower-case letters as base32");
        let missing = FileError::MissingColumns { missing: vec![Field::Serial, Field::Interval] };
        assert_eq!(
            missing.to_string(),
            "the first line names no column \"serial number\" and no column \"time interval\""
        );
        let part = BadLine { place: Place::Part(2), field: None, problem: Problem::PartMissing { of: 3 } };
        assert_eq!(part.to_string(), "part 2: it is missing (there are 3)");
    }
}
