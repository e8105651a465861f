//! kiln writes seeds onto OTP hardware tokens by the hundred, keeps track of which serial got which seed, and finds
//! out why a code is rejected.
//!
//! The map, outermost last; a module may use those above it, as `tests/map.rs` checks:
//!
//! | module | holds |
//! |---|---|
//! | [`remedy`] | what an error owes its operator; open to all |
//! | [`domain`] | values and rules |
//! | [`formats`] | seed files, bytes to values and back |
//! | [`link`] | what lies between a host and a token |

pub mod domain;
pub mod formats;
pub mod link;
pub mod remedy;
