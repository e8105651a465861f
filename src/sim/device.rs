//! What every virtual token is, whatever its family: something that answers bytes, has a display and a button, counts
//! what was done to it, and can be put away and taken up again.

use super::{clock::Setting, code};
use crate::domain::{Clock, Profile, UnixTime};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// Where a token's challenges come from; `None` where there is no randomness to be had.
pub struct Challenges(Box<dyn FnMut() -> Option<[u8; 8]> + Send>);

impl Challenges {
    /// From the operating system, as a real token draws them from its own generator.
    pub fn random() -> Self {
        Self::from_source(|| {
            let mut challenge = [0; 8];
            getrandom::fill(&mut challenge).ok()?;
            Some(challenge)
        })
    }

    /// The same one every time, so that an exchange can be compared byte for byte.
    pub fn fixed(challenge: [u8; 8]) -> Self {
        Self::from_source(move || Some(challenge))
    }

    /// From any source.
    pub fn from_source(draw: impl FnMut() -> Option<[u8; 8]> + Send + 'static) -> Self {
        Self(Box::new(draw))
    }

    pub(super) fn draw(&mut self) -> Option<[u8; 8]> {
        (self.0)()
    }
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenges")
    }
}

/// What a virtual token lives in: the reference clock that its own clock drifts from, and its randomness.
pub struct Surroundings {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) challenges: Challenges,
}

impl Surroundings {
    /// Ticks by `clock`, draws from `challenges`.
    pub fn new(clock: Arc<dyn Clock>, challenges: Challenges) -> Self {
        Self { clock, challenges }
    }
}

/// How a token that comes from a virtual factory ticks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ticking {
    /// Token clock minus reference clock at the start, in seconds. Positive: the token is fast.
    pub drift_s: f64,
    /// Microseconds gained in each second.
    pub ppm: f64,
}

/// What a person sees on a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "display")]
pub enum Display {
    /// Dark.
    Off,
    /// The screen lock hides everything.
    Locked,
    /// It waits for the button.
    Asks {
        /// What the button will confirm.
        question: Question,
    },
    /// No seed in this profile.
    Dashes {
        /// Worked out before the last write; true until the token was switched off and on.
        stale: bool,
    },
    /// A code.
    Code(Shown),
    /// A period of 0 was written: the firmware divided by zero.
    Crashed,
    /// There is no such profile, or no display.
    Nothing,
}

/// A code on a display.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The digits.
    pub code: String,
    /// What stands above them, on tokens that have titles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The step the code belongs to, by the token's clock.
    pub step: u64,
    /// Until the next one; 0 where the code is stale and will stay.
    pub seconds_left: u32,
    /// Worked out before the last write; true until the token was switched off and on.
    pub stale: bool,
}

/// What a token asks its owner to confirm with the button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Erase every profile and go back to the default customer key?
    FactoryReset,
    /// Take the new customer key?
    NewCustomerKey,
    /// Calculate, or delete? A key's light blinks; it says no more.
    Touch,
}

impl Display {
    /// The digits, if there are any.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Code(shown) => Some(&shown.code),
            Self::Off
            | Self::Locked
            | Self::Asks { .. }
            | Self::Dashes { .. }
            | Self::Crashed
            | Self::Nothing => None,
        }
    }

    /// The same picture, kept on a display that doesn't notice a write.
    pub(super) fn gone_stale(self) -> Self {
        match self {
            Self::Code(shown) => Self::Code(Shown { seconds_left: 0, stale: true, ..shown }),
            Self::Dashes { .. } => Self::Dashes { stale: true },
            other @ (Self::Off | Self::Locked | Self::Asks { .. } | Self::Crashed | Self::Nothing) => other,
        }
    }
}

/// What was done to a token since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Commands that reached it.
    pub commands: u64,
    /// Answers to a challenge that it compared.
    pub auth_attempts: u64,
    /// Those that it refused.
    pub wrong_answers: u64,
    /// Writes, deletions and confirmed resets that it answered with success.
    pub writes: u64,
    /// The profile that the last of those was for; none after a reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_written: Option<Profile>,
}

impl Counters {
    pub(super) fn wrote(&mut self, profile: Option<Profile>) {
        self.writes += 1;
        self.last_written = profile;
    }
}

/// Where a token stands with those who want to write to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Standing {
    /// Wrong answers until it locks, where it counts them.
    pub attempts_left: Option<u8>,
    /// It refuses every answer.
    pub locked: bool,
    /// Profiles that hold a seed.
    pub filled: u16,
}

/// How a token misbehaves for the length of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Quirks {
    /// Its memory keeps nothing, though it says so.
    pub(super) forgets: bool,
    /// Its key is not the one it should have.
    pub(super) other_key: bool,
}

impl Quirks {
    /// The key the token goes by: its own, or another that no one knows.
    pub(super) fn key(self, own: &[u8; 16]) -> Zeroizing<[u8; 16]> {
        Zeroizing::new(if self.other_key { own.map(|byte| !byte) } else { *own })
    }
}

/// One device on the far side of the wire.
pub(super) trait Device: Send {
    /// Takes a command, gives the answer with its status.
    fn answer(&mut self, raw: &[u8], quirks: Quirks, counters: &mut Counters) -> Vec<u8>;
    /// Whether this command waits for a touch, and for how long at the most. It waits from now on, until the button is
    /// pressed or the token leaves.
    fn awaits_touch(&mut self, _raw: &[u8]) -> Option<Duration> {
        None
    }
    /// Whether the touch has not come yet.
    fn is_awaiting_touch(&self) -> bool {
        false
    }
    /// The field came on, or the reader reset it: what was in RAM is lost.
    fn activate(&mut self);
    /// It was plugged in, and is talked to over USB HID: there is nothing to select.
    fn plugged_in(&mut self) {
        self.activate();
    }
    /// It left the reader.
    fn taken_off(&mut self);
    /// Whether it leaves a reader unanswered because it is switched off.
    fn is_dark(&self) -> bool;
    fn display(&self, profile: Profile) -> Display;
    fn switch(&mut self, on: bool);
    fn press_button(&mut self, counters: &mut Counters);
    fn set_locked(&mut self, locked: bool);
    fn standing(&self) -> Standing;
    fn clock(&self) -> UnixTime;
    fn serial(&self) -> &str;
    /// Names the kind of device in a state file.
    fn kind(&self) -> &'static str;
    fn answer_to_reset(&self) -> &'static [u8];
    /// What outlives the battery's display going dark: memory and clock.
    fn save(&self) -> Saved;
    /// Takes up what `save` gave; `false` where it is another kind's.
    fn restore(&mut self, saved: Saved) -> bool;
}

/// A seed in a state file, as hex.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Kept(pub(super) Zeroizing<Vec<u8>>);

impl Kept {
    pub(super) fn from_slice(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The seed a virtual factory puts in: always the same for the same serial, and known to nobody's records.
    pub(super) fn factory(serial: &str) -> Self {
        use sha1::{Digest, Sha1};
        Self::from_slice(&Sha1::new().chain_update("kiln virtual factory ").chain_update(serial).finalize())
    }
}

impl Serialize for Kept {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Zeroizing::new(data_encoding::HEXLOWER.encode(&self.0)))
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(from)?);
        data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .map(|bytes| Self(Zeroizing::new(bytes)))
            .map_err(|_| serde::de::Error::custom("not an even number of lower-case hex digits"))
    }
}

/// A token's lasting state.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(super) enum Saved {
    Token2Single { clock: Setting, memory: super::token2_single::Memory },
    Molto2 { clock: Setting, memory: super::molto2::Memory },
    Ykoath { memory: super::ykoath::Memory },
    Token2Otp { memory: super::token2_otp::Memory },
    Foreign,
}

/// The code of `seed` at `now`, as a display shows it; a period of 0 crashes.
pub(super) fn picture(
    seed: &Kept,
    hash: code::DeviceHash,
    digits: u8,
    period_s: u8,
    title: Option<String>,
    now: UnixTime,
) -> Display {
    if seed.0.is_empty() {
        return Display::Dashes { stale: false };
    }
    let seconds = u64::from(now.0.rem_euclid(1 << 32) as u32);
    let period = u64::from(period_s);
    let Some(step) = seconds.checked_div(period) else { return Display::Crashed };
    Display::Code(Shown {
        code: code::code(&seed.0, hash, digits, step),
        title,
        step,
        // At most 255: a period is one byte on the wire.
        seconds_left: (period - seconds % period) as u32,
        stale: false,
    })
}
