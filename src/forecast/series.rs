//! What happened to a clock besides running: which readings are bad, where it jumped, and what such a jump is called.
//!
//! Most clocks only run; then no reading lies further from what was expected than chance explains, and one pass of the
//! filter shows it. Else the ways in which it could have come are followed side by side, reading by reading: this one is
//! right, this one is bad, or the clock jumped before it. Each costs what it is unlikely by, so that one bad reading is
//! told from a jump by those that come after it, and a bad one that looked right by the good ones that then look wrong.

use super::{
    days,
    filter::{Spread, State, Wobble},
};
use crate::domain::{ClockSetBy, ReadingKind, UnixMillis};

/// A reading of a token's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// When, by the reference clock.
    pub at: UnixMillis,
    /// Token clock minus reference, in seconds.
    pub drift_s: f64,
    /// Half the width of what it may really be, in seconds: evenly spread.
    pub within_s: f64,
    /// How it was taken.
    pub kind: ReadingKind,
}

/// A token's clock was set, or stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// When.
    pub at: UnixMillis,
    /// By what.
    pub by: ClockSetBy,
}

/// All that is known of one clock, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its readings.
    pub readings: &'a [Reading],
    /// When it was set.
    pub settings: &'a [Setting],
}

/// Something that happened to a clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// When it was noticed (a reading), or done (a setting).
    pub at: UnixMillis,
    /// What.
    pub what: Happened,
}

/// See [`Event`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Happened {
    /// It was set.
    Set(ClockSetBy),
    /// It jumped by so many seconds since the reading before.
    Jumped(f64),
    /// It began again at some date long past, as after a loss of power; it is so many seconds behind now.
    Restarted(f64),
    /// It runs in a time zone, or by summer time: so many seconds from UTC, or from what it ran by before.
    Zone(i64),
    /// The reading is so many seconds from where the clock stands, and nothing after it agrees.
    Bad(f64),
}

/// What one reading is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Right,
    Bad,
    /// It comes after a jump, or is the first: where the clock stands is taken from it.
    Anchor,
}

/// Readings and settings in one order, and what each reading is.
pub(super) struct Series {
    pub(super) steps: Vec<Step>,
    pub(super) events: Vec<Event>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Set(Setting),
    Read(Reading, Label),
}

/// The rate of a crystal of which nothing is known: half of them lie within 13 ppm, nearly all within 40.
pub(super) const ANY_RATE: Spread = Spread { mean: 0.0, variance: 20.0 * 20.0 };
/// How the ways are told apart: for most tokens a good guess.
const USUAL: Wobble = Wobble { weeks_ppm: 1.0, season_ppm: 1.0 };
/// kiln sets a clock to the nearest second and reads it back: so far off it may be, in seconds, evenly spread.
const SET_WITHIN_S: f64 = 1.0;
/// Above so many deviations a reading is worth asking what else could have happened.
const ODD: f64 = 4.5;
/// How many ways are followed.
const WAYS: usize = 12;
/// How many readings of one clock are looked at: the last ones.
const MOST_READINGS: usize = 400;
/// Where a bad reading or a clock after a jump may stand: anywhere within a day each way, with equal chance.
const ANYWHERE: f64 = 1.0 / 172_800.0;
/// How often clocks jump, for each reading.
const JUMPS: f64 = 0.002;
/// A clock that stands further back has lost its time, not a part of it: 20 days, in seconds.
const LONG_PAST_S: f64 = -20.0 * 86_400.0;
/// Zones are told from other errors by this many seconds at most.
const ZONE_WITHIN_S: f64 = 90.0;
/// The zones that are not whole hours: of Marquesas, Newfoundland, Iran, Afghanistan, India, Nepal, Myanmar, Eucla,
/// central Australia, Lord Howe, Chatham (IANA time zone database), in minutes.
const ODD_ZONES_MIN: [i64; 13] = [-570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825];

impl Reading {
    /// As the filter takes it: an even spread of half width `w` has the variance w²/3.
    pub(super) fn spread(&self) -> Spread {
        Spread { mean: self.drift_s, variance: (self.within_s * self.within_s / 3.0).max(1e-6) }
    }

    /// How often such readings are bad.
    fn bad_share(&self) -> f64 {
        match self.kind {
            ReadingKind::Clock | ReadingKind::Edge => 0.001,
            // Typed or timed by a person.
            ReadingKind::Code | ReadingKind::Timing => 0.02,
        }
    }
}

impl Setting {
    /// Where the clock stands after it; none: not known.
    pub(super) fn spread(&self) -> Option<Spread> {
        match self.by {
            ClockSetBy::Burn | ClockSetBy::Resync => {
                Some(Spread { mean: 0.0, variance: SET_WITHIN_S * SET_WITHIN_S / 3.0 })
            }
            ClockSetBy::Reset => None,
        }
    }
}

/// One way in which it could have come.
#[derive(Clone)]
struct Way {
    state: State,
    anchored: bool,
    score: f64,
    labels: Vec<Label>,
    /// What was expected before each reading.
    expected: Vec<Option<Spread>>,
}

impl Way {
    fn begin(day: f64) -> Self {
        Self {
            state: State::new(day, ANY_RATE, USUAL),
            anchored: false,
            score: 0.0,
            labels: Vec::new(),
            expected: Vec::new(),
        }
    }

    fn set(&mut self, setting: &Setting) {
        self.state.advance(days(setting.at));
        match setting.spread() {
            Some(spread) => self.state.anchor(spread),
            None => self.anchored = false,
        }
        self.anchored |= setting.spread().is_some();
    }

    /// What is expected at a reading, itself and its width included.
    fn look(&mut self, reading: &Reading) -> Option<Spread> {
        self.state.advance(days(reading.at));
        let stands = self.state.expected();
        self.anchored.then(|| Spread { variance: stands.variance + reading.spread().variance, ..stands })
    }

    fn take(mut self, reading: &Reading, label: Label, expected: Option<Spread>) -> Self {
        match label {
            Label::Right => {
                let right = 1.0 - JUMPS - reading.bad_share();
                self.score += expected.map_or(0.0, |e| e.log_density(reading.drift_s)) + right.ln();
                self.state.measure(reading.spread());
            }
            Label::Bad => self.score += (reading.bad_share() * ANYWHERE).ln(),
            Label::Anchor => {
                if expected.is_some() {
                    self.score += (JUMPS * ANYWHERE).ln();
                }
                self.state.anchor(reading.spread());
                self.anchored = true;
            }
        }
        self.labels.push(label);
        self.expected.push(expected);
        self
    }
}

enum Item<'a> {
    Set(&'a Setting),
    Read(&'a Reading),
}

/// Finds out what happened.
pub(super) fn find(known: &Known<'_>) -> Series {
    let readings = &known.readings[known.readings.len().saturating_sub(MOST_READINGS)..];
    let mut items: Vec<(UnixMillis, Item<'_>)> =
        known.settings.iter().map(|setting| (setting.at, Item::Set(setting))).collect();
    items.extend(readings.iter().map(|reading| (reading.at, Item::Read(reading))));
    // A reading of the moment of a setting was taken after it: settings were put first, and the sort is stable.
    items.sort_by_key(|(at, _)| *at);
    let way = likeliest(&items);
    let mut series = Series { steps: Vec::new(), events: Vec::new() };
    let mut labels = way.labels.iter().zip(&way.expected);
    let mut before: Option<Reading> = None;
    for (_, item) in items {
        match item {
            Item::Set(setting) => {
                series.steps.push(Step::Set(*setting));
                series.events.push(Event { at: setting.at, what: Happened::Set(setting.by) });
            }
            Item::Read(reading) => {
                let Some((label, expected)) = labels.next() else { break };
                series.steps.push(Step::Read(*reading, *label));
                if let Some(what) = named(reading, *label, *expected, before.as_ref()) {
                    series.events.push(Event { at: reading.at, what });
                }
                if *label != Label::Bad {
                    before = Some(*reading);
                }
            }
        }
    }
    series
}

fn likeliest(items: &[(UnixMillis, Item<'_>)]) -> Way {
    let begin = Way::begin(items.first().map_or(0.0, |(at, _)| days(*at)));
    if let Some(way) = nothing_odd(begin.clone(), items) {
        return way;
    }
    let mut ways = vec![begin];
    for (_, item) in items {
        match item {
            Item::Set(setting) => ways.iter_mut().for_each(|way| way.set(setting)),
            Item::Read(reading) => {
                let mut next = Vec::with_capacity(ways.len() * 3);
                for mut way in ways {
                    let expected = way.look(reading);
                    if expected.is_none() {
                        next.push(way.take(reading, Label::Anchor, None));
                        continue;
                    }
                    next.push(way.clone().take(reading, Label::Bad, expected));
                    next.push(way.clone().take(reading, Label::Anchor, expected));
                    next.push(way.take(reading, Label::Right, expected));
                }
                next.sort_by(|a, b| b.score.total_cmp(&a.score));
                next.truncate(WAYS);
                ways = next;
            }
        }
    }
    ways.into_iter().next().unwrap_or_else(|| Way::begin(0.0))
}

/// The way of a clock that only runs, unless some reading doesn't fit.
fn nothing_odd(mut way: Way, items: &[(UnixMillis, Item<'_>)]) -> Option<Way> {
    for (_, item) in items {
        match item {
            Item::Set(setting) => way.set(setting),
            Item::Read(reading) => {
                let expected = way.look(reading);
                let label = match expected {
                    Some(e) if (reading.drift_s - e.mean).abs() > ODD * e.deviation() => return None,
                    Some(_) => Label::Right,
                    None => Label::Anchor,
                };
                way = way.take(reading, label, expected);
            }
        }
    }
    Some(way)
}

/// What a reading tells that is more than running. The first one of all can tell a zone, too.
fn named(
    reading: &Reading,
    label: Label,
    expected: Option<Spread>,
    before: Option<&Reading>,
) -> Option<Happened> {
    let stands = reading.drift_s;
    match (label, expected) {
        (Label::Right, _) => None,
        (Label::Bad, expected) => Some(Happened::Bad(stands - expected.map_or(0.0, |e| e.mean))),
        (Label::Anchor, _) if stands < LONG_PAST_S => Some(Happened::Restarted(stands)),
        (Label::Anchor, None) => zone(stands, reading.within_s + 30.0).map(Happened::Zone),
        (Label::Anchor, Some(expected)) => {
            let by = stands - expected.mean;
            // Set by hand some time since the reading before, and running on from there.
            let since = before.map_or(0.0, |before| (reading.at.0 - before.at.0) as f64 / 1000.0);
            let anew = zone(stands, reading.within_s + 5.0 + since * 20e-6);
            let moved = || zone(by, reading.within_s + 5.0 + 3.0 * expected.deviation());
            Some(anew.or_else(moved).map_or(Happened::Jumped(by), Happened::Zone))
        }
    }
}

/// The zone that lies within so many seconds.
fn zone(seconds: f64, within_s: f64) -> Option<i64> {
    let within = within_s.min(ZONE_WITHIN_S);
    let hours = (-14..=14).filter(|hour| *hour != 0).map(|hour| hour * 3_600);
    let odd = ODD_ZONES_MIN.iter().map(|minutes| minutes * 60);
    hours.chain(odd).find(|zone| (seconds - *zone as f64).abs() <= within)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: i64 = 1_767_225_600_000;

    /// Readings in whole seconds, some days apart, of a clock that gains 0.5 s a day but for `odd`.
    fn readings(odd: impl Fn(i64) -> f64) -> Vec<Reading> {
        (0..8).map(|n| reading(n * 30, n as f64 * 15.0 + odd(n))).collect()
    }

    fn reading(day: i64, drift_s: f64) -> Reading {
        Reading {
            at: UnixMillis(BEGIN + day * 86_400_000),
            drift_s: drift_s.floor() + 0.5,
            within_s: 0.5,
            kind: ReadingKind::Clock,
        }
    }

    fn happened(readings: &[Reading]) -> Vec<(i64, Happened)> {
        let series = find(&Known { readings, settings: &[] });
        let day = |at: UnixMillis| (at.0 - BEGIN) / 86_400_000;
        series.events.iter().map(|event| (day(event.at), event.what)).collect()
    }

    #[test]
    fn a_clock_that_only_runs_has_nothing_to_tell() {
        assert_eq!(happened(&readings(|_| 0.0)), []);
    }

    #[test]
    fn one_bad_reading_is_told_from_a_jump_by_those_after_it() {
        let found = happened(&readings(|n| if n == 4 { 200.0 } else { 0.0 }));
        assert!(matches!(found[..], [(120, Happened::Bad(off))] if (off - 200.0).abs() < 5.0), "{found:?}");
        let found = happened(&readings(|n| if n >= 4 { 200.0 } else { 0.0 }));
        assert!(matches!(found[..], [(120, Happened::Jumped(by))] if (by - 200.0).abs() < 5.0), "{found:?}");
        // Early on, before a rate is known, the bad one itself looks right.
        let found = happened(&readings(|n| if n == 1 { 60.0 } else { 0.0 }));
        assert!(matches!(found[..], [(30, Happened::Bad(_))]), "{found:?}");
    }

    #[test]
    fn zones_and_restarts_have_their_names() {
        let found = happened(&readings(|n| if n >= 5 { 3_600.0 } else { 0.0 }));
        assert_eq!(found, [(150, Happened::Zone(3_600))], "summer time, added to what it was");
        let set_by_a_phone = |n: i64| if n >= 5 { 19_800.0 - n as f64 * 15.0 } else { 0.0 };
        assert_eq!(happened(&readings(set_by_a_phone)), [(150, Happened::Zone(19_800))], "set anew");
        let found = happened(&readings(|n| if n >= 3 { -800_000_000.0 } else { 0.0 }));
        assert!(matches!(found[..], [(90, Happened::Restarted(_))]), "{found:?}");
        assert_eq!(happened(&[reading(0, -18_003.0)]), [(0, Happened::Zone(-18_000))], "the first of all");
        assert_eq!(happened(&[reading(0, 1_100.0)]), [], "far off, and no zone");
    }

    #[test]
    fn the_wildest_clock_does_no_harm_to_the_numbers() {
        for wild in [2.5e9, -1.8e9, 9.0e15] {
            let with = readings(|n| if n == 3 { wild } else { 0.0 });
            let course = crate::forecast::Course::new(&Known { readings: &with, settings: &[] });
            let rate = course.rate();
            assert!(rate.ppm.is_finite() && (rate.ppm - 5.8).abs() < 1.0, "{wild}: {rate:?}");
        }
    }

    #[test]
    fn a_setting_begins_at_zero_and_a_reset_nowhere() {
        let settings = [Setting { at: reading(100, 0.0).at, by: ClockSetBy::Resync }];
        let set = readings(|n| if n >= 4 { -50.0 } else { 0.0 });
        let series = find(&Known { readings: &set, settings: &settings });
        assert_eq!(series.events, [Event { at: settings[0].at, what: Happened::Set(ClockSetBy::Resync) }]);
        let settings = [Setting { by: ClockSetBy::Reset, ..settings[0] }];
        let lost = readings(|n| if n >= 4 { 12_345.0 } else { 0.0 });
        assert_eq!(find(&Known { readings: &lost, settings: &settings }).events.len(), 1);
        // What kiln set right stands an hour off: by whoever set it after.
        let settings = [Setting { by: ClockSetBy::Burn, ..settings[0] }];
        let zone = readings(|n| if n >= 4 { 3_600.0 - n as f64 * 15.0 } else { 0.0 });
        let events = find(&Known { readings: &zone, settings: &settings }).events;
        assert_eq!(events[1].what, Happened::Zone(3_600), "{events:?}");
    }
}
