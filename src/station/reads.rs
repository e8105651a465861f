//! Codes on a key in a slot: asked for by a client, read by the slot's own thread, which alone may talk to its reader.

use super::{core::Core, key, prepare::Not, slot::Slot, visit::TOUCH_PATIENCE};
use crate::{
    domain::{
        Clock, Code, CredentialName, Mode, Period, SlotName, Touch, UnixTime, credential::Kind, otp::step_at,
    },
    drivers::{
        Credential, ReadError, Token, token2_otp,
        ykoath::{Calculated, Moving, Session, Unlocked},
    },
    face::{Doing, Failure, FailureKind, KeyCode, KeyCodes, KeyWants, SlotView},
    link::{ApduLink, LinkError},
    remedy::Remedy,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
};

/// What a person wants to read.
pub struct Read {
    /// Which credential; none: all that the key calculates by itself.
    pub name: Option<String>,
    /// The key's password, by its name in the vault.
    pub password: Option<String>,
    /// Who asks.
    pub who: String,
    /// Where the answer goes. Whoever asked may have left.
    pub answer: mpsc::Sender<Result<KeyCodes, Failure>>,
}

/// Those that wait for their slots; one for each.
#[derive(Default)]
pub struct Reads(Mutex<BTreeMap<SlotName, Read>>);

impl Reads {
    /// Leaves one for a slot; `false` where another waits there.
    pub fn place(&self, slot: &SlotName, read: Read) -> bool {
        let mut waiting = self.lock();
        let free = !waiting.contains_key(slot);
        if free {
            waiting.insert(slot.clone(), read);
        }
        free
    }

    /// Whether one waits for this slot.
    pub fn waits_for(&self, slot: &SlotName) -> bool {
        self.lock().contains_key(slot)
    }

    /// Takes the one for this slot.
    pub fn take(&self, slot: &SlotName) -> Option<Read> {
        self.lock().remove(slot)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SlotName, Read>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a key is like after it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// As before.
    AsBefore,
    /// It may wait for a touch still, and the person does not.
    WaitsStill,
}

/// Reads what was asked for and answers.
pub fn carry_out<L: ApduLink>(
    slot: &mut Slot<'_>,
    token: &mut Token<L>,
    read: &Read,
    view: &SlotView,
) -> Then {
    let codes = match token {
        Token::Key(session) => codes(slot, session, read, view),
        Token::OtpKey(session) => otp_codes(slot, session, read, view),
        Token::Single(_) | Token::Molto2(_) => Err(Not::look(
            format!("{} calculates no codes for others: they stand on its display", token.serial()),
            "read the display, or put a key that calculates codes on this slot",
        )),
    };
    let then = match &codes {
        Err(Not::Link(LinkError::CalledOff)) => Then::WaitsStill,
        Ok(_) | Err(_) => Then::AsBefore,
    };
    answer(read, codes);
    then
}

/// Answers with what stood in the way.
pub fn refuse(read: &Read, not: Not) {
    answer(read, Err(not));
}

fn answer(read: &Read, codes: Result<KeyCodes, Not>) {
    let failed = |message: String, remedy: String| Failure {
        kind: FailureKind::No,
        message,
        remedy,
        details: Vec::new(),
    };
    let answered = codes.map_err(|not| match not {
        Not::Say { says, remedy, .. } => failed(says, remedy),
        Not::Link(error) => failed(error.to_string(), error.remedy().to_owned()),
    });
    // Whoever asked may have left.
    let _ = read.answer.send(answered);
}

fn codes<L: ApduLink>(
    slot: &mut Slot<'_>,
    session: &mut Session<L>,
    read: &Read,
    view: &SlotView,
) -> Result<KeyCodes, Not> {
    let core = slot.core;
    let serial = session.serial().clone();
    let model = key::model_of(core, session.about().maker).map(|model| model.name.clone());
    if session.is_locked() {
        let Some(name) = &read.password else {
            return Err(Not::look(
                format!("key {serial} has a password"),
                "put it into the vault (kiln key add NAME), and name it: kiln otp read --key NAME",
            ));
        };
        let password = core.customer_key(name)?;
        key::try_password(slot, &serial, session, &password, None, &read.who)?;
    }
    let Some(mut key) = session.enter() else {
        return Err(Not::look(format!("key {serial} is locked"), "name its password with --key NAME"));
    };
    let now = core.clock.now().floor_second();
    let codes = match &read.name {
        None => all(&mut key, now).map_err(super::prepare::not_read)?,
        Some(name) => vec![one(slot, &mut key, name, view)?],
    };
    told(core, read, KeyCodes { serial, model, at: now, codes })
}

/// Those of a Token2 key: its list holds all that it calculates by itself, each for its own period.
fn otp_codes<L: ApduLink>(
    slot: &Slot<'_>,
    session: &mut token2_otp::Session<L>,
    read: &Read,
    view: &SlotView,
) -> Result<KeyCodes, Not> {
    let core = slot.core;
    let serial = session.serial().clone();
    if read.password.is_some() {
        return Err(Not::look(
            format!("key {serial} takes no password: its OTP applet has none"),
            "ask without --key",
        ));
    }
    let model = key::otp_model_of(core, &serial).map(|model| model.name.clone());
    let now = core.clock.now().floor_second();
    let records = session.list(now).map_err(super::prepare::not_read)?;
    let period_of = |mode| match mode {
        Mode::Totp { period, .. } => Some(period),
        Mode::Hotp { .. } => None,
    };
    let listed = |record: &token2_otp::Record, code: Option<Code>, wants: Option<KeyWants>| {
        let (names, period) = (&record.names, period_of(record.parameters.mode));
        KeyCode {
            name: names.name().to_string(),
            issuer: Some(names.application.clone()).filter(|application| !application.is_empty()),
            account: names.account.clone(),
            period_s: period.map(Period::as_secs),
            until: until(period.filter(|_| code.is_some()), now),
            code: code.map(|code| code.as_str().to_owned()),
            wants,
        }
    };
    let codes = match &read.name {
        None => records
            .iter()
            .map(|record| {
                let wants = match (record.parameters.mode, record.touch) {
                    (Mode::Hotp { .. }, _) => Some(KeyWants::Asking),
                    (Mode::Totp { .. }, Touch::Required) => Some(KeyWants::Touch),
                    (Mode::Totp { .. }, Touch::Free) => None,
                };
                listed(record, record.code.clone(), wants)
            })
            .collect(),
        Some(wanted) => {
            let all: Vec<Credential> = records.iter().cloned().map(Credential::from).collect();
            let at = find(&all, wanted)?;
            let record = &records[at];
            if record.touch == Touch::Required {
                ask_for_touch(slot, &format!("touch the key: the code of {wanted} is wanted"), view);
            }
            let code = session.calculate(&record.names, now).map_err(super::prepare::not_read)?;
            vec![listed(record, Some(code), None)]
        }
    };
    told(core, read, KeyCodes { serial, model, at: now, codes })
}

/// Puts on record that codes were read, not which.
fn told(core: &Core, read: &Read, codes: KeyCodes) -> Result<KeyCodes, Not> {
    let with_code = codes.codes.iter().filter(|code| code.code.is_some());
    let names: Vec<&str> = with_code.map(|code| code.name.as_str()).collect();
    let detail = serde_json::json!({ "names": names });
    core.store.audit_append("codes read", Some(&codes.serial), detail, &core.stamp(&read.who))?;
    Ok(codes)
}

fn ask_for_touch(slot: &Slot<'_>, says: &str, view: &SlotView) {
    slot.core.bus.slot(SlotView {
        doing: Doing::Touch,
        says: Some(says.to_owned()),
        remedy: Some(format!("within {} seconds; take it away to call this off", TOUCH_PATIENCE.as_secs())),
        ..view.clone()
    });
    slot.fence.grant(TOUCH_PATIENCE);
}

/// Until when the code of `now` is the current one.
fn until(period: Option<Period>, now: UnixTime) -> Option<UnixTime> {
    period.map(|period| {
        let seconds = i64::from(period.as_secs());
        now.plus(seconds - now.0.rem_euclid(seconds))
    })
}

/// Everything that the key calculates by itself: all at once for the usual period, and again for each other one.
fn all<L: ApduLink>(key: &mut Unlocked<'_, L>, now: UnixTime) -> Result<Vec<KeyCode>, ReadError> {
    let mut codes = Vec::new();
    let Some(step) = step_at(now, UnixTime(0), Period::THIRTY) else { return Ok(codes) };
    for (name, calculated) in key.calculate_all(step)? {
        let period = Period::from_secs(name.parts(Kind::Totp).period_s.into()).unwrap_or(Period::THIRTY);
        codes.push(match calculated {
            Calculated::Counter(_) => entry(&name, None, None, now, Some(KeyWants::Asking)),
            Calculated::Touch(_) => entry(&name, Some(period), None, now, Some(KeyWants::Touch)),
            Calculated::Code(code) if period == Period::THIRTY => {
                entry(&name, Some(period), Some(code), now, None)
            }
            Calculated::Code(_) => {
                let step = step_at(now, UnixTime(0), period).unwrap_or(step);
                let code = key.calculate(&name, Moving::Step(step))?;
                entry(&name, Some(period), Some(code), now, None)
            }
        });
    }
    Ok(codes)
}

/// One, by its whole name, its title or its account; with a touch where it wants one.
fn one<L: ApduLink>(
    slot: &Slot<'_>,
    key: &mut Unlocked<'_, L>,
    wanted: &str,
    view: &SlotView,
) -> Result<KeyCode, Not> {
    let listed = key.list().map_err(super::prepare::not_read)?;
    let listed: Vec<Credential> = listed.into_iter().map(Credential::from).collect();
    let Credential { name, kind, .. } = &listed[find(&listed, wanted)?];
    let now = slot.core.clock.now().floor_second();
    let period = match kind {
        Kind::Totp => Period::from_secs(name.parts(*kind).period_s.into()).ok(),
        Kind::Hotp => None,
    };
    let step = period.and_then(|period| step_at(now, UnixTime(0), period));
    // Nothing tells whether a credential wants a touch before it is asked: so everybody is told to be ready.
    ask_for_touch(slot, &format!("touch the key if it blinks: the code of {name} is wanted"), view);
    let moving = step.map_or(Moving::Counter, Moving::Step);
    let code = key.calculate(name, moving).map_err(super::prepare::not_read)?;
    Ok(entry(name, period, Some(code), now, None))
}

/// Where it stands on the list.
fn find(listed: &[Credential], wanted: &str) -> Result<usize, Not> {
    let by = |fits: &dyn Fn(&Credential) -> bool| {
        (0..listed.len()).filter(|at| fits(&listed[*at])).collect::<Vec<_>>()
    };
    let whole = by(&|one| one.name.as_str() == wanted);
    let titled = by(&|one| one.name.parts(one.kind).title == wanted);
    let account = by(&|one| one.name.parts(one.kind).account == wanted);
    let found = [whole, titled, account].into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(Not::look(
            format!("the key has no credential called \"{wanted}\""),
            "look at the names with \"kiln otp read\"",
        )),
        several => Err(Not::look(
            format!("{} credentials of the key are called \"{wanted}\"", several.len()),
            "name one by its whole name, as \"kiln otp read\" lists it",
        )),
    }
}

fn entry(
    name: &CredentialName,
    period: Option<Period>,
    code: Option<Code>,
    now: UnixTime,
    wants: Option<KeyWants>,
) -> KeyCode {
    let kind = if period.is_some() { Kind::Totp } else { Kind::Hotp };
    let parts = name.parts(kind);
    let until = until(period.filter(|_| code.is_some()), now);
    KeyCode {
        name: name.to_string(),
        issuer: parts.issuer.map(str::to_owned),
        account: parts.account.to_owned(),
        period_s: period.map(Period::as_secs),
        code: code.map(|code| code.as_str().to_owned()),
        until,
        wants,
    }
}

/// Which slot a person means: the one of that name, else the only one on which something lies.
pub fn slot_meant(core: &Core, slot: Option<&str>) -> Result<SlotName, Failure> {
    let failed = |message: String, remedy: &str| Failure {
        kind: FailureKind::No,
        message,
        remedy: remedy.to_owned(),
        details: Vec::new(),
    };
    let shown = core.bus.shown().slots;
    match slot {
        Some(slot) => {
            let by_reader =
                core.readers().into_iter().find(|reader| reader == slot).map(|r| core.slot_name(&r));
            let named = shown.iter().map(|view| &view.slot).find(|name| name.0 == slot).cloned();
            named.or(by_reader).ok_or_else(|| {
                failed(format!("there is no slot \"{slot}\""), "look at the names with \"kiln slots\"")
            })
        }
        None => {
            let taken: Vec<&SlotView> = shown.iter().filter(|view| view.serial.is_some()).collect();
            match taken.as_slice() {
                [one] => Ok(one.slot.clone()),
                [] => Err(failed("no key lies on a slot".into(), "put the key on a slot, or plug it in")),
                _ => Err(failed(
                    "something lies on several slots".into(),
                    "name the slot: kiln otp read --slot SLOT",
                )),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Hash;

    fn listed(names: &[&str]) -> Vec<Credential> {
        let one = |name: &&str| Credential {
            name: CredentialName::told((*name).to_owned()),
            kind: Kind::Totp,
            hash: Hash::Sha1,
            more: None,
        };
        names.iter().map(one).collect()
    }

    #[test]
    fn a_credential_is_found_by_whole_name_then_title_then_account() {
        let listed = listed(&["60/Acme:ann", "Acme:bob", "Other:bob", "ann"]);
        let found = |wanted| find(&listed, wanted).map(|at| listed[at].name.to_string()).ok();
        assert_eq!(found("60/Acme:ann").as_deref(), Some("60/Acme:ann"));
        assert_eq!(found("Acme:ann").as_deref(), Some("60/Acme:ann"));
        assert_eq!(found("ann").as_deref(), Some("ann"), "a whole name goes before an account");
        assert_eq!(found("Other:bob").as_deref(), Some("Other:bob"));
        assert_eq!((found("bob"), found("nobody")), (None, None));
    }

    #[test]
    fn a_code_says_until_when_it_is_the_current_one() {
        let name = CredentialName::told("60/Acme:ann".into());
        let code = Code::parse("123456").ok();
        let period = Some(Period::SIXTY);
        let shown = entry(&name, period, code, UnixTime(1_767_225_631), None);
        assert_eq!((shown.until, shown.period_s), (Some(UnixTime(1_767_225_660)), Some(60)));
        assert_eq!((shown.issuer.as_deref(), shown.account.as_str()), (Some("Acme"), "ann"));
        assert_eq!(entry(&name, period, None, UnixTime(0), Some(KeyWants::Touch)).until, None);
    }
}
