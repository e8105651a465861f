//! Reads Entra ID's hardware OATH CSV, as Microsoft documents it and as vendors and spreadsheets change it: the period's
//! column in both spellings, five columns without the user (Token2's "CSV for Azure"), columns in any order, semicolons
//! or tabs. Two columns that the format doesn't have are read where somebody added them, since they decide the code:
//! the hash and the number of digits.

use super::{
    BadLine, Field, FileError, Note, NoteKind, Problem, Read, SeedLine,
    row::{self, clean, is_scientific, is_typographic_quote},
    text::is_blank,
};
use crate::domain::{
    Digits, Hash, Period, Seed, Serial, Stated,
    seed_text::{self, Encoding},
};
use zeroize::Zeroizing;

/// SHA-1's seeds are of this length nearly always; the format has no column for the hash.
const USUAL_SHA1_BYTES: usize = 20;

/// What the first line says.
struct Header {
    separator: char,
    /// A column's meaning; `None` for one that isn't known or has no name.
    columns: Vec<Option<Field>>,
    /// The numbers, from 1, of columns with a name that isn't known.
    unknown: Vec<usize>,
}

/// Whether a line names the columns of such a file, all or enough of them to know what it is.
pub(super) fn is_header(line: &str) -> bool {
    [',', ';', '\t'].into_iter().filter_map(|separator| header(line, separator)).any(|h| h.is_plausible())
}

/// The separator that a spreadsheet's `sep=;` line states, which stands above the header.
pub(super) fn separator_line(line: &str) -> Option<char> {
    let mut rest = line.trim_matches('"').strip_prefix("sep=")?.chars();
    rest.next().filter(|separator| matches!(separator, ',' | ';' | '\t') && rest.next().is_none())
}

pub(super) fn read(text: &str) -> Result<Read, FileError> {
    let mut lines = (1u32..).zip(text.lines()).filter(|(_, line)| !clean(line).is_empty()).peekable();
    if lines.peek().is_some_and(|(_, line)| separator_line(line.trim_matches(is_blank)).is_some()) {
        lines.next();
    }
    let Some((_, first)) = lines.next() else { return Err(FileError::NoLines) };
    let header = [',', ';', '\t']
        .into_iter()
        .filter_map(|separator| header(first, separator))
        .max_by_key(Header::known)
        .filter(Header::is_plausible)
        .ok_or(FileError::NoHeader)?;
    header.check()?;

    let mut read = Read { notes: header.notes(), ..Read::default() };
    for (line, text) in lines {
        match row::split(text, header.separator) {
            Ok(cells) if cells.iter().all(|cell| cell.is_empty()) => {}
            Ok(cells) => Row::new(line, &header, &cells).read_into(&mut read),
            Err(row::BadQuote) => {
                read.bad.push(BadLine { line, field: None, problem: Problem::Quote });
            }
        }
    }
    Ok(read)
}

/// Reads names of columns without case, blanks, underscores and the like.
fn header(line: &str, separator: char) -> Option<Header> {
    let cells = row::split(line, separator).ok()?;
    let named = |cell: &str| -> Option<Field> {
        // Any line may be asked whether it is a header, one with a seed, too: the copy is wiped, and never grows.
        let mut folded = Zeroizing::new(String::with_capacity(cell.len()));
        folded.extend(cell.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()));
        match folded.as_str() {
            "upn" | "userprincipalname" => Some(Field::Upn),
            "serialnumber" | "serial" | "serialno" => Some(Field::Serial),
            "secretkey" => Some(Field::Secret),
            "timeinterval" | "timeintervalinseconds" => Some(Field::Interval),
            "manufacturer" => Some(Field::Manufacturer),
            "model" => Some(Field::Model),
            "hash" | "hashfunction" | "algorithm" => Some(Field::Hash),
            "digits" => Some(Field::Digits),
            _ => None,
        }
    };
    let columns: Vec<_> = cells.iter().map(|cell| named(cell)).collect();
    let unknown = (1..).zip(cells.iter().zip(&columns));
    let unknown = unknown.filter(|(_, (cell, field))| field.is_none() && !cell.is_empty());
    let unknown = unknown.map(|(number, _)| number).collect();
    Some(Header { separator, columns, unknown })
}

impl Header {
    fn known(&self) -> usize {
        self.columns.iter().flatten().count()
    }

    /// Two names by chance are not likely; in a row of data there are none.
    fn is_plausible(&self) -> bool {
        self.known() >= 2
    }

    fn has(&self, field: Field) -> bool {
        self.columns.contains(&Some(field))
    }

    fn check(&self) -> Result<(), FileError> {
        let named: Vec<Field> = self.columns.iter().copied().flatten().collect();
        let twice = named.iter().find(|field| named.iter().filter(|other| other == field).count() > 1);
        if let Some(field) = twice {
            return Err(FileError::ColumnTwice { field: *field });
        }
        let needed = [Field::Serial, Field::Secret, Field::Interval];
        let missing: Vec<Field> = needed.into_iter().filter(|field| !self.has(*field)).collect();
        if missing.is_empty() { Ok(()) } else { Err(FileError::MissingColumns { missing }) }
    }

    fn notes(&self) -> Vec<Note> {
        let separator = (self.separator != ',').then_some(NoteKind::Separator(self.separator));
        let upn = (!self.has(Field::Upn)).then_some(NoteKind::NoUpnColumn);
        let unknown = self.unknown.iter().map(|column| NoteKind::UnknownColumn { column: *column });
        separator.into_iter().chain(upn).chain(unknown).map(Note::on_file).collect()
    }
}

/// One line on its way: every cell is looked at, so that all its faults are told at once.
struct Row<'a> {
    line: u32,
    header: &'a Header,
    cells: &'a [Zeroizing<String>],
    bad: Vec<BadLine>,
    notes: Vec<Note>,
}

impl<'a> Row<'a> {
    fn new(line: u32, header: &'a Header, cells: &'a [Zeroizing<String>]) -> Self {
        Self { line, header, cells, bad: Vec::new(), notes: Vec::new() }
    }

    fn read_into(mut self, read: &mut Read) {
        let width = self.header.columns.len();
        let extra = self.cells.iter().skip(width).filter(|cell| !cell.is_empty()).count();
        if extra > 0 {
            self.bad.push(BadLine { line: self.line, field: None, problem: Problem::ExtraCells { extra } });
        }
        let upn = self.upn();
        let serial = self.serial();
        let seed = self.seed();
        let period = self.needed(Field::Interval, |cell| {
            cell.parse().ok().and_then(|s| Period::from_secs(s).ok()).ok_or(Problem::Period)
        });
        let manufacturer = self.name(Field::Manufacturer);
        let model = self.name(Field::Model);
        let hash = self.optional(Field::Hash, |cell| cell.parse::<Hash>().map_err(|_| Problem::Hash));
        let digits = self.optional(Field::Digits, |cell| {
            cell.parse().ok().and_then(|n| Digits::new(n).ok()).ok_or(Problem::Digits)
        });
        read.serials.extend(serial.clone().map(|serial| (self.line, serial)));
        if let (Some(serial), Some(seed), true) = (serial, seed, self.bad.is_empty()) {
            let seed_len_bytes = seed.len_bytes();
            if hash.is_none() && seed_len_bytes > USUAL_SHA1_BYTES {
                self.note(Field::Secret, NoteKind::HashNotStated { seed_len_bytes });
            }
            let stated = Stated { hash, digits, period, ..Stated::default() };
            read.lines.push(SeedLine {
                line: self.line,
                serial: Some(serial),
                seed,
                stated,
                upn,
                manufacturer,
                model,
                issuer: None,
                account: None,
            });
        }
        read.bad.append(&mut self.bad);
        read.notes.append(&mut self.notes);
    }

    fn cell(&self, field: Field) -> &'a str {
        let at = self.header.columns.iter().position(|column| *column == Some(field));
        at.and_then(|at| self.cells.get(at)).map_or("", |cell| cell.as_str())
    }

    fn note(&mut self, field: Field, kind: NoteKind) {
        self.notes.push(Note::on_line(self.line, field, kind));
    }

    fn optional<T>(&mut self, field: Field, read: impl FnOnce(&str) -> Result<T, Problem>) -> Option<T> {
        let cell = self.cell(field);
        if cell.is_empty() {
            return None;
        }
        match read(cell) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.bad.push(BadLine { line: self.line, field: Some(field), problem });
                None
            }
        }
    }

    fn needed<T>(&mut self, field: Field, read: impl FnOnce(&str) -> Result<T, Problem>) -> Option<T> {
        if self.cell(field).is_empty() {
            self.bad.push(BadLine { line: self.line, field: Some(field), problem: Problem::Empty });
        }
        self.optional(field, read)
    }

    fn serial(&mut self) -> Option<Serial> {
        self.needed(Field::Serial, |cell| {
            if is_scientific(cell) {
                return Err(Problem::RoundedSerial);
            }
            cell.parse().map_err(|_| Problem::Serial)
        })
    }

    fn seed(&mut self) -> Option<Seed> {
        let (seed, notes) = self.needed(Field::Secret, |cell| {
            if is_scientific(cell) {
                return Err(Problem::RoundedSecret);
            }
            let (seed, notes) = seed_text::decode(cell, Encoding::Base32).map_err(Problem::Seed)?;
            if seed.is_all_zero() { Err(Problem::SeedOfZeros) } else { Ok((seed, notes)) }
        })?;
        for note in notes {
            self.note(Field::Secret, NoteKind::Seed(note));
        }
        Some(seed)
    }

    /// Free text.
    fn name(&mut self, field: Field) -> Option<String> {
        let text = self.optional(field, |cell| match odd_character(cell) {
            Some(problem) => Err(problem),
            None => Ok(cell.to_owned()),
        })?;
        if starts_formula(&text) {
            self.note(field, NoteKind::Formula);
        }
        Some(text)
    }

    /// `user@domain`: one `@` with something on both sides, and no blanks.
    fn upn(&mut self) -> Option<String> {
        self.optional(Field::Upn, |cell| {
            if let Some(problem) = odd_character(cell) {
                return Err(problem);
            }
            if is_upn(cell) { Ok(cell.to_owned()) } else { Err(Problem::Upn) }
        })
    }
}

/// Whether a text has the form of a user principal name. What a tenant knows, only the tenant can say.
pub(super) fn is_upn(text: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"' | '\\' | '<' | '>');
    !starts_formula(text)
        && !text.contains(odd)
        && text
            .split_once('@')
            .is_some_and(|(user, domain)| !user.is_empty() && !domain.is_empty() && !domain.contains('@'))
}

/// Whether a spreadsheet would run the text.
pub(super) fn starts_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@'])
}

/// The first character that no name has: an invisible one (the ordinary blank excepted), a typographic quote, a control.
pub(super) fn odd_character(text: &str) -> Option<Problem> {
    let odd = |c: char| c != ' ' && (is_blank(c) || c.is_control() || is_typographic_quote(c));
    let (position, c) = (1..).zip(text.chars()).find(|(_, c)| odd(*c))?;
    Some(Problem::OddCharacter { position, code_point: c.into() })
}

#[cfg(test)]
mod tests;
