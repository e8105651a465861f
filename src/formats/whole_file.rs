//! What shows only when lines are compared with each other.

use super::{BadLine, Field, Format, LinesPerToken, Note, NoteKind, Parsed, Place, Problem, Read, SeedLine};
use crate::domain::Serial;
use std::collections::{BTreeMap, HashMap};

/// Serials whose last digits a spreadsheet rounds away have at least this many: it keeps 15 significant ones.
const ROUNDED_FROM: usize = 16;

/// Takes out the lines that contradict another, adds what is odd about the file, and sorts.
pub(super) fn checked(format: Format, mut read: Read, per_token: LinesPerToken) -> Parsed {
    match per_token {
        LinesPerToken::One => serials_twice(&mut read),
        LinesPerToken::Several => {}
    }
    short_serials(&mut read);
    serial_shapes(&mut read);
    seeds_twice(&mut read);
    seed_lengths(&mut read);
    let Read { lines, mut bad, notes, .. } = read;
    bad.sort_by_key(|bad| (bad.place, bad.field));
    let good = |place| lines.binary_search_by_key(&place, |l| l.place).is_ok();
    let is_kept = |note: &Note| note.kind.stands_alone() || note.place.is_none_or(good);
    let notes = notes.into_iter().filter(is_kept).collect();
    Parsed { format, notes: merged(notes), lines, bad }
}

/// Which of two lines with one serial is right, nobody can tell from the file: neither is taken.
fn serials_twice(read: &mut Read) {
    let mut first_lines = HashMap::new();
    let mut twins = BTreeMap::new();
    for (place, serial) in &read.serials {
        match first_lines.get(serial) {
            None => {
                first_lines.insert(serial, *place);
            }
            Some(first) => {
                twins.entry(*first).or_insert(*place);
                twins.insert(*place, *first);
            }
        }
    }
    read.lines.retain(|line| !twins.contains_key(&line.place));
    read.bad.extend(twins.into_iter().map(|(place, other)| BadLine {
        place,
        field: Some(Field::Serial),
        problem: Problem::SerialTwice { other },
    }));
}

/// Where the others begin with a zero, a shorter serial has lost its own: a spreadsheet took it for a number. How many
/// there were, nobody can tell from the file.
fn short_serials(read: &mut Read) {
    let mut lengths: BTreeMap<usize, (u32, u32)> = BTreeMap::new();
    for (_, serial) in &read.serials {
        let (all, with_zero) = lengths.entry(serial.as_str().len()).or_default();
        *all += 1;
        *with_zero += u32::from(serial.as_str().starts_with('0'));
    }
    let Some((usual, (all, with_zero))) = lengths.into_iter().max_by_key(|(_, (all, _))| *all) else {
        return;
    };
    if with_zero * 2 < all {
        return;
    }
    let is_short = |serial: &Serial| {
        let text = serial.as_str();
        text.len() < usual && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit())
    };
    let short: BTreeMap<Place, usize> = read
        .serials
        .iter()
        .filter(|(_, serial)| is_short(serial))
        .map(|(place, serial)| (*place, serial.as_str().len()))
        .collect();
    read.lines.retain(|line| !short.contains_key(&line.place));
    read.bad.extend(short.into_iter().map(|(place, digits)| BadLine {
        place,
        field: Some(Field::Serial),
        problem: Problem::ShortSerial { digits, usual },
    }));
}

fn serial_shapes(read: &mut Read) {
    let lengths = || read.serials.iter().map(|(_, serial)| serial.as_str().len());
    if let (Some(shortest), Some(longest)) = (lengths().min(), lengths().max())
        && shortest != longest
    {
        read.notes.push(Note::on_file(NoteKind::SerialLengths { shortest, longest }));
    }
    let mut long = read
        .serials
        .iter()
        .map(|(_, serial)| serial.as_str())
        .filter(|s| s.len() >= ROUNDED_FROM && s.bytes().all(|b| b.is_ascii_digit()))
        .peekable();
    // One serial ends in 0 by chance; several, all of them, don't.
    if long.peek().is_some() && long.clone().count() >= 2 && long.all(|serial| serial.ends_with('0')) {
        read.notes.push(Note::on_file(NoteKind::SerialsRounded));
    }
}

/// A vendor's file has seeds of one length nearly always; accounts from all over the world don't.
fn seed_lengths(read: &mut Read) {
    let lengths = || read.lines.iter().map(|line| line.seed.len_bytes());
    if read.lines.iter().all(|line| line.serial.is_some())
        && let (Some(shortest), Some(longest)) = (lengths().min(), lengths().max())
        && shortest != longest
    {
        read.notes.push(Note::on_file(NoteKind::SeedLengths { shortest, longest }));
    }
}

/// Sorted by their bytes, equal seeds lie side by side: no second copy of any is made.
fn seeds_twice(read: &mut Read) {
    let mut by_seed: Vec<_> = read.lines.iter().collect();
    by_seed.sort_by(|a, b| (a.seed.expose(), a.place).cmp(&(b.seed.expose(), b.place)));
    let mut found = Vec::new();
    for same in by_seed.chunk_by(|a, b| a.seed.same_as(&b.seed)) {
        if let [first, others @ ..] = same {
            let other = first.place;
            let note = |twin: &&SeedLine| Note::at(twin.place, Field::Secret, NoteKind::SeedTwice { other });
            found.extend(others.iter().map(note));
        }
    }
    read.notes.extend(found);
}

/// Notes in the order of the file, those on the whole of it first. The same note on many lines becomes one, unless a
/// person has to decide about each.
fn merged(mut notes: Vec<Note>) -> Vec<Note> {
    notes.sort_by_key(|note| note.place);
    let mut kept: Vec<Note> = Vec::new();
    // Few kinds can be merged, so the list that is searched stays short however long the file is.
    let mut mergeable: Vec<usize> = Vec::new();
    for note in notes {
        if note.place.is_none() || note.kind.wants_consent() {
            kept.push(note);
            continue;
        }
        let same = |at: &&usize| kept[**at].kind == note.kind && kept[**at].field == note.field;
        match mergeable.iter().find(same).copied() {
            Some(at) => kept[at].more += 1,
            None => {
                if mergeable.len() < 64 {
                    mergeable.push(kept.len());
                }
                kept.push(note);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::parse;

    /// Serial and seed of each line, below a header.
    fn file(rows: &[(&str, &str)]) -> Parsed {
        let mut text = "serial number,secret key,time interval\n".to_owned();
        for (serial, secret) in rows {
            text += &format!("{serial},{secret},30\n");
        }
        parse(text.as_bytes(), None).unwrap()
    }

    const A: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    const B: &str = "CZU6XXGHCCGCOL6YO3WW472WEWB34FVJ";
    const C: &str = "BDSJKOBSROXIGDQNWFFIENARAC6CHOCA";

    fn twice(line: u32, other_line: u32) -> BadLine {
        let (place, other) = (Place::Line(line), Place::Line(other_line));
        BadLine { place, field: Some(Field::Serial), problem: Problem::SerialTwice { other } }
    }

    #[test]
    fn of_lines_with_one_serial_none_is_taken_and_each_names_another() {
        let parsed = file(&[("1000", A), ("1001", B), ("1000", C), ("1000", A)]);
        assert_eq!(parsed.bad, [twice(2, 4), twice(4, 2), twice(5, 2)]);
        assert_eq!(parsed.lines.iter().map(|l| l.place.number()).collect::<Vec<_>>(), [3]);
        assert_eq!(parsed.bad_lines(), 3);
    }

    #[test]
    fn a_bad_line_counts_when_serials_are_compared() {
        let parsed = file(&[("1000", "8"), ("1000", A)]);
        assert!(parsed.bad.contains(&twice(3, 2)), "{:?}", parsed.bad);
        assert!(parsed.lines.is_empty());
    }

    #[test]
    fn the_same_seed_twice_is_told_and_kept() {
        let parsed = file(&[("1000", A), ("1001", B), ("1002", A)]);
        assert_eq!(parsed.lines.len(), 3);
        let note = Note::at(Place::Line(4), Field::Secret, NoteKind::SeedTwice { other: Place::Line(2) });
        assert!(parsed.notes.contains(&note) && note.kind.wants_consent());
    }

    #[test]
    fn serials_of_unequal_length_are_told() {
        let has = |parsed: Parsed| {
            parsed.notes.contains(&Note::on_file(NoteKind::SerialLengths { shortest: 4, longest: 6 }))
        };
        assert!(has(file(&[("001000", A), ("1001", B)])));
        assert!(!has(file(&[("001000", A), ("001001", B)])));
    }

    #[test]
    fn a_serial_without_the_zero_that_the_others_have_is_refused() {
        let parsed = file(&[("0012345678901", A), ("0012345678902", B), ("12345678903", C)]);
        let problem = Problem::ShortSerial { digits: 11, usual: 13 };
        assert_eq!(parsed.bad, [BadLine { place: Place::Line(4), field: Some(Field::Serial), problem }]);
        assert_eq!(parsed.lines.len(), 2);
        // Two kinds of tokens, none of which has a zero to lose.
        assert_eq!(file(&[("8659610000001", A), ("8659610000002", B), ("72102935", C)]).bad, []);
    }

    #[test]
    fn long_serials_that_all_end_in_zero_are_told() {
        let has = |parsed: Parsed| parsed.notes.iter().any(|note| note.kind == NoteKind::SerialsRounded);
        assert!(has(file(&[("8659622000123450", A), ("8659622000123460", B)])));
        assert!(!has(file(&[("8659622000123450", A), ("8659622000123461", B)])));
        assert!(!has(file(&[("8659622000123450", A)])));
        assert!(!has(file(&[("865962200012340", A), ("865962200012350", B)])));
    }

    #[test]
    fn seeds_of_several_lengths_are_told_where_tokens_are_delivered() {
        let has = |parsed: Parsed| {
            parsed.notes.contains(&Note::on_file(NoteKind::SeedLengths { shortest: 10, longest: 20 }))
        };
        assert!(has(file(&[("1000", A), ("1001", "JBSWY3DPEHPK3PXP")])));
        assert!(!has(file(&[("1000", A), ("1001", B)])));
        let accounts = format!("otpauth://totp/a?secret={A}\notpauth://totp/b?secret=JBSWY3DPEHPK3PXP\n");
        assert!(!has(parse(accounts.as_bytes(), None).unwrap()));
    }

    #[test]
    fn the_same_note_on_many_lines_is_said_once() {
        let parsed =
            file(&[("1000", "jbswy3dpehpk3pxp"), ("1001", &B.to_lowercase()), ("1002", &C.to_lowercase())]);
        let lower: Vec<_> = parsed.notes.iter().filter(|n| n.to_string().contains("lower-case")).collect();
        assert_eq!(lower.len(), 1, "{:?}", parsed.notes);
        assert_eq!((lower[0].place, lower[0].more), (Some(Place::Line(2)), 2));
    }

    #[test]
    fn bad_lines_leave_no_notes() {
        let parsed = file(&[("1000", &A.to_lowercase()), ("1000", B)]);
        assert!(parsed.notes.iter().all(|note| note.place.is_none()), "{:?}", parsed.notes);
    }
}
