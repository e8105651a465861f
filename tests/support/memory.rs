//! What a virtual token in the test's own process keeps, and its clock, behind everybody's back.

use kiln::sim::VirtualToken;
use serde_json::Value;

/// Its whole state.
#[track_caller]
pub fn saved(token: &VirtualToken) -> Value {
    serde_json::from_str(&token.save()).expect("a token's memory is JSON")
}

/// All that it keeps but its clock: seeds, parameters, titles, display timeout, key, what is left of its attempts.
#[track_caller]
pub fn memory(token: &VirtualToken) -> Value {
    let mut memory = saved(token)["state"]["memory"].clone();
    for place in memory["places"].as_array_mut().into_iter().flatten() {
        // A time that the Molto2 notes with each setting; what it means is not known.
        place["time_a"] = 0.into();
    }
    memory
}

/// Changes what it keeps.
#[track_caller]
pub fn change(token: &VirtualToken, change: impl FnOnce(&mut Value)) {
    let mut saved = saved(token);
    change(&mut saved["state"]);
    token.restore(&saved.to_string()).unwrap_or_else(|error| panic!("{error}"));
}

/// Sets its clock off by so many seconds.
#[track_caller]
pub fn push(token: &VirtualToken, seconds: i64) {
    push_ms(token, seconds * 1000);
}

/// The same in milliseconds.
#[track_caller]
pub fn push_ms(token: &VirtualToken, millis: i64) {
    change(token, |state| {
        let clock = &mut state["clock"]["device_ms"];
        *clock = (clock.as_i64().expect("milliseconds") + millis).into();
    });
}

/// How far off its clock is, to the millisecond, as long as it neither gains nor loses.
#[track_caller]
pub fn off_ms(token: &VirtualToken) -> i64 {
    let clock = &saved(token)["state"]["clock"];
    let millis = |name: &str| clock[name].as_i64().expect("milliseconds");
    millis("device_ms") - millis("reference_ms")
}
