//! How commands and answers travel over the key's own HID interface: reports of 64 bytes, each with up to 61 bytes of
//! what is carried. There is no length of the whole and no channel: one exchange at a time. Protocol page `token2-otp`,
//! section 4.

use crate::link::{REPORT_BYTES, Report};
use crate::remedy::{Remedy, Retry};

/// What each report begins with.
const MAGIC: u8 = 0x21;
/// Bytes before the data: the magic byte, flags and sequence, the number of data bytes.
const HEAD: usize = 3;
/// Data bytes in one report.
const DATA: usize = REPORT_BYTES - HEAD;

const MORE: u8 = 0x20;
const LAST: u8 = 0x00;
const WORKING: u8 = 0xC0;
const FLAGS: u8 = 0xF0;
const SEQUENCE: u8 = 0x0F;

/// No answer of the family is nearly as long: a page of its list has some hundred bytes.
const MOST_BYTES: usize = 64 * 1024;

/// The reports that carry a command. An empty one takes an empty report.
pub fn cut(command: &[u8]) -> Vec<Report> {
    let count = command.len().div_ceil(DATA).max(1);
    let mut rest = command;
    (0..count)
        .map(|at| {
            let (data, left) = rest.split_at(rest.len().min(DATA));
            rest = left;
            let flags = if left.is_empty() { LAST } else { MORE };
            let mut bytes = [0; REPORT_BYTES];
            // The sequence wraps after sixteen; at most 61 bytes.
            bytes[..HEAD].copy_from_slice(&[MAGIC, flags | (at & 0x0F) as u8, data.len() as u8]);
            bytes[HEAD..HEAD + data.len()].copy_from_slice(data);
            Report::new(bytes)
        })
        .collect()
}

/// What one more report brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// The key says only that it works on, or waits for a touch.
    Working,
    /// More reports follow.
    More,
    /// Everything that was carried.
    Whole(Vec<u8>),
}

/// A report that is no next piece of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Another protocol's: keys speak CTAPHID over the same interface.
    #[error("a report begins with {0:02X} instead of 21")]
    Magic(u8),
    /// A kind of report that the family doesn't have.
    #[error("a report has the flags {0:02X}")]
    Flags(u8),
    /// More data than a report holds.
    #[error("a report claims {0} bytes of data, and has room for 61")]
    Length(u8),
    /// One was lost, or this one belongs to another answer.
    #[error("report {found} came in the place of report {expected}")]
    Sequence {
        /// The number that should have come, 0 to 15.
        expected: u8,
        /// The one that came.
        found: u8,
    },
    /// An answer without an end.
    #[error("an answer goes on beyond 64 KiB")]
    Endless,
}

impl Remedy for FrameError {
    fn remedy(&self) -> &'static str {
        "close the other program that talks to this key, then unplug the key and plug it in again"
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// Puts an answer together.
#[derive(Debug, Default)]
pub struct Joiner {
    data: Vec<u8>,
    /// How many pieces came.
    pieces: usize,
}

impl Joiner {
    /// Takes the next report. After an error, or the whole, it is of no more use.
    pub fn take(&mut self, report: &Report) -> Result<Joined, FrameError> {
        let [magic, mark, len, data @ ..] = report.bytes();
        if *magic != MAGIC {
            return Err(FrameError::Magic(*magic));
        }
        let flags = mark & FLAGS;
        // Sequence and length mean nothing in such a one.
        if flags == WORKING {
            return Ok(Joined::Working);
        }
        if flags != MORE && flags != LAST {
            return Err(FrameError::Flags(flags));
        }
        let data = data.get(..usize::from(*len)).ok_or(FrameError::Length(*len))?;
        let (expected, found) = ((self.pieces & 0x0F) as u8, mark & SEQUENCE);
        if expected != found {
            return Err(FrameError::Sequence { expected, found });
        }
        self.pieces += 1;
        self.data.extend_from_slice(data);
        if self.data.len() > MOST_BYTES || self.pieces > MOST_BYTES / 16 {
            return Err(FrameError::Endless);
        }
        Ok(if flags == MORE { Joined::More } else { Joined::Whole(std::mem::take(&mut self.data)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn report(head: [u8; 3]) -> Report {
        let mut bytes = [0; REPORT_BYTES];
        bytes[..3].copy_from_slice(&head);
        Report::new(bytes)
    }

    #[test]
    fn what_is_no_next_piece_is_refused() {
        let first = |head| Joiner::default().take(&report(head));
        assert_eq!(first([0x21, 0x00, 61]), Ok(Joined::Whole(vec![0; 61])));
        assert_eq!(first([0x21, 0x00, 62]), Err(FrameError::Length(62)));
        assert_eq!(first([0x20, 0x00, 1]), Err(FrameError::Magic(0x20)));
        assert_eq!(first([0x21, 0x21, 1]), Err(FrameError::Sequence { expected: 0, found: 1 }));
        assert_eq!(first([0x21, 0x80, 1]), Err(FrameError::Flags(0x80)));
        assert_eq!(first([0x21, 0xE0, 1]), Err(FrameError::Flags(0xE0)));
        assert_eq!(first([0x21, 0xCF, 0xFF]), Ok(Joined::Working), "the rest of such a one means nothing");
    }

    #[test]
    fn an_answer_without_an_end_ends() {
        let mut joiner = Joiner::default();
        let endless = (0u8..16).cycle().take(100_000).map(|at| joiner.take(&report([0x21, 0x20 | at, 0])));
        let error = endless.filter_map(Result::err).next().unwrap();
        assert_eq!(error, FrameError::Endless);
        assert!(error.remedy().len() > 10 && error.retry() == Retry::AfterOperator);
    }

    proptest! {
        #[test]
        fn what_is_cut_is_joined(data in proptest::collection::vec(any::<u8>(), 0..3000), pauses in 0usize..4) {
            let reports = cut(&data);
            prop_assert_eq!(reports.len(), data.len().div_ceil(61).max(1));
            let mut joiner = Joiner::default();
            for (at, report) in reports.iter().enumerate() {
                for _ in 0..pauses {
                    prop_assert_eq!(joiner.take(&super::tests::report([0x21, 0xC0, 0])), Ok(Joined::Working));
                }
                let joined = joiner.take(report).unwrap();
                let expected =
                    if at + 1 < reports.len() { Joined::More } else { Joined::Whole(data.clone()) };
                prop_assert_eq!(joined, expected);
            }
        }

        #[test]
        fn no_report_panics_a_joiner(bytes in proptest::collection::vec(any::<[u8; 32]>(), 2..40)) {
            let mut joiner = Joiner::default();
            for pair in bytes.chunks_exact(2) {
                let mut report = [0; REPORT_BYTES];
                report[..32].copy_from_slice(&pair[0]);
                report[32..].copy_from_slice(&pair[1]);
                report[0] = 0x21;
                let _ = joiner.take(&Report::new(report));
            }
        }
    }
}
