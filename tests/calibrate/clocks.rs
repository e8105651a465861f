//! Tokens whose clocks run for simulated years, by physics and not by the model that kiln fits: a crystal with a rate of
//! its own and the usual parabola over temperature, in rooms that have seasons and weather. A person taps the token now
//! and then. Does the true rate lie in the stated span as often as stated, and the day on which the clock leaves its
//! window? Are jumps and time zones called by their names?

use super::token::Numbers;
use kiln::{
    domain::{ClockSetBy, ReadingKind, UnixMillis},
    forecast::{Course, Happened, Known, Own, Population, Reading, Setting},
};

/// 2026-01-01T00:00:00Z.
const BEGIN_MS: i64 = 1_767_225_600_000;
const DAY_MS: f64 = 86_400_000.0;
/// kiln forecasts ten years.
const LAST_DAY: usize = 3_652;
/// A crystal of 32,768 Hz, its makers' usual figures: 0.034 ppm for each degree squared away from 25 °C.
const PARABOLA: f64 = 0.034;

/// From a normal distribution: Box and Muller.
fn normal(n: &mut Numbers) -> f64 {
    (-2.0 * (1.0 - n.part()).ln()).sqrt() * (2.0 * std::f64::consts::PI * n.part()).cos()
}

/// A token and the place where it lies.
struct Clock {
    at_25_ppm: f64,
    /// The year's mean, the season's swing and its phase, and the weather's spread, in degrees.
    mean: f64,
    season: f64,
    phase: f64,
    weather: f64,
    /// For so many days weather stays.
    stays: f64,
    now: f64,
    day: usize,
    /// Token minus reference, in seconds.
    drift: f64,
}

impl Clock {
    fn new(n: &mut Numbers) -> Self {
        let weather = 0.5 + 2.5 * n.part();
        Self {
            at_25_ppm: 8.0 * normal(n),
            mean: 18.0 + 8.0 * n.part(),
            season: 5.0 * n.part(),
            phase: n.part(),
            weather,
            stays: 3.0 + 25.0 * n.part(),
            now: weather * normal(n),
            day: 0,
            drift: (n.part() - 0.5) * 0.8,
        }
    }

    /// What it gains in the long run, in ppm: over whole years and all weather.
    fn rate(&self) -> f64 {
        let square = (self.mean - 25.0).powi(2) + self.season.powi(2) / 2.0 + self.weather.powi(2);
        self.at_25_ppm - PARABOLA * square
    }

    fn run_a_day(&mut self, n: &mut Numbers) {
        let turn = 2.0 * std::f64::consts::PI * (self.day as f64 / 365.25 + self.phase);
        let degrees = self.mean + self.season * turn.sin() + self.now;
        self.drift += 0.0864 * (self.at_25_ppm - PARABOLA * (degrees - 25.0).powi(2));
        let keeps = (-1.0 / self.stays).exp();
        self.now = self.now * keeps + self.weather * (1.0 - keeps * keeps).sqrt() * normal(n);
        self.day += 1;
    }

    /// Somebody taps it: the token tells whole seconds, at any part of one.
    fn tap(&self, n: &mut Numbers) -> Reading {
        let within_the_second = n.part();
        let token = self.drift + within_the_second;
        let half_trip = 0.002 + 0.02 * n.part();
        let uneven = half_trip * (2.0 * n.part() - 1.0);
        Reading {
            at: UnixMillis(BEGIN_MS + (self.day as f64 * DAY_MS) as i64),
            drift_s: token.floor() + 0.5 - within_the_second + uneven,
            within_s: 0.5 + half_trip,
            kind: ReadingKind::Clock,
        }
    }
}

/// A token of one day: set by kiln, then tapped now and then for one to three years.
fn tapped(n: &mut Numbers, mut odd: impl FnMut(&mut Clock, &mut Reading, usize)) -> (Clock, Vec<Reading>) {
    let mut clock = Clock::new(n);
    let mut readings = vec![clock.tap(n)];
    let until = 365 + n.within(0, 730) as usize;
    let often = n.within(10, 90);
    while clock.day < until {
        for _ in 0..n.within(often / 2, often * 3 / 2) {
            clock.run_a_day(n);
        }
        let place = readings.len();
        let mut reading = clock.tap(n);
        odd(&mut clock, &mut reading, place);
        readings.push(reading);
    }
    (clock, readings)
}

fn set_at_the_beginning() -> [Setting; 1] {
    [Setting { at: UnixMillis(BEGIN_MS), by: ClockSetBy::Burn }]
}

fn fitted(readings: &[Reading]) -> Course {
    Course::new(&Known { readings, settings: &set_at_the_beginning() })
}

/// The issue's own measure for 1,000 runs, and what chance may do to fewer.
fn bounds(runs: usize) -> (f64, f64) {
    let slack = if runs >= 1_000 { 0.02 } else { 3.3 * (0.95 * 0.05 / runs as f64).sqrt() };
    (0.95 - slack, 0.95 + slack)
}

fn held(what: &str, inside: usize, runs: usize) {
    let share = inside as f64 / runs as f64;
    println!("{what}: {inside} of {runs} in their span of 95 %");
    let (least, most) = bounds(runs);
    assert!((least..=most).contains(&share), "{what}: {share}");
}

/// Rates and dates of tokens that only run.
pub fn rates_and_dates(runs: usize, seed: u64) {
    let mut n = Numbers(seed);
    let (mut rates, mut dates, mut alarms, mut width) = (0, 0, 0, 0.0);
    let mut early = 0;
    for _ in 0..runs {
        let (mut clock, readings) = tapped(&mut n, |_, _, _| ());
        let course = fitted(&readings);
        alarms += usize::from(course.trouble().is_some());
        let rate = course.rate();
        rates += usize::from((rate.low..=rate.high).contains(&clock.rate()));
        width += rate.high - rate.low;
        // A window that it is still in.
        let limit = clock.drift.abs() + 10.0 + 200.0 * n.part();
        let leaves = course.leaves(limit).unwrap();
        let begun = clock.day;
        let left = loop {
            clock.run_a_day(&mut n);
            if clock.drift.abs() > limit {
                // Some time in the day that has just passed.
                break Some(BEGIN_MS + ((clock.day as f64 - 0.5) * DAY_MS) as i64);
            }
            if clock.day - begun > LAST_DAY {
                break None;
            }
        };
        let not_before = match (leaves.from, left) {
            (Some(from), Some(left)) => left >= from.0,
            (None, Some(_)) => false,
            (_, None) => true,
        };
        let not_after = match (leaves.to, left) {
            (Some(to), Some(left)) => left <= to.0,
            (Some(_), None) => false,
            (None, _) => true,
        };
        early += usize::from(!not_before);
        dates += usize::from(not_before && not_after);
    }
    println!(
        "spans of rates are {:.2} ppm wide on average; {early} dates came too early",
        width / runs as f64
    );
    held("rates", rates, runs);
    held("dates", dates, runs);
    assert!(alarms * 200 <= runs, "{alarms} of {runs} clocks that only run are said to have jumped");
}

/// Tokens with one reading after the burn: their model's other tokens say what to expect of them.
pub fn rates_of_a_model(runs: usize, seed: u64) {
    let mut n = Numbers(seed);
    let mut population = Population::unknown();
    let mut inside = 0;
    for run in 0..runs {
        // Another model each time: what forty tokens say of the others is itself a matter of chance.
        if run % 20 == 0 {
            let peers: Vec<Own> =
                (0..40).filter_map(|_| Own::of(&fitted(&tapped(&mut n, |_, _, _| ()).1))).collect();
            population = Population::of(&peers);
        }
        let mut clock = Clock::new(&mut n);
        let first = clock.tap(&mut n);
        for _ in 0..n.within(1, 60) {
            clock.run_a_day(&mut n);
        }
        let course = fitted(&[first, clock.tap(&mut n)]).among(&population);
        let rate = course.rate();
        inside += usize::from((rate.low..=rate.high).contains(&clock.rate()));
    }
    held("rates by model", inside, runs);
}

/// Each clock has one thing happen to it; it must be called by its name, and the rate must stand.
pub fn what_happened_is_named(runs: usize, seed: u64) {
    let mut n = Numbers(seed);
    let mut right = [0; 4];
    let (mut rates, mut of) = (0, 0);
    for run in 0..runs * 4 {
        let kind = run % 4;
        let (sign, part, place) = (n.signed(1) as f64, n.part(), 2 + n.within(0, 2) as usize);
        let zone = n.one_of(&[-28_800.0, -18_000.0, 3_600.0, 7_200.0, 19_800.0, 34_200.0]);
        let mut happened = false;
        let (clock, readings) = tapped(&mut n, |clock, reading, now| {
            if now != place {
                return;
            }
            happened = true;
            let by = match kind {
                // From a minute to a quarter of an hour, small ones more often.
                0 => sign * 60.0 * 15.0_f64.powf(part),
                // An application set the token in local time.
                1 => zone - reading.drift_s.round(),
                // The battery was out: it begins at 2000 again.
                2 => 946_684_800.0 - (reading.at.0 / 1000) as f64 - reading.drift_s,
                _ => sign * 60.0 * 15.0_f64.powf(part),
            };
            reading.drift_s += by;
            if kind != 3 {
                clock.drift += by;
            }
        });
        if !happened || readings.len() < place + 3 {
            continue;
        }
        of += 1;
        let course = fitted(&readings);
        let whats: Vec<Happened> = course.events.iter().skip(1).map(|event| event.what).collect();
        let named = match (kind, whats.as_slice()) {
            (0, [Happened::Jumped(_)]) | (2, [Happened::Restarted(_)]) | (3, [Happened::Bad(_)]) => true,
            (1, [Happened::Zone(found)]) => *found as f64 == zone,
            _ => false,
        };
        if !named && right[kind] + 3 > of / 4 {
            println!("  kind {kind} at {place} of {}: {whats:?}", readings.len());
        }
        right[kind] += usize::from(named);
        let rate = course.rate();
        rates += usize::from((rate.low..=rate.high).contains(&clock.rate()));
    }
    println!("named right of {}: {right:?} (jumps, zones, restarts, bad readings)", of / 4);
    for (kind, right) in right.into_iter().enumerate() {
        assert!(right as f64 >= 0.97 * (of / 4) as f64 - 2.0, "kind {kind}: {right} of {}", of / 4);
    }
    held("rates after what happened", rates, of);
}
