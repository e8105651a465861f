//! The burn as rules: from records to a plan, from an answer to the next step. Pure; the worker that owns the slot
//! carries the effects out, and writes down each intent before the command that acts on it.

mod course;
mod judge;
mod names;
mod plan;
pub mod resync;

pub use course::{Agreement, Answer, Begins, CLOCK_TOLERANCE_S, Course, Ending, GoesOn, Next, ProfileState};
pub use judge::{KeyStanding, KeyUse, MIN_TRIES_LEFT, Occupancy, Verdict, holding, judge, key_use};
pub use names::{NotNumbered, number};
pub use plan::{ListTells, Password, Plan, Step, Write, plan, plan_key};
