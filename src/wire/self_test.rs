//! Known answers for the ciphers, tried before a token is asked to judge them.

use super::{Challenge, molto2, sm4::Key, token2_single};
use crate::remedy::{Remedy, Retry};

/// A cipher of this build does not compute what it must. A wrong answer from a broken host counts towards a token's
/// lock-out like a wrong key, so nothing may be authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the self-test of {0} failed")]
pub struct SelfTestFailed(
    /// What was computed wrongly.
    pub &'static str,
);

impl Remedy for SelfTestFailed {
    fn remedy(&self) -> &'static str {
        "burn nothing with this program: install kiln again, and have the machine's memory checked"
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }
}

/// Computes known answers of every routine that an authentication or a write rests on: the block cipher, the MAC with
/// and without padding, the padding of seeds, the Molto2's key derivation and the answer to a challenge. Takes some
/// microseconds; drivers run it before each authentication.
pub fn self_test() -> Result<(), SelfTestFailed> {
    check("SM4", sm4_holds())?;
    check("the MAC", mac_holds())?;
    check("the padding of seeds", padding_holds())?;
    check("the answer to a challenge", answers_hold())
}

fn check(what: &'static str, holds: bool) -> Result<(), SelfTestFailed> {
    if holds { Ok(()) } else { Err(SelfTestFailed(what)) }
}

/// A seed that looks padded already: only the block of padding behind it keeps it whole. Under the device key.
const SEED: [u8; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0x80, 0, 0];
const SEED_ENCRYPTED: [u128; 2] =
    [0x4b3c_cfe8_c812_ba5b_58ec_2fe0_640d_bec4, 0xd219_efc9_972f_ed91_91df_027f_d36a_80b0];

const CHALLENGE: Challenge = Challenge([0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6, 0x07, 0x18]);
const ANSWER_SINGLE: u128 = 0x0356_e6ca_ffc1_d265_70ac_f12c_6339_f707;
const ANSWER_MOLTO2: u128 = 0x7ea4_f855_a2f2_f421_6b8b_f326_6ef1_0578;

/// GB/T 32907, appendix A.
fn sm4_holds() -> bool {
    let bytes = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210_u128.to_be_bytes();
    Key::new(&bytes).encrypt_block(bytes) == 0x681e_df34_d206_965e_86b3_e94f_536e_4246_u128.to_be_bytes()
}

/// Messages of `len` bytes, each 7 more than the one before, the first being `len`: one that fills its blocks and one
/// that does not. Under the device key.
fn mac_holds() -> bool {
    let Ok(key) = token2_single::session_key(&token2_single::device_key()) else { return false };
    [(32_u8, 0xd066_8925_u32), (37, 0x1798_8d1c)].into_iter().all(|(len, mac)| {
        let message: Vec<u8> = (0..len).map(|at| at.wrapping_mul(7).wrapping_add(len)).collect();
        key.mac(&message) == mac.to_be_bytes()
    })
}

fn padding_holds() -> bool {
    let Ok(key) = token2_single::session_key(&token2_single::device_key()) else { return false };
    key.encrypt_padded(&SEED).as_slice() == SEED_ENCRYPTED.map(u128::to_be_bytes).as_flattened()
}

fn answers_hold() -> bool {
    let single = token2_single::session_key(&token2_single::device_key())
        .is_ok_and(|key| token2_single::answer(&key, &CHALLENGE).bytes()[5..] == ANSWER_SINGLE.to_be_bytes());
    let molto2 = molto2::session_key(&molto2::default_key())
        .is_ok_and(|key| molto2::answer(&key, &CHALLENGE).bytes()[5..] == ANSWER_MOLTO2.to_be_bytes());
    single && molto2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_build_passes() {
        assert_eq!(self_test(), Ok(()));
    }

    #[test]
    fn a_failure_names_the_routine_and_stops_for_good() {
        let failed = check("SM4", false).unwrap_err();
        assert_eq!(failed.to_string(), "the self-test of SM4 failed");
        assert!(failed.retry() == Retry::Never && failed.remedy().contains("burn nothing"));
    }
}
