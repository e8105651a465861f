//! Makes the vault from the screen: a name for its first holder, a passphrase, and the same once more.

use super::{
    form::{Did, Field, Form},
    input::Passphrase,
    msg::Effect,
};
use crate::face::Failure;
use crossterm::event::KeyEvent;

/// Fields of the form.
const NAME: usize = 0;
const PASSPHRASE: usize = 1;
const AGAIN: usize = 2;

/// Shorter ones can be guessed by whoever gets hold of the database.
const SHORT: usize = 12;

/// The dialog that makes the vault.
#[derive(Debug)]
pub struct Init {
    /// What is filled in.
    pub form: Form,
    /// It is being made, which takes a second or so by design.
    pub busy: bool,
    /// What is wrong with what was filled in.
    pub problem: Option<&'static str>,
    /// Why it was not made.
    pub failure: Option<Failure>,
}

impl Default for Init {
    /// Nothing filled in but the name, which is as good as another.
    fn default() -> Self {
        let mut form = Form::new(vec![
            Field::text("holder", "whose passphrase it is: a name"),
            Field::secret("passphrase", "four words or more; it is never shown and can't be restored"),
            Field::secret("once more", "the same, so that no typing error locks you out"),
        ]);
        if let Some(name) = form.input(NAME) {
            name.paste("passphrase");
        }
        form.at = PASSPHRASE;
        Self { form, busy: false, problem: None, failure: None }
    }
}

impl Init {
    /// What the passphrase typed so far should make one think of.
    pub fn warning(&self) -> Option<&'static str> {
        let typed = self.form.text(PASSPHRASE).chars().count();
        (1..SHORT).contains(&typed).then_some("a passphrase this short can be guessed")
    }

    /// Lets `key` fill in; Enter goes from field to field and makes the vault from the last one.
    pub fn key(&mut self, key: &KeyEvent) -> Vec<Effect> {
        if self.busy {
            return Vec::new();
        }
        match self.form.key(key) {
            Did::Done if self.form.at < AGAIN => self.form.at += 1,
            Did::Done => return self.done(),
            Did::Edited => {
                self.problem = None;
                self.failure = None;
            }
            Did::Moved | Did::Nothing => {}
        }
        Vec::new()
    }

    fn done(&mut self) -> Vec<Effect> {
        self.problem = match (self.form.text(NAME), self.form.text(PASSPHRASE), self.form.text(AGAIN)) {
            ("", ..) => Some("the holder has no name"),
            (_, "", _) => Some("there is no passphrase"),
            (_, first, second) if first != second => Some("the two differ: type both again"),
            _ => None,
        };
        let name = self.form.text(NAME).to_owned();
        let typed = self.form.input(PASSPHRASE).map(super::input::Input::take);
        drop(self.form.input(AGAIN).map(super::input::Input::take));
        match (self.problem, typed) {
            (None, Some(typed)) => {
                self.busy = true;
                vec![Effect::Init(name, Passphrase(typed))]
            }
            _ => {
                self.form.at = PASSPHRASE;
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyModifiers};

    fn type_in(init: &mut Init, text: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for c in text.chars() {
            let code = if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) };
            effects = init.key(&KeyEvent::new(code, KeyModifiers::NONE));
        }
        effects
    }

    #[test]
    fn a_typing_error_makes_no_vault_and_leaves_no_passphrase() {
        let mut init = Init::default();
        assert!(type_in(&mut init, "blue").is_empty());
        assert!(init.warning().is_some());
        assert!(type_in(&mut init, " horses run\nblue horses ran\n").is_empty());
        assert_eq!(init.problem, Some("the two differ: type both again"));
        assert_eq!((init.form.text(PASSPHRASE), init.form.text(AGAIN), init.form.at), ("", "", PASSPHRASE));
        let effects = type_in(&mut init, "blue horses run\nblue horses run\n");
        assert!(matches!(&effects[..], [Effect::Init(name, typed)]
            if name == "passphrase" && *typed.0 == "blue horses run"));
        assert!(init.busy && type_in(&mut init, "x\n").is_empty());
        assert!(!format!("{init:?}{effects:?}").contains("horses"));
    }
}
