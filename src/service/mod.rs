//! The Unix socket between a station and those who look at it: where things are ([`Home`]), the server's end
//! ([`Listener`], [`serve`]), the client's ([`Client`]), starting the one from the other ([`launch`]), and what a
//! server owes the machine it runs on ([`process`], [`logging`]).
//!
//! The messages are those of [`crate::face`], one JSON object a line. The server's end knows the station only as
//! [`crate::station::StationHandle`]; the client's end knows nothing but the messages.
//!
//! **One server for each home.** Whoever holds the home's lock file is the server. The lock is taken before the
//! socket is bound and given back after the station has ended, so that a socket found beside a free lock is a dead
//! one and may be removed, and there is never more than one writer of the database.
//!
//! **Who may do what** is decided by the server from the peer credentials of the connection ([`Access`]), not by what
//! a client says of itself; a client may ask for less ([`Mode::ReadOnly`]).

mod access;
mod attached;
pub mod client;
mod connection;
mod home;
pub mod launch;
mod line;
mod listener;
pub mod logging;
pub mod process;
mod server;

pub use access::{Access, AccessError};
pub use attached::Attached;
pub use client::{Client, ClientError, EventStream, Mode, News};
pub use connection::read_request;
pub use home::{Home, HomeError};
pub use line::{LineBuffer, TooLong};
pub use listener::{BindError, HomeLock, Listener};
pub use server::{Terms, serve};

use crate::face::{Failure, FailureKind};
use crate::remedy::Remedy;
use std::fmt::Display;

/// `error` as a client is told of it: something about the environment, with its remedy.
pub fn failure(error: &(impl Display + Remedy)) -> Failure {
    Failure {
        kind: FailureKind::Environment,
        message: error.to_string(),
        remedy: error.remedy().into(),
        details: Vec::new(),
    }
}
