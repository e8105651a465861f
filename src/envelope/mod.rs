//! What seed files come wrapped in: OpenPGP messages, ZIP archives, age files, and pictures of QR codes. Bytes in,
//! bytes out: nothing here knows a file, so no plaintext can come to rest on a disk.
//!
//! **Limits.** What is inside is not believed before it is read: it may be as long as a seed file may be and no longer
//! ([`MAX_PLAIN_BYTES`]), an archive has few entries, shrinks by no more than text does, and wrappings lie in each other
//! no deeper than [`MAX_DEPTH`]. Work that a file asks for (key derivation, session keys to be tried) is bounded too.
//!
//! **Wiping.** What is handed out is wiped when it goes, and is read into memory that never grows, since growing leaves
//! copies behind. The crates that decrypt keep buffers of their own for a moment, which nothing wipes.

pub mod age;
pub mod archive;
pub mod openpgp;
pub mod picture;
pub mod question;
pub mod seal;

use std::io::{self, Read};
use zeroize::Zeroizing;

/// The longest plaintext that is taken out: as long as the longest seed file.
pub const MAX_PLAIN_BYTES: usize = 96 << 20;

/// How deep wrappings may lie in each other. Vendors put a ZIP archive into an OpenPGP message; one more is left for a
/// mail gateway.
pub const MAX_DEPTH: usize = 3;

/// Bytes that are wiped when they go.
pub type Plain = Zeroizing<Vec<u8>>;

/// Why a plaintext could not be read to its end.
enum ReadError {
    /// It goes on beyond `limit`.
    TooLong,
    Io(io::Error),
}

/// All of `from`, which is expected to have `expected` bytes and may have `limit`.
fn read_all(from: &mut dyn Read, expected: usize, limit: usize) -> Result<Plain, ReadError> {
    let mut plain = Zeroizing::new(Vec::with_capacity(expected.min(limit) + 1));
    let mut chunk = Zeroizing::new([0; 16 * 1024]);
    loop {
        let count = match from.read(&mut *chunk) {
            Ok(0) => return Ok(plain),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(ReadError::Io(error)),
        };
        if plain.len() + count > limit {
            return Err(ReadError::TooLong);
        }
        if plain.capacity() < plain.len() + count {
            let mut larger = Zeroizing::new(Vec::with_capacity((plain.len() + count) * 2));
            larger.extend_from_slice(&plain);
            plain = larger;
        }
        plain.extend_from_slice(&chunk[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plaintext_is_read_to_its_limit_and_no_further() {
        let content: Vec<u8> = (0..50_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for expected in [0, 10, 50_000, usize::MAX / 4] {
            let read = read_all(&mut &content[..], expected, content.len());
            assert!(read.is_ok_and(|plain| *plain == content), "expecting {expected}");
        }
        let endless = read_all(&mut io::repeat(0), 0, 100_000);
        assert!(matches!(endless, Err(ReadError::TooLong)));
        let broken = read_all(&mut FailsAtOnce, 0, 10);
        assert!(matches!(broken, Err(ReadError::Io(_))));
    }

    struct FailsAtOnce;

    impl Read for FailsAtOnce {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}
