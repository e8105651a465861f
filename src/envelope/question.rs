//! What only a person knows about a wrapped seed file, for those who can't be asked in the middle of opening it.

use std::fmt;
use zeroize::Zeroizing;

/// Something that a person is asked before a file opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A password, a passphrase or a key that is typed: this one.
    Secret(String),
    /// Where the file with the private key is.
    PrivateKey,
    /// Which of these files of an archive.
    Entry(Vec<String>),
}

/// What a person said to one question. `Debug` doesn't show it.
#[derive(Clone)]
pub struct Answer {
    /// The question.
    pub to: Question,
    /// What was said.
    pub text: Zeroizing<String>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer to {:?}", self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_never_printed() {
        let answer = Answer {
            to: Question::Secret("password of the archive".into()),
            text: "blue horse".to_owned().into(),
        };
        assert_eq!(format!("{answer:?}"), "Answer to Secret(\"password of the archive\")");
    }
}
