//! A token lies on a reader: who is it, and what is there to do with it?

use super::{
    alarms::{self, Words},
    burn::burn,
    core::Core,
    core::STATION,
    device, edge, key,
    prepare::{Not, not_read, prepare},
    reads, resync,
    slot::Slot,
    views,
};
use crate::{
    domain::{
        Clock, DriftSeconds, Profile, ReadingKind, Serial, SlotName, UnixMillis,
        model::{Driver, Model},
    },
    drivers::{
        self, Found, Logged, OtherDevice, Token,
        token2_otp::{Attendant, Framed, Limits},
    },
    face::{Doing, Event, SlotView},
    link::{ApduLink, LinkError, Opened, Port},
    remedy::Remedy,
    store::{AlarmAbout, NewReading},
};
use std::time::{Duration, Instant};

/// What the slot does after a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The token has nothing more to get here: wait until it is taken away.
    Take,
    /// Something that a person can change stands in the way: look again when something has changed.
    WhenChanged,
    /// Something that passes by itself stands in the way: look again soon.
    Soon,
    /// The link was lost.
    Lost,
}

/// Whether the token was just put down, or lay there already and is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It was just put down: its reading goes on record.
    First,
    /// It lay there: only what differs from before is news.
    Again,
}

/// A token that told who it is, and how its clock and the link behave.
pub struct Guest<'a> {
    /// Its serial.
    pub serial: Serial,
    /// What it can do.
    pub model: &'a Model,
    /// How long one exchange takes, there and back; of a token without a clock, all that it took to find out who it is.
    pub round_trip: Duration,
    /// Its clock, as it was read just now; `None` for one without.
    pub reading: Option<NewReading>,
}

/// How long a key may wait for a touch before its exchange is overdue: longer than any key does by itself (15 s are usual).
pub const TOUCH_PATIENCE: Duration = Duration::from_secs(30);

/// Looks at what lies on the reader and does what there is to do with it.
pub fn visit(slot: &mut Slot<'_>, port: &mut dyn Port, look: Look) -> After {
    if look == Look::First {
        slot.core.bus.slot(slot.view(Doing::Wait));
        slot.alarm_over();
    }
    let mut view = slot.view(Doing::Wait);
    let welcomed = welcome(slot, port, look, &mut view);
    if let Err(not) = &welcomed
        && let Some(read) = slot.core.reads.take(&slot.name)
    {
        reads::refuse(&read, not.clone());
    }
    match welcomed {
        Ok(after) => {
            slot.alarm_over();
            after
        }
        Err(Not::Link(error)) => lost(slot, view, &error),
        Err(Not::Say { says, remedy, doing, after, alarm }) => {
            if !alarm {
                slot.alarm_over();
            } else if slot.alarmed.as_ref() != Some(&says) {
                slot.alarmed = Some(says.clone());
                let message = match &view.serial {
                    Some(serial) if !says.contains(serial.as_str()) => format!("token {serial}: {says}"),
                    Some(_) | None => says.clone(),
                };
                let words = Words { message, remedy: &remedy, place: Some((&slot.name, doing)) };
                alarms::raise(slot.core, AlarmAbout::Reader(slot.reader.to_owned()), words);
            }
            slot.core.bus.slot(SlotView { doing, says: Some(says), remedy: Some(remedy), ..view });
            after
        }
    }
}

fn lost(slot: &Slot<'_>, view: SlotView, error: &LinkError) -> After {
    // Behind a closed fence somebody else has spoken for this slot.
    if !slot.fence.is_closed() {
        slot.core.bus.slot(SlotView {
            doing: Doing::Look,
            says: Some(error.to_string()),
            remedy: Some(error.remedy().to_owned()),
            ..view
        });
    }
    match error {
        // What came for another program spoiled this try, not the token: it is tried again while the key is there.
        LinkError::Busy
        | LinkError::HeldByKiln
        | LinkError::Interfered
        | LinkError::Garbled
        | LinkError::NoService => After::Soon,
        LinkError::Mute | LinkError::Refused | LinkError::NoPermission => After::WhenChanged,
        // A key on USB that says nothing: the thread waited no longer than it should have.
        LinkError::Deadline(_) if !slot.fence.is_closed() => After::Soon,
        LinkError::Gone
        | LinkError::Reset
        | LinkError::Deadline(_)
        | LinkError::ReaderGone
        | LinkError::Usb(_)
        | LinkError::Reader(_)
        | LinkError::OddReport(_)
        | LinkError::ButtonMissed(_) => After::Lost,
        // It may wait still: nothing is asked of it before it was taken away.
        LinkError::CalledOff => After::Take,
    }
}

fn welcome(slot: &mut Slot<'_>, port: &mut dyn Port, look: Look, view: &mut SlotView) -> Result<After, Not> {
    let core = slot.core;
    // What an earlier step was granted, nobody waits for any more.
    slot.fence.grant(Duration::ZERO);
    let opened = port.open().map_err(Not::Link)?;
    let is_on_usb = matches!(opened, Opened::Hid(_));
    let (asked, begun) = (core.clock.now(), Instant::now());
    let found: Found<Box<dyn ApduLink + '_>> = match opened {
        Opened::Card(link) => drivers::identify(link as Box<dyn ApduLink + '_>, slot.reader),
        Opened::Hid(link) => {
            let attendant = TouchLight { core, slot: slot.name.clone() };
            let link = Logged::new(Framed::new(link, attendant), slot.reader);
            drivers::identify_hid(Box::new(link) as Box<dyn ApduLink + '_>, drivers::SURPLUS)
        }
    }
    .map_err(Not::Link)?;
    let round_trip = begun.elapsed();
    let (mut token, clock) = match found {
        Found::Token(token, clock) => (token, clock),
        Found::Other(other) if is_on_usb => return Err(stranger_on_usb(other)),
        Found::Other(other) => return Err(stranger(other)),
    };
    let reading = clock.map(|clock| reading(clock.0, asked, round_trip));
    if let Token::Key(session) = &mut token {
        key::recall(core, session)?;
    }
    slot.guest = Some(token.serial().clone());
    view.serial = Some(token.serial().clone());
    if let Some(read) = core.reads.take(&slot.name) {
        return match reads::carry_out(slot, &mut token, &read, view) {
            reads::Then::AsBefore => Ok(After::Soon),
            reads::Then::WaitsStill => Err(Not::Link(LinkError::CalledOff)),
        };
    }
    if let Token::Key(session) = &mut token {
        view.model = key::model_of(core, session.about().maker).map(|model| model.name.clone());
        key::introduce(core, session)?;
    }
    let serial = token.serial().clone();
    slot.guest = Some(serial.clone());
    view.serial = Some(serial.clone());
    view.drift = reading.map(drift_of);
    let model = model_of(core, &mut token, &serial)?;
    view.model = model.map(|model| model.name.clone());
    if look == Look::First {
        core.bus.say(Event::TokenRead {
            slot: slot.name.clone(),
            serial: serial.clone(),
            model: view.model.clone(),
            drift: view.drift,
        });
    }
    let Some(model) = model else {
        return Err(Not::take(
            format!("serial {serial} is of no model kiln knows"),
            "take it away; if it is programmable, add its model under profiles/models",
        ));
    };
    let watched = || edge::watch(core, &mut token);
    let precise = (look == Look::First && core.limits.precise_clocks && reading.is_some()).then(watched);
    let reading = precise.flatten().or(reading);
    let guest = Guest { serial, model, round_trip, reading };
    match reading {
        Some(reading) if look == Look::First => {
            core.store.reading(&guest.serial, &model.name, reading, &core.stamp(STATION));
        }
        None if look == Look::First => {
            core.store.seen_again(&guest.serial, &model.name, &core.stamp(STATION))
        }
        Some(_) | None => {}
    }
    if let Some(order) = core.orders.take(&guest.serial) {
        return Ok(device::carry_out(slot, &guest, &mut token, &order, view));
    }
    let ready = prepare(slot, &guest, &mut token)?;
    view.job = Some(ready.job.id.0);
    view.says = resync::says(&ready.job);
    Ok(burn(slot, &guest, &mut token, ready, view))
}

/// Says *touch* where a key on USB waits for one, and gives the wait up when a person wants that or the station ends.
struct TouchLight<'a> {
    core: &'a Core,
    slot: SlotName,
}

impl Attendant for TouchLight<'_> {
    fn touch_wanted(&mut self) {
        self.core.touches.begin(&self.slot);
        let shown = self.core.bus.shown().slots.iter().find(|view| view.slot == self.slot).cloned();
        if let Some(view) = shown {
            // Where a step foresaw it, its words are better.
            let foreseen = view.says.clone().filter(|_| view.doing == Doing::Touch);
            self.core.bus.slot(SlotView {
                doing: Doing::Touch,
                says: Some(foreseen.unwrap_or_else(|| "touch the key: it waits for that".to_owned())),
                remedy: Some(format!(
                    "within {} seconds; \"kiln slots give-up '{}'\" gives the wait up",
                    Limits::default().touch.as_secs(),
                    self.slot
                )),
                ..view
            });
        }
    }

    fn waits_on(&mut self) -> bool {
        !self.core.is_stopping() && !self.core.touches.is_given_up(&self.slot)
    }

    fn wait_over(&mut self) {
        self.core.touches.end(&self.slot);
    }
}

/// Token clock minus station clock. A token tells whole seconds, so it stands on average half a second further; its
/// answer left it about half a round trip after it was asked (token2-single section 11).
pub fn reading(token_seconds: i64, asked: UnixMillis, round_trip: Duration) -> NewReading {
    let half_trip = i64::try_from(round_trip.as_millis() / 2).unwrap_or(i64::MAX / 4);
    let token = token_seconds.saturating_mul(1000).saturating_add(500);
    NewReading {
        drift_ms: token.saturating_sub(asked.0.saturating_add(half_trip)),
        uncertainty_ms: 500 + half_trip.unsigned_abs(),
        kind: ReadingKind::Clock,
    }
}

fn stranger(other: OtherDevice) -> Not {
    Not::take(format!("this is no token that kiln can burn: {other}"), other.remedy())
}

/// What kiln knows as a key by its USB ids: not for good, since another program can keep it from answering, or from being
/// understood.
fn stranger_on_usb(other: OtherDevice) -> Not {
    Not::Say {
        says: format!("this key cannot be burned now: it is {other}"),
        remedy: other.remedy().to_owned(),
        doing: Doing::Look,
        after: After::Soon,
        alarm: false,
    }
}

/// The model by serial, or, where a family's serials don't tell, by what the token has.
fn model_of<'a, L: ApduLink>(
    core: &'a Core,
    token: &mut Token<L>,
    serial: &Serial,
) -> Result<Option<&'a Model>, Not> {
    let driver = match token {
        Token::Single(_) => Driver::Token2Single,
        Token::Molto2(_) => Driver::Molto2,
        // Their serials are plain numbers, which may begin as another family's do.
        Token::Key(session) => return Ok(key::model_of(core, session.about().maker)),
        // Told apart by their serials as far as those are known; the applet is the same on all.
        Token::OtpKey(_) => return Ok(key::otp_model_of(core, serial)),
    };
    if let Some(model) = core.catalog.model_for_serial(serial) {
        return Ok(Some(model).filter(|model| model.driver == driver));
    }
    match token {
        Token::Single(_) | Token::Key(_) | Token::OtpKey(_) => Ok(None),
        Token::Molto2(session) => {
            // No command tells the generation; only the second has profiles from 50 on (molto2 section 1).
            let second = match session.public_block(Profile::new(50)) {
                Ok(_) => true,
                Err(drivers::ReadError::Status { .. }) => false,
                Err(error) => return Err(not_read(error)),
            };
            let wanted = if second { 100 } else { 50 };
            Ok(core.catalog.models().find(|model| model.driver == driver && model.profiles == wanted))
        }
    }
}

/// Drift as it stands right after a burn.
pub fn drift_of(reading: NewReading) -> DriftSeconds {
    views::drift(reading.drift_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_compared_with_the_middle_of_the_exchange() {
        let asked = UnixMillis(1_000_000);
        let exact = reading(1_000, asked, Duration::from_millis(1_000));
        assert_eq!((exact.drift_ms, exact.uncertainty_ms), (0, 1_000));
        let fast = reading(1_010, asked, Duration::from_millis(40));
        assert_eq!((fast.drift_ms, fast.uncertainty_ms), (10_480, 520));
    }
}
