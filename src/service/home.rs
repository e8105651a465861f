//! Where a station keeps its things, and that nobody else can look into them.
//!
//! | what | where |
//! |---|---|
//! | the home | `KILN_HOME`, else `$XDG_STATE_HOME/kiln`, else `~/.local/state/kiln`; mode 0700 |
//! | the socket | `KILN_SOCKET`, else `socket` in the home |
//! | models, recipes and targets of the operator's own | `profiles` in the home where `KILN_HOME` is set, else `$XDG_CONFIG_HOME/kiln`, else `~/.config/kiln` |
//!
//! A station that several people share has a private home like any other; only its socket lies elsewhere, in a
//! directory that their group may enter, and `KILN_SOCKET` says where.

use crate::remedy::{Remedy, Retry};
use nix::unistd::{Uid, geteuid};
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Longest path that fits into a socket's address: 108 bytes (unix(7)) with the terminating zero.
const SUN_PATH_MAX: usize = 107;

/// The places of one station. Finding it touches nothing; [`Home::prepare`] makes the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    dir: PathBuf,
    config: PathBuf,
    socket: Option<PathBuf>,
    named: bool,
}

/// Why there is no home to work in.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// None of the variables that could name it is set.
    #[error("no place for kiln's home: none of KILN_HOME, XDG_STATE_HOME and HOME is set")]
    Nowhere,
    /// A relative path, and no current directory to start from.
    #[error("cannot make {path} absolute: {source}")]
    Relative {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory can't be made or looked at.
    #[error("cannot use {path} as kiln's home: {source}")]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else has its name.
    #[error("kiln's home {path} is not a directory")]
    NotADirectory {
        /// What was found.
        path: PathBuf,
    },
    /// Other accounts can enter or read it.
    #[error("kiln's home {path} is open to other accounts (mode {mode:04o})")]
    NotPrivate {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another account owns it.
    #[error("kiln's home {path} belongs to uid {owner}, not to you (uid {me})")]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who asks.
        me: u32,
    },
}

impl Remedy for HomeError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Nowhere => "set KILN_HOME to a directory that only you can read",
            Self::Relative { .. } => "give KILN_HOME and KILN_SOCKET as absolute paths",
            Self::Unusable { .. } => {
                "make the directory yourself with mode 0700, or set KILN_HOME to another place"
            }
            Self::NotADirectory { .. } => "move that file away, or set KILN_HOME to another place",
            Self::NotPrivate { .. } => "take the others' permissions away with chmod 0700 on it",
            Self::NotOurs { .. } => {
                "run kiln as the account that owns it, or set KILN_HOME to a directory of your own"
            }
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

impl Home {
    /// The home that the environment names. `env` looks a variable up; an empty one counts as not set, and so does a
    /// relative path in an XDG variable (XDG Base Directory Specification 0.8).
    pub fn find(env: impl Fn(&str) -> Option<OsString>) -> Result<Self, HomeError> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let xdg = |name: &str, below_home: &str| {
            set(name)
                .filter(|path| path.is_absolute())
                .or_else(|| set("HOME").map(|home| home.join(below_home)))
                .map(|path| path.join("kiln"))
        };
        let named = set("KILN_HOME");
        let mut home = match &named {
            Some(dir) => Self::at(absolute(dir)?),
            None => {
                let dir = absolute(&xdg("XDG_STATE_HOME", ".local/state").ok_or(HomeError::Nowhere)?)?;
                let config =
                    xdg("XDG_CONFIG_HOME", ".config").unwrap_or_else(|| dir.clone()).join("profiles");
                Self { dir, config, socket: None, named: false }
            }
        };
        home.socket = set("KILN_SOCKET").map(|path| absolute(&path)).transpose()?;
        Ok(home)
    }

    /// The home in `dir`, an absolute path, as if `KILN_HOME` named it.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Self { config: dir.join("profiles"), dir, socket: None, named: true }
    }

    /// The same home with its socket at `path`, as if `KILN_SOCKET` named it.
    pub fn with_socket(self, path: impl Into<PathBuf>) -> Self {
        Self { socket: Some(path.into()), ..self }
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.dir.join("kiln.db")
    }

    /// The socket.
    pub fn socket(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| self.dir.join("socket"))
    }

    /// Whether the socket lies outside the home, where others can reach it.
    pub fn is_shared(&self) -> bool {
        self.socket.is_some()
    }

    /// The lock file. Its holder is the server; it contains that process's number. It is never removed.
    pub fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// The server's log.
    pub fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// The directory with the operator's own `models/`, `recipes/` and `targets/`. It need not exist.
    pub fn profiles(&self) -> &Path {
        &self.config
    }

    /// What a child process needs in its environment to find the same home from another directory.
    pub fn env(&self) -> impl Iterator<Item = (&'static str, &OsStr)> {
        let dir = self.named.then_some(("KILN_HOME", self.dir.as_os_str()));
        let socket = self.socket.as_ref().map(|path| ("KILN_SOCKET", path.as_os_str()));
        dir.into_iter().chain(socket)
    }

    /// Makes the home where it doesn't exist, and makes sure that it is a directory of ours that nobody else can
    /// enter. One that others can enter is refused rather than corrected: what they have read already would stay
    /// unknown.
    pub fn prepare(&self) -> Result<(), HomeError> {
        let unusable = |source| HomeError::Unusable { path: self.dir.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir).or_else(|error| {
            match error.kind() {
                io::ErrorKind::AlreadyExists => Ok(()),
                _ => Err(unusable(error)),
            }
        })?;
        self.check()
    }

    /// Makes sure that the home, which must exist, is a directory of ours that nobody else can enter. Changes nothing.
    pub fn check(&self) -> Result<(), HomeError> {
        let unusable = |source| HomeError::Unusable { path: self.dir.clone(), source };
        let found = fs::metadata(&self.dir).map_err(unusable)?;
        if !found.is_dir() {
            return Err(HomeError::NotADirectory { path: self.dir.clone() });
        }
        check_private(&self.dir, found.uid(), found.mode(), geteuid())
    }
}

fn absolute(path: &Path) -> Result<PathBuf, HomeError> {
    std::path::absolute(path).map_err(|source| HomeError::Relative { path: path.into(), source })
}

fn check_private(path: &Path, owner: u32, mode: u32, me: Uid) -> Result<(), HomeError> {
    if owner != me.as_raw() {
        return Err(HomeError::NotOurs { path: path.into(), owner, me: me.as_raw() });
    }
    if mode & 0o077 != 0 {
        return Err(HomeError::NotPrivate { path: path.into(), mode: mode & 0o7777 });
    }
    Ok(())
}

/// A name for the socket at `path` that fits into a socket's address, good as long as this lives.
///
/// Where the path itself is too long, its directory is opened and the socket named through `/proc/self/fd`. Another,
/// shorter place would depend on variables that a cron job and a login see differently, and the two would miss each
/// other.
pub(super) struct Address {
    path: PathBuf,
    _dir: Option<File>,
}

impl Address {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() <= SUN_PATH_MAX {
            return Ok(Self { path: path.into(), _dir: None });
        }
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        // O_PATH: members of the group may enter the directory without being able to list it.
        let dir = OpenOptions::new().read(true).custom_flags(nix::libc::O_PATH).open(dir)?;
        let path = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(name);
        Ok(Self { path, _dir: Some(dir) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn find(vars: &[(&str, &str)]) -> Result<Home, HomeError> {
        Home::find(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn kiln_home_beats_xdg_beats_home() {
        let home = find(&[("KILN_HOME", "/k"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")]).unwrap();
        assert_eq!(home.database(), Path::new("/k/kiln.db"));
        assert_eq!(home.profiles(), Path::new("/k/profiles"));
        let home = find(&[("XDG_STATE_HOME", "/x"), ("XDG_CONFIG_HOME", "/c"), ("HOME", "/h")]).unwrap();
        assert_eq!((home.dir(), home.profiles()), (Path::new("/x/kiln"), Path::new("/c/kiln/profiles")));
        let home = find(&[("KILN_HOME", ""), ("XDG_STATE_HOME", "relative"), ("HOME", "/h")]).unwrap();
        assert_eq!(home.dir(), Path::new("/h/.local/state/kiln"));
        assert_eq!(home.profiles(), Path::new("/h/.config/kiln/profiles"));
        assert_eq!(home.socket(), Path::new("/h/.local/state/kiln/socket"));
        assert!(matches!(find(&[]), Err(HomeError::Nowhere)));
    }

    #[test]
    fn a_child_is_told_what_was_named_and_nothing_else() {
        let said = |vars| {
            let home = find(vars).unwrap();
            home.env().map(|(name, value)| format!("{name}={}", value.display())).collect::<Vec<_>>()
        };
        assert_eq!(said(&[("HOME", "/h")]), [] as [&str; 0]);
        assert_eq!(said(&[("HOME", "/h"), ("KILN_SOCKET", "/run/k/s")]), ["KILN_SOCKET=/run/k/s"]);
        let here = std::env::current_dir().unwrap();
        assert_eq!(said(&[("KILN_HOME", "k")]), [format!("KILN_HOME={}", here.join("k").display())]);
    }

    #[test]
    fn a_new_home_is_private_and_an_open_one_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let home = Home::at(parent.path().join("deep/er"));
        home.prepare().unwrap();
        home.prepare().unwrap();
        assert_eq!(fs::metadata(home.dir()).unwrap().mode() & 0o7777, 0o700);
        for mode in [0o710, 0o704, 0o755] {
            fs::set_permissions(home.dir(), fs::Permissions::from_mode(mode)).unwrap();
            let refused = home.prepare().unwrap_err();
            assert!(
                matches!(refused, HomeError::NotPrivate { mode: found, .. } if found == mode),
                "{refused}"
            );
        }
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(Home::at(&file).prepare(), Err(HomeError::NotADirectory { .. })));
        assert!(matches!(Home::at(file.join("below")).prepare(), Err(HomeError::Unusable { .. })));
    }

    #[test]
    fn a_home_of_another_account_is_refused() {
        let refused = check_private(Path::new("/h"), 1000, 0o700, Uid::from_raw(1001)).unwrap_err();
        assert_eq!(refused.to_string(), "kiln's home /h belongs to uid 1000, not to you (uid 1001)");
        check_private(Path::new("/h"), 1000, 0o40700, Uid::from_raw(1000)).unwrap();
    }

    #[test]
    fn every_error_has_a_remedy() {
        let path = PathBuf::from("/h");
        let source = || io::Error::from(io::ErrorKind::PermissionDenied);
        for error in [
            HomeError::Nowhere,
            HomeError::Relative { path: path.clone(), source: source() },
            HomeError::Unusable { path: path.clone(), source: source() },
            HomeError::NotADirectory { path: path.clone() },
            HomeError::NotPrivate { path: path.clone(), mode: 0o755 },
            HomeError::NotOurs { path, owner: 1, me: 2 },
        ] {
            assert!(!error.remedy().is_empty() && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
    }
}
