//! What the diagnose panel asks and sees.

use super::ReadingView;
use crate::domain::{Digits, Parameters, Period, UnixMillis, UnixTime};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

/// A code that was read off a display and typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenCode {
    /// The digits.
    pub code: String,
    /// When it was typed.
    pub at: UnixTime,
}

/// What explains a display, and what the token shows about now under each explanation.
#[derive(Debug, Serialize, Deserialize)]
pub struct Examined {
    /// When this was, by the station's clock.
    pub at: UnixMillis,
    /// How the profile's codes are made, by the records.
    pub recorded: Parameters,
    /// The reading of the token's clock that was reckoned with.
    pub reading: Option<ReadingView>,
    /// The document that `kiln diagnose --json` prints; none where nothing was seen yet.
    pub diagnosis: Option<serde_json::Value>,
    /// The same for a ticket: without seeds, codes and whole serials.
    pub report: Option<String>,
    /// What the token shows under the records first, then under rivals in their rank.
    pub rows: Vec<ShownRow>,
    /// Until when the rows are good.
    pub until: UnixTime,
}

/// What a token shows under one explanation, or under several that come to the same.
#[derive(Debug, Serialize, Deserialize)]
pub struct ShownRow {
    /// Whether these are the settings on record with a clock that is right.
    pub recorded: bool,
    /// Which findings, by their places in the diagnosis.
    pub findings: Vec<usize>,
    /// How many digits a display has.
    pub digits: Digits,
    /// How long each display stands; none for a counter, which moves at a press.
    pub period: Option<Period>,
    /// When the first display began, by the station's clock; none for a counter.
    pub since: Option<UnixTime>,
    /// Successive displays: the one before that of now, that of now, and those to come.
    pub leads: Vec<Lead>,
}

/// The first digits of a display, which come from a seed: enough to tell explanations apart, too few to log in with.
/// Wiped when dropped; `Debug` hides them.
#[derive(PartialEq, Eq)]
pub struct Lead(Zeroizing<String>);

impl Lead {
    /// No more than so many.
    pub const MOST: usize = 3;

    /// The first digits of `display`, at most [`Self::MOST`].
    pub fn of(display: &str) -> Self {
        Self(Zeroizing::new(display.chars().take(Self::MOST).collect()))
    }

    /// The digits.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lead({} digits)", self.0.len())
    }
}

impl Serialize for Lead {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Lead {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(from)?);
        if text.len() > Self::MOST || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(serde::de::Error::custom("no more than the first digits of a display"));
        }
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_whole_code_crosses_and_none_is_printed() {
        let lead = Lead::of("123456");
        assert_eq!((lead.expose(), format!("{lead:?}").as_str()), ("123", "Lead(3 digits)"));
        let text = serde_json::to_string(&lead).unwrap();
        assert_eq!(serde_json::from_str::<Lead>(&text).unwrap(), lead);
        for refused in ["\"1234\"", "\"12a\""] {
            assert!(serde_json::from_str::<Lead>(refused).is_err(), "{refused}");
        }
    }
}
