//! Why a code is rejected, whose it is, when it was shown: the records, handed to the search. Each search of the
//! inventory is an answer about seeds, so each is recorded with who asked, and those who only look on get few of them and
//! no more than a help desk needs (`station::searches`).

use super::super::{
    core::Core,
    failure::{failure, told},
    handle::Caller,
    views,
};
use crate::{
    diagnose::{
        self, ClockReading, ClockRun, Diagnosis, Drift, Evidence, Held, Known, Neighbour, Place, Read, Share,
        Siblings, Standing, Symptom, Windows,
        when::{self, Dates, Epoch},
        whose::{Candidate, Owners, Shard, Whose},
    },
    domain::{Clock, Code, JobState, Profile, Seed, SeedId, Serial, UnixMillis, UnixTime},
    face::{Failure, FailureKind, Reply, Role},
    store::{
        BatchSummary, JobRecord, MappingOrigin, MappingRecord, NewReading, ReadingRecord, TokenLine,
        TokenRecord, TokenRefused, search::HeldSeed,
    },
    vault::DataKey,
};
use serde::Serialize;
use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

/// How far `when` looks back where nobody says.
const A_DAY_S: i64 = 86_400;

/// HOTP counters after the recorded one that `whose` looks at.
const COUNTERS: u32 = 100;

/// The widest clock error that `whose` looks at, in seconds.
const WIDEST_S: u32 = 86_400;

/// Records of held seeds that are read at a time: what a search keeps in memory, whatever the inventory's size.
const PIECE: u64 = 1_000;

/// Tokens burned this long before and after one were burned "within the hour".
const HALF_AN_HOUR_MS: i64 = 1_800_000;

/// How many tokens of one hour are counted.
const COUNTED: u32 = 1_000;

/// How many other tokens an answer names.
const NAMED: usize = 5;

/// What a person read off a display.
pub struct Ask<'a> {
    /// Successive displays.
    pub codes: &'a [String],
    /// When the first was read; `None`: the last just now.
    pub at: Option<UnixTime>,
}

impl Ask<'_> {
    fn evidence(&self, core: &Core) -> Result<Evidence, Failure> {
        let read = self.at.map_or_else(|| Read::Last(core.clock.now().floor_second()), Read::First);
        Evidence::new(codes(self.codes)?, read).map_err(|error| told(FailureKind::Usage, &error))
    }
}

fn codes(texts: &[String]) -> Result<Vec<Code>, Failure> {
    let read = texts.iter().map(|text| Code::parse(text));
    read.collect::<Result<_, _>>().map_err(|error| {
        failure(FailureKind::Usage, error.to_string(), "type the digits that the display shows")
    })
}

/// What is asked about a token.
pub struct Question<'a> {
    /// The token.
    pub serial: &'a Serial,
    /// The profile that should have shown the codes.
    pub profile: Profile,
    /// The codes.
    pub ask: Ask<'a>,
    /// What it shows instead of a code.
    pub shows: Option<&'a str>,
    /// Search windows so many times as wide.
    pub wider: u32,
}

/// Finds every explanation of what the token shows.
pub fn diagnose(core: &Core, question: &Question<'_>, caller: &Caller) -> Result<Reply, Failure> {
    core.searches.count(core, caller, || {
        let found = explain(core, question, caller)?;
        findings(&match caller.role {
            Role::Operator => found,
            Role::Observer => found.for_help_desk(),
        })
    })
}

/// The same for others of the station, whole.
pub fn explain(core: &Core, question: &Question<'_>, caller: &Caller) -> Result<Diagnosis, Failure> {
    let Question { serial, profile, ask, shows, wider } = question;
    let (serial, profile) = (*serial, *profile);
    let data_key = core.data_key()?;
    let token = on_record(core, serial)?;
    let seeds = seeds_of(core, &token)?;
    let batch = batch_of(core, &token, profile)?;
    let in_order = match &batch {
        Some(batch) => core.store.held_seeds_of_batch(&batch.name)?,
        None => vec![],
    };
    let target = batch.as_ref().and_then(|batch| batch.target.as_deref());
    let now = core.clock.now().floor_second();
    let known = Known {
        serial: Some(serial.clone()),
        model: token.line.model.as_deref().and_then(|name| core.catalog.model(name)),
        target: target.and_then(|name| core.catalog.target(name)),
        profile,
        history: history(&token, &seeds),
        drift: Some(clock_run(&token).at(ask.at.unwrap_or(now))),
        inventory: core.store.seeds_held()?,
        siblings: siblings(core, &token, batch.as_ref(), &in_order)?,
    };
    let nothing = |error: diagnose::DiagnoseError| told(FailureKind::No, &error);
    let found = match shows {
        Some(word) => {
            let symptom = Symptom::ALL.into_iter().find(|s| s.name() == *word).ok_or_else(|| {
                failure(
                    FailureKind::Usage,
                    format!("no display \"shows {word}\""),
                    "say dashes, blank, error or frozen",
                )
            })?;
            diagnose::symptom(&known, symptom).map_err(nothing)?
        }
        None => {
            let evidence = ask.evidence(core)?;
            let windows = Windows::default().widened((*wider).clamp(1, 100));
            let mut others = neighbours(core, &data_key, serial, in_order)?;
            diagnose::diagnose(&known, &evidence, windows, &mut others).map_err(nothing)?
        }
    };
    let causes = found.findings.first().map(|finding| finding.causes.clone());
    let detail = serde_json::json!({
        "profile": profile, "codes": ask.codes.len(), "shows": shows, "causes": causes, "role": caller.role,
    });
    core.store.audit_append("code diagnosed", Some(serial), detail, &core.stamp(&caller.who))?;
    Ok(found)
}

/// Which token of the inventory shows these codes.
pub fn whose(core: &Core, ask: &Ask<'_>, within_s: u32, caller: &Caller) -> Result<Reply, Failure> {
    core.searches.count(core, caller, || {
        let owners = search_inventory(core, ask, within_s)?;
        let detail = serde_json::json!({
            "codes": ask.codes.len(), "tokens": owners.tokens, "matches": owners.matches.len(), "role": caller.role,
        });
        core.store.audit_append("inventory searched", None, detail, &core.stamp(&caller.who))?;
        findings(&match caller.role {
            Role::Operator => owners,
            Role::Observer => owners.for_help_desk(),
        })
    })
}

/// Cores take pieces of the inventory as they come to them; each reads, unseals, tries and forgets one at a time.
fn search_inventory(core: &Core, ask: &Ask<'_>, within_s: u32) -> Result<Owners, Failure> {
    let data_key = core.data_key()?;
    let evidence = ask.evidence(core)?;
    let whose = Whose::new(&evidence, within_s.min(WIDEST_S), COUNTERS);
    let numbers = core.store.held_numbers()?;
    let next = AtomicU64::new(numbers.start);
    let work = || -> Result<Shard, Failure> {
        let mut shard = Shard::default();
        loop {
            let start = next.fetch_add(PIECE, Ordering::Relaxed);
            if start >= numbers.end {
                return Ok(shard);
            }
            let piece = core.store.held_seeds(start..start.saturating_add(PIECE).min(numbers.end))?;
            let mut unreadable = 0;
            let opened = piece.into_iter().filter_map(|held| {
                let seed = open(&data_key, &held);
                unreadable += u64::from(seed.is_none());
                let drift = drift_of(&held);
                let HeldSeed { serial, profile, parameters, .. } = held;
                Some(Candidate { serial, profile, seed: seed?, parameters, drift })
            });
            shard = shard.and(whose.search(opened)).without(unreadable);
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let parts: Vec<Result<Shard, Failure>> = thread::scope(|scope| {
        let running: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        running.into_iter().filter_map(|part| part.join().ok()).collect()
    });
    let whole =
        parts.into_iter().try_fold(Shard::default(), |whole, part| Ok::<_, Failure>(whole.and(part?)))?;
    Ok(whole.conclude())
}

/// What `kiln when --json` prints.
#[derive(Serialize)]
struct Times {
    since: UnixTime,
    until: UnixTime,
    #[serde(flatten)]
    dates: Dates,
}

/// Every time in the range at which the token showed the codes.
pub fn when(
    core: &Core,
    serial: &Serial,
    profile: Profile,
    texts: &[String],
    (since, until): (Option<UnixTime>, Option<UnixTime>),
    caller: &Caller,
) -> Result<Reply, Failure> {
    let now = core.clock.now().floor_second();
    let until = until.unwrap_or(now);
    let since = since.unwrap_or_else(|| until.plus(-A_DAY_S));
    if caller.role < Role::Operator && until > now {
        // Or they could look for codes that are still to come.
        return Err(failure(
            FailureKind::Usage,
            format!("{until} is still to come, and those who look on may ask about the past only"),
            "give --until a time that has passed, or have an operator ask",
        ));
    }
    core.searches.count(core, caller, || {
        let token = core.store.token(serial)?.ok_or_else(|| TokenRefused::NoToken(serial.clone()))?;
        let seeds = seeds_of(core, &token)?;
        let run = clock_run(&token);
        let before = token.history.iter().map(|mapping| (mapping, clock_run_until(&token, mapping)));
        let held: Vec<(&MappingRecord, ClockRun)> = token
            .holdings
            .iter()
            .map(|mapping| (mapping, run.clone()))
            .chain(before)
            .filter(|(mapping, _)| mapping.profile == profile)
            .collect();
        if held.is_empty() {
            return Err(TokenRefused::NothingHeld { serial: serial.clone(), profile }.into());
        }
        let epochs: Vec<Epoch<'_>> = held
            .iter()
            .filter_map(|(mapping, clock)| {
                let (_, seed) = seeds.iter().find(|(id, _)| *id == mapping.seed)?;
                Some(Epoch {
                    seed,
                    parameters: mapping.parameters,
                    clock,
                    // A delivered token showed its codes before it was put on record.
                    from: match mapping.origin {
                        MappingOrigin::Burned => mapping.since.floor_second(),
                        MappingOrigin::Delivered => UnixTime(0),
                    },
                    to: mapping.ended.map(|(at, _)| at.floor_second()),
                })
            })
            .collect();
        let dates = when::dates(&epochs, &codes(texts)?, since, until)
            .map_err(|error| told(FailureKind::Usage, &error))?;
        let detail = serde_json::json!({
            "profile": profile, "codes": texts.len(), "since": since, "until": until,
            "times": dates.times.len(), "role": caller.role,
        });
        core.store.audit_append("code dated", Some(serial), detail, &core.stamp(&caller.who))?;
        findings(&Times { since, until, dates })
    })
}

fn findings(found: &impl Serialize) -> Result<Reply, Failure> {
    serde_json::to_value(found).map(Reply::Findings).map_err(|error| {
        failure(
            FailureKind::Environment,
            format!("the answer can't be written: {error}"),
            "report this as a fault of kiln",
        )
    })
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
    };
    Ok(TokenRecord { line, holdings: vec![], history: vec![], readings: vec![], jobs })
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

/// When a token's clock was set last before `before` as far as the records go: by a burn. Else since it is on record.
fn set_at(token: &TokenRecord, before: Option<UnixMillis>) -> UnixMillis {
    let all = || token.holdings.iter().chain(&token.history);
    let burned = all().filter(|mapping| mapping.origin == MappingOrigin::Burned).map(|mapping| mapping.since);
    let last = burned.filter(|since| before.is_none_or(|before| *since < before)).max();
    last.or_else(|| all().map(|mapping| mapping.since).min()).unwrap_or(token.line.first_seen)
}

/// How the token's clock runs since it was set last.
fn clock_run(token: &TokenRecord) -> ClockRun {
    run_between(token, set_at(token, None), None)
}

/// How it ran while it held something that was replaced.
fn clock_run_until(token: &TokenRecord, mapping: &MappingRecord) -> ClockRun {
    let ended = mapping.ended.map(|(at, _)| at);
    run_between(token, set_at(token, ended), ended)
}

fn run_between(token: &TokenRecord, set_at: UnixMillis, until: Option<UnixMillis>) -> ClockRun {
    let burned = |record: &ReadingRecord| {
        // Of a token that was never burned here, every reading counts.
        let all = token.holdings.iter().chain(&token.history);
        record.at >= set_at || all.into_iter().all(|mapping| mapping.origin == MappingOrigin::Delivered)
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
fn drift_of(held: &HeldSeed) -> Option<Drift> {
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
fn open(data_key: &DataKey, held: &HeldSeed) -> Option<Seed> {
    data_key
        .open_seed(held.seed, &held.sealed)
        .inspect_err(|error| tracing::warn!(%error, seed = %held.seed, "a seed can't be searched"))
        .ok()
}

/// Other tokens, nearest first: those burned just before and after this one in its batch, then all the rest, which are
/// read only if the search comes to them.
fn neighbours<'c>(
    core: &'c Core,
    data_key: &'c DataKey,
    serial: &'c Serial,
    in_order: Vec<HeldSeed>,
) -> Result<impl Iterator<Item = Neighbour> + 'c, Failure> {
    let mut order: HashMap<Serial, i64> = HashMap::new();
    for held in &in_order {
        let next = i64::try_from(order.len()).unwrap_or(i64::MAX);
        order.entry(held.serial.clone()).or_insert(next);
    }
    let own = order.get(serial).copied();
    let mut near: Vec<(HeldSeed, Place)> = in_order
        .into_iter()
        .filter(|held| held.serial != *serial)
        .map(|held| {
            let place = match (own, order.get(&held.serial)) {
                (Some(own), Some(there)) if *there != own => Place::BurnOrder(there - own),
                _ => Place::Inventory,
            };
            (held, place)
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
        .filter(move |held| held.serial != *serial && !tried.contains(&held.seed))
        .map(|held| (held, Place::Inventory));
    Ok(near.into_iter().chain(rest).filter_map(move |(held, place)| {
        let (seed, drift) = (open(data_key, &held)?, drift_of(&held));
        let HeldSeed { serial, profile, parameters, .. } = held;
        Some(Neighbour { serial, profile, seed, parameters, drift, place })
    }))
}
