//! The code a seed shows. RFC 4226 (HOTP) and RFC 6238 (TOTP).

use super::{
    params::{Digits, Hash, Mode, Parameters, Period},
    seed::Seed,
    time::UnixTime,
};
use hmac::{Hmac, KeyInit, Mac};
use std::fmt;
use subtle::ConstantTimeEq;

/// The moving factor: `T` of RFC 6238 or `C` of RFC 4226.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepCount(pub u64);

/// A one-time code: 4 to 10 decimal digits with their leading zeros.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Code(String);

/// A text that is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code is 4 to 10 decimal digits")]
pub struct NotACode;

impl Code {
    /// Reads a code as people type it: blanks and hyphens between the digits are dropped.
    pub fn parse(text: &str) -> Result<Self, NotACode> {
        let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        let plausible = (4..=10).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if plausible { Ok(Self(digits)) } else { Err(NotACode) }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether two codes are the same, in time that depends on their lengths only.
    pub fn same_as(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({} digits)", self.0.len())
    }
}

/// `T` at `now`: whole periods since `t0`; `None` before it. RFC 6238 section 4.2.
pub fn step_at(now: UnixTime, t0: UnixTime, period: Period) -> Option<StepCount> {
    let since = u64::try_from(now.0.checked_sub(t0.0)?).ok()?;
    Some(StepCount(since / u64::from(period.as_secs())))
}

/// The code shown at step `t`: `digits` decimal digits, left-padded with zeros. RFC 4226 section 5.3.
/// Cannot fail: HMAC takes a seed of any length.
pub fn code(seed: &Seed, hash: Hash, digits: Digits, t: StepCount) -> Code {
    let moving = t.0.to_be_bytes();
    let binary = match hash {
        Hash::Sha1 => truncate(&mac::<Hmac<sha1::Sha1>>(seed, &moving)),
        Hash::Sha256 => truncate(&mac::<Hmac<sha2::Sha256>>(seed, &moving)),
        Hash::Sha512 => truncate(&mac::<Hmac<sha2::Sha512>>(seed, &moving)),
    };
    let width = usize::from(digits.get());
    let value = u64::from(binary) % 10u64.pow(digits.get().into());
    Code(format!("{value:0width$}"))
}

fn mac<M: Mac + KeyInit>(seed: &Seed, message: &[u8]) -> hmac::digest::Output<M> {
    let mut mac = <M as KeyInit>::new_from_slice(seed.expose()).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes()
}

/// Dynamic truncation: 31 bits from where the last nibble points. RFC 4226 section 5.3.
fn truncate(mac: &[u8]) -> u32 {
    let offset = usize::from(mac[mac.len() - 1] & 0x0F);
    u32::from_be_bytes([mac[offset] & 0x7F, mac[offset + 1], mac[offset + 2], mac[offset + 3]])
}

/// The code that `parameters` give at `now` (TOTP), or at their counter (HOTP); `None` before T0.
pub fn code_at(seed: &Seed, parameters: &Parameters, now: UnixTime) -> Option<Code> {
    let t = match parameters.mode {
        Mode::Totp { period, t0 } => step_at(now, t0, period)?,
        Mode::Hotp { counter } => StepCount(counter),
    };
    Some(code(seed, parameters.hash, parameters.digits, t))
}

/// Where `offered` lies among the codes from `back` steps before to `ahead` steps after the one of `now` (for HOTP:
/// `ahead` counts after the counter; `back` is ignored): the distance in steps of the nearest match, the earlier
/// one of two equally near. RFC 4226 section 7.4, RFC 6238 section 5.2.
pub fn find_in_window(
    seed: &Seed,
    parameters: &Parameters,
    now: UnixTime,
    offered: &Code,
    back: u32,
    ahead: u32,
) -> Option<i64> {
    let (centre, back) = match parameters.mode {
        Mode::Totp { period, t0 } => (step_at(now, t0, period)?, back),
        Mode::Hotp { counter } => (StepCount(counter), 0),
    };
    let mut distances: Vec<i64> = (-i64::from(back)..=i64::from(ahead)).collect();
    distances.sort_by_key(|d| (d.abs(), *d));
    distances.into_iter().find(|d| {
        centre
            .0
            .checked_add_signed(*d)
            .is_some_and(|t| code(seed, parameters.hash, parameters.digits, StepCount(t)).same_as(offered))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc_seed(hash: Hash) -> Seed {
        let length = match hash {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha512 => 64,
        };
        Seed::new(b"1234567890".iter().copied().cycle().take(length).collect::<Vec<_>>())
    }

    /// RFC 4226 appendix D, the whole table.
    #[test]
    fn hotp_table_of_rfc_4226() {
        let expected = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
            "520489",
        ];
        for (count, code_text) in (0..).zip(expected) {
            let shown = code(&rfc_seed(Hash::Sha1), Hash::Sha1, Digits::SIX, StepCount(count));
            assert_eq!(shown.as_str(), code_text, "count {count}");
        }
    }

    /// RFC 6238 appendix B, the whole table (with the seed lengths of its erratum: 20, 32 and 64 bytes).
    #[test]
    fn totp_table_of_rfc_6238() {
        let table = [
            (59, ["94287082", "46119246", "90693936"]),
            (1_111_111_109, ["07081804", "68084774", "25091201"]),
            (1_111_111_111, ["14050471", "67062674", "99943326"]),
            (1_234_567_890, ["89005924", "91819424", "93441116"]),
            (2_000_000_000, ["69279037", "90698825", "38618901"]),
            (20_000_000_000, ["65353130", "77737706", "47863826"]),
        ];
        for (time, codes) in table {
            for (hash, expected) in Hash::ALL.into_iter().zip(codes) {
                let parameters = Parameters::totp(hash, Digits::EIGHT, Period::THIRTY);
                let shown = code_at(&rfc_seed(hash), &parameters, UnixTime(time));
                assert_eq!(shown.as_ref().map(Code::as_str), Some(expected), "{hash} at {time}");
            }
        }
    }

    #[test]
    fn steps_start_at_t0_and_do_not_exist_before() {
        let t0 = UnixTime(1_000);
        assert_eq!(step_at(UnixTime(999), t0, Period::THIRTY), None);
        assert_eq!(step_at(UnixTime(1_029), t0, Period::THIRTY), Some(StepCount(0)));
        assert_eq!(step_at(UnixTime(1_030), t0, Period::THIRTY), Some(StepCount(1)));
    }

    #[test]
    fn ten_digits_keep_their_leading_zeros() {
        let shown = code(&rfc_seed(Hash::Sha1), Hash::Sha1, Digits::new(10).unwrap(), StepCount(0));
        assert_eq!(shown.as_str(), "1284755224");
        let shown = code(&rfc_seed(Hash::Sha1), Hash::Sha1, Digits::new(4).unwrap(), StepCount(7));
        assert_eq!(shown.as_str(), "2583");
    }

    #[test]
    fn a_code_is_found_at_its_distance_and_not_beyond_the_window() {
        let parameters = Parameters::standard();
        let seed = rfc_seed(Hash::Sha1);
        let earlier = code_at(&seed, &parameters, UnixTime(940)).unwrap();
        assert_eq!(find_in_window(&seed, &parameters, UnixTime(1_000), &earlier, 2, 2), Some(-2));
        assert_eq!(find_in_window(&seed, &parameters, UnixTime(1_000), &earlier, 1, 2), None);
    }

    #[test]
    fn codes_are_read_as_people_type_them() {
        assert_eq!(Code::parse(" 123 456\r").unwrap().as_str(), "123456");
        assert!(Code::parse("12345a").is_err() && Code::parse("123").is_err() && Code::parse("").is_err());
        assert_eq!(format!("{:?}", Code::parse("123456").unwrap()), "Code(6 digits)");
    }
}
