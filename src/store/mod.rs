//! SQLite: the queue, which token holds or held which seed, readings, attempts, the audit log.
//!
//! The face speaks in whole acts of the domain: claim a job, record what was burned, take a reading. Each act is one
//! transaction that also appends the audit entry telling of it, and returns when it is durable; an act that is refused
//! leaves nothing behind. One thread owns the connection that writes and takes acts in order. Queries have read-only
//! connections of their own and, in WAL mode, never wait for a writer.
//!
//! Rules that must never break (a seed on one token, a job for one token, history kept) stand twice: in the acts, with
//! an error for people, and in the schema, in case an act is wrong.
//!
//! Everything here blocks; call it from a thread.

mod activations;
mod alarms;
mod attempts;
mod audit;
mod batches;
mod clock;
pub mod drift;
pub mod error;
mod finder;
mod holders;
mod import;
mod lent;
mod peek;
mod queue;
pub mod records;
mod rows;
mod schema;
pub mod search;
mod sweeps;
#[cfg(test)]
mod tests;
mod tokens;

pub use activations::{Activation, ActivationRefused, ToActivate};
pub use error::{
    BatchRefused, Broken, ClaimRefused, ImportRefused, MoveRefused, StoreError, TokenRefused, VaultRefused,
};
pub use lent::NotLent;
pub use peek::{OnDisk, SCHEMA, peek};
pub use records::*;
pub use sweeps::{ResyncDone, RunningSweep, Sweep, Swept};

use crate::domain::UnixMillis;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

/// Queries that run at once before one waits for another.
const READERS: usize = 3;

type Act = Box<dyn FnOnce(&mut Connection) + Send>;

/// The store. Clones are handles to the same one; the file is closed when the last is dropped.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    acts: Option<mpsc::Sender<Act>>,
    writer: Option<thread::JoinHandle<()>>,
    readers: Vec<Mutex<Connection>>,
    next_reader: AtomicUsize,
    finder: Mutex<finder::Finder>,
    search_prepared: AtomicBool,
}

impl Store {
    /// Opens the database at `path`, making it (readable for this account only) where there is none, and bringing an
    /// older one to the present schema after a copy was made beside it. `now` goes into the copy's name.
    pub fn open(path: &Path, now: UnixMillis) -> Result<Self, StoreError> {
        let mut connection = schema::open(path, now)?;
        let readers =
            (0..READERS).map(|_| schema::open_reader(path).map(Mutex::new)).collect::<Result<Vec<_>, _>>()?;
        let (acts, queue) = mpsc::channel::<Act>();
        let writer = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || queue.into_iter().for_each(|act| act(&mut connection)))
            .map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
        Ok(Self(Arc::new(Inner {
            acts: Some(acts),
            writer: Some(writer),
            readers,
            next_reader: AtomicUsize::new(0),
            finder: Mutex::default(),
            search_prepared: AtomicBool::new(false),
        })))
    }

    /// Runs `act` in a transaction on the writer's thread and waits until it is durable. An error rolls it back.
    fn write<T, E>(&self, act: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = mpsc::sync_channel(1);
        let job: Act = Box::new(move |connection| {
            let in_one_piece = || -> Result<T, E> {
                let transaction = connection
                    .transaction_with_behavior(TransactionBehavior::Immediate)
                    .map_err(StoreError::from)?;
                let done = act(&transaction)?;
                transaction.commit().map_err(StoreError::from)?;
                Ok(done)
            };
            // Nobody waits any more where the caller's thread has gone; the act is done all the same.
            let _ = reply.send(in_one_piece());
        });
        let acts = self.0.acts.as_ref().ok_or(StoreError::Stopped)?;
        acts.send(job).map_err(|_| StoreError::Stopped)?;
        answer.recv().unwrap_or_else(|_| Err(StoreError::Stopped.into()))
    }

    /// Hands `act` to the writer's thread without waiting for it: for news that no decision waits for. It is carried out
    /// before every act that comes later, so once one of those has returned it is durable, too.
    fn write_soon(
        &self,
        what: &'static str,
        act: impl FnOnce(&Transaction<'_>) -> Result<(), StoreError> + Send + 'static,
    ) {
        let job: Act = Box::new(move |connection| {
            let done = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(StoreError::from)
                .and_then(|transaction| {
                    act(&transaction)?;
                    Ok(transaction.commit()?)
                });
            if let Err(error) = done {
                tracing::error!(%error, what, "could not be recorded");
            }
        });
        if self.0.acts.as_ref().is_none_or(|acts| acts.send(job).is_err()) {
            tracing::error!(what, "could not be recorded: the store has stopped");
        }
    }

    /// Waits until everything that was handed over without waiting is on record.
    pub fn caught_up(&self) -> Result<(), StoreError> {
        self.write(|_| Ok(()))
    }

    /// Runs `query` on a read-only connection, all of it on one state of the database.
    fn read<T, E: From<StoreError>>(&self, query: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        let connection = self.free_reader();
        let one_state = connection.unchecked_transaction().map_err(StoreError::from)?;
        query(&one_state)
    }

    fn free_reader(&self) -> MutexGuard<'_, Connection> {
        let readers = &self.0.readers;
        let first = self.0.next_reader.fetch_add(1, Ordering::Relaxed);
        (0..readers.len())
            .find_map(|at| readers[(first.wrapping_add(at)) % readers.len()].try_lock().ok())
            // A query that panicked leaves a connection that is as good as before: it can't have written.
            .unwrap_or_else(|| {
                readers[first % readers.len()].lock().unwrap_or_else(|poisoned| poisoned.into_inner())
            })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Readers go first, so that the writer's connection is the last one and folds the WAL into the file.
        self.readers.clear();
        drop(self.acts.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}
