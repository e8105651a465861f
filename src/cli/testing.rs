//! What the tests of the verbs share: a desk to sit at and a station with scripted answers.

use super::{Ask, Cli, Exit, Io, News, Prompt, Route, Start, Stream, run, run_diagnose, run_otp};
use crate::domain::{Catalog, Clock, ClockState, Proof, UnixMillis};
use crate::face::{
    BatchView, ClockView, Command, Failure, JobCounts, ProofCounts, Reply, Snapshot, TokenLine, VaultState,
};
use crate::vault::holder::AskPassphrase;
use clap::Parser;
use std::{cell::RefCell, collections::VecDeque, io, rc::Rc, sync::Arc};
use zeroize::Zeroizing;

/// 2026-01-02T03:04:05Z.
pub const NOW: UnixMillis = UnixMillis(1_767_323_045_000);

/// Stands for the arguments that `app` puts in.
#[derive(Debug, clap::Args)]
pub struct NoArgs {}

/// The time is [`NOW`].
pub struct Noon;

impl Clock for Noon {
    fn now(&self) -> UnixMillis {
        NOW
    }
    fn state(&self) -> ClockState {
        ClockState::Simulated
    }
}

/// What a person at a desk types and sees.
#[derive(Default)]
pub struct Desk {
    out: Vec<u8>,
    err: Vec<u8>,
    input: io::Cursor<Vec<u8>>,
    prompt: Script,
    out_is_terminal: bool,
    in_is_terminal: bool,
}

#[derive(Default)]
struct Script {
    answers: VecDeque<String>,
    asked: Vec<String>,
}

impl Script {
    fn answer(&mut self, label: &str) -> io::Result<String> {
        self.asked.push(label.into());
        self.answers.pop_front().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Prompt for Script {
    fn secret(&mut self, label: &str) -> io::Result<Zeroizing<String>> {
        self.answer(label).map(Zeroizing::new)
    }
    fn line(&mut self, label: &str) -> io::Result<String> {
        self.answer(label)
    }
    fn for_private_key(&self) -> AskPassphrase {
        Arc::new(|| None)
    }
}

impl Desk {
    /// Somebody sits at a terminal and types these lines when asked.
    pub fn terminal(answers: &[&str]) -> Self {
        let answers = answers.iter().map(|answer| (*answer).to_owned()).collect();
        let prompt = Script { answers, asked: Vec::new() };
        Self { prompt, in_is_terminal: true, ..Self::default() }
    }

    /// A script with this on standard input.
    pub fn input(text: &str) -> Self {
        Self { input: io::Cursor::new(text.into()), ..Self::default() }
    }

    /// Standard output is a terminal.
    pub fn showing() -> Self {
        Self { out_is_terminal: true, ..Self::default() }
    }

    pub fn io(&mut self) -> Io<'_> {
        Io {
            out: &mut self.out,
            err: &mut self.err,
            input: &mut self.input,
            out_is_terminal: self.out_is_terminal,
            prompt: if self.in_is_terminal { Some(&mut self.prompt) } else { None },
            colour: false,
            clock: &Noon,
        }
    }

    pub fn out(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }

    pub fn err(&self) -> String {
        String::from_utf8(self.err.clone()).unwrap()
    }

    pub fn asked(&self) -> &[String] {
        &self.prompt.asked
    }

    /// Runs `kiln LINE` (split at blanks) against `station`.
    pub fn kiln(&mut self, line: &str, station: &Scripted) -> Exit {
        let words = std::iter::once("kiln").chain(line.split_whitespace());
        let cli = Cli::<NoArgs>::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        match cli.route() {
            (global, Route::Asks(asks)) => run(asks, global, &mut self.io(), &mut station.connector()),
            (_, Route::Diagnose(args)) => run_diagnose(&args, &Catalog::built_in(), &mut self.io()),
            (_, Route::Otp(otp)) => run_otp(&otp, &mut self.io()),
            (_, other) => panic!("{other:?} asks no station alone"),
        }
    }
}

/// What a subscriber hears.
type Heard = (Snapshot, Vec<News>);

/// A station that gives these answers in turn and remembers, as JSON, what it was asked.
#[derive(Clone, Default)]
pub struct Scripted {
    answers: Rc<RefCell<VecDeque<Result<Reply, Failure>>>>,
    asked: Rc<RefCell<Vec<serde_json::Value>>>,
    heard: Rc<RefCell<Option<Heard>>>,
    absent: bool,
}

impl Scripted {
    pub fn new(answers: impl IntoIterator<Item = Reply>) -> Self {
        let answers = Rc::new(RefCell::new(answers.into_iter().map(Ok).collect()));
        Self { answers, ..Self::default() }
    }

    pub fn failing(failure: Failure) -> Self {
        Self { answers: Rc::new(RefCell::new([Err(failure)].into())), ..Self::default() }
    }

    /// No station runs.
    pub fn absent() -> Self {
        Self { absent: true, ..Self::default() }
    }

    pub fn with_news(self, snapshot: Snapshot, news: Vec<News>) -> Self {
        *self.heard.borrow_mut() = Some((snapshot, news));
        self
    }

    pub fn connector(&self) -> impl FnMut(Start) -> Result<Option<Box<dyn Ask>>, Failure> + use<> {
        let station = self.clone();
        move |start| match (start, station.absent) {
            (Start::Never, true) => Ok(None),
            _ => Ok(Some(Box::new(station.clone()))),
        }
    }

    /// What was asked, as it would cross the socket.
    pub fn asked(&self) -> Vec<serde_json::Value> {
        self.asked.borrow().clone()
    }
}

impl Ask for Scripted {
    fn ask(&mut self, command: Command) -> Result<Reply, Failure> {
        self.asked.borrow_mut().push(serde_json::to_value(&command).unwrap());
        self.answers.borrow_mut().pop_front().unwrap_or_else(|| panic!("nobody expected {command:?}"))
    }

    fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").into()
    }

    fn subscribe(self: Box<Self>) -> Result<(Snapshot, Stream), Failure> {
        let (snapshot, news) = self.heard.borrow_mut().take().expect("nobody expected a subscriber");
        Ok((snapshot, Box::new(news.into_iter().map(Ok))))
    }
}

/// A station with an open vault and nothing to do.
pub fn snapshot() -> Snapshot {
    Snapshot {
        last_event: 41,
        at: NOW,
        slots: vec![],
        batches: vec![],
        queue: vec![],
        alarms: vec![],
        clock: clock(),
        vault: VaultState::Open,
        clients: 1,
        attached: vec![],
    }
}

pub fn clock() -> ClockView {
    ClockView {
        now: NOW,
        state: ClockState::Synchronised { max_error_ms: 12 },
        burns_allowed: true,
        override_until: None,
        keeper: None,
    }
}

pub fn batch(name: &str, state: &str, jobs: JobCounts) -> BatchView {
    let proofs = ProofCounts { written: jobs.burned, ..ProofCounts::default() };
    BatchView {
        name: name.into(),
        state: state.into(),
        reason: None,
        jobs,
        proofs,
        created: NOW,
        priority: 0,
        sweep: None,
    }
}

/// A burned token of alice's.
pub fn token_line(serial: &str) -> TokenLine {
    TokenLine {
        serial: serial.parse().unwrap(),
        model: Some("miniotp-2-i".into()),
        upn: Some("alice@example.com".into()),
        profiles: 1,
        proof: Some(Proof::Written),
        last_seen: Some(NOW),
        scrapped: None,
        batch: None,
    }
}
