//! A rejected code at a real station, over its socket: what operators are told, and what those who only look on.

mod support;

use serde_json::Value;
use std::time::Duration;
use support::{
    kiln::{Run, Station},
    namespace::isolated,
    oathtool,
    scene::Scene,
    seed_file::{self, Line},
};

const LIMIT: Duration = Duration::from_secs(120);

/// A station that has these tokens on record as delivered.
struct Desk {
    scene: Scene,
    _station: Station,
    lines: Vec<Line>,
    /// The first second of the step in which the station started.
    at: u64,
}

impl Desk {
    fn new() -> Self {
        let scene = Scene::new();
        let station = scene.start(&[]);
        let now = scene.json(&["clock"])["now"].as_u64().expect("milliseconds since 1970") / 1_000;
        let lines: Vec<Line> =
            (1..=3).map(|n| Line::new(n, &format!("8659610000000{n}"), "C301-i")).collect();
        Self { scene, _station: station, lines, at: now / 30 * 30 }
    }

    fn import(&self) {
        let file = self.scene.kiln.write("seeds.csv", seed_file::entra(&self.lines));
        self.scene.run(&["import", &file.display().to_string(), "--inventory"]);
    }

    /// The codes that token `n` showed from `late` seconds ago, two of them.
    fn codes(&self, n: usize, late: u64) -> [String; 2] {
        [0, 30].map(|s| oathtool::code(&self.lines[n].base32(), "sha1", 6, 30, self.at - late + s))
    }

    fn ask(&self, args: &[&str]) -> Run {
        self.scene.kiln.run(args)
    }

    /// As somebody who only looks on; the server holds `--read-only` against the caller, as it does the role.
    fn look_on(&self, args: &[&str]) -> Run {
        self.scene.kiln.run(&[args, &["--read-only", "--json"]].concat())
    }
}

#[test]
fn those_who_look_on_hear_what_is_no_accident_ten_times_in_ten_minutes() {
    isolated("those_who_look_on_hear_what_is_no_accident_ten_times_in_ten_minutes", LIMIT, || {
        let desk = Desk::new();
        desk.import();
        let serial = desk.lines[0].serial.as_str();
        let at = desk.at.to_string();
        let first = |json: &Value| json["findings"][0]["causes"][0].as_str().map(str::to_owned);

        // One code as recorded is told, and so are two of a clock that is off.
        let [right, _] = desk.codes(0, 0);
        let told = desk.look_on(&["diagnose", "--token", serial, &right, "--at", &at]).expect(0).json();
        assert_eq!(first(&told).as_deref(), Some("ok"));
        let [a, b] = desk.codes(0, 600);
        let told = desk.look_on(&["diagnose", "--token", serial, &a, &b, "--at", &at]).expect(1).json();
        assert_eq!(first(&told).as_deref(), Some("drift"), "{told}");
        assert_eq!(told["findings"][0]["offset"]["seconds"], -600);
        // One code far from the record is not: typing numbers would collect codes that are still to come.
        let told = desk.look_on(&["diagnose", "--token", serial, &a, "--at", &at]).expect(1).json();
        assert_eq!(
            (&told["findings"], &told["ask_another_code"]),
            (&Value::Array(vec![]), &Value::Bool(true))
        );
        assert!(told["withheld"].as_u64().is_some_and(|n| n >= 1), "{told}");
        let whole = desk.ask(&["diagnose", "--token", serial, &a, "--at", &at, "--json"]).expect(1).json();
        assert!(whole["findings"].as_array().is_some_and(|all| !all.is_empty()), "an operator hears it all");
        // The same of the inventory: one code is kept back, two are told.
        let told = desk.look_on(&["whose", &a, "--at", &at]).expect(1).json();
        assert_eq!(
            (told["matches"].as_array().map(Vec::len), &told["withheld"]),
            (Some(0), &1.into()),
            "{told}"
        );
        let told = desk.look_on(&["whose", &a, &b, "--at", &at]).expect(0).json();
        assert_eq!(told["matches"][0]["token"]["serial"], serial);
        // Codes that are still to come are nobody's but an operator's.
        let soon = (desk.at + 86_400).to_string();
        let refused = desk.look_on(&["when", serial, &right, "--until", &soon]).expect(2);
        assert!(
            refused.stderr.contains("still to come") && refused.stderr.contains("-> "),
            "{}",
            refused.stderr
        );
        desk.ask(&["when", serial, &right, "--until", &soon]).expect(0);
        let told = desk.look_on(&["when", serial, &right]).expect(0).json();
        assert_eq!(told["times"].as_array().map(Vec::len), Some(1), "{told}");

        // Six searches were made; what was refused did not count. Four are left.
        for _ in 0..4 {
            desk.look_on(&["diagnose", "--token", serial, &right, "--at", &at]).expect(0);
        }
        for args in [
            &["diagnose", "--token", serial, &right, "--at", &at][..],
            &["diagnose", "--token", serial, "--shows", "dashes"],
            &["whose", &a, &b],
            &["when", serial, &right],
        ] {
            let refused = desk.look_on(args).expect(3);
            assert!(
                refused.stderr.contains("10 searches in the last 10 minutes")
                    && refused.stderr.contains("-> ask again in ")
                    && refused.stdout.is_empty(),
                "{}",
                refused.stderr
            );
        }
        desk.ask(&["diagnose", "--token", serial, &right, "--at", &at]).expect(0);

        // Each of them is on record with who asked and as what, and the refusal once.
        let log = desk.scene.json(&["audit", "show"]);
        let entries = log["items"].as_array().expect("a page");
        let count = |what: &str, role: &str| {
            let of = |entry: &&Value| {
                entry["what"] == what && entry["detail"].as_str().is_some_and(|detail| detail.contains(role))
            };
            entries.iter().filter(of).count()
        };
        let observer = "\"role\":\"observer\"";
        assert_eq!(
            [
                count("code diagnosed", observer),
                count("inventory searched", observer),
                count("code dated", observer)
            ],
            [7, 2, 1]
        );
        assert_eq!(count("search refused", ""), 1);
        assert!(count("code diagnosed", "\"role\":\"operator\"") >= 2);

        // Without the vault nobody searches.
        desk.scene.run(&["lock"]);
        for args in
            [&["diagnose", "--token", serial, &right][..], &["whose", &right], &["when", serial, &right]]
        {
            let locked = desk.ask(args).expect(3);
            assert!(locked.stderr.contains("kiln unlock"), "{}", locked.stderr);
        }
    });
}

#[test]
fn a_wrong_code_at_verify_opens_the_diagnosis() {
    isolated("a_wrong_code_at_verify_opens_the_diagnosis", LIMIT, || {
        let desk = Desk::new();
        desk.import();
        let (own, other) = (desk.lines[0].serial.as_str(), desk.lines[1].serial.as_str());
        let [a, b] = desk.codes(1, 0);
        let wrong = desk.ask(&["verify", own, &a, &b]).expect(1);
        assert!(wrong.stdout.starts_with(&format!("{own}: wrong")), "{}", wrong.stdout);
        assert!(
            wrong.stdout.contains(&format!("the token's seed is that of token {other}")),
            "{}",
            wrong.stdout
        );
        assert!(wrong.stdout.contains("\n  do          read the serial on the token"), "{}", wrong.stdout);
        let json = desk.ask(&["verify", own, &a, &b, "--json"]).expect(1).json();
        assert_eq!(json["diagnosis"]["findings"][0]["causes"][0], "other-token", "{json}");
        // One code is too little to say so: the next one is asked for.
        let one = desk.ask(&["verify", own, &a]).expect(1).stdout;
        assert!(one.contains("ask for another code"), "{one}");
        // A report for a ticket names no token in full and repeats no code.
        let report = desk.ask(&["diagnose", "--token", own, &a, &b, "--report"]).expect(1).stdout;
        assert!(report.contains("token      …0001 profile 0") && report.contains("other-token"), "{report}");
        for hidden in [own, other, a.as_str(), b.as_str(), &desk.lines[0].base32()] {
            assert!(!report.contains(hidden), "{hidden} in {report}");
        }
    });
}

#[test]
fn a_token_that_was_never_burned_is_told_by_the_seed_that_waits_for_it() {
    isolated("a_token_that_was_never_burned_is_told_by_the_seed_that_waits_for_it", LIMIT, || {
        let desk = Desk::new();
        let file = desk.scene.kiln.write("seeds.csv", seed_file::entra(&desk.lines));
        desk.scene.run(&["import", &file.display().to_string(), "--batch", "spring", "--target", "entra"]);
        let serial = desk.lines[0].serial.as_str();
        let [a, b] = desk.codes(0, 0);
        let at = desk.at.to_string();
        let told = desk.ask(&["diagnose", "--token", serial, &a, &b, "--at", &at]).expect(0).stdout;
        assert!(told.contains("its burn is not on record as done"), "{told}");
        assert!(told.contains("do          put the token on a slot"), "{told}");
        let dashes = desk.ask(&["diagnose", "--token", serial, "--shows", "dashes"]).expect(1).stdout;
        assert!(dashes.contains(&format!("put {serial} on a slot")), "{dashes}");
        // Who is not on record at all has no such answer.
        let unknown = desk.ask(&["diagnose", "--token", "86596100009999", &a]).expect(1);
        assert!(unknown.stderr.contains("\n-> "), "{}", unknown.stderr);
    });
}
