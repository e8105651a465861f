//! The crash matrix: the server killed at every crossing of a burn, the token torn off before and after every command;
//! and the same for clocks that are set.
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

/// What a job looks like from outside.
struct Course {
    /// Steps after the authentication.
    steps: u32,
    /// Commands that those steps take.
    in_steps: u32,
    /// Commands in all.
    commands: u64,
    /// Commands of an authentication after the claim: a challenge and its answer, or none where the token is open.
    authentication: u32,
}

/// Tokens that are handled alike.
struct Family {
    model: &'static str,
    serials: &'static str,
    readers: [&'static str; 4],
    recipe: &'static str,
    profiles: &'static [u8],
    burn: Course,
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
    burn: SINGLE_COURSE,
    at_once: 8,
};

/// Configuration, seed, clock; info, challenge and its answer before them: no fewer can do it, and no more are needed.
const SINGLE_COURSE: Course = Course { steps: 3, in_steps: 3, commands: 6, authentication: 2 };

const MOLTO2: Family = Family {
    model: "molto2-v2",
    serials: "1000000",
    readers: ["Molto2 A", "Molto2 B", "Molto2 C", "Molto2 D"],
    recipe: "pair",
    profiles: &[0, 7],
    // The delivered seed deleted; twice configuration, seed and title; both read back, the clock. Before them: info, which
    // generation it is, what the two profiles hold, challenge and its answer.
    burn: Course { steps: 10, in_steps: 10, commands: 16, authentication: 2 },
    // Tokens that race for a job look at their profiles once more after a lost race, and the count of commands is off.
    at_once: 1,
};

/// Twice the time alone; both read back, the clock; the same before them.
const MOLTO2_CLOCK: Course = Course { steps: 5, in_steps: 5, commands: 11, authentication: 2 };

/// A key with the OATH applet: it has no clock, proves its codes itself, and knows its profiles by names.
const YUBIKEY: Family = Family {
    model: "yubikey-5",
    serials: "9",
    readers: ["Kiln A", "Kiln B", "Kiln C", "Kiln D"],
    recipe: "twins",
    profiles: &[0, 1],
    // Two credentials, two codes. Its serial from another applet (two), selection, what it holds before them.
    burn: Course { steps: 4, in_steps: 4, commands: 8, authentication: 0 },
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
    // Two entries, the list, two codes: three commands for each entry, two for each of the rest. Before them two other
    // families' first commands, selection, configuration and serial, selection and list.
    burn: Course { steps: 5, in_steps: 12, commands: 19, authentication: 0 },
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
const SWEEP: &str = "sweep";

impl Course {
    /// Every crossing, in order.
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

    /// The token torn off before and after each command.
    fn faults(&self) -> Vec<String> {
        (1..=self.commands)
            .flat_map(|number| [format!("yank-before:{number}"), format!("yank-after:{number}")])
            .collect()
    }
}

impl Family {
    fn serial(&self, number: usize) -> String {
        format!("{}{:07}", self.serials, 1000 + number)
    }

    fn scene(&self) -> Scene {
        let scene = Scene::new();
        scene.add_recipe(PAIR);
        scene.add_recipe(TWINS);
        scene
    }

    /// A new token on a reader that is free, or about to be.
    fn place(&self, number: usize, at: usize, pcscd: &Pcscd, more: &[&str]) -> Token {
        let reader = &pcscd.readers()[at % pcscd.readers().len()];
        if at >= pcscd.readers().len() {
            pcscd.await_removal(reader);
        }
        Token::place_new(self.model, &self.serial(number), reader, more)
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
        killed_while_setting(&SINGLE, &SINGLE_COURSE);
    });
}

#[test]
fn a_molto2_whose_clock_is_set_while_the_server_is_killed_at_any_crossing_keeps_all_else() {
    isolated(
        "a_molto2_whose_clock_is_set_while_the_server_is_killed_at_any_crossing_keeps_all_else",
        LIMIT,
        || {
            killed_while_setting(&MOLTO2, &MOLTO2_CLOCK);
        },
    );
}

#[test]
fn a_single_profile_token_torn_off_while_its_clock_is_set_loses_no_seed() {
    isolated("a_single_profile_token_torn_off_while_its_clock_is_set_loses_no_seed", LIMIT, || {
        yanked_while_setting(&SINGLE, &SINGLE_COURSE);
    });
}

#[test]
fn a_molto2_torn_off_while_its_clock_is_set_keeps_all_else() {
    isolated("a_molto2_torn_off_while_its_clock_is_set_keeps_all_else", LIMIT, || {
        yanked_while_setting(&MOLTO2, &MOLTO2_CLOCK);
    });
}

/// A station that ends by itself at `crossing` once `place` has put a token down.
fn kill_at<T>(scene: &Scene, crossing: &str, place: impl FnOnce() -> T) -> T {
    let mut station = scene.start(&[("KILN_CROSSING", crossing)]);
    let placed = place();
    let status = station.wait(LONG);
    assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "at {crossing}: {status}");
    placed
}

/// Each job stands as one whose server was killed at the crossing.
fn stand_as_killed(scene: &Scene, batch: &str, crossings: &[String], tokens: &[Token]) {
    for (crossing, token) in crossings.iter().zip(tokens) {
        let meant = match crossing.as_str() {
            "before-claim" => "none",
            "ended" => "burned",
            _ => "unfinished",
        };
        assert_eq!(scene.state_of(batch, &token.serial), meant, "killed at {crossing}");
    }
}

/// Each job stands as one whose token was torn off: neither burned nor given up, and there wherever a key was tried or
/// something written. The claim comes before the authentication, and with it before every command that changes a token.
/// `before`: what each token had counted of that already.
fn stand_as_torn(
    scene: &Scene,
    batch: &str,
    course: &Course,
    faults: &[String],
    tokens: &mut [Token],
    before: impl Fn(&Token) -> u64,
) {
    until("every interrupted job to be recorded", LONG, || {
        let claimed = |job: &Value| job["state"] == "claimed";
        (!scene.jobs(batch).iter().any(claimed)).then_some(())
    });
    let mut held = 0;
    for (fault, token) in faults.iter().zip(tokens) {
        let state = scene.state_of(batch, &token.serial);
        let changed = secured(token) - before(token);
        match state.as_str() {
            "none" => assert_eq!(changed, 0, "{fault}: a key was tried, or something written, without a job"),
            "unfinished" => held += 1,
            other => panic!("{fault}: what was torn off is {other}"),
        }
    }
    assert_eq!(held, 2 * (course.in_steps + course.authentication), "jobs cut short");
}

/// Keys tried on a token, and commands that changed it.
fn secured(token: &mut Token) -> u64 {
    token.stat("auth_attempts") + token.stat("writes")
}

/// Tokens that are burned and off their readers, and whose clocks a sweep will find off, with a station that has ended.
struct Drifted {
    pcscd: Pcscd,
    scene: Scene,
    tokens: Vec<Token>,
    /// The seeds of each.
    seeds: Vec<Vec<String>>,
}

impl Drifted {
    fn begin(family: &Family, count: usize) -> Self {
        let pcscd = Pcscd::start(&family.readers);
        let scene = family.scene();
        let station = scene.start(&[]);
        scene.random_batch(BATCH, count, family.model, family.recipe);
        let watch = Watch::start(&scene.kiln);
        let burned = (0..count).map(|number| {
            let mut token = family.place(number, number, &pcscd, &[]);
            watch.until_taken(&[token.serial.clone()]);
            token.take();
            token
        });
        let tokens: Vec<Token> = burned.collect();
        drop(watch);
        let seeds = tokens.iter().map(Token::seeds).collect();
        // Whatever a clock shows, it is off by more than nothing.
        scene.run(&["drift", "resync", "--threshold", "0", "--name", SWEEP]);
        station.stop(&scene.kiln);
        Self { pcscd, scene, tokens, seeds }
    }

    /// All tokens are off their readers: a stranger comes first and is left alone, then those come back that are not done,
    /// which are all but the last; then everything must be right. None was tried more than once besides its burn.
    fn finish(mut self, family: &Family) {
        let Self { pcscd, scene, tokens, seeds } = &mut self;
        let _station = scene.start(&[]);
        let watch = Watch::start(&scene.kiln);
        let mut stranger = family.place(800, usize::MAX, pcscd, &[]);
        watch.until_taken(&[stranger.serial.clone()]);
        stranger.take();
        assert_eq!(secured(&mut stranger), 0, "a stranger stays as it is");
        let (_, open) = tokens.split_last_mut().expect("there are tokens");
        return_all(pcscd, open, &watch);

        let jobs = scene.jobs(SWEEP);
        assert_eq!(jobs.len(), tokens.len(), "one job for each token");
        assert!(jobs.iter().all(|job| job["state"] == "burned"), "{jobs:?}");
        for (token, seeds) in tokens.iter_mut().zip(seeds) {
            assert_eq!(token.seeds(), *seeds, "token {} holds the seeds that it held", token.serial);
            for profile in family.profiles {
                scene.verify(token, *profile);
            }
            let (attempts, wrong) = (token.stat("auth_attempts"), token.stat("wrong_answers"));
            assert!(attempts <= 3 && wrong == 0, "{}: {attempts} attempts, {wrong} wrong", token.serial);
        }
        scene.run(&["audit", "verify"]);
    }
}

/// The same matrix for tokens that are burned already and whose clocks are set. On single-profile ones the configuration
/// clears the seed that is there, so that the same one has to come again. Every token has a case of its own.
fn killed_while_setting(family: &Family, course: &Course) {
    let crossings = course.crossings();
    let mut drifted = Drifted::begin(family, crossings.len());
    let Drifted { pcscd, scene, tokens, .. } = &mut drifted;
    for (crossing, token) in crossings.iter().zip(tokens.iter_mut()) {
        pcscd.await_removal(&token.reader);
        kill_at(scene, crossing, || token.place());
        token.take();
    }
    let station = scene.start(&[]);
    stand_as_killed(scene, SWEEP, &crossings, tokens);
    station.stop(&scene.kiln);
    drifted.finish(family);
}

fn yanked_while_setting(family: &Family, course: &Course) {
    let faults = course.faults();
    // One more, which nobody disturbs, comes first: now the sweep knows its key, and no token waits for another.
    let mut drifted = Drifted::begin(family, faults.len() + 1);
    let Drifted { pcscd, scene, tokens, .. } = &mut drifted;
    let station = scene.start(&[]);
    let watch = Watch::start(&scene.kiln);
    let (first, cases) = tokens.split_last_mut().expect("there is one");
    let commands = first.stat("commands");
    return_all(pcscd, std::slice::from_mut(first), &watch);
    assert_eq!(first.stat("commands") - commands, course.commands, "commands that set a clock");
    drop(watch);
    let before: BTreeMap<String, u64> =
        cases.iter_mut().map(|token| (token.serial.clone(), secured(token))).collect();
    for (fault, token) in faults.iter().zip(cases.iter_mut()) {
        token.arm(fault);
        pcscd.await_removal(&token.reader);
        token.place();
        token.await_torn();
    }
    stand_as_torn(scene, SWEEP, course, &faults, cases, |token| before[&token.serial]);
    station.stop(&scene.kiln);
    drifted.finish(family);
}

fn killed(family: &Family) {
    let pcscd = Pcscd::start(&family.readers);
    let scene = family.scene();
    let crossings = family.burn.crossings();
    let station = scene.start(&[]);
    // One job for each case and one for the stranger.
    scene.random_batch(BATCH, crossings.len() + 1, family.model, family.recipe);
    station.stop(&scene.kiln);

    let mut tokens = Vec::new();
    let mut attempts = BTreeMap::new();
    for (n, crossing) in crossings.iter().enumerate() {
        let mut token = kill_at(&scene, crossing, || family.place(n, n, &pcscd, &[]));
        token.take();
        attempts.insert(token.serial.clone(), token.stat("auth_attempts"));
        tokens.push(token);
    }

    let _station = scene.start(&[]);
    stand_as_killed(&scene, BATCH, &crossings, &tokens);
    let burned = BTreeSet::from([tokens.last().expect("there are crossings").serial.clone()]);
    finish(family, &pcscd, &scene, tokens, &attempts, &burned);
}

fn yanked(family: &Family) {
    let pcscd = Pcscd::start(&family.readers);
    let scene = family.scene();
    let station = scene.start(&[]);
    let watch = Watch::start(&scene.kiln);
    let faults = family.burn.faults();
    // One job for each case, one for the stranger, and one for a token that nobody disturbs. That one comes first: now
    // the batch's key is known to be right, and no token waits for another one to try it.
    scene.random_batch(BATCH, faults.len() + 2, family.model, family.recipe);
    let mut first = family.place(900, 0, &pcscd, &[]);
    watch.until_taken(&[first.serial.clone()]);
    first.take();
    assert_eq!(first.stat("commands"), family.burn.commands, "commands of a burn");
    pcscd.await_removal(&first.reader);

    let mut tokens: Vec<Token> = Vec::new();
    for faults in faults.chunks(family.at_once) {
        let round = tokens.len();
        for fault in faults {
            let number = tokens.len();
            tokens.push(family.place(number, number, &pcscd, &["--fault", fault]));
        }
        tokens[round..].iter_mut().for_each(Token::await_torn);
    }
    drop(watch);
    stand_as_torn(&scene, BATCH, &family.burn, &faults, &mut tokens, |_| 0);

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
    let mut stranger = family.place(800, usize::MAX, pcscd, &[]);
    watch.until_taken(&[stranger.serial.clone()]);
    stranger.take();
    for (token, attempts) in attempts {
        let now = tokens.iter_mut().find(|each| each.serial == *token).map(|each| each.stat("auth_attempts"));
        assert_eq!(now, Some(*attempts), "nobody talks to a token that is away");
    }
    return_all(pcscd, &mut tokens, &watch);

    for token in &mut tokens {
        let more = u64::from(!burned.contains(&token.serial) && family.burn.authentication > 0);
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
            scene.verify(token, *profile);
        }
    }
    assert!(exported.len() == tokens.len(), "{} of {} tokens exported", exported.len(), tokens.len());
    scene.run(&["audit", "verify"]);
}
