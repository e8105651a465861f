//! What the reading of a seed text has to tell: notes about a seed that was read, errors about one that was not.

use super::Encoding;
use crate::remedy::{Remedy, Retry};
use std::fmt;

/// What was noticed while reading a seed that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Note {
    /// Quotation marks round the text were dropped.
    Quotes,
    /// Blanks, hyphens or colons inside the text were dropped.
    Separators,
    /// Characters that show nothing (a non-breaking blank, a zero-width blank, a soft hyphen) were dropped: the text
    /// was copied from a page rather than typed.
    Invisible {
        /// Where the first one stood.
        position: usize,
        /// How many there were.
        count: usize,
    },
    /// A leading `0x` was dropped.
    HexPrefix,
    /// Lower-case base32 was folded.
    LowerCase,
    /// Base32 in both cases was folded, though base64 looks like that too.
    MixedCase,
    /// Shorter than the 16 bytes RFC 4226 section 4 (R6) asks for.
    Short {
        /// Length of the seed.
        bytes: usize,
    },
    /// Shorter than 10 bytes: probably truncated.
    Doubtful {
        /// Length of the seed.
        bytes: usize,
    },
    /// The second half of the text repeats the first: pasted twice, unless the seed really is like that.
    Twice {
        /// Characters in each half.
        characters: usize,
    },
}

impl Note {
    /// Whether a person should say yes before such a seed is burned; the other notes need only be shown.
    pub fn wants_consent(self) -> bool {
        match self {
            Self::MixedCase | Self::Doubtful { .. } | Self::Twice { .. } => true,
            Self::Quotes
            | Self::Separators
            | Self::Invisible { .. }
            | Self::HexPrefix
            | Self::LowerCase
            | Self::Short { .. } => false,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quotes => f.write_str("dropped the quotation marks round the seed"),
            Self::Separators => f.write_str("dropped the blanks and separators inside the seed"),
            Self::Invisible { position, count } => {
                write!(f, "dropped {count} invisible character(s), the first at position {position}")
            }
            Self::HexPrefix => f.write_str("dropped the leading 0x"),
            Self::LowerCase => f.write_str("read lower-case letters as base32"),
            Self::MixedCase => {
                f.write_str("read upper- and lower-case letters as base32, though base64 looks like that too")
            }
            Self::Short { bytes } => write!(f, "the seed has {bytes} bytes; RFC 4226 asks for 16"),
            Self::Doubtful { bytes } => {
                write!(f, "the seed has only {bytes} bytes, as a truncated one would")
            }
            Self::Twice { characters } => {
                write!(f, "the same {characters} characters stand there twice, as after a double paste")
            }
        }
    }
}

/// Why a text is no seed in the encoding it was declared to have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeedTextError {
    /// Nothing but blanks and separators.
    #[error("there is no seed text")]
    Empty,
    /// A character that the encoding doesn't have.
    #[error("position {position} holds {}, which {encoding} does not have", Shown(*character))]
    IllegalCharacter {
        /// Where, from 1.
        position: usize,
        /// The character.
        character: char,
        /// What was tried.
        encoding: Encoding,
    },
    /// A letter or dash of another script or of a typesetter, which only looks right.
    #[error("position {position} holds {}{}", Shown(*character), LooksLike(*looks_like))]
    LookAlike {
        /// Where, from 1.
        position: usize,
        /// The character.
        character: char,
        /// What it resembles, where that is known.
        looks_like: Option<char>,
    },
    /// 0, 1, 8 or 9 in base32: a letter misread from print.
    #[error("position {position} holds {digit}, which base32 does not have ({}{})", Candidates(*digit), More(*others))]
    MisreadDigit {
        /// Where the first one stands, from 1.
        position: usize,
        /// Which digit.
        digit: char,
        /// How many more of the kind follow.
        others: usize,
    },
    /// No number of bytes has this many characters.
    #[error("{characters} characters of {encoding} are impossible: {}", Cut(*encoding))]
    ImpossibleLength {
        /// Data characters, without separators and padding.
        characters: usize,
        /// What was tried.
        encoding: Encoding,
    },
    /// The last character says more than the bytes hold.
    #[error("the last character of the {encoding} text carries bits that belong to no byte")]
    SpareBits {
        /// What was tried.
        encoding: Encoding,
    },
    /// The number of `=` doesn't fit the length.
    #[error("{found} \"=\" at the end, where {encoding} of this length has {expected} (or none)")]
    Padding {
        /// How many there are.
        found: usize,
        /// How many belong there.
        expected: usize,
        /// What was tried.
        encoding: Encoding,
    },
    /// `=` before the end.
    #[error("position {position} holds \"=\", which ends a seed, and more follows")]
    PaddingInside {
        /// Where, from 1.
        position: usize,
    },
    /// Unreadable as it is, and its second half repeats the first.
    #[error("the same {characters} characters stand there twice, as after a double paste")]
    Twice {
        /// Characters in each half.
        characters: usize,
    },
    /// `+` or `/` beside `-` or `_`.
    #[error("the text mixes both alphabets of base64 (\"+/\" and \"-_\")")]
    MixedAlphabets,
    /// `secret=`, `key:` and their like stand in front.
    #[error("\"{label}\" stands before the seed")]
    Label {
        /// Which label, in lower case.
        label: &'static str,
    },
    /// Percent escapes or `&name=`: a piece of a key URI.
    #[error("this is a piece of a URI")]
    UriPiece,
}

impl Remedy for SeedTextError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Empty => "scan, paste or type the seed",
            Self::IllegalCharacter { .. } => {
                "compare that place with the source; if all of it looks right, state another encoding"
            }
            Self::LookAlike { .. } => "type that character on the keyboard instead of copying it",
            Self::MisreadDigit { .. } => "look at the source again and type the letter that stands there",
            Self::ImpossibleLength { .. } | Self::SpareBits { .. } => {
                "copy the seed again, all of it: a character is missing, doubled or mistyped"
            }
            Self::Padding { .. } => "copy the seed again with its last characters, or leave out every \"=\"",
            Self::PaddingInside { .. } => "give one seed only",
            Self::Twice { .. } => "clear the field and paste the seed once",
            Self::MixedAlphabets => "copy the seed again from its source",
            Self::Label { .. } => "remove the label if what follows is the seed",
            Self::UriPiece => "give the whole URI, from otpauth:// to its end",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// One character as a message shows it: quoted, with its code point where it isn't plain ASCII.
pub(super) struct Shown(pub(super) char);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ' ' => f.write_str("a blank"),
            '\n' | '\r' => f.write_str("a line break"),
            '\t' => f.write_str("a tab"),
            c if c.is_ascii_graphic() => write!(f, "\"{c}\""),
            // A combining or control character would spoil the line it is shown on.
            c if c.is_alphanumeric() => write!(f, "\"{c}\" (U+{:04X})", u32::from(c)),
            c => write!(f, "U+{:04X}", u32::from(c)),
        }
    }
}

struct LooksLike(Option<char>);

impl fmt::Display for LooksLike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(c) => write!(f, ", which looks like \"{c}\" and is not"),
            None => f.write_str(", which no seed text has"),
        }
    }
}

struct Candidates(char);

impl fmt::Display for Candidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            '0' => "perhaps the letter O",
            '1' => "perhaps I or L",
            '8' => "perhaps B",
            _ => "perhaps G, P or Q",
        })
    }
}

struct More(usize);

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            n => write!(f, "; {n} more like it follow"),
        }
    }
}

struct Cut(Encoding);

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Encoding::Hex => "hex has two for each byte",
            Encoding::Base32 | Encoding::Base64 => "the text is cut off or has one too many",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_names_its_cure() {
        let encoding = Encoding::Base32;
        let all = [
            SeedTextError::Empty,
            SeedTextError::IllegalCharacter { position: 1, character: '!', encoding },
            SeedTextError::LookAlike { position: 1, character: 'é', looks_like: None },
            SeedTextError::MisreadDigit { position: 1, digit: '0', others: 0 },
            SeedTextError::ImpossibleLength { characters: 9, encoding },
            SeedTextError::SpareBits { encoding },
            SeedTextError::Padding { found: 1, expected: 6, encoding },
            SeedTextError::PaddingInside { position: 3 },
            SeedTextError::Twice { characters: 32 },
            SeedTextError::MixedAlphabets,
            SeedTextError::Label { label: "key" },
            SeedTextError::UriPiece,
        ];
        for error in all {
            assert!(error.remedy().len() > 10 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
    }
}
