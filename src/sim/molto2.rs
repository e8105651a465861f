//! The multi-profile USB token: `protocols/molto2.md`. No firmware of it is public. Where that page has no answer, this
//! token is the strict one, so that a host that gets along with it gets along with a lenient one too; such places are
//! marked "assumed".

use super::{
    apdu::{self, Command, sw},
    clock::DeviceClock,
    code::DeviceHash,
    crypt::{self, Cipher},
    device::{
        Challenges, Counters, Device, Display, Kept, Question, Quirks, Saved, Standing, Surroundings,
        Ticking, picture,
    },
};
use crate::domain::{CustomerKey, Profile, Serial, UnixTime};
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What the factory takes for a customer key; section 2.
pub const DEFAULT_CUSTOMER_KEY: &[u8; 16] = b"TOKEN2MOLTO1-KEY";

/// Which of the two was bought; section 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// 50 profiles, no screen lock.
    V1,
    /// 100 profiles, screen lock.
    V2,
}

impl Generation {
    /// How many profiles, counted from 0.
    pub fn profiles(self) -> u8 {
        match self {
            Self::V1 => 50,
            Self::V2 => 100,
        }
    }
}

/// How a virtual token leaves its factory.
pub struct Settings {
    /// As get info tells it.
    pub serial: Serial,
    /// How many profiles, and whether the screen locks.
    pub generation: Generation,
    /// The customer key that an owner set; the factory's until then.
    pub customer_key: CustomerKey,
    /// How its clock runs.
    pub ticking: Ticking,
    /// Whether profile 0 holds the vendor's seed, titled "Token2", as on delivery.
    pub filled: bool,
    /// Wrong answers that it takes before it locks. The number was never published.
    pub attempts: u8,
}

impl Settings {
    /// As delivered, on time.
    pub fn new(serial: Serial, generation: Generation) -> Self {
        Self {
            serial,
            generation,
            customer_key: CustomerKey::new(*DEFAULT_CUSTOMER_KEY),
            ticking: Ticking::default(),
            filled: true,
            attempts: 10,
        }
    }
}

/// The key that customer-key bytes stand for: only this reaches the device.
fn derived(customer_key: &[u8]) -> Kept {
    Kept::from_slice(&Sha1::digest(customer_key)[..16])
}

/// One numbered place. A fresh one is all zeros, as read from hardware.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Place {
    seed: Kept,
    flag: u8,
    title: Vec<u8>,
    time_a: u32,
    time_b: u32,
    algorithm: u8,
    period_s: u8,
    digits: u8,
}

impl Place {
    /// Section 3.2, without the status.
    fn public_block(&self) -> Vec<u8> {
        let mut block = vec![0x95, 0x1F, 0x70, 0x1D, self.flag];
        block.extend(&self.title);
        block.resize(5 + 16, 0);
        block.extend(self.time_a.to_be_bytes());
        block.extend(self.time_b.to_be_bytes());
        block.extend([self.algorithm, self.period_s, self.digits, u8::from(!self.seed.0.is_empty())]);
        block
    }
}

/// What outlasts being unplugged.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Memory {
    places: Vec<Place>,
    key: Kept,
    display_timeout: u8,
    screen_locked: bool,
    attempts_left: u8,
}

/// What the button will confirm.
enum Pending {
    FactoryReset,
    NewKey(Kept),
}

pub(super) struct Token {
    serial: Serial,
    generation: Generation,
    attempts: u8,
    clock: DeviceClock,
    challenges: Challenges,
    memory: Memory,
    lit: bool,
    pending: Option<Pending>,
    challenge: Option<[u8; 8]>,
    authenticated: bool,
}

impl Token {
    pub(super) fn new(settings: Settings, surroundings: Surroundings) -> Self {
        let Surroundings { clock, challenges } = surroundings;
        let clock = DeviceClock::new(clock, settings.ticking.drift_s, settings.ticking.ppm);
        let mut places = vec![Place::default(); settings.generation.profiles().into()];
        if settings.filled {
            places[0] = Place {
                seed: Kept::factory(settings.serial.as_str()),
                flag: 0x20,
                title: b"Token2".to_vec(),
                time_a: clock.seconds(),
                time_b: clock.seconds(),
                algorithm: 1,
                period_s: 30,
                digits: 6,
            };
        }
        Self {
            serial: settings.serial,
            generation: settings.generation,
            attempts: settings.attempts,
            clock,
            challenges,
            memory: Memory {
                places,
                key: derived(settings.customer_key.expose()),
                display_timeout: 1,
                screen_locked: false,
                attempts_left: settings.attempts,
            },
            lit: true,
            pending: None,
            challenge: None,
            authenticated: false,
        }
    }

    fn cipher(&self, quirks: Quirks) -> Cipher {
        let mut own = Zeroizing::new([0; 16]);
        own.iter_mut().zip(self.memory.key.0.iter()).for_each(|(to, from)| *to = *from);
        Cipher::new(&quirks.key(&own))
    }

    /// A v1 refuses numbers from 50 on; by which status was never published (assumed).
    fn place(&mut self, number: u8) -> Result<&mut Place, u16> {
        self.memory.places.get_mut(usize::from(number)).ok_or(sw::BAD_PARAMETER)
    }

    fn command(&mut self, raw: &[u8], quirks: Quirks, counters: &mut Counters) -> Result<Vec<u8>, u16> {
        let command = Command::parse(raw)?;
        let writes = match (command.class, command.ins) {
            (0x80, 0xE6 | 0xD8) | (0x84, _) => true,
            (0x80, _) => false,
            _ => return Err(sw::UNKNOWN_CLASS),
        };
        let before = quirks.forgets.then(|| self.memory.clone());
        let done = match command.class {
            0x80 => self.plain(command, quirks, counters),
            _ => self.secured(command, quirks).map(|()| Vec::new()),
        };
        if writes && (done.is_ok() || done == Err(sw::WAITS_FOR_BUTTON)) {
            let aims_at_profile = matches!(command.ins, 0xC5 | 0xD4 | 0xD5 | 0xE6);
            counters.wrote(aims_at_profile.then(|| Profile::new(command.p2)));
            if let Some(before) = before {
                self.memory = before;
                self.pending = None;
            }
        }
        done
    }

    fn plain(
        &mut self,
        command: Command<'_>,
        quirks: Quirks,
        counters: &mut Counters,
    ) -> Result<Vec<u8>, u16> {
        match (command.ins, command.p1, command.p2, command.data) {
            // Seen on hardware: the public block must be asked for without Le.
            (0x41, 0, _, [0x70]) if !command.tail.is_empty() => Err(sw::WITH_LE),
            (0x41, 0, number, [0x70]) => Ok(self.place(number)?.public_block()),
            (0x41, 0, 0, []) => Ok(apdu::info_block(self.serial.as_str(), self.clock.seconds())),
            // The single-profile token's form is not documented here (assumed: refused).
            (0x41, ..) => Err(sw::BAD_DATA),
            (0x4B, 0x08, 0, _) => {
                self.authenticated = false;
                let challenge = self.challenges.draw().ok_or(sw::FAILED)?;
                self.challenge = Some(challenge);
                Ok(challenge.to_vec())
            }
            (0xCE, 0, 0, answer) => self.take_answer(answer, quirks, counters).map(|()| Vec::new()),
            (0x56, 0, 0, []) => {
                self.pending = Some(Pending::FactoryReset);
                Err(sw::WAITS_FOR_BUTTON)
            }
            (0xE6, 0, number, []) => self.delete(number).map(|()| Vec::new()),
            (0xD8, 0x0C, 0x02, lock) => self.lock_screen(lock).map(|()| Vec::new()),
            _ => Err(sw::UNKNOWN_INS),
        }
    }

    /// 63 NN tells the attempts left as a whole byte. At none left even the right answer is refused, and a right one in
    /// time starts the count anew (both assumed).
    fn take_answer(&mut self, answer: &[u8], quirks: Quirks, counters: &mut Counters) -> Result<(), u16> {
        if answer.len() != 16 {
            return Err(sw::BAD_DATA);
        }
        let challenge = self.challenge.take().ok_or(sw::BAD_DATA)?;
        counters.auth_attempts += 1;
        let right = bool::from(self.cipher(quirks).answer_to(challenge).ct_eq(answer));
        if right && self.memory.attempts_left > 0 {
            self.memory.attempts_left = self.attempts;
            self.authenticated = true;
            return Ok(());
        }
        counters.wrong_answers += 1;
        self.memory.attempts_left = self.memory.attempts_left.saturating_sub(1);
        Err(0x6300 | u16::from(self.memory.attempts_left))
    }

    /// Needs no authentication, keeps title and configuration: seen on hardware.
    fn delete(&mut self, number: u8) -> Result<(), u16> {
        let place = self.place(number)?;
        if place.seed.0.is_empty() {
            return Err(sw::NO_SEED);
        }
        place.seed = Kept::default();
        Ok(())
    }

    fn lock_screen(&mut self, data: &[u8]) -> Result<(), u16> {
        if self.generation == Generation::V1 {
            return Err(sw::UNKNOWN_INS);
        }
        let locked = match data {
            [] => true,
            [0x01] => false,
            _ => return Err(sw::BAD_DATA),
        };
        if !self.authenticated {
            return Err(sw::REFUSED);
        }
        self.memory.screen_locked = locked;
        Ok(())
    }

    /// Checked in the order of the single-profile core (assumed): MAC, instruction, authentication, content.
    fn secured(&mut self, command: Command<'_>, quirks: Quirks) -> Result<(), u16> {
        let (body, mac) = command.data.split_last_chunk::<4>().ok_or(sw::WRONG_LENGTH)?;
        let cipher = self.cipher(quirks);
        if !cipher.mac_fits(command.header(), body, mac) {
            return Err(sw::REFUSED);
        }
        if !matches!((command.ins, command.p1, command.p2), (0xC5 | 0xD4, 1, _) | (0xD5, 0, _) | (0xD7, 0, 0))
        {
            return Err(sw::UNKNOWN_INS);
        }
        if !self.authenticated {
            return Err(sw::REFUSED);
        }
        match command.ins {
            0xC5 => self.store_seed(command.p2, &cipher, body),
            0xD5 => self.store_title(command.p2, &cipher, body),
            0xD7 => self.propose_key(&cipher, body),
            _ => self.configure(command.p2, body),
        }
    }

    /// Blocks of zeros only clear the profile. A filled profile takes no other seed before it is cleared (assumed: the
    /// vendor's tool refuses first).
    fn store_seed(&mut self, number: u8, cipher: &Cipher, ciphertext: &[u8]) -> Result<(), u16> {
        if ciphertext.len() > 64 {
            return Err(sw::BAD_DATA);
        }
        let padded = cipher.open(ciphertext).ok_or(sw::BAD_DATA)?;
        let place = self.place(number)?;
        if padded.iter().all(|byte| *byte == 0) {
            place.seed = Kept::default();
            return Ok(());
        }
        if !place.seed.0.is_empty() {
            return Err(sw::CONDITIONS);
        }
        let seed = crypt::unpadded(&padded).map_err(|_| sw::BAD_DATA)?;
        if seed.is_empty() {
            return Err(sw::BAD_DATA);
        }
        place.seed = Kept::from_slice(seed);
        place.flag = 0x20;
        Ok(())
    }

    fn store_title(&mut self, number: u8, cipher: &Cipher, ciphertext: &[u8]) -> Result<(), u16> {
        let padded = cipher.open(ciphertext).filter(|plain| plain.len() == 16).ok_or(sw::BAD_DATA)?;
        let place = self.place(number)?;
        match crypt::unpadded(&padded) {
            Ok(title) if (1..=12).contains(&title.len()) => place.title = title.to_vec(),
            Ok(_) | Err(_) => return Err(sw::BAD_DATA),
        }
        place.flag = 0x20;
        Ok(())
    }

    /// The full form, or the time alone. Values outside the documented ones are refused, and a filled profile takes no
    /// new parameters (both assumed). One clock for all profiles (assumed: get info tells one).
    fn configure(&mut self, number: u8, body: &[u8]) -> Result<(), u16> {
        let now = self.clock.seconds();
        let place = self.place(number)?;
        match *body {
            [0x81, 0x06, 0x0F, 4, t3, t2, t1, t0] => {
                let utc = u32::from_be_bytes([t3, t2, t1, t0]);
                place.time_a = now;
                self.clock.set(utc);
            }
            [
                0x81,
                0x14,
                0x1F,
                1,
                timeout @ 0..=3,
                0x0F,
                4,
                t3,
                t2,
                t1,
                t0,
                0x86,
                9,
                0x0A,
                1,
                algorithm @ 1..=2,
                0x0B,
                1,
                digits @ (4 | 6 | 8 | 10),
                0x0D,
                1,
                period @ (30 | 60),
            ] => {
                if !place.seed.0.is_empty() {
                    return Err(sw::CONDITIONS);
                }
                let utc = u32::from_be_bytes([t3, t2, t1, t0]);
                *place = Place {
                    algorithm,
                    digits,
                    period_s: period,
                    time_a: now,
                    time_b: utc,
                    flag: 0x20,
                    ..std::mem::take(place)
                };
                self.memory.display_timeout = timeout;
                self.clock.set(utc);
            }
            _ => return Err(sw::BAD_DATA),
        }
        Ok(())
    }

    fn propose_key(&mut self, cipher: &Cipher, ciphertext: &[u8]) -> Result<(), u16> {
        let plain = cipher.open(ciphertext).ok_or(sw::BAD_DATA)?;
        match plain.as_slice() {
            [0, rest @ ..] if rest.len() == 31 && rest[16] == 0x80 && rest[17..].iter().all(|b| *b == 0) => {
                self.pending = Some(Pending::NewKey(Kept::from_slice(&rest[..16])));
                Err(sw::WAITS_FOR_BUTTON)
            }
            _ => Err(sw::BAD_DATA),
        }
    }
}

impl Device for Token {
    fn answer(&mut self, raw: &[u8], quirks: Quirks, counters: &mut Counters) -> Vec<u8> {
        apdu::answer(self.command(raw, quirks, counters))
    }

    /// Ends the authentication (section 7 says to assume so). What waits for the button goes on waiting: the host lets
    /// go of the token long before a person finds the button.
    fn activate(&mut self) {
        self.authenticated = false;
        self.challenge = None;
    }

    fn taken_off(&mut self) {
        self.activate();
        self.pending = None;
    }

    /// USB feeds it, whatever its screen does.
    fn is_dark(&self) -> bool {
        false
    }

    /// A screen that is always worked out anew: nobody reports a stale one on this family.
    fn display(&self, profile: Profile) -> Display {
        let Some(place) = self.memory.places.get(usize::from(profile.number())) else {
            return Display::Nothing;
        };
        match self.pending {
            _ if !self.lit => return Display::Off,
            Some(Pending::FactoryReset) => return Display::Asks { question: Question::FactoryReset },
            Some(Pending::NewKey(_)) => return Display::Asks { question: Question::NewCustomerKey },
            None if self.memory.screen_locked => return Display::Locked,
            None => {}
        }
        let hash = if place.algorithm == 2 { DeviceHash::Sha256 } else { DeviceHash::Sha1 };
        let title = String::from_utf8_lossy(&place.title).into_owned();
        // A seed that came before any configuration is counted by the defaults that other units report on empty
        // profiles.
        let (digits, period_s) = if place.period_s == 0 { (6, 30) } else { (place.digits, place.period_s) };
        picture(&place.seed, hash, digits, period_s, Some(title), self.clock())
    }

    fn switch(&mut self, on: bool) {
        self.lit = on;
    }

    fn press_button(&mut self, counters: &mut Counters) {
        self.lit = true;
        match self.pending.take() {
            None => return,
            Some(Pending::NewKey(key)) => self.memory.key = key,
            Some(Pending::FactoryReset) => {
                self.memory = Memory {
                    places: vec![Place::default(); self.generation.profiles().into()],
                    key: derived(DEFAULT_CUSTOMER_KEY),
                    display_timeout: 1,
                    screen_locked: false,
                    attempts_left: self.attempts,
                };
                counters.wrote(None);
            }
        }
        self.activate();
    }

    fn set_locked(&mut self, locked: bool) {
        self.memory.attempts_left = if locked { 0 } else { self.attempts };
    }

    fn standing(&self) -> Standing {
        let filled = self.memory.places.iter().filter(|place| !place.seed.0.is_empty()).count();
        Standing {
            attempts_left: Some(self.memory.attempts_left),
            locked: self.memory.attempts_left == 0,
            filled: filled as u16,
        }
    }

    fn clock(&self) -> UnixTime {
        self.clock.now().floor_second()
    }

    fn serial(&self) -> &str {
        self.serial.as_str()
    }

    fn kind(&self) -> &'static str {
        match self.generation {
            Generation::V1 => "molto2-v1",
            Generation::V2 => "molto2-v2",
        }
    }

    /// Not published; a plain one that pcscd takes.
    fn answer_to_reset(&self) -> &'static [u8] {
        &[0x3B, 0x80, 0x80, 0x01, 0x01]
    }

    fn save(&self) -> Saved {
        Saved::Molto2 { clock: self.clock.setting(), memory: self.memory.clone() }
    }

    fn restore(&mut self, saved: Saved) -> bool {
        match saved {
            Saved::Molto2 { clock, memory }
                if memory.places.len() == usize::from(self.generation.profiles())
                    && memory.key.0.len() == 16 =>
            {
                self.clock.restore(clock);
                self.memory = memory;
                true
            }
            Saved::Molto2 { .. }
            | Saved::Token2Single { .. }
            | Saved::Ykoath { .. }
            | Saved::Token2Otp { .. }
            | Saved::Foreign => false,
        }
    }
}

#[cfg(test)]
mod tests;
