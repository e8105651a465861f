//! Where a token's clock may stand, and what an error of so many steps means.
//!
//! The search asks for spans of steps to scan; for a hit it asks the other way round: which explanations does this
//! distance have? So an error of exactly an hour comes back as a zone and as drift, whichever scan found it.

use super::{cause::Cause, windows::Windows};
use jiff::{Span, Timestamp, civil::DateTime, tz::TimeZone};

/// The clocks that a search tries. All in seconds, reckoned from where the records expect the clock.
pub(super) struct Clocks {
    windows: Windows,
    /// The reckoned moment of the evidence on the token's expected clock.
    at: i64,
    centres: Vec<Centre>,
}

/// An error that has a reason of its own.
struct Centre {
    seconds: i64,
    reason: Reason,
    /// Its part of its cause's prior.
    share: f64,
}

/// Why a clock is so far off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Set by a clock that is this many seconds from UTC.
    Zone(i64),
    /// Whole days.
    Days(i64),
    /// The same day of another month.
    Months(i64),
    /// The same day of another year.
    Years(i64),
    /// Day and month exchanged.
    DayMonth,
    /// Steps counted from this moment instead of the recorded T0.
    T0(i64),
    /// The clock began again at this moment and has run on since.
    Reset(i64),
    /// None of its own.
    Plain,
}

/// One way to explain a distance.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClockLabel {
    pub(super) causes: Vec<Cause>,
    /// Against the clock being right.
    pub(super) odds: f64,
    pub(super) reason: Reason,
}

/// How far a scan reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The expected step alone.
    Expected,
    /// Two steps to each side, without the expected one.
    Late,
    /// Two steps to each side.
    Near,
    /// As far as a clock may be off beside another fault.
    Beside,
    /// The window for drift, without `Near`.
    Drift,
    /// Zones, with a few steps to each side.
    Zone,
    /// Days, months, years, T0, with a few steps to each side.
    Date,
    /// Days, up to a month, with a zone of whole hours besides.
    DateInZone,
    /// After a reset.
    Reset,
    /// Any error up to a bound.
    Any,
}

/// Steps after the code's own in which people still type it.
const LATE_STEPS: i64 = 2;
/// How many days off a date may be where the zone is wrong, too.
const MONTH_DAYS: i64 = 31;
/// Steps scanned round a zone or a day.
const SLACK: i64 = 3;
/// Moments at which clocks begin after a loss of power: 1970, 2000, 2010 and 2020, each on January 1st.
const RESETS: [i64; 4] = [0, 946_684_800, 1_262_304_000, 1_577_836_800];
/// Moments from which steps are counted by those who don't count from 1970: 1900 (NTP), 1980 (GPS), 2000, 2001, 2010,
/// 2020.
const T0S: [i64; 6] = [-2_208_988_800, 315_964_800, 946_684_800, 978_307_200, 1_262_304_000, 1_577_836_800];

impl Clocks {
    /// `at`: when the codes were read, on the token's expected clock. `t0`: as recorded. `moments`: other T0 worth a
    /// try, such as when the seed was burned.
    pub(super) fn new(windows: Windows, at: i64, t0: i64, moments: &[i64]) -> Self {
        let mut centres = Vec::new();
        zones(&mut centres);
        dates(&mut centres, at, &windows);
        let mut t0s: Vec<i64> = T0S.iter().copied().chain([0]).chain(moments.iter().copied()).collect();
        t0s.sort_unstable();
        t0s.dedup();
        t0s.retain(|other| *other != t0);
        let share = 1.0 / t0s.len() as f64;
        centres.extend(t0s.into_iter().map(|other| Centre {
            seconds: t0.saturating_sub(other),
            reason: Reason::T0(other),
            share,
        }));
        Self { windows, at, centres }
    }

    /// The spans of steps to scan, first and last, in ascending order without overlaps.
    pub(super) fn spans(&self, reach: Reach, period_s: i64) -> Vec<(i64, i64)> {
        let steps = |seconds: u32| i64::from(seconds) / period_s;
        let round = |wanted: fn(Reason) -> bool| {
            let mut spans: Vec<(i64, i64)> = self
                .centres
                .iter()
                .filter(|centre| wanted(centre.reason))
                .map(|centre| centre.seconds.div_euclid(period_s))
                .map(|middle| (middle - SLACK, middle + SLACK))
                .collect();
            merge(&mut spans);
            spans
        };
        match reach {
            Reach::Expected => vec![(0, 0)],
            Reach::Late => vec![(-LATE_STEPS, -1), (1, LATE_STEPS)],
            Reach::Near => vec![(-LATE_STEPS, LATE_STEPS)],
            Reach::Beside => {
                let far = steps(self.windows.beside_s).max(LATE_STEPS);
                vec![(-far, far)]
            }
            Reach::Drift => {
                let far = steps(self.windows.drift_s);
                let outside = LATE_STEPS + 1;
                if far < outside { vec![] } else { vec![(-far, -outside), (outside, far)] }
            }
            Reach::Zone => round(|reason| matches!(reason, Reason::Zone(_))),
            Reach::Date => round(|reason| !matches!(reason, Reason::Zone(_))),
            Reach::DateInZone => {
                let hours = || self.centres.iter().filter(|centre| centre.is_whole_hours());
                let days =
                    |centre: &&Centre| matches!(centre.reason, Reason::Days(n) if n.abs() <= MONTH_DAYS);
                let mut spans: Vec<(i64, i64)> = self
                    .centres
                    .iter()
                    .filter(days)
                    .flat_map(|day| {
                        hours().map(move |zone| (day.seconds + zone.seconds).div_euclid(period_s))
                    })
                    .map(|middle| (middle - SLACK, middle + SLACK))
                    .collect();
                merge(&mut spans);
                spans
            }
            Reach::Reset => {
                let mut spans: Vec<(i64, i64)> = RESETS
                    .iter()
                    .map(|start| (start - self.at).div_euclid(period_s))
                    .map(|first| (first, first + steps(self.windows.reset_s)))
                    .collect();
                merge(&mut spans);
                spans
            }
            Reach::Any => {
                let (far, near) = (steps(self.windows.any_s), steps(self.windows.drift_s));
                if far <= near { vec![] } else { vec![(-far, -near - 1), (near + 1, far)] }
            }
        }
    }

    /// Every explanation of a clock that is `offset` steps off. Never empty.
    pub(super) fn explain(&self, offset: i64, period_s: i64) -> Vec<ClockLabel> {
        if offset == 0 {
            return vec![ClockLabel { causes: vec![], odds: 1.0, reason: Reason::Plain }];
        }
        let mut labels = self.small(offset, period_s);
        let seconds = offset.saturating_mul(period_s);
        for centre in &self.centres {
            let beside = seconds.saturating_sub(centre.seconds);
            let cause = centre.cause();
            let odds = cause.odds() * centre.share;
            if beside.abs() < period_s {
                labels.push(ClockLabel { causes: vec![cause], odds, reason: centre.reason });
            } else if beside.abs() <= i64::from(self.windows.beside_s).max(SLACK * period_s) {
                // Besides, a step or two, or drift.
                labels.extend(self.small(beside / period_s, period_s).into_iter().map(|small| ClockLabel {
                    causes: [vec![cause], small.causes].concat(),
                    odds: odds * small.odds,
                    reason: centre.reason,
                }));
            }
        }
        labels.extend(self.dates_in_zones(seconds, period_s));
        let resets = RESETS.len() as f64;
        for start in RESETS {
            let since = self.at.saturating_add(seconds).saturating_sub(start);
            if (0..=i64::from(self.windows.reset_s)).contains(&since) {
                let steps = (i64::from(self.windows.reset_s) / period_s).max(1) as f64;
                labels.push(ClockLabel {
                    causes: vec![Cause::Date],
                    odds: Cause::Date.odds() * 0.25 / resets / steps,
                    reason: Reason::Reset(start),
                });
            }
        }
        if seconds.unsigned_abs() > u64::from(self.windows.drift_s) || labels.is_empty() {
            let steps = (2 * i64::from(self.windows.any_s) / period_s).max(1) as f64;
            labels.push(ClockLabel {
                causes: vec![Cause::Date],
                odds: Cause::Date.odds() * 0.05 / steps,
                reason: Reason::Plain,
            });
        }
        labels
    }

    /// A date that is wrong on a clock that runs in another zone.
    fn dates_in_zones(&self, seconds: i64, period_s: i64) -> Vec<ClockLabel> {
        let days =
            self.centres.iter().filter(|day| matches!(day.reason, Reason::Days(n) if n.abs() <= MONTH_DAYS));
        days.flat_map(|day| {
            let beside = seconds.saturating_sub(day.seconds);
            let zones = self
                .centres
                .iter()
                .filter(move |zone| zone.is_whole_hours() && (beside - zone.seconds).abs() < period_s);
            zones.map(move |zone| ClockLabel {
                causes: vec![Cause::Date, Cause::Zone],
                odds: Cause::Date.odds() * day.share * Cause::Zone.odds() * zone.share,
                reason: day.reason,
            })
        })
        .collect()
    }

    /// Late or early by a step or two, and drift.
    fn small(&self, offset: i64, period_s: i64) -> Vec<ClockLabel> {
        let mut labels = Vec::new();
        let mut push = |cause: Cause, share: f64| {
            labels.push(ClockLabel {
                causes: vec![cause],
                odds: cause.odds() * share,
                reason: Reason::Plain,
            });
        };
        // A code that is early can only mean that some other clock is off: rare beside a token that is fast.
        match offset {
            -1 => push(Cause::Late, 0.74),
            -2 => push(Cause::Late, 0.2),
            1 => push(Cause::Late, 0.04),
            2 => push(Cause::Late, 0.02),
            _ => {}
        }
        let far = i64::from(self.windows.drift_s) / period_s;
        if (1..=far.max(LATE_STEPS)).contains(&offset.abs()) {
            // Half of it as likely for every distance, half falling with the distance.
            let far = far.max(LATE_STEPS) as f64;
            let falling = 1.0 / (offset.abs() as f64 * (far.ln() + 0.58));
            push(Cause::Drift, (falling / 2.0 + 0.5 / far) / 2.0);
        }
        labels
    }
}

impl Centre {
    fn is_whole_hours(&self) -> bool {
        matches!(self.reason, Reason::Zone(seconds) if seconds % 3_600 == 0)
    }

    fn cause(&self) -> Cause {
        match self.reason {
            Reason::Zone(_) => Cause::Zone,
            Reason::T0(_) => Cause::T0,
            Reason::Days(_)
            | Reason::Months(_)
            | Reason::Years(_)
            | Reason::DayMonth
            | Reason::Reset(_)
            | Reason::Plain => Cause::Date,
        }
    }
}

/// Every quarter of an hour to 14 hours each way: whole hours of the inhabited zones most, quarters least.
fn zones(centres: &mut Vec<Centre>) {
    let weight = |quarters: i64| match (quarters.abs(), quarters.abs() % 4, quarters.abs() % 2) {
        (4 | 8, ..) => 4.0,
        (12..=40, 0, _) => 2.0,
        (_, 0, _) => 1.0,
        (.., 0) => 0.3,
        _ => 0.15,
    };
    let quarters = || (-56..=56).filter(|quarters| *quarters != 0);
    let sum: f64 = quarters().map(weight).sum();
    centres.extend(quarters().map(|n| Centre {
        seconds: n * 900,
        reason: Reason::Zone(n * 900),
        share: weight(n) / sum,
    }));
}

fn dates(centres: &mut Vec<Centre>, at: i64, windows: &Windows) {
    let harmonic = |n: u32| f64::from(n.max(1)).ln() + 0.58;
    let days = i64::from(windows.days);
    centres.extend((-days..=days).filter(|day| *day != 0).map(|day| Centre {
        seconds: day * 86_400,
        reason: Reason::Days(day),
        share: 0.45 / (2.0 * harmonic(windows.days)) / day.abs() as f64,
    }));
    let Ok(here) = Timestamp::from_second(at).map(|at| at.to_zoned(TimeZone::UTC).datetime()) else {
        return;
    };
    let mut push = |there: Result<DateTime, jiff::Error>, reason: Reason, share: f64| {
        let seconds =
            there.and_then(|there| there.to_zoned(TimeZone::UTC)).map(|z| z.timestamp().as_second());
        if let Some(seconds) = seconds.ok().map(|there| there - at).filter(|seconds| *seconds != 0) {
            centres.push(Centre { seconds, reason, share });
        }
    };
    let years = i64::from(windows.years.min(200));
    for year in (-years..=years).filter(|year| *year != 0) {
        let share = 0.15 / (2.0 * harmonic(windows.years)) / year.abs() as f64;
        push(here.checked_add(Span::new().years(year)), Reason::Years(year), share);
    }
    for month in (-11..=11).filter(|month| *month != 0) {
        push(here.checked_add(Span::new().months(month)), Reason::Months(month), 0.07 / 22.0);
    }
    let swapped = here.with().day(here.month()).month(here.day()).build();
    push(swapped, Reason::DayMonth, 0.03);
}

fn merge(spans: &mut Vec<(i64, i64)>) {
    spans.sort_unstable();
    spans.dedup_by(|next, kept| {
        let touches = next.0 <= kept.1 + 1;
        if touches {
            kept.1 = kept.1.max(next.1);
        }
        touches
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-04T12:00:00Z.
    const AT: i64 = 1_772_625_600;

    fn clocks() -> Clocks {
        Clocks::new(Windows::default(), AT, 0, &[])
    }

    fn first(offset: i64) -> ClockLabel {
        let labels = clocks().explain(offset, 30);
        labels.into_iter().max_by(|a, b| a.odds.total_cmp(&b.odds)).unwrap()
    }

    #[test]
    fn each_distance_has_its_likeliest_reason() {
        assert_eq!(first(0).causes, []);
        assert_eq!(first(-1).causes, [Cause::Late]);
        assert_eq!(first(1).causes, [Cause::Drift]);
        assert_eq!(first(-7).causes, [Cause::Drift]);
        assert_eq!(first(120).reason, Reason::Zone(3_600));
        assert_eq!(first(-660).reason, Reason::Zone(-19_800));
        assert_eq!(first(661).causes, [Cause::Zone, Cause::Drift]);
        assert_eq!(first(2_880).reason, Reason::Days(1));
        assert_eq!(first(2_879).causes, [Cause::Date, Cause::Late]);
        // 2025-03-04 is 365 days before, and the day of another year is the likelier reason.
        assert_eq!(first(-365 * 2_880).reason, Reason::Years(-1));
        // 2026-04-03.
        assert_eq!(first(30 * 2_880).causes, [Cause::Date]);
        assert_eq!(first(-AT / 30 + 100).reason, Reason::Reset(0));
        assert_eq!(first(-978_307_200 / 30).reason, Reason::T0(978_307_200));
    }

    #[test]
    fn every_scanned_step_has_an_explanation() {
        let clocks = clocks();
        for period in [1, 30, 60, 600] {
            for reach in [Reach::Late, Reach::Beside, Reach::Drift, Reach::Zone, Reach::Date, Reach::Any] {
                for (from, to) in clocks.spans(reach, period) {
                    for offset in [from, from.midpoint(to), to] {
                        let labels = clocks.explain(offset, period);
                        let sound = |label: &ClockLabel| label.odds > 0.0 && label.odds <= 1.0;
                        assert!(!labels.is_empty() && labels.iter().all(sound), "{reach:?} {offset}");
                    }
                }
            }
        }
    }

    #[test]
    fn spans_do_not_overlap() {
        for reach in [Reach::Zone, Reach::Date, Reach::Reset] {
            let spans = clocks().spans(reach, 600);
            assert!(spans.windows(2).all(|pair| pair[0].1 < pair[1].0), "{reach:?}");
        }
    }

    #[test]
    fn the_shares_of_a_cause_stay_within_it() {
        for (cause, most) in [(Cause::Zone, 1.0), (Cause::Date, 0.75), (Cause::T0, 1.0)] {
            let sum: f64 = clocks().centres.iter().filter(|c| c.cause() == cause).map(|c| c.share).sum();
            assert!(sum > 0.6 * most && sum <= most + 1e-9, "{cause}: {sum}");
        }
    }
}
