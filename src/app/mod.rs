//! Compositions: the only place that knows everything. `kiln station run`, `kiln demo`, `kiln simulate` and the tests
//! build what they need from the same parts; no part knows in which of them it runs.

pub mod catalog;

pub mod station;
pub mod system_clock;
