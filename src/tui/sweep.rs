//! A sweep, by the screen: whose clocks are set right as tokens are put down, and from how far off on.

use super::{
    form::{Choice, Did, Field, Form},
    msg::{Asked, Effect},
};
use crate::face::{BatchView, Command, NewSweep};
use crossterm::event::KeyEvent;

/// Fields of the form.
const TOKENS: usize = 0;
const THRESHOLD: usize = 1;
const DISPLAY: usize = 2;
const NAME: usize = 3;

/// The dialog that starts a sweep.
#[derive(Debug)]
pub struct Sweeping {
    /// What is filled in.
    pub form: Form,
    /// Why it can't be started so.
    pub problem: Option<&'static str>,
}

impl Sweeping {
    /// For the tokens of one of these batches, or for all.
    pub fn new(batches: &[BatchView]) -> Self {
        let all = Choice::new("", "all on record");
        let burned = batches.iter().filter(|batch| batch.sweep.is_none() && batch.jobs.burned > 0);
        let of =
            burned.map(|batch| Choice::new(batch.name.clone(), format!("those of batch {}", batch.name)));
        Self {
            form: Form::new(vec![
                Field::choice(
                    "tokens",
                    "whose clocks; Right changes. Tokens that kiln does not know stay as they are",
                    std::iter::once(all).chain(of).collect(),
                ),
                Field::text(
                    "more than",
                    "seconds that a clock must be off; empty: a third of what the token's server forgives",
                ),
                Field::text(
                    "display",
                    "seconds that the displays of delivered tokens stay on, where that is not on record; empty: those are \
                     left as they are",
                ),
                Field::text("name", "what the sweep is called; empty: \"resync-\" and the day"),
            ]),
            problem: None,
        }
    }

    /// What is asked for; else which field is wrong, and what it wants.
    fn sweep(&self) -> Result<NewSweep, (usize, &'static str)> {
        let seconds = |field| self.form.said(field).map(|text| text.parse::<u32>()).transpose();
        let threshold_s = seconds(THRESHOLD).ok().filter(|said| said.is_none_or(|said| said <= 86_400));
        let threshold_s = threshold_s.ok_or((THRESHOLD, "a number of seconds, up to 86400, or nothing"))?;
        let display_timeout_s = seconds(DISPLAY).ok().map(|said| said.map(u16::try_from).transpose());
        let display_timeout_s = display_timeout_s
            .and_then(Result::ok)
            .ok_or((DISPLAY, "a number of seconds, such as 30, or nothing"))?;
        Ok(NewSweep {
            name: self.form.said(NAME),
            threshold_s,
            display_timeout_s,
            of_batch: self.form.said(TOKENS),
            ..NewSweep::default()
        })
    }

    /// Lets `key` fill in. Enter on the last field, or with all that is needed, gives what is to be asked.
    pub fn key(&mut self, key: &KeyEvent) -> Option<Effect> {
        match self.form.key(key) {
            Did::Done => match self.sweep() {
                Ok(sweep) => {
                    let said =
                        "the sweep runs: put tokens down one after another, each until its slot says take";
                    return Some(Effect::Ask(Asked::Act(said.to_owned()), Command::Resync(sweep)));
                }
                Err((field, problem)) => {
                    self.problem = Some(problem);
                    self.form.at = field;
                }
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
    use crate::tui::sample::batch;
    use crossterm::event::{KeyCode, KeyModifiers};

    fn press(sweeping: &mut Sweeping, code: KeyCode) -> Option<Effect> {
        sweeping.key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn nothing_filled_in_is_all_tokens_by_what_their_servers_forgive() {
        let asked = press(&mut Sweeping::new(&[]), KeyCode::Enter);
        assert!(
            matches!(asked, Some(Effect::Ask(_, Command::Resync(sweep))) if sweep == NewSweep::default())
        );
    }

    #[test]
    fn a_batch_and_the_seconds_are_asked_as_filled_in() {
        let mut sweeping = Sweeping::new(&[batch("none", "draft"), batch("spring", "done")]);
        for code in [KeyCode::Right, KeyCode::Tab, KeyCode::Char('x')] {
            assert!(press(&mut sweeping, code).is_none());
        }
        assert!(press(&mut sweeping, KeyCode::Enter).is_none() && sweeping.problem.is_some());
        press(&mut sweeping, KeyCode::Backspace);
        press(&mut sweeping, KeyCode::Char('5'));
        assert_eq!(sweeping.problem, None);
        for code in [KeyCode::Tab, KeyCode::Char('-')] {
            press(&mut sweeping, code);
        }
        assert!(press(&mut sweeping, KeyCode::Enter).is_none() && sweeping.form.at == DISPLAY);
        for code in [KeyCode::Backspace, KeyCode::Char('6'), KeyCode::Char('0')] {
            press(&mut sweeping, code);
        }
        let Some(Effect::Ask(_, Command::Resync(sweep))) = press(&mut sweeping, KeyCode::Enter) else {
            panic!()
        };
        assert_eq!((sweep.of_batch.as_deref(), sweep.threshold_s), (Some("spring"), Some(5)));
        assert_eq!(sweep.display_timeout_s, Some(60));
    }
}
