//! How values stand in columns, and rows read as records.

use super::records::{
    AlarmId, AttemptId, AttemptOutcome, BatchId, BatchState, ConsentTo, EndedBy, EntryRecord, JobId, JobKind,
    JobRecord, LentFrom, MappingOrigin, MappingRecord, OverrideId, ProofRecord, SeedOrigin, SeedState,
};
use crate::{
    domain::{
        ClockSetBy, JobState, Profile, Proof, ReadingKind, SeedId, Serial, SlotName, SweptOutcome, Touch,
        UnixMillis,
    },
    vault::{Fingerprint, HolderKind, Sealed},
};
use rusqlite::{
    Connection, Params, Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Type, ValueRef},
};
use serde::de::DeserializeOwned;

/// Values that stand as one word.
macro_rules! as_word {
    ($($name:ty),+) => { $(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.word()))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                Self::from_word(value.as_str()?).ok_or_else(|| unknown(value))
            }
        }
    )+ };
}

as_word!(
    JobState,
    Proof,
    HolderKind,
    BatchState,
    SeedOrigin,
    SeedState,
    MappingOrigin,
    EndedBy,
    AttemptOutcome,
    LentFrom,
    ConsentTo,
    ReadingKind,
    ClockSetBy,
    SweptOutcome
);

/// Values that stand as the number inside.
macro_rules! as_number {
    ($($name:ident),+) => { $(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.0))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                i64::column_result(value).map(Self)
            }
        }
    )+ };
}

as_number!(BatchId, JobId, AttemptId, OverrideId, AlarmId, UnixMillis);

fn unknown(value: ValueRef<'_>) -> FromSqlError {
    FromSqlError::Other(format!("unknown word {:?}", value.as_str().unwrap_or_default()).into())
}

impl ToSql for Serial {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.as_str()))
    }
}

impl FromSql for Serial {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(FromSqlError::other)
    }
}

impl ToSql for SlotName {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_str()))
    }
}

impl FromSql for SlotName {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        String::column_result(value).map(Self)
    }
}

impl ToSql for Profile {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.number()))
    }
}

impl FromSql for Profile {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        u8::column_result(value).map(Self::new)
    }
}

impl ToSql for SeedId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_slice()))
    }
}

impl FromSql for SeedId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(Self)
    }
}

impl ToSql for Fingerprint {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_slice()))
    }
}

impl FromSql for Fingerprint {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(Self)
    }
}

impl ToSql for Sealed {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.as_bytes()))
    }
}

impl FromSql for Sealed {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::from_bytes(value.as_blob()?.to_vec()).ok_or_else(|| FromSqlError::Other("too short".into()))
    }
}

/// A value that stands as JSON in column `at`.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(at)?.as_str()?)
        .map_err(|why| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(why)))
}

/// The JSON of a record's part.
pub(super) fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain records with text keys have JSON")
}

/// A count that SQLite gives as a signed number.
pub(super) fn count(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(at)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(at, number))
}

/// A count for SQLite. No count here comes near 2^63.
pub(super) fn to_count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

const JOB: &str = "SELECT j.id, j.batch, b.name, b.state, j.position, j.state, j.reason, j.reserved, j.model,
    j.serial, j.slot, j.plan, j.may_hold_seed, j.moved_at, j.facts, j.wants_eyes, j.proof, b.sweep IS NOT NULL,
    j.drift_before_ms, j.drift_after_ms
    FROM jobs j JOIN batches b ON b.id = j.batch ";

fn job_row(row: &Row<'_>) -> rusqlite::Result<JobRecord> {
    Ok(JobRecord {
        id: row.get(0)?,
        batch: row.get(1)?,
        batch_name: row.get(2)?,
        batch_state: row.get(3)?,
        kind: if row.get(17)? { JobKind::Resync } else { JobKind::Burn },
        position: count(row, 4)?,
        state: row.get(5)?,
        reason: row.get(6)?,
        reserved: row.get(7)?,
        model: row.get(8)?,
        serial: row.get(9)?,
        slot: row.get(10)?,
        plan: row.get(11)?,
        may_hold_seed: row.get(12)?,
        moved_at: row.get(13)?,
        facts: json(row, 14)?,
        wants_eyes: row.get(15)?,
        proof: row.get(16)?,
        drift_before_ms: row.get(18)?,
        drift_after_ms: row.get(19)?,
        entries: Vec::new(),
    })
}

/// The jobs (`j`, with their batch `b`) that the rest of the statement picks, entries and all.
pub(super) fn jobs(
    connection: &Connection,
    rest: &str,
    params: impl Params,
) -> rusqlite::Result<Vec<JobRecord>> {
    let mut statement = connection.prepare_cached(&format!("{JOB}{rest}"))?;
    let mut jobs = statement.query_map(params, job_row)?.collect::<Result<Vec<_>, _>>()?;
    for job in &mut jobs {
        job.entries = entries(connection, job.id)?;
    }
    Ok(jobs)
}

/// The job with this id.
pub(super) fn job(connection: &Connection, id: JobId) -> rusqlite::Result<Option<JobRecord>> {
    Ok(jobs(connection, "WHERE j.id = ?1", [id])?.pop())
}

fn entries(connection: &Connection, job: JobId) -> rusqlite::Result<Vec<EntryRecord>> {
    connection
        .prepare_cached(
            "SELECT e.profile, e.seed, e.parameters, e.title, e.display_timeout_s, length(s.sealed),
                 e.touch, e.facts
             FROM job_entries e JOIN seeds s ON s.id = e.seed WHERE e.job = ?1 ORDER BY e.profile",
        )?
        .query_map([job], |row| {
            Ok(EntryRecord {
                profile: row.get(0)?,
                seed: row.get(1)?,
                seed_len_bytes: Sealed::len_inside(usize::try_from(count(row, 5)?).unwrap_or(usize::MAX)),
                parameters: json(row, 2)?,
                title: row.get(3)?,
                display_timeout_s: row.get(4)?,
                touch: if row.get(6)? { Touch::Required } else { Touch::Free },
                facts: if row.get_ref(7)? == ValueRef::Null { None } else { Some(json(row, 7)?) },
            })
        })?
        .collect()
}

const MAPPING: &str = "SELECT m.serial, t.model, m.profile, m.seed, m.parameters, m.title, m.origin, m.facts,
    m.job, b.name, m.since, m.ended_at, m.ended_by, m.proof, m.proof_at, m.proof_detail,
    coalesce(j.wants_eyes, 0), m.display_timeout_s
    FROM mappings m JOIN tokens t ON t.serial = m.serial
    LEFT JOIN jobs j ON j.id = m.job LEFT JOIN batches b ON b.id = j.batch ";

fn mapping_row(row: &Row<'_>) -> rusqlite::Result<MappingRecord> {
    let ended: (Option<UnixMillis>, Option<EndedBy>) = (row.get(11)?, row.get(12)?);
    let proof: (Option<Proof>, Option<UnixMillis>) = (row.get(13)?, row.get(14)?);
    Ok(MappingRecord {
        serial: row.get(0)?,
        model: row.get(1)?,
        profile: row.get(2)?,
        seed: row.get(3)?,
        parameters: json(row, 4)?,
        title: row.get(5)?,
        display_timeout_s: row.get(17)?,
        origin: row.get(6)?,
        facts: json(row, 7)?,
        job: row.get(8)?,
        batch: row.get(9)?,
        since: row.get(10)?,
        ended: ended.0.zip(ended.1),
        proof: match proof.0.zip(proof.1) {
            Some((proof, at)) => Some(ProofRecord { proof, at, detail: row.get(15)? }),
            None => None,
        },
        wants_eyes: row.get(16)?,
    })
}

/// The mappings (`m`, with their token `t`, job `j` and batch `b`) that the rest of the statement picks.
pub(super) fn mappings(
    connection: &Connection,
    rest: &str,
    params: impl Params,
) -> rusqlite::Result<Vec<MappingRecord>> {
    connection.prepare_cached(&format!("{MAPPING}{rest}"))?.query_map(params, mapping_row)?.collect()
}
