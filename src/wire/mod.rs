//! The bytes of each token family, host side: builds commands, parses replies, opens no port.
//!
//! Everything here is pure: what a command needs (seed, key, time) is handed in, and a reply is bytes. Replies are
//! read strictly; a wrong tag or length is an error, never a guess. What a token cannot be told (a period it does not
//! know, a seed too long for it) is refused here, before anything is sent: the tokens store nonsense as it comes.
//!
//! The facts come from the protocol pages of the Token2 single-profile family (the second generation, NFC) and of the
//! Molto2; known answers are in `tests/vectors/`.

mod common;
pub mod molto2;
mod self_test;
pub mod sm4;
pub mod token2_single;

pub use common::{
    Challenge, Configuration, DISPLAY_TIMEOUTS_S, EncodeError, Info, ReplyError, SEED_MAX_BYTES,
};
pub use self_test::{SelfTestFailed, self_test};
