//! A token's own clock: it ticks on beside the reference clock, a little too fast or too slow.

use crate::domain::{Clock, UnixMillis, UnixTime};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What of a clock outlives the program that simulates it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Setting {
    /// The reference clock when the token's was last set.
    reference_ms: i64,
    /// What the token's was set to.
    device_ms: i64,
    /// How many microseconds it gains on the reference in each second.
    ppm: f64,
}

pub(super) struct DeviceClock {
    reference: Arc<dyn Clock>,
    setting: Setting,
}

impl DeviceClock {
    /// A clock that is `drift_s` seconds fast now and gains `ppm` microseconds a second from now on.
    pub(super) fn new(reference: Arc<dyn Clock>, drift_s: f64, ppm: f64) -> Self {
        let now = reference.now().0;
        // A float outside i64 saturates, and no real drift comes near.
        let device_ms = now.saturating_add((drift_s * 1000.0).round() as i64);
        Self { reference, setting: Setting { reference_ms: now, device_ms, ppm } }
    }

    pub(super) fn setting(&self) -> Setting {
        self.setting
    }

    pub(super) fn restore(&mut self, setting: Setting) {
        self.setting = setting;
    }

    /// The moment by the reference clock, for what a person's hand does (lighting the display).
    pub(super) fn reference_now(&self) -> UnixMillis {
        self.reference.now()
    }

    /// The moment by the token's clock, to the millisecond.
    pub(super) fn now(&self) -> UnixMillis {
        let Setting { reference_ms, device_ms, ppm } = self.setting;
        let passed = self.reference.now().0.saturating_sub(reference_ms);
        let gained = (passed as f64 * ppm / 1e6).round() as i64;
        UnixMillis(device_ms.saturating_add(passed).saturating_add(gained))
    }

    /// The seconds counter as the wire carries it: 32 bits, unsigned, good until 2106.
    pub(super) fn seconds(&self) -> u32 {
        self.now().floor_second().0.rem_euclid(1 << 32) as u32
    }

    /// Sets the counter; the second starts anew (assumed: a real-time clock's divider is cleared by a write).
    pub(super) fn set(&mut self, to: u32) {
        self.setting.reference_ms = self.reference.now().0;
        self.setting.device_ms = UnixTime(i64::from(to)).to_millis().0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::vectors::HandClock;

    #[test]
    fn a_clock_keeps_its_drift_and_gains_at_its_rate() {
        let hand = HandClock::at(1_767_225_600);
        let mut clock = DeviceClock::new(hand.clone(), -2.5, 20.0);
        assert_eq!(clock.now(), UnixMillis(1_767_225_597_500));
        hand.advance_secs(1_000_000);
        assert_eq!(clock.now(), UnixMillis(1_768_225_617_500));
        clock.set(1_768_225_600);
        assert_eq!(clock.seconds(), 1_768_225_600);
        hand.advance_secs(100_000);
        assert_eq!(clock.now(), UnixMillis(1_768_325_602_000));
    }

    #[test]
    fn seconds_beyond_2038_are_unsigned() {
        let hand = HandClock::at(0xF000_0001);
        assert_eq!(DeviceClock::new(hand, 0.0, 0.0).seconds(), 0xF000_0001);
    }
}
