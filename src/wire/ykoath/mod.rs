//! The OATH applet of YubiKeys, Nitrokeys, Solo 2 and CanoKeys, over CCID and NFC. Protocol page `ykoath`; known answers
//! are commands of Yubico's own host library.
//!
//! Commands are short APDUs without Le, as that library sends them where it does not know better: every maker's applet
//! takes them.

mod access;
mod reply;
mod tlv;

pub use access::{AccessKey, clear_code, parse_validated, self_test, set_code, validate};
pub use reply::{Calculated, Listed, Selected, parse_all, parse_code, parse_list, parse_selected};

use super::EncodeError;
use crate::domain::{CredentialName, Hash, Mode, Parameters, Seed, StepCount, Touch, UnixTime};
use crate::link::{Apdu, StatusWord};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use std::ops::Range;
use zeroize::Zeroizing;

/// The applet's identifier.
pub const AID: [u8; 7] = [0xA0, 0x00, 0x00, 0x05, 0x27, 0x21, 0x01];

/// A YubiKey's management applet, which tells its serial.
const YUBIKEY_MANAGEMENT: [u8; 8] = [0xA0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17];

/// A CanoKey's administration applet, likewise.
const CANOKEY_ADMIN: [u8; 5] = [0xF0, 0x00, 0x00, 0x00, 0x00];

/// The fewest bytes of a secret on the key; shorter ones are filled up with zeros, which changes no code.
const KEY_MIN_BYTES: usize = 14;

/// The password is missing, or (YubiKey) a challenge must only increase; a touch was not given in time.
pub const LOCKED_OR_UNTOUCHED: StatusWord = StatusWord(0x6982);
/// Solo 2 says so instead where it is locked; a CanoKey where the name exists.
pub const CONDITIONS: StatusWord = StatusWord(0x6985);
/// A wrong password, or a command that the applet can't read.
pub const BAD_DATA: StatusWord = StatusWord(0x6A80);
/// No such credential.
pub const NO_SUCH_DATA: StatusWord = StatusWord(0x6984);
/// No such credential, as Nitrokey and Solo 2 say it.
pub const NOT_FOUND: StatusWord = StatusWord(0x6A82);
/// No room for another credential.
pub const FULL: StatusWord = StatusWord(0x6A84);
/// No such instruction.
pub const UNKNOWN_INSTRUCTION: StatusWord = StatusWord(0x6D00);

/// A command of class 00; `secret` counts within the body.
fn command(ins: u8, [p1, p2]: [u8; 2], body: Vec<u8>, secret: Range<usize>) -> Apdu {
    let body = Zeroizing::new(body);
    let len = u8::try_from(body.len()).expect("bodies have at most 255 bytes");
    let mut bytes = Vec::with_capacity(5 + body.len());
    bytes.extend([0x00, ins, p1, p2, len]);
    bytes.extend_from_slice(&body);
    Apdu::with_secret(bytes, 5 + secret.start..5 + secret.end)
}

fn select_applet(aid: &[u8]) -> Apdu {
    command(0xA4, [0x04, 0x00], aid.to_vec(), 0..0)
}

/// Selects the applet. Whatever it had accepted is lost; where a password is set, it asks anew.
pub fn select() -> Apdu {
    select_applet(&AID)
}

/// Selects a YubiKey's management applet; the OATH applet must be selected again afterwards.
pub fn select_yubikey_management() -> Apdu {
    select_applet(&YUBIKEY_MANAGEMENT)
}

/// Asks a YubiKey's management applet for its configuration, from firmware 5.
pub fn read_yubikey_configuration() -> Apdu {
    Apdu::plain([0x00, 0x1D, 0x00, 0x00, 0x00])
}

/// Reads the serial from the answer to [`read_yubikey_configuration`]: the length of all, then records of one-byte tag
/// and length; tag 02 is the serial, which a key may hide.
pub fn parse_yubikey_serial(data: &[u8]) -> Result<Option<u32>, super::ReplyError> {
    use super::ReplyError;
    let Some((&len, records)) = data.split_first() else {
        return Err(ReplyError::Length { expected: 1, found: 0 });
    };
    if records.len() != usize::from(len) {
        return Err(ReplyError::Length { expected: len.into(), found: records.len() });
    }
    let mut serial = None;
    for record in tlv::Records::of(records) {
        let record = record?;
        if record.tag == 0x02 {
            let found = record.value.len();
            let bytes = record.value.try_into().map_err(|_| ReplyError::Length { expected: 4, found })?;
            serial = Some(u32::from_be_bytes(bytes));
        }
    }
    Ok(serial)
}

/// Selects a CanoKey's administration applet; the OATH applet must be selected again afterwards.
pub fn select_canokey_admin() -> Apdu {
    select_applet(&CANOKEY_ADMIN)
}

/// Asks a CanoKey's administration applet for the serial. Needs no PIN (canokey-core, `admin_read_sn`).
pub fn read_canokey_serial() -> Apdu {
    Apdu::plain([0x00, 0x32, 0x00, 0x00, 0x04])
}

/// Reads the answer to [`read_canokey_serial`]: four bytes.
pub fn parse_canokey_serial(data: &[u8]) -> Result<u32, super::ReplyError> {
    let found = data.len();
    let bytes = data.try_into().map_err(|_| super::ReplyError::Length { expected: 4, found })?;
    Ok(u32::from_be_bytes(bytes))
}

/// What the applet keeps of a seed: hashed if it is longer than a block of its hash, filled up with zeros to 14 bytes.
/// HMAC does both itself, so no code changes.
fn prepared(seed: &Seed, hash: Hash) -> Zeroizing<Vec<u8>> {
    let raw = seed.expose();
    let mut key = Zeroizing::new(match hash {
        Hash::Sha1 if raw.len() > 64 => Sha1::digest(raw).to_vec(),
        Hash::Sha256 if raw.len() > 64 => Sha256::digest(raw).to_vec(),
        Hash::Sha512 if raw.len() > 128 => Sha512::digest(raw).to_vec(),
        Hash::Sha1 | Hash::Sha256 | Hash::Sha512 => raw.to_vec(),
    });
    if key.len() < KEY_MIN_BYTES {
        // Made anew rather than grown: growing would leave a copy behind.
        let mut longer = Zeroizing::new(vec![0; KEY_MIN_BYTES]);
        longer[..key.len()].copy_from_slice(&key);
        key = longer;
    }
    key
}

/// Writes a credential: name, seed and parameters at once. An existing one of that name is overwritten without a word by
/// a YubiKey, and refused by others.
pub fn put(
    name: &CredentialName,
    parameters: &Parameters,
    touch: Touch,
    seed: &Seed,
) -> Result<Apdu, EncodeError> {
    check_name(name)?;
    if seed.len_bytes() == 0 {
        return Err(EncodeError::EmptySeed);
    }
    let digits = match parameters.digits.get() {
        digits @ 6..=8 => digits,
        _ => return Err(EncodeError::Digits(parameters.digits)),
    };
    let (kind, counter) = match parameters.mode {
        Mode::Totp { t0, .. } if t0 != UnixTime(0) => return Err(EncodeError::StartTime(t0)),
        Mode::Totp { .. } => (0x20, 0),
        Mode::Hotp { counter } => {
            (0x10, u32::try_from(counter).map_err(|_| EncodeError::StartCounter(counter))?)
        }
    };
    let algorithm = match parameters.hash {
        Hash::Sha1 => 1,
        Hash::Sha256 => 2,
        Hash::Sha512 => 3,
    };
    let key = prepared(seed, parameters.hash);
    let mut value = Zeroizing::new(Vec::with_capacity(2 + key.len()));
    value.extend([kind | algorithm, digits]);
    value.extend_from_slice(&key);

    let mut body = Vec::with_capacity(255);
    tlv::push(&mut body, 0x71, name.as_str().as_bytes());
    tlv::push(&mut body, 0x73, &value);
    let end = body.len();
    let start = end - key.len();
    // A tag and its value, without a length: with one, a YubiKey reads the length for the value.
    if touch == Touch::Required {
        body.extend([0x78, 0x02]);
    }
    if counter != 0 {
        tlv::push(&mut body, 0x7A, &counter.to_be_bytes());
    }
    Ok(command(0x01, [0, 0], body, start..end))
}

fn check_name(name: &CredentialName) -> Result<(), EncodeError> {
    match name.as_str().len() {
        1..=CredentialName::MAX_BYTES => Ok(()),
        len => Err(EncodeError::NameLength(len)),
    }
}

fn about(ins: u8, p: [u8; 2], name: &CredentialName, more: impl FnOnce(&mut Vec<u8>)) -> Apdu {
    let mut body = Vec::new();
    // Names that a key told have at most 64 bytes; a longer one is cut rather than sent half.
    let bytes = name.as_str().as_bytes();
    tlv::push(&mut body, 0x71, &bytes[..bytes.len().min(200)]);
    more(&mut body);
    command(ins, p, body, 0..0)
}

/// Deletes a credential. A Nitrokey waits for a touch first.
pub fn delete(name: &CredentialName) -> Apdu {
    about(0x02, [0, 0], name, |_| {})
}

/// Gives a credential another name (YubiKey from 5.3.1, CanoKey).
pub fn rename(old: &CredentialName, new: &CredentialName) -> Result<Apdu, EncodeError> {
    check_name(new)?;
    Ok(about(0x05, [0, 0], old, |body| tlv::push(body, 0x71, new.as_str().as_bytes())))
}

/// Asks for the names, kinds and hashes of all credentials.
pub fn list() -> Apdu {
    command(0xA1, [0, 0], Vec::new(), 0..0)
}

/// What is to be calculated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moving {
    /// The code of this step. The key has no clock and doesn't know the period.
    Step(StepCount),
    /// The code of its own counter, which is used up by it.
    Counter,
}

impl Moving {
    fn push(self, body: &mut Vec<u8>) {
        match self {
            Self::Step(step) => tlv::push(body, 0x74, &step.0.to_be_bytes()),
            Self::Counter => tlv::push(body, 0x74, &[]),
        }
    }
}

/// Calculates one code, in the short form. Waits for a touch where the credential wants one.
pub fn calculate(name: &CredentialName, moving: Moving) -> Apdu {
    about(0xA2, [0, 1], name, |body| moving.push(body))
}

/// Calculates the codes of all credentials for one step, in the short form. Those that want a touch, or count, are only
/// named.
pub fn calculate_all(step: StepCount) -> Apdu {
    let mut body = Vec::new();
    Moving::Step(step).push(&mut body);
    command(0xA4, [0, 1], body, 0..0)
}

/// Asks for the rest of an answer.
pub fn send_remaining() -> Apdu {
    command(0xA5, [0, 0], Vec::new(), 0..0)
}

/// Whether a status says that more is to come; the second byte is only a hint of how much.
pub fn has_more(status: StatusWord) -> bool {
    status.0 >> 8 == 0x61
}

/// Wipes all credentials and the password, and changes the salt. Needs no password. A Nitrokey waits for a touch; on a
/// CanoKey the administration applet does this.
pub fn reset() -> Apdu {
    Apdu::plain([0x00, 0x04, 0xDE, 0xAD, 0x00])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Digits, Period};
    use proptest::prelude::*;

    fn name(text: &str) -> CredentialName {
        CredentialName::told(text.to_owned())
    }

    #[test]
    fn what_no_applet_takes_is_refused_here() {
        let standard = Parameters::standard();
        let seed = Seed::new([7; 20]);
        let put_as = |name: &str, parameters: &Parameters| {
            put(&CredentialName::told(name.to_owned()), parameters, Touch::Free, &seed).map(|_| ())
        };
        assert_eq!(put_as(&"x".repeat(64), &standard), Ok(()));
        assert_eq!(put_as(&"x".repeat(65), &standard), Err(EncodeError::NameLength(65)));
        assert_eq!(put_as("", &standard), Err(EncodeError::NameLength(0)));
        let ten = Parameters { digits: Digits::new(10).unwrap(), ..standard };
        assert_eq!(put_as("x", &ten), Err(EncodeError::Digits(ten.digits)));
        let later = Mode::Totp { period: Period::THIRTY, t0: UnixTime(5) };
        assert_eq!(
            put_as("x", &Parameters { mode: later, ..standard }),
            Err(EncodeError::StartTime(UnixTime(5)))
        );
        let far = Mode::Hotp { counter: 1 << 32 };
        assert_eq!(
            put_as("x", &Parameters { mode: far, ..standard }),
            Err(EncodeError::StartCounter(1 << 32))
        );
        let empty = put(&name("x"), &standard, Touch::Free, &Seed::new([])).map(|_| ());
        assert_eq!(empty, Err(EncodeError::EmptySeed));
    }

    #[test]
    fn only_the_seed_of_a_credential_is_masked() {
        let seed = Seed::new(*b"12345678901234567890");
        let apdu = put(&name("a"), &Parameters::standard(), Touch::Required, &seed).unwrap();
        assert_eq!(format!("{apdu:?}"), format!("Apdu(000100001d71016173162106{}7802)", "··".repeat(20)));
    }

    #[test]
    fn the_longest_credential_fits_a_short_command() {
        let parameters =
            Parameters { hash: Hash::Sha512, mode: Mode::Hotp { counter: 9 }, ..Parameters::standard() };
        let apdu = put(&name(&"x".repeat(64)), &parameters, Touch::Required, &Seed::new([7; 128])).unwrap();
        assert_eq!(usize::from(apdu.bytes()[4]), apdu.bytes().len() - 5);
    }

    #[test]
    fn serials_of_other_applets_are_read_strictly() {
        assert_eq!(parse_yubikey_serial(&[9, 1, 1, 0xFF, 2, 4, 0, 0xBC, 0x61, 0x4E]), Ok(Some(12_345_678)));
        assert_eq!(parse_yubikey_serial(&[3, 1, 1, 0xFF]), Ok(None));
        assert!(parse_yubikey_serial(&[4, 1, 1, 0xFF]).is_err());
        assert!(parse_yubikey_serial(&[5, 2, 3, 0, 0, 1]).is_err());
        assert!(parse_yubikey_serial(&[]).is_err());
        assert_eq!(parse_canokey_serial(&[0, 0, 1, 0]), Ok(256));
        assert!(parse_canokey_serial(&[0, 0, 1]).is_err());
    }

    proptest! {
        #[test]
        fn a_prepared_seed_gives_the_codes_of_the_seed(
            raw in proptest::collection::vec(any::<u8>(), 1..200), at in 0usize..3, step: u64
        ) {
            use crate::domain::otp::code;
            let hash = Hash::ALL[at];
            let whole = Seed::new(raw);
            let short = Seed::new(prepared(&whole, hash).to_vec());
            prop_assert!((14..=128).contains(&short.len_bytes()));
            let of = |seed| code(seed, hash, Digits::EIGHT, StepCount(step));
            prop_assert!(of(&whole).same_as(&of(&short)));
        }
    }
}
