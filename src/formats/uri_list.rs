//! Key URIs, one in each line. Blank lines, and lines that begin with `#`, are passed over.

use super::{BadLine, Field, FileError, Note, NoteKind, Place, Problem, Read, SeedLine, row::clean};
use crate::domain::{
    Mode, Stated,
    key_uri::{KeyUri, KeyUriError},
    seed_text::WrongInput,
};

pub(super) fn read(text: &str) -> Result<Read, FileError> {
    let mut read = Read::default();
    for (place, uri) in (1..).map(Place::Line).zip(text.lines().map(clean)) {
        if uri.is_empty() || uri.starts_with('#') {
            continue;
        }
        match seed_line(place, uri) {
            Ok((seed_line, notes)) => {
                read.lines.push(seed_line);
                read.notes.extend(notes);
            }
            Err(problem) => read.bad.push(BadLine { place, field: Some(Field::Uri), problem }),
        }
        read.is_bearable()?;
    }
    Ok(read)
}

fn seed_line(place: Place, uri: &str) -> Result<(SeedLine, Vec<Note>), Problem> {
    let parsed = KeyUri::parse(uri).map_err(|error| match error {
        // Its text is a piece of the line, which may be anything.
        KeyUriError::Kind { .. } => Problem::UriKind,
        KeyUriError::Foreign(WrongInput::Migration) => Problem::Migration,
        other => Problem::Uri(other),
    })?;
    if parsed.seed.is_all_zero() {
        return Err(Problem::SeedOfZeros);
    }
    // A key URI states everything: what it leaves out has a default.
    let (period, t0, counter) = match parsed.parameters.mode {
        Mode::Totp { period, t0 } => (Some(period), Some(t0), None),
        Mode::Hotp { counter } => (None, None, Some(counter)),
    };
    let stated = Stated {
        hash: Some(parsed.parameters.hash),
        digits: Some(parsed.parameters.digits),
        period,
        t0,
        counter,
    };
    let notes = parsed.notes.into_iter().map(|note| Note::at(place, Field::Uri, NoteKind::Uri(note)));
    let notes = notes.collect();
    let account = Some(parsed.account).filter(|account| !account.is_empty());
    let seed_line = SeedLine {
        place,
        serial: None,
        seed: parsed.seed,
        stated,
        upn: None,
        manufacturer: None,
        model: None,
        issuer: parsed.issuer,
        account,
    };
    Ok((seed_line, notes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Digits, Hash, Period, UnixTime},
        formats::{Format, Parsed, parse},
    };

    fn list(text: &str) -> Parsed {
        let parsed = parse(text.as_bytes(), None).unwrap();
        assert_eq!(parsed.format, Format::KeyUriList);
        parsed
    }

    #[test]
    fn each_line_is_one_seed_with_all_it_states() {
        let parsed = list(
            "# batch of May\r\n\r\n\
             otpauth://totp/Acme:bob?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme&algorithm=SHA256&digits=8&period=60\r\n\
             \"otpauth://hotp/carol?secret=JBSWY3DPEHPK3PXP&counter=5\"\r\n",
        );
        let [bob, carol] = &parsed.lines[..] else { panic!("{:?}", parsed.bad) };
        assert_eq!(
            (bob.place.number(), bob.issuer.as_deref(), bob.account.as_deref()),
            (3, Some("Acme"), Some("bob"))
        );
        assert_eq!(bob.seed.expose(), b"12345678901234567890");
        let expected = Stated {
            hash: Some(Hash::Sha256),
            digits: Some(Digits::EIGHT),
            period: Some(Period::SIXTY),
            t0: Some(UnixTime(0)),
            counter: None,
        };
        assert_eq!(bob.stated, expected);
        assert_eq!((carol.place.number(), carol.stated.counter, carol.stated.period), (4, Some(5), None));
        assert_eq!(carol.stated.hash, Some(Hash::Sha1));
    }

    #[test]
    fn a_bad_line_hides_none_of_the_others() {
        let parsed = list(
            "otpauth://totp/a?secret=JBSWY3DPEHPK3PX8\n\
             alice@example.com\n\
             otpauth-migration://offline?data=CjoK\n\
             otpauth://push/a?secret=JBSWY3DPEHPK3PXP\n\
             otpauth://totp/a?secret=AAAAAAAAAAAAAAAA\n\
             otpauth://totp/a?secret=JBSWY3DPEHPK3PXP\n",
        );
        assert_eq!(parsed.lines.iter().map(|l| l.place.number()).collect::<Vec<_>>(), [6]);
        let problems: Vec<_> = parsed.bad.iter().map(|bad| (bad.place.number(), &bad.problem)).collect();
        assert!(
            matches!(
                problems[..],
                [
                    (1, Problem::Uri(KeyUriError::Seed(_))),
                    (2, Problem::Uri(KeyUriError::Scheme)),
                    (3, Problem::Migration),
                    (4, Problem::UriKind),
                    (5, Problem::SeedOfZeros),
                ]
            ),
            "{problems:?}"
        );
    }

    #[test]
    fn what_was_noticed_keeps_its_line() {
        let parsed = list("\notpauth://totp/A:b?secret=JBSWY3DPEHPK3PXP&issuer=B\n");
        assert!(
            parsed
                .notes
                .iter()
                .any(|note| note.place == Some(Place::Line(2)) && note.to_string().contains("issuer"))
        );
    }
}
