//! A seed as a QR code over the whole screen; where that is too small for it, how large it must be. As text only where that
//! was asked for.

use super::{
    boxes::{Styled, lines_box, wrapped},
    paint::put,
};
use crate::{
    domain::qr::Modules,
    tui::{
        look::{Look, PLAIN, STRONG},
        model::Model,
        reveal::{Reveal, Shape},
    },
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Style},
    widgets::{Clear, Widget},
};

/// Blank modules round the code: as many as the standard wants, fewer where the terminal is low. Phones take two.
const QUIET: [usize; 4] = [4, 3, 2, 1];

/// How modules become cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drawing {
    /// Two modules, one above the other, are a cell.
    HalfBlocks,
    /// A module is two cells beside each other, which are about as wide as high.
    Cells,
}

impl Drawing {
    /// Columns and rows of a code with so many modules on a side.
    fn cells(self, side: usize) -> (usize, usize) {
        match self {
            Self::HalfBlocks => (side, side.div_ceil(2)),
            Self::Cells => (side * 2, side),
        }
    }

    /// Those that the terminal can show, the best first, the smallest last.
    fn possible(look: Look) -> &'static [Self] {
        match (look.unicode, look.half_blocks) {
            (true, _) => &[Self::HalfBlocks],
            (false, true) => &[Self::Cells, Self::HalfBlocks],
            (false, false) => &[Self::Cells],
        }
    }
}

/// The room below the line that says what it is.
fn below(area: Rect) -> Rect {
    Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
}

/// The best drawing that has room.
fn fitting(look: Look, reveal: &Reveal, room: Rect) -> Option<(Drawing, Modules)> {
    let fits = |drawing: Drawing, modules: &Modules| {
        let (columns, rows) = drawing.cells(modules.side());
        columns <= usize::from(room.width) && rows <= usize::from(room.height)
    };
    Drawing::possible(look).iter().find_map(|drawing| {
        let mut modules = QUIET.iter().filter_map(|quiet| reveal.modules(*quiet));
        Some((*drawing, modules.find(|modules| fits(*drawing, modules))?))
    })
}

/// Draws all but the picture over all of `buf`.
pub fn draw(model: &Model, reveal: &Reveal, buf: &mut Buffer) {
    let area = *buf.area();
    Clear.render(area, buf);
    let inverts = if reveal.shape == Shape::Code { "; i inverts" } else { "" };
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
        &format!("{title}: hides in {seconds} s, and at any key{inverts}"),
        STRONG,
    );
    let room = below(area);
    let lines = match reveal.shape {
        Shape::Text => wrapped(&reveal.groups(), area, STRONG),
        Shape::Code if fitting(model.look, reveal, room).is_some() => return,
        Shape::Code => too_small(model.look, reveal, area),
    };
    lines_box(&title, lines, 0, room, buf);
}

/// How large the terminal must be, and what else there is to do.
fn too_small(look: Look, reveal: &Reveal, area: Rect) -> Vec<Styled> {
    let least = QUIET.last().and_then(|quiet| reveal.modules(*quiet));
    let size = least.zip(Drawing::possible(look).last());
    let Some((columns, rows)) = size.map(|(modules, drawing)| drawing.cells(modules.side())) else {
        return wrapped("This key URI is too long for any QR code.", area, PLAIN);
    };
    // One row more for the line above it.
    let needs = format!(
        "This terminal has {} columns and {} rows; the code needs {columns} and {}.",
        area.width,
        area.height,
        rows + 1
    );
    let mut lines = wrapped(&needs, area, STRONG);
    for remedy in [
        "-> enlarge it, or make its letters smaller: the code appears by itself",
        "-> or write it as a picture into a directory: e in the batches, or kiln export --format qr-png -o DIR",
        "-> or see the seed as text: ask again, with the word text behind the last four",
    ] {
        lines.extend(wrapped(remedy, area, PLAIN));
    }
    lines
}

/// Draws the picture, where there is one, once all else was made as plain as the terminal wants it: half blocks may be
/// the only way.
pub fn picture(look: Look, reveal: &Reveal, buf: &mut Buffer) {
    let room = below(*buf.area());
    let found = Some(reveal).filter(|reveal| reveal.shape == Shape::Code);
    let Some((drawing, modules)) = found.and_then(|reveal| fitting(look, reveal, room)) else { return };
    let (columns, rows) = drawing.cells(modules.side());
    let count = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX);
    let left = room.x + (room.width - count(columns)) / 2;
    // Dark on light, whatever the terminal's own colours are, in two of the 8 that every terminal has; without colours,
    // light letters on a dark terminal.
    let (dark, light) =
        if reveal.inverted { (Color::Gray, Color::Black) } else { (Color::Black, Color::Gray) };
    let drawn = |is_dark: bool| if look.colour { is_dark } else { is_dark == reveal.inverted };
    for (y, row) in (room.y..).zip(0..rows) {
        for (x, column) in (left..).zip(0..columns) {
            let Some(cell) = buf.cell_mut((x, y)) else { continue };
            let (symbol, style) = match drawing {
                Drawing::HalfBlocks => {
                    let upper = drawn(modules.is_dark(column, row * 2));
                    let lower = drawn(modules.is_dark(column, row * 2 + 1));
                    let symbol = match (upper, lower) {
                        (true, true) => '█',
                        (true, false) => '▀',
                        (false, true) => '▄',
                        (false, false) => ' ',
                    };
                    (symbol, Style::new().fg(dark).bg(light))
                }
                Drawing::Cells => {
                    let is_dark = modules.is_dark(column / 2, row);
                    let style = Style::new().bg(if is_dark { dark } else { light });
                    (if drawn(is_dark) && !look.colour { '#' } else { ' ' }, style)
                }
            };
            cell.set_char(symbol).set_style(if look.colour { style } else { Style::new() });
        }
    }
}
