//! `kiln collect serials` with tokens on real readers: what is tapped, scanned and put down twice.

mod support;

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    process::Stdio,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};
use support::{LONG, child::Owned, hand::Token, namespace::isolated, pcscd::Pcscd, scene::Scene};

/// Waits for a line that holds `what`, and gives it.
#[track_caller]
fn hear(lines: &Receiver<String>, what: &str) -> String {
    let mut before = Vec::new();
    loop {
        let Ok(line) = lines.recv_timeout(LONG) else { panic!("no line with {what:?} after {before:#?}") };
        if line.contains(what) {
            return line;
        }
        before.push(line);
    }
}

#[test]
fn tokens_that_are_tapped_and_scanned_become_one_list() {
    isolated("tokens_that_are_tapped_and_scanned_become_one_list", Duration::from_secs(180), || {
        let pcscd = Pcscd::start(&["Kiln A", "Kiln B"]);
        let readers = pcscd.readers();
        let scene = Scene::new();
        let _station = scene.start(&[]);
        let mut first = Token::place_new("c301-i", "86596100000011", &readers[0], &[]);

        let mut command = scene.kiln.command(&["collect", "serials", "--json"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut kiln = Owned::start("kiln collect serials", &mut command, "");
        let mut scanner = kiln.inner().stdin.take().expect("it was asked for as a pipe");
        let said = kiln.inner().stderr.take().expect("it was asked for as a pipe");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            BufReader::new(said).lines().map_while(Result::ok).all(|line| send.send(line).is_ok())
        });
        let printed = kiln.lines();

        hear(&lines, "1 86596100000011 (");
        first.take();
        pcscd.await_removal(&readers[0]);
        let mut second = Token::place_new("c301-i", "86596100000012", &readers[1], &[]);
        hear(&lines, "2 86596100000012 (");
        // The same one once more, on another day of the same minute.
        first.place();
        hear(&lines, "86596100000011 is in the list already");
        writeln!(scanner, "86596100000013").expect("it reads");
        hear(&lines, "3 86596100000013");
        writeln!(scanner, "86596100000012").expect("it reads");
        hear(&lines, "86596100000012 is in the list already");
        writeln!(scanner, "https://example.com/86596100000014").expect("it reads");
        hear(&lines, "this is a web link");
        first.take();
        second.take();
        writeln!(scanner).expect("it reads");

        let list: Value = serde_json::from_str(&printed.next(LONG)).expect("it is JSON");
        assert!(kiln.wait(LONG).success());
        let serials: Vec<&str> = list["serials"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|token| token["serial"].as_str().expect("a serial"))
            .collect();
        assert_eq!(serials, ["86596100000011", "86596100000012", "86596100000013"]);
        assert_eq!(list["serials"][0]["model"], "c301-i");
        assert!(list["serials"][0]["from"]["slot"].is_string(), "{list}");
        assert_eq!(list["serials"][2]["from"], "input");
        assert_eq!(list["duplicates"], serde_json::json!({"86596100000011": 2, "86596100000012": 2}));
        // A slot may also say that a token left too soon.
        let left_out = list["left_out"].as_array().expect("a list");
        assert!(left_out.iter().any(|left| left["line"] == 3), "{list}");
        assert!(left_out.iter().all(|left| left["problem"] != "no batch is running"), "{list}");
    });
}
