//! The batches view: which batch, which of its jobs.

use super::{
    input::Input,
    msg::{Asked, Effect},
    paged::Paged,
};
use crate::{
    domain::JobState,
    face::{BatchDetail, BatchView, Command, JobFilter, JobView},
};

/// Which jobs are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobsOf {
    /// Of which batch.
    pub batch: String,
    /// In which state; none: all.
    pub state: Option<JobState>,
}

/// The batches view.
#[derive(Debug, Default)]
pub struct Batches {
    /// The selected one, by name.
    pub selected: Option<String>,
    /// Only those whose name holds this.
    pub filter: Input,
    /// The keys move in the jobs, not in the batches.
    pub in_jobs: bool,
    /// Which jobs are listed.
    pub of: JobsOf,
    /// They.
    pub jobs: Paged<JobView>,
    /// The selected batch with its policy, once it came.
    pub detail: Option<BatchDetail>,
}

impl Batches {
    /// Those that pass the filter.
    pub fn shown<'a>(&self, all: &'a [BatchView]) -> Vec<&'a BatchView> {
        let wanted = self.filter.text().to_lowercase();
        all.iter().filter(|batch| batch.name.to_lowercase().contains(&wanted)).collect()
    }

    /// The selected one; the first where none is.
    pub fn current<'a>(&self, all: &'a [BatchView]) -> Option<&'a BatchView> {
        let shown = self.shown(all);
        let selected = shown.iter().find(|batch| Some(&batch.name) == self.selected.as_ref());
        selected.or(shown.first()).copied()
    }

    /// Selects the one `by` places on.
    pub fn step(&mut self, all: &[BatchView], by: i64) {
        let shown = self.shown(all);
        let now = self.current(all).map(|batch| batch.name.clone());
        let at = shown.iter().position(|batch| Some(&batch.name) == now.as_ref()).unwrap_or(0);
        let last = shown.len().saturating_sub(1);
        let to = (at as u64).saturating_add_signed(by).min(last as u64);
        self.selected = usize::try_from(to).ok().and_then(|to| shown.get(to)).map(|batch| batch.name.clone());
    }

    /// Shows jobs in the next state, and after the last in all of them.
    pub fn next_state(&mut self) {
        let at = self.of.state.and_then(|state| JobState::ALL.iter().position(|one| *one == state));
        self.of.state = JobState::ALL.get(at.map_or(0, |at| at + 1)).copied();
        self.jobs.restart();
    }

    /// Asks for what the view lacks.
    pub fn wants(&mut self, all: &[BatchView]) -> Vec<Effect> {
        let Some(batch) = self.current(all).map(|batch| batch.name.clone()) else { return Vec::new() };
        let mut effects = Vec::new();
        if self.of.batch != batch {
            self.of = JobsOf { batch: batch.clone(), state: None };
            self.jobs.restart();
            self.detail = None;
            effects
                .push(Effect::Ask(Asked::Batch(batch.clone()), Command::BatchShow { name: batch.clone() }));
        }
        if let Some(page) = self.jobs.want() {
            let filter = JobFilter { state: self.of.state };
            effects.push(Effect::Ask(
                Asked::Jobs(self.of.clone(), page.offset),
                Command::Jobs { batch, filter, page },
            ));
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::sample::batch;

    #[test]
    fn the_selection_stays_with_its_batch_and_another_batch_asks_for_its_jobs() {
        let mut all = vec![batch("b", "running"), batch("c", "draft")];
        let mut view = Batches::default();
        assert_eq!(view.wants(&all).len(), 2);
        assert!(view.wants(&all).is_empty());
        view.step(&all, 1);
        all.insert(0, batch("a", "running"));
        assert_eq!(view.current(&all).unwrap().name, "c");
        assert_eq!(view.wants(&all).len(), 1, "its jobs wait for the answer that is on its way");
        view.step(&all, -9);
        assert_eq!(view.current(&all).unwrap().name, "a");
        view.filter.paste("C");
        assert_eq!(view.current(&all).unwrap().name, "c");
    }

    #[test]
    fn the_state_filter_goes_round() {
        let mut view = Batches::default();
        let mut seen = Vec::new();
        for _ in 0..=JobState::ALL.len() {
            view.next_state();
            seen.push(view.of.state);
        }
        assert_eq!(seen.first(), Some(&Some(JobState::Queued)));
        assert_eq!(seen.last(), Some(&None));
    }
}
