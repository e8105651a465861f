//! A short sample of `make bench`: that it measures. How fast anything is, is for a quiet machine to say.

#[path = "../benches/diagnose/measure.rs"]
mod diagnosis;
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
        let clocks = large.clocks(300, 10);
        assert!(clocks.first > Duration::ZERO && clocks.again < support::LONG, "{:?}", clocks.again);
    });
}

#[test]
fn the_bench_measures_the_diagnosis_and_what_it_finds_is_right() {
    use kiln::domain::Hash;
    for (hash, theirs) in [(Hash::Sha1, totp_rs::Algorithm::SHA1), (Hash::Sha256, totp_rs::Algorithm::SHA256)]
    {
        assert!(diagnosis::inner_loop(hash, 5_000, 2) > 0.0 && diagnosis::totp_rs(theirs, 500, 2) > 0.0);
    }
    // More than one piece of the inventory, so that several cores have something to do.
    let inventory = diagnosis::Inventory::of(2_500);
    assert!(inventory.whose(1) > Duration::ZERO && inventory.diagnose(1) > Duration::ZERO);
    assert!(diagnosis::one_diagnosis(&["123456"], Hash::Sha1) > Duration::ZERO);
}

#[test]
fn memory_does_not_grow_with_the_window() {
    isolated("memory_does_not_grow_with_the_window", Duration::from_secs(120), || {
        diagnosis::unexplained(1);
        diagnosis::when(1, 1, 1);
        let kib = diagnosis::growth_kib(|| diagnosis::unexplained(2));
        assert!(kib <= 1_024, "{kib} KiB more for windows twice as wide");
        // Two million steps, of which each code kept would take four bytes.
        let kib = diagnosis::growth_kib(|| diagnosis::when(24, 1, 1));
        assert!(kib <= 1_024, "{kib} KiB more for 24 days of seconds");
    });
}
