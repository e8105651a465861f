//! `kiln doctor` and what a service manager is told, by the real binary.

mod support;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::{
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    process::Stdio,
    time::Duration,
};
use support::{LONG, child::Owned, kiln::Kiln, namespace::isolated, pcscd::Pcscd, scene::Scene};

const LIMIT: Duration = Duration::from_secs(120);

/// What one side found of one thing.
fn found<'a>(findings: &'a Value, side: &str, check: &str) -> Option<&'a Value> {
    let all = findings.as_array().expect("a list of findings");
    all.iter().find(|finding| finding["side"] == side && finding["check"] == check)
}

#[track_caller]
fn health<'a>(findings: &'a Value, side: &str, check: &str) -> &'a str {
    let finding = found(findings, side, check).unwrap_or_else(|| panic!("{side} {check}: {findings:#}"));
    finding["health"].as_str().unwrap_or_default()
}

#[test]
fn the_doctor_looks_from_both_sides() {
    isolated("the_doctor_looks_from_both_sides", LIMIT, || {
        let _pcscd = Pcscd::start(&["Kiln A"]);
        let scene = Scene::new();
        let station = scene.start(&[]);
        let findings = scene.kiln.run(&["doctor", "--json"]).json();
        for side in ["client", "station"] {
            for check in ["version", "home", "socket", "pcscd", "readers"] {
                assert_eq!(health(&findings, side, check), "ok", "{side} {check}: {findings:#}");
            }
        }
        let readers = found(&findings, "station", "readers").expect("checked above");
        assert!(readers["found"].as_str().is_some_and(|text| text.contains("Kiln A")), "{readers}");
        assert_eq!(health(&findings, "station", "vault"), "ok");
        assert_eq!(health(&findings, "station", "holders"), "warn", "one holder is too few");
        assert_eq!(health(&findings, "station", "schema"), "ok");
        scene.run(&["lock"]);
        assert_eq!(health(&scene.kiln.run(&["doctor", "--json"]).json(), "station", "vault"), "warn");
        station.stop(&scene.kiln);
    });
}

#[test]
fn without_pcscd_and_station_the_doctor_says_both_and_starts_nothing() {
    isolated("without_pcscd_and_station_the_doctor_says_both_and_starts_nothing", LIMIT, || {
        let kiln = Kiln::new();
        let run = kiln.run(&["doctor", "--no-start"]).expect(3);
        assert!(run.stdout.contains("FAIL  pcscd"), "{}", run.stdout);
        assert!(run.stdout.contains("-> start it: systemctl enable --now pcscd.socket"), "{}", run.stdout);
        assert!(run.stdout.contains("was skipped"), "{}", run.stdout);
        assert!(run.stdout.contains("from here") && !run.stdout.contains("from the station"));
        assert!(!kiln.home().exists(), "a look makes no home");
        // An open home is told with its remedy, and why no station starts in it.
        std::fs::create_dir(kiln.home()).expect("it is not there");
        std::fs::set_permissions(kiln.home(), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
        let findings = kiln.run(&["doctor", "--json"]).expect(3).json();
        assert_eq!(health(&findings, "client", "home"), "fail");
        assert_eq!(health(&findings, "client", "server"), "fail");
        assert!(found(&findings, "client", "home").expect("checked")["remedy"].to_string().contains("chmod"));
    });
}

#[test]
fn a_service_manager_hears_that_the_station_is_ready_lives_and_ends() {
    let kiln = Kiln::new();
    let path = kiln.path("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket of the test's own");
    manager.set_read_timeout(Some(LONG)).expect("a limit can be set");
    let hear = || {
        let mut buffer = [0; 512];
        let len = manager.recv(&mut buffer).expect("the station says something in time");
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    };
    let mut command = kiln.command(&["station", "run"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000").stdout(Stdio::null());
    let mut station = Owned::start("kiln station run", &mut command, "");
    let ready = hear();
    assert!(ready.starts_with("READY=1\nSTATUS=answers on /"), "{ready}");
    for _ in 0..3 {
        assert_eq!(hear(), "WATCHDOG=1");
    }
    let pid = i32::try_from(station.pid()).expect("a process id fits");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("it runs");
    loop {
        let said = hear();
        if said.starts_with("STOPPING=1\n") {
            break;
        }
        assert_eq!(said, "WATCHDOG=1");
    }
    assert!(station.wait(LONG).success());
}

#[test]
fn a_station_that_a_client_started_tells_no_manager_of_the_clients() {
    let kiln = Kiln::new();
    let path = kiln.path("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket of the test's own");
    manager.set_nonblocking(true).expect("it can be asked for");
    let kiln = kiln.env("NOTIFY_SOCKET", &path.display().to_string());
    kiln.run(&["status"]).expect(0);
    kiln.run(&["station", "stop"]).expect(0);
    assert!(manager.recv(&mut [0; 64]).is_err(), "nothing was said");
}

#[test]
fn the_unit_file_and_the_rule_are_what_systemd_and_polkit_read() {
    let unit = include_str!("../dist/systemd/kiln-station.service");
    let set = |line: &str| unit.lines().any(|found| found == line);
    for line in [
        "Type=notify",
        "ExecStart=/usr/local/bin/kiln station run",
        "RuntimeDirectoryMode=0750",
        "StateDirectoryMode=0700",
        "SystemCallFilter=adjtimex clock_adjtime",
        "DeviceAllow=char-hidraw rw",
    ] {
        assert!(set(line), "{line}");
    }
    // It hides OTP keys on USB.
    assert!(!unit.lines().any(|line| line.starts_with("PrivateDevices=")));
    // It forbids the very call that tells what the clock is worth.
    assert!(!unit.lines().any(|line| line.starts_with("ProtectClock=")));
}
