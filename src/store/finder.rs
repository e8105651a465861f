//! Finds tokens by any part of any of their words, while somebody types.
//!
//! SQLite needs a tenth of a second to look through a hundred thousand tokens, and its full-text indexes find nothing
//! shorter than three letters. So the words of all tokens lie in memory, a hundred bytes each, and each search first
//! reads again what changed since the one before (`token_changes`, kept by triggers in the schema).

use super::rows::count;
use crate::domain::Serial;
use memchr::memmem::Finder as Needle;
use rusqlite::Connection;
use std::collections::BTreeMap;

/// What stands between the words of a token: nobody can type it.
const GAP: &str = "\u{1f}";

/// The words of all tokens, as they were at the change that was last read.
#[derive(Default)]
pub(super) struct Finder {
    /// The last change that is in it.
    at: i64,
    /// By serial, in lower case.
    words: BTreeMap<Serial, Box<str>>,
}

/// What a search found.
pub(super) struct Found {
    /// How many tokens.
    pub total: u64,
    /// Those of the page, by serial.
    pub serials: Vec<Serial>,
}

impl Finder {
    /// Reads what changed.
    pub(super) fn catch_up(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let last: Option<i64> = connection
            .prepare_cached("SELECT max(at) FROM token_changes")?
            .query_row([], |row| row.get(0))?;
        if last.is_none_or(|last| last <= self.at) {
            return Ok(());
        }
        let mut changed = connection.prepare_cached(
            "SELECT c.at, t.serial, t.model,
                 CASE WHEN t.scrapped_at IS NOT NULL THEN 'scrapped' END,
                 (SELECT group_concat(coalesce(m.upn, '') || char(31) || coalesce(m.title, '') || char(31)
                      || coalesce(m.proof, ''), char(31))
                  FROM mappings m WHERE m.serial = t.serial AND m.ended_at IS NULL),
                 (SELECT b.name || char(31) || j.state FROM jobs j JOIN batches b ON b.id = j.batch
                  WHERE j.serial = t.serial AND b.sweep IS NULL ORDER BY j.id DESC LIMIT 1)
             FROM token_changes c JOIN tokens t ON t.serial = c.serial WHERE c.at > ?1 ORDER BY c.at",
        )?;
        let mut rows = changed.query([self.at])?;
        while let Some(row) = rows.next()? {
            let serial: Serial = row.get(1)?;
            let mut words = serial.as_str().to_owned();
            for column in 2..6 {
                if let Some(word) = row.get::<_, Option<String>>(column)? {
                    words.push_str(GAP);
                    words.push_str(&word);
                }
            }
            self.words.insert(serial, words.to_lowercase().into());
            self.at = row.get(0)?;
        }
        Ok(())
    }

    /// The tokens that hold every word of `text`: `limit` of them after the first `offset`.
    pub(super) fn find(&self, text: &str, offset: u64, limit: u32) -> Found {
        let text = text.to_lowercase();
        let needles: Vec<Needle<'_>> = text.split_whitespace().map(Needle::new).collect();
        let mut found = Found { total: 0, serials: Vec::new() };
        for (serial, words) in &self.words {
            if needles.iter().all(|needle| needle.find(words.as_bytes()).is_some()) {
                if found.total >= offset && found.serials.len() < limit as usize {
                    found.serials.push(serial.clone());
                }
                found.total += 1;
            }
        }
        found
    }
}

/// How many tokens there are.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<u64> {
    connection.prepare_cached("SELECT count(*) FROM tokens")?.query_row([], |row| count(row, 0))
}
