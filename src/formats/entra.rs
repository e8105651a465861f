//! Writes Entra ID's hardware OATH CSV. What the format can't carry is refused line by line, before there is a file: an
//! upload with one wrong line fails in the portal without saying which seeds it kept.

use super::draft::{is_upn, odd_character, starts_formula};
use crate::{
    domain::{Digits, Hash, Mode, Parameters, Period, Seed, Serial, UnixTime, seed_text},
    remedy::{Remedy, Retry},
};
use std::{collections::HashMap, fmt};
use zeroize::Zeroizing;

/// The name of the fourth column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SpellingOfInterval {
    /// `time interval`, as Microsoft's current page has it.
    #[default]
    Current,
    /// `timeinterval`, as older pages and the vendors' files have it.
    Older,
}

/// One token, as its line will be.
#[derive(Debug, Clone, Copy)]
pub struct EntraRow<'a> {
    /// The user; `None` leaves the cell empty, to be filled in before the upload.
    pub upn: Option<&'a str>,
    /// The serial.
    pub serial: &'a Serial,
    /// The seed.
    pub seed: &'a Seed,
    /// What the token shows.
    pub parameters: Parameters,
    /// Who made it.
    pub manufacturer: &'a str,
    /// Its model.
    pub model: &'a str,
}

/// A token that the format can't carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} (serial {serial}): {reason}")]
pub struct Refusal {
    /// The line it would have, from 1, the header counted.
    pub line: u32,
    /// The token.
    pub serial: Serial,
    /// Why.
    pub reason: RefusalReason,
}

/// Why a token can't be carried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusalReason {
    /// Counter-based.
    #[error("Entra ID takes time-based tokens only")]
    Hotp,
    /// Steps from another moment than 1970.
    #[error("Entra ID counts steps from 1970 only")]
    StartTime,
    /// Not SHA-1.
    #[error("the CSV cannot state {0}: Entra ID takes every line as SHA-1")]
    Hash(Hash),
    /// Not six.
    #[error("the CSV cannot state {0} digits: Entra ID takes every line as 6")]
    Digits(Digits),
    /// Neither 30 nor 60.
    #[error("Entra ID takes a period of 30 or 60 s, not {0}")]
    Period(Period),
    /// Too long, or nothing.
    #[error("the seed has {characters} base32 characters; Entra ID takes 1 to 128")]
    SeedLength {
        /// Its length in base32.
        characters: usize,
    },
    /// Not of the form `user@domain`.
    #[error("the upn is no user principal name (user@example.com)")]
    Upn,
    /// A text with a comma, a quotation mark or something invisible.
    #[error("the {0} holds a character that the CSV cannot carry")]
    Text(TextColumn),
    /// A text that a spreadsheet would run.
    #[error("the {0} begins like a formula (= + - @)")]
    Formula(TextColumn),
    /// A second seed under one serial.
    #[error("line {first_line} has the same serial, which is unique in a tenant")]
    SerialTwice {
        /// The first line with it.
        first_line: u32,
    },
}

/// The columns with free text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextColumn {
    /// Who made the token.
    Manufacturer,
    /// Its model.
    Model,
}

impl fmt::Display for TextColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Manufacturer => "manufacturer",
            Self::Model => "model",
        })
    }
}

impl Remedy for Refusal {
    fn remedy(&self) -> &'static str {
        self.reason.remedy()
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }
}

impl Remedy for RefusalReason {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Hotp | Self::StartTime | Self::Digits(_) => {
                "leave this token out: it was burned for another server"
            }
            Self::Hash(_) => {
                "leave this token out; SHA-256 can be loaded through Microsoft Graph, SHA-512 not at all"
            }
            Self::Period(_) => "leave this token out, or burn it again with a period of 30 or 60 s",
            Self::SeedLength { .. } => "burn the token again with a seed of 20 bytes",
            Self::Upn => "correct the user, or take it out and fill it in before the upload",
            Self::Text(_) | Self::Formula(_) => {
                "write manufacturer and model with letters, digits, blanks and hyphens"
            }
            Self::SerialTwice { .. } => {
                "export one profile of each token; a further one needs a serial of its own in Entra ID"
            }
        }
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }
}

/// The most base32 characters in the secret key column.
const MAX_SECRET: usize = 128;

/// The whole file: UTF-8 without byte-order mark, CRLF between lines, none after the last (a portal may take an empty
/// last line for a token), nothing quoted. Or every line that can't be written.
pub fn write(
    rows: &[EntraRow<'_>],
    spelling: SpellingOfInterval,
) -> Result<Zeroizing<Vec<u8>>, Vec<Refusal>> {
    let mut first_lines = HashMap::new();
    let mut refusals = Vec::new();
    for (line, row) in (2..).zip(rows) {
        let first_line = *first_lines.entry(row.serial).or_insert(line);
        let twice = (first_line != line).then_some(RefusalReason::SerialTwice { first_line });
        let reasons = reasons_against(row).into_iter().chain(twice);
        refusals.extend(reasons.map(|reason| Refusal { line, serial: row.serial.clone(), reason }));
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let interval = match spelling {
        SpellingOfInterval::Current => "time interval",
        SpellingOfInterval::Older => "timeinterval",
    };
    let header = format!("upn,serial number,secret key,{interval},manufacturer,model");
    let texts = |row: &EntraRow<'_>| {
        row.upn.unwrap_or("").len() + row.serial.as_str().len() + row.manufacturer.len() + row.model.len()
    };
    // Large enough from the start: growing would leave copies of seeds behind that nothing wipes. 16 are the commas,
    // the period and the line end.
    let size = header.len() + rows.iter().map(|row| texts(row) + MAX_SECRET + 16).sum::<usize>();
    let mut file = Zeroizing::new(Vec::with_capacity(size));
    file.extend_from_slice(header.as_bytes());
    for row in rows {
        let secret = seed_text::base32(row.seed);
        let period = row.parameters.period().map(|p| p.as_secs().to_string()).unwrap_or_default();
        let cells =
            [row.upn.unwrap_or(""), row.serial.as_str(), &secret, &period, row.manufacturer, row.model];
        for (at, cell) in cells.into_iter().enumerate() {
            file.extend_from_slice(if at == 0 { b"\r\n" } else { b"," });
            file.extend_from_slice(cell.as_bytes());
        }
    }
    Ok(file)
}

pub(super) fn reasons_against(row: &EntraRow<'_>) -> Vec<RefusalReason> {
    let Parameters { hash, digits, mode } = row.parameters;
    let mode = match mode {
        Mode::Hotp { .. } => Some(RefusalReason::Hotp),
        Mode::Totp { t0, .. } if t0 != UnixTime(0) => Some(RefusalReason::StartTime),
        Mode::Totp { period, .. } if ![Period::THIRTY, Period::SIXTY].contains(&period) => {
            Some(RefusalReason::Period(period))
        }
        Mode::Totp { .. } => None,
    };
    let characters = (row.seed.len_bytes() * 8).div_ceil(5);
    let length =
        (!(1..=MAX_SECRET).contains(&characters)).then_some(RefusalReason::SeedLength { characters });
    let upn = row.upn.filter(|upn| !is_upn(upn) || odd_character(upn).is_some());
    let texts = [(TextColumn::Manufacturer, row.manufacturer), (TextColumn::Model, row.model)];
    let texts = texts.into_iter().filter_map(|(column, text)| {
        // Semicolons and tabs would be taken for separators where a reader goes by their number.
        if text.contains([',', ';', '"']) || odd_character(text).is_some() || text.trim() != text {
            Some(RefusalReason::Text(column))
        } else {
            starts_formula(text).then_some(RefusalReason::Formula(column))
        }
    });
    mode.into_iter()
        .chain((hash != Hash::Sha1).then_some(RefusalReason::Hash(hash)))
        .chain((digits != Digits::SIX).then_some(RefusalReason::Digits(digits)))
        .chain(length)
        .chain(upn.map(|_| RefusalReason::Upn))
        .chain(texts)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::{Format, parse};
    use proptest::prelude::*;

    fn refusals_of(change: impl FnOnce(&mut EntraRow<'_>)) -> Vec<RefusalReason> {
        let (serial, seed) = ("0012345678901".parse().unwrap(), Seed::new(*b"12345678901234567890"));
        let mut row = EntraRow {
            upn: Some("alice@example.com"),
            serial: &serial,
            seed: &seed,
            parameters: Parameters::standard(),
            manufacturer: "Token2",
            model: "miniOTP-2",
        };
        change(&mut row);
        match write(&[row], SpellingOfInterval::Current) {
            Ok(_) => vec![],
            Err(refusals) => {
                assert!(refusals.iter().all(|r| r.line == 2 && r.serial == serial && r.remedy().len() > 10));
                refusals.into_iter().map(|refusal| refusal.reason).collect()
            }
        }
    }

    #[test]
    fn the_file_is_as_microsoft_documents_it() {
        let (serial, seed) = ("0012345678901".parse().unwrap(), Seed::new(*b"12345678901234567890"));
        let row = EntraRow {
            upn: Some("alice@example.com"),
            serial: &serial,
            seed: &seed,
            parameters: Parameters::totp(Hash::Sha1, Digits::SIX, Period::SIXTY),
            manufacturer: "Token2",
            model: "miniOTP-2",
        };
        let expected = "upn,serial number,secret key,time interval,manufacturer,model\r\n\
             alice@example.com,0012345678901,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,60,Token2,miniOTP-2";
        let written = write(&[row], SpellingOfInterval::Current).unwrap();
        assert_eq!(std::str::from_utf8(&written).unwrap(), expected);
        let older = write(&[row], SpellingOfInterval::Older).unwrap();
        assert_eq!(std::str::from_utf8(&older).unwrap(), expected.replace("time interval", "timeinterval"));
    }

    #[test]
    fn what_entra_can_not_carry_is_refused() {
        use RefusalReason as R;
        let totp = |hash, digits, period| {
            Parameters::totp(hash, Digits::new(digits).unwrap(), Period::from_secs(period).unwrap())
        };
        let with = |parameters| refusals_of(|row| row.parameters = parameters);
        assert_eq!(with(Parameters::standard()), []);
        assert_eq!(with(totp(Hash::Sha256, 6, 30)), [R::Hash(Hash::Sha256)]);
        assert_eq!(with(totp(Hash::Sha1, 8, 30)), [R::Digits(Digits::EIGHT)]);
        assert_eq!(with(totp(Hash::Sha1, 6, 15)), [R::Period(Period::from_secs(15).unwrap())]);
        assert_eq!(with(totp(Hash::Sha512, 8, 45)).len(), 3);
        let hotp = Parameters { mode: Mode::Hotp { counter: 1 }, ..Parameters::standard() };
        assert_eq!(with(hotp), [R::Hotp]);
        let late = Mode::Totp { period: Period::THIRTY, t0: UnixTime(1) };
        assert_eq!(with(Parameters { mode: late, ..Parameters::standard() }), [R::StartTime]);
        let bounds = [(0, false), (1, true), (80, true), (81, false)];
        for (length, fits) in bounds {
            let seed = Seed::new(vec![7; length]);
            let (serial, parameters) = ("1000".parse().unwrap(), Parameters::standard());
            let row = EntraRow {
                upn: None,
                serial: &serial,
                seed: &seed,
                parameters,
                manufacturer: "T",
                model: "M",
            };
            let written = write(&[row], SpellingOfInterval::Current);
            assert_eq!(written.is_ok(), fits, "{length} bytes");
            if let Err(refusals) = written {
                assert!(refusals[0].remedy().contains("a seed of 20 bytes"));
            }
        }
        assert_eq!(refusals_of(|row| row.upn = Some("alice")), [R::Upn]);
        assert_eq!(refusals_of(|row| row.upn = Some("a,b@example.com")), [R::Upn]);
        assert_eq!(refusals_of(|row| row.upn = None), []);
        for text in ["a,b", "a\nb", "a\"b", "a;b", " a"] {
            assert_eq!(refusals_of(|row| row.model = text), [R::Text(TextColumn::Model)], "{text}");
        }
        assert_eq!(refusals_of(|row| row.manufacturer = "=x"), [R::Formula(TextColumn::Manufacturer)]);
    }

    #[test]
    fn a_serial_stands_in_a_file_once() {
        let (serial, seed) = ("1000".parse().unwrap(), Seed::new([1; 20]));
        let parameters = Parameters::standard();
        let row =
            EntraRow { upn: None, serial: &serial, seed: &seed, parameters, manufacturer: "", model: "" };
        let refusals = write(&[row, row], SpellingOfInterval::Current).unwrap_err();
        assert_eq!(
            refusals[0].to_string(),
            "line 3 (serial 1000): line 2 has the same serial, which is unique in a tenant"
        );
        assert!(refusals[0].remedy().contains("export one profile of each token"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            rows in proptest::collection::btree_map(
                "[0-9]{13}",
                (
                    proptest::option::of("[a-z]{1,8}@[a-z]{1,8}\\.example"),
                    proptest::collection::vec(any::<u8>(), 1..=80).prop_filter("zeros", |s| s.iter().any(|b| *b != 0)),
                    any::<bool>(),
                    "([A-Za-z0-9äß]([A-Za-z0-9 -]{0,10}[A-Za-z0-9])?)?",
                ),
                1..8,
            ),
            older in any::<bool>(),
        ) {
            let rows: Vec<(Serial, Seed, _)> = rows
                .into_iter()
                .map(|(serial, (upn, seed, long, text))| {
                    let period = if long { Period::SIXTY } else { Period::THIRTY };
                    (serial.parse().unwrap(), Seed::new(seed), (upn, period, text))
                })
                .collect();
            let written: Vec<EntraRow<'_>> = rows
                .iter()
                .map(|(serial, seed, (upn, period, text))| EntraRow {
                    upn: upn.as_deref(),
                    serial,
                    seed,
                    parameters: Parameters::totp(Hash::Sha1, Digits::SIX, *period),
                    manufacturer: text,
                    model: text,
                })
                .collect();
            let spelling = if older { SpellingOfInterval::Older } else { SpellingOfInterval::Current };
            let file = write(&written, spelling).unwrap();
            let read = parse(&file, None).unwrap();
            prop_assert_eq!(read.format, Format::EntraCsv);
            prop_assert_eq!(&read.bad, &[]);
            prop_assert_eq!(read.lines.len(), rows.len());
            for (line, row) in read.lines.iter().zip(&written) {
                prop_assert_eq!(line.upn.as_deref(), row.upn);
                prop_assert_eq!(line.serial.as_ref(), Some(row.serial));
                prop_assert!(line.seed.same_as(row.seed));
                prop_assert_eq!(line.stated.or_standard(), row.parameters);
                prop_assert_eq!(line.manufacturer.as_deref().unwrap_or(""), row.manufacturer);
                prop_assert_eq!(line.model.as_deref().unwrap_or(""), row.model);
            }
        }
    }
}
