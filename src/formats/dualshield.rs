//! Deepnet's DualShield XML: the current form, as the publisher's page has it, and the older one (`tokenList`), as one
//! third party shows it. Neither states the hash; the current one states nothing but serial and seed.
//!
//! **Kind.** Whether tokens count, the server of the current form knows by the product code. Of the codes one is public
//! (`ST`, SafeID by time); for any other a person says it, since a counter-based seed that was taken for a time-based one
//! gives wrong codes for good.

use super::{
    BadLine, FileError, NoteKind, Place, Problem, Read,
    draft::Draft,
    told::{Field, XmlFault},
    xml::{Document, Element},
};
use crate::domain::seed_text::Encoding;

/// The only product code that is public: SafeID, time-based.
pub(super) const TIME_BASED_PRODUCT: &str = "ST";

/// How the kind of a file's tokens is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By the product code in its header.
    ByProduct,
    /// A person said that they go by time.
    Time,
    /// A person said that they count.
    Counter,
}

pub(super) fn read(text: &str, kind: Kind) -> Result<Read, FileError> {
    let mut document = Document::new(text, &["tokens", "tokenList"]);
    let mut read = Read::default();
    let mut place = 0;
    while let Some(entry) = document.next_entry().map_err(FileError::Xml)? {
        if entry.is("header") {
            let is = |path, word: &str| {
                let said = entry.text_at(&[path]);
                said.is_empty() || said.eq_ignore_ascii_case(word)
            };
            if !is("encode", "HEX") {
                return Err(FileError::Xml(XmlFault::NotHex));
            }
            if !is("encrypt", "NONE") {
                return Err(FileError::Xml(XmlFault::Encrypted));
            }
            if kind == Kind::ByProduct && !is("productCode", TIME_BASED_PRODUCT) {
                let code = entry.text_at(&["productCode"]).chars().take(20).collect();
                return Err(FileError::ProductOpen { code });
            }
        } else if entry.is("token") {
            place += 1;
            let mut draft = Draft::new(Place::Entry(place));
            draft.needed_serial(entry.text_at(&["serial"]));
            draft.seed_text(entry.text_at(&["seed"]), Encoding::Hex);
            if kind == Kind::Counter {
                draft.stated.counter = Some(0);
                draft.note(Field::Counter, NoteKind::CounterNotStated);
            }
            draft.finish(&mut read);
        } else if entry.is("tokenInfo") {
            place += 1;
            older(Place::Entry(place), &entry, &mut read)?;
        }
        read.is_bearable()?;
    }
    Ok(read)
}

/// A token of the older form: who made it in `device`, and a document of its own in a CDATA section.
fn older(place: Place, info: &Element, read: &mut Read) -> Result<(), FileError> {
    let device = info.child("device");
    let about = |name| device.map_or("", |device| device.text_at(&[name]));
    let inner =
        std::iter::once(info).chain(info.children()).map(Element::text).find(|text| text.starts_with('<'));
    let Some(inner) = inner else {
        read.bad.push(BadLine { place, field: Some(Field::Secret), problem: Problem::Empty });
        return Ok(());
    };
    // The inner document's elements lie right below its outermost one.
    let mut fields = Vec::new();
    let mut document = Document::new(inner, &[]);
    while let Some(field) = document.next_entry().map_err(FileError::Xml)? {
        fields.push(field);
    }
    let field = |name: &str| fields.iter().find(|field| field.is(name));
    let text = |name: &str| field(name).map_or("", Element::text);
    let mut draft = Draft::new(place);
    draft.needed_serial(if about("serial").is_empty() { text("deviceID") } else { about("serial") });
    draft.manufacturer(about("manufacturer"));
    draft.model(about("model"));
    draft.digits(text("digits"));
    if draft.optional(Field::Kind, text("type"), super::table::counter_based) == Some(true) {
        draft.needed_counter(text("counter"));
    }
    match field("secret") {
        Some(secret) if secret.attribute("enc").eq_ignore_ascii_case("HEX") => {
            draft.seed_text(secret.text(), Encoding::Hex);
        }
        Some(_) => return Err(FileError::Xml(XmlFault::NotHex)),
        None => draft.refuse(Field::Secret, Problem::Empty),
    }
    draft.finish(read);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Digits,
        formats::{Format, Parsed, parse},
    };

    const CURRENT: &str = "<?xml version=\"1.0\"?>\n<data>\n <header><manufacturerCode>DN</manufacturerCode>\
        <productCode>ST</productCode><encode>HEX</encode><encrypt>NONE</encrypt></header>\n <tokens>\n\
        <token><serial>0012345678901</serial><seed>3132333435363738393031323334353637383930</seed></token>\n\
        <token><serial>0012345678902</serial><seed>1669ebdcc7108c272fd876ed6e7f562583be16a9</seed></token>\n\
        </tokens>\n</data>\n";

    const OLDER: &str = "<tokenList><tokenInfo><methodName>SafeID</methodName><device><manufacturer>Deepnet</manufacturer>\
        <vendor>DN</vendor><model>SafeID</model><serial>0012345678901</serial></device><tokenData><![CDATA[<data>\
        <deviceID>1</deviceID><type>TB</type><counter>0</counter><digits>6</digits>\
        <secret enc=\"HEX\">3132333435363738393031323334353637383930</secret><description/></data>]]></tokenData>\
        </tokenInfo></tokenList>";

    fn read_xml(text: &str) -> Parsed {
        let parsed = parse(text.as_bytes(), None).unwrap();
        assert_eq!(parsed.format, Format::DualShieldXml);
        parsed
    }

    #[test]
    fn the_current_form_is_read() {
        let parsed = read_xml(CURRENT);
        assert_eq!(parsed.bad, []);
        let serials: Vec<_> =
            parsed.lines.iter().map(|line| line.serial.as_ref().unwrap().as_str()).collect();
        assert_eq!(serials, ["0012345678901", "0012345678902"]);
        assert_eq!(parsed.lines[0].seed.expose(), b"12345678901234567890");
        assert_eq!(parsed.lines[1].place, Place::Entry(2));
    }

    #[test]
    fn the_older_form_is_read_with_what_it_states() {
        let parsed = read_xml(OLDER);
        let [line] = &parsed.lines[..] else { panic!("{:?}", parsed.bad) };
        assert_eq!(
            (line.serial.as_ref().unwrap().as_str(), line.stated.digits),
            ("0012345678901", Some(Digits::SIX))
        );
        assert_eq!((line.manufacturer.as_deref(), line.stated.counter), (Some("Deepnet"), None));
        let counted = read_xml(&OLDER.replace("<type>TB", "<type>EB").replace("<counter>0", "<counter>5"));
        assert_eq!(counted.lines[0].stated.counter, Some(5));
    }

    #[test]
    fn other_spellings_and_encrypted_seeds_are_refused() {
        let refused = |from, to| parse(CURRENT.replace(from, to).as_bytes(), None).unwrap_err();
        assert_eq!(refused("<encode>HEX", "<encode>BASE64"), FileError::Xml(XmlFault::NotHex));
        assert_eq!(refused("<encrypt>NONE", "<encrypt>3DES"), FileError::Xml(XmlFault::Encrypted));
    }

    #[test]
    fn whether_tokens_count_is_asked_where_the_product_code_is_not_public() {
        let other = CURRENT.replace("<productCode>ST", "<productCode>EV");
        assert_eq!(parse(other.as_bytes(), None).unwrap_err(), FileError::ProductOpen { code: "EV".into() });
        let said = |format: &str| {
            let parsed = parse(other.as_bytes(), Some(format.parse().unwrap())).unwrap();
            assert_eq!(parsed.bad, []);
            let noted = parsed.notes.iter().any(|note| note.kind == NoteKind::CounterNotStated);
            (parsed.lines[0].stated.counter, noted)
        };
        assert_eq!(said("hseeds-xml"), (Some(0), true));
        assert_eq!(said("tseeds-xml"), (None, false));
        // The older form says it of each token.
        let older = parse(OLDER.as_bytes(), Some(Format::DualShieldCounter)).unwrap();
        assert_eq!(older.lines[0].stated.counter, None);
    }

    #[test]
    fn a_bad_token_hides_no_other() {
        let parsed = read_xml(&CURRENT.replace("<seed>31", "<seed>3"));
        assert_eq!((parsed.lines.len(), parsed.bad.len()), (1, 1));
        assert_eq!((parsed.bad[0].place, parsed.bad[0].field), (Place::Entry(1), Some(Field::Secret)));
    }
}
