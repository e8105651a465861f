//! What comes to the screen, and what it wants done. Both are plain values: they can be compared by eye, stored and
//! played again.

use super::input::Passphrase;
use crate::{
    domain::{Profile, Serial, SlotName, UnixMillis},
    envelope::question::{Answer, Question},
    face::{
        Command, ExportOptions, Failure, Greeting, HolderFile, ImportOptions, Numbered, Reply, Role, Snapshot,
    },
};
use crossterm::event::{KeyEvent, MouseEvent};

/// Something happened.
#[derive(Debug)]
pub enum Msg {
    /// A key went down.
    Key(KeyEvent),
    /// A bracketed paste, whole.
    Paste(String),
    /// The mouse, where it was turned on.
    Mouse(MouseEvent),
    /// The terminal is this big now, in columns and rows.
    Resize(u16, u16),
    /// The time, about once a second while something on the screen depends on it.
    Tick(UnixMillis),
    /// Connected: who the server is, what we may do, and the state from which news go on.
    Attached {
        /// The server's greeting.
        greeting: Greeting,
        /// What we may do: what the server allows and the caller wants.
        role: Role,
        /// The state now.
        snapshot: Box<Snapshot>,
    },
    /// It happened at the station.
    News(Numbered),
    /// Some news were lost; this is the state now.
    Lagged(Box<Snapshot>),
    /// The server can't be reached, or no longer; it is tried again by itself.
    Lost(Failure),
    /// What came of a question.
    Answer(Asked, Result<Reply, Failure>),
    /// What came of [`Effect::Unlock`].
    Unlocked(Result<(), Failure>),
    /// What came of [`Effect::Init`].
    Made(Result<(), Failure>),
    /// A file that was to be imported is wrapped: this has to be known first.
    Wrapped(Question),
    /// What came of [`Effect::Export`] or [`Effect::Report`].
    Exported(Result<super::export::Exporting, Failure>),
    /// What a path could become, to [`Effect::Complete`].
    Completed(String, Vec<String>),
    /// The process was continued after a stop: the terminal may show anything.
    Continued,
    /// The process is asked to stop (SIGTSTP); Ctrl-Z comes as a key.
    Stop,
    /// The process is asked to end (SIGTERM, SIGHUP).
    End,
}

/// What a question was for, so that its answer finds its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Something was to be done; said when it is.
    Act(String),
    /// The state again, for what no event tells: the queue's window.
    State,
    /// Jobs of a batch that want eyes, from this place on.
    Eyes(String, u32),
    /// A page of a batch's jobs.
    Jobs(super::batches::JobsOf, u32),
    /// A batch with its policy.
    Batch(String),
    /// A page of the inventory.
    Tokens(String, u32),
    /// A page of the clocks.
    Drift(super::drift::Wanted, u32),
    /// A token, to be plotted.
    Plot(Serial),
    /// A token, to be shown.
    Token(Serial),
    /// A token with several profiles, to find the one whose code was typed.
    Profiles(Serial, String),
    /// Whether a code is right.
    Verify(Serial, Profile, String),
    /// Something that the diagnose view wants.
    Diagnose(super::diagnose::act::Asked),
    /// A page of the audit log that holds a text.
    Audit(String, u32),
    /// Models, recipes and targets.
    Catalog,
    /// The names of customer keys.
    Keys,
    /// Whether a batch could be made.
    Look,
    /// A token whose clock is to be set: what has to be said of it first.
    Resync(super::resync::Which),
    /// Makes the batch of this name.
    Make(String),
    /// To [`Effect::Import`].
    Import,
    /// A code for the server that activates tokens.
    Activation,
    /// That the server took it.
    Activated,
    /// The codes of the key on a slot.
    Codes(SlotName),
    /// What enrols a profile elsewhere.
    Reveal(Serial, Profile, super::reveal::Shape),
    /// Who can open the vault.
    Holders,
}

/// What the loop must do.
#[derive(Debug)]
pub enum Effect {
    /// Put a question to the station.
    Ask(Asked, Command),
    /// Open a holder's file here and hand the data key over.
    Unlock(HolderFile, Passphrase),
    /// Make the vault here, with this holder and passphrase, and hand the data key over.
    Init(String, Passphrase),
    /// Look what a path that was begun could become.
    Complete(String),
    /// Read a file here and hand its bytes over.
    Import {
        /// Where it lies.
        path: String,
        /// What the person said of how it opens.
        answers: Vec<Answer>,
        /// What to do with it.
        options: ImportOptions,
    },
    /// Look what would be written, or write it here.
    Export {
        /// What.
        options: ExportOptions,
        /// Where to.
        to: ExportTo,
    },
    /// Write a batch's report for an auditor here.
    Report {
        /// Of which batch.
        batch: String,
        /// Where to.
        to: ExportTo,
    },
    /// Listen to the mouse, or no longer.
    Mouse(bool),
    /// Try to connect now, and start a station if none runs.
    Start,
    /// Ring the terminal's bell.
    Bell,
    /// Hand this text to the terminal's clipboard.
    Copy(String),
    /// Give the terminal back and stop the process.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Leave.
    Quit,
}

/// Where an export goes.
#[derive(Debug)]
pub struct ExportTo {
    /// To which place.
    pub place: Place,
    /// What protects it.
    pub protect: Protect,
}

/// The place of an export, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file.
    File(String),
    /// A directory, with a picture of each QR code in it.
    Pictures(String),
}

impl Place {
    /// What was typed.
    pub fn path(&self) -> &str {
        match self {
            Self::File(path) | Self::Pictures(path) => path,
        }
    }

    /// The same kind of place elsewhere.
    #[must_use]
    pub fn at(&self, path: String) -> Self {
        match self {
            Self::File(_) => Self::File(path),
            Self::Pictures(_) => Self::Pictures(path),
        }
    }
}

/// What protects an export.
#[derive(Debug)]
pub enum Protect {
    /// It is this account's alone.
    Private,
    /// Encrypted to an age recipient, or to those in a file.
    Age(String),
    /// Encrypted to the OpenPGP public keys in this file.
    OpenPgp(String),
    /// The seeds in a PSKC container are, with a password.
    Password {
        /// The password.
        password: Passphrase,
        /// By the ciphers that privacyIDEA understands.
        for_privacyidea: bool,
    },
}
