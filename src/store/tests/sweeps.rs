//! Sweeps: jobs that set clocks, and leave what tokens hold as it is.

use super::*;

const KEY: Trial = Trial { key: Fingerprint([9; 16]), by: TrialBy::Record };

fn sweep(bench: &Bench, name: &str, sweep: Sweep) -> BatchId {
    bench.store.new_sweep(batch(name), sweep, vec![], &stamp(30)).unwrap()
}

fn resync(sweep: BatchId, on: &str) -> NewResync {
    NewResync {
        sweep,
        serial: serial(on),
        slot: SlotName("left".into()),
        profiles: vec![Profile::ZERO],
        said: vec![],
        before_ms: Some(-75_000),
        plan: "plan".into(),
        trial: KEY,
    }
}

/// A job that sets the clock of a token, claimed.
fn claimed(bench: &Bench, sweep: BatchId, on: &str) -> JobRecord {
    bench.store.claim_resync(resync(sweep, on), &stamp(40)).unwrap().0
}

fn set(bench: &Bench, job: &JobRecord, on: &str) -> JobRecord {
    let done = ResyncDone {
        job: job.id,
        serial: serial(on),
        entries: vec![EntryDone { profile: Profile::ZERO, proof: Proof::Written, detail: None }],
        rewrote: true,
        reading: Some(NewReading { drift_ms: 400, uncertainty_ms: 500, kind: ReadingKind::Clock }),
        clock_override: None,
    };
    bench.store.resynced(done, &stamp(50)).unwrap()
}

fn outcome(bench: &Bench, sweep: BatchId, of: &str) -> Option<SweptOutcome> {
    bench.store.swept(sweep, &serial(of)).unwrap().map(|swept| swept.outcome)
}

#[test]
fn a_clock_that_was_set_leaves_what_the_token_holds_and_begins_anew() {
    let bench = Bench::new();
    let burned = bench.running("spring", vec![bench.job(1)]);
    bench.burn(burned[0], "100");
    bench.store.seen(&serial("100"), Profile::ZERO, None, None, &stamp(25)).unwrap();
    let before = bench.store.token(&serial("100")).unwrap().unwrap();
    let id = sweep(&bench, "june", Sweep::default());
    let job = claimed(&bench, id, "100");
    assert_eq!((job.kind, job.state, job.entries[0].seed), (JobKind::Resync, JobState::Claimed, seed_id(1)));
    assert_eq!(outcome(&bench, id, "100"), Some(SweptOutcome::Unfinished));
    let job = set(&bench, &job, "100");
    assert_eq!((job.drift_before_ms, job.drift_after_ms), (Some(-75_000), Some(400)));
    let after = bench.store.token(&serial("100")).unwrap().unwrap();
    let held =
        |token: &TokenRecord| (token.holdings[0].since, token.holdings[0].job, token.line.batch.clone());
    assert_eq!((held(&after), after.history.len()), (held(&before), 0));
    assert_eq!(after.line.proof, Some(Proof::Written), "what was seen was the writing before");
    assert_eq!(after.clock_set, [UnixMillis(T0 + 50_000)]);
    assert_eq!(bench.seed_state(1), (SeedState::OnToken, Some(serial("100"))));
    let batch = bench.store.batch(id).unwrap().unwrap();
    assert_eq!((batch.state, batch.sweep.unwrap().1.set), (BatchState::Running, 1), "others may come");
    let spring = bench.store.batch_by_name("spring").unwrap().unwrap().id;
    assert_eq!(bench.store.burned_mappings(Some(spring)).unwrap().len(), 1, "and is exported with its batch");
    bench.store.audit_verify(&[]).unwrap();
}

#[test]
fn a_token_that_was_set_stays_so_in_the_record_whatever_comes_later() {
    let bench = Bench::new();
    let burned = bench.running("spring", vec![bench.job(1)]);
    bench.burn(burned[0], "100");
    let id = sweep(&bench, "june", Sweep { serials: vec![serial("100"), serial("200")], ..Sweep::default() });
    let job = claimed(&bench, id, "100");
    set(&bench, &job, "100");
    let alone = |of: &str, outcome| {
        bench.store.left_alone(id, &serial(of), Some(7), outcome, None, &stamp(60)).unwrap()
    };
    assert!(!alone("100", SweptOutcome::Right));
    assert_eq!(outcome(&bench, id, "100"), Some(SweptOutcome::Set));
    assert!(alone("200", SweptOutcome::NotKnown) && !alone("200", SweptOutcome::NotKnown), "news once");
    assert_eq!(bench.store.batch(id).unwrap().unwrap().state, BatchState::Running);
    assert!(alone("200", SweptOutcome::Right));
    assert_eq!(
        bench.store.batch(id).unwrap().unwrap().state,
        BatchState::Done,
        "all that it named are right"
    );
}

#[test]
fn a_sweep_takes_no_seeds_and_has_nothing_to_put_back() {
    let bench = Bench::new();
    sweep(&bench, "june", Sweep::default());
    let import = bench.store.import(ImportInto::Batch("june".into()), vec![bench.job(1)], None, &stamp(31));
    assert!(matches!(import, Err(ImportRefused::Sweep(_))));
    assert!(matches!(bench.store.retry("june", 9, &stamp(32)), Err(BatchRefused::Sweep(_))));
    let pause = BatchMove::Pause { reason: None };
    assert_eq!(bench.store.move_batch("june", pause, &stamp(33)).unwrap(), BatchState::Paused);
    assert!(bench.store.running_sweeps().unwrap().is_empty());
    assert_eq!(bench.store.move_batch("june", BatchMove::Start, &stamp(34)).unwrap(), BatchState::Running);
    assert_eq!(bench.store.running_sweeps().unwrap().len(), 1);
    assert_eq!(bench.store.move_batch("june", BatchMove::Cancel, &stamp(35)).unwrap(), BatchState::Done);
}

#[test]
fn a_token_that_dies_in_a_sweep_gives_its_imported_seed_back_once() {
    let bench = Bench::new();
    let burned = bench.running("spring", vec![bench.job(1)]);
    bench.burn(burned[0], "100");
    let id = sweep(&bench, "june", Sweep::default());
    let job = claimed(&bench, id, "100");
    bench.store.interrupted(job.id, "taken away", &stamp(41)).unwrap();
    assert_eq!(bench.next("100"), Some(job.id), "it goes on when the token comes back");
    let scrapped = bench.store.scrap(&serial("100"), ImportedSeeds::Release, &stamp(42)).unwrap();
    assert_eq!(scrapped.requeued.len(), 1, "one job for one seed");
    assert_eq!(bench.seed_state(1), (SeedState::Free, None));
    assert_eq!(bench.state(job.id), JobState::Scrapped);
    let again = bench.store.job(scrapped.requeued[0]).unwrap().unwrap();
    assert_eq!((again.batch_name.as_str(), again.kind), ("spring", JobKind::Burn));
}

#[test]
fn a_reset_ends_what_was_begun_to_set_the_clock() {
    let bench = Bench::new();
    let burned = bench.running("spring", vec![bench.job(1)]);
    bench.burn(burned[0], "100");
    let id = sweep(&bench, "june", Sweep::default());
    let job = claimed(&bench, id, "100");
    bench.store.interrupted(job.id, "taken away", &stamp(41)).unwrap();
    bench.store.token_reset(&serial("100"), &stamp(42)).unwrap();
    assert_eq!(bench.state(job.id), JobState::Scrapped);
    assert_eq!(bench.next("100"), None);
}

#[test]
fn a_token_without_a_seed_on_record_gets_no_job() {
    let bench = Bench::new();
    let id = sweep(&bench, "june", Sweep::default());
    assert!(bench.store.claim_resync(resync(id, "100"), &stamp(40)).is_err());
    let none = bench.store.jobs(id, &JobFilter::default(), Page::first(9)).unwrap();
    assert_eq!(none.total, 0, "nothing is left of it");
}

#[test]
fn how_long_the_display_of_a_token_stays_on_is_kept_with_what_it_holds() {
    let bench = Bench::new();
    bench.store.import(ImportInto::Inventory, vec![bench.job_for(1, "A1")], None, &stamp(1)).unwrap();
    bench.store.import(ImportInto::Inventory, vec![bench.job_for(2, "A2")], None, &stamp(2)).unwrap();
    let said = |of: &str| bench.store.holdings(&serial(of)).unwrap()[0].display_timeout_s;
    let june = Sweep { display_timeout_s: Some(60), ..Sweep::default() };
    let these = vec![(serial("A1"), Profile::ZERO)];
    let id = bench.store.new_sweep(batch("june"), june.clone(), these, &stamp(30)).unwrap();
    assert_eq!([said("A1"), said("A2")], [Some(60), None]);
    assert_eq!(bench.store.running_sweeps().unwrap()[0].sweep, june);

    // One that comes to the sweep has it on record with the claim, and the job does.
    let new = NewResync { said: vec![(Profile::ZERO, 60)], ..resync(id, "A2") };
    let (job, _) = bench.store.claim_resync(new, &stamp(40)).unwrap();
    assert_eq!((said("A2"), job.entries[0].display_timeout_s), (Some(60), Some(60)));
    // Another seed is another matter.
    let burned = bench.running("spring", vec![bench.job(3)]);
    bench.burn(burned[0], "A1");
    assert_eq!(said("A1"), None);
    let log = bench.store.audit_page("display timeout said", Page::first(9)).unwrap();
    assert_eq!(log.total, 2, "once for each token");
    bench.store.audit_verify(&[]).unwrap();
}
