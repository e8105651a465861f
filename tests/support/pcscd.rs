//! A private `pcscd` with virtual readers, in the foreground of a test. Only inside [`super::namespace`].

use super::{LONG, child::Owned, namespace, until};
use nix::sys::signal::Signal;
use std::{
    collections::HashSet,
    env,
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// The first reader's port; the namespace has all ports to itself.
const FIRST_PORT: u16 = 36_000;

/// Where, in the test's directory, the readers' entries are.
const CONFIG: &str = "readers.conf.d";

/// pcscd 1.9 holds 16 readers.
const MOST_ENTRIES: usize = 8;

/// A virtual reader. A program that connects to `port` and speaks vpcd's protocol is a card on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// As PC/SC lists it.
    pub name: String,
    /// On the loopback interface.
    pub port: u16,
}

/// Ends with its owner.
pub struct Pcscd {
    dir: TempDir,
    readers: Vec<Reader>,
    process: Option<Owned>,
    log: PathBuf,
}

impl Pcscd {
    /// Starts it with two readers for each of `entries`, called `ENTRY 00 00` and `ENTRY 00 01`, and returns once all
    /// of them can be used.
    #[track_caller]
    pub fn start(entries: &[&str]) -> Self {
        assert!((1..=MOST_ENTRIES).contains(&entries.len()), "pcscd holds 1 to {MOST_ENTRIES} entries");
        let driver = driver();
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        // pcscd reads every file of its configuration directory as configuration, drivers too.
        fs::create_dir(dir.path().join(CONFIG)).expect("a directory can be made");
        let mut readers = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            // The driver keeps its sockets in a table of its own; loaded once for several entries, it would serve the
            // last of them only. A link to the same file counts as the same file.
            let copy = dir.path().join(format!("libifdvpcd-{at}.so"));
            fs::copy(&driver, &copy).unwrap_or_else(|error| panic!("{}: {error}", driver.display()));
            let port = FIRST_PORT + 2 * u16::try_from(at).expect("there are few entries");
            let text = format!(
                "FRIENDLYNAME \"{entry}\"\nDEVICENAME /dev/null:0x{port:04X}\nLIBPATH {}\nCHANNELID 0x{port:04X}\n",
                copy.display()
            );
            fs::write(dir.path().join(CONFIG).join(format!("reader-{at}")), text)
                .expect("a reader's entry can be written");
            readers.push(Reader { name: format!("{entry} 00 00"), port });
            readers.push(Reader { name: format!("{entry} 00 01"), port: port + 1 });
        }
        let mut pcscd = Self { dir, readers, process: None, log: PathBuf::new() };
        pcscd.resume();
        pcscd
    }

    /// All readers, in the order of the entries. PC/SC itself lists them in any order.
    pub fn readers(&self) -> &[Reader] {
        &self.readers
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Owned::pid)
    }

    /// Stops it as systemd would.
    #[track_caller]
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal(Signal::SIGTERM);
            process.wait(LONG);
        }
    }

    /// Ends it without a word, as a crash does.
    pub fn kill9(&mut self) {
        self.process = None;
    }

    /// Starts it again after `stop` or `kill9`, with the same readers on the same ports.
    #[track_caller]
    pub fn resume(&mut self) {
        assert!(self.process.is_none(), "pcscd is running");
        self.log = namespace::log_path("pcscd");
        let log = File::options().append(true).open(&self.log).expect("a file just made can be opened");
        let log_too = log.try_clone().expect("a log can be cloned");
        let mut process = Owned::start(
            "pcscd",
            Command::new(program())
                .args(["--foreground", "--info", "--config"])
                .arg(self.dir.path().join(CONFIG))
                .stdin(Stdio::null())
                .stdout(log)
                .stderr(log_too),
            "`make test` installs it",
        );
        until("pcscd to list and serve its readers", LONG, || {
            if let Some(status) = process.ended() {
                panic!("pcscd ended at once ({status}); its log says why");
            }
            self.ready().then_some(())
        });
        self.process = Some(process);
    }

    /// `stop` and `resume`.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.resume();
    }

    /// Waits until pcscd's own poll (every 0.4 s) has noticed that the card on `reader` left. Its clients may be told
    /// earlier; a card that comes back before the poll can stay unseen until it is taken off again.
    #[track_caller]
    pub fn await_removal(&self, reader: &Reader) {
        self.await_notice(reader, "Card Removed");
    }

    /// Waits until pcscd has noticed a card on `reader`.
    #[track_caller]
    pub fn await_insertion(&self, reader: &Reader) {
        self.await_notice(reader, "Card inserted");
    }

    #[track_caller]
    fn await_notice(&self, reader: &Reader, wanted: &str) {
        until(&format!("pcscd's notice \"{wanted}\" for {}", reader.name), LONG, || {
            let log = fs::read(&self.log).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            let last = log.lines().rfind(|line| {
                line.trim_end().ends_with(&reader.name)
                    && (line.contains("Card Removed") || line.contains("Card inserted"))
            });
            last.is_some_and(|line| line.contains(wanted)).then_some(())
        });
    }

    /// What pcscd notices of cards, from its last start on.
    pub fn notices(&self) -> Notices {
        Notices { log: self.log.clone(), read: 0, rest: Vec::new(), with_card: HashSet::new() }
    }

    fn ready(&self) -> bool {
        let Ok(context) = pcsc::Context::establish(pcsc::Scope::User) else { return false };
        let Ok(listed) = context.list_readers_owned() else { return false };
        let listed: HashSet<String> = listed.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        let ports = listening();
        self.readers.iter().all(|reader| listed.contains(&reader.name) && ports.contains(&reader.port))
    }
}

/// Follows pcscd's log, so that asking about many readers often costs what is new only.
pub struct Notices {
    log: PathBuf,
    read: u64,
    rest: Vec<u8>,
    with_card: HashSet<String>,
}

impl Notices {
    /// Whether pcscd has noticed a card on the reader of that name, and not yet that it left.
    pub fn has_card(&mut self, name: &str) -> bool {
        self.catch_up();
        self.with_card.contains(name)
    }

    fn catch_up(&mut self) {
        let mut file = File::open(&self.log).expect("pcscd's log is there");
        file.seek(SeekFrom::Start(self.read)).expect("a log can be read from anywhere");
        self.read += u64::try_from(file.read_to_end(&mut self.rest).expect("a log can be read"))
            .expect("a length fits");
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return };
        let lines: Vec<u8> = self.rest.drain(..=end).collect();
        for line in String::from_utf8_lossy(&lines).lines() {
            let name = |notice: &str| Some(line.trim_end().split_once(notice)?.1.to_owned());
            if let Some(name) = name("Card inserted into ") {
                self.with_card.insert(name);
            } else if let Some(name) = name("Card Removed From ") {
                self.with_card.remove(&name);
            }
        }
    }
}

/// The TCP ports on which somebody listens. A port is not tried by connecting to it: that would insert a card.
fn listening() -> HashSet<u16> {
    ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| {
            table
                .lines()
                .filter_map(|line| {
                    let mut fields = line.split_whitespace().skip(1);
                    let (local, state) = (fields.next()?, fields.nth(1)?);
                    let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
                    (state == "0A").then_some(port)
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

fn program() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|dir| dir.join("pcscd"))
        .find(|file| file.exists())
        .unwrap_or_else(|| panic!("pcscd is missing; `make test` installs it"))
}

/// The driver for virtual readers: the unpacked one, else one that this machine has installed.
fn driver() -> PathBuf {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/vpcd/libifdvpcd.so");
    [unpacked, "/usr/lib/pcsc/drivers/serial/libifdvpcd.so".into()]
        .into_iter()
        .find(|file| file.exists())
        .unwrap_or_else(|| panic!("the driver for virtual readers (vpcd) is missing; `make test` unpacks it"))
}
