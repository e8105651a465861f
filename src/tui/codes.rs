//! The codes of the key that lies on a slot, as it calculates them itself: nothing of the vault is used, and no seed
//! comes to the screen.

use super::msg::{Asked, Effect};
use crate::{
    domain::{SlotName, UnixMillis},
    face::{Command, Failure, KeyCode as Code, KeyCodes, KeyWants, Reply},
};
use crossterm::event::{KeyCode, KeyEvent};

/// Where the reading is.
#[derive(Debug)]
pub enum Stage {
    /// The key is asked for all that it calculates by itself.
    Reading,
    /// It is asked for this one, and waits for a touch.
    Touch(String),
    /// Nothing is asked now.
    Shown,
    /// A code of this one would be used up: `y` does it.
    Sure(String),
    /// It did not work.
    Failed(Failure),
}

/// The dialog that shows them.
#[derive(Debug)]
pub struct Codes {
    /// The slot.
    pub slot: SlotName,
    /// What was read so far.
    pub read: Option<KeyCodes>,
    /// Which line.
    pub at: usize,
    /// Where it is.
    pub stage: Stage,
    /// Names of the passwords in the vault.
    passwords: Vec<String>,
    /// Which of them opens the key; none: it has none.
    password: Option<usize>,
}

impl Codes {
    /// Begins to read the key on `slot`.
    pub fn begin(slot: SlotName) -> (Self, Vec<Effect>) {
        let codes =
            Self { slot, read: None, at: 0, stage: Stage::Reading, passwords: Vec::new(), password: None };
        let effects = vec![codes.ask(None), Effect::Ask(Asked::Keys, Command::Keys)];
        (codes, effects)
    }

    /// The password that opens the key, by its name in the vault.
    pub fn password(&self) -> Option<&str> {
        self.password.and_then(|at| self.passwords.get(at)).map(String::as_str)
    }

    /// Whether there is a password to choose.
    pub fn has_passwords(&self) -> bool {
        !self.passwords.is_empty()
    }

    /// Whether a code that is shown is still to run out.
    pub fn run_out_after(&self, now: UnixMillis) -> bool {
        self.read.iter().flat_map(|read| &read.codes).any(|code| left(code, now).is_some())
    }

    /// Which passwords there are.
    pub fn take_keys(&mut self, names: &[String]) {
        self.passwords = names.to_vec();
        self.password = None;
    }

    fn ask(&self, name: Option<String>) -> Effect {
        let key = self.password().map(str::to_owned);
        let slot = Some(self.slot.0.clone());
        Effect::Ask(Asked::Codes(self.slot.clone()), Command::OtpRead { slot, name, key })
    }

    /// Lets `key` choose, read again, or read one by a touch.
    pub fn key(&mut self, key: &KeyEvent) -> Vec<Effect> {
        if let (Stage::Sure(name), KeyCode::Char('y' | 'Y')) = (&self.stage, key.code) {
            return self.read_one(name.clone());
        }
        if matches!((&self.stage, key.code), (Stage::Touch(_), KeyCode::Char('x'))) {
            return vec![super::act::touch_given_up(&self.slot)];
        }
        if matches!(self.stage, Stage::Reading | Stage::Touch(_)) {
            return Vec::new();
        }
        let last = self.read.as_ref().map_or(0, |read| read.codes.len().saturating_sub(1));
        let by = super::dialog::lines_moved(key);
        self.at = self.at.saturating_add_signed(by.into()).min(last);
        match key.code {
            KeyCode::Char('r') => {
                self.stage = Stage::Reading;
                vec![self.ask(None)]
            }
            KeyCode::Char('p') if self.has_passwords() => {
                self.password = match self.password {
                    None => Some(0),
                    Some(at) => Some(at + 1).filter(|at| *at < self.passwords.len()),
                };
                Vec::new()
            }
            KeyCode::Enter => {
                let selected = self.read.as_ref().and_then(|read| read.codes.get(self.at));
                match selected.map(|code| (code.name.clone(), code.wants)) {
                    // A counter that moves on may leave the server behind.
                    Some((name, Some(KeyWants::Asking))) => {
                        self.stage = Stage::Sure(name);
                        Vec::new()
                    }
                    Some((name, Some(KeyWants::Touch))) => self.read_one(name),
                    Some((_, None)) | None => Vec::new(),
                }
            }
            _ => {
                if matches!(self.stage, Stage::Sure(_)) {
                    self.stage = Stage::Shown;
                }
                Vec::new()
            }
        }
    }

    fn read_one(&mut self, name: String) -> Vec<Effect> {
        let effect = self.ask(Some(name.clone()));
        self.stage = Stage::Touch(name);
        vec![effect]
    }

    /// What the station read.
    pub fn answered(&mut self, result: Result<Reply, Failure>) {
        match result {
            Ok(Reply::Codes(new)) => {
                self.stage = Stage::Shown;
                self.take(new);
            }
            Ok(_) => self.stage = Stage::Shown,
            Err(failure) => self.stage = Stage::Failed(failure),
        }
    }

    /// One code that was asked for by name finds its line; all of them take the place of what was read before.
    fn take(&mut self, new: KeyCodes) {
        let one = match (&mut self.read, &new.codes[..]) {
            (Some(read), [one]) if read.serial == new.serial => {
                read.codes.iter_mut().find(|code| code.name == one.name)
            }
            _ => None,
        };
        match (one, new.codes.first()) {
            // It still wants a touch, or to be asked, the next time.
            (Some(line), Some(one)) => *line = Code { wants: line.wants, ..one.clone() },
            _ => {
                self.at = self.at.min(new.codes.len().saturating_sub(1));
                self.read = Some(new);
            }
        }
    }
}

/// The seconds that a code is still good for; none: it is over, or counts.
pub fn left(code: &Code, now: UnixMillis) -> Option<i64> {
    now.seconds_until(code.until?.to_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::UnixTime, tui::sample::failure};
    use crossterm::event::KeyModifiers;

    fn code(name: &str, code: Option<&str>, wants: Option<KeyWants>) -> Code {
        Code {
            name: name.into(),
            issuer: None,
            account: name.into(),
            period_s: Some(30),
            code: code.map(str::to_owned),
            until: code.map(|_| UnixTime(60)),
            wants,
        }
    }

    fn codes(codes: Vec<Code>) -> Result<Reply, Failure> {
        Ok(Reply::Codes(KeyCodes {
            serial: "12345678".parse().unwrap(),
            model: Some("yubikey-5".into()),
            at: UnixTime(31),
            codes,
        }))
    }

    fn press(dialog: &mut Codes, code: KeyCode) -> Vec<Effect> {
        dialog.key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn shown() -> Codes {
        let (mut dialog, effects) = Codes::begin(SlotName("left".into()));
        assert!(matches!(&effects[0], Effect::Ask(_, Command::OtpRead { name: None, slot: Some(slot), .. })
            if slot == "left"));
        dialog.answered(codes(vec![
            code("Acme:ann", Some("012345"), None),
            code("Acme:touchy", None, Some(KeyWants::Touch)),
            code("Bank:ann", None, Some(KeyWants::Asking)),
        ]));
        dialog
    }

    #[test]
    fn one_that_wants_a_touch_is_read_by_its_name_and_finds_its_line() {
        let mut dialog = shown();
        assert!(press(&mut dialog, KeyCode::Enter).is_empty(), "it is there already");
        press(&mut dialog, KeyCode::Down);
        let effects = press(&mut dialog, KeyCode::Enter);
        assert!(matches!(&effects[..], [Effect::Ask(_, Command::OtpRead { name: Some(name), .. })]
            if name == "Acme:touchy"));
        assert!(press(&mut dialog, KeyCode::Char('r')).is_empty(), "one question at a time");
        dialog.answered(codes(vec![code("Acme:touchy", Some("777777"), None)]));
        let read = dialog.read.as_ref().unwrap();
        assert_eq!((read.codes.len(), read.codes[1].code.as_deref()), (3, Some("777777")));
        assert_eq!(read.codes[1].wants, Some(KeyWants::Touch));
    }

    #[test]
    fn a_code_that_is_used_up_wants_a_yes_that_is_not_enter() {
        let mut dialog = shown();
        dialog.at = 2;
        assert!(press(&mut dialog, KeyCode::Enter).is_empty());
        assert!(press(&mut dialog, KeyCode::Enter).is_empty());
        assert!(matches!(dialog.stage, Stage::Sure(_)));
        press(&mut dialog, KeyCode::Char('n'));
        assert!(press(&mut dialog, KeyCode::Char('y')).is_empty(), "it was left");
        press(&mut dialog, KeyCode::Enter);
        assert_eq!(press(&mut dialog, KeyCode::Char('y')).len(), 1);
    }

    #[test]
    fn a_locked_key_is_read_again_with_a_password_of_the_vault() {
        let mut dialog = shown();
        dialog.take_keys(&["office".into(), "lab".into()]);
        dialog.answered(Err(failure("the key wants its password")));
        for name in [Some("office"), Some("lab"), None, Some("office")] {
            press(&mut dialog, KeyCode::Char('p'));
            assert_eq!(dialog.password(), name);
        }
        let effects = press(&mut dialog, KeyCode::Char('r'));
        assert!(matches!(&effects[..], [Effect::Ask(_, Command::OtpRead { key: Some(key), .. })]
            if key == "office"));
    }

    #[test]
    fn seconds_are_rounded_up_and_end() {
        let good = code("a", Some("1"), None);
        assert_eq!(left(&good, UnixMillis(59_001)), Some(1));
        assert_eq!(left(&good, UnixMillis(60_000)), None);
        assert_eq!(left(&code("a", None, None), UnixMillis(0)), None);
    }
}
