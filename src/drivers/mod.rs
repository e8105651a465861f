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
pub mod token2_single;
mod traffic;
#[cfg(test)]
pub(crate) mod transcript;
pub mod ykoath;

pub use crate::wire::{Configuration, Info};
pub use error::{Change, OpenError, ReadError, Reading, UnlockError, WriteError};
pub use identify::{Found, OtherDevice, identify};
pub use traffic::Logged;

use crate::domain::{CustomerKey, Profile, Seed, Serial, UnixTime};
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
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token2Single => "single-profile token",
            Self::Molto2 => "Molto2",
            Self::Ykoath => "key with OATH applet",
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
}

impl<L: ApduLink> Token<L> {
    /// Which driver this is.
    pub fn driver(&self) -> Family {
        match self {
            Self::Single(_) => Family::Token2Single,
            Self::Molto2(_) => Family::Molto2,
            Self::Key(_) => Family::Ykoath,
        }
    }

    /// The serial that the token told.
    pub fn serial(&self) -> &Serial {
        match self {
            Self::Single(session) => session.serial(),
            Self::Molto2(session) => session.serial(),
            Self::Key(session) => session.serial(),
        }
    }

    /// Reads serial and clock, one exchange, and makes sure that it is still the same token. A key has no clock.
    pub fn info(&mut self) -> Result<Info, ReadError> {
        match self {
            Self::Single(session) => session.info(),
            Self::Molto2(session) => session.info(),
            Self::Key(_) => Err(clockless()),
        }
    }

    /// Reads what is public of a profile; only a Molto2 tells it.
    pub fn public_block(&mut self, profile: Profile) -> Result<PublicBlock, ReadError> {
        match self {
            Self::Single(_) | Self::Key(_) => Err(untold(self.driver(), profile)),
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
}

impl<L: ApduLink> Unlocked<'_, L> {
    /// Which driver this is.
    pub fn driver(&self) -> Family {
        match self {
            Self::Single(_) => Family::Token2Single,
            Self::Molto2(_) => Family::Molto2,
            Self::Key(_) => Family::Ykoath,
        }
    }

    /// The token's serial.
    pub fn serial(&self) -> &Serial {
        match self {
            Self::Single(token) => token.serial(),
            Self::Molto2(token) => token.serial(),
            Self::Key(token) => token.serial(),
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
            Self::Single(_) | Self::Key(_) => Err(lacking(self.driver(), Change::Configuration(profile))),
            Self::Molto2(token) => token.configure(profile, configuration, at),
        }
    }

    /// Replaces the seed of a profile. There is no undo and no reading back.
    pub fn write_seed(&mut self, profile: Profile, seed: &Seed) -> Result<(), WriteError> {
        match self {
            Self::Single(token) if profile == Profile::ZERO => token.write_seed(seed),
            Self::Single(_) | Self::Key(_) => Err(lacking(self.driver(), Change::Seed(profile))),
            Self::Molto2(token) => token.write_seed(profile, seed),
        }
    }

    /// Writes the title of a profile.
    pub fn write_title(&mut self, profile: Profile, title: &str) -> Result<(), WriteError> {
        match self {
            Self::Single(_) | Self::Key(_) => Err(lacking(self.driver(), Change::Title(profile))),
            Self::Molto2(token) => token.write_title(profile, title),
        }
    }

    /// Deletes the seed of a profile for good.
    pub fn delete_seed(&mut self, profile: Profile) -> Result<Deleted, WriteError> {
        match self {
            Self::Single(_) | Self::Key(_) => Err(lacking(self.driver(), Change::Deletion(profile))),
            Self::Molto2(token) => token.delete_seed(profile),
        }
    }

    /// Reads serial and clock; the token stays unlocked. A key has no clock.
    pub fn info(&mut self) -> Result<Info, ReadError> {
        match self {
            Self::Single(token) => token.info(),
            Self::Molto2(token) => token.info(),
            Self::Key(_) => Err(clockless()),
        }
    }

    /// Reads what is public of a profile; only a Molto2 tells it.
    pub fn public_block(&mut self, profile: Profile) -> Result<PublicBlock, ReadError> {
        match self {
            Self::Single(_) | Self::Key(_) => Err(untold(self.driver(), profile)),
            Self::Molto2(token) => token.public_block(profile),
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

fn clockless() -> ReadError {
    ReadError::NotOffered { family: Family::Ykoath, reading: Reading::Info }
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
