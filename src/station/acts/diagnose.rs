//! Why a code is rejected, whose it is, when it was shown: the records, handed to the search. Each search of the
//! inventory is an answer about seeds, so each is recorded with who asked, and those who only look on get few of them and
//! no more than a help desk needs (`station::searches`).

use super::{
    super::{
        core::Core,
        failure::{failure, told},
        handle::Caller,
    },
    clock_told,
    opened::{Opened, PIECE, clock_run, clock_run_until, drift_of, open},
};
use crate::{
    diagnose::{
        self, ClockRun, Diagnosis, Evidence, Read, Symptom, Windows,
        when::{self, Epoch},
        whose::{Candidate, Owners, Shard, Whose},
    },
    domain::{Clock, Code, Profile, Serial, UnixTime},
    face::{Failure, FailureKind, Reply, Role},
    store::{MappingOrigin, MappingRecord, TokenRefused, search::HeldSeed},
};
use serde::Serialize;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

/// How far `when` looks back where nobody says.
const A_DAY_S: i64 = 86_400;

/// HOTP counters after the recorded one that `whose` looks at.
const COUNTERS: u32 = 100;

/// The widest clock error that `whose` looks at, in seconds.
const WIDEST_S: u32 = 86_400;

/// What a person read off a display.
pub struct Ask<'a> {
    /// Successive displays, or any that were typed at moments of their own.
    pub codes: &'a [String],
    /// When the first was read; `None`: the last just now.
    pub at: Option<UnixTime>,
    /// Those moments; empty where the displays are successive.
    pub typed: &'a [UnixTime],
}

impl Ask<'_> {
    fn evidence(&self, core: &Core) -> Result<Evidence, Failure> {
        let read = match (self.typed, self.at) {
            ([], Some(at)) => Read::First(at),
            ([], None) => Read::Last(core.clock.now().floor_second()),
            (typed, _) => Read::Typed(typed.to_vec()),
        };
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
    let opened = Opened::new(core, serial, *profile)?;
    let known = opened.known_at(core, ask.at.unwrap_or_else(|| core.clock.now().floor_second()))?;
    let nothing = |error: diagnose::DiagnoseError| told(FailureKind::No, &error);
    let found = match shows {
        Some(word) => diagnose::symptom(&known, symptom(word)?).map_err(nothing)?,
        None => {
            let evidence = ask.evidence(core)?;
            let windows = Windows::default().widened((*wider).clamp(1, 100));
            diagnose::diagnose(&known, &evidence, windows, &mut opened.others(core)?).map_err(nothing)?
        }
    };
    let causes = found.findings.first().map(|finding| finding.causes.clone());
    let detail = serde_json::json!({
        "profile": profile, "codes": ask.codes.len(), "shows": shows, "causes": causes, "role": caller.role,
    });
    core.store.audit_append("code diagnosed", Some(serial), detail, &core.stamp(&caller.who))?;
    // Those who only look on change no record.
    if caller.role == Role::Operator {
        let at = ask.at.map_or_else(|| core.clock.now(), UnixTime::to_millis);
        clock_told::by_diagnosis(core, serial, &found, at, &caller.who)?;
    }
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
        let Opened { token, seeds, .. } = Opened::new(core, serial, profile)?;
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
        let times = when::dates(&epochs, &codes(texts)?, since, until)
            .map_err(|error| told(FailureKind::Usage, &error))?;
        let detail = serde_json::json!({
            "profile": profile, "codes": texts.len(), "since": since, "until": until,
            "times": times.times.len(), "role": caller.role,
        });
        core.store.audit_append("code dated", Some(serial), detail, &core.stamp(&caller.who))?;
        findings(&times)
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
