//! How things look: the few styles there are, and what becomes of them on a terminal without colours or without
//! Unicode. Every screen is drawn once, in full; [`Look::apply`] takes away what the terminal can't show. So a view
//! can't forget to ask, and nothing can be said by colour alone without a test seeing it.

use crate::face::Doing;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
};
use std::ffi::OsString;

/// What the terminal can show, and whether its mouse is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The 16 colours.
    pub colour: bool,
    /// Letters, lines and blocks beyond ASCII.
    pub unicode: bool,
    /// Half blocks, at least, where nothing else will do: the terminal takes UTF-8, though a person wants ASCII.
    pub half_blocks: bool,
    /// The mouse is listened to from the start.
    pub mouse: bool,
}

impl Look {
    /// All that a terminal can show, and no mouse.
    pub const FULL: Self = Self { colour: true, unicode: true, half_blocks: true, mouse: false };

    /// As little as there may be.
    pub const BARE: Self = Self { colour: false, unicode: false, half_blocks: false, mouse: false };

    /// What the environment says: `NO_COLOR`, `KILN_ASCII`, `KILN_NO_MOUSE`, and the locale's character set.
    pub fn find(env: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        Self {
            colour: set("NO_COLOR").is_none(),
            unicode: utf8 && set("KILN_ASCII").is_none(),
            half_blocks: utf8,
            mouse: set("KILN_NO_MOUSE").is_none(),
        }
    }

    /// Takes away what this terminal can't show.
    pub fn apply(self, area: Rect, buf: &mut Buffer) {
        for position in area.positions() {
            let Some(cell) = buf.cell_mut(position) else { continue };
            if !self.colour {
                cell.fg = Color::Reset;
                cell.bg = Color::Reset;
            }
            if !self.unicode && !cell.symbol().is_ascii() {
                let plain = plain_symbol(cell.symbol());
                cell.set_char(plain);
            }
        }
    }
}

/// The nearest in ASCII.
fn plain_symbol(symbol: &str) -> char {
    match symbol.chars().next().unwrap_or(' ') {
        '─' | '━' | '–' | '—' => '-',
        '│' => '|',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' => '+',
        '█' | '▇' | '▆' | '▅' => '#',
        '▄' | '▃' => '=',
        '▂' => '_',
        '▁' => '.',
        '░' => '.',
        '…' => '~',
        '▸' | '→' => '>',
        '▏' => '_',
        '•' => '*',
        '·' => '.',
        '↑' => '^',
        '↓' => 'v',
        _ => '?',
    }
}

/// Plain text.
pub const PLAIN: Style = Style::new();
/// Headings, and what matters in a line.
pub const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
/// The selected line, and where the cursor is.
pub const SELECTED: Style = Style::new().add_modifier(Modifier::REVERSED);
/// What went well.
pub const GOOD: Style = Style::new().fg(Color::Green);
/// What went wrong.
pub const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
/// Lines, borders, keys.
pub const FRAME: Style = Style::new().fg(Color::Blue);
/// A banner across the screen: readable on dark and light terminals, and without colours.
pub const BANNER: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD.union(Modifier::REVERSED));
/// A banner that is only for knowing.
pub const NOTE: Style = Style::new().fg(Color::Blue).add_modifier(Modifier::REVERSED);

/// How the word for the hands looks: the louder, the more they are wanted.
pub fn doing(doing: Doing) -> Style {
    match doing {
        Doing::Place | Doing::Wait => STRONG,
        Doing::Touch => Style::new().fg(Color::Blue).add_modifier(Modifier::BOLD.union(Modifier::REVERSED)),
        Doing::Take => Style::new().fg(Color::Green).add_modifier(Modifier::BOLD.union(Modifier::REVERSED)),
        Doing::Look => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD.union(Modifier::REVERSED)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(vars: &[(&str, &str)]) -> Look {
        let vars: Vec<(String, OsString)> = vars.iter().map(|(k, v)| ((*k).into(), v.into())).collect();
        Look::find(|name| vars.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()))
    }

    #[test]
    fn the_environment_decides() {
        let full = Look { mouse: true, ..Look::FULL };
        assert_eq!(look(&[("LANG", "de_DE.UTF-8")]), full);
        let ascii = Look { unicode: false, half_blocks: false, ..full };
        assert_eq!(look(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]), ascii);
        assert_eq!(look(&[("LC_CTYPE", "C.utf8"), ("NO_COLOR", "1")]), Look { colour: false, ..full });
        assert_eq!(look(&[("LANG", "C.UTF-8"), ("KILN_ASCII", "1")]), Look { unicode: false, ..full });
        assert_eq!(look(&[("LANG", "C.UTF-8"), ("KILN_NO_MOUSE", "1")]), Look::FULL);
        assert!(look(&[("NO_COLOR", "")]).colour);
    }

    #[test]
    fn what_the_terminal_cannot_show_is_taken_away_and_emphasis_stays() {
        let area = Rect::new(0, 0, 5, 1);
        let mut buf = Buffer::empty(area);
        buf.set_string(0, 0, "─█é…x", BAD);
        Look::BARE.apply(area, &mut buf);
        let text: String = buf.content().iter().map(|cell| cell.symbol()).collect();
        assert_eq!(text, "-#?~x");
        assert!(buf.content().iter().all(|cell| cell.fg == Color::Reset && cell.modifier == Modifier::BOLD));
    }
}
