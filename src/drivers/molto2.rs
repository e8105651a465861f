//! A conversation with a Molto2. No firmware of it is public: what is assumed rather than known is said where it
//! matters.
//!
//! Without the key, anybody at the port can read the public blocks, delete seeds, and with the button reset the
//! device; the key protects only writing. Deleting is nevertheless offered on an unlocked token only, as the vendor
//! says it should be.

use super::Family;
use super::error::{Change, OpenError, ReadError, Reading, UnlockError, WriteError};
use super::session::{Handshake, Talk, identity};
use crate::domain::{CustomerKey, Profile, Seed, Serial, UnixTime};
use crate::link::{ApduLink, StatusWord};
use crate::wire::sm4::Key;
use crate::wire::{Configuration, Info, molto2 as wire};
use std::fmt;

pub use crate::wire::molto2::{PublicBlock, default_key};

const HANDSHAKE: Handshake = Handshake {
    get_challenge: wire::get_challenge,
    parse_challenge: wire::parse_challenge,
    answer: wire::answer,
    refusal: |serial, status| {
        wire::tries_left(status)
            .map(|tries_left| UnlockError::WrongKey { serial: serial.clone(), tries_left })
    },
};

/// A token that answered and told its serial. It can be read; nothing can be written yet.
pub struct Session<L>(Talk<L>);

/// The same token after it took the customer key. Dropping this wipes the session key; the token itself stays unlocked
/// until the link is dropped.
pub struct Unlocked<'s, L> {
    talk: &'s mut Talk<L>,
    key: Key,
}

/// What became of a seed that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It was there and is gone; title and configuration stay.
    Removed,
    /// There was none.
    WasEmpty,
}

/// The token has taken the command and waits for a person to press its up-arrow button (▲). Nothing has changed until
/// then, and the token cannot be asked whether it has.
#[must_use = "nothing happens until a person presses the button"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwaitsButton;

impl<L: ApduLink> Session<L> {
    /// Asks what is on the link for its identity: one APDU.
    pub fn open(mut link: L) -> Result<(Self, Info), OpenError> {
        let info = Self::ask(&mut link)?;
        Ok((Self::identified(link, info.serial.clone()), info))
    }

    pub(super) fn ask(link: &mut L) -> Result<Info, OpenError> {
        identity(link, &wire::get_info(), wire::parse_info)
    }

    pub(super) fn identified(link: L, serial: Serial) -> Self {
        Self(Talk { link, serial })
    }

    /// The serial that the token told when the session was opened.
    pub fn serial(&self) -> &Serial {
        &self.0.serial
    }

    /// Reads serial and clock, and makes sure that it is still the same token.
    pub fn info(&mut self) -> Result<Info, ReadError> {
        self.0.info(&wire::get_info(), wire::parse_info)
    }

    /// Reads what is public of a profile: title, parameters, and whether it holds a seed.
    pub fn public_block(&mut self, profile: Profile) -> Result<PublicBlock, ReadError> {
        public_block(&mut self.0, profile)
    }

    /// Proves knowledge of the customer key: two APDUs, one attempt, no repetition.
    pub fn unlock(&mut self, key: &CustomerKey) -> Result<Unlocked<'_, L>, UnlockError> {
        let key = wire::session_key(key)
            .map_err(|cause| UnlockError::Key { serial: self.0.serial.clone(), cause })?;
        self.0.authenticate(&key, &HANDSHAKE)?;
        Ok(Unlocked { talk: &mut self.0, key })
    }

    /// Asks for a factory reset, which needs no key: once the button is pressed all profiles are erased and the customer
    /// key is [`default_key`].
    pub fn factory_reset(&mut self) -> Result<AwaitsButton, WriteError> {
        self.0.change(Change::FactoryReset, Ok(wire::factory_reset()), wire::AWAITS_BUTTON)?;
        Ok(AwaitsButton)
    }
}

fn public_block<L: ApduLink>(talk: &mut Talk<L>, profile: Profile) -> Result<PublicBlock, ReadError> {
    let reading = Reading::PublicBlock(profile);
    // The only thing to refuse here is a profile number that no Molto2 has.
    let command = wire::get_public_block(profile)
        .map_err(|_| ReadError::NotOffered { family: Family::Molto2, reading })?;
    talk.read(reading, &command, wire::parse_public_block)
}

impl<L: ApduLink> Unlocked<'_, L> {
    /// The token's serial.
    pub fn serial(&self) -> &Serial {
        &self.talk.serial
    }

    /// Reads serial and clock; assumed to keep the token unlocked, as on the single-profile family.
    pub fn info(&mut self) -> Result<Info, ReadError> {
        self.talk.info(&wire::get_info(), wire::parse_info)
    }

    /// Reads what is public of a profile.
    pub fn public_block(&mut self, profile: Profile) -> Result<PublicBlock, ReadError> {
        public_block(self.talk, profile)
    }

    /// Deletes the seed of a profile for good. The title survives until another one is written.
    pub fn delete_seed(&mut self, profile: Profile) -> Result<Deleted, WriteError> {
        let change = Change::Deletion(profile);
        match self.talk.send(change, wire::delete_seed(profile))? {
            StatusWord::OK => Ok(Deleted::Removed),
            wire::ALREADY_EMPTY => Ok(Deleted::WasEmpty),
            status => Err(WriteError::Refused { serial: self.talk.serial.clone(), change, status }),
        }
    }

    /// Sets clock and parameters of a profile, which should be empty; `at` is the moment at which the command will land.
    pub fn configure(
        &mut self,
        profile: Profile,
        configuration: &Configuration,
        at: UnixTime,
    ) -> Result<(), WriteError> {
        let command = wire::write_configuration(&self.key, profile, configuration, at);
        self.talk.change(Change::Configuration(profile), command, StatusWord::OK)
    }

    /// Writes the seed of an empty profile. There is no undo and no reading back. What the device does when the profile
    /// is filled is not published: delete first.
    pub fn write_seed(&mut self, profile: Profile, seed: &Seed) -> Result<(), WriteError> {
        let command = wire::write_seed(&self.key, profile, seed);
        self.talk.change(Change::Seed(profile), command, StatusWord::OK)
    }

    /// Writes the title of a profile, 1 to 12 bytes, readable by anybody with access to the port.
    pub fn write_title(&mut self, profile: Profile, title: &str) -> Result<(), WriteError> {
        let command = wire::write_title(&self.key, profile, title);
        self.talk.change(Change::Title(profile), command, StatusWord::OK)
    }

    /// Sets the clock through one profile; no loss of the seed is documented. Take the time anew for each profile.
    pub fn sync_time(&mut self, profile: Profile, at: UnixTime) -> Result<(), WriteError> {
        let command = wire::sync_time(&self.key, profile, at);
        self.talk.change(Change::Clock(profile), command, StatusWord::OK)
    }

    /// Asks for another customer key, which holds once the button is pressed. Whether it was can only be found out by
    /// unlocking with the new key, once. Ends this conversation, since what it is worth afterwards is not published.
    pub fn change_key(self, new: &CustomerKey) -> Result<AwaitsButton, WriteError> {
        let command = wire::change_key(&self.key, new);
        self.talk.change(Change::CustomerKey, command, wire::AWAITS_BUTTON)?;
        Ok(AwaitsButton)
    }

    /// Locks the screen (v2, from firmware 2.1).
    pub fn lock_screen(&mut self) -> Result<(), WriteError> {
        self.talk.change(Change::ScreenLock, Ok(wire::lock_screen()), StatusWord::OK)
    }

    /// Unlocks the screen (v2, from firmware 2.1).
    pub fn unlock_screen(&mut self) -> Result<(), WriteError> {
        self.talk.change(Change::ScreenUnlock, Ok(wire::unlock_screen()), StatusWord::OK)
    }
}

impl<L> fmt::Debug for Session<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.0.serial)
    }
}

impl<L> fmt::Debug for Unlocked<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unlocked({})", self.talk.serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Parameters;
    use crate::drivers::transcript::{Transcript, bytes, vectors};
    use crate::link::LinkError;
    use crate::wire::{EncodeError, ReplyError};

    const INFO: (&str, &str) = ("8041000000", "00000008313233343536373800006955b9009000");
    const CHALLENGE: (&str, &str) = ("804b080000", "a1b2c3d4e5f607189000");
    const ANSWER: &str = "80ce0000107ea4f855a2f2f4216b8bf3266ef10578";
    const EMPTY: &str = "951f701d00000000000000000000000000000000000000000000000000000000009000";

    fn opened(rest: &[(&str, &str)]) -> Session<Transcript> {
        let mut story = vec![INFO];
        story.extend(rest);
        Session::open(Transcript::new(&story)).unwrap().0
    }

    fn unlocked_then(rest: &[(&str, &str)]) -> Session<Transcript> {
        let mut story = vec![CHALLENGE, (ANSWER, "9000")];
        story.extend(rest);
        opened(&story)
    }

    fn serial() -> Serial {
        "12345678".parse().unwrap()
    }

    #[test]
    fn a_profile_is_burned_in_the_vendors_order() {
        let file = vectors("molto2");
        let steps = file["full_exchange"]["commands"].as_array().unwrap();
        let replies = [INFO.1, EMPTY, CHALLENGE.1, "9000", "9000", "9000", "9000"];
        let story: Vec<(&str, &str)> =
            steps.iter().map(|step| step["command"].as_str().unwrap()).zip(replies).collect();
        let link = Transcript::new(&story);

        let profile = Profile::new(4);
        let (mut session, _) = Session::open(link.clone()).unwrap();
        assert!(!session.public_block(profile).unwrap().seed_present);
        let mut token = session.unlock(&default_key()).unwrap();
        let configuration = Configuration { parameters: Parameters::standard(), display_timeout_s: 30 };
        token.configure(profile, &configuration, UnixTime(1_767_225_600)).unwrap();
        token.write_seed(profile, &Seed::new(*b"12345678901234567890")).unwrap();
        token.write_title(profile, "kiln").unwrap();
        assert_eq!((link.sent(), link.left()), (7, 0));
    }

    #[test]
    fn a_refused_key_is_tried_once_and_the_tries_are_told() {
        let file = vectors("molto2");
        for entry in file["auth_failures"].as_array().unwrap() {
            let mut session = opened(&[CHALLENGE, (ANSWER, entry["response"].as_str().unwrap())]);
            let tries_left = entry["attempts_left"].as_u64().unwrap() as u8;
            let error = session.unlock(&default_key()).unwrap_err();
            assert_eq!(error, UnlockError::WrongKey { serial: serial(), tries_left });
            assert_eq!(session.0.link.left(), 0);
        }
        let mut session = opened(&[CHALLENGE, (ANSWER, "6983")]);
        let status = StatusWord(0x6983);
        let error = session.unlock(&default_key()).unwrap_err();
        assert_eq!(
            error,
            UnlockError::Status { serial: serial(), status },
            "not a refusal this family knows"
        );
    }

    #[test]
    fn deleting_from_an_empty_profile_is_no_error() {
        let profile = Profile::new(7);
        for (reply, expected) in [("9000", Ok(Deleted::Removed)), ("6a83", Ok(Deleted::WasEmpty))] {
            let mut session = unlocked_then(&[("80e6000700", reply)]);
            assert_eq!(session.unlock(&default_key()).unwrap().delete_seed(profile), expected);
        }
        let mut session = unlocked_then(&[("80e6000700", "6982")]);
        let error = session.unlock(&default_key()).unwrap().delete_seed(profile).unwrap_err();
        let (change, status) = (Change::Deletion(profile), StatusWord(0x6982));
        assert_eq!(error, WriteError::Refused { serial: serial(), change, status });
        let mut session = unlocked_then(&[("80e6000700", "")]);
        let error = session.unlock(&default_key()).unwrap().delete_seed(profile).unwrap_err();
        assert!(error.outcome_is_unknown());
    }

    #[test]
    fn the_button_is_awaited_only_on_9060() {
        for (reply, good) in [("9060", true), ("9000", false), ("6a81", false)] {
            assert_eq!(opened(&[("8056000000", reply)]).factory_reset().is_ok(), good, "{reply}");
        }
        let file = vectors("molto2");
        let entry = &file["customer_key_change"][1];
        let command = entry["command"].as_str().unwrap();
        let new = CustomerKey::new(bytes(entry["new_customer_key"].as_str().unwrap()));
        for (reply, good) in [("9060", true), ("9000", false), ("", false)] {
            let mut session = unlocked_then(&[(command, reply)]);
            let changed = session.unlock(&default_key()).unwrap().change_key(&new);
            assert_eq!(changed.is_ok(), good, "{reply}");
            let unknown = changed.is_err_and(|error| error.outcome_is_unknown());
            assert_eq!(unknown, reply.is_empty());
        }
    }

    #[test]
    fn screen_and_clock_commands_go_out_as_listed() {
        let mut session = unlocked_then(&[
            ("80d80c0200", "9000"),
            ("80d80c020101", "9000"),
            ("84d401000c81060f046955b900a8406140", "9000"),
            INFO,
            ("804100000170", EMPTY),
            ("80d80c0200", "6d00"),
        ]);
        let mut token = session.unlock(&default_key()).unwrap();
        token.lock_screen().unwrap();
        token.unlock_screen().unwrap();
        token.sync_time(Profile::ZERO, UnixTime(1_767_225_600)).unwrap();
        assert_eq!(token.info().unwrap().clock, UnixTime(1_767_225_600));
        assert!(!token.public_block(Profile::ZERO).unwrap().seed_present);
        let status = StatusWord(0x6D00);
        let refused = WriteError::Refused { serial: serial(), change: Change::ScreenLock, status };
        assert_eq!(token.lock_screen(), Err(refused));
    }

    #[test]
    fn what_the_token_cannot_be_told_is_not_sent() {
        let mut session = unlocked_then(&[]);
        let mut token = session.unlock(&default_key()).unwrap();
        let error = token.write_seed(Profile::ZERO, &Seed::new([0; 20])).unwrap_err();
        assert!(matches!(error, WriteError::Cannot { cause: EncodeError::ZeroSeed, .. }));
        let beyond = Profile::new(100);
        let reading = Reading::PublicBlock(beyond);
        let error = ReadError::NotOffered { family: Family::Molto2, reading };
        assert_eq!(token.public_block(beyond), Err(error));
    }

    #[test]
    fn a_public_block_that_is_refused_or_odd_is_an_error() {
        let reading = Reading::PublicBlock(Profile::ZERO);
        let read = |reply| opened(&[("804100000170", reply)]).public_block(Profile::ZERO).unwrap_err();
        let status = StatusWord(0x6FFB);
        assert_eq!(read("6ffb"), ReadError::Status { serial: serial(), reading, status });
        assert_eq!(read(""), ReadError::Link { serial: serial(), reading, cause: LinkError::Gone });
        let cause = ReplyError::Length { expected: 33, found: 0 };
        assert_eq!(read("9000"), ReadError::Malformed { serial: serial(), reading, cause });
    }
}
