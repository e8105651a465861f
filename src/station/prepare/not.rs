//! Why a token is not burned now, or why a job is not this token's.

use crate::{
    drivers,
    face::{Doing, Failure},
    link::LinkError,
    remedy::Remedy,
    station::{slot::NO_BATCH, visit::After},
    store::{ClaimRefused, StoreError},
};

/// Why a token is not burned now.
#[derive(Clone)]
pub enum Not {
    /// Say this; then go on as told.
    Say {
        /// What is the matter.
        says: String,
        /// What to do.
        remedy: String,
        /// What hands should do.
        doing: Doing,
        /// What the slot does next.
        after: After,
        /// Whether it is worth an alarm that stays.
        alarm: bool,
    },
    /// The link failed.
    Link(LinkError),
}

impl Not {
    pub fn look(says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Say {
            says: says.into(),
            remedy: remedy.into(),
            doing: Doing::Look,
            after: After::WhenChanged,
            alarm: false,
        }
    }

    /// There is no work for anything that lies here.
    pub fn idle() -> Self {
        let (says, remedy) = NO_BATCH;
        Self::Say {
            says: says.to_owned(),
            remedy: remedy.to_owned(),
            doing: Doing::Wait,
            after: After::WhenChanged,
            alarm: false,
        }
    }

    pub fn take(says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Say {
            says: says.into(),
            remedy: remedy.into(),
            doing: Doing::Take,
            after: After::Take,
            alarm: false,
        }
    }

    pub fn alarming(self) -> Self {
        match self {
            Self::Say { says, remedy, doing, after, .. } => {
                Self::Say { says, remedy, doing, after, alarm: true }
            }
            Self::Link(error) => Self::Link(error),
        }
    }
}

impl From<Failure> for Not {
    fn from(failure: Failure) -> Self {
        Self::look(failure.message, failure.remedy)
    }
}

impl From<StoreError> for Not {
    fn from(error: StoreError) -> Self {
        Failure::from(error).into()
    }
}

/// Why a job is not this token's: because of the token, or because of the job.
pub enum Either {
    /// There may be no other job for it.
    Not(Not),
    /// There may be.
    Claim(ClaimRefused),
}

impl Either {
    /// What there is to say, where no other job is looked for.
    pub fn into_not(self) -> Not {
        match self {
            Self::Not(not) => not,
            Self::Claim(error) => Not::look(error.to_string(), error.remedy()),
        }
    }
}

impl<E: Into<Not>> From<E> for Either {
    fn from(error: E) -> Self {
        Self::Not(error.into())
    }
}

/// A read that failed: by the link, or by what the token said.
pub fn not_read(error: drivers::ReadError) -> Not {
    match error {
        drivers::ReadError::Link { cause, .. } => Not::Link(cause),
        other => Not::look(other.to_string(), other.remedy()),
    }
}
