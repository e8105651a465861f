//! Writes a report of what was burned, a CSV for people and their spreadsheets. It holds no seeds.

use crate::domain::{
    ClockState, DriftSeconds, JobState, Mode, Parameters, Profile, Proof, Serial, UnixMillis,
};
use std::borrow::Cow;

/// One profile of one token.
#[derive(Debug, Clone, Copy)]
pub struct ReportRow<'a> {
    /// The token.
    pub serial: &'a Serial,
    /// Its model.
    pub model: &'a str,
    /// The profile.
    pub profile: Profile,
    /// The profile's title.
    pub title: Option<&'a str>,
    /// The user.
    pub upn: Option<&'a str>,
    /// The batch; a token that was only taken into the inventory has none.
    pub batch: Option<&'a str>,
    /// Where its job stands; a token that was only taken into the inventory has none.
    pub state: Option<JobState>,
    /// How sure it is that it shows the right codes.
    pub proof: Option<Proof>,
    /// When the burn was committed.
    pub burned_at: Option<UnixMillis>,
    /// What the codes are made by.
    pub parameters: Parameters,
    /// The token's clock after the burn, against the station's.
    pub drift: Option<DriftSeconds>,
    /// What the station's clock said about itself at the burn.
    pub clock: Option<ClockState>,
}

const HEADER: [&str; 14] = [
    "serial",
    "model",
    "profile",
    "title",
    "upn",
    "batch",
    "state",
    "proof",
    "burned at",
    "hash",
    "digits",
    "period s",
    "drift s",
    "station clock",
];

/// The whole report: UTF-8, CRLF, quoted where needed (RFC 4180), times in UTC (RFC 3339). An empty cell: not known, or
/// not there. A text that a spreadsheet would run gets an apostrophe in front, by which it shows as text.
pub fn write(rows: &[ReportRow<'_>]) -> Vec<u8> {
    let mut file = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let written = file.write_record(HEADER).and_then(|()| {
        rows.iter().map(cells).try_for_each(|row| file.write_record(row.iter().map(|cell| cell.as_bytes())))
    });
    written.expect("rows are of one width, and memory takes them");
    file.into_inner().expect("memory takes the rest, too")
}

fn cells<'a>(row: &'a ReportRow<'a>) -> [Cow<'a, str>; HEADER.len()] {
    let known = |value: Option<String>| Cow::Owned(value.unwrap_or_default());
    let (period, kind) = match row.parameters.mode {
        Mode::Totp { period, .. } => (period.as_secs().to_string(), ""),
        Mode::Hotp { .. } => (String::new(), " (HOTP)"),
    };
    [
        Cow::Borrowed(row.serial.as_str()),
        tame(row.model),
        Cow::Owned(row.profile.to_string()),
        tame(row.title.unwrap_or("")),
        tame(row.upn.unwrap_or("")),
        tame(row.batch.unwrap_or("")),
        Cow::Borrowed(row.state.map_or("", JobState::word)),
        Cow::Borrowed(row.proof.map_or("", Proof::word)),
        known(row.burned_at.map(|at| at.to_string())),
        Cow::Owned(format!("{}{kind}", row.parameters.hash)),
        Cow::Owned(row.parameters.digits.to_string()),
        Cow::Owned(period),
        // Without the plus that screens show: it would make a formula of it.
        known(row.drift.map(|drift| format!("{:.1}", drift.0))),
        known(row.clock.map(|clock| clock.to_string())),
    ]
}

fn tame(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Digits, Hash};

    fn lines(rows: &[ReportRow<'_>]) -> Vec<String> {
        let text = String::from_utf8(write(rows)).unwrap();
        assert!(text.ends_with("\r\n"));
        text.split_terminator("\r\n").map(str::to_owned).collect()
    }

    fn row(serial: &Serial) -> ReportRow<'_> {
        ReportRow {
            serial,
            model: "molto2-v2",
            profile: Profile::new(3),
            title: Some("Office 365"),
            upn: Some("alice@example.com"),
            batch: Some("May"),
            state: Some(JobState::Burned),
            proof: Some(Proof::ReadBack),
            burned_at: Some(UnixMillis(1_700_000_000_123)),
            parameters: Parameters::standard(),
            drift: Some(DriftSeconds(0.25)),
            clock: Some(ClockState::Synchronised { max_error_ms: 12 }),
        }
    }

    #[test]
    fn every_fact_has_its_column() {
        let serial = "0012345678901".parse().unwrap();
        assert_eq!(
            lines(&[row(&serial)]),
            [
                "serial,model,profile,title,upn,batch,state,proof,burned at,hash,digits,period s,drift s,station clock",
                "0012345678901,molto2-v2,3,Office 365,alice@example.com,May,burned,read back,2023-11-14T22:13:20.123Z,\
                 SHA-1,6,30,0.2,synchronised (error at most 12 ms)",
            ]
        );
    }

    #[test]
    fn what_is_not_known_is_empty() {
        let serial = "1000".parse().unwrap();
        let bare = ReportRow {
            title: None,
            upn: None,
            batch: None,
            state: None,
            proof: None,
            burned_at: None,
            drift: None,
            clock: None,
            parameters: Parameters {
                hash: Hash::Sha256,
                digits: Digits::EIGHT,
                mode: Mode::Hotp { counter: 0 },
            },
            ..row(&serial)
        };
        assert_eq!(lines(&[bare])[1], "1000,molto2-v2,3,,,,,,,SHA-256 (HOTP),8,,,");
    }

    #[test]
    fn text_is_quoted_and_formulas_are_tamed() {
        let serial = "1000".parse().unwrap();
        let odd =
            ReportRow { title: Some("a,\"b\""), upn: Some("=cmd()"), batch: Some("+1"), ..row(&serial) };
        let line = &lines(&[odd])[1];
        assert!(line.starts_with("1000,molto2-v2,3,\"a,\"\"b\"\"\",'=cmd(),'+1,"), "{line}");
        let late = ReportRow { drift: Some(DriftSeconds(-3.0)), ..row(&serial) };
        assert!(lines(&[late])[1].contains(",-3.0,"), "a number may be negative");
    }
}
