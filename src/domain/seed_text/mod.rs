//! Seed text: base32, hex and base64, read as people type, paste and export them, and written.
//!
//! Two doors. [`decode`] is for text whose encoding is stated by a column, a form or an option: only that encoding is
//! tried, since a decoder that "also takes hex" turns a typing error into another seed. [`recognise()`] is for text of
//! which nothing is known; it says what it is, and asks where two readings are possible. Neither repairs anything
//! silently: what was dropped or folded on the way comes back as [`Note`]s, and what can't be read as an error that
//! names the place. No message ever holds the text itself, at most its one illegal character.
//!
//! Places in messages count the characters of the text as it was given, blanks included, from 1.

mod recognise;
mod told;

pub use recognise::{Reading, Recognised, WrongInput, foreign, recognise, recognise_beside, strip_label};
pub use told::{Note, SeedTextError};

use super::seed::Seed;
use data_encoding::{BASE32_NOPAD, BASE64, BASE64_NOPAD, BASE64URL_NOPAD, DecodeKind, HEXLOWER};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

/// How the bytes of a seed are spelled. RFC 4648.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// RFC 4648 section 6: A–Z and 2–7, the spelling of key URIs and of Entra ID.
    Base32,
    /// RFC 4648 section 8.
    Hex,
    /// RFC 4648 section 4, or section 5 (`-` and `_` for `+` and `/`), the spelling of PSKC.
    Base64,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Base32, Self::Hex, Self::Base64];
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base32 => "base32",
            Self::Hex => "hex",
            Self::Base64 => "base64",
        })
    }
}

/// Under this many bytes a seed is far below what RFC 4226 asks for (16): more likely a truncated text. Token2's own
/// application refuses such seeds; some services do issue them.
pub const DOUBTFUL_BYTES: usize = 10;

/// The text as RFC 4648 base32, upper case, without padding.
pub fn base32(seed: &Seed) -> Zeroizing<String> {
    Zeroizing::new(BASE32_NOPAD.encode(seed.expose()))
}

/// The text as lower-case hex.
pub fn hex(seed: &Seed) -> Zeroizing<String> {
    Zeroizing::new(HEXLOWER.encode(seed.expose()))
}

/// The text as RFC 4648 section 4 base64, with padding.
pub fn base64(seed: &Seed) -> Zeroizing<String> {
    Zeroizing::new(BASE64.encode(seed.expose()))
}

/// The text in `encoding`, spelled as [`base32`], [`hex`] and [`base64`] do.
pub fn encode(seed: &Seed, encoding: Encoding) -> Zeroizing<String> {
    match encoding {
        Encoding::Base32 => base32(seed),
        Encoding::Hex => hex(seed),
        Encoding::Base64 => base64(seed),
    }
}

/// Reads a seed whose encoding is `declared`, and says what was noticed on the way.
///
/// Dropped, with a note: quotation marks round it, blanks inside, hyphens (not in base64, where they are data), colons
/// (hex only), invisible characters, `0x` (hex only). Padding may be there or not, but not the wrong one. Unused low
/// bits must be zero (many decoders ignore them and give another seed than the service has).
pub fn decode(text: &str, declared: Encoding) -> Result<(Seed, Vec<Note>), SeedTextError> {
    let mut notes = Vec::new();
    let trimmed = Trimmed::of(text, &mut notes);
    if is_uri_piece(trimmed.text) {
        return Err(SeedTextError::UriPiece);
    }
    if let Some((label, _)) = strip_label(trimmed.text) {
        return Err(SeedTextError::Label { label });
    }
    let data = Data::gather(&trimmed, declared, &mut notes)?;
    let doubled = data.half_if_doubled();
    let seed = match (data.decode(declared), doubled) {
        (Ok(seed), _) => seed,
        (Err(_), Some(characters)) => return Err(SeedTextError::Twice { characters }),
        (Err(error), None) => return Err(error),
    };
    if let Some(characters) = doubled {
        notes.push(Note::Twice { characters });
    }
    match seed.len_bytes() {
        bytes if bytes < DOUBTFUL_BYTES => notes.push(Note::Doubtful { bytes }),
        bytes if bytes < Seed::RFC_MIN_BYTES => notes.push(Note::Short { bytes }),
        _ => {}
    }
    Ok((seed, notes))
}

/// A text without what surrounds it.
struct Trimmed<'t> {
    text: &'t str,
    /// How many characters were cut off in front.
    before: usize,
}

impl<'t> Trimmed<'t> {
    fn of(text: &'t str, notes: &mut Vec<Note>) -> Self {
        let mut quoted = false;
        let mut around = |c: char| {
            quoted |= is_quote(c);
            c == '\u{FEFF}' || c.is_whitespace() || is_quote(c)
        };
        let rest = text.trim_start_matches(&mut around);
        let before = text[..text.len() - rest.len()].chars().count();
        let text = rest.trim_end_matches(&mut around);
        if quoted {
            notes.push(Note::Quotes);
        }
        Self { text, before }
    }

    /// Each character with its place in the text as given, from 1.
    fn places(&self) -> impl Iterator<Item = (usize, char)> {
        (self.before + 1..).zip(self.text.chars())
    }
}

/// The data characters of a text, `=` included. Wiped when dropped.
struct Data {
    symbols: Zeroizing<Vec<u8>>,
    /// Where the first `=` stood.
    first_padding: Option<usize>,
}

impl Data {
    fn gather(from: &Trimmed<'_>, encoding: Encoding, notes: &mut Vec<Note>) -> Result<Self, SeedTextError> {
        // As long as the text, so that it never grows: growing leaves copies behind that nothing wipes.
        let mut symbols = Zeroizing::new(Vec::with_capacity(from.text.len()));
        let (mut first_padding, mut misread) = (None, None);
        let (mut separators, mut invisible) = (false, None);
        let (mut upper, mut lower) = (false, false);
        let prefixed = encoding == Encoding::Hex && has_hex_prefix(from.text);
        for (position, c) in from.places().skip(if prefixed { 2 } else { 0 }) {
            if is_separator(c, encoding) {
                separators = true;
            } else if is_invisible(c) {
                invisible.get_or_insert((position, 0)).1 += 1;
            } else if c == '=' && encoding != Encoding::Hex {
                first_padding.get_or_insert(position);
                symbols.push(b'=');
            } else if is_data(c, encoding) {
                upper |= c.is_ascii_uppercase();
                lower |= c.is_ascii_lowercase();
                let folded = if encoding == Encoding::Base64 { c } else { c.to_ascii_uppercase() };
                symbols.push(folded as u8);
            } else if encoding == Encoding::Base32 && c.is_ascii_digit() {
                misread.get_or_insert((position, c, 0)).2 += 1;
            } else if c.is_ascii() {
                return Err(SeedTextError::IllegalCharacter { position, character: c, encoding });
            } else {
                let looks_like = looks_like(c);
                return Err(SeedTextError::LookAlike { position, character: c, looks_like });
            }
        }
        if let Some((position, digit, count)) = misread {
            return Err(SeedTextError::MisreadDigit { position, digit, others: count - 1 });
        }
        if symbols.iter().all(|s| *s == b'=') {
            return Err(SeedTextError::Empty);
        }
        notes.extend(prefixed.then_some(Note::HexPrefix));
        notes.extend(separators.then_some(Note::Separators));
        notes.extend(invisible.map(|(position, count)| Note::Invisible { position, count }));
        if encoding == Encoding::Base32 && lower {
            notes.push(if upper { Note::MixedCase } else { Note::LowerCase });
        }
        Ok(Self { symbols, first_padding })
    }

    fn half_if_doubled(&self) -> Option<usize> {
        let (first, second) = self.symbols.split_at(self.symbols.len() / 2);
        // Shorter repetitions happen by themselves.
        (first.len() >= 8 && first == second).then_some(first.len())
    }

    fn decode(&self, encoding: Encoding) -> Result<Seed, SeedTextError> {
        let padding = self.symbols.iter().rev().take_while(|s| **s == b'=').count();
        let data = &self.symbols[..self.symbols.len() - padding];
        if let Some(position) = self.first_padding.filter(|_| data.contains(&b'=')) {
            return Err(SeedTextError::PaddingInside { position });
        }
        let url_safe = data.iter().any(|s| matches!(s, b'-' | b'_'));
        if url_safe && data.iter().any(|s| matches!(s, b'+' | b'/')) {
            return Err(SeedTextError::MixedAlphabets);
        }
        let (codec, block) = match encoding {
            Encoding::Base32 => (BASE32_NOPAD, 8),
            Encoding::Hex => (data_encoding::HEXUPPER, 2),
            Encoding::Base64 if url_safe => (BASE64URL_NOPAD, 4),
            Encoding::Base64 => (BASE64_NOPAD, 4),
        };
        let characters = data.len();
        let impossible = SeedTextError::ImpossibleLength { characters, encoding };
        let capacity = codec.decode_len(characters).map_err(|_| impossible.clone())?;
        let mut bytes = Zeroizing::new(vec![0; capacity]);
        let length = codec.decode_mut(data, &mut bytes).map_err(|partial| match partial.error.kind {
            DecodeKind::Trailing => SeedTextError::SpareBits { encoding },
            DecodeKind::Length | DecodeKind::Symbol | DecodeKind::Padding => impossible,
        })?;
        let expected = (block - characters % block) % block;
        if padding != 0 && padding != expected {
            return Err(SeedTextError::Padding { found: padding, expected, encoding });
        }
        Ok(Seed::new(&bytes[..length]))
    }
}

fn is_data(c: char, encoding: Encoding) -> bool {
    match encoding {
        Encoding::Base32 => c.is_ascii_alphabetic() || matches!(c, '2'..='7'),
        Encoding::Hex => c.is_ascii_hexdigit(),
        Encoding::Base64 => c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_'),
    }
}

fn is_separator(c: char, encoding: Encoding) -> bool {
    match encoding {
        _ if c.is_ascii_whitespace() => true,
        Encoding::Base32 => c == '-',
        Encoding::Hex => matches!(c, '-' | ':'),
        Encoding::Base64 => false,
    }
}

pub(super) fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '\u{2018}'..='\u{201F}' | '\u{AB}' | '\u{BB}' | '\u{2039}' | '\u{203A}')
}

/// Blanks other than ASCII's, and characters that take no room at all.
fn is_invisible(c: char) -> bool {
    (!c.is_ascii() && c.is_whitespace())
        || matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}')
        || matches!(c, '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

fn has_hex_prefix(text: &str) -> bool {
    text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x"))
}

/// Percent escapes, or a further parameter: nothing in a seed's alphabets, so a URI was cut up.
fn is_uri_piece(text: &str) -> bool {
    let escaped = text
        .split('%')
        .skip(1)
        .any(|after| after.len() >= 2 && after.bytes().take(2).all(|b| b.is_ascii_hexdigit()));
    let parameter = text.split('&').skip(1).any(|after| {
        after.split_once('=').is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_alphabetic()))
    });
    escaped || parameter
}

/// What a character of another script or of a typesetter resembles.
fn looks_like(c: char) -> Option<char> {
    /// Cyrillic and Greek letters drawn like Latin ones, capitals first.
    const TWINS: &[(&str, &str)] = &[
        (
            "\u{410}\u{412}\u{421}\u{415}\u{41D}\u{406}\u{408}\u{41A}\u{41C}\u{41E}\u{420}\u{405}\u{422}\u{425}",
            "ABCEHIJKMOPSTX",
        ),
        ("\u{430}\u{441}\u{435}\u{456}\u{458}\u{43E}\u{440}\u{455}\u{443}\u{445}", "aceijopsyx"),
        (
            "\u{391}\u{392}\u{395}\u{396}\u{397}\u{399}\u{39A}\u{39C}\u{39D}\u{39F}\u{3A1}\u{3A4}\u{3A5}\u{3A7}",
            "ABEZHIKMNOPTYX",
        ),
        ("\u{3BF}\u{3B1}\u{3BD}\u{3B9}", "oavi"),
        ("\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}", "-------"),
    ];
    let full_width = u32::from(c).checked_sub(0xFF01).filter(|n| *n < 94);
    if let Some(n) = full_width {
        return char::from_u32(0x21 + n);
    }
    TWINS
        .iter()
        .find_map(|(twins, latin)| twins.chars().position(|t| t == c).and_then(|i| latin.chars().nth(i)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Encoding::{Base32, Base64, Hex};

    const TWENTY: &str = "CZU6XXGHCCGCOL6YO3WW472WEWB34FVJ";

    fn notes(text: &str, declared: Encoding) -> Vec<Note> {
        decode(text, declared).unwrap_or_else(|e| panic!("{text}: {e}")).1
    }

    fn refusal(text: &str, declared: Encoding) -> SeedTextError {
        decode(text, declared).err().unwrap_or_else(|| panic!("{text} was taken as {declared}"))
    }

    #[test]
    fn known_seeds_are_read_and_written_in_every_encoding() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/vectors/seed-files.json")).unwrap();
        let cases = vectors["encodings"].as_array().unwrap();
        assert!(cases.len() >= 6);
        for case in cases {
            let text = |name: &str| case[name].as_str().unwrap().to_owned();
            let spelled = [
                (text("hex"), Hex),
                (text("base32"), Base32),
                (text("base32_padded"), Base32),
                (text("base64"), Base64),
                (text("base64").replace('+', "-").replace('/', "_"), Base64),
                (text("base64").trim_end_matches('=').to_owned(), Base64),
            ];
            for (spelling, encoding) in spelled {
                let (seed, _) = decode(&spelling, encoding).unwrap();
                assert_eq!(*hex(&seed), text("hex"), "{spelling}");
                assert_eq!(*base32(&seed), text("base32"), "{spelling}");
                assert_eq!(*base64(&seed), text("base64"), "{spelling}");
            }
        }
    }

    #[test]
    fn what_display_style_adds_is_dropped_and_told() {
        let (grouped, lower) = ("czu6 xxgh ccgc ol6y o3ww 472w ewb3 4fvj", Note::LowerCase);
        assert_eq!(notes(grouped, Base32), [Note::Separators, lower]);
        assert_eq!(notes("CZU6-XXGH-CCGC-OL6Y-O3WW-472W-EWB3-4FVJ", Base32), [Note::Separators]);
        assert_eq!(notes(&format!("\u{FEFF} \"{TWENTY}\"\r\n"), Base32), [Note::Quotes]);
        assert_eq!(notes("16:69:eb:dc:c7:10:8c:27:2f:d8:76:ed:6e:7f:56:25", Hex), [Note::Separators]);
        assert_eq!(notes("0x1669ebdcc7108c272fd876ed6e7f5625", Hex), [Note::HexPrefix]);
        assert_eq!(notes("Czu6XXGHCCGCOL6YO3WW472WEWB34FVJ", Base32), [Note::MixedCase]);
        let pasted = "CZU6\u{A0}XXGH\u{200B}CCGCOL6YO3WW472WEWB34FV\u{AD}J";
        assert_eq!(notes(pasted, Base32), [Note::Invisible { position: 5, count: 3 }]);
    }

    #[test]
    fn a_hyphen_is_data_in_base64() {
        let (seed, said) = decode("-_-_-_-_-_-_-_-_-_-_-Q", Base64).unwrap();
        assert_eq!(seed.len_bytes(), 16);
        assert!(!said.contains(&Note::Separators));
    }

    #[test]
    fn misread_digits_are_named_and_never_substituted() {
        let error = refusal("CZU6 XXGH CCGC 0L6Y O3WW 472W EWB3 4F18", Base32);
        assert_eq!(error, SeedTextError::MisreadDigit { position: 16, digit: '0', others: 2 });
        assert_eq!(
            error.to_string(),
            "position 16 holds 0, which base32 does not have (perhaps the letter O; 2 more like it follow)"
        );
        assert!(refusal("CZU9XXGH", Base32).to_string().contains("perhaps G, P or Q"));
    }

    #[test]
    fn truncated_text_is_refused_by_length_or_by_its_spare_bits() {
        let encoding = Base32;
        for characters in [25, 27, 30] {
            let impossible = SeedTextError::ImpossibleLength { characters, encoding };
            assert_eq!(refusal(&TWENTY[..characters], Base32), impossible);
        }
        for characters in [26, 31] {
            assert_eq!(refusal(&TWENTY[..characters], Base32), SeedTextError::SpareBits { encoding });
        }
        assert_eq!(refusal("abc", Hex), SeedTextError::ImpossibleLength { characters: 3, encoding: Hex });
        assert_eq!(
            refusal("AAAAB", Base64),
            SeedTextError::ImpossibleLength { characters: 5, encoding: Base64 }
        );
        assert_eq!(refusal("AAAAAB", Base64), SeedTextError::SpareBits { encoding: Base64 });
    }

    #[test]
    fn padding_is_right_or_absent() {
        let sixteen = "AAAQEAYEAUDAOCAJBIFQYDIOB4";
        assert_eq!(notes(&format!("{sixteen}======"), Base32), []);
        assert_eq!(
            refusal(&format!("{sixteen}===="), Base32),
            SeedTextError::Padding { found: 4, expected: 6, encoding: Base32 }
        );
        assert_eq!(refusal("AAAA=AAA", Base64), SeedTextError::PaddingInside { position: 5 });
        assert!(matches!(refusal("00=", Hex), SeedTextError::IllegalCharacter { position: 3, .. }));
    }

    #[test]
    fn a_double_paste_is_noticed_whether_or_not_it_decodes() {
        let twice = |text: &str| format!("{text}\n{text}");
        assert!(notes(&twice(TWENTY), Base32).contains(&Note::Twice { characters: 32 }));
        assert_eq!(
            refusal(&twice("Fmnr3McQjCcv2Hbtbn9WJYO+Fqk="), Base64),
            SeedTextError::Twice { characters: 28 }
        );
        // The published test seed of RFC 4226 is the same ten digits twice: refusing it would refuse a real seed.
        assert_eq!(notes("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", Base32), [Note::Twice { characters: 16 }]);
    }

    #[test]
    fn short_seeds_are_kept_with_a_warning() {
        assert_eq!(notes("JBSWY3DPEHPK3PXP", Base32), [Note::Short { bytes: 10 }]);
        assert_eq!(notes("JBSWY3DP", Base32), [Note::Doubtful { bytes: 5 }]);
        assert!(Note::Doubtful { bytes: 5 }.wants_consent() && !Note::Short { bytes: 10 }.wants_consent());
    }

    #[test]
    fn look_alikes_are_refused_by_code_point() {
        for (character, looks_like) in [
            ('\u{41E}', Some('O')),
            ('\u{FF21}', Some('A')),
            ('\u{2013}', Some('-')),
            ('\u{3A7}', Some('X')),
            ('é', None),
        ] {
            let error = refusal(&format!(" CZ{character}6XXGH"), Base32);
            assert_eq!(error, SeedTextError::LookAlike { position: 4, character, looks_like });
            assert!(error.to_string().contains(&format!("U+{:04X}", u32::from(character))), "{error}");
        }
    }

    #[test]
    fn labels_and_pieces_of_uris_are_not_stripped_on_the_quiet() {
        assert_eq!(
            refusal(&format!("Secret key: {TWENTY}"), Base32),
            SeedTextError::Label { label: "secret key" }
        );
        assert_eq!(refusal(&format!("{TWENTY}%3D%3D"), Base32), SeedTextError::UriPiece);
        assert_eq!(refusal(&format!("{TWENTY}&issuer=Kiln"), Base32), SeedTextError::UriPiece);
    }

    #[test]
    fn nothing_is_called_nothing() {
        for text in ["", "  \r\n", "\u{FEFF}\"\"", "- - -", "===="] {
            assert_eq!(refusal(text, Base32), SeedTextError::Empty, "{text:?}");
        }
    }

    #[test]
    fn no_refusal_shows_the_seed() {
        let error = refusal(&format!("{TWENTY}!"), Base32);
        assert!(!format!("{error:?} {error}").contains(&TWENTY[..4]));
    }
}
