//! What the records say of a token, its seeds in the open, and the other tokens on record: what a search starts from.

use super::super::{core::Core, views};
use crate::{
    diagnose::{ClockReading, ClockRun, Drift, Held, Known, Neighbour, Place, Share, Siblings, Standing},
    domain::{Clock, JobState, Profile, Seed, SeedId, Serial, UnixMillis, UnixTime},
    face::Failure,
    store::{
        BatchSummary, JobKind, JobRecord, MappingOrigin, MappingRecord, NewReading, ReadingRecord, TokenLine,
        TokenRecord, TokenRefused, search::HeldSeed,
    },
    vault::DataKey,
};
use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

/// Records of held seeds that are read at a time: what a search keeps in memory, whatever the inventory's size.
pub(super) const PIECE: u64 = 1_000;

/// Tokens burned this long before and after one were burned "within the hour".
const HALF_AN_HOUR_MS: i64 = 1_800_000;

/// How many tokens of one hour are counted.
const COUNTED: u32 = 1_000;

/// How many other tokens an answer names.
const NAMED: usize = 5;

/// A token's records with its seeds in the open. Wiped when dropped.
pub(super) struct Opened {
    pub(super) token: TokenRecord,
    pub(super) seeds: Vec<(SeedId, Seed)>,
    profile: Profile,
    batch: Option<BatchSummary>,
    /// What the tokens of that batch hold, in the order in which they were burned.
    in_order: Vec<HeldSeed>,
    data_key: Arc<DataKey>,
}

impl Opened {
    /// Of a token that is on record or has a job that waits for it. The vault must be open.
    pub(super) fn new(core: &Core, serial: &Serial, profile: Profile) -> Result<Self, Failure> {
        let data_key = core.data_key()?;
        let token = on_record(core, serial)?;
        let seeds = seeds_of(core, &token)?;
        let batch = batch_of(core, &token, profile)?;
        let in_order = match &batch {
            Some(batch) => core.store.held_seeds_of_batch(&batch.name)?,
            None => vec![],
        };
        Ok(Self { token, seeds, profile, batch, in_order, data_key })
    }

    /// What a search for codes of now starts from.
    pub(super) fn known<'a>(&'a self, core: &'a Core) -> Result<Known<'a>, Failure> {
        self.known_at(core, core.clock.now().floor_second())
    }

    /// What a search for codes that were read at `at` starts from.
    pub(super) fn known_at<'a>(&'a self, core: &'a Core, at: UnixTime) -> Result<Known<'a>, Failure> {
        let line = &self.token.line;
        let target = self.batch.as_ref().and_then(|batch| batch.target.as_deref());
        Ok(Known {
            serial: Some(line.serial.clone()),
            model: line.model.as_deref().and_then(|name| core.catalog.model(name)),
            target: target.and_then(|name| core.catalog.target(name)),
            profile: self.profile,
            history: history(&self.token, &self.seeds),
            drift: Some(clock_run(&self.token).at(at)),
            inventory: core.store.seeds_held()?,
            siblings: siblings(core, &self.token, self.batch.as_ref(), &self.in_order)?,
        })
    }

    /// All other tokens, nearest first: those burned just before and after this one in its batch, then all the rest,
    /// which are read only if the search comes to them. Each is opened as it is taken.
    pub(super) fn others<'a>(
        &'a self,
        core: &'a Core,
    ) -> Result<impl Iterator<Item = Neighbour> + 'a, Failure> {
        let own_serial = &self.token.line.serial;
        let mut order: HashMap<&Serial, i64> = HashMap::new();
        for held in &self.in_order {
            let next = i64::try_from(order.len()).unwrap_or(i64::MAX);
            order.entry(&held.serial).or_insert(next);
        }
        let own = order.get(own_serial).copied();
        let mut near: Vec<(HeldSeed, Place)> = self
            .in_order
            .iter()
            .filter(|held| held.serial != *own_serial)
            .map(|held| {
                let place = match (own, order.get(&held.serial)) {
                    (Some(own), Some(there)) if *there != own => Place::BurnOrder(there - own),
                    _ => Place::Inventory,
                };
                (held.clone(), place)
            })
            .collect();
        near.sort_by_key(|(_, place)| match place {
            Place::BurnOrder(n) => n.unsigned_abs(),
            Place::Inventory => u64::MAX,
        });
        let tried: HashSet<SeedId> = near.iter().map(|(held, _)| held.seed).collect();
        let Range { start, end } = core.store.held_numbers()?;
        let rest = (start..end)
            .step_by(PIECE as usize)
            .map_while(move |first| {
                let piece = core.store.held_seeds(first..first.saturating_add(PIECE).min(end));
                piece.inspect_err(|error| tracing::error!(%error, "the inventory can't be read on")).ok()
            })
            .flatten()
            .filter(move |held| held.serial != *own_serial && !tried.contains(&held.seed))
            .map(|held| (held, Place::Inventory));
        Ok(near.into_iter().chain(rest).filter_map(move |(held, place)| {
            let (seed, drift) = (open(&self.data_key, &held)?, drift_of(&held));
            let HeldSeed { serial, profile, parameters, .. } = held;
            Some(Neighbour { serial, profile, seed, parameters, drift, place })
        }))
    }
}

/// All about a token: one that never lay here may have a job that waits for it.
fn on_record(core: &Core, serial: &Serial) -> Result<TokenRecord, Failure> {
    if let Some(token) = core.store.token(serial)? {
        return Ok(token);
    }
    let jobs = core.store.jobs_waiting_for(serial)?;
    let Some(first) = jobs.first() else { return Err(TokenRefused::NoToken(serial.clone()).into()) };
    let line = TokenLine {
        serial: serial.clone(),
        model: first.model.clone(),
        first_seen: first.moved_at,
        last_seen: first.moved_at,
        scrapped_at: None,
        profiles: 0,
        proof: None,
        upn: None,
        batch: Some(first.batch_name.clone()),
    };
    Ok(TokenRecord { line, holdings: vec![], history: vec![], readings: vec![], clock_set: vec![], jobs })
}

/// The batch that burned the profile, or is to burn it.
fn batch_of(core: &Core, token: &TokenRecord, profile: Profile) -> Result<Option<BatchSummary>, Failure> {
    let burned = token.holdings.iter().find(|m| m.profile == profile).and_then(|m| m.batch.clone());
    let waiting = || token.jobs.iter().find(|job| standing(job).is_some()).map(|job| job.batch_name.clone());
    match burned.or_else(waiting) {
        Some(name) => Ok(core.store.batch_by_name(&name)?),
        None => Ok(None),
    }
}

/// How the seeds of a job that is not done stand to its token.
fn standing(job: &JobRecord) -> Option<Standing> {
    if job.kind == JobKind::Resync {
        // It puts nothing on the token but what is there.
        return None;
    }
    match job.state {
        JobState::Claimed | JobState::Unfinished => Some(Standing::Unfinished),
        JobState::Queued if job.may_hold_seed => Some(Standing::Unfinished),
        JobState::Queued => Some(Standing::Waiting),
        JobState::Burned | JobState::Failed | JobState::Scrapped | JobState::Cancelled => None,
    }
}

/// Every seed that this token holds, held or is to hold.
fn seeds_of(core: &Core, token: &TokenRecord) -> Result<Vec<(SeedId, Seed)>, Failure> {
    let mapped = token.holdings.iter().chain(&token.history).map(|mapping| mapping.seed);
    let not_done = token.jobs.iter().filter(|job| standing(job).is_some());
    let mut ids: Vec<SeedId> =
        mapped.chain(not_done.flat_map(|job| job.entries.iter().map(|entry| entry.seed))).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| Ok((id, core.seed(id)?))).collect()
}

fn history<'s>(token: &TokenRecord, seeds: &'s [(SeedId, Seed)]) -> Vec<Held<'s>> {
    let seed = |id: SeedId| seeds.iter().find(|(known, _)| *known == id).map(|(_, seed)| seed);
    let mapped = token.holdings.iter().chain(&token.history).filter_map(|mapping| {
        let standing = match (&mapping.ended, mapping.origin) {
            (None, _) => Standing::Current,
            (Some(_), MappingOrigin::Delivered) => Standing::Factory,
            (Some(_), MappingOrigin::Burned) => Standing::Before,
        };
        Some(Held {
            profile: mapping.profile,
            seed: seed(mapping.seed)?,
            parameters: mapping.parameters,
            standing,
            from: Some(mapping.since.floor_second()),
            to: mapping.ended.map(|(at, _)| at.floor_second()),
        })
    });
    let not_done =
        token.jobs.iter().filter_map(|job| Some((job, standing(job)?))).flat_map(|(job, standing)| {
            job.entries.iter().filter_map(move |entry| {
                Some(Held {
                    profile: entry.profile,
                    seed: seed(entry.seed)?,
                    parameters: entry.parameters,
                    standing,
                    from: Some(job.moved_at.floor_second()),
                    to: None,
                })
            })
        });
    mapped.chain(not_done).collect()
}

/// When a token's clock was set last before `before` as far as the records go: by a burn, or alone. Else since it is on
/// record.
fn set_at(token: &TokenRecord, before: Option<UnixMillis>) -> UnixMillis {
    let all = || token.holdings.iter().chain(&token.history);
    let burned = all().filter(|mapping| mapping.origin == MappingOrigin::Burned).map(|mapping| mapping.since);
    let set = burned.chain(token.clock_set.iter().copied());
    let last = set.filter(|since| before.is_none_or(|before| *since < before)).max();
    last.or_else(|| all().map(|mapping| mapping.since).min()).unwrap_or(token.line.first_seen)
}

/// How the token's clock runs since it was set last.
pub(super) fn clock_run(token: &TokenRecord) -> ClockRun {
    run_between(token, set_at(token, None), None)
}

/// How it ran while it held something that was replaced.
pub(super) fn clock_run_until(token: &TokenRecord, mapping: &MappingRecord) -> ClockRun {
    let ended = mapping.ended.map(|(at, _)| at);
    run_between(token, set_at(token, ended), ended)
}

fn run_between(token: &TokenRecord, set_at: UnixMillis, until: Option<UnixMillis>) -> ClockRun {
    let burned = |record: &ReadingRecord| {
        // Of a token whose clock was never set here, every reading counts.
        let mut all = token.holdings.iter().chain(&token.history);
        let never_set = token.clock_set.is_empty() && all.all(|held| held.origin == MappingOrigin::Delivered);
        record.at >= set_at || never_set
    };
    let readings = token
        .readings
        .iter()
        .filter(|record| burned(record) && until.is_none_or(|until| record.at < until))
        .map(|record| clock_reading(record.at, &record.reading));
    ClockRun::new(set_at.floor_second(), readings.collect())
}

fn clock_reading(at: UnixMillis, reading: &NewReading) -> ClockReading {
    let error = i64::try_from(reading.uncertainty_ms).unwrap_or(i64::MAX);
    ClockReading {
        at: at.floor_second(),
        seconds: views::drift(reading.drift_ms).0,
        error_s: views::drift(error).0,
    }
}

/// What the last reading says of the clock of another token.
pub(super) fn drift_of(held: &HeldSeed) -> Option<Drift> {
    let (at, reading) = held.reading?;
    let run = ClockRun::new(at.floor_second(), vec![clock_reading(at, &reading)]);
    Some(run.at(at.floor_second()))
}

/// Who else a mistake may have been made for.
fn siblings(
    core: &Core,
    token: &TokenRecord,
    batch: Option<&BatchSummary>,
    in_order: &[HeldSeed],
) -> Result<Vec<Siblings>, Failure> {
    let mut all = Vec::new();
    let own = &token.line.serial;
    if let Some(batch) = batch {
        let mut others: Vec<&Serial> =
            in_order.iter().map(|held| &held.serial).filter(|s| *s != own).collect();
        others.dedup();
        if !others.is_empty() {
            let said = format!(
                "the other {} of batch \"{}\"",
                tokens(others.len()).trim_start_matches("1 "),
                batch.name
            );
            all.push(Siblings { share: Share::Batch, said });
        }
        if let Some(recipe) = &batch.recipe {
            let same =
                |other: &&BatchSummary| other.name != batch.name && other.recipe.as_ref() == Some(recipe);
            let batches = core.store.batches()?;
            let names: Vec<String> =
                batches.iter().filter(same).map(|other| format!("\"{}\"", other.name)).collect();
            let with = if names.is_empty() { String::new() } else { format!(", batches {}", listed(&names)) };
            all.push(Siblings {
                share: Share::Recipe,
                said: format!("all that recipe \"{recipe}\" was used for{with}"),
            });
        }
    }
    let burned = token.holdings.iter().filter(|mapping| mapping.origin == MappingOrigin::Burned);
    if let Some(at) = burned.map(|mapping| mapping.since).max() {
        let mut hour =
            core.store.burned_between(at.plus(-HALF_AN_HOUR_MS), at.plus(HALF_AN_HOUR_MS), COUNTED)?;
        hour.retain(|serial| serial != own);
        if !hour.is_empty() {
            let names: Vec<String> = hour.iter().map(ToString::to_string).collect();
            let said = format!(
                "{} burned here within half an hour of {}: {}",
                tokens(hour.len()),
                at.floor_second(),
                listed(&names)
            );
            all.push(Siblings { share: Share::Hour, said });
        }
    }
    Ok(all)
}

fn tokens(n: usize) -> String {
    format!("{n} token{}", if n == 1 { "" } else { "s" })
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > NAMED { format!("{shown} and {} more", names.len() - NAMED) } else { shown }
}

/// A seed that can't be unsealed is of no use to a search; which one it is, is in the server's log.
pub(super) fn open(data_key: &DataKey, held: &HeldSeed) -> Option<Seed> {
    data_key
        .open_seed(held.seed, &held.sealed)
        .inspect_err(|error| tracing::warn!(%error, seed = %held.seed, "a seed can't be searched"))
        .ok()
}
