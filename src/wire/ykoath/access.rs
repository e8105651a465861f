//! The applet's password: what it becomes on this key, and how each side proves that it knows it.

use super::tlv;
use crate::domain::CustomerKey;
use crate::link::Apdu;
use crate::wire::{Challenge, EncodeError, ReplyError, SelfTestFailed};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Type and algorithm of the access key: TOTP and SHA-1, the only form in use.
const ACCESS_KEY_KIND: u8 = 0x21;

/// Rounds of PBKDF2, fixed by the protocol.
const ROUNDS: u32 = 1000;

/// What an applet's password becomes under the salt of one key. Another key, or the same one after a reset, has another
/// salt.
pub struct AccessKey(Zeroizing<[u8; 16]>);

impl AccessKey {
    /// Derives it; takes about a millisecond. The password is the text as typed, in UTF-8; an empty one is none.
    pub fn derive(password: &CustomerKey, salt: &[u8; 8]) -> Result<Self, EncodeError> {
        if password.expose().is_empty() {
            return Err(EncodeError::KeyLength(0));
        }
        let mut key = Zeroizing::new([0; 16]);
        pbkdf2::pbkdf2_hmac::<Sha1>(password.expose(), salt, ROUNDS, &mut *key);
        Ok(Self(key))
    }

    /// The answer to a challenge.
    fn answer(&self, challenge: &Challenge) -> [u8; 20] {
        let mut mac =
            <Hmac<Sha1> as KeyInit>::new_from_slice(&*self.0).expect("HMAC takes a key of any length");
        mac.update(&challenge.0);
        mac.finalize().into_bytes().into()
    }
}

/// Computes a known answer of all that a password rests on. Takes about a millisecond; drivers run it before each
/// attempt, since with a broken host the right password looks wrong.
pub fn self_test() -> Result<(), SelfTestFailed> {
    let known = AccessKey::derive(&CustomerKey::new(*b"hunter2"), &[1, 2, 3, 4, 5, 6, 7, 8])
        .is_ok_and(|key| *key.0 == 0xd0c6_df98_06c2_b3e3_d162_7596_479f_2f95_u128.to_be_bytes());
    if known { Ok(()) } else { Err(SelfTestFailed("the derivation of access keys")) }
}

/// Answers the applet's challenge and sends one of our own, `ours`. It counts no tries, and locks nothing.
pub fn validate(key: &AccessKey, theirs: &Challenge, ours: &Challenge) -> Apdu {
    let mut body = Vec::new();
    tlv::push(&mut body, 0x75, &key.answer(theirs));
    tlv::push(&mut body, 0x74, &ours.0);
    // Challenge and answer together let one try passwords at leisure.
    super::command(0xA3, [0, 0], body, 0..22)
}

/// Reads the answer to [`validate`]: whether the applet knows the password too.
pub fn parse_validated(data: &[u8], key: &AccessKey, ours: &Challenge) -> Result<bool, ReplyError> {
    let mut records = tlv::Records::of(data);
    let answer = records.expect(0x75)?;
    records.end()?;
    if answer.value.len() != 20 {
        return Err(ReplyError::Length { expected: 20, found: answer.value.len() });
    }
    Ok(key.answer(ours).ct_eq(answer.value).into())
}

/// Sets the password, with the proof that it arrived whole. From the next selection on the applet wants it.
pub fn set_code(key: &AccessKey, ours: &Challenge) -> Apdu {
    let mut value = Zeroizing::new(vec![ACCESS_KEY_KIND]);
    value.extend_from_slice(&*key.0);
    let mut body = Vec::with_capacity(64);
    tlv::push(&mut body, 0x73, &value);
    tlv::push(&mut body, 0x74, &ours.0);
    tlv::push(&mut body, 0x75, &key.answer(ours));
    let end = body.len();
    super::command(0x03, [0, 0], body, 0..end)
}

/// Takes the password off.
pub fn clear_code() -> Apdu {
    super::command(0x03, [0, 0], vec![0x73, 0x00], 0..0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> AccessKey {
        AccessKey::derive(&CustomerKey::new(*b"hunter2"), &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap()
    }

    #[test]
    fn this_build_derives_right() {
        assert_eq!(self_test(), Ok(()));
    }

    #[test]
    fn an_empty_password_is_none() {
        let refused = AccessKey::derive(&CustomerKey::new([]), &[0; 8]).map(|_| ());
        assert_eq!(refused, Err(EncodeError::KeyLength(0)));
    }

    #[test]
    fn an_applet_that_does_not_know_the_password_is_found_out() {
        let (key, ours) = (key(), Challenge([9; 8]));
        let mut right = vec![0x75, 20];
        right.extend(key.answer(&ours));
        assert_eq!(parse_validated(&right, &key, &ours), Ok(true));
        assert_eq!(parse_validated(&right, &key, &Challenge([8; 8])), Ok(false));
        right[21] ^= 1;
        assert_eq!(parse_validated(&right, &key, &ours), Ok(false));
        for len in 0..right.len() {
            assert!(parse_validated(&right[..len], &key, &ours).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn neither_key_nor_answer_is_shown() {
        let ours = Challenge([0xB0; 8]);
        assert_eq!(
            format!("{:?}", validate(&key(), &Challenge([0xA0; 8]), &ours)),
            format!("Apdu(00a3000020{}7408b0b0b0b0b0b0b0b0)", "··".repeat(22))
        );
        assert_eq!(format!("{:?}", set_code(&key(), &ours)), format!("Apdu(0003000033{})", "··".repeat(51)));
    }
}
