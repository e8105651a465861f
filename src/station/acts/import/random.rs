//! A batch whose seeds are drawn at random.

use super::{announce, find_recipe, find_target, no_password, policy, seal};
use crate::{
    domain::{
        Mode, Touch,
        model::Model,
        recipe::{Entry, LineFacts, Recipe, Stated},
        target::Target,
    },
    face::{Failure, FailureKind, ImportReport, MadeFor, NewBatch, Reply, User},
    station::{
        core::Core,
        failure::{failure, told},
    },
    store::{self, ImportInto, JobFacts, NewJob, Reserve},
};
use std::sync::Arc;

/// The most tokens that one batch of random seeds may have.
const MOST_RANDOM: u32 = 100_000;

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
