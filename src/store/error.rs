//! What can go wrong in the store: one enum for each kind of act, all of which can also meet a [`StoreError`].

use super::records::{AuditHead, BatchState, Duplicate};
use crate::{
    domain::{BadMove, Profile, Serial},
    remedy::{Remedy, Retry},
};
use std::{io, path::PathBuf};

/// The database itself can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file can't be made, opened or kept private.
    #[error("the store {path} can't be opened: {source}", path = path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A newer kiln wrote it.
    #[error(
        "the store {path} has schema {found}, this kiln knows only up to {known}",
        path = path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// What is written in it.
        found: i64,
        /// What this kiln can read.
        known: i64,
    },
    /// It is a database, but not kiln's.
    #[error("{path} is the database of another program", path = path.display())]
    NotOurs {
        /// Which file.
        path: PathBuf,
    },
    /// It must be brought to the present schema, and the copy that is made first could not be made.
    #[error("the copy {path} can't be made: {reason}", path = path.display())]
    Backup {
        /// The copy.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// No room is left on the disk. Nothing of the act was recorded.
    #[error("the disk is full, nothing was recorded")]
    DiskFull,
    /// The disk failed. Nothing of the act was recorded.
    #[error("the disk failed: {0}")]
    Disk(String),
    /// Another program keeps the database locked.
    #[error("another program keeps the store locked")]
    Locked,
    /// The file's contents contradict themselves, or are no database.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// A rule of the schema stopped an act that the code should have refused earlier.
    #[error("the store refused an act: {0}")]
    Rule(String),
    /// The thread that writes is gone.
    #[error("the store has stopped")]
    Stopped,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as C;
        match error.sqlite_error_code() {
            Some(C::DiskFull) => Self::DiskFull,
            Some(C::SystemIoFailure | C::ReadOnly | C::CannotOpen | C::PermissionDenied) => {
                Self::Disk(error.to_string())
            }
            Some(C::DatabaseBusy | C::DatabaseLocked | C::FileLockingProtocolFailed) => Self::Locked,
            Some(C::ConstraintViolation) => Self::Rule(error.to_string()),
            _ => Self::Damaged(error.to_string()),
        }
    }
}

impl Remedy for StoreError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Open { .. } => "check that the station's home exists and belongs to this account",
            Self::Newer { .. } => "use the newer kiln that wrote this store",
            Self::NotOurs { .. } => "point KILN_HOME at a folder of kiln's own",
            Self::Backup { .. } => "make room beside the store, then start again; nothing was changed",
            Self::DiskFull => "make room on the disk that holds the station's home",
            Self::Disk(_) => {
                "check the disk that holds the station's home, and whether it is mounted read-only"
            }
            Self::Locked => "close the other program that has the store's file open",
            Self::Damaged(_) => "stop the station, keep a copy of its home, and restore the last backup",
            Self::Rule(_) => "report this with the last lines of the station's log; the records are unharmed",
            Self::Stopped => "start the station again",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Locked => Retry::Soon,
            Self::Open { .. } | Self::Backup { .. } | Self::DiskFull | Self::Disk(_) | Self::Stopped => {
                Retry::AfterOperator
            }
            Self::Newer { .. } | Self::NotOurs { .. } | Self::Damaged(_) | Self::Rule(_) => Retry::Never,
        }
    }
}

/// Lets each act's error take what SQLite says.
macro_rules! from_sqlite {
    ($($name:ident),+) => { $(
        impl From<rusqlite::Error> for $name {
            fn from(error: rusqlite::Error) -> Self {
                Self::Store(error.into())
            }
        }
    )+ };
}

from_sqlite!(VaultRefused, ImportRefused, BatchRefused, MoveRefused, ClaimRefused, TokenRefused, Broken);

/// Holders or keys can't be changed that way.
#[derive(Debug, thiserror::Error)]
pub enum VaultRefused {
    /// There is a vault already.
    #[error("this store has a vault already")]
    AlreadyMade,
    /// There is none yet.
    #[error("this store has no vault yet")]
    NoVault,
    /// Another holder has that name.
    #[error("there is a holder \"{0}\" already")]
    HolderExists(String),
    /// No holder has that name.
    #[error("there is no holder \"{0}\"")]
    NoHolder(String),
    /// Nobody could open the vault any more.
    #[error("\"{0}\" is the only holder: without it nobody could open the vault again")]
    LastHolder(String),
    /// Another key has that name.
    #[error("there is a key \"{0}\" already")]
    KeyExists(String),
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Remedy for VaultRefused {
    fn remedy(&self) -> &'static str {
        match self {
            Self::AlreadyMade => "unlock it with \"kiln unlock\", or choose another KILN_HOME",
            Self::NoVault => "make one with \"kiln init\"",
            Self::HolderExists(_) | Self::KeyExists(_) => "choose another name",
            Self::NoHolder(_) => "look at the names with \"kiln holder list\"",
            Self::LastHolder(_) => "add another holder first, with \"kiln holder add\"",
            Self::Store(error) => error.remedy(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::AlreadyMade
            | Self::NoVault
            | Self::HolderExists(_)
            | Self::NoHolder(_)
            | Self::LastHolder(_)
            | Self::KeyExists(_) => Retry::AfterOperator,
            Self::Store(error) => error.retry(),
        }
    }
}

/// An import that was not taken; nothing of it is on record.
#[derive(Debug, thiserror::Error)]
pub enum ImportRefused {
    /// Some of it is on record already, or twice in it.
    #[error("{} of its seeds or serials are on record already", .0.len())]
    Duplicates(Vec<Duplicate>),
    /// A batch with that name exists.
    #[error("there is a batch \"{0}\" already")]
    BatchExists(String),
    /// The batch to add to does not exist.
    #[error("there is no batch \"{0}\"")]
    NoBatch(String),
    /// The batch to add to was called off.
    #[error("batch \"{0}\" was cancelled and takes no more jobs")]
    BatchCancelled(String),
    /// The batch to add to sets clocks.
    #[error("batch \"{0}\" sets clocks and takes no seeds")]
    Sweep(String),
    /// The key that the batch names is not in the vault.
    #[error("there is no key \"{0}\" in the vault")]
    NoKey(String),
    /// A delivered token without a serial says nothing.
    #[error("job {job} has no serial: an inventory says which token holds which seed")]
    NoSerial {
        /// Which one, by its index from 0.
        job: usize,
    },
    /// A job without anything to write, or with two entries for one profile.
    #[error("job {job} has no entries, or two for the same profile")]
    BadEntries {
        /// Which one, by its index from 0.
        job: usize,
    },
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Remedy for ImportRefused {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Duplicates(_) => "take the lines named here out of the file, or import only its good lines",
            Self::BatchExists(_) => "choose another name for the batch",
            Self::NoBatch(_) => {
                "look at the names with \"kiln batch list\", or make it with \"kiln batch new\""
            }
            Self::BatchCancelled(_) | Self::Sweep(_) => "import into a new batch",
            Self::NoKey(_) => "add it with \"kiln key add\", or look at the names with \"kiln key list\"",
            Self::NoSerial { .. } => "give each line its serial, or import it to be burned",
            Self::BadEntries { .. } => "check the recipe: each profile once, and at least one",
            Self::Store(error) => error.remedy(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Duplicates(_)
            | Self::BatchExists(_)
            | Self::NoBatch(_)
            | Self::BatchCancelled(_)
            | Self::Sweep(_)
            | Self::NoKey(_)
            | Self::NoSerial { .. }
            | Self::BadEntries { .. } => Retry::AfterOperator,
            Self::Store(error) => error.retry(),
        }
    }
}

/// A batch can't do that.
#[derive(Debug, thiserror::Error)]
pub enum BatchRefused {
    /// No batch has that name.
    #[error("there is no batch \"{0}\"")]
    NoBatch(String),
    /// Another batch has that name.
    #[error("there is a batch \"{0}\" already")]
    Exists(String),
    /// The key that the batch names is not in the vault.
    #[error("there is no key \"{0}\" in the vault")]
    NoKey(String),
    /// There is nothing to burn in it.
    #[error("batch \"{0}\" has no job to burn")]
    Empty(String),
    /// It sets clocks: no job of it waits in a queue.
    #[error("batch \"{0}\" sets clocks, and makes its jobs as tokens come")]
    Sweep(String),
    /// It was called off, and its seeds were let go.
    #[error("batch \"{0}\" was called off: none of its jobs is put back")]
    CalledOff(String),
    /// It stands where that is not possible.
    #[error("batch \"{name}\" is {state}")]
    BadState {
        /// Which batch.
        name: String,
        /// Where it stands.
        state: BatchState,
    },
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Remedy for BatchRefused {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NoBatch(_) => "look at the names with \"kiln batch list\"",
            Self::Exists(_) => "choose another name for the batch",
            Self::NoKey(_) => "add it with \"kiln key add\", or look at the names with \"kiln key list\"",
            Self::Empty(_) => {
                "import a file into it first, or put its failed jobs back with \"kiln batch retry\""
            }
            Self::Sweep(_) => "put the token down again: it gets a new job",
            Self::CalledOff(_) => {
                "import its file again as a new batch; a token that was begun goes on when it is put back"
            }
            Self::BadState { .. } => "look at what it can do with \"kiln batch show\"",
            Self::Store(error) => error.remedy(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::NoBatch(_)
            | Self::Exists(_)
            | Self::NoKey(_)
            | Self::Empty(_)
            | Self::Sweep(_)
            | Self::CalledOff(_)
            | Self::BadState { .. } => Retry::AfterOperator,
            Self::Store(error) => error.retry(),
        }
    }
}

/// A job can't be given to that token.
#[derive(Debug, thiserror::Error)]
pub enum ClaimRefused {
    /// Somebody else has the job, or it stands where it can't be claimed. Another one may be free.
    #[error("the job is taken: {0}")]
    Taken(BadMove),
    /// It is reserved for, or was begun on, another token.
    #[error("the job belongs to token {0}")]
    OtherSerial(Serial),
    /// The token has another job that was begun and not ended.
    #[error("token {0} has another job that is not at its end")]
    SerialBusy(Serial),
    /// The token was burned in this batch already.
    #[error("token {0} is burned in this batch already")]
    AlreadyBurned(Serial),
    /// A person said that the token is dead.
    #[error("token {0} was scrapped")]
    TokenScrapped(Serial),
    /// Its batch is not being burned.
    #[error("its batch is {0}")]
    BatchNotRunning(BatchState),
    /// No such job.
    #[error("there is no such job")]
    NoJob,
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Remedy for ClaimRefused {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Taken(_) => "nothing to do: the station looks for another job by itself",
            Self::OtherSerial(_) => "put that token down instead",
            Self::SerialBusy(_) => "put the token down and leave it until that job has ended",
            Self::AlreadyBurned(_) => "take the token off; it is done",
            Self::TokenScrapped(_) => "take the token off and keep it apart from the others",
            Self::BatchNotRunning(_) => "start the batch with \"kiln batch start\"",
            Self::NoJob => "look at the queue with \"kiln status\"",
            Self::Store(error) => error.remedy(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Taken(_) => Retry::Soon,
            Self::OtherSerial(_) | Self::SerialBusy(_) | Self::BatchNotRunning(_) => Retry::AfterOperator,
            Self::AlreadyBurned(_) | Self::TokenScrapped(_) | Self::NoJob => Retry::Never,
            Self::Store(error) => error.retry(),
        }
    }
}

/// A job can't go there.
#[derive(Debug, thiserror::Error)]
pub enum MoveRefused {
    /// The rules of [`crate::domain::JobState`] don't have that move.
    #[error(transparent)]
    BadMove(#[from] BadMove),
    /// A burn of this job broke off once: nobody can say that nothing was written.
    #[error("an earlier burn of this job broke off, so its token may hold the seed: it can't be given up")]
    MayHoldSeed,
    /// Another token has it.
    #[error("the job belongs to token {0}")]
    OtherSerial(Serial),
    /// What was burned is not what the job asks for.
    #[error("the burn's profiles are not those of the job ({0} is missing, unknown or there twice)")]
    OtherEntries(Profile),
    /// No such job.
    #[error("there is no such job")]
    NoJob,
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Remedy for MoveRefused {
    fn remedy(&self) -> &'static str {
        match self {
            Self::BadMove(_) | Self::NoJob => "look at the job with \"kiln batch show\"",
            Self::MayHoldSeed => "put its token back so that the burn can be ended, or scrap the token",
            Self::OtherSerial(_) => "put that token down instead",
            Self::OtherEntries(_) => {
                "report this with the last lines of the station's log; the job stays claimed"
            }
            Self::Store(error) => error.remedy(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::BadMove(_) | Self::NoJob | Self::OtherEntries(_) => Retry::Never,
            Self::MayHoldSeed | Self::OtherSerial(_) => Retry::AfterOperator,
            Self::Store(error) => error.retry(),
        }
    }
}

/// That can't be said of this token.
#[derive(Debug, thiserror::Error)]
pub enum TokenRefused {
    /// It is not on record.
    #[error("token {0} is not on record")]
    NoToken(Serial),
    /// No seed is on record for that profile.
    #[error("profile {profile} of token {serial} holds no seed on record")]
    NothingHeld {
        /// Which token.
        serial: Serial,
        /// Which profile.
        profile: Profile,
    },
    /// A burn is writing to it now.
    #[error("token {0} is being burned now")]
    BeingBurned(Serial),
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Remedy for TokenRefused {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NoToken(_) => "check the serial on the token's back, or search with \"kiln tokens\"",
            Self::NothingHeld { .. } => "look at what it holds with \"kiln token\"",
            Self::BeingBurned(_) => "wait until its slot says take",
            Self::Store(error) => error.remedy(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::NoToken(_) | Self::NothingHeld { .. } => Retry::AfterOperator,
            Self::BeingBurned(_) => Retry::Soon,
            Self::Store(error) => error.retry(),
        }
    }
}

/// The audit log does not hold together.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The first entry that is not as it was written, or stands where another one did.
    #[error("audit entry {seq} is not as it was written: {why}")]
    Entry {
        /// Its number.
        seq: u64,
        /// What does not agree.
        why: &'static str,
    },
    /// The chain holds together, but it is not the one whose head was kept elsewhere.
    #[error("the audit log is not the one that was anchored at entry {}: it was cut short or rewritten", .0.seq)]
    Anchor(AuditHead),
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Remedy for Broken {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Entry { .. } => {
                "keep a copy of the station's home as evidence and compare it with the last backup from that entry on"
            }
            Self::Anchor(_) => {
                "keep a copy of the station's home as evidence and compare it with the last backup"
            }
            Self::Store(error) => error.remedy(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Entry { .. } | Self::Anchor(_) => Retry::Never,
            Self::Store(error) => error.retry(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{JobEvent, JobState};
    use crate::store::ActivationRefused;

    #[test]
    fn every_error_has_a_remedy() {
        let path = PathBuf::from("kiln.db");
        let serial: Serial = "8659612345678".parse().unwrap();
        let bad = BadMove { from: JobState::Burned, event: JobEvent::Claim };
        let name = || "spring".to_owned();
        let errors: Vec<Box<dyn Remedy>> = vec![
            Box::new(StoreError::Open { path: path.clone(), source: io::ErrorKind::NotFound.into() }),
            Box::new(StoreError::Newer { path: path.clone(), found: 9, known: 1 }),
            Box::new(StoreError::NotOurs { path: path.clone() }),
            Box::new(StoreError::Backup { path, reason: name() }),
            Box::new(StoreError::DiskFull),
            Box::new(StoreError::Disk(name())),
            Box::new(StoreError::Locked),
            Box::new(StoreError::Damaged(name())),
            Box::new(StoreError::Rule(name())),
            Box::new(StoreError::Stopped),
            Box::new(VaultRefused::AlreadyMade),
            Box::new(VaultRefused::NoVault),
            Box::new(VaultRefused::HolderExists(name())),
            Box::new(VaultRefused::NoHolder(name())),
            Box::new(VaultRefused::LastHolder(name())),
            Box::new(VaultRefused::KeyExists(name())),
            Box::new(VaultRefused::Store(StoreError::Stopped)),
            Box::new(ImportRefused::Duplicates(vec![])),
            Box::new(ImportRefused::BatchExists(name())),
            Box::new(ImportRefused::NoBatch(name())),
            Box::new(ImportRefused::BatchCancelled(name())),
            Box::new(ImportRefused::Sweep(name())),
            Box::new(ImportRefused::NoKey(name())),
            Box::new(ImportRefused::NoSerial { job: 0 }),
            Box::new(ImportRefused::BadEntries { job: 0 }),
            Box::new(ImportRefused::Store(StoreError::Stopped)),
            Box::new(BatchRefused::NoBatch(name())),
            Box::new(BatchRefused::Exists(name())),
            Box::new(BatchRefused::NoKey(name())),
            Box::new(BatchRefused::Empty(name())),
            Box::new(BatchRefused::Sweep(name())),
            Box::new(BatchRefused::CalledOff(name())),
            Box::new(BatchRefused::BadState { name: name(), state: BatchState::Done }),
            Box::new(BatchRefused::Store(StoreError::Stopped)),
            Box::new(ClaimRefused::Taken(bad)),
            Box::new(ClaimRefused::OtherSerial(serial.clone())),
            Box::new(ClaimRefused::SerialBusy(serial.clone())),
            Box::new(ClaimRefused::AlreadyBurned(serial.clone())),
            Box::new(ClaimRefused::TokenScrapped(serial.clone())),
            Box::new(ClaimRefused::BatchNotRunning(BatchState::Paused)),
            Box::new(ClaimRefused::NoJob),
            Box::new(ClaimRefused::Store(StoreError::Stopped)),
            Box::new(MoveRefused::BadMove(bad)),
            Box::new(MoveRefused::MayHoldSeed),
            Box::new(MoveRefused::OtherSerial(serial.clone())),
            Box::new(MoveRefused::OtherEntries(Profile::ZERO)),
            Box::new(MoveRefused::NoJob),
            Box::new(MoveRefused::Store(StoreError::Stopped)),
            Box::new(TokenRefused::NoToken(serial.clone())),
            Box::new(TokenRefused::NothingHeld { serial: serial.clone(), profile: Profile::ZERO }),
            Box::new(TokenRefused::BeingBurned(serial.clone())),
            Box::new(TokenRefused::Store(StoreError::Stopped)),
            Box::new(ActivationRefused::NoCode(serial)),
            Box::new(ActivationRefused::Store(StoreError::Stopped)),
            Box::new(Broken::Entry { seq: 1, why: "hash" }),
            Box::new(Broken::Anchor(AuditHead { seq: 1, hash: [0; 32] })),
            Box::new(Broken::Store(StoreError::Stopped)),
        ];
        for error in errors {
            assert!(error.remedy().len() > 10);
            assert!(!error.remedy().ends_with('.'));
        }
    }

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let said = |code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        assert!(matches!(StoreError::from(said(rusqlite::ffi::SQLITE_FULL)), StoreError::DiskFull));
        assert!(matches!(StoreError::from(said(rusqlite::ffi::SQLITE_IOERR_WRITE)), StoreError::Disk(_)));
        assert!(matches!(StoreError::from(said(rusqlite::ffi::SQLITE_BUSY)), StoreError::Locked));
        assert!(matches!(StoreError::from(said(rusqlite::ffi::SQLITE_CORRUPT)), StoreError::Damaged(_)));
    }
}
