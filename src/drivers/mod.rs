//! Conversations with tokens over any [`ApduLink`], and the links that lead to real ones.
//!
//! A family is a module with two types: a `Session` that was told a serial and can only read, and an `Unlocked` that
//! borrows it after the token took the key and can write. [`Token`] and [`Unlocked`] are the closed sets of families
//! behind which the station runs a list of steps without knowing which family it talks to.
//!
//! Nothing here holds a clock, prints, asks, or tries a second time: the moment that a token is set to is handed in,
//! and what to do about an error is decided by who called. Errors tell apart what was refused (nothing was written)
//! and what is unknown (the link was lost before the answer came).

mod error;
pub mod fence;
pub mod hid;
mod identify;
pub mod molto2;
pub mod pcsc;
mod session;
pub mod token2_otp;
pub mod token2_single;
mod traffic;
#[cfg(test)]
pub(crate) mod transcript;
pub mod ykoath;

pub use crate::wire::{Configuration, Info};
pub use error::{Change, OpenError, ReadError, Reading, UnlockError, WriteError};
pub use identify::{Found, OtherDevice, SURPLUS, identify, identify_hid};
pub use traffic::Logged;

use crate::domain::{
    Code, CredentialName, CustomerKey, Hash, Mode, Parameters, Profile, Seed, Serial, Touch, UnixTime,
    credential::{Kind, TwoNames},
    otp::step_at,
};
use crate::link::ApduLink;
use molto2::{Deleted, PublicBlock};
use std::fmt;

/// The families of tokens that have a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Token2 single-profile tokens of the second generation.
    Token2Single,
    /// Token2 Molto2 and Molto2 v2.
    Molto2,
    /// Keys with the OATH applet.
    Ykoath,
    /// Token2's FIDO keys, by their OTP applet.
    Token2Otp,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token2Single => "single-profile token",
            Self::Molto2 => "Molto2",
            Self::Ykoath => "key with OATH applet",
            Self::Token2Otp => "Token2 key with OTP applet",
        })
    }
}

/// A token of a known family that told its serial. It can be read; nothing can be written yet.
pub enum Token<L> {
    /// See [`token2_single`].
    Single(token2_single::Session<L>),
    /// See [`molto2`].
    Molto2(molto2::Session<L>),
    /// See [`ykoath`].
    Key(ykoath::Session<L>),
    /// See [`token2_otp`].
    OtpKey(token2_otp::Session<L>),
}

impl<L: ApduLink> Token<L> {
    /// Which driver this is.
    pub fn driver(&self) -> Family {
        match self {
            Self::Single(_) => Family::Token2Single,
            Self::Molto2(_) => Family::Molto2,
            Self::Key(_) => Family::Ykoath,
            Self::OtpKey(_) => Family::Token2Otp,
        }
    }

    /// The serial that the token told.
    pub fn serial(&self) -> &Serial {
        match self {
            Self::Single(session) => session.serial(),
            Self::Molto2(session) => session.serial(),
            Self::Key(session) => session.serial(),
            Self::OtpKey(session) => session.serial(),
        }
    }

    /// Reads serial and clock, one exchange, and makes sure that it is still the same token. A key has no clock.
    pub fn info(&mut self) -> Result<Info, ReadError> {
        match self {
            Self::Single(session) => session.info(),
            Self::Molto2(session) => session.info(),
            Self::Key(_) | Self::OtpKey(_) => Err(clockless(self.driver())),
        }
    }

    /// Reads what is public of a profile; only a Molto2 tells it.
    pub fn public_block(&mut self, profile: Profile) -> Result<PublicBlock, ReadError> {
        match self {
            Self::Single(_) | Self::Key(_) | Self::OtpKey(_) => Err(untold(self.driver(), profile)),
            Self::Molto2(session) => session.public_block(profile),
        }
    }

    /// Proves knowledge of the customer key, once: two exchanges, of which a token may count the second. A key without a
    /// password takes any, in none.
    pub fn unlock(&mut self, key: &CustomerKey) -> Result<Unlocked<'_, L>, UnlockError> {
        match self {
            Self::Single(session) => session.unlock(key).map(Unlocked::Single),
            Self::Molto2(session) => session.unlock(key).map(Unlocked::Molto2),
            Self::Key(session) => session.unlock(key).map(Unlocked::Key),
            Self::OtpKey(session) => Ok(Unlocked::OtpKey(session.enter())),
        }
    }
}

impl<L: ApduLink> fmt::Debug for Token<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} {})", self.driver(), self.serial())
    }
}

/// A token that took the customer key. What a family lacks is an error of its own and sends nothing.
pub enum Unlocked<'s, L> {
    /// See [`token2_single`].
    Single(token2_single::Unlocked<'s, L>),
    /// See [`molto2`].
    Molto2(molto2::Unlocked<'s, L>),
    /// See [`ykoath`].
    Key(ykoath::Unlocked<'s, L>),
    /// See [`token2_otp`].
    OtpKey(token2_otp::Unlocked<'s, L>),
}

impl<L: ApduLink> Unlocked<'_, L> {
    /// Which driver this is.
    pub fn driver(&self) -> Family {
        match self {
            Self::Single(_) => Family::Token2Single,
            Self::Molto2(_) => Family::Molto2,
            Self::Key(_) => Family::Ykoath,
            Self::OtpKey(_) => Family::Token2Otp,
        }
    }

    /// The token's serial.
    pub fn serial(&self) -> &Serial {
        match self {
            Self::Single(token) => token.serial(),
            Self::Molto2(token) => token.serial(),
            Self::Key(token) => token.serial(),
            Self::OtpKey(token) => token.serial(),
        }
    }

    /// Sets clock and parameters of a profile; `at` is the moment at which the command will land. On single-profile
    /// tokens with restricted time sync this erases the seed.
    pub fn configure(
        &mut self,
        profile: Profile,
        configuration: &Configuration,
        at: UnixTime,
    ) -> Result<(), WriteError> {
        match self {
            Self::Single(token) if profile == Profile::ZERO => token.configure(configuration, at),
            Self::Single(_) | Self::Key(_) | Self::OtpKey(_) => {
                Err(lacking(self.driver(), Change::Configuration(profile)))
            }
            Self::Molto2(token) => token.configure(profile, configuration, at),
        }
    }

    /// Replaces the seed of a profile. There is no undo and no reading back.
    pub fn write_seed(&mut self, profile: Profile, seed: &Seed) -> Result<(), WriteError> {
        match self {
            Self::Single(token) if profile == Profile::ZERO => token.write_seed(seed),
            Self::Single(_) | Self::Key(_) | Self::OtpKey(_) => {
                Err(lacking(self.driver(), Change::Seed(profile)))
            }
            Self::Molto2(token) => token.write_seed(profile, seed),
        }
    }

    /// Writes the title of a profile.
    pub fn write_title(&mut self, profile: Profile, title: &str) -> Result<(), WriteError> {
        match self {
            Self::Single(_) | Self::Key(_) | Self::OtpKey(_) => {
                Err(lacking(self.driver(), Change::Title(profile)))
            }
            Self::Molto2(token) => token.write_title(profile, title),
        }
    }

    /// Sets the clock through one profile and leaves the rest as it is; only a Molto2 has such a command.
    pub fn set_clock(&mut self, profile: Profile, at: UnixTime) -> Result<(), WriteError> {
        match self {
            Self::Single(_) | Self::Key(_) | Self::OtpKey(_) => {
                Err(lacking(self.driver(), Change::Clock(profile)))
            }
            Self::Molto2(token) => token.sync_time(profile, at),
        }
    }

    /// Deletes the seed of a profile for good.
    pub fn delete_seed(&mut self, profile: Profile) -> Result<Deleted, WriteError> {
        match self {
            Self::Single(_) | Self::Key(_) | Self::OtpKey(_) => {
                Err(lacking(self.driver(), Change::Deletion(profile)))
            }
            Self::Molto2(token) => token.delete_seed(profile),
        }
    }

    /// Reads serial and clock; the token stays unlocked. A key has no clock.
    pub fn info(&mut self) -> Result<Info, ReadError> {
        match self {
            Self::Single(token) => token.info(),
            Self::Molto2(token) => token.info(),
            Self::Key(_) | Self::OtpKey(_) => Err(clockless(self.driver())),
        }
    }

    /// Reads what is public of a profile; only a Molto2 tells it.
    pub fn public_block(&mut self, profile: Profile) -> Result<PublicBlock, ReadError> {
        match self {
            Self::Single(_) | Self::Key(_) | Self::OtpKey(_) => Err(untold(self.driver(), profile)),
            Self::Molto2(token) => token.public_block(profile),
        }
    }
}

/// A credential as a key's list tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its name.
    pub name: CredentialName,
    /// Time or counter.
    pub kind: Kind,
    /// Its hash.
    pub hash: Hash,
    /// The rest, from families whose lists tell it. A counter's standing is told by none, and 0 here.
    pub more: Option<(Parameters, Touch)>,
}

impl Credential {
    /// Whether it is the one that was meant, as far as the list tells.
    pub fn is(&self, name: &CredentialName, parameters: &Parameters, touch: Touch) -> bool {
        let same = |told: &Parameters| {
            let moves_alike = match (told.mode, parameters.mode) {
                (Mode::Hotp { .. }, Mode::Hotp { .. }) => true,
                (told, meant) => told == meant,
            };
            moves_alike && told.digits == parameters.digits
        };
        self.name == *name
            && self.kind == Kind::from(parameters.mode)
            && self.hash == parameters.hash
            && self.more.as_ref().is_none_or(|(told, wants)| same(told) && *wants == touch)
    }
}

impl From<ykoath::Listed> for Credential {
    fn from(listed: ykoath::Listed) -> Self {
        Self { name: listed.name, kind: listed.kind, hash: listed.hash, more: None }
    }
}

impl From<token2_otp::Record> for Credential {
    fn from(record: token2_otp::Record) -> Self {
        let token2_otp::Record { names, parameters, touch, code: _ } = record;
        Self {
            name: names.name(),
            kind: parameters.mode.into(),
            hash: parameters.hash,
            more: Some((parameters, touch)),
        }
    }
}

/// What only keys have: credentials, which they know by their names.
impl<L: ApduLink> Unlocked<'_, L> {
    /// Writes a credential. Delete one of the same name first: some keys overwrite it without a word, others refuse.
    pub fn write_credential(
        &mut self,
        profile: Profile,
        name: &CredentialName,
        parameters: &Parameters,
        touch: Touch,
        seed: &Seed,
    ) -> Result<(), WriteError> {
        match self {
            Self::Single(_) | Self::Molto2(_) => Err(lacking(self.driver(), Change::Credential(profile))),
            Self::Key(key) => key.put(profile, name, parameters, touch, seed),
            Self::OtpKey(key) => key.put(profile, &TwoNames::of(name), parameters, touch, seed),
        }
    }

    /// Deletes a credential for good.
    pub fn delete_credential(
        &mut self,
        profile: Profile,
        name: &CredentialName,
    ) -> Result<Deleted, WriteError> {
        match self {
            Self::Single(_) | Self::Molto2(_) => Err(lacking(self.driver(), Change::Deletion(profile))),
            Self::Key(key) => key.delete(profile, name),
            Self::OtpKey(key) => key.delete(profile, &TwoNames::of(name)),
        }
    }

    /// All credentials of a key. `now` is for keys whose lists hold codes as well.
    pub fn credentials(&mut self, now: UnixTime) -> Result<Vec<Credential>, ReadError> {
        match self {
            Self::Single(_) | Self::Molto2(_) => {
                Err(ReadError::NotOffered { family: self.driver(), reading: Reading::Names })
            }
            Self::Key(key) => key.list().map(|all| all.into_iter().map(Credential::from).collect()),
            Self::OtpKey(key) => key.list(now).map(|all| all.into_iter().map(Credential::from).collect()),
        }
    }

    /// Lets a key calculate the code of one credential: that of `now`, of a counter the next. Where it wants a touch, this
    /// waits for it as long as the key does.
    pub fn calculate(&mut self, name: &CredentialName, mode: Mode, now: UnixTime) -> Result<Code, ReadError> {
        match self {
            Self::Single(_) | Self::Molto2(_) => {
                Err(ReadError::NotOffered { family: self.driver(), reading: Reading::Code })
            }
            Self::Key(key) => {
                let step = match mode {
                    Mode::Totp { period, t0 } => step_at(now, t0, period),
                    Mode::Hotp { .. } => None,
                };
                key.calculate(name, step.map_or(ykoath::Moving::Counter, ykoath::Moving::Step))
            }
            Self::OtpKey(key) => key.calculate(&TwoNames::of(name), now),
        }
    }

    /// Sets the password of a key's applet, where it can have one.
    pub fn set_password(&mut self, new: &CustomerKey) -> Result<(), WriteError> {
        match self {
            Self::Single(_) | Self::Molto2(_) | Self::OtpKey(_) => {
                Err(lacking(self.driver(), Change::Password))
            }
            Self::Key(key) => key.set_password(new),
        }
    }
}

impl<L: ApduLink> fmt::Debug for Unlocked<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unlocked({})", self.serial())
    }
}

fn lacking(family: Family, change: Change) -> WriteError {
    WriteError::NotOffered { family, change }
}

fn untold(family: Family, profile: Profile) -> ReadError {
    ReadError::NotOffered { family, reading: Reading::PublicBlock(profile) }
}

fn clockless(family: Family) -> ReadError {
    ReadError::NotOffered { family, reading: Reading::Info }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Parameters;
    use crate::link::StatusWord;
    use transcript::Transcript;

    const NFC: &str = "a reader";

    fn single(rest: &[(&str, &str)]) -> (Transcript, Token<Transcript>) {
        let mut story = vec![("80410000020211", "0000000e383635393632323030303132333400006955b89f9000")];
        story.extend(rest);
        let link = Transcript::new(&story);
        match identify(link.clone(), NFC) {
            Ok(Found::Token(token, _)) => (link, token),
            _ => panic!("no token"),
        }
    }

    #[test]
    fn what_a_family_lacks_is_said_and_not_sent() {
        let (link, mut token) = single(&[
            ("804b08000100", "a1b2c3d4e5f607189000"),
            ("80ce0000100356e6caffc1d26570acf12c6339f707", "9000"),
        ]);
        let one = Profile::new(1);
        assert_eq!(token.public_block(Profile::ZERO), Err(untold(Family::Token2Single, Profile::ZERO)));
        let mut token = token.unlock(&token2_single::device_key()).unwrap();
        let configuration = Configuration { parameters: Parameters::standard(), display_timeout_s: 30 };
        let configured = token.configure(one, &configuration, UnixTime(0));
        assert_eq!(configured, Err(lacking(Family::Token2Single, Change::Configuration(one))));
        assert_eq!(
            token.write_seed(one, &Seed::new([1])),
            Err(lacking(Family::Token2Single, Change::Seed(one)))
        );
        assert_eq!(
            token.write_title(Profile::ZERO, "x"),
            Err(lacking(Family::Token2Single, Change::Title(Profile::ZERO)))
        );
        assert_eq!(
            token.set_clock(Profile::ZERO, UnixTime(0)),
            Err(lacking(Family::Token2Single, Change::Clock(Profile::ZERO)))
        );
        assert_eq!(
            token.delete_seed(Profile::ZERO),
            Err(lacking(Family::Token2Single, Change::Deletion(Profile::ZERO)))
        );
        assert_eq!(token.public_block(Profile::ZERO), Err(untold(Family::Token2Single, Profile::ZERO)));
        assert_eq!((link.sent(), link.left()), (3, 0));
    }

    #[test]
    fn a_list_of_steps_runs_on_either_family() {
        let file = transcript::vectors("molto2");
        let steps = file["full_exchange"]["commands"].as_array().unwrap();
        let replies = [
            "00000008313233343536373800006955b9009000",
            "951f701d00000000000000000000000000000000000000000000000000000000009000",
            "a1b2c3d4e5f607189000",
            "9000",
            "9000",
            "9000",
            "6a80",
        ];
        let story: Vec<(&str, &str)> =
            steps.iter().map(|step| step["command"].as_str().unwrap()).zip(replies).collect();
        let link = Transcript::new(&story);
        let Ok(Found::Token(mut token, _)) = identify(link.clone(), "Molto2 00 00") else {
            panic!("no token")
        };
        let profile = Profile::new(4);
        assert!(!token.public_block(profile).unwrap().seed_present);
        let mut token = token.unlock(&molto2::default_key()).unwrap();
        let configuration = Configuration { parameters: Parameters::standard(), display_timeout_s: 30 };
        token.configure(profile, &configuration, UnixTime(1_767_225_600)).unwrap();
        token.write_seed(profile, &Seed::new(*b"12345678901234567890")).unwrap();
        let refused = WriteError::Refused {
            serial: "12345678".parse().unwrap(),
            change: Change::Title(profile),
            status: StatusWord(0x6A80),
        };
        assert_eq!(token.write_title(profile, "kiln"), Err(refused));
        assert_eq!(link.left(), 0);
    }
}
