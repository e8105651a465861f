//! Is the diagnosis as good, and as sure of itself, as it says? Tokens of the tests' own get one fault each; what kiln
//! finds is held against it. `make calibrate` runs all of it, `make test` a sample with the same numbers every time.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails; the tables are the point"
)]

#[path = "calibrate/inject.rs"]
mod inject;
#[path = "calibrate/token.rs"]
mod token;

use inject::{World, drawn, is_right};
use kiln::diagnose::Cause;
use std::collections::BTreeMap;
use token::Numbers;

/// How often each experiment runs.
struct Runs {
    each_cause: usize,
    random: usize,
    drawn: usize,
}

const SAMPLE: Runs = Runs { each_cause: 6, random: 25, drawn: 150 };
const ALL: Runs = Runs { each_cause: 500, random: 10_000, drawn: 10_000 };

/// The number of failures that a rate of `rate` exceeds once in a thousand experiments of `runs`.
fn most_failures(runs: usize, rate: f64) -> usize {
    let mut term = (1.0 - rate).powi(runs as i32);
    let mut sum = term;
    let mut k = 0;
    while sum < 0.999 && k < runs {
        term *= (runs - k) as f64 / (k + 1) as f64 * rate / (1.0 - rate);
        sum += term;
        k += 1;
    }
    k
}

/// Each cause alone, in its own runs.
fn single_causes(runs: usize, digits: usize, count: usize, rate: f64, exact: bool) {
    let mut n = Numbers(digits as u64 * 1_000 + count as u64);
    let mut failures: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for cause in Cause::OF_CODES {
        for _ in 0..runs {
            let world = World::new(&mut n, digits);
            let case = world.inject(cause, count, &mut n);
            let diagnosis = world.diagnose(&case);
            if !is_right(&diagnosis, Some(cause)) {
                let first =
                    diagnosis.findings.first().map(|f| (f.causes.clone(), f.posterior, f.what.clone()));
                failures.entry(cause.name()).or_default().push(format!("{first:?}"));
            }
        }
    }
    let total = runs * Cause::OF_CODES.len();
    let failed: usize = failures.values().map(Vec::len).sum();
    println!("{count} code(s) of {digits} digits: {} of {total} right", total - failed);
    for (cause, list) in &failures {
        println!("  {cause}: {} wrong, such as {}", list.len(), list[0]);
    }
    let most = if exact { (total as f64 * rate) as usize } else { most_failures(total, rate) };
    assert!(failed <= most, "{failed} of {total} wrong, {most} may be");
}

/// Codes from nowhere: none may be called nearly certain.
fn random_codes(runs: usize, digits: usize, count: usize) {
    let mut n = Numbers(77 + digits as u64 + count as u64);
    let (mut certain, mut unasked) = (0, 0);
    for _ in 0..runs {
        let world = World::new(&mut n, digits);
        let diagnosis = world.diagnose(&world.nothing(count, &mut n));
        if let Some(first) = diagnosis.findings.first().filter(|_| !diagnosis.ask_another_code) {
            unasked += 1;
            certain += usize::from(first.posterior >= 0.99);
        }
    }
    println!(
        "{count} random code(s) of {digits} digits: {unasked} of {runs} with a finding and no question, {certain} nearly certain"
    );
    assert_eq!(certain, 0);
    assert!(unasked <= runs / 200, "{unasked}");
}

/// Causes as often as their priors say: what is stated with posterior p is right in p of the runs.
fn reliability(runs: usize, digits: usize, count: usize) {
    let mut n = Numbers(4_711 + digits as u64 * 10 + count as u64);
    let bins = [0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97, 0.99, 1.01];
    let mut table = vec![(0usize, 0.0, 0usize); bins.len() - 1];
    for _ in 0..runs {
        let cause = drawn(&mut n);
        let world = World::new(&mut n, digits);
        let case = match cause {
            Some(cause) => world.inject(cause, count, &mut n),
            None => world.nothing(count, &mut n),
        };
        let diagnosis = world.diagnose(&case);
        let Some(first) = diagnosis.findings.first() else { continue };
        let bin = bins.windows(2).position(|pair| (pair[0]..pair[1]).contains(&first.posterior)).unwrap();
        table[bin].0 += 1;
        table[bin].1 += first.posterior;
        table[bin].2 += usize::from(is_right(&diagnosis, cause));
    }
    println!("{count} code(s) of {digits} digits, posterior stated and share that was right:");
    for (pair, (seen, stated, right)) in bins.windows(2).zip(&table) {
        if *seen == 0 {
            continue;
        }
        let (stated, rate) = (stated / *seen as f64, *right as f64 / *seen as f64);
        println!(
            "  {:.2} to {:.2}: {seen:5} findings, stated {stated:.3}, right {rate:.3}",
            pair[0], pair[1]
        );
        let spread = (stated * (1.0 - stated) / *seen as f64).sqrt();
        // Windows and shares of the generator are not the search's own: some distance is its due.
        assert!((stated - rate).abs() <= 0.1 + 3.0 * spread, "stated {stated}, right {rate} of {seen}");
    }
}

#[test]
fn a_single_cause_is_found_with_two_codes_of_six_digits() {
    single_causes(SAMPLE.each_cause, 6, 2, 0.01, false);
}

#[test]
fn a_single_cause_is_found_with_one_code_of_eight_digits() {
    single_causes(SAMPLE.each_cause, 8, 1, 0.05, false);
}

#[test]
fn random_codes_make_nothing_certain() {
    random_codes(SAMPLE.random, 6, 1);
    random_codes(SAMPLE.random, 6, 2);
    random_codes(SAMPLE.random, 8, 1);
}

#[test]
fn what_is_stated_is_right_as_often_as_stated() {
    reliability(SAMPLE.drawn, 6, 1);
}

#[test]
#[ignore = "takes minutes: make calibrate"]
fn calibrate_single_causes() {
    single_causes(ALL.each_cause, 6, 2, 0.01, true);
    single_causes(ALL.each_cause, 8, 1, 0.05, true);
}

#[test]
#[ignore = "takes minutes: make calibrate"]
fn calibrate_random_codes() {
    random_codes(ALL.random, 6, 1);
    random_codes(ALL.random, 6, 2);
    random_codes(ALL.random, 8, 1);
}

#[test]
#[ignore = "takes minutes: make calibrate"]
fn calibrate_reliability() {
    reliability(ALL.drawn, 6, 1);
    reliability(ALL.drawn, 8, 1);
    reliability(ALL.drawn, 6, 2);
}
