//! The handle on a virtual token: one end goes to a link, the others stay in the hands of whoever plays the person that
//! holds it.

use super::{
    device::{Counters, Device, Display, Saved, Standing, Surroundings},
    fault::{Fate, Fault, FaultPlan},
    foreign::ForeignCard,
    molto2, token2_otp, token2_single, ykoath,
};
use crate::{
    domain::{Profile, UnixTime},
    remedy::{Remedy, Retry},
};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use zeroize::Zeroizing;

/// What came of a command on its way to a token and back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The answer: data and the two status bytes.
    Answer(Vec<u8>),
    /// The token was torn off; whether the command took effect only the token knows.
    Torn,
    /// There will be no answer.
    Silence,
}

/// A state file that can't be taken up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Not what [`VirtualToken::save`] writes.
    #[error("the state is not one that a virtual token was saved in: line {line}, column {column}")]
    Unreadable {
        /// Where reading stopped, from 1.
        line: usize,
        /// Where on that line, from 1.
        column: usize,
    },
    /// Another token's.
    #[error("the state is that of {kind} {serial}, not of this token")]
    OtherToken {
        /// The kind it was saved from.
        kind: String,
        /// Its serial.
        serial: String,
    },
}

impl Remedy for StateError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "name another state file, or delete this one to start with a new virtual token"
            }
            Self::OtherToken { .. } => "give each virtual token a state file of its own",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

#[derive(Serialize, Deserialize)]
struct State {
    kiln_virtual_token: u8,
    serial: String,
    device: String,
    counters: Counters,
    state: Saved,
}

/// The version of [`State`].
const STATE_VERSION: u8 = 1;

struct Body {
    device: Box<dyn Device>,
    faults: FaultPlan,
    counters: Counters,
}

struct Shared {
    body: Mutex<Body>,
    /// Rung when a touch is waited for, when a button is pressed, and when the token leaves.
    stirred: Condvar,
}

/// A virtual token, or another card, that several hands hold at once. Clones are the same token.
#[derive(Clone)]
pub struct VirtualToken(Arc<Shared>);

impl VirtualToken {
    /// A single-profile token.
    pub fn token2_single(settings: token2_single::Settings, surroundings: Surroundings) -> Self {
        Self::around(token2_single::Token::new(settings, surroundings))
    }

    /// A multi-profile token.
    pub fn molto2(settings: molto2::Settings, surroundings: Surroundings) -> Self {
        Self::around(molto2::Token::new(settings, surroundings))
    }

    /// A key with an OATH applet.
    pub fn ykoath(settings: ykoath::Settings, surroundings: Surroundings) -> Self {
        Self::around(ykoath::Token::new(settings, surroundings))
    }

    /// A Token2 FIDO key with an OTP applet.
    pub fn token2_otp(settings: token2_otp::Settings, surroundings: Surroundings) -> Self {
        Self::around(token2_otp::Token::new(settings, surroundings))
    }

    /// Something that is no token of a known kind.
    pub fn foreign(card: ForeignCard) -> Self {
        Self::around(card)
    }

    fn around(device: impl Device + 'static) -> Self {
        let body =
            Body { device: Box::new(device), faults: FaultPlan::default(), counters: Counters::default() };
        Self(Arc::new(Shared { body: Mutex::new(body), stirred: Condvar::new() }))
    }

    fn body(&self) -> MutexGuard<'_, Body> {
        // A panic elsewhere must not hide what the token shows.
        self.0.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a person sees when looking at `profile`.
    pub fn display(&self, profile: Profile) -> Display {
        self.body().device.display(profile)
    }

    /// Presses the button: lights a dark display, confirms what the token asks.
    pub fn press_button(&self) {
        let body = &mut *self.body();
        body.device.press_button(&mut body.counters);
        self.0.stirred.notify_all();
    }

    /// Presses the button as soon as a command waits for that; whether one did within `at_most`.
    pub fn touch_within(&self, at_most: Duration) -> bool {
        let stirred = &self.0.stirred;
        let waited =
            stirred.wait_timeout_while(self.body(), at_most, |body| !body.device.is_awaiting_touch());
        let mut guard = waited.unwrap_or_else(PoisonError::into_inner).0;
        let body = &mut *guard;
        let waits = body.device.is_awaiting_touch();
        body.device.press_button(&mut body.counters);
        stirred.notify_all();
        waits
    }

    /// Switches the display on; it shows afresh what is to be shown.
    pub fn switch_on(&self) {
        self.body().device.switch(true);
    }

    /// Switches it off. An NFC token answers no reader then.
    pub fn switch_off(&self) {
        self.body().device.switch(false);
    }

    /// Whether readers don't see it because it is switched off.
    pub fn is_dark(&self) -> bool {
        self.body().device.is_dark()
    }

    /// Arms a fault. Its commands are counted from now.
    pub fn arm(&self, fault: Fault) {
        self.body().faults.arm(fault);
    }

    /// Disarms every fault.
    pub fn clear_faults(&self) {
        self.body().faults.clear();
    }

    /// The faults that are armed and not spent.
    pub fn faults(&self) -> Vec<Fault> {
        self.body().faults.armed()
    }

    /// What was done to it so far.
    pub fn counters(&self) -> Counters {
        self.body().counters
    }

    /// Tries left, lock, filled profiles.
    pub fn standing(&self) -> Standing {
        self.body().device.standing()
    }

    /// Sets or lifts the lock that wrong answers lead to.
    pub fn set_locked(&self, locked: bool) {
        self.body().device.set_locked(locked);
    }

    /// The token's own clock.
    pub fn clock(&self) -> UnixTime {
        self.body().device.clock()
    }

    /// The serial; empty on other cards.
    pub fn serial(&self) -> String {
        self.body().device.serial().to_owned()
    }

    /// Whether both are the same token, not merely alike.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Memory, clock and counters as JSON. It holds the seeds: write it where only its owner reads.
    pub fn save(&self) -> Zeroizing<String> {
        let body = self.body();
        let state = State {
            kiln_virtual_token: STATE_VERSION,
            serial: body.device.serial().to_owned(),
            device: body.device.kind().to_owned(),
            counters: body.counters,
            state: body.device.save(),
        };
        Zeroizing::new(serde_json::to_string(&state).expect("strings, numbers and lists always become JSON"))
    }

    /// Takes up what [`Self::save`] gave for the same serial and kind. The clock has ticked on meanwhile, with the drift
    /// that was saved.
    pub fn restore(&self, saved: &str) -> Result<(), StateError> {
        let state: State = serde_json::from_str(saved)
            .map_err(|error| StateError::Unreadable { line: error.line(), column: error.column() })?;
        if state.kiln_virtual_token != STATE_VERSION {
            return Err(StateError::Unreadable { line: 1, column: 1 });
        }
        let mut body = self.body();
        let same = state.serial == body.device.serial() && state.device == body.device.kind();
        if !same || !body.device.restore(state.state) {
            return Err(StateError::OtherToken { kind: state.device, serial: state.serial });
        }
        body.counters = state.counters;
        Ok(())
    }

    /// What its reader reports when it is put down.
    pub fn answer_to_reset(&self) -> &'static [u8] {
        self.body().device.answer_to_reset()
    }

    /// How much longer than necessary every exchange takes; whoever carries the bytes waits it out, half before and half
    /// after.
    pub fn delay(&self) -> Duration {
        self.body().faults.delay()
    }

    /// The field came on, or the reader reset it.
    pub fn activate(&self) {
        self.body().device.activate();
        self.0.stirred.notify_all();
    }

    /// It was plugged in, and is talked to over USB HID.
    pub fn plugged_in(&self) {
        self.body().device.plugged_in();
        self.0.stirred.notify_all();
    }

    /// It left the reader.
    pub fn taken_off(&self) {
        self.body().device.taken_off();
        self.0.stirred.notify_all();
    }

    /// It is about to leave its reader: nobody waits for a touch any more.
    pub fn let_go(&self) {
        let body = &mut *self.body();
        if body.device.is_awaiting_touch() {
            body.device.activate();
            self.0.stirred.notify_all();
        }
    }

    /// One command. Where it waits for a touch, this waits.
    pub fn exchange(&self, command: &[u8]) -> Outcome {
        let mut guard = self.body();
        let fate = guard.faults.next();
        if matches!(fate, Fate::Normal(_) | Fate::TornAfter(_))
            && let Some(patience) = guard.device.awaits_touch(command)
        {
            let stirred = &self.0.stirred;
            // A finger may wait for this.
            stirred.notify_all();
            let waited = stirred.wait_timeout_while(guard, patience, |body| body.device.is_awaiting_touch());
            guard = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let body = &mut *guard;
        if fate != Fate::TornBefore {
            body.counters.commands += 1;
        }
        match fate {
            Fate::TornBefore => Outcome::Torn,
            Fate::Silence => Outcome::Silence,
            Fate::Status(status) => Outcome::Answer(status.to_be_bytes().to_vec()),
            Fate::TornAfter(quirks) => {
                body.device.answer(command, quirks, &mut body.counters);
                Outcome::Torn
            }
            Fate::Normal(quirks) => Outcome::Answer(body.device.answer(command, quirks, &mut body.counters)),
        }
    }
}

impl fmt::Debug for VirtualToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body();
        write!(f, "VirtualToken({} {})", body.device.kind(), body.device.serial())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{
        device::Challenges,
        token2_single::{Settings, TimeSync},
        vectors::{HandClock, bytes},
    };

    const CHALLENGE: [u8; 8] = [0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6, 0x07, 0x18];
    const BURN: [&str; 5] = [
        "80410000020211",
        "804b08000100",
        "80ce0000100356e6caffc1d26570acf12c6339f707",
        "84d400001781111f01010f046955b90086060a01010d011ee7e17e7c",
        "84c50100245e5856092fd3228d4d33eee3daac4b55ce37d18d332b7ac6a40e8661fa23042af47b0153",
    ];

    fn token(clock: &Arc<HandClock>) -> VirtualToken {
        let settings = Settings::new("86596220001234".parse().unwrap(), TimeSync::Restricted);
        let surroundings = Surroundings::new(clock.clone(), Challenges::fixed(CHALLENGE));
        VirtualToken::token2_single(settings, surroundings)
    }

    fn burn(token: &VirtualToken) -> Vec<Outcome> {
        BURN.iter().map(|command| token.exchange(&bytes(command))).collect()
    }

    fn fresh_code(token: &VirtualToken) -> Option<String> {
        token.switch_off();
        token.switch_on();
        token.display(Profile::ZERO).code().map(str::to_owned)
    }

    #[test]
    fn a_yank_after_the_command_leaves_its_effect_and_one_before_does_not() {
        for (fault, filled, commands) in [("yank-after:5", 1, 5), ("yank-before:5", 0, 4)] {
            let token = token(&HandClock::at(1_767_225_600));
            token.arm(fault.parse().unwrap());
            assert_eq!(burn(&token)[4], Outcome::Torn);
            assert_eq!((token.standing().filled, token.counters().commands), (filled, commands), "{fault}");
        }
    }

    #[test]
    fn a_wrong_status_and_silence_leave_no_effect() {
        let token = token(&HandClock::at(1_767_225_600));
        token.arm("status:4:6f00".parse().unwrap());
        token.arm("mute:5".parse().unwrap());
        let outcomes = burn(&token);
        assert_eq!(outcomes[3..], [Outcome::Answer(vec![0x6F, 0x00]), Outcome::Silence]);
        assert_eq!((token.standing().filled, token.counters().writes), (0, 0));
    }

    #[test]
    fn a_memory_that_forgets_says_yes_and_takes_the_time() {
        let clock = HandClock::at(1_767_225_503);
        let token = token(&clock);
        token.arm(Fault::Forget);
        assert!(burn(&token)[3..].iter().all(|outcome| *outcome == Outcome::Answer(vec![0x90, 0])));
        assert_eq!((token.standing().filled, token.clock()), (0, UnixTime(1_767_225_600)));
        assert_eq!(fresh_code(&token), None);
    }

    #[test]
    fn with_the_wrong_key_every_answer_costs_a_try() {
        let token = token(&HandClock::at(1_767_225_600));
        token.arm(Fault::WrongKey);
        let outcomes = burn(&token);
        assert_eq!(outcomes[2..], vec![Outcome::Answer(vec![0x69, 0x83]); 3]);
        let counters = token.counters();
        assert_eq!((counters.auth_attempts, counters.wrong_answers), (1, 1));
    }

    #[test]
    fn a_token_survives_being_put_away() {
        let clock = HandClock::at(1_767_225_600);
        let first = token(&clock);
        burn(&first);
        let saved = first.save();
        clock.advance_secs(3_000);
        let second = token(&clock);
        second.restore(&saved).unwrap();
        assert_eq!(fresh_code(&second), fresh_code(&first));
        assert!(fresh_code(&second).is_some());
        assert_eq!((second.counters(), second.clock()), (first.counters(), UnixTime(1_767_228_600)));
    }

    #[test]
    fn a_state_of_another_token_is_refused() {
        let clock = HandClock::at(0);
        let mine = token(&clock);
        let settings = Settings::new("86596220009999".parse().unwrap(), TimeSync::Restricted);
        let other = VirtualToken::token2_single(
            settings,
            Surroundings::new(clock.clone(), Challenges::fixed(CHALLENGE)),
        );
        let refusal = mine.restore(&other.save()).unwrap_err();
        assert!(matches!(&refusal, StateError::OtherToken { serial, .. } if serial == "86596220009999"));
        let unreadable = mine.restore("{").unwrap_err();
        assert!(matches!(unreadable, StateError::Unreadable { .. }));
        for error in [refusal, unreadable] {
            assert!(error.remedy().len() > 10);
        }
    }

    #[test]
    fn no_seed_is_printed() {
        assert_eq!(format!("{:?}", token(&HandClock::at(0))), "VirtualToken(token2-single 86596220001234)");
    }
}
