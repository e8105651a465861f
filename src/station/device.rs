//! What is done to a token itself rather than to a profile: factory reset and customer-key change. Both want the
//! token's button, and what the token has done can only be told by looking at it afterwards (molto2 section 3.8).

use super::{
    burn::attempt_result,
    core::Core,
    key,
    prepare::Not,
    slot::Slot,
    visit::{After, Guest, TOUCH_PATIENCE},
};
use crate::{
    domain::{CustomerKey, Profile, Serial, model::KeyNeeded},
    drivers::{self, Token, Unlocked},
    face::{DeviceState, Doing, Event, SlotView},
    link::ApduLink,
    remedy::Remedy,
    store::{AttemptResult, Trial, TrialBy},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How long a token's button is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks whether it was pressed.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What a person ordered for one token.
pub struct Order {
    /// What is to be done.
    pub work: Work,
    /// Who ordered it.
    pub who: String,
}

/// What is to be done to a token.
pub enum Work {
    /// Back to its factory state.
    Reset,
    /// Another customer key, by names in the vault; no current one is the delivered key.
    SetKey {
        /// The key that it takes now.
        current: Option<String>,
        /// The one that it shall take.
        new: String,
    },
}

impl Work {
    /// For the log.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Reset => "factory reset",
            Self::SetKey { .. } => "key change",
        }
    }
}

/// Orders that wait for their tokens, and buttons that were pressed. Kept in memory: an order that a restart forgets
/// was not begun, and the person who gave it is still there.
#[derive(Default)]
pub struct Orders {
    waiting: Mutex<BTreeMap<Serial, Order>>,
    /// Tokens whose button is waited for; `true` once a person says that it was pressed.
    buttons: Mutex<BTreeMap<Serial, bool>>,
}

impl Orders {
    /// Places an order; a second one for the same token takes the place of the first.
    pub fn place(&self, serial: &Serial, order: Order) {
        lock(&self.waiting).insert(serial.clone(), order);
    }

    /// Whether one waits for this token.
    pub fn waits_for(&self, serial: &Serial) -> bool {
        lock(&self.waiting).contains_key(serial)
    }

    /// Takes the order for this token.
    pub fn take(&self, serial: &Serial) -> Option<Order> {
        lock(&self.waiting).remove(serial)
    }

    /// A person has pressed the button; tells whether anybody waits for it.
    pub fn press(&self, serial: &Serial) -> bool {
        lock(&self.buttons).get_mut(serial).map(|pressed| *pressed = true).is_some()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How it ended, for the person who waits.
struct End {
    state: DeviceState,
    says: String,
    remedy: String,
}

impl End {
    fn done(says: String) -> Self {
        Self { state: DeviceState::Done, says, remedy: String::new() }
    }

    fn failed(says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: DeviceState::Failed, says: says.into(), remedy: remedy.into() }
    }

    fn of<E: Remedy + std::error::Error>(error: &E) -> Self {
        Self::failed(error.to_string(), error.remedy())
    }
}

/// Carries an order out on the token that lies here.
pub fn carry_out<L: ApduLink>(
    slot: &mut Slot<'_>,
    guest: &Guest<'_>,
    token: &mut Token<L>,
    order: &Order,
    view: &SlotView,
) -> After {
    let desk = Desk { core: slot.core, guest, who: &order.who, view };
    let end = match (&order.work, token) {
        (_, Token::Single(_)) => End::failed(
            format!("token {} is of a family without reset and without another key", guest.serial),
            "its key is the same on every token of the family; there is nothing to change",
        ),
        (Work::Reset, Token::Molto2(session)) => desk.reset(session).unwrap_or_else(|end| end),
        (Work::Reset, Token::Key(session)) => desk.reset_key(slot, session).unwrap_or_else(|end| end),
        (Work::Reset, Token::OtpKey(session)) => desk.erase_key(slot, session).unwrap_or_else(|end| end),
        (Work::SetKey { .. }, Token::OtpKey(_)) => End::failed(
            format!("key {} takes no password: its OTP applet has none", guest.serial),
            "there is nothing to change",
        ),
        (Work::SetKey { current, new }, Token::Key(session)) => {
            desk.set_password(slot, session, current.as_deref(), new).unwrap_or_else(|end| end)
        }
        (Work::SetKey { current, new }, token) => {
            desk.set_key(token, current.as_deref(), new).unwrap_or_else(|end| end)
        }
    };
    lock(&slot.core.orders.buttons).remove(&guest.serial);
    let doing = if end.state == DeviceState::Done { Doing::Take } else { Doing::Look };
    let remedy = (!end.remedy.is_empty()).then(|| end.remedy.clone());
    slot.core.bus.slot(SlotView { doing, says: Some(end.says.clone()), remedy, ..view.clone() });
    slot.core.bus.say(Event::Device {
        serial: guest.serial.clone(),
        state: end.state,
        says: end.says,
        remedy: end.remedy,
    });
    After::Take
}

struct Desk<'a> {
    core: &'a Core,
    guest: &'a Guest<'a>,
    who: &'a str,
    view: &'a SlotView,
}

impl Desk<'_> {
    /// Asks for the reset, waits until a profile that was filled is empty again.
    fn reset<L: ApduLink>(&self, session: &mut drivers::molto2::Session<L>) -> Result<End, End> {
        let serial = &self.guest.serial;
        let Some(witness) = self.witness(session)? else {
            return Err(End::failed(
                format!("token {serial} holds nothing but what it was delivered with"),
                "there is nothing to reset; if its customer key is unknown, reset it at the device itself",
            ));
        };
        let drivers::molto2::AwaitsButton = session.factory_reset().map_err(|error| End::of(&error))?;
        self.ask_for_button("reset it");
        let asked = Instant::now();
        loop {
            if self.is_reset(session, witness)? {
                self.core
                    .store
                    .token_reset(serial, &self.core.stamp(self.who))
                    .map_err(|error| End::of(&error))?;
                return Ok(End::done(format!(
                    "token {serial} is as delivered: empty, with its delivered key"
                )));
            }
            self.wait(asked)?;
        }
    }

    /// A profile by which a reset can be seen: one that holds something other than the vendor put there.
    fn witness<L: ApduLink>(
        &self,
        session: &mut drivers::molto2::Session<L>,
    ) -> Result<Option<Profile>, End> {
        let on_record: BTreeSet<u8> = self
            .core
            .store
            .holdings(&self.guest.serial)
            .map_err(|error| End::of(&error))?
            .iter()
            .map(|mapping| mapping.profile.number())
            .collect();
        // Those on record first: each look costs an exchange.
        let others = (0..self.guest.model.profiles).filter(|n| !on_record.contains(n));
        for number in on_record.iter().copied().chain(others) {
            let profile = Profile::new(number);
            if !self.is_reset(session, profile)? {
                return Ok(Some(profile));
            }
        }
        Ok(None)
    }

    fn is_reset<L: ApduLink>(
        &self,
        session: &mut drivers::molto2::Session<L>,
        profile: Profile,
    ) -> Result<bool, End> {
        let block = session.public_block(profile).map_err(|error| End::of(&error))?;
        let delivered = self.guest.model.factory_filled(profile).and_then(|filled| filled.title.as_deref());
        Ok(!block.seed_present || delivered.is_some_and(|title| title.as_bytes() == block.title))
    }

    /// Wipes a key with the OATH applet. It obeys at once, but for a Nitrokey, which waits for a touch.
    fn reset_key<L: ApduLink>(
        &self,
        slot: &Slot<'_>,
        session: &mut drivers::ykoath::Session<L>,
    ) -> Result<End, End> {
        let serial = &self.guest.serial;
        if self.guest.model.touch_to_delete {
            slot.fence.grant(TOUCH_PATIENCE);
            let patience = TOUCH_PATIENCE.as_secs();
            self.core.bus.slot(SlotView {
                doing: Doing::Touch,
                says: Some(format!("touch key {serial}: it asks whether to wipe its OATH applet")),
                remedy: Some(format!("within {patience} seconds; take it away to call this off")),
                ..self.view.clone()
            });
        }
        session.factory_reset().map_err(|error| End::of(&error))?;
        self.core.store.token_reset(serial, &self.core.stamp(self.who)).map_err(|error| End::of(&error))?;
        Ok(End::done(format!("key {serial} holds no credentials and has no password any more")))
    }

    /// Erases all entries of a Token2 key, which waits for a touch first; over NFC it may obey at once.
    fn erase_key<L: ApduLink>(
        &self,
        slot: &Slot<'_>,
        session: &mut drivers::token2_otp::Session<L>,
    ) -> Result<End, End> {
        let serial = &self.guest.serial;
        slot.fence.grant(TOUCH_PATIENCE);
        self.core.bus.slot(SlotView {
            doing: Doing::Touch,
            says: Some(format!("touch key {serial}: it asks whether to erase all its entries")),
            remedy: Some(format!(
                "within {} seconds, by its own rules 15 or so; take it away to call this off",
                TOUCH_PATIENCE.as_secs()
            )),
            ..self.view.clone()
        });
        session.enter().erase_all().map_err(|error| End::of(&error))?;
        self.core.store.token_reset(serial, &self.core.stamp(self.who)).map_err(|error| End::of(&error))?;
        Ok(End::done(format!("key {serial} holds no entries any more; what its button types is as it was")))
    }

    /// Gives a key with the OATH applet a password, or another one. The new one is in the vault by now.
    fn set_password<L: ApduLink>(
        &self,
        slot: &mut Slot<'_>,
        session: &mut drivers::ykoath::Session<L>,
        current: Option<&str>,
        new: &str,
    ) -> Result<End, End> {
        let serial = &self.guest.serial;
        if self.guest.model.no_password {
            return Err(End::failed(
                format!("{} takes no password of its OATH applet", self.guest.model.label),
                "set its PIN with its own program",
            ));
        }
        let of = |failure: crate::face::Failure| End::failed(failure.message, failure.remedy);
        let new_password = self.core.customer_key(new).map_err(of)?;
        if session.is_locked() {
            let Some(current) = current else {
                return Err(End::failed(
                    format!("key {serial} has a password already"),
                    "name it with --current NAME, as it is in the vault",
                ));
            };
            let password = self.core.customer_key(current).map_err(of)?;
            key::try_password(slot, serial, session, &password, None, self.who).map_err(|not| match not {
                Not::Say { says, remedy, .. } => End::failed(says, remedy),
                Not::Link(error) => End::of(&error),
            })?;
        }
        let Some(mut unlocked) = session.enter() else {
            return Err(End::failed(format!("key {serial} is locked"), "take it off and put it back"));
        };
        unlocked.set_password(&new_password).map_err(|error| End::of(&error))?;
        Ok(End::done(format!("key {serial} takes the password \"{new}\" now")))
    }

    /// Tells the token its new key, waits for the person's word that the button was pressed, then tries the new key
    /// once: the token tells in no other way.
    fn set_key<L: ApduLink>(
        &self,
        token: &mut Token<L>,
        current: Option<&str>,
        new: &str,
    ) -> Result<End, End> {
        let serial = &self.guest.serial;
        let (old_key, new_key) = (self.key(current)?, self.key(Some(new))?);
        self.authenticate(token, &old_key, |unlocked| match unlocked {
            Unlocked::Molto2(unlocked) => {
                unlocked.change_key(&new_key).map(|_| ()).map_err(|error| End::of(&error))
            }
            Unlocked::Single(_) | Unlocked::Key(_) | Unlocked::OtpKey(_) => {
                Err(End::failed("this family has one key", "there is nothing to change"))
            }
        })?;
        self.ask_for_button("take its new key");
        let asked = Instant::now();
        while lock(&self.core.orders.buttons).get(serial) != Some(&true) {
            self.wait(asked)?;
        }
        self.authenticate(token, &new_key, |_| Ok(())).map_err(|end| {
            End::failed(
                format!("{}; its button may not have been pressed in time", end.says),
                "look at its screen; kiln tries neither key again by itself (kiln token allow SERIAL --try-key)",
            )
        })?;
        Ok(End::done(format!("token {serial} takes the key \"{new}\" now")))
    }

    /// One attempt with `key`, recorded before it is made, and what to do with the token that took it.
    fn authenticate<L: ApduLink>(
        &self,
        token: &mut Token<L>,
        key: &CustomerKey,
        then: impl FnOnce(Unlocked<'_, L>) -> Result<(), End>,
    ) -> Result<(), End> {
        let (core, serial) = (self.core, &self.guest.serial);
        let data_key = core.data_key().map_err(|failure| End::failed(failure.message, failure.remedy))?;
        let fingerprint = data_key.key_fingerprint(key);
        let stamp = || core.stamp(self.who);
        let trial = Trial { key: fingerprint, by: TrialBy::Record };
        let attempt =
            core.store.attempt_made(serial, trial, None, &stamp()).map_err(|error| End::of(&error))?;
        let unlocked = token.unlock(key);
        let result = unlocked.as_ref().err().map_or(AttemptResult::Accepted, attempt_result);
        core.store.attempt_result(attempt, result, &stamp()).map_err(|error| End::of(&error))?;
        then(unlocked.map_err(|error| End::of(&error))?)
    }

    fn key(&self, name: Option<&str>) -> Result<CustomerKey, End> {
        match (name, &self.guest.model.key) {
            (None, KeyNeeded::CustomerKey { default }) => Ok(CustomerKey::new(default.as_bytes())),
            (None, KeyNeeded::PublicDeviceKey) => Ok(drivers::token2_single::device_key()),
            (None, KeyNeeded::AppletPassword | KeyNeeded::Nothing) => Ok(CustomerKey::new([])),
            (Some(name), _) => {
                self.core.customer_key(name).map_err(|failure| End::failed(failure.message, failure.remedy))
            }
        }
    }

    fn ask_for_button(&self, to: &str) {
        let serial = &self.guest.serial;
        lock(&self.core.orders.buttons).insert(serial.clone(), false);
        let says = format!("token {serial} asks whether to {to}");
        let remedy = "press the up arrow on the token, and leave it where it is";
        self.core.bus.slot(SlotView {
            doing: Doing::Touch,
            says: Some(says.clone()),
            remedy: Some(remedy.into()),
            ..self.view.clone()
        });
        self.core.bus.say(Event::Device {
            serial: serial.clone(),
            state: DeviceState::WaitsForButton,
            says,
            remedy: remedy.into(),
        });
    }

    /// A short pause, unless the time is up or the station ends.
    fn wait(&self, asked: Instant) -> Result<(), End> {
        if self.core.is_stopping() || asked.elapsed() >= PATIENCE {
            return Err(End::failed(
                format!("the button of token {} was not pressed", self.guest.serial),
                "look at its screen, take it off, and order it again",
            ));
        }
        thread::park_timeout(LOOK_AGAIN);
        Ok(())
    }
}
