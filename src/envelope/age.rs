//! age files (age-encryption.org/v1), armoured or not, for a key or with a passphrase.

use super::{MAX_PLAIN_BYTES, Plain, ReadError, read_all};
use crate::remedy::{Remedy, Retry};
use age::{DecryptError, Decryptor, Identity, armor::ArmoredReader, secrecy::SecretString};
use std::io::{BufReader, Read};

/// The most scrypt that is worked through for a passphrase: N = 2^this, 1 GiB. age tools choose 18.
const MAX_WORK: u8 = 20;

/// Why an age file can't be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgeError {
    /// Zero bytes.
    #[error("the age file is empty: encryption failed at the sender")]
    Empty,
    /// Cut off, or changed.
    #[error("the age file is damaged or cut off")]
    Damaged,
    /// For somebody else.
    #[error("the age file is not encrypted to this key")]
    OtherKey,
    /// No key was given.
    #[error("the age file is encrypted to a key")]
    KeyNeeded,
    /// It is encrypted with a passphrase, and none was given.
    #[error("the age file is encrypted with a passphrase")]
    PassphraseNeeded,
    /// Another one than was given.
    #[error("the passphrase does not open the age file")]
    WrongPassphrase,
    /// The private key's own passphrase is missing or wrong.
    #[error("the private key stayed locked")]
    KeyLocked,
    /// It asks for more scrypt than is allowed.
    #[error("the age file asks for scrypt work 2^{required}; at most 2^{MAX_WORK} is done")]
    TooMuchWork {
        /// The work factor's logarithm.
        required: u8,
    },
    /// More inside than a seed file has.
    #[error("the age file holds more than {} MiB", MAX_PLAIN_BYTES >> 20)]
    TooLarge,
}

impl Remedy for AgeError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Empty => {
                "check the public key in your request (age-keygen -y KEYFILE prints it), and have the file sent anew"
            }
            Self::Damaged => {
                "fetch it again, as an attachment and not as pasted text; else have it sent anew"
            }
            Self::OtherKey => {
                "give --identity the key whose public half the sender has; age-keygen -y KEYFILE prints that half"
            }
            Self::KeyNeeded => "give --identity FILE with your age or SSH private key",
            Self::PassphraseNeeded => {
                "run it in a terminal, where it can be asked for, or give --password-file FILE"
            }
            Self::WrongPassphrase => {
                "type it again; if it came from the sender, ask whether it arrived whole"
            }
            Self::KeyLocked => "run it in a terminal, and type the passphrase of the private key",
            Self::TooMuchWork { .. } => "open it with age --decrypt if you know where it comes from",
            Self::TooLarge => "no seed file is that large: ask the sender what this is",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Empty | Self::Damaged | Self::TooMuchWork { .. } | Self::TooLarge => Retry::Never,
            Self::OtherKey
            | Self::KeyNeeded
            | Self::PassphraseNeeded
            | Self::WrongPassphrase
            | Self::KeyLocked => Retry::AfterOperator,
        }
    }
}

/// Whether the file wants a passphrase rather than a key.
pub fn wants_passphrase(file: &[u8]) -> Result<bool, AgeError> {
    Ok(begin(file)?.is_scrypt())
}

/// Opens a file with private keys.
pub fn open(file: &[u8], keys: &[&dyn Identity]) -> Result<Plain, AgeError> {
    let decryptor = begin(file)?;
    if decryptor.is_scrypt() {
        return Err(AgeError::PassphraseNeeded);
    }
    if keys.is_empty() {
        return Err(AgeError::KeyNeeded);
    }
    finish(decryptor.decrypt(keys.iter().copied()), file.len())
}

/// Opens a file with its passphrase.
pub fn open_with_passphrase(file: &[u8], passphrase: &str) -> Result<Plain, AgeError> {
    let decryptor = begin(file)?;
    if !decryptor.is_scrypt() {
        return Err(AgeError::KeyNeeded);
    }
    let mut identity = age::scrypt::Identity::new(SecretString::from(passphrase.to_owned()));
    identity.set_max_work_factor(MAX_WORK);
    finish(decryptor.decrypt(std::iter::once(&identity as &dyn Identity)), file.len()).map_err(|error| {
        match error {
            AgeError::OtherKey => AgeError::WrongPassphrase,
            other => other,
        }
    })
}

fn begin(file: &[u8]) -> Result<Decryptor<ArmoredReader<BufReader<&[u8]>>>, AgeError> {
    let file = if file.trim_ascii_start().starts_with(b"-----BEGIN") { file.trim_ascii() } else { file };
    if file.is_empty() {
        return Err(AgeError::Empty);
    }
    Decryptor::new_buffered(ArmoredReader::new(file)).map_err(told)
}

fn finish(opened: Result<impl Read, DecryptError>, expected: usize) -> Result<Plain, AgeError> {
    let mut reader = opened.map_err(told)?;
    read_all(&mut reader, expected, MAX_PLAIN_BYTES).map_err(|error| match error {
        ReadError::TooLong => AgeError::TooLarge,
        ReadError::Io(_) => AgeError::Damaged,
    })
}

fn told(error: DecryptError) -> AgeError {
    match error {
        DecryptError::NoMatchingKeys | DecryptError::DecryptionFailed => AgeError::OtherKey,
        DecryptError::KeyDecryptionFailed => AgeError::KeyLocked,
        DecryptError::ExcessiveWork { required, .. } => AgeError::TooMuchWork { required },
        _ => AgeError::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do() {
        for error in [
            AgeError::Empty,
            AgeError::Damaged,
            AgeError::OtherKey,
            AgeError::KeyNeeded,
            AgeError::PassphraseNeeded,
            AgeError::WrongPassphrase,
            AgeError::KeyLocked,
            AgeError::TooMuchWork { required: 30 },
            AgeError::TooLarge,
        ] {
            assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}");
            let _ = error.retry();
        }
    }
}
