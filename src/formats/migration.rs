//! Google Authenticator's exports: `otpauth-migration://offline?data=` and base64 of a protobuf message, one URI for
//! each QR code, several for many accounts. Read from the application's own message definition as third parties show
//! it. It states no period: the application knows 30 s only.

use super::{
    BadLine, FileError, Note, NoteKind, Place, Problem, Read,
    draft::Draft,
    recognise::begins,
    row::clean,
    told::{Field, Skipped},
};
use crate::domain::{Digits, Hash, Period, Seed};
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

/// How such a URI begins.
pub(super) const SCHEME: &str = "otpauth-migration://";

/// More parts than anybody scans.
const MOST_PARTS: u64 = 1_000;

/// Reads the URIs of all parts, one in each line, in any order.
pub(super) fn read(text: &str) -> Result<Read, FileError> {
    let mut read = Read::default();
    let mut exports: BTreeMap<u64, Export> = BTreeMap::new();
    let mut place = 0;
    for (line, uri) in (1..).map(Place::Line).zip(text.lines().map(clean)) {
        read.is_bearable()?;
        let uri = uri.trim_matches('"');
        if uri.is_empty() || uri.starts_with('#') {
            continue;
        }
        let Some(payload) = payload(uri) else {
            read.bad.push(BadLine { place: line, field: Some(Field::Uri), problem: Problem::MigrationUri });
            continue;
        };
        let Some(part) = Part::parse(&payload) else {
            read.bad.push(BadLine { place: line, field: Some(Field::Uri), problem: Problem::MigrationUri });
            continue;
        };
        let export = exports.entry(part.batch_id).or_default();
        export.size = export.size.max(part.batch_size.clamp(1, MOST_PARTS));
        if !export.seen.insert(part.batch_index) {
            let note = Note { place: Some(line), ..Note::on_file(NoteKind::PartTwice) };
            read.notes.push(note);
            continue;
        }
        for account in part.accounts {
            place += 1;
            account_into(Place::Entry(place), account, &mut read);
        }
    }
    for export in exports.values() {
        for index in (0..export.size).filter(|index| !export.seen.contains(index)) {
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let of = u32::try_from(export.size).unwrap_or(u32::MAX);
            let problem = Problem::PartMissing { of };
            read.bad.push(BadLine { place: Place::Part(number), field: None, problem });
        }
    }
    Ok(read)
}

/// One export, which may have come in several parts.
#[derive(Default)]
struct Export {
    size: u64,
    seen: BTreeSet<u64>,
}

/// The bytes of the message. A bare `+` is a plus: no form wrote this.
fn payload(uri: &str) -> Option<Zeroizing<Vec<u8>>> {
    let query = uri.get(uri.find('?')? + 1..).filter(|_| begins(uri, SCHEME))?;
    let data = query.split('&').find_map(|pair| pair.strip_prefix("data="))?;
    let text: Zeroizing<Vec<u8>> = Zeroizing::new(percent_encoding::percent_decode_str(data).collect());
    let unpadded: &[u8] = &text;
    let end = unpadded.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    data_encoding::BASE64_NOPAD.decode(&unpadded[..end]).ok().map(Zeroizing::new)
}

/// What one QR code holds.
#[derive(Default)]
struct Part<'b> {
    accounts: Vec<Account<'b>>,
    batch_size: u64,
    batch_index: u64,
    batch_id: u64,
}

#[derive(Default)]
struct Account<'b> {
    secret: &'b [u8],
    name: &'b [u8],
    issuer: &'b [u8],
    algorithm: u64,
    digits: u64,
    kind: u64,
    counter: u64,
}

impl<'b> Part<'b> {
    fn parse(bytes: &'b [u8]) -> Option<Self> {
        let mut part = Self::default();
        for field in fields(bytes) {
            match field? {
                (1, Value::Bytes(bytes)) => part.accounts.push(Account::parse(bytes)?),
                (3, Value::Number(size)) => part.batch_size = size,
                (4, Value::Number(index)) => part.batch_index = index,
                (5, Value::Number(id)) => part.batch_id = id,
                // Newer versions add fields.
                _ => {}
            }
        }
        Some(part)
    }
}

impl<'b> Account<'b> {
    fn parse(bytes: &'b [u8]) -> Option<Self> {
        let mut account = Self::default();
        for field in fields(bytes) {
            match field? {
                (1, Value::Bytes(secret)) => account.secret = secret,
                (2, Value::Bytes(name)) => account.name = name,
                (3, Value::Bytes(issuer)) => account.issuer = issuer,
                (4, Value::Number(algorithm)) => account.algorithm = algorithm,
                (5, Value::Number(digits)) => account.digits = digits,
                (6, Value::Number(kind)) => account.kind = kind,
                (7, Value::Number(counter)) => account.counter = counter,
                _ => {}
            }
        }
        Some(account)
    }
}

fn account_into(place: Place, account: Account<'_>, read: &mut Read) {
    let mut draft = Draft::new(place);
    draft.seed(Seed::new(account.secret));
    match account.algorithm {
        0 | 1 => draft.hash_is(Hash::Sha1),
        2 => draft.hash_is(Hash::Sha256),
        3 => draft.hash_is(Hash::Sha512),
        4 => {
            read.notes.push(Note::at(place, Field::Hash, NoteKind::Skipped(Skipped::Md5)));
            return;
        }
        _ => draft.refuse(Field::Hash, Problem::Hash),
    }
    match account.digits {
        0 | 1 => draft.stated.digits = Some(Digits::SIX),
        2 => draft.stated.digits = Some(Digits::EIGHT),
        _ => draft.refuse(Field::Digits, Problem::Digits),
    }
    match account.kind {
        0 | 2 => draft.stated.period = Some(Period::THIRTY),
        1 => draft.stated.counter = Some(account.counter),
        _ => draft.refuse(Field::Kind, Problem::Kind),
    }
    let texts = (std::str::from_utf8(account.name), std::str::from_utf8(account.issuer));
    let (Ok(name), Ok(issuer)) = texts else {
        draft.refuse(Field::Account, Problem::MigrationUri);
        return draft.finish(read);
    };
    // The label is "issuer:account" or the account alone.
    let (prefix, account) = name.split_once(':').unwrap_or(("", name));
    draft.issuer(if issuer.is_empty() { prefix } else { issuer });
    draft.account(account);
    draft.finish(read);
}

/// A value on the wire.
enum Value<'b> {
    Number(u64),
    Bytes(&'b [u8]),
    /// Of fixed length; nothing here has such.
    Fixed,
}

/// The fields of a protobuf message, with their numbers; `None` for what is none, which ends the message.
fn fields(bytes: &[u8]) -> impl Iterator<Item = Option<(u64, Value<'_>)>> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest.take().filter(|bytes| !bytes.is_empty())?;
        let field = field(bytes);
        rest = field.as_ref().map(|(_, _, rest)| *rest);
        Some(field.map(|(number, value, _)| (number, value)))
    })
}

fn field(bytes: &[u8]) -> Option<(u64, Value<'_>, &[u8])> {
    let (key, rest) = varint(bytes)?;
    let fixed = |length: usize| rest.get(length..).map(|rest| (Value::Fixed, rest));
    let (value, rest) = match key & 7 {
        0 => varint(rest).map(|(number, rest)| (Value::Number(number), rest))?,
        1 => fixed(8)?,
        2 => {
            let (length, rest) = varint(rest)?;
            let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            (Value::Bytes(value), rest)
        }
        5 => fixed(4)?,
        _ => return None,
    };
    Some((key >> 3, value, rest))
}

/// Seven bits in each byte, the lowest first; ten bytes at the most, which is how a negative number is written.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7F).checked_shl(u32::try_from(at * 7).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((number, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Mode, Parameters},
        formats::{Format, Parsed, parse},
    };
    use serde_json::Value as Json;

    fn vector() -> Json {
        let vectors: Json =
            serde_json::from_str(include_str!("../../tests/vectors/seed-files.json")).unwrap();
        vectors["migration"].clone()
    }

    fn read_uris(text: &str) -> Parsed {
        let parsed = parse(text.as_bytes(), None).unwrap();
        assert_eq!(parsed.format, Format::Migration);
        parsed
    }

    fn uri(message: &[u8]) -> String {
        let data = data_encoding::BASE64.encode(message);
        format!(
            "otpauth-migration://offline?data={}",
            data.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
        )
    }

    /// A message of one account with a seed of its own, as part `index` of `size`.
    fn part(seed: u8, index: u8, size: u8, id: &[u8]) -> Vec<u8> {
        let mut account = vec![0x0A, 20];
        account.extend([seed; 20]);
        account.extend([0x12, 1, b'a', 0x20, 1, 0x28, 1, 0x30, 2]);
        let mut message = vec![0x0A, account.len() as u8];
        message.extend(account);
        message.extend([0x10, 1, 0x18, size, 0x20, index, 0x28]);
        message.extend(id);
        message
    }

    #[test]
    fn the_vector_is_read_and_its_missing_part_named() {
        let vector = vector();
        let parsed = read_uris(vector["uri"].as_str().unwrap());
        let accounts = vector["accounts"].as_array().unwrap();
        assert_eq!(parsed.lines.len(), accounts.len());
        for (line, account) in parsed.lines.iter().zip(accounts) {
            let text = |key: &str| account[key].as_str().unwrap();
            assert_eq!(*crate::domain::seed_text::hex(&line.seed), text("secret"));
            assert_eq!(line.issuer.as_deref(), Some(text("issuer")));
            let name = text("name");
            assert_eq!(
                line.account.as_deref(),
                Some(name.split_once(':').map_or(name, |(_, account)| account))
            );
            let mode = match text("type") {
                "HOTP" => Mode::Hotp { counter: account["counter"].as_u64().unwrap() },
                _ => Parameters::standard().mode,
            };
            let expected = Parameters {
                hash: text("algorithm").parse().unwrap(),
                digits: Digits::new(account["digits"].as_u64().unwrap()).unwrap(),
                mode,
            };
            assert_eq!(line.stated.or_standard(), expected);
        }
        let missing = BadLine { place: Place::Part(2), field: None, problem: Problem::PartMissing { of: 2 } };
        assert_eq!(parsed.bad, [missing]);
    }

    #[test]
    fn all_parts_in_any_order_and_one_twice_make_one_export() {
        // Minus one, as ten bytes.
        let id = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1];
        let (first, second) = (uri(&part(1, 0, 2, &id)), uri(&part(2, 1, 2, &id)));
        let parsed = read_uris(&format!("{second}\n# then\n{first}\n{second}\n"));
        assert_eq!(parsed.bad, []);
        assert_eq!(parsed.lines.iter().map(|line| line.seed.expose()[0]).collect::<Vec<_>>(), [2, 1]);
        assert!(
            parsed
                .notes
                .iter()
                .any(|note| note.kind == NoteKind::PartTwice && note.place == Some(Place::Line(4)))
        );
    }

    #[test]
    fn a_cut_or_foreign_uri_is_a_bad_line() {
        let whole = uri(&part(1, 0, 1, &[1]));
        for cut in
            [&whole[..whole.len() - 9], "otpauth-migration://offline", "otpauth-migration://offline?data=%%"]
        {
            let parsed = read_uris(&format!("{cut}\n{whole}\n"));
            assert_eq!(parsed.bad[0].problem, Problem::MigrationUri, "{cut}");
            assert_eq!((parsed.bad[0].place, parsed.lines.len()), (Place::Line(1), 1));
        }
        let foreign = format!("{whole}\nhttps://example.com/\n");
        assert_eq!(read_uris(&foreign).bad[0].problem, Problem::MigrationUri);
    }

    #[test]
    fn fields_of_newer_versions_are_passed_over_and_md5_is_told() {
        let mut message = part(1, 0, 1, &[1]);
        message.extend([0x32, 2, 9, 9, 0x39, 0, 0, 0, 0, 0, 0, 0, 0, 0x45, 0, 0, 0, 0]);
        assert_eq!(read_uris(&uri(&message)).lines.len(), 1);
        let at = message.windows(2).position(|pair| pair == [0x20, 1]).unwrap();
        message[at + 1] = 4;
        let parsed = read_uris(&uri(&message));
        assert!(parsed.lines.is_empty() && parsed.notes[0].kind == NoteKind::Skipped(Skipped::Md5));
    }
}
