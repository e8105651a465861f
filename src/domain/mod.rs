//! Values and rules of the field, without files, ports, clocks, randomness or `async`: seeds, parameters, codes,
//! serials, models, recipes, targets, job states. Numbers and text in, values out.

pub mod catalog;
pub mod credential;
pub mod job;
pub mod key_uri;
pub mod model;
pub mod otp;
pub mod params;
pub mod qr;
pub mod reading;
pub mod recipe;
pub mod seed;
pub mod seed_text;
pub mod tally;
pub mod target;
pub mod time;
pub mod title;
pub mod token;

pub use catalog::{Catalog, CatalogError};
pub use credential::CredentialName;
pub use job::{BadMove, JobEvent, JobState, OnFound, Policy, Proof, SeenPolicy, Serials};
pub use model::{Driver, KeyNeeded, Misfit, Model};
pub use otp::{Code, StepCount};
pub use params::{Digits, Hash, Mode, ParameterError, Parameters, Period, Touch};
pub use reading::{ClockSetBy, ReadingKind};
pub use recipe::{Entry, LineFacts, Recipe, RecipeError, SeedSource, Stated};
pub use seed::{CustomerKey, Seed, SeedId};
pub use tally::{JobCounts, ProofCounts, SweptCounts, SweptOutcome};
pub use target::{Target, TargetMisfit};
pub use time::{Clock, ClockState, DriftSeconds, TimeKeeper, UnixMillis, UnixTime};
pub use token::{Holding, Profile, Serial, SlotName};
