//! Key URIs, `otpauth://`: what enrolment QR codes hold. Read and written.
//!
//! There is no standard, only Google's wiki page and what applications do. This reader takes what is unambiguous and
//! says what it noticed; it refuses what could give another seed or another code than the writer meant. Which hashes,
//! digits and periods a token can hold is the model's business, so every legal value is taken here, HOTP included.
//! (keyroost's importer, whose outcomes stand beside ours in the vectors, refuses a scheme in capitals, HOTP, SHA-512
//! and odd periods right in the parser.)

use super::{
    params::{Digits, Hash, Mode, ParameterError, Parameters, Period},
    seed::Seed,
    seed_text::{self, Encoding, SeedTextError, WrongInput},
    time::UnixTime,
};
use crate::remedy::{Remedy, Retry};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::{fmt, fmt::Write as _};
use zeroize::Zeroizing;

/// A seed with everything that a key URI says about it.
#[derive(Debug)]
pub struct KeyUri {
    /// The service. Not empty.
    pub issuer: Option<String>,
    /// The user's name there; empty where the URI has none.
    pub account: String,
    /// The seed.
    pub seed: Seed,
    /// How codes are made of it.
    pub parameters: Parameters,
    /// What was noticed while reading; empty in one that was not read.
    pub notes: Vec<UriNote>,
}

/// What was noticed in a key URI that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UriNote {
    /// The label's prefix and the `issuer` parameter differ; the parameter was taken.
    IssuersDiffer {
        /// What stands before the account.
        label: String,
        /// What was taken.
        parameter: String,
    },
    /// A parameter stands there more than once with one value.
    Repeated {
        /// Its name, in lower case.
        name: &'static str,
    },
    /// `+` in the issuer was read as a blank.
    PlusAsBlank,
    /// No account stands in the label.
    NoAccount,
    /// The URI has a T0 of its own, which other applications ignore.
    OwnT0,
    /// About the seed's text.
    Seed(seed_text::Note),
}

impl fmt::Display for UriNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IssuersDiffer { label, parameter } => {
                write!(f, "the label says \"{label}\", the issuer \"{parameter}\"; took the issuer")
            }
            Self::Repeated { name } => write!(f, "\"{name}\" stands there twice with the same value"),
            Self::PlusAsBlank => f.write_str("read \"+\" in the issuer as a blank"),
            Self::NoAccount => f.write_str("the URI names no account"),
            Self::OwnT0 => {
                f.write_str("the URI states a T0, which other applications ignore (their codes will differ)")
            }
            Self::Seed(note) => note.fmt(f),
        }
    }
}

/// Why a text is no key URI that can be used. Never holds a value from it, save the word for its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyUriError {
    /// Doesn't begin with `otpauth://`.
    #[error("this does not begin with otpauth://")]
    Scheme,
    /// Something else, which names itself by how it begins.
    #[error(transparent)]
    Foreign(#[from] WrongInput),
    /// Neither TOTP nor HOTP.
    #[error("type \"{found}\" in the URI is neither totp nor hotp")]
    Kind {
        /// What stands there, cut to 20 characters.
        found: String,
    },
    /// There is no `secret`.
    #[error("the URI has no secret parameter")]
    NoSecret,
    /// The seed can't be read.
    #[error("the URI's secret: {0}")]
    Seed(#[from] SeedTextError),
    /// `+` in the secret: neither base32 nor a blank one may guess at.
    #[error("the URI's secret holds \"+\", which base32 does not have")]
    PlusInSecret,
    /// A parameter stands there twice with two values.
    #[error("\"{name}\" stands in the URI twice, with different values")]
    Contradiction {
        /// Its name, in lower case.
        name: &'static str,
    },
    /// `%` without two hex digits, or bytes that are no UTF-8.
    #[error("the URI's {field} has a broken percent escape")]
    Escape {
        /// The label or the parameter.
        field: &'static str,
    },
    /// Not a whole number in reach.
    #[error("\"{name}\" in the URI is no whole number")]
    Number {
        /// The parameter.
        name: &'static str,
    },
    /// A hash, a number of digits or a period that doesn't exist.
    #[error("\"{name}\" in the URI: {error}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// What is wrong with it.
        error: ParameterError,
    },
    /// HOTP without its counter.
    #[error("the URI is of type hotp and has no counter")]
    NoCounter,
}

impl Remedy for KeyUriError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Foreign(wrong) => wrong.remedy(),
            Self::Scheme => "give the whole URI, from otpauth:// to its end",
            Self::Kind { .. } => "ask the service for a standard TOTP or HOTP enrolment",
            Self::NoSecret => "copy the URI again, with all that follows the question mark",
            Self::Seed(error) => error.remedy(),
            Self::PlusInSecret | Self::Escape { .. } => {
                "copy the URI again from its source, or scan the QR code"
            }
            Self::Contradiction { .. } => "find out which value is right and remove the other",
            Self::Number { .. } | Self::Parameter { .. } => {
                "ask the service for its parameters and give seed and parameters instead of the URI"
            }
            Self::NoCounter => "ask the service for the counter and add it as counter=N; do not assume 0",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// The parameters read; all others (`image`, `lock`, …) are ignored.
const NAMES: [&str; 7] = ["secret", "issuer", "algorithm", "digits", "period", "counter", "t0"];

/// RFC 3986 section 2.3: everything else is escaped when writing, blanks as `%20`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl KeyUri {
    /// One to be written. Blanks round issuer and account are dropped, and an issuer of blanks is none.
    pub fn new(issuer: Option<&str>, account: &str, seed: Seed, parameters: Parameters) -> Self {
        let issuer = issuer.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        Self { issuer, account: account.trim().to_owned(), seed, parameters, notes: Vec::new() }
    }

    /// Reads a key URI. Scheme, type and parameter names count without case; a missing algorithm, digits or period
    /// is SHA-1, 6 or 30 s; a missing counter of HOTP is refused.
    pub fn parse(text: &str) -> Result<Self, KeyUriError> {
        let text =
            text.trim_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}' || seed_text::is_quote(c));
        let rest = match text.split_at_checked("otpauth://".len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("otpauth://") => rest,
            _ => return Err(seed_text::foreign(text).map_or(KeyUriError::Scheme, KeyUriError::Foreign)),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, label) = path.split_once('/').unwrap_or((path, ""));
        let mut notes = Vec::new();
        let given = Given::gather(query, &mut notes)?;

        let secret = given.secret.as_ref().ok_or(KeyUriError::NoSecret)?;
        let (seed, seed_notes) = seed_text::decode(secret, Encoding::Base32)?;
        notes.extend(seed_notes.into_iter().map(UriNote::Seed));

        let hash = given.algorithm.as_deref().map_or(Ok(Hash::Sha1), str::parse);
        let hash = hash.map_err(|error| KeyUriError::Parameter { name: "algorithm", error })?;
        let digits = given.number("digits", given.digits.as_deref())?.map_or(Ok(Digits::SIX), Digits::new);
        let digits = digits.map_err(|error| KeyUriError::Parameter { name: "digits", error })?;
        let mode = if kind.eq_ignore_ascii_case("totp") {
            let period = given.number("period", given.period.as_deref())?;
            let period = period.map_or(Ok(Period::THIRTY), Period::from_secs);
            let period = period.map_err(|error| KeyUriError::Parameter { name: "period", error })?;
            let t0 = given.number("t0", given.t0.as_deref())?.map_or(UnixTime(0), UnixTime);
            notes.extend((t0 != UnixTime(0)).then_some(UriNote::OwnT0));
            Mode::Totp { period, t0 }
        } else if kind.eq_ignore_ascii_case("hotp") {
            let counter = given.number("counter", given.counter.as_deref())?;
            Mode::Hotp { counter: counter.ok_or(KeyUriError::NoCounter)? }
        } else {
            return Err(KeyUriError::Kind { found: kind.chars().take(20).collect() });
        };

        let label = unescape(label, "label")?;
        let (issuer, account) = name(&label, given.issuer, &mut notes);
        Ok(Self { issuer, account, seed, parameters: Parameters { hash, digits, mode }, notes })
    }

    /// Writes it so that the strictest reader takes it: issuer in label and parameter, algorithm, digits and period
    /// always stated, everything but unreserved characters escaped.
    ///
    /// A T0 other than 1970 has no place in key URIs; it goes into a parameter `t0` that [`parse`](Self::parse) knows
    /// and others ignore.
    pub fn to_uri(&self) -> Zeroizing<String> {
        let seed = seed_text::base32(&self.seed);
        let issuer = self.issuer.as_deref().unwrap_or("");
        // Large enough from the start: growing would leave copies of the seed behind that nothing wipes.
        let size = 160 + 2 * 3 * issuer.len() + 3 * self.account.len() + seed.len();
        let mut uri = Zeroizing::new(String::with_capacity(size));
        let kind = match self.parameters.mode {
            Mode::Totp { .. } => "totp",
            Mode::Hotp { .. } => "hotp",
        };
        uri.push_str("otpauth://");
        uri.push_str(kind);
        uri.push('/');
        uri.extend(utf8_percent_encode(issuer, RESERVED));
        // An account with a colon and no issuer keeps its colon only behind another one.
        if !issuer.is_empty() || self.account.contains(':') {
            uri.push(':');
        }
        uri.extend(utf8_percent_encode(&self.account, RESERVED));
        uri.push_str("?secret=");
        uri.push_str(&seed);
        if !issuer.is_empty() {
            uri.push_str("&issuer=");
            uri.extend(utf8_percent_encode(issuer, RESERVED));
        }
        let Parameters { hash, digits, mode } = self.parameters;
        let stated =
            write!(uri, "&algorithm={}&digits={digits}", hash.uri_name()).and_then(|()| match mode {
                Mode::Totp { period, t0: UnixTime(0) } => write!(uri, "&period={}", period.as_secs()),
                Mode::Totp { period, t0 } => write!(uri, "&period={}&t0={}", period.as_secs(), t0.0),
                Mode::Hotp { counter } => write!(uri, "&counter={counter}"),
            });
        stated.expect("writing to a string does not fail");
        uri
    }
}

/// The values of the known parameters, unescaped.
#[derive(Default)]
struct Given {
    secret: Option<Zeroizing<String>>,
    issuer: Option<Issuer>,
    algorithm: Option<String>,
    digits: Option<String>,
    period: Option<String>,
    counter: Option<String>,
    t0: Option<String>,
}

impl Given {
    fn gather(query: &str, notes: &mut Vec<UriNote>) -> Result<Self, KeyUriError> {
        let mut given = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(name) = NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name.trim())) else {
                continue;
            };
            let known = match name {
                "secret" if value.contains('+') => return Err(KeyUriError::PlusInSecret),
                "secret" => put(&mut given.secret, unescape(value, name)?),
                "issuer" => put(&mut given.issuer, Issuer::read(value)?),
                _ => put(given.plain(name), unescape(value, name)?.to_string()),
            };
            match known {
                Put::New => {}
                Put::Same => notes.push(UriNote::Repeated { name }),
                Put::Differs => return Err(KeyUriError::Contradiction { name }),
            }
        }
        Ok(given)
    }

    fn plain(&mut self, name: &str) -> &mut Option<String> {
        match name {
            "algorithm" => &mut self.algorithm,
            "digits" => &mut self.digits,
            "period" => &mut self.period,
            "counter" => &mut self.counter,
            _ => &mut self.t0,
        }
    }

    fn number<N: std::str::FromStr>(
        &self,
        name: &'static str,
        value: Option<&str>,
    ) -> Result<Option<N>, KeyUriError> {
        value.map(|text| text.trim().parse().map_err(|_| KeyUriError::Number { name })).transpose()
    }
}

/// The issuer parameter. What an unescaped `+` in it means is seen only beside the label.
#[derive(PartialEq)]
struct Issuer {
    literal: String,
    /// With a blank for each `+`; `None` where there is no `+`.
    blanks_for_plus: Option<String>,
}

impl Issuer {
    fn read(value: &str) -> Result<Self, KeyUriError> {
        let read = |text: &str| unescape(text, "issuer").map(|text| text.trim().to_owned());
        let blanks_for_plus = value.contains('+').then(|| read(&value.replace('+', "%20"))).transpose()?;
        Ok(Self { literal: read(value)?, blanks_for_plus })
    }
}

enum Put {
    New,
    Same,
    Differs,
}

/// Keeps the first value.
fn put<T: PartialEq>(place: &mut Option<T>, value: T) -> Put {
    match place {
        None => {
            *place = Some(value);
            Put::New
        }
        Some(first) if *first == value => Put::Same,
        Some(_) => Put::Differs,
    }
}

/// Undoes percent escapes, strictly: an escape cut short means that the text was cut or changed on its way.
fn unescape(text: &str, field: &'static str) -> Result<Zeroizing<String>, KeyUriError> {
    let whole = text
        .split('%')
        .skip(1)
        .all(|after| after.len() >= 2 && after.bytes().take(2).all(|b| b.is_ascii_hexdigit()));
    if !whole {
        return Err(KeyUriError::Escape { field });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    bytes.extend(percent_encoding::percent_decode_str(text));
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyUriError::Escape { field })?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Issuer and account from the label and the issuer parameter.
fn name(label: &str, parameter: Option<Issuer>, notes: &mut Vec<UriNote>) -> (Option<String>, String) {
    let parameter = parameter.filter(|issuer| !issuer.literal.is_empty());
    // An issuer with a colon of its own: the label repeats it whole, or it would be cut at its first colon.
    let repeated = parameter.as_ref().and_then(|issuer| {
        let account = label.strip_prefix(&issuer.literal)?.strip_prefix(':')?;
        Some((issuer.literal.clone(), account))
    });
    let (prefix, account) = repeated.unwrap_or_else(|| match label.split_once(':') {
        Some((prefix, account)) => (prefix.trim().to_owned(), account),
        None => (String::new(), label),
    });
    let account = account.trim().to_owned();
    if account.is_empty() {
        notes.push(UriNote::NoAccount);
    }
    let issuer = match parameter {
        None => return (Some(prefix).filter(|text| !text.is_empty()), account),
        // Form encoders write a blank as "+"; a plus meant as such, yet not escaped, stands in the label, too.
        Some(Issuer { literal, blanks_for_plus: Some(blanks) })
            if prefix != literal && !blanks.is_empty() =>
        {
            notes.push(UriNote::PlusAsBlank);
            blanks
        }
        Some(Issuer { literal, .. }) => literal,
    };
    if !prefix.is_empty() && prefix != issuer {
        notes.push(UriNote::IssuersDiffer { label: prefix, parameter: issuer.clone() });
    }
    (Some(issuer), account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "JBSWY3DPEHPK3PXP";

    fn parse(text: &str) -> KeyUri {
        KeyUri::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    fn with(rest: &str) -> Result<KeyUri, KeyUriError> {
        KeyUri::parse(&format!("otpauth://totp/x?secret={SECRET}{rest}"))
    }

    /// All of the vectors. What they refuse for the sake of a device is the model's to refuse, not the reader's.
    #[test]
    fn known_uris_have_their_known_outcome() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/seed-files.json")).unwrap();
        let cases = vectors["otpauth"].as_array().unwrap();
        assert!(cases.len() >= 10);
        for case in cases {
            let (uri, expected) = (case["uri"].as_str().unwrap(), &case["expected"]);
            let read = KeyUri::parse(uri);
            if expected["result"] == "reject" {
                match expected["reason"].as_str().unwrap() {
                    "HOTP on a TOTP-only device" => {
                        assert_eq!(read.unwrap().parameters.mode, Mode::Hotp { counter: 1 });
                    }
                    "SHA-512 not supported by the token families here" => {
                        assert_eq!(read.unwrap().parameters.hash, Hash::Sha512);
                    }
                    "only 30 and 60 seconds can be programmed" => {
                        assert_eq!(read.unwrap().parameters.period().unwrap().as_secs(), 15);
                    }
                    "8 is not a base32 character" => {
                        let error = read.unwrap_err();
                        assert!(
                            matches!(error, KeyUriError::Seed(SeedTextError::MisreadDigit { .. })),
                            "{error}"
                        );
                    }
                    "no secret parameter" => assert_eq!(read.unwrap_err(), KeyUriError::NoSecret),
                    new => panic!("a reason this test does not know: {new}"),
                }
                continue;
            }
            let read = read.unwrap_or_else(|e| panic!("{uri}: {e}"));
            assert_eq!(read.issuer.as_deref(), expected["issuer"].as_str(), "{uri}");
            assert_eq!(read.account, expected["account"], "{uri}");
            assert_eq!(*seed_text::hex(&read.seed), expected["secret"].as_str().unwrap(), "{uri}");
            let hash: Hash = expected["algorithm"].as_str().unwrap().parse().unwrap();
            let digits = Digits::new(expected["digits"].as_u64().unwrap()).unwrap();
            let period = Period::from_secs(expected["period"].as_u64().unwrap()).unwrap();
            assert_eq!(read.parameters, Parameters::totp(hash, digits, period), "{uri}");
            let differ = read.notes.iter().any(|note| matches!(note, UriNote::IssuersDiffer { .. }));
            assert_eq!(differ, expected["warning"].is_string(), "{uri}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            issuer in proptest::option::of(any::<String>()),
            account in any::<String>(),
            seed in proptest::collection::vec(any::<u8>(), 1..80),
            hash in proptest::sample::select(&Hash::ALL),
            digits in 4u64..=10,
            time_based in any::<bool>(),
            period in 1u64..=u64::from(u32::MAX),
            t0 in prop_oneof![Just(0), any::<i64>()],
            counter in any::<u64>(),
        ) {
            let period = Period::from_secs(period).unwrap();
            let mode = if time_based { Mode::Totp { period, t0: UnixTime(t0) } } else { Mode::Hotp { counter } };
            let parameters = Parameters { hash, digits: Digits::new(digits).unwrap(), mode };
            let written = KeyUri::new(issuer.as_deref(), &account, Seed::new(seed), parameters);
            let uri = written.to_uri();
            prop_assert!(uri.is_ascii());
            let read = KeyUri::parse(&uri).unwrap();
            prop_assert_eq!(&read.issuer, &written.issuer);
            prop_assert_eq!(&read.account, &written.account);
            prop_assert!(read.seed.same_as(&written.seed));
            prop_assert_eq!(read.parameters, written.parameters);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(otpauth://(totp|hotp)/)?[a-z:%&=?0-9A-F+ é]{0,60}") {
            let _ = KeyUri::parse(&text);
        }
    }

    #[test]
    fn names_with_colons_blanks_and_other_scripts_come_back() {
        for (issuer, account) in [
            (Some("Größe & Söhne: GmbH"), "иван@пример.рф"),
            (None, "DOMAIN:user"),
            (Some("a+b"), "c+d"),
            (Some("日本"), "a/b?c#d%e"),
            (Some("Acme"), ""),
        ] {
            let written = KeyUri::new(issuer, account, Seed::new([7; 20]), Parameters::standard());
            let read = parse(&written.to_uri());
            assert_eq!((read.issuer.as_deref(), read.account.as_str()), (issuer, account));
        }
    }

    #[test]
    fn a_written_uri_states_everything() {
        let seed = Seed::new(*b"12345678901234567890");
        let written = KeyUri::new(Some("Kiln Test"), "alice@example.com", seed, Parameters::standard());
        assert_eq!(
            *written.to_uri(),
            "otpauth://totp/Kiln%20Test:alice%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Kiln%20Test&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn the_label_is_split_at_its_first_colon_and_blanks_go() {
        let read = parse(&format!("otpauth://totp/Acme%3A%20bob%3Asmith?secret={SECRET}"));
        assert_eq!((read.issuer.as_deref(), read.account.as_str()), (Some("Acme"), "bob:smith"));
        assert_eq!(parse(&format!("otpauth://totp/a+b?secret={SECRET}")).account, "a+b");
        assert_eq!(parse(&format!("otpauth://totp?secret={SECRET}")).notes[1], UriNote::NoAccount);
    }

    #[test]
    fn a_plus_in_the_issuer_is_a_blank_unless_the_label_has_a_plus() {
        let blank = with("&issuer=Big+Corp").unwrap();
        assert_eq!(blank.issuer.as_deref(), Some("Big Corp"));
        assert!(blank.notes.contains(&UriNote::PlusAsBlank));
        let plus = parse(&format!("otpauth://totp/Big+Corp:x?secret={SECRET}&issuer=Big+Corp"));
        assert_eq!(plus.issuer.as_deref(), Some("Big+Corp"));
        assert_eq!(with("&issuer=Big%2BCorp").unwrap().issuer.as_deref(), Some("Big+Corp"));
    }

    #[test]
    fn capitals_and_other_spellings_are_legal() {
        let read =
            parse(&format!("OtpAuth://HOTP/x?SECRET={SECRET}&COUNTER=7&Algorithm=hmac-sha256&image=%zz"));
        let mode = Mode::Hotp { counter: 7 };
        assert_eq!(read.parameters, Parameters { hash: Hash::Sha256, digits: Digits::SIX, mode });
        let read = parse("otpauth://totp/x?secret=jbsw%20y3dp-ehpk3pxp%3D".trim_end_matches("%3D"));
        assert!(read.notes.contains(&UriNote::Seed(seed_text::Note::LowerCase)));
        let padded = "otpauth://totp/x?secret=AAAQEAYEAUDAOCAJBIFQYDIOB4%3D%3D%3D%3D%3D%3D";
        assert_eq!(parse(padded).seed.len_bytes(), 16);
    }

    #[test]
    fn what_could_mean_another_seed_or_code_is_refused() {
        let name = |error: KeyUriError| match error {
            KeyUriError::Contradiction { name }
            | KeyUriError::Number { name }
            | KeyUriError::Escape { field: name } => name,
            KeyUriError::Parameter { name, .. } => name,
            other => panic!("{other}"),
        };
        assert_eq!(name(with("&secret=GEZDGNBVGY3TQOJQ").unwrap_err()), "secret");
        assert_eq!(name(with("&digits=6&digits=8").unwrap_err()), "digits");
        assert!(with("&period=30&PERIOD=30").unwrap().notes.contains(&UriNote::Repeated { name: "period" }));
        assert_eq!(name(with("&period=0").unwrap_err()), "period");
        assert_eq!(name(with("&period=30s").unwrap_err()), "period");
        assert_eq!(name(with("&digits=12").unwrap_err()), "digits");
        assert_eq!(name(with("&algorithm=MD5").unwrap_err()), "algorithm");
        assert_eq!(name(with("&issuer=100%").unwrap_err()), "issuer");
        assert_eq!(name(with("&issuer=%ff").unwrap_err()), "issuer");
        assert_eq!(with("+").unwrap_err(), KeyUriError::PlusInSecret);
        let refused = |text: &str| KeyUri::parse(text).unwrap_err();
        assert_eq!(refused(&format!("otpauth://hotp/x?secret={SECRET}")), KeyUriError::NoCounter);
        assert_eq!(refused("totp/a?secret=A"), KeyUriError::Scheme);
        let foreign = |text: &str| match refused(text) {
            KeyUriError::Foreign(wrong) => wrong,
            other => panic!("{other:?}"),
        };
        assert_eq!(foreign("otpauth-migration://offline?data=A"), WrongInput::Migration);
        assert_eq!(foreign("phonefactor://activate?code=1"), WrongInput::PushEnrolment);
        assert_eq!(foreign("FIDO:/0123456789"), WrongInput::PasskeyCode);
        assert_eq!(foreign("https://example.com/"), WrongInput::WebLink);
        assert_eq!(foreign("unheard-of://activate?x=1"), WrongInput::OtherLink);
        assert!(matches!(refused(&format!("otpauth://steam/x?secret={SECRET}")), KeyUriError::Kind { .. }));
    }

    #[test]
    fn every_refusal_names_its_cure() {
        let all = [
            KeyUriError::Scheme,
            KeyUriError::Foreign(WrongInput::PushEnrolment),
            KeyUriError::Kind { found: "steam".into() },
            KeyUriError::NoSecret,
            KeyUriError::Seed(SeedTextError::Empty),
            KeyUriError::PlusInSecret,
            KeyUriError::Contradiction { name: "digits" },
            KeyUriError::Escape { field: "label" },
            KeyUriError::Number { name: "digits" },
            KeyUriError::Parameter { name: "digits", error: ParameterError::Digits(3) },
            KeyUriError::NoCounter,
        ];
        for error in all {
            assert!(error.remedy().len() > 10 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
        assert!(!format!("{:?}", with("").unwrap()).contains(SECRET));
    }
}
