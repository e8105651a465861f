//! kiln writes seeds onto OTP hardware tokens by the hundred, keeps track of which serial got which seed, and finds
//! out why a code is rejected.
//!
//! The map, outermost last; a module may use those above it, as `tests/map.rs` checks:
//!
//! | module | holds |
//! |---|---|
//! | [`remedy`] | what an error owes its operator; open to all |
//! | [`domain`] | values and rules |
//! | [`diagnose`] | why a code is rejected, which token it is from, when it was shown |
//! | [`forecast`] | how clocks run, and when they are too far off for their servers |
//! | [`formats`] | seed files: bytes to values and back |
//! | [`envelope`] | what seed files come wrapped in: OpenPGP, ZIP, age, pictures of QR codes |
//! | [`link`] | what lies between a host and a token |
//! | [`wire`] | bytes of each token family, host side |
//! | [`drivers`] | conversations with tokens; the links of real readers |
//! | [`sim`] | virtual tokens, device side, and the links that lead to them |
//! | [`vault`] | seeds and keys sealed; holders |
//! | [`store`] | SQLite: queue, mappings with their history, readings, audit, schema steps |
//! | [`burn`] | a burn as rules: plan, judgement, course |
//! | [`face`] | what clients see and say |
//! | [`station`] | slots, acts, the clock gate |
//! | [`service`] | the Unix socket: server and client |
//! | [`tui`] | the terminal UI |
//! | [`cli`] | one file for each verb |
//! | [`app`] | compositions: station, demo, simulate |

pub mod app;
pub mod burn;
pub mod cli;
pub mod diagnose;
pub mod domain;
pub mod drivers;
pub mod envelope;
pub mod face;
pub mod forecast;
pub mod formats;
pub mod link;
pub mod remedy;
pub mod service;
pub mod sim;
pub mod station;
pub mod store;
pub mod tui;
pub mod vault;
pub mod wire;
