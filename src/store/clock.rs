//! Clocks: readings of the tokens', permissions concerning the station's own; and what people call their slots.

use super::{
    ClockOverride, NewReading, OverrideId, ReadingRecord, Stamp, Store, StoreError, TokenRefused, audit,
    rows::{json, to_count, to_json},
    tokens,
};
use crate::domain::{Serial, SlotName, UnixMillis};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::json;
use std::collections::BTreeMap;

impl Store {
    /// A token of `model` is there and told its clock: it goes on record, or was seen again. Doesn't wait until that is
    /// durable; whatever is recorded later is durable no sooner.
    pub fn reading(&self, serial: &Serial, model: &str, reading: NewReading, stamp: &Stamp) {
        let (serial, model, stamp) = (serial.clone(), model.to_owned(), stamp.clone());
        self.write_soon("a reading", move |tx| {
            tokens::meet(tx, &serial, Some(&model), &stamp)?;
            insert_reading(tx, &serial, reading, stamp.now, &stamp)?;
            let detail = json!({
                "drift_ms": reading.drift_ms, "uncertainty_ms": reading.uncertainty_ms, "kind": reading.kind,
            });
            Ok(audit::append(tx, &stamp, "clock read", Some(&serial), &detail)?)
        })
    }

    /// A person found out where a token's clock stood `at` a moment: by a code, or by timing its changes. The token need
    /// not have been here.
    pub fn reading_told(
        &self,
        serial: &Serial,
        reading: NewReading,
        at: UnixMillis,
        stamp: &Stamp,
    ) -> Result<(), TokenRefused> {
        let (serial, stamp) = (serial.clone(), stamp.clone());
        self.write(move |tx| {
            let known: bool =
                tx.query_row("SELECT EXISTS (SELECT 1 FROM tokens WHERE serial = ?1)", [&serial], |row| {
                    row.get(0)
                })?;
            if !known {
                return Err(TokenRefused::NoToken(serial));
            }
            insert_reading(tx, &serial, reading, at, &stamp)?;
            let detail = json!({
                "at": at, "drift_ms": reading.drift_ms, "uncertainty_ms": reading.uncertainty_ms,
                "kind": reading.kind,
            });
            Ok(audit::append(tx, &stamp, "clock told", Some(&serial), &detail)?)
        })
    }

    /// The last reading of a token's clock.
    pub fn last_reading(&self, serial: &Serial) -> Result<Option<ReadingRecord>, StoreError> {
        self.read(|c| Ok(readings(c, serial)?.into_iter().next()))
    }

    /// The reading that was taken of a token's clock at exactly that moment, as a burn takes one.
    pub fn reading_at(&self, serial: &Serial, at: UnixMillis) -> Result<Option<ReadingRecord>, StoreError> {
        self.read(|c| Ok(readings(c, serial)?.into_iter().find(|reading| reading.at == at)))
    }

    /// Lets the station burn until `until` though its own clock is not trusted.
    pub fn clock_override(&self, until: UnixMillis, stamp: &Stamp) -> Result<ClockOverride, StoreError> {
        let stamp = stamp.clone();
        self.write(move |tx| {
            tx.execute(
                "INSERT INTO clock_overrides (since, until, who) VALUES (?1, ?2, ?3)",
                params![stamp.now, until, stamp.who],
            )?;
            let id = OverrideId(tx.last_insert_rowid());
            let detail = json!({ "override": id, "until": until });
            audit::append(tx, &stamp, "clock overridden", None, &detail)?;
            Ok(ClockOverride { id, since: stamp.now, until, who: stamp.who })
        })
    }

    /// The permission that holds at `now`, the one that holds longest if there are several. A clock that stepped back
    /// before a permission was given has none.
    pub fn active_override(&self, now: UnixMillis) -> Result<Option<ClockOverride>, StoreError> {
        self.read(|c| {
            let found = c
                .prepare_cached(
                    "SELECT id, since, until, who FROM clock_overrides WHERE since <= ?1 AND until > ?1
                     ORDER BY until DESC LIMIT 1",
                )?
                .query_row([now], |row| {
                    Ok(ClockOverride {
                        id: row.get(0)?,
                        since: row.get(1)?,
                        until: row.get(2)?,
                        who: row.get(3)?,
                    })
                })
                .optional()?;
            Ok(found)
        })
    }

    /// Calls the slot at a reader `name`; `None` takes the name away. A name that another reader has moves over.
    pub fn name_slot(&self, reader: &str, name: Option<&SlotName>, stamp: &Stamp) -> Result<(), StoreError> {
        let (reader, name, stamp) = (reader.to_owned(), name.cloned(), stamp.clone());
        self.write(move |tx| {
            tx.execute("DELETE FROM slot_names WHERE reader = ?1 OR name = ?2", params![reader, name])?;
            if let Some(name) = &name {
                tx.execute("INSERT INTO slot_names VALUES (?1, ?2)", params![reader, name])?;
            }
            let detail = json!({ "reader": reader, "name": name });
            Ok(audit::append(tx, &stamp, "slot named", None, &detail)?)
        })
    }

    /// The names that were given, by reader.
    pub fn slot_names(&self) -> Result<BTreeMap<String, SlotName>, StoreError> {
        self.read(|c| {
            let mut statement = c.prepare_cached("SELECT reader, name FROM slot_names")?;
            Ok(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
        })
    }
}

pub(super) fn insert_reading(
    tx: &Transaction<'_>,
    serial: &Serial,
    reading: NewReading,
    at: UnixMillis,
    stamp: &Stamp,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO readings (serial, at, drift_ms, uncertainty_ms, clock, kind) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        serial,
        at,
        reading.drift_ms,
        to_count(reading.uncertainty_ms),
        to_json(&stamp.clock),
        reading.kind,
    ])?;
    Ok(())
}

/// The readings of a token, latest first.
pub(super) fn readings(connection: &Connection, serial: &Serial) -> rusqlite::Result<Vec<ReadingRecord>> {
    connection
        .prepare_cached(
            "SELECT at, drift_ms, uncertainty_ms, clock, kind FROM readings WHERE serial = ?1 ORDER BY at DESC, id DESC",
        )?
        .query_map([serial], |row| {
            Ok(ReadingRecord {
                at: row.get(0)?,
                reading: NewReading {
                    drift_ms: row.get(1)?,
                    uncertainty_ms: super::rows::count(row, 2)?,
                    kind: row.get(4)?,
                },
                clock: json(row, 3)?,
            })
        })?
        .collect()
}
