//! What of a file is on record already, or is in it twice.

use super::{super::super::core::Core, planner::Said};
use crate::{
    domain::Serial,
    face::Failure,
    formats::Place,
    store::{Duplicate, DuplicateOf, Existing, ImportInto, ImportRefused, NewJob},
};
use std::{collections::BTreeSet, sync::Arc};

/// Leaves out of `jobs`, which come from `places`, what is on record already, and says so line by line.
pub fn leave_out_duplicates(
    core: &Core,
    into: &ImportInto,
    jobs: Vec<NewJob>,
    places: &[Place],
    said: &mut Said,
) -> Result<Vec<NewJob>, Failure> {
    let jobs = Arc::new(jobs);
    let checked = core.store.check_import(into, &jobs);
    let jobs = Arc::try_unwrap(jobs).unwrap_or_else(|shared| shared.to_vec());
    let duplicates = match checked {
        Ok(()) => return Ok(jobs),
        Err(ImportRefused::Duplicates(duplicates)) => duplicates,
        Err(other) => return Err(other.into()),
    };
    let mut out = BTreeSet::new();
    for duplicate in &duplicates {
        let serial = jobs.get(duplicate.job).and_then(|job| job.reserved.as_ref());
        out.insert(duplicate.job);
        if let Some(place) = places.get(duplicate.job) {
            say_duplicate(*place, serial, duplicate, places, said);
        }
    }
    let kept = jobs.into_iter().enumerate().filter(|(at, _)| !out.contains(at));
    Ok(kept.map(|(_, job)| job).collect())
}

fn say_duplicate(
    place: Place,
    serial: Option<&Serial>,
    duplicate: &Duplicate,
    places: &[Place],
    said: &mut Said,
) {
    let where_else = match &duplicate.existing {
        Existing::SameImport(at) => match places.get(*at) {
            Some(other) => format!("on {other} of this file"),
            None => "in this file".to_owned(),
        },
        Existing::Batch(name) => format!("in batch \"{name}\""),
        Existing::Token(serial) => format!("on token {serial}"),
    };
    let (field, problem, remedy) = match duplicate.of {
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
