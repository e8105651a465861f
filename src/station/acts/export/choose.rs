//! Which profiles of which tokens go out, and why the others don't.

use super::super::super::core::Core;
use super::row;
use crate::{
    domain::{Profile, Proof, Seed, Serial},
    face::{ExportOptions, Failure, ProfileChoice},
    formats::{
        Place,
        out::{Loss, OutRow, Output},
    },
    remedy::Remedy,
    store::MappingRecord,
};
use std::collections::{BTreeMap, BTreeSet};

/// One that goes out.
pub(super) struct Chosen<'m> {
    pub(super) mapping: &'m MappingRecord,
    pub(super) seed: Seed,
}

/// Those that do, and a sentence for each of the others.
pub(super) struct Choice<'m> {
    pub(super) chosen: Vec<Chosen<'m>>,
    pub(super) left_out: Vec<String>,
}

/// Whether a person should have seen this token's code and hasn't.
pub(super) fn is_unproven(mapping: &MappingRecord) -> bool {
    mapping.wants_eyes && mapping.proof.as_ref().map(|p| p.proof) != Some(Proof::Seen)
}

pub(super) fn unproven(serial: &Serial) -> String {
    format!(
        "token {serial}: nobody has seen its code yet; prove it with \"kiln verify {serial} CODE\", or say --unproven"
    )
}

fn fits(choice: &ProfileChoice, mapping: &MappingRecord) -> bool {
    match choice {
        ProfileChoice::Number(number) => mapping.profile == *number,
        ProfileChoice::Title(title) => {
            mapping.title.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(title))
        }
    }
}

fn named(choice: &ProfileChoice) -> String {
    match choice {
        ProfileChoice::Number(number) => format!("profile {number}"),
        ProfileChoice::Title(title) => format!("profile called \"{title}\""),
    }
}

/// Goes through what the tokens hold, in order.
pub(super) fn choose<'m>(
    core: &Core,
    output: &Output,
    options: &ExportOptions,
    mappings: &'m [MappingRecord],
) -> Result<Choice<'m>, Failure> {
    let mut left_out = Vec::new();
    let mut chosen: Vec<Chosen<'m>> = Vec::new();
    let mut taken: BTreeMap<&Serial, Profile> = BTreeMap::new();
    let mut unseen = BTreeSet::new();
    for mapping in mappings {
        let (serial, profile) = (&mapping.serial, mapping.profile);
        if is_unproven(mapping) && !options.unproven {
            if unseen.insert(serial) {
                left_out.push(unproven(serial));
            }
            continue;
        }
        if options.profile.as_ref().is_some_and(|choice| !fits(choice, mapping)) {
            // It was asked for to stay out.
            continue;
        }
        if let Some(first) = taken.get(serial).filter(|_| output.takes_serial_once()) {
            left_out.push(format!(
                "token {serial}, profile {profile}: the format takes each serial once, and profile {first} is in; \
                 choose with --profile"
            ));
            continue;
        }
        let seed = core.seed(mapping.seed)?;
        let against = output.against(&row(mapping, &seed, &core.catalog));
        if !against.is_empty() {
            let why = |reason: &crate::formats::out::CannotCarry| {
                format!("token {serial}, profile {profile}: {reason}; {}", reason.remedy())
            };
            left_out.extend(against.iter().map(why));
            continue;
        }
        taken.insert(serial, profile);
        chosen.push(Chosen { mapping, seed });
    }
    if let Some(choice) = &options.profile {
        left_out.extend(lacking(choice, mappings, &unseen));
    }
    Ok(Choice { chosen, left_out })
}

/// A sentence for each token that has no such profile.
fn lacking(choice: &ProfileChoice, mappings: &[MappingRecord], unseen: &BTreeSet<&Serial>) -> Vec<String> {
    let having: BTreeSet<&Serial> =
        mappings.iter().filter(|mapping| fits(choice, mapping)).map(|mapping| &mapping.serial).collect();
    let mut told = BTreeSet::new();
    mappings
        .iter()
        .map(|mapping| &mapping.serial)
        .filter(|serial| !having.contains(serial) && !unseen.contains(serial) && told.insert(*serial))
        .map(|serial| format!("token {serial}: it has no {}", named(choice)))
        .collect()
}

/// What the format has no place for, a sentence for each kind of thing, with the lines.
pub(super) fn losses(output: &Output, rows: &[OutRow<'_>]) -> Vec<String> {
    let mut lines: BTreeMap<Loss, Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        for loss in output.losses(row) {
            lines.entry(loss).or_default().push(index);
        }
    }
    let all = rows.len();
    let sentence = |(loss, at): (Loss, Vec<usize>)| {
        let on = if at.len() == all && all > 1 { "all lines".to_owned() } else { ranges(output, &at) };
        format!("{on}: {loss}; {}", loss.remedy())
    };
    lines.into_iter().map(sentence).collect()
}

/// "line 2", "lines 2 to 5, 9 and 11".
fn ranges(output: &Output, indices: &[usize]) -> String {
    /// Ranges that are named.
    const NAMED: usize = 8;
    let mut runs: Vec<(u32, u32)> = Vec::new();
    let number = |index: &usize| output.place(*index).number();
    for at in indices.iter().map(number) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == at => *last = at,
            Some(_) | None => runs.push((at, at)),
        }
    }
    let word = match output.place(0) {
        Place::Line(_) => "line",
        _ => "entry",
    };
    let plural = match (indices.len(), word) {
        (1, word) => word,
        (_, "line") => "lines",
        (_, _) => "entries",
    };
    let mut said: Vec<String> = runs
        .iter()
        .take(NAMED)
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first} to {last}") })
        .collect();
    if runs.len() > NAMED {
        said.push(format!("… ({} in all)", indices.len()));
    }
    format!("{plural} {}", said.join(", "))
}
