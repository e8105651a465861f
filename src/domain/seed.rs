//! The seed, the one secret everything here is about.

use serde::{Deserialize, Serialize};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// An OATH shared secret, `K` in RFC 4226 section 5.1. Section 4 (R6) asks for 16 bytes or more; shorter ones are
/// kept, with a warning. Wiped when dropped; never printed, serialised or cloned by accident.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Seed(Box<[u8]>);

impl Seed {
    /// Fewest bytes that RFC 4226 section 4 (R6) allows.
    pub const RFC_MIN_BYTES: usize = 16;

    /// Takes ownership of the raw bytes (not of their base32 text).
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The raw bytes. Each call is a place a seed can leak from; keep them few.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes.
    pub fn len_bytes(&self) -> usize {
        self.0.len()
    }

    /// Whether every byte is zero (or there is none): the Molto2 reads that as "clear this profile".
    pub fn is_all_zero(&self) -> bool {
        self.0.iter().fold(0, |seen, byte| seen | byte) == 0
    }

    /// Whether two seeds are the same, in time that depends on their lengths only.
    pub fn same_as(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// A second copy, for the few places that need one; each is as sensitive as the first.
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seed({} bytes)", self.0.len())
    }
}

/// Names a seed without holding it: 128 random bits, given once, never used again. Snapshots, events, jobs and logs
/// carry this.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeedId(pub [u8; 16]);

impl fmt::Display for SeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for SeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeedId({self})")
    }
}

impl Serialize for SeedId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SeedId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes.try_into().map_err(|_| serde::de::Error::custom("a seed id has 32 hex digits"))?))
    }
}

/// The key a token wants before it takes writes: the published device key of the single-profile family, or the
/// Molto2's customer key. Any length; what reaches the device is derived by its driver.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct CustomerKey(Box<[u8]>);

impl CustomerKey {
    /// Takes ownership of the raw bytes. Hex and ASCII spellings of the same bytes are the same key.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The raw bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomerKey({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_never_printed() {
        let seed = Seed::new(*b"12345678901234567890");
        assert_eq!(format!("{seed:?}"), "Seed(20 bytes)");
        assert_eq!(format!("{:?}", CustomerKey::new(*b"TOKEN2MOLTO1-KEY")), "CustomerKey(16 bytes)");
    }

    #[test]
    fn seed_ids_survive_json() {
        let id = SeedId([0xA5; 16]);
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<SeedId>(&text).unwrap(), id);
        assert!(serde_json::from_str::<SeedId>("\"a5\"").is_err());
    }

    #[test]
    fn all_zero_and_empty_seeds_are_recognised() {
        assert!(Seed::new([0; 20]).is_all_zero());
        assert!(Seed::new([]).is_all_zero());
        assert!(!Seed::new([0, 1]).is_all_zero());
    }
}
