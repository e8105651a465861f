//! A station in process with one caller: real store on disk, real drivers, virtual tokens on virtual readers, and a clock
//! that a test moves.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use kiln::{
    domain::{Clock, ClockState, JobState, Profile, UnixMillis, catalog::Catalog},
    face::{
        BatchPolicy, Command, Failure, HolderFile, ImportOptions, ImportTarget, JobFilter, JobView, MadeFor,
        NewBatch, Numbered, Page, Reply, Role, SecretBytes,
    },
    sim::{
        Bench, Challenges, Surroundings, VirtualToken, molto2,
        token2_single::{self, TimeSync},
    },
    station::{Caller, Limits, Parts, Station, StationHandle, no_crossing, no_probe},
    store::Store,
    vault::{
        DataKey,
        holder::{self, Recipient, WorkFactor},
    },
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::sync::broadcast;
use zeroize::Zeroizing;

/// Virtual tokens answer at once, unless they are told never to.
pub const EXCHANGE: Duration = Duration::from_secs(2);

/// A clock that stands still unless a test moves it, and is as good as the test says.
pub struct TestClock {
    /// Milliseconds since 1970.
    pub now: AtomicI64,
    /// What it is worth.
    pub trusted: std::sync::Mutex<ClockState>,
}

impl Clock for TestClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.now.load(Ordering::SeqCst))
    }
    fn state(&self) -> ClockState {
        *self.trusted.lock().unwrap()
    }
}

/// A station with its readers and its one caller.
pub struct Shop {
    /// Its door.
    pub door: StationHandle,
    /// What it tells.
    pub events: broadcast::Receiver<Arc<Numbered>>,
    /// Its readers.
    pub bench: Bench,
    /// Its time.
    pub clock: Arc<TestClock>,
    /// Itself.
    pub station: Option<Station>,
    /// The key of its vault.
    pub key: [u8; 32],
}

impl Shop {
    /// A new one in `dir`, with these slots.
    pub async fn open(dir: &Path, slots: &[&str]) -> Self {
        Self::open_with(dir, slots, None, ClockState::Simulated).await
    }

    /// In `dir`: the same as before with the key of its vault, else a new one.
    pub async fn open_with(
        dir: &Path,
        slots: &[&str],
        key: Option<[u8; 32]>,
        clock_state: ClockState,
    ) -> Self {
        let clock = Arc::new(TestClock {
            now: AtomicI64::new(1_767_225_600_000),
            trusted: std::sync::Mutex::new(clock_state),
        });
        let bench = Bench::new(slots.iter().map(|slot| (*slot).to_owned()));
        let parts = Parts {
            store: Store::open(&dir.join("kiln.db"), clock.now()).unwrap(),
            catalog: Catalog::built_in(),
            clock: clock.clone(),
            source: Arc::new(bench.clone()),
            limits: Limits { exchange: EXCHANGE, rescan: Duration::from_millis(10), ..Limits::default() },
            clients: Arc::default(),
            probe: no_probe(),
            crossing: no_crossing(),
        };
        let (station, door) = Station::start(parts).unwrap();
        let events = door.events();
        let data_key = key.map_or_else(|| DataKey::generate().unwrap(), |k| DataKey::from_bytes(&k).unwrap());
        let shop = Self { door, events, bench, clock, station: Some(station), key: *data_key.expose() };
        if key.is_some() {
            shop.ask(Command::VaultUnlock { data_key: SecretBytes::new(shop.key) }).await.unwrap();
        } else {
            let recipient =
                Recipient::passphrase(Zeroizing::new("correct horse".into()), WorkFactor::new(2).unwrap())
                    .unwrap();
            let file = holder::wrap(&data_key, &recipient).unwrap();
            let holder = HolderFile {
                name: "test".into(),
                kind: "passphrase".into(),
                recipient: None,
                file: data_encoding::BASE64.encode(&file),
            };
            let data_key = SecretBytes::new(shop.key);
            shop.ask(Command::VaultInit { holder, data_key }).await.unwrap();
        }
        shop
    }

    /// Asks as an operator.
    pub async fn ask(&self, command: Command) -> Result<Reply, Failure> {
        let caller = Caller { who: "tester".into(), uid: 0, role: Role::Operator };
        self.door.ask(command, caller).await
    }

    /// Waits for an event that `wanted` makes something of.
    pub async fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&Numbered) -> Option<T>) -> T {
        let wait = async {
            loop {
                let event = self.events.recv().await.expect("the station goes on");
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait)
            .await
            .unwrap_or_else(|_| panic!("never happened: {what}"))
    }

    /// Waits until the token has left the slot.
    pub async fn token_is_gone(&mut self, slot: &str) {
        let bench = self.bench.clone();
        self.until("an empty slot", |_| bench.lies_in(slot).is_none().then_some(())).await;
    }

    /// Waits until some job stands there; the event that says so.
    pub async fn job_reaches(&mut self, state: JobState) -> kiln::face::Event {
        use kiln::face::Event;
        self.until(&format!("a job that is {state}"), |news| match &news.event {
            event @ Event::Job { state: now, .. } if *now == state => Some(event.clone()),
            _ => None,
        })
        .await
    }

    /// Waits until the slot says something with `text` in it.
    pub async fn slot_says(&mut self, text: &str) {
        self.until(&format!("a slot that says \"{text}\""), |news| match &news.event {
            kiln::face::Event::Slot(view) => {
                view.says.as_ref().is_some_and(|says| says.contains(text)).then_some(())
            }
            _ => None,
        })
        .await;
    }

    /// Imports a seed file into a new batch.
    pub async fn import(&self, batch: &str, csv: &str) -> Result<Reply, Failure> {
        self.ask(Command::Import {
            file_name: "seeds.csv".into(),
            content: SecretBytes::new(csv.as_bytes()),
            options: options(ImportTarget::Batch(batch.into())),
        })
        .await
    }

    /// Starts a batch.
    pub async fn start(&self, batch: &str) {
        self.ask(Command::BatchStart { name: batch.into() }).await.unwrap();
    }

    /// The jobs of a batch.
    pub async fn jobs(&self, batch: &str) -> Vec<JobView> {
        let command =
            Command::Jobs { batch: batch.into(), filter: JobFilter::default(), page: Page::default() };
        match self.ask(command).await.unwrap() {
            Reply::Jobs(page) => page.items,
            other => panic!("{other:?}"),
        }
    }

    /// Whether a code is right.
    pub async fn verify(&self, serial: &str, profile: u8, code: &str) -> bool {
        let command = Command::Verify {
            serial: serial.parse().unwrap(),
            profile: Profile::new(profile),
            codes: vec![code.into()],
        };
        match self.ask(command).await.unwrap() {
            Reply::Verdict(verdict) => verdict.right,
            other => panic!("{other:?}"),
        }
    }

    /// A token with restricted time sync, as delivered.
    pub fn single(&self, serial: &str) -> VirtualToken {
        let settings = token2_single::Settings::new(serial.parse().unwrap(), TimeSync::Restricted);
        VirtualToken::token2_single(settings, Surroundings::new(self.clock.clone(), Challenges::random()))
    }

    /// A Molto2 as delivered.
    pub fn molto2(&self, serial: &str) -> VirtualToken {
        let settings = molto2::Settings::new(serial.parse().unwrap(), molto2::Generation::V2);
        VirtualToken::molto2(settings, Surroundings::new(self.clock.clone(), Challenges::random()))
    }

    /// Ends the station and gives what a later one needs: the vault's key.
    pub async fn close(mut self) -> [u8; 32] {
        let station = self.station.take().unwrap();
        station.stopper().stop();
        station.stopped().await;
        self.key
    }
}

/// A batch of one token with random seeds.
pub fn of_one(name: &str, model: &str, recipe: &str) -> NewBatch {
    NewBatch {
        name: name.into(),
        count: 1,
        model: model.into(),
        recipe: recipe.into(),
        login_target: None,
        key: None,
        policy: BatchPolicy::default(),
        priority: 0,
        made_for: MadeFor::default(),
        dry_run: false,
    }
}

/// Nothing said but where seeds go.
pub fn options(target: ImportTarget) -> ImportOptions {
    ImportOptions::to(target)
}

/// An Entra CSV with random seeds for `serials`.
pub fn csv(serials: &[&str]) -> String {
    let mut text = String::from("upn,serial number,secret key,time interval,manufacturer,model\n");
    for serial in serials {
        let mut seed = [0; 20];
        getrandom::fill(&mut seed).unwrap();
        let secret = data_encoding::BASE32_NOPAD.encode(&seed);
        text.push_str(&format!("u{serial}@example.com,{serial},{secret},30,Token2,C301-i\n"));
    }
    text
}

/// The code that a display shows, switched off and on.
pub fn fresh_code(token: &VirtualToken, profile: u8) -> String {
    token.switch_off();
    token.switch_on();
    let display = token.display(Profile::new(profile));
    display.code().unwrap_or_else(|| panic!("no code: {display:?}")).to_owned()
}
