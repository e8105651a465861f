//! SQLite: the queue, which token holds or held which seed, readings, attempts, the audit log.
//!
//! The face speaks in whole acts of the domain, each one transaction with the audit entry that tells of it.

pub mod error;
pub mod records;
