//! What to do about a clock, with the server that checks its codes in mind: setting it, waiting, or letting the server
//! follow it.

use super::{Course, Happened, Leaves};
use crate::domain::{Target, UnixMillis};

/// Who checks a token's codes, and in steps of how many seconds they go.
#[derive(Debug, Clone, Copy)]
pub struct Check<'a> {
    /// The server; none: not on record, and taken to be one that accepts a step each way (RFC 6238 section 5.2).
    pub target: Option<&'a Target>,
    /// The period in seconds.
    pub period_s: u32,
}

impl Check<'_> {
    /// How far off a clock may be, either way, until the first codes are rejected, in seconds.
    pub fn limit_s(&self) -> u32 {
        self.target.map_or(1, |target| target.drift_steps).saturating_mul(self.period_s)
    }

    /// Whether the server follows a token that is used.
    pub fn learns(&self) -> bool {
        self.target.is_some_and(|target| target.learns_drift)
    }
}

/// What to do about a clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// Too little is known of it.
    Read,
    /// Nothing.
    Nothing,
    /// Nothing, as long as somebody logs in with it every so many days: the server follows.
    Use {
        /// Days.
        every_days: u32,
    },
    /// The server is made to follow.
    AtServer {
        /// How, as an order to a person.
        how: String,
    },
    /// The clock is set.
    Set,
    /// The clock is set, at leisure: this long before it fails, in days.
    SetWithin {
        /// Days.
        days: u32,
    },
}

/// So long before a token is likely to fail it is worth setting, in days.
const AHEAD_DAYS: i64 = 180;
/// A server's window for two successive codes is wider than its usual one, and not without end: assumed, in hours.
const RESYNC_REACHES_S: f64 = 6.0 * 3_600.0;
const DAY_MS: i64 = 86_400_000;

/// What to do about a clock that runs like this.
pub fn advise(course: &Course, check: &Check<'_>, leaves: Option<Leaves>, now: UnixMillis) -> Advice {
    let (Some(stands), Some(leaves)) = (course.at(now), leaves) else { return Advice::Read };
    let limit = f64::from(check.limit_s());
    let out = course.outside(now, limit).is_some_and(|share| share >= 0.5);
    let resync = check.target.map(|target| target.resync.as_str()).filter(|how| !how.is_empty());
    let lost = course
        .trouble()
        .is_some_and(|event| matches!(event.what, Happened::Restarted(_) | Happened::Zone(_)));
    if check.learns() {
        // What it learned in use is not on record: only a jump puts a used token out.
        let jumped = course.trouble().is_some() && out;
        return match (jumped, resync, course.moves_by(limit)) {
            (true, Some(how), _) if !lost && stands.seconds.abs() < RESYNC_REACHES_S => {
                Advice::AtServer { how: how.to_owned() }
            }
            (true, _, _) => Advice::Set,
            (false, _, Some(days)) => Advice::Use { every_days: days as u32 },
            (false, _, None) => Advice::Nothing,
        };
    }
    let days_left = leaves.likely.map(|at| (at.0 - now.0).div_euclid(DAY_MS));
    match (out, resync, days_left) {
        (true, Some(how), _) if !lost && stands.seconds.abs() < RESYNC_REACHES_S => {
            Advice::AtServer { how: how.to_owned() }
        }
        (true, _, _) => Advice::Set,
        (false, _, Some(days)) if days < AHEAD_DAYS => {
            Advice::SetWithin { days: u32::try_from(days).unwrap_or(0) }
        }
        (false, _, _) => Advice::Nothing,
    }
}

impl Advice {
    /// As an order to a person.
    pub fn order(&self) -> String {
        match self {
            Self::Read => "put it on a slot: too little is known of its clock".into(),
            Self::Nothing => "nothing to do".into(),
            Self::Use { every_days } => {
                format!("the server follows its clock: log in with it at least every {every_days} days")
            }
            Self::AtServer { how } => format!("leave the token as it is: {how}"),
            Self::Set => "set its clock: put it on a slot (kiln drift resync)".into(),
            Self::SetWithin { days: 0 } => "set its clock now: put it on a slot (kiln drift resync)".into(),
            Self::SetWithin { days } => {
                format!("set its clock within {days} days: put it on a slot (kiln drift resync)")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Catalog, ReadingKind},
        forecast::{Known, Reading},
    };

    const BEGIN: i64 = 1_767_225_600_000;

    fn day(n: i64) -> UnixMillis {
        UnixMillis(BEGIN + n * DAY_MS)
    }

    /// 10 ppm, for 300 days from `stands`, and then a jump.
    fn advice(target: &str, stands: f64, jump: f64) -> Advice {
        let drift = |n: i64| stands + n as f64 * 25.92 + if n == 10 { jump } else { 0.0 };
        let reading =
            |n: i64| Reading { at: day(n * 30), drift_s: drift(n), within_s: 0.5, kind: ReadingKind::Clock };
        let readings: Vec<Reading> = (0..=10).map(reading).collect();
        let course = Course::new(&Known { readings: &readings, settings: &[] });
        let catalog = Catalog::built_in();
        let check = Check { target: catalog.target(target), period_s: 60 };
        let leaves = course.leaves(f64::from(check.limit_s()));
        advise(&course, &check, leaves, day(301))
    }

    #[test]
    fn a_server_that_does_not_follow_wants_the_clock_set() {
        assert_eq!(advice("entra", 0.0, 0.0), Advice::Set);
        // 60 s either way: the clock came from behind and has some 40 days left.
        let Advice::SetWithin { days } = advice("entra", -240.0, 0.0) else { panic!() };
        assert!((40..60).contains(&days), "{days}");
        assert_eq!(advice("entra", -300.0, 0.0), Advice::SetWithin { days: 115 });
    }

    #[test]
    fn a_server_that_learns_wants_the_token_used_and_resyncs_after_a_jump() {
        // 180 s at 10 ppm and a bit are 200 days.
        let Advice::Use { every_days } = advice("privacyidea", 0.0, 0.0) else { panic!() };
        assert!((150..210).contains(&every_days), "{every_days}");
        let Advice::AtServer { how } = advice("privacyidea", 0.0, 400.0) else { panic!() };
        assert!(how.contains("Resync Token"), "{how}");
        assert_eq!(advice("privacyidea", 0.0, 7_200.0), Advice::Set, "a zone is set right at the token");
        assert_eq!(
            advice("privacyidea", 0.0, -700_000_000.0),
            Advice::Set,
            "and so is a clock that lost its time"
        );
    }

    #[test]
    fn without_a_reading_one_is_wanted_and_each_advice_is_an_order() {
        let course = Course::new(&Known { readings: &[], settings: &[] });
        let check = Check { target: None, period_s: 30 };
        assert_eq!((check.limit_s(), check.learns()), (30, false));
        assert_eq!(advise(&course, &check, None, day(0)), Advice::Read);
        for advice in [
            Advice::Read,
            Advice::Nothing,
            Advice::Use { every_days: 3 },
            Advice::AtServer { how: "x".into() },
            Advice::Set,
            Advice::SetWithin { days: 0 },
            Advice::SetWithin { days: 9 },
        ] {
            assert!(!advice.order().is_empty());
        }
    }
}
