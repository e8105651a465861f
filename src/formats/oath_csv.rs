//! Tables without a header whose seeds are hex: those of privacyIDEA and LinOTP (read from their importers), what an
//! administrator pastes into Duo, and the log of Yubico's tools. The order of the columns is the format.

use super::{
    BadLine, FileError, Format, Note, NoteKind, Place, Problem, Read,
    draft::Draft,
    row::{self, clean},
    told::{Field, Skipped},
};
use crate::domain::{Digits, Hash, Period, seed_text::Encoding};
use zeroize::Zeroizing;

const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// The types under which Duo takes pasted lines; the lines themselves don't say theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DuoType {
    /// Counter-based, six digits.
    Hotp6,
    /// Counter-based, eight digits.
    Hotp8,
    /// Time-based, six digits.
    Totp6,
    /// Time-based, eight digits.
    Totp8,
}

impl DuoType {
    /// How long its codes are.
    pub(super) fn digits(self) -> Digits {
        match self {
            Self::Hotp6 | Self::Totp6 => Digits::SIX,
            Self::Hotp8 | Self::Totp8 => Digits::EIGHT,
        }
    }
}

/// What a table without a header is, by its first line of data; `None` where it is no such table.
pub(super) fn recognise(text: &str, first: &str) -> Option<Result<Format, FileError>> {
    if is_version_line(text.trim_start()) {
        return Some(Ok(Format::PrivacyIdeaCsv));
    }
    let cells = SEPARATORS
        .into_iter()
        .filter_map(|separator| row::split(first, separator).ok())
        .find(|cells| cells.len() > 1)?;
    let cells: Vec<&str> = cells.iter().map(|cell| cell.as_str()).collect();
    if is_yubicos(&cells) {
        return Some(Ok(Format::YubicoCsv));
    }
    let is_number = |cell: &str| !cell.is_empty() && cell.bytes().all(|b| b.is_ascii_digit());
    match cells[..] {
        [_, seed, ..] if !is_hex(seed) => None,
        // LinOTP alone has a sixth column.
        [_, _, kind, _, _, _, ..] if is_kind(kind) => Some(Ok(Format::LinOtpCsv)),
        [_, _, kind, ..] if is_kind(kind) => Some(Ok(Format::PrivacyIdeaCsv)),
        [_, _] | [_, _, ""] => Some(Err(FileError::KindOpen)),
        [_, _, number, ..] if is_number(number) => Some(Err(FileError::KindOpen)),
        _ => None,
    }
}

fn is_kind(cell: &str) -> bool {
    ["totp", "hotp", "ocra", "tan", "pw"].iter().any(|kind| cell.eq_ignore_ascii_case(kind))
}

fn is_hex(cell: &str) -> bool {
    cell.len() >= 20 && cell.len().is_multiple_of(2) && cell.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_version_line(line: &str) -> bool {
    line.strip_prefix('#').is_some_and(|rest| rest.trim_start().starts_with("version:"))
}

/// The lines of data with their cells.
fn rows(text: &str) -> impl Iterator<Item = (Place, Result<Vec<Zeroizing<String>>, row::BadQuote>)> {
    let is_data = |line: &str| !line.is_empty() && !line.starts_with('#');
    let first = text.lines().map(clean).find(|line| is_data(line)).unwrap_or("");
    let several = |separator: &char| row::split(first, *separator).is_ok_and(|cells| cells.len() > 1);
    let separator = SEPARATORS.into_iter().find(several).unwrap_or(',');
    (1u32..)
        .map(Place::Line)
        .zip(text.lines())
        .filter(move |(_, line)| is_data(clean(line)))
        .map(move |(place, line)| (place, row::split(line, separator)))
}

/// A row's cells; beyond its end there are empty ones.
#[derive(Clone, Copy)]
struct Cells<'r>(&'r [Zeroizing<String>]);

impl<'r> Cells<'r> {
    fn at(self, column: usize) -> &'r str {
        self.0.get(column).map_or("", |cell| cell.as_str())
    }

    fn after(self, columns: usize) -> Self {
        Self(self.0.get(columns..).unwrap_or_default())
    }
}

/// Reads each row by `fill`, which gets its cells; a row has `least` at least.
fn read_rows(
    text: &str,
    least: usize,
    mut fill: impl FnMut(&mut Draft, Cells<'_>) -> Option<Skipped>,
) -> Result<Read, FileError> {
    let mut read = Read::default();
    for (place, cells) in rows(text) {
        read.is_bearable()?;
        let cells = match cells {
            Ok(cells) if cells.iter().all(|cell| cell.is_empty()) => continue,
            Ok(cells) => cells,
            Err(row::BadQuote) => {
                read.bad.push(BadLine { place, field: None, problem: Problem::Quote });
                continue;
            }
        };
        let mut draft = Draft::new(place);
        if cells.len() < least {
            draft.refuse(None, Problem::FewCells { cells: cells.len(), least });
            draft.finish(&mut read);
            continue;
        }
        match fill(&mut draft, Cells(&cells)) {
            Some(why) => read.notes.push(Note::at(place, Field::Kind, NoteKind::Skipped(why))),
            None => draft.finish(&mut read),
        }
    }
    Ok(read)
}

/// privacyIDEA: serial, seed, type, digits, then period or counter; version 2 has three columns of the user in front.
pub(super) fn privacy_idea(text: &str) -> Result<Read, FileError> {
    let version_2 = is_version_line(text.trim_start())
        && text.lines().next().is_some_and(|line| line.trim_end().ends_with('2'));
    let skip = if version_2 { 3 } else { 0 };
    read_rows(text, skip + 2, |draft, cells| {
        if version_2 {
            draft.user(cells.at(0));
        }
        let cells = cells.after(skip);
        draft.needed_serial(cells.at(0));
        draft.seed_text(cells.at(1), Encoding::Hex);
        draft.digits(cells.at(3));
        match type_of(draft, cells.at(2))? {
            Kind::Other(why) => return Some(why),
            Kind::Hotp if cells.at(4).is_empty() => no_counter(draft),
            Kind::Hotp => draft.needed_counter(cells.at(4)),
            Kind::Totp => {
                draft.period(cells.at(4));
                draft.stated.period = draft.stated.period.or(Some(Period::THIRTY));
            }
            Kind::Unknown => {}
        }
        // Its rule goes by the length of the hex text. What most releases agree on is taken; a seed of 16 or 32 bytes,
        // on which they don't, is left open.
        match draft.seed_len_bytes() {
            Some(20) => draft.hash_is(Hash::Sha1),
            Some(64) => draft.hash_is(Hash::Sha512),
            Some(seed_len_bytes @ 28) => {
                draft.refuse(Field::Hash, Problem::HashByLength { seed_len_bytes, hash: "SHA-224" });
            }
            Some(seed_len_bytes @ 48) => {
                draft.refuse(Field::Hash, Problem::HashByLength { seed_len_bytes, hash: "SHA-384" });
            }
            _ => {}
        }
        None
    })
}

/// LinOTP: serial, seed, type, digits, period, hash; all but the first two may be missing.
pub(super) fn linotp(text: &str) -> Result<Read, FileError> {
    read_rows(text, 2, |draft, cells| {
        draft.needed_serial(cells.at(0));
        draft.seed_text(cells.at(1), Encoding::Hex);
        draft.digits(cells.at(3));
        match type_of(draft, cells.at(2))? {
            Kind::Other(why) => return Some(why),
            // Its importer has no column for the counter.
            Kind::Hotp => no_counter(draft),
            Kind::Totp => {
                draft.period(cells.at(4));
                draft.stated.period = draft.stated.period.or(Some(Period::THIRTY));
            }
            Kind::Unknown => {}
        }
        draft.hash(cells.at(5));
        if cells.at(5).is_empty() && draft.seed_len_bytes() == Some(20) {
            draft.hash_is(Hash::Sha1);
        }
        None
    })
}

/// Duo: serial, seed, then counter or seconds, which may be missing.
pub(super) fn duo(text: &str, duo: DuoType) -> Result<Read, FileError> {
    read_rows(text, 2, |draft, cells| {
        draft.needed_serial(cells.at(0));
        draft.seed_text(cells.at(1), Encoding::Hex);
        draft.stated.digits = Some(duo.digits());
        match duo {
            DuoType::Hotp6 | DuoType::Hotp8 if cells.at(2).is_empty() => no_counter(draft),
            DuoType::Hotp6 | DuoType::Hotp8 => draft.needed_counter(cells.at(2)),
            DuoType::Totp6 | DuoType::Totp8 => {
                draft.period(cells.at(2));
                draft.stated.period = draft.stated.period.or(Some(Period::THIRTY));
            }
        }
        None
    })
}

fn no_counter(draft: &mut Draft) {
    draft.stated.counter = Some(0);
    draft.note(Field::Counter, NoteKind::CounterNotStated);
}

enum Kind {
    Totp,
    Hotp,
    /// It says something else and was refused for it.
    Unknown,
    Other(Skipped),
}

/// The type's column; both importers take an empty one for HOTP.
fn type_of(draft: &mut Draft, word: &str) -> Option<Kind> {
    let is = |known: &str| word.eq_ignore_ascii_case(known);
    Some(if word.is_empty() || is("hotp") || is("hmac") {
        Kind::Hotp
    } else if is("totp") {
        Kind::Totp
    } else if is("ocra") || is("tan") || is("pw") {
        Kind::Other(Skipped::OtherAlgorithm)
    } else {
        draft.refuse(Field::Kind, Problem::Kind);
        Kind::Unknown
    })
}

/// Lines of Yubico's personalisation tool (the mode in words first) or of `ykman` and the tool's "Yubico format" (a
/// serial, a public and a private id, a key, an access code, a time).
fn is_yubicos(cells: &[&str]) -> bool {
    let mode = cells.first().is_some_and(|cell| mode_of(cell).is_some());
    let log = cells.first().is_some_and(|cell| cell.eq_ignore_ascii_case("LOGGING START"));
    log || (mode && cells.len() >= YUBICO_CELLS) || is_yubico_format(cells)
}

fn is_yubico_format(cells: &[&str]) -> bool {
    match cells {
        [serial, public, private, key, _, time, ..] => {
            serial.bytes().all(|b| b.is_ascii_digit())
                && public.bytes().all(|b| b"cbdefghijklnrtuv".contains(&b))
                && private.bytes().all(|b| b.is_ascii_hexdigit())
                && key.len() >= 32
                && key.bytes().all(|b| b.is_ascii_hexdigit())
                && time.contains('T')
        }
        _ => false,
    }
}

/// Whether a mode in words is OATH-HOTP.
fn mode_of(cell: &str) -> Option<bool> {
    let is = |known: &str| cell.eq_ignore_ascii_case(known);
    if is("OATH-HOTP") {
        Some(true)
    } else if [
        "Yubico OTP",
        "Static Password",
        "Challenge-Response: Yubico OTP",
        "Challenge-Response: HMAC-SHA1",
    ]
    .iter()
    .any(|known| is(known))
    {
        Some(false)
    } else {
        None
    }
}

/// A key and what follows it: a line that ends before may end within its key.
const YUBICO_CELLS: usize = 6;

/// Yubico's logs. Only OATH-HOTP keys are seeds; Yubico OTP and static passwords are passed over. The tool writes the
/// moving factor's start as an initial counter of 0 unless it says otherwise; the log doesn't hold it.
pub(super) fn yubico(text: &str) -> Result<Read, FileError> {
    read_rows(text, 1, |draft, cells| {
        if cells.at(0).eq_ignore_ascii_case("LOGGING START") {
            return Some(Skipped::NoKey);
        }
        if cells.0.len() < YUBICO_CELLS {
            draft.refuse(None, Problem::FewCells { cells: cells.0.len(), least: YUBICO_CELLS });
            return None;
        }
        match mode_of(cells.at(0)) {
            Some(true) => {
                // The public id of such a key is in modhex, and no serial.
                draft.account(cells.at(3));
                draft.seed_text(cells.at(5), Encoding::Hex);
                let digits = cells.at(11);
                draft.digits(if digits.is_empty() || digits == "0" { "6" } else { digits });
                no_counter(draft);
                draft.hash_is(Hash::Sha1);
                None
            }
            Some(false) => Some(Skipped::OtherAlgorithm),
            // In its other format a private id of 0 stands for OATH.
            None if cells.at(2) == "0" => {
                draft.needed_serial(cells.at(0));
                draft.seed_text(cells.at(3), Encoding::Hex);
                draft.hash_is(Hash::Sha1);
                no_counter(draft);
                None
            }
            None if cells.at(2).is_empty() || is_yubico_private_id(cells.at(2)) => {
                Some(Skipped::OtherAlgorithm)
            }
            None => {
                draft.refuse(Field::Kind, Problem::Kind);
                None
            }
        }
    })
}

fn is_yubico_private_id(cell: &str) -> bool {
    cell.len() == 12 && cell.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Mode, Parameters},
        formats::{Parsed, parse},
    };

    const SEED: &str = "3132333435363738393031323334353637383930";
    const LONG: &str = "3132333435363738393031323334353637383930313233343536373839303132";

    fn read(text: &str, format: Format) -> Parsed {
        let parsed = parse(text.as_bytes(), None).unwrap();
        assert_eq!(parsed.format, format, "{text}");
        parsed
    }

    fn said(text: &str, format: Format) -> Parsed {
        parse(text.as_bytes(), Some(format)).unwrap()
    }

    #[test]
    fn privacyideas_columns_are_read_with_its_defaults() {
        let parsed = read(
            &format!(
                "# tokens\n0012345678901, {SEED}, TOTP, 8, 60\n0012345678902,{SEED},hotp,6,7\n0012345678903,{SEED},totp\n"
            ),
            Format::PrivacyIdeaCsv,
        );
        let parameters: Vec<_> = parsed.lines.iter().map(|line| line.stated.or_standard()).collect();
        let hotp = Parameters { mode: Mode::Hotp { counter: 7 }, ..Parameters::standard() };
        assert_eq!(
            parameters,
            [Parameters::totp(Hash::Sha1, Digits::EIGHT, Period::SIXTY), hotp, Parameters::standard()]
        );
        assert_eq!(parsed.lines[0].place, Place::Line(2));
        assert_eq!(parsed.lines[0].stated.hash, Some(Hash::Sha1), "20 bytes are SHA-1 in every release");
    }

    #[test]
    fn where_releases_disagree_about_the_hash_it_stays_open() {
        let parsed = said(
            &format!("1000,{LONG},TOTP,6,30\n1001,{},TOTP,6,30\n", "ab".repeat(28)),
            Format::PrivacyIdeaCsv,
        );
        assert!(parsed.lines[0].is_hash_open());
        assert_eq!(parsed.bad[0].problem, Problem::HashByLength { seed_len_bytes: 28, hash: "SHA-224" });
        let parsed = said(&format!("1000,{},TOTP,6,30\n", "ab".repeat(64)), Format::PrivacyIdeaCsv);
        assert_eq!(parsed.lines[0].stated.hash, Some(Hash::Sha512));
    }

    #[test]
    fn version_2_has_its_user_in_front() {
        let parsed = read(
            &format!(
                "# version: 2\nalice,resolver,realm,1000,{SEED},TOTP\nbob@example.com,r,q,1001,{SEED},TOTP,6,30\n"
            ),
            Format::PrivacyIdeaCsv,
        );
        let [alice, bob] = &parsed.lines[..] else { panic!("{:?}", parsed.bad) };
        assert_eq!((alice.upn.as_deref(), alice.account.as_deref()), (None, Some("alice")));
        assert_eq!(bob.upn.as_deref(), Some("bob@example.com"));
        assert_eq!(bob.serial.as_ref().unwrap().as_str(), "1001");
    }

    #[test]
    fn linotps_sixth_column_is_the_hash() {
        let parsed = read(&format!("1000,{LONG},totp,8,60,sha256\n1001,{SEED},totp\n"), Format::LinOtpCsv);
        assert_eq!(
            parsed.lines[0].stated.or_standard(),
            Parameters::totp(Hash::Sha256, Digits::EIGHT, Period::SIXTY)
        );
        assert_eq!(parsed.lines[1].stated.hash, Some(Hash::Sha1));
    }

    #[test]
    fn duos_lines_are_read_only_with_their_type() {
        let text = format!("1000,{SEED},30\n1001,{SEED},60\n");
        assert_eq!(parse(text.as_bytes(), None).unwrap_err(), FileError::KindOpen);
        let parsed = said(&text, Format::Duo(DuoType::Totp8));
        assert_eq!(
            parsed.lines[1].stated.or_standard(),
            Parameters::totp(Hash::Sha1, Digits::EIGHT, Period::SIXTY)
        );
        let parsed = said(&text, Format::Duo(DuoType::Hotp6));
        assert_eq!(parsed.lines[0].stated.counter, Some(30));
        let bare = said(&format!("1000,{SEED}\n"), Format::Duo(DuoType::Hotp6));
        assert_eq!(bare.lines[0].stated.counter, Some(0));
        assert!(bare.notes.iter().any(|note| note.kind == NoteKind::CounterNotStated));
    }

    #[test]
    fn serial_and_hex_seed_alone_are_asked_about() {
        let text = format!("1000,{SEED}\n1001,{SEED}\n");
        assert_eq!(parse(text.as_bytes(), None).unwrap_err(), FileError::KindOpen);
        let parsed = said(&text, Format::PrivacyIdeaCsv);
        assert_eq!(parsed.lines[0].stated.counter, Some(0), "its importer takes them for HOTP");
    }

    #[test]
    fn of_yubicos_logs_only_oath_keys_are_seeds() {
        let key = "a47c5bf9c152202f577be6721c0113af";
        let oath = "69cfb9202438ca68964ec3244bfa4843d073a43b";
        let parsed = read(
            &format!(
                "508326,cccccccccccc,83cebdfb7b93,{key},,2013-12-12T08:43:17,\n\
                 508327,,0,{oath},,2013-12-12T08:41:07,\n508328,,,{key},,2013-12-12T08:44:34,\n"
            ),
            Format::YubicoCsv,
        );
        let [line] = &parsed.lines[..] else { panic!("{:?} {:?}", parsed.bad, parsed.notes) };
        assert_eq!((line.place, line.stated.counter), (Place::Line(2), Some(0)));
        let skipped = NoteKind::Skipped(Skipped::OtherAlgorithm);
        let note = parsed.notes.iter().find(|note| note.kind == skipped).unwrap();
        assert_eq!((note.place, note.more), (Some(Place::Line(1)), 1));

        let parsed = read(
            &format!(
                "OATH-HOTP,11.12.13 18:55,1,cccccccccccc,,{oath},,,0,0,0,8,0,0,0,0,0,0\n\
                 Yubico OTP,12/11/2013 11:10,1,vvgutbiedkvi,ab86c04de6a3,{key},,,0,0,0,0,0,0,0,0,0,0\n"
            ),
            Format::YubicoCsv,
        );
        let [line] = &parsed.lines[..] else { panic!("{:?}", parsed.bad) };
        assert_eq!((line.serial.as_ref(), line.stated.digits), (None, Some(Digits::EIGHT)));
    }

    #[test]
    fn semicolons_short_rows_and_unknown_types_are_told() {
        let parsed = said(&format!("1000;{SEED};TOTP;6;30\n1001\n1002;{SEED};U2F\n"), Format::PrivacyIdeaCsv);
        assert_eq!(parsed.lines.len(), 1);
        let problems: Vec<_> =
            parsed.bad.iter().map(|bad| (bad.place.number(), bad.problem.clone())).collect();
        assert_eq!(problems, [(2, Problem::FewCells { cells: 1, least: 2 }), (3, Problem::Kind)]);
    }
}
