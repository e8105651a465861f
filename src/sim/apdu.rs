//! A command as a token's firmware takes it apart, and the status words it answers with.

/// A command that is whole enough to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Command<'a> {
    pub(super) class: u8,
    pub(super) ins: u8,
    pub(super) p1: u8,
    pub(super) p2: u8,
    pub(super) data: &'a [u8],
    /// What follows the data: a Le byte, where the host sent one.
    pub(super) tail: &'a [u8],
}

/// The answers that end a command early, and the one that ends it well.
pub(super) mod sw {
    pub(in crate::sim) const OK: u16 = 0x9000;
    pub(in crate::sim) const WAITS_FOR_BUTTON: u16 = 0x9060;
    pub(in crate::sim) const WRONG_LENGTH: u16 = 0x6700;
    pub(in crate::sim) const REFUSED: u16 = 0x6983;
    pub(in crate::sim) const CONDITIONS: u16 = 0x6985;
    pub(in crate::sim) const BAD_DATA: u16 = 0x6A80;
    pub(in crate::sim) const NOT_SUPPORTED: u16 = 0x6A81;
    pub(in crate::sim) const NOT_FOUND: u16 = 0x6A82;
    pub(in crate::sim) const NO_SEED: u16 = 0x6A83;
    pub(in crate::sim) const BAD_PARAMETER: u16 = 0x6A86;
    pub(in crate::sim) const UNKNOWN_INS: u16 = 0x6D00;
    pub(in crate::sim) const UNKNOWN_CLASS: u16 = 0x6E00;
    pub(in crate::sim) const FAILED: u16 = 0x6F00;
    pub(in crate::sim) const WITH_LE: u16 = 0x6FFB;
}

impl<'a> Command<'a> {
    /// Short form only. The fifth byte is always taken as the length of the data, so a lone Le of 00 reads as "no data"
    /// and an extended length reads as 0.
    pub(super) fn parse(raw: &'a [u8]) -> Result<Self, u16> {
        let [class, ins, p1, p2, rest @ ..] = raw else { return Err(sw::WRONG_LENGTH) };
        let (data, tail) = match rest {
            [] => (rest, rest),
            [length, body @ ..] => body.split_at_checked((*length).into()).ok_or(sw::WRONG_LENGTH)?,
        };
        Ok(Self { class: *class, ins: *ins, p1: *p1, p2: *p2, data, tail })
    }

    pub(super) fn header(&self) -> [u8; 4] {
        [self.class, self.ins, self.p1, self.p2]
    }
}

/// A command in either form. Short: at most 255 bytes of data, an answer of at most 256. Extended: all at once.
pub(super) struct EitherForm<'a> {
    pub(super) header: [u8; 4],
    pub(super) data: &'a [u8],
    pub(super) extended: bool,
}

impl<'a> EitherForm<'a> {
    /// ISO/IEC 7816-4, section 5.1, all cases but one: a sole fifth byte is a length expected.
    pub(super) fn parse(raw: &'a [u8]) -> Result<Self, u16> {
        let (header, rest) = raw.split_first_chunk::<4>().ok_or(sw::WRONG_LENGTH)?;
        let (data, extended) = match rest {
            [] | [_] => (&[][..], false),
            [0, _, _] => (&[][..], true),
            [0, high, low, body @ ..] => {
                let len = usize::from(u16::from_be_bytes([*high, *low]));
                let data = body.get(..len).filter(|_| [0, 2].contains(&(body.len() - len.min(body.len()))));
                (data.ok_or(sw::WRONG_LENGTH)?, true)
            }
            [len, body @ ..] => {
                let len = usize::from(*len);
                let data = body.get(..len).filter(|_| body.len() <= len + 1);
                (data.ok_or(sw::WRONG_LENGTH)?, false)
            }
        };
        Ok(Self { header: *header, data, extended })
    }
}

/// Data, then the status.
pub(super) fn answer(result: Result<Vec<u8>, u16>) -> Vec<u8> {
    let (mut bytes, status) = match result {
        Ok(data) => (data, sw::OK),
        Err(status) => (Vec::new(), status),
    };
    bytes.extend(status.to_be_bytes());
    bytes
}

/// Get info's answer, the same on both families: three opaque bytes, the serial with its length, two opaque bytes, the
/// clock. token2-single.md section 3.1.
pub(super) fn info_block(serial: &str, clock: u32) -> Vec<u8> {
    // A serial has at most 32 characters: the domain's `Serial` sees to that.
    let mut block = vec![0, 0, 0, serial.len() as u8];
    block.extend(serial.as_bytes());
    block.extend([0, 0]);
    block.extend(clock.to_be_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_byte_is_always_a_length() {
        assert_eq!(Command::parse(&[0x80, 0x41, 0]), Err(sw::WRONG_LENGTH));
        assert_eq!(Command::parse(&[0x80, 0xCE, 0, 0, 16, 0]), Err(sw::WRONG_LENGTH));
        let bare = Command::parse(&[0x80, 0x41, 0, 0]).unwrap();
        assert_eq!((bare.data, bare.tail), (&[][..], &[][..]));
        let tailed = Command::parse(&[0x80, 0x41, 0, 0, 1, 0x70, 0]).unwrap();
        assert_eq!((tailed.data, tailed.tail), (&[0x70][..], &[0][..]));
    }

    #[test]
    fn both_forms_are_taken_apart() {
        let parsed = |raw: &[u8]| EitherForm::parse(raw).map(|apdu| (apdu.data.to_vec(), apdu.extended));
        assert_eq!(parsed(&[0, 0xA1, 0, 0]), Ok((vec![], false)));
        assert_eq!(parsed(&[0, 0xA1, 0, 0, 0]), Ok((vec![], false)));
        assert_eq!(parsed(&[0, 1, 0, 0, 1, 9]), Ok((vec![9], false)));
        assert_eq!(parsed(&[0, 1, 0, 0, 1, 9, 0]), Ok((vec![9], false)));
        assert_eq!(parsed(&[0, 1, 0, 0, 0, 0, 1, 9]), Ok((vec![9], true)));
        assert_eq!(parsed(&[0, 1, 0, 0, 0, 0, 1, 9, 0, 0]), Ok((vec![9], true)));
        assert_eq!(parsed(&[0, 1, 0, 0, 0, 0, 0]), Ok((vec![], true)));
        for raw in [&[0, 1, 0][..], &[0, 1, 0, 0, 2, 9], &[0, 1, 0, 0, 0, 0, 2, 9], &[0, 1, 0, 0, 1, 9, 0, 0]]
        {
            assert_eq!(parsed(raw), Err(sw::WRONG_LENGTH), "{raw:02x?}");
        }
    }
}
