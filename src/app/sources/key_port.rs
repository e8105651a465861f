//! The port of a key that is a HID device and, it may be, a reader as well.
//!
//! Where a key's OTP function is off on HID it takes commands and says nothing for ever (token2-otp section 4). That is
//! known after one command, and from then on until the key leaves it is talked to as a card in its own reader.

use crate::link::{HidLink, LinkError, Opened, Port, Presence, Report};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

/// The way to a key besides HID.
pub trait OtherWay: Send + Sync {
    /// The key's own reader: of the key in the USB port called `port`.
    fn port(&self, port: &str) -> Result<Box<dyn Port>, LinkError>;
}

/// The key as it was found over HID: nothing sent yet, or spoken to in vain so far, or it has said something.
const NOT_ASKED: u8 = 0;
const SILENT: u8 = 1;
const HEARD: u8 = 2;

/// A USB port.
pub struct KeyPort {
    name: String,
    hid: Box<dyn Port>,
    other: Arc<dyn OtherWay>,
    speaks: Arc<AtomicU8>,
}

impl KeyPort {
    /// The port called `name`.
    pub fn new(name: String, hid: Box<dyn Port>, other: Arc<dyn OtherWay>) -> Self {
        Self { name, hid, other, speaks: Arc::default() }
    }
}

impl Port for KeyPort {
    fn wait_change(&mut self, known: Presence, at_most: Duration) -> Result<Presence, LinkError> {
        let now = self.hid.wait_change(known, at_most)?;
        if now == Presence::Empty {
            self.speaks = Arc::default();
        }
        Ok(now)
    }

    fn open(&mut self) -> Result<Opened, LinkError> {
        if self.speaks.load(Ordering::Relaxed) == SILENT {
            let opened = self.other.port(&self.name).and_then(|mut reader| reader.open());
            match opened {
                // It has none, or pcscd does not run: HID is all there is, and says itself what is wrong.
                Err(LinkError::ReaderGone | LinkError::NoService | LinkError::Refused) => {}
                opened => return opened,
            }
        }
        Ok(match self.hid.open()? {
            Opened::Hid(inner) => Opened::Hid(Box::new(Listened { inner, speaks: self.speaks.clone() })),
            Opened::Card(link) => Opened::Card(link),
        })
    }
}

/// A link that remembers whether the key has said anything.
struct Listened {
    inner: Box<dyn HidLink>,
    speaks: Arc<AtomicU8>,
}

impl HidLink for Listened {
    fn send(&mut self, report: &Report) -> Result<(), LinkError> {
        self.inner.send(report)?;
        // What it said before, it has said.
        let _ = self.speaks.compare_exchange(NOT_ASKED, SILENT, Ordering::Relaxed, Ordering::Relaxed);
        Ok(())
    }

    fn receive(&mut self, at_most: Duration) -> Result<Option<Report>, LinkError> {
        let report = self.inner.receive(at_most)?;
        if report.is_some() {
            self.speaks.store(HEARD, Ordering::Relaxed);
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Apdu, ApduLink, Response, StatusWord};

    struct Usb {
        answers: bool,
        presence: Presence,
    }

    impl Port for Usb {
        fn wait_change(&mut self, _: Presence, _: Duration) -> Result<Presence, LinkError> {
            Ok(self.presence)
        }

        fn open(&mut self) -> Result<Opened, LinkError> {
            Ok(Opened::Hid(Box::new(Key { answers: self.answers })))
        }
    }

    struct Key {
        answers: bool,
    }

    impl HidLink for Key {
        fn send(&mut self, _: &Report) -> Result<(), LinkError> {
            Ok(())
        }

        fn receive(&mut self, _: Duration) -> Result<Option<Report>, LinkError> {
            Ok(self.answers.then(|| Report::new([0; 64])))
        }
    }

    struct Reader(Option<LinkError>);

    impl OtherWay for Reader {
        fn port(&self, port: &str) -> Result<Box<dyn Port>, LinkError> {
            assert_eq!(port, "usb 1-2");
            match &self.0 {
                Some(error) => Err(error.clone()),
                None => Ok(Box::new(Card)),
            }
        }
    }

    struct Card;

    impl Port for Card {
        fn wait_change(&mut self, known: Presence, _: Duration) -> Result<Presence, LinkError> {
            Ok(known)
        }

        fn open(&mut self) -> Result<Opened, LinkError> {
            Ok(Opened::Card(Box::new(Card)))
        }
    }

    impl ApduLink for Card {
        fn exchange(&mut self, _: &Apdu) -> Result<Response, LinkError> {
            Ok(Response { data: vec![], status: StatusWord::OK })
        }

        fn answer_to_reset(&self) -> &[u8] {
            &[]
        }
    }

    fn port(answers: bool, reader: Option<LinkError>) -> KeyPort {
        let usb = Usb { answers, presence: Presence::Empty };
        KeyPort::new("usb 1-2".into(), Box::new(usb), Arc::new(Reader(reader)))
    }

    /// Opens it and, over HID, asks something; whether it was over HID.
    #[track_caller]
    fn ask(port: &mut KeyPort) -> bool {
        match port.open().unwrap() {
            Opened::Hid(mut link) => {
                link.send(&Report::new([0; 64])).unwrap();
                link.receive(Duration::ZERO).unwrap();
                true
            }
            Opened::Card(_) => false,
        }
    }

    #[test]
    fn a_key_that_says_nothing_over_hid_is_a_card_until_it_leaves() {
        let mut port = port(false, None);
        assert_eq!([ask(&mut port), ask(&mut port), ask(&mut port)], [true, false, false]);
        port.wait_change(Presence::Present, Duration::ZERO).unwrap();
        assert!(ask(&mut port), "the next one is asked over HID again");
    }

    #[test]
    fn a_key_that_speaks_stays_on_hid_and_so_does_one_that_was_asked_nothing() {
        let mut speaking = port(true, None);
        assert_eq!([ask(&mut speaking), ask(&mut speaking)], [true, true]);
        let mut silent = port(false, None);
        for _ in 0..2 {
            assert!(matches!(silent.open(), Ok(Opened::Hid(_))));
        }
    }

    #[test]
    fn without_a_reader_hid_is_tried_again_and_a_busy_reader_says_so() {
        for none in [LinkError::ReaderGone, LinkError::NoService, LinkError::Refused] {
            let mut port = port(false, Some(none));
            assert_eq!([ask(&mut port), ask(&mut port)], [true, true]);
        }
        let mut busy = port(false, Some(LinkError::Busy));
        assert!(ask(&mut busy));
        assert_eq!(busy.open().err(), Some(LinkError::Busy));
    }
}
