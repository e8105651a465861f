//! Why a code is rejected, which token it is from, when it was shown.
//!
//! The tools there are test one hypothesis at a time: is it this code, with this window? Here every explanation that the
//! records and the usual mistakes allow is a candidate with a prior, the codes weigh them all at once ([`diagnose()`]),
//! and what comes out says how likely it is and how many accidental hits so wide a search had to expect. A six-digit code
//! is one of a million, and a search of a million candidates finds one in any code; that is why so much here counts.
//!
//! Pure: values in, values out. Time, other tokens and their seeds are handed in; the station reads them from its
//! records, a command from one seed on standard input.

mod advice;
mod candidates;
mod cause;
mod clock;
mod drift;
mod evidence;
mod finding;
mod known;
mod lanes;
mod reading;
mod report;
mod search;
mod seeds;
pub mod shows;
mod sweep;
mod symptom;
pub mod timing;
pub mod when;
pub mod whose;
mod windows;

pub use cause::{Cause, PRIOR_NONE};
pub use drift::{ClockReading, ClockRun, Drift};
pub use evidence::{Evidence, EvidenceError, Read};
pub use finding::{Diagnosis, Finding, Offset, Searched, Subject, Token};
pub use known::{Held, Known, Neighbour, Place, Share, Siblings, Standing};
pub use search::{DiagnoseError, diagnose, explain};
pub use symptom::{Symptom, symptom};
pub use windows::Windows;
