//! Seeds out, by the real binary and a real station: looked at before they are written, protected, recorded, and never in
//! a file that was not asked to carry them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::{fs, os::unix::fs::PermissionsExt, process::Command, time::Duration};
use support::{
    kiln::{Kiln, Station},
    leak::Search,
    namespace::isolated,
    oathtool,
    seed_file::{self, Line},
};

const LIMIT: Duration = Duration::from_secs(120);
const PASSPHRASE: &[u8] = b"correct horse\n";

/// A station with an open vault and some delivered tokens.
fn station(lines: &[Line]) -> (Kiln, Station) {
    let kiln = Kiln::new();
    let station = Station::start(&kiln);
    kiln.run_with(&["init"], PASSPHRASE).expect(0);
    let file = kiln.write("seeds.csv", seed_file::entra(lines)).display().to_string();
    kiln.run(&["import", &file, "--inventory", "--hash", "SHA-1"]).expect(0);
    (kiln, station)
}

fn lines(count: u32) -> Vec<Line> {
    (0..count).map(|n| Line::new(n, &format!("86596100{n:06}"), "C301-i")).collect()
}

fn read(kiln: &Kiln, name: &str) -> Vec<u8> {
    fs::read(kiln.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn text(kiln: &Kiln, name: &str) -> String {
    String::from_utf8(read(kiln, name)).unwrap()
}

/// Every format that servers read goes through the importer again, on another station, to the same tokens.
#[test]
fn what_is_exported_is_imported_elsewhere() {
    isolated("what_is_exported_is_imported_elsewhere", LIMIT, || {
        let lines = lines(3);
        let (kiln, _station) = station(&lines);
        for (format, more) in [
            ("entra", &[][..]),
            ("graph", &[]),
            ("pskc", &[]),
            ("privacyidea", &[]),
            ("okta", &["--encoding", "base32"]),
            ("tseeds", &["--format", "tseeds", "--encoding", "base32"]),
            ("tseeds-xml", &["--hash", "SHA-1"]),
            ("duo-totp6", &["--format", "duo-totp6"]),
        ] {
            kiln.run(&["export", "--format", format, "--inventory", "-o", format]).expect(0);
            let other = Kiln::new();
            let _other_station = Station::start(&other);
            other.run_with(&["init"], PASSPHRASE).expect(0);
            let file = kiln.path(format).display().to_string();
            let import = [&["import", &file, "--inventory", "--json"], more].concat();
            let report = other.run(&import).expect(0).json();
            assert_eq!((&report["taken"], &report["left_out"]), (&3.into(), &0.into()), "{format}: {report}");
            // The one file that both write alike tells the seeds.
            other.run(&["export", "--format", "duo-totp6", "--inventory", "-o", "again"]).expect(0);
            kiln.run(&["export", "--format", "duo-totp6", "--inventory", "-o", "first", "--force"]).expect(0);
            assert_eq!(read(&other, "again"), read(&kiln, "first"), "{format}");
        }
    });
}

#[test]
fn what_the_server_would_refuse_is_named_before_anything_is_written() {
    isolated("what_the_server_would_refuse_is_named_before_anything_is_written", LIMIT, || {
        let mut lines = lines(3);
        lines[1].seed = seed_file::random(8);
        let (kiln, _station) = station(&lines);
        let refused =
            kiln.run(&["export", "--format", "duo-totp6", "--inventory", "-o", "duo.csv"]).expect(1);
        for said in [
            "line 2 (token 86596100000001",
            "would be refused",
            "8 bytes",
            "--good-lines-only",
            "--despite duo",
        ] {
            assert!(refused.stderr.contains(said), "{said}: {}", refused.stderr);
        }
        assert!(!kiln.path("duo.csv").exists() && !kiln.path("duo.csv.sha256").exists());
        let log = kiln.run(&["audit", "show", "--json"]).expect(0);
        assert!(!log.stdout.contains("\"exported\""), "nothing left: {}", log.stdout);

        // Only a look, with the same answer, then without the bad line.
        let base = ["export", "--format", "duo-totp6", "--inventory", "-o", "duo.csv"];
        kiln.run(&[&base[..], &["--dry-run"]].concat()).expect(1);
        let good = kiln.run(&[&base[..], &["--good-lines-only"]].concat()).expect(0);
        assert!(good.stderr.contains("left out: token 86596100000001"), "{}", good.stderr);
        assert_eq!(text(&kiln, "duo.csv").lines().count(), 2);

        // By another name nobody means it; by its own, it goes in and is told.
        let all = ["export", "--format", "duo-totp6", "--inventory", "-o", "all.csv", "--despite"];
        kiln.run(&[&all[..], &["okta"]].concat()).expect(2);
        let despite = kiln.run(&[&all[..], &["duo"]].concat()).expect(0);
        assert!(despite.stderr.contains("despite: line 2"), "{}", despite.stderr);
        assert_eq!(text(&kiln, "all.csv").lines().count(), 3);
    });
}

#[test]
fn an_export_is_encrypted_to_whom_it_is_for_and_to_nobody_else() {
    isolated("an_export_is_encrypted_to_whom_it_is_for_and_to_nobody_else", LIMIT, || {
        let lines = lines(2);
        let (kiln, _station) = station(&lines);
        let run = |program: &str, args: &[&str]| {
            let mut command = Command::new(program);
            command.args(args).current_dir(kiln.path("")).env("GNUPGHOME", kiln.path("gnupg"));
            let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{program} {args:?}: {stderr}");
            output.stdout
        };
        let base = ["export", "--format", "entra", "--inventory", "-o"];
        kiln.run(&[&base[..], &["plain.csv"]].concat()).expect(0);
        let plain = read(&kiln, "plain.csv");
        let mut search = Search::new(lines.iter().map(|line| &line.seed[..]));

        // age, the program.
        run("age-keygen", &["-o", "age.key"]);
        let recipient = String::from_utf8(run("age-keygen", &["-y", "age.key"])).unwrap();
        let sealed =
            kiln.run(&[&base[..], &["x.age", "--age-recipient", recipient.trim()]].concat()).expect(0);
        assert!(sealed.stderr.contains("encrypted with age"), "{}", sealed.stderr);
        assert_eq!(run("age", &["--decrypt", "-i", "age.key", "x.age"]), plain);
        search.bytes("the age file", &read(&kiln, "x.age"));

        // gpg, with a key of its own.
        fs::create_dir(kiln.path("gnupg")).unwrap();
        fs::set_permissions(kiln.path("gnupg"), fs::Permissions::from_mode(0o700)).unwrap();
        let make =
            ["--batch", "--passphrase", "", "--quick-gen-key", "ann@example.com", "default", "default"];
        run("gpg", &make);
        fs::write(kiln.path("ann.asc"), run("gpg", &["--armor", "--export", "ann@example.com"])).unwrap();
        let sealed = kiln.run(&[&base[..], &["x.asc", "--pgp-key", "ann.asc"]].concat()).expect(0);
        assert!(sealed.stderr.contains("encrypted with OpenPGP"), "{}", sealed.stderr);
        assert_eq!(run("gpg", &["--batch", "--quiet", "--decrypt", "x.asc"]), plain);
        search.bytes("the OpenPGP message", &read(&kiln, "x.asc"));
        run("gpgconf", &["--kill", "gpg-agent"]);

        // A PSKC container under a password.
        kiln.write("password", "blue horse\n");
        let pskc =
            ["export", "--format", "pskc", "--inventory", "--pskc-password", "password", "-o", "x.xml"];
        kiln.run(&pskc).expect(0);
        search.bytes("the container", &read(&kiln, "x.xml"));
        search.expect_none();
        let file = kiln.path("x.xml").display().to_string();
        let other = Kiln::new();
        let _other = Station::start(&other);
        other.run_with(&["init"], PASSPHRASE).expect(0);
        let word = kiln.path("password").display().to_string();
        let import = ["import", &file, "--inventory", "--passphrase-file", &word, "--json"];
        assert_eq!(other.run(&import).expect(0).json()["taken"], 2);

        // The secret half is its owner's alone, and is not taken.
        let secret = run("gpg", &["--batch", "--passphrase", "", "--armor", "--export-secret-keys"]);
        fs::write(kiln.path("secret.asc"), secret).unwrap();
        let refused = kiln.run(&[&base[..], &["y.asc", "--pgp-key", "secret.asc"]].concat()).expect(2);
        assert!(refused.stderr.contains("secret half"), "{}", refused.stderr);
        run("gpgconf", &["--kill", "gpg-agent"]);
    });
}

#[test]
fn no_seed_is_in_a_file_that_was_not_asked_to_carry_it() {
    isolated("no_seed_is_in_a_file_that_was_not_asked_to_carry_it", LIMIT, || {
        let lines = lines(4);
        let (kiln, _station) = station(&lines);
        let mut search = Search::new(lines.iter().map(|line| &line.seed[..]));
        for (name, args) in [
            ("labels.svg", &["--format", "labels"][..]),
            ("labels.html", &["--format", "labels", "--html", "--qr"]),
            ("report.csv", &["--format", "report"]),
        ] {
            kiln.run(&[&["export", "--inventory", "-o", name], args].concat()).expect(0);
            search.bytes(name, &read(&kiln, name));
            assert!(text(&kiln, name).contains("86596100000003"), "{name}");
        }
        let serial = "86596100000000";
        let codes = ["activate", "list", serial, "--target", "entra"];
        for more in [&[][..], &["--csv"], &["--json"]] {
            let shown = kiln.run(&[&codes[..], more].concat()).expect(0);
            search.bytes("a list of codes", shown.stdout.as_bytes());
            search.bytes("what is said about it", shown.stderr.as_bytes());
        }
        let looked =
            kiln.run(&["export", "--format", "entra", "--inventory", "--dry-run", "--json"]).expect(0);
        search.bytes("a look", looked.stdout.as_bytes());
        kiln.run(&["export", "--format", "entra", "--inventory", "-o", "entra.csv", "--json"]).expect(0);
        search.bytes("what lies beside", &read(&kiln, "entra.csv.sha256"));
        for name in ["audit", "log"] {
            let log = kiln.run(&["audit", "show", "--json"]).expect(0);
            search.bytes(name, log.stdout.as_bytes());
        }
        search.expect_none();
        // The search can find one.
        search.bytes("the export itself", &read(&kiln, "entra.csv"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| search.expect_none())).is_err());
    });
}

#[test]
fn pictures_are_one_for_each_token_and_private() {
    isolated("pictures_are_one_for_each_token_and_private", LIMIT, || {
        let lines = lines(2);
        let (kiln, _station) = station(&lines);
        kiln.run(&["export", "--format", "qr-png", "--inventory"]).expect(2);
        kiln.run(&["export", "--format", "qr-png", "--inventory", "-o", "pictures"]).expect(0);
        let mode = |name: &str| fs::metadata(kiln.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("pictures"), 0o700);
        for line in &lines {
            let name = format!("pictures/{}-0.png", line.serial);
            assert_eq!(mode(&name), 0o600);
            let scanned =
                Command::new("zbarimg").args(["--quiet", "--raw"]).arg(kiln.path(&name)).output().unwrap();
            let uri = String::from_utf8(scanned.stdout).unwrap();
            assert!(uri.contains(&line.base32()) && uri.contains("period=30"), "{name}");
        }
        let check = Command::new("sha256sum")
            .args(["--check", "--quiet", "SHA256SUMS"])
            .current_dir(kiln.path("pictures"))
            .output()
            .unwrap();
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
        // Never over another.
        kiln.run(&["export", "--format", "qr-png", "--inventory", "-o", "pictures"]).expect(2);
    });
}

#[test]
fn activation_codes_are_right_paced_and_recorded() {
    isolated("activation_codes_are_right_paced_and_recorded", LIMIT, || {
        let lines = lines(3);
        let (kiln, _station) = station(&lines);
        let serials: Vec<&str> = lines.iter().map(|line| line.serial.as_str()).collect();
        let list = |more: &[&str]| {
            let args = [&["activate", "list", "--target", "entra", "--json"], &serials[..], more].concat();
            kiln.run(&args).expect(0)
        };
        let codes = list(&[]).json();
        let at = codes["at"].as_u64().unwrap();
        assert_eq!((codes["codes"].as_array().unwrap().len(), &codes["waiting"]), (3, &0.into()), "{codes}");
        for (code, line) in codes["codes"].as_array().unwrap().iter().zip(&lines) {
            assert_eq!(code["code"], oathtool::code(&line.base32(), "sha1", 6, 30, at));
            let until = code["until"].as_u64().unwrap();
            assert!(until > at && until <= at + 30 && until.is_multiple_of(30), "{code}");
        }
        // A server that wants none.
        let none = kiln.run(&["activate", "list", serials[0], "--target", "duo"]).expect(2);
        assert!(none.stderr.contains("no activation"), "{}", none.stderr);

        // The 200 of five minutes are soon used up.
        let mut given = 3;
        while given < 200 {
            let codes = list(&[]).json();
            let more = codes["codes"].as_array().unwrap().len();
            assert_eq!(more, 3.min(200 - given), "{codes}");
            given += more;
        }
        let none = list(&[]).json();
        assert_eq!((none["codes"].as_array().unwrap().len(), &none["waiting"]), (0, &3.into()), "{none}");
        assert!(none["more_at"].as_u64().unwrap() > none["at"].as_u64().unwrap(), "{none}");

        // Computed, and seen; one still waits.
        kiln.run(&["activate", "done", serials[0]]).expect(0);
        let seen = oathtool::code(&lines[1].base32(), "sha1", 6, 30, now(&kiln));
        kiln.run(&["activate", "done", serials[1], "--code", &seen]).expect(0);
        assert_eq!(list(&[]).json()["waiting"], 1);
        kiln.run(&["activate", "done", serials[2], "--code", "abc"]).expect(2);
        assert_eq!(list(&[]).json()["waiting"], 1, "what is no code activates nothing");
        let log = kiln.run(&["audit", "show", "--json"]).expect(0);
        let proofs = ["computed", "seen"].map(|proof| format!("\\\"proof\\\":\\\"{proof}\\\""));
        assert!(proofs.iter().all(|proof| log.stdout.contains(proof)), "{}", log.stdout);
    });
}

/// By the station's clock, in seconds.
fn now(kiln: &Kiln) -> u64 {
    kiln.run(&["clock", "--json"]).expect(0).json()["now"].as_u64().unwrap() / 1000
}

/// Somebody would upload it and wonder: a file without a token is refused, with what keeps each out.
#[test]
fn a_file_without_a_token_is_not_written() {
    isolated("a_file_without_a_token_is_not_written", LIMIT, || {
        let (kiln, _station) = station(&lines(4));
        let new = ["batch", "new", "spare", "--count", "2", "--model", "c301-i", "--recipe", "single-random"];
        kiln.run(&new).expect(0);
        for (asked, says, remedy) in [
            (&["--batch", "spare"][..], "nothing of batch \"spare\" is burned yet", "kiln batch show"),
            (&[], "nothing is burned yet", "kiln batch list"),
            (&["--inventory", "--profile", "7"], "token 86596100000000", "and 1 more"),
        ] {
            let base = ["export", "--format", "entra", "-o", "upload.csv"];
            let refused = kiln.run(&[&base[..], asked].concat()).expect(1);
            for said in [says, remedy] {
                assert!(refused.stderr.contains(said), "{said}: {}", refused.stderr);
            }
            assert!(!kiln.path("upload.csv").exists());
        }
        let log = kiln.run(&["audit", "show", "--json"]).expect(0);
        assert!(!log.stdout.contains("\"exported\""), "nothing left: {}", log.stdout);
        // A report that counts nothing is an answer.
        kiln.run(&["export", "--format", "report", "-o", "report.csv"]).expect(0);
    });
}
