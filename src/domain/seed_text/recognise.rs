//! Telling a seed from everything else that operators paste, scan or type by mistake.
//!
//! The tests run in one fixed order, the first hit wins. Two of them are narrower than a plain look at the first
//! letters would be: a scheme counts only with its colon, because "OKTA…", "DUO…" and "HTTP…" are also good base32.

use super::told::Shown;
use super::{Encoding, Note, SeedTextError, Trimmed, decode, has_hex_prefix, is_invisible, is_uri_piece};
use crate::{
    domain::{seed::Seed, token::Serial},
    remedy::{Remedy, Retry},
};
use std::fmt;
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

/// One way to read an ambiguous text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// As what.
    pub encoding: Encoding,
    /// The length of the seed then; `None` where the text is damaged in that reading.
    pub bytes: Option<usize>,
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes {
            Some(bytes) => write!(f, "{} ({bytes} bytes)", self.encoding),
            None => write!(f, "{} with a character missing", self.encoding),
        }
    }
}

/// What was given instead of a seed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongInput {
    /// Nothing.
    #[error("nothing was given")]
    Nothing,
    /// `phonefactor://`: Microsoft's enrolment for push and phone approval.
    #[error("this enrols Microsoft's push or phone approval, which no token can do")]
    PushEnrolment,
    /// `otpauth-migration://`: an export of Google Authenticator, usually of several accounts.
    #[error("this is an export of Google Authenticator, which can hold several accounts")]
    Migration,
    /// `FIDO:/` and digits.
    #[error("this is a passkey's cross-device code, not a seed")]
    PasskeyCode,
    /// The enrolment of one application.
    #[error("this enrols {application} and is no standard TOTP seed")]
    ForeignEnrolment {
        /// Whose scheme it is.
        application: &'static str,
    },
    /// A web link.
    #[error("this is a web link, not a seed")]
    WebLink,
    /// A link for some application.
    #[error("this is a link for an application that kiln doesn't know, not a standard seed")]
    OtherLink,
    /// A QR code of daily life.
    #[error("this is {what}, not a seed")]
    OtherQr {
        /// What it is, with its article.
        what: &'static str,
    },
    /// JSON, XML or an armoured file.
    #[error("this is the content of {what}")]
    FileContent {
        /// What kind of file, with its article.
        what: &'static str,
    },
    /// Several lines or columns.
    #[error("this is a table ({lines} lines), not one seed")]
    Table {
        /// Lines that aren't blank.
        lines: usize,
    },
    /// `8.65962E+13`.
    #[error("this is a number in scientific notation, as a spreadsheet makes of a serial")]
    SpoiledSerial,
    /// The serial of the token that was just read.
    #[error("this is the serial of the token on the reader")]
    SerialOnReader,
    /// Digits that begin like the serials of programmable tokens.
    #[error("these {digits} digits are a token's serial")]
    TokenSerial {
        /// How many digits.
        digits: usize,
    },
    /// Digits that begin like the serials of security keys.
    #[error("these 14 digits are the serial of a security key")]
    SecurityKeySerial,
    /// 15 digits.
    #[error("these 15 digits are a Molto2's serial or a phone's IMEI")]
    MoltoSerialOrImei,
    /// 12 or 13 digits.
    #[error("these {digits} digits are the article number on a box")]
    ArticleNumber {
        /// How many digits.
        digits: usize,
    },
    /// 6 or 8 digits.
    #[error("these {digits} digits are a one-time code")]
    OneTimeCode {
        /// How many digits.
        digits: usize,
    },
    /// As many digits as the hex text of a seed has.
    #[error("{digits} digits and no letter: hex of {bytes} bytes is possible but very unlikely")]
    DigitsLikeHex {
        /// How many digits.
        digits: usize,
        /// The length as hex.
        bytes: usize,
    },
    /// Any other number.
    #[error("this is a number of {digits} digits, not a seed")]
    Number {
        /// How many digits.
        digits: usize,
    },
    /// Readable in two encodings, which give two different seeds.
    #[error("{characters} characters that can be read as {likelier} or as {other}")]
    Ambiguous {
        /// Data characters.
        characters: usize,
        /// What it probably is.
        likelier: Reading,
        /// What it may be, too.
        other: Reading,
    },
    /// The text of a seed, damaged.
    #[error("as {encoding}: {error}")]
    Damaged {
        /// What it looks like most.
        encoding: Encoding,
        /// What is wrong with it.
        error: SeedTextError,
    },
    /// A seed with its label; [`strip_label`] takes it off after a person agreed.
    #[error("\"{label}\" stands before the seed")]
    Labelled {
        /// The label, in lower case.
        label: &'static str,
    },
    /// A key URI's query or a part of it.
    #[error("this is a piece of a URI")]
    UriPiece,
    /// Text that is no seed in any encoding.
    #[error("this is no seed in base32, hex or base64: position {position} holds {}", Shown(*character))]
    Unusable {
        /// Where the first character stands that no encoding has, from 1.
        position: usize,
        /// That character.
        character: char,
    },
}

impl Remedy for WrongInput {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Nothing => "scan, paste or type the seed",
            Self::PushEnrolment => {
                "on the security-info page choose to set up a different authenticator app and use the QR code shown then"
            }
            Self::Migration => "import it as a file of accounts and choose the ones you want",
            Self::PasskeyCode => "look for the QR code of an authenticator app, not of a passkey",
            Self::ForeignEnrolment { .. } | Self::OtherLink => {
                "ask the service for the manual entry key of a standard authenticator app"
            }
            Self::WebLink | Self::OtherQr { .. } => {
                "scan the QR code that the service shows for an authenticator app"
            }
            Self::FileContent { .. } | Self::Table { .. } => "save it as a file and import the file",
            Self::SpoiledSerial => "the digits are lost: read the serial from the token again",
            Self::SerialOnReader
            | Self::TokenSerial { .. }
            | Self::SecurityKeySerial
            | Self::MoltoSerialOrImei
            | Self::ArticleNumber { .. } => "give the seed, not the number printed on the token or its box",
            Self::OneTimeCode { .. } => "give the seed, not a code that it showed",
            Self::DigitsLikeHex { .. } => "if it really is the hex text of a seed, state the encoding hex",
            Self::Number { .. } => "give the seed; if this is one, state its encoding",
            Self::Ambiguous { .. } => "look at the source and state the encoding",
            Self::Damaged { error, .. } => error.remedy(),
            Self::Labelled { .. } => "remove the label if what follows is the seed",
            Self::UriPiece => "give the whole URI, from otpauth:// to its end",
            Self::Unusable { .. } => "copy the seed again from its source",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
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
mod tests {
    use super::*;
    use crate::domain::seed_text::encode;
    use proptest::prelude::*;

    proptest! {
        /// Asking is allowed, another seed is not. (Base64 of a few bytes can look like base32 by chance.)
        #[test]
        fn a_recognised_seed_is_the_seed_that_was_written(bytes in proptest::collection::vec(any::<u8>(), 1..48)) {
            let seed = Seed::new(bytes);
            for encoding in Encoding::ALL {
                let text = encode(&seed, encoding);
                if let Recognised::Seed { seed: read, .. } = recognise(&text) {
                    prop_assert!(seed.len_bytes() < Seed::RFC_MIN_BYTES || read.same_as(&seed), "{}", encoding);
                }
                let (declared, _) = decode(&text, encoding).unwrap();
                prop_assert!(declared.same_as(&seed));
            }
        }

        #[test]
        fn no_text_makes_the_classifier_panic(text in any::<String>(), near in "[A-Za-z2-7=:%&+ 0x\\-\u{A0}\u{41E}]{0,40}") {
            for text in [&text, &near] {
                let _ = recognise(text);
                for encoding in Encoding::ALL {
                    let _ = decode(text, encoding);
                }
            }
        }
    }

    const TWENTY: &str = "CZU6XXGHCCGCOL6YO3WW472WEWB34FVJ";

    fn refused(text: &str) -> WrongInput {
        match recognise(text) {
            Recognised::Refused(wrong) => wrong,
            taken => panic!("{text:?} was taken as {taken:?}"),
        }
    }

    fn taken(text: &str) -> (Encoding, usize) {
        match recognise(text) {
            Recognised::Seed { seed, encoding, .. } => (encoding, seed.len_bytes()),
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn what_is_scanned_by_mistake_is_called_by_its_name() {
        let enrols = |application| WrongInput::ForeignEnrolment { application };
        let cases = [
            (" \r\n", WrongInput::Nothing),
            ("phonefactor://activate_account?code=1", WrongInput::PushEnrolment),
            ("OTPAUTH-MIGRATION://offline?data=CjoK", WrongInput::Migration),
            ("FIDO:/0123456789", WrongInput::PasskeyCode),
            ("microsoft-authenticator://activate", enrols("Microsoft Authenticator")),
            ("msauth.com.example://auth", enrols("Microsoft Authenticator")),
            ("oktaverify://x", enrols("Okta Verify")),
            ("duo://abc-def", enrols("Duo Mobile")),
            ("steam://ABCD", enrols("Steam Guard")),
            ("motp://x", enrols("Mobile-OTP")),
            ("unheard-of://activate?x=1", WrongInput::OtherLink),
            ("com.rsa.securid://ctf?ctfData=1", WrongInput::ForeignEnrolment { application: "RSA SecurID" }),
            ("https://example.com/qr", WrongInput::WebLink),
            ("www.example.com", WrongInput::WebLink),
            ("WIFI:S:net;T:WPA;P:pass;;", WrongInput::OtherQr { what: "a Wi-Fi network's QR code" }),
            ("BEGIN:VCARD\nFN:A\nEND:VCARD", WrongInput::OtherQr { what: "a contact's QR code" }),
            ("mailto:a@example.com", WrongInput::OtherQr { what: "a mail address" }),
            ("tel:+123", WrongInput::OtherQr { what: "a telephone number" }),
            ("{\"db\":1}", WrongInput::FileContent { what: "a JSON file" }),
            ("<?xml version=\"1.0\"?>", WrongInput::FileContent { what: "an XML file" }),
            ("<data><header/></data>", WrongInput::FileContent { what: "an XML file" }),
            ("-----BEGIN PGP MESSAGE-----", WrongInput::FileContent { what: "an encrypted file" }),
            ("a,b,c", WrongInput::Table { lines: 1 }),
            ("JBSWY3DP\nJBSWY3DQ\n", WrongInput::Table { lines: 2 }),
            ("8.65962E+13", WrongInput::SpoiledSerial),
            ("8e+13", WrongInput::SpoiledSerial),
            ("8,65962E+13", WrongInput::SpoiledSerial),
            ("otpauth://totp/a?secret=A\notpauth://totp/b?secret=B", WrongInput::Table { lines: 2 }),
        ];
        for (text, expected) in cases {
            assert_eq!(refused(text), expected, "{text}");
        }
        assert!(matches!(recognise(" OTPAUTH://totp/x?secret=A"), Recognised::KeyUri));
    }

    #[test]
    fn a_seed_that_begins_like_a_scheme_is_still_a_seed() {
        for start in ["OKTA", "DUOA", "HTTP", "STEA"] {
            assert_eq!(taken(&format!("{start}{}", &TWENTY[4..])), (Encoding::Base32, 20), "{start}");
        }
    }

    #[test]
    fn digits_are_numbers_first() {
        let cases = [
            ("86596220001234", WrongInput::TokenSerial { digits: 14 }),
            ("8659 6220 0012 34", WrongInput::TokenSerial { digits: 14 }),
            ("86100000000012", WrongInput::SecurityKeySerial),
            ("72102935780528", WrongInput::SecurityKeySerial),
            ("123456789012345", WrongInput::MoltoSerialOrImei),
            ("4012345678901", WrongInput::ArticleNumber { digits: 13 }),
            ("123456", WrongInput::OneTimeCode { digits: 6 }),
            ("1234 5678", WrongInput::OneTimeCode { digits: 8 }),
            ("3132333435363738393031323334353637383930", WrongInput::DigitsLikeHex { digits: 40, bytes: 20 }),
            ("2345672", WrongInput::Number { digits: 7 }),
        ];
        for (text, expected) in cases {
            assert_eq!(refused(text), expected, "{text}");
        }
        let serial: Serial = "99112233445566".parse().unwrap();
        let beside = recognise_beside("9911-2233-445566", &serial);
        assert!(matches!(beside, Recognised::Refused(WrongInput::SerialOnReader)));
    }

    #[test]
    fn the_encoding_follows_from_the_characters() {
        assert_eq!(taken(TWENTY), (Encoding::Base32, 20));
        assert_eq!(taken(&TWENTY.to_lowercase()), (Encoding::Base32, 20));
        assert_eq!(taken("1669ebdcc7108c272fd876ed6e7f562583be16a9"), (Encoding::Hex, 20));
        assert_eq!(taken("16:69:EB:DC:C7:10:8C:27:2F:D8"), (Encoding::Hex, 10));
        assert_eq!(taken("0x1669ebdcc7108c272fd876ed6e7f562583be16a9"), (Encoding::Hex, 20));
        assert_eq!(taken("Fmnr3McQjCcv2Hbtbn9WJYO+Fqk="), (Encoding::Base64, 20));
        assert_eq!(taken("COSVODKLroMODbFKgjQRALwjuEA="), (Encoding::Base64, 20));
        assert_eq!(taken("COSVODKLroMODbFKgjQRALwjuEA"), (Encoding::Base64, 20));
        // Base32 with its padding also has a length that is a multiple of four.
        assert_eq!(taken("AAAQEAYEAUDAOCAJBIFQYDIOB4======"), (Encoding::Base32, 16));
    }

    #[test]
    fn hex_or_base32_is_asked_with_both_lengths() {
        let text = "A2B3C4D5E6F7A2B3C4D5E6F7A2B3C4D5E6F7A2A4";
        let wrong = refused(text);
        assert_eq!(
            wrong.to_string(),
            "40 characters that can be read as hex (20 bytes) or as base32 (25 bytes)"
        );
        let cut = refused(&text[..39]);
        assert!(cut.to_string().contains("hex with a character missing"), "{cut}");
        // 38 characters can't be base32 at all.
        assert_eq!(taken(&text[..38]), (Encoding::Hex, 19));
    }

    #[test]
    fn mixed_case_that_both_can_read_is_asked() {
        let wrong = refused("CosvodkLromodbFkgjqRaLwjueaA");
        let Some(Reading { encoding, bytes }) = (match wrong {
            WrongInput::Ambiguous { likelier, .. } => Some(likelier),
            _ => None,
        }) else {
            panic!("{wrong}")
        };
        assert_eq!((encoding, bytes), (Encoding::Base64, Some(21)));
    }

    #[test]
    fn damage_is_explained() {
        let typed = "CZU6XXGHCCGC0L6YO3WW472WEWB34FVJ";
        let error = SeedTextError::MisreadDigit { position: 13, digit: '0', others: 0 };
        assert_eq!(refused(typed), WrongInput::Damaged { encoding: Encoding::Base32, error });
        assert!(matches!(refused(&TWENTY[..30]), WrongInput::Damaged { .. }));
        assert_eq!(refused(&format!("secret={TWENTY}")), WrongInput::Labelled { label: "secret" });
        assert_eq!(refused(&format!("Secret key: {TWENTY}")), WrongInput::Labelled { label: "secret key" });
        assert_eq!(strip_label(&format!("Key: {TWENTY}")), Some(("key", TWENTY)));
        assert_eq!(refused(&format!("secret={TWENTY}&issuer=x")), WrongInput::UriPiece);
        let Recognised::Seed { notes, .. } = recognise(&format!("{TWENTY}\n{TWENTY}\n")) else { panic!() };
        assert!(notes.contains(&Note::Twice { characters: 32 }));
        let look_alike = refused(&TWENTY.replace('C', "\u{421}"));
        assert!(look_alike.to_string().contains("U+0421"), "{look_alike}");
        assert_eq!(refused("Hallo, Welt!"), WrongInput::Table { lines: 1 });
        assert_eq!(refused("alice@example.com"), WrongInput::Unusable { position: 6, character: '@' });
    }

    #[test]
    fn every_wrong_input_has_a_cure_and_none_shows_the_seed() {
        let reading = Reading { encoding: Encoding::Hex, bytes: Some(20) };
        let all = [
            WrongInput::Nothing,
            WrongInput::PushEnrolment,
            WrongInput::Migration,
            WrongInput::PasskeyCode,
            WrongInput::ForeignEnrolment { application: "Okta Verify" },
            WrongInput::WebLink,
            WrongInput::OtherLink,
            WrongInput::OtherQr { what: "a mail address" },
            WrongInput::FileContent { what: "a JSON file" },
            WrongInput::Table { lines: 2 },
            WrongInput::SpoiledSerial,
            WrongInput::SerialOnReader,
            WrongInput::TokenSerial { digits: 14 },
            WrongInput::SecurityKeySerial,
            WrongInput::MoltoSerialOrImei,
            WrongInput::ArticleNumber { digits: 13 },
            WrongInput::OneTimeCode { digits: 6 },
            WrongInput::DigitsLikeHex { digits: 40, bytes: 20 },
            WrongInput::Number { digits: 7 },
            WrongInput::Ambiguous { characters: 40, likelier: reading, other: reading },
            WrongInput::Damaged { encoding: Encoding::Base32, error: SeedTextError::UriPiece },
            WrongInput::Labelled { label: "key" },
            WrongInput::UriPiece,
            WrongInput::Unusable { position: 1, character: '@' },
        ];
        for wrong in all {
            assert!(wrong.remedy().len() > 10 && !wrong.remedy().ends_with('.'), "{wrong}");
            assert_eq!(wrong.retry(), Retry::AfterOperator);
        }
        let shown = format!("{:?}", recognise(TWENTY));
        assert!(!shown.contains("CZU6") && !shown.to_lowercase().contains("1669eb"), "{shown}");
    }
}
