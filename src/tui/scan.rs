//! What was typed or scanned in digits: a code from a display, or a serial.

use super::{
    diagnose,
    dialog::Dialog,
    model::{Model, View},
    msg::{Asked, Effect},
};
use crate::{
    domain::{Profile, Proof, Serial},
    face::{Command, Failure, FailureKind, Role, TokenView},
};

/// Codes have so many digits.
const CODE_DIGITS: std::ops::RangeInclusive<usize> = 4..=10;

/// Takes what was scanned. A serial that is known selects its token, which then waits for its code; other digits are
/// a code for that token, or for the only one that wants eyes.
pub fn taken(model: &mut Model, text: &str) -> Vec<Effect> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    // A code that was to be verified goes on to be verified there, too.
    if model.view == View::Diagnose && !(model.aim.is_some() && CODE_DIGITS.contains(&text.len())) {
        return diagnose::act::scanned(model, &text);
    }
    let serial = text.parse::<Serial>().ok();
    if let Some(serial) = serial.clone().filter(|serial| is_known(model, serial)) {
        select(model, serial);
        return Vec::new();
    }
    if CODE_DIGITS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
        return code(model, text);
    }
    match serial {
        Some(serial) => vec![Effect::Ask(Asked::Token(serial.clone()), Command::Token { serial })],
        None => {
            model.complain(format!("\"{}\" is neither a code nor a serial", shortened(&text)));
            Vec::new()
        }
    }
}

/// Asks for what is on record about a token.
pub fn shown(model: &mut Model, text: &str) -> Vec<Effect> {
    match text.trim().parse::<Serial>() {
        Ok(serial) => vec![Effect::Ask(Asked::Token(serial.clone()), Command::Token { serial })],
        Err(_) => {
            model.complain(format!("\"{}\" is no serial", shortened(text)));
            Vec::new()
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(20).collect()
}

fn is_known(model: &Model, serial: &Serial) -> bool {
    let station = &model.station;
    station.slot_of(serial).is_some()
        || station.eyes.iter().any(|eyes| eyes.serial == *serial)
        || station.queue.iter().any(|job| job.serial.as_ref() == Some(serial))
}

fn select(model: &mut Model, serial: Serial) {
    let slot = model.station.slot_of(&serial).map(|slot| slot.slot.clone());
    let wants_eyes = model.station.eyes.iter().any(|eyes| eyes.serial == serial);
    if let Some(slot) = &slot {
        model.slot = Some(slot.clone());
        model.view = View::Station;
    }
    if wants_eyes || slot.is_none() {
        model.say(format!("token {serial}: now type the code that it shows"));
        model.aim = Some(serial);
    } else {
        model.say(format!("token {serial} is selected"));
    }
}

fn code(model: &mut Model, code: String) -> Vec<Effect> {
    if model.role < Role::Operator {
        model.complain("you may look on only: an operator may verify codes");
        return Vec::new();
    }
    let open = match model.dialogs.last() {
        Some(Dialog::Token { serial, .. }) => Some(serial),
        _ => None,
    };
    let serial = match (model.aim.as_ref().or(open), model.station.eyes.as_slice()) {
        (Some(serial), _) => serial.clone(),
        (None, [eyes]) => eyes.serial.clone(),
        (None, []) => {
            model.complain("no token waits for a code: scan or type its serial first, then the code");
            return Vec::new();
        }
        (None, several) => {
            let count = several.len();
            model.complain(format!(
                "{count} tokens wait for a code: scan or type the serial first, then the code"
            ));
            return Vec::new();
        }
    };
    // Which of its profiles is known only to the records.
    vec![Effect::Ask(Asked::Profiles(serial.clone(), code), Command::Token { serial })]
}

/// The records of the token came: asks about the code, for its first profile that was not seen yet.
pub fn verify(token: &TokenView, code: String) -> Vec<Effect> {
    let mut held: Vec<_> = token.mappings.iter().filter(|mapping| mapping.to.is_none()).collect();
    held.sort_by_key(|mapping| mapping.profile);
    let unseen = held.iter().find(|mapping| mapping.proof != Some(Proof::Seen));
    let profile = unseen.or(held.first()).map_or(Profile::ZERO, |mapping| mapping.profile);
    let serial = token.line.serial.clone();
    vec![Effect::Ask(
        Asked::Verify(serial.clone(), profile, code.clone()),
        Command::Verify { serial, profile, codes: vec![code] },
    )]
}

/// A serial that is known nowhere at this station.
pub fn unknown(model: &mut Model, serial: &Serial, failure: Failure) {
    let remedy = if failure.kind == FailureKind::No {
        "look at its back: is that its serial? A code has at most 10 digits".into()
    } else {
        failure.remedy.clone()
    };
    let message = format!("token {serial}: {}", failure.message);
    model.dialogs.push(Dialog::Failure(Failure { message, remedy, ..failure }));
}
