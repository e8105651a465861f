//! A seed on the screen, on an explicit word: as the QR code that a phone enrols. It hides by itself and at any key.

use crate::{
    domain::{
        Profile, Serial, UnixMillis,
        key_uri::KeyUri,
        qr::{Modules, Sturdiness},
        seed_text,
    },
    face::Revealed,
};
use std::fmt;
use zeroize::Zeroizing;

/// How long it is shown. Long enough to take a phone out and point it.
pub const SHOWN_MS: i64 = 45_000;

/// As what a seed is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As a QR code.
    Code,
    /// As text, which was asked for by that word.
    Text,
}

/// What is revealed. `Debug` shows none of it; it is wiped when it goes.
pub struct Reveal {
    /// Which token.
    pub serial: Serial,
    /// Which of its profiles.
    pub profile: Profile,
    /// When it hides by itself.
    pub until: UnixMillis,
    /// Light and dark are exchanged: for terminals whose colours can't be told.
    pub inverted: bool,
    /// As what it was asked for.
    pub shape: Shape,
    uri: Zeroizing<String>,
    text: Zeroizing<String>,
}

impl fmt::Debug for Reveal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reveal(token {}, profile {})", self.serial, self.profile)
    }
}

impl Reveal {
    /// What came from the station; none where it is no key URI.
    pub fn new(
        serial: Serial,
        profile: Profile,
        shape: Shape,
        revealed: &Revealed,
        now: UnixMillis,
    ) -> Option<Self> {
        let uri = Zeroizing::new(std::str::from_utf8(revealed.key_uri.expose()).ok()?.to_owned());
        let text = seed_text::base32(&KeyUri::parse(&uri).ok()?.seed);
        let until = now.plus(SHOWN_MS);
        Some(Self { serial, profile, until, inverted: false, shape, uri, text })
    }

    /// The code with `quiet` blank modules round it.
    pub fn modules(&self, quiet: usize) -> Option<Modules> {
        Modules::encode(&self.uri, Sturdiness::Screen, quiet)
    }

    /// The seed as base32 in groups of four, to be typed.
    pub fn groups(&self) -> Zeroizing<String> {
        let mut groups = Zeroizing::new(String::with_capacity(self.text.len() * 2));
        for (at, letter) in self.text.chars().enumerate() {
            if at > 0 && at % 4 == 0 {
                groups.push(' ');
            }
            groups.push(letter);
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::SecretBytes;

    fn of(revealed: &Revealed) -> Option<Reveal> {
        Reveal::new("17".parse().unwrap(), Profile::ZERO, Shape::Code, revealed, UnixMillis(0))
    }

    #[test]
    fn what_is_revealed_is_in_no_debug_text() {
        // The seed of RFC 6238 appendix B.
        let uri = "otpauth://totp/ann?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        let revealed = Revealed { key_uri: SecretBytes::new(uri.as_bytes()) };
        let reveal = of(&revealed).unwrap();
        assert_eq!(&**reveal.groups(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert_eq!(format!("{reveal:?}"), "Reveal(token 17, profile 0)");
        assert_eq!(reveal.modules(2).unwrap().side(), 29 + 4);
        let nonsense = Revealed { key_uri: SecretBytes::new(*b"nonsense") };
        assert!(of(&nonsense).is_none());
    }
}
