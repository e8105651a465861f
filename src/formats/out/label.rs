//! Labels for tokens and their boxes, as SVG: serial, user, model, the titles of the profiles, and the serial once more
//! for a scanner. A label is made of what may be seen by anybody who holds the token; no seed comes near it.

use crate::domain::{
    Profile, Serial,
    qr::{Modules, Sturdiness},
};
use barcoders::sym::code128::Code128;
use std::fmt::Write as _;

/// How a scanner reads the serial.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scan {
    /// Code 128 (ISO/IEC 15417): any hand scanner, and a station's scan line.
    #[default]
    Code128,
    /// A QR code of the serial alone.
    Qr,
}

/// How labels come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Paper {
    /// One SVG document, its A4 sheets one below the other.
    #[default]
    Svg,
    /// An HTML page that stands alone and breaks where a sheet ends.
    Html,
}

/// One token.
#[derive(Debug, Clone, Copy)]
pub struct Label<'a> {
    /// Its serial.
    pub serial: &'a Serial,
    /// Its model, as people call it.
    pub model: &'a str,
    /// Whose it is.
    pub user: Option<&'a str>,
    /// Its profiles with their titles, in order.
    pub titles: &'a [(Profile, &'a str)],
}

// A common sheet: 3 by 8 labels of 70 by 37 mm on A4, a margin of half a millimetre above and below.
const COLUMNS: usize = 3;
const ROWS: usize = 8;
const WIDE: f64 = 70.0;
const HIGH: f64 = 37.0;
const A4: (f64, f64) = (210.0, 297.0);
const MARGIN: f64 = 0.5;

/// How many labels are on a sheet.
pub const ON_A_SHEET: usize = COLUMNS * ROWS;

/// Titles that a label has room for; how many more there are is said.
const TITLES: usize = 6;

/// The whole document.
pub fn write(labels: &[Label<'_>], scan: Scan, paper: Paper) -> Vec<u8> {
    let sheets: Vec<&[Label<'_>]> = labels.chunks(ON_A_SHEET).collect();
    let mut text = String::new();
    match paper {
        Paper::Svg => {
            let count = u32::try_from(sheets.len().max(1)).unwrap_or(u32::MAX);
            let high = A4.1 * f64::from(count);
            text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
            open(&mut text, A4.0, high);
            for (number, sheet) in (0u32..).zip(&sheets) {
                let _ = writeln!(text, "<g transform=\"translate(0 {})\">", A4.1 * f64::from(number));
                draw_sheet(&mut text, sheet, scan);
                text.push_str("</g>\n");
            }
            text.push_str("</svg>\n");
        }
        Paper::Html => {
            text.push_str(
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>labels</title>\n<style>\n\
                 @page { size: A4; margin: 0 }\nbody { margin: 0 }\n\
                 svg { display: block; break-after: page; break-inside: avoid }\n\
                 svg:last-child { break-after: auto }\n</style>\n</head>\n<body>\n",
            );
            for sheet in &sheets {
                open(&mut text, A4.0, A4.1);
                draw_sheet(&mut text, sheet, scan);
                text.push_str("</svg>\n");
            }
            text.push_str("</body>\n</html>\n");
        }
    }
    text.into_bytes()
}

/// Units are millimetres.
fn open(text: &mut String, wide: f64, high: f64) {
    let _ = writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}mm\" height=\"{high}mm\" viewBox=\"0 0 {wide} {high}\" \
         font-family=\"Liberation Sans, DejaVu Sans, Arial, sans-serif\">\n\
         <rect width=\"{wide}\" height=\"{high}\" fill=\"#fff\"/>"
    );
}

fn draw_sheet(text: &mut String, labels: &[Label<'_>], scan: Scan) {
    let places = (0u32..8).flat_map(|row| (0u32..3).map(move |column| (column, row)));
    for (label, (column, row)) in labels.iter().zip(places) {
        let (x, y) = (WIDE * f64::from(column), MARGIN + HIGH * f64::from(row));
        let _ = writeln!(text, "<g transform=\"translate({x} {y})\">");
        draw(text, label, scan);
        text.push_str("</g>\n");
    }
}

/// Space that stays white round what is printed.
const EDGE: f64 = 4.0;

fn draw(text: &mut String, label: &Label<'_>, scan: Scan) {
    let full = WIDE - 2.0 * EDGE;
    // Beside a QR code there is less room for words.
    let words = if scan == Scan::Qr { full - 24.0 } else { full };
    line(text, EDGE, 7.0, 4.2, words, Weight::Bold, label.serial.as_str());
    line(text, EDGE, 10.6, 2.6, words, Weight::Plain, label.model);
    if let Some(whose) = label.user {
        user(text, whose, words);
    }
    titles(text, label.titles, words);
    match scan {
        Scan::Code128 => bars(text, label.serial, EDGE, 26.5, full, 8.0),
        Scan::Qr => qr(text, label.serial, WIDE - EDGE - 22.0, 6.0, 22.0),
    }
}

fn titles(text: &mut String, titles: &[(Profile, &str)], words: f64) {
    let shown = if titles.len() > TITLES { TITLES - 1 } else { titles.len() };
    let mut cells: Vec<String> =
        titles.iter().take(shown).map(|(profile, title)| format!("{profile} {title}")).collect();
    if titles.len() > shown {
        cells.push(format!("and {} more profiles", titles.len() - shown));
    }
    let half = words / 2.0;
    for (at, cell) in (0u32..).zip(&cells) {
        let (x, y) = (EDGE + half * f64::from(at % 2), 19.2 + 2.7 * f64::from(at / 2));
        line(text, x, y, 2.3, half - 1.0, Weight::Plain, cell);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    Plain,
    Bold,
}

/// How wide a text is, in its own size: a cautious guess for the sans-serif faces that are asked for.
fn width(words: &str, weight: Weight) -> f64 {
    let letter = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '|' | '\'' => 0.3,
        'f' | 't' | 'r' | ' ' | '-' | '(' | ')' | '/' => 0.38,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 1.05,
        c if c.is_ascii_uppercase() => 0.75,
        c if c.is_ascii() => 0.58,
        _ => 1.05,
    };
    let bold = if weight == Weight::Bold { 1.08 } else { 1.0 };
    bold * words.chars().map(letter).sum::<f64>()
}

/// Whose token it is: in two lines where one would have to be too small to read.
fn user(text: &mut String, words: &str, room: f64) {
    const SMALLEST: f64 = 2.2;
    if width(words, Weight::Plain) * SMALLEST <= room {
        return line(text, EDGE, 15.2, 3.2, room, Weight::Plain, words);
    }
    let half = words.char_indices().nth(words.chars().count() / 2).map_or(0, |(at, _)| at);
    let (first, second) = words.split_at(words.rfind('@').filter(|at| *at > 0).unwrap_or(half));
    line(text, EDGE, 13.8, 2.5, room, Weight::Plain, first);
    line(text, EDGE, 16.3, 2.5, room, Weight::Plain, second);
}

/// A line of text, smaller where it would be too wide: nothing is cut off, and nothing lies over something else. (That
/// text can be told its length is not something that all programs which draw SVG know.)
fn line(text: &mut String, x: f64, y: f64, size: f64, room: f64, weight: Weight, words: &str) {
    let size = size.min(room / width(words, weight).max(0.1));
    let _ = write!(text, "<text x=\"{x}\" y=\"{y:.1}\" font-size=\"{size:.2}\"");
    if weight == Weight::Bold {
        text.push_str(" font-weight=\"bold\"");
    }
    text.push('>');
    for c in words.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            // XML has no place for most of them.
            c if c.is_control() => text.push('\u{FFFD}'),
            c => text.push(c),
        }
    }
    text.push_str("</text>\n");
}

/// Code 128 with its quiet zones of ten modules, as wide as `wide` allows but no module wider than half a millimetre.
fn bars(text: &mut String, serial: &Serial, x: f64, y: f64, wide: f64, high: f64) {
    let modules = code128(serial);
    let count = f64::from(u32::try_from(modules.len() + 20).unwrap_or(u32::MAX));
    let module = (wide / count).min(0.5);
    let left = x + (wide - module * count) / 2.0 + 10.0 * module;
    let _ = write!(
        text,
        "<g transform=\"translate({left:.3} {y}) scale({module:.5} {high})\"><path fill=\"#000\" d=\""
    );
    let mut at = 0;
    while at < modules.len() {
        let run = modules[at..].iter().take_while(|module| **module == modules[at]).count();
        if modules[at] == 1 {
            let _ = write!(text, "M{at} 0h{run}v1H{at}z");
        }
        at += run;
    }
    text.push_str("\"/></g>\n");
}

/// The modules, 1 is dark. Pairs of digits go by code set C, the rest by B.
fn code128(serial: &Serial) -> Vec<u8> {
    // The crate's marks for the sets: U+0181 is B, U+0106 is C.
    let text = serial.as_str();
    let digits = text.len() >= 4 && text.bytes().all(|b| b.is_ascii_digit());
    let marked = match (digits, text.len() % 2) {
        (true, 0) => format!("\u{106}{text}"),
        // An odd digit goes first, by itself.
        (true, _) => format!("\u{181}{}\u{106}{}", &text[..1], &text[1..]),
        (false, _) => format!("\u{181}{text}"),
    };
    Code128::new(marked).map(|code| code.encode()).unwrap_or_default()
}

fn qr(text: &mut String, serial: &Serial, x: f64, y: f64, wide: f64) {
    // A serial of 32 characters fits the smallest codes.
    let Some(modules) = Modules::encode(serial.as_str(), Sturdiness::Print, 2) else { return };
    let scale = wide / f64::from(u32::try_from(modules.side()).unwrap_or(u32::MAX));
    let _ = write!(text, "<g transform=\"translate({x} {y}) scale({scale:.5})\">");
    text.push_str(&super::qr_sheet::path(&modules));
    text.push_str("</g>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(scan: Scan, paper: Paper, count: usize) -> String {
        let serials: Vec<Serial> = (0..count).map(|n| format!("86596{n:08}").parse().unwrap()).collect();
        let titles: Vec<(Profile, &str)> =
            (0..10).map(|n| (Profile::new(n), if n == 3 { "<b>&" } else { "Office 365" })).collect();
        let label = |serial| Label { serial, model: "Molto2 v2", user: Some("a@b.example"), titles: &titles };
        let labels: Vec<Label<'_>> = serials.iter().map(label).collect();
        String::from_utf8(write(&labels, scan, paper)).unwrap()
    }

    #[test]
    fn a_label_says_all_and_escapes_it() {
        for scan in [Scan::Code128, Scan::Qr] {
            let text = document(scan, Paper::Svg, 1);
            for said in [
                ">8659600000000<",
                ">Molto2 v2<",
                ">a@b.example<",
                ">3 &lt;b&gt;&amp;<",
                "and 5 more profiles",
            ] {
                assert!(text.contains(said), "{scan:?}: {said}: {text}");
            }
            let mut reader = quick_xml::Reader::from_str(&text);
            while !matches!(reader.read_event().unwrap(), quick_xml::events::Event::Eof) {}
        }
    }

    #[test]
    fn every_label_has_its_place_and_sheets_follow_each_other() {
        let text = document(Scan::Code128, Paper::Svg, ON_A_SHEET + 1);
        assert_eq!(text.matches("font-weight=\"bold\"").count(), ON_A_SHEET + 1);
        assert!(text.contains("height=\"594mm\"") && text.contains("translate(0 297)"), "{text}");
        let pages = document(Scan::Code128, Paper::Html, ON_A_SHEET + 1);
        assert_eq!(pages.matches("<svg").count(), 2);
    }

    #[test]
    fn long_texts_get_smaller_and_are_never_cut() {
        let serial: Serial = "AB-12345678901234567890123456789".parse().unwrap();
        let long = format!("{}@{}.example", "w".repeat(40), "m".repeat(30));
        let label = Label { serial: &serial, model: "m", user: Some(&long), titles: &[] };
        let text = String::from_utf8(write(&[label], Scan::Qr, Paper::Svg)).unwrap();
        let (user, domain) = long.split_at(40);
        assert!(text.contains(&format!(">{user}<")) && text.contains(&format!(">{domain}<")), "{text}");
        for line in text.lines().filter(|line| line.starts_with("<text")) {
            let size: f64 =
                line.split("font-size=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
            let words = line.split('>').nth(1).unwrap().split('<').next().unwrap();
            let weight = if line.contains("bold") { Weight::Bold } else { Weight::Plain };
            assert!(width(words, weight) * size <= 38.3, "{words} at {size}");
        }
    }

    /// Each symbol has eleven modules, the stop thirteen.
    #[test]
    fn digits_are_packed_in_pairs() {
        let modules = |text: &str| code128(&text.parse().unwrap()).len();
        assert_eq!(modules("86596000000001"), 11 * (1 + 7 + 1) + 13);
        assert_eq!(modules("8659600000001"), 11 * (1 + 1 + 1 + 6 + 1) + 13, "an odd digit goes by itself");
        assert_eq!(modules("AB-12"), 11 * (1 + 5 + 1) + 13);
    }
}
