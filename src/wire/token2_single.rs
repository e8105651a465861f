//! Token2 single-profile tokens of the second generation (miniOTP-2 and -3, OTPC-P1 and -P2, C301, C302), over NFC.
//! Protocol page `token2-single`; what the device checks was read from the vendor's published firmware core.

use super::common::{self, Body};
use super::sm4::Key;
use super::{Challenge, Configuration, EncodeError, Info, ReplyError};
use crate::domain::{CustomerKey, Digits, Seed, UnixTime};
use crate::link::{Apdu, StatusWord};
use zeroize::Zeroizing;

/// The published key of the whole family.
const DEVICE_KEY: [u8; 16] =
    [0x8A, 0xD2, 0x06, 0x88, 0x3C, 0xA3, 0x69, 0x48, 0x2A, 0xB2, 0x71, 0x82, 0xB6, 0xE8, 0x32, 0x24];

/// The token refuses: a wrong answer, a lock, a bad MAC or no authentication. One code for all four.
pub const REFUSED: StatusWord = StatusWord(0x6983);

/// The device key of the family: the same on every token, published by the vendor and no secret. It proves nothing
/// about token or host, and a seed encrypted under it is readable by anyone who records the exchange. Tokens of the
/// same make from other sellers may hold another one.
pub fn device_key() -> CustomerKey {
    CustomerKey::new(DEVICE_KEY)
}

/// The key a conversation runs under: the customer key itself, which therefore has 16 bytes.
pub fn session_key(key: &CustomerKey) -> Result<Key, EncodeError> {
    let bytes = key.expose();
    bytes.try_into().map(Key::new).map_err(|_| EncodeError::KeyLength(bytes.len()))
}

/// Asks for serial and clock. Needs no authentication and drops none.
pub fn get_info() -> Apdu {
    Apdu::plain([0x80, 0x41, 0x00, 0x00, 0x02, 0x02, 0x11])
}

/// Reads the answer to [`get_info`]. The serial has 13 to 16 digits.
pub fn parse_info(data: &[u8]) -> Result<Info, ReplyError> {
    common::parse_info(data, 13..=16)
}

/// Asks for a challenge. Drops an authentication that was there.
pub fn get_challenge() -> Apdu {
    Apdu::plain([0x80, 0x4B, 0x08, 0x00, 0x01, 0x00])
}

/// Reads the answer to [`get_challenge`].
pub fn parse_challenge(data: &[u8]) -> Result<Challenge, ReplyError> {
    common::parse_challenge(data)
}

/// Answers the challenge. Old tokens lock after some wrong answers, for good; never send two on the same evidence.
pub fn answer(key: &Key, challenge: &Challenge) -> Apdu {
    common::answer(key, challenge)
}

/// Sets clock, display timeout, hash and period, all together: there is no form that sets the clock alone. On tokens
/// with restricted time sync it erases the seed, so it goes before the seed.
pub fn write_configuration(
    key: &Key,
    configuration: &Configuration,
    at: UnixTime,
) -> Result<Apdu, EncodeError> {
    let parameters = &configuration.parameters;
    if parameters.digits != Digits::SIX {
        return Err(EncodeError::Digits(parameters.digits));
    }
    let timeout = common::timeout_byte(configuration.display_timeout_s)?;
    let hash = common::hash_byte(parameters.hash)?;
    let period = common::period_byte(parameters.mode)?;
    let [t3, t2, t1, t0] = common::clock_bytes(at)?;
    let body = [
        0x81, 0x11, 0x1F, 0x01, timeout, 0x0F, 0x04, t3, t2, t1, t0, 0x86, 0x06, 0x0A, 0x01, hash, 0x0D,
        0x01, period,
    ];
    Ok(common::secured(key, [0xD4, 0x00, 0x00], &body, Body::Open))
}

/// Replaces the seed: 1 to 63 raw bytes. It cannot be read back.
pub fn write_seed(key: &Key, seed: &Seed) -> Result<Apdu, EncodeError> {
    let body: Zeroizing<Vec<u8>> = common::encrypted_seed(key, seed)?;
    Ok(common::secured(key, [0xC5, 0x01, 0x00], &body, Body::Secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Hash, Mode, Parameters, Period};

    fn key() -> Key {
        session_key(&device_key()).unwrap()
    }

    fn encode(parameters: Parameters, display_timeout_s: u16) -> Result<(), EncodeError> {
        let configuration = Configuration { parameters, display_timeout_s };
        write_configuration(&key(), &configuration, UnixTime(1_767_225_600)).map(|_| ())
    }

    #[test]
    fn what_the_token_would_store_unchecked_is_refused_here() {
        let standard = Parameters::standard();
        assert_eq!(encode(standard, 30), Ok(()));
        assert_eq!(encode(standard, 45), Err(EncodeError::DisplayTimeout(45)));
        let sha512 = Parameters { hash: Hash::Sha512, ..standard };
        assert_eq!(encode(sha512, 30), Err(EncodeError::Hash(Hash::Sha512)));
        let eight = Parameters { digits: Digits::EIGHT, ..standard };
        assert_eq!(encode(eight, 30), Err(EncodeError::Digits(Digits::EIGHT)));
        let ninety = Period::from_secs(90).unwrap();
        assert_eq!(
            encode(Parameters { mode: Mode::Totp { period: ninety, t0: UnixTime(0) }, ..standard }, 30),
            Err(EncodeError::Period(ninety))
        );
        let later = Mode::Totp { period: Period::THIRTY, t0: UnixTime(5) };
        assert_eq!(
            encode(Parameters { mode: later, ..standard }, 30),
            Err(EncodeError::StartTime(UnixTime(5)))
        );
        let counted = Mode::Hotp { counter: 0 };
        assert_eq!(encode(Parameters { mode: counted, ..standard }, 30), Err(EncodeError::Counter));
    }

    #[test]
    fn seeds_of_1_to_63_bytes_fit() {
        for len in [1, 63] {
            assert!(write_seed(&key(), &Seed::new(vec![0; len])).is_ok(), "{len} bytes");
        }
        for len in [0, 64, 300] {
            let refused = write_seed(&key(), &Seed::new(vec![1; len]));
            assert_eq!(refused.map(|_| ()), Err(EncodeError::SeedLength(len)));
        }
    }

    #[test]
    fn the_customer_key_is_the_sm4_key_and_has_16_bytes() {
        for len in [0, 15, 17] {
            let refused = session_key(&CustomerKey::new(vec![0; len]));
            assert_eq!(refused.map(|_| ()), Err(EncodeError::KeyLength(len)));
        }
    }
}
