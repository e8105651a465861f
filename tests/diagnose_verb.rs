//! `kiln diagnose` on a seed from standard input, from arguments to what it prints and its exit status.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/oathtool.rs"]
mod oathtool;

use clap::Parser;
use kiln::{
    cli::{Exit, Io, diagnose},
    domain::{Catalog, Clock, ClockState, UnixMillis},
};
use serde_json::Value;

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    diagnose: diagnose::DiagnoseArgs,
}

/// 2026-03-04T12:00:10Z.
const NOW: u64 = 1_772_625_610;
const SEED: &str = "CZU6XXGHCCGCOL6YO3WW472WEWB34FVJ";

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> UnixMillis {
        UnixMillis(NOW as i64 * 1000 + 999)
    }
    fn state(&self) -> ClockState {
        ClockState::Simulated
    }
}

struct Ran {
    out: String,
    err: String,
    exit: Exit,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }
}

fn given(input: &str, args: &[&str]) -> Ran {
    let words = ["diagnose"].into_iter().chain(args.iter().copied());
    let parsed = match CommandLine::try_parse_from(words) {
        Ok(parsed) => parsed,
        Err(error) => return Ran { out: String::new(), err: error.to_string(), exit: Exit::Usage },
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut input = input.as_bytes();
    let mut io = Io {
        out: &mut out,
        err: &mut err,
        input: &mut input,
        prompt: None,
        out_is_terminal: false,
        colour: false,
        clock: &Stopped,
    };
    let exit = match diagnose::run(&parsed.diagnose, &Catalog::built_in(), &mut io) {
        Ok(exit) => exit,
        Err(error) => io.fail(&error),
    };
    Ran { out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap(), exit }
}

fn code(hash: &str, digits: u32, period: u32, at: u64) -> String {
    oathtool::code(SEED, hash, digits, period, at)
}

/// The codes of two successive steps of 30 s, the second shown at `at`.
fn two(at: u64) -> [String; 2] {
    [at - 30, at].map(|at| code("sha1", 6, 30, at))
}

#[test]
fn a_right_code_is_ok_and_status_0() {
    let ran = given(SEED, &["--secret", "-", "--json", &code("sha1", 6, 30, NOW)]);
    assert_eq!(ran.exit, Exit::Done);
    let json = ran.json();
    let first = &json["findings"][0];
    assert_eq!(first["causes"], serde_json::json!(["ok"]));
    assert!(first["posterior"].as_f64().unwrap() > 0.99 && first["accidental"].as_f64().unwrap() < 1e-5);
    assert_eq!(first["offset"], serde_json::json!({"steps": 0, "seconds": 0}));
    assert_eq!(json["ask_another_code"], false);
}

#[test]
fn every_finding_has_the_fields_that_scripts_read() {
    let [a, b] = two(NOW + 3_600);
    let json = given(SEED, &["--secret", "-", "--json", &a, &b]).json();
    for finding in json["findings"].as_array().unwrap() {
        for field in
            ["causes", "equivalent", "posterior", "accidental", "parameters", "offset", "token", "remedy"]
        {
            assert!(finding.get(field).is_some(), "{field} is missing in {finding}");
        }
    }
    let first = &json["findings"][0];
    assert_eq!(first["causes"], serde_json::json!(["zone"]));
    assert!(first["equivalent"].as_array().unwrap().contains(&"drift".into()), "{first}");
    assert!(first["tie_break"].is_string());
    assert_eq!(first["offset"]["seconds"], 3_600);
}

#[test]
fn codes_end_now_or_begin_at_the_stated_time() {
    let [a, b] = two(NOW);
    assert_eq!(given(SEED, &["--secret", "-", &a, &b]).exit, Exit::Done);
    let first_at = (NOW - 30).to_string();
    assert_eq!(given(SEED, &["--secret", "-", &a, &b, "--at", &first_at]).exit, Exit::Done);
    let ran = given(SEED, &["--secret", "-", "--json", &a, &b, "--at", &NOW.to_string()]);
    assert_eq!(ran.exit, Exit::No);
    assert_eq!(ran.json()["findings"][0]["causes"][0], "late");
}

#[test]
fn the_parameters_of_a_key_uri_are_what_is_recorded() {
    let uri = format!("otpauth://totp/x:y?secret={SEED}&algorithm=SHA256&digits=8&period=60");
    let right = code("sha256", 8, 60, NOW);
    assert_eq!(given(&uri, &["--uri", "-", &right]).exit, Exit::Done);
    let [a, b] = [0, 60].map(|s| code("sha1", 8, 60, NOW + s));
    let ran = given(&uri, &["--uri", "-", "--json", &a, &b, "--at", &NOW.to_string()]);
    let first = &ran.json()["findings"][0];
    assert_eq!(first["causes"], serde_json::json!(["hash"]), "{first}");
    assert_eq!(first["parameters"]["hash"], "SHA1");
}

#[test]
fn a_person_reads_what_is_wrong_how_sure_and_what_to_do() {
    let [a, b] = two(NOW - 600);
    let ran = given(SEED, &["--secret", "-", "--target", "privacyidea", &a, &b]);
    assert_eq!(ran.exit, Exit::No);
    assert!(ran.out.starts_with("the token's clock is 10 min behind\n"), "{}", ran.out);
    assert!(
        ran.out.contains("how sure    over 99.9 %")
            && ran.out.contains("at privacyIDEA (Tokens > the serial)"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("searched:"));
    let report = given(SEED, &["--secret", "-", "--report", &a, &b]).out;
    assert!(report.contains("drift") && !report.contains(&a) && !report.contains(SEED), "{report}");
}

#[test]
fn what_nothing_explains_is_status_1_and_says_what_was_searched() {
    let ran = given(SEED, &["--secret", "-", "123456", "654321"]);
    assert_eq!(ran.exit, Exit::No);
    assert!(ran.out.starts_with("nothing explains this\nask for another code: "), "{}", ran.out);
    assert!(ran.out.contains("clock errors up to 60 minutes"));
    let wider = given(SEED, &["--secret", "-", "--wider", "2", "123456", "654321"]);
    assert!(wider.out.contains("clock errors up to 2 hours"), "{}", wider.out);
}

#[test]
fn a_display_without_a_code_has_reasons() {
    let ran = given(SEED, &["--secret", "-", "--shows", "dashes", "--json"]);
    assert_eq!(ran.exit, Exit::No);
    assert_eq!(ran.json()["findings"][0]["causes"], serde_json::json!(["no-seed"]));
    assert_eq!(given(SEED, &["--secret", "-", "--shows", "stars"]).exit, Exit::Usage);
}

#[test]
fn what_cannot_be_asked_says_what_to_do() {
    for (input, args, part) in [
        (SEED, &["--secret", "-", "12345x"][..], "-> give the digits"),
        (SEED, &["123456"], "-> name the token with --token"),
        (SEED, &["--secret", "-", "--target", "nowhere", "123456"], "-> name a file of"),
        ("", &["--secret", "-", "123456"], "-> scan, paste or type"),
        (SEED, &["--secret", "-"], "<CODE>"),
    ] {
        let ran = given(input, args);
        assert_eq!((ran.exit, ran.out.as_str()), (Exit::Usage, ""), "{args:?}");
        assert!(ran.err.contains(part) && !ran.err.contains(SEED), "{args:?}: {}", ran.err);
    }
}
