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

    // One after the other, and none kept: a child counts what this program held when it was started.
    let junk = |head: &[u8], mib: usize| [head, &random(1 << 20).repeat(mib)].concat();
    let again =
        |head: &[u8], what: &[u8], mib: usize| [head, &what.repeat((mib << 20) / what.len())].concat();
    let zeros = || vec![0; 112 << 20];
    let encrypted =
        |how: &str| gpg.run(&["--compress-algo", how, "--encrypt", "--recipient", "a@example.com"], &zeros());
    let zipped = |pack: &dyn Fn(Pack) -> Vec<u8>| pack(Pack::of(&[("zeros.csv", &zeros())]));
    let by_pgp_key = ["--identity", &key];
    type Make<'a> = Box<dyn Fn() -> Vec<u8> + 'a>;
    let files: [(&str, Make<'_>, &[&str]); 11] = [
        ("junk.csv", Box::new(|| junk(b"", 112)), &[]),
        ("junk.gpg", Box::new(|| junk(b"\x85\x01\x0C\x03", 60)), &by_pgp_key),
        ("junk.asc", Box::new(|| again(b"-----BEGIN PGP MESSAGE-----\n\n", b"AAAA", 60)), &by_pgp_key),
        ("junk.zip", Box::new(|| junk(b"PK\x03\x04", 60)), &[]),
        ("headers.zip", Box::new(|| again(b"PK\x03\x04", b"PK\x01\x02", 40)), &[]),
        ("junk.age", Box::new(|| junk(b"age-encryption.org/v1\n-> X25519 ", 60)), &["--identity", &age_key]),
        ("bomb.zip", Box::new(|| zipped(&|pack| pack.by_zip(None))), &[]),
        ("bomb-bz.zip", Box::new(|| zipped(&|pack| pack.by_7z("", &["-mm=BZip2"]))), &[]),
        ("bomb.gpg", Box::new(|| encrypted("zlib")), &by_pgp_key),
        ("bomb-bz.gpg", Box::new(|| encrypted("bzip2")), &by_pgp_key),
        ("white.png", Box::new(|| png(3000, 2500)), &[]),
    ];
    for (name, make, more) in files {
        let file = kiln.write(name, make()).display().to_string();
        let ran = kiln.run(&[&["import", &file, "--inventory", "--dry-run"], more].concat());
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(ran.code(), 1 | 2), "{name} ended with {}: {}", ran.code(), ran.stderr);
        assert!(ran.stderr.contains("kiln: ") && ran.stderr.contains("\n-> "), "{name}: {}", ran.stderr);
        println!("{name}: {} ({} MiB)", ran.stderr.lines().next().unwrap_or_default(), peak_mib());
    }
    assert!(!kiln.home().exists(), "a station was started for it");
    println!("the largest child held {} MiB", peak_mib());
    assert!(peak_mib() < MOST_MIB, "{} MiB", peak_mib());
}
