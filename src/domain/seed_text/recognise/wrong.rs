//! What was given instead of a seed, and what to do then.

use crate::{
    domain::seed_text::{Encoding, SeedTextError, told::Shown},
    remedy::{Remedy, Retry},
};
use std::fmt;

/// One way to read an ambiguous text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// As what.
    pub encoding: Encoding,
    /// The length of the seed then; `None` where the text is damaged in that reading.
    pub bytes: Option<usize>,
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes {
            Some(bytes) => write!(f, "{} ({bytes} bytes)", self.encoding),
            None => write!(f, "{} with a character missing", self.encoding),
        }
    }
}

/// What was given instead of a seed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongInput {
    /// Nothing.
    #[error("nothing was given")]
    Nothing,
    /// `phonefactor://`: Microsoft's enrolment for push and phone approval.
    #[error("this enrols Microsoft's push or phone approval, which no token can do")]
    PushEnrolment,
    /// `otpauth-migration://`: an export of Google Authenticator, usually of several accounts.
    #[error("this is an export of Google Authenticator, which can hold several accounts")]
    Migration,
    /// `FIDO:/` and digits.
    #[error("this is a passkey's cross-device code, not a seed")]
    PasskeyCode,
    /// The enrolment of one application.
    #[error("this enrols {application} and is no standard TOTP seed")]
    ForeignEnrolment {
        /// Whose scheme it is.
        application: &'static str,
    },
    /// A web link.
    #[error("this is a web link, not a seed")]
    WebLink,
    /// A link for some application.
    #[error("this is a link for an application that kiln doesn't know, not a standard seed")]
    OtherLink,
    /// A QR code of daily life.
    #[error("this is {what}, not a seed")]
    OtherQr {
        /// What it is, with its article.
        what: &'static str,
    },
    /// JSON, XML or an armoured file.
    #[error("this is the content of {what}")]
    FileContent {
        /// What kind of file, with its article.
        what: &'static str,
    },
    /// Several lines or columns.
    #[error("this is a table ({lines} lines), not one seed")]
    Table {
        /// Lines that aren't blank.
        lines: usize,
    },
    /// `8.65962E+13`.
    #[error("this is a number in scientific notation, as a spreadsheet makes of a serial")]
    SpoiledSerial,
    /// The serial of the token that was just read.
    #[error("this is the serial of the token on the reader")]
    SerialOnReader,
    /// Digits that begin like the serials of programmable tokens.
    #[error("these {digits} digits are a token's serial")]
    TokenSerial {
        /// How many digits.
        digits: usize,
    },
    /// Digits that begin like the serials of security keys.
    #[error("these 14 digits are the serial of a security key")]
    SecurityKeySerial,
    /// 15 digits.
    #[error("these 15 digits are a Molto2's serial or a phone's IMEI")]
    MoltoSerialOrImei,
    /// 12 or 13 digits.
    #[error("these {digits} digits are the article number on a box")]
    ArticleNumber {
        /// How many digits.
        digits: usize,
    },
    /// 6 or 8 digits.
    #[error("these {digits} digits are a one-time code")]
    OneTimeCode {
        /// How many digits.
        digits: usize,
    },
    /// As many digits as the hex text of a seed has.
    #[error("{digits} digits and no letter: hex of {bytes} bytes is possible but very unlikely")]
    DigitsLikeHex {
        /// How many digits.
        digits: usize,
        /// The length as hex.
        bytes: usize,
    },
    /// Any other number.
    #[error("this is a number of {digits} digits, not a seed")]
    Number {
        /// How many digits.
        digits: usize,
    },
    /// Readable in two encodings, which give two different seeds.
    #[error("{characters} characters that can be read as {likelier} or as {other}")]
    Ambiguous {
        /// Data characters.
        characters: usize,
        /// What it probably is.
        likelier: Reading,
        /// What it may be, too.
        other: Reading,
    },
    /// The text of a seed, damaged.
    #[error("as {encoding}: {error}")]
    Damaged {
        /// What it looks like most.
        encoding: Encoding,
        /// What is wrong with it.
        error: SeedTextError,
    },
    /// A seed with its label; [`strip_label`] takes it off after a person agreed.
    #[error("\"{label}\" stands before the seed")]
    Labelled {
        /// The label, in lower case.
        label: &'static str,
    },
    /// A key URI's query or a part of it.
    #[error("this is a piece of a URI")]
    UriPiece,
    /// Text that is no seed in any encoding.
    #[error("this is no seed in base32, hex or base64: position {position} holds {}", Shown(*character))]
    Unusable {
        /// Where the first character stands that no encoding has, from 1.
        position: usize,
        /// That character.
        character: char,
    },
}

impl Remedy for WrongInput {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Nothing => "scan, paste or type the seed",
            Self::PushEnrolment => {
                "on the security-info page choose to set up a different authenticator app and use the QR code shown then"
            }
            Self::Migration => "import it as a file of accounts and choose the ones you want",
            Self::PasskeyCode => "look for the QR code of an authenticator app, not of a passkey",
            Self::ForeignEnrolment { .. } | Self::OtherLink => {
                "ask the service for the manual entry key of a standard authenticator app"
            }
            Self::WebLink | Self::OtherQr { .. } => {
                "scan the QR code that the service shows for an authenticator app"
            }
            Self::FileContent { .. } | Self::Table { .. } => "save it as a file and import the file",
            Self::SpoiledSerial => "the digits are lost: read the serial from the token again",
            Self::SerialOnReader
            | Self::TokenSerial { .. }
            | Self::SecurityKeySerial
            | Self::MoltoSerialOrImei
            | Self::ArticleNumber { .. } => "give the seed, not the number printed on the token or its box",
            Self::OneTimeCode { .. } => "give the seed, not a code that it showed",
            Self::DigitsLikeHex { .. } => "if it really is the hex text of a seed, state the encoding hex",
            Self::Number { .. } => "give the seed; if this is one, state its encoding",
            Self::Ambiguous { .. } => "look at the source and state the encoding",
            Self::Damaged { error, .. } => error.remedy(),
            Self::Labelled { .. } => "remove the label if what follows is the seed",
            Self::UriPiece => "give the whole URI, from otpauth:// to its end",
            Self::Unusable { .. } => "copy the seed again from its source",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}
