//! Factory reset and customer-key change: ordered here, carried out by the slot on which the token lies.

use super::super::{
    core::Core,
    device::{Order, Work},
    failure::failure,
};
use crate::{
    domain::Serial,
    face::{DeviceState, Event, Failure, FailureKind, Reply},
};

/// Orders a factory reset.
pub fn reset(core: &Core, serial: &Serial, last_four: &str, who: &str) -> Result<Reply, Failure> {
    super::tokens::confirm(serial, last_four)?;
    place(core, serial, Work::Reset, "factory reset ordered", who)
}

/// Orders a change of the customer key. The new key is in the vault before the token learns it.
pub fn set_key(
    core: &Core,
    serial: &Serial,
    last_four: &str,
    current: Option<String>,
    new: String,
    who: &str,
) -> Result<Reply, Failure> {
    super::tokens::confirm(serial, last_four)?;
    core.data_key()?;
    for name in current.iter().chain([&new]) {
        if core.store.key(name)?.is_none() {
            return Err(failure(
                FailureKind::No,
                format!("there is no key \"{name}\" in the vault"),
                "add it with \"kiln key add\", or look at the names with \"kiln key list\"",
            ));
        }
    }
    place(core, serial, Work::SetKey { current, new }, "key change ordered", who)
}

fn place(core: &Core, serial: &Serial, work: Work, what: &str, who: &str) -> Result<Reply, Failure> {
    let detail = serde_json::json!({ "work": work.words() });
    core.store.audit_append(what, Some(serial), detail, &core.stamp(who))?;
    core.orders.place(serial, Order { work, who: who.to_owned() });
    core.bus.say(Event::Device {
        serial: serial.clone(),
        state: DeviceState::WaitsForToken,
        says: format!("token {serial} is to be put down"),
        remedy: "put it on a slot, or take it off and put it back if it lies there".into(),
    });
    core.changed();
    Ok(Reply::Done)
}

/// The button was pressed, a person says.
pub fn pressed(core: &Core, serial: &Serial, who: &str) -> Result<Reply, Failure> {
    if !core.orders.press(serial) {
        return Err(nothing(serial));
    }
    note(core, "button said to be pressed", serial, who)
}

/// Forgets an order that was not begun.
pub fn cancel(core: &Core, serial: &Serial, who: &str) -> Result<Reply, Failure> {
    core.orders.take(serial).ok_or_else(|| nothing(serial))?;
    note(core, "reset or key change called off", serial, who)
}

fn note(core: &Core, what: &str, serial: &Serial, who: &str) -> Result<Reply, Failure> {
    core.store.audit_append(what, Some(serial), serde_json::json!({}), &core.stamp(who))?;
    Ok(Reply::Done)
}

fn nothing(serial: &Serial) -> Failure {
    failure(
        FailureKind::No,
        format!("no reset or key change of token {serial} waits for that"),
        "order it with \"kiln device reset\" or \"kiln device set-key\"",
    )
}
