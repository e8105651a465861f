//! Seeds come in: from a file, or drawn at random for a batch. Everything is checked before anything is recorded; all
//! lines or, on request, the good ones go in, in one transaction.

use super::super::{
    core::Core,
    failure::{failure, told},
};
use crate::{
    domain::{
        Policy, Seed, Serial,
        catalog::Catalog,
        model::Model,
        recipe::{Entry, LineFacts, Recipe, SeedSource},
        target::Target,
    },
    face::{
        BatchPolicy, Failure, FailureKind, ImportLine, ImportOptions, ImportReport, ImportTarget, NewBatch,
        Reply, SecretBytes,
    },
    formats::{self, SeedLine},
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
    let forced = options.format.as_deref().map(format_named).transpose()?;
    let parsed = formats::parse(content.expose(), forced).map_err(|error| Failure {
        message: format!("{file_name}: {error}"),
        ..told(FailureKind::No, &error)
    })?;
    let planner = Planner::new(&core.catalog, options)?;
    let mut lines: Vec<ImportLine> = parsed
        .bad
        .iter()
        .map(|bad| ImportLine {
            line: bad.line,
            field: bad.field.map(|field| field.to_string()),
            problem: bad.problem.to_string(),
            remedy: bad.problem.remedy().to_owned(),
            refused: true,
        })
        .collect();
    let (mut jobs, mut job_lines) = (Vec::new(), Vec::new());
    for line in &parsed.lines {
        match planner.job(line, &data_key) {
            Ok(job) => {
                jobs.push(job);
                job_lines.push(line.line);
            }
            Err(Refused::Line(bad)) => lines.push(bad),
            Err(Refused::All(failure)) => return Err(failure),
        }
    }
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
    let jobs = leave_out_duplicates(core, &into, jobs, &job_lines, &mut lines)?;
    lines.sort_by_key(|line| line.line);
    let refused: BTreeSet<u32> = lines.iter().filter(|line| line.refused).map(|line| line.line).collect();
    if jobs.is_empty() || (!refused.is_empty() && !options.good_lines_only && !options.dry_run) {
        return Err(bad_lines(file_name, &lines, refused.len(), jobs.len()));
    }
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
        lines,
        notes: parsed.notes.iter().map(ToString::to_string).collect(),
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
    let entries = recipe
        .entries_for(model, &LineFacts::default())
        .and_then(|entries| target.map_or(Ok(()), |t| recipe.accepted_by(t, &entries)).map(|()| entries))
        .map_err(|error| told(FailureKind::No, &error))?;
    // What can be said of one can be said of all; drawing a hundred thousand seeds for a look would take seconds.
    let drawn = if new.dry_run { 1 } else { new.count };
    let jobs = (0..drawn)
        .map(|_| {
            Ok(NewJob {
                reserved: None,
                model: Some(model.name.clone()),
                facts: JobFacts::default(),
                entries: seal(&data_key, recipe, &entries, None)?,
            })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
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
        lines: Vec::new(),
        notes: Vec::new(),
    }))
}

enum Refused {
    Line(ImportLine),
    All(Failure),
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

    /// The job of one line: its model by serial, else by the model column; its recipe by the model.
    fn job(&self, line: &SeedLine, data_key: &DataKey) -> Result<NewJob, Refused> {
        let refuse = |field: &str, problem: String, remedy: &str| {
            Refused::Line(ImportLine {
                line: line.line,
                field: Some(field.to_owned()),
                problem,
                remedy: remedy.to_owned(),
                refused: true,
            })
        };
        if self.options.target == ImportTarget::Inventory && line.serial.is_none() {
            return Err(refuse(
                "serial number",
                "the line names no serial".into(),
                "an inventory says which token holds which seed: add the serial",
            ));
        }
        let known = self.model_of(line);
        let mut stated = line.stated;
        stated.hash = stated.hash.or(self.options.hash);
        let facts = LineFacts {
            seed_len_bytes: Some(line.seed.len_bytes()),
            stated,
            serial: line.serial.as_ref(),
            upn: line.upn.as_deref(),
            account: line.account.as_deref(),
            issuer: line.issuer.as_deref(),
        };
        let (recipe, entries) = match known {
            Some(model) => {
                let recipe = self.recipe_for(model);
                (recipe, recipe.entries_for(model, &facts))
            }
            None => self.any_model(&facts),
        };
        let entries = entries
            .and_then(|entries| match self.target {
                Some(target) => recipe.accepted_by(target, &entries).map(|()| entries),
                None => Ok(entries),
            })
            .map_err(|error| refuse("recipe", error.to_string(), error.remedy()))?;
        self.used.borrow_mut().insert(&recipe.name);
        Ok(NewJob {
            reserved: line.serial.clone(),
            model: known.map(|model| model.name.clone()),
            facts: job_facts(line),
            entries: seal(data_key, recipe, &entries, Some(&line.seed)).map_err(Refused::All)?,
        })
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
    JobFacts { line: Some(line.line.into()), upn: line.upn.clone(), more }
}

/// Seals each entry's seed under a new id: the line's own, or a random one.
fn seal(
    data_key: &DataKey,
    recipe: &Recipe,
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
                display_timeout_s: Some(recipe.display_timeout_s),
                touch: entry.touch,
            })
        })
        .collect()
}

/// Leaves out of `jobs`, which come from `job_lines`, what is on record already, and says so line by line.
fn leave_out_duplicates(
    core: &Core,
    into: &ImportInto,
    jobs: Vec<NewJob>,
    job_lines: &[u32],
    lines: &mut Vec<ImportLine>,
) -> Result<Vec<NewJob>, Failure> {
    let jobs = Arc::new(jobs);
    let checked = core.store.check_import(into, &jobs);
    let jobs = Arc::try_unwrap(jobs).unwrap_or_else(|shared| shared.to_vec());
    let duplicates = match checked {
        Ok(()) => return Ok(jobs),
        Err(ImportRefused::Duplicates(duplicates)) => duplicates,
        Err(other) => return Err(other.into()),
    };
    let line_of = |job: usize| job_lines.get(job).copied().unwrap_or_default();
    let mut out = BTreeSet::new();
    for duplicate in &duplicates {
        let serial = jobs.get(duplicate.job).and_then(|job| job.reserved.as_ref());
        out.insert(duplicate.job);
        lines.push(duplicate_line(line_of(duplicate.job), serial, duplicate, line_of));
    }
    let kept = jobs.into_iter().enumerate().filter(|(at, _)| !out.contains(at));
    Ok(kept.map(|(_, job)| job).collect())
}

fn duplicate_line(
    line: u32,
    serial: Option<&Serial>,
    duplicate: &Duplicate,
    other_line: impl Fn(usize) -> u32,
) -> ImportLine {
    let place = match &duplicate.existing {
        Existing::SameImport(at) => format!("on line {} of this file", other_line(*at)),
        Existing::Batch(name) => format!("in batch \"{name}\""),
        Existing::Token(serial) => format!("on token {serial}"),
    };
    let (field, problem, remedy) = match duplicate.of {
        DuplicateOf::Seed(_) => (
            "secret key",
            format!("this seed is {place} already"),
            "a seed goes on one token only: take the line out, or ask where the file came from",
        ),
        DuplicateOf::Serial => (
            "serial number",
            match serial {
                Some(serial) => format!("serial {serial} is {place} already"),
                None => format!("this serial is {place} already"),
            },
            "take the line out, or end the other job first",
        ),
    };
    ImportLine { line, field: Some(field.to_owned()), problem, remedy: remedy.to_owned(), refused: true }
}

fn bad_lines(file_name: &str, lines: &[ImportLine], bad: usize, good: usize) -> Failure {
    let details = lines.iter().map(|line| {
        let field = line.field.as_ref().map(|field| format!(", {field}")).unwrap_or_default();
        format!("line {}{field}: {}; {}", line.line, line.problem, line.remedy)
    });
    Failure {
        kind: FailureKind::No,
        message: format!("{file_name}: {bad} bad lines, {good} good ones; nothing was imported"),
        remedy: if good == 0 {
            "correct the file; nothing in it can be used".into()
        } else {
            "correct the file, or take the good lines with --good-lines-only".into()
        },
        details: details.collect(),
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

fn find_target<'a>(catalog: &'a Catalog, name: Option<&str>) -> Result<Option<&'a Target>, Failure> {
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
