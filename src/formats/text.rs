//! From a file's bytes to text with `\n` at its line ends, in one buffer that is wiped.

use super::told::{FileError, NoteKind};
use zeroize::Zeroizing;

/// Decodes UTF-8 (a byte-order mark is dropped) and UTF-16 in both orders, with a byte-order mark or plainly without.
/// CRLF and lone CR become LF. Also says what is worth telling.
pub(super) fn decode(bytes: &[u8]) -> Result<(Zeroizing<String>, Option<NoteKind>), FileError> {
    let (raw, note) = match bytes {
        [0xFF, 0xFE, rest @ ..] => (utf16(rest, u16::from_le_bytes)?, Some(NoteKind::Utf16)),
        [0xFE, 0xFF, rest @ ..] => (utf16(rest, u16::from_be_bytes)?, Some(NoteKind::Utf16)),
        // An ASCII character leaves a zero on one side. No text starts with a zero of its own.
        [1..=0xFF, 0, ..] => (utf16(bytes, u16::from_le_bytes)?, Some(NoteKind::Utf16)),
        [0, 1..=0xFF, ..] => (utf16(bytes, u16::from_be_bytes)?, Some(NoteKind::Utf16)),
        _ => {
            let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
            let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
            (Zeroizing::new(text.to_owned()), None)
        }
    };
    if raw.contains('\0') {
        return Err(FileError::NotText);
    }
    if raw.trim_matches(is_blank).is_empty() {
        return Err(FileError::Empty);
    }
    Ok((unix_line_ends(&raw), note))
}

/// Whether a character shows nothing: white space (the non-breaking kind among it), zero-width blanks, marks.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}' | '\u{AD}')
}

fn not_utf8(bytes: &[u8], valid_up_to: usize) -> FileError {
    // A file of an old code page is still text; anything with control characters isn't.
    if bytes.iter().any(|b| *b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0C)) {
        return FileError::NotText;
    }
    let before = &bytes[..valid_up_to];
    let ends = before.iter().enumerate().filter(|(at, b)| match b {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    FileError::NotUtf8 { line: u32::try_from(ends.count() + 1).unwrap_or(u32::MAX) }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Zeroizing<String>, FileError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(FileError::NotText);
    }
    // A unit takes at most three bytes in UTF-8: reserved at once, so that growing leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(pairs.len() * 3));
    for c in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match c {
            Ok('\u{FEFF}') if text.is_empty() => {}
            Ok(c) => text.push(c),
            Err(_) => return Err(FileError::NotText),
        }
    }
    Ok(text)
}

fn unix_line_ends(raw: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(raw.len()));
    let mut rest = raw;
    while let Some((line, after)) = rest.split_once('\r') {
        text.push_str(line);
        text.push('\n');
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        decode(bytes).unwrap().0.to_string()
    }

    #[test]
    fn all_three_line_ends_are_one() {
        assert_eq!(text(b"a\r\nb\rc\nd\r\r\ne"), "a\nb\nc\nd\n\ne");
    }

    #[test]
    fn a_byte_order_mark_is_dropped() {
        assert_eq!(decode(b"\xEF\xBB\xBFupn").unwrap().0.as_str(), "upn");
        assert_eq!(decode(b"upn").unwrap().1, None);
    }

    #[test]
    fn utf_16_is_read_in_both_orders_with_and_without_a_mark() {
        let units: Vec<u16> = "upn\tü\r\n".encode_utf16().collect();
        let le: Vec<u8> = units.iter().flat_map(|u| u.to_le_bytes()).collect();
        let be: Vec<u8> = units.iter().flat_map(|u| u.to_be_bytes()).collect();
        for bytes in [[b"\xFF\xFE", &le[..]].concat(), [b"\xFE\xFF", &be[..]].concat(), le, be] {
            let (text, note) = decode(&bytes).unwrap();
            assert_eq!((text.as_str(), note), ("upn\tü\n", Some(NoteKind::Utf16)));
        }
    }

    #[test]
    fn half_a_unit_and_lone_surrogates_are_no_text() {
        for bytes in
            [&b"\xFF\xFEa\0b"[..], b"\xFF\xFE\x00\xD8a\0", b"\xFF\xFE\0\0a\0", b"abc\0def", b"\x01\xFF"]
        {
            assert_eq!(decode(bytes).unwrap_err(), FileError::NotText, "{bytes:?}");
        }
    }

    #[test]
    fn an_old_code_page_is_named_with_its_line() {
        assert_eq!(decode(b"a\r\nb\rM\xFCller\n").unwrap_err(), FileError::NotUtf8 { line: 3 });
    }
}
