//! A hundred tokens of both families at fourteen readers, a third of them with something wrong, put down and taken away
//! at random: in the end every job is burned, or says honestly that it is not, and nothing was counted twice.

mod support;

use kiln::{
    domain::{JobState, Profile},
    face::{Command, Consent, JobView, Reply},
    sim::Fault,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};
use support::{
    chance::Chance,
    floor::{Back, FOURTEEN, Family, Floor, PAIR, Piece, Then, at, exported, passing_fault},
    namespace::isolated,
    pcscd::Pcscd,
    scene::Scene,
    seed_file::{self, Line},
};

const LIMIT: Duration = Duration::from_secs(300);

/// What the serving may take; it takes half a minute where nothing else runs.
const SERVING: Duration = Duration::from_secs(200);

/// Tokens: single-profile ones whose seeds a file names, others that take what comes, and Molto2s.
const NAMED: usize = 30;
const FREE: usize = 30;
const MOLTO2: usize = 40;

/// Molto2s with a customer key of their own: no job is for them.
const OTHER_KEY: usize = 3;

/// How often a token that makes trouble is put down.
const TRIES: u32 = 5;

/// Batches, and the jobs in them.
const BATCHES: [(&str, usize); 3] = [("named", NAMED), ("free", FREE), ("pairs", MOLTO2 - OTHER_KEY)];

/// After this command of a single-profile token its configuration is written and the seed that it held is gone.
const CONFIGURED: u32 = 4;

/// Those in the box that never come back once they were torn off half burned.
fn is_lost(piece: &Piece) -> bool {
    piece.family == Family::Single && piece.fault == Some(Fault::YankAfter(at(CONFIGURED)))
}

/// A hundred tokens, a third of them with a fault.
fn box_of_tokens(chance: &mut Chance) -> Vec<Piece> {
    let mut tokens = Vec::new();
    for number in 0..NAMED + FREE + MOLTO2 {
        let family = if number < NAMED + FREE { Family::Single } else { Family::Molto2 };
        let piece = Piece::new(family, number);
        tokens.push(match number % 9 {
            0 | 3 | 6 => {
                let nth = number / 3;
                match (family, nth % 10) {
                    (Family::Single, 0) => piece.with(Fault::Forget),
                    (Family::Single, 1) => piece.with(Fault::YankAfter(at(CONFIGURED))),
                    (Family::Molto2, 0) => piece.with(Fault::Forget),
                    (Family::Single | Family::Molto2, _) => {
                        let fault = passing_fault(chance, family, nth);
                        piece.with(fault)
                    }
                }
            }
            1 => Piece { hasty: true, ..piece },
            _ => piece,
        });
    }
    // Those of another key replace Molto2s without a fault.
    let whole = |piece: &&mut Piece| piece.family == Family::Molto2 && piece.fault.is_none() && !piece.hasty;
    for piece in tokens.iter_mut().filter(whole).take(OTHER_KEY) {
        piece.token.arm(Fault::WrongKey);
        piece.fault = Some(Fault::WrongKey);
    }
    tokens
}

#[test]
fn a_hundred_tokens_at_fourteen_readers_lose_and_double_nothing() {
    isolated("a_hundred_tokens_at_fourteen_readers_lose_and_double_nothing", LIMIT, || {
        let mut chance = Chance::from_seed(14);
        let pcscd = Pcscd::start(&FOURTEEN);
        let scene = Scene::new();
        let _station = scene.start_with_recipe(PAIR, &[("KILN_EXCHANGE_DEADLINE_MS", "3000")]);
        let mut tokens = box_of_tokens(&mut chance);
        let faulty = tokens.iter().filter(|piece| piece.fault.is_some()).count();
        assert!(faulty >= tokens.len() / 3, "{faulty} tokens with a fault");

        let lines: Vec<Line> = tokens[..NAMED]
            .iter()
            .zip(0..)
            .map(|(piece, user)| Line::new(user, &piece.serial, "C301-i"))
            .collect();
        let file = scene.kiln.write("seeds.csv", seed_file::entra(&lines)).display().to_string();
        scene.run(&["import", &file, "--batch", "named", "--seen", "0,0"]);
        scene.run(&["batch", "start", "named"]);
        scene.random_batch("free", FREE, "c301-i", "single-random");
        scene.random_batch("pairs", MOLTO2 - OTHER_KEY, "molto2-v2", "pair");
        // Not before there are jobs: the named ones lie first in the box and would take the free ones.
        chance.shuffle(&mut tokens);

        let count = tokens.len();
        let mut floor = Floor::new(&pcscd, &scene.kiln);
        let mut aside = Vec::new();
        floor
            .serve(&mut chance, &mut tokens, &mut aside, SERVING, decide, |_, left, lying| left + lying == 0);
        assert_eq!(
            (aside.len(), floor.lying()),
            (count, 0),
            "every token was put down, and is at hand again"
        );
        judge(&scene, &floor, &mut aside, &lines);
        println!("{count} tokens, {faulty} with a fault, set going again {} times", floor.resumed);
    });
}

/// What the person does with a token that came back.
fn decide(floor: &mut Floor, piece: &mut Piece, why: &Back) -> Then {
    // What failed before anything was written is for the next token that comes; it may be this one.
    for (name, _) in BATCHES {
        floor.ask(Command::BatchRetry { name: name.into() });
    }
    let says = |words: &str| matches!(why, Back::Taken(says) | Back::Looked(says) if says.contains(words));
    let has_other_key = piece.fault == Some(Fault::WrongKey) && says("refused");
    if says("burned") || has_other_key || is_lost(piece) || piece.tries == TRIES {
        return Then::Aside;
    }
    if says("two authentications") {
        floor.ask(Command::Allow {
            serial: piece.serial.parse().expect("it is a serial"),
            last_four: piece.serial[piece.serial.len() - 4..].to_owned(),
            what: Consent::TryKey,
        });
    }
    Then::Again
}

/// Everything must be right: records, memories, displays, counts.
fn judge(scene: &Scene, floor: &Floor, tokens: &mut [Piece], lines: &[Line]) {
    let mut jobs_by_serial: BTreeMap<String, JobView> = BTreeMap::new();
    for (batch, count) in BATCHES {
        let jobs = floor.jobs(batch);
        assert_eq!(jobs.len(), count, "no job of \"{batch}\" is missing, and none came about");
        for job in jobs {
            let serial =
                job.serial.clone().unwrap_or_else(|| panic!("nobody has {job:?}")).as_str().to_owned();
            let before = jobs_by_serial.insert(serial, job);
            assert!(before.is_none(), "a second job on one token: {before:?}");
        }
    }
    let exported: HashMap<String, String> = BATCHES
        .iter()
        .flat_map(|(batch, _)| {
            exported(&scene.run(&["export", "--format", "entra", "--batch", batch, "--unproven"]))
        })
        .collect();
    let (mut seeds, mut ids) = (HashSet::new(), HashSet::new());
    let mut ended: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut refused = 0;
    for piece in tokens {
        let told = (piece.serial.clone(), piece.fault, piece.tries);
        let job = jobs_by_serial.remove(&piece.serial);
        let counters = piece.token.counters();
        assert!(counters.auth_attempts <= u64::from(piece.tries), "{told:?}: {counters:?}");
        let most = u64::from(piece.fault == Some(Fault::WrongKey));
        assert!(
            counters.wrong_answers <= most,
            "{told:?}: a refused key is tried once, a right one never refused"
        );
        refused += counters.wrong_answers;
        let Some(job) = job else {
            assert_eq!(piece.fault, Some(Fault::WrongKey), "{told:?} got no job");
            continue;
        };
        *ended.entry(job.state.word()).or_default() += 1;
        let memory_is_bad = piece.fault == Some(Fault::Forget);
        match job.state {
            JobState::Burned => {}
            JobState::Unfinished => {
                let honest = is_lost(piece) || (memory_is_bad && piece.family == Family::Molto2);
                assert!(honest, "{told:?} should have been burned: {job:?}");
                assert!(job.reason.is_some(), "{told:?}: it says why");
                continue;
            }
            other => panic!("{told:?} ended {other}: {job:?}"),
        }
        assert!(floor.burned.contains(&piece.serial), "{told:?}: it was told");
        let seed = exported.get(&piece.serial).unwrap_or_else(|| panic!("{told:?} is not exported"));
        if memory_is_bad {
            // Such a token says yes to everything and tells nothing back: only eyes find it out.
            assert!(piece.family == Family::Single && piece.read(0).is_none(), "{told:?}");
            continue;
        }
        assert!(piece.shows(seed), "{told:?} does not show what was exported");
        if let Some(line) = lines.iter().find(|line| line.serial == piece.serial) {
            assert_eq!(*seed, line.base32(), "{told:?}: the file's seed for this serial");
        }
        let held = piece.seeds();
        assert_eq!(held.len(), piece.family.profiles().len(), "{told:?}");
        assert_eq!(held[0], hex(seed), "{told:?}: what it holds is what was exported");
        for seed in held {
            assert!(seeds.insert(seed), "{told:?} holds another one's seed");
        }
        expect_records(floor, piece, &mut ids);
    }
    assert!(jobs_by_serial.is_empty(), "jobs of tokens that nobody has: {jobs_by_serial:?}");
    for (batch, count) in BATCHES {
        let view = scene.json(&["batch", "show", batch]);
        let counts = view["jobs"].as_object().unwrap_or_else(|| panic!("{view}"));
        let sum: u64 = counts.values().filter_map(serde_json::Value::as_u64).sum();
        assert_eq!(sum, count as u64, "the counts of \"{batch}\" add up: {counts:?}");
    }
    assert!(refused > 0, "somebody met the other key");
    #[allow(clippy::print_stdout, reason = "what came of the jobs is worth knowing")]
    {
        println!("jobs: {ended:?}");
    }
    scene.run(&["audit", "verify"]);
}

fn hex(base32: &str) -> String {
    data_encoding::HEXLOWER.encode(&data_encoding::BASE32_NOPAD.decode(base32.as_bytes()).expect("base32"))
}

/// What is on record of a burned token: its profiles, each with a seed of its own that the display shows.
fn expect_records(floor: &Floor, piece: &Piece, ids: &mut HashSet<String>) {
    let serial: kiln::domain::Serial = piece.serial.parse().expect("it is a serial");
    let Reply::Token(view) = floor.ask(Command::Token { serial: serial.clone() }) else {
        panic!("not a token");
    };
    let now = view.mappings.iter().filter(|mapping| mapping.to.is_none());
    let mut profiles: Vec<u8> = Vec::new();
    for mapping in now {
        assert!(ids.insert(mapping.seed.to_string()), "a seed on two serials: {mapping:?}");
        profiles.push(mapping.profile.number());
    }
    assert_eq!(profiles, piece.family.profiles(), "{serial}");
    for profile in profiles {
        let (code, _) = piece.read(profile).unwrap_or_else(|| panic!("{serial} shows no code in {profile}"));
        let verify =
            Command::Verify { serial: serial.clone(), profile: Profile::new(profile), codes: vec![code] };
        match floor.ask(verify) {
            Reply::Verdict(verdict) => assert!(verdict.right, "profile {profile} of {serial}"),
            other => panic!("{other:?}"),
        }
    }
}
