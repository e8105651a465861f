//! What tests on real parts share: namespaces of a test's own, `pcscd` with virtual readers, the kiln binary, a search
//! for leaked seeds, a listener on the socket. Each integration test takes it in with `mod support;`.
//!
//! Nothing here sleeps for luck: what must come about is asked for until it has, or until a deadline says what did
//! not.

#![allow(dead_code, reason = "every test binary has a copy of its own and uses a part of it")]

pub mod card;
pub mod chance;
pub mod child;
pub mod floor;
pub mod gadget;
pub mod hand;
pub mod hidbench;
pub mod kiln;
pub mod leak;
pub mod memory;
pub mod namespace;
pub mod oathtool;
pub mod pcscd;
pub mod scene;
pub mod screen;
pub mod seed_file;
pub mod shop;
pub mod tool;
pub mod wiretap;
pub mod yubikit;

use std::time::{Duration, Instant};

/// Asks `check` until it has an answer. Fails, naming `what`, when `limit` is over.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = check() {
            return answer;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What most waits in these tests may take. Long, since a machine that builds at the same time is slow; a test that
/// passes never waits for it.
pub const LONG: Duration = Duration::from_secs(30);
