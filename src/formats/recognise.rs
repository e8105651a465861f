//! What a file is, by its content. Kinds from which no seeds are read are named, so that the operator hears "this is
//! a ZIP archive" and not "line 1 has no columns".

use super::{Format, entra_errors, migration, oath_csv, table, told::FileError};
use crate::{
    domain::seed_text::{self, WrongInput},
    remedy::{Remedy, Retry},
};
use std::fmt;

/// A kind of file that is recognised and not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// A ZIP archive.
    Zip,
    /// A workbook of a current spreadsheet program, which is a ZIP archive inside.
    Workbook,
    /// A workbook of an old one.
    OldWorkbook,
    /// Another archive: gzip, 7z, RAR, XZ.
    Archive,
    /// OpenPGP, armoured or binary.
    OpenPgp,
    /// age, armoured or binary.
    Age,
    /// PDF.
    Pdf,
    /// A picture.
    Picture,
    /// What Entra ID has to say about an upload.
    EntraErrors,
    /// SafeNet's XML.
    SafeNet,
    /// A page of the web.
    WebPage,
    /// Other XML.
    Xml,
    /// Other JSON.
    Json,
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Zip => "a ZIP archive",
            Self::Workbook => "a spreadsheet's workbook",
            Self::OldWorkbook => "an old spreadsheet's workbook",
            Self::Archive => "a compressed archive",
            Self::OpenPgp => "an OpenPGP message",
            Self::Age => "an age file",
            Self::Pdf => "a PDF document",
            Self::Picture => "a picture",
            Self::EntraErrors => "Entra ID's list of errors of an upload",
            Self::SafeNet => "a SafeNet XML file",
            Self::WebPage => "a web page",
            Self::Xml => "an XML file",
            Self::Json => "a JSON file",
        })
    }
}

impl Remedy for Content {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Zip | Self::OpenPgp | Self::Age => "import it with `kiln import`, which opens it",
            Self::Archive => "unpack it, in memory rather than on disk, and import what is inside",
            Self::Workbook | Self::OldWorkbook => {
                "export the sheet as \"CSV UTF-8\", with the serial column set to text first"
            }
            Self::SafeNet | Self::Xml => {
                "ask the vendor for PSKC, or for the Entra (Azure) CSV of the same tokens"
            }
            Self::Picture => "import it with `kiln import`, which reads QR codes in PNG and JPEG pictures",
            Self::Pdf | Self::WebPage => "ask the vendor for the seeds as a CSV",
            Self::Json => "export it again in a format that kiln reads (Graph, Aegis, 2FAS), or as a table",
            Self::EntraErrors => "read it with \"kiln entra-errors\", which names each token and what to do",
        }
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }
}

impl Content {
    /// What shows in the first bytes, before anything is taken for text: wrappings above all. `None` is a text, or
    /// nothing that is known.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        binary(bytes)
    }
}

/// Kinds that show in the first bytes, before anything is taken for text.
pub(super) fn binary(bytes: &[u8]) -> Option<Content> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
        let head = &bytes[..bytes.len().min(4096)];
        let holds = |needle: &[u8]| head.windows(needle.len()).any(|window| window == needle);
        let workbook = holds(b"[Content_Types].xml") || holds(b"application/vnd.oasis.opendocument");
        return Some(if workbook { Content::Workbook } else { Content::Zip });
    }
    let magics: [(&[u8], Content); 12] = [
        (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", Content::OldWorkbook),
        (b"\x1F\x8B", Content::Archive),
        (b"7z\xBC\xAF\x27\x1C", Content::Archive),
        (b"Rar!\x1A\x07", Content::Archive),
        (b"\xFD7zXZ\0", Content::Archive),
        (b"age-encryption.org/v1", Content::Age),
        (b"-----BEGIN AGE ENCRYPTED FILE", Content::Age),
        (b"-----BEGIN PGP", Content::OpenPgp),
        (b"%PDF-", Content::Pdf),
        (b"\x89PNG\r\n\x1A\n", Content::Picture),
        (b"\xFF\xD8\xFF", Content::Picture),
        (b"GIF8", Content::Picture),
    ];
    if let Some((_, content)) = magics.into_iter().find(|(magic, _)| starts(magic)) {
        return Some(content);
    }
    is_openpgp_packet(bytes).then_some(Content::OpenPgp)
}

/// Whether the bytes begin with an encrypted-session-key packet (RFC 9580 section 4.2: tags 1 and 3, old or new form)
/// of a known version, as every encrypted message does.
fn is_openpgp_packet(bytes: &[u8]) -> bool {
    let (tag, header) = match bytes {
        [first @ 0xC0..=0xFF, length, ..] => match length {
            0..=191 => (first & 0x3F, 2),
            192..=223 => (first & 0x3F, 3),
            224..=254 => (first & 0x3F, 2),
            255 => (first & 0x3F, 6),
        },
        [first @ 0x80..=0xBF, ..] => match first & 3 {
            0 => (first >> 2 & 0x0F, 2),
            1 => (first >> 2 & 0x0F, 3),
            2 => (first >> 2 & 0x0F, 5),
            _ => (first >> 2 & 0x0F, 1),
        },
        _ => return false,
    };
    matches!((tag, bytes.get(header)), (1, Some(3 | 6)) | (3, Some(4..=6)))
}

/// The format of a text, or the error that names what it is instead.
pub(super) fn format(text: &str) -> Result<Format, FileError> {
    let Some(line) = first_line(text) else { return Err(FileError::NoLines) };
    if entra_errors::is_header(line) {
        return Err(FileError::Unreadable { content: Content::EntraErrors });
    }
    if let Some(format) = table::format_of_header(line) {
        return Ok(format);
    }
    if table::separator_line(line).is_some() {
        let below = text.lines().skip_while(|below| super::row::clean(below) != line).nth(1);
        return Ok(below.and_then(table::format_of_header).unwrap_or(Format::EntraCsv));
    }
    let first = line.trim_matches('"');
    if begins(first, "otpauth://") {
        return Ok(Format::KeyUriList);
    }
    if begins(first, migration::SCHEME) {
        return Ok(Format::Migration);
    }
    // Enough to see what XML or JSON is about, without reading a whole inventory for it.
    let head_end = (0..=text.len().min(20_000)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let head = &text[..head_end];
    let structured = match first.as_bytes().first() {
        Some(b'<') => Some(xml(head)),
        Some(b'{' | b'[') => Some(json(head, text)),
        _ => None,
    };
    match structured {
        Some(told) => return told.map_err(|content| FileError::Unreadable { content }),
        None => {
            if let Some(told) = oath_csv::recognise(text, first) {
                return told;
            }
        }
    }
    match seed_text::foreign(first) {
        // An address in one of many columns says nothing of the whole.
        None | Some(WrongInput::OtherLink) if looks_like_table(line) => Err(FileError::NoHeader),
        Some(wrong) => Err(FileError::Wrong(wrong)),
        None => Err(FileError::Unknown),
    }
}

/// The first line that is neither blank nor a comment.
fn first_line(text: &str) -> Option<&str> {
    text.lines().map(super::row::clean).find(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Whether `text` begins so, in any case.
pub(super) fn begins(text: &str, with: &str) -> bool {
    text.split_at_checked(with.len()).is_some_and(|(head, _)| head.eq_ignore_ascii_case(with))
}

/// Makes no folded copy: there may be seeds in the text.
fn holds_in_any_case(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

fn xml(head: &str) -> Result<Format, Content> {
    let holds = |word: &str| head.contains(word);
    if holds_in_any_case(head, "KeyContainer") {
        Ok(Format::Pskc)
    } else if holds("<productCode") || holds("<tokenInfo") || holds("<tokenList") {
        Ok(Format::DualShieldXml)
    } else if holds("<Tokens") && holds("<Application") {
        Err(Content::SafeNet)
    } else if holds_in_any_case(head, "<html") {
        Err(Content::WebPage)
    } else {
        Err(Content::Xml)
    }
}

/// An encrypted vault's long text may stand before what tells it, so that a short look is not enough for all.
fn json(head: &str, text: &str) -> Result<Format, Content> {
    let holds = |word: &str| head.contains(word);
    if text.contains("\"db\"") && text.contains("\"header\"") {
        Ok(Format::Aegis)
    } else if text.contains("\"services\"") || text.contains("\"servicesEncrypted\"") {
        Ok(Format::TwoFas)
    } else if holds("\"secretKey\"") || holds("\"timeIntervalInSeconds\"") {
        Ok(Format::GraphJson)
    } else {
        Err(Content::Json)
    }
}

fn looks_like_table(first: &str) -> bool {
    [',', ';', '\t'].into_iter().any(|separator| first.matches(separator).count() >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::parse;

    fn named(bytes: &[u8]) -> Content {
        match parse(bytes, None) {
            Err(FileError::Unreadable { content }) => content,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn files_that_are_not_read_are_named() {
        for (bytes, content) in [
            (&b"PK\x03\x04\x14\0\x06\0seeds.csv"[..], Content::Zip),
            (b"PK\x03\x04\x14\0\x06\0[Content_Types].xml", Content::Workbook),
            (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", Content::OldWorkbook),
            (b"\x1F\x8B\x08", Content::Archive),
            (b"-----BEGIN PGP MESSAGE-----\n", Content::OpenPgp),
            (b"\x85\x01\x0C\x03\x11\x22\x33", Content::OpenPgp),
            (b"\xC1\xC0\x4C\x03\x11\x22\x33", Content::OpenPgp),
            (b"\x8C\x0D\x04\x09\x03\x08", Content::OpenPgp),
            (b"age-encryption.org/v1\n-> X25519", Content::Age),
            (b"-----BEGIN AGE ENCRYPTED FILE-----", Content::Age),
            (b"%PDF-1.7", Content::Pdf),
            (b"\x89PNG\r\n\x1A\n", Content::Picture),
            (b"<Tokens><Token serial=\"1\"><Applications><Application>", Content::SafeNet),
            (b"<!DOCTYPE html><html>", Content::WebPage),
            (b"<x/>", Content::Xml),
            (b"[1]", Content::Json),
        ] {
            assert_eq!(named(bytes), content, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn what_is_scanned_instead_of_a_seed_is_named_as_everywhere() {
        for (text, wrong) in [
            ("phonefactor://activate?code=1", WrongInput::PushEnrolment),
            ("https://example.com/", WrongInput::WebLink),
            ("FIDO:/0123456789", WrongInput::PasskeyCode),
            ("WIFI:T:WPA;S:x;P:y;;", WrongInput::OtherQr { what: "a Wi-Fi network's QR code" }),
        ] {
            assert_eq!(parse(text.as_bytes(), None).unwrap_err(), FileError::Wrong(wrong), "{text}");
        }
        let row = b"12345,https://example.com/t/1,ann,30\n";
        assert_eq!(parse(row, None).unwrap_err(), FileError::NoHeader);
    }

    #[test]
    fn formats_are_told_apart_by_their_content() {
        for (text, told) in [
            ("<?xml version=\"1.0\"?>\n<pskc:KeyContainer>", Format::Pskc),
            ("<data><header><productCode>ST</productCode>", Format::DualShieldXml),
            ("{\"version\":1,\"header\":{},\"db\":{}}", Format::Aegis),
            ("{\"services\":[],\"schemaVersion\":4}", Format::TwoFas),
            ("[{\"serialNumber\":\"1\",\"secretKey\":\"A\"}]", Format::GraphJson),
            ("otpauth-migration://offline?data=CjoK", Format::Migration),
            (
                "# version: 2\nalice,r,q,1,3132333435363738393031323334353637383930,TOTP",
                Format::PrivacyIdeaCsv,
            ),
            ("serial number,secret key,timeinterval,manufacturer,model", Format::EntraCsv),
            ("sep=;\nserial;seed", Format::SeedTable),
            ("serial,seed", Format::SeedTable),
            ("Serial Number,Secret Key", Format::SeedTable),
            ("login,sharedSecret,factorProfileId", Format::OktaCsv),
        ] {
            assert_eq!(format(text), Ok(told), "{text}");
        }
    }

    #[test]
    fn a_table_without_a_header_is_asked_for_one() {
        let rows = b"0012345678901,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,30,Token2,miniOTP-2\n";
        assert_eq!(parse(rows, None).unwrap_err(), FileError::NoHeader);
    }

    #[test]
    fn what_is_nothing_known_is_said_to_be_so() {
        assert_eq!(parse(b"Dear customer,\nplease find attached\n", None).unwrap_err(), FileError::Unknown);
        assert_eq!(parse("Grüße\n".as_bytes(), None).unwrap_err(), FileError::Unknown);
    }

    #[test]
    fn text_is_not_taken_for_openpgp() {
        // In UTF-8 these letters begin with bytes that old packet headers have, too.
        for text in ["élan,b,c", "Ärger", "中文"] {
            assert!(binary(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn every_kind_says_what_to_do() {
        use Content::*;
        for content in [
            Zip,
            Workbook,
            OldWorkbook,
            Archive,
            OpenPgp,
            Age,
            Pdf,
            Picture,
            EntraErrors,
            SafeNet,
            WebPage,
            Xml,
            Json,
        ] {
            assert!(content.remedy().len() > 10 && !content.to_string().is_empty());
        }
    }
}
