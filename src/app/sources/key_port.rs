//! The port of a key that is a HID device and, it may be, a reader as well.
//!
//! Where a key's OTP function is off on HID it takes commands and says nothing for ever (token2-otp section 4). A key that
//! has a reader is asked once; where it does not answer, it is talked to as a card in that reader until it leaves.

use crate::{
    drivers::token2_otp::{Limits, answers_on},
    link::{LinkError, Opened, Port, Presence},
};
use std::{sync::Arc, time::Duration};

/// The way to a key besides HID.
pub trait OtherWay: Send + Sync {
    /// The key's own reader: of the key in the USB port called `port`.
    fn port(&self, port: &str) -> Result<Box<dyn Port>, LinkError>;
}

/// A USB port.
pub struct KeyPort {
    name: String,
    hid: Box<dyn Port>,
    other: Arc<dyn OtherWay>,
    /// Whether the key that is here answers over HID; none where that is not known, or does not matter.
    answers: Option<bool>,
}

impl KeyPort {
    /// The port called `name`.
    pub fn new(name: String, hid: Box<dyn Port>, other: Arc<dyn OtherWay>) -> Self {
        Self { name, hid, other, answers: None }
    }
}

impl Port for KeyPort {
    fn wait_change(&mut self, known: Presence, at_most: Duration) -> Result<Presence, LinkError> {
        let now = self.hid.wait_change(known, at_most)?;
        if now == Presence::Empty {
            self.answers = None;
        }
        Ok(now)
    }

    fn open(&mut self) -> Result<Opened, LinkError> {
        // A key without a reader is on HID or nowhere, and says itself what is wrong.
        if self.answers == Some(true) {
            return self.hid.open();
        }
        let Ok(mut reader) = self.other.port(&self.name) else { return self.hid.open() };
        if self.answers.is_none() {
            let mut opened = self.hid.open()?;
            let answers = match &mut opened {
                Opened::Hid(link) => answers_on(link, Limits::default())?,
                Opened::Card(_) => true,
            };
            self.answers = Some(answers);
            if answers {
                return Ok(opened);
            }
        }
        reader.open()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Clock, ClockState, UnixMillis},
        link::{Apdu, ApduLink, LinkSource, Response, StatusWord},
        sim::{Bench, Challenges, Fault, Surroundings, VirtualToken, token2_otp},
    };
    use std::num::NonZeroU32;

    struct Usb(VirtualToken);

    impl Port for Usb {
        fn wait_change(&mut self, _: Presence, _: Duration) -> Result<Presence, LinkError> {
            Ok(Presence::Empty)
        }

        fn open(&mut self) -> Result<Opened, LinkError> {
            let bench = Bench::default();
            bench.add_usb_port("port");
            bench.place("port", &self.0).expect("the port is free");
            bench.open_port("port")?.open()
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

    /// A port with a key that answers over HID, or refuses all that it is asked there.
    fn port(answers: bool, reader: Option<LinkError>) -> KeyPort {
        let key = VirtualToken::token2_otp(
            token2_otp::Settings::new("96103000000011".parse().expect("a serial")),
            Surroundings::new(Arc::new(Still), Challenges::random()),
        );
        if !answers {
            (1..9).filter_map(NonZeroU32::new).for_each(|at| key.arm(Fault::Status(at, 0x6D00)));
        }
        KeyPort::new("usb 1-2".into(), Box::new(Usb(key)), Arc::new(Reader(reader)))
    }

    struct Still;

    impl Clock for Still {
        fn now(&self) -> UnixMillis {
            UnixMillis(1_767_225_600_000)
        }

        fn state(&self) -> ClockState {
            ClockState::Simulated
        }
    }

    /// Whether it opens over HID.
    #[track_caller]
    fn on_hid(port: &mut KeyPort) -> bool {
        matches!(port.open().unwrap(), Opened::Hid(_))
    }

    #[test]
    fn a_key_that_does_not_answer_over_hid_is_a_card_until_it_leaves() {
        let mut port = port(false, None);
        assert_eq!([on_hid(&mut port), on_hid(&mut port)], [false, false]);
        assert_eq!(port.answers, Some(false));
        port.wait_change(Presence::Present, Duration::ZERO).unwrap();
        assert_eq!(port.answers, None, "the next one is asked over HID again");
    }

    #[test]
    fn a_key_that_answers_stays_on_hid_and_so_does_one_without_a_reader() {
        let mut speaking = port(true, None);
        assert_eq!([on_hid(&mut speaking), on_hid(&mut speaking)], [true, true]);
        for none in [LinkError::ReaderGone, LinkError::NoService, LinkError::Refused] {
            let mut port = port(false, Some(none));
            assert_eq!((on_hid(&mut port), port.answers), (true, None));
        }
    }
}
