//! The search itself: stages in the order of how likely they are, each stating what it tried.
//!
//! A candidate is a seed, parameters, a step and a way of reading the display. A scan looks for steps whose display fits
//! the codes; a hit is then explained from the other side, by everything that leads to the same seed, hash and step
//! ([`super::sweep`]). So what the codes cannot tell apart comes out as one finding, whichever stage met it.
//!
//! Odds multiply: a second fault is as likely beside a first one as alone. That is what puts pairs after singles.

use super::{
    advice,
    candidates::{self, Choice, Group, SeedChoice, SeedLabel},
    cause::{Cause, PRIOR_NONE},
    clock::{Clocks, Reach},
    drift::Drift,
    evidence::Evidence,
    finding::{Diagnosis, Finding, Searched, Token},
    known::{Held, Known, Neighbour, Place},
    lanes::Keyed,
    reading::{Level, Readings},
    shows::Shows,
    sweep::{CHUNK, Class, Key, Member, Scan},
    windows::Windows,
};
use crate::{
    domain::{Digits, Hash, Mode, Parameters},
    remedy::{Remedy, Retry},
};
use std::collections::HashMap;
use zeroize::Zeroizing;

/// Why no search was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DiagnoseError {
    /// The profile has no seed on record, so there is nothing to compare with.
    #[error("no seed is on record for this profile")]
    NothingOnRecord,
}

impl Remedy for DiagnoseError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NothingOnRecord => {
                "check the serial and the profile's number, or import the seed; without one only kiln whose can look"
            }
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// Finds every explanation of `evidence`. `neighbours` are taken one by one, nearest first, and only as far as needed.
/// The nearest dozen stay until the search ends, the others no longer than they are tried.
pub fn diagnose(
    known: &Known<'_>,
    evidence: &Evidence,
    windows: Windows,
    neighbours: &mut dyn Iterator<Item = Neighbour>,
) -> Result<Diagnosis, DiagnoseError> {
    explain(known, evidence, windows, neighbours).map(|(diagnosis, _)| diagnosis)
}

/// The same, and for each finding, in their order, what it makes the token show.
pub fn explain(
    known: &Known<'_>,
    evidence: &Evidence,
    windows: Windows,
    neighbours: &mut dyn Iterator<Item = Neighbour>,
) -> Result<(Diagnosis, Vec<Shows>), DiagnoseError> {
    let current = known.current().ok_or(DiagnoseError::NothingOnRecord)?;
    let mut search = Search::new(known, current, evidence, windows);
    search.singles(neighbours);
    // Another token is one fault, so it comes before two; unless there are so many that pairs are found sooner.
    let few = known.inventory <= FEW_TOKENS;
    if few && !search.is_settled() {
        search.inventory(neighbours);
    }
    if !search.is_settled() {
        search.pairs();
    }
    if !few && !search.is_settled() {
        search.inventory(neighbours);
    }
    Ok(search.conclude())
}

pub(super) struct Search<'k> {
    known: &'k Known<'k>,
    current: &'k Held<'k>,
    pub(super) evidence: &'k Evidence,
    pub(super) windows: Windows,
    pub(super) clocks: Clocks,
    /// Whole seconds by which the records expect the token's clock to be ahead.
    expected_s: i64,
    /// For displays of 4 to 10 digits.
    readings: Vec<Readings>,
    seeds: Vec<SeedChoice>,
    earlier: Vec<Parameters>,
    pub(super) searched: Vec<Searched>,
    pub(super) classes: Vec<Class>,
    pub(super) by_key: HashMap<Key, usize>,
    pub(super) buffer: Zeroizing<Vec<u32>>,
    /// Other tokens that were tried, for the keys of their hits.
    others: usize,
    /// The neighbour that was taken and belongs to a later stage.
    put_back: Option<Neighbour>,
    /// The nearest neighbours, for pairs of faults.
    near: Vec<Near>,
}

/// Up to so many seeds on record the search of all of them takes a few milliseconds.
const FEW_TOKENS: u64 = 2_000;

/// How many of the nearest tokens are tried with a second fault, too.
const NEAR_KEPT: usize = 12;

/// Another token in the search.
struct Near {
    key: usize,
    seed: SeedChoice,
    expected_s: i64,
}

impl<'k> Search<'k> {
    fn new(known: &'k Known<'k>, current: &'k Held<'k>, evidence: &'k Evidence, windows: Windows) -> Self {
        let at = evidence.anchor();
        let expected_s = expected(known.drift, evidence);
        let t0 = match current.parameters.mode {
            Mode::Totp { t0, .. } => t0.0,
            Mode::Hotp { .. } => 0,
        };
        let moments: Vec<i64> = current.from.iter().map(|from| from.0).collect();
        let readings = (4..=10)
            .filter_map(|n| Digits::new(n).ok())
            .map(|digits| Readings::new(evidence.codes(), digits))
            .collect();
        Self {
            known,
            current,
            evidence,
            windows,
            clocks: Clocks::new(windows, at.0.saturating_add(expected_s), t0, &moments),
            expected_s,
            readings,
            seeds: candidates::seeds(known, current),
            earlier: candidates::earlier_parameters(known, current),
            searched: Vec::new(),
            classes: Vec::new(),
            by_key: HashMap::new(),
            buffer: Zeroizing::new(vec![0; CHUNK + 1]),
            others: 0,
            put_back: None,
            near: Vec::new(),
        }
    }

    pub(super) fn readings(&self, digits: Digits) -> &Readings {
        &self.readings[usize::from(digits.get()) - 4]
    }

    /// Opens a stage: what follows is counted to it.
    fn stage(&mut self, stage: &'static str, what: impl Into<String>) {
        self.searched.push(Searched {
            stage: stage.into(),
            what: what.into(),
            candidates: 0,
            accidental: 0.0,
        });
    }

    fn singles(&mut self, neighbours: &mut dyn Iterator<Item = Neighbour>) {
        let base = candidates::as_recorded(self.current.parameters);
        let one = std::slice::from_ref(&base);
        self.stage("as-recorded", "the code of this very moment, for displays of any length");
        self.over(Group::OnRecord, one, Reach::Expected, Level::AsShown);
        self.stage("late", "two steps later and earlier");
        self.over(Group::OnRecord, one, Reach::Late, Level::AsShown);

        self.stage("parameters", "other hashes, periods and earlier parameters, two steps to each side");
        let mut variants = candidates::hashes(base.parameters);
        variants.extend(candidates::periods(base.parameters));
        variants.extend(candidates::earlier(&self.earlier, base.parameters));
        self.over(Group::OnRecord, &variants, Reach::Near, Level::AsShown);

        let beside = span_text(self.windows.beside_s);
        let what = format!("earlier seeds of the profile and those of other profiles, {beside} to each side");
        self.stage("history", what);
        self.history(Reach::Beside, Level::AsShown);

        self.stage("drift", format!("clock errors up to {}", span_text(self.windows.drift_s)));
        self.over(Group::OnRecord, one, Reach::Drift, Level::AsShown);

        self.stage("typing", "typed or read wrongly, two steps to each side");
        self.over(Group::OnRecord, one, Reach::Near, Level::Slips);

        self.stage("seed-text", "the seed's text decoded wrongly, cut or misread, two steps to each side");
        for group in [Group::Decoded, Group::Mistyped] {
            self.over(group, one, Reach::Near, Level::AsShown);
        }

        self.stage("zone", "clocks up to 14 hours off in quarters of an hour, three steps to each side");
        self.over(Group::OnRecord, one, Reach::Zone, Level::AsShown);

        self.stage("neighbours", format!("tokens beside this one in burn order, {beside} to each side"));
        self.others(neighbours, |place| matches!(place, Place::BurnOrder(_)));

        self.stage("counter", format!("counter-based, {} counters", self.windows.counters));
        let counters = candidates::other_mode(base.parameters);
        self.over(Group::OnRecord, &counters, Reach::Beside, Level::AsShown);

        let (days, years) = (self.windows.days, self.windows.years);
        let what = format!("dates up to {days} days, 11 months and {years} years off, and other T0");
        self.stage("date", what);
        self.over(Group::OnRecord, one, Reach::Date, Level::AsShown);
        self.stage("any-time", format!("any clock error up to {}", span_text(self.windows.any_s)));
        self.over(Group::OnRecord, one, Reach::Any, Level::AsShown);
        let reset = span_text(self.windows.reset_s);
        self.stage(
            "reset",
            format!("clocks that began again in 1970, 2000, 2010 or 2020, up to {reset} ago"),
        );
        self.over(Group::OnRecord, one, Reach::Reset, Level::AsShown);
    }

    fn pairs(&mut self) {
        use Group::{Decoded, Mistyped, OnRecord};
        let recorded = self.current.parameters;
        let base = [candidates::as_recorded(recorded)];
        let mut variants = candidates::hashes(recorded);
        variants.extend(candidates::earlier(&self.earlier, recorded));
        let periods = candidates::periods(recorded);

        self.stage("two-history", "earlier seeds and other profiles with another fault besides");
        for reach in [Reach::Drift, Reach::Zone, Reach::Date] {
            self.history(reach, Level::AsShown);
        }
        self.history(Reach::Near, Level::Slips);
        self.history_with_other_parameters();

        self.stage("two-tokens", "the nearest tokens in burn order with another fault besides");
        self.near();

        self.stage("two-typing", "typed or read wrongly on a token whose clock or parameters are wrong, too");
        for reach in [Reach::Drift, Reach::Zone, Reach::Date] {
            self.over(OnRecord, &base, reach, Level::Slips);
        }
        self.over(OnRecord, &candidates::other_mode(recorded), Reach::Near, Level::Slips);
        self.over(OnRecord, &variants, Reach::Near, Level::Slips);
        self.over(OnRecord, &periods, Reach::Near, Level::Slips);

        self.stage("two-parameters", "other parameters on a token whose clock is wrong, too");
        for reach in [Reach::Drift, Reach::Zone] {
            self.over(OnRecord, &variants, reach, Level::AsShown);
            self.over(OnRecord, &periods, reach, Level::AsShown);
        }
        for choices in [&variants, &periods] {
            self.over(OnRecord, choices, Reach::Date, Level::AsShown);
        }
        self.over(OnRecord, &candidates::hashes_and_periods(recorded), Reach::Beside, Level::AsShown);
        self.stage("two-clock", "dates up to a month off on a clock in another zone");
        self.over(OnRecord, &base, Reach::DateInZone, Level::AsShown);
        self.stage("two-counter", "counter-based with other parameters");
        let counters: Vec<Choice> = candidates::hashes(recorded)
            .into_iter()
            .flat_map(|hash| {
                candidates::other_mode(hash.parameters).into_iter().map(move |mode| Choice {
                    parameters: mode.parameters,
                    causes: [hash.causes.clone(), mode.causes].concat(),
                    odds: hash.odds * mode.odds,
                })
            })
            .collect();
        self.over(OnRecord, &counters, Reach::Near, Level::AsShown);

        self.stage("two-seed-text", "a seed decoded wrongly with another fault besides");
        for group in [Decoded, Mistyped] {
            self.over(group, &variants, Reach::Near, Level::AsShown);
            self.over(group, &periods, Reach::Near, Level::AsShown);
        }
        for reach in [Reach::Drift, Reach::Zone] {
            self.over(Decoded, &base, reach, Level::AsShown);
        }
        self.over(Mistyped, &base, Reach::Drift, Level::AsShown);
        self.over(Decoded, &base, Reach::Near, Level::Slips);
        let other_mode = candidates::other_mode(recorded);
        let fewer = Windows { counters: self.windows.counters.min(100), ..self.windows };
        let wide = std::mem::replace(&mut self.windows, fewer);
        self.over(Decoded, &other_mode, Reach::Near, Level::AsShown);
        self.windows = wide;
    }

    fn inventory(&mut self, neighbours: &mut dyn Iterator<Item = Neighbour>) {
        let beside = span_text(self.windows.beside_s);
        self.stage("inventory", format!("all other tokens on record, {beside} to each side"));
        self.others(neighbours, |_| true);
    }

    /// Every seed of a group with each of the choices.
    fn over(&mut self, group: Group, choices: &[Choice], reach: Reach, level: Level) {
        let seeds = std::mem::take(&mut self.seeds);
        for (key, seed) in seeds.iter().enumerate().filter(|(_, seed)| seed.group == group) {
            for hash in Hash::ALL {
                let mut of_hash = choices.iter().filter(|choice| choice.parameters.hash == hash).peekable();
                if of_hash.peek().is_none() {
                    continue;
                }
                let keyed = Keyed::new(&seed.bytes, hash);
                for choice in of_hash {
                    let scan = Scan { seed, key, keyed: &keyed, choice, expected_s: self.expected_s, level };
                    self.scan(&scan, reach);
                }
            }
        }
        self.seeds = seeds;
    }

    /// Seeds of the record's history: each with the parameters it had, and with those of now.
    fn history(&mut self, reach: Reach, level: Level) {
        let seeds = std::mem::take(&mut self.seeds);
        for (key, seed) in seeds.iter().enumerate().filter(|(_, seed)| seed.group == Group::History) {
            let now = self.current.parameters;
            let mut choices = vec![candidates::as_recorded(seed.parameters)];
            let of_this_profile = seed.labels.iter().any(|label| label.causes == [Cause::PreviousSeed]);
            if seed.parameters != now && of_this_profile {
                // Both went back together, or the seed alone.
                choices[0].causes.push(Cause::PreviousParameters);
                choices[0].odds = 0.6;
                choices.push(Choice { parameters: now, causes: vec![], odds: 0.4 });
            }
            for choice in &choices {
                let keyed = Keyed::new(&seed.bytes, choice.parameters.hash);
                let scan = Scan { seed, key, keyed: &keyed, choice, expected_s: self.expected_s, level };
                self.scan(&scan, reach);
            }
        }
        self.seeds = seeds;
    }

    /// Seeds of the record's history with a hash or a period that was never on record.
    fn history_with_other_parameters(&mut self) {
        let seeds = std::mem::take(&mut self.seeds);
        for (key, seed) in seeds.iter().enumerate().filter(|(_, seed)| seed.group == Group::History) {
            let others = candidates::hashes(seed.parameters).into_iter();
            for choice in others.chain(candidates::periods(seed.parameters)) {
                let keyed = Keyed::new(&seed.bytes, choice.parameters.hash);
                let (expected_s, level) = (self.expected_s, Level::AsShown);
                self.scan(
                    &Scan { seed, key, keyed: &keyed, choice: &choice, expected_s, level },
                    Reach::Near,
                );
            }
        }
        self.seeds = seeds;
    }

    /// Other tokens, as long as `belongs` to the stage.
    fn others(&mut self, neighbours: &mut dyn Iterator<Item = Neighbour>, belongs: fn(Place) -> bool) {
        while let Some(neighbour) = self.put_back.take().or_else(|| neighbours.next()) {
            if !belongs(neighbour.place) {
                self.put_back = Some(neighbour);
                return;
            }
            let Neighbour { serial, profile, seed, parameters, drift, place } = neighbour;
            let token = Some((serial.clone(), profile));
            let label = |cause: Cause, share: f64, said: String| SeedLabel {
                causes: vec![cause],
                odds: cause.odds() * share,
                said,
                token: token.clone(),
                standing: None,
            };
            let labels = match place {
                Place::BurnOrder(far) => {
                    let near = far.unsigned_abs().max(1) as f64;
                    let said = format!("that of token {serial}, {}", places(far));
                    let mut labels = vec![label(Cause::OtherToken, 0.7 / 8.0 / near, said)];
                    if far.unsigned_abs() <= 3 {
                        let said = format!("that of token {serial}: the batch is shifted, {}", places(far));
                        labels.push(label(Cause::BatchShift, 0.5 / (near * 2.0 - 1.0) / 2.0, said));
                    }
                    labels
                }
                Place::Inventory => {
                    let share = 0.3 / self.known.inventory.max(1) as f64;
                    vec![label(Cause::OtherToken, share, format!("that of token {serial}"))]
                }
            };
            let bytes = Zeroizing::new(seed.expose().to_vec());
            let seed = SeedChoice { bytes, labels, parameters, group: Group::History };
            self.others += 1;
            let key = self.seeds.len() + self.others;
            let expected_s = expected(drift, self.evidence);
            let other = Near { key, seed, expected_s };
            self.other(&other, &candidates::as_recorded(parameters), Reach::Beside, Level::AsShown);
            if matches!(place, Place::BurnOrder(_)) && self.near.len() < NEAR_KEPT {
                self.near.push(other);
            }
        }
    }

    fn other(&mut self, other: &Near, choice: &Choice, reach: Reach, level: Level) {
        let Near { key, seed, expected_s } = other;
        let keyed = Keyed::new(&seed.bytes, choice.parameters.hash);
        self.scan(&Scan { seed, key: *key, keyed: &keyed, choice, expected_s: *expected_s, level }, reach);
    }

    /// The nearest tokens with another fault besides.
    fn near(&mut self) {
        let near = std::mem::take(&mut self.near);
        for other in &near {
            let recorded = other.seed.parameters;
            let base = candidates::as_recorded(recorded);
            for reach in [Reach::Drift, Reach::Zone, Reach::Date] {
                self.other(other, &base, reach, Level::AsShown);
            }
            self.other(other, &base, Reach::Near, Level::Slips);
            for choice in candidates::hashes(recorded).into_iter().chain(candidates::periods(recorded)) {
                self.other(other, &choice, Reach::Near, Level::AsShown);
            }
        }
        self.near = near;
    }

    /// Codes from nowhere, in the currency of priors.
    fn weight_of_none(&self) -> f64 {
        PRIOR_NONE * self.readings(self.current.parameters.digits).chance_of_all()
    }

    /// Accidental hits to be expected up to the end of a stage.
    fn accidental(&self, stage: usize) -> f64 {
        self.searched[..=stage].iter().map(|searched| searched.accidental).sum()
    }

    /// Whether what comes later could not change the answer.
    fn is_settled(&self) -> bool {
        let sum: f64 = self.classes.iter().map(Class::prior).sum::<f64>() + self.weight_of_none();
        self.classes
            .iter()
            .any(|class| class.prior() / sum >= 0.99 && self.accidental(class.stage) <= Diagnosis::ASK_ABOVE)
    }

    fn conclude(mut self) -> (Diagnosis, Vec<Shows>) {
        let none = self.weight_of_none();
        let mut classes = std::mem::take(&mut self.classes);
        classes.sort_by(|a, b| b.prior().total_cmp(&a.prior()));
        let sum: f64 = classes.iter().map(Class::prior).sum::<f64>() + none;
        let findings: Vec<Finding> = classes
            .iter_mut()
            .map(|class| {
                let posterior = class.prior() / sum;
                self.finding(class, posterior)
            })
            .collect();
        let why_ask = advice::why_ask(&findings, self.evidence.codes().len());
        let also_affected =
            findings.first().map_or_else(Vec::new, |first| self.known.affected(&first.causes));
        let stated: f64 = findings.iter().map(|finding| finding.posterior).sum();
        let shows = findings.iter().zip(classes);
        let shows = shows.map(|(finding, class)| Shows::found(class.seed, finding, class.last)).collect();
        let diagnosis = Diagnosis {
            ask_another_code: why_ask.is_some(),
            why_ask,
            none_of_these: (1.0 - stated).max(0.0),
            searched: self.searched,
            also_affected,
            findings,
            subject: Some(self.known.subject(self.current, self.evidence.codes().len())),
            withheld: 0,
        };
        (diagnosis, shows)
    }

    fn finding(&self, class: &mut Class, posterior: f64) -> Finding {
        class.members.sort_by(|a, b| b.prior.total_cmp(&a.prior));
        let prior = class.prior();
        let first = &class.members[0];
        let mut equivalent: Vec<Cause> = Vec::new();
        // What takes more faults to come to the same is worth a word only where it is not far-fetched.
        let worth = |member: &&Member| {
            member.causes.len() <= first.causes.len() || member.prior >= 0.01 * first.prior
        };
        for cause in class.members[1..].iter().filter(worth).flat_map(|member| &member.causes) {
            if !first.causes.contains(cause) && !equivalent.contains(cause) {
                equivalent.push(*cause);
            }
        }
        let accidental = self.accidental(class.stage);
        let most =
            if accidental > Diagnosis::NEAR_CERTAIN_BELOW { Diagnosis::LESS_THAN_CERTAIN } else { 1.0 };
        let stage = &self.searched[class.stage];
        Finding {
            causes: first.causes.clone(),
            tie_break: advice::tie_break(&first.causes, &equivalent),
            equivalent,
            posterior: posterior.min(most),
            prior,
            accidental,
            candidates: self.searched[..=class.stage].iter().map(|searched| searched.candidates).sum(),
            chance: stage.accidental / (stage.candidates.max(1)) as f64,
            stage: stage.stage.clone(),
            parameters: first.parameters,
            offset: first.offset,
            token: first.seed.token.clone().map(|(serial, profile)| Token { serial, profile }),
            what: advice::what(first),
            remedy: advice::remedy(first, self.known),
        }
    }
}

/// Whole seconds by which a clock is expected to be ahead when the codes were read.
fn expected(drift: Option<Drift>, evidence: &Evidence) -> i64 {
    drift.map_or(0.0, |drift| drift.seconds_at(evidence.anchor())).round() as i64
}

/// A duration as people say it.
fn span_text(seconds: u32) -> String {
    match seconds {
        s if s >= 172_800 && s % 86_400 == 0 => format!("{} days", s / 86_400),
        s if s >= 7_200 && s % 3_600 == 0 => format!("{} hours", s / 3_600),
        s if s % 60 == 0 => format!("{} minutes", s / 60),
        s => format!("{s} seconds"),
    }
}

fn places(far: i64) -> String {
    let n = far.unsigned_abs();
    let places = if n == 1 { "place" } else { "places" };
    format!("{n} {places} {} it in burn order", if far < 0 { "before" } else { "after" })
}
