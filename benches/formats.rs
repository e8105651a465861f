//! How fast seed files are read and written, all in one run, on the machine at hand: `cargo bench --bench formats`. PSKC is read
//! by python-pskc as well, from the same file (`scripts/setup test` installs it).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops where it cannot go on"
)]

use kiln::{
    domain::{Parameters, Profile, Seed, Serial},
    formats::{
        self, Cipher, FileSecret, SealWith,
        entra::SpellingOfInterval,
        out::{OutRow, Output, SuiteSpelling},
    },
};
use std::{
    fmt::Write as _,
    hint::black_box,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const LINES: u32 = 100_000;
/// Encrypted, a token takes twice the place, and a file of all of them would be longer than kiln takes.
const ENCRYPTED_LINES: u32 = 25_000;

/// The fastest of a few rounds: whatever else the machine does can only slow one down.
fn best<T>(mut work: impl FnMut() -> T) -> Duration {
    let once = |work: &mut dyn FnMut() -> T| {
        let start = Instant::now();
        black_box(work());
        start.elapsed()
    };
    (0..5).map(|_| once(&mut work)).min().unwrap()
}

fn seed(number: u32) -> [u8; 20] {
    let mut seed = [0x5A; 20];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    seed
}

fn serial(number: u32) -> String {
    format!("86596{number:08}")
}

fn entra() -> String {
    let mut text = String::from("upn,serial number,secret key,time interval,manufacturer,model\r\n");
    for number in 0..LINES {
        let secret = data_encoding::BASE32_NOPAD.encode(&seed(number));
        let _ = write!(text, "user{number}@example.com,{},{secret},30,Token2,C301-i\r\n", serial(number));
    }
    text
}

fn pskc(lines: u32) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <KeyContainer Version=\"1.0\" xmlns=\"urn:ietf:params:xml:ns:keyprov:pskc\">\n",
    );
    for number in 0..lines {
        let (serial, secret) = (serial(number), data_encoding::BASE64.encode(&seed(number)));
        let _ = write!(
            text,
            "  <KeyPackage>\n    <DeviceInfo>\n      <Manufacturer>Token2</Manufacturer>\n      <SerialNo>{serial}</SerialNo>\n\
             \x20   </DeviceInfo>\n    <Key Id=\"{serial}\" Algorithm=\"urn:ietf:params:xml:ns:keyprov:pskc:totp\">\n\
             \x20     <AlgorithmParameters>\n        <Suite>HMAC-SHA1</Suite>\n\
             \x20       <ResponseFormat Encoding=\"DECIMAL\" Length=\"6\"/>\n      </AlgorithmParameters>\n      <Data>\n\
             \x20       <Secret><PlainValue>{secret}</PlainValue></Secret>\n\
             \x20       <TimeInterval><PlainValue>30</PlainValue></TimeInterval>\n      </Data>\n    </Key>\n  </KeyPackage>\n"
        );
    }
    text + "</KeyContainer>\n"
}

fn told(what: &str, lines: u32, bytes: usize, time: Duration) {
    let per_second = f64::from(lines) / time.as_secs_f64();
    let mega = bytes as f64 / 1e6;
    println!("{what:<44} {:>8.3} s  {per_second:>10.0} a second  ({mega:.0} MB)", time.as_secs_f64());
}

fn ours(what: &str, text: &str) -> Duration {
    let read = || formats::parse(text.as_bytes(), None).unwrap();
    assert_eq!((read().lines.len(), read().bad.len()), (LINES as usize, 0));
    let time = best(read);
    told(what, LINES, text.len(), time);
    time
}

/// The time that python-pskc takes to read the file and hand out every seed. Its own start does not count.
fn python(file: &Path, lines: u32, password: Option<&str>) -> Option<Duration> {
    let seed_bytes = (lines * 20).to_string();
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python");
    let program = "import sys, time\nfrom pskc import PSKC\nstart = time.perf_counter()\nfile = PSKC(sys.argv[1])\n\
                   if sys.argv[3:]: file.encryption.derive_key(sys.argv[3])\n\
                   assert sum(len(key.secret) for key in file.keys) == int(sys.argv[2])\n\
                   print(time.perf_counter() - start)\n";
    let output =
        Command::new(python).args(["-c", program]).arg(file).arg(seed_bytes).args(password).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seconds: f64 = String::from_utf8(output.stdout).ok()?.trim().parse().ok()?;
    Some(Duration::from_secs_f64(seconds))
}

/// The same container as python-pskc encrypts it.
fn sealed(plain: &Path, to: &Path) -> Option<()> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python");
    let program = "import sys\nfrom pskc import PSKC\nfile = PSKC(sys.argv[1])\n\
                   file.encryption.setup_pbkdf2('bench', iterations=20000, algorithm='aes128-cbc')\nfile.write(sys.argv[2])\n";
    let status = Command::new(python).args(["-c", program]).arg(plain).arg(to).status().ok()?;
    status.success().then_some(())
}

fn compared(what: &str, lines: u32, bytes: usize, ours: Duration, theirs: Option<Duration>) {
    match theirs {
        Some(theirs) => {
            told(&format!("{what}, python-pskc"), lines, bytes, theirs);
            println!("{what}: {:.0} times as fast", theirs.as_secs_f64() / ours.as_secs_f64());
        }
        None => println!("{what}: python-pskc is not here; scripts/setup test installs it"),
    }
}

/// The same tokens as values, written: what an export does between opening the seeds and the file.
fn writing() {
    let users: Vec<String> = (0..LINES).map(|number| format!("user{number}@example.com")).collect();
    let seeds: Vec<Seed> = (0..LINES).map(|number| Seed::new(seed(number))).collect();
    let serials: Vec<Serial> = (0..LINES).map(|number| serial(number).parse().unwrap()).collect();
    let rows: Vec<OutRow<'_>> = users
        .iter()
        .zip(&seeds)
        .zip(&serials)
        .map(|((upn, seed), serial)| OutRow {
            serial,
            profile: Profile::ZERO,
            title: None,
            seed,
            parameters: Parameters::standard(),
            upn: Some(upn),
            issuer: None,
            account: None,
            manufacturer: "Token2",
            model: "C301-i",
        })
        .collect();
    for (what, output) in [
        ("Entra ID CSV, written", Output::EntraCsv(SpellingOfInterval::Current)),
        ("PSKC, written", Output::Pskc(SuiteSpelling::Usual)),
    ] {
        let write = || output.write(&rows).unwrap();
        told(what, LINES, write().len(), best(write));
    }
    let plain = Output::Pskc(SuiteSpelling::Usual).write(&rows).unwrap();
    let key = FileSecret::key(&"5a".repeat(32)).unwrap();
    // Its speed is measured, not its strength.
    let mut random = |buffer: &mut [u8]| buffer.fill(0x5A);
    let mut seal = || formats::seal_pskc(&plain, SealWith::Key(&key), Cipher::Strong, &mut random).unwrap();
    let bytes = seal().len();
    told("PSKC, encrypted", LINES, bytes, best(seal));
}

fn main() {
    println!("{LINES} tokens, best of five");
    writing();
    ours("Entra ID CSV", &entra());
    let text = pskc(LINES);
    let time = ours("PSKC", &text);
    let dir = tempfile::tempdir().unwrap();
    let (plain, encrypted) = (dir.path().join("plain.xml"), dir.path().join("encrypted.xml"));
    std::fs::write(&plain, &text).unwrap();
    compared("PSKC", LINES, text.len(), time, python(&plain, LINES, None));
    std::fs::write(&plain, pskc(ENCRYPTED_LINES)).unwrap();
    if sealed(&plain, &encrypted).is_some() {
        let bytes = std::fs::read(&encrypted).unwrap();
        let secret = FileSecret::passphrase("bench");
        let open = || formats::parse(&formats::unseal(&bytes, &secret).unwrap(), None).unwrap();
        assert_eq!(open().lines.len(), ENCRYPTED_LINES as usize);
        let time = best(open);
        let what = format!("encrypted PSKC, {ENCRYPTED_LINES} tokens");
        told(&what, ENCRYPTED_LINES, bytes.len(), time);
        let theirs = python(&encrypted, ENCRYPTED_LINES, Some("bench"));
        compared(&what, ENCRYPTED_LINES, bytes.len(), time, theirs);
    }
}
