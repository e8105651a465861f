//! The drift view: clocks by the date on which they fail, the selected one as a plot, all rates as a histogram.

use super::{
    paint::{cells, first_line, put, put_right, rule, select, sparkline, wrap},
    plot,
};
use crate::{
    domain::UnixMillis,
    face::{DriftLine, Fleet, RateBin, RateBy},
    tui::{
        look::{BAD, FRAME, PLAIN, STRONG},
        model::Model,
        spots::{Pane, Spot, Spots},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Beside the plot the histogram takes so many columns.
const BESIDE: u16 = 34;
/// From this width on there is room for it.
const WIDE: u16 = 100;
/// Fewer rows are no plot.
const LEAST_PLOT: u16 = 5;

/// Draws the view.
pub fn draw(model: &Model, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    spots.note(area, Spot::Pane(Pane::Lines));
    let drift = &model.drift;
    let which = match drift.ahead_days {
        None => "clocks, those that fail first at the top",
        Some(0) => "clocks that are out of their window",
        Some(183) => "clocks that fail within half a year",
        Some(_) => "clocks that fail within a year",
    };
    let filter = drift.filter.text();
    let found = if filter.is_empty() { String::new() } else { format!(" that hold \"{filter}\"") };
    rule(buf, area, area.y, &format!("{which}{found} (f: others)"));
    let right = Rect { width: area.width.saturating_sub(1), ..area };
    put_right(buf, right, area.y, &format!(" {} ", drift.list.total), PLAIN);
    let area = below(area, 1);
    if drift.list.total == 0 {
        let text = match (drift.answered, filter.is_empty() && drift.ahead_days.is_none()) {
            (false, _) => "reckoning: with many tokens the first time takes some seconds",
            (true, true) => "none yet: a token's clock is read whenever it lies on a slot",
            (true, false) => "none (Esc and f show others)",
        };
        put(buf, area, area.x + 1, area.y, text, PLAIN);
        return;
    }
    let mut y = area.y;
    for (text, bad) in summary(&drift.fleet) {
        put(buf, area, area.x + 1, y, &text, if bad { BAD } else { PLAIN });
        y += 1;
    }
    let area = below(area, y - area.y);
    let rows = (area.height / 3).max(3).min(area.height);
    table(model, Rect { height: rows, ..area }, buf, spots);
    lower(model, below(area, rows), buf);
}

fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect { y: area.y + rows, height: area.height - rows, ..area }
}

/// All of them together; the worst batch, if one is worse than its peers.
fn summary(fleet: &Fleet) -> Vec<(String, bool)> {
    let mut lines = vec![(
        format!(
            "{} out of the window · {} more within half a year · {} with a measured rate",
            fleet.outside, fleet.soon, fleet.measured
        ),
        false,
    )];
    lines.extend(fleet.odd.first().map(|odd| {
        let text = format!(
            "batch {} runs worse than other {}: {:.1} ppm off on average, they {:.1}",
            odd.batch, odd.model, odd.off_ppm, odd.others_ppm
        );
        (text, true)
    }));
    lines
}

fn day(at: UnixMillis) -> String {
    at.floor_second().to_string().chars().take(10).collect()
}

fn table(model: &Model, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    let list = &model.drift.list;
    let head = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
    let names = ["serial", "fails", "not before", "off now", "ppm", "window", "batch", "user"];
    line(names.map(str::to_owned), false, head, area.y, buf);
    buf.set_style(Rect { height: 1, ..head }.intersection(*buf.area()), FRAME);
    let rows = below(head, 1);
    let first = first_line(list.selected, list.total, rows.height);
    for (y, place) in (rows.y..rows.bottom()).zip(first..list.total) {
        match list.at(place) {
            Some(clock) => line(texts(clock), clock.outside, rows, y, buf),
            None => {
                put(buf, rows, rows.x, y, "…", FRAME);
            }
        }
        spots.line(area, y, Spot::Line(place));
        if place == list.selected {
            select(buf, rows, y);
            put(buf, area, area.x, y, "▸", STRONG);
        }
    }
}

fn texts(clock: &DriftLine) -> [String; 8] {
    let dash = || "-".to_owned();
    let rate = match clock.by {
        RateBy::Own => format!("{:+.1}", clock.rate_ppm.value),
        RateBy::Model => format!("~{:+.1}", clock.rate_ppm.value),
        RateBy::Nothing => dash(),
    };
    let off = |seconds: f64| {
        if seconds.abs() < 1_000.0 { format!("{seconds:+.1} s") } else { format!("{seconds:+.0} s") }
    };
    [
        clock.serial.to_string(),
        if clock.outside { "IS OUT".to_owned() } else { clock.fails.map_or_else(dash, day) },
        if clock.outside { dash() } else { clock.fails_from.map_or_else(dash, day) },
        clock.now_s.map_or_else(dash, |now| off(now.value)),
        rate,
        format!("{} s{}", clock.window_s, if clock.learns { "+" } else { "" }),
        clock.batch.clone().unwrap_or_else(dash),
        clock.upn.clone().unwrap_or_else(dash),
    ]
}

fn line(texts: [String; 8], bad: bool, area: Rect, y: u16, buf: &mut Buffer) {
    let [serial, fails, from, off, rate, window, batch, user] = &texts;
    let mut columns = vec![
        (serial.as_str(), 15, PLAIN),
        (fails, 10, if bad { BAD } else { PLAIN }),
        (from, 10, PLAIN),
        (off, 9, PLAIN),
        (rate, 6, PLAIN),
        (window, 6, PLAIN),
        (batch, 16, PLAIN),
        (user, 0, PLAIN),
    ];
    if area.width < WIDE - 1 {
        columns.remove(6);
    }
    cells(buf, area, y, &columns);
}

/// The selected clock, and all rates: beside it where there is room, else in one line.
fn lower(model: &Model, area: Rect, buf: &mut Buffer) {
    let rates = &model.drift.fleet.rates;
    let (left, right) = if area.width >= WIDE && area.height > LEAST_PLOT {
        let left = Rect { width: area.width - BESIDE, ..area };
        (left, Some(Rect { x: left.right() + 1, width: BESIDE - 1, ..area }))
    } else {
        (area, None)
    };
    let left = match right {
        Some(right) => {
            histogram(rates, right, buf);
            left
        }
        None => {
            let last = Rect { y: area.bottom().saturating_sub(1), height: 1.min(area.height), ..area };
            in_one_line(rates, last, buf);
            Rect { height: area.height.saturating_sub(1), ..left }
        }
    };
    selected(model, left, buf);
}

fn selected(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(clock) = model.drift.list.current() else { return };
    let mut heading =
        format!("{}, {}", clock.serial, clock.target.as_deref().unwrap_or("no target on record"));
    if clock.learns {
        heading.push_str(", which follows a clock that is used");
    }
    rule(buf, area, area.y, &heading);
    let mut y = area.y + 1;
    for text in wrap(&clock.advice, area.width.saturating_sub(2)) {
        put(buf, area, area.x + 1, y, &text, STRONG);
        y += 1;
    }
    let room = area.bottom().saturating_sub(y);
    let Some(token) = model.drift.plot() else { return };
    let drawn = plot::Plot { readings: &token.readings, clock: token.clock.as_deref(), now: Some(model.now) };
    // The legend goes first where there is no room.
    let legend = u16::from(room > LEAST_PLOT + 2);
    let lines = if room < LEAST_PLOT { Vec::new() } else { plot::lines(&drawn, area.width, room - legend) };
    if lines.is_empty() {
        put(buf, area, area.x + 1, y, "a plot takes a reading, and more rows than these", FRAME);
        return;
    }
    let rows = u16::try_from(lines.len()).unwrap_or(0);
    for (n, line) in (0..).zip(&lines) {
        put(buf, area, area.x, y + n, line, PLAIN);
    }
    if legend == 1 {
        put(buf, area, area.x + 1, y + rows, plot::LEGEND, FRAME);
    }
}

/// Bars across, neighbours together until they fit.
fn histogram(rates: &[RateBin], area: Rect, buf: &mut Buffer) {
    let counted: u64 = rates.iter().map(|bin| bin.tokens).sum();
    rule(buf, area, area.y, &format!("rates of {counted}, ppm"));
    let rows = below(area, 1);
    if rates.is_empty() || rows.height == 0 {
        return;
    }
    let together = rates.len().div_ceil(usize::from(rows.height));
    let bins: Vec<(i32, i32, u64)> = rates
        .chunks(together)
        .map(|bins| {
            let (from, to) = (bins[0].from_ppm, bins[bins.len() - 1].to_ppm);
            (from, to, bins.iter().map(|bin| bin.tokens).sum())
        })
        .collect();
    let most = bins.iter().map(|(_, _, tokens)| *tokens).max().unwrap_or(0).max(1);
    let digits = most.to_string().len();
    let room = u64::from(rows.width).saturating_sub(13 + digits as u64);
    for ((n, (from, to, tokens)), y) in (0..bins.len()).zip(&bins).zip(rows.y..rows.bottom()) {
        let signed = |ppm: i32| if ppm == 0 { "0".to_owned() } else { format!("{ppm:+}") };
        let label = match n {
            0 => format!("under {}", signed(*to)),
            _ if n + 1 == bins.len() => format!("from {}", signed(*from)),
            _ => format!("{} to {}", signed(*from), signed(*to)),
        };
        let long = usize::try_from((tokens * room).div_ceil(most)).unwrap_or(0);
        let x = put(buf, rows, rows.x, y, &format!("{label:>10} │"), FRAME);
        let x = put(buf, rows, x, y, &"█".repeat(long), PLAIN);
        if *tokens > 0 {
            put(buf, rows, x + u16::from(long > 0), y, &tokens.to_string(), PLAIN);
        }
    }
}

fn in_one_line(rates: &[RateBin], area: Rect, buf: &mut Buffer) {
    let (Some(first), Some(last)) = (rates.first(), rates.last()) else { return };
    let counts: Vec<u64> = rates.iter().map(|bin| bin.tokens).collect();
    let counted: u64 = counts.iter().sum();
    let text = format!("rates of {counted}: {:+} ppm ", first.from_ppm);
    let x = put(buf, area, area.x + 1, area.y, &text, PLAIN);
    // Two columns for each, and none where there is none.
    let steps = sparkline(&counts);
    let bars: String = steps
        .chars()
        .zip(&counts)
        .map(|(step, tokens)| if *tokens == 0 { ' ' } else { step })
        .flat_map(|step| [step, step])
        .collect();
    let x = put(buf, area, x, area.y, &format!("[{bars}]"), STRONG);
    put(buf, area, x, area.y, &format!(" {:+} ppm", last.to_ppm), PLAIN);
}
