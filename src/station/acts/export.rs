//! What a login server or an auditor is owed.

use super::super::{core::Core, failure::failure, views};
use crate::{
    domain::{Proof, Seed, catalog::Catalog},
    face::{ExportFormat, Exported, Failure, FailureKind, Reply, SecretBytes},
    formats::{
        entra::{self, EntraRow, SpellingOfInterval},
        report::{self, ReportRow},
    },
    remedy::Remedy,
    store::{self, BatchSummary, JobRecord, MappingRecord},
};
use std::collections::BTreeSet;

/// Jobs that are read at once for a report.
const JOBS_AT_ONCE: u32 = 1000;

/// Writes the tokens of `batch` (of all batches, where there is none), or those of the inventory that were delivered with
/// their seeds, in `format`.
pub fn export(
    core: &Core,
    format: ExportFormat,
    batch: Option<&str>,
    inventory: bool,
    unproven: bool,
    who: &str,
) -> Result<Reply, Failure> {
    let batch = batch
        .map(|name| core.store.batch_by_name(name)?.ok_or_else(|| super::batch::no_batch(name)))
        .transpose()?;
    let mappings = if inventory {
        core.store.delivered_mappings()?
    } else {
        core.store.burned_mappings(batch.as_ref().map(|batch| batch.id))?
    };
    let file = match format {
        ExportFormat::EntraCsv { old_interval_column } => {
            let spelling =
                if old_interval_column { SpellingOfInterval::Older } else { SpellingOfInterval::Current };
            entra_csv(core, &mappings, unproven, spelling)?
        }
        ExportFormat::Report => report_csv(core, batch.as_ref(), &mappings)?,
    };
    let detail = serde_json::json!({
        "format": format,
        "batch": batch.as_ref().map(|batch| &batch.name),
        "tokens": file.tokens,
        "left_out": file.left_out.len(),
        "inventory": inventory,
        "unproven": unproven,
    });
    let head = core.store.audit_append("exported", None, detail, &core.stamp(who))?;
    Ok(Reply::Exported(Exported {
        content: file.content,
        tokens: file.tokens,
        left_out: file.left_out,
        anchor: views::audit_head(&head),
    }))
}

struct Made {
    content: SecretBytes,
    tokens: u32,
    left_out: Vec<String>,
}

/// Entra wants each serial once, so of a multi-profile token the first profile that the format can carry goes in, and
/// the others are named.
fn entra_csv(
    core: &Core,
    mappings: &[MappingRecord],
    unproven: bool,
    spelling: SpellingOfInterval,
) -> Result<Made, Failure> {
    let mut left_out = Vec::new();
    let mut chosen: Vec<(&MappingRecord, Seed)> = Vec::new();
    let mut serials = BTreeSet::new();
    for mapping in mappings {
        let serial = &mapping.serial;
        if mapping.wants_eyes && !unproven && mapping.proof.as_ref().map(|p| p.proof) != Some(Proof::Seen) {
            left_out.push(format!(
                "token {serial}: nobody has seen its code yet; prove it with \"kiln verify {serial} CODE\", or say --unproven"
            ));
            continue;
        }
        if serials.contains(serial) {
            left_out.push(format!(
                "token {serial}, profile {}: the format takes each serial once",
                mapping.profile
            ));
            continue;
        }
        let seed = core.seed(mapping.seed)?;
        if let Err(refusals) = entra::write(&[row(mapping, &seed, &core.catalog)], spelling) {
            left_out.extend(refusals.iter().map(|refusal| {
                format!(
                    "token {serial}, profile {}: {}; {}",
                    mapping.profile,
                    refusal.reason,
                    refusal.remedy()
                )
            }));
            continue;
        }
        serials.insert(serial);
        chosen.push((mapping, seed));
    }
    let rows: Vec<EntraRow<'_>> =
        chosen.iter().map(|(mapping, seed)| row(mapping, seed, &core.catalog)).collect();
    let bytes = entra::write(&rows, spelling).map_err(|refusals| Failure {
        details: refusals.iter().map(ToString::to_string).collect(),
        ..failure(FailureKind::No, "Entra ID's CSV can't carry these tokens", "export them in another format")
    })?;
    Ok(Made { content: SecretBytes::new(&bytes[..]), tokens: count(rows.len()), left_out })
}

fn row<'a>(mapping: &'a MappingRecord, seed: &'a Seed, catalog: &'a Catalog) -> EntraRow<'a> {
    let said = |column: &str| mapping.facts.more.get(column).map(String::as_str);
    let model = mapping.model.as_deref().and_then(|name| catalog.model(name));
    EntraRow {
        upn: mapping.facts.upn.as_deref(),
        serial: &mapping.serial,
        seed,
        parameters: mapping.parameters,
        manufacturer: said("manufacturer").or_else(|| model.map(|m| m.maker.as_str())).unwrap_or("unknown"),
        model: said("model").or_else(|| model.map(|m| m.label.as_str())).unwrap_or("unknown"),
    }
}

/// One line for each profile that a job of the batch fills or was to fill; without a batch, for each burned profile.
fn report_csv(
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
            state: mapping.job.map(|_| crate::domain::JobState::Burned),
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
        .filter(|job| job.state != crate::domain::JobState::Burned)
        .map(|job| {
            let serial = job.serial.as_ref().or(job.reserved.as_ref());
            let serial = serial.map_or_else(|| "no serial yet".to_owned(), |s| format!("token {s}"));
            format!("job {} ({serial}) is {}", job.id, job.state)
        })
        .collect();
    Ok(Made { content: SecretBytes::new(report::write(&rows)), tokens: count(tokens.len()), left_out })
}

fn all_jobs(core: &Core, batch: &BatchSummary) -> Result<Vec<JobRecord>, Failure> {
    let mut jobs = Vec::new();
    loop {
        let page = store::Page { offset: jobs.len() as u64, limit: JOBS_AT_ONCE };
        let part = core.store.jobs(batch.id, &store::JobFilter::default(), page)?;
        if part.items.is_empty() {
            return Ok(jobs);
        }
        jobs.extend(part.items);
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
