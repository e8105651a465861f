//! From the lines of a file to jobs: which model, which recipe, what goes onto the token.

use super::{
    find_recipe, find_target,
    said::Said,
    seal,
    together::{Keys, Planned},
};
use crate::{
    domain::{
        Hash, Profile, Touch,
        catalog::Catalog,
        model::Model,
        recipe::{Entry, LineFacts, Recipe, SeedSource},
        target::Target,
    },
    face::{Failure, FailureKind, ImportOptions, ImportTarget},
    formats::{Place, SeedLine},
    remedy::Remedy,
    station::failure::failure,
    store::{JobFacts, NewJob, Reserve},
    vault::DataKey,
};
use std::collections::{BTreeMap, BTreeSet};

/// The recipe that puts each line's seed on the token's first profile, as the line states.
const AS_FILE: &str = "as-file";

/// Turns lines into jobs.
pub(super) struct Planner<'a> {
    catalog: &'a Catalog,
    options: &'a ImportOptions,
    recipes: Vec<&'a Recipe>,
    as_file: &'a Recipe,
    pub(super) target: Option<&'a Target>,
    used: std::cell::RefCell<BTreeSet<&'a str>>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(catalog: &'a Catalog, options: &'a ImportOptions) -> Result<Self, Failure> {
        let recipes =
            options.recipes.iter().map(|name| find_recipe(catalog, name)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            catalog,
            options,
            recipes,
            as_file: find_recipe(catalog, AS_FILE)?,
            target: find_target(catalog, options.login_target.as_deref())?,
            used: std::cell::RefCell::default(),
        })
    }

    /// The job of one line: its model by serial, else by the model column; its recipe by the model. `None`: the line
    /// can't be taken, and `said` knows why.
    pub(super) fn job(
        &self,
        line: &SeedLine,
        data_key: &DataKey,
        said: &mut Said,
    ) -> Result<Option<Planned>, Failure> {
        let place = line.place;
        if self.options.target == ImportTarget::Inventory && line.serial.is_none() {
            said.refuse(
                place,
                "serial number".to_owned(),
                "the line names no serial".into(),
                "an inventory says which token holds which seed: add the serial",
            );
            return Ok(None);
        }
        let known = self.model_of(line);
        let delivered = self.options.target == ImportTarget::Inventory && self.recipes.is_empty();
        // Meant for this line, whatever else is wrong with it.
        let meant = known.filter(|_| !delivered).map(|model| self.recipe_for(model));
        self.used.borrow_mut().extend(meant.map(|recipe| recipe.name.as_str()));
        let mut stated = line.stated;
        stated.hash = stated.hash.or(self.options.hash).or_else(|| only_hash(known));
        if stated.hash.is_none() && line.is_hash_open() {
            said.refuse(
                place,
                "hash".to_owned(),
                format!(
                    "the file does not say the hash, and a seed of {} bytes is meant for SHA-1 by some vendors, for \
                     SHA-256 or SHA-512 by others",
                    line.seed.len_bytes()
                ),
                "ask the vendor, then say --hash SHA-1, SHA-256 or SHA-512",
            );
            return Ok(None);
        }
        let facts = LineFacts {
            random_counts: false,
            seed_len_bytes: Some(line.seed.len_bytes()),
            stated,
            serial: line.serial.as_ref(),
            upn: line.upn.as_deref(),
            account: line.account.as_deref(),
            issuer: line.issuer.as_deref(),
        };
        let planned = if delivered {
            Ok((None, vec![as_delivered(&facts)]))
        } else {
            let (recipe, entries) = match (known, meant) {
                (Some(model), Some(recipe)) => (recipe, recipe.entries_for(model, &facts)),
                _ => self.any_model(&facts),
            };
            entries.map(|entries| (Some(recipe), entries))
        };
        let (recipe, entries) = match planned {
            Ok(planned) => planned,
            Err(error) => {
                said.refuse(place, "recipe".to_owned(), error.to_string(), error.remedy());
                return Ok(None);
            }
        };
        if !self.target_takes(place, &entries, said) {
            return Ok(None);
        }
        if let Some(recipe) = recipe {
            self.used.borrow_mut().insert(&recipe.name);
        }
        let keys = recipe.and_then(|recipe| self.keys_for(known, recipe));
        let reserve = if keys.is_some() { Reserve::BesideOthers } else { Reserve::Alone };
        let job = NewJob {
            reserved: line.serial.clone(),
            model: known.map(|model| model.name.clone()),
            facts: job_facts(line),
            entries: seal(data_key, recipe, &entries, Some(&line.seed))?,
            reserve,
        };
        let from = job.entries.iter().map(|entry| (entry.profile, place)).collect();
        Ok(Some(Planned { job, from, keys }))
    }

    /// Whether some recipe that was named is for keys alone, so that several lines of the file may be for one token.
    pub(super) fn serves_keys(&self) -> bool {
        self.recipes.iter().any(|recipe| self.keys_for(None, recipe).is_some())
    }

    /// What is the same of all keys that a line may be for; `None` where it may be for something else.
    fn keys_for(&self, known: Option<&Model>, recipe: &Recipe) -> Option<Keys> {
        let mut keys = Keys { namings: Vec::new(), room: 0, open: Vec::new(), some_take_password: false };
        let served = self.catalog.models().filter(|model| match known {
            Some(known) => known.name == model.name,
            None => recipe.serves(model),
        });
        for model in served {
            let naming = model.driver.naming()?;
            if !keys.namings.contains(&naming) {
                keys.namings.push(naming);
            }
            keys.room = keys.room.max(model.profiles.into());
            if model.takes_password() {
                keys.some_take_password = true;
            } else {
                keys.open.push(model.label.clone());
            }
        }
        (!keys.namings.is_empty()).then_some(keys)
    }

    /// Whether the login server would take what the token is to show; says everything that it would not, and what it
    /// would change without a word.
    fn target_takes(&self, place: Place, entries: &[Entry], said: &mut Said) -> bool {
        let Some(target) = self.target else { return true };
        let mut takes = true;
        for entry in entries {
            for misfit in target.misfits(&entry.parameters, entry.seed.len_bytes()) {
                said.refuse(place, "target".to_owned(), misfit.to_string(), misfit.remedy());
                takes = false;
            }
            if let Some(change) = target.silent_change(&entry.parameters, entry.seed.len_bytes()) {
                said.warn(place, "target", change.to_string(), change.remedy());
            }
        }
        takes
    }

    fn model_of(&self, line: &SeedLine) -> Option<&'a Model> {
        let by_serial = line.serial.as_ref().and_then(|serial| self.catalog.model_for_serial(serial));
        let by_column = || line.model.as_deref().and_then(|text| self.catalog.model_by_alias(text));
        let only_one = || match self.recipes.as_slice() {
            [recipe] if recipe.models.len() == 1 => self.catalog.model(&recipe.models[0]),
            _ => None,
        };
        by_serial.or_else(by_column).or_else(only_one)
    }

    fn recipe_for(&self, model: &Model) -> &'a Recipe {
        self.recipes.iter().find(|recipe| recipe.serves(model)).copied().unwrap_or(self.as_file)
    }

    /// Neither serial nor column names a model: whichever token comes is checked when it comes; the line must fit at
    /// least one model, of those that the named recipes are for where there are any.
    fn any_model(
        &self,
        facts: &LineFacts<'_>,
    ) -> (&'a Recipe, Result<Vec<Entry>, crate::domain::recipe::RecipeError>) {
        let mut first = None;
        let meant = |model: &&Model| {
            self.recipes.is_empty() || self.recipes.iter().any(|recipe| recipe.serves(model))
        };
        for model in self.catalog.models().filter(meant) {
            let recipe = self.recipe_for(model);
            let entries = recipe.entries_for(model, facts);
            if entries.is_ok() {
                return (recipe, entries);
            }
            first.get_or_insert((recipe, entries));
        }
        first.unwrap_or((self.as_file, Ok(Vec::new())))
    }

    /// A recipe that serves no line was meant for other tokens: better asked about than passed over.
    pub(super) fn every_recipe_was_used(&self) -> Result<(), Failure> {
        let used = self.used.borrow();
        match self.recipes.iter().find(|recipe| !used.contains(recipe.name.as_str())) {
            Some(recipe) if !used.is_empty() => Err(failure(
                FailureKind::No,
                format!("recipe \"{}\" fits no line of the file", recipe.name),
                "check which models the recipe lists and what the file's model column says",
            )),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn recipe_names(&self) -> String {
        let used = self.used.borrow();
        used.iter().copied().collect::<Vec<_>>().join(", ")
    }
}

/// The hash of a model that knows one only.
fn only_hash(model: Option<&Model>) -> Option<Hash> {
    match model?.hashes[..] {
        [hash] => Some(hash),
        _ => None,
    }
}

/// What a token holds that was delivered with its seed. No model is asked whether it could be burned so: tokens that
/// kiln never writes to (counter-based ones among them) belong to an inventory, too.
fn as_delivered(facts: &LineFacts<'_>) -> Entry {
    Entry {
        profile: Profile::ZERO,
        parameters: facts.stated.or_standard(),
        title: None,
        seed: SeedSource::File { len_bytes: facts.seed_len_bytes.unwrap_or_default() },
        touch: Touch::Free,
    }
}

fn job_facts(line: &SeedLine) -> JobFacts {
    let mut more = BTreeMap::new();
    for (column, text) in [
        ("manufacturer", &line.manufacturer),
        ("model", &line.model),
        ("issuer", &line.issuer),
        ("account", &line.account),
    ] {
        if let Some(text) = text {
            more.insert(column.to_owned(), text.clone());
        }
    }
    JobFacts { line: Some(line.place.number().into()), upn: line.upn.clone(), more }
}
