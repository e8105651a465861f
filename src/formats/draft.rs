//! One seed on its way in, whatever format it comes from: every field is looked at, so that all faults of a line are
//! told at once.

use super::{
    BadLine, Field, Note, NoteKind, Place, Problem, Read, SeedLine,
    row::{clean, is_scientific, is_typographic_quote},
    text::is_blank,
};
use crate::domain::{
    Digits, Hash, Period, Seed, Serial, Stated,
    seed_text::{self, Encoding},
};

/// What is known of a line so far. Texts are cleaned of blanks around them; an empty one is as good as none.
pub(super) struct Draft {
    place: Place,
    serial: Option<Serial>,
    seed: Option<Seed>,
    pub(super) stated: Stated,
    upn: Option<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) account: Option<String>,
    bad: Vec<BadLine>,
    notes: Vec<Note>,
}

impl Draft {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            serial: None,
            seed: None,
            stated: Stated::default(),
            upn: None,
            manufacturer: None,
            model: None,
            issuer: None,
            account: None,
            bad: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn refuse(&mut self, field: impl Into<Option<Field>>, problem: Problem) {
        self.bad.push(BadLine { place: self.place, field: field.into(), problem });
    }

    pub(super) fn note(&mut self, field: Field, kind: NoteKind) {
        self.notes.push(Note::at(self.place, field, kind));
    }

    /// A field that may be empty.
    pub(super) fn optional<T>(
        &mut self,
        field: Field,
        text: &str,
        read: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        let text = clean(text);
        if text.is_empty() {
            return None;
        }
        match read(text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.refuse(field, problem);
                None
            }
        }
    }

    /// A field that may not.
    pub(super) fn needed<T>(
        &mut self,
        field: Field,
        text: &str,
        read: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        if clean(text).is_empty() {
            self.refuse(field, Problem::Empty);
            return None;
        }
        self.optional(field, text, read)
    }

    /// The serial, where there is one.
    pub(super) fn serial(&mut self, text: &str) {
        self.serial = self.optional(Field::Serial, text, read_serial);
    }

    /// The serial, which the format never goes without.
    pub(super) fn needed_serial(&mut self, text: &str) {
        self.serial = self.needed(Field::Serial, text, read_serial);
    }

    /// The seed's text in the encoding that format, header or column state.
    pub(super) fn seed_text(&mut self, text: &str, encoding: Encoding) {
        let read = self.needed(Field::Secret, text, |text| {
            if is_scientific(text) {
                return Err(Problem::RoundedSecret);
            }
            seed_text::decode(text, encoding).map_err(Problem::Seed)
        });
        let Some((seed, notes)) = read else { return };
        for note in notes {
            self.note(Field::Secret, NoteKind::Seed(note));
        }
        self.seed(seed);
    }

    /// The seed itself.
    pub(super) fn seed(&mut self, seed: Seed) {
        if seed.is_all_zero() {
            self.refuse(Field::Secret, Problem::SeedOfZeros);
        } else {
            self.seed = Some(seed);
        }
    }

    /// How long the seed is, where it could be read.
    pub(super) fn seed_len_bytes(&self) -> Option<usize> {
        self.seed.as_ref().map(Seed::len_bytes)
    }

    pub(super) fn hash(&mut self, text: &str) {
        self.stated.hash = self.optional(Field::Hash, text, |text| text.parse().map_err(|_| Problem::Hash));
    }

    pub(super) fn hash_is(&mut self, hash: Hash) {
        self.stated.hash = Some(hash);
    }

    pub(super) fn digits(&mut self, text: &str) {
        self.stated.digits = self.optional(Field::Digits, text, |text| {
            text.parse().ok().and_then(|n| Digits::new(n).ok()).ok_or(Problem::Digits)
        });
    }

    pub(super) fn period(&mut self, text: &str) {
        self.stated.period = self.optional(Field::Interval, text, read_period);
    }

    pub(super) fn needed_period(&mut self, text: &str) {
        self.stated.period = self.needed(Field::Interval, text, read_period);
    }

    /// Marks the seed as counter-based; its counter must be stated.
    pub(super) fn needed_counter(&mut self, text: &str) {
        if clean(text).is_empty() {
            return self.refuse(Field::Counter, Problem::NoCounter);
        }
        self.stated.counter =
            self.optional(Field::Counter, text, |text| text.parse().map_err(|_| Problem::Counter));
    }

    pub(super) fn manufacturer(&mut self, text: &str) {
        self.manufacturer = self.name(Field::Manufacturer, text);
    }

    pub(super) fn model(&mut self, text: &str) {
        self.model = self.name(Field::Model, text);
    }

    pub(super) fn issuer(&mut self, text: &str) {
        self.issuer = self.name(Field::Issuer, text);
    }

    pub(super) fn account(&mut self, text: &str) {
        self.account = self.name(Field::Account, text);
    }

    /// Free text.
    fn name(&mut self, field: Field, text: &str) -> Option<String> {
        let text = self.optional(field, text, |text| match odd_character(text) {
            Some(problem) => Err(problem),
            None => Ok(text.to_owned()),
        })?;
        if starts_formula(&text) {
            self.note(field, NoteKind::Formula);
        }
        Some(text)
    }

    /// A field that can only hold a user principal name.
    pub(super) fn upn(&mut self, text: &str) {
        self.upn = self.optional(Field::Upn, text, |text| match odd_character(text) {
            Some(problem) => Err(problem),
            None if is_upn(text) => Ok(text.to_owned()),
            None => Err(Problem::Upn),
        });
    }

    /// A field that names a user in a way of the format's own: a user principal name is one, anything else the account.
    pub(super) fn user(&mut self, text: &str) {
        let text = clean(text);
        if is_upn(text) && odd_character(text).is_none() {
            self.upn = Some(text.to_owned());
        } else if !text.is_empty() {
            self.account(text);
            self.note(Field::Account, NoteKind::UserIsAccount);
        }
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_good(&self) -> bool {
        self.bad.is_empty()
    }

    pub(super) fn finish(mut self, read: &mut Read) {
        read.serials.extend(self.serial.clone().map(|serial| (self.place, serial)));
        if self.seed.is_none() && self.is_good() {
            self.refuse(Field::Secret, Problem::Empty);
        }
        if let (Some(seed), true) = (self.seed, self.bad.is_empty()) {
            read.lines.push(SeedLine {
                place: self.place,
                serial: self.serial,
                seed,
                stated: self.stated,
                upn: self.upn,
                manufacturer: self.manufacturer,
                model: self.model,
                issuer: self.issuer,
                account: self.account,
            });
        }
        read.bad.append(&mut self.bad);
        read.notes.append(&mut self.notes);
    }
}

fn read_serial(text: &str) -> Result<Serial, Problem> {
    if is_scientific(text) {
        return Err(Problem::RoundedSerial);
    }
    text.parse().map_err(|_| Problem::Serial)
}

fn read_period(text: &str) -> Result<Period, Problem> {
    text.parse().ok().and_then(|s| Period::from_secs(s).ok()).ok_or(Problem::Period)
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
