//! Which job a token gets, and whether that job may begin: everything that can be decided before the token is touched,
//! up to the claim.

mod claim;
mod not;

pub use claim::{Consent, claim_locked, may_authenticate};
pub use not::{Either, Not, not_read};

use self::claim::claim_open;
use super::{
    core::Core,
    key, resync,
    slot::Slot,
    visit::{After, Guest},
};
use crate::{
    burn::{self as rules, ListTells, Occupancy, Plan, Verdict, Write},
    domain::{
        Clock, CustomerKey, Holding, JobState, Profile, Seed, SeedId,
        model::{KeyNeeded, Misfit, Model},
    },
    drivers::{self, Token},
    face::Doing,
    link::ApduLink,
    remedy::Remedy,
    store::{AttemptId, BatchState, BatchSummary, ClaimRefused, ConsentTo, JobKind, JobRecord, OverrideId},
    vault::Fingerprint,
};
use std::collections::HashMap;

/// Everything a burn needs, decided before the job is claimed.
pub struct Ready {
    /// The job as claimed.
    pub job: JobRecord,
    /// Its batch.
    pub batch: BatchSummary,
    /// The commands.
    pub plan: Plan,
    /// The seeds, so that a vault that is locked meanwhile doesn't cut the burn short.
    pub seeds: HashMap<SeedId, Seed>,
    /// What stands between the station and the token.
    pub door: Door,
    /// The permission by which it is burned though the clock is not trusted.
    pub clock_override: Option<OverrideId>,
}

/// What stands between the station and a token that is about to be burned.
pub enum Door {
    /// The token's key, to be tried once.
    Locked {
        /// The key.
        key: CustomerKey,
        /// Its name in the records.
        fingerprint: Fingerprint,
        /// The attempt, recorded as made.
        attempt: AttemptId,
        /// Whether another token of the batch has taken the key: then no slot waits for what this one says to it.
        is_proven: bool,
    },
    /// Nothing: it has no password, or took it already, before its job was judged.
    Open {
        /// The password that it gets.
        new_password: Option<CustomerKey>,
    },
}

/// Decides everything that can be decided before the token is touched, then claims the job.
pub fn prepare<L: ApduLink>(
    slot: &mut Slot<'_>,
    guest: &Guest<'_>,
    token: &mut Token<L>,
) -> Result<Ready, Not> {
    let core = slot.core;
    if slot.breaker.is_open(core) {
        return Err(Not::look(
            "this slot is paused after three failures of one kind in a row",
            "find out why before more tokens are spent, then start the batch again with \"kiln batch start\"",
        ));
    }
    loop {
        let mut misfit = None;
        let fits = |job: &JobRecord| match fits(job, guest.model) {
            Ok(()) => true,
            Err(error) => {
                misfit.get_or_insert_with(|| (job.id, job.batch_name.clone(), error));
                false
            }
        };
        let model = &guest.model.name;
        let job = match core.store.own_job(&guest.serial, model)? {
            Some(own) => Some(own),
            // What is on record and in a sweep is nobody's free token.
            None => match resync::begin(slot, guest, token)? {
                Some(ready) => return Ok(ready),
                None => core.store.free_job(&guest.serial, model, fits)?,
            },
        };
        let Some(job) = job else {
            return Err(match misfit {
                Some((job, batch, error)) => {
                    Not::look(format!("job {job} of batch \"{batch}\" does not fit: {error}"), error.remedy())
                        .alarming()
                }
                None => no_job(core, guest)?,
            });
        };
        if job.state == JobState::Claimed {
            // The token was at another slot a moment ago, or what became of its burn is not on record yet.
            return Err(Not::Say {
                says: format!("job {} of batch \"{}\" is still in hand", job.id, job.batch_name),
                remedy: "leave the token here; it goes on by itself when the job's last burn is on record"
                    .into(),
                doing: Doing::Wait,
                after: After::WhenChanged,
                alarm: false,
            });
        }
        if job.kind == JobKind::Resync {
            return resync::go_on(slot, guest, token, job);
        }
        let free = job.state == JobState::Queued;
        match ready(slot, guest, token, job) {
            // Another slot was faster (and its token may have left again already), or the batch was paused meanwhile:
            // there may be another job. A job that this token has begun stays the one that it gets.
            Err(Either::Claim(
                ClaimRefused::Taken(_) | ClaimRefused::OtherSerial(_) | ClaimRefused::BatchNotRunning(_),
            )) if free => {}
            Err(either) => return Err(either.into_not()),
            Ok(ready) => return Ok(ready),
        }
    }
}

/// Why there is nothing for this token, and what would give it something.
fn no_job(core: &Core, guest: &Guest<'_>) -> Result<Not, Not> {
    let (serial, model) = (&guest.serial, &guest.model.name);
    // This visit's own reading puts the token on record.
    core.store.caught_up()?;
    let known = core.store.token(serial)?;
    if known.as_ref().is_some_and(|token| token.line.scrapped_at.is_some()) {
        return Ok(Not::take(format!("token {serial} was scrapped"), "keep it apart from the others"));
    }
    let burns = known.iter().flat_map(|token| &token.jobs).filter(|job| job.kind == JobKind::Burn);
    for job in burns {
        let (number, batch, state) = (job.id, &job.batch_name, job.batch_state);
        match job.state {
            JobState::Failed if state != BatchState::Cancelled => {
                let why = job.reason.as_deref().unwrap_or("no reason is on record");
                return Ok(Not::look(
                    format!("job {number} of batch \"{batch}\" failed on token {serial}: {why}"),
                    format!("when that is put right: kiln batch retry {batch}"),
                ));
            }
            JobState::Queued if state != BatchState::Running => {
                return Ok(Not::look(
                    format!("job {number} is for token {serial}, but its batch \"{batch}\" is {state}"),
                    format!("start it with: kiln batch start {batch}"),
                ));
            }
            JobState::Queued
            | JobState::Claimed
            | JobState::Unfinished
            | JobState::Burned
            | JobState::Failed
            | JobState::Scrapped
            | JobState::Cancelled => {}
        }
    }
    if let Some(not) = resync::leave_alone(core, guest)? {
        return Ok(not);
    }
    let mut held = known.iter().flat_map(|token| &token.holdings);
    if let Some(batch) = held.rfind(|mapping| mapping.batch.is_some()).and_then(|m| m.batch.as_ref()) {
        return Ok(Not::take(
            format!("token {serial} was burned in batch \"{batch}\"; there is nothing more for it"),
            "take it away",
        ));
    }
    Ok(if core.store.is_any_running()? {
        Not::look(
            format!("no running batch has a job for token {serial} ({model})"),
            "take it away, or start the batch that it is for",
        )
    } else {
        Not::idle()
    })
}

fn ready<L: ApduLink>(
    slot: &mut Slot<'_>,
    guest: &Guest<'_>,
    token: &mut Token<L>,
    job: JobRecord,
) -> Result<Ready, Either> {
    let core = slot.core;
    let serial = &guest.serial;
    core.data_key()?;
    let clock_override = clock_gate(core)?;
    let batch = core
        .store
        .batch_by_name(&job.batch_name)?
        .ok_or_else(|| super::acts::batch::no_batch(&job.batch_name))?;
    let (mut writes, seeds) = writes_for(core, &job, guest.model)?;

    let resumed = job.state == JobState::Unfinished;
    let inside = match token {
        Token::Single(_) | Token::Molto2(_) => None,
        Token::Key(session) => {
            let inside = key::look_into(slot, guest, session, &batch)?;
            let room = guest.model.room(session.about().version);
            let survey = key::survey(core, guest, room, &inside, &mut writes, resumed)?;
            Some((inside, survey))
        }
        Token::OtpKey(session) => {
            let inside = key::look_into_otp(slot, session, &batch, &writes)?;
            let room = guest.model.profiles.into();
            let survey = key::survey(core, guest, room, &inside, &mut writes, resumed)?;
            Some((inside, survey))
        }
    };
    let (held, filled, moved, inside) = match inside {
        Some((inside, key::Survey { held, filled, moved })) => (held, filled, moved, Some(inside)),
        None => {
            let (held, filled) = survey(core, guest, token, &writes)?;
            (held, filled, Vec::new(), None)
        }
    };
    let consent = held.iter().map(|(_, holding)| consent_for(*holding)).collect::<Vec<_>>();
    let mut consented = !consent.is_empty();
    for to in &consent {
        consented &= core.store.has_consent(serial, *to)?;
    }
    match rules::judge(&batch.policy, &held, resumed, consented) {
        Verdict::Go => {}
        Verdict::Ask { profile, holding } => {
            return Err(Not::look(
                format!("{} of token {serial} holds {holding}", called(&writes, profile, guest.model)),
                format!("if it may be overwritten: kiln token allow {serial} --replace; else take it away"),
            )
            .alarming()
            .into());
        }
        Verdict::Refuse { profile, holding } => {
            return Err(Not::take(
                format!(
                    "{} of token {serial} holds {holding}, and the batch refuses such tokens",
                    called(&writes, profile, guest.model)
                ),
                "take it away, and put down one that fits the batch",
            )
            .alarming()
            .into());
        }
    }
    // One word of a person allows all three, and is used up whole: the next token of that serial is another question.
    let words = vec![ConsentTo::ReplaceOurs, ConsentTo::ReplaceForeign, ConsentTo::ReplaceFactory];
    let consent = Consent { words, serves: consented && !resumed };
    let claimed = match inside {
        Some(inside) => {
            let told = guest.model.read_back.parameters;
            let list = if told { ListTells::Parameters } else { ListTells::Names };
            let plan = rules::plan_key(writes, &filled, inside.password(), list);
            claim_open(slot, serial, &job, &plan, &moved, &consent)
                .map(|job| (job, plan, Door::Open { new_password: inside.new_password }))
        }
        None => {
            let plan = rules::plan(writes, &filled, guest.model.read_back.occupancy);
            let (key, fingerprint) = key_for(core, &batch, guest.model)?;
            let plan_text = serde_json::to_string(&plan).unwrap_or_default();
            claim_locked(slot, serial, batch.id, (key, fingerprint), &consent, |trial, stamp| {
                core.store.claim_to_try(job.id, serial, &slot.name, &plan_text, trial, stamp)
            })
            .map(|(job, door)| (job, plan, door))
        }
    };
    let (job, plan, door) = claimed?;
    (core.crossing)("claimed");
    Ok(Ready { job, batch, plan, seeds, door, clock_override })
}

/// Lets nobody set a token from a clock that is not trusted; the permission, where a person gave one.
pub fn clock_gate(core: &Core) -> Result<Option<OverrideId>, Not> {
    let clock = core.clock.state();
    let permission = core.store.active_override(core.clock.now())?;
    if !clock.is_trusted() && permission.is_none() {
        return Err(Not::look(
            format!("the station's clock is {clock}: tokens would be set wrong"),
            "let chrony or systemd-timesyncd set it, or see \"kiln clock override\"",
        ));
    }
    Ok(permission.map(|permission| permission.id))
}

/// What people call a profile of a token: by its number, or by its name where the token knows no numbers.
fn called(writes: &[Write], profile: Profile, model: &Model) -> String {
    match (writes.iter().find(|write| write.profile == profile), model.driver.naming()) {
        (Some(write), Some(naming)) => format!("\"{}\"", write.name(naming)),
        _ => format!("profile {profile}"),
    }
}

fn consent_for(holding: Holding) -> ConsentTo {
    match holding {
        Holding::Ours => ConsentTo::ReplaceOurs,
        Holding::Factory => ConsentTo::ReplaceFactory,
        Holding::Foreign => ConsentTo::ReplaceForeign,
    }
}

/// The key that this batch's tokens take: the one it names, else the one that the model was delivered with.
fn key_for(core: &Core, batch: &BatchSummary, model: &Model) -> Result<(CustomerKey, Fingerprint), Not> {
    let data_key = core.data_key()?;
    let key = match (&model.key, &batch.key_name) {
        (KeyNeeded::PublicDeviceKey, _) => drivers::token2_single::device_key(),
        (KeyNeeded::CustomerKey { default }, None) => CustomerKey::new(default.as_bytes()),
        (KeyNeeded::CustomerKey { .. } | KeyNeeded::AppletPassword, Some(name)) => core.customer_key(name)?,
        // Never asked for: a key without a password is open.
        (KeyNeeded::AppletPassword, None) | (KeyNeeded::Nothing, _) => CustomerKey::new([]),
    };
    let fingerprint = data_key.key_fingerprint(&key);
    Ok((key, fingerprint))
}

/// Whether a token of this model can take all that the job puts on it.
pub fn fits(job: &JobRecord, model: &Model) -> Result<(), Misfit> {
    job.entries.iter().try_for_each(|entry| {
        let display_timeout_s = entry.display_timeout_s.unwrap_or_else(|| default_timeout(model));
        let title = entry.title.as_deref();
        model.check(
            entry.profile,
            &entry.parameters,
            entry.seed_len_bytes,
            title,
            entry.touch,
            display_timeout_s,
        )
    })
}

/// What the job puts where, checked against what the model can do.
fn writes_for(
    core: &Core,
    job: &JobRecord,
    model: &Model,
) -> Result<(Vec<Write>, HashMap<SeedId, Seed>), Not> {
    // One that is reserved for this token is its job whether it fits or not.
    fits(job, model).map_err(|misfit| Not::look(misfit.to_string(), misfit.remedy()).alarming())?;
    let (mut writes, mut seeds) = (Vec::new(), HashMap::new());
    for entry in &job.entries {
        let display_timeout_s = entry.display_timeout_s.unwrap_or_else(|| default_timeout(model));
        let seed = core.seed(entry.seed)?;
        writes.push(Write {
            profile: entry.profile,
            seed: entry.seed,
            parameters: entry.parameters,
            title: entry.title.clone(),
            touch: entry.touch,
            display_timeout_s,
        });
        seeds.insert(entry.seed, seed);
    }
    Ok((writes, seeds))
}

/// 30 s where the model has it, else its shortest.
fn default_timeout(model: &Model) -> u16 {
    let offered = &model.display_timeouts_s;
    if offered.contains(&30) { 30 } else { offered.iter().copied().min().unwrap_or(30) }
}

type Survey = (Vec<(Profile, Holding)>, Vec<Profile>);

/// What the profiles that the job fills hold now, and which of them must be emptied first.
fn survey<L: ApduLink>(
    core: &Core,
    guest: &Guest<'_>,
    token: &mut Token<L>,
    writes: &[Write],
) -> Result<Survey, Not> {
    let on_record = core.store.holdings(&guest.serial)?;
    let (mut held, mut filled) = (Vec::new(), Vec::new());
    for write in writes {
        let told = match token {
            Token::Single(_) | Token::Key(_) | Token::OtpKey(_) => None,
            Token::Molto2(session) => {
                let block = session.public_block(write.profile).map_err(not_read)?;
                Some(Occupancy {
                    filled: block.seed_present,
                    title: String::from_utf8_lossy(&block.title).into_owned(),
                })
            }
        };
        if told.as_ref().is_some_and(|told| told.filled) {
            filled.push(write.profile);
        }
        // The same seed again is no replacement.
        let ours = on_record.iter().any(|m| m.profile == write.profile && m.seed != write.seed);
        let delivered = guest.model.factory_filled(write.profile).and_then(|f| f.title.as_deref());
        held.push((write.profile, rules::holding(ours, told.as_ref(), delivered)));
    }
    Ok((held, filled))
}
