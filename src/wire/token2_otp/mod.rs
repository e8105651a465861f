//! The OTP applet of Token2's FIDO keys, over CCID, NFC and USB HID. Protocol page `token2-otp`; the vectors were made
//! with other implementations of curve and cipher, and compared with the byte layer of keyroost. No firmware is public,
//! and no answer of a device was captured: what a device says is as two hosts' sources read it.
//!
//! Nothing here sends the mask that turns interfaces off: one of its values leaves a key unreachable for good.

pub mod frame;
mod reply;
mod seal;

pub use reply::{
    Configuration, Page, Record, Told, parse_answer_to_reset, parse_configuration, parse_one, parse_page,
    parse_serial, takes_extended,
};
pub use seal::{DeviceKey, HostKey, parse_public_key, self_test};

use super::EncodeError;
use crate::domain::{Digits, Hash, Mode, Parameters, Seed, Touch, UnixTime, credential::TwoNames};
use crate::link::{Apdu, StatusWord};
use std::ops::Range;
use zeroize::Zeroizing;

/// The applet's identifier.
pub const AID: [u8; 8] = [0xF0, 0x00, 0x00, 0x01, 0x4F, 0x74, 0x70, 0x01];

/// The FIDO applet, which some firmware wants selected before it tells its serial.
const FIDO: [u8; 8] = [0xA0, 0x00, 0x00, 0x06, 0x47, 0x2F, 0x00, 0x01];

/// No such entry; of a list: it is empty. Some firmware says the one, some the other.
pub const NO_ENTRY: [StatusWord; 2] = [StatusWord(0x6A80), StatusWord(0x6A83)];
/// No room for another entry.
pub const FULL: StatusWord = StatusWord(0x6A84);
/// The keyboard, which types the button's codes, is off.
pub const NOT_AVAILABLE: StatusWord = StatusWord(0x6A81);
/// No counter-based codes on this model; or another applet is selected.
pub const NOT_SUPPORTED: StatusWord = StatusWord(0x6A86);
/// No touch in time.
pub const UNTOUCHED: StatusWord = StatusWord(0x6FF9);
/// Wrong length: an extended command, to a reader that takes short ones only.
pub const WRONG_LENGTH: StatusWord = StatusWord(0x6700);
/// No such instruction; of the serial: the prelude is wanted first.
pub const UNKNOWN_INSTRUCTION: StatusWord = StatusWord(0x6D00);

/// The longest body of a short command, in bytes.
const SHORT: usize = 255;

/// A command with a body, in the short form where that holds it. `secret` counts within the body.
fn command(header: [u8; 4], body: &[u8], secret: Range<usize>) -> Apdu {
    let mut bytes = Vec::with_capacity(7 + body.len());
    bytes.extend(header);
    match u8::try_from(body.len()) {
        Ok(len) => bytes.push(len),
        Err(_) => {
            // The longest body is an entry's, of 272 bytes.
            let len = u16::try_from(body.len()).expect("bodies have at most some hundred bytes");
            bytes.push(0);
            bytes.extend(len.to_be_bytes());
        }
    }
    let head = bytes.len();
    bytes.extend_from_slice(body);
    Apdu::with_secret(bytes, head + secret.start..head + secret.end)
}

fn vendor(p1: u8, p2: u8, body: &[u8]) -> Apdu {
    command([0x80, 0xC5, p1, p2], body, 0..0)
}

/// Whether a command goes in the short form, which every reader takes.
pub fn is_short(command: &Apdu) -> bool {
    command.bytes().len() <= 5 + SHORT
}

/// Selects the applet, over CCID and NFC. Another applet's selection, or a reset, loses it: select it before each
/// operation.
pub fn select() -> Apdu {
    command([0x00, 0xA4, 0x04, 0x00], &AID, 0..0)
}

/// Selects the FIDO applet. Some firmware says that there is none, and selects it.
pub fn select_fido() -> Apdu {
    command([0x00, 0xA4, 0x04, 0x00], &FIDO, 0..0)
}

/// Asks for the public key that the next entry is sealed for.
pub fn read_public_key() -> Apdu {
    Apdu::plain([0x80, 0xC5, 0x01, 0x00, 0x00])
}

/// Asks for the configuration: the form that keyroost and Token2's own program use.
pub fn read_configuration() -> Apdu {
    Apdu::plain([0x80, 0xC5, 0x02, 0x00, 0x40])
}

/// Asks for the configuration in another form, that of the go library.
pub fn read_configuration_by_data() -> Apdu {
    vendor(0x02, 0x00, &[0; 10])
}

/// What firmware R3.1 wants to hear before it tells its serial.
pub fn serial_prelude() -> Apdu {
    vendor(0x03, 0x00, &[0x04])
}

/// Asks for the serial.
pub fn read_serial() -> Apdu {
    let mut body = [0; 18];
    body[..2].copy_from_slice(&[0xD1, 0x10]);
    command([0x80, 0x33, 0x00, 0x00], &body, 0..0)
}

/// The moment as the key is told it: it has no clock of its own.
fn moment(at: UnixTime) -> Result<[u8; 8], EncodeError> {
    u64::try_from(at.0).map(u64::to_be_bytes).map_err(|_| EncodeError::Clock(at))
}

/// Asks for the first page of the list, with the codes of `at`.
pub fn list(at: UnixTime) -> Result<Apdu, EncodeError> {
    let mut body = vec![0x03];
    body.extend(moment(at)?);
    Ok(vendor(0x05, 0x00, &body))
}

/// Asks for the next page, with the moment that the first one was asked with.
pub fn list_next(at: UnixTime) -> Result<Apdu, EncodeError> {
    Ok(vendor(0x05, 0x01, &moment(at)?))
}

/// Asks for one code. A time-based entry gives that of `at`; a counter-based one gives its next and has used it up. Waits
/// for a touch where the entry wants one.
pub fn read_one(names: &TwoNames, at: UnixTime) -> Result<Apdu, EncodeError> {
    let mut body = vec![0x01];
    body.extend(moment(at)?);
    push_names(&mut body, names)?;
    Ok(vendor(0x05, 0x00, &body))
}

/// Length and text, twice.
fn push_names(body: &mut Vec<u8>, names: &TwoNames) -> Result<(), EncodeError> {
    let most = usize::from(TwoNames::MAX_BYTES);
    for (text, least) in [(&names.application, 0), (&names.account, 1)] {
        if !(least..=most).contains(&text.len()) {
            return Err(EncodeError::NameLength(text.len()));
        }
        // At most 64.
        body.push(text.len() as u8);
        body.extend(text.bytes());
    }
    Ok(())
}

/// What is written of an entry besides its names.
struct Written<'s> {
    kind: u8,
    algorithm: u8,
    step: u16,
    digits: u8,
    touch: u8,
    seed: &'s [u8],
}

/// An entry in clear. Section 6.
fn plaintext(names: &TwoNames, written: &Written<'_>) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
    // Room for the longest, so that nothing is left behind by growing.
    let mut plain = Zeroizing::new(Vec::with_capacity(256));
    plain.extend([written.kind, written.algorithm]);
    plain.extend(written.step.to_be_bytes());
    plain.extend([written.digits, written.touch]);
    push_names(&mut plain, names)?;
    plain.push(u8::try_from(written.seed.len()).map_err(|_| EncodeError::KeySeedLength(written.seed.len()))?);
    plain.extend_from_slice(written.seed);
    Ok(plain)
}

/// What is to be written, checked; sealed only with [`Entry::seal`].
pub struct Entry(Zeroizing<Vec<u8>>);

impl Entry {
    /// An entry of these names. One that has the same names is overwritten without a word.
    pub fn new(
        names: &TwoNames,
        parameters: &Parameters,
        touch: Touch,
        seed: &Seed,
    ) -> Result<Self, EncodeError> {
        if let Some(character) =
            names.application.chars().chain(names.account.chars()).find(|c| !is_plain(*c))
        {
            return Err(EncodeError::NameCharacter(character));
        }
        let algorithm = match parameters.hash {
            Hash::Sha1 => 0xC1,
            Hash::Sha256 => 0xC2,
            Hash::Sha512 => return Err(EncodeError::Hash(parameters.hash)),
        };
        let (kind, step) = match parameters.mode {
            Mode::Totp { t0, .. } if t0 != UnixTime(0) => return Err(EncodeError::StartTime(t0)),
            Mode::Totp { period, .. } => {
                (1, u16::try_from(period.as_secs()).map_err(|_| EncodeError::Period(period))?)
            }
            // There is no field for it.
            Mode::Hotp { counter: counter @ 1.. } => return Err(EncodeError::StartCounter(counter)),
            Mode::Hotp { counter: 0 } => (0, 0),
        };
        let seed = match seed.len_bytes() {
            1..=KEY_SEED_MAX_BYTES => seed.expose(),
            len => return Err(EncodeError::KeySeedLength(len)),
        };
        let touch = u8::from(touch == Touch::Required);
        let digits = parameters.digits.get();
        plaintext(names, &Written { kind, algorithm, step, digits, touch, seed }).map(Self)
    }

    /// The order to delete the entry of these names.
    pub fn deletion(names: &TwoNames) -> Result<Self, EncodeError> {
        let nothing = Written { kind: 0, algorithm: 0, step: 0, digits: 0, touch: 0, seed: &[] };
        plaintext(names, &nothing).map(Self)
    }

    /// The command that writes it, sealed for the key that told `device`. Never without a body: a bare header would
    /// erase all entries.
    pub fn seal(&self, device: &DeviceKey, host: HostKey) -> Apdu {
        sealed([0x05, 0x02], device, host, seal::ENTRY_VECTOR, &self.0)
    }
}

/// The longest seed of an entry, in bytes.
pub const KEY_SEED_MAX_BYTES: usize = 64;

/// Whether a name may hold it: the key takes ASCII only, and nobody could read the rest.
fn is_plain(character: char) -> bool {
    character.is_ascii_graphic() || character == ' '
}

fn sealed([p1, p2]: [u8; 2], device: &DeviceKey, host: HostKey, vector: [u8; 16], plain: &[u8]) -> Apdu {
    let payload = seal::seal(device, host, vector, plain);
    debug_assert!(payload.len() > seal::POINT, "a command that writes has a body");
    command([0x80, 0xC5, p1, p2], &payload, seal::POINT..payload.len())
}

/// Erases all entries, and only a touch stands before that: a bare header. Over NFC it may act at once.
pub fn erase_all() -> Apdu {
    Apdu::plain([0x80, 0xC5, 0x05, 0x02])
}

/// Turns the list of time-based entries on or off.
pub fn set_time_based(on: bool) -> Apdu {
    vendor(0x02, 0x05, &[on.into()])
}

/// What the button types with its code, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ButtonOption {
    /// No Enter after the code.
    NoEnter,
    /// A long touch instead of a short one.
    LongTouch,
    /// The codes of the numeric keypad, which no keyboard layout changes.
    Keypad,
}

/// Sets one of them.
pub fn set_button_option(option: ButtonOption, on: bool) -> Apdu {
    let p2 = match option {
        ButtonOption::NoEnter => 0x02,
        ButtonOption::LongTouch => 0x04,
        ButtonOption::Keypad => 0x06,
    };
    vendor(0x02, p2, &[on.into()])
}

/// The seed of the button, whose codes the key types as a keyboard: apart from the list, and one only. Section 11.
pub struct ButtonSeed(Zeroizing<Vec<u8>>);

impl ButtonSeed {
    /// Of 6 or 8 digits.
    pub fn new(digits: Digits, seed: &Seed) -> Result<Self, EncodeError> {
        if ![Digits::SIX, Digits::EIGHT].contains(&digits) {
            return Err(EncodeError::Digits(digits));
        }
        let raw = seed.expose();
        let len = match raw.len() {
            1..=KEY_SEED_MAX_BYTES => raw.len() as u8,
            len => return Err(EncodeError::KeySeedLength(len)),
        };
        let mut plain = Zeroizing::new(Vec::with_capacity(2 + raw.len()));
        plain.extend([digits.get(), len]);
        plain.extend_from_slice(raw);
        Ok(Self(plain))
    }

    /// The order to delete it.
    pub fn deletion() -> Self {
        Self(Zeroizing::new(vec![0, 0]))
    }

    /// The command that writes it, sealed for the key that told `device`.
    pub fn seal(&self, device: &DeviceKey, host: HostKey) -> Apdu {
        sealed([0x00, 0x00], device, host, seal::BUTTON_VECTOR, &self.0)
    }
}

/// Asks for the rest of an answer, of so many bytes.
pub fn send_remaining(count: u8) -> Apdu {
    Apdu::plain([0x00, 0xC0, 0x00, 0x00, count])
}

/// How much of an answer is to come, where its status says that more is.
pub fn remaining(status: StatusWord) -> Option<u8> {
    let [high, low] = status.0.to_be_bytes();
    (high == 0x61).then_some(low)
}

/// The same command, with the number of bytes that its refusal says it should expect; none where it says no such thing, or
/// the command has a body.
pub fn expecting(command: &Apdu, status: StatusWord) -> Option<Apdu> {
    let [high, low] = status.0.to_be_bytes();
    match command.bytes() {
        [class, ins, p1, p2] | [class, ins, p1, p2, _] if high == 0x6C && !erases(command) => {
            Some(Apdu::plain([*class, *ins, *p1, *p2, low]))
        }
        _ => None,
    }
}

/// Whether a command is the bare header that erases everything.
fn erases(command: &Apdu) -> bool {
    command.bytes().starts_with(&[0x80, 0xC5, 0x05, 0x02])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Period;
    use proptest::prelude::*;

    fn names(application: &str, account: &str) -> TwoNames {
        TwoNames { application: application.to_owned(), account: account.to_owned() }
    }

    fn entry(names: &TwoNames, parameters: &Parameters, seed: usize) -> Result<(), EncodeError> {
        Entry::new(names, parameters, Touch::Free, &Seed::new(vec![7; seed])).map(drop)
    }

    #[test]
    fn what_no_key_takes_is_refused_here() {
        let standard = Parameters::standard();
        let plain = names("Acme", "ann");
        assert_eq!(entry(&plain, &standard, 64), Ok(()));
        assert_eq!(entry(&plain, &standard, 65), Err(EncodeError::KeySeedLength(65)));
        assert_eq!(entry(&plain, &standard, 0), Err(EncodeError::KeySeedLength(0)));
        assert_eq!(entry(&names("", "a"), &standard, 20), Ok(()), "an application is not needed");
        assert_eq!(entry(&names("A", ""), &standard, 20), Err(EncodeError::NameLength(0)));
        assert_eq!(entry(&names(&"A".repeat(65), "a"), &standard, 20), Err(EncodeError::NameLength(65)));
        assert_eq!(entry(&names("B\u{fc}ro", "a"), &standard, 20), Err(EncodeError::NameCharacter('\u{fc}')));
        let sha512 = Parameters { hash: Hash::Sha512, ..standard };
        assert_eq!(entry(&plain, &sha512, 20), Err(EncodeError::Hash(Hash::Sha512)));
        let period = Period::from_secs(65_536).unwrap();
        let slow = Parameters { mode: Mode::Totp { period, t0: UnixTime(0) }, ..standard };
        assert_eq!(entry(&plain, &slow, 20), Err(EncodeError::Period(period)));
        let later = Mode::Totp { period: Period::THIRTY, t0: UnixTime(5) };
        let later = Parameters { mode: later, ..standard };
        assert_eq!(entry(&plain, &later, 20), Err(EncodeError::StartTime(UnixTime(5))));
        let counted = Parameters { mode: Mode::Hotp { counter: 3 }, ..standard };
        assert_eq!(entry(&plain, &counted, 20), Err(EncodeError::StartCounter(3)));
        assert_eq!(list(UnixTime(-1)).map(|_| ()), Err(EncodeError::Clock(UnixTime(-1))));
        let seven = Digits::new(7).unwrap();
        let button = ButtonSeed::new(seven, &Seed::new([7; 20])).map(drop);
        assert_eq!(button, Err(EncodeError::Digits(seven)));
    }

    fn sealed_entry(application: usize, account: usize, seed: usize) -> Apdu {
        let names = names(&"A".repeat(application), &"a".repeat(account));
        let seed = Seed::new(vec![7; seed]);
        let entry = Entry::new(&names, &Parameters::standard(), Touch::Free, &seed).unwrap();
        let device = seal::known_device();
        entry.seal(&device, HostKey::from_random(&[5; 32]).unwrap())
    }

    #[test]
    fn the_longest_entry_goes_in_the_extended_form_and_most_in_the_short() {
        assert!(is_short(&sealed_entry(4, 5, 20)));
        // Section 3: application, account and seed of 166 bytes fit, 167 don't.
        assert!(is_short(&sealed_entry(51, 51, 64)) && !is_short(&sealed_entry(51, 52, 64)));
        let longest = sealed_entry(64, 64, 64);
        assert_eq!(longest.bytes()[..7], [0x80, 0xC5, 0x05, 0x02, 0, 0x01, 0x10]);
        assert_eq!(longest.bytes().len(), 7 + 272);
    }

    #[test]
    fn what_is_sealed_is_not_shown() {
        let shown = format!("{:?}", sealed_entry(4, 5, 20));
        assert!(shown.starts_with("Apdu(80c5050270") && shown.ends_with("····)"), "{shown}");
        assert_eq!(shown.matches("··").count(), 48);
    }

    #[test]
    fn an_erasing_header_is_never_sent_again_by_itself() {
        assert_eq!(expecting(&erase_all(), StatusWord(0x6C10)).map(|_| ()), None);
        let again = expecting(&read_public_key(), StatusWord(0x6C40)).unwrap();
        assert_eq!(again.bytes(), [0x80, 0xC5, 0x01, 0x00, 0x40]);
        assert!(expecting(&read_public_key(), StatusWord::OK).is_none());
        assert!(expecting(&serial_prelude(), StatusWord(0x6C40)).is_none());
        assert_eq!((remaining(StatusWord(0x6110)), remaining(StatusWord::OK)), (Some(0x10), None));
    }

    proptest! {
        #[test]
        fn a_command_that_writes_is_never_the_one_that_erases(
            application in "[ -~]{0,64}", account in "[ -~]{1,64}", seed in proptest::collection::vec(any::<u8>(), 1..=64)
        ) {
            let names = names(&application, &account);
            let device = seal::known_device();
            for entry in [
                Entry::new(&names, &Parameters::standard(), Touch::Free, &Seed::new(seed)).unwrap(),
                Entry::deletion(&names).unwrap(),
            ] {
                let apdu = entry.seal(&device, HostKey::from_random(&[5; 32]).unwrap());
                prop_assert!(apdu.bytes().len() > 64 + 16);
            }
        }
    }
}
