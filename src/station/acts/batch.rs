//! Batches: listed, shown, started, paused; their jobs.

use super::super::{core::Core, failure::failure, views};
use crate::{
    domain::JobState,
    face::{BatchDetail, Failure, FailureKind, JobFilter, JobView, Page, PageOf, Reply, Retried, Source},
    store::{self, BatchMove},
};

/// So many jobs of a kind are told one by one when failed ones are put back.
const RETRIED_TOLD: u32 = 50;

/// All batches.
pub fn list(core: &Core) -> Result<Reply, Failure> {
    Ok(Reply::Batches(core.store.batches()?.iter().map(views::batch).collect()))
}

/// One batch with its policy.
pub fn show(core: &Core, name: &str) -> Result<Reply, Failure> {
    let batch = core.store.batch_by_name(name)?.ok_or_else(|| no_batch(name))?;
    Ok(Reply::Batch(Box::new(detail(batch))))
}

/// A batch with its policy, from its record.
pub fn detail(batch: store::BatchSummary) -> BatchDetail {
    BatchDetail {
        batch: views::batch(&batch),
        policy: batch.policy,
        recipe: batch.recipe,
        login_target: batch.target,
        key: batch.key_name,
        source: batch.source.map(|source| Source {
            name: source.name,
            sha256: data_encoding::HEXLOWER.encode(&source.sha256),
        }),
    }
}

/// Lets slots take its jobs.
pub fn start(core: &Core, name: &str, who: &str) -> Result<Reply, Failure> {
    let batch = core.store.batch_by_name(name)?.ok_or_else(|| no_batch(name))?;
    if let Some(key) = &batch.key_name
        && core.store.key(key)?.is_none()
    {
        return Err(failure(
            FailureKind::No,
            format!("batch \"{name}\" wants the customer key \"{key}\", which is not in the vault"),
            "add it with \"kiln key add\"",
        ));
    }
    core.breakers.forget(batch.id);
    core.resume();
    move_batch(core, name, BatchMove::Start, who)
}

/// Lets no slot take another of its jobs.
pub fn pause(core: &Core, name: &str, who: &str) -> Result<Reply, Failure> {
    move_batch(core, name, BatchMove::Pause { reason: None }, who)
}

/// Puts its failed jobs back into the queue; tells of those, and of the ones that are left although they are not burned.
pub fn retry(core: &Core, name: &str, who: &str) -> Result<Reply, Failure> {
    let put_back = core.store.retry(name, RETRIED_TOLD, &core.stamp(who))?;
    core.say_batch(name);
    core.changed();
    let batch = core.store.batch_by_name(name)?.ok_or_else(|| no_batch(name))?;
    let filter = store::JobFilter { states: vec![JobState::Unfinished], text: None };
    let unfinished = core.store.jobs(batch.id, &filter, store::Page::first(RETRIED_TOLD))?;
    Ok(Reply::Retried(Box::new(Retried {
        batch: detail(batch),
        put_back: listed(&put_back),
        unfinished: listed(&unfinished),
    })))
}

fn listed(jobs: &store::Listed<store::JobRecord>) -> PageOf<JobView> {
    PageOf { total: jobs.total, items: jobs.items.iter().map(views::job).collect() }
}

/// Says when its turn is, of several that run.
pub fn prioritise(core: &Core, name: &str, priority: i32, who: &str) -> Result<Reply, Failure> {
    core.store.prioritise(name, priority, &core.stamp(who))?;
    core.say_batch(name);
    core.changed();
    show(core, name)
}

/// Calls it off.
pub fn cancel(core: &Core, name: &str, who: &str) -> Result<Reply, Failure> {
    move_batch(core, name, BatchMove::Cancel, who)
}

fn move_batch(core: &Core, name: &str, to: BatchMove, who: &str) -> Result<Reply, Failure> {
    core.store.move_batch(name, to, &core.stamp(who))?;
    core.say_batch(name);
    core.changed();
    show(core, name)
}

/// Jobs of a batch.
pub fn jobs(core: &Core, batch: &str, filter: &JobFilter, page: Page) -> Result<Reply, Failure> {
    let batch = core.store.batch_by_name(batch)?.ok_or_else(|| no_batch(batch))?;
    let filter = store::JobFilter { states: filter.state.into_iter().collect(), text: None };
    let jobs = core.store.jobs(batch.id, &filter, super::page(page))?;
    Ok(Reply::Jobs(listed(&jobs)))
}

/// No batch has that name.
pub fn no_batch(name: &str) -> Failure {
    failure(
        FailureKind::No,
        format!("there is no batch \"{name}\""),
        "look at the names with \"kiln batch list\"",
    )
}
