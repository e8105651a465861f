//! A child process that does not outlive its owner, and whose every wait has a limit.

use super::until;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::Duration,
};

/// Killed on drop.
pub struct Owned {
    name: String,
    child: Child,
}

impl Owned {
    /// Starts `command`; `name` is what failures call it, `remedy` what to do where it can't be started.
    #[track_caller]
    pub fn start(name: &str, command: &mut Command, remedy: &str) -> Self {
        let child =
            command.spawn().unwrap_or_else(|error| panic!("{name} can't be started: {error}; {remedy}"));
        Self { name: name.to_owned(), child }
    }

    /// For taking its pipes.
    pub fn inner(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours can be waited for")
    }

    /// Sends a signal; one that has ended already takes none.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            let pid = i32::try_from(self.pid()).expect("a process id fits");
            kill(Pid::from_raw(pid), signal)
                .unwrap_or_else(|error| panic!("{}: {signal}: {error}", self.name));
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of {} (process {})", self.name, self.pid());
        until(&what, limit, || self.ended())
    }

    /// SIGKILL, and its end.
    pub fn kill9(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Its standard output, line by line, read in the background so that it never stalls. The pipe must not have been
    /// taken yet.
    pub fn lines(&mut self) -> Lines {
        let pipe = self.child.stdout.take().expect("standard output was asked for as a pipe");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            BufReader::new(pipe).lines().map_while(Result::ok).all(|line| send.send(line).is_ok());
        });
        Lines { of: self.name.clone(), lines }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// Lines of a child's standard output.
pub struct Lines {
    of: String,
    lines: Receiver<String>,
}

impl Lines {
    /// The next line, without its end.
    #[track_caller]
    pub fn next(&self, limit: Duration) -> String {
        match self.lines.recv_timeout(limit) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("{} printed no line in {limit:?}", self.of),
            Err(RecvTimeoutError::Disconnected) => panic!("{} ended where a line was expected", self.of),
        }
    }

    /// The next line, if one comes within `limit`. Fails where the child has ended.
    #[track_caller]
    pub fn within(&self, limit: Duration) -> Option<String> {
        match self.lines.recv_timeout(limit) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("{} ended where a line was expected", self.of),
        }
    }

    /// All that is left, up to the end of the stream.
    #[track_caller]
    pub fn rest(&self) -> Vec<String> {
        let mut rest = Vec::new();
        loop {
            match self.lines.recv_timeout(super::LONG) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => return rest,
                Err(RecvTimeoutError::Timeout) => panic!("{}: the stream does not end", self.of),
            }
        }
    }

    /// The next line for which `wanted` holds; those before it are lost.
    #[track_caller]
    pub fn find(&self, limit: Duration, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.next(limit);
            if wanted(&line) {
                return line;
            }
        }
    }
}
