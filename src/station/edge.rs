//! A token's clock to a fraction of its second: it is asked again and again until the second changes. That takes up to a
//! second and some dozen exchanges, which change nothing on the token; so it is an option (`Limits::precise_clocks`).

use super::core::Core;
use crate::{
    domain::{Clock, ReadingKind, UnixMillis},
    drivers::Token,
    link::ApduLink,
    store::NewReading,
};
use std::time::{Duration, Instant};

/// A second of a clock that runs, and what the exchanges take.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// One answer.
#[derive(Debug, Clone, Copy)]
struct Answer {
    /// What the token said, in whole seconds.
    seconds: i64,
    /// Twice the middle of the exchange, by the station's clock, in milliseconds: so that no half is lost.
    twice_middle_ms: i64,
    /// How long the exchange took, in milliseconds, rounded up.
    trip_ms: i64,
}

impl Answer {
    fn new(seconds: i64, asked: UnixMillis, trip: Duration) -> Self {
        let trip_ms = i64::try_from(trip.as_micros().div_ceil(1_000)).unwrap_or(i64::MAX / 4);
        Self { seconds, twice_middle_ms: asked.0.saturating_mul(2).saturating_add(trip_ms), trip_ms }
    }

    /// The reading that this answer and the next one make, where the second changed between them: somewhere between the
    /// middles of the exchanges, each of which is known to half its length.
    fn change(self, next: Self) -> Option<NewReading> {
        if next.seconds != self.seconds.saturating_add(1) {
            return None;
        }
        let changed_ms = (self.twice_middle_ms.saturating_add(next.twice_middle_ms)).div_euclid(4);
        let between = next.twice_middle_ms.saturating_sub(self.twice_middle_ms).unsigned_abs() / 4;
        let trips = self.trip_ms.max(next.trip_ms).unsigned_abs().div_ceil(2);
        Some(NewReading {
            drift_ms: next.seconds.saturating_mul(1_000).saturating_sub(changed_ms),
            uncertainty_ms: between.saturating_add(trips).saturating_add(1),
            kind: ReadingKind::Edge,
        })
    }
}

/// Watches for the change; none where the token does not answer as before, or its clock stands still.
pub fn watch<L: ApduLink>(core: &Core, token: &mut Token<L>) -> Option<NewReading> {
    let begun = Instant::now();
    let mut before: Option<Answer> = None;
    while begun.elapsed() < PATIENCE && !core.is_stopping() {
        let (asked, at) = (core.clock.now(), Instant::now());
        let info = token.info().ok()?;
        let now = Answer::new(info.clock.0, asked, at.elapsed());
        if let Some(reading) = before.and_then(|before| before.change(now)) {
            return Some(reading);
        }
        before = Some(now);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(seconds: i64, asked: i64) -> Answer {
        Answer::new(seconds, UnixMillis(asked), Duration::from_millis(30))
    }

    #[test]
    fn the_change_lies_between_two_answers() {
        // The token's 1001st second began between 999,915 and 999,945 ms: it is 70 ms ahead, give or take.
        let read = answer(1_000, 999_900).change(answer(1_001, 999_930)).unwrap();
        assert_eq!((read.drift_ms, read.kind), (1_001_000 - 999_930, ReadingKind::Edge));
        assert!((30..=32).contains(&read.uncertainty_ms), "{read:?}");
        assert!(answer(1_000, 999_900).change(answer(1_000, 999_930)).is_none());
        assert!(
            answer(1_000, 999_900).change(answer(1_007, 999_930)).is_none(),
            "the clock was set meanwhile"
        );
    }

    #[test]
    fn what_is_stated_holds_wherever_the_change_falls() {
        for true_change in 999_900..=999_960 {
            let said = |sampled: i64| if sampled >= true_change { 1_001 } else { 1_000 };
            // Each answer was sampled anywhere within its exchange.
            for (first, second) in [(999_900, 999_930), (999_915, 999_945), (999_930, 999_960)] {
                let (a, b) = (answer(said(first), 999_900), answer(said(second), 999_930));
                let Some(read) = a.change(b) else { continue };
                let off = (1_001_000 - true_change - read.drift_ms).unsigned_abs();
                assert!(off <= read.uncertainty_ms, "{true_change}: {read:?}");
            }
        }
    }
}
