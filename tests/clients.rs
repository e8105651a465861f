//! One server, any number of clients: who starts it, who can end it, what each of them hears and how verbs end.

mod support;

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs,
    os::unix::{net::UnixListener, process::CommandExt},
    process::{Command, Stdio},
    time::Duration,
};
use support::{
    LONG,
    child::Owned,
    hand::Token,
    kiln::{Kiln, Station},
    namespace::{self, isolated},
    pcscd::Pcscd,
    scene::{Scene, Watch},
    seed_file::{self, Line},
    until,
};

const LIMIT: Duration = Duration::from_secs(120);

/// Process numbers of the servers of this namespace.
fn servers() -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc can be listed").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        if words.get(1..3) == Some(&[b"station".as_slice(), b"run".as_slice()]) {
            found.push(pid);
        }
    }
    found
}

fn only_server() -> i32 {
    let all = servers();
    assert_eq!(all.len(), 1, "one server: {all:?}");
    all[0]
}

/// A server that was asked to stop closes its socket last; its process is gone a moment later.
fn all_ended() {
    until("the end of every server", LONG, || servers().is_empty().then_some(()));
}

fn end(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it is ours");
    until("its end", LONG, || (!servers().contains(&pid)).then_some(()));
}

#[test]
fn a_burn_goes_on_when_the_terminal_that_started_the_server_dies() {
    isolated("a_burn_goes_on_when_the_terminal_that_started_the_server_dies", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let scene = Scene::new();
        // Everything is prepared, then the server ends, so that the terminal's client has to start a new one.
        scene.start(&[]).stop(&scene.kiln);
        // A tmux of the test's own: the machine's /tmp is shared.
        let socket = scene.kiln.path("tmux").display().to_string();
        let tmux = |args: &[&str]| {
            let done = Command::new("tmux").args(["-S", &socket, "-f", "/dev/null"]).args(args).output();
            let done = done.unwrap_or_else(|error| panic!("tmux: {error}; `make test` installs it"));
            assert!(done.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&done.stderr));
        };
        let home = scene.kiln.home().display().to_string();
        let program = env!("CARGO_BIN_EXE_kiln");
        let line = format!("KILN_HOME={home} {program} status; KILN_HOME={home} exec {program} watch");
        tmux(&["new-session", "-d", "-x", "80", "-y", "24", &line]);
        let socket = scene.kiln.home().join("socket");
        until("the server of the terminal's client", LONG, || socket.exists().then_some(()));
        let server = only_server();
        let stat = fs::read_to_string(format!("/proc/{server}/stat")).expect("it runs");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        assert_eq!(fields[4], "0", "it has a controlling terminal: {stat}");
        scene.unlock();
        let watch = Watch::start(&scene.kiln);
        scene.random_batch("spring", 1, "c301-i", "single-random");
        let reader = &pcscd.readers()[0];
        let mut token = Token::place_new("c301-i", "86596100000001", reader, &["--delay-ms", "250"]);
        token.await_commands(3);
        // In the middle of the burn the terminal is gone, and with it the client.
        tmux(&["kill-server"]);
        watch.until_taken(&[token.serial.clone()]);
        assert_eq!(only_server(), server, "the same server went on");
        let job = scene.job_of("spring", &token.serial).expect("it was claimed");
        assert_eq!(job["state"], "burned");
        // Nor does a directory or a terminal of the client's stay in use.
        assert_eq!(fs::read_link(format!("/proc/{server}/cwd")).ok().as_deref(), Some("/".as_ref()));
        for fd in ["0", "1", "2"] {
            let to = fs::read_link(format!("/proc/{server}/fd/{fd}")).expect("it is open");
            assert!(!to.starts_with("/dev/pts"), "descriptor {fd} is {}", to.display());
        }
        scene.run(&["station", "stop"]);
    });
}

#[test]
fn a_hang_up_or_a_kill_of_the_first_clients_group_does_not_reach_the_server() {
    isolated("a_hang_up_or_a_kill_of_the_first_clients_group_does_not_reach_the_server", LIMIT, || {
        let kiln = Kiln::new();
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
            // A client in a group of its own, as a shell makes it. It starts the server and stays.
            let mut command = kiln.command(&["watch", "--json"]);
            command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
            command.stderr(namespace::log_file("watch"));
            let mut client = Owned::start("kiln watch", &mut command, "");
            client.lines().next(LONG);
            let server = only_server();
            killpg(Pid::from_raw(client.pid() as i32), signal).expect("the group is there");
            // Under nohup or in the background of a script the client has learnt to ignore some of them.
            client.kill9();
            kiln.run(&["status"]).expect(0);
            assert_eq!(only_server(), server, "after {signal}");
            // A hang-up sent to the server itself means nothing to it either.
            kill(Pid::from_raw(server), Signal::SIGHUP).expect("it is ours");
            kiln.run(&["status"]).expect(0);
            assert_eq!(only_server(), server);
            kiln.run(&["station", "stop"]).expect(0);
            all_ended();
        }
    });
}

#[test]
fn every_client_hears_the_same_numbered_events() {
    isolated("every_client_hears_the_same_numbered_events", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let scene = Scene::new();
        let station = scene.start(&[]);
        let (early, mut late) = (Watch::start(&scene.kiln), None);
        scene.random_batch("spring", 4, "c301-i", "single-random");
        let readers = pcscd.readers();
        for n in 0..4_usize {
            let reader = &readers[n % 2];
            if n >= 2 {
                pcscd.await_removal(reader);
            }
            let mut token = Token::place_new("c301-i", &format!("8659610000000{n}"), reader, &[]);
            until("the burn", LONG, || {
                scene.job_of("spring", &token.serial).filter(|job| job["state"] == "burned")
            });
            token.take();
            // One comes in the middle.
            late.get_or_insert_with(|| Watch::start(&scene.kiln));
        }
        let late = late.expect("it came");
        station.stop(&scene.kiln);
        let (first, second) = (numbered(early), numbered(late));
        assert!(first.len() > 20, "{} events", first.len());
        let joint =
            first.iter().position(|event| event["number"] == second[0]["number"]).expect("they overlap");
        assert!(joint > 0, "the second came later");
        assert_eq!(first[joint..], second[..], "word for word");
        let burned =
            first.iter().filter(|event| event["event"] == "job" && event["state"] == "burned").count();
        assert_eq!(burned, 4);
        assert_eq!(first.last().map(|event| &event["event"]), Some(&"stopping".into()));
    });
}

#[test]
fn one_who_is_stopped_for_a_while_hears_the_same_and_one_who_is_killed_changes_nothing() {
    let name = "one_who_is_stopped_for_a_while_hears_the_same_and_one_who_is_killed_changes_nothing";
    isolated(name, LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let scene = Scene::new();
        let station = scene.start(&[]);
        let (awake, mut stalled) = (Watch::start(&scene.kiln), Watch::start(&scene.kiln));
        let mut killed = Watch::start(&scene.kiln);
        scene.random_batch("spring", 3, "c301-i", "single-random");
        stalled.signal(Signal::SIGSTOP);
        let reader = &pcscd.readers()[0];
        for n in 0..3_u32 {
            pcscd.await_removal(reader);
            let mut token = Token::place_new("c301-i", &format!("8659610000000{n}"), reader, &[]);
            if n == 1 {
                token.await_commands(3);
                killed.signal(Signal::SIGKILL);
            }
            awake.until("the burn", |event| {
                let ours = event["event"] == "job" && event["serial"] == *token.serial;
                (ours && event["state"] == "burned").then_some(())
            });
            token.take();
        }
        stalled.signal(Signal::SIGCONT);
        let late = Watch::start(&scene.kiln);
        station.stop(&scene.kiln);
        let (all, last) = (numbered(stalled), numbered(late));
        let burned = all.iter().filter(|event| event["event"] == "job" && event["state"] == "burned");
        assert_eq!(burned.count(), 3, "it has heard what happened while it was stopped");
        assert_eq!(all.last().map(|event| &event["event"]), Some(&"stopping".into()));
        let end = &all[all.len() - last.len()..];
        assert_eq!(end, &last[..], "word for word what another one heard");
        assert_eq!(awake.rest().last(), all.last());
    });
}

/// The events of a watching that has come to its end: without a gap, from the snapshot on.
fn numbered(watch: Watch) -> Vec<Value> {
    let mut last = watch.snapshot["last_event"].as_u64().expect("a snapshot carries it");
    let events = watch.rest();
    for event in &events {
        last += 1;
        assert_eq!(event["number"].as_u64(), Some(last), "{event}");
    }
    events
}

#[test]
fn clients_that_come_at_once_start_one_server() {
    isolated("clients_that_come_at_once_start_one_server", LIMIT, || {
        let kiln = Kiln::new();
        let clients: Vec<Owned> = (0..6)
            .map(|_| {
                let mut command = kiln.command(&["status", "--json"]);
                command.stdin(Stdio::null()).stdout(namespace::log_file("status"));
                Owned::start("kiln status", command.stderr(namespace::log_file("status")), "")
            })
            .collect();
        for mut client in clients {
            assert_eq!(client.wait(LONG).code(), Some(0));
        }
        // The others that were started find the home taken, say so, and are gone a moment later.
        until("one server to be left", LONG, || (servers().len() == 1).then_some(()));
        kiln.run(&["station", "stop"]).expect(0);
        all_ended();
    });
}

#[test]
fn a_dead_servers_socket_is_in_nobodys_way() {
    isolated("a_dead_servers_socket_is_in_nobodys_way", LIMIT, || {
        let kiln = Kiln::new();
        kiln.run(&["status"]).expect(0);
        let socket = kiln.home().join("socket");
        end(only_server());
        assert!(socket.exists(), "a killed server can't remove its socket");
        kiln.run(&["status"]).expect(0);
        let second = only_server();
        // A second server for the same home says who is there, and goes.
        let refused = kiln.run(&["station", "run"]).expect(3);
        let home = kiln.home().display().to_string();
        assert!(
            refused.stderr.contains(&home) && refused.stderr.contains("kiln station stop"),
            "{}",
            refused.stderr
        );
        assert_eq!(only_server(), second);
        end(second);
        // Even one that somebody else has bound.
        fs::remove_file(&socket).expect("it is there");
        drop(UnixListener::bind(&socket).expect("the place is free"));
        kiln.run(&["status"]).expect(0);
        kiln.run(&["station", "stop"]).expect(0);
        assert!(!socket.exists(), "a server that ends removes its socket");
    });
}

#[test]
fn a_stop_lets_the_burn_in_hand_end() {
    isolated("a_stop_lets_the_burn_in_hand_end", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let scene = Scene::new();
        for (name, serial, by_signal) in
            [("spring", "86596100000001", false), ("autumn", "86596100000002", true)]
        {
            let mut station = scene.start(&[]);
            scene.random_batch(name, 1, "c301-i", "single-random");
            let reader = &pcscd.readers()[usize::from(by_signal)];
            let mut token = Token::place_new("c301-i", serial, reader, &["--delay-ms", "200"]);
            token.await_commands(3);
            if by_signal {
                kill(Pid::from_raw(station.pid() as i32), Signal::SIGTERM).expect("it is ours");
                assert_eq!(station.wait(LONG).code(), Some(0));
            } else {
                assert_eq!(station.stop(&scene.kiln).code(), Some(0));
            }
            token.take();
            let station = scene.start(&[]);
            let job = scene.job_of(name, serial).expect("it was claimed");
            assert_eq!(job["state"], "burned", "{job}");
            assert_eq!(token.stat("auth_attempts"), 1);
            station.stop(&scene.kiln);
        }
    });
}

#[test]
fn verbs_end_as_the_manual_says() {
    isolated("verbs_end_as_the_manual_says", LIMIT, || {
        let kiln = Kiln::new();
        let line = Line::new(1, "86596100000001", "C301-i");
        let file = kiln.write("seeds.csv", seed_file::entra(std::slice::from_ref(&line)));
        let file = file.display().to_string();
        kiln.write("passphrase", "open sesame, if you please\n");
        kiln.write("wrong", "open barley\n");
        let ends = |args: &[&str], code: i32, remedy: &str| {
            let run = kiln.run(args).expect(code);
            assert!(run.stderr.contains(remedy), "kiln {}: {}", args.join(" "), run.stderr);
            if code != 0 {
                assert!(
                    run.stderr.contains("\n-> "),
                    "kiln {} says what to do: {}",
                    args.join(" "),
                    run.stderr
                );
                assert_eq!(run.stdout, "", "kiln {}", args.join(" "));
            }
        };
        // Nothing is there, and nothing is started to be stopped.
        ends(&["station", "stop"], 0, "no station");
        all_ended();
        ends(&["unlock", "--passphrase-file", "passphrase"], 3, "kiln init");
        ends(&["import", &file, "--batch", "spring"], 3, "kiln ");
        ends(&["init", "--passphrase-file", "passphrase"], 0, "");
        ends(&["init", "--passphrase-file", "passphrase"], 1, "kiln unlock");
        ends(&["lock"], 0, "");
        ends(&["import", &file, "--batch", "spring"], 3, "kiln unlock");
        ends(&["unlock", "--passphrase-file", "wrong"], 1, "");
        ends(&["unlock", "--passphrase-file", "passphrase"], 0, "");
        ends(&["unlock", "--passphrase-file", "no-such-file"], 0, "open already");
        ends(&["import", "no-such-file", "--batch", "spring"], 3, "");
        ends(&["import", &file], 2, "--inventory");
        ends(&["import", &file, "--batch", "spring", "--read-only"], 2, "--read-only");
        ends(&["import", &file, "--batch", "spring"], 0, "");
        ends(&["batch", "start", "no-such-batch"], 1, "");
        ends(&["batch", "show", "spring"], 0, "");
        ends(&["token", "86596100009999"], 1, "");
        ends(&["verify", "86596100009999", "123456"], 1, "");
        ends(&["verify", "86596100009999", "not a code"], 2, "");
        ends(&["tokens", "--read-only"], 0, "");
        ends(&["audit", "verify"], 0, "");
        ends(&["station", "stop"], 0, "ended");
        // Usage errors are clap's own, without a remedy line.
        kiln.run(&["no-such-verb"]).expect(2);
        kiln.run(&["verify"]).expect(2);

        // A home that others can enter is no home for seeds.
        let open = Kiln::new();
        fs::create_dir(open.home()).expect("it is new");
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(open.home(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let refused = open.run(&["status"]).expect(3);
        assert!(refused.stderr.contains("0700"), "{}", refused.stderr);
    });
}

#[test]
fn a_station_without_pcscd_says_so_and_finds_it_when_it_comes() {
    isolated("a_station_without_pcscd_says_so_and_finds_it_when_it_comes", LIMIT, || {
        let scene = Scene::new();
        let _station: Station = scene.start(&[]);
        let status = until("an alarm", LONG, || {
            let status = scene.json(&["status"]);
            status["alarms"].as_array().is_some_and(|alarms| !alarms.is_empty()).then_some(status)
        });
        assert!(status["alarms"][0].to_string().contains("pcscd"), "{status}");
        assert_eq!(status["slots"], Value::Array(vec![]));
        let watch = Watch::start(&scene.kiln);
        let pcscd = Pcscd::start(&["Kiln A"]);
        let mut left: Vec<&str> = pcscd.readers().iter().map(|reader| reader.name.as_str()).collect();
        watch.until("a slot for each reader", |event| {
            left.retain(|name| event["event"] != "slot" || event["slot"] != **name);
            left.is_empty().then_some(())
        });
    });
}
