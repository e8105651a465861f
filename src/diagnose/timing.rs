//! What the moments at which a code changes tell: the period and where the token's clock stands in it, without any
//! seed. For a help desk that may not see secrets: the person on the phone says "now", a key is pressed.
//!
//! A press comes a little after the change, by as much as a person needs to see it and to act; that is taken off, and
//! what people differ in goes into the uncertainty. Periods weigh against each other by Bayes: presses 60 s apart are a
//! period of 60 s, or one of 30 s of which a change was missed.

use crate::{
    domain::{Period, UnixMillis},
    remedy::{Remedy, Retry},
};

/// How long a press comes after the change, in seconds: seeing it and pressing a key at once takes a quarter of a second,
/// a word over the phone a little more. Assumed.
pub const REACTION_S: f64 = 0.4;
/// How much single presses of one person scatter, in seconds (one standard deviation). Assumed.
const SCATTER_S: f64 = 0.3;
/// How far a person's usual reaction lies from [`REACTION_S`], in seconds (one standard deviation). Assumed.
const HABIT_S: f64 = 0.2;
/// Presses that scatter more than this around the best period, in seconds, are no changes of a code.
const MOST_SCATTER_S: f64 = 1.5;
/// A second press this soon after one, in seconds, is a key that bounced or a hand that wanted to be sure.
const BOUNCE_S: f64 = 1.0;
/// The chance that the next change after a pressed one is pressed, too, rather than missed.
const NEXT: f64 = 0.85;
/// A clock this far off, in seconds, is as right as tokens keep.
const RIGHT_S: f64 = 2.0;
/// Below this a period wants another press.
const SURE: f64 = 0.95;
/// The longest span of presses, in seconds; over longer ones a quartz drifts.
const LONGEST_S: f64 = 7_200.0;

/// Periods that tokens have, in seconds, and how common each is.
const PERIODS: [(u64, f64); 11] = [
    (30, 0.6),
    (60, 0.32),
    (120, 0.01),
    (90, 0.01),
    (45, 0.01),
    (20, 0.01),
    (15, 0.01),
    (180, 0.01),
    (300, 0.01),
    (600, 0.005),
    (10, 0.005),
];

/// Why the presses tell nothing.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum TimingError {
    /// One press has no distance to another.
    #[error("{given} of at least 2 presses")]
    TooFew {
        /// How many there are; presses right after another don't count.
        given: usize,
    },
    /// No period has changes at these moments.
    #[error("these presses fit no period of a token (off by {off_s:.1} s at best)")]
    NoPeriod {
        /// How far they scatter around the best one.
        off_s: f64,
    },
    /// They lie too far apart.
    #[error("the presses lie {} minutes apart", .minutes)]
    TooLong {
        /// The first from the last.
        minutes: u64,
    },
}

impl Remedy for TimingError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::TooFew { .. } => "press Enter at the next change of the code",
            Self::NoPeriod { .. } => "start again, and press only when the whole code changes",
            Self::TooLong { .. } => "start again with changes that follow each other",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// What the presses tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// How many presses it rests on.
    pub presses: usize,
    /// The period.
    pub period: Period,
    /// How likely it is, among those that tokens have.
    pub sure: f64,
    /// Other periods with at least one chance in a hundred, the likeliest first.
    pub others: Vec<(Period, f64)>,
    /// Token clock minus the clock that timed the presses, in seconds, between minus and plus half a period; whole
    /// periods can't be told.
    pub offset_s: f64,
    /// How far off that may be, in seconds, to each side, in 19 of 20 cases.
    pub uncertainty_s: f64,
}

impl Timing {
    /// What was found, in a sentence.
    pub fn what(&self) -> String {
        let Self { period, offset_s, uncertainty_s, sure, .. } = self;
        let sure = if *sure > 0.99 { "over 99 %".to_owned() } else { format!("{:.0} %", sure * 100.0) };
        format!(
            "a new code every {period} ({sure}); the token's clock is {offset_s:+.1} s off, give or take {uncertainty_s:.1} s"
        )
    }

    /// What moments of change don't tell.
    pub fn cannot_tell(&self) -> String {
        let period_s = f64::from(self.period.as_secs());
        format!(
            "whole periods can't be told from this: {:+.0} s may as well be {:+.0} s or {:+.0} s; only a code tells",
            self.offset_s,
            self.offset_s + period_s,
            self.offset_s - period_s
        )
    }

    /// What was taken for granted.
    pub fn assumed(&self) -> String {
        format!("{REACTION_S} s were taken off each press for the time that a person needs")
    }

    /// The offset and how far off that may be, in milliseconds: what a reading of the token's clock keeps of it.
    pub fn in_millis(&self) -> (i64, u64) {
        // Of at most half a period.
        let millis = |seconds: f64| (seconds * 1_000.0).round() as i64;
        (millis(self.offset_s), millis(self.uncertainty_s).unsigned_abs())
    }

    /// Whether another press would settle the period.
    pub fn wants_another(&self) -> bool {
        self.sure < SURE
    }

    /// What to do now, in a sentence.
    pub fn remedy(&self) -> String {
        match self.others.first() {
            Some((other, _)) if self.wants_another() => {
                format!("press at one more change: it tells {} from {other}", self.period)
            }
            _ if self.offset_s.abs() > self.uncertainty_s + RIGHT_S => {
                "its clock is off: have an operator compare a code, then set it".into()
            }
            _ => "its clock is right within a period: have an operator compare a code".into(),
        }
    }
}

/// Finds period and offset from the moments of presses, in any order.
pub fn timing(presses: &[UnixMillis]) -> Result<Timing, TimingError> {
    let mut sorted = presses.to_vec();
    sorted.sort();
    let start = sorted.first().copied().unwrap_or(UnixMillis(0));
    // In seconds after the first one, so that no number grows beyond what a float holds exactly.
    let mut after: Vec<f64> = Vec::new();
    for press in sorted {
        let at = press.0.saturating_sub(start.0) as f64 / 1000.0;
        if after.last().is_none_or(|last| at - last >= BOUNCE_S) {
            after.push(at);
        }
    }
    let count = after.len();
    if count < 2 {
        return Err(TimingError::TooFew { given: count });
    }
    let longest = after[count - 1];
    if longest > LONGEST_S {
        return Err(TimingError::TooLong { minutes: (longest / 60.0) as u64 });
    }
    let mut fits: Vec<Fit> = PERIODS
        .iter()
        .filter_map(|(seconds, common)| Fit::new(&after, Period::from_secs(*seconds).ok()?, *common))
        .collect();
    fits.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let Some(best) = fits.first() else { return Err(TimingError::NoPeriod { off_s: longest / 2.0 }) };
    if best.scatter_s > MOST_SCATTER_S {
        return Err(TimingError::NoPeriod { off_s: best.scatter_s });
    }
    let sum: f64 = fits.iter().map(|fit| (fit.weight - best.weight).exp()).sum();
    let share = |fit: &Fit| (fit.weight - best.weight).exp() / sum;
    let scatter_s = best.scatter_s.max(SCATTER_S);
    let uncertainty_s = 2.0 * (scatter_s * scatter_s / count as f64 + HABIT_S * HABIT_S).sqrt();
    Ok(Timing {
        presses: count,
        period: best.period,
        sure: share(best),
        others: fits[1..]
            .iter()
            .map(|fit| (fit.period, share(fit)))
            .filter(|(_, share)| *share >= 0.01)
            .collect(),
        offset_s: offset(start, best),
        uncertainty_s,
    })
}

/// How the presses lie on one period.
struct Fit {
    period: Period,
    /// Logarithm of prior times likelihood.
    weight: f64,
    /// Where the changes lie, in seconds after the first press.
    mean_s: f64,
    scatter_s: f64,
}

impl Fit {
    /// None where two presses would be the same change.
    fn new(after: &[f64], period: Period, common: f64) -> Option<Self> {
        let period_s = f64::from(period.as_secs());
        let count = after.len() as f64;
        let changes: Vec<f64> = after.iter().map(|at| (at / period_s).round()).collect();
        let off: Vec<f64> = after.iter().zip(&changes).map(|(at, change)| at - change * period_s).collect();
        let mean_s = off.iter().sum::<f64>() / count;
        let squares: f64 = off.iter().map(|off| (off - mean_s).powi(2)).sum();
        let mut weight = common.ln() - period_s.ln() - squares / (2.0 * SCATTER_S * SCATTER_S);
        for pair in changes.windows(2) {
            let passed = pair[1] - pair[0];
            if passed < 1.0 {
                return None;
            }
            // What is left for missed changes falls with their number, and adds up to one.
            let chance = if passed < 1.5 { NEXT } else { (1.0 - NEXT) / (passed * (passed - 1.0)) };
            weight += chance.ln();
        }
        Some(Self { period, weight, mean_s, scatter_s: (squares / (count - 1.0)).sqrt() })
    }
}

/// Token clock minus ours, within half a period: at a change, the token's clock stands at a whole number of periods.
fn offset(start: UnixMillis, fit: &Fit) -> f64 {
    let period_ms = i64::from(fit.period.as_secs()) * 1000;
    let changed_ms = (start.0.rem_euclid(period_ms)) as f64 + (fit.mean_s - REACTION_S) * 1000.0;
    let period_s = period_ms as f64 / 1000.0;
    let offset = (-changed_ms / 1000.0).rem_euclid(period_s);
    if offset > period_s / 2.0 { offset - period_s } else { offset }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Catalog;
    use proptest::prelude::*;

    /// Presses at the changes numbered `changes` of a token with this period, whose clock is ahead by `offset_ms`; each
    /// later than the usual reaction by its `late_ms`.
    fn presses(period_s: i64, offset_ms: i64, changes: &[i64], late_ms: &[i64]) -> Vec<UnixMillis> {
        let first = 1_772_366_400_000 / (period_s * 1000);
        changes
            .iter()
            .zip(late_ms.iter().cycle())
            .map(|(change, late)| {
                UnixMillis(
                    (first + change) * period_s * 1000 - offset_ms + (REACTION_S * 1000.0) as i64 + late,
                )
            })
            .collect()
    }

    /// The distance of two offsets on the circle of a period.
    fn apart(a: f64, b: f64, period_s: f64) -> f64 {
        let off = (a - b).rem_euclid(period_s);
        off.min(period_s - off)
    }

    proptest! {
        #[test]
        fn changes_that_follow_each_other_give_period_and_offset(
            sixty: bool,
            offset_ms in -200_000i64..200_000,
            late_ms in prop::collection::vec(-400i64..400, 2..9),
        ) {
            let period_s = if sixty { 60 } else { 30 };
            let changes: Vec<i64> = (0..late_ms.len() as i64).collect();
            let found = timing(&presses(period_s, offset_ms, &changes, &late_ms)).unwrap();
            prop_assert_eq!(i64::from(found.period.as_secs()), period_s);
            prop_assert!(found.offset_s.abs() <= period_s as f64 / 2.0);
            let error = apart(found.offset_s, offset_ms as f64 / 1000.0, period_s as f64);
            prop_assert!(error <= found.uncertainty_s, "{} off, {} stated", error, found.uncertainty_s);
            // What it is for: about a second.
            prop_assert!(found.uncertainty_s <= 1.0);
        }

        #[test]
        fn every_period_on_the_list_is_told_by_four_changes(
            which in 0usize..PERIODS.len(),
            offset_ms in -200_000i64..200_000,
            late_ms in prop::collection::vec(-300i64..300, 4),
        ) {
            let period_s = PERIODS[which].0 as i64;
            let found = timing(&presses(period_s, offset_ms, &[0, 1, 2, 3], &late_ms)).unwrap();
            prop_assert_eq!(i64::from(found.period.as_secs()), period_s);
            prop_assert!(!found.wants_another(), "{:?}", found);
        }

        #[test]
        fn whole_periods_make_no_difference(
            offset_ms in -14_000i64..14_000, periods in -100_000i64..100_000, late_ms in -300i64..300,
        ) {
            let one = timing(&presses(30, offset_ms, &[0, 1, 2], &[late_ms, 0])).unwrap();
            let other = timing(&presses(30, offset_ms + periods * 30_000, &[0, 1, 2], &[late_ms, 0])).unwrap();
            prop_assert_eq!(one.period, other.period);
            prop_assert!(apart(one.offset_s, other.offset_s, 30.0) < 1e-6);
        }

        #[test]
        fn more_presses_never_make_it_less_certain(late_ms in prop::collection::vec(-200i64..200, 9)) {
            let changes: Vec<i64> = (0..9).collect();
            let all = presses(30, 7_000, &changes, &late_ms);
            let told: Vec<f64> = (2..=9).map(|n| timing(&all[..n]).unwrap().uncertainty_s).collect();
            prop_assert!(told.is_sorted_by(|a, b| a >= b), "{:?}", told);
        }

        #[test]
        fn order_and_bouncing_keys_make_no_difference(bounce_ms in 20i64..900, swap in 0usize..3) {
            let clean = presses(30, 3_000, &[0, 1, 2, 3], &[0, 150, -100]);
            let mut messy = clean.clone();
            messy.push(clean[1].plus(bounce_ms));
            messy.swap(swap, 3);
            prop_assert_eq!(timing(&messy), timing(&clean));
        }
    }

    #[test]
    fn a_missed_change_is_told_from_a_longer_period_by_a_third_press() {
        let two = timing(&presses(30, 0, &[0, 2], &[0])).unwrap();
        assert_eq!(two.period, Period::SIXTY);
        assert!(two.wants_another() && two.others[0].0 == Period::THIRTY, "{two:?}");
        assert!(two.remedy().contains("tells 60 s from 30 s"), "{}", two.remedy());
        let three = timing(&presses(30, 0, &[0, 2, 3], &[0])).unwrap();
        assert_eq!((three.period, three.wants_another()), (Period::THIRTY, false), "{three:?}");
        let sixty = timing(&presses(60, 0, &[0, 1, 2], &[0])).unwrap();
        assert_eq!((sixty.period, sixty.wants_another()), (Period::SIXTY, false), "{sixty:?}");
    }

    #[test]
    fn the_answer_says_what_it_is_worth() {
        let found = timing(&presses(30, 11_000, &[0, 1, 2, 3], &[100, -100])).unwrap();
        assert_eq!(found.in_millis(), (11_000, (found.uncertainty_s * 1_000.0).round() as u64));
        assert_eq!(
            found.what(),
            "a new code every 30 s (over 99 %); the token's clock is +11.0 s off, give or take 0.5 s"
        );
        assert!(
            found.cannot_tell().contains("+11 s may as well be +41 s or -19 s"),
            "{}",
            found.cannot_tell()
        );
        assert!(found.assumed().contains("0.4 s"));
        assert!(found.remedy().contains("then set it"));
        assert!(timing(&presses(30, 1_000, &[0, 1, 2], &[0])).unwrap().remedy().contains("clock is right"));
    }

    #[test]
    fn every_period_of_the_models_is_on_the_list() {
        let catalog = Catalog::built_in();
        for model in catalog.models() {
            for period in &model.periods {
                let seconds = u64::from(period.as_secs());
                assert!(PERIODS.iter().any(|(known, _)| *known == seconds), "{}: {period}", model.name);
            }
        }
    }

    #[test]
    fn what_tells_nothing_is_refused_with_a_cure() {
        let at = |seconds: &[f64]| -> Vec<UnixMillis> {
            seconds.iter().map(|s| UnixMillis(1_772_366_400_000 + (s * 1000.0) as i64)).collect()
        };
        let refused = |seconds: &[f64]| timing(&at(seconds)).unwrap_err();
        for (error, name) in [
            (refused(&[]), "TooFew { given: 0 }"),
            (refused(&[5.0, 5.3]), "TooFew { given: 1 }"),
            (refused(&[0.0, 37.0]), "NoPeriod"),
            (refused(&[0.0, 30.0, 34.0, 61.0]), "NoPeriod"),
            (refused(&[0.0, 30.0, 30_000.0]), "TooLong { minutes: 500 }"),
        ] {
            assert!(format!("{error:?}").starts_with(name), "{error:?}");
            assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
    }
}
