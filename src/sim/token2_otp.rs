//! A Token2 FIDO key with its OTP applet: `protocols/token2-otp.md`. What that page doesn't know (section 13) is a
//! setting here where it matters, and the usual behaviour of the family else (assumed).
//!
//! It has no display and no clock: whoever asks sends the moment along. What its display gives is what an authenticator
//! program would show that asks the key at the reference clock's time.

mod crypt;

use super::{
    apdu::{EitherForm, sw},
    code::{self, DeviceHash},
    device::{Counters, Device, Display, Kept, Question, Quirks, Saved, Shown, Standing, Surroundings},
};
use crate::domain::{Clock, Profile, Serial, UnixTime};
use crypt::PrivateKey;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// How a virtual key leaves its factory.
pub struct Settings {
    /// What it tells as its serial: digits.
    pub serial: Serial,
    /// How many entries fit. PIN+ keys: 50 (section 1).
    pub capacity: usize,
    /// Whether it keeps counter-based entries.
    pub counts: bool,
    /// Whether a keyboard types the codes of its button.
    pub types: bool,
    /// Whether its list of time-based entries is on.
    pub time_based: bool,
    /// Whether it wants a touch before it writes or deletes; not known of any model.
    pub touch_to_write: bool,
    /// Whether it wants to hear a prelude before it tells its serial: firmware R3.1.
    pub prelude: bool,
    /// Whether its reader speaks T=0 to it, which carries no extended command.
    pub short_only: bool,
    /// How long it waits for a touch.
    pub patience: Duration,
    /// How many bytes of its list go on a page.
    pub page_bytes: usize,
    /// Its private key; made from its serial where none is given.
    pub private_key: Option<[u8; 32]>,
}

impl Settings {
    /// As delivered.
    pub fn new(serial: Serial) -> Self {
        Self {
            serial,
            capacity: 50,
            counts: true,
            types: true,
            time_based: true,
            touch_to_write: false,
            prelude: false,
            short_only: false,
            patience: Duration::from_secs(15),
            page_bytes: 240,
            private_key: None,
        }
    }
}

/// One entry of the list.
#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    counts: bool,
    algorithm: u8,
    step: u16,
    digits: u8,
    touch: bool,
    application: Vec<u8>,
    account: Vec<u8>,
    key: Kept,
    counter: u64,
}

impl Entry {
    fn hash(&self) -> DeviceHash {
        if self.algorithm == 0xC2 { DeviceHash::Sha256 } else { DeviceHash::Sha1 }
    }

    fn code_at(&self, seconds: u64) -> String {
        let moving = if self.counts { self.counter } else { seconds / u64::from(self.step).max(1) };
        code::code(&self.key.0, self.hash(), self.digits, moving)
    }

    /// Type to account, as on the list. Section 8.
    fn told(&self) -> Vec<u8> {
        let [high, low] = self.step.to_be_bytes();
        let mut told =
            vec![u8::from(!self.counts), self.algorithm, high, low, self.digits, self.touch.into()];
        for name in [&self.application, &self.account] {
            told.push(name.len() as u8);
            told.extend(name);
        }
        told
    }

    fn told_with(&self, code: &str) -> Vec<u8> {
        let mut told = self.told();
        told.push(code.len() as u8);
        told.extend(code.bytes());
        told
    }
}

/// The seed of the button, and what it types besides.
#[derive(Clone, Serialize, Deserialize)]
struct Button {
    digits: u8,
    key: Kept,
}

/// What outlasts being unplugged.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    entries: Vec<Entry>,
    button: Option<Button>,
    no_enter: bool,
    long_touch: bool,
    keypad: bool,
    time_based: bool,
}

/// Which applet answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Selected {
    Nothing,
    Otp,
    Fido,
}

/// Where a touch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finger {
    Away,
    Awaited,
    Came,
}

pub(super) struct Token {
    settings: Settings,
    clock: Arc<dyn Clock>,
    key: PrivateKey,
    memory: Memory,
    selected: Selected,
    finger: Finger,
    heard_prelude: bool,
    /// The moment that a list was asked with, and where its next page begins.
    listing: Option<([u8; 8], usize)>,
}

const FULL: u16 = 0x6A84;
const NO_ENTRY: u16 = 0x6A83;
const NO_KEYBOARD: u16 = 0x6A81;
const NO_COUNTERS: u16 = 0x6A86;
const UNTOUCHED: u16 = 0x6FF9;

/// Cuts a text of the given most off the front, with its length before it.
fn text<'a>(data: &mut &'a [u8], most: usize) -> Result<&'a [u8], u16> {
    let (len, rest) = data.split_first().ok_or(sw::BAD_DATA)?;
    let (text, rest) = rest.split_at_checked((*len).into()).ok_or(sw::BAD_DATA)?;
    if text.len() > most || !text.is_ascii() {
        return Err(sw::BAD_DATA);
    }
    *data = rest;
    Ok(text)
}

impl Token {
    pub(super) fn new(settings: Settings, surroundings: Surroundings) -> Self {
        let key = PrivateKey::new(settings.private_key, settings.serial.as_str());
        Self {
            memory: Memory { time_based: settings.time_based, ..Memory::default() },
            settings,
            clock: surroundings.clock,
            key,
            selected: Selected::Nothing,
            finger: Finger::Away,
            heard_prelude: false,
            listing: None,
        }
    }

    fn respond(&mut self, raw: &[u8], quirks: Quirks, counters: &mut Counters) -> Result<Vec<u8>, u16> {
        let apdu = EitherForm::parse(raw)?;
        if apdu.extended && self.settings.short_only {
            return Err(sw::WRONG_LENGTH);
        }
        let data = apdu.data;
        match (apdu.header, self.selected) {
            ([0x00, 0xA4, 0x04, 0x00], _) => self.select(data),
            ([0x80, 0x33, 0x00, 0x00], Selected::Otp | Selected::Fido) => self.serial_block(data),
            ([0x80, 0xC5, p1, p2], Selected::Otp) => self.otp(p1, p2, data, quirks, counters),
            ([0x80, ..], Selected::Nothing | Selected::Fido) => Err(sw::UNKNOWN_INS),
            ([0x80, ..], Selected::Otp) => Err(sw::UNKNOWN_INS),
            _ => Err(sw::UNKNOWN_CLASS),
        }
    }

    fn select(&mut self, aid: &[u8]) -> Result<Vec<u8>, u16> {
        self.listing = None;
        let (selected, answer) = match aid {
            b"\xF0\x00\x00\x01Otp\x01" => (Selected::Otp, &b""[..]),
            b"\xA0\x00\x00\x06\x47\x2F\x00\x01" => (Selected::Fido, &b"U2F_V2"[..]),
            // Nothing is selected then, and nothing lost either: what was selected stays (ISO/IEC 7816-4, 11.2.2).
            _ => return Err(sw::NOT_FOUND),
        };
        self.selected = selected;
        Ok(answer.to_vec())
    }

    /// Section 10.
    fn serial_block(&self, data: &[u8]) -> Result<Vec<u8>, u16> {
        if !matches!(data, [0xD1, 0x10, rest @ ..] if rest.len() == 16) {
            return Err(sw::BAD_DATA);
        }
        if self.settings.prelude && !self.heard_prelude {
            return Err(sw::UNKNOWN_INS);
        }
        let serial = self.settings.serial.as_str().as_bytes();
        let mut told = vec![0xD1, serial.len() as u8];
        told.extend(serial);
        Ok(told)
    }

    /// Section 5.
    fn otp(
        &mut self,
        p1: u8,
        p2: u8,
        data: &[u8],
        quirks: Quirks,
        counters: &mut Counters,
    ) -> Result<Vec<u8>, u16> {
        match (p1, p2, data) {
            (0x01, 0x00, []) => Ok(self.key.public().to_vec()),
            (0x02, 0x00, _) => Ok(self.configuration()),
            (0x02, 0x05, [on @ (0 | 1)]) => {
                let on = *on == 1;
                self.changed(quirks, counters, None, |key| {
                    key.memory.time_based = on;
                    Ok(())
                })
            }
            (0x02, option @ (0x02 | 0x04 | 0x06), [on @ (0 | 1)]) => {
                let on = *on == 1;
                self.changed(quirks, counters, None, |key| key.set_option(option, on))
            }
            (0x03, 0x00, [0x04]) => {
                self.heard_prelude = true;
                Ok(Vec::new())
            }
            (0x00, 0x00, [_, ..]) => {
                let plain = self.key.open(data, crypt::BUTTON_VECTOR).ok_or(sw::BAD_DATA)?;
                self.changed(quirks, counters, None, |key| key.write_button(&plain))
            }
            (0x05, 0x00, [0x03, moment @ ..]) => {
                let moment = moment.try_into().map_err(|_| sw::BAD_DATA)?;
                self.page(moment, 0)
            }
            (0x05, 0x01, moment) => match self.listing {
                Some((begun, at)) if begun == *moment => self.page(begun, at),
                Some(_) | None => Err(sw::BAD_DATA),
            },
            (0x05, 0x00, [0x01, rest @ ..]) => self.read_one(rest),
            // The bare header.
            (0x05, 0x02, []) => {
                self.finger_came()?;
                self.changed(quirks, counters, None, |key| {
                    key.memory.entries.clear();
                    Ok(())
                })
            }
            (0x05, 0x02, _) => {
                let plain = self.key.open(data, crypt::ENTRY_VECTOR).ok_or(sw::BAD_DATA)?;
                if self.settings.touch_to_write {
                    self.finger_came()?;
                }
                let place = names_of(&plain).ok().map(|(application, account)| {
                    self.find(application, account).unwrap_or(self.memory.entries.len())
                });
                self.changed(quirks, counters, place, |key| key.write(&plain))
            }
            _ => Err(sw::BAD_PARAMETER),
        }
    }

    /// Runs a command that writes; a memory that forgets says yes and keeps nothing.
    fn changed(
        &mut self,
        quirks: Quirks,
        counters: &mut Counters,
        place: Option<usize>,
        change: impl FnOnce(&mut Self) -> Result<(), u16>,
    ) -> Result<Vec<u8>, u16> {
        let before = quirks.forgets.then(|| self.memory.clone());
        change(self)?;
        counters.wrote(place.and_then(|at| u8::try_from(at).ok()).map(Profile::new));
        if let Some(before) = before {
            self.memory = before;
        }
        Ok(Vec::new())
    }

    /// Uses up the touch that came.
    fn finger_came(&mut self) -> Result<(), u16> {
        match std::mem::replace(&mut self.finger, Finger::Away) {
            Finger::Came => Ok(()),
            Finger::Away | Finger::Awaited => Err(UNTOUCHED),
        }
    }

    /// Section 9.
    fn configuration(&self) -> Vec<u8> {
        let Memory { no_enter, long_touch, keypad, time_based, .. } = self.memory;
        let Settings { counts, types, .. } = self.settings;
        let bits = |bits: &[(bool, u8)]| bits.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum::<u8>();
        let first = bits(&[(!types, 0x02)]);
        let second = bits(&[
            (no_enter, 0x01),
            (counts, 0x04),
            (true, 0x10),
            (long_touch, 0x20),
            (self.memory.button.is_some(), 0x80),
        ]);
        let last = bits(&[(time_based, 0x01), (true, 0x02), (keypad, 0x08), (true, 0x10), (!types, 0x20)]);
        vec![first, second, 0x86, 0x01, 0x10, 0x00, 0x02, 0x01, 0x02, last]
    }

    fn set_option(&mut self, option: u8, on: bool) -> Result<(), u16> {
        if !self.settings.types {
            return Err(NO_KEYBOARD);
        }
        match option {
            0x02 => self.memory.no_enter = on,
            0x04 => self.memory.long_touch = on,
            _ => self.memory.keypad = on,
        }
        Ok(())
    }

    /// Section 11.
    fn write_button(&mut self, plain: &[u8]) -> Result<(), u16> {
        if !self.settings.types {
            return Err(NO_KEYBOARD);
        }
        match plain {
            [0, 0] => self.memory.button = None,
            [digits @ (6 | 8), len, seed @ ..]
                if seed.len() == usize::from(*len) && (1..=64).contains(len) =>
            {
                self.memory.button = Some(Button { digits: *digits, key: Kept::from_slice(seed) });
            }
            _ => return Err(sw::BAD_DATA),
        }
        Ok(())
    }

    fn find(&self, application: &[u8], account: &[u8]) -> Option<usize> {
        let is_it = |entry: &Entry| entry.application == application && entry.account == account;
        self.memory.entries.iter().position(is_it)
    }

    /// Section 6.
    fn write(&mut self, plain: &[u8]) -> Result<(), u16> {
        let (head, mut rest) = plain.split_first_chunk::<6>().ok_or(sw::BAD_DATA)?;
        let [kind, algorithm, high, low, digits, touch] = *head;
        let step = u16::from_be_bytes([high, low]);
        let (application, account) = (text(&mut rest, 64)?, text(&mut rest, 64)?);
        let (len, seed) = rest.split_first().ok_or(sw::BAD_DATA)?;
        if seed.len() != usize::from(*len) || account.is_empty() {
            return Err(sw::BAD_DATA);
        }
        let known = self.find(application, account);
        if *head == [0; 6] && seed.is_empty() {
            self.memory.entries.remove(known.ok_or(NO_ENTRY)?);
            return Ok(());
        }
        let counts = match (kind, step) {
            (0, 0) if self.settings.counts => true,
            (0, 0) => return Err(NO_COUNTERS),
            (1, 1..) if self.memory.time_based => false,
            _ => return Err(sw::BAD_DATA),
        };
        let sound = matches!(algorithm, 0xC1 | 0xC2)
            && (4..=10).contains(&digits)
            && touch <= 1
            && (1..=64).contains(&seed.len());
        if !sound {
            return Err(sw::BAD_DATA);
        }
        let entry = Entry {
            counts,
            algorithm,
            step,
            digits,
            touch: touch == 1,
            application: application.to_vec(),
            account: account.to_vec(),
            key: Kept::from_slice(seed),
            counter: 0,
        };
        match known {
            Some(at) => self.memory.entries[at] = entry,
            None if self.memory.entries.len() >= self.settings.capacity => return Err(FULL),
            None => self.memory.entries.push(entry),
        }
        Ok(())
    }

    /// As many entries as fit, from `at` on; the first byte tells whether more follow.
    fn page(&mut self, moment: [u8; 8], at: usize) -> Result<Vec<u8>, u16> {
        let seconds = u64::from_be_bytes(moment);
        let mut page = Vec::new();
        let mut next = at;
        for entry in &self.memory.entries[at..] {
            let told = if entry.counts || entry.touch {
                entry.told()
            } else {
                entry.told_with(&entry.code_at(seconds))
            };
            if !page.is_empty() && page.len() + told.len() > self.settings.page_bytes {
                break;
            }
            page.extend(told);
            next += 1;
        }
        self.listing = (next < self.memory.entries.len()).then_some((moment, next));
        match page.first_mut() {
            Some(first) if self.listing.is_some() => *first |= 0x80,
            Some(_) => {}
            None => return Err(NO_ENTRY),
        }
        Ok(page)
    }

    fn read_one(&mut self, data: &[u8]) -> Result<Vec<u8>, u16> {
        let (at, seconds) = self.asked(data)?;
        if self.memory.entries[at].touch {
            self.finger_came()?;
        }
        let entry = &mut self.memory.entries[at];
        let told = entry.told_with(&entry.code_at(seconds));
        if entry.counts {
            entry.counter = entry.counter.wrapping_add(1);
        }
        Ok(told)
    }

    /// Which entry a question for one code means, and for which moment.
    fn asked(&self, data: &[u8]) -> Result<(usize, u64), u16> {
        let (moment, mut rest) = data.split_first_chunk::<8>().ok_or(sw::BAD_DATA)?;
        let (application, account) = (text(&mut rest, 64)?, text(&mut rest, 64)?);
        if !rest.is_empty() {
            return Err(sw::BAD_DATA);
        }
        let at = self.find(application, account).ok_or(NO_ENTRY)?;
        Ok((at, u64::from_be_bytes(*moment)))
    }
}

/// The names in an entry's plaintext.
fn names_of(plain: &[u8]) -> Result<(&[u8], &[u8]), u16> {
    let mut rest = plain.get(6..).ok_or(sw::BAD_DATA)?;
    Ok((text(&mut rest, 64)?, text(&mut rest, 64)?))
}

impl Device for Token {
    fn answer(&mut self, raw: &[u8], quirks: Quirks, counters: &mut Counters) -> Vec<u8> {
        let answered = self.respond(raw, quirks, counters);
        self.finger = Finger::Away;
        super::apdu::answer(answered)
    }

    fn awaits_touch(&mut self, raw: &[u8]) -> Option<Duration> {
        let apdu = EitherForm::parse(raw).ok()?;
        let [0x80, 0xC5, 0x05, p2] = apdu.header else { return None };
        let wants = self.selected == Selected::Otp
            && match (p2, apdu.data) {
                (0x00, [0x01, rest @ ..]) => {
                    self.asked(rest).is_ok_and(|(at, _)| self.memory.entries[at].touch)
                }
                (0x02, []) => true,
                (0x02, _) => self.settings.touch_to_write,
                _ => false,
            };
        self.finger = if wants { Finger::Awaited } else { Finger::Away };
        wants.then_some(self.settings.patience)
    }

    fn is_awaiting_touch(&self) -> bool {
        self.finger == Finger::Awaited
    }

    fn activate(&mut self) {
        self.selected = Selected::Nothing;
        self.finger = Finger::Away;
        self.heard_prelude = false;
        self.listing = None;
    }

    fn plugged_in(&mut self) {
        self.activate();
        self.selected = Selected::Otp;
    }

    fn taken_off(&mut self) {
        self.activate();
    }

    fn is_dark(&self) -> bool {
        false
    }

    fn display(&self, profile: Profile) -> Display {
        if self.finger == Finger::Awaited {
            return Display::Asks { question: Question::Touch };
        }
        let Some(entry) = self.memory.entries.get(usize::from(profile.number())) else {
            return Display::Nothing;
        };
        if entry.counts {
            return Display::Nothing;
        }
        let now = self.clock().0.unsigned_abs();
        let period = u64::from(entry.step).max(1);
        let names = [&entry.application, &entry.account].map(|name| String::from_utf8_lossy(name));
        Display::Code(Shown {
            code: entry.code_at(now),
            title: Some(names.join(":")),
            step: now / period,
            seconds_left: u32::try_from(period - now % period).unwrap_or(u32::MAX),
            stale: false,
        })
    }

    fn switch(&mut self, _: bool) {}

    fn press_button(&mut self, _: &mut Counters) {
        if self.finger == Finger::Awaited {
            self.finger = Finger::Came;
        }
    }

    fn set_locked(&mut self, _: bool) {}

    fn standing(&self) -> Standing {
        let filled = u16::try_from(self.memory.entries.len()).unwrap_or(u16::MAX);
        Standing { attempts_left: None, locked: false, filled }
    }

    /// It has none; a program that asks it has.
    fn clock(&self) -> UnixTime {
        self.clock.now().floor_second()
    }

    fn serial(&self) -> &str {
        self.settings.serial.as_str()
    }

    fn kind(&self) -> &'static str {
        "token2-otp"
    }

    /// The general one of a PIV card that later keys show; the first of those in the vectors where only T=0 is spoken.
    fn answer_to_reset(&self) -> &'static [u8] {
        if self.settings.short_only {
            &[
                0x3B, 0xFF, 0x18, 0x00, 0x00, 0x10, 0x80, 0x86, 0x8E, 0x00, 0x16, 0x61, 0x66, 0x00, 0x33,
                0x35, 0x37, 0x38, 0x30, 0x35, 0x32, 0x38,
            ]
        } else {
            &[
                0x3B, 0x8F, 0x80, 0x01, 0x54, 0x4B, 0x00, 0x50, 0x49, 0x56, 0x04, 0x02, 0x38, 0x38, 0x38,
                0x38, 0x38, 0x38, 0x38, 0x60,
            ]
        }
    }

    fn save(&self) -> Saved {
        Saved::Token2Otp { memory: self.memory.clone() }
    }

    fn restore(&mut self, saved: Saved) -> bool {
        match saved {
            Saved::Token2Otp { memory } => {
                self.memory = memory;
                true
            }
            Saved::Token2Single { .. } | Saved::Molto2 { .. } | Saved::Ykoath { .. } | Saved::Foreign => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
