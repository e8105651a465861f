//! What a batch puts on each token, profile by profile. A recipe says what it fixes; the rest comes from the line of the
//! seed file (or, for random seeds, from the batch), and where that is silent too, from the defaults of key URIs.

use super::{
    model::{Misfit, Model, one_of},
    params::{Digits, Hash, Mode, Parameters, Period, Touch},
    target::{Target, TargetMisfit},
    time::UnixTime,
    title::{Fact, TitleTemplate},
    token::{Profile, Serial},
};
use crate::remedy::{Remedy, Retry};
use serde::{Deserialize, Serialize};

/// Stands in a recipe's list of models for every one there is.
pub const ANY_MODEL: &str = "*";

/// Where a profile's seed comes from, as a recipe says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeedFrom {
    /// The line of the seed file.
    File,
    /// The station draws it.
    Random,
}

/// One profile of a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeProfile {
    /// The number, from 0.
    pub number: Profile,
    /// The hash; absent: as the line states.
    pub hash: Option<Hash>,
    /// The code length; absent: as the line states.
    pub digits: Option<Digits>,
    /// The period; absent: as the line states.
    pub period: Option<Period>,
    /// The title; absent: none is written.
    pub title: Option<TitleTemplate>,
    /// Where the seed comes from.
    pub seed: SeedFrom,
    /// How many bytes a random seed has; absent: 20.
    pub seed_bytes: Option<u8>,
    /// Whether each code wants a touch, on keys that can want one.
    #[serde(default)]
    pub touch: Touch,
}

/// The length that RFC 4226 section 4 (R6) recommends.
const DEFAULT_RANDOM_BYTES: u8 = 20;

/// What a batch puts on each token. Field by field the shape of a file under `profiles/recipes/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Short, lower case; commands name the recipe by it.
    pub name: String,
    /// One line for lists.
    pub label: String,
    /// The models it is for, by name; `*` for all.
    pub models: Vec<String>,
    /// After how many seconds the display goes dark.
    pub display_timeout_s: u16,
    /// What goes into which profile.
    #[serde(rename = "profile")]
    pub profiles: Vec<RecipeProfile>,
}

/// What a line of a seed file says about the codes. Absent: the file is silent, and no guess was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stated {
    /// The hash.
    pub hash: Option<Hash>,
    /// The code length.
    pub digits: Option<Digits>,
    /// The period.
    pub period: Option<Period>,
    /// The moment from which steps are counted.
    pub t0: Option<UnixTime>,
    /// The counter of the next code; stated by counter-based (HOTP) seeds only, and what marks them.
    pub counter: Option<u64>,
}

impl Stated {
    /// All parameters, the gaps filled with the defaults of key URIs.
    pub fn or_standard(&self) -> Parameters {
        Parameters {
            hash: self.hash.unwrap_or(Hash::Sha1),
            digits: self.digits.unwrap_or(Digits::SIX),
            mode: match self.counter {
                Some(counter) => Mode::Hotp { counter },
                None => Mode::Totp {
                    period: self.period.unwrap_or(Period::THIRTY),
                    t0: self.t0.unwrap_or(UnixTime(0)),
                },
            },
        }
    }
}

/// What a recipe takes from one line, or from a batch without a file (all of it absent then).
#[derive(Debug, Clone, Copy, Default)]
pub struct LineFacts<'a> {
    /// The length of the line's seed; absent: there is none.
    pub seed_len_bytes: Option<usize>,
    /// What the line says about the codes.
    pub stated: Stated,
    /// Whether new random seeds are counter-based, where the recipe fixes no period.
    pub random_counts: bool,
    /// The token's serial, where it is known already.
    pub serial: Option<&'a Serial>,
    /// The user.
    pub upn: Option<&'a str>,
    /// The account.
    pub account: Option<&'a str>,
    /// The issuer.
    pub issuer: Option<&'a str>,
}

impl LineFacts<'_> {
    fn get(&self, fact: Fact) -> Option<&str> {
        match fact {
            Fact::Upn => self.upn,
            Fact::Serial => self.serial.map(Serial::as_str),
            Fact::Account => self.account,
            Fact::Issuer => self.issuer,
        }
    }
}

/// Where an entry's seed comes from, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "from")]
pub enum SeedSource {
    /// The line of the seed file.
    File {
        /// Its length.
        len_bytes: usize,
    },
    /// To be drawn by the station.
    Random {
        /// The length to draw.
        len_bytes: usize,
    },
}

impl SeedSource {
    /// The seed's length.
    pub fn len_bytes(self) -> usize {
        match self {
            Self::File { len_bytes } | Self::Random { len_bytes } => len_bytes,
        }
    }
}

/// What goes into one profile of one token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which profile.
    pub profile: Profile,
    /// The codes' parameters.
    pub parameters: Parameters,
    /// The title to write; absent: none.
    pub title: Option<String>,
    /// The seed's origin.
    pub seed: SeedSource,
    /// Whether each code wants a touch.
    #[serde(default)]
    pub touch: Touch,
}

/// A recipe that can't be carried out for a line, a model or a target. Names the recipe and the profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    /// It is for other models.
    #[error("recipe {recipe} is not for {model}: it is for {}", one_of(fits))]
    Model {
        /// The recipe.
        recipe: String,
        /// The model asked for, by name.
        model: String,
        /// The models it is for.
        fits: Vec<String>,
    },
    /// It wants a seed from a file and there is none.
    #[error("recipe {recipe}, profile {profile}: the seed comes from a file, and there is none")]
    NoSeed {
        /// The recipe.
        recipe: String,
        /// The profile.
        profile: Profile,
    },
    /// It fixes something that the line states otherwise.
    #[error("recipe {recipe}, profile {profile}: the recipe says {fixed}, the seed's line says {stated}")]
    Contradiction {
        /// The recipe.
        recipe: String,
        /// The profile.
        profile: Profile,
        /// What the recipe fixes.
        fixed: String,
        /// What the line states.
        stated: String,
    },
    /// A title asks for what the line doesn't state.
    #[error("recipe {recipe}, profile {profile}: the title shows the {fact}, and there is none")]
    TitleFact {
        /// The recipe.
        recipe: String,
        /// The profile.
        profile: Profile,
        /// What is missing.
        fact: Fact,
    },
    /// The model can't do it.
    #[error("recipe {recipe}, profile {profile}: {misfit}")]
    Misfit {
        /// The recipe.
        recipe: String,
        /// The profile.
        profile: Profile,
        /// What, and what would fit.
        misfit: Misfit,
    },
    /// The target wouldn't accept it.
    #[error("recipe {recipe}, profile {profile}: {misfit}")]
    Target {
        /// The recipe.
        recipe: String,
        /// The profile.
        profile: Profile,
        /// What, and what would fit.
        misfit: TargetMisfit,
    },
}

impl Remedy for RecipeError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Model { .. } => "choose a recipe for this model, or add the model to the recipe's list",
            Self::NoSeed { .. } => "import the seeds from a file, or choose a recipe with random seeds",
            Self::Contradiction { .. } => {
                "ask whoever issued the seed which is right; then correct the file, or leave the field out of the recipe"
            }
            Self::TitleFact { .. } => "add it to the file, or take it out of the recipe's title",
            Self::Misfit { misfit, .. } => misfit.remedy(),
            Self::Target { misfit, .. } => misfit.remedy(),
        }
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }
}

impl Recipe {
    /// Whether it is for this model.
    pub fn serves(&self, model: &Model) -> bool {
        self.models.iter().any(|name| name == ANY_MODEL || *name == model.name)
    }

    /// Whether it needs a seed from a file.
    pub fn needs_file_seed(&self) -> bool {
        self.profiles.iter().any(|profile| profile.seed == SeedFrom::File)
    }

    /// What goes onto one token of `model`, in the order of the recipe, checked against the model. A title with
    /// `{serial}` needs the serial: where it is not known before a token lies there, check again when it does.
    pub fn entries_for(&self, model: &Model, facts: &LineFacts<'_>) -> Result<Vec<Entry>, RecipeError> {
        if !self.serves(model) {
            return Err(RecipeError::Model {
                recipe: self.name.clone(),
                model: model.name.clone(),
                fits: self.models.clone(),
            });
        }
        self.profiles.iter().map(|planned| self.entry(planned, model, facts)).collect()
    }

    fn entry(
        &self,
        planned: &RecipeProfile,
        model: &Model,
        facts: &LineFacts<'_>,
    ) -> Result<Entry, RecipeError> {
        let (recipe, profile) = (self.name.clone(), planned.number);
        let seed = match planned.seed {
            SeedFrom::File => {
                let Some(len_bytes) = facts.seed_len_bytes else {
                    return Err(RecipeError::NoSeed { recipe, profile });
                };
                self.contradictions(planned, &facts.stated)?;
                SeedSource::File { len_bytes }
            }
            SeedFrom::Random => {
                SeedSource::Random { len_bytes: planned.seed_bytes.unwrap_or(DEFAULT_RANDOM_BYTES).into() }
            }
        };
        let from_file = planned.seed == SeedFrom::File;
        let counter = if from_file { facts.stated.counter } else { facts.random_counts.then_some(0) };
        let parameters = Stated {
            hash: planned.hash.or(facts.stated.hash),
            digits: planned.digits.or(facts.stated.digits),
            period: planned.period.or(facts.stated.period),
            // Start and counter belong to the file's seed; a new seed begins at its own.
            t0: facts.stated.t0.filter(|_| from_file),
            // A fixed period means time-based codes.
            counter: counter.filter(|_| planned.period.is_none()),
        }
        .or_standard();
        let title = match planned.title.as_ref().map(|title| title.fill(|fact| facts.get(fact))).transpose() {
            Ok(title) => title,
            Err(fact) => return Err(RecipeError::TitleFact { recipe, profile, fact }),
        };
        model
            .check(
                profile,
                &parameters,
                seed.len_bytes(),
                title.as_deref(),
                planned.touch,
                self.display_timeout_s,
            )
            .map_err(|misfit| RecipeError::Misfit { recipe, profile, misfit })?;
        Ok(Entry { profile, parameters, title, seed, touch: planned.touch })
    }

    /// A seed from a file works with the parameters it was issued for only, so a recipe that fixes others is refused
    /// rather than preferred.
    fn contradictions(&self, planned: &RecipeProfile, stated: &Stated) -> Result<(), RecipeError> {
        let differ = |fixed: Option<String>, stated: Option<String>| match (fixed, stated) {
            (Some(fixed), Some(stated)) if fixed != stated => Err(RecipeError::Contradiction {
                recipe: self.name.clone(),
                profile: planned.number,
                fixed,
                stated,
            }),
            _ => Ok(()),
        };
        differ(planned.hash.map(|h| h.to_string()), stated.hash.map(|h| h.to_string()))?;
        differ(planned.digits.map(|d| format!("{d} digits")), stated.digits.map(|d| format!("{d} digits")))?;
        let stated_pace = match stated.counter {
            Some(_) => Some("a counter (HOTP)".to_owned()),
            None => stated.period.map(|p| format!("a period of {p}")),
        };
        differ(planned.period.map(|p| format!("a period of {p}")), stated_pace)
    }

    /// Whether `target` would accept the codes of every one of `entries`.
    pub fn accepted_by(&self, target: &Target, entries: &[Entry]) -> Result<(), RecipeError> {
        entries.iter().try_for_each(|entry| {
            target.check(&entry.parameters, entry.seed.len_bytes()).map_err(|misfit| RecipeError::Target {
                recipe: self.name.clone(),
                profile: entry.profile,
                misfit,
            })
        })
    }

    /// Whether `model` can do all that the recipe itself fixes, whatever a line may state.
    pub fn check_fixed(&self, model: &Model) -> Result<(), RecipeError> {
        for planned in &self.profiles {
            let fixed_fits = || {
                model.check_profile(planned.number)?;
                planned.hash.map_or(Ok(()), |hash| model.check_hash(hash))?;
                planned.digits.map_or(Ok(()), |digits| model.check_digits(digits))?;
                planned.period.map_or(Ok(()), |period| model.check_period(period))?;
                if planned.seed == SeedFrom::Random {
                    let length = planned.seed_bytes.unwrap_or(DEFAULT_RANDOM_BYTES);
                    model.check_seed_length(length.into())?;
                }
                match &planned.title {
                    Some(title) if model.title_bytes.is_none() => model.check_title(&title.to_string()),
                    Some(title) => title.fixed().map_or(Ok(()), |title| model.check_title(&title)),
                    None => Ok(()),
                }?;
                model.check_display_timeout(self.display_timeout_s)
            };
            fixed_fits().map_err(|misfit| RecipeError::Misfit {
                recipe: self.name.clone(),
                profile: planned.number,
                misfit,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalog::Catalog;

    fn facts() -> LineFacts<'static> {
        LineFacts { seed_len_bytes: Some(20), ..LineFacts::default() }
    }

    fn recipe(text: &str) -> Recipe {
        toml::from_str(&format!(
            "name='r'\nlabel='R'\nmodels=['*']\ndisplay_timeout_s=30\n[[profile]]\n{text}"
        ))
        .unwrap()
    }

    fn entry(recipe: &Recipe, model: &str, facts: &LineFacts<'_>) -> Result<Entry, RecipeError> {
        let catalog = Catalog::built_in();
        recipe.entries_for(catalog.model(model).unwrap(), facts).map(|mut entries| entries.remove(0))
    }

    #[test]
    fn what_a_recipe_leaves_open_the_line_states() {
        let stated = Stated { hash: Some(Hash::Sha256), period: Some(Period::SIXTY), ..Stated::default() };
        let plain = recipe("number=0\nseed='file'");
        let entry = entry(&plain, "c301-i", &LineFacts { stated, ..facts() }).unwrap();
        assert_eq!(entry.parameters, Parameters::totp(Hash::Sha256, Digits::SIX, Period::SIXTY));
        assert_eq!(entry.seed, SeedSource::File { len_bytes: 20 });
        assert_eq!(entry.title, None);
    }

    #[test]
    fn a_random_seed_counts_only_where_that_is_asked_for() {
        let stated = Stated { counter: Some(7), ..Stated::default() };
        let mode = |text: &str, random_counts: bool| {
            let facts = LineFacts { stated, random_counts, account: Some("ann"), ..LineFacts::default() };
            entry(&recipe(text), "yubikey-5", &facts).unwrap().parameters.mode
        };
        let plain = "number=0\nseed='random'\ntitle='{account}'";
        assert!(matches!(mode(plain, false), Mode::Totp { .. }), "the line's counter is its own seed's");
        assert_eq!(mode(plain, true), Mode::Hotp { counter: 0 });
        assert!(matches!(mode(&format!("{plain}\nperiod=60"), true), Mode::Totp { .. }));
    }

    #[test]
    fn what_nobody_states_is_standard() {
        let entry = entry(&recipe("number=0\nseed='random'"), "c301-i", &LineFacts::default()).unwrap();
        assert_eq!(entry.parameters, Parameters::standard());
        assert_eq!(entry.seed, SeedSource::Random { len_bytes: 20 });
    }

    #[test]
    fn a_file_seed_is_never_burned_under_other_parameters_than_its_line_states() {
        let stated = Stated { period: Some(Period::SIXTY), ..Stated::default() };
        let fixed = recipe("number=0\nseed='file'\nperiod=30");
        let error = entry(&fixed, "c301-i", &LineFacts { stated, ..facts() }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "recipe r, profile 0: the recipe says a period of 30 s, the seed's line says a period of 60 s"
        );
        let stated = Stated { counter: Some(0), ..Stated::default() };
        let error = entry(&fixed, "c301-i", &LineFacts { stated, ..facts() }).unwrap_err();
        assert!(matches!(error, RecipeError::Contradiction { .. }), "{error}");
    }

    #[test]
    fn a_counter_based_line_is_refused_by_a_time_based_token() {
        let stated = Stated { counter: Some(0), ..Stated::default() };
        let error =
            entry(&recipe("number=0\nseed='file'"), "c301-i", &LineFacts { stated, ..facts() }).unwrap_err();
        assert!(matches!(error, RecipeError::Misfit { misfit: Misfit::Hotp { .. }, .. }), "{error}");
    }

    #[test]
    fn titles_are_filled_and_refused_when_too_long() {
        let titled = recipe("number=0\nseed='file'\ntitle='{issuer}: {account}'");
        let bob = LineFacts { issuer: Some("Acme"), account: Some("bob"), ..facts() };
        let title = entry(&titled, "molto2-v2", &bob).unwrap().title;
        assert_eq!(title.as_deref(), Some("Acme: bob"));
        let long = LineFacts { account: Some("bob@example.com"), ..bob };
        let error = entry(&titled, "molto2-v2", &long).unwrap_err();
        assert_eq!(
            error.to_string(),
            "recipe r, profile 0: \"Acme: bob@example.com\" has 21 bytes, a title on Molto2 v2 has 1 to 12"
        );
        let error = entry(&titled, "molto2-v2", &facts()).unwrap_err();
        assert!(matches!(error, RecipeError::TitleFact { fact: Fact::Issuer, .. }), "{error}");
    }

    #[test]
    fn a_recipe_without_a_file_seed_needs_no_file() {
        let catalog = Catalog::built_in();
        let ten = catalog.recipe("molto2-ten-random").unwrap();
        assert!(!ten.needs_file_seed());
        assert!(ten.entries_for(catalog.model("molto2-v2").unwrap(), &LineFacts::default()).is_ok());
        let with_file = catalog.recipe("molto2-ten").unwrap();
        let error =
            with_file.entries_for(catalog.model("molto2-v2").unwrap(), &LineFacts::default()).unwrap_err();
        assert!(matches!(error, RecipeError::NoSeed { profile: Profile::ZERO, .. }), "{error}");
    }

    #[test]
    fn the_ten_profiles_differ_in_kind() {
        let catalog = Catalog::built_in();
        for name in ["molto2-ten", "molto2-ten-random"] {
            let entries = catalog
                .recipe(name)
                .unwrap()
                .entries_for(catalog.model("molto2-v1").unwrap(), &facts())
                .unwrap();
            let numbers: Vec<u8> = entries.iter().map(|entry| entry.profile.number()).collect();
            assert_eq!(numbers, (0..10).collect::<Vec<_>>());
            let digits: std::collections::BTreeSet<u8> =
                entries.iter().map(|entry| entry.parameters.digits.get()).collect();
            assert_eq!(Vec::from_iter(digits), [4, 6, 8, 10], "{name}");
            let kinds: std::collections::HashSet<Parameters> =
                entries.iter().map(|entry| entry.parameters).collect();
            assert!(kinds.len() >= 9, "{name}");
        }
    }

    #[test]
    fn a_recipe_is_only_for_the_models_it_names() {
        let catalog = Catalog::built_in();
        let ten = catalog.recipe("molto2-ten").unwrap();
        let error = ten.entries_for(catalog.model("c302-i").unwrap(), &facts()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "recipe molto2-ten is not for c302-i: it is for molto2-v2 or molto2-v1"
        );
    }

    #[test]
    fn a_target_names_the_profile_it_would_not_accept() {
        let catalog = Catalog::built_in();
        let ten = catalog.recipe("molto2-ten-random").unwrap();
        let entries = ten.entries_for(catalog.model("molto2-v2").unwrap(), &LineFacts::default()).unwrap();
        let error = ten.accepted_by(catalog.target("entra").unwrap(), &entries).unwrap_err();
        assert_eq!(
            error.to_string(),
            "recipe molto2-ten-random, profile 1: Entra ID (CSV upload) does not accept 10 digits: 6 would fit"
        );
        assert!(matches!(error, RecipeError::Target { .. }) && error.remedy().len() > 10);
    }

    #[test]
    fn every_error_has_a_remedy() {
        let (recipe, profile) = (String::from("r"), Profile::ZERO);
        for error in [
            RecipeError::Model { recipe: recipe.clone(), model: "m".into(), fits: vec![] },
            RecipeError::NoSeed { recipe: recipe.clone(), profile },
            RecipeError::Contradiction {
                recipe: recipe.clone(),
                profile,
                fixed: "a".into(),
                stated: "b".into(),
            },
            RecipeError::TitleFact { recipe: recipe.clone(), profile, fact: Fact::Upn },
            RecipeError::Misfit {
                recipe: recipe.clone(),
                profile,
                misfit: Misfit::Hotp { model: "m".into() },
            },
            RecipeError::Target { recipe, profile, misfit: TargetMisfit::Hotp { target: "t".into() } },
        ] {
            assert!(error.remedy().len() > 10 && error.retry() == Retry::Never, "{error}");
        }
    }
}
