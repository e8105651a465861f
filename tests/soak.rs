//! Fourteen readers, random faults, and a server that is killed and started again at random, for as long as is asked
//! for: nothing is lost, nothing is doubled, and a server that was not killed holds no more at its end than at its
//! beginning.
//!
//! `KILN_SOAK_SECONDS` says how long (`make soak`: an hour); without it, a minute with chance from a fixed seed.

mod support;

use kiln::{
    domain::JobState,
    face::{Command, Consent},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    env, fs,
    time::{Duration, Instant},
};
use support::{
    LONG,
    chance::Chance,
    floor::{Back, FOURTEEN, Family, Floor, PAIR, Piece, Then, exported, passing_fault},
    kiln::Station,
    namespace::isolated,
    pcscd::Pcscd,
    scene::Scene,
    until,
};

/// For how long new tokens come, where nobody says.
const USUAL: Duration = Duration::from_secs(60);

/// What the last tokens may take, and the judgement, beyond that.
const REST: Duration = Duration::from_secs(240);

/// Tokens of each family that come at once.
const AT_ONCE: usize = 12;

/// How often a token is put down before the person gives up: it may be torn off, and the server killed under it.
const TRIES: u32 = 20;

/// How much a server may grow between the beginning and the end of its life: SQLite's caches and the allocator fill.
const GROWTH_KIB: u64 = 24 * 1024;

const ENV: [(&str, &str); 1] = [("KILN_EXCHANGE_DEADLINE_MS", "3000")];

fn span() -> Duration {
    env::var("KILN_SOAK_SECONDS").map_or(USUAL, |text| {
        Duration::from_secs(
            text.parse().unwrap_or_else(|_| panic!("KILN_SOAK_SECONDS is a number: {text:?}")),
        )
    })
}

/// What a process holds.
#[derive(Debug, Clone)]
struct Holds {
    /// How many handles on what.
    files: BTreeMap<String, usize>,
    threads: usize,
    memory_kib: u64,
}

impl Holds {
    fn of(pid: u32) -> Self {
        let entries = |dir: &str| fs::read_dir(format!("/proc/{pid}/{dir}")).into_iter().flatten().flatten();
        let mut files = BTreeMap::new();
        for to in entries("fd").filter_map(|entry| fs::read_link(entry.path()).ok()) {
            // Sockets and the like are told apart by a number.
            let name = to.display().to_string().split(':').next().unwrap_or_default().to_owned();
            *files.entry(name).or_default() += 1;
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells it");
        let memory_kib = memory.trim().trim_end_matches(" kB").parse().expect("a number");
        Self { files, threads: entries("task").count(), memory_kib }
    }
}

/// A server's life: what it held when all of its slots had come up.
struct Life {
    station: Station,
    born: Holds,
}

impl Life {
    fn begin(scene: &Scene, floor: Option<&mut Floor>) -> Self {
        let station = scene.start_with_recipe(PAIR, &ENV);
        if let Some(floor) = floor {
            floor.reconnect();
        }
        until("a slot for every reader", LONG, || {
            (scene.json(&["status"])["slots"].as_array().map_or(0, Vec::len) == 2 * FOURTEEN.len())
                .then_some(())
        });
        // Every connection to the database opens its files with its first question, every slot its own way to pcscd.
        let mut born = Holds::of(station.pid());
        until("a server that opens nothing more", LONG, || {
            for _ in 0..4 {
                scene.run(&["status"]);
            }
            let before = std::mem::replace(&mut born, Holds::of(station.pid()));
            (before.files == born.files).then_some(())
        });
        Self { station, born }
    }

    /// Nothing is in hand: what it holds beyond what it held at first is a leak. Threads that wait for more to do
    /// leave after some seconds.
    #[track_caller]
    fn judge(&self) -> Holds {
        let pid = self.station.pid();
        let (mut now, start) = (Holds::of(pid), Instant::now());
        let more = |now: &Holds| now.files.values().sum::<usize>() > self.born.files.values().sum();
        while (more(&now) || now.threads > self.born.threads) && start.elapsed() < LONG {
            std::thread::sleep(Duration::from_millis(100));
            now = Holds::of(pid);
        }
        assert!(!more(&now), "file handles leak: {:?} became {now:?}", self.born);
        assert!(now.threads <= self.born.threads, "threads leak: {:?} became {now:?}", self.born);
        assert!(
            now.memory_kib <= self.born.memory_kib + GROWTH_KIB,
            "memory: {:?} became {now:?}",
            self.born
        );
        now
    }
}

/// Tokens with something wrong that passes, a third of them.
fn box_of_tokens(chance: &mut Chance, from: usize) -> Vec<Piece> {
    let mut tokens = Vec::new();
    for family in [Family::Single, Family::Molto2] {
        for number in from..from + AT_ONCE {
            let piece = Piece::new(family, number);
            tokens.push(match chance.below(6) {
                0 | 1 => {
                    let kind = chance.below(5);
                    let fault = passing_fault(chance, family, kind);
                    piece.with(fault)
                }
                2 => Piece { hasty: true, ..piece },
                _ => piece,
            });
        }
    }
    chance.shuffle(&mut tokens);
    tokens
}

/// What the person does with a token that came back.
fn decide(floor: &mut Floor, piece: &mut Piece, why: &Back) -> Then {
    floor.retry_failed();
    let says = |words: &str| matches!(why, Back::Taken(says) | Back::Looked(says) if says.contains(words));
    if says("burned") || piece.tries >= TRIES {
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

#[test]
fn nothing_is_lost_and_nothing_leaks_over_faults_kills_and_restarts() {
    let span = span();
    isolated("nothing_is_lost_and_nothing_leaks_over_faults_kills_and_restarts", span + REST, || {
        let mut chance = Chance::from_seed(77);
        let pcscd = Pcscd::start(&FOURTEEN);
        let scene = Scene::new();
        let mut life = Life::begin(&scene, None);
        let mut floor = Floor::new(&pcscd, &scene.kiln);
        let (mut tokens, mut aside) = (Vec::new(), Vec::new());
        let (mut batches, mut kills, mut stops) = (Vec::new(), 0, 0);
        let start = Instant::now();
        while start.elapsed() < span {
            let round = batches.len();
            for (family, model, recipe) in
                [("single", "c301-i", "single-random"), ("pair", "molto2-v2", "pair")]
            {
                let name = format!("{family}-{round}");
                scene.random_batch(&name, AT_ONCE, model, recipe);
                batches.push(name);
            }
            tokens.extend(box_of_tokens(&mut chance, round * AT_ONCE));
            // Two rounds of three are cut short by a kill in the middle of whatever it is.
            if round % 3 != 2 {
                let moment = Duration::from_millis(500 + u64::try_from(chance.below(4000)).expect("small"));
                let begun = Instant::now();
                floor.serve(&mut chance, &mut tokens, &mut aside, REST, decide, |_, left, lying| {
                    begun.elapsed() > moment || left + lying == 0
                });
                life.station.kill9();
                kills += 1;
                life = Life::begin(&scene, Some(&mut floor));
            }
            serve_all(&mut floor, &mut chance, &mut tokens, &mut aside);
            if round % 3 == 2 {
                life.judge();
                life.station.stop(&scene.kiln);
                stops += 1;
                life = Life::begin(&scene, Some(&mut floor));
            }
        }
        serve_all(&mut floor, &mut chance, &mut tokens, &mut aside);
        let held = life.judge();
        let ended = judge(&scene, &floor, &batches, &aside);
        assert!(kills > 0 && stops > 0, "{kills} kills, {stops} stops: too short to show anything");
        println!(
            "{} tokens in {:?}, {kills} kills, {stops} stops; jobs {ended:?}; at the end {held:?}",
            aside.len(),
            start.elapsed()
        );
    });
}

/// Serves until every token is laid aside and every slot knows.
fn serve_all(floor: &mut Floor, chance: &mut Chance, tokens: &mut Vec<Piece>, aside: &mut Vec<Piece>) {
    floor.serve(chance, tokens, aside, REST, decide, |_, left, lying| left + lying == 0);
}

/// Every job is accounted for, every token shows what is exported for it, and no seed is on two of them.
fn judge(
    scene: &Scene,
    floor: &Floor,
    batches: &[String],
    pieces: &[Piece],
) -> BTreeMap<&'static str, usize> {
    let mut ended: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut burned = HashSet::new();
    let mut exports: HashMap<String, String> = HashMap::new();
    for batch in batches {
        let jobs = floor.jobs(batch);
        assert_eq!(jobs.len(), AT_ONCE, "no job of \"{batch}\" is missing, and none came about");
        for job in jobs {
            *ended.entry(job.state.word()).or_default() += 1;
            match job.state {
                JobState::Burned => {
                    let serial = job.serial.expect("a burned job has its token").as_str().to_owned();
                    assert!(burned.insert(serial.clone()), "two jobs were burned on {serial}");
                }
                JobState::Unfinished | JobState::Failed => {
                    assert!(job.reason.is_some(), "it says why: {job:?}")
                }
                JobState::Queued => {}
                JobState::Claimed | JobState::Scrapped | JobState::Cancelled => panic!("{job:?}"),
            }
        }
        exports.extend(exported(&scene.run(&[
            "export",
            "--format",
            "entra",
            "--batch",
            batch,
            "--unproven",
        ])));
    }
    let mut seeds = HashSet::new();
    for piece in pieces {
        let told = (&piece.serial, piece.fault, piece.tries);
        let counters = piece.token.counters();
        assert_eq!(counters.wrong_answers, 0, "{told:?}: a right key is never refused");
        if !burned.contains(&piece.serial) {
            assert_eq!(piece.tries, TRIES, "{told:?} was laid aside without being burned");
            continue;
        }
        let seed = exports.get(&piece.serial).unwrap_or_else(|| panic!("{told:?} is not exported"));
        assert!(piece.shows(seed), "{told:?} does not show what was exported");
        let held = piece.seeds();
        assert_eq!(held.len(), piece.family.profiles().len(), "{told:?}");
        for seed in held {
            assert!(seeds.insert(seed), "{told:?} holds another one's seed");
        }
    }
    assert!(burned.len() * 10 >= pieces.len() * 9, "{ended:?}: most tokens get their seeds in the end");
    scene.run(&["audit", "verify"]);
    ended
}
