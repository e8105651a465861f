//! The station: slots with a thread each, the acts that clients ask for, the clock watch. It owns the store and the
//! vault, and knows links only as traits: real readers and virtual ones are the same to it.

mod handle;

pub use handle::{Caller, Request, StationHandle};
