//! A bench of readers in process: named slots, tokens put down and taken away, and nobody polls. It stands in for
//! PC/SC wherever a station should run without any.

use super::{
    hid::Plugged,
    token::{Outcome, VirtualToken},
};
use crate::{
    link::{Apdu, ApduLink, HidLink, LinkError, LinkSource, Opened, Port, Presence, Report, Response},
    remedy::{Remedy, Retry},
};
use std::{
    collections::BTreeMap,
    sync::mpsc::RecvTimeoutError,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// A hand that can't do what it was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BenchError {
    /// No such slot.
    #[error("the bench has no slot \"{0}\"")]
    NoSlot(String),
    /// Something lies there.
    #[error("slot \"{0}\" is taken")]
    Taken(String),
    /// The token lies elsewhere.
    #[error("the token already lies in slot \"{0}\"")]
    Elsewhere(String),
}

impl Remedy for BenchError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NoSlot(_) => "name one of the slots that the bench lists",
            Self::Taken(_) => "take away what lies in the slot first",
            Self::Elsewhere(_) => "take the token off the other slot first",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// One slot of the bench.
#[derive(Default)]
struct Place {
    token: Option<VirtualToken>,
    /// Counts what would cut a link off: placed, taken, torn off.
    generation: u64,
    /// Counts resets by others.
    resets: u64,
    /// The port whose link holds the token.
    holder: Option<u64>,
    /// Whether it is a USB port: what is plugged in there speaks in reports.
    is_usb: bool,
}

impl Place {
    /// What a reader would notice: a token that is switched off it doesn't.
    fn felt(&self) -> Option<&VirtualToken> {
        self.token.as_ref().filter(|token| !token.is_dark())
    }

    fn leave(&mut self) -> Option<VirtualToken> {
        let token = self.token.take()?;
        token.taken_off();
        self.generation += 1;
        self.holder = None;
        Some(token)
    }
}

#[derive(Default)]
struct Table {
    places: BTreeMap<String, Place>,
    outage: Option<LinkError>,
    ports: u64,
}

impl Table {
    fn place(&self, slot: &str) -> Result<&Place, LinkError> {
        match &self.outage {
            Some(outage) => Err(outage.clone()),
            None => self.places.get(slot).ok_or(LinkError::ReaderGone),
        }
    }
}

#[derive(Default)]
struct Shared {
    table: Mutex<Table>,
    /// Rung at every change of the table.
    changed: Condvar,
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'t>(&self, table: MutexGuard<'t, Table>, at_most: Option<Duration>) -> MutexGuard<'t, Table> {
        match at_most {
            Some(limit) => self.changed.wait_timeout(table, limit).unwrap_or_else(PoisonError::into_inner).0,
            None => self.changed.wait(table).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// The bench. Clones are the same bench: one goes to the station as its source of links, one stays in the hand.
#[derive(Clone, Default)]
pub struct Bench(Arc<Shared>);

impl Bench {
    /// A bench with these slots, all empty.
    pub fn new<S: Into<String>>(slots: impl IntoIterator<Item = S>) -> Self {
        let bench = Self::default();
        slots.into_iter().for_each(|slot| bench.add_slot(slot));
        bench
    }

    /// Adds a USB port. A key that is placed there is plugged in, and talked to over HID.
    pub fn add_usb_port(&self, slot: impl Into<String>) {
        self.change(|table| table.places.entry(slot.into()).or_default().is_usb = true);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let done = change(&mut self.0.table());
        self.0.changed.notify_all();
        done
    }

    /// Plugs a reader in. One of that name that is there already stays as it is.
    pub fn add_slot(&self, slot: impl Into<String>) {
        self.change(|table| {
            table.places.entry(slot.into()).or_default();
        });
    }

    /// Unplugs a reader; what lay on it is handed back.
    pub fn remove_slot(&self, slot: &str) -> Option<VirtualToken> {
        self.change(|table| table.places.remove(slot).and_then(|mut place| place.leave()))
    }

    /// Stops the whole reader service with this error, or starts it again.
    pub fn set_outage(&self, outage: Option<LinkError>) {
        self.change(|table| table.outage = outage);
    }

    /// Puts a token down.
    pub fn place(&self, slot: &str, token: &VirtualToken) -> Result<(), BenchError> {
        self.change(|table| {
            let lies =
                table.places.iter().find(|(_, place)| place.token.as_ref().is_some_and(|t| t.is(token)));
            if let Some((elsewhere, _)) = lies {
                return Err(BenchError::Elsewhere(elsewhere.clone()));
            }
            let Some(place) = table.places.get_mut(slot) else {
                return Err(BenchError::NoSlot(slot.to_owned()));
            };
            if place.token.is_some() {
                return Err(BenchError::Taken(slot.to_owned()));
            }
            token.activate();
            place.token = Some(token.clone());
            place.generation += 1;
            Ok(())
        })
    }

    /// Takes away what lies in a slot.
    pub fn take(&self, slot: &str) -> Option<VirtualToken> {
        self.change(|table| table.places.get_mut(slot).and_then(Place::leave))
    }

    /// What lies in a slot, switched on or not.
    pub fn lies_in(&self, slot: &str) -> Option<VirtualToken> {
        self.0.table().places.get(slot).and_then(|place| place.token.clone())
    }

    /// Resets the token in a slot as another program would: what it had accepted is lost, and so is the link to it.
    pub fn reset(&self, slot: &str) {
        self.change(|table| {
            if let Some(place) = table.places.get_mut(slot) {
                place.resets += 1;
                place.token.iter().for_each(VirtualToken::activate);
            }
        });
    }

    /// Switches the token in a slot off, and on again if `on_again` is set: its reader sees it leave, and come back.
    pub fn switch(&self, slot: &str, power: Power) {
        self.change(|table| {
            if let Some(place) = table.places.get_mut(slot)
                && let Some(token) = place.token.clone()
            {
                match power {
                    Power::Off | Power::OffAndOn => token.switch_off(),
                    Power::On => {}
                }
                if token.is_dark() {
                    place.generation += 1;
                    place.holder = None;
                }
                match power {
                    Power::On | Power::OffAndOn => token.switch_on(),
                    Power::Off => {}
                }
            }
        });
    }
}

/// What a hand does to a token's display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// Lights it.
    On,
    /// Darkens it.
    Off,
    /// Darkens it and lights it again, so that it shows afresh.
    OffAndOn,
}

impl LinkSource for Bench {
    fn list(&self) -> Result<Vec<String>, LinkError> {
        let table = self.0.table();
        match &table.outage {
            Some(outage) => Err(outage.clone()),
            None => Ok(table.places.keys().cloned().collect()),
        }
    }

    fn open_port(&self, name: &str) -> Result<Box<dyn Port>, LinkError> {
        let mut table = self.0.table();
        let reported = table.place(name)?.generation;
        table.ports += 1;
        Ok(Box::new(BenchPort { shared: self.0.clone(), slot: name.to_owned(), id: table.ports, reported }))
    }
}

struct BenchPort {
    shared: Arc<Shared>,
    slot: String,
    id: u64,
    /// The generation that was last spoken of, so that a token exchanged between two looks is not missed.
    reported: u64,
}

impl BenchPort {
    fn presence(&self, place: &Place) -> Presence {
        let free = place.holder.is_none_or(|holder| holder == self.id);
        if place.felt().is_some() && free { Presence::Present } else { Presence::Empty }
    }
}

impl Port for BenchPort {
    fn wait_change(&mut self, known: Presence, at_most: Duration) -> Result<Presence, LinkError> {
        let deadline = Instant::now() + at_most;
        let shared = self.shared.clone();
        let mut table = shared.table();
        loop {
            let place = table.place(&self.slot)?;
            let changed = place.generation != self.reported;
            self.reported = place.generation;
            let presence = self.presence(place);
            if presence != known {
                return Ok(presence);
            }
            if changed && known == Presence::Present {
                return Ok(Presence::Empty);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(presence);
            }
            table = shared.wait(table, Some(left));
        }
    }

    fn open(&mut self) -> Result<Opened, LinkError> {
        let mut table = self.shared.table();
        let id = self.id;
        let token = table.place(&self.slot)?.felt().cloned().ok_or(LinkError::Gone)?;
        let place = table.places.get_mut(&self.slot).ok_or(LinkError::ReaderGone)?;
        if place.holder.is_some() {
            return Err(LinkError::Busy);
        }
        // What can't be talked to fails as it is connected, as with PC/SC.
        if token.answer_to_reset().first() != Some(&0x3B) {
            return Err(LinkError::Mute);
        }
        let plugged =
            if place.is_usb { Some(Plugged::new(token.clone()).map_err(|_| LinkError::Mute)?) } else { None };
        place.holder = Some(id);
        self.reported = place.generation;
        if let Some(plugged) = plugged {
            let (shared, slot) = (self.shared.clone(), self.slot.clone());
            let (generation, resets) = (place.generation, place.resets);
            let card = BenchLink { shared, slot, generation, resets, token };
            return Ok(Opened::Hid(Box::new(BenchHid { plugged, card })));
        }
        Ok(Opened::Card(Box::new(BenchLink {
            shared: self.shared.clone(),
            slot: self.slot.clone(),
            generation: place.generation,
            resets: place.resets,
            token,
        })))
    }
}

struct BenchLink {
    shared: Arc<Shared>,
    slot: String,
    generation: u64,
    resets: u64,
    token: VirtualToken,
}

impl BenchLink {
    /// Whether the link still leads to the token that it was opened to.
    fn standing(&self, table: &Table) -> Result<(), LinkError> {
        let place = table.place(&self.slot)?;
        if place.generation != self.generation || place.felt().is_none() {
            Err(LinkError::Gone)
        } else if place.resets != self.resets {
            Err(LinkError::Reset)
        } else {
            Ok(())
        }
    }

    fn wait_out(&self, delay: Duration) {
        if !delay.is_zero() {
            thread::sleep(delay);
        }
    }
}

impl ApduLink for BenchLink {
    fn exchange(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        let delay = self.token.delay();
        self.wait_out(delay / 2);
        self.standing(&self.shared.table())?;
        let outcome = self.token.exchange(command.bytes());
        self.wait_out(delay - delay / 2);
        let mut table = self.shared.table();
        match outcome {
            Outcome::Answer(bytes) => {
                self.standing(&table)?;
                Response::from_bytes(bytes)
            }
            Outcome::Torn => {
                if self.standing(&table).is_ok()
                    && let Some(place) = table.places.get_mut(&self.slot)
                {
                    place.leave();
                    drop(table);
                    self.shared.changed.notify_all();
                }
                Err(LinkError::Gone)
            }
            // As behind pcscd: the call comes back when the token leaves.
            Outcome::Silence => loop {
                self.standing(&table)?;
                table = self.shared.wait(table, None);
            },
        }
    }

    fn answer_to_reset(&self) -> &[u8] {
        self.token.answer_to_reset()
    }
}

/// A key that is plugged in. What a link to a card on this bench knows of its place holds for it as well.
struct BenchHid {
    plugged: Plugged,
    card: BenchLink,
}

impl BenchHid {
    /// Pulled out by its own fault.
    fn torn(&self) -> LinkError {
        let mut table = self.card.shared.table();
        if self.card.standing(&table).is_ok()
            && let Some(place) = table.places.get_mut(&self.card.slot)
        {
            place.leave();
            drop(table);
            self.card.shared.changed.notify_all();
        }
        LinkError::Gone
    }
}

/// How long a wait for a report goes without a look at whether the key is there still.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

impl HidLink for BenchHid {
    fn send(&mut self, report: &Report) -> Result<(), LinkError> {
        self.card.standing(&self.card.shared.table())?;
        if self.plugged.feed(report) { Ok(()) } else { Err(self.torn()) }
    }

    fn receive(&mut self, at_most: Duration) -> Result<Option<Report>, LinkError> {
        let deadline = Instant::now() + at_most;
        loop {
            self.card.standing(&self.card.shared.table())?;
            let left = deadline.saturating_duration_since(Instant::now());
            match self.plugged.reports.recv_timeout(left.min(LOOK_AGAIN)) {
                Ok(report) => return Ok(Some(report)),
                Err(RecvTimeoutError::Disconnected) => return Err(self.torn()),
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl Drop for BenchLink {
    fn drop(&mut self) {
        let mut table = self.shared.table();
        if let Some(place) = table.places.get_mut(&self.slot)
            && place.generation == self.generation
        {
            place.holder = None;
            self.token.activate();
            drop(table);
            self.shared.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests;
