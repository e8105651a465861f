//! What every part of a station shares: the store, the open vault, the clock, the catalog, the bus.

use super::{
    alarms::Alarms, breaker::Batches, bus::Bus, clock_gate::ClockGate, clocks::Clocks, device::Orders,
    failure::locked, loose_end::LooseEnds, reads::Reads, searches::Searches, touches::Touches,
};
use crate::{
    domain::{Clock, CustomerKey, SeedId, SlotName, catalog::Catalog},
    face::{ClockView, Event, Failure, Finding, Snapshot, VaultState},
    link::LinkSource,
    store::{BatchState, Stamp, Store},
    vault::DataKey,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

/// What a composition hands in.
pub struct Parts {
    /// The records.
    pub store: Store,
    /// Models, recipes, targets.
    pub catalog: Catalog,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The readers.
    pub source: Arc<dyn LinkSource>,
    /// How long things may take.
    pub limits: Limits,
    /// How many clients are connected, counted by the server.
    pub clients: Arc<AtomicU32>,
    /// What only the composition can look at: the machine, the way to its readers, the home.
    pub probe: Probe,
    /// Told of each crossing of a burn: the point between a record and the command that it announces, or between a
    /// command and the record of its answer. For tests that kill the station there; [`no_crossing`] otherwise.
    pub crossing: Crossing,
}

/// See [`Parts::crossing`].
pub type Crossing = Arc<dyn Fn(&str) + Send + Sync>;

/// Does nothing at any crossing.
pub fn no_crossing() -> Crossing {
    Arc::new(|_| ())
}

/// See [`Parts::probe`]. May block for some seconds.
pub type Probe = Arc<dyn Fn() -> Vec<Finding> + Send + Sync>;

/// Nothing to look at beside the station itself.
pub fn no_probe() -> Probe {
    Arc::new(Vec::new)
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// One exchange with a token. The vendor's own application waits 3 s for a write (token2-single section 11).
    pub exchange: Duration,
    /// Between two looks at the list of readers; also how soon a slot notices that work has come.
    pub rescan: Duration,
    /// Whether a token's clock is watched until its second changes, once each time that it is put down: up to a second
    /// more for each token, and a clock known to a fraction of a second.
    pub precise_clocks: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { exchange: Duration::from_secs(10), rescan: Duration::from_millis(250), precise_clocks: false }
    }
}

/// What the station itself signs records with.
pub const STATION: &str = "station";

/// How many jobs the snapshot shows.
const QUEUE_WINDOW: u32 = 50;

/// What every part of a station shares.
pub struct Core {
    /// The records.
    pub store: Store,
    /// Models, recipes, targets.
    pub catalog: Catalog,
    /// The time, and what it is worth.
    pub clock: Arc<ClockGate>,
    /// The readers.
    pub source: Arc<dyn LinkSource>,
    /// News.
    pub bus: Bus,
    /// How long things may take.
    pub limits: Limits,
    /// Failures over each batch.
    pub breakers: Batches,
    /// Resets and key changes that wait for their tokens.
    pub orders: Orders,
    /// Codes that wait to be read from the key on a slot.
    pub reads: Reads,
    /// Keys that wait for a touch.
    pub touches: Touches,
    /// Burns that ended and are not on record yet.
    pub loose_ends: LooseEnds,
    /// What wants a person.
    pub alarms: Alarms,
    /// Told of each crossing of a burn.
    pub crossing: Crossing,
    /// What only the composition can look at.
    pub probe: Probe,
    /// Searches by those who only look on.
    pub searches: Searches,
    /// How the tokens' clocks run.
    pub clocks: Clocks,
    vault: RwLock<Option<Arc<DataKey>>>,
    clients: Arc<AtomicU32>,
    stopping: AtomicBool,
    changes: AtomicU64,
    resumes: AtomicU64,
    key_turn: Mutex<()>,
    slot_names: RwLock<BTreeMap<String, SlotName>>,
    readers: RwLock<Vec<String>>,
}

impl Core {
    /// Puts the parts together. Nothing runs yet.
    pub fn new(parts: Parts) -> Self {
        let clock = Arc::new(ClockGate::new(parts.clock));
        Self {
            store: parts.store,
            catalog: parts.catalog,
            bus: Bus::new(clock.clone()),
            clock,
            source: parts.source,
            limits: parts.limits,
            vault: RwLock::new(None),
            clients: parts.clients,
            stopping: AtomicBool::new(false),
            changes: AtomicU64::new(0),
            resumes: AtomicU64::new(0),
            key_turn: Mutex::new(()),
            slot_names: RwLock::default(),
            readers: RwLock::default(),
            breakers: Batches::default(),
            orders: Orders::default(),
            reads: Reads::default(),
            touches: Touches::default(),
            loose_ends: LooseEnds::default(),
            alarms: Alarms::default(),
            crossing: parts.crossing,
            probe: parts.probe,
            searches: Searches::default(),
            clocks: Clocks::default(),
        }
    }

    /// Signs an act of `who` with the time and the clock's state.
    pub fn stamp(&self, who: &str) -> Stamp {
        Stamp::new(self.clock.now(), who, self.clock.state())
    }

    /// The data key, if the vault is open.
    pub fn data_key(&self) -> Result<Arc<DataKey>, Failure> {
        self.vault.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(locked)
    }

    /// Opens the vault, or closes it. Whoever holds the key at that moment (a burn in hand) ends with it.
    pub fn set_data_key(&self, key: Option<DataKey>) {
        *self.vault.write().unwrap_or_else(PoisonError::into_inner) = key.map(Arc::new);
        self.changed();
    }

    /// Whether the vault is there and open.
    pub fn vault_state(&self) -> Result<VaultState, Failure> {
        Ok(if self.data_key().is_ok() {
            VaultState::Open
        } else if self.store.vault_check()?.is_some() {
            VaultState::Locked
        } else {
            VaultState::Absent
        })
    }

    /// The clock, what it is worth, and whether burns may go on by it.
    pub fn clock_view(&self) -> Result<ClockView, Failure> {
        let now = self.clock.now();
        let state = self.clock.state();
        let active = self.store.active_override(now)?;
        Ok(ClockView {
            now,
            state,
            burns_allowed: state.is_trusted() || active.is_some(),
            override_until: active.map(|o| o.until),
            keeper: None,
        })
    }

    /// The same, with who keeps it right, which takes a look at all processes.
    pub fn clock_asked(&self) -> Result<ClockView, Failure> {
        Ok(ClockView { keeper: self.clock.keeper(), ..self.clock_view()? })
    }

    /// Waits for this slot's turn to look at a key's standing and record an attempt.
    pub fn key_turn(&self) -> MutexGuard<'_, ()> {
        self.key_turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells waiting slots that what they wait for may have come: work, a key, a person's word.
    pub fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// A number that grows with each change.
    pub fn change_count(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// What the slot at `reader` is called: as the operator says, else as the reader is listed.
    pub fn slot_name(&self, reader: &str) -> SlotName {
        let names = self.slot_names.read().unwrap_or_else(PoisonError::into_inner);
        names.get(reader).cloned().unwrap_or_else(|| SlotName(reader.to_owned()))
    }

    /// The readers there are now.
    pub fn readers(&self) -> Vec<String> {
        self.readers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells which readers there are now.
    pub fn set_readers(&self, readers: Vec<String>) {
        *self.readers.write().unwrap_or_else(PoisonError::into_inner) = readers;
    }

    /// Reads the slots' names from the store again.
    pub fn load_slot_names(&self) -> Result<(), Failure> {
        *self.slot_names.write().unwrap_or_else(PoisonError::into_inner) = self.store.slot_names()?;
        Ok(())
    }

    /// Tells paused slots that a person has started a batch again.
    pub fn resume(&self) {
        self.resumes.fetch_add(1, Ordering::AcqRel);
        self.changed();
    }

    /// A number that grows with each start of a batch by a person.
    pub fn resumes(&self) -> u64 {
        self.resumes.load(Ordering::Acquire)
    }

    /// Asks every part to end when what it has in hand is done.
    pub fn stop(&self) {
        if !self.stopping.swap(true, Ordering::AcqRel) {
            self.bus.say(Event::Stopping);
        }
    }

    /// Whether the station is ending.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The state now.
    pub fn snapshot(&self) -> Result<Snapshot, Failure> {
        // The number first: what happens while the rest is read shows in the snapshot or comes as an event, or both;
        // clients take events as news about a state, so hearing one again does no harm, missing one would.
        let shown = self.bus.shown();
        let batches = self.store.batches()?;
        let mut queue = Vec::new();
        let mut served: Vec<_> =
            batches.iter().filter(|b| matches!(b.state, BatchState::Running | BatchState::Paused)).collect();
        // As tokens get them: what runs before what is paused, the highest priority first, then the oldest.
        served.sort_by_key(|b| (b.state != BatchState::Running, std::cmp::Reverse(b.priority), b.id.0));
        for batch in served {
            let left = QUEUE_WINDOW.saturating_sub(u32::try_from(queue.len()).unwrap_or(u32::MAX));
            if left == 0 {
                break;
            }
            queue.extend(self.store.queue(batch.id, left)?.iter().map(super::views::job));
        }
        Ok(Snapshot {
            last_event: shown.last_event,
            at: self.clock.now(),
            slots: shown.slots,
            batches: batches.iter().map(super::views::batch).collect(),
            queue,
            alarms: shown.alarms,
            clock: self.clock_view()?,
            vault: self.vault_state()?,
            clients: self.clients.load(Ordering::Relaxed),
            attached: shown.attached,
        })
    }

    /// Opens one customer key. The vault must be open.
    pub fn customer_key(&self, name: &str) -> Result<CustomerKey, Failure> {
        let data_key = self.data_key()?;
        let record = self.store.key(name)?.ok_or_else(|| {
            super::failure::failure(
                crate::face::FailureKind::No,
                format!("there is no key \"{name}\" in the vault"),
                "add it with \"kiln key add\"",
            )
        })?;
        data_key
            .open_key(name, &record.sealed)
            .map_err(|_| super::failure::unreadable(&format!("key \"{name}\"")))
    }

    /// Opens one seed. The vault must be open.
    pub fn seed(&self, id: SeedId) -> Result<crate::domain::Seed, Failure> {
        let key = self.data_key()?;
        let record =
            self.store.seed_sealed(id)?.ok_or_else(|| super::failure::unreadable(&format!("seed {id}")))?;
        key.open_seed(id, &record.sealed).map_err(|_| super::failure::unreadable(&format!("seed {id}")))
    }

    /// Says what a batch looks like now.
    pub fn say_batch(&self, name: &str) {
        match self.store.batch_by_name(name) {
            Ok(Some(batch)) => self.bus.say(Event::Batch(super::views::batch(&batch))),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, name, "a batch could not be read for an event"),
        }
    }
}
