//! A conversation with a key that has the OATH applet.
//!
//! The applet knows its credentials by name only, has no clock, and calculates codes itself, so that a burn is proven by
//! the key. Its password counts no tries; a wrong one is nevertheless tried once only, since it is never known which
//! of the two is wrong.
//!
//! Makers differ in status words and in what they leave out. `Whole` and `Alike` are the links on which they don't.

use super::error::{Change, OpenError, ReadError, Reading, UnlockError, WriteError};
use super::molto2::Deleted;
use super::session::{Talk, Whole};
use crate::domain::{
    Code, CredentialName, CustomerKey, Parameters, Profile, Seed, Serial, StepCount, Touch, credential::Kind,
    model::KeyMaker,
};
use crate::link::{Apdu, ApduLink, LinkError, Response, StatusWord};
use crate::wire::ykoath::{self as wire, AccessKey, Selected};
use crate::wire::{Challenge, ReplyError, SelfTestFailed};
use std::fmt;

pub use crate::wire::ykoath::{Calculated, Listed, Moving};

/// Where a key's serial comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SerialFrom {
    /// The device told it.
    Device,
    /// The applet's salt stands in for it: the key tells none. The same until the applet is reset.
    Salt,
}

/// What is known of a key besides its serial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Whose it is.
    pub maker: KeyMaker,
    /// What its applet calls its version.
    pub version: [u8; 3],
    /// What its serial is worth.
    pub serial_from: SerialFrom,
}

/// Where the password stands.
enum Access {
    /// None is set.
    Open,
    /// One is set; the challenge is good for one answer.
    Locked(Option<Challenge>),
    /// It was proven in this conversation.
    Proven,
}

/// A key that answered. Its serial is known; nothing can be read of its credentials yet.
pub struct Session<L> {
    talk: Talk<Alike<L>>,
    about: About,
    salt: Option<[u8; 8]>,
    access: Access,
}

/// The same key with no password in the way. It stays so until the link is dropped.
pub struct Unlocked<'s, L> {
    session: &'s mut Session<L>,
}

fn next_part(status: StatusWord) -> Option<Apdu> {
    wire::has_more(status).then(wire::send_remaining)
}

/// ISO/IEC 7816-4: a file of this name exists. No maker says it; what Nitrokeys and CanoKeys say instead means something
/// else elsewhere.
const EXISTS: StatusWord = StatusWord(0x6A89);

/// A link on which every maker's applet refuses in the same words, those of a YubiKey.
struct Alike<L> {
    inner: Whole<L>,
    maker: KeyMaker,
}

impl<L: ApduLink> ApduLink for Alike<L> {
    fn exchange(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        const PUT: u8 = 0x01;
        let mut reply = self.inner.exchange(command)?;
        let ins = command.bytes().get(1).copied().unwrap_or_default();
        reply.status = match (self.maker, ins, reply.status) {
            (KeyMaker::Nitrokey, PUT, StatusWord(0x6983)) | (KeyMaker::CanoKey, PUT, wire::CONDITIONS) => {
                EXISTS
            }
            (KeyMaker::Solo, _, wire::CONDITIONS) => wire::LOCKED_OR_UNTOUCHED,
            (KeyMaker::Nitrokey | KeyMaker::Solo, _, wire::NOT_FOUND) => wire::NO_SUCH_DATA,
            (_, _, status) => status,
        };
        Ok(reply)
    }

    fn answer_to_reset(&self) -> &[u8] {
        self.inner.answer_to_reset()
    }
}

/// Whose key this says it is: by the words that its answer to reset holds (NFC and USB), else by its reader's name (USB,
/// where the key is its own reader). It decides only where to ask first; what the thing is, its applet says.
pub(super) fn named_maker(answer_to_reset: &[u8], reader_name: &str) -> Option<KeyMaker> {
    let told = format!("{} {reader_name}", String::from_utf8_lossy(answer_to_reset)).to_ascii_lowercase();
    let words = [
        ("yubikey", KeyMaker::YubiKey),
        ("yubico", KeyMaker::YubiKey),
        ("nitrokey", KeyMaker::Nitrokey),
        ("canokey", KeyMaker::CanoKey),
        ("solo 2", KeyMaker::Solo),
        ("solokeys", KeyMaker::Solo),
    ];
    words.into_iter().find(|(word, _)| told.contains(word)).map(|(_, maker)| maker)
}

fn select<L: ApduLink>(link: &mut L) -> Result<Selected, OpenError> {
    let reply = link.exchange(&wire::select())?;
    if reply.status != StatusWord::OK {
        return Err(OpenError::Status(reply.status));
    }
    wire::parse_selected(&reply.data).map_err(OpenError::Malformed)
}

/// The serial, where another applet of the same key tells it. That applet is selected afterwards.
fn serial_elsewhere<L: ApduLink>(link: &mut L, maker: KeyMaker) -> Result<Option<Serial>, LinkError> {
    let (select, read) = match maker {
        KeyMaker::YubiKey => (wire::select_yubikey_management(), wire::read_yubikey_configuration()),
        KeyMaker::CanoKey => (wire::select_canokey_admin(), wire::read_canokey_serial()),
        KeyMaker::Nitrokey | KeyMaker::Solo | KeyMaker::Other => return Ok(None),
    };
    if link.exchange(&select)?.status != StatusWord::OK {
        return Ok(None);
    }
    let reply = link.exchange(&read)?;
    // A key may hide its serial, and an old one has no such command: then it tells none.
    if reply.status != StatusWord::OK {
        return Ok(None);
    }
    let told = match maker {
        KeyMaker::YubiKey => {
            wire::parse_yubikey_serial(&reply.data).ok().flatten().map(|serial| serial.to_string())
        }
        _ => wire::parse_canokey_serial(&reply.data).ok().map(hex_serial),
    };
    Ok(told.and_then(|text| text.parse().ok()))
}

/// As these makers print it.
fn hex_serial(serial: u32) -> String {
    format!("{serial:08X}")
}

/// How what stands in for a serial begins.
const STAND_IN: &str = "salt-";

/// What stands in for the serial of a key that tells none.
fn stand_in(salt: &[u8; 8]) -> Option<Serial> {
    format!("{STAND_IN}{}", data_encoding::HEXLOWER.encode(salt)).parse().ok()
}

/// Whether this is no serial, but what stands in for one.
pub fn is_stand_in(serial: &Serial) -> bool {
    serial.as_str().starts_with(STAND_IN)
}

/// Who a key is, and where its password stands.
pub(super) struct Identity {
    serial: Serial,
    about: About,
    salt: Option<[u8; 8]>,
    access: Access,
}

impl<L: ApduLink> Session<L> {
    /// Selects the applet on what is on the link and finds out who it is: one APDU, and two before it where another
    /// applet tells the serial.
    pub fn open(mut link: L, reader_name: &str) -> Result<Self, OpenError> {
        let identity = Self::ask(&mut link, reader_name)?;
        Ok(Self::identified(link, identity))
    }

    pub(super) fn ask(link: &mut L, reader_name: &str) -> Result<Identity, OpenError> {
        let named = named_maker(link.answer_to_reset(), reader_name);
        let elsewhere = named.map_or(Ok(None), |maker| serial_elsewhere(link, maker))?;
        let selected = select(link)?;
        // Only a Nitrokey's applet tells a serial.
        let nitrokey = selected.serial.map(|_| KeyMaker::Nitrokey);
        let maker = named.or(nitrokey).unwrap_or(KeyMaker::Other);
        let serial = elsewhere.or_else(|| selected.serial.and_then(|serial| hex_serial(serial).parse().ok()));
        let serial_from = if serial.is_some() { SerialFrom::Device } else { SerialFrom::Salt };
        let serial = serial
            .or_else(|| selected.salt.as_ref().and_then(stand_in))
            .ok_or(OpenError::Malformed(ReplyError::SerialLength(0)))?;
        let about = About { maker, version: selected.version, serial_from };
        let access = match selected.challenge {
            Some(challenge) => Access::Locked(Some(challenge)),
            None => Access::Open,
        };
        Ok(Identity { serial, about, salt: selected.salt, access })
    }

    pub(super) fn identified(link: L, identity: Identity) -> Self {
        let Identity { serial, about, salt, access } = identity;
        let link = Alike { inner: Whole::new(link, next_part), maker: about.maker };
        Self { talk: Talk { link, serial }, about, salt, access }
    }

    /// The serial that the key told, or what stands in for it.
    pub fn serial(&self) -> &Serial {
        &self.talk.serial
    }

    /// What else is known of it.
    pub fn about(&self) -> About {
        self.about
    }

    /// From now on it is called `serial`, which it could not tell itself.
    pub fn call(&mut self, serial: Serial) {
        self.talk.serial = serial;
    }

    /// Whether a password stands in the way.
    pub fn is_locked(&self) -> bool {
        matches!(self.access, Access::Locked(_))
    }

    /// Whether it has a password, proven or not.
    pub fn has_password(&self) -> bool {
        !matches!(self.access, Access::Open)
    }

    /// The key as it is, where nothing stands in the way.
    pub fn enter(&mut self) -> Option<Unlocked<'_, L>> {
        (!self.is_locked()).then_some(Unlocked { session: self })
    }

    /// Proves knowledge of the password, once, and lets the key prove it too. No APDU where none is wanted, or where it
    /// was proven in this conversation already.
    pub fn unlock(&mut self, password: &CustomerKey) -> Result<Unlocked<'_, L>, UnlockError> {
        let ours = random_challenge()?;
        self.unlock_with(password, ours)
    }

    fn unlock_with(
        &mut self,
        password: &CustomerKey,
        ours: Challenge,
    ) -> Result<Unlocked<'_, L>, UnlockError> {
        if !self.is_locked() {
            return Ok(Unlocked { session: self });
        }
        wire::self_test()?;
        let serial = || self.talk.serial.clone();
        let (Access::Locked(challenge), Some(salt)) = (&mut self.access, self.salt) else {
            let cause = ReplyError::SerialLength(0);
            return Err(UnlockError::Malformed { serial: self.talk.serial.clone(), cause });
        };
        let theirs = challenge.take();
        let key = AccessKey::derive(password, &salt)
            .map_err(|cause| UnlockError::Key { serial: serial(), cause })?;
        let theirs = match theirs {
            Some(theirs) => theirs,
            None => select(&mut self.talk.link)
                .ok()
                .and_then(|again| again.challenge)
                .ok_or_else(|| UnlockError::Challenge { serial: serial(), status: wire::NO_SUCH_DATA })?,
        };
        let reply = self
            .talk
            .link
            .exchange(&wire::validate(&key, &theirs, &ours))
            .map_err(|cause| UnlockError::AnswerLost { serial: serial(), cause })?;
        match reply.status {
            StatusWord::OK => {}
            wire::BAD_DATA => return Err(UnlockError::WrongPassword { serial: serial() }),
            status => return Err(UnlockError::Status { serial: serial(), status }),
        }
        let knows_it = wire::parse_validated(&reply.data, &key, &ours)
            .map_err(|cause| UnlockError::Malformed { serial: serial(), cause })?;
        if !knows_it {
            return Err(UnlockError::NotProven { serial: serial() });
        }
        self.access = Access::Proven;
        Ok(Unlocked { session: self })
    }

    /// Wipes every credential and the password; what stood in for a serial changes with it. Needs no password. A
    /// CanoKey resets in another way, and a Nitrokey waits for a touch.
    pub fn factory_reset(&mut self) -> Result<(), WriteError> {
        let change = Change::FactoryReset;
        match self.talk.send(change, Ok(wire::reset()))? {
            StatusWord::OK => Ok(()),
            wire::LOCKED_OR_UNTOUCHED => {
                Err(WriteError::Untouched { serial: self.talk.serial.clone(), change })
            }
            status => Err(WriteError::Refused { serial: self.talk.serial.clone(), change, status }),
        }
    }
}

fn random_challenge() -> Result<Challenge, UnlockError> {
    let mut challenge = [0; 8];
    getrandom::fill(&mut challenge)
        .map(|()| Challenge(challenge))
        .map_err(|_| UnlockError::SelfTest(SelfTestFailed("the system's random numbers")))
}

impl<L: ApduLink> Unlocked<'_, L> {
    /// The key's serial.
    pub fn serial(&self) -> &Serial {
        self.session.serial()
    }

    /// Names, kinds and hashes of all credentials.
    pub fn list(&mut self) -> Result<Vec<Listed>, ReadError> {
        self.session.talk.read(Reading::Names, &wire::list(), wire::parse_list)
    }

    /// Writes a credential. Delete one of the same name first: a YubiKey overwrites it without a word, others refuse.
    pub fn put(
        &mut self,
        profile: Profile,
        name: &CredentialName,
        parameters: &Parameters,
        touch: Touch,
        seed: &Seed,
    ) -> Result<(), WriteError> {
        let change = Change::Credential(profile);
        let status = self.session.talk.send(change, wire::put(name, parameters, touch, seed))?;
        self.settle(change, status)
    }

    /// Deletes a credential for good.
    pub fn delete(&mut self, profile: Profile, name: &CredentialName) -> Result<Deleted, WriteError> {
        let change = Change::Deletion(profile);
        match self.session.talk.send(change, Ok(wire::delete(name)))? {
            wire::NO_SUCH_DATA => Ok(Deleted::WasEmpty),
            status => self.settle(change, status).map(|()| Deleted::Removed),
        }
    }

    fn settle(&self, change: Change, status: StatusWord) -> Result<(), WriteError> {
        let serial = || self.session.talk.serial.clone();
        match status {
            StatusWord::OK => Ok(()),
            wire::FULL => Err(WriteError::Full { serial: serial(), change }),
            wire::LOCKED_OR_UNTOUCHED if self.session.about.maker == KeyMaker::Nitrokey => {
                Err(WriteError::Untouched { serial: serial(), change })
            }
            wire::LOCKED_OR_UNTOUCHED => Err(WriteError::LockedAgain { serial: serial(), change }),
            status => Err(WriteError::Refused { serial: serial(), change, status }),
        }
    }

    /// Lets the key calculate one code. Where the credential wants a touch, this waits for it as long as the key does.
    pub fn calculate(&mut self, name: &CredentialName, moving: Moving) -> Result<Code, ReadError> {
        let read = self.session.talk.read(Reading::Code, &wire::calculate(name, moving), wire::parse_code);
        read.map_err(|error| match error {
            ReadError::Status { serial, status: wire::LOCKED_OR_UNTOUCHED, .. } => {
                ReadError::Untouched { serial }
            }
            other => other,
        })
    }

    /// Lets the key calculate the codes of all credentials for one step, which is that of those whose period it belongs
    /// to. Where a key can't do that (Nitrokey), it is asked for one after the other, and may wait for touches.
    pub fn calculate_all(&mut self, step: StepCount) -> Result<Vec<(CredentialName, Calculated)>, ReadError> {
        match self.session.talk.read(Reading::Code, &wire::calculate_all(step), wire::parse_all) {
            Err(ReadError::Status { status: wire::UNKNOWN_INSTRUCTION, .. }) => {}
            done => return done,
        }
        let mut all = Vec::new();
        for Listed { name, kind, .. } in self.list()? {
            if kind == Kind::Totp {
                let code = self.calculate(&name, Moving::Step(step))?;
                all.push((name, Calculated::Code(code)));
            }
        }
        Ok(all)
    }

    /// Sets the password. From the next selection on the key wants it; in this conversation it stays unlocked.
    pub fn set_password(&mut self, new: &CustomerKey) -> Result<(), WriteError> {
        let change = Change::Password;
        let serial = self.session.talk.serial.clone();
        let Some(salt) = self.session.salt else {
            return Err(WriteError::NotOffered { family: super::Family::Ykoath, change });
        };
        let ours = random_challenge().map_err(|_| WriteError::NoRandomness { serial })?;
        self.set_password_with(new, &salt, ours)
    }

    fn set_password_with(
        &mut self,
        new: &CustomerKey,
        salt: &[u8; 8],
        ours: Challenge,
    ) -> Result<(), WriteError> {
        let command = AccessKey::derive(new, salt).map(|key| wire::set_code(&key, &ours));
        self.session.talk.change(Change::Password, command, StatusWord::OK)?;
        self.session.access = Access::Proven;
        Ok(())
    }

    /// Takes the password off.
    pub fn clear_password(&mut self) -> Result<(), WriteError> {
        self.session.talk.change(Change::Password, Ok(wire::clear_code()), StatusWord::OK)
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
