//! Sweeps: batches that set the clocks of tokens on record. A job is made for each token as it comes and is beyond what
//! the sweep allows; it carries the seeds that the token has, and what the token holds stays on record as it is: the same
//! seed with the same parameters, burned by the job that first put it there.

use super::{
    AttemptId, BatchId, BatchRefused, BatchState, ClaimRefused, EntryDone, JobId, JobRecord, Listed,
    MoveRefused, NewBatch, NewReading, OverrideId, Page, Stamp, Store, StoreError, Trial, attempts, audit,
    batches, clock, drift, holders, queue,
    rows::{self, to_count, to_json},
    tokens,
};
use crate::{
    domain::{
        ClockSetBy, JobEvent, JobState, Profile, Proof, Serial, SlotName, SweptCounts, SweptOutcome,
        UnixMillis,
    },
    vault::Fingerprint,
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Which tokens a sweep is for, and when it sets a clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Clocks that are further off are set, in milliseconds; `None`: by what the server of each token forgives.
    pub threshold_ms: Option<u64>,
    /// Only tokens that hold something of this batch, by its name.
    pub of_batch: Option<String>,
    /// Only these; empty for any.
    pub serials: Vec<Serial>,
    /// Only the clock of this profile, where a token has one for each.
    pub profile: Option<Profile>,
    /// How long displays stay on, in seconds, of tokens of which that is not on record.
    #[serde(default)]
    pub display_timeout_s: Option<u16>,
}

/// A job that sets a clock, as it is claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewResync {
    /// The sweep that it is part of.
    pub sweep: BatchId,
    /// Which token.
    pub serial: Serial,
    /// Where that lies.
    pub slot: SlotName,
    /// The profiles that it concerns; what they hold is copied from the record.
    pub profiles: Vec<Profile>,
    /// Those whose display timeout is on record from now on because the sweep says it, in seconds.
    pub said: Vec<(Profile, u16)>,
    /// How far off the clock is, in milliseconds.
    pub before_ms: Option<i64>,
    /// What the claim means to do, as text.
    pub plan: String,
    /// The key that is about to be shown to the token, and what allows that.
    pub trial: Trial,
}

/// A sweep that takes tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningSweep {
    /// Its row among the batches.
    pub id: BatchId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub sweep: Sweep,
}

/// What a sweep found of a token, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// Which token.
    pub serial: Serial,
    /// When it was there last.
    pub at: UnixMillis,
    /// How far off its clock was, in milliseconds; `None` where it has none.
    pub before_ms: Option<i64>,
    /// How far off it was after it was set.
    pub after_ms: Option<i64>,
    /// What became of it.
    pub outcome: SweptOutcome,
    /// Why, where that isn't plain.
    pub reason: Option<String>,
    /// The job that set it, or tried.
    pub job: Option<JobId>,
}

/// A clock that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResyncDone {
    /// By which job.
    pub job: JobId,
    /// On which token; must be the one that claimed it.
    pub serial: Serial,
    /// Each profile of the job, once, with the proof that it still shows what it did.
    pub entries: Vec<EntryDone>,
    /// Whether seeds were written again. Then what was proven of them before says nothing any more.
    pub rewrote: bool,
    /// The clock afterwards.
    pub reading: Option<NewReading>,
    /// The permission by which it was set though the station's clock was not trusted.
    pub clock_override: Option<OverrideId>,
}

impl Store {
    /// Makes a sweep that runs from now on. What it says of display timeouts is said of `these` for good, whatever was said
    /// of them before.
    pub fn new_sweep(
        &self,
        batch: NewBatch,
        sweep: Sweep,
        these: Vec<(Serial, Profile)>,
        stamp: &Stamp,
    ) -> Result<BatchId, BatchRefused> {
        let stamp = stamp.clone();
        self.write(move |tx| {
            if batches::find(tx, &batch.name)?.is_some() {
                return Err(BatchRefused::Exists(batch.name));
            }
            if let Some(of) = &sweep.of_batch
                && batches::find(tx, of)?.is_none()
            {
                return Err(BatchRefused::NoBatch(of.clone()));
            }
            if let Some(key) = &batch.key_name
                && holders::key(tx, key)?.is_none()
            {
                return Err(BatchRefused::NoKey(key.clone()));
            }
            let id = batches::insert(tx, &batch, &stamp)?;
            tx.execute("UPDATE batches SET sweep = ?2 WHERE id = ?1", params![id, to_json(&sweep)])?;
            let detail = json!({ "batch": batch.name, "sweep": sweep });
            audit::append(tx, &stamp, "sweep made", None, &detail)?;
            if let Some(seconds) = sweep.display_timeout_s {
                for (serial, profile) in &these {
                    say_timeout(tx, serial, *profile, seconds, &stamp)?;
                }
            }
            batches::set_state(tx, id, BatchState::Running, None, &stamp)?;
            Ok(id)
        })
    }

    /// The sweeps that take tokens now, in the order in which they do.
    pub fn running_sweeps(&self) -> Result<Vec<RunningSweep>, StoreError> {
        self.read(|c| {
            Ok(c.prepare_cached(
                "SELECT id, name, sweep FROM batches WHERE state = 'running' AND sweep IS NOT NULL
                 ORDER BY priority DESC, id",
            )?
            .query_map([], |row| {
                Ok(RunningSweep { id: row.get(0)?, name: row.get(1)?, sweep: rows::json(row, 2)? })
            })?
            .collect::<Result<_, _>>()?)
        })
    }

    /// What a sweep has on record of a token.
    pub fn swept(&self, sweep: BatchId, serial: &Serial) -> Result<Option<Swept>, StoreError> {
        self.read(|c| {
            Ok(c.prepare_cached(&format!("{SWEPT} WHERE batch = ?1 AND serial = ?2"))?
                .query_row(params![sweep, serial], swept_row)
                .optional()?)
        })
    }

    /// The tokens that came to a sweep, the last one first.
    pub fn swept_tokens(&self, sweep: BatchId, page: Page) -> Result<Listed<Swept>, StoreError> {
        self.read(|c| {
            let total = c
                .prepare_cached("SELECT count(*) FROM resyncs WHERE batch = ?1")?
                .query_row([sweep], |row| rows::count(row, 0))?;
            let items = c
                .prepare_cached(&format!(
                    "{SWEPT} WHERE batch = ?1 ORDER BY at DESC, serial LIMIT ?2 OFFSET ?3"
                ))?
                .query_map(params![sweep, page.limit, to_count(page.offset)], swept_row)?
                .collect::<Result<_, _>>()?;
            Ok(Listed { items, total })
        })
    }

    /// Notes that a token came to a sweep and was left as it is. Tells whether that is news.
    pub fn left_alone(
        &self,
        sweep: BatchId,
        serial: &Serial,
        before_ms: Option<i64>,
        outcome: SweptOutcome,
        reason: Option<&str>,
        stamp: &Stamp,
    ) -> Result<bool, StoreError> {
        let (serial, reason, stamp) = (serial.clone(), reason.map(str::to_owned), stamp.clone());
        self.write(move |tx| {
            tokens::meet(tx, &serial, None, &stamp)?;
            let before: Option<(SweptOutcome, Option<String>)> = tx
                .prepare_cached("SELECT outcome, reason FROM resyncs WHERE batch = ?1 AND serial = ?2")?
                .query_row(params![sweep, serial], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            match &before {
                Some((SweptOutcome::Set | SweptOutcome::Unfinished, _)) => return Ok(false),
                Some((was, why)) if *was == outcome && *why == reason => return Ok(false),
                Some(_) | None => {}
            }
            tx.prepare_cached(
                "INSERT OR REPLACE INTO resyncs (batch, serial, at, before_ms, outcome, reason)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![sweep, serial, stamp.now, before_ms, outcome, reason])?;
            let detail =
                json!({ "sweep": sweep, "drift_ms": before_ms, "outcome": outcome, "reason": reason });
            audit::append(tx, &stamp, "clock left alone", Some(&serial), &detail)?;
            batches::settle(tx, sweep, &stamp)?;
            Ok(true)
        })
    }

    /// Makes a job that sets the clock of a token, gives it to that token, and notes that a key is about to be shown to
    /// it: one act, before the first command that could change the token.
    pub fn claim_resync(
        &self,
        new: NewResync,
        stamp: &Stamp,
    ) -> Result<(JobRecord, AttemptId), ClaimRefused> {
        let stamp = stamp.clone();
        self.write(move |tx| {
            let NewResync { sweep, serial, slot, profiles, said, before_ms, plan, trial } = new;
            for (profile, seconds) in said {
                say_timeout(tx, &serial, profile, seconds, &stamp)?;
            }
            tx.prepare_cached(
                "INSERT INTO jobs (batch, position, state, moved_at, facts, drift_before_ms)
                 VALUES (?1, ?2, 'queued', ?3, '{}', ?4)",
            )?
            .execute(params![sweep, batches::next_position(tx, sweep)?, stamp.now, before_ms])?;
            let id = JobId(tx.last_insert_rowid());
            for profile in &profiles {
                let copied = tx
                    .prepare_cached(
                        "INSERT INTO job_entries (job, profile, seed, parameters, title, display_timeout_s, touch)
                         SELECT ?1, m.profile, m.seed, m.parameters, m.title,
                             coalesce(e.display_timeout_s, m.display_timeout_s), coalesce(e.touch, 0)
                         FROM mappings m LEFT JOIN job_entries e ON e.job = m.job AND e.profile = m.profile
                         WHERE m.serial = ?2 AND m.profile = ?3 AND m.ended_at IS NULL",
                    )?
                    .execute(params![id, serial, profile])?;
                if copied != 1 {
                    let error = format!("profile {profile} of token {serial} holds nothing on record");
                    return Err(StoreError::Rule(error).into());
                }
            }
            let job = queue::claim(tx, id, &serial, &slot, &plan, &stamp)?;
            note(tx, &job, SweptOutcome::Unfinished, None, &stamp)?;
            let attempt = attempts::insert(tx, &serial, trial, Some(job.batch), &stamp)?;
            Ok((job, attempt))
        })
    }

    /// The clock of the job's token was set: job, clock and proof are recorded at once. What the token holds is what it
    /// held.
    pub fn resynced(&self, done: ResyncDone, stamp: &Stamp) -> Result<JobRecord, MoveRefused> {
        let stamp = stamp.clone();
        self.write(move |tx| {
            let job = queue::finish(tx, done.job, &done.serial, &done.entries, &stamp)?;
            let after_ms = done.reading.map(|reading| reading.drift_ms);
            let weakest: Option<Proof> = done.entries.iter().map(|entry| entry.proof).min();
            tx.execute(
                "UPDATE jobs SET proof = ?2, drift_after_ms = ?3 WHERE id = ?1",
                params![job.id, weakest, after_ms],
            )?;
            if done.rewrote {
                done.entries.iter().try_for_each(|entry| prove_again(tx, &done.serial, entry, &stamp))?;
            }
            // Before the reading, which belongs to what was set.
            drift::insert_setting(tx, &done.serial, ClockSetBy::Resync, &stamp)?;
            if let Some(reading) = done.reading {
                clock::insert_reading(tx, &done.serial, reading, stamp.now, &stamp)?;
            }
            let job = rows::job(tx, job.id)?.ok_or(MoveRefused::NoJob)?;
            note(tx, &job, SweptOutcome::Set, None, &stamp)?;
            let detail = json!({
                "job": job.id,
                "batch": job.batch_name,
                "slot": job.slot,
                "profiles": done.entries.iter().map(|entry| entry.profile).collect::<Vec<_>>(),
                "seeds_written": done.rewrote,
                "drift_before_ms": job.drift_before_ms,
                "drift_ms": after_ms,
                "clock_override": done.clock_override,
            });
            audit::append(tx, &stamp, "clock set", Some(&done.serial), &detail)?;
            batches::settle(tx, job.batch, &stamp)?;
            Ok(job)
        })
    }

    /// The last key that a token took, since it was last reset.
    pub fn key_taken(&self, serial: &Serial) -> Result<Option<Fingerprint>, StoreError> {
        self.read(|c| {
            Ok(c.prepare_cached(
                "SELECT a.key FROM attempts a JOIN tokens t ON t.serial = a.serial
                 WHERE a.serial = ?1 AND a.outcome = 'accepted' AND a.at > coalesce(t.reset_at, -1)
                 ORDER BY a.id DESC LIMIT 1",
            )?
            .query_row([serial], |row| row.get(0))
            .optional()?)
        })
    }
}

/// A person said how long the display of a token stays on.
fn say_timeout(
    tx: &Transaction<'_>,
    serial: &Serial,
    profile: Profile,
    seconds: u16,
    stamp: &Stamp,
) -> rusqlite::Result<()> {
    let is_news = tx
        .prepare_cached(
            "UPDATE mappings SET display_timeout_s = ?3
             WHERE serial = ?1 AND profile = ?2 AND ended_at IS NULL AND display_timeout_s IS NOT ?3",
        )?
        .execute(params![serial, profile, seconds])?
        > 0;
    if is_news {
        let detail = json!({ "profile": profile, "seconds": seconds });
        audit::append(tx, stamp, "display timeout said", Some(serial), &detail)?;
    }
    Ok(())
}

/// A seed that was written again is proven by that writing; what was proven before was proven of the writing before.
fn prove_again(
    tx: &Transaction<'_>,
    serial: &Serial,
    entry: &EntryDone,
    stamp: &Stamp,
) -> Result<(), MoveRefused> {
    let job: Option<JobId> = tx
        .query_row(
            "UPDATE mappings SET proof = ?3, proof_at = ?4, proof_detail = ?5
             WHERE serial = ?1 AND profile = ?2 AND ended_at IS NULL RETURNING job",
            params![serial, entry.profile, entry.proof, stamp.now, entry.detail],
            |row| row.get(0),
        )
        .optional()?
        .ok_or(MoveRefused::OtherEntries(entry.profile))?;
    job.map_or(Ok(()), |job| Ok(queue::weigh_proof(tx, job)?))
}

/// Notes on a sweep what became of the token of one of its jobs. Jobs that burn have nothing to note.
pub(super) fn note(
    tx: &Transaction<'_>,
    job: &JobRecord,
    outcome: SweptOutcome,
    reason: Option<&str>,
    stamp: &Stamp,
) -> rusqlite::Result<()> {
    let Some(serial) = job.serial.as_ref().filter(|_| job.kind == super::JobKind::Resync) else {
        return Ok(());
    };
    tx.prepare_cached(
        "INSERT OR REPLACE INTO resyncs (batch, serial, at, before_ms, after_ms, outcome, reason, job)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        job.batch,
        serial,
        stamp.now,
        job.drift_before_ms,
        job.drift_after_ms,
        outcome,
        reason,
        job.id
    ])?;
    Ok(())
}

/// What a batch sweeps, and how far it is; `None` for one that burns. `sweep` is its column.
pub(super) fn tally(
    connection: &Connection,
    id: BatchId,
    sweep: Option<Sweep>,
) -> rusqlite::Result<Option<(Sweep, SweptCounts)>> {
    let Some(sweep) = sweep else { return Ok(None) };
    let mut counts = SweptCounts::default();
    let mut statement = connection
        .prepare_cached("SELECT outcome, count(*) FROM resyncs WHERE batch = ?1 GROUP BY outcome")?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        *counts.of_mut(row.get(0)?) = rows::count(row, 1)?;
    }
    Ok(Some((sweep, counts)))
}

/// A batch's sweep; `None` for one that burns.
pub(super) fn sweep_of(connection: &Connection, id: BatchId) -> rusqlite::Result<Option<Sweep>> {
    connection
        .prepare_cached("SELECT sweep FROM batches WHERE id = ?1")?
        .query_row([id], |row| column(row, 0))
}

/// A column with a sweep, which may be empty.
pub(super) fn column(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Sweep>> {
    match row.get_ref(at)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => rows::json(row, at).map(Some),
    }
}

/// Whether a sweep has nothing left to do: every token that it names has its clock right. One that names none waits for
/// whichever comes, until a person ends it.
pub(super) fn is_done(tx: &Transaction<'_>, id: BatchId, sweep: &Sweep) -> rusqlite::Result<bool> {
    let mut statement = tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM resyncs WHERE batch = ?1 AND serial = ?2 AND outcome IN ('set', 'right'))",
    )?;
    for serial in &sweep.serials {
        if !statement.query_row(params![id, serial], |row| row.get::<_, bool>(0))? {
            return Ok(false);
        }
    }
    Ok(!sweep.serials.is_empty())
}

/// A token was reset: what was begun to set its clock has nothing to go on with.
pub(super) fn end_begun(tx: &Transaction<'_>, serial: &Serial, stamp: &Stamp) -> rusqlite::Result<()> {
    let begun =
        rows::jobs(tx, "WHERE j.serial = ?1 AND j.state = 'unfinished' AND b.sweep IS NOT NULL", [serial])?;
    for job in begun {
        if let Ok(next @ JobState::Scrapped) = job.state.after(JobEvent::Scrap) {
            let reason = "its token was reset";
            queue::shift(tx, &job, next, Some(reason), stamp)?;
            note(tx, &job, SweptOutcome::Failed, Some(reason), stamp)?;
        }
    }
    Ok(())
}

const SWEPT: &str = "SELECT serial, at, before_ms, after_ms, outcome, reason, job FROM resyncs";

fn swept_row(row: &Row<'_>) -> rusqlite::Result<Swept> {
    Ok(Swept {
        serial: row.get(0)?,
        at: row.get(1)?,
        before_ms: row.get(2)?,
        after_ms: row.get(3)?,
        outcome: row.get(4)?,
        reason: row.get(5)?,
        job: row.get(6)?,
    })
}
