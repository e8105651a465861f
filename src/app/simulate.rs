//! `kiln simulate`: one virtual token behind a real `pcscd`, in the hands of whoever writes to its standard input; or a key
//! whose USB reports go over standard input and output.
//!
//! Each line on standard input is something a person would do with the token, and is answered by one JSON object on
//! standard output, so that a script can ask and wait. What happens on the reader's side (a write, a yank) is told
//! on standard error, one JSON object a line.

use crate::{
    domain::{Clock, CustomerKey, Profile, Serial},
    remedy::{Remedy, Retry},
    sim::{
        Challenges, Counters, Display, Fault, Standing, StateError, Surroundings, Ticking, VirtualToken, hid,
        molto2::{self, Generation},
        token2_otp,
        token2_single::{self, AutoOff, TimeSync},
        vpcd::{Card, Happened, VpcdError},
        ykoath::{self, Make},
    },
};
use clap::ValueEnum;
use serde::Serialize;
use std::{
    fs,
    io::{self, BufRead, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use zeroize::Zeroizing;

/// What `kiln simulate` takes on its command line.
#[derive(Debug, clap::Args)]
pub struct SimulateArgs {
    /// Which model the token is, such as c302-i, molto2-v2 or yubikey-5
    #[arg(long)]
    pub model: String,
    /// The serial it tells
    #[arg(long)]
    pub serial: Serial,
    /// The port on which the virtual reader's driver listens
    #[arg(long, value_name = "PORT", required_unless_present = "stdio")]
    pub vpcd: Option<u16>,
    /// Be a key on USB: reports of 64 bytes come on standard input and go to standard output, until either ends
    #[arg(long, conflicts_with = "vpcd")]
    pub stdio: bool,
    /// How many seconds its clock is fast at the start; negative: slow
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, allow_negative_numbers = true)]
    pub drift: f64,
    /// How many microseconds its clock gains in each second
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    pub ppm: f64,
    /// A file with the key it takes, in hex: a Molto2's customer key of any length, the password of a key's OATH applet,
    /// another token's device key of 16 bytes
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// What is to go wrong: yank-before:N, yank-after:N, mute:N, status:N:XXXX, delay:MS, forget, wrong-key
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<Fault>,
    /// How much longer than necessary each exchange takes, in milliseconds
    #[arg(long, value_name = "MS")]
    pub delay_ms: Option<u32>,
    /// Whether setting the clock clears the seed; as the model does it, unless said here
    #[arg(long)]
    pub restricted: Option<YesNo>,
    /// Start with a seed from the factory; a Molto2 always does
    #[arg(long)]
    pub filled: bool,
    /// Lock after so many wrong answers; a Molto2 after 10, others never, unless said here
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub attempts: Option<u8>,
    /// Whether a finger comes whenever a key waits for one; by the button alone, unless said here
    #[arg(long, value_enum, value_name = "WHEN")]
    pub touch: Option<Touch>,
    /// How long a Token2 key waits for a touch, in milliseconds; 15000, unless said here
    #[arg(long, value_name = "MS")]
    pub patience_ms: Option<u32>,
    /// A Token2 key wants a touch for each write
    #[arg(long)]
    pub touch_to_write: bool,
    /// How many entries fit on a Token2 key; 50, unless said here
    #[arg(long, value_name = "N")]
    pub capacity: Option<u8>,
    /// A Token2 key keeps no counter-based entries
    #[arg(long)]
    pub no_counters: bool,
    /// Go dark after the display timeout, as real tokens do
    #[arg(long)]
    pub auto_off: bool,
    /// Keep the token in this file, so that it is the same token next time; what the file holds goes before --drift,
    /// --ppm and --filled
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// What to do when standard input ends
    #[arg(long, value_enum, default_value_t = AtEof::Quit)]
    pub at_eof: AtEof,
}

/// An answer on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    /// It does.
    Yes,
    /// It doesn't.
    No,
}

/// When a finger comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Touch {
    /// As soon as the key waits for it.
    AtOnce,
    /// Never by itself.
    Never,
}

/// What becomes of the token when nobody can tell it anything any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AtEof {
    /// Leave the reader and end, so that no ghost stays behind.
    Quit,
    /// Stay on the reader until the program is killed.
    Stay,
}

/// Why a virtual token can't be put on its reader.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// No such model.
    #[error("no virtual token of the model \"{0}\" can be made")]
    UnknownModel(String),
    /// A token that is no USB key.
    #[error("a token of the model \"{0}\" does not speak USB HID")]
    NotUsb(String),
    /// The key can't be read.
    #[error("the key file {} can't be read: {source}", path.display())]
    KeyFile {
        /// Where it should be.
        path: PathBuf,
        /// What reading it said.
        source: io::Error,
    },
    /// The key is not written in hex.
    #[error("the key file {} doesn't hold one key in hex", .0.display())]
    KeyNotHex(PathBuf),
    /// The key has the wrong length for this model.
    #[error("the key file {} holds {found} bytes; the device key of a single-profile token has 16", path.display())]
    KeyLength {
        /// Which file.
        path: PathBuf,
        /// How many bytes.
        found: usize,
    },
    /// The state can't be read or written.
    #[error("the state file {} can't be used: {source}", path.display())]
    StateFile {
        /// Which file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The state is not this token's.
    #[error(transparent)]
    State(#[from] StateError),
    /// The reader can't be reached.
    #[error(transparent)]
    Reader(#[from] VpcdError),
    /// Nobody reads the answers.
    #[error("the control lines can't be read or answered: {0}")]
    Control(#[from] io::Error),
}

impl Remedy for SimulateError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::UnknownModel(_) => {
                "name a Token2 model (miniotp-2-i, miniotp-3-i, miniotp-3-i-nb, c301-i, c302-i, otpc-p1-i, otpc-p2-i, otpc-p2-i-nb, molto2-v1, molto2-v2, token2-pin-plus, token2-fido-card) or a key (yubikey-5, nitrokey-3, solo-2, canokey)"
            }
            Self::NotUsb(_) => "use --vpcd PORT for it, or name a key that does: token2-pin-plus",
            Self::KeyFile { .. } => "name a file that this user may read",
            Self::KeyNotHex(_) => "write the key as hex digits and nothing else, two for each byte",
            Self::KeyLength { .. } => {
                "write 32 hex digits, or leave --key-file out for the published device key"
            }
            Self::StateFile { .. } => "name a file in a directory that this user may write to",
            Self::State(error) => error.remedy(),
            Self::Reader(error) => error.remedy(),
            Self::Control(_) => {
                "keep both ends of the virtual token's input and output open until it has quit"
            }
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::UnknownModel(_) | Self::NotUsb(_) | Self::KeyNotHex(_) | Self::KeyLength { .. } => {
                Retry::Never
            }
            Self::KeyFile { .. } | Self::StateFile { .. } | Self::Control(_) => Retry::AfterOperator,
            Self::State(error) => error.retry(),
            Self::Reader(error) => error.retry(),
        }
    }
}

/// What a model is to the simulation.
enum Family {
    Single(TimeSync),
    Molto2(Generation),
    Key(Make),
    OtpKey(Carried),
}

/// What a Token2 key's reader carries.
enum Carried {
    /// Commands of either form, as USB and NFC do.
    All,
    /// Short ones only: a card in a contact reader.
    Short,
}

/// token2-single.md sections 5 and 6, molto2.md section 1.
fn family(model: &str) -> Option<Family> {
    Some(match model {
        "miniotp-2-i" | "otpc-p1-i" | "c302-i" => Family::Single(TimeSync::Unrestricted),
        "miniotp-3-i" | "miniotp-3-i-nb" | "c301-i" | "otpc-p2-i" | "otpc-p2-i-nb" => {
            Family::Single(TimeSync::Restricted)
        }
        "molto2-v1" => Family::Molto2(Generation::V1),
        "molto2-v2" => Family::Molto2(Generation::V2),
        "yubikey-5" => Family::Key(Make::YubiKey),
        "nitrokey-3" => Family::Key(Make::Nitrokey),
        "solo-2" => Family::Key(Make::Solo),
        "canokey" => Family::Key(Make::CanoKey),
        "token2-pin-plus" => Family::OtpKey(Carried::All),
        "token2-fido-card" => Family::OtpKey(Carried::Short),
        _ => return None,
    })
}

fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, SimulateError> {
    let text = fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|source| SimulateError::KeyFile { path: path.to_owned(), source })?;
    match data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()) {
        Ok(key) if !key.is_empty() => Ok(Zeroizing::new(key)),
        Ok(_) | Err(_) => Err(SimulateError::KeyNotHex(path.to_owned())),
    }
}

/// The token that the command line describes, with its faults armed and its state taken up.
fn make(args: &SimulateArgs, clock: Arc<dyn Clock>) -> Result<VirtualToken, SimulateError> {
    let family = family(&args.model).ok_or_else(|| SimulateError::UnknownModel(args.model.clone()))?;
    let key = args.key_file.as_deref().map(read_key).transpose()?;
    let surroundings = Surroundings::new(clock, Challenges::random());
    let ticking = Ticking { drift_s: args.drift, ppm: args.ppm };
    let token = match family {
        Family::Single(by_model) => {
            let time_sync = match args.restricted {
                None => by_model,
                Some(YesNo::Yes) => TimeSync::Restricted,
                Some(YesNo::No) => TimeSync::Unrestricted,
            };
            let mut settings = token2_single::Settings::new(args.serial.clone(), time_sync);
            if let (Some(key), Some(path)) = (&key, &args.key_file) {
                settings.key = key
                    .as_slice()
                    .try_into()
                    .map_err(|_| SimulateError::KeyLength { path: path.clone(), found: key.len() })?;
            }
            settings.ticking = ticking;
            settings.filled = args.filled;
            settings.locks_after = args.attempts;
            settings.auto_off = if args.auto_off { AutoOff::AfterTimeout } else { AutoOff::Never };
            VirtualToken::token2_single(settings, surroundings)
        }
        Family::Molto2(generation) => {
            let mut settings = molto2::Settings::new(args.serial.clone(), generation);
            if let Some(key) = &key {
                settings.customer_key = CustomerKey::new(key.as_slice());
            }
            settings.ticking = ticking;
            settings.attempts = args.attempts.unwrap_or(settings.attempts);
            VirtualToken::molto2(settings, surroundings)
        }
        Family::Key(make) => {
            let mut settings = ykoath::Settings::new(args.serial.clone(), make);
            settings.password = key.as_ref().map(|key| CustomerKey::new(key.as_slice()));
            VirtualToken::ykoath(settings, surroundings)
        }
        Family::OtpKey(carried) => {
            let as_made = token2_otp::Settings::new(args.serial.clone());
            let settings = token2_otp::Settings {
                short_only: matches!(carried, Carried::Short),
                counts: !args.no_counters,
                touch_to_write: args.touch_to_write,
                capacity: args.capacity.map_or(as_made.capacity, usize::from),
                patience: args.patience_ms.map_or(as_made.patience, |ms| Duration::from_millis(ms.into())),
                ..as_made
            };
            VirtualToken::token2_otp(settings, surroundings)
        }
    };
    if let Some(path) = &args.state {
        match fs::read_to_string(path).map(Zeroizing::new) {
            Ok(saved) => token.restore(&saved)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(SimulateError::StateFile { path: path.clone(), source }),
        }
    }
    if let Some(ms) = args.delay_ms {
        token.arm(Fault::Delay(Duration::from_millis(ms.into())));
    }
    args.faults.iter().for_each(|fault| token.arm(*fault));
    Ok(token)
}

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

/// What a line on standard input asks for.
enum Control {
    Show(Profile),
    Take,
    Place,
    Off,
    On,
    Button,
    Arm(Fault),
    Clear,
    Stats,
    Quit,
}

const CONTROLS: &str =
    "write show [PROFILE], take, place, off, on, button, fault FAULT, clear, stats or quit";

/// One answer on standard output.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
enum Answer {
    Show {
        profile: Profile,
        clock: i64,
        #[serde(flatten)]
        display: Display,
    },
    Take(Place),
    Place(Place),
    Off(Place),
    On(Place),
    Button(Place),
    Fault {
        armed: Vec<String>,
    },
    Clear {
        armed: Vec<String>,
    },
    Stats {
        serial: String,
        clock: i64,
        #[serde(flatten)]
        counters: Counters,
        #[serde(flatten)]
        standing: Standing,
        #[serde(flatten)]
        place: Place,
    },
    Quit,
}

/// Where the token is, and whether it is switched on.
#[derive(Serialize)]
struct Place {
    placed: bool,
    on: bool,
}

/// A refusal, in an answer's stead.
#[derive(Serialize)]
struct Refusal {
    error: String,
    remedy: String,
}

impl Refusal {
    fn of(error: &(impl Remedy + std::error::Error)) -> Self {
        Self { error: error.to_string(), remedy: error.remedy().to_owned() }
    }
}

/// One line on standard error.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
enum Event {
    Written {
        writes: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        profile: Option<Profile>,
        #[serde(flatten)]
        display: Display,
    },
    TornOff,
    WentDark,
    ReaderLost,
    StateNotKept(Refusal),
}

impl Control {
    fn parse(line: &str) -> Result<Self, Refusal> {
        let mut words = line.split_whitespace();
        let control = match (words.next(), words.next(), words.next()) {
            (Some("show"), None, None) => Some(Self::Show(Profile::ZERO)),
            (Some("show"), Some(number), None) => number.parse().ok().map(Profile::new).map(Self::Show),
            (Some("fault"), Some(fault), None) => {
                return fault.parse().map(Self::Arm).map_err(|error| Refusal::of(&error));
            }
            (Some("take"), None, None) => Some(Self::Take),
            (Some("place"), None, None) => Some(Self::Place),
            (Some("off"), None, None) => Some(Self::Off),
            (Some("on"), None, None) => Some(Self::On),
            (Some("button"), None, None) => Some(Self::Button),
            (Some("clear"), None, None) => Some(Self::Clear),
            (Some("stats"), None, None) => Some(Self::Stats),
            (Some("quit"), None, None) => Some(Self::Quit),
            _ => None,
        };
        control.ok_or_else(|| Refusal {
            error: format!("\"{}\" is nothing one can do with a token", line.trim()),
            remedy: CONTROLS.to_owned(),
        })
    }
}

fn write_line(to: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_string(value)?;
    line.push('\n');
    to.write_all(line.as_bytes())?;
    to.flush()
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
