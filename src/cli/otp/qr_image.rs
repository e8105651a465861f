//! A QR code (ISO/IEC 18004) as text for a terminal and as a PNG picture.
//!
//! Both hold the seed, so what is drawn is wiped; the buffers inside the crate that writes pictures are not within reach.

use crate::domain::qr::Modules;
use zeroize::Zeroizing;

/// Height and width of the picture.
pub(super) const PNG_PIXELS: usize = 512;

/// Which characters stand for modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Glyphs {
    /// One character for two modules, one above the other.
    HalfBlocks,
    /// Two characters for each module, to make it square.
    Ascii,
}

/// How light and dark are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// Black on white, whatever the terminal's own colours are.
    Colours,
    /// The light modules are drawn: right where the background is dark.
    Light,
    /// The dark modules are drawn: right where the background is light, and on paper.
    Dark,
}

impl Modules {
    /// Lines for a terminal, each with its line feed.
    pub(super) fn text(&self, glyphs: Glyphs, ink: Ink) -> Zeroizing<String> {
        // Three bytes a half block, or two characters a module; ten for each line's colours.
        let mut text = Zeroizing::new(String::with_capacity(self.side() * (3 * self.side() + 32)));
        let rows_in_a_line = match glyphs {
            Glyphs::HalfBlocks => 2,
            Glyphs::Ascii => 1,
        };
        for y in (0..self.side()).step_by(rows_in_a_line) {
            match (glyphs, ink) {
                (Glyphs::HalfBlocks, Ink::Colours) => text.push_str("\x1b[30;47m"),
                (Glyphs::Ascii, Ink::Colours) => text.push_str("\x1b[47m"),
                (_, Ink::Light | Ink::Dark) => {}
            }
            for x in 0..self.side() {
                let (upper, lower) = (self.is_dark(x, y), self.is_dark(x, y + 1));
                // With colours the dark modules are drawn, in black.
                let drawn = |dark: bool| dark != (ink == Ink::Light);
                match (glyphs, ink) {
                    (Glyphs::HalfBlocks, _) => text.push(match (drawn(upper), drawn(lower)) {
                        (true, true) => '█',
                        (true, false) => '▀',
                        (false, true) => '▄',
                        (false, false) => ' ',
                    }),
                    (Glyphs::Ascii, Ink::Colours) => {
                        // Only where the colour changes: an SSH line may be slow.
                        let changed = x > 0 && upper != self.is_dark(x - 1, y);
                        text.push_str(match (changed, upper) {
                            (true, true) => "\x1b[40m  ",
                            (true, false) => "\x1b[47m  ",
                            (false, _) => "  ",
                        });
                    }
                    (Glyphs::Ascii, Ink::Light | Ink::Dark) => {
                        text.push_str(if drawn(upper) { "##" } else { "  " });
                    }
                }
            }
            text.push_str(if ink == Ink::Colours { "\x1b[0m\n" } else { "\n" });
        }
        text
    }

    /// A picture of 512×512 pixels, black on white, with modules of a whole number of pixels.
    pub(in crate::cli) fn png(&self) -> Result<Zeroizing<Vec<u8>>, png::EncodingError> {
        // The largest QR code has 177 modules on a side, so this is 2 at least.
        let scale = PNG_PIXELS / self.side();
        let margin = (PNG_PIXELS - scale * self.side()) / 2;
        let row_bytes = PNG_PIXELS / 8;
        let mut pixels = Zeroizing::new(vec![0xFF; row_bytes * PNG_PIXELS]);
        for (y, row) in pixels.chunks_exact_mut(row_bytes).enumerate() {
            for x in 0..PNG_PIXELS {
                let module =
                    |at: usize| at.checked_sub(margin).map(|at| at / scale).filter(|at| *at < self.side());
                if let (Some(column), Some(line)) = (module(x), module(y))
                    && self.is_dark(column, line)
                {
                    row[x / 8] &= !(0x80 >> (x % 8));
                }
            }
        }
        // Larger than the pixels themselves, so that it never grows.
        let mut file = Zeroizing::new(Vec::with_capacity(2 * pixels.len()));
        let size = u32::try_from(PNG_PIXELS).expect("512 fits 32 bits");
        let mut encoder = png::Encoder::new(&mut *file, size, size);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&pixels)?;
        writer.finish()?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::qr::{QUIET, Sturdiness};

    const TEXT: &str = "otpauth://totp/Kiln:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Kiln";

    /// What a phone reads from a picture given as its dark pixels.
    fn scan(width: usize, height: usize, dark: impl Fn(usize, usize) -> bool) -> String {
        let grey = |x, y| if dark(x, y) { 0 } else { 255 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "codes found");
        grids[0].decode().unwrap().1
    }

    /// What a terminal shows, 4 pixels a module: `lit` says which characters are drawn in their upper and lower half.
    fn scan_terminal(text: &str, half_blocks: bool, drawn_is_dark: bool) -> String {
        let rows: Vec<Vec<bool>> = text
            .lines()
            .flat_map(|line| match half_blocks {
                true => {
                    let upper = line.chars().map(|c| matches!(c, '█' | '▀')).collect();
                    let lower = line.chars().map(|c| matches!(c, '█' | '▄')).collect();
                    vec![upper, lower]
                }
                false => vec![line.bytes().step_by(2).map(|c| c == b'#').collect()],
            })
            .collect();
        scan(rows[0].len() * 4, rows.len() * 4, |x, y| rows[y / 4][x / 4] == drawn_is_dark)
    }

    #[test]
    fn the_picture_is_512_pixels_square_and_holds_the_text() {
        for text in [TEXT.to_owned(), "x".into(), format!("{TEXT}&image={}", "y".repeat(1800))] {
            let file = Modules::encode(&text, Sturdiness::Print, QUIET).unwrap().png().unwrap();
            let mut reader = png::Decoder::new(std::io::Cursor::new(file.as_slice())).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let frame = reader.next_frame(&mut pixels).unwrap();
            assert_eq!((frame.width, frame.height), (512, 512));
            let is_dark = |x: usize, y: usize| pixels[y * frame.line_size + x / 8] & (0x80 >> (x % 8)) == 0;
            assert_eq!(scan(512, 512, is_dark), text);
        }
    }

    #[test]
    fn what_a_terminal_shows_holds_the_text() {
        let modules = Modules::encode(TEXT, Sturdiness::Screen, QUIET).unwrap();
        for (glyphs, half_blocks) in [(Glyphs::HalfBlocks, true), (Glyphs::Ascii, false)] {
            assert_eq!(scan_terminal(&modules.text(glyphs, Ink::Light), half_blocks, false), TEXT);
            assert_eq!(scan_terminal(&modules.text(glyphs, Ink::Dark), half_blocks, true), TEXT);
        }
        let coloured = modules.text(Glyphs::HalfBlocks, Ink::Colours);
        let bare = coloured.replace("\x1b[30;47m", "").replace("\x1b[0m", "");
        assert_eq!(scan_terminal(&bare, true, true), TEXT);
    }

    #[test]
    fn coloured_ascii_is_blanks_on_black_and_white() {
        let modules = Modules::encode(TEXT, Sturdiness::Screen, QUIET).unwrap();
        let coloured = modules.text(Glyphs::Ascii, Ink::Colours);
        let mut bare = String::new();
        for line in coloured.lines() {
            for part in line.split("\x1b[").skip(1) {
                let (colour, blanks) = part.split_once('m').unwrap();
                bare.push_str(&if colour == "40" { "#" } else { " " }.repeat(blanks.len()));
            }
            bare.push('\n');
        }
        assert!(coloured.is_ascii());
        assert_eq!(scan_terminal(&bare, false, true), TEXT);
    }

    #[test]
    fn what_no_qr_code_holds_is_refused() {
        assert!(Modules::encode(&"x".repeat(3000), Sturdiness::Print, QUIET).is_none());
    }
}
