//! kiln's screen in a real terminal: tmux, by key presses alone.

use super::{LONG, kiln::Kiln, until};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};

/// One terminal: a tmux server of its own with a window of a given size. Gone on drop.
pub struct Screen {
    socket: PathBuf,
    /// What ends with the server.
    name: String,
}

impl Screen {
    /// Runs `command` of the shell in a window of this size.
    #[track_caller]
    pub fn start(dir: &Path, columns: u16, rows: u16, command: &str, env: &[(&str, &str)]) -> Self {
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
    pub fn shows(&self, more: &[&str]) -> String {
        let output = run(self.tmux().args(["capture-pane", "-p", "-t", "kiln"]).args(more));
        String::from_utf8(output.stdout).expect("tmux gives what it shows as UTF-8")
    }

    /// Waits until it shows all of `words`.
    #[track_caller]
    pub fn until(&self, words: &[&str]) -> String {
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
    pub fn until_gone(&self, word: &str) {
        until(&format!("{word:?} to go"), LONG, || (!self.shows(&[]).contains(word)).then_some(()));
    }

    /// Types letters.
    pub fn types(&self, text: &str) {
        run(self.tmux().args(["send-keys", "-t", "kiln", "-l", text]));
    }

    /// Presses a key by tmux's name of it.
    pub fn press(&self, key: &str) {
        run(self.tmux().args(["send-keys", "-t", "kiln", key]));
    }

    /// Clicks on the first place where it shows `words`, as a terminal tells it: a press and a release, with the place in
    /// columns and rows from 1.
    #[track_caller]
    pub fn click(&self, words: &str) {
        let place = self.place(words);
        self.types(&format!("\u{1b}[<0;{place}M\u{1b}[<0;{place}m"));
    }

    /// Turns the wheel by one notch towards the end, with the pointer on the first place where it shows `words`.
    #[track_caller]
    pub fn turn_wheel(&self, words: &str) {
        self.types(&format!("\u{1b}[<65;{}M", self.place(words)));
    }

    #[track_caller]
    fn place(&self, words: &str) -> String {
        let shown = self.until(&[words]);
        let lines = shown.lines().enumerate();
        let mut found = lines.filter_map(|(row, line)| {
            let column = line[..line.find(words)?].chars().count();
            Some(format!("{};{}", column + 1, row + 1))
        });
        found.next().expect("it is on the screen")
    }

    /// Which of its mouse the program asked for: presses, drags, every motion, and coordinates as SGR; 1 each.
    pub fn mouse(&self) -> String {
        let flags = "#{mouse_standard_flag} #{mouse_button_flag} #{mouse_all_flag} #{mouse_sgr_flag}";
        let output = run(self.tmux().args(["display-message", "-p", "-t", "kiln", flags]));
        String::from_utf8(output.stdout).expect("tmux gives ASCII").trim().to_owned()
    }

    /// Waits until the program has asked for that of its mouse.
    #[track_caller]
    pub fn until_mouse(&self, flags: &str) {
        until(&format!("the mouse to be {flags}"), LONG, || (self.mouse() == flags).then_some(()));
    }

    /// Gives the window another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        run(self.tmux().args(["resize-window", "-t", "kiln", "-x", &columns, "-y", &rows]));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").output();
    }
}

/// Runs a program that must succeed.
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error} (is tmux there?)"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// `kiln` on the screen, in this home.
pub fn command(kiln: &Kiln, args: &str) -> String {
    format!("KILN_HOME='{}' {} {args}", kiln.home().display(), env!("CARGO_BIN_EXE_kiln"))
}
