//! One clock's course: how fast it runs, where it stands at a moment, and when it leaves a window.
//!
//! How wide temperature swings where this token lies is not known, so the fit is made for several widths at once, each
//! weighed by how well it explains the readings; every answer is over all of them.

use super::{
    S_PER_PPM_DAY, below, days,
    filter::{Spread, State, Wobble},
    moment,
    peers::Population,
    series::{self, ANY_RATE, Event, Happened, Known, Label, Step},
};
use crate::domain::UnixMillis;

/// Widths of wobble, and how usual each is before anything is read: rooms from 18 to 26 degrees on average, swings of up
/// to 5 degrees with the seasons and of some with the weather. Chosen so that spans of 95 % hold 95 % of simulated tokens
/// that lie in such rooms (`make calibrate`).
const WIDTHS: [(Wobble, f64); 3] = [
    (Wobble { weeks_ppm: 0.2, season_ppm: 0.2 }, 0.4),
    (Wobble { weeks_ppm: 0.6, season_ppm: 0.6 }, 0.52),
    (Wobble { weeks_ppm: 1.8, season_ppm: 1.8 }, 0.08),
];

/// Nobody asks further ahead: batteries end first.
const HORIZON_DAYS: f64 = 3_652.0;

/// The part of 20 cases in 1 that lies beyond each end of a span.
const TAIL: f64 = 0.025;

/// A crystal's own rate, in ppm: positive gains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The likeliest.
    pub ppm: f64,
    /// 19 times out of 20 it lies above this…
    pub low: f64,
    /// …and below this.
    pub high: f64,
}

/// Where a clock stands: token minus reference, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The likeliest.
    pub seconds: f64,
    /// 19 times out of 20 it stands above this…
    pub low: f64,
    /// …and below this.
    pub high: f64,
}

/// When a clock leaves a window. `None`: not within ten years of its last reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaves {
    /// As likely before as after.
    pub likely: Option<UnixMillis>,
    /// 39 times out of 40 not before.
    pub from: Option<UnixMillis>,
    /// 39 times out of 40 not after.
    pub to: Option<UnixMillis>,
}

/// What the readings say of one clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    parts: Vec<(f64, State)>,
    /// What happened to it besides running, oldest first.
    pub events: Vec<Event>,
    /// Readings that tell its rate: each but the first after a jump, the bad ones left out. One after a setting counts.
    pub telling: usize,
    /// Since when it runs as it does now: set, jumped, or first read. `None`: nothing tells where it stands.
    pub since: Option<UnixMillis>,
    /// Its last good reading.
    pub last_read: Option<UnixMillis>,
}

impl Course {
    /// Of a clock of which nothing is known but this.
    pub fn new(known: &Known<'_>) -> Self {
        let series = series::find(known);
        let mut parts: Vec<(f64, State)> =
            WIDTHS.iter().map(|(wobble, usual)| run(&series.steps, *wobble, *usual)).collect();
        share(&mut parts);
        let mut course = Self { parts, events: series.events, telling: 0, since: None, last_read: None };
        for step in &series.steps {
            match step {
                Step::Set(setting) => {
                    course.since = setting.spread().map(|_| setting.at);
                }
                Step::Read(reading, label) => {
                    match label {
                        Label::Bad => continue,
                        Label::Anchor => course.since = Some(reading.at),
                        Label::Right => course.telling += 1,
                    }
                    course.last_read = Some(reading.at);
                }
            }
        }
        course
    }

    /// The same, of a token made by these people: theirs is what a rate is expected to be before the first reading.
    #[must_use]
    pub fn among(&self, population: &Population) -> Self {
        let mut course = self.clone();
        let Some(told) = population.beyond(ANY_RATE) else { return course };
        for (weight, state) in &mut course.parts {
            let known = state.rate();
            let fits = Spread { mean: known.mean, variance: known.variance + told.variance };
            *weight = weight.ln() + fits.log_density(told.mean);
            state.told_rate(told);
        }
        share(&mut course.parts);
        course
    }

    /// How fast it runs.
    pub fn rate(&self) -> Rate {
        let (ppm, low, high) = span(self.mix(State::rate));
        Rate { ppm, low, high }
    }

    /// The mean of what it may be, in ppm: quick to tell, and all that a list needs.
    pub fn rate_ppm(&self) -> f64 {
        self.rate_spread().mean
    }

    /// The rate as one spread, for comparisons with others.
    pub(super) fn rate_spread(&self) -> Spread {
        let parts = self.mix(State::rate);
        let mean = parts.iter().map(|(weight, part)| weight * part.mean).sum::<f64>();
        let around = |part: &Spread| part.variance + (part.mean - mean).powi(2);
        Spread { mean, variance: parts.iter().map(|(weight, part)| weight * around(part)).sum() }
    }

    /// Where it stands at a moment, its season's swing included.
    pub fn at(&self, at: UnixMillis) -> Option<Estimate> {
        self.since?;
        let (seconds, low, high) = span(self.mix(|state| state.on(days(at))));
        Some(Estimate { seconds, low, high })
    }

    /// How likely it is more than `limit_s` seconds off at a moment, one way or the other.
    pub fn outside(&self, at: UnixMillis, limit_s: f64) -> Option<f64> {
        self.since?;
        Some(self.outside_on(days(at), limit_s))
    }

    fn outside_on(&self, day: f64, limit_s: f64) -> f64 {
        let part = |(weight, stands): (f64, Spread)| {
            let deviation = stands.deviation().max(1e-9);
            let slow = below((-limit_s - stands.mean) / deviation);
            let fast = below((stands.mean - limit_s) / deviation);
            weight * (slow + fast)
        };
        self.mix(|state| state.on(day)).into_iter().map(part).sum()
    }

    /// When it is more than `limit_s` seconds off for the first time. A clock that already is has been since its last
    /// reading at the latest.
    pub fn leaves(&self, limit_s: f64) -> Option<Leaves> {
        self.since?;
        Some(Leaves {
            likely: self.when(limit_s, 0.5),
            from: self.when(limit_s, TAIL),
            to: self.when(limit_s, 1.0 - TAIL),
        })
    }

    /// [`Leaves::likely`] alone, for lists of many.
    pub fn likely_leaves(&self, limit_s: f64) -> Option<UnixMillis> {
        self.since?;
        self.when(limit_s, 0.5)
    }

    /// When it is out with this likelihood; to a tenth of a day.
    fn when(&self, limit_s: f64, likelihood: f64) -> Option<UnixMillis> {
        let begin = self.parts.first().map_or(0.0, |(_, state)| state.day());
        let (mut before, mut after) = (begin, begin + HORIZON_DAYS);
        if self.outside_on(before, limit_s) >= likelihood {
            return Some(moment(before));
        }
        if self.outside_on(after, limit_s) < likelihood {
            return None;
        }
        while after - before > 0.1 {
            let middle = f64::midpoint(before, after);
            if self.outside_on(middle, limit_s) >= likelihood {
                after = middle;
            } else {
                before = middle;
            }
        }
        Some(moment(after))
    }

    /// In how many days it moves by `limit_s` seconds at the fastest rate that it may have; none where that takes ten
    /// years.
    pub fn moves_by(&self, limit_s: f64) -> Option<f64> {
        let rate = self.rate();
        let fastest = rate.low.abs().max(rate.high.abs());
        Some(limit_s / (fastest * S_PER_PPM_DAY)).filter(|days| *days < HORIZON_DAYS)
    }

    /// What happened to it since it was set last, if that is more than running.
    pub fn trouble(&self) -> Option<&Event> {
        let last = self.events.iter().rev().take_while(|event| !matches!(event.what, Happened::Set(_)));
        last.filter(|event| !matches!(event.what, Happened::Bad(_))).last()
    }

    fn mix(&self, of: impl Fn(&State) -> Spread) -> Vec<(f64, Spread)> {
        self.parts.iter().map(|(weight, state)| (*weight, of(state))).collect()
    }
}

/// Fits with one width of wobble; tells the logarithm of how likely it is.
fn run(steps: &[Step], wobble: Wobble, usual: f64) -> (f64, State) {
    let first = steps.first().map_or(0.0, |step| match step {
        Step::Set(setting) => days(setting.at),
        Step::Read(reading, _) => days(reading.at),
    });
    let mut state = State::new(first, ANY_RATE, wobble);
    let mut log = usual.ln();
    for step in steps {
        match step {
            Step::Set(setting) => {
                state.advance(days(setting.at));
                if let Some(spread) = setting.spread() {
                    state.anchor(spread);
                }
            }
            Step::Read(_, Label::Bad) => {}
            Step::Read(reading, Label::Anchor) => {
                state.advance(days(reading.at));
                state.anchor(reading.spread());
            }
            Step::Read(reading, Label::Right) => {
                state.advance(days(reading.at));
                let read = reading.spread();
                let stands = state.expected();
                log += Spread { variance: stands.variance + read.variance, ..stands }.log_density(read.mean);
                state.measure(read);
            }
        }
    }
    (log, state)
}

/// Logarithms to shares of one.
fn share(parts: &mut [(f64, State)]) {
    let most = parts.iter().map(|(log, _)| *log).fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for (weight, _) in parts.iter_mut() {
        *weight = (*weight - most).exp();
        sum += *weight;
    }
    for (weight, _) in parts {
        *weight /= sum;
    }
}

/// The middle of several spreads together, and the span in which 19 out of 20 lie.
fn span(parts: Vec<(f64, Spread)>) -> (f64, f64, f64) {
    let at = |share: f64| {
        let end = |sign: f64| {
            let ends = parts.iter().map(|(_, part)| part.mean + sign * 9.0 * part.deviation());
            ends.fold(-sign * f64::INFINITY, if sign > 0.0 { f64::max } else { f64::min })
        };
        let (mut low, mut high) = (end(-1.0), end(1.0));
        for _ in 0..48 {
            let middle = f64::midpoint(low, high);
            let under = parts
                .iter()
                .map(|(weight, part)| weight * below((middle - part.mean) / part.deviation().max(1e-12)));
            if under.sum::<f64>() < share { low = middle } else { high = middle }
        }
        f64::midpoint(low, high)
    };
    (at(0.5), at(TAIL), at(1.0 - TAIL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{ClockSetBy, ReadingKind},
        forecast::{Reading, Setting},
    };

    const BEGIN: i64 = 1_767_225_600_000;

    fn day(n: i64) -> UnixMillis {
        UnixMillis(BEGIN + n * 86_400_000)
    }

    fn reading(n: i64, drift_s: f64) -> Reading {
        Reading { at: day(n), drift_s, within_s: 0.5, kind: ReadingKind::Clock }
    }

    #[test]
    fn nothing_is_known_of_a_clock_that_nobody_looked_at() {
        let course = Course::new(&Known { readings: &[], settings: &[] });
        assert_eq!((course.at(day(0)), course.leaves(30.0), course.since), (None, None, None));
        let rate = course.rate();
        assert!(rate.ppm.abs() < 0.01 && (rate.high - 39.2).abs() < 0.1, "{rate:?}");
    }

    #[test]
    fn a_year_of_readings_tells_the_rate_and_the_date() {
        // 10 ppm: 0.864 s a day, 30 s after 34.7 days… but for the second it was set within.
        let readings: Vec<Reading> = (0..13).map(|n| reading(n * 30, n as f64 * 25.92)).collect();
        let course = Course::new(&Known { readings: &readings, settings: &[] });
        let rate = course.rate();
        assert!((rate.ppm - 10.0).abs() < 0.2 && rate.low < 10.0 && rate.high > 10.0, "{rate:?}");
        assert!(rate.high - rate.low < 2.0, "{rate:?}");
        let leaves = course.leaves(600.0).unwrap();
        let likely = (leaves.likely.unwrap().0 - BEGIN) as f64 / 86_400_000.0;
        assert!((likely - 694.4).abs() < 5.0, "{likely}");
        assert!(leaves.from < leaves.likely && leaves.likely < leaves.to);
        assert_eq!(course.leaves(30.0).unwrap().likely, course.last_read, "it is out already");
        assert!(course.outside(day(360), 30.0).unwrap() > 0.999);
    }

    #[test]
    fn a_setting_moves_the_clock_and_keeps_the_rate() {
        let readings: Vec<Reading> = (0..13).map(|n| reading(n * 30, n as f64 * 25.92)).collect();
        let settings = [Setting { at: day(361), by: ClockSetBy::Resync }];
        let course = Course::new(&Known { readings: &readings, settings: &settings });
        assert_eq!(course.since, Some(day(361)));
        let leaves = course.leaves(30.0).unwrap().likely.unwrap();
        assert!((leaves.0 - day(361 + 35).0).abs() < 5 * 86_400_000, "{leaves}");
        assert!(course.trouble().is_none());
    }

    #[test]
    fn peers_narrow_what_one_reading_leaves_open() {
        let settings = [Setting { at: day(0), by: ClockSetBy::Burn }];
        let alone = Course::new(&Known { readings: &[reading(0, 0.0)], settings: &settings });
        let population = Population { mean_ppm: -6.0, deviation_ppm: 2.0, tokens: 50 };
        let rate = alone.among(&population).rate();
        assert!((rate.ppm + 6.0).abs() < 0.01 && (rate.high - rate.low - 7.84).abs() < 0.05, "{rate:?}");
        // A year of its own readings outweighs them.
        let readings: Vec<Reading> = (0..13).map(|n| reading(n * 30, n as f64 * 25.92)).collect();
        let own = Course::new(&Known { readings: &readings, settings: &[] });
        assert!(
            (own.among(&population).rate().ppm - 10.0).abs() < 2.0,
            "{:?}",
            own.among(&population).rate()
        );
    }
}
