//! What lies over a view and has the keys until it goes. The last one of the stack is on top.

use super::{
    act,
    activate::Activating,
    codes::Codes,
    export::{Export, Stage as ExportStage},
    import::{Import, Stage},
    init::Init,
    input::{Input, Passphrase},
    model::Model,
    msg::{Asked, Effect},
    new_batch::Making,
    palette,
    resync::Resyncing,
    reveal::{Reveal, Shape},
    sweep::Sweeping,
};
use crate::{
    domain::{Profile, Serial, SlotName},
    face::{Command, Consent, Failure, HolderFile, Role, TokenView, Verdict},
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A dialog.
#[derive(Debug)]
pub enum Dialog {
    /// The keys of the view, from this line on.
    Help(u16),
    /// Every action by name.
    Palette {
        /// What was typed.
        input: Input,
        /// Which line.
        selected: usize,
    },
    /// The alarms, from this line on.
    Alarms(u16),
    /// Makes the vault.
    Init(Init),
    /// Opens the vault.
    Unlock(Unlock),
    /// Imports a seed file.
    Import(Box<Import>),
    /// Makes a batch with random seeds.
    Making(Box<Making>),
    /// Starts a sweep.
    Sweep(Box<Sweeping>),
    /// Asks what has to be said before the clock of a token is set.
    Resync(Box<Resyncing>),
    /// Shows the codes of a key on a slot.
    Codes(Codes),
    /// Activates tokens at their server.
    Activating(Activating),
    /// Exports a batch.
    Export(Box<Export>),
    /// Shows a seed.
    Reveal(Reveal),
    /// A question that `y` answers; Enter does not.
    Sure(Sure),
    /// A question that only the right words answer.
    Typed {
        /// Which.
        what: Typed,
        /// What was typed.
        input: Input,
        /// Why it was not taken.
        problem: Option<&'static str>,
    },
    /// One slot, in full.
    Slot(SlotName),
    /// One token, in full.
    Token {
        /// Which.
        serial: Serial,
        /// What the station knows of it, once it came.
        view: Option<Box<TokenView>>,
        /// From this line on.
        scroll: u16,
    },
    /// What came of a typed code.
    Verdict {
        /// Which token.
        serial: Serial,
        /// Which of its profiles.
        profile: Profile,
        /// What was typed.
        code: String,
        /// What came of it.
        verdict: Verdict,
    },
    /// A no, with what to do.
    Failure(Failure),
}

/// What `y` would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sure {
    /// Starts the batch.
    Start(String),
    /// Puts its failed jobs back.
    Retry(String),
    /// Locks the vault.
    Lock,
    /// Stops the station.
    Stop,
}

/// The word that asks for a seed as text.
const AS_TEXT: &str = "text";

/// What the right words would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// Cancels the batch: its name.
    Cancel(String),
    /// Allows it for the token: its last four.
    Allow(Serial, Consent),
    /// Scraps the token: its last four.
    Scrap(Serial),
    /// Shows a seed of the token: its last four, and a profile's number where it isn't the first.
    Reveal(Serial),
    /// Overrides the clock's gate: for how many minutes.
    Override,
}

/// The dialog that opens the vault.
#[derive(Debug, Default)]
pub struct Unlock {
    /// Those whom a passphrase lets in, once the station has said who they are.
    pub holders: Option<Vec<HolderFile>>,
    /// Which of them.
    pub chosen: usize,
    /// The passphrase; never shown.
    pub input: Input,
    /// It is being tried, which takes a second or so by design.
    pub busy: bool,
    /// Why it did not open.
    pub problem: Option<Failure>,
}

impl Dialog {
    /// Whether it takes text: then digits are not a scan.
    pub fn takes_text(&self) -> bool {
        match self {
            Self::Palette { .. }
            | Self::Unlock(_)
            | Self::Typed { .. }
            | Self::Init(_)
            | Self::Making(_)
            | Self::Sweep(_)
            | Self::Resync(_) => true,
            Self::Import(import) => matches!(import.stage, Stage::Filling | Stage::Asked(..)),
            Self::Export(export) => matches!(export.stage, ExportStage::Filling | ExportStage::Naming(..)),
            _ => false,
        }
    }

    /// Whether it is a text or a list that may be longer than the screen.
    pub fn is_long(&self) -> bool {
        match self {
            Self::Help(_) | Self::Alarms(_) | Self::Token { .. } | Self::Palette { .. } | Self::Codes(_) => {
                true
            }
            Self::Import(import) => matches!(import.stage, Stage::Report(..) | Stage::Refused(..)),
            Self::Export(export) => {
                matches!(export.stage, ExportStage::Report(..) | ExportStage::Refused(..))
            }
            _ => false,
        }
    }

    /// Selects this line of a list, or lets this field of a form have the keys.
    pub fn choose(&mut self, line: usize) {
        let form = match self {
            Self::Palette { selected, .. } => return *selected = line,
            Self::Codes(codes) => return codes.at = line,
            Self::Unlock(unlock) if !unlock.busy => return unlock.chosen = line,
            Self::Init(init) if !init.busy => &mut init.form,
            Self::Import(import) if matches!(import.stage, Stage::Filling) => {
                if import.is_idle(line) {
                    return;
                }
                &mut import.form
            }
            Self::Making(making) if !making.busy => &mut making.form,
            Self::Sweep(sweeping) => &mut sweeping.form,
            Self::Resync(resyncing) => &mut resyncing.form,
            Self::Export(export) if matches!(export.stage, ExportStage::Filling) => {
                if export.is_idle(line) {
                    return;
                }
                &mut export.form
            }
            _ => return,
        };
        form.at = line.min(form.fields.len().saturating_sub(1));
    }

    /// The field that text goes into.
    pub fn input(&mut self) -> Option<&mut Input> {
        let form = match self {
            Self::Palette { input, .. } | Self::Typed { input, .. } => return Some(input),
            Self::Unlock(unlock) if !unlock.busy => return Some(&mut unlock.input),
            Self::Init(init) if !init.busy => &mut init.form,
            Self::Import(import) => match &mut import.stage {
                Stage::Filling => &mut import.form,
                Stage::Asked(_, form) => form,
                Stage::Looking | Stage::Report(..) | Stage::Refused(..) | Stage::Importing => return None,
            },
            Self::Making(making) if !making.busy => &mut making.form,
            Self::Sweep(sweeping) => &mut sweeping.form,
            Self::Export(export) => match &mut export.stage {
                ExportStage::Filling => &mut export.form,
                ExportStage::Naming(_, naming) => return Some(&mut naming.input),
                ExportStage::Looking
                | ExportStage::Report(..)
                | ExportStage::Refused(..)
                | ExportStage::Writing => return None,
            },
            _ => return None,
        };
        form.input(form.at)
    }
}

/// How many lines of a text `key` goes on, or back.
pub fn lines_moved(key: &KeyEvent) -> i16 {
    match key.code {
        KeyCode::Down | KeyCode::Char('j') => 1,
        KeyCode::Up | KeyCode::Char('k') => -1,
        KeyCode::PageDown => 10,
        KeyCode::PageUp => -10,
        _ => 0,
    }
}

/// Lets the dialog on top have `key`.
pub fn key(model: &mut Model, key: &KeyEvent) -> Vec<Effect> {
    let Some(dialog) = model.dialogs.last_mut() else { return Vec::new() };
    if matches!(key.code, KeyCode::Esc) {
        match dialog {
            // Back to what was filled in.
            Dialog::Import(import)
                if matches!(import.stage, Stage::Asked(..) | Stage::Report(..) | Stage::Refused(..)) =>
            {
                import.back();
            }
            Dialog::Export(export)
                if matches!(
                    export.stage,
                    ExportStage::Report(..) | ExportStage::Naming(..) | ExportStage::Refused(..)
                ) =>
            {
                export.back();
            }
            _ => drop(model.dialogs.pop()),
        }
        return Vec::new();
    }
    let down = lines_moved(key);
    let scrolled = |from: u16| from.saturating_add_signed(down);
    match dialog {
        Dialog::Help(scroll) | Dialog::Alarms(scroll) | Dialog::Token { scroll, .. } if down != 0 => {
            *scroll = scrolled(*scroll);
        }
        Dialog::Alarms(_) if matches!(key.code, KeyCode::Char('r')) => {
            let ids = model.station.alarms.iter().map(|alarm| alarm.id).collect();
            model.station.read_alarms();
            model.dialogs.pop();
            // For everybody, where the role allows it; else at this screen.
            if Role::Operator <= model.role {
                let asked = Asked::Act("the alarms are read".into());
                return vec![Effect::Ask(asked, Command::AlarmsRead { ids })];
            }
        }
        Dialog::Slot(_) if matches!(key.code, KeyCode::Char('o')) => {
            model.dialogs.pop();
            return act::perform(model, super::keys::Action::Codes);
        }
        Dialog::Slot(_) if matches!(key.code, KeyCode::Char('x')) => {
            model.dialogs.pop();
            return act::perform(model, super::keys::Action::GiveUp);
        }
        Dialog::Token { .. } if matches!(key.code, KeyCode::Char('v' | 'y' | 'Q' | ':')) => {
            let action = super::keys::action(super::model::View::Tokens, key);
            return action.map_or_else(Vec::new, |action| act::perform(model, action));
        }
        Dialog::Help(_) if matches!(key.code, KeyCode::Char('?' | 'q')) => {
            model.dialogs.pop();
        }
        Dialog::Alarms(_) | Dialog::Token { .. } | Dialog::Slot(_)
            if matches!(key.code, KeyCode::Char('q')) =>
        {
            model.dialogs.pop();
        }
        Dialog::Help(_) | Dialog::Alarms(_) | Dialog::Token { .. } | Dialog::Slot(_) => {}
        Dialog::Verdict { .. } | Dialog::Failure(_) | Dialog::Reveal(_) => {
            model.dialogs.pop();
        }
        Dialog::Init(init) => return init.key(key),
        Dialog::Import(import) => return import.key(key),
        Dialog::Codes(_) if matches!(key.code, KeyCode::Char('q')) => {
            model.dialogs.pop();
        }
        Dialog::Codes(codes) => return codes.key(key),
        Dialog::Activating(activating) => return activating.key(key),
        Dialog::Making(making) => return making.key(key),
        Dialog::Sweep(sweeping) => {
            if let Some(effect) = sweeping.key(key) {
                model.dialogs.pop();
                return vec![effect];
            }
        }
        Dialog::Resync(resyncing) => {
            if let Some(effect) = resyncing.key(key) {
                model.dialogs.pop();
                return vec![effect];
            }
        }
        Dialog::Export(export) => return export.key(key),
        Dialog::Sure(sure) => match key.code {
            KeyCode::Char('y' | 'Y') => {
                let sure = sure.clone();
                model.dialogs.pop();
                return vec![sure.done()];
            }
            KeyCode::Char('n' | 'N' | 'q') => {
                model.dialogs.pop();
            }
            _ => {}
        },
        Dialog::Palette { input, selected } => {
            let control = key.modifiers.contains(KeyModifiers::CONTROL);
            match key.code {
                KeyCode::Down => *selected += 1,
                KeyCode::Char('n') if control => *selected += 1,
                KeyCode::Up => *selected = selected.saturating_sub(1),
                KeyCode::Char('p') if control => *selected = selected.saturating_sub(1),
                KeyCode::Enter => return run_palette(model),
                _ => {
                    if input.edit(key) {
                        *selected = 0;
                    }
                }
            }
        }
        Dialog::Typed { what, input, problem } => match key.code {
            KeyCode::Enter => match what.done(input.text()) {
                Ok(effect) => {
                    model.dialogs.pop();
                    return vec![effect];
                }
                Err(why) => *problem = Some(why),
            },
            _ => {
                if input.edit(key) {
                    *problem = None;
                }
            }
        },
        Dialog::Unlock(unlock) => return unlock.key(key),
    }
    Vec::new()
}

fn run_palette(model: &mut Model) -> Vec<Effect> {
    let Some(Dialog::Palette { input, selected }) = model.dialogs.pop() else { return Vec::new() };
    let mut lines = palette::lines(model, input.text());
    if lines.is_empty() {
        return Vec::new();
    }
    let line = lines.swap_remove(selected.min(lines.len() - 1));
    match line.act {
        palette::Act::Do(action) => act::perform(model, action),
        palette::Act::Batch(action, name) => act::on_batch(model, action, name),
    }
}

impl Sure {
    fn done(self) -> Effect {
        let (said, command) = match self {
            Self::Start(name) => {
                (format!("batch {name} runs: put tokens down"), Command::BatchStart { name })
            }
            Self::Retry(name) => {
                (format!("failed jobs of {name} are in the queue again"), Command::BatchRetry { name })
            }
            Self::Lock => ("the vault is locked".to_owned(), Command::VaultLock),
            Self::Stop => ("the station ended".to_owned(), Command::Stop),
        };
        Effect::Ask(Asked::Act(said), command)
    }

    /// The question, and what `y` means.
    pub fn words(&self) -> (String, String) {
        match self {
            Self::Start(name) => (
                format!("Start batch {name}?"),
                "From then on each token that fits and is put down is written to.".into(),
            ),
            Self::Retry(name) => (
                format!("Try the failed jobs of {name} again?"),
                "They go back into the queue; nothing had been written for them.".into(),
            ),
            Self::Lock => (
                "Lock the vault?".into(),
                "Burns in hand end first. After that nothing is burned until somebody unlocks it.".into(),
            ),
            Self::Stop => (
                "Stop the station, for everybody?".into(),
                "Burns in hand end first. Leaving (q) stops nothing.".into(),
            ),
        }
    }
}

impl Typed {
    fn done(&self, typed: &str) -> Result<Effect, &'static str> {
        let typed = typed.trim();
        let (said, command) = match self {
            Self::Cancel(name) if typed == name => {
                (format!("batch {name} is cancelled"), Command::BatchCancel { name: name.clone() })
            }
            Self::Cancel(_) => return Err("that is not its name"),
            Self::Reveal(serial) => {
                let mut words = typed.split_whitespace();
                let last_four = words.next().unwrap_or_default();
                let (mut profile, mut shape) = (0, Shape::Code);
                for word in words {
                    match word {
                        AS_TEXT => shape = Shape::Text,
                        number => {
                            profile = number.parse().map_err(|_| "a profile has a number, from 0 on")?;
                        }
                    }
                }
                let profile = Profile::new(profile);
                if last_four != serial.last_four() {
                    return Err("those are not its last four characters");
                }
                let (serial, last_four) = (serial.clone(), last_four.to_owned());
                return Ok(Effect::Ask(
                    Asked::Reveal(serial.clone(), profile, shape),
                    Command::Reveal { serial, profile, last_four },
                ));
            }
            Self::Allow(serial, _) | Self::Scrap(serial) if typed != serial.last_four() => {
                return Err("those are not its last four characters");
            }
            Self::Allow(serial, what) => (
                format!("allowed for token {serial}, once"),
                Command::Allow { serial: serial.clone(), last_four: typed.to_owned(), what: *what },
            ),
            Self::Scrap(serial) => (
                format!("token {serial} is scrapped"),
                Command::Scrap { serial: serial.clone(), last_four: typed.to_owned(), release_seeds: false },
            ),
            Self::Override => match typed.parse::<u32>() {
                Ok(minutes @ 1..=480) => (
                    format!("burns go on for {minutes} min"),
                    Command::ClockOverride { seconds: minutes * 60 },
                ),
                Ok(_) | Err(_) => return Err("a number of minutes, 1 to 480"),
            },
        };
        Ok(Effect::Ask(Asked::Act(said), command))
    }

    /// The title, what it means, and what to type.
    pub fn words(&self) -> (String, &'static str, String) {
        match self {
            Self::Cancel(name) => (
                format!("Cancel batch {name}"),
                "Queued and failed jobs are called off for good. What was begun can still be finished.",
                "Type the batch's name".into(),
            ),
            Self::Allow(serial, Consent::Replace) => (
                format!("Write over token {serial}"),
                "The seed that it holds now is lost for good. This allows it once.",
                "Type the last four characters of its serial".into(),
            ),
            Self::Allow(serial, Consent::TryKey) => (
                format!("Try the key on token {serial} once more"),
                "The token counts refused keys; too many lock it for good. This allows one attempt.",
                "Type the last four characters of its serial".into(),
            ),
            Self::Scrap(serial) => (
                format!("Scrap token {serial}"),
                "For a token that died with its seed. A generated seed is retired with it.",
                "Type the last four characters of its serial".into(),
            ),
            Self::Reveal(serial) => (
                format!("Show the seed of token {serial} as a QR code"),
                "Whoever sees it can make this token's codes from then on; that it was shown is recorded. It hides \
                 by itself. Behind the last four may stand a profile's number, where it is not 0, and the word \
                 text, to see the seed as text.",
                "Type the last four characters of its serial".into(),
            ),
            Self::Override => (
                "Burn although the clock is not trusted".into(),
                "Tokens are set from this clock: if it is wrong, their codes will be refused. Each burn records it.",
                "For how many minutes".into(),
            ),
        }
    }
}

impl Unlock {
    /// The station said who can open the vault.
    pub fn take(&mut self, holders: Vec<HolderFile>) {
        self.holders = Some(holders.into_iter().filter(|holder| holder.kind == "passphrase").collect());
    }

    fn key(&mut self, key: &KeyEvent) -> Vec<Effect> {
        let count = self.holders.as_ref().map_or(0, Vec::len);
        match key.code {
            _ if self.busy => {}
            KeyCode::Down | KeyCode::Tab if count > 0 => self.chosen = (self.chosen + 1) % count,
            KeyCode::Up | KeyCode::BackTab if count > 0 => self.chosen = (self.chosen + count - 1) % count,
            KeyCode::Enter if !self.input.text().is_empty() => {
                let holder = self.holders.as_ref().and_then(|holders| holders.get(self.chosen));
                if let Some(holder) = holder.cloned() {
                    self.busy = true;
                    self.problem = None;
                    return vec![Effect::Unlock(holder, Passphrase(self.input.take()))];
                }
            }
            _ => {
                self.input.edit(key);
            }
        }
        Vec::new()
    }
}
