//! The store's rules, on a real file.

mod audit;
mod clocks;
mod imports;
mod queue;
mod searching;
mod sweeps;
mod tallies;
mod tokens;
mod vault;

use super::{search::HeldSeed, *};
use crate::{
    domain::{
        ClockState, CustomerKey, JobState, OnFound, Parameters, Policy, Profile, Proof, ReadingKind, Seed,
        SeedId, SeenPolicy, Serial, SlotName, SweptOutcome, Touch,
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
