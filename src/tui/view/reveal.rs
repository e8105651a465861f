//! A seed as a QR code over the whole screen; where that is too small for it, as text to type.

use super::{
    boxes::{Styled, lines_box, wrapped},
    paint::put,
};
use crate::tui::{
    look::{PLAIN, STRONG},
    model::Model,
    reveal::Reveal,
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Style},
    widgets::{Clear, Widget},
};

/// Blank modules round the code: as many as the standard wants, fewer where the terminal is low. Phones take two.
const QUIET: [usize; 4] = [4, 3, 2, 1];

/// Draws it over all of `buf`.
pub fn draw(model: &Model, reveal: &Reveal, buf: &mut Buffer) {
    let area = *buf.area();
    Clear.render(area, buf);
    let seconds = model.now.seconds_until(reveal.until).unwrap_or(0);
    let title = match reveal.profile.number() {
        0 => format!("token {}", reveal.serial),
        _ => format!("token {}, profile {}", reveal.serial, reveal.profile),
    };
    put(
        buf,
        area,
        area.x + 1,
        area.y,
        &format!("{title}: hides in {seconds} s, and at any key; i inverts"),
        STRONG,
    );
    let room = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let unicode = model.look.unicode;
    let cells = |side: usize| if unicode { (side, side.div_ceil(2)) } else { (side * 2, side) };
    let fitting = QUIET.iter().find_map(|quiet| {
        let modules = reveal.modules(*quiet)?;
        let (columns, rows) = cells(modules.side());
        (columns <= usize::from(room.width) && rows <= usize::from(room.height)).then_some(modules)
    });
    let Some(modules) = fitting else {
        let mut lines: Vec<Styled> =
            wrapped("This screen is too low for the code. The same as text, to be typed:", area, PLAIN);
        lines.push((String::new(), PLAIN));
        lines.extend(wrapped(&reveal.groups(), area, STRONG));
        lines_box(&title, lines, 0, room, buf);
        return;
    };
    let (columns, rows) = cells(modules.side());
    let count = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX);
    let left = room.x + (room.width - count(columns)) / 2;
    // Dark on light, whatever the terminal's own colours are, in two of the 8 that every terminal has; without colours, light letters on a dark terminal.
    let (dark, light) =
        if reveal.inverted { (Color::Gray, Color::Black) } else { (Color::Black, Color::Gray) };
    let drawn = |is_dark: bool| if model.look.colour { is_dark } else { is_dark == reveal.inverted };
    for (y, row) in (room.y..).zip(0..rows) {
        for (x, column) in (left..).zip(0..columns) {
            let Some(cell) = buf.cell_mut((x, y)) else { continue };
            let (symbol, style) = if unicode {
                let (upper, lower) =
                    (drawn(modules.is_dark(column, row * 2)), drawn(modules.is_dark(column, row * 2 + 1)));
                let symbol = match (upper, lower) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                };
                (symbol, Style::new().fg(dark).bg(light))
            } else {
                let is_dark = modules.is_dark(column / 2, row);
                let style = Style::new().bg(if is_dark { dark } else { light });
                (if drawn(is_dark) && !model.look.colour { '#' } else { ' ' }, style)
            };
            cell.set_char(symbol).set_style(style);
        }
    }
}
