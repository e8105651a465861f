//! Taking seeds on record: all of an import in one transaction, or nothing of it.

use super::{
    BatchId, BatchState, Duplicate, DuplicateOf, Existing, ImportDone, ImportInto, ImportRefused, JobId,
    NewBatch, NewEntry, NewJob, NewSeed, Reserve, SeedState, SourceFile, Stamp, Store, audit, batches,
    holders, rows::to_json, sweeps, tokens,
};
use crate::{
    domain::{ClockState, JobState, Profile, Serial, Touch, UnixMillis},
    vault::Fingerprint,
};
use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::json;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

impl Store {
    /// Takes `jobs` on record: to be burned, or as what the tokens were delivered with. Either all of them are, or
    /// none: then the error names every collision, not only the first. `source` is the file they came from.
    pub fn import(
        &self,
        into: ImportInto,
        jobs: Vec<NewJob>,
        source: Option<SourceFile>,
        stamp: &Stamp,
    ) -> Result<ImportDone, ImportRefused> {
        let stamp = stamp.clone();
        self.write(move |tx| {
            check_shape(&into, &jobs)?;
            let batch = destination(tx, &into, &stamp)?;
            let duplicates = duplicates(tx, batch, &jobs)?;
            if !duplicates.is_empty() {
                return Err(ImportRefused::Duplicates(duplicates));
            }
            match batch {
                Some(batch) => {
                    let first = batches::next_position(tx, batch)?;
                    for (position, job) in (first..).zip(&jobs) {
                        insert_job(tx, batch, position, job, &stamp)?;
                    }
                }
                None => jobs.iter().try_for_each(|job| insert_delivered(tx, job, &stamp))?,
            }
            let seeds = jobs.iter().map(|job| job.entries.len()).sum();
            record(tx, batch, jobs.len(), seeds, source.as_ref(), &stamp)?;
            Ok(ImportDone { batch, jobs: jobs.len(), seeds })
        })
    }

    /// Whether [`Store::import`] would take `jobs`; records nothing. The jobs are shared, not taken: what collides is
    /// named by index, and the caller may leave it out.
    pub fn check_import(&self, into: &ImportInto, jobs: &Arc<Vec<NewJob>>) -> Result<(), ImportRefused> {
        let (into, jobs) = (into.clone(), Arc::clone(jobs));
        // Nobody is recorded: all of it is rolled back.
        let stamp = Stamp::new(UnixMillis(0), String::new(), ClockState::Simulated);
        self.write(move |tx| {
            tx.execute_batch("SAVEPOINT look")?;
            let looked = check_shape(&into, &jobs)
                .and_then(|()| destination(tx, &into, &stamp))
                .and_then(|batch| duplicates(tx, batch, &jobs));
            tx.execute_batch("ROLLBACK TO look; RELEASE look")?;
            match looked? {
                none if none.is_empty() => Ok(()),
                some => Err(ImportRefused::Duplicates(some)),
            }
        })
    }
}

fn check_shape(into: &ImportInto, jobs: &[NewJob]) -> Result<(), ImportRefused> {
    for (at, job) in jobs.iter().enumerate() {
        let mut profiles = HashSet::new();
        if job.entries.is_empty() || !job.entries.iter().all(|entry| profiles.insert(entry.profile)) {
            return Err(ImportRefused::BadEntries { job: at });
        }
        if matches!(into, ImportInto::Inventory) && job.reserved.is_none() {
            return Err(ImportRefused::NoSerial { job: at });
        }
    }
    Ok(())
}

/// The batch that the jobs go to, made if it is to be; `None` for the inventory.
fn destination(
    tx: &Transaction<'_>,
    into: &ImportInto,
    stamp: &Stamp,
) -> Result<Option<BatchId>, ImportRefused> {
    match into {
        ImportInto::Inventory => Ok(None),
        ImportInto::NewBatch(batch) => make_batch(tx, batch, stamp).map(Some),
        ImportInto::Batch(name) => {
            let Some((id, state)) = batches::find(tx, name)? else {
                return Err(ImportRefused::NoBatch(name.clone()));
            };
            if sweeps::sweep_of(tx, id)?.is_some() {
                return Err(ImportRefused::Sweep(name.clone()));
            }
            match state {
                BatchState::Cancelled => return Err(ImportRefused::BatchCancelled(name.clone())),
                // A batch that had come to its end does not go on by itself because a file was added.
                BatchState::Done => {
                    batches::set_state(tx, id, BatchState::Paused, Some("jobs were added"), stamp)?
                }
                BatchState::Draft | BatchState::Running | BatchState::Paused => {}
            }
            Ok(Some(id))
        }
    }
}

fn make_batch(tx: &Transaction<'_>, batch: &NewBatch, stamp: &Stamp) -> Result<BatchId, ImportRefused> {
    if batches::find(tx, &batch.name)?.is_some() {
        return Err(ImportRefused::BatchExists(batch.name.clone()));
    }
    if let Some(key) = &batch.key_name
        && holders::key(tx, key)?.is_none()
    {
        return Err(ImportRefused::NoKey(key.clone()));
    }
    Ok(batches::insert(tx, batch, stamp)?)
}

/// Every seed and serial of `jobs` that is on record already, or is there twice.
fn duplicates(
    tx: &Transaction<'_>,
    batch: Option<BatchId>,
    jobs: &[NewJob],
) -> Result<Vec<Duplicate>, ImportRefused> {
    let mut found = Vec::new();
    let mut seeds: HashMap<Fingerprint, usize> = HashMap::new();
    let mut serials: HashMap<(&Serial, Option<Profile>), usize> = HashMap::new();
    for (at, job) in jobs.iter().enumerate() {
        if let Some(serial) = &job.reserved {
            // A job has its token to itself; an inventory may tell of one token on several lines.
            let places: Vec<Option<Profile>> = match batch {
                Some(_) => vec![None],
                None => job.entries.iter().map(|entry| Some(entry.profile)).collect(),
            };
            for place in places {
                let existing = match serials.insert((serial, place), at) {
                    Some(earlier) => Some(Existing::SameImport(earlier)),
                    None => taken_serial(tx, batch, serial, place, job.reserve)?,
                };
                if let Some(existing) = existing {
                    found.push(Duplicate { job: at, of: DuplicateOf::Serial, existing });
                    break;
                }
            }
        }
        for entry in &job.entries {
            let existing = match seeds.insert(entry.seed.fingerprint, at) {
                Some(earlier) => Some(Existing::SameImport(earlier)),
                None => known_seed(tx, &entry.seed)?,
            };
            if let Some(existing) = existing {
                found.push(Duplicate { job: at, of: DuplicateOf::Seed(entry.profile), existing });
            }
        }
    }
    Ok(found)
}

fn known_seed(tx: &Transaction<'_>, seed: &NewSeed) -> rusqlite::Result<Option<Existing>> {
    let known: Option<(Option<Serial>, Option<String>)> = tx
        .prepare_cached(
            "SELECT s.bound_to, (
                 SELECT b.name FROM job_entries e JOIN jobs j ON j.id = e.job JOIN batches b ON b.id = j.batch
                 WHERE e.seed = s.id ORDER BY j.id DESC LIMIT 1
             ) FROM seeds s WHERE s.fingerprint = ?1 AND s.state <> 'dropped'",
        )?
        .query_row([seed.fingerprint], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(known.map(|(serial, batch)| match serial {
        Some(serial) => Existing::Token(serial),
        None => Existing::Batch(batch.unwrap_or_default()),
    }))
}

fn taken_serial(
    tx: &Transaction<'_>,
    batch: Option<BatchId>,
    serial: &Serial,
    place: Option<Profile>,
    reserve: Reserve,
) -> rusqlite::Result<Option<Existing>> {
    match batch {
        Some(batch) => {
            // What counts is decided here: a comparison with the batch inside makes SQLite plan each call anew.
            let mut statement = tx.prepare_cached(
                "SELECT b.name, j.batch, j.state, 1 FROM jobs j JOIN batches b ON b.id = j.batch
                 WHERE j.reserved = ?1
                 UNION ALL
                 SELECT b.name, j.batch, j.state, 0 FROM jobs j JOIN batches b ON b.id = j.batch
                 WHERE j.serial = ?1",
            )?;
            let mut rows = statement.query([serial])?;
            while let Some(row) = rows.next()? {
                let (of, state, is_reserved): (BatchId, JobState, bool) =
                    (row.get(1)?, row.get(2)?, row.get(3)?);
                let taken = (of == batch || reserve == Reserve::Alone)
                    && match state {
                        JobState::Claimed | JobState::Unfinished => true,
                        JobState::Queued | JobState::Failed => is_reserved,
                        JobState::Burned => of == batch,
                        JobState::Scrapped | JobState::Cancelled => false,
                    };
                if taken {
                    return Ok(Some(Existing::Batch(row.get(0)?)));
                }
            }
            Ok(None)
        }
        None => {
            let held = tx
                .prepare_cached(
                    "SELECT 1 FROM mappings WHERE serial = ?1 AND profile = ?2 AND ended_at IS NULL",
                )?
                .query_row(params![serial, place], |_| Ok(()))
                .optional()?;
            Ok(held.map(|()| Existing::Token(serial.clone())))
        }
    }
}

fn insert_job(
    tx: &Transaction<'_>,
    batch: BatchId,
    position: i64,
    job: &NewJob,
    stamp: &Stamp,
) -> rusqlite::Result<JobId> {
    tx.prepare_cached(
        "INSERT INTO jobs (batch, position, state, reserved, model, moved_at, upn, facts)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        batch,
        position,
        JobState::Queued,
        job.reserved,
        job.model,
        stamp.now,
        job.facts.upn,
        to_json(&job.facts)
    ])?;
    let id = JobId(tx.last_insert_rowid());
    for entry in &job.entries {
        insert_seed(tx, &entry.seed, SeedState::Free, None)?;
        insert_entry(tx, id, entry)?;
    }
    Ok(id)
}

fn insert_entry(tx: &Transaction<'_>, job: JobId, entry: &NewEntry) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO job_entries (job, profile, seed, parameters, title, display_timeout_s, touch, facts)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        job,
        entry.profile,
        entry.seed.id,
        to_json(&entry.parameters),
        entry.title,
        entry.display_timeout_s,
        entry.touch == Touch::Required,
        entry.facts.as_ref().map(to_json)
    ])?;
    Ok(())
}

fn insert_seed(
    tx: &Transaction<'_>,
    seed: &NewSeed,
    state: SeedState,
    bound_to: Option<&Serial>,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO seeds (id, sealed, fingerprint, len_bytes, origin, state, bound_to)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        seed.id,
        seed.sealed,
        seed.fingerprint,
        seed.len_bytes,
        seed.origin,
        state,
        bound_to
    ])?;
    Ok(())
}

fn insert_delivered(tx: &Transaction<'_>, job: &NewJob, stamp: &Stamp) -> rusqlite::Result<()> {
    let Some(serial) = &job.reserved else { return Ok(()) };
    tokens::meet(tx, serial, job.model.as_deref(), stamp)?;
    for entry in &job.entries {
        insert_seed(tx, &entry.seed, SeedState::OnToken, Some(serial))?;
        tx.prepare_cached(
            "INSERT INTO mappings (serial, profile, seed, parameters, title, origin, upn, facts, since)
             VALUES (?1, ?2, ?3, ?4, ?5, 'delivered', ?6, ?7, ?8)",
        )?
        .execute(params![
            serial,
            entry.profile,
            entry.seed.id,
            to_json(&entry.parameters),
            entry.title,
            job.facts.upn,
            to_json(&job.facts),
            stamp.now
        ])?;
    }
    Ok(())
}

fn record(
    tx: &Transaction<'_>,
    batch: Option<BatchId>,
    jobs: usize,
    seeds: usize,
    source: Option<&SourceFile>,
    stamp: &Stamp,
) -> rusqlite::Result<()> {
    let jobs = i64::try_from(jobs).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT INTO imports (at, who, batch, file_name, file_sha256, jobs) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            stamp.now,
            stamp.who,
            batch,
            source.map(|file| &file.name),
            source.map(|file| file.sha256),
            jobs
        ],
    )?;
    let detail = json!({
        "batch": batch,
        "jobs": jobs,
        "seeds": seeds,
        "file": source.map(|file| &file.name),
        "sha256": source.map(|file| data_encoding::HEXLOWER.encode(&file.sha256)),
    });
    audit::append(tx, stamp, "imported", None, &detail)
}
