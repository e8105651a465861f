//! The slots, and the names that people give them.

use super::super::{core::Core, failure::failure, reads::slot_meant};
use crate::{
    domain::{Serial, SlotName},
    drivers,
    face::{Failure, FailureKind, Reply, SlotInfo},
    remedy::Remedy,
    store::LentFrom,
};

/// The longest name that a narrow screen still shows whole.
const LONGEST_NAME: usize = 24;

/// Every slot with its reader.
pub fn list(core: &Core) -> Result<Reply, Failure> {
    let readers = core.readers();
    let slots = core.bus.shown().slots.into_iter().map(|view| {
        let reader = readers.iter().find(|reader| core.slot_name(reader) == view.slot);
        SlotInfo { reader: reader.cloned().unwrap_or_else(|| view.slot.0.clone()), view }
    });
    Ok(Reply::Slots(slots.collect()))
}

/// Lets the token that lies on a slot, and tells no serial, go by `serial` from now on.
pub fn serial(core: &Core, slot: &str, serial: &Serial, who: &str) -> Result<Reply, Failure> {
    let slot = slot_meant(core, Some(slot))?;
    let ident =
        core.bus.shown().slots.into_iter().find(|view| view.slot == slot).and_then(|view| view.serial);
    let Some(ident) = ident.filter(drivers::ykoath::is_stand_in) else {
        return Err(failure(
            FailureKind::No,
            format!("nothing lies on slot \"{slot}\" that needs a serial"),
            "put the key there; one that tells its serial goes by that",
        ));
    };
    let lent = core.store.lend_serial(&ident, serial, LentFrom::Given, &core.stamp(who));
    lent.map_err(|error| failure(FailureKind::No, error.to_string(), error.remedy()))?;
    core.changed();
    Ok(Reply::Done)
}

/// Gives up the wait for a touch of the key on a slot. Its job is *unfinished* then, and goes on with the same seed.
pub fn give_up(core: &Core, slot: &str, who: &str) -> Result<Reply, Failure> {
    let slot = slot_meant(core, Some(slot))?;
    let nothing = || {
        failure(
            FailureKind::No,
            format!("no key on slot \"{slot}\" waits for a touch that can be given up"),
            "a key that waits within a card reader is taken away instead; one on USB asks again when it is plugged in",
        )
    };
    if !core.touches.waits(&slot) {
        return Err(nothing());
    }
    let serial =
        core.bus.shown().slots.into_iter().find(|view| view.slot == slot).and_then(|view| view.serial);
    let detail = serde_json::json!({ "slot": slot });
    core.store.audit_append("touch given up", serial.as_ref(), detail, &core.stamp(who))?;
    // It may have come in this very moment.
    if core.touches.give_up(&slot) { Ok(Reply::Done) } else { Err(nothing()) }
}

/// Calls a slot `name` from now on, wherever its reader is listed; without a name, as the reader.
pub fn name(core: &Core, slot: &str, name: Option<&str>, who: &str) -> Result<Reply, Failure> {
    let readers = core.readers();
    let reader = readers
        .iter()
        .find(|reader| core.slot_name(reader).0 == slot || reader.as_str() == slot)
        .ok_or_else(|| {
            failure(
                FailureKind::No,
                format!("there is no slot \"{slot}\""),
                "look at the names with \"kiln slots\"",
            )
        })?;
    let name = name.map(str::trim);
    if let Some(name) = name {
        let fits =
            !name.is_empty() && name.chars().count() <= LONGEST_NAME && name.chars().all(|c| !c.is_control());
        if !fits {
            return Err(failure(
                FailureKind::Usage,
                "a slot's name has 1 to 24 characters, none of them a control character",
                "choose a shorter name",
            ));
        }
        if readers.iter().any(|other| other != reader && (core.slot_name(other).0 == name || other == name)) {
            return Err(failure(
                FailureKind::No,
                format!("another slot is called \"{name}\" already"),
                "choose another name, or take that one away first",
            ));
        }
    }
    core.store.name_slot(reader, name.map(|name| SlotName(name.to_owned())).as_ref(), &core.stamp(who))?;
    core.load_slot_names()?;
    list(core)
}
