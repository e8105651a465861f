//! What the tests of virtual tokens share: the known answers and a clock moved by hand.

use crate::domain::{Clock, ClockState, UnixMillis, UnixTime};
use serde_json::Value;
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

pub(crate) fn token2_single() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/token2-single.json")).unwrap()
}

pub(crate) fn molto2() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/molto2.json")).unwrap()
}

pub(crate) fn ykoath() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/ykoath.json")).unwrap()
}

pub(crate) fn token2_otp() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/token2-otp.json")).unwrap()
}

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).unwrap()
}

pub(crate) fn hex(value: &Value) -> Vec<u8> {
    bytes(value.as_str().unwrap())
}

/// A clock that moves only when a test moves it.
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn at(seconds: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(UnixTime(seconds).to_millis().0)))
    }

    pub(crate) fn advance_secs(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }

    fn state(&self) -> ClockState {
        ClockState::Simulated
    }
}
