//! The clocks of all tokens, as they run and will run. A hundred thousand fits take seconds, so they are kept, small, and
//! only tokens of which something changed are looked at again; a page's details are reckoned when it is asked for. All of
//! it on the threads that answer, none of it where slots wait.

use crate::{
    domain::{Catalog, ClockState, DriftSeconds, Mode, Serial, UnixMillis},
    face::{
        ClockCourse, ClockEvent, DriftFilter, DriftLine, DriftReport, Failure, FitPoint, Fleet, ModelRate,
        OddBatch, Page, Ranged, RateBin, RateBy,
    },
    forecast::{
        self, Advice, Check, Course, Estimate, Event, Happened, Known, MadeBy, Own, Population, Rate,
        Reading, Setting,
    },
    store::{
        Store, StoreError,
        drift::{ClockHistory, ClockMark, Purpose},
    },
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// So many clocks are read from the records at a time.
const PIECE: usize = 500;
/// So many tokens say what to expect of their models before all are looked at.
const SAMPLE: usize = 2_000;
/// So far ahead a token is worth telling, in milliseconds: half a year.
const SOON_MS: i64 = 183 * 86_400_000;
/// The histogram: so many columns of so many ppm, its middle at zero.
const COLUMNS: i32 = 16;
const COLUMN_PPM: i32 = 5;
/// Points of a plotted fit.
const POINTS: i64 = 48;

/// What is kept of all clocks.
#[derive(Default)]
pub struct Clocks {
    reckoned: Mutex<Reckoned>,
    /// What is expected of each model, as known when clocks were last asked about: who asks for one token need not wait
    /// for those of all.
    populations: Mutex<Populations>,
}

type Populations = Arc<BTreeMap<String, Population>>;

#[derive(Default)]
struct Reckoned {
    mark: ClockMark,
    tokens: BTreeMap<Serial, Kept>,
    populations: Populations,
    odd: Vec<forecast::Odd>,
}

/// What is kept of one clock: enough to find it, to sort it and to compare it with others.
#[derive(Debug, Clone)]
struct Kept {
    model: Option<String>,
    batch: Option<String>,
    /// All that a word can be found in, in lower case.
    words: String,
    own: Option<Own>,
    ppm: f64,
    /// When it is likely to fail; a moment that has passed: it is out.
    fails: Option<UnixMillis>,
    /// Whether anybody checks its codes.
    checked: bool,
}

/// A token's history as the fit takes it, and what it is held against.
struct Told<'a> {
    readings: Vec<Reading>,
    settings: Vec<Setting>,
    /// The profile whose window is the narrowest, and its server; none where no codes go by the clock.
    strictest: Option<(&'a Purpose, Check<'a>)>,
}

impl<'a> Told<'a> {
    /// None where the device has no clock, or is dead.
    fn new(catalog: &'a Catalog, history: &'a ClockHistory) -> Option<Self> {
        let driver = history.model.as_deref().and_then(|name| catalog.model(name)).map(|model| model.driver);
        if history.scrapped || driver.is_some_and(|driver| !driver.has_clock()) {
            return None;
        }
        let checks = history.purposes.iter().filter_map(|purpose| {
            let Mode::Totp { period, .. } = purpose.parameters.mode else { return None };
            let target = purpose.target.as_deref().and_then(|name| catalog.target(name));
            Some((purpose, Check { target, period_s: period.as_secs() }))
        });
        // One that does not follow is the stricter of two.
        let strictest = checks.min_by_key(|(_, check)| (check.learns(), check.limit_s()));
        let readings =
            history.readings.iter().map(|record| reading(record.at, &record.reading, record.clock));
        let settings = history.settings.iter().map(|set| Setting { at: set.at, by: set.by });
        Some(Self { readings: readings.collect(), settings: settings.collect(), strictest })
    }

    fn course(&self) -> Course {
        Course::new(&Known { readings: &self.readings, settings: &self.settings })
    }
}

/// What the station's clock was worth widens what it measured.
fn reading(at: UnixMillis, read: &crate::store::NewReading, clock: ClockState) -> Reading {
    let station_ms = match clock {
        ClockState::Synchronised { max_error_ms } | ClockState::Unsynchronised { max_error_ms } => {
            max_error_ms
        }
        ClockState::Stepped { by_ms } => by_ms.unsigned_abs(),
        ClockState::Simulated => 0,
    };
    let seconds = |ms: u64| super::views::drift(i64::try_from(ms).unwrap_or(i64::MAX)).0;
    let DriftSeconds(drift_s) = super::views::drift(read.drift_ms);
    Reading {
        at,
        drift_s,
        within_s: seconds(read.uncertainty_ms).hypot(seconds(station_ms)),
        kind: read.kind,
    }
}

/// Whether lists show when a token fails. One that its server follows fails only where something put it out; of one whose
/// rate nothing tells, only that it was out when it was read.
fn can_fail(course: &Course, check: &Check<'_>, by: RateBy, now: UnixMillis) -> bool {
    let out = |at| course.outside(at, f64::from(check.limit_s())).is_some_and(|share| share >= 0.5);
    match (by, check.learns()) {
        (_, true) => course.trouble().is_some() && out(now),
        (RateBy::Nothing, false) => course.last_read.is_some_and(out),
        (RateBy::Own | RateBy::Model, false) => true,
    }
}

/// From what the rate is known.
fn rate_by(own: &Course, population: &Population) -> RateBy {
    match (Own::of(own).is_some(), population.tokens) {
        (true, _) => RateBy::Own,
        (false, 0) => RateBy::Nothing,
        (false, _) => RateBy::Model,
    }
}

impl Clocks {
    /// A page of the clocks that pass `filter`, by the date on which they are likely to fail.
    pub fn report(
        &self,
        store: &Store,
        catalog: &Catalog,
        now: UnixMillis,
        filter: &DriftFilter,
        page: Page,
    ) -> Result<DriftReport, Failure> {
        let mut reckoned = self.reckoned.lock().unwrap_or_else(PoisonError::into_inner);
        reckoned.catch_up(store, catalog, now)?;
        *self.populations.lock().unwrap_or_else(PoisonError::into_inner) = reckoned.populations.clone();
        let words: Vec<String> = filter.words.split_whitespace().map(str::to_lowercase).collect();
        let passes = |kept: &Kept| {
            kept.checked
                && words.iter().all(|word| kept.words.contains(word.as_str()))
                && filter.batch.as_ref().is_none_or(|batch| kept.batch.as_ref() == Some(batch))
                && filter.before.is_none_or(|before| kept.fails.is_some_and(|fails| fails < before))
        };
        let mut found: Vec<(&Serial, &Kept)> =
            reckoned.tokens.iter().filter(|(_, kept)| passes(kept)).collect();
        found.sort_by_key(|(serial, kept)| (kept.fails.is_none(), kept.fails, *serial));
        let fleet = reckoned.fleet(&found, now);
        let shown: Vec<&Serial> = found
            .iter()
            .skip(page.offset as usize)
            .take(page.limit as usize)
            .map(|(serial, _)| *serial)
            .collect();
        let total = found.len() as u64;
        let histories = store.clock_histories(shown)?;
        let items = histories.iter().filter_map(|history| {
            let told = Told::new(catalog, history)?;
            Some(line(&reckoned.populations, history, &told, now)?.0)
        });
        Ok(DriftReport { at: now, total, items: items.collect(), fleet })
    }

    /// One token's clock with all that a plot needs; none where it has no clock, or nobody checks its codes. What is
    /// expected of its model is as known when clocks were last asked about.
    pub fn one(
        &self,
        store: &Store,
        catalog: &Catalog,
        now: UnixMillis,
        serial: &Serial,
    ) -> Result<Option<ClockCourse>, Failure> {
        let histories = store.clock_histories([serial])?;
        let Some(history) = histories.first() else { return Ok(None) };
        let Some(told) = Told::new(catalog, history) else { return Ok(None) };
        let populations = self.populations.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((line, course)) = line(&populations, history, &told, now) else { return Ok(None) };
        let events = course.events.iter().map(event).collect();
        Ok(Some(ClockCourse { fit: fit(&line, &course, now), events, line }))
    }
}

impl Reckoned {
    /// Looks again at what changed since the last time: the first time at all.
    fn catch_up(&mut self, store: &Store, catalog: &Catalog, now: UnixMillis) -> Result<(), StoreError> {
        let (changed, mark) = store.clock_changes(self.mark)?;
        if changed.is_empty() {
            return Ok(());
        }
        let changed: Vec<Serial> = changed.into_iter().collect();
        if self.populations.is_empty() && changed.len() > SAMPLE {
            // What the models are like, from some: so that nearly none has to be looked at twice.
            let some: Vec<Serial> = changed.iter().step_by(changed.len().div_ceil(SAMPLE)).cloned().collect();
            self.look(store, catalog, &some, now)?;
            self.compare();
        }
        self.look(store, catalog, &changed, now)?;
        let moved = self.compare();
        let again: Vec<Serial> = self
            .tokens
            .iter()
            .filter(|(_, kept)| kept.model.as_ref().is_some_and(|model| moved.contains(model)))
            .map(|(serial, _)| serial.clone())
            .collect();
        self.look(store, catalog, &again, now)?;
        self.mark = mark;
        Ok(())
    }

    /// Cores take pieces as they come to them.
    fn look(
        &mut self,
        store: &Store,
        catalog: &Catalog,
        serials: &[Serial],
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let (pieces, next): (Vec<&[Serial]>, _) = (serials.chunks(PIECE).collect(), AtomicUsize::new(0));
        let populations = self.populations.clone();
        let work = || -> Result<Vec<(Serial, Option<Kept>)>, StoreError> {
            let mut done = Vec::new();
            while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                let histories = store.clock_histories(*piece)?;
                done.extend(histories.iter().map(|history| {
                    let told = Told::new(catalog, history);
                    (history.serial.clone(), told.map(|told| keep(history, &told, &populations, now)))
                }));
            }
            Ok(done)
        };
        let cores = thread::available_parallelism().map_or(1, usize::from).min(pieces.len().max(1));
        let parts: Vec<Result<Vec<_>, StoreError>> = thread::scope(|scope| {
            let running: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
            running.into_iter().filter_map(|part| part.join().ok()).collect()
        });
        for part in parts {
            for (serial, kept) in part? {
                match kept {
                    Some(kept) => drop(self.tokens.insert(serial, kept)),
                    None => drop(self.tokens.remove(&serial)),
                }
            }
        }
        Ok(())
    }

    /// Compares the tokens of each model; tells of which models more is expected now, or something else.
    fn compare(&mut self) -> Vec<String> {
        let mut models: BTreeMap<&String, Vec<Own>> = BTreeMap::new();
        let mut batches = Vec::new();
        for kept in self.tokens.values() {
            let (Some(model), Some(own)) = (&kept.model, kept.own) else { continue };
            models.entry(model).or_default().push(own);
            if let Some(batch) = &kept.batch {
                batches.push((MadeBy { model: model.clone(), batch: batch.clone() }, own));
            }
        }
        self.odd = forecast::odd_batches(&batches);
        let now: BTreeMap<String, Population> =
            models.into_iter().map(|(model, owns)| (model.clone(), Population::of(&owns))).collect();
        let moved = |(model, new): (&String, &Population)| {
            let old = self.populations.get(model).copied().unwrap_or_else(Population::unknown);
            let apart = (new.mean_ppm - old.mean_ppm).abs() > 0.25 * old.deviation_ppm;
            let other = !(0.8..=1.25).contains(&(new.deviation_ppm / old.deviation_ppm));
            (apart || other).then(|| model.clone())
        };
        let moved: Vec<String> = now.iter().filter_map(moved).collect();
        // Those that moved little stay as they were reckoned with.
        for (model, population) in now {
            if moved.contains(&model) || !self.populations.contains_key(&model) {
                Arc::make_mut(&mut self.populations).insert(model, population);
            }
        }
        moved
    }

    fn fleet(&self, found: &[(&Serial, &Kept)], now: UnixMillis) -> Fleet {
        let mut fleet = Fleet { rates: bins(), ..Fleet::default() };
        for (_, kept) in found {
            match kept.fails {
                Some(fails) if fails <= now => fleet.outside += 1,
                Some(fails) if fails <= now.plus(SOON_MS) => fleet.soon += 1,
                _ => {}
            }
            if kept.own.is_some() {
                fleet.measured += 1;
                let place = (kept.ppm / f64::from(COLUMN_PPM)).floor() as i32 + COLUMNS / 2;
                let place = usize::try_from(place.clamp(0, COLUMNS - 1)).unwrap_or(0);
                fleet.rates[place].tokens += 1;
            }
        }
        let known = self.populations.iter().filter(|(_, population)| population.tokens > 0);
        fleet.models = known
            .map(|(model, population)| ModelRate {
                model: model.clone(),
                tokens: population.tokens as u64,
                ppm: population.mean_ppm,
                deviation_ppm: population.deviation_ppm,
            })
            .collect();
        fleet.odd = self
            .odd
            .iter()
            .map(|odd| OddBatch {
                batch: odd.made_by.batch.clone(),
                model: odd.made_by.model.clone(),
                tokens: odd.tokens as u64,
                off_ppm: odd.off_ppm,
                others_ppm: odd.others_ppm,
            })
            .collect();
        fleet
    }
}

/// One line and the course it was made of; none where nobody checks the token's codes.
fn line(
    populations: &BTreeMap<String, Population>,
    history: &ClockHistory,
    told: &Told<'_>,
    now: UnixMillis,
) -> Option<(DriftLine, Course)> {
    let (purpose, check) = told.strictest.as_ref()?;
    let own = told.course();
    let population = population(populations, history);
    let by = rate_by(&own, &population);
    let course = own.among(&population);
    let leaves = course.leaves(f64::from(check.limit_s()));
    let shown = leaves.filter(|_| can_fail(&course, check, by, now));
    let Rate { ppm, low, high } = course.rate();
    let line = DriftLine {
        serial: history.serial.clone(),
        model: history.model.clone(),
        batch: purpose.batch.clone(),
        upn: purpose.upn.clone(),
        target: check.target.map(|target| target.label.clone()),
        window_s: check.limit_s(),
        learns: check.learns(),
        read: course.last_read,
        readings: u32::try_from(course.telling).unwrap_or(u32::MAX),
        by,
        rate_ppm: Ranged { value: ppm, low, high },
        now_s: course.at(now).map(ranged),
        outside: shown.is_some_and(|leaves| leaves.likely.is_some_and(|likely| likely <= now)),
        fails: shown.and_then(|leaves| leaves.likely),
        fails_from: shown.and_then(|leaves| leaves.from),
        fails_to: shown.and_then(|leaves| leaves.to),
        trouble: course.trouble().map(event),
        advice: match by {
            // What crystals in general do is no reason to fetch one.
            RateBy::Nothing if shown.is_none() && !check.learns() => Advice::Read,
            _ => forecast::advise(&course, check, leaves, now),
        }
        .order(),
    };
    Some((line, course))
}

fn population(all: &BTreeMap<String, Population>, history: &ClockHistory) -> Population {
    let of = history.model.as_ref().and_then(|model| all.get(model)).copied();
    of.unwrap_or_else(Population::unknown)
}

fn keep(
    history: &ClockHistory,
    told: &Told<'_>,
    populations: &BTreeMap<String, Population>,
    now: UnixMillis,
) -> Kept {
    let own = told.course();
    let population = population(populations, history);
    let by = rate_by(&own, &population);
    let course = own.among(&population);
    let purpose = told.strictest.as_ref().map(|(purpose, _)| *purpose);
    let check = told.strictest.as_ref().map(|(_, check)| check);
    let batch = purpose.and_then(|purpose| purpose.batch.clone());
    let mut words = history.serial.as_str().to_lowercase();
    let target = check.and_then(|check| check.target);
    let more = [
        history.model.as_deref(),
        batch.as_deref(),
        purpose.and_then(|purpose| purpose.upn.as_deref()),
        target.map(|target| target.name.as_str()),
        target.map(|target| target.label.as_str()),
    ];
    for word in more.into_iter().flatten() {
        words.push('\n');
        words.push_str(&word.to_lowercase());
    }
    Kept {
        model: history.model.clone(),
        batch,
        words,
        own: Own::of(&own),
        ppm: course.rate_ppm(),
        fails: check
            .filter(|check| can_fail(&course, check, by, now))
            .and_then(|check| course.likely_leaves(f64::from(check.limit_s()))),
        checked: check.is_some(),
    }
}

fn bins() -> Vec<RateBin> {
    let from = |n: i32| (n - COLUMNS / 2) * COLUMN_PPM;
    (0..COLUMNS).map(|n| RateBin { from_ppm: from(n), to_ppm: from(n + 1), tokens: 0 }).collect()
}

fn ranged(estimate: Estimate) -> Ranged {
    Ranged { value: estimate.seconds, low: estimate.low, high: estimate.high }
}

fn event(event: &Event) -> ClockEvent {
    let at = event.at;
    match event.what {
        Happened::Set(by) => ClockEvent::Set { at, by },
        Happened::Jumped(by_s) => ClockEvent::Jumped { at, by_s },
        Happened::Restarted(off_s) => ClockEvent::Restarted { at, off_s },
        Happened::Zone(zone_s) => ClockEvent::Zone { at, zone_s },
        Happened::Bad(off_s) => ClockEvent::BadReading { at, off_s },
    }
}

/// The fit from when the clock was set last until it leaves its window, or for two years, a little beyond either way.
fn fit(line: &DriftLine, course: &Course, now: UnixMillis) -> Vec<FitPoint> {
    let Some(since) = course.since else { return Vec::new() };
    let two_years = now.plus(2 * 2 * SOON_MS);
    let until = line.fails.map_or(now.plus(SOON_MS), |fails| fails.max(now).min(two_years));
    let span = (until.0 - since.0).max(86_400_000);
    let step = (span + span / 10) / (POINTS - 1);
    (0..POINTS)
        .map(|n| since.plus(n * step))
        .filter_map(|at| Some(FitPoint { at, drift_s: ranged(course.at(at)?) }))
        .collect()
}

#[cfg(test)]
mod tests;
