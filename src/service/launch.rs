//! Starting the server from a client.
//!
//! The client starts `kiln station run --detached` with a pipe as its standard output and waits on it: the server
//! writes one line when it is ready, or why it can't be. By then it has left the client's terminal, session and
//! directory ([`detach`]); a dropped SSH line or a closed terminal doesn't reach it.
//!
//! Two clients may start two servers at once. One gets the home's lock; the other says so and ends, and its client
//! tries again. There is nothing to wait on there, since the winner holds the lock as long as it lives, so that client
//! looks again and again, with growing pauses, until `PATIENCE` is over. The same happens while an old server ends.

use super::client::{Client, ClientError, Mode};
use super::home::{Home, HomeError};
use super::listener::BindError;
use super::logging::{self, LogError};
use crate::face::Failure;
use crate::remedy::{Remedy, Retry};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, geteuid, setsid};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a client waits for a server that holds the lock and doesn't answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// First pause between two looks; each is twice the one before, up to the last.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_LAST: Duration = Duration::from_millis(500);

/// Why there is no server to talk to.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The way to a running server, or its answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The home.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The log, which takes what a starting server says.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Nobody answers, and the station is not ours to start.
    #[error("no kiln server listens on {socket}, and its directory belongs to another account (uid {owner})")]
    NotOurs {
        /// The socket.
        socket: PathBuf,
        /// Whose directory it is in.
        owner: u32,
    },
    /// The program can't be started.
    #[error("cannot start the server {program}: {source}")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The server said why it can't run: take it from [`LaunchError::into_failure`].
    #[error("the server could not start: {0}")]
    Failed(Failure),
    /// The server ended without a word.
    #[error("the server ended while it started; its last words are in {log}")]
    Died {
        /// The log.
        log: PathBuf,
    },
    /// A server holds the lock and doesn't answer.
    #[error("a server holds {lock} but did not answer within {seconds} seconds")]
    Busy {
        /// The lock file.
        lock: PathBuf,
        /// How long it was given.
        seconds: u64,
    },
    /// The server can't leave its terminal.
    #[error("cannot leave the terminal ({call}): {source}")]
    Detach {
        /// What failed.
        call: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Remedy for LaunchError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Client(error) => error.remedy(),
            Self::Home(error) => error.remedy(),
            Self::Log(error) => error.remedy(),
            Self::NotOurs { .. } => "ask that account's owner to start it with kiln station run",
            Self::Spawn { .. } => {
                "check that the kiln program was not moved or replaced, or start kiln station run yourself"
            }
            Self::Failed(_) => "do what the server's message says",
            Self::Died { .. } => "read the end of the log, or start kiln station run to see what it says",
            Self::Busy { .. } => {
                "it may be finishing its last burns: wait and try again; the lock file holds its process number"
            }
            Self::Detach { .. } => "start it with kiln station run, or let any other kiln command start it",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Client(error) => error.retry(),
            Self::Home(error) => error.retry(),
            Self::Log(error) => error.retry(),
            Self::Busy { .. } => Retry::Soon,
            Self::NotOurs { .. }
            | Self::Spawn { .. }
            | Self::Failed(_)
            | Self::Died { .. }
            | Self::Detach { .. } => Retry::AfterOperator,
        }
    }
}

impl LaunchError {
    /// Message, remedy and kind in one shape, whoever has said no.
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Client(error) => error.into_failure(),
            Self::Failed(failure) => failure,
            other => super::failure(&other),
        }
    }
}

/// Connects to the server of `home`, and starts it if there is none and the station is this account's own.
pub fn connect_or_start(home: &Home, mode: Mode) -> Result<Client, LaunchError> {
    let program =
        std::env::current_exe().map_err(|source| LaunchError::Spawn { program: "kiln".into(), source })?;
    connect_or_start_with(|| Command::new(&program), home, mode)
}

fn connect_or_start_with(
    program: impl Fn() -> Command,
    home: &Home,
    mode: Mode,
) -> Result<Client, LaunchError> {
    let began = Instant::now();
    let mut pause = PAUSE_FIRST;
    loop {
        match Client::connect(home, mode) {
            Err(ClientError::NotRunning { .. }) => {}
            // The server was ending while we came.
            Err(ClientError::Gone) if began.elapsed() < PATIENCE => {}
            answered => return Ok(answered?),
        }
        match start(program(), home)? {
            Started::Ready => return Ok(Client::connect(home, mode)?),
            Started::Failed(failure) => return Err(LaunchError::Failed(failure)),
            Started::Taken if began.elapsed() >= PATIENCE => {
                return Err(LaunchError::Busy { lock: home.lock(), seconds: PATIENCE.as_secs() });
            }
            Started::Taken => thread::sleep(pause),
        }
        pause = (pause * 2).min(PAUSE_LAST);
    }
}

/// What a starting server says on its standard output: one line of JSON.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Started {
    /// It answers on the socket.
    Ready,
    /// Another process holds the lock.
    Taken,
    /// It can't run.
    Failed(Failure),
}

/// Starts a server and waits until it is ready or has said why not.
fn start(mut program: Command, home: &Home) -> Result<Started, LaunchError> {
    let socket = home.socket();
    let directory = socket.parent().filter(|_| home.is_shared()).and_then(|dir| fs::metadata(dir).ok());
    check_owner(&socket, directory.map(|dir| dir.uid()), geteuid().as_raw())?;
    home.prepare()?;
    let name = PathBuf::from(program.get_program());
    let failed = |source| LaunchError::Spawn { program: name.clone(), source };
    let mut server = program
        .args(["station", "run", "--detached"])
        .envs(home.env())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // Until it has a log of its own, and for a panic's message afterwards.
        .stderr(logging::open(&home.log())?)
        .spawn()
        .map_err(failed)?;
    let mut said = String::new();
    if let Some(pipe) = server.stdout.take() {
        BufReader::new(pipe).read_line(&mut said).map_err(failed)?;
    }
    // A client that lives long would otherwise keep the remains of a server that ended.
    thread::spawn(move || server.wait());
    serde_json::from_str(&said).map_err(|_| LaunchError::Died { log: home.log() })
}

/// A shared station's socket is made by the account that its directory belongs to: nobody's private server may take
/// its place, although each who may connect to it has a home of its own.
fn check_owner(socket: &Path, owner: Option<u32>, me: u32) -> Result<(), LaunchError> {
    match owner {
        Some(owner) if owner != me => Err(LaunchError::NotOurs { socket: socket.into(), owner }),
        Some(_) | None => Ok(()),
    }
}

/// The server's line to the client that started it and waits for it.
#[derive(Debug)]
#[must_use = "the client waits until it is told"]
pub struct Readiness(File);

/// Leaves the terminal and session that this process was started from, goes to `/`, and points its standard streams
/// away from the terminal: input and output to `/dev/null`, errors to `log`. Gives the former standard output, on which
/// the client waits.
///
/// Find the home first, since its path may be relative to the directory. Fails for the leader of a process group,
/// which is what an interactive shell makes of a command.
pub fn detach(log: &Path) -> Result<Readiness, LaunchError> {
    let failed = |call| move |source| LaunchError::Detach { call, source };
    let system = |call| move |errno: nix::Error| failed(call)(errno.into());
    setsid().map_err(system("setsid"))?;
    let pipe: OwnedFd = io::stdout().as_fd().try_clone_to_owned().map_err(failed("dup"))?;
    let null = File::options().read(true).write(true).open("/dev/null").map_err(failed("open /dev/null"))?;
    dup2_stdin(&null).map_err(system("dup2"))?;
    dup2_stdout(&null).map_err(system("dup2"))?;
    dup2_stderr(logging::open(log)?).map_err(system("dup2"))?;
    std::env::set_current_dir("/").map_err(failed("chdir"))?;
    Ok(Readiness(pipe.into()))
}

impl Readiness {
    /// The socket is bound and will be served.
    pub fn ready(self) {
        self.say(&Started::Ready);
    }

    /// The home or its socket couldn't be had. The client tries again where another server has the home.
    pub fn not_bound(self, error: &BindError) {
        self.say(&match error {
            BindError::Running { .. } => Started::Taken,
            other => Started::Failed(super::failure(other)),
        });
    }

    /// The server can't run for another reason.
    pub fn failed(self, failure: Failure) {
        self.say(&Started::Failed(failure));
    }

    fn say(mut self, what: &Started) {
        // One write, so that the line arrives whole. A client that has gone meanwhile needs no answer.
        let line = serde_json::to_string(what).unwrap_or_default() + "\n";
        if let Err(error) = self.0.write_all(line.as_bytes()) {
            tracing::info!(%error, "the client that started this server has gone");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Access, Listener};
    use super::*;
    use crate::face::{FailureKind, Greeting, PROTOCOL, Role, ToClient};
    use std::io::Read;
    use std::os::unix::net::UnixListener;

    /// A shell that stands in for the server: it runs `script` with the home in `$KILN_HOME`.
    fn program(script: &'static str) -> impl Fn() -> Command {
        move || {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", script]);
            shell
        }
    }

    fn try_with(script: &'static str) -> (Result<Client, LaunchError>, String) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        let tried = connect_or_start_with(program(script), &home, Mode::Full);
        (tried, fs::read_to_string(home.log()).unwrap_or_default())
    }

    #[test]
    fn a_server_that_cannot_run_says_why_through_its_client() {
        let (tried, _) =
            try_with(r#"echo '{"failed":{"kind":"environment","message":"no room","remedy":"make room"}}'"#);
        let failure = tried.unwrap_err().into_failure();
        assert_eq!((failure.message.as_str(), failure.remedy.as_str()), ("no room", "make room"));
    }

    #[test]
    fn a_server_that_dies_leaves_its_last_words_in_the_log() {
        let (tried, log) = try_with("echo \"$0 $@ in $KILN_HOME\" >&2; exit 1");
        let error = tried.unwrap_err();
        assert!(matches!(error, LaunchError::Died { .. }), "{error}");
        assert!(log.starts_with("station run --detached in /") && log.ends_with("/home\n"), "{log}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        let error = connect_or_start_with(|| Command::new("/kiln/is/gone"), &home, Mode::Full).unwrap_err();
        assert!(matches!(error, LaunchError::Spawn { .. }), "{error}");
    }

    /// Greets one client on `listener`, as a server does.
    fn greet(listener: &UnixListener) {
        let (mut stream, _) = listener.accept().unwrap();
        let greeting =
            Greeting { protocol: PROTOCOL, version: "test".into(), role: Role::Operator, demo: false };
        let line = serde_json::to_string(&ToClient::Greeting(greeting)).unwrap() + "\n";
        stream.write_all(line.as_bytes()).unwrap();
    }

    /// The client starts the program, waits, and connects to what has bound the socket by the time the program says
    /// that it is ready.
    #[test]
    fn the_client_waits_until_the_server_is_ready() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        home.prepare().unwrap();
        for fifo in ["started", "bound"] {
            nix::unistd::mkfifo(&home.dir().join(fifo), nix::sys::stat::Mode::S_IRWXU).unwrap();
        }
        let script = "cd $KILN_HOME; echo x > started; cat bound > /dev/null; echo '\"ready\"'";
        let server = thread::spawn({
            let home = home.clone();
            move || {
                let mut started = String::new();
                File::open(home.dir().join("started")).unwrap().read_to_string(&mut started).unwrap();
                let listener = UnixListener::bind(home.socket()).unwrap();
                drop(File::options().write(true).open(home.dir().join("bound")).unwrap());
                greet(&listener);
            }
        });
        let client = connect_or_start_with(program(script), &home, Mode::Full).unwrap();
        assert_eq!(client.greeting().version, "test");
        server.join().unwrap();
    }

    /// The first start finds the lock taken; then the one who has it answers on the socket.
    #[test]
    fn a_client_whose_server_came_second_finds_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        home.prepare().unwrap();
        nix::unistd::mkfifo(&home.dir().join("tried"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let script = "cd $KILN_HOME; test -p tried && echo x > tried; echo '\"taken\"'";
        let first = thread::spawn({
            let home = home.clone();
            move || {
                let mut tried = String::new();
                File::open(home.dir().join("tried")).unwrap().read_to_string(&mut tried).unwrap();
                fs::remove_file(home.dir().join("tried")).unwrap();
                greet(&UnixListener::bind(home.socket()).unwrap());
            }
        });
        connect_or_start_with(program(script), &home, Mode::Full).unwrap();
        first.join().unwrap();
    }

    #[test]
    fn a_taken_home_is_tried_again_and_anything_else_is_told() {
        let said = |say: fn(Readiness, &BindError), error: &BindError| {
            let (mut read, write) = io::pipe().unwrap();
            say(Readiness(OwnedFd::from(write).into()), error);
            let mut line = String::new();
            read.read_to_string(&mut line).unwrap();
            serde_json::from_str::<Started>(&line).unwrap()
        };
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        let _first = Listener::bind(&home, &Access::private(1000)).unwrap();
        let running = Listener::bind(&home, &Access::private(1000)).unwrap_err();
        assert_eq!(said(Readiness::not_bound, &running), Started::Taken);
        let other = BindError::NotASocket { path: "/s".into() };
        let failure = super::super::failure(&other);
        assert_eq!(said(Readiness::not_bound, &other), Started::Failed(failure.clone()));
        assert_eq!(
            said(|readiness, e| readiness.failed(super::super::failure(e)), &other),
            Started::Failed(failure)
        );
        assert_eq!(said(|readiness, _| readiness.ready(), &other), Started::Ready);
    }

    /// Set in the child of the test below.
    const CHILD_LOG: &str = "KILN_TEST_CHILD_LOG";

    #[test]
    #[ignore = "leaves its session; run in a process of its own by a_detached_server_has_left_its_terminal"]
    fn child_detaches() {
        let Some(log) = std::env::var_os(CHILD_LOG).map(PathBuf::from) else { return };
        let readiness = detach(&log).unwrap();
        assert_eq!(nix::unistd::getsid(None).unwrap(), nix::unistd::getpid());
        assert_eq!(std::env::current_dir().unwrap(), Path::new("/"));
        let stream = |number| fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
        let null = Path::new("/dev/null");
        assert_eq!([stream(0), stream(1), stream(2)], [null, null, &log]);
        readiness.ready();
    }

    #[test]
    fn a_detached_server_has_left_its_terminal() {
        let dir = tempfile::tempdir().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "service::launch::tests::child_detaches"])
            .env(CHILD_LOG, dir.path().join("log"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(child.status.success());
        // Behind what the test's own harness says first.
        let said = String::from_utf8(child.stdout).unwrap();
        assert!(said.ends_with("\"ready\"\n"), "{said}");
    }

    #[test]
    fn a_shared_station_is_started_by_its_owner_alone() {
        let socket = Path::new("/run/kiln/socket");
        check_owner(socket, Some(1000), 1000).unwrap();
        check_owner(socket, None, 1000).unwrap();
        let error = check_owner(socket, Some(1000), 1001).unwrap_err();
        assert!(matches!(error, LaunchError::NotOurs { owner: 1000, .. }), "{error}");
    }

    #[test]
    fn every_error_has_a_remedy() {
        let path = PathBuf::from("/p");
        let source = || io::Error::from(io::ErrorKind::PermissionDenied);
        let failure = Failure {
            kind: FailureKind::Environment,
            message: "m".into(),
            remedy: "r".into(),
            details: Vec::new(),
        };
        for error in [
            LaunchError::Client(ClientError::Gone),
            LaunchError::Home(HomeError::Nowhere),
            LaunchError::Log(LogError::Open { path: path.clone(), source: source() }),
            LaunchError::NotOurs { socket: path.clone(), owner: 1 },
            LaunchError::Spawn { program: path.clone(), source: source() },
            LaunchError::Failed(failure),
            LaunchError::Died { log: path.clone() },
            LaunchError::Busy { lock: path, seconds: 15 },
            LaunchError::Detach { call: "setsid", source: source() },
        ] {
            assert!(!error.remedy().is_empty() && !error.remedy().ends_with('.'), "{error}");
            let soon = matches!(error, LaunchError::Busy { .. });
            assert_eq!(error.retry() == Retry::Soon, soon, "{error}");
            assert!(!error.into_failure().remedy.is_empty());
        }
    }
}
