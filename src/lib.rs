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
//! | [`vault`] | seeds and keys sealed; holders |
//! | [`store`] | SQLite: queue, mappings with their history, readings, audit, schema steps |
//! | [`face`] | what clients see and say |
//! | [`station`] | the door to a station |
//! | [`service`] | the Unix socket: server, client |
//! | [`cli`] | one file for each verb |

pub mod cli;
pub mod domain;
pub mod face;
pub mod link;
pub mod remedy;
pub mod service;
pub mod station;
pub mod store;
pub mod vault;
