//! The command line: one file for each verb. A verb parses its arguments with clap, does its work (most ask a station)
//! and writes to what it was handed in [`Io`]; it reads no clock and never ends the process.
//!
//! Data goes to [`Io::out`], everything said beside it to [`Io::err`]. What a verb that asks a station prints with
//! `--json` is the `face` type of the answer as it crosses the socket, one JSON value on one line. Secrets come from
//! standard input, a file or a prompt, never from arguments.

mod activate;
mod alarms;
pub mod args;
mod ask;
mod audit;
mod batch;
mod batch_report;
mod batch_retry;
mod clock;
mod collect;
mod completions;
mod device;
pub mod diagnose;
mod doctor;
mod drift;
mod entra_errors;
mod error;
mod export;
mod files;
mod gpg;
mod holder;
mod import;
mod init;
mod key;
mod man;
pub mod moment;
mod next;
mod opener;
pub mod otp;
mod otp_read;
mod policy;
mod prompt;
mod resync;
mod run;
mod seed_file;
pub mod seed_input;
mod sentence;
mod slots;
mod status;
mod stop;
mod table;
mod timing;
mod token;
mod tokens;
mod unlock;
mod unseal;
mod unwrap;
mod verify;
mod watch;
mod when;
mod whose;

#[cfg(test)]
mod testing;

pub use args::{Asks, Cli, DemoArgs, Global, Hosts, Papers, Route, Verb};
pub use ask::{Ask, Connector, News, Start, Stream};
pub use doctor::Premises;
pub use error::CliError;
pub use export::{Outlet, Place, Seal};
pub use files::FileError;
pub use prompt::{Prompt, Terminal};
pub use run::{run, run_diagnose, run_doctor, run_otp, run_papers};
pub use seed_file::{Opened, Shut, open_seed_file};
pub use sentence::Sentences;

use crate::{domain::Clock, remedy::Remedy};
use std::{
    fmt,
    io::{self, BufRead, Write},
    process::ExitCode,
};

/// All that a verb may touch of the world besides files.
pub struct Io<'a> {
    /// Data goes here.
    pub out: &'a mut dyn Write,
    /// Progress, notes and warnings go here.
    pub err: &'a mut dyn Write,
    /// Standard input.
    pub input: &'a mut (dyn BufRead + Send),
    /// `Some` where standard input is a terminal: the person is then asked for secrets instead of `input` being read.
    pub prompt: Option<&'a mut (dyn Prompt + 'a)>,
    /// Whether a person reads `out` as it appears.
    pub out_is_terminal: bool,
    /// Whether `out` may hold colour sequences: a terminal, and no `NO_COLOR`.
    pub colour: bool,
    /// The time.
    pub clock: &'a dyn Clock,
}

impl Io<'_> {
    /// One line that the operator should know and need not act on.
    pub fn note(&mut self, note: impl fmt::Display) -> io::Result<()> {
        writeln!(self.err, "note: {note}")
    }

    /// One line that the operator should act on.
    pub fn warn(&mut self, warning: impl fmt::Display) -> io::Result<()> {
        writeln!(self.err, "warning: {warning}")
    }

    /// Says on `err` what went wrong and what to do now; returns the status to exit with.
    pub fn fail(&mut self, error: &dyn VerbError) -> Exit {
        // Nothing is left to be done where even the error's own line can't be written.
        let _ = error::tell(self.err, &error.to_string(), &[], error.remedy());
        error.exit()
    }
}

/// How a verb ended, as its exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked (status 0).
    Done,
    /// The answer is no: a code does not match, a token failed (status 1).
    No,
    /// It was asked wrongly (status 2, which is also clap's).
    Usage,
    /// The surroundings failed: no pcscd, a locked vault, a missing permission (status 3).
    Environment,
}

impl Exit {
    /// The number.
    pub fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Environment => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.status().into()
    }
}

/// An error that a verb ends with.
pub trait VerbError: std::error::Error + Remedy {
    /// Which status it makes.
    fn exit(&self) -> Exit;
}
