//! The command line of `kiln simulate`.

use crate::{domain::Serial, sim::Fault};
use clap::ValueEnum;
use std::path::PathBuf;

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
