//! Readings of a clock over time, drawn in letters: the dots' columns are days, their rows seconds.

use super::paint::width;
use crate::{domain::DriftSeconds, face::ReadingView};

/// How high the plot is, without its axis.
const ROWS: usize = 7;
/// How wide the numbers at its left may be.
const LABEL: u16 = 9;
/// Between so many seconds at least it is drawn: a clock that is right looks right.
const LEAST_SPAN_S: f64 = 1.0;

/// The plot in lines of at most `room` columns; none where there is nothing to compare.
pub fn lines(readings: &[ReadingView], room: u16) -> Vec<String> {
    let columns = usize::from(room.saturating_sub(LABEL + 2)).min(64);
    let times = readings.iter().map(|reading| reading.at.0);
    let (Some(first), Some(last)) = (times.clone().min(), times.max()) else { return Vec::new() };
    if readings.len() < 2 || columns < 10 {
        return Vec::new();
    }
    // Zero is in sight: what matters is how far off the clock is.
    let drifts = readings.iter().map(|reading| reading.drift.0).filter(|drift| drift.is_finite());
    let (low, high) = drifts.fold((0.0_f64, 0.0_f64), |(low, high), drift| (low.min(drift), high.max(drift)));
    let high = high.max(low + LEAST_SPAN_S);
    let row_of = |drift: f64| place((high - drift) / (high - low), ROWS);
    let span = last.saturating_sub(first).max(1);
    let mut cells = vec![vec![' '; columns]; ROWS];
    cells[row_of(0.0)].fill('·');
    for reading in readings.iter().filter(|reading| reading.drift.0.is_finite()) {
        let column = reading.at.0.saturating_sub(first).saturating_mul(columns as i64 - 1) / span;
        cells[row_of(reading.drift.0)][usize::try_from(column).unwrap_or(0).min(columns - 1)] = '•';
    }
    let label = |row: usize| match row {
        0 => DriftSeconds(high).to_string(),
        _ if row == row_of(0.0) => "0".to_owned(),
        _ if row + 1 == ROWS => DriftSeconds(low).to_string(),
        _ => String::new(),
    };
    let mut lines: Vec<String> = (0..ROWS)
        .map(|row| format!("{:>9} │{}", label(row), cells[row].iter().collect::<String>()))
        .collect();
    lines.push(format!("{:>9} └{}", "", "─".repeat(columns)));
    let day = |at: i64| {
        crate::domain::UnixMillis(at).floor_second().to_string().chars().take(10).collect::<String>()
    };
    let (from, to) = (day(first), day(last));
    let gap = columns.saturating_sub(usize::from(width(&from) + width(&to)));
    lines.push(format!("{:>9}  {from}{}{to}", "", " ".repeat(gap)));
    lines
}

/// Which of `rows` the part `from_top` (0 to 1) falls into.
fn place(from_top: f64, rows: usize) -> usize {
    (0..rows).rev().find(|row| from_top * (rows as f64 - 1.0) >= *row as f64 - 0.5).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ClockState, UnixMillis};

    fn readings(drifts: &[f64]) -> Vec<ReadingView> {
        let reading = |(day, drift): (i64, &f64)| ReadingView {
            at: UnixMillis(1_780_000_000_000 + day * 86_400_000),
            drift: DriftSeconds(*drift),
            uncertainty_ms: 500,
            clock: ClockState::Simulated,
        };
        (0..).zip(drifts).map(reading).collect()
    }

    #[test]
    fn a_clock_that_runs_away_climbs_from_left_to_right() {
        let lines = lines(&readings(&[0.0, 2.0, 4.0, 6.0]), 40);
        assert_eq!(lines.len(), ROWS + 2);
        assert_eq!(lines[0], format!("   +6.0 s │{}•", " ".repeat(28)));
        assert!(lines[ROWS - 1].starts_with("        0 │•··"));
        assert_eq!(lines.iter().map(|line| line.matches('•').count()).sum::<usize>(), 4);
        assert!(lines.iter().all(|line| width(line) <= 40));
        assert!(lines[ROWS + 1].contains("2026-05-28") && lines[ROWS + 1].ends_with("2026-05-31"));
    }

    #[test]
    fn one_reading_is_no_plot_and_wild_ones_do_no_harm() {
        assert!(lines(&readings(&[1.0]), 40).is_empty());
        assert!(lines(&readings(&[1.0, 2.0]), 8).is_empty());
        for wild in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e300] {
            assert_eq!(lines(&readings(&[wild, -1.0]), 40).len(), ROWS + 2);
        }
    }
}
