//! One line of a table into its cells. RFC 4180 section 2, but a quoted cell ends with its line: seeds have no line
//! breaks, and a quote that was never closed would otherwise swallow every line after it in silence.

use super::text::is_blank;
use zeroize::Zeroizing;

/// A quote is open at the end of the line, or something follows the closing one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadQuote;

/// The cells of `line`, cleaned by [`clean`]. Any of them may be a seed, so each is wiped.
pub(super) fn split(line: &str, separator: char) -> Result<Vec<Zeroizing<String>>, BadQuote> {
    let mut cells = Vec::new();
    let mut rest = line;
    loop {
        // A tab can be a separator, so only blanks are skipped before a quote.
        let (cell, after) = match rest.trim_start_matches(' ').strip_prefix('"') {
            Some(quoted) => take_quoted(quoted, separator)?,
            None => match rest.split_once(separator) {
                Some((cell, after)) => (Zeroizing::new(clean(cell).to_owned()), Some(after)),
                None => (Zeroizing::new(clean(rest).to_owned()), None),
            },
        };
        cells.push(cell);
        match after {
            Some(after) => rest = after,
            None => return Ok(cells),
        }
    }
}

type CellAndRest<'a> = (Zeroizing<String>, Option<&'a str>);

/// A cell after its opening quote, and what follows the separator behind it.
fn take_quoted(quoted: &str, separator: char) -> Result<CellAndRest<'_>, BadQuote> {
    let mut text = Zeroizing::new(String::with_capacity(quoted.len()));
    let mut rest = quoted;
    loop {
        let (before, after) = rest.split_once('"').ok_or(BadQuote)?;
        text.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                text.push('"');
                rest = more;
            }
            None => {
                rest = after;
                break;
            }
        }
    }
    let cell = Zeroizing::new(clean(&text).to_owned());
    match rest.split_once(separator) {
        Some((between, after)) if between.chars().all(is_blank) => Ok((cell, Some(after))),
        None if rest.chars().all(is_blank) => Ok((cell, None)),
        _ => Err(BadQuote),
    }
}

/// Drops what shows nothing, and typographic quotes, at both ends: word processors and web pages leave them.
pub(super) fn clean(cell: &str) -> &str {
    cell.trim_matches(|c| is_blank(c) || is_typographic_quote(c))
}

/// “ ” „ ‟ ‘ ’ ‚ ‛ « »
pub(super) fn is_typographic_quote(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201F}' | '«' | '»')
}

/// A number that a spreadsheet wrote in scientific notation (`8.65962E+13`, `1,2e5`): its digits are gone.
pub(super) fn is_scientific(cell: &str) -> bool {
    let Some((mantissa, exponent)) = cell.split_once(['e', 'E']) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once(['.', ',']) {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        // Without a sign or a fraction, "12E45" may as well be hex: only a sign makes it a number.
        None => digits(mantissa) && exponent.starts_with(['+', '-']),
    };
    mantissa_fits && digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(line: &str, separator: char) -> Vec<String> {
        split(line, separator).unwrap().iter().map(|cell| cell.to_string()).collect()
    }

    #[test]
    fn cells_are_split_and_trimmed() {
        assert_eq!(cells("a, b ,,d,", ','), ["a", "b", "", "d", ""]);
        assert_eq!(cells("a\t b\t\"c\td\"", '\t'), ["a", "b", "c\td"]);
        assert_eq!(cells("", ','), [""]);
    }

    #[test]
    fn quotes_are_read_as_rfc_4180_says() {
        assert_eq!(cells(r#""a,b","c ""d""", "" ,e "f" g"#, ','), ["a,b", r#"c "d""#, "", r#"e "f" g"#]);
    }

    #[test]
    fn a_quote_that_is_not_closed_does_not_reach_beyond_its_line() {
        for line in [r#""a,b"#, r#"a,""#, r#""a"b,c"#, r#"c,"a"b"#, r#"c,"a""b"#] {
            assert_eq!(split(line, ','), Err(BadQuote), "{line}");
        }
    }

    #[test]
    fn typographic_quotes_and_odd_blanks_go_at_the_ends_only() {
        assert_eq!(clean("\u{201C}\u{A0}a\u{A0}b\u{200B}\u{201D}"), "a\u{A0}b");
        assert_eq!(clean("\u{201E}x\u{201C}"), "x");
    }

    #[test]
    fn scientific_notation_is_recognised() {
        for text in ["8.65962E+13", "8,65962E+13", "1e+05", "1.2E5", "1.2E-5"] {
            assert!(is_scientific(text), "{text}");
        }
        for text in ["86596220001234", "12E45", "E+13", "1.E+13", "1.2E", "ABE+1", ""] {
            assert!(!is_scientific(text), "{text}");
        }
    }
}
