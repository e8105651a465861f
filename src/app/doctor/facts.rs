//! What there is on this machine, unjudged.

use crate::{
    drivers::pcsc::PcscSource,
    link::LinkError,
    service::{Home, HomeError},
};
use nix::sys::statvfs::{FsFlags, statvfs};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

/// How long pcscd may take to list its readers. It answers in milliseconds, or a driver of its hangs.
const PCSCD_PATIENCE: Duration = Duration::from_secs(5);

/// Whose something is, and who may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// The owner's uid.
    pub owner: u32,
    /// Permission bits.
    pub mode: u32,
    /// Whether it is a socket.
    pub is_socket: bool,
}

fn rights(path: &Path) -> io::Result<Option<Rights>> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(Rights {
            owner: found.uid(),
            mode: found.mode() & 0o7777,
            is_socket: found.file_type().is_socket(),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether there is a home (`true`), and why it can't be used.
pub fn home(home: &Home) -> Result<bool, HomeError> {
    match home.dir().try_exists() {
        Ok(false) => Ok(false),
        // What can't be looked at is told by the check as well.
        Ok(true) | Err(_) => home.check().map(|()| true),
    }
}

/// The socket and the directory that it lies in.
#[derive(Debug)]
pub struct Socket {
    /// Its path.
    pub path: PathBuf,
    /// Whether it lies outside the home, for several people.
    pub shared: bool,
    /// Its directory; none: there is no such directory.
    pub directory: io::Result<Option<Rights>>,
    /// Itself; none: no server has made it.
    pub itself: io::Result<Option<Rights>>,
}

/// Looks at the socket of `home`.
pub fn socket(home: &Home) -> Socket {
    let path = home.socket();
    let directory = rights(path.parent().unwrap_or(Path::new("/")));
    Socket { shared: home.is_shared(), directory, itself: rights(&path), path }
}

/// Room in a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that this account may still fill.
    pub bytes: u64,
    /// Whether no more files can be made, although there may be bytes.
    pub no_more_files: bool,
    /// Whether nothing can be written at all.
    pub read_only: bool,
}

/// Room at `path`, or at the nearest directory above that exists.
pub fn room(path: &Path) -> io::Result<Room> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let found = statvfs(there)?;
    Ok(Room {
        bytes: found.blocks_available().saturating_mul(found.fragment_size()),
        // Some file systems count no files at all.
        no_more_files: found.files() > 0 && found.files_available() == 0,
        read_only: found.flags().contains(FsFlags::ST_RDONLY),
    })
}

/// The way to the readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmartCards {
    /// The readers, or why they can't be listed.
    pub answer: Result<Vec<String>, NoAnswer>,
    /// Whether the program is on this machine.
    pub installed: bool,
    /// Whether its socket is there.
    pub socket: bool,
    /// Whether this process came by SSH.
    pub over_ssh: bool,
}

/// Why there is no list of readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// pcscd, or the way to it, said no.
    Link(LinkError),
    /// It said nothing for so long.
    Silent(Duration),
}

/// Asks pcscd, and looks whether it is there.
pub fn smart_cards() -> SmartCards {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    // The variable that libpcsclite takes its socket from, else the places it is compiled with.
    let sockets = set("PCSCLITE_CSOCK_NAME").map_or_else(
        || ["/run/pcscd/pcscd.comm", "/var/run/pcscd/pcscd.comm"].map(OsString::from).to_vec(),
        |named| vec![named],
    );
    let programs = ["/usr/sbin/pcscd", "/sbin/pcscd", "/usr/bin/pcscd", "/usr/local/sbin/pcscd"];
    SmartCards {
        answer: within(PCSCD_PATIENCE, || PcscSource::new().readers()),
        installed: programs.iter().any(|program| Path::new(program).exists()),
        socket: sockets.iter().any(|socket| Path::new(socket).exists()),
        over_ssh: set("SSH_CONNECTION").is_some(),
    }
}

/// What `list` says, if it says it in time. Else its thread is left behind: a call into pcscd can't be broken off.
fn within(
    patience: Duration,
    list: impl FnOnce() -> Result<Vec<String>, LinkError> + Send + 'static,
) -> Result<Vec<String>, NoAnswer> {
    let (said, hears) = mpsc::channel();
    thread::spawn(move || {
        // Nobody may be waiting any more.
        let _ = said.send(list());
    });
    match hears.recv_timeout(patience) {
        Ok(Ok(mut readers)) => {
            readers.sort();
            Ok(readers)
        }
        Ok(Err(error)) => Err(NoAnswer::Link(error)),
        Err(_) => Err(NoAnswer::Silent(patience)),
    }
}

/// Names of time services, as the kernel calls their processes (15 bytes of a name, proc(5)) and as people do.
const TIME_SERVICES: &[(&str, &str)] = &[
    ("chronyd", "chrony"),
    ("systemd-timesyn", "systemd-timesyncd"),
    ("ntpd", "ntpd"),
    ("ntp-daemon", "ntpd-rs"),
    ("ptp4l", "ptp4l"),
];

/// The time services that run here.
pub fn time_services() -> Vec<&'static str> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = processes
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok());
    known_services(names)
}

fn known_services(names: impl Iterator<Item = String>) -> Vec<&'static str> {
    let known = names.filter_map(|name| {
        TIME_SERVICES.iter().find(|(comm, _)| *comm == name.trim_end()).map(|(_, service)| *service)
    });
    known.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The program that this process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Its version.
    pub version: &'static str,
    /// Whether another file has taken its place since.
    pub replaced: bool,
}

/// Looks at the program that this process runs.
pub fn program() -> Program {
    let replaced = fs::read_link("/proc/self/exe")
        .is_ok_and(|path| path.as_os_str().to_string_lossy().ends_with(" (deleted)"));
    Program { version: env!("CARGO_PKG_VERSION"), replaced }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_pcscd_that_says_nothing_is_left_behind() {
        let (never, forever) = mpsc::channel::<()>();
        let patience = Duration::from_millis(1);
        let answer = within(patience, move || {
            let _ = forever.recv();
            Ok(Vec::new())
        });
        assert_eq!(answer, Err(NoAnswer::Silent(patience)));
        drop(never);
    }

    #[test]
    fn readers_are_told_in_order_and_refusals_as_they_are() {
        let long = Duration::from_secs(60);
        assert_eq!(within(long, || Ok(vec!["b".into(), "a".into()])), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(within(long, || Err(LinkError::Refused)), Err(NoAnswer::Link(LinkError::Refused)));
    }

    #[test]
    fn time_services_are_known_by_the_kernels_short_names() {
        let names = ["bash\n", "systemd-timesyn\n", "chronyd\n", "chronyd\n"].map(String::from);
        assert_eq!(known_services(names.into_iter()), ["chrony", "systemd-timesyncd"]);
    }

    #[test]
    fn there_is_room_where_a_home_will_be() {
        let dir = tempfile::tempdir().unwrap();
        let room = room(&dir.path().join("not/there/yet")).unwrap();
        assert!(room.bytes > 0 && !room.read_only);
    }

    #[test]
    fn an_open_home_is_told_and_a_missing_one_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let place = Home::at(dir.path().join("home"));
        assert!(!home(&place).unwrap());
        place.prepare().unwrap();
        assert!(home(&place).unwrap());
        fs::set_permissions(place.dir(), fs::Permissions::from_mode(0o750)).unwrap();
        assert!(matches!(home(&place), Err(HomeError::NotPrivate { .. })));
        let facts = socket(&place);
        assert_eq!(facts.directory.unwrap().unwrap().mode, 0o750);
        assert!(facts.itself.unwrap().is_none() && !facts.shared);
    }
}
