//! ZIP archives, as vendors send them: with a password, ZipCrypto or AES.
//!
//! ZipCrypto tells a wrong password by one byte: one in 256 gets past it and shows only in what it makes of the content.

use super::{MAX_PLAIN_BYTES, Plain, ReadError, read_all};
use crate::remedy::{Remedy, Retry};
use std::{fmt, io::Cursor};
use zip::{CompressionMethod, ZipArchive, result::ZipError};

/// The most entries of an archive; directories count.
pub const MAX_ENTRIES: usize = 1000;

/// How far text shrinks at most. PSKC of one vendor's tokens shrinks to a twentieth.
pub const MAX_RATIO: u64 = 200;

/// What senders' programs use.
const METHODS: [CompressionMethod; 4] = [
    CompressionMethod::Stored,
    CompressionMethod::Deflated,
    CompressionMethod::Deflate64,
    CompressionMethod::Bzip2,
];

/// Below this size the ratio says nothing.
const RATIO_FROM_BYTES: u64 = 1 << 20;

/// Why an archive can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Cut off, or changed.
    #[error("the ZIP archive is damaged or cut off")]
    Damaged,
    /// Packed or encrypted in a way that is unknown here.
    #[error("the ZIP archive uses {what}")]
    Unsupported {
        /// What.
        what: String,
    },
    /// No file in it.
    #[error("the ZIP archive holds no file")]
    NoFile,
    /// More entries than an archive of seed files has.
    #[error("the ZIP archive holds more than {MAX_ENTRIES} entries")]
    TooManyEntries,
    /// An entry is longer than a seed file.
    #[error("{entry} in the archive holds more than {} MiB", MAX_PLAIN_BYTES >> 20)]
    TooLarge {
        /// Its name.
        entry: String,
    },
    /// An entry is packed tighter than text can be.
    #[error("{entry} in the archive unpacks to more than {MAX_RATIO} times its size: no text does")]
    Bomb {
        /// Its name.
        entry: String,
    },
    /// An entry has a password, and none was given.
    #[error("{entry} in the archive has a password")]
    PasswordNeeded {
        /// Its name.
        entry: String,
    },
    /// Another one than was given.
    #[error("the password does not open {entry} in the archive, or the archive is damaged")]
    WrongPassword {
        /// Its name.
        entry: String,
        /// Whether the password holds something besides letters and digits.
        odd: bool,
    },
}

impl Remedy for ArchiveError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Damaged => "fetch it again, then have it sent anew",
            Self::Unsupported { .. } => {
                "ask the sender for a ZIP archive with AES-256 (7-Zip's own choice for ZIP), or for an OpenPGP message"
            }
            Self::NoFile => "ask the sender for the file that should be in it",
            Self::TooManyEntries | Self::TooLarge { .. } | Self::Bomb { .. } => {
                "no seed file looks like that: ask the sender what this is"
            }
            Self::PasswordNeeded { .. } => {
                "run it in a terminal, where it can be asked for, or give --password-file FILE"
            }
            Self::WrongPassword { odd: true, .. } => {
                "type it again; characters besides letters and digits are easily lost on the way: ask the vendor for a password without them"
            }
            Self::WrongPassword { odd: false, .. } => {
                "type it again; if it came with more than letters and digits, the rest was lost on the way: ask the vendor for another"
            }
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Damaged
            | Self::Unsupported { .. }
            | Self::NoFile
            | Self::TooManyEntries
            | Self::TooLarge { .. }
            | Self::Bomb { .. } => Retry::Never,
            Self::PasswordNeeded { .. } | Self::WrongPassword { .. } => Retry::AfterOperator,
        }
    }
}

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name with its folders, as the archive spells it; control characters replaced.
    pub name: String,
    /// Its length, as the archive states it.
    pub bytes: u64,
    /// Whether it has a password.
    pub encrypted: bool,
    index: usize,
    packed: u64,
    method: CompressionMethod,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.name, self.bytes)
    }
}

/// An archive that lists what it holds.
#[derive(Debug)]
pub struct Archive<'b> {
    zip: ZipArchive<Cursor<&'b [u8]>>,
    entries: Vec<Entry>,
}

impl<'b> Archive<'b> {
    /// Reads the list. What macOS puts beside files is passed over.
    pub fn open(bytes: &'b [u8]) -> Result<Self, ArchiveError> {
        // Before the list is built, which costs much more memory than the bytes that ask for it.
        let headers = bytes.windows(4).filter(|window| *window == b"PK\x01\x02").count();
        if headers > 4 * MAX_ENTRIES {
            return Err(ArchiveError::TooManyEntries);
        }
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(told)?;
        if zip.len() > MAX_ENTRIES {
            return Err(ArchiveError::TooManyEntries);
        }
        let mut entries = Vec::new();
        for index in 0..zip.len() {
            let entry = zip.by_index_data(index).map_err(told)?;
            let name = entry.name().map_err(told)?;
            let name: String =
                name.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
            let file = name.rsplit('/').next().unwrap_or_default();
            if entry.is_dir() || name.starts_with("__MACOSX/") || file == ".DS_Store" {
                continue;
            }
            entries.push(Entry {
                bytes: entry.size(),
                encrypted: entry.encrypted(),
                index,
                packed: entry.compressed_size(),
                method: entry.compression(),
                name,
            });
        }
        if entries.is_empty() { Err(ArchiveError::NoFile) } else { Ok(Self { zip, entries }) }
    }

    /// Its files, in the archive's order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Unpacks a file. `entry` is one of [`Self::entries`].
    pub fn read(&mut self, entry: &Entry, password: Option<&str>) -> Result<Plain, ArchiveError> {
        let name = || entry.name.clone();
        if !METHODS.contains(&entry.method) {
            return Err(ArchiveError::Unsupported {
                what: format!("the compression method {}", entry.method),
            });
        }
        let password = match (entry.encrypted, password) {
            (true, None) => return Err(ArchiveError::PasswordNeeded { entry: name() }),
            (true, Some(password)) => Some(password),
            (false, _) => None,
        };
        // A wrong password can look like any damage.
        let failed = |error| match (error, password) {
            (ArchiveError::Damaged, Some(password)) => ArchiveError::WrongPassword {
                entry: name(),
                odd: !password.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            },
            (error, _) => error,
        };
        // The sizes that the archive states are no promise; they refuse early, and what is read is counted.
        let limit = if entry.packed < RATIO_FROM_BYTES / MAX_RATIO {
            RATIO_FROM_BYTES
        } else {
            entry.packed.saturating_mul(MAX_RATIO)
        };
        let largest = u64::try_from(MAX_PLAIN_BYTES).unwrap_or(u64::MAX);
        let too_long = || {
            if limit < largest {
                ArchiveError::Bomb { entry: name() }
            } else {
                ArchiveError::TooLarge { entry: name() }
            }
        };
        let limit_here = limit.min(largest);
        if entry.bytes > limit_here {
            return Err(too_long());
        }
        let opened = match password {
            Some(password) => self.zip.by_index_decrypt(entry.index, password.as_bytes()),
            None => self.zip.by_index(entry.index),
        };
        let mut file = opened.map_err(told).map_err(failed)?;
        let expected = usize::try_from(entry.bytes).unwrap_or(MAX_PLAIN_BYTES);
        let limit_here = usize::try_from(limit_here).unwrap_or(MAX_PLAIN_BYTES);
        read_all(&mut file, expected, limit_here).map_err(|error| match error {
            ReadError::TooLong => too_long(),
            ReadError::Io(_) => failed(ArchiveError::Damaged),
        })
    }
}

fn told(error: ZipError) -> ArchiveError {
    match error {
        ZipError::CompressionMethodNotSupported(method) => {
            ArchiveError::Unsupported { what: format!("the compression method {method}") }
        }
        ZipError::UnsupportedArchive(what) => ArchiveError::Unsupported { what: what.to_owned() },
        // A wrong password as well: its caller knows whether there was one.
        _ => ArchiveError::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do() {
        for error in [
            ArchiveError::Damaged,
            ArchiveError::Unsupported { what: "compression method 14".into() },
            ArchiveError::NoFile,
            ArchiveError::TooManyEntries,
            ArchiveError::TooLarge { entry: "a".into() },
            ArchiveError::Bomb { entry: "a".into() },
            ArchiveError::PasswordNeeded { entry: "a".into() },
            ArchiveError::WrongPassword { entry: "a".into(), odd: true },
            ArchiveError::WrongPassword { entry: "a".into(), odd: false },
        ] {
            assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}");
            let _ = error.retry();
        }
    }
}
