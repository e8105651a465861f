//! Seed files whose seeds are encrypted are made plain here, where the person with the passphrase or key is: neither
//! leaves the client.

use super::{
    CliError, Exit, Io, VerbError,
    prompt::{self, Typed},
};
use crate::{
    formats::{self, BadLine, FileSecret, OpensWith, UnsealError},
    remedy::{Remedy, Retry},
};
use std::{fmt, path::Path};
use zeroize::Zeroizing;

/// Why an encrypted file stays shut.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The secret, or the file.
    #[error(transparent)]
    Unseal(#[from] UnsealError),
    /// The file came on standard input, and nobody can be asked.
    #[error("the file is encrypted, and standard input holds the file itself")]
    NoPlaceForSecret,
}

impl Remedy for SealError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Unseal(error) => error.remedy(),
            Self::NoPlaceForSecret => "give the passphrase or key in a file with --passphrase-file",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

impl VerbError for SealError {
    fn exit(&self) -> Exit {
        match self {
            Self::Unseal(UnsealError::KeyText) | Self::NoPlaceForSecret => Exit::Usage,
            Self::Unseal(_) => Exit::No,
        }
    }
}

/// Replaces `content` by its plain form where its seeds are encrypted, with the secret from `secret_file`, a person or
/// standard input.
pub fn make_plain(
    content: &mut Zeroizing<Vec<u8>>,
    secret_file: Option<&Path>,
    from_stdin: bool,
    io: &mut Io<'_>,
) -> Result<(), CliError> {
    let Some((format, with)) = formats::sealed(content) else { return Ok(()) };
    if from_stdin && secret_file.is_none() {
        return Err(SealError::NoPlaceForSecret.into());
    }
    let what = match with {
        OpensWith::Passphrase => "passphrase of the file",
        OpensWith::PreSharedKey => "pre-shared key of the file (hex or base64)",
    };
    io.note(format_args!("the seeds in this {format} are encrypted"))?;
    let typed = prompt::secret(io, what, secret_file, Typed::Once)?;
    let secret = match with {
        OpensWith::Passphrase => FileSecret::passphrase(&typed),
        OpensWith::PreSharedKey => FileSecret::key(&typed).map_err(SealError::Unseal)?,
    };
    *content = formats::unseal(content, &secret).map_err(SealError::Unseal)?;
    Ok(())
}

/// A list of serials that can't be checked against.
#[derive(Debug, thiserror::Error)]
pub enum ExpectError {
    /// The file as a whole.
    #[error("{file}: {error}")]
    File {
        /// Which.
        file: String,
        /// Why.
        error: formats::FileError,
    },
    /// Some of its lines.
    #[error("{file}: {}", Lines(bad))]
    Lines {
        /// Which.
        file: String,
        /// What is wrong with them.
        bad: Vec<BadLine>,
    },
}

struct Lines<'a>(&'a [BadLine]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bad lines in the list of serials", self.0.len())?;
        self.0.iter().take(20).try_for_each(|bad| write!(f, "\n{bad}"))
    }
}

impl Remedy for ExpectError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::File { error, .. } => error.remedy(),
            Self::Lines { .. } => "correct the list: one serial in each line, as text",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

impl VerbError for ExpectError {
    fn exit(&self) -> Exit {
        Exit::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::{FileError, Place, Problem};

    #[test]
    fn every_error_says_what_to_do() {
        let bad = BadLine { place: Place::Line(1), field: None, problem: Problem::Serial };
        let errors: [(Box<dyn VerbError>, Exit); 5] = [
            (Box::new(SealError::Unseal(UnsealError::KeyText)), Exit::Usage),
            (Box::new(SealError::Unseal(UnsealError::Wrong)), Exit::No),
            (Box::new(SealError::NoPlaceForSecret), Exit::Usage),
            (Box::new(ExpectError::File { file: "f".into(), error: FileError::Empty }), Exit::No),
            (Box::new(ExpectError::Lines { file: "f".into(), bad: vec![bad] }), Exit::No),
        ];
        for (error, exit) in errors {
            assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!((error.retry(), error.exit()), (Retry::AfterOperator, exit), "{error}");
        }
    }
}
