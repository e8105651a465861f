//! The clock of one token is set right. Nobody is asked whether: it keeps its seed and its parameters. Only how long the
//! display of a delivered single-profile token stays on has to be said, once, since it is written together with the time.

use super::{
    form::{Choice, Did, Field, Form},
    msg::{Asked, Effect},
};
use crate::{
    domain::Serial,
    face::{Command, NewSweep, TokenView},
};
use crossterm::event::KeyEvent;

/// The token, and from how far off on its clock is set, in seconds; none: as the station sees fit.
pub type Which = (Serial, Option<u32>);

/// Begins with what is on record of it.
pub fn begin(serial: Serial, threshold_s: Option<u32>) -> Effect {
    Effect::Ask(Asked::Resync((serial.clone(), threshold_s)), Command::Token { serial })
}

/// Has the clock set.
pub fn ask((serial, threshold_s): Which, display_timeout_s: Option<u16>) -> Effect {
    let said = format!("put token {serial} on a slot: its clock is set there");
    let sweep = NewSweep { serials: vec![serial], threshold_s, display_timeout_s, ..NewSweep::default() };
    Effect::Ask(Asked::Act(said), Command::Resync(sweep))
}

/// The dialog that asks how long the display stays on.
#[derive(Debug)]
pub struct Resyncing {
    which: Which,
    /// What is filled in.
    pub form: Form,
    /// Why it does not go on so.
    pub problem: Option<&'static str>,
}

impl Resyncing {
    /// Where something has to be said of the token first.
    pub fn new(which: Which, token: &TokenView) -> Option<Self> {
        if token.timeouts_to_choose_s.is_empty() {
            return None;
        }
        let choices = token.timeouts_to_choose_s.iter();
        let choices = choices.map(|seconds| Choice::new(seconds.to_string(), format!("{seconds} s")));
        let field = Field::choice(
            "stays on for",
            "Right changes, or the first digit; switch the token on and count, if you don't know",
            std::iter::once(Choice::new("", "not said yet")).chain(choices).collect(),
        );
        Some(Self { which, form: Form::new(vec![field]), problem: None })
    }

    /// Which token it is about.
    pub fn serial(&self) -> &Serial {
        &self.which.0
    }

    /// Lets `key` choose. Enter with a choice gives what is to be asked.
    pub fn key(&mut self, key: &KeyEvent) -> Option<Effect> {
        match self.form.key(key) {
            Did::Done => match self.form.said(0).and_then(|said| said.parse().ok()) {
                Some(seconds) => return Some(ask(self.which.clone(), Some(seconds))),
                None => self.problem = Some("nothing is guessed: choose how long it stays on"),
            },
            Did::Edited => self.problem = None,
            Did::Moved | Did::Nothing => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::diagnose::sample::token;
    use crossterm::event::{KeyCode, KeyModifiers};

    const SERIAL: &str = "86596100000001";

    #[test]
    fn what_is_not_said_is_asked_until_it_is() {
        let which = (SERIAL.parse().unwrap(), Some(0));
        let known = token(SERIAL, 1);
        assert!(Resyncing::new(which.clone(), &known).is_none(), "nothing is to be said");
        let delivered = TokenView { timeouts_to_choose_s: vec![15, 30, 60, 120], ..known };
        let mut asking = Resyncing::new(which, &delivered).unwrap();
        let mut press = |code| asking.key(&KeyEvent::new(code, KeyModifiers::NONE));
        assert!(press(KeyCode::Enter).is_none(), "Enter alone confirms nothing");
        press(KeyCode::Char('6'));
        let Some(Effect::Ask(_, Command::Resync(sweep))) = press(KeyCode::Enter) else { panic!() };
        assert_eq!((sweep.display_timeout_s, sweep.threshold_s), (Some(60), Some(0)));
        assert_eq!(sweep.serials, [SERIAL.parse().unwrap()]);
    }
}
