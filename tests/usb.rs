//! Keys on USB: the real binary on a kernel's own `hidraw` devices, in the bench (`tests/hidbench`). Two kernels, since
//! only the larger one has USB itself; few boots, since each costs seconds.

mod support;

use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    os::unix::fs::MetadataExt,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use support::{
    LONG,
    gadget::Gadget,
    hand::seeds_in,
    hidbench::{Kernel, in_bench, node, plug, unplug},
    scene::{Scene, Watch},
    until,
};

/// A machine that also compiles is slow, and an emulated one on it slower.
const LIMIT: Duration = Duration::from_secs(300);

/// What most waits inside may take; a test that passes never waits for it.
const STEP: Duration = Duration::from_secs(90);

const MODEL: &str = "token2-pin-plus";

/// A virtual key for the bench, not plugged in. Each time it is, it takes what [`options`] says by then.
fn key(name: &str, serial: &str) -> String {
    format!("name={name},vid=349e,pid=0026,plug=no,mode=exec:{}", simulated(name, serial))
}

/// The line for a shell that runs a virtual key.
fn simulated(name: &str, serial: &str) -> String {
    let kiln = env!("CARGO_BIN_EXE_kiln");
    format!(
        "{kiln} simulate --model {MODEL} --serial {serial} --stdio --state /tmp/{name}.key $(cat /tmp/{name}.options) \
         2>>/tmp/logs/key-{name}.log"
    )
}

/// What the key called `name` is like from its next plugging-in on.
#[track_caller]
fn options(name: &str, options: &str) {
    fs::write(format!("/tmp/{name}.options"), options).expect("the machine's /tmp is writable");
}

/// The seeds that the key called `name` holds, in hex.
#[track_caller]
fn held(name: &str) -> Vec<String> {
    let saved = fs::read_to_string(format!("/tmp/{name}.key")).expect("it was plugged in");
    seeds_in(&serde_json::from_str(&saved).expect("its state is JSON"))
}

/// What every client is told, kept: each slot and each token's job as they are now. Asking the binary again and again would
/// keep an emulated machine busy with nothing else.
struct Eyes {
    watch: Watch,
    seen: Seen,
}

#[derive(Default)]
struct Seen {
    slots: BTreeMap<String, Value>,
    jobs: BTreeMap<String, Value>,
}

impl Seen {
    fn hear(&mut self, event: &Value) {
        let key = |name: &str| event[name].as_str().map(str::to_owned);
        match event["event"].as_str() {
            Some("slot") => self.slots.extend(key("slot").map(|slot| (slot, event.clone()))),
            Some("job") => self.jobs.extend(key("serial").map(|serial| (serial, event.clone()))),
            _ => {}
        }
    }

    /// The slot called `name`, where it has `doing` and says something with `words` in it.
    fn slot(&self, name: &str, doing: &str, words: &str) -> Option<&Value> {
        let slot = self.slots.get(name)?;
        (slot["doing"] == doing && slot["says"].as_str().unwrap_or_default().contains(words)).then_some(slot)
    }

    fn job(&self, serial: &str, state: &str) -> Option<&Value> {
        self.jobs.get(serial).filter(|job| job["state"] == state)
    }
}

impl Eyes {
    #[track_caller]
    fn open(scene: &Scene) -> Self {
        let watch = Watch::start(&scene.kiln);
        let mut seen = Seen::default();
        for slot in watch.snapshot["slots"].as_array().into_iter().flatten() {
            seen.slots.extend(slot["slot"].as_str().map(|name| (name.to_owned(), slot.clone())));
        }
        Self { watch, seen }
    }

    #[track_caller]
    fn until<T>(&mut self, what: &str, mut found: impl FnMut(&Seen) -> Option<T>) -> T {
        let Self { watch, seen } = self;
        found(seen).unwrap_or_else(|| {
            watch.within(STEP, what, |event| {
                seen.hear(event);
                found(seen)
            })
        })
    }

    #[track_caller]
    fn slot(&mut self, name: &str, doing: &str, words: &str) -> Value {
        let what = format!("{name} to say {doing} and \"{words}\"");
        self.until(&what, |seen| seen.slot(name, doing, words).cloned())
    }

    /// Waits until `serial` lies at the slot called `name`.
    #[track_caller]
    fn lies(&mut self, name: &str, serial: &str) {
        let here = |seen: &Seen| (seen.slots.get(name)?["serial"] == serial).then_some(());
        self.until(&format!("{serial} at {name}"), here);
    }

    /// Waits until nothing is in the slot called `name`.
    #[track_caller]
    fn leaves(&mut self, name: &str) {
        let gone = |seen: &Seen| seen.slots.get(name)?["serial"].is_null().then_some(());
        self.until(&format!("nothing to be at {name}"), gone);
    }

    #[track_caller]
    fn burned(&mut self, serial: &str) {
        let what = format!("{serial} to be burned");
        let job = self.until(&what, |seen| seen.job(serial, "burned").cloned());
        assert_eq!(job["proof"], "computed", "{job}");
    }
}

/// The slot at `reader`, as a script sees it.
#[track_caller]
fn slot(scene: &Scene, reader: &str) -> Option<Value> {
    let slots = scene.json(&["slots"]);
    slots.as_array().expect("a list").iter().find(|slot| slot["reader"] == reader).cloned()
}

const A: &str = "96103000000011";
const B: &str = "96103000000012";
const C: &str = "96103000000013";
const D: &str = "96103000000014";
const E: &str = "96103000000015";
const F: &str = "96103000000016";

#[test]
fn keys_are_burned_side_by_side_pulled_and_put_back() {
    let devices = [
        key("A", A),
        key("B", B),
        key("C", C),
        key("D", D),
        // Somebody else's key, which only takes a node.
        "name=X,plug=no,mode=mute".to_owned(),
    ];
    in_bench("keys_are_burned_side_by_side_pulled_and_put_back", LIMIT, Kernel::Small, &devices, || {
        let scene = Scene::new();
        let station = scene.start(&[]);
        let mut eyes = Eyes::open(&scene);
        side_by_side(&scene, &mut eyes);
        touch_refused(&scene, &mut eyes);
        storage_full(&scene, &mut eyes);
        assert!(station.stop(&scene.kiln).success());
        names_outlast_the_station(&scene);
    });
}

/// One key waits for a touch in the middle of its write while another is burned beside it. It is pulled right there, comes
/// back under another path, and its job goes on with the same seed.
fn side_by_side(scene: &Scene, eyes: &mut Eyes) {
    scene.random_batch("usb", 2, MODEL, "key-random");
    // It waits for as long as the host lets it.
    options("A", "--touch-to-write --touch never --patience-ms 600000");
    options("B", "");
    plug("A");
    plug("B");
    // Whichever is first: A stays in its write until B is done.
    eyes.burned(B);
    eyes.until("a touch to be asked for at A", |seen| {
        let slot = seen.slot("hid hidbench/A", "touch", "")?;
        (slot["serial"] == A).then_some(())
    });
    assert_eq!(scene.job_of("usb", A).expect("its job")["state"], "claimed");
    let before = node("hidbench/A").expect("it is plugged in");
    unplug("A");
    eyes.until("its job to be unfinished", |seen| seen.job(A, "unfinished").map(drop));
    eyes.slot("hid hidbench/A", "place", A);
    assert_eq!(held("A"), [""; 0], "nothing was written");

    plug("X");
    assert_eq!(node("hidbench/X"), Some(before.clone()), "the old path is taken");
    options("A", "--touch-to-write --touch at-once");
    plug("A");
    let after = node("hidbench/A").expect("it is plugged in");
    assert_ne!(after, before);
    eyes.burned(A);
    assert_eq!(held("A").len(), 1);
    assert_ne!(held("A"), held("B"));
    assert_eq!(slot(scene, "hid hidbench/X"), None, "of no model that kiln knows");
    eyes.slot("hid hidbench/A", "take", "");
    unplug("A");
    unplug("X");
}

/// Nobody touches the key in time: it says so, and gets its seed when somebody does.
fn touch_refused(scene: &Scene, eyes: &mut Eyes) {
    scene.random_batch("touch", 1, MODEL, "key-random");
    options("C", "--touch-to-write --touch never --patience-ms 1000");
    plug("C");
    eyes.slot("hid hidbench/C", "look", "not touched in time");
    assert_eq!(held("C"), [""; 0]);
    unplug("C");
    options("C", "--touch-to-write --touch at-once");
    plug("C");
    eyes.burned(C);
    unplug("C");
}

/// A full key says so, and nothing is written.
fn storage_full(scene: &Scene, eyes: &mut Eyes) {
    scene.random_batch("full", 1, MODEL, "key-random");
    options("D", "--capacity 0");
    plug("D");
    eyes.slot("hid hidbench/D", "look", "full");
    assert_eq!(held("D"), [""; 0]);
    unplug("D");
}

/// A name belongs to the port: whichever key is in it, and after a restart as well.
fn names_outlast_the_station(scene: &Scene) {
    let station = scene.start(&[]);
    plug("A");
    let mut eyes = Eyes::open(scene);
    eyes.lies("hid hidbench/A", A);
    scene.run(&["slots", "name", "hid hidbench/A", "left"]);
    drop(eyes);
    assert!(station.stop(&scene.kiln).success());
    let station = scene.start(&[]);
    Eyes::open(scene).lies("left", A);
    assert_eq!(slot(scene, "hid hidbench/A").expect("the same port")["slot"], "left");
    assert!(station.stop(&scene.kiln).success());
}

#[test]
fn a_key_that_another_program_uses_is_burned_when_it_is_left_alone() {
    let name = "a_key_that_another_program_uses_is_burned_when_it_is_left_alone";
    in_bench(name, LIMIT, Kernel::Small, &[key("E", E), key("F", F)], || {
        let scene = Scene::new();
        let station = scene.start(&[]);
        let mut eyes = Eyes::open(&scene);

        // Another kiln has it: the lock is on the node. No batch runs yet, so the first to look leaves it soon.
        options("E", "");
        let lock = lock_as_a_kiln_would("E");
        scene.random_batch("others", 2, MODEL, "key-random");
        eyes.slot("hid hidbench/E", "look", "another kiln");
        assert!(scene.job_of("others", E).is_none(), "nothing is claimed for a key that cannot be asked");
        drop(lock);
        eyes.burned(E);

        // Another program asks the key something all the time, and gets kiln's answers as kiln gets its.
        options("F", "--delay-ms 40");
        let program = Chatter::about("F");
        eyes.until("the slot to notice", |seen| {
            let noticed = |words| seen.slot("hid hidbench/F", "look", words);
            noticed("another program").or(noticed("make no answer")).map(drop)
        });
        program.stop();
        eyes.burned(F);
        assert_eq!(held("F").len(), 1);
        assert!(station.stop(&scene.kiln).success());
    });
}

/// Plugs a key in and takes the lock that a kiln takes.
#[track_caller]
fn lock_as_a_kiln_would(name: &str) -> Flock<File> {
    plug(name);
    let path = node(&format!("hidbench/{name}")).expect("it is plugged in");
    let file = File::options().read(true).write(true).open(&path).expect("root may");
    // The station may have it at this very moment, for some milliseconds.
    let mut file = Some(file);
    until("the lock", LONG, || match Flock::lock(file.take()?, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Some(lock),
        Err((back, _)) => {
            file = Some(back);
            None
        }
    })
}

/// A program that talks to a key as any does that knows nothing of kiln: it asks for the public key, again and again.
struct Chatter {
    ends: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Chatter {
    #[track_caller]
    fn about(name: &str) -> Self {
        plug(name);
        let path = node(&format!("hidbench/{name}")).expect("it is plugged in");
        let ends = Arc::new(AtomicBool::new(false));
        let ended = ends.clone();
        let thread = std::thread::spawn(move || {
            let mut key = File::options().write(true).open(path).expect("root may");
            // An id, then one last report of five bytes (token2-otp sections 4 and 5).
            let mut report = [0; 65];
            report[1..9].copy_from_slice(&[0x21, 0x00, 0x05, 0x80, 0xC5, 0x01, 0x00, 0x00]);
            while !ended.load(Ordering::Relaxed) {
                key.write_all(&report).expect("it is plugged in");
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self { ends, thread }
    }

    fn stop(self) {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().expect("it was there all the time");
    }
}

#[test]
fn a_key_that_this_account_may_not_open_is_named_and_burned_when_it_may() {
    let name = "a_key_that_this_account_may_not_open_is_named_and_burned_when_it_may";
    in_bench(name, LIMIT, Kernel::Small, &[key("A", A)], || {
        options("A", "");
        plug("A");
        let node = node("hidbench/A").expect("it is plugged in");
        assert_eq!(fs::metadata(&node).expect("it is there").mode() & 0o777, 0o600, "root's alone");
        // What udev does is left to a shell that stays root.
        let mut udev = Command::new("sh").stdin(Stdio::piped()).spawn().expect("the bench has a shell");
        for path in ["/tmp/logs", "/tmp/A.options"] {
            Command::new("chmod").args(["-R", "a+rwX", path]).status().expect("busybox has chmod");
        }
        nix::unistd::setgid(1000.into()).expect("root may");
        nix::unistd::setuid(1000.into()).expect("root may");

        let scene = Scene::new();
        let station = scene.start(&[]);
        let mut eyes = Eyes::open(&scene);
        scene.random_batch("usb", 1, MODEL, "key-random");
        let slot = eyes.slot("hid hidbench/A", "look", "may not open");
        assert!(slot["remedy"].as_str().is_some_and(|remedy| remedy.contains("udev rule")), "{slot}");
        let findings = scene.kiln.run(&["doctor", "--json"]).json();
        let finding = usb_finding(&findings, "station");
        assert_eq!(finding["health"], "fail", "{finding}");
        let lines: Vec<&str> =
            finding["lines"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(lines.join("\n") + "\n", include_str!("../dist/udev/70-kiln.rules"), "{finding}");

        let mut orders = udev.stdin.take().expect("it was asked for as a pipe");
        writeln!(orders, "chmod 666 {}", node.display()).expect("the shell listens");
        eyes.burned(A);
        let findings = scene.kiln.run(&["doctor", "--json"]).json();
        assert_eq!(usb_finding(&findings, "station")["health"], "ok");
        assert!(station.stop(&scene.kiln).success());
        drop(orders);
        udev.wait().expect("it ends with its input");
    });
}

#[track_caller]
fn usb_finding(findings: &Value, side: &str) -> Value {
    let all = findings.as_array().or(findings["findings"].as_array()).expect("a list of findings");
    let found = all.iter().find(|finding| finding["check"] == "usb_keys" && finding["side"] == side);
    found.unwrap_or_else(|| panic!("nothing about USB keys: {findings}")).clone()
}

#[test]
fn a_slot_on_usb_is_its_port() {
    let devices = ["name=none,plug=no".to_owned()];
    in_bench("a_slot_on_usb_is_its_port", LIMIT, Kernel::Usb(2), &devices, || {
        let (one, two) = ("usb 1-1", "usb 2-1");
        for name in ["A", "B"] {
            options(name, "");
        }
        let mut keys = [Gadget::new("A", &simulated("A", A)), Gadget::new("B", &simulated("B", B))];
        let scene = Scene::new();
        let station = scene.start(&[]);
        let mut eyes = Eyes::open(&scene);
        scene.random_batch("usb", 2, MODEL, "key-random");
        // Two keys of one model, alike in everything that USB tells.
        keys[0].plug(0);
        keys[1].plug(1);
        eyes.burned(A);
        eyes.burned(B);
        eyes.lies(one, A);
        eyes.lies(two, B);
        scene.run(&["slots", "name", one, "left"]);
        scene.run(&["slots", "name", two, "right"]);
        for key in &keys {
            key.unplug();
        }
        eyes.leaves("left");
        eyes.leaves("right");
        // Crosswise: the names are the ports'.
        keys[0].plug(1);
        eyes.lies("right", A);
        keys[1].plug(0);
        eyes.lies("left", B);
        assert_eq!(slot(&scene, one).expect("a slot")["slot"], "left");
        assert!(station.stop(&scene.kiln).success());
    });
}
