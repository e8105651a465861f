//! The station as a verb sees it: something that answers. The client of the socket is one; tests script another.

use super::CliError;
use crate::face::{Command, Failure, Numbered, Reply, Snapshot};

/// A station that can be asked.
pub trait Ask {
    /// Asks and waits for the answer.
    fn ask(&mut self, command: Command) -> Result<Reply, Failure>;
    /// The version of the station's kiln.
    fn version(&self) -> String;
    /// The state now, and what happens from then on.
    fn subscribe(self: Box<Self>) -> Result<(Snapshot, Stream), Failure>;
}

/// What a subscriber hears.
#[derive(Debug)]
pub enum News {
    /// Something happened.
    Event(Box<Numbered>),
    /// News were missed; this is the state now, and the stream goes on from it.
    Snapshot(Box<Snapshot>),
}

impl From<Numbered> for News {
    fn from(event: Numbered) -> Self {
        Self::Event(Box::new(event))
    }
}

/// News until the station ends (the iterator ends) or the line breaks (an error).
pub type Stream = Box<dyn Iterator<Item = Result<News, Failure>> + Send>;

/// Whether a station may be started for a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Where none runs, one is started.
    IfNone,
    /// Where none runs, there is nothing to ask: the connector says `None`.
    Never,
}

/// Finds the station, or starts it. Called once for each connection that a verb needs.
pub type Connector<'a> = dyn FnMut(Start) -> Result<Option<Box<dyn Ask>>, Failure> + 'a;

/// A connection to a station that was started where none ran.
pub fn connect(connector: &mut Connector<'_>) -> Result<Box<dyn Ask>, CliError> {
    connector(Start::IfNone)?.ok_or(CliError::NoStation)
}

/// Asks `$command` and takes `$value` out of the reply that belongs to it.
macro_rules! answer {
    ($station:expr, $command:expr, $pattern:pat => $value:expr) => {{
        let command = $command;
        match $station.ask(command)? {
            $pattern => $value,
            other => return Err($crate::cli::CliError::unexpected(&other)),
        }
    }};
}
pub(super) use answer;
