//! The vault's holders and the customer keys. Nothing is opened here: files and keys come and go sealed.

use super::{Holder, KeyRecord, Stamp, Store, StoreError, VaultRefused, audit};
use crate::vault::{Fingerprint, Sealed};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::json;

impl Store {
    /// Makes the vault of this store: `check` is sealed under its data key, `holder` is the first to hold that.
    pub fn init_vault(&self, check: Sealed, holder: Holder, stamp: &Stamp) -> Result<(), VaultRefused> {
        let stamp = stamp.clone();
        self.write(move |tx| {
            if vault_check(tx)?.is_some() {
                return Err(VaultRefused::AlreadyMade);
            }
            tx.execute("INSERT INTO vault VALUES (1, ?1, ?2)", params![check, stamp.now])?;
            audit::append(tx, &stamp, "vault made", None, &json!({}))?;
            insert_holder(tx, &holder, &stamp)
        })
    }

    /// What tells the right data key; `None` before the vault is made.
    pub fn vault_check(&self) -> Result<Option<Sealed>, StoreError> {
        self.read(|c| Ok(vault_check(c)?))
    }

    /// Everyone who can open the vault, by name.
    pub fn holders(&self) -> Result<Vec<Holder>, StoreError> {
        self.read(|c| {
            let mut statement =
                c.prepare_cached("SELECT name, kind, recipient, file FROM holders ORDER BY name")?;
            let holders = statement.query_map([], |row| {
                Ok(Holder { name: row.get(0)?, kind: row.get(1)?, recipient: row.get(2)?, file: row.get(3)? })
            })?;
            Ok(holders.collect::<Result<_, _>>()?)
        })
    }

    /// One more who can open it.
    pub fn add_holder(&self, holder: Holder, stamp: &Stamp) -> Result<(), VaultRefused> {
        let stamp = stamp.clone();
        self.write(move |tx| {
            if vault_check(tx)?.is_none() {
                return Err(VaultRefused::NoVault);
            }
            insert_holder(tx, &holder, &stamp)
        })
    }

    /// One less; never the last. The data key stays the same: whoever kept a copy of the file can open old copies of
    /// the store.
    pub fn remove_holder(&self, name: &str, stamp: &Stamp) -> Result<(), VaultRefused> {
        let (name, stamp) = (name.to_owned(), stamp.clone());
        self.write(move |tx| {
            let others: i64 =
                tx.query_row("SELECT count(*) FROM holders WHERE name <> ?1", [&name], |row| row.get(0))?;
            let known = tx
                .query_row("SELECT 1 FROM holders WHERE name = ?1", [&name], |_| Ok(()))
                .optional()?
                .is_some();
            match (known, others) {
                (false, _) => return Err(VaultRefused::NoHolder(name)),
                (true, 0) => return Err(VaultRefused::LastHolder(name)),
                (true, _) => {}
            }
            tx.execute("DELETE FROM holders WHERE name = ?1", [&name])?;
            Ok(audit::append(tx, &stamp, "holder removed", None, &json!({ "holder": name }))?)
        })
    }

    /// Takes a customer key on record. It must be safe here before any token learns it.
    pub fn add_key(
        &self,
        name: &str,
        sealed: Sealed,
        fingerprint: Fingerprint,
        stamp: &Stamp,
    ) -> Result<(), VaultRefused> {
        let (name, stamp) = (name.to_owned(), stamp.clone());
        self.write(move |tx| {
            if vault_check(tx)?.is_none() {
                return Err(VaultRefused::NoVault);
            }
            if key(tx, &name)?.is_some() {
                return Err(VaultRefused::KeyExists(name));
            }
            tx.execute(
                "INSERT INTO keys (name, sealed, fingerprint, added_at, added_by)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![name, sealed, fingerprint, stamp.now, stamp.who],
            )?;
            let detail = json!({ "key": name, "fingerprint": fingerprint.to_string() });
            Ok(audit::append(tx, &stamp, "key added", None, &detail)?)
        })
    }

    /// All customer keys, by name.
    pub fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.read(|c| {
            let mut statement = c.prepare_cached(&format!("{KEY} ORDER BY name"))?;
            Ok(statement.query_map([], key_row)?.collect::<Result<_, _>>()?)
        })
    }

    /// The customer key of that name.
    pub fn key(&self, name: &str) -> Result<Option<KeyRecord>, StoreError> {
        self.read(|c| Ok(key(c, name)?))
    }
}

fn vault_check(connection: &Connection) -> rusqlite::Result<Option<Sealed>> {
    connection.query_row("SELECT sealed_check FROM vault", [], |row| row.get(0)).optional()
}

fn insert_holder(tx: &Transaction<'_>, holder: &Holder, stamp: &Stamp) -> Result<(), VaultRefused> {
    let added = tx.execute(
        "INSERT INTO holders VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO NOTHING",
        params![holder.name, holder.kind, holder.recipient, holder.file, stamp.now, stamp.who],
    )?;
    if added == 0 {
        return Err(VaultRefused::HolderExists(holder.name.clone()));
    }
    let detail = json!({ "holder": holder.name, "kind": holder.kind.word(), "recipient": holder.recipient });
    Ok(audit::append(tx, stamp, "holder added", None, &detail)?)
}

const KEY: &str = "SELECT name, sealed, fingerprint, added_at, added_by FROM keys";

fn key_row(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    Ok(KeyRecord {
        name: row.get(0)?,
        sealed: row.get(1)?,
        fingerprint: row.get(2)?,
        added_at: row.get(3)?,
        added_by: row.get(4)?,
    })
}

pub(super) fn key(connection: &Connection, name: &str) -> rusqlite::Result<Option<KeyRecord>> {
    connection.prepare_cached(&format!("{KEY} WHERE name = ?1"))?.query_row([name], key_row).optional()
}
