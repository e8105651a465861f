//! Circuit breakers: three failures of one kind in a row pause a slot, three over a batch pause the batch. A wrong key
//! file or a bad lot of tokens must not cost a box of them.

use super::{
    alarms::{self, Words},
    core::{Core, STATION},
};
use crate::store::{AlarmAbout, BatchId, BatchMove};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// How many failures of one kind are too many.
pub const TOO_MANY: u32 = 3;

/// Kinds of failure that don't go away when the same token is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The token refused the key.
    KeyRefused,
    /// The token refused a command before anything was written.
    Refused,
    /// Something was written and did not come out right.
    WentWrong,
}

impl Kind {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::KeyRefused => "tokens refused the key",
            Self::Refused => "tokens refused a command",
            Self::WentWrong => "tokens did not take what was written",
        }
    }
}

/// Failures in a row at one slot.
#[derive(Debug, Default)]
pub struct Row {
    last: Option<(Kind, u32)>,
    opened_at: Option<u64>,
}

impl Row {
    /// Takes a failure; tells whether it was one too many.
    pub fn fail(&mut self, kind: Kind, resumes: u64) -> bool {
        let count = match self.last {
            Some((last, count)) if last == kind => count + 1,
            Some(_) | None => 1,
        };
        self.last = Some((kind, count));
        if count >= TOO_MANY {
            self.opened_at = Some(resumes);
        }
        count >= TOO_MANY
    }

    /// Takes a success: the row is broken.
    pub fn succeed(&mut self) {
        self.last = None;
    }

    /// Whether the slot is paused: until a person starts a batch again.
    pub fn is_open(&self, core: &Core) -> bool {
        self.opened_at.is_some_and(|at| at == core.resumes())
    }
}

/// Counts a failure of a batch's token, and pauses the batch where it is one too many: also where `untried`, since then
/// it was the first token that the batch's key was tried on.
pub fn count(core: &Core, batch: BatchId, name: &str, kind: Kind, untried: bool) {
    if !core.breakers.fail(batch, kind) && !untried {
        return;
    }
    let why = if untried {
        "the first token that was tried refused the batch's key".to_owned()
    } else {
        format!("{TOO_MANY} {}", kind.words())
    };
    let pause = BatchMove::Pause { reason: Some(why.clone()) };
    if let Err(error) = core.store.move_batch(name, pause, &core.stamp(STATION)) {
        tracing::warn!(%error, "a batch could not be paused");
    }
    let words = Words {
        message: format!("batch \"{name}\" is paused: {why}"),
        remedy: "find out why, then start it again with \"kiln batch start\"",
        place: None,
    };
    alarms::raise(core, AlarmAbout::Batch(batch), words);
}

/// Failures over each batch, since it was last started.
#[derive(Debug, Default)]
pub struct Batches(Mutex<HashMap<(BatchId, Kind), u32>>);

impl Batches {
    /// Takes a failure; tells whether it was one too many.
    pub fn fail(&self, batch: BatchId, kind: Kind) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((batch, kind)).or_default();
        *count += 1;
        *count >= TOO_MANY
    }

    /// Forgets a batch's failures: a person looked into them and starts it again.
    pub fn forget(&self, batch: BatchId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(of, _), _| *of != batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_of_one_kind_in_a_row_are_too_many() {
        let mut row = Row::default();
        assert!(!row.fail(Kind::Refused, 0) && !row.fail(Kind::WentWrong, 0) && !row.fail(Kind::Refused, 0));
        assert!(!row.fail(Kind::Refused, 0));
        row.succeed();
        assert!(!row.fail(Kind::Refused, 0) && !row.fail(Kind::Refused, 0) && row.fail(Kind::Refused, 0));
    }

    #[test]
    fn a_batch_counts_over_all_slots_until_it_is_started_again() {
        let batches = Batches::default();
        let (spring, autumn) = (BatchId(1), BatchId(2));
        assert!(!batches.fail(spring, Kind::Refused) && !batches.fail(spring, Kind::Refused));
        assert!(!batches.fail(autumn, Kind::Refused));
        assert!(batches.fail(spring, Kind::Refused));
        batches.forget(spring);
        assert!(!batches.fail(spring, Kind::Refused));
    }
}
