//! A long list of which only a window is here; the station has the rest.

use crate::face::{Page, PageOf};

/// How many items are asked for at once: more than any screen shows, small enough to be there at once.
const WINDOW: u32 = 200;
/// So close to the window's end the next one is fetched.
const MARGIN: u64 = 50;

/// The window, and which item of the whole list is selected.
#[derive(Debug)]
pub struct Paged<T> {
    /// How long the whole list is.
    pub total: u64,
    /// Place of the window's first item in the list.
    pub offset: u32,
    /// The window.
    pub items: Vec<T>,
    /// Place of the selected item in the list.
    pub selected: u64,
    in_flight: bool,
    stale: bool,
}

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Self { total: 0, offset: 0, items: Vec::new(), selected: 0, in_flight: false, stale: true }
    }
}

impl<T> Paged<T> {
    /// What is here may be old.
    pub fn stale(&mut self) {
        self.stale = true;
    }

    /// Another list: starts at its top.
    pub fn restart(&mut self) {
        *self = Self { in_flight: self.in_flight, ..Self::default() };
    }

    /// The connection is new: nothing is on its way any more.
    pub fn reconnected(&mut self) {
        self.in_flight = false;
        self.stale = true;
    }

    /// The page to ask for, if one is wanted and none is on its way. One at a time: what is typed meanwhile waits for
    /// the answer, so that a slow line is never flooded.
    pub fn want(&mut self) -> Option<Page> {
        if self.in_flight || !(self.stale || self.is_near_the_end()) {
            return None;
        }
        self.in_flight = true;
        self.stale = false;
        let offset = u32::try_from(self.selected.saturating_sub(u64::from(WINDOW) / 2)).unwrap_or(u32::MAX);
        Some(Page { offset, limit: WINDOW })
    }

    fn is_near_the_end(&self) -> bool {
        let first = u64::from(self.offset);
        let end = first + self.items.len() as u64;
        (first > 0 && self.selected < first + MARGIN) || (end < self.total && self.selected + MARGIN >= end)
    }

    /// An answer came; `page` is none where it was a failure or the answer to an older question.
    pub fn answered(&mut self, offset: u32, page: Option<PageOf<T>>) {
        self.in_flight = false;
        match page {
            Some(page) => {
                self.total = page.total;
                self.offset = offset;
                self.items = page.items;
                self.selected = self.selected.min(self.total.saturating_sub(1));
            }
            None => self.stale = true,
        }
    }

    /// A failure: asking again at once would only fail again.
    pub fn failed(&mut self) {
        self.in_flight = false;
        self.stale = false;
    }

    /// The item at `place` of the whole list, if it is here.
    pub fn at(&self, place: u64) -> Option<&T> {
        let index = usize::try_from(place.checked_sub(u64::from(self.offset))?).ok()?;
        self.items.get(index)
    }

    /// The selected item, if it is here.
    pub fn current(&self) -> Option<&T> {
        self.at(self.selected)
    }

    /// Moves the selection by `by` items, and not past the ends.
    pub fn step(&mut self, by: i64) {
        self.selected = self.selected.saturating_add_signed(by).min(self.total.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(offset: u32, total: u64) -> PageOf<u32> {
        PageOf { total, items: (offset..(offset + WINDOW).min(u32::try_from(total).unwrap())).collect() }
    }

    #[test]
    fn one_page_is_asked_for_at_a_time_and_the_next_before_the_end() {
        let mut list = Paged::default();
        assert_eq!(list.want(), Some(Page { offset: 0, limit: WINDOW }));
        assert_eq!(list.want(), None);
        list.answered(0, Some(page(0, 1000)));
        assert_eq!(list.want(), None);
        list.step(149);
        assert_eq!(list.want(), None);
        list.step(1);
        assert_eq!(list.want(), Some(Page { offset: 50, limit: WINDOW }));
        list.answered(50, Some(page(50, 1000)));
        assert_eq!(list.current(), Some(&150));
        list.step(-60);
        assert_eq!(list.want().map(|page| page.offset), Some(0));
        list.step(i64::MAX);
        assert_eq!((list.selected, list.current()), (999, None));
    }

    #[test]
    fn an_answer_to_an_older_question_is_asked_again() {
        let mut list: Paged<u32> = Paged::default();
        assert!(list.want().is_some());
        list.restart();
        assert_eq!(list.want(), None);
        list.answered(0, None);
        assert!(list.want().is_some());
        list.failed();
        assert_eq!(list.want(), None);
    }
}
