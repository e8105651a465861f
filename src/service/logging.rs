//! The server's log: one file in the home, for its owner only.
//!
//! What is written there comes from `tracing` calls, and every secret is a type whose `Debug` shows its length alone.

use crate::remedy::{Remedy, Retry};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;

/// A log of this many bytes is put aside when the server starts. One such is kept, as `log.old`.
const PUT_ASIDE_AT: u64 = 10 * 1024 * 1024;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file can't be written.
    #[error("cannot write the log {path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is to be logged can't be understood.
    #[error("cannot make sense of the log filter {filter:?}: {reason}")]
    Filter {
        /// As given.
        filter: String,
        /// Where it goes wrong.
        reason: String,
    },
    /// The process logs elsewhere already.
    #[error("this process has a log already")]
    Twice,
}

impl Remedy for LogError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Open { .. } => "check that the home has room and that the file belongs to this account",
            Self::Filter { .. } => "set KILN_LOG to error, warn, info, debug or trace, or unset it",
            Self::Twice => "report this to kiln's makers",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Open { .. } | Self::Filter { .. } => Retry::AfterOperator,
            Self::Twice => Retry::Never,
        }
    }
}

/// Sends all that this process logs to `path`. `filter` is what `KILN_LOG` says, in `tracing-subscriber`'s words;
/// `None`: from `info` up.
pub fn init(path: &Path, filter: Option<&str>) -> Result<(), LogError> {
    tracing::subscriber::set_global_default(subscriber(path, filter)?).map_err(|_| LogError::Twice)
}

/// Opens the log for appending, mode 0600 whatever it was before.
pub(super) fn open(path: &Path) -> Result<File, LogError> {
    let failed = |source| LogError::Open { path: path.into(), source };
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(failed)?;
    file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(file)
}

fn subscriber(path: &Path, filter: Option<&str>) -> Result<impl Subscriber + Send + Sync + use<>, LogError> {
    let filter = filter.unwrap_or("info");
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| LogError::Filter { filter: filter.into(), reason: error.to_string() })?;
    if fs::metadata(path).is_ok_and(|log| log.len() >= PUT_ASIDE_AT) {
        let failed = |source| LogError::Open { path: path.into(), source };
        fs::rename(path, path.with_extension("old")).map_err(failed)?;
    }
    let file = Mutex::new(open(path)?);
    Ok(tracing_subscriber::fmt().with_ansi(false).with_env_filter(filter).with_writer(file).finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::SecretBytes;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn the_log_is_private_appended_to_and_shows_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, "before\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let secret = SecretBytes::new(*b"12345678901234567890");
        tracing::subscriber::with_default(subscriber(&path, None).unwrap(), || {
            tracing::info!(?secret, "burning");
            tracing::debug!("too fine");
        });
        let log = fs::read_to_string(&path).unwrap();
        assert!(log.starts_with("before\n") && log.contains("burning secret=SecretBytes(20 bytes)"), "{log}");
        assert!(!log.contains("too fine") && !log.contains('\x1b'), "{log}");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn a_large_log_is_put_aside_at_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        open(&path).unwrap().set_len(PUT_ASIDE_AT).unwrap();
        drop(subscriber(&path, Some("debug")).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        assert_eq!(fs::metadata(dir.path().join("log.old")).unwrap().len(), PUT_ASIDE_AT);
    }

    #[test]
    fn a_filter_without_sense_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let refused = subscriber(&dir.path().join("log"), Some("kiln=loud")).err().unwrap();
        assert!(matches!(refused, LogError::Filter { .. }), "{refused}");
    }

    #[test]
    fn every_error_has_a_remedy() {
        for error in [
            LogError::Open { path: "/log".into(), source: io::ErrorKind::Other.into() },
            LogError::Filter { filter: "x".into(), reason: "y".into() },
            LogError::Twice,
        ] {
            assert!(!error.remedy().is_empty() && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry() == Retry::Never, matches!(error, LogError::Twice));
        }
    }
}
