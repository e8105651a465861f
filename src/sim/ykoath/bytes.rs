//! Records as a key's firmware takes them apart: by the rules of BER.

use crate::sim::apdu::sw;

/// Takes one record off the front: its tag and value, by the rules of BER, as lenient as a firmware's reader.
pub(super) fn take<'a>(data: &mut &'a [u8]) -> Result<(u8, &'a [u8]), u16> {
    let (tag, rest) = data.split_first().ok_or(sw::BAD_DATA)?;
    let (len, rest) = match rest {
        [short @ 0..=0x7F, rest @ ..] => (usize::from(*short), rest),
        [0x81, len, rest @ ..] => (usize::from(*len), rest),
        [0x82, high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        _ => return Err(sw::BAD_DATA),
    };
    let (value, rest) = rest.split_at_checked(len).ok_or(sw::BAD_DATA)?;
    *data = rest;
    Ok((*tag, value))
}

pub(super) fn take_tagged<'a>(data: &mut &'a [u8], wanted: u8) -> Result<&'a [u8], u16> {
    match take(data)? {
        (tag, value) if tag == wanted => Ok(value),
        _ => Err(sw::BAD_DATA),
    }
}

pub(super) fn record(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match value.len() {
        short @ 0..=0x7F => bytes.push(short as u8),
        long @ 0x80..=0xFF => bytes.extend([0x81, long as u8]),
        longer => bytes.extend([0x82, (longer >> 8) as u8, longer as u8]),
    }
    bytes.extend(value);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_any_length_are_taken_back() {
        for len in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x1234] {
            let bytes = record(0x71, &vec![7; len]);
            let mut left = bytes.as_slice();
            assert_eq!(take_tagged(&mut left, 0x71).map(<[u8]>::len), Ok(len));
            assert!(left.is_empty());
            let mut cut = &bytes[..bytes.len() - 1];
            assert_eq!(take(&mut cut), Err(sw::BAD_DATA), "{len}");
        }
    }
}
