//! The drift view: the tokens' clocks by the date on which they fail, and one of them as a plot.

use super::{
    input::Input,
    msg::{Asked, Effect},
    paged::Paged,
};
use crate::{
    domain::{Serial, UnixMillis},
    face::{Command, DriftFilter, DriftLine, DriftReport, Event, Failure, Fleet, PageOf, Reply, TokenView},
};

/// Which clocks are listed: so many days ahead.
const AHEAD_DAYS: [i64; 3] = [0, 183, 366];

/// Which page was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// With these words.
    pub words: String,
    /// Only those that fail within so many days; none: all.
    pub ahead_days: Option<i64>,
}

/// The drift view.
#[derive(Debug, Default)]
pub struct Drift {
    /// Only tokens with these words.
    pub filter: Input,
    /// Only those that fail within so many days; none: all.
    pub ahead_days: Option<i64>,
    /// They.
    pub list: Paged<DriftLine>,
    /// All of them together.
    pub fleet: Fleet,
    /// Whether anything was answered yet: the first answer takes seconds where there are many tokens.
    pub answered: bool,
    /// The token that is plotted.
    pub token: Option<Box<TokenView>>,
    asking: Option<Serial>,
    /// The plot may be old.
    stale: bool,
}

impl Drift {
    /// What is wanted now.
    pub fn wanted(&self) -> Wanted {
        Wanted { words: self.filter.text().to_owned(), ahead_days: self.ahead_days }
    }

    /// Asks for what the view lacks: a page, and the selected token's readings, one of each at a time.
    pub fn wants(&mut self, now: UnixMillis) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(page) = self.list.want() {
            let wanted = self.wanted();
            let before = wanted.ahead_days.map(|days| now.plus(days * 86_400_000));
            let filter = DriftFilter { words: wanted.words.clone(), before, batch: None };
            effects.push(Effect::Ask(Asked::Drift(wanted, page.offset), Command::Drift { filter, page }));
        }
        let selected = self.list.current().map(|line| &line.serial);
        let shown = self.token.as_ref().map(|token| &token.line.serial);
        if let Some(serial) = selected
            && self.asking.is_none()
            && (self.stale || shown != Some(serial))
        {
            self.stale = false;
            self.asking = Some(serial.clone());
            let serial = serial.clone();
            effects.push(Effect::Ask(Asked::Plot(serial.clone()), Command::Token { serial }));
        }
        effects
    }

    /// A page came.
    pub fn take(&mut self, of: &Wanted, offset: u32, report: DriftReport) {
        let DriftReport { total, items, fleet, .. } = report;
        let fits = *of == self.wanted();
        if fits {
            self.fleet = fleet;
            self.answered = true;
        }
        self.list.answered(offset, fits.then_some(PageOf { total, items }));
    }

    /// The readings of a token came, or did not.
    pub fn plotted(&mut self, result: Result<Reply, Failure>) {
        self.asking = None;
        if let Ok(Reply::Token(token)) = result {
            self.token = Some(token);
        } else if let Some(line) = self.list.current() {
            // Not asked for again until another one is selected.
            let token = self.token.take().filter(|token| token.line.serial == line.serial);
            self.token = token.or_else(|| Some(Box::new(nothing_of(line))));
        }
    }

    /// The selected token, if it is the one that is plotted.
    pub fn plot(&self) -> Option<&TokenView> {
        let selected = self.list.current()?;
        self.token.as_deref().filter(|token| token.line.serial == selected.serial)
    }

    /// What is here may be old.
    pub fn stale(&mut self) {
        self.list.stale();
        self.stale = true;
    }

    /// The connection is new: nothing is on its way any more.
    pub fn reconnected(&mut self) {
        self.list.reconnected();
        self.asking = None;
        self.stale = true;
    }

    /// A clock was read, or set.
    pub fn heard(&mut self, event: &Event) {
        let clock_moved = match event {
            Event::TokenRead { .. } => true,
            Event::Job { state, .. } => *state == crate::domain::JobState::Burned,
            _ => false,
        };
        if clock_moved {
            self.stale();
        }
    }

    /// All; those that are out; those that will be within half a year, within a year; all again.
    pub fn next_which(&mut self) {
        let at = self.ahead_days.and_then(|days| AHEAD_DAYS.iter().position(|one| *one == days));
        self.ahead_days = AHEAD_DAYS.get(at.map_or(0, |at| at + 1)).copied();
        self.list.restart();
    }
}

/// A token of which no more than its line is known.
fn nothing_of(line: &DriftLine) -> TokenView {
    TokenView {
        line: crate::face::TokenLine {
            serial: line.serial.clone(),
            model: line.model.clone(),
            upn: line.upn.clone(),
            profiles: 0,
            proof: None,
            last_seen: line.read,
            scrapped: None,
            batch: line.batch.clone(),
        },
        mappings: Vec::new(),
        readings: Vec::new(),
        jobs: Vec::new(),
        clock: None,
        clock_set: None,
        timeouts_to_choose_s: Vec::new(),
    }
}
