//! What lies on a reader: a token of a known family, or something else, by its name.
//!
//! Every probe only reads. A token is recognised by its own answer, never by reader name, answer to reset or UID; the
//! reader's name only decides between the families, since the Molto2 is its own reader.

use super::{Token, error::OpenError, molto2, token2_otp, token2_single, ykoath};
use crate::domain::UnixTime;
use crate::link::{Apdu, ApduLink, LinkError, Response, StatusWord};
use crate::remedy::{Remedy, Retry};
use std::fmt;
use std::time::Duration;

/// What lies on a reader.
pub enum Found<L> {
    /// A token that kiln can burn, and its clock as it told it with its serial, where it has one.
    Token(Token<L>, Option<UnixTime>),
    /// Something else; it is left alone.
    Other(OtherDevice),
}

impl<L: ApduLink> fmt::Debug for Found<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(token, clock) => f.debug_tuple("Token").field(token).field(clock).finish(),
            Self::Other(device) => f.debug_tuple("Other").field(device).finish(),
        }
    }
}

/// Something that is no token of a known family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OtherDevice {
    /// It has the FIDO applet.
    SecurityKey,
    /// It has the OATH applet of YubiKeys and their like, and that applet does not answer as theirs do.
    OddOathKey,
    /// A Token2 FIDO key whose OTP applet does not tell who it is.
    OddOtpKey,
    /// A Token2 FIDO key that does not answer on USB: its OTP function is off there.
    SilentOtpKey,
    /// A storage card (transit, doors), by its answer to reset; it takes no commands.
    StorageCard,
    /// It takes a token's first command, but what it answers is no identity.
    Unreadable,
    /// Its reader is called a Molto2, but it does not answer as one.
    OddMolto2,
    /// It refuses everything: a bank card, an identity card.
    OtherCard,
}

impl fmt::Display for OtherDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecurityKey => "a FIDO security key",
            Self::OddOathKey => "a security key whose OATH applet does not tell who it is",
            Self::OddOtpKey => "a Token2 FIDO key whose OTP applet does not tell its serial",
            Self::SilentOtpKey => "a Token2 FIDO key whose OTP function does not answer over USB",
            Self::StorageCard => "a storage card (transit or door)",
            Self::Unreadable => "a device whose identity cannot be read",
            Self::OddMolto2 => "a Molto2 that does not tell its serial",
            Self::OtherCard => "another smart card",
        })
    }
}

impl Remedy for OtherDevice {
    fn remedy(&self) -> &'static str {
        match self {
            Self::SecurityKey | Self::OddOathKey => {
                "take the security key away: it has no OATH applet that kiln could fill"
            }
            Self::OddOtpKey => {
                "take the key away, put it back, and leave it; if it stays, look into the log and set it aside"
            }
            Self::SilentOtpKey => {
                "lay the key on an NFC reader, or switch its TOTP function on with Token2's own program"
            }
            Self::StorageCard | Self::OtherCard => {
                "take the card away; if a token lies here too, put down the token alone, switched on"
            }
            Self::Unreadable => {
                "put down the token alone, switched on, and leave it; if it stays, set it aside"
            }
            Self::OddMolto2 => {
                "unplug the Molto2 and plug it in again, straight into the machine rather than a hub"
            }
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Unreadable
            | Self::OddMolto2
            | Self::StorageCard
            | Self::OtherCard
            | Self::OddOtpKey
            | Self::SilentOtpKey => Retry::AfterOperator,
            Self::SecurityKey | Self::OddOathKey => Retry::Never,
        }
    }
}

/// A storage card behind a contactless reader, PC/SC part 3, section 3.1.3.2.3: the reader makes up this answer to
/// reset, and in it the registered identifier of the PC/SC workgroup.
const STORAGE_CARD: [u8; 12] = [0x3B, 0x8F, 0x80, 0x01, 0x80, 0x4F, 0x0C, 0xA0, 0x00, 0x00, 0x03, 0x06];

const FIDO: &[u8] = &[0xA0, 0x00, 0x00, 0x06, 0x47, 0x2F, 0x00, 0x01];

/// Whether a reader of this name is a Molto2. Matching the maker's name would also hit its FIDO keys.
fn is_molto2(reader_name: &str) -> bool {
    reader_name.to_ascii_lowercase().contains("molto")
}

/// Finds out what lies on the reader called `reader_name`. A token with a clock takes exactly one exchange, the first, so
/// that the caller can time the round trip of its clock around this call; a key takes one to three, since its serial may
/// be in another applet, a Token2 key three to eight; anything else takes up to six. A reader whose name has "molto" in it gets commands of the Molto2
/// only.
pub fn identify<L: ApduLink>(mut link: L, reader_name: &str) -> Result<Found<L>, LinkError> {
    if is_molto2(reader_name) {
        return match molto2::Session::ask(&mut link) {
            Ok(info) => {
                let session = molto2::Session::identified(link, info.serial.clone());
                Ok(Found::Token(Token::Molto2(session), Some(info.clock)))
            }
            Err(OpenError::Link(error)) => Err(error),
            Err(OpenError::Status(_) | OpenError::Malformed(_)) => Ok(Found::Other(OtherDevice::OddMolto2)),
        };
    }
    // Such a card has no commands; the reader would answer in its place.
    if link.answer_to_reset().starts_with(&STORAGE_CARD) {
        return Ok(Found::Other(OtherDevice::StorageCard));
    }
    // What calls itself a key is asked as one first: it need not be bothered with another family's command.
    let named_otp = token2_otp::is_named(link.answer_to_reset());
    if named_otp && let Some(found) = otp_key(&mut link)? {
        return Ok(found.attached(link));
    }
    let named = ykoath::named_maker(link.answer_to_reset(), reader_name).is_some();
    if named && let Some(found) = key(&mut link, reader_name)? {
        return Ok(found.attached(link));
    }
    let otherwise = match token2_single::Session::ask(&mut link) {
        Ok(info) => {
            let session = token2_single::Session::identified(link, info.serial.clone());
            return Ok(Found::Token(Token::Single(session), Some(info.clock)));
        }
        Err(OpenError::Link(error)) => return Err(error),
        Err(OpenError::Status(_)) => OtherDevice::OtherCard,
        Err(OpenError::Malformed(_)) => OtherDevice::Unreadable,
    };
    // Before the FIDO applet, which such keys have as well.
    if !named && let Some(found) = key(&mut link, reader_name)? {
        return Ok(found.attached(link));
    }
    if !named_otp && let Some(found) = otp_key(&mut link)? {
        return Ok(found.attached(link));
    }
    Ok(Found::Other(by_applet(&mut link)?.unwrap_or(otherwise)))
}

/// How long a surplus answer may take that another program's question causes: as long as a slow key works on a command.
pub const SURPLUS: Duration = Duration::from_millis(500);

/// Finds out who the key on USB is, whose link carries reports. It answers to its own family's commands only.
///
/// Another program's answer comes here as well, and one that makes sense as a frame makes none as an answer. Then the one to
/// our own question is still to come: `surplus` later it is there, and the next exchange says so.
pub fn identify_hid<L: ApduLink>(mut link: L, surplus: Duration) -> Result<Found<L>, LinkError> {
    Ok(match token2_otp::ask_hid(&mut link) {
        Ok(identity) => WithApplet::OtpKey(identity).attached(link),
        // Nothing was lost: it never said a word.
        Err(OpenError::Link(LinkError::Deadline(_))) => Found::Other(OtherDevice::SilentOtpKey),
        Err(OpenError::Link(error)) => return Err(error),
        Err(OpenError::Status(_) | OpenError::Malformed(_)) => {
            std::thread::sleep(surplus);
            token2_otp::ask_anything(&mut link)?;
            Found::Other(OtherDevice::OddOtpKey)
        }
    })
}

/// What answers to the selection of a key's applet.
enum WithApplet {
    Key(ykoath::Identity),
    OtpKey(token2_otp::Identity),
    Odd(OtherDevice),
}

impl WithApplet {
    fn attached<L: ApduLink>(self, link: L) -> Found<L> {
        match self {
            Self::Key(identity) => {
                Found::Token(Token::Key(ykoath::Session::identified(link, identity)), None)
            }
            Self::OtpKey(identity) => {
                Found::Token(Token::OtpKey(token2_otp::Session::identified(link, identity)), None)
            }
            Self::Odd(device) => Found::Other(device),
        }
    }
}

fn key<L: ApduLink>(link: &mut L, reader_name: &str) -> Result<Option<WithApplet>, LinkError> {
    match ykoath::Session::ask(link, reader_name) {
        Ok(identity) => Ok(Some(WithApplet::Key(identity))),
        Err(OpenError::Link(error)) => Err(error),
        Err(OpenError::Malformed(_)) => Ok(Some(WithApplet::Odd(OtherDevice::OddOathKey))),
        Err(OpenError::Status(_)) => Ok(None),
    }
}

/// Before the FIDO applet, which such keys have as well.
fn otp_key<L: ApduLink>(link: &mut L) -> Result<Option<WithApplet>, LinkError> {
    match token2_otp::ask_reader(link) {
        Ok(identity) => Ok(Some(WithApplet::OtpKey(identity))),
        Err(OpenError::Link(error)) => Err(error),
        Err(OpenError::Malformed(_)) => Ok(Some(WithApplet::Odd(OtherDevice::OddOtpKey))),
        Err(OpenError::Status(_)) => Ok(None),
    }
}

fn by_applet<L: ApduLink>(link: &mut L) -> Result<Option<OtherDevice>, LinkError> {
    if select(link, FIDO)?.status == StatusWord::OK {
        return Ok(Some(OtherDevice::SecurityKey));
    }
    Ok(None)
}

/// Selects an applet by its identifier, with an Le for the answer that the applets give; sent as short APDU of case 4.
fn select<L: ApduLink>(link: &mut L, aid: &[u8]) -> Result<Response, LinkError> {
    let len = u8::try_from(aid.len()).expect("application identifiers have at most 16 bytes");
    let mut bytes = vec![0x00, 0xA4, 0x04, 0x00, len];
    bytes.extend_from_slice(aid);
    bytes.push(0x00);
    link.exchange(&Apdu::plain(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drivers::Family;
    use crate::drivers::transcript::Transcript;

    const SINGLE: &str = "80410000020211";
    const MOLTO2: &str = "8041000000";
    const NFC: &str = "ACS ACR122U PICC Interface 00 00";
    const SELECT_FIDO: &str = "00a4040008a0000006472f000100";
    const SELECT_OATH: &str = "00a4040007a0000005272101";
    const SELECT_OTP: &str = "00a4040008f00000014f747001";
    const CONFIGURATION: &str = "80c5020040";
    const OTP_SERIAL: &str = "8033000012d11000000000000000000000000000000000";
    const TOLD: &str = "d10e37323130323933353738303532389000";

    fn other(story: &[(&str, &str)]) -> OtherDevice {
        let link = Transcript::new(story);
        match identify(link.clone(), NFC).unwrap() {
            Found::Other(device) => {
                assert_eq!(link.left(), 0);
                device
            }
            Found::Token(..) => panic!("taken for a token"),
        }
    }

    fn token(reader: &str, command: &str, reply: &str) -> (Token<Transcript>, Option<UnixTime>) {
        let link = Transcript::new(&[(command, reply)]);
        match identify(link.clone(), reader).unwrap() {
            Found::Token(token, clock) => {
                assert_eq!(link.sent(), 1, "one exchange");
                (token, clock)
            }
            Found::Other(device) => panic!("{device}"),
        }
    }

    #[test]
    fn a_token_is_known_after_one_exchange() {
        let reply = "0000000e383635393632323030303132333400006955b89f9000";
        let (found, clock) = token(NFC, SINGLE, reply);
        assert_eq!((found.driver(), found.serial().as_str()), (Family::Token2Single, "86596220001234"));
        assert_eq!(clock, Some(UnixTime(1_767_225_503)));

        let reply = "00000008313233343536373800006955b9009000";
        for reader in ["TOKEN2 Molto2 [CCID Interface] 00 00", "some MOLTO2"] {
            let (found, _) = token(reader, MOLTO2, reply);
            assert_eq!((found.driver(), found.serial().as_str()), (Family::Molto2, "12345678"));
        }
    }

    #[test]
    fn the_makers_name_alone_is_no_molto2() {
        let reply = "0000000e383635393632323030303132333400006955b89f9000";
        token("Token2 PIN+R3 00 00", SINGLE, reply);
    }

    #[test]
    fn a_molto2_gets_no_foreign_command() {
        for reply in ["6a81", "0000000012349000"] {
            let link = Transcript::new(&[(MOLTO2, reply)]);
            let found = identify(link.clone(), "TOKEN2 Molto2 00 00").unwrap();
            assert!(matches!(found, Found::Other(OtherDevice::OddMolto2)), "{reply}");
            assert_eq!(link.sent(), 1);
        }
    }

    #[test]
    fn other_devices_are_named_for_what_they_are() {
        let refused = (SINGLE, "6d00");
        let no_oath = (SELECT_OATH, "6a82");
        let no_otp = (SELECT_OTP, "6a82");
        let fido = (SELECT_FIDO, "5532465f56329000");
        assert_eq!(other(&[refused, no_oath, no_otp, fido]), OtherDevice::SecurityKey);
        // Answering the selection is not enough for OATH: the version comes first, and a salt or a serial must follow.
        for odd in ["9000", "79030507049000"] {
            assert_eq!(other(&[refused, (SELECT_OATH, odd)]), OtherDevice::OddOathKey, "{odd}");
        }
        let otp =
            [refused, no_oath, (SELECT_OTP, "9000"), (CONFIGURATION, "029000"), (OTP_SERIAL, "d10131ff9000")];
        assert_eq!(other(&otp), OtherDevice::OddOtpKey, "a byte too many behind the serial");
        let nothing = [no_oath, no_otp, (SELECT_FIDO, "6a82")];
        let mut story = vec![refused];
        story.extend(nothing);
        assert_eq!(other(&story), OtherDevice::OtherCard);
        story[0] = (SINGLE, "6f019000");
        assert_eq!(other(&story), OtherDevice::Unreadable);
    }

    #[test]
    fn what_calls_itself_a_key_is_asked_as_one_first() {
        const MANAGEMENT: (&str, &str) = ("00a4040008a000000527471117", "9000");
        const SERIAL: (&str, &str) = ("001d000000", "060204000000079000");
        const YUBIKEY: &str = "3bfd1300008131fe158073c021c057597562694b657940";
        let oath = (SELECT_OATH, "7903050704710801020304050607089000");
        let link = Transcript::new(&[MANAGEMENT, SERIAL, oath]).with_answer_to_reset(YUBIKEY);
        let Found::Token(found, clock) = identify(link.clone(), NFC).unwrap() else { panic!("no token") };
        assert_eq!((found.driver(), found.serial().as_str(), clock), (Family::Ykoath, "7", None));
        assert_eq!(link.left(), 0);

        // The applet may be switched off: then it is what is left of it.
        let without = [
            MANAGEMENT,
            SERIAL,
            (SELECT_OATH, "6a82"),
            (SINGLE, "6d00"),
            (SELECT_OTP, "6a82"),
            (SELECT_FIDO, "5532465f56329000"),
        ];
        let link = Transcript::new(&without).with_answer_to_reset(YUBIKEY);
        let found = identify(link.clone(), NFC).unwrap();
        assert!(matches!(found, Found::Other(OtherDevice::SecurityKey)), "{found:?}");
        assert_eq!(link.left(), 0);

        // Nameless ones are asked after the tokens, and are keys as well.
        let link = Transcript::new(&[(SINGLE, "6d00"), oath]);
        let Found::Token(found, _) = identify(link, NFC).unwrap() else { panic!("no token") };
        assert_eq!(found.serial().as_str(), "salt-0102030405060708");
    }

    #[test]
    fn an_otp_key_tells_its_serial_here_or_there() {
        let serial = |story: &[(&str, &str)], atr: &str| {
            let link = Transcript::new(story).with_answer_to_reset(atr);
            let Found::Token(found, clock) = identify(link.clone(), NFC).unwrap() else { panic!("no token") };
            assert_eq!((found.driver(), clock, link.left()), (Family::Token2Otp, None, 0));
            found.serial().to_string()
        };
        let selected = (SELECT_OTP, "9000");
        let short = (CONFIGURATION, "029000");
        // Its answer to reset names it: nothing else is asked.
        const NAMED: &str = "3bff1800001080868e00166166003335373830353238";
        assert_eq!(serial(&[selected, short, (OTP_SERIAL, TOLD)], NAMED), "72102935780528");
        // It may be nameless, know the configuration in the other form only, and want the prelude.
        let nameless = [
            (SINGLE, "6d00"),
            (SELECT_OATH, "6a82"),
            selected,
            (CONFIGURATION, "6700"),
            ("80c502000a00000000000000000000", "022a86011000020102379000"),
            (OTP_SERIAL, "6d00"),
            ("80c503000104", "9000"),
            (OTP_SERIAL, TOLD),
        ];
        assert_eq!(serial(&nameless, ""), "72102935780528");
        // Or tell it beside the FIDO applet, which says that it isn't there.
        let elsewhere = [
            selected,
            short,
            (OTP_SERIAL, "6a86"),
            ("00a4040008a0000006472f0001", "6a81"),
            (OTP_SERIAL, TOLD),
            selected,
        ];
        assert_eq!(serial(&elsewhere, NAMED), "72102935780528");
    }

    /// As the link that joins reports: where an answer lies there before a question, that is the end of it.
    struct Spoiled(Transcript);

    impl ApduLink for Spoiled {
        fn exchange(&mut self, command: &Apdu) -> Result<Response, LinkError> {
            if self.0.left() == 0 { Err(LinkError::Interfered) } else { self.0.exchange(command) }
        }

        fn answer_to_reset(&self) -> &[u8] {
            &[]
        }
    }

    #[test]
    fn a_key_on_usb_is_asked_for_its_public_key_first() {
        const POINT: &str = "19962c1db43584d71435d1b44224dd62a00c0359c0a53875179e71ad38eaf6d8e2dc1be2ece6323dc4dd5fe6ce7dcebf7d03d3671032cb20dc9f84ef5c7d652b9000";
        let asked = ("80c5010000", POINT);
        let story = [asked, (CONFIGURATION, "022a86011000020102379000"), (OTP_SERIAL, TOLD)];
        let link = Transcript::new(&story);
        let Ok(Found::Token(found, None)) = identify_hid(link.clone(), Duration::ZERO) else {
            panic!("no token")
        };
        assert_eq!((found.serial().as_str(), link.left()), ("72102935780528", 0));
        for odd in ["6d00", "049000"] {
            let twice = [("80c5010000", odd); 2];
            let found = identify_hid(Transcript::new(&twice), Duration::ZERO).unwrap();
            assert!(matches!(found, Found::Other(OtherDevice::OddOtpKey)), "{odd}");
        }
        // The answer to the serial was another program's, so ours is surplus.
        let spoiled = Spoiled(Transcript::new(&[
            asked,
            (CONFIGURATION, "022a86011000020102379000"),
            (OTP_SERIAL, POINT),
        ]));
        assert_eq!(identify_hid(spoiled, Duration::ZERO).err(), Some(LinkError::Interfered));
        let gone = identify_hid(Transcript::new(&[asked, (CONFIGURATION, "")]), Duration::ZERO).err();
        assert_eq!(gone, Some(LinkError::Gone));
    }

    #[test]
    fn a_storage_card_is_known_without_an_exchange() {
        let link = Transcript::new(&[]).with_answer_to_reset("3b8f8001804f0ca000000306030001000000006a");
        let found = identify(link, NFC).unwrap();
        assert!(matches!(found, Found::Other(OtherDevice::StorageCard)));
    }

    #[test]
    fn a_lost_link_is_no_verdict() {
        let lost = |story: &[(&str, &str)]| identify(Transcript::new(story), NFC).err();
        assert_eq!(lost(&[(SINGLE, "")]), Some(LinkError::Gone));
        assert_eq!(lost(&[(SINGLE, "6d00"), (SELECT_OATH, "")]), Some(LinkError::Gone));
        let late = [(SINGLE, "6d00"), (SELECT_OATH, "6a82"), (SELECT_OTP, "6a82"), (SELECT_FIDO, "")];
        assert_eq!(lost(&late), Some(LinkError::Gone));
    }

    #[test]
    fn every_device_has_a_name_and_a_remedy() {
        for device in [
            OtherDevice::SecurityKey,
            OtherDevice::OddOathKey,
            OtherDevice::OddOtpKey,
            OtherDevice::SilentOtpKey,
            OtherDevice::StorageCard,
            OtherDevice::Unreadable,
            OtherDevice::OddMolto2,
            OtherDevice::OtherCard,
        ] {
            assert!(device.to_string().starts_with("a"), "{device}");
            assert!(device.remedy().len() > 20 && device.retry() != Retry::Soon, "{device}");
        }
    }
}
