//! kiln writes seeds onto OTP hardware tokens by the hundred, keeps track of which serial got which seed, and finds
//! out why a code is rejected.
//!
//! The map, outermost last; a module may use those above it, as `tests/map.rs` checks:
//!
//! | module | holds |
//! |---|---|
//! | [`remedy`] | what an error owes its operator; open to all |
//! | [`domain`] | values and rules |
//! | [`link`] | what lies between a host and a token |
//! | [`sim`] | virtual tokens, device side, and the links that lead to them |
//! | [`app`] | composition; knows everything |

pub mod app;
pub mod burn;
pub mod domain;
pub mod face;
pub mod link;
pub mod remedy;
pub mod sim;
pub mod station;
