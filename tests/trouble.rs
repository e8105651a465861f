//! What goes wrong at a bench, and must not cost more than itself: a key that is refused, a link lost twice in an
//! authentication, a token that hangs its reader, a `pcscd` that is restarted, a disk that is full, a reader
//! that another program holds.

mod support;

use std::{fs, path::Path, process::Command, time::Duration};
use support::{
    LONG,
    hand::Token,
    namespace::isolated,
    pcscd::{Pcscd, Reader},
    scene::{Scene, Watch},
    seed_file, until,
};

const LIMIT: Duration = Duration::from_secs(240);

/// How long an exchange may take in these tests, where the station's usual limit would only be waited for.
const DEADLINE: [(&str, &str); 1] = [("KILN_EXCHANGE_DEADLINE_MS", "3000")];

fn single(number: u32) -> String {
    format!("8659610{number:07}")
}

/// Waits until the slot of `reader` asks a person to look, with a sentence that has `words` in it.
#[track_caller]
fn slot_says(watch: &Watch, reader: &Reader, words: &str) {
    watch.until(&format!("slot {} to say \"{words}\"", reader.name), |event| {
        let here = event["event"] == "slot" && event["slot"] == *reader.name && event["doing"] == "look";
        (here && event["says"].as_str().is_some_and(|says| says.contains(words))).then_some(())
    });
}

/// Waits until a job of `serial` reaches `state`.
#[track_caller]
fn job_is(watch: &Watch, serial: &str, state: &str) {
    watch.until(&format!("the job of {serial} to be {state}"), |event| {
        (event["event"] == "job" && event["serial"] == serial && event["state"] == state).then_some(())
    });
}

#[test]
fn a_refused_key_is_tried_once_and_pauses_the_batch() {
    isolated("a_refused_key_is_tried_once_and_pauses_the_batch", LIMIT, || {
        let pcscd = Pcscd::start(&["Molto2 A", "Molto2 B"]);
        let scene = Scene::new();
        let station = scene.start(&[]);
        let watch = Watch::start(&scene.kiln);
        // Key URIs name no serial: whichever token comes next could take what another one left.
        let seeds: Vec<String> =
            (0..3).map(|_| data_encoding::BASE32_NOPAD.encode(&seed_file::random(20))).collect();
        let uris: String =
            seeds.iter().map(|seed| format!("otpauth://totp/Acme:x?secret={seed}\n")).collect();
        let file = scene.kiln.write("uris.txt", uris).display().to_string();
        scene.run(&["import", &file, "--batch", "spring"]);
        scene.run(&["batch", "start", "spring"]);

        let readers = pcscd.readers();
        let serial = |number: u32| format!("1000000000{number:04}");
        let mut odd = Token::place_new("molto2-v2", &serial(1), &readers[0], &["--fault", "wrong-key"]);
        // The batch is paused by itself, since nothing is known of this key but that a token refused it.
        let reason = watch.until("the batch to be paused", |event| {
            let paused = event["event"] == "batch" && event["state"] == "paused";
            paused.then(|| event["reason"].as_str().unwrap_or_default().to_owned())
        });
        assert!(reason.contains("refused"), "{reason}");
        let states = || {
            let mut states: Vec<String> =
                scene.jobs("spring").iter().map(|job| job["state"].to_string()).collect();
            states.sort();
            states.join(" ")
        };
        assert_eq!(states(), r#""failed" "queued" "queued""#, "nothing was written, and nobody took more");
        let tried = |token: &mut Token| {
            (token.stat("auth_attempts"), token.stat("wrong_answers"), token.stat("writes"))
        };
        assert_eq!(tried(&mut odd), (1, 1, 0));

        // Another token of the same batch finds it paused.
        let mut good = Token::place_new("molto2-v2", &serial(2), &readers[1], &[]);
        watch.until("the slot to leave it alone", |event| {
            let here = event["event"] == "slot" && event["slot"] == *readers[1].name;
            (here && event["serial"] == good.serial && event["says"] == "no batch is running").then_some(())
        });
        assert_eq!(tried(&mut good), (0, 0, 0));

        // Neither taking it away, nor a new station, nor a person who starts the batch again makes it worth a try.
        odd.take();
        drop(watch);
        station.stop(&scene.kiln);
        let _station = scene.start(&[]);
        let watch = Watch::start(&scene.kiln);
        scene.run(&["batch", "start", "spring"]);
        watch.until_taken(&[good.serial.clone()]);
        assert_eq!(tried(&mut good).0, 1);
        for _ in 0..2 {
            pcscd.await_removal(&readers[0]);
            odd.place();
            slot_says(&watch, &readers[0], "refused this key before");
            assert_eq!(tried(&mut odd), (1, 1, 0), "a refused key is not tried again");
            odd.take();
        }
        assert_eq!(states(), r#""burned" "failed" "queued""#);
        // What the other one holds is a seed of the file, and its own.
        let held = good.seeds();
        let meant = |seed: &String| data_encoding::BASE32_NOPAD.decode(seed.as_bytes()).expect("base32");
        let of_file = seeds.iter().filter(|seed| held[0] == data_encoding::HEXLOWER.encode(&meant(seed)));
        good.expect_code(0, of_file.collect::<Vec<_>>()[0], "sha1", 6, 30);
    });
}

#[test]
fn a_link_lost_in_two_authentications_waits_for_a_person() {
    isolated("a_link_lost_in_two_authentications_waits_for_a_person", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let scene = Scene::new();
        let _station = scene.start(&[]);
        let watch = Watch::start(&scene.kiln);
        scene.random_batch("spring", 2, "c301-i", "single-random");
        let reader = &pcscd.readers()[0];
        // Info, challenge, and then the answer to it.
        let mut token = Token::place_new("c301-i", &single(1), reader, &["--fault", "yank-after:3"]);
        job_is(&watch, &token.serial, "unfinished");
        pcscd.await_removal(reader);
        token.sim.ask("fault yank-after:3");
        token.place();
        job_is(&watch, &token.serial, "unfinished");
        assert_eq!(token.stat("auth_attempts"), 2);
        pcscd.await_removal(reader);
        token.place();
        slot_says(&watch, reader, "two authentications");
        assert_eq!(token.stat("auth_attempts"), 2, "a third attempt is a person's to allow");

        let serial = token.serial.clone();
        let allow =
            |last: &str| scene.kiln.run(&["token", "allow", &serial, "--try-key", "--last-four", last]);
        allow("0002").expect(1);
        assert_eq!(token.stat("auth_attempts"), 2);
        allow("0001").expect(0);
        job_is(&watch, &token.serial, "burned");
        assert_eq!(token.stat("auth_attempts"), 3);
    });
}

#[test]
fn a_token_that_hangs_its_reader_holds_up_no_other_and_recovers() {
    isolated("a_token_that_hangs_its_reader_holds_up_no_other_and_recovers", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A", "Kiln B"]);
        let scene = Scene::new();
        let _station = scene.start(&DEADLINE);
        let watch = Watch::start(&scene.kiln);
        scene.random_batch("spring", 3, "c301-i", "single-random");
        let (hung, other) = (&pcscd.readers()[0], &pcscd.readers()[2]);
        let mut mute = Token::place_new("c301-i", &single(1), hung, &["--fault", "mute:4"]);
        mute.await_commands(4);
        // It hangs now, and its job is claimed; the other slot burns as if nothing were.
        let mut neighbour = Token::place_new("c301-i", &single(2), other, &[]);
        job_is(&watch, &neighbour.serial, "burned");
        neighbour.take();
        slot_says(&watch, hung, "not answered");
        job_is(&watch, &mute.serial, "unfinished");
        // Still hanging, and still nobody else notices.
        pcscd.await_removal(other);
        let mut third = Token::place_new("c301-i", &single(3), other, &[]);
        job_is(&watch, &third.serial, "burned");
        third.take();
        assert_eq!(mute.stat("commands"), 4, "nothing is sent to a token whose answer is owing");

        mute.take();
        pcscd.await_removal(hung);
        mute.place();
        job_is(&watch, &mute.serial, "burned");
        assert_eq!((mute.stat("auth_attempts"), mute.stat("wrong_answers")), (2, 0));
    });
}

#[test]
fn a_reader_that_another_program_holds_is_named_and_taken_when_it_is_free() {
    isolated("a_reader_that_another_program_holds_is_named_and_taken_when_it_is_free", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A", "Kiln B"]);
        let (held, other) = (&pcscd.readers()[0], &pcscd.readers()[2]);
        let mut token = Token::place_new("c301-i", &single(1), held, &[]);
        // Somebody else was faster.
        let context = pcsc::Context::establish(pcsc::Scope::System).expect("pcscd runs");
        let name = std::ffi::CString::new(held.name.as_str()).expect("a name has no zero byte");
        let card = until("the other program to hold the reader", LONG, || {
            context.connect(&name, pcsc::ShareMode::Exclusive, pcsc::Protocols::ANY).ok()
        });
        let scene = Scene::new();
        let _station = scene.start(&DEADLINE);
        let watch = Watch::start(&scene.kiln);
        scene.random_batch("spring", 2, "c301-i", "single-random");
        until("the slot to say who stands in the way", LONG, || {
            let slots = scene.json(&["status"])["slots"].clone();
            let held = slots.as_array()?.iter().find(|slot| slot["slot"] == *held.name)?.clone();
            let says = held["says"].as_str()?.contains("another program is using the reader");
            (says && held["remedy"].as_str()?.contains("close the other program")).then_some(())
        });
        let neighbour = Token::place_new("c301-i", &single(2), other, &[]);
        job_is(&watch, &neighbour.serial, "burned");
        drop(card);
        job_is(&watch, &token.serial, "burned");
        assert_eq!((token.stat("auth_attempts"), token.stat("wrong_answers")), (1, 0));
    });
}

#[test]
fn the_station_outlives_a_restart_of_pcscd_in_the_middle_of_a_burn() {
    isolated("the_station_outlives_a_restart_of_pcscd_in_the_middle_of_a_burn", LIMIT, || {
        let mut pcscd = Pcscd::start(&["Kiln A", "Kiln B"]);
        let scene = Scene::new();
        let mut station = scene.start(&DEADLINE);
        let watch = Watch::start(&scene.kiln);
        scene.random_batch("spring", 2, "c301-i", "single-random");
        let readers = pcscd.readers().to_vec();
        let mut token = Token::place_new("c301-i", &single(1), &readers[0], &["--delay-ms", "400"]);
        token.await_commands(4);
        pcscd.kill9();
        job_is(&watch, &token.serial, "unfinished");
        // It may have come before the job's end or after it; it stays either way.
        let alarm =
            |alarm: &serde_json::Value| format!("{} {}", alarm["message"], alarm["remedy"]).contains("pcscd");
        until("an alarm about pcscd", LONG, || {
            let status = scene.json(&["status"]);
            status["alarms"].as_array().is_some_and(|alarms| alarms.iter().any(alarm)).then_some(())
        });
        token.take();
        pcscd.resume();
        token.sim.ask("clear");
        token.place();
        job_is(&watch, &token.serial, "burned");
        let mut other = Token::place_new("c301-i", &single(2), &readers[3], &[]);
        job_is(&watch, &other.serial, "burned");
        assert!(station.ended().is_none());
        assert_eq!((token.stat("wrong_answers"), other.stat("auth_attempts")), (0, 1));
    });
}

#[test]
fn a_full_disk_stops_burns_and_loses_nothing() {
    isolated("a_full_disk_stops_burns_and_loses_nothing", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A", "Kiln B"]);
        let scene = Scene::new();
        let home = scene.kiln.home();
        // Too small for SQLite to begin its journal anew and so to find room in it.
        tmpfs(&home, "3m");
        let mut station = scene.start(&[]);
        // Commands after which the disk is full: at none the claim fails, later the record of what was done.
        let cases: [u64; 4] = [0, 2, 3, 5];
        scene.random_batch("spring", cases.len(), "c301-i", "single-random");
        let mut tokens = Vec::new();
        for (n, commands) in cases.into_iter().enumerate() {
            let reader = &pcscd.readers()[n];
            let watch = Watch::start(&scene.kiln);
            if commands == 0 {
                fill(&home);
            }
            let mut token = Token::place_new("c301-i", &single(n as u32), reader, &["--delay-ms", "300"]);
            if commands > 0 {
                token.await_commands(commands);
                fill(&home);
            }
            let (says, remedy) = watch.until("the slot to speak of the disk", |event| {
                let here = event["event"] == "slot" && event["slot"] == *reader.name;
                (here && event["doing"] == "look" && event["remedy"].is_string())
                    .then(|| (event["says"].to_string(), event["remedy"].to_string()))
            });
            assert!(says.contains("full") || says.contains("disk"), "after {commands} commands: {says}");
            assert!(remedy.contains("disk") || remedy.contains("space"), "after {commands}: {remedy}");
            if commands == 0 {
                assert_eq!(token.stat("auth_attempts"), 0, "nothing is sent before the claim is on the disk");
            }
            // Looking still works.
            assert_eq!(scene.jobs("spring").len(), cases.len());
            drop(watch);
            token.take();
            fs::remove_file(home.join("filler")).expect("the filler is ours");
            // A station that goes on makes good what it could not record; another one reads it from what is there.
            if n % 2 == 0 {
                station.stop(&scene.kiln);
                station = scene.start(&[]);
            }
            tokens.push(token);
        }
        let watch = Watch::start(&scene.kiln);
        support::hand::return_all(&pcscd, &mut tokens, &watch);
        let jobs = scene.jobs("spring");
        assert!(jobs.len() == cases.len() && jobs.iter().all(|job| job["state"] == "burned"), "{jobs:?}");
        for token in &mut tokens {
            assert_eq!(token.stat("wrong_answers"), 0);
            scene.verify(token, 0);
        }
        scene.run(&["audit", "verify"]);
    });
}

/// Mounts a small file system of its own; it goes with the namespace.
#[track_caller]
fn tmpfs(at: &Path, size: &str) {
    fs::create_dir(at).expect("the directory can be made");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "tmpfs"])
        .arg(at)
        .status()
        .expect("mount can be run");
    assert!(mounted.success(), "{mounted}");
}

/// Leaves no byte free.
#[track_caller]
fn fill(dir: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(dir.join("filler")).expect("a file of ours");
    let full = std::iter::repeat_with(|| file.write_all(&[0; 4096]))
        .find_map(Result::err)
        .expect("no disk is endless");
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
}
