//! Imports: whole or not at all, every collision named.

use super::*;

#[test]
fn an_import_is_whole_and_names_every_collision() {
    let bench = Bench::new();
    bench.running("first", vec![bench.job_for(1, "A1"), bench.job(2)]);
    let head = bench.store.audit_head().unwrap();

    let same_twice = NewJob { entries: vec![bench.entry(0, 5)], ..bench.job(5) };
    let jobs = vec![bench.job(4), bench.job(2), bench.job_for(6, "A1"), bench.job(5), same_twice];
    let refused = bench.store.import(ImportInto::NewBatch(batch("second")), jobs, None, &stamp(3));
    let Err(ImportRefused::Duplicates(found)) = refused else { panic!("{refused:?}") };
    let first = || Existing::Batch("first".into());
    assert_eq!(
        found,
        [
            Duplicate { job: 1, of: DuplicateOf::Seed(Profile::ZERO), existing: first() },
            Duplicate { job: 2, of: DuplicateOf::Serial, existing: first() },
            Duplicate { job: 4, of: DuplicateOf::Seed(Profile::ZERO), existing: Existing::SameImport(3) },
        ]
    );
    assert!(bench.store.batch_by_name("second").unwrap().is_none(), "nothing of it is on record");
    assert!(bench.store.seed_sealed(seed_id(4)).unwrap().is_none());
    assert_eq!(bench.store.audit_head().unwrap(), head, "what was refused is not told as done");
}

#[test]
fn a_seed_on_a_token_is_named_by_its_serial() {
    let bench = Bench::new();
    let jobs = bench.running("first", vec![bench.job(1)]);
    bench.burn(jobs[0], "A1");
    let again = bench.store.import(ImportInto::Batch("first".into()), vec![bench.job(1)], None, &stamp(30));
    let Err(ImportRefused::Duplicates(found)) = again else { panic!("{again:?}") };
    assert_eq!(found[0].existing, Existing::Token(serial("A1")));
}

#[test]
fn a_serial_burned_in_a_batch_is_not_queued_in_it_again() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job_for(1, "A1"), bench.job(2)]);
    bench.burn(jobs[0], "A1");
    let import = |into, number| bench.store.import(into, vec![bench.job_for(number, "A1")], None, &stamp(30));
    let Err(ImportRefused::Duplicates(found)) = import(ImportInto::Batch("b".into()), 3) else {
        panic!("it was taken")
    };
    assert_eq!((found[0].of, &found[0].existing), (DuplicateOf::Serial, &Existing::Batch("b".into())));
    import(ImportInto::NewBatch(batch("another")), 3).expect("another batch may burn it anew");
}

#[test]
fn an_import_of_a_bad_shape_is_refused() {
    let bench = Bench::new();
    let import = |into, job| bench.store.import(into, vec![job], None, &stamp(1)).unwrap_err();
    let empty = NewJob { entries: vec![], ..bench.job(1) };
    let twice = NewJob { entries: vec![bench.entry(3, 1), bench.entry(3, 2)], ..bench.job(1) };
    let into = || ImportInto::NewBatch(batch("b"));
    assert!(matches!(import(into(), empty), ImportRefused::BadEntries { job: 0 }));
    assert!(matches!(import(into(), twice), ImportRefused::BadEntries { job: 0 }));
    assert!(matches!(import(ImportInto::Inventory, bench.job(1)), ImportRefused::NoSerial { job: 0 }));
    assert!(matches!(import(ImportInto::Batch("b".into()), bench.job(1)), ImportRefused::NoBatch(_)));
    let keyed = NewBatch { key_name: Some("plant".into()), ..batch("b") };
    assert!(matches!(import(ImportInto::NewBatch(keyed), bench.job(1)), ImportRefused::NoKey(_)));
}

#[test]
fn a_finished_batch_that_gets_more_jobs_waits_to_be_started() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1)]);
    bench.burn(jobs[0], "A1");
    let source = SourceFile { name: "more.csv".into(), sha256: [9; 32] };
    bench
        .store
        .import(ImportInto::Batch("b".into()), vec![bench.job(2)], Some(source.clone()), &stamp(30))
        .unwrap();
    let batch = bench.store.batch_by_name("b").unwrap().unwrap();
    assert_eq!((batch.state, batch.counts.burned, batch.counts.queued), (BatchState::Paused, 1, 1));
    assert_eq!(batch.source, Some(source));
    assert_eq!(bench.next("A2"), None);
}

#[test]
fn an_inventory_holds_what_was_delivered_and_burning_replaces_it() {
    let bench = Bench::new();
    let delivered = bench.store.import(ImportInto::Inventory, vec![bench.job_for(1, "A1")], None, &stamp(1));
    assert_eq!(delivered.unwrap(), ImportDone { batch: None, jobs: 1, seeds: 1 });
    let held = &bench.store.holdings(&serial("A1")).unwrap()[0];
    assert_eq!((held.origin, held.job, held.proof.clone()), (MappingOrigin::Delivered, None, None));
    let again = bench.store.import(ImportInto::Inventory, vec![bench.job_for(2, "A1")], None, &stamp(2));
    assert!(matches!(again, Err(ImportRefused::Duplicates(_))), "the profile is taken");

    let jobs = bench.running("b", vec![bench.job(3)]);
    bench.burn(jobs[0], "A1");
    let token = bench.store.token(&serial("A1")).unwrap().unwrap();
    assert_eq!(token.holdings[0].seed, seed_id(3));
    assert_eq!(token.history[0].seed, seed_id(1));
    assert_eq!(token.history[0].ended, Some((stamp(20).now, EndedBy::Replaced)));
    assert_eq!(bench.seed_state(1), (SeedState::Retired, Some(serial("A1"))));
}
