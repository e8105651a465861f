//! Seeds come in: from a file, or drawn at random for a batch. Everything is checked before anything is recorded; all
//! lines or, on request, the good ones go in, in one transaction.

use super::super::{
    core::Core,
    failure::{failure, told},
};
use crate::{
    domain::{
        Hash, Mode, Policy, Profile, Seed, Serial, Touch,
        catalog::Catalog,
        model::Model,
        recipe::{Entry, LineFacts, Recipe, SeedSource, Stated},
        target::Target,
    },
    face::{
        BatchPolicy, Failure, FailureKind, ImportLine, ImportOptions, ImportReport, ImportTarget, MadeFor,
        NewBatch, Reply, SecretBytes, User,
    },
    formats::{self, Parsed, Place, SeedLine},
    remedy::Remedy,
    store::{
        self, Duplicate, DuplicateOf, Existing, ImportInto, ImportRefused, JobFacts, NewEntry, NewJob,
        NewSeed, SeedOrigin, SourceFile,
    },
    vault::{DataKey, VaultError, new_seed, new_seed_id},
};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The recipe that puts each line's seed on the token's first profile, as the line states.
const AS_FILE: &str = "as-file";

/// The most tokens that one batch of random seeds may have.
const MOST_RANDOM: u32 = 100_000;

/// Reads a seed file into a new batch or the inventory.
pub fn import(
    core: &Core,
    file_name: &str,
    content: &SecretBytes,
    options: &ImportOptions,
    who: &str,
) -> Result<Reply, Failure> {
    let data_key = core.data_key()?;
    let hints = formats::Hints {
        format: options.format.as_deref().map(format_named).transpose()?,
        columns: options.columns.as_deref(),
        encoding: options.encoding,
    };
    let parsed = formats::parse_with(content.expose(), &hints).map_err(|error| Failure {
        message: format!("{file_name}: {error}"),
        ..told(FailureKind::No, &error)
    })?;
    let planner = Planner::new(&core.catalog, options)?;
    let mut said = Said::default();
    for bad in &parsed.bad {
        let field = bad.field.map(|field| field.to_string());
        said.refuse(bad.place, field, bad.problem.to_string(), bad.problem.remedy());
    }
    let expected = options.expect.as_ref().map(|serials| Expected::new(serials));
    let (mut jobs, mut places) = (Vec::new(), Vec::new());
    for line in &parsed.lines {
        if let Some(expected) = &expected
            && !expected.holds(line, &mut said)
        {
            continue;
        }
        if let Some(job) = planner.job(line, &data_key, &mut said)? {
            jobs.push(job);
            places.push(line.place);
        }
    }
    let missing = expected.map_or_else(Vec::new, |expected| expected.missing(&parsed));
    planner.every_recipe_was_used()?;

    let into = match &options.target {
        ImportTarget::Inventory => ImportInto::Inventory,
        ImportTarget::Batch(name) => ImportInto::NewBatch(store::NewBatch {
            name: name.clone(),
            policy: policy(&options.policy),
            priority: options.priority,
            recipe: Some(planner.recipe_names()),
            target: options.login_target.clone(),
            key_name: options.key.clone(),
        }),
    };
    let jobs = leave_out_duplicates(core, &into, jobs, &places, &mut said)?;
    let Said { mut lines, refused } = said;
    lines.sort_by_key(|(place, _)| *place);
    let lines: Vec<ImportLine> = lines.into_iter().map(|(_, line)| line).collect();
    let is_whole = refused.is_empty() && missing.is_empty();
    if jobs.is_empty() || (!is_whole && !options.good_lines_only && !options.dry_run) {
        return Err(bad_lines(file_name, &lines, refused.len(), jobs.len(), &missing));
    }
    let target_notes = planner.target.filter(|target| !target.notes.is_empty());
    let report = ImportReport {
        dry_run: options.dry_run,
        format: parsed.format.to_string(),
        batch: match &options.target {
            ImportTarget::Batch(name) => Some(name.clone()),
            ImportTarget::Inventory => None,
        },
        taken: count(jobs.len()),
        left_out: count(refused.len()),
        jobs: count(jobs.len()),
        missing,
        lines,
        notes: parsed
            .notes
            .iter()
            .map(|note| format!("{note} -> {}", note.kind.remedy()))
            .chain(target_notes.map(|target| format!("{}: {}", target.label, target.notes)))
            .collect(),
    };
    if !options.dry_run {
        let source =
            SourceFile { name: base_name(file_name), sha256: Sha256::digest(content.expose()).into() };
        core.store.import(into, jobs, Some(source), &core.stamp(who))?;
        announce(core, report.batch.as_deref());
    }
    Ok(Reply::Imported(report))
}

/// Makes a batch whose seeds are drawn at random.
pub fn random(core: &Core, new: &NewBatch, who: &str) -> Result<Reply, Failure> {
    let data_key = core.data_key()?;
    let usage = |message: String, remedy: &str| failure(FailureKind::Usage, message, remedy);
    if new.count == 0 || new.count > MOST_RANDOM {
        return Err(usage(format!("{} tokens are not a batch", new.count), "say a count from 1 to 100,000"));
    }
    let model = core.catalog.model(&new.model).ok_or_else(|| {
        let known: Vec<&str> = core.catalog.models().map(|m| m.name.as_str()).collect();
        usage(format!("there is no model \"{}\"", new.model), &format!("choose one of {}", known.join(", ")))
    })?;
    let recipe = find_recipe(&core.catalog, &new.recipe)?;
    if recipe.needs_file_seed() {
        return Err(usage(
            format!("recipe \"{}\" wants a seed from a file", recipe.name),
            "choose a recipe whose seeds are all random, or import a file with \"kiln import\"",
        ));
    }
    let target = find_target(&core.catalog, new.login_target.as_deref())?;
    let MadeFor { users, .. } = &new.made_for;
    if !users.is_empty() && u32::try_from(users.len()) != Ok(new.count) {
        return Err(usage(
            format!("{} tokens for {} users", new.count, users.len()),
            "leave the count out: there is one token for each user",
        ));
    }
    let job = |user: Option<&User>| {
        let entries = entries_of_new(recipe, model, target, &new.made_for, user)?;
        Ok(NewJob {
            reserved: user.and_then(|user| user.serial.clone()),
            model: Some(model.name.clone()),
            facts: JobFacts { upn: user.map(|user| user.upn.clone()), ..JobFacts::default() },
            entries: seal(&data_key, Some(recipe), &entries, None)?,
        })
    };
    // What can be said of one can be said of all; drawing a hundred thousand seeds for a look would take seconds. Users
    // differ.
    let drawn = if new.dry_run { 1 } else { new.count };
    let jobs = if users.is_empty() {
        (0..drawn).map(|_| job(None)).collect::<Result<Vec<_>, Failure>>()?
    } else {
        users.iter().map(|user| job(Some(user))).collect::<Result<Vec<_>, Failure>>()?
    };
    let into = ImportInto::NewBatch(store::NewBatch {
        name: new.name.clone(),
        policy: policy(&new.policy),
        priority: new.priority,
        recipe: Some(recipe.name.clone()),
        target: new.login_target.clone(),
        key_name: new.key.clone(),
    });
    if new.dry_run {
        core.store.check_import(&into, &Arc::new(jobs))?;
    } else {
        core.store.import(into, jobs, None, &core.stamp(who))?;
        announce(core, Some(&new.name));
    }
    Ok(Reply::Imported(ImportReport {
        dry_run: new.dry_run,
        format: "random".into(),
        batch: Some(new.name.clone()),
        taken: new.count,
        left_out: 0,
        jobs: new.count,
        missing: Vec::new(),
        lines: Vec::new(),
        notes: Vec::new(),
    }))
}

/// What goes onto the token of one user, or of nobody yet, checked against model and target.
fn entries_of_new(
    recipe: &Recipe,
    model: &Model,
    target: Option<&Target>,
    made_for: &MadeFor,
    user: Option<&User>,
) -> Result<Vec<Entry>, Failure> {
    let MadeFor { hash, digits, period, counts, touch, .. } = *made_for;
    let facts = LineFacts {
        stated: Stated { hash, digits, period, ..Stated::default() },
        random_counts: counts,
        upn: user.map(|user| user.upn.as_str()),
        serial: user.and_then(|user| user.serial.as_ref()),
        ..LineFacts::default()
    };
    let for_whom = |failure: Failure| match user {
        Some(user) => Failure { message: format!("{}: {}", user.upn, failure.message), ..failure },
        None => failure,
    };
    let mut entries = recipe
        .entries_for(model, &facts)
        .and_then(|entries| target.map_or(Ok(()), |t| recipe.accepted_by(t, &entries)).map(|()| entries))
        .map_err(|error| for_whom(told(FailureKind::No, &error)))?;
    // Where the recipe fixes something else, it would win without a word.
    let as_said = |entry: &Entry| {
        let mode = match entry.parameters.mode {
            Mode::Totp { period: made, .. } => !counts && period.is_none_or(|said| said == made),
            Mode::Hotp { .. } => counts && period.is_none(),
        };
        mode && hash.is_none_or(|said| said == entry.parameters.hash)
            && digits.is_none_or(|said| said == entry.parameters.digits)
    };
    if !entries.iter().all(as_said) {
        return Err(failure(
            FailureKind::Usage,
            format!(
                "recipe \"{}\" fixes another hash, length, period or type than was asked for",
                recipe.name
            ),
            "leave --hash, --digits, --period or --hotp out, or choose a recipe that leaves it open, such as key-user",
        ));
    }
    if touch == Touch::Required {
        model.check_touch(touch).map_err(|error| for_whom(told(FailureKind::No, &error)))?;
        entries.iter_mut().for_each(|entry| entry.touch = touch);
    }
    Ok(entries)
}

/// What there is to say about single lines, and which of them are left out.
#[derive(Default)]
struct Said {
    lines: Vec<(Place, ImportLine)>,
    refused: BTreeSet<Place>,
}

impl Said {
    fn say(
        &mut self,
        place: Place,
        field: Option<String>,
        problem: String,
        remedy: impl Into<String>,
        refused: bool,
    ) {
        let (line, remedy) = (place.number(), remedy.into());
        let said = ImportLine { line, place: place.to_string(), field, problem, remedy, refused };
        self.lines.push((place, said));
    }

    fn refuse(
        &mut self,
        place: Place,
        field: impl Into<Option<String>>,
        problem: String,
        remedy: impl Into<String>,
    ) {
        self.refused.insert(place);
        self.say(place, field.into(), problem, remedy, true);
    }

    fn warn(&mut self, place: Place, field: &str, problem: String, remedy: &str) {
        self.say(place, Some(field.to_owned()), problem, remedy, false);
    }
}

/// The serials of an order confirmation, against which a file is checked.
struct Expected<'a> {
    serials: &'a [Serial],
    set: BTreeSet<&'a Serial>,
}

impl<'a> Expected<'a> {
    fn new(serials: &'a [Serial]) -> Self {
        Self { serials, set: serials.iter().collect() }
    }

    /// Whether the line's token is one of them.
    fn holds(&self, line: &SeedLine, said: &mut Said) -> bool {
        let holds = line.serial.as_ref().is_some_and(|serial| self.set.contains(serial));
        if !holds {
            let problem = match &line.serial {
                Some(serial) => format!("serial {serial} is not among those expected"),
                None => "the line names no serial to compare with those expected".to_owned(),
            };
            let remedy = "find out whether this token is yours: compare the order and the token's back";
            said.refuse(line.place, "serial number".to_owned(), problem, remedy);
        }
        holds
    }

    /// Those that the file doesn't hold on any line that could be read.
    fn missing(&self, parsed: &Parsed) -> Vec<Serial> {
        let there: BTreeSet<&Serial> = parsed.lines.iter().filter_map(|line| line.serial.as_ref()).collect();
        self.serials.iter().filter(|serial| !there.contains(serial)).cloned().collect()
    }
}

/// Turns lines into jobs.
struct Planner<'a> {
    catalog: &'a Catalog,
    options: &'a ImportOptions,
    recipes: Vec<&'a Recipe>,
    as_file: &'a Recipe,
    target: Option<&'a Target>,
    used: std::cell::RefCell<BTreeSet<&'a str>>,
}

impl<'a> Planner<'a> {
    fn new(catalog: &'a Catalog, options: &'a ImportOptions) -> Result<Self, Failure> {
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
    fn job(&self, line: &SeedLine, data_key: &DataKey, said: &mut Said) -> Result<Option<NewJob>, Failure> {
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
        Ok(Some(NewJob {
            reserved: line.serial.clone(),
            model: known.map(|model| model.name.clone()),
            facts: job_facts(line),
            entries: seal(data_key, recipe, &entries, Some(&line.seed))?,
        }))
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
    fn every_recipe_was_used(&self) -> Result<(), Failure> {
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

    fn recipe_names(&self) -> String {
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

/// Seals each entry's seed under a new id: the line's own, or a random one.
fn seal(
    data_key: &DataKey,
    recipe: Option<&Recipe>,
    entries: &[Entry],
    from_file: Option<&Seed>,
) -> Result<Vec<NewEntry>, Failure> {
    let vault_failure = |error: VaultError| told(FailureKind::Environment, &error);
    entries
        .iter()
        .map(|entry| {
            let (seed, origin) = match (entry.seed, from_file) {
                (SeedSource::File { .. }, Some(seed)) => (seed.duplicate(), SeedOrigin::Imported),
                (SeedSource::File { .. }, None) => {
                    return Err(failure(
                        FailureKind::Usage,
                        "the recipe wants a seed from a file",
                        "import a file",
                    ));
                }
                (SeedSource::Random { len_bytes }, _) => {
                    (new_seed(len_bytes).map_err(vault_failure)?, SeedOrigin::Generated)
                }
            };
            let id = new_seed_id().map_err(vault_failure)?;
            Ok(NewEntry {
                profile: entry.profile,
                seed: NewSeed {
                    id,
                    sealed: data_key.seal_seed(id, &seed).map_err(vault_failure)?,
                    fingerprint: data_key.seed_fingerprint(&seed),
                    len_bytes: count(seed.len_bytes()),
                    origin,
                },
                parameters: entry.parameters,
                title: entry.title.clone(),
                display_timeout_s: recipe.map(|recipe| recipe.display_timeout_s),
                touch: entry.touch,
            })
        })
        .collect()
}

/// Leaves out of `jobs`, which come from `places`, what is on record already, and says so line by line.
fn leave_out_duplicates(
    core: &Core,
    into: &ImportInto,
    jobs: Vec<NewJob>,
    places: &[Place],
    said: &mut Said,
) -> Result<Vec<NewJob>, Failure> {
    let jobs = Arc::new(jobs);
    let checked = core.store.check_import(into, &jobs);
    let jobs = Arc::try_unwrap(jobs).unwrap_or_else(|shared| shared.to_vec());
    let duplicates = match checked {
        Ok(()) => return Ok(jobs),
        Err(ImportRefused::Duplicates(duplicates)) => duplicates,
        Err(other) => return Err(other.into()),
    };
    let mut out = BTreeSet::new();
    for duplicate in &duplicates {
        let serial = jobs.get(duplicate.job).and_then(|job| job.reserved.as_ref());
        out.insert(duplicate.job);
        if let Some(place) = places.get(duplicate.job) {
            say_duplicate(*place, serial, duplicate, places, said);
        }
    }
    let kept = jobs.into_iter().enumerate().filter(|(at, _)| !out.contains(at));
    Ok(kept.map(|(_, job)| job).collect())
}

fn say_duplicate(
    place: Place,
    serial: Option<&Serial>,
    duplicate: &Duplicate,
    places: &[Place],
    said: &mut Said,
) {
    let where_else = match &duplicate.existing {
        Existing::SameImport(at) => match places.get(*at) {
            Some(other) => format!("on {other} of this file"),
            None => "in this file".to_owned(),
        },
        Existing::Batch(name) => format!("in batch \"{name}\""),
        Existing::Token(serial) => format!("on token {serial}"),
    };
    let (field, problem, remedy) = match duplicate.of {
        DuplicateOf::Seed(_) => (
            "secret key",
            format!("this seed is {where_else} already"),
            "a seed goes on one token only: take the line out, or ask where the file came from",
        ),
        DuplicateOf::Serial => (
            "serial number",
            match serial {
                Some(serial) => format!("serial {serial} is {where_else} already"),
                None => format!("this serial is {where_else} already"),
            },
            "take the line out, or end the other job first",
        ),
    };
    said.refuse(place, field.to_owned(), problem, remedy);
}

fn bad_lines(file_name: &str, lines: &[ImportLine], bad: usize, good: usize, missing: &[Serial]) -> Failure {
    let details = lines.iter().filter(|line| line.refused).map(|line| {
        let field = line.field.as_ref().map(|field| format!(", {field}")).unwrap_or_default();
        format!("{}{field}: {}; {}", line.place, line.problem, line.remedy)
    });
    let missing_details = missing
        .iter()
        .map(|serial| format!("serial {serial} is expected and not in the file; ask the vendor for it"));
    let and_missing = match missing.len() {
        0 => String::new(),
        missing => format!(", {missing} expected ones missing"),
    };
    Failure {
        kind: FailureKind::No,
        message: format!("{file_name}: {bad} bad, {good} good{and_missing}; nothing was imported"),
        remedy: if good == 0 {
            "correct the file; nothing in it can be used".into()
        } else {
            "correct the file, or take the good ones with --good-lines-only".into()
        },
        details: details.chain(missing_details).collect(),
    }
}

fn announce(core: &Core, batch: Option<&str>) {
    if let Some(name) = batch {
        core.say_batch(name);
    }
    core.changed();
}

fn format_named(name: &str) -> Result<formats::Format, Failure> {
    name.parse().map_err(|error: formats::UnknownFormat| {
        failure(FailureKind::Usage, error.to_string(), "leave --format out, and the content decides")
    })
}

fn find_recipe<'a>(catalog: &'a Catalog, name: &str) -> Result<&'a Recipe, Failure> {
    catalog.recipe(name).ok_or_else(|| {
        let known: Vec<&str> = catalog.recipes().map(|recipe| recipe.name.as_str()).collect();
        failure(
            FailureKind::Usage,
            format!("there is no recipe \"{name}\""),
            format!("choose one of {}, or add it under profiles/recipes", known.join(", ")),
        )
    })
}

pub(super) fn find_target<'a>(
    catalog: &'a Catalog,
    name: Option<&str>,
) -> Result<Option<&'a Target>, Failure> {
    let Some(name) = name else { return Ok(None) };
    catalog.target(name).map(Some).ok_or_else(|| {
        let known: Vec<&str> = catalog.targets().map(|target| target.name.as_str()).collect();
        failure(
            FailureKind::Usage,
            format!("there is no target \"{name}\""),
            format!("choose one of {}, or add it under profiles/targets", known.join(", ")),
        )
    })
}

fn policy(said: &BatchPolicy) -> Policy {
    let default = Policy::default();
    Policy {
        factory: said.factory.unwrap_or(default.factory),
        foreign: said.foreign.unwrap_or(default.foreign),
        seen: said.seen.unwrap_or(default.seen),
        serials: said.serials.unwrap_or(default.serials),
    }
}

fn base_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
