//! PSKC, RFC 6030, with plain values. A container whose values are encrypted is first made plain by
//! [`unseal`](super::seal::unseal), where the person with the passphrase or key is.

use super::{
    FileError, Format, Note, NoteKind, Place, Problem, Read,
    draft::Draft,
    told::{Field, Skipped, XmlFault},
    xml::{Document, Element},
};
use crate::domain::{Hash, seed_text::Encoding};

/// The namespace; drafts before the standard added to its end.
const NAMESPACE: &str = "urn:ietf:params:xml:ns:keyprov:pskc";

/// What a policy may say without forbidding the key's use for one-time passwords.
const HARMLESS: [&str; 4] = ["StartDate", "ExpiryDate", "PINPolicy", "NumberOfTransactions"];

pub(super) fn read(text: &str) -> Result<Read, FileError> {
    let mut document = Document::new(text, &[]);
    let mut read = Read::default();
    let mut place = 0;
    while let Some(entry) = next(&mut document)? {
        if entry.is("EncryptionKey") {
            return Err(FileError::Sealed { format: Format::Pskc });
        }
        if entry.is("KeyPackage") {
            place += 1;
            package(Place::Entry(place), &entry, &mut read);
        }
        read.is_bearable()?;
    }
    Ok(read)
}

/// The container's next element; an error where the document is none.
pub(super) fn next(document: &mut Document<'_>) -> Result<Option<Element>, FileError> {
    let entry = document.next_entry().map_err(FileError::Xml)?;
    let is_pskc = document.root().is_some_and(|root| {
        root.name.eq_ignore_ascii_case("KeyContainer")
            && root.namespace.as_deref().is_some_and(|namespace| namespace.starts_with(NAMESPACE))
    });
    if is_pskc { Ok(entry) } else { Err(FileError::Xml(XmlFault::Namespace)) }
}

fn package(place: Place, package: &Element, read: &mut Read) {
    let mut skip = |why| read.notes.push(Note::at(place, Field::Kind, NoteKind::Skipped(why)));
    let Some(key) = package.child("Key") else { return skip(Skipped::NoKey) };
    let counts = match algorithm(key.attribute("Algorithm")) {
        Some(counts) => counts,
        None => return skip(Skipped::OtherAlgorithm),
    };
    let mut draft = Draft::new(place);
    let keys = package.children_named("Key").count();
    if keys > 1 {
        draft.refuse(None, Problem::Keys { keys });
    }
    draft.serial(package.text_at(&["DeviceInfo", "SerialNo"]));
    draft.manufacturer(package.text_at(&["DeviceInfo", "Manufacturer"]));
    draft.model(package.text_at(&["DeviceInfo", "Model"]));
    let user = [key.text_at(&["UserId"]), package.text_at(&["DeviceInfo", "UserId"])];
    match user.into_iter().find(|user| !user.is_empty()) {
        Some(user) => draft.user(user),
        None => draft.account(key.text_at(&["FriendlyName"])),
    }
    draft.issuer(key.text_at(&["Issuer"]));

    match key.at(&["AlgorithmParameters", "Suite"]) {
        // privacyIDEA writes an empty element with an attribute.
        Some(suite) if suite.text().is_empty() => draft.hash(suite.attribute("hashalgo")),
        Some(suite) => draft.hash(suite.text()),
        None => draft.hash_is(Hash::Sha1),
    }
    if let Some(format) = key.at(&["AlgorithmParameters", "ResponseFormat"]) {
        draft.digits(format.attribute("Length"));
        let encoding = format.attribute("Encoding");
        if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("DECIMAL") {
            draft.refuse(Field::Digits, Problem::NotDecimal);
        }
    }
    if let Some(policy) = key.child("Policy")
        && !allows_otp(policy)
    {
        draft.refuse(Field::Policy, Problem::Policy);
    }
    let value = |name| key.at(&["Data", name]);
    let plain = |name| key.text_at(&["Data", name, "PlainValue"]);
    match value("Secret") {
        Some(secret) if secret.child("EncryptedValue").is_some() => {
            draft.refuse(Field::Secret, Problem::SeedSealed);
        }
        _ => draft.seed_text(plain("Secret"), Encoding::Base64),
    }
    if counts {
        draft.needed_counter(plain("Counter"));
    } else {
        draft.period(plain("TimeInterval"));
        if draft.stated.period.is_none() && draft.is_good() {
            draft.note(Field::Interval, NoteKind::PeriodNotStated);
        }
    }
    draft.finish(read);
}

/// Whether the algorithm counts; `None` for one that is neither TOTP nor HOTP.
fn algorithm(uri: &str) -> Option<bool> {
    let name = uri.rsplit([':', '#', '/']).next().unwrap_or(uri);
    if name.eq_ignore_ascii_case("totp") {
        Some(false)
    } else if name.eq_ignore_ascii_case("hotp") {
        Some(true)
    } else {
        None
    }
}

/// A policy that isn't known forbids the use: RFC 6030 section 5.
fn allows_otp(policy: &Element) -> bool {
    let usages: Vec<&str> = policy.children_named("KeyUsage").map(Element::text).collect();
    let known = |child: &Element| child.is("KeyUsage") || HARMLESS.iter().any(|name| child.is(name));
    policy.children().iter().all(known) && (usages.is_empty() || usages.contains(&"OTP"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Mode, Parameters, Period, seed_text},
        formats::{Parsed, parse},
    };
    use serde_json::Value as Json;

    fn vectors() -> Json {
        serde_json::from_str(include_str!("../../tests/vectors/seed-files.json")).unwrap()
    }

    fn read_xml(text: &str) -> Parsed {
        let parsed = parse(text.as_bytes(), None).unwrap();
        assert_eq!(parsed.format, Format::Pskc);
        parsed
    }

    fn plain() -> String {
        vectors()["pskc_plain"]["document"].as_str().unwrap().to_owned()
    }

    fn assert_vector(parsed: &Parsed) {
        let vectors = vectors();
        let keys = vectors["pskc_plain"]["keys"].as_array().unwrap();
        assert_eq!((parsed.lines.len(), &parsed.bad[..]), (keys.len(), &[][..]));
        for (line, key) in parsed.lines.iter().zip(keys) {
            assert_eq!(line.serial.as_ref().unwrap().as_str(), key["serial"].as_str().unwrap());
            assert_eq!(*seed_text::hex(&line.seed), key["secret"].as_str().unwrap());
            let Parameters { hash, digits, mode } = line.stated.or_standard();
            assert_eq!(u64::from(digits.get()), key["digits"].as_u64().unwrap());
            assert_eq!(hash, key["suite"].as_str().map_or(Hash::Sha1, |suite| suite.parse().unwrap()));
            let interval = key["time_interval"].as_u64().map(|s| Period::from_secs(s).unwrap());
            match mode {
                Mode::Totp { period, .. } => assert_eq!(Some(period), interval),
                Mode::Hotp { counter } => assert_eq!(Some(counter), key["counter"].as_u64()),
            }
        }
    }

    #[test]
    fn the_plain_vector_is_read_however_its_namespace_is_spelled() {
        assert_vector(&read_xml(&plain()));
        let prefixed = plain().replace("</", "</k:").replace('<', "<k:");
        let prefixed =
            prefixed.replace("<k:/k:", "</k:").replace("<k:?xml", "<?xml").replace("xmlns=", "xmlns:k=");
        assert_vector(&read_xml(&prefixed));
        let wrapped = plain().replace("MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", "\n MTIzNDU2Nzg5MDEy\n MzQ1Njc4OTA=\n");
        assert_eq!(read_xml(&wrapped).lines.len(), 3);
    }

    #[test]
    fn another_namespace_is_no_pskc() {
        let other = plain().replace("urn:ietf:params:xml:ns:keyprov:pskc\"", "urn:other\"");
        assert_eq!(parse(other.as_bytes(), None).unwrap_err(), FileError::Xml(XmlFault::Namespace));
    }

    #[test]
    fn the_hash_of_privacyideas_export_is_read_from_its_attribute() {
        let text = plain().replace("<Suite>HMAC-SHA256</Suite>", "<Suite hashalgo=\"sha512\"/>");
        assert_eq!(read_xml(&text).lines[1].stated.hash, Some(Hash::Sha512));
    }

    #[test]
    fn what_a_key_must_not_say_is_refused_by_entry() {
        for (from, to, field, problem) in [
            ("HMAC-SHA256", "SHA3-256", Field::Hash, Problem::Hash),
            ("Length=\"8\"", "Length=\"12\"", Field::Digits, Problem::Digits),
            ("\"DECIMAL\" Length=\"8\"", "\"HEXADECIMAL\" Length=\"8\"", Field::Digits, Problem::NotDecimal),
            ("<PlainValue>60<", "<PlainValue>PT60S<", Field::Interval, Problem::Period),
            ("<Counter><PlainValue>0</PlainValue></Counter>", "", Field::Counter, Problem::NoCounter),
            (
                "<Suite>HMAC-SHA256</Suite>\n        <ResponseFormat Encoding=\"DECIMAL\" Length=\"8\"/>\n      </AlgorithmParameters>",
                "<Suite>HMAC-SHA256</Suite></AlgorithmParameters><Policy><KeyUsage>CR</KeyUsage></Policy>",
                Field::Policy,
                Problem::Policy,
            ),
        ] {
            let text = plain();
            assert!(text.contains(from), "{from}");
            let parsed = read_xml(&text.replacen(from, to, 1));
            assert_eq!(parsed.lines.len(), 2, "{from}");
            assert_eq!((parsed.bad[0].field, &parsed.bad[0].problem), (Some(field), &problem));
        }
    }

    #[test]
    fn keys_of_other_algorithms_and_empty_packages_are_passed_over_aloud() {
        let text = plain()
            .replacen("pskc:totp", "pskc:pin", 1)
            .replace("</KeyContainer>", "<KeyPackage/></KeyContainer>");
        let parsed = read_xml(&text);
        assert_eq!(parsed.lines.len(), 2);
        let skipped: Vec<_> = parsed.notes.iter().filter(|note| note.kind.stands_alone()).collect();
        assert_eq!(skipped.len(), 2, "{:?}", parsed.notes);
    }

    #[test]
    fn an_encrypted_container_says_so() {
        for name in ["pskc_preshared", "pskc_password"] {
            let vectors = vectors();
            let text = vectors[name]["document"].as_str().unwrap();
            assert_eq!(parse(text.as_bytes(), None).unwrap_err(), FileError::Sealed { format: Format::Pskc });
        }
    }

    #[test]
    fn a_policy_that_is_known_and_harmless_is_no_fault() {
        let text = plain().replacen(
            "</AlgorithmParameters>",
            "</AlgorithmParameters><Policy><StartDate>2026-01-01T00:00:00Z</StartDate><KeyUsage>OTP</KeyUsage></Policy>",
            1,
        );
        assert_vector(&read_xml(&text));
    }
}
