//! Tokens: what each holds and held, what a person saw on it or allowed for it, and its end.

use super::{
    BatchId, BatchState, ConsentTo, EndedBy, ImportedSeeds, JobId, JobRecord, Listed, MappingRecord, Page,
    Scrapped, SeedOrigin, SeedRecord, Stamp, Store, StoreError, TokenFilter, TokenLine, TokenRecord,
    TokenRefused, audit,
    batches::{self, PROOF_RANK, ranked},
    clock, drift, finder, queue,
    rows::{self, to_count, to_json},
    sweeps,
};
use crate::domain::{ClockSetBy, JobEvent, JobState, Mode, Parameters, Profile, Proof, SeedId, Serial};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{PoisonError, atomic::Ordering},
    thread,
};

impl Store {
    /// What is on record as held by a token now, by profile.
    pub fn holdings(&self, serial: &Serial) -> Result<Vec<MappingRecord>, StoreError> {
        self.read(|c| Ok(held(c, serial)?))
    }

    /// A seed on record, sealed.
    pub fn seed_sealed(&self, id: SeedId) -> Result<Option<SeedRecord>, StoreError> {
        self.read(|c| {
            let seed = c
                .prepare_cached(
                    "SELECT id, sealed, fingerprint, len_bytes, origin, state, bound_to FROM seeds WHERE id = ?1",
                )?
                .query_row([id], |row| {
                    Ok(SeedRecord {
                        id: row.get(0)?,
                        sealed: row.get(1)?,
                        fingerprint: row.get(2)?,
                        len_bytes: row.get(3)?,
                        origin: row.get(4)?,
                        state: row.get(5)?,
                        bound_to: row.get(6)?,
                    })
                })
                .optional()?;
            Ok(seed)
        })
    }

    /// All that is on record about a token; `None` for one that is not.
    pub fn token(&self, serial: &Serial) -> Result<Option<TokenRecord>, StoreError> {
        self.read(|c| {
            let line = c
                .prepare_cached(&line_sql("WHERE t.serial = ?1"))?
                .query_row([serial], line_row)
                .optional()?;
            let Some(line) = line else { return Ok(None) };
            Ok(Some(TokenRecord {
                line,
                holdings: held(c, serial)?,
                history: rows::mappings(
                    c,
                    "WHERE m.serial = ?1 AND m.ended_at IS NOT NULL ORDER BY m.ended_at DESC, m.id DESC",
                    [serial],
                )?,
                readings: clock::readings(c, serial)?,
                clock_set: drift::resynced(c, serial)?,
                jobs: rows::jobs(c, "WHERE j.serial = ?1 OR j.reserved = ?1 ORDER BY j.id DESC", [serial])?,
            }))
        })
    }

    /// The tokens that pass `filter`, by serial.
    pub fn tokens(&self, filter: &TokenFilter, page: Page) -> Result<Listed<TokenLine>, StoreError> {
        self.read(|c| {
            let Some(text) = filter.text.as_deref().filter(|text| !text.trim().is_empty()) else {
                let items = c
                    .prepare_cached(&line_sql("ORDER BY t.serial LIMIT ?1 OFFSET ?2"))?
                    .query_map(params![page.limit, to_count(page.offset)], line_row)?
                    .collect::<Result<_, _>>()?;
                return Ok(Listed { items, total: finder::all(c)? });
            };
            let found = {
                // A search that panicked leaves words that are as good as before.
                let mut finder = self.0.finder.lock().unwrap_or_else(PoisonError::into_inner);
                finder.catch_up(c)?;
                finder.find(text, page.offset, page.limit)
            };
            let mut line = c.prepare_cached(&line_sql("WHERE t.serial = ?1"))?;
            let items = found
                .serials
                .iter()
                .map(|serial| line.query_row([serial], line_row))
                .collect::<Result<_, _>>()?;
            Ok(Listed { items, total: found.total })
        })
    }

    /// Begins to read the words of all tokens on a thread, so that the first search needn't. Once is enough.
    pub fn prepare_search(&self) {
        if self.0.search_prepared.swap(true, Ordering::Relaxed) {
            return;
        }
        let store = self.clone();
        thread::spawn(move || {
            let prepared = store.read(|c| {
                Ok::<_, StoreError>(
                    store.0.finder.lock().unwrap_or_else(PoisonError::into_inner).catch_up(c)?,
                )
            });
            if let Err(error) = prepared {
                tracing::warn!(%error, "the words of the inventory could not be read");
            }
        });
    }

    /// What kiln burned and the tokens still hold, of one batch (in its order) or of all.
    pub fn burned_mappings(&self, batch: Option<BatchId>) -> Result<Vec<MappingRecord>, StoreError> {
        self.read(|c| {
            Ok(rows::mappings(
                c,
                "WHERE m.origin = 'burned' AND m.ended_at IS NULL AND (?1 IS NULL OR j.batch = ?1)
                 ORDER BY j.batch, j.position, m.profile",
                [batch],
            )?)
        })
    }

    /// All that a batch ever burned, in its order, also what was replaced since.
    pub fn mappings_of_batch(&self, batch: BatchId) -> Result<Vec<MappingRecord>, StoreError> {
        self.read(|c| {
            let wanted = "WHERE m.origin = 'burned' AND j.batch = ?1 ORDER BY j.position, m.profile";
            Ok(rows::mappings(c, wanted, [batch])?)
        })
    }

    /// What tokens were delivered with and still hold, by serial.
    pub fn delivered_mappings(&self) -> Result<Vec<MappingRecord>, StoreError> {
        self.read(|c| {
            let wanted = "WHERE m.origin = 'delivered' AND m.ended_at IS NULL ORDER BY m.serial, m.profile";
            Ok(rows::mappings(c, wanted, [])?)
        })
    }

    /// How many bytes each seed has that some token holds. One query: whoever asks for one asks for thousands.
    pub fn seed_lengths(&self) -> Result<HashMap<SeedId, u32>, StoreError> {
        self.read(|c| {
            Ok(c.prepare_cached(
                "SELECT s.id, s.len_bytes FROM mappings m JOIN seeds s ON s.id = m.seed WHERE m.ended_at IS NULL",
            )?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?)
        })
    }

    /// How many profiles of all tokens hold a seed on record.
    pub fn seeds_held(&self) -> Result<u64, StoreError> {
        self.read(|c| {
            Ok(c.prepare_cached("SELECT count(*) FROM mappings WHERE ended_at IS NULL")?
                .query_row([], |row| rows::count(row, 0))?)
        })
    }

    /// A person typed the right code from the token's display: the best proof there is. On a counter-based token that
    /// code is spent: `next_counter` is the counter of the next one from now on, and never a lower one than before.
    pub fn seen(
        &self,
        serial: &Serial,
        profile: Profile,
        detail: Option<&str>,
        next_counter: Option<u64>,
        stamp: &Stamp,
    ) -> Result<MappingRecord, TokenRefused> {
        let (serial, detail, stamp) = (serial.clone(), detail.map(str::to_owned), stamp.clone());
        self.write(move |tx| {
            if let Some(next) = next_counter {
                move_counter(tx, &serial, profile, next)?;
            }
            let raised = tx.execute(
                "UPDATE mappings SET proof = ?3, proof_at = ?4, proof_detail = coalesce(?5, proof_detail)
                 WHERE serial = ?1 AND profile = ?2 AND ended_at IS NULL",
                params![serial, profile, Proof::Seen, stamp.now, detail],
            )?;
            if raised == 0 {
                return Err(TokenRefused::NothingHeld { serial, profile });
            }
            tx.execute(
                "UPDATE jobs SET wants_eyes = 0 WHERE id = (SELECT job FROM mappings
                 WHERE serial = ?1 AND profile = ?2 AND ended_at IS NULL)",
                params![serial, profile],
            )?;
            let job: Option<JobId> = tx.query_row(
                "SELECT job FROM mappings WHERE serial = ?1 AND profile = ?2 AND ended_at IS NULL",
                params![serial, profile],
                |row| row.get(0),
            )?;
            if let Some(job) = job {
                queue::weigh_proof(tx, job)?;
            }
            audit::append(
                tx,
                &stamp,
                "code seen",
                Some(&serial),
                &json!({ "profile": profile, "detail": detail, "next_counter": next_counter }),
            )?;
            let mapping = held(tx, &serial)?.into_iter().find(|mapping| mapping.profile == profile);
            mapping.ok_or(TokenRefused::NothingHeld { serial, profile })
        })
    }

    /// A person allows something for one token, once.
    pub fn consent(&self, serial: &Serial, to: ConsentTo, stamp: &Stamp) -> Result<(), StoreError> {
        let (serial, stamp) = (serial.clone(), stamp.clone());
        self.write(move |tx| {
            tx.execute(
                "INSERT INTO consents (serial, what, who, at) VALUES (?1, ?2, ?3, ?4)",
                params![serial, to, stamp.who, stamp.now],
            )?;
            Ok(audit::append(tx, &stamp, "consent given", Some(&serial), &json!({ "to": to }))?)
        })
    }

    /// Whether such a word is there, unused.
    pub fn has_consent(&self, serial: &Serial, to: ConsentTo) -> Result<bool, StoreError> {
        self.read(|c| {
            Ok(c.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM consents WHERE serial = ?1 AND what = ?2 AND used_at IS NULL)",
            )?
            .query_row(params![serial, to], |row| row.get(0))?)
        })
    }

    /// Uses up one such word, the oldest; false if there is none.
    pub fn take_consent(&self, serial: &Serial, to: ConsentTo, stamp: &Stamp) -> Result<bool, StoreError> {
        let (serial, stamp) = (serial.clone(), stamp.clone());
        self.write(move |tx| Ok(take_consent(tx, &serial, to, &stamp)?.is_some()))
    }

    /// The token was reset to its factory state: what it held is gone, its seeds are never used again, and what was
    /// known of its key says nothing any more.
    pub fn token_reset(&self, serial: &Serial, stamp: &Stamp) -> Result<(), TokenRefused> {
        let (serial, stamp) = (serial.clone(), stamp.clone());
        self.write(move |tx| {
            if queue::is_claimed(tx, &serial)? {
                return Err(TokenRefused::BeingBurned(serial));
            }
            meet(tx, &serial, None, &stamp)?;
            sweeps::end_begun(tx, &serial, &stamp)?;
            tx.execute("UPDATE tokens SET reset_at = ?2 WHERE serial = ?1", params![serial, stamp.now])?;
            drift::insert_setting(tx, &serial, ClockSetBy::Reset, &stamp)?;
            tx.execute(
                "UPDATE seeds SET state = 'retired' WHERE state = 'on-token' AND id IN (
                     SELECT seed FROM mappings WHERE serial = ?1 AND ended_at IS NULL)",
                [&serial],
            )?;
            let ended = tx.execute(
                "UPDATE mappings SET ended_at = ?2, ended_by = ?3 WHERE serial = ?1 AND ended_at IS NULL",
                params![serial, stamp.now, EndedBy::Reset],
            )?;
            Ok(audit::append(tx, &stamp, "token reset", Some(&serial), &json!({ "profiles": ended }))?)
        })
    }

    /// A person says that the token is dead. Its open jobs and mappings end; generated seeds are retired, imported ones
    /// held or released. Saying it again with [`ImportedSeeds::Release`] releases what was held.
    pub fn scrap(
        &self,
        serial: &Serial,
        imported: ImportedSeeds,
        stamp: &Stamp,
    ) -> Result<Scrapped, TokenRefused> {
        let (serial, stamp) = (serial.clone(), stamp.clone());
        self.write(move |tx| {
            if queue::is_claimed(tx, &serial)? {
                return Err(TokenRefused::BeingBurned(serial));
            }
            let known = tx.execute(
                "UPDATE tokens SET scrapped_at = coalesce(scrapped_at, ?2) WHERE serial = ?1",
                params![serial, stamp.now],
            )?;
            if known == 0 {
                return Err(TokenRefused::NoToken(serial));
            }
            let mut done = Scrapped { jobs: end_jobs(tx, &serial, &stamp)?, ..Scrapped::default() };
            tx.execute(
                "UPDATE mappings SET ended_at = ?2, ended_by = ?3 WHERE serial = ?1 AND ended_at IS NULL",
                params![serial, stamp.now, EndedBy::Scrapped],
            )?;
            retire_or_hold(tx, &serial, &mut done)?;
            match imported {
                ImportedSeeds::Hold => {}
                ImportedSeeds::Release => release(tx, &serial, &stamp, &mut done)?,
            }
            let detail = json!({
                "jobs": done.jobs,
                "retired": done.retired,
                "held": done.held,
                "requeued": done.requeued,
            });
            audit::append(tx, &stamp, "token scrapped", Some(&serial), &detail)?;
            Ok(done)
        })
    }
}

/// A token (`t`) on one line.
/// The counter is the one parameter that moves by itself: pressing the token's button moves it on.
fn move_counter(
    tx: &Transaction<'_>,
    serial: &Serial,
    profile: Profile,
    next: u64,
) -> Result<(), TokenRefused> {
    let held = held(tx, serial)?.into_iter().find(|mapping| mapping.profile == profile);
    if let Some(MappingRecord { parameters, .. }) = held
        && let Mode::Hotp { counter } = parameters.mode
    {
        let moved = Parameters { mode: Mode::Hotp { counter: next.max(counter) }, ..parameters };
        tx.execute(
            "UPDATE mappings SET parameters = ?3 WHERE serial = ?1 AND profile = ?2 AND ended_at IS NULL",
            params![serial, profile, to_json(&moved)],
        )?;
    }
    Ok(())
}

fn line_sql(rest: &str) -> String {
    let held = "FROM mappings m WHERE m.serial = t.serial AND m.ended_at IS NULL";
    format!(
        "SELECT t.serial, t.model, t.first_seen, t.last_seen, t.scrapped_at, (SELECT count(*) {held}),
             (SELECT min({PROOF_RANK}) {held}),
             (SELECT m.upn {held} AND m.upn IS NOT NULL ORDER BY m.profile LIMIT 1),
             (SELECT b.name FROM jobs j JOIN batches b ON b.id = j.batch WHERE j.serial = t.serial
              AND b.sweep IS NULL ORDER BY j.id DESC LIMIT 1)
         FROM tokens t {rest}"
    )
}

fn line_row(row: &Row<'_>) -> rusqlite::Result<TokenLine> {
    Ok(TokenLine {
        serial: row.get(0)?,
        model: row.get(1)?,
        first_seen: row.get(2)?,
        last_seen: row.get(3)?,
        scrapped_at: row.get(4)?,
        profiles: row.get(5)?,
        proof: row.get::<_, Option<u8>>(6)?.and_then(|rank| ranked(rank.into())),
        upn: row.get(7)?,
        batch: row.get(8)?,
    })
}

fn held(connection: &Connection, serial: &Serial) -> rusqlite::Result<Vec<MappingRecord>> {
    rows::mappings(connection, "WHERE m.serial = ?1 AND m.ended_at IS NULL ORDER BY m.profile", [serial])
}

/// Puts a token on record, or notes that it was seen again. Only the first time is news for the audit log.
pub(super) fn meet(
    tx: &Transaction<'_>,
    serial: &Serial,
    model: Option<&str>,
    stamp: &Stamp,
) -> rusqlite::Result<()> {
    let known = tx
        .prepare_cached(
            "UPDATE tokens SET last_seen = max(last_seen, ?2), model = coalesce(?3, model) WHERE serial = ?1",
        )?
        .execute(params![serial, stamp.now, model])?;
    if known == 1 {
        return Ok(());
    }
    tx.prepare_cached("INSERT INTO tokens (serial, model, first_seen, last_seen) VALUES (?1, ?2, ?3, ?3)")?
        .execute(params![serial, model, stamp.now])?;
    audit::append(tx, stamp, "token met", Some(serial), &json!({ "model": model }))
}

pub(super) fn is_scrapped(connection: &Connection, serial: &Serial) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM tokens WHERE serial = ?1 AND scrapped_at IS NOT NULL)")?
        .query_row([serial], |row| row.get(0))
}

/// Uses up a person's word, the oldest; tells which it was.
pub(super) fn take_consent(
    tx: &Transaction<'_>,
    serial: &Serial,
    to: ConsentTo,
    stamp: &Stamp,
) -> rusqlite::Result<Option<i64>> {
    let taken = tx
        .query_row(
            "UPDATE consents SET used_at = ?3 WHERE id = (
                 SELECT min(id) FROM consents WHERE serial = ?1 AND what = ?2 AND used_at IS NULL) RETURNING id",
            params![serial, to, stamp.now],
            |row| row.get(0),
        )
        .optional()?;
    if taken.is_some() {
        audit::append(tx, stamp, "consent used", Some(serial), &json!({ "to": to }))?;
    }
    Ok(taken)
}

/// Closes what a profile held until now, because `by` is there instead. The same seed burned again stays in use.
pub(super) fn end_mapping(
    tx: &Transaction<'_>,
    serial: &Serial,
    profile: Profile,
    by: SeedId,
    stamp: &Stamp,
) -> rusqlite::Result<()> {
    let before: Option<SeedId> = tx
        .prepare_cached(
            "UPDATE mappings SET ended_at = ?3, ended_by = ?4
             WHERE serial = ?1 AND profile = ?2 AND ended_at IS NULL RETURNING seed",
        )?
        .query_row(params![serial, profile, stamp.now, EndedBy::Replaced], |row| row.get(0))
        .optional()?;
    if let Some(before) = before.filter(|before| *before != by) {
        tx.prepare_cached("UPDATE seeds SET state = 'retired' WHERE id = ?1")?.execute([before])?;
        let detail = json!({ "profile": profile, "old_seed": before, "new_seed": by });
        audit::append(tx, stamp, "seed replaced", Some(serial), &detail)?;
    }
    Ok(())
}

fn end_jobs(tx: &Transaction<'_>, serial: &Serial, stamp: &Stamp) -> rusqlite::Result<Vec<JobId>> {
    let mut ended = Vec::new();
    // What was burned and replaced since is history, not a loss.
    let open = rows::jobs(
        tx,
        "WHERE j.serial = ?1 AND (j.state <> 'burned'
             OR EXISTS (SELECT 1 FROM mappings m WHERE m.job = j.id AND m.ended_at IS NULL)) ORDER BY j.id",
        [serial],
    )?;
    for job in open {
        if let Ok(next) = job.state.after(JobEvent::Scrap) {
            queue::shift(tx, &job, next, Some("its token was scrapped"), stamp)?;
            batches::settle(tx, job.batch, stamp)?;
            ended.push(job.id);
        }
    }
    Ok(ended)
}

/// Seeds that only this store and the dead token knew, or that came with the token, are of no more use. One from a
/// file may be known to a server: a person has to say what becomes of it.
fn retire_or_hold(tx: &Transaction<'_>, serial: &Serial, done: &mut Scrapped) -> rusqlite::Result<()> {
    let seeds: Vec<(SeedId, SeedOrigin, bool)> = tx
        .prepare_cached(
            "SELECT s.id, s.origin, EXISTS (
                 SELECT 1 FROM job_entries e JOIN jobs j ON j.id = e.job JOIN batches b ON b.id = j.batch
                 WHERE e.seed = s.id AND b.sweep IS NULL)
             FROM seeds s WHERE s.bound_to = ?1 AND s.state IN ('bound', 'on-token')",
        )?
        .query_map([serial], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (seed, origin, has_job) in seeds {
        let (state, counter) = match origin {
            SeedOrigin::Imported if has_job => ("bound", &mut done.held),
            SeedOrigin::Imported | SeedOrigin::Generated => ("retired", &mut done.retired),
        };
        *counter += 1;
        tx.prepare_cached("UPDATE seeds SET state = ?2 WHERE id = ?1")?.execute(params![seed, state])?;
    }
    Ok(())
}

/// Gives the held seeds of a dead token back to the end of their batch. In a batch that was called off they can be
/// imported again instead.
fn release(
    tx: &Transaction<'_>,
    serial: &Serial,
    stamp: &Stamp,
    done: &mut Scrapped,
) -> rusqlite::Result<()> {
    let losers = rows::jobs(
        tx,
        "WHERE j.serial = ?1 AND j.state = 'scrapped' AND b.sweep IS NULL AND EXISTS (
             SELECT 1 FROM job_entries e JOIN seeds s ON s.id = e.seed
             WHERE e.job = j.id AND s.state = 'bound' AND s.bound_to = ?1) ORDER BY j.id",
        [serial],
    )?;
    for job in losers {
        if job.batch_state == BatchState::Cancelled {
            free(tx, &job, serial, "dropped")?;
            continue;
        }
        tx.execute(
            "INSERT INTO jobs (batch, position, state, model, moved_at, upn, facts)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                job.batch,
                batches::next_position(tx, job.batch)?,
                JobState::Queued,
                job.model,
                stamp.now,
                job.facts.upn,
                to_json(&job.facts)
            ],
        )?;
        let again = JobId(tx.last_insert_rowid());
        tx.execute(
            "INSERT INTO job_entries (job, profile, seed, parameters, title, display_timeout_s, touch, facts)
             SELECT ?2, e.profile, e.seed, e.parameters, e.title, e.display_timeout_s, e.touch, e.facts
             FROM job_entries e JOIN seeds s ON s.id = e.seed
             WHERE e.job = ?1 AND s.state = 'bound' AND s.bound_to = ?3",
            params![job.id, again, serial],
        )?;
        free(tx, &job, serial, "free")?;
        let state: BatchState =
            tx.query_row("SELECT state FROM batches WHERE id = ?1", [job.batch], |row| row.get(0))?;
        if state == BatchState::Done {
            batches::set_state(tx, job.batch, BatchState::Running, None, stamp)?;
        }
        done.requeued.push(again);
    }
    done.held = 0;
    Ok(())
}

fn free(tx: &Transaction<'_>, job: &JobRecord, serial: &Serial, state: &str) -> rusqlite::Result<()> {
    tx.execute(
        "UPDATE seeds SET state = ?3, bound_to = NULL
         WHERE state = 'bound' AND bound_to = ?2 AND id IN (SELECT seed FROM job_entries WHERE job = ?1)",
        params![job.id, serial, state],
    )?;
    Ok(())
}
