//! Readings of clocks that no reader can read: a code that was right, or that a diagnosis explains, tells within a step
//! or so where the token's clock stands.

use super::super::{core::Core, failure::failure};
use crate::{
    diagnose::{Cause, Diagnosis},
    domain::{Clock, Mode, Period, ReadingKind, Serial, UnixMillis},
    face::{Failure, FailureKind, Ranged, Reply},
    store::NewReading,
};

/// So long after it was shown a code may be typed, in milliseconds: a person reads it, says it and somebody types it.
/// Assumed.
const TYPED_WITHIN_MS: i64 = 15_000;
/// A finding that is less likely tells nothing of the clock.
const SURE: f64 = 0.95;

/// The code of a step was typed that lies so many steps after the one of the station's time `at`.
pub(super) fn by_code(
    core: &Core,
    serial: &Serial,
    steps: i64,
    period: Period,
    at: UnixMillis,
    who: &str,
) -> Result<(), Failure> {
    if !wants_codes(core, serial)? {
        return Ok(());
    }
    Ok(core.store.reading_told(serial, reading(steps, period), at, &core.stamp(who))?)
}

/// What a diagnosis says of the clock, where it is sure of it and nothing else is wrong.
pub(super) fn by_diagnosis(
    core: &Core,
    serial: &Serial,
    found: &Diagnosis,
    at: UnixMillis,
    who: &str,
) -> Result<(), Failure> {
    let Some(first) = found.findings.first().filter(|first| first.posterior >= SURE) else { return Ok(()) };
    let clock_alone =
        first.causes.iter().all(|cause| matches!(cause, Cause::Drift | Cause::Zone | Cause::Date));
    let (Some(offset), Mode::Totp { period, .. }) = (first.offset, first.parameters.mode) else {
        return Ok(());
    };
    if found.ask_another_code || !clock_alone || first.causes.is_empty() {
        return Ok(());
    }
    by_code(core, serial, offset.steps, period, at, who)
}

/// A person timed the changes of a code: that tells the clock but for whole periods, and those are told by where it is
/// expected to stand, if that is known well enough.
pub(super) fn timed(
    core: &Core,
    serial: &Serial,
    period_s: u32,
    (offset_ms, within_ms): (i64, u64),
    who: &str,
) -> Result<Reply, Failure> {
    let now = core.clock.now();
    let course = core.clocks.one(&core.store, &core.catalog, now, serial)?;
    let stands = course.and_then(|course| course.line.now_s);
    let drift_ms = stands.and_then(|stands| whole_periods(stands, period_s, offset_ms)).ok_or_else(|| {
        failure(
            FailureKind::No,
            format!("a timing can't tell whole periods, and where the clock of {serial} stands is not known to one"),
            "compare a code first (kiln verify, or kiln diagnose --token with two codes), then time it again",
        )
    })?;
    let reading = NewReading { drift_ms, uncertainty_ms: within_ms, kind: ReadingKind::Timing };
    core.store.reading_told(serial, reading, now, &core.stamp(who))?;
    Ok(Reply::Done)
}

/// `offset_ms` moved by whole periods to where the clock is expected; none where two places are as good.
fn whole_periods(stands: Ranged, period_s: u32, offset_ms: i64) -> Option<i64> {
    let (period_ms, wide_ms) = (i64::from(period_s) * 1_000, (stands.high - stands.low) * 1_000.0);
    if period_ms == 0 || wide_ms >= period_ms as f64 {
        return None;
    }
    let away = (stands.value * 1_000.0 - offset_ms as f64) / period_ms as f64;
    Some(offset_ms.saturating_add((away.round() as i64).saturating_mul(period_ms)))
}

/// With `k` steps between them, the token is between `k - 1` and `k + 1` periods ahead, and more by what typing took.
fn reading(steps: i64, period: Period) -> NewReading {
    let period_ms = i64::from(period.as_secs()) * 1000;
    NewReading {
        drift_ms: steps.saturating_mul(period_ms).saturating_add(TYPED_WITHIN_MS / 2),
        uncertainty_ms: period_ms.unsigned_abs() + TYPED_WITHIN_MS.unsigned_abs() / 2,
        kind: ReadingKind::Code,
    }
}

/// Whether a code is the best that can tell this token's clock: it is on record, does not tell its clock itself, and has
/// one, as keys that are told the time have not.
fn wants_codes(core: &Core, serial: &Serial) -> Result<bool, Failure> {
    let Some(token) = core.store.token(serial)? else { return Ok(false) };
    let model = token.line.model.as_deref().and_then(|name| core.catalog.model(name));
    Ok(model.is_none_or(|model| !model.read_back.clock && model.driver.has_clock()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timing_finds_its_whole_periods_where_the_clock_is_expected_or_tells_nothing() {
        let stands = |value, half| Ranged { value, low: value - half, high: value + half };
        assert_eq!(whole_periods(stands(62.0, 5.0), 30, 4_000), Some(64_000));
        assert_eq!(whole_periods(stands(-58.0, 14.0), 30, 4_000), Some(-56_000));
        assert_eq!(whole_periods(stands(0.0, 15.0), 30, 4_000), None);
        assert_eq!(whole_periods(stands(0.0, 15.0), 0, 4_000), None);
    }

    #[test]
    fn a_code_tells_the_clock_to_a_step_each_way_and_what_typing_took() {
        let read = reading(3, Period::THIRTY);
        assert_eq!((read.drift_ms, read.uncertainty_ms), (97_500, 37_500));
        // Shown in the step that begins 61 s after the station's begins: a token that is 61 s to 120 s ahead.
        assert!(read.drift_ms - 37_500 <= 61_000 && read.drift_ms + 37_500 >= 120_000);
        assert_eq!(reading(-1, Period::SIXTY).drift_ms, -52_500);
    }
}
