//! What can keep a virtual token from its reader.

use crate::{
    remedy::{Remedy, Retry},
    sim::{StateError, vpcd::VpcdError},
};
use std::{io, path::PathBuf};

/// Why a virtual token can't be put on its reader.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// No such model.
    #[error("no virtual token of the model \"{0}\" can be made")]
    UnknownModel(String),
    /// A token that is no USB key.
    #[error("a token of the model \"{0}\" does not speak USB HID")]
    NotUsb(String),
    /// The key can't be read.
    #[error("the key file {} can't be read: {source}", path.display())]
    KeyFile {
        /// Where it should be.
        path: PathBuf,
        /// What reading it said.
        source: io::Error,
    },
    /// The key is not written in hex.
    #[error("the key file {} doesn't hold one key in hex", .0.display())]
    KeyNotHex(PathBuf),
    /// The key has the wrong length for this model.
    #[error("the key file {} holds {found} bytes; the device key of a single-profile token has 16", path.display())]
    KeyLength {
        /// Which file.
        path: PathBuf,
        /// How many bytes.
        found: usize,
    },
    /// The state can't be read or written.
    #[error("the state file {} can't be used: {source}", path.display())]
    StateFile {
        /// Which file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The state is not this token's.
    #[error(transparent)]
    State(#[from] StateError),
    /// The reader can't be reached.
    #[error(transparent)]
    Reader(#[from] VpcdError),
    /// Nobody reads the answers.
    #[error("the control lines can't be read or answered: {0}")]
    Control(#[from] io::Error),
}

impl Remedy for SimulateError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::UnknownModel(_) => {
                "name a Token2 model (miniotp-2-i, miniotp-3-i, miniotp-3-i-nb, c301-i, c302-i, otpc-p1-i, otpc-p2-i, otpc-p2-i-nb, molto2-v1, molto2-v2, token2-pin-plus, token2-fido-card) or a key (yubikey-5, nitrokey-3, solo-2, canokey)"
            }
            Self::NotUsb(_) => "use --vpcd PORT for it, or name a key that does: token2-pin-plus",
            Self::KeyFile { .. } => "name a file that this user may read",
            Self::KeyNotHex(_) => "write the key as hex digits and nothing else, two for each byte",
            Self::KeyLength { .. } => {
                "write 32 hex digits, or leave --key-file out for the published device key"
            }
            Self::StateFile { .. } => "name a file in a directory that this user may write to",
            Self::State(error) => error.remedy(),
            Self::Reader(error) => error.remedy(),
            Self::Control(_) => {
                "keep both ends of the virtual token's input and output open until it has quit"
            }
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::UnknownModel(_) | Self::NotUsb(_) | Self::KeyNotHex(_) | Self::KeyLength { .. } => {
                Retry::Never
            }
            Self::KeyFile { .. } | Self::StateFile { .. } | Self::Control(_) => Retry::AfterOperator,
            Self::State(error) => error.retry(),
            Self::Reader(error) => error.retry(),
        }
    }
}
