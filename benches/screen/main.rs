//! `make bench`: a key press until its frame is written, the filter, and what an idle screen costs.

#[path = "../../tests/support/mod.rs"]
mod support;

mod measure;

use measure::{Figures, Size, percentile};
use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};
use support::{
    kiln::Kiln,
    screen::{Screen, command},
};

const SIZE: Size = Size { inventory: 100_000, slots: 16, presses: 1_000, idle: Duration::from_secs(5) };

/// At most so long, 99 times of 100, from a key to its frame.
const KEY: Duration = Duration::from_millis(10);
/// And from a letter of the filter to the answer.
const FILTER: Duration = Duration::from_millis(30);
/// The part of one processor that an idle screen may take, in hundredths.
const IDLE: f64 = 0.5;
/// Idle for so long.
const WATCHED: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let figures = measure::measure(dir.path(), SIZE);
    let idle = idle();
    let mut out = io::stdout().lock();
    match table(&figures, idle, &mut out) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

/// Writes the table; whether all targets are met.
fn table(figures: &Figures, idle: f64, out: &mut dyn Write) -> io::Result<bool> {
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let p = |sorted: &[Duration], of| ms(percentile(sorted, of));
    let Figures { keys, filter, .. } = figures;
    writeln!(
        out,
        "{} keys at 160x45, {} slots burning ({} tokens meanwhile), {} tokens on record",
        keys.len(),
        SIZE.slots,
        figures.burned,
        SIZE.inventory
    )?;
    writeln!(
        out,
        "key to frame     p50 {:6.2} ms   p99 {:6.2} ms   max {:6.2} ms",
        p(keys, 50),
        p(keys, 99),
        p(keys, 100)
    )?;
    writeln!(
        out,
        "filter to answer p50 {:6.2} ms   p99 {:6.2} ms   max {:6.2} ms   (first, reading all words: \
                   {:.0} ms)",
        p(filter, 50),
        p(filter, 99),
        p(filter, 100),
        ms(figures.first_search)
    )?;
    writeln!(out, "largest write    {} bytes", figures.largest)?;
    writeln!(
        out,
        "idle             {} writes in {:?}; the binary takes {idle:.2} % of a processor",
        figures.idle_writes, SIZE.idle
    )?;
    let mut all = true;
    for (what, met) in [
        ("a key in 10 ms", percentile(keys, 99) <= KEY),
        ("a letter of the filter in 30 ms", percentile(filter, 99) <= FILTER),
        ("no byte while nothing changes", figures.idle_writes == 0),
        ("0.5 % of a processor", idle < IDLE),
    ] {
        writeln!(out, "at most {what}: {}", if met { "met" } else { "MISSED" })?;
        all &= met;
    }
    Ok(all)
}

/// What the binary takes of one processor on a terminal where nothing happens, in hundredths.
fn idle() -> f64 {
    let kiln = Kiln::new();
    let pid_file = kiln.path("pid");
    let line = command(&kiln, "").replace('\'', "");
    let start = format!("sh -c 'echo $$ > {}; exec env {line}'", pid_file.display());
    let screen = Screen::start(&kiln.path(""), 160, 45, &start, &[]);
    screen.until(&["NO VAULT YET"]);
    let pid = std::fs::read_to_string(&pid_file).expect("the shell wrote it");
    let before = ticks(pid.trim());
    std::thread::sleep(WATCHED);
    let spent = ticks(pid.trim()) - before;
    screen.press("q");
    screen.until(&["ended with 0"]);
    kiln.run(&["station", "stop"]).expect(0);
    // Linux counts in hundredths of a second (proc(5), sysconf(_SC_CLK_TCK)).
    spent / WATCHED.as_secs_f64()
}

/// User and system time so far, in hundredths of a second.
fn ticks(pid: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the screen is there");
    // The name, in brackets, may hold blanks; state is the first field behind it.
    let fields: Vec<&str> = stat[stat.rfind(')').expect("a name in brackets") + 2..].split(' ').collect();
    let number = |at: usize| fields[at].parse::<f64>().expect("a number");
    number(11) + number(12)
}
