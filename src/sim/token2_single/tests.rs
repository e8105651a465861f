use super::*;
use crate::sim::vectors::{self, HandClock, bytes, hex};
use serde_json::Value;
use std::sync::Arc;

const CHALLENGE: [u8; 8] = [0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6, 0x07, 0x18];
/// What the vectors' core was started with.
const START: i64 = 1_767_225_503;

struct Lab {
    clock: Arc<HandClock>,
    token: Token,
    counters: Counters,
}

impl Lab {
    fn new(serial: &str, at: i64, settle: impl FnOnce(&mut Settings)) -> Self {
        let clock = HandClock::at(at);
        let mut settings = Settings::new(serial.parse().unwrap(), TimeSync::Restricted);
        settle(&mut settings);
        let token = Token::new(settings, Surroundings::new(clock.clone(), Challenges::fixed(CHALLENGE)));
        Self { clock, token, counters: Counters::default() }
    }

    fn restricted() -> Self {
        Self::new("86596220001234", START, |_| {})
    }

    fn send(&mut self, command: &[u8]) -> Vec<u8> {
        self.token.answer(command, Quirks::default(), &mut self.counters)
    }

    fn authenticate(&mut self) {
        self.send(&bytes("804b08000100"));
        assert_eq!(self.send(&bytes("80ce0000100356e6caffc1d26570acf12c6339f707")), [0x90, 0]);
    }

    /// Moves the reference clock so that the token's stands at `at`.
    fn turn_to(&mut self, at: i64) {
        let by = at - self.token.clock().0;
        self.clock.advance_secs(by);
    }

    fn relight(&mut self) -> Display {
        self.token.switch(false);
        self.token.switch(true);
        self.token.display(Profile::ZERO)
    }
}

fn list<'v>(value: &'v Value, name: &str) -> &'v Vec<Value> {
    value[name].as_array().unwrap()
}

#[test]
fn every_form_of_get_info_is_answered() {
    let vectors = vectors::token2_single();
    for vector in list(&vectors, "info") {
        let mut lab = Lab::new(vector["serial"].as_str().unwrap(), vector["clock"].as_i64().unwrap(), |_| {});
        assert_eq!(lab.send(&hex(&vector["command"])), hex(&vector["response"]), "{}", vector["name"]);
    }
}

#[test]
fn every_challenge_takes_its_answer() {
    let vectors = vectors::token2_single();
    for vector in list(&vectors, "auth") {
        let mut lab = Lab::restricted();
        lab.token.challenges = Challenges::fixed(hex(&vector["challenge"]).try_into().unwrap());
        assert_eq!(lab.send(&hex(&vector["challenge_command"])), hex(&vector["challenge_response"]));
        assert_eq!(lab.send(&hex(&vector["auth_command"])), hex(&vector["auth_response"]));
        assert_eq!((lab.counters.auth_attempts, lab.counters.wrong_answers), (1, 0));
    }
}

#[test]
fn every_configuration_is_stored_as_sent() {
    let vectors = vectors::token2_single();
    for vector in list(&vectors, "config") {
        let mut lab = Lab::restricted();
        lab.authenticate();
        assert_eq!(lab.send(&hex(&vector["command"])), hex(&vector["response"]));
        let memory = &lab.token.memory;
        assert_eq!(vector["display_timeout"], memory.display_timeout);
        assert_eq!(vector["algorithm"], memory.algorithm);
        assert_eq!(vector["time_step"], memory.period_s);
        assert_eq!(vector["utc"], lab.token.clock().0);
    }
}

#[test]
fn every_burn_is_answered_byte_for_byte_and_shows_its_codes() {
    let vectors = vectors::token2_single();
    for vector in list(&vectors, "seeds") {
        let mut lab = Lab::restricted();
        for exchange in list(vector, "exchanges") {
            let answer = lab.send(&hex(&exchange["command"]));
            assert_eq!(answer, hex(&exchange["response"]), "{}", exchange["step"]);
        }
        assert_eq!(lab.token.memory.seed.0[..], hex(&vector["seed"]));
        for code in list(vector, "codes") {
            lab.turn_to(code["time"].as_i64().unwrap());
            assert_eq!(lab.relight().code(), code["code"].as_str(), "{} at {}", vector["seed"], code["time"]);
        }
    }
}

#[test]
fn divergent_encodings_end_as_in_the_core() {
    let vectors = vectors::token2_single();
    for vector in list(&vectors, "divergent_encodings") {
        let mut lab = Lab::restricted();
        lab.authenticate();
        let status = hex(&vector["response"]);
        assert_eq!(lab.send(&hex(&vector["command"])), status, "{}", vector["name"]);
        assert_eq!(lab.token.memory.seed.0[..], hex(&vector["stored_seed"]), "{}", vector["name"]);
    }
}

#[test]
fn every_rule_of_the_core_holds() {
    let vectors = vectors::token2_single();
    for vector in list(&vectors, "rules") {
        let mut lab = Lab::new("86596220001234", START, |settings| {
            // The rules were run on the published core, which keeps its flag.
            settings.field_loss = FieldLoss::Keeps;
            if vector["restricted_sync"] == false {
                settings.time_sync = TimeSync::Unrestricted;
            }
        });
        for exchange in list(vector, "exchanges") {
            match exchange["event"].as_str() {
                Some("field activation (core re-initialised)") => lab.token.activate(),
                Some("lock flag set in storage") => lab.token.set_locked(true),
                Some(other) => panic!("unknown event {other}"),
                None => {
                    let answer = lab.send(&hex(&exchange["command"]));
                    assert_eq!(answer, hex(&exchange["response"]), "{}", vector["name"]);
                }
            }
        }
        let (after, memory) = (&vector["state_after"], &lab.token.memory);
        assert_eq!(after["seed_len"], memory.seed.0.len(), "{}", vector["name"]);
        assert_eq!(after["algorithm"], memory.algorithm, "{}", vector["name"]);
        assert_eq!(after["time_step"], memory.period_s, "{}", vector["name"]);
        assert_eq!(after["display_timeout"], memory.display_timeout, "{}", vector["name"]);
        assert_eq!(after["clock"], lab.token.clock().0, "{}", vector["name"]);
    }
}

fn burn(lab: &mut Lab) {
    lab.authenticate();
    for command in [
        "84d400001781111f01010f046955b90086060a01010d011ee7e17e7c",
        "84c50100245e5856092fd3228d4d33eee3daac4b55ce37d18d332b7ac6a40e8661fa23042af47b0153",
    ] {
        assert_eq!(lab.send(&bytes(command)), [0x90, 0]);
    }
}

#[test]
fn the_display_keeps_the_old_code_until_it_was_switched_off_and_on() {
    let mut lab = Lab::new("86596220001234", START, |settings| settings.filled = true);
    let before = lab.token.display(Profile::ZERO);
    burn(&mut lab);
    lab.clock.advance_secs(600);
    let stale = lab.token.display(Profile::ZERO);
    assert_eq!(stale.code(), before.code());
    assert!(matches!(&stale, Display::Code(shown) if shown.stale && shown.seconds_left == 0));
    let fresh = lab.relight();
    assert_ne!(fresh.code(), before.code());
    assert!(
        matches!(&fresh, Display::Code(shown) if !shown.stale && shown.step == (1_767_225_600 + 600) / 30)
    );
}

#[test]
fn a_configuration_alone_leaves_a_restricted_token_without_codes() {
    for (time_sync, keeps) in [(TimeSync::Restricted, false), (TimeSync::Unrestricted, true)] {
        let mut lab = Lab::new("86596220001234", START, |settings| {
            settings.time_sync = time_sync;
            settings.filled = true;
        });
        lab.authenticate();
        lab.send(&bytes("84d400001781111f01010f046955b90086060a01010d011ee7e17e7c"));
        assert_eq!(lab.relight().code().is_some(), keeps, "{time_sync:?}");
    }
}

#[test]
fn a_code_counts_down_and_changes_at_the_step() {
    let mut lab = Lab::restricted();
    burn(&mut lab);
    lab.turn_to(1_767_225_600 + 29);
    let Display::Code(last) = lab.relight() else { panic!("no code") };
    assert_eq!((last.step, last.seconds_left), (58_907_520, 1));
    lab.clock.advance_secs(1);
    let Display::Code(next) = lab.token.display(Profile::ZERO) else { panic!("no code") };
    assert_eq!((next.step, next.seconds_left), (58_907_521, 30));
    assert_ne!(next.code, last.code);
}

#[test]
fn losing_the_field_ends_the_authentication() {
    let mut lab = Lab::restricted();
    lab.authenticate();
    lab.token.activate();
    let seed = "84c50100245e5856092fd3228d4d33eee3daac4b55ce37d18d332b7ac6a40e8661fa23042af47b0153";
    assert_eq!(lab.send(&bytes(seed)), [0x69, 0x83]);
}

#[test]
fn old_firmware_locks_after_wrong_answers_in_a_row() {
    let mut lab = Lab::new("86596220001234", START, |settings| settings.locks_after = Some(2));
    let wrong = bytes("80ce0000100356e6caffc1d26570acf12c6339f706");
    lab.send(&bytes("804b08000100"));
    lab.send(&wrong);
    lab.authenticate();
    assert_eq!(lab.token.standing().attempts_left, Some(2));
    for _ in 0..2 {
        lab.send(&bytes("804b08000100"));
        assert_eq!(lab.send(&wrong), [0x69, 0x83]);
    }
    assert!(lab.token.standing().locked);
    lab.send(&bytes("804b08000100"));
    let right = bytes("80ce0000100356e6caffc1d26570acf12c6339f707");
    assert_eq!(lab.send(&right), [0x69, 0x83]);
}

#[test]
fn a_display_goes_dark_after_its_timeout_and_the_button_lights_it() {
    let mut lab = Lab::new("86596220001234", START, |settings| settings.auto_off = AutoOff::AfterTimeout);
    lab.clock.advance_secs(29);
    assert!(!lab.token.is_dark());
    lab.clock.advance_secs(1);
    assert!(lab.token.is_dark());
    assert_eq!(lab.token.display(Profile::ZERO), Display::Off);
    lab.token.press_button(&mut Counters::default());
    lab.clock.advance_secs(29);
    assert_eq!(lab.token.display(Profile::ZERO), Display::Dashes { stale: false });
}

#[test]
fn a_period_of_zero_crashes_the_display() {
    let mut lab = Lab::new("86596220001234", START, |settings| settings.filled = true);
    lab.token.memory.period_s = 0;
    assert_eq!(lab.token.display(Profile::ZERO), Display::Crashed);
}
