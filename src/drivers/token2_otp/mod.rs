//! A conversation with the OTP applet of a Token2 FIDO key, over a smart-card reader or over USB HID.
//!
//! The key knows its entries by two names, has no clock (each question carries the moment), and calculates codes itself,
//! so that a burn is proven by the key. It has no password: whoever holds it can write. What is written is sealed for a
//! key that the device tells without proving it, so that a reader which lies can read along.
//!
//! Over a reader the applet is selected before each operation, since a reset or another applet loses it. Over HID there
//! is nothing to select.

mod framed;

pub use crate::wire::token2_otp::{ButtonOption, Configuration, Record};
pub use framed::{Attendant, Framed, Limits};

use super::error::{Change, OpenError, ReadError, Reading, WriteError};
use super::molto2::Deleted;
use super::session::{Talk, Whole};
use crate::domain::{
    Code, Digits, Mode, Parameters, Profile, Seed, Serial, Touch, UnixTime, credential::TwoNames,
};
use crate::link::{Apdu, ApduLink, HidLink, LinkError, Response, StatusWord};
use crate::wire::token2_otp::{self as wire, DeviceKey, HostKey};
use crate::wire::{EncodeError, ReplyError};
use std::fmt;

/// Over what the key was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// A smart-card reader, with or without contacts, or the key's own.
    Reader {
        /// Whether commands may be longer than 255 bytes: not where only T=0 is spoken.
        long_commands: bool,
    },
    /// USB HID.
    Hid,
}

/// A list ends within so many pages: fifty entries fill fewer than fifty.
const MOST_PAGES: usize = 64;

/// A link on which a command is sent again with the length that the key says it should expect.
struct Expecting<L>(L);

impl<L: ApduLink> ApduLink for Expecting<L> {
    fn exchange(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        let reply = self.0.exchange(command)?;
        match wire::expecting(command, reply.status) {
            Some(again) => self.0.exchange(&again),
            None => Ok(reply),
        }
    }

    fn answer_to_reset(&self) -> &[u8] {
        self.0.answer_to_reset()
    }
}

fn next_part(status: StatusWord) -> Option<Apdu> {
    wire::remaining(status).map(wire::send_remaining)
}

/// A key that told its serial. Nothing stands between it and a write but [`Session::enter`], so that what writes is seen
/// where it is written.
pub struct Session<L> {
    talk: Talk<Expecting<Whole<L>>>,
    reached: Reached,
    configuration: Configuration,
}

/// The same key, to be written to.
pub struct Unlocked<'s, L> {
    session: &'s mut Session<L>,
}

/// Who a key is.
pub(super) struct Identity {
    serial: Serial,
    reached: Reached,
    configuration: Configuration,
}

/// Whether an answer to reset is that of such a key. Many of them tell, some don't: it decides only what is asked first.
pub(super) fn is_named(answer_to_reset: &[u8]) -> bool {
    wire::parse_answer_to_reset(answer_to_reset).is_some()
}

fn done(reply: Response) -> Result<Vec<u8>, OpenError> {
    match reply.status {
        StatusWord::OK => Ok(reply.data),
        status => Err(OpenError::Status(status)),
    }
}

/// Asks the applet on a reader who it is: its selection, its configuration, its serial; three to eight commands.
pub(super) fn ask_reader<L: ApduLink>(link: &mut L) -> Result<Identity, OpenError> {
    let reached = Reached::Reader { long_commands: wire::takes_extended(link.answer_to_reset()) };
    let mut link = Expecting(Whole::new(link, next_part));
    done(link.exchange(&wire::select())?)?;
    let configuration = configuration(&mut link)?;
    let serial = match serial_here(&mut link)? {
        Ok(serial) => serial,
        // Some firmware tells it only while the FIDO applet is selected, whatever the selection is answered with.
        Err(_) => {
            link.exchange(&wire::select_fido())?;
            let told = done(link.exchange(&wire::read_serial())?);
            done(link.exchange(&wire::select())?)?;
            wire::parse_serial(&told?).map_err(OpenError::Malformed)?
        }
    };
    Ok(Identity { serial, reached, configuration })
}

/// Asks a key on USB who it is. Its public key comes first: a key whose function is off on USB does not answer at all, and
/// then the wait is over soon.
pub(super) fn ask_hid<L: ApduLink>(link: &mut L) -> Result<Identity, OpenError> {
    let public_key = done(link.exchange(&wire::read_public_key())?)?;
    wire::parse_public_key(&public_key).map_err(OpenError::Malformed)?;
    let configuration = configuration(link)?;
    let serial = serial_here(link)?.map_err(OpenError::Status)?;
    Ok(Identity { serial, reached: Reached::Hid, configuration })
}

/// Asks what any key answers. What it answers does not matter, only that the link says what else it found.
pub(super) fn ask_anything<L: ApduLink>(link: &mut L) -> Result<(), LinkError> {
    link.exchange(&wire::read_public_key()).map(drop)
}

/// Whether the OTP function answers on this HID interface, with this kind of reports: for a port that does not know yet
/// which of its ways leads there. Asks for the public key, and waits no longer than `limits` say.
pub fn answers_on<L: HidLink>(link: L, limits: Limits) -> Result<bool, LinkError> {
    let mut link = Framed::new(link, ()).with_limits(limits);
    match link.exchange(&wire::read_public_key()) {
        Ok(reply) => Ok(reply.status == StatusWord::OK && wire::parse_public_key(&reply.data).is_ok()),
        Err(LinkError::Deadline(_) | LinkError::Garbled) => Ok(false),
        Err(error) => Err(error),
    }
}

/// In one form of the question or the other; nothing where it understands neither.
fn configuration<L: ApduLink>(link: &mut L) -> Result<Configuration, OpenError> {
    for question in [wire::read_configuration(), wire::read_configuration_by_data()] {
        let reply = link.exchange(&question)?;
        if reply.status == StatusWord::OK {
            return wire::parse_configuration(&reply.data).map_err(OpenError::Malformed);
        }
    }
    Ok(Configuration::default())
}

/// The serial, asked for twice where the first time needs a prelude; or what the key says instead.
fn serial_here<L: ApduLink>(link: &mut L) -> Result<Result<Serial, StatusWord>, OpenError> {
    let mut reply = link.exchange(&wire::read_serial())?;
    if reply.status == wire::UNKNOWN_INSTRUCTION {
        link.exchange(&wire::serial_prelude())?;
        reply = link.exchange(&wire::read_serial())?;
    }
    match reply.status {
        StatusWord::OK => wire::parse_serial(&reply.data).map(Ok).map_err(OpenError::Malformed),
        status => Ok(Err(status)),
    }
}

impl<L: ApduLink> Session<L> {
    pub(super) fn identified(link: L, identity: Identity) -> Self {
        let Identity { serial, reached, configuration } = identity;
        let link = Expecting(Whole::new(link, next_part));
        Self { talk: Talk { link, serial }, reached, configuration }
    }

    /// The serial that the key told.
    pub fn serial(&self) -> &Serial {
        &self.talk.serial
    }

    /// Over what it was reached.
    pub fn reached(&self) -> Reached {
        self.reached
    }

    /// What it tells of itself.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Names and parameters of all entries, and the codes of `at` that the key calculates by itself: of those that neither
    /// count nor want a touch.
    pub fn list(&mut self, at: UnixTime) -> Result<Vec<Record>, ReadError> {
        let cannot = |cause: EncodeError| ReadError::Cannot { reading: Reading::Names, cause };
        let mut records = Vec::new();
        let mut question = wire::list(at).map_err(cannot)?;
        self.select(Reading::Names)?;
        for _ in 0..MOST_PAGES {
            let page = match self.talk.read(Reading::Names, &question, wire::parse_page) {
                Err(ReadError::Status { status, .. }) if wire::NO_ENTRY.contains(&status) => {
                    return Ok(records);
                }
                page => page?,
            };
            records.extend(page.records);
            if !page.more {
                return Ok(records);
            }
            question = wire::list_next(at).map_err(cannot)?;
        }
        let cause = ReplyError::Length { expected: MOST_PAGES, found: MOST_PAGES + 1 };
        Err(ReadError::Malformed { serial: self.talk.serial.clone(), reading: Reading::Names, cause })
    }

    /// Lets the key calculate one code: that of `at`, or the next one of a counter, which it has used up then. Where the
    /// entry wants a touch, this waits for it as long as the key does.
    pub fn calculate(&mut self, names: &TwoNames, at: UnixTime) -> Result<Code, ReadError> {
        let reading = Reading::Code;
        let question = wire::read_one(names, at).map_err(|cause| ReadError::Cannot { reading, cause })?;
        self.select(reading)?;
        let record = match self.talk.read(reading, &question, wire::parse_one) {
            Ok(record) => record,
            Err(ReadError::Status { serial, status: wire::UNTOUCHED, .. }) => {
                return Err(ReadError::Untouched { serial });
            }
            Err(ReadError::Link { serial, cause: LinkError::ButtonMissed(waited), .. }) => {
                return Err(ReadError::ButtonMissed { serial, waited_s: waited.as_secs() });
            }
            Err(ReadError::Link { serial, cause: LinkError::CalledOff, .. }) => {
                return Err(ReadError::GivenUp { serial });
            }
            Err(error) => return Err(error),
        };
        match record.code {
            Some(code) if record.names == *names => Ok(code),
            // Another entry's code proves nothing of this one.
            Some(_) | None => {
                let serial = self.talk.serial.clone();
                Err(ReadError::Malformed { serial, reading, cause: ReplyError::Text { at: 0 } })
            }
        }
    }

    /// The key, to be written to.
    pub fn enter(&mut self) -> Unlocked<'_, L> {
        Unlocked { session: self }
    }

    /// Selects the applet where it must be: over a reader.
    fn select(&mut self, reading: Reading) -> Result<(), ReadError> {
        match self.reached {
            Reached::Hid => Ok(()),
            Reached::Reader { .. } => self.talk.read(reading, &wire::select(), |_| Ok(())),
        }
    }
}

/// A key that can be agreed on with the device; other random bytes are drawn where the first are none.
fn host_key() -> Option<HostKey> {
    (0..4).find_map(|_| {
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).ok()?;
        HostKey::from_random(&bytes)
    })
}

impl<L: ApduLink> Unlocked<'_, L> {
    /// The key's serial.
    pub fn serial(&self) -> &Serial {
        self.session.serial()
    }

    /// See [`Session::list`].
    pub fn list(&mut self, at: UnixTime) -> Result<Vec<Record>, ReadError> {
        self.session.list(at)
    }

    /// See [`Session::calculate`].
    pub fn calculate(&mut self, names: &TwoNames, at: UnixTime) -> Result<Code, ReadError> {
        self.session.calculate(names, at)
    }

    /// Writes an entry, over one of the same names.
    pub fn put(
        &mut self,
        profile: Profile,
        names: &TwoNames,
        parameters: &Parameters,
        touch: Touch,
        seed: &Seed,
    ) -> Result<(), WriteError> {
        let change = Change::Credential(profile);
        let serial = self.session.talk.serial.clone();
        let counts = matches!(parameters.mode, Mode::Hotp { .. });
        // What it says itself it cannot, it is not asked for.
        match (counts, self.session.configuration.counts(), self.session.configuration.keeps_time_based()) {
            (true, Some(false), _) => return Err(WriteError::NoCounters { serial, change }),
            (false, _, Some(false)) => return Err(WriteError::ListOff { serial, change }),
            (true | false, ..) => {}
        }
        let entry = match wire::Entry::new(names, parameters, touch, seed) {
            Ok(entry) => entry,
            Err(cause) => return Err(WriteError::Cannot { serial, change, cause }),
        };
        let status = self.write(change, |device, host| entry.seal(device, host))?;
        match status {
            wire::NOT_SUPPORTED if counts => Err(WriteError::NoCounters { serial, change }),
            status => self.settle(change, status),
        }
    }

    /// Deletes an entry for good.
    pub fn delete(&mut self, profile: Profile, names: &TwoNames) -> Result<Deleted, WriteError> {
        let change = Change::Deletion(profile);
        let entry = wire::Entry::deletion(names).map_err(|cause| WriteError::Cannot {
            serial: self.session.talk.serial.clone(),
            change,
            cause,
        })?;
        match self.write(change, |device, host| entry.seal(device, host))? {
            status if wire::NO_ENTRY.contains(&status) => Ok(Deleted::WasEmpty),
            status => self.settle(change, status).map(|()| Deleted::Removed),
        }
    }

    /// Erases all entries, time-based and counter-based; the button keeps its seed. Over USB the key waits for a touch
    /// first; over NFC it may obey at once.
    pub fn erase_all(&mut self) -> Result<(), WriteError> {
        let change = Change::Erasure;
        self.select(change)?;
        let status = self.send(change, wire::erase_all())?;
        self.settle(change, status)
    }

    /// Gives the button a seed: from then on it types codes of that, counted from 0.
    pub fn write_button(&mut self, digits: Digits, seed: &Seed) -> Result<(), WriteError> {
        let change = Change::Button;
        let sealed = wire::ButtonSeed::new(digits, seed).map_err(|cause| WriteError::Cannot {
            serial: self.session.talk.serial.clone(),
            change,
            cause,
        })?;
        let status = self.write(change, |device, host| sealed.seal(device, host))?;
        self.settle_button(change, status)
    }

    /// Takes the button's seed away.
    pub fn delete_button(&mut self) -> Result<(), WriteError> {
        let change = Change::Button;
        let status = self.write(change, |device, host| wire::ButtonSeed::deletion().seal(device, host))?;
        self.settle_button(change, status)
    }

    /// Sets what the button types with its codes.
    pub fn set_button_option(&mut self, option: ButtonOption, on: bool) -> Result<(), WriteError> {
        let change = Change::Button;
        self.select(change)?;
        let status = self.send(change, wire::set_button_option(option, on))?;
        self.settle_button(change, status)
    }

    fn settle_button(&self, change: Change, status: StatusWord) -> Result<(), WriteError> {
        match status {
            wire::NOT_AVAILABLE | wire::NOT_SUPPORTED => {
                Err(WriteError::NoButtonCodes { serial: self.session.talk.serial.clone() })
            }
            status => self.settle(change, status),
        }
    }

    fn settle(&self, change: Change, status: StatusWord) -> Result<(), WriteError> {
        let serial = || self.session.talk.serial.clone();
        match status {
            StatusWord::OK => Ok(()),
            wire::FULL => Err(WriteError::Full { serial: serial(), change }),
            wire::UNTOUCHED => Err(WriteError::Untouched { serial: serial(), change }),
            status => Err(WriteError::Refused { serial: serial(), change, status }),
        }
    }

    fn select(&mut self, change: Change) -> Result<(), WriteError> {
        match self.session.reached {
            Reached::Hid => Ok(()),
            Reached::Reader { .. } => self.session.talk.change(change, Ok(wire::select()), StatusWord::OK),
        }
    }

    /// Reads the device's key, seals for it, sends. The status is whatever came.
    fn write(
        &mut self,
        change: Change,
        seal: impl FnOnce(&DeviceKey, HostKey) -> Apdu,
    ) -> Result<StatusWord, WriteError> {
        wire::self_test()?;
        let host = host_key()
            .ok_or_else(|| WriteError::NoRandomness { serial: self.session.talk.serial.clone() })?;
        self.select(change)?;
        let device = self.device_key(change)?;
        let command = seal(&device, host);
        let (long, serial) = (!wire::is_short(&command), || self.session.talk.serial.clone());
        let too_long = || {
            let cause = EncodeError::ReaderTooShort(command.bytes().len());
            WriteError::Cannot { serial: serial(), change, cause }
        };
        if long && self.session.reached == (Reached::Reader { long_commands: false }) {
            return Err(too_long());
        }
        match self.session.talk.link.exchange(&command) {
            Ok(reply) if long && reply.status == wire::WRONG_LENGTH => Err(too_long()),
            Ok(reply) => Ok(reply.status),
            Err(cause) => Err(unknown(serial(), change, cause)),
        }
    }

    /// The device's public key, by which nothing was written yet.
    fn device_key(&mut self, change: Change) -> Result<DeviceKey, WriteError> {
        let serial = || self.session.talk.serial.clone();
        let reply = self
            .session
            .talk
            .link
            .exchange(&wire::read_public_key())
            .map_err(|cause| WriteError::Unknown { serial: serial(), change, cause })?;
        if reply.status != StatusWord::OK {
            return Err(WriteError::Refused { serial: serial(), change, status: reply.status });
        }
        wire::parse_public_key(&reply.data).map_err(|cause| WriteError::OddKey {
            serial: serial(),
            change,
            cause,
        })
    }

    fn send(&mut self, change: Change, command: Apdu) -> Result<StatusWord, WriteError> {
        self.session.talk.send(change, Ok(command)).map_err(|error| match error {
            WriteError::Unknown { serial, change, cause } => unknown(serial, change, cause),
            other => other,
        })
    }
}

/// A link that was lost before the answer; a button that was missed, and a wait for it that was given up, are told apart.
fn unknown(serial: Serial, change: Change, cause: LinkError) -> WriteError {
    match cause {
        LinkError::ButtonMissed(waited) => {
            WriteError::ButtonMissed { serial, change, waited_s: waited.as_secs() }
        }
        LinkError::CalledOff => WriteError::GivenUp { serial, change },
        cause => WriteError::Unknown { serial, change, cause },
    }
}

impl<L> fmt::Debug for Session<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.talk.serial)
    }
}

impl<L> fmt::Debug for Unlocked<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unlocked({})", self.session.talk.serial)
    }
}

#[cfg(test)]
mod tests;
