//! Seed files whose seeds are encrypted, made plain: sealed bytes and a secret in, the plain form of the same format
//! out. The client does this, where the person and the passphrase are; what crosses the socket is the plain form.
//! Nothing is decrypted before its integrity was checked, and the work that a file can ask for is bounded.

mod apps;
mod pskc;
mod write;

pub(super) use apps::{is_sealed_aegis, is_sealed_two_fas};
pub use write::{Cipher, SealError, SealWith, seal_pskc};

use super::{FileError, Format, recognise, text};
use crate::remedy::{Remedy, Retry};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What opens a sealed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpensWith {
    /// A passphrase.
    Passphrase,
    /// A key that was agreed on before: 16, 24 or 32 bytes.
    PreSharedKey,
}

/// A passphrase or pre-shared key, for as long as a file is opened with it. Never printed, wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct FileSecret(Vec<u8>);

impl FileSecret {
    /// A passphrase, as typed.
    pub fn passphrase(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }

    /// A pre-shared key in hex or base64: 16, 24 or 32 bytes.
    pub fn key(text: &str) -> Result<Self, UnsealError> {
        let text: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !c.is_whitespace()).collect());
        let hex = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes());
        let bytes = Zeroizing::new(
            hex.or_else(|_| data_encoding::BASE64.decode(text.as_bytes()))
                .map_err(|_| UnsealError::KeyText)?,
        );
        if matches!(bytes.len(), 16 | 24 | 32) { Ok(Self(bytes.to_vec())) } else { Err(UnsealError::KeyText) }
    }

    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for FileSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileSecret({} bytes)", self.0.len())
    }
}

/// Why a sealed file could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// It is damaged as a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A text that is no key.
    #[error("a pre-shared key is 16, 24 or 32 bytes, in hex or base64")]
    KeyText,
    /// Nothing in it fits the secret.
    #[error("the passphrase or key does not open this file")]
    Wrong,
    /// The secret fits, and some values were changed or damaged.
    #[error(
        "the passphrase or key is right, but entry {entry} was changed or damaged after it was encrypted"
    )]
    Changed {
        /// The first such entry.
        entry: u32,
    },
    /// There is nothing by which a change could be noticed.
    #[error(
        "the file has encrypted values without a MAC, so that nobody could tell a wrong key or a changed file"
    )]
    NoMac,
    /// Opened by something that is no passphrase and can't be had here.
    #[error("the file can be opened with a fingerprint or on its own telephone only: it has no passphrase")]
    NoPassphrase,
    /// A cipher, hash or key derivation that kiln doesn't know.
    #[error("the file is encrypted by a method that kiln does not know ({what})")]
    Method {
        /// What of it.
        what: &'static str,
    },
    /// More work than any honest file asks for.
    #[error("the file asks for more key-derivation work than kiln does ({asked}; at most {most})")]
    TooMuchWork {
        /// Rounds, or bytes of memory.
        asked: u64,
        /// The bound.
        most: u64,
    },
    /// A part of the encryption's description is missing or is no such thing.
    #[error("the description of the encryption is damaged ({what})")]
    Description {
        /// Which part.
        what: &'static str,
    },
}

impl Remedy for UnsealError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::File(error) => error.remedy(),
            Self::KeyText => "type the key as the vendor sent it: 32, 48 or 64 hex digits, or base64",
            Self::Wrong => {
                "type it again; if it came by mail or paper, ask whether every character arrived, and which file it is for"
            }
            Self::Changed { .. } => "get the file again from whoever made it; do not use any of it",
            Self::NoMac => {
                "ask the vendor for a file with a MAC, or for a plain one in another envelope (age, OpenPGP)"
            }
            Self::NoPassphrase => {
                "set a passphrase in the application and export again, or export without encryption"
            }
            Self::Method { .. } => {
                "ask the vendor for AES-CBC with HMAC and PBKDF2, or for a plain file in another envelope (age, OpenPGP)"
            }
            Self::TooMuchWork { .. } => {
                "do not trust the file; ask whoever made it for one with usual parameters"
            }
            Self::Description { .. } => "get the file again from whoever made it; it is damaged",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// Whether the seeds in a file are encrypted, and what opens them; `None` for a file that is read as it is, and for one
/// that can't be read at all, which reading it will say.
pub fn sealed(bytes: &[u8]) -> Option<(Format, OpensWith)> {
    let (text, format) = told(bytes)?;
    match format {
        Format::Pskc => Some((format, pskc::opens_with(&text)?)),
        Format::Aegis => is_sealed_aegis(&text).then_some((format, OpensWith::Passphrase)),
        Format::TwoFas => is_sealed_two_fas(&text).then_some((format, OpensWith::Passphrase)),
        _ => None,
    }
}

/// The plain form of a file for which [`sealed`] says that it is encrypted.
pub fn unseal(bytes: &[u8], secret: &FileSecret) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
    if bytes.len() > super::MAX_FILE_BYTES {
        return Err(UnsealError::File(FileError::TooLarge { bytes: bytes.len() }));
    }
    let (text, format) = told(bytes).ok_or(UnsealError::File(FileError::Unknown))?;
    match format {
        Format::Pskc => pskc::unseal(&text, secret),
        Format::Aegis => apps::unseal_aegis(&text, secret),
        Format::TwoFas => apps::unseal_two_fas(&text, secret),
        _ => Err(UnsealError::File(FileError::Unknown)),
    }
}

fn told(bytes: &[u8]) -> Option<(Zeroizing<String>, Format)> {
    if bytes.len() > super::MAX_FILE_BYTES || recognise::binary(bytes).is_some() {
        return None;
    }
    let (text, _) = text::decode(bytes).ok()?;
    let format = recognise::format(&text).ok()?;
    Some((text, format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_secret_is_never_printed() {
        let secret = FileSecret::passphrase("blue horse");
        assert_eq!(format!("{secret:?}"), "FileSecret(10 bytes)");
    }

    #[test]
    fn keys_are_read_in_hex_and_base64_and_in_no_other_length() {
        let bytes = |text: &str| FileSecret::key(text).map(|key| key.bytes().to_vec());
        assert_eq!(bytes("12345678 90123456 78901234 56789012").unwrap().len(), 16);
        assert_eq!(bytes(&"Ab".repeat(32)).unwrap(), [0xAB; 32]);
        assert_eq!(bytes("EjRWeJASNFZ4kBI0VniQEg==").unwrap()[..2], [0x12, 0x34]);
        for text in ["", "blue horse", "1234", &"1".repeat(34)] {
            assert_eq!(bytes(text), Err(UnsealError::KeyText), "{text}");
        }
    }

    #[test]
    fn plain_files_and_junk_are_not_sealed() {
        let long = vec![b' '; crate::formats::MAX_FILE_BYTES + 1];
        let opened = unseal(&long, &FileSecret::passphrase("x"));
        assert!(matches!(opened, Err(UnsealError::File(FileError::TooLarge { .. }))));
        for bytes in
            [&b""[..], b"upn,serial number,secret key\n", b"PK\x03\x04", b"{\"db\":{},\"header\":{}}"]
        {
            assert_eq!(sealed(bytes), None);
        }
        let error = unseal(b"hello", &FileSecret::passphrase("x")).unwrap_err();
        assert_eq!(error, UnsealError::File(FileError::Unknown));
    }

    #[test]
    fn every_error_says_what_to_do() {
        for error in [
            UnsealError::File(FileError::Empty),
            UnsealError::KeyText,
            UnsealError::Wrong,
            UnsealError::Changed { entry: 1 },
            UnsealError::NoMac,
            UnsealError::NoPassphrase,
            UnsealError::Method { what: "cipher" },
            UnsealError::TooMuchWork { asked: 2, most: 1 },
            UnsealError::Description { what: "salt" },
        ] {
            assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
    }
}
