//! The station: slots with a thread each, the acts that clients ask for, the clock gate. It owns the store and the
//! vault, and knows links only as traits: real readers and virtual ones are the same to it, and nothing in here knows
//! in which composition it runs.

mod acts;
mod alarms;
mod breaker;
mod burn;
mod bus;
mod clock_gate;
mod clocks;
mod core;
mod device;
mod edge;
mod failure;
mod handle;
mod key;
mod loose_end;
mod prepare;
mod reads;
mod resync;
mod searches;
mod slot;
mod slots;
mod touches;
mod views;
mod visit;

pub use self::{
    core::{Crossing, Limits, Parts, Probe, no_crossing, no_probe},
    handle::{Caller, Request, StationHandle},
};

use self::core::{Core, STATION};
use crate::{face::Event, face::Failure};
use std::{
    sync::{Arc, Weak},
    thread,
};
use tokio::sync::mpsc;

/// How many requests may wait for a thread; a client that asks faster waits.
const REQUESTS_WAITING: usize = 64;

/// A running station.
pub struct Station {
    core: Arc<Core>,
    slots: thread::JoinHandle<()>,
}

impl Station {
    /// Reads what the last station left, begins to watch the readers and to answer at the door. Must be called inside
    /// a tokio runtime; what blocks runs on threads of its own.
    pub fn start(parts: Parts) -> Result<(Self, StationHandle), Failure> {
        let core = Arc::new(Core::new(parts));
        core.load_slot_names()?;
        alarms::recall(&core)?;
        let recovered = core.store.recover(&core.stamp(STATION))?;
        core.bus.say(Event::Started { recovered: recovered.iter().map(|job| job.id.0).collect() });
        let (requests, waiting) = mpsc::channel(REQUESTS_WAITING);
        let handle = StationHandle::new(requests, core.bus.sender());
        tokio::spawn(answer(core.clone(), waiting));
        let slots = {
            let core = core.clone();
            thread::spawn(move || slots::look_after(&core))
        };
        Ok((Self { core, slots }, handle))
    }

    /// Waits until somebody has asked the station to stop, and its slots have laid down what they had in hand.
    pub async fn stopped(self) {
        let slots = self.slots;
        // A panic of that thread is in the log; what it had in hand is unfinished on disk.
        let _ = tokio::task::spawn_blocking(move || slots.join()).await;
    }

    /// Something that can ask the station to stop while another waits for its end.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.core.clone())
    }

    /// Something that can tell the station's listeners what the server of its door knows.
    pub fn crier(&self) -> Crier {
        Crier(Arc::downgrade(&self.core))
    }
}

/// Asks a station to stop, as the operator's command does.
pub struct Stopper(Arc<Core>);

impl Stopper {
    /// No slot takes another job; what is in hand ends first.
    pub fn stop(&self) {
        self.0.stop();
    }
}

/// Tells those who listen to a station who else looks on. Keeps no station alive.
pub struct Crier(Weak<Core>);

impl Crier {
    /// Numbers `event` and sends it, unless the station is gone.
    pub fn cry(&self, event: Event) {
        if let Some(core) = self.0.upgrade() {
            core.bus.say(event);
        }
    }
}

/// Answers requests, each on a thread that may block. A request that waits for the store holds up no other.
async fn answer(core: Arc<Core>, mut waiting: mpsc::Receiver<Request>) {
    while let Some(Request { command, caller, answer }) = waiting.recv().await {
        let core = core.clone();
        tokio::task::spawn_blocking(move || {
            let result = acts::carry_out(&core, command, &caller);
            if let Err(failure) = &result {
                tracing::info!(who = %caller.who, %failure, "a request was not carried out");
            }
            // Whoever asked may have left.
            let _ = answer.send(result);
        });
    }
}
