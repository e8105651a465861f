//! Where a token's clock stood at any moment: from the readings on record, with how far off that may be.
//!
//! Between two readings the clock ran from the one to the other; after the last it goes on as before. A watch crystal
//! keeps 20 ppm at room temperature (its makers' usual figure), and wanders by some ppm with the temperature of pocket
//! and drawer: assumed to be 5.

use crate::domain::UnixTime;

/// What a crystal of which nothing is known gains or loses at most, in seconds a day: 20 ppm.
const UNKNOWN_RATE_S_PER_DAY: f64 = 1.73;
/// How far a measured rate may wander, in seconds a day: 5 ppm.
const WANDER_S_PER_DAY: f64 = 0.43;
/// Above such a rate (100 ppm) no crystal ran from one reading to the next: the clock was set between them.
const SET_BETWEEN_S_PER_DAY: f64 = 8.64;
/// Readings that lie closer together say nothing about a rate.
const RATE_TAKES_S: i64 = 86_400;

/// What is known of a token's clock at one moment, and how it runs from there. Positive: the token is fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// When it was measured.
    pub at: UnixTime,
    /// Token clock minus reference, in seconds.
    pub seconds: f64,
    /// How far off that may be, in seconds.
    pub error_s: f64,
    /// What it gains a day, in seconds.
    pub rate_s_per_day: f64,
    /// How far off that may be, in seconds a day.
    pub rate_error_s_per_day: f64,
}

impl Drift {
    /// A clock of which nothing was measured, set right `at` a moment.
    pub fn unmeasured(at: UnixTime) -> Self {
        Self {
            at,
            seconds: 0.0,
            error_s: 1.0,
            rate_s_per_day: 0.0,
            rate_error_s_per_day: UNKNOWN_RATE_S_PER_DAY,
        }
    }

    fn days_since(&self, moment: UnixTime) -> f64 {
        days(moment.0.saturating_sub(self.at.0))
    }

    /// Token clock minus reference at `moment`, in seconds.
    pub fn seconds_at(&self, moment: UnixTime) -> f64 {
        self.seconds + self.days_since(moment) * self.rate_s_per_day
    }

    /// How far off [`seconds_at`](Self::seconds_at) may be, in seconds.
    pub fn error_at(&self, moment: UnixTime) -> f64 {
        self.error_s + self.days_since(moment).abs() * self.rate_error_s_per_day
    }
}

fn days(seconds: i64) -> f64 {
    seconds as f64 / 86_400.0
}

/// One look at a token's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockReading {
    /// When, by the reference.
    pub at: UnixTime,
    /// Token clock minus reference, in seconds.
    pub seconds: f64,
    /// How far off that may be, in seconds.
    pub error_s: f64,
}

/// How a token's clock ran while nobody set it.
#[derive(Debug, Clone, PartialEq)]
pub struct ClockRun {
    /// Each holds from its moment until the next one's; the first one before that, too.
    pieces: Vec<(UnixTime, Drift)>,
}

impl ClockRun {
    /// From when the clock was set right (`set_at`), by the readings since then, in any order.
    pub fn new(set_at: UnixTime, mut readings: Vec<ClockReading>) -> Self {
        readings.sort_by_key(|reading| reading.at);
        readings.dedup_by_key(|reading| reading.at);
        let (Some(first), Some(last)) = (readings.first(), readings.last()) else {
            return Self { pieces: vec![(set_at, Drift::unmeasured(set_at))] };
        };
        let overall = rate(first, last);
        let onward = |reading: &ClockReading| Drift {
            at: reading.at,
            seconds: reading.seconds,
            error_s: reading.error_s,
            rate_s_per_day: overall.map_or(0.0, |(rate, _)| rate),
            rate_error_s_per_day: overall.map_or(UNKNOWN_RATE_S_PER_DAY, |(_, error)| error),
        };
        let mut pieces = vec![(set_at.min(first.at), onward(first))];
        for pair in readings.windows(2) {
            let between = pair[1].at.0 - pair[0].at.0;
            let run = (pair[1].seconds - pair[0].seconds) / days(between);
            let (run, wander) = if run.abs() <= SET_BETWEEN_S_PER_DAY {
                (run, WANDER_S_PER_DAY)
            } else {
                (0.0, UNKNOWN_RATE_S_PER_DAY)
            };
            let along = |reading: &ClockReading| Drift {
                rate_s_per_day: run,
                rate_error_s_per_day: wander,
                ..onward(reading)
            };
            pieces.push((pair[0].at, along(&pair[0])));
            pieces.push((pair[0].at.plus(between / 2), along(&pair[1])));
        }
        pieces.push((last.at, onward(last)));
        Self { pieces }
    }

    /// How the clock ran about `moment`.
    pub fn at(&self, moment: UnixTime) -> Drift {
        let after = self.pieces.partition_point(|(from, _)| *from <= moment);
        self.pieces[after.saturating_sub(1)].1
    }

    /// The parts of the time from `since` to `until` in each of which one drift holds, both ends included.
    pub(super) fn parts(
        &self,
        since: UnixTime,
        until: UnixTime,
    ) -> impl Iterator<Item = (UnixTime, UnixTime, Drift)> + '_ {
        let n = self.pieces.len();
        (0..n).filter_map(move |i| {
            let from = if i == 0 { since } else { since.max(self.pieces[i].0) };
            let to = if i + 1 == n { until } else { until.min(self.pieces[i + 1].0) };
            (from <= to).then(|| (from, to, self.pieces[i].1))
        })
    }
}

/// The rate from one reading to a later one, and how far off it may be; `None` where they lie too close together or the
/// clock was set between them.
fn rate(first: &ClockReading, last: &ClockReading) -> Option<(f64, f64)> {
    let apart = last.at.0 - first.at.0;
    if apart < RATE_TAKES_S {
        return None;
    }
    let rate = (last.seconds - first.seconds) / days(apart);
    let error = (first.error_s + last.error_s) / days(apart) + WANDER_S_PER_DAY;
    (rate.abs() <= SET_BETWEEN_S_PER_DAY).then_some((rate, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: UnixTime = UnixTime(1_767_225_600);

    fn reading(day: i64, seconds: f64) -> ClockReading {
        ClockReading { at: SET.plus(day * 86_400), seconds, error_s: 0.5 }
    }

    fn about(run: &ClockRun, day: i64) -> (f64, f64) {
        let moment = SET.plus(day * 86_400);
        let drift = run.at(moment);
        (drift.seconds_at(moment), drift.error_at(moment))
    }

    #[test]
    fn without_a_reading_the_doubt_grows_by_20_ppm() {
        let (seconds, error) = about(&ClockRun::new(SET, vec![]), 100);
        assert!(seconds == 0.0 && (error - 174.0).abs() < 0.1, "{error}");
    }

    #[test]
    fn between_readings_the_clock_ran_from_one_to_the_other() {
        let run = ClockRun::new(SET, vec![reading(40, 20.0), reading(0, 0.0)]);
        let (seconds, error) = about(&run, 10);
        assert!((seconds - 5.0).abs() < 1e-9 && (error - (0.5 + 4.3)).abs() < 1e-9, "{seconds} {error}");
        let (seconds, error) = about(&run, 30);
        assert!((seconds - 15.0).abs() < 1e-9 && (error - (0.5 + 4.3)).abs() < 1e-9, "{seconds} {error}");
        let (seconds, _) = about(&run, 80);
        assert!((seconds - 40.0).abs() < 1e-9, "it goes on as before: {seconds}");
    }

    #[test]
    fn a_clock_that_was_set_between_two_readings_did_not_run_from_one_to_the_other() {
        let run = ClockRun::new(SET, vec![reading(0, 0.0), reading(10, 3_600.0)]);
        assert_eq!(about(&run, 4).0, 0.0);
        assert_eq!(about(&run, 6).0, 3_600.0);
        assert_eq!(about(&run, 20).0, 3_600.0);
    }

    #[test]
    fn the_parts_of_a_time_cover_it_without_a_gap() {
        let run = ClockRun::new(SET, vec![reading(1, 1.0), reading(11, 2.0)]);
        let (since, until) = (SET.plus(-500), SET.plus(30 * 86_400));
        let parts: Vec<_> = run.parts(since, until).collect();
        assert_eq!((parts[0].0, parts[parts.len() - 1].1), (since, until));
        assert!(parts.windows(2).all(|pair| pair[0].1 == pair[1].0), "{parts:?}");
        assert_eq!(run.parts(until, until).count(), 1);
    }
}
