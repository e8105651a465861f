//! Seeds in, by the real binary and a real station: every format by its content, checked before it is believed, opened
//! on the client's side, and tokens that are never burned through all that can be done with them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use kiln::domain::{Digits, Hash, Seed, StepCount, otp};
use serde_json::Value;
use std::{fmt::Write as _, time::Duration};
use support::{
    kiln::{Kiln, Station},
    namespace::isolated,
    seed_file::{self, Line, random},
};

const LIMIT: Duration = Duration::from_secs(120);

const PASSPHRASE: &[u8] = b"correct horse\n";

/// A station with an open vault.
fn station() -> (Kiln, Station) {
    let kiln = Kiln::new();
    let station = Station::start(&kiln);
    kiln.run_with(&["init"], PASSPHRASE).expect(0);
    (kiln, station)
}

fn path(kiln: &Kiln, name: &str, content: impl AsRef<[u8]>) -> String {
    kiln.write(name, content).display().to_string()
}

fn tokens(kiln: &Kiln) -> u64 {
    kiln.run(&["tokens", "--json"]).expect(0).json()["total"].as_u64().unwrap()
}

fn hotp(seed: &[u8], counter: u64) -> String {
    let seed = Seed::new(seed);
    otp::code(&seed, Hash::Sha1, Digits::SIX, StepCount(counter)).as_str().to_owned()
}

#[test]
fn a_counter_based_token_lives_in_the_inventory_and_is_never_burned() {
    isolated("a_counter_based_token_lives_in_the_inventory_and_is_never_burned", LIMIT, || {
        let (kiln, _station) = station();
        let seed = random(20);
        let file = path(&kiln, "pi.csv", format!("5510293578052,{},HOTP,6,3\n", HEXLOWER.encode(&seed)));

        // To be burned, no model would take it.
        let refused = kiln.run(&["import", &file, "--batch", "b"]).expect(1);
        assert!(refused.stderr.contains("time-based codes only"), "{}", refused.stderr);
        kiln.run(&["import", &file, "--inventory"]).expect(0);
        let token = kiln.run(&["token", "5510293578052", "--json"]).expect(0).json();
        let held = &token["mappings"][0];
        assert_eq!(
            (&held["origin"], &held["parameters"]["counter"]),
            (&"delivered".into(), &3.into()),
            "{token}"
        );

        // Somebody has pressed the button in the meantime: within the window that is found, and the counter follows.
        let verdict = kiln.run(&["verify", "5510293578052", &hotp(&seed, 9), "--json"]).expect(0).json();
        assert_eq!((&verdict["steps_off"], &verdict["next_counter"]), (&6.into(), &10.into()), "{verdict}");
        let spent = kiln.run(&["verify", "5510293578052", &hotp(&seed, 9)]).expect(1);
        assert!(spent.stdout.contains("20 counts ahead"), "{}", spent.stdout);
        let (next, after) = (hotp(&seed, 10), hotp(&seed, 12));
        kiln.run(&["verify", "5510293578052", &next, &after]).expect(0);
        kiln.run(&["verify", "5510293578052", &hotp(&seed, 13 + 20)]).expect(0);
        kiln.run(&["verify", "5510293578052", &hotp(&seed, 34 + 21)]).expect(1);

        // What verify does not look at, the diagnosis does.
        let far = [hotp(&seed, 90), hotp(&seed, 91)];
        let found = kiln.run(&["diagnose", "--token", "5510293578052", &far[0], &far[1], "--json"]);
        let found = found.json().to_string();
        assert!(found.contains("counter"), "{found}");
        let whose = kiln.run(&["whose", &hotp(&seed, 40), &hotp(&seed, 41), "--json"]).expect(0).json();
        assert!(whose.to_string().contains("5510293578052"), "{whose}");

        // Exported: where the format can't carry it, it is named.
        let report = kiln.run(&["export", "--format", "report", "--inventory"]).expect(0);
        assert!(
            report.stdout.contains("5510293578052") && report.stdout.contains("SHA-1 (HOTP)"),
            "{}",
            report.stdout
        );
        let entra = kiln.run(&["export", "--format", "entra", "--inventory", "-o", "entra.csv"]);
        assert!(entra.stderr.contains("time-based tokens only"), "{}", entra.stderr);
    });
}

#[test]
fn a_recipe_whose_only_line_is_bad_is_not_called_useless() {
    isolated("a_recipe_whose_only_line_is_bad_is_not_called_useless", LIMIT, || {
        let (kiln, _station) = station();
        let lines = [
            Line::new(1, "86596100000001", "C301-i"),
            Line { seed: random(63), ..Line::new(2, "10000000000002", "Molto2 v2") },
        ];
        let file = path(&kiln, "seeds.csv", seed_file::entra(&lines));
        let refused = kiln.run(&["import", &file, "--batch", "b", "--recipe", "molto2-ten"]).expect(1);
        assert!(refused.stderr.contains("line 3, hash"), "{}", refused.stderr);
        // Said of a recipe that really serves none.
        let file = path(&kiln, "one.csv", seed_file::entra(&lines[..1]));
        let refused = kiln.run(&["import", &file, "--batch", "b", "--recipe", "molto2-ten"]).expect(1);
        assert!(refused.stderr.contains("fits no line"), "{}", refused.stderr);
    });
}

#[test]
fn a_pre_seeded_token_is_verified_and_exported_without_a_burn() {
    isolated("a_pre_seeded_token_is_verified_and_exported_without_a_burn", LIMIT, || {
        let (kiln, _station) = station();
        let line = Line::new(1, "8659610000077", "C301");
        let file = path(&kiln, "entra.csv", seed_file::entra(std::slice::from_ref(&line)));
        kiln.run(&["import", &file, "--inventory"]).expect(0);
        let nothing_burned = kiln.run(&["export", "--format", "entra"]).expect(1);
        assert!(nothing_burned.stdout.is_empty(), "{}", nothing_burned.stdout);
        assert!(nothing_burned.stderr.contains("--inventory"), "{}", nothing_burned.stderr);
        let exported = kiln.run(&["export", "--format", "entra", "--inventory"]).expect(0);
        assert!(exported.stdout.contains(&line.base32()), "what was delivered is what is exported");
        // The same token again, by serial and by seed.
        let again = kiln.run(&["import", &file, "--inventory"]).expect(1);
        assert!(
            again.stderr.contains("serial 8659610000077 is on token 8659610000077 already")
                && again.stderr.contains("this seed is on token 8659610000077 already"),
            "{}",
            again.stderr
        );
    });
}

#[test]
fn an_encrypted_container_is_opened_with_a_passphrase_that_never_leaves_the_client() {
    isolated(
        "an_encrypted_container_is_opened_with_a_passphrase_that_never_leaves_the_client",
        LIMIT,
        || {
            let (kiln, _station) = station();
            let vectors: Value = serde_json::from_str(include_str!("vectors/seed-files.json")).unwrap();
            for (name, secret) in [("pskc_password", "password"), ("pskc_preshared", "key")] {
                let (kiln, _station) = station();
                let vector = &vectors[name];
                let file = path(&kiln, "tokens.xml", vector["document"].as_str().unwrap());
                let wrong = if secret == "key" { "ab".repeat(16) } else { "wrong".to_owned() };
                let refused = kiln.run_with(&["import", &file, "--inventory"], wrong.as_bytes()).expect(1);
                assert!(refused.stderr.contains("does not open this file"), "{}", refused.stderr);
                assert_eq!(tokens(&kiln), 0);
                kiln.run_with(&["import", &file, "--inventory"], vector[secret].as_str().unwrap().as_bytes())
                    .expect(0);
                let token = kiln.run(&["token", "86596220001234", "--json"]).expect(0).json();
                assert_eq!(token["mappings"][0]["parameters"]["period"], 30, "{token}");
            }
            assert_eq!(tokens(&kiln), 0);
        },
    );
}

#[test]
fn the_hash_of_a_long_seed_is_asked_for_and_never_guessed() {
    isolated("the_hash_of_a_long_seed_is_asked_for_and_never_guessed", LIMIT, || {
        let (kiln, _station) = station();
        let mut line = Line::new(1, "8659610000078", "C301");
        line.seed = random(32);
        let file = path(&kiln, "long.csv", seed_file::entra(std::slice::from_ref(&line)));
        let refused = kiln.run(&["import", &file, "--batch", "b"]).expect(1);
        assert!(
            refused.stderr.contains("line 2, hash: the file does not say the hash")
                && refused.stderr.contains("--hash"),
            "{}",
            refused.stderr
        );
        kiln.run(&["import", &file, "--batch", "b", "--hash", "sha256", "--dry-run"]).expect(0);
        kiln.run(&["import", &file, "--inventory", "--hash", "sha256"]).expect(0);
        let token = kiln.run(&["token", &line.serial, "--json"]).expect(0).json();
        assert_eq!(token["mappings"][0]["parameters"]["hash"], "SHA256", "{token}");
    });
}

#[test]
fn an_order_confirmation_names_what_is_missing_and_what_is_too_much() {
    isolated("an_order_confirmation_names_what_is_missing_and_what_is_too_much", LIMIT, || {
        let (kiln, _station) = station();
        let lines = [1, 2, 3].map(|n| Line::new(n, &format!("865961000010{n}"), "C301"));
        let file = path(&kiln, "three.csv", seed_file::entra(&lines));
        let order = path(&kiln, "order.txt", "8659610000101\n8659610000102\n8659610000109\n");
        let args = ["import", &file, "--batch", "b", "--expect", &order];
        let refused = kiln.run(&args).expect(1);
        assert!(
            refused
                .stderr
                .contains("line 4, serial number: serial 8659610000103 is not among those expected")
                && refused.stderr.contains("serial 8659610000109 is expected and not in the file"),
            "{}",
            refused.stderr
        );
        let good = kiln.run(&[&args[..], &["--good-lines-only", "--json"]].concat()).expect(0).json();
        assert_eq!((&good["taken"], &good["missing"][0]), (&2.into(), &"8659610000109".into()), "{good}");
    });
}

#[test]
fn what_a_server_would_refuse_or_change_is_said_by_line() {
    isolated("what_a_server_would_refuse_or_change_is_said_by_line", LIMIT, || {
        let (kiln, _station) = station();
        let text = "serial,seed (hex),hash,digits,period\n";
        let row = |serial: u32, bytes: usize, hash: &str, digits: u32, period: u32| {
            format!("{serial},{},{hash},{digits},{period}\n", HEXLOWER.encode(&random(bytes)))
        };
        let file = path(
            &kiln,
            "mixed.csv",
            [
                text,
                &row(1001, 20, "SHA1", 6, 30),
                &row(1002, 32, "SHA256", 8, 15),
                &row(1003, 32, "SHA1", 6, 30),
            ]
            .concat(),
        );
        let entra = kiln.run(&["import", &file, "--inventory", "--target", "entra"]).expect(1);
        for said in
            ["line 3, target: Entra ID (CSV upload) does not accept SHA-256", "8 digits", "a period of 15 s"]
        {
            assert!(entra.stderr.contains(said), "{said}: {}", entra.stderr);
        }
        let args = ["import", &file, "--inventory", "--target", "privacyidea", "--dry-run", "--json"];
        let report = kiln.run(&args).expect(1).json();
        let said: Vec<(&str, bool)> = report["lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| (line["place"].as_str().unwrap(), line["refused"].as_bool().unwrap()))
            .collect();
        assert_eq!(said, [("line 3", true), ("line 4", false)], "{report}");
        assert!(report.to_string().contains("takes a seed of 32 bytes for SHA-256"), "{report}");
    });
}

#[test]
fn an_uploads_errors_are_mapped_back_to_tokens() {
    isolated("an_uploads_errors_are_mapped_back_to_tokens", LIMIT, || {
        let (kiln, _station) = station();
        let line = Line::new(7, "8659610000200", "C301");
        let file = path(&kiln, "entra.csv", seed_file::entra(std::slice::from_ref(&line)));
        kiln.run(&["import", &file, "--inventory"]).expect(0);
        let errors = path(
            &kiln,
            "errors.csv",
            format!(
                "UPN,SerialNumber,Error\nx@example.com,{0},\"Invalid base32 encoding due to illegal character 8 for: \
             x@example.com, serial number: {0}\"\ny@example.com,999,User not found\n",
                line.serial
            ),
        );
        let told = kiln.run(&["entra-errors", &errors]).expect(1);
        assert!(
            told.stdout.contains(
                "line 2, token 8659610000200 of user7@example.com (uploaded for x@example.com): its secret"
            ) && told.stdout.contains("line 3, token 999, which is not on record here"),
            "{}",
            told.stdout
        );
        let as_seeds = kiln.run(&["import", &errors, "--inventory"]).expect(1);
        assert!(as_seeds.stderr.contains("kiln entra-errors"), "{}", as_seeds.stderr);
    });
}

#[test]
fn seeds_that_could_be_spelled_in_two_ways_are_asked_about() {
    isolated("seeds_that_could_be_spelled_in_two_ways_are_asked_about", LIMIT, || {
        let (kiln, _station) = station();
        let file = path(&kiln, "t.csv", "serial,seed\n1000,ABCDEF234567ABCDEF234567ABCDEF234567ABCD\n");
        let refused = kiln.run(&["import", &file, "--inventory"]).expect(1);
        assert!(
            refused.stderr.contains("base32 and hex") && refused.stderr.contains("--encoding"),
            "{}",
            refused.stderr
        );
        kiln.run(&["import", &file, "--inventory", "--encoding", "hex"]).expect(0);
        let bare = path(&kiln, "bare.csv", format!("1001;{}\n", BASE32_NOPAD.encode(&random(20))));
        let refused = kiln.run(&["import", &bare, "--inventory"]).expect(1);
        assert!(refused.stderr.contains("->"), "{}", refused.stderr);
        kiln.run(&["import", &bare, "--inventory", "--columns", "serial,secret"]).expect(0);
        assert_eq!(tokens(&kiln), 2);
    });
}

#[test]
fn all_lines_go_in_or_none_and_the_good_ones_only_when_asked() {
    isolated("all_lines_go_in_or_none_and_the_good_ones_only_when_asked", LIMIT, || {
        let (kiln, _station) = station();
        let mut text = String::from("serial,seed (base32),period\n");
        for serial in 2001..2004 {
            let _ = writeln!(text, "{serial},{},30", BASE32_NOPAD.encode(&random(20)));
        }
        text += "2.00E+3,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,30\n";
        let file = path(&kiln, "t.csv", text);
        let refused = kiln.run(&["import", &file, "--inventory"]).expect(1);
        assert!(
            refused.stderr.contains("line 5, serial number: a spreadsheet turned it"),
            "{}",
            refused.stderr
        );
        assert_eq!(tokens(&kiln), 0);
        kiln.run(&["import", &file, "--inventory", "--dry-run", "--good-lines-only"]).expect(0);
        assert_eq!(tokens(&kiln), 0);
        kiln.run(&["import", &file, "--inventory", "--good-lines-only"]).expect(0);
        assert_eq!(tokens(&kiln), 3);
    });
}
