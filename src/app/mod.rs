//! Compositions: the only place that knows everything. `kiln station run`, `kiln demo`, `kiln simulate` and the tests
//! build what they need from the same parts; no part knows in which of them it runs.

mod carry_out;
pub mod catalog;
pub mod client;
pub mod demo;
mod doctor;
mod notify;
mod screen;
pub mod simulate;
mod sources;
pub mod station;
pub mod system_clock;

pub use carry_out::carry_out;
