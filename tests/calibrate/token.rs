//! A token of the tests' own: HMAC and truncation written out from RFC 2104 and RFC 4226 over the plain hashes, and
//! numbers from a fixed seed. Shares nothing with kiln.

use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};

/// Numbers that are the same in every run: splitmix64.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `from..=to`.
    pub fn within(&mut self, from: i64, to: i64) -> i64 {
        from + (self.next() % (to - from + 1) as u64) as i64
    }

    /// From 0 to 1.
    pub fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.next() as usize % all.len()]
    }

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }

    /// Either sign.
    pub fn signed(&mut self, n: i64) -> i64 {
        if self.next() & 1 == 0 { n } else { -n }
    }
}

fn hash(name: &str, data: &[u8]) -> Vec<u8> {
    match name {
        "SHA1" => Sha1::digest(data).to_vec(),
        "SHA256" => Sha256::digest(data).to_vec(),
        "SHA512" => Sha512::digest(data).to_vec(),
        other => panic!("no hash {other}"),
    }
}

/// The 31-bit value of a moving factor.
pub fn value(seed: &[u8], name: &str, factor: u64) -> u32 {
    let block = if name == "SHA512" { 128 } else { 64 };
    let mut key = if seed.len() > block { hash(name, seed) } else { seed.to_vec() };
    key.resize(block, 0);
    let pad = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = hash(name, &[pad(0x36), factor.to_be_bytes().to_vec()].concat());
    let mac = hash(name, &[pad(0x5C), inner].concat());
    let at = usize::from(mac[mac.len() - 1] & 15);
    let word = u32::from_be_bytes(mac[at..at + 4].try_into().unwrap());
    word & 0x7FFF_FFFF
}

/// The text on a display.
pub fn display(value: u32, digits: usize) -> String {
    let text = format!("{value:010}");
    text[10 - digits..].to_owned()
}
