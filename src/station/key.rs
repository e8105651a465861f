//! What a key needs before its job can be judged: a serial, where it tells none; its password, where it has one; and the
//! list of what it holds.
//!
//! All of it happens before the claim. The password is tried before there is a job in hand, which is safe: the applet
//! counts no tries, and every attempt is on record before it is made all the same.

use super::{
    breaker::{self, Kind},
    burn::attempt_result,
    core::{Core, STATION},
    prepare::{Not, fits, may_authenticate, not_read},
    slot::Slot,
    visit::Guest,
};
use crate::{
    burn::{self as rules, Occupancy, Password, Write},
    domain::{
        Clock, CredentialName, CustomerKey, Holding, Mode, Profile, Serial,
        credential::Naming,
        job::Serials,
        model::{Driver, KeyMaker, Model},
    },
    drivers::{
        UnlockError, token2_otp,
        ykoath::{SerialFrom, Session, is_stand_in},
    },
    link::ApduLink,
    remedy::Remedy,
    store::{AttemptResult, BatchSummary, LentFrom, Trial},
};

/// What a look into a key brought.
pub struct Inside {
    /// What it holds, by name.
    names: Vec<CredentialName>,
    /// The password that the burn gives it: the batch names one, and it has none.
    pub new_password: Option<CustomerKey>,
}

impl Inside {
    /// For the plan.
    pub fn password(&self) -> Password {
        if self.new_password.is_some() { Password::Set } else { Password::Leave }
    }
}

/// The model of a Token2 key: by its serial, else the one that is known by its USB ids, since the applet is the same on all
/// of them.
pub fn otp_model_of<'a>(core: &'a Core, serial: &Serial) -> Option<&'a Model> {
    let is_one = |model: &&Model| model.driver == Driver::Token2Otp;
    core.catalog.model_for_serial(serial).filter(is_one).or_else(|| {
        core.catalog.models().filter(is_one).find(|model| !model.recognised_by.usb_ids.is_empty())
    })
}

/// The model of a key with the OATH applet.
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
    let names = match session.enter() {
        Some(mut key) => key.list().map_err(not_read)?.into_iter().map(|listed| listed.name).collect(),
        None => Vec::new(),
    };
    Ok(Inside { names, new_password })
}

/// Lists what a Token2 key holds, after a look whether it can keep what the job means for it. A password that the batch
/// names is for its other keys: this applet has none (token2-otp), which whoever made the batch was told.
pub fn look_into_otp<L: ApduLink>(
    slot: &Slot<'_>,
    session: &mut token2_otp::Session<L>,
    batch: &BatchSummary,
    writes: &[Write],
) -> Result<Inside, Not> {
    let serial = session.serial().clone();
    let counts = |write: &Write| matches!(write.parameters.mode, Mode::Hotp { .. });
    let told = session.configuration();
    if writes.iter().any(counts) && told.counts() == Some(false) {
        return Err(Not::look(
            format!(
                "key {serial} keeps no counter-based codes, and batch \"{}\" has some for it",
                batch.name
            ),
            "use a key that keeps them, or a batch with time-based codes (TOTP)",
        )
        .alarming());
    }
    if !writes.iter().all(counts) && told.keeps_time_based() == Some(false) {
        return Err(Not::look(
            format!("key {serial} has its time-based codes switched off, or knows none"),
            "switch its TOTP function on with Token2's own program, or use another key",
        )
        .alarming());
    }
    let listed = session.list(slot.core.clock.now().floor_second()).map_err(not_read)?;
    let names = listed.into_iter().map(|record| record.names.name()).collect();
    Ok(Inside { names, new_password: None })
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
        let trial = Trial { key: fingerprint, by: trust.into() };
        core.store.attempt_made(serial, trial, batch_id, &core.stamp(who))?
    };
    slot.hand.attempt_made(attempt);
    (core.crossing)("attempt-made");
    let tried = session.unlock(password).map(|_| ());
    (core.crossing)("attempt-answered");
    let result = tried.as_ref().err().map_or(AttemptResult::Accepted, attempt_result);
    if slot.fence.is_closed() {
        // Whoever fenced this thread could only call the attempt unknown. That it was not made is known here alone.
        if result == AttemptResult::NotMade {
            core.store.attempt_result_soon(attempt, result, &core.stamp(who));
        }
        return tried.map_err(|error| not_unlocked(&error));
    }
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
    room: usize,
    inside: &Inside,
    writes: &mut [Write],
    begun: bool,
) -> Result<Survey, Not> {
    // Only keys are surveyed here, and all of them name their profiles.
    let naming = guest.model.driver.naming().unwrap_or(Naming::WithPeriod);
    let on_record = core.store.holdings(&guest.serial)?;
    let recorded: Vec<(Profile, CredentialName)> = on_record
        .iter()
        .map(|held| {
            let title = held.title.as_deref().unwrap_or_default();
            (held.profile, CredentialName::on(naming, title, held.parameters.mode))
        })
        .collect();
    let moved = if begun {
        Vec::new()
    } else {
        rules::number(writes, &recorded, naming)
            .map_err(|error| Not::look(error.to_string(), error.remedy()).alarming())?
    };
    let is_there = |write: &&Write| inside.names.contains(&write.name(naming));
    let new = writes.iter().filter(|write| !is_there(write)).count();
    if inside.names.len() + new > room {
        return Err(Not::take(
            format!(
                "key {} holds {} of {room} credentials; {new} more don't fit",
                guest.serial,
                inside.names.len()
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
