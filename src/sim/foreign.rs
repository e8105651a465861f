//! Things that lie on a reader and are none of ours: `protocols/token2-single.md` section 10.

use super::{
    apdu::{self, Command, sw},
    device::{Counters, Device, Display, Quirks, Saved, Standing},
};
use crate::domain::{Profile, UnixTime};

/// What somebody put down by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignCard {
    /// A FIDO security key.
    FidoKey,
    /// A Token2 FIDO key whose own OTP applet answers and whose FIDO applet is switched off.
    Token2OtpKey,
    /// A transit or door card: memory behind a radio, no conversation.
    StorageCard,
    /// A bank or identity card.
    OtherCard,
    /// Something the reader feels but can't talk to.
    Mute,
}

impl ForeignCard {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::FidoKey, Self::Token2OtpKey, Self::StorageCard, Self::OtherCard, Self::Mute];

    fn select(self, aid: &[u8]) -> Result<Vec<u8>, u16> {
        match (self, aid) {
            (Self::FidoKey, b"\xA0\x00\x00\x06\x47\x2F\x00\x01") => Ok(b"U2F_V2".to_vec()),
            (Self::Token2OtpKey, b"\xF0\x00\x00\x01\x4F\x74\x70\x01") => Ok(Vec::new()),
            (Self::FidoKey | Self::Token2OtpKey | Self::OtherCard, _) => Err(sw::NOT_FOUND),
            (Self::StorageCard | Self::Mute, _) => Err(sw::NOT_SUPPORTED),
        }
    }

    fn command(self, raw: &[u8]) -> Result<Vec<u8>, u16> {
        let command = Command::parse(raw)?;
        match (self, command.class, command.ins) {
            (_, 0x00, 0xA4) => self.select(command.data),
            (Self::FidoKey | Self::Token2OtpKey | Self::StorageCard | Self::Mute, ..) => {
                Err(sw::NOT_SUPPORTED)
            }
            (Self::OtherCard, ..) => Err(sw::UNKNOWN_CLASS),
        }
    }
}

impl Device for ForeignCard {
    fn answer(&mut self, raw: &[u8], _: Quirks, _: &mut Counters) -> Vec<u8> {
        apdu::answer(self.command(raw))
    }

    fn activate(&mut self) {}

    fn taken_off(&mut self) {}

    fn is_dark(&self) -> bool {
        false
    }

    fn display(&self, _: Profile) -> Display {
        Display::Nothing
    }

    fn switch(&mut self, _: bool) {}

    fn press_button(&mut self, _: &mut Counters) {}

    fn set_locked(&mut self, _: bool) {}

    fn standing(&self) -> Standing {
        Standing::default()
    }

    /// None of them has a clock.
    fn clock(&self) -> UnixTime {
        UnixTime(0)
    }

    fn serial(&self) -> &str {
        ""
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::FidoKey => "fido-key",
            Self::Token2OtpKey => "token2-otp-key",
            Self::StorageCard => "storage-card",
            Self::OtherCard => "other-card",
            Self::Mute => "mute",
        }
    }

    fn answer_to_reset(&self) -> &'static [u8] {
        match self {
            Self::FidoKey | Self::Token2OtpKey => &[0x3B, 0x80, 0x80, 0x01, 0x01],
            // MIFARE Classic 1K by PC/SC part 3.
            Self::StorageCard => &[
                0x3B, 0x8F, 0x80, 0x01, 0x80, 0x4F, 0x0C, 0xA0, 0x00, 0x00, 0x03, 0x06, 0x03, 0x00, 0x01,
                0x00, 0x00, 0x00, 0x00, 0x6A,
            ],
            Self::OtherCard => &[0x3B, 0x84, 0x80, 0x01, 0x80, 0x82, 0x90, 0x00, 0x97],
            // No answer to reset begins so: a connect fails.
            Self::Mute => &[0x00],
        }
    }

    fn save(&self) -> Saved {
        Saved::Foreign
    }

    fn restore(&mut self, saved: Saved) -> bool {
        matches!(saved, Saved::Foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::vectors::bytes;

    const PROBES: [&str; 4] = [
        "80410000020211",
        "00A4040008A0000006472F000100",
        "00A4040007A000000527210100",
        "00A4040008F00000014F747001",
    ];

    #[test]
    fn each_foreign_card_answers_only_the_probe_that_names_it() {
        for (card, named_by) in [
            (ForeignCard::FidoKey, Some(1)),
            (ForeignCard::Token2OtpKey, Some(3)),
            (ForeignCard::StorageCard, None),
            (ForeignCard::OtherCard, None),
        ] {
            let answered: Vec<usize> = (0..PROBES.len())
                .filter(|at| {
                    let mut card = card;
                    let answer =
                        card.answer(&bytes(PROBES[*at]), Quirks::default(), &mut Counters::default());
                    answer.ends_with(&[0x90, 0x00])
                })
                .collect();
            assert_eq!(answered, Vec::from_iter(named_by), "{card:?}");
        }
    }

    #[test]
    fn check_bytes_of_the_contactless_answers_to_reset_are_right() {
        for card in [ForeignCard::FidoKey, ForeignCard::StorageCard, ForeignCard::OtherCard] {
            let sum = card.answer_to_reset()[1..].iter().fold(0, |sum, byte| sum ^ byte);
            assert_eq!(sum, 0, "{card:?}");
        }
    }
}
