//! The real binary, as an operator runs it: with a home of its own, from outside.

use super::{
    LONG,
    child::{Lines, Owned},
    namespace,
};
use serde_json::Value;
use std::{
    io::Write,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// A home, and the binary in it.
pub struct Kiln {
    dir: TempDir,
    env: Vec<(String, String)>,
}

/// What a run of the binary left.
#[derive(Debug)]
pub struct Run {
    /// The arguments.
    pub args: Vec<String>,
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// Its exit status; a signal is the negative of its number.
    pub fn code(&self) -> i32 {
        self.status.code().or(self.status.signal().map(|signal| -signal)).unwrap_or(i32::MIN)
    }

    /// Fails unless it ended with `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        let (args, got) = (self.args.join(" "), self.code());
        assert!(
            got == code,
            "`kiln {args}` ended with {got}, not {code}\nstdout: {}\nstderr: {}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        let args = self.args.join(" ");
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("`kiln {args}`: {error}: {}", self.stdout))
    }

    /// Standard output as one JSON value a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let args = self.args.join(" ");
        let parse = |line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("`kiln {args}`: {error}: {line}"))
        };
        self.stdout.lines().map(parse).collect()
    }
}

impl Kiln {
    /// With a new, empty home.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("k").tempdir().expect("a temporary directory can be made");
        Self { dir, env: Vec::new() }
    }

    /// Every run from now on sees `key=value`.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The home, which kiln makes itself.
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// A place beside the home for the test's own files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes one of the test's own files.
    #[track_caller]
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Runs it to its end, with nothing on standard input.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, b"")
    }

    /// Runs it to its end, with `input` on standard input.
    #[track_caller]
    pub fn run_with(&self, args: &[&str], input: &[u8]) -> Run {
        let name = format!("kiln {}", args.join(" "));
        let mut command = self.command(args);
        let mut child = Owned::start(
            &name,
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()),
            "",
        );
        let mut stdin = child.inner().stdin.take().expect("it was asked for as a pipe");
        let input = input.to_vec();
        // All three at once: a child that fills one pipe while nobody reads it stands still. One that reads no input
        // is right not to.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let stdout = drain(child.inner().stdout.take().expect("it was asked for as a pipe"));
        let stderr = drain(child.inner().stderr.take().expect("it was asked for as a pipe"));
        let status = child.wait(LONG);
        writer.join().expect("writing does not panic");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("kiln prints UTF-8");
        Run {
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            status,
            stdout: text(stdout.finish(&name)),
            stderr: text(stderr.finish(&name)),
        }
    }

    /// The binary with this home, ready to be started otherwise.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = binary();
        command.args(args).env("KILN_HOME", self.home()).current_dir(self.dir.path());
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        command
    }
}

fn binary() -> Command {
    Command::new(Path::new(env!("CARGO_BIN_EXE_kiln")))
}

/// What a pipe brings, read in the background.
struct Drain(std::sync::mpsc::Receiver<Vec<u8>>);

fn drain(mut pipe: impl std::io::Read + Send + 'static) -> Drain {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).ok();
        send.send(bytes).ok();
    });
    Drain(receive)
}

impl Drain {
    /// A pipe that stays open after its process has ended was handed to another one: a server that kept its client's
    /// output would hang every script that waits for that output's end.
    #[track_caller]
    fn finish(self, name: &str) -> Vec<u8> {
        self.0
            .recv_timeout(LONG)
            .unwrap_or_else(|_| panic!("`{name}` has ended, but somebody holds its output open"))
    }
}

/// `kiln station run` in the foreground. Killed on drop.
pub struct Station {
    process: Owned,
    lines: Lines,
}

impl Station {
    /// Starts it and returns once it has printed that it is ready: the first line on its standard output.
    #[track_caller]
    pub fn start(kiln: &Kiln) -> Self {
        Self::start_with(kiln, &[])
    }

    /// The same, with more environment: an armed crossing, say.
    #[track_caller]
    pub fn start_with(kiln: &Kiln, env: &[(&str, &str)]) -> Self {
        let mut station = Self::spawn(kiln, env);
        let first = station.lines.next(LONG);
        assert!(station.process.ended().is_none(), "the station ended after {first:?}");
        station
    }

    /// Starts it without waiting for anything.
    #[track_caller]
    pub fn spawn(kiln: &Kiln, env: &[(&str, &str)]) -> Self {
        let mut command = kiln.command(&["station", "run"]);
        command.envs(env.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process =
            Owned::start("kiln station run", command.stderr(namespace::log_file("station")), "");
        let lines = process.lines();
        Self { process, lines }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// SIGKILL: as a crash or a power cut, for the process.
    pub fn kill9(mut self) {
        self.process.kill9();
    }

    /// Waits for it to end by itself, at an armed crossing.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.process.wait(limit)
    }

    /// Asks it to stop as an operator does, and waits for its end.
    #[track_caller]
    pub fn stop(mut self, kiln: &Kiln) -> ExitStatus {
        kiln.run(&["station", "stop"]).expect(0);
        self.process.wait(LONG)
    }
}

/// `kiln simulate`: one virtual token behind a reader's port. It leaves the reader and ends on drop.
pub struct Simulated {
    process: Owned,
    stdin: std::process::ChildStdin,
    lines: Lines,
}

impl Simulated {
    /// Starts a token of `model` that calls itself `serial`, on the reader at `port`; `more` goes to the command line.
    #[track_caller]
    pub fn start(model: &str, serial: &str, port: u16, more: &[&str]) -> Self {
        let name = format!("the virtual token {serial}");
        let mut command = binary();
        command
            .args(["simulate", "--model", model, "--serial", serial, "--vpcd", &port.to_string()])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(namespace::log_file(&format!("token-{serial}")));
        let mut process = Owned::start(&name, &mut command, "");
        let stdin = process.inner().stdin.take().expect("it was asked for as a pipe");
        let lines = process.lines();
        Self { process, stdin, lines }
    }

    /// One line of control, and its answer.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> Value {
        writeln!(self.stdin, "{line}").unwrap_or_else(|error| panic!("{line:?} to a virtual token: {error}"));
        let answer = self.lines.next(LONG);
        serde_json::from_str(&answer)
            .unwrap_or_else(|error| panic!("{line:?} to a virtual token: {error}: {answer}"))
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}
