//! What a kind of token is: how it is recognised, what it can do, what it needs. Models are TOML files
//! (`profiles/models/`), so that a new one, or a corrected fact, needs no new kiln; the families' protocols are code,
//! named by [`Driver`].

use super::{
    credential::{CredentialName, Naming, TwoNames},
    params::{Digits, Hash, Mode, Parameters, Period, Touch},
    time::UnixTime,
    token::{Profile, Serial},
};
use crate::remedy::{Remedy, Retry};
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
    /// Words in the PC/SC reader's name, in any case; for tokens that are their own reader.
    pub reader_name_contains: Vec<String>,
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

/// Something a model cannot do, with what would fit. `model` is its label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// No such profile.
    #[error("{model} has no profile {profile}: its profiles are 0 to {last}")]
    Profile {
        /// The model.
        model: String,
        /// The one asked for.
        profile: Profile,
        /// The last there is.
        last: u8,
    },
    /// A hash it can't compute.
    #[error("{model} cannot do {hash}: {} would fit", one_of(fits))]
    Hash {
        /// The model.
        model: String,
        /// The one asked for.
        hash: Hash,
        /// Those it can.
        fits: Vec<Hash>,
    },
    /// A code length it can't show.
    #[error("{model} cannot show {digits} digits: {} would fit", one_of(fits))]
    Digits {
        /// The model.
        model: String,
        /// The length asked for.
        digits: Digits,
        /// Those it can.
        fits: Vec<Digits>,
    },
    /// A period it can't be set to.
    #[error("{model} cannot do a period of {period}: {} would fit", one_of(fits))]
    Period {
        /// The model.
        model: String,
        /// The one asked for.
        period: Period,
        /// Those it can.
        fits: Vec<Period>,
    },
    /// Counter-based codes.
    #[error("{model} shows time-based codes only: a TOTP seed would fit, a HOTP seed does not")]
    Hotp {
        /// The model.
        model: String,
    },
    /// Steps counted from another moment than 1970.
    #[error("{model} counts steps from 1970-01-01T00:00:00Z only, not from {t0}")]
    StartTime {
        /// The model.
        model: String,
        /// The moment asked for.
        t0: UnixTime,
    },
    /// A seed that is too short or too long.
    #[error("{model} cannot hold a seed of {seed_len_bytes} bytes: {fits} would fit")]
    SeedLength {
        /// The model.
        model: String,
        /// The length asked for.
        seed_len_bytes: usize,
        /// Its bounds.
        fits: Bounds,
    },
    /// No title where profiles have no other name.
    #[error("{model} knows its profiles by their titles: give each one")]
    TitleNeeded {
        /// The model.
        model: String,
    },
    /// A touch for each code, where there is no such thing.
    #[error("{model} cannot want a touch for each code")]
    Touch {
        /// The model.
        model: String,
    },
    /// A title where there are none.
    #[error("{model} has no titles: leave the title out")]
    NoTitles {
        /// The model.
        model: String,
    },
    /// A title that is too short or too long.
    #[error("\"{title}\" has {len_bytes} bytes, a title on {model} has {fits}")]
    TitleLength {
        /// The model.
        model: String,
        /// The title.
        title: String,
        /// Its length in UTF-8.
        len_bytes: usize,
        /// The model's bounds.
        fits: Bounds,
    },
    /// A title with a character that the display is not documented to show.
    #[error("\"{title}\" holds {character:?}, which a title on {model} cannot")]
    TitleCharacter {
        /// The model.
        model: String,
        /// The title.
        title: String,
        /// The first such character.
        character: char,
    },
    /// Half of a name that is too short or too long, on keys that keep two.
    #[error("the {half} in \"{title}\" has {len_bytes} bytes, on {model} it has {fits}")]
    HalfName {
        /// The model.
        model: String,
        /// The title.
        title: String,
        /// Which half: "issuer", before the first colon, or "account".
        half: &'static str,
        /// Its length in bytes.
        len_bytes: usize,
        /// Its bounds.
        fits: Bounds,
    },
    /// A display timeout that it doesn't have.
    #[error("{model} cannot switch its display off after {seconds} s: {} would fit", one_of_seconds(fits))]
    DisplayTimeout {
        /// The model.
        model: String,
        /// The one asked for.
        seconds: u16,
        /// Those it has.
        fits: Vec<u16>,
    },
}

impl Remedy for Misfit {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Profile { .. } => "use a profile number that the model has, or a model with more profiles",
            Self::Hash { .. } => {
                "have the server issue a seed for a hash that fits, or use another model; never burn it under another hash"
            }
            Self::Digits { .. } => {
                "set the server to a code length that fits, or use another model; the code would be cut wrongly"
            }
            Self::Period { .. } => {
                "set the server to a period that fits, or use another model; a rounded period never works"
            }
            Self::Hotp { .. } => "ask the server for a TOTP seed, or use a model with counter-based codes",
            Self::StartTime { .. } => "ask the server for a TOTP seed counted from 1970 (T0 = 0)",
            Self::SeedLength { .. } => "ask for a seed of a length that fits, or use another model",
            Self::TitleNeeded { .. } => "use a recipe with titles, such as key-as-file, for this model",
            Self::Touch { .. } => "take touch out of the recipe, or use another model",
            Self::NoTitles { .. } => "use a recipe without a title for this model",
            Self::TitleLength { .. } | Self::HalfName { .. } => {
                "shorten the title in the recipe; kiln cuts none"
            }
            Self::TitleCharacter { .. } => "write the title with plain letters, digits and signs",
            Self::DisplayTimeout { .. } => "set the recipe's display_timeout_s to one that fits",
        }
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }
}

/// "a", "a or b", "a, b or c".
pub(super) fn one_of<T: fmt::Display>(fits: &[T]) -> String {
    let words: Vec<String> = fits.iter().map(T::to_string).collect();
    match words.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

fn one_of_seconds(fits: &[u16]) -> String {
    format!("{} s", one_of(fits))
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

    /// Whether a PC/SC reader of this name is a token of this kind.
    pub fn is_reader(&self, reader: &str) -> bool {
        let reader = reader.to_lowercase();
        self.recognised_by.reader_name_contains.iter().any(|word| reader.contains(&word.to_lowercase()))
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
mod tests {
    use super::*;
    use crate::domain::catalog::Catalog;

    fn model(name: &str) -> Model {
        Catalog::built_in().model(name).unwrap().clone()
    }

    fn check_of(name: &str, parameters: Parameters) -> Result<(), Misfit> {
        model(name).check(Profile::ZERO, &parameters, 20, None, Touch::Free, 30)
    }

    fn totp(hash: Hash, digits: u64, period: u64) -> Parameters {
        Parameters::totp(hash, Digits::new(digits).unwrap(), Period::from_secs(period).unwrap())
    }

    #[test]
    fn a_single_profile_token_takes_what_its_firmware_takes() {
        assert_eq!(check_of("c301-i", Parameters::standard()), Ok(()));
        assert_eq!(check_of("c301-i", totp(Hash::Sha256, 6, 60)), Ok(()));
        assert!(matches!(check_of("c301-i", totp(Hash::Sha512, 6, 30)), Err(Misfit::Hash { .. })));
        assert!(matches!(check_of("c301-i", totp(Hash::Sha1, 8, 30)), Err(Misfit::Digits { .. })));
        assert!(matches!(check_of("c301-i", totp(Hash::Sha1, 6, 15)), Err(Misfit::Period { .. })));
    }

    #[test]
    fn hotp_and_another_start_time_are_refused() {
        let mut parameters = Parameters::standard();
        parameters.mode = Mode::Hotp { counter: 0 };
        assert!(matches!(check_of("molto2-v2", parameters), Err(Misfit::Hotp { .. })));
        parameters.mode = Mode::Totp { period: Period::THIRTY, t0: UnixTime(1) };
        assert!(matches!(check_of("molto2-v2", parameters), Err(Misfit::StartTime { .. })));
    }

    #[test]
    fn a_misfit_says_what_would_fit() {
        let error = check_of("molto2-v2", totp(Hash::Sha1, 7, 30)).unwrap_err();
        assert_eq!(error.to_string(), "Molto2 v2 cannot show 7 digits: 4, 6, 8 or 10 would fit");
        let error = model("molto2-v1").check_profile(Profile::new(50)).unwrap_err();
        assert_eq!(error.to_string(), "Molto2 v1 has no profile 50: its profiles are 0 to 49");
    }

    #[test]
    fn seeds_have_1_to_63_bytes() {
        let model = model("otpc-p1-i");
        assert!(model.check_seed_length(0).is_err() && model.check_seed_length(1).is_ok());
        assert!(model.check_seed_length(63).is_ok() && model.check_seed_length(64).is_err());
    }

    #[test]
    fn titles_are_counted_in_bytes_and_never_cut() {
        let molto = model("molto2-v2");
        assert_eq!(molto.check_title("Office 365 x"), Ok(()));
        assert!(matches!(molto.check_title("Office 365 xy"), Err(Misfit::TitleLength { len_bytes: 13, .. })));
        assert!(matches!(molto.check_title(""), Err(Misfit::TitleLength { .. })));
        assert!(matches!(molto.check_title("Büro"), Err(Misfit::TitleCharacter { character: 'ü', .. })));
        assert!(matches!(model("c302-i").check_title("x"), Err(Misfit::NoTitles { .. })));
    }

    #[test]
    fn a_molto2_is_its_own_reader_and_a_security_key_is_not() {
        let molto = model("molto2-v2");
        assert!(molto.is_reader("TOKEN2 Molto2 [CCID Interface] 00 00"));
        assert!(!molto.is_reader("Token2 PIN+R3 00 00"));
        assert_eq!(molto.recognised_by.usb_ids, [UsbId { vendor: 0x349E, product: 0x0300 }]);
        assert_eq!(molto.factory_filled(Profile::ZERO).unwrap().title.as_deref(), Some("Token2"));
        assert_eq!(molto.factory_filled(Profile::new(1)), None);
    }

    #[test]
    fn a_key_takes_what_its_applet_takes_under_a_title() {
        let check = |name: &str, parameters: Parameters, title: Option<&str>, touch| {
            model(name).check(Profile::ZERO, &parameters, 20, title, touch, 30)
        };
        let standard = Parameters::standard();
        assert_eq!(check("yubikey-5", standard, Some("Büro:ann"), Touch::Required), Ok(()));
        assert!(matches!(check("yubikey-5", standard, None, Touch::Free), Err(Misfit::TitleNeeded { .. })));
        assert_eq!(check("yubikey-5", totp(Hash::Sha512, 8, 15), Some("x"), Touch::Free), Ok(()));
        let sha512 = check("nitrokey-3", totp(Hash::Sha512, 8, 30), Some("x"), Touch::Free);
        assert!(matches!(sha512, Err(Misfit::Hash { .. })));
        let counted = Parameters { mode: Mode::Hotp { counter: 0 }, ..standard };
        assert_eq!(check("solo-2", counted, Some("x"), Touch::Free), Ok(()));
        assert!(matches!(check("c301-i", standard, None, Touch::Required), Err(Misfit::Touch { .. })));
    }

    #[test]
    fn the_period_counts_towards_the_length_of_a_name() {
        let check = |period, len: usize| {
            let parameters = totp(Hash::Sha1, 6, period);
            model("yubikey-5").check(Profile::ZERO, &parameters, 20, Some(&"x".repeat(len)), Touch::Free, 30)
        };
        assert_eq!((check(30, 64), check(60, 61)), (Ok(()), Ok(())));
        assert!(matches!(check(30, 65), Err(Misfit::TitleLength { len_bytes: 65, .. })));
        assert!(matches!(check(60, 62), Err(Misfit::TitleLength { len_bytes: 65, .. })));
    }

    #[test]
    fn a_token2_key_takes_two_names_of_plain_text() {
        let check = |title: &str| {
            let parameters = totp(Hash::Sha256, 10, 60);
            model("token2-pin-plus").check(Profile::ZERO, &parameters, 64, Some(title), Touch::Required, 30)
        };
        assert_eq!((check("Acme:ann"), check("ann")), (Ok(()), Ok(())));
        assert_eq!(check(&format!("{0}:{0}", "x".repeat(64))), Ok(()));
        let long = check(&format!("a:{}", "x".repeat(65)));
        assert!(matches!(long, Err(Misfit::HalfName { half: "account", len_bytes: 65, .. })));
        assert!(matches!(check("Acme:"), Err(Misfit::HalfName { half: "account", len_bytes: 0, .. })));
        assert!(matches!(check("Büro:ann"), Err(Misfit::TitleCharacter { character: 'ü', .. })));
    }

    #[test]
    fn usb_ids_are_read_strictly() {
        for text in ["349e0300", "349e:030", "+49e:0300", "349e:0300:1", ""] {
            assert!(UsbId::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn every_misfit_has_a_remedy() {
        let model = String::from("M");
        let fits = Bounds { min: 1, max: 2 };
        for misfit in [
            Misfit::Profile { model: model.clone(), profile: Profile::ZERO, last: 0 },
            Misfit::Hash { model: model.clone(), hash: Hash::Sha512, fits: vec![] },
            Misfit::Digits { model: model.clone(), digits: Digits::SIX, fits: vec![] },
            Misfit::Period { model: model.clone(), period: Period::SIXTY, fits: vec![] },
            Misfit::Hotp { model: model.clone() },
            Misfit::StartTime { model: model.clone(), t0: UnixTime(1) },
            Misfit::SeedLength { model: model.clone(), seed_len_bytes: 3, fits },
            Misfit::TitleNeeded { model: model.clone() },
            Misfit::Touch { model: model.clone() },
            Misfit::NoTitles { model: model.clone() },
            Misfit::TitleLength { model: model.clone(), title: "t".into(), len_bytes: 1, fits },
            Misfit::TitleCharacter { model: model.clone(), title: "t".into(), character: 't' },
            Misfit::HalfName {
                model: model.clone(),
                title: "t".into(),
                half: "account",
                len_bytes: 65,
                fits,
            },
            Misfit::DisplayTimeout { model, seconds: 1, fits: vec![15, 30] },
        ] {
            assert!(misfit.remedy().len() > 10 && misfit.retry() == Retry::Never, "{misfit}");
        }
    }
}
