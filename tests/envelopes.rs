//! What other software wraps, kiln unwraps: GnuPG, Info-ZIP, 7-Zip, age. And whatever happens to it on its way, the
//! answer is an error that says so.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use kiln::envelope::{
    age::{self as age_file, AgeError},
    archive::{Archive, ArchiveError},
    openpgp::{self, OpenPgpError, SecretKeys, With},
};
use std::process::Command;
use support::{
    seed_file::{Line, entra},
    tool::{ECC, Gpg, Pack, RSA, output},
};

const PASSWORD: &str = "Correct4Horse";

/// A seed file with random seeds.
fn seeds(tokens: u32) -> Vec<u8> {
    let lines: Vec<Line> = (1..=tokens).map(|n| Line::new(n, &format!("86596100{n:06}"), "C301-i")).collect();
    entra(&lines).into_bytes()
}

fn with_keys(keys: &SecretKeys) -> With<'_> {
    With { keys: Some(keys), ..With::default() }
}

#[test]
fn messages_of_gnupg_are_opened_with_an_exported_key() {
    let plain = seeds(300);
    let gpg = Gpg::new();
    for (user, kind) in [("rsa@example.com", RSA), ("ecc@example.com", ECC)] {
        gpg.make_key(user, kind, "");
        let keys = SecretKeys::read(&gpg.secret_key(user, "")).unwrap();
        for more in [
            &["--armor"][..],
            &[],
            &["--sign", "--local-user", user],
            &["--compress-algo", "none"],
            &["--compress-algo", "bzip2", "--armor"],
            &["--cipher-algo", "3DES"],
            &["--hidden-recipient", "rsa@example.com"],
        ] {
            let args = [more, &["--encrypt", "--recipient", user]].concat();
            let message = gpg.run(&args, &plain);
            let opened = openpgp::open(&message, &with_keys(&keys));
            assert_eq!(opened.as_deref(), Ok(&plain), "{user} {more:?}");
        }
    }
    // The binary form of a key, and several keys in one file.
    let ring = gpg.run(&["--export-secret-keys"], b"");
    let keys = SecretKeys::read(&ring).unwrap();
    assert_eq!(keys.ids().len(), 4, "two keys with a subkey each");
    let message = gpg.run(&["--encrypt", "--recipient", "ecc@example.com"], &plain);
    assert_eq!(openpgp::open(&message, &with_keys(&keys)).as_deref(), Ok(&plain));
}

#[test]
fn a_locked_key_wants_its_passphrase() {
    let gpg = Gpg::new();
    gpg.make_key("a@example.com", ECC, PASSWORD);
    let message = gpg.run(&["--encrypt", "--recipient", "a@example.com"], b"seeds");
    let keys = SecretKeys::read(&gpg.secret_key("a@example.com", PASSWORD)).unwrap();
    assert_eq!(openpgp::open(&message, &with_keys(&keys)), Err(OpenPgpError::KeyLocked));
    let wrong = With { keys: Some(&keys), key_passphrase: Some("other"), passphrase: None };
    assert_eq!(openpgp::open(&message, &wrong), Err(OpenPgpError::WrongKeyPassphrase));
    let right = With { key_passphrase: Some(PASSWORD), ..wrong };
    assert_eq!(openpgp::open(&message, &right).unwrap().as_slice(), b"seeds");
    // What is exported with its secret part elsewhere, as after a move to a card.
    let stub =
        gpg.run(&["--armor", "--passphrase", PASSWORD, "--export-secret-subkeys", "a@example.com"], b"");
    assert_eq!(
        openpgp::open(&message, &With { keys: Some(&SecretKeys::read(&stub).unwrap()), ..right })
            .unwrap()
            .as_slice(),
        b"seeds"
    );
}

#[test]
fn a_message_for_somebody_else_says_for_whom() {
    let gpg = Gpg::new();
    gpg.make_key("a@example.com", ECC, "");
    gpg.make_key("b@example.com", ECC, "");
    let message = gpg.run(&["--encrypt", "--recipient", "a@example.com"], b"seeds");
    let a = SecretKeys::read(&gpg.secret_key("a@example.com", "")).unwrap();
    let b = SecretKeys::read(&gpg.secret_key("b@example.com", "")).unwrap();
    let subkey = a.ids()[1].clone();
    assert_eq!(openpgp::recipients(&message).unwrap().keys, std::slice::from_ref(&subkey));
    let wanted = vec![subkey.clone()];
    let none = openpgp::open(&message, &With::default());
    assert_eq!(none, Err(OpenPgpError::KeyNeeded { wanted: wanted.clone() }));
    let other = openpgp::open(&message, &with_keys(&b)).unwrap_err();
    assert_eq!(other, OpenPgpError::OtherKey { wanted, held: b.ids() });
    let listed = String::from_utf8(gpg.run(&["--list-keys", "--with-colons", "a@example.com"], b"")).unwrap();
    assert!(listed.contains(subkey.as_str()) && other.to_string().contains(subkey.as_str()), "{other}");
    // Nothing tells whose a hidden recipient is.
    let hidden = gpg.run(&["--encrypt", "--hidden-recipient", "a@example.com"], b"seeds");
    assert!(openpgp::recipients(&hidden).unwrap().hidden);
    assert!(openpgp::open(&hidden, &with_keys(&b)).is_err());
    assert_eq!(openpgp::open(&hidden, &with_keys(&a)).unwrap().as_slice(), b"seeds");
}

#[test]
fn a_message_with_a_passphrase_is_opened_with_it() {
    let plain = seeds(50);
    let gpg = Gpg::new();
    // GnuPG stretches over 65 MB, which takes a build for tests a while: once is enough.
    let quick = ["--s2k-mode", "1"];
    for more in [&["--armor"][..], &quick, &["--compress-algo", "none", quick[0], quick[1]]] {
        let message = gpg.run(&[more, &["--passphrase", PASSWORD, "--symmetric"]].concat(), &plain);
        let with = |passphrase| With { passphrase, ..With::default() };
        assert_eq!(openpgp::open(&message, &with(Some(PASSWORD))).as_deref(), Ok(&plain), "{more:?}");
        assert_eq!(openpgp::open(&message, &with(None)), Err(OpenPgpError::PassphraseNeeded));
    }
    let message = gpg.run(&[&quick[..], &["--passphrase", PASSWORD, "--symmetric"]].concat(), &plain);
    for n in 0..200 {
        let wrong = format!("wrong{n}");
        let with = With { passphrase: Some(&wrong), ..With::default() };
        assert_eq!(openpgp::open(&message, &with), Err(OpenPgpError::WrongPassphrase));
    }
}

#[test]
fn an_openpgp_file_that_is_no_message_is_named() {
    let gpg = Gpg::new();
    gpg.make_key("a@example.com", ECC, "");
    let keys = SecretKeys::read(&gpg.secret_key("a@example.com", "")).unwrap();
    let open = |message: &[u8]| openpgp::open(message, &with_keys(&keys)).unwrap_err();
    assert_eq!(open(b""), OpenPgpError::Empty);
    assert_eq!(open(b"\r\n"), OpenPgpError::Empty);
    let public = gpg.run(&["--armor", "--export", "a@example.com"], b"");
    assert_eq!(open(&public), OpenPgpError::IsKey);
    assert_eq!(SecretKeys::read(&public).unwrap_err(), OpenPgpError::PublicKey);
    assert_eq!(SecretKeys::read(b"upn,serial").unwrap_err(), OpenPgpError::NoSecretKey);
    let signed = gpg.run(&["--clear-sign", "--local-user", "a@example.com"], b"seeds");
    assert_eq!(open(&signed), OpenPgpError::NotEncrypted);
    let signed = gpg.run(&["--sign", "--local-user", "a@example.com"], b"seeds");
    assert_eq!(open(&signed), OpenPgpError::NotEncrypted);
    assert!(SecretKeys::are_in(&public) && SecretKeys::are_in(&gpg.run(&["--export-secret-keys"], b"")));
    assert!(!SecretKeys::are_in(b"AGE-SECRET-KEY-1") && !SecretKeys::are_in(&signed[1..]));
}

#[test]
fn a_damaged_message_is_never_half_a_file() {
    let plain = seeds(20);
    let gpg = Gpg::new();
    gpg.make_key("a@example.com", ECC, "");
    let keys = SecretKeys::read(&gpg.secret_key("a@example.com", "")).unwrap();
    let message = gpg.run(&["--encrypt", "--recipient", "a@example.com"], &plain);
    for cut in (0..message.len()).step_by(7) {
        assert!(openpgp::open(&message[..cut], &with_keys(&keys)).is_err(), "cut to {cut}");
    }
    for at in (0..message.len()).step_by(11) {
        let mut changed = message.clone();
        changed[at] ^= 0x10;
        let opened = openpgp::open(&changed, &with_keys(&keys));
        assert!(opened.is_err() || opened.as_deref() == Ok(&plain), "changed at {at}");
    }
    let armoured = gpg.run(&["--armor", "--encrypt", "--recipient", "a@example.com"], &plain);
    let pasted = String::from_utf8(armoured).unwrap().replacen("=\n", "\n", 1);
    let cut = &pasted[..pasted.len() / 2];
    assert_eq!(openpgp::open(cut.as_bytes(), &with_keys(&keys)), Err(OpenPgpError::Damaged));
}

#[test]
fn archives_of_both_programs_are_opened_with_their_password() {
    let plain = seeds(300);
    let pack = Pack::of(&[("tokens.csv", &plain)]);
    for (program, archive) in [
        ("zip, ZipCrypto", pack.by_zip(Some(PASSWORD))),
        ("7-Zip, ZipCrypto", Pack::of(&[("tokens.csv", &plain)]).by_7z(PASSWORD, &[])),
        ("7-Zip, AES-256", Pack::of(&[("tokens.csv", &plain)]).by_7z(PASSWORD, &["-mem=AES256"])),
        ("7-Zip, AES-128", Pack::of(&[("tokens.csv", &plain)]).by_7z(PASSWORD, &["-mem=AES128"])),
        ("7-Zip, Deflate64", Pack::of(&[("tokens.csv", &plain)]).by_7z(PASSWORD, &["-mm=Deflate64"])),
        ("7-Zip, bzip2", Pack::of(&[("tokens.csv", &plain)]).by_7z(PASSWORD, &["-mm=BZip2", "-mem=AES256"])),
        ("7-Zip, stored", Pack::of(&[("tokens.csv", &plain)]).by_7z(PASSWORD, &["-mx=0", "-mem=AES256"])),
    ] {
        let mut zip = Archive::open(&archive).unwrap();
        let [entry] = zip.entries() else { panic!("{program}: {:?}", zip.entries()) };
        let entry = entry.clone();
        assert_eq!(
            (entry.name.as_str(), entry.bytes, entry.encrypted),
            ("tokens.csv", plain.len() as u64, true)
        );
        assert_eq!(zip.read(&entry, Some(PASSWORD)).as_deref(), Ok(&plain), "{program}");
        let none = zip.read(&entry, None).unwrap_err();
        assert_eq!(none, ArchiveError::PasswordNeeded { entry: "tokens.csv".into() }, "{program}");
        for (wrong, odd) in [("Correct4horse", false), ("Correct4Horse!", true)] {
            let refused = zip.read(&entry, Some(wrong)).unwrap_err();
            assert_eq!(refused, ArchiveError::WrongPassword { entry: "tokens.csv".into(), odd }, "{program}");
        }
        // Half an archive has no list of its content.
        for cut in [archive.len() - 1, archive.len() / 2, 40] {
            assert!(Archive::open(&archive[..cut]).is_err(), "{program} cut to {cut}");
        }
    }
    let lzma = Pack::of(&[("tokens.csv", &plain)]).by_7z("", &["-mm=LZMA"]);
    let mut zip = Archive::open(&lzma).unwrap();
    let entry = zip.entries()[0].clone();
    let refused = zip.read(&entry, None).unwrap_err();
    assert!(matches!(refused, ArchiveError::Unsupported { .. }), "{refused}");
}

#[test]
fn no_wrong_password_ever_gives_a_file() {
    let plain = seeds(5);
    let archive = Pack::of(&[("tokens.csv", &plain)]).by_zip(Some(PASSWORD));
    let mut zip = Archive::open(&archive).unwrap();
    let entry = zip.entries()[0].clone();
    // One in 256 passes ZipCrypto's own check.
    for n in 0..2000 {
        let refused = zip.read(&entry, Some(&format!("wrong{n}"))).unwrap_err();
        assert!(matches!(refused, ArchiveError::WrongPassword { odd: false, .. }), "{n}: {refused}");
    }
}

#[test]
fn an_archive_lists_files_and_nothing_else() {
    let pack = Pack::of(&[
        ("orders/spring.csv", b"1"),
        ("orders/autumn.csv", b"22"),
        ("__MACOSX/orders/._spring.csv", b"x"),
        ("orders/.DS_Store", b"x"),
    ]);
    let archive = pack.by_zip(None);
    let mut zip = Archive::open(&archive).unwrap();
    let mut names: Vec<_> = zip.entries().iter().map(|entry| entry.name.clone()).collect();
    names.sort();
    assert_eq!(names, ["orders/autumn.csv", "orders/spring.csv"]);
    let entry = zip.entries().iter().find(|entry| entry.name.ends_with("autumn.csv")).unwrap().clone();
    assert_eq!(zip.read(&entry, None).unwrap().as_slice(), b"22");
    let empty = Pack::of(&[("__MACOSX/x", b"x")]).by_zip(None);
    assert_eq!(Archive::open(&empty).unwrap_err(), ArchiveError::NoFile);
}

#[test]
fn archives_that_would_fill_the_memory_are_refused() {
    let zeros = vec![0; 100 << 20];
    let archive = Pack::of(&[("zeros.csv", &zeros)]).by_zip(None);
    let mut zip = Archive::open(&archive).unwrap();
    let entry = zip.entries()[0].clone();
    assert_eq!(zip.read(&entry, None).unwrap_err(), ArchiveError::Bomb { entry: "zeros.csv".into() });

    // The list says that it is short, and it isn't.
    let archive = Pack::of(&[("zeros.csv", &zeros[..5 << 20])]).by_zip(None);
    let stated = u32::try_from(5 << 20).unwrap().to_le_bytes();
    let lying: Vec<u8> = {
        let mut bytes = archive.clone();
        for at in 0..bytes.len() - 4 {
            if bytes[at..at + 4] == stated {
                bytes[at..at + 4].copy_from_slice(&1000u32.to_le_bytes());
            }
        }
        bytes
    };
    assert_ne!(lying, archive);
    let mut zip = Archive::open(&lying).unwrap();
    let entry = zip.entries()[0].clone();
    assert_eq!(entry.bytes, 1000);
    assert!(zip.read(&entry, None).is_err());

    // Text that does not shrink to nothing, and is too long all the same.
    let random = support::seed_file::random(97 << 20);
    let archive = Pack::of(&[("random.csv", &random)]).by_zip(None);
    let mut zip = Archive::open(&archive).unwrap();
    let entry = zip.entries()[0].clone();
    assert_eq!(zip.read(&entry, None).unwrap_err(), ArchiveError::TooLarge { entry: "random.csv".into() });

    let many: Vec<(String, Vec<u8>)> = (0..1001).map(|n| (format!("{n}.csv"), vec![b'x'])).collect();
    let many: Vec<(&str, &[u8])> =
        many.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
    assert_eq!(Archive::open(&Pack::of(&many).by_zip(None)).unwrap_err(), ArchiveError::TooManyEntries);
}

#[test]
fn files_of_the_age_program_are_opened() {
    let plain = seeds(100);
    let dir = tempfile::tempdir().unwrap();
    let key_file = dir.path().join("key.txt");
    output(Command::new("age-keygen").arg("-o").arg(&key_file), b"");
    let public = String::from_utf8(output(Command::new("age-keygen").arg("-y").arg(&key_file), b"")).unwrap();
    let key_text = std::fs::read_to_string(&key_file).unwrap();
    let key: age::x25519::Identity =
        key_text.lines().find(|line| line.starts_with("AGE-SECRET-KEY")).unwrap().parse().unwrap();
    let other = age::x25519::Identity::generate();
    for more in [&[][..], &["--armor"]] {
        let file = output(Command::new("age").args(more).args(["-r", public.trim()]), &plain);
        assert_eq!(age_file::open(&file, &[&key]).as_deref(), Ok(&plain));
        assert_eq!(age_file::open(&file, &[&other]), Err(AgeError::OtherKey));
        assert_eq!(age_file::open(&file, &[]), Err(AgeError::KeyNeeded));
        assert_eq!(age_file::open_with_passphrase(&file, "x"), Err(AgeError::KeyNeeded));
        for cut in (1..file.len() - 1).step_by(13) {
            assert!(age_file::open(&file[..cut], &[&key]).is_err(), "cut to {cut}");
        }
    }
    assert_eq!(age_file::open(b"", &[&key]), Err(AgeError::Empty));
}

#[test]
fn an_age_file_with_a_passphrase_is_opened_with_it() {
    let plain = seeds(10);
    let mut recipient = age::scrypt::Recipient::new(PASSWORD.to_owned().into());
    recipient.set_work_factor(2);
    let file = age::encrypt(&recipient, &plain).unwrap();
    assert_eq!(age_file::wants_passphrase(&file), Ok(true));
    assert_eq!(age_file::open_with_passphrase(&file, PASSWORD).as_deref(), Ok(&plain));
    assert_eq!(age_file::open_with_passphrase(&file, "other"), Err(AgeError::WrongPassphrase));
    assert_eq!(age_file::open(&file, &[]), Err(AgeError::PassphraseNeeded));
    // The file itself states the work; this one would take hours.
    let greedy = String::from_utf8_lossy(&file[..200]).find(" 2\n").unwrap();
    let mut bytes = file[..greedy].to_vec();
    bytes.extend(b" 30\n");
    bytes.extend(&file[greedy + 3..]);
    assert_eq!(age_file::open_with_passphrase(&bytes, PASSWORD), Err(AgeError::TooMuchWork { required: 30 }));
}
