//! What is said where a format and a token don't go together.

use super::super::entra;
use crate::{
    domain::{Digits, Hash, Period, UnixTime},
    remedy::{Remedy, Retry},
};

/// A token that a file of this format can't carry: the server would refuse its line, or compute other codes from it than
/// the token shows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{format} cannot carry it: {reason}")]
pub struct CannotCarry {
    /// The format, as people call it.
    pub format: String,
    /// Why.
    pub reason: Reason,
}

/// Why a token can't be carried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// One of Entra ID's own.
    #[error(transparent)]
    Entra(entra::RefusalReason),
    /// Counter-based, in a file of time-based tokens.
    #[error("it takes time-based tokens only, and this one counts")]
    CounterBased,
    /// Time-based, in a file of counter-based tokens.
    #[error("it takes counter-based tokens only, and this one is time-based")]
    TimeBased,
    /// Steps from another moment than 1970.
    #[error("it has no place for a start time (T0) of {0}")]
    StartTime(UnixTime),
    /// A hash that it can't state and the server doesn't assume.
    #[error("it cannot state {0}")]
    Hash(Hash),
    /// A hash that the server would take for another one by the seed's length.
    #[error("it states no hash, and the server would not take a seed of {seed_len_bytes} bytes for {hash}")]
    HashByLength {
        /// The seed's length.
        seed_len_bytes: usize,
        /// What it is.
        hash: Hash,
    },
    /// A length of code that it can't state and the server doesn't assume.
    #[error("it cannot state {0} digits")]
    Digits(Digits),
    /// A period that the server doesn't take.
    #[error("it takes a period of 30 or 60 s, not {0}")]
    Period(Period),
    /// A text that would begin a line or end a file.
    #[error("a text of it holds a control character")]
    ControlCharacter,
    /// A text that a spreadsheet would run.
    #[error("the user begins like a formula (= + - @)")]
    Formula,
    /// More than a QR code holds.
    #[error("its key URI is too long for a QR code")]
    TooLongForQr,
}

impl Remedy for CannotCarry {
    fn remedy(&self) -> &'static str {
        match &self.reason {
            Reason::Entra(reason) => reason.remedy(),
            Reason::CounterBased => {
                "export counter-based tokens in a format that takes them (pskc, hseeds, duo-hotp6)"
            }
            Reason::TimeBased => {
                "export time-based tokens in a format that takes them (pskc, tseeds, duo-totp6)"
            }
            Reason::StartTime(_) => {
                "burn the token again, counted from 1970, or give its key URI to the server"
            }
            Reason::Hash(_) | Reason::Digits(_) => {
                "export it in a format that states all (pskc, key-uris), if the server takes such tokens at all"
            }
            Reason::HashByLength { .. } => "export it as PSKC, which states the hash",
            Reason::Period(_) => "leave this token out, or burn it again with a period of 30 or 60 s",
            Reason::ControlCharacter => {
                "correct the user, title or model of this token in the file it came from"
            }
            Reason::Formula => "correct the user of this token",
            Reason::TooLongForQr => "export its key URI as text (key-uris)",
        }
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }
}

/// What has no place in a format, though the token's codes come out right once the server is told by other means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Loss {
    /// What the token's screen calls the profile.
    #[error("the profile's title has no place in this format")]
    Title,
    /// The user.
    #[error("the user has no place in this format")]
    User,
    /// An account that is no user principal name.
    #[error("the account is no user principal name, and the format takes nothing else: the user stays empty")]
    Account,
    /// Graph assigns by object id.
    #[error("the user has no place in this format: Graph assigns a token by the user's object id")]
    GraphUser,
    /// There is none, and the server wants one.
    #[error("no user is on record, and the server wants one: the cell stays empty")]
    NoUser,
    /// Which token it is.
    #[error("the serial has no place in this format")]
    Serial,
    /// Whether it counts.
    #[error("that the tokens count has no place in this format: the server knows it by the product code")]
    Kind,
    /// The hash.
    #[error("the hash has no place in this format, and it is not SHA-1: the server must be told")]
    Hash,
    /// The length of the codes.
    #[error("the length of the codes has no place in this format, and it is not 6: the server must be told")]
    Digits,
    /// The period.
    #[error("the period has no place in this format, and it is not 30 s: the server must be told")]
    Period,
    /// The counter.
    #[error("the counter has no place in this format, and it is not 0: the server must be resynchronised")]
    Counter,
    /// Another start than 1970.
    #[error("the start time (T0) goes into a parameter that other programs ignore: their codes will differ")]
    StartTime,
}

impl Remedy for Loss {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Title => "export the labels as well, if somebody must find the profile by its title",
            Self::User | Self::GraphUser => "assign the token to its user at the server",
            Self::Account | Self::NoUser => "fill the user in before the upload",
            Self::Serial => "export the labels as well, if somebody must find the token by its serial",
            Self::Hash | Self::Digits | Self::Period => {
                "set it at the server for all tokens of this file, or export PSKC, which states it"
            }
            Self::Kind => "load it under a product code of counter-based tokens and no other",
            Self::Counter => "resynchronise the token at the server with two codes, or export PSKC",
            Self::StartTime => "give the file to a program that knows T0 only, kiln among them",
        }
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }
}
