//! What of a file is on record already, or is in it twice.

use super::{super::super::core::Core, planner::Said, together::Planned};
use crate::{
    domain::Serial,
    face::Failure,
    formats::Place,
    store::{Duplicate, DuplicateOf, Existing, ImportInto, ImportRefused, NewJob},
};
use std::{collections::BTreeSet, sync::Arc};

/// Leaves out of `planned` what is on record already, and says so line by line. Of a job of several lines those stay
/// that nothing is wrong with.
pub fn leave_out_duplicates(
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
