//! Clocks as the records tell them, over simulated months.

use super::*;
use crate::{
    domain::{Parameters, Policy, Profile, Proof, ReadingKind, Seed, SeedId, SlotName, Touch},
    store::{
        BatchMove, BurnDone, EntryDone, ImportInto, JobFacts, JobFilter, NewBatch, NewEntry, NewJob,
        NewReading, NewSeed, Page as StorePage, Reserve, SeedOrigin, Stamp,
    },
    vault::DataKey,
};

const BEGIN: i64 = 1_767_225_600_000;
const DAY: i64 = 86_400_000;

fn day(n: i64) -> UnixMillis {
    UnixMillis(BEGIN + n * DAY)
}

fn stamp(at: UnixMillis) -> Stamp {
    Stamp::new(at, "ann", ClockState::Synchronised { max_error_ms: 4 })
}

fn serial(n: u8) -> Serial {
    format!("865961000000{n:02}").parse().unwrap()
}

/// A store with `rates.len()` tokens that were burned on day 0 in a batch for this target.
struct Fleet {
    _home: tempfile::TempDir,
    store: Store,
    catalog: Catalog,
    clocks: Clocks,
}

impl Fleet {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&home.path().join("kiln.db"), day(0)).unwrap();
        Self { _home: home, store, catalog: Catalog::built_in(), clocks: Clocks::default() }
    }

    fn burn(&self, batch: &str, target: &str, numbers: impl IntoIterator<Item = u8>) {
        let key = DataKey::from_bytes(&[7; 32]).unwrap();
        let jobs = numbers.into_iter().map(|n| {
            let (seed, id) = (Seed::new([n; 20]), SeedId([n; 16]));
            let seed = NewSeed {
                id,
                sealed: key.seal_seed(id, &seed).unwrap(),
                fingerprint: key.seed_fingerprint(&seed),
                len_bytes: 20,
                origin: SeedOrigin::Imported,
            };
            let entry = NewEntry {
                profile: Profile::ZERO,
                seed,
                parameters: Parameters::standard(),
                title: None,
                display_timeout_s: None,
                touch: Touch::Free,
                facts: None,
            };
            let facts = JobFacts { upn: Some(format!("user{n}@example.com")), ..JobFacts::default() };
            NewJob {
                reserved: Some(serial(n)),
                model: Some("c301-i".into()),
                facts,
                entries: vec![entry],
                reserve: Reserve::Alone,
            }
        });
        let new = NewBatch {
            name: batch.into(),
            policy: Policy::default(),
            priority: 0,
            recipe: None,
            target: Some(target.into()),
            key_name: None,
        };
        let done =
            self.store.import(ImportInto::NewBatch(new), jobs.collect(), None, &stamp(day(0))).unwrap();
        self.store.move_batch(batch, BatchMove::Start, &stamp(day(0))).unwrap();
        let jobs =
            self.store.jobs(done.batch.unwrap(), &JobFilter::default(), StorePage::first(1000)).unwrap();
        for job in jobs.items {
            let on = job.reserved.clone().unwrap();
            self.store.claim(job.id, &on, &SlotName("left".into()), "a seed", &stamp(day(0))).unwrap();
            let entries = vec![EntryDone { profile: Profile::ZERO, proof: Proof::Written, detail: None }];
            let reading = Some(NewReading { drift_ms: 0, uncertainty_ms: 510, kind: ReadingKind::Clock });
            let done = BurnDone {
                job: job.id,
                serial: on,
                entries,
                reading,
                clock_override: None,
                seen: Default::default(),
            };
            self.store.burned(done, &stamp(day(0))).unwrap();
        }
    }

    /// The token was tapped on this day: its clock stood so many seconds off, whole seconds as tokens tell them.
    fn tap(&self, n: u8, on: i64, drift_s: f64) {
        let drift_ms = (drift_s.floor() * 1000.0) as i64 + 500;
        let reading = NewReading { drift_ms, uncertainty_ms: 510, kind: ReadingKind::Clock };
        self.store.reading(&serial(n), "c301-i", reading, &stamp(day(on)));
    }

    /// Every thirty days for half a year.
    fn run(&self, n: u8, ppm: f64) {
        for month in 1..=6 {
            self.tap(n, month * 30, month as f64 * 30.0 * ppm * 0.0864);
        }
    }

    fn report(&self, filter: &DriftFilter, limit: u32) -> DriftReport {
        self.store.audit_append("later", None, serde_json::Value::Null, &stamp(day(181))).unwrap();
        let page = Page { offset: 0, limit };
        self.clocks.report(&self.store, &self.catalog, day(181), filter, page).unwrap()
    }

    fn serials(&self, filter: &DriftFilter) -> Vec<Serial> {
        self.report(filter, 100).items.into_iter().map(|line| line.serial).collect()
    }
}

#[test]
fn those_that_fail_first_are_told_first_and_only_what_changed_is_looked_at_again() {
    let fleet = Fleet::new();
    fleet.burn("spring", "entra", 1..=8);
    for n in 1..=7 {
        fleet.run(n, f64::from(n) * 0.4 - 3.0);
    }
    fleet.tap(8, 0, 0.0);
    let all = DriftFilter::default();
    // 30 s at 2.6 ppm are 133 days; at 0.2 ppm more than four years. The eighth was never seen again: its model says.
    let report = fleet.report(&all, 3);
    assert_eq!((report.total, report.items.len(), report.fleet.measured), (8, 3, 7));
    assert_eq!(report.items.iter().map(|l| l.serial.clone()).collect::<Vec<_>>(), [1, 2, 3].map(serial));
    let first = &report.items[0];
    assert!(first.outside && first.by == RateBy::Own && first.readings >= 6, "{first:?}");
    assert!((first.rate_ppm.value + 2.6).abs() < 0.2, "{first:?}");
    assert_eq!((first.window_s, first.batch.as_deref()), (30, Some("spring")));
    assert!(first.advice.contains("set its clock"), "{}", first.advice);
    let eighth =
        fleet.report(&DriftFilter { words: "user8 SPRING".into(), ..all.clone() }, 9).items.remove(0);
    assert_eq!(eighth.by, RateBy::Model);
    assert!((eighth.rate_ppm.value + 1.4).abs() < 0.5, "{eighth:?}");

    // The sixth turns out an hour off: it goes to the top, by its name.
    fleet.tap(6, 180, 3_600.0 - 180.0 * 0.6 * 0.0864);
    let report = fleet.report(&all, 1);
    assert!(report.items[0].serial == serial(6) || report.items[0].outside, "{report:?}");
    let sixth = fleet.clocks.one(&fleet.store, &fleet.catalog, day(181), &serial(6)).unwrap().unwrap();
    assert!(matches!(sixth.line.trouble, Some(ClockEvent::Zone { zone_s: 3_600, .. })), "{sixth:?}");
    assert!(sixth.line.outside && !sixth.fit.is_empty());
    // Of a model of which nothing is known, nothing is said but that it should be read.
    fleet.burn("alone", "entra", 21..=21);
    let alone = fleet.report(&DriftFilter { batch: Some("alone".into()), ..all.clone() }, 9).items.remove(0);
    assert!(alone.fails.is_none() && alone.by == RateBy::Nothing, "{alone:?}");
    assert!(alone.advice.contains("put it on a slot"), "{}", alone.advice);
    // A dead one has no future.
    fleet.store.scrap(&serial(1), crate::store::ImportedSeeds::Hold, &stamp(day(181))).unwrap();
    assert!(!fleet.serials(&all).contains(&serial(1)));
}

#[test]
fn before_a_date_are_those_that_are_out_and_those_that_will_be() {
    let fleet = Fleet::new();
    fleet.burn("spring", "entra", 1..=3);
    fleet.burn("summer", "privacyidea", 4..=4);
    for (n, ppm) in [(1, 2.6), (2, 1.2), (3, 0.1), (4, 5.0)] {
        fleet.run(n, ppm);
    }
    let before = |on| DriftFilter { before: Some(day(on)), ..DriftFilter::default() };
    // 30 s at 1.2 ppm are 289 days.
    assert_eq!(fleet.serials(&before(181)), [serial(1)]);
    assert_eq!(fleet.serials(&before(400)), [1, 2].map(serial));
    // The server of the fourth follows it: it fails on no date, and wants to be used.
    let summer = DriftFilter { batch: Some("summer".into()), ..DriftFilter::default() };
    let fourth = fleet.report(&summer, 5).items.remove(0);
    assert!(fourth.learns && fourth.fails.is_none() && fourth.advice.contains("log in"), "{fourth:?}");
}

#[test]
fn a_batch_that_is_worse_than_its_peers_is_named() {
    let fleet = Fleet::new();
    fleet.burn("spring", "entra", 1..=8);
    fleet.burn("autumn", "entra", 11..=18);
    for n in 0..8 {
        fleet.run(n + 1, f64::from(n) * 0.3 - 1.0);
        fleet.run(n + 11, f64::from(n) * 0.3 - 16.0);
    }
    let odd = fleet.report(&DriftFilter::default(), 1).fleet.odd;
    assert_eq!(odd.iter().map(|odd| (odd.batch.as_str(), odd.tokens)).collect::<Vec<_>>(), [("autumn", 8)]);
}
