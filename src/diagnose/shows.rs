//! What a token shows about now under each explanation, so that one can ask "does it say 4… or 7…?".
//!
//! A whole code opens a door; its first digits don't, and they are all that is needed to tell explanations apart. So the
//! table holds no more than [`MOST_DIGITS`] of each display, and no more displays than a short while needs.

use super::{
    finding::Finding,
    known::{Held, Known},
    lanes::Keyed,
};
use crate::domain::{Digits, Mode, Parameters, Period, UnixTime};
use zeroize::Zeroizing;

/// The most digits of a display that are told.
pub const MOST_DIGITS: usize = 3;
/// The fewest: of one digit alone, every tenth wrong explanation would pass.
const LEAST_DIGITS: usize = 2;
/// Explanations beside the records; more can't be kept apart over the phone.
const MOST_RIVALS: usize = 5;
/// For how long the table is good, in seconds, where periods let it.
const GOOD_FOR_S: i64 = 120;
/// The most displays of one explanation.
const MOST_DISPLAYS: i64 = 12;

/// What one explanation makes the token show. As sensitive as a seed.
pub struct Shows {
    seed: Zeroizing<Vec<u8>>,
    parameters: Parameters,
    /// Token clock minus the station's, in seconds; for a counter nothing.
    offset_s: i64,
    /// For a counter: counts from the one in the parameters to the display of now.
    last: u64,
}

impl Shows {
    /// What the records say, on a token whose clock is right.
    pub fn recorded(known: &Known<'_>) -> Option<Self> {
        let Held { seed, parameters, .. } = known.current()?;
        let seed = Zeroizing::new(seed.expose().to_vec());
        Some(Self { seed, parameters: *parameters, offset_s: 0, last: 0 })
    }

    /// What a finding says; `last`: steps from the first code to the last.
    pub(super) fn found(seed: Zeroizing<Vec<u8>>, finding: &Finding, last: u64) -> Self {
        let offset_s = finding.offset.map_or(0, |offset| offset.seconds);
        Self { seed, parameters: finding.parameters, offset_s, last }
    }

    /// The step, or count, of the display before the one of `now`, and the moment at which that display began.
    fn before(&self, now: UnixTime) -> Option<(u64, Option<UnixTime>)> {
        match self.parameters.mode {
            Mode::Totp { period, t0 } => {
                let period_s = i64::from(period.as_secs());
                let since_t0 = now.0.checked_add(self.offset_s)?.checked_sub(t0.0)?;
                let step = since_t0.div_euclid(period_s) - 1;
                let began = now.0 - since_t0.rem_euclid(period_s) - period_s;
                Some((u64::try_from(step).ok()?, Some(UnixTime(began))))
            }
            // Before the first count there is none: the display of now stands for it.
            Mode::Hotp { counter } => Some((counter.saturating_add(self.last).saturating_sub(1), None)),
        }
    }

    /// How many displays are told: the one before, the one of now, and those to come.
    fn count(&self) -> usize {
        let period_s = match self.parameters.mode {
            Mode::Totp { period, .. } => i64::from(period.as_secs()),
            Mode::Hotp { .. } => return 3,
        };
        let to_come = (GOOD_FOR_S / period_s + 1).clamp(1, MOST_DISPLAYS - 2);
        usize::try_from(to_come + 2).unwrap_or(3)
    }

    fn row(&self, now: UnixTime) -> Option<Whole> {
        let (first, since) = self.before(now)?;
        let mut values = Zeroizing::new(vec![0; self.count()]);
        Keyed::new(&self.seed, self.parameters.hash).fill(first, &mut values);
        let digits = self.parameters.digits;
        let width = usize::from(digits.get());
        let text = |value: &u32| {
            let shown = u64::from(*value) % 10u64.pow(digits.get().into());
            Zeroizing::new(format!("{shown:0width$}"))
        };
        let period = match self.parameters.mode {
            Mode::Totp { period, .. } => Some(period),
            Mode::Hotp { .. } => None,
        };
        Some(Whole { since, period, digits, displays: values.iter().map(text).collect() })
    }
}

/// A row before its displays are cut.
#[derive(PartialEq)]
struct Whole {
    since: Option<UnixTime>,
    period: Option<Period>,
    digits: Digits,
    displays: Vec<Zeroizing<String>>,
}

impl Whole {
    /// When the last display but one ends: then nothing is known of the one after.
    fn good_until(&self) -> Option<UnixTime> {
        let period_s = i64::from(self.period?.as_secs());
        let steps = i64::try_from(self.displays.len()).ok()? - 1;
        Some(self.since?.plus(steps * period_s))
    }

    fn begins_as(&self, other: &Self, digits: usize) -> bool {
        let start = |whole: &Self| whole.displays[1].chars().take(digits).collect::<String>();
        *Zeroizing::new(start(self)) == *Zeroizing::new(start(other))
    }
}

/// What the token shows about now, under the records and under each rival explanation.
pub struct Table {
    /// The records first, then rivals in the order of their rank.
    pub rows: Vec<Row>,
    /// Until when it is good.
    pub until: UnixTime,
}

/// What it shows under one explanation, or under several that come to the same.
pub struct Row {
    /// Whether these are the settings on record with a clock that is right.
    pub recorded: bool,
    /// Which findings, by their places in the diagnosis.
    pub findings: Vec<usize>,
    /// How many digits a display has.
    pub digits: Digits,
    /// How long each display stands; none for a counter.
    pub period: Option<Period>,
    /// When the first display began, by the station's clock; none for a counter.
    pub since: Option<UnixTime>,
    /// The first digits of successive displays: the one before that of now, that of now, and those to come.
    pub leads: Vec<Zeroizing<String>>,
}

/// Makes the table. `rivals` are those of the findings, in their order.
pub fn table(recorded: Option<Shows>, rivals: Vec<Shows>, now: UnixTime) -> Table {
    let mut wholes: Vec<(bool, Vec<usize>, Whole)> = Vec::new();
    let all = recorded
        .iter()
        .map(|shows| (None, shows))
        .chain(rivals.iter().enumerate().map(|(n, s)| (Some(n), s)));
    for (finding, shows) in all {
        let Some(whole) = shows.row(now) else { continue };
        match wholes.iter().position(|(.., known)| *known == whole) {
            // The records come first, so that only findings can meet a row that is there.
            Some(same) => wholes[same].1.extend(finding),
            None if wholes.len() <= MOST_RIVALS => {
                wholes.push((finding.is_none(), finding.into_iter().collect(), whole));
            }
            None => {}
        }
    }
    let told_apart = |digits: usize| {
        let pairs =
            wholes.iter().enumerate().flat_map(|(n, one)| wholes[..n].iter().map(move |other| (one, other)));
        pairs.into_iter().all(|(one, other)| !one.2.begins_as(&other.2, digits))
    };
    let digits = (LEAST_DIGITS..MOST_DIGITS).find(|digits| told_apart(*digits)).unwrap_or(MOST_DIGITS);
    let until = wholes.iter().filter_map(|(.., whole)| whole.good_until()).min();
    Table {
        until: until.unwrap_or_else(|| now.plus(GOOD_FOR_S)),
        rows: wholes
            .into_iter()
            .map(|(recorded, findings, whole)| Row {
                recorded,
                findings,
                digits: whole.digits,
                period: whole.period,
                since: whole.since,
                leads: whole
                    .displays
                    .iter()
                    .map(|display| Zeroizing::new(display.chars().take(digits).collect()))
                    .collect(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnose::{Cause, Evidence, Read, Windows, explain},
        domain::{Hash, Seed, StepCount, otp},
    };

    const NOW: UnixTime = UnixTime(1_772_366_415);

    fn seed() -> Seed {
        Seed::new(*b"12345678901234567890")
    }

    fn start(code: &crate::domain::Code, digits: usize) -> String {
        code.as_str().chars().take(digits).collect()
    }

    #[test]
    fn each_rival_shows_what_its_own_settings_give_around_now() {
        let (seed, recorded) = (seed(), Parameters::standard());
        let sha256 = Parameters { hash: Hash::Sha256, ..recorded };
        let known = Known::bare(&seed, recorded);
        let codes: Vec<_> =
            [0, 30].iter().map(|s| otp::code_at(&seed, &sha256, NOW.plus(*s - 60)).unwrap()).collect();
        let evidence = Evidence::new(codes, Read::First(NOW.plus(-60))).unwrap();
        let (diagnosis, rivals) =
            explain(&known, &evidence, Windows::default(), &mut std::iter::empty()).unwrap();
        assert_eq!(diagnosis.findings[0].causes, [Cause::Hash]);
        let table = table(Shows::recorded(&known), rivals, NOW);
        let digits = table.rows[0].leads[0].len();
        assert!((LEAST_DIGITS..=MOST_DIGITS).contains(&digits));
        assert!(table.rows[0].recorded && table.rows[0].findings.is_empty());
        assert_eq!((table.rows[1].recorded, &table.rows[1].findings[..]), (false, &[0][..]));
        for (row, parameters) in table.rows.iter().zip([recorded, sha256]) {
            assert_eq!(row.since, Some(NOW.plus(-45)), "a display begins at the half minute");
            for (n, lead) in (0..).zip(&row.leads) {
                let expected = otp::code_at(&seed, &parameters, NOW.plus(-30 + 30 * n)).unwrap();
                assert_eq!(**lead, start(&expected, digits), "{parameters} {n}");
            }
        }
        // Two minutes from now the display after that of then is still told.
        assert!(table.until >= NOW.plus(GOOD_FOR_S - 30) && table.rows[0].leads.len() <= 12);
    }

    #[test]
    fn a_clock_that_is_off_moves_its_row_and_no_other() {
        let (seed, recorded) = (seed(), Parameters::standard());
        let known = Known::bare(&seed, recorded);
        let ahead = 7_200;
        let codes: Vec<_> =
            [-30, 0].iter().map(|s| otp::code_at(&seed, &recorded, NOW.plus(*s + ahead)).unwrap()).collect();
        let evidence = Evidence::new(codes, Read::Last(NOW)).unwrap();
        let (diagnosis, rivals) =
            explain(&known, &evidence, Windows::default(), &mut std::iter::empty()).unwrap();
        assert_eq!(diagnosis.findings[0].causes, [Cause::Zone]);
        let table = table(Shows::recorded(&known), rivals, NOW);
        for (row, off) in table.rows.iter().zip([0, ahead]) {
            let expected = otp::code_at(&seed, &recorded, NOW.plus(off)).unwrap();
            assert_eq!(*row.leads[1], start(&expected, row.leads[1].len()));
        }
    }

    #[test]
    fn what_shows_the_same_is_one_row() {
        let (seed, recorded) = (seed(), Parameters::standard());
        let known = Known::bare(&seed, recorded);
        let shown = otp::code_at(&seed, &recorded, NOW).unwrap();
        let evidence = Evidence::new(vec![shown], Read::Last(NOW)).unwrap();
        let (diagnosis, rivals) =
            explain(&known, &evidence, Windows::default(), &mut std::iter::empty()).unwrap();
        assert!(diagnosis.is_right());
        let table = table(Shows::recorded(&known), rivals, NOW);
        assert!(table.rows[0].recorded && table.rows[0].findings.contains(&0));
        assert!(table.rows.len() <= 1 + MOST_RIVALS);
    }

    #[test]
    fn a_counter_shows_the_last_code_as_that_of_now() {
        let seed = seed();
        let recorded = Parameters { mode: Mode::Hotp { counter: 5 }, ..Parameters::standard() };
        let known = Known::bare(&seed, recorded);
        let code = |count| otp::code(&seed, Hash::Sha1, Digits::SIX, StepCount(count));
        let evidence = Evidence::new(vec![code(9), code(10)], Read::Last(NOW)).unwrap();
        let (_, rivals) = explain(&known, &evidence, Windows::default(), &mut std::iter::empty()).unwrap();
        let table = table(Shows::recorded(&known), rivals, NOW);
        let row = &table.rows[1];
        assert_eq!((row.since, row.period, row.leads.len()), (None, None, 3));
        assert_eq!(*row.leads[1], start(&code(10), row.leads[1].len()));
        assert_eq!(*row.leads[2], start(&code(11), row.leads[2].len()));
        assert_eq!(*table.rows[0].leads[1], start(&code(5), row.leads[1].len()));
    }

    #[test]
    fn a_period_of_a_second_is_no_stream_of_codes() {
        let seed = seed();
        let quick = Parameters::totp(Hash::Sha1, Digits::SIX, Period::from_secs(1).unwrap());
        let known = Known::bare(&seed, quick);
        let table = table(Shows::recorded(&known), Vec::new(), NOW);
        assert_eq!(table.rows[0].leads.len(), 12);
        assert_eq!(table.until, NOW.plus(10));
        assert!(table.rows[0].leads.iter().all(|lead| lead.len() == LEAST_DIGITS));
    }
}
