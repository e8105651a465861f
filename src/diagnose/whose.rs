//! Which token of the inventory shows these codes.
//!
//! The inventory may be large and comes decrypted one seed at a time, so nothing is kept but what matches. Calls on
//! parts of it may run on as many cores as there are: [`Shard`]s add up.

use super::{
    cause::Cause,
    drift::Drift,
    evidence::Evidence,
    finding::{Diagnosis, Offset, Token},
    lanes::Keyed,
    reading::{Level, Readings},
};
use crate::domain::{Digits, Mode, Parameters, Profile, Seed, Serial};
use serde::{Deserialize, Serialize};

/// What is looked for, and how far. Shared by all cores.
pub struct Whose<'e> {
    evidence: &'e Evidence,
    /// Seconds of clock error to each side of what is on record.
    within_s: u32,
    /// HOTP counters after the recorded one.
    counters: u32,
    /// For displays of 4 to 10 digits.
    readings: Vec<Readings>,
}

/// One seed of the inventory.
pub struct Candidate {
    /// The token.
    pub serial: Serial,
    /// Which of its profiles.
    pub profile: Profile,
    /// The seed; wiped as soon as it was tried.
    pub seed: Seed,
    /// Its parameters.
    pub parameters: Parameters,
    /// What is known of the token's clock.
    pub drift: Option<Drift>,
}

/// What part of an inventory gave.
#[derive(Debug, Default)]
pub struct Shard {
    matches: Vec<Match>,
    tokens: u64,
    candidates: u64,
    accidental: f64,
    unreadable: u64,
}

/// A token that shows, showed or will show the codes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// Whose.
    pub token: Token,
    /// Its parameters; for HOTP with the counter of the first code.
    pub parameters: Parameters,
    /// Against what is on record of its clock; `None` for HOTP.
    pub offset: Option<Offset>,
    /// How likely it is this one, given that it is one of the inventory or none.
    pub posterior: f64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Owners {
    /// Every token that matches, the likeliest first.
    pub matches: Vec<Match>,
    /// Whether another code is needed.
    pub ask_another_code: bool,
    /// Seeds that were tried.
    pub tokens: u64,
    /// Seeds and steps that were tried.
    pub candidates: u64,
    /// Accidental matches to be expected.
    pub accidental: f64,
    /// Seeds on record that could not be read, and so were not tried.
    #[serde(default)]
    pub unreadable: u64,
    /// Matches that are kept from the one who asked; see [`Owners::for_help_desk`].
    #[serde(default)]
    pub withheld: usize,
}

impl<'e> Whose<'e> {
    /// Looks for these codes, `within_s` seconds to each side of each token's recorded clock.
    pub fn new(evidence: &'e Evidence, within_s: u32, counters: u32) -> Self {
        let readings = (4..=10)
            .filter_map(|n| Digits::new(n).ok())
            .map(|digits| Readings::new(evidence.codes(), digits))
            .collect();
        Self { evidence, within_s, counters, readings }
    }

    /// Tries part of the inventory. Pure, and keeps nothing but matches: call it on any core with any part.
    pub fn search(&self, part: impl IntoIterator<Item = Candidate>) -> Shard {
        let mut shard = Shard::default();
        let mut buffer = vec![0; 256];
        for candidate in part {
            shard.tokens += 1;
            self.try_one(&candidate, &mut buffer, &mut shard);
        }
        shard
    }

    fn try_one(&self, candidate: &Candidate, buffer: &mut [u32], shard: &mut Shard) {
        let parameters = candidate.parameters;
        let readings = &self.readings[usize::from(parameters.digits.get()) - 4];
        // A display of another length is another token's.
        let length = usize::from(parameters.digits.get());
        if self.evidence.codes().iter().any(|code| code.as_str().len() != length) {
            return;
        }
        let Some((modulus, value)) = readings.first_as_shown() else { return };
        let keyed = Keyed::new(candidate.seed.expose(), parameters.hash);
        let mut spans: Vec<(u64, u64, Vec<u64>, Option<i64>)> = Vec::new();
        let mut drift_s = 0;
        match parameters.mode {
            Mode::Totp { period, t0 } => {
                let period_s = i64::from(period.as_secs());
                let drift = candidate.drift.map_or(0.0, |drift| drift.seconds_at(self.evidence.anchor()));
                drift_s = drift.round() as i64;
                let far = i64::from(self.within_s.div_ceil(period.as_secs()));
                for layout in self.evidence.layouts(period_s, t0.0, drift_s) {
                    let (from, to) = ((layout.first - far).max(0), layout.first + far);
                    if let (Ok(from), Ok(to)) = (u64::try_from(from), u64::try_from(to)) {
                        spans.push((from, to, layout.after, Some(layout.first)));
                    }
                }
            }
            Mode::Hotp { counter } => {
                let after = (0..self.evidence.codes().len() as u64).collect();
                spans.push((counter, counter.saturating_add(self.counters.into()), after, None));
            }
        }
        let chance = readings.breadth(Level::AsShown).1;
        for (from, to, after, expected) in spans {
            let steps = to - from + 1;
            shard.candidates += steps;
            shard.accidental += steps as f64 * chance;
            let mut start = from;
            while start <= to {
                let n = (to - start + 1).min(buffer.len() as u64) as usize;
                keyed.fill(start, &mut buffer[..n]);
                for (step, shown) in (start..).zip(&buffer[..n]) {
                    let fits = u64::from(shown % modulus) == value
                        && (1..after.len()).all(|i| {
                            let value = keyed.one(step.wrapping_add(after[i]));
                            readings.fits(Level::AsShown, i, value, || 0)
                        });
                    if fits {
                        shard.matches.push(found(candidate, step, expected, drift_s));
                    }
                }
                start += n as u64;
            }
        }
    }
}

fn found(candidate: &Candidate, step: u64, expected: Option<i64>, drift_s: i64) -> Match {
    let mut parameters = candidate.parameters;
    let token = Token { serial: candidate.serial.clone(), profile: candidate.profile };
    let offset = match (&mut parameters.mode, expected) {
        (Mode::Totp { period, .. }, Some(expected)) => {
            let steps = step as i64 - expected;
            Some(Offset { steps, seconds: steps * i64::from(period.as_secs()) + drift_s })
        }
        (Mode::Hotp { counter }, _) => {
            *counter = step;
            None
        }
        (Mode::Totp { .. }, None) => None,
    };
    // Weighed against the others later: near is likelier than far.
    let far = offset.map_or(0, |offset| offset.steps.unsigned_abs());
    Match { token, parameters, offset, posterior: 1.0 / (1.0 + far as f64) }
}

impl Shard {
    /// What both parts gave together.
    pub fn and(mut self, other: Self) -> Self {
        self.matches.extend(other.matches);
        self.tokens += other.tokens;
        self.candidates += other.candidates;
        self.accidental += other.accidental;
        self.unreadable += other.unreadable;
        self
    }

    /// The same part, with so many seeds that could not be read.
    pub fn without(mut self, unreadable: u64) -> Self {
        self.unreadable += unreadable;
        self
    }

    /// The answer of the whole inventory.
    pub fn conclude(self) -> Owners {
        let Self { mut matches, tokens, candidates, accidental, unreadable } = self;
        // The code is one of these tokens' in most cases; its prior is spread as its clock is.
        let spread = (candidates as f64 / tokens.max(1) as f64 / 2.0).max(1.0).ln() * 2.0 + 1.0;
        let prior = (1.0 - Cause::OtherToken.prior()) / tokens.max(1) as f64 / spread;
        let chance = if candidates == 0 { 0.0 } else { accidental / candidates as f64 };
        let nothing = Cause::OtherToken.prior() * chance;
        let sum: f64 = matches.iter().map(|one| one.posterior * prior).sum::<f64>() + nothing;
        matches.iter_mut().for_each(|one| one.posterior = one.posterior * prior / sum);
        matches.sort_by(|a, b| b.posterior.total_cmp(&a.posterior));
        let ask_another_code = accidental > Diagnosis::ASK_ABOVE || matches.len() > 1;
        Owners { matches, ask_another_code, tokens, candidates, accidental, unreadable, withheld: 0 }
    }
}

impl Owners {
    /// What may be told to people who may look on but not act: whose the codes are, once that is no accident. In a large
    /// inventory any number that is typed is the code of some token in the coming minutes.
    pub fn for_help_desk(mut self) -> Self {
        if self.accidental > Diagnosis::NEAR_CERTAIN_BELOW && !self.matches.is_empty() {
            self.withheld = self.matches.len();
            self.matches = Vec::new();
            self.ask_another_code = true;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnose::evidence::Read,
        domain::{Code, Hash, StepCount, UnixTime, otp},
    };

    const AT: i64 = 1_772_625_600;

    fn inventory(n: u32) -> impl Iterator<Item = Candidate> {
        (0..n).map(|i| Candidate {
            serial: format!("{i:08}").parse().unwrap(),
            profile: Profile::ZERO,
            seed: seed(i),
            parameters: Parameters::standard(),
            drift: None,
        })
    }

    fn seed(i: u32) -> Seed {
        Seed::new(
            (0..20u32)
                .map(|k| (i.wrapping_mul(2_654_435_761) >> (k % 24)) as u8 ^ k as u8)
                .collect::<Vec<_>>(),
        )
    }

    fn codes(of: u32, step: u64, n: u64) -> Vec<Code> {
        let code = |i| otp::code(&seed(of), Hash::Sha1, Digits::SIX, StepCount(step + i));
        (0..n).map(code).collect()
    }

    #[test]
    fn the_token_is_found_with_its_drift_whatever_the_parts() {
        let now = (AT / 30) as u64;
        let evidence = Evidence::new(codes(123, now + 7, 2), Read::First(UnixTime(AT))).unwrap();
        let whose = Whose::new(&evidence, 600, 10);
        let whole = whose.search(inventory(300)).conclude();
        assert_eq!(whole.matches.len(), 1);
        assert_eq!(whole.matches[0].token.serial.as_str(), "00000123");
        assert_eq!(whole.matches[0].offset, Some(Offset { steps: 7, seconds: 210 }));
        assert!(whole.matches[0].posterior > 0.99 && !whole.ask_another_code);
        let parts = whose.search(inventory(300).skip(150)).and(whose.search(inventory(150))).conclude();
        assert_eq!(parts, whole);
        let narrow = Whose::new(&evidence, 150, 10).search(inventory(300)).conclude();
        assert_eq!(narrow.matches, []);
    }

    #[test]
    fn one_code_is_not_enough_for_a_large_inventory() {
        let evidence = Evidence::new(codes(7, (AT / 30) as u64, 1), Read::Last(UnixTime(AT))).unwrap();
        let few = Whose::new(&evidence, 30, 10).search(inventory(100)).conclude();
        assert!(!few.ask_another_code, "{few:?}");
        let many = Whose::new(&evidence, 600, 10).search(inventory(100)).conclude();
        assert!(many.ask_another_code && many.accidental > 1e-3, "{many:?}");
    }

    #[test]
    fn a_known_drift_moves_the_window() {
        let drift = Drift { seconds: -3_000.0, ..Drift::unmeasured(UnixTime(AT)) };
        let evidence = Evidence::new(codes(5, (AT / 30 - 100) as u64, 2), Read::First(UnixTime(AT))).unwrap();
        let part = inventory(10).map(|candidate| Candidate { drift: Some(drift), ..candidate });
        let owners = Whose::new(&evidence, 60, 10).search(part).conclude();
        assert_eq!(owners.matches[0].offset, Some(Offset { steps: 0, seconds: -3_000 }));
    }
}
