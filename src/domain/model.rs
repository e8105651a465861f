//! What a kind of token is: how it is recognised, what it can do, what it needs. Models are TOML files
//! (`profiles/models/`), so that a new one, or a corrected fact, needs no new kiln; the families' protocols are code,
//! named by [`Driver`].

mod misfit;

pub use misfit::Misfit;
pub(super) use misfit::one_of;

use super::{
    credential::{CredentialName, Naming, TwoNames},
    params::{Digits, Hash, Mode, Parameters, Period, Touch},
    time::UnixTime,
    token::{Profile, Serial},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The family a model belongs to: which code talks to it. Closed, so that a new family breaks every `match` that
/// forgot it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// Token2's second-generation NFC tokens with one seed.
    Token2Single,
    /// Token2's Molto2, a USB token with many profiles.
    Molto2,
    /// A security key with the OATH applet: YubiKey, Nitrokey, Solo, CanoKey.
    Ykoath,
    /// A Token2 FIDO key with an OTP applet of its own.
    Token2Otp,
}

impl Driver {
    /// Whether its profiles are told apart by their titles: the token keeps no numbers, and what it keeps can be listed.
    /// The number of a profile is then this station's own.
    pub fn names_profiles(self) -> bool {
        self.naming().is_some()
    }

    /// How it names them, where it does.
    pub fn naming(self) -> Option<Naming> {
        match self {
            Self::Token2Single | Self::Molto2 => None,
            Self::Ykoath => Some(Naming::WithPeriod),
            Self::Token2Otp => Some(Naming::TwoNames),
        }
    }

    /// Whether the token, plugged into USB, takes its commands over HID, so that a port is a slot.
    pub fn is_on_hid(self) -> bool {
        match self {
            Self::Token2Single | Self::Molto2 | Self::Ykoath => false,
            Self::Token2Otp => true,
        }
    }

    /// Whether the token has a clock, which a burn sets and a visit reads.
    pub fn has_clock(self) -> bool {
        match self {
            Self::Token2Single | Self::Molto2 => true,
            Self::Ykoath | Self::Token2Otp => false,
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Token2Single => "token2-single",
            Self::Molto2 => "molto2",
            Self::Ykoath => "ykoath",
            Self::Token2Otp => "token2-otp",
        })
    }
}

/// Who makes a key with the OATH applet, as far as it can be told; their applets differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyMaker {
    /// Yubico.
    YubiKey,
    /// Nitrokey.
    Nitrokey,
    /// SoloKeys.
    Solo,
    /// canokeys.org.
    CanoKey,
    /// Somebody else, or nobody can tell.
    Other,
}

/// A least and a most, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The least.
    pub min: usize,
    /// The most.
    pub max: usize,
}

impl Bounds {
    /// Whether `n` lies between them.
    pub fn hold(self, n: usize) -> bool {
        (self.min..=self.max).contains(&n)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

/// A USB vendor and product id, written `349e:0300`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UsbId {
    /// The vendor's.
    pub vendor: u16,
    /// The product's.
    pub product: u16,
}

impl TryFrom<String> for UsbId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let four = |part: &str| {
            (part.len() == 4 && part.bytes().all(|b| b.is_ascii_hexdigit()))
                .then(|| u16::from_str_radix(part, 16).ok())
                .flatten()
        };
        text.split_once(':')
            .and_then(|(vendor, product)| Some(Self { vendor: four(vendor)?, product: four(product)? }))
            .ok_or_else(|| "a USB id is four hex digits, a colon, four hex digits (349e:0300)".to_owned())
    }
}

impl From<UsbId> for String {
    fn from(id: UsbId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for UsbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.product)
    }
}

/// What tells a model from others before anything secured is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecognisedBy {
    /// How its serials begin; the longest over all models wins.
    pub serial_prefixes: Vec<String>,
    /// The ids under which it sits on USB.
    pub usb_ids: Vec<UsbId>,
    /// Whose key it is, for keys with the OATH applet.
    pub key_maker: Option<KeyMaker>,
}

/// What opens a token for writing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum KeyNeeded {
    /// The family's one published key, which its driver knows.
    PublicDeviceKey,
    /// A customer key, which its owner may have changed.
    CustomerKey {
        /// The key as delivered, as text. Published by the vendor.
        default: String,
    },
    /// None as delivered; its owner may have set a password for the applet.
    AppletPassword,
    /// Nothing: whoever holds it may write.
    Nothing,
}

/// What can be read from a token and compared after a burn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadBack {
    /// The token's clock.
    pub clock: bool,
    /// Whether a profile holds a seed.
    pub occupancy: bool,
    /// Hash, digits and period of a profile.
    pub parameters: bool,
    /// The code itself, computed by the token.
    pub code: bool,
}

/// A profile that is not empty when the token is delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactoryFilled {
    /// Which.
    pub profile: Profile,
    /// The title it has then, where there are titles.
    pub title: Option<String>,
}

/// What older versions of a model hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FewerProfiles {
    /// The first version that holds more.
    pub before: [u8; 3],
    /// How many there are before it.
    pub profiles: u8,
}

/// A kind of token. Field by field the shape of a file under `profiles/models/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Short, lower case; recipes and commands name the model by it.
    pub name: String,
    /// Who makes it.
    pub maker: String,
    /// As its maker writes it.
    pub label: String,
    /// Which code talks to it.
    pub driver: Driver,
    /// What else stands for it in a seed file's model column. Case and everything but letters and digits don't count.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What the operator must do before the token answers, as one imperative sentence.
    pub operator_first: String,
    /// How many profiles, numbered from 0.
    pub profiles: u8,
    /// Before some version of it there were fewer.
    #[serde(default)]
    pub fewer_profiles: Option<FewerProfiles>,
    /// The hashes it computes.
    pub hashes: Vec<Hash>,
    /// The code lengths it shows.
    pub digits: Vec<Digits>,
    /// The periods it can be set to.
    pub periods: Vec<Period>,
    /// How many bytes a seed may have.
    pub seed_bytes: Bounds,
    /// How many bytes a title may have; absent: it has no titles.
    pub title_bytes: Option<Bounds>,
    /// After how many seconds its display may go dark; empty: it has none.
    pub display_timeouts_s: Vec<u16>,
    /// Whether it does counter-based codes (HOTP) as well.
    #[serde(default)]
    pub counter_codes: bool,
    /// Whether it can want a touch for each code of a profile.
    #[serde(default)]
    pub touch: bool,
    /// Whether it knows no password of its applet, though others of its family do.
    #[serde(default)]
    pub no_password: bool,
    /// Whether it wants a touch to delete a profile.
    #[serde(default)]
    pub touch_to_delete: bool,
    /// Whether setting the clock erases the seed.
    pub sync_clears_seed: bool,
    /// Whether a refused key counts towards a lock-out.
    pub counts_attempts: bool,
    /// What opens it.
    pub key: KeyNeeded,
    /// What is in it when it comes from the factory, as far as that can be told.
    #[serde(default)]
    pub factory_filled_profiles: Vec<FactoryFilled>,
    /// How it is recognised.
    pub recognised_by: RecognisedBy,
    /// What can be compared after a burn.
    pub read_back: ReadBack,
}

/// A model's name as people write it, down to its letters and digits in lower case.
pub(super) fn folded(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

impl Model {
    /// Whether all of this fits on a token of this kind; the first thing that doesn't, else. A title of `None` means
    /// that none is written.
    pub fn check(
        &self,
        profile: Profile,
        parameters: &Parameters,
        seed_len_bytes: usize,
        title: Option<&str>,
        touch: Touch,
        display_timeout_s: u16,
    ) -> Result<(), Misfit> {
        // Numbers of profiles that are known by names are this station's own: there are as many as it needs.
        if !self.driver.names_profiles() {
            self.check_profile(profile)?;
        }
        match parameters.mode {
            Mode::Hotp { .. } if self.counter_codes => {}
            Mode::Hotp { .. } => return Err(Misfit::Hotp { model: self.label.clone() }),
            Mode::Totp { t0, .. } if t0 != UnixTime(0) => {
                return Err(Misfit::StartTime { model: self.label.clone(), t0 });
            }
            Mode::Totp { period, .. } => self.check_period(period)?,
        }
        self.check_hash(parameters.hash)?;
        self.check_digits(parameters.digits)?;
        self.check_seed_length(seed_len_bytes)?;
        match title {
            // What counts is the whole name, in which the period may stand before the title.
            Some(title) if self.driver.naming() == Some(Naming::WithPeriod) => {
                self.check_title(CredentialName::new(title, parameters.mode).as_str())?;
            }
            Some(title) => self.check_title(title)?,
            None if self.driver.names_profiles() => {
                return Err(Misfit::TitleNeeded { model: self.label.clone() });
            }
            None => {}
        }
        self.check_touch(touch)?;
        self.check_display_timeout(display_timeout_s)
    }

    /// Whether it keeps codes under a password that kiln can give it. Tokens that are no keys have none.
    pub fn takes_password(&self) -> bool {
        self.key == KeyNeeded::AppletPassword && !self.no_password
    }

    /// Whether it can want a touch for each code.
    pub fn check_touch(&self, touch: Touch) -> Result<(), Misfit> {
        match touch {
            Touch::Required if !self.touch => Err(Misfit::Touch { model: self.label.clone() }),
            Touch::Required | Touch::Free => Ok(()),
        }
    }

    /// Whether there is such a profile.
    pub fn check_profile(&self, profile: Profile) -> Result<(), Misfit> {
        if profile.number() < self.profiles {
            return Ok(());
        }
        Err(Misfit::Profile { model: self.label.clone(), profile, last: self.profiles.saturating_sub(1) })
    }

    /// Whether it computes `hash`.
    pub fn check_hash(&self, hash: Hash) -> Result<(), Misfit> {
        if self.hashes.contains(&hash) {
            return Ok(());
        }
        Err(Misfit::Hash { model: self.label.clone(), hash, fits: self.hashes.clone() })
    }

    /// Whether it shows codes of this length.
    pub fn check_digits(&self, digits: Digits) -> Result<(), Misfit> {
        if self.digits.contains(&digits) {
            return Ok(());
        }
        Err(Misfit::Digits { model: self.label.clone(), digits, fits: self.digits.clone() })
    }

    /// Whether it can be set to `period`.
    pub fn check_period(&self, period: Period) -> Result<(), Misfit> {
        if self.periods.contains(&period) {
            return Ok(());
        }
        Err(Misfit::Period { model: self.label.clone(), period, fits: self.periods.clone() })
    }

    /// Whether a seed of so many bytes fits.
    pub fn check_seed_length(&self, seed_len_bytes: usize) -> Result<(), Misfit> {
        if self.seed_bytes.hold(seed_len_bytes) {
            return Ok(());
        }
        Err(Misfit::SeedLength { model: self.label.clone(), seed_len_bytes, fits: self.seed_bytes })
    }

    /// Whether `title` can be written. Token2 documents printable ASCII only, though its tools send anything; an OATH
    /// applet keeps UTF-8.
    pub fn check_title(&self, title: &str) -> Result<(), Misfit> {
        let model = || self.label.clone();
        let Some(fits) = self.title_bytes else { return Err(Misfit::NoTitles { model: model() }) };
        let cannot = |c: &char| match self.driver {
            Driver::Token2Single | Driver::Molto2 | Driver::Token2Otp => !(c.is_ascii_graphic() || *c == ' '),
            Driver::Ykoath => c.is_control(),
        };
        if let Some(character) = title.chars().find(cannot) {
            return Err(Misfit::TitleCharacter { model: model(), title: title.to_owned(), character });
        }
        if fits.hold(title.len()) {
            return if self.driver.naming() == Some(Naming::TwoNames) {
                self.check_halves(title)
            } else {
                Ok(())
            };
        }
        Err(Misfit::TitleLength { model: model(), title: title.to_owned(), len_bytes: title.len(), fits })
    }

    /// Whether both halves of a title fit.
    fn check_halves(&self, title: &str) -> Result<(), Misfit> {
        let TwoNames { application, account } = TwoNames::of(&CredentialName::told(title.to_owned()));
        let max = usize::from(TwoNames::MAX_BYTES);
        for (half, text, min) in [("issuer", application, 0), ("account", account, 1)] {
            let fits = Bounds { min, max };
            if !fits.hold(text.len()) {
                let (model, title) = (self.label.clone(), title.to_owned());
                return Err(Misfit::HalfName { model, title, half, len_bytes: text.len(), fits });
            }
        }
        Ok(())
    }

    /// Whether its display can be set to go dark after so long.
    pub fn check_display_timeout(&self, seconds: u16) -> Result<(), Misfit> {
        if self.display_timeouts_s.is_empty() || self.display_timeouts_s.contains(&seconds) {
            return Ok(());
        }
        Err(Misfit::DisplayTimeout {
            model: self.label.clone(),
            seconds,
            fits: self.display_timeouts_s.clone(),
        })
    }

    /// The length of the longest of its prefixes that `serial` begins with; `None` where none does.
    pub fn prefix_match(&self, serial: &Serial) -> Option<usize> {
        let begins = |prefix: &&String| serial.as_str().starts_with(prefix.as_str());
        self.recognised_by.serial_prefixes.iter().filter(begins).map(String::len).max()
    }

    /// Every text that stands for this model, folded to letters and digits: name, label, aliases, each also with the
    /// maker's name before it.
    pub(super) fn folded_names(&self) -> Vec<String> {
        let maker = folded(&self.maker);
        let mut names: Vec<String> =
            [&self.name, &self.label].into_iter().chain(&self.aliases).map(|text| folded(text)).collect();
        names.extend(names.clone().into_iter().map(|name| maker.clone() + &name));
        names.sort();
        names.dedup();
        names
    }

    /// How many profiles a token of this version has.
    pub fn room(&self, version: [u8; 3]) -> usize {
        match self.fewer_profiles {
            Some(FewerProfiles { before, profiles }) if version < before => profiles.into(),
            Some(_) | None => self.profiles.into(),
        }
    }

    /// Whether a profile is filled when the token is delivered, and under which title.
    pub fn factory_filled(&self, profile: Profile) -> Option<&FactoryFilled> {
        self.factory_filled_profiles.iter().find(|filled| filled.profile == profile)
    }
}

#[cfg(test)]
mod tests;
