//! Opening the vault's holder file, here, where the person and the key are. Passphrases and private keys go nowhere.

use super::{
    Ask, CliError, Exit, Io, VerbError,
    ask::answer,
    files,
    prompt::{Typed, secret},
};
use crate::face::{Command, HolderFile, Reply};
use crate::remedy::{Remedy, Retry};
use crate::vault::{
    DataKey,
    holder::{self, HolderError, HolderKind, Identity, Recipient, WorkFactor},
};
use clap::Args;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why the vault can't be made, opened or given another holder.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is one.
    #[error("this station has a vault already")]
    Exists,
    /// There is none.
    #[error("this station has no vault yet")]
    Absent,
    /// Nobody is called that.
    #[error("the vault has no holder called {name}; it has {}", known.join(", "))]
    NoSuchHolder {
        /// The name given.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A name that is taken.
    #[error("the vault has a holder called {name} already")]
    NameTaken {
        /// Which.
        name: String,
    },
    /// Several would do.
    #[error("the vault has several holders with a passphrase: {}", names.join(", "))]
    WhichHolder {
        /// Their names.
        names: Vec<String>,
    },
    /// None has a passphrase.
    #[error("no holder of the vault has a passphrase; it has {}", known.join(", "))]
    NoPassphraseHolder {
        /// The names there are.
        known: Vec<String>,
    },
    /// The named holder is of another kind than what was given to open it.
    #[error("holder {name} is opened by {needs}")]
    OtherKind {
        /// Which.
        name: String,
        /// By what.
        needs: &'static str,
    },
    /// No holder has this key.
    #[error("the key in {path} is no holder's; the vault has {}", known.join(", "))]
    NobodysKey {
        /// Its file.
        path: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The station keeps something that is no base64.
    #[error("the file of holder {name} is damaged")]
    Damaged {
        /// Which.
        name: String,
    },
    /// The holder's file, or what should open it.
    #[error(transparent)]
    Holder(#[from] HolderError),
    /// The operating system gives no random bytes.
    #[error("there are no random bytes to make a key of")]
    NoRandomness,
}

impl VerbError for OpenError {
    fn exit(&self) -> Exit {
        match self {
            Self::Exists | Self::NameTaken { .. } | Self::NobodysKey { .. } => Exit::No,
            Self::NoSuchHolder { .. }
            | Self::WhichHolder { .. }
            | Self::NoPassphraseHolder { .. }
            | Self::OtherKind { .. } => Exit::Usage,
            Self::Absent | Self::Damaged { .. } | Self::NoRandomness => Exit::Environment,
            Self::Holder(error) => match error {
                HolderError::WrongPassphrase | HolderError::OtherKey | HolderError::WrongKeyPassphrase => {
                    Exit::No
                }
                HolderError::BadRecipient(_)
                | HolderError::BadKeyFile(_)
                | HolderError::KeyPassphraseMissing
                | HolderError::EmptyPassphrase => Exit::Usage,
                HolderError::TooMuchWork { .. } | HolderError::Damaged(_) | HolderError::NotADataKey => {
                    Exit::Environment
                }
            },
        }
    }
}

impl Remedy for OpenError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Exists => "open it with `kiln unlock`, or add a holder with `kiln holder add`",
            Self::Absent => "make it with `kiln init`",
            Self::NoSuchHolder { .. } => "name one of these with --holder",
            Self::NameTaken { .. } => "choose another name, or remove that holder first",
            Self::WhichHolder { .. } => "say which you are with --holder NAME",
            Self::NoPassphraseHolder { .. } => "give your private key's file with --identity FILE",
            Self::OtherKind { .. } => "give what opens this holder, or name another one with --holder",
            Self::NobodysKey { .. } => "give the private key whose public half was added as a holder",
            Self::Damaged { .. } => "open the vault as another holder, then remove this one and add it again",
            Self::Holder(error) => error.remedy(),
            Self::NoRandomness => "check that /dev/urandom is there and readable, then try again",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Exists | Self::Damaged { .. } => Retry::Never,
            Self::Absent
            | Self::NoSuchHolder { .. }
            | Self::NameTaken { .. }
            | Self::WhichHolder { .. }
            | Self::NoPassphraseHolder { .. }
            | Self::OtherKind { .. }
            | Self::NobodysKey { .. }
            | Self::NoRandomness => Retry::AfterOperator,
            Self::Holder(error) => error.retry(),
        }
    }
}

/// Who opens the vault, and with what.
#[derive(Debug, Default, Args)]
pub struct OpenArgs {
    /// The holder that opens the vault [default: the one that fits]
    #[arg(long, value_name = "NAME")]
    pub holder: Option<String>,
    /// Read that holder's passphrase from this file
    #[arg(long, value_name = "FILE", conflicts_with = "identity")]
    pub passphrase_file: Option<PathBuf>,
    /// That holder's private key: an age identity file or an SSH private key
    #[arg(long, short, value_name = "FILE")]
    pub identity: Option<PathBuf>,
}

/// All holders, as the station keeps them.
pub fn holders(station: &mut dyn Ask) -> Result<Vec<HolderFile>, CliError> {
    Ok(answer!(station, Command::Holders, Reply::Holders(holders) => holders))
}

/// Opens one of `holders` with what the arguments or the person give.
pub fn open(holders: &[HolderFile], args: &OpenArgs, io: &mut Io<'_>) -> Result<DataKey, CliError> {
    let known = || holders.iter().map(|holder| holder.name.clone()).collect::<Vec<_>>();
    if holders.is_empty() {
        return Err(OpenError::Absent.into());
    }
    let named = match &args.holder {
        None => None,
        Some(name) => Some(
            holders
                .iter()
                .find(|holder| holder.name == *name)
                .ok_or_else(|| OpenError::NoSuchHolder { name: name.clone(), known: known() })?,
        ),
    };
    if let Some(path) = &args.identity {
        return with_key(holders, named, path, io, known);
    }
    let by_passphrase = |holder: &&HolderFile| holder.kind == HolderKind::Passphrase.word();
    let holder = match named {
        Some(holder) if by_passphrase(&holder) => holder,
        Some(holder) => {
            let needs = "a private key (--identity FILE)";
            return Err(OpenError::OtherKind { name: holder.name.clone(), needs }.into());
        }
        None => match holders.iter().filter(by_passphrase).collect::<Vec<_>>()[..] {
            [] => return Err(OpenError::NoPassphraseHolder { known: known() }.into()),
            [only] => only,
            ref several => {
                let names = several.iter().map(|holder| holder.name.clone()).collect();
                return Err(OpenError::WhichHolder { names }.into());
            }
        },
    };
    let passphrase = secret(io, "passphrase", args.passphrase_file.as_deref(), Typed::Once)?;
    let identity = Identity::passphrase(passphrase).map_err(OpenError::from)?;
    Ok(holder::open(&file_of(holder)?, &identity).map_err(OpenError::from)?)
}

fn with_key(
    holders: &[HolderFile],
    named: Option<&HolderFile>,
    path: &Path,
    io: &mut Io<'_>,
    known: impl Fn() -> Vec<String>,
) -> Result<DataKey, CliError> {
    let content = files::read(path)?;
    let ask = match &io.prompt {
        Some(person) => person.for_private_key(),
        None => Arc::new(|| None),
    };
    let identity = Identity::key_file(&content, ask).map_err(OpenError::from)?;
    let tried: Vec<&HolderFile> = match named {
        Some(holder) if holder.kind == HolderKind::Passphrase.word() => {
            let needs = "a passphrase, not by a private key";
            return Err(OpenError::OtherKind { name: holder.name.clone(), needs }.into());
        }
        Some(holder) => vec![holder],
        None => holders.iter().filter(|holder| holder.kind != HolderKind::Passphrase.word()).collect(),
    };
    for holder in tried {
        match holder::open(&file_of(holder)?, &identity) {
            Ok(key) => return Ok(key),
            Err(HolderError::OtherKey) => {}
            Err(error) => return Err(OpenError::from(error).into()),
        }
    }
    Err(OpenError::NobodysKey { path: path.display().to_string(), known: known() }.into())
}

fn file_of(holder: &HolderFile) -> Result<Vec<u8>, OpenError> {
    let damaged = |_| OpenError::Damaged { name: holder.name.clone() };
    data_encoding::BASE64.decode(holder.file.as_bytes()).map_err(damaged)
}

/// Whom a new holder's file is for.
#[derive(Debug, Default, Args)]
#[command(group = clap::ArgGroup::new("recipient").multiple(false).args(["new_passphrase_file", "age", "ssh"]))]
pub struct RecipientArgs {
    /// Read the new holder's passphrase from this file [default: it is asked for]
    #[arg(id = "new_passphrase_file", long = "new-passphrase-file", value_name = "FILE")]
    pub new_passphrase_file: Option<PathBuf>,
    /// The new holder has an age key: its public half (age1...)
    #[arg(long, value_name = "RECIPIENT")]
    pub age: Option<String>,
    /// The new holder has an SSH key: the file of its public half
    #[arg(long, value_name = "PUBKEYFILE")]
    pub ssh: Option<PathBuf>,
}

/// A passphrase shorter than this is warned of.
const SHORT_PASSPHRASE_CHARS: usize = 12;

impl RecipientArgs {
    /// The recipient, asked for if need be.
    pub fn recipient(&self, io: &mut Io<'_>, work: WorkFactor) -> Result<Recipient, CliError> {
        if let Some(text) = &self.age {
            return Ok(Recipient::public_key(text).map_err(OpenError::from)?);
        }
        if let Some(path) = &self.ssh {
            let text = files::read_text(path)?;
            return Ok(Recipient::public_key(&text).map_err(OpenError::from)?);
        }
        let file = self.new_passphrase_file.as_deref();
        let passphrase = secret(io, "new passphrase", file, Typed::Twice)?;
        if passphrase.chars().count() < SHORT_PASSPHRASE_CHARS {
            io.warn("a passphrase this short can be guessed from a stolen backup")?;
        }
        Ok(Recipient::passphrase(passphrase, work).map_err(OpenError::from)?)
    }
}

/// The file that lets `recipient` open the vault, as the station keeps it.
pub fn wrap(name: String, key: &DataKey, recipient: &Recipient) -> Result<HolderFile, OpenError> {
    let file = data_encoding::BASE64.encode(&holder::wrap(key, recipient)?);
    Ok(HolderFile { name, kind: recipient.kind().word().into(), file, recipient: recipient.text() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::Desk;

    fn key() -> DataKey {
        DataKey::from_bytes(&[7; 32]).unwrap()
    }

    fn with_passphrase(name: &str, passphrase: &str) -> HolderFile {
        let work = WorkFactor::new(2).unwrap();
        let recipient = Recipient::passphrase(passphrase.to_owned().into(), work).unwrap();
        wrap(name.into(), &key(), &recipient).unwrap()
    }

    #[test]
    fn the_only_passphrase_holder_needs_no_name() {
        let holders = [with_passphrase("alice", "blue horse")];
        let opened = open(&holders, &OpenArgs::default(), &mut Desk::terminal(&["blue horse"]).io()).unwrap();
        assert_eq!(opened.expose(), key().expose());
        let wrong =
            open(&holders, &OpenArgs::default(), &mut Desk::terminal(&["blue house"]).io()).unwrap_err();
        assert_eq!(wrong.exit(), Exit::No);
    }

    #[test]
    fn of_several_one_is_named() {
        let holders = [with_passphrase("alice", "blue horse"), with_passphrase("bob", "red house")];
        let mut desk = Desk::terminal(&["red house"]);
        let which = open(&holders, &OpenArgs::default(), &mut desk.io()).unwrap_err();
        assert_eq!(which.to_string(), "the vault has several holders with a passphrase: alice, bob");
        let bob = OpenArgs { holder: Some("bob".into()), ..OpenArgs::default() };
        assert!(open(&holders, &bob, &mut desk.io()).is_ok());
        let eve = OpenArgs { holder: Some("eve".into()), ..OpenArgs::default() };
        assert_eq!(open(&holders, &eve, &mut desk.io()).unwrap_err().exit(), Exit::Usage);
    }

    #[test]
    fn a_private_key_finds_its_holder() {
        use age::secrecy::ExposeSecret;
        let dir = tempfile::tempdir().unwrap();
        let (mine, other) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
        let recipient = Recipient::public_key(&mine.to_public().to_string()).unwrap();
        let holders =
            [with_passphrase("alice", "blue horse"), wrap("backup".into(), &key(), &recipient).unwrap()];
        for (identity, fits) in [(&mine, true), (&other, false)] {
            let path = dir.path().join("identity");
            std::fs::write(&path, identity.to_string().expose_secret()).unwrap();
            let args = OpenArgs { identity: Some(path), ..OpenArgs::default() };
            let opened = open(&holders, &args, &mut Desk::default().io());
            assert_eq!(opened.is_ok(), fits);
        }
    }

    #[test]
    fn every_error_says_what_to_do() {
        let (name, known) = (String::from("a"), vec![String::from("b")]);
        for error in [
            OpenError::Exists,
            OpenError::NoRandomness,
            OpenError::Absent,
            OpenError::NoSuchHolder { name: name.clone(), known: known.clone() },
            OpenError::NameTaken { name: name.clone() },
            OpenError::WhichHolder { names: known.clone() },
            OpenError::NoPassphraseHolder { known: known.clone() },
            OpenError::OtherKind { name: name.clone(), needs: "a passphrase" },
            OpenError::NobodysKey { path: name.clone(), known },
            OpenError::Damaged { name },
        ] {
            assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}");
        }
    }
}
