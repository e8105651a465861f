//! Batches: making them, moving them, and how far they are.

use super::{
    BatchId, BatchMove, BatchRefused, BatchState, BatchSummary, JobRecord, Listed, NewBatch, SeedState,
    SourceFile, Stamp, Store, StoreError, audit, holders,
    rows::{self, count, json, to_count, to_json},
    sweeps,
};
use crate::domain::{JobCounts, JobEvent, JobState, Proof, ProofCounts, SweptCounts};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::json;

/// Orders proofs by how sure they are; `NULL` where there is none.
pub(super) const PROOF_RANK: &str = "CASE m.proof WHEN 'written' THEN 0 WHEN 'read back' THEN 1 WHEN 'computed' THEN 2 WHEN 'seen' THEN 3 END";

/// The proof that [`PROOF_RANK`] numbers so.
pub(super) fn ranked(rank: u64) -> Option<Proof> {
    usize::try_from(rank).ok().and_then(|rank| Proof::ALL.get(rank)).copied()
}

impl Store {
    /// An empty batch, a draft.
    pub fn new_batch(&self, batch: NewBatch, stamp: &Stamp) -> Result<BatchId, BatchRefused> {
        let stamp = stamp.clone();
        self.write(move |tx| {
            if find(tx, &batch.name)?.is_some() {
                return Err(BatchRefused::Exists(batch.name));
            }
            if let Some(key) = &batch.key_name
                && holders::key(tx, key)?.is_none()
            {
                return Err(BatchRefused::NoKey(key.clone()));
            }
            Ok(insert(tx, &batch, &stamp)?)
        })
    }

    /// Starts, pauses or calls off a batch; tells where it stands then. Calling it off cancels every job that is
    /// queued or failed; what was begun can still be finished.
    pub fn move_batch(
        &self,
        name: &str,
        batch_move: BatchMove,
        stamp: &Stamp,
    ) -> Result<BatchState, BatchRefused> {
        let (name, stamp) = (name.to_owned(), stamp.clone());
        self.write(move |tx| {
            use BatchState as S;
            let Some((id, state)) = find(tx, &name)? else {
                return Err(BatchRefused::NoBatch(name));
            };
            let (next, reason) = match (batch_move, state) {
                (BatchMove::Start, S::Draft | S::Paused) => {
                    if sweeps::sweep_of(tx, id)?.is_none() && !has_open_jobs(tx, id)? {
                        return Err(BatchRefused::Empty(name));
                    }
                    (S::Running, None)
                }
                (BatchMove::Pause { reason }, S::Running) => (S::Paused, reason),
                (BatchMove::Cancel, S::Draft | S::Running | S::Paused) => {
                    cancel_all(tx, id, &stamp)?;
                    // A sweep has nothing that waits: it is over when a person says so.
                    let is_sweep = sweeps::sweep_of(tx, id)?.is_some();
                    (if is_sweep { S::Done } else { S::Cancelled }, None)
                }
                (BatchMove::Start | BatchMove::Pause { .. } | BatchMove::Cancel, state) => {
                    return Err(BatchRefused::BadState { name, state });
                }
            };
            set_state(tx, id, next, reason.as_deref(), &stamp)?;
            Ok(next)
        })
    }

    /// Puts every failed job of a batch back into its queue; tells how many, and of the first `told` how they stood before.
    /// A batch that had come to its end goes on.
    pub fn retry(&self, name: &str, told: u32, stamp: &Stamp) -> Result<Listed<JobRecord>, BatchRefused> {
        let (name, stamp) = (name.to_owned(), stamp.clone());
        self.write(move |tx| {
            let Some((id, state)) = find(tx, &name)? else {
                return Err(BatchRefused::NoBatch(name));
            };
            if state == BatchState::Cancelled {
                return Err(BatchRefused::CalledOff(name));
            }
            if sweeps::sweep_of(tx, id)?.is_some() {
                return Err(BatchRefused::Sweep(name));
            }
            let (mut moved, mut items) = (0, Vec::new());
            for from in JobState::ALL {
                let Ok(next) = from.after(JobEvent::Retry) else { continue };
                items.extend(rows::jobs(
                    tx,
                    "WHERE j.batch = ?1 AND j.state = ?2 ORDER BY j.position LIMIT ?3",
                    params![id, from, told],
                )?);
                moved += tx.execute(
                    "UPDATE jobs SET state = ?3, serial = NULL, slot = NULL, plan = NULL, reason = NULL, moved_at = ?4
                     WHERE batch = ?1 AND state = ?2",
                    params![id, from, next, stamp.now],
                )?;
            }
            if moved > 0 {
                audit::append(tx, &stamp, "jobs put back", None, &json!({ "batch": name, "jobs": moved }))?;
                if state == BatchState::Done {
                    set_state(tx, id, BatchState::Running, None, &stamp)?;
                }
            }
            Ok(Listed { items, total: moved as u64 })
        })
    }

    /// Says when a batch's turn is, of several that run: the highest number first, then the oldest.
    pub fn prioritise(&self, name: &str, priority: i32, stamp: &Stamp) -> Result<(), BatchRefused> {
        let (name, stamp) = (name.to_owned(), stamp.clone());
        self.write(move |tx| {
            let Some((id, state)) = find(tx, &name)? else {
                return Err(BatchRefused::NoBatch(name));
            };
            if matches!(state, BatchState::Done | BatchState::Cancelled) {
                return Err(BatchRefused::BadState { name, state });
            }
            tx.execute("UPDATE batches SET priority = ?2 WHERE id = ?1", params![id, priority])?;
            let detail = json!({ "batch": name, "priority": priority });
            audit::append(tx, &stamp, "batch priority set", None, &detail)?;
            Ok(())
        })
    }

    /// The batch of that name.
    pub fn batch_by_name(&self, name: &str) -> Result<Option<BatchSummary>, StoreError> {
        self.read(|c| Ok(summaries(c, "WHERE b.name = ?1", [name])?.pop()))
    }

    /// The batch with that id.
    pub fn batch(&self, id: BatchId) -> Result<Option<BatchSummary>, StoreError> {
        self.read(|c| Ok(summaries(c, "WHERE b.id = ?1", [id])?.pop()))
    }

    /// Whether any batch gives its jobs to tokens that are put down.
    pub fn is_any_running(&self) -> Result<bool, StoreError> {
        self.read(|c| {
            Ok(c.prepare_cached("SELECT EXISTS (SELECT 1 FROM batches WHERE state = 'running')")?
                .query_row([], |row| row.get(0))?)
        })
    }

    /// Every batch, latest first.
    pub fn batches(&self) -> Result<Vec<BatchSummary>, StoreError> {
        self.read(|c| Ok(summaries(c, "ORDER BY b.id DESC", [])?))
    }
}

/// A batch's row and state, by its name.
pub(super) fn find(connection: &Connection, name: &str) -> rusqlite::Result<Option<(BatchId, BatchState)>> {
    connection
        .prepare_cached("SELECT id, state FROM batches WHERE name = ?1")?
        .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// Makes a draft. The caller has looked that the name is free and the key known.
pub(super) fn insert(tx: &Transaction<'_>, batch: &NewBatch, stamp: &Stamp) -> rusqlite::Result<BatchId> {
    tx.execute(
        "INSERT INTO batches (name, state, policy, priority, recipe, target, key_name, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            batch.name,
            BatchState::Draft,
            to_json(&batch.policy),
            batch.priority,
            batch.recipe,
            batch.target,
            batch.key_name,
            stamp.now
        ],
    )?;
    let id = BatchId(tx.last_insert_rowid());
    let detail = json!({
        "batch": batch.name,
        "id": id,
        "policy": batch.policy,
        "recipe": batch.recipe,
        "target": batch.target,
        "key": batch.key_name,
        "priority": batch.priority,
    });
    audit::append(tx, stamp, "batch made", None, &detail)?;
    Ok(id)
}

/// Moves a batch and says so in the audit log.
pub(super) fn set_state(
    tx: &Transaction<'_>,
    id: BatchId,
    state: BatchState,
    reason: Option<&str>,
    stamp: &Stamp,
) -> rusqlite::Result<()> {
    tx.execute("UPDATE batches SET state = ?2, reason = ?3 WHERE id = ?1", params![id, state, reason])?;
    let name: String = tx.query_row("SELECT name FROM batches WHERE id = ?1", [id], |row| row.get(0))?;
    let detail = json!({ "batch": name, "reason": reason });
    audit::append(tx, stamp, &format!("batch {state}"), None, &detail)
}

/// Ends a batch that has nothing left to burn.
pub(super) fn settle(tx: &Transaction<'_>, id: BatchId, stamp: &Stamp) -> rusqlite::Result<()> {
    let state: BatchState =
        tx.query_row("SELECT state FROM batches WHERE id = ?1", [id], |row| row.get(0))?;
    let is_done = || match sweeps::sweep_of(tx, id)? {
        Some(sweep) => sweeps::is_done(tx, id, &sweep),
        None => Ok(true),
    };
    if matches!(state, BatchState::Running | BatchState::Paused) && !has_open_jobs(tx, id)? && is_done()? {
        set_state(tx, id, BatchState::Done, None, stamp)?;
    }
    Ok(())
}

fn has_open_jobs(tx: &Transaction<'_>, id: BatchId) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE batch = ?1 AND state IN ('queued', 'claimed', 'unfinished'))",
    )?
    .query_row([id], |row| row.get(0))
}

/// Cancels each job that can be, and lets go of its seeds: nothing was written of them.
fn cancel_all(tx: &Transaction<'_>, id: BatchId, stamp: &Stamp) -> rusqlite::Result<()> {
    for from in JobState::ALL {
        let Ok(next) = from.after(JobEvent::Cancel) else { continue };
        tx.execute(
            "UPDATE seeds SET state = ?3 WHERE state = 'free' AND id IN (
                 SELECT e.seed FROM job_entries e JOIN jobs j ON j.id = e.job
                 WHERE j.batch = ?1 AND j.state = ?2)",
            params![id, from, SeedState::Dropped],
        )?;
        tx.execute(
            "UPDATE jobs SET state = ?3, moved_at = ?4 WHERE batch = ?1 AND state = ?2",
            params![id, from, next, stamp.now],
        )?;
    }
    Ok(())
}

fn summary_row(row: &Row<'_>) -> rusqlite::Result<BatchSummary> {
    let source: (Option<String>, Option<[u8; 32]>) = (row.get(10)?, row.get(11)?);
    Ok(BatchSummary {
        id: row.get(0)?,
        name: row.get(1)?,
        state: row.get(2)?,
        reason: row.get(3)?,
        policy: json(row, 4)?,
        priority: row.get(5)?,
        recipe: row.get(6)?,
        target: row.get(7)?,
        key_name: row.get(8)?,
        created_at: row.get(9)?,
        source: source.0.zip(source.1).map(|(name, sha256)| SourceFile { name, sha256 }),
        counts: JobCounts::default(),
        proofs: ProofCounts::default(),
        sweep: sweeps::column(row, 12)?.map(|sweep| (sweep, SweptCounts::default())),
    })
}

fn summaries(
    connection: &Connection,
    rest: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<BatchSummary>> {
    let mut batches: Vec<BatchSummary> = connection
        .prepare_cached(&format!(
            "SELECT b.id, b.name, b.state, b.reason, b.policy, b.priority, b.recipe, b.target, b.key_name,
                 b.created_at, i.file_name, i.file_sha256, b.sweep
             FROM batches b LEFT JOIN imports i
                 ON i.id = (SELECT min(id) FROM imports WHERE batch = b.id AND file_name IS NOT NULL) {rest}"
        ))?
        .query_map(params, summary_row)?
        .collect::<Result<_, _>>()?;
    for batch in &mut batches {
        tally(connection, batch)?;
    }
    Ok(batches)
}

/// Fills in a batch's numbers. They come from the tallies that its jobs keep, and cost the same whatever its size.
fn tally(connection: &Connection, batch: &mut BatchSummary) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("SELECT state, proof, wants_eyes, jobs FROM tallies WHERE batch = ?1")?;
    let mut rows = statement.query([batch.id])?;
    let mut tallied = 0;
    while let Some(row) = rows.next()? {
        let (state, jobs): (JobState, u64) = (row.get(0)?, count(row, 3)?);
        tallied += jobs;
        *batch.counts.of_mut(state) += jobs;
        if state == JobState::Burned {
            if let Some(proof) = Proof::from_word(row.get_ref(1)?.as_str()?) {
                *batch.proofs.of_mut(proof) += jobs;
            }
            batch.proofs.waiting_for_eyes += if row.get(2)? { jobs } else { 0 };
        }
    }
    let queued = next_position(connection, batch.id)? - to_count(tallied);
    *batch.counts.of_mut(JobState::Queued) =
        u64::try_from(queued).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(3, queued))?;
    batch.sweep = sweeps::tally(connection, batch.id, batch.sweep.take().map(|(sweep, _)| sweep))?;
    Ok(())
}

/// The place after the last job of a batch, and the number of its jobs: they are counted from 0 without a gap, and none
/// is ever deleted.
pub(super) fn next_position(connection: &Connection, batch: BatchId) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT coalesce(max(position) + 1, 0) FROM jobs WHERE batch = ?1")?
        .query_row([batch], |row| row.get(0))
}
