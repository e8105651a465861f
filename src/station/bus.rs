//! News and truth in one place: an event is numbered, applied to what the snapshot shows, and sent, under one lock.
//! So a client that takes a snapshot and then follows the events misses nothing and hears nothing twice.

use crate::{
    domain::{Clock, SlotName},
    face::{Alarm, Event, Numbered, SlotView, Who},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::broadcast;

/// How many events a slow listener may lag behind before it has to take the snapshot again.
pub const BACKLOG: usize = 4096;

/// Numbers events, keeps what the snapshot shows of slots, alarms and who looks on.
pub struct Bus {
    clock: Arc<dyn Clock>,
    sender: broadcast::Sender<Arc<Numbered>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: u64,
    slots: BTreeMap<SlotName, SlotView>,
    alarms: Vec<Alarm>,
    attached: Vec<Who>,
}

/// What the bus contributes to a snapshot.
pub struct Shown {
    /// Number of the last event in it.
    pub last_event: u64,
    /// Slots by name.
    pub slots: Vec<SlotView>,
    /// Alarms, oldest first.
    pub alarms: Vec<Alarm>,
    /// Who looks on, those who came first before the others.
    pub attached: Vec<Who>,
}

impl Bus {
    /// A bus whose events carry the time of `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, sender: broadcast::channel(BACKLOG).0, state: Mutex::default() }
    }

    /// Where listeners subscribe.
    pub fn sender(&self) -> broadcast::Sender<Arc<Numbered>> {
        self.sender.clone()
    }

    /// Numbers and sends `event`.
    pub fn say(&self, event: Event) {
        let mut state = self.lock();
        state.last += 1;
        let numbered = Numbered { number: state.last, at: self.clock.now(), event };
        state.apply(&numbered);
        // No listener is no error: the snapshot has it.
        let _ = self.sender.send(Arc::new(numbered));
    }

    /// Says what a slot shows now, unless it shows that already.
    pub fn slot(&self, view: SlotView) {
        if self.lock().slots.get(&view.slot) != Some(&view) {
            self.say(Event::Slot(view));
        }
    }

    /// A slot goes by another name from now on.
    pub fn rename(&self, from: &SlotName, to: &SlotName) {
        let view = self.lock().slots.get(from).cloned();
        self.say(Event::SlotGone { slot: from.clone() });
        if let Some(view) = view {
            self.slot(SlotView { slot: to.clone(), ..view });
        }
    }

    /// Shows the alarms that an earlier station left. For the start, before anybody listens.
    pub fn recall(&self, alarms: Vec<Alarm>) {
        self.lock().alarms = alarms;
    }

    /// What the snapshot shows.
    pub fn shown(&self) -> Shown {
        let state = self.lock();
        Shown {
            last_event: state.last,
            slots: state.slots.values().cloned().collect(),
            alarms: state.alarms.clone(),
            attached: state.attached.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while it was held leaves numbers and views as they were: still the truth.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn apply(&mut self, news: &Numbered) {
        match &news.event {
            Event::Slot(view) => {
                self.slots.insert(view.slot.clone(), view.clone());
            }
            Event::SlotGone { slot } => {
                self.slots.remove(slot);
            }
            Event::Alarm { id, message, remedy, slot, doing: _ } => {
                self.alarms.push(Alarm {
                    id: *id,
                    at: news.at,
                    message: message.clone(),
                    remedy: remedy.clone(),
                    slot: slot.clone(),
                });
            }
            Event::AlarmsOver { ids, read_by: _ } => self.alarms.retain(|alarm| !ids.contains(&alarm.id)),
            Event::Attached(who) => self.attached.push(who.clone()),
            Event::Left(who) => {
                // One person may look on twice.
                if let Some(place) = self.attached.iter().position(|known| known == who) {
                    self.attached.remove(place);
                }
            }
            Event::Started { .. }
            | Event::TokenRead { .. }
            | Event::Job { .. }
            | Event::Batch(_)
            | Event::Clock(_)
            | Event::Vault { .. }
            | Event::Device { .. }
            | Event::Verified { .. }
            | Event::Stopping => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{ClockState, UnixMillis},
        face::{Doing, Role},
    };

    struct Fixed;
    impl Clock for Fixed {
        fn now(&self) -> UnixMillis {
            UnixMillis(1_767_225_600_000)
        }
        fn state(&self) -> ClockState {
            ClockState::Simulated
        }
    }

    fn view(doing: Doing) -> SlotView {
        SlotView::empty(SlotName("left".into()), doing)
    }

    #[test]
    fn a_snapshot_and_the_events_after_it_join_without_gap_or_double() {
        let bus = Bus::new(Arc::new(Fixed));
        let mut heard = bus.sender().subscribe();
        bus.slot(view(Doing::Place));
        let shown = bus.shown();
        bus.slot(view(Doing::Wait));
        bus.slot(view(Doing::Wait));
        let numbers: Vec<u64> = std::iter::from_fn(|| heard.try_recv().ok()).map(|n| n.number).collect();
        assert_eq!((shown.last_event, numbers), (1, vec![1, 2]));
        assert_eq!(bus.shown().slots[0].doing, Doing::Wait);
    }

    #[test]
    fn one_of_two_terminals_of_a_person_goes() {
        let bus = Bus::new(Arc::new(Fixed));
        let who = |name: &str| Who { name: name.into(), role: Role::Operator };
        for name in ["ann", "bob", "ann"] {
            bus.say(Event::Attached(who(name)));
        }
        bus.say(Event::Left(who("ann")));
        assert_eq!(bus.shown().attached, [who("bob"), who("ann")]);
        bus.say(Event::Left(who("cyd")));
        assert_eq!(bus.shown().attached.len(), 2);
    }

    #[test]
    fn alarms_stay_until_they_are_over() {
        let bus = Bus::new(Arc::new(Fixed));
        for id in 1..=60 {
            let message = format!("alarm {id}");
            bus.say(Event::Alarm { id, message, remedy: String::new(), slot: None, doing: None });
        }
        assert_eq!(bus.shown().alarms.len(), 60);
        bus.say(Event::AlarmsOver { ids: (2..=60).collect(), read_by: Some("ann".into()) });
        let alarms = bus.shown().alarms;
        assert_eq!((alarms.len(), alarms[0].message.as_str()), (1, "alarm 1"));
    }
}
