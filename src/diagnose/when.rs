//! When a token showed a code: the proof of a visit, read off a token that stays at the place.
//!
//! The token's clock decides. Its drift is known at some moments and grows more doubtful between them, so every answer
//! carries how far off it may be; and a code of few digits comes back, so every answer comes with all the others and with
//! how likely others are.

use super::{
    drift::{ClockRun, Drift},
    evidence::Evidence,
    lanes::Keyed,
    reading::{Level, Readings},
};
use crate::{
    domain::{Code, Digits, Mode, Parameters, Period, Seed, UnixTime},
    remedy::{Remedy, Retry},
};
use serde::{Deserialize, Serialize};

/// Why a code has no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhenError {
    /// HOTP: a button decides, not the time.
    #[error("this profile is counter-based: its codes do not tell a time")]
    CounterBased,
    /// Nothing between the two ends.
    #[error("there is no time between {since} and {until}")]
    Empty {
        /// The start.
        since: UnixTime,
        /// The end.
        until: UnixTime,
    },
    /// More steps than a search should take.
    #[error("{steps} steps lie between the two ends, more than {}", When::MOST_STEPS)]
    TooLong {
        /// How many.
        steps: u64,
    },
    /// The token never shows so many digits.
    #[error("the code has {given} digits, the token shows {digits}")]
    OtherLength {
        /// The code's.
        given: usize,
        /// The token's.
        digits: Digits,
    },
}

impl Remedy for WhenError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::CounterBased => "use a time-based profile where a code is to prove a time",
            Self::Empty { .. } => "give --since before --until",
            Self::TooLong { .. } => "narrow the range with --since and --until",
            Self::OtherLength { .. } => {
                "check the code, the serial and the profile; kiln diagnose tries other lengths"
            }
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// A search for the times of one code or of several successive ones. An iterator: times come as they are found, in order,
/// and none is kept.
pub struct When {
    keyed: Keyed,
    readings: Readings,
    after: Vec<u64>,
    period_s: i64,
    t0: i64,
    drift: Drift,
    /// The next step to look at, and the last one.
    next: u64,
    last: u64,
    buffer: Vec<u32>,
    /// Steps of the buffer that are still to be looked at: from the first to before the second.
    ready: (usize, usize),
    chance: f64,
    steps: u64,
}

/// One time at which the codes were shown, by the clock of the world.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// The step of the first code.
    pub step: u64,
    /// When its display began, by the clock of the world.
    pub from: UnixTime,
    /// When it ended: the first second of the next code.
    pub until: UnixTime,
    /// How far off both may be, in seconds, to each side.
    pub uncertainty_s: u32,
    /// When the seed that showed them was replaced; `None` while the profile holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<UnixTime>,
}

/// What `kiln when --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// From when on was looked.
    pub since: UnixTime,
    /// Until when.
    pub until: UnixTime,
    /// Every time found, in order.
    pub times: Vec<Shown>,
    /// Whether there were more than are listed.
    pub cut: bool,
    /// How far they prove anything.
    pub collisions: Collisions,
}

/// How far a code proves a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Collisions {
    /// Steps in the range.
    pub steps: u64,
    /// Accidental times to be expected besides the true one.
    pub expected: f64,
    /// The chance of at least one.
    pub chance: f64,
    /// What 8 digits and 60 seconds would make of that chance; `None` where there is nothing to gain.
    pub with_eight_digits_and_sixty_seconds: Option<f64>,
    /// What to do about it; `None` where nothing need be.
    pub advice: Option<String>,
}

/// One seed that a profile held for a time.
pub struct Epoch<'s> {
    /// The seed.
    pub seed: &'s Seed,
    /// Its parameters.
    pub parameters: Parameters,
    /// How the token's clock ran in that time.
    pub clock: &'s ClockRun,
    /// Since when it held the seed.
    pub from: UnixTime,
    /// When another took its place; `None` while it is held.
    pub to: Option<UnixTime>,
}

/// Looks for `codes` between two moments, both included. Lists [`Times::MOST`] times at most.
pub fn dates(
    epochs: &[Epoch<'_>],
    codes: &[Code],
    since: UnixTime,
    until: UnixTime,
) -> Result<Times, WhenError> {
    let mut times: Vec<Shown> = Vec::new();
    let mut cut = false;
    let mut searched = Tried::default();
    let mut unfit = None;
    for epoch in epochs {
        let (since, until) = (since.max(epoch.from), epoch.to.map_or(until, |to| until.min(to)));
        for (from, to, drift) in epoch.clock.parts(since, until) {
            let search = When::new(epoch.seed, &epoch.parameters, drift, codes, from, to);
            let mut search = match search {
                Ok(search) => search,
                Err(unfitting @ (WhenError::CounterBased | WhenError::OtherLength { .. })) => {
                    unfit = Some(unfitting);
                    continue;
                }
                Err(error) => return Err(error),
            };
            searched.add(&search, &epoch.parameters)?;
            for shown in &mut search {
                // Where one part ends and the next begins, both look at the same step.
                if times.iter().rev().take(2).any(|known| known.step == shown.step) {
                    continue;
                }
                if times.len() == Times::MOST {
                    cut = true;
                    break;
                }
                times.push(Shown { replaced: epoch.to, ..shown });
            }
        }
    }
    if searched.steps == 0 {
        return Err(unfit.unwrap_or(WhenError::Empty { since, until }));
    }
    times.sort_by_key(|shown| shown.from);
    Ok(Times { since, until, times, cut, collisions: searched.collisions(codes.len()) })
}

impl Times {
    /// The most times that are listed: a code that comes back more often proves nothing.
    pub const MOST: usize = 1_000;
}

/// What was tried, summed up.
#[derive(Default)]
struct Tried {
    steps: u64,
    seconds: u64,
    expected: f64,
    /// The chance of one step, and whether more digits would lessen it: of the latest parameters.
    chance: f64,
    few_digits: bool,
}

impl Tried {
    fn add(&mut self, search: &When, parameters: &Parameters) -> Result<(), WhenError> {
        self.steps = self.steps.saturating_add(search.steps);
        if self.steps > When::MOST_STEPS {
            return Err(WhenError::TooLong { steps: self.steps });
        }
        self.seconds =
            self.seconds.saturating_add(search.steps.saturating_mul(search.period_s.unsigned_abs()));
        self.expected += search.steps as f64 * search.chance;
        self.chance = search.chance;
        self.few_digits |= parameters.digits < Digits::EIGHT;
        Ok(())
    }

    /// How likely it is that codes like these come back within the range.
    fn collisions(&self, codes: usize) -> Collisions {
        let at_least_one = |expected: f64| -(-expected).exp_m1();
        let expected = (self.expected - self.chance).max(0.0);
        let chance = at_least_one(expected);
        let better_steps = self.seconds / u64::from(Period::SIXTY.as_secs());
        let per_code = 10f64.powi(-i32::from(Digits::EIGHT.get()));
        let better = at_least_one(better_steps as f64 * per_code.powi(codes as i32));
        let with_eight_digits_and_sixty_seconds = (better < chance).then_some(better);
        let advice = (chance >= MATTERS).then(|| {
            let another = if codes == 1 { "two successive codes" } else { "one more successive code" };
            let range = format!("the chance that such a code comes back within this range is {:.0} %", chance * 100.0);
            match with_eight_digits_and_sixty_seconds {
                Some(better) if better < chance / 2.0 && self.few_digits => format!(
                    "{range}: note {another} at each visit, or burn such tokens with 8 digits and 60 seconds ({:.2} %)",
                    better * 100.0
                ),
                _ => format!("{range}: note {another} at each visit, or narrow the range"),
            }
        });
        Collisions { steps: self.steps, expected, chance, with_eight_digits_and_sixty_seconds, advice }
    }
}

/// From this chance of a second time on, a code alone is poor proof.
const MATTERS: f64 = 0.01;

impl When {
    /// The most steps that one search covers: a year of the shortest period.
    pub const MOST_STEPS: u64 = 366 * 86_400;

    /// Looks for `codes` (successive displays, at least one) of this seed between two moments, both included, by the
    /// clock of the world. `drift` says where the token's clock stood.
    pub fn new(
        seed: &Seed,
        parameters: &Parameters,
        drift: Drift,
        codes: &[Code],
        since: UnixTime,
        until: UnixTime,
    ) -> Result<Self, WhenError> {
        let Mode::Totp { period, t0 } = parameters.mode else { return Err(WhenError::CounterBased) };
        let digits = parameters.digits;
        if let Some(given) =
            codes.iter().map(|code| code.as_str().len()).find(|len| *len != usize::from(digits.get()))
        {
            return Err(WhenError::OtherLength { given, digits });
        }
        let empty = WhenError::Empty { since, until };
        if until < since || codes.is_empty() || codes.len() > Evidence::MOST {
            return Err(empty);
        }
        let period_s = i64::from(period.as_secs());
        let on_token = |at: UnixTime| at.0.saturating_add(drift.seconds_at(at).round() as i64);
        let step = |at: UnixTime| on_token(at).saturating_sub(t0.0).div_euclid(period_s);
        let first = u64::try_from(step(since).max(0)).map_err(|_| empty)?;
        let last = u64::try_from(step(until)).map_err(|_| empty)?;
        let steps = last.checked_sub(first).map(|steps| steps.saturating_add(1)).ok_or(empty)?;
        if steps > Self::MOST_STEPS {
            return Err(WhenError::TooLong { steps });
        }
        let readings = Readings::new(codes, digits);
        Ok(Self {
            keyed: Keyed::new(seed.expose(), parameters.hash),
            chance: readings.breadth(Level::AsShown).1,
            readings,
            after: (0..codes.len() as u64).collect(),
            period_s,
            t0: t0.0,
            drift,
            next: first,
            last,
            buffer: vec![0; 1_024],
            ready: (0, 0),
            steps,
        })
    }

    fn shown(&self, step: u64) -> Shown {
        let token = |step: u64| self.t0.saturating_add((step as i64).saturating_mul(self.period_s));
        // The drift is wanted at the true time, which the drift itself moves; it moves it by little.
        let world = |token: i64| {
            let once = token.saturating_sub(self.drift.seconds_at(UnixTime(token)).round() as i64);
            UnixTime(token.saturating_sub(self.drift.seconds_at(UnixTime(once)).round() as i64))
        };
        let from = world(token(step));
        let uncertainty_s = self.drift.error_at(from).ceil() as u32;
        Shown { step, from, until: world(token(step + 1)), uncertainty_s, replaced: None }
    }
}

impl Iterator for When {
    type Item = Shown;

    fn next(&mut self) -> Option<Shown> {
        let (modulus, value) = self.readings.first_as_shown()?;
        loop {
            let base = self.next - self.ready.1 as u64;
            while self.ready.0 < self.ready.1 {
                let i = self.ready.0;
                self.ready.0 += 1;
                let step = base + i as u64;
                let fits = u64::from(self.buffer[i] % modulus) == value
                    && (1..self.after.len()).all(|k| {
                        let value = self.keyed.one(step.wrapping_add(self.after[k]));
                        self.readings.fits(Level::AsShown, k, value, || 0)
                    });
                if fits {
                    return Some(self.shown(step));
                }
            }
            if self.next > self.last {
                return None;
            }
            let n = (self.last - self.next + 1).min(self.buffer.len() as u64) as usize;
            self.keyed.fill(self.next, &mut self.buffer[..n]);
            self.next += n as u64;
            self.ready = (0, n);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnose::ClockReading,
        domain::{Hash, StepCount, otp},
    };

    const SINCE: UnixTime = UnixTime(1_767_225_600);

    fn seed() -> Seed {
        Seed::new(*b"12345678901234567890")
    }

    fn parameters(digits: u64, period: u64) -> Parameters {
        Parameters::totp(Hash::Sha1, Digits::new(digits).unwrap(), Period::from_secs(period).unwrap())
    }

    fn set(at: UnixTime) -> Drift {
        Drift::unmeasured(at)
    }

    #[test]
    fn every_time_of_a_code_is_found_and_no_other() {
        let parameters = parameters(4, 60);
        let until = SINCE.plus(40 * 86_400 - 1);
        let wanted = otp::code_at(&seed(), &parameters, SINCE.plus(5_000)).unwrap();
        let when =
            When::new(&seed(), &parameters, set(SINCE), std::slice::from_ref(&wanted), SINCE, until).unwrap();
        let times: Vec<i64> = when.map(|shown| shown.from.0).collect();
        let expected: Vec<i64> = (SINCE.0..=until.0)
            .step_by(60)
            .filter(|at| otp::code_at(&seed(), &parameters, UnixTime(*at)).unwrap().same_as(&wanted))
            .collect();
        assert!(expected.len() > 1 && times == expected, "{times:?} {expected:?}");
    }

    #[test]
    fn drift_moves_the_time_and_its_doubt_grows() {
        let parameters = parameters(8, 60);
        let fast =
            Drift { at: SINCE, seconds: 100.0, error_s: 2.0, rate_s_per_day: 1.0, rate_error_s_per_day: 0.5 };
        // 20 days later the token is 120 s ahead.
        let at = SINCE.plus(20 * 86_400);
        let on_token = (at.0 + 120) as u64 / 60;
        let code = otp::code(&seed(), Hash::Sha1, Digits::EIGHT, StepCount(on_token));
        let mut when =
            When::new(&seed(), &parameters, fast, &[code], SINCE, SINCE.plus(40 * 86_400)).unwrap();
        let shown = when.next().unwrap();
        assert_eq!((shown.from, shown.until, shown.uncertainty_s), (at, at.plus(60), 12));
        assert_eq!(when.next(), None);
    }

    #[test]
    fn successive_codes_leave_one_time() {
        let parameters = parameters(6, 30);
        let codes: Vec<Code> =
            [0, 30].map(|s| otp::code_at(&seed(), &parameters, SINCE.plus(86_400 + s)).unwrap()).to_vec();
        let until = SINCE.plus(30 * 86_400);
        let when = When::new(&seed(), &parameters, set(SINCE), &codes, SINCE, until).unwrap();
        assert_eq!(when.map(|shown| shown.from).collect::<Vec<_>>(), [SINCE.plus(86_400)]);
    }

    fn epoch<'s>(
        seed: &'s Seed,
        parameters: Parameters,
        clock: &'s ClockRun,
        days: Option<i64>,
    ) -> Epoch<'s> {
        Epoch { seed, parameters, clock, from: SINCE, to: days.map(|days| SINCE.plus(days * 86_400)) }
    }

    #[test]
    fn the_chance_of_a_second_time_is_told_with_what_would_help() {
        let year = SINCE.plus(365 * 86_400);
        let (seed, clock) = (seed(), ClockRun::new(SINCE, vec![]));
        let about = |digits, period| {
            let code = Code::parse(&"1".repeat(digits as usize)).unwrap();
            let epoch = epoch(&seed, parameters(digits, period), &clock, None);
            dates(&[epoch], &[code], SINCE, year).unwrap().collisions
        };
        let six = about(6, 30);
        assert!((six.expected - 1.05).abs() < 0.01 && (six.chance - 0.65).abs() < 0.01, "{six:?}");
        assert!(six.advice.unwrap().contains("8 digits and 60 seconds"));
        let eight = about(8, 60);
        assert!(eight.chance < MATTERS && eight.advice.is_none(), "{:?}", eight.chance);
    }

    #[test]
    fn each_time_is_told_by_the_seed_that_was_held_then() {
        let (before, now) = (Seed::new([3; 20]), seed());
        let parameters = parameters(8, 60);
        let clock = ClockRun::new(SINCE, vec![]);
        let replaced = SINCE.plus(10 * 86_400);
        let epochs = || {
            [
                Epoch { from: replaced, ..epoch(&now, parameters, &clock, None) },
                epoch(&before, parameters, &clock, Some(10)),
            ]
        };
        let at = |seed: &Seed, moment| vec![otp::code_at(seed, &parameters, moment).unwrap()];
        let (early, late) = (SINCE.plus(86_400), SINCE.plus(12 * 86_400));
        let until = SINCE.plus(20 * 86_400);
        let found = dates(&epochs(), &at(&before, early), SINCE, until).unwrap();
        assert_eq!(
            found.times.iter().map(|t| (t.from, t.replaced)).collect::<Vec<_>>(),
            [(early, Some(replaced))]
        );
        let found = dates(&epochs(), &at(&now, late), SINCE, until).unwrap();
        assert_eq!(found.times.iter().map(|t| (t.from, t.replaced)).collect::<Vec<_>>(), [(late, None)]);
        // What a seed would have shown before the profile held it was never shown.
        assert_eq!(dates(&epochs(), &at(&now, early), SINCE, until).unwrap().times, []);
    }

    #[test]
    fn readings_on_both_sides_of_a_time_make_it_sure() {
        let parameters = parameters(8, 60);
        let reading =
            |days: i64, seconds| ClockReading { at: SINCE.plus(days * 86_400), seconds, error_s: 1.0 };
        let clock = ClockRun::new(SINCE, vec![reading(0, 0.0), reading(100, 100.0)]);
        let seed = seed();
        // On the fiftieth day the token is 50 s ahead.
        let at = SINCE.plus(50 * 86_400);
        let code = otp::code_at(&seed, &parameters, at.plus(50)).unwrap();
        let found =
            dates(&[epoch(&seed, parameters, &clock, None)], &[code], SINCE, SINCE.plus(100 * 86_400))
                .unwrap();
        let shown = found.times[0];
        assert_eq!(found.times.len(), 1);
        assert!((shown.from.0..shown.until.0).contains(&at.0) && shown.uncertainty_s <= 23, "{shown:?}");
    }

    #[test]
    fn what_has_no_time_is_refused_with_a_cure() {
        let code = [Code::parse("123456").unwrap()];
        let standard = Parameters::standard();
        let refused = |parameters: &Parameters, code: &[Code], until: i64| {
            When::new(&seed(), parameters, set(SINCE), code, SINCE, UnixTime(until)).err().unwrap()
        };
        let hotp = Parameters { mode: Mode::Hotp { counter: 0 }, ..standard };
        let short = [Code::parse("1234").unwrap()];
        let second = parameters(6, 1);
        for (error, name) in [
            (refused(&hotp, &code, i64::MAX), "CounterBased"),
            (refused(&standard, &code, 0), "Empty"),
            (refused(&standard, &short, SINCE.0), "OtherLength"),
            (refused(&second, &code, i64::MAX / 2), "TooLong"),
        ] {
            assert!(format!("{error:?}").starts_with(name), "{error:?}");
            assert!(error.remedy().len() > 10 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
    }
}
