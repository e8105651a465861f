//! The other side of the wire: virtual tokens that parse the bytes a real token would and keep a real token's state,
//! and the links that lead to them.
//!
//! Nothing here is shared with the host's side: commands are taken apart, MACs checked and codes computed by code of
//! their own, from the protocol pages and the RFCs, so that a mistake in one side can't hide in the other. Only raw
//! links and plain values of [`crate::domain`] (clock, serial, profile) come from outside.
//!
//! A [`VirtualToken`] is a handle that several hands hold: a link ([`mod@bench`] in process, [`vpcd`] behind a real
//! `pcscd`) carries bytes to it, while a test or a person looks at its display, presses its button, arms a
//! [`Fault`] and reads its [`Counters`].

mod apdu;
pub mod bench;
mod clock;
mod code;
mod crypt;
mod device;
mod fault;
mod foreign;
pub mod hid;
pub mod molto2;
mod token;
pub mod token2_otp;
pub mod token2_single;
#[cfg(test)]
pub(crate) mod vectors;
pub mod vpcd;
pub mod ykoath;

pub use bench::{Bench, BenchError};
pub use device::{Challenges, Counters, Display, Question, Shown, Standing, Surroundings, Ticking};
pub use fault::{Fault, NotAFault};
pub use foreign::ForeignCard;
pub use token::{Outcome, StateError, VirtualToken};
