//! Line mode, for screen readers and terminals that can't be painted: what happens is told in sentences, and a few words
//! are typed. Nothing is ever written over. It is the same model and the same `update` as behind the screen; what would
//! be a dialog there is a question here.

use super::{
    act,
    dialog::{Dialog, Sure},
    keys::Action,
    look::Look,
    model::{Link, Model, View},
    msg::{Effect, Msg},
    pace::span,
    scan,
    update::update,
    view::paint::plain as harmless,
};
use crate::{
    domain::UnixMillis,
    face::{Doing, Event, Failure, SlotView, VaultState, Verdict},
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use zeroize::Zeroizing;

/// What comes in.
#[derive(Debug)]
pub enum Heard {
    /// A typed line. It may be a passphrase.
    Line(Line),
    /// Nobody types any more.
    End,
    /// What the screen would have been told.
    Msg(Box<Msg>),
}

/// A typed line, wiped when it goes. `Debug` doesn't show it.
pub struct Line(pub Zeroizing<String>);

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line({} characters)", self.0.chars().count())
    }
}

/// Whether what is typed next may show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// It may.
    Shown,
    /// It is a passphrase.
    Hidden,
}

/// What is known, and what was told of it.
pub struct Plain {
    /// The model behind the screen.
    pub model: Model,
    /// The question that was put last, so that it is put once.
    put: Option<String>,
    /// Nothing was heard of the station yet.
    new: bool,
}

/// The words, and what they do.
const WORDS: [(&str, &str); 14] = [
    ("status", "slots, batches, alarms: how things stand"),
    ("start NAME", "start or resume a batch"),
    ("pause NAME", "pause a batch"),
    ("retry NAME", "put a batch's failed jobs back into the queue"),
    ("cancel NAME", "cancel a batch"),
    ("SERIAL", "choose a token, as a scanner types it; then type the code that it shows"),
    ("CODE", "verify the code of the token that was chosen, or of the only one that waits"),
    ("token SERIAL", "what is on record about a token"),
    ("alarms", "the alarms that nobody has read"),
    ("read", "they are read"),
    ("unlock", "unlock the vault"),
    ("lock", "lock the vault"),
    ("help", "these words; all that kiln can do: kiln help, in a shell"),
    ("quit", "leave; the station and its burns go on"),
];

impl Plain {
    /// Before anything is known.
    pub fn new(now: UnixMillis) -> Self {
        let mut model = Model::new(Look::BARE, (80, 24), now);
        // The view that asks for nothing by itself.
        model.view = View::Log;
        Self { model, put: None, new: true }
    }

    /// Takes it in: what to say, and what is wanted.
    pub fn hear(&mut self, heard: Heard) -> (Vec<String>, Vec<Effect>) {
        let mut lines = Vec::new();
        let effects = match heard {
            Heard::Line(line) => self.typed(&line.0, &mut lines),
            Heard::End => act::perform(&mut self.model, Action::Quit),
            Heard::Msg(msg) => {
                let attached = matches!(*msg, Msg::Attached { .. });
                let lost = match &*msg {
                    Msg::Lost(failure) if !matches!(self.model.link, Link::Lost(_)) => Some(failure.clone()),
                    _ => None,
                };
                let slot = match &*msg {
                    Msg::News(numbered) => match &numbered.event {
                        Event::Slot(slot) if slot.doing == Doing::Look => Some(slot.clone()),
                        _ => None,
                    },
                    _ => None,
                };
                let effects = update(&mut self.model, *msg);
                let told = self.model.station.log.len();
                lines.extend(self.model.station.log.drain(..).map(|said| said.text));
                if let Some(remedy) = slot.filter(|_| told > 0).and_then(|slot| slot.remedy) {
                    lines.push(format!("-> {remedy}"));
                }
                if let Some(failure) = lost {
                    lines.push(format!("NO CONNECTION, trying again by itself: {}", failure.message));
                    lines.push(format!("-> {}", failure.remedy));
                }
                if attached && self.new {
                    self.new = false;
                    lines.extend(self.status());
                    lines.push("type help for the words, quit to leave".into());
                }
                effects
            }
        };
        lines.extend(self.questions());
        (lines.iter().map(|line| harmless(line).into_owned()).collect(), effects)
    }

    /// Whether the next line may show while it is typed.
    pub fn echo(&self) -> Echo {
        match self.model.dialogs.last() {
            Some(Dialog::Unlock(_) | Dialog::Init(_)) => Echo::Hidden,
            _ => Echo::Shown,
        }
    }

    fn typed(&mut self, line: &str, lines: &mut Vec<String>) -> Vec<Effect> {
        let key = |code| Msg::Key(KeyEvent::new(code, KeyModifiers::NONE));
        match self.model.dialogs.last_mut() {
            Some(Dialog::Sure(_)) => {
                let yes = matches!(line.trim(), "y" | "Y" | "yes");
                return update(&mut self.model, key(KeyCode::Char(if yes { 'y' } else { 'n' })));
            }
            Some(Dialog::Unlock(_) | Dialog::Typed { .. } | Dialog::Init(_)) if line.is_empty() => {
                self.model.dialogs.pop();
                self.put = None;
                lines.push("left as it is".into());
                return Vec::new();
            }
            Some(dialog @ (Dialog::Unlock(_) | Dialog::Typed { .. } | Dialog::Init(_))) => {
                if let Some(input) = dialog.input() {
                    drop(input.take());
                    input.paste(line);
                }
                self.put = None;
                return update(&mut self.model, key(KeyCode::Enter));
            }
            _ => {}
        }
        let (word, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        let rest = rest.trim();
        let batch = |model: &mut Model, action| act::on_batch(model, action, rest.to_owned());
        match word.to_lowercase().as_str() {
            "" => Vec::new(),
            "help" | "?" => {
                lines.extend(WORDS.iter().map(|(word, means)| format!("{word}: {means}")));
                Vec::new()
            }
            "status" | "slots" => {
                lines.extend(self.status());
                Vec::new()
            }
            word @ ("start" | "resume" | "pause" | "retry" | "cancel") if rest.is_empty() => {
                let names: Vec<&str> =
                    self.model.station.batches.iter().map(|batch| batch.name.as_str()).collect();
                lines.push(format!("{word} which batch? There are: {}", or_none(&names)));
                Vec::new()
            }
            "start" | "resume" => batch(&mut self.model, Action::StartBatch),
            "pause" => batch(&mut self.model, Action::PauseBatch),
            "retry" => batch(&mut self.model, Action::RetryBatch),
            "cancel" => batch(&mut self.model, Action::CancelBatch),
            "unlock" | "init" => act::perform(&mut self.model, Action::Unlock),
            "lock" => act::perform(&mut self.model, Action::Lock),
            "alarms" => {
                lines.extend(self.alarms());
                Vec::new()
            }
            // As behind the screen, so that it holds wherever it holds there.
            "read" => {
                self.model.dialogs.push(Dialog::Alarms(0));
                update(&mut self.model, key(KeyCode::Char('r')))
            }
            "verify" => {
                let mut effects = Vec::new();
                for part in rest.split_whitespace() {
                    effects.extend(scan::taken(&mut self.model, part));
                }
                effects
            }
            "token" => scan::shown(&mut self.model, rest),
            "quit" | "exit" | "q" => act::perform(&mut self.model, Action::Quit),
            digits if digits.starts_with(|c: char| c.is_ascii_digit()) => scan::taken(&mut self.model, word),
            other => {
                lines.push(format!("\"{other}\" is none of the words; help lists them"));
                Vec::new()
            }
        }
    }

    /// What a screen would show over its view: told, and asked where it is a question.
    fn questions(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(self.model.toast.take().map(|toast| toast.text));
        loop {
            let put = match self.model.dialogs.last() {
                None => {
                    self.put = None;
                    return lines;
                }
                Some(Dialog::Failure(failure)) => {
                    lines.extend(failure_lines(failure));
                    None
                }
                Some(Dialog::Verdict { serial, code, verdict, .. }) => {
                    lines.extend(verdict_lines(serial.as_str(), code, verdict));
                    None
                }
                Some(Dialog::Token { serial, view: Some(token), .. }) => {
                    lines.push(format!("token {serial}"));
                    lines.extend(super::view::token_sentences(token));
                    None
                }
                Some(Dialog::Token { view: None, .. }) => return lines,
                Some(Dialog::Sure(sure)) => Some(sure_line(sure)),
                Some(Dialog::Typed { what, problem, .. }) => {
                    let (title, meaning, ask) = what.words();
                    let why = problem.map(|problem| format!("{problem}. ")).unwrap_or_default();
                    Some(format!("{why}{title}? {meaning} {ask}; an empty line leaves it:"))
                }
                Some(Dialog::Unlock(unlock)) => match unlock.holders.as_deref() {
                    _ if unlock.busy => Some("opening: this takes a second or two by design".into()),
                    None => return lines,
                    Some([]) => {
                        lines.push("no passphrase opens this vault: kiln unlock --identity FILE".into());
                        None
                    }
                    Some(holders) => {
                        let name = holders.get(unlock.chosen).map_or("", |holder| holder.name.as_str());
                        let question =
                            format!("passphrase of {name} (it does not show; an empty line leaves it):");
                        if self.put.as_ref() != Some(&question) {
                            lines.extend(unlock.problem.iter().flat_map(failure_lines));
                        }
                        Some(question)
                    }
                },
                // These are forms: a shell is the better place for them here.
                Some(Dialog::Init(_)) => {
                    lines.push("there is no vault yet: quit, and run kiln init".into());
                    None
                }
                Some(_) => None,
            };
            match put {
                Some(question) => {
                    if self.put.as_ref() != Some(&question) {
                        lines.push(question.clone());
                        self.put = Some(question);
                    }
                    return lines;
                }
                None => drop(self.model.dialogs.pop()),
            }
        }
    }

    /// How things stand, a sentence each.
    fn status(&self) -> Vec<String> {
        let station = &self.model.station;
        let mut lines = Vec::new();
        match station.vault {
            Some(VaultState::Absent) => {
                lines.push("there is no vault yet: quit, and run kiln init".to_owned())
            }
            Some(VaultState::Locked) => {
                lines.push("the vault is locked: nothing is burned; type unlock".into())
            }
            Some(VaultState::Open) | None => {}
        }
        if let Some(clock) = station.clock.filter(|clock| !clock.burns_allowed) {
            lines.push(format!("the station's clock is not trusted, nothing is burned: {}", clock.state));
        }
        lines.extend(station.slots.iter().map(slot_line));
        if station.slots.is_empty() {
            lines.push("there is no slot: plug in a reader".into());
        }
        for batch in &station.batches {
            let jobs = &batch.jobs;
            let why = batch.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            let mut line = format!(
                "batch {}: {}{why}, {} of {} burned",
                batch.name,
                batch.state,
                jobs.burned,
                jobs.total()
            );
            for (count, word) in [(jobs.failed, "failed"), (jobs.unfinished, "unfinished")] {
                if count > 0 {
                    line.push_str(&format!(", {count} {word}"));
                }
            }
            lines.push(line);
        }
        if let Some(seconds) = station.pace.seconds_left(self.model.now, station.left())
            && station.left() > 0
        {
            lines.push(format!("{} left at this pace", span(seconds)));
        }
        for eyes in &station.eyes {
            lines.push(format!(
                "token {} wants eyes: switch it off and on, type its serial, then the code it shows",
                eyes.serial
            ));
        }
        match station.unread().count() {
            0 => {}
            1 => lines.push("1 alarm: type alarms".into()),
            several => lines.push(format!("{several} alarms: type alarms")),
        }
        lines
    }

    fn alarms(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for alarm in self.model.station.unread() {
            lines.push(format!("{} {}", alarm.at.floor_second(), alarm.message));
            lines.push(format!("-> {}", alarm.remedy));
        }
        if lines.is_empty() {
            lines.push("no alarm that was not read".into());
        } else {
            lines.push("type read once you have read them".into());
        }
        lines
    }
}

fn or_none(names: &[&str]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

fn slot_line(slot: &SlotView) -> String {
    let mut line = format!("{}: {}", slot.slot, slot.doing.word());
    line.extend(slot.serial.as_ref().map(|serial| format!(", token {serial}")));
    line.extend(slot.says.as_ref().map(|says| format!(": {says}")));
    line.extend(slot.remedy.as_ref().map(|remedy| format!(" -> {remedy}")));
    line
}

fn sure_line(sure: &Sure) -> String {
    let (question, meaning) = sure.words();
    format!("{question} {meaning} Type y for yes, n for no:")
}

fn failure_lines(failure: &Failure) -> Vec<String> {
    let mut lines = vec![format!("that did not work: {}", failure.message)];
    lines.extend(failure.details.iter().cloned());
    if !failure.remedy.is_empty() {
        lines.push(format!("-> {}", failure.remedy));
    }
    lines
}

fn verdict_lines(serial: &str, code: &str, verdict: &Verdict) -> Vec<String> {
    let word = if verdict.right { "RIGHT" } else { "WRONG" };
    vec![format!("{word}: {code} of token {serial}"), verdict.advice.clone()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        face::{Command, HolderFile, Numbered, Reply},
        tui::{
            msg::Asked,
            sample::{NOW, attached, failure, job_event, slot},
        },
    };

    fn plain() -> Plain {
        let mut plain = Plain::new(NOW);
        plain.hear(Heard::Msg(attached().into()));
        plain
    }

    fn line(plain: &mut Plain, text: &str) -> (Vec<String>, Vec<Effect>) {
        plain.hear(Heard::Line(Line(text.to_owned().into())))
    }

    fn event(plain: &mut Plain, event: Event) -> Vec<String> {
        let number = plain.model.station.last_event + 1;
        plain.hear(Heard::Msg(Msg::News(Numbered { number, at: NOW, event }).into())).0
    }

    #[test]
    fn the_first_words_say_how_things_stand() {
        let mut plain = Plain::new(NOW);
        let (lines, _) = plain.hear(Heard::Msg(attached().into()));
        for expected in [
            "Reader 03: take, token 8659610000003: burned",
            "batch spring: running, 9 of 24 burned, 1 failed, 1 unfinished",
            "1 alarm: type alarms",
            "type help for the words, quit to leave",
        ] {
            assert!(lines.iter().any(|line| line == expected), "{expected}: {lines:#?}");
        }
        assert!(lines.iter().all(|line| line.is_ascii()));
    }

    #[test]
    fn events_are_sentences_with_what_to_do() {
        let mut plain = plain();
        let mut look = slot("Reader 02", Doing::Look, None);
        look.says = Some("this is no token".into());
        look.remedy = Some("take it away".into());
        assert_eq!(
            event(&mut plain, Event::Slot(look)),
            ["Reader 02: look: this is no token", "-> take it away"]
        );
        let burned = job_event(3, crate::domain::JobState::Burned, "17");
        assert_eq!(event(&mut plain, burned), ["job 3 of spring: burned, token 17"]);
        let evil = slot("\u{1b}[2J", Doing::Place, None);
        assert!(!event(&mut plain, Event::Slot(evil)).concat().contains('\u{1b}'));
    }

    #[test]
    fn a_batch_is_started_on_a_yes_and_on_nothing_else() {
        let mut plain = plain();
        let (asked, effects) = line(&mut plain, "start autumn");
        assert!(asked[0].starts_with("Start batch autumn?") && effects.is_empty());
        assert!(line(&mut plain, "").1.is_empty());
        line(&mut plain, "start autumn");
        let (_, effects) = line(&mut plain, "y");
        assert!(matches!(&effects[..], [Effect::Ask(_, Command::BatchStart { name })] if name == "autumn"));
        let (asked, _) = line(&mut plain, "cancel spring");
        assert!(asked[0].contains("Type the batch's name"), "{asked:?}");
        assert!(line(&mut plain, "y").0[0].starts_with("that is not its name"));
        let (_, effects) = line(&mut plain, "spring");
        assert!(
            matches!(&effects[..], [Effect::Ask(_, Command::BatchCancel { name }), ..] if name == "spring")
        );
        assert_eq!(line(&mut plain, "start").0, ["start which batch? There are: spring, autumn"]);
    }

    #[test]
    fn a_passphrase_is_asked_for_without_an_echo() {
        let mut plain = plain();
        event(&mut plain, Event::Vault { state: VaultState::Locked });
        line(&mut plain, "unlock");
        let holders = vec![HolderFile {
            name: "ann".into(),
            kind: "passphrase".into(),
            recipient: None,
            file: String::new(),
        }];
        let answer = Msg::Answer(Asked::Holders, Ok(Reply::Holders(holders)));
        let (asked, _) = plain.hear(Heard::Msg(answer.into()));
        assert!(asked[0].starts_with("passphrase of ann"), "{asked:?}");
        assert_eq!(plain.echo(), Echo::Hidden);
        let (told, effects) = line(&mut plain, "7 blue horses");
        assert!(matches!(&effects[..], [Effect::Unlock(_, typed)] if *typed.0 == "7 blue horses"));
        assert!(!told.concat().contains("horses"));
        let (again, _) = plain.hear(Heard::Msg(Msg::Unlocked(Err(failure("it does not open"))).into()));
        assert!(
            again[0].contains("it does not open") && again.last().unwrap().starts_with("passphrase of ann")
        );
        line(&mut plain, "");
        assert_eq!(plain.echo(), Echo::Shown);
    }

    #[test]
    fn a_scanner_types_a_serial_and_then_a_code() {
        let mut plain = plain();
        let (told, _) = line(&mut plain, "8659610000010");
        assert!(told[0].contains("now type the code"), "{told:?}");
        let (_, effects) = line(&mut plain, "123456");
        assert!(matches!(&effects[..], [Effect::Ask(Asked::Profiles(serial, code), _)]
            if serial.as_str() == "8659610000010" && code == "123456"));
        assert_eq!(line(&mut plain, "dance").0, ["\"dance\" is none of the words; help lists them"]);
        assert!(line(&mut plain, "help").0.len() == WORDS.len());
        line(&mut plain, "quit");
        assert!(plain.model.quit);
    }

    #[test]
    fn alarms_stay_until_somebody_says_that_they_are_read() {
        let mut plain = plain();
        for _ in 0..2 {
            let (told, _) = line(&mut plain, "alarms");
            assert!(
                told[0].contains("three burns in a row failed") && told[1].starts_with("-> "),
                "{told:?}"
            );
        }
        line(&mut plain, "read");
        assert_eq!(line(&mut plain, "alarms").0, ["no alarm that was not read"]);
    }

    #[test]
    fn a_lost_server_is_told_once() {
        let mut plain = plain();
        let lost = || Heard::Msg(Msg::Lost(failure("the server ended")).into());
        assert_eq!(plain.hear(lost()).0.len(), 2);
        assert!(plain.hear(lost()).0.is_empty());
        let (back, _) = plain.hear(Heard::Msg(attached().into()));
        assert_eq!(back, ["the connection is back"]);
    }
}
