//! What tells one token, and one place on it, from another.

use super::params::ParameterError;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A token's serial, as text: leading zeros count. 1 to 32 letters, digits and hyphens, as printed on the token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Serial(String);

impl Serial {
    /// The most characters that any known token or server uses.
    pub const MAX_LEN: usize = 32;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last four characters, which a person types to confirm what cannot be undone.
    pub fn last_four(&self) -> &str {
        &self.0[self.0.len().saturating_sub(4)..]
    }
}

impl FromStr for Serial {
    type Err = ParameterError;

    /// Blanks around it are dropped; nothing inside is repaired.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let refuse =
            |reason| Err(ParameterError::Serial { text: trimmed.chars().take(40).collect(), reason });
        if trimmed.is_empty() {
            return refuse("it is empty");
        }
        if trimmed.len() > Self::MAX_LEN {
            return refuse("it is longer than 32 characters");
        }
        if !trimmed.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return refuse("it holds something besides letters, digits and hyphens");
        }
        Ok(Self(trimmed.to_owned()))
    }
}

impl TryFrom<String> for Serial {
    type Error = ParameterError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Serial> for String {
    fn from(serial: Serial) -> Self {
        serial.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A numbered place on a token that holds one seed, its parameters and its title. Counted from 0 on the wire, on the
/// Molto2's screen ("0. Token2") and here; single-profile tokens have only 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Profile(u8);

impl Profile {
    /// The only profile of a single-profile token.
    pub const ZERO: Self = Self(0);

    /// The profile that screens and wire call `number`. Whether a model has it is the model's to say.
    pub fn new(number: u8) -> Self {
        Self(number)
    }

    /// The number, from 0.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What one profile of a token holds before kiln writes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holding {
    /// A seed that is on record here: burned by kiln, or imported as the one the token was delivered with.
    Ours,
    /// As delivered: empty, or filled by the vendor.
    Factory,
    /// Filled by somebody else.
    Foreign,
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "a seed on record here",
            Self::Factory => "what it was delivered with",
            Self::Foreign => "a seed that is not on record here",
        })
    }
}

/// A place at the station that takes a token, by the name under which it is listed. Readers are named, never numbered:
/// their order is arbitrary and changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlotName(pub String);

impl fmt::Display for SlotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_keep_their_zeros_and_lose_only_outer_blanks() {
        let serial: Serial = " 0012345678901\r".parse().unwrap();
        assert_eq!(serial.as_str(), "0012345678901");
        assert_eq!(serial.last_four(), "8901");
        assert_eq!("7".parse::<Serial>().unwrap().last_four(), "7");
    }

    #[test]
    fn a_spoiled_serial_is_refused() {
        for text in ["", "  ", "8.65962E+13", "12 34", "=1+1", &"1".repeat(33)] {
            assert!(text.parse::<Serial>().is_err(), "{text}");
        }
    }
}
