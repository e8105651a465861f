//! `kiln simulate`: one virtual token behind a real `pcscd`, in the hands of whoever writes to its standard input; or a key
//! whose USB reports go over standard input and output.
//!
//! Each line on standard input is something a person would do with the token, and is answered by one JSON object on
//! standard output, so that a script can ask and wait. What happens on the reader's side (a write, a yank) is told
//! on standard error, one JSON object a line.

mod args;
mod error;
mod make;
mod talk;

pub use args::{AtEof, SimulateArgs, Touch, YesNo};
pub use error::SimulateError;

use self::make::{Carried, Family, family, make};
use self::talk::{Answer, Control, Event, Place, Refusal, write_line};
use crate::{
    domain::{Clock, Profile},
    sim::{
        Counters, Fault, VirtualToken, hid,
        vpcd::{Card, Happened, VpcdError},
    },
};
use std::{
    fs,
    io::{self, BufRead, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Where a token is kept. One at a time writes there: the hand at the controls, or the reader's side.
#[derive(Clone)]
struct Memory(Arc<Mutex<PathBuf>>);

impl Memory {
    fn new(path: PathBuf) -> Self {
        Self(Arc::new(Mutex::new(path)))
    }

    fn keep(&self, token: &VirtualToken) -> Result<(), SimulateError> {
        keep(&self.0.lock().unwrap_or_else(PoisonError::into_inner), token)
    }
}

/// Replaces the file in one step; it holds seeds, so nobody else may read it at any moment.
fn keep(path: &Path, token: &VirtualToken) -> Result<(), SimulateError> {
    let replace = || -> io::Result<()> {
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(token.save().as_bytes())?;
        fs::rename(&fresh, path)
    };
    replace().map_err(|source| SimulateError::StateFile { path: path.to_owned(), source })
}

/// The token, its reader and its state file, in one hand.
struct Hand {
    token: VirtualToken,
    card: Card,
    state: Option<Memory>,
}

impl Hand {
    fn place(&self) -> Place {
        Place { placed: self.card.lies(), on: !self.token.is_dark() }
    }

    fn armed(&self) -> Vec<String> {
        self.token.faults().iter().map(Fault::to_string).collect()
    }

    /// Lets the reader notice that the token on it was switched on or off.
    fn after_switch(&mut self) -> Result<(), VpcdError> {
        if self.card.lies() { self.card.place() } else { Ok(()) }
    }

    fn act(&mut self, control: Control) -> Result<Answer, SimulateError> {
        let answer = match control {
            Control::Show(profile) => {
                let (clock, display) = (self.token.clock().0, self.token.display(profile));
                return Ok(Answer::Show { profile, clock, display });
            }
            Control::Stats => {
                return Ok(Answer::Stats {
                    serial: self.token.serial(),
                    clock: self.token.clock().0,
                    counters: self.token.counters(),
                    standing: self.token.standing(),
                    place: self.place(),
                });
            }
            Control::Take => {
                self.card.take();
                Answer::Take(self.place())
            }
            Control::Place => {
                self.card.place()?;
                Answer::Place(self.place())
            }
            Control::Off => {
                self.token.switch_off();
                self.after_switch()?;
                Answer::Off(self.place())
            }
            Control::On => {
                self.token.switch_on();
                self.after_switch()?;
                Answer::On(self.place())
            }
            Control::Button => {
                self.token.press_button();
                self.after_switch()?;
                Answer::Button(self.place())
            }
            Control::Arm(fault) => {
                self.token.arm(fault);
                Answer::Fault { armed: self.armed() }
            }
            Control::Clear => {
                self.token.clear_faults();
                Answer::Clear { armed: self.armed() }
            }
            Control::Quit => {
                self.card.take();
                Answer::Quit
            }
        };
        if let Some(memory) = &self.state {
            memory.keep(&self.token)?;
        }
        Ok(answer)
    }
}

/// Keeps the state and tells what happened, on the card's own thread, before the reader learns of it: like a real
/// token, this one has stored what it says it has.
fn watcher(
    state: Option<Memory>,
    events: impl Write + Send + 'static,
    writes_so_far: u64,
) -> impl Fn(&VirtualToken, Happened) + Send + Sync + 'static {
    let events = Mutex::new((events, writes_so_far));
    move |token, happened| {
        let (events, writes_told) = &mut *events.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody listening to events is no reason for a token to stop working.
        let mut tell = |event: &Event| drop(write_line(events, event));
        if let Some(memory) = &state
            && let Err(error) = memory.keep(token)
        {
            tell(&Event::StateNotKept(Refusal::of(&error)));
        }
        let Counters { writes, last_written, .. } = token.counters();
        if writes != *writes_told {
            *writes_told = writes;
            let display = token.display(last_written.unwrap_or(Profile::ZERO));
            tell(&Event::Written { writes, profile: last_written, display });
        }
        match happened {
            Happened::Exchange => {}
            Happened::TornOff => tell(&Event::TornOff),
            Happened::WentDark => tell(&Event::WentDark),
            Happened::ReaderLost => tell(&Event::ReaderLost),
        }
    }
}

/// Lets a finger come each time, as long as the program runs.
fn touched_from_now_on(token: &VirtualToken) -> io::Result<()> {
    let token = token.clone();
    let finger = move || {
        loop {
            token.touch_within(Duration::from_secs(3600));
        }
    };
    std::thread::Builder::new().name("finger".into()).spawn(finger).map(drop)
}

/// Runs one virtual key as a USB device whose reports come on `input` and go to `output`, until either ends or the key is
/// torn off.
pub fn run_on_usb(
    args: &SimulateArgs,
    clock: Arc<dyn Clock>,
    input: impl io::Read + Send + 'static,
    output: &mut dyn Write,
    events: impl Write + Send + 'static,
) -> Result<(), SimulateError> {
    if !matches!(family(&args.model), Some(Family::OtpKey(Carried::All)) | None) {
        return Err(SimulateError::NotUsb(args.model.clone()));
    }
    let token = make(args, clock)?;
    let memory = args.state.clone().map(Memory::new);
    if let Some(memory) = &memory {
        memory.keep(&token)?;
    }
    if args.touch == Some(Touch::AtOnce) {
        touched_from_now_on(&token)?;
    }
    let watcher = watcher(memory, events, token.counters().writes);
    hid::over_stdio(token, input, output, |token| watcher(token, Happened::Exchange))?;
    Ok(())
}

/// Runs one virtual token until `quit`, or until `controls` ends. Answers go to `answers`, what happens on the reader's
/// side to `events`. When this returns the token has left the reader.
pub fn run(
    args: &SimulateArgs,
    clock: Arc<dyn Clock>,
    controls: impl BufRead,
    answers: &mut dyn Write,
    events: impl Write + Send + 'static,
) -> Result<(), SimulateError> {
    let token = make(args, clock)?;
    let memory = args.state.clone().map(Memory::new);
    if let Some(memory) = &memory {
        memory.keep(&token)?;
    }
    let watcher = watcher(memory.clone(), events, token.counters().writes);
    if args.touch == Some(Touch::AtOnce) {
        touched_from_now_on(&token)?;
    }
    // clap wants a port wherever the key is not on USB.
    let port = args.vpcd.unwrap_or_default();
    let mut hand = Hand { card: Card::new(port, token.clone(), watcher), token, state: memory };
    hand.card.place()?;
    for line in controls.lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let done = match Control::parse(&line) {
            Err(refusal) => Err(refusal),
            Ok(control) => hand.act(control).map_err(|error| Refusal::of(&error)),
        };
        match done {
            Err(refusal) => write_line(answers, &refusal)?,
            Ok(answer) => {
                write_line(answers, &answer)?;
                if matches!(answer, Answer::Quit) {
                    return Ok(());
                }
            }
        }
    }
    match args.at_eof {
        AtEof::Quit => Ok(()),
        AtEof::Stay => loop {
            // Only a signal ends this; the card's own thread does the work meanwhile.
            std::thread::park();
        },
    }
}

#[cfg(test)]
mod tests;
