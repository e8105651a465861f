//! What the server that will check the codes accepts. A seed that the token takes and the server doesn't makes a token
//! that works and never logs anybody in, so this is asked before a token is touched.

use super::{
    model::{Bounds, one_of},
    params::{Digits, Hash, Mode, Parameters, Period},
    time::UnixTime,
};
use crate::remedy::{Remedy, Retry};
use serde::{Deserialize, Serialize};

/// A server, or a way into one. Field by field the shape of a file under `profiles/targets/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Short, lower case; commands name the target by it.
    pub name: String,
    /// As people call it.
    pub label: String,
    /// The hashes it checks.
    pub hashes: Vec<Hash>,
    /// The code lengths it checks.
    pub digits: Vec<Digits>,
    /// The periods it checks.
    pub periods: Vec<Period>,
    /// Whether it takes counter-based seeds.
    pub hotp: bool,
    /// How many bytes a seed may have.
    pub seed_bytes: Bounds,
    /// How many steps before and after its own it accepts.
    pub drift_steps: u32,
    /// Whether it remembers a token's drift and moves the window along.
    pub learns_drift: bool,
    /// Where its administrators find the tokens. Empty: not known.
    #[serde(default)]
    pub tokens_at: String,
    /// How it is made to follow a token whose clock is off, as an order to a person. Empty: it can't be.
    #[serde(default)]
    pub resync: String,
    /// How another seed or other parameters get to it, as an order to a person. Empty: not known.
    #[serde(default)]
    pub change: String,
    /// What an operator should know besides.
    #[serde(default)]
    pub notes: String,
}

/// Something a target doesn't accept, with what it does. `target` is its label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetMisfit {
    /// A hash it doesn't check.
    #[error("{target} does not accept {hash}: {} would fit", one_of(fits))]
    Hash {
        /// The target.
        target: String,
        /// The one asked for.
        hash: Hash,
        /// Those it does.
        fits: Vec<Hash>,
    },
    /// A code length it doesn't check.
    #[error("{target} does not accept {digits} digits: {} would fit", one_of(fits))]
    Digits {
        /// The target.
        target: String,
        /// The length asked for.
        digits: Digits,
        /// Those it does.
        fits: Vec<Digits>,
    },
    /// A period it doesn't check.
    #[error("{target} does not accept a period of {period}: {} would fit", one_of(fits))]
    Period {
        /// The target.
        target: String,
        /// The one asked for.
        period: Period,
        /// Those it does.
        fits: Vec<Period>,
    },
    /// Counter-based codes.
    #[error("{target} does not accept counter-based codes: TOTP would fit")]
    Hotp {
        /// The target.
        target: String,
    },
    /// Steps counted from another moment than 1970.
    #[error("{target} counts steps from 1970-01-01T00:00:00Z only, not from {t0}")]
    StartTime {
        /// The target.
        target: String,
        /// The moment asked for.
        t0: UnixTime,
    },
    /// A seed that is too short or too long.
    #[error("{target} does not accept a seed of {seed_len_bytes} bytes: {fits} would fit")]
    SeedLength {
        /// The target.
        target: String,
        /// The length asked for.
        seed_len_bytes: usize,
        /// Its bounds.
        fits: Bounds,
    },
}

impl Remedy for TargetMisfit {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Hash { .. } | Self::Digits { .. } | Self::Period { .. } | Self::StartTime { .. } => {
                "state what fits in the recipe or get seeds issued for it; if the server does accept this, correct its target file"
            }
            Self::Hotp { .. } => "get TOTP seeds, or name another target",
            Self::SeedLength { .. } => {
                "get seeds of a length that fits; if the server does accept this one, correct its target file"
            }
        }
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }
}

impl Target {
    /// Whether the server would accept the codes of such a seed; the first thing it wouldn't, else.
    pub fn check(&self, parameters: &Parameters, seed_len_bytes: usize) -> Result<(), TargetMisfit> {
        let target = || self.label.clone();
        match parameters.mode {
            Mode::Hotp { .. } if !self.hotp => return Err(TargetMisfit::Hotp { target: target() }),
            Mode::Hotp { .. } => {}
            Mode::Totp { t0, .. } if t0 != UnixTime(0) => {
                return Err(TargetMisfit::StartTime { target: target(), t0 });
            }
            Mode::Totp { period, .. } if !self.periods.contains(&period) => {
                return Err(TargetMisfit::Period { target: target(), period, fits: self.periods.clone() });
            }
            Mode::Totp { .. } => {}
        }
        let Parameters { hash, digits, .. } = *parameters;
        if !self.hashes.contains(&hash) {
            return Err(TargetMisfit::Hash { target: target(), hash, fits: self.hashes.clone() });
        }
        if !self.digits.contains(&digits) {
            return Err(TargetMisfit::Digits { target: target(), digits, fits: self.digits.clone() });
        }
        if !self.seed_bytes.hold(seed_len_bytes) {
            return Err(TargetMisfit::SeedLength { target: target(), seed_len_bytes, fits: self.seed_bytes });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalog::Catalog;

    fn check(
        target: &str,
        hash: Hash,
        digits: u64,
        period: u64,
        seed_len: usize,
    ) -> Result<(), TargetMisfit> {
        let parameters =
            Parameters::totp(hash, Digits::new(digits).unwrap(), Period::from_secs(period).unwrap());
        Catalog::built_in().target(target).unwrap().check(&parameters, seed_len)
    }

    #[test]
    fn entra_by_csv_takes_sha_1_and_six_digits_only() {
        assert_eq!(check("entra", Hash::Sha1, 6, 60, 20), Ok(()));
        assert_eq!(check("entra", Hash::Sha1, 6, 30, 80), Ok(()));
        assert_eq!(
            check("entra", Hash::Sha256, 6, 30, 20).unwrap_err().to_string(),
            "Entra ID (CSV upload) does not accept SHA-256: SHA-1 would fit"
        );
        assert!(matches!(check("entra", Hash::Sha1, 8, 30, 20), Err(TargetMisfit::Digits { .. })));
        assert!(matches!(check("entra", Hash::Sha1, 6, 15, 20), Err(TargetMisfit::Period { .. })));
        assert!(matches!(check("entra", Hash::Sha1, 6, 30, 81), Err(TargetMisfit::SeedLength { .. })));
        assert_eq!(check("entra-graph", Hash::Sha256, 6, 30, 32), Ok(()));
    }

    #[test]
    fn a_server_with_counters_takes_them() {
        let catalog = Catalog::built_in();
        let hotp = Parameters { mode: Mode::Hotp { counter: 7 }, ..Parameters::standard() };
        assert_eq!(catalog.target("duo").unwrap().check(&hotp, 20), Ok(()));
        let refused = catalog.target("okta").unwrap().check(&hotp, 20);
        assert!(matches!(refused, Err(TargetMisfit::Hotp { .. })));
    }

    #[test]
    fn another_start_time_fits_no_server() {
        let mode = Mode::Totp { period: Period::THIRTY, t0: UnixTime(60) };
        let parameters = Parameters { mode, ..Parameters::standard() };
        for target in Catalog::built_in().targets() {
            let refused = target.check(&parameters, 20);
            assert!(matches!(refused, Err(TargetMisfit::StartTime { .. })), "{}", target.name);
        }
    }

    #[test]
    fn every_misfit_has_a_remedy() {
        let target = String::from("T");
        for misfit in [
            TargetMisfit::Hash { target: target.clone(), hash: Hash::Sha1, fits: vec![] },
            TargetMisfit::Digits { target: target.clone(), digits: Digits::SIX, fits: vec![] },
            TargetMisfit::Period { target: target.clone(), period: Period::SIXTY, fits: vec![] },
            TargetMisfit::Hotp { target: target.clone() },
            TargetMisfit::StartTime { target: target.clone(), t0: UnixTime(1) },
            TargetMisfit::SeedLength { target, seed_len_bytes: 0, fits: Bounds { min: 1, max: 2 } },
        ] {
            assert!(misfit.remedy().len() > 10 && misfit.retry() == Retry::Never, "{misfit}");
        }
    }
}
