//! What a search over all seeds reads: piece by piece and no more than it needs, so that neither the number of tokens nor
//! what is on record besides makes it large or slow.

use super::{
    JobRecord, NewReading, Store, StoreError,
    rows::{count, jobs, json, to_count},
};
use crate::{
    domain::{Parameters, Profile, SeedId, Serial, UnixMillis},
    vault::Sealed,
};
use rusqlite::{Connection, Params, Row};
use std::ops::Range;

/// A seed that a token holds now, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldSeed {
    /// The token.
    pub serial: Serial,
    /// Which of its profiles.
    pub profile: Profile,
    /// Which seed.
    pub seed: SeedId,
    /// The seed, sealed under the vault's data key and its id.
    pub sealed: Sealed,
    /// What the codes are made with besides.
    pub parameters: Parameters,
    /// Since when.
    pub since: UnixMillis,
    /// The last reading of the token's clock, and when it was taken; none from before the burn, which set the clock.
    pub reading: Option<(UnixMillis, NewReading)>,
}

const HELD: &str = "SELECT m.serial, m.profile, m.seed, s.sealed, m.parameters, m.since,
    r.at, r.drift_ms, r.uncertainty_ms, r.kind
    FROM mappings m JOIN seeds s ON s.id = m.seed
    LEFT JOIN readings r ON r.id = (SELECT id FROM readings WHERE serial = m.serial ORDER BY at DESC, id DESC LIMIT 1)
        AND (m.origin = 'delivered' OR r.at >= m.since)
    ";

impl Store {
    /// Numbers between which all records of held seeds lie. Pieces of it can be read by several threads.
    pub fn held_numbers(&self) -> Result<Range<u64>, StoreError> {
        self.read(|c| {
            Ok(c.prepare_cached("SELECT coalesce(min(id), 0), coalesce(max(id) + 1, 0) FROM mappings")?
                .query_row([], |row| Ok(count(row, 0)?..count(row, 1)?))?)
        })
    }

    /// What tokens hold now, of the records with these numbers.
    pub fn held_seeds(&self, numbers: Range<u64>) -> Result<Vec<HeldSeed>, StoreError> {
        let bounds = [to_count(numbers.start), to_count(numbers.end)];
        self.read(|c| {
            Ok(held(c, "WHERE m.id >= ?1 AND m.id < ?2 AND m.ended_at IS NULL ORDER BY m.id", bounds)?)
        })
    }

    /// What the tokens of a batch hold now, in the order in which they were burned.
    pub fn held_seeds_of_batch(&self, batch: &str) -> Result<Vec<HeldSeed>, StoreError> {
        self.read(|c| {
            Ok(held(
                c,
                "WHERE m.ended_at IS NULL AND m.job IN (
                     SELECT j.id FROM jobs j JOIN batches b ON b.id = j.batch WHERE b.name = ?1)
                 ORDER BY m.since, m.serial, m.profile",
                [batch],
            )?)
        })
    }

    /// Jobs that wait for this token and no other.
    pub fn jobs_waiting_for(&self, serial: &Serial) -> Result<Vec<JobRecord>, StoreError> {
        self.read(|c| {
            Ok(jobs(c, "WHERE j.reserved = ?1 AND j.state = 'queued' ORDER BY j.id DESC", [serial])?)
        })
    }

    /// Tokens onto which something was burned between two moments, both included, by serial; `most` of them.
    pub fn burned_between(
        &self,
        from: UnixMillis,
        to: UnixMillis,
        most: u32,
    ) -> Result<Vec<Serial>, StoreError> {
        self.read(|c| {
            Ok(c.prepare_cached(
                "SELECT DISTINCT serial FROM mappings WHERE origin = 'burned' AND since BETWEEN ?1 AND ?2
                 ORDER BY serial LIMIT ?3",
            )?
            .query_map((from, to, most), |row| row.get(0))?
            .collect::<Result<_, _>>()?)
        })
    }
}

fn held(connection: &Connection, rest: &str, params: impl Params) -> rusqlite::Result<Vec<HeldSeed>> {
    connection.prepare_cached(&format!("{HELD}{rest}"))?.query_map(params, held_row)?.collect()
}

fn held_row(row: &Row<'_>) -> rusqlite::Result<HeldSeed> {
    let read_at: Option<UnixMillis> = row.get(6)?;
    let reading = match read_at {
        Some(at) => {
            let drift_ms = row.get(7)?;
            Some((at, NewReading { drift_ms, uncertainty_ms: count(row, 8)?, kind: row.get(9)? }))
        }
        None => None,
    };
    Ok(HeldSeed {
        serial: row.get(0)?,
        profile: row.get(1)?,
        seed: row.get(2)?,
        sealed: row.get(3)?,
        parameters: json(row, 4)?,
        since: row.get(5)?,
        reading,
    })
}
