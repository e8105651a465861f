use super::{talk::CONTROLS, *};
use crate::{
    domain::{ClockState, UnixMillis},
    remedy::{Remedy, Retry},
    sim::token2_single::TimeSync,
};
use clap::Parser;
use serde_json::{Value, json};
use std::{
    io::{BufReader, PipeReader, PipeWriter, Read},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    thread,
};

struct Still;

impl Clock for Still {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_767_225_600_000)
    }

    fn state(&self) -> ClockState {
        ClockState::Simulated
    }
}

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: SimulateArgs,
}

fn parse(line: &str) -> Result<SimulateArgs, clap::Error> {
    Line::try_parse_from(["simulate"].into_iter().chain(line.split_whitespace())).map(|line| line.args)
}

/// The reader's end of the socket.
struct Reader(TcpStream);

impl Reader {
    fn ask(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        self.0.write_all(&u16::try_from(message.len()).unwrap().to_be_bytes()).unwrap();
        self.0.write_all(message).unwrap();
        self.hear()
    }

    fn hear(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 2];
        self.0.read_exact(&mut length).ok()?;
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        self.0.read_exact(&mut message).unwrap();
        Some(message)
    }
}

/// A person at the controls of a running simulation.
struct Person {
    controls: Option<PipeWriter>,
    answers: BufReader<PipeReader>,
    events: BufReader<PipeReader>,
    driver: TcpListener,
    running: Option<thread::JoinHandle<Result<(), SimulateError>>>,
}

impl Person {
    fn start(line: &str) -> (Self, Reader) {
        let driver = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = driver.local_addr().unwrap().port();
        let args = parse(&format!("{line} --vpcd {port}")).unwrap();
        let (input, controls) = io::pipe().unwrap();
        let (answers, mut output) = io::pipe().unwrap();
        let (events, told) = io::pipe().unwrap();
        let running =
            thread::spawn(move || run(&args, Arc::new(Still), BufReader::new(input), &mut output, told));
        let person = Self {
            controls: Some(controls),
            answers: BufReader::new(answers),
            events: BufReader::new(events),
            driver,
            running: Some(running),
        };
        let reader = person.accept();
        (person, reader)
    }

    fn accept(&self) -> Reader {
        Reader(self.driver.accept().unwrap().0)
    }

    fn say(&mut self, control: &str) -> Value {
        writeln!(self.controls.as_mut().unwrap(), "{control}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    fn event(&mut self) -> Value {
        let mut event = String::new();
        self.events.read_line(&mut event).unwrap();
        serde_json::from_str(&event).unwrap()
    }

    fn leave(mut self) -> Result<(), SimulateError> {
        drop(self.controls.take());
        self.running.take().unwrap().join().unwrap()
    }
}

const MOLTO: &str = "--model molto2-v2 --serial 12345678";
const DELETE_0: [u8; 5] = [0x80, 0xE6, 0, 0, 0];
const RESET: [u8; 5] = [0x80, 0x56, 0, 0, 0];
const INFO: [u8; 5] = [0x80, 0x41, 0, 0, 0];

#[test]
fn each_line_is_answered_by_one_object() {
    let (mut person, mut reader) = Person::start(&format!("{MOLTO} --drift -2.5"));
    let stats = person.say("stats");
    let expected = json!({
        "answer": "stats", "serial": "12345678", "clock": 1_767_225_597_i64, "commands": 0, "auth_attempts": 0,
        "wrong_answers": 0, "writes": 0, "attempts_left": 10, "locked": false, "filled": 1, "placed": true,
        "on": true,
    });
    assert_eq!(stats, expected);
    let shown = person.say("show");
    assert_eq!(
        (&shown["display"], &shown["title"], &shown["profile"]),
        (&json!("code"), &json!("Token2"), &json!(0))
    );
    assert_eq!((&shown["step"], &shown["seconds_left"]), (&json!(58_907_519), &json!(3)));
    assert_eq!(shown["code"].as_str().unwrap().len(), 6);
    assert_eq!(person.say("show 7")["display"], "dashes");
    assert_eq!(reader.ask(&RESET), Some(vec![0x90, 0x60]));
    assert_eq!(person.say("show")["question"], "factory_reset");
    assert_eq!(person.say("button"), json!({"answer": "button", "placed": true, "on": true}));
    assert_eq!(person.say("stats")["filled"], 0);
    assert_eq!(person.say("fault yank-after:9"), json!({"answer": "fault", "armed": ["yank-after:9"]}));
    assert_eq!(person.say("clear"), json!({"answer": "clear", "armed": []}));
    for (line, remedy) in [("dance", CONTROLS), ("show 256", CONTROLS), ("take it", CONTROLS)] {
        assert_eq!(person.say(line)["remedy"], remedy, "{line}");
    }
    assert!(person.say("fault fire")["remedy"].as_str().unwrap().contains("yank-before:N"));
    assert_eq!(person.say("quit"), json!({"answer": "quit"}));
    assert_eq!(reader.hear(), None);
    person.leave().unwrap();
}

#[test]
fn a_write_and_a_yank_are_told_where_no_answer_is_expected() {
    let (mut person, mut reader) = Person::start(&format!("{MOLTO} --fault yank-after:2"));
    assert!(reader.ask(&INFO).is_some());
    assert_eq!(reader.ask(&DELETE_0), None);
    let written = json!({"event": "written", "writes": 1, "profile": 0, "display": "dashes", "stale": false});
    assert_eq!(person.event(), written);
    assert_eq!(person.event(), json!({"event": "torn_off"}));
    assert_eq!(person.say("stats")["placed"], false);
    assert_eq!(person.say("place"), json!({"answer": "place", "placed": true, "on": true}));
    assert!(person.accept().ask(&INFO).is_some());
    person.leave().unwrap();
}

#[test]
fn an_nfc_token_leaves_while_it_is_off_and_the_end_of_input_takes_it_away() {
    let (mut person, mut reader) = Person::start("--model c301-i --serial 86596100000001 --filled");
    assert_eq!(person.say("off"), json!({"answer": "off", "placed": true, "on": false}));
    assert_eq!(reader.hear(), None);
    assert_eq!(person.say("show")["display"], "off");
    assert_eq!(person.say("button"), json!({"answer": "button", "placed": true, "on": true}));
    let mut reader = person.accept();
    assert!(reader.ask(&INFO).is_some());
    assert_eq!(person.say("take"), json!({"answer": "take", "placed": false, "on": true}));
    assert_eq!(reader.hear(), None);
    person.say("place");
    let mut reader = person.accept();
    person.leave().unwrap();
    assert_eq!(reader.hear(), None);
}

#[test]
fn a_token_kept_in_a_file_is_the_same_token_next_time_and_nobody_elses_to_read() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("token");
    let line = format!("{MOLTO} --state {}", path.display());
    let (person, mut reader) = Person::start(&line);
    assert!(reader.ask(&DELETE_0).unwrap().ends_with(&[0x90, 0]));
    // Stored before it was answered: no orderly end is needed.
    assert!(fs::read_to_string(&path).unwrap().contains("\"writes\":1"));
    person.leave().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let (mut person, _reader) = Person::start(&line);
    let stats = person.say("stats");
    assert_eq!((&stats["filled"], &stats["writes"]), (&json!(0), &json!(1)));
    person.leave().unwrap();
    let other = parse(&format!("--model molto2-v1 --serial 12345678 --vpcd 1 --state {}", path.display()));
    assert!(matches!(make(&other.unwrap(), Arc::new(Still)), Err(SimulateError::State(_))));
}

fn made(line: &str) -> Result<VirtualToken, SimulateError> {
    make(&parse(&format!("--vpcd 1 {line}")).unwrap(), Arc::new(Still))
}

#[test]
fn every_model_can_be_made_and_only_three_keep_the_seed() {
    for model in [
        "miniotp-2-i",
        "miniotp-3-i",
        "miniotp-3-i-nb",
        "c301-i",
        "c302-i",
        "otpc-p1-i",
        "otpc-p2-i",
        "otpc-p2-i-nb",
        "molto2-v1",
        "molto2-v2",
        "yubikey-5",
        "nitrokey-3",
        "solo-2",
        "canokey",
    ] {
        assert!(made(&format!("--model {model} --serial 1")).is_ok(), "{model}");
        let keeps = matches!(family(model), Some(Family::Single(TimeSync::Unrestricted)));
        assert_eq!(keeps, ["miniotp-2-i", "otpc-p1-i", "c302-i"].contains(&model), "{model}");
    }
}

#[test]
fn a_token_that_cannot_be_made_says_why_and_what_would_do() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        fs::write(home.path().join(name), text).unwrap();
        home.path().join(name).display().to_string()
    };
    let (short, words) = (file("short", "a1b2\n"), file("words", "TOKEN2MOLTO1-KEY"));
    let errors = [
        made("--model molto-1 --serial 1").unwrap_err(),
        made(&format!("--model c301-i --serial 1 --key-file {short}")).unwrap_err(),
        made(&format!("--model molto2-v2 --serial 1 --key-file {words}")).unwrap_err(),
        made("--model c301-i --serial 1 --key-file /nowhere/key").unwrap_err(),
        made(&format!("--model c301-i --serial 1 --state {}", home.path().display())).unwrap_err(),
        made(&format!("--model c301-i --serial 1 --state {short}")).unwrap_err(),
        SimulateError::NotUsb("c301-i".into()),
        SimulateError::Reader(VpcdError::NoThread(io::Error::other("none"))),
        SimulateError::Control(io::Error::other("closed")),
    ];
    assert!(matches!(
        &errors[..6],
        [
            SimulateError::UnknownModel(_),
            SimulateError::KeyLength { found: 2, .. },
            SimulateError::KeyNotHex(_),
            SimulateError::KeyFile { .. },
            SimulateError::StateFile { .. },
            SimulateError::State(_),
        ]
    ));
    for error in errors {
        assert!(error.remedy().len() > 10 && error.retry() != Retry::Soon, "{error}");
        assert!(!format!("{error} {error:?}").contains("a1b2"));
    }
    assert!(made(&format!("--model molto2-v2 --serial 1 --key-file {short}")).is_ok());
}

#[test]
fn the_command_line_reads_signs_faults_and_words() {
    let args = parse(
        "--model c301-i --serial 1 --vpcd 36110 --drift -40 --ppm -3.5 --fault forget --fault mute:2 \
         --restricted no --delay-ms 20 --at-eof stay",
    )
    .unwrap();
    assert_eq!((args.drift, args.ppm, args.faults.len()), (-40.0, -3.5, 2));
    assert_eq!((args.restricted, args.at_eof), (Some(YesNo::No), AtEof::Stay));
    let token = make(&args, Arc::new(Still)).unwrap();
    assert_eq!(token.delay(), Duration::from_millis(20));
    assert_eq!(parse("--model c301-i --serial 1 --vpcd 1").unwrap().at_eof, AtEof::Quit);
    for wrong in [
        "--serial 1 --fault yank:0",
        "--serial 1 --attempts 0",
        "--serial 8.6E+13",
        "--serial 1 --restricted so",
    ] {
        let error = parse(&format!("--model c301-i --vpcd 1 {wrong}")).unwrap_err();
        assert!(!matches!(error.kind(), clap::error::ErrorKind::MissingRequiredArgument), "{wrong}");
    }
}
