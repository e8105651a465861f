//! The clocks of all tokens, for whoever reckons how they run: first every token, then only what changed.

use super::{
    ClockSetting, ReadingRecord, Stamp, Store, StoreError, clock,
    rows::{json, to_json},
};
use crate::domain::{ClockSetBy, Parameters, Profile, Serial, UnixMillis};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::BTreeSet;

/// How far somebody has read what happened to clocks. The default is the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClockMark {
    tokens: i64,
    readings: i64,
    settings: i64,
}

/// What a profile is for: who checks its codes, and in which steps they go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    /// Where on the token.
    pub profile: Profile,
    /// What its codes are made with.
    pub parameters: Parameters,
    /// The batch that burned it, by name.
    pub batch: Option<String>,
    /// That batch's login target, by name.
    pub target: Option<String>,
    /// Whose it is.
    pub upn: Option<String>,
}

/// All that is on record of one token's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockHistory {
    /// Which token.
    pub serial: Serial,
    /// Its model, where known.
    pub model: Option<String>,
    /// Whether a person said that it is dead.
    pub scrapped: bool,
    /// What it holds now, by profile.
    pub purposes: Vec<Purpose>,
    /// Its readings, oldest first.
    pub readings: Vec<ReadingRecord>,
    /// When its clock was set, oldest first.
    pub settings: Vec<ClockSetting>,
}

impl Store {
    /// Which tokens have to be looked at again after `since`, and the mark to come back with.
    pub fn clock_changes(&self, since: ClockMark) -> Result<(BTreeSet<Serial>, ClockMark), StoreError> {
        self.read(|c| {
            let now: ClockMark = c
                .prepare_cached(
                    "SELECT (SELECT coalesce(max(at), 0) FROM token_changes),
                            (SELECT coalesce(max(id), 0) FROM readings),
                            (SELECT coalesce(max(id), 0) FROM clock_settings)",
                )?
                .query_row([], |row| {
                    Ok(ClockMark { tokens: row.get(0)?, readings: row.get(1)?, settings: row.get(2)? })
                })?;
            let changed = c
                .prepare_cached(
                    "SELECT serial FROM token_changes WHERE at > ?1
                     UNION SELECT serial FROM readings WHERE id > ?2
                     UNION SELECT serial FROM clock_settings WHERE id > ?3",
                )?
                .query_map(params![since.tokens, since.readings, since.settings], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            Ok((changed, now))
        })
    }

    /// The clocks of these tokens; one that is not on record is left out.
    pub fn clock_histories<'s>(
        &self,
        serials: impl IntoIterator<Item = &'s Serial>,
    ) -> Result<Vec<ClockHistory>, StoreError> {
        self.read(|c| {
            let found = serials.into_iter().map(|serial| Ok(history(c, serial)?));
            found.filter_map(Result::transpose).collect()
        })
    }

    /// When a token's clock was set, oldest first.
    pub fn clock_settings(&self, serial: &Serial) -> Result<Vec<ClockSetting>, StoreError> {
        self.read(|c| Ok(settings(c, serial)?))
    }
}

pub(super) fn insert_setting(
    tx: &Transaction<'_>,
    serial: &Serial,
    by: ClockSetBy,
    stamp: &Stamp,
) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO clock_settings (serial, at, by, clock) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![serial, stamp.now, by, to_json(&stamp.clock)])?;
    Ok(())
}

/// When a token's clock was set without a burn, latest first.
pub(super) fn resynced(connection: &Connection, serial: &Serial) -> rusqlite::Result<Vec<UnixMillis>> {
    connection
        .prepare_cached("SELECT at FROM clock_settings WHERE serial = ?1 AND by = ?2 ORDER BY at DESC")?
        .query_map(params![serial, ClockSetBy::Resync], |row| row.get(0))?
        .collect()
}

fn settings(connection: &Connection, serial: &Serial) -> rusqlite::Result<Vec<ClockSetting>> {
    connection
        .prepare_cached("SELECT at, by, clock FROM clock_settings WHERE serial = ?1 ORDER BY at, id")?
        .query_map([serial], |row| {
            let known = row.get_ref(2)?.as_str_or_null()?.is_some();
            let clock = if known { Some(json(row, 2)?) } else { None };
            Ok(ClockSetting { at: row.get(0)?, by: row.get(1)?, clock })
        })?
        .collect()
}

fn history(connection: &Connection, serial: &Serial) -> rusqlite::Result<Option<ClockHistory>> {
    let token: Option<(Option<String>, Option<UnixMillis>)> = connection
        .prepare_cached("SELECT model, scrapped_at FROM tokens WHERE serial = ?1")?
        .query_row([serial], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((model, scrapped_at)) = token else { return Ok(None) };
    let purposes = connection
        .prepare_cached(
            "SELECT m.profile, m.parameters, b.name, b.target, m.upn FROM mappings m
             LEFT JOIN jobs j ON j.id = m.job LEFT JOIN batches b ON b.id = j.batch
             WHERE m.serial = ?1 AND m.ended_at IS NULL ORDER BY m.profile",
        )?
        .query_map([serial], |row| {
            Ok(Purpose {
                profile: row.get(0)?,
                parameters: json(row, 1)?,
                batch: row.get(2)?,
                target: row.get(3)?,
                upn: row.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let mut readings = clock::readings(connection, serial)?;
    readings.reverse();
    Ok(Some(ClockHistory {
        serial: serial.clone(),
        model,
        scrapped: scrapped_at.is_some(),
        purposes,
        readings,
        settings: settings(connection, serial)?,
    }))
}
