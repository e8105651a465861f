//! The schema, as an append-only list of steps, and how a file is brought to the last one.
//!
//! `user_version` counts the steps a file has taken. A step that was released is never edited: a file that took it
//! has to mean the same for ever. All missing steps are taken in one exclusive transaction, after a copy of the file
//! was made beside it.

use super::error::StoreError;
use crate::domain::UnixMillis;
use rusqlite::{Connection, TransactionBehavior, backup::Backup};
use std::{
    fs::{File, OpenOptions},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// "kiln" in ASCII, at a fixed place in the file's header, so that `file` and we can tell it from other databases.
pub(super) const APPLICATION_ID: i64 = 0x6B69_6C6E;

/// What each step does. Append; never edit.
pub(super) const STEPS: &[&str] = &[
    include_str!("schema/step-001.sql"),
    include_str!("schema/step-002.sql"),
    include_str!("schema/step-003.sql"),
    include_str!("schema/step-004.sql"),
    include_str!("schema/step-005.sql"),
    include_str!("schema/step-006.sql"),
    include_str!("schema/step-007.sql"),
    include_str!("schema/step-008.sql"),
    include_str!("schema/step-009.sql"),
    include_str!("schema/step-010.sql"),
    include_str!("schema/step-011.sql"),
    include_str!("schema/step-012.sql"),
];

/// Opens `path` for writing, private from its first byte, at the last schema.
pub(super) fn open(path: &Path, now: UnixMillis) -> Result<Connection, StoreError> {
    make_private(path)?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    // Which file it is is decided before anything (even the journal's mode) is written to it.
    let fresh = recognise(&connection, path)?;
    steps_taken(&connection, path, STEPS)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(128);
    migrate(&mut connection, path, now, STEPS, fresh)?;
    Ok(connection)
}

/// A connection of its own that can't write.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    use rusqlite::OpenFlags as F;
    let connection = Connection::open_with_flags(path, F::SQLITE_OPEN_READ_ONLY | F::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// SQLite gives its `-wal` and `-shm` files the rights of the database, so those of the database are all there is to
/// set.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let refuse = |source| StoreError::Open { path: path.to_owned(), source };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(refuse)?;
    let mut rights = file.metadata().map_err(refuse)?.permissions();
    if rights.mode() & 0o077 != 0 {
        rights.set_mode(0o600);
        file.set_permissions(rights).map_err(refuse)?;
    }
    Ok(())
}

/// Whether the file is empty; an error if it is another program's.
fn recognise(connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (id, tables) {
        (APPLICATION_ID, _) => Ok(tables == 0),
        (0, 0) => Ok(true),
        _ => Err(StoreError::NotOurs { path: path.to_owned() }),
    }
}

/// How many of `steps` the file has taken; an error if it has taken more.
fn steps_taken(connection: &Connection, path: &Path, steps: &[&str]) -> Result<usize, StoreError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match usize::try_from(found) {
        Ok(taken) if taken <= steps.len() => Ok(taken),
        _ => Err(StoreError::Newer { path: path.to_owned(), found, known: steps.len() as i64 }),
    }
}

fn migrate(
    connection: &mut Connection,
    path: &Path,
    now: UnixMillis,
    steps: &[&str],
    fresh: bool,
) -> Result<(), StoreError> {
    let before = steps_taken(connection, path, steps)?;
    if before == steps.len() {
        return Ok(());
    }
    if !fresh {
        back_up(connection, path, before, now)?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    // Read again: another process may have taken the steps while the copy was made.
    for step in &steps[steps_taken(&transaction, path, steps)?..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", steps.len() as i64)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()?;
    Ok(())
}

fn back_up(from: &Connection, path: &Path, version: usize, now: UnixMillis) -> Result<(), StoreError> {
    let copy = backup_path(path, version, now);
    let refuse = |reason: String| StoreError::Backup { path: copy.clone(), reason };
    let made = || -> Result<(), String> {
        let file: File = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&copy)
            .map_err(|why| why.to_string())?;
        let mut to = Connection::open(&copy).map_err(|why| why.to_string())?;
        let backup = Backup::new(from, &mut to).map_err(|why| why.to_string())?;
        backup.run_to_completion(1024, Duration::ZERO, None).map_err(|why| why.to_string())?;
        drop(backup);
        to.close().map_err(|(_, why)| why.to_string())?;
        file.sync_all().map_err(|why| why.to_string())
    };
    made().map_err(refuse)
}

/// `<database>.backup-v<schema>-<UTC, to the second>`, beside the database.
fn backup_path(path: &Path, version: usize, now: UnixMillis) -> PathBuf {
    let moment: String = now.floor_second().to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".backup-v{version}-{moment}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_780_000_000_000);

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_file_and_its_companions_are_private() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("kiln.db");
        let connection = open(&path, NOW).unwrap();
        connection.execute("INSERT INTO slot_names VALUES ('reader', 'left')", []).unwrap();
        let files: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|f| f.unwrap().path()).collect();
        assert!(files.len() >= 2, "{files:?}");
        assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
    }

    #[test]
    fn a_file_with_loose_rights_is_made_private() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("kiln.db");
        drop(open(&path, NOW).unwrap());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        drop(open(&path, NOW).unwrap());
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn it_is_durable_and_strict() {
        let home = tempfile::tempdir().unwrap();
        let connection = open(&home.path().join("kiln.db"), NOW).unwrap();
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        let journal: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!((journal.as_str(), pragma("synchronous"), pragma("foreign_keys")), ("wal", 2, 1));
        assert_eq!(pragma("user_version"), STEPS.len() as i64);
        let loose: i64 = connection
            .query_row(
                "SELECT count(*) FROM pragma_table_list
                 WHERE schema = 'main' AND name NOT LIKE 'sqlite_%' AND type = 'table' AND strict = 0",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(loose, 0, "every table is STRICT");
    }

    #[test]
    fn an_older_file_is_copied_and_then_brought_up() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("kiln.db");
        let steps = ["CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (7);"];
        let mut old = Connection::open(&path).unwrap();
        migrate(&mut old, &path, NOW, &steps, true).unwrap();
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "a new file needs no copy");

        let steps = [steps[0], "ALTER TABLE a ADD COLUMN y INTEGER; UPDATE a SET y = x + 1;"];
        migrate(&mut old, &path, NOW, &steps, false).unwrap();
        assert_eq!(old.query_row("SELECT y FROM a", [], |row| row.get::<_, i64>(0)).unwrap(), 8);

        let copy = home.path().join("kiln.db.backup-v1-20260528T202640Z");
        assert_eq!(mode(&copy), 0o600);
        let kept = Connection::open(&copy).unwrap();
        assert_eq!(kept.query_row("SELECT x FROM a", [], |row| row.get::<_, i64>(0)).unwrap(), 7);
        assert!(kept.prepare("SELECT y FROM a").is_err(), "the copy has the old schema");
        migrate(&mut old, &path, NOW, &steps, false).expect("a second time there is nothing to do");
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("kiln.db");
        let steps = ["CREATE TABLE a (x INTEGER) STRICT;"];
        let mut old = Connection::open(&path).unwrap();
        migrate(&mut old, &path, NOW, &steps, true).unwrap();
        let steps = [steps[0], "CREATE TABLE b (x INTEGER) STRICT;", "CREATE TABLE b (x INTEGER) STRICT;"];
        assert!(migrate(&mut old, &path, NOW, &steps, false).is_err());
        assert!(old.prepare("SELECT x FROM b").is_err());
        assert_eq!(old.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap(), 1);
    }

    #[test]
    fn without_a_copy_nothing_is_changed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("kiln.db");
        let mut old = Connection::open(&path).unwrap();
        migrate(&mut old, &path, NOW, &["CREATE TABLE a (x INTEGER) STRICT;"], true).unwrap();
        std::fs::write(backup_path(&path, 1, NOW), b"in the way").unwrap();
        let steps = ["CREATE TABLE a (x INTEGER) STRICT;", "CREATE TABLE b (x INTEGER) STRICT;"];
        assert!(matches!(migrate(&mut old, &path, NOW, &steps, false), Err(StoreError::Backup { .. })));
        assert!(old.prepare("SELECT x FROM b").is_err());
    }

    #[test]
    fn a_newer_file_is_refused_untouched() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("kiln.db");
        let connection = open(&path, NOW).unwrap();
        // Not in WAL mode: opening it for work would change its header.
        connection.pragma_update(None, "journal_mode", "DELETE").unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        connection.close().unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(open(&path, NOW), Err(StoreError::Newer { found: 99, .. })));
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "no copy, no journal");
    }

    #[test]
    fn another_programs_file_is_refused_untouched() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("kiln.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE moz_places (x)").unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(open(&path, NOW), Err(StoreError::NotOurs { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), before);

        std::fs::write(&path, b"this is not a database at all, but long enough").unwrap();
        assert!(matches!(open(&path, NOW), Err(StoreError::Damaged(_))));
    }
}
