//! How a token's clock came to be known, and how it came to be set.

use serde::{Deserialize, Serialize};
use std::fmt;

/// By what a token's clock was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadingKind {
    /// The token told it, in whole seconds.
    #[default]
    Clock,
    /// The token told it, and was asked again until its second changed: known to a fraction of a second.
    Edge,
    /// A diagnosis found the step whose code the display showed.
    Code,
    /// A person pressed a key when the code changed.
    Timing,
}

impl ReadingKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Clock, Self::Edge, Self::Code, Self::Timing];

    /// The word that stands for it in the records and on the socket.
    pub fn word(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Edge => "edge",
            Self::Code => "code",
            Self::Timing => "timing",
        }
    }

    /// What [`word`](Self::word) said.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for ReadingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clock => "read",
            Self::Edge => "read, at the change of its second",
            Self::Code => "by a code",
            Self::Timing => "timed by hand",
        })
    }
}

/// What set a token's clock, or stopped it: from there on a new series of readings begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockSetBy {
    /// A burn, which carries the time.
    Burn,
    /// The time alone, or the same seed again for the sake of the time.
    Resync,
    /// The token went back to its factory state: what its clock says then is not known.
    Reset,
}

impl ClockSetBy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Burn, Self::Resync, Self::Reset];

    /// The word that stands for it in the records and on the socket.
    pub fn word(self) -> &'static str {
        match self {
            Self::Burn => "burn",
            Self::Resync => "resync",
            Self::Reset => "reset",
        }
    }

    /// What [`word`](Self::word) said.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_their_values() {
        assert!(ReadingKind::ALL.iter().all(|kind| ReadingKind::from_word(kind.word()) == Some(*kind)));
        assert!(ClockSetBy::ALL.iter().all(|by| ClockSetBy::from_word(by.word()) == Some(*by)));
        assert_eq!(ReadingKind::from_word("sundial"), None);
    }
}
