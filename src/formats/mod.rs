//! Seed files: bytes in, values of the domain out, and back. What a file is, is decided by its content: names and
//! extensions lie. A line that can't be read is never dropped in silence, and doesn't hide the ones after it.
//!
//! No message made here holds text from a file, save single characters with their position: in a file whose columns
//! are mixed up, any cell may be a seed.

pub mod entra;
mod entra_table;
mod recognise;
pub mod report;
mod row;
mod text;
mod told;
mod uri_list;
mod whole_file;

pub use recognise::Content;
pub use told::{BadLine, Field, FileError, Note, NoteKind, Problem};

use crate::domain::{Seed, Serial, Stated};
use std::{fmt, str::FromStr};

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Entra ID's hardware OATH CSV, six columns; also the vendors' five without the user.
    EntraCsv,
    /// Key URIs (`otpauth://`), one in each line.
    KeyUriList,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::EntraCsv, Self::KeyUriList];

    /// The word that names it on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::EntraCsv => "entra-csv",
            Self::KeyUriList => "key-uris",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EntraCsv => "Entra ID CSV",
            Self::KeyUriList => "list of key URIs",
        })
    }
}

/// A word that names no format. The message says which would.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("kiln reads no format \"{0}\": entra-csv or key-uris would fit")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        Self::ALL
            .into_iter()
            .find(|format| format.word().eq_ignore_ascii_case(word.trim()))
            .ok_or_else(|| UnknownFormat(word.chars().take(40).collect()))
    }
}

/// One seed of a file, with all that its line says.
#[derive(Debug)]
pub struct SeedLine {
    /// The line, from 1, the header counted.
    pub line: u32,
    /// The token it belongs to; absent in formats without serials.
    pub serial: Option<Serial>,
    /// The seed.
    pub seed: Seed,
    /// What the line says about the codes.
    pub stated: Stated,
    /// The user principal name.
    pub upn: Option<String>,
    /// Who made the token.
    pub manufacturer: Option<String>,
    /// The token's model, as the file writes it.
    pub model: Option<String>,
    /// The issuer, in key URIs.
    pub issuer: Option<String>,
    /// The account, in key URIs.
    pub account: Option<String>,
}

/// What a file holds.
#[derive(Debug)]
pub struct Parsed {
    /// What the file is.
    pub format: Format,
    /// The good lines, in the order of the file.
    pub lines: Vec<SeedLine>,
    /// What is wrong with the others, by line; a line can have several faults.
    pub bad: Vec<BadLine>,
    /// What is odd, and what was taken for granted; those on the whole file first.
    pub notes: Vec<Note>,
}

impl Parsed {
    /// How many lines are bad.
    pub fn bad_lines(&self) -> usize {
        let mut lines: Vec<u32> = self.bad.iter().map(|bad| bad.line).collect();
        lines.dedup();
        lines.len()
    }
}

/// The largest file read: some 400,000 lines of an Entra CSV.
pub const MAX_FILE_BYTES: usize = 64 << 20;

/// Reads a seed file: by its content, or as `forced` says. An error is about the file as a whole; what is wrong with
/// single lines is in [`Parsed::bad`].
pub fn parse(bytes: &[u8], forced: Option<Format>) -> Result<Parsed, FileError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(FileError::TooLarge { bytes: bytes.len() });
    }
    if let Some(content) = recognise::binary(bytes) {
        return Err(FileError::Unreadable { content });
    }
    let (text, encoding_note) = text::decode(bytes)?;
    let format = match forced {
        Some(format) => format,
        None => recognise::format(&text)?,
    };
    let mut read = match format {
        Format::EntraCsv => entra_table::read(&text)?,
        Format::KeyUriList => uri_list::read(&text),
    };
    if read.is_empty() {
        return Err(FileError::NoLines);
    }
    read.notes.extend(encoding_note.map(Note::on_file));
    Ok(whole_file::checked(format, read))
}

/// What a format's reader found, before lines are compared with each other.
#[derive(Default)]
struct Read {
    lines: Vec<SeedLine>,
    bad: Vec<BadLine>,
    notes: Vec<Note>,
    /// The serial of every line that has a readable one, bad lines among them.
    serials: Vec<(u32, Serial)>,
}

impl Read {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.bad.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remedy::Remedy;
    use proptest::prelude::*;

    const CSV: &str = "upn,serial number,secret key,time interval,manufacturer,model\r\n\
        alice@example.com,0012345678901,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,30,Token2,miniOTP-2\r\n\
        bob@example.com,0012345678902,CZU6XXGHCCGCOL6YO3WW472WEWB34FVJ,60,Token2,miniOTP-2\r\n";
    const URIS: &str = "# two\n\
        otpauth://totp/Acme:bob?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme&period=60\n\
        otpauth://totp/bob?secret=CZU6XXGHCCGCOL6YO3WW472WEWB34FVJ\n";
    const SEEDS: [&str; 2] = ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "CZU6XXGHCCGCOL6YO3WW472WEWB34FVJ"];

    /// All that a reading says to people.
    fn messages(result: &Result<Parsed, FileError>) -> String {
        match result {
            Ok(parsed) => {
                let bad = parsed.bad.iter().map(|bad| format!("{bad} {bad:?} {}\n", bad.problem.remedy()));
                let notes = parsed.notes.iter().map(|n| format!("{n} {n:?} {}\n", n.kind.remedy()));
                bad.chain(notes).collect()
            }
            Err(error) => format!("{error} {error:?} {}", error.remedy()),
        }
    }

    #[test]
    fn formats_are_told_by_their_content() {
        assert_eq!(parse(CSV.as_bytes(), None).unwrap().format, Format::EntraCsv);
        assert_eq!(parse(URIS.as_bytes(), None).unwrap().format, Format::KeyUriList);
        assert_eq!(Format::ALL.map(|format| format.word().parse()), Format::ALL.map(Ok));
        assert!("pskc".parse::<Format>().is_err());
    }

    #[test]
    fn a_forced_format_is_not_second_guessed() {
        let error = parse(URIS.as_bytes(), Some(Format::EntraCsv)).unwrap_err();
        assert_eq!(error, FileError::NoHeader);
        let parsed = parse(CSV.as_bytes(), Some(Format::KeyUriList)).unwrap();
        assert_eq!((parsed.lines.len(), parsed.bad_lines()), (0, 3));
        let zip = parse(b"PK\x03\x04....", Some(Format::EntraCsv)).unwrap_err();
        assert_eq!(zip, FileError::Unreadable { content: Content::Zip });
    }

    #[test]
    fn an_empty_or_huge_file_is_refused() {
        assert_eq!(parse(b"", None).unwrap_err(), FileError::Empty);
        assert_eq!(parse(b"\xEF\xBB\xBF \r\n\r\n", None).unwrap_err(), FileError::Empty);
        assert_eq!(parse(b"# nothing here\n", Some(Format::KeyUriList)).unwrap_err(), FileError::NoLines);
        let huge = vec![b' '; MAX_FILE_BYTES + 1];
        assert!(matches!(parse(&huge, None), Err(FileError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for forced in [None, Some(Format::EntraCsv), Some(Format::KeyUriList)] {
                let _ = parse(&bytes, forced);
            }
        }

        /// Valid files, damaged in a few places: no panic, every line is accounted for or the file is refused, and no
        /// message tells a seed.
        #[test]
        fn damaged_files_never_panic_and_never_tell_a_seed(
            csv in any::<bool>(),
            damage in proptest::collection::vec(
                (any::<prop::sample::Index>(), 0u8..10, prop_oneof![
                    prop::sample::select(b",;\t\r\n\"=+@#0189 \xA0\xFF\x00".as_slice()), any::<u8>(),
                ]),
                1..6,
            ),
        ) {
            let mut bytes = if csv { CSV } else { URIS }.as_bytes().to_vec();
            for (at, kind, byte) in damage {
                let at = at.index(bytes.len().max(1)).min(bytes.len());
                match kind {
                    0..3 if at < bytes.len() => bytes[at] = byte,
                    3..6 if at < bytes.len() => drop(bytes.remove(at)),
                    6 => bytes.truncate(at),
                    _ => bytes.insert(at, byte),
                }
            }
            let result = parse(&bytes, None);
            let told = messages(&result);
            for seed in SEEDS {
                for piece in seed.as_bytes().windows(6) {
                    let piece = std::str::from_utf8(piece).unwrap();
                    prop_assert!(!told.contains(piece), "{told}");
                }
            }
            if let Ok(parsed) = result {
                let good: Vec<u32> = parsed.lines.iter().map(|line| line.line).collect();
                prop_assert!(good.is_sorted());
                prop_assert!(parsed.bad.iter().all(|bad| !good.contains(&bad.line)));
                prop_assert!(parsed.bad.is_sorted_by_key(|bad| bad.line));
            }
        }
    }
}
