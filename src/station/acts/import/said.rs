//! What there is to say about the lines of a file, and which of them are left out.

use super::together::Planned;
use crate::{
    domain::Serial,
    face::{Failure, FailureKind, ImportLine},
    formats::{Parsed, Place, SeedLine},
    station::core::Core,
    store::{Duplicate, DuplicateOf, Existing, ImportInto, ImportRefused, NewJob},
};
use std::{collections::BTreeSet, sync::Arc};

/// What there is to say about single lines, and which of them are left out.
#[derive(Default)]
pub(super) struct Said {
    pub(super) lines: Vec<(Place, ImportLine)>,
    pub(super) refused: BTreeSet<Place>,
}

impl Said {
    fn say(
        &mut self,
        place: Place,
        field: Option<String>,
        problem: String,
        remedy: impl Into<String>,
        refused: bool,
    ) {
        let (line, remedy) = (place.number(), remedy.into());
        let said = ImportLine { line, place: place.to_string(), field, problem, remedy, refused };
        self.lines.push((place, said));
    }

    pub(super) fn refuse(
        &mut self,
        place: Place,
        field: impl Into<Option<String>>,
        problem: String,
        remedy: impl Into<String>,
    ) {
        self.refused.insert(place);
        self.say(place, field.into(), problem, remedy, true);
    }

    pub(super) fn warn(&mut self, place: Place, field: &str, problem: String, remedy: &str) {
        self.say(place, Some(field.to_owned()), problem, remedy, false);
    }
}

/// The serials of an order confirmation, against which a file is checked.
pub(super) struct Expected<'a> {
    serials: &'a [Serial],
    set: BTreeSet<&'a Serial>,
}

impl<'a> Expected<'a> {
    pub(super) fn new(serials: &'a [Serial]) -> Self {
        Self { serials, set: serials.iter().collect() }
    }

    /// Whether the line's token is one of them.
    pub(super) fn holds(&self, line: &SeedLine, said: &mut Said) -> bool {
        let holds = line.serial.as_ref().is_some_and(|serial| self.set.contains(serial));
        if !holds {
            let problem = match &line.serial {
                Some(serial) => format!("serial {serial} is not among those expected"),
                None => "the line names no serial to compare with those expected".to_owned(),
            };
            let remedy = "find out whether this token is yours: compare the order and the token's back";
            said.refuse(line.place, "serial number".to_owned(), problem, remedy);
        }
        holds
    }

    /// Those that the file doesn't hold on any line that could be read.
    pub(super) fn missing(&self, parsed: &Parsed) -> Vec<Serial> {
        let there: BTreeSet<&Serial> = parsed.lines.iter().filter_map(|line| line.serial.as_ref()).collect();
        self.serials.iter().filter(|serial| !there.contains(serial)).cloned().collect()
    }
}

/// Leaves out of `planned` what is on record already, and says so line by line. Of a job of several lines those stay
/// that nothing is wrong with.
pub(super) fn leave_out_duplicates(
    core: &Core,
    into: &ImportInto,
    mut planned: Vec<Planned>,
    said: &mut Said,
) -> Result<Vec<Planned>, Failure> {
    let jobs: Vec<NewJob> = planned.iter().map(|one| one.job.clone()).collect();
    let duplicates = match core.store.check_import(into, &Arc::new(jobs)) {
        Ok(()) => return Ok(planned),
        Err(ImportRefused::Duplicates(duplicates)) => duplicates,
        Err(other) => return Err(other.into()),
    };
    let mut out = BTreeSet::new();
    for duplicate in &duplicates {
        let Some(one) = planned.get(duplicate.job) else { continue };
        let places: BTreeSet<Place> = match duplicate.of {
            DuplicateOf::Seed(profile) => one.place_of(profile).into_iter().collect(),
            DuplicateOf::Serial => one.from.iter().map(|(_, place)| *place).collect(),
        };
        let where_else = where_else(&planned, one, duplicate);
        for place in &places {
            say_duplicate(*place, one.job.reserved.as_ref(), duplicate.of, &where_else, said);
        }
        out.extend(places);
    }
    for one in &mut planned {
        one.from.retain(|(_, place)| !out.contains(place));
        let Planned { job, from, .. } = one;
        job.entries.retain(|entry| from.iter().any(|(of, _)| *of == entry.profile));
    }
    planned.retain(|one| !one.job.entries.is_empty());
    Ok(planned)
}

fn where_else(planned: &[Planned], one: &Planned, duplicate: &Duplicate) -> String {
    let line = |at: usize| {
        let other = planned.get(at)?;
        match duplicate.of {
            DuplicateOf::Serial => other.from.first().map(|(_, place)| *place),
            DuplicateOf::Seed(profile) => {
                let seed = &one.job.entries.iter().find(|entry| entry.profile == profile)?.seed;
                let is_same = |fingerprint| fingerprint == seed.fingerprint;
                let twin = other.job.entries.iter().find(|entry| is_same(entry.seed.fingerprint))?;
                other.place_of(twin.profile)
            }
        }
    };
    match &duplicate.existing {
        Existing::SameImport(at) => match line(*at) {
            Some(place) => format!("on {place} of this file"),
            None => "in this file".to_owned(),
        },
        Existing::Batch(name) => format!("in batch \"{name}\""),
        Existing::Token(serial) => format!("on token {serial}"),
    }
}

fn say_duplicate(place: Place, serial: Option<&Serial>, of: DuplicateOf, where_else: &str, said: &mut Said) {
    let (field, problem, remedy) = match of {
        DuplicateOf::Seed(_) => (
            "secret key",
            format!("this seed is {where_else} already"),
            "a seed goes on one token only: take the line out, or ask where the file came from",
        ),
        DuplicateOf::Serial => (
            "serial number",
            match serial {
                Some(serial) => format!("serial {serial} is {where_else} already"),
                None => format!("this serial is {where_else} already"),
            },
            "take the line out, or end the other job first",
        ),
    };
    said.refuse(place, field.to_owned(), problem, remedy);
}

pub(super) fn bad_lines(
    file_name: &str,
    lines: &[ImportLine],
    bad: usize,
    good: usize,
    missing: &[Serial],
) -> Failure {
    let details = lines.iter().filter(|line| line.refused).map(|line| {
        let field = line.field.as_ref().map(|field| format!(", {field}")).unwrap_or_default();
        format!("{}{field}: {}; {}", line.place, line.problem, line.remedy)
    });
    let missing_details = missing
        .iter()
        .map(|serial| format!("serial {serial} is expected and not in the file; ask the vendor for it"));
    let and_missing = match missing.len() {
        0 => String::new(),
        missing => format!(", {missing} expected ones missing"),
    };
    Failure {
        kind: FailureKind::No,
        message: format!("{file_name}: {bad} bad, {good} good{and_missing}; nothing was imported"),
        remedy: if good == 0 {
            "correct the file; nothing in it can be used".into()
        } else {
            "correct the file, or take the good ones with --good-lines-only".into()
        },
        details: details.chain(missing_details).collect(),
    }
}
