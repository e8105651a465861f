//! How an export is protected on its way out of here: encrypted to public keys, or the values of a PSKC container under a
//! password or an agreed key. All of it happens in this process, where the person is: the plain bytes come from the
//! station over the socket and touch no disk.

use super::{ExportError, FormatArgs};
use crate::{
    cli::{
        CliError, Io,
        files::{self, FileError, read, read_text},
        prompt::{Typed, secret},
    },
    domain::UnixTime,
    envelope::seal::{self, PublicKeys},
    face::SecretBytes,
    formats::{self, Cipher, FileSecret, SealWith},
    vault::holder::Recipient,
};
use clap::Args;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What protects an export.
#[derive(Debug, Default, Args)]
pub struct ProtectArgs {
    /// Encrypt to an age recipient: age1…, an SSH public key, or a FILE of them; may be given again
    #[arg(long, value_name = "RECIPIENT", help_heading = "Protection", conflicts_with = "pgp_key")]
    pub age_recipient: Vec<String>,
    /// Encrypt to the OpenPGP public keys in FILE (gpg --armor --export KEY); may be given again
    #[arg(long, value_name = "FILE", help_heading = "Protection")]
    pub pgp_key: Vec<PathBuf>,
    /// pskc: encrypt the seeds with a password, asked for or read from FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, help_heading = "Protection", conflicts_with = "pskc_key")]
    pub pskc_password: Option<Option<PathBuf>>,
    /// pskc: encrypt the seeds with a key of 16, 24 or 32 bytes (hex or base64) from FILE
    #[arg(long, value_name = "FILE", help_heading = "Protection")]
    pub pskc_key: Option<PathBuf>,
}

impl ProtectArgs {
    /// Whether what is written can be read by the one who has the other half alone.
    pub fn is_any(&self) -> bool {
        !self.age_recipient.is_empty() || !self.pgp_key.is_empty() || self.seals_values()
    }

    /// Whether the values of a container are encrypted.
    pub fn seals_values(&self) -> bool {
        self.pskc_password.is_some() || self.pskc_key.is_some()
    }

    /// Reads keys and asks for the password: before the station is asked, so that nothing is exported in vain.
    pub fn gather(
        &self,
        format: &FormatArgs,
        now: UnixTime,
        io: &mut Io<'_>,
    ) -> Result<Protection, CliError> {
        let values = match (&self.pskc_password, &self.pskc_key) {
            (Some(file), _) => {
                let password = secret(io, "password for the seeds", file.as_deref(), Typed::Twice)?;
                Some(Values::Password(FileSecret::passphrase(&password)))
            }
            (None, Some(file)) => {
                let text = read_text(file)?;
                Some(Values::Key(FileSecret::key(&text).map_err(ExportError::Key)?))
            }
            (None, None) => None,
        };
        let cipher = cipher_for(format.for_privacyidea);
        let envelope = Envelope::to(&self.age_recipient, &self.pgp_key, now)?;
        Ok(Protection { values, cipher, envelope, now })
    }
}

/// What protects an export that another face of kiln asked for.
#[derive(Clone, Copy)]
pub enum Seal<'a> {
    /// It is this account's alone.
    None,
    /// Encrypted to an age recipient, or to those in a file.
    Age(&'a str),
    /// Encrypted to the OpenPGP public keys in this file.
    OpenPgp(&'a Path),
    /// The seeds in a PSKC container are, with a password.
    Password {
        /// The password.
        password: &'a str,
        /// By the ciphers that privacyIDEA understands.
        for_privacyidea: bool,
    },
}

fn cipher_for(privacyidea: bool) -> Cipher {
    if privacyidea { Cipher::Old } else { Cipher::Strong }
}

impl Envelope {
    /// To these recipients, or these keys; to nobody, it is none.
    fn to(age: &[String], pgp: &[PathBuf], now: UnixTime) -> Result<Self, CliError> {
        let mut recipients = Vec::new();
        for one in age {
            for text in recipient_lines(one)?.lines().map(str::trim) {
                if !text.is_empty() && !text.starts_with('#') {
                    recipients.push(Recipient::public_key(text).map_err(ExportError::Recipient)?);
                }
            }
        }
        if !age.is_empty() && recipients.is_empty() {
            return Err(ExportError::Seal(seal::SealError::Nobody).into());
        }
        let mut keys = Vec::new();
        for file in pgp {
            keys.push(PublicKeys::read(&read(file)?, now).map_err(ExportError::Seal)?);
        }
        Ok(match PublicKeys::joined(keys) {
            Some(keys) => Self::OpenPgp(keys),
            None if recipients.is_empty() => Self::None,
            None => Self::Age(recipients),
        })
    }
}

/// A recipient's own text, or that of a file of recipients.
fn recipient_lines(one: &str) -> Result<Zeroizing<String>, FileError> {
    if one.starts_with("age1") || one.starts_with("ssh-") || one.starts_with("AGE-") {
        Ok(Zeroizing::new(one.to_owned()))
    } else {
        files::read_text(Path::new(one))
    }
}

/// What protects an export, ready to be used.
pub struct Protection {
    values: Option<Values>,
    cipher: Cipher,
    envelope: Envelope,
    now: UnixTime,
}

enum Values {
    Password(FileSecret),
    Key(FileSecret),
}

enum Envelope {
    None,
    Age(Vec<Recipient>),
    OpenPgp(PublicKeys),
}

/// Bytes as they are written.
pub enum Ready {
    /// As the station gave them.
    Plain(SecretBytes),
    /// Encrypted: no secret any more.
    Sealed(Vec<u8>),
}

impl Ready {
    /// What is written.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Plain(bytes) => bytes.expose(),
            Self::Sealed(bytes) => bytes,
        }
    }
}

impl Protection {
    /// What another face asked for.
    pub fn of(seal: Seal<'_>, now: UnixTime) -> Result<Self, CliError> {
        let (mut values, mut cipher, mut envelope) = (None, Cipher::Strong, Envelope::None);
        match seal {
            Seal::None => {}
            Seal::Age(to) => envelope = Envelope::to(&[to.to_owned()], &[], now)?,
            Seal::OpenPgp(keys) => envelope = Envelope::to(&[], &[keys.to_owned()], now)?,
            Seal::Password { password, for_privacyidea } => {
                values = Some(Values::Password(FileSecret::passphrase(password)));
                cipher = cipher_for(for_privacyidea);
            }
        }
        Ok(Self { values, cipher, envelope, now })
    }

    /// What the file is encrypted to, in words for the person; none where it isn't.
    pub fn told(&self) -> Option<String> {
        match &self.envelope {
            Envelope::None => self.values.as_ref().map(|values| match values {
                Values::Password(_) => "the seeds in it are encrypted with the password".to_owned(),
                Values::Key(_) => "the seeds in it are encrypted with the key".to_owned(),
            }),
            Envelope::Age(recipients) => {
                Some(format!("encrypted with age to {} recipient(s)", recipients.len()))
            }
            Envelope::OpenPgp(keys) => {
                let ids: Vec<String> = keys.ids().iter().map(ToString::to_string).collect();
                Some(format!("encrypted with OpenPGP to {}", ids.join(", ")))
            }
        }
    }

    /// What a file's name ends with besides, where each of several is encrypted by itself.
    pub fn ending(&self) -> &'static str {
        match &self.envelope {
            Envelope::None => "",
            Envelope::Age(_) => ".age",
            Envelope::OpenPgp(_) => ".asc",
        }
    }

    /// Protects `plain`.
    pub fn seal(&self, plain: SecretBytes) -> Result<Ready, CliError> {
        let mut ready = Ready::Plain(plain);
        if let Some(values) = &self.values {
            let with = match values {
                Values::Password(password) => SealWith::Password(password, self.cipher.rounds()),
                Values::Key(key) => SealWith::Key(key),
            };
            let mut failed = None;
            let mut random = |buffer: &mut [u8]| failed = getrandom::fill(buffer).err().or(failed);
            let sealed = formats::seal_pskc(ready.bytes(), with, self.cipher, &mut random);
            if failed.is_some() {
                return Err(ExportError::NoRandomness.into());
            }
            ready = Ready::Sealed(sealed.map_err(ExportError::Values)?);
        }
        match &self.envelope {
            Envelope::None => Ok(ready),
            Envelope::Age(recipients) => {
                let keys: Vec<_> = recipients.iter().filter_map(Recipient::as_age).collect();
                Ok(Ready::Sealed(seal::to_age(ready.bytes(), &keys).map_err(ExportError::Seal)?))
            }
            Envelope::OpenPgp(keys) => {
                let random = rand::rngs::OsRng;
                let sealed = seal::to_openpgp(ready.bytes(), keys, self.now, random);
                Ok(Ready::Sealed(sealed.map_err(ExportError::Seal)?))
            }
        }
    }
}
