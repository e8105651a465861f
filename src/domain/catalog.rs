//! All models, recipes and targets: those compiled in, overridden and extended by an operator's files. This module is
//! handed texts and reads no file.
//!
//! Nothing is taken from a file with a fault: a half-read model could brick a token. So every name must resolve, every
//! list must say something, and every recipe must fit the models it names, before a catalog exists.

mod rules;

use super::{
    model::{KeyMaker, Model, folded, one_of},
    recipe::{ANY_MODEL, Recipe, RecipeError},
    target::Target,
    token::Serial,
};
use crate::remedy::{Remedy, Retry};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

macro_rules! shipped {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../../profiles/", $file)))),*]
    };
}

/// The files that are compiled in.
const SHIPPED: &[(&str, &str)] = shipped![
    "models/c301-i.toml",
    "models/c302-i.toml",
    "models/canokey.toml",
    "models/miniotp-2-i.toml",
    "models/miniotp-3-i-nb.toml",
    "models/miniotp-3-i.toml",
    "models/molto2-v1.toml",
    "models/molto2-v2.toml",
    "models/nitrokey-3.toml",
    "models/oath-key.toml",
    "models/otpc-p1-i.toml",
    "models/otpc-p2-i-nb.toml",
    "models/otpc-p2-i.toml",
    "models/solo-2.toml",
    "models/token2-fido-card.toml",
    "models/token2-pin-plus.toml",
    "models/yubikey-5.toml",
    "recipes/as-file.toml",
    "recipes/key-as-file.toml",
    "recipes/key-entra.toml",
    "recipes/key-random.toml",
    "recipes/key-three-random.toml",
    "recipes/key-user.toml",
    "recipes/molto2-ten-random.toml",
    "recipes/molto2-ten.toml",
    "recipes/single-random.toml",
    "targets/duo.toml",
    "targets/entra-graph.toml",
    "targets/entra.toml",
    "targets/evv.toml",
    "targets/google-style.toml",
    "targets/linotp.toml",
    "targets/okta.toml",
    "targets/privacyidea.toml",
];

/// Models, recipes and targets by name.
#[derive(Debug, Clone)]
pub struct Catalog {
    models: BTreeMap<String, Sourced<Model>>,
    recipes: BTreeMap<String, Sourced<Recipe>>,
    targets: BTreeMap<String, Sourced<Target>>,
}

/// An item and the file it stands in.
#[derive(Debug, Clone)]
struct Sourced<T> {
    file: String,
    item: T,
}

/// What is wrong with a model, recipe or target file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// It lies where kiln doesn't know what it is.
    #[error("{file}: kiln reads models/NAME.toml, recipes/NAME.toml and targets/NAME.toml here")]
    Place {
        /// The file.
        file: String,
    },
    /// It is no TOML, or a field is unknown, missing or of the wrong kind.
    #[error("{file}, line {line}: {reason}")]
    Syntax {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u32,
        /// What the reader of TOML says, with the field and what it expects.
        reason: String,
    },
    /// A field holds something that makes no sense.
    #[error("{file}: {field} {fault}")]
    Field {
        /// The file.
        file: String,
        /// The field.
        field: &'static str,
        /// What is wrong with it and what would fit.
        fault: &'static str,
    },
    /// Two files claim the same name, alias or serial prefix.
    #[error("{file}: {what} \"{claimed}\" is taken by {other}")]
    Taken {
        /// The file.
        file: String,
        /// Name, alias or serial prefix.
        what: &'static str,
        /// The text both claim.
        claimed: String,
        /// The other file.
        other: String,
    },
    /// A recipe names a model that doesn't exist.
    #[error("{file}: there is no model \"{model}\": {} would fit", one_of(known))]
    UnknownModel {
        /// The file.
        file: String,
        /// The name it gives.
        model: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A recipe fixes what one of its models can't do.
    #[error("{file}: {error}")]
    Recipe {
        /// The file.
        file: String,
        /// Which profile, and what would fit.
        error: Box<RecipeError>,
    },
}

impl Remedy for CatalogError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Place { .. } => {
                "move the file into models, recipes or targets, and let its name end in .toml"
            }
            Self::Syntax { .. } => "correct the line; a shipped file of the same kind shows the form",
            Self::Field { .. } => "correct the field; a shipped file of the same kind shows the form",
            Self::Taken { .. } => {
                "give one of them another text; to override a shipped file, use its own name in one file only"
            }
            Self::UnknownModel { .. } => {
                "correct the model's name in the recipe, or add a file for that model"
            }
            Self::Recipe { .. } => {
                "change the profile to what fits, or take the model off the recipe's list of models"
            }
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// The three kinds of files, by the directory they lie in.
enum Kind {
    Model,
    Recipe,
    Target,
}

impl Kind {
    /// From a path whose last two parts are, say, `models/c302-i.toml`.
    fn of(file: &str) -> Option<Self> {
        let (directory, name) = file.rsplit_once('/')?;
        let stem = name.strip_suffix(".toml")?;
        if stem.is_empty() {
            return None;
        }
        match directory.rsplit('/').next()? {
            "models" => Some(Self::Model),
            "recipes" => Some(Self::Recipe),
            "targets" => Some(Self::Target),
            _ => None,
        }
    }
}

impl Catalog {
    /// What kiln ships.
    pub fn built_in() -> Self {
        let empty = Self { models: BTreeMap::new(), recipes: BTreeMap::new(), targets: BTreeMap::new() };
        let texts = SHIPPED.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
        empty.with(texts).expect("a test reads every shipped file")
    }

    /// This catalog with an operator's files: pairs of a file's path (only its last two parts matter,
    /// `recipes/ours.toml`) and its text. One with the name of an item that is here already takes its place.
    pub fn with(mut self, files: Vec<(String, String)>) -> Result<Self, CatalogError> {
        let mut claimed = BTreeMap::new();
        for (file, text) in files {
            match Kind::of(&file) {
                Some(Kind::Model) => {
                    let model: Model = read(&file, &text)?;
                    rules::check_model(&file, &model)?;
                    claim(&mut claimed, "model", &model.name, &file)?;
                    self.models.insert(model.name.clone(), Sourced { file, item: model });
                }
                Some(Kind::Recipe) => {
                    let recipe: Recipe = read(&file, &text)?;
                    rules::check_recipe(&file, &recipe)?;
                    claim(&mut claimed, "recipe", &recipe.name, &file)?;
                    self.recipes.insert(recipe.name.clone(), Sourced { file, item: recipe });
                }
                Some(Kind::Target) => {
                    let target: Target = read(&file, &text)?;
                    rules::check_target(&file, &target)?;
                    claim(&mut claimed, "target", &target.name, &file)?;
                    self.targets.insert(target.name.clone(), Sourced { file, item: target });
                }
                None => return Err(CatalogError::Place { file }),
            }
        }
        self.check_across()?;
        Ok(self)
    }

    /// What can be said only when all files are known.
    fn check_across(&self) -> Result<(), CatalogError> {
        let mut prefixes = BTreeMap::new();
        let mut names = BTreeMap::new();
        for Sourced { file, item } in self.models.values() {
            for prefix in &item.recognised_by.serial_prefixes {
                claim(&mut prefixes, "serial prefix", prefix, file)?;
            }
            for name in item.folded_names() {
                claim(&mut names, "model alias", &name, file)?;
            }
        }
        for Sourced { file, item } in self.recipes.values() {
            for name in item.models.iter().filter(|name| *name != ANY_MODEL) {
                let Some(model) = self.model(name) else {
                    return Err(CatalogError::UnknownModel {
                        file: file.clone(),
                        model: name.clone(),
                        known: self.models.keys().cloned().collect(),
                    });
                };
                item.check_fixed(model)
                    .map_err(|error| CatalogError::Recipe { file: file.clone(), error: Box::new(error) })?;
            }
        }
        Ok(())
    }

    /// The model of this name.
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.get(name).map(|sourced| &sourced.item)
    }

    /// The model that a seed file's model column, or a person, calls `text`: by name, label or alias, with or without
    /// its maker; only letters and digits count, in any case.
    pub fn model_by_alias(&self, text: &str) -> Option<&Model> {
        let wanted = folded(text);
        self.models().find(|model| model.folded_names().contains(&wanted))
    }

    /// The model whose serials begin as this one does; the longest prefix wins. `None` for serials of other devices,
    /// to which nothing may be written, and for models whose serials have no known beginning.
    pub fn model_for_serial(&self, serial: &Serial) -> Option<&Model> {
        let by_length = self.models().filter_map(|model| Some((model.prefix_match(serial)?, model)));
        by_length.max_by_key(|(length, _)| *length).map(|(_, model)| model)
    }

    /// The model of a key with the OATH applet, by its maker.
    pub fn model_for_key(&self, maker: KeyMaker) -> Option<&Model> {
        self.models().find(|model| model.recognised_by.key_maker == Some(maker))
    }

    /// The recipe of this name.
    pub fn recipe(&self, name: &str) -> Option<&Recipe> {
        self.recipes.get(name).map(|sourced| &sourced.item)
    }

    /// The target of this name.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.get(name).map(|sourced| &sourced.item)
    }

    /// All models, by name.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.models.values().map(|sourced| &sourced.item)
    }

    /// All recipes, by name.
    pub fn recipes(&self) -> impl Iterator<Item = &Recipe> {
        self.recipes.values().map(|sourced| &sourced.item)
    }

    /// All targets, by name.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.values().map(|sourced| &sourced.item)
    }
}

fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, CatalogError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count();
        CatalogError::Syntax {
            file: file.to_owned(),
            line: u32::try_from(before + 1).unwrap_or(u32::MAX),
            reason: error.message().to_owned(),
        }
    })
}

fn claim(
    taken: &mut BTreeMap<(&'static str, String), String>,
    what: &'static str,
    claimed: &str,
    file: &str,
) -> Result<(), CatalogError> {
    match taken.insert((what, claimed.to_owned()), file.to_owned()) {
        None => Ok(()),
        Some(other) => {
            Err(CatalogError::Taken { file: file.to_owned(), what, claimed: claimed.to_owned(), other })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::model::{Driver, KeyNeeded, Misfit};

    fn with(file: &str, text: &str) -> Result<Catalog, CatalogError> {
        Catalog::built_in().with(vec![(file.to_owned(), text.to_owned())])
    }

    fn shipped(file: &str) -> String {
        SHIPPED.iter().find(|(name, _)| *name == file).unwrap().1.to_owned()
    }

    #[test]
    fn every_shipped_file_is_compiled_in_under_its_name() {
        let catalog = Catalog::built_in();
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/profiles/");
        let mut on_disk = Vec::new();
        for directory in ["models", "recipes", "targets"] {
            for entry in std::fs::read_dir(format!("{root}{directory}")).unwrap() {
                on_disk.push(format!("{directory}/{}", entry.unwrap().file_name().to_str().unwrap()));
            }
        }
        on_disk.sort();
        assert_eq!(on_disk, SHIPPED.iter().map(|(file, _)| (*file).to_owned()).collect::<Vec<_>>());
        assert!(catalog.models.iter().all(|(name, m)| m.file == format!("models/{name}.toml")));
        assert!(catalog.recipes.iter().all(|(name, r)| r.file == format!("recipes/{name}.toml")));
        assert!(catalog.targets.iter().all(|(name, t)| t.file == format!("targets/{name}.toml")));
    }

    #[test]
    fn every_maker_of_keys_has_its_model() {
        let catalog = Catalog::built_in();
        for (maker, name) in [
            (KeyMaker::YubiKey, "yubikey-5"),
            (KeyMaker::Nitrokey, "nitrokey-3"),
            (KeyMaker::Solo, "solo-2"),
            (KeyMaker::CanoKey, "canokey"),
            (KeyMaker::Other, "oath-key"),
        ] {
            assert_eq!(catalog.model_for_key(maker).map(|model| model.name.as_str()), Some(name));
        }
        assert_eq!(
            catalog.model_by_alias("Yubico YubiKey 5C NFC").map(|m| m.name.as_str()),
            Some("yubikey-5")
        );
        let yubikey = catalog.model("yubikey-5").unwrap();
        assert_eq!((yubikey.room([5, 4, 3]), yubikey.room([5, 7, 0])), (32, 64));
    }

    /// The table of token2-single.md, section 6.
    #[test]
    fn serial_prefixes_lead_to_their_models() {
        let catalog = Catalog::built_in();
        for (serial, model, clears) in [
            ("86596001234567", "miniotp-2-i", false),
            ("86596011234567", "miniotp-3-i", true),
            ("86596091234567", "miniotp-3-i-nb", true),
            ("86596101234567", "c301-i", true),
            ("86596121234567", "otpc-p1-i", false),
            ("86596211234567", "otpc-p2-i-nb", true),
            ("86596221234567", "otpc-p2-i", true),
            ("86596321234567", "c302-i", false),
        ] {
            let found = catalog.model_for_serial(&serial.parse().unwrap()).unwrap();
            assert_eq!((found.name.as_str(), found.sync_clears_seed), (model, clears));
            assert_eq!((found.driver, &found.key), (Driver::Token2Single, &KeyNeeded::PublicDeviceKey));
        }
        // The last is a T2F2 of the first generation.
        for serial in ["86596231234567", "86597101234567", "826658719844499", "8659", "86105000000017"] {
            assert!(catalog.model_for_serial(&serial.parse().unwrap()).is_none(), "{serial}");
        }
        for (serial, model) in [
            ("72102935780528", "token2-pin-plus"),
            ("96105000000017", "token2-pin-plus"),
            ("86202000000017", "token2-fido-card"),
            ("70001234", "token2-fido-card"),
        ] {
            let found = catalog.model_for_serial(&serial.parse().unwrap()).unwrap();
            assert_eq!((found.name.as_str(), found.driver), (model, Driver::Token2Otp));
        }
    }

    #[test]
    fn the_longest_prefix_wins() {
        let narrow = shipped("models/c302-i.toml")
            .replace("\"c302-i\"", "\"c302-x\"")
            .replace("C302-i", "C302-x")
            .replace("[\"C302\"]", "[]")
            .replace("\"8659632\"", "\"865963299\"");
        let catalog = with("models/c302-x.toml", &narrow).unwrap();
        let name = |serial: &str| catalog.model_for_serial(&serial.parse().unwrap()).unwrap().name.clone();
        assert_eq!(name("86596329900001"), "c302-x");
        assert_eq!(name("86596329800001"), "c302-i");
    }

    #[test]
    fn models_are_found_by_what_people_write() {
        let catalog = Catalog::built_in();
        for (text, name) in [
            ("miniOTP-2", "miniotp-2-i"),
            ("Token2 miniOTP 2", "miniotp-2-i"),
            ("OTPC_P2-i-NB", "otpc-p2-i-nb"),
            ("c302", "c302-i"),
            ("Molto-2", "molto2-v2"),
            ("TOKEN2 Molto2 v1", "molto2-v1"),
        ] {
            assert_eq!(catalog.model_by_alias(text).map(|m| m.name.as_str()), Some(name), "{text}");
        }
        assert!(catalog.model_by_alias("").is_none());
        assert!(catalog.model_by_alias("Token2").is_none());
        assert!(catalog.model_by_alias("C202").is_none());
    }

    #[test]
    fn an_operators_file_overrides_by_name_and_extends() {
        let changed =
            shipped("models/c301-i.toml").replace("sync_clears_seed = true", "sync_clears_seed = false");
        let catalog = with("/etc/kiln/models/anything.toml", &changed).unwrap();
        assert!(!catalog.model("c301-i").unwrap().sync_clears_seed);
        assert_eq!(catalog.models().count(), Catalog::built_in().models().count());

        let ours = shipped("recipes/as-file.toml").replace("as-file", "ours");
        let catalog = with("recipes/ours.toml", &ours).unwrap();
        assert!(catalog.recipe("ours").is_some() && catalog.recipe("as-file").is_some());
    }

    #[test]
    fn a_wrong_field_is_named_with_its_line_and_what_would_fit() {
        let misspelt = shipped("models/c301-i.toml").replace("hashes =", "hashs =");
        let error = with("models/a.toml", &misspelt).unwrap_err();
        let CatalogError::Syntax { ref file, line, ref reason } = error else { panic!("{error}") };
        let expected = 1 + misspelt.lines().position(|l| l.starts_with("hashs")).unwrap();
        assert_eq!((file.as_str(), line as usize), ("models/a.toml", expected));
        assert!(reason.contains("`hashs`") && reason.contains("`hashes`"), "{reason}");

        let md5 = shipped("models/c301-i.toml").replace("\"SHA256\"", "\"MD5\"");
        let error = with("models/a.toml", &md5).unwrap_err().to_string();
        assert!(error.contains("MD5") && error.contains("SHA512"), "{error}");
    }

    #[test]
    fn two_files_of_one_name_are_refused_although_each_may_override() {
        let text = shipped("targets/duo.toml");
        let twice = vec![("targets/a.toml".into(), text.clone()), ("targets/b.toml".into(), text)];
        let error = Catalog::built_in().with(twice).unwrap_err();
        assert_eq!(error.to_string(), "targets/b.toml: target \"duo\" is taken by targets/a.toml");
    }

    #[test]
    fn two_models_can_not_claim_one_prefix_or_alias() {
        let twin = shipped("models/c301-i.toml").replace("\"c301-i\"", "\"twin\"").replace("C301-i", "Twin");
        let error = with("models/twin.toml", &twin.replace("[\"C301\"]", "[]")).unwrap_err();
        assert!(matches!(error, CatalogError::Taken { what: "serial prefix", .. }), "{error}");
        let error = with("models/twin.toml", &twin.replace("8659610", "8659699")).unwrap_err();
        assert!(matches!(error, CatalogError::Taken { what: "model alias", .. }), "{error}");
    }

    #[test]
    fn a_model_file_can_not_go_past_its_wire() {
        let single = shipped("models/c301-i.toml");
        for (from, to, field) in [
            ("profiles = 1\n", "profiles = 2\n", "profiles"),
            ("max = 63", "max = 64", "seed_bytes"),
            ("min = 1", "min = 64", "seed_bytes"),
            ("digits = [6]", "digits = []", "digits"),
            ("\"8659610\"", "\"865\"", "serial_prefixes"),
            ("seed_bytes =", "title_bytes = { min = 1, max = 12 }\nseed_bytes =", "title_bytes"),
            ("name = \"c301-i\"", "name = \"C301\"", "name"),
        ] {
            assert!(single.contains(from), "{from}");
            match with("models/a.toml", &single.replacen(from, to, 1)) {
                Err(CatalogError::Field { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{field}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_recipe_its_model_can_not_do_is_refused_when_it_is_read() {
        let ten = shipped("recipes/molto2-ten.toml");
        let error = with("recipes/ten.toml", &ten.replace("digits = 10", "digits = 9")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "recipes/ten.toml: recipe molto2-ten, profile 9: Molto2 v2 cannot show 9 digits: 4, 6, 8 or 10 would fit"
        );
        let error = with("recipes/ten.toml", &ten.replace("molto2-v1", "c302-i")).unwrap_err();
        let CatalogError::Recipe { error, .. } = error else { panic!("{error}") };
        assert!(matches!(*error, RecipeError::Misfit { misfit: Misfit::NoTitles { .. }, .. }), "{error}");
        let error = with("recipes/ten.toml", &ten.replace("molto2-v1", "molto3")).unwrap_err();
        assert!(error.to_string().contains("molto2-v1"), "{error}");
    }

    #[test]
    fn a_recipe_uses_each_profile_and_the_files_seed_once() {
        let ten = shipped("recipes/molto2-ten.toml");
        for (from, to, field) in [
            ("number = 2", "number = 1", "number"),
            ("seed = \"random\"\nseed_bytes = 20", "seed = \"file\"", "seed"),
            ("seed = \"file\"", "seed = \"file\"\nseed_bytes = 20", "seed_bytes"),
        ] {
            assert!(ten.contains(from), "{from}");
            match with("recipes/a.toml", &ten.replacen(from, to, 1)) {
                Err(CatalogError::Field { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{field}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_file_in_no_known_place_is_refused() {
        for file in ["c302.toml", "model/c302.toml", "models/c302.tml", "models/.toml"] {
            assert!(matches!(with(file, ""), Err(CatalogError::Place { .. })), "{file}");
        }
    }

    #[test]
    fn every_error_has_a_remedy() {
        let file = String::from("models/a.toml");
        for error in [
            CatalogError::Place { file: file.clone() },
            CatalogError::Syntax { file: file.clone(), line: 1, reason: "r".into() },
            CatalogError::Field { file: file.clone(), field: "name", fault: "must not be empty" },
            CatalogError::Taken { file: file.clone(), what: "model", claimed: "c".into(), other: "o".into() },
            CatalogError::UnknownModel { file: file.clone(), model: "m".into(), known: vec![] },
            CatalogError::Recipe {
                file,
                error: Box::new(RecipeError::NoSeed {
                    recipe: "r".into(),
                    profile: crate::domain::Profile::ZERO,
                }),
            },
        ] {
            assert!(error.remedy().len() > 10 && error.retry() == Retry::AfterOperator, "{error}");
        }
    }
}
