//! The seeds that a token holds when somebody decoded the text of the right one by another rule.

use super::cause::Cause;
use data_encoding::{
    BASE32_NOPAD, BASE32HEX_NOPAD, BASE64, BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXUPPER,
};
use zeroize::{Zeroize, Zeroizing};

/// One seed that a mistake makes of another.
pub(super) struct Misreading {
    pub(super) seed: Zeroizing<Vec<u8>>,
    pub(super) cause: Cause,
    /// Its part of the cause's prior.
    pub(super) share: f64,
    /// What was done, as an explanation goes on after "the token's seed is …".
    pub(super) said: String,
}

/// A mistake must leave at least this much of a seed.
const LEAST_BYTES: usize = 5;

/// Every misreading of `seed`, each other than the seed and than those before it.
pub(super) fn misreadings(seed: &[u8]) -> Vec<Misreading> {
    let mut all = Gather { right: seed, found: Vec::new() };
    all.encodings();
    all.orders();
    all.parts();
    all.characters();
    let mut found = all.found;
    for cause in [Cause::SeedEncoding, Cause::SeedTruncated, Cause::SeedTypo] {
        let sum: f64 = found.iter().filter(|one| one.cause == cause).map(|one| one.share).sum();
        found.iter_mut().filter(|one| one.cause == cause).for_each(|one| one.share /= sum);
    }
    found
}

struct Gather<'s> {
    right: &'s [u8],
    found: Vec<Misreading>,
}

type Bytes = Zeroizing<Vec<u8>>;

impl Gather<'_> {
    fn push(&mut self, seed: impl Into<Bytes>, cause: Cause, weight: f64, said: impl Into<String>) {
        let seed: Bytes = seed.into();
        let known = *seed == self.right || self.found.iter().any(|one| one.seed == seed);
        if seed.len() >= LEAST_BYTES && !known {
            self.found.push(Misreading { seed, cause, share: weight, said: said.into() });
        }
    }

    fn encodings(&mut self) {
        let right = self.right;
        let spelled = |encoding: &Encoding| Zeroizing::new(encoding.encode(right).into_bytes());
        let base32 = spelled(&BASE32_NOPAD);
        let base32_lower = Zeroizing::new(base32.to_ascii_lowercase());
        let hex = spelled(&HEXLOWER);
        let hex_upper = spelled(&HEXUPPER);
        let base64 = spelled(&BASE64);
        let enc = Cause::SeedEncoding;

        self.push(base32.clone(), enc, 8.0, "the characters of its base32 text, not decoded");
        self.push(
            base32_lower.clone(),
            enc,
            3.0,
            "the characters of its base32 text in lower case, not decoded",
        );
        self.push(hex.clone(), enc, 8.0, "the characters of its hex text, not decoded");
        self.push(hex_upper.clone(), enc, 6.0, "the characters of its hex text in capitals, not decoded");
        self.push(base64.clone(), enc, 3.0, "the characters of its base64 text, not decoded");
        for (zero, one, eight) in [(b'O', b'I', b'B'), (b'O', b'L', b'B')] {
            let folded = fold(&hex, &[(b'0', zero), (b'1', one), (b'8', eight)]);
            self.push(
                lenient32(&folded, BASE32),
                enc,
                5.0,
                "its hex text, decoded as base32 with 0, 1 and 8 taken for letters",
            );
        }
        self.push(
            lenient32(&hex, BASE32),
            enc,
            7.0,
            "its hex text, decoded as base32 without the digits that base32 lacks",
        );
        self.push(
            lenient16(&base32),
            enc,
            2.0,
            "its base32 text, decoded as hex without the letters that hex lacks",
        );
        self.push(lenient64(&base32), enc, 4.0, "its base32 text, decoded as base64");
        self.push(lenient64(&base32_lower), enc, 1.0, "its base32 text in lower case, decoded as base64");
        self.push(lenient64(&hex), enc, 3.0, "its hex text, decoded as base64");
        self.push(lenient64(&hex_upper), enc, 2.0, "its hex text in capitals, decoded as base64");
        self.push(lenient32(&base64, BASE32), enc, 3.0, "its base64 text, decoded as base32");
        self.push(
            lenient64(&base64.to_ascii_lowercase()),
            enc,
            1.0,
            "its base64 text, decoded after it lost its capitals",
        );
        self.push(
            lenient64(&base64.to_ascii_uppercase()),
            enc,
            1.0,
            "its base64 text, decoded after it was put in capitals",
        );
        self.push(lenient32(&base32, BASE32HEX), enc, 3.0, "its base32 text, decoded as base32hex");
        let hex32 = spelled(&BASE32HEX_NOPAD);
        self.push(hex32.clone(), enc, 1.0, "the characters of its base32hex text, not decoded");
        self.push(lenient32(&hex32, BASE32), enc, 2.0, "its base32hex text, decoded as base32");
        self.push(
            lenient32(&base32, CROCKFORD),
            enc,
            1.0,
            "its base32 text, decoded by Crockford's alphabet",
        );
        self.push(
            lenient32(&base32_lower.to_ascii_uppercase(), Z_BASE32),
            enc,
            1.0,
            "its base32 text, decoded by the alphabet of z-base-32",
        );

        let twice = [
            (&BASE32_NOPAD, &base32, "the characters of its base32 text, encoded twice"),
            (&BASE32_NOPAD, &hex_upper, "the characters of its hex text in base32: encoded twice"),
            (&BASE32_NOPAD, &hex, "the characters of its hex text in lower case in base32: encoded twice"),
            (&HEXLOWER, &hex, "the characters of its hex text, encoded twice"),
            (&HEXUPPER, &hex_upper, "the characters of its hex text in capitals, encoded twice"),
            (&HEXLOWER, &base32, "the characters of its base32 text in hex: encoded twice"),
        ];
        for (encoding, text, said) in twice {
            self.push(Zeroizing::new(encoding.encode(text).into_bytes()), enc, 1.0, said);
        }

        // The bytes on record may themselves be a text that should have been decoded once more.
        let Ok(text) = std::str::from_utf8(right) else { return };
        let text = Zeroizing::new(text.trim().trim_end_matches('=').to_owned());
        let upper = Zeroizing::new(text.to_ascii_uppercase());
        let decoders: [(&Encoding, &str, &str); 6] = [
            (&BASE32_NOPAD, &upper, "the bytes on record, decoded once more as base32"),
            (&HEXUPPER, &upper, "the bytes on record, decoded once more as hex"),
            (&BASE64_NOPAD, &text, "the bytes on record, decoded once more as base64"),
            (&BASE64URL_NOPAD, &text, "the bytes on record, decoded once more as base64url"),
            (&BASE32HEX_NOPAD, &upper, "the bytes on record, decoded once more as base32hex"),
            (&BASE32_NOPAD, &text, "the bytes on record, decoded once more as base32"),
        ];
        for (encoding, text, said) in decoders {
            if let Ok(decoded) = encoding.decode(text.as_bytes()) {
                self.push(decoded, enc, 10.0, said);
            }
        }
    }

    fn orders(&mut self) {
        let right = self.right;
        let enc = Cause::SeedEncoding;
        let turned = |group: usize| -> Bytes {
            right.chunks(group).flat_map(|chunk| chunk.iter().rev().copied()).collect::<Vec<u8>>().into()
        };
        self.push(turned(right.len().max(1)), enc, 2.0, "its bytes in reverse order");
        self.push(turned(4), enc, 2.0, "its bytes in reverse order within each word of 32 bits");
        self.push(turned(2), enc, 1.0, "its bytes in reverse order within each word of 16 bits");
        self.push(turned(8), enc, 0.5, "its bytes in reverse order within each word of 64 bits");
        let nibbles: Vec<u8> = right.iter().map(|byte| byte.rotate_left(4)).collect();
        self.push(nibbles, enc, 0.5, "its hex digits exchanged within each byte");
        for wanted in [20, 32, 64] {
            if right.len() < wanted && !right.is_empty() {
                let repeated: Vec<u8> = right.iter().copied().cycle().take(wanted).collect();
                self.push(repeated, enc, 1.0, format!("repeated to {wanted} bytes"));
            }
        }
    }

    fn parts(&mut self) {
        let (right, cut) = (self.right, Cause::SeedTruncated);
        let length = right.len();
        for (kept, weight) in [(10, 3.0), (16, 4.0), (20, 5.0), (32, 4.0), (63, 2.0), (64, 2.0), (30, 0.5)] {
            if kept < length {
                self.push(right[..kept].to_vec(), cut, weight, format!("only its first {kept} bytes"));
            }
        }
        for lost in 1..length.min(9) {
            self.push(
                right[..length - lost].to_vec(),
                cut,
                1.0,
                format!("only its first {} bytes", length - lost),
            );
            self.push(right[lost..].to_vec(), cut, 0.5, format!("without its first {}", count(lost, "byte")));
        }
        for (encoding, name) in [(BASE32_NOPAD, "base32"), (HEXLOWER, "hex")] {
            let text = Zeroizing::new(encoding.encode(right));
            for lost in 1..=8.min(text.len().saturating_sub(1)) {
                let decode = |part: &str| match name {
                    "hex" => lenient16(part.as_bytes()),
                    _ => lenient32(part.as_bytes(), BASE32),
                };
                let lost_text = count(lost, "character");
                let start = decode(&text[..text.len() - lost]);
                self.push(start, cut, 1.0, format!("its {name} text without the last {lost_text}"));
                let end = decode(&text[lost..]);
                self.push(end, cut, 0.5, format!("its {name} text without the first {lost_text}"));
            }
        }
        for half in [16, 32] {
            if length == half * 2 {
                self.push(right[half..].to_vec(), cut, 0.5, "only its second half");
            }
        }
    }

    /// One character of the text taken for another that looks like it, or two exchanged.
    fn characters(&mut self) {
        let base32 = Zeroizing::new(BASE32_NOPAD.encode(self.right).into_bytes());
        self.confused(&base32, "base32", TWINS_32, |text| lenient32(text, BASE32));
        let hex = Zeroizing::new(HEXLOWER.encode(self.right).into_bytes());
        self.confused(&hex, "hex", TWINS_16, lenient16);
    }

    fn confused(&mut self, text: &[u8], name: &str, twins: &[(u8, u8)], decode: impl Fn(&[u8]) -> Bytes) {
        let mut changed = Zeroizing::new(text.to_vec());
        for i in 0..text.len() {
            for (a, b) in twins {
                let twin = match text[i] {
                    c if c == *a => *b,
                    c if c == *b => *a,
                    _ => continue,
                };
                changed[i] = twin;
                let said = format!("its {name} text with another character at place {}", i + 1);
                self.push(decode(&changed), Cause::SeedTypo, 1.0, said);
            }
            changed[i] = text[i];
            if i > 0 && text[i - 1] != text[i] {
                changed.swap(i - 1, i);
                let said = format!("its {name} text with characters {} and {} exchanged", i, i + 1);
                self.push(decode(&changed), Cause::SeedTypo, 0.5, said);
                changed.swap(i - 1, i);
            }
        }
    }
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { what.to_owned() } else { format!("{n} {what}s") }
}

/// Characters of base32 that people take for each other, one read as it stands or through a digit that base32 lacks
/// (0 for O, 1 for I and L, 8 for B, 9 for G and Q).
const TWINS_32: &[(u8, u8)] = &[
    (b'I', b'L'),
    (b'I', b'J'),
    (b'I', b'T'),
    (b'L', b'T'),
    (b'O', b'Q'),
    (b'O', b'D'),
    (b'D', b'Q'),
    (b'C', b'O'),
    (b'C', b'G'),
    (b'C', b'E'),
    (b'S', b'5'),
    (b'Z', b'2'),
    (b'Z', b'7'),
    (b'B', b'6'),
    (b'B', b'3'),
    (b'B', b'R'),
    (b'G', b'6'),
    (b'G', b'Q'),
    (b'U', b'V'),
    (b'V', b'Y'),
    (b'V', b'W'),
    (b'M', b'N'),
    (b'H', b'N'),
    (b'E', b'F'),
    (b'P', b'F'),
    (b'P', b'R'),
    (b'K', b'X'),
    (b'T', b'7'),
    (b'A', b'4'),
    (b'5', b'6'),
    (b'Y', b'4'),
    (b'I', b'7'),
    (b'L', b'7'),
    (b'P', b'Q'),
    (b'B', b'D'),
    (b'B', b'P'),
];

const TWINS_16: &[(u8, u8)] = &[
    (b'0', b'8'),
    (b'0', b'6'),
    (b'0', b'd'),
    (b'1', b'7'),
    (b'3', b'8'),
    (b'5', b'6'),
    (b'6', b'8'),
    (b'6', b'b'),
    (b'8', b'b'),
    (b'9', b'8'),
    (b'3', b'9'),
    (b'4', b'9'),
    (b'b', b'd'),
    (b'c', b'e'),
    (b'e', b'f'),
    (b'a', b'4'),
    (b'a', b'd'),
    (b'2', b'7'),
];

/// RFC 4648 section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// RFC 4648 section 7.
const BASE32HEX: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const Z_BASE32: &[u8; 32] = b"YBNDRFG8EJKMCPQXOT1UWISZA345H769";
/// RFC 4648 section 4.
const BASE64_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn fold(text: &[u8], pairs: &[(u8, u8)]) -> Bytes {
    let folded = |c: &u8| pairs.iter().find(|(from, _)| from == c).map_or(*c, |(_, to)| *to);
    text.iter().map(folded).collect::<Vec<u8>>().into()
}

/// As careless decoders do it: case folded, foreign characters skipped, bits that fill no byte dropped.
fn lenient32(text: &[u8], alphabet: &[u8; 32]) -> Bytes {
    lenient(text.iter().map(u8::to_ascii_uppercase), alphabet, 5)
}

fn lenient16(text: &[u8]) -> Bytes {
    lenient(text.iter().map(u8::to_ascii_uppercase), b"0123456789ABCDEF", 4)
}

fn lenient64(text: &[u8]) -> Bytes {
    lenient(text.iter().copied(), BASE64_LETTERS, 6)
}

fn lenient(text: impl Iterator<Item = u8>, alphabet: &[u8], bits: u32) -> Bytes {
    // Never more than one byte for each character, so that the buffer never grows.
    let mut out = Zeroizing::new(Vec::with_capacity(text.size_hint().1.unwrap_or(0)));
    let (mut held, mut width) = (0u32, 0);
    for c in text {
        let Some(value) = alphabet.iter().position(|letter| *letter == c) else { continue };
        held = held << bits | value as u32;
        width += bits;
        if width >= 8 {
            width -= 8;
            out.push((held >> width) as u8);
            held &= (1 << width) - 1;
        }
    }
    held.zeroize();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &[u8] = b"\x16\x69\xeb\xdc\xc7\x10\x8c\x27\x2f\xd8\x76\xed\x6e\x7f\x56\x25\x83\xbe\x16\xa9";

    fn holds(right: &[u8], wrong: &[u8]) -> Option<Cause> {
        misreadings(right).iter().find(|one| *one.seed == wrong).map(|one| one.cause)
    }

    #[test]
    fn the_usual_mistakes_are_among_them() {
        let base32 = BASE32_NOPAD.encode(SEED);
        let encoding = Some(Cause::SeedEncoding);
        assert_eq!(holds(SEED, base32.as_bytes()), encoding);
        assert_eq!(holds(SEED, HEXLOWER.encode(SEED).as_bytes()), encoding);
        assert_eq!(holds(base32.as_bytes(), SEED), encoding, "and the other way round");
        assert_eq!(holds(HEXLOWER.encode(SEED).as_bytes(), SEED), encoding);
        let as_base64 = BASE64.decode(base32.as_bytes()).unwrap();
        assert_eq!(holds(SEED, &as_base64), encoding);
        let mut reversed = SEED.to_vec();
        reversed.reverse();
        assert_eq!(holds(SEED, &reversed), encoding);
        assert_eq!(holds(SEED, &SEED[..16]), Some(Cause::SeedTruncated));
        let typo = base32.replacen('O', "Q", 1);
        let typo = BASE32_NOPAD.decode(typo.as_bytes()).unwrap();
        assert_eq!(holds(SEED, &typo), Some(Cause::SeedTypo));
    }

    #[test]
    fn careless_decoding_agrees_with_the_strict_one_where_that_succeeds() {
        let strict = (BASE32_NOPAD.encode(SEED), HEXUPPER.encode(SEED), BASE64_NOPAD.encode(SEED));
        assert_eq!(*lenient32(strict.0.as_bytes(), BASE32), SEED);
        assert_eq!(*lenient16(strict.1.as_bytes()), SEED);
        assert_eq!(*lenient64(strict.2.as_bytes()), SEED);
        let hex32 = BASE32HEX_NOPAD.encode(SEED);
        assert_eq!(*lenient32(hex32.as_bytes(), BASE32HEX), SEED);
    }

    #[test]
    fn none_is_the_seed_itself_or_comes_twice() {
        for seed in [SEED, b"1234567890", &[0; 32], b"GEZDGNBVGY3TQOJQ", &[7; 64], b"x"] {
            let all = misreadings(seed);
            for (i, one) in all.iter().enumerate() {
                assert!(*one.seed != seed && one.seed.len() >= LEAST_BYTES, "{}", one.said);
                assert!(all[..i].iter().all(|other| other.seed != one.seed), "{}", one.said);
                assert!(one.share > 0.0 && one.share <= 1.0);
            }
        }
    }
}
