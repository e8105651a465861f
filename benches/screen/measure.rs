//! How long a key takes until its frame is written, while slots burn and the inventory is large.
//!
//! The screen is the real one (its loop, its threads, its writer) but for the terminal, which only notes when it was
//! written to. The station is a real one in this process, with its server on a socket, a database on disk, and virtual
//! tokens that hands put down and take away.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use kiln::{
    app::system_clock::SystemClock,
    domain::{Clock, ClockState, SeenPolicy, SlotName, UnixMillis, catalog::Catalog},
    face::{
        BatchPolicy, Command, Doing, Event, HolderFile, ImportOptions, ImportTarget, NewBatch, Page, Reply,
        SecretBytes, SlotView,
    },
    service::{self, Access, Attached, Client, ClientError, Home, Listener, Mode, News, Terms},
    sim::{
        Bench, Challenges, Fault, Surroundings, VirtualToken,
        token2_single::{Settings, TimeSync},
    },
    station::{Limits, Parts, Station, Stopper, no_crossing, no_probe},
    store::Store,
    tui::{
        Desk, Look,
        ansi::Ansi,
        msg::{Effect, Msg},
        run::{Handled, drive},
        worker::Workers,
    },
    vault::DataKey,
};
use std::{
    io::{self, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// An exchange takes so long; six of them are a burn.
const EXCHANGE: Duration = Duration::from_millis(60);

/// What is measured on.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Tokens on record.
    pub inventory: u32,
    /// Slots that burn.
    pub slots: u32,
    /// How many keys are pressed.
    pub presses: usize,
    /// How long nothing happens.
    pub idle: Duration,
}

/// What was measured.
pub struct Figures {
    /// From a key until its frame is written, shortest first.
    pub keys: Vec<Duration>,
    /// From a letter of the filter until the station's answer, shortest first.
    pub filter: Vec<Duration>,
    /// The first search, which reads all words.
    pub first_search: Duration,
    /// Writes while nothing happened.
    pub idle_writes: usize,
    /// The largest write.
    pub largest: usize,
    /// Tokens burned while keys were pressed.
    pub burned: u64,
}

/// The value below which so much of them lies.
pub fn percentile(sorted: &[Duration], of_hundred: usize) -> Duration {
    sorted
        .get((sorted.len() * of_hundred / 100).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

struct Now;

impl Clock for Now {
    fn now(&self) -> UnixMillis {
        SystemClock.now()
    }

    fn state(&self) -> ClockState {
        ClockState::Simulated
    }
}

/// A terminal that notes when it was written to.
struct Noting(Sender<(Instant, Vec<u8>)>);

impl Write for Noting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Nobody may look any more.
        let _ = self.0.send((Instant::now(), bytes.to_vec()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Measures in `dir`.
pub fn measure(dir: &Path, size: Size) -> Figures {
    let home = Home::at(dir.join("home"));
    home.prepare().expect("the home can be made");
    let names: Vec<String> = (1..=size.slots).map(|n| format!("Reader {n:02}")).collect();
    let bench = Bench::new(names);
    let (stopper, server) = serve(&home, &bench);
    let mut client = connect(&home);
    fill(&mut client, size.inventory);

    let (out, inbox) = channel();
    let (noting, written) = channel();
    let place = home.clone();
    let desk = Desk::bare();
    let workers = Workers::start(
        Box::new(move |_| Client::connect(&place, Mode::Full).map_err(ClientError::into_failure)),
        desk,
        out.clone(),
    );
    let screen = thread::spawn(move || {
        let mut backend = Ansi::new(Noting(noting), || Ok((160, 45)));
        let look = Look::FULL;
        drive(&mut backend, look, &inbox, &Now, &mut |effect, _| match workers.take(effect) {
            Some(Effect::Redraw) => Ok(Handled::Redraw),
            Some(_) | None => Ok(Handled::Done),
        })
    });
    let screen_of = Screen { keys: out, written };
    screen_of.until("Reader 01");
    let idle_writes = screen_of.writes_in(size.idle);

    let burning = Arc::new(AtomicU32::new(0));
    let hands = hands(connect(&home), bench, Arc::clone(&burning));
    let batch = NewBatch {
        name: "bench".into(),
        count: 20_000,
        model: "c301-i".into(),
        recipe: "single-random".into(),
        login_target: None,
        key: None,
        policy: BatchPolicy { seen: Some(SeenPolicy { first: 0, every: 0 }), ..BatchPolicy::default() },
        priority: 0,
        made_for: kiln::face::MadeFor::default(),
        dry_run: false,
    };
    ask(&mut client, Command::BatchNew(batch));
    ask(&mut client, Command::BatchStart { name: "bench".into() });
    while burning.load(Ordering::Relaxed) < size.slots {
        thread::sleep(Duration::from_millis(5));
    }

    let mut keys = Vec::new();
    let mut largest = 0;
    let round =
        [('b', "[batches]"), ('t', "[tokens]"), ('l', "[log]"), ('s', "[station]"), ('?', "keys (Esc")];
    for (letter, shows) in round.iter().cycle().take(size.presses) {
        let (took, bytes) = screen_of.press(KeyCode::Char(*letter), shows);
        keys.push(took);
        largest = largest.max(bytes);
        if *letter == '?' {
            screen_of.send(KeyCode::Esc);
        }
        // Not in step with the frames that news make.
        thread::sleep(Duration::from_micros(3_700 + 1_000 * (keys.len() as u64 % 7)));
    }
    let started = Instant::now();
    search(&mut client, "no token is called like that");
    let first_search = started.elapsed();
    let mut filter = Vec::new();
    for query in ["86597000424", "user042@example.com c301", "burned bench", "zzz"] {
        for end in 1..=query.len() {
            let started = Instant::now();
            search(&mut client, &query[..end]);
            filter.push(started.elapsed());
        }
    }
    let mut burned = 0;
    while burned == 0 {
        if let Reply::Batch(detail) = ask(&mut client, Command::BatchShow { name: "bench".into() }) {
            burned = detail.batch.jobs.burned;
        }
    }
    screen_of.send(KeyCode::Char('q'));
    screen.join().expect("the screen did not panic").expect("memory can be written to");
    stopper.stop();
    let _ = hands.join();
    server.join().expect("the server did not panic");
    keys.sort();
    filter.sort();
    Figures { keys, filter, first_search, idle_writes, largest, burned }
}

struct Screen {
    keys: Sender<Msg>,
    written: Receiver<(Instant, Vec<u8>)>,
}

impl Screen {
    fn send(&self, code: KeyCode) {
        let pressed = KeyEvent::new(code, KeyModifiers::NONE);
        self.keys.send(Msg::Key(pressed)).expect("the screen is there");
    }

    /// Waits until something that holds `text` is written: when that was, and how many bytes.
    fn until(&self, text: &str) -> (Instant, usize) {
        loop {
            let (at, bytes) = self
                .written
                .recv_timeout(Duration::from_secs(60))
                .unwrap_or_else(|_| panic!("{text:?} was never written"));
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                return (at, bytes.len());
            }
        }
    }

    fn press(&self, code: KeyCode, shows: &str) -> (Duration, usize) {
        while self.written.try_recv().is_ok() {}
        let pressed = Instant::now();
        self.send(code);
        let (at, bytes) = self.until(shows);
        (at.duration_since(pressed), bytes)
    }

    /// Lets what is on its way arrive, then counts writes for a while.
    fn writes_in(&self, while_: Duration) -> usize {
        while self.written.recv_timeout(Duration::from_millis(1_500)).is_ok() {}
        let end = Instant::now() + while_;
        let mut count = 0;
        while self.written.recv_timeout(end.saturating_duration_since(Instant::now())).is_ok() {
            count += 1;
        }
        count
    }
}

fn serve(home: &Home, bench: &Bench) -> (Stopper, thread::JoinHandle<()>) {
    let access = Access::private(nix::unistd::geteuid().as_raw());
    let listener = Listener::bind(home, &access).expect("a socket can be made");
    let attached = Attached::default();
    let parts = Parts {
        store: Store::open(&home.database(), Now.now()).expect("a database can be made"),
        catalog: Catalog::built_in(),
        clock: Arc::new(Now),
        source: Arc::new(bench.clone()),
        limits: Limits { rescan: Duration::from_millis(50), ..Limits::default() },
        clients: attached.counter(),
        probe: no_probe(),
        crossing: no_crossing(),
    };
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let (station, door) = {
        let _inside = runtime.enter();
        Station::start(parts).expect("the station starts")
    };
    let stopper = station.stopper();
    let crier = station.crier();
    attached.tell(move |event| crier.cry(event));
    let terms = Terms { access, demo: false, attached };
    let thread = thread::spawn(move || {
        runtime.block_on(async {
            let (ended, end) = tokio::sync::oneshot::channel();
            let slots = tokio::spawn(async move {
                station.stopped().await;
                let _ = ended.send(());
            });
            let until = async {
                let _ = end.await;
            };
            let lock = service::serve(listener, door, terms, until).await.expect("the server serves");
            drop(lock);
            let _ = slots.await;
        });
    });
    (stopper, thread)
}

/// A vault, and an inventory of `count` tokens.
fn fill(client: &mut Client, count: u32) {
    let key = DataKey::generate().expect("the system has randomness");
    let holder =
        HolderFile { name: "bench".into(), kind: "age".into(), recipient: None, file: String::new() };
    ask(client, Command::VaultInit { holder, data_key: SecretBytes::new(*key.expose()) });
    let mut csv = String::from("upn,serial number,secret key,time interval,manufacturer,model\n");
    for n in 0..count {
        let mut seed = [0; 20];
        getrandom::fill(&mut seed).expect("the system has randomness");
        let seed = data_encoding::BASE32_NOPAD.encode(&seed);
        csv.push_str(&format!("user{n:06}@example.com,86597{n:08},{seed},30,Token2,C301-i\n"));
    }
    let options = ImportOptions::to(ImportTarget::Inventory);
    let content = SecretBytes::new(csv.as_bytes());
    ask(client, Command::Import { file_name: "bench.csv".into(), content, options });
}

/// Puts a new token down wherever one is asked for, and takes it away when its slot says so, until the station ends.
fn hands(client: Client, bench: Bench, burning: Arc<AtomicU32>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let (snapshot, news) = client.subscribe().expect("the station answers");
        let mut next = 0;
        let mut obey = |view: &SlotView| {
            let SlotName(slot) = &view.slot;
            match view.doing {
                Doing::Place => {
                    let serial = format!("8659610{next:07}").parse().expect("digits are a serial");
                    next += 1;
                    let surroundings = Surroundings::new(Arc::new(Now), Challenges::random());
                    let settings = Settings::new(serial, TimeSync::Unrestricted);
                    let token = VirtualToken::token2_single(settings, surroundings);
                    token.arm(Fault::Delay(EXCHANGE));
                    if bench.place(slot, &token).is_ok() {
                        burning.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Doing::Take | Doing::Look => drop(bench.take(slot)),
                Doing::Wait | Doing::Touch => {}
            }
        };
        snapshot.slots.iter().for_each(&mut obey);
        for told in news {
            match told {
                Ok(News::Event(numbered)) => match &numbered.event {
                    Event::Slot(view) => obey(view),
                    Event::Stopping => return,
                    _ => {}
                },
                Ok(News::Lagged { snapshot, .. }) => snapshot.slots.iter().for_each(&mut obey),
                Err(_) => return,
            }
        }
    })
}

fn connect(home: &Home) -> Client {
    Client::connect(home, Mode::Full).expect("the station answers")
}

fn ask(client: &mut Client, command: Command) -> Reply {
    client.ask(command).unwrap_or_else(|error| panic!("{}", error.into_failure().message))
}

fn search(client: &mut Client, query: &str) {
    let page = Page { offset: 0, limit: 200 };
    ask(client, Command::Tokens { query: query.to_owned(), page });
}
