//! Compositions: the only place that knows everything. `kiln station run`, `kiln demo`, `kiln simulate` and the tests
//! build what they need from the same parts; no part knows in which of them it runs.

mod carry_out;
pub mod catalog;
pub mod client;
pub mod demo;
mod doctor;
mod notify;
pub mod simulate;
pub mod station;
pub mod system_clock;

pub use carry_out::carry_out;

use crate::{service::Attached, station::Onlookers};
use std::sync::Arc;

/// The server's list of who looks on, as a station asks it.
fn onlookers(attached: &Attached) -> Onlookers {
    let attached = attached.clone();
    Arc::new(move || attached.looking_on())
}
