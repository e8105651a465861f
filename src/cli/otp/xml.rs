//! The documents of X4's TOTP adapter, which `--xml` reads and writes.
//!
//! | verb | reads | writes |
//! |---|---|---|
//! | `secret` | nothing | `<Secret>base32</Secret>` |
//! | `code` | `<Secret>base32</Secret>` | `<Password>code</Password>` |
//! | `verify` | `<TOTP><Password>code</Password><Secret>base32</Secret></TOTP>` | `<Ok description="…"/>` or `<Error description="…"/>` |
//! | `qr` | `<Secret>base32</Secret>` | a PNG file, and `<Ok description="…"/>` |
//!
//! Every failure is an `<Error description="…"/>` on standard output, and the adapter's status is the only line on
//! standard error: `status: 1` done, `status: -1` an error of the surroundings, `status: 403` no match, or a malformed
//! request. The exit status is the same as without `--xml`.

use super::{Exit, Io, OtpError};
use crate::{
    cli::{VerbError, seed_input},
    domain::{
        Code, Seed,
        seed_text::{self, Encoding},
    },
    formats::entity_text,
    remedy::{Remedy, Retry},
};
use quick_xml::{Reader, escape::escape, events::Event};
use std::path::Path;
use zeroize::Zeroizing;

/// What `--xml` prints.
pub(super) enum Answer {
    Secret(Zeroizing<String>),
    Password(Code),
    Ok(String),
    NoMatch(String),
}

/// Why a document is not one of the adapter's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not well-formed.
    #[error("the document is not well-formed XML (byte {at})")]
    NotXml {
        /// Where the reader stopped, in bytes from 0.
        at: u64,
    },
    /// A document type declaration: nothing here needs one, and entities are a way to attack readers.
    #[error("the document has a DTD")]
    Dtd,
    /// A declared encoding other than UTF-8.
    #[error("the document declares an encoding other than UTF-8")]
    Encoding,
    /// An element that doesn't belong there.
    #[error("the document has an element or text where {expected} belongs")]
    Unexpected {
        /// What would be right.
        expected: &'static str,
    },
    /// An element is missing.
    #[error("the document has no <{element}>")]
    Missing {
        /// Which.
        element: &'static str,
    },
    /// An element stands there twice.
    #[error("the document has more than one <{element}>")]
    Repeated {
        /// Which.
        element: &'static str,
    },
}

impl Remedy for DocumentError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NotXml { .. } | Self::Unexpected { .. } | Self::Missing { .. } | Self::Repeated { .. } => {
                "send <Secret>…</Secret>, or <TOTP><Password>…</Password><Secret>…</Secret></TOTP> to verify"
            }
            Self::Dtd => "send the document without its DOCTYPE",
            Self::Encoding => "send the document in UTF-8",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// Does `work` and writes what came of it as a document, with the adapter's status on standard error.
pub(super) fn answer(
    io: &mut Io<'_>,
    work: impl FnOnce(&mut Io<'_>) -> Result<Answer, OtpError>,
) -> Result<Exit, OtpError> {
    // What a verb notes for people would stand between the adapter and its status.
    let mut unread = std::io::sink();
    let worked = work(&mut Io {
        out: &mut *io.out,
        err: &mut unread,
        input: &mut *io.input,
        prompt: None,
        out_is_terminal: false,
        colour: false,
        clock: io.clock,
    });
    let (exit, status) = match worked {
        Ok(Answer::Secret(secret)) => {
            writeln!(io.out, "<Secret>{}</Secret>", *secret)?;
            (Exit::Done, 1)
        }
        Ok(Answer::Password(code)) => {
            writeln!(io.out, "<Password>{code}</Password>")?;
            (Exit::Done, 1)
        }
        Ok(Answer::Ok(description)) => {
            writeln!(io.out, "<Ok description=\"{}\"/>", escape(description))?;
            (Exit::Done, 1)
        }
        Ok(Answer::NoMatch(description)) => {
            writeln!(io.out, "<Error description=\"{}\"/>", escape(description))?;
            (Exit::No, 403)
        }
        Err(error) => {
            let description = format!("{error}; {}", error.remedy());
            writeln!(io.out, "<Error description=\"{}\"/>", escape(description))?;
            let exit = error.exit();
            (exit, if exit == Exit::Environment { -1 } else { 403 })
        }
    };
    writeln!(io.err, "status: {status}")?;
    Ok(exit)
}

/// The seed of `<Secret>…</Secret>`.
pub(super) fn read_secret(path: Option<&Path>, io: &mut Io<'_>) -> Result<Seed, OtpError> {
    let text = seed_input::read_text(path, "", io)?;
    seed(&Document::parse(&text, Element::Secret)?)
}

/// Code and seed of `<TOTP>…</TOTP>`.
pub(super) fn read_totp(path: Option<&Path>, io: &mut Io<'_>) -> Result<(Code, Seed), OtpError> {
    let text = seed_input::read_text(path, "", io)?;
    let document = Document::parse(&text, Element::Totp)?;
    let password = document.password.as_ref().ok_or(DocumentError::Missing { element: "Password" })?;
    let code = Code::parse(password).map_err(|_| OtpError::NotACode)?;
    Ok((code, seed(&document)?))
}

fn seed(document: &Document) -> Result<Seed, OtpError> {
    let secret = document.secret.as_ref().ok_or(DocumentError::Missing { element: "Secret" })?;
    let (seed, _) = seed_text::decode(secret, Encoding::Base32).map_err(seed_input::SeedInputError::Text)?;
    Ok(seed)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Totp,
    Password,
    Secret,
}

impl Element {
    const ALL: [Self; 3] = [Self::Totp, Self::Password, Self::Secret];

    fn name(self) -> &'static str {
        match self {
            Self::Totp => "TOTP",
            Self::Password => "Password",
            Self::Secret => "Secret",
        }
    }
}

/// The texts of a request.
#[derive(Default)]
struct Document {
    password: Option<Zeroizing<String>>,
    secret: Option<Zeroizing<String>>,
}

impl Document {
    /// Reads a document whose outermost element must be `root`. Comments, processing instructions and attributes are
    /// passed over; anything else that isn't expected is refused.
    fn parse(text: &str, root: Element) -> Result<Self, DocumentError> {
        let text = text.trim_start_matches('\u{FEFF}').trim_start();
        let mut reader = Reader::from_str(text);
        let mut document = Self::default();
        let mut open: Vec<Element> = Vec::new();
        let mut seen_root = false;
        loop {
            let event = reader.read_event();
            let not_xml = DocumentError::NotXml { at: reader.error_position() };
            match event.map_err(|_| not_xml.clone())? {
                Event::Eof if !open.is_empty() => return Err(not_xml),
                Event::Eof if !seen_root => return Err(DocumentError::Missing { element: root.name() }),
                Event::Eof => return Ok(document),
                Event::DocType(_) => return Err(DocumentError::Dtd),
                Event::Decl(declaration) => match declaration.encoding() {
                    None => {}
                    Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") => {}
                    Some(_) => return Err(DocumentError::Encoding),
                },
                Event::PI(_) | Event::Comment(_) => {}
                Event::Start(tag) => {
                    let element =
                        document.enter(tag.name().into_inner(), &open, root, seen_root, text.len())?;
                    seen_root = true;
                    open.push(element);
                }
                Event::Empty(tag) => {
                    document.enter(tag.name().into_inner(), &open, root, seen_root, text.len())?;
                    seen_root = true;
                }
                Event::End(_) => {
                    open.pop();
                }
                Event::Text(text) => document.append(&text.xml10_content(), &open)?,
                Event::CData(text) => document.append(&text.xml10_content(), &open)?,
                Event::GeneralRef(entity) => document.append(&entity_text(&entity).ok_or(not_xml)?, &open)?,
            }
        }
    }

    fn enter(
        &mut self,
        name: &str,
        open: &[Element],
        root: Element,
        seen_root: bool,
        capacity: usize,
    ) -> Result<Element, DocumentError> {
        let element = Element::ALL.into_iter().find(|element| element.name() == name);
        let element = match (open, element) {
            ([], Some(element)) if element == root && !seen_root => element,
            ([Element::Totp], Some(element @ (Element::Password | Element::Secret))) => element,
            ([], _) if seen_root => return Err(DocumentError::Unexpected { expected: "the end" }),
            ([], _) => return Err(DocumentError::Unexpected { expected: root.name() }),
            ([Element::Totp], _) => return Err(DocumentError::Unexpected { expected: "Password or Secret" }),
            (_, _) => return Err(DocumentError::Unexpected { expected: "text alone" }),
        };
        let text = match element {
            Element::Totp => return Ok(element),
            Element::Password => &mut self.password,
            Element::Secret => &mut self.secret,
        };
        if text.is_some() {
            return Err(DocumentError::Repeated { element: element.name() });
        }
        // As long as the whole document: it never grows, so no unwiped copy is left behind.
        *text = Some(Zeroizing::new(String::with_capacity(capacity)));
        Ok(element)
    }

    fn append(&mut self, text: &str, open: &[Element]) -> Result<(), DocumentError> {
        let place = match open.last() {
            Some(Element::Password) => self.password.as_mut(),
            Some(Element::Secret) => self.secret.as_mut(),
            Some(Element::Totp) | None => None,
        };
        match place {
            Some(place) => place.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(DocumentError::Unexpected { expected: "an element" }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Result<String, DocumentError> {
        Document::parse(text, Element::Secret).map(|document| document.secret.unwrap().to_string())
    }

    #[test]
    fn documents_are_read_however_xml_may_spell_them() {
        for text in [
            "<Secret>JBSW</Secret>",
            "\u{FEFF}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- x --><Secret a=\"b\">JBSW</Secret >\n",
            "<Secret><![CDATA[JB]]>S&#87;</Secret>",
        ] {
            assert_eq!(secret(text).as_deref(), Ok("JBSW"), "{text}");
        }
        let text = "<TOTP>\n <Secret>JBSW</Secret>\n <Password>123&amp;</Password>\n</TOTP>";
        let document = Document::parse(text, Element::Totp).unwrap();
        assert_eq!(
            (document.secret.unwrap().as_str(), document.password.unwrap().as_str()),
            ("JBSW", "123&")
        );
        assert_eq!(secret("<Secret/>").as_deref(), Ok(""));
    }

    #[test]
    fn a_dtd_and_entities_of_ones_own_are_refused() {
        let bomb = "<!DOCTYPE x [<!ENTITY a \"JBSW\">]><Secret>&a;</Secret>";
        assert_eq!(secret(bomb), Err(DocumentError::Dtd));
        assert!(matches!(secret("<Secret>&a;</Secret>"), Err(DocumentError::NotXml { .. })));
    }

    #[test]
    fn what_is_no_document_of_the_adapter_is_refused() {
        let unexpected = |expected| Err(DocumentError::Unexpected { expected });
        assert_eq!(secret(""), Err(DocumentError::Missing { element: "Secret" }));
        assert_eq!(secret("<secret>A</secret>"), unexpected("Secret"));
        assert_eq!(secret("<TOTP><Secret>A</Secret></TOTP>"), unexpected("Secret"));
        assert_eq!(secret("<Secret><b>A</b></Secret>"), unexpected("text alone"));
        assert_eq!(secret("<Secret>A</Secret><Secret>B</Secret>"), unexpected("the end"));
        assert_eq!(secret("<Secret>A</Secret>B"), unexpected("an element"));
        assert_eq!(
            secret("<?xml version=\"1.0\" encoding=\"latin1\"?><Secret>A</Secret>"),
            Err(DocumentError::Encoding)
        );
        for text in ["<Secret>A", "<Secret>A</Password>", "<Secret", "<Secret>&</Secret>"] {
            assert!(matches!(secret(text), Err(DocumentError::NotXml { .. })), "{text}");
        }
        let totp =
            |inside: &str| Document::parse(&format!("<TOTP>{inside}</TOTP>"), Element::Totp).map(|_| ());
        assert_eq!(totp("<Secret/><Secret/>"), Err(DocumentError::Repeated { element: "Secret" }));
        assert_eq!(totp("<TOTP/>"), unexpected("Password or Secret").map(|_: String| ()));
    }

    #[test]
    fn every_refused_document_has_a_cure() {
        let element = "Secret";
        for error in [
            DocumentError::NotXml { at: 0 },
            DocumentError::Dtd,
            DocumentError::Encoding,
            DocumentError::Unexpected { expected: element },
            DocumentError::Missing { element },
            DocumentError::Repeated { element },
        ] {
            assert!(error.remedy().len() > 10 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
    }
}
