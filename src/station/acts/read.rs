//! Codes on the key in a slot.

use super::super::{
    core::Core,
    failure::failure,
    reads::{Read, slot_meant},
    visit::TOUCH_PATIENCE,
};
use crate::face::{Failure, FailureKind, Reply};
use std::{sync::mpsc, time::Duration};

/// How long a slot may have something else in hand before it reads.
const PATIENCE: Duration = Duration::from_secs(20);

/// Has the slot read, and waits for it: also for the touch that it may take.
pub fn read(
    core: &Core,
    slot: Option<&str>,
    name: Option<String>,
    password: Option<String>,
    who: &str,
) -> Result<Reply, Failure> {
    let slot = slot_meant(core, slot)?;
    let lies_there = core.bus.shown().slots.iter().any(|view| view.slot == slot && view.serial.is_some());
    if !lies_there {
        return Err(failure(
            FailureKind::No,
            format!("no key lies on slot \"{slot}\""),
            "put the key there, or plug it in, and ask again",
        ));
    }
    let (answer, answered) = mpsc::channel();
    if !core.reads.place(&slot, Read { name, password, who: who.to_owned(), answer }) {
        return Err(failure(
            FailureKind::No,
            format!("somebody else is reading from slot \"{slot}\""),
            "ask again in a moment",
        ));
    }
    core.changed();
    match answered.recv_timeout(PATIENCE + TOUCH_PATIENCE) {
        Ok(codes) => codes.map(Reply::Codes),
        Err(_) => {
            core.reads.take(&slot);
            Err(failure(
                FailureKind::No,
                format!(
                    "slot \"{slot}\" did not come to read: it has something else in hand, or its key left"
                ),
                "look at it with \"kiln slots\", and ask again",
            ))
        }
    }
}
