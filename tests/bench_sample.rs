//! A short sample of `make bench`: that it measures. How fast anything is, is for a quiet machine to say.

#[path = "../benches/burn/measure.rs"]
mod measure;
#[path = "../benches/station/measure.rs"]
mod scale;
mod support;

use std::time::Duration;
use support::{namespace::isolated, pcscd::Pcscd};

#[test]
fn the_bench_measures_burns_and_says_what_they_consist_of() {
    isolated("the_bench_measures_burns_and_says_what_they_consist_of", Duration::from_secs(120), || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let delay = Duration::from_millis(5);
        let figures = measure::measure(&pcscd, delay, 2);
        // Each of the six waits for the token.
        assert!(figures.bare_apdus >= 6 * delay && figures.apdus >= 6 * delay);
        assert!(figures.burn > figures.apdus && figures.bare_whole > figures.bare_apdus);
        let parts = figures.apdus + figures.between.values().sum();
        assert!(parts >= figures.burn.mul_f64(0.5), "{parts:?} of {:?} is accounted for", figures.burn);
        let mut table = Vec::new();
        measure::table(&[figures], &mut table).expect("memory takes anything");
        let table = String::from_utf8(table).expect("it is text");
        for row in ["bare: the 6 APDUs", "record of the claim", "record of the burn", "factor"] {
            assert!(table.contains(row), "{table}");
        }
    });
}

#[test]
fn the_bench_measures_slots_import_and_start() {
    isolated("the_bench_measures_slots_import_and_start", Duration::from_secs(120), || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let delay = Duration::from_millis(20);
        for slots in [1, 2] {
            let rate = scale::burns_a_minute(&pcscd, slots, 2, delay);
            // Each burn waits six times for its token, so that one slot can do no more than this.
            let most = 60.0 / (6.0 * delay.as_secs_f64());
            assert!(rate > 0.0 && rate < most * slots as f64, "{rate} at {slots}");
        }
        let large = scale::Large::import(300);
        assert!(large.ratio() > 1.0, "sealing and checking cost something: {}", large.ratio());
        let start = large.start(300);
        assert!(start.memory_mib > 1.0 && start.snapshot < support::LONG, "{:?}", start.snapshot);
    });
}
