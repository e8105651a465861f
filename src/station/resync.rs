//! What a sweep does with the token that lies here: looks at its clock, and where it is further off than the sweep allows,
//! sets it with what is on record, by a job of its own. Nobody is asked: the seed and the parameters stay the same.
//!
//! From the claim on such a job is a burn like any other (`station::burn`): attempts are recorded before they are made,
//! and one that breaks off is unfinished and goes on when its token comes back.

use super::{
    core::{Core, STATION},
    prepare::{Consent, Either as Unclaimed, Not, Ready, claim_locked, clock_gate, not_read},
    slot::Slot,
    views,
    visit::Guest,
};
use crate::{
    burn::{
        Plan, Step,
        resync::{self as rules, CannotSet, OnRecord, SaidOf, Timeout, Told, Way},
    },
    domain::{CustomerKey, KeyNeeded, Model, Profile, Seed, SeedId, Serial, SweptOutcome},
    drivers::{self, Token},
    face::{Failure, ResyncView},
    link::ApduLink,
    remedy::Remedy,
    store::{BatchSummary, JobRecord, MappingRecord, NewResync, OverrideId, RunningSweep, Sweep},
    vault::Fingerprint,
};
use std::collections::HashMap;

/// What a running sweep has to do with this token: a job, if its clock is to be set. `None` where no sweep is for it.
pub fn begin<L: ApduLink>(
    slot: &mut Slot<'_>,
    guest: &Guest<'_>,
    token: &mut Token<L>,
) -> Result<Option<Ready>, Not> {
    let core = slot.core;
    let Some(reading) = guest.reading else { return Ok(None) };
    let sweeps = core.store.running_sweeps()?;
    if sweeps.is_empty() {
        return Ok(None);
    }
    let holdings = core.store.holdings(&guest.serial)?;
    let Some(sweep) = sweeps.into_iter().find(|one| is_for(&one.sweep, &guest.serial, &holdings)) else {
        return Ok(None);
    };
    let round = Round { core, guest, sweep: &sweep, drift_ms: reading.drift_ms };
    // By a clock that is not to be trusted no other is called wrong, or right.
    let clock_override = clock_gate(core)?;
    round.is_off(&holdings)?;
    core.data_key()?;
    let way = match round.way(token, &holdings) {
        Ok(way) => way,
        Err(Either::Not(not)) => return Err(not),
        Err(Either::Cannot(why)) => return Err(round.refuse(&why)?),
    };
    let plan_text = serde_json::to_string(&way.plan).unwrap_or_default();
    let profiles: Vec<Profile> = way.plan.writes.iter().map(|write| write.profile).collect();
    let (key, fingerprint) = way.key;
    let (job, door) = claim_locked(
        slot,
        &guest.serial,
        sweep.id,
        (key, fingerprint),
        &Consent::default(),
        |trial, stamp| {
            let new = NewResync {
                sweep: sweep.id,
                serial: guest.serial.clone(),
                slot: slot.name.clone(),
                profiles: profiles.clone(),
                said: way.said.clone(),
                before_ms: Some(reading.drift_ms),
                plan: plan_text.clone(),
                trial,
            };
            core.store.claim_resync(new, stamp)
        },
    )
    .map_err(Unclaimed::into_not)?;
    (core.crossing)("claimed");
    let batch = batch(core, &sweep.name)?;
    Ok(Some(Ready { job, batch, plan: way.plan, seeds: way.seeds, door, clock_override }))
}

/// Goes on with a job that set this token's clock and broke off.
pub fn go_on<L: ApduLink>(
    slot: &mut Slot<'_>,
    guest: &Guest<'_>,
    token: &mut Token<L>,
    job: JobRecord,
) -> Result<Ready, Not> {
    let core = slot.core;
    core.data_key()?;
    let clock_override: Option<OverrideId> = clock_gate(core)?;
    let batch = batch(core, &job.batch_name)?;
    let mut holdings = core.store.holdings(&guest.serial)?;
    holdings.retain(|held| {
        job.entries.iter().any(|entry| entry.profile == held.profile && entry.seed == held.seed)
    });
    let way = prepare(core, guest, token, &holdings, None).map_err(|error| match error {
        Either::Not(not) => not,
        Either::Cannot(why) => {
            let says = format!("job {} can't go on with token {}: {why}", job.id, guest.serial);
            Not::look(says, why.remedy()).alarming()
        }
    })?;
    let plan_text = serde_json::to_string(&way.plan).unwrap_or_default();
    let (key, fingerprint) = way.key;
    let (job, door) = claim_locked(
        slot,
        &guest.serial,
        batch.id,
        (key, fingerprint),
        &Consent::default(),
        |trial, stamp| core.store.claim_to_try(job.id, &guest.serial, &slot.name, &plan_text, trial, stamp),
    )
    .map_err(Unclaimed::into_not)?;
    (core.crossing)("claimed");
    Ok(Ready { job, batch, plan: way.plan, seeds: way.seeds, door, clock_override })
}

/// What to say to a token that came to a running sweep and is none of its: it stays as it is, and is named in the sweep's
/// record. `None` where no sweep runs, or the token has no clock.
pub fn leave_alone(core: &Core, guest: &Guest<'_>) -> Result<Option<Not>, Not> {
    let (serial, Some(reading)) = (&guest.serial, guest.reading) else { return Ok(None) };
    let Some(sweep) = core.store.running_sweeps()?.into_iter().next() else { return Ok(None) };
    let name = &sweep.name;
    let (outcome, says) = if core.store.holdings(serial)?.is_empty() {
        let says =
            format!("kiln has nothing on record of token {serial}: \"{name}\" leaves its clock as it is");
        (SweptOutcome::NotKnown, says)
    } else {
        (SweptOutcome::NotMeant, format!("\"{name}\" sets the clocks of other tokens than {serial}"))
    };
    let stamp = core.stamp(STATION);
    if core.store.left_alone(sweep.id, serial, Some(reading.drift_ms), outcome, None, &stamp)? {
        core.say_batch(name);
    }
    Ok(Some(Not::take(says, "take it away; nothing was written to it")))
}

/// Whether a token's clock can be set with what is on record and what a person says of its display timeout, as far as
/// that can be told without the token. Gives the profiles of which that is news.
pub fn is_possible(
    core: &Core,
    serial: &Serial,
    only: Option<Profile>,
    said_s: Option<u16>,
) -> Result<Vec<Profile>, Why> {
    let holdings = core.store.holdings(serial)?;
    let mut held = rules::pick(on_record(core, &holdings)?, only)?;
    // A model that nobody knows yet is looked at when the token is there.
    let Some(model) = model_of(core, &holdings) else { return Ok(Vec::new()) };
    let news = match said_s {
        Some(said_s) => rules::take_word(model, &mut held, said_s, SaidOf::ThisOne)?,
        None => Vec::new(),
    };
    let told: Vec<Told> = match rules::way(model) {
        Some(Way::ClockOnly) => held.iter().map(as_meant).collect(),
        Some(Way::BurnAgain) | None => Vec::new(),
    };
    rules::plan_resync(model, &held, &told)?;
    Ok(news)
}

/// From which display timeouts, in seconds, a person has to choose before the clock of a token can be set that holds this;
/// none where nothing is to be said.
pub fn timeouts_to_choose(core: &Core, holdings: &[MappingRecord]) -> Result<Vec<u16>, Failure> {
    let Some(model) = model_of(core, holdings) else { return Ok(Vec::new()) };
    let wants = rules::wants_timeout(model, &on_record(core, holdings)?);
    Ok(if wants { model.display_timeouts_s.clone() } else { Vec::new() })
}

fn model_of<'a>(core: &'a Core, holdings: &[MappingRecord]) -> Option<&'a Model> {
    holdings.first()?.model.as_deref().and_then(|name| core.catalog.model(name))
}

/// Why a token's clock can't be set.
pub enum Why {
    /// Because of what is on record of it, or isn't.
    Cannot(CannotSet),
    /// The records could not be read.
    Failure(Failure),
}

impl From<CannotSet> for Why {
    fn from(why: CannotSet) -> Self {
        Self::Cannot(why)
    }
}

impl<E: Into<Failure>> From<E> for Why {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}

/// Whether a sweep is for this token.
fn is_for(sweep: &Sweep, serial: &Serial, holdings: &[MappingRecord]) -> bool {
    let by_serial = sweep.serials.is_empty() || sweep.serials.contains(serial);
    let by_batch = sweep.of_batch.is_none() || holdings.iter().any(|held| held.batch == sweep.of_batch);
    !holdings.is_empty() && by_serial && by_batch
}

/// One token before one sweep.
struct Round<'a> {
    core: &'a Core,
    guest: &'a Guest<'a>,
    sweep: &'a RunningSweep,
    drift_ms: i64,
}

impl Round<'_> {
    /// Whether its clock is to be set; else says why not, and notes it.
    fn is_off(&self, holdings: &[MappingRecord]) -> Result<(), Not> {
        let (core, serial, drift) = (self.core, &self.guest.serial, views::drift(self.drift_ms));
        let threshold_ms = match self.sweep.sweep.threshold_ms {
            Some(said) => said,
            None => default_threshold(core, holdings)?,
        };
        let before = core.store.swept(self.sweep.id, serial)?;
        let was_set = before.filter(|swept| swept.outcome == SweptOutcome::Set);
        // A threshold of nothing is for whoever wants it written to whatever it shows; once.
        let limit_ms = if was_set.is_some() { threshold_ms.max(rules::LEAST_MS) } else { threshold_ms };
        let is_off = limit_ms == 0 || self.drift_ms.unsigned_abs() > limit_ms;
        match (is_off, was_set) {
            (true, None) => Ok(()),
            (true, Some(set)) => Err(Not::look(
                format!(
                    "the clock of token {serial} was set at {} and is {drift} off again",
                    set.at.floor_second()
                ),
                format!(
                    "its battery or its crystal is going: replace it soon; to set it once more: kiln drift resync {serial}"
                ),
            )
            .alarming()),
            (false, was_set) => {
                let limit = views::drift(i64::try_from(threshold_ms).unwrap_or(i64::MAX)).0;
                let says = match was_set {
                    Some(set) => {
                        format!("its clock was set at {} and is right: {drift}", set.at.floor_second())
                    }
                    None => format!("its clock is right within {limit:.1} s: {drift}"),
                };
                self.note(SweptOutcome::Right, None)?;
                Err(Not::take(says, "take it away"))
            }
        }
    }

    /// How its clock is set.
    fn way<L: ApduLink>(&self, token: &mut Token<L>, holdings: &[MappingRecord]) -> Result<Prepared, Either> {
        let only = self.sweep.sweep.profile;
        let meant: Vec<MappingRecord> =
            holdings.iter().filter(|held| only.is_none_or(|only| held.profile == only)).cloned().collect();
        match only {
            Some(only) if meant.is_empty() => Err(CannotSet::NoProfile(only).into()),
            Some(_) | None => {
                prepare(self.core, self.guest, token, &meant, self.sweep.sweep.display_timeout_s)
            }
        }
    }

    /// Says why its clock stays as it is, and notes it.
    fn refuse(&self, why: &CannotSet) -> Result<Not, Not> {
        let (serial, drift) = (&self.guest.serial, views::drift(self.drift_ms));
        self.note(SweptOutcome::Refused, Some(&why.to_string()))?;
        let says = format!("the clock of token {serial} is {drift} and stays so: {why}");
        Ok(Not::take(says, why.remedy()).alarming())
    }

    fn note(&self, outcome: SweptOutcome, reason: Option<&str>) -> Result<(), Not> {
        let stamp = self.core.stamp(STATION);
        let (id, serial) = (self.sweep.id, &self.guest.serial);
        if self.core.store.left_alone(id, serial, Some(self.drift_ms), outcome, reason, &stamp)? {
            self.core.say_batch(&self.sweep.name);
        }
        Ok(())
    }
}

/// All that setting a clock takes.
struct Prepared {
    plan: Plan,
    seeds: HashMap<SeedId, Seed>,
    key: (CustomerKey, Fingerprint),
    /// Profiles whose display timeout is known because the sweep says it.
    said: Vec<(Profile, u16)>,
}

/// Why it isn't prepared.
enum Either {
    Not(Not),
    Cannot(CannotSet),
}

impl From<CannotSet> for Either {
    fn from(why: CannotSet) -> Self {
        Self::Cannot(why)
    }
}

impl<E: Into<Not>> From<E> for Either {
    fn from(error: E) -> Self {
        Self::Not(error.into())
    }
}

fn prepare<L: ApduLink>(
    core: &Core,
    guest: &Guest<'_>,
    token: &mut Token<L>,
    holdings: &[MappingRecord],
    said_s: Option<u16>,
) -> Result<Prepared, Either> {
    let mut held = on_record(core, holdings)?;
    let mut said = Vec::new();
    if let Some(seconds) = said_s {
        let news = rules::take_word(guest.model, &mut held, seconds, SaidOf::Whichever)?;
        said.extend(news.into_iter().map(|profile| (profile, seconds)));
    }
    let mut told = Vec::new();
    if let Token::Molto2(session) = token {
        for one in &held {
            let block = session.public_block(one.profile).map_err(not_read)?;
            told.push(Told {
                profile: one.profile,
                filled: block.seed_present,
                parameters: block.parameters(),
                title: String::from_utf8_lossy(&block.title).into_owned(),
            });
        }
    }
    let plan = rules::plan_resync(guest.model, &held, &told)?;
    let key = key_of(core, guest.model, &guest.serial)?;
    let mut seeds = HashMap::new();
    for step in &plan.steps {
        if let Step::WriteSeed(profile) = step
            && let Some(write) = plan.write(*profile)
        {
            seeds.insert(write.seed, core.seed(write.seed)?);
        }
    }
    Ok(Prepared { plan, seeds, key, said })
}

/// What is on record of what a token holds. The display timeout is that of the plan by which it was burned, or what a
/// person said of a delivered one.
fn on_record(core: &Core, holdings: &[MappingRecord]) -> Result<Vec<OnRecord>, Failure> {
    let mut all = Vec::new();
    for held in holdings {
        let job = held.job.map(|job| core.store.job(job)).transpose()?.flatten();
        let plan = job.and_then(|job| job.plan).and_then(|text| serde_json::from_str::<Plan>(&text).ok());
        let as_burned = plan.as_ref().and_then(|plan| plan.write(held.profile));
        let burned = as_burned.filter(|write| write.seed == held.seed);
        let seed = core.store.seed_sealed(held.seed)?;
        all.push(OnRecord {
            profile: held.profile,
            seed: held.seed,
            seed_len_bytes: seed.map_or(0, |seed| usize::try_from(seed.len_bytes).unwrap_or(usize::MAX)),
            parameters: held.parameters,
            title: held.title.clone(),
            display_timeout: match (burned, held.display_timeout_s) {
                (Some(write), _) => Timeout::Burned(write.display_timeout_s),
                (None, Some(seconds)) => Timeout::Said(seconds),
                (None, None) => Timeout::NotKnown,
            },
        });
    }
    Ok(all)
}

/// What a token would tell that is as recorded.
fn as_meant(held: &OnRecord) -> Told {
    Told {
        profile: held.profile,
        filled: true,
        parameters: Some(held.parameters),
        title: held.title.clone().unwrap_or_default(),
    }
}

/// The key that this token took last. One that it never took here is a guess, and not tried.
fn key_of(core: &Core, model: &Model, serial: &Serial) -> Result<(CustomerKey, Fingerprint), Either> {
    let data_key = core.data_key()?;
    let named = |key: CustomerKey| {
        let fingerprint = data_key.key_fingerprint(&key);
        (key, fingerprint)
    };
    match &model.key {
        KeyNeeded::PublicDeviceKey => Ok(named(drivers::token2_single::device_key())),
        KeyNeeded::AppletPassword | KeyNeeded::Nothing => {
            Err(CannotSet::NoClock { model: model.label.clone() }.into())
        }
        KeyNeeded::CustomerKey { default } => {
            let taken = core.store.key_taken(serial)?.ok_or(CannotSet::NoKey)?;
            let delivered = named(CustomerKey::new(default.as_bytes()));
            if delivered.1 == taken {
                return Ok(delivered);
            }
            let known = core.store.keys()?.into_iter().find(|key| key.fingerprint == taken);
            let name = known.ok_or(CannotSet::KeyGone)?.name;
            Ok(named(core.customer_key(&name)?))
        }
    }
}

/// From how far off on the clock of a token is set that holds this, where nobody says.
fn default_threshold(core: &Core, holdings: &[MappingRecord]) -> Result<u64, Not> {
    let mut forgiven = Vec::new();
    for held in holdings {
        let batch = held.batch.as_deref().map(|name| core.store.batch_by_name(name)).transpose()?.flatten();
        let target = batch.and_then(|batch| batch.target);
        let target = target.and_then(|name| core.catalog.target(&name).map(|target| target.drift_steps));
        forgiven.push((held.parameters.mode, target));
    }
    Ok(rules::threshold_ms(forgiven))
}

fn batch(core: &Core, name: &str) -> Result<BatchSummary, Failure> {
    core.store.batch_by_name(name)?.ok_or_else(|| super::acts::batch::no_batch(name))
}

/// What the slot says while a job sets a clock; `None` for one that burns.
pub fn says(job: &JobRecord) -> Option<String> {
    let before = views::resync(job)?.before_ms.map(views::drift);
    Some(match before {
        Some(drift) => format!("setting its clock: {drift} off"),
        None => "setting its clock".to_owned(),
    })
}

/// The same with the step that it is at.
pub fn says_step(job: &JobRecord, step: &Step) -> Option<String> {
    let doing = match step {
        Step::Configure(_) => "the time and the parameters on record",
        Step::WriteSeed(_) => "the same seed again",
        Step::WriteTitle(_) => "the same title again",
        Step::SetClock(_) => "the time",
        Step::ReadProfile(_) => "is all else as it was?",
        Step::ReadClock => "is it right now?",
        Step::Authenticate
        | Step::DeleteSeed(_)
        | Step::WriteCredential(_)
        | Step::SetPassword
        | Step::Compute(_)
        | Step::ReadNames => return says(job),
    };
    says(job).map(|says| format!("{says}; {doing}"))
}

/// What the slot says once it is set.
pub fn says_set(job: &JobRecord) -> String {
    let drifts = views::resync(job).map(ResyncView::words).unwrap_or_default();
    if drifts.is_empty() { "clock set".to_owned() } else { format!("clock set: {drifts}") }
}

/// What is left to do elsewhere: a server that has learned the drift of a token expects it still.
pub fn what_then(core: &Core, job: &JobRecord) -> Option<String> {
    let serial = job.serial.as_ref()?;
    let holdings = core.store.holdings(serial).ok()?;
    let mut batches = holdings.iter().filter_map(|held| held.batch.as_deref());
    batches.find_map(|name| {
        let target = core.store.batch_by_name(name).ok()??.target?;
        let target = core.catalog.target(&target)?;
        let off_s = job.drift_before_ms?.unsigned_abs() / 1000;
        (target.learns_drift && !target.resync.is_empty() && off_s > 0).then(|| {
            format!(
                "take it; {} may have learned the old drift: if it rejects the next code, {}",
                target.label, target.resync
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Parameters;

    #[test]
    fn a_sweep_is_for_known_tokens_of_its_serials_and_batch() {
        let serial: Serial = "86596100000001".parse().unwrap();
        let other: Serial = "86596100000002".parse().unwrap();
        let held = |batch: &str| MappingRecord {
            serial: serial.clone(),
            model: None,
            profile: Profile::ZERO,
            seed: SeedId([1; 16]),
            parameters: Parameters::standard(),
            title: None,
            display_timeout_s: None,
            origin: crate::store::MappingOrigin::Burned,
            facts: crate::store::JobFacts::default(),
            job: None,
            batch: Some(batch.to_owned()),
            since: crate::domain::UnixMillis(0),
            ended: None,
            proof: None,
            wants_eyes: false,
        };
        let all = Sweep::default();
        assert!(is_for(&all, &serial, &[held("spring")]));
        assert!(!is_for(&all, &serial, &[]), "one that nothing is known of");
        let spring = Sweep { of_batch: Some("spring".into()), ..Sweep::default() };
        assert!(is_for(&spring, &serial, &[held("autumn"), held("spring")]));
        assert!(!is_for(&spring, &serial, &[held("autumn")]));
        let named = Sweep { serials: vec![serial.clone()], ..Sweep::default() };
        assert!(is_for(&named, &serial, &[held("x")]) && !is_for(&named, &other, &[held("x")]));
    }
}
