//! Keys on USB that wait for a touch, by their slots, so that a person can give the wait up. A key on a card reader waits
//! within one exchange, which nothing ends but taking it away: it is not among them.

use crate::domain::SlotName;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Those that wait now; `true` once a person gave the wait up.
#[derive(Default)]
pub struct Touches(Mutex<BTreeMap<SlotName, bool>>);

impl Touches {
    /// The key on this slot waits for a touch from now on.
    pub fn begin(&self, slot: &SlotName) {
        self.lock().entry(slot.clone()).or_default();
    }

    /// It waits no longer.
    pub fn end(&self, slot: &SlotName) {
        self.lock().remove(slot);
    }

    /// Whether the key on this slot waits for a touch.
    pub fn waits(&self, slot: &SlotName) -> bool {
        self.lock().contains_key(slot)
    }

    /// A person gives the wait up; tells whether there was one.
    pub fn give_up(&self, slot: &SlotName) -> bool {
        self.lock().get_mut(slot).map(|given_up| *given_up = true).is_some()
    }

    /// Whether a person has.
    pub fn is_given_up(&self, slot: &SlotName) -> bool {
        self.lock().get(slot) == Some(&true)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SlotName, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_given_up_once_and_the_next_one_is_another() {
        let (touches, slot) = (Touches::default(), SlotName("usb".into()));
        assert!(!touches.give_up(&slot), "nothing waits");
        touches.begin(&slot);
        assert!(touches.waits(&slot) && !touches.is_given_up(&slot));
        assert!(!touches.give_up(&SlotName("other".into())));
        assert!(touches.give_up(&slot) && touches.is_given_up(&slot));
        touches.end(&slot);
        touches.begin(&slot);
        assert!(!touches.is_given_up(&slot));
    }
}
