//! What a person's hand and eyes do with a token.

use super::{
    LONG,
    kiln::Simulated,
    oathtool,
    pcscd::{Pcscd, Reader},
    scene::Watch,
    until,
};
use serde_json::Value;
use std::path::PathBuf;

/// A virtual token that keeps its memory in a file, and the reader that it was last put on.
pub struct Token {
    /// The token's program.
    pub sim: Simulated,
    /// What it calls itself.
    pub serial: String,
    /// Where it lies, or lay last.
    pub reader: Reader,
    memory: PathBuf,
}

/// A code on a display.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The digits.
    pub code: String,
    /// The token's clock, in seconds.
    pub clock: u64,
    /// Whether it was worked out before the last write.
    pub stale: bool,
    /// What stands above it.
    pub title: Option<String>,
}

impl Token {
    /// Puts a new token on `reader`; `more` goes to the command line of `kiln simulate`.
    #[track_caller]
    pub fn place_new(model: &str, serial: &str, reader: &Reader, more: &[&str]) -> Self {
        let memory = std::env::temp_dir().join(format!("memory-{serial}.json"));
        let state = memory.display().to_string();
        let sim = Simulated::start(model, serial, reader.port, &[more, &["--state", &state]].concat());
        Self { sim, serial: serial.to_owned(), reader: reader.clone(), memory }
    }

    /// Puts it down where it lay before.
    #[track_caller]
    pub fn place(&mut self) {
        let answer = self.sim.ask("place");
        assert_eq!(answer["placed"], true, "{answer}");
    }

    /// Lets something go wrong with it: `yank-after:4`, say.
    #[track_caller]
    pub fn arm(&mut self, fault: &str) {
        let answer = self.sim.ask(&format!("fault {fault}"));
        assert_eq!(answer["armed"], serde_json::json!([fault]), "{answer}");
    }

    /// Touches a key as soon as it waits for that.
    #[track_caller]
    pub fn touch(&mut self) {
        let what = format!("key {} to wait for a touch", self.serial);
        until(&what, LONG, || (self.sim.ask("show")["display"] == "asks").then_some(()));
        self.sim.ask("button");
    }

    /// Takes it away.
    #[track_caller]
    pub fn take(&mut self) {
        let answer = self.sim.ask("take");
        assert_eq!(answer["placed"], false, "{answer}");
    }

    /// Waits until a fault has torn it off its reader.
    #[track_caller]
    pub fn await_torn(&mut self) {
        let what = format!("token {} to be torn off", self.serial);
        until(&what, LONG, || (self.sim.ask("stats")["placed"] == false).then_some(()));
    }

    /// Waits until `count` commands have reached it.
    #[track_caller]
    pub fn await_commands(&mut self, count: u64) {
        let what = format!("command {count} to token {}", self.serial);
        until(&what, LONG, || (self.stat("commands") >= count).then_some(()));
    }

    /// One of its counters.
    #[track_caller]
    pub fn stat(&mut self, name: &str) -> u64 {
        let stats = self.sim.ask("stats");
        stats[name].as_u64().unwrap_or_else(|| panic!("no {name} in {stats}"))
    }

    /// What its display shows of a profile right now; `None` where no code.
    #[track_caller]
    pub fn show(&mut self, profile: u8) -> Option<Shown> {
        let shown = self.sim.ask(&format!("show {profile}"));
        Some(Shown {
            code: shown["code"].as_str()?.to_owned(),
            clock: shown["clock"].as_u64()?,
            stale: shown["stale"].as_bool()?,
            title: shown["title"].as_str().map(str::to_owned),
        })
    }

    /// The code after the token was switched off and on, as a person reads it who was told to.
    #[track_caller]
    pub fn read(&mut self, profile: u8) -> Shown {
        self.sim.ask("off");
        self.sim.ask("on");
        let shown = self
            .show(profile)
            .unwrap_or_else(|| panic!("token {} shows no code in profile {profile}", self.serial));
        assert!(!shown.stale, "switched off and on, token {} still shows a stale code", self.serial);
        shown
    }

    /// The file that is its memory.
    pub fn memory(&self) -> PathBuf {
        self.memory.clone()
    }

    /// The seeds in its memory, by profile, in hex: the token's own truth.
    #[track_caller]
    pub fn seeds(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.memory)
            .unwrap_or_else(|error| panic!("{}: {error}", self.memory.display()));
        seeds_in(&serde_json::from_str(&text).expect("a token's memory is JSON"))
    }

    /// Fails unless the display shows, after off and on, what `oathtool` computes.
    #[track_caller]
    pub fn expect_code(&mut self, profile: u8, seed_base32: &str, hash: &str, digits: u32, period: u32) {
        let shown = self.read(profile);
        let right = oathtool::code(seed_base32, hash, digits, period, shown.clock);
        assert_eq!(shown.code, right, "profile {profile} of token {} at {}", self.serial, shown.clock);
    }
}

/// The seeds in a token's saved state, by profile, in hex.
pub fn seeds_in(saved: &Value) -> Vec<String> {
    let memory = &saved["state"]["memory"];
    let places = match memory["places"]
        .as_array()
        .or(memory["credentials"].as_array())
        .or(memory["entries"].as_array())
    {
        Some(places) => places.clone(),
        None => vec![memory.clone()],
    };
    places
        .iter()
        .filter_map(|place| place["seed"].as_str().or(place["key"].as_str()).filter(|seed| !seed.is_empty()))
        .map(str::to_owned)
        .collect()
}

/// Puts all of `tokens` back, as many at a time as there are readers, each round until the station has done with its tokens.
/// They must be off their readers.
#[track_caller]
pub fn return_all(pcscd: &Pcscd, tokens: &mut [Token], watch: &Watch) {
    let mut left = tokens;
    while !left.is_empty() {
        // As many as have readers of their own.
        let mut count = 1;
        while count < left.len() && left[..count].iter().all(|token| token.reader != left[count].reader) {
            count += 1;
        }
        let (round, rest) = left.split_at_mut(count);
        for token in round.iter_mut() {
            pcscd.await_removal(&token.reader);
            token.place();
        }
        watch.until_taken(&round.iter().map(|token| token.serial.clone()).collect::<Vec<_>>());
        for token in round.iter_mut() {
            token.take();
        }
        left = rest;
    }
}
