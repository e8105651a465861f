//! What the applet answers.

use crate::domain::{
    Code, Digits, Hash, Mode, Parameters, Period, Serial, Touch, UnixTime, credential::TwoNames,
};
use crate::wire::ReplyError;

/// An entry as the key tells it: all but the seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its names.
    pub names: TwoNames,
    /// How codes are made of its seed. The counter of a counter-based one is not told, and 0 here.
    pub parameters: Parameters,
    /// Whether each code wants a touch.
    pub touch: Touch,
    /// Its code for the moment that was sent, where the answer holds one.
    pub code: Option<Code>,
}

/// One page of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its entries.
    pub records: Vec<Record>,
    /// Whether another page follows.
    pub more: bool,
}

/// Whether a record has a code at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// Where the key calculates it by itself: time-based, and without a touch.
    OnAList,
    /// Always.
    Asked,
}

/// Reads one page of the list. Records follow each other without lengths, so that a single odd byte makes the whole page
/// unreadable, and nothing of it is taken.
pub fn parse_page(data: &[u8]) -> Result<Page, ReplyError> {
    let Some((first, _)) = data.split_first() else { return Ok(Page { records: Vec::new(), more: false }) };
    let more = first & 0x80 != 0;
    let mut cursor = Cursor { data, at: 0 };
    let mut records = Vec::new();
    while cursor.at < data.len() {
        let mask = if cursor.at == 0 { 0x7F } else { 0xFF };
        records.push(cursor.record(mask, Tail::OnAList)?);
    }
    Ok(Page { records, more })
}

/// Reads the answer to a question for one code.
pub fn parse_one(data: &[u8]) -> Result<Record, ReplyError> {
    let mut cursor = Cursor { data, at: 0 };
    let record = cursor.record(0xFF, Tail::Asked)?;
    if cursor.at == data.len() {
        Ok(record)
    } else {
        Err(ReplyError::Length { expected: cursor.at, found: data.len() })
    }
}

struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], ReplyError> {
        let taken = self.data.get(self.at..self.at + count).ok_or(ReplyError::Record { at: self.at })?;
        self.at += count;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, ReplyError> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// A byte that must be one of a few.
    fn of<T>(&mut self, mask: u8, meaning: impl Fn(u8) -> Option<T>) -> Result<T, ReplyError> {
        let at = self.at;
        let found = self.byte()? & mask;
        meaning(found).ok_or(ReplyError::Byte { at, found })
    }

    /// A length and a text of so many bytes, at most 64.
    fn text(&mut self, least: u8) -> Result<String, ReplyError> {
        let at = self.at;
        let len = self.of(0xFF, |len| (least..=TwoNames::MAX_BYTES).contains(&len).then_some(len))?;
        let text = self.take(len.into())?;
        str::from_utf8(text).map(str::to_owned).map_err(|_| ReplyError::Text { at })
    }

    fn record(&mut self, mask: u8, tail: Tail) -> Result<Record, ReplyError> {
        let counts = self.of(mask, |kind| match kind {
            0 => Some(true),
            1 => Some(false),
            _ => None,
        })?;
        let hash = self.of(0xFF, |algorithm| match algorithm {
            0xC1 => Some(Hash::Sha1),
            0xC2 => Some(Hash::Sha256),
            _ => None,
        })?;
        let at = self.at;
        let step = self.take(2)?;
        let step = u16::from_be_bytes([step[0], step[1]]);
        let mode = match (counts, Period::from_secs(step.into())) {
            (true, Err(_)) => Mode::Hotp { counter: 0 },
            (false, Ok(period)) => Mode::Totp { period, t0: UnixTime(0) },
            (true, Ok(_)) | (false, Err(_)) => {
                return Err(ReplyError::Byte { at: at + 1, found: step.to_be_bytes()[1] });
            }
        };
        let digits = self.of(0xFF, |digits| Digits::new(digits.into()).ok())?;
        let touch = self.of(0xFF, |touch| match touch {
            0 => Some(Touch::Free),
            1 => Some(Touch::Required),
            _ => None,
        })?;
        let application = self.text(0)?;
        let account = self.text(1)?;
        let has_code = match tail {
            Tail::Asked => true,
            Tail::OnAList => !counts && touch == Touch::Free,
        };
        let code = if has_code { Some(self.code(digits)?) } else { None };
        let parameters = Parameters { hash, digits, mode };
        Ok(Record { names: TwoNames { application, account }, parameters, touch, code })
    }

    fn code(&mut self, digits: Digits) -> Result<Code, ReplyError> {
        let at = self.at;
        let len = self.of(0xFF, |len| (len == digits.get()).then_some(len))?;
        let digits = self.take(len.into())?;
        // What a person may type between them, a key does not send.
        let text = str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit));
        Code::parse(text.ok_or(ReplyError::Text { at })?).map_err(|_| ReplyError::Text { at })
    }
}

/// Reads the answer to [`super::read_serial`]: the tag D1, a length, the digits.
pub fn parse_serial(data: &[u8]) -> Result<Serial, ReplyError> {
    let [tag, len, digits @ ..] = data else {
        return Err(ReplyError::Length { expected: 2, found: data.len() });
    };
    if *tag != 0xD1 {
        return Err(ReplyError::Byte { at: 0, found: *tag });
    }
    if digits.len() != usize::from(*len) {
        return Err(ReplyError::Length { expected: 2 + usize::from(*len), found: data.len() });
    }
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(ReplyError::SerialText);
    }
    let text = str::from_utf8(digits).map_err(|_| ReplyError::SerialText)?;
    text.parse().map_err(|_| ReplyError::SerialLength(digits.len()))
}

/// What a key tells of itself. Over CCID and NFC some firmware tells only the first byte: what was not told is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Configuration {
    bytes: Vec<u8>,
}

impl Configuration {
    fn bit(&self, byte: usize, bit: u8) -> Option<bool> {
        self.bytes.get(byte).map(|bits| bits & bit != 0)
    }

    /// Whether its interface for FIDO, over which reports go as well, is off.
    pub fn fido_off(&self) -> Option<bool> {
        self.bit(0, 0x01)
    }

    /// Whether its keyboard, which types the button's codes, is off.
    pub fn keyboard_off(&self) -> Option<bool> {
        self.bit(0, 0x02)
    }

    /// Whether its interface for smart cards is off.
    pub fn ccid_off(&self) -> Option<bool> {
        self.bit(0, 0x04)
    }

    /// Whether it keeps counter-based entries.
    pub fn counts(&self) -> Option<bool> {
        self.bit(1, 0x04)
    }

    /// Whether its list of time-based entries is on.
    pub fn keeps_time_based(&self) -> Option<bool> {
        self.bit(9, 0x01)
    }

    /// Whether it types codes at its button.
    pub fn types_codes(&self) -> Option<bool> {
        self.bit(9, 0x20).map(|not| !not)
    }

    /// Whether its button has a seed.
    pub fn button_is_filled(&self) -> Option<bool> {
        self.bit(1, 0x80)
    }

    /// Its version of FIDO, by which its makes are told apart.
    pub fn fido_version(&self) -> Option<[u8; 3]> {
        self.bytes.get(6..9).and_then(|version| version.try_into().ok())
    }
}

/// Reads the answer to either way of asking for the configuration: a byte at the least, of which ten are known.
pub fn parse_configuration(data: &[u8]) -> Result<Configuration, ReplyError> {
    match data {
        [] => Err(ReplyError::Length { expected: 10, found: 0 }),
        bytes => Ok(Configuration { bytes: bytes.to_vec() }),
    }
}

/// What an answer to reset tells of such a key: the USB product id, and the end of the serial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// As on USB.
    pub product: u16,
    /// The last eight digits.
    pub serial_ends: String,
}

/// Reads the fifteen historical bytes that many keys have: 86 8E, the product, three bytes, eight digits. Keys of 2024
/// and later may show a general one of a PIV card instead.
pub fn parse_answer_to_reset(atr: &[u8]) -> Option<Told> {
    const HISTORICAL: usize = 7;
    let [0x86, 0x8E, high, low, _, _, _, digits @ ..] = atr.get(HISTORICAL..)? else { return None };
    let digits = digits.get(..8).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    Some(Told {
        product: u16::from_be_bytes([*high, *low]),
        serial_ends: digits.iter().map(|digit| char::from(*digit)).collect(),
    })
}

/// Whether a card of this answer to reset offers the protocol T=1, and so takes commands of the extended form: a reader
/// that speaks T=0 to it answers them with 6700. ISO/IEC 7816-3, section 8.2.3; cards without contacts offer both.
pub fn takes_extended(atr: &[u8]) -> bool {
    let mut at = 1;
    while let Some(format) = atr.get(at).filter(|format| *format & 0x80 != 0) {
        // TA, TB and TC come before TD, each only where its bit says so.
        at += (format >> 4 & 0x07).count_ones() as usize + 1;
        if atr.get(at).is_some_and(|protocol| protocol & 0x0F == 1) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(hex: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
    }

    #[test]
    fn a_page_is_read_whole_or_not_at_all() {
        let page = bytes("80c1000006000148017801c1001e0600045465737405616c69636506313233343536");
        let read = parse_page(&page).unwrap();
        assert!(read.more);
        let [counted, timed] = &read.records[..] else { panic!("two records") };
        assert_eq!((&counted.parameters.mode, &counted.code), (&Mode::Hotp { counter: 0 }, &None));
        assert_eq!(timed.code.as_ref().map(Code::as_str), Some("123456"));
        for len in 1..page.len() {
            // The first record has ten bytes.
            assert_eq!(parse_page(&page[..len]).is_ok(), len == 10, "{len} bytes");
        }
        for (at, odd) in [(0, 0x82), (1, 0xC3), (3, 0x1E), (4, 3), (4, 11), (5, 2), (6, 65), (8, 0), (8, 65)]
        {
            let mut page = page.clone();
            page[at] = odd;
            assert!(parse_page(&page).is_err(), "{odd:02x} at {at}");
        }
        assert_eq!(parse_page(&[]), Ok(Page { records: vec![], more: false }));
        let mut marked = page.clone();
        marked[10] |= 0x80;
        assert_eq!(parse_page(&marked), Err(ReplyError::Byte { at: 10, found: 0x81 }), "in the first only");
    }

    #[test]
    fn an_asked_code_is_always_there_and_alone() {
        let touchy = bytes("01c2003c08010441636d6503626f62083132333435363738");
        assert_eq!(parse_one(&touchy).unwrap().code.unwrap().as_str(), "12345678");
        let bare = bytes("01c2003c08010441636d6503626f62");
        assert!(parse_one(&bare).is_err() && parse_page(&bare).is_ok());
        assert!(parse_one(&[touchy.clone(), vec![0]].concat()).is_err());
        let mut odd = touchy;
        for no_digit in [b'x', b' ', 0xB2] {
            *odd.last_mut().unwrap() = no_digit;
            assert!(parse_one(&odd).is_err(), "a code is digits, not {no_digit:02x}");
        }
    }

    #[test]
    fn a_serial_is_a_tag_a_length_and_digits() {
        assert_eq!(parse_serial(b"\xd1\x0e72102935780528").unwrap().as_str(), "72102935780528");
        assert_eq!(parse_serial(b"\xd2\x011"), Err(ReplyError::Byte { at: 0, found: 0xD2 }));
        assert!(parse_serial(b"\xd1\x0212\x00").is_err() && parse_serial(b"\xd1\x031").is_err());
        assert_eq!(parse_serial(b"\xd1\x021a"), Err(ReplyError::SerialText));
        assert_eq!(parse_serial(b"\xd1\x00"), Err(ReplyError::SerialLength(0)));
        assert!(parse_serial(b"\xd1").is_err());
    }

    #[test]
    fn what_a_short_configuration_leaves_out_is_not_known() {
        let whole = parse_configuration(&bytes("022a8601100002010237")).unwrap();
        assert_eq!(
            (whole.counts(), whole.keeps_time_based(), whole.types_codes()),
            (Some(false), Some(true), Some(false))
        );
        assert_eq!((whole.keyboard_off(), whole.fido_version()), (Some(true), Some([2, 1, 2])));
        let short = parse_configuration(&[0x02]).unwrap();
        assert_eq!((short.fido_off(), short.ccid_off()), (Some(false), Some(false)));
        assert_eq!((short.counts(), short.keeps_time_based(), short.button_is_filled()), (None, None, None));
        assert!(parse_configuration(&[]).is_err());
    }

    #[test]
    fn answers_to_reset_tell_the_product_and_whether_commands_may_be_long() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/vectors/token2-otp.json")).unwrap();
        let mut told = 0;
        for sample in file["atr_samples"].as_array().unwrap() {
            let atr = bytes(sample["atr"].as_str().unwrap());
            let read = parse_answer_to_reset(&atr);
            let product = sample["usb_product_id"].as_str().map(|id| u16::from_str_radix(id, 16).unwrap());
            assert_eq!(read.as_ref().map(|told| told.product), product);
            assert_eq!(read.as_ref().map(|told| told.serial_ends.as_str()), sample["serial_suffix"].as_str());
            told += usize::from(read.is_some());
        }
        assert_eq!(told, 2);
        for (atr, extended) in [
            ("3bff1800001080868e0016", false),
            ("3b8f8001", true),
            ("3b00", false),
            ("3b80", false),
            ("3b", false),
            ("", false),
            ("3bff18000081", true),
        ] {
            assert_eq!(takes_extended(&bytes(atr)), extended, "{atr}");
        }
    }

    proptest! {
        #[test]
        fn no_reply_panics_a_parser(data: Vec<u8>) {
            let _ = (parse_page(&data), parse_one(&data), parse_serial(&data), parse_configuration(&data));
            let _ = (parse_answer_to_reset(&data), takes_extended(&data));
        }
    }
}
