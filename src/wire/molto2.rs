//! Token2 Molto2 (50 profiles) and Molto2 v2 (100), over USB CCID. Protocol page `molto2`; no firmware of theirs is
//! public, so what the device does is known from the vendor's tools and from observation only.

use super::common::{self, Body};
use super::sm4::Key;
use super::{Challenge, Configuration, EncodeError, Info, ReplyError};
use crate::domain::{CustomerKey, Digits, Hash, Parameters, Period, Profile, Seed, Serial, UnixTime};
use crate::link::{Apdu, StatusWord};
use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

/// Profiles of the larger generation, numbered 0 to 99. The first generation has 50 and does not say so.
pub const MAX_PROFILES: u8 = 100;

/// The longest title, in bytes (not characters).
pub const TITLE_MAX_BYTES: usize = 12;

/// Accepted, and waiting for the up-arrow button (factory reset, key change).
pub const AWAITS_BUTTON: StatusWord = StatusWord(0x9060);

/// The profile to be deleted holds no seed.
pub const ALREADY_EMPTY: StatusWord = StatusWord(0x6A83);

/// The customer key that tokens are delivered with, and that a factory reset restores: ASCII `TOKEN2MOLTO1-KEY`.
/// Published by the vendor and no secret.
pub fn default_key() -> CustomerKey {
    CustomerKey::new(*b"TOKEN2MOLTO1-KEY")
}

/// The first 16 bytes of SHA-1 over a customer key of any length: all of it that reaches the device.
fn derived(key: &CustomerKey) -> Result<Zeroizing<[u8; 16]>, EncodeError> {
    if key.expose().is_empty() {
        return Err(EncodeError::KeyLength(0));
    }
    let digest: Zeroizing<[u8; 20]> = Zeroizing::new(Sha1::digest(key.expose()).into());
    let mut short = Zeroizing::new([0; 16]);
    short.copy_from_slice(&digest[..16]);
    Ok(short)
}

/// The key a conversation runs under. An empty customer key is refused.
pub fn session_key(key: &CustomerKey) -> Result<Key, EncodeError> {
    Ok(Key::new(&*derived(key)?))
}

/// Asks for serial and clock. Needs no authentication.
pub fn get_info() -> Apdu {
    Apdu::plain([0x80, 0x41, 0x00, 0x00, 0x00])
}

/// Reads the answer to [`get_info`]. Serials of 8 and of 15 digits were seen; any length that a serial can have is
/// taken.
pub fn parse_info(data: &[u8]) -> Result<Info, ReplyError> {
    common::parse_info(data, 1..=Serial::MAX_LEN)
}

/// Asks for a challenge. Assumed to drop an authentication that was there, as on the single-profile family.
pub fn get_challenge() -> Apdu {
    Apdu::plain([0x80, 0x4B, 0x08, 0x00, 0x00])
}

/// Reads the answer to [`get_challenge`].
pub fn parse_challenge(data: &[u8]) -> Result<Challenge, ReplyError> {
    common::parse_challenge(data)
}

/// Answers the challenge. The device counts wrong answers and locks.
pub fn answer(key: &Key, challenge: &Challenge) -> Apdu {
    common::answer(key, challenge)
}

/// How many tries a status word says are left, where it is the refusal of an answer: 63 NN, the whole second byte being
/// the number.
pub fn tries_left(status: StatusWord) -> Option<u8> {
    let [first, second] = status.0.to_be_bytes();
    (first == 0x63).then_some(second)
}

/// What anybody with access to the port can read of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicBlock {
    /// Meaning unknown; 20 (hexadecimal) was seen on a written profile.
    pub flag: u8,
    /// The title up to its first zero byte; survives the deletion of the seed.
    pub title: Vec<u8>,
    /// Two time fields of unconfirmed meaning; not to be shown as dates.
    pub times: [u32; 2],
    /// 1 SHA-1, 2 SHA-256; 0 was seen on profiles never written.
    pub hash: u8,
    /// The period in seconds.
    pub period_s: u8,
    /// Digits of a code.
    pub digits: u8,
    /// Whether the profile holds a seed; the only byte that tells.
    pub seed_present: bool,
}

impl PublicBlock {
    /// Hash, period and digits, where all three are among those that kiln can write. Says nothing about whether the
    /// profile is used: empty ones may carry defaults.
    pub fn parameters(&self) -> Option<Parameters> {
        let hash = match self.hash {
            1 => Hash::Sha1,
            2 => Hash::Sha256,
            _ => return None,
        };
        let period = match self.period_s {
            30 => Period::THIRTY,
            60 => Period::SIXTY,
            _ => return None,
        };
        Some(Parameters::totp(hash, Digits::new(self.digits.into()).ok()?, period))
    }
}

/// Asks for the public block of a profile. Sent without Le: with it the device answers 6FFB.
pub fn get_public_block(profile: Profile) -> Result<Apdu, EncodeError> {
    Ok(Apdu::plain([0x80, 0x41, 0x00, number(profile)?, 0x01, 0x70]))
}

/// Reads the answer to [`get_public_block`]: tag 95 around tag 70 around 29 bytes.
pub fn parse_public_block(data: &[u8]) -> Result<PublicBlock, ReplyError> {
    const ENVELOPE: [u8; 4] = [0x95, 0x1F, 0x70, 0x1D];
    let block: &[u8; 33] =
        data.try_into().map_err(|_| ReplyError::Length { expected: 33, found: data.len() })?;
    if let Some(at) = (0..ENVELOPE.len()).find(|&at| block[at] != ENVELOPE[at]) {
        return Err(ReplyError::Byte { at, found: block[at] });
    }
    let seed_present = match block[32] {
        0 => false,
        1 => true,
        found => return Err(ReplyError::Byte { at: 32, found }),
    };
    let title = block[5..21].split(|&byte| byte == 0).next().unwrap_or_default().to_vec();
    let time = |at: usize| u32::from_be_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    Ok(PublicBlock {
        flag: block[4],
        title,
        times: [time(21), time(25)],
        hash: block[29],
        period_s: block[30],
        digits: block[31],
        seed_present,
    })
}

/// Sets clock, display timeout, hash, digits (4, 6, 8 or 10) and period of a profile. The vendor's tool does this while
/// the profile is empty.
pub fn write_configuration(
    key: &Key,
    profile: Profile,
    configuration: &Configuration,
    at: UnixTime,
) -> Result<Apdu, EncodeError> {
    let parameters = &configuration.parameters;
    let digits = match parameters.digits.get() {
        digits @ (4 | 6 | 8 | 10) => digits,
        _ => return Err(EncodeError::Digits(parameters.digits)),
    };
    let timeout = common::timeout_byte(configuration.display_timeout_s)?;
    let hash = common::hash_byte(parameters.hash)?;
    let period = common::period_byte(parameters.mode)?;
    let [t3, t2, t1, t0] = common::clock_bytes(at)?;
    let body = [
        0x81, 0x14, 0x1F, 0x01, timeout, 0x0F, 0x04, t3, t2, t1, t0, 0x86, 0x09, 0x0A, 0x01, hash, 0x0B,
        0x01, digits, 0x0D, 0x01, period,
    ];
    Ok(common::secured(key, [0xD4, 0x01, number(profile)?], &body, Body::Open))
}

/// Sets the clock through one profile. Whether the device keeps one clock or one for each profile is not published;
/// the vendor's tool sends this for every profile.
pub fn sync_time(key: &Key, profile: Profile, at: UnixTime) -> Result<Apdu, EncodeError> {
    let [t3, t2, t1, t0] = common::clock_bytes(at)?;
    let body = [0x81, 0x06, 0x0F, 0x04, t3, t2, t1, t0];
    Ok(common::secured(key, [0xD4, 0x01, number(profile)?], &body, Body::Open))
}

/// Writes the seed of an empty profile: 1 to 63 raw bytes, not all of them zero.
pub fn write_seed(key: &Key, profile: Profile, seed: &Seed) -> Result<Apdu, EncodeError> {
    if seed.len_bytes() > 0 && seed.is_all_zero() {
        return Err(EncodeError::ZeroSeed);
    }
    let body: Zeroizing<Vec<u8>> = common::encrypted_seed(key, seed)?;
    Ok(common::secured(key, [0xC5, 0x01, number(profile)?], &body, Body::Secret))
}

/// Writes the title of a profile: 1 to 12 bytes, shown after the profile's number. It can be read by anybody with
/// access to the port, so no secret or full account name belongs in it; a single space looks blank.
pub fn write_title(key: &Key, profile: Profile, title: &str) -> Result<Apdu, EncodeError> {
    if !(1..=TITLE_MAX_BYTES).contains(&title.len()) {
        return Err(EncodeError::TitleLength(title.len()));
    }
    if title.chars().any(char::is_control) {
        return Err(EncodeError::TitleText);
    }
    let body = key.encrypt_padded(title.as_bytes());
    Ok(common::secured(key, [0xD5, 0x00, number(profile)?], &body, Body::Open))
}

/// Deletes the seed of a profile; title and configuration stay. The device was seen to obey without authentication.
pub fn delete_seed(profile: Profile) -> Result<Apdu, EncodeError> {
    Ok(Apdu::plain([0x80, 0xE6, 0x00, number(profile)?, 0x00]))
}

/// Replaces the customer key once the button is pressed. An empty new key is refused.
pub fn change_key(current: &Key, new: &CustomerKey) -> Result<Apdu, EncodeError> {
    let mut plaintext = Zeroizing::new([0; 17]);
    plaintext[1..].copy_from_slice(&*derived(new)?);
    let body = current.encrypt_padded(&*plaintext);
    Ok(common::secured(current, [0xD7, 0x00, 0x00], &body, Body::Secret))
}

/// Erases all profiles and restores [`default_key`], once the button is pressed. Needs no key.
pub fn factory_reset() -> Apdu {
    Apdu::plain([0x80, 0x56, 0x00, 0x00, 0x00])
}

/// Locks the screen (v2, from firmware 2.1).
pub fn lock_screen() -> Apdu {
    Apdu::plain([0x80, 0xD8, 0x0C, 0x02, 0x00])
}

/// Unlocks the screen (v2, from firmware 2.1), in the form of the vendor's current tool.
pub fn unlock_screen() -> Apdu {
    Apdu::plain([0x80, 0xD8, 0x0C, 0x02, 0x01, 0x01])
}

fn number(profile: Profile) -> Result<u8, EncodeError> {
    if profile.number() < MAX_PROFILES { Ok(profile.number()) } else { Err(EncodeError::Profile(profile)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        session_key(&default_key()).unwrap()
    }

    #[test]
    fn a_seed_of_zeros_would_clear_the_profile_and_is_refused() {
        for len in [1, 16, 20, 63] {
            let refused = write_seed(&key(), Profile::ZERO, &Seed::new(vec![0; len]));
            assert_eq!(refused.map(|_| ()), Err(EncodeError::ZeroSeed), "{len} bytes");
        }
        let mut last = [0; 20];
        last[19] = 1;
        assert!(write_seed(&key(), Profile::ZERO, &Seed::new(last)).is_ok());
    }

    #[test]
    fn seeds_have_1_to_63_bytes() {
        for len in [0, 64] {
            let refused = write_seed(&key(), Profile::ZERO, &Seed::new(vec![1; len]));
            assert_eq!(refused.map(|_| ()), Err(EncodeError::SeedLength(len)));
        }
        assert!(write_seed(&key(), Profile::ZERO, &Seed::new([1; 63])).is_ok());
    }

    #[test]
    fn titles_are_counted_in_bytes() {
        let title = |text: &str| write_title(&key(), Profile::ZERO, text).map(|_| ());
        assert_eq!(title("ÄÖÜäöü"), Ok(()));
        assert_eq!(title("ÄÖÜäöüß"), Err(EncodeError::TitleLength(14)));
        assert_eq!(title(""), Err(EncodeError::TitleLength(0)));
        assert_eq!(title("a\0b"), Err(EncodeError::TitleText));
    }

    #[test]
    fn profiles_end_at_99() {
        assert!(get_public_block(Profile::new(99)).is_ok());
        let beyond = Profile::new(100);
        let refused = Err(EncodeError::Profile(beyond));
        assert_eq!(get_public_block(beyond).map(|_| ()), refused);
        assert_eq!(delete_seed(beyond).map(|_| ()), refused);
        assert_eq!(write_seed(&key(), beyond, &Seed::new([1])).map(|_| ()), refused);
        assert_eq!(write_title(&key(), beyond, "x").map(|_| ()), refused);
        assert_eq!(sync_time(&key(), beyond, UnixTime(0)).map(|_| ()), refused);
        let configuration = Configuration { parameters: Parameters::standard(), display_timeout_s: 30 };
        assert_eq!(write_configuration(&key(), beyond, &configuration, UnixTime(0)).map(|_| ()), refused);
    }

    #[test]
    fn it_shows_4_6_8_or_10_digits() {
        for digits in 4..=10 {
            let parameters = Parameters { digits: Digits::new(digits).unwrap(), ..Parameters::standard() };
            let configuration = Configuration { parameters, display_timeout_s: 120 };
            let taken = write_configuration(&key(), Profile::ZERO, &configuration, UnixTime(0)).is_ok();
            assert_eq!(taken, digits % 2 == 0, "{digits}");
        }
    }

    #[test]
    fn a_public_block_is_read_strictly() {
        let mut good = [0; 33];
        good[..4].copy_from_slice(&[0x95, 0x1F, 0x70, 0x1D]);
        good[5..9].copy_from_slice(b"mail");
        good[29..].copy_from_slice(&[2, 60, 8, 1]);
        let block = parse_public_block(&good).unwrap();
        assert_eq!((block.title.as_slice(), block.seed_present), (&b"mail"[..], true));
        let expected = Parameters::totp(Hash::Sha256, Digits::EIGHT, Period::SIXTY);
        assert_eq!(block.parameters(), Some(expected));

        for len in 0..good.len() {
            assert!(parse_public_block(&good[..len]).is_err(), "{len} bytes");
        }
        for at in [0, 1, 2, 3, 32] {
            let mut bad = good;
            bad[at] ^= 0x40;
            assert_eq!(parse_public_block(&bad), Err(ReplyError::Byte { at, found: bad[at] }));
        }
    }

    #[test]
    fn an_empty_profile_may_carry_no_parameters() {
        let mut empty = [0; 33];
        empty[..4].copy_from_slice(&[0x95, 0x1F, 0x70, 0x1D]);
        let block = parse_public_block(&empty).unwrap();
        assert_eq!((block.parameters(), block.seed_present, block.title.len()), (None, false, 0));
    }

    #[test]
    fn an_empty_customer_key_is_refused() {
        let none = CustomerKey::new([]);
        assert_eq!(session_key(&none).map(|_| ()), Err(EncodeError::KeyLength(0)));
        assert_eq!(change_key(&key(), &none).map(|_| ()), Err(EncodeError::KeyLength(0)));
    }

    #[test]
    fn the_whole_second_byte_of_a_refusal_counts() {
        assert_eq!(tries_left(StatusWord(0x630A)), Some(10));
        assert_eq!(tries_left(StatusWord(0x6983)), None);
    }
}
