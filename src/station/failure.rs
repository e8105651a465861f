//! From an error of a layer below to what a client is told.

use crate::{
    face::{Failure, FailureKind},
    remedy::Remedy,
    store::{
        ActivationRefused, BatchRefused, Broken, ClaimRefused, ImportRefused, MoveRefused, StoreError,
        TokenRefused, VaultRefused,
    },
};

/// A failure without details.
pub fn failure(kind: FailureKind, message: impl Into<String>, remedy: impl Into<String>) -> Failure {
    Failure { kind, message: message.into(), remedy: remedy.into(), details: Vec::new() }
}

/// What `error` says, with its remedy.
pub fn told<E: Remedy + std::error::Error>(kind: FailureKind, error: &E) -> Failure {
    failure(kind, error.to_string(), error.remedy())
}

/// The vault is not open, so seeds can't be read or written.
pub fn locked() -> Failure {
    failure(FailureKind::Environment, "the vault is locked", "open it with \"kiln unlock\"")
}

/// A record is there but can't be read back: its seal is broken or it was sealed under another key.
pub fn unreadable(what: &str) -> Failure {
    failure(
        FailureKind::Environment,
        format!("{what} can't be unsealed"),
        "check with \"kiln audit verify\" whether the database was altered; restore it from a backup",
    )
}

/// Lets acts use `?` on the store's errors: what the environment did is told from what was asked wrongly.
macro_rules! from_store {
    ($($error:ident),+) => { $(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                let kind = match &error {
                    $error::Store(_) => FailureKind::Environment,
                    _ => FailureKind::No,
                };
                told(kind, &error)
            }
        }
    )+ };
}

from_store!(
    ActivationRefused,
    VaultRefused,
    ImportRefused,
    BatchRefused,
    MoveRefused,
    ClaimRefused,
    TokenRefused,
    Broken
);

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        told(FailureKind::Environment, &error)
    }
}
