//! The claim of a job for a token, and the last question before it: may the key be tried?

use super::{
    Door,
    not::{Either, Not},
};
use crate::{
    burn::{self as rules, KeyUse, Plan},
    domain::{CustomerKey, Profile, Serial},
    face::Doing,
    station::{
        core::{Core, STATION},
        loose_end::{self, LooseEnd},
        slot::Slot,
        views::job_event,
        visit::After,
    },
    store::{AttemptId, BatchId, ClaimRefused, ConsentTo, JobRecord, Stamp, Trial, TrialBy},
    vault::Fingerprint,
};

/// What a person allowed, and whether this burn is what it was allowed for.
#[derive(Default)]
pub struct Consent {
    pub(super) words: Vec<ConsentTo>,
    pub(super) serves: bool,
}

/// Claims a job for a token that takes a key, and records the attempt to come: both by `claim`.
pub fn claim_locked(
    slot: &Slot<'_>,
    serial: &Serial,
    batch: BatchId,
    (key, fingerprint): (CustomerKey, Fingerprint),
    consent: &Consent,
    claim: impl FnOnce(Trial, &Stamp) -> Result<(JobRecord, AttemptId), ClaimRefused>,
) -> Result<(JobRecord, Door), Either> {
    let core = slot.core;
    // One at a time from the look at the key's standing to the record of the attempt, or two slots would both find
    // that nobody has tried the key yet.
    let _turn = core.key_turn();
    let trust = may_authenticate(core, serial, Some(batch), fingerprint)?;
    (core.crossing)("before-claim");
    let trial = Trial { key: fingerprint, by: trust.into() };
    let (job, attempt) = claim(trial, &core.stamp(STATION)).map_err(Either::Claim)?;
    slot.hand.hold(job.id);
    slot.hand.attempt_made(attempt);
    core.bus.say(job_event(&job, Some(&slot.name)));
    use_up(slot, serial, consent)?;
    Ok((job, Door::Locked { key, fingerprint, attempt, is_proven: trust == KeyTrust::Proven }))
}

/// Claims a job for a token that is open, under the numbers that its profiles have there.
pub(super) fn claim_open(
    slot: &Slot<'_>,
    serial: &Serial,
    job: &JobRecord,
    plan: &Plan,
    moved: &[(Profile, Profile)],
    consent: &Consent,
) -> Result<JobRecord, Either> {
    let core = slot.core;
    let plan_text = serde_json::to_string(plan).unwrap_or_default();
    (core.crossing)("before-claim");
    let job = core
        .store
        .claim_numbered(job.id, serial, &slot.name, &plan_text, moved, &core.stamp(STATION))
        .map_err(Either::Claim)?;
    slot.hand.hold(job.id);
    core.bus.say(job_event(&job, Some(&slot.name)));
    use_up(slot, serial, consent)?;
    Ok(job)
}

/// A person's word is used up only now, when it has served.
fn use_up(slot: &Slot<'_>, serial: &Serial, consent: &Consent) -> Result<(), Either> {
    let core = slot.core;
    let stamp = core.stamp(STATION);
    for to in consent.words.iter().copied().filter(|_| consent.serves) {
        core.store.take_consent(serial, to, &stamp).inspect_err(|error| {
            // Nothing was sent; but a job that nobody has in hand must not stay claimed.
            let reason = format!("a person's word could not be recorded as used: {error}");
            loose_end::tie(core, LooseEnd { slot: slot.name.clone(), held: slot.hand.take(), reason });
        })?;
    }
    Ok(())
}

/// On what grounds a key is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyTrust {
    /// Some token of the batch has taken it.
    Proven,
    /// None has yet: the others wait for this one.
    Untried,
    /// A person allowed one more attempt on this token.
    ByConsent,
}

impl From<KeyTrust> for TrialBy {
    fn from(trust: KeyTrust) -> Self {
        match trust {
            KeyTrust::Proven | KeyTrust::Untried => Self::Record,
            KeyTrust::ByConsent => Self::Consent,
        }
    }
}

/// Whether the key may be tried on this token now.
pub fn may_authenticate(
    core: &Core,
    serial: &Serial,
    batch: Option<BatchId>,
    key: Fingerprint,
) -> Result<KeyTrust, Not> {
    let known = core.store.key_standing(key, serial, batch)?;
    let standing = rules::KeyStanding {
        refused_here: known.refused_here.map(|refused| refused.tries_left),
        unknown_here: known.unknown_attempts_here,
        took_another_here: known.took_another_here,
        accepted_in_batch: known.accepted_in_batch,
        tried_elsewhere_now: known.in_flight_elsewhere,
    };
    let consented = core.store.has_consent(serial, ConsentTo::AnotherAttempt)?;
    let allow =
        format!("if the key is right, and it is worth an attempt: kiln token allow {serial} --try-key");
    match rules::key_use(&standing, consented) {
        KeyUse::Go if consented => Ok(KeyTrust::ByConsent),
        KeyUse::Go if standing.accepted_in_batch => Ok(KeyTrust::Proven),
        KeyUse::Go => Ok(KeyTrust::Untried),
        KeyUse::WaitForFirst => Err(Not::Say {
            says: "another token of the batch is trying the key first".into(),
            remedy: "wait; it goes on by itself".into(),
            doing: Doing::Wait,
            after: After::WhenChanged,
            alarm: false,
        }),
        KeyUse::RefusedBefore { tries_left: Some(left) } => {
            Err(Not::look(format!("token {serial} refused this key before ({left} attempts left)"), allow)
                .alarming())
        }
        KeyUse::RefusedBefore { tries_left: None } => Err(Not::look(
            format!("token {serial} refused this key before: it has another one, or it is locked"),
            allow,
        )
        .alarming()),
        KeyUse::AnotherKnown => Err(Not::look(
            format!("token {serial} took another key last time; this batch's would be a guess"),
            allow,
        )
        .alarming()),
        KeyUse::TwiceUnknown => Err(Not::look(
            format!("the link to token {serial} was lost in two authentications; they may have been counted"),
            allow,
        )
        .alarming()),
        KeyUse::NearLockOut { tries_left } => Err(Not::take(
            format!(
                "token {serial} has {tries_left} attempts left before it locks; kiln spends none of them"
            ),
            "put it aside; a factory reset at the device erases it and brings its delivered key back",
        )
        .alarming()),
    }
}
