//! Readings of a clock over time, drawn in letters: the columns are days, the rows seconds. With what is known of the
//! clock, the fit, its span and the server's window are drawn behind them. Every mark is another letter in ASCII, too.

use super::paint::width;
use crate::{
    domain::{DriftSeconds, UnixMillis},
    face::{ClockCourse, ReadingView},
};

/// How wide the numbers at its left may be.
const LABEL: u16 = 9;
/// Between so many seconds at least it is drawn: a clock that is right looks right.
const LEAST_SPAN_S: f64 = 1.0;
/// No plot is wider: nobody sees more in it.
const WIDEST: usize = 120;
/// The rows under the plot: its axis and its days.
const UNDER: usize = 2;

/// What the marks mean; as it is, it tells them apart in ASCII.
pub const LEGEND: &str = "• read  ↑ ↓ read beyond  + fit  : 19 of 20 lie there  ─ window  │ now";

/// What is drawn.
pub struct Plot<'a> {
    /// The readings, in any order.
    pub readings: &'a [ReadingView],
    /// What is known of the clock.
    pub clock: Option<&'a ClockCourse>,
    /// The moment now; none: it isn't marked.
    pub now: Option<UnixMillis>,
}

/// From where to where it is drawn.
struct Frame {
    first: i64,
    last: i64,
    low: f64,
    high: f64,
    columns: usize,
    rows: usize,
}

impl Frame {
    fn column(&self, at: UnixMillis) -> Option<usize> {
        let span = self.last.saturating_sub(self.first).max(1);
        let from = at.0.checked_sub(self.first).filter(|from| *from >= 0 && *from <= span)?;
        // In a float: milliseconds of years times columns would do in an integer, of centuries would not.
        let part = from as f64 / span as f64 * (self.columns as f64 - 1.0);
        Some((part.round() as usize).min(self.columns - 1))
    }

    /// Which row a drift falls into: none above and below.
    fn row(&self, drift: f64) -> Option<usize> {
        (drift >= self.low && drift <= self.high)
            .then(|| place((self.high - drift) / (self.high - self.low), self.rows))
    }
}

/// The plot in lines of at most `room` columns and `height` rows; none where there is nothing to compare.
pub fn lines(plot: &Plot<'_>, room: u16, height: u16) -> Vec<String> {
    let columns = usize::from(room.saturating_sub(LABEL + 2)).min(WIDEST);
    let rows = usize::from(height).saturating_sub(UNDER);
    if columns < 10 || rows < 3 {
        return Vec::new();
    }
    let Some(frame) = frame(plot, columns, rows) else { return Vec::new() };
    let mut cells = vec![vec![' '; columns]; rows];
    if let Some(row) = frame.row(0.0) {
        cells[row].iter_mut().step_by(2).for_each(|cell| *cell = '·');
    }
    if let Some(clock) = plot.clock {
        draw_clock(clock, &frame, &mut cells);
    }
    if let Some(column) = plot.now.and_then(|now| frame.column(now)) {
        for row in &mut cells {
            if row[column] == ' ' || row[column] == '·' {
                row[column] = '│';
            }
        }
    }
    for reading in plot.readings {
        let Some(column) = frame.column(reading.at) else { continue };
        match frame.row(reading.drift.0) {
            Some(row) => cells[row][column] = '•',
            None if reading.drift.0 > frame.high => cells[0][column] = '↑',
            None if reading.drift.0 < frame.low => cells[rows - 1][column] = '↓',
            None => {}
        }
    }
    let zero = frame.row(0.0);
    let label = |row: usize| match row {
        0 => DriftSeconds(frame.high).to_string(),
        _ if Some(row) == zero => "0".to_owned(),
        _ if row + 1 == rows => DriftSeconds(frame.low).to_string(),
        _ => String::new(),
    };
    let mut lines: Vec<String> = (0..rows)
        .map(|row| {
            format!("{:>9} │{}", label(row), cells[row].iter().collect::<String>()).trim_end().to_owned()
        })
        .collect();
    lines.push(format!("{:>9} └{}", "", "─".repeat(columns)));
    let day = |at: i64| UnixMillis(at).floor_second().to_string().chars().take(10).collect::<String>();
    let (from, to) = (day(frame.first), day(frame.last));
    let gap = columns.saturating_sub(usize::from(width(&from) + width(&to)));
    lines.push(format!("{:>9}  {from}{}{to}", "", " ".repeat(gap)));
    lines
}

/// The server's window, the span, the fit, each over what is behind it.
fn draw_clock(clock: &ClockCourse, frame: &Frame, cells: &mut [Vec<char>]) {
    let window = f64::from(clock.line.window_s);
    for row in [window, -window].into_iter().filter_map(|edge| frame.row(edge)) {
        cells[row].fill('─');
    }
    for pair in clock.fit.windows(2) {
        // Between two points the fit is a straight line.
        let (Some(from), Some(to)) = (frame.column(pair[0].at), frame.column(pair[1].at)) else { continue };
        for column in from..=to {
            let part = if to == from { 0.0 } else { (column - from) as f64 / (to - from) as f64 };
            let between = |a: f64, b: f64| a + (b - a) * part;
            let (a, b) = (pair[0].drift_s, pair[1].drift_s);
            let (low, high) = (between(a.low, b.low), between(a.high, b.high));
            let step = (frame.high - frame.low) / (frame.rows as f64 - 1.0);
            for (row, cells) in cells.iter_mut().enumerate() {
                let here = frame.high - row as f64 * step;
                if here >= low - step / 2.0 && here <= high + step / 2.0 && cells[column] != '+' {
                    cells[column] = ':';
                }
            }
            if let Some(row) = frame.row(between(a.value, b.value)) {
                cells[row][column] = '+';
            }
        }
    }
}

/// What to show: of a known clock how it runs since it was set, as much from before, and what it will do; all readings
/// of another. Zero is in sight: what matters is how far off the clock is.
fn frame(plot: &Plot<'_>, columns: usize, rows: usize) -> Option<Frame> {
    let times = || plot.readings.iter().map(|reading| reading.at.0);
    let finite = |drift: &f64| drift.is_finite();
    let (first, last, low, high) = match plot.clock.map(|clock| (clock, clock.fit.first(), clock.fit.last()))
    {
        Some((clock, Some(begin), Some(end))) => {
            let before = begin.at.0.saturating_sub(end.at.0.saturating_sub(begin.at.0));
            let first = times().min().unwrap_or(begin.at.0).max(before).min(begin.at.0);
            let widen = |(low, high): (f64, f64), drift: f64| (low.min(drift), high.max(drift));
            let fit = clock.fit.iter().map(|point| point.drift_s.value).filter(finite);
            let fit = fit.fold((0.0_f64, 0.0_f64), widen);
            // A reading that lies far from all that is marked at the edge: it must not flatten the rest.
            let reach = f64::from(clock.line.window_s);
            let near = plot.readings.iter().filter(|reading| reading.at >= begin.at).map(|r| r.drift.0);
            let near = near.filter(|drift| (fit.0 - reach..=fit.1 + reach).contains(drift));
            let (low, high) = near.fold(fit, widen);
            // The edge of the window that the clock runs to.
            let window = reach * 1.1;
            let (low, high) = if clock.line.rate_ppm.value < 0.0 {
                (low.min(-window), high.max((high - low) / 8.0))
            } else {
                (low.min((low - high) / 8.0), high.max(window))
            };
            (first, end.at.0, low, high)
        }
        _ => {
            let (first, last) = (times().min()?, times().max()?);
            if plot.readings.len() < 2 {
                return None;
            }
            let drifts = plot.readings.iter().map(|reading| reading.drift.0).filter(finite);
            let (low, high) =
                drifts.fold((0.0_f64, 0.0_f64), |(low, high), drift| (low.min(drift), high.max(drift)));
            (first, last, low, high)
        }
    };
    Some(Frame { first, last, low, high: high.max(low + LEAST_SPAN_S), columns, rows })
}

/// Which of `rows` the part `from_top` (0 to 1) falls into.
fn place(from_top: f64, rows: usize) -> usize {
    (0..rows).rev().find(|row| from_top * (rows as f64 - 1.0) >= *row as f64 - 0.5).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ClockState, ReadingKind};

    fn readings(drifts: &[f64]) -> Vec<ReadingView> {
        let reading = |(day, drift): (i64, &f64)| ReadingView {
            at: UnixMillis(1_780_000_000_000 + day * 86_400_000),
            drift: DriftSeconds(*drift),
            uncertainty_ms: 500,
            clock: ClockState::Simulated,
            kind: ReadingKind::Clock,
        };
        (0..).zip(drifts).map(reading).collect()
    }

    fn plain(drifts: &[f64], room: u16) -> Vec<String> {
        lines(&Plot { readings: &readings(drifts), clock: None, now: None }, room, 9)
    }

    #[test]
    fn a_clock_that_runs_away_climbs_from_left_to_right() {
        let lines = plain(&[0.0, 2.0, 4.0, 6.0], 40);
        assert_eq!(lines.len(), 9);
        assert_eq!(lines[0], format!("   +6.0 s │{}•", " ".repeat(28)));
        assert!(lines[6].starts_with("        0 │• · "), "{}", lines[6]);
        assert_eq!(lines.iter().map(|line| line.matches('•').count()).sum::<usize>(), 4);
        assert!(lines.iter().all(|line| width(line) <= 40));
        assert!(lines[8].contains("2026-05-28") && lines[8].ends_with("2026-05-31"));
    }

    #[test]
    fn one_reading_is_no_plot_and_wild_ones_do_no_harm() {
        assert!(plain(&[1.0], 40).is_empty());
        assert!(plain(&[1.0, 2.0], 8).is_empty());
        for wild in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e300] {
            assert_eq!(plain(&[wild, -1.0], 40).len(), 9);
        }
    }
}
