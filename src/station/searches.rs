//! How often those who only look on may search. Each search is an answer about seeds: somebody who asks about one number
//! after the other learns in the end which of them some token shows. A help desk asks now and then.
//!
//! Counted for each account (uid) that the kernel names at the other end of the socket, whatever its connections; an
//! operator who asks with `--read-only` counts as one who looks on. Kept in memory: a station that starts anew has
//! forgotten, but those who look on can't start or stop it.

use super::{core::Core, failure::failure, handle::Caller};
use crate::{
    domain::{Clock, UnixMillis},
    face::{Failure, FailureKind, Role},
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How many searches in how long: a call's worth in a few minutes, a working day's worth in a day.
const LIMITS: [(usize, i64, &str); 2] = [(10, 600_000, "10 minutes"), (60, 86_400_000, "24 hours")];

/// Searches of the last day by those who look on, by account.
#[derive(Debug, Default)]
pub struct Searches(Mutex<HashMap<u32, Made>>);

#[derive(Debug, Default)]
struct Made {
    /// When, the earliest first.
    at: VecDeque<UnixMillis>,
    /// Whether the refusal after the last of them is on record already.
    refusal_told: bool,
}

/// No more for now.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    most: usize,
    within: &'static str,
    again: UnixMillis,
    first: bool,
}

impl Searches {
    /// Makes a search for `caller` if it may have one now. One that failed doesn't count.
    pub fn count<T>(
        &self,
        core: &Core,
        caller: &Caller,
        search: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if caller.role >= Role::Operator {
            return search();
        }
        let now = core.clock.now();
        if let Err(refused) = self.enter(caller.uid, now) {
            if refused.first {
                let detail = serde_json::json!({ "most": refused.most, "within": refused.within });
                core.store.audit_append("search refused", None, detail, &core.stamp(&caller.who))?;
            }
            return Err(refused.told(&caller.who, now));
        }
        // Counted before it is made: many may be asked for at once.
        search().inspect_err(|_| self.leave(caller.uid, now))
    }

    fn enter(&self, uid: u32, now: UnixMillis) -> Result<(), Refused> {
        let mut all = self.lock();
        let longest = LIMITS.iter().map(|(_, within, _)| *within).max().unwrap_or(0);
        // A clock that was set back would keep everybody out until it is there again: what is still to come goes, too.
        all.values_mut().for_each(|made| made.at.retain(|at| at.0 > now.0 - longest && *at <= now));
        all.retain(|other, made| *other == uid || !made.at.is_empty());
        let made = all.entry(uid).or_default();
        for (most, within, words) in LIMITS {
            let lately = made.at.iter().filter(|at| at.0 > now.0 - within).count();
            if lately >= most {
                // Then the one that is now `most` back leaves the window.
                let oldest = made.at[made.at.len() - most];
                let first = !std::mem::replace(&mut made.refusal_told, true);
                return Err(Refused { most, within: words, again: oldest.plus(within), first });
            }
        }
        made.at.push_back(now);
        made.refusal_told = false;
        Ok(())
    }

    fn leave(&self, uid: u32, at: UnixMillis) {
        if let Some(made) = self.lock().get_mut(&uid)
            && let Some(i) = made.at.iter().rposition(|made| *made == at)
        {
            made.at.remove(i);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Made>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refused {
    fn told(&self, who: &str, now: UnixMillis) -> Failure {
        let wait = (self.again.0 - now.0).max(0).unsigned_abs();
        let wait = match wait.div_ceil(1_000) {
            seconds @ ..=119 => format!("{seconds} s"),
            seconds => format!("{} min", seconds.div_ceil(60)),
        };
        failure(
            FailureKind::Environment,
            format!(
                "{who} has made {} searches in the last {}, as many as those who only look on may make",
                self.most, self.within
            ),
            format!(
                "ask again in {wait} (from {}), or have an operator ask",
                self.again.floor_second().plus(1)
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMillis = UnixMillis(1_772_625_600_000);

    fn minutes(n: i64) -> UnixMillis {
        NOON.plus(n * 60_000)
    }

    #[test]
    fn ten_in_ten_minutes_and_then_one_as_the_first_is_forgotten() {
        let searches = Searches::default();
        for n in 0..10 {
            searches.enter(1000, NOON.plus(n * 1_000)).unwrap();
        }
        let refused = searches.enter(1000, minutes(1)).unwrap_err();
        assert_eq!((refused.again, refused.first), (minutes(10), true));
        assert!(!searches.enter(1000, minutes(2)).unwrap_err().first, "told once");
        searches.enter(1001, minutes(2)).expect("another account has its own");
        searches.enter(1000, minutes(10)).expect("the first is ten minutes ago");
        let refused = searches.enter(1000, minutes(10)).unwrap_err();
        assert_eq!((refused.again, refused.first), (minutes(10).plus(1_000), true));
    }

    #[test]
    fn sixty_in_a_day() {
        let searches = Searches::default();
        for n in 0..60 {
            searches.enter(1000, minutes(n * 2)).unwrap();
        }
        let refused = searches.enter(1000, minutes(180)).unwrap_err();
        assert_eq!((refused.most, refused.again), (60, minutes(24 * 60)));
        let told = refused.told("eve", minutes(180));
        assert_eq!(
            told.message,
            "eve has made 60 searches in the last 24 hours, as many as those who only look on may make"
        );
        assert_eq!(told.remedy, "ask again in 1260 min (from 2026-03-05T12:00:01Z), or have an operator ask");
        searches.enter(1000, minutes(24 * 60)).unwrap();
    }

    #[test]
    fn a_search_that_failed_and_a_clock_that_was_set_back_cost_nothing() {
        let searches = Searches::default();
        for _ in 0..10 {
            searches.enter(1000, NOON).unwrap();
        }
        searches.leave(1000, NOON);
        searches.enter(1000, NOON).expect("one was given back");
        searches.enter(1000, NOON).unwrap_err();
        searches.enter(1000, minutes(-30)).expect("those are still to come");
    }
}
