//! From the display to the text that was typed: right, with another length, with a slip.
//!
//! Slips are turned round before the search: from each typed text to the displays from which it can come, so that a
//! scanned step costs one look-up instead of a hundred comparisons.

use super::cause::Cause;
use crate::domain::{Code, Digits};

/// All that the typed codes can come from, for displays of one length.
pub(super) struct Readings {
    digits: u32,
    typed: Vec<Typed>,
    /// All codes have one length, so the displays may have it, too.
    one_length: bool,
    /// See [`Readings::breadth`]; for each level.
    as_shown: (f64, f64),
    with_slips: (f64, f64),
}

/// One typed code.
struct Typed {
    length: u32,
    value: u64,
    /// `10^length`, or more than any value for ten digits.
    modulus: u32,
    /// Displays of the expected length from which it can come by a slip, ascending by value; a value can occur with
    /// several slips.
    slips: Vec<Slip>,
}

#[derive(Debug, Clone, Copy)]
struct Slip {
    display: u64,
    kind: Kind,
    /// Against no slip.
    odds: f64,
}

/// What went wrong between display and keyboard. Places count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Another digit.
    Digit { place: u32 },
    /// This digit and the next exchanged.
    Swapped { place: u32 },
    /// Leading zeros left out.
    ZerosLost { count: u32 },
    /// A digit left out.
    Missing { place: u32 },
    /// A digit too many.
    Extra { place: u32 },
    /// A digit that looks similar in seven segments.
    LookAlike { place: u32 },
    /// The display was held upside down.
    UpsideDown,
    /// The display changed after this many digits were read.
    Halves { after: u32 },
}

/// One way in which the typed codes come from what was displayed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReadingLabel {
    pub(super) causes: Vec<Cause>,
    /// Against displays of the expected length typed as shown.
    pub(super) odds: f64,
    /// How many digits the display has.
    pub(super) digits: u32,
    /// What happened to which code, from 0.
    pub(super) slips: Vec<(usize, Kind)>,
}

/// How much may be wrong with what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Nothing; the display may have another length.
    AsShown,
    /// Slips.
    Slips,
}

/// Digits that are easily taken for each other in seven segments: one segment apart, or drawn alike.
const LOOK_ALIKE: [(u8, u8); 9] = [(0, 8), (1, 7), (3, 9), (5, 6), (5, 9), (6, 8), (8, 9), (0, 6), (2, 7)];

impl Readings {
    /// The readings of `codes` on displays of `digits`.
    pub(super) fn new(codes: &[Code], digits: Digits) -> Self {
        let digits = u32::from(digits.get());
        let typed: Vec<Typed> = codes.iter().map(|code| Typed::new(code, digits)).collect();
        let one_length = typed.iter().all(|one| one.length == typed[0].length);
        let mut readings = Self { digits, typed, one_length, as_shown: (0.0, 0.0), with_slips: (0.0, 0.0) };
        readings.as_shown = readings.count_breadth(Level::AsShown);
        readings.with_slips = readings.count_breadth(Level::Slips);
        readings
    }

    /// How many displays of a step are tried at this level, and the chance that random displays are among them.
    pub(super) fn breadth(&self, level: Level) -> (f64, f64) {
        match level {
            Level::AsShown => self.as_shown,
            Level::Slips => self.with_slips,
        }
    }

    fn count_breadth(&self, level: Level) -> (f64, f64) {
        let mut tried = 1.0;
        let mut chance = 1.0;
        for typed in &self.typed {
            let mut values: Vec<u64> = Vec::new();
            if level == Level::Slips {
                values.extend(typed.slips.iter().map(|slip| slip.display));
                values.dedup();
            }
            let exact = self.is_exact_possible(typed);
            let halves =
                if level == Level::Slips && typed.length == self.digits { self.digits - 1 } else { 0 };
            tried *= values.len() as f64 + f64::from(u8::from(exact)) + f64::from(halves);
            let one = chance_of(typed.value, typed.length);
            chance *= values.iter().map(|value| chance_of(*value, self.digits)).sum::<f64>()
                + if exact { one } else { 0.0 }
                + f64::from(halves) * one;
        }
        (tried, chance)
    }

    /// The chance that codes from nowhere read so.
    pub(super) fn chance_of_all(&self) -> f64 {
        self.typed.iter().map(|typed| chance_of(typed.value, typed.length)).product()
    }

    fn is_exact_possible(&self, typed: &Typed) -> bool {
        self.one_length || typed.length == self.digits
    }

    /// Whether code `i` can come from a display of `value`, followed by one of `next`.
    pub(super) fn fits(&self, level: Level, i: usize, value: u32, next: impl FnOnce() -> u32) -> bool {
        let typed = &self.typed[i];
        if u64::from(value % typed.modulus) == typed.value && self.is_exact_possible(typed) {
            return true;
        }
        level == Level::Slips
            && (typed.slips_from(shown(value, self.digits)).next().is_some()
                || typed.halves(self.digits, value, next).is_some())
    }

    /// The moduli and values for [`Level::AsShown`] of the first code: the tightest loop compares these itself.
    pub(super) fn first_as_shown(&self) -> Option<(u32, u64)> {
        let first = &self.typed[0];
        self.is_exact_possible(first).then_some((first.modulus, first.value))
    }

    /// Every way in which the codes come from displays of these values; `displays[i]` is the value behind code `i` and
    /// the one after it.
    pub(super) fn explain(&self, displays: &[(u32, u32)]) -> Vec<ReadingLabel> {
        let mut labels = Vec::new();
        let all_as_shown = self
            .typed
            .iter()
            .zip(displays)
            .all(|(typed, (value, _))| u64::from(value % typed.modulus) == typed.value);
        if all_as_shown && self.one_length {
            let length = self.typed[0].length;
            let (causes, odds) = if length == self.digits {
                (vec![], 1.0)
            } else {
                let share = if matches!(length, 6 | 8) { 0.6 } else { 0.08 };
                (vec![Cause::Digits], Cause::Digits.odds() * share)
            };
            labels.push(ReadingLabel { causes, odds, digits: length, slips: vec![] });
            if causes_end(&labels) {
                return labels;
            }
        }
        let mut so_far = vec![ReadingLabel { causes: vec![], odds: 1.0, digits: self.digits, slips: vec![] }];
        for (i, (typed, (value, next))) in self.typed.iter().zip(displays).enumerate() {
            if typed.length == self.digits && u64::from(value % typed.modulus) == typed.value {
                continue;
            }
            let mut options: Vec<(Kind, f64)> =
                typed.slips_from(shown(*value, self.digits)).map(|slip| (slip.kind, slip.odds)).collect();
            options.extend(typed.halves(self.digits, *value, || *next).map(|after| {
                let share = 0.2 / f64::from(self.digits - 1);
                (Kind::Halves { after }, Cause::Misread.odds() * share)
            }));
            so_far = so_far
                .iter()
                .flat_map(|label| options.iter().map(move |(kind, odds)| label.with(i, *kind, *odds)))
                .collect();
        }
        // A slip in any one of several codes: its prior is for the lot.
        let codes = self.typed.len() as f64;
        labels.extend(so_far.into_iter().filter(|label| !label.slips.is_empty()).map(|mut label| {
            if !label.is_systematic() {
                label.odds /= codes;
            }
            label
        }));
        labels
    }
}

/// Whether the displays read as shown: nothing is left to explain.
fn causes_end(labels: &[ReadingLabel]) -> bool {
    labels.iter().any(|label| label.causes.is_empty())
}

impl ReadingLabel {
    fn with(&self, i: usize, kind: Kind, odds: f64) -> Self {
        // Who holds a token upside down, or drops zeros, does so every time.
        let again = kind.is_systematic()
            && self
                .slips
                .iter()
                .any(|(_, other)| std::mem::discriminant(other) == std::mem::discriminant(&kind));
        let mut label = self.clone();
        let cause = kind.cause();
        if !label.causes.contains(&cause) {
            label.causes.push(cause);
        }
        label.odds *= if again { 0.5 } else { odds };
        label.slips.push((i, kind));
        label
    }

    fn is_systematic(&self) -> bool {
        self.slips.iter().all(|(_, kind)| kind.is_systematic())
    }
}

impl Kind {
    fn is_systematic(self) -> bool {
        matches!(self, Self::UpsideDown | Self::ZerosLost { .. })
    }

    pub(super) fn cause(self) -> Cause {
        match self {
            Self::Digit { .. }
            | Self::Swapped { .. }
            | Self::ZerosLost { .. }
            | Self::Missing { .. }
            | Self::Extra { .. } => Cause::Typo,
            Self::LookAlike { .. } | Self::UpsideDown | Self::Halves { .. } => Cause::Misread,
        }
    }
}

/// What a display of `digits` makes of a 31-bit value.
fn shown(value: u32, digits: u32) -> u64 {
    u64::from(value) % 10u64.pow(digits)
}

/// The chance that a display of `digits` shows `value`: codes come from 31 bits, so ten digits are no more than that and
/// nine not quite even.
fn chance_of(value: u64, digits: u32) -> f64 {
    let modulus = 10u64.pow(digits);
    let all = 1u64 << 31;
    if value >= all.min(modulus) {
        return 0.0;
    }
    ((all - 1 - value) / modulus + 1) as f64 / all as f64
}

impl Typed {
    fn new(code: &Code, display_digits: u32) -> Self {
        let digits: Vec<u8> = code.as_str().bytes().map(|byte| byte - b'0').collect();
        let length = digits.len() as u32;
        let mut slips = Slips { typed: &digits, display: display_digits as usize, found: Vec::new() };
        slips.gather();
        let mut slips = slips.found;
        let exact = number(&digits);
        slips.retain(|slip| {
            (length != display_digits || slip.display != exact)
                && chance_of(slip.display, display_digits) > 0.0
        });
        slips.sort_by_key(|slip| slip.display);
        let modulus = if length < 10 { 10u32.pow(length) } else { u32::MAX };
        Self { length, value: exact, modulus, slips }
    }

    fn slips_from(&self, display: u64) -> impl Iterator<Item = &Slip> {
        let from = self.slips.partition_point(|slip| slip.display < display);
        self.slips[from..].iter().take_while(move |slip| slip.display == display)
    }

    /// After how many digits the display changed, if it shows `value` and then `next`.
    fn halves(&self, digits: u32, value: u32, next: impl FnOnce() -> u32) -> Option<u32> {
        if self.length != digits {
            return None;
        }
        let value = shown(value, digits);
        let first_digit = 10u64.pow(digits - 1);
        if value / first_digit != self.value / first_digit {
            return None;
        }
        let next = shown(next(), digits);
        (1..digits).find(|after| {
            let rest = 10u64.pow(digits - after);
            value / rest == self.value / rest && next % rest == self.value % rest
        })
    }
}

fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(*digit))
}

/// Collects the displays behind one typed text.
struct Slips<'t> {
    typed: &'t [u8],
    display: usize,
    found: Vec<Slip>,
}

impl Slips<'_> {
    fn gather(&mut self) {
        let (typed, display) = (self.typed.len(), self.display);
        let (slip, misread) = (Cause::Typo.odds(), Cause::Misread.odds());
        if typed == display {
            self.changed(slip * 0.45 / (9.0 * typed as f64));
            self.swapped(slip * 0.25 / (typed as f64 - 1.0));
            self.look_alike(misread * 0.6);
            self.upside_down(misread * 0.2);
        }
        if typed < display {
            let count = (display - typed) as u32;
            // The display then begins with zeros, and some people leave them out as a matter of course.
            let odds = slip * 4.0 / 4f64.powi(count as i32);
            self.push(self.typed.to_vec(), Kind::ZerosLost { count }, odds);
        }
        if typed + 1 == display {
            self.missing(slip * 0.1 / (10.0 * display as f64));
        }
        if typed == display + 1 {
            self.extra(slip * 0.05 / typed as f64);
        }
    }

    fn push(&mut self, display: Vec<u8>, kind: Kind, odds: f64) {
        self.found.push(Slip { display: number(&display), kind, odds });
    }

    fn changed(&mut self, odds: f64) {
        for place in 0..self.typed.len() {
            for digit in (0..=9).filter(|digit| *digit != self.typed[place]) {
                let mut display = self.typed.to_vec();
                display[place] = digit;
                self.push(display, Kind::Digit { place: place as u32 + 1 }, odds);
            }
        }
    }

    fn swapped(&mut self, odds: f64) {
        for place in 1..self.typed.len() {
            let mut display = self.typed.to_vec();
            display.swap(place - 1, place);
            self.push(display, Kind::Swapped { place: place as u32 }, odds);
        }
    }

    fn look_alike(&mut self, odds: f64) {
        let twins = |digit: u8| {
            LOOK_ALIKE.iter().filter_map(move |(a, b)| match digit {
                d if d == *a => Some(*b),
                d if d == *b => Some(*a),
                _ => None,
            })
        };
        let all: usize = self.typed.iter().map(|digit| twins(*digit).count()).sum();
        for place in 0..self.typed.len() {
            for twin in twins(self.typed[place]) {
                let mut display = self.typed.to_vec();
                display[place] = twin;
                self.push(display, Kind::LookAlike { place: place as u32 + 1 }, odds / all as f64);
            }
        }
    }

    fn upside_down(&mut self, odds: f64) {
        let turned = |digit: &u8| match digit {
            0 | 1 | 2 | 5 | 8 => Some(*digit),
            6 => Some(9),
            9 => Some(6),
            _ => None,
        };
        if let Some(display) = self.typed.iter().rev().map(turned).collect() {
            self.push(display, Kind::UpsideDown, odds);
        }
    }

    fn missing(&mut self, odds: f64) {
        for place in 0..self.display {
            for digit in 0..=9 {
                let mut display = self.typed.to_vec();
                display.insert(place, digit);
                self.push(display, Kind::Missing { place: place as u32 + 1 }, odds);
            }
        }
    }

    fn extra(&mut self, odds: f64) {
        for place in 0..self.typed.len() {
            let mut display = self.typed.to_vec();
            display.remove(place);
            self.push(display, Kind::Extra { place: place as u32 + 1 }, odds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(typed: &[&str], digits: u64) -> Readings {
        let codes: Vec<Code> = typed.iter().map(|text| Code::parse(text).unwrap()).collect();
        Readings::new(&codes, Digits::new(digits).unwrap())
    }

    fn best(typed: &[&str], digits: u64, displays: &[(u32, u32)]) -> Option<ReadingLabel> {
        let labels = readings(typed, digits).explain(displays);
        labels.into_iter().max_by(|a, b| a.odds.total_cmp(&b.odds))
    }

    #[test]
    fn each_slip_is_recognised() {
        for (typed, display, next, kind) in [
            ("123456", 163_456, 0, Kind::Digit { place: 2 }),
            ("213456", 123_456, 0, Kind::Swapped { place: 1 }),
            ("3456", 3_456, 0, Kind::ZerosLost { count: 2 }),
            ("12345", 123_405, 0, Kind::Missing { place: 5 }),
            ("1234456", 123_456, 0, Kind::Extra { place: 4 }),
            ("123486", 123_466, 0, Kind::LookAlike { place: 5 }),
            ("690125", 521_069, 0, Kind::UpsideDown),
            ("123999", 123_456, 777_999, Kind::Halves { after: 3 }),
        ] {
            let label = best(&[typed], 6, &[(display, next)]).unwrap_or_else(|| panic!("{typed}"));
            let kinds: Vec<_> = label.slips.iter().map(|(_, kind)| *kind).collect();
            let same = std::mem::discriminant(&kinds[0]) == std::mem::discriminant(&kind);
            assert!(same, "{typed}: {kinds:?}");
            assert_eq!(label.causes, [kind.cause()], "{typed}");
            let fits = |level| readings(&[typed], 6).fits(level, 0, display, || next);
            assert!(fits(Level::Slips), "{typed}");
            // Without its zeros it is also a display of fewer digits.
            let shorter = matches!(kind, Kind::ZerosLost { .. });
            assert_eq!(fits(Level::AsShown), shorter, "{typed}");
        }
    }

    #[test]
    fn a_display_of_another_length_ends_alike() {
        let label = best(&["12345678"], 6, &[(1_912_345_678, 0)]).unwrap();
        assert_eq!((label.causes, label.digits), (vec![Cause::Digits], 8));
        let label = best(&["345678"], 8, &[(1_912_345_678, 0)]).unwrap();
        assert_eq!((label.causes, label.digits), (vec![Cause::Digits], 6));
        let label = best(&["0912345678"], 10, &[(912_345_678, 0)]).unwrap();
        assert_eq!(label.causes, []);
    }

    #[test]
    fn one_slip_in_two_codes_is_likelier_than_two() {
        let once = best(&["123456", "654321"], 6, &[(123_457, 0), (654_321, 0)]).unwrap();
        let twice = best(&["123456", "654321"], 6, &[(123_457, 0), (654_322, 0)]).unwrap();
        assert!(once.odds > 50.0 * twice.odds);
        let dropped = best(&["3456", "4321"], 6, &[(3_456, 0), (4_321, 0)]).unwrap();
        assert!(dropped.odds > 10.0 * twice.odds, "leaving out zeros is a habit");
    }

    #[test]
    fn ten_digits_are_counted_as_31_bits() {
        let (tried, chance) = readings(&["1284755224"], 10).breadth(Level::AsShown);
        assert_eq!((tried, chance), (1.0, 1.0 / f64::from(1u32 << 31)));
        assert_eq!(readings(&["9284755224"], 10).breadth(Level::AsShown).1, 0.0);
        let six = readings(&["123456"], 6).breadth(Level::AsShown).1;
        assert!((six - 1e-6).abs() < 1e-9);
    }

    /// The chance is what random displays really do.
    #[test]
    fn the_breadth_of_slips_is_what_random_displays_meet() {
        let readings = readings(&["5803"], 4);
        let (_, chance) = readings.breadth(Level::Slips);
        let mut hits = 0;
        let mut x = 1u32;
        let mut draw = || {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            x >> 1
        };
        let runs = 400_000;
        for _ in 0..runs {
            let (value, next) = (draw() / 7, draw() / 7);
            hits += u32::from(readings.fits(Level::Slips, 0, value, || next));
        }
        let rate = f64::from(hits) / f64::from(runs);
        assert!((rate / chance - 1.0).abs() < 0.1, "{rate} of {chance}");
    }
}
