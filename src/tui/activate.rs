//! Activation by the screen: token by token, each code fresh when it is typed at the server, and what the server said to
//! it goes on record.

use super::msg::{Asked, Effect};
use crate::{
    domain::{Serial, UnixMillis},
    face::{ActivationAsk, ActivationCode, ActivationCodes, Command, Failure, Reply},
};
use crossterm::event::{KeyCode, KeyEvent};

/// Where it is.
#[derive(Debug)]
pub enum Stage {
    /// The station is asked for a code.
    Asking,
    /// A code is there, or the reason why there is none.
    Shown,
    /// That the server took it goes on record.
    Telling,
    /// It did not work.
    Failed(Failure),
}

/// The dialog that walks through a batch.
#[derive(Debug)]
pub struct Activating {
    /// The batch.
    pub batch: String,
    /// What the station said last.
    pub codes: Option<ActivationCodes>,
    /// How many the server took.
    pub taken: u64,
    /// Those that it did not take.
    pub passed: Vec<Serial>,
    /// Where it is.
    pub stage: Stage,
}

impl Activating {
    /// Begins with the first token of `batch` that waits for it.
    pub fn begin(batch: String) -> (Self, Vec<Effect>) {
        let activating = Self { batch, codes: None, taken: 0, passed: Vec::new(), stage: Stage::Asking };
        let effects = vec![activating.ask()];
        (activating, effects)
    }

    fn ask(&self) -> Effect {
        let ask = ActivationAsk {
            batch: Some(self.batch.clone()),
            except: self.passed.clone(),
            limit: 1,
            ..ActivationAsk::default()
        };
        Effect::Ask(Asked::Activation, Command::ActivationCodes(ask))
    }

    fn next(&mut self) -> Vec<Effect> {
        self.stage = Stage::Asking;
        vec![self.ask()]
    }

    /// The code that is to be typed at the server.
    pub fn code(&self) -> Option<&ActivationCode> {
        self.codes.as_ref().and_then(|codes| codes.codes.first())
    }

    /// The seconds that it is still the current one; none once it is over.
    pub fn left(&self, now: UnixMillis) -> Option<i64> {
        now.seconds_until(self.code()?.until.to_millis())
    }

    /// Lets `key` say what the server said: `y` it took the code, `n` it did not, `r` another code of the same token.
    pub fn key(&mut self, key: &KeyEvent) -> Vec<Effect> {
        if matches!(self.stage, Stage::Asking | Stage::Telling) {
            return Vec::new();
        }
        let serial = self.code().map(|code| code.serial.clone());
        match (key.code, serial) {
            (KeyCode::Char('y' | 'Y'), Some(serial)) if matches!(self.stage, Stage::Shown) => {
                self.stage = Stage::Telling;
                let command = Command::Activated { serials: vec![serial], code: None };
                vec![Effect::Ask(Asked::Activated, command)]
            }
            (KeyCode::Char('n' | 'N'), Some(serial)) => {
                self.passed.push(serial);
                self.next()
            }
            (KeyCode::Char('r'), _) => self.next(),
            _ => Vec::new(),
        }
    }

    /// What the station said to a question of this dialog.
    pub fn answered(&mut self, result: Result<Reply, Failure>) -> Vec<Effect> {
        match (&self.stage, result) {
            (Stage::Telling, Ok(_)) => {
                self.taken += 1;
                return self.next();
            }
            (_, Ok(Reply::ActivationCodes(codes))) => {
                self.codes = Some(codes);
                self.stage = Stage::Shown;
            }
            (_, Ok(_)) => self.stage = Stage::Shown,
            (_, Err(failure)) => self.stage = Stage::Failed(failure),
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Profile, UnixTime},
        tui::sample::failure,
    };
    use crossterm::event::KeyModifiers;

    fn codes(serial: &str) -> Result<Reply, Failure> {
        Ok(Reply::ActivationCodes(ActivationCodes {
            at: UnixTime(31),
            login_target: "Entra ID".into(),
            codes: vec![ActivationCode {
                serial: serial.parse().unwrap(),
                profile: Profile::ZERO,
                user: Some("ann@example.com".into()),
                code: "012345".into(),
                until: UnixTime(60),
            }],
            waiting: 4,
            more_at: None,
            left_out: Vec::new(),
        }))
    }

    fn press(dialog: &mut Activating, letter: char) -> Vec<Effect> {
        dialog.key(&KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE))
    }

    #[test]
    fn what_the_server_took_is_on_record_before_the_next_code_is_asked_for() {
        let (mut dialog, effects) = Activating::begin("spring".into());
        assert!(matches!(&effects[..], [Effect::Ask(_, Command::ActivationCodes(ask))] if ask.limit == 1));
        assert!(press(&mut dialog, 'y').is_empty(), "nothing is there to be taken");
        assert!(dialog.answered(codes("17")).is_empty());
        assert_eq!((dialog.left(UnixMillis(59_001)), dialog.left(UnixMillis(60_000))), (Some(1), None));
        let effects = press(&mut dialog, 'y');
        assert!(matches!(&effects[..], [Effect::Ask(_, Command::Activated { serials, code: None })]
            if serials[0].as_str() == "17"));
        assert!(press(&mut dialog, 'y').is_empty(), "said once");
        let effects = dialog.answered(Ok(Reply::Done));
        assert!(matches!(&effects[..], [Effect::Ask(_, Command::ActivationCodes(_))]));
        assert_eq!(dialog.taken, 1);
    }

    #[test]
    fn what_it_did_not_take_is_passed_over_and_another_code_is_of_the_same_token() {
        let (mut dialog, _) = Activating::begin("spring".into());
        dialog.answered(codes("17"));
        let effects = press(&mut dialog, 'r');
        assert!(
            matches!(&effects[..], [Effect::Ask(_, Command::ActivationCodes(ask))] if ask.except.is_empty())
        );
        dialog.answered(codes("17"));
        let effects = press(&mut dialog, 'n');
        assert!(matches!(&effects[..], [Effect::Ask(_, Command::ActivationCodes(ask))]
            if ask.except == ["17".parse().unwrap()]));
        assert_eq!((dialog.taken, dialog.passed.len()), (0, 1));
    }

    #[test]
    fn a_record_that_failed_is_not_counted() {
        let (mut dialog, _) = Activating::begin("spring".into());
        dialog.answered(codes("17"));
        press(&mut dialog, 'y');
        dialog.answered(Err(failure("the disk is full")));
        assert!(matches!(dialog.stage, Stage::Failed(_)) && dialog.taken == 0);
        assert!(press(&mut dialog, 'y').is_empty(), "first it is asked again");
        assert_eq!(press(&mut dialog, 'r').len(), 1);
    }
}
