//! Has a seed got out? Searches whatever a process leaves behind, or shows, for seeds in every writing they are likely
//! to take.
//!
//! Base32 and base64 are searched for at every alignment, so that a seed inside a longer encoded blob is found, too.
//! For that, each needle is the part of the encoded text that the seed alone decides; this covers padded and unpadded
//! text alike.

use data_encoding::{BASE32, BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// The shortest needle. Below it, chance finds would drown the true ones.
const SHORTEST: usize = 7;

/// A seed in one writing.
struct Needle {
    seed: usize,
    writing: &'static str,
    bytes: Vec<u8>,
}

/// A seed that got out. Names it by its number in the list that was handed in; never shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Find {
    /// Which seed.
    pub seed: usize,
    /// How it is written there.
    pub writing: &'static str,
    /// Where: a file, a process, a stream.
    pub place: String,
    /// At which byte.
    pub at: usize,
}

impl fmt::Display for Find {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {} as {} in {} at byte {}", self.seed, self.writing, self.place, self.at)
    }
}

/// Seeds to look for, and what was found and searched so far.
pub struct Search {
    needles: Vec<Needle>,
    /// By a needle's first two bytes, the needles.
    starts: Vec<Vec<usize>>,
    finds: Vec<Find>,
    places: usize,
    bytes: usize,
}

impl Search {
    /// A search for each of `seeds`, of at least 8 bytes each.
    pub fn new<'s>(seeds: impl IntoIterator<Item = &'s [u8]>) -> Self {
        let needles: Vec<Needle> =
            seeds.into_iter().enumerate().flat_map(|(number, seed)| writings(number, seed)).collect();
        assert!(!needles.is_empty(), "a search for nothing finds nothing");
        let mut starts = vec![Vec::new(); 1 << 16];
        for (number, needle) in needles.iter().enumerate() {
            starts[start(needle.bytes[0], needle.bytes[1])].push(number);
        }
        Self { needles, starts, finds: Vec::new(), places: 0, bytes: 0 }
    }

    /// Searches `bytes`; `place` is what a find calls them.
    pub fn bytes(&mut self, place: &str, bytes: &[u8]) {
        self.places += 1;
        self.bytes += bytes.len();
        for (at, pair) in bytes.windows(2).enumerate() {
            for &number in &self.starts[start(pair[0], pair[1])] {
                let needle = &self.needles[number];
                if bytes[at..].starts_with(&needle.bytes) {
                    let (seed, writing) = (needle.seed, needle.writing);
                    self.finds.push(Find { seed, writing, place: place.to_owned(), at });
                }
            }
        }
    }

    /// Searches one file, its name included. One that has gone in the meantime is passed over.
    pub fn file(&mut self, path: &Path) {
        let place = path.display().to_string();
        self.bytes(&format!("the name of {place}"), place.as_bytes());
        if let Ok(bytes) = fs::read(path) {
            self.bytes(&place, &bytes);
        }
    }

    /// Searches every file below `dir`: the database, its `-wal`, backups, logs, whatever is there.
    #[track_caller]
    pub fn dir(&mut self, dir: &Path) {
        let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        for path in entries.flatten().map(|entry| entry.path()).collect::<Vec<PathBuf>>() {
            let kind = fs::symlink_metadata(&path).map(|data| data.file_type());
            match kind {
                Ok(kind) if kind.is_dir() => self.dir(&path),
                Ok(kind) if kind.is_file() => self.file(&path),
                // Sockets, pipes, links: their names are all there is.
                _ => self
                    .bytes(&format!("the name of {}", path.display()), path.display().to_string().as_bytes()),
            }
        }
    }

    /// Searches the arguments and the environment of every process that can be seen. In a process namespace those are
    /// the test's own.
    pub fn processes(&mut self) {
        for entry in fs::read_dir("/proc").expect("/proc can be listed").flatten() {
            if entry.file_name().to_string_lossy().bytes().all(|c| c.is_ascii_digit()) {
                for part in ["cmdline", "environ"] {
                    let path = entry.path().join(part);
                    if let Ok(bytes) = fs::read(&path) {
                        self.bytes(&path.display().to_string(), &bytes);
                    }
                }
            }
        }
    }

    /// What was found so far.
    pub fn finds(&self) -> &[Find] {
        &self.finds
    }

    /// How many places and bytes were searched: zero finds in zero places prove nothing.
    pub fn searched(&self) -> (usize, usize) {
        (self.places, self.bytes)
    }

    /// Fails where anything was found.
    #[track_caller]
    pub fn expect_none(&self) {
        let lines: Vec<String> = self.finds.iter().take(20).map(ToString::to_string).collect();
        assert!(lines.is_empty(), "{} leaks, among them:\n{}", self.finds.len(), lines.join("\n"));
    }
}

fn start(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

fn writings(number: usize, seed: &[u8]) -> Vec<Needle> {
    assert!(seed.len() >= 8, "a seed of {} bytes is found everywhere by chance", seed.len());
    let decimal =
        |between: &str| seed.iter().map(u8::to_string).collect::<Vec<_>>().join(between).into_bytes();
    let mut all = vec![
        ("raw bytes", seed.to_vec()),
        ("hex, lower case", HEXLOWER.encode(seed).into_bytes()),
        ("hex, upper case", HEXUPPER.encode(seed).into_bytes()),
        ("a list of numbers", decimal(", ")),
        ("a JSON list of numbers", decimal(",")),
    ];
    for before in 0..5 {
        let text = inner(before, seed, 5, |bytes| BASE32.encode(bytes));
        all.push(("base32, lower case", text.to_ascii_lowercase()));
        all.push(("base32, upper case", text));
    }
    for before in 0..3 {
        let standard = inner(before, seed, 6, |bytes| BASE64.encode(bytes));
        let url = inner(before, seed, 6, |bytes| BASE64URL.encode(bytes));
        if url != standard {
            all.push(("base64, for URLs", url));
        }
        all.push(("base64", standard));
    }
    all.into_iter()
        .map(|(writing, bytes)| {
            assert!(bytes.len() >= SHORTEST, "{writing} of a seed is too short to search for");
            Needle { seed: number, writing, bytes }
        })
        .collect()
}

/// The characters that `seed` alone decides when it is encoded with `before` other bytes in front and anything behind.
fn inner(before: usize, seed: &[u8], bits: usize, encode: impl Fn(&[u8]) -> String) -> Vec<u8> {
    let mut blob = vec![0; before];
    blob.extend_from_slice(seed);
    let (first, end) = ((8 * before).div_ceil(bits), 8 * blob.len() / bits);
    encode(&blob).as_bytes()[first..end].to_vec()
}
