//! A sweep is asked for; what came of one.

use super::super::{
    core::Core,
    failure::failure,
    resync::{Why, is_possible},
    views,
};
use super::batch;
use crate::{
    burn::resync::{LEAST_MS, Way, way},
    domain::{Clock, OnFound, Policy, SeenPolicy},
    face::{Failure, FailureKind, NewSweep, Page, PageOf, Reply},
    remedy::Remedy,
    store::{self, Sweep},
};
use std::collections::BTreeSet;

/// Makes a sweep and lets it run. Tokens that are named must all be such that their clocks can be set.
pub fn sweep(core: &Core, new: &NewSweep, who: &str) -> Result<Reply, Failure> {
    let mut serials = new.serials.clone();
    serials.sort();
    serials.dedup();
    if let Some(seconds) = new.display_timeout_s {
        check_timeout(core, seconds)?;
    }
    let (mut cannot, mut news) = (Vec::new(), Vec::new());
    for serial in &serials {
        match is_possible(core, serial, new.profile, new.display_timeout_s) {
            Ok(profiles) => news.extend(profiles.into_iter().map(|profile| (serial.clone(), profile))),
            Err(Why::Cannot(why)) => cannot.push((serial, why)),
            Err(Why::Failure(failure)) => return Err(failure),
        }
    }
    if let Some((first, why)) = cannot.first() {
        let message = match cannot.len() {
            1 => format!("the clock of token {first} can't be set: {why}"),
            n => format!("the clocks of {n} tokens can't be set"),
        };
        let mut refused = failure(FailureKind::No, message, why.remedy());
        if cannot.len() > 1 {
            refused.remedy = "leave these out, or do for each what stands beside it".to_owned();
            let line = |(serial, why): &(&_, crate::burn::resync::CannotSet)| {
                format!("token {serial}: {why}; {}", why.remedy())
            };
            refused.details = cannot.iter().map(line).collect();
        }
        return Err(refused);
    }
    let name = match &new.name {
        Some(name) => name.clone(),
        None => free_name(core)?,
    };
    let named = (!serials.is_empty()).then_some(LEAST_MS);
    let sweep = Sweep {
        threshold_ms: new.threshold_s.map(|seconds| u64::from(seconds) * 1000).or(named),
        of_batch: new.of_batch.clone(),
        serials,
        profile: new.profile,
        display_timeout_s: new.display_timeout_s,
    };
    let made = store::NewBatch {
        name: name.clone(),
        // Nothing on the token is replaced, so there is nothing to allow; and nobody is asked for a code.
        policy: Policy {
            factory: OnFound::Refuse,
            foreign: OnFound::Refuse,
            seen: SeenPolicy { first: 0, every: 0 },
            ..Policy::default()
        },
        priority: 0,
        recipe: None,
        target: None,
        key_name: None,
    };
    core.store.new_sweep(made, sweep, news, &core.stamp(who))?;
    core.resume();
    core.say_batch(&name);
    batch::show(core, &name)
}

/// A display timeout that no token has is a slip.
fn check_timeout(core: &Core, seconds: u16) -> Result<(), Failure> {
    let with_clock = core.catalog.models().filter(|model| way(model) == Some(Way::BurnAgain));
    let exist: BTreeSet<u16> = with_clock.flat_map(|model| model.display_timeouts_s.clone()).collect();
    if exist.contains(&seconds) {
        return Ok(());
    }
    let exist: Vec<String> = exist.iter().map(|seconds| format!("{seconds}s")).collect();
    Err(failure(
        FailureKind::Usage,
        format!("no token has a display that stays on for {seconds} s"),
        format!("say how long it really stays on: {}", exist.join(", ")),
    ))
}

/// "resync-2026-11-27", or with a number behind it where there is one already.
fn free_name(core: &Core) -> Result<String, Failure> {
    let today = core.clock.now().floor_second().to_string();
    let day = format!("resync-{}", today.get(..10).unwrap_or(&today));
    let mut name = day.clone();
    let mut number = 1;
    while core.store.batch_by_name(&name)?.is_some() {
        number += 1;
        name = format!("{day}-{number}");
    }
    Ok(name)
}

/// The tokens that came to a sweep.
pub fn swept(core: &Core, name: &str, page: Page) -> Result<Reply, Failure> {
    let batch = core.store.batch_by_name(name)?.ok_or_else(|| batch::no_batch(name))?;
    if batch.sweep.is_none() {
        return Err(failure(
            FailureKind::No,
            format!("batch \"{name}\" burns seeds and sets no clocks"),
            "look at its jobs with \"kiln batch show NAME --jobs\"",
        ));
    }
    let swept = core.store.swept_tokens(batch.id, super::page(page))?;
    Ok(Reply::Swept(PageOf { total: swept.total, items: swept.items.iter().map(views::swept).collect() }))
}
