//! How fast the diagnosis is, all in one run, on the machine at hand: `cargo bench --bench diagnose`. Each figure is the
//! best of several rounds, since whatever else the machine does can only slow one down.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops where it cannot go on"
)]

use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce, aead::Aead};
use kiln::{
    diagnose::{
        Drift, Evidence, Known, Read, Windows, diagnose,
        when::When,
        whose::{Candidate, Shard, Whose},
    },
    domain::{Code, Digits, Hash, Parameters, Period, Profile, Seed, UnixTime, otp},
};
use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

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
fn inner_loop(hash: Hash) -> f64 {
    let seed = seed(20);
    let parameters = Parameters::totp(hash, Digits::new(10).unwrap(), Period::THIRTY);
    // No 31 bits make this code.
    let code = [Code::parse("9999999999").unwrap()];
    let steps = 200_000u32;
    let until = AT.plus(i64::from(steps) * 30);
    let drift = Drift { error_s: 0.0, rate_error_s_per_day: 0.0, ..Drift::unmeasured(AT) };
    let time = best(20, || When::new(&seed, &parameters, drift, &code, AT, until).unwrap().count());
    f64::from(steps) / time.as_secs_f64()
}

fn totp_rs(algorithm: totp_rs::Algorithm) -> f64 {
    let totp = totp_rs::TOTP::new_unchecked(algorithm, 8, 1, 30, seed(20).expose().to_vec());
    let codes = 50_000u32;
    let time = best(20, || (0..u64::from(codes)).fold(0, |sum, step| sum + totp.generate(step * 30).len()));
    f64::from(codes) / time.as_secs_f64()
}

fn one_diagnosis(codes: &[&str], hash: Hash) -> Duration {
    let seed = seed(20);
    let parameters = Parameters::totp(hash, Digits::SIX, Period::THIRTY);
    let codes: Vec<Code> = codes.iter().map(|text| Code::parse(text).unwrap()).collect();
    best(10, || {
        let evidence = Evidence::new(codes.clone(), Read::Last(AT)).unwrap();
        diagnose(&Known::bare(&seed, parameters), &evidence, Windows::default(), &mut std::iter::empty())
            .unwrap()
    })
}

const TOKENS: u32 = 100_000;

/// The seeds as they rest: each sealed under one key, its number as associated data.
fn sealed() -> (XChaCha20Poly1305, Vec<Vec<u8>>) {
    let cipher = XChaCha20Poly1305::new(&[7; 32].into());
    let seal = |i: u32| cipher.encrypt(&nonce(i), owned(i).expose()).unwrap();
    let all = (0..TOKENS).map(seal).collect();
    (cipher, all)
}

fn nonce(i: u32) -> XNonce {
    let mut nonce = [0; 24];
    nonce[..4].copy_from_slice(&i.to_le_bytes());
    nonce.into()
}

fn owned(i: u32) -> Seed {
    Seed::new(
        (0..20u32).map(|k| (i.wrapping_mul(2_654_435_761) >> (k % 24)) as u8 ^ k as u8).collect::<Vec<_>>(),
    )
}

fn whose(cores: u32) -> Duration {
    let (cipher, sealed) = sealed();
    let parameters = Parameters::standard();
    let codes = [0, 30].map(|s| otp::code_at(&owned(77_777), &parameters, AT.plus(120 + s)).unwrap());
    let evidence = Evidence::new(codes.to_vec(), Read::First(AT)).unwrap();
    let whose = Whose::new(&evidence, 600, 0);
    let open = |i: u32| Candidate {
        serial: format!("{i:08}").parse().unwrap(),
        profile: Profile::ZERO,
        seed: Seed::new(cipher.decrypt(&nonce(i), &*sealed[i as usize]).unwrap()),
        parameters,
        drift: None,
    };
    best(8, || {
        let share = TOKENS.div_ceil(cores);
        let owners = thread::scope(|scope| {
            let parts: Vec<_> = (0..cores)
                .map(|core| {
                    let (whose, open) = (&whose, &open);
                    let part = core * share..((core + 1) * share).min(TOKENS);
                    scope.spawn(move || whose.search(part.map(open)))
                })
                .collect();
            parts.into_iter().map(|part| part.join().unwrap()).fold(Shard::default(), Shard::and).conclude()
        });
        assert_eq!(owners.matches[0].token.serial.as_str(), "00077777");
        assert_eq!(owners.matches.len(), 1);
    })
}

fn when_over_a_year() -> Duration {
    let seed = seed(20);
    let code = [Code::parse("123456").unwrap()];
    let year = AT.plus(365 * 86_400);
    let parameters = Parameters::standard();
    best(10, || When::new(&seed, &parameters, Drift::unmeasured(AT), &code, AT, year).unwrap().count())
}

fn main() {
    let cores = thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let million = |rate: f64| rate / 1e6;
    let (sha1, theirs1) = (inner_loop(Hash::Sha1), totp_rs(totp_rs::Algorithm::SHA1));
    let (sha256, theirs256) = (inner_loop(Hash::Sha256), totp_rs(totp_rs::Algorithm::SHA256));
    println!(
        "codes/s, one core, SHA-1     {:6.2} M   totp-rs {:5.2} M   {:.2} times (goal 3.5)",
        million(sha1),
        million(theirs1),
        sha1 / theirs1
    );
    println!(
        "codes/s, one core, SHA-256   {:6.2} M   totp-rs {:5.2} M   {:.2} times",
        million(sha256),
        million(theirs256),
        sha256 / theirs256
    );
    let all: f64 = thread::scope(|scope| {
        let running: Vec<_> = (0..cores).map(|_| scope.spawn(|| inner_loop(Hash::Sha1))).collect();
        running.into_iter().map(|one| one.join().unwrap()).sum()
    });
    println!("codes/s, {cores} cores, SHA-1    {:6.2} M", million(all));
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "diagnosis, two codes that nothing explains       {:7.2} ms (goal 50)",
        ms(one_diagnosis(&["123456", "654321"], Hash::Sha1))
    );
    println!(
        "diagnosis, one code that nothing explains well   {:7.2} ms (goal 50)",
        ms(one_diagnosis(&["123456"], Hash::Sha1))
    );
    println!(
        "diagnosis, SHA-256 on record                     {:7.2} ms (goal 50)",
        ms(one_diagnosis(&["123456", "654321"], Hash::Sha256))
    );
    println!("whose, 100,000 seeds, ±10 min, two codes, 1 core {:7.2} ms", ms(whose(1)));
    println!("whose, the same on {cores} cores, with decryption     {:7.2} ms (goal 600)", ms(whose(cores)));
    println!("when, one year, 6 digits, 30 s                   {:7.2} ms (goal 50)", ms(when_over_a_year()));
}
