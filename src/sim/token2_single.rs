//! The single-profile NFC token as its published firmware core behaves: `protocols/token2-single.md`. What the core
//! does not show (when RAM is lost, what the display keeps) follows what that page says of products, and is marked.

use super::{
    apdu::{self, Command, sw},
    clock::DeviceClock,
    code::DeviceHash,
    crypt::{self, Cipher},
    device::{
        Challenges, Counters, Device, Display, Kept, Quirks, Saved, Standing, Surroundings, Ticking, picture,
    },
};
use crate::domain::{Profile, Serial, UnixMillis, UnixTime};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// The published key that every token of the family has; section 2.
pub const DEVICE_KEY: [u8; 16] =
    [0x8A, 0xD2, 0x06, 0x88, 0x3C, 0xA3, 0x69, 0x48, 0x2A, 0xB2, 0x71, 0x82, 0xB6, 0xE8, 0x32, 0x24];

/// What a configuration does to the seed; section 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSync {
    /// It clears the seed, so that nobody rolls the clock back to replay a code.
    Restricted,
    /// It keeps the seed.
    Unrestricted,
}

/// What happens to an authentication when the field drops; section 4, last row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldLoss {
    /// RAM is lost and with it the authentication. What a host must reckon with.
    Forgets,
    /// The flag stays, as in the published core.
    Keeps,
}

/// Whether the display goes dark by itself, and the token with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoOff {
    /// After the display timeout that was configured; section 7.
    AfterTimeout,
    /// Never: as if a hand kept pressing the button.
    Never,
}

/// How a virtual token leaves its factory.
pub struct Settings {
    /// As get info tells it.
    pub serial: Serial,
    /// Model dependent.
    pub time_sync: TimeSync,
    /// [`DEVICE_KEY`], but for tokens of the same make sold by others.
    pub key: [u8; 16],
    /// How its clock runs.
    pub ticking: Ticking,
    /// Whether the factory put a seed in.
    pub filled: bool,
    /// Wrong answers in a row after which it locks, as firmware from before 2025 did; the number was never published.
    pub locks_after: Option<u8>,
    /// Whether leaving the reader ends an authentication.
    pub field_loss: FieldLoss,
    /// Whether it switches itself off.
    pub auto_off: AutoOff,
}

impl Settings {
    /// An empty token on time, with firmware of today.
    pub fn new(serial: Serial, time_sync: TimeSync) -> Self {
        Self {
            serial,
            time_sync,
            key: DEVICE_KEY,
            ticking: Ticking::default(),
            filled: false,
            locks_after: None,
            field_loss: FieldLoss::Forgets,
            auto_off: AutoOff::Never,
        }
    }
}

/// What outlasts a battery's life with the display off.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Memory {
    seed: Kept,
    algorithm: u8,
    period_s: u8,
    display_timeout: u8,
    wrong_in_a_row: u8,
    locked: bool,
}

/// The panel: lit since when, and whether it still shows what it showed before a write.
struct Screen {
    lit_since: Option<UnixMillis>,
    frozen: Option<Display>,
}

pub(super) struct Token {
    settings: Settings,
    clock: DeviceClock,
    challenges: Challenges,
    memory: Memory,
    screen: Screen,
    challenge: Option<[u8; 8]>,
    authenticated: bool,
}

impl Token {
    pub(super) fn new(settings: Settings, surroundings: Surroundings) -> Self {
        let Surroundings { clock, challenges } = surroundings;
        let seed = if settings.filled { Kept::factory(settings.serial.as_str()) } else { Kept::default() };
        let lit_since = Some(clock.now());
        Self {
            clock: DeviceClock::new(clock, settings.ticking.drift_s, settings.ticking.ppm),
            challenges,
            // The core's defaults, as its get-state shows before any configuration.
            memory: Memory {
                seed,
                algorithm: 1,
                period_s: 30,
                display_timeout: 1,
                wrong_in_a_row: 0,
                locked: false,
            },
            screen: Screen { lit_since, frozen: None },
            challenge: None,
            authenticated: false,
            settings,
        }
    }

    fn command(&mut self, raw: &[u8], quirks: Quirks, counters: &mut Counters) -> Result<Vec<u8>, u16> {
        let command = Command::parse(raw)?;
        match command.class {
            0x80 => self.plain(command, quirks, counters),
            0x84 => self.secured(command, quirks, counters),
            _ => Err(sw::UNKNOWN_CLASS),
        }
    }

    fn plain(
        &mut self,
        command: Command<'_>,
        quirks: Quirks,
        counters: &mut Counters,
    ) -> Result<Vec<u8>, u16> {
        match (command.ins, command.p1) {
            (0x41, _) => Ok(apdu::info_block(self.settings.serial.as_str(), self.clock.seconds())),
            (0x4B, 0x08) => {
                self.authenticated = false;
                let challenge = self.challenges.draw().ok_or(sw::FAILED)?;
                self.challenge = Some(challenge);
                Ok(challenge.to_vec())
            }
            (0xCE, _) => self.take_answer(command.data, quirks, counters).map(|()| Vec::new()),
            _ => Err(sw::UNKNOWN_INS),
        }
    }

    /// One comparison for each challenge, right or wrong.
    fn take_answer(&mut self, answer: &[u8], quirks: Quirks, counters: &mut Counters) -> Result<(), u16> {
        if answer.len() != 16 {
            return Err(sw::BAD_DATA);
        }
        let challenge = self.challenge.take().ok_or(sw::BAD_DATA)?;
        counters.auth_attempts += 1;
        let expected = Cipher::new(&quirks.key(&self.settings.key)).answer_to(challenge);
        let right = bool::from(expected.ct_eq(answer));
        if right && !self.memory.locked {
            self.memory.wrong_in_a_row = 0;
            self.authenticated = true;
            return Ok(());
        }
        counters.wrong_answers += 1;
        if let Some(limit) = self.settings.locks_after {
            self.memory.wrong_in_a_row = self.memory.wrong_in_a_row.saturating_add(1);
            self.memory.locked |= self.memory.wrong_in_a_row >= limit;
        }
        Err(sw::REFUSED)
    }

    /// MAC before anything else, then instruction, then authentication, then content; section 3.
    fn secured(
        &mut self,
        command: Command<'_>,
        quirks: Quirks,
        counters: &mut Counters,
    ) -> Result<Vec<u8>, u16> {
        let (body, mac) = command.data.split_last_chunk::<4>().ok_or(sw::WRONG_LENGTH)?;
        let cipher = Cipher::new(&quirks.key(&self.settings.key));
        if !cipher.mac_fits(command.header(), body, mac) {
            return Err(sw::REFUSED);
        }
        let configures = match (command.ins, command.p1) {
            (0xC5, 0x01) => false,
            (0xD4, _) => true,
            _ => return Err(sw::UNKNOWN_INS),
        };
        if !self.authenticated {
            return Err(sw::REFUSED);
        }
        let shown = self.display(Profile::ZERO);
        let before = self.memory.clone();
        if configures {
            self.configure(body)?
        } else {
            self.store_seed(&cipher, body)?
        }
        if quirks.forgets {
            self.memory = before;
        }
        // Seen on products: until it is switched off and on, the display keeps the code from before the write.
        self.screen.frozen = Some(shown.gone_stale());
        counters.wrote(Some(Profile::ZERO));
        Ok(Vec::new())
    }

    fn store_seed(&mut self, cipher: &Cipher, ciphertext: &[u8]) -> Result<(), u16> {
        if ciphertext.len() > 64 {
            return Err(sw::BAD_DATA);
        }
        let padded = cipher.open(ciphertext).ok_or(sw::BAD_DATA)?;
        let seed = crypt::unpadded(&padded).map_err(|_| sw::BAD_DATA)?;
        self.memory.seed = Kept::from_slice(seed);
        Ok(())
    }

    /// Order and lengths are fixed, values are stored as sent; section 3.5.
    fn configure(&mut self, body: &[u8]) -> Result<(), u16> {
        let [
            0x81,
            0x11,
            0x1F,
            1,
            timeout,
            0x0F,
            4,
            t3,
            t2,
            t1,
            t0,
            0x86,
            6,
            0x0A,
            1,
            algorithm,
            0x0D,
            1,
            period,
        ] = *body
        else {
            return Err(sw::BAD_DATA);
        };
        self.clock.set(u32::from_be_bytes([t3, t2, t1, t0]));
        self.memory.display_timeout = timeout;
        self.memory.algorithm = algorithm;
        self.memory.period_s = period;
        if self.settings.time_sync == TimeSync::Restricted {
            self.memory.seed = Kept::default();
        }
        Ok(())
    }

    fn timeout_ms(&self) -> i64 {
        match self.memory.display_timeout {
            0 => 15_000,
            1 => 30_000,
            2 => 60_000,
            // Values out of range are stored as sent; what the product makes of them isn't known. The longest, here.
            _ => 120_000,
        }
    }

    fn is_lit(&self) -> bool {
        self.screen.lit_since.is_some_and(|since| match self.settings.auto_off {
            AutoOff::Never => true,
            AutoOff::AfterTimeout => self.clock.reference_now().0 - since.0 < self.timeout_ms(),
        })
    }
}

impl Device for Token {
    fn answer(&mut self, raw: &[u8], quirks: Quirks, counters: &mut Counters) -> Vec<u8> {
        apdu::answer(self.command(raw, quirks, counters))
    }

    fn activate(&mut self) {
        match self.settings.field_loss {
            FieldLoss::Forgets => {
                self.authenticated = false;
                self.challenge = None;
            }
            FieldLoss::Keeps => {}
        }
    }

    fn taken_off(&mut self) {
        self.activate();
    }

    fn is_dark(&self) -> bool {
        !self.is_lit()
    }

    fn display(&self, profile: Profile) -> Display {
        if profile != Profile::ZERO {
            return Display::Nothing;
        }
        if !self.is_lit() {
            return Display::Off;
        }
        if let Some(frozen) = &self.screen.frozen {
            return frozen.clone();
        }
        let hash = if self.memory.algorithm == 2 { DeviceHash::Sha256 } else { DeviceHash::Sha1 };
        picture(&self.memory.seed, hash, 6, self.memory.period_s, None, self.clock())
    }

    fn switch(&mut self, on: bool) {
        if !on {
            self.screen = Screen { lit_since: None, frozen: None };
            self.authenticated = false;
            self.challenge = None;
        } else if !self.is_lit() {
            self.screen = Screen { lit_since: Some(self.clock.reference_now()), frozen: None };
        }
    }

    /// Lights a dark display; on a lit one starts its timeout anew (assumed).
    fn press_button(&mut self, _: &mut Counters) {
        self.switch(true);
        self.screen.lit_since = Some(self.clock.reference_now());
    }

    fn set_locked(&mut self, locked: bool) {
        self.memory.locked = locked;
    }

    fn standing(&self) -> Standing {
        let attempts_left =
            self.settings.locks_after.map(|limit| limit.saturating_sub(self.memory.wrong_in_a_row));
        let filled = u16::from(!self.memory.seed.0.is_empty());
        Standing { attempts_left, locked: self.memory.locked, filled }
    }

    fn clock(&self) -> UnixTime {
        self.clock.now().floor_second()
    }

    fn serial(&self) -> &str {
        self.settings.serial.as_str()
    }

    fn kind(&self) -> &'static str {
        "token2-single"
    }

    /// The plain contactless form: what real tokens give isn't published.
    fn answer_to_reset(&self) -> &'static [u8] {
        &[0x3B, 0x80, 0x80, 0x01, 0x01]
    }

    fn save(&self) -> Saved {
        Saved::Token2Single { clock: self.clock.setting(), memory: self.memory.clone() }
    }

    fn restore(&mut self, saved: Saved) -> bool {
        match saved {
            Saved::Token2Single { clock, memory } => {
                self.clock.restore(clock);
                self.memory = memory;
                true
            }
            Saved::Molto2 { .. } | Saved::Ykoath { .. } | Saved::Token2Otp { .. } | Saved::Foreign => false,
        }
    }
}

#[cfg(test)]
mod tests;
