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
}
