//! The command line: one file for each verb. A verb parses, asks the station, prints.
//!
//! Data goes to the writer [`Io::out`], everything said beside it to [`Io::err`]. What a verb prints with `--json` is
//! the `face` type of the answer as it crosses the socket, one JSON value on one line. Secrets come from standard
//! input, a file or a prompt, never from arguments.

pub mod args;
mod ask;
mod audit;
mod batch;
mod clock;
mod error;
mod export;
mod files;
mod holder;
mod import;
mod init;
mod key;
mod next;
mod opener;
mod policy;
mod prompt;
mod run;
mod sentence;
mod socket;
mod status;
mod stop;
mod table;
mod token;
mod tokens;
mod unlock;
mod verify;
mod watch;

#[cfg(test)]
mod testing;

pub use args::{Asks, Cli, DemoArgs, Global, Hosts, Route, Verb};
pub use ask::{Ask, Connector, News, Start, Stream};
pub use error::CliError;
pub use prompt::{Prompt, Terminal};
pub use run::run;
pub use socket::connector;

use std::io::{BufRead, Write};

/// What a verb has to do with the world besides the station.
pub struct Io<'a> {
    /// Data.
    pub out: &'a mut dyn Write,
    /// Progress, warnings, errors.
    pub err: &'a mut dyn Write,
    /// Standard input.
    pub input: &'a mut dyn BufRead,
    /// Whether `out` is a terminal: seeds are not written to one unless that was asked for.
    pub out_is_terminal: bool,
    /// Whether `input` is a terminal: a person can be asked.
    pub in_is_terminal: bool,
    /// Asks the person.
    pub prompt: &'a mut dyn Prompt,
}

/// How kiln ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// It is done: 0.
    Done,
    /// The answer is no: a code does not match, a token failed: 1.
    No,
    /// What was asked makes no sense: 2.
    Usage,
    /// The environment: no pcscd, a locked vault, no permission: 3.
    Environment,
}

impl Exit {
    /// The number for the shell.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Environment => 3,
        }
    }
}
