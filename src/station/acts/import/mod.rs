//! Seeds come in: from a file, or drawn at random for a batch. Everything is checked before anything is recorded; all
//! lines or, on request, the good ones go in, in one transaction.

mod duplicates;
mod planner;
mod together;

use self::{
    duplicates::leave_out_duplicates,
    planner::{Expected, Planner, Said},
    together::{Planned, Unnamed, together, users_apart},
};
use super::super::{
    core::Core,
    failure::{failure, told},
};
use crate::{
    domain::{
        Mode, Policy, Seed, Serial, Touch,
        catalog::Catalog,
        model::Model,
        recipe::{Entry, LineFacts, Recipe, SeedSource, Stated},
        target::Target,
    },
    face::{
        BatchPolicy, Failure, FailureKind, ImportLine, ImportOptions, ImportReport, ImportTarget, MadeFor,
        NewBatch, Reply, SecretBytes, User,
    },
    formats::{self, Place},
    remedy::Remedy,
    store::{self, ImportInto, JobFacts, NewEntry, NewJob, NewSeed, Reserve, SeedOrigin, SourceFile},
    vault::{DataKey, VaultError, new_seed, new_seed_id},
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, sync::Arc};

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
    let planner = Planner::new(&core.catalog, options)?;
    let hints = formats::Hints {
        format: options.format.as_deref().map(format_named).transpose()?,
        columns: options.columns.as_deref(),
        encoding: options.encoding,
        lines: match &options.target {
            ImportTarget::Batch(_) if planner.serves_keys() => formats::LinesPerToken::Several,
            ImportTarget::Batch(_) | ImportTarget::Inventory => formats::LinesPerToken::One,
        },
    };
    let parsed = formats::parse_with(content.expose(), &hints).map_err(|error| Failure {
        message: format!("{file_name}: {error}"),
        ..told(FailureKind::No, &error)
    })?;
    let mut said = Said::default();
    for bad in &parsed.bad {
        let field = bad.field.map(|field| field.to_string());
        said.refuse(bad.place, field, bad.problem.to_string(), bad.problem.remedy());
    }
    let expected = options.expect.as_ref().map(|serials| Expected::new(serials));
    let mut planned = Vec::new();
    for line in &parsed.lines {
        if let Some(expected) = &expected
            && !expected.holds(line, &mut said)
        {
            continue;
        }
        planned.extend(planner.job(line, &data_key, &mut said)?);
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
    let unnamed = if options.key_per_user { Unnamed::ByUser } else { Unnamed::Apart };
    if matches!(options.target, ImportTarget::Batch(_)) {
        planned = together(planned, unnamed, &mut said);
    }
    let planned = leave_out_duplicates(core, &into, planned, &mut said)?;
    let open = options.key.as_deref().map_or(Ok(None), |key| open_note(key, &planned))?;
    let apart = users_apart(&planned);
    let taken: BTreeSet<Place> = planned.iter().flat_map(|one| &one.from).map(|(_, place)| *place).collect();
    let jobs: Vec<NewJob> = planned.into_iter().map(|one| one.job).collect();
    let Said { mut lines, refused } = said;
    lines.sort_by_key(|(place, _)| *place);
    let lines: Vec<ImportLine> = lines.into_iter().map(|(_, line)| line).collect();
    let is_whole = refused.is_empty() && missing.is_empty();
    if jobs.is_empty() || (!is_whole && !options.good_lines_only && !options.dry_run) {
        return Err(bad_lines(file_name, &lines, refused.len(), taken.len(), &missing));
    }
    let target_notes = planner.target.filter(|target| !target.notes.is_empty());
    let report = ImportReport {
        dry_run: options.dry_run,
        format: parsed.format.to_string(),
        batch: match &options.target {
            ImportTarget::Batch(name) => Some(name.clone()),
            ImportTarget::Inventory => None,
        },
        taken: count(taken.len()),
        left_out: count(refused.len()),
        jobs: count(jobs.len()),
        missing,
        lines,
        notes: parsed
            .notes
            .iter()
            .map(|note| format!("{note} -> {}", note.kind.remedy()))
            .chain(target_notes.map(|target| format!("{}: {}", target.label, target.notes)))
            .chain((apart > 0).then(|| apart_note(apart)))
            .chain(open)
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
    if let Some(key) = new.key.as_deref().filter(|_| model.driver.names_profiles() && !model.takes_password())
    {
        return Err(no_password(&model.label, key));
    }
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
            reserve: if model.driver.names_profiles() { Reserve::BesideOthers } else { Reserve::Alone },
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
                facts: None,
            })
        })
        .collect()
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

/// What there is to say where a batch names a password and some of its keys have none: a refusal where all have none.
fn open_note(key: &str, planned: &[Planned]) -> Result<Option<String>, Failure> {
    let keys = || planned.iter().map(|one| one.keys.as_ref());
    let labels: BTreeSet<&str> = keys().flatten().flat_map(|keys| &keys.open).map(String::as_str).collect();
    if labels.is_empty() {
        return Ok(None);
    }
    let labels = labels.into_iter().collect::<Vec<_>>().join(", ");
    if keys().all(|keys| keys.is_some_and(|keys| !keys.some_take_password)) {
        return Err(no_password(&labels, key));
    }
    Ok(Some(format!(
        "{labels}: such a key takes no password -> \"{key}\" is for the batch's other keys; on one of these, whoever has \
         the key has its codes"
    )))
}

/// A batch names a password, and none of its keys takes one.
fn no_password(labels: &str, key: &str) -> Failure {
    failure(
        FailureKind::Usage,
        format!("{labels} takes no password for its codes, so \"{key}\" can't be given to it"),
        "leave --key out; a touch (touch = \"required\", --touch) is what such a key has against being read unnoticed",
    )
}

fn apart_note(users: usize) -> String {
    let users = if users == 1 { "1 user has".to_owned() } else { format!("{users} users have") };
    format!(
        "{users} several lines without a serial, and each line gets a key of its own -> to put all lines of a user on \
         one key, say --key-per-user"
    )
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

pub fn find_target<'a>(catalog: &'a Catalog, name: Option<&str>) -> Result<Option<&'a Target>, Failure> {
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
