//! SM4 as a token uses it: it takes blocks apart that a host put together, and checks MACs that a host made.
//! `protocols/token2-single.md` sections 2 and 3.3.

use sm4::{
    Sm4,
    cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const BLOCK: usize = 16;

/// What can be wrong with a padded plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoPadding;

/// A device key with what a token does with it.
pub(super) struct Cipher(Sm4);

impl Cipher {
    pub(super) fn new(key: &[u8; BLOCK]) -> Self {
        Self(Sm4::new(&(*key).into()))
    }

    /// The only right answer to `challenge`: it and eight zero bytes, encrypted.
    pub(super) fn answer_to(&self, challenge: [u8; 8]) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        block[..8].copy_from_slice(&challenge);
        self.encrypt(block)
    }

    /// ECB-decrypts whole blocks; `None` where there is no block or a broken one.
    pub(super) fn open(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (blocks, rest) = ciphertext.as_chunks::<BLOCK>();
        if blocks.is_empty() || !rest.is_empty() {
            return None;
        }
        let mut plain = Zeroizing::new(Vec::with_capacity(ciphertext.len()));
        for block in blocks {
            let mut block: Block<Sm4> = (*block).into();
            self.0.decrypt_block(&mut block);
            plain.extend_from_slice(&block);
        }
        Some(plain)
    }

    /// Whether `mac` is the one for this command: CBC from a zero vector over header, body length and body, the class
    /// byte counted as 80, padded only where it doesn't end on a block.
    pub(super) fn mac_fits(&self, header: [u8; 4], body: &[u8], mac: &[u8]) -> bool {
        let mut chain = [0; BLOCK];
        let mut filled = 0;
        let mut absorb = |byte: u8| {
            chain[filled] ^= byte;
            filled += 1;
            if filled == BLOCK {
                chain = self.encrypt(chain);
                filled = 0;
            }
        };
        // A short APDU's body is at most 255 bytes, so its length is one byte.
        let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
        for byte in [0x80, header[1], header[2], header[3], length].into_iter().chain(body.iter().copied()) {
            absorb(byte);
        }
        if filled > 0 {
            chain[filled] ^= 0x80;
            chain = self.encrypt(chain);
        }
        chain[..4].ct_eq(mac).into()
    }

    fn encrypt(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block: Block<Sm4> = block.into();
        self.0.encrypt_block(&mut block);
        block.into()
    }
}

/// What stands before the last 80 that only zeros follow. A token takes the marker wherever it finds it, so an unpadded
/// value that happens to end like padding is shortened: token2-single.md section 3.4.
pub(super) fn unpadded(padded: &[u8]) -> Result<&[u8], NoPadding> {
    match padded.iter().rposition(|byte| *byte != 0) {
        Some(at) if padded[at] == 0x80 => Ok(&padded[..at]),
        _ => Err(NoPadding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::vectors::{self, hex};

    #[test]
    fn macs_and_answers_match_both_families_vectors() {
        let single = vectors::token2_single();
        let molto = vectors::molto2();
        let device_key = single["device_key"].as_str().unwrap();
        let macs = single["mac"].as_array().unwrap().iter().map(|v| (device_key, v));
        let more = molto["mac"].as_array().unwrap().iter().map(|v| (v["key"].as_str().unwrap(), v));
        let mut seen = 0;
        for (key, vector) in macs.chain(more) {
            let message = hex(&vector["message"]);
            // The vectors' messages are raw; feed them as the device's routine sees them.
            let cipher = Cipher::new(&vectors::bytes(key).try_into().unwrap());
            assert_eq!(raw_mac(&cipher, &message), hex(&vector["mac"])[..], "{message:02x?}");
            seen += 1;
        }
        assert_eq!(seen, 24);
        for vector in molto["auth"].as_array().unwrap() {
            let cipher = Cipher::new(&hex(&vector["sm4_key"]).try_into().unwrap());
            let answer = cipher.answer_to(hex(&vector["challenge"]).try_into().unwrap());
            assert_eq!(answer[..], hex(&vector["auth_command"])[5..]);
        }
    }

    /// The first four bytes of the MAC over any message, by way of the routine that checks commands where the message
    /// has a command's form, and by plain chaining where it hasn't.
    fn raw_mac(cipher: &Cipher, message: &[u8]) -> [u8; 4] {
        let mut padded = message.to_vec();
        if !padded.len().is_multiple_of(BLOCK) {
            padded.push(0x80);
            padded.resize(padded.len().next_multiple_of(BLOCK), 0);
        }
        let mut chain = [0; BLOCK];
        for block in padded.as_chunks::<BLOCK>().0 {
            for (to, from) in chain.iter_mut().zip(block) {
                *to ^= from;
            }
            chain = cipher.encrypt(chain);
        }
        let mac = [chain[0], chain[1], chain[2], chain[3]];
        if let [0x80, ins, p1, p2, length, body @ ..] = message
            && usize::from(*length) == body.len()
        {
            assert!(cipher.mac_fits([0x84, *ins, *p1, *p2], body, &mac));
        }
        mac
    }

    #[test]
    fn a_command_whose_mac_input_fills_its_last_block_gets_no_pad_block() {
        let cipher = Cipher::new(&[7; BLOCK]);
        let body = [0xA5; 27];
        let mut message = vec![0x80, 0xD7, 0, 0, 27];
        message.extend(body);
        assert!(message.len().is_multiple_of(BLOCK));
        let mac = raw_mac(&cipher, &message);
        assert!(cipher.mac_fits([0x84, 0xD7, 0, 0], &body, &mac));
        assert!(!cipher.mac_fits([0x84, 0xD7, 0, 1], &body, &mac));
    }

    #[test]
    fn padding_is_the_last_marker_with_only_zeros_after_it() {
        assert_eq!(unpadded(&[1, 0x80, 0, 0]), Ok(&[1][..]));
        assert_eq!(unpadded(&[1, 0x80, 0, 0x80]), Ok(&[1, 0x80, 0][..]));
        assert_eq!(unpadded(&[0x80, 0]), Ok(&[][..]));
        assert_eq!(unpadded(&[0, 0]), Err(NoPadding));
        assert_eq!(unpadded(&[1, 2]), Err(NoPadding));
    }
}
