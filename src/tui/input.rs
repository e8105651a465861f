//! A line that is being typed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt;
use zeroize::Zeroizing;

/// The most characters that a line takes: a paste of a whole file is a mistake.
const MOST: usize = 256;

/// A line that is being typed, wiped when it goes: it may be a passphrase.
#[derive(Default)]
pub struct Input(Zeroizing<String>);

/// A passphrase on its way to the holder's file. `Debug` doesn't show it.
pub struct Passphrase(pub Zeroizing<String>);

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(hidden)")
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Input({} characters)", self.0.chars().count())
    }
}

impl Input {
    /// What was typed so far.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Takes the line away and leaves an empty one.
    pub fn take(&mut self) -> Zeroizing<String> {
        std::mem::replace(&mut self.0, reserved())
    }

    /// Adds `text` without its line ends and other control characters.
    pub fn paste(&mut self, text: &str) {
        if self.0.capacity() < MOST * 4 {
            // Growing in place would leave the old letters behind in freed memory.
            let mut roomy = reserved();
            roomy.push_str(&self.0);
            self.0 = roomy;
        }
        for c in text.chars().filter(|c| !c.is_control()) {
            if self.0.chars().count() < MOST {
                self.0.push(c);
            }
        }
    }

    /// Lets `key` edit the line; whether it was one that does.
    pub fn edit(&mut self, key: &KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('u') if control => {
                self.0.clear();
            }
            KeyCode::Char('w') if control => {
                let kept = self.0.trim_end().rfind(' ').map_or(0, |at| at + 1);
                self.0.truncate(kept);
            }
            KeyCode::Char('h') if control => {
                self.0.pop();
            }
            KeyCode::Backspace => {
                self.0.pop();
            }
            KeyCode::Char(c) if !control && !key.modifiers.contains(KeyModifiers::ALT) => {
                let mut letter = [0; 4];
                self.paste(c.encode_utf8(&mut letter));
            }
            _ => return false,
        }
        true
    }
}

fn reserved() -> Zeroizing<String> {
    Zeroizing::new(String::with_capacity(MOST * 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(input: &mut Input, code: KeyCode, modifiers: KeyModifiers) -> bool {
        input.edit(&KeyEvent::new(code, modifiers))
    }

    #[test]
    fn a_line_is_edited_and_never_printed() {
        let mut input = Input::default();
        input.paste("blue horse\r\n");
        assert_eq!(input.text(), "blue horse");
        assert!(press(&mut input, KeyCode::Char('w'), KeyModifiers::CONTROL));
        assert_eq!(input.text(), "blue ");
        assert!(press(&mut input, KeyCode::Backspace, KeyModifiers::NONE));
        assert!(press(&mut input, KeyCode::Char('ß'), KeyModifiers::NONE));
        assert_eq!(input.text(), "blueß");
        assert_eq!(format!("{input:?}"), "Input(5 characters)");
        assert_eq!(format!("{:?}", Passphrase(input.take())), "Passphrase(hidden)");
        assert_eq!(input.text(), "");
        assert!(!press(&mut input, KeyCode::Enter, KeyModifiers::NONE));
        assert!(!press(&mut input, KeyCode::Char('c'), KeyModifiers::CONTROL));
    }

    #[test]
    fn a_pasted_file_does_not_fill_the_memory() {
        let mut input = Input::default();
        input.paste(&"x".repeat(100_000));
        assert_eq!(input.text().len(), MOST);
    }
}
