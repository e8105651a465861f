//! Moments and spans as values. Nothing here reads a clock: time is handed in.

use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// A moment in whole seconds since 1970-01-01T00:00:00Z, the unit in which tokens keep time. RFC 6238 section 4.2
/// allows moments before it only through T0, so the number may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(pub i64);

/// A moment in milliseconds since 1970-01-01T00:00:00Z, the unit in which kiln measures exchanges and keeps records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixTime {
    /// The same moment in milliseconds.
    pub fn to_millis(self) -> UnixMillis {
        UnixMillis(self.0.saturating_mul(1000))
    }

    /// This moment moved by `seconds`.
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

impl UnixMillis {
    /// The whole second at or before this moment.
    pub fn floor_second(self) -> UnixTime {
        UnixTime(self.0.div_euclid(1000))
    }

    /// The whole second nearest to this moment. A token's clock is set with this one: truncating leaves it up to a
    /// second slow.
    pub fn nearest_second(self) -> UnixTime {
        UnixTime(self.0.saturating_add(500).div_euclid(1000))
    }

    /// The whole seconds until `then`, rounded up; none once it is there.
    pub fn seconds_until(self, then: Self) -> Option<i64> {
        let left = then.0.saturating_sub(self.0);
        Some(left.saturating_add(999) / 1000).filter(|seconds| *seconds > 0)
    }

    /// This moment moved by `millis`.
    pub fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(at) => write!(f, "{at}"),
            Err(_) => write!(f, "{} s", self.0),
        }
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// Token clock minus reference clock, in seconds. Positive: the token is fast.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DriftSeconds(pub f64);

impl DriftSeconds {
    /// So many milliseconds.
    pub fn from_millis(millis: i64) -> Self {
        // Exact for any clock of 32 bits, and never infinite, which JSON could not carry.
        Self(millis as f64 / 1000.0)
    }
}

impl fmt::Display for DriftSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+.1} s", self.0)
    }
}

/// A source of the current moment. A composition hands one in; the library holds none.
pub trait Clock: Send + Sync {
    /// The moment now, as the source believes it to be.
    fn now(&self) -> UnixMillis;
    /// What the source says about its own quality.
    fn state(&self) -> ClockState;
    /// Time since a moment of the source's choice that no setting of a clock moves, and that goes on while the machine
    /// sleeps; `None` where it has no such thing.
    fn steady(&self) -> Option<Duration> {
        None
    }
    /// Who keeps it right; `None` where the source can't look. May read a few hundred small files.
    fn keeper(&self) -> Option<TimeKeeper> {
        None
    }
}

/// Which service keeps a machine's clock right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeKeeper {
    /// chrony.
    Chrony,
    /// systemd-timesyncd.
    Timesyncd,
    /// Another one (ntpd, ntpd-rs, ptp4l).
    Other,
    /// More than one: they may pull the clock to and fro.
    Several,
    /// None that is known; a host may do it.
    Nobody,
}

impl TimeKeeper {
    /// How to get the clock right that it keeps, as an order to a person.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Chrony => {
                "look at \"chronyc tracking\" and \"chronyc sources\"; \"chronyc makestep\" sets it at once, \"chronyc waitsync\" waits for it"
            }
            Self::Timesyncd => {
                "look at \"timedatectl timesync-status\"; \"systemctl restart systemd-timesyncd\" asks its server again"
            }
            Self::Other => "look at the status that the machine's time service tells",
            Self::Several => {
                "leave one of the time services that run here, and disable the others with systemctl disable --now"
            }
            Self::Nobody => "install what keeps the clock right: apt install chrony",
        }
    }
}

impl fmt::Display for TimeKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chrony => "chrony",
            Self::Timesyncd => "systemd-timesyncd",
            Self::Other => "another time service",
            Self::Several => "several time services",
            Self::Nobody => "nobody on this machine",
        })
    }
}

/// What is known about the quality of a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "clock")]
pub enum ClockState {
    /// The kernel calls its clock synchronised.
    Synchronised {
        /// The kernel's bound on the error.
        max_error_ms: u64,
    },
    /// The kernel does not.
    Unsynchronised {
        /// The kernel's bound on the error (16 s when nothing ever set it).
        max_error_ms: u64,
    },
    /// The clock jumped against the monotonic clock while the station ran.
    Stepped {
        /// By how much; positive is forward.
        by_ms: i64,
    },
    /// Not the system's clock at all: a simulation hands it in and says that it is right.
    Simulated,
}

/// Above this bound an unsynchronised clock may not set a token's.
pub const MAX_TRUSTED_ERROR_MS: u64 = 1000;

impl ClockState {
    /// Whether a token's clock may be set from this one without a person saying so.
    pub fn is_trusted(self) -> bool {
        match self {
            Self::Synchronised { .. } | Self::Simulated => true,
            Self::Unsynchronised { max_error_ms } => max_error_ms <= MAX_TRUSTED_ERROR_MS,
            Self::Stepped { .. } => false,
        }
    }
}

impl fmt::Display for ClockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Synchronised { max_error_ms } => {
                write!(f, "synchronised (error at most {max_error_ms} ms)")
            }
            Self::Unsynchronised { max_error_ms } => {
                write!(f, "not synchronised (error up to {max_error_ms} ms)")
            }
            Self::Stepped { by_ms } => write!(f, "stepped by {by_ms:+} ms while the station ran"),
            Self::Simulated => write!(f, "simulated"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_that_are_left_are_rounded_up_and_end() {
        let until = UnixMillis(60_000);
        for (now, left) in
            [(0, Some(60)), (59_001, Some(1)), (59_999, Some(1)), (60_000, None), (61_000, None)]
        {
            assert_eq!(UnixMillis(now).seconds_until(until), left, "{now}");
        }
        assert_eq!(UnixMillis(i64::MAX).seconds_until(UnixMillis(i64::MIN)), None);
    }

    #[test]
    fn a_token_is_set_to_the_nearest_second_not_the_last_one() {
        assert_eq!(UnixMillis(1_499).nearest_second(), UnixTime(1));
        assert_eq!(UnixMillis(1_500).nearest_second(), UnixTime(2));
        assert_eq!(UnixMillis(1_999).floor_second(), UnixTime(1));
        assert_eq!(UnixMillis(-1).floor_second(), UnixTime(-1));
    }

    #[test]
    fn a_clock_that_says_2106_is_a_number_of_seconds_off() {
        assert_eq!(DriftSeconds::from_millis(2_500_000_000_500).0, 2_500_000_000.5);
        assert_eq!(DriftSeconds::from_millis(-1).0, -0.001);
        assert!(DriftSeconds::from_millis(i64::MIN).0.is_finite());
    }

    #[test]
    fn only_a_loose_or_stepped_clock_is_distrusted() {
        assert!(ClockState::Synchronised { max_error_ms: 5_000 }.is_trusted());
        assert!(ClockState::Unsynchronised { max_error_ms: 1_000 }.is_trusted());
        assert!(!ClockState::Unsynchronised { max_error_ms: 1_001 }.is_trusted());
        assert!(!ClockState::Stepped { by_ms: 1 }.is_trusted());
    }
}
