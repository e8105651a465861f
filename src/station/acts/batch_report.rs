//! The report of a batch for an auditor. It reads records and opens no seed: whoever may look may have it.

use super::super::{core::Core, failure::failure, views};
use super::export::all_jobs;
use crate::{
    domain::{Clock, JobState, Proof, Serial},
    face::{
        ActivationRecord, BatchReport, Failure, FailureKind, JobCounts, Reply, ReportedJob, ReportedProfile,
        Sums,
    },
    store::{Activation, BatchSummary, JobId, JobRecord, MappingRecord, ReadingRecord},
};
use std::collections::{BTreeMap, BTreeSet};

/// All of it, as the records are now.
pub fn report(core: &Core, name: &str) -> Result<Reply, Failure> {
    let (batch, jobs) = at_rest(core, name)?;
    let mut held: BTreeMap<JobId, Vec<MappingRecord>> = BTreeMap::new();
    for mapping in core.store.mappings_of_batch(batch.id)? {
        if let Some(job) = mapping.job {
            held.entry(job).or_default().push(mapping);
        }
    }
    let activations = core.store.activations_of(batch.id)?;
    let sums = sums(&batch, &jobs, &activations);
    let mut reported = Vec::with_capacity(jobs.len());
    for job in &jobs {
        let mappings = held.remove(&job.id).unwrap_or_default();
        let reading = match (&job.serial, mappings.first()) {
            // It was taken in the same transaction.
            (Some(serial), Some(mapping)) => core.store.reading_at(serial, mapping.since)?,
            _ => None,
        };
        reported.push(one(job, &mappings, reading));
    }
    let log = core.store.audit_of_batch(batch.id, name)?.iter().map(views::audit_entry).collect();
    Ok(Reply::BatchReport(Box::new(BatchReport {
        at: core.clock.now(),
        clock: core.clock.state(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        batch: super::batch::detail(batch),
        sums,
        jobs: reported,
        activations: activations.into_iter().map(record).collect(),
        log,
        anchor: views::audit_head(&core.store.audit_head()?),
    })))
}

/// Reads that are made while the batch moves on.
const TRIES: u32 = 20;

/// The batch and its jobs as they were at one moment: where tokens are burned meanwhile, it is read again.
fn at_rest(core: &Core, name: &str) -> Result<(BatchSummary, Vec<JobRecord>), Failure> {
    let read = || core.store.batch_by_name(name)?.ok_or_else(|| super::batch::no_batch(name));
    let mut before = read()?;
    for _ in 0..TRIES {
        let jobs = all_jobs(core, &before)?;
        let after = read()?;
        if (before.counts, before.proofs) == (after.counts, after.proofs) {
            return Ok((after, jobs));
        }
        before = after;
    }
    Err(failure(
        FailureKind::No,
        format!("batch \"{name}\" moves on faster than it can be read"),
        "pause it with \"kiln batch pause\", then ask for the report again",
    ))
}

fn record(activation: Activation) -> ActivationRecord {
    let Activation { serial, at, who, proof } = activation;
    ActivationRecord { serial, at, who, proof }
}

fn one(job: &JobRecord, mappings: &[MappingRecord], reading: Option<ReadingRecord>) -> ReportedJob {
    let profile = |mapping: &MappingRecord| ReportedProfile {
        profile: mapping.profile,
        title: mapping.title.clone(),
        parameters: mapping.parameters,
        proof: mapping.proof.as_ref().map(|proof| proof.proof),
        proven: mapping.proof.as_ref().map(|proof| proof.at),
    };
    ReportedJob {
        position: u32::try_from(job.position + 1).unwrap_or(u32::MAX),
        state: job.state,
        reason: job.reason.clone(),
        serial: job.serial.clone().or_else(|| job.reserved.clone()),
        model: job.model.clone().or_else(|| mappings.first().and_then(|mapping| mapping.model.clone())),
        user: job.facts.upn.clone().or_else(|| job.facts.more.get("account").cloned()),
        moved: job.moved_at,
        proof: job.proof,
        to_be_seen: job.wants_eyes,
        profiles: mappings.iter().map(profile).collect(),
        drift: reading.map(|reading| views::drift(reading.reading.drift_ms)),
        clock: reading.map(|reading| reading.clock),
    }
}

/// Counts the jobs one by one, and compares with the tallies that they keep.
fn sums(batch: &BatchSummary, jobs: &[JobRecord], activations: &[Activation]) -> Sums {
    let mut counts = JobCounts::default();
    let mut proven = Proof::ALL.map(|proof| (proof, 0u64));
    let mut to_be_seen = 0;
    let mut without_proof = 0u64;
    for job in jobs {
        *counts.of_mut(job.state) += 1;
        if job.state != JobState::Burned {
            continue;
        }
        to_be_seen += u64::from(job.wants_eyes);
        match proven.iter_mut().find(|(proof, _)| Some(*proof) == job.proof) {
            Some((_, count)) => *count += 1,
            None => without_proof += 1,
        }
    }
    let mut wrong = Vec::new();
    let came_in = batch.counts.total();
    if counts.total() != came_in {
        wrong.push(format!("{came_in} jobs came in, and {} are listed", counts.total()));
    }
    for state in JobState::ALL {
        let (listed, tallied) = (counts.of(state), batch.counts.of(state));
        if listed != tallied {
            wrong.push(format!("{listed} jobs are {state}, and {tallied} were counted"));
        }
    }
    for (proof, listed) in proven {
        if listed != batch.proofs.of(proof) {
            wrong.push(format!(
                "{listed} tokens are proven {proof}, and {} were counted",
                batch.proofs.of(proof)
            ));
        }
    }
    if without_proof > 0 {
        wrong.push(format!("{without_proof} burned tokens have no proof on record"));
    }
    let activated: BTreeSet<&Serial> = activations.iter().map(|activation| &activation.serial).collect();
    Sums {
        came_in,
        jobs: counts,
        proven: proven.into(),
        to_be_seen,
        left: counts.queued + counts.claimed + counts.unfinished,
        activated: activated.len() as u64,
        wrong,
    }
}
