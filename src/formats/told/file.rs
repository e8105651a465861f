//! What can be wrong with a whole file.

use super::{super::recognise::Content, Field};
use crate::{
    domain::seed_text::{Encoding, WrongInput},
    remedy::{Remedy, Retry},
};
use std::fmt;

/// Why a whole file can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Nothing but blanks.
    #[error("the file is empty")]
    Empty,
    /// Larger than any seed file.
    #[error("the file has {bytes} bytes, more than the {} that kiln reads", super::super::MAX_FILE_BYTES)]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// More lines or entries than any seed file.
    #[error("the file has more than {} lines or entries", super::super::MAX_LINES)]
    TooManyLines,
    /// Neither UTF-8 nor UTF-16, nor any kind of file that is known.
    #[error("the file is no text, and of no kind that kiln knows")]
    NotText,
    /// Text in an old code page.
    #[error("line {line} of the file is not UTF-8")]
    NotUtf8 {
        /// The first such line.
        line: u32,
    },
    /// Known for what it is, but nothing that seeds are read from.
    #[error("this is {content}, from which kiln reads no seeds")]
    Unreadable {
        /// What it is.
        content: Content,
    },
    /// A link, another enrolment or a QR code of daily life.
    #[error(transparent)]
    Wrong(WrongInput),
    /// Its seeds are encrypted, and nobody opened it.
    #[error("the seeds in this {} are encrypted", .format)]
    Sealed {
        /// What it is.
        format: super::super::Format,
    },
    /// Text without anything to tell its format by.
    #[error("kiln does not recognise this file: it is of none of the formats that kiln reads")]
    Unknown,
    /// A table whose first line names no columns.
    #[error(
        "the first line does not name the columns: upn, serial number, secret key, time interval, manufacturer, model"
    )]
    NoHeader,
    /// `--columns` with a name that is none, or without the seed.
    #[error("--columns names something that is no column, or no column with the seed")]
    ColumnsSaid,
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
    /// The seeds could be spelled in more than one way.
    #[error("the file does not say how its seeds are spelled, and {} are possible", Several(fits))]
    EncodingOpen {
        /// The possible ones.
        fits: Vec<Encoding>,
    },
    /// Serial and hex seed alone: time- or counter-based?
    #[error("nothing in the file says whether its codes are time- or counter-based, nor how long they are")]
    KindOpen,
    /// DualShield: whether its tokens count, the file leaves to a product code that is not public.
    #[error("whether tokens of product code {code} count or go by time, the file does not say")]
    ProductOpen {
        /// The code.
        code: String,
    },
    /// Not well-formed XML, or XML of a kind that isn't read.
    #[error("{0}")]
    Xml(XmlFault),
    /// Not well-formed JSON, or not of the form that its kind has.
    #[error("{0}")]
    Json(JsonFault),
    /// A header, or comments, and nothing below.
    #[error("the file holds no seeds")]
    NoLines,
}

/// What can be wrong with an XML document as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlFault {
    /// Not well-formed.
    #[error("the XML is not well-formed in line {line}")]
    NotWellFormed {
        /// Where the reader stopped.
        line: u32,
    },
    /// It ends before its outermost element does.
    #[error("the XML ends in line {line} before it is complete")]
    CutOff {
        /// The last line.
        line: u32,
    },
    /// A document type declaration.
    #[error("line {line} of the XML declares a document type (DTD), which no seed file needs")]
    Dtd {
        /// Where.
        line: u32,
    },
    /// An entity that XML itself doesn't define.
    #[error("line {line} of the XML uses an entity of its own, which no seed file needs")]
    Entity {
        /// Where.
        line: u32,
    },
    /// Another encoding than the text's.
    #[error("the XML declares an encoding other than UTF-8 or UTF-16")]
    Encoding,
    /// Deeper or larger than any entry of a seed file.
    #[error("an element in line {line} of the XML is nested or filled beyond what a seed file has")]
    TooMuch {
        /// Where.
        line: u32,
    },
    /// An outermost element of no namespace that is known.
    #[error("the XML's outermost element is not of the namespace of PSKC (RFC 6030)")]
    Namespace,
    /// An outermost element that doesn't belong to the format.
    #[error("the XML is not of the form that this format has")]
    Form,
    /// DualShield: seeds spelled otherwise than in hex.
    #[error("the header says that the seeds are spelled otherwise than in hex")]
    NotHex,
    /// DualShield: seeds encrypted.
    #[error("the header says that the seeds are encrypted")]
    Encrypted,
}

/// What can be wrong with a JSON document as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not well-formed.
    #[error("the JSON is not well-formed at line {line}, column {column}")]
    NotWellFormed {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It ends too early.
    #[error("the JSON ends before it is complete")]
    CutOff,
    /// Well-formed, but of another form.
    #[error("the JSON is not of the form that this format has (line {line}, column {column})")]
    Form {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
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

struct Several<'a>(&'a [Encoding]);

impl fmt::Display for Several<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(at, encoding)| {
            let joint = if at == 0 { "" } else { " and " };
            write!(f, "{joint}{encoding}")
        })
    }
}

impl Remedy for FileError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Empty | Self::NoLines => "check that this is the right file and that it was saved",
            Self::TooLarge { .. } | Self::TooManyLines => {
                "check that this is the right file; cut it into smaller ones, each with the header"
            }
            Self::NotText => {
                "check that this is the right file; export it as CSV (UTF-8) from the program that made it"
            }
            Self::NotUtf8 { .. } => {
                "save the file as UTF-8 (\"CSV UTF-8\" in a spreadsheet) and import it again"
            }
            Self::Unreadable { content } => content.remedy(),
            Self::Wrong(wrong) => wrong.remedy(),
            Self::Sealed { .. } => "import it with \"kiln import\", which asks for the passphrase or key",
            Self::Unknown => {
                "check that this is the right file; give a table a first line that names its columns, or name the format with --format"
            }
            Self::NoHeader => {
                "put the line of column names on top, or name the columns in order with --columns serial,secret,interval"
            }
            Self::ColumnsSaid => {
                "name each column in order: serial, secret (or hex, base32, base64), upn, interval, counter, type, hash, digits, model, - for one to leave out"
            }
            Self::MissingColumns { .. } => "add the column, or correct its name in the first line",
            Self::ColumnTwice { .. } => "remove one of them",
            Self::EncodingOpen { .. } => {
                "ask whoever made the file, then say --encoding base32, hex or base64; try one token before the rest"
            }
            Self::KindOpen => {
                "say which with --format: privacyidea-csv, linotp-csv, duo-totp6, duo-totp8, duo-hotp6, duo-hotp8, tseeds or hseeds"
            }
            Self::ProductOpen { .. } => {
                "look at what was ordered; then say --format hseeds-xml if they count, tseeds-xml if they go by time"
            }
            Self::Xml(fault) => match fault {
                XmlFault::NotWellFormed { .. } | XmlFault::CutOff { .. } => {
                    "get the file again from whoever made it; do not edit it in a word processor"
                }
                XmlFault::Dtd { .. } | XmlFault::Entity { .. } => {
                    "do not trust the file; get one without a DOCTYPE from whoever made it"
                }
                XmlFault::Encoding => "save the file as UTF-8, and let its first line say so",
                XmlFault::TooMuch { .. } | XmlFault::Namespace | XmlFault::Form => {
                    "check that this is the right file, and which format its maker calls it"
                }
                XmlFault::NotHex | XmlFault::Encrypted => {
                    "ask the vendor for the file with <encode>HEX</encode> and <encrypt>NONE</encrypt>"
                }
            },
            Self::Json(fault) => match fault {
                JsonFault::NotWellFormed { .. } | JsonFault::CutOff => {
                    "export or download the file again; it is damaged"
                }
                JsonFault::Form { .. } => {
                    "check that this is the right file, and which format its maker calls it"
                }
            },
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::Format;

    #[test]
    fn every_file_error_has_a_remedy() {
        for error in [
            FileError::Empty,
            FileError::TooLarge { bytes: 1 },
            FileError::TooManyLines,
            FileError::NotText,
            FileError::NotUtf8 { line: 1 },
            FileError::Unreadable { content: Content::Zip },
            FileError::Wrong(WrongInput::WebLink),
            FileError::Sealed { format: Format::Pskc },
            FileError::Unknown,
            FileError::NoHeader,
            FileError::ColumnsSaid,
            FileError::MissingColumns { missing: vec![Field::Serial, Field::Secret] },
            FileError::ColumnTwice { field: Field::Upn },
            FileError::EncodingOpen { fits: vec![Encoding::Hex, Encoding::Base32] },
            FileError::KindOpen,
            FileError::ProductOpen { code: "EV".into() },
            FileError::Xml(XmlFault::NotWellFormed { line: 1 }),
            FileError::Xml(XmlFault::CutOff { line: 1 }),
            FileError::Xml(XmlFault::Dtd { line: 1 }),
            FileError::Xml(XmlFault::Entity { line: 1 }),
            FileError::Xml(XmlFault::Encoding),
            FileError::Xml(XmlFault::TooMuch { line: 1 }),
            FileError::Xml(XmlFault::Namespace),
            FileError::Xml(XmlFault::Form),
            FileError::Xml(XmlFault::NotHex),
            FileError::Xml(XmlFault::Encrypted),
            FileError::Json(JsonFault::NotWellFormed { line: 1, column: 1 }),
            FileError::Json(JsonFault::CutOff),
            FileError::Json(JsonFault::Form { line: 1, column: 1 }),
            FileError::NoLines,
        ] {
            assert!(error.remedy().len() > 10 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
    }
}
