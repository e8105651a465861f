//! What is measured of the diagnosis. Each figure is the best of several rounds, since whatever else the machine does can
//! only slow one down.
#![allow(clippy::unwrap_used, reason = "a bench stops where it cannot go on")]

use kiln::{
    diagnose::{
        ClockRun, Drift, Evidence, Known, Read, Windows, diagnose,
        when::{Epoch, When, dates},
        whose::Owners,
    },
    domain::{
        Catalog, Clock, ClockState, Code, Digits, Hash, Parameters, Period, Profile, Seed, UnixMillis,
        UnixTime, otp,
    },
    face::{Command, HolderFile, ImportOptions, ImportTarget, Reply, Role, SecretBytes},
    sim::Bench,
    station::{Caller, Limits, Parts, Station, StationHandle, no_crossing, no_probe},
    store::Store,
    vault::DataKey,
};
use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const AT: UnixTime = UnixTime(1_772_625_600);

/// The fastest of `rounds`.
fn best<T>(rounds: u32, mut work: impl FnMut() -> T) -> Duration {
    let once = |work: &mut dyn FnMut() -> T| {
        let start = Instant::now();
        black_box(work());
        start.elapsed()
    };
    (0..rounds).map(|_| once(&mut work)).min().unwrap()
}

fn seed(length: u8) -> Seed {
    Seed::new((0..length).map(|i| i.wrapping_mul(37) ^ 0x5A).collect::<Vec<_>>())
}

/// Codes a second of the inner loop, seen through a search for a code that is nowhere: all of the search's time is in it.
pub fn inner_loop(hash: Hash, steps: u32, rounds: u32) -> f64 {
    let seed = seed(20);
    let parameters = Parameters::totp(hash, Digits::new(10).unwrap(), Period::THIRTY);
    // No 31 bits make this code.
    let code = [Code::parse("9999999999").unwrap()];
    let until = AT.plus(i64::from(steps) * 30);
    let drift = Drift { error_s: 0.0, rate_error_s_per_day: 0.0, ..Drift::unmeasured(AT) };
    let time = best(rounds, || When::new(&seed, &parameters, drift, &code, AT, until).unwrap().count());
    f64::from(steps) / time.as_secs_f64()
}

/// Codes a second of the crate totp-rs.
pub fn totp_rs(algorithm: totp_rs::Algorithm, codes: u32, rounds: u32) -> f64 {
    let totp = totp_rs::TOTP::new_unchecked(algorithm, 8, 1, 30, seed(20).expose().to_vec());
    let time =
        best(rounds, || (0..u64::from(codes)).fold(0, |sum, step| sum + totp.generate(step * 30).len()));
    f64::from(codes) / time.as_secs_f64()
}

/// One diagnosis with default windows.
pub fn one_diagnosis(codes: &[&str], hash: Hash) -> Duration {
    let seed = seed(20);
    let parameters = Parameters::totp(hash, Digits::SIX, Period::THIRTY);
    let codes: Vec<Code> = codes.iter().map(|text| Code::parse(text).unwrap()).collect();
    best(10, || {
        let evidence = Evidence::new(codes.clone(), Read::Last(AT)).unwrap();
        diagnose(&Known::bare(&seed, parameters), &evidence, Windows::default(), &mut std::iter::empty())
            .unwrap()
    })
}

/// An inventory of so many tokens at a real station: database on disk, seeds sealed, an open vault.
pub struct Inventory {
    door: StationHandle,
    station: Option<Station>,
    runtime: Runtime,
    tokens: u32,
    _home: TempDir,
}

/// Stands still.
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> UnixMillis {
        AT.to_millis()
    }
    fn state(&self) -> ClockState {
        ClockState::Simulated
    }
}

/// The seed of token `i`.
fn owned(i: u32) -> Seed {
    Seed::new(
        (0..20u32).map(|k| (i.wrapping_mul(2_654_435_761) >> (k % 24)) as u8 ^ k as u8).collect::<Vec<_>>(),
    )
}

impl Inventory {
    pub fn of(tokens: u32) -> Self {
        let home = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let parts = Parts {
            store: Store::open(&home.path().join("kiln.db"), AT.to_millis()).unwrap(),
            catalog: Catalog::built_in(),
            clock: Arc::new(Stopped),
            source: Arc::new(Bench::new(Vec::<String>::new())),
            limits: Limits::default(),
            clients: Arc::default(),
            probe: no_probe(),
            crossing: no_crossing(),
        };
        let (station, door) = runtime.block_on(async { Station::start(parts) }).unwrap();
        let inventory = Self { door, station: Some(station), runtime, tokens, _home: home };
        let key = DataKey::generate().unwrap();
        let holder =
            HolderFile { name: "bench".into(), kind: "age".into(), recipient: None, file: String::new() };
        inventory.ask(Command::VaultInit { holder, data_key: SecretBytes::new(*key.expose()) });
        let mut csv = String::from("upn,serial number,secret key,time interval,manufacturer,model\n");
        for i in 0..tokens {
            let seed = data_encoding::BASE32_NOPAD.encode(owned(i).expose());
            csv.push_str(&format!("u{i}@example.com,{i:08},{seed},30,Token2,C301-i\n"));
        }
        inventory.ask(Command::Import {
            file_name: "inventory.csv".into(),
            content: SecretBytes::new(csv.into_bytes()),
            options: ImportOptions::to(ImportTarget::Inventory),
        });
        inventory
    }

    fn ask(&self, command: Command) -> Reply {
        let caller = Caller { who: "bench".into(), uid: 0, role: Role::Operator };
        let answer = self.runtime.block_on(self.door.ask(command, caller));
        answer.unwrap_or_else(|failure| {
            panic!("{}; {}; {:?}", failure.message, failure.remedy, failure.details)
        })
    }

    /// `kiln whose` with two codes of one of them, ten minutes to each side: rows read, unsealed, tried, recorded.
    pub fn whose(&self, rounds: u32) -> Duration {
        let wanted = self.tokens / 7 * 5;
        let parameters = Parameters::standard();
        let codes = [0, 30].map(|s| otp::code_at(&owned(wanted), &parameters, AT.plus(120 + s)).unwrap());
        let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
        best(rounds, || {
            let command = Command::Whose { codes: codes.clone(), at: Some(AT), within_s: 600 };
            let Reply::Findings(found) = self.ask(command) else { panic!("no findings") };
            let owners: Owners = serde_json::from_value(found).unwrap();
            assert_eq!((owners.tokens, owners.unreadable), (self.tokens.into(), 0));
            assert_eq!(owners.matches.len(), 1);
            assert_eq!(owners.matches[0].token.serial.as_str(), format!("{wanted:08}"));
        })
    }

    /// `kiln diagnose` of a code that is right but seven steps late.
    pub fn diagnose(&self, rounds: u32) -> Duration {
        let parameters = Parameters::standard();
        let codes = [0, 30].map(|s| otp::code_at(&owned(3), &parameters, AT.plus(s - 210)).unwrap());
        best(rounds, || {
            let command = Command::Diagnose {
                serial: "00000003".parse().unwrap(),
                profile: Profile::ZERO,
                codes: codes.iter().map(ToString::to_string).collect(),
                shows: None,
                at: Some(AT),
                typed: vec![],
                wider: 1,
            };
            let Reply::Findings(found) = self.ask(command) else { panic!("no findings") };
            assert_eq!(found["findings"][0]["causes"], serde_json::json!(["drift"]));
        })
    }
}

impl Drop for Inventory {
    fn drop(&mut self) {
        if let Some(station) = self.station.take() {
            station.stopper().stop();
            self.runtime.block_on(station.stopped());
        }
    }
}

/// Every time of a code in so many days.
pub fn when(days: i64, period_s: u64, rounds: u32) -> Duration {
    let seed = seed(20);
    let code = [Code::parse("12345678").unwrap()];
    let parameters = Parameters::totp(Hash::Sha1, Digits::EIGHT, Period::from_secs(period_s).unwrap());
    let clock = ClockRun::new(AT, vec![]);
    let epoch = || Epoch { seed: &seed, parameters, clock: &clock, from: AT, to: None };
    best(rounds, || dates(&[epoch()], &code, AT, AT.plus(days * 86_400)).unwrap().times.len())
}

/// By how many KiB the most memory that this process ever took grew while `work` ran.
pub fn growth_kib<T>(work: impl FnOnce() -> T) -> u64 {
    // "5" lets the high-water mark begin again at what is in use now: proc(5).
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = high_water_kib();
    black_box(work());
    high_water_kib().saturating_sub(before)
}

fn high_water_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How long, and in how wide windows, a search for two codes that nothing explains takes.
pub fn unexplained(wider: u32) -> Duration {
    let seed = seed(20);
    let codes: Vec<Code> = ["123456", "654321"].iter().map(|text| Code::parse(text).unwrap()).collect();
    let evidence = Evidence::new(codes, Read::Last(AT)).unwrap();
    let windows = Windows::default().widened(wider);
    let known = Known::bare(&seed, Parameters::standard());
    best(1, || diagnose(&known, &evidence, windows, &mut std::iter::empty()).unwrap())
}
