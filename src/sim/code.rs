//! The code a virtual token shows, worked out from the text of RFC 2104, RFC 4226 and RFC 6238 and from the bare hash
//! functions, on purpose not with the code that the rest of kiln uses: a mistake in one must not hide in the other.

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

/// The hashes that these tokens know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeviceHash {
    Sha1,
    Sha256,
    Sha512,
}

/// The block length of SHA-1 and SHA-256, `B` in RFC 2104 section 2.
const BLOCK: usize = 64;

/// The block length of SHA-512.
const LONG_BLOCK: usize = 128;

/// HMAC as RFC 2104 section 2 spells it: H(K xor opad, H(K xor ipad, text)), with `B` = `BLOCK`.
fn hmac<D: Digest, const BLOCK: usize>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = Zeroizing::new([0u8; BLOCK]);
    if key.len() > BLOCK {
        let short = D::digest(key);
        block[..short.len()].copy_from_slice(&short);
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let keyed = |pad: u8| {
        let mut padded = Zeroizing::new([pad; BLOCK]);
        padded.iter_mut().zip(block.iter()).for_each(|(to, from)| *to ^= from);
        D::new().chain_update(&padded[..])
    };
    let inner = keyed(0x36).chain_update(text).finalize();
    keyed(0x5C).chain_update(&inner).finalize().to_vec()
}

/// HMAC of a message under a hash.
pub(super) fn mac(key: &[u8], hash: DeviceHash, message: &[u8]) -> Vec<u8> {
    match hash {
        DeviceHash::Sha1 => hmac::<Sha1, BLOCK>(key, message),
        DeviceHash::Sha256 => hmac::<Sha256, BLOCK>(key, message),
        DeviceHash::Sha512 => hmac::<Sha512, LONG_BLOCK>(key, message),
    }
}

/// The 31 bits that a MAC stands for: RFC 4226 section 5.3.
pub(super) fn truncated(mac: &[u8]) -> u32 {
    let offset = usize::from(mac[mac.len() - 1] % 16);
    mac[offset..offset + 4].iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte)) % (1 << 31)
}

/// The last `digits` decimal digits of a number. Ten show all 31 bits, so the first is 0, 1 or 2.
pub(super) fn decimal(number: u32, digits: u8) -> String {
    let all = format!("{number:010}");
    let shown = usize::from(digits).clamp(1, 10);
    all[all.len() - shown..].to_owned()
}

/// The code at step `step`: RFC 4226 section 5.3, left-padded with zeros to `digits`.
pub(super) fn code(seed: &[u8], hash: DeviceHash, digits: u8, step: u64) -> String {
    decimal(truncated(&mac(seed, hash, &step.to_be_bytes())), digits)
}

/// What an applet's owner makes of a password: PBKDF2 with HMAC-SHA-1, a thousand rounds, the first 16 bytes of the first
/// block. RFC 8018 section 5.2.
pub(super) fn access_key(password: &[u8], salt: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut round = mac(password, DeviceHash::Sha1, &[salt, &1u32.to_be_bytes()].concat());
    let mut key = Zeroizing::new(round.clone());
    for _ in 1..1000 {
        round = mac(password, DeviceHash::Sha1, &round);
        key.iter_mut().zip(&round).for_each(|(sum, byte)| *sum ^= byte);
    }
    key.truncate(16);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWENTY: &[u8] = b"12345678901234567890";

    #[test]
    fn rfc_4226_appendix_d_comes_out() {
        let codes = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
            "520489",
        ];
        for (count, expected) in codes.into_iter().enumerate() {
            assert_eq!(code(TWENTY, DeviceHash::Sha1, 6, count as u64), expected);
        }
    }

    #[test]
    fn rfc_6238_appendix_b_comes_out() {
        let thirty_two = b"12345678901234567890123456789012";
        for (time, sha1, sha256) in [
            (59, "94287082", "46119246"),
            (1_111_111_109, "07081804", "68084774"),
            (1_111_111_111, "14050471", "67062674"),
            (1_234_567_890, "89005924", "91819424"),
            (2_000_000_000, "69279037", "90698825"),
            (20_000_000_000, "65353130", "77737706"),
        ] {
            assert_eq!(code(TWENTY, DeviceHash::Sha1, 8, time / 30), sha1);
            assert_eq!(code(thirty_two, DeviceHash::Sha256, 8, time / 30), sha256);
        }
    }

    #[test]
    fn a_key_longer_than_a_block_is_hashed_first() {
        // RFC 4231 test case 6: HMAC-SHA-256 with a key of 131 bytes.
        let mac =
            hmac::<Sha256, BLOCK>(&[0xAA; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(mac[..4], [0x60, 0xE4, 0x31, 0x59]);
    }

    #[test]
    fn ten_digits_show_every_bit() {
        // RFC 4226 appendix D, count 0: the truncated value is 1284755224.
        assert_eq!(code(TWENTY, DeviceHash::Sha1, 10, 0), "1284755224");
        assert_eq!(code(TWENTY, DeviceHash::Sha1, 4, 0), "5224");
    }
}
