//! What Entra ID has to say about an uploaded CSV: the file of errors that its portal offers, or the message it shows.
//! Microsoft documents neither its columns ("different from the upload's") nor its sentences, so this goes by names of
//! columns that can only mean one thing and by words in the sentences. Known from users' reports: *Invalid base32
//! encoding due to illegal character 8 for: UPN, serial number: SERIAL*.

use super::{
    FileError, Place,
    draft::is_upn,
    row::{self, clean},
    serial_list::is_serial_name,
    text,
};
use crate::{
    domain::{
        Serial,
        seed_text::{self, Encoding},
    },
    remedy::{Remedy, Retry},
};
use std::fmt;

/// One line of the upload that Entra ID did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadError {
    /// Where in the file of errors it stands.
    pub place: Place,
    /// The token, where the line names one.
    pub serial: Option<Serial>,
    /// The user, where the line names one.
    pub upn: Option<String>,
    /// What is wrong with it.
    pub reason: Reason,
}

/// Why Entra ID did not take a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A seed that is no base32.
    Base32 {
        /// The character that it stumbled over, where the sentence names it.
        character: Option<char>,
    },
    /// The serial is in the tenant already.
    SerialTaken,
    /// No such user.
    UserUnknown,
    /// The user has as many tokens and applications as the tenant allows.
    UserFull,
    /// The period.
    Interval,
    /// The seed is too long or too short.
    SeedLength,
    /// The columns.
    Columns,
    /// A sentence that isn't known, with everything that could be a seed left out.
    Other(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base32 { character: Some(character) } => {
                write!(f, "its secret key holds \"{}\", which is no base32", character.escape_debug())
            }
            Self::Base32 { character: None } => f.write_str("its secret key is no base32"),
            Self::SerialTaken => f.write_str("its serial is in the tenant already"),
            Self::UserUnknown => f.write_str("the tenant knows no such user"),
            Self::UserFull => f.write_str("the user has as many tokens and applications as there can be"),
            Self::Interval => f.write_str("its time interval is not accepted"),
            Self::SeedLength => f.write_str("the length of its secret key is not accepted"),
            Self::Columns => f.write_str("its columns are not those of Entra ID"),
            Self::Other(sentence) => write!(f, "Entra ID says: {sentence}"),
        }
    }
}

impl Remedy for Reason {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Base32 { .. } => {
                "upload what \"kiln export --format entra\" writes, unchanged: a spreadsheet or a hand altered this line"
            }
            Self::SerialTaken => {
                "find it under OATH tokens in the portal: leave it out if it is this token, else delete the old one there first"
            }
            Self::UserUnknown => {
                "correct the upn (the user principal name, not the e-mail address), or create the user first"
            }
            Self::UserFull => "delete one of the user's tokens or applications; five are the most",
            Self::Interval => "30 or 60 is what Entra ID takes: burn the token again with such a period",
            Self::SeedLength => "at most 128 characters fit: burn the token again with a seed of 20 bytes",
            Self::Columns => "upload what \"kiln export --format entra\" writes, with its first line",
            Self::Other(_) => {
                "look the sentence up in Microsoft's documentation, correct the line and upload it again"
            }
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// What the columns of a file of errors mean.
struct Columns {
    separator: char,
    serial: Option<usize>,
    upn: Option<usize>,
    message: usize,
}

/// Whether a line names the columns of such a file: one for an error, and one for a token or a user.
pub(super) fn is_header(line: &str) -> bool {
    columns(line).is_some()
}

fn columns(line: &str) -> Option<Columns> {
    [',', ';', '\t'].into_iter().find_map(|separator| {
        let cells = row::split(line, separator).ok()?;
        let folded = |cell: &str| -> String {
            cell.chars()
                .filter(char::is_ascii_alphanumeric)
                .map(|c| c.to_ascii_lowercase())
                .take(40)
                .collect()
        };
        let place = |named: &dyn Fn(&str) -> bool| cells.iter().position(|cell| named(&folded(cell)));
        let message = place(&|name| {
            name.starts_with("error")
                || matches!(
                    name,
                    "reason"
                        | "failurereason"
                        | "message"
                        | "validationerror"
                        | "validationerrors"
                        | "details"
                        | "result"
                )
        })?;
        let serial = cells.iter().position(|cell| is_serial_name(cell));
        let upn = place(&|name| matches!(name, "upn" | "userprincipalname" | "username" | "user"));
        (serial.is_some() || upn.is_some()).then_some(Columns { separator, serial, upn, message })
    })
}

/// Reads such a file, or the sentences of the portal's message.
pub fn read(bytes: &[u8]) -> Result<Vec<UploadError>, FileError> {
    if bytes.len() > super::MAX_FILE_BYTES {
        return Err(FileError::TooLarge { bytes: bytes.len() });
    }
    if let Some(content) = super::recognise::binary(bytes) {
        return Err(FileError::Unreadable { content });
    }
    let (text, _) = text::decode(bytes)?;
    let mut lines = (1..).map(Place::Line).zip(text.lines()).filter(|(_, line)| !clean(line).is_empty());
    let first = lines.next();
    let errors = match first.and_then(|(_, line)| columns(line)) {
        Some(columns) => rows(&columns, lines)?,
        None => sentences(&text)?,
    };
    if errors.is_empty() { Err(FileError::Unknown) } else { Ok(errors) }
}

fn rows<'t>(
    columns: &Columns,
    lines: impl Iterator<Item = (Place, &'t str)>,
) -> Result<Vec<UploadError>, FileError> {
    let mut errors = Vec::new();
    for (place, line) in lines {
        let Ok(cells) = row::split(line, columns.separator) else {
            errors.push(UploadError { place, serial: None, upn: None, reason: Reason::Columns });
            continue;
        };
        let cell = |at: Option<usize>| at.and_then(|at| cells.get(at)).map_or("", |cell| cell.as_str());
        let message = cell(Some(columns.message));
        if message.is_empty() {
            continue;
        }
        let said = said_serial(message).map(|(serial, _)| serial);
        let serial = cell(columns.serial).parse().ok().or(said);
        let upn = Some(cell(columns.upn)).filter(|upn| is_upn(upn)).map(str::to_owned);
        errors.push(UploadError { place, upn, reason: reason(message), serial });
        if errors.len() > super::MAX_LINES {
            return Err(FileError::TooManyLines);
        }
    }
    Ok(errors)
}

/// Sentences that name their token, wherever they stand: the portal shows them within JSON.
fn sentences(text: &str) -> Result<Vec<UploadError>, FileError> {
    let mut errors = Vec::new();
    let mut rest = text;
    let mut number = 1;
    while let Some((serial, end)) = said_serial(rest) {
        let sentence = &rest[..end];
        // It begins behind the quotation mark or line end before it.
        let begin = sentence.rfind(['"', '\n', ';']).map_or(0, |at| at + 1);
        let sentence = &sentence[begin..];
        let mut words = sentence.split_whitespace().map(|word| word.trim_matches([',', '"', '<', '>']));
        let upn = words.rfind(|word| is_upn(word)).map(str::to_owned);
        errors.push(UploadError {
            place: Place::Entry(number),
            serial: Some(serial),
            upn,
            reason: reason(sentence),
        });
        number += 1;
        rest = &rest[end..];
        if errors.len() > super::MAX_LINES {
            return Err(FileError::TooManyLines);
        }
    }
    Ok(errors)
}

/// The serial behind "serial number:", and where it ends.
fn said_serial(text: &str) -> Option<(Serial, usize)> {
    const MARK: &str = "serial number:";
    let at = text.as_bytes().windows(MARK.len()).position(|w| w.eq_ignore_ascii_case(MARK.as_bytes()))?;
    let start = at + MARK.len();
    let rest = &text[start..];
    let blanks = rest.len() - rest.trim_start().len();
    let serial: &str = rest.trim_start().split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next()?;
    serial.parse().ok().map(|parsed| (parsed, start + blanks + serial.len()))
}

fn reason(sentence: &str) -> Reason {
    let lower = sentence.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&["base32", "base 32", "illegal character"]) {
        let character = lower.split("illegal character").nth(1).and_then(|rest| {
            let mut rest = rest.trim_start_matches([' ', '\'', '"', ':']).chars();
            // One character alone, not the first of a word: that might be the seed's text.
            rest.next().filter(|_| rest.next().is_none_or(|after| !after.is_alphanumeric()))
        });
        Reason::Base32 { character }
    } else if says(&["already exist", "already in use", "already registered", "duplicate", "not unique"]) {
        Reason::SerialTaken
    } else if says(&["maximum", "limit", "too many"]) && says(&["user", "token", "method"]) {
        Reason::UserFull
    } else if says(&["user", "upn"])
        && says(&["not found", "not exist", "unknown", "invalid", "no such", "cannot be found"])
    {
        Reason::UserUnknown
    } else if says(&["time interval", "timeinterval", "interval"]) {
        Reason::Interval
    } else if says(&["too long", "too short", "length", "exceed"]) {
        Reason::SeedLength
    } else if says(&["column", "header", "field count", "missing field"]) {
        Reason::Columns
    } else {
        Reason::Other(without_seeds(sentence))
    }
}

/// The sentence with every word left out that could be a seed.
fn without_seeds(sentence: &str) -> String {
    let could_be = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        bare.len() >= 16
            && !bare.bytes().all(|b| b.is_ascii_digit())
            && Encoding::ALL.into_iter().any(|encoding| seed_text::decode(bare, encoding).is_ok())
    };
    let words = sentence.split_whitespace().map(|word| if could_be(word) { "…" } else { word });
    words.take(60).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_mapped_to_tokens_and_reasons() {
        let text = "UserPrincipalName;SerialNumber;ErrorMessage\r\n\
            alice@example.com;0012345678901;Invalid base32 encoding due to illegal character 8 for: alice@example.com, serial number: 0012345678901\r\n\
            bob@example.com;0012345678902;A token with this serial number already exists\r\n\
            carol;0012345678903;User not found in tenant\r\n\
            dave@example.com;;The TimeInterval must be 30 or 60, serial number: 0012345678904\r\n\
            erin@example.com;0012345678905;\r\n";
        let errors = read(text.as_bytes()).unwrap();
        let found: Vec<_> = errors
            .iter()
            .map(|e| (e.place.number(), e.serial.as_ref().map(Serial::as_str), e.reason.clone()))
            .collect();
        assert_eq!(
            found,
            [
                (2, Some("0012345678901"), Reason::Base32 { character: Some('8') }),
                (3, Some("0012345678902"), Reason::SerialTaken),
                (4, Some("0012345678903"), Reason::UserUnknown),
                (5, Some("0012345678904"), Reason::Interval),
            ]
        );
        assert_eq!((errors[0].upn.as_deref(), errors[2].upn.as_deref()), (Some("alice@example.com"), None));
    }

    /// The form in which a user reports the portal's message.
    #[test]
    fn the_portals_message_is_read_out_of_its_json() {
        let text = "{\"errorCode\":\"BadRequest\",\"localizedErrorDetails\":{\"hardwareTokenUploadValidationFailure\":\
            \"Invalid base32 encoding due to illegal character 8 for: alice@example.com, serial number: 1000; \
            Invalid base32 encoding due to illegal character 1 for: bob@example.com, serial number: 1001\"}}";
        let errors = read(text.as_bytes()).unwrap();
        let found: Vec<_> =
            errors.iter().map(|e| (e.serial.as_ref().unwrap().as_str(), e.upn.as_deref())).collect();
        assert_eq!(found, [("1000", Some("alice@example.com")), ("1001", Some("bob@example.com"))]);
        assert_eq!(errors[1].reason, Reason::Base32 { character: Some('1') });
    }

    #[test]
    fn what_could_be_a_seed_is_never_repeated() {
        let seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        let text =
            format!("serial number,secret key,error\n1000,{seed},Cannot process {seed}, or ({seed})\n");
        let errors = read(text.replace("seed, or", "seed or").as_bytes()).unwrap();
        let told = format!("{} {:?}", errors[0].reason, errors);
        assert!(!told.contains(&seed[..8]) && told.contains("Cannot process"), "{told}");
        let reason = reason(&format!("illegal character {seed}"));
        assert_eq!(reason, Reason::Base32 { character: None });
    }

    #[test]
    fn another_file_is_not_taken_for_errors() {
        assert_eq!(read(b"upn,serial number,secret key\n").unwrap_err(), FileError::Unknown);
        assert_eq!(read(b"").unwrap_err(), FileError::Empty);
        assert!(!is_header("upn,serial number,secret key,time interval,manufacturer,model"));
    }

    #[test]
    fn every_reason_says_what_to_do() {
        for reason in [
            Reason::Base32 { character: Some('8') },
            Reason::Base32 { character: None },
            Reason::SerialTaken,
            Reason::UserUnknown,
            Reason::UserFull,
            Reason::Interval,
            Reason::SeedLength,
            Reason::Columns,
            Reason::Other("no".into()),
        ] {
            assert!(reason.remedy().len() > 20 && !reason.remedy().ends_with('.'), "{reason}");
            assert_eq!(reason.retry(), Retry::AfterOperator);
        }
    }
}
