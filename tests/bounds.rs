//! Files that are made to hurt, or are nothing at all: kiln says so, in the time of a breath and in memory that has a
//! bound. One test alone in its program, since memory is measured as the most that any child of it ever held.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use nix::sys::resource::{UsageWho, getrusage};
use png::{ColorType, Encoder};
use std::process::Command;
use support::{
    kiln::Kiln,
    seed_file::random,
    tool::{ECC, Gpg, Pack, output},
};

/// The most that one run of kiln may hold: the largest file that is read, what is inside, and room for growing.
const MOST_MIB: i64 = 400;

/// Mebibytes that the largest child so far held at its largest.
fn peak_mib() -> i64 {
    getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss() / 1024
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(ColorType::Rgba);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&vec![255; width as usize * height as usize * 4]).unwrap();
    writer.finish().unwrap();
    file
}

#[test]
fn whatever_comes_is_answered_in_bounded_memory() {
    let kiln = Kiln::new();
    let gpg = Gpg::new();
    gpg.make_key("a@example.com", ECC, "");
    let key = kiln.write("key.asc", gpg.secret_key("a@example.com", "")).display().to_string();
    let age_key = kiln.path("age.txt").display().to_string();
    output(Command::new("age-keygen").args(["-o", &age_key]), b"");

    let junk = random(100 << 20);
    let encrypt = ["--encrypt", "--recipient", "a@example.com"];
    let zeros = vec![0; 80 << 20];
    let mut pgp_junk = b"\x85\x01\x0C\x03".to_vec();
    pgp_junk.extend(&junk[..60 << 20]);
    let mut zip_junk = b"PK\x03\x04".to_vec();
    zip_junk.extend(&junk[..60 << 20]);
    let mut zip_headers = b"PK\x03\x04".to_vec();
    zip_headers.extend(b"PK\x01\x02".repeat(10 << 20));
    let mut age_junk = b"age-encryption.org/v1\n-> X25519 ".to_vec();
    age_junk.extend(&junk[..60 << 20]);
    let mut armour_junk = b"-----BEGIN PGP MESSAGE-----\n\n".to_vec();
    armour_junk.extend(b"AAAA".repeat(15 << 20));
    let files: [(&str, Vec<u8>, &[&str]); 11] = [
        ("junk.csv", junk.clone(), &[]),
        ("junk.gpg", pgp_junk, &["--identity", &key]),
        ("junk.asc", armour_junk, &["--identity", &key]),
        ("junk.zip", zip_junk, &[]),
        ("headers.zip", zip_headers, &[]),
        ("junk.age", age_junk, &["--identity", &age_key]),
        ("bomb.zip", Pack::of(&[("zeros.csv", &zeros)]).by_zip(None), &[]),
        ("bomb-bz.zip", Pack::of(&[("zeros.csv", &zeros)]).by_7z("", &["-mm=BZip2"]), &[]),
        (
            "bomb.gpg",
            gpg.run(&[&["--compress-algo", "zlib"][..], &encrypt].concat(), &zeros),
            &["--identity", &key],
        ),
        (
            "bomb-bz.gpg",
            gpg.run(&[&["--compress-algo", "bzip2"][..], &encrypt].concat(), &zeros),
            &["--identity", &key],
        ),
        ("white.png", png(3000, 2500), &[]),
    ];
    let before = peak_mib();
    for (name, content, more) in files {
        let file = kiln.write(name, content).display().to_string();
        let ran = kiln.run(&[&["import", &file, "--inventory", "--dry-run"], more].concat());
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(ran.code(), 1 | 2), "{name} ended with {}: {}", ran.code(), ran.stderr);
        assert!(ran.stderr.contains("kiln: ") && ran.stderr.contains("\n-> "), "{name}: {}", ran.stderr);
        println!("{name}: {}", ran.stderr.lines().next().unwrap_or_default());
    }
    assert!(!kiln.home().exists(), "a station was started for it");
    println!("the largest child held {} MiB; before kiln ran, {before} MiB", peak_mib());
    // What made the files is smaller than what is tested, or this would test nothing.
    assert!(before < MOST_MIB, "{before} MiB");
    assert!(peak_mib() < MOST_MIB, "{} MiB", peak_mib());
}
