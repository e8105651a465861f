//! The station's own clock comes first: every token is set from it. Where the kernel distrusts it, or it stepped,
//! nothing is burned until a person says so for a stated time.

use crate::domain::{Clock, ClockState, TimeKeeper, UnixMillis};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A jump of the clock against the monotonic one that is worth stopping for, in milliseconds. Slewing (500 ppm at the
/// most) stays far below it between two looks.
const STEP_MS: i64 = 500;

/// Watches a clock for steps, and passes its time and state on.
pub struct ClockGate {
    clock: Arc<dyn Clock>,
    begun: Instant,
    watch: Mutex<Watch>,
}

struct Watch {
    seen: UnixMillis,
    /// By a clock that nobody sets, since a moment of its own.
    at: Duration,
    stepped: Option<i64>,
}

impl ClockGate {
    /// Begins to watch `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let begun = Instant::now();
        let at = steady(&*clock, begun);
        let watch = Watch { seen: clock.now(), at, stepped: None };
        Self { clock, begun, watch: Mutex::new(watch) }
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

/// By the source's own steady clock, else by ours: the same one each time, since a source has one or hasn't.
fn steady(clock: &dyn Clock, begun: Instant) -> Duration {
    clock.steady().unwrap_or_else(|| begun.elapsed())
}

impl Watch {
    /// Compares what both clocks say now with what they said at the last look.
    fn look(&mut self, now: UnixMillis, at: Duration) {
        let real = now.0 - self.seen.0;
        let monotonic = i64::try_from(at.saturating_sub(self.at).as_millis()).unwrap_or(i64::MAX);
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
        watch.look(self.clock.now(), steady(&*self.clock, self.begun));
        match watch.stepped {
            Some(by_ms) => ClockState::Stepped { by_ms },
            None => state,
        }
    }

    fn steady(&self) -> Option<Duration> {
        self.clock.steady()
    }

    fn keeper(&self) -> Option<TimeKeeper> {
        self.clock.keeper()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64) -> Duration {
        Duration::from_secs(1_000 + seconds)
    }

    #[test]
    fn a_jump_either_way_is_noticed_and_stays() {
        let mut watch = Watch { seen: UnixMillis(1_000_000), at: after(0), stepped: None };
        watch.look(UnixMillis(1_010_200), after(10));
        assert_eq!(watch.stepped, None, "slewing is no step");
        watch.look(UnixMillis(1_010_200 - 2_000), after(11));
        assert_eq!(watch.stepped, Some(-3_000));
        watch.look(UnixMillis(1_009_200), after(12));
        assert_eq!(watch.stepped, Some(-3_000), "a step is not forgotten by itself");
    }

    /// Sleeps: its time and its steady time go on, and this process's does not.
    struct Asleep(Mutex<i64>);

    impl Clock for Asleep {
        fn now(&self) -> UnixMillis {
            UnixMillis(1_767_225_600_000 + *self.0.lock().unwrap())
        }
        fn state(&self) -> ClockState {
            ClockState::Synchronised { max_error_ms: 1 }
        }
        fn steady(&self) -> Option<Duration> {
            Some(Duration::from_millis(self.0.lock().unwrap().unsigned_abs()))
        }
    }

    #[test]
    fn a_machine_that_slept_has_not_stepped() {
        let clock = Arc::new(Asleep(Mutex::new(0)));
        let gate = ClockGate::new(clock.clone());
        *clock.0.lock().unwrap() = 8 * 3_600_000;
        assert_eq!(gate.state(), ClockState::Synchronised { max_error_ms: 1 });
    }
}
