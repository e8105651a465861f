//! What can be wrong, by the names that `--json` uses, and how often it is.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that explains why a code is rejected, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Nothing: this is the code on record for that moment.
    Ok,
    /// Typed (or read out) a step or two late or early.
    Late,
    /// The token's clock runs ahead or behind.
    Drift,
    /// The clock was set in local time, or in another zone.
    Zone,
    /// The date is wrong, or the clock was reset.
    Date,
    /// Another period.
    Period,
    /// Another hash.
    Hash,
    /// Another code length.
    Digits,
    /// Steps counted from another moment.
    T0,
    /// Counter-based instead of time-based, or the counter ran away.
    Hotp,
    /// The seed's text was decoded by another rule.
    SeedEncoding,
    /// A part of the seed.
    SeedTruncated,
    /// One character of the seed's text misread.
    SeedTypo,
    /// The seed that the profile held, or should have held, before or instead.
    PreviousSeed,
    /// The parameters that the profile had before.
    PreviousParameters,
    /// Another profile of the same token.
    OtherProfile,
    /// Another token.
    OtherToken,
    /// A whole batch burned one place off.
    BatchShift,
    /// The code was mistyped.
    Typo,
    /// The code was misread from the display.
    Misread,
    /// Symptom: the profile holds no seed.
    NoSeed,
    /// Symptom: the display is off, or the battery is empty.
    NoPower,
    /// Symptom: the token reports or has a fault.
    Fault,
    /// Symptom: the display still shows what it computed before it was programmed.
    StaleDisplay,
}

impl Cause {
    /// All that codes can show, in the order of the list; what only symptoms show is not among them.
    pub const OF_CODES: [Self; 20] = [
        Self::Ok,
        Self::Late,
        Self::Drift,
        Self::Zone,
        Self::Date,
        Self::Period,
        Self::Hash,
        Self::Digits,
        Self::T0,
        Self::Hotp,
        Self::SeedEncoding,
        Self::SeedTruncated,
        Self::SeedTypo,
        Self::PreviousSeed,
        Self::PreviousParameters,
        Self::OtherProfile,
        Self::OtherToken,
        Self::BatchShift,
        Self::Typo,
        Self::Misread,
    ];

    /// Its share among the codes that people ask about, before anything is known: assumed, from what help desks and
    /// vendors' support pages name most. The shares and [`PRIOR_NONE`] add up to one. Within a cause the share is
    /// spread over its candidates. Zero for symptoms.
    pub fn prior(self) -> f64 {
        match self {
            Self::Ok => 0.25,
            Self::Late => 0.16,
            Self::Drift => 0.14,
            Self::Zone => 0.04,
            Self::Date => 0.025,
            Self::Period => 0.03,
            Self::Hash => 0.03,
            Self::Digits => 0.02,
            Self::T0 => 0.003,
            Self::Hotp => 0.012,
            Self::SeedEncoding => 0.035,
            Self::SeedTruncated => 0.01,
            Self::SeedTypo => 0.015,
            Self::PreviousSeed => 0.04,
            Self::PreviousParameters => 0.02,
            Self::OtherProfile => 0.03,
            Self::OtherToken => 0.05,
            Self::BatchShift => 0.01,
            Self::Typo => 0.035,
            Self::Misread => 0.015,
            Self::NoSeed | Self::NoPower | Self::Fault | Self::StaleDisplay => 0.0,
        }
    }

    /// The share of a cause where `Ok` counts as one: what a second, independent fault multiplies a first one by.
    pub(super) fn odds(self) -> f64 {
        self.prior() / Self::Ok.prior()
    }

    /// As `--json` and the report write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Late => "late",
            Self::Drift => "drift",
            Self::Zone => "zone",
            Self::Date => "date",
            Self::Period => "period",
            Self::Hash => "hash",
            Self::Digits => "digits",
            Self::T0 => "t0",
            Self::Hotp => "hotp",
            Self::SeedEncoding => "seed-encoding",
            Self::SeedTruncated => "seed-truncated",
            Self::SeedTypo => "seed-typo",
            Self::PreviousSeed => "previous-seed",
            Self::PreviousParameters => "previous-parameters",
            Self::OtherProfile => "other-profile",
            Self::OtherToken => "other-token",
            Self::BatchShift => "batch-shift",
            Self::Typo => "typo",
            Self::Misread => "misread",
            Self::NoSeed => "no-seed",
            Self::NoPower => "no-power",
            Self::Fault => "fault",
            Self::StaleDisplay => "stale-display",
        }
    }
}

/// The share of codes that nothing here explains.
pub const PRIOR_NONE: f64 = 0.03;

/// What each further fault beside a first one is taken down by. The shares of single causes add up to one already, and
/// people ask after one thing went wrong more often than chance has two of them meet.
pub(super) const BESIDE: f64 = 0.25;

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_add_up_to_one() {
        let sum: f64 = Cause::OF_CODES.iter().map(|cause| cause.prior()).sum();
        assert!((sum + PRIOR_NONE - 1.0).abs() < 1e-9, "{sum}");
    }

    #[test]
    fn names_are_those_of_the_json() {
        for cause in Cause::OF_CODES.into_iter().chain([Cause::NoSeed, Cause::NoPower]) {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.name());
        }
    }
}
