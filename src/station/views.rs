//! From the store's records to what clients see.

use crate::{
    domain::{DriftSeconds, SlotName, SweptCounts, UnixMillis},
    face::{
        AuditEntry, AuditHead, BatchView, Event, JobView, MappingView, ReadingView, ResyncView, SweepView,
        SweptView, TokenLine, TokenView,
    },
    store,
};

/// A batch, in numbers.
pub fn batch(batch: &store::BatchSummary) -> BatchView {
    BatchView {
        name: batch.name.clone(),
        state: batch.state.word().to_owned(),
        reason: batch.reason.clone(),
        jobs: batch.counts,
        proofs: batch.proofs,
        created: batch.created_at,
        priority: batch.priority,
        sweep: batch.sweep.as_ref().map(|of| Box::new(sweep(of))),
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
        resync: resync(job),
    }
}

/// How far off the clock was that a job sets; `None` for one that burns.
pub fn resync(job: &store::JobRecord) -> Option<ResyncView> {
    (job.kind == store::JobKind::Resync)
        .then_some(ResyncView { before_ms: job.drift_before_ms, after_ms: job.drift_after_ms })
}

/// What a sweep is for, and how far it is.
fn sweep((sweep, counts): &(store::Sweep, SweptCounts)) -> SweepView {
    SweepView {
        threshold_ms: sweep.threshold_ms,
        of_batch: sweep.of_batch.clone(),
        profile: sweep.profile,
        serials: u32::try_from(sweep.serials.len()).unwrap_or(u32::MAX),
        swept: *counts,
    }
}

/// What became of the clock of a token that came to a sweep.
pub fn swept(swept: &store::Swept) -> SweptView {
    SweptView {
        serial: swept.serial.clone(),
        at: swept.at,
        before_ms: swept.before_ms,
        after_ms: swept.after_ms,
        outcome: swept.outcome.word().to_owned(),
        reason: swept.reason.clone(),
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
        clock_set: clock_set(token),
        jobs: token.jobs.iter().map(job).collect(),
        clock: None,
    }
}

/// When the token's clock was set last: by a burn, or alone.
fn clock_set(token: &store::TokenRecord) -> Option<UnixMillis> {
    let all = token.holdings.iter().chain(&token.history);
    let burned = all.filter(|held| held.origin == store::MappingOrigin::Burned).map(|held| held.since);
    burned.chain(token.clock_set.first().copied()).max()
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
    DriftSeconds::from_millis(millis)
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
        resync: resync(job),
    }
}
