//! The command line: one file for each verb. A verb parses its arguments with clap, does its work and writes to what
//! it was handed in [`Io`]; it opens no terminal, reads no clock and never ends the process.

pub mod diagnose;
pub mod moment;
pub mod otp;
pub mod seed_input;

use crate::{domain::Clock, remedy::Remedy};
use std::{
    fmt,
    io::{self, BufRead, Write},
    process::ExitCode,
};
use zeroize::Zeroizing;

/// Asks for a secret without showing it; takes the prompt.
pub type Prompt<'a> = dyn FnMut(&str) -> io::Result<Zeroizing<String>> + 'a;

/// All that a verb may touch of the world besides files.
pub struct Io<'a> {
    /// Data goes here.
    pub out: &'a mut dyn Write,
    /// Progress, notes and warnings go here.
    pub err: &'a mut dyn Write,
    /// Standard input.
    pub input: &'a mut dyn BufRead,
    /// `Some` where standard input is a terminal: secrets are then asked for instead of read from `input`.
    pub prompt: Option<&'a mut Prompt<'a>>,
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
        let _ = writeln!(self.err, "error: {error}\nwhat to do: {}", error.remedy());
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

/// Asks on the controlling terminal, without an echo: what [`Io::prompt`] is on a terminal.
pub fn ask_on_terminal(prompt: &str) -> io::Result<Zeroizing<String>> {
    rpassword::prompt_password(prompt).map(Zeroizing::new)
}
