//! What is written for people: the report of what was burned, and labels. No seed is opened for either.

use super::super::super::{core::Core, views};
use super::{Made, all_jobs, choose, model_label};
use crate::{
    domain::{JobState, Profile, Serial},
    face::{ExportOptions, Failure},
    formats::{
        out::label::{self, Label, Paper, Scan},
        report::{self, ReportRow},
    },
    store::{BatchSummary, MappingRecord},
};
use std::collections::BTreeSet;

/// One line for each profile that a job of the batch fills or was to fill; without a batch, for each burned profile.
pub(super) fn report(
    core: &Core,
    batch: Option<&BatchSummary>,
    mappings: &[MappingRecord],
) -> Result<Made, Failure> {
    let jobs = match batch {
        Some(batch) => all_jobs(core, batch)?,
        None => Vec::new(),
    };
    let mut rows = Vec::new();
    for mapping in mappings {
        // The reading that belongs to the burn was taken in the same transaction.
        let reading = core.store.reading_at(&mapping.serial, mapping.since)?;
        rows.push(ReportRow {
            serial: &mapping.serial,
            model: mapping.model.as_deref().unwrap_or("unknown"),
            profile: mapping.profile,
            title: mapping.title.as_deref(),
            upn: mapping.facts.upn.as_deref(),
            batch: mapping.batch.as_deref(),
            state: mapping.job.map(|_| JobState::Burned),
            proof: mapping.proof.as_ref().map(|p| p.proof),
            burned_at: mapping.job.map(|_| mapping.since),
            parameters: mapping.parameters,
            drift: reading.map(|r| views::drift(r.reading.drift_ms)),
            clock: reading.map(|r| r.clock),
        });
    }
    let tokens: BTreeSet<_> = mappings.iter().map(|mapping| &mapping.serial).collect();
    let left_out = jobs
        .iter()
        .filter(|job| job.state != JobState::Burned)
        .map(|job| {
            let serial = job.serial.as_ref().or(job.reserved.as_ref());
            let serial = serial.map_or_else(|| "no serial yet".to_owned(), |s| format!("token {s}"));
            format!("job {} ({serial}) is {}", job.id, job.state)
        })
        .collect();
    Ok(Made::for_people(report::write(&rows), tokens.len(), left_out))
}

/// A label for each token, in the order of the mappings.
pub(super) fn labels(
    core: &Core,
    mappings: &[MappingRecord],
    options: &ExportOptions,
    scan: Scan,
    paper: Paper,
) -> Made {
    let mut left_out = Vec::new();
    let mut told: BTreeSet<&Serial> = BTreeSet::new();
    let mut tokens: Vec<(&MappingRecord, Vec<(Profile, &str)>)> = Vec::new();
    for mapping in mappings {
        if choose::is_unproven(mapping) && !options.unproven {
            if told.insert(&mapping.serial) {
                left_out.push(choose::unproven(&mapping.serial));
            }
            continue;
        }
        let title = mapping.title.as_deref().map(|title| (mapping.profile, title));
        // The profiles of a token follow each other.
        match tokens.last_mut() {
            Some((first, titles)) if first.serial == mapping.serial => titles.extend(title),
            Some(_) | None => tokens.push((mapping, title.into_iter().collect())),
        }
    }
    let labels: Vec<Label<'_>> = tokens
        .iter()
        .map(|(mapping, titles)| Label {
            serial: &mapping.serial,
            model: model_label(mapping, &core.catalog),
            user: mapping.facts.upn.as_deref().or(mapping.facts.more.get("account").map(String::as_str)),
            titles,
        })
        .collect();
    Made::for_people(label::write(&labels, scan, paper), labels.len(), left_out)
}
