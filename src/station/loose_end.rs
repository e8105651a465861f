//! A job in hand whose burn has ended somehow, but not on record: its thread hangs or panicked, or the store failed
//! just then. It is recorded as unfinished, its attempt as unknown, as soon as the store takes that. Until then the
//! job stays claimed, so that nobody burns it; a restart would read the same from it.

use super::{
    core::{Core, STATION},
    slot::InHand,
    views::job_event,
};
use crate::{
    domain::SlotName,
    store::{AttemptResult, MoveRefused, StoreError},
};
use std::sync::{Mutex, PoisonError};

/// What has to be recorded yet.
#[derive(Debug)]
pub struct LooseEnd {
    /// The slot that had it in hand.
    pub slot: SlotName,
    /// The job, and the attempt if how it went is not on record either.
    pub held: InHand,
    /// Why the burn did not come to its end.
    pub reason: String,
}

/// Those that the store has not taken.
#[derive(Debug, Default)]
pub struct LooseEnds(Mutex<Vec<LooseEnd>>);

/// Records it, now or as soon as the store takes it.
pub fn tie(core: &Core, mut end: LooseEnd) {
    if let Err(error) = record(core, &mut end) {
        tracing::error!(%error, slot = %end.slot, job = ?end.held.job, "a burn's end can't be recorded yet");
        core.loose_ends.0.lock().unwrap_or_else(PoisonError::into_inner).push(end);
    }
}

/// Tries again with all that the store has not taken.
pub fn tie_again(core: &Core) {
    let waiting = std::mem::take(&mut *core.loose_ends.0.lock().unwrap_or_else(PoisonError::into_inner));
    for mut end in waiting {
        if record(core, &mut end).is_err() {
            core.loose_ends.0.lock().unwrap_or_else(PoisonError::into_inner).push(end);
        }
    }
}

/// Records what it can; an error means that the rest has to wait.
fn record(core: &Core, end: &mut LooseEnd) -> Result<(), StoreError> {
    if let Some(attempt) = end.held.attempt {
        match core.store.attempt_result(attempt, AttemptResult::Unknown, &core.stamp(STATION)) {
            Ok(()) => {}
            // It has its answer: nothing is unknown about it.
            Err(StoreError::Rule(_)) => {}
            Err(error) => return Err(error),
        }
        end.held.attempt = None;
    }
    if let Some(job) = end.held.job {
        match core.store.interrupted(job, &end.reason, &core.stamp(STATION)) {
            Ok(record) => {
                core.bus.say(job_event(&record, Some(&end.slot)));
                core.say_batch(&record.batch_name);
            }
            Err(MoveRefused::Store(error)) => return Err(error),
            Err(error) => tracing::error!(%error, job = job.0, "a job could not be marked unfinished"),
        }
        end.held.job = None;
        core.changed();
    }
    Ok(())
}
