//! What a database file says of itself, without opening it: where no server runs, a look must not migrate anything.

use super::schema::{APPLICATION_ID, STEPS};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// How many schema steps this kiln knows; the database of a running station has taken all of them.
pub const SCHEMA: u32 = STEPS.len() as u32;

/// What a file is, by its header (SQLite file format, section 1.3). Steps that were taken a moment before a crash may
/// still lie in the log beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDisk {
    /// There is none, or it is empty.
    Absent,
    /// kiln's, with so many schema steps taken.
    Schema(u32),
    /// Something else.
    NotOurs,
}

/// Reads the header of the file at `path`.
pub fn peek(path: &Path) -> io::Result<OnDisk> {
    let mut header = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(100).read_to_end(&mut header)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(OnDisk::Absent),
        Err(error) => return Err(error),
    };
    Ok(judge(&header))
}

fn judge(header: &[u8]) -> OnDisk {
    let number = |at: usize| {
        let bytes: [u8; 4] = header.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    };
    if header.is_empty() {
        return OnDisk::Absent;
    }
    // `user_version` and `application_id`.
    match (header.starts_with(b"SQLite format 3\0"), number(60), number(68)) {
        (true, Some(taken), Some(id)) if i64::from(id) == APPLICATION_ID => OnDisk::Schema(taken),
        _ => OnDisk::NotOurs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UnixMillis;
    use crate::store::Store;

    #[test]
    fn a_database_tells_its_schema_without_being_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kiln.db");
        assert_eq!(peek(&path).unwrap(), OnDisk::Absent);
        drop(Store::open(&path, UnixMillis(0)).unwrap());
        assert_eq!(peek(&path).unwrap(), OnDisk::Schema(SCHEMA));
    }

    #[test]
    fn what_is_not_ours_is_no_schema() {
        assert_eq!(judge(b""), OnDisk::Absent);
        assert_eq!(judge(b"SQLite format 3\0"), OnDisk::NotOurs);
        assert_eq!(judge(&[0; 100]), OnDisk::NotOurs);
        let mut other = [0; 100];
        other[..16].copy_from_slice(b"SQLite format 3\0");
        assert_eq!(judge(&other), OnDisk::NotOurs);
    }
}
