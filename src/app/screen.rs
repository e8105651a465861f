//! `kiln` alone on a terminal: the terminal UI as one more client of the station.

use super::system_clock::SystemClock;
use crate::{
    cli::{self, Exit, Global, Io},
    domain::{Clock, ClockState, UnixMillis},
    envelope::question::Answer,
    face::{BatchReport, Exported, Failure, FailureKind},
    service::{Client, ClientError, Home, Mode, launch::connect_or_start},
    tui::{self, Desk, ExportTo, Exporter, Left, Look, Protect, Start},
};
use std::{
    ffi::OsString,
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

/// How a person is shown what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The whole terminal is painted.
    Screen,
    /// Sentences, and typed words: asked for, or a terminal that can't be painted.
    Lines,
}

/// How `kiln` alone shows itself; none where there is nobody at a terminal: then it prints the state.
pub fn shape(global: Global, io: &Io<'_>, env: &impl Fn(&str) -> Option<OsString>) -> Option<Shape> {
    let dumb = env("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let person = io.prompt.is_some() && io.out_is_terminal && !global.json;
    match (global.plain, person) {
        (true, _) => Some(Shape::Lines),
        (false, true) if dumb => Some(Shape::Lines),
        (false, true) => Some(Shape::Screen),
        (false, false) => None,
    }
}

/// Shows it until the person leaves; then says on `io.err` what goes on without them.
pub fn run(
    home: &Home,
    mode: Mode,
    shape: Shape,
    io: &mut Io<'_>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Exit, Failure> {
    let left = show(home, mode, shape, io, env)?;
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

/// The screen, or the lines, themselves.
pub fn show(
    home: &Home,
    mode: Mode,
    shape: Shape,
    io: &mut Io<'_>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Left, Failure> {
    let home = home.clone();
    let breaks = breaks(&env);
    let connector = Box::new(move |start| match start {
        _ if breaks == Some(Breaks::Worker) => panic!("a worker breaks, as KILN_SCREEN_PANIC wants"),
        Start::IfNone => connect_or_start(&home, mode).map_err(|error| error.into_failure()),
        Start::Never => Client::connect(&home, mode).map_err(ClientError::into_failure),
    });
    let inside_tmux = env("TMUX").is_some();
    let desk = Desk { home: env("HOME").map(PathBuf::from), open: Box::new(open), export: Box::new(AsVerb) };
    let shown = match shape {
        Shape::Screen => {
            let clock: &dyn Clock = if breaks == Some(Breaks::Screen) { &Broken } else { &SystemClock };
            tui::run(connector, desk, clock, Look::find(&env), inside_tmux)
        }
        // Standard input itself is locked by whoever runs verbs.
        Shape::Lines => io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .and_then(|input| tui::run_plain(connector, desk, &SystemClock, input.into(), io.out)),
    };
    shown.map_err(|error| Failure {
        kind: FailureKind::Environment,
        message: format!("the terminal can't be used: {error}"),
        remedy: "use kiln status and kiln watch, which need no screen".into(),
        details: Vec::new(),
    })
}

/// Where a screen breaks on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breaks {
    /// In the thread that paints it.
    Screen,
    /// In one that talks to the station.
    Worker,
}

/// The shipped screen never does. A debug build panics where `KILN_SCREEN_PANIC` says (`screen` or `worker`), so that a
/// test sees the terminal given back.
fn breaks(env: &impl Fn(&str) -> Option<OsString>) -> Option<Breaks> {
    match env("KILN_SCREEN_PANIC").filter(|_| cfg!(debug_assertions))?.to_str()? {
        "screen" => Some(Breaks::Screen),
        "worker" => Some(Breaks::Worker),
        _ => None,
    }
}

/// The clock of a screen that breaks.
struct Broken;

impl Clock for Broken {
    fn now(&self) -> UnixMillis {
        panic!("the screen breaks, as KILN_SCREEN_PANIC wants")
    }

    fn state(&self) -> ClockState {
        ClockState::Simulated
    }
}

/// Opens a seed file as `kiln import` does, but for questions, which the screen puts.
fn open(path: &Path, answers: &[Answer]) -> Result<tui::Opened, tui::Shut> {
    match cli::open_seed_file(path, answers, &SystemClock) {
        Ok(cli::Opened { name, content, notes }) => Ok(tui::Opened { name, content, notes }),
        Err(cli::Shut::Asks(question)) => Err(tui::Shut::Asks(question)),
        Err(cli::Shut::Failed(failure)) => Err(tui::Shut::Failed(failure)),
    }
}

/// Writes exports as `kiln export` does.
struct AsVerb;

impl AsVerb {
    fn outlet(to: &ExportTo) -> Result<cli::Outlet, Failure> {
        let seal = match &to.protect {
            Protect::Private => cli::Seal::None,
            Protect::Age(recipient) => cli::Seal::Age(recipient),
            Protect::OpenPgp(file) => cli::Seal::OpenPgp(Path::new(file)),
            Protect::Password { password, for_privacyidea } => {
                cli::Seal::Password { password: &password.0, for_privacyidea: *for_privacyidea }
            }
        };
        let place = match &to.place {
            tui::Place::File(path) => cli::Place::File(path.into()),
            tui::Place::Pictures(path) => cli::Place::Pictures(path.into()),
        };
        let now = SystemClock.now().floor_second();
        cli::Outlet::new(place, seal, now).map_err(|error| error.to_failure())
    }
}

impl Exporter for AsVerb {
    fn check(&self, to: &ExportTo) -> Result<(), Failure> {
        Self::outlet(to).map(drop)
    }

    fn write(&self, to: &ExportTo, exported: Exported) -> Result<String, Failure> {
        Self::outlet(to)?.write(exported).map_err(|error| error.to_failure())
    }

    fn report(&self, to: &ExportTo, report: &BatchReport) -> Result<String, Failure> {
        Self::outlet(to)?.write_report(report).map_err(|error| error.to_failure())
    }
}
