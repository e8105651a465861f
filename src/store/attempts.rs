//! Which key was shown to which token and what it said: what keeps kiln from locking a token.

use super::{
    AttemptId, AttemptOutcome, AttemptResult, BatchId, ConsentTo, KeyStanding, RefusedHere, Stamp, Store,
    StoreError, Trial, TrialBy, audit, tokens,
};
use crate::{domain::Serial, vault::Fingerprint};
use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::json;

impl Store {
    /// Records that a key is about to be shown to a token. Durable when it returns: only then show it.
    pub fn attempt_made(
        &self,
        serial: &Serial,
        trial: Trial,
        batch: Option<BatchId>,
        stamp: &Stamp,
    ) -> Result<AttemptId, StoreError> {
        let (serial, stamp) = (serial.clone(), stamp.clone());
        self.write(move |tx| {
            tokens::meet(tx, &serial, None, &stamp)?;
            Ok(insert(tx, &serial, trial, batch, &stamp)?)
        })
    }

    /// Records what the token said. An attempt that was left unknown can still get its answer; one that has an answer
    /// keeps it. One that was not made gives back the person's word that it was to use up.
    pub fn attempt_result(
        &self,
        attempt: AttemptId,
        result: AttemptResult,
        stamp: &Stamp,
    ) -> Result<(), StoreError> {
        let stamp = stamp.clone();
        self.write(move |tx| settle(tx, attempt, result, &stamp))
    }

    /// The same without waiting until it is durable: where nobody decides by this answer before the burn's end is on
    /// record.
    pub fn attempt_result_soon(&self, attempt: AttemptId, result: AttemptResult, stamp: &Stamp) {
        let stamp = stamp.clone();
        self.write_soon("an attempt's answer", move |tx| settle(tx, attempt, result, &stamp));
    }

    /// What is known of a key, a token and a batch (or of all attempts without a batch), to decide whether the key may
    /// be shown to the token.
    pub fn key_standing(
        &self,
        key: Fingerprint,
        serial: &Serial,
        batch: Option<BatchId>,
    ) -> Result<KeyStanding, StoreError> {
        self.read(|c| {
            // A reset token has its delivered key and all its attempts again.
            let reset: i64 = c
                .prepare_cached("SELECT coalesce(max(reset_at), -1) FROM tokens WHERE serial = ?1")?
                .query_row([serial], |row| row.get(0))?;
            let last: Option<(i64, AttemptOutcome, RefusedHere)> = c
                .prepare_cached(
                    "SELECT id, outcome, tries_left, coalesce(settled_at, at) FROM attempts
                     WHERE serial = ?1 AND key = ?2 AND at > ?3 AND outcome IN ('accepted', 'refused')
                     ORDER BY id DESC LIMIT 1",
                )?
                .query_row(params![serial, key, reset], |row| {
                    let refused = RefusedHere { tries_left: row.get(2)?, at: row.get(3)? };
                    Ok((row.get(0)?, row.get(1)?, refused))
                })
                .optional()?;
            let since = last.map_or(0, |(id, ..)| id);
            let unknown_attempts_here = c
                .prepare_cached(
                    "SELECT count(*) FROM attempts
                     WHERE serial = ?1 AND key = ?2 AND id > ?3 AND at > ?4 AND outcome IN ('made', 'unknown')",
                )?
                .query_row(params![serial, key, since, reset], |row| row.get(0))?;
            let took: Option<Fingerprint> = c
                .prepare_cached(
                    "SELECT key FROM attempts WHERE serial = ?1 AND at > ?2 AND outcome = 'accepted'
                     ORDER BY id DESC LIMIT 1",
                )?
                .query_row(params![serial, reset], |row| row.get(0))
                .optional()?;
            let (accepted_in_batch, in_flight_elsewhere) = c
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM attempts
                             WHERE key = ?1 AND batch IS ?2 AND outcome = 'accepted'),
                         EXISTS (SELECT 1 FROM attempts
                             WHERE key = ?1 AND batch IS ?2 AND outcome = 'made' AND serial <> ?3)",
                )?
                .query_row(params![key, batch, serial], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let refused_in_batch = c
                .prepare_cached(
                    "SELECT count(*) FROM attempts a WHERE key = ?1 AND batch IS ?2 AND outcome = 'refused'
                     AND NOT EXISTS (SELECT 1 FROM attempts b WHERE b.serial = a.serial AND b.key = a.key
                         AND b.id > a.id AND b.outcome IN ('accepted', 'refused'))",
                )?
                .query_row(params![key, batch], |row| row.get(0))?;
            Ok(KeyStanding {
                refused_here: last.and_then(|(_, outcome, refused)| {
                    (outcome == AttemptOutcome::Refused).then_some(refused)
                }),
                unknown_attempts_here,
                took_another_here: took.is_some_and(|took| took != key),
                accepted_in_batch,
                refused_in_batch,
                in_flight_elsewhere,
            })
        })
    }
}

/// An attempt that is about to be made. The person's word on which it rests is used up with it: it may reach the token
/// however the station ends.
pub(super) fn insert(
    tx: &Transaction<'_>,
    serial: &Serial,
    Trial { key, by }: Trial,
    batch: Option<BatchId>,
    stamp: &Stamp,
) -> rusqlite::Result<AttemptId> {
    tx.execute(
        "INSERT INTO attempts (serial, key, batch, at, outcome) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![serial, key, batch, stamp.now, AttemptOutcome::Made],
    )?;
    let id = AttemptId(tx.last_insert_rowid());
    let detail = json!({ "attempt": id, "key": key.to_string(), "batch": batch });
    audit::append(tx, stamp, "attempt made", Some(serial), &detail)?;
    if by == TrialBy::Consent
        && let Some(word) = tokens::take_consent(tx, serial, ConsentTo::AnotherAttempt, stamp)?
    {
        tx.execute("UPDATE consents SET attempt = ?2 WHERE id = ?1", params![word, id])?;
    }
    Ok(id)
}

fn settle(
    tx: &Transaction<'_>,
    attempt: AttemptId,
    result: AttemptResult,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    let (outcome, tries_left) = match result {
        AttemptResult::Accepted => (AttemptOutcome::Accepted, None),
        AttemptResult::Refused { tries_left } => (AttemptOutcome::Refused, tries_left),
        AttemptResult::Unknown => (AttemptOutcome::Unknown, None),
        AttemptResult::NotMade => (AttemptOutcome::NotMade, None),
    };
    let serial: Option<Serial> = tx
        .query_row(
            "UPDATE attempts SET outcome = ?2, tries_left = ?3, settled_at = ?4
             WHERE id = ?1 AND outcome IN ('made', 'unknown') RETURNING serial",
            params![attempt, outcome, tries_left, stamp.now],
            |row| row.get(0),
        )
        .optional()?;
    let Some(serial) = serial else {
        return Err(StoreError::Rule(format!("attempt {attempt} has its answer already")));
    };
    let detail = json!({ "attempt": attempt, "tries_left": tries_left });
    audit::append(tx, stamp, &format!("attempt {outcome}"), Some(&serial), &detail)?;
    if outcome == AttemptOutcome::NotMade {
        let given_back =
            tx.execute("UPDATE consents SET used_at = NULL, attempt = NULL WHERE attempt = ?1", [attempt])?;
        if given_back > 0 {
            let detail = json!({ "to": ConsentTo::AnotherAttempt, "attempt": attempt });
            audit::append(tx, stamp, "consent given back", Some(&serial), &detail)?;
        }
    }
    Ok(())
}
