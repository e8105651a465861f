//! What the applet answers.

use super::tlv::{Record, Records};
use crate::domain::{Code, CredentialName, Digits, Hash, credential::Kind};
use crate::wire::{Challenge, ReplyError};

/// What selecting the applet tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// Firmware on a YubiKey, the applet's own version elsewhere: it says nothing about features across makers.
    pub version: [u8; 3],
    /// Random for each key, the same until a reset. A Nitrokey with a PIN doesn't tell it.
    pub salt: Option<[u8; 8]>,
    /// There where a password is set; new with each selection.
    pub challenge: Option<Challenge>,
    /// Nitrokey 3: its serial.
    pub serial: Option<u32>,
    /// Nitrokey 3 with a PIN: how many wrong ones it still takes.
    pub pin_tries_left: Option<u8>,
}

/// Reads the answer to a selection. The version comes first; the others may be missing, none may come twice, and an
/// unknown one is an error.
pub fn parse_selected(data: &[u8]) -> Result<Selected, ReplyError> {
    let mut records = Records::of(data);
    let version = fixed(records.expect(0x79)?)?;
    let mut selected = Selected { version, salt: None, challenge: None, serial: None, pin_tries_left: None };
    let mut algorithm = None;
    for record in records {
        let record = record?;
        match record.tag {
            0x71 => once(&mut selected.salt, record, fixed(record)?)?,
            0x74 => once(&mut selected.challenge, record, Challenge(fixed(record)?))?,
            0x7B => once(&mut algorithm, record, fixed::<1>(record)?[0])?,
            0x82 => once(&mut selected.pin_tries_left, record, fixed::<1>(record)?[0])?,
            0x8F => once(&mut selected.serial, record, u32::from_be_bytes(fixed(record)?))?,
            found => return Err(ReplyError::Byte { at: record.at, found }),
        }
    }
    match (selected.challenge, algorithm) {
        (None, None) | (Some(_), Some(1)) => Ok(selected),
        // Another algorithm than SHA-1, or a challenge without one, or one without a challenge.
        (_, found) => Err(ReplyError::Byte { at: data.len(), found: found.unwrap_or(0) }),
    }
}

fn once<T>(place: &mut Option<T>, record: Record<'_>, value: T) -> Result<(), ReplyError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ReplyError::Byte { at: record.at, found: record.tag }),
    }
}

fn fixed<const N: usize>(record: Record<'_>) -> Result<[u8; N], ReplyError> {
    record.value.try_into().map_err(|_| ReplyError::Length { expected: N, found: record.value.len() })
}

/// A credential as the list names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: CredentialName,
    /// Time or counter.
    pub kind: Kind,
    /// Its hash.
    pub hash: Hash,
}

/// Reads the answer to a list, put together again.
pub fn parse_list(data: &[u8]) -> Result<Vec<Listed>, ReplyError> {
    Records::of(data)
        .map(|record| {
            let record = record?;
            if record.tag != 0x72 {
                return Err(ReplyError::Byte { at: record.at, found: record.tag });
            }
            let Some((kind, name)) = record.value.split_first() else {
                return Err(ReplyError::Length { expected: 1, found: 0 });
            };
            let odd = ReplyError::Byte { at: record.at + 2, found: *kind };
            let hash = match kind & 0x0F {
                1 => Hash::Sha1,
                2 => Hash::Sha256,
                3 => Hash::Sha512,
                _ => return Err(odd),
            };
            let kind = match kind >> 4 {
                1 => Kind::Hotp,
                2 => Kind::Totp,
                _ => return Err(odd),
            };
            Ok(Listed { name: named(name, record.at)?, kind, hash })
        })
        .collect()
}

fn named(bytes: &[u8], at: usize) -> Result<CredentialName, ReplyError> {
    let text = str::from_utf8(bytes).map_err(|_| ReplyError::Text { at })?;
    Ok(CredentialName::told(text.to_owned()))
}

/// Reads the answer to a calculation in the short form: the code.
pub fn parse_code(data: &[u8]) -> Result<Code, ReplyError> {
    let mut records = Records::of(data);
    let answer = records.expect(0x76)?;
    records.end()?;
    code(answer)
}

/// The digit count and four bytes, of which 31 bits count.
fn code(record: Record<'_>) -> Result<Code, ReplyError> {
    let [count, number @ ..] = fixed::<5>(record)?;
    let digits = digits(count, record.at)?;
    let number = u64::from(u32::from_be_bytes(number) & 0x7FFF_FFFF) % 10u64.pow(digits.get().into());
    let text = format!("{number:0width$}", width = usize::from(digits.get()));
    Code::parse(&text).map_err(|_| ReplyError::Byte { at: record.at + 2, found: count })
}

fn digits(count: u8, at: usize) -> Result<Digits, ReplyError> {
    Digits::new(count.into()).map_err(|_| ReplyError::Byte { at: at + 2, found: count })
}

/// What the applet says of one credential when it calculates all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Calculated {
    /// Its code for the challenge that was sent, as if its period were that challenge's.
    Code(Code),
    /// Counter-based: a code would use it up.
    Counter(Digits),
    /// Not without a touch.
    Touch(Digits),
}

/// Reads the answer to a calculation of all in the short form, put together again.
pub fn parse_all(data: &[u8]) -> Result<Vec<(CredentialName, Calculated)>, ReplyError> {
    let mut records = Records::of(data);
    let mut all = Vec::new();
    while let Some(record) = records.next() {
        let record = record?;
        if record.tag != 0x71 {
            return Err(ReplyError::Byte { at: record.at, found: record.tag });
        }
        let answer = records.next().ok_or(ReplyError::Record { at: data.len() })??;
        let calculated = match answer.tag {
            0x76 => Calculated::Code(code(answer)?),
            0x77 => Calculated::Counter(digits(fixed::<1>(answer)?[0], answer.at)?),
            0x7C => Calculated::Touch(digits(fixed::<1>(answer)?[0], answer.at)?),
            found => return Err(ReplyError::Byte { at: answer.at, found }),
        };
        all.push((named(record.value, record.at)?, calculated));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_selection_is_read_strictly() {
        let good =
            [0x79, 3, 5, 7, 4, 0x71, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0x74, 8, 9, 9, 9, 9, 9, 9, 9, 9, 0x7B, 1, 1];
        let selected = parse_selected(&good).unwrap();
        assert_eq!(selected.challenge, Some(Challenge([9; 8])));
        assert_eq!((selected.version, selected.salt), ([5, 7, 4], Some([1, 2, 3, 4, 5, 6, 7, 8])));
        for len in 0..good.len() {
            // Version alone, and version with salt, are whole answers.
            assert_eq!(parse_selected(&good[..len]).is_ok(), [5, 15].contains(&len), "{len} bytes");
        }
        let with = |more: &[u8]| parse_selected(&[&good[..15], more].concat());
        assert_eq!(with(&[0x71, 8, 1, 2, 3, 4, 5, 6, 7, 8]), Err(ReplyError::Byte { at: 15, found: 0x71 }));
        assert_eq!(with(&[0x99, 0]), Err(ReplyError::Byte { at: 15, found: 0x99 }));
        assert!(with(&[0x7B, 1, 1]).is_err(), "an algorithm without a challenge");
        assert!(with(&[0x74, 8, 9, 9, 9, 9, 9, 9, 9, 9, 0x7B, 1, 2]).is_err(), "SHA-256");
    }

    #[test]
    fn a_nitrokey_tells_its_serial_and_may_tell_no_salt() {
        let told = parse_selected(&[0x79, 3, 4, 14, 0, 0x82, 1, 8, 0x8F, 4, 0xA1, 0xB2, 0xC3, 0xD4]).unwrap();
        assert_eq!((told.salt, told.pin_tries_left, told.serial), (None, Some(8), Some(0xA1B2_C3D4)));
    }

    #[test]
    fn codes_keep_their_zeros_and_impossible_lengths_are_refused() {
        assert_eq!(
            parse_code(&[0x76, 5, 6, 0x80, 0, 0, 7]).unwrap().as_str(),
            "000007",
            "the top bit is no digit"
        );
        for count in [0, 3, 11, 0xFF] {
            assert!(parse_code(&[0x76, 5, count, 0, 0, 0, 7]).is_err(), "{count} digits");
        }
        assert!(parse_code(&[0x76, 4, 6, 0, 0, 7]).is_err());
        assert!(parse_code(&[0x75, 5, 6, 0, 0, 0, 7]).is_err());
        assert!(parse_code(&[0x76, 5, 6, 0, 0, 0, 7, 0]).is_err());
    }

    #[test]
    fn a_name_without_an_answer_is_no_calculation() {
        assert_eq!(parse_all(&[0x71, 1, b'a']), Err(ReplyError::Record { at: 3 }));
        assert!(parse_all(&[0x71, 1, b'a', 0x75, 1, 6]).is_err());
        assert!(parse_all(&[0x76, 5, 6, 0, 0, 0, 7]).is_err());
        assert_eq!(parse_all(&[]), Ok(vec![]));
    }

    #[test]
    fn a_name_that_is_no_text_is_refused() {
        assert_eq!(parse_list(&[0x72, 2, 0x21, 0xFF]), Err(ReplyError::Text { at: 0 }));
        assert_eq!(parse_list(&[0x72, 2, 0x24, b'a']), Err(ReplyError::Byte { at: 2, found: 0x24 }));
        assert_eq!(parse_list(&[0x72, 0]), Err(ReplyError::Length { expected: 1, found: 0 }));
    }

    proptest! {
        #[test]
        fn no_reply_panics_a_parser(data: Vec<u8>) {
            let _ = (parse_selected(&data), parse_list(&data), parse_code(&data), parse_all(&data));
        }

        #[test]
        fn every_name_on_a_list_is_read_back(names in proptest::collection::vec("\\PC{1,60}", 0..20)) {
            let mut data = Vec::new();
            for name in &names {
                let value = [&[0x21], name.as_bytes()].concat();
                super::super::tlv::push(&mut data, 0x72, &value);
            }
            let read: Vec<String> =
                parse_list(&data).unwrap().iter().map(|listed| listed.name.as_str().to_owned()).collect();
            prop_assert_eq!(read, names);
        }
    }
}
