//! Formats of a line for each token, and Microsoft Graph's list.

use super::{OutRow, Sheet};
use crate::domain::{Hash, Mode, seed_text::Encoding};
use zeroize::Zeroizing;

/// The hash that privacyIDEA (release 3.14, read from its importer) takes a seed of so many bytes for; none: one that
/// no token here does (SHA-224, SHA-384).
pub(super) fn hash_by_length(seed_len_bytes: usize) -> Option<Hash> {
    match seed_len_bytes {
        28 | 48 => None,
        32 => Some(Hash::Sha256),
        64 => Some(Hash::Sha512),
        _ => Some(Hash::Sha1),
    }
}

/// Seconds, or the counter.
fn number(row: &OutRow<'_>) -> String {
    match row.parameters.mode {
        Mode::Totp { period, .. } => period.as_secs().to_string(),
        Mode::Hotp { counter } => counter.to_string(),
    }
}

/// Serial, hex seed, type, digits, then the period or the counter. No header.
pub(super) fn privacy_idea(rows: &[OutRow<'_>]) -> Zeroizing<Vec<u8>> {
    let mut sheet = Sheet::for_rows(0, 64, 1, rows);
    for row in rows {
        sheet.all(&[row.serial.as_str(), ", "]);
        sheet.seed(row.seed, Encoding::Hex);
        let kind = if row.is_counter_based() { "HOTP" } else { "TOTP" };
        let digits = row.parameters.digits.to_string();
        sheet.all(&[", ", kind, ", ", &digits, ", ", &number(row), "\n"]);
    }
    sheet.done()
}

/// Serial, hex seed, then seconds or the counter. The type is chosen in the form.
pub(super) fn duo(rows: &[OutRow<'_>]) -> Zeroizing<Vec<u8>> {
    let mut sheet = Sheet::for_rows(0, 48, 1, rows);
    for row in rows {
        sheet.all(&[row.serial.as_str(), ","]);
        sheet.seed(row.seed, Encoding::Hex);
        sheet.all(&[",", &number(row), "\r\n"]);
    }
    sheet.done()
}

/// The fields of Okta's factor call (`token:hotp`, provider `CUSTOM`), for a script to take from: there is no upload
/// file. Hash, digits and period belong to the factor profile; they stand here to be compared with it.
pub(super) fn okta(rows: &[OutRow<'_>], encoding: Encoding, factor_profile: &str) -> Zeroizing<Vec<u8>> {
    let mut sheet = Sheet::for_rows(128, 96 + 2 * factor_profile.len(), 3, rows);
    sheet.push("login,serial,factorProfileId,sharedSecret,algorithm,digits,timeStep\r\n");
    for row in rows {
        sheet.cell(row.user().unwrap_or(""));
        sheet.all(&[",", row.serial.as_str(), ","]);
        sheet.cell(factor_profile);
        sheet.push(",");
        sheet.seed(row.seed, encoding);
        let Parts { hash, digits, number } = parts(row);
        sheet.all(&[",", hash, ",", &digits, ",", &number, "\r\n"]);
    }
    sheet.done()
}

struct Parts {
    hash: &'static str,
    digits: String,
    number: String,
}

fn parts(row: &OutRow<'_>) -> Parts {
    let hash = row.parameters.hash.uri_name();
    Parts { hash, digits: row.parameters.digits.to_string(), number: number(row) }
}

/// One in each line.
pub(super) fn key_uris(rows: &[OutRow<'_>]) -> Zeroizing<Vec<u8>> {
    // Issuer and account stand there escaped, the issuer twice.
    let mut sheet = Sheet::for_rows(0, 192, 6, rows);
    for row in rows {
        sheet.all(&[&row.key_uri(), "\n"]);
    }
    sheet.done()
}

/// Serial, profile, key URI; none of them holds a tab.
pub(super) fn qr_lines(rows: &[OutRow<'_>]) -> Zeroizing<Vec<u8>> {
    let mut sheet = Sheet::for_rows(0, 200, 6, rows);
    for row in rows {
        sheet.all(&[row.serial.as_str(), "\t", &row.profile.to_string(), "\t", &row.key_uri(), "\n"]);
    }
    sheet.done()
}

/// The body of a bulk upload: a PATCH of the collection `hardwareOathDevices` with a delta payload. The wrapper's
/// spelling is told by a third party; the properties are Microsoft's documentation.
pub(super) fn graph(rows: &[OutRow<'_>]) -> Zeroizing<Vec<u8>> {
    let mut sheet = Sheet::for_rows(64, 280, 7, rows);
    sheet.push("{\"@context\":\"#$delta\",\"value\":[");
    for (at, row) in rows.iter().enumerate() {
        sheet.push(if at == 0 { "\n" } else { ",\n" });
        let id = (at + 1).to_string();
        sheet.all(&["{\"@contentId\":\"", &id, "\",\"serialNumber\":\"", row.serial.as_str()]);
        sheet.push("\",\"manufacturer\":");
        json(&mut sheet, row.manufacturer);
        sheet.push(",\"model\":");
        json(&mut sheet, row.model);
        sheet.push(",\"secretKey\":\"");
        sheet.seed(row.seed, Encoding::Base32);
        sheet.all(&["\",\"timeIntervalInSeconds\":", &number(row), ",\"hashFunction\":\""]);
        sheet.push(match row.parameters.hash {
            Hash::Sha1 => "hmacsha1",
            Hash::Sha256 => "hmacsha256",
            Hash::Sha512 => "hmacsha512",
        });
        sheet.push("\"");
        if let Some(name) = row.account.or(row.title).filter(|name| !name.is_empty()) {
            sheet.push(",\"displayName\":");
            json(&mut sheet, name);
        }
        sheet.push("}");
    }
    sheet.push("\n]}\n");
    sheet.done()
}

/// A text that is no secret.
fn json(sheet: &mut Sheet, text: &str) {
    sheet.push(&serde_json::Value::from(text).to_string());
}
