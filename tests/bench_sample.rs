//! A short sample of `make bench`: that it measures. How fast anything is, is for a quiet machine to say.

#[path = "../benches/burn/measure.rs"]
mod measure;
mod support;

use std::time::Duration;
use support::{namespace::isolated, pcscd::Pcscd};

#[test]
fn the_bench_measures_burns_and_says_what_they_consist_of() {
    isolated("the_bench_measures_burns_and_says_what_they_consist_of", Duration::from_secs(120), || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let delay = Duration::from_millis(5);
        for kind in [measure::Kind::Single, measure::Kind::Key] {
            let figures = measure::measure(kind, &pcscd, delay, 2);
            // Each of the APDUs waits for the token.
            let least = kind.apdus() * delay;
            assert!(figures.bare_apdus >= least && figures.apdus >= least);
            assert!(figures.burn > figures.apdus && figures.bare_whole > figures.bare_apdus);
            let parts = figures.apdus + figures.between.values().sum();
            assert!(parts >= figures.burn.mul_f64(0.5), "{parts:?} of {:?} is accounted for", figures.burn);
            let mut table = Vec::new();
            measure::table(&[figures], &mut table).expect("memory takes anything");
            let table = String::from_utf8(table).expect("it is text");
            for row in ["bare: the 6 APDUs", "record of the claim", "record of the burn", "factor"] {
                assert!(table.contains(row), "{table}");
            }
        }
    });
}
