//! How a station scales: burns a minute by slots, an import against the bare insert of the same rows, a start with a
//! large inventory. The station is the real binary.

use crate::support::{
    LONG,
    kiln::Station,
    pcscd::{Pcscd, Reader},
    scene::Scene,
    seed_file::{self, Line},
    until,
};
use kiln::{
    app::system_clock::SystemClock,
    domain::{Hash, JobState, Serial},
    face::{Command, Event, ImportOptions, ImportTarget, Reply, SecretBytes, Snapshot},
    service::{Client, Home, Mode, News},
    sim::{
        Challenges, Fault, Surroundings, VirtualToken,
        token2_single::{Settings, TimeSync},
        vpcd::Card,
    },
};
use rusqlite::{Connection, params_from_iter, types::Value};
use std::{
    collections::HashSet,
    fs,
    path::Path,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Burns a minute at so many slots, where a token takes `delay` for each APDU and is followed by the next one as soon
/// as the reader is empty. `each` tokens at every slot.
pub fn burns_a_minute(pcscd: &Pcscd, slots: usize, each: usize, delay: Duration) -> f64 {
    let scene = Scene::new();
    let station = scene.start(&[]);
    scene.random_batch("bench", slots * each, "c301-i", "single-random");
    let burned = Arc::new(Burned::default());
    listen(&Home::at(scene.kiln.home()), burned.clone());
    let begun = Instant::now();
    thread::scope(|scope| {
        for (slot, reader) in pcscd.readers().iter().take(slots).enumerate() {
            let (burned, mut notices) = (burned.clone(), pcscd.notices());
            scope.spawn(move || {
                for number in slot * each..(slot + 1) * each {
                    let (mut card, serial) = put(reader, number, delay);
                    burned.await_serial(&serial);
                    card.take();
                    until("an empty reader", LONG, || (!notices.has_card(&reader.name)).then_some(()));
                }
            });
        }
    });
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    station.stop(&scene.kiln);
    f64::from(u32::try_from(slots * each).expect("a small number")) / minutes
}

/// The serials that were burned, as the station tells.
#[derive(Default)]
struct Burned(Mutex<HashSet<String>>, Condvar);

impl Burned {
    fn await_serial(&self, serial: &str) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_known, late) = self
            .1
            .wait_timeout_while(known, LONG, |known| !known.contains(serial))
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!late.timed_out(), "{serial} was not burned");
    }
}

fn listen(home: &Home, burned: Arc<Burned>) {
    let client = Client::connect(home, Mode::Full).unwrap_or_else(|error| panic!("{error}"));
    let (_, stream) = client.subscribe().unwrap_or_else(|error| panic!("{error}"));
    thread::spawn(move || {
        for news in stream.map_while(Result::ok) {
            if let News::Event(numbered) = news
                && let Event::Job { state: JobState::Burned, serial: Some(serial), .. } = numbered.event
            {
                burned.0.lock().unwrap_or_else(PoisonError::into_inner).insert(serial.as_str().to_owned());
                burned.1.notify_all();
            }
        }
    });
}

fn put(reader: &Reader, number: usize, delay: Duration) -> (Card, String) {
    let serial = format!("8659610{number:07}");
    let parsed: Serial = serial.parse().expect("this is a serial");
    let around = Surroundings::new(Arc::new(SystemClock), Challenges::random());
    let token = VirtualToken::token2_single(Settings::new(parsed, TimeSync::Restricted), around);
    if !delay.is_zero() {
        token.arm(Fault::Delay(delay));
    }
    let mut card = Card::new(reader.port, token, |_, _| ());
    card.place().expect("the reader is free");
    (card, serial)
}

/// A home with a large inventory, and what it cost.
pub struct Large {
    scene: Scene,
    /// The import, from the request to its answer.
    pub import: Duration,
    /// The same rows into the same tables and indexes, in one transaction, by nothing but SQLite.
    pub bare: Duration,
}

/// What a start with it takes.
pub struct Start {
    /// From the start of the process to the first snapshot at a client.
    pub snapshot: Duration,
    /// Resident memory then.
    pub memory_mib: f64,
}

impl Large {
    /// Imports `tokens` lines into an inventory.
    pub fn import(tokens: usize) -> Self {
        let scene = Scene::new();
        let station = scene.start(&[]);
        let lines: Vec<Line> = (0..u32::try_from(tokens).expect("a small number"))
            .map(|user| Line::new(user, &format!("8659610{user:07}"), "C301-i"))
            .collect();
        let content = SecretBytes::new(seed_file::entra(&lines).as_bytes());
        let options = ImportOptions { hash: Some(Hash::Sha1), ..ImportOptions::to(ImportTarget::Inventory) };
        let home = Home::at(scene.kiln.home());
        let mut client = Client::connect(&home, Mode::Full).unwrap_or_else(|error| panic!("{error}"));
        let begun = Instant::now();
        let import = Command::Import { file_name: "seeds.csv".into(), content, options };
        match client.ask(import).unwrap_or_else(|error| panic!("{error}")) {
            Reply::Imported(report) => assert_eq!(report.taken as usize, tokens),
            other => panic!("{other:?}"),
        }
        let import = begun.elapsed();
        station.stop(&scene.kiln);
        let bare = bare_insert(&scene.kiln.home().join("kiln.db"), &scene.kiln.path("bare.db"));
        Self { scene, import, bare }
    }

    /// How many times the bare insert the import took.
    pub fn ratio(&self) -> f64 {
        self.import.as_secs_f64() / self.bare.as_secs_f64()
    }

    /// Starts a station with it.
    pub fn start(&self, tokens: usize) -> Start {
        let home = Home::at(self.scene.kiln.home());
        let begun = Instant::now();
        let station = Station::spawn(&self.scene.kiln, &[]);
        let snapshot: Snapshot = loop {
            let asked =
                Client::connect(&home, Mode::Full).and_then(|mut client| client.ask(Command::Snapshot));
            match asked {
                Ok(Reply::Snapshot(snapshot)) => break *snapshot,
                Ok(other) => panic!("{other:?}"),
                Err(_) if begun.elapsed() < LONG => thread::sleep(Duration::from_micros(200)),
                Err(error) => panic!("{error}"),
            }
        };
        let taken = begun.elapsed();
        let memory_mib = resident_mib(station.pid());
        assert!(snapshot.batches.is_empty());
        let mut client = Client::connect(&home, Mode::Full).unwrap_or_else(|error| panic!("{error}"));
        let page = kiln::face::Page { offset: 0, limit: 1 };
        match client
            .ask(Command::Tokens { query: String::new(), page })
            .unwrap_or_else(|error| panic!("{error}"))
        {
            Reply::Tokens(page) => assert_eq!(page.total, tokens as u64, "they are all there"),
            other => panic!("{other:?}"),
        }
        drop(client);
        station.stop(&self.scene.kiln);
        Start { snapshot: taken, memory_mib }
    }
}

/// What the clocks of all tokens cost.
pub struct Clocks {
    /// The first answer, which looks at every reading.
    pub first: Duration,
    /// The next one, when nothing has changed.
    pub again: Duration,
}

impl Large {
    /// Gives each token so many readings, a month apart, and asks how all clocks run.
    pub fn clocks(&self, tokens: usize, readings: u32) -> Clocks {
        let database =
            Connection::open(self.scene.kiln.home().join("kiln.db")).expect("the station has ended");
        // From 20 ppm slow to 20 ppm fast, in whole seconds as tokens tell them.
        database
            .execute(
                "INSERT INTO readings (serial, at, drift_ms, uncertainty_ms, clock, kind)
                 WITH RECURSIVE month (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM month WHERE n + 1 < ?1)
                 SELECT t.serial, 1767225600000 + n * 2592000000,
                        (t.rowid % 41 - 20) * n * 2592 / 1000 * 1000 + 500, 510, '{\"clock\":\"simulated\"}', 'clock'
                 FROM tokens t, month",
                [readings],
            )
            .expect("they are readings");
        drop(database);
        let station = self.scene.start(&[]);
        let home = Home::at(self.scene.kiln.home());
        let mut client = Client::connect(&home, Mode::Full).unwrap_or_else(|error| panic!("{error}"));
        let mut ask = || {
            let begun = Instant::now();
            let page = kiln::face::Page { offset: 0, limit: 100 };
            let drift = Command::Drift { filter: kiln::face::DriftFilter::default(), page };
            match client.ask(drift).unwrap_or_else(|error| panic!("{error}")) {
                Reply::Drift(report) => assert_eq!(report.total, tokens as u64, "they are all there"),
                other => panic!("{other:?}"),
            }
            begun.elapsed()
        };
        let (first, again) = (ask(), ask());
        drop(client);
        station.stop(&self.scene.kiln);
        Clocks { first, again }
    }
}

fn resident_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells it");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}

/// Copies the rows of every table, read into memory before, into an empty database of the same tables and indexes.
fn bare_insert(from: &Path, to: &Path) -> Duration {
    let from = Connection::open(from).expect("the station has ended");
    let made = |kind: &str| -> Vec<(String, String)> {
        let mut statement = from
            .prepare("SELECT name, sql FROM sqlite_schema WHERE type = ?1 AND sql IS NOT NULL ORDER BY rowid")
            .expect("it is a database");
        let rows = statement.query_map([kind], |row| Ok((row.get(0)?, row.get(1)?))).expect("it can be read");
        rows.map(|row| row.expect("it can be read"))
            .filter(|(name, _): &(String, String)| !name.starts_with("sqlite_"))
            .collect()
    };
    let mut to = Connection::open(to).expect("a new database");
    to.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").expect("it can be set");
    for (_, sql) in made("table").into_iter().chain(made("index")) {
        to.execute_batch(&sql).expect("the same schema");
    }
    let tables: Vec<(String, usize, Vec<Vec<Value>>)> = made("table")
        .into_iter()
        .map(|(name, _)| {
            let mut statement = from.prepare(&format!("SELECT * FROM {name}")).expect("it is there");
            let columns = statement.column_count();
            let rows = statement
                .query_map([], |row| (0..columns).map(|at| row.get(at)).collect())
                .and_then(Iterator::collect)
                .expect("it can be read");
            (name, columns, rows)
        })
        .collect();
    let begun = Instant::now();
    let transaction = to.transaction().expect("nobody else writes");
    for (name, columns, rows) in &tables {
        let places = vec!["?"; *columns].join(", ");
        let mut statement =
            transaction.prepare(&format!("INSERT INTO {name} VALUES ({places})")).expect("the same table");
        for row in rows {
            statement.execute(params_from_iter(row)).expect("the same row");
        }
    }
    transaction.commit().expect("it can be written");
    begun.elapsed()
}
