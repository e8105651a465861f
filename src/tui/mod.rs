//! The terminal UI: one client of the station among any number.
//!
//! What happens is a [`Msg`]; [`update`] changes the [`Model`] and says what is wanted as [`Effect`]s; [`view`] draws
//! the model into a buffer. None of them knows a terminal, a socket or a clock. [`run()`] has those: one thread reads
//! the keyboard, one hears the station's news, one asks its questions, and the loop draws what changed.
//!
//! The keyboard belongs to the scanner as much as to the person: digits are bound to nothing, digits and Enter are
//! always a scan. Leaving stops nothing; the station and its burns go on.

pub mod act;
pub mod activate;
pub mod ansi;
pub mod batches;
pub mod codes;
pub mod diagnose;
pub mod dialog;
pub mod drift;
pub mod export;
pub mod form;
pub mod import;
pub mod init;
pub mod input;
pub mod keys;
pub mod look;
pub mod model;
mod mouse;
pub mod msg;
pub mod new_batch;
pub mod pace;
pub mod paged;
pub mod palette;
pub mod plain;
pub mod resync;
pub mod reveal;
pub mod rules;
pub mod run;
#[cfg(test)]
mod sample;
mod scan;
pub mod sentence;
mod spots;
pub mod state;
mod sweep;
mod terminal;
#[cfg(test)]
mod tests;
mod update;
mod view;
pub mod worker;

pub use look::Look;
pub use model::Model;
pub use msg::{Effect, ExportTo, Msg, Place, Protect};
pub use run::Left;
pub use terminal::{run, run_plain};
pub use update::update;
pub use view::view;
pub use worker::{Connector, Desk, Exporter, Opened, Shut, Start};
