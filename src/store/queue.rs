//! The queue: which job a token gets, and every move of a job. Where a job may go is [`JobState::after`]'s to say;
//! here it is looked up, obeyed and recorded.

use super::{
    AttemptId, BatchState, BurnDone, ClaimRefused, EntryDone, JobFilter, JobId, JobKind, JobRecord, Listed,
    MoveRefused, Page, Stamp, Store, StoreError, Trial, attempts, audit,
    batches::{self, PROOF_RANK, ranked},
    clock, drift,
    rows::{self, count, to_count, to_json},
    sweeps, tokens,
};
use crate::domain::{ClockSetBy, JobEvent, JobState, Profile, Proof, Serial, SlotName, SweptOutcome};
use rusqlite::{
    Connection, OptionalExtension, Transaction, params, params_from_iter,
    types::{ToSql, Value},
};
use serde_json::json;

/// Of a batch (`b`): the token (`?1`) was not burned in it.
const NOT_BURNED_HERE: &str = "NOT EXISTS (SELECT 1 FROM jobs o WHERE o.serial = ?1 AND o.batch = b.id
    AND o.state = 'burned')";

impl Store {
    /// What a start finds: every claimed job becomes unfinished (its token may or may not hold the seed), every
    /// attempt without an answer becomes unknown. Returns those jobs. Call it once, before any claim.
    pub fn recover(&self, stamp: &Stamp) -> Result<Vec<JobRecord>, StoreError> {
        let stamp = stamp.clone();
        self.write(move |tx| {
            tx.execute(
                "UPDATE attempts SET outcome = 'unknown', settled_at = ?1 WHERE outcome = 'made'",
                [stamp.now],
            )?;
            let mut recovered = Vec::new();
            for state in JobState::ALL {
                let after = state.after_restart();
                if after == state {
                    continue;
                }
                for job in begun(tx, state)? {
                    let reason = match job.kind {
                        JobKind::Burn => "the station stopped during the burn",
                        JobKind::Resync => "the station stopped while the clock was being set",
                    };
                    doubt(tx, &job, after, reason, &stamp)?;
                    recovered.push(job.id);
                }
            }
            let jobs = recovered.into_iter().filter_map(|id| rows::job(tx, id).transpose());
            Ok(jobs.collect::<Result<_, _>>()?)
        })
    }

    /// The job that a token of this serial and model would get: its own, else a free one.
    pub fn next_job(
        &self,
        serial: &Serial,
        model: &str,
        fits: impl FnMut(&JobRecord) -> bool,
    ) -> Result<Option<JobRecord>, StoreError> {
        match self.own_job(serial, model)? {
            Some(own) => Ok(Some(own)),
            None => self.free_job(serial, model, fits),
        }
    }

    /// The job that is this token's and no other's: the one it has begun, else one reserved for it, by its batch's
    /// priority, then by age and position. Reserved jobs come from running batches only, and not from one that this token
    /// was burned in. A job that was begun is named whatever its batch's state, so that the reason for waiting can be
    /// said.
    pub fn own_job(&self, serial: &Serial, model: &str) -> Result<Option<JobRecord>, StoreError> {
        self.read(|c| {
            let begun =
                rows::jobs(c, "WHERE j.serial = ?1 AND j.state IN ('claimed', 'unfinished')", [serial])?;
            if let Some(job) = begun.into_iter().next() {
                return Ok(Some(job));
            }
            if tokens::is_scrapped(c, serial)? {
                return Ok(None);
            }
            let reserved = rows::jobs(
                c,
                &format!(
                    "WHERE j.reserved = ?1 AND j.state = 'queued' AND b.state = 'running'
                     AND (j.model IS NULL OR j.model = ?2) AND {NOT_BURNED_HERE}
                     ORDER BY b.priority DESC, b.id, j.position LIMIT 1"
                ),
                params![serial, model],
            )?;
            Ok(reserved.into_iter().next())
        })
    }

    /// The next free job whose model fits, by its batch's priority, then by age and position, likewise. Those that do not
    /// `fit` the token are passed over: a file may hold seeds for several kinds of token and not say which is for which.
    pub fn free_job(
        &self,
        serial: &Serial,
        model: &str,
        mut fits: impl FnMut(&JobRecord) -> bool,
    ) -> Result<Option<JobRecord>, StoreError> {
        self.read(|c| {
            if tokens::is_scrapped(c, serial)? {
                return Ok(None);
            }
            let running: Vec<i64> = c
                .prepare_cached(&format!(
                    "SELECT b.id FROM batches b WHERE b.state = 'running' AND {NOT_BURNED_HERE}
                     ORDER BY b.priority DESC, b.id"
                ))?
                .query_map([serial], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for batch in running {
                let mut after = -1;
                while let Some(job) = next_free(c, batch, model, after)? {
                    if fits(&job) {
                        return Ok(Some(job));
                    }
                    after = to_count(job.position);
                }
            }
            Ok(None)
        })
    }

    /// Gives a job to a token on a slot, before the first command that could change the token. From here on its seeds
    /// are bound to this serial. `plan` says in words what is about to be written. Of several callers one gets the
    /// job, the others [`ClaimRefused::Taken`].
    pub fn claim(
        &self,
        job: JobId,
        serial: &Serial,
        slot: &SlotName,
        plan: &str,
        stamp: &Stamp,
    ) -> Result<JobRecord, ClaimRefused> {
        let (serial, slot, plan, stamp) = (serial.clone(), slot.clone(), plan.to_owned(), stamp.clone());
        self.write(move |tx| claim(tx, job, &serial, &slot, &plan, &stamp))
    }

    /// The same, and that a key is about to be shown to the token: one act, since one follows the other at once and
    /// both must be durable before the token hears of either.
    pub fn claim_to_try(
        &self,
        job: JobId,
        serial: &Serial,
        slot: &SlotName,
        plan: &str,
        trial: Trial,
        stamp: &Stamp,
    ) -> Result<(JobRecord, AttemptId), ClaimRefused> {
        let (serial, slot, plan, stamp) = (serial.clone(), slot.clone(), plan.to_owned(), stamp.clone());
        self.write(move |tx| {
            let job = claim(tx, job, &serial, &slot, &plan, &stamp)?;
            let attempt = attempts::insert(tx, &serial, trial, Some(job.batch), &stamp)?;
            Ok((job, attempt))
        })
    }

    /// The same for a token that was looked into before, on which the job's profiles get other numbers: `moved` says
    /// which became which. A job that was begun keeps its numbers, and none of them may be moved.
    pub fn claim_numbered(
        &self,
        job: JobId,
        serial: &Serial,
        slot: &SlotName,
        plan: &str,
        moved: &[(Profile, Profile)],
        stamp: &Stamp,
    ) -> Result<JobRecord, ClaimRefused> {
        let (serial, slot, plan, stamp) = (serial.clone(), slot.clone(), plan.to_owned(), stamp.clone());
        let moved = moved.to_vec();
        self.write(move |tx| {
            if !moved.is_empty() {
                let record = rows::job(tx, job)?.ok_or(ClaimRefused::NoJob)?;
                if record.state != JobState::Queued {
                    return Err(
                        StoreError::Rule(format!("the profiles of job {job} have their numbers")).into()
                    );
                }
                renumber(tx, job, &moved)?;
            }
            claim(tx, job, &serial, &slot, &plan, &stamp)
        })
    }

    /// The burn broke off, and something may have been written: the job waits for its token.
    pub fn interrupted(&self, job: JobId, reason: &str, stamp: &Stamp) -> Result<JobRecord, MoveRefused> {
        let (reason, stamp) = (reason.to_owned(), stamp.clone());
        self.write(move |tx| {
            let job = rows::job(tx, job)?.ok_or(MoveRefused::NoJob)?;
            let next = job.state.after(JobEvent::Interrupt)?;
            doubt(tx, &job, next, &reason, &stamp)?;
            rows::job(tx, job.id)?.ok_or(MoveRefused::NoJob)
        })
    }

    /// The burn ended before anything was written: its seeds are free again. Refused where an earlier burn of the job
    /// broke off, since then nobody can say so.
    pub fn failed(&self, job: JobId, reason: &str, stamp: &Stamp) -> Result<JobRecord, MoveRefused> {
        let (reason, stamp) = (reason.to_owned(), stamp.clone());
        self.write(move |tx| {
            let job = rows::job(tx, job)?.ok_or(MoveRefused::NoJob)?;
            let next = job.state.after(JobEvent::GiveUp)?;
            if job.may_hold_seed {
                return Err(MoveRefused::MayHoldSeed);
            }
            tx.execute(
                "UPDATE seeds SET state = 'free', bound_to = NULL
                 WHERE state = 'bound' AND id IN (SELECT seed FROM job_entries WHERE job = ?1)",
                [job.id],
            )?;
            shift(tx, &job, next, Some(&reason), &stamp)?;
            sweeps::note(tx, &job, SweptOutcome::Failed, Some(&reason), &stamp)?;
            batches::settle(tx, job.batch, &stamp)?;
            rows::job(tx, job.id)?.ok_or(MoveRefused::NoJob)
        })
    }

    /// Calls off one job that was not begun, or that failed; its seeds may be imported again.
    pub fn cancel_job(&self, job: JobId, stamp: &Stamp) -> Result<JobRecord, MoveRefused> {
        let stamp = stamp.clone();
        self.write(move |tx| {
            let job = rows::job(tx, job)?.ok_or(MoveRefused::NoJob)?;
            let next = job.state.after(JobEvent::Cancel)?;
            tx.execute(
                "UPDATE seeds SET state = 'dropped'
                 WHERE state = 'free' AND id IN (SELECT seed FROM job_entries WHERE job = ?1)",
                [job.id],
            )?;
            shift(tx, &job, next, None, &stamp)?;
            batches::settle(tx, job.batch, &stamp)?;
            rows::job(tx, job.id)?.ok_or(MoveRefused::NoJob)
        })
    }

    /// The burn came to its end: job, what the token holds now, proof and the token's clock are recorded at once. What
    /// the profiles held before is closed as replaced and its seeds are retired.
    pub fn burned(&self, done: BurnDone, stamp: &Stamp) -> Result<JobRecord, MoveRefused> {
        let stamp = stamp.clone();
        self.write(move |tx| {
            let job = finish(tx, done.job, &done.serial, &done.entries, &stamp)?;
            for entry in &done.entries {
                record_mapping(tx, &job, &done, entry, &stamp)?;
            }
            weigh_proof(tx, job.id)?;
            if wants_eyes(tx, &job, &done)? {
                tx.execute("UPDATE jobs SET wants_eyes = 1 WHERE id = ?1", [job.id])?;
            }
            // Before the reading, which belongs to what was set.
            drift::insert_setting(tx, &done.serial, ClockSetBy::Burn, &stamp)?;
            if let Some(reading) = done.reading {
                clock::insert_reading(tx, &done.serial, reading, stamp.now, &stamp)?;
            }
            let proofs: Vec<_> = done
                .entries
                .iter()
                .map(|entry| {
                    json!({ "profile": entry.profile, "proof": entry.proof.word(), "detail": entry.detail })
                })
                .collect();
            let detail = json!({
                "job": job.id,
                "batch": job.batch_name,
                "slot": job.slot,
                "proofs": proofs,
                "drift_ms": done.reading.map(|reading| reading.drift_ms),
                "clock_override": done.clock_override,
            });
            audit::append(tx, &stamp, "token burned", Some(&done.serial), &detail)?;
            batches::settle(tx, job.batch, &stamp)?;
            rows::job(tx, job.id)?.ok_or(MoveRefused::NoJob)
        })
    }

    /// The job whose burn broke off last on this slot, if it has not gone on since.
    pub fn unfinished_at(&self, slot: &SlotName) -> Result<Option<JobRecord>, StoreError> {
        self.read(|c| {
            // The first condition is that of the small index over begun jobs: idle slots ask this all the time.
            let of_slot =
                "WHERE j.state IN ('claimed', 'unfinished') AND j.state = 'unfinished' AND j.slot = ?1
                 ORDER BY j.moved_at DESC LIMIT 1";
            Ok(rows::jobs(c, of_slot, [slot])?.pop())
        })
    }

    /// The job with that id.
    pub fn job(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.read(|c| Ok(rows::job(c, id)?))
    }

    /// What is next in a batch: the jobs that tokens hold, then the queued ones, at most `limit` in all, by position.
    pub fn queue(&self, batch: super::BatchId, limit: u32) -> Result<Vec<JobRecord>, StoreError> {
        self.read(|c| {
            let mut jobs = rows::jobs(
                c,
                "WHERE j.id IN (SELECT id FROM jobs INDEXED BY jobs_at_once
                     WHERE state IN ('claimed', 'unfinished') AND batch = ?1 ORDER BY position LIMIT ?2)
                 ORDER BY j.position",
                params![batch, limit],
            )?;
            let left = limit.saturating_sub(u32::try_from(jobs.len()).unwrap_or(u32::MAX));
            jobs.extend(rows::jobs(
                c,
                "WHERE j.batch = ?1 AND j.state = 'queued' ORDER BY j.position LIMIT ?2",
                params![batch, left],
            )?);
            jobs.sort_by_key(|job| job.position);
            Ok(jobs)
        })
    }

    /// The jobs of a batch that pass `filter`, by position.
    pub fn jobs(
        &self,
        batch: super::BatchId,
        filter: &JobFilter,
        page: Page,
    ) -> Result<Listed<JobRecord>, StoreError> {
        let mut wanted = "WHERE j.batch = ?".to_owned();
        let mut values: Vec<Value> = vec![Value::Integer(batch.0)];
        if !filter.states.is_empty() {
            wanted += &format!(" AND j.state IN ({})", vec!["?"; filter.states.len()].join(", "));
            values.extend(filter.states.iter().map(|state| Value::Text(state.word().to_owned())));
        }
        if let Some(text) = &filter.text {
            wanted += " AND instr(lower(coalesce(j.serial, '') || ' ' || coalesce(j.reserved, '') || ' '
                 || coalesce(j.upn, '')), lower(?)) > 0";
            values.push(Value::Text(text.clone()));
        }
        self.read(|c| {
            let total = c
                .prepare_cached(&format!("SELECT count(*) FROM jobs j {wanted}"))?
                .query_row(params_from_iter(&values), |row| count(row, 0))?;
            let bounds: [&dyn ToSql; 2] = [&page.limit, &to_count(page.offset)];
            let all = values.iter().map(|value| value as &dyn ToSql).chain(bounds);
            let items = rows::jobs(
                c,
                &format!("{wanted} ORDER BY j.position LIMIT ? OFFSET ?"),
                params_from_iter(all),
            )?;
            Ok(Listed { items, total })
        })
    }
}

/// The free job of a batch that comes first after a position, for a token of this model.
fn next_free(
    connection: &Connection,
    batch: i64,
    model: &str,
    after: i64,
) -> rusqlite::Result<Option<JobRecord>> {
    let free = rows::jobs(
        connection,
        // Named, since the planner can't know how many queued jobs are reserved.
        "WHERE j.id = (SELECT id FROM jobs INDEXED BY jobs_free
             WHERE batch = ?1 AND position > ?3 AND state = 'queued' AND reserved IS NULL
                 AND (model IS NULL OR model = ?2) ORDER BY position LIMIT 1)",
        params![batch, model, after],
    )?;
    Ok(free.into_iter().next())
}

/// The jobs in one of the two states in which a token holds them.
fn begun(connection: &Connection, state: JobState) -> rusqlite::Result<Vec<JobRecord>> {
    // Named, since the planner can't know that there are few.
    rows::jobs(
        connection,
        "WHERE j.id IN (SELECT id FROM jobs INDEXED BY jobs_at_once
             WHERE state IN ('claimed', 'unfinished') AND state = ?1) ORDER BY j.id",
        [state],
    )
}

fn may_claim(tx: &Transaction<'_>, job: &JobRecord, serial: &Serial) -> Result<JobState, ClaimRefused> {
    let next = job.state.after(JobEvent::Claim).map_err(ClaimRefused::Taken)?;
    if let Some(owner) = job.serial.as_ref().or(job.reserved.as_ref()).filter(|owner| *owner != serial) {
        return Err(ClaimRefused::OtherSerial(owner.clone()));
    }
    match (job.batch_state, job.state) {
        (BatchState::Running, _) => {}
        // What was begun in a batch that was called off later is still brought to its end.
        (BatchState::Cancelled | BatchState::Done, JobState::Unfinished) => {}
        (state, _) => return Err(ClaimRefused::BatchNotRunning(state)),
    }
    if tokens::is_scrapped(tx, serial)? {
        return Err(ClaimRefused::TokenScrapped(serial.clone()));
    }
    let other: Option<JobState> = tx
        .prepare_cached(
            "SELECT state FROM jobs WHERE serial = ?1 AND id <> ?2
             AND (state IN ('claimed', 'unfinished') OR (state = 'burned' AND batch = ?3))
             ORDER BY state = 'burned' LIMIT 1",
        )?
        .query_row(params![serial, job.id, job.batch], |row| row.get(0))
        .optional()?;
    match other {
        None => Ok(next),
        Some(JobState::Burned) => Err(ClaimRefused::AlreadyBurned(serial.clone())),
        Some(_) => Err(ClaimRefused::SerialBusy(serial.clone())),
    }
}

/// Moves a job and says so in the audit log.
pub(super) fn shift(
    tx: &Transaction<'_>,
    job: &JobRecord,
    next: JobState,
    reason: Option<&str>,
    stamp: &Stamp,
) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE jobs SET state = ?2, reason = ?3, moved_at = ?4 WHERE id = ?1")?
        .execute(params![job.id, next, reason, stamp.now])?;
    let detail = json!({ "job": job.id, "batch": job.batch_name, "slot": job.slot, "reason": reason });
    audit::append(tx, stamp, &format!("job {next}"), job.serial.as_ref(), &detail)
}

/// Moves a job whose token may hold a seed of it from now on.
fn doubt(
    tx: &Transaction<'_>,
    job: &JobRecord,
    next: JobState,
    reason: &str,
    stamp: &Stamp,
) -> rusqlite::Result<()> {
    tx.execute("UPDATE jobs SET may_hold_seed = 1 WHERE id = ?1", [job.id])?;
    sweeps::note(tx, job, SweptOutcome::Unfinished, Some(reason), stamp)?;
    shift(tx, job, next, Some(reason), stamp)
}

/// Moves a job's profiles to other numbers, by way of numbers that no profile has: they may change places.
fn renumber(tx: &Transaction<'_>, job: JobId, moved: &[(Profile, Profile)]) -> rusqlite::Result<()> {
    const ASIDE: i64 = 1000;
    let mut update =
        tx.prepare_cached("UPDATE job_entries SET profile = ?3 WHERE job = ?1 AND profile = ?2")?;
    for (from, to) in moved {
        update.execute(params![job, from, ASIDE + i64::from(to.number())])?;
    }
    for (_, to) in moved {
        update.execute(params![job, ASIDE + i64::from(to.number()), to])?;
    }
    Ok(())
}

/// Gives a job to a token. Its seeds become the token's, or, where its clock alone is to be set, must be so already.
pub(super) fn claim(
    tx: &Transaction<'_>,
    job: JobId,
    serial: &Serial,
    slot: &SlotName,
    plan: &str,
    stamp: &Stamp,
) -> Result<JobRecord, ClaimRefused> {
    let job = rows::job(tx, job)?.ok_or(ClaimRefused::NoJob)?;
    let next = may_claim(tx, &job, serial)?;
    tokens::meet(tx, serial, None, stamp)?;
    let bind = match job.kind {
        JobKind::Burn => {
            "UPDATE seeds SET state = 'bound', bound_to = ?2
             WHERE id IN (SELECT seed FROM job_entries WHERE job = ?1)
                 AND (state = 'free' OR (state = 'bound' AND bound_to = ?2))"
        }
        JobKind::Resync => {
            "UPDATE seeds SET state = 'on-token' WHERE id IN (SELECT seed FROM job_entries WHERE job = ?1)
                 AND state = 'on-token' AND bound_to = ?2"
        }
    };
    let bound = tx.prepare_cached(bind)?.execute(params![job.id, serial])?;
    if bound != job.entries.len() {
        let is_not = match job.kind {
            JobKind::Burn => "free",
            JobKind::Resync => "the token's any more",
        };
        return Err(StoreError::Rule(format!("a seed of job {} is not {is_not}", job.id)).into());
    }
    tx.execute(
        "UPDATE jobs SET state = ?2, serial = ?3, slot = ?4, plan = ?5, reason = NULL, moved_at = ?6
         WHERE id = ?1",
        params![job.id, next, serial, slot, plan, stamp.now],
    )?;
    let seeds: Vec<_> = job.entries.iter().map(|entry| entry.seed).collect();
    let detail =
        json!({ "job": job.id, "batch": job.batch_name, "slot": slot, "seeds": seeds, "plan": plan });
    audit::append(tx, stamp, "job claimed", Some(serial), &detail)?;
    rows::job(tx, job.id)?.ok_or(ClaimRefused::NoJob)
}

/// Whether this token, burned just now, is one of those that a person should prove.
fn wants_eyes(tx: &Transaction<'_>, job: &JobRecord, done: &BurnDone) -> rusqlite::Result<bool> {
    let only_written = done.entries.iter().any(|entry| entry.proof == Proof::Written);
    let nth: u32 = tx
        .prepare_cached(
            "SELECT coalesce(sum(jobs), 0) FROM tallies WHERE batch = ?1 AND state IN ('burned', 'scrapped')",
        )?
        .query_row([job.batch], |row| row.get(0))?;
    Ok(only_written && done.seen.wants(nth))
}

/// Notes on a job the weakest proof of what it put on its token.
pub(super) fn weigh_proof(tx: &Transaction<'_>, job: JobId) -> rusqlite::Result<()> {
    let weakest: Option<u64> = tx
        .prepare_cached(&format!("SELECT min({PROOF_RANK}) FROM mappings m WHERE m.job = ?1"))?
        .query_row([job], |row| row.get::<_, Option<u8>>(0))?
        .map(u64::from);
    tx.prepare_cached("UPDATE jobs SET proof = ?2 WHERE id = ?1")?
        .execute(params![job, weakest.and_then(ranked)])?;
    Ok(())
}

/// Moves a job to its good end on the token that claimed it; `done` must be each of its profiles, once. The job as it was.
pub(super) fn finish(
    tx: &Transaction<'_>,
    job: JobId,
    serial: &Serial,
    done: &[EntryDone],
    stamp: &Stamp,
) -> Result<JobRecord, MoveRefused> {
    let job = rows::job(tx, job)?.ok_or(MoveRefused::NoJob)?;
    let next = job.state.after(JobEvent::Finish)?;
    if let Some(claimed_by) = job.serial.as_ref().filter(|claimed_by| *claimed_by != serial) {
        return Err(MoveRefused::OtherSerial(claimed_by.clone()));
    }
    check_entries(&job, done)?;
    shift(tx, &job, next, None, stamp)?;
    Ok(job)
}

fn check_entries(job: &JobRecord, done: &[EntryDone]) -> Result<(), MoveRefused> {
    let of_job = |entry: &EntryDone| job.entries.iter().any(|one| one.profile == entry.profile);
    if let Some(stray) = done.iter().find(|entry| !of_job(entry)) {
        return Err(MoveRefused::OtherEntries(stray.profile));
    }
    for entry in &job.entries {
        if done.iter().filter(|one| one.profile == entry.profile).count() != 1 {
            return Err(MoveRefused::OtherEntries(entry.profile));
        }
    }
    Ok(())
}

fn record_mapping(
    tx: &Transaction<'_>,
    job: &JobRecord,
    done: &BurnDone,
    entry: &EntryDone,
    stamp: &Stamp,
) -> Result<(), MoveRefused> {
    let asked = job
        .entries
        .iter()
        .find(|one| one.profile == entry.profile)
        .ok_or(MoveRefused::OtherEntries(entry.profile))?;
    let facts = asked.facts.as_ref().unwrap_or(&job.facts);
    tokens::end_mapping(tx, &done.serial, entry.profile, asked.seed, stamp)?;
    tx.execute("UPDATE seeds SET state = 'on-token' WHERE id = ?1", [asked.seed])?;
    tx.prepare_cached(
        "INSERT INTO mappings (serial, profile, seed, parameters, title, origin, job, clock_override, upn, facts,
             since, proof, proof_at, proof_detail)
         VALUES (?1, ?2, ?3, ?4, ?5, 'burned', ?6, ?7, ?8, ?9, ?10, ?11, ?10, ?12)",
    )?
    .execute(params![
        done.serial,
        entry.profile,
        asked.seed,
        to_json(&asked.parameters),
        asked.title,
        job.id,
        done.clock_override,
        facts.upn,
        to_json(facts),
        stamp.now,
        entry.proof,
        entry.detail
    ])?;
    Ok(())
}

/// Whether some job is being burned onto this token now.
pub(super) fn is_claimed(connection: &Connection, serial: &Serial) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE serial = ?1 AND state = 'claimed')",
        [serial],
        |row| row.get(0),
    )
}
