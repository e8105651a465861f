//! `make bench`: burns a minute by slots, import, start. All in one run, since only what was measured side by side can
//! be compared.

#[path = "../../tests/support/mod.rs"]
mod support;

mod measure;

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};
use support::{namespace, pcscd::Pcscd};

/// Fourteen readers for single-profile tokens.
const READERS: [&str; 7] = ["Kiln A", "Kiln B", "Kiln C", "Kiln D", "Kiln E", "Kiln F", "Kiln G"];

/// How many slots burn at once.
const SLOTS: [usize; 5] = [1, 2, 4, 8, 14];

/// Tokens at each slot, and how often everything is measured; the median counts.
const EACH: usize = 10;
const TIMES: usize = 3;

/// What a token takes for an APDU.
const DELAY: Duration = Duration::from_millis(20);

/// Lines, and then tokens.
const LINES: usize = 100_000;

/// Readings of each token's clock.
const READINGS: u32 = 10;

/// The goals.
const LINEAR: f64 = 0.95;
const IMPORT: f64 = 5.0;
const START: Duration = Duration::from_millis(50);
const MEMORY_MIB: f64 = 60.0;
const FIRST: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    if let Some(printed) = namespace::output_of_inside("station", Duration::from_secs(1800)) {
        // Nobody reads it: nothing to tell.
        let _ = io::stdout().lock().write_all(printed.as_bytes());
        return ExitCode::SUCCESS;
    }
    if run(&mut io::stdout().lock()).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(out: &mut impl Write) -> io::Result<()> {
    let met = |is: bool| if is { "met" } else { "MISSED" };
    let pcscd = Pcscd::start(&READERS);
    writeln!(out, "slots  burns a minute  of linear")?;
    let mut one = 0.0;
    for slots in SLOTS {
        let rate = median((0..TIMES).map(|_| measure::burns_a_minute(&pcscd, slots, EACH, DELAY)).collect());
        if slots == 1 {
            one = rate;
        }
        let linear = rate / (one * f64::from(u32::try_from(slots).unwrap_or(u32::MAX)));
        writeln!(out, "{slots:>5}  {rate:>14.1}  {linear:>9.3}  {}", met(linear >= LINEAR))?;
    }
    let imports: Vec<measure::Large> = (0..TIMES).map(|_| measure::Large::import(LINES)).collect();
    for large in &imports {
        writeln!(out, "import of {LINES} lines: {:.2?}, bare {:.2?}", large.import, large.bare)?;
    }
    let ratio = median(imports.iter().map(measure::Large::ratio).collect());
    writeln!(out, "import by bare insert: {ratio:.2}, goal {IMPORT}: {}", met(ratio <= IMPORT))?;
    let starts: Vec<measure::Start> = (0..7).map(|_| imports[0].start(LINES)).collect();
    let start = median(starts.iter().map(|start| start.snapshot.as_secs_f64() * 1000.0).collect());
    let memory = median(starts.iter().map(|start| start.memory_mib).collect());
    let goal = START.as_secs_f64() * 1000.0;
    writeln!(out, "start to the first snapshot: {start:.1} ms, goal {goal}: {}", met(start < goal))?;
    writeln!(out, "resident then: {memory:.1} MiB, goal {MEMORY_MIB}: {}", met(memory < MEMORY_MIB))?;
    let clocks = imports[0].clocks(LINES, READINGS);
    let (first, again) = (clocks.first, clocks.again);
    writeln!(out, "all clocks, the first time: {first:.2?}, goal {FIRST:.0?}: {}", met(first < FIRST))?;
    writeln!(out, "all clocks, again: {again:.2?}, goal {AGAIN:.1?}: {}", met(again < AGAIN))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
