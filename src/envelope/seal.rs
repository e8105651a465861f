//! What goes out, encrypted to somebody: age files (age-encryption.org/v1) and OpenPGP messages (RFC 9580), both
//! armoured. Only public halves are needed here, so that whoever exports need not be able to read what was exported.

use super::openpgp::KeyId;
use crate::{
    domain::UnixTime,
    remedy::{Remedy, Retry},
};
use age::armor::{ArmoredWriter, Format};
use pgp::{
    composed::{ArmorOptions, MessageBuilder, PublicOrSecret, SignedPublicKey, SignedPublicSubKey},
    crypto::sym::SymmetricKeyAlgorithm,
    packet::{Signature, SignatureType},
    types::KeyDetails,
};
use rand::{CryptoRng, Rng};
use std::io::{Cursor, Write};

/// Why something can't be encrypted to somebody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key file is none.
    #[error("this is no OpenPGP public key")]
    NoPublicKey,
    /// The key file holds the secret half, which belongs to its owner alone.
    #[error("this is the secret half of an OpenPGP key")]
    SecretKey,
    /// Its own signatures don't hold.
    #[error("the OpenPGP key {0} was changed or damaged: its own signatures do not hold")]
    Unsound(KeyId),
    /// Its owner has called it back.
    #[error("the OpenPGP key {0} was revoked by its owner")]
    Revoked(KeyId),
    /// Its time is over.
    #[error("the OpenPGP key {0} has expired")]
    Expired(KeyId),
    /// It is for signatures alone.
    #[error("the OpenPGP key {0} has no part that encrypts")]
    SignsOnly(KeyId),
    /// Nobody was named.
    #[error("nobody was named to encrypt it to")]
    Nobody,
    /// The library refused.
    #[error("it could not be encrypted: {0}")]
    Failed(String),
}

impl Remedy for SealError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NoPublicKey => "give the public key as gpg --armor --export KEY writes it",
            Self::SecretKey => {
                "give the public half (gpg --armor --export KEY), and keep the secret one where it was"
            }
            Self::Unsound(_) => "get the key again from its owner, and compare its fingerprint",
            Self::Revoked(_) | Self::Expired(_) => "ask its owner for the key that is in use now",
            Self::SignsOnly(_) => "ask its owner for a key with a part that encrypts",
            Self::Nobody => "name a recipient, or leave the encryption away",
            Self::Failed(_) => "check the public key with age or gpg, or name another recipient",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// An age file for these recipients.
pub fn to_age(plain: &[u8], recipients: &[&dyn age::Recipient]) -> Result<Vec<u8>, SealError> {
    if recipients.is_empty() {
        return Err(SealError::Nobody);
    }
    let failed = |error: String| SealError::Failed(error);
    let encryptor =
        age::Encryptor::with_recipients(recipients.iter().copied()).map_err(|e| failed(e.to_string()))?;
    let mut file = Vec::with_capacity(plain.len() / 2 * 3 + 4096);
    let write = |file: &mut Vec<u8>| -> std::io::Result<()> {
        let armour = ArmoredWriter::wrap_output(file, Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armour)?;
        writer.write_all(plain)?;
        writer.finish()?.finish()?;
        Ok(())
    };
    write(&mut file).map_err(|e| failed(e.to_string()))?;
    Ok(file)
}

/// OpenPGP public keys that can be encrypted to.
#[derive(Debug)]
pub struct PublicKeys(Vec<SignedPublicKey>);

impl PublicKeys {
    /// Reads the keys of a file, armoured or not. Each must be sound and have a part that encrypts `now`.
    pub fn read(bytes: &[u8], now: UnixTime) -> Result<Self, SealError> {
        let (found, _) =
            PublicOrSecret::from_reader_many(Cursor::new(bytes)).map_err(|_| SealError::NoPublicKey)?;
        let mut keys = Vec::new();
        for key in found {
            match key {
                Ok(PublicOrSecret::Public(key)) => {
                    usable(&key, now)?;
                    keys.push(key);
                }
                Ok(PublicOrSecret::Secret(_)) => return Err(SealError::SecretKey),
                Err(_) => return Err(SealError::NoPublicKey),
            }
        }
        if keys.is_empty() { Err(SealError::NoPublicKey) } else { Ok(Self(keys)) }
    }

    /// All of several files' keys; `None` where there are none.
    pub fn joined(files: Vec<Self>) -> Option<Self> {
        let keys: Vec<SignedPublicKey> = files.into_iter().flat_map(|file| file.0).collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The numbers of the keys, for the person to compare.
    pub fn ids(&self) -> Vec<KeyId> {
        self.0.iter().map(id).collect()
    }
}

fn id(key: &SignedPublicKey) -> KeyId {
    KeyId::of(key.primary_key.legacy_key_id())
}

/// What of a key encrypts.
enum Part<'k> {
    Primary(&'k SignedPublicKey),
    Subkey(&'k SignedPublicSubKey),
}

/// The part of a sound key that encrypts: the newest subkey that may, else the key itself.
fn usable(key: &SignedPublicKey, now: UnixTime) -> Result<Part<'_>, SealError> {
    key.verify_bindings().map_err(|_| SealError::Unsound(id(key)))?;
    if !key.details.revocation_signatures.is_empty() {
        return Err(SealError::Revoked(id(key)));
    }
    let own = key.details.users.iter().flat_map(|user| &user.signatures);
    let own = latest(own.chain(&key.details.direct_signatures));
    let created = i64::from(key.primary_key.created_at().as_secs());
    if own.is_some_and(|own| is_over(own, created, now)) {
        return Err(SealError::Expired(id(key)));
    }
    let encrypts = |signature: &Signature| {
        signature.key_flags().encrypt_comms() || signature.key_flags().encrypt_storage()
    };
    let mut expired = false;
    let mut best: Option<&SignedPublicSubKey> = None;
    for subkey in &key.public_subkeys {
        let binding =
            latest(subkey.signatures.iter().filter(|s| s.typ() == Some(SignatureType::SubkeyBinding)));
        let revoked = subkey.signatures.iter().any(|s| s.typ() == Some(SignatureType::SubkeyRevocation));
        let Some(binding) = binding.filter(|binding| encrypts(binding) && !revoked) else { continue };
        if !subkey.key.algorithm().can_encrypt() {
            continue;
        }
        let created = subkey.key.created_at().as_secs();
        if is_over(binding, i64::from(created), now) {
            expired = true;
        } else if best.is_none_or(|best| best.key.created_at().as_secs() <= created) {
            best = Some(subkey);
        }
    }
    match best {
        Some(subkey) => Ok(Part::Subkey(subkey)),
        None if key.primary_key.algorithm().can_encrypt() && own.is_some_and(encrypts) => {
            Ok(Part::Primary(key))
        }
        None if expired => Err(SealError::Expired(id(key))),
        None => Err(SealError::SignsOnly(id(key))),
    }
}

fn latest<'s>(signatures: impl Iterator<Item = &'s Signature>) -> Option<&'s Signature> {
    signatures.max_by_key(|signature| signature.created().map_or(0, |at| at.as_secs()))
}

/// Whether the time that a signature gives a key is over.
fn is_over(signature: &Signature, created: i64, now: UnixTime) -> bool {
    let lasts = signature.key_expiration_time().map_or(0, |lasts| i64::from(lasts.as_secs()));
    lasts > 0 && created.saturating_add(lasts) <= now.0
}

/// An OpenPGP message for these keys, protected against change (SEIPD version 1, which every current program reads).
pub fn to_openpgp(
    plain: &[u8],
    keys: &PublicKeys,
    now: UnixTime,
    mut random: impl CryptoRng + Rng,
) -> Result<Vec<u8>, SealError> {
    if keys.0.is_empty() {
        return Err(SealError::Nobody);
    }
    let failed = |error: pgp::errors::Error| SealError::Failed(error.to_string());
    // No name of a file: it would tell what is inside.
    let mut message =
        MessageBuilder::from_reader("", plain).seipd_v1(&mut random, SymmetricKeyAlgorithm::AES256);
    for key in &keys.0 {
        match usable(key, now)? {
            Part::Subkey(subkey) => message.encrypt_to_key(&mut random, subkey),
            Part::Primary(key) => message.encrypt_to_key(&mut random, &key.primary_key),
        }
        .map_err(failed)?;
    }
    let mut file = Vec::with_capacity(plain.len() / 2 * 3 + 4096);
    message.to_armored_writer(&mut random, ArmorOptions::default(), &mut file).map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_to_age_opens_with_its_identity_alone() {
        let (mine, other) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
        let (to_me, to_both) = (mine.to_public(), other.to_public());
        let plain = b"upn,serial number,secret key";
        let file = to_age(plain, &[&to_me]).unwrap();
        assert!(file.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----"));
        assert_eq!(&super::super::age::open(&file, &[&mine]).unwrap()[..], plain);
        assert!(super::super::age::open(&file, &[&other]).is_err());
        let both = to_age(plain, &[&to_me, &to_both]).unwrap();
        assert_eq!(&super::super::age::open(&both, &[&other]).unwrap()[..], plain);
        assert_eq!(to_age(plain, &[]), Err(SealError::Nobody));
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        for bytes in [&b""[..], b"hello", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"] {
            assert_eq!(PublicKeys::read(bytes, UnixTime(0)).unwrap_err(), SealError::NoPublicKey);
        }
    }

    #[test]
    fn every_error_says_what_to_do() {
        let key = || KeyId::of([0; 8]);
        for error in [
            SealError::NoPublicKey,
            SealError::SecretKey,
            SealError::Unsound(key()),
            SealError::Revoked(key()),
            SealError::Expired(key()),
            SealError::SignsOnly(key()),
            SealError::Nobody,
            SealError::Failed("x".into()),
        ] {
            assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
    }
}
