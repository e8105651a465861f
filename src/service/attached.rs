//! Who is connected to the station right now, and who of them looks on.
//!
//! Every verb connects for a moment; that is no news. Who subscribes to events (`kiln watch`, a screen) looks on until
//! the connection ends: the others are told of that.

use crate::face::{Event, Role, Who};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Where it is told who comes and goes.
type Crier = Box<dyn Fn(Event) + Send + Sync>;

/// The clients connected to a server. Cheap to clone; all clones are the same list.
#[derive(Clone, Default)]
pub struct Attached {
    count: Arc<AtomicU32>,
    list: Arc<Mutex<BTreeMap<u64, Entry>>>,
    crier: Arc<OnceLock<Crier>>,
    hushed: Arc<AtomicBool>,
}

struct Entry {
    who: Who,
    /// As whom this client looks on, which may be less than what the server allows it.
    looks_on: Option<Who>,
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Attached").field(&self.list()).finish()
    }
}

impl Attached {
    /// How many there are; the station reads it for its snapshot without knowing this module.
    pub fn counter(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.count)
    }

    /// Who is connected, those longest first.
    pub fn list(&self) -> Vec<Who> {
        self.locked().values().map(|entry| entry.who.clone()).collect()
    }

    /// From now on `crier` is told of each who begins or ceases to look on. It is called while the list is locked, so
    /// that the order of what it hears is the order of what happened: it must not ask this list anything. Only the
    /// first call counts.
    pub fn tell(&self, crier: impl Fn(Event) + Send + Sync + 'static) {
        let _ = self.crier.set(Box::new(crier));
    }

    /// Counts a client as connected until the returned value is dropped.
    pub(super) fn enter(&self, who: Who) -> Place {
        let mut list = self.locked();
        let number = list.last_key_value().map_or(0, |(last, _)| last + 1);
        list.insert(number, Entry { who, looks_on: None });
        self.update(&list);
        Place { attached: self.clone(), number }
    }

    /// A panic can't leave the list half changed, so a poisoned lock is as good as any.
    fn locked(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, list: &BTreeMap<u64, Entry>) {
        self.count.store(u32::try_from(list.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Nobody is told anything any more: the server ends, and sends all away one after the other.
    pub(super) fn hush(&self) {
        let _in_order = self.locked();
        self.hushed.store(true, Ordering::Relaxed);
    }

    /// With the list locked.
    fn cry(&self, event: Event) {
        if !self.hushed.load(Ordering::Relaxed)
            && let Some(crier) = self.crier.get()
        {
            crier(event);
        }
    }
}

/// A place in the list, given back when dropped.
pub(super) struct Place {
    attached: Attached,
    number: u64,
}

impl Place {
    /// This client looks on, in `role`, until it goes. To subscribe again, after a lag, is no news.
    pub(super) fn look_on(&self, role: Role) {
        let mut list = self.attached.locked();
        let Some(entry) = list.get_mut(&self.number) else { return };
        if entry.looks_on.is_none() {
            let who = Who { name: entry.who.name.clone(), role };
            entry.looks_on = Some(who.clone());
            self.attached.cry(Event::Attached(who));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut list = self.attached.locked();
        let gone = list.remove(&self.number);
        self.attached.update(&list);
        if let Some(who) = gone.and_then(|entry| entry.looks_on) {
            self.attached.cry(Event::Left(who));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str) -> Who {
        Who { name: name.into(), role: Role::Operator }
    }

    #[test]
    fn those_who_leave_are_neither_listed_nor_counted() {
        let attached = Attached::default();
        let ann = attached.enter(who("ann"));
        let bob = attached.enter(who("bob"));
        assert_eq!(attached.list(), [who("ann"), who("bob")]);
        drop(ann);
        let _cyd = attached.enter(who("cyd"));
        assert_eq!(attached.list(), [who("bob"), who("cyd")]);
        drop(bob);
        assert_eq!(attached.counter().load(Ordering::Relaxed), 1);
    }

    #[test]
    fn only_who_looks_on_is_news_and_once_each_way() {
        let attached = Attached::default();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        attached.tell(move |event| ear.lock().unwrap().push(event));
        let ann = attached.enter(who("ann"));
        drop(attached.enter(who("bob")));
        ann.look_on(Role::Observer);
        ann.look_on(Role::Operator);
        let as_observer = Who { name: "ann".into(), role: Role::Observer };
        assert_eq!(attached.list(), [who("ann")]);
        drop(ann);
        assert_eq!(*heard.lock().unwrap(), [Event::Attached(as_observer.clone()), Event::Left(as_observer)]);
    }

    #[test]
    fn an_ending_server_sends_everybody_away_without_a_word() {
        let attached = Attached::default();
        let heard = Arc::new(AtomicU32::new(0));
        let ear = Arc::clone(&heard);
        attached.tell(move |_| {
            ear.fetch_add(1, Ordering::Relaxed);
        });
        let (ann, bob) = (attached.enter(who("ann")), attached.enter(who("bob")));
        ann.look_on(Role::Operator);
        attached.hush();
        bob.look_on(Role::Operator);
        drop((ann, bob));
        assert_eq!((heard.load(Ordering::Relaxed), attached.list().len()), (1, 0));
    }
}
