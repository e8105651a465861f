//! From the store's records to what clients see.

use crate::{
    domain::{DriftSeconds, JobState, Proof, SlotName},
    face::{
        AuditEntry, AuditHead, BatchView, Event, JobCounts, JobView, MappingView, ProofCounts, ReadingView,
        TokenLine, TokenView,
    },
    store,
};

/// A batch, in numbers.
pub fn batch(batch: &store::BatchSummary) -> BatchView {
    let mut jobs = JobCounts::default();
    for state in JobState::ALL {
        *jobs.slot(state) = batch.counts.of(state);
    }
    BatchView {
        name: batch.name.clone(),
        state: batch.state.word().to_owned(),
        reason: batch.reason.clone(),
        jobs,
        proofs: ProofCounts {
            written: batch.proofs.of(Proof::Written),
            read_back: batch.proofs.of(Proof::ReadBack),
            computed: batch.proofs.of(Proof::Computed),
            seen: batch.proofs.of(Proof::Seen),
            waiting_for_eyes: batch.waiting_for_eyes,
        },
        created: batch.created_at,
        priority: batch.priority,
    }
}

/// One job.
pub fn job(job: &store::JobRecord) -> JobView {
    JobView {
        job: job.id.0,
        batch: job.batch_name.clone(),
        position: u32::try_from(job.position + 1).unwrap_or(u32::MAX),
        state: job.state,
        reason: job.reason.clone(),
        serial: job.serial.clone().or_else(|| job.reserved.clone()),
        model: job.model.clone(),
        slot: job.slot.clone(),
        upn: job.facts.upn.clone(),
        profiles: u32::try_from(job.entries.len()).unwrap_or(u32::MAX),
        proof: job.proof,
        wants_eyes: job.wants_eyes,
    }
}

/// A token in a list.
pub fn token_line(line: &store::TokenLine) -> TokenLine {
    TokenLine {
        serial: line.serial.clone(),
        model: line.model.clone(),
        upn: line.upn.clone(),
        profiles: line.profiles,
        proof: line.proof,
        last_seen: Some(line.last_seen),
        scrapped: line.scrapped_at,
        batch: line.batch.clone(),
    }
}

/// All about a token.
pub fn token(token: &store::TokenRecord) -> TokenView {
    TokenView {
        line: token_line(&token.line),
        mappings: token.holdings.iter().chain(&token.history).map(mapping).collect(),
        readings: token.readings.iter().map(reading).collect(),
        jobs: token.jobs.iter().map(job).collect(),
        clock: None,
    }
}

fn mapping(mapping: &store::MappingRecord) -> MappingView {
    MappingView {
        profile: mapping.profile,
        seed: mapping.seed,
        parameters: mapping.parameters,
        title: mapping.title.clone(),
        upn: mapping.facts.upn.clone(),
        origin: mapping.origin.word().to_owned(),
        from: mapping.since,
        to: mapping.ended.map(|(at, _)| at),
        ended_by: mapping.ended.map(|(_, by)| by.word().to_owned()),
        proof: mapping.proof.as_ref().map(|p| p.proof),
    }
}

/// One reading of a token's clock.
pub fn reading(record: &store::ReadingRecord) -> ReadingView {
    ReadingView {
        at: record.at,
        drift: drift(record.reading.drift_ms),
        uncertainty_ms: record.reading.uncertainty_ms,
        clock: record.clock,
        kind: record.reading.kind,
    }
}

/// A drift in the unit that people read.
pub fn drift(millis: i64) -> DriftSeconds {
    let seconds = millis.div_euclid(1000);
    let rest = i32::try_from(millis.rem_euclid(1000)).unwrap_or_default();
    DriftSeconds(i32::try_from(seconds).map_or(f64::INFINITY, f64::from) + f64::from(rest) / 1000.0)
}

/// The end of the audit chain.
pub fn audit_head(head: &store::AuditHead) -> AuditHead {
    AuditHead { entries: head.seq, hash: data_encoding::HEXLOWER.encode(&head.hash) }
}

/// One entry of it.
pub fn audit_entry(entry: &store::AuditEntry) -> AuditEntry {
    AuditEntry {
        seq: entry.seq,
        at: entry.at,
        who: entry.who.clone(),
        what: entry.what.clone(),
        serial: entry.serial.clone(),
        clock: entry.clock.clone(),
        detail: entry.detail.clone(),
        hash: data_encoding::HEXLOWER.encode(&entry.hash),
    }
}

/// The news that a job moved.
pub fn job_event(job: &store::JobRecord, slot: Option<&SlotName>) -> Event {
    Event::Job {
        job: job.id.0,
        batch: job.batch_name.clone(),
        state: job.state,
        serial: job.serial.clone(),
        slot: slot.cloned(),
        proof: job.proof,
        wants_eyes: job.wants_eyes,
        reason: job.reason.clone(),
    }
}
