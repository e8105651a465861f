//! PSKC with plain values. RFC 6030, section 4; the order of elements is that of its schema.

use super::{OutRow, Sheet};
use crate::domain::{Hash, Mode, seed_text::Encoding};
use zeroize::Zeroizing;

/// How a hash other than SHA-1 (which goes without saying) is spelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SuiteSpelling {
    /// `HMAC-SHA256`, as most writers do.
    #[default]
    Usual,
    /// `SHA256`. privacyIDEA (read from its importer) takes the text over as it is, and computes SHA-1 from any other
    /// spelling without a word.
    PrivacyIdea,
}

impl SuiteSpelling {
    fn of(self, hash: Hash) -> Option<&'static str> {
        match (hash, self) {
            (Hash::Sha1, _) => None,
            (Hash::Sha256, Self::Usual) => Some("HMAC-SHA256"),
            (Hash::Sha256, Self::PrivacyIdea) => Some("SHA256"),
            (Hash::Sha512, Self::Usual) => Some("HMAC-SHA512"),
            (Hash::Sha512, Self::PrivacyIdea) => Some("SHA512"),
        }
    }
}

pub(super) fn write(rows: &[OutRow<'_>], spelling: SuiteSpelling) -> Zeroizing<Vec<u8>> {
    // Only what is escaped grows, to six bytes at most.
    let odd = |row: &OutRow<'_>| row.texts().iter().any(|text| text.contains(['&', '<', '>', '"', '\'']));
    let texts = if rows.iter().any(odd) { 7 } else { 2 };
    let mut sheet = Sheet::for_rows(256, 720, texts, rows);
    sheet.push(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <KeyContainer Version=\"1.0\" xmlns=\"urn:ietf:params:xml:ns:keyprov:pskc\">\n",
    );
    for row in rows {
        package(&mut sheet, row, spelling);
    }
    sheet.push("</KeyContainer>\n");
    sheet.done()
}

fn package(sheet: &mut Sheet, row: &OutRow<'_>, spelling: SuiteSpelling) {
    let element = |sheet: &mut Sheet, name: &str, text: &str| {
        sheet.all(&["<", name, ">"]);
        sheet.xml(text);
        sheet.all(&["</", name, ">"]);
    };
    sheet.push("<KeyPackage><DeviceInfo>");
    element(sheet, "Manufacturer", row.manufacturer);
    element(sheet, "SerialNo", row.serial.as_str());
    element(sheet, "Model", row.model);
    let kind = match row.parameters.mode {
        Mode::Totp { .. } => "totp",
        Mode::Hotp { .. } => "hotp",
    };
    sheet.all(&["</DeviceInfo>\n<Key Id=\"", row.serial.as_str()]);
    sheet.all(&["\" Algorithm=\"urn:ietf:params:xml:ns:keyprov:pskc:", kind, "\">"]);
    if let Some(issuer) = row.issuer {
        element(sheet, "Issuer", issuer);
    }
    sheet.push("<AlgorithmParameters>");
    if let Some(suite) = spelling.of(row.parameters.hash) {
        element(sheet, "Suite", suite);
    }
    let digits = row.parameters.digits.to_string();
    sheet.all(&["<ResponseFormat Encoding=\"DECIMAL\" Length=\"", &digits, "\"/></AlgorithmParameters>"]);
    // What a person would call the key.
    if let Some(name) = row.account.or(row.title).filter(|name| !name.is_empty()) {
        element(sheet, "FriendlyName", name);
    }
    sheet.push("\n<Data><Secret><PlainValue>");
    sheet.seed(row.seed, Encoding::Base64);
    sheet.push("</PlainValue></Secret>");
    let (name, number) = match row.parameters.mode {
        Mode::Totp { period, .. } => ("TimeInterval", u64::from(period.as_secs())),
        Mode::Hotp { counter } => ("Counter", counter),
    };
    sheet.all(&["<", name, "><PlainValue>", &number.to_string(), "</PlainValue></", name, "></Data>"]);
    if let Some(user) = row.upn {
        element(sheet, "UserId", user);
    }
    sheet.push("</Key></KeyPackage>\n");
}
