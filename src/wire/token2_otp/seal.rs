//! How what is written is hidden on its way: a key agreed on for each command, and AES in a mode with a fixed vector. The
//! device's key is not authenticated, so that only those who listen are kept out, not those who stand in between.
//! Protocol page `token2-otp`, section 7.

use crate::wire::{ReplyError, SelfTestFailed};
use aes::cipher::{BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7};
use p256::{PublicKey, SecretKey, ecdh::diffie_hellman, elliptic_curve::sec1::ToEncodedPoint};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a public key as it travels: both coordinates, without the 04 of SEC 1.
pub(super) const POINT: usize = 64;
const BLOCK: usize = 16;

/// The vector for entries.
pub(super) const ENTRY_VECTOR: [u8; BLOCK] = 0x9DD8_918E_34F3_CCAB_08CB_7518_F719_38F1_u128.to_be_bytes();
/// The vector for the button's seed.
pub(super) const BUTTON_VECTOR: [u8; BLOCK] = [0; BLOCK];

/// The public key that a device told. Whether it lasts longer than until power goes is not documented: it is read anew
/// for each command.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceKey(PublicKey);

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceKey")
    }
}

/// Reads the answer to [`super::read_public_key`]: two coordinates of a point that lies on P-256.
pub fn parse_public_key(data: &[u8]) -> Result<DeviceKey, ReplyError> {
    if data.len() != POINT {
        return Err(ReplyError::Length { expected: POINT, found: data.len() });
    }
    let mut point = [0x04; POINT + 1];
    point[1..].copy_from_slice(data);
    PublicKey::from_sec1_bytes(&point).map(DeviceKey).map_err(|_| ReplyError::Point)
}

/// The host's half of one agreement. Used once.
pub struct HostKey(SecretKey);

impl HostKey {
    /// From 32 random bytes; none where they are no private key of P-256 (one time in 2^32): draw others.
    pub fn from_random(bytes: &[u8; 32]) -> Option<Self> {
        SecretKey::from_slice(bytes).ok().map(Self)
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostKey")
    }
}

/// The data field of a command: the host's public key, then what is written, hidden.
pub(super) fn seal(device: &DeviceKey, host: HostKey, vector: [u8; BLOCK], plaintext: &[u8]) -> Vec<u8> {
    let shared = diffie_hellman(host.0.to_nonzero_scalar(), device.0.as_affine());
    let key = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(shared.raw_secret_bytes())));
    let public = host.0.public_key().to_encoded_point(false);
    let padded = (plaintext.len() / BLOCK + 1) * BLOCK;
    let mut buffer = Zeroizing::new(vec![0; padded]);
    buffer[..plaintext.len()].copy_from_slice(plaintext);
    cbc::Encryptor::<aes::Aes256>::new(&(*key).into(), &vector.into())
        .encrypt_padded::<Pkcs7>(&mut buffer, plaintext.len())
        .expect("the buffer has room for the padding");
    let mut payload = Vec::with_capacity(POINT + padded);
    payload.extend_from_slice(&public.as_bytes()[1..]);
    payload.extend_from_slice(&buffer);
    payload
}

/// The device's public key of the vectors, and what an order to delete becomes under it and the host's key of 32 times 11.
const KNOWN_DEVICE: [u128; 4] = [
    0x1996_2c1d_b435_84d7_1435_d1b4_4224_dd62,
    0xa00c_0359_c0a5_3875_179e_71ad_38ea_f6d8,
    0xe2dc_1be2_ece6_323d_c4dd_5fe6_ce7d_cebf,
    0x7d03_d367_1032_cb20_dc9f_84ef_5c7d_652b,
];
const KNOWN_ANSWER: u128 = 0xbf34_016b_77d8_e085_a392_a848_0937_96f5;

/// The device of the vectors.
#[cfg(test)]
pub(super) fn known_device() -> DeviceKey {
    parse_public_key(KNOWN_DEVICE.map(u128::to_be_bytes).as_flattened()).expect("a point of the vectors")
}

/// Seals something known and compares: what a broken host writes, nobody knows. Takes about a millisecond.
pub fn self_test() -> Result<(), SelfTestFailed> {
    let device = parse_public_key(KNOWN_DEVICE.map(u128::to_be_bytes).as_flattened()).ok();
    let host = HostKey::from_random(&[0x11; 32]);
    let sealed = device.zip(host).map(|(device, host)| seal(&device, host, BUTTON_VECTOR, &[0, 0]));
    let holds = sealed.is_some_and(|payload| payload[POINT..] == KNOWN_ANSWER.to_be_bytes());
    if holds { Ok(()) } else { Err(SelfTestFailed("the sealing of entries")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn this_build_seals_right() {
        assert_eq!(self_test(), Ok(()));
    }

    #[test]
    fn a_public_key_is_a_point_of_the_curve() {
        known_device();
        let good = KNOWN_DEVICE.map(u128::to_be_bytes).as_flattened().to_vec();
        assert!(parse_public_key(&good).is_ok());
        for at in 0..POINT {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(parse_public_key(&bad), Err(ReplyError::Point), "byte {at}");
        }
        for len in [0, 63, 65] {
            let cut = vec![0; len];
            assert_eq!(parse_public_key(&cut), Err(ReplyError::Length { expected: 64, found: len }));
        }
        assert_eq!(parse_public_key(&[0; POINT]), Err(ReplyError::Point), "the origin");
    }

    #[test]
    fn zero_and_the_order_of_the_curve_are_no_keys() {
        assert!(HostKey::from_random(&[0; 32]).is_none());
        assert!(HostKey::from_random(&[0xFF; 32]).is_none());
        assert_eq!(format!("{:?}", HostKey::from_random(&[1; 32])), "Some(HostKey)");
    }

    proptest! {
        #[test]
        fn no_reply_panics_a_parser(data: Vec<u8>) {
            let _ = parse_public_key(&data);
        }
    }
}
