//! The screen of the real binary in a real terminal (tmux), by key presses alone.

mod support;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use support::{
    LONG,
    kiln::Kiln,
    seed_file::{self, Line},
    until,
};

/// The passphrase of the tests' vault; it begins with a digit, as a scan would.
const PASSPHRASE: &str = "7 blue horses";

/// One terminal: a tmux server of its own with a window of a given size. Gone on drop.
struct Screen {
    socket: PathBuf,
    /// What ends with the server.
    name: String,
}

impl Screen {
    /// Runs `command` of the shell in a window of this size.
    #[track_caller]
    fn start(dir: &Path, columns: u16, rows: u16, command: &str, env: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tmux-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let screen = Self { socket: dir.join(&name), name };
        let mut tmux = screen.tmux();
        // Nothing of this machine's settings, and a colour terminal that says so itself.
        tmux.args(["-f", "/dev/null", "new-session", "-d", "-s", "kiln"]).args([
            "-x",
            &columns.to_string(),
            "-y",
            &rows.to_string(),
        ]);
        for (key, value) in env {
            tmux.args(["-e", &format!("{key}={value}")]);
        }
        // The shell stays, so that what was printed after the screen can be read.
        run(tmux.arg(format!("{command}; echo ended with $?; cat")));
        screen
    }

    fn tmux(&self) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(&self.socket).env_remove("TMUX").env("LANG", "C.UTF-8").env("LC_ALL", "C.UTF-8");
        tmux
    }

    /// What it shows; `-e` for attributes as well.
    fn shows(&self, more: &[&str]) -> String {
        let output = run(self.tmux().args(["capture-pane", "-p", "-t", "kiln"]).args(more));
        String::from_utf8(output.stdout).expect("tmux gives what it shows as UTF-8")
    }

    /// Waits until it shows all of `words`.
    #[track_caller]
    fn until(&self, words: &[&str]) -> String {
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(&format!("{words:?} in {}", self.name), LONG, || {
                last = self.shows(&[]);
                words.iter().all(|word| last.contains(word)).then(|| last.clone())
            })
        }));
        found.unwrap_or_else(|_| panic!("{words:?} did not come; it shows:\n{last}"))
    }

    /// Waits until it shows nothing of `word` any more.
    #[track_caller]
    fn until_gone(&self, word: &str) {
        until(&format!("{word:?} to go"), LONG, || (!self.shows(&[]).contains(word)).then_some(()));
    }

    /// Types letters.
    fn types(&self, text: &str) {
        run(self.tmux().args(["send-keys", "-t", "kiln", "-l", text]));
    }

    /// Presses a key by tmux's name of it.
    fn press(&self, key: &str) {
        run(self.tmux().args(["send-keys", "-t", "kiln", key]));
    }

    fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        run(self.tmux().args(["resize-window", "-t", "kiln", "-x", &columns, "-y", &rows]));
    }
}

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

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").output();
    }
}

#[track_caller]
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error} (is tmux there?)"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
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

/// `kiln` on the screen: this home, and the test's own folder for what is temporary.
fn command(kiln: &Kiln, args: &str) -> String {
    format!("KILN_HOME='{}' {} {args}", kiln.home().display(), env!("CARGO_BIN_EXE_kiln"))
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
