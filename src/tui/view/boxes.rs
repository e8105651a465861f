//! Boxes over the view, as big as what they say.

use super::paint::{frame, put, width, wrap};
use crate::{
    face::Failure,
    tui::{
        look::{BAD, PLAIN, SELECTED, STRONG},
        spots::{Spot, Spots},
    },
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    widgets::{Clear, Widget},
};

/// No box is wider: longer lines are hard to read.
pub const COLUMNS: u16 = 76;

/// A line with its style.
pub type Styled = (String, Style);

/// How much text a line of a box takes.
pub fn room(area: Rect) -> u16 {
    area.width.min(COLUMNS).saturating_sub(4)
}

/// `text` in lines of a box.
pub fn wrapped(text: &str, area: Rect, style: Style) -> Vec<Styled> {
    wrap(text, room(area)).into_iter().map(|line| (line, style)).collect()
}

/// A box in the middle with `lines` from `scroll` on; tells where its text is.
pub fn lines_box(title: &str, lines: Vec<Styled>, scroll: u16, area: Rect, buf: &mut Buffer) -> Rect {
    let widest = lines.iter().map(|(line, _)| width(line)).max().unwrap_or(0).max(width(title) + 2);
    let wide = (widest + 4).min(area.width);
    let high = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2).min(area.height);
    let inside = open_box(title, wide, high, area, buf);
    let rows = usize::from(inside.height);
    let first = usize::from(scroll).min(lines.len().saturating_sub(rows));
    for (y, (line, style)) in (inside.y..inside.bottom()).zip(lines.iter().skip(first)) {
        put(buf, inside, inside.x, y, line, *style);
    }
    let below = lines.len().saturating_sub(first + rows);
    if below > 0 {
        let text = format!(" {below} more below (Down) ");
        put(buf, Rect { height: area.height, ..area }, inside.x, inside.bottom(), &text, STRONG);
    }
    inside
}

/// An empty box in the middle; tells where its text goes.
pub fn open_box(title: &str, wide: u16, high: u16, area: Rect, buf: &mut Buffer) -> Rect {
    let (wide, high) = (wide.min(area.width), high.min(area.height));
    let at = Rect {
        x: area.x + (area.width - wide) / 2,
        y: area.y + (area.height - high) / 3,
        width: wide,
        height: high,
    };
    Clear.render(at, buf);
    let inside = frame(buf, at, title, STRONG);
    Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside }
}

/// The lines of a box from its `first` on are `count` things to choose from.
pub fn choices(inside: Rect, first: usize, count: usize, spots: &mut Spots) {
    let below = (inside.y..inside.bottom()).skip(first);
    for (y, line) in below.zip(0..count) {
        spots.line(inside, y, Spot::Choice(line));
    }
}

/// Where the next letter goes.
pub fn caret(inside: Rect, (line, column): (usize, u16), buf: &mut Buffer) {
    let y = inside.y.saturating_add(u16::try_from(line).unwrap_or(u16::MAX));
    let x = inside.x.saturating_add(column).min(inside.right());
    put(buf, Rect { width: inside.width + 1, ..inside }, x, y, " ", SELECTED);
}

/// What went wrong, with what to do.
pub fn failure_lines(failure: &Failure, area: Rect) -> Vec<Styled> {
    let mut lines = wrapped(&failure.message, area, BAD);
    for detail in &failure.details {
        lines.extend(wrapped(&format!("· {detail}"), area, PLAIN));
    }
    if !failure.remedy.is_empty() {
        lines.extend(wrapped(&format!("-> {}", failure.remedy), area, PLAIN));
    }
    lines
}
