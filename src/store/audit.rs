//! The audit log: each entry carries the hash of the one before, so that a change anywhere shows from there on.
//!
//! A chain alone cannot show that its end was cut off or all of it rewritten; that takes a head kept elsewhere.

use super::{
    AuditEntry, AuditHead, BatchId, Broken, Listed, Page, Stamp, Store, StoreError,
    rows::{count, to_count},
};
use crate::domain::Serial;
use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

const COLUMNS: &str = "seq, at, who, what, serial, clock, detail, previous, hash";

impl Store {
    /// Records something that no other act records. `detail` is a JSON object without secrets.
    pub fn audit_append(
        &self,
        what: &str,
        serial: Option<&Serial>,
        detail: serde_json::Value,
        stamp: &Stamp,
    ) -> Result<AuditHead, StoreError> {
        let (what, serial, stamp) = (what.to_owned(), serial.cloned(), stamp.clone());
        self.write(move |tx| {
            append(tx, &stamp, &what, serial.as_ref(), &detail)?;
            Ok(head(tx)?)
        })
    }

    /// Entries that hold `text` in who, what, serial or detail (in any case; empty: all), latest first.
    pub fn audit_page(&self, text: &str, page: Page) -> Result<Listed<AuditEntry>, StoreError> {
        const WANTED: &str = "WHERE ?1 = '' OR instr(
            lower(who || char(31) || what || char(31) || coalesce(serial, '') || char(31) || detail), lower(?1)) > 0";
        self.read(|c| {
            let items = c
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM audit {WANTED} ORDER BY seq DESC LIMIT ?2 OFFSET ?3"
                ))?
                .query_map(params![text, page.limit, to_count(page.offset)], entry_row)?
                .collect::<Result<_, _>>()?;
            let total = c
                .prepare_cached(&format!("SELECT count(*) FROM audit {WANTED}"))?
                .query_row([text], |row| count(row, 0))?;
            Ok(Listed { items, total })
        })
    }

    /// Entries about a batch as a whole (made, started, paused, imported into, exported, …), oldest first. What was done to
    /// each token stands with its job.
    pub fn audit_of_batch(&self, id: BatchId, name: &str) -> Result<Vec<AuditEntry>, StoreError> {
        // As the entry's JSON has it, whatever the name holds; imports name the row.
        let named = format!("\"batch\":{}", serde_json::Value::from(name));
        let numbered = format!("\"batch\":{id},");
        self.read(|c| {
            Ok(c.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM audit WHERE serial IS NULL AND (instr(detail, ?1) > 0
                     OR (what = 'imported' AND instr(detail, ?2) > 0)) ORDER BY seq"
            ))?
            .query_map([named, numbered], entry_row)?
            .collect::<Result<_, _>>()?)
        })
    }

    /// The end of the chain.
    pub fn audit_head(&self) -> Result<AuditHead, StoreError> {
        self.read(|c| Ok(head(c)?))
    }

    /// Goes through the whole chain, and looks whether each head in `anchors`, kept elsewhere, is part of it. Tells
    /// the first entry that is not as it was written.
    pub fn audit_verify(&self, anchors: &[AuditHead]) -> Result<AuditHead, Broken> {
        self.read(|c| {
            let mut at = AuditHead { seq: 0, hash: [0; 32] };
            let mut missing: Vec<AuditHead> =
                anchors.iter().filter(|anchor| **anchor != at).copied().collect();
            let mut statement = c.prepare(&format!("SELECT {COLUMNS} FROM audit ORDER BY seq"))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let broken = |why| Broken::Entry { seq: at.seq + 1, why };
                let entry = entry_row(row).map_err(|_| broken("it can't be read"))?;
                if entry.seq != at.seq + 1 {
                    return Err(broken("it is missing"));
                }
                if entry.previous != at.hash {
                    return Err(broken("it does not follow the entry before"));
                }
                if entry.hash != hash(&entry) {
                    return Err(broken("its hash is not that of its contents"));
                }
                at = AuditHead { seq: entry.seq, hash: entry.hash };
                missing.retain(|anchor| *anchor != at);
            }
            match missing.first() {
                Some(anchor) => Err(Broken::Anchor(*anchor)),
                None => Ok(at),
            }
        })
    }
}

/// Appends an entry within the act's own transaction.
pub(super) fn append(
    tx: &Connection,
    stamp: &Stamp,
    what: &str,
    serial: Option<&Serial>,
    detail: &serde_json::Value,
) -> rusqlite::Result<()> {
    let last = head(tx)?;
    let mut entry = AuditEntry {
        seq: last.seq + 1,
        at: stamp.now,
        who: stamp.who.clone(),
        what: what.to_owned(),
        serial: serial.map(|serial| serial.as_str().to_owned()),
        clock: stamp.clock.to_string(),
        detail: detail.to_string(),
        previous: last.hash,
        hash: [0; 32],
    };
    entry.hash = hash(&entry);
    tx.prepare_cached("INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?.execute(params![
        to_count(entry.seq),
        entry.at,
        entry.who,
        entry.what,
        entry.serial,
        entry.clock,
        entry.detail,
        entry.previous,
        entry.hash
    ])?;
    Ok(())
}

fn head(connection: &Connection) -> rusqlite::Result<AuditHead> {
    Ok(connection
        .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok(AuditHead { seq: count(row, 0)?, hash: row.get(1)? }))
        .optional()?
        .unwrap_or(AuditHead { seq: 0, hash: [0; 32] }))
}

fn entry_row(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        seq: count(row, 0)?,
        at: row.get(1)?,
        who: row.get(2)?,
        what: row.get(3)?,
        serial: row.get(4)?,
        clock: row.get(5)?,
        detail: row.get(6)?,
        previous: row.get(7)?,
        hash: row.get(8)?,
    })
}

/// SHA-256 over "kiln audit v1", the previous hash, number and moment (8 bytes each, big-endian), then each text with
/// its length (4 bytes, big-endian) before it: who, what, serial, clock, detail. A serial's text begins with a byte 1;
/// where there is none, the text is empty. So no two entries have the same encoding.
fn hash(entry: &AuditEntry) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"kiln audit v1");
    hasher.update(entry.previous);
    hasher.update(entry.seq.to_be_bytes());
    hasher.update(entry.at.0.to_be_bytes());
    let mut text = |text: &str| {
        hasher.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        hasher.update(text);
    };
    text(&entry.who);
    text(&entry.what);
    match &entry.serial {
        None => text(""),
        Some(serial) => text(&format!("\u{1}{serial}")),
    }
    text(&entry.clock);
    text(&entry.detail);
    hasher.finalize().into()
}
