//! USB HID reports of 64 bytes, as keys take and give them that speak over an interface of their own besides CCID. What
//! a report holds is the family's own business; here are only the pieces and the way.

use super::LinkError;
use std::{fmt, time::Duration};

/// The bytes of a report, without its id.
pub const REPORT_BYTES: usize = 64;

/// The id that platforms want in front of a report that is written: these interfaces number none.
pub const REPORT_ID: u8 = 0x00;

/// One report, without its id. Its bytes are shown nowhere: answers carry codes.
#[derive(Clone, PartialEq, Eq)]
pub struct Report([u8; REPORT_BYTES]);

impl Report {
    /// Of these bytes.
    pub fn new(bytes: [u8; REPORT_BYTES]) -> Self {
        Self(bytes)
    }

    /// What a platform read: the report, with its id in front or without it. Anything else is none.
    pub fn read(raw: &[u8]) -> Result<Self, LinkError> {
        let bare = match raw {
            [REPORT_ID, rest @ ..] if rest.len() == REPORT_BYTES => rest,
            whole => whole,
        };
        bare.try_into().map(Self).map_err(|_| LinkError::OddReport(raw.len()))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; REPORT_BYTES] {
        &self.0
    }

    /// As platforms want it written: the id, then the bytes.
    pub fn numbered(&self) -> [u8; REPORT_BYTES + 1] {
        let mut raw = [REPORT_ID; REPORT_BYTES + 1];
        raw[1..].copy_from_slice(&self.0);
        raw
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Report({REPORT_BYTES} bytes)")
    }
}

/// Carries single reports to a device and back, over one of its HID interfaces. It neither cuts nor joins: whoever
/// holds it knows the family's frames.
pub trait HidLink {
    /// Sends one report.
    fn send(&mut self, report: &Report) -> Result<(), LinkError>;

    /// Waits for the next report, no longer than `at_most`; none where none came, which is no error. After any error
    /// the link is of no more use: open a new one, read the serial again, compare.
    fn receive(&mut self, at_most: Duration) -> Result<Option<Report>, LinkError>;
}

impl<L: HidLink + ?Sized> HidLink for Box<L> {
    fn send(&mut self, report: &Report) -> Result<(), LinkError> {
        (**self).send(report)
    }

    fn receive(&mut self, at_most: Duration) -> Result<Option<Report>, LinkError> {
        (**self).receive(at_most)
    }
}

impl<L: HidLink + ?Sized> HidLink for &mut L {
    fn send(&mut self, report: &Report) -> Result<(), LinkError> {
        (**self).send(report)
    }

    fn receive(&mut self, at_most: Duration) -> Result<Option<Report>, LinkError> {
        (**self).receive(at_most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_with_and_without_its_id() {
        let mut bytes = [7; REPORT_BYTES];
        // A report that begins like an id is one all the same.
        bytes[0] = 0;
        let report = Report::new(bytes);
        assert_eq!(Report::read(&bytes), Ok(report.clone()));
        assert_eq!(Report::read(&report.numbered()), Ok(report.clone()));
        assert_eq!(report.numbered()[..3], [0, 0, 7]);
        for odd in [0, 1, 63, 66] {
            assert_eq!(Report::read(&vec![0; odd]), Err(LinkError::OddReport(odd)));
        }
        let mut numbered = report.numbered();
        numbered[0] = 1;
        assert_eq!(Report::read(&numbered), Err(LinkError::OddReport(65)), "another id");
    }

    #[test]
    fn no_byte_of_a_report_is_shown() {
        assert_eq!(format!("{:?}", Report::new([0x31; REPORT_BYTES])), "Report(64 bytes)");
    }
}
