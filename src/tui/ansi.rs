//! The terminal as bytes: a screen's difference in one write.
//!
//! Of ratatui's backends the one for crossterm makes a small write for each cell unless it is buffered, flushes where it
//! hides the cursor, and under `NO_COLOR` sends colour commands without a colour, which undo bold and reverse. What a
//! screen needs is small enough to have here, exactly.

use ratatui::{
    backend::{Backend, ClearType, WindowSize},
    buffer::Cell,
    layout::{Position, Size},
    style::{Color, Modifier},
};
use std::io::{self, Write};

/// Alternate screen, no cursor, bracketed paste.
pub const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[2J";
/// The reverse, for normal ends, suspension and panics alike; the mouse is given back whether or not it was taken.
pub const LEAVE: &str = "\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[0m\x1b[?25h\x1b[?1049l";
/// Presses and the wheel are told, with coordinates of any size.
pub const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
/// The reverse.
pub const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// Writes cells to `W`. Nothing leaves before [`Backend::flush`], and then in one write.
pub struct Ansi<W: Write> {
    out: W,
    frame: Vec<u8>,
    size: fn() -> io::Result<(u16, u16)>,
}

impl<W: Write> Ansi<W> {
    /// `size` tells columns and rows.
    pub fn new(out: W, size: fn() -> io::Result<(u16, u16)>) -> Self {
        Self { out, frame: Vec::new(), size }
    }

    /// Adds bytes that are no cells to the frame: a bell, a clipboard.
    pub fn add(&mut self, bytes: &[u8]) {
        self.frame.extend_from_slice(bytes);
    }

    fn go(&mut self, x: u16, y: u16) {
        self.frame
            .extend_from_slice(format!("\x1b[{};{}H", y.saturating_add(1), x.saturating_add(1)).as_bytes());
    }

    /// Sets what changed from `before` to `cell`, in one command.
    fn dress(&mut self, before: &mut (Color, Color, Modifier), cell: &Cell) {
        let wanted = (cell.fg, cell.bg, cell.modifier);
        if *before == wanted {
            return;
        }
        let mut codes: Vec<String> = Vec::new();
        let gone = before.2 - wanted.2;
        // Modifiers can't be taken away one by one alike on all terminals: begin anew.
        if !gone.is_empty() {
            codes.push("0".into());
            *before = (Color::Reset, Color::Reset, Modifier::empty());
        }
        for (modifier, code) in
            [(Modifier::BOLD, "1"), (Modifier::UNDERLINED, "4"), (Modifier::REVERSED, "7")]
        {
            if wanted.2.contains(modifier) && !before.2.contains(modifier) {
                codes.push(code.into());
            }
        }
        if wanted.0 != before.0 {
            codes.push(colour(wanted.0, 30));
        }
        if wanted.1 != before.1 {
            codes.push(colour(wanted.1, 40));
        }
        self.frame.extend_from_slice(format!("\x1b[{}m", codes.join(";")).as_bytes());
        *before = wanted;
    }
}

/// The code of one of the 16 colours, from `base` on; any other is the terminal's own.
fn colour(colour: Color, base: u8) -> String {
    let number = match colour {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 60,
        Color::LightRed => 61,
        Color::LightGreen => 62,
        Color::LightYellow => 63,
        Color::LightBlue => 64,
        Color::LightMagenta => 65,
        Color::LightCyan => 66,
        Color::White => 67,
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => 9,
    };
    (base + number).to_string()
}

impl<W: Write> Backend for Ansi<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let plain = (Color::Reset, Color::Reset, Modifier::empty());
        let mut dress = plain;
        let mut next = None;
        for (x, y, cell) in content {
            if next != Some((x, y)) {
                self.go(x, y);
            }
            self.dress(&mut dress, cell);
            self.frame.extend_from_slice(cell.symbol().as_bytes());
            // After a wide letter the terminal's place is not worth guessing: it is told.
            next = cell
                .symbol()
                .is_ascii()
                .then_some((x + 1, y))
                .or_else(|| (ratatui::text::Span::raw(cell.symbol()).width() == 1).then_some((x + 1, y)));
        }
        if dress != plain {
            self.frame.extend_from_slice(b"\x1b[0m");
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.add(b"\x1b[?25l");
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.add(b"\x1b[?25h");
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        // Nothing here moves relative to it.
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        self.go(x, y);
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.add(match region {
            ClearType::All => b"\x1b[2J",
            ClearType::AfterCursor => b"\x1b[0J",
            ClearType::BeforeCursor => b"\x1b[1J",
            ClearType::CurrentLine => b"\x1b[2K",
            ClearType::UntilNewLine => b"\x1b[0K",
        });
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        (self.size)().map(|(width, height)| Size { width, height })
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::default() })
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.frame.is_empty() {
            self.out.write_all(&self.frame)?;
            self.frame.clear();
            self.out.flush()?;
        }
        Ok(())
    }
}

/// OSC 52: asks the terminal to put `text` on its clipboard; `inside_tmux` wraps it so that tmux hands it on.
pub fn clipboard(text: &str, inside_tmux: bool) -> String {
    let encoded = data_encoding::BASE64.encode(text.as_bytes());
    let command = format!("\x1b]52;c;{encoded}\x07");
    if inside_tmux { format!("\x1bPtmux;\x1b{command}\x1b\\") } else { command }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::look::{BAD, SELECTED};
    use ratatui::{buffer::Buffer, layout::Rect};

    /// Counts writes, and keeps what was written.
    #[derive(Default)]
    struct Writes(Vec<Vec<u8>>);

    impl Write for &mut Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn drawn(before: &Buffer, after: &Buffer) -> Writes {
        let mut writes = Writes::default();
        let mut ansi = Ansi::new(&mut writes, || Ok((10, 2)));
        ansi.draw(before.diff(after).into_iter()).unwrap();
        ansi.flush().unwrap();
        ansi.flush().unwrap();
        writes
    }

    #[test]
    fn a_difference_is_one_write_and_none_is_no_write() {
        let area = Rect::new(0, 0, 10, 2);
        let before = Buffer::empty(area);
        let mut after = before.clone();
        after.set_string(2, 1, "no", BAD);
        let writes = drawn(&before, &after);
        assert_eq!(writes.0.len(), 1);
        assert_eq!(String::from_utf8_lossy(&writes.0[0]), "\x1b[2;3H\x1b[1;31mno\x1b[0m");
        assert!(drawn(&after, &after).0.is_empty());
    }

    #[test]
    fn what_stays_is_not_said_again_and_what_goes_is_taken_away() {
        let area = Rect::new(0, 0, 10, 2);
        let before = Buffer::empty(area);
        let mut after = before.clone();
        after.set_string(0, 0, "ab", SELECTED);
        after.set_string(2, 0, "cd", BAD);
        after.set_string(4, 0, "日x", BAD);
        let text = String::from_utf8(drawn(&before, &after).0.concat()).unwrap();
        assert_eq!(text, "\x1b[1;1H\x1b[7mab\x1b[0;1;31mcd日\x1b[1;7Hx\x1b[0m");
    }

    #[test]
    fn the_clipboard_is_reached_through_tmux() {
        assert_eq!(clipboard("17", false), "\x1b]52;c;MTc=\x07");
        assert_eq!(clipboard("17", true), "\x1bPtmux;\x1b\x1b]52;c;MTc=\x07\x1b\\");
    }
}
