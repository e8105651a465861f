//! A Kalman filter over one clock. Units: seconds for where the clock stands (token minus reference), ppm for rates, days
//! for time.
//!
//! The state is `[phase, rate, wobble, a, b]`. The phase moves with rate and wobble; the wobble fades within [`FADES_DAYS`]
//! and is stirred as much (an Ornstein-Uhlenbeck process, whose integral is known in closed form); `a` and `b` are the two
//! halves of a swing of one year in the rate, constant, and added to the phase where the clock is looked at.

use super::S_PER_PPM_DAY;

/// How many numbers the state has.
const N: usize = 5;
const PHASE: usize = 0;
const RATE: usize = 1;
const WOBBLE: usize = 2;
const SEASON: usize = 3;

/// How fast a change of temperature is forgotten.
const FADES_DAYS: f64 = 20.0;
const YEAR_DAYS: f64 = 365.25;

type Row = [f64; N];

/// How much temperature does to a crystal, each as one standard deviation in ppm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wobble {
    /// From week to week.
    pub(super) weeks_ppm: f64,
    /// Each half of the season's swing.
    pub(super) season_ppm: f64,
}

/// A mean and a variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) mean: f64,
    pub(super) variance: f64,
}

impl Spread {
    pub(super) fn deviation(self) -> f64 {
        self.variance.max(0.0).sqrt()
    }

    /// The logarithm of how likely `value` is.
    pub(super) fn log_density(self, value: f64) -> f64 {
        let off = value - self.mean;
        -0.5 * (off * off / self.variance + (2.0 * std::f64::consts::PI * self.variance).ln())
    }
}

/// What is known of a clock on a day.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    day: f64,
    mean: Row,
    cov: [Row; N],
    wobble: Wobble,
}

impl State {
    /// Of a crystal of this kind whose clock stands nobody knows where, until [`anchor`](Self::anchor).
    pub(super) fn new(day: f64, rate: Spread, wobble: Wobble) -> Self {
        let mut cov = [[0.0; N]; N];
        cov[RATE][RATE] = rate.variance;
        cov[WOBBLE][WOBBLE] = wobble.weeks_ppm * wobble.weeks_ppm;
        cov[SEASON][SEASON] = wobble.season_ppm * wobble.season_ppm;
        cov[SEASON + 1][SEASON + 1] = cov[SEASON][SEASON];
        Self { day, mean: [0.0, rate.mean, 0.0, 0.0, 0.0], cov, wobble }
    }

    /// The day up to which it is known.
    pub(super) fn day(&self) -> f64 {
        self.day
    }

    /// The rate that is its crystal's own, in ppm.
    pub(super) fn rate(&self) -> Spread {
        Spread { mean: self.mean[RATE], variance: self.cov[RATE][RATE] }
    }

    /// What one sees of the state on its day.
    fn look(&self) -> Row {
        let turn = 2.0 * std::f64::consts::PI * self.day / YEAR_DAYS;
        // A swing of the rate by one ppm moves the clock by so much.
        let reach = S_PER_PPM_DAY * YEAR_DAYS / (2.0 * std::f64::consts::PI);
        [1.0, 0.0, 0.0, reach * turn.sin(), -reach * turn.cos()]
    }

    /// Lets the clock run until `day`; an earlier one changes nothing.
    pub(super) fn advance(&mut self, day: f64) {
        let span = day - self.day;
        if span <= 0.0 {
            return;
        }
        let left = (-span / FADES_DAYS).exp();
        let by_rate = S_PER_PPM_DAY * span;
        let by_wobble = S_PER_PPM_DAY * FADES_DAYS * (1.0 - left);
        self.mean[PHASE] += by_rate * self.mean[RATE] + by_wobble * self.mean[WOBBLE];
        self.mean[WOBBLE] *= left;
        for j in 0..N {
            self.cov[PHASE][j] += by_rate * self.cov[RATE][j] + by_wobble * self.cov[WOBBLE][j];
            self.cov[WOBBLE][j] *= left;
        }
        for row in &mut self.cov {
            row[PHASE] += by_rate * row[RATE] + by_wobble * row[WOBBLE];
            row[WOBBLE] *= left;
        }
        // What stirred the wobble meanwhile, and what of that has reached the phase.
        let stirred = self.wobble.weeks_ppm * self.wobble.weeks_ppm;
        let reach = S_PER_PPM_DAY * FADES_DAYS;
        let in_phase = 2.0 * span / FADES_DAYS - 3.0 + 4.0 * left - left * left;
        let both = reach * stirred * (1.0 - left) * (1.0 - left);
        self.cov[PHASE][PHASE] += reach * reach * stirred * in_phase.max(0.0);
        self.cov[PHASE][WOBBLE] += both;
        self.cov[WOBBLE][PHASE] += both;
        self.cov[WOBBLE][WOBBLE] += stirred * (1.0 - left * left);
        self.day = day;
    }

    /// Where the clock is expected to stand on its day, in seconds.
    pub(super) fn expected(&self) -> Spread {
        let look = self.look();
        Spread { mean: dot(&look, &self.mean), variance: dot(&look, &self.times(&look)) }
    }

    /// Where it will stand on a day to come, or stood on one before (then without its wobble).
    pub(super) fn on(&self, day: f64) -> Spread {
        if day >= self.day {
            let mut then = self.clone();
            then.advance(day);
            return then.expected();
        }
        let mut then = self.clone();
        let span = day - self.day;
        then.mean[PHASE] += S_PER_PPM_DAY * span * self.mean[RATE];
        then.day = day;
        then.expected()
    }

    /// Takes a reading in: the clock stands at `read.mean`.
    pub(super) fn measure(&mut self, read: Spread) {
        let look = self.look();
        self.learn(&look, read);
    }

    /// Takes in what is known of its rate besides.
    pub(super) fn told_rate(&mut self, rate: Spread) {
        let mut look = [0.0; N];
        look[RATE] = 1.0;
        self.learn(&look, rate);
    }

    fn learn(&mut self, look: &Row, read: Spread) {
        let seen = self.times(look);
        let spread = dot(look, &seen) + read.variance;
        let off = (read.mean - dot(look, &self.mean)) / spread;
        for i in 0..N {
            self.mean[i] += seen[i] * off;
            for j in 0..N {
                self.cov[i][j] -= seen[i] * seen[j] / spread;
            }
        }
    }

    /// Forgets where the clock stood and takes it from this reading alone; what is known of the crystal stays.
    pub(super) fn anchor(&mut self, read: Spread) {
        let mut rest = self.look();
        rest[PHASE] = 0.0;
        for j in 0..N {
            self.cov[PHASE][j] = 0.0;
            self.cov[j][PHASE] = 0.0;
        }
        let seen = self.times(&rest);
        self.mean[PHASE] = read.mean - dot(&rest, &self.mean);
        for (j, seen) in seen.iter().enumerate().skip(1) {
            self.cov[PHASE][j] = -seen;
            self.cov[j][PHASE] = -seen;
        }
        self.cov[PHASE][PHASE] = read.variance + dot(&rest, &seen);
    }

    fn times(&self, row: &Row) -> Row {
        std::array::from_fn(|i| dot(&self.cov[i], row))
    }
}

fn dot(a: &Row, b: &Row) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STILL: Wobble = Wobble { weeks_ppm: 1e-6, season_ppm: 1e-6 };
    const WIDE: Spread = Spread { mean: 0.0, variance: 400.0 };

    fn read(mean: f64) -> Spread {
        Spread { mean, variance: 1.0 / 12.0 }
    }

    #[test]
    fn a_steady_clock_is_fitted_as_by_least_squares() {
        // 10 ppm over 100 days are 86.4 s.
        let mut state = State::new(0.0, WIDE, STILL);
        state.anchor(read(0.0));
        for n in 1..=10 {
            state.advance(f64::from(n) * 10.0);
            state.measure(read(f64::from(n) * 8.64));
        }
        assert!((state.rate().mean - 10.0).abs() < 1e-3, "{:?}", state.rate());
        // Least squares: the variance of a slope is that of a reading over the sum of squared distances.
        let squares: f64 = (0..=10).map(|n| (f64::from(n) * 10.0 - 50.0).powi(2)).sum();
        let slope = (1.0 / 12.0 / squares).sqrt() / S_PER_PPM_DAY;
        assert!((state.rate().deviation() / slope - 1.0).abs() < 0.01, "{:?} {slope}", state.rate());
        let then = state.on(200.0);
        assert!((then.mean - 172.8).abs() < 0.05, "{then:?}");
    }

    #[test]
    fn an_anchor_forgets_where_the_clock_stood_and_keeps_its_rate() {
        let mut state = State::new(0.0, WIDE, Wobble { weeks_ppm: 1.0, season_ppm: 1.0 });
        state.anchor(read(5.0));
        state.advance(50.0);
        state.measure(read(60.0));
        let rate = state.rate();
        state.anchor(read(-3_600.0));
        assert_eq!(state.rate(), rate);
        let now = state.expected();
        assert!((now.mean + 3_600.0).abs() < 1e-9 && (now.variance - 1.0 / 12.0).abs() < 1e-9, "{now:?}");
    }

    #[test]
    fn wobble_alone_spreads_a_forecast_as_its_integral_does() {
        let wobble = Wobble { weeks_ppm: 2.0, season_ppm: 0.0 };
        let mut state = State::new(0.0, Spread { mean: 0.0, variance: 0.0 }, wobble);
        state.anchor(Spread { mean: 0.0, variance: 0.0 });
        // Long after, it is a random walk: twice its variance times the time in which it fades, for each day.
        let spread = state.on(10_000.0).deviation();
        let walk = (2.0 * 4.0 * FADES_DAYS * 10_000.0_f64).sqrt() * S_PER_PPM_DAY;
        assert!((spread / walk - 1.0).abs() < 0.01, "{spread} {walk}");
        // In two steps it is what it is in one.
        let mut halfway = state.clone();
        halfway.advance(3.0);
        assert!((halfway.on(40.0).variance / state.on(40.0).variance - 1.0).abs() < 1e-9);
    }
}
