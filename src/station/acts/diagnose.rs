//! Why a code is rejected, whose it is, when it was shown: the records, handed to the search. Each search of the
//! inventory is an answer about seeds, so each is recorded with who asked.

use super::super::{
    core::Core,
    failure::{failure, told},
};
use crate::{
    diagnose::{
        self, Drift, Evidence, Held, Known, Neighbour, Place, Read, Standing, Symptom, Windows,
        when::{Shown, Times, When},
        whose::{Candidate, Shard, Whose},
    },
    domain::{Clock, Code, JobState, Profile, Seed, SeedId, Serial, UnixTime},
    face::{Failure, FailureKind, Reply},
    store::{MappingOrigin, MappingRecord, TokenRecord, TokenRefused},
};
use serde::Serialize;
use std::thread;

/// How far `when` looks back where nobody says.
const A_DAY_S: i64 = 86_400;

/// The most times that `when` lists; a code that comes back more often proves nothing.
const MOST_TIMES: usize = 1_000;

/// HOTP counters after the recorded one that `whose` looks at.
const COUNTERS: u32 = 100;

/// The widest clock error that `whose` looks at, in seconds.
const WIDEST_S: u32 = 86_400;

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

pub(super) fn codes(texts: &[String]) -> Result<Vec<Code>, Failure> {
    let read = texts.iter().map(|text| Code::parse(text));
    read.collect::<Result<_, _>>().map_err(|error| {
        failure(FailureKind::Usage, error.to_string(), "type the digits that the display shows")
    })
}

pub(super) fn symptom(word: &str) -> Result<Symptom, Failure> {
    Symptom::ALL.into_iter().find(|symptom| symptom.name() == word).ok_or_else(|| {
        failure(
            FailureKind::Usage,
            format!("no display \"shows {word}\""),
            "say dashes, blank, error or frozen",
        )
    })
}

/// A token's records with its seeds in the open. Wiped when dropped.
pub(super) struct Opened {
    token: TokenRecord,
    profile: Profile,
    batch: Option<String>,
    target: Option<String>,
    seeds: Vec<(SeedId, Seed)>,
}

impl Opened {
    pub(super) fn new(core: &Core, serial: &Serial, profile: Profile) -> Result<Self, Failure> {
        let token = core.store.token(serial)?.ok_or_else(|| TokenRefused::NoToken(serial.clone()))?;
        let batch = token.holdings.iter().find(|m| m.profile == profile).and_then(|m| m.batch.clone());
        let seeds = seeds_of(core, &token)?;
        let target = match &batch {
            Some(name) => core.store.batch_by_name(name)?.and_then(|batch| batch.target),
            None => None,
        };
        Ok(Self { token, profile, batch, target, seeds })
    }

    /// What the search starts from.
    pub(super) fn known<'a>(&'a self, core: &'a Core) -> Result<Known<'a>, Failure> {
        let line = &self.token.line;
        Ok(Known {
            serial: Some(line.serial.clone()),
            model: line.model.as_deref().and_then(|name| core.catalog.model(name)),
            target: self.target.as_deref().and_then(|name| core.catalog.target(name)),
            profile: self.profile,
            history: history(&self.token, &self.seeds),
            drift: drift(core, &line.serial)?,
            inventory: core.store.seeds_held()?,
            siblings: self.batch.iter().map(|name| format!("the other tokens of batch \"{name}\"")).collect(),
        })
    }

    /// All other tokens, nearest first, each opened as it is taken.
    pub(super) fn others<'a>(&self, core: &'a Core) -> Result<impl Iterator<Item = Neighbour> + 'a, Failure> {
        let others = neighbours(core, &self.token.line.serial, self.batch.as_deref())?;
        Ok(others.into_iter().filter_map(|(mapping, place)| {
            let seed = core.seed(mapping.seed).ok()?;
            Some(Neighbour {
                serial: mapping.serial,
                profile: mapping.profile,
                seed,
                parameters: mapping.parameters,
                place,
            })
        }))
    }
}

/// Finds every explanation of what the token shows.
pub fn diagnose(
    core: &Core,
    serial: &Serial,
    profile: Profile,
    ask: &Ask<'_>,
    shows: Option<&str>,
    wider: u32,
    who: &str,
) -> Result<Reply, Failure> {
    let opened = Opened::new(core, serial, profile)?;
    let known = opened.known(core)?;
    let nothing = |error: diagnose::DiagnoseError| told(FailureKind::No, &error);
    let found = match shows {
        Some(word) => diagnose::symptom(&known, symptom(word)?).map_err(nothing)?,
        None => {
            let evidence = ask.evidence(core)?;
            let windows = Windows::default().widened(wider.clamp(1, 100));
            diagnose::diagnose(&known, &evidence, windows, &mut opened.others(core)?).map_err(nothing)?
        }
    };
    let causes = found.findings.first().map(|finding| finding.causes.clone());
    let detail = serde_json::json!({ "profile": profile, "codes": ask.codes.len(), "causes": causes });
    core.store.audit_append("code diagnosed", Some(serial), detail, &core.stamp(who))?;
    findings(&found)
}

/// Which token of the inventory shows these codes.
pub fn whose(core: &Core, ask: &Ask<'_>, within_s: u32, who: &str) -> Result<Reply, Failure> {
    core.data_key()?;
    let evidence = ask.evidence(core)?;
    let held = core.store.held_now()?;
    let whose = Whose::new(&evidence, within_s.min(WIDEST_S), COUNTERS);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let parts = held.chunks(held.len().div_ceil(cores).max(1));
    let search = |part: &[MappingRecord]| {
        whose.search(part.iter().filter_map(|mapping| {
            Some(Candidate {
                serial: mapping.serial.clone(),
                profile: mapping.profile,
                seed: core.seed(mapping.seed).ok()?,
                parameters: mapping.parameters,
                drift: drift(core, &mapping.serial).ok().flatten(),
            })
        }))
    };
    let owners = thread::scope(|scope| {
        let running: Vec<_> = parts.map(|part| scope.spawn(|| search(part))).collect();
        running.into_iter().filter_map(|part| part.join().ok()).fold(Shard::default(), Shard::and).conclude()
    });
    let detail = serde_json::json!({
        "codes": ask.codes.len(), "tokens": owners.tokens, "matches": owners.matches.len(),
    });
    core.store.audit_append("inventory searched", None, detail, &core.stamp(who))?;
    findings(&owners)
}

/// Every time in the range at which the token showed the codes.
pub fn when(
    core: &Core,
    serial: &Serial,
    profile: Profile,
    texts: &[String],
    (since, until): (Option<UnixTime>, Option<UnixTime>),
    who: &str,
) -> Result<Reply, Failure> {
    let until = until.unwrap_or_else(|| core.clock.now().floor_second());
    let since = since.unwrap_or_else(|| until.plus(-A_DAY_S));
    let held = core.store.holdings(serial)?;
    let mapping = held
        .iter()
        .find(|mapping| mapping.profile == profile)
        .ok_or_else(|| TokenRefused::NothingHeld { serial: serial.clone(), profile })?;
    let seed = core.seed(mapping.seed)?;
    let drift = drift(core, serial)?.unwrap_or_else(|| Drift::unmeasured(mapping.since.floor_second()));
    let mut search = When::new(&seed, &mapping.parameters, drift, &codes(texts)?, since, until)
        .map_err(|error| told(FailureKind::Usage, &error))?;
    let collisions = search.collisions(&mapping.parameters);
    let mut times: Vec<Shown> = search.by_ref().take(MOST_TIMES + 1).collect();
    let cut = times.len() > MOST_TIMES;
    times.truncate(MOST_TIMES);
    let detail = serde_json::json!({
        "profile": profile, "codes": texts.len(), "since": since, "until": until, "times": times.len(),
    });
    core.store.audit_append("code dated", Some(serial), detail, &core.stamp(who))?;
    findings(&Times { since, until, times, cut, collisions })
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

/// Every seed that this token holds, held or was to hold.
fn seeds_of(core: &Core, token: &TokenRecord) -> Result<Vec<(SeedId, Seed)>, Failure> {
    let mapped = token.holdings.iter().chain(&token.history).map(|mapping| mapping.seed);
    let unfinished = token.jobs.iter().filter(|job| job.state == JobState::Unfinished);
    let mut ids: Vec<SeedId> =
        mapped.chain(unfinished.flat_map(|job| job.entries.iter().map(|entry| entry.seed))).collect();
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
    let unfinished = token.jobs.iter().filter(|job| job.state == JobState::Unfinished).flat_map(|job| {
        job.entries.iter().filter_map(|entry| {
            Some(Held {
                profile: entry.profile,
                seed: seed(entry.seed)?,
                parameters: entry.parameters,
                standing: Standing::Unfinished,
                from: Some(job.moved_at.floor_second()),
                to: None,
            })
        })
    });
    mapped.chain(unfinished).collect()
}

/// What the last reading says of a token's clock.
fn drift(core: &Core, serial: &Serial) -> Result<Option<Drift>, Failure> {
    Ok(core.store.last_reading(serial)?.map(|record| {
        let at = record.at.floor_second();
        let (drift, error) = (record.reading.drift_ms, record.reading.uncertainty_ms);
        Drift {
            seconds: super::super::views::drift(drift).0,
            error_s: super::super::views::drift(i64::try_from(error).unwrap_or(i64::MAX)).0,
            ..Drift::unmeasured(at)
        }
    }))
}

/// Other tokens, nearest first: those burned just before and after this one in its batch, then all the rest.
fn neighbours(
    core: &Core,
    serial: &Serial,
    batch: Option<&str>,
) -> Result<Vec<(MappingRecord, Place)>, Failure> {
    let mut held = core.store.held_now()?;
    held.sort_by_key(|mapping| mapping.since);
    let (same, rest): (Vec<_>, Vec<_>) =
        held.into_iter().partition(|mapping| batch.is_some() && mapping.batch.as_deref() == batch);
    let mut order: Vec<Serial> = Vec::new();
    for mapping in &same {
        if order.last() != Some(&mapping.serial) {
            order.push(mapping.serial.clone());
        }
    }
    let place_of =
        |of: &Serial| order.iter().position(|known| known == of).and_then(|n| i64::try_from(n).ok());
    let own = place_of(serial);
    let mut near: Vec<(MappingRecord, Place)> = same
        .into_iter()
        .filter(|mapping| mapping.serial != *serial)
        .map(|mapping| {
            let place = match (own, place_of(&mapping.serial)) {
                (Some(own), Some(there)) if there != own => Place::BurnOrder(there - own),
                _ => Place::Inventory,
            };
            (mapping, place)
        })
        .collect();
    near.sort_by_key(|(_, place)| match place {
        Place::BurnOrder(n) => n.unsigned_abs(),
        Place::Inventory => u64::MAX,
    });
    near.extend(
        rest.into_iter()
            .filter(|mapping| mapping.serial != *serial)
            .map(|mapping| (mapping, Place::Inventory)),
    );
    Ok(near)
}
