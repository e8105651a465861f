//! What a search over all seeds reads.

use super::*;

#[test]
fn all_that_is_held_is_read_in_pieces_and_nothing_else() {
    let bench = Bench::new();
    let delivered = vec![bench.job_for(1, "D1"), bench.job_for(2, "D2")];
    bench.store.import(ImportInto::Inventory, delivered, None, &stamp(1)).unwrap();
    let jobs = bench.running("b", vec![bench.job(3), bench.job(4), bench.job_for(5, "W1")]);
    bench.store.reading(
        &serial("D2"),
        "c202",
        NewReading { drift_ms: 9_000, uncertainty_ms: 700, kind: ReadingKind::Clock },
        &stamp(5),
    );
    bench.burn(jobs[1], "B2");
    // Burned over what was delivered: that is history, and so is its clock.
    bench.burn(jobs[0], "D2");

    let numbers = bench.store.held_numbers().unwrap();
    let read = |piece: u64| -> Vec<HeldSeed> {
        let starts = (numbers.start..numbers.end).step_by(piece as usize);
        starts.flat_map(|at| bench.store.held_seeds(at..(at + piece).min(numbers.end)).unwrap()).collect()
    };
    let all = read(1_000);
    let whose: Vec<(&str, SeedId)> = all.iter().map(|held| (held.serial.as_str(), held.seed)).collect();
    assert_eq!(whose, [("D1", seed_id(1)), ("B2", seed_id(4)), ("D2", seed_id(3))]);
    assert_eq!(read(1), all);
    for held in &all {
        let number = held.seed.0[0];
        assert_eq!(bench.key.open_seed(held.seed, &held.sealed).unwrap().expose(), raw_seed(number));
    }
    // The burn's own reading, not the one from before.
    assert_eq!(all[2].reading.map(|(at, reading)| (at, reading.drift_ms)), Some((stamp(20).now, -200)));
    assert_eq!(all[0].reading, None);

    let order = |batch| -> Vec<String> {
        let held = bench.store.held_seeds_of_batch(batch).unwrap();
        held.iter().map(|held| held.serial.to_string()).collect()
    };
    assert_eq!((order("b"), order("other")), (vec!["B2".to_owned(), "D2".to_owned()], vec![]));
    let between = |from, to, most| bench.store.burned_between(stamp(from).now, stamp(to).now, most).unwrap();
    assert_eq!(between(20, 20, 9), [serial("B2"), serial("D2")]);
    assert_eq!(between(20, 20, 1), [serial("B2")]);
    assert_eq!(between(21, 30, 9), []);
    let waiting = bench.store.jobs_waiting_for(&serial("W1")).unwrap();
    assert_eq!(waiting.iter().map(|job| job.id).collect::<Vec<_>>(), [jobs[2]]);
    assert_eq!(bench.store.jobs_waiting_for(&serial("D2")).unwrap(), []);
}

#[test]
fn a_reading_from_before_a_burn_says_nothing_about_the_clock_that_the_burn_set() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1)]);
    bench.store.reading(
        &serial("A1"),
        "c202",
        NewReading { drift_ms: 9_000, uncertainty_ms: 700, kind: ReadingKind::Clock },
        &stamp(5),
    );
    let claimed = bench.claim(jobs[0], "A1").unwrap();
    // A burn whose token let nobody read its clock afterwards.
    let unread = BurnDone { reading: None, ..done(&claimed, "A1", Proof::Written) };
    bench.store.burned(unread, &stamp(20)).unwrap();
    let all = bench.store.held_seeds(bench.store.held_numbers().unwrap()).unwrap();
    assert_eq!((all.len(), all[0].reading), (1, None));
}
