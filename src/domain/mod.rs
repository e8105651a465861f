//! Values and rules of the field, without files, ports, clocks, randomness or `async`: seeds, parameters, codes,
//! serials, models, recipes, targets, job states. Numbers and text in, values out.

pub mod job;
pub mod key_uri;
pub mod otp;
pub mod params;
pub mod seed;
pub mod seed_text;
pub mod time;
pub mod token;

pub use job::{BadMove, JobEvent, JobState, OnFound, Policy, Proof, SeenPolicy};
pub use otp::{Code, StepCount};
pub use params::{Digits, Hash, Mode, ParameterError, Parameters, Period};
pub use seed::{CustomerKey, Seed, SeedId};
pub use time::{Clock, ClockState, DriftSeconds, UnixMillis, UnixTime};
pub use token::{Holding, Profile, Serial, SlotName};
