//! `kiln demo`: the whole station on virtual tokens, in a throw-away home, with a virtual operator who puts tokens
//! down, takes them away, types codes where asked, and makes a mistake now and then. The station, its server and its
//! clients are the real ones; only the readers, the tokens and the clock's good conscience are not.

mod on_screen;
mod operator;

pub use on_screen::on_screen;

use super::{
    station::{runtime, serve_until_stopped},
    system_clock::SystemClock,
};
use crate::{
    cli::Sentences,
    domain::{Clock, ClockState, Profile, Serial, UnixMillis, catalog::Catalog},
    face::{
        BatchPolicy, Command, Failure, FailureKind, HolderFile, ImportOptions, ImportTarget, JobCounts,
        MadeFor, NewBatch, Reply, SecretBytes,
    },
    service::{self, Access, Attached, Client, Home, Listener, Mode, News, Terms},
    sim::{
        Bench, Challenges, Surroundings, VirtualToken, molto2, token2_otp,
        token2_single::{self, TimeSync},
        ykoath,
    },
    station::{Limits, Parts, Station, Stopper, no_crossing, no_probe},
    store::Store,
    vault::{
        DataKey,
        holder::{self, Recipient, WorkFactor},
    },
};
use operator::Operator;
use std::{fs, io::Write, os::unix::fs::DirBuilderExt, path::PathBuf, sync::Arc, thread, time::Duration};
use zeroize::Zeroizing;

/// How to go on after the demo.
pub const WITH_REAL_READERS: &str =
    "With real readers: kiln init, kiln import FILE --batch NAME, then kiln: S starts the batch.";

/// What the demo's batches are called.
const NFC: &str = "demo-nfc";
const USB: &str = "demo-usb";
const KEYS: &str = "demo-keys";
const PIN_PLUS: &str = "demo-token2-keys";

/// The port that takes Molto2s: they are told by the name under which PC/SC lists them.
const USB_SLOT: &str = "TOKEN2 Molto2 (demo)";

/// One token in so many is a Molto2, where there is a port for it.
const ONE_MOLTO2_IN: u32 = 6;

/// One token in so many is a key: with an OATH applet and Token2's own by turns.
const ONE_KEY_IN: u32 = 8;

/// A round trip of NFC tokens takes 8 to 40 ms (vpcd.md section 6).
const EXCHANGE: Duration = Duration::from_millis(15);

/// The models that come by turns, with the prefix of their serials.
const SINGLE: [(&str, &str, TimeSync); 3] = [
    ("C301-i", "8659610", TimeSync::Restricted),
    ("miniOTP-2-i", "8659600", TimeSync::Unrestricted),
    ("OTPC-P2-i", "8659622", TimeSync::Restricted),
];

/// The system's time, called right: no demo token will ever have to be right for a server.
struct DemoClock;

impl Clock for DemoClock {
    fn now(&self) -> UnixMillis {
        SystemClock.now()
    }

    fn state(&self) -> ClockState {
        ClockState::Simulated
    }
}

/// A home that goes away with its value.
struct ThrowAway(PathBuf);

impl ThrowAway {
    fn make() -> Result<Self, Failure> {
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(|error| trouble(format!("no random numbers: {error}")))?;
        let dir = std::env::temp_dir().join(format!("kiln-demo-{}", data_encoding::HEXLOWER.encode(&name)));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .map_err(|error| trouble(format!("{} can't be made: {error}", dir.display())))?;
        Ok(Self(dir))
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        // What can't be removed lies in the system's folder for such things.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs the demo on `slots` virtual readers with `tokens` tokens; tells on `out` what happens and how it ended.
/// Whether every token shows the right code in the end.
pub fn run(slots: u16, tokens: u32, out: &mut dyn Write) -> Result<bool, Failure> {
    let dir = ThrowAway::make()?;
    let home = Home::at(&dir.0);
    say(
        out,
        "This is a demo: virtual tokens on virtual readers, in a throw-away home. Nothing here is real.",
    );
    say(out, &format!("Look on from another terminal:  KILN_HOME={} kiln watch", dir.0.display()));

    let (names, usb) = slot_names(slots);
    let bench = Bench::new(names.clone());
    let host = Host::start(&home, bench.clone())?;
    let mut client = connect(&home)?;
    let pile = prepare(&mut client, tokens, usb, EXCHANGE)?;
    let (snapshot, news) = connect(&home)?.subscribe().map_err(service::ClientError::into_failure)?;
    let mut sentences = Sentences::default();
    sentences.restart(&snapshot);
    start_batches(&mut client, &pile)?;
    let mut operator = Operator::new(bench, names, pile);
    operator.begin();
    for told in news {
        match told.map_err(service::ClientError::into_failure)? {
            News::Event(numbered) => {
                for line in sentences.of(&numbered) {
                    say(out, &line);
                }
                for line in operator.react(&numbered.event, &mut client)? {
                    say(out, &line);
                }
            }
            News::Lagged { snapshot, .. } => {
                sentences.restart(&snapshot);
                operator.catch_up(&snapshot, &mut client)?;
            }
        }
        if operator.is_done() {
            break;
        }
    }
    let right = report(out, &mut client, operator)?;
    host.end();
    say(out, "");
    say(out, WITH_REAL_READERS);
    Ok(right)
}

/// The names of `slots` slots, and whether the last one is the port that Molto2s hang on.
fn slot_names(slots: u16) -> (Vec<String>, bool) {
    let mut names: Vec<String> = (1..=slots).map(|n| format!("Demo reader {n:02}")).collect();
    if names.len() > 1 {
        names.pop();
        names.push(USB_SLOT.into());
    }
    let usb = names.len() > 1;
    (names, usb)
}

fn start_batches(client: &mut Client, pile: &[DemoToken]) -> Result<(), Failure> {
    for name in [NFC, KEYS, PIN_PLUS, USB] {
        if pile.iter().any(|token| token.batch == name) {
            ask(client, Command::BatchStart { name: name.into() })?;
        }
    }
    Ok(())
}

/// A virtual token with what the operator has to know of it.
pub struct DemoToken {
    /// Its serial.
    pub serial: Serial,
    /// The token.
    pub token: VirtualToken,
    /// The batch that has its job.
    pub batch: &'static str,
    /// How many profiles its job fills.
    pub profiles: u8,
}

/// Makes vault, batches and the pile of tokens that fits them.
fn prepare(
    client: &mut Client,
    tokens: u32,
    usb: bool,
    exchange: Duration,
) -> Result<Vec<DemoToken>, Failure> {
    let data_key = DataKey::generate().map_err(|error| trouble(error.to_string()))?;
    let mut word = [0; 16];
    getrandom::fill(&mut word).map_err(|error| trouble(format!("no random numbers: {error}")))?;
    let passphrase = Zeroizing::new(data_encoding::HEXLOWER.encode(&word));
    // Nobody opens this vault again: the least work will do.
    let work = WorkFactor::new(2).unwrap_or(WorkFactor::DEFAULT);
    let file = Recipient::passphrase(passphrase, work)
        .and_then(|recipient| holder::wrap(&data_key, &recipient))
        .map_err(|error| trouble(error.to_string()))?;
    let holder = HolderFile {
        name: "demo".into(),
        kind: "passphrase".into(),
        recipient: None,
        file: data_encoding::BASE64.encode(&file),
    };
    let data_key = SecretBytes::new(*data_key.expose());
    ask(client, Command::VaultInit { holder, data_key })?;

    let mut pile = Vec::new();
    let mut csv =
        Zeroizing::new(String::from("upn,serial number,secret key,time interval,manufacturer,model\r\n"));
    for n in 0..tokens {
        let surroundings = Surroundings::new(Arc::new(DemoClock), Challenges::random());
        if usb && n % ONE_MOLTO2_IN == ONE_MOLTO2_IN - 1 {
            let serial = serial(&format!("8267187{n:08}"))?;
            let settings = molto2::Settings::new(serial.clone(), molto2::Generation::V2);
            let token = VirtualToken::molto2(settings, surroundings);
            pile.push(DemoToken { serial, token, batch: USB, profiles: 10 });
        } else if n % (2 * ONE_KEY_IN) == 2 * ONE_KEY_IN - 1 {
            let serial = serial(&format!("96105{n:09}"))?;
            let settings = token2_otp::Settings::new(serial.clone());
            let token = VirtualToken::token2_otp(settings, surroundings);
            pile.push(DemoToken { serial, token, batch: PIN_PLUS, profiles: 3 });
        } else if n % ONE_KEY_IN == ONE_KEY_IN - 1 {
            let serial = serial(&format!("{}", 20_000_000 + n))?;
            let settings = ykoath::Settings::new(serial.clone(), ykoath::Make::YubiKey);
            let token = VirtualToken::ykoath(settings, surroundings);
            pile.push(DemoToken { serial, token, batch: KEYS, profiles: 3 });
        } else {
            let (model, prefix, sync) = SINGLE[n as usize % SINGLE.len()];
            let serial = serial(&format!("{prefix}{n:07}"))?;
            let mut seed = Zeroizing::new([0; 20]);
            getrandom::fill(&mut *seed).map_err(|error| trouble(format!("no random numbers: {error}")))?;
            let secret = Zeroizing::new(data_encoding::BASE32_NOPAD.encode(&*seed));
            csv.push_str(&format!("user{n}@example.com,{serial},{},30,Token2,{model}\r\n", *secret));
            let token =
                VirtualToken::token2_single(token2_single::Settings::new(serial.clone(), sync), surroundings);
            pile.push(DemoToken { serial, token, batch: NFC, profiles: 1 });
        }
    }
    for demo in &pile {
        demo.token.arm(crate::sim::Fault::Delay(exchange));
    }
    let count = |batch| u32::try_from(pile.iter().filter(|t| t.batch == batch).count()).unwrap_or(u32::MAX);
    if count(NFC) > 0 {
        let options = ImportOptions {
            login_target: Some("entra".into()),
            ..ImportOptions::to(ImportTarget::Batch(NFC.into()))
        };
        let content = SecretBytes::new(csv.as_bytes());
        ask(client, Command::Import { file_name: "demo.csv".into(), content, options })?;
    }
    for (batch, model, recipe) in [
        (USB, "molto2-v2", "molto2-ten-random"),
        (KEYS, "yubikey-5", "key-three-random"),
        (PIN_PLUS, "token2-pin-plus", "key-three-random"),
    ] {
        if count(batch) > 0 {
            ask(
                client,
                Command::BatchNew(NewBatch {
                    name: batch.into(),
                    count: count(batch),
                    model: model.into(),
                    recipe: recipe.into(),
                    login_target: None,
                    key: None,
                    policy: BatchPolicy::default(),
                    dry_run: false,
                    priority: 0,
                    made_for: MadeFor::default(),
                }),
            )?;
        }
    }
    Ok(pile)
}

fn serial(text: &str) -> Result<Serial, Failure> {
    text.parse().map_err(|error: crate::domain::ParameterError| trouble(error.to_string()))
}

/// Compares what every token shows with the seeds in the vault, and prints the table.
fn report(out: &mut dyn Write, client: &mut Client, operator: Operator) -> Result<bool, Failure> {
    let Reply::Batches(batches) = ask(client, Command::Batches)? else {
        return Err(trouble("the station answered with something else".into()));
    };
    say(out, "");
    say(out, &format!("{:<10} {:>6} {:>7} {:>11}", "batch", "jobs", "burned", "other"));
    let mut all_burned = true;
    for batch in &batches {
        let JobCounts { burned, .. } = batch.jobs;
        let total = batch.jobs.total();
        all_burned &= burned == total;
        say(out, &format!("{:<10} {total:>6} {burned:>7} {:>11}", batch.name, total - burned));
    }
    let (mut right, mut wrong) = (0, 0);
    for demo in operator.into_pile() {
        for number in 0..demo.profiles {
            if shows_the_right_code(client, &demo, Profile::new(number))? {
                right += 1;
            } else {
                wrong += 1;
                say(out, &format!("WRONG: token {} profile {number}", demo.serial));
            }
        }
    }
    say(out, &format!("displays compared with the vault: {right} right, {wrong} wrong"));
    Ok(all_burned && wrong == 0)
}

/// Switches the token off and on, reads its display, and asks the station about the code.
pub fn shows_the_right_code(
    client: &mut Client,
    demo: &DemoToken,
    profile: Profile,
) -> Result<bool, Failure> {
    demo.token.switch_off();
    demo.token.switch_on();
    let display = demo.token.display(profile);
    let Some(code) = display.code() else { return Ok(false) };
    let verify = Command::Verify { serial: demo.serial.clone(), profile, codes: vec![code.to_owned()] };
    match ask(client, verify) {
        Ok(Reply::Verdict(verdict)) => Ok(verdict.right),
        Ok(_) => Ok(false),
        Err(failure) if failure.kind == FailureKind::No => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// The station and its server, on threads of their own.
struct Host {
    stopper: Stopper,
    thread: thread::JoinHandle<()>,
}

impl Host {
    fn start(home: &Home, bench: Bench) -> Result<Self, Failure> {
        let access = Access::private(nix::unistd::geteuid().as_raw());
        let listener = Listener::bind(home, &access).map_err(|error| service::failure(&error))?;
        let clock: Arc<dyn Clock> = Arc::new(DemoClock);
        let store = Store::open(&home.database(), clock.now()).map_err(|error| trouble(error.to_string()))?;
        let attached = Attached::default();
        let parts = Parts {
            store,
            catalog: Catalog::built_in(),
            clock,
            source: Arc::new(bench),
            limits: Limits { rescan: Duration::from_millis(50), ..Limits::default() },
            clients: attached.counter(),
            probe: no_probe(),
            crossing: no_crossing(),
        };
        let runtime = runtime()?;
        let (station, door) = {
            let _inside = runtime.enter();
            Station::start(parts)?
        };
        let stopper = station.stopper();
        let crier = station.crier();
        attached.tell(move |event| crier.cry(event));
        let terms = Terms { access, demo: true, attached };
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                if let Err(error) = serve_until_stopped(listener, station, door, terms).await {
                    tracing::error!(%error, "the demo's server ended");
                }
            });
        });
        Ok(Self { stopper, thread })
    }

    fn end(self) {
        self.stopper.stop();
        // Its panic was printed.
        let _ = self.thread.join();
    }
}

fn connect(home: &Home) -> Result<Client, Failure> {
    Client::connect(home, Mode::Full).map_err(service::ClientError::into_failure)
}

fn ask(client: &mut Client, command: Command) -> Result<Reply, Failure> {
    client.ask(command).map_err(service::ClientError::into_failure)
}

/// A line to whoever looks on; nobody looking on is no error.
fn say(out: &mut dyn Write, line: &str) {
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

fn trouble(message: String) -> Failure {
    Failure {
        kind: FailureKind::Environment,
        message,
        remedy: "see that the folder for temporary files can be written, then try again".into(),
        details: Vec::new(),
    }
}
