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
    /// The hash that it takes for granted for a seed of so many bytes, where its own file format states none: other
    /// combinations are changed in silence.
    #[serde(default)]
    pub hash_by_seed_bytes: Vec<HashBySeedBytes>,
    /// In PSKC it understands `SHA256` only, and takes `HMAC-SHA256`, the usual spelling, for SHA-1 in silence.
    #[serde(default)]
    pub bare_suite_only: bool,
    /// How fast it lets tokens be activated by their codes, where an uploaded token is good for nothing before.
    #[serde(default)]
    pub activation: Option<Pace>,
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

/// So many in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// So many…
    pub codes: u32,
    /// …in any span of so many seconds.
    pub seconds: u32,
}

/// A rule of a server's file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HashBySeedBytes {
    /// Seeds of this length…
    pub bytes: usize,
    /// …are taken for this hash. Seeds of a length without a rule are taken for SHA-1.
    pub hash: Hash,
}

/// Something that a target would change without a word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{target} takes a seed of {seed_len_bytes} bytes for {taken} in its own file format, not for {hash}")]
pub struct SilentChange {
    /// The target.
    pub target: String,
    /// The seed's length.
    pub seed_len_bytes: usize,
    /// What it would take it for.
    pub taken: Hash,
    /// What it is.
    pub hash: Hash,
}

impl Remedy for SilentChange {
    fn remedy(&self) -> &'static str {
        "load this token by a way that states the hash (PSKC), or get a seed of a length that means this hash"
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }
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
        self.misfits(parameters, seed_len_bytes).into_iter().next().map_or(Ok(()), Err)
    }

    /// Everything about such a seed that the server would not accept.
    pub fn misfits(&self, parameters: &Parameters, seed_len_bytes: usize) -> Vec<TargetMisfit> {
        let target = || self.label.clone();
        let Parameters { hash, digits, mode } = *parameters;
        let mode = match mode {
            Mode::Hotp { .. } if !self.hotp => Some(TargetMisfit::Hotp { target: target() }),
            Mode::Hotp { .. } => None,
            Mode::Totp { t0, .. } if t0 != UnixTime(0) => {
                Some(TargetMisfit::StartTime { target: target(), t0 })
            }
            Mode::Totp { period, .. } if !self.periods.contains(&period) => {
                Some(TargetMisfit::Period { target: target(), period, fits: self.periods.clone() })
            }
            Mode::Totp { .. } => None,
        };
        let hash = (!self.hashes.contains(&hash)).then(|| TargetMisfit::Hash {
            target: target(),
            hash,
            fits: self.hashes.clone(),
        });
        let digits = (!self.digits.contains(&digits)).then(|| TargetMisfit::Digits {
            target: target(),
            digits,
            fits: self.digits.clone(),
        });
        let length = (!self.seed_bytes.hold(seed_len_bytes)).then(|| TargetMisfit::SeedLength {
            target: target(),
            seed_len_bytes,
            fits: self.seed_bytes,
        });
        [mode, hash, digits, length].into_iter().flatten().collect()
    }

    /// What the server would take for something else without a word, though it can check such codes.
    pub fn silent_change(&self, parameters: &Parameters, seed_len_bytes: usize) -> Option<SilentChange> {
        if self.hash_by_seed_bytes.is_empty() {
            return None;
        }
        let rule = self.hash_by_seed_bytes.iter().find(|rule| rule.bytes == seed_len_bytes);
        let taken = rule.map_or(Hash::Sha1, |rule| rule.hash);
        let hash = parameters.hash;
        (taken != hash).then(|| SilentChange { target: self.label.clone(), seed_len_bytes, taken, hash })
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
    fn every_misfit_is_told_at_once() {
        let parameters = Parameters::totp(Hash::Sha512, Digits::EIGHT, Period::from_secs(15).unwrap());
        let catalog = Catalog::built_in();
        assert_eq!(catalog.target("entra").unwrap().misfits(&parameters, 81).len(), 4);
    }

    #[test]
    fn a_hash_taken_from_the_seeds_length_is_a_silent_change() {
        let change = |target: &str, hash: Hash, seed_len_bytes: usize| {
            let parameters = Parameters::totp(hash, Digits::SIX, Period::THIRTY);
            Catalog::built_in().target(target).unwrap().silent_change(&parameters, seed_len_bytes)
        };
        for target in ["privacyidea", "linotp"] {
            assert_eq!(change(target, Hash::Sha1, 20), None, "{target}");
            assert_eq!(change(target, Hash::Sha256, 32), None, "{target}");
            assert_eq!(change(target, Hash::Sha512, 64), None, "{target}");
            let changed = change(target, Hash::Sha1, 32).unwrap();
            assert_eq!((changed.taken, changed.remedy().len() > 20), (Hash::Sha256, true));
            assert_eq!(change(target, Hash::Sha256, 20).unwrap().taken, Hash::Sha1, "{target}");
        }
        assert_eq!(change("entra", Hash::Sha1, 32), None);
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
