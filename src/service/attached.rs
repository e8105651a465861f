//! Who is looking at the station right now.

use crate::face::Role;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One attached client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The account's name, else `uid N`.
    pub name: String,
    /// What the server allows it.
    pub role: Role,
}

/// The clients attached to a server. Cheap to clone; all clones are the same list.
#[derive(Debug, Clone, Default)]
pub struct Attached {
    count: Arc<AtomicU32>,
    list: Arc<Mutex<BTreeMap<u64, Who>>>,
}

impl Attached {
    /// How many there are; the station reads it for its snapshot without knowing this module.
    pub fn counter(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.count)
    }

    /// Who they are, those attached longest first.
    pub fn list(&self) -> Vec<Who> {
        self.locked().values().cloned().collect()
    }

    /// Counts a client as attached until the returned value is dropped.
    pub(super) fn enter(&self, who: Who) -> Place {
        let mut list = self.locked();
        let number = list.last_key_value().map_or(0, |(last, _)| last + 1);
        list.insert(number, who);
        self.update(&list);
        Place { attached: self.clone(), number }
    }

    /// A panic can't leave the list half changed, so a poisoned lock is as good as any.
    fn locked(&self) -> MutexGuard<'_, BTreeMap<u64, Who>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, list: &BTreeMap<u64, Who>) {
        self.count.store(u32::try_from(list.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
    }
}

/// A place in the list, given back when dropped.
pub(super) struct Place {
    attached: Attached,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut list = self.attached.locked();
        list.remove(&self.number);
        self.attached.update(&list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_leave_are_neither_listed_nor_counted() {
        let attached = Attached::default();
        let who = |name: &str| Who { name: name.into(), role: Role::Observer };
        let ann = attached.enter(who("ann"));
        let bob = attached.enter(who("bob"));
        assert_eq!(attached.list(), [who("ann"), who("bob")]);
        drop(ann);
        let _cyd = attached.enter(who("cyd"));
        assert_eq!(attached.list(), [who("bob"), who("cyd")]);
        drop(bob);
        assert_eq!(attached.counter().load(Ordering::Relaxed), 1);
    }
}
