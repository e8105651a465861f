//! Seed files that other software wrote: python-pskc, privacyIDEA's own exporter, ykman (`scripts/setup test` installs
//! them). Each is read to the values that went into it, and so is every change of its form that keeps its meaning; every
//! change that doesn't is refused, or told.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use kiln::{
    domain::{Mode, Seed},
    formats::{self, FileSecret, Format, OpensWith, Parsed, UnsealError},
};
use serde_json::Value;
use std::{fs, path::Path, process::Command, sync::OnceLock};
use tempfile::TempDir;

struct Made {
    dir: TempDir,
    files: Vec<Value>,
}

impl Made {
    fn bytes(&self, file: &Value) -> Vec<u8> {
        fs::read(self.dir.path().join(name(file))).expect("it was written")
    }
}

/// The files, made once.
fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/python/bin/python");
        assert!(python.exists(), "{} is not there; `scripts/setup test` installs it", python.display());
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let output = Command::new(python)
            .arg(root.join("tests/foreign/files.py"))
            .arg(dir.path())
            .output()
            .expect("python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let files = serde_json::from_slice(&output.stdout).expect("it prints JSON");
        Made { dir, files }
    })
}

fn name(file: &Value) -> &str {
    file["file"].as_str().unwrap()
}

fn secret(file: &Value) -> Option<FileSecret> {
    let key = file["key"].as_str().map(|key| FileSecret::key(key).unwrap());
    key.or_else(|| file["passphrase"].as_str().map(FileSecret::passphrase))
}

/// The plain form, and a look at whether it had to be made.
fn plain(file: &Value, bytes: &[u8]) -> Vec<u8> {
    match secret(file) {
        Some(secret) => {
            let with = if file["key"].is_string() { OpensWith::PreSharedKey } else { OpensWith::Passphrase };
            assert_eq!(formats::sealed(bytes), Some((Format::Pskc, with)), "{}", name(file));
            formats::unseal(bytes, &secret).unwrap_or_else(|error| panic!("{}: {error}", name(file))).to_vec()
        }
        None => {
            assert_eq!(formats::sealed(bytes), None, "{}", name(file));
            bytes.to_vec()
        }
    }
}

#[track_caller]
fn assert_holds(file: &Value, parsed: &Parsed, what: &str) {
    let tokens = file["tokens"].as_array().unwrap();
    assert_eq!(parsed.format.word(), file["format"], "{}, {what}", name(file));
    assert_eq!((parsed.lines.len(), &parsed.bad[..]), (tokens.len(), &[][..]), "{}, {what}", name(file));
    for (line, token) in parsed.lines.iter().zip(tokens) {
        let what = format!("{}, {what}, {}", name(file), token["serial"]);
        assert_eq!(line.serial.as_ref().unwrap().as_str(), token["serial"], "{what}");
        let seed = data_encoding::HEXLOWER.decode(token["seed"].as_str().unwrap().as_bytes()).unwrap();
        assert!(line.seed.same_as(&Seed::new(seed)), "{what}");
        assert_eq!(line.stated.hash.unwrap().uri_name(), token["hash"], "{what}");
        let parameters = line.stated.or_standard();
        assert_eq!(u64::from(parameters.digits.get()), token["digits"].as_u64().unwrap(), "{what}");
        match parameters.mode {
            Mode::Totp { period, .. } => {
                assert_eq!(
                    (Some(u64::from(period.as_secs())), token["counter"].as_u64()),
                    (token["period"].as_u64(), None)
                );
            }
            Mode::Hotp { counter } => assert_eq!(Some(counter), token["counter"].as_u64(), "{what}"),
        }
    }
}

#[test]
fn what_others_wrote_is_read_to_the_values_that_went_in() {
    assert!(made().files.len() >= 10);
    for file in &made().files {
        let bytes = plain(file, &made().bytes(file));
        assert_holds(
            file,
            &formats::parse(&bytes, None).unwrap_or_else(|e| panic!("{}: {e}", name(file))),
            "as it is",
        );
    }
}

#[test]
fn a_change_of_form_changes_nothing() {
    for file in &made().files {
        let text = String::from_utf8(made().bytes(file)).unwrap();
        let units: Vec<u16> =
            text.replace("encoding=\"UTF-8\"", "encoding=\"UTF-16\"").encode_utf16().collect();
        let le = units.iter().flat_map(|unit| unit.to_le_bytes());
        for (what, bytes) in [
            ("CRLF", text.replace('\n', "\r\n").into_bytes()),
            ("byte-order mark", ["\u{FEFF}", &text].concat().into_bytes()),
            ("UTF-16", [0xFF, 0xFE].into_iter().chain(le).collect()),
            ("blank lines", ["\n\n", &text, "\n \n"].concat().into_bytes()),
        ] {
            assert_holds(file, &formats::parse(&plain(file, &bytes), None).unwrap(), what);
        }
    }
}

/// At each of many places: an error with a remedy, and never a token with another seed.
#[test]
fn a_truncated_file_gives_no_other_seed() {
    for file in &made().files {
        let bytes = made().bytes(file);
        let whole = formats::parse(&plain(file, &bytes), None).unwrap();
        let end_of_content = String::from_utf8_lossy(&bytes).trim_end().len();
        for end in (0..end_of_content).step_by(bytes.len() / 97 + 1) {
            let cut = &bytes[..end];
            let opened = match (secret(file), formats::sealed(cut)) {
                (Some(secret), Some(_)) => formats::unseal(cut, &secret).ok().map(|plain| plain.to_vec()),
                _ => Some(cut.to_vec()),
            };
            let Some(Ok(parsed)) = opened.map(|plain| formats::parse(&plain, None)) else { continue };
            assert_eq!(
                parsed.format,
                Format::YubicoCsv,
                "{} cut at {end}: XML shows that it is cut",
                name(file)
            );
            let known = |seed: &Seed| whole.lines.iter().any(|line| line.seed.same_as(seed));
            assert!(parsed.lines.iter().all(|line| known(&line.seed)), "{} cut at {end}", name(file));
        }
    }
}

#[test]
fn a_wrong_secret_opens_nothing() {
    for file in made().files.iter().filter(|file| secret(file).is_some()) {
        let bytes = made().bytes(file);
        let length = file["key"].as_str().map_or(32, str::len);
        for wrong in
            [FileSecret::key(&"5a".repeat(length / 2)).unwrap(), FileSecret::passphrase("correct house")]
        {
            assert_eq!(formats::unseal(&bytes, &wrong).unwrap_err(), UnsealError::Wrong, "{}", name(file));
        }
    }
}

/// Each base64 text of the file in turn has one character changed. What decides the seed or guards it must be noticed.
#[test]
fn no_changed_value_passes_its_mac() {
    for file in made().files.iter().filter(|file| secret(file).is_some()) {
        let text = String::from_utf8(made().bytes(file)).unwrap();
        let mut changed = 0;
        for element in ["CipherValue>", "ValueMAC>", "ciphervalue>", "valuemac>"] {
            for (at, _) in
                text.match_indices(element).filter(|(at, _)| text[..*at].rfind("</") < text[..*at].rfind('<'))
            {
                let start = at + element.len();
                let Some(offset) = text[start..].find(|c: char| c.is_ascii_alphanumeric()) else { continue };
                let place = start + offset + 2;
                let other = if &text[place..=place] == "A" { "B" } else { "A" };
                let damaged = [&text[..place], other, &text[place + 1..]].concat();
                let result = formats::unseal(damaged.as_bytes(), &secret(file).unwrap());
                assert!(
                    matches!(result, Err(UnsealError::Changed { .. } | UnsealError::Wrong)),
                    "{} at {place}: {result:?}",
                    name(file)
                );
                changed += 1;
            }
        }
        assert!(changed >= 11, "{}: only {changed}", name(file));
    }
}

/// Entities, junk and a file that is no end of elements: refused at once.
#[test]
fn bombs_and_junk_are_refused() {
    let file = &made().files[0];
    let text = String::from_utf8(made().bytes(file)).unwrap();
    let bomb = "<!DOCTYPE b [<!ENTITY a \"0123456789\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]>";
    let (declaration, rest) = text.split_once("?>").unwrap();
    let with_bomb = format!("{declaration}?>{bomb}{}", rest.replacen("oath.KT", "&c;", 1));
    let without_type = text.replacen("oath.KT", "&c;", 1);
    let nested = text.replacen("<pskc:Data>", &"<pskc:Data>".repeat(200_000), 1);
    let wide = text.replacen("<pskc:Data>", &format!("<pskc:Data>{}", "<x/>".repeat(1_000_000)), 1);
    for (what, text) in [("bomb", with_bomb), ("entity", without_type), ("nested", nested), ("wide", wide)] {
        let error = formats::parse(text.as_bytes(), None).unwrap_err();
        assert!(matches!(error, formats::FileError::Xml(_)), "{what}: {error}");
    }
    let junk = vec![b'x'; 100 << 20];
    assert!(matches!(formats::parse(&junk, None), Err(formats::FileError::TooLarge { .. })));
    assert_eq!(formats::sealed(&junk), None);
}
