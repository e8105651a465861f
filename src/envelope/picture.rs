//! Pictures of QR codes: PNG and JPEG, several codes in one, dark on light or light on dark, of any size a screen has.
//!
//! A screenshot of an enrolment page holds other codes than the one that is wanted (where to get the application, for
//! one), and phones and pages cut codes off. So all that is found is told with its place, what can't be read among it;
//! which of them are seeds is for others to say.

use crate::remedy::{Remedy, Retry};
use png::{ColorType, Limits, Transformations};
use rqrr::PreparedImage;
use std::io::Cursor;
use zeroize::Zeroizing;
use zune_jpeg::{
    JpegDecoder,
    errors::DecodeErrors,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

/// The largest picture that is unpacked: two screens of the largest kind side by side.
pub const MAX_PIXELS: usize = 32 << 20;

/// Pictures above this are made smaller before they are searched, which costs time in proportion to their size for each
/// corner mark in them.
const SEARCHED_PIXELS: usize = 4 << 20;

/// Pictures below this are also searched three times as large: a screenshot of a small code has a pixel or two a module.
const SMALL_PIXELS: usize = 1 << 19;

/// Why a picture can't be searched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// Neither PNG nor JPEG.
    #[error("this is neither a PNG nor a JPEG picture")]
    Unknown,
    /// Cut off, or changed.
    #[error("the picture is damaged or cut off")]
    Damaged,
    /// Larger than any screen.
    #[error("the picture has {width} by {height} pixels, and at most {} million are read", MAX_PIXELS >> 20)]
    TooLarge {
        /// Its width.
        width: usize,
        /// Its height.
        height: usize,
    },
}

impl Remedy for PictureError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Unknown => "save it as PNG",
            Self::Damaged => "make the screenshot again, or have it sent anew",
            Self::TooLarge { .. } => "cut the part with the QR codes out of it and import that",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Unknown | Self::TooLarge { .. } => Retry::AfterOperator,
            Self::Damaged => Retry::Never,
        }
    }
}

/// A place in a picture, in pixels from its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// To the right.
    pub x: i32,
    /// Down.
    pub y: i32,
}

/// A QR code that could be read.
pub struct Code {
    /// What it holds; bytes that are no UTF-8 are read as Latin-1.
    pub text: Zeroizing<String>,
    /// Its middle.
    pub at: At,
    /// Half the length of its diagonal.
    reach: i32,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code({} bytes at {},{})", self.text.len(), self.at.x, self.at.y)
    }
}

/// The QR codes of a picture.
#[derive(Debug, Default)]
pub struct Codes {
    /// Those that could be read, from top to bottom and left to right. One text comes once.
    pub read: Vec<Code>,
    /// Where a code seems to be that can't be read.
    pub unread: Vec<At>,
}

/// Searches a picture.
pub fn codes(picture: &[u8]) -> Result<Codes, PictureError> {
    let grey = if picture.starts_with(b"\x89PNG\r\n\x1A\n") {
        from_png(picture)?
    } else if picture.starts_with(b"\xFF\xD8\xFF") {
        from_jpeg(picture)?
    } else {
        return Err(PictureError::Unknown);
    };
    Ok(search(&grey))
}

/// A picture without its colours.
struct Grey {
    width: usize,
    height: usize,
    /// 0 is black.
    pixels: Zeroizing<Vec<u8>>,
}

fn checked(width: usize, height: usize) -> Result<(), PictureError> {
    let fits = width.checked_mul(height).is_some_and(|pixels| pixels <= MAX_PIXELS);
    if fits { Ok(()) } else { Err(PictureError::TooLarge { width, height }) }
}

fn from_png(picture: &[u8]) -> Result<Grey, PictureError> {
    let damaged = |_| PictureError::Damaged;
    // For what stands beside the pixels; they themselves go into memory of ours.
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(picture), Limits { bytes: 8 << 20 });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let header = decoder.read_header_info().map_err(damaged)?;
    let side = |side: u32| usize::try_from(side).unwrap_or(usize::MAX);
    let (width, height) = (side(header.width), side(header.height));
    checked(width, height)?;
    let mut reader = decoder.read_info().map_err(damaged)?;
    let size = reader.output_buffer_size().ok_or(PictureError::Damaged)?;
    let mut colours = Zeroizing::new(vec![0; size]);
    let frame = reader.next_frame(&mut colours).map_err(damaged)?;
    let channels = match frame.color_type {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb => 3,
        ColorType::Rgba => 4,
        ColorType::Indexed => return Err(PictureError::Damaged),
    };
    let colours = colours.get(..width * height * channels).ok_or(PictureError::Damaged)?;
    let pixels = colours.chunks_exact(channels).map(|pixel| match *pixel {
        [grey] => grey,
        // What shines through is a page, and pages are white.
        [grey, alpha] => over_white(grey, alpha),
        [red, green, blue] => luma(red, green, blue),
        [red, green, blue, alpha] => over_white(luma(red, green, blue), alpha),
        _ => 0,
    });
    Ok(Grey { width, height, pixels: Zeroizing::new(pixels.collect()) })
}

fn luma(red: u8, green: u8, blue: u8) -> u8 {
    // ITU-R BT.601, in 256ths.
    ((77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue)) >> 8) as u8
}

fn over_white(grey: u8, alpha: u8) -> u8 {
    let (grey, alpha) = (u32::from(grey), u32::from(alpha));
    ((grey * alpha + 255 * (255 - alpha)) / 255) as u8
}

fn from_jpeg(picture: &[u8]) -> Result<Grey, PictureError> {
    let damaged = |_: DecodeErrors| PictureError::Damaged;
    let options = DecoderOptions::default()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .set_strict_mode(false)
        .jpeg_set_max_scans(64)
        .jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(picture), options);
    decoder.decode_headers().map_err(damaged)?;
    let info = decoder.info().ok_or(PictureError::Damaged)?;
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    checked(width, height)?;
    let pixels = Zeroizing::new(decoder.decode().map_err(damaged)?);
    if pixels.len() != width * height || pixels.is_empty() {
        return Err(PictureError::Damaged);
    }
    Ok(Grey { width, height, pixels })
}

/// How a picture is looked at.
#[derive(Clone, Copy)]
struct Look {
    /// One pixel of the search is this many of the picture …
    shrink: usize,
    /// … or one of the picture is this many of the search.
    grow: usize,
    inverted: bool,
}

fn search(grey: &Grey) -> Codes {
    let pixels = grey.width * grey.height;
    let shrink = (1..).find(|by| pixels / (by * by) <= SEARCHED_PIXELS).unwrap_or(1);
    let plain = Look { shrink, grow: 1, inverted: false };
    let mut looks = vec![plain];
    if shrink > 1 {
        looks.push(Look { shrink: 1, ..plain });
    }
    if pixels <= SMALL_PIXELS {
        looks.push(Look { grow: 3, ..plain });
    }
    let mut codes = Codes::default();
    for look in looks {
        for inverted in [false, true] {
            look_once(grey, Look { inverted, ..look }, &mut codes);
        }
        // Each further look costs as much again, and is for pictures in which this one sees nothing.
        if !codes.read.is_empty() && codes.unread_elsewhere().is_empty() {
            break;
        }
    }
    codes.unread = codes.unread_elsewhere();
    codes.read.sort_by_key(|code| (code.at.y / 64, code.at.x));
    codes
}

impl Codes {
    /// What could not be read in one look and was not read in another; each once.
    fn unread_elsewhere(&self) -> Vec<At> {
        let near = |a: At, b: At, reach: i32| (a.x - b.x).abs() <= reach && (a.y - b.y).abs() <= reach;
        let mut unread: Vec<At> = Vec::new();
        for at in &self.unread {
            let is_read = self.read.iter().any(|code| near(*at, code.at, code.reach));
            if !is_read && !unread.iter().any(|other| near(*at, *other, 24)) {
                unread.push(*at);
            }
        }
        unread
    }
}

fn look_once(grey: &Grey, look: Look, codes: &mut Codes) {
    let (width, height) = (grey.width * look.grow / look.shrink, grey.height * look.grow / look.shrink);
    // The smallest code has 21 modules on a side.
    if width < 21 || height < 21 {
        return;
    }
    let pixel = |x: usize, y: usize| {
        let (left, top) = (x * look.shrink / look.grow, y * look.shrink / look.grow);
        let mut sum = 0;
        for y in top..top + look.shrink {
            let row = &grey.pixels[y * grey.width + left..][..look.shrink];
            sum += row.iter().map(|pixel| usize::from(*pixel)).sum::<usize>();
        }
        let mean = (sum / (look.shrink * look.shrink)) as u8;
        if look.inverted { !mean } else { mean }
    };
    let mut prepared = PreparedImage::prepare_from_greyscale(width, height, pixel);
    let in_picture = |at: i32| {
        let scaled = i64::from(at) * look.shrink as i64 / look.grow as i64;
        i32::try_from(scaled).unwrap_or(i32::MAX)
    };
    for grid in prepared.detect_grids() {
        let [a, _, c, _] = grid.bounds;
        let at = At { x: in_picture(a.x.midpoint(c.x)), y: in_picture(a.y.midpoint(c.y)) };
        let reach = in_picture((a.x - c.x).abs().max((a.y - c.y).abs()) / 2);
        // As long as the longest code's content, so that it never grows.
        let mut content = Zeroizing::new(Vec::with_capacity(rqrr::MAX_PAYLOAD_SIZE));
        if grid.decode_to(&mut *content).is_err() {
            codes.unread.push(at);
            continue;
        }
        let text = match std::str::from_utf8(&content) {
            Ok(text) => Zeroizing::new(text.to_owned()),
            Err(_) => Zeroizing::new(content.iter().map(|byte| char::from(*byte)).collect()),
        };
        if !codes.read.iter().any(|code| *code.text == *text) {
            codes.read.push(Code { text, at, reach });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_picture_is_refused() {
        for (bytes, error) in [
            (&b"GIF89a"[..], PictureError::Unknown),
            (b"\x89PNG\r\n\x1A\n", PictureError::Damaged),
            (b"\xFF\xD8\xFF\xE0", PictureError::Damaged),
        ] {
            assert_eq!(codes(bytes).unwrap_err(), error);
        }
    }

    /// A PNG that states this size and has no pixels.
    fn png_head(width: u32, height: u32) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(ColorType::Grayscale);
        drop(encoder.write_header().unwrap());
        file
    }

    #[test]
    fn the_stated_size_is_judged_before_memory_is_taken() {
        let error = codes(&png_head(100_000, 100_000)).unwrap_err();
        assert_eq!(error, PictureError::TooLarge { width: 100_000, height: 100_000 });
        assert_eq!(codes(&png_head(100, 100)).unwrap_err(), PictureError::Damaged);
        // The largest JPEG: a start of frame alone.
        let mut jpeg = b"\xFF\xD8\xFF\xC0\x00\x0B\x08".to_vec();
        jpeg.extend([0xFF, 0xFF, 0xFF, 0xFF, 1, 1, 0x11, 0]);
        jpeg.extend(b"\xFF\xDA\x00\x08\x01\x01\x00\x00\x3F\x00");
        assert_eq!(codes(&jpeg).unwrap_err(), PictureError::TooLarge { width: 65_535, height: 65_535 });
    }

    #[test]
    fn what_shines_through_is_white() {
        assert_eq!((over_white(0, 255), over_white(0, 0), over_white(200, 255)), (0, 255, 200));
        assert_eq!((luma(0, 0, 0), luma(255, 255, 255)), (0, 255));
    }

    #[test]
    fn every_error_says_what_to_do() {
        for error in
            [PictureError::Unknown, PictureError::Damaged, PictureError::TooLarge { width: 1, height: 2 }]
        {
            assert!(error.remedy().len() > 10 && !error.remedy().ends_with('.'), "{error}");
            let _ = error.retry();
        }
    }
}
