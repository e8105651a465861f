//! The queue: which token gets which job, and what moves it on.

use super::*;

#[test]
fn a_token_gets_its_begun_job_then_its_own_then_a_free_one() {
    let bench = Bench::new();
    let low = bench.running("low", vec![bench.job(1), bench.job_for(2, "A2")]);
    let high = NewBatch { priority: 5, ..batch("high") };
    bench
        .store
        .import(ImportInto::NewBatch(high), vec![bench.job(3), bench.job(4)], None, &stamp(1))
        .unwrap();
    assert_eq!(bench.next("A1"), Some(low[0]), "a draft burns nothing");
    bench.store.move_batch("high", BatchMove::Start, &stamp(2)).unwrap();
    let high = bench.ids(bench.store.batch_by_name("high").unwrap().unwrap().id);

    assert_eq!(bench.next("A1"), Some(high[0]), "the higher priority");
    assert_eq!(bench.next("A2"), Some(low[1]), "its own, whatever the priority");
    bench.claim(low[0], "A1").unwrap();
    assert_eq!(bench.next("A1"), Some(low[0]), "what it has begun");
    bench.store.move_batch("high", BatchMove::Pause { reason: Some("asked for".into()) }, &stamp(3)).unwrap();
    assert_eq!(bench.next("A3"), None, "a job reserved for another serial is not free");
}

#[test]
fn several_batches_are_served_by_priority_then_by_age() {
    let bench = Bench::new();
    let old = bench.running("old", vec![bench.job(1)]);
    let new = bench.running("new", vec![bench.job(2)]);
    assert_eq!(bench.next("A1"), Some(old[0]), "of two alike the older one");
    bench.store.prioritise("new", 1, &stamp(3)).unwrap();
    assert_eq!(bench.next("A1"), Some(new[0]));
    bench.store.prioritise("new", -1, &stamp(4)).unwrap();
    assert_eq!(bench.next("A1"), Some(old[0]));
    assert_eq!(bench.store.batch_by_name("new").unwrap().unwrap().priority, -1);
    assert!(matches!(bench.store.prioritise("none", 1, &stamp(5)), Err(BatchRefused::NoBatch(_))));
    bench.store.move_batch("old", BatchMove::Cancel, &stamp(6)).unwrap();
    let over = bench.store.prioritise("old", 1, &stamp(7));
    assert!(matches!(over, Err(BatchRefused::BadState { state: BatchState::Cancelled, .. })));
}

#[test]
fn a_job_for_another_model_is_left() {
    let bench = Bench::new();
    let jobs =
        bench.running("b", vec![NewJob { model: Some("molto2".into()), ..bench.job(1) }, bench.job(2)]);
    assert_eq!(bench.next("A1"), Some(jobs[1]));
    assert_eq!(bench.store.next_job(&serial("M1"), "molto2", |_| true).unwrap().unwrap().id, jobs[0]);
}

#[test]
fn a_free_job_that_does_not_fit_hides_no_other() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1), bench.job_for(2, "A1"), bench.job(3)]);
    let later = bench.running("later", vec![bench.job(4)]);
    let next = |passed: &[JobId]| {
        let fits = |job: &JobRecord| !passed.contains(&job.id);
        bench.store.next_job(&serial("A2"), "c202", fits).unwrap().map(|job| job.id)
    };
    assert_eq!(next(&[]), Some(jobs[0]));
    assert_eq!(next(&[jobs[0]]), Some(jobs[2]));
    assert_eq!(next(&[jobs[0], jobs[2]]), Some(later[0]));
    assert_eq!(next(&[jobs[0], jobs[2], later[0]]), None);
    let own = bench.store.next_job(&serial("A1"), "c202", |_| false).unwrap().map(|job| job.id);
    assert_eq!(own, Some(jobs[1]), "one that is reserved for a token is no choice");
    assert_eq!(bench.store.job(jobs[0]).unwrap().unwrap().entries[0].seed_len_bytes, raw_seed(1).len());
}

#[test]
fn a_token_burned_in_a_batch_gets_no_second_job_of_it() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1), bench.job(2)]);
    bench.burn(jobs[0], "A1");
    assert_eq!(bench.next("A1"), None);
    assert!(matches!(bench.claim(jobs[1], "A1"), Err(ClaimRefused::AlreadyBurned(_))));
    assert_eq!(bench.next("A2"), Some(jobs[1]));
}

#[test]
fn a_claim_is_refused_where_it_would_be_wrong() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1), bench.job_for(2, "A2"), bench.job(3)]);
    assert!(matches!(bench.claim(JobId(999), "A1"), Err(ClaimRefused::NoJob)));
    assert!(
        matches!(bench.claim(jobs[1], "A1"), Err(ClaimRefused::OtherSerial(owner)) if owner == serial("A2"))
    );
    bench.claim(jobs[0], "A1").unwrap();
    assert!(matches!(bench.claim(jobs[0], "A3"), Err(ClaimRefused::Taken(_))));
    assert!(matches!(bench.claim(jobs[2], "A1"), Err(ClaimRefused::SerialBusy(_))));
    bench.store.move_batch("b", BatchMove::Pause { reason: Some("asked for".into()) }, &stamp(3)).unwrap();
    assert!(matches!(bench.claim(jobs[2], "A3"), Err(ClaimRefused::BatchNotRunning(BatchState::Paused))));
    bench.store.interrupted(jobs[0], "yank", &stamp(11)).unwrap();
    assert_eq!(bench.next("A1"), Some(jobs[0]), "named all the same");
    assert!(matches!(bench.claim(jobs[0], "A1"), Err(ClaimRefused::BatchNotRunning(_))));
}

#[test]
fn a_job_whose_seed_is_not_free_is_not_claimed() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1)]);
    bench.raw().execute("UPDATE seeds SET state = 'dropped'", []).unwrap();
    assert!(matches!(bench.claim(jobs[0], "A1"), Err(ClaimRefused::Store(StoreError::Rule(_)))));
    assert_eq!(bench.state(jobs[0]), JobState::Queued, "a refused act leaves nothing behind");
    assert!(bench.store.token(&serial("A1")).unwrap().is_none());
}

#[test]
fn threads_that_claim_never_get_the_same_job() {
    let bench = Bench::new();
    bench.running("b", (1..=24).map(|number| bench.job(number)).collect());
    let gate = Barrier::new(8);
    let claimed: Vec<(JobId, SeedId)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let (store, gate) = (bench.store.clone(), &gate);
                scope.spawn(move || {
                    gate.wait();
                    let mut mine = Vec::new();
                    for token in 0.. {
                        let serial = serial(&format!("T{thread}-{token}"));
                        let won = loop {
                            let Some(job) = store.next_job(&serial, "c202", |_| true).unwrap() else {
                                break None;
                            };
                            let slot = SlotName(format!("slot {thread}"));
                            match store.claim(job.id, &serial, &slot, "", &stamp(10)) {
                                Ok(job) => break Some(job),
                                Err(ClaimRefused::Taken(_)) => {}
                                Err(other) => panic!("{other}"),
                            }
                        };
                        let Some(job) = won else { break };
                        mine.push((job.id, job.entries[0].seed));
                    }
                    mine
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(claimed.len(), 24, "none is lost");
    assert_eq!(claimed.iter().map(|(job, _)| job).collect::<HashSet<_>>().len(), 24);
    assert_eq!(claimed.iter().map(|(_, seed)| seed).collect::<HashSet<_>>().len(), 24);
}

#[test]
fn a_claimed_job_is_unfinished_after_a_restart_and_waits_for_its_token() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1), bench.job(2)]);
    bench.claim(jobs[0], "A1").unwrap();
    let bench = bench.reopened();
    let recovered = bench.store.recover(&stamp(50)).unwrap();
    assert_eq!(
        recovered.iter().map(|job| (job.id, job.state)).collect::<Vec<_>>(),
        [(jobs[0], JobState::Unfinished)]
    );
    assert!(bench.store.recover(&stamp(51)).unwrap().is_empty(), "once is enough");

    assert_eq!(bench.next("A2"), Some(jobs[1]));
    assert!(matches!(bench.claim(jobs[0], "A2"), Err(ClaimRefused::OtherSerial(_))));
    assert_eq!(bench.next("A1"), Some(jobs[0]));
    let again = bench.claim(jobs[0], "A1").unwrap();
    assert_eq!(again.entries[0].seed, seed_id(1), "the same seed");
    assert!(again.may_hold_seed);
    assert!(matches!(bench.store.failed(jobs[0], "no", &stamp(60)), Err(MoveRefused::MayHoldSeed)));
    bench.store.burned(done(&again, "A1", Proof::Written), &stamp(61)).unwrap();
    assert_eq!(bench.store.holdings(&serial("A1")).unwrap().len(), 1);
}

#[test]
fn a_failed_job_frees_its_seed_for_another_token() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1)]);
    bench.claim(jobs[0], "A1").unwrap();
    assert_eq!(bench.seed_state(1), (SeedState::Bound, Some(serial("A1"))));
    bench.store.failed(jobs[0], "it refused the key", &stamp(11)).unwrap();
    assert_eq!(bench.seed_state(1), (SeedState::Free, None));
    assert_eq!(bench.next("A2"), None, "a person puts it back");
    assert_eq!(bench.store.batch_by_name("b").unwrap().unwrap().state, BatchState::Done);
    let retried = bench.store.retry("b", 9, &stamp(12)).unwrap();
    assert_eq!((retried.total, retried.items[0].state), (1, JobState::Failed), "as it stood before");
    assert!(retried.items[0].serial.is_some() && retried.items[0].reason.is_some());
    assert_eq!(bench.next("A2"), Some(jobs[0]));
    bench.burn(jobs[0], "A2");
    assert_eq!(bench.seed_state(1), (SeedState::OnToken, Some(serial("A2"))));
}

#[test]
fn a_burn_is_recorded_with_mapping_proof_and_reading() {
    let bench = Bench::new();
    let two = NewJob { entries: vec![bench.entry(0, 1), bench.entry(7, 2)], ..bench.job(1) };
    let jobs = bench.running("b", vec![two]);
    let claimed = bench.claim(jobs[0], "A1").unwrap();
    let whole = done(&claimed, "A1", Proof::ReadBack);

    let missing = BurnDone { entries: whole.entries[..1].to_vec(), ..whole.clone() };
    assert!(matches!(
        bench.store.burned(missing, &stamp(20)),
        Err(MoveRefused::OtherEntries(profile)) if profile == Profile::new(7)
    ));
    let other = BurnDone { serial: serial("A2"), ..whole.clone() };
    assert!(matches!(bench.store.burned(other, &stamp(20)), Err(MoveRefused::OtherSerial(_))));
    assert!(bench.store.holdings(&serial("A1")).unwrap().is_empty());

    let burned = bench.store.burned(whole.clone(), &stamp(20)).unwrap();
    assert_eq!(burned.state, JobState::Burned);
    assert!(matches!(bench.store.burned(whole, &stamp(21)), Err(MoveRefused::BadMove(_))), "counted once");
    let token = bench.store.token(&serial("A1")).unwrap().unwrap();
    assert_eq!(token.holdings.len(), 2);
    assert_eq!(token.holdings[1].profile, Profile::new(7));
    assert_eq!(token.holdings[1].facts.upn.as_deref(), Some("user1@example.com"));
    assert_eq!(token.holdings[1].proof.as_ref().unwrap().proof, Proof::ReadBack);
    assert_eq!(token.readings[0].reading.drift_ms, -200);
    assert_eq!(token.readings[0].clock, ClockState::Synchronised { max_error_ms: 5 });
    assert_eq!(bench.store.burned_mappings(Some(burned.batch)).unwrap(), token.holdings);

    let batch = bench.store.batch(burned.batch).unwrap().unwrap();
    assert_eq!((batch.state, batch.counts.burned, batch.counts.total()), (BatchState::Done, 1, 1));
    assert_eq!((batch.proofs.read_back, batch.proofs.written), (1, 0), "one token, not two profiles");
}

#[test]
fn another_burn_closes_what_was_there_and_retires_its_seed() {
    let bench = Bench::new();
    let first = bench.running("first", vec![bench.job(1)]);
    bench.burn(first[0], "A1");
    let second = bench.running("second", vec![bench.job(2)]);
    bench.burn(second[0], "A1");
    let token = bench.store.token(&serial("A1")).unwrap().unwrap();
    assert_eq!(token.holdings.iter().map(|held| held.seed).collect::<Vec<_>>(), [seed_id(2)]);
    assert_eq!(token.history[0].ended.unwrap().1, EndedBy::Replaced);
    assert_eq!(bench.seed_state(1).0, SeedState::Retired);
    assert_eq!(bench.state(first[0]), JobState::Burned, "its history stays");
}

#[test]
fn cancelling_lets_go_of_what_was_not_begun_and_of_nothing_else() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1), bench.job(2), bench.job(3)]);
    bench.claim(jobs[0], "A1").unwrap();
    bench.store.cancel_job(jobs[1], &stamp(11)).unwrap();
    assert!(matches!(bench.store.cancel_job(jobs[0], &stamp(11)), Err(MoveRefused::BadMove(_))));
    bench.store.move_batch("b", BatchMove::Cancel, &stamp(12)).unwrap();
    assert_eq!(
        jobs.iter().map(|job| bench.state(*job)).collect::<Vec<_>>(),
        [JobState::Claimed, JobState::Cancelled, JobState::Cancelled]
    );
    assert_eq!(bench.seed_state(3), (SeedState::Dropped, None));
    // The same file can be imported again, but for the line that was begun.
    let renamed = |number: u8| {
        let mut job = bench.job(number);
        job.entries[0].seed.id = SeedId([number + 100; 16]);
        job
    };
    let into = || ImportInto::NewBatch(batch("again"));
    let refused = bench.store.import(into(), vec![renamed(1)], None, &stamp(13));
    assert!(matches!(refused, Err(ImportRefused::Duplicates(_))));
    bench.store.import(into(), vec![renamed(2), renamed(3)], None, &stamp(14)).unwrap();
    // What was begun is still brought to its end.
    bench.store.interrupted(jobs[0], "yank", &stamp(15)).unwrap();
    bench.burn(jobs[0], "A1");
}

#[test]
fn a_batch_moves_only_where_it_can() {
    let bench = Bench::new();
    bench.store.new_batch(batch("b"), &stamp(1)).unwrap();
    assert!(matches!(bench.store.new_batch(batch("b"), &stamp(1)), Err(BatchRefused::Exists(_))));
    let go = |to| bench.store.move_batch("b", to, &stamp(2));
    assert!(matches!(go(BatchMove::Start), Err(BatchRefused::Empty(_))));
    assert!(matches!(go(BatchMove::Pause { reason: None }), Err(BatchRefused::BadState { .. })));
    bench.store.import(ImportInto::Batch("b".into()), vec![bench.job(1)], None, &stamp(3)).unwrap();
    assert_eq!(go(BatchMove::Start).unwrap(), BatchState::Running);
    assert_eq!(go(BatchMove::Pause { reason: Some("three refused".into()) }).unwrap(), BatchState::Paused);
    assert_eq!(bench.store.batch_by_name("b").unwrap().unwrap().reason.as_deref(), Some("three refused"));
    assert_eq!(go(BatchMove::Cancel).unwrap(), BatchState::Cancelled);
    assert!(matches!(go(BatchMove::Start), Err(BatchRefused::BadState { .. })));
    let retry = |batch| bench.store.retry(batch, 9, &stamp(4));
    assert!(matches!(retry("b"), Err(BatchRefused::CalledOff(_))));
    assert!(matches!(retry("c"), Err(BatchRefused::NoBatch(_))));
}

#[test]
fn jobs_are_filtered_and_paged() {
    let bench = Bench::new();
    let jobs = bench.running("b", (1..=5).map(|number| bench.job(number)).collect());
    bench.burn(jobs[3], "A1");
    let batch = bench.store.batch_by_name("b").unwrap().unwrap().id;
    let ask = |states: &[JobState], text: Option<&str>, page| {
        let filter = JobFilter { states: states.to_vec(), text: text.map(str::to_owned) };
        let found = bench.store.jobs(batch, &filter, page).unwrap();
        (found.items.iter().map(|job| job.id).collect::<Vec<_>>(), found.total)
    };
    assert_eq!(ask(&[], None, Page { offset: 1, limit: 2 }), (jobs[1..3].to_vec(), 5));
    assert_eq!(ask(&[JobState::Burned], None, Page::first(9)), (vec![jobs[3]], 1));
    assert_eq!(ask(&[JobState::Queued, JobState::Burned], None, Page::first(1)), (vec![jobs[0]], 5));
    assert_eq!(ask(&[], Some("USER2@"), Page::first(9)), (vec![jobs[1]], 1));
    assert_eq!(ask(&[], Some("a1"), Page::first(9)), (vec![jobs[3]], 1));
}

#[test]
fn a_persons_word_is_used_up_only_by_an_attempt_that_was_or_may_have_been_made() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1)]);
    let on = serial("A1");
    let trial = |by| Trial { key: Fingerprint([1; 16]), by };
    let may_try = |store: &Store| store.has_consent(&on, ConsentTo::AnotherAttempt).unwrap();
    let made = |by| bench.store.attempt_made(&on, trial(by), None, &stamp(5)).unwrap();
    let told = |id, result| bench.store.attempt_result(id, result, &stamp(6)).unwrap();
    let refused = AttemptResult::Refused { tries_left: None };
    let allow = || bench.store.consent(&on, ConsentTo::AnotherAttempt, &stamp(4)).unwrap();

    allow();
    told(made(TrialBy::Record), refused);
    assert!(may_try(&bench.store), "an attempt that needed no word leaves it");
    for result in [AttemptResult::Accepted, refused, AttemptResult::Unknown] {
        let attempt = made(TrialBy::Consent);
        assert!(!may_try(&bench.store), "gone before the token hears of it");
        told(attempt, result);
        assert!(!may_try(&bench.store), "{result:?}");
        allow();
    }
    told(made(TrialBy::Consent), AttemptResult::NotMade);
    assert!(may_try(&bench.store), "nothing reached the token");

    // Nobody knew at first; then the thread that had hung says that nothing was sent.
    let attempt = made(TrialBy::Consent);
    told(attempt, AttemptResult::Unknown);
    assert!(!may_try(&bench.store));
    told(attempt, AttemptResult::NotMade);
    assert!(may_try(&bench.store));

    // Claim and attempt use it up at once, and a crash leaves it used: the token may have been asked.
    let slot = SlotName("left".into());
    bench.store.claim_to_try(jobs[0], &on, &slot, "one seed", trial(TrialBy::Consent), &stamp(8)).unwrap();
    assert!(!may_try(&bench.store));
    let bench = bench.reopened();
    bench.store.recover(&stamp(50)).unwrap();
    assert!(!may_try(&bench.store));
}
