//! The lines that are exchanged with whoever has the token in hand.

use crate::{
    domain::Profile,
    remedy::Remedy,
    sim::{Counters, Display, Fault, Standing},
};
use serde::Serialize;
use std::io::{self, Write};

/// What a line on standard input asks for.
pub(super) enum Control {
    Show(Profile),
    Take,
    Place,
    Off,
    On,
    Button,
    Arm(Fault),
    Clear,
    Stats,
    Quit,
}

pub(super) const CONTROLS: &str =
    "write show [PROFILE], take, place, off, on, button, fault FAULT, clear, stats or quit";

/// One answer on standard output.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub(super) enum Answer {
    Show {
        profile: Profile,
        clock: i64,
        #[serde(flatten)]
        display: Display,
    },
    Take(Place),
    Place(Place),
    Off(Place),
    On(Place),
    Button(Place),
    Fault {
        armed: Vec<String>,
    },
    Clear {
        armed: Vec<String>,
    },
    Stats {
        serial: String,
        clock: i64,
        #[serde(flatten)]
        counters: Counters,
        #[serde(flatten)]
        standing: Standing,
        #[serde(flatten)]
        place: Place,
    },
    Quit,
}

/// Where the token is, and whether it is switched on.
#[derive(Serialize)]
pub(super) struct Place {
    pub(super) placed: bool,
    pub(super) on: bool,
}

/// A refusal, in an answer's stead.
#[derive(Serialize)]
pub(super) struct Refusal {
    error: String,
    remedy: String,
}

impl Refusal {
    pub(super) fn of(error: &(impl Remedy + std::error::Error)) -> Self {
        Self { error: error.to_string(), remedy: error.remedy().to_owned() }
    }
}

/// One line on standard error.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub(super) enum Event {
    Written {
        writes: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        profile: Option<Profile>,
        #[serde(flatten)]
        display: Display,
    },
    TornOff,
    WentDark,
    ReaderLost,
    StateNotKept(Refusal),
}

impl Control {
    pub(super) fn parse(line: &str) -> Result<Self, Refusal> {
        let mut words = line.split_whitespace();
        let control = match (words.next(), words.next(), words.next()) {
            (Some("show"), None, None) => Some(Self::Show(Profile::ZERO)),
            (Some("show"), Some(number), None) => number.parse().ok().map(Profile::new).map(Self::Show),
            (Some("fault"), Some(fault), None) => {
                return fault.parse().map(Self::Arm).map_err(|error| Refusal::of(&error));
            }
            (Some("take"), None, None) => Some(Self::Take),
            (Some("place"), None, None) => Some(Self::Place),
            (Some("off"), None, None) => Some(Self::Off),
            (Some("on"), None, None) => Some(Self::On),
            (Some("button"), None, None) => Some(Self::Button),
            (Some("clear"), None, None) => Some(Self::Clear),
            (Some("stats"), None, None) => Some(Self::Stats),
            (Some("quit"), None, None) => Some(Self::Quit),
            _ => None,
        };
        control.ok_or_else(|| Refusal {
            error: format!("\"{}\" is nothing one can do with a token", line.trim()),
            remedy: CONTROLS.to_owned(),
        })
    }
}

pub(super) fn write_line(to: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_string(value)?;
    line.push('\n');
    to.write_all(line.as_bytes())?;
    to.flush()
}
