//! What is kept of tokens' clocks, for whoever reckons how they run.

use super::*;
use crate::domain::ClockSetBy;

/// As a sweep does it.
fn set_right(bench: &Bench, token: &str) {
    let token = serial(token);
    let set = move |tx: &rusqlite::Transaction<'_>| {
        Ok::<_, StoreError>(drift::insert_setting(tx, &token, ClockSetBy::Resync, &stamp(50))?)
    };
    bench.store.write(set).unwrap();
}

#[test]
fn a_burn_sets_the_clock_and_says_what_the_stations_was_worth() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1)]);
    bench.burn(jobs[0], "A1");
    let settings = bench.store.clock_settings(&serial("A1")).unwrap();
    assert_eq!(
        settings,
        [ClockSetting { at: stamp(20).now, by: ClockSetBy::Burn, clock: Some(stamp(20).clock) }]
    );
    set_right(&bench, "A1");
    bench.store.token_reset(&serial("A1"), &stamp(60)).unwrap();
    let by: Vec<_> = bench.store.clock_settings(&serial("A1")).unwrap().into_iter().map(|s| s.by).collect();
    assert_eq!(by, ClockSetBy::ALL);
}

#[test]
fn a_clock_comes_with_its_readings_and_who_checks_its_codes() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1)]);
    bench.burn(jobs[0], "A1");
    let coded = NewReading { drift_ms: 9_000, uncertainty_ms: 15_000, kind: ReadingKind::Code };
    bench.store.reading(&serial("A1"), "c202", coded, &stamp(30));
    bench.store.caught_up().unwrap();
    let found = bench.store.clock_histories(&[serial("A1"), serial("nobody")]).unwrap();
    let [history] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(history.readings.iter().map(|r| r.reading.drift_ms).collect::<Vec<_>>(), [-200, 9_000]);
    assert_eq!(history.readings[1].reading, coded);
    let purpose = &history.purposes[0];
    assert_eq!((purpose.batch.as_deref(), purpose.target.as_deref()), (Some("b"), Some("entra-id")));
    assert_eq!(purpose.upn.as_deref(), Some("user1@example.com"));
}

#[test]
fn only_what_changed_since_is_looked_at_again() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1), bench.job(2)]);
    bench.burn(jobs[0], "A1");
    bench.burn(jobs[1], "A2");
    let (all, mark) = bench.store.clock_changes(Default::default()).unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(bench.store.clock_changes(mark).unwrap(), (Default::default(), mark));
    bench.store.reading(&serial("A2"), "c202", RIGHT, &stamp(40));
    bench.store.caught_up().unwrap();
    let (changed, mark) = bench.store.clock_changes(mark).unwrap();
    assert_eq!(changed.into_iter().collect::<Vec<_>>(), [serial("A2")]);
    set_right(&bench, "A1");
    let (changed, mark) = bench.store.clock_changes(mark).unwrap();
    assert_eq!(changed.into_iter().collect::<Vec<_>>(), [serial("A1")]);
    bench.store.scrap(&serial("A2"), ImportedSeeds::Hold, &stamp(60)).unwrap();
    let (changed, _) = bench.store.clock_changes(mark).unwrap();
    assert!(changed.contains(&serial("A2")));
}
