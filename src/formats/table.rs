//! Tables whose first line names the columns. First among them Entra ID's hardware OATH CSV, as Microsoft documents it
//! and as vendors and spreadsheets change it: the period's column in both spellings, five columns without the user
//! (Token2's "CSV for Azure"), columns in any order, semicolons or tabs. Columns that the format doesn't have are read
//! where somebody added them, since they decide the code: hash, digits, type, counter.
//!
//! Other tables (Okta's fields, a vendor's factory file, what Deepnet's tools write) have the same columns under other
//! names. Where their header doesn't say how the seeds are spelled, the whole column decides; where that leaves more
//! than one spelling, nothing is read.

use super::{
    BadLine, Field, FileError, Format, Hints, Note, NoteKind, Place, Problem, Read,
    draft::Draft,
    row::{self, clean},
    text::is_blank,
};
use crate::domain::seed_text::{self, Encoding, Recognised};
use zeroize::Zeroizing;

const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// A column that is known: what stands in it, and for seeds how it is spelled, where its name says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Column {
    field: Field,
    encoding: Option<Encoding>,
    whose: Whose,
}

/// Who calls a column so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Many,
    Entra,
    Okta,
}

/// What the first line says.
struct Header {
    separator: char,
    /// A column's meaning; `None` for one that isn't known or has no name.
    columns: Vec<Option<Column>>,
    /// The numbers, from 1, of columns with a name that isn't known.
    unknown: Vec<usize>,
}

/// The format of a table by the line that names its columns, all or enough of them to know what it is.
pub(super) fn format_of_header(line: &str) -> Option<Format> {
    let header = best_header(line)?;
    let has = |whose| header.columns.iter().flatten().any(|column| column.whose == whose);
    if has(Whose::Okta) {
        return Some(Format::OktaCsv);
    }
    let entras = [Field::Interval, Field::Upn, Field::Model].into_iter().any(|field| header.has(field));
    let counted = header.has(Field::Counter) || header.has(Field::Kind);
    // Without any seed it is the upload's form all the same, and what is missing will be said.
    let is_entras = (has(Whose::Entra) || !header.has(Field::Secret)) && entras && !counted;
    Some(if is_entras { Format::EntraCsv } else { Format::SeedTable })
}

/// The separator that a spreadsheet's `sep=;` line states, which stands above the header.
pub(super) fn separator_line(line: &str) -> Option<char> {
    let mut rest = line.trim_matches('"').strip_prefix("sep=")?.chars();
    rest.next().filter(|separator| SEPARATORS.contains(separator) && rest.next().is_none())
}

/// Reads a table as `format` (one of those that have columns), with what the caller knows besides.
pub(super) fn read(text: &str, format: Format, hints: &Hints<'_>) -> Result<Read, FileError> {
    let mut lines = (1u32..).zip(text.lines()).filter(|(_, line)| !clean(line).is_empty()).peekable();
    if lines.peek().is_some_and(|(_, line)| separator_line(line.trim_matches(is_blank)).is_some()) {
        lines.next();
    }
    let Some((_, first)) = lines.peek().copied() else { return Err(FileError::NoLines) };
    let stated = best_header(first);
    let deepnet = matches!(format, Format::DeepnetTime | Format::DeepnetCounter);
    let header = match (hints.columns, stated) {
        (Some(columns), stated) => {
            if stated.is_some() {
                lines.next();
            }
            let separator = best_separator(first, columns.split(',').count());
            Header { separator, ..header_said(columns)? }
        }
        (None, Some(stated)) => {
            lines.next();
            stated
        }
        // What Deepnet's programmer takes and writes: serial and secret.
        (None, None) if deepnet => {
            Header { separator: best_separator(first, 2), ..header_said("serial,secret")? }
        }
        (None, None) => return Err(FileError::NoHeader),
    };
    header.check(format)?;

    let (encoding, decided) = match hints.encoding.or(header.encoding()) {
        Some(stated) => (stated, None),
        None => {
            let decided = decide(lines.clone().map(|(_, line)| line), &header)?;
            (decided, Some(NoteKind::ReadAs { encoding: decided }))
        }
    };
    let mut read = Read { notes: header.notes(format), ..Read::default() };
    read.notes.extend(decided.map(Note::on_file));
    for (line, text) in lines {
        let place = Place::Line(line);
        match row::split(text, header.separator) {
            Ok(cells) if cells.iter().all(|cell| cell.is_empty()) => {}
            Ok(cells) => Row { header: &header, cells: &cells, format, encoding }.read_into(place, &mut read),
            Err(row::BadQuote) => {
                read.bad.push(BadLine { place, field: None, problem: Problem::Quote });
            }
        }
        read.is_bearable()?;
    }
    // A header of a table that states no period on any line, which for Entra ID can't be.
    if read.lines.iter().any(|line| line.stated.counter.is_none() && line.stated.period.is_none()) {
        read.notes.push(Note::on_file(NoteKind::PeriodNotStated));
    }
    Ok(read)
}

/// The separator that cuts `line` into the expected number of cells, else the one that is most frequent.
fn best_separator(line: &str, expected: usize) -> char {
    let cells = |separator: &char| row::split(line, *separator).map_or(0, |cells| cells.len());
    SEPARATORS
        .into_iter()
        .find(|separator| cells(separator) == expected)
        .or_else(|| SEPARATORS.into_iter().max_by_key(cells))
        .unwrap_or(',')
}

fn best_header(line: &str) -> Option<Header> {
    SEPARATORS
        .into_iter()
        .filter_map(|separator| header(line, separator))
        .max_by_key(Header::known)
        .filter(Header::is_plausible)
}

/// Columns that a person names in order; `-` stands for one to be left out.
fn header_said(columns: &str) -> Result<Header, FileError> {
    let mut header = header(columns, ',').ok_or(FileError::ColumnsSaid)?;
    let cells: Vec<&str> = columns.split(',').map(str::trim).collect();
    header.unknown.retain(|number| cells.get(number - 1) != Some(&"-"));
    let is_whole = header.unknown.is_empty() && header.has(Field::Secret);
    if is_whole { Ok(header) } else { Err(FileError::ColumnsSaid) }
}

/// Reads names of columns without case, blanks, underscores and the like.
fn header(line: &str, separator: char) -> Option<Header> {
    let cells = row::split(line, separator).ok()?;
    let columns: Vec<_> = cells.iter().map(|cell| column_named(cell)).collect();
    let unknown = (1..).zip(cells.iter().zip(&columns));
    let unknown = unknown.filter(|(_, (cell, column))| column.is_none() && !cell.is_empty());
    let unknown = unknown.map(|(number, _)| number).collect();
    Some(Header { separator, columns, unknown })
}

fn column_named(cell: &str) -> Option<Column> {
    // Any line may be asked whether it is a header, one with a seed, too: the copy is wiped, and never grows.
    let mut folded = Zeroizing::new(String::with_capacity(cell.len()));
    folded.extend(cell.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()));
    let plain = |field| Some(Column { field, encoding: None, whose: Whose::Many });
    let seed = |encoding| Some(Column { field: Field::Secret, encoding, whose: Whose::Many });
    let oktas = |field| Some(Column { field, encoding: None, whose: Whose::Okta });
    let entras = |encoding| Some(Column { field: Field::Secret, encoding, whose: Whose::Entra });
    match folded.as_str() {
        "upn" | "userprincipalname" => plain(Field::Upn),
        "user" | "username" | "login" | "email" | "account" => plain(Field::Account),
        "issuer" => plain(Field::Issuer),
        "serialnumber" | "serial" | "serialno" | "sn" | "tokenserial" | "tokenserialnumber" => {
            plain(Field::Serial)
        }
        // Entra ID's name for it, and so for all who follow it: base32 by Microsoft's page.
        "secretkey" => entras(Some(Encoding::Base32)),
        "base32" | "secretbase32" | "seedbase32" | "base32secret" | "base32seed" | "secretkeybase32" => {
            seed(Some(Encoding::Base32))
        }
        "hex" | "secrethex" | "seedhex" | "hexsecret" | "hexseed" | "hexkey" | "keyhex" | "secretkeyhex" => {
            seed(Some(Encoding::Hex))
        }
        "base64" | "secretbase64" | "seedbase64" | "base64secret" | "base64seed" | "secretkeybase64" => {
            seed(Some(Encoding::Base64))
        }
        "secret" | "seed" | "key" | "otpkey" | "otpseed" | "tokenseed" | "tokenkey" => seed(None),
        "sharedsecret" => oktas(Field::Secret),
        "factorprofileid" => oktas(Field::Policy),
        "timeinterval" | "timeintervalinseconds" | "interval" | "period" | "timestep" | "step" => {
            plain(Field::Interval)
        }
        "counter" | "movingfactor" => plain(Field::Counter),
        "type" | "tokentype" | "otptype" | "kind" => plain(Field::Kind),
        "manufacturer" => plain(Field::Manufacturer),
        "model" => plain(Field::Model),
        "hash" | "hashfunction" | "algorithm" => plain(Field::Hash),
        "digits" | "otplength" | "otplen" | "codelength" => plain(Field::Digits),
        _ => None,
    }
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
        self.at(field).is_some()
    }

    fn at(&self, field: Field) -> Option<usize> {
        self.columns.iter().position(|column| column.is_some_and(|column| column.field == field))
    }

    fn encoding(&self) -> Option<Encoding> {
        self.columns.iter().flatten().find(|column| column.field == Field::Secret)?.encoding
    }

    fn check(&self, format: Format) -> Result<(), FileError> {
        let named: Vec<Field> = self.columns.iter().flatten().map(|column| column.field).collect();
        let twice = named.iter().find(|field| named.iter().filter(|other| other == field).count() > 1);
        if let Some(field) = twice {
            return Err(FileError::ColumnTwice { field: *field });
        }
        let needed: &[Field] = match format {
            Format::EntraCsv => &[Field::Serial, Field::Secret, Field::Interval],
            Format::DeepnetTime | Format::DeepnetCounter => &[Field::Serial, Field::Secret],
            _ => &[Field::Secret],
        };
        let missing: Vec<Field> = needed.iter().copied().filter(|field| !self.has(*field)).collect();
        if missing.is_empty() { Ok(()) } else { Err(FileError::MissingColumns { missing }) }
    }

    fn notes(&self, format: Format) -> Vec<Note> {
        let separator = (self.separator != ',').then_some(NoteKind::Separator(self.separator));
        let upn = (format == Format::EntraCsv && !self.has(Field::Upn)).then_some(NoteKind::NoUpnColumn);
        let unknown = self.unknown.iter().map(|column| NoteKind::UnknownColumn { column: *column });
        separator.into_iter().chain(upn).chain(unknown).map(Note::on_file).collect()
    }
}

/// The one spelling that the whole column of seeds has. A seed in another than the rest is a bad line, and no reason
/// to doubt the others.
fn decide<'t>(rows: impl Iterator<Item = &'t str>, header: &Header) -> Result<Encoding, FileError> {
    let Some(at) = header.at(Field::Secret) else { return Err(FileError::NoHeader) };
    let mut counts = [0u32; Encoding::ALL.len()];
    let mut either = 0u32;
    for line in rows {
        let Ok(cells) = row::split(line, header.separator) else { continue };
        let Some(cell) = cells.get(at).filter(|cell| !cell.is_empty()) else { continue };
        match seed_text::recognise(cell) {
            Recognised::Seed { encoding, .. } => {
                let place = Encoding::ALL.iter().position(|known| *known == encoding).unwrap_or_default();
                counts[place] += 1;
            }
            // Letters A to F and digits 2 to 7 alone, or digits alone: hex as well as something else.
            Recognised::Refused(_) if seed_text::decode(cell, Encoding::Hex).is_ok() => either += 1,
            Recognised::KeyUri | Recognised::Refused(_) => {}
        }
    }
    let best = (0..counts.len()).max_by_key(|at| counts[*at]).unwrap_or_default();
    let others: u32 = counts.iter().sum::<u32>() - counts[best];
    // A tenth of a column is more than typing errors.
    if counts[best] > 0 && others <= counts[best] / 10 {
        return Ok(Encoding::ALL[best]);
    }
    let fits: Vec<Encoding> = if counts[best] == 0 && either > 0 {
        vec![Encoding::Base32, Encoding::Hex]
    } else {
        Encoding::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0).map(|(e, _)| e).collect()
    };
    // Nothing that could be a seed: each line says what is wrong with it, read as the most usual spelling.
    if fits.is_empty() { Ok(Encoding::Base32) } else { Err(FileError::EncodingOpen { fits }) }
}

/// One line.
struct Row<'a> {
    header: &'a Header,
    cells: &'a [Zeroizing<String>],
    format: Format,
    encoding: Encoding,
}

impl Row<'_> {
    fn cell(&self, field: Field) -> &str {
        self.header.at(field).and_then(|at| self.cells.get(at)).map_or("", |cell| cell.as_str())
    }

    fn read_into(&self, place: Place, read: &mut Read) {
        let mut draft = Draft::new(place);
        let width = self.header.columns.len();
        let extra = self.cells.iter().skip(width).filter(|cell| !cell.is_empty()).count();
        if extra > 0 {
            draft.refuse(None, Problem::ExtraCells { extra });
        }
        draft.upn(self.cell(Field::Upn));
        if self.header.has(Field::Account) {
            draft.user(self.cell(Field::Account));
        }
        draft.issuer(self.cell(Field::Issuer));
        if self.header.has(Field::Serial) {
            draft.needed_serial(self.cell(Field::Serial));
        }
        draft.seed_text(self.cell(Field::Secret), self.encoding);
        draft.manufacturer(self.cell(Field::Manufacturer));
        draft.model(self.cell(Field::Model));
        draft.hash(self.cell(Field::Hash));
        draft.digits(self.cell(Field::Digits));
        match self.counts(&mut draft) {
            Some(true) if self.format == Format::DeepnetCounter && self.cell(Field::Counter).is_empty() => {
                draft.stated.counter = Some(0);
                draft.note(Field::Counter, NoteKind::CounterNotStated);
            }
            Some(true) => draft.needed_counter(self.cell(Field::Counter)),
            Some(false) if self.format == Format::EntraCsv => draft.needed_period(self.cell(Field::Interval)),
            Some(false) => draft.period(self.cell(Field::Interval)),
            None => {}
        }
        draft.finish(read);
    }

    /// Whether the seed is counter-based; `None`: the line says something else of its type.
    fn counts(&self, draft: &mut Draft) -> Option<bool> {
        let kind = self.cell(Field::Kind);
        if kind.is_empty() {
            let counter_alone =
                !self.cell(Field::Counter).is_empty() && self.cell(Field::Interval).is_empty();
            return Some(counter_alone || self.format == Format::DeepnetCounter);
        }
        draft.optional(Field::Kind, kind, counter_based)
    }
}

/// Whether a type's name means counter-based codes.
pub(super) fn counter_based(kind: &str) -> Result<bool, Problem> {
    let is = |words: &[&str]| words.iter().any(|word| kind.eq_ignore_ascii_case(word));
    if is(&["totp", "oath-totp", "time", "time-based", "tb"]) {
        Ok(false)
    } else if is(&["hotp", "oath-hotp", "hmac", "event", "event-based", "counter", "eb"]) {
        Ok(true)
    } else {
        Err(Problem::Kind)
    }
}

#[cfg(test)]
mod tests;
