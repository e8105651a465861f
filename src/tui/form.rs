//! A few fields, one under the other, that are filled in before something is asked of the station.

use super::input::Input;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// One of several that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What commands call it; empty for none.
    pub name: String,
    /// What people read.
    pub label: String,
}

impl Choice {
    /// One that is called `name` and reads `label`.
    pub fn new(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self { name: name.into(), label: label.into() }
    }
}

/// What a field takes.
#[derive(Debug)]
pub enum Kind {
    /// Text.
    Text(Input),
    /// Text that is not shown.
    Secret(Input),
    /// One of these.
    Choice {
        /// Which there are.
        options: Vec<Choice>,
        /// Which of them.
        at: usize,
    },
}

impl Kind {
    /// What it shows: its text, dots for a secret, or the label of what was chosen.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(input) => input.text().to_owned(),
            Self::Secret(input) => "*".repeat(input.text().chars().count()),
            Self::Choice { options, at } => {
                options.get(*at).map_or_else(String::new, |choice| choice.label.clone())
            }
        }
    }
}

/// A field.
#[derive(Debug)]
pub struct Field {
    /// What it is for, in a word or two.
    pub label: &'static str,
    /// What it wants, shown while it has the keys.
    pub hint: Cow<'static, str>,
    /// What it takes.
    pub kind: Kind,
}

impl Field {
    /// One that takes text.
    pub fn text(label: &'static str, hint: &'static str) -> Self {
        Self { label, hint: hint.into(), kind: Kind::Text(Input::default()) }
    }

    /// One that takes a secret.
    pub fn secret(label: &'static str, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { label, hint: hint.into(), kind: Kind::Secret(Input::default()) }
    }

    /// One that takes one of `options`.
    pub fn choice(label: &'static str, hint: &'static str, options: Vec<Choice>) -> Self {
        Self { label, hint: hint.into(), kind: Kind::Choice { options, at: 0 } }
    }
}

/// What a key did to a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Did {
    /// A field says something else now.
    Edited,
    /// Another field has the keys.
    Moved,
    /// The person is done.
    Done,
    /// Nothing.
    Nothing,
}

/// The fields, and which of them has the keys.
#[derive(Debug)]
pub struct Form {
    /// They.
    pub fields: Vec<Field>,
    /// Which has the keys.
    pub at: usize,
}

impl Form {
    /// Starts at the first field.
    pub fn new(fields: Vec<Field>) -> Self {
        Self { fields, at: 0 }
    }

    /// What field `at` says: its text, or the name of what was chosen.
    pub fn text(&self, at: usize) -> &str {
        match self.fields.get(at).map(|field| &field.kind) {
            Some(Kind::Text(input)) => input.text().trim(),
            // A blank may be part of it.
            Some(Kind::Secret(input)) => input.text(),
            Some(Kind::Choice { options, at }) => options.get(*at).map_or("", |choice| choice.name.as_str()),
            None => "",
        }
    }

    /// The same, none where it says nothing.
    pub fn said(&self, at: usize) -> Option<String> {
        Some(self.text(at)).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// What the only field of a question says, taken out of it.
    pub fn answer(&mut self) -> Zeroizing<String> {
        match self.fields.first_mut().map(|field| &mut field.kind) {
            Some(Kind::Text(input) | Kind::Secret(input)) => input.take(),
            Some(Kind::Choice { .. }) | None => Zeroizing::new(self.text(0).to_owned()),
        }
    }

    /// The text of field `at`, to be changed; none for a choice.
    pub fn input(&mut self, at: usize) -> Option<&mut Input> {
        match &mut self.fields.get_mut(at)?.kind {
            Kind::Text(input) | Kind::Secret(input) => Some(input),
            Kind::Choice { .. } => None,
        }
    }

    /// Lets field `at` choose among `options`, keeping what was chosen where that is still there.
    pub fn offer(&mut self, at: usize, options: Vec<Choice>) {
        let before = self.text(at).to_owned();
        if let Some(Field { kind: Kind::Choice { options: old, at: chosen }, .. }) = self.fields.get_mut(at) {
            *chosen = options.iter().position(|choice| choice.name == before).unwrap_or(0);
            *old = options;
        }
    }

    /// Chooses `name` in field `at`, where it is offered.
    pub fn choose(&mut self, at: usize, name: &str) {
        if let Some(Field { kind: Kind::Choice { options, at: chosen }, .. }) = self.fields.get_mut(at)
            && let Some(place) = options.iter().position(|choice| choice.name == name)
        {
            *chosen = place;
        }
    }

    /// Lets `key` move or edit.
    pub fn key(&mut self, key: &KeyEvent) -> Did {
        let last = self.fields.len().saturating_sub(1);
        match key.code {
            KeyCode::Enter => return Did::Done,
            KeyCode::Tab | KeyCode::Down => {
                self.at = if self.at == last { 0 } else { self.at + 1 };
                return Did::Moved;
            }
            KeyCode::BackTab | KeyCode::Up => {
                self.at = self.at.checked_sub(1).unwrap_or(last);
                return Did::Moved;
            }
            _ => {}
        }
        let Some(field) = self.fields.get_mut(self.at) else { return Did::Nothing };
        match &mut field.kind {
            Kind::Text(input) | Kind::Secret(input) => {
                if input.edit(key) {
                    Did::Edited
                } else {
                    Did::Nothing
                }
            }
            Kind::Choice { options, at } => match choose(options, *at, key) {
                Some(to) if to != *at => {
                    *at = to;
                    Did::Edited
                }
                Some(_) | None => Did::Nothing,
            },
        }
    }
}

/// The next or the one before, round and round; a letter takes the next whose label begins with it.
fn choose(options: &[Choice], at: usize, key: &KeyEvent) -> Option<usize> {
    let count = options.len();
    if count == 0 || key.modifiers.contains(KeyModifiers::CONTROL) {
        return None;
    }
    match key.code {
        KeyCode::Right | KeyCode::Char(' ') => Some((at + 1) % count),
        KeyCode::Left => Some((at + count - 1) % count),
        KeyCode::Char(letter) => (1..=count).map(|by| (at + by) % count).find(|to| {
            options[*to].label.chars().next().is_some_and(|first| first.eq_ignore_ascii_case(&letter))
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(form: &mut Form, code: KeyCode) -> Did {
        form.key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn form() -> Form {
        let fruit = ["apple", "pear", "plum"].map(|name| Choice::new(name, name)).into();
        Form::new(vec![Field::text("name", ""), Field::choice("fruit", "", fruit)])
    }

    #[test]
    fn fields_go_round_and_each_takes_what_it_is_for() {
        let mut form = form();
        assert_eq!(press(&mut form, KeyCode::Char('7')), Did::Edited);
        assert_eq!(press(&mut form, KeyCode::Tab), Did::Moved);
        assert_eq!(press(&mut form, KeyCode::Char('7')), Did::Nothing);
        assert_eq!(press(&mut form, KeyCode::Char('p')), Did::Edited);
        assert_eq!(press(&mut form, KeyCode::Char('P')), Did::Edited);
        assert_eq!((form.text(0), form.text(1)), ("7", "plum"));
        press(&mut form, KeyCode::Right);
        assert_eq!(form.text(1), "apple");
        press(&mut form, KeyCode::Down);
        assert_eq!(form.at, 0);
        press(&mut form, KeyCode::Up);
        assert_eq!(form.at, 1);
        assert_eq!(press(&mut form, KeyCode::Enter), Did::Done);
    }

    #[test]
    fn a_choice_stays_where_it_is_still_offered() {
        let mut form = form();
        form.choose(1, "pear");
        form.offer(1, vec![Choice::new("", "none"), Choice::new("pear", "a pear")]);
        assert_eq!(form.text(1), "pear");
        form.offer(1, vec![Choice::new("", "none")]);
        assert_eq!((form.text(1), form.said(1)), ("", None));
    }
}
