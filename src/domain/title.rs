//! Titles that a recipe gives to profiles, with places for what differs from token to token.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A title with places for what a line states: `{upn}`, `{serial}`, `{account}`, `{issuer}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TitleTemplate(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Fact(Fact),
}

/// What a line can state that a title can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// The user principal name.
    Upn,
    /// The token's serial.
    Serial,
    /// The account, as key URIs have it.
    Account,
    /// The issuer, as key URIs have it.
    Issuer,
}

impl Fact {
    const ALL: [Self; 4] = [Self::Upn, Self::Serial, Self::Account, Self::Issuer];

    fn word(self) -> &'static str {
        match self {
            Self::Upn => "upn",
            Self::Serial => "serial",
            Self::Account => "account",
            Self::Issuer => "issuer",
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl TryFrom<String> for TitleTemplate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fault =
            || "a title can hold {upn}, {serial}, {account} and {issuer}, and no other braces".to_owned();
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from_brace) = rest.split_at(at);
            let (word, after) =
                from_brace.strip_prefix('{').and_then(|rest| rest.split_once('}')).ok_or_else(fault)?;
            let fact = Fact::ALL.into_iter().find(|fact| fact.word() == word).ok_or_else(fault)?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Fact(fact));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }
}

impl From<TitleTemplate> for String {
    fn from(template: TitleTemplate) -> Self {
        template.to_string()
    }
}

impl fmt::Display for TitleTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Fact(fact) => write!(f, "{{{fact}}}"),
        })
    }
}

impl TitleTemplate {
    /// The title for one token, or the fact it asks for that isn't there.
    pub(super) fn fill<'a>(&'a self, get: impl Fn(Fact) -> Option<&'a str>) -> Result<String, Fact> {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => Ok(text.as_str()),
                Piece::Fact(fact) => get(*fact).ok_or(*fact),
            })
            .collect()
    }

    /// The title itself, where it asks for nothing.
    pub(super) fn fixed(&self) -> Option<String> {
        self.fill(|_| None).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_places_in_a_title_are_refused() {
        for text in ["{secret}", "{upn", "upn}", "{}", "{{upn}}"] {
            assert!(TitleTemplate::try_from(text.to_owned()).is_err(), "{text}");
        }
        let template = TitleTemplate::try_from("a {upn}{serial} b".to_owned()).unwrap();
        assert_eq!(template.to_string(), "a {upn}{serial} b");
    }
}
