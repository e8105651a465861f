//! The proof *seen*: a person types the code from the display.

use super::{
    super::{core::Core, failure::failure, handle::Caller},
    clock_told,
    diagnose::{self, Ask, Question},
};
use crate::{
    diagnose::Diagnosis,
    domain::{Clock, Code, Mode, Parameters, Profile, Proof, Seed, Serial, UnixMillis, UnixTime, otp},
    face::{Event, Failure, FailureKind, Reply, Verdict},
    store::{MappingRecord, TokenRefused},
};

/// Steps searched either way: a code is typed a step or two late, and a token that was just set is not further off.
const WINDOW_STEPS: u32 = 2;

/// Counts searched ahead on a counter-based token.
const WINDOW_COUNTS: u32 = 20;

/// Compares `codes` with the record of `profile`, at the token's own time where its clock was read.
pub fn verify(
    core: &Core,
    serial: &Serial,
    profile: Profile,
    texts: &[String],
    caller: &Caller,
) -> Result<Reply, Failure> {
    let codes = texts
        .iter()
        .map(|text| {
            Code::parse(text).map_err(|error| {
                failure(
                    FailureKind::Usage,
                    format!("\"{}\" is no code: {error}", text.chars().take(20).collect::<String>()),
                    "type the digits that the display shows",
                )
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let Some(last) = codes.last() else {
        return Err(failure(FailureKind::Usage, "no code was given", "type the code that the display shows"));
    };
    let held = core.store.holdings(serial)?;
    let mapping = held
        .iter()
        .find(|mapping| mapping.profile == profile)
        .ok_or_else(|| TokenRefused::NothingHeld { serial: serial.clone(), profile })?;
    let found = search(core, mapping, &codes)?;
    let window = window(mapping);
    let right = found.is_some();
    let stamp = core.stamp(&caller.who);
    if let (Some(steps), Mode::Totp { period, .. }) = (found, mapping.parameters.mode) {
        // The steps are counted from where the token's clock was thought to stand.
        let drift_ms = core.store.last_reading(serial)?.map_or(0, |record| record.reading.drift_ms);
        let now = core.clock.now();
        let step = |at: UnixMillis| at.floor_second().0.div_euclid(i64::from(period.as_secs()));
        let ahead = step(now.plus(drift_ms)) - step(now);
        clock_told::by_code(core, serial, steps.saturating_add(ahead), period, now, &caller.who)?;
    }
    let counter = match mapping.parameters.mode {
        Mode::Hotp { counter } => Some(counter),
        Mode::Totp { .. } => None,
    };
    // The code that was seen is spent.
    let after = |steps: i64| counter?.checked_add_signed(steps)?.checked_add(1);
    let next_counter = found.and_then(after);
    if let Some(steps) = found {
        let detail = format!("{} codes, {steps:+} steps", codes.len());
        core.store.seen(serial, profile, Some(&detail), next_counter, &stamp)?;
    } else {
        let detail = serde_json::json!({ "profile": profile, "codes": codes.len() });
        core.store.audit_append("code rejected", Some(serial), detail, &stamp)?;
    }
    core.bus.say(Event::Verified { serial: serial.clone(), right });
    if let Some(batch) = &mapping.batch {
        core.say_batch(batch);
    }
    let diagnosis = match found {
        Some(_) => None,
        None => why(core, serial, profile, texts, caller),
    };
    let explained = diagnosis.as_ref().and_then(|found| {
        found
            .findings
            .first()
            .filter(|_| !found.ask_another_code)
            .map(|first| format!("{}: {}", first.what, first.remedy))
    });
    let advice = match (found, explained) {
        (Some(_), _) => format!("token {serial} shows the right code"),
        (None, Some(explained)) => explained,
        (None, None) if last.as_str().len() != usize::from(mapping.parameters.digits.get()) => {
            format!("this profile shows {} digits; read the whole code", mapping.parameters.digits)
        }
        (None, None) if counter.is_some() => "press the button and type the next code; if it is wrong again, look \
                                              further ahead with \"kiln diagnose --token\" and two successive codes"
            .to_owned(),
        (None, None) => {
            "switch the token off and on (until then it shows a code from before the burn) and type the new \
                         code; if it is wrong again, put the token aside"
                .to_owned()
        }
    };
    let proof = if right { Some(Proof::Seen) } else { mapping.proof.as_ref().map(|p| p.proof) };
    let diagnosis = diagnosis.and_then(|found| serde_json::to_value(found).ok()).map(Box::new);
    Ok(Reply::Verdict(Verdict {
        right,
        steps_off: found,
        window,
        next_counter: next_counter.or(counter),
        proof,
        advice,
        diagnosis,
    }))
}

/// Why the codes are wrong. That they are wrong is said whether or not this can be.
fn why(
    core: &Core,
    serial: &Serial,
    profile: Profile,
    texts: &[String],
    caller: &Caller,
) -> Option<Diagnosis> {
    let ask = Ask { codes: texts, at: None, typed: &[] };
    let question = Question { serial, profile, ask, shows: None, wider: 1 };
    diagnose::explain(core, &question, caller)
        .inspect_err(|failure| tracing::warn!(%failure, %serial, "a rejected code could not be diagnosed"))
        .ok()
}

fn window(mapping: &MappingRecord) -> u32 {
    match mapping.parameters.mode {
        Mode::Totp { .. } => WINDOW_STEPS,
        Mode::Hotp { .. } => WINDOW_COUNTS,
    }
}

/// Where the last code lies, if every code is in the window and none comes before the one typed before it.
fn search(core: &Core, mapping: &MappingRecord, codes: &[Code]) -> Result<Option<i64>, Failure> {
    let seed = core.seed(mapping.seed)?;
    let drift_ms = core.store.last_reading(&mapping.serial)?.map_or(0, |record| record.reading.drift_ms);
    let token_now = core.clock.now().plus(drift_ms).floor_second();
    let window = window(mapping);
    if let Mode::Hotp { counter } = mapping.parameters.mode {
        return Ok(ahead(&seed, mapping, counter, codes));
    }
    let mut at = i64::MIN;
    for code in codes {
        match otp::find_in_window(&seed, &mapping.parameters, token_now, code, window, window) {
            Some(steps) if steps >= at => at = steps,
            Some(_) | None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// How many counts after `counter` the last code lies, if each lies in the window behind the one before it: RFC 4226
/// section 7.4. A code is shown once, so the same one twice is not two.
fn ahead(seed: &Seed, mapping: &MappingRecord, counter: u64, codes: &[Code]) -> Option<i64> {
    let mut next = counter;
    for code in codes {
        let parameters = Parameters { mode: Mode::Hotp { counter: next }, ..mapping.parameters };
        let steps = otp::find_in_window(seed, &parameters, UnixTime(0), code, 0, WINDOW_COUNTS)?;
        next = next.checked_add_signed(steps)?.checked_add(1)?;
    }
    i64::try_from(next.checked_sub(counter)?).ok()?.checked_sub(1)
}
