//! What lies where on the screen. Noted by the view as it draws, so that a click can't mean another line than the one that
//! is seen.

use super::model::View;
use crate::domain::SlotName;
use ratatui::layout::{Position, Rect};

/// Something that can be clicked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// The name of a view.
    Tab(View),
    /// A slot.
    Slot(SlotName),
    /// A batch, by its name.
    Batch(String),
    /// A job, by its place among those of its batch.
    Job(u64),
    /// A line of the view's list, by its place.
    Line(u64),
    /// A line, or a field, of the dialog on top.
    Choice(usize),
    /// Where there is nothing to click on, but something that the wheel turns.
    Pane(Pane),
}

/// Something that the wheel turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// The slots.
    Slots,
    /// The batches.
    Batches,
    /// The jobs of a batch.
    Jobs,
    /// The view's list.
    Lines,
    /// The dialog on top.
    Dialog,
}

impl Spot {
    /// What the wheel turns there.
    pub fn pane(&self) -> Option<Pane> {
        match self {
            Self::Tab(_) => None,
            Self::Slot(_) => Some(Pane::Slots),
            Self::Batch(_) => Some(Pane::Batches),
            Self::Job(_) => Some(Pane::Jobs),
            Self::Line(_) => Some(Pane::Lines),
            Self::Choice(_) => Some(Pane::Dialog),
            Self::Pane(pane) => Some(*pane),
        }
    }
}

/// All of them; what was noted last lies on top.
#[derive(Debug, Default)]
pub struct Spots(Vec<(Rect, Spot)>);

impl Spots {
    /// It lies there.
    pub fn note(&mut self, area: Rect, spot: Spot) {
        self.0.push((area, spot));
    }

    /// It takes the line at `y` of `area`.
    pub fn line(&mut self, area: Rect, y: u16, spot: Spot) {
        self.note(Rect { y, height: 1, ..area }, spot);
    }

    /// What was noted so far is covered: nothing of it is hit.
    pub fn cover(&mut self, area: Rect) {
        self.0.clear();
        self.note(area, Spot::Pane(Pane::Dialog));
    }

    /// What lies at this place.
    pub fn at(&self, column: u16, row: u16) -> Option<&Spot> {
        let place = Position { x: column, y: row };
        self.0.iter().rev().find(|(area, _)| area.contains(place)).map(|(_, spot)| spot)
    }
}
