//! The diagnose view: somebody waits on the phone, and the next step is always on one line.
//!
//! A token is picked, codes are typed with the moment at which they came, and the station answers with explanations and
//! with the first digits of what the token shows about now under each of them. What an answer about those digits rules
//! out is worked out here ([`question`]). Those who only look on are shown no digits: the station searches for them some
//! times an hour and tells what is no accident, so they are asked no more than they want. Whoever may not see secrets at
//! all times the changes of the code instead; that needs no seed and no station.

pub mod act;
pub mod answers;
pub mod question;
#[cfg(test)]
pub(super) mod sample;
pub mod steps;
pub mod timed;

use super::{input::Input, paged::Paged};
use crate::{
    diagnose::{Diagnosis, Symptom, when::Times, whose::Owners},
    domain::{Profile, Serial, SlotName, UnixMillis, UnixTime},
    face::{Failure, MappingView, ReadingView, SeenCode, ShownRow, TokenLine, TokenView},
};

/// Who walks away from the screen leaves nothing on it: the displays hide after so long without a key.
pub const AWAKE_MS: i64 = 10 * 60_000;

/// The view.
#[derive(Debug)]
pub struct Diagnose {
    /// What the inventory is searched for, to pick a token.
    pub filter: Input,
    /// What was found.
    pub list: Paged<TokenLine>,
    /// Which line of the tokens to pick from: those on readers, then those found.
    pub pick: u64,
    /// The token in question.
    pub picked: Option<Picked>,
    /// The codes that were typed.
    pub seen: Vec<SeenCode>,
    /// What the display shows instead of a code.
    pub shows: Option<Symptom>,
    /// The choice of what it shows is open, at this line.
    pub choosing: Option<usize>,
    /// What came of it.
    pub found: Option<Found>,
    /// Why nothing did.
    pub problem: Option<Failure>,
    /// What is shown of it.
    pub pane: Pane,
    /// Which line of the pane.
    pub selected: usize,
    /// When Enter was pressed at a change of the code; `Some` while changes are timed.
    pub timing: Option<Vec<UnixMillis>>,
    /// Until when what was told stays on the screen if no key is pressed.
    pub awake_until: UnixMillis,
    /// What was found is not what was asked last.
    pub stale: bool,
    /// A question is on its way.
    pub busy: bool,
    /// Counts what changes the answer, so that an answer to an older question is known as such.
    pub round: u64,
}

/// A token that was picked.
#[derive(Debug)]
pub struct Picked {
    /// Which.
    pub serial: Serial,
    /// How.
    pub how: How,
    /// The profile that should have shown the code.
    pub profile: Profile,
    /// What the station knows of it, once it came.
    pub token: Option<Box<TokenView>>,
}

/// How a token was picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Typed, scanned or chosen from the list.
    Chosen,
    /// Put down on this reader, which told its clock.
    Tapped(SlotName),
    /// Its code was wrong when it was verified.
    Verified,
}

/// What is shown below the token.
#[derive(Debug, Default)]
pub enum Pane {
    /// The explanations.
    #[default]
    Findings,
    /// What was searched, and how wide.
    Searched,
    /// Whose code it is; none while that is asked.
    Owners(Option<Owners>),
    /// When it was shown; none while that is asked.
    Times(Option<Times>),
}

/// What the station found.
#[derive(Debug)]
pub struct Found {
    /// The explanations; none where nothing was seen yet.
    pub diagnosis: Option<Diagnosis>,
    /// For a ticket.
    pub report: Option<String>,
    /// The reading of the token's clock that was reckoned with.
    pub reading: Option<ReadingView>,
    /// What the token shows about now. Empty while the view is left.
    pub rows: Vec<ShownRow>,
    /// Until when that is good.
    pub until: UnixTime,
    /// What was said about the first digits.
    pub answers: Vec<question::Answer>,
    /// The round that it is the answer to.
    pub round: u64,
}

impl Default for Diagnose {
    fn default() -> Self {
        Self {
            filter: Input::default(),
            list: Paged::default(),
            pick: 0,
            picked: None,
            seen: Vec::new(),
            shows: None,
            choosing: None,
            found: None,
            problem: None,
            pane: Pane::default(),
            selected: 0,
            timing: None,
            awake_until: UnixMillis(0),
            stale: false,
            busy: false,
            round: 0,
        }
    }
}

impl Diagnose {
    /// What answers so far is about something else now.
    pub fn changed(&mut self) {
        self.round += 1;
        self.stale = true;
        self.problem = None;
        self.pane = Pane::Findings;
        self.selected = 0;
    }

    /// Whether something was typed or chosen that can be searched for.
    pub fn has_evidence(&self) -> bool {
        !self.seen.is_empty() || self.shows.is_some()
    }

    /// What was found, where it is the answer to what was asked last.
    pub fn answer(&self) -> Option<&Found> {
        self.found.as_ref().filter(|found| found.round == self.round)
    }

    /// Whether tokens are listed to pick one from.
    pub fn lists_tokens(&self) -> bool {
        self.picked.is_none() && !matches!(self.pane, Pane::Owners(_))
    }

    /// Takes what comes from seeds off the screen.
    pub fn hide(&mut self) {
        if let Some(found) = &mut self.found {
            found.rows = Vec::new();
        }
    }

    /// Whether any of it is on the screen.
    pub fn tells_displays(&self) -> bool {
        self.timing.is_none() && self.found.as_ref().is_some_and(|found| !found.rows.is_empty())
    }

    /// The connection is new: nothing is on its way any more.
    pub fn reconnected(&mut self) {
        self.list.reconnected();
        self.busy = false;
        self.stale = true;
        self.problem = None;
        match &mut self.pane {
            Pane::Owners(None) | Pane::Times(None) => self.pane = Pane::Findings,
            Pane::Owners(_) | Pane::Times(_) | Pane::Findings | Pane::Searched => {}
        }
    }
}

impl Picked {
    /// What its profiles hold now, by number.
    pub fn held(&self) -> Vec<&MappingView> {
        let all = self.token.iter().flat_map(|token| &token.mappings);
        let mut held: Vec<&MappingView> = all.filter(|mapping| mapping.to.is_none()).collect();
        held.sort_by_key(|mapping| mapping.profile);
        held
    }
}
