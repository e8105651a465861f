//! How fast it goes: burns a minute, and what that means for the rest.

use crate::domain::UnixMillis;
use std::collections::VecDeque;

const MINUTE_MS: i64 = 60_000;
/// The rate is taken over so many minutes: a tray of tokens, not a single pair of hands' pause.
const OVER_MINUTES: i64 = 5;
/// Over a shorter time it would be a guess.
const ENOUGH_MS: f64 = 10_000.0;
/// How long burns are remembered for the sparkline.
const KEPT_MINUTES: i64 = 60;

/// When tokens were burned, as far as this screen has seen it.
#[derive(Debug, Default)]
pub struct Pace(VecDeque<UnixMillis>);

impl Pace {
    /// A token was burned.
    pub fn burned(&mut self, at: UnixMillis) {
        self.0.push_back(at);
        while self.0.front().is_some_and(|first| first.0 < at.0 - KEPT_MINUTES * MINUTE_MS) {
            self.0.pop_front();
        }
    }

    /// Burns a minute over the last five; none before two were seen and some seconds went by.
    pub fn per_minute(&self, now: UnixMillis) -> Option<f64> {
        let since = now.0 - OVER_MINUTES * MINUTE_MS;
        let recent: Vec<i64> =
            self.0.iter().map(|at| at.0).filter(|at| *at >= since && *at <= now.0).collect();
        let first = *recent.first()?;
        // The first one only starts the watch.
        let count = f64::from(u32::try_from(recent.len() - 1).unwrap_or(u32::MAX));
        let span = f64::from(u32::try_from(now.0 - first).unwrap_or(u32::MAX));
        (count > 0.0 && span >= ENOUGH_MS).then(|| count * 60_000.0 / span)
    }

    /// In how many seconds `left` more are burned at this rate.
    pub fn seconds_left(&self, now: UnixMillis, left: u64) -> Option<u64> {
        let rate = self.per_minute(now)?;
        let seconds = f64::from(u32::try_from(left).unwrap_or(u32::MAX)) * 60.0 / rate;
        // Far below what u64 holds: `left` is at most 2^32 and a rate at least one in five minutes.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let whole = seconds.ceil() as u64;
        Some(whole)
    }

    /// Burns in each of the last `minutes`, oldest first; the last one is the minute now.
    pub fn by_minute(&self, now: UnixMillis, minutes: usize) -> Vec<u64> {
        let mut counts = vec![0; minutes];
        for at in &self.0 {
            let ago = now.0.div_euclid(MINUTE_MS) - at.0.div_euclid(MINUTE_MS);
            if let Ok(ago) = usize::try_from(ago)
                && ago < minutes
            {
                counts[minutes - 1 - ago] += 1;
            }
        }
        counts
    }

    /// Whether the figures change with time alone.
    pub fn is_moving(&self, now: UnixMillis) -> bool {
        self.per_minute(now).is_some()
    }
}

/// A span as people say it.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds.div_ceil(60)),
        3600..172_800 => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    #[test]
    fn six_in_thirty_seconds_are_ten_a_minute_after_the_first() {
        let mut pace = Pace::default();
        assert_eq!(pace.per_minute(NOW), None);
        for n in 0..6 {
            pace.burned(NOW.plus(n * 6_000 - 30_000));
        }
        assert_eq!(pace.per_minute(NOW), Some(10.0));
        assert_eq!(pace.seconds_left(NOW, 25), Some(150));
        assert_eq!(pace.per_minute(NOW.plus(10 * MINUTE_MS)), None);
        assert!(!pace.is_moving(NOW.plus(10 * MINUTE_MS)));
    }

    #[test]
    fn minutes_count_backwards_from_now() {
        let mut pace = Pace::default();
        for at in [NOW.plus(-2 * MINUTE_MS), NOW.plus(-2 * MINUTE_MS + 1), NOW] {
            pace.burned(at);
        }
        assert_eq!(pace.by_minute(NOW, 4), [0, 2, 0, 1]);
        pace.burned(NOW.plus(90 * MINUTE_MS));
        assert_eq!(pace.0.len(), 1);
    }

    #[test]
    fn spans_round_up_to_what_a_person_plans_with() {
        assert_eq!(
            [span(59), span(61), span(7_260), span(400_000)],
            ["59 s", "2 min", "2 h 01 min", "4 days"]
        );
    }
}
