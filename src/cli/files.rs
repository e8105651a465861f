//! Files that hold secrets: read whole into memory that is wiped, written for their owner alone and never over another.

use super::{Exit, VerbError};
use crate::envelope::MAX_PLAIN_BYTES;
use crate::formats::MAX_FILE_BYTES;
use crate::remedy::{Remedy, Retry};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The largest file that is read.
pub const LARGEST_BYTES: usize = MAX_FILE_BYTES;

const _: () = assert!(MAX_PLAIN_BYTES == MAX_FILE_BYTES, "what is wrapped may be as long as what is not");

/// A file that can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It can't be read.
    #[error("{path} can't be read: {source}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is larger than any seed file.
    #[error("{path} holds more than {} MiB", LARGEST_BYTES >> 20)]
    TooLarge {
        /// Which.
        path: String,
    },
    /// It should be text.
    #[error("{path} is not UTF-8 text")]
    NotText {
        /// Which.
        path: String,
    },
    /// There is a file of that name.
    #[error("{path} exists already")]
    Exists {
        /// Which.
        path: String,
    },
    /// It can't be written.
    #[error("{path} can't be written: {source}")]
    Write {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl VerbError for FileError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read { .. } | Self::Write { .. } => Exit::Environment,
            Self::TooLarge { .. } | Self::NotText { .. } | Self::Exists { .. } => Exit::Usage,
        }
    }
}

impl Remedy for FileError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Read { .. } => "check the name, and that your account may read it",
            Self::TooLarge { .. } => "cut it into several files and import one after the other",
            Self::NotText { .. } => "save it as UTF-8 text",
            Self::Exists { .. } => "choose another name, or say --force to replace it",
            Self::Write { .. } => "check the directory's permissions and free space, or choose another place",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// All of `input`, which errors call `name`.
pub fn read_all(input: &mut dyn Read, name: &str) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let mut content = Zeroizing::new(Vec::new());
    let mut chunk = Zeroizing::new([0; 16 * 1024]);
    loop {
        let count = match input.read(&mut *chunk) {
            Ok(0) => return Ok(content),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(FileError::Read { path: name.into(), source }),
        };
        if content.len() + count > LARGEST_BYTES {
            return Err(FileError::TooLarge { path: name.into() });
        }
        // A vector that grows by itself leaves unwiped copies behind.
        if content.capacity() < content.len() + count {
            let mut larger =
                Zeroizing::new(Vec::with_capacity(((content.len() + count) * 2).min(LARGEST_BYTES)));
            larger.extend_from_slice(&content);
            content = larger;
        }
        content.extend_from_slice(&chunk[..count]);
    }
}

/// All of the file at `path`.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let mut file = File::open(path).map_err(|source| FileError::Read { path: shown(path), source })?;
    read_all(&mut file, &shown(path))
}

/// The text of the file at `path`.
pub fn read_text(path: &Path) -> Result<Zeroizing<String>, FileError> {
    let content = read(path)?;
    let text = std::str::from_utf8(&content).map_err(|_| FileError::NotText { path: shown(path) })?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// `text` without one line end at its end.
pub fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// Whether other accounts may read the file at `path`. A pipe such as `<(…)` is nobody else's.
pub fn others_may_read(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o044 != 0)
}

/// Whether a file may take another's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// It may not.
    Refuse,
    /// The person said `--force`.
    Force,
}

/// Refuses what [`create`] would refuse, before any work is done for it.
pub fn may_create(path: &Path, overwrite: Overwrite) -> Result<(), FileError> {
    if overwrite == Overwrite::Refuse && path.symlink_metadata().is_ok() {
        return Err(FileError::Exists { path: shown(path) });
    }
    Ok(())
}

/// Writes `content` to `path`: mode 0600 from the first byte, whole or not at all, on disk when this returns.
pub fn create(path: &Path, content: &[u8], overwrite: Overwrite) -> Result<(), FileError> {
    may_create(path, overwrite)?;
    let failed = |source| FileError::Write { path: shown(path), source };
    let partial = partial_name(path);
    let written = write_new(&partial, content).and_then(|()| match overwrite {
        Overwrite::Force => fs::rename(&partial, path),
        Overwrite::Refuse => put_in_place(&partial, path),
    });
    if let Err(source) = written {
        let _ = fs::remove_file(&partial);
        return Err(if source.kind() == io::ErrorKind::AlreadyExists && overwrite == Overwrite::Refuse {
            FileError::Exists { path: shown(path) }
        } else {
            failed(source)
        });
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)
}

/// A name beside `path` that no other process uses.
fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    path.with_file_name(name)
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Gives `partial` the name `path` unless that is taken. A link does it in one step; file systems without links (a USB
/// stick's) get an empty file of that name first, which then is replaced.
fn put_in_place(partial: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(partial, path) {
        Ok(()) => fs::remove_file(partial),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            fs::rename(partial, path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_its_owners_alone_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seeds.csv");
        create(&path, b"one", Overwrite::Refuse).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_replaced_only_by_force() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seeds.csv");
        create(&path, b"one", Overwrite::Refuse).unwrap();
        let error = create(&path, b"two", Overwrite::Refuse).unwrap_err();
        assert!(matches!(error, FileError::Exists { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"one");
        create(&path, b"two", Overwrite::Force).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_name_taken_in_the_meantime_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let (partial, path) = (dir.path().join("p"), dir.path().join("seeds.csv"));
        write_new(&partial, b"mine").unwrap();
        fs::write(&path, b"other").unwrap();
        assert_eq!(put_in_place(&partial, &path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"other");
    }

    #[test]
    fn a_file_is_read_whole_however_it_comes() {
        let content: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        assert_eq!(*read_all(&mut &content[..], "-").unwrap(), content);
        let error = read_all(&mut io::repeat(0), "-").unwrap_err();
        assert!(matches!(error, FileError::TooLarge { .. }), "{error}");
    }

    #[test]
    fn one_line_end_is_dropped_and_nothing_else() {
        assert_eq!(without_line_end(" a \r\n"), " a ");
        assert_eq!(without_line_end("a\n\n"), "a\n");
    }

    #[test]
    fn every_error_says_what_to_do() {
        let broken = || io::Error::from(io::ErrorKind::PermissionDenied);
        let path = || "f".to_owned();
        for error in [
            FileError::Read { path: path(), source: broken() },
            FileError::TooLarge { path: path() },
            FileError::NotText { path: path() },
            FileError::Exists { path: path() },
            FileError::Write { path: path(), source: broken() },
        ] {
            assert!(error.remedy().len() > 15 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
    }
}
