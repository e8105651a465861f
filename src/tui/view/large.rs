//! Words that can be read from two steps away.

use crate::tui::view::paint::put;
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

/// How high a large word is.
pub const ROWS: u16 = 5;
/// How wide a letter is, its gap included.
const LETTER: u16 = 8;

/// Rows of a letter, `#` is ink. Only those that the verdicts need.
fn letter(c: char) -> [&'static str; 5] {
    match c {
        'R' => ["##### ", "##  ##", "##### ", "## ## ", "##  ##"],
        'I' => ["######", "  ##  ", "  ##  ", "  ##  ", "######"],
        'G' => [" #####", "##    ", "## ###", "##  ##", " #####"],
        'H' => ["##  ##", "##  ##", "######", "##  ##", "##  ##"],
        'T' => ["######", "  ##  ", "  ##  ", "  ##  ", "  ##  "],
        'W' => ["##   ##", "##   ##", "## # ##", "#######", " ## ## "],
        'O' => [" #### ", "##  ##", "##  ##", "##  ##", " #### "],
        'N' => ["##  ##", "### ##", "######", "## ###", "##  ##"],
        _ => [""; 5],
    }
}

/// Draws `word` in the middle of `area`, from its first row on.
pub fn draw(word: &str, style: Style, area: Rect, buf: &mut Buffer) {
    let count = u16::try_from(word.chars().count()).unwrap_or(u16::MAX);
    let wide = count.saturating_mul(LETTER).saturating_sub(1);
    if wide > area.width || area.height < ROWS {
        let x = area.x + area.width.saturating_sub(count) / 2;
        put(buf, area, x, area.y, word, style);
        return;
    }
    let left = area.x + (area.width - wide) / 2;
    for (x, c) in (left..).step_by(usize::from(LETTER)).zip(word.chars()) {
        for (y, row) in (area.y..).zip(letter(c)) {
            put(buf, area, x, y, &row.replace('#', "█"), style);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_verdicts_have_all_their_letters() {
        for c in "RIGHTWRONG".chars() {
            assert!(letter(c).iter().all(|row| matches!(row.len(), 6 | 7)), "{c}");
        }
    }

    #[test]
    fn where_there_is_no_room_the_word_stands_small() {
        let area = Rect::new(0, 0, 10, 3);
        let mut buf = Buffer::empty(area);
        draw("WRONG", Style::new(), area, &mut buf);
        let text: String = buf.content().iter().map(|cell| cell.symbol()).collect();
        assert_eq!(text.trim(), "WRONG");
    }
}
