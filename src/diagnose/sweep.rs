//! One scan of the search: over the steps of one seed with one set of parameters, and from each hit back to everything
//! that leads to it.

use super::{
    candidates::{Choice, SeedChoice, SeedLabel},
    cause::{BESIDE, Cause},
    clock::{ClockLabel, Reach, Reason},
    finding::Offset,
    lanes::Keyed,
    reading::{Kind, Level},
    search::Search,
};
use crate::domain::{Digits, Hash, Mode, Parameters};
use zeroize::Zeroizing;

/// Codes evaluated in one go; enough to keep the lanes busy, little enough for the nearest cache.
pub(super) const CHUNK: usize = 1_024;

/// Explanations with one key calculate the same codes.
#[derive(PartialEq, Eq, Hash, Clone)]
pub(super) struct Key {
    seed: usize,
    hash: Hash,
    step: u64,
    after: Vec<u64>,
}

/// Explanations that calculate the same codes.
pub(super) struct Class {
    pub(super) members: Vec<Member>,
    /// The stage that met it first.
    pub(super) stage: usize,
    /// The seed that calculates the codes.
    pub(super) seed: Zeroizing<Vec<u8>>,
    /// Steps from the first code to the last.
    pub(super) last: u64,
}

/// One explanation.
pub(super) struct Member {
    pub(super) causes: Vec<Cause>,
    pub(super) prior: f64,
    pub(super) parameters: Parameters,
    pub(super) offset: Option<Offset>,
    pub(super) seed: SeedLabel,
    pub(super) reason: Reason,
    pub(super) slips: Vec<(usize, Kind)>,
}

/// What one scan goes over.
pub(super) struct Scan<'s> {
    pub(super) seed: &'s SeedChoice,
    /// Tells the seed from all others of this search.
    pub(super) key: usize,
    pub(super) keyed: &'s Keyed,
    pub(super) choice: &'s Choice,
    /// Whole seconds by which this token's clock is expected to be ahead.
    pub(super) expected_s: i64,
    pub(super) level: Level,
}

impl Search<'_> {
    /// Goes over the steps that `reach` names, for every way in which the codes can lie.
    pub(super) fn scan(&mut self, scan: &Scan<'_>, reach: Reach) {
        match scan.choice.parameters.mode {
            Mode::Totp { period, t0 } => {
                let period_s = i64::from(period.as_secs());
                let spans = self.clocks.spans(reach, period_s);
                for layout in self.evidence.layouts(period_s, t0.0, scan.expected_s) {
                    for (from, to) in &spans {
                        let last = layout.first.saturating_add(*to);
                        let first = layout.first.saturating_add(*from).max(0);
                        if let (Ok(first), Ok(last)) = (u64::try_from(first), u64::try_from(last)) {
                            self.sweep(scan, &layout.after, first, last, Some(layout.first));
                        }
                    }
                }
            }
            Mode::Hotp { counter } => {
                let far = u64::from(self.windows.counters);
                let (first, last) = match reach {
                    Reach::Expected => (counter, counter),
                    Reach::Late | Reach::Near | Reach::Beside => {
                        (counter.saturating_sub(far), counter.saturating_add(far))
                    }
                    // A counter has no clock that could be wrong.
                    Reach::Drift
                    | Reach::Zone
                    | Reach::Date
                    | Reach::DateInZone
                    | Reach::Reset
                    | Reach::Any => return,
                };
                let after: Vec<u64> = (0..self.evidence.codes().len() as u64).collect();
                self.sweep(scan, &after, first, last, None);
            }
        }
    }

    /// The innermost loop: steps from `first` to `last`, both included. `expected`: the step of a clock without error.
    fn sweep(&mut self, scan: &Scan<'_>, after: &[u64], first: u64, last: u64, expected: Option<i64>) {
        if last < first {
            return;
        }
        let steps = last - first + 1;
        let (tried, chance) = self.readings(scan.choice.parameters.digits).breadth(scan.level);
        if let Some(stage) = self.searched.last_mut() {
            stage.candidates = stage.candidates.saturating_add((steps as f64 * tried) as u64);
            stage.accidental += steps as f64 * chance;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut hits: Vec<u64> = Vec::new();
        let readings = self.readings(scan.choice.parameters.digits);
        let mut start = first;
        let mut left = steps;
        while left > 0 {
            let n = left.min(CHUNK as u64) as usize;
            // One more, since a display that changed while it was read shows two.
            scan.keyed.fill(start, &mut buffer[..=n]);
            let rest_fits = |step: u64| {
                (1..after.len()).all(|i| {
                    let here = step.wrapping_add(after[i]);
                    let next = || scan.keyed.one(here.wrapping_add(1));
                    readings.fits(scan.level, i, scan.keyed.one(here), next)
                })
            };
            match (scan.level, readings.first_as_shown()) {
                (Level::AsShown, None) => {}
                (Level::AsShown, Some((modulus, value))) => {
                    for (i, shown) in (0u64..).zip(&buffer[..n]) {
                        if u64::from(shown % modulus) == value && rest_fits(start + i) {
                            hits.push(start + i);
                        }
                    }
                }
                (Level::Slips, _) => {
                    for (i, pair) in (0u64..).zip(buffer[..=n].windows(2)) {
                        if readings.fits(scan.level, 0, pair[0], || pair[1]) && rest_fits(start + i) {
                            hits.push(start + i);
                        }
                    }
                }
            }
            start = start.wrapping_add(n as u64);
            left -= n as u64;
        }
        self.buffer = buffer;
        for step in hits {
            self.hit(scan, after, step, expected);
        }
    }

    /// Explains one hit by all that leads to it.
    fn hit(&mut self, scan: &Scan<'_>, after: &[u64], step: u64, expected: Option<i64>) {
        let parameters = scan.choice.parameters;
        let displays: Vec<(u32, u32)> = after
            .iter()
            .map(|after| step.wrapping_add(*after))
            .map(|step| (scan.keyed.one(step), scan.keyed.one(step.wrapping_add(1))))
            .collect();
        let readings = self.readings(parameters.digits).explain(&displays);
        let (clock_labels, offset, mode) = match (parameters.mode, expected) {
            (Mode::Totp { period, .. }, Some(expected)) => {
                let period_s = i64::from(period.as_secs());
                let off = step as i64 - expected;
                let from_expected = scan.expected_s.div_euclid(period_s);
                let steps = off + from_expected;
                let seconds = off.saturating_mul(period_s).saturating_add(scan.expected_s);
                let offset = Offset { steps, seconds };
                (self.clocks.explain(off, period_s), Some(offset), parameters.mode)
            }
            _ => (vec![self.counter_label(scan, step)], None, Mode::Hotp { counter: step }),
        };
        let mut members = Vec::new();
        for seed in &scan.seed.labels {
            for clock in &clock_labels {
                for reading in &readings {
                    let mut causes: Vec<Cause> = Vec::new();
                    let parts = [&seed.causes, &scan.choice.causes, &clock.causes, &reading.causes];
                    for cause in parts.into_iter().flatten() {
                        if !causes.contains(cause) {
                            causes.push(*cause);
                        }
                    }
                    if causes.is_empty() {
                        causes.push(Cause::Ok);
                    }
                    let beside = BESIDE.powi(causes.len() as i32 - 1);
                    let odds = seed.odds * scan.choice.odds * clock.odds * reading.odds * beside;
                    let digits = Digits::new(reading.digits.into()).unwrap_or(parameters.digits);
                    members.push(Member {
                        causes,
                        prior: Cause::Ok.prior() * odds,
                        parameters: Parameters { digits, mode, ..parameters },
                        offset,
                        seed: seed.clone(),
                        reason: clock.reason,
                        slips: reading.slips.clone(),
                    });
                }
            }
        }
        let key = Key { seed: scan.key, hash: parameters.hash, step, after: after.to_vec() };
        let stage = self.searched.len() - 1;
        let classes = &mut self.classes;
        let index = *self.by_key.entry(key).or_insert_with(|| {
            let (seed, last) = (scan.seed.bytes.clone(), after.last().copied().unwrap_or(0));
            classes.push(Class { members: Vec::new(), stage, seed, last });
            classes.len() - 1
        });
        members.into_iter().for_each(|member| self.classes[index].add(member));
    }

    /// A counter instead of a time: low counters are likelier, and for a recorded counter those soon after it.
    fn counter_label(&self, scan: &Scan<'_>, step: u64) -> ClockLabel {
        let far = f64::from(self.windows.counters.max(1));
        let falling = |distance: u64| 0.5 / far + 0.5 / ((distance + 1) as f64 * (far.ln() + 0.58));
        let label = |causes: Vec<Cause>, odds| ClockLabel { causes, odds, reason: Reason::Plain };
        match (scan.seed.parameters.mode, scan.choice.parameters.mode) {
            (Mode::Hotp { counter }, Mode::Hotp { .. }) if step == counter => label(vec![], 1.0),
            (Mode::Hotp { counter }, Mode::Hotp { .. }) => {
                let side = if step > counter { 0.9 } else { 0.1 };
                label(vec![Cause::Hotp], Cause::Hotp.odds() * side * falling(step.abs_diff(counter)))
            }
            _ => label(vec![Cause::Hotp], Cause::Hotp.odds() * falling(step)),
        }
    }
}

impl Class {
    /// How likely all of it is, before the codes are looked at.
    pub(super) fn prior(&self) -> f64 {
        self.members.iter().map(|member| member.prior).sum()
    }

    /// The same causes with the same parameters are the same explanation, met again.
    fn add(&mut self, member: Member) {
        let same = |other: &&mut Member| {
            other.causes == member.causes
                && other.parameters == member.parameters
                && other.reason == member.reason
        };
        match self.members.iter_mut().find(same) {
            Some(known) if known.prior < member.prior => *known = member,
            Some(_) => {}
            None => self.members.push(member),
        }
    }
}
