//! JSON as seed files have it. Values become text that is wiped, whatever type a writer gave them; an entry of the
//! wrong shape is a bad entry and no reason to refuse the others, as far as the document as such can be read.

use super::told::{FileError, JsonFault};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{fmt, marker::PhantomData};
use zeroize::Zeroizing;

/// Reads a document. The reader's own messages quote what they met, so only its position is kept.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, FileError> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        if error.to_string().starts_with(TOO_MANY) {
            return FileError::TooManyLines;
        }
        FileError::Json(match error.classify() {
            serde_json::error::Category::Eof => JsonFault::CutOff,
            serde_json::error::Category::Data => JsonFault::Form { line, column },
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
                JsonFault::NotWellFormed { line, column }
            }
        })
    })
}

/// A text, number or truth value as text; empty for `null` and for what is absent. Lists and objects are passed over.
#[derive(Default)]
pub(super) struct Scalar(Zeroizing<String>);

impl Scalar {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar(Zeroizing::new(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar(Zeroizing::new(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar(Zeroizing::new(number.to_string())))
    }

    /// A serial that went through a spreadsheet or a script as a number: its digits are gone, and the text says so.
    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        let text = format!("{number:E}");
        Ok(Scalar(Zeroizing::new(if text.contains("E-") { text } else { text.replace('E', "E+") })))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Scalar, E> {
        Ok(Scalar(Zeroizing::new(truth.to_string())))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::default())
    }
}

/// How the message of [`List`]'s own bound begins.
const TOO_MANY: &str = "too many entries";

/// A list of entries that is bounded, since three bytes of JSON can stand for one.
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<List<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            if entries.len() == super::MAX_LINES {
                return Err(serde::de::Error::custom(TOO_MANY));
            }
            entries.push(entry);
        }
        Ok(List(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Entry {
        a: Scalar,
        b: Scalar,
    }

    #[test]
    fn values_of_any_type_become_text() {
        let entries: List<Entry> = read(
            "[{\"a\": \"x\\u0041\", \"b\": 12}, {\"a\": null, \"b\": true}, {\"a\": [1, {}], \"c\": {}}, {\"a\": -3, \"b\": 8.6e13}]",
        )
        .unwrap();
        let texts: Vec<_> = entries.0.iter().map(|entry| (entry.a.as_str(), entry.b.as_str())).collect();
        assert_eq!(texts, [("xA", "12"), ("", "true"), ("", ""), ("-3", "8.6E+13")]);
    }

    #[test]
    fn faults_are_told_by_their_place_alone() {
        let fault = |text: &str| match read::<List<Entry>>(text) {
            Err(FileError::Json(fault)) => fault,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("read"),
        };
        assert_eq!(fault("[{\"a\": \"GEZDGNBV"), JsonFault::CutOff);
        assert_eq!(fault("[\n{\"a\" \"x\"}]"), JsonFault::NotWellFormed { line: 2, column: 6 });
        assert!(matches!(fault("[\"GEZDGNBV\"]"), JsonFault::Form { .. }));
        // Depth costs no stack.
        assert_eq!(fault(&"[".repeat(100_000)), JsonFault::CutOff);
    }
}
