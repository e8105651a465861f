//! The server's claim on a home: its lock, then its socket.

use super::Access;
use super::home::{Address, Home, HomeError};
use crate::remedy::{Remedy, Retry};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// A home that is ours and a socket on which clients may already queue. Dropping it removes the socket, then lets go
/// of the home.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: UnixListener,
    pub(super) name: SocketName,
    // Dropped last: as long as the socket's name may exist, no other server may look at it.
    pub(super) lock: HomeLock,
}

/// The lock of a home. Whoever holds it is the only server, and so the only writer of the database: keep it until the
/// database is closed.
#[derive(Debug)]
#[must_use = "another server may use the home as soon as this is dropped"]
pub struct HomeLock(#[expect(dead_code, reason = "held, not read")] Flock<File>);

/// Why this process can't be the server of a home.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The home itself.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Another process holds the lock.
    #[error("another kiln server is starting, running or ending in {home}")]
    Running {
        /// The home.
        home: PathBuf,
    },
    /// The lock file can't be used.
    #[error("cannot lock {path}: {source}")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The socket's directory lets others replace the socket.
    #[error("the socket's directory {path} can be changed by other accounts (mode {mode:04o})")]
    OpenDirectory {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A server of another home answers on the socket.
    #[error("the server of another home answers on {path}")]
    SocketTaken {
        /// The socket.
        path: PathBuf,
    },
    /// Something that is no socket has its name.
    #[error("{path} exists and is not a socket")]
    NotASocket {
        /// What was found.
        path: PathBuf,
    },
    /// The socket can't be made.
    #[error("cannot listen on {path}: {source}")]
    Bind {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Remedy for BindError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Home(error) => error.remedy(),
            Self::Running { .. } => {
                "use the one that runs; to replace it, let kiln station stop end it and try again"
            }
            Self::Lock { .. } => {
                "check that the home lies on a local disk with room and that you may write there"
            }
            Self::OpenDirectory { .. } => {
                "take the write permission of group and others away from it: they need to enter it, no more"
            }
            Self::SocketTaken { .. } => "give each home a KILN_SOCKET of its own",
            Self::NotASocket { .. } => "move that file away, or point KILN_SOCKET elsewhere",
            Self::Bind { .. } => {
                "make the socket's directory, owned by this account, or point KILN_SOCKET elsewhere"
            }
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Running { .. } => Retry::Soon,
            Self::Home(_)
            | Self::Lock { .. }
            | Self::OpenDirectory { .. }
            | Self::SocketTaken { .. }
            | Self::NotASocket { .. }
            | Self::Bind { .. } => Retry::AfterOperator,
        }
    }
}

impl Listener {
    /// Makes the home where needed, takes its lock and binds its socket, in this order. A socket left behind by a
    /// dead server is removed.
    ///
    /// The socket is for its owner alone (0600) where `access` lets nobody else in. Else everybody may connect who may
    /// enter its directory (0666): the server asks the kernel who each of them is, and two groups with different
    /// roles don't fit into one file's mode.
    pub fn bind(home: &Home, access: &Access) -> Result<Self, BindError> {
        home.prepare()?;
        let lock = HomeLock::take(home)?;
        let path = home.socket();
        let failed = |source| BindError::Bind { path: path.clone(), source };
        check_directory(&path)?;
        let address = Address::of(&path).map_err(failed)?;
        remove_dead(&path, &address)?;
        let socket = UnixListener::bind(address.path()).map_err(failed)?;
        let name = SocketName::new(&path).map_err(failed)?;
        let mode = if access.is_private() { 0o600 } else { 0o666 };
        fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        Ok(Self { socket, name, lock })
    }
}

impl HomeLock {
    fn take(home: &Home) -> Result<Self, BindError> {
        let path = home.lock();
        let failed = |source: io::Error| BindError::Lock { path: path.clone(), source };
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut lock =
            Flock::lock(file.map_err(failed)?, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
                match errno {
                    nix::Error::EWOULDBLOCK => BindError::Running { home: home.dir().into() },
                    other => failed(other.into()),
                }
            })?;
        // For people: which process to look at. Nothing in kiln reads it.
        lock.set_len(0).and_then(|()| writeln!(&mut *lock, "{}", std::process::id())).map_err(failed)?;
        Ok(Self(lock))
    }
}

/// Whoever may write to the socket's directory could put a socket of theirs in its place and be given data keys.
pub(super) fn open_directory(socket: &Path) -> io::Result<Option<(PathBuf, u32)>> {
    let dir = socket.parent().unwrap_or(Path::new("/"));
    let mode = fs::metadata(dir)?.mode() & 0o7777;
    Ok((mode & 0o022 != 0).then(|| (dir.into(), mode)))
}

fn check_directory(socket: &Path) -> Result<(), BindError> {
    match open_directory(socket) {
        Ok(None) => Ok(()),
        Ok(Some((path, mode))) => Err(BindError::OpenDirectory { path, mode }),
        Err(source) => Err(BindError::Bind { path: socket.into(), source }),
    }
}

fn remove_dead(path: &Path, address: &Address) -> Result<(), BindError> {
    let failed = |source| BindError::Bind { path: path.into(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(BindError::NotASocket { path: path.into() });
        }
        Ok(_) => {}
    }
    // We hold this home's lock, so only the server of another home could answer.
    match UnixStream::connect(address.path()) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
        Ok(_) => Err(BindError::SocketTaken { path: path.into() }),
    }
}

/// The socket's name in the file system, removed when dropped if it is still the one that was bound.
#[derive(Debug)]
pub(super) struct SocketName {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketName {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn new(path: &Path) -> io::Result<Self> {
        let made = fs::symlink_metadata(path)?;
        Ok(Self { path: path.into(), device: made.dev(), inode: made.ino() })
    }
}

impl Drop for SocketName {
    fn drop(&mut self) {
        let ours = |found: fs::Metadata| (found.dev(), found.ino()) == (self.device, self.inode);
        if fs::symlink_metadata(&self.path).is_ok_and(ours) {
            // If it can't be removed, the next server finds it dead and removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn one_server_for_a_home_and_the_next_one_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        let access = Access::private(1000);
        let first = Listener::bind(&home, &access).unwrap();
        assert_eq!((mode(&home.socket()), mode(&home.lock())), (0o600, 0o600));
        assert_eq!(fs::read_to_string(home.lock()).unwrap(), format!("{}\n", std::process::id()));
        let second = Listener::bind(&home, &access).unwrap_err();
        assert!(matches!(second, BindError::Running { .. }), "{second}");
        UnixStream::connect(home.socket()).unwrap();
        drop(first);
        assert!(!home.socket().exists());
        drop(Listener::bind(&home, &access).unwrap());
    }

    #[test]
    fn a_dead_servers_socket_is_removed_and_any_other_file_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        home.prepare().unwrap();
        drop(UnixListener::bind(home.socket()).unwrap());
        assert!(home.socket().exists());
        drop(Listener::bind(&home, &Access::private(1000)).unwrap());
        fs::write(home.socket(), "precious").unwrap();
        let refused = Listener::bind(&home, &Access::private(1000)).unwrap_err();
        assert!(matches!(refused, BindError::NotASocket { .. }), "{refused}");
        assert_eq!(fs::read_to_string(home.socket()).unwrap(), "precious");
    }

    #[test]
    fn a_shared_socket_belongs_to_one_home_and_lies_where_others_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        let door = dir.path().join("door");
        fs::create_dir(&door).unwrap();
        fs::set_permissions(&door, Permissions::from_mode(0o750)).unwrap();
        let access = Access::shared(1000, Some(1), None);
        let home = |name: &str| Home::at(dir.path().join(name)).with_socket(door.join("socket"));
        let _first = Listener::bind(&home("a"), &access).unwrap();
        assert_eq!(mode(&door.join("socket")), 0o666);
        let taken = Listener::bind(&home("b"), &access).unwrap_err();
        assert!(matches!(taken, BindError::SocketTaken { .. }), "{taken}");
        fs::set_permissions(&door, Permissions::from_mode(0o770)).unwrap();
        let open = Listener::bind(&home("b"), &access).unwrap_err();
        assert!(matches!(open, BindError::OpenDirectory { mode: 0o770, .. }), "{open}");
    }

    #[test]
    fn a_home_with_a_very_long_path_has_a_socket_too() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("deep/".repeat(40)));
        assert!(home.socket().as_os_str().len() > 200);
        let listener = Listener::bind(&home, &Access::private(1000)).unwrap();
        assert_eq!(mode(&home.socket()), 0o600);
        UnixStream::connect(Address::of(&home.socket()).unwrap().path()).unwrap();
        drop(listener);
        assert!(!home.socket().exists());
    }

    #[test]
    fn every_error_has_a_remedy() {
        let path = PathBuf::from("/h");
        let source = || io::Error::from(io::ErrorKind::PermissionDenied);
        for error in [
            BindError::Home(HomeError::Nowhere),
            BindError::Running { home: path.clone() },
            BindError::Lock { path: path.clone(), source: source() },
            BindError::OpenDirectory { path: path.clone(), mode: 0o777 },
            BindError::SocketTaken { path: path.clone() },
            BindError::NotASocket { path: path.clone() },
            BindError::Bind { path: path.clone(), source: source() },
        ] {
            assert!(!error.remedy().is_empty() && !error.remedy().ends_with('.'), "{error}");
            let soon = matches!(error, BindError::Running { .. });
            assert_eq!(error.retry() == Retry::Soon, soon, "{error}");
        }
    }
}
