//! Seeds and keys at rest: sealed one by one under a random data key, and told apart without opening them.
//!
//! Each is sealed with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) under a fresh random nonce, which its 24 bytes
//! make safe for any number of seeds. The associated data says what the row is and whose: a sealed seed moved to
//! another row by somebody who can write the file does not open there.
//!
//! [`holder`] wraps the data key for people; it runs where the person is, never in the server.

pub mod holder;

pub use holder::HolderKind;

use crate::{
    domain::{CustomerKey, Seed, SeedId},
    remedy::{Remedy, Retry},
};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const CHECK_TEXT: &[u8] = b"this data key is the right one";

/// What can go wrong with the vault's own cryptography.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// It was sealed under another data key or for another row, or its bytes were changed.
    #[error("{what} does not open: its bytes were changed, or it was sealed under another data key")]
    Spoiled {
        /// "a seed", "a customer key".
        what: &'static str,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

impl Remedy for VaultError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Spoiled { .. } => {
                "run \"kiln audit verify\", then restore the station's home from the last backup"
            }
            Self::NoRandomness => "check that /dev/urandom is there and readable, then try again",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Spoiled { .. } => Retry::Never,
            Self::NoRandomness => Retry::AfterOperator,
        }
    }
}

/// A sealed seed or key: nonce, then ciphertext and tag. Safe to store and to show.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// The bytes that [`Sealed::as_bytes`] gave; `None` if they are too few to be that.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() >= NONCE_BYTES + TAG_BYTES).then_some(Self(bytes))
    }

    /// 24 bytes of nonce, then the ciphertext, then 16 bytes of tag.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes there are inside a sealed value of so many.
    pub fn len_inside(sealed_bytes: usize) -> usize {
        sealed_bytes.saturating_sub(NONCE_BYTES + TAG_BYTES)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// Tells equal seeds (or equal keys) from each other without opening them: HMAC-SHA-256 under a key derived from the
/// data key, cut to 16 bytes. Without the data key it can't be tested against guesses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// The key that all seeds and keys are sealed under: 32 random bytes, made once for a vault. Wiped when dropped;
/// leaves the process only towards the server at unlock, and into holders' files.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DataKey(Box<[u8; 32]>);

impl DataKey {
    /// How many bytes it has.
    pub const BYTES: usize = 32;

    /// A new one, for a new vault.
    pub fn generate() -> Result<Self, VaultError> {
        let mut key = Self(Box::new([0; 32]));
        fill(&mut *key.0)?;
        Ok(key)
    }

    /// The key with these bytes; `None` unless there are 32. The caller wipes its own copy.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut key = Self(Box::new([0; 32]));
        if bytes.len() != key.0.len() {
            return None;
        }
        key.0.copy_from_slice(bytes);
        Some(key)
    }

    /// The raw bytes, for a holder's file and for the message that unlocks the server.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A second copy, as sensitive as the first.
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    /// Seals `seed` for the row named `id`.
    pub fn seal_seed(&self, id: SeedId, seed: &Seed) -> Result<Sealed, VaultError> {
        self.seal(&seed_row(id), seed.expose())
    }

    /// Opens what [`DataKey::seal_seed`] made for the same `id` under the same data key.
    pub fn open_seed(&self, id: SeedId, sealed: &Sealed) -> Result<Seed, VaultError> {
        let mut plain = self.open(&seed_row(id), sealed).ok_or(VaultError::Spoiled { what: "a seed" })?;
        Ok(Seed::new(std::mem::take(&mut *plain)))
    }

    /// Seals a customer key for the row named `name`.
    pub fn seal_key(&self, name: &str, key: &CustomerKey) -> Result<Sealed, VaultError> {
        self.seal(&key_row(name), key.expose())
    }

    /// Opens what [`DataKey::seal_key`] made for the same `name` under the same data key.
    pub fn open_key(&self, name: &str, sealed: &Sealed) -> Result<CustomerKey, VaultError> {
        let mut plain =
            self.open(&key_row(name), sealed).ok_or(VaultError::Spoiled { what: "a customer key" })?;
        Ok(CustomerKey::new(std::mem::take(&mut *plain)))
    }

    /// A sealed constant, kept in the store so that a wrong data key is noticed before it seals anything.
    pub fn seal_check(&self) -> Result<Sealed, VaultError> {
        self.seal(b"kiln check v1", CHECK_TEXT)
    }

    /// Whether `check` was sealed under this data key.
    pub fn fits(&self, check: &Sealed) -> bool {
        self.open(b"kiln check v1", check).is_some_and(|text| *text == CHECK_TEXT)
    }

    /// Names equal seeds equally, and different ones differently.
    pub fn seed_fingerprint(&self, seed: &Seed) -> Fingerprint {
        self.fingerprint(b"kiln seed fingerprint v1", seed.expose())
    }

    /// Names equal customer keys equally, and never like a seed of the same bytes.
    pub fn key_fingerprint(&self, key: &CustomerKey) -> Fingerprint {
        self.fingerprint(b"kiln key fingerprint v1", key.expose())
    }

    fn seal(&self, row: &[u8], plain: &[u8]) -> Result<Sealed, VaultError> {
        let mut bytes = vec![0; NONCE_BYTES];
        fill(&mut bytes)?;
        let nonce = XNonce::try_from(&bytes[..]).expect("a nonce has 24 bytes");
        let sealed = self
            .cipher()
            .encrypt(&nonce, Payload { msg: plain, aad: row })
            .expect("only a plaintext of 256 GiB is too long");
        bytes.extend_from_slice(&sealed);
        Ok(Sealed(bytes))
    }

    fn open(&self, row: &[u8], sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, body) = sealed.0.split_at_checked(NONCE_BYTES)?;
        let nonce = XNonce::try_from(nonce).ok()?;
        self.cipher().decrypt(&nonce, Payload { msg: body, aad: row }).ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(<&Key>::from(&*self.0))
    }

    fn fingerprint(&self, purpose: &[u8], bytes: &[u8]) -> Fingerprint {
        let subkey = Zeroizing::new(hmac_sha256(&*self.0, purpose));
        let mut cut = [0; 16];
        cut.copy_from_slice(&hmac_sha256(&*subkey, bytes)[..16]);
        Fingerprint(cut)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({} bytes)", self.0.len())
    }
}

/// A new name for a seed.
pub fn new_seed_id() -> Result<SeedId, VaultError> {
    let mut id = [0; 16];
    fill(&mut id)?;
    Ok(SeedId(id))
}

/// A new seed of `len_bytes` random bytes.
pub fn new_seed(len_bytes: usize) -> Result<Seed, VaultError> {
    let mut bytes = Zeroizing::new(vec![0; len_bytes]);
    fill(&mut bytes)?;
    Ok(Seed::new(std::mem::take(&mut *bytes)))
}

fn fill(bytes: &mut [u8]) -> Result<(), VaultError> {
    getrandom::fill(bytes).map_err(|_| VaultError::NoRandomness)
}

fn seed_row(id: SeedId) -> Vec<u8> {
    [b"kiln seed v1".as_slice(), &id.0].concat()
}

fn key_row(name: &str) -> Vec<u8> {
    [b"kiln key v1".as_slice(), name.as_bytes()].concat()
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> DataKey {
        DataKey::from_bytes(&[byte; 32]).unwrap()
    }

    #[test]
    fn a_sealed_seed_opens_in_its_own_row_only() {
        let (id, other) = (SeedId([1; 16]), SeedId([2; 16]));
        let sealed = key(7).seal_seed(id, &Seed::new(*b"12345678901234567890")).unwrap();
        assert_eq!(key(7).open_seed(id, &sealed).unwrap().expose(), b"12345678901234567890");
        assert!(key(7).open_seed(other, &sealed).is_err(), "another row");
        assert!(key(8).open_seed(id, &sealed).is_err(), "another data key");
    }

    #[test]
    fn one_changed_bit_spoils_it() {
        let id = SeedId([1; 16]);
        let sealed = key(7).seal_seed(id, &Seed::new([9; 20])).unwrap();
        for at in 0..sealed.as_bytes().len() {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[at] ^= 1;
            assert!(key(7).open_seed(id, &Sealed::from_bytes(bytes).unwrap()).is_err(), "byte {at}");
        }
        assert!(Sealed::from_bytes(vec![0; 39]).is_none());
    }

    #[test]
    fn a_key_is_sealed_for_its_name_and_never_reads_as_a_seed() {
        let sealed = key(7).seal_key("plant A", &CustomerKey::new(*b"TOKEN2MOLTO1-KEY")).unwrap();
        assert_eq!(key(7).open_key("plant A", &sealed).unwrap().expose(), b"TOKEN2MOLTO1-KEY");
        assert!(key(7).open_key("plant B", &sealed).is_err());
        assert!(key(7).open_seed(SeedId([0; 16]), &sealed).is_err());
    }

    #[test]
    fn the_check_tells_the_right_data_key() {
        let check = key(7).seal_check().unwrap();
        assert!(key(7).fits(&check) && !key(8).fits(&check));
        let no_check = key(7).seal_seed(SeedId([1; 16]), &Seed::new(CHECK_TEXT)).unwrap();
        assert!(!key(7).fits(&no_check));
    }

    #[test]
    fn fingerprints_follow_seed_data_key_and_purpose() {
        let seed = Seed::new([5; 20]);
        assert_eq!(key(7).seed_fingerprint(&seed), key(7).seed_fingerprint(&Seed::new([5; 20])));
        assert_ne!(key(7).seed_fingerprint(&seed), key(7).seed_fingerprint(&Seed::new([5; 21])));
        assert_ne!(key(7).seed_fingerprint(&seed), key(8).seed_fingerprint(&seed));
        assert_ne!(key(7).seed_fingerprint(&seed), key(7).key_fingerprint(&CustomerKey::new([5; 20])));
    }

    #[test]
    fn sealing_twice_never_repeats_a_nonce() {
        let (id, seed) = (SeedId([1; 16]), Seed::new([5; 20]));
        let (a, b) = (key(7).seal_seed(id, &seed).unwrap(), key(7).seal_seed(id, &seed).unwrap());
        assert_ne!(a.as_bytes()[..24], b.as_bytes()[..24]);
        assert_ne!(a, b);
    }

    #[test]
    fn nothing_secret_is_printed() {
        assert_eq!(format!("{:?}", key(7)), "DataKey(32 bytes)");
        let sealed = key(7).seal_seed(SeedId([1; 16]), &Seed::new([5; 20])).unwrap();
        assert_eq!(format!("{sealed:?}"), "Sealed(60 bytes)");
        assert_ne!(DataKey::generate().unwrap().expose(), DataKey::generate().unwrap().expose());
        assert_ne!(new_seed_id().unwrap(), new_seed_id().unwrap());
        assert_eq!(new_seed(20).unwrap().len_bytes(), 20);
    }

    #[test]
    fn every_error_has_a_remedy() {
        for error in [VaultError::Spoiled { what: "a seed" }, VaultError::NoRandomness] {
            assert!(error.remedy().len() > 10, "{error}");
        }
    }
}
