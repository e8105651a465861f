//! Where seeds are, and where they are not: everything that a whole run leaves behind, shows to other processes or says
//! on the socket is searched for every seed, key and passphrase in every writing. The same search finds them where they
//! belong, in the file that was imported and in the one that was exported.

mod support;

use nix::sys::{
    resource::{Resource, setrlimit},
    signal::Signal,
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    env,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use support::{
    LONG,
    child::Owned,
    hand::Token,
    kiln::{Kiln, Station},
    leak::Search,
    namespace::isolated,
    pcscd::Pcscd,
    scene::{Scene, Watch},
    seed_file::{self, Line, random},
    wiretap::{Speaker, Stream, Wiretap},
};

const LIMIT: Duration = Duration::from_secs(240);

const PASSPHRASE: &str = "a passphrase to be searched for";

/// Fields of messages in which secrets may cross the socket, by who says them.
const MAY_CROSS: [(Speaker, &str); 4] = [
    (Speaker::Client, "data_key"),
    (Speaker::Client, "key"),
    (Speaker::Client, "content"),
    (Speaker::Server, "content"),
];

#[test]
fn nothing_secret_is_left_behind_or_said_anywhere() {
    isolated("nothing_secret_is_left_behind_or_said_anywhere", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A", "Molto2 A", "Kiln B"]);
        let kiln = Kiln::new();
        let customer_key = random(16);
        let lines = [
            Line::new(1, "86596100000001", "C301-i"),
            Line { seed: random(32), ..Line::new(2, "86596100000002", "C301-i") },
            Line { seed: random(63), ..Line::new(3, "10000000000003", "Molto2 v2") },
            Line { seed: random(21), ..Line::new(4, "40404040", "YubiKey 5") },
        ];
        let passphrase = kiln.write("passphrase", PASSPHRASE);
        let key = kiln.write("office.key", data_encoding::HEXLOWER.encode(&customer_key));
        let import = kiln.write("seeds.csv", seed_file::entra(&lines));
        let [passphrase, key_file, import_file] =
            [&passphrase, &key, &import].map(|p| p.display().to_string());

        // The log says all it can.
        let loud = [("KILN_LOG", "trace"), ("RUST_LOG", "trace")];
        let station = Station::start_with(&kiln, &loud);
        let tap = Wiretap::interpose(&kiln.home().join("socket"));
        let done = |args: &[&str]| kiln.run(args).expect(0);
        let known: Vec<Vec<u8>> = lines.iter().map(|line| line.seed.clone()).collect();
        let mut secrets = known.clone();
        secrets.extend([customer_key.clone(), PASSPHRASE.as_bytes().to_vec()]);
        let onlooker = Onlooker::start(secrets.clone());

        done(&["init", "--passphrase-file", &passphrase]);
        done(&["clock", "override", "--for", "1h"]);
        done(&["key", "add", "office", "--hex", "--key-file", &key_file]);
        done(&[
            "import",
            &import_file,
            "--batch",
            "spring",
            "--recipe",
            "molto2-ten",
            "--recipe",
            "key-entra",
            "--key",
            "office",
            "--hash",
            "SHA-1",
            "--seen",
            "0,0",
        ]);
        // A file that can't be read is told about without what it holds.
        let odd = kiln.write("odd.csv", seed_file::entra(&lines).replace(',', " "));
        kiln.run(&["import", &odd.display().to_string(), "--batch", "odd"]).expect(1);
        done(&["batch", "start", "spring"]);
        let watch = Watch::start(&kiln);
        let readers = pcscd.readers();
        // One of them in two goes: an interrupted burn leaves traces of its own.
        let mut tokens = vec![
            Token::place_new("c301-i", &lines[0].serial, &readers[0], &["--fault", "yank-after:5"]),
            Token::place_new("c301-i", &lines[1].serial, &readers[1], &[]),
            Token::place_new("molto2-v2", &lines[2].serial, &readers[2], &["--key-file", &key_file]),
            // It has no password: it gets the batch's key for one.
            Token::place_new("yubikey-5", &lines[3].serial, &readers[4], &[]),
        ];
        tokens[0].await_torn();
        pcscd.await_removal(&readers[0]);
        tokens[0].place();
        watch.until_taken(&lines.each_ref().map(|line| line.serial.clone()));
        for token in &mut tokens {
            let code = token.read(0).code;
            done(&["verify", &token.serial, &code]);
        }
        // The vault is closed and opened in the run, too.
        done(&["lock"]);
        kiln.run(&["export", "--format", "entra"]).expect(3);
        done(&["unlock", "--passphrase-file", &passphrase]);
        done(&["export", "--format", "entra", "--batch", "spring", "-o", "upload.csv"]);
        done(&["export", "--format", "report", "--batch", "spring"]);
        done(&["token", &lines[0].serial, "--json"]);
        done(&["audit", "verify"]);
        done(&["audit", "show", "--json"]);
        done(&["status", "--json"]);

        // Seeds that only the tokens and the vault know.
        let drawn = tokens[2].seeds();
        assert_eq!(drawn.len(), 10);
        for seed in &drawn {
            let seed = data_encoding::HEXLOWER.decode(seed.as_bytes()).expect("hex");
            if seed.len() >= 8 && !known.contains(&seed) {
                secrets.push(seed);
            }
        }
        secrets.push(access_key(&tokens[3]));
        let code =
            kiln.run(&["otp", "read", "--slot", &readers[4].name, "--key", "office", "--json"]).expect(0);
        assert!(code.stdout.contains("Entra ID:user4@example.com"), "{}", code.stdout);
        let record = tap.record();
        secrets.push(data_key(&record));

        // While it runs, with its journal; killed, with the journal left; and begun anew.
        let searched = onlooker.finish();
        assert!(searched > 20, "the processes were looked at {searched} times");
        leftovers(&kiln, &secrets, &tokens, "running");
        drop(watch);
        station.kill9();
        leftovers(&kiln, &secrets, &tokens, "killed");
        drop(tap);
        Station::start(&kiln).stop(&kiln);
        leftovers(&kiln, &secrets, &tokens, "started again and stopped");
        messages(&record, &secrets);
    });
}

/// What the password became on a key.
#[track_caller]
fn access_key(key: &Token) -> Vec<u8> {
    let memory = std::fs::read_to_string(key.memory()).expect("a key keeps its memory in a file");
    let memory: Value = serde_json::from_str(&memory).expect("it is JSON");
    let hex = memory["state"]["memory"]["access_key"].as_str().expect("the key has a password");
    data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("hex")
}

/// Searches all that the run has left on disk. What the test itself wrote, and the export, must be the only finds.
#[track_caller]
fn leftovers(kiln: &Kiln, secrets: &[Vec<u8>], tokens: &[Token], when: &str) {
    let mut search = Search::new(secrets.iter().map(|secret| &secret[..]));
    for dir in ["TMPDIR", "HOME", "KILN_TEST_LOGS"] {
        search.dir(Path::new(&env::var_os(dir).expect("the harness sets it")));
    }
    let places: BTreeSet<PathBuf> = search.finds().iter().map(|find| PathBuf::from(&find.place)).collect();
    let mut meant: BTreeSet<PathBuf> = ["seeds.csv", "odd.csv", "office.key", "passphrase", "upload.csv"]
        .iter()
        .map(|name| kiln.path(name))
        .collect();
    meant.extend(tokens.iter().map(Token::memory));
    let stray: Vec<String> = search
        .finds()
        .iter()
        .filter(|find| !meant.contains(Path::new(&find.place)))
        .map(ToString::to_string)
        .collect();
    assert!(
        stray.is_empty(),
        "{when}: {} leaks, among them {:#?}",
        stray.len(),
        &stray[..stray.len().min(9)]
    );
    // The search can find: each of these holds what it should.
    assert_eq!(places, meant, "{when}");
    let database = std::fs::metadata(kiln.home().join("kiln.db")).expect("the database is there").len();
    let (count, bytes) = search.searched();
    assert!(bytes as u64 > database && count > 10, "{when}: {count} places with {bytes} bytes");
}

/// Searches every message, and every text in it that is base64 once more when it is decoded. Secrets cross in the
/// fields that are made for them, and there they are found.
#[track_caller]
fn messages(record: &[Stream], secrets: &[Vec<u8>]) {
    let mut crossed: BTreeSet<String> = BTreeSet::new();
    let mut count = 0;
    for stream in record {
        for message in stream.messages() {
            count += 1;
            let message: Value = serde_json::from_slice(message).expect("messages are JSON");
            let mut search = Search::new(secrets.iter().map(|secret| &secret[..]));
            texts(&message, "", &mut |field, text| {
                let place = format!("{:?} {field}", stream.speaker);
                search.bytes(&place, text.as_bytes());
                if let Ok(decoded) = data_encoding::BASE64.decode(text.as_bytes()) {
                    search.bytes(&place, &decoded);
                }
            });
            // Numbers and names, too.
            search.bytes("a message", without_secret_fields(message).to_string().as_bytes());
            crossed.extend(search.finds().iter().map(|find| find.place.clone()));
        }
    }
    assert!(count > 40, "{count} messages");
    let meant = MAY_CROSS.map(|(speaker, field)| format!("{speaker:?} {field}"));
    assert_eq!(crossed, meant.into_iter().collect());
}

fn texts(value: &Value, field: &str, found: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => found(field, text),
        Value::Array(list) => list.iter().for_each(|value| texts(value, field, found)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| texts(value, name, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn without_secret_fields(mut value: Value) -> Value {
    match &mut value {
        Value::Array(list) => list.iter_mut().for_each(|value| *value = without_secret_fields(value.take())),
        Value::Object(fields) => {
            fields.retain(|name, value| {
                !(value.is_string() && MAY_CROSS.iter().any(|(_, field)| field == name))
            });
            fields.values_mut().for_each(|value| *value = without_secret_fields(value.take()));
        }
        _ => {}
    }
    value
}

/// The vault's key, as it crossed the socket when the vault was made.
#[track_caller]
fn data_key(record: &[Stream]) -> Vec<u8> {
    let mut keys = BTreeSet::new();
    for message in record.iter().filter(|stream| stream.speaker == Speaker::Client).flat_map(Stream::messages)
    {
        let message: Value = serde_json::from_slice(message).expect("messages are JSON");
        texts(&message, "", &mut |field, text| {
            if field == "data_key" {
                keys.insert(data_encoding::BASE64.decode(text.as_bytes()).expect("a key is base64"));
            }
        });
    }
    assert_eq!(keys.len(), 1, "one vault has one key, sent when it is made and when it is opened");
    keys.into_iter().next().expect("there is one")
}

/// Searches the arguments and environments of all processes, again and again, while things happen.
struct Onlooker {
    enough: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<usize>,
}

impl Onlooker {
    fn start(secrets: Vec<Vec<u8>>) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let enough = Arc::clone(&enough);
            move || {
                let mut search = Search::new(secrets.iter().map(|secret| &secret[..]));
                let mut looks = 0;
                while !enough.load(Ordering::SeqCst) {
                    search.processes();
                    search.expect_none();
                    looks += 1;
                    // The test shares the processor with what it looks at.
                    std::thread::sleep(Duration::from_millis(10));
                }
                looks
            }
        });
        Self { enough, thread }
    }

    /// How often it has looked.
    #[track_caller]
    fn finish(self) -> usize {
        self.enough.store(true, Ordering::SeqCst);
        match self.thread.join() {
            Ok(looks) => looks,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

#[test]
fn an_aborted_station_leaves_no_core() {
    isolated("an_aborted_station_leaves_no_core", LIMIT, || {
        setrlimit(Resource::RLIMIT_CORE, nix::libc::RLIM_INFINITY, nix::libc::RLIM_INFINITY)
            .expect("the limit can be raised");
        // The control: whether this machine writes cores at all, and how one shows.
        let mut control = Command::new("sleep");
        control.arg("600").current_dir(env::temp_dir()).stdin(Stdio::null());
        let mut control = Owned::start("sleep", &mut control, "");
        control.signal(Signal::SIGABRT);
        let control = control.wait(LONG);
        let dumps = control.core_dumped();

        let scene = Scene::new();
        let mut station = scene.start(&[]);
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", station.pid())).expect("it runs");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
        assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(station.pid() as i32), Signal::SIGABRT)
            .expect("it is ours");
        let status = station.wait(LONG);
        assert_eq!(status.signal(), Some(Signal::SIGABRT as i32));
        assert!(!status.core_dumped(), "a core was dumped (of another process it was: {dumps})");
        for dir in [scene.kiln.path(""), scene.kiln.home()] {
            for entry in std::fs::read_dir(dir).expect("it is there").flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                assert!(!name.starts_with("core"), "{name}");
            }
        }
    });
}
