//! How long a burn takes, bare and by the station, and where the difference goes.
//!
//! The station is composed as `kiln station run` composes it (PC/SC, a database on disk), but in this process, so that
//! its links and its crossings can be timed. Bare is what no host can do without: the same APDUs, sent by the crate
//! `pcsc` alone. The token is the same virtual one behind the same `pcscd` both times.

use crate::support::{LONG, pcscd::Pcscd, pcscd::Reader, until};
use kiln::{
    app::{catalog, system_clock::SystemClock},
    domain::{
        Clock, CredentialName, Digits, Hash, Parameters, Period, Seed, SeenPolicy, Serial, StepCount, Touch,
    },
    drivers::pcsc::PcscSource,
    face::{BatchPolicy, Command, HolderFile, NewBatch, Reply, Role, SecretBytes},
    link::{Apdu, ApduLink, LinkError, LinkSource, Opened, Port, Presence, Response},
    sim::{
        Challenges, Fault, Surroundings, VirtualToken,
        token2_single::{Settings, TimeSync},
        vpcd::Card,
        ykoath as sim_key,
    },
    station::{Caller, Limits, Parts, Station, StationHandle, no_probe},
    store::Store,
    vault::DataKey,
    wire::{Configuration, token2_single as wire, ykoath},
};
use std::{
    collections::BTreeMap,
    ffi::CString,
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU32},
    time::{Duration, Instant},
};

/// What is burned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A single-profile token.
    Single,
    /// A key with the OATH applet, and one credential.
    Key,
}

impl Kind {
    /// For the table.
    pub fn words(self) -> &'static str {
        match self {
            Self::Single => "a single-profile token",
            Self::Key => "one credential on a key",
        }
    }

    /// How many APDUs a burn takes.
    pub fn apdus(self) -> u32 {
        6
    }

    fn model(self) -> (&'static str, &'static str) {
        match self {
            Self::Single => ("c301-i", "single-random"),
            Self::Key => ("yubikey-5", "key-random"),
        }
    }

    fn token(self, number: usize) -> VirtualToken {
        let surroundings = Surroundings::new(Arc::new(SystemClock), Challenges::random());
        let serial = |text: String| -> Serial { text.parse().expect("this is a serial") };
        match self {
            Self::Single => {
                let settings = Settings::new(serial(format!("8659610{number:07}")), TimeSync::Restricted);
                VirtualToken::token2_single(settings, surroundings)
            }
            Self::Key => {
                let serial = serial(format!("{}", 10_000_000 + number));
                VirtualToken::ykoath(sim_key::Settings::new(serial, sim_key::Make::YubiKey), surroundings)
            }
        }
    }
}

/// Medians of one kind of token.
pub struct Figures {
    /// What was burned.
    pub kind: Kind,
    /// How long the token takes for each APDU.
    pub delay: Duration,
    /// Bare: connect, the APDUs, disconnect.
    pub bare_whole: Duration,
    /// Bare: the round trips.
    pub bare_apdus: Duration,
    /// Station: connect.
    pub connect: Duration,
    /// Station: from the first APDU to the record of the burn on disk.
    pub burn: Duration,
    /// Station: the round trips within.
    pub apdus: Duration,
    /// Station: what lies between the round trips, by what was done there.
    pub between: BTreeMap<&'static str, Duration>,
    /// One row written durably to a database beside the station's, at the same time: what this disk takes for it.
    pub commit: Duration,
}

impl Figures {
    /// The station's burn in bare round trips.
    pub fn ratio(&self) -> f64 {
        self.burn.as_secs_f64() / self.bare_apdus.as_secs_f64()
    }
}

/// Something that happened in the station's burn.
#[derive(Debug, Clone)]
enum Mark {
    Opened { begun: Instant },
    Exchanged { begun: Instant },
    Crossed(String),
}

/// When what happened.
type Journal = Arc<Mutex<Vec<(Instant, Mark)>>>;

fn lock(journal: &Journal) -> MutexGuard<'_, Vec<(Instant, Mark)>> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(journal: &Journal, mark: Mark) {
    lock(journal).push((Instant::now(), mark));
}

/// Burns `burns` tokens of a kind that take `delay` for each APDU, bare and by a station.
pub fn measure(kind: Kind, pcscd: &Pcscd, delay: Duration, burns: usize) -> Figures {
    let reader = &pcscd.readers()[0];
    let (bare_whole, bare_apdus) = bare(kind, pcscd, reader, delay, burns);
    pcscd.await_removal(reader);
    let (journals, commit) = by_station(kind, pcscd, reader, delay, burns);
    pcscd.await_removal(reader);
    let of = |part: fn(&Parsed) -> Duration| median(journals.iter().map(part).collect());
    let mut between: BTreeMap<&'static str, Vec<Duration>> = BTreeMap::new();
    for parsed in &journals {
        for (what, time) in &parsed.between {
            between.entry(what).or_default().push(*time);
        }
    }
    Figures {
        kind,
        delay,
        bare_whole,
        bare_apdus,
        connect: of(|parsed| parsed.connect),
        burn: of(|parsed| parsed.burn),
        apdus: of(|parsed| parsed.apdus),
        between: between.into_iter().map(|(what, times)| (what, median(times))).collect(),
        commit,
    }
}

/// Prints figures of one kind side by side, in milliseconds.
pub fn table(all: &[Figures], out: &mut impl Write) -> io::Result<()> {
    let Some(first) = all.first() else { return Ok(()) };
    let apdus = first.kind.apdus();
    type Row = (String, Box<dyn Fn(&Figures) -> f64>);
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let mut rows: Vec<Row> = vec![
        (format!("bare: connect, {apdus} APDUs, disconnect"), Box::new(move |f| ms(f.bare_whole))),
        (format!("bare: the {apdus} APDUs"), Box::new(move |f| ms(f.bare_apdus))),
        ("station: first APDU to record on disk".into(), Box::new(move |f| ms(f.burn))),
        (format!("  its {apdus} APDUs"), Box::new(move |f| ms(f.apdus))),
    ];
    let names: std::collections::BTreeSet<&'static str> =
        all.iter().flat_map(|figures| figures.between.keys().copied()).collect();
    for name in names {
        let time = move |f: &Figures| f.between.get(name).copied().unwrap_or_default();
        rows.push((format!("  {name}"), Box::new(move |f| ms(time(f)))));
    }
    rows.push(("overhead: station less bare APDUs".into(), Box::new(move |f| ms(f.burn) - ms(f.bare_apdus))));
    rows.push(("factor: station by bare APDUs".into(), Box::new(Figures::ratio)));
    rows.push(("before it: connect, exclusively".into(), Box::new(move |f| ms(f.connect))));
    rows.push(("beside it: one durable row on this disk".into(), Box::new(move |f| ms(f.commit))));
    writeln!(out, "{}", first.kind.words())?;
    write!(out, "{:<44}", "a burn, medians in ms; the token takes")?;
    for figures in all {
        write!(out, "{:>12}", format!("{} ms/APDU", figures.delay.as_millis()))?;
    }
    writeln!(out)?;
    for (name, value) in rows {
        write!(out, "{name:<44}")?;
        for figures in all {
            write!(out, "{:>12.3}", value(figures))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn put(kind: Kind, reader: &Reader, number: usize, delay: Duration) -> Card {
    let token = kind.token(number);
    if !delay.is_zero() {
        token.arm(Fault::Delay(delay));
    }
    let mut card = Card::new(reader.port, token, |_, _| ());
    card.place().expect("the reader is free");
    card
}

/// What no host can do without. Gives the medians of the whole and of the round trips.
fn bare(kind: Kind, pcscd: &Pcscd, reader: &Reader, delay: Duration, burns: usize) -> (Duration, Duration) {
    use pcsc::{Context, Disposition, Protocols, Scope, ShareMode};
    let _card = put(kind, reader, 9_999, delay);
    pcscd.await_insertion(reader);
    let context = Context::establish(Scope::User).expect("pcscd runs");
    let name = CString::new(reader.name.as_str()).expect("names hold no zero byte");
    let (mut wholes, mut sums) = (Vec::new(), Vec::new());
    for _ in 0..burns {
        let begun = Instant::now();
        let card = context.connect(&name, ShareMode::Exclusive, Protocols::ANY).expect("the card is there");
        let (mut sum, mut count) = (Duration::ZERO, 0);
        let mut send = |apdu: &Apdu| {
            let mut buffer = [0; 300];
            let begun = Instant::now();
            let answer = card.transmit(apdu.bytes(), &mut buffer).expect("the card answers");
            sum += begun.elapsed();
            count += 1;
            let (data, status) = answer.split_at(answer.len() - 2);
            assert_eq!(status, [0x90, 0x00]);
            data.to_vec()
        };
        match kind {
            Kind::Single => burn_single(&mut send),
            Kind::Key => burn_key(&mut send),
        }
        card.disconnect(Disposition::ResetCard).map_err(|(_, error)| error).expect("the card is ours");
        assert_eq!(count, kind.apdus());
        wholes.push(begun.elapsed());
        sums.push(sum);
    }
    (median(wholes), median(sums))
}

fn burn_single(send: &mut impl FnMut(&Apdu) -> Vec<u8>) {
    let key = wire::session_key(&wire::device_key()).expect("the published key is a key");
    let configuration = Configuration {
        parameters: Parameters::totp(Hash::Sha1, Digits::SIX, Period::THIRTY),
        display_timeout_s: 30,
    };
    send(&wire::get_info());
    let challenge = wire::parse_challenge(&send(&wire::get_challenge())).expect("a challenge");
    send(&wire::answer(&key, &challenge));
    let now = SystemClock.now().nearest_second();
    send(&wire::write_configuration(&key, &configuration, now).expect("it can be written"));
    send(&wire::write_seed(&key, &Seed::new(vec![7; 20])).expect("it can be written"));
    send(&wire::get_info());
}

/// Its serial, which another applet tells; what it holds; the credential, and its code.
fn burn_key(send: &mut impl FnMut(&Apdu) -> Vec<u8>) {
    let name = CredentialName::told("Login".into());
    send(&ykoath::select_yubikey_management());
    send(&ykoath::read_yubikey_configuration());
    send(&ykoath::select());
    send(&ykoath::list());
    let seed = Seed::new(vec![7; 20]);
    send(&ykoath::put(&name, &Parameters::standard(), Touch::Free, &seed).expect("it can be written"));
    let code = send(&ykoath::calculate(&name, ykoath::Moving::Step(StepCount(1))));
    ykoath::parse_code(&code).expect("a code");
}

/// Each burn's journal, read, and the median of a durable row written after each burn.
fn by_station(
    kind: Kind,
    pcscd: &Pcscd,
    reader: &Reader,
    delay: Duration,
    burns: usize,
) -> (Vec<Parsed>, Duration) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let control = control(&dir.path().join("control.db"));
    let mut commits = Vec::new();
    let journal = Journal::default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("threads can be started");
    let crossing = {
        let journal = journal.clone();
        Arc::new(move |name: &str| note(&journal, Mark::Crossed(name.to_owned())))
    };
    let parts = Parts {
        store: Store::open(&dir.path().join("kiln.db"), SystemClock.now()).expect("a new database"),
        catalog: catalog::load(&dir.path().join("profiles")).expect("the built-in profiles"),
        clock: Arc::new(SystemClock),
        source: Arc::new(TimedSource { inner: PcscSource::new(), journal: journal.clone() }),
        limits: Limits::default(),
        clients: Arc::new(AtomicU32::new(0)),
        probe: no_probe(),
        crossing,
    };
    let _inside = runtime.enter();
    let (station, door) = Station::start(parts).map_err(|failure| failure.message).expect("it starts");
    prepare(kind, &runtime, &door, burns);
    let mut parsed = Vec::new();
    for number in 0..burns {
        lock(&journal).clear();
        let mut card = put(kind, reader, number, delay);
        until("the burn", LONG, || {
            let marks = lock(&journal);
            let ended = |(_, mark): &(Instant, Mark)| matches!(mark, Mark::Crossed(name) if name == "ended");
            marks.iter().any(ended).then_some(())
        });
        parsed.push(Parsed::from(&lock(&journal)));
        let begun = Instant::now();
        control.execute("INSERT INTO rows DEFAULT VALUES", []).expect("a row can be written");
        commits.push(begun.elapsed());
        card.take();
        pcscd.await_removal(reader);
    }
    station.stopper().stop();
    runtime.block_on(station.stopped());
    (parsed, median(commits))
}

/// A database that is as careful as the station's.
fn control(path: &std::path::Path) -> rusqlite::Connection {
    let database = rusqlite::Connection::open(path).expect("a new database");
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE rows (id INTEGER PRIMARY KEY)",
        )
        .expect("it can be made");
    database
}

/// An open vault, a clock that may be used, a batch that runs.
fn prepare(kind: Kind, runtime: &tokio::runtime::Runtime, door: &StationHandle, burns: usize) {
    let ask = |command| {
        let caller = Caller { who: "bench".into(), uid: 0, role: Role::Operator };
        let answer: Reply = runtime
            .block_on(door.ask(command, caller))
            .unwrap_or_else(|failure| panic!("{}; {}", failure.message, failure.remedy));
        answer
    };
    let key = DataKey::generate().expect("the system has randomness");
    let holder =
        HolderFile { name: "bench".into(), kind: "age".into(), recipient: None, file: String::new() };
    ask(Command::VaultInit { holder, data_key: SecretBytes::new(*key.expose()) });
    ask(Command::ClockOverride { seconds: 3600 });
    let (model, recipe) = kind.model();
    ask(Command::BatchNew(NewBatch {
        name: "bench".into(),
        count: u32::try_from(burns).expect("there are few"),
        model: model.into(),
        recipe: recipe.into(),
        login_target: None,
        key: None,
        policy: BatchPolicy { seen: Some(SeenPolicy { first: 0, every: 0 }), ..BatchPolicy::default() },
        dry_run: false,
        priority: 0,
        made_for: kiln::face::MadeFor::default(),
    }));
    ask(Command::BatchStart { name: "bench".into() });
}

/// What a journal says.
struct Parsed {
    connect: Duration,
    burn: Duration,
    apdus: Duration,
    between: BTreeMap<&'static str, Duration>,
}

impl From<&MutexGuard<'_, Vec<(Instant, Mark)>>> for Parsed {
    fn from(marks: &MutexGuard<'_, Vec<(Instant, Mark)>>) -> Self {
        let (mut connect, mut first, mut apdus) = (Duration::ZERO, None, Duration::ZERO);
        let mut between = BTreeMap::new();
        // When the last round trip or named stretch ended.
        let mut since = None;
        let mut last = None;
        for (at, mark) in marks.iter() {
            match mark {
                Mark::Opened { begun } => connect = *at - *begun,
                Mark::Exchanged { begun } => {
                    if first.is_none() {
                        first = Some(*begun);
                    } else if let Some(since) = since {
                        *between.entry("between commands").or_default() += *begun - since;
                    }
                    apdus += *at - *begun;
                    since = Some(*at);
                }
                Mark::Crossed(name) => {
                    let what = match name.as_str() {
                        "before-claim" => "record of the reading, choice of the job",
                        "claimed" => "record of the claim",
                        "attempt-made" => "record of the attempt to come",
                        "attempt-recorded" => "record of the attempt's outcome",
                        "ended" => "record of the burn",
                        _ => "between commands",
                    };
                    if let Some(since) = since {
                        *between.entry(what).or_default() += *at - since;
                    }
                    since = Some(*at);
                    last = Some(*at);
                }
            }
        }
        let (first, last) = first.zip(last).expect("a burn has exchanges and an end");
        Self { connect, burn: last - first, apdus, between }
    }
}

/// Real readers, with a clock beside them.
struct TimedSource {
    inner: PcscSource,
    journal: Journal,
}

impl LinkSource for TimedSource {
    fn list(&self) -> Result<Vec<String>, LinkError> {
        self.inner.list()
    }

    fn open_port(&self, name: &str) -> Result<Box<dyn Port>, LinkError> {
        let inner = self.inner.open_port(name)?;
        Ok(Box::new(TimedPort { inner, journal: self.journal.clone() }))
    }
}

struct TimedPort {
    inner: Box<dyn Port>,
    journal: Journal,
}

impl Port for TimedPort {
    fn wait_change(&mut self, known: Presence, at_most: Duration) -> Result<Presence, LinkError> {
        self.inner.wait_change(known, at_most)
    }

    fn open(&mut self) -> Result<Opened, LinkError> {
        let begun = Instant::now();
        let opened = self.inner.open()?;
        note(&self.journal, Mark::Opened { begun });
        Ok(match opened {
            Opened::Card(inner) => Opened::Card(Box::new(TimedLink { inner, journal: self.journal.clone() })),
            // Its exchanges are reports, which nobody here counts.
            Opened::Hid(inner) => Opened::Hid(inner),
        })
    }
}

struct TimedLink {
    inner: Box<dyn ApduLink>,
    journal: Journal,
}

impl ApduLink for TimedLink {
    fn exchange(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        let begun = Instant::now();
        let answer = self.inner.exchange(command);
        note(&self.journal, Mark::Exchanged { begun });
        answer
    }

    fn answer_to_reset(&self) -> &[u8] {
        self.inner.answer_to_reset()
    }
}
