//! What lies between a host and a token: commands and replies as raw types, the traits that carry them, and what can
//! go wrong on the way. Several links really exist: PC/SC, USB HID, a virtual token in process.

mod hid;

pub use hid::{HidLink, REPORT_BYTES, REPORT_ID, Report};

use crate::remedy::{Remedy, Retry};
use std::{fmt, ops::Range, time::Duration};
use zeroize::Zeroizing;

/// A short command APDU, ISO/IEC 7816-4, with the part of it that a log must not show.
pub struct Apdu {
    bytes: Zeroizing<Vec<u8>>,
    secret: Range<usize>,
}

impl Apdu {
    /// A command that may be logged whole.
    pub fn plain(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: Zeroizing::new(bytes.into()), secret: 0..0 }
    }

    /// A command of which the bytes in `secret` are masked wherever it is shown. A range beyond the end masks to the
    /// end.
    pub fn with_secret(bytes: impl Into<Vec<u8>>, secret: Range<usize>) -> Self {
        Self { bytes: Zeroizing::new(bytes.into()), secret }
    }

    /// What goes over the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Apdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Apdu(")?;
        for (at, byte) in self.bytes.iter().enumerate() {
            if self.secret.contains(&at) { f.write_str("··")? } else { write!(f, "{byte:02x}")? }
        }
        f.write_str(")")
    }
}

/// The two status bytes that end a response.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusWord(pub u16);

impl StatusWord {
    /// Done.
    pub const OK: Self = Self(0x9000);
}

impl fmt::Debug for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

/// A response APDU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// What came before the status.
    pub data: Vec<u8>,
    /// The status.
    pub status: StatusWord,
}

impl Response {
    /// Splits raw bytes into data and status. Fewer than two bytes are what PC/SC gives when the token was taken off
    /// in the middle of a command: a lost token, not a short answer.
    pub fn from_bytes(mut raw: Vec<u8>) -> Result<Self, LinkError> {
        match raw.len().checked_sub(2) {
            Some(at) => {
                let status = StatusWord(u16::from_be_bytes([raw[at], raw[at + 1]]));
                raw.truncate(at);
                Ok(Self { data: raw, status })
            }
            None => Err(LinkError::Gone),
        }
    }
}

/// What can go wrong between a host and a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The token left, before or during the command. Whether the command took effect is not known.
    #[error("the token was taken off the reader")]
    Gone,
    /// Somebody else reset the token; what it had accepted (its authentication) is lost.
    #[error("another program reset the token")]
    Reset,
    /// Another program holds the reader.
    #[error("another program is using the reader")]
    Busy,
    /// Another kiln has the USB key open.
    #[error("another kiln on this machine holds the key")]
    HeldByKiln,
    /// A call to a USB key failed though it is still plugged in; the system's number for why (errno), 0 where it has none.
    #[error("the key's USB device failed (errno {0})")]
    Usb(i32),
    /// There is something on the reader that does not answer.
    #[error("what lies on the reader does not answer")]
    Mute,
    /// The exchange outlived its deadline; this link may send nothing more.
    #[error("the exchange was not answered in {0:?}")]
    Deadline(Duration),
    /// The reader was unplugged.
    #[error("the reader is gone")]
    ReaderGone,
    /// The smart-card service is absent or was stopped.
    #[error("the smart-card service (pcscd) does not answer")]
    NoService,
    /// The smart-card service refuses this user.
    #[error("the smart-card service (pcscd) refuses access")]
    Refused,
    /// Anything else the reader's driver said, by its code.
    #[error("the reader failed with code {0:08X}")]
    Reader(u32),
    /// The system lets this user not open the key's HID device.
    #[error("this user may not open the key's USB device")]
    NoPermission,
    /// Reports came that answer nothing which was asked here: all programs that hold a HID device get all its answers.
    #[error("another program talks to the key at the same time")]
    Interfered,
    /// Reports came that make no answer: another family's, or pieces of two answers.
    #[error("the key's reports make no answer")]
    Garbled,
    /// A report of another length, in bytes, or with another id.
    #[error("the key sent a report of {0} bytes instead of 64")]
    OddReport(usize),
    /// The key waited for a touch for so long that nobody believes in it any more. Whether one that comes now still lets
    /// the command take effect is not known.
    #[error("nobody touched the key in {0:?}")]
    ButtonMissed(Duration),
    /// The wait for a touch was called off by whoever asked for it. Whether the command still takes effect is not known.
    #[error("the wait for a touch was called off")]
    CalledOff,
}

impl Remedy for LinkError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Gone => "put the same token back and leave it until the slot says take",
            Self::Reset => "close the other program that talks to this reader, then put the token back",
            Self::Busy => "close the other program that holds this reader (a browser, gpg, opensc)",
            Self::HeldByKiln => {
                "stop the other station (kiln station stop, with its KILN_HOME), or let it finish with this key"
            }
            Self::Usb(_) => {
                "unplug the key and plug it in again; if it stays, use another port, straight at the machine"
            }
            Self::Mute => {
                "switch the token's display on, take it off for a second, put it back in the middle of the reader"
            }
            Self::Deadline(_) => {
                "take the token off; if the slot stays marked, unplug the reader and plug it in again"
            }
            Self::ReaderGone => "plug the reader in again",
            Self::NoService => "start pcscd (systemctl start pcscd.socket)",
            Self::Refused => {
                "allow this user to use pcscd by a polkit rule (org.debian.pcsc-lite.access_pcsc)"
            }
            Self::Reader(_) => {
                "take the token off for a second and put it back; if it stays, unplug the reader and plug it in again"
            }
            Self::NoPermission => {
                "install kiln's udev rule (kiln doctor prints it), then unplug the key and plug it in again"
            }
            Self::Interfered | Self::Garbled => {
                "close the other program that talks to this key (a browser, a manager of keys); kiln tries again by itself"
            }
            Self::OddReport(_) => "unplug the key and plug it in again; if it stays, set it aside",
            Self::ButtonMissed(_) => {
                "unplug the key and plug it in again, and touch it when the slot says touch"
            }
            Self::CalledOff => {
                "unplug the key without touching it, then plug it in again; a job that waits for it goes on"
            }
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Gone
            | Self::Reset
            | Self::Mute
            | Self::Deadline(_)
            | Self::ReaderGone
            | Self::Usb(_)
            | Self::Reader(_)
            | Self::NoPermission
            | Self::OddReport(_)
            | Self::ButtonMissed(_)
            | Self::CalledOff => Retry::AfterOperator,
            Self::Busy | Self::HeldByKiln | Self::Interfered | Self::Garbled | Self::NoService => Retry::Soon,
            Self::Refused => Retry::AfterOperator,
        }
    }
}

/// Carries one command APDU to a token and its response back. ISO/IEC 7816-4.
pub trait ApduLink {
    /// Sends `command`, waits for the answer. After any error the link is of no more use: open a new one, read the
    /// serial again, compare.
    fn exchange(&mut self, command: &Apdu) -> Result<Response, LinkError>;

    /// The answer to reset that the reader reported when it was opened; empty where a link has none. Tells storage
    /// cards (transit, doors) from cards that talk; never identifies a token.
    fn answer_to_reset(&self) -> &[u8];
}

impl<L: ApduLink + ?Sized> ApduLink for Box<L> {
    fn exchange(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        (**self).exchange(command)
    }

    fn answer_to_reset(&self) -> &[u8] {
        (**self).answer_to_reset()
    }
}

impl<L: ApduLink + ?Sized> ApduLink for &mut L {
    fn exchange(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        (**self).exchange(command)
    }

    fn answer_to_reset(&self) -> &[u8] {
        (**self).answer_to_reset()
    }
}

/// What a port sees on its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Nothing lies there.
    Empty,
    /// Something lies there. It may be mute or held by another program: [`Port::open`] says so.
    Present,
}

/// One reader, as the one thread that owns it sees it. Calls block; none blocks much longer than it says.
pub trait Port: Send {
    /// Waits until `Presence` differs from `known`, or for `at_most`; tells what is there now.
    fn wait_change(&mut self, known: Presence, at_most: Duration) -> Result<Presence, LinkError>;

    /// Takes what lies on the reader, or is plugged in, for this program alone. Dropping the link resets a card, so that
    /// nothing it accepted stays accepted, and leaves it.
    fn open(&mut self) -> Result<Opened, LinkError>;
}

/// A link that a port opened, by what it carries.
pub enum Opened {
    /// Commands, to a card on a reader.
    Card(Box<dyn ApduLink>),
    /// Reports, to a key on USB.
    Hid(Box<dyn HidLink>),
}

/// The places there are now, as far as they can be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Their names, in no particular order.
    pub names: Vec<String>,
    /// Why there may be others that cannot be told. What is listed can be used all the same.
    pub trouble: Option<LinkError>,
}

impl From<Vec<String>> for Listing {
    fn from(names: Vec<String>) -> Self {
        Self { names, trouble: None }
    }
}

impl From<Result<Vec<String>, LinkError>> for Listing {
    fn from(told: Result<Vec<String>, LinkError>) -> Self {
        told.map_or_else(|error| Self { names: Vec::new(), trouble: Some(error) }, Self::from)
    }
}

/// Where ports come from: PC/SC, USB, virtual tokens, or several of them. A composition hands one in.
pub trait LinkSource: Send + Sync {
    /// All readers and USB ports there are now.
    fn list(&self) -> Listing;

    /// A port of its own for the reader called `name`, sharing nothing with any other port.
    fn open_port(&self, name: &str) -> Result<Box<dyn Port>, LinkError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_bytes_are_masked() {
        let apdu = Apdu::with_secret([0x84, 0xC5, 0x01, 0xAA, 0xBB, 0x00], 3..5);
        assert_eq!(format!("{apdu:?}"), "Apdu(84c501····00)");
    }

    #[test]
    fn an_answer_without_a_status_is_a_lost_token() {
        assert_eq!(Response::from_bytes(vec![]), Err(LinkError::Gone));
        assert_eq!(Response::from_bytes(vec![0x90]), Err(LinkError::Gone));
        let answer = Response::from_bytes(vec![1, 2, 0x63, 0x09]).unwrap();
        assert_eq!((answer.data, answer.status), (vec![1, 2], StatusWord(0x6309)));
    }

    #[test]
    fn every_error_has_a_remedy() {
        for error in [
            LinkError::Gone,
            LinkError::Reset,
            LinkError::Busy,
            LinkError::HeldByKiln,
            LinkError::Usb(5),
            LinkError::Mute,
            LinkError::Deadline(Duration::from_secs(3)),
            LinkError::ReaderGone,
            LinkError::NoService,
            LinkError::Refused,
            LinkError::Reader(0x8010_0001),
            LinkError::NoPermission,
            LinkError::Interfered,
            LinkError::Garbled,
            LinkError::OddReport(3),
            LinkError::ButtonMissed(Duration::from_secs(20)),
            LinkError::CalledOff,
        ] {
            assert!(error.remedy().len() > 10, "{error}");
        }
    }
}
