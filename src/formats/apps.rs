//! Backups of authenticator applications whose seeds are not, or no longer, encrypted: Aegis and 2FAS. Read from their
//! sources' formats as third parties document them. Neither knows serials.

use super::{
    FileError, Format, Note, NoteKind, Place, Read,
    draft::Draft,
    json::{self, List, Scalar},
    told::{Field, Skipped},
};
use crate::domain::{Digits, Hash, Period, seed_text::Encoding};
use serde::Deserialize;

/// An Aegis vault. `db` is the plain content; a text where it is encrypted, which is not read here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Vault {
    db: Db,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Db {
    entries: List<AegisEntry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AegisEntry {
    r#type: Scalar,
    name: Scalar,
    issuer: Scalar,
    info: AegisInfo,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AegisInfo {
    secret: Scalar,
    algo: Scalar,
    digits: Scalar,
    period: Scalar,
    counter: Scalar,
}

pub(super) fn aegis(text: &str) -> Result<Read, FileError> {
    if super::seal::is_sealed_aegis(text) {
        return Err(FileError::Sealed { format: Format::Aegis });
    }
    let vault: Vault = json::read(text)?;
    let mut read = Read::default();
    for (place, entry) in (1..).map(Place::Entry).zip(&vault.db.entries.0) {
        let info = &entry.info;
        let mut draft = Draft::new(place);
        match kind(entry.r#type.as_str()) {
            Kind::Totp => draft.needed_period(info.period.as_str()),
            Kind::Hotp => draft.needed_counter(info.counter.as_str()),
            Kind::Other(why) => {
                read.notes.push(Note::at(place, Field::Kind, NoteKind::Skipped(why)));
                continue;
            }
        }
        draft.seed_text(info.secret.as_str(), Encoding::Base32);
        draft.hash(info.algo.as_str());
        draft.digits(info.digits.as_str());
        draft.issuer(entry.issuer.as_str());
        draft.account(entry.name.as_str());
        draft.finish(&mut read);
    }
    Ok(read)
}

/// A 2FAS backup.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Backup {
    services: List<Service>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Service {
    name: Scalar,
    secret: Scalar,
    otp: Otp,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Otp {
    label: Scalar,
    account: Scalar,
    issuer: Scalar,
    digits: Scalar,
    period: Scalar,
    algorithm: Scalar,
    token_type: Scalar,
    counter: Scalar,
}

pub(super) fn two_fas(text: &str) -> Result<Read, FileError> {
    if super::seal::is_sealed_two_fas(text) {
        return Err(FileError::Sealed { format: Format::TwoFas });
    }
    let backup: Backup = json::read(text)?;
    let mut read = Read::default();
    for (place, service) in (1..).map(Place::Entry).zip(&backup.services.0) {
        let otp = &service.otp;
        let first = |a: &Scalar, b: &Scalar| {
            if a.as_str().is_empty() { b.as_str().to_owned() } else { a.as_str().to_owned() }
        };
        let mut draft = Draft::new(place);
        match kind(otp.token_type.as_str()) {
            Kind::Totp => {
                draft.period(otp.period.as_str());
                // What is missing has a default: TOTP, SHA-1, six digits, 30 s.
                draft.stated.period = draft.stated.period.or(Some(Period::THIRTY));
            }
            Kind::Hotp => draft.needed_counter(otp.counter.as_str()),
            Kind::Other(why) => {
                read.notes.push(Note::at(place, Field::Kind, NoteKind::Skipped(why)));
                continue;
            }
        }
        draft.seed_text(service.secret.as_str(), Encoding::Base32);
        draft.hash(otp.algorithm.as_str());
        draft.stated.hash = draft.stated.hash.or(Some(Hash::Sha1));
        draft.digits(otp.digits.as_str());
        draft.stated.digits = draft.stated.digits.or(Some(Digits::SIX));
        draft.issuer(&first(&otp.issuer, &service.name));
        draft.account(&first(&otp.account, &otp.label));
        draft.finish(&mut read);
    }
    Ok(read)
}

enum Kind {
    Totp,
    Hotp,
    Other(Skipped),
}

fn kind(word: &str) -> Kind {
    let is = |known: &str| word.eq_ignore_ascii_case(known);
    if word.is_empty() || is("totp") {
        Kind::Totp
    } else if is("hotp") {
        Kind::Hotp
    } else if is("steam") {
        Kind::Other(Skipped::Steam)
    } else {
        Kind::Other(Skipped::OtherScheme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Mode, Parameters},
        formats::{Parsed, Problem, parse},
    };

    const AEGIS: &str = r#"{"version":1,"header":{"slots":null,"params":null},"db":{"version":3,"entries":[
        {"type":"totp","uuid":"u","name":"alice","issuer":"Acme","note":"","favorite":false,"icon":null,
         "info":{"secret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","algo":"SHA256","digits":8,"period":60}},
        {"type":"hotp","name":"bob","issuer":"","info":{"secret":"JBSWY3DPEHPK3PXP","algo":"SHA1","digits":6,"counter":7}},
        {"type":"steam","name":"c","issuer":"Steam","info":{"secret":"JBSWY3DPEHPK3PXP","algo":"SHA1","digits":5,"period":30}},
        {"type":"yandex","name":"d","issuer":"Y","info":{"secret":"JBSWY3DPEHPK3PXP","algo":"SHA256","digits":8,"period":30,"pin":"1"}}
    ]}}"#;

    const TWO_FAS: &str = r#"{"services":[
        {"name":"Acme","secret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","otp":{"label":"l","account":"alice","digits":8,"period":60,"algorithm":"SHA512","tokenType":"TOTP","source":"Link"},"order":{"position":0}},
        {"name":"Old","secret":"CZU6XXGHCCGCOL6YO3WW472WEWB34FVJ","otp":{"source":"Manual"}},
        {"name":"Count","secret":"BDSJKOBSROXIGDQNWFFIENARAC6CHOCA","otp":{"tokenType":"HOTP","counter":0}},
        {"name":"Steam","secret":"JBSWY3DPEHPK3PXP","otp":{"tokenType":"STEAM"}}
    ],"groups":[],"schemaVersion":4,"appVersionCode":5000000}"#;

    fn read_as(text: &str, format: Format) -> Parsed {
        let parsed = parse(text.as_bytes(), None).unwrap();
        assert_eq!(parsed.format, format);
        parsed
    }

    #[test]
    fn aegis_states_everything_and_other_schemes_are_passed_over_aloud() {
        let parsed = read_as(AEGIS, Format::Aegis);
        let [alice, bob] = &parsed.lines[..] else { panic!("{:?}", parsed.bad) };
        let expected = Parameters::totp(Hash::Sha256, Digits::EIGHT, Period::SIXTY);
        assert_eq!(alice.stated.or_standard(), expected);
        assert_eq!((alice.issuer.as_deref(), alice.account.as_deref()), (Some("Acme"), Some("alice")));
        assert_eq!((bob.place, bob.stated.or_standard().mode), (Place::Entry(2), Mode::Hotp { counter: 7 }));
        let skipped: Vec<_> =
            parsed.notes.iter().filter(|n| matches!(n.kind, NoteKind::Skipped(_))).collect();
        assert_eq!(
            skipped.iter().map(|note| note.place).collect::<Vec<_>>(),
            [3, 4].map(|n| Some(Place::Entry(n)))
        );
    }

    #[test]
    fn two_fas_has_defaults_for_what_is_missing() {
        let parsed = read_as(TWO_FAS, Format::TwoFas);
        let [acme, old, count] = &parsed.lines[..] else { panic!("{:?}", parsed.bad) };
        let expected = Parameters::totp(Hash::Sha512, Digits::EIGHT, Period::SIXTY);
        assert_eq!(acme.stated.or_standard(), expected);
        assert_eq!((acme.issuer.as_deref(), acme.account.as_deref()), (Some("Acme"), Some("alice")));
        assert_eq!((old.stated.or_standard(), old.issuer.as_deref()), (Parameters::standard(), Some("Old")));
        assert_eq!(count.stated.or_standard().mode, Mode::Hotp { counter: 0 });
    }

    #[test]
    fn a_counter_is_never_assumed() {
        let parsed = read_as(&TWO_FAS.replace("\"counter\":0", "\"link\":null"), Format::TwoFas);
        assert!(
            parsed.bad.iter().any(|bad| bad.place == Place::Entry(3) && bad.problem == Problem::NoCounter)
        );
    }
}
