//! The inner loop: the 31-bit values behind the codes of one seed, for many steps at once.
//!
//! A code costs two compressions once the states after HMAC's two pads are kept (RFC 2104 section 4). Message blocks are
//! laid out for a whole batch before any of them is compressed: a block compressed right after it was written waits for
//! its bytes to leave the store buffer, which costs more than the hash. The hashes are the public block compression of
//! `sha1` and `sha2`; nothing here is a hash of our own.

use crate::domain::Hash;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Codes laid out together. From 8 to 64 the speed is the same; this many keep the blocks of one batch in the fastest
/// cache.
const LANES: usize = 16;

/// HMAC's two states for one seed and one hash, as sensitive as the seed itself.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) enum Keyed {
    Sha1(sha1::States),
    Sha256(sha256::States),
    Sha512(sha512::States),
}

impl Keyed {
    /// Takes a key of any length, as HMAC does.
    pub(super) fn new(seed: &[u8], hash: Hash) -> Self {
        match hash {
            Hash::Sha1 => Self::Sha1(sha1::States::new(seed)),
            Hash::Sha256 => Self::Sha256(sha256::States::new(seed)),
            Hash::Sha512 => Self::Sha512(sha512::States::new(seed)),
        }
    }

    /// `out[i]` becomes the value behind the code of step `first + i`: 31 bits, RFC 4226 section 5.3.
    pub(super) fn fill(&self, first: u64, out: &mut [u32]) {
        match self {
            Self::Sha1(states) => states.fill(first, out),
            Self::Sha256(states) => states.fill(first, out),
            Self::Sha512(states) => states.fill(first, out),
        }
    }

    /// The value behind the code of one step.
    pub(super) fn one(&self, step: u64) -> u32 {
        let mut out = [0];
        self.fill(step, &mut out);
        out[0]
    }
}

macro_rules! lanes {
    ($name:ident, $word:ty, $wide:ty, $words:literal, $block:literal, $digest:ty, $compress:path, $start:expr) => {
        mod $name {
            use super::*;

            const WORD: usize = size_of::<$word>();
            const DIGEST: usize = $words * WORD;
            type Block = [u8; $block];

            #[derive(Zeroize, ZeroizeOnDrop)]
            pub(in crate::diagnose) struct States {
                inner: [$word; $words],
                outer: [$word; $words],
            }

            /// A last block whose first `filled` bytes are still to come, after one whole block.
            const fn last_block(filled: usize) -> Block {
                let mut block = [0; $block];
                block[filled] = 0x80;
                let bits = (($block + filled) * 8) as u64;
                let length = bits.to_be_bytes();
                let mut i = 0;
                while i < 8 {
                    block[$block - 8 + i] = length[i];
                    i += 1;
                }
                block
            }

            const MESSAGE: Block = last_block(8);
            const MAC: Block = last_block(DIGEST);

            impl States {
                pub(super) fn new(seed: &[u8]) -> Self {
                    use ::sha2::Digest as _;
                    let mut key = Zeroizing::new([0u8; $block]);
                    if seed.len() > $block {
                        let mut digest = <$digest>::digest(seed);
                        key[..DIGEST].copy_from_slice(&digest);
                        digest.as_mut_slice().zeroize();
                    } else {
                        key[..seed.len()].copy_from_slice(seed);
                    }
                    let after = |pad: u8| {
                        let mut state: [$word; $words] = $start;
                        let mut padded = key.clone();
                        padded.iter_mut().for_each(|byte| *byte ^= pad);
                        $compress(&mut state, std::slice::from_ref(&*padded));
                        state
                    };
                    Self { inner: after(0x36), outer: after(0x5C) }
                }

                pub(super) fn fill(&self, first: u64, out: &mut [u32]) {
                    let mut messages = [MESSAGE; LANES];
                    let mut macs = [MAC; LANES];
                    let mut states = [self.inner; LANES];
                    let mut step = first;
                    for batch in out.chunks_mut(LANES) {
                        let n = batch.len();
                        for message in &mut messages[..n] {
                            message[..8].copy_from_slice(&step.to_be_bytes());
                            step = step.wrapping_add(1);
                        }
                        for (state, message) in states[..n].iter_mut().zip(&messages) {
                            *state = self.inner;
                            $compress(state, std::slice::from_ref(message));
                        }
                        for (state, mac) in states[..n].iter().zip(&mut macs) {
                            for (word, bytes) in state.iter().zip(mac.chunks_exact_mut(WORD)) {
                                bytes.copy_from_slice(&word.to_be_bytes());
                            }
                        }
                        for (state, mac) in states[..n].iter_mut().zip(&macs) {
                            *state = self.outer;
                            $compress(state, std::slice::from_ref(mac));
                        }
                        for (value, state) in batch.iter_mut().zip(&states) {
                            *value = truncate(state);
                        }
                    }
                }
            }

            /// The four bytes to which the last nibble points, without their sign. They lie in at most two words.
            fn truncate(state: &[$word; $words]) -> u32 {
                let offset = (state[$words - 1] & 0x0F) as usize;
                let (word, byte) = (offset / WORD, offset % WORD);
                let pair = <$wide>::from(state[word]) << (8 * WORD) | <$wide>::from(state[word + 1]);
                (pair >> (8 * (2 * WORD - 4 - byte))) as u32 & 0x7FFF_FFFF
            }
        }
    };
}

// The starting states are those of FIPS 180-4 section 5.3.
lanes!(
    sha1,
    u32,
    u64,
    5,
    64,
    ::sha1::Sha1,
    ::sha1::block_api::compress,
    [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
);
lanes!(
    sha256,
    u32,
    u64,
    8,
    64,
    ::sha2::Sha256,
    ::sha2::block_api::compress256,
    [0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A, 0x510E_527F, 0x9B05_688C, 0x1F83_D9AB, 0x5BE0_CD19]
);
lanes!(
    sha512,
    u64,
    u128,
    8,
    128,
    ::sha2::Sha512,
    ::sha2::block_api::compress512,
    [
        0x6A09_E667_F3BC_C908,
        0xBB67_AE85_84CA_A73B,
        0x3C6E_F372_FE94_F82B,
        0xA54F_F53A_5F1D_36F1,
        0x510E_527F_ADE6_82D1,
        0x9B05_688C_2B3E_6C1F,
        0x1F83_D9AB_FB41_BD6B,
        0x5BE0_CD19_137E_2179
    ]
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Digits, Seed, StepCount, otp};

    #[test]
    fn lanes_give_what_one_code_at_a_time_gives() {
        for hash in Hash::ALL {
            for length in [1, 16, 20, 32, 63, 64, 65, 127, 128, 129, 200] {
                let bytes: Vec<u8> = (0..length).map(|i| (i * 37 + 11) as u8).collect();
                let seed = Seed::new(bytes);
                let keyed = Keyed::new(seed.expose(), hash);
                let mut values = [0; LANES * 2 + 3];
                keyed.fill(u64::MAX - 5, &mut values);
                for (i, value) in (0..).zip(values) {
                    let step = (u64::MAX - 5).wrapping_add(i);
                    let code = otp::code(&seed, hash, Digits::new(10).unwrap(), StepCount(step));
                    assert_eq!(format!("{value:010}"), code.as_str(), "{hash}, {length} bytes, {step}");
                    assert_eq!(keyed.one(step), value);
                }
            }
        }
    }
}
