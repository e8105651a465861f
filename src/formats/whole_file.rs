//! What shows only when lines are compared with each other.

use super::{BadLine, Field, Format, Note, NoteKind, Parsed, Problem, Read};
use std::collections::{BTreeMap, HashMap};

/// Serials whose last digits a spreadsheet rounds away have at least this many: it keeps 15 significant ones.
const ROUNDED_FROM: usize = 16;

/// Takes out the lines that contradict another, adds what is odd about the file, and sorts.
pub(super) fn checked(format: Format, mut read: Read) -> Parsed {
    serials_twice(&mut read);
    serial_shapes(&mut read);
    seeds_twice(&mut read);
    let Read { lines, mut bad, notes, .. } = read;
    bad.sort_by_key(|bad| (bad.line, bad.field));
    let good = |line| lines.binary_search_by_key(&line, |l| l.line).is_ok();
    let notes = notes.into_iter().filter(|note| note.line.is_none_or(good)).collect();
    Parsed { format, notes: merged(notes), lines, bad }
}

/// Which of two lines with one serial is right, nobody can tell from the file: neither is taken.
fn serials_twice(read: &mut Read) {
    let mut first_lines = HashMap::new();
    let mut twins = BTreeMap::new();
    for (line, serial) in &read.serials {
        match first_lines.get(serial) {
            None => {
                first_lines.insert(serial, *line);
            }
            Some(first) => {
                twins.entry(*first).or_insert(*line);
                twins.insert(*line, *first);
            }
        }
    }
    read.lines.retain(|line| !twins.contains_key(&line.line));
    read.bad.extend(twins.into_iter().map(|(line, other_line)| BadLine {
        line,
        field: Some(Field::Serial),
        problem: Problem::SerialTwice { other_line },
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

/// Sorted by their bytes, equal seeds lie side by side: no second copy of any is made.
fn seeds_twice(read: &mut Read) {
    let mut by_seed: Vec<_> = read.lines.iter().collect();
    by_seed.sort_by(|a, b| (a.seed.expose(), a.line).cmp(&(b.seed.expose(), b.line)));
    let mut found = Vec::new();
    for same in by_seed.chunk_by(|a, b| a.seed.same_as(&b.seed)) {
        if let [first, others @ ..] = same {
            let other_line = first.line;
            found.extend(
                others
                    .iter()
                    .map(|twin| Note::on_line(twin.line, Field::Secret, NoteKind::SeedTwice { other_line })),
            );
        }
    }
    read.notes.extend(found);
}

/// Notes in the order of the file, those on the whole of it first. The same note on many lines becomes one, unless a
/// person has to decide about each.
fn merged(mut notes: Vec<Note>) -> Vec<Note> {
    notes.sort_by_key(|note| note.line);
    let mut kept: Vec<Note> = Vec::new();
    // Few kinds can be merged, so the list that is searched stays short however long the file is.
    let mut mergeable: Vec<usize> = Vec::new();
    for note in notes {
        if note.line.is_none() || note.kind.wants_consent() {
            kept.push(note);
            continue;
        }
        let same = |at: &&usize| kept[**at].kind == note.kind && kept[**at].field == note.field;
        match mergeable.iter().find(same).copied() {
            Some(at) => kept[at].more_lines += 1,
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
        BadLine { line, field: Some(Field::Serial), problem: Problem::SerialTwice { other_line } }
    }

    #[test]
    fn of_lines_with_one_serial_none_is_taken_and_each_names_another() {
        let parsed = file(&[("1000", A), ("1001", B), ("1000", C), ("1000", A)]);
        assert_eq!(parsed.bad, [twice(2, 4), twice(4, 2), twice(5, 2)]);
        assert_eq!(parsed.lines.iter().map(|l| l.line).collect::<Vec<_>>(), [3]);
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
        let note = Note::on_line(4, Field::Secret, NoteKind::SeedTwice { other_line: 2 });
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
    fn long_serials_that_all_end_in_zero_are_told() {
        let has = |parsed: Parsed| parsed.notes.iter().any(|note| note.kind == NoteKind::SerialsRounded);
        assert!(has(file(&[("8659622000123450", A), ("8659622000123460", B)])));
        assert!(!has(file(&[("8659622000123450", A), ("8659622000123461", B)])));
        assert!(!has(file(&[("8659622000123450", A)])));
        assert!(!has(file(&[("865962200012340", A), ("865962200012350", B)])));
    }

    #[test]
    fn the_same_note_on_many_lines_is_said_once() {
        let parsed =
            file(&[("1000", "jbswy3dpehpk3pxp"), ("1001", &B.to_lowercase()), ("1002", &C.to_lowercase())]);
        let lower: Vec<_> = parsed.notes.iter().filter(|n| n.to_string().contains("lower-case")).collect();
        assert_eq!(lower.len(), 1, "{:?}", parsed.notes);
        assert_eq!((lower[0].line, lower[0].more_lines), (Some(2), 2));
    }

    #[test]
    fn bad_lines_leave_no_notes() {
        let parsed = file(&[("1000", &A.to_lowercase()), ("1000", B)]);
        assert!(parsed.notes.iter().all(|note| note.line.is_none()), "{:?}", parsed.notes);
    }
}
