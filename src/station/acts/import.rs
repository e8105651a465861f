//! Seeds come in: from a file, or drawn at random for a batch. Everything is checked before anything is recorded; all
//! lines or, on request, the good ones go in, in one transaction.

mod planner;
mod random;
mod said;
mod together;

pub use random::random;

use self::planner::Planner;
use self::said::{Expected, Said, bad_lines, leave_out_duplicates};
use self::together::{Planned, Unnamed, together, users_apart};
use super::super::{
    core::Core,
    failure::{failure, told},
};
use crate::{
    domain::{
        Policy, Seed,
        catalog::Catalog,
        recipe::{Entry, Recipe, SeedSource},
        target::Target,
    },
    face::{
        BatchPolicy, Failure, FailureKind, ImportLine, ImportOptions, ImportReport, ImportTarget, Reply,
        SecretBytes,
    },
    formats::{self, Place},
    remedy::Remedy,
    store::{self, ImportInto, NewEntry, NewJob, NewSeed, SeedOrigin, SourceFile},
    vault::{DataKey, VaultError, new_seed, new_seed_id},
};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

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
