//! What was timed, kept as a reading of the token's clock: for tokens whose clock no reader can read.

use super::{
    Picked,
    act::{Asked, ask},
};
use crate::{
    diagnose::timing::{Timing, timing},
    domain::Serial,
    face::{Command, Failure, Reply},
    tui::{dialog::Dialog, model::Model, msg::Effect},
};

/// What was timed, where it is sure enough to be kept as a reading of the token in question.
pub fn timed(model: &Model) -> Option<(&Picked, Timing)> {
    let presses = model.diagnose.timing.as_ref()?;
    let found = timing(presses).ok().filter(|found| !found.wants_another())?;
    Some((model.diagnose.picked.as_ref()?, found))
}

/// Asks the station to keep it.
pub(super) fn keep(model: &mut Model) -> Vec<Effect> {
    let Some((picked, found)) = timed(model) else {
        model.complain(match (&model.diagnose.picked, &model.diagnose.timing) {
            (None, _) => "first the token: its serial, then m, and Enter at each change of its code",
            (Some(_), None) => "first m, then Enter at each change of its code",
            (Some(_), Some(_)) => "not sure yet: press Enter at more changes of its code",
        });
        return Vec::new();
    };
    let serial = picked.serial.clone();
    let (offset_ms, within_ms) = found.in_millis();
    if std::mem::replace(&mut model.diagnose.busy, true) {
        model.say("a question is still on its way: press K again");
        return Vec::new();
    }
    let period_s = found.period.as_secs();
    let command = Command::ClockTimed { serial: serial.clone(), period_s, offset_ms, within_ms };
    vec![ask(Asked::Keep(serial), command)]
}

/// What came of it. Where it was not kept the presses stay.
pub(super) fn kept(model: &mut Model, serial: &Serial, result: Result<Reply, Failure>) {
    let view = &mut model.diagnose;
    view.busy = false;
    match result {
        Ok(_) => {
            if view.picked.as_ref().is_some_and(|picked| picked.serial == *serial) {
                view.timing = None;
                // The next answer reckons with it.
                view.changed();
            }
            model.say(format!("kept as a reading of the clock of {serial}"));
        }
        Err(failure) => model.dialogs.push(Dialog::Failure(failure)),
    }
}
