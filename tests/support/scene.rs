//! A station as an operator sets it up for a burn, and what its records say, as JSON.

use super::{
    LONG,
    child::{Lines, Owned},
    hand::Token,
    kiln::{Kiln, Station},
    namespace, until,
};
use age::secrecy::ExposeSecret;
use serde_json::Value;
use std::{cell::Cell, os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio, time::Duration};

/// A home whose vault is opened by an age key, which costs none of the work that a passphrase is made to cost.
pub struct Scene {
    /// The home, and the binary in it.
    pub kiln: Kiln,
    recipient: String,
    identity: PathBuf,
    made: Cell<bool>,
}

impl Scene {
    /// With a new home. Nothing runs yet.
    pub fn new() -> Self {
        let kiln = Kiln::new();
        let key = age::x25519::Identity::generate();
        let identity = kiln.write("identity.txt", key.to_string().expose_secret());
        Self { kiln, recipient: key.to_public().to_string(), identity, made: Cell::new(false) }
    }

    /// Starts a station in the foreground with this environment and opens its vault. The first time the vault is made,
    /// and burns are allowed whatever the machine's clock is worth.
    #[track_caller]
    pub fn start(&self, env: &[(&str, &str)]) -> Station {
        let station = Station::start_with(&self.kiln, env);
        if self.made.replace(true) {
            self.unlock();
        } else {
            self.run(&["init", "--age", &self.recipient]);
            self.run(&["clock", "override", "--for", "12h"]);
        }
        station
    }

    /// The same, with one more recipe in the home.
    #[track_caller]
    pub fn start_with_recipe(&self, recipe: &str, env: &[(&str, &str)]) -> Station {
        self.add_recipe(recipe);
        self.start(env)
    }

    /// Puts a recipe into the home.
    #[track_caller]
    pub fn add_recipe(&self, recipe: &str) {
        let name = recipe.lines().find_map(|line| line.strip_prefix("name = ")).expect("a recipe has a name");
        let recipes = self.kiln.home().join("profiles/recipes");
        std::fs::create_dir_all(&recipes).expect("the home is writable");
        let file = recipes.join(format!("{}.toml", name.trim_matches('"')));
        std::fs::write(file, recipe).expect("the home is writable");
        std::fs::set_permissions(self.kiln.home(), std::fs::Permissions::from_mode(0o700))
            .expect("the home is ours");
    }

    /// Opens the vault.
    #[track_caller]
    pub fn unlock(&self) {
        let identity = self.identity.display().to_string();
        self.run(&["unlock", "--identity", &identity]);
    }

    /// A verb that must succeed; gives its standard output.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> String {
        self.kiln.run(args).expect(0).stdout
    }

    /// A verb that must succeed, with `--json`.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        self.kiln.run(&[args, &["--json"]].concat()).expect(0).json()
    }

    /// Every job of a batch.
    #[track_caller]
    pub fn jobs(&self, batch: &str) -> Vec<Value> {
        let page = self.json(&["batch", "show", batch, "--jobs", "--all"]);
        page["items"].as_array().unwrap_or_else(|| panic!("no page of jobs: {page}")).clone()
    }

    /// The job that a token holds, or held.
    #[track_caller]
    pub fn job_of(&self, batch: &str, serial: &str) -> Option<Value> {
        self.jobs(batch).into_iter().find(|job| job["serial"] == serial)
    }

    /// Where the job stands that a token holds, or held; "none" where there is none.
    #[track_caller]
    pub fn state_of(&self, batch: &str, serial: &str) -> String {
        match self.job_of(batch, serial) {
            Some(job) => job["state"].as_str().expect("a state is a word").to_owned(),
            None => "none".to_owned(),
        }
    }

    /// A slot, once one says something with `text` in it.
    #[track_caller]
    pub fn slot_says(&self, text: &str) -> Value {
        until(&format!("a slot that says \"{text}\""), LONG, || {
            let slots = self.json(&["slots"]);
            let says = |slot: &&Value| slot["says"].as_str().is_some_and(|says| says.contains(text));
            slots.as_array()?.iter().find(says).cloned()
        })
    }

    /// The station calls the code right that a token shows in a profile, switched off and on.
    #[track_caller]
    pub fn verify(&self, token: &mut Token, profile: u8) {
        let shown = token.read(profile);
        self.run(&["verify", &token.serial, &shown.code, "--profile", &profile.to_string()]);
    }

    /// Makes a batch of random seeds and starts it. Nobody is asked to look at displays: the test does.
    #[track_caller]
    pub fn random_batch(&self, name: &str, count: usize, model: &str, recipe: &str) {
        let count = count.to_string();
        self.run(&[
            "batch", "new", name, "--count", &count, "--model", model, "--recipe", recipe, "--seen", "0,0",
        ]);
        self.run(&["batch", "start", name]);
    }
}

/// `kiln watch --json`: the snapshot, then events.
pub struct Watch {
    /// The state when the watching began.
    pub snapshot: Value,
    process: Owned,
    lines: Lines,
}

impl Watch {
    /// Begins to watch.
    #[track_caller]
    pub fn start(kiln: &Kiln) -> Self {
        let mut command = kiln.command(&["watch", "--json"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(namespace::log_file("watch"));
        let mut process = Owned::start("kiln watch", &mut command, "");
        let lines = process.lines();
        let snapshot = parse(&lines.next(LONG));
        assert!(snapshot["last_event"].is_u64(), "the first line is no snapshot: {snapshot}");
        Self { snapshot, process, lines }
    }

    /// Sends its process a signal.
    pub fn signal(&mut self, signal: nix::sys::signal::Signal) {
        self.process.signal(signal);
    }

    /// The next line: an event, or another snapshot where it was too slow.
    #[track_caller]
    pub fn next(&self) -> Value {
        parse(&self.lines.next(LONG))
    }

    /// Waits until `found` has seen what it looks for; what comes before is lost.
    #[track_caller]
    pub fn until<T>(&self, what: &str, found: impl FnMut(&Value) -> Option<T>) -> T {
        self.within(LONG, what, found)
    }

    /// The same with another limit.
    #[track_caller]
    pub fn within<T>(&self, limit: Duration, what: &str, mut found: impl FnMut(&Value) -> Option<T>) -> T {
        let start = std::time::Instant::now();
        let mut heard = Vec::new();
        loop {
            let left = limit.saturating_sub(start.elapsed());
            match self.lines.within(left) {
                Some(line) => {
                    let event = parse(&line);
                    if let Some(answer) = found(&event) {
                        return answer;
                    }
                    heard.push(line);
                }
                None => {
                    let last = &heard[heard.len().saturating_sub(12)..];
                    panic!("no event came for {what}; the last {}:\n{}", last.len(), last.join("\n"));
                }
            }
        }
    }

    /// Waits until every token of `serials` lies on a slot that has done with it: "take".
    #[track_caller]
    pub fn until_taken(&self, serials: &[String]) {
        let mut left: Vec<&String> = serials.iter().collect();
        self.until(&format!("\"take\" for {serials:?}"), |event| {
            if event["event"] == "slot" && event["doing"] == "take" {
                left.retain(|serial| event["serial"] != **serial);
            }
            left.is_empty().then_some(())
        });
    }

    /// Everything from now to the end of the stream, which must come.
    #[track_caller]
    pub fn rest(mut self) -> Vec<Value> {
        let status = self.process.wait(LONG);
        assert!(status.success(), "the watching ended with {status}");
        self.lines.rest().iter().map(|line| parse(line)).collect()
    }
}

#[track_caller]
fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("kiln watch --json: {error}: {line}"))
}

/// One code of what `kiln otp read` or another reader of keys answered, by its id or name.
#[track_caller]
pub fn code_of<'v>(answer: &'v Value, name: &str) -> &'v Value {
    let codes = answer["codes"].as_array().expect("codes are a list");
    let named = |code: &&Value| code["id"] == name || code["name"] == name;
    codes.iter().find(named).unwrap_or_else(|| panic!("no {name}: {answer}"))
}
