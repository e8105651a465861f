//! The fuzz targets on files: the samples, which each target must take, what broke one in the past, and samples that
//! are damaged in a way that is the same in each run. `make fuzz` goes on from there.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::{
    fs,
    path::{Path, PathBuf},
};
use targets::TARGETS;

/// How many damaged samples each target is fed.
const DAMAGED: usize = 400;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The files of a directory, in the order of their names; none where it isn't there.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    let read = |path: PathBuf| (path.clone(), fs::read(path).expect("a sample can be read"));
    paths.into_iter().map(read).collect()
}

fn names(dir: &str) -> Vec<String> {
    let entries = fs::read_dir(fuzz().join(dir)).expect("the directory is there");
    let stem = |path: PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| stem(entry.path())).collect();
    names.sort();
    names
}

#[test]
fn each_target_has_its_samples_and_each_format_its_target() {
    let targets: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert!(targets.is_sorted());
    // `scripts/fuzz` takes the names of the targets from this directory.
    assert_eq!(names("samples"), targets);
    for format in kiln::formats::Format::ALL {
        let name = format.word().replace('-', "_");
        assert!(targets.contains(&name.as_str()), "{format} has no target {name}");
    }
}

#[test]
fn every_sample_is_taken() {
    for target in TARGETS {
        let samples = files(&fuzz().join("samples").join(target.name));
        assert!(!samples.is_empty(), "{} has no sample", target.name);
        for (path, sample) in samples {
            assert!((target.run)(&sample), "{} does not take {}", target.name, path.display());
        }
    }
}

#[test]
fn what_broke_a_target_breaks_it_no_more() {
    for target in TARGETS {
        for (path, crash) in files(&fuzz().join("crashes").join(target.name)) {
            // A panic names no file.
            println!("{}", path.display());
            (target.run)(&crash);
        }
    }
}

#[test]
fn damaged_samples_break_nothing() {
    for target in TARGETS {
        let samples = files(&fuzz().join("samples").join(target.name));
        let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
        let mut refused = 0;
        for round in 0..DAMAGED {
            let mut bytes = samples[round % samples.len()].1.clone();
            for _ in 0..=chance.below(3) {
                damage(&mut bytes, &samples[chance.below(samples.len())].1, &mut chance);
            }
            refused += usize::from(!(target.run)(&bytes));
        }
        assert!(refused > 0, "no damage is too much for {}", target.name);
    }
}

/// Xorshift: numbers that are the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound.max(1)
    }
}

/// Damages `bytes` in one place, perhaps with a piece of `other`.
fn damage(bytes: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    const ODD: &[u8] = b"\0\x01\x7F\x80\xFF\"',;:=%&?+-/<>[]{}#@ \t\r\n0189Ee\xC3\xE2\xED\xF4";
    let at = chance.below(bytes.len() + 1);
    let upto = at + chance.below(bytes.len() - at + 1);
    match chance.below(7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
        1 if at < bytes.len() => bytes[at] = ODD[chance.below(ODD.len())],
        2 => bytes.insert(at, ODD[chance.below(ODD.len())]),
        3 => drop(bytes.drain(at..upto.min(at + 8))),
        4 => bytes.truncate(at),
        5 => {
            let piece = bytes[at..upto.min(at + 64)].to_vec();
            bytes.splice(at..at, piece);
        }
        _ => {
            let from = chance.below(other.len() + 1);
            let piece = &other[from..(from + 1 + chance.below(64)).min(other.len())];
            bytes.splice(at..upto.min(at + piece.len()), piece.iter().copied());
        }
    }
}
