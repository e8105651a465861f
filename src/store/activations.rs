//! Activations: which code was given for which token when, and which the server took.

use super::{BatchId, Stamp, Store, StoreError, audit};
use crate::{
    domain::{Profile, Proof, SeedId, Serial, UnixMillis},
    remedy::{Remedy, Retry},
};
use rusqlite::{OptionalExtension, Row, params};
use serde_json::json;
use std::collections::BTreeSet;

/// A token that can't be called activated.
#[derive(Debug, thiserror::Error)]
pub enum ActivationRefused {
    /// No code of what it holds was ever given.
    #[error("no code of token {0} was given for activation")]
    NoCode(Serial),
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Remedy for ActivationRefused {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NoCode(_) => {
                "get one with \"kiln activate list\", or say the code on its display with --code"
            }
            Self::Store(error) => error.remedy(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::NoCode(_) => Retry::AfterOperator,
            Self::Store(error) => error.retry(),
        }
    }
}

/// What is activated: one profile of a token, with the seed that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToActivate {
    /// The token.
    pub serial: Serial,
    /// Its profile.
    pub profile: Profile,
    /// What that holds.
    pub seed: SeedId,
}

/// A token that was activated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// The token.
    pub serial: Serial,
    /// When a person said so.
    pub at: UnixMillis,
    /// Who.
    pub who: String,
    /// Whether the code was computed or seen.
    pub proof: Proof,
}

impl Store {
    /// Codes of these were computed and are about to be shown.
    pub fn codes_given(&self, of: Vec<ToActivate>, stamp: &Stamp) -> Result<(), StoreError> {
        let stamp = stamp.clone();
        self.write(move |tx| {
            for one in &of {
                tx.execute(
                    "INSERT INTO activations (serial, profile, seed, proof, given_at, given_by)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![one.serial, one.profile, one.seed, Proof::Computed, stamp.now, stamp.who],
                )?;
            }
            let serials: Vec<&str> = of.iter().map(|one| one.serial.as_str()).collect();
            let detail = json!({ "serials": serials });
            Ok(audit::append(tx, &stamp, "activation codes computed", None, &detail)?)
        })
    }

    /// When codes were given since `moment`, oldest first: a server lets only so many through.
    pub fn codes_given_since(&self, moment: UnixMillis) -> Result<Vec<UnixMillis>, StoreError> {
        self.read(|c| {
            Ok(c.prepare_cached("SELECT given_at FROM activations WHERE given_at > ?1 ORDER BY given_at")?
                .query_map([moment], |row| row.get(0))?
                .collect::<Result<_, _>>()?)
        })
    }

    /// The seed of this token of which a code was given last.
    pub fn last_code_given(&self, serial: &Serial) -> Result<Option<SeedId>, StoreError> {
        self.read(|c| {
            Ok(c.prepare_cached("SELECT seed FROM activations WHERE serial = ?1 ORDER BY id DESC LIMIT 1")?
                .query_row([serial], |row| row.get(0))
                .optional()?)
        })
    }

    /// The seeds whose tokens were activated.
    pub fn activated_seeds(&self) -> Result<BTreeSet<SeedId>, StoreError> {
        self.read(|c| {
            Ok(c.prepare_cached("SELECT DISTINCT seed FROM activations WHERE done_at IS NOT NULL")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?)
        })
    }

    /// The server took the codes of these: those that were computed, or one that was seen.
    pub fn activated(
        &self,
        of: Vec<ToActivate>,
        proof: Proof,
        stamp: &Stamp,
    ) -> Result<(), ActivationRefused> {
        let stamp = stamp.clone();
        self.write(move |tx| {
            for one in &of {
                if proof == Proof::Seen {
                    tx.execute(
                        "INSERT INTO activations
                             (serial, profile, seed, proof, given_at, given_by, done_at, done_by)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5, ?6)",
                        params![one.serial, one.profile, one.seed, proof, stamp.now, stamp.who],
                    )
                    .map_err(StoreError::from)?;
                } else {
                    let given: Option<i64> = tx
                        .prepare_cached(
                            "SELECT max(id) FROM activations WHERE seed = ?1 AND proof = 'computed'",
                        )
                        .and_then(|mut found| {
                            found.query_row([one.seed], |row| row.get(0)).optional().map(Option::flatten)
                        })
                        .map_err(StoreError::from)?;
                    let given = given.ok_or_else(|| ActivationRefused::NoCode(one.serial.clone()))?;
                    tx.execute(
                        "UPDATE activations SET done_at = ?2, done_by = ?3 WHERE id = ?1 AND done_at IS NULL",
                        params![given, stamp.now, stamp.who],
                    )
                    .map_err(StoreError::from)?;
                }
                let detail = json!({ "profile": one.profile, "proof": proof.word() });
                audit::append(tx, &stamp, "token activated", Some(&one.serial), &detail)
                    .map_err(StoreError::from)?;
            }
            Ok(())
        })
    }

    /// The activations of what a batch burned, oldest first.
    pub fn activations_of(&self, batch: BatchId) -> Result<Vec<Activation>, StoreError> {
        self.read(|c| {
            Ok(c.prepare_cached(
                "SELECT a.serial, a.done_at, a.done_by, a.proof FROM activations a
                 JOIN mappings m ON m.seed = a.seed JOIN jobs j ON j.id = m.job
                 WHERE j.batch = ?1 AND a.done_at IS NOT NULL ORDER BY a.done_at, a.id",
            )?
            .query_map([batch], activation_row)?
            .collect::<Result<_, _>>()?)
        })
    }
}

fn activation_row(row: &Row<'_>) -> rusqlite::Result<Activation> {
    Ok(Activation { serial: row.get(0)?, at: row.get(1)?, who: row.get(2)?, proof: row.get(3)? })
}
