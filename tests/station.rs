//! Whole stories at a station, in process: real store on disk, real drivers, virtual tokens on virtual readers.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use kiln::{
    domain::{Clock, ClockState, JobState, Profile, Proof, Serial, UnixMillis, catalog::Catalog},
    face::{
        BatchPolicy, Command, Consent, ExportFormat, Failure, FailureKind, HolderFile, ImportOptions,
        ImportTarget, JobFilter, JobView, NewBatch, Numbered, Page, Reply, Role, SecretBytes,
    },
    sim::{
        Bench, Challenges, Fault, ForeignCard, Surroundings, VirtualToken, molto2,
        token2_single::{self, TimeSync},
    },
    station::{Caller, Limits, Parts, Station, StationHandle, no_crossing},
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
const EXCHANGE: Duration = Duration::from_secs(2);

/// A clock that stands still unless a test moves it, and is as good as the test says.
struct TestClock {
    now: AtomicI64,
    trusted: std::sync::Mutex<ClockState>,
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
struct Shop {
    door: StationHandle,
    events: broadcast::Receiver<Arc<Numbered>>,
    bench: Bench,
    clock: Arc<TestClock>,
    station: Option<Station>,
    key: [u8; 32],
}

impl Shop {
    async fn open(dir: &Path, slots: &[&str]) -> Self {
        Self::open_with(dir, slots, None, ClockState::Simulated).await
    }

    async fn open_with(dir: &Path, slots: &[&str], key: Option<[u8; 32]>, clock_state: ClockState) -> Self {
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
            limits: Limits { exchange: EXCHANGE, rescan: Duration::from_millis(10) },
            clients: Arc::default(),
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

    async fn ask(&self, command: Command) -> Result<Reply, Failure> {
        let caller = Caller { who: "tester".into(), role: Role::Operator };
        self.door.ask(command, caller).await
    }

    /// Waits for an event that `wanted` makes something of.
    async fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&Numbered) -> Option<T>) -> T {
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

    async fn token_is_gone(&mut self, slot: &str) {
        let bench = self.bench.clone();
        self.until("an empty slot", |_| bench.lies_in(slot).is_none().then_some(())).await;
    }

    async fn job_reaches(&mut self, state: JobState) -> kiln::face::Event {
        use kiln::face::Event;
        self.until(&format!("a job that is {state}"), |news| match &news.event {
            event @ Event::Job { state: now, .. } if *now == state => Some(event.clone()),
            _ => None,
        })
        .await
    }

    /// Waits until the slot says something with `text` in it.
    async fn slot_says(&mut self, text: &str) {
        self.until(&format!("a slot that says \"{text}\""), |news| match &news.event {
            kiln::face::Event::Slot(view) => {
                view.says.as_ref().is_some_and(|says| says.contains(text)).then_some(())
            }
            _ => None,
        })
        .await;
    }

    async fn import(&self, batch: &str, csv: &str) -> Result<Reply, Failure> {
        self.ask(Command::Import {
            file_name: "seeds.csv".into(),
            content: SecretBytes::new(csv.as_bytes()),
            options: options(ImportTarget::Batch(batch.into())),
        })
        .await
    }

    async fn start(&self, batch: &str) {
        self.ask(Command::BatchStart { name: batch.into() }).await.unwrap();
    }

    async fn jobs(&self, batch: &str) -> Vec<JobView> {
        let command =
            Command::Jobs { batch: batch.into(), filter: JobFilter::default(), page: Page::default() };
        match self.ask(command).await.unwrap() {
            Reply::Jobs(page) => page.items,
            other => panic!("{other:?}"),
        }
    }

    async fn verify(&self, serial: &str, profile: u8, code: &str) -> bool {
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

    fn single(&self, serial: &str) -> VirtualToken {
        let settings = token2_single::Settings::new(serial.parse().unwrap(), TimeSync::Restricted);
        VirtualToken::token2_single(settings, Surroundings::new(self.clock.clone(), Challenges::random()))
    }

    fn molto2(&self, serial: &str) -> VirtualToken {
        let settings = molto2::Settings::new(serial.parse().unwrap(), molto2::Generation::V2);
        VirtualToken::molto2(settings, Surroundings::new(self.clock.clone(), Challenges::random()))
    }

    /// Ends the station and gives what a later one needs: the vault's key.
    async fn close(mut self) -> [u8; 32] {
        let station = self.station.take().unwrap();
        station.stopper().stop();
        station.stopped().await;
        self.key
    }
}

fn options(target: ImportTarget) -> ImportOptions {
    ImportOptions {
        target,
        format: None,
        recipes: Vec::new(),
        login_target: None,
        hash: None,
        good_lines_only: false,
        dry_run: false,
        key: None,
        policy: BatchPolicy::default(),
    }
}

/// An Entra CSV with random seeds for `serials`.
fn csv(serials: &[&str]) -> String {
    let mut text = String::from("upn,serial number,secret key,time interval,manufacturer,model\n");
    for serial in serials {
        let mut seed = [0; 20];
        getrandom::fill(&mut seed).unwrap();
        let secret = data_encoding::BASE32_NOPAD.encode(&seed);
        text.push_str(&format!("u{serial}@example.com,{serial},{secret},30,Token2,C301-i\n"));
    }
    text
}

fn fresh_code(token: &VirtualToken, profile: u8) -> String {
    token.switch_off();
    token.switch_on();
    let display = token.display(Profile::new(profile));
    display.code().unwrap_or_else(|| panic!("no code: {display:?}")).to_owned()
}

const A: &str = "86596100000001";
const B: &str = "86596100000002";

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_burned_seen_and_exported() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let file = csv(&[A]);
    shop.import("spring", &file).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    shop.bench.place("left", &token).unwrap();
    let burned = shop.job_reaches(JobState::Burned).await;
    let kiln::face::Event::Job { proof, wants_eyes, .. } = burned else { unreachable!() };
    assert_eq!((proof, wants_eyes), (Some(Proof::Written), true), "the first of a batch wants to be seen");
    assert_eq!(token.counters().commands, 6, "no command more than needed");

    let export = || Command::Export {
        format: ExportFormat::EntraCsv { old_interval_column: false },
        batch: Some("spring".into()),
        unproven: false,
    };
    let Reply::Exported(before) = shop.ask(export()).await.unwrap() else { panic!() };
    assert_eq!((before.tokens, before.left_out.len()), (0, 1));

    assert!(!shop.verify(A, 0, "000000").await || fresh_code(&token, 0) == "000000");
    assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await);
    let Reply::Exported(after) = shop.ask(export()).await.unwrap() else { panic!() };
    assert_eq!((after.tokens, after.left_out), (1, vec![]));
    let exported = String::from_utf8(after.content.expose().to_vec()).unwrap();
    assert!(exported.lines().eq(file.lines()), "what came in goes out");
    assert!(shop.ask(Command::AuditVerify).await.is_ok());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_torn_off_at_any_command_goes_on_with_the_same_seed() {
    for (fault, at) in (1..=6).flat_map(|at| [("before", at), ("after", at)]) {
        let dir = tempfile::tempdir().unwrap();
        let mut shop = Shop::open(dir.path(), &["left"]).await;
        shop.import("spring", &csv(&[A])).await.unwrap();
        shop.start("spring").await;
        let token = shop.single(A);
        token.arm(format!("yank-{fault}:{at}").parse::<Fault>().unwrap());
        shop.bench.place("left", &token).unwrap();
        shop.token_is_gone("left").await;
        shop.bench.place("left", &token).unwrap();
        shop.job_reaches(JobState::Burned).await;
        assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await, "yank {fault} command {at}");
        assert_eq!(token.counters().wrong_answers, 0);
        shop.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_costs_one_attempt_and_stops_the_batch() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left", "right"]).await;
    shop.import("spring", &csv(&[A, B])).await.unwrap();
    shop.start("spring").await;
    let (a, b) = (shop.single(A), shop.single(B));
    a.arm(Fault::WrongKey);
    b.arm(Fault::WrongKey);
    shop.bench.place("left", &a).unwrap();
    shop.bench.place("right", &b).unwrap();
    let failed = shop.job_reaches(JobState::Failed).await;
    assert!(matches!(failed, kiln::face::Event::Job { reason: Some(_), .. }));
    shop.until("the batch is paused", |news| match &news.event {
        kiln::face::Event::Batch(batch) => (batch.state == "paused").then_some(()),
        _ => None,
    })
    .await;
    let spent: u64 = [&a, &b].iter().map(|token| token.counters().auth_attempts).sum();
    assert_eq!(spent, 1, "one attempt for the whole batch, however many slots");
    let (slot, token) = if a.counters().auth_attempts == 1 { ("left", &a) } else { ("right", &b) };

    // The same token once more, after a person put its job back: the key is not tried again.
    shop.bench.take("left");
    shop.bench.take("right");
    shop.ask(Command::BatchRetry { name: "spring".into() }).await.unwrap();
    shop.start("spring").await;
    shop.bench.place(slot, token).unwrap();
    shop.slot_says("refused this key before").await;
    assert_eq!(token.counters().auth_attempts, 1);

    // Only a person's word for this very token spends another attempt.
    token.clear_faults();
    let serial: Serial = token.serial().parse().unwrap();
    let allow = |last_four: &str| Command::Allow {
        serial: serial.clone(),
        last_four: last_four.into(),
        what: Consent::TryKey,
    };
    assert_eq!(shop.ask(allow("9999")).await.unwrap_err().kind, FailureKind::No);
    shop.ask(allow(serial.last_four())).await.unwrap();
    shop.job_reaches(JobState::Burned).await;
    assert_eq!(token.counters().auth_attempts, 2);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_clock_burns_nothing_until_a_person_overrides_it() {
    let dir = tempfile::tempdir().unwrap();
    let loose = ClockState::Unsynchronised { max_error_ms: 16_000 };
    let mut shop = Shop::open_with(dir.path(), &["left"], None, loose).await;
    shop.import("spring", &csv(&[A])).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("clock").await;
    assert_eq!(
        (token.counters().auth_attempts, token.counters().writes),
        (0, 0),
        "it was only asked who it is"
    );
    shop.ask(Command::ClockOverride { seconds: 600 }).await.unwrap();
    shop.job_reaches(JobState::Burned).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burn_waits_for_the_vault() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A])).await.unwrap();
    shop.start("spring").await;
    shop.ask(Command::VaultLock).await.unwrap();
    let token = shop.single(A);
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("the vault is locked").await;
    let wrong = shop.ask(Command::VaultUnlock { data_key: SecretBytes::new([7; 32]) }).await.unwrap_err();
    assert_eq!(wrong.kind, FailureKind::No);
    shop.ask(Command::VaultUnlock { data_key: SecretBytes::new(shop.key) }).await.unwrap();
    shop.job_reaches(JobState::Burned).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_seed_asks_and_ours_asks_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A])).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Burned).await;
    shop.bench.take("left");
    let before = fresh_code(&token, 0);

    shop.import("autumn", &csv(&[A])).await.unwrap();
    shop.start("autumn").await;
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("a seed on record here").await;
    assert_eq!(fresh_code(&token, 0), before, "untouched");
    let serial: Serial = A.parse().unwrap();
    let last_four = serial.last_four().to_owned();
    shop.ask(Command::Allow { serial, last_four, what: Consent::Replace }).await.unwrap();
    shop.job_reaches(JobState::Burned).await;
    assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_molto2_takes_ten_profiles_and_reads_them_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["TOKEN2 Molto2 [CCID Interface] 00 00"]).await;
    let slot = "TOKEN2 Molto2 [CCID Interface] 00 00";
    shop.ask(Command::BatchNew(NewBatch {
        name: "usb".into(),
        count: 1,
        model: "molto2-v2".into(),
        recipe: "molto2-ten-random".into(),
        login_target: None,
        key: None,
        policy: BatchPolicy::default(),
    }))
    .await
    .unwrap();
    shop.start("usb").await;
    let token = shop.molto2("826718719844499");
    shop.bench.place(slot, &token).unwrap();
    let burned = shop.job_reaches(JobState::Burned).await;
    let kiln::face::Event::Job { proof, wants_eyes, .. } = burned else { unreachable!() };
    assert_eq!((proof, wants_eyes), (Some(Proof::ReadBack), false));
    for profile in 0..10 {
        assert!(shop.verify("826718719844499", profile, &fresh_code(&token, profile)).await, "{profile}");
    }
    assert_eq!(token.counters().auth_attempts, 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_key_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.bench.place("left", &VirtualToken::foreign(ForeignCard::FidoKey)).unwrap();
    shop.slot_says("security key").await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_finds_a_claimed_job_unfinished_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A, B])).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    token.arm("yank-after:4".parse::<Fault>().unwrap());
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Unfinished).await;
    let (clock, key) = (shop.clock.clone(), shop.close().await);

    let mut shop = Shop::open_with(dir.path(), &["left"], Some(key), ClockState::Simulated).await;
    shop.clock = clock;
    let states: Vec<JobState> = shop.jobs("spring").await.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Unfinished, JobState::Queued]);
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Burned).await;
    assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_refused_whole_and_every_line_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::open(dir.path(), &[]).await;
    let mut file = csv(&[A, B]);
    file.push_str("x@example.com,8.65962E+13,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,30,Token2,C301-i\n");
    let refused = shop.import("spring", &file).await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::No);
    assert!(refused.details.iter().any(|line| line.starts_with("line 4")), "{refused:?}");
    assert!(!format!("{refused:?}").contains("GEZDGNBV"), "no seed in an error");
    assert!(matches!(shop.ask(Command::Batches).await.unwrap(), Reply::Batches(none) if none.is_empty()));

    shop.import("spring", &csv(&[A])).await.unwrap();
    let again = shop.import("again", &csv(&[A])).await.unwrap_err();
    assert!(again.details.iter().any(|line| line.contains("spring")), "{again:?}");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_never_answers_is_fenced_and_no_other_slot_notices() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left", "right"]).await;
    shop.import("spring", &csv(&[A, B])).await.unwrap();
    shop.start("spring").await;
    let (hung, good) = (shop.single(A), shop.single(B));
    hung.arm("mute:5".parse::<Fault>().unwrap());
    shop.bench.place("left", &hung).unwrap();
    shop.until("the job is claimed", |news| match &news.event {
        kiln::face::Event::Job { state: JobState::Claimed, .. } => Some(()),
        _ => None,
    })
    .await;
    shop.bench.place("right", &good).unwrap();
    let burned = shop.job_reaches(JobState::Burned).await;
    assert!(matches!(burned, kiln::face::Event::Job { serial: Some(serial), .. } if serial.as_str() == B));
    let unfinished = shop.job_reaches(JobState::Unfinished).await;
    assert!(
        matches!(unfinished, kiln::face::Event::Job { serial: Some(serial), .. } if serial.as_str() == A)
    );
    shop.bench.take("left");
    shop.until("the slot works again", |news| match &news.event {
        kiln::face::Event::Slot(view) if view.slot.0 == "left" => {
            (view.doing == kiln::face::Doing::Place).then_some(())
        }
        _ => None,
    })
    .await;
    shop.bench.place("left", &hung).unwrap();
    shop.job_reaches(JobState::Burned).await;
    assert!(shop.verify(A, 0, &fresh_code(&hung, 0)).await);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_paused_batch_is_asked_once_and_waits() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A])).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    token.arm("yank-after:5".parse::<Fault>().unwrap());
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Unfinished).await;
    shop.ask(Command::BatchPause { name: "spring".into() }).await.unwrap();
    let before = token.counters().commands;
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("its batch is paused").await;
    assert_eq!(token.counters().commands - before, 1, "who are you, and no more");
    shop.start("spring").await;
    shop.job_reaches(JobState::Burned).await;
    assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_refused_at_the_second_burn_leaves_the_job_to_its_token() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A])).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    token.arm("yank-after:5".parse::<Fault>().unwrap());
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Unfinished).await;
    token.arm(Fault::WrongKey);
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("refused the key").await;
    let job = shop.jobs("spring").await.remove(0);
    assert_eq!((job.state, job.serial.unwrap().as_str()), (JobState::Unfinished, A), "it may hold the seed");

    token.clear_faults();
    let serial: Serial = A.parse().unwrap();
    let last_four = serial.last_four().to_owned();
    shop.ask(Command::Allow { serial, last_four, what: Consent::TryKey }).await.unwrap();
    shop.bench.take("left");
    shop.until("an empty slot", |news| match &news.event {
        kiln::face::Event::Slot(view) => (view.doing == kiln::face::Doing::Place).then_some(()),
        _ => None,
    })
    .await;
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Burned).await;
    assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_job_another_slot_has_in_hand_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left", "right"]).await;
    shop.import("spring", &csv(&[A])).await.unwrap();
    shop.start("spring").await;
    // The same token, moved from a reader that has not noticed to another one.
    let (hung, moved) = (shop.single(A), shop.single(A));
    hung.arm("mute:5".parse::<Fault>().unwrap());
    shop.bench.place("left", &hung).unwrap();
    shop.job_reaches(JobState::Claimed).await;
    shop.bench.place("right", &moved).unwrap();
    shop.slot_says("still in hand").await;
    assert_eq!((moved.counters().commands, moved.counters().auth_attempts), (1, 0));
    shop.job_reaches(JobState::Unfinished).await;
    shop.job_reaches(JobState::Burned).await;
    assert!(shop.verify(A, 0, &fresh_code(&moved, 0)).await);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_asks_for_the_token_that_it_lost_until_it_is_burned() {
    use kiln::face::{Doing, Event};
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A, B])).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    token.arm("yank-after:5".parse::<Fault>().unwrap());
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Unfinished).await;
    let says_when_empty = |news: &Numbered| match &news.event {
        Event::Slot(view) if view.doing == Doing::Place => Some(view.says.clone()),
        _ => None,
    };
    let lost = shop.until("an empty slot", says_when_empty).await;
    assert!(lost.is_some_and(|says| says.contains(A)));
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Burned).await;
    shop.bench.take("left");
    assert_eq!(shop.until("an empty slot", says_when_empty).await, None);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_nothing_to_get_hears_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A, B])).await.unwrap();
    let token = shop.single(A);
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("its batch \"spring\" is draft").await;
    token.arm("status:2:6F00".parse::<Fault>().unwrap());
    shop.start("spring").await;
    shop.job_reaches(JobState::Failed).await;
    shop.bench.take("left");
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("failed on token").await;
    let serial: Serial = A.parse().unwrap();
    let last_four = serial.last_four().to_owned();
    shop.ask(Command::Scrap { serial, last_four }).await.unwrap();
    shop.slot_says("was scrapped").await;
    shop.close().await;
}
