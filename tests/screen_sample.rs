//! A short sample of `make bench`: that it measures keys, filter and silence. How fast anything is, is for a quiet
//! machine to say.

#[path = "../benches/screen/measure.rs"]
mod measure;

use measure::{Size, measure, percentile};
use std::time::Duration;

#[test]
fn the_bench_presses_keys_while_slots_burn_and_hears_silence_while_none_does() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let size = Size { inventory: 300, slots: 4, presses: 25, idle: Duration::from_secs(1) };
    let figures = measure(dir.path(), size);
    assert_eq!(figures.idle_writes, 0, "not one byte while nothing changes");
    assert_eq!(figures.keys.len(), 25);
    assert!(figures.burned > 0 && figures.first_search > Duration::ZERO);
    assert!(percentile(&figures.keys, 50) > Duration::ZERO && figures.filter.len() > 30);
    assert!(figures.keys.is_sorted() && percentile(&figures.keys, 100) == figures.keys[24]);
    // A whole view at 160x45, in one write.
    assert!((1_000..20_000).contains(&figures.largest), "{} bytes", figures.largest);
}
