//! A conversation with a Token2 single-profile token. A burn with its two reads of the clock takes six APDUs, the
//! fewest that the protocol allows.
//!
//! The token keeps its authentication until the next challenge, so one [`Session::unlock`] serves configuration and
//! seed. It is never repeated here: every answer may count towards a lock.

use super::error::{Change, OpenError, ReadError, UnlockError, WriteError};
use super::session::{Handshake, Talk, identity};
use crate::domain::{CustomerKey, Profile, Seed, Serial, UnixTime};
use crate::link::{Apdu, ApduLink, StatusWord};
use crate::wire::sm4::Key;
use crate::wire::{Configuration, EncodeError, Info, token2_single as wire};
use std::fmt;

pub use crate::wire::token2_single::device_key;

const HANDSHAKE: Handshake = Handshake {
    get_challenge: wire::get_challenge,
    parse_challenge: wire::parse_challenge,
    answer: wire::answer,
    refusal: |serial, status| {
        (status == wire::REFUSED).then(|| UnlockError::WrongKeyOrLocked { serial: serial.clone() })
    },
};

/// A token that answered and told its serial. It can be read; nothing can be written yet.
pub struct Session<L>(Talk<L>);

/// The same token after it took the key. Dropping this wipes the session key; the token itself stays unlocked until
/// the link is dropped.
pub struct Unlocked<'s, L> {
    talk: &'s mut Talk<L>,
    key: Key,
}

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

    /// Proves knowledge of the key: two APDUs, one attempt, no repetition. The key is [`device_key`] on every token
    /// that Token2 sells.
    pub fn unlock(&mut self, key: &CustomerKey) -> Result<Unlocked<'_, L>, UnlockError> {
        let key = wire::session_key(key)
            .map_err(|cause| UnlockError::Key { serial: self.0.serial.clone(), cause })?;
        self.0.authenticate(&key, &HANDSHAKE)?;
        Ok(Unlocked { talk: &mut self.0, key })
    }
}

impl<L: ApduLink> Unlocked<'_, L> {
    /// The token's serial.
    pub fn serial(&self) -> &Serial {
        &self.talk.serial
    }

    /// Reads serial and clock; the token stays unlocked.
    pub fn info(&mut self) -> Result<Info, ReadError> {
        self.talk.info(&wire::get_info(), wire::parse_info)
    }

    /// Sets clock and parameters, all of them together; `at` is the moment at which the command will land. On tokens
    /// with restricted time sync this erases the seed, so the seed is written after it.
    pub fn configure(&mut self, configuration: &Configuration, at: UnixTime) -> Result<(), WriteError> {
        let command = wire::write_configuration(&self.key, configuration, at);
        self.write(Change::Configuration(Profile::ZERO), command)
    }

    /// Replaces the seed. There is no undo and no reading back, and the display shows a stale code until the token is
    /// switched off and on.
    pub fn write_seed(&mut self, seed: &Seed) -> Result<(), WriteError> {
        let command = wire::write_seed(&self.key, seed);
        self.write(Change::Seed(Profile::ZERO), command)
    }

    fn write(&mut self, change: Change, command: Result<Apdu, EncodeError>) -> Result<(), WriteError> {
        match self.talk.change(change, command, StatusWord::OK) {
            // A bad MAC would say the same; but the MAC is right, or the self-test had failed.
            Err(WriteError::Refused { serial, change, status: wire::REFUSED }) => {
                Err(WriteError::LockedAgain { serial, change })
            }
            other => other,
        }
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
    use crate::domain::{Hash, Parameters, Period};
    use crate::drivers::transcript::{Transcript, bytes, vectors};
    use crate::link::LinkError;
    use crate::wire::ReplyError;

    const INFO: (&str, &str) = ("80410000020211", "0000000e383635393632323030303132333400006955b89f9000");
    const CHALLENGE: (&str, &str) = ("804b08000100", "a1b2c3d4e5f607189000");
    const ANSWER: &str = "80ce0000100356e6caffc1d26570acf12c6339f707";

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

    fn standard() -> Configuration {
        Configuration { parameters: Parameters::standard(), display_timeout_s: 30 }
    }

    #[test]
    fn a_burn_takes_six_apdus() {
        let file = vectors("token2-single");
        for entry in file["seeds"].as_array().unwrap() {
            let story = Transcript::from_exchanges(&entry["exchanges"]);
            let hash = if entry["algorithm"] == 2 { Hash::Sha256 } else { Hash::Sha1 };
            let period = Period::from_secs(entry["time_step"].as_u64().unwrap()).unwrap();
            let parameters =
                Parameters { hash, ..Parameters::totp(hash, crate::domain::Digits::SIX, period) };

            let (mut session, before) = Session::open(story.clone()).unwrap();
            assert_eq!(before.clock, UnixTime(1_767_225_503));
            let mut token = session.unlock(&device_key()).unwrap();
            let configuration = Configuration { parameters, display_timeout_s: 30 };
            token.configure(&configuration, UnixTime(1_767_225_600)).unwrap();
            token.write_seed(&Seed::new(bytes(entry["seed"].as_str().unwrap()))).unwrap();
            assert_eq!(token.info().unwrap().clock, UnixTime(1_767_225_600));
            assert_eq!((story.sent(), story.left()), (6, 0));
        }
    }

    #[test]
    fn a_refused_key_is_tried_once_and_said_to_be_wrong_or_locked() {
        let mut session = opened(&[CHALLENGE, (ANSWER, "6983")]);
        let Err(error) = session.unlock(&device_key()) else { panic!("unlocked") };
        let serial = session.serial().clone();
        assert_eq!(error, UnlockError::WrongKeyOrLocked { serial });
        assert_eq!(session.0.link.left(), 0);
    }

    #[test]
    fn a_link_lost_before_the_answer_costs_no_try_and_after_it_may() {
        let mut session = opened(&[(CHALLENGE.0, "")]);
        let serial = session.serial().clone();
        let error = session.unlock(&device_key()).unwrap_err();
        assert_eq!(error, UnlockError::Link { serial: serial.clone(), cause: LinkError::Gone });
        assert!(!error.may_have_cost_a_try());

        let mut session = opened(&[CHALLENGE, (ANSWER, "")]);
        let error = session.unlock(&device_key()).unwrap_err();
        assert_eq!(error, UnlockError::AnswerLost { serial, cause: LinkError::Gone });
        assert!(error.may_have_cost_a_try());
    }

    #[test]
    fn unexpected_words_while_unlocking_are_told() {
        let mut session = opened(&[(CHALLENGE.0, "6d00")]);
        let serial = session.serial().clone();
        let error = session.unlock(&device_key()).unwrap_err();
        assert_eq!(error, UnlockError::Challenge { serial: serial.clone(), status: StatusWord(0x6D00) });
        let mut session = opened(&[(CHALLENGE.0, "a1b2c3d49000")]);
        assert!(matches!(session.unlock(&device_key()).unwrap_err(), UnlockError::Malformed { .. }));
        let mut session = opened(&[CHALLENGE, (ANSWER, "6a80")]);
        let error = session.unlock(&device_key()).unwrap_err();
        assert_eq!(error, UnlockError::Status { serial, status: StatusWord(0x6A80) });
    }

    #[test]
    fn a_key_of_another_length_is_refused_before_anything_is_sent() {
        let mut session = opened(&[]);
        let error = session.unlock(&CustomerKey::new([0; 8])).unwrap_err();
        assert!(matches!(error, UnlockError::Key { cause: EncodeError::KeyLength(8), .. }));
    }

    #[test]
    fn a_write_is_confirmed_refused_or_unknown() {
        const SEED: &str = "84c501001429edda86320b0908f55d0351d6eb9070f874b238";
        let seed = vectors("token2-single")["seeds"][3]["seed"].as_str().unwrap().to_owned();
        let attempt = |reply: &'static str| {
            let mut session = unlocked_then(&[(SEED, reply)]);
            session.unlock(&device_key()).unwrap().write_seed(&Seed::new(bytes(&seed)))
        };
        let serial: Serial = "86596220001234".parse().unwrap();
        let change = Change::Seed(Profile::ZERO);
        assert_eq!(attempt("9000"), Ok(()));
        assert_eq!(attempt("6983"), Err(WriteError::LockedAgain { serial: serial.clone(), change }));
        let status = StatusWord(0x6A80);
        assert_eq!(attempt("6a80"), Err(WriteError::Refused { serial: serial.clone(), change, status }));
        // A half-right word is not good enough: 9060 means something else on another family.
        assert!(matches!(attempt("9060"), Err(WriteError::Refused { .. })));
        assert_eq!(attempt(""), Err(WriteError::Unknown { serial, change, cause: LinkError::Gone }));
    }

    #[test]
    fn what_the_token_cannot_do_is_not_sent() {
        let mut session = unlocked_then(&[]);
        let mut token = session.unlock(&device_key()).unwrap();
        let odd = Configuration { display_timeout_s: 45, ..standard() };
        let error = token.configure(&odd, UnixTime(0)).unwrap_err();
        assert!(matches!(error, WriteError::Cannot { cause: EncodeError::DisplayTimeout(45), .. }));
        let error = token.write_seed(&Seed::new([1; 64])).unwrap_err();
        assert!(matches!(error, WriteError::Cannot { cause: EncodeError::SeedLength(64), .. }));
    }

    #[test]
    fn a_token_swapped_in_mid_conversation_is_noticed() {
        let other = (INFO.0, "0000000e383635393632323030303132333500006955b89f9000");
        let error = opened(&[other]).info().unwrap_err();
        let (expected, found) = ("86596220001234".parse().unwrap(), "86596220001235".parse().unwrap());
        assert_eq!(error, ReadError::OtherToken { expected, found });
    }

    #[test]
    fn a_malformed_identity_opens_nothing() {
        let open = |reply| Session::open(Transcript::new(&[(INFO.0, reply)])).unwrap_err();
        assert_eq!(open("6d00"), OpenError::Status(StatusWord(0x6D00)));
        assert_eq!(
            open("00000007383635393631320000f00000019000"),
            OpenError::Malformed(ReplyError::SerialLength(7))
        );
        assert_eq!(open(""), OpenError::Link(LinkError::Gone));
    }
}
