//! QR codes in pictures as phones, browsers and mail programs make them: drawn by qrencode, put together here, packed by
//! the png crate and by libjpeg's cjpeg.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use kiln::envelope::picture::{At, Codes, PictureError, codes};
use png::{BitDepth, ColorType, Decoder, Encoder, Transformations};
use std::{io::Cursor, process::Command};
use support::tool::{output, qr_png};

const ALICE: &str = "otpauth://totp/Acme:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme";
const BOB: &str = "otpauth://totp/Acme:bob?secret=CZU6XXGHCCGCOL6YO3WW472WEWB34FVJ&issuer=Acme&period=60";
const SHOP: &str = "https://apps.example.com/authenticator";

/// A white page.
struct Page {
    width: usize,
    height: usize,
    grey: Vec<u8>,
}

impl Page {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, grey: vec![255; width * height] }
    }

    /// Puts a code on it, its corner at `x`, `y`; `ink` makes a pixel of a code's pixel.
    fn put(mut self, text: &str, scale: u32, (x, y): (usize, usize), ink: impl Fn(u8) -> u8) -> Self {
        let file = qr_png(text, scale);
        let mut decoder = Decoder::new(Cursor::new(file.as_slice()));
        decoder.set_transformations(Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        let channels = frame.color_type.samples();
        let (width, height) = (frame.width as usize, frame.height as usize);
        for row in 0..height.min(self.height - y) {
            for column in 0..width.min(self.width - x) {
                let pixel = pixels[row * frame.line_size + column * channels];
                self.grey[(y + row) * self.width + x + column] = ink(pixel);
            }
        }
        self
    }

    fn png(&self, color: ColorType, of: impl Fn(u8) -> Vec<u8>) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, self.width as u32, self.height as u32);
        encoder.set_color(color);
        encoder.set_depth(BitDepth::Eight);
        let mut writer = encoder.write_header().unwrap();
        let pixels: Vec<u8> = self.grey.iter().flat_map(|&grey| of(grey)).collect();
        writer.write_image_data(&pixels).unwrap();
        writer.finish().unwrap();
        file
    }

    fn grey_png(&self) -> Vec<u8> {
        self.png(ColorType::Grayscale, |grey| vec![grey])
    }

    fn jpeg(&self, more: &[&str]) -> Vec<u8> {
        let mut pgm = format!("P5\n{} {}\n255\n", self.width, self.height).into_bytes();
        pgm.extend(&self.grey);
        output(Command::new("cjpeg").args(more), &pgm)
    }
}

fn as_drawn(pixel: u8) -> u8 {
    pixel
}

fn texts(codes: &Codes) -> Vec<&str> {
    codes.read.iter().map(|code| code.text.as_str()).collect()
}

fn read(picture: &[u8]) -> Codes {
    codes(picture).unwrap()
}

#[test]
fn several_codes_of_a_page_are_read_from_top_to_bottom() {
    let page = Page::new(900, 700)
        .put(ALICE, 4, (40, 30), as_drawn)
        .put(SHOP, 3, (600, 60), as_drawn)
        // Light on dark, as a page at night.
        .put(BOB, 5, (300, 380), |pixel| if pixel == 0 { 230 } else { 20 });
    for (how, picture) in [
        ("grey PNG", page.grey_png()),
        ("colours", page.png(ColorType::Rgb, |grey| vec![grey, grey, 255 - (255 - grey) / 2])),
        ("JPEG", page.jpeg(&["-quality", "60"])),
        ("progressive JPEG", page.jpeg(&["-quality", "40", "-progressive"])),
    ] {
        let codes = read(&picture);
        assert_eq!(texts(&codes), [ALICE, SHOP, BOB], "{how}");
        assert_eq!(codes.unread, [], "{how}");
    }
}

#[test]
fn a_code_is_read_at_any_size() {
    for scale in [1, 2, 3, 8, 20] {
        let codes = read(&qr_png(ALICE, scale));
        assert_eq!(texts(&codes), [ALICE], "modules of {scale} pixels");
        assert_eq!(codes.unread, [], "modules of {scale} pixels");
    }
    // A large screen, on which the code is small.
    let page = Page::new(3840, 2160).put(ALICE, 3, (3000, 1500), as_drawn);
    let codes = read(&page.grey_png());
    assert_eq!(texts(&codes), [ALICE]);
    let At { x, y } = codes.read[0].at;
    assert!((3000..3200).contains(&x) && (1500..1700).contains(&y), "{x},{y}");
}

#[test]
fn a_page_that_shines_through_is_white() {
    let page = Page::new(300, 300).put(ALICE, 4, (20, 20), as_drawn);
    let picture = page.png(ColorType::Rgba, |grey| vec![0, 0, 0, 255 - grey]);
    assert_eq!(texts(&read(&picture)), [ALICE]);
}

#[test]
fn grey_ink_on_a_grey_page_is_read() {
    let mut page = Page::new(400, 400);
    page.grey.fill(190);
    let page = page.put(ALICE, 6, (40, 40), |pixel| if pixel == 0 { 120 } else { 190 });
    assert_eq!(texts(&read(&page.grey_png())), [ALICE]);
}

#[test]
fn one_text_comes_once_and_a_code_that_is_cut_off_is_told() {
    let twice = Page::new(500, 250).put(ALICE, 4, (10, 10), as_drawn).put(ALICE, 4, (260, 10), as_drawn);
    assert_eq!(texts(&read(&twice.grey_png())), [ALICE]);
    // A part of it is overprinted, more than its error correction makes up for; its marks are there.
    let mut printed = Page::new(420, 420).put(ALICE, 8, (10, 10), as_drawn);
    for row in 130..270 {
        for pixel in &mut printed.grey[row * 420 + 130..row * 420 + 200] {
            *pixel = 255 - *pixel;
        }
    }
    let codes = read(&printed.grey_png());
    assert_eq!(texts(&codes), [""; 0]);
    assert_eq!(codes.unread.len(), 1, "{:?}", codes.unread);
}

#[test]
fn a_page_without_a_code_has_none() {
    let codes = read(&Page::new(640, 480).grey_png());
    assert!(codes.read.is_empty() && codes.unread.is_empty());
}

#[test]
fn damaged_pictures_are_refused_or_read_and_nothing_else() {
    let page = Page::new(240, 240).put(ALICE, 4, (20, 20), as_drawn);
    for picture in [page.grey_png(), page.jpeg(&["-quality", "80"])] {
        for cut in (3..picture.len()).step_by(picture.len() / 12 + 1) {
            // libjpeg's way: what is missing is grey.
            match codes(&picture[..cut]) {
                Ok(codes) => assert!(texts(&codes).iter().all(|text| *text == ALICE)),
                Err(error) => assert!(matches!(error, PictureError::Damaged | PictureError::Unknown)),
            }
        }
        for at in (8..picture.len()).step_by(picture.len() / 16 + 1) {
            let mut changed = picture.clone();
            changed[at] ^= 0x55;
            if let Ok(codes) = codes(&changed) {
                assert!(texts(&codes).iter().all(|text| *text == ALICE));
            }
        }
    }
}
