//! A key with an OATH applet: `protocols/ykoath.md`. It is of one of four makes, which differ where that page says so;
//! what the page doesn't say of a make is what a YubiKey does (assumed).
//!
//! It has no display and no clock. What its display gives is what an authenticator program would show that asks
//! the key at the reference clock's time, so that a person in a test has something to look at.

mod bytes;
mod commands;

use self::bytes::{record, take, take_tagged};
use super::{
    apdu::{EitherForm, sw},
    code::{self, DeviceHash},
    device::{
        Challenges, Counters, Device, Display, Kept, Question, Quirks, Saved, Shown, Standing, Surroundings,
    },
};
use crate::domain::{Clock, CustomerKey, Profile, Serial, UnixTime};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// Yubico's, of firmware 5.
    YubiKey,
    /// Nitrokey 3.
    Nitrokey,
    /// SoloKeys' second.
    Solo,
    /// canokeys.org's.
    CanoKey,
}

/// How a virtual key leaves its factory.
pub struct Settings {
    /// What is printed on it. Keys whose maker has them tell their serial as a number tell it where this is one.
    pub serial: Serial,
    /// Whose it is.
    pub make: Make,
    /// What its applet calls its version.
    pub version: [u8; 3],
    /// How many credentials fit.
    pub capacity: usize,
    /// The applet's password; none until somebody sets one.
    pub password: Option<CustomerKey>,
    /// How long it waits for a touch.
    pub patience: Duration,
}

impl Settings {
    /// As delivered.
    pub fn new(serial: Serial, make: Make) -> Self {
        let (version, capacity) = match make {
            Make::YubiKey => ([5, 7, 4], 64),
            Make::Nitrokey => ([4, 14, 0], 50),
            Make::Solo => ([4, 4, 4], 50),
            Make::CanoKey => ([6, 0, 0], 100),
        };
        Self { serial, make, version, capacity, password: None, patience: Duration::from_secs(15) }
    }
}

/// One credential.
#[derive(Clone, Serialize, Deserialize)]
struct Credential {
    name: Vec<u8>,
    /// High half 1 HOTP, 2 TOTP; low half the hash.
    kind: u8,
    digits: u8,
    key: Kept,
    touch: bool,
    /// The challenge must only increase, and this is the last one.
    rising: Option<Vec<u8>>,
    counter: u32,
}

impl Credential {
    fn is_counted(&self) -> bool {
        self.kind >> 4 == 1
    }

    fn hash(&self) -> DeviceHash {
        match self.kind & 0x0F {
            1 => DeviceHash::Sha1,
            2 => DeviceHash::Sha256,
            _ => DeviceHash::Sha512,
        }
    }
}

/// What outlasts being unplugged.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    salt: [u8; 8],
    access_key: Option<Kept>,
    credentials: Vec<Credential>,
}

/// Which applet answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Selected {
    Nothing,
    Oath,
    Management,
    Admin,
}

/// Where a touch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finger {
    Away,
    Awaited,
    Came,
}

/// What is left of an answer that was too long for one.
#[derive(Default)]
struct Rest {
    parts: std::collections::VecDeque<Vec<u8>>,
}

pub(super) struct Token {
    settings: Settings,
    clock: Arc<dyn Clock>,
    challenges: Challenges,
    memory: Memory,
    selected: Selected,
    challenge: Option<[u8; 8]>,
    validated: bool,
    finger: Finger,
    rest: Rest,
}

const LOCKED: u16 = 0x6982;
const NO_SUCH_DATA: u16 = 0x6984;
const FULL: u16 = 0x6A84;
/// Bytes in one part of a long answer.
const PART: usize = 240;

impl Token {
    pub(super) fn new(settings: Settings, surroundings: Surroundings) -> Self {
        let Surroundings { clock, mut challenges } = surroundings;
        // Where there is no randomness the salt is that of the serial: a key without a salt is none.
        let salt = challenges.draw().unwrap_or_else(|| salt_of(settings.serial.as_str()));
        let access_key =
            settings.password.as_ref().map(|password| Kept(code::access_key(password.expose(), &salt)));
        Self {
            memory: Memory { salt, access_key, credentials: Vec::new() },
            settings,
            clock,
            challenges,
            selected: Selected::Nothing,
            challenge: None,
            validated: false,
            finger: Finger::Away,
            rest: Rest::default(),
        }
    }

    fn make(&self) -> Make {
        self.settings.make
    }

    /// The serial as the maker's number, where it is one.
    fn number(&self) -> Option<[u8; 4]> {
        let text = self.settings.serial.as_str();
        match self.make() {
            Make::YubiKey => text.parse::<u32>().ok().map(u32::to_be_bytes),
            Make::Nitrokey | Make::CanoKey => u32::from_str_radix(text, 16).ok().map(u32::to_be_bytes),
            Make::Solo => None,
        }
    }

    fn answer_parts(&mut self, raw: &[u8], quirks: Quirks, counters: &mut Counters) -> Result<Vec<u8>, u16> {
        let apdu = EitherForm::parse(raw)?;
        let [class, ins, p1, _] = apdu.header;
        if class != 0 {
            return Err(sw::UNKNOWN_CLASS);
        }
        if (ins, p1) == (0xA4, 0x04) {
            self.rest = Rest::default();
            return self.select(apdu.data);
        }
        match self.selected {
            Selected::Nothing => Err(sw::UNKNOWN_INS),
            Selected::Management => match (ins, self.number()) {
                (0x1D, number) => {
                    let serial = number.map_or_else(Vec::new, |number| record(0x02, &number));
                    let records = [record(0x01, &[0x02, 0x3F]), serial, record(0x05, &self.settings.version)];
                    Ok(record(0, &records.concat())[1..].to_vec())
                }
                _ => Err(sw::UNKNOWN_INS),
            },
            Selected::Admin => match (ins, self.number()) {
                (0x32, Some(number)) => Ok(number.to_vec()),
                _ => Err(sw::UNKNOWN_INS),
            },
            Selected::Oath if ins == 0xA5 => self.remaining(),
            Selected::Oath => {
                self.rest = Rest::default();
                let whole = self.oath(apdu.header, apdu.data, quirks, counters)?;
                self.part(whole, apdu.extended)
            }
        }
    }

    fn select(&mut self, aid: &[u8]) -> Result<Vec<u8>, u16> {
        self.validated = false;
        self.challenge = None;
        self.selected = Selected::Nothing;
        match (aid, self.make()) {
            (b"\xA0\x00\x00\x05\x27\x21\x01", _) => {
                self.selected = Selected::Oath;
                self.introduce()
            }
            (b"\xA0\x00\x00\x06\x47\x2F\x00\x01", _) => Ok(b"U2F_V2".to_vec()),
            (b"\xA0\x00\x00\x05\x27\x47\x11\x17", Make::YubiKey) => {
                self.selected = Selected::Management;
                let [major, minor, patch] = self.settings.version;
                Ok(format!("Virtual mgr - FW version {major}.{minor}.{patch}").into_bytes())
            }
            (b"\xF0\x00\x00\x00\x00", Make::CanoKey) => {
                self.selected = Selected::Admin;
                Ok(Vec::new())
            }
            _ => Err(sw::NOT_FOUND),
        }
    }

    /// Section 4.
    fn introduce(&mut self) -> Result<Vec<u8>, u16> {
        let mut told = record(0x79, &self.settings.version);
        told.extend(record(0x71, &self.memory.salt));
        if self.memory.access_key.is_some() {
            let challenge = self.challenges.draw().ok_or(sw::FAILED)?;
            self.challenge = Some(challenge);
            told.extend(record(0x74, &challenge));
            told.extend(record(0x7B, &[0x01]));
        }
        if let (Make::Nitrokey, Some(number)) = (self.make(), self.number()) {
            told.extend(record(0x8F, &number));
        }
        Ok(told)
    }

    /// Section 7: YubiKeys cut anywhere, the others between records.
    fn part(&mut self, whole: Vec<u8>, extended: bool) -> Result<Vec<u8>, u16> {
        if extended || whole.len() <= PART {
            return Ok(whole);
        }
        let mut parts: Vec<Vec<u8>> = match self.make() {
            Make::YubiKey | Make::Solo => whole.chunks(PART).map(<[u8]>::to_vec).collect(),
            Make::Nitrokey | Make::CanoKey => {
                let (mut parts, mut left) = (vec![Vec::new()], whole.as_slice());
                while !left.is_empty() {
                    let before = left;
                    take(&mut left)?;
                    let one = &before[..before.len() - left.len()];
                    match parts.last_mut() {
                        Some(last) if last.len() + one.len() <= PART => last.extend(one),
                        _ => parts.push(one.to_vec()),
                    }
                }
                parts
            }
        };
        let first = parts.remove(0);
        self.rest.parts = parts.into();
        Ok(first)
    }

    fn remaining(&mut self) -> Result<Vec<u8>, u16> {
        self.rest.parts.pop_front().ok_or(match self.make() {
            Make::YubiKey | Make::Solo => sw::UNKNOWN_INS,
            Make::Nitrokey | Make::CanoKey => sw::CONDITIONS,
        })
    }

    fn oath(
        &mut self,
        [_, ins, p1, p2]: [u8; 4],
        data: &[u8],
        quirks: Quirks,
        counters: &mut Counters,
    ) -> Result<Vec<u8>, u16> {
        let has_password = self.make() != Make::Nitrokey;
        match (ins, p1, p2) {
            (0xA3, 0, 0) if has_password => return self.validate(data, quirks, counters),
            (0x04, 0xDE, 0xAD) if self.make() != Make::CanoKey => {
                return self.changed(quirks, counters, None, |key| key.reset());
            }
            _ => {}
        }
        if self.memory.access_key.is_some() && !self.validated {
            return Err(if self.make() == Make::Solo { sw::CONDITIONS } else { LOCKED });
        }
        match (ins, p1, p2) {
            (0x01, 0, 0) => {
                let at = self.place_of(data);
                self.changed(quirks, counters, at, |key| key.put(data))
            }
            (0x02, 0, 0) => {
                let at = self.place_of(data);
                self.changed(quirks, counters, at, |key| key.delete(data))
            }
            (0x03, 0, 0) if has_password => self.changed(quirks, counters, None, |key| key.set_code(data)),
            (0x05, 0, 0) if matches!(self.make(), Make::YubiKey | Make::CanoKey) => {
                let at = self.place_of(data);
                self.changed(quirks, counters, at, |key| key.rename(data))
            }
            (0xA1, 0, 0) => Ok(self.list()),
            (0xA2, 0, 0 | 1) if p2 == 1 || self.make() != Make::Nitrokey => self.calculate(data, p2 == 1),
            (0xA4, 0, 0 | 1) if self.make() != Make::Nitrokey => self.calculate_all(data, p2 == 1),
            (0x01..=0x03 | 0x05 | 0xA1 | 0xA2 | 0xA4, ..) if self.make() != Make::Nitrokey => {
                Err(sw::BAD_PARAMETER)
            }
            _ => Err(sw::UNKNOWN_INS),
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

    fn find(&self, name: &[u8]) -> Option<usize> {
        self.memory.credentials.iter().position(|credential| credential.name == name)
    }

    /// Which place the credential named first in a command has, or would get.
    fn place_of(&self, mut data: &[u8]) -> Option<usize> {
        let name = take_tagged(&mut data, 0x71).ok()?;
        Some(self.find(name).unwrap_or(self.memory.credentials.len()))
    }

    fn missing(&self) -> u16 {
        match self.make() {
            Make::YubiKey | Make::CanoKey => NO_SUCH_DATA,
            Make::Nitrokey | Make::Solo => sw::NOT_FOUND,
        }
    }
}

fn salt_of(serial: &str) -> [u8; 8] {
    let factory = Kept::factory(serial);
    let mut salt = [0; 8];
    salt.iter_mut().zip(factory.0.iter()).for_each(|(to, from)| *to = *from);
    salt
}

impl Device for Token {
    fn answer(&mut self, raw: &[u8], quirks: Quirks, counters: &mut Counters) -> Vec<u8> {
        let answered = self.answer_parts(raw, quirks, counters);
        self.finger = Finger::Away;
        let (mut bytes, status) = match answered {
            Ok(data) if self.rest.parts.is_empty() => (data, sw::OK),
            // How much is left, as far as one byte can say it.
            Ok(data) => (data, 0x6100 | self.rest.parts[0].len().min(0xFF) as u16),
            Err(status) => (Vec::new(), status),
        };
        bytes.extend(status.to_be_bytes());
        bytes
    }

    fn awaits_touch(&mut self, raw: &[u8]) -> Option<Duration> {
        let apdu = EitherForm::parse(raw).ok()?;
        let [0, ins, p1, _] = apdu.header else { return None };
        let unlocked = self.memory.access_key.is_none() || self.validated;
        let named = |mut data: &[u8]| take_tagged(&mut data, 0x71).ok().and_then(|name| self.find(name));
        let nitrokey = self.make() == Make::Nitrokey;
        let wants = self.selected == Selected::Oath
            && match (ins, p1) {
                (0xA2, 0) => unlocked && named(apdu.data).is_some_and(|at| self.memory.credentials[at].touch),
                (0x02, 0) => nitrokey && named(apdu.data).is_some(),
                (0x04, 0xDE) => nitrokey,
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
        self.validated = false;
        self.challenge = None;
        self.finger = Finger::Away;
        self.rest = Rest::default();
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
        let Some(credential) = self.memory.credentials.get(usize::from(profile.number())) else {
            return Display::Nothing;
        };
        if credential.is_counted() {
            return Display::Nothing;
        }
        let name = String::from_utf8_lossy(&credential.name).into_owned();
        let period =
            name.split_once('/').and_then(|(digits, _)| digits.parse::<u64>().ok()).filter(|p| *p > 0);
        let period = period.unwrap_or(30);
        let now = self.clock().0.unsigned_abs();
        let step = now / period;
        let mac = code::mac(&credential.key.0, credential.hash(), &step.to_be_bytes());
        Display::Code(Shown {
            code: code::decimal(code::truncated(&mac), credential.digits),
            title: Some(name),
            step,
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
        let filled = u16::try_from(self.memory.credentials.len()).unwrap_or(u16::MAX);
        Standing { attempts_left: None, locked: self.memory.access_key.is_some(), filled }
    }

    /// It has none; a program that asks it has.
    fn clock(&self) -> UnixTime {
        self.clock.now().floor_second()
    }

    fn serial(&self) -> &str {
        self.settings.serial.as_str()
    }

    fn kind(&self) -> &'static str {
        match self.make() {
            Make::YubiKey => "yubikey",
            Make::Nitrokey => "nitrokey",
            Make::Solo => "solo",
            Make::CanoKey => "canokey",
        }
    }

    /// The first two are on public lists of answers to reset; the others are made up around the maker's name (assumed).
    fn answer_to_reset(&self) -> &'static [u8] {
        match self.make() {
            Make::YubiKey => &[
                0x3B, 0xFD, 0x13, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x15, 0x80, 0x73, 0xC0, 0x21, 0xC0, 0x57,
                0x59, 0x75, 0x62, 0x69, 0x4B, 0x65, 0x79, 0x40,
            ],
            Make::CanoKey => &[
                0x3B, 0xF7, 0x11, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x65, 0x43, 0x61, 0x6E, 0x6F, 0x6B, 0x65,
                0x79, 0x99,
            ],
            Make::Nitrokey => &[0x3B, 0x88, 0x80, 0x01, b'N', b'i', b't', b'r', b'o', b'k', b'e', b'y', 0x30],
            Make::Solo => &[0x3B, 0x86, 0x80, 0x01, b'S', b'o', b'l', b'o', b' ', b'2', 0x2A],
        }
    }

    fn save(&self) -> Saved {
        Saved::Ykoath { memory: self.memory.clone() }
    }

    fn restore(&mut self, saved: Saved) -> bool {
        match saved {
            Saved::Ykoath { memory } => {
                self.memory = memory;
                true
            }
            Saved::Token2Single { .. } | Saved::Molto2 { .. } | Saved::Token2Otp { .. } | Saved::Foreign => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
