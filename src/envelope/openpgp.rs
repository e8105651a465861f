//! OpenPGP messages (RFC 9580, and RFC 4880 before it): encrypted to a key, or with a passphrase; armoured or not.
//!
//! Signatures are not checked: whoever holds the operator's public key can make a message, signed or not, and the keys
//! that vendors sign with are known to nobody here. What is inside is checked as any seed file is. Messages without
//! protection against change (packet 9, out of use since 2007) are refused.

use super::{MAX_PLAIN_BYTES, Plain, ReadError, read_all};
use crate::remedy::{Remedy, Retry};
use pgp::{
    composed::{DecryptionOptions, Edata, Esk, Message, PublicOrSecret, SignedSecretKey, TheRing},
    types::{KeyDetails, Password, S2kParams, SecretParams, Seipdv1ReadMode, StringToKey},
};
use std::{fmt, io::Cursor};

/// How many session keys a message may carry; each costs a try.
pub const MAX_SESSION_KEYS: usize = 32;

/// The most memory that trying a passphrase may cost, in KiB: four times what RFC 9106 recommends where memory is scarce.
const MAX_ARGON2_KIB: u32 = 256 << 10;

/// A key's number: the last 16 hex digits of its fingerprint, as `gpg --list-keys --keyid-format long` shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(String);

impl KeyId {
    pub(super) fn of(id: impl AsRef<[u8]>) -> Self {
        Self(data_encoding::HEXUPPER.encode(id.as_ref()))
    }

    /// The 16 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// "A, B"
struct List<'a>(&'a [KeyId]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("a key that it does not name");
        }
        for (at, id) in self.0.iter().enumerate() {
            write!(f, "{}{id}", if at > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// Why a message can't be opened, or a key not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenPgpError {
    /// Zero bytes.
    #[error("the OpenPGP file is empty: encryption failed at the sender")]
    Empty,
    /// It is an OpenPGP key.
    #[error("this is an OpenPGP key, not a message")]
    IsKey,
    /// It is signed, not encrypted.
    #[error("this is signed, not encrypted")]
    NotEncrypted,
    /// Cut off, or changed, or no OpenPGP at all.
    #[error("the OpenPGP message is damaged or cut off")]
    Damaged,
    /// What it is made with is unknown here.
    #[error("the OpenPGP message needs something that kiln doesn't know: {what}")]
    Unsupported {
        /// What.
        what: String,
    },
    /// It can be changed without anybody noticing.
    #[error("the OpenPGP message is of an old kind that anybody can change on its way")]
    Unprotected,
    /// For somebody else.
    #[error("the message is encrypted to {}, and the key file holds {}", List(.wanted), List(.held))]
    OtherKey {
        /// The keys it is encrypted to.
        wanted: Vec<KeyId>,
        /// The keys of the file.
        held: Vec<KeyId>,
    },
    /// No key was given.
    #[error("the message is encrypted to {}", List(.wanted))]
    KeyNeeded {
        /// The keys it is encrypted to.
        wanted: Vec<KeyId>,
    },
    /// The secret key has a passphrase, and none was given.
    #[error("the secret key is locked with a passphrase")]
    KeyLocked,
    /// The secret part is not in the file.
    #[error("the key file holds the key without its secret part, which is on a card or elsewhere")]
    KeyElsewhere,
    /// Another one than was given.
    #[error("the passphrase does not unlock the secret key")]
    WrongKeyPassphrase,
    /// It is encrypted with a passphrase, and none was given.
    #[error("the message is encrypted with a passphrase")]
    PassphraseNeeded,
    /// Another one than was given.
    #[error("the passphrase does not open the message, or the message is damaged")]
    WrongPassphrase,
    /// More session keys than are tried.
    #[error("the message is encrypted in {found} ways, and at most {MAX_SESSION_KEYS} are tried")]
    TooManyRecipients {
        /// How many.
        found: usize,
    },
    /// It asks for more memory than a passphrase is worth.
    #[error("the message wants more than {} MiB to try one passphrase", MAX_ARGON2_KIB / 1024)]
    TooMuchWork,
    /// More inside than a seed file has.
    #[error("the message holds more than {} MiB", MAX_PLAIN_BYTES >> 20)]
    TooLarge,
    /// The key file is none.
    #[error("this is no OpenPGP secret key")]
    NoSecretKey,
    /// The key file holds the public half.
    #[error("this is the public half of an OpenPGP key")]
    PublicKey,
}

impl Remedy for OpenPgpError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Empty => {
                "the public key in your request was malformed: export it again (gpg --armor --export KEY), check it with gpg --show-keys, and have the file sent anew"
            }
            Self::IsKey => "give this file to --identity if it is your secret key, and import the message",
            Self::NotEncrypted => "take the text out with gpg --decrypt, and tell the sender to encrypt it",
            Self::Damaged => {
                "fetch it again, as an attachment and not as pasted text; else have it sent anew"
            }
            Self::Unsupported { .. } | Self::Unprotected => {
                "ask the sender for a message of a current program, or open it with gpg: --gpg"
            }
            Self::OtherKey { .. } => {
                "give --identity the key it is encrypted to, or --gpg if gpg holds it; else send the vendor the right public key"
            }
            Self::KeyNeeded { .. } => "give --identity FILE with your secret key, or --gpg if gpg holds it",
            Self::KeyLocked | Self::PassphraseNeeded => {
                "run it in a terminal, where it can be asked for, or give --password-file FILE"
            }
            Self::KeyElsewhere => "plug the card in and let gpg open the message: --gpg",
            Self::WrongKeyPassphrase => "type the passphrase of the secret key again",
            Self::WrongPassphrase => {
                "type it again; if it came from the sender, ask whether it arrived whole"
            }
            Self::TooManyRecipients { .. } | Self::TooMuchWork => {
                "open it with gpg (--gpg) if you know where it comes from"
            }
            Self::TooLarge => "no seed file is that large: ask the sender what this is",
            Self::NoSecretKey => "export the secret key: gpg --armor --export-secret-keys KEY",
            Self::PublicKey => "give the secret half: gpg --armor --export-secret-keys KEY",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Empty
            | Self::IsKey
            | Self::NotEncrypted
            | Self::Damaged
            | Self::Unsupported { .. }
            | Self::Unprotected
            | Self::TooManyRecipients { .. }
            | Self::TooMuchWork
            | Self::TooLarge => Retry::Never,
            Self::OtherKey { .. }
            | Self::KeyNeeded { .. }
            | Self::KeyLocked
            | Self::KeyElsewhere
            | Self::WrongKeyPassphrase
            | Self::PassphraseNeeded
            | Self::WrongPassphrase
            | Self::NoSecretKey
            | Self::PublicKey => Retry::AfterOperator,
        }
    }
}

/// OpenPGP secret keys, as `gpg --export-secret-keys` writes them.
pub struct SecretKeys(Vec<SignedSecretKey>);

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretKeys").field(&self.ids()).finish()
    }
}

impl SecretKeys {
    /// Whether the bytes look like an OpenPGP key, of either half.
    pub fn are_in(bytes: &[u8]) -> bool {
        let text = bytes.trim_ascii_start();
        text.starts_with(b"-----BEGIN PGP PRIVATE KEY")
            || text.starts_with(b"-----BEGIN PGP PUBLIC KEY")
            // RFC 9580 section 4.2: a packet of tag 5 (secret key) or 6 (public key), old or new form.
            || bytes.first().is_some_and(|first| match first {
                0xC0..=0xFF => matches!(first & 0x3F, 5 | 6),
                0x80..=0xBF => matches!(first >> 2 & 0x0F, 5 | 6),
                _ => false,
            })
    }

    /// Reads the keys of a file, armoured or not. Their certificates are not checked: they are the operator's own.
    pub fn read(bytes: &[u8]) -> Result<Self, OpenPgpError> {
        let (found, _) =
            PublicOrSecret::from_reader_many(Cursor::new(bytes)).map_err(|_| OpenPgpError::NoSecretKey)?;
        let (mut keys, mut public) = (Vec::new(), false);
        for key in found {
            match key {
                Ok(PublicOrSecret::Secret(key)) => keys.push(key),
                Ok(PublicOrSecret::Public(_)) => public = true,
                // A key of an unknown kind beside a good one.
                Err(_) => {}
            }
        }
        match (keys.is_empty(), public) {
            (false, _) => Ok(Self(keys)),
            (true, true) => Err(OpenPgpError::PublicKey),
            (true, false) => Err(OpenPgpError::NoSecretKey),
        }
    }

    /// The keys that a message could be encrypted to.
    pub fn ids(&self) -> Vec<KeyId> {
        let mut ids = Vec::new();
        for key in &self.0 {
            ids.push(KeyId::of(key.primary_key.legacy_key_id()));
            ids.extend(key.secret_subkeys.iter().map(|subkey| KeyId::of(subkey.key.legacy_key_id())));
        }
        ids
    }
}

/// For whom a message is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipients {
    /// The keys; a sender may leave a key's number out.
    pub keys: Vec<KeyId>,
    /// Somebody's key, not named.
    pub hidden: bool,
    /// Whoever knows a passphrase.
    pub passphrase: bool,
}

/// Says for whom a message is, without opening it.
pub fn recipients(message: &[u8]) -> Result<Recipients, OpenPgpError> {
    match begin(message)? {
        Message::Encrypted { esk, .. } => Ok(recipients_of(&esk)),
        _ => Err(OpenPgpError::NotEncrypted),
    }
}

fn recipients_of(esks: &[Esk]) -> Recipients {
    let mut recipients = Recipients::default();
    for esk in esks {
        match esk {
            Esk::SymKeyEncryptedSessionKey(_) => recipients.passphrase = true,
            Esk::PublicKeyEncryptedSessionKey(key) => match key.id() {
                Ok(id) if !id.is_wildcard() => recipients.keys.push(KeyId::of(id)),
                // Version 6 names a fingerprint, whose first eight bytes are the key's number.
                _ => match key.fingerprint() {
                    Ok(Some(fingerprint)) if fingerprint.as_bytes().len() >= 8 => {
                        recipients.keys.push(KeyId::of(&fingerprint.as_bytes()[..8]));
                    }
                    _ => recipients.hidden = true,
                },
            },
        }
    }
    recipients.keys.sort();
    recipients.keys.dedup();
    recipients
}

/// What a message is opened with.
#[derive(Default)]
pub struct With<'a> {
    /// Secret keys.
    pub keys: Option<&'a SecretKeys>,
    /// What unlocks them.
    pub key_passphrase: Option<&'a str>,
    /// What the message itself is encrypted with.
    pub passphrase: Option<&'a str>,
}

/// Opens a message and takes out what is inside, through compression and signatures.
pub fn open(message: &[u8], with: &With<'_>) -> Result<Plain, OpenPgpError> {
    let encrypted = begin(message)?;
    let Message::Encrypted { esk, edata, .. } = &encrypted else { return Err(OpenPgpError::NotEncrypted) };
    if matches!(edata, Edata::SymEncryptedData { .. }) {
        return Err(OpenPgpError::Unprotected);
    }
    if esk.len() > MAX_SESSION_KEYS {
        return Err(OpenPgpError::TooManyRecipients { found: esk.len() });
    }
    let recipients = recipients_of(esk);
    let by_passphrase = recipients.passphrase && with.passphrase.is_some();
    if by_passphrase {
        if esk.iter().any(wants_too_much) {
            return Err(OpenPgpError::TooMuchWork);
        }
    } else {
        fitting_key(&recipients, with)?;
    }
    let key_passphrases: Vec<Password> = with.key_passphrase.into_iter().map(Password::from).collect();
    let passphrases: Vec<Password> = with.passphrase.into_iter().map(Password::from).collect();
    let ring = TheRing {
        secret_keys: with.keys.map_or_else(Vec::new, |keys| keys.0.iter().collect()),
        key_passwords: key_passphrases.iter().collect(),
        message_password: passphrases.iter().collect(),
        session_keys: Vec::new(),
        decrypt_options: DecryptionOptions::new()
            // What GnuPG 2.4 writes where both sides know it.
            .enable_gnupg_aead()
            // Compressed text is never longer than plain, but for a little.
            .set_seipdv1_read_mode(Seipdv1ReadMode::CheckFirst {
                max_message_size: MAX_PLAIN_BYTES + (1 << 20),
            }),
    };
    // A wrong passphrase gives a wrong session key, which shows only in what it makes of the message.
    let failed = |error: pgp::errors::Error| match told(error) {
        OpenPgpError::Damaged if by_passphrase => OpenPgpError::WrongPassphrase,
        other => other,
    };
    let (opened, _) = encrypted.decrypt_the_ring(ring, true).map_err(failed)?;
    // Once only: GnuPG compresses once, and each more multiplies what a few bytes can cost.
    let mut opened = opened.decompress().map_err(failed)?;
    if opened.is_encrypted() || opened.is_compressed() {
        return Err(OpenPgpError::Unsupported { what: "a message within a message".into() });
    }
    read_all(&mut opened, message.len(), MAX_PLAIN_BYTES).map_err(|error| match error {
        ReadError::TooLong => OpenPgpError::TooLarge,
        ReadError::Io(error) => failed(error.into()),
    })
}

/// Reads the head of a message.
fn begin(message: &[u8]) -> Result<Message<'_>, OpenPgpError> {
    let text = message.trim_ascii();
    if text.is_empty() {
        return Err(OpenPgpError::Empty);
    }
    let armour =
        |what: &[u8]| text.strip_prefix(b"-----BEGIN PGP ").is_some_and(|rest| rest.starts_with(what));
    if armour(b"PUBLIC KEY") || armour(b"PRIVATE KEY") {
        return Err(OpenPgpError::IsKey);
    }
    if armour(b"SIGN") {
        return Err(OpenPgpError::NotEncrypted);
    }
    if armour(b"") {
        Message::from_armor(Cursor::new(text)).map(|(message, _)| message).map_err(told)
    } else {
        Message::from_bytes(Cursor::new(message)).map_err(told)
    }
}

/// Whether one of the keys can open the message; the error says which would.
fn fitting_key(recipients: &Recipients, with: &With<'_>) -> Result<(), OpenPgpError> {
    let wanted = || recipients.keys.clone();
    let Some(keys) = with.keys else {
        return Err(if recipients.keys.is_empty() && !recipients.hidden {
            OpenPgpError::PassphraseNeeded
        } else {
            OpenPgpError::KeyNeeded { wanted: wanted() }
        });
    };
    let fits = |id: &KeyId| recipients.hidden || recipients.keys.contains(id);
    let unlock = |passphrase: Option<&str>, params: &SecretParams, try_it: &dyn Fn(&Password) -> bool| match (
        params, passphrase,
    ) {
        (SecretParams::Plain(_), _) => Ok(()),
        (SecretParams::Encrypted(locked), _) if is_elsewhere(locked.string_to_key_params()) => {
            Err(OpenPgpError::KeyElsewhere)
        }
        (SecretParams::Encrypted(_), None) => Err(OpenPgpError::KeyLocked),
        (SecretParams::Encrypted(_), Some(passphrase)) if try_it(&passphrase.into()) => Ok(()),
        (SecretParams::Encrypted(_), Some(_)) => Err(OpenPgpError::WrongKeyPassphrase),
    };
    let mut found = Err(OpenPgpError::OtherKey { wanted: wanted(), held: keys.ids() });
    for key in &keys.0 {
        let primary = &key.primary_key;
        if fits(&KeyId::of(primary.legacy_key_id())) {
            let try_it = |passphrase: &Password| primary.unlock(passphrase, |_, _| Ok(())).is_ok();
            found = unlock(with.key_passphrase, primary.secret_params(), &try_it).or(found);
        }
        for subkey in key.secret_subkeys.iter().map(|subkey| &subkey.key) {
            if found.is_ok() {
                return found;
            }
            if fits(&KeyId::of(subkey.legacy_key_id())) {
                let try_it = |passphrase: &Password| subkey.unlock(passphrase, |_, _| Ok(())).is_ok();
                found = unlock(with.key_passphrase, subkey.secret_params(), &try_it);
            }
        }
    }
    found
}

/// GnuPG's marks for a secret part that stays on a card or was taken off.
fn is_elsewhere(params: &S2kParams) -> bool {
    match params {
        S2kParams::Aead { s2k, .. } | S2kParams::Cfb { s2k, .. } | S2kParams::MalleableCfb { s2k, .. } => {
            matches!(s2k, StringToKey::Private { .. } | StringToKey::Other { .. })
        }
        S2kParams::Unprotected | S2kParams::LegacyCfb { .. } => false,
    }
}

fn wants_too_much(esk: &Esk) -> bool {
    match esk {
        Esk::SymKeyEncryptedSessionKey(key) => match key.s2k() {
            Some(StringToKey::Argon2 { m_enc, .. }) => {
                1u32.checked_shl((*m_enc).into()).is_none_or(|kib| kib > MAX_ARGON2_KIB)
            }
            _ => false,
        },
        Esk::PublicKeyEncryptedSessionKey(_) => false,
    }
}

fn told(error: pgp::errors::Error) -> OpenPgpError {
    use pgp::errors::Error as E;
    match error {
        E::Unsupported { message, .. } | E::Unimplemented { message, .. } => {
            OpenPgpError::Unsupported { what: message }
        }
        _ => OpenPgpError::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do() {
        let keys = vec![KeyId("0123456789ABCDEF".into())];
        for error in [
            OpenPgpError::Empty,
            OpenPgpError::IsKey,
            OpenPgpError::NotEncrypted,
            OpenPgpError::Damaged,
            OpenPgpError::Unsupported { what: "cipher 99".into() },
            OpenPgpError::Unprotected,
            OpenPgpError::OtherKey { wanted: keys.clone(), held: Vec::new() },
            OpenPgpError::KeyNeeded { wanted: keys },
            OpenPgpError::KeyLocked,
            OpenPgpError::KeyElsewhere,
            OpenPgpError::WrongKeyPassphrase,
            OpenPgpError::PassphraseNeeded,
            OpenPgpError::WrongPassphrase,
            OpenPgpError::TooManyRecipients { found: 99 },
            OpenPgpError::TooMuchWork,
            OpenPgpError::TooLarge,
            OpenPgpError::NoSecretKey,
            OpenPgpError::PublicKey,
        ] {
            assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}");
            let _ = error.retry();
        }
    }

    #[test]
    fn keys_are_listed_for_people() {
        let id = |text: &str| KeyId(text.into());
        let error = OpenPgpError::OtherKey { wanted: vec![id("A1"), id("B2")], held: vec![] };
        assert_eq!(
            error.to_string(),
            "the message is encrypted to A1, B2, and the key file holds a key that it does not name"
        );
    }
}
