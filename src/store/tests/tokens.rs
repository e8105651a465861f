//! Tokens: what they hold, who finds them, what a person allows, and what they said to a key.

use super::*;

#[test]
fn a_code_that_was_seen_is_the_best_proof_and_stays() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1)]);
    bench.burn(jobs[0], "A1");
    let nothing = bench.store.seen(&serial("A1"), Profile::new(3), None, None, &stamp(30));
    assert!(matches!(nothing, Err(TokenRefused::NothingHeld { .. })));
    let seen = bench.store.seen(&serial("A1"), Profile::ZERO, Some("287082"), None, &stamp(31)).unwrap();
    assert_eq!(seen.proof.unwrap().proof, Proof::Seen);
    let bench = bench.reopened();
    let line = bench.store.tokens(&TokenFilter::default(), Page::first(5)).unwrap().items.remove(0);
    assert_eq!(
        (line.proof, line.profiles, line.upn.as_deref()),
        (Some(Proof::Seen), 1, Some("user1@example.com"))
    );
    assert_eq!(bench.store.batch_by_name("b").unwrap().unwrap().proofs.seen, 1);
}

#[test]
fn tokens_are_found_by_serial_model_title_and_user() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1)]);
    bench.burn(jobs[0], "A1");
    bench.store.reading(&serial("B2"), "molto2", RIGHT, &stamp(30));
    // A reading is recorded before whatever comes later.
    bench.store.audit_append("later", None, serde_json::Value::Null, &stamp(30)).unwrap();
    let find = |text: Option<&str>| {
        let filter = TokenFilter { text: text.map(str::to_owned) };
        let found = bench.store.tokens(&filter, Page::first(5)).unwrap();
        assert_eq!(found.total, found.items.len() as u64);
        found.items.into_iter().map(|token| token.serial.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(find(None), ["A1", "B2"]);
    assert_eq!(find(Some("MOLTO")), ["B2"]);
    assert_eq!(find(Some("user1")), ["A1"]);
    assert_eq!(find(Some("title 1")), ["A1"]);
    assert_eq!(find(Some("burned written")), ["A1"], "state and proof");
    assert_eq!(find(Some("b")), ["A1", "B2"]);
    assert_eq!(find(Some("1 b user")), ["A1"], "every word");
    assert_eq!(find(Some("%")), Vec::<String>::new(), "nothing is a wildcard");
    // What was found once is found as it is now.
    bench.store.seen(&serial("A1"), Profile::ZERO, None, None, &stamp(31)).unwrap();
    bench.store.scrap(&serial("A1"), ImportedSeeds::Hold, &stamp(32)).unwrap();
    assert_eq!(find(Some("a1 scrapped")), ["A1"]);
    assert_eq!(find(Some("a1 burned")), Vec::<String>::new());
    bench.store.reading(&serial("C9"), "molto2", RIGHT, &stamp(33));
    bench.store.caught_up().unwrap();
    assert_eq!(find(Some("molto2")), ["B2", "C9"]);
    assert!(bench.store.token(&serial("C3")).unwrap().is_none());
}

#[test]
fn a_scrapped_tokens_generated_seed_is_retired_and_an_imported_one_held_until_released() {
    let bench = Bench::new();
    let mut generated = bench.job(2);
    generated.entries[0].seed.origin = SeedOrigin::Generated;
    let jobs = bench.running("b", vec![bench.job(1), generated]);
    bench.burn(jobs[0], "A1");
    bench.claim(jobs[1], "A2").unwrap();
    assert!(matches!(
        bench.store.scrap(&serial("A2"), ImportedSeeds::Hold, &stamp(29)),
        Err(TokenRefused::BeingBurned(_))
    ));
    bench.store.interrupted(jobs[1], "yank", &stamp(30)).unwrap();

    let dead = bench.store.scrap(&serial("A2"), ImportedSeeds::Release, &stamp(31)).unwrap();
    assert_eq!((dead.jobs.as_slice(), dead.retired, dead.requeued.len()), ([jobs[1]].as_slice(), 1, 0));
    assert_eq!(bench.seed_state(2).0, SeedState::Retired);

    let dead = bench.store.scrap(&serial("A1"), ImportedSeeds::Hold, &stamp(32)).unwrap();
    assert_eq!((dead.held, dead.requeued.len()), (1, 0));
    assert_eq!(bench.seed_state(1), (SeedState::Bound, Some(serial("A1"))));
    assert_eq!((bench.state(jobs[0]), bench.next("A3")), (JobState::Scrapped, None));

    let released = bench.store.scrap(&serial("A1"), ImportedSeeds::Release, &stamp(33)).unwrap();
    assert_eq!((released.jobs.len(), released.held, released.requeued.len()), (0, 0, 1));
    assert_eq!(bench.seed_state(1), (SeedState::Free, None));
    assert_eq!(bench.next("A1"), None, "the dead get nothing");
    assert_eq!(bench.next("A3"), Some(released.requeued[0]));
    let burned = bench.burn(released.requeued[0], "A3");
    assert_eq!(burned.facts.upn.as_deref(), Some("user1@example.com"));
    let history = bench.store.token(&serial("A1")).unwrap().unwrap().history;
    assert_eq!(history[0].ended.unwrap().1, EndedBy::Scrapped);
    assert!(matches!(
        bench.store.scrap(&serial("Z9"), ImportedSeeds::Hold, &stamp(34)),
        Err(TokenRefused::NoToken(_))
    ));
}

#[test]
fn consent_is_used_once_and_for_one_token_and_thing() {
    let bench = Bench::new();
    bench.store.consent(&serial("A1"), ConsentTo::ReplaceOurs, &stamp(1)).unwrap();
    let take = |on: &str, to| bench.store.take_consent(&serial(on), to, &stamp(2)).unwrap();
    assert!(!take("A2", ConsentTo::ReplaceOurs));
    assert!(!take("A1", ConsentTo::ReplaceForeign));
    assert!(take("A1", ConsentTo::ReplaceOurs));
    assert!(!take("A1", ConsentTo::ReplaceOurs));
}

#[test]
fn what_a_token_said_to_a_key_is_remembered_over_a_restart() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1)]);
    let batch = Some(bench.store.job(jobs[0]).unwrap().unwrap().batch);
    let (key, other_key) = (Fingerprint([1; 16]), Fingerprint([2; 16]));
    let trial = Trial { key, by: TrialBy::Record };
    let made = |on: &str| bench.store.attempt_made(&serial(on), trial, batch, &stamp(5)).unwrap();
    let told = |id, result| bench.store.attempt_result(id, result, &stamp(6)).unwrap();
    let standing = |store: &Store, on: &str| store.key_standing(key, &serial(on), batch).unwrap();

    assert_eq!(standing(&bench.store, "A1"), KeyStanding::default());
    let first = made("A1");
    assert!(standing(&bench.store, "A2").in_flight_elsewhere);
    assert!(!standing(&bench.store, "A1").in_flight_elsewhere);
    assert_eq!(standing(&bench.store, "A1").unknown_attempts_here, 1);
    told(first, AttemptResult::Refused { tries_left: Some(9) });
    let refused = standing(&bench.store, "A1");
    assert_eq!(refused.refused_here, Some(RefusedHere { tries_left: Some(9), at: stamp(6).now }));
    assert_eq!((refused.unknown_attempts_here, refused.refused_in_batch), (0, 1));
    assert_eq!(standing(&bench.store, "A2").refused_in_batch, 1);
    assert!(bench.store.attempt_result(first, AttemptResult::Accepted, &stamp(7)).is_err(), "no is no");
    assert_eq!(bench.store.key_standing(other_key, &serial("A1"), batch).unwrap(), KeyStanding::default());
    assert_eq!(bench.store.key_standing(key, &serial("A2"), None).unwrap(), KeyStanding::default());

    told(made("A3"), AttemptResult::NotMade);
    assert_eq!(standing(&bench.store, "A3").unknown_attempts_here, 0, "it cost nothing");
    assert!(!standing(&bench.store, "A1").in_flight_elsewhere);

    told(made("A2"), AttemptResult::Accepted);
    assert!(standing(&bench.store, "A1").accepted_in_batch);
    made("A1");
    let bench = bench.reopened();
    bench.store.recover(&stamp(50)).unwrap();
    let after = standing(&bench.store, "A1");
    assert_eq!((after.unknown_attempts_here, after.in_flight_elsewhere), (1, false));
    assert!(after.refused_here.is_some() && !standing(&bench.store, "A3").in_flight_elsewhere);
}

#[test]
fn the_lengths_of_all_seeds_that_tokens_hold_come_at_once() {
    let bench = Bench::new();
    let mut long = bench.job(2);
    long.entries[0].seed.len_bytes = 32;
    let jobs = bench.running("b", vec![bench.job(1), long, bench.job(3)]);
    bench.burn(jobs[0], "A1");
    bench.burn(jobs[1], "A2");
    let again = bench.running("c", vec![bench.job(4)]);
    assert_eq!(
        bench.store.seed_lengths().unwrap(),
        [(seed_id(1), 20), (seed_id(2), 32)].into_iter().collect::<HashMap<_, _>>()
    );
    bench.burn(again[0], "A1");
    let held = bench.store.seed_lengths().unwrap();
    assert!(held.contains_key(&seed_id(4)) && !held.contains_key(&seed_id(1)), "{held:?}");
}
