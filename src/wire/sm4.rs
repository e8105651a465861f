//! SM4 (GB/T 32907) as the Token2 families use it: ECB blocks, a CBC MAC of four bytes, and their padding.

use ::sm4::Sm4;
use ::sm4::cipher::{Block, BlockCipherEncrypt, KeyInit};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes in a block and in a key.
pub const BLOCK_BYTES: usize = 16;

/// Bytes of a MAC.
pub const MAC_BYTES: usize = 4;

/// The key that one conversation runs under, expanded. Wiped when dropped; never printed.
pub struct Key(Sm4);

impl Key {
    /// Expands 16 raw bytes.
    pub fn new(bytes: &[u8; BLOCK_BYTES]) -> Self {
        Self(Sm4::new(bytes.into()))
    }

    /// One block, encrypted.
    pub fn encrypt_block(&self, block: [u8; BLOCK_BYTES]) -> [u8; BLOCK_BYTES] {
        let mut block: Block<Sm4> = block.into();
        self.0.encrypt_block(&mut block);
        block.into()
    }

    /// `plaintext` padded as [`pad_always`] does, each block encrypted on its own (ECB). The result is as secret as
    /// the plaintext wherever the key is public.
    pub fn encrypt_padded(&self, plaintext: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut bytes = pad_always(plaintext);
        let (blocks, rest) = bytes.as_chunks_mut::<BLOCK_BYTES>();
        debug_assert!(rest.is_empty());
        for block in blocks {
            *block = self.encrypt_block(*block);
        }
        bytes
    }

    /// The first four bytes of the last block of SM4-CBC with a zero initial vector. Unlike a seed, a message that
    /// fills its last block is *not* padded; another one gets 80 and zeros. An empty message counts as one block of
    /// padding.
    pub fn mac(&self, message: &[u8]) -> [u8; MAC_BYTES] {
        let mut chain = [0; BLOCK_BYTES];
        let (blocks, rest) = message.as_chunks::<BLOCK_BYTES>();
        for block in blocks {
            chain = self.encrypt_block(xor(chain, block));
        }
        if !rest.is_empty() || message.is_empty() {
            let mut last = [0; BLOCK_BYTES];
            last[..rest.len()].copy_from_slice(rest);
            last[rest.len()] = 0x80;
            chain = self.encrypt_block(xor(chain, &last));
        }
        [chain[0], chain[1], chain[2], chain[3]]
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(SM4)")
    }
}

fn xor(mut a: [u8; BLOCK_BYTES], b: &[u8; BLOCK_BYTES]) -> [u8; BLOCK_BYTES] {
    for (a, b) in a.iter_mut().zip(b) {
        *a ^= b;
    }
    a
}

/// `plaintext`, then 80, then zeros up to a whole block. A plaintext that already fills its blocks gets one more:
/// without it the single-profile token refuses the seed or silently cuts it short (about one in 255).
pub fn pad_always(plaintext: &[u8]) -> Zeroizing<Vec<u8>> {
    let blocks = plaintext.len() / BLOCK_BYTES + 1;
    // Allocated whole at once, so that no half-grown copy of a seed stays behind.
    let mut padded = Zeroizing::new(Vec::with_capacity(blocks * BLOCK_BYTES));
    padded.extend_from_slice(plaintext);
    padded.push(0x80);
    padded.resize(blocks * BLOCK_BYTES, 0);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_block_comes_out() {
        // GB/T 32907 appendix A.
        let bytes = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210_u128.to_be_bytes();
        let block = Key::new(&bytes).encrypt_block(bytes);
        assert_eq!(u128::from_be_bytes(block), 0x681e_df34_d206_965e_86b3_e94f_536e_4246);
    }

    #[test]
    fn a_full_block_is_padded_with_another_one() {
        assert_eq!(pad_always(&[7; 15]).len(), 16);
        let padded = pad_always(&[7; 16]);
        assert_eq!((padded.len(), padded[16], &padded[17..]), (32, 0x80, &[0; 15][..]));
        assert_eq!(pad_always(&[]).as_slice(), [[0x80, 0, 0, 0], [0; 4], [0; 4], [0; 4]].as_flattened());
    }

    #[test]
    fn a_message_that_fills_its_blocks_is_macced_bare() {
        let key = Key::new(&[1; 16]);
        let mut padded = vec![9; 15];
        padded.push(0x80);
        assert_eq!(key.mac(&[9; 15]), key.mac(&padded), "15 bytes get the marker");
        let mut extended = vec![9; 16];
        extended.extend(pad_always(&[]).iter());
        assert_ne!(key.mac(&[9; 16]), key.mac(&extended), "16 bytes get none");
    }

    #[test]
    fn a_key_is_never_printed() {
        assert_eq!(format!("{:?}", Key::new(&[1; 16])), "Key(SM4)");
    }
}
