//! The station's own clock comes first: every token is set from it. Where the kernel distrusts it, or it stepped,
//! nothing is burned until a person says so for a stated time.

use crate::domain::{Clock, ClockState, UnixMillis};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

/// A jump of the clock against the monotonic one that is worth stopping for, in milliseconds. Slewing (500 ppm at the
/// most) stays far below it between two looks.
const STEP_MS: i64 = 500;

/// Watches a clock for steps, and passes its time and state on.
pub struct ClockGate {
    clock: Arc<dyn Clock>,
    watch: Mutex<Watch>,
}

struct Watch {
    seen: UnixMillis,
    at: Instant,
    stepped: Option<i64>,
}

impl ClockGate {
    /// Begins to watch `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let watch = Watch { seen: clock.now(), at: Instant::now(), stepped: None };
        Self { clock, watch: Mutex::new(watch) }
    }

    /// Forgets a step: a person has looked at the clock.
    pub fn accept_step(&self) {
        self.lock().stepped = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Watch> {
        // What a panicking holder leaves is at worst an older look.
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Compares what both clocks say now with what they said at the last look.
    fn look(&mut self, now: UnixMillis, at: Instant) {
        let real = now.0 - self.seen.0;
        let monotonic = i64::try_from(at.saturating_duration_since(self.at).as_millis()).unwrap_or(i64::MAX);
        let jump = real - monotonic;
        if jump.abs() >= STEP_MS {
            self.stepped = Some(jump);
        }
        (self.seen, self.at) = (now, at);
    }
}

impl Clock for ClockGate {
    fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    fn state(&self) -> ClockState {
        let state = self.clock.state();
        if state == ClockState::Simulated {
            // A simulation may run its clock as it likes.
            return state;
        }
        let mut watch = self.lock();
        watch.look(self.clock.now(), Instant::now());
        match watch.stepped {
            Some(by_ms) => ClockState::Stepped { by_ms },
            None => state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_jump_either_way_is_noticed_and_stays() {
        let start = Instant::now();
        let mut watch = Watch { seen: UnixMillis(1_000_000), at: start, stepped: None };
        watch.look(UnixMillis(1_010_200), start + Duration::from_secs(10));
        assert_eq!(watch.stepped, None, "slewing is no step");
        watch.look(UnixMillis(1_010_200 - 2_000), start + Duration::from_secs(11));
        assert_eq!(watch.stepped, Some(-3_000));
        watch.look(UnixMillis(1_009_200), start + Duration::from_secs(12));
        assert_eq!(watch.stepped, Some(-3_000), "a step is not forgotten by itself");
    }
}
