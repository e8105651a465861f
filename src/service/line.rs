//! Lines on the socket, both ends: found in a stream and made from messages, in memory that is wiped.
//!
//! A line may hold a data key or a whole seed file. A `Vec` that grows leaves copies of its content behind, and so do
//! the buffers of the usual readers; hence buffers of our own, which wipe what they leave.

use serde::Serialize;
use std::{fmt, io};
use zeroize::{Zeroize, Zeroizing};

/// Room that is offered to each read, and what is copied rather than handed over.
const CHUNK: usize = 16 * 1024;

/// A line was longer than the reader allows. It is skipped; reading goes on behind it.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

/// Bytes as they come from a stream, cut into lines.
pub struct LineBuffer {
    bytes: Zeroizing<Vec<u8>>,
    /// `bytes[start..end]` is filled and not handed out yet.
    start: usize,
    end: usize,
    /// No line feed lies before this.
    scanned: usize,
    max: usize,
    skipping: bool,
}

impl fmt::Debug for LineBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LineBuffer({} bytes)", self.end - self.start)
    }
}

impl LineBuffer {
    /// Takes lines of up to `max` bytes, line feed not counted.
    pub fn new(max: usize) -> Self {
        let bytes = Zeroizing::new(Vec::new());
        Self { bytes, start: 0, end: 0, scanned: 0, max, skipping: false }
    }

    /// Where the next bytes of the stream belong; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        if self.bytes.len() - self.end < CHUNK {
            self.bytes.copy_within(self.start..self.end, 0);
            self.scanned -= self.start;
            self.end -= self.start;
            self.start = 0;
        }
        if self.bytes.len() - self.end < CHUNK {
            let size = (self.bytes.len() * 2).max(self.end + CHUNK);
            let mut larger = Zeroizing::new(vec![0; size]);
            larger[..self.end].copy_from_slice(&self.bytes[..self.end]);
            self.bytes = larger;
        }
        &mut self.bytes[self.end..]
    }

    /// `count` bytes were put into [`Self::space`].
    pub fn filled(&mut self, count: usize) {
        self.end += count;
    }

    /// The next whole line without its line feed; `None`: more bytes are needed.
    pub fn next_line(&mut self) -> Option<Result<Zeroizing<Vec<u8>>, TooLong>> {
        loop {
            let found = self.bytes[self.scanned..self.end].iter().position(|&byte| byte == b'\n');
            let Some(feed) = found.map(|at| self.scanned + at) else {
                self.scanned = self.end;
                if self.skipping || self.end - self.start > self.max {
                    self.forget();
                    return if std::mem::replace(&mut self.skipping, true) {
                        None
                    } else {
                        Some(Err(TooLong))
                    };
                }
                return None;
            };
            let line = self.start..feed;
            (self.start, self.scanned) = (feed + 1, feed + 1);
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if line.len() > self.max {
                return Some(Err(TooLong));
            }
            return Some(Ok(self.cut(line)));
        }
    }

    /// A line as a buffer of its own. A long one keeps the memory it was read into, and the few bytes behind it move.
    fn cut(&mut self, line: std::ops::Range<usize>) -> Zeroizing<Vec<u8>> {
        if line.len() <= CHUNK {
            let copy = Zeroizing::new(self.bytes[line.clone()].to_vec());
            self.bytes[line].zeroize();
            return copy;
        }
        let rest = Zeroizing::new(self.bytes[self.start..self.end].to_vec());
        let mut whole = std::mem::replace(&mut self.bytes, rest);
        (self.start, self.scanned, self.end) = (0, 0, self.bytes.len());
        whole.copy_within(line.clone(), 0);
        whole[line.len()..].zeroize();
        whole.truncate(line.len());
        whole
    }

    fn forget(&mut self) {
        self.bytes = Zeroizing::new(Vec::new());
        (self.start, self.end, self.scanned) = (0, 0, 0);
    }
}

/// `message` as one line with its line feed.
pub(super) fn encode(message: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
    let mut line = Wiping(Zeroizing::new(Vec::with_capacity(512)));
    serde_json::to_writer(&mut line, message)?;
    line.append(b"\n");
    Ok(line.0)
}

/// A buffer that wipes what it outgrows.
struct Wiping(Zeroizing<Vec<u8>>);

impl Wiping {
    fn append(&mut self, bytes: &[u8]) {
        if self.0.capacity() - self.0.len() < bytes.len() {
            let mut larger = Zeroizing::new(Vec::with_capacity((self.0.len() + bytes.len()) * 2));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }
}

impl io::Write for Wiping {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `stream` in pieces of the sizes `pieces`, in turn, and gives all lines.
    fn lines(stream: &[u8], pieces: &[usize], max: usize) -> Vec<Option<Vec<u8>>> {
        let mut buffer = LineBuffer::new(max);
        let mut lines = Vec::new();
        let mut rest = stream;
        for &piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let space = buffer.space();
            let count = piece.min(rest.len()).min(space.len());
            space[..count].copy_from_slice(&rest[..count]);
            buffer.filled(count);
            rest = &rest[count..];
            while let Some(line) = buffer.next_line() {
                lines.push(line.ok().map(|line| line.to_vec()));
            }
        }
        lines
    }

    #[test]
    fn a_line_too_long_is_one_refusal_however_it_arrives() {
        let stream = b"first\nmuch too long for this reader\nexactly10\n\nopen";
        for pieces in [&[1][..], &[7], &[1000]] {
            let want = [Some(b"first".to_vec()), None, Some(b"exactly10".to_vec()), Some(vec![])];
            assert_eq!(lines(stream, pieces, 9), want, "pieces of {pieces:?}");
        }
    }

    #[test]
    fn an_endless_line_takes_no_more_memory_than_the_limit() {
        let mut buffer = LineBuffer::new(1000);
        let mut refusals = 0;
        for _ in 0..1000 {
            let count = buffer.space().len();
            buffer.space().fill(b'x');
            buffer.filled(count);
            refusals += usize::from(buffer.next_line().is_some());
            assert!(buffer.bytes.len() <= 4 * CHUNK);
        }
        assert_eq!(refusals, 1);
    }

    #[test]
    fn handed_out_bytes_are_wiped_behind() {
        let mut buffer = LineBuffer::new(1000);
        buffer.space()[..7].copy_from_slice(b"secret\n");
        buffer.filled(7);
        assert_eq!(&**buffer.next_line().unwrap().unwrap(), b"secret");
        assert!(!buffer.bytes.windows(6).any(|bytes| bytes == b"secret"));
    }

    #[test]
    fn a_message_of_any_size_is_one_line() {
        let text = "line\nfeed ".repeat(10_000);
        let line = encode(&text).unwrap();
        assert_eq!(line.iter().position(|&byte| byte == b'\n'), Some(line.len() - 1));
        assert_eq!(serde_json::from_slice::<String>(&line).unwrap(), text);
    }

    proptest! {
        #[test]
        fn what_was_sent_in_lines_arrives_in_lines(
            sent in prop::collection::vec((any::<u8>(), 0..3 * CHUNK), 1..6),
            pieces in prop::collection::vec(1..3 * CHUNK, 1..5),
        ) {
            let sent: Vec<_> = sent.iter().map(|&(byte, len)| vec![byte | 0x80; len]).collect();
            let stream: Vec<u8> = sent.iter().flat_map(|line| [&line[..], b"\n"].concat()).collect();
            let want: Vec<_> = sent.into_iter().map(Some).collect();
            prop_assert_eq!(lines(&stream, &pieces, 3 * CHUNK), want);
        }
    }
}
