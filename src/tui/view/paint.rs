//! Small strokes: text that never runs over, wrapped text, gauges, boxes.

use crate::tui::look;
use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Span};
use std::borrow::Cow;

/// `text` without what would move the cursor or turn the writing round: it may come from a file or a device.
pub fn plain(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.contains(harmful) {
        text.chars().map(|c| if harmful(c) { '\u{fffd}' } else { c }).collect()
    } else {
        text.into()
    }
}

/// How many columns `text` takes.
pub fn width(text: &str) -> u16 {
    u16::try_from(Span::raw(text).width()).unwrap_or(u16::MAX)
}

/// `text` in at most `room` columns; what is cut off is marked.
pub fn fit(text: &str, room: u16) -> String {
    let text = plain(text);
    if width(&text) <= room {
        return text.into_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        let mut letter = [0; 4];
        if width(&kept) + width(c.encode_utf8(&mut letter)) + 1 > room {
            break;
        }
        kept.push(c);
    }
    if room > 0 {
        kept.push('…');
    }
    kept
}

/// Writes `text` at `x`, `y` inside `area` and tells the column after it.
pub fn put(buf: &mut Buffer, area: Rect, x: u16, y: u16, text: &str, style: Style) -> u16 {
    let area = area.intersection(*buf.area());
    if y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right() {
        return x;
    }
    let text = fit(text, area.right() - x);
    buf.set_string(x, y, &text, style);
    x + width(&text)
}

/// Writes `text` so that it ends at the right of `area`.
pub fn put_right(buf: &mut Buffer, area: Rect, y: u16, text: &str, style: Style) {
    let x = area.right().saturating_sub(width(text)).max(area.left());
    put(buf, area, x, y, text, style);
}

/// Cells of one line: each a text, its width and its style, with a blank between them; the last one has the rest.
pub fn cells(buf: &mut Buffer, area: Rect, y: u16, cells: &[(&str, u16, Style)]) {
    let mut x = area.left();
    for (n, (text, room, style)) in cells.iter().enumerate() {
        let room = if n + 1 == cells.len() { area.right().saturating_sub(x) } else { *room };
        let cell = Rect { x, width: room.min(area.right().saturating_sub(x)), ..area };
        put(buf, cell, x, y, text, *style);
        x = x.saturating_add(room + 1).min(area.right());
    }
}

/// `text` in lines of at most `room` columns, broken between words where that is possible.
pub fn wrap(text: &str, room: u16) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in plain(text).split_whitespace() {
        let mut word = word.to_owned();
        while width(&line) + u16::from(!line.is_empty()) + width(&word) > room {
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                continue;
            }
            let cut = word.char_indices().map(|(at, c)| at + c.len_utf8());
            let cut = cut.take_while(|end| width(&word[..*end]) <= room).last();
            // A letter wider than the room has a line of its own: better cut than never ended.
            let cut = cut.unwrap_or_else(|| word.chars().next().map_or(word.len(), char::len_utf8));
            let rest = word.split_off(cut);
            lines.push(std::mem::replace(&mut word, rest));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// A bar of `room` columns.
pub fn gauge(done: u64, total: u64, room: u16) -> String {
    let filled = u64::from(room) * done.min(total) / total.max(1);
    let filled = usize::try_from(filled).unwrap_or(0);
    "█".repeat(filled) + &"░".repeat(usize::from(room).saturating_sub(filled))
}

/// A column for each value, as high as it is against the highest.
pub fn sparkline(values: &[u64]) -> String {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let step = |value: &u64| usize::try_from((*value * 7).div_ceil(most)).unwrap_or(7);
    values.iter().map(|value| STEPS[step(value).min(7)]).collect()
}

/// A frame with a title at its left and a word at its right; tells what is inside.
pub fn frame(buf: &mut Buffer, area: Rect, title: &str, style: Style) -> Rect {
    if area.width < 2 || area.height < 2 || area.intersection(*buf.area()) != area {
        return Rect { width: 0, height: 0, ..area };
    }
    let across = "─".repeat(usize::from(area.width - 2));
    let last = area.bottom() - 1;
    buf.set_string(area.x, area.y, format!("┌{across}┐"), style);
    for y in area.y + 1..last {
        buf.set_string(area.x, y, "│", style);
        buf.set_string(area.right() - 1, y, "│", style);
    }
    buf.set_string(area.x, last, format!("└{across}┘"), style);
    if !title.is_empty() {
        let inside = Rect { x: area.x + 2, width: area.width.saturating_sub(4), ..area };
        put(buf, inside, inside.x, area.y, &format!(" {title} "), look::STRONG);
    }
    Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

/// A line across with a heading in it.
pub fn rule(buf: &mut Buffer, area: Rect, y: u16, heading: &str) -> u16 {
    put(buf, area, area.x, y, &"─".repeat(usize::from(area.width)), look::FRAME);
    put(buf, area, area.x + 1, y, &format!(" {heading} "), look::STRONG)
}

/// Marks the line at `y` as selected.
pub fn select(buf: &mut Buffer, area: Rect, y: u16) {
    let line = Rect { y, height: 1, ..area }.intersection(area).intersection(*buf.area());
    buf.set_style(line, look::SELECTED);
}

/// The first line to show so that `selected` is in sight.
pub fn first_line(selected: u64, total: u64, rows: u16) -> u64 {
    let rows = u64::from(rows);
    selected.saturating_sub(rows / 2).min(total.saturating_sub(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_with_a_mark_and_made_harmless() {
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdef", 5), "abcd…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(plain("a\u{1b}[2Jb\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}c");
    }

    #[test]
    fn wrapping_loses_no_letter() {
        assert_eq!(wrap("put the token back", 9), ["put the", "token", "back"]);
        assert_eq!(wrap("8659610000012", 5), ["86596", "10000", "012"]);
        assert_eq!(wrap("日本", 1), ["日", "本"]);
        assert!(wrap("", 5).is_empty());
    }

    #[test]
    fn bars_fill_from_the_left_and_sparks_reach_the_top() {
        assert_eq!(gauge(1, 4, 8), "██░░░░░░");
        assert_eq!(gauge(9, 4, 4), "████");
        assert_eq!(gauge(0, 0, 3), "░░░");
        assert_eq!(sparkline(&[0, 1, 2]), "▁▅█");
        assert_eq!(sparkline(&[0, 0]), "▁▁");
    }

    #[test]
    fn the_selected_line_is_in_sight() {
        for selected in 0..50 {
            let first = first_line(selected, 50, 7);
            assert!(first <= selected && selected < first + 7);
        }
        assert_eq!(first_line(3, 4, 10), 0);
    }
}
