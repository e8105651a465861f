//! The bytes of each token family, host side: builds commands, parses replies, opens no port.
//!
//! Everything here is pure: what a command needs (seed, key, time) is handed in, and a reply is bytes. Replies are
//! read strictly; a wrong tag or length is an error, never a guess. What a token cannot be told (a period it does not
//! know, a seed too long for it) is refused here, before anything is sent: the tokens store nonsense as it comes.
//!
//! The facts come from the protocol pages of the Token2 single-profile family (the second generation, NFC), of the
//! Molto2, of the OATH applet and of the OTP applet of Token2's FIDO keys; known answers are in `tests/vectors/`.

mod common;
pub mod molto2;
mod self_test;
pub mod sm4;
pub mod token2_otp;
pub mod token2_single;
pub mod ykoath;

pub use common::{
    Challenge, Configuration, DISPLAY_TIMEOUTS_S, EncodeError, Info, ReplyError, SEED_MAX_BYTES,
};
pub use self_test::{SelfTestFailed, self_test};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UnixTime;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_reply_panics_a_parser(data: Vec<u8>) {
            let _ = (token2_single::parse_info(&data), molto2::parse_info(&data));
            let _ = (token2_single::parse_challenge(&data), molto2::parse_public_block(&data));
        }

        #[test]
        fn what_a_token_tells_is_read_back(serial in "[0-9]{1,32}", clock: u32, odd: [u8; 5]) {
            let mut data = vec![odd[0], odd[1], odd[2], serial.len() as u8];
            data.extend(serial.bytes());
            data.extend([odd[3], odd[4]]);
            data.extend(clock.to_be_bytes());
            let info = molto2::parse_info(&data).unwrap();
            prop_assert_eq!((info.serial.as_str(), info.clock), (serial.as_str(), UnixTime(clock.into())));
            let read = token2_single::parse_info(&data);
            prop_assert_eq!(read.is_ok(), (13..=16).contains(&serial.len()));
        }
    }
}
