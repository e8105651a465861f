//! What can go wrong in a conversation with a token: one enum for each operation, shared by the families, since the
//! station meets them through one door.

use super::Family;
use crate::domain::{Profile, Serial};
use crate::link::{LinkError, StatusWord};
use crate::remedy::{Remedy, Retry};
use crate::wire::{EncodeError, ReplyError, SelfTestFailed};
use std::fmt;

const SET_ASIDE: &str = "put the token aside and look up what it answered in the log";
const TOUCH_IT: &str = "take the key off and put it back, and touch it when the slot says touch";
const BUTTON_MISSED: &str =
    "unplug the key, so that it stops waiting; plug it in again, and touch it as soon as its slot says touch";

/// Why no token of the family could be found on a link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The link failed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It refuses the family's first command: another kind of device.
    #[error("it answers {0} when asked for its serial")]
    Status(StatusWord),
    /// It takes the command, but what it answers is no identity.
    #[error("it does not tell its serial as its family does: {0}")]
    Malformed(#[source] ReplyError),
}

impl Remedy for OpenError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Link(error) => error.remedy(),
            Self::Status(_) | Self::Malformed(_) => "take it off: it is no token that this station can burn",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Link(error) => error.retry(),
            Self::Status(_) | Self::Malformed(_) => Retry::Never,
        }
    }
}

/// What is read from a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Serial and clock.
    Info,
    /// What is public of a profile.
    PublicBlock(Profile),
    /// The names of a key's credentials.
    Names,
    /// Codes that a key calculates.
    Code,
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Info => f.write_str("its serial and clock"),
            Self::PublicBlock(profile) => write!(f, "what profile {profile} holds"),
            Self::Names => f.write_str("the names of its credentials"),
            Self::Code => f.write_str("a code"),
        }
    }
}

/// Why nothing could be read. Reading changes nothing on a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The link failed.
    #[error("token {serial} was lost while being asked for {reading}: {cause}")]
    Link {
        /// The token.
        serial: Serial,
        /// What it was asked for.
        reading: Reading,
        /// How the link failed.
        #[source]
        cause: LinkError,
    },
    /// An unexpected status word.
    #[error("token {serial} answers {status} when asked for {reading}")]
    Status {
        /// The token.
        serial: Serial,
        /// What it was asked for.
        reading: Reading,
        /// What it said.
        status: StatusWord,
    },
    /// A reply that is not what the family's tokens send.
    #[error("token {serial} does not tell {reading} as its family does: {cause}")]
    Malformed {
        /// The token.
        serial: Serial,
        /// What it was asked for.
        reading: Reading,
        /// What is wrong with the reply.
        #[source]
        cause: ReplyError,
    },
    /// Another token answered: it was swapped so fast that the reader did not notice.
    #[error("token {found} answered in the place of token {expected}")]
    OtherToken {
        /// The token of this conversation.
        expected: Serial,
        /// The one that answered.
        found: Serial,
    },
    /// A key was not touched in time, or another program locked it.
    #[error("key {serial} was not touched in time")]
    Untouched {
        /// The key.
        serial: Serial,
    },
    /// A key waited for a touch longer than anybody believes in one. It may wait still.
    #[error("key {serial} waited {waited_s} s for a touch, and its button was missed")]
    ButtonMissed {
        /// The key.
        serial: Serial,
        /// For how long, in seconds.
        waited_s: u64,
    },
    /// The wait for a key's touch was given up. It may wait still.
    #[error("the wait for a touch of key {serial} was given up")]
    GivenUp {
        /// The key.
        serial: Serial,
    },
    /// The token cannot be asked this. Nothing was sent.
    #[error("{reading} cannot be asked for: {cause}")]
    Cannot {
        /// What was wanted.
        reading: Reading,
        /// What it cannot be asked.
        #[source]
        cause: EncodeError,
    },
    /// The family or its numbering has no such thing. Nothing was sent.
    #[error("a {family} cannot tell {reading}")]
    NotOffered {
        /// The token's family.
        family: Family,
        /// What was wanted.
        reading: Reading,
    },
}

impl Remedy for ReadError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Link { cause, .. } => cause.remedy(),
            Self::Status { reading: Reading::PublicBlock(profile), .. } if profile.number() >= 50 => {
                "use profiles 0 to 49 only: a Molto2 of the first generation has no others"
            }
            Self::Status { .. } | Self::Malformed { .. } => SET_ASIDE,
            Self::OtherToken { .. } => "leave one token on the reader until the slot says take",
            Self::Untouched { .. } => TOUCH_IT,
            Self::ButtonMissed { .. } => BUTTON_MISSED,
            Self::GivenUp { .. } => LinkError::CalledOff.remedy(),
            Self::Cannot { cause, .. } => cause.remedy(),
            Self::NotOffered { .. } => "choose a recipe that this model can do",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Link { cause, .. } => cause.retry(),
            Self::Cannot { cause, .. } => cause.retry(),
            Self::Status { .. }
            | Self::Malformed { .. }
            | Self::OtherToken { .. }
            | Self::ButtonMissed { .. }
            | Self::GivenUp { .. }
            | Self::Untouched { .. } => Retry::AfterOperator,
            Self::NotOffered { .. } => Retry::Never,
        }
    }
}

/// Why a token is not unlocked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// This build's ciphers are broken. Nothing was sent.
    #[error(transparent)]
    SelfTest(#[from] SelfTestFailed),
    /// The family cannot have such a key. Nothing was sent.
    #[error("token {serial} was not asked to unlock: {cause}")]
    Key {
        /// The token.
        serial: Serial,
        /// What is wrong with the key.
        #[source]
        cause: EncodeError,
    },
    /// The link failed before an answer was sent: no attempt was spent.
    #[error("token {serial} was lost before the customer key was tried: {cause}")]
    Link {
        /// The token.
        serial: Serial,
        /// How the link failed.
        #[source]
        cause: LinkError,
    },
    /// The token gave no challenge: no attempt was spent.
    #[error("token {serial} answers {status} when asked for a challenge")]
    Challenge {
        /// The token.
        serial: Serial,
        /// What it said.
        status: StatusWord,
    },
    /// The token's challenge has another form: no attempt was spent.
    #[error("token {serial} sends no challenge of its family: {cause}")]
    Malformed {
        /// The token.
        serial: Serial,
        /// What is wrong with it.
        #[source]
        cause: ReplyError,
    },
    /// The link failed after the answer had left: an attempt may have been spent, and with the right key none was.
    #[error("token {serial} was lost while the customer key was being tried: {cause}")]
    AnswerLost {
        /// The token.
        serial: Serial,
        /// How the link failed.
        #[source]
        cause: LinkError,
    },
    /// A single-profile token refused the answer. It has one code for a wrong key and for being locked, and does not
    /// count its tries aloud.
    #[error("token {serial} refused the customer key: either it has another one, or it is locked")]
    WrongKeyOrLocked {
        /// The token.
        serial: Serial,
    },
    /// A Molto2 refused the answer.
    #[error("token {serial} refused the customer key ({tries_left} tries left)")]
    WrongKey {
        /// The token.
        serial: Serial,
        /// How many more wrong answers it takes before it locks.
        tries_left: u8,
    },
    /// A key refused the password of its applet. It counts no tries.
    #[error("key {serial} refused the password")]
    WrongPassword {
        /// The key.
        serial: Serial,
    },
    /// A key said yes to the password and does not know it: it is not the key that it claims to be.
    #[error("key {serial} took the password and could not prove that it knows it")]
    NotProven {
        /// The key.
        serial: Serial,
    },
    /// An unexpected status word to the answer. Whether an attempt was spent is not known.
    #[error("token {serial} answers {status} to the customer key")]
    Status {
        /// The token.
        serial: Serial,
        /// What it said.
        status: StatusWord,
    },
}

impl UnlockError {
    /// Whether the token may have counted a wrong answer. Where it may, the same key is not tried again by itself.
    pub fn may_have_cost_a_try(&self) -> bool {
        match self {
            Self::SelfTest(_)
            | Self::Key { .. }
            | Self::Link { .. }
            | Self::Challenge { .. }
            | Self::Malformed { .. } => false,
            Self::AnswerLost { .. }
            | Self::WrongKeyOrLocked { .. }
            | Self::WrongKey { .. }
            | Self::WrongPassword { .. }
            | Self::NotProven { .. }
            | Self::Status { .. } => true,
        }
    }
}

impl Remedy for UnlockError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::SelfTest(error) => error.remedy(),
            Self::Key { cause, .. } => cause.remedy(),
            Self::Link { cause, .. } | Self::AnswerLost { cause, .. } => cause.remedy(),
            Self::Challenge { .. } | Self::Malformed { .. } | Self::Status { .. } => SET_ASIDE,
            Self::WrongKeyOrLocked { .. } => {
                "put the token aside and do not try again; ask its seller for its key: another wrong try may lock it"
            }
            Self::WrongPassword { .. } => {
                "find out which password this key has, and name it to the batch; do not guess"
            }
            Self::NotProven { .. } => "put the key aside: trust nothing that it says, and keep its password",
            Self::WrongKey { tries_left: 0, .. } => {
                "put the token aside; only a factory reset at its button, which erases all profiles, can free it"
            }
            Self::WrongKey { tries_left: 1 | 2, .. } => {
                "stop: find the right key, or reset the token to factory state, which erases all profiles"
            }
            Self::WrongKey { .. } => {
                "check which customer key this token was set up with; do not guess, it counts the tries"
            }
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::SelfTest(error) => error.retry(),
            Self::Key { cause, .. } => cause.retry(),
            Self::Link { cause, .. } => cause.retry(),
            Self::AnswerLost { .. }
            | Self::Challenge { .. }
            | Self::Malformed { .. }
            | Self::WrongKeyOrLocked { .. }
            | Self::WrongKey { .. }
            | Self::WrongPassword { .. }
            | Self::NotProven { .. }
            | Self::Status { .. } => Retry::AfterOperator,
        }
    }
}

/// What is changed on a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Clock and parameters of a profile.
    Configuration(Profile),
    /// The seed of a profile.
    Seed(Profile),
    /// The title of a profile.
    Title(Profile),
    /// The deletion of a profile's seed.
    Deletion(Profile),
    /// The clock, through a profile.
    Clock(Profile),
    /// Another customer key.
    CustomerKey,
    /// Everything, back to the state of delivery.
    FactoryReset,
    /// The lock of the screen.
    ScreenLock,
    /// The lifting of the screen's lock.
    ScreenUnlock,
    /// A key's credential: name, parameters and seed.
    Credential(Profile),
    /// The password of a key's applet.
    Password,
    /// The erasure of all that a key's list holds.
    Erasure,
    /// What a key types when its button is pressed.
    Button,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(profile) => write!(f, "the configuration of profile {profile}"),
            Self::Seed(profile) => write!(f, "the seed of profile {profile}"),
            Self::Title(profile) => write!(f, "the title of profile {profile}"),
            Self::Deletion(profile) => write!(f, "the deletion of profile {profile}"),
            Self::Clock(profile) => write!(f, "the time through profile {profile}"),
            Self::CustomerKey => f.write_str("the new customer key"),
            Self::FactoryReset => f.write_str("the factory reset"),
            Self::ScreenLock => f.write_str("the screen lock"),
            Self::ScreenUnlock => f.write_str("the lifting of the screen lock"),
            Self::Credential(profile) => write!(f, "the credential of profile {profile}"),
            Self::Password => f.write_str("the new password"),
            Self::Erasure => f.write_str("the erasure of all entries"),
            Self::Button => f.write_str("the codes of its button"),
        }
    }
}

/// Why a change was not made, or is not known to have been made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The token cannot be told this. Nothing was sent.
    #[error("token {serial} was not sent {change}: {cause}")]
    Cannot {
        /// The token.
        serial: Serial,
        /// What was to change.
        change: Change,
        /// What it cannot be told.
        #[source]
        cause: EncodeError,
    },
    /// The family has no such command. Nothing was sent.
    #[error("a {family} has no command for {change}")]
    NotOffered {
        /// The token's family.
        family: Family,
        /// What was to change.
        change: Change,
    },
    /// The token answered that it is not unlocked (any more), although it was: another program talked to it, or it lost
    /// power. Nothing was written.
    #[error("token {serial} is locked again and refused {change}")]
    LockedAgain {
        /// The token.
        serial: Serial,
        /// What was to change.
        change: Change,
    },
    /// The token refused with an unexpected status word. Nothing was written.
    #[error("token {serial} refused {change} with status {status}")]
    Refused {
        /// The token.
        serial: Serial,
        /// What was to change.
        change: Change,
        /// What it said.
        status: StatusWord,
    },
    /// A key has no room for another credential. Nothing was written.
    #[error("key {serial} is full and did not take {change}")]
    Full {
        /// The key.
        serial: Serial,
        /// What was to change.
        change: Change,
    },
    /// A key that wants a touch for this was not touched in time. Nothing was written.
    #[error("key {serial} was not touched in time for {change}")]
    Untouched {
        /// The key.
        serial: Serial,
        /// What was to change.
        change: Change,
    },
    /// The system gave no random numbers. Nothing was sent.
    #[error("key {serial} was told nothing: the system gives no random numbers")]
    NoRandomness {
        /// The key.
        serial: Serial,
    },
    /// This build's ciphers are broken. Nothing was sent.
    #[error(transparent)]
    SelfTest(#[from] SelfTestFailed),
    /// A key told no public key that something could be sealed for. Nothing was written.
    #[error("key {serial} was not sent {change}: it tells {cause}")]
    OddKey {
        /// The key.
        serial: Serial,
        /// What was to change.
        change: Change,
        /// What is wrong with what it told.
        #[source]
        cause: ReplyError,
    },
    /// A key keeps no counter-based (HOTP) codes. Nothing was written.
    #[error("key {serial} keeps no counter-based codes and did not take {change}")]
    NoCounters {
        /// The key.
        serial: Serial,
        /// What was to change.
        change: Change,
    },
    /// A key's list of time-based codes is switched off. Nothing was sent.
    #[error("key {serial} has its time-based codes switched off and was not sent {change}")]
    ListOff {
        /// The key.
        serial: Serial,
        /// What was to change.
        change: Change,
    },
    /// A key types no codes: its keyboard is off, or it cannot. Nothing was written.
    #[error("key {serial} types no codes at its button: its keyboard is off, or its model has none")]
    NoButtonCodes {
        /// The key.
        serial: Serial,
    },
    /// A key waited for a touch longer than anybody believes in one. One that comes late may still let it take the change.
    #[error("key {serial} waited {waited_s} s for a touch for {change}, and its button was missed")]
    ButtonMissed {
        /// The key.
        serial: Serial,
        /// What was to change.
        change: Change,
        /// For how long, in seconds.
        waited_s: u64,
    },
    /// The wait for a key's touch was given up. One that comes before it is unplugged may still let it take the change.
    #[error("the wait for a touch of key {serial} for {change} was given up")]
    GivenUp {
        /// The key.
        serial: Serial,
        /// What was to change.
        change: Change,
    },
    /// The link failed before the answer came: the token may have taken the change or not. Only the same change again,
    /// or a code on the display, settles it.
    #[error("token {serial} was lost before it confirmed {change}: {cause}")]
    Unknown {
        /// The token.
        serial: Serial,
        /// What may have changed.
        change: Change,
        /// How the link failed.
        #[source]
        cause: LinkError,
    },
}

impl WriteError {
    /// Whether the token may have taken the change although no confirmation came.
    pub fn outcome_is_unknown(&self) -> bool {
        match self {
            Self::Unknown { .. } | Self::ButtonMissed { .. } | Self::GivenUp { .. } => true,
            Self::Cannot { .. }
            | Self::SelfTest(_)
            | Self::OddKey { .. }
            | Self::NoCounters { .. }
            | Self::ListOff { .. }
            | Self::NoButtonCodes { .. }
            | Self::NotOffered { .. }
            | Self::LockedAgain { .. }
            | Self::Full { .. }
            | Self::Untouched { .. }
            | Self::NoRandomness { .. }
            | Self::Refused { .. } => false,
        }
    }
}

impl Remedy for WriteError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Cannot { cause, .. } => cause.remedy(),
            Self::NotOffered { .. } => "choose a recipe that this model can do",
            Self::LockedAgain { .. } => {
                "close other programs that talk to this reader, then take the token off and put it back"
            }
            Self::Full { .. } => "delete credentials that its owner no longer needs, or use another key",
            Self::Untouched { .. } => TOUCH_IT,
            Self::NoRandomness { .. } => {
                "have the machine looked after: a Linux without random numbers is broken"
            }
            Self::SelfTest(error) => error.remedy(),
            Self::NoCounters { .. } => {
                "use a recipe with time-based codes (TOTP), or a model that keeps counter-based ones"
            }
            Self::ListOff { .. } => {
                "switch its TOTP function on with Token2's own program, or use another key"
            }
            Self::NoButtonCodes { .. } => {
                "switch its keyboard on with Token2's own program, or use a recipe without codes at the button"
            }
            Self::ButtonMissed { .. } => BUTTON_MISSED,
            Self::GivenUp { .. } => LinkError::CalledOff.remedy(),
            Self::Refused { .. } | Self::OddKey { .. } => SET_ASIDE,
            Self::Unknown { cause, .. } => cause.remedy(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Cannot { cause, .. } => cause.retry(),
            Self::NotOffered { .. } => Retry::Never,
            Self::SelfTest(error) => error.retry(),
            Self::NoCounters { .. } | Self::ListOff { .. } | Self::NoButtonCodes { .. } => Retry::Never,
            Self::LockedAgain { .. }
            | Self::OddKey { .. }
            | Self::ButtonMissed { .. }
            | Self::GivenUp { .. }
            | Self::Refused { .. }
            | Self::Full { .. }
            | Self::Untouched { .. }
            | Self::NoRandomness { .. } => Retry::AfterOperator,
            Self::Unknown { cause, .. } => cause.retry(),
        }
    }
}

#[cfg(test)]
mod tests;
