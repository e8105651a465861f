//! What a key with an OATH applet needs before its job can be judged: a serial, where it tells none; its password, where
//! it has one; and the list of what it holds.
//!
//! All of it happens before the claim. The password is tried before there is a job in hand, which is safe: the applet
//! counts no tries, and every attempt is on record before it is made all the same.

use super::{
    breaker::{self, Kind},
    burn::attempt_result,
    core::{Core, STATION},
    prepare::{KeyTrust, Not, fits, may_authenticate, not_read},
    slot::Slot,
    visit::Guest,
};
use crate::{
    burn::{self as rules, Occupancy, Password, Write},
    domain::{
        CredentialName, CustomerKey, Holding, Profile, Serial,
        job::Serials,
        model::{KeyMaker, Model},
    },
    drivers::{
        UnlockError,
        ykoath::{Listed, SerialFrom, Session, is_stand_in},
    },
    link::ApduLink,
    remedy::Remedy,
    store::{AttemptResult, BatchSummary, ConsentTo, LentFrom},
};

/// What a look into a key brought.
pub struct Inside {
    /// What it holds.
    listed: Vec<Listed>,
    /// The password that the burn gives it: the batch names one, and it has none.
    pub new_password: Option<CustomerKey>,
}

impl Inside {
    /// For the plan.
    pub fn password(&self) -> Password {
        if self.new_password.is_some() { Password::Set } else { Password::Leave }
    }
}

/// The model of a key.
pub fn model_of(core: &Core, maker: KeyMaker) -> Option<&Model> {
    core.catalog.model_for_key(maker)
}

/// Lets a key that tells no serial go by the one that it was lent.
pub fn recall<L: ApduLink>(core: &Core, session: &mut Session<L>) -> Result<(), Not> {
    if session.about().serial_from == SerialFrom::Salt
        && let Some(lent) = core.store.lent_serial(session.serial())?
    {
        session.call(lent.serial);
    }
    Ok(())
}

/// Sees to it that the key goes by a serial: its own, or the one that it was lent, or one that it is lent now as the
/// batch says that it would get a job from.
pub fn introduce<L: ApduLink>(core: &Core, session: &mut Session<L>) -> Result<(), Not> {
    if !is_stand_in(session.serial()) {
        return Ok(());
    }
    let ident = session.serial().clone();
    let model = model_of(core, session.about().maker);
    let job = match model {
        Some(model) => core.store.next_job(&ident, &model.name, |job| fits(job, model).is_ok())?,
        None => None,
    };
    let batch = match &job {
        Some(job) => core.store.batch_by_name(&job.batch_name)?,
        None => None,
    };
    match batch {
        Some(batch) if batch.policy.serials == Serials::Random => {
            let serial = drawn_serial()?;
            let lent = core.store.lend_serial(&ident, &serial, LentFrom::Random, &core.stamp(STATION));
            lent.map_err(|error| Not::look(error.to_string(), error.remedy()))?;
            session.call(serial);
            Ok(())
        }
        Some(_) | None => Err(needs_serial()),
    }
}

fn needs_serial() -> Not {
    Not::look(
        "this key tells no serial",
        "give it the one that is printed on it, or one of your own: kiln slots serial SLOT SERIAL",
    )
}

fn drawn_serial() -> Result<Serial, Not> {
    let mut bytes = [0; 6];
    let failed = || Not::look("the system gives no random numbers", "have the machine looked after");
    getrandom::fill(&mut bytes).map_err(|_| failed())?;
    format!("R-{}", data_encoding::HEXUPPER.encode(&bytes)).parse().map_err(|_| failed())
}

/// Opens the key for this visit, with the batch's password where it has one, and lists what it holds.
pub fn look_into<L: ApduLink>(
    slot: &mut Slot<'_>,
    guest: &Guest<'_>,
    session: &mut Session<L>,
    batch: &BatchSummary,
) -> Result<Inside, Not> {
    let core = slot.core;
    let serial = &guest.serial;
    if guest.model.no_password && batch.key_name.is_some() {
        return Err(Not::look(
            format!("{} takes no password of its OATH applet", guest.model.label),
            "use a batch without a key; a Nitrokey's PIN is set with its own program",
        ));
    }
    if session.is_locked() {
        let Some(name) = &batch.key_name else {
            return Err(Not::look(
                format!("key {serial} has a password, and batch \"{}\" names none", batch.name),
                "put its password into the vault (kiln key add NAME), and make the batch with --key NAME",
            )
            .alarming());
        };
        let password = core.customer_key(name)?;
        try_password(slot, serial, session, &password, Some(batch), STATION)?;
    }
    let new_password = match &batch.key_name {
        Some(name) if !session.has_password() => Some(core.customer_key(name)?),
        Some(_) | None => None,
    };
    let listed = match session.enter() {
        Some(mut key) => key.list().map_err(not_read)?,
        None => Vec::new(),
    };
    Ok(Inside { listed, new_password })
}

/// Shows the key its password, once on the same evidence, each attempt on record before it is made.
pub fn try_password<L: ApduLink>(
    slot: &mut Slot<'_>,
    serial: &Serial,
    session: &mut Session<L>,
    password: &CustomerKey,
    batch: Option<&BatchSummary>,
    who: &str,
) -> Result<(), Not> {
    let core = slot.core;
    let fingerprint = core.data_key()?.key_fingerprint(password);
    let batch_id = batch.map(|batch| batch.id);
    let attempt = {
        let _turn = core.key_turn();
        let trust = may_authenticate(core, serial, batch_id, fingerprint)?;
        let attempt = core.store.attempt_made(serial, fingerprint, batch_id, &core.stamp(who))?;
        if trust == KeyTrust::ByConsent {
            core.store.take_consent(serial, ConsentTo::AnotherAttempt, &core.stamp(who))?;
        }
        attempt
    };
    slot.hand.attempt_made(attempt);
    (core.crossing)("attempt-made");
    let tried = session.unlock(password).map(|_| ());
    (core.crossing)("attempt-answered");
    if slot.fence.is_closed() {
        // Whoever fenced this thread has recorded the attempt as unknown.
        return tried.map_err(|error| not_unlocked(&error));
    }
    let result = tried.as_ref().err().map_or(AttemptResult::Accepted, attempt_result);
    core.store.attempt_result(attempt, result, &core.stamp(who))?;
    slot.hand.attempt_settled();
    match (&tried, batch) {
        (Ok(()), _) => core.changed(),
        (Err(UnlockError::WrongPassword { .. }), Some(batch)) => {
            let proven = core.store.key_standing(fingerprint, serial, batch_id)?.accepted_in_batch;
            slot.breaker.fail(Kind::KeyRefused, core.resumes());
            breaker::count(core, batch.id, &batch.name, Kind::KeyRefused, !proven);
        }
        (Err(_), _) => {}
    }
    tried.map_err(|error| not_unlocked(&error))
}

fn not_unlocked(error: &UnlockError) -> Not {
    match error {
        UnlockError::Link { cause, .. } | UnlockError::AnswerLost { cause, .. } => Not::Link(cause.clone()),
        error => Not::look(error.to_string(), error.remedy()).alarming(),
    }
}

/// What the job's profiles hold on this key now, which of them must be emptied first, and which got other numbers here
/// than their recipe gave them.
pub struct Survey {
    /// What each holds.
    pub held: Vec<(Profile, Holding)>,
    /// Those whose name is there.
    pub filled: Vec<Profile>,
    /// Which numbers became which.
    pub moved: Vec<(Profile, Profile)>,
}

/// Compares what the job means with what the key holds. A job that was begun has its numbers.
pub fn survey(
    core: &Core,
    guest: &Guest<'_>,
    version: [u8; 3],
    inside: &Inside,
    writes: &mut [Write],
    begun: bool,
) -> Result<Survey, Not> {
    let on_record = core.store.holdings(&guest.serial)?;
    let recorded: Vec<(Profile, CredentialName)> = on_record
        .iter()
        .map(|held| {
            let title = held.title.as_deref().unwrap_or_default();
            (held.profile, CredentialName::new(title, held.parameters.mode))
        })
        .collect();
    let moved = if begun {
        Vec::new()
    } else {
        rules::number(writes, &recorded)
            .map_err(|error| Not::look(error.to_string(), error.remedy()).alarming())?
    };
    let is_there = |write: &&Write| inside.listed.iter().any(|listed| listed.name == write.name());
    let new = writes.iter().filter(|write| !is_there(write)).count();
    let room = guest.model.room(version);
    if inside.listed.len() + new > room {
        return Err(Not::take(
            format!(
                "key {} holds {} of {room} credentials; {new} more don't fit",
                guest.serial,
                inside.listed.len()
            ),
            "take it away, and use a key with more room, or delete what its owner no longer needs",
        )
        .alarming());
    }
    let (mut held, mut filled) = (Vec::new(), Vec::new());
    for write in writes.iter() {
        let there = is_there(&write);
        if there {
            filled.push(write.profile);
        }
        // The same seed again is no replacement.
        let ours = on_record.iter().any(|m| m.profile == write.profile && m.seed != write.seed);
        let told = Occupancy { filled: there, title: write.title.clone().unwrap_or_default() };
        held.push((write.profile, rules::holding(ours, Some(&told), None)));
    }
    Ok(Survey { held, filled, moved })
}
