//! What tokens have in common: the rates of a model, and batches that are worse than their peers.

use super::{course::Course, filter::Spread};
use std::collections::BTreeMap;

/// The rates of the tokens of one model: what to expect of another one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Population {
    /// Their middle, in ppm.
    pub mean_ppm: f64,
    /// How far they lie from it, as one standard deviation, in ppm.
    pub deviation_ppm: f64,
    /// How many tokens say so.
    pub tokens: usize,
}

/// One token's rate as its own readings tell it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Own {
    mean: f64,
    variance: f64,
}

/// Who made it, and with which others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MadeBy {
    /// The model.
    pub model: String,
    /// The batch.
    pub batch: String,
}

/// A batch whose clocks run worse than those of the same model in other batches.
#[derive(Debug, Clone, PartialEq)]
pub struct Odd {
    /// Which.
    pub made_by: MadeBy,
    /// How many of its tokens say so.
    pub tokens: usize,
    /// How far they are off on average, in ppm, either way.
    pub off_ppm: f64,
    /// How far the others are.
    pub others_ppm: f64,
}

/// Fewer tokens say nothing of others.
const FEWEST: usize = 5;
/// A token whose rate is known no better than to this deviation says nothing of others, in ppm.
const VAGUE_PPM: f64 = 8.0;
/// No model is so even.
const LEAST_DEVIATION_PPM: f64 = 0.5;
/// A batch is odd by this many standard errors…
const ODD_BY: f64 = 4.0;
/// …and by this much, in ppm.
const ODD_PPM: f64 = 2.0;

impl Own {
    /// None where the token's own readings say too little.
    pub fn of(course: &Course) -> Option<Self> {
        let Spread { mean, variance } = course.rate_spread();
        (variance < VAGUE_PPM * VAGUE_PPM).then_some(Self { mean, variance })
    }
}

impl Population {
    /// Where nothing is known of a model: what is expected of any crystal.
    pub fn unknown() -> Self {
        let any = super::series::ANY_RATE;
        Self { mean_ppm: any.mean, deviation_ppm: any.deviation(), tokens: 0 }
    }

    /// Of these tokens: a mean with random effects (DerSimonian and Laird, 1986), those far outside left out.
    pub fn of(rates: &[Own]) -> Self {
        let mut sorted: Vec<f64> = rates.iter().map(|own| own.mean).collect();
        sorted.sort_by(f64::total_cmp);
        let Some(middle) = sorted.get(sorted.len() / 2).copied().filter(|_| sorted.len() >= FEWEST) else {
            return Self::unknown();
        };
        let mut off: Vec<f64> = sorted.iter().map(|rate| (rate - middle).abs()).collect();
        off.sort_by(f64::total_cmp);
        // 1.48 times the middle distance is the deviation of a normal distribution.
        let far = 5.0 * (1.4826 * off[off.len() / 2]).max(LEAST_DEVIATION_PPM);
        let near: Vec<&Own> = rates.iter().filter(|own| (own.mean - middle).abs() <= far).collect();
        let sum = |of: &dyn Fn(&Own) -> f64| near.iter().map(|own| of(own)).sum::<f64>();
        let weight = |own: &Own| 1.0 / own.variance.max(1e-6);
        let all = sum(&weight);
        let mean = sum(&|own| weight(own) * own.mean) / all;
        let excess = sum(&|own| weight(own) * (own.mean - mean).powi(2)) - (near.len() as f64 - 1.0);
        let between = (excess / (all - sum(&|own| weight(own).powi(2)) / all)).max(0.0);
        let again = |own: &Own| 1.0 / (own.variance + between).max(1e-6);
        let mean = sum(&|own| again(own) * own.mean) / sum(&again);
        // Of few tokens neither middle nor deviation is known well.
        let n = near.len() as f64;
        let doubt = (1.0 + 1.0 / n) * (n - 1.0) / (n - 3.0).max(1.0);
        let deviation = (between * doubt + 1.0 / sum(&again)).sqrt().max(LEAST_DEVIATION_PPM);
        Self { mean_ppm: mean, deviation_ppm: deviation, tokens: near.len() }
    }

    /// What this says beyond `prior`, as a reading of the rate of its own; none where it says no more.
    pub(super) fn beyond(&self, prior: Spread) -> Option<Spread> {
        let variance = self.deviation_ppm * self.deviation_ppm;
        let precision = 1.0 / variance - 1.0 / prior.variance;
        if precision <= 1e-4 / prior.variance {
            return None;
        }
        let mean = (self.mean_ppm / variance - prior.mean / prior.variance) / precision;
        Some(Spread { mean, variance: 1.0 / precision })
    }
}

/// Batches that are worse than their peers of the same model, worst first.
pub fn odd_batches(tokens: &[(MadeBy, Own)]) -> Vec<Odd> {
    let mut models: BTreeMap<&str, BTreeMap<&MadeBy, Vec<f64>>> = BTreeMap::new();
    for (made_by, own) in tokens {
        models.entry(&made_by.model).or_default().entry(made_by).or_default().push(own.mean.abs());
    }
    let mut odd = Vec::new();
    for batches in models.values() {
        for (made_by, rates) in batches {
            let others: Vec<f64> =
                batches.iter().filter(|(other, _)| *other != made_by).flat_map(|(_, r)| r).copied().collect();
            if rates.len() < FEWEST || others.len() < FEWEST {
                continue;
            }
            let ((own, own_error), (rest, rest_error)) = (mean_and_error(rates), mean_and_error(&others));
            let apart = own - rest;
            if apart > ODD_PPM && apart > ODD_BY * own_error.hypot(rest_error) {
                odd.push(Odd {
                    made_by: (*made_by).clone(),
                    tokens: rates.len(),
                    off_ppm: own,
                    others_ppm: rest,
                });
            }
        }
    }
    odd.sort_by(|a, b| (b.off_ppm - b.others_ppm).total_cmp(&(a.off_ppm - a.others_ppm)));
    odd
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    (mean, (variance / n).sqrt().max(0.05))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spread evenly over 2·`deviation`·√3, so that their deviation is that.
    fn rates(mean: f64, deviation: f64, n: usize) -> Vec<Own> {
        let half = deviation * 3.0_f64.sqrt();
        let part = |i: usize| (i as f64 + 0.5) / n as f64 * 2.0 - 1.0;
        (0..n).map(|i| Own { mean: mean + half * part(i), variance: 0.04 }).collect()
    }

    #[test]
    fn a_models_rates_are_found_and_one_wild_token_does_no_harm() {
        let mut all = rates(-6.0, 3.0, 100);
        all.push(Own { mean: 900.0, variance: 0.01 });
        let found = Population::of(&all);
        assert!((found.mean_ppm + 6.0).abs() < 0.2 && (found.deviation_ppm - 3.0).abs() < 0.2, "{found:?}");
        assert_eq!(found.tokens, 100);
    }

    #[test]
    fn a_few_tokens_say_nothing_and_some_say_it_with_doubt() {
        assert_eq!(Population::of(&rates(3.0, 1.0, 4)), Population::unknown());
        assert!(Population::of(&rates(3.0, 1.0, 6)).deviation_ppm > 1.2);
    }

    #[test]
    fn a_batch_that_runs_worse_than_its_peers_is_named() {
        let of = |batch: &str, rates: Vec<Own>| {
            let made_by = MadeBy { model: "c301-i".into(), batch: batch.into() };
            rates.into_iter().map(move |own| (made_by.clone(), own)).collect::<Vec<_>>()
        };
        let mut all = of("spring", rates(-1.0, 2.0, 40));
        all.extend(of("summer", rates(1.0, 2.0, 40)));
        assert_eq!(odd_batches(&all), []);
        all.extend(of("autumn", rates(-14.0, 2.0, 12)));
        let odd = odd_batches(&all);
        assert_eq!((odd.len(), odd[0].made_by.batch.as_str(), odd[0].tokens), (1, "autumn", 12));
        assert!((odd[0].off_ppm - 14.0).abs() < 0.1 && odd[0].others_ppm < 3.0, "{odd:?}");
    }
}
