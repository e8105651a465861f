//! What kiln writes, read by software that others wrote: python-pskc, privacyIDEA's own importer, pskctool, Python's csv,
//! zbarimg. What they read is what went in, and `oathtool` computes from it the codes that the tokens show.
//! `scripts/setup test` installs them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/oathtool.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod oathtool;

use kiln::{
    domain::{Digits, Hash, Mode, Parameters, Period, Profile, Seed, Serial, UnixTime, otp, seed_text},
    formats::{
        Cipher, FileSecret, SealWith,
        entra::SpellingOfInterval,
        out::{
            OutRow, Output, SuiteSpelling,
            label::{self, Label, Paper, Scan},
        },
        seal_pskc,
    },
};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};
use tempfile::TempDir;

struct Token {
    serial: Serial,
    seed: Seed,
    parameters: Parameters,
    upn: String,
}

/// Each hash with the length that privacyIDEA's CSV takes for it, both lengths of code, both periods, counters.
fn tokens() -> Vec<Token> {
    let totp = |hash, digits: u64, period: u64| {
        Parameters::totp(hash, Digits::new(digits).unwrap(), Period::from_secs(period).unwrap())
    };
    let hotp = |digits: u64, counter| Parameters {
        hash: Hash::Sha1,
        digits: Digits::new(digits).unwrap(),
        mode: Mode::Hotp { counter },
    };
    [
        (totp(Hash::Sha1, 6, 30), 20),
        (totp(Hash::Sha1, 8, 60), 20),
        (totp(Hash::Sha256, 6, 30), 32),
        (totp(Hash::Sha512, 8, 60), 64),
        (hotp(6, 0), 20),
        (hotp(8, 123_456), 20),
        (totp(Hash::Sha1, 6, 60), 10),
    ]
    .into_iter()
    .zip(0u8..)
    .map(|((parameters, length), number)| Token {
        serial: format!("0865900000{number:04}").parse().unwrap(),
        seed: Seed::new(
            (0..length).map(|byte: u8| byte.wrapping_mul(7) ^ (number * 13 + 1)).collect::<Vec<u8>>(),
        ),
        parameters,
        upn: format!("user{number}@example.com"),
    })
    .collect()
}

fn row(token: &Token) -> OutRow<'_> {
    OutRow {
        serial: &token.serial,
        profile: Profile::ZERO,
        title: Some("Büro & Co"),
        seed: &token.seed,
        parameters: token.parameters,
        upn: Some(&token.upn),
        issuer: Some("Kiln <Test>"),
        account: None,
        manufacturer: "Token2",
        model: "C302-i",
    }
}

/// Those of `tokens` that the format can carry, and their file.
fn written<'t>(output: &Output, tokens: &'t [Token]) -> (Vec<&'t Token>, Vec<u8>) {
    let fitting: Vec<&Token> = tokens.iter().filter(|token| output.against(&row(token)).is_empty()).collect();
    let rows: Vec<OutRow<'_>> = fitting.iter().map(|token| row(token)).collect();
    let file = output.write(&rows).unwrap().to_vec();
    (fitting, file)
}

/// Counts up: nothing here is secret.
fn random() -> impl FnMut(&mut [u8]) {
    let mut next = 1u8;
    move |buffer| {
        for byte in buffer {
            *byte = next;
            next = next.wrapping_mul(5).wrapping_add(3);
        }
    }
}

const AT: u64 = 1_767_323_045;

/// The code by somebody else's arithmetic of what somebody else read, and ours of what went in.
#[track_caller]
fn assert_same_code(read: &Value, token: &Token) {
    let seed = data_encoding::HEXLOWER.decode(read["seed"].as_str().unwrap().as_bytes()).unwrap();
    let base32 = data_encoding::BASE32_NOPAD.encode(&seed);
    let digits = u32::try_from(read["digits"].as_u64().unwrap()).unwrap();
    let ours = otp::code_at(&token.seed, &token.parameters, UnixTime(AT.try_into().unwrap())).unwrap();
    let theirs = match (read["period"].as_u64(), read["counter"].as_u64()) {
        (Some(period), _) => {
            let hash = read["hash"].as_str().unwrap();
            oathtool::code(&base32, hash, digits, u32::try_from(period).unwrap(), AT)
        }
        (None, counter) => oathtool::counted(&base32, digits, counter.unwrap_or(0)),
    };
    assert_eq!(theirs, ours.as_str(), "{}", token.serial);
}

#[test]
fn others_read_what_went_in_and_compute_its_codes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/python/bin/python");
    assert!(python.exists(), "{} is not there; `scripts/setup test` installs it", python.display());
    let dir = TempDir::new().unwrap();
    let tokens = tokens();
    let mut files = Vec::new();
    let mut expected = Vec::new();
    let mut put = |name: &str, reader: &str, content: &[u8], holds: &[&Token], secret: Value| {
        fs::write(dir.path().join(name), content).unwrap();
        let mut file = json!({ "file": name, "as": reader });
        for (key, value) in secret.as_object().into_iter().flatten() {
            file[key] = value.clone();
        }
        files.push(file);
        let serials: Vec<Serial> = holds.iter().map(|token| token.serial.clone()).collect();
        expected.push((format!("{name} by {reader}"), serials));
    };
    for (spelling, readers) in [
        (SuiteSpelling::Usual, &["pskc"][..]),
        (SuiteSpelling::PrivacyIdea, &["pskc", "privacyidea-pskc"][..]),
    ] {
        let (holds, plain) = written(&Output::Pskc(spelling), &tokens);
        assert_eq!(holds.len(), tokens.len(), "PSKC carries all of them");
        let cipher = match spelling {
            SuiteSpelling::Usual => Cipher::Strong,
            SuiteSpelling::PrivacyIdea => Cipher::Old,
        };
        let hex = "5a".repeat(if cipher == Cipher::Strong { 32 } else { 16 });
        let key = FileSecret::key(&hex).unwrap();
        let by_key = seal_pskc(&plain, SealWith::Key(&key), cipher, &mut random()).unwrap();
        let password = FileSecret::passphrase("correct horse");
        let by_password =
            seal_pskc(&plain, SealWith::Password(&password, 2000), cipher, &mut random()).unwrap();
        for reader in readers {
            put(&format!("plain-{spelling:?}.xml"), reader, &plain, &holds, json!({}));
            put(&format!("key-{spelling:?}.xml"), reader, &by_key, &holds, json!({ "key": hex }));
            let secret = json!({ "password": "correct horse" });
            put(&format!("password-{spelling:?}.xml"), reader, &by_password, &holds, secret);
        }
    }
    let okta = Output::OktaCsv { encoding: seed_text::Encoding::Base32, factor_profile: Some("fp,1".into()) };
    for (output, name, reader, fit) in [
        (Output::EntraCsv(SpellingOfInterval::Current), "entra.csv", "csv", 2),
        (okta, "okta.csv", "csv", 5),
        (Output::PrivacyIdeaCsv, "privacyidea.csv", "privacyidea-csv", 7),
    ] {
        let (holds, content) = written(&output, &tokens);
        assert_eq!(holds.len(), fit, "{output}");
        put(name, reader, &content, &holds, json!({}));
    }
    fs::write(dir.path().join("files.json"), serde_json::to_vec(&files).unwrap()).unwrap();
    let script = root.join("tests/foreign/read_exports.py");
    let output = Command::new(python).arg(script).arg(dir.path()).output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (what, serials) in &expected {
        let read = said[what].as_array().unwrap_or_else(|| panic!("{what}: {said}"));
        assert_eq!(read.len(), serials.len(), "{what}");
        for (read, serial) in read.iter().zip(serials) {
            let token = tokens.iter().find(|token| token.serial == *serial).unwrap();
            assert_eq!(read["serial"], serial.as_str(), "{what}");
            assert_eq!(read["seed"], *seed_text::hex(&token.seed), "{what}, {serial}");
            if let Some(user) = read["user"].as_str() {
                assert_eq!(user, token.upn, "{what}, {serial}");
            }
            assert_same_code(read, token);
        }
    }
}

/// oath-toolkit's own reader checks a container against the standard's schema, too, where its catalog is installed.
#[test]
fn pskctool_reads_the_container() {
    let dir = TempDir::new().unwrap();
    let tokens = tokens();
    let (holds, plain) = written(&Output::Pskc(SuiteSpelling::Usual), &tokens);
    let file = dir.path().join("plain.xml");
    fs::write(&file, &plain).unwrap();
    let output = Command::new("pskctool")
        .args(["--info", "--verbose"])
        .arg(&file)
        .output()
        .unwrap_or_else(|error| panic!("pskctool can't be run ({error}); `make test` installs it"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for token in holds {
        let hex = seed_text::hex(&token.seed);
        assert!(said.contains(token.serial.as_str()), "{said}");
        let base64 = seed_text::base64(&token.seed);
        assert!(said.contains(&hex[..]) || said.contains(&base64[..]), "{}: {said}", token.serial);
    }
}

/// A drawing as a picture, by librsvg.
fn picture(svg: &str, to: &Path) {
    let from = to.with_extension("svg");
    fs::write(&from, svg).unwrap();
    let status = Command::new("rsvg-convert")
        .args(["--dpi-x", "300", "--dpi-y", "300", "--background-color", "white", "-o"])
        .args([to, &from])
        .status()
        .unwrap_or_else(|error| panic!("rsvg-convert can't be run ({error}); `make test` installs it"));
    assert!(status.success());
}

/// What zbarimg finds in a picture, one text for each code.
fn scanned(picture: &Path) -> Vec<String> {
    let output = Command::new("zbarimg")
        .args(["--quiet", "--raw"])
        .arg(picture)
        .output()
        .unwrap_or_else(|error| panic!("zbarimg can't be run ({error}); `make test` installs it"));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_scanner_reads_the_labels() {
    let dir = TempDir::new().unwrap();
    let serials: Vec<Serial> = ["86596100000001", "8659610000002", "AB-0012", "0012345678901", "7"]
        .map(|s| s.parse().unwrap())
        .into();
    let titles = [(Profile::ZERO, "Office 365"), (Profile::new(1), "VPN")];
    for (scan, name) in [(Scan::Code128, "bars"), (Scan::Qr, "qr")] {
        let labels: Vec<Label<'_>> = serials
            .iter()
            .map(|serial| Label {
                serial,
                model: "Molto2 v2",
                user: Some("ann@example.com"),
                titles: &titles,
            })
            .collect();
        let svg = String::from_utf8(label::write(&labels, scan, Paper::Svg)).unwrap();
        let file = dir.path().join(format!("{name}.png"));
        picture(&svg, &file);
        let mut found = scanned(&file);
        found.sort();
        found.dedup();
        let mut expected: Vec<String> = serials.iter().map(ToString::to_string).collect();
        expected.sort();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_phone_reads_the_sheet_of_qr_codes() {
    let dir = TempDir::new().unwrap();
    let tokens = tokens();
    let (holds, page) = written(&Output::QrSheet, &tokens);
    let page = String::from_utf8(page).unwrap();
    assert_eq!(holds.len(), tokens.len());
    let drawings: Vec<&str> =
        page.split("<svg").skip(1).map(|rest| rest.split_once("</svg>").unwrap().0).collect();
    assert_eq!(drawings.len(), tokens.len());
    for (number, (drawing, token)) in drawings.iter().zip(&holds).enumerate() {
        let file = dir.path().join(format!("{number}.png"));
        picture(&format!("<svg width=\"60mm\" height=\"60mm\"{drawing}</svg>"), &file);
        let found = scanned(&file);
        assert_eq!(found, [row(token).key_uri().to_string()], "{}", token.serial);
    }
}
