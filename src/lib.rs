//! kiln writes seeds onto OTP hardware tokens by the hundred, keeps track of which serial got which seed, and finds
//! out why a code is rejected.
//!
//! The map, outermost last; a module may use those above it, as `tests/map.rs` checks:
//!
//! | module | holds |
//! |---|---|
//! | [`remedy`] | what an error owes its operator; open to all |
//! | [`domain`] | values and rules |
//! | [`formats`] | seed files: bytes to values and back |
//! | [`link`] | what lies between a host and a token |
//! | [`cli`] | one file for each verb |

pub mod app;
pub mod burn;
pub mod cli;
pub mod domain;
pub mod drivers;
pub mod face;
pub mod formats;
pub mod link;
pub mod remedy;
pub mod service;
pub mod sim;
pub mod station;
pub mod store;
pub mod vault;
pub mod wire;
