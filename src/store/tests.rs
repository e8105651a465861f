//! The store's rules, on a real file.

mod clocks;
mod searching;
mod sweeps;
mod tallies;

use super::{search::HeldSeed, *};
use crate::{
    domain::{
        ClockState, CustomerKey, JobState, OnFound, Parameters, Policy, Profile, Proof, ReadingKind, Seed,
        SeedId, SeenPolicy, Serial, SlotName, Touch,
    },
    vault::{DataKey, Fingerprint, HolderKind},
};
use rusqlite::Connection;
use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Barrier, mpsc},
};

const T0: i64 = 1_780_000_000_000;

/// Of a clock that is right, as tokens tell it.
const RIGHT: NewReading = NewReading { drift_ms: 0, uncertainty_ms: 500, kind: ReadingKind::Clock };

/// A store in a folder of its own, and a vault key to fill it with.
struct Bench {
    home: tempfile::TempDir,
    store: Store,
    key: DataKey,
}

impl Bench {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&home.path().join("kiln.db"), UnixMillis(T0)).unwrap();
        Self { home, store, key: DataKey::from_bytes(&[7; 32]).unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("kiln.db")
    }

    fn reopened(self) -> Self {
        let Self { home, store, key } = self;
        drop(store);
        let store = Store::open(&home.path().join("kiln.db"), UnixMillis(T0)).unwrap();
        Self { home, store, key }
    }

    /// The file by another way, to look and to spoil.
    fn raw(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// A seed of 20 bytes that only `number` decides.
    fn seed(&self, number: u8, origin: SeedOrigin) -> NewSeed {
        let seed = Seed::new(raw_seed(number));
        let id = seed_id(number);
        NewSeed {
            id,
            sealed: self.key.seal_seed(id, &seed).unwrap(),
            fingerprint: self.key.seed_fingerprint(&seed),
            len_bytes: 20,
            origin,
        }
    }

    fn entry(&self, profile: u8, number: u8) -> NewEntry {
        NewEntry {
            profile: Profile::new(profile),
            seed: self.seed(number, SeedOrigin::Imported),
            parameters: Parameters::standard(),
            title: Some(format!("title {number}")),
            display_timeout_s: Some(30),
            touch: Touch::Free,
            facts: None,
        }
    }

    fn job(&self, number: u8) -> NewJob {
        NewJob {
            reserved: None,
            model: None,
            facts: JobFacts {
                line: Some(number.into()),
                upn: Some(format!("user{number}@example.com")),
                ..JobFacts::default()
            },
            entries: vec![self.entry(0, number)],
            reserve: Reserve::Alone,
        }
    }

    fn job_for(&self, number: u8, reserved: &str) -> NewJob {
        NewJob { reserved: Some(serial(reserved)), ..self.job(number) }
    }

    /// A running batch with these jobs; their ids.
    fn running(&self, name: &str, jobs: Vec<NewJob>) -> Vec<JobId> {
        let done = self.store.import(ImportInto::NewBatch(batch(name)), jobs, None, &stamp(1)).unwrap();
        self.store.move_batch(name, BatchMove::Start, &stamp(2)).unwrap();
        self.ids(done.batch.unwrap())
    }

    fn ids(&self, batch: BatchId) -> Vec<JobId> {
        let all = self.store.jobs(batch, &JobFilter::default(), Page::first(1000)).unwrap();
        all.items.into_iter().map(|job| job.id).collect()
    }

    fn claim(&self, job: JobId, to: &str) -> Result<JobRecord, ClaimRefused> {
        self.store.claim(job, &serial(to), &SlotName("left".into()), "one seed", &stamp(10))
    }

    fn burn(&self, job: JobId, on: &str) -> JobRecord {
        let claimed = self.claim(job, on).unwrap();
        self.store.burned(done(&claimed, on, Proof::Written), &stamp(20)).unwrap()
    }

    fn next(&self, for_serial: &str) -> Option<JobId> {
        self.store.next_job(&serial(for_serial), "c202", |_| true).unwrap().map(|job| job.id)
    }

    fn seed_state(&self, number: u8) -> (SeedState, Option<Serial>) {
        let seed = self.store.seed_sealed(seed_id(number)).unwrap().unwrap();
        (seed.state, seed.bound_to)
    }

    fn state(&self, job: JobId) -> JobState {
        self.store.job(job).unwrap().unwrap().state
    }
}

fn raw_seed(number: u8) -> [u8; 20] {
    std::array::from_fn(|at| (at as u8).wrapping_mul(31).wrapping_add(number).wrapping_mul(7) ^ 0x5A)
}

fn seed_id(number: u8) -> SeedId {
    SeedId([number; 16])
}

fn serial(text: &str) -> Serial {
    text.parse().unwrap()
}

fn stamp(after_s: i64) -> Stamp {
    Stamp::new(UnixMillis(T0 + after_s * 1000), "ada", ClockState::Synchronised { max_error_ms: 5 })
}

fn batch(name: &str) -> NewBatch {
    NewBatch {
        name: name.to_owned(),
        policy: Policy {
            factory: OnFound::Replace,
            foreign: OnFound::Ask,
            seen: SeenPolicy::default(),
            ..Policy::default()
        },
        priority: 0,
        recipe: None,
        target: Some("entra-id".into()),
        key_name: None,
    }
}

fn done(job: &JobRecord, on: &str, proof: Proof) -> BurnDone {
    let entries =
        job.entries.iter().map(|entry| EntryDone { profile: entry.profile, proof, detail: None }).collect();
    let reading = Some(NewReading { drift_ms: -200, uncertainty_ms: 500, kind: ReadingKind::Clock });
    BurnDone {
        job: job.id,
        serial: serial(on),
        entries,
        reading,
        clock_override: None,
        seen: SeenPolicy::default(),
    }
}

// Imports

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

// The queue

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

// Tokens

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

// Keys tried

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

// The vault

#[test]
fn a_vault_is_made_once_and_keeps_a_holder() {
    let bench = Bench::new();
    let holder = |name: &str| Holder {
        name: name.into(),
        kind: HolderKind::Passphrase,
        recipient: None,
        file: vec![1, 2, 3],
    };
    let check = bench.key.seal_check().unwrap();
    assert!(matches!(bench.store.add_holder(holder("ada"), &stamp(1)), Err(VaultRefused::NoVault)));
    bench.store.init_vault(check.clone(), holder("ada"), &stamp(1)).unwrap();
    let again = bench.store.init_vault(check.clone(), holder("eve"), &stamp(1));
    assert!(matches!(again, Err(VaultRefused::AlreadyMade)));
    assert!(matches!(bench.store.remove_holder("ada", &stamp(2)), Err(VaultRefused::LastHolder(_))));
    assert!(matches!(bench.store.remove_holder("bob", &stamp(2)), Err(VaultRefused::NoHolder(_))));
    assert!(matches!(bench.store.add_holder(holder("ada"), &stamp(2)), Err(VaultRefused::HolderExists(_))));
    bench.store.add_holder(holder("bob"), &stamp(3)).unwrap();
    bench.store.remove_holder("ada", &stamp(4)).unwrap();
    let bench = bench.reopened();
    assert_eq!(bench.store.holders().unwrap(), [holder("bob")]);
    assert!(bench.key.fits(&bench.store.vault_check().unwrap().unwrap()));
}

#[test]
fn customer_keys_are_kept_sealed_by_name() {
    let bench = Bench::new();
    let key = CustomerKey::new(*b"TOKEN2MOLTO1-KEY");
    let (sealed, print) = (bench.key.seal_key("plant", &key).unwrap(), bench.key.key_fingerprint(&key));
    let add = || bench.store.add_key("plant", sealed.clone(), print, &stamp(2));
    assert!(matches!(add(), Err(VaultRefused::NoVault)));
    let holder = Holder { name: "ada".into(), kind: HolderKind::Age, recipient: None, file: vec![0] };
    bench.store.init_vault(bench.key.seal_check().unwrap(), holder, &stamp(1)).unwrap();
    add().unwrap();
    assert!(matches!(add(), Err(VaultRefused::KeyExists(_))));
    let kept = bench.store.key("plant").unwrap().unwrap();
    assert_eq!(bench.key.open_key("plant", &kept.sealed).unwrap().expose(), b"TOKEN2MOLTO1-KEY");
    assert_eq!((kept.fingerprint, kept.added_by.as_str()), (print, "ada"));
    assert_eq!(bench.store.keys().unwrap(), [kept]);
    assert!(bench.store.key("other").unwrap().is_none());
}

#[test]
fn no_seed_is_in_any_file_in_any_spelling() {
    let bench = Bench::new();
    let jobs = bench.running("b", (1..=3).map(|number| bench.job(number)).collect());
    bench.burn(jobs[0], "A1");
    let mut bytes = Vec::new();
    for file in std::fs::read_dir(bench.home.path()).unwrap() {
        bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle));
    assert!(holds(b"user1@example.com"), "the search finds what is there, in the WAL too");
    for number in 1..=3 {
        let seed = raw_seed(number);
        assert!(!bytes.windows(20).any(|window| window == seed));
        assert!(!holds(data_encoding::HEXLOWER.encode(&seed).as_bytes()));
        assert!(!holds(data_encoding::BASE32_NOPAD.encode(&seed).as_bytes()));
        assert!(!holds(data_encoding::BASE64_NOPAD.encode(&seed).as_bytes()));
        let kept = bench.store.seed_sealed(seed_id(number)).unwrap().unwrap();
        assert_eq!(bench.key.open_seed(kept.id, &kept.sealed).unwrap().expose(), seed, "and it is kept");
    }
}

// Clocks and slots

#[test]
fn an_override_holds_for_its_time_only() {
    let bench = Bench::new();
    let given = bench.store.clock_override(stamp(60).now, &stamp(10)).unwrap();
    let at = |second| bench.store.active_override(stamp(second).now).unwrap();
    assert_eq!(at(10), Some(given.clone()));
    assert_eq!(at(59), Some(given));
    assert_eq!((at(60), at(9)), (None, None));
    assert!(bench.store.clock_override(stamp(5).now, &stamp(10)).is_err(), "it ends before it begins");
}

#[test]
fn a_slot_name_is_one_readers_at_a_time() {
    let bench = Bench::new();
    let name = |reader: &str, name: Option<&str>| {
        let name = name.map(|name| SlotName(name.into()));
        bench.store.name_slot(reader, name.as_ref(), &stamp(1)).unwrap();
        let names = bench.store.slot_names().unwrap();
        names.into_iter().map(|(reader, name)| format!("{reader}={name}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(name("r1", Some("left")), "r1=left");
    assert_eq!(name("r2", Some("left")), "r2=left");
    assert_eq!(name("r1", Some("right")), "r1=right r2=left");
    assert_eq!(name("r2", None), "r1=right");
}

// The audit log

/// A log of five entries, and the file open for spoiling.
fn audited() -> (Bench, Connection) {
    let bench = Bench::new();
    for number in 1..=5 {
        bench
            .store
            .audit_append(
                "note",
                Some(&serial("A1")),
                serde_json::json!({ "number": number }),
                &stamp(number),
            )
            .unwrap();
    }
    let raw = bench.raw();
    raw.execute_batch("DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_cut;").unwrap();
    (bench, raw)
}

#[test]
fn an_untouched_log_holds_together_and_shows_latest_first() {
    let (bench, _) = audited();
    let head = bench.store.audit_verify(&[]).unwrap();
    assert_eq!((head.seq, head), (5, bench.store.audit_head().unwrap()));
    let page = bench.store.audit_page("", Page { offset: 1, limit: 2 }).unwrap();
    assert_eq!((page.items.iter().map(|entry| entry.seq).collect::<Vec<_>>(), page.total), (vec![4, 3], 5));
    assert_eq!(page.items[0].clock, "synchronised (error at most 5 ms)");
    assert!(Bench::new().store.audit_verify(&[]).is_ok_and(|head| head.seq == 0));
}

#[test]
fn the_first_altered_entry_is_named() {
    for change in [
        "at = at + 1",
        "who = 'eve'",
        "what = 'nothing'",
        "serial = NULL",
        "serial = 'A2'",
        "clock = 'simulated'",
        "detail = '{}'",
        "hash = zeroblob(32)",
        "previous = zeroblob(32)",
        "who = who || what, what = ''",
    ] {
        let (bench, raw) = audited();
        raw.execute(&format!("UPDATE audit SET {change} WHERE seq = 3"), []).unwrap();
        let broken = bench.store.audit_verify(&[]);
        assert!(matches!(broken, Err(Broken::Entry { seq: 3, .. })), "{change}: {broken:?}");
    }
}

#[test]
fn a_missing_entry_is_named() {
    for (gone, first) in [(1, 1), (4, 4)] {
        let (bench, raw) = audited();
        raw.execute("DELETE FROM audit WHERE seq = ?1", [gone]).unwrap();
        assert!(matches!(bench.store.audit_verify(&[]), Err(Broken::Entry { seq, .. }) if seq == first));
    }
}

#[test]
fn only_a_head_kept_elsewhere_shows_a_cut_end() {
    let (bench, raw) = audited();
    let kept = bench.store.audit_head().unwrap();
    assert!(bench.store.audit_verify(&[kept]).is_ok());
    raw.execute("DELETE FROM audit WHERE seq = 5", []).unwrap();
    assert!(bench.store.audit_verify(&[]).is_ok(), "the chain itself can't tell");
    assert!(matches!(bench.store.audit_verify(&[kept]), Err(Broken::Anchor(head)) if head == kept));
    bench.store.audit_append("note", None, serde_json::json!({}), &stamp(9)).unwrap();
    assert!(matches!(bench.store.audit_verify(&[kept]), Err(Broken::Anchor(_))), "rewritten");
}

#[test]
fn every_act_is_told_with_who_when_and_the_clock() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1)]);
    bench.burn(jobs[0], "A1");
    let told: Vec<_> = bench.store.audit_page("", Page::first(50)).unwrap().items;
    let words: Vec<_> = told.iter().rev().map(|entry| entry.what.as_str()).collect();
    assert_eq!(
        words,
        [
            "batch made",
            "imported",
            "batch running",
            "token met",
            "job claimed",
            "job burned",
            "token burned",
            "batch done"
        ]
    );
    assert!(told.iter().all(|entry| entry.who == "ada" && entry.clock.starts_with("synchronised")));
    bench.store.audit_verify(&[]).unwrap();
}

// The schema's own rules, should an act be wrong

#[test]
fn the_schema_itself_keeps_a_seed_to_one_token() {
    let bench = Bench::new();
    let jobs = bench.running("b", vec![bench.job(1)]);
    bench.burn(jobs[0], "A1");
    bench.store.reading(&serial("A2"), "c202", RIGHT, &stamp(30));
    bench.store.audit_append("later", None, serde_json::Value::Null, &stamp(30)).unwrap();
    let raw = bench.raw();
    for wrong in [
        "UPDATE seeds SET bound_to = 'A2'",
        "UPDATE seeds SET state = 'free'",
        "INSERT INTO mappings (serial, profile, seed, parameters, origin, facts, since)
             SELECT 'A2', 0, seed, parameters, 'delivered', facts, since FROM mappings",
        "INSERT INTO mappings (serial, profile, seed, parameters, origin, facts, since)
             SELECT 'A1', 1, seed, parameters, 'delivered', facts, since FROM mappings",
        "DELETE FROM mappings",
        "UPDATE jobs SET state = 'queued'",
        "UPDATE audit SET who = 'eve'",
        "DELETE FROM audit",
    ] {
        assert!(raw.execute(wrong, []).is_err(), "{wrong}");
    }
}

#[test]
fn a_query_does_not_wait_for_a_writer() {
    let bench = Bench::new();
    bench.running("b", vec![bench.job(1)]);
    let ((writing, has_begun), (go_on, wait)) = (mpsc::channel(), mpsc::channel::<()>());
    let store = bench.store.clone();
    let writer = std::thread::spawn(move || {
        store.write(move |tx| -> Result<(), StoreError> {
            tx.execute("UPDATE batches SET name = 'c'", [])?;
            writing.send(()).unwrap();
            wait.recv().unwrap();
            Ok(())
        })
    });
    has_begun.recv().unwrap();
    assert!(bench.store.batch_by_name("b").unwrap().is_some(), "the state before the act");
    go_on.send(()).unwrap();
    writer.join().unwrap().unwrap();
    assert!(bench.store.batch_by_name("c").unwrap().is_some(), "what was written is there to be read");
}
