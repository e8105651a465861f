//! Telling a seed from everything else that operators paste, scan or type by mistake.
//!
//! The tests run in one fixed order, the first hit wins. Two of them are narrower than a plain look at the first
//! letters would be: a scheme counts only with its colon, because "OKTA…", "DUO…" and "HTTP…" are also good base32.

mod wrong;

pub use wrong::{Reading, WrongInput};

use super::{Encoding, Note, SeedTextError, Trimmed, decode, has_hex_prefix, is_invisible, is_uri_piece};
use crate::domain::{seed::Seed, token::Serial};
use zeroize::Zeroizing;

/// What a text turned out to be.
#[derive(Debug)]
pub enum Recognised {
    /// A seed, in the one encoding that fits.
    Seed {
        /// The seed.
        seed: Seed,
        /// How it was spelled.
        encoding: Encoding,
        /// What was noticed on the way.
        notes: Vec<Note>,
    },
    /// A key URI; [`KeyUri::parse`](crate::domain::key_uri::KeyUri::parse) reads it.
    KeyUri,
    /// Something that can't be taken as it is.
    Refused(WrongInput),
}

/// Says what an undeclared text is. A stated encoding beats this: call [`decode`] where there is one.
pub fn recognise(text: &str) -> Recognised {
    classify(text, None)
}

/// As [`recognise`], for a text given while a token lies on a reader: its own serial is the commonest mistake.
pub fn recognise_beside(text: &str, on_reader: &Serial) -> Recognised {
    classify(text, Some(on_reader))
}

/// Says what a text is that begins like something else than a seed or a key URI: a link, another enrolment, a QR code
/// of daily life, a file. `None` where its beginning tells nothing.
pub fn foreign(text: &str) -> Option<WrongInput> {
    let trimmed = Trimmed::of(text, &mut Vec::new());
    let lower = Zeroizing::new(trimmed.text.to_ascii_lowercase());
    if lower.starts_with("otpauth://") { None } else { foreign_content(&lower) }
}

/// Splits `text` into a label that people copy along (`secret=`, `Key:`) and what follows; `None` without one. For
/// use after a person agreed that the rest is the seed.
pub fn strip_label(text: &str) -> Option<(&'static str, &str)> {
    const LABELS: &[&str] = &[
        "secret",
        "secret key",
        "key",
        "seed",
        "shared secret",
        "setup key",
        "manual key",
        "manual entry key",
        "your key",
        "otp secret",
        "totp secret",
        "otp seed",
        "base32",
        "hex",
        "base64",
        "secret key (base32)",
    ];
    let (before, after) = text.split_once([':', '='])?;
    // Compared in place: what stands before "=" may be the seed itself, and copies would have to be wiped.
    let plain = |c: char| if matches!(c, '_' | '-') { ' ' } else { c.to_ascii_lowercase() };
    let label = LABELS.iter().find(|label| before.trim().chars().map(plain).eq(label.chars()))?;
    // "KEY=" with nothing behind is base32 with its padding.
    (!after.trim_matches([' ', '=']).is_empty()).then_some((label, after.trim_start()))
}

fn classify(text: &str, on_reader: Option<&Serial>) -> Recognised {
    let trimmed = Trimmed::of(text, &mut Vec::new());
    let lower = Zeroizing::new(trimmed.text.to_ascii_lowercase());
    if lower.starts_with("otpauth://") {
        return match lower.lines().filter(|line| !line.trim().is_empty()).count() {
            1 => Recognised::KeyUri,
            lines => Recognised::Refused(WrongInput::Table { lines }),
        };
    }
    let wrong = foreign_content(&lower)
        .or_else(|| label_or_piece(trimmed.text))
        // Before tables: half of Europe's spreadsheets write 8,65962E+13.
        .or_else(|| scientific(&lower).then_some(WrongInput::SpoiledSerial))
        .or_else(|| table(&lower))
        .or_else(|| digits_only(trimmed.text, on_reader));
    match wrong {
        Some(wrong) => Recognised::Refused(wrong),
        None => seed_or_not(text, &trimmed),
    }
}

/// Content that names itself by how it begins. Takes the text in lower case.
fn foreign_content(lower: &str) -> Option<WrongInput> {
    let starts = |start: &str| lower.starts_with(start);
    let application = |scheme: &str| {
        // With its colon only: four letters alone may well begin a base32 seed.
        lower.strip_prefix(scheme).is_some_and(|rest| rest.contains("://") || rest.starts_with(':'))
    };
    let other_qr = |what| Some(WrongInput::OtherQr { what });
    let file = |what| Some(WrongInput::FileContent { what });
    let enrolment = |application| Some(WrongInput::ForeignEnrolment { application });
    match () {
        () if lower.is_empty() => Some(WrongInput::Nothing),
        () if lower.contains("phonefactor://") => Some(WrongInput::PushEnrolment),
        () if starts("otpauth-migration://") => Some(WrongInput::Migration),
        () if starts("fido:/") => Some(WrongInput::PasskeyCode),
        () if application("microsoft-authenticator") || application("msauth") => {
            enrolment("Microsoft Authenticator")
        }
        () if application("okta") => enrolment("Okta Verify"),
        () if application("duo") => enrolment("Duo Mobile"),
        () if application("steam") => enrolment("Steam Guard"),
        () if application("motp") => enrolment("Mobile-OTP"),
        () if application("com.rsa.securid") => enrolment("RSA SecurID"),
        () if application("igmobileotp") => enrolment("Entrust"),
        () if application("lpaauth-migration") => enrolment("LastPass Authenticator"),
        () if starts("http:") || starts("https:") || starts("www.") => Some(WrongInput::WebLink),
        () if lower.contains("://") => Some(WrongInput::OtherLink),
        () if starts("wifi:") => other_qr("a Wi-Fi network's QR code"),
        () if starts("begin:vcard") || starts("mecard:") => other_qr("a contact's QR code"),
        () if starts("begin:vevent") || starts("begin:vcalendar") => other_qr("an appointment's QR code"),
        () if starts("mailto:") || starts("matmsg:") => other_qr("a mail address"),
        () if starts("tel:") || starts("sms:") || starts("smsto:") => other_qr("a telephone number"),
        () if starts("geo:") => other_qr("a place on a map"),
        () if starts("{") || starts("[") => file("a JSON file"),
        () if starts("<") => file("an XML file"),
        () if starts("-----begin") || starts("age-encryption.org/") => file("an encrypted file"),
        () => None,
    }
}

fn label_or_piece(text: &str) -> Option<WrongInput> {
    if is_uri_piece(text) {
        return Some(WrongInput::UriPiece);
    }
    strip_label(text).map(|(label, _)| WrongInput::Labelled { label })
}

fn table(text: &str) -> Option<WrongInput> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next()?;
    let (mut count, mut differ) = (1, false);
    for line in lines {
        count += 1;
        differ |= line != first;
    }
    // The same line again is a double paste, and decoding says so.
    (differ || text.contains([',', ';', '\t', '|'])).then_some(WrongInput::Table { lines: count })
}

/// `8.65962e+13`: what is left of a serial after a spreadsheet had it. Takes the text in lower case.
fn scientific(lower: &str) -> bool {
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let Some((mantissa, exponent)) = lower.split_once('e') else { return false };
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    let signed = exponent.starts_with('+');
    // Without point and sign, "1E10" is as good hex as any; a spreadsheet always writes the sign.
    whole.len() == 1
        && all_digits(whole)
        && all_digits(fraction)
        && all_digits(exponent.strip_prefix('+').unwrap_or(exponent))
        && (signed || mantissa.len() > 1)
}

/// Beginnings of the serials of programmable tokens.
const TOKEN_PREFIXES: &[&str] =
    &["8659600", "8659601", "8659609", "8659610", "8659612", "8659621", "8659622", "8659632"];
/// Beginnings of the serials of security keys, all of 14 digits.
const SECURITY_KEY_PREFIXES: &[&str] = &["861", "961", "76", "77", "72", "66", "65"];

fn digits_only(text: &str, on_reader: Option<&Serial>) -> Option<WrongInput> {
    let kept = || text.chars().filter(|c| !c.is_whitespace() && *c != '-' && !is_invisible(*c));
    if on_reader.is_some_and(|serial| kept().eq(serial.as_str().chars())) {
        return Some(WrongInput::SerialOnReader);
    }
    if !kept().all(|c| c.is_ascii_digit()) {
        return None;
    }
    // Digits may be the hex text of a seed after all.
    let mut number = Zeroizing::new(String::with_capacity(text.len()));
    number.extend(kept());
    let digits = number.len();
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| number.starts_with(prefix));
    Some(match digits {
        0 => return None,
        8..=16 if begins(TOKEN_PREFIXES) => WrongInput::TokenSerial { digits },
        14 if begins(SECURITY_KEY_PREFIXES) => WrongInput::SecurityKeySerial,
        15 => WrongInput::MoltoSerialOrImei,
        12 | 13 => WrongInput::ArticleNumber { digits },
        6 | 8 => WrongInput::OneTimeCode { digits },
        32 | 40 | 64 => WrongInput::DigitsLikeHex { digits, bytes: digits / 2 },
        _ => WrongInput::Number { digits },
    })
}

/// Which characters a text is made of.
#[derive(Default)]
struct Makeup {
    upper: bool,
    lower: bool,
    /// 0, 1, 8 or 9, which base32 lacks.
    not_base32: bool,
    /// Letters beyond F, which hex lacks.
    not_hex: bool,
    /// `+`, `/` or `_`, which only base64 has.
    only_base64: bool,
    blank: bool,
    /// Data characters without padding.
    characters: usize,
    padding: usize,
}

impl Makeup {
    /// `Err` is the first character that no encoding has, and its place.
    fn of(trimmed: &Trimmed<'_>, hex_with_colons: bool) -> Result<Self, (usize, char)> {
        let mut makeup = Self::default();
        for (position, c) in trimmed.places() {
            makeup.characters += 1;
            match c {
                '0' | '1' | '8' | '9' => makeup.not_base32 = true,
                '2'..='7' => {}
                'A'..='Z' | 'a'..='z' => {
                    makeup.upper |= c.is_ascii_uppercase();
                    makeup.lower |= c.is_ascii_lowercase();
                    makeup.not_hex |= !c.is_ascii_hexdigit();
                }
                '+' | '/' | '_' => makeup.only_base64 = true,
                _ => {
                    makeup.characters -= 1;
                    match c {
                        '=' => makeup.padding += 1,
                        '-' => {}
                        ':' if hex_with_colons => {}
                        _ if c.is_ascii_whitespace() || is_invisible(c) => makeup.blank = true,
                        // Damage that decoding can explain better: a look-alike.
                        _ if super::looks_like(c).is_some() => {}
                        _ => return Err((position, c)),
                    }
                }
            }
        }
        Ok(makeup)
    }
}

fn seed_or_not(text: &str, trimmed: &Trimmed<'_>) -> Recognised {
    use Encoding::{Base32, Base64, Hex};
    let prefixed = has_hex_prefix(trimmed.text);
    let hex_like = |c: char| c.is_ascii_hexdigit() || c.is_ascii_whitespace() || c == '-' || c == ':';
    let all_hex = trimmed.text.chars().skip(if prefixed { 2 } else { 0 }).all(hex_like);
    let makeup = match Makeup::of(trimmed, all_hex) {
        Ok(makeup) => makeup,
        Err((position, character)) => {
            return Recognised::Refused(WrongInput::Unusable { position, character });
        }
    };
    let read = |encoding| decode(text, encoding).map(|(seed, notes)| (seed, notes, encoding));
    let take = |result: Result<(Seed, Vec<Note>, Encoding), SeedTextError>, encoding| match result {
        Ok((seed, notes, encoding)) => Recognised::Seed { seed, encoding, notes },
        Err(error) => Recognised::Refused(WrongInput::Damaged { encoding, error }),
    };
    let characters = makeup.characters;
    let mixed = makeup.upper && makeup.lower;
    let whole_blocks = makeup.padding > 0 && (characters + makeup.padding).is_multiple_of(4);
    let maybe_base64 = !makeup.blank && (mixed || whole_blocks);

    if prefixed && all_hex {
        return take(read(Hex), Hex);
    }
    if makeup.only_base64 {
        return take(read(Base64), Base64);
    }
    let maybe_hex = !makeup.not_hex && makeup.padding == 0;
    match (maybe_hex, !makeup.not_base32) {
        (true, false) => take(read(Hex), Hex),
        (true, true) => match (read(Hex), read(Base32)) {
            (Ok(hex), Err(_)) => take(Ok(hex), Hex),
            (Err(error), Err(_)) => take(Err(error), Hex),
            // Even with a digit missing hex is likelier: base32 hardly ever has no letter beyond F.
            (hex, Ok(base32)) => Recognised::Refused(WrongInput::Ambiguous {
                characters,
                likelier: Reading { encoding: Hex, bytes: hex.ok().map(|(seed, ..)| seed.len_bytes()) },
                other: Reading { encoding: Base32, bytes: Some(base32.0.len_bytes()) },
            }),
        },
        (false, true) => match (read(Base32), maybe_base64.then(|| read(Base64))) {
            (Ok(base32), Some(Ok(base64))) if mixed => {
                Recognised::Refused(either_case(characters, &base32.0, &base64.0))
            }
            (Ok(base32), _) => take(Ok(base32), Base32),
            (Err(_), Some(Ok(base64))) => take(Ok(base64), Base64),
            (Err(_), Some(Err(error))) if mixed => take(Err(error), Base64),
            (Err(error), _) => take(Err(error), Base32),
        },
        (false, false) => match maybe_base64.then(|| read(Base64)) {
            Some(Ok(base64)) => take(Ok(base64), Base64),
            Some(Err(error)) if mixed => take(Err(error), Base64),
            // One case, with 0, 1, 8 or 9: base64 of that kind does not happen, misread base32 does.
            _ => take(read(Base32), Base32),
        },
    }
}

/// Mixed case in letters that base32 has, too: the length most seeds have comes first, else base64.
fn either_case(characters: usize, base32: &Seed, base64: &Seed) -> WrongInput {
    let reading = |encoding, seed: &Seed| Reading { encoding, bytes: Some(seed.len_bytes()) };
    let base32_reading = reading(Encoding::Base32, base32);
    let base64_reading = reading(Encoding::Base64, base64);
    let usual = |seed: &Seed| matches!(seed.len_bytes(), 10 | 16 | 20 | 32);
    match usual(base32) && !usual(base64) {
        true => WrongInput::Ambiguous { characters, likelier: base32_reading, other: base64_reading },
        false => WrongInput::Ambiguous { characters, likelier: base64_reading, other: base32_reading },
    }
}

#[cfg(test)]
mod tests;
