//! All that the screen is made of. `update` alone changes it, `view` alone draws it.

use super::{
    batches::Batches, diagnose::Diagnose, dialog::Dialog, drift::Drift, input::Input, keys, look::Look,
    paged::Paged, sentence::Said, state::Station,
};
use crate::{
    domain::{Serial, SlotName, UnixMillis},
    face::{AuditEntry, Failure, Greeting, Role, TokenLine},
};
use std::collections::VecDeque;

/// A screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum View {
    /// Slots and the live queue.
    Station,
    /// Batches and their jobs.
    Batches,
    /// The inventory.
    Tokens,
    /// How clocks run.
    Drift,
    /// Why a code is rejected.
    Diagnose,
    /// What happened.
    Log,
}

impl View {
    /// In the order of the tabs.
    pub const ALL: [Self; 6] =
        [Self::Station, Self::Batches, Self::Tokens, Self::Drift, Self::Diagnose, Self::Log];

    /// Its name, which begins with its key.
    pub fn name(self) -> &'static str {
        match self {
            Self::Station => "station",
            Self::Batches => "batches",
            Self::Tokens => "tokens",
            Self::Drift => "drift",
            Self::Diagnose => "diagnose",
            Self::Log => "log",
        }
    }

    /// The one `by` places on, round and round.
    pub fn step(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|view| *view == self).unwrap_or_default();
        Self::ALL[(at + by) % Self::ALL.len()]
    }
}

/// How the connection stands.
#[derive(Debug)]
pub enum Link {
    /// Not yet.
    Connecting,
    /// News come in.
    Up,
    /// Gone; it is tried again by itself.
    Lost(Failure),
}

/// A line that says what came of something, and goes by itself.
#[derive(Debug, Clone)]
pub struct Toast {
    /// What.
    pub text: String,
    /// Whether it is bad news.
    pub bad: bool,
    /// When it goes.
    pub until: UnixMillis,
}

/// Which log is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Which {
    /// What happened since this screen was opened.
    #[default]
    Events,
    /// Of that, only what went wrong.
    Trouble,
    /// The station's audit log, from the beginning.
    Audit,
}

impl Which {
    /// The next one, round and round.
    pub fn next(self) -> Self {
        match self {
            Self::Events => Self::Trouble,
            Self::Trouble => Self::Audit,
            Self::Audit => Self::Events,
        }
    }
}

/// The log view.
#[derive(Debug, Default)]
pub struct Log {
    /// Which.
    pub which: Which,
    /// Only lines that hold this.
    pub filter: Input,
    /// How many lines of the events are below the last one shown; 0 follows what happens.
    pub back: usize,
    /// The audit log, newest first.
    pub audit: Paged<AuditEntry>,
}

impl Log {
    /// The lines that pass the filter, oldest first.
    pub fn found<'a>(&self, lines: &'a VecDeque<Said>) -> Vec<&'a Said> {
        let wanted = self.filter.text().to_lowercase();
        let passes = |said: &&Said| {
            (said.bad || self.which != Which::Trouble) && said.text.to_lowercase().contains(&wanted)
        };
        lines.iter().filter(passes).collect()
    }
}

/// The tokens view.
#[derive(Debug, Default)]
pub struct Tokens {
    /// What the inventory is searched for.
    pub filter: Input,
    /// What was found.
    pub list: Paged<TokenLine>,
}

/// All that the screen is made of.
#[derive(Debug)]
pub struct Model {
    /// What the terminal can show.
    pub look: Look,
    /// Columns and rows.
    pub size: (u16, u16),
    /// The time, as last told.
    pub now: UnixMillis,
    /// The connection.
    pub link: Link,
    /// What the server said of itself.
    pub greeting: Option<Greeting>,
    /// What we may do.
    pub role: Role,
    /// What is known of the station.
    pub station: Station,
    /// The view.
    pub view: View,
    /// The slot that is selected.
    pub slot: Option<SlotName>,
    /// The batches view.
    pub batches: Batches,
    /// The tokens view.
    pub tokens: Tokens,
    /// The drift view.
    pub drift: Drift,
    /// The diagnose view.
    pub diagnose: Diagnose,
    /// The log view.
    pub log: Log,
    /// What lies over the view; the last one has the keys.
    pub dialogs: Vec<Dialog>,
    /// Digits that were typed or scanned, until Enter.
    pub scan: Input,
    /// The token whose code is typed next.
    pub aim: Option<Serial>,
    /// The view's filter has the keys.
    pub filtering: bool,
    /// What came of the last act.
    pub toast: Option<Toast>,
    /// The window of the queue is being asked for.
    pub state_asked: bool,
    /// The mouse is listened to.
    pub mouse: bool,
    /// Leave after this.
    pub quit: bool,
}

impl Model {
    /// Before anything is known.
    pub fn new(look: Look, size: (u16, u16), now: UnixMillis) -> Self {
        Self {
            look,
            size,
            now,
            link: Link::Connecting,
            greeting: None,
            role: Role::Observer,
            station: Station::default(),
            view: View::Station,
            slot: None,
            batches: Batches::default(),
            tokens: Tokens::default(),
            drift: Drift::default(),
            diagnose: Diagnose::default(),
            log: Log::default(),
            dialogs: Vec::new(),
            scan: Input::default(),
            aim: None,
            filtering: false,
            toast: None,
            state_asked: false,
            mouse: look.mouse,
            quit: false,
        }
    }

    /// Whether the screen changes with time alone: then it wants to be told the time.
    pub fn wants_time(&self) -> bool {
        self.toast.is_some()
            || self.view == View::Diagnose && self.diagnose.tells_displays()
            || matches!(self.dialogs.last(), Some(Dialog::Reveal(_)))
            || matches!(self.dialogs.last(), Some(Dialog::Activating(_)))
            || matches!(self.dialogs.last(), Some(Dialog::Codes(codes)) if codes.run_out_after(self.now))
            || self.station.pace.is_moving(self.now)
            || self.station.clock.is_some_and(|clock| clock.override_until.is_some())
            || (self.station.queue_is_stale && matches!(self.link, Link::Up))
    }

    /// The place of the selected slot, the first one where none is.
    pub fn slot_at(&self) -> usize {
        let selected = self.slot.as_ref();
        self.station.slots.iter().position(|slot| Some(&slot.slot) == selected).unwrap_or(0)
    }

    /// The serial that the selection stands for.
    pub fn selected_serial(&self) -> Option<Serial> {
        if let Some(Dialog::Token { serial, .. }) = self.dialogs.last() {
            return Some(serial.clone());
        }
        match self.view {
            View::Station => self.station.slots.get(self.slot_at())?.serial.clone(),
            View::Batches => self.batches.jobs.current().filter(|_| self.batches.in_jobs)?.serial.clone(),
            View::Tokens => Some(self.tokens.list.current()?.serial.clone()),
            View::Drift => Some(self.drift.list.current()?.serial.clone()),
            View::Diagnose => Some(self.diagnose.picked.as_ref()?.serial.clone()),
            View::Log => None,
        }
    }

    /// The filter of the view that is shown; the station has none.
    pub fn filter(&mut self) -> Option<&mut Input> {
        match self.view {
            View::Station => None,
            View::Batches => Some(&mut self.batches.filter),
            View::Tokens => Some(&mut self.tokens.filter),
            View::Drift => Some(&mut self.drift.filter),
            View::Diagnose => Some(&mut self.diagnose.filter),
            View::Log => Some(&mut self.log.filter),
        }
    }

    /// How the filter reads.
    pub fn filter_text(&self) -> &str {
        match self.view {
            View::Station => "",
            View::Batches => self.batches.filter.text(),
            View::Tokens => self.tokens.filter.text(),
            View::Drift => self.drift.filter.text(),
            View::Diagnose => self.diagnose.filter.text(),
            View::Log => self.log.filter.text(),
        }
    }

    /// Whether we may do what `action` does.
    pub fn may(&self, action: keys::Action) -> bool {
        keys::entry_of(action).is_some_and(|entry| entry.needs <= self.role)
    }

    /// Says what came of something, for some seconds.
    pub fn say(&mut self, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), bad: false, until: self.now.plus(6_000) });
    }

    /// The same, for bad news.
    pub fn complain(&mut self, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), bad: true, until: self.now.plus(10_000) });
    }
}
