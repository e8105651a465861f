//! What the server's process owes the secrets in its memory, and how it is told to end.

use crate::remedy::{Remedy, Retry};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Why the process can't be closed up, or told to end.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Core dumps can't be ruled out.
    #[error("cannot rule out core dumps ({call}): {source}")]
    CoreDumps {
        /// The system call.
        call: &'static str,
        /// What the system said.
        source: nix::Error,
    },
    /// Signals can't be listened to.
    #[error("cannot listen to signals: {0}")]
    Signals(io::Error),
}

impl Remedy for ProcessError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::CoreDumps { .. } => {
                "run kiln where setrlimit and prctl are allowed: check the container's seccomp profile"
            }
            Self::Signals(_) => "raise the limit of open files (ulimit -n) and start it again",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// Keeps seeds in this process's memory: no core is dumped, neither to a file (`RLIMIT_CORE`) nor to a program that
/// the kernel hands cores to (which ignores that limit, but not `PR_SET_DUMPABLE`, core(5)); no other process of the
/// account may trace this one or read its memory. Files are made for their owner only.
///
/// Call it first. Programs that this process starts keep the limit and lose the rest: each has to call it for itself.
pub fn harden() -> Result<(), ProcessError> {
    let failed = |call| move |source| ProcessError::CoreDumps { call, source };
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(failed("setrlimit"))?;
    prctl::set_dumpable(false).map_err(failed("prctl"))?;
    umask(Mode::from_bits_truncate(0o077));
    Ok(())
}

/// Whether a terminal holds the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// `kiln station run` in a terminal: a hang-up ends it in order.
    Foreground,
    /// Detached: a hang-up means nothing to it.
    Detached,
}

/// The signals that ask the server to finish the burns in hand and end.
#[derive(Debug)]
pub struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    hold: Hold,
}

impl EndSignals {
    /// From now on these signals don't kill the process but are seen by [`EndSignals::asked`]. Needs a tokio runtime
    /// with I/O.
    pub fn listen(hold: Hold) -> Result<Self, ProcessError> {
        let on = |kind| signal(kind).map_err(ProcessError::Signals);
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hangup: on(SignalKind::hangup())?,
            hold,
        })
    }

    /// Waits until one of them comes; gives its name.
    pub async fn asked(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => match self.hold {
                    Hold::Foreground => return "SIGHUP",
                    Hold::Detached => {}
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::resource::getrlimit;
    use nix::sys::signal::{Signal as Number, raise};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus, Stdio};

    /// Set in the children of these tests, which do what can't be undone.
    const CHILD: &str = "KILN_TEST_CHILD";

    /// Runs the test `name` of this file in a process of its own, where cores are allowed as far as the machine does.
    fn in_child(name: &str) -> ExitStatus {
        Command::new("/bin/sh")
            .args(["-c", r#"ulimit -S -c "$(ulimit -H -c)"; cd "$1" && exec "$0" --exact --ignored "$2""#])
            .arg(std::env::current_exe().unwrap())
            .arg(std::env::temp_dir())
            .arg(format!("service::process::tests::{name}"))
            .env(CHILD, "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
    }

    #[test]
    #[ignore = "aborts; run in a process of its own by a_sigabrt_leaves_no_core"]
    fn child_aborts() {
        if std::env::var_os(CHILD).is_some() {
            harden().unwrap();
            std::process::abort();
        }
    }

    #[test]
    #[ignore = "changes limits for good; run in a process of its own by hardening_closes_the_process"]
    fn child_hardens() {
        if std::env::var_os(CHILD).is_some() {
            harden().unwrap();
            assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
            assert!(!prctl::get_dumpable().unwrap());
            assert_eq!(umask(Mode::empty()), Mode::from_bits_truncate(0o077));
        }
    }

    #[test]
    fn a_sigabrt_leaves_no_core() {
        let status = in_child("child_aborts");
        assert_eq!(status.signal(), Some(Number::SIGABRT as i32), "{status}");
        assert!(!status.core_dumped());
    }

    #[test]
    fn hardening_closes_the_process() {
        assert!(in_child("child_hardens").success());
    }

    #[tokio::test]
    async fn a_hangup_ends_a_server_in_a_terminal_and_not_a_detached_one() {
        let mut terminal = EndSignals::listen(Hold::Foreground).unwrap();
        let mut detached = EndSignals::listen(Hold::Detached).unwrap();
        raise(Number::SIGHUP).unwrap();
        assert_eq!(terminal.asked().await, "SIGHUP");
        raise(Number::SIGTERM).unwrap();
        assert_eq!(detached.asked().await, "SIGTERM");
    }

    #[test]
    fn every_error_has_a_remedy() {
        for error in [
            ProcessError::CoreDumps { call: "prctl", source: nix::Error::EPERM },
            ProcessError::Signals(io::ErrorKind::Other.into()),
        ] {
            assert!(!error.remedy().is_empty() && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
    }
}
