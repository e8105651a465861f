//! Moments and durations on the command line: `--at`, `--t0`, `--since`; `--for`.

use crate::domain::UnixTime;

/// A text that is no moment. clap shows the message beside the option's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// Neither form.
    #[error("write a time as 2026-03-01T12:00:00Z or as seconds since 1970")]
    NotATime,
    /// Date and time, but no zone.
    #[error("the time has no zone: add Z for UTC or an offset such as +02:00")]
    NoZone,
    /// A number too large for seconds of this age.
    #[error("that many seconds lie beyond the year 5000: is it milliseconds?")]
    Milliseconds,
}

/// The first second of which the number has 12 digits: milliseconds since 1970 passed it in 1973.
const TOO_FAR: u64 = 100_000_000_000;

/// Reads RFC 3339 with a zone, or whole seconds since 1970. A time without a zone is refused: local time taken for
/// UTC is an error of hours.
pub fn parse(text: &str) -> Result<UnixTime, MomentError> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<i64>() {
        return if seconds.unsigned_abs() < TOO_FAR {
            Ok(UnixTime(seconds))
        } else {
            Err(MomentError::Milliseconds)
        };
    }
    match (text.parse::<jiff::Timestamp>(), text.parse::<jiff::civil::DateTime>()) {
        (Ok(at), _) => Ok(UnixTime(at.as_millisecond().div_euclid(1000))),
        (Err(_), Ok(_)) => Err(MomentError::NoZone),
        (Err(_), Err(_)) => Err(MomentError::NotATime),
    }
}

/// Reads a duration of at least a second, in words such as 30s, 2m or 1h 30m.
pub fn seconds(text: &str) -> Result<u32, String> {
    let wrong = || "write a duration as 30s, 30m, 2h or 1h 30m".to_owned();
    let duration: jiff::SignedDuration = text.trim().parse().map_err(|_| wrong())?;
    u32::try_from(duration.as_secs()).ok().filter(|seconds| *seconds > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_rfc_3339_or_seconds() {
        assert_eq!(parse("59"), Ok(UnixTime(59)));
        assert_eq!(parse("20000000000"), Ok(UnixTime(20_000_000_000)));
        assert_eq!(parse("1970-01-01T00:00:59Z"), Ok(UnixTime(59)));
        assert_eq!(parse("1970-01-01T02:00:59.9+02:00"), Ok(UnixTime(59)));
        assert_eq!(parse("1969-12-31T23:59:59.5Z"), Ok(UnixTime(-1)));
    }

    #[test]
    fn durations_have_units() {
        assert_eq!([seconds("30s"), seconds("2m"), seconds("1h 30m")], [Ok(30), Ok(120), Ok(5400)]);
        for wrong in ["30", "", "0s", "-5m", "100ms", "soon", "200y"] {
            assert!(seconds(wrong).is_err_and(|why| why.contains("30s")), "{wrong}");
        }
    }

    #[test]
    fn local_time_and_milliseconds_are_refused() {
        assert_eq!(parse("2026-03-01T12:00:00"), Err(MomentError::NoZone));
        assert_eq!(parse("2026-03-01"), Err(MomentError::NoZone));
        assert_eq!(parse("1767225600000"), Err(MomentError::Milliseconds));
        assert_eq!(parse("noon"), Err(MomentError::NotATime));
    }
}
