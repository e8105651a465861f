//! The screen of the real binary in a real terminal (tmux), by key presses alone.

mod support;

use std::{process::Command, time::Duration};
use support::{
    kiln::Kiln,
    screen::{Screen, command, run},
    seed_file::{self, Line},
    until,
};

/// The passphrase of the tests' vault; it begins with a digit, as a scan would.
const PASSPHRASE: &str = "7 blue horses";

/// A home whose station, which the screen starts, ends with the test, however that goes.
struct Bench(Kiln);

impl std::ops::Deref for Bench {
    type Target = Kiln;

    fn deref(&self) -> &Kiln {
        &self.0
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Without a station it does nothing. A test that failed has said why.
        let _ = self.0.command(&["station", "stop"]).output();
    }
}

/// A home with a vault that is locked and a batch of three that was not started.
fn locked_home() -> Bench {
    let kiln = Bench(Kiln::new());
    kiln.write("passphrase", PASSPHRASE);
    kiln.run(&["init", "--passphrase-file", "passphrase"]).expect(0);
    let lines: Vec<Line> = (0..3).map(|n| Line::new(n, &format!("86596100000{n:02}"), "C301-i")).collect();
    kiln.write("seeds.csv", seed_file::entra(&lines));
    kiln.run(&["import", "seeds.csv", "--batch", "spring"]).expect(0);
    kiln.run(&["lock"]).expect(0);
    kiln
}

#[test]
fn a_day_begins_by_key_presses_alone_and_goes_on_without_the_screen() {
    let kiln = locked_home();
    let dir = kiln.path("");
    let first = Screen::start(&dir, 80, 24, &command(&kiln, ""), &[("NO_COLOR", "1")]);
    first.until(&["[station]", "VAULT LOCKED", "spring"]);
    first.press("u");
    first.until(&["passphrase:"]);
    first.types(PASSPHRASE);
    first.until(&["*************"]);
    assert!(!first.shows(&[]).contains("horses"));
    first.press("Enter");
    first.until(&["the vault is open"]);
    first.until_gone("VAULT LOCKED");

    first.press("S");
    first.until(&["Start batch spring?"]);
    first.press("Enter");
    first.press("y");
    first.until(&["spring running", "0/3 burned"]);

    // Under NO_COLOR nothing but emphasis reaches the terminal.
    // tmux itself says "the terminal's own colours" after each reset.
    let attributes = first.shows(&["-e"]).replace("\u{1b}[39m", "").replace("\u{1b}[49m", "");
    assert!(attributes.contains("\u{1b}[1m") || attributes.contains("\u{1b}[7m"), "{attributes:?}");
    for colour in ["\u{1b}[3", "\u{1b}[4", "\u{1b}[9", ";3", ";4"] {
        assert!(!attributes.contains(colour), "{colour:?} in {attributes:?}");
    }

    // A second person looks on; both see what the first one does.
    let second = Screen::start(&dir, 160, 45, &command(&kiln, "--read-only"), &[]);
    second.until(&["spring running", "looking on only"]);
    first.press("P");
    second.until(&["spring paused"]);
    second.press("S");
    second.until(&["you may look on only"]);
    second.press("t");
    second.press("/");
    second.types("0002");
    // A token is on record once it was on a reader, and none was.
    second.until(&["tokens that hold \"0002\"", "none (Esc shows all)"]);

    first.resize(160, 45);
    first.until(&["spring paused", "q leave"]);
    first.press("?");
    first.until(&["show the keys of this view"]);
    first.press("Escape");
    // An escape and a letter that come together are another key.
    first.until_gone("show the keys of this view");
    first.press("q");
    first.until(&["left; the station goes on", "ended with 0"]);
    // The server outlives both: whoever comes back sees the same queue.
    second.press("Escape");
    second.until(&["all tokens on record"]);
    second.press("q");
    second.until(&["ended with 0"]);
    let again = Screen::start(&dir, 80, 24, &command(&kiln, ""), &[("KILN_ASCII", "1")]);
    again.until(&["spring paused"]);
    assert!(again.shows(&[]).is_ascii());
    // The station ends: the screen stays, and says so.
    kiln.run(&["station", "stop"]).expect(0);
    again.until(&["NO CONNECTION"]);
    again.types(":start the st");
    again.press("Enter");
    again.until(&["the connection is back"]);
    again.press("q");
    again.until(&["ended with 0"]);
}

/// Presses and the wheel, no motion: what a slow line can carry.
const MOUSE_HEARD: &str = "1 0 0 1";
const MOUSE_LEFT: &str = "0 0 0 0";

#[test]
fn the_mouse_selects_and_is_given_back_at_a_stop_an_end_and_a_panic() {
    let kiln = locked_home();
    kiln.write("more.csv", seed_file::entra(&[Line::new(7, "8659610000077", "C301-i")]));
    kiln.run(&["unlock", "--passphrase-file", "passphrase"]).expect(0);
    kiln.run(&["import", "more.csv", "--batch", "autumn"]).expect(0);
    let shell = Screen::start(&kiln.path(""), 80, 24, "env PS1='$ ' bash --norc --noprofile -i", &[]);
    shell.until(&["$"]);
    shell.types(&command(&kiln, ""));
    shell.press("Enter");
    shell.until(&["[station]"]);
    shell.until_mouse(MOUSE_HEARD);
    shell.click("batches");
    shell.until(&["[batches]", "▸ autumn", "all jobs of autumn"]);
    shell.click("spring draft");
    shell.until(&["▸ spring", "all jobs of spring", "8659610000001"]);
    shell.turn_wheel("8659610000001");
    shell.until(&["▸#"]);

    shell.press("C-z");
    shell.until(&["Stopped"]);
    shell.until_mouse(MOUSE_LEFT);
    shell.types("fg");
    shell.press("Enter");
    shell.until(&["[batches]"]);
    shell.until_mouse(MOUSE_HEARD);
    shell.press("M");
    shell.until(&["left to the terminal"]);
    shell.until_mouse(MOUSE_LEFT);
    shell.press("M");
    shell.until_mouse(MOUSE_HEARD);
    shell.press("q");
    shell.until(&["left; the station goes on"]);
    assert_eq!(shell.mouse(), MOUSE_LEFT);

    shell.types(&format!(
        "RUST_BACKTRACE=0 KILN_SCREEN_PANIC=worker {}; echo left with $?",
        command(&kiln, "")
    ));
    shell.press("Enter");
    shell.until(&["breaks, as KILN_SCREEN_PANIC wants", "left with 101"]);
    assert_eq!(shell.mouse(), MOUSE_LEFT);
    shell.types(&format!("clear; KILN_NO_MOUSE=1 {}", command(&kiln, "")));
    shell.press("Enter");
    shell.until(&["[station]"]);
    assert_eq!(shell.mouse(), MOUSE_LEFT);
    shell.press("q");
    shell.types("exit");
    shell.press("Enter");
    shell.until(&["ended with 0"]);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let kiln = Bench(Kiln::new());
    let pid = kiln.path("pid");
    let start =
        format!("sh -c 'echo $$ > {}; exec env {}'", pid.display(), command(&kiln, "").replace('\'', ""));
    let screen = Screen::start(&kiln.path(""), 80, 24, &start, &[]);
    screen.until(&["NO VAULT YET"]);
    let pid = std::fs::read_to_string(pid).unwrap();
    run(Command::new("kill").args(["-TERM", pid.trim()]));
    let left = screen.until(&["left; the station goes on", "ended with 0"]);
    assert!(!left.contains("[station]"), "{left}");
}

#[test]
fn a_panic_gives_the_terminal_back_and_says_what_broke() {
    for thread in ["screen", "worker"] {
        let kiln = Bench(Kiln::new());
        let shell = Screen::start(
            &kiln.path(""),
            80,
            24,
            "env PS1='$ ' bash --norc --noprofile -i",
            &[("KILN_SCREEN_PANIC", thread), ("RUST_BACKTRACE", "0")],
        );
        shell.until(&["$"]);
        shell.types(&command(&kiln, ""));
        shell.press("Enter");
        let left = shell.until(&["breaks, as KILN_SCREEN_PANIC wants"]);
        assert!(!left.contains("[station]"), "{thread}: {left}");
        // Lines are read and shown again, which a raw terminal does not do.
        shell.types("echo status $?; stty -a | tr ' ;' '\\n\\n' | grep -x -e icanon -e echo | tr a-z A-Z");
        shell.press("Enter");
        shell.until(&["status 101", "ICANON", "ECHO"]);
        shell.types("exit");
        shell.press("Enter");
        shell.until(&["ended with 0"]);
    }
}

#[test]
fn it_stops_and_goes_on_like_any_program_and_finds_a_new_station_by_itself() {
    let kiln = locked_home();
    let shell = Screen::start(&kiln.path(""), 80, 24, "env PS1='$ ' bash --norc --noprofile -i", &[]);
    shell.until(&["$"]);
    shell.types(&command(&kiln, ""));
    shell.press("Enter");
    shell.until(&["[station]", "VAULT LOCKED"]);
    shell.press("C-z");
    // The shell has its terminal back as it was, with an echo and without the screen.
    let stopped = shell.until(&["Stopped"]);
    assert!(!stopped.contains("[station]"), "{stopped}");
    shell.types("echo between; fg");
    shell.until(&["echo between; fg"]);
    shell.press("Enter");
    shell.until(&["[station]", "VAULT LOCKED"]);
    // Nothing is left of what was typed meanwhile.
    assert!(!shell.shows(&[]).contains("between"));

    // The station is gone and another one comes: nobody has to do anything at this screen.
    kiln.run(&["station", "stop"]).expect(0);
    shell.until(&["NO CONNECTION"]);
    kiln.run(&["status"]).expect(0);
    shell.until(&["the connection is back"]);
    shell.until_gone("NO CONNECTION");
    shell.press("q");
    shell.until(&["left; the station goes on"]);
    shell.types("exit");
    shell.press("Enter");
    shell.until(&["ended with 0"]);
}

#[test]
fn the_demo_shows_a_batch_from_its_first_token_to_its_last() {
    let kiln = Kiln::new();
    let temporary = kiln.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let temporary_text = temporary.to_str().unwrap();
    let demo = command(&kiln, "demo --slots 4 --tokens 5");
    let screen = Screen::start(&kiln.path(""), 160, 45, &demo, &[("TMPDIR", temporary_text)]);
    screen.until(&["DEMO", "demo-nfc running"]);
    screen.until(&["every batch is done"]);
    screen.press("b");
    screen.until(&["demo-nfc done", "5/5 burned"]);
    // A code that can't be right, for a token that was burned: by its serial, as a scanner types it.
    screen.press("t");
    screen.until(&["86596100000000"]);
    screen.types("86596100000000");
    screen.press("Enter");
    screen.until(&["token 86596100000000", "proof:"]);
    screen.types("0000");
    screen.press("Enter");
    screen.until(&["read the whole code"]);
    screen.press("Escape");
    screen.until_gone("read the whole code");
    screen.press("Escape");
    screen.until_gone("its jobs, newest first");
    screen.press("q");
    screen.until(&["With real readers", "ended with 0"]);
    until("the throw-away home to be gone", Duration::from_secs(10), || {
        (std::fs::read_dir(&temporary).unwrap().count() == 0).then_some(())
    });
}
