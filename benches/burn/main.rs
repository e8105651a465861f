//! `make bench`: a burn of a single-profile token, and of a key, by the station against the bare round trips of its APDUs,
//! on the same `pcscd`, in the same run.

#[path = "../../tests/support/mod.rs"]
mod support;

mod measure;

use measure::Kind;
use std::{io::Write, process::ExitCode, time::Duration};
use support::{namespace, pcscd::Pcscd};

/// Burns for each row; with 0.8 s for putting a token down and taking it away, a minute in all.
const BURNS: usize = 40;

/// What the overhead may be where a token takes 20 ms an APDU, as a factor.
const TARGET: f64 = 1.05;

fn main() -> ExitCode {
    if let Some(printed) = namespace::output_of_inside("burn", Duration::from_secs(600)) {
        let mut out = std::io::stdout().lock();
        // Nobody reads it: nothing to tell.
        let _ = out.write_all(printed.as_bytes());
        return ExitCode::SUCCESS;
    }
    let pcscd = Pcscd::start(&["Kiln A"]);
    let mut out = std::io::stdout().lock();
    let printed = [Kind::Single, Kind::Key].into_iter().try_for_each(|kind| {
        let instant = measure::measure(kind, &pcscd, Duration::ZERO, BURNS);
        let usual = measure::measure(kind, &pcscd, Duration::from_millis(20), BURNS);
        let met = if usual.ratio() <= TARGET { "met" } else { "MISSED" };
        measure::table(&[instant, usual], &mut out)?;
        writeln!(out, "\nat most {TARGET} times the bare APDUs at 20 ms an APDU: {met}\n")
    });
    if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
