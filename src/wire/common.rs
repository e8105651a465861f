//! What the two Token2 families share: the info block, the challenge, secured commands, and the pieces of a
//! configuration.

use super::sm4::{BLOCK_BYTES, Key, MAC_BYTES};
use crate::domain::{Digits, Hash, Mode, Parameters, Period, Profile, Seed, Serial, UnixTime};
use crate::link::Apdu;
use crate::remedy::{Remedy, Retry};
use std::ops::RangeInclusive;
use zeroize::Zeroizing;

/// The longest seed either family stores, in bytes: 64 with its padding.
pub const SEED_MAX_BYTES: usize = 63;

/// The display timeouts that exist, in seconds; the wire carries the index.
pub const DISPLAY_TIMEOUTS_S: [u16; 4] = [15, 30, 60, 120];

/// What a token tells without being unlocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The serial the token calls its own.
    pub serial: Serial,
    /// The token's clock when it made the answer, in whole seconds.
    pub clock: UnixTime,
}

/// What a configuration command sets besides the clock. Neither family lets one set parts of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Configuration {
    /// Hash, digits and period.
    pub parameters: Parameters,
    /// For how many seconds the display stays on: 15, 30, 60 or 120.
    pub display_timeout_s: u16,
}

/// Eight random bytes from the token, to be answered under the customer key. Good for one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge(pub [u8; 8]);

/// What a token of the family at hand cannot be told. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Neither SHA-1 nor SHA-256.
    #[error("it does not compute {0}")]
    Hash(Hash),
    /// A number of digits that the family does not show.
    #[error("it does not show codes of {0} digits")]
    Digits(Digits),
    /// Neither 30 nor 60 seconds.
    #[error("it does not know a period of {0}")]
    Period(Period),
    /// HOTP: neither family counts.
    #[error("it is time-based and keeps no counter")]
    Counter,
    /// A T0 other than 1970.
    #[error("it counts its periods from 1970, not from {0}")]
    StartTime(UnixTime),
    /// Not one of [`DISPLAY_TIMEOUTS_S`].
    #[error("it does not know a display timeout of {0} s")]
    DisplayTimeout(u16),
    /// Outside the 32 bits of the token's clock: before 1970 or after February 2106.
    #[error("its clock cannot hold {0}")]
    Clock(UnixTime),
    /// An empty seed, or one longer than [`SEED_MAX_BYTES`].
    #[error("it stores seeds of 1 to {SEED_MAX_BYTES} bytes, not of {0}")]
    SeedLength(usize),
    /// A seed of zeros only, which a Molto2 takes as the order to clear the profile.
    #[error("it takes a seed of zeros as the order to clear the profile")]
    ZeroSeed,
    /// An empty title, or one of more than 12 bytes.
    #[error("it stores titles of 1 to 12 bytes, not of {0}")]
    TitleLength(usize),
    /// A title with a control character.
    #[error("it cannot show a title with control characters")]
    TitleText,
    /// A profile number that no generation of the family has.
    #[error("it has no profile {0}")]
    Profile(Profile),
    /// A customer key of a length that the family cannot have.
    #[error("it cannot have a customer key of {0} bytes")]
    KeyLength(usize),
    /// No seed at all, for a key with an OATH applet, which takes one of any other length.
    #[error("it stores no empty seed")]
    EmptySeed,
    /// An empty credential name, or one of more than 64 bytes: the whole of it on an OATH applet, each of its two on
    /// Token2's keys.
    #[error("it stores names of 1 to 64 bytes, not of {0}")]
    NameLength(usize),
    /// A counter to begin with that it cannot be told: beyond 32 bits, or, on Token2's keys, any but 0.
    #[error("it cannot begin to count at {0}")]
    StartCounter(u64),
    /// No seed at all, or one of more than 64 bytes, for an entry of Token2's keys.
    #[error("it stores seeds of 1 to 64 bytes, not of {0}")]
    KeySeedLength(usize),
    /// A name with a character that Token2's keys don't take.
    #[error("it stores names of plain letters, digits and signs, without {0:?}")]
    NameCharacter(char),
    /// An entry that fits no short command, for a reader that takes no other.
    #[error("the command would have {0} bytes, and its reader carries 260")]
    ReaderTooShort(usize),
}

impl Remedy for EncodeError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Hash(_)
            | Self::Digits(_)
            | Self::Period(_)
            | Self::Counter
            | Self::StartTime(_)
            | Self::DisplayTimeout(_) => {
                "choose a recipe that this model can do, or a model that can do this recipe"
            }
            Self::Clock(_) => "set the station's own clock right",
            Self::SeedLength(_) => {
                "generate or import a seed of 1 to 63 bytes (20 for SHA-1, 32 for SHA-256)"
            }
            Self::ZeroSeed => "generate another seed: this one is no secret",
            Self::TitleLength(_) | Self::TitleText => "give the profile a plain title of 1 to 12 bytes",
            Self::Profile(_) => "choose a profile number that this model has (the Molto2 counts from 0)",
            Self::KeyLength(_) => {
                "check the form in which the customer key was entered: 16 bytes are 32 hex digits or 16 characters"
            }
            Self::EmptySeed => "generate or import a seed of 10 bytes or more",
            Self::NameLength(_) => {
                "shorten the title in the recipe, or the account in the file; kiln cuts neither"
            }
            Self::StartCounter(_) => "ask the server for a new seed, which begins to count at 0",
            Self::KeySeedLength(_) => {
                "generate or import a seed of 1 to 64 bytes (20 for SHA-1, 32 for SHA-256)"
            }
            Self::NameCharacter(_) => {
                "write the names with plain letters, digits and signs; kiln changes none"
            }
            Self::ReaderTooShort(_) => {
                "write it over USB or NFC instead of this reader, or shorten the names in the recipe"
            }
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Clock(_) => Retry::AfterOperator,
            Self::Hash(_)
            | Self::Digits(_)
            | Self::Period(_)
            | Self::Counter
            | Self::StartTime(_)
            | Self::DisplayTimeout(_)
            | Self::SeedLength(_)
            | Self::ZeroSeed
            | Self::TitleLength(_)
            | Self::TitleText
            | Self::Profile(_)
            | Self::KeyLength(_)
            | Self::EmptySeed
            | Self::NameLength(_)
            | Self::StartCounter(_)
            | Self::KeySeedLength(_)
            | Self::NameCharacter(_)
            | Self::ReaderTooShort(_) => Retry::Never,
        }
    }
}

/// A reply that is not what the family's tokens send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// Too short, or with bytes left over.
    #[error("{found} bytes instead of {expected}")]
    Length {
        /// What the layout asks for.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// A serial of a length that no token of the family has.
    #[error("a serial of {0} characters")]
    SerialLength(usize),
    /// A serial with something besides digits.
    #[error("a serial that is not made of digits")]
    SerialText,
    /// Another byte than the layout has in this place.
    #[error("byte {at} is {found:02X}")]
    Byte {
        /// Counted from 0.
        at: usize,
        /// What stands there.
        found: u8,
    },
    /// A record whose length goes past the end, or is written in no allowed form.
    #[error("the record at byte {at} does not fit")]
    Record {
        /// Counted from 0.
        at: usize,
    },
    /// A name that is no UTF-8.
    #[error("the name at byte {at} is no text")]
    Text {
        /// Where its record begins, counted from 0.
        at: usize,
    },
    /// A public key that is no point of its curve.
    #[error("a public key that does not lie on its curve")]
    Point,
}

/// Reads an info block: 3 opaque bytes, the serial's length, the serial in ASCII digits, 2 opaque bytes, the clock in
/// 4 bytes, most significant first.
pub(super) fn parse_info(data: &[u8], serial_digits: RangeInclusive<usize>) -> Result<Info, ReplyError> {
    const BEFORE: usize = 4;
    const SEPARATOR: usize = 2;
    const CLOCK: usize = 4;
    let Some(&count) = data.get(BEFORE - 1) else {
        return Err(ReplyError::Length {
            expected: BEFORE + serial_digits.start() + SEPARATOR + CLOCK,
            found: data.len(),
        });
    };
    let count = usize::from(count);
    if !serial_digits.contains(&count) {
        return Err(ReplyError::SerialLength(count));
    }
    let expected = BEFORE + count + SEPARATOR + CLOCK;
    if data.len() != expected {
        return Err(ReplyError::Length { expected, found: data.len() });
    }
    let digits = &data[BEFORE..BEFORE + count];
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(ReplyError::SerialText);
    }
    let serial =
        str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(ReplyError::SerialText)?;
    let clock = data[expected - CLOCK..].iter().fold(0, |clock, &byte| clock << 8 | i64::from(byte));
    Ok(Info { serial, clock: UnixTime(clock) })
}

/// Reads the token's challenge: exactly eight bytes.
pub(super) fn parse_challenge(data: &[u8]) -> Result<Challenge, ReplyError> {
    data.try_into().map(Challenge).map_err(|_| ReplyError::Length { expected: 8, found: data.len() })
}

/// The answer: one SM4 block over the challenge and eight zeros. It is masked in logs because challenge and answer
/// together let one try keys at leisure.
pub(super) fn answer(key: &Key, challenge: &Challenge) -> Apdu {
    let mut block = [0; BLOCK_BYTES];
    block[..8].copy_from_slice(&challenge.0);
    let mut bytes = vec![0x80, 0xCE, 0x00, 0x00, 0x10];
    bytes.extend(key.encrypt_block(block));
    Apdu::with_secret(bytes, 5..5 + BLOCK_BYTES)
}

/// Whether the body of a secured command may be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// Parameters, time, titles.
    Open,
    /// Seeds and keys. The MAC is masked with them: it would confirm a guess.
    Secret,
}

/// A command with a MAC: sent with class 84 and the MAC's four bytes counted in its length, but the MAC itself runs
/// over class 80 and the length of the body alone. `header` is INS, P1, P2.
pub(super) fn secured(key: &Key, header: [u8; 3], body: &[u8], kind: Body) -> Apdu {
    let bare_len = u8::try_from(body.len()).expect("bodies have at most 64 bytes");
    let sent_len = u8::try_from(body.len() + MAC_BYTES).expect("bodies have at most 64 bytes");
    let [ins, p1, p2] = header;
    let mut message = Zeroizing::new(Vec::with_capacity(5 + body.len()));
    message.extend([0x80, ins, p1, p2, bare_len]);
    message.extend_from_slice(body);
    let mac = key.mac(&message);

    let mut bytes = Vec::with_capacity(5 + body.len() + MAC_BYTES);
    bytes.extend([0x84, ins, p1, p2, sent_len]);
    bytes.extend_from_slice(body);
    bytes.extend(mac);
    match kind {
        Body::Open => Apdu::plain(bytes),
        Body::Secret => {
            let end = bytes.len();
            Apdu::with_secret(bytes, 5..end)
        }
    }
}

/// The seed as it goes over the wire: padded always, encrypted block by block.
pub(super) fn encrypted_seed(key: &Key, seed: &Seed) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
    match seed.len_bytes() {
        1..=SEED_MAX_BYTES => Ok(key.encrypt_padded(seed.expose())),
        len => Err(EncodeError::SeedLength(len)),
    }
}

/// The wire's number for a hash.
pub(super) fn hash_byte(hash: Hash) -> Result<u8, EncodeError> {
    match hash {
        Hash::Sha1 => Ok(1),
        Hash::Sha256 => Ok(2),
        Hash::Sha512 => Err(EncodeError::Hash(hash)),
    }
}

/// The wire's form of what moves the code on: a period of 30 or 60 seconds from 1970.
pub(super) fn period_byte(mode: Mode) -> Result<u8, EncodeError> {
    match mode {
        Mode::Totp { t0, .. } if t0 != UnixTime(0) => Err(EncodeError::StartTime(t0)),
        Mode::Totp { period, .. } => match period.as_secs() {
            30 => Ok(30),
            60 => Ok(60),
            _ => Err(EncodeError::Period(period)),
        },
        Mode::Hotp { .. } => Err(EncodeError::Counter),
    }
}

/// The wire's number for a display timeout.
pub(super) fn timeout_byte(seconds: u16) -> Result<u8, EncodeError> {
    match seconds {
        15 => Ok(0),
        30 => Ok(1),
        60 => Ok(2),
        120 => Ok(3),
        _ => Err(EncodeError::DisplayTimeout(seconds)),
    }
}

/// A moment as the tokens keep it: 32 bits of seconds, most significant byte first.
pub(super) fn clock_bytes(at: UnixTime) -> Result<[u8; 4], EncodeError> {
    u32::try_from(at.0).map(u32::to_be_bytes).map_err(|_| EncodeError::Clock(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(serial: &str) -> Vec<u8> {
        let mut data = vec![9, 8, 7, serial.len() as u8];
        data.extend(serial.bytes());
        data.extend([6, 5, 0xF0, 0, 0, 1]);
        data
    }

    #[test]
    fn info_is_read_by_its_length_byte_and_opaque_bytes_are_left_alone() {
        let info = parse_info(&block("0865962001234"), 13..=16).unwrap();
        assert_eq!((info.serial.as_str(), info.clock), ("0865962001234", UnixTime(0xF000_0001)));
    }

    #[test]
    fn a_malformed_info_block_is_an_error_at_every_length() {
        let good = block("86596220001234");
        for len in 0..good.len() {
            assert!(parse_info(&good[..len], 13..=16).is_err(), "{len} bytes");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert_eq!(parse_info(&longer, 13..=16), Err(ReplyError::Length { expected: 24, found: 25 }));
        assert_eq!(parse_info(&block("865962200012"), 13..=16), Err(ReplyError::SerialLength(12)));
        assert_eq!(parse_info(&block("8659622000123A"), 13..=16), Err(ReplyError::SerialText));
        assert_eq!(parse_info(&block("8659622000123 "), 13..=16), Err(ReplyError::SerialText));
        let mut beyond = good;
        beyond[3] = 0xFF;
        assert_eq!(parse_info(&beyond, 1..=32), Err(ReplyError::SerialLength(255)));
    }

    #[test]
    fn a_challenge_has_eight_bytes() {
        assert_eq!(parse_challenge(&[1; 8]), Ok(Challenge([1; 8])));
        assert!(parse_challenge(&[1; 7]).is_err() && parse_challenge(&[1; 9]).is_err());
    }

    #[test]
    fn what_could_betray_a_key_or_a_seed_is_masked() {
        let key = Key::new(&[3; 16]);
        assert_eq!(
            format!("{:?}", answer(&key, &Challenge([1; 8]))),
            format!("Apdu(80ce000010{})", "··".repeat(16))
        );
        let shown = format!("{:?}", secured(&key, [0xC5, 1, 0], &[0xEE; 16], Body::Secret));
        assert_eq!(shown, format!("Apdu(84c5010014{})", "··".repeat(20)));
    }

    #[test]
    fn a_clock_outside_its_32_bits_is_refused() {
        assert_eq!(clock_bytes(UnixTime(0xFFFF_FFFF)), Ok([0xFF; 4]));
        for at in [UnixTime(-1), UnixTime(0x1_0000_0000)] {
            assert_eq!(clock_bytes(at), Err(EncodeError::Clock(at)));
        }
    }

    #[test]
    fn every_refusal_has_a_remedy() {
        for error in [
            EncodeError::Hash(Hash::Sha512),
            EncodeError::Digits(Digits::EIGHT),
            EncodeError::Period(Period::THIRTY),
            EncodeError::Counter,
            EncodeError::StartTime(UnixTime(1)),
            EncodeError::DisplayTimeout(45),
            EncodeError::Clock(UnixTime(-1)),
            EncodeError::SeedLength(64),
            EncodeError::ZeroSeed,
            EncodeError::TitleLength(13),
            EncodeError::TitleText,
            EncodeError::Profile(Profile::new(100)),
            EncodeError::KeyLength(0),
            EncodeError::EmptySeed,
            EncodeError::NameLength(65),
            EncodeError::StartCounter(1 << 32),
        ] {
            assert!(error.remedy().len() > 10, "{error}");
            assert_eq!(
                error.retry() == Retry::AfterOperator,
                matches!(error, EncodeError::Clock(_)),
                "{error}"
            );
        }
    }
}
