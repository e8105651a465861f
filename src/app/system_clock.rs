//! The one place that reads the machine's clock.

use super::doctor::facts;
use crate::domain::{Clock, ClockState, TimeKeeper, UnixMillis};
use nix::time::{ClockId, clock_gettime};
use rtime_clock::adjtime::{Timex, adjtimex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `STA_UNSYNC` in the kernel's clock status, adjtimex(2).
const UNSYNCHRONISED: i32 = 0x0040;
/// What the kernel calls its error, in ms, when nothing ever set its clock; also said where it can't be asked.
const WORST_ERROR_MS: u64 = 16_000;

/// The machine's clock, and what its kernel says of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time is handed in from")]
    fn now(&self) -> UnixMillis {
        let now = SystemTime::now();
        let millis = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        UnixMillis(match now.duration_since(UNIX_EPOCH) {
            Ok(since) => millis(since),
            Err(before) => -millis(before.duration()),
        })
    }

    fn state(&self) -> ClockState {
        // All zeros asks and changes nothing.
        let mut kernel = Timex::new();
        match adjtimex(&mut kernel) {
            Ok(_) => judged(kernel.0.status, kernel.0.maxerror),
            Err(_) => ClockState::Unsynchronised { max_error_ms: WORST_ERROR_MS },
        }
    }

    fn steady(&self) -> Option<Duration> {
        // The usual monotonic clock stands still while a machine sleeps: waking would look as if the other had stepped.
        clock_gettime(ClockId::CLOCK_BOOTTIME).ok().map(Duration::from)
    }

    fn keeper(&self) -> Option<TimeKeeper> {
        Some(match facts::time_services().as_slice() {
            [] => TimeKeeper::Nobody,
            ["chrony"] => TimeKeeper::Chrony,
            ["systemd-timesyncd"] => TimeKeeper::Timesyncd,
            [_] => TimeKeeper::Other,
            _ => TimeKeeper::Several,
        })
    }
}

/// `max_error_us`: the kernel's bound in microseconds. Rounded up, since it is a bound.
fn judged(status: i32, max_error_us: i64) -> ClockState {
    let max_error_ms = u64::try_from(max_error_us).map_or(WORST_ERROR_MS, |bound| bound.div_ceil(1000));
    if status & UNSYNCHRONISED == 0 {
        ClockState::Synchronised { max_error_ms }
    } else {
        ClockState::Unsynchronised { max_error_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_word_is_taken_and_its_bound_rounded_up() {
        assert_eq!(judged(0x2001, 1_001), ClockState::Synchronised { max_error_ms: 2 });
        assert_eq!(judged(0x0040, 16_000_000), ClockState::Unsynchronised { max_error_ms: 16_000 });
        assert_eq!(judged(0, -1), ClockState::Synchronised { max_error_ms: WORST_ERROR_MS });
    }

    #[test]
    fn the_kernel_can_be_asked() {
        let first = SystemClock.now();
        assert!(SystemClock.now() >= first.plus(-1));
        assert!(!matches!(SystemClock.state(), ClockState::Simulated | ClockState::Stepped { .. }));
        assert!(SystemClock.steady().is_some() && SystemClock.keeper().is_some());
    }
}
