//! `kiln import` of wrapped files, from outside: the real binary, a real station, GnuPG with its agent. What is inside
//! arrives, and nothing of it is left on the disk.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::{fs, path::Path, time::Duration};
use support::{
    kiln::{Kiln, Run},
    leak::Search,
    namespace::isolated,
    scene::Scene,
    seed_file::{Line, entra},
    tool::{ECC, Gpg, Pack, output, qr_png},
};

const PASSWORD: &str = "Correct4Horse";
const LIMIT: Duration = Duration::from_secs(180);

fn lines(tokens: u32) -> Vec<Line> {
    (1..=tokens).map(|n| Line::new(n, &format!("86596100{n:06}"), "C301-i")).collect()
}

/// `kiln import FILE --inventory --dry-run MORE`.
#[track_caller]
fn import(kiln: &Kiln, file: &Path, more: &[&str]) -> Run {
    let file = file.display().to_string();
    kiln.run(&[&["import", &file, "--inventory", "--dry-run"], more].concat())
}

/// Inside namespaces of the test's own: a station leaves nothing outside.
#[test]
fn what_is_inside_reaches_the_station_and_leaves_no_trace() {
    isolated("what_is_inside_reaches_the_station_and_leaves_no_trace", LIMIT, inside_arrives);
}

fn inside_arrives() {
    let gpg = Gpg::new();
    gpg.make_key("a@example.com", ECC, "");
    gpg.make_key("locked@example.com", ECC, PASSWORD);
    let mut scene = Scene::new();
    let temporary = scene.kiln.path("tmp");
    fs::create_dir(&temporary).unwrap();
    scene.kiln = scene
        .kiln
        .env("TMPDIR", &temporary.display().to_string())
        .env("GNUPGHOME", &gpg.home().display().to_string());
    let _station = scene.start(&[]);
    let kiln = &scene.kiln;

    let lines = lines(3);
    let plain = entra(&lines).into_bytes();
    let message = gpg.run(&["--encrypt", "--recipient", "a@example.com"], &plain);
    let locked = gpg.run(&["--encrypt", "--armor", "--recipient", "locked@example.com"], &plain);
    let symmetric = gpg.run(&["--s2k-mode", "1", "--passphrase", PASSWORD, "--symmetric"], &plain);
    let private = |name: &str, content: &[u8]| kiln.write(name, content).display().to_string();
    let key = private("key.asc", &gpg.secret_key("a@example.com", ""));
    let locked_key = private("locked.asc", &gpg.secret_key("locked@example.com", PASSWORD));
    let password = private("password", format!("{PASSWORD}\n").as_bytes());
    let age_key = private("age.txt", b"");
    fs::remove_file(&age_key).unwrap();
    output(std::process::Command::new("age-keygen").args(["-o", &age_key]), b"");
    let age_public = output(std::process::Command::new("age-keygen").args(["-y", &age_key]), b"");
    let age_public = String::from_utf8(age_public).unwrap();

    let zip = Pack::of(&[("tokens.csv", &plain)]).by_7z(PASSWORD, &["-mem=AES256"]);
    let two = Pack::of(&[("spring/tokens.csv", &plain), ("notes.txt", b"hello")]).by_zip(Some(PASSWORD));
    let nested = gpg.run(&["--encrypt", "--recipient", "a@example.com"], &zip);
    let aged = output(std::process::Command::new("age").args(["-r", age_public.trim()]), &plain);
    let with_password = ["--password-file", &password];
    for (name, content, more) in [
        ("by-agent.csv.gpg", &message, &[][..]),
        ("by-gpg.csv.gpg", &message, &["--gpg"]),
        ("by-key.csv.gpg", &message, &["--identity", &key]),
        ("locked.csv.asc", &locked, &["--identity", &locked_key, "--password-file", &password]),
        ("symmetric.gpg", &symmetric, &with_password),
        ("tokens.zip", &zip, &with_password),
        ("two.zip", &two, &["--entry", "spring/tokens.csv", "--password-file", &password]),
        ("nested.gpg", &nested, &["--identity", &key, "--password-file", &password]),
        ("aged", &aged, &["--identity", &age_key]),
    ] {
        let ran = import(kiln, &kiln.write(name, content), more).expect(0);
        assert!(ran.stdout.contains("3 tokens would be taken"), "{name}: {}", ran.stdout);
    }
    // The archive's file is on record, not only the archive.
    let two = kiln.path("two.zip").display().to_string();
    let args = ["import", &two, "--batch", "spring", "--entry", "spring/tokens.csv"];
    kiln.run(&[&args[..], &with_password].concat()).expect(0);
    let shown = kiln.run(&["batch", "show", "spring"]).expect(0).stdout;
    assert!(shown.contains("two.zip: tokens.csv"), "{shown}");

    let mut search = Search::new(lines.iter().map(|line| line.seed.as_slice()));
    search.dir(&scene.kiln.home());
    search.expect_none();
    assert_eq!(
        fs::read_dir(&temporary).unwrap().count(),
        0,
        "something was put into the temporary directory"
    );
}

#[test]
fn what_stands_in_the_way_is_said_before_a_station_is_started() {
    let gpg = Gpg::new();
    gpg.make_key("a@example.com", ECC, "");
    let nobody = Gpg::new();
    nobody.make_key("b@example.com", ECC, "");
    let kiln = Kiln::new().env("GNUPGHOME", &nobody.home().display().to_string());
    let plain = entra(&lines(1)).into_bytes();
    let other = kiln.write("b.asc", nobody.secret_key("b@example.com", "")).display().to_string();
    let password = kiln.write("password", "Horse!\n").display().to_string();
    let message = gpg.run(&["--encrypt", "--recipient", "a@example.com"], &plain);
    let two = Pack::of(&[("a.csv", &plain), ("b.csv", &plain)]).by_zip(None);
    let locked = Pack::of(&[("a.csv", &plain)]).by_zip(Some(PASSWORD));
    let mut deep = plain.clone();
    for n in 0..5 {
        deep = Pack::of(&[(&format!("{n}.zip"), &deep)]).by_zip(None);
    }
    for (name, content, more, exit, said, remedy) in [
        ("empty.csv.gpg", &b""[..], &[][..], 2, "is empty", "the public key in your request was malformed"),
        ("no-key.gpg", &message, &[], 2, "is encrypted to ", "give --identity FILE"),
        (
            "other.gpg",
            &message,
            &["--identity", &other],
            2,
            "and the key file holds ",
            "--gpg if gpg holds it",
        ),
        (
            "agent.gpg",
            &message,
            &["--gpg"],
            3,
            "gpg holds no secret key for this message, which is encrypted to ",
            "plug in the card",
        ),
        (
            "junk.gpg",
            b"-----BEGIN PGP MESSAGE-----\n\njunk",
            &["--gpg"],
            2,
            "damaged or cut off",
            "fetch it again",
        ),
        ("two.zip", &two, &[], 2, "nobody said which:\n  a.csv (", "--entry NAME"),
        ("other.zip", &two, &["--entry", "c.csv"], 2, "holds no file \"c.csv\"", "one of these names"),
        ("no-password.zip", &locked, &[], 2, "has a password", "--password-file FILE"),
        (
            "wrong.zip",
            &locked,
            &["--password-file", &password],
            2,
            "does not open a.csv",
            "letters and digits",
        ),
        ("deep.zip", &deep, &[], 2, "more than 3 wrappings", "gpg --decrypt"),
        ("plain.csv", &plain, &["--entry", "a.csv"], 2, "this is no archive", "leave --entry away"),
        ("picture.png", b"\x89PNG\r\n\x1A\n", &[], 2, "the picture is damaged", "screenshot"),
    ] {
        let ran = import(&kiln, &kiln.write(name, content), more);
        assert!(ran.stderr.contains(said) && ran.stderr.contains(remedy), "{name}: {}", ran.stderr);
        assert_eq!(ran.code(), exit, "{name}: {}", ran.stderr);
    }
    assert!(!kiln.home().exists(), "a station was started");
}

#[test]
fn codes_of_a_picture_that_are_no_seeds_are_named() {
    isolated("codes_of_a_picture_that_are_no_seeds_are_named", LIMIT, wrong_codes_are_named);
}

fn wrong_codes_are_named() {
    let scene = Scene::new();
    let _station = scene.start(&[]);
    let kiln = &scene.kiln;
    let uri = "otpauth://totp/Acme:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme";
    let good = kiln.write("good.png", qr_png(uri, 4)).display().to_string();
    let good = kiln.run(&["import", &good, "--batch", "codes", "--dry-run"]).expect(0);
    assert!(good.stdout.contains("1 token would be taken"), "{}", good.stdout);
    for (text, said, remedy) in [
        ("phonefactor://activate_account?code=1", "push or phone approval", "different authenticator app"),
        ("FIDO:/123456789012345678901234567890", "passkey", "not of a passkey"),
        ("steam://x", "Steam Guard", "manual entry key"),
        ("motp://x", "Mobile-OTP", "manual entry key"),
        ("https://example.com/app", "web link", "for an authenticator app"),
        ("WIFI:T:WPA;S:guest;P:x;;", "Wi-Fi", "for an authenticator app"),
        ("8659610000001", "a token's serial", "not the number printed"),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "a bare seed", "beside its token's serial"),
    ] {
        let ran = import(kiln, &kiln.write("wrong.png", qr_png(text, 4)), &[]).expect(1);
        assert!(ran.stderr.contains("1 of 1 QR codes"), "{text}: {}", ran.stderr);
        assert!(ran.stderr.contains(said) && ran.stderr.contains(remedy), "{text}: {}", ran.stderr);
        assert!(!ran.stderr.contains("GEZDGNBV"), "{}", ran.stderr);
    }
}
