//! The parameters of a code: hash, digits, and what moves it on.

use super::time::UnixTime;
use serde::{Deserialize, Serialize};
use std::{fmt, num::NonZeroU32, str::FromStr};

/// The hash inside HMAC. RFC 6238 section 1.2 allows these three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Hash {
    /// HMAC-SHA-1, the default of RFC 4226 and of key URIs.
    #[serde(rename = "SHA1")]
    Sha1,
    /// HMAC-SHA-256.
    #[serde(rename = "SHA256")]
    Sha256,
    /// HMAC-SHA-512.
    #[serde(rename = "SHA512")]
    Sha512,
}

impl Hash {
    /// All of them, in the order in which a search tries them.
    pub const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    /// As key URIs spell it: `SHA1`, `SHA256`, `SHA512`.
    pub fn uri_name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512",
        })
    }
}

/// A parameter that is not one. The message says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// Not a hash that OATH codes use.
    #[error("\"{0}\" is not a hash kiln knows: SHA-1, SHA-256 or SHA-512")]
    Hash(String),
    /// Outside 4 to 10.
    #[error("{0} digits: a code has 4 to 10")]
    Digits(u64),
    /// Zero, or no number of seconds.
    #[error("a period is at least 1 second, not {0}")]
    Period(u64),
    /// A serial that is empty, too long, or holds characters no serial has.
    #[error("\"{text}\" is not a serial: {reason}")]
    Serial {
        /// The text as given.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl FromStr for Hash {
    type Err = ParameterError;

    /// Reads every spelling met in files: `SHA1`, `sha-1`, `HMAC-SHA256`, `HmacSHA512`, `hmacsha256`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let folded: String =
            text.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
        match folded.strip_prefix("hmac").unwrap_or(&folded) {
            "sha1" | "sha" => Ok(Self::Sha1),
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(ParameterError::Hash(text.chars().take(40).collect())),
        }
    }
}

/// How many decimal digits a code has, 4 to 10. RFC 4226 section 5.3 speaks of 6 and more; the Molto2 also does 4,
/// and 10 is the most that 31 bits fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Digits(u8);

impl Digits {
    /// What nearly every server expects.
    pub const SIX: Self = Self(6);
    /// The other common length.
    pub const EIGHT: Self = Self(8);

    /// `n` digits, if that is 4 to 10.
    pub fn new(n: u64) -> Result<Self, ParameterError> {
        match u8::try_from(n) {
            Ok(small @ 4..=10) => Ok(Self(small)),
            _ => Err(ParameterError::Digits(n)),
        }
    }

    /// The number itself.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Digits {
    type Error = ParameterError;
    fn try_from(n: u8) -> Result<Self, Self::Error> {
        Self::new(n.into())
    }
}

impl From<Digits> for u8 {
    fn from(digits: Digits) -> Self {
        digits.0
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The time step `X` in seconds, RFC 6238 section 4.1: any whole number from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Period(NonZeroU32);

impl Period {
    /// The usual period.
    pub const THIRTY: Self = Self(NonZeroU32::new(30).expect("30 is not zero"));
    /// The other common one.
    pub const SIXTY: Self = Self(NonZeroU32::new(60).expect("60 is not zero"));

    /// A period of `seconds`, if that is at least 1 and fits 32 bits.
    pub fn from_secs(seconds: u64) -> Result<Self, ParameterError> {
        u32::try_from(seconds).ok().and_then(NonZeroU32::new).map(Self).ok_or(ParameterError::Period(seconds))
    }

    /// Whole seconds, at least 1.
    pub fn as_secs(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

/// What moves a code on: time (RFC 6238) or a button (RFC 4226).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "type")]
pub enum Mode {
    /// Time-based.
    Totp {
        /// The time step `X`.
        period: Period,
        /// The moment from which steps are counted; 1970 unless said otherwise.
        #[serde(default = "unix_epoch")]
        t0: UnixTime,
    },
    /// Counter-based.
    Hotp {
        /// The counter `C` of the next code.
        counter: u64,
    },
}

fn unix_epoch() -> UnixTime {
    UnixTime(0)
}

/// Whether a key calculates a code by itself, or only once its button is touched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Touch {
    /// At any time.
    #[default]
    Free,
    /// When it is touched.
    Required,
}

impl Touch {
    /// Whether that is the usual case, which nobody needs to be told.
    pub fn is_free(&self) -> bool {
        *self == Self::Free
    }
}

/// Everything besides the seed that decides which code is shown when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parameters {
    /// The hash inside HMAC.
    pub hash: Hash,
    /// Length of the code.
    pub digits: Digits,
    /// Time or counter.
    #[serde(flatten)]
    pub mode: Mode,
}

impl Parameters {
    /// TOTP counted from 1970.
    pub fn totp(hash: Hash, digits: Digits, period: Period) -> Self {
        Self { hash, digits, mode: Mode::Totp { period, t0: UnixTime(0) } }
    }

    /// The defaults of key URIs: TOTP, SHA-1, six digits, 30 s.
    pub fn standard() -> Self {
        Self::totp(Hash::Sha1, Digits::SIX, Period::THIRTY)
    }

    /// The period, for TOTP.
    pub fn period(&self) -> Option<Period> {
        match self.mode {
            Mode::Totp { period, .. } => Some(period),
            Mode::Hotp { .. } => None,
        }
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mode {
            Mode::Totp { period, t0 } => {
                write!(f, "TOTP {} {} digits {period}", self.hash, self.digits)?;
                if t0 == UnixTime(0) { Ok(()) } else { write!(f, " from {t0}") }
            }
            Mode::Hotp { counter } => {
                write!(f, "HOTP {} {} digits counter {counter}", self.hash, self.digits)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_read_in_every_spelling_of_the_field() {
        for text in ["SHA1", "sha-1", "HMACSHA1", "HMAC-SHA1", "HmacSHA1"] {
            assert_eq!(text.parse(), Ok(Hash::Sha1), "{text}");
        }
        assert_eq!("HMac-SHA_512".parse(), Ok(Hash::Sha512));
        assert_eq!("MD5".parse::<Hash>(), Err(ParameterError::Hash("MD5".into())));
    }

    #[test]
    fn digits_and_periods_have_bounds() {
        assert!(Digits::new(3).is_err() && Digits::new(4).is_ok() && Digits::new(10).is_ok());
        assert!(Digits::new(11).is_err() && Digits::new(262).is_err());
        assert!(Period::from_secs(0).is_err() && Period::from_secs(1).is_ok());
        assert!(Period::from_secs(1 << 32).is_err());
    }

    #[test]
    fn parameters_survive_json() {
        for parameters in [
            Parameters::standard(),
            Parameters { hash: Hash::Sha512, digits: Digits::EIGHT, mode: Mode::Hotp { counter: u64::MAX } },
        ] {
            let text = serde_json::to_string(&parameters).unwrap();
            assert_eq!(serde_json::from_str::<Parameters>(&text).unwrap(), parameters, "{text}");
        }
        assert!(
            serde_json::from_str::<Parameters>(r#"{"hash":"SHA1","digits":3,"type":"totp","period":30}"#)
                .is_err()
        );
    }
}
