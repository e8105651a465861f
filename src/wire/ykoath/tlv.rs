//! The applet's records: a tag of one byte, a length, a value. Lengths are those of BER: one byte up to 7F, 81 and one
//! byte up to FF, 82 and two bytes above.

use super::super::ReplyError;

/// Appends a record.
pub(super) fn push(to: &mut Vec<u8>, tag: u8, value: &[u8]) {
    to.push(tag);
    // Nothing here is longer than a short APDU's 255 bytes.
    let len = u8::try_from(value.len()).expect("values have at most 255 bytes");
    if len > 0x7F {
        to.push(0x81);
    }
    to.push(len);
    to.extend_from_slice(value);
}

/// One record of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) at: usize,
    pub(super) tag: u8,
    pub(super) value: &'a [u8],
}

/// Cuts a reply into its records. Lengths in a longer form than necessary are not what the applet sends.
pub(super) struct Records<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    pub(super) fn of(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// The next record, which must be of this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<Record<'a>, ReplyError> {
        let at = self.at;
        let record = self.next().ok_or(ReplyError::Record { at })??;
        if record.tag == tag { Ok(record) } else { Err(ReplyError::Byte { at, found: record.tag }) }
    }

    /// That nothing is left.
    pub(super) fn end(mut self) -> Result<(), ReplyError> {
        match self.next() {
            None => Ok(()),
            Some(record) => record.and_then(|left| Err(ReplyError::Byte { at: left.at, found: left.tag })),
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, ReplyError>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        let rest = self.data.get(at..)?;
        let [tag, rest @ ..] = rest else { return None };
        let cut = match rest {
            [len @ 0..=0x7F, ..] => Some((1, usize::from(*len))),
            [0x81, len @ (0x80..), ..] => Some((2, usize::from(*len))),
            [0x82, high @ (1..), low, ..] => Some((3, usize::from(u16::from_be_bytes([*high, *low])))),
            _ => None,
        };
        let value = cut.and_then(|(head, len)| Some((head, rest.get(head..)?.get(..len)?)));
        Some(match value {
            Some((head, value)) => {
                self.at = at + 1 + head + value.len();
                Ok(Record { at, tag: *tag, value })
            }
            None => {
                self.at = self.data.len();
                Err(ReplyError::Record { at })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_take_the_shortest_form_only() {
        for (data, ok) in [
            (&[0x71, 0x01, 0xAA][..], true),
            (&[0x71, 0x81, 0x01, 0xAA], false),
            (&[0x71, 0x02, 0xAA], false),
            (&[0x71], false),
            (&[0x71, 0x80], false),
            (&[0x71, 0x82, 0x00, 0x01, 0xAA], false),
        ] {
            let records: Result<Vec<_>, _> = Records::of(data).collect();
            assert_eq!(records.is_ok(), ok, "{data:02x?}");
        }
        let mut long = vec![0x75, 0x82, 0x01, 0x00];
        long.extend([7; 256]);
        let record = Records::of(&long).next().unwrap().unwrap();
        assert_eq!((record.tag, record.value.len()), (0x75, 256));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(tag: u8, value in proptest::collection::vec(any::<u8>(), 0..=255)) {
            let mut bytes = Vec::new();
            push(&mut bytes, tag, &value);
            push(&mut bytes, tag, &[]);
            let mut records = Records::of(&bytes);
            let expected = Record { at: 0, tag, value: &value };
            prop_assert_eq!(records.next(), Some(Ok(expected)));
            prop_assert!(records.expect(tag).unwrap().value.is_empty());
            prop_assert_eq!(records.end(), Ok(()));
        }
    }
}
