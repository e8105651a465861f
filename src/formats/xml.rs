//! XML as seed files have it: a wrapper or two, and in it entries of a few elements each. Read entry by entry, so that
//! a long file needs no more memory than a short one. Names are compared without case, though XML has one: privacyIDEA
//! writes its PSKC in lower case. Document types and entities of the file's own are refused, an
//! entry is bounded in depth and size, and a document that ends early is an error.

use super::told::XmlFault;
use quick_xml::{
    NsReader,
    escape::resolve_predefined_entity,
    events::{BytesRef, BytesStart, Event},
    name::ResolveResult,
};
use zeroize::Zeroizing;

/// Elements within each other, the wrappers counted.
const MAX_DEPTH: usize = 32;

/// Elements in one entry.
const MAX_ELEMENTS: usize = 2_000;

/// One element with all that is in it. Texts may be seeds, so each is wiped.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// Without its prefix.
    name: String,
    attributes: Vec<(String, Zeroizing<String>)>,
    children: Vec<Element>,
    text: Zeroizing<String>,
}

impl Element {
    /// Whether it has this name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Its own text, without that of its children.
    pub(super) fn text(&self) -> &str {
        self.text.trim()
    }

    /// Its first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.is(name))
    }

    /// Its children of this name.
    pub(super) fn children_named<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |child| child.is(name))
    }

    /// All its children.
    pub(super) fn children(&self) -> &[Element] {
        &self.children
    }

    /// The first element down this path.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Element> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The text of the first element down this path; empty where there is none.
    pub(super) fn text_at(&self, path: &[&str]) -> &str {
        self.at(path).map_or("", Element::text)
    }

    /// An attribute's value; empty where there is none.
    pub(super) fn attribute(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }

    fn append(&mut self, more: &str) {
        // A string that grows by itself leaves unwiped copies behind.
        let mut text = Zeroizing::new(String::with_capacity(self.text.len() + more.len()));
        text.push_str(&self.text);
        text.push_str(more);
        self.text = text;
    }
}

/// A document being read.
pub(super) struct Document<'t> {
    reader: NsReader<&'t [u8]>,
    text: &'t str,
    wrappers: &'t [&'t str],
    depth: usize,
    root: Option<Root>,
}

/// The outermost element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root {
    /// Without its prefix.
    pub(super) name: String,
    /// Its namespace.
    pub(super) namespace: Option<String>,
}

impl<'t> Document<'t> {
    /// `wrappers` are the elements that are entered rather than handed out, by name.
    pub(super) fn new(text: &'t str, wrappers: &'t [&'t str]) -> Self {
        Self { reader: NsReader::from_str(text.trim_start()), text, wrappers, depth: 0, root: None }
    }

    /// The outermost element, once it was met.
    pub(super) fn root(&self) -> Option<&Root> {
        self.root.as_ref()
    }

    /// How many bytes were read.
    pub(super) fn position(&self) -> usize {
        let skipped = self.text.len() - self.text.trim_start().len();
        skipped + usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// The next element that is no wrapper, whole; `None` at the end of the document.
    pub(super) fn next_entry(&mut self) -> Result<Option<Element>, XmlFault> {
        loop {
            match self.event()? {
                Event::Eof if self.depth > 0 || self.root.is_none() => return Err(self.cut_off()),
                Event::Eof => return Ok(None),
                Event::Start(tag) => {
                    if self.depth > 0 && !self.is_wrapper(&tag) {
                        return self.whole(&tag).map(Some);
                    }
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(XmlFault::TooMuch { line: self.line() });
                    }
                }
                Event::Empty(tag) if self.depth > 0 && !self.is_wrapper(&tag) => {
                    return element(&tag).map(Some).ok_or_else(|| self.not_well_formed());
                }
                Event::End(_) => self.depth -= 1,
                _ => {}
            }
        }
    }

    fn is_wrapper(&self, tag: &BytesStart<'_>) -> bool {
        let name = tag.local_name().into_inner();
        self.wrappers.iter().any(|wrapper| name.eq_ignore_ascii_case(wrapper))
    }

    /// The element that `tag` begins.
    fn whole(&mut self, tag: &BytesStart<'_>) -> Result<Element, XmlFault> {
        let mut open = vec![element(tag).ok_or_else(|| self.not_well_formed())?];
        let mut elements = 1;
        loop {
            let event = self.event()?;
            if matches!(event, Event::Start(_) | Event::Empty(_)) {
                elements += 1;
                if elements > MAX_ELEMENTS || self.depth + open.len() >= MAX_DEPTH {
                    return Err(XmlFault::TooMuch { line: self.line() });
                }
            }
            let Some(innermost) = open.last_mut() else { return Err(self.not_well_formed()) };
            match event {
                Event::Eof => return Err(self.cut_off()),
                Event::Start(tag) => open.push(element(&tag).ok_or_else(|| self.not_well_formed())?),
                Event::Empty(tag) => {
                    let empty = element(&tag);
                    match empty {
                        Some(empty) => innermost.children.push(empty),
                        None => return Err(self.not_well_formed()),
                    }
                }
                Event::Text(text) => innermost.append(&text.xml10_content()),
                Event::CData(text) => innermost.append(&text.xml10_content()),
                Event::GeneralRef(entity) => match entity_text(&entity) {
                    Some(character) => innermost.append(&character),
                    None => return Err(XmlFault::Entity { line: self.line() }),
                },
                Event::End(_) => {
                    let Some(closed) = open.pop() else { return Err(self.not_well_formed()) };
                    match open.last_mut() {
                        Some(parent) => parent.children.push(closed),
                        None => return Ok(closed),
                    }
                }
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => {}
            }
        }
    }

    /// The next event, of a document that has no surprises.
    fn event(&mut self) -> Result<Event<'t>, XmlFault> {
        let (resolved, event) = match self.reader.read_resolved_event() {
            Ok(read) => read,
            Err(_) => return Err(self.broken()),
        };
        if self.root.is_none()
            && let Event::Start(tag) | Event::Empty(tag) = &event
        {
            let namespace = match resolved {
                ResolveResult::Bound(namespace) => Some(namespace.0.to_owned()),
                ResolveResult::Unbound | ResolveResult::Unknown(_) => None,
            };
            self.root = Some(Root { name: tag.local_name().into_inner().to_owned(), namespace });
        }
        match &event {
            Event::DocType(_) => Err(XmlFault::Dtd { line: self.line() }),
            // What the text was decoded from is known by then; the declaration may only agree.
            Event::Decl(declaration) => match declaration.encoding() {
                None => Ok(event),
                Some(Ok(name)) if is_unicode(&name) => Ok(event),
                Some(_) => Err(XmlFault::Encoding),
            },
            Event::GeneralRef(entity) if entity_text(entity).is_none() => {
                Err(XmlFault::Entity { line: self.line() })
            }
            _ => Ok(event),
        }
    }

    /// An error at the end of the text means that the rest is missing.
    fn broken(&self) -> XmlFault {
        let at_end = self.position() >= self.text.trim_end().len();
        if at_end { self.cut_off() } else { self.not_well_formed() }
    }

    fn not_well_formed(&self) -> XmlFault {
        XmlFault::NotWellFormed { line: self.line() }
    }

    fn cut_off(&self) -> XmlFault {
        XmlFault::CutOff { line: self.line() }
    }

    fn line(&self) -> u32 {
        let read = self.text.as_bytes().get(..self.position()).unwrap_or(self.text.as_bytes());
        u32::try_from(read.iter().filter(|byte| **byte == b'\n').count() + 1).unwrap_or(u32::MAX)
    }
}

fn is_unicode(encoding: &str) -> bool {
    ["utf-8", "utf8", "utf-16", "us-ascii", "ascii"].iter().any(|name| encoding.eq_ignore_ascii_case(name))
}

/// A tag with its attributes; `None` where these are no attributes.
fn element(tag: &BytesStart<'_>) -> Option<Element> {
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.ok()?;
        let name = attribute.key.local_name().into_inner().to_owned();
        let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok()?;
        attributes.push((name, Zeroizing::new(value.into_owned())));
    }
    Some(Element { name: tag.local_name().into_inner().to_owned(), attributes, ..Element::default() })
}

/// A character reference, or one of XML's own five entities.
pub(crate) fn entity_text(entity: &BytesRef<'_>) -> Option<String> {
    match entity.resolve_char_ref().ok()? {
        Some(character) => Some(character.to_string()),
        None => resolve_predefined_entity(&entity.xml10_content()).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<Element>, XmlFault> {
        let mut document = Document::new(text, &["list"]);
        let mut entries = Vec::new();
        while let Some(entry) = document.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }

    #[test]
    fn entries_are_handed_out_one_by_one() {
        let entries = all("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- x --><root><a/><list>\
             <p:b xmlns:p=\"urn:x\" p:k=\"1 &amp; 2\"> t<![CDATA[<]]>&#65; <c>u</c></p:b></list></root>\n")
        .unwrap();
        let [a, b] = &entries[..] else { panic!("{entries:?}") };
        assert!(a.is("A") && a.text().is_empty());
        assert_eq!((b.name.as_str(), b.text(), b.attribute("K")), ("b", "t<A", "1 & 2"));
        assert_eq!((b.text_at(&["c"]), b.text_at(&["d"])), ("u", ""));
    }

    #[test]
    fn document_types_and_entities_of_ones_own_are_refused() {
        let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>\n<r><x>&b;</x></r>";
        assert_eq!(all(bomb).unwrap_err(), XmlFault::Dtd { line: 1 });
        assert_eq!(all("<r>\n<x>&a;</x></r>").unwrap_err(), XmlFault::Entity { line: 2 });
    }

    #[test]
    fn a_document_that_ends_early_is_named_so() {
        for text in ["<r>", "<r>\n<x>", "<r>\n<x><y", "<r>\n<x>a", "<r>\n<x/>", "<r", "<r><!-- a"] {
            assert!(matches!(all(text), Err(XmlFault::CutOff { .. })), "{text}: {:?}", all(text));
        }
    }

    #[test]
    fn what_is_not_well_formed_is_refused_with_its_line() {
        for text in ["<r>\n<x></y></r>\n", "<r>\n<x a></x></r>\n", "<r>\n<x a=\"1\" a=\"2\"/></r>\n"] {
            assert_eq!(all(text).unwrap_err(), XmlFault::NotWellFormed { line: 2 }, "{text}");
        }
    }

    #[test]
    fn depth_and_size_of_an_entry_are_bounded() {
        let deep = "<a>".repeat(100_000);
        assert!(matches!(all(&format!("<r>{deep}")), Err(XmlFault::TooMuch { .. })));
        let wrapped = "<list>".repeat(100_000);
        assert!(matches!(all(&format!("<r>{wrapped}")), Err(XmlFault::TooMuch { .. })));
        let wide = "<a/>".repeat(100_000);
        assert!(matches!(all(&format!("<r><x>{wide}</x></r>")), Err(XmlFault::TooMuch { .. })));
    }

    #[test]
    fn another_encoding_is_refused() {
        let text = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><r/>";
        assert_eq!(all(text).unwrap_err(), XmlFault::Encoding);
    }
}
