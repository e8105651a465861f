//! What a model cannot do, with what would fit.

use super::Bounds;
use crate::{
    domain::{
        params::{Digits, Hash, Period},
        time::UnixTime,
        token::Profile,
    },
    remedy::{Remedy, Retry},
};
use std::fmt;

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
pub(in crate::domain) fn one_of<T: fmt::Display>(fits: &[T]) -> String {
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
