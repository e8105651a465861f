//! `kiln` alone on a terminal: the terminal UI as one more client of the station.

use super::system_clock::SystemClock;
use crate::{
    cli::{Exit, Global, Io},
    face::{Failure, FailureKind},
    service::{Client, ClientError, Home, Mode, launch::connect_or_start},
    tui::{self, Left, Look, Start},
};
use std::ffi::OsString;

/// Whether there is a person at a terminal that can show a screen; else `kiln` alone prints the state.
pub fn fits(global: Global, io: &Io<'_>, env: &impl Fn(&str) -> Option<OsString>) -> bool {
    let dumb = env("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    io.prompt.is_some() && io.out_is_terminal && !global.json && !dumb
}

/// Shows it until the person leaves; then says on `io.err` what goes on without them.
pub fn run(
    home: &Home,
    mode: Mode,
    io: &mut Io<'_>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Exit, Failure> {
    let left = show(home, mode, env)?;
    let goes_on = match left {
        Left { connected: false, .. } => "left; there was no connection to the station".to_owned(),
        Left { in_hand: 0, .. } => {
            "left; the station goes on (kiln comes back, kiln station stop ends it)".into()
        }
        Left { in_hand, .. } => {
            format!("left; the station goes on with {in_hand} burns in hand (kiln comes back)")
        }
    };
    // A terminal that is gone needs no word.
    let _ = writeln!(io.err, "{goes_on}");
    Ok(Exit::Done)
}

/// The screen itself.
pub fn show(home: &Home, mode: Mode, env: impl Fn(&str) -> Option<OsString>) -> Result<Left, Failure> {
    let home = home.clone();
    let connector = Box::new(move |start| match start {
        Start::IfNone => connect_or_start(&home, mode).map_err(|error| error.into_failure()),
        Start::Never => Client::connect(&home, mode).map_err(ClientError::into_failure),
    });
    let inside_tmux = env("TMUX").is_some();
    tui::run(connector, &SystemClock, Look::find(&env), inside_tmux).map_err(|error| Failure {
        kind: FailureKind::Environment,
        message: format!("the terminal can't be used: {error}"),
        remedy: "use kiln status and kiln watch, which need no screen".into(),
        details: Vec::new(),
    })
}
