//! The crash matrix: the server killed at every crossing of a burn, the token torn off before and after every command.
//! Each case is a token and a job of its own; all of them stand unfinished side by side before the first one goes on,
//! with a stranger among them, so that whatever could be given to the wrong token has every chance to be.
//!
//! Seeds are random, so nobody but the vault decides which token gets which. The tokens' own memories say in the end
//! what became of it.

mod support;

use nix::sys::signal::Signal;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::process::ExitStatusExt,
    time::Duration,
};
use support::{
    LONG,
    hand::{Token, return_all},
    namespace::isolated,
    pcscd::Pcscd,
    scene::{Scene, Watch},
    until,
};

const LIMIT: Duration = Duration::from_secs(300);

/// What a family's burn looks like from outside.
struct Family {
    model: &'static str,
    serials: &'static str,
    readers: [&'static str; 4],
    recipe: &'static str,
    profiles: &'static [u8],
    /// Steps after the authentication.
    steps: u32,
    /// Commands that those steps take.
    in_steps: u32,
    /// Commands in all.
    commands: u64,
    /// Commands of an authentication after the claim: a challenge and its answer, or none where the token is open.
    authentication: u32,
    /// How many tokens are torn off side by side.
    at_once: usize,
}

/// Restricted time sync: the configuration clears the seed that is there.
const SINGLE: Family = Family {
    model: "c301-i",
    serials: "8659610",
    readers: ["Kiln A", "Kiln B", "Kiln C", "Kiln D"],
    recipe: "single-random",
    profiles: &[0],
    // Configuration, seed, clock.
    steps: 3,
    in_steps: 3,
    // Info, challenge and its answer before them: no fewer can do it, and no more are needed.
    commands: 6,
    authentication: 2,
    at_once: 8,
};

const MOLTO2: Family = Family {
    model: "molto2-v2",
    serials: "1000000",
    readers: ["Molto2 A", "Molto2 B", "Molto2 C", "Molto2 D"],
    recipe: "pair",
    profiles: &[0, 7],
    // The delivered seed deleted; twice configuration, seed and title; both read back, the clock.
    steps: 10,
    in_steps: 10,
    // Info, which generation it is, what the two profiles hold, challenge and its answer before them.
    commands: 16,
    authentication: 2,
    // Tokens that race for a job look at their profiles once more after a lost race, and the count of commands is off.
    at_once: 1,
};

/// A key with the OATH applet: it has no clock, proves its codes itself, and knows its profiles by names.
const YUBIKEY: Family = Family {
    model: "yubikey-5",
    serials: "9",
    readers: ["Kiln A", "Kiln B", "Kiln C", "Kiln D"],
    recipe: "twins",
    profiles: &[0, 1],
    // Two credentials, two codes.
    steps: 4,
    in_steps: 4,
    // Its serial from another applet (two), selection, what it holds before them.
    commands: 8,
    authentication: 0,
    // As for the Molto2: one that loses the race for a job looks into itself once more.
    at_once: 1,
};

/// A Token2 key with its OTP applet: each operation selects it first, and each write asks for a public key.
const PIN_PLUS: Family = Family {
    model: "token2-pin-plus",
    serials: "9610500",
    readers: ["Kiln A", "Kiln B", "Kiln C", "Kiln D"],
    recipe: "twins",
    profiles: &[0, 1],
    // Two entries, the list, two codes.
    steps: 5,
    // Three commands for each entry, two for each of the rest.
    in_steps: 12,
    // Two other families' first commands, selection, configuration and serial, selection and list before them.
    commands: 19,
    authentication: 0,
    // As for the Molto2.
    at_once: 1,
};

/// Two credentials that differ in everything.
const TWINS: &str = r#"
name = "twins"
label = "Two credentials that differ in everything"
models = ["yubikey-5", "token2-pin-plus"]
display_timeout_s = 30

[[profile]]
number = 0
hash = "SHA1"
digits = 6
period = 30
title = "Mail:ann"
seed = "random"
seed_bytes = 20

[[profile]]
number = 1
hash = "SHA256"
digits = 8
period = 60
title = "Door:ann"
seed = "random"
seed_bytes = 32
"#;

/// Two profiles: one that a Molto2 is delivered with, one that it isn't.
const PAIR: &str = r#"
name = "pair"
label = "Two profiles that differ in everything"
models = ["molto2-v2"]
display_timeout_s = 30

[[profile]]
number = 0
hash = "SHA1"
digits = 6
period = 30
title = "Mail"
seed = "random"
seed_bytes = 20

[[profile]]
number = 7
hash = "SHA256"
digits = 8
period = 60
title = "Door"
seed = "random"
seed_bytes = 32
"#;

const BATCH: &str = "lost";

impl Family {
    fn serial(&self, number: usize) -> String {
        format!("{}{:07}", self.serials, 1000 + number)
    }

    /// Every crossing of its burn, in order.
    fn crossings(&self) -> Vec<String> {
        let before: &[&str] = match self.authentication {
            0 => &["before-claim", "claimed"],
            _ => &["before-claim", "claimed", "attempt-answered", "attempt-recorded"],
        };
        // Steps are counted from the plan's beginning; an authentication is its first, and crossed under names of its own.
        let first = u32::from(self.authentication > 0);
        let steps = (first..first + self.steps)
            .flat_map(|step| [format!("before-step-{step}"), format!("after-step-{step}")]);
        let end = ["before-end", "ended"].map(str::to_owned);
        before.iter().map(|name| (*name).to_owned()).chain(steps).chain(end).collect()
    }

    fn scene(&self) -> Scene {
        let scene = Scene::new();
        let recipes = scene.kiln.home().join("profiles/recipes");
        std::fs::create_dir_all(&recipes).expect("the home is writable");
        std::fs::write(recipes.join("pair.toml"), PAIR).expect("the home is writable");
        std::fs::write(recipes.join("twins.toml"), TWINS).expect("the home is writable");
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(scene.kiln.home(), std::fs::Permissions::from_mode(0o700))
            .expect("the home is ours");
        scene
    }
}

#[test]
fn a_single_profile_burn_killed_at_any_crossing_loses_nothing() {
    isolated("a_single_profile_burn_killed_at_any_crossing_loses_nothing", LIMIT, || killed(&SINGLE));
}

#[test]
fn a_molto2_burn_killed_at_any_crossing_loses_nothing() {
    isolated("a_molto2_burn_killed_at_any_crossing_loses_nothing", LIMIT, || killed(&MOLTO2));
}

#[test]
fn a_burn_of_a_key_killed_at_any_crossing_loses_nothing() {
    isolated("a_burn_of_a_key_killed_at_any_crossing_loses_nothing", LIMIT, || killed(&YUBIKEY));
}

#[test]
fn a_burn_of_a_token2_key_killed_at_any_crossing_loses_nothing() {
    isolated("a_burn_of_a_token2_key_killed_at_any_crossing_loses_nothing", LIMIT, || killed(&PIN_PLUS));
}

#[test]
fn a_token2_key_torn_off_at_any_command_loses_nothing() {
    isolated("a_token2_key_torn_off_at_any_command_loses_nothing", LIMIT, || yanked(&PIN_PLUS));
}

#[test]
fn a_key_torn_off_at_any_command_loses_nothing() {
    isolated("a_key_torn_off_at_any_command_loses_nothing", LIMIT, || yanked(&YUBIKEY));
}

#[test]
fn a_single_profile_token_torn_off_at_any_command_loses_nothing() {
    isolated("a_single_profile_token_torn_off_at_any_command_loses_nothing", LIMIT, || yanked(&SINGLE));
}

#[test]
fn a_molto2_torn_off_at_any_command_loses_nothing() {
    isolated("a_molto2_torn_off_at_any_command_loses_nothing", LIMIT, || yanked(&MOLTO2));
}

#[test]
fn a_clock_that_is_set_while_the_server_is_killed_at_any_crossing_loses_no_seed() {
    isolated("a_clock_that_is_set_while_the_server_is_killed_at_any_crossing_loses_no_seed", LIMIT, || {
        killed_while_setting(&SINGLE)
    });
}

/// The same matrix for tokens that are burned already and whose clocks are set: the configuration clears the seed that is
/// there, so that the same one has to come again. Every token has a case of its own.
fn killed_while_setting(family: &Family) {
    let pcscd = Pcscd::start(&family.readers);
    let scene = family.scene();
    let crossings = family.crossings();
    let station = scene.start(&[]);
    scene.random_batch(BATCH, crossings.len(), family.model, family.recipe);
    let watch = Watch::start(&scene.kiln);
    let mut tokens = Vec::new();
    for n in 0..crossings.len() {
        let reader = &pcscd.readers()[n % pcscd.readers().len()];
        if n >= pcscd.readers().len() {
            pcscd.await_removal(reader);
        }
        let mut token = Token::place_new(family.model, &family.serial(n), reader, &[]);
        watch.until_taken(&[token.serial.clone()]);
        token.take();
        tokens.push(token);
    }
    drop(watch);
    let seeds: Vec<Vec<String>> = tokens.iter().map(Token::seeds).collect();
    // Whatever a clock shows, it is off by more than nothing.
    scene.run(&["drift", "resync", "--threshold", "0", "--name", "sweep"]);
    station.stop(&scene.kiln);

    for (crossing, token) in crossings.iter().zip(&mut tokens) {
        pcscd.await_removal(&token.reader);
        let mut station = scene.start(&[("KILN_CROSSING", crossing)]);
        token.place();
        let status = station.wait(LONG);
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "at {crossing}: {status}");
        token.take();
    }
    let _station = scene.start(&[]);
    for (crossing, token) in crossings.iter().zip(&tokens) {
        let job = scene.job_of("sweep", &token.serial);
        let state = job.as_ref().map_or("none", |job| job["state"].as_str().expect("a state is a word"));
        let meant = match crossing.as_str() {
            "before-claim" => "none",
            "ended" => "burned",
            _ => "unfinished",
        };
        assert_eq!(state, meant, "killed at {crossing}");
    }
    // The last one is done.
    let watch = Watch::start(&scene.kiln);
    let mut done = tokens.split_off(tokens.len() - 1);
    return_all(&pcscd, &mut tokens, |round| {
        let serials: Vec<String> = round.iter().map(|token| token.serial.clone()).collect();
        watch.until_taken(&serials);
    });
    tokens.append(&mut done);
    let jobs = scene.jobs("sweep");
    assert_eq!(jobs.len(), tokens.len(), "one job for each token");
    assert!(jobs.iter().all(|job| job["state"] == "burned"), "{jobs:?}");
    for (token, seeds) in tokens.iter_mut().zip(&seeds) {
        assert_eq!(token.seeds(), *seeds, "token {} holds the seed that it held", token.serial);
        let shown = token.read(0);
        scene.run(&["verify", &token.serial, &shown.code]);
        let (attempts, wrong) = (token.stat("auth_attempts"), token.stat("wrong_answers"));
        assert!(attempts <= 3 && wrong == 0, "{}: {attempts} attempts, {wrong} wrong", token.serial);
    }
    scene.run(&["audit", "verify"]);
}

fn killed(family: &Family) {
    let pcscd = Pcscd::start(&family.readers);
    let scene = family.scene();
    let crossings = family.crossings();
    let station = scene.start(&[]);
    // One job for each case and one for the stranger.
    scene.random_batch(BATCH, crossings.len() + 1, family.model, family.recipe);
    station.stop(&scene.kiln);

    let mut tokens = Vec::new();
    let mut attempts = BTreeMap::new();
    for (n, crossing) in crossings.iter().enumerate() {
        let reader = &pcscd.readers()[n % pcscd.readers().len()];
        if n >= pcscd.readers().len() {
            pcscd.await_removal(reader);
        }
        let mut station = scene.start(&[("KILN_CROSSING", crossing)]);
        let mut token = Token::place_new(family.model, &family.serial(n), reader, &[]);
        let status = station.wait(LONG);
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "at {crossing}: {status}");
        token.take();
        attempts.insert(token.serial.clone(), token.stat("auth_attempts"));
        tokens.push(token);
    }

    let _station = scene.start(&[]);
    let states: Vec<String> = tokens
        .iter()
        .map(|token| match scene.job_of(BATCH, &token.serial) {
            Some(job) => job["state"].as_str().expect("a state is a word").to_owned(),
            None => "none".to_owned(),
        })
        .collect();
    for (crossing, state) in crossings.iter().zip(&states) {
        let meant = match crossing.as_str() {
            "before-claim" => "none",
            "ended" => "burned",
            _ => "unfinished",
        };
        assert_eq!(state, meant, "killed at {crossing}");
    }
    let burned = BTreeSet::from([tokens.last().expect("there are crossings").serial.clone()]);
    finish(family, &pcscd, &scene, tokens, &attempts, &burned);
}

fn yanked(family: &Family) {
    let pcscd = Pcscd::start(&family.readers);
    let scene = family.scene();
    let station = scene.start(&[]);
    let watch = Watch::start(&scene.kiln);
    let faults: Vec<String> = (1..=family.commands)
        .flat_map(|number| [format!("yank-before:{number}"), format!("yank-after:{number}")])
        .collect();
    // One job for each case, one for the stranger, and one for a token that nobody disturbs. That one comes first: now
    // the batch's key is known to be right, and no token waits for another one to try it.
    scene.random_batch(BATCH, faults.len() + 2, family.model, family.recipe);
    let mut first = Token::place_new(family.model, &family.serial(900), &pcscd.readers()[0], &[]);
    watch.until_taken(&[first.serial.clone()]);
    first.take();
    assert_eq!(first.stat("commands"), family.commands, "commands of a burn");

    let mut tokens: Vec<Token> = Vec::new();
    for faults in faults.chunks(family.at_once) {
        let round = tokens.len();
        for fault in faults {
            let number = tokens.len();
            let reader = &pcscd.readers()[number % pcscd.readers().len()];
            if number >= pcscd.readers().len() || *reader == first.reader {
                pcscd.await_removal(reader);
            }
            tokens.push(Token::place_new(family.model, &family.serial(number), reader, &["--fault", fault]));
        }
        tokens[round..].iter_mut().for_each(Token::await_torn);
    }
    drop(watch);
    until("every interrupted burn to be recorded", LONG, || {
        let claimed = |job: &Value| job["state"] == "claimed";
        (!scene.jobs(BATCH).iter().any(claimed)).then_some(())
    });
    for (fault, token) in faults.iter().zip(&tokens) {
        let job = scene.job_of(BATCH, &token.serial);
        assert!(
            job.as_ref().is_none_or(|job| job["state"] == "unfinished"),
            "{fault}: what was torn off is neither burned nor given up: {job:?}"
        );
    }
    // The claim comes before the authentication, and with it before every command that changes a token.
    let mut held = 0;
    for (fault, token) in faults.iter().zip(&mut tokens) {
        let holds = scene.job_of(BATCH, &token.serial).is_some();
        assert!(
            holds || token.stat("auth_attempts") + token.stat("writes") == 0,
            "{fault}: a key was tried, or something written, without a job"
        );
        held += u64::from(holds);
    }
    assert_eq!(held, 2 * u64::from(family.in_steps + family.authentication), "burns cut short");

    station.stop(&scene.kiln);
    let _station = scene.start(&[]);
    let burned = BTreeSet::from([first.serial.clone()]);
    tokens.push(first);
    let attempts: BTreeMap<String, u64> =
        tokens.iter_mut().map(|token| (token.serial.clone(), token.stat("auth_attempts"))).collect();
    finish(family, &pcscd, &scene, tokens, &attempts, &burned);
}

/// With every interrupted token off its reader: a stranger comes first, then all of them come back; then everything
/// must be right. `attempts`: authentications that each token has counted so far. `burned`: those that need nothing
/// more.
fn finish(
    family: &Family,
    pcscd: &Pcscd,
    scene: &Scene,
    mut tokens: Vec<Token>,
    attempts: &BTreeMap<String, u64>,
    burned: &BTreeSet<String>,
) {
    let watch = Watch::start(&scene.kiln);
    let free = &pcscd.readers()[pcscd.readers().len() - 1];
    if tokens.iter().any(|token| token.reader == *free) {
        pcscd.await_removal(free);
    }
    let mut stranger = Token::place_new(family.model, &family.serial(800), free, &[]);
    watch.until_taken(&[stranger.serial.clone()]);
    stranger.take();
    for (token, attempts) in attempts {
        let now = tokens.iter_mut().find(|each| each.serial == *token).map(|each| each.stat("auth_attempts"));
        assert_eq!(now, Some(*attempts), "nobody talks to a token that is away");
    }
    return_all(pcscd, &mut tokens, |round| {
        let serials: Vec<String> = round.iter().map(|token| token.serial.clone()).collect();
        watch.until_taken(&serials);
    });

    for token in &mut tokens {
        let more = u64::from(!burned.contains(&token.serial) && family.authentication > 0);
        let (attempts, wrong) = (attempts[&token.serial] + more, token.stat("wrong_answers"));
        assert_eq!(
            token.stat("auth_attempts"),
            attempts,
            "{}: one attempt each time it lay there",
            token.serial
        );
        assert!(attempts <= 2 && wrong == 0, "{}: {attempts} attempts, {wrong} wrong", token.serial);
    }
    tokens.push(stranger);

    let jobs = scene.jobs(BATCH);
    assert_eq!(jobs.len(), tokens.len(), "no job is missing and none is counted twice");
    for job in &jobs {
        assert_eq!(job["state"], "burned", "{job}");
    }
    let held: BTreeSet<&str> = jobs.iter().filter_map(|job| job["serial"].as_str()).collect();
    assert_eq!(held, tokens.iter().map(|token| token.serial.as_str()).collect(), "each job on a token");

    // The records: no seed is on two serials. The tokens' memories: neither.
    let mut ids = BTreeSet::new();
    let mut seeds = BTreeSet::new();
    for token in &tokens {
        let view = scene.json(&["token", &token.serial]);
        let mappings = view["mappings"].as_array().expect("mappings are a list");
        let now: Vec<&Value> = mappings.iter().filter(|mapping| mapping["to"].is_null()).collect();
        assert_eq!(now.len(), family.profiles.len(), "{view}");
        for mapping in now {
            assert!(ids.insert(mapping["seed"].to_string()), "a seed on two serials: {mapping}");
        }
        let inside = token.seeds();
        assert_eq!(inside.len(), family.profiles.len(), "token {} holds what was meant", token.serial);
        for seed in inside {
            assert!(seeds.insert(seed), "token {} holds another one's seed", token.serial);
        }
    }

    // The displays: each shows what is on record, and what is exported.
    let export = scene.run(&["export", "--format", "entra", "--batch", BATCH]);
    let exported: BTreeMap<&str, &str> = export
        .lines()
        .skip(1)
        .map(|line| {
            let columns: Vec<&str> = line.split(',').collect();
            (columns[1], columns[2])
        })
        .collect();
    for token in &mut tokens {
        if let Some(seed) = exported.get(token.serial.as_str()) {
            token.expect_code(0, seed, "sha1", 6, 30);
        }
        for profile in family.profiles {
            let shown = token.read(*profile);
            scene.run(&["verify", &token.serial, &shown.code, "--profile", &profile.to_string()]);
        }
    }
    assert!(exported.len() == tokens.len(), "{} of {} tokens exported", exported.len(), tokens.len());
    scene.run(&["audit", "verify"]);
}
