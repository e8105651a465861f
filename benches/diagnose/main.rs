//! `make bench`: how fast the diagnosis is, all in one run, on the machine at hand, against the goals that were set for it.
#![allow(clippy::print_stdout, reason = "a bench prints")]

mod measure;

use kiln::domain::Hash;
use measure::{Inventory, growth_kib, inner_loop, one_diagnosis, totp_rs, unexplained, when};
use std::{process::ExitCode, thread, time::Duration};
use totp_rs::Algorithm;

/// Tokens of a large inventory.
const TOKENS: u32 = 100_000;

fn main() -> ExitCode {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut missed = 0;
    for (hash, theirs, goal) in [(Hash::Sha1, Algorithm::SHA1, 3.5), (Hash::Sha256, Algorithm::SHA256, 3.0)] {
        let (ours, theirs) = (inner_loop(hash, 200_000, 20), totp_rs(theirs, 50_000, 20));
        let name = format!("codes/s, one core, {hash}: {:.2} M, totp-rs {:.2} M", ours / 1e6, theirs / 1e6);
        let met = ours >= goal * theirs;
        println!("{name:<62} {:8.2} times (at least {goal:.1}: {})", ours / theirs, word(met));
        missed += u32::from(!met);
    }
    let all: f64 = thread::scope(|scope| {
        let running: Vec<_> =
            (0..cores).map(|_| scope.spawn(|| inner_loop(Hash::Sha1, 200_000, 20))).collect();
        running.into_iter().map(|one| one.join().unwrap_or(0.0)).sum()
    });
    println!("{:<62} {:8.2} M codes/s", format!("{cores} cores at once, SHA-1"), all / 1e6);

    let mut row = |name: &str, time: Duration, most_ms: f64| {
        let ms = time.as_secs_f64() * 1e3;
        println!("{name:<62} {ms:8.2} ms (at most {most_ms}: {})", word(ms <= most_ms));
        missed += u32::from(ms > most_ms);
    };
    row("diagnosis, two codes that nothing explains", one_diagnosis(&["123456", "654321"], Hash::Sha1), 50.0);
    row("diagnosis, one code that nothing explains well", one_diagnosis(&["123456"], Hash::Sha1), 50.0);
    row("diagnosis, SHA-256 on record", one_diagnosis(&["123456", "654321"], Hash::Sha256), 50.0);
    row("when, one year, 30 s", when(365, 30, 10), 50.0);
    let inventory = Inventory::of(TOKENS);
    row("whose, a station with 100,000 tokens, two codes, ±10 min", inventory.whose(8), 600.0);
    row("diagnose, at the same station", inventory.diagnose(8), 50.0);

    let mut grown = |name: &str, kib: u64| {
        let most = 1_024;
        println!("{name:<62} {kib:8} KiB more (at most {most}: {})", word(kib <= most));
        missed += u32::from(kib > most);
    };
    // Once before, so that what is taken once and for all is taken.
    unexplained(1);
    when(1, 1, 1);
    grown("memory, diagnosis with windows 20 times as wide", growth_kib(|| unexplained(20)));
    grown("memory, when over a year of seconds (31,536,000 steps)", growth_kib(|| when(365, 1, 1)));
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn word(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}
