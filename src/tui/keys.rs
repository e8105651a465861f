//! Which key does what on which screen: the one table, read by the dispatcher, the help, the hints at the bottom and
//! the palette. Digits are not in it: a scanner types them. No key in it destroys: what can't be undone asks first.

use super::{diagnose::act::Act, model::View};
use crate::face::Role;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key, or a line of the palette, does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Shows a view.
    Show(View),
    /// Shows the next view.
    NextView,
    /// Shows the view before.
    PreviousView,
    /// Selects the next one.
    Down,
    /// Selects the one before.
    Up,
    /// A screenful on.
    PageDown,
    /// A screenful back.
    PageUp,
    /// The first one.
    First,
    /// The last one.
    Last,
    /// Shows more of the selected one.
    Open,
    /// Back to what was before; never leaves kiln.
    Back,
    /// Shows the keys.
    Help,
    /// Every action by name.
    Palette,
    /// Narrows the list.
    Filter,
    /// Shows alarms.
    Alarms,
    /// Opens the vault.
    Unlock,
    /// Closes the vault.
    Lock,
    /// Lets slots take jobs of a batch.
    StartBatch,
    /// Lets no slot take another one.
    PauseBatch,
    /// Puts failed jobs back into the queue.
    RetryBatch,
    /// Calls a batch off.
    CancelBatch,
    /// Imports a seed file.
    Import,
    /// Makes a batch with random seeds.
    NewBatch,
    /// Sets the clocks of tokens right, one after another.
    Sweep,
    /// Sets the clock of the selected token right.
    Resync,
    /// Exports a batch.
    Export,
    /// Gives the codes that activate a batch's tokens at their server.
    Activate,
    /// Changes which jobs, or which log, are shown.
    Which,
    /// Something that only the diagnose view has.
    Diagnose(Act),
    /// Types the code of the selected token.
    Verify,
    /// Allows another seed over what the selected token holds.
    AllowReplace,
    /// Allows one more authentication.
    AllowTry,
    /// Reads the codes of the key on the selected slot.
    Codes,
    /// Gives up the wait for a touch of the key on the selected slot.
    GiveUp,
    /// Shows the QR code that enrols the selected token elsewhere.
    Reveal,
    /// Says that the selected token is dead.
    Scrap,
    /// Lets burns go on with a clock that is not trusted.
    OverrideClock,
    /// Hands the selected serial or name to the clipboard.
    Copy,
    /// Listens to the mouse, or no longer.
    Mouse,
    /// Starts the station that was lost.
    StartStation,
    /// Ends the station after the burns in hand.
    StopStation,
    /// Draws the screen anew.
    Redraw,
    /// Goes back to the shell for a while.
    Suspend,
    /// Leaves; burns go on.
    Quit,
}

/// A key with what is held down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chord(KeyCode, KeyModifiers);

const fn key(code: KeyCode) -> Chord {
    Chord(code, KeyModifiers::NONE)
}

const fn letter(letter: char) -> Chord {
    key(KeyCode::Char(letter))
}

const fn control(letter: char) -> Chord {
    Chord(KeyCode::Char(letter), KeyModifiers::CONTROL)
}

/// One line of the table.
#[derive(Debug)]
pub struct Entry {
    /// The keys, best first. None: only in the palette.
    pub keys: &'static [Chord],
    /// The keys as the help shows them.
    pub shown: &'static str,
    /// What they do.
    pub action: Action,
    /// On which views; empty means all.
    pub views: &'static [View],
    /// One or two words for the line at the bottom; empty: it isn't shown there.
    pub hint: &'static str,
    /// What it does, for help and palette.
    pub name: &'static str,
    /// Who may.
    pub needs: Role,
}

const fn entry(
    keys: &'static [Chord],
    shown: &'static str,
    action: Action,
    hint: &'static str,
    name: &'static str,
) -> Entry {
    Entry { keys, shown, action, views: &[], hint, name, needs: Role::Observer }
}

const fn operator(entry: Entry) -> Entry {
    Entry { needs: Role::Operator, ..entry }
}

const fn on(views: &'static [View], entry: Entry) -> Entry {
    Entry { views, ..entry }
}

const BATCH_VIEWS: &[View] = &[View::Station, View::Batches];
const LISTS: &[View] = &[View::Batches, View::Tokens, View::Drift, View::Diagnose, View::Log];

/// A line of the diagnose view.
const fn diagnose(
    keys: &'static [Chord],
    shown: &'static str,
    act: Act,
    hint: &'static str,
    name: &'static str,
) -> Entry {
    on(&[View::Diagnose], entry(keys, shown, Action::Diagnose(act), hint, name))
}

/// The table.
pub const KEYS: &[Entry] = &[
    entry(&[letter('?')], "?", Action::Help, "keys", "show the keys of this view"),
    entry(&[letter(':')], ":", Action::Palette, "actions", "find any action by its name"),
    operator(on(
        BATCH_VIEWS,
        entry(&[letter('S')], "S", Action::StartBatch, "start", "start or resume a batch"),
    )),
    operator(on(BATCH_VIEWS, entry(&[letter('P')], "P", Action::PauseBatch, "pause", "pause a batch"))),
    operator(on(
        BATCH_VIEWS,
        entry(
            &[letter('i')],
            "i",
            Action::Import,
            "import",
            "import a seed file, into a batch or the inventory",
        ),
    )),
    operator(on(
        BATCH_VIEWS,
        entry(&[letter('n')], "n", Action::NewBatch, "", "make a batch with random seeds"),
    )),
    operator(on(
        BATCH_VIEWS,
        entry(
            &[letter('r')],
            "r",
            Action::Sweep,
            "",
            "set the clocks of tokens right, one after another (a sweep)",
        ),
    )),
    operator(on(
        &[View::Tokens, View::Drift, View::Diagnose],
        entry(
            &[letter('r')],
            "r",
            Action::Resync,
            "",
            "set the clock of the selected token right, as soon as it lies on a slot",
        ),
    )),
    operator(on(
        &[View::Batches],
        entry(
            &[letter('e')],
            "e",
            Action::Export,
            "export",
            "export a batch in a server's format, or labels and reports",
        ),
    )),
    operator(on(
        &[View::Batches],
        entry(
            &[letter('A')],
            "A",
            Action::Activate,
            "",
            "activate a batch's tokens at their server, code by code",
        ),
    )),
    operator(on(
        &[View::Batches],
        entry(
            &[letter('R')],
            "R",
            Action::RetryBatch,
            "retry",
            "put failed jobs of a batch back into the queue",
        ),
    )),
    operator(on(
        &[View::Batches],
        entry(&[letter('X')], "X", Action::CancelBatch, "cancel", "cancel a batch (asks for its name)"),
    )),
    on(
        &[View::Batches, View::Drift, View::Log],
        entry(&[letter('f')], "f", Action::Which, "which", "choose which jobs, which clocks or which log"),
    ),
    diagnose(
        &[letter('n')],
        "n",
        Act::NewCall,
        "new call",
        "diagnose: forget this token and its codes, begin anew",
    ),
    diagnose(
        &[letter('e')],
        "e",
        Act::NoCode,
        "no code",
        "diagnose: choose what the display shows instead of a code",
    ),
    diagnose(&[letter('p')], "p", Act::NextProfile, "", "diagnose: another profile of the token"),
    diagnose(
        &[letter('m')],
        "m",
        Act::Timing,
        "timing",
        "diagnose: time the changes of the code, without any seed (again: ends it)",
    ),
    operator(diagnose(
        &[letter('K')],
        "K",
        Act::Keep,
        "",
        "diagnose: keep what was timed as a reading of the token's clock",
    )),
    diagnose(&[letter('w')], "w", Act::Whose, "whose", "diagnose: find whose code this is"),
    diagnose(&[letter('W')], "W", Act::When, "when", "diagnose: find when the token showed the last code"),
    diagnose(&[letter('c')], "c", Act::Searched, "", "diagnose: what else was checked"),
    diagnose(
        &[key(KeyCode::Backspace)],
        "Backspace",
        Act::Undo,
        "",
        "diagnose: take back the last code, answer or press",
    ),
    on(LISTS, entry(&[letter('/')], "/", Action::Filter, "filter", "narrow the list")),
    entry(&[letter('a')], "a", Action::Alarms, "alarms", "read the alarms"),
    operator(entry(
        &[letter('u')],
        "u",
        Action::Unlock,
        "",
        "unlock the vault, or make it where there is none",
    )),
    entry(&[letter('s')], "s", Action::Show(View::Station), "", "station: slots and queue"),
    entry(&[letter('b')], "b", Action::Show(View::Batches), "", "batches and their jobs"),
    entry(&[letter('t')], "t", Action::Show(View::Tokens), "", "tokens: the inventory"),
    entry(&[letter('D')], "D", Action::Show(View::Drift), "", "drift: how the tokens' clocks run"),
    entry(&[letter('d')], "d", Action::Show(View::Diagnose), "", "diagnose: why a code is rejected"),
    entry(&[letter('l')], "l", Action::Show(View::Log), "", "log: what happened"),
    entry(&[key(KeyCode::Tab)], "Tab", Action::NextView, "views", "next view"),
    entry(&[key(KeyCode::BackTab)], "Shift-Tab", Action::PreviousView, "", "view before"),
    entry(&[key(KeyCode::Down), letter('j')], "Down j", Action::Down, "", "next line"),
    entry(&[key(KeyCode::Up), letter('k')], "Up k", Action::Up, "", "line before"),
    entry(
        &[key(KeyCode::PageDown), control('d'), control('f')],
        "PgDn ^D",
        Action::PageDown,
        "",
        "screenful on",
    ),
    entry(
        &[key(KeyCode::PageUp), control('u'), control('b')],
        "PgUp ^U",
        Action::PageUp,
        "",
        "screenful back",
    ),
    entry(&[key(KeyCode::Home), letter('g')], "Home g", Action::First, "", "first line"),
    entry(&[key(KeyCode::End), letter('G')], "End G", Action::Last, "", "last line"),
    entry(
        &[key(KeyCode::Enter), key(KeyCode::Right)],
        "Enter Right",
        Action::Open,
        "",
        "more about the selected line",
    ),
    entry(&[key(KeyCode::Esc), key(KeyCode::Left)], "Esc Left", Action::Back, "", "back (never leaves kiln)"),
    entry(
        &[letter('y')],
        "y",
        Action::Copy,
        "",
        "send the selected serial or name, or the report, to the clipboard",
    ),
    operator(on(
        &[View::Station, View::Tokens],
        entry(&[letter('v')], "v", Action::Verify, "verify", "verify the code on a token's display"),
    )),
    operator(on(
        &[View::Station],
        entry(&[letter('o')], "o", Action::Codes, "", "read the codes of the key on the selected slot"),
    )),
    operator(on(
        &[View::Station],
        entry(
            &[letter('x')],
            "x",
            Action::GiveUp,
            "",
            "give up the wait for a touch of a USB key, at the selected slot",
        ),
    )),
    operator(on(
        &[View::Tokens],
        entry(
            &[letter('Q')],
            "Q",
            Action::Reveal,
            "QR code",
            "show the QR code that enrols the selected token in another place (asks for its last four)",
        ),
    )),
    operator(entry(&[], "", Action::Lock, "", "lock the vault")),
    operator(entry(
        &[],
        "",
        Action::AllowReplace,
        "",
        "allow another seed over what the selected token holds",
    )),
    operator(entry(&[], "", Action::AllowTry, "", "allow one more try of the key on the selected token")),
    operator(entry(&[], "", Action::Scrap, "", "scrap the selected token: it died with its seed")),
    operator(entry(&[], "", Action::OverrideClock, "", "burn for a while although the clock is not trusted")),
    operator(entry(&[], "", Action::StopStation, "", "stop the station after the burns in hand")),
    entry(
        &[letter('M')],
        "M",
        Action::Mouse,
        "",
        "leave the mouse to the terminal, or let it select here (Shift: the terminal's)",
    ),
    entry(&[], "", Action::StartStation, "", "start the station, if it was lost"),
    entry(&[control('l')], "^L", Action::Redraw, "", "draw the screen anew"),
    entry(&[control('z')], "^Z", Action::Suspend, "", "back to the shell for a while (fg returns)"),
    entry(
        &[letter('q'), control('c')],
        "q ^C",
        Action::Quit,
        "leave",
        "leave; the station and its burns go on",
    ),
];

/// What `key` does on `view`.
pub fn action(view: View, pressed: &KeyEvent) -> Option<Action> {
    // Some terminals report Shift with a capital letter, others don't.
    let held = pressed.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT);
    KEYS.iter()
        .filter(|entry| entry.is_on(view))
        .find(|entry| entry.keys.iter().any(|Chord(code, wants)| *code == pressed.code && *wants == held))
        .map(|entry| entry.action)
}

/// The table's line for `action`.
pub fn entry_of(action: Action) -> Option<&'static Entry> {
    KEYS.iter().find(|entry| entry.action == action)
}

impl Entry {
    /// Whether it is offered on `view`.
    pub fn is_on(&self, view: View) -> bool {
        self.views.is_empty() || self.views.contains(&view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_key_does_one_thing_on_a_view_and_digits_do_nothing() {
        for view in View::ALL {
            let mut seen = HashSet::new();
            for entry in KEYS.iter().filter(|entry| entry.is_on(view)) {
                for Chord(code, held) in entry.keys {
                    assert!(seen.insert((*code, *held)), "{code:?} twice on {view:?}");
                    assert!(!matches!(code, KeyCode::Char('0'..='9')), "{code:?} is a scanner's");
                }
            }
        }
    }

    #[test]
    fn every_action_has_one_line_with_a_name_and_its_keys_are_shown() {
        let mut seen = HashSet::new();
        for entry in KEYS {
            assert!(seen.insert(entry.action), "{:?} twice", entry.action);
            assert!(!entry.name.is_empty());
            assert_eq!(entry.keys.is_empty(), entry.shown.is_empty(), "{}", entry.name);
        }
    }

    #[test]
    fn escape_never_leaves_and_nothing_that_ends_has_a_plain_key() {
        for view in View::ALL {
            let escape = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
            assert_eq!(action(view, &escape), Some(Action::Back));
        }
        for destroys in [Action::Scrap, Action::StopStation, Action::AllowReplace, Action::AllowTry] {
            assert!(entry_of(destroys).unwrap().keys.is_empty(), "{destroys:?}");
        }
    }

    #[test]
    fn a_capital_is_a_capital_whether_or_not_shift_is_reported() {
        for held in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
            let pressed = KeyEvent::new(KeyCode::Char('S'), held);
            assert_eq!(action(View::Station, &pressed), Some(Action::StartBatch));
        }
        let alt = KeyEvent::new(KeyCode::Char('S'), KeyModifiers::ALT);
        assert_eq!(action(View::Station, &alt), None);
    }
}
