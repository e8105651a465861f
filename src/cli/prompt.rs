//! Asking the person: passphrases and keys without an echo, serials' last digits with one.

use super::{Exit, Io, VerbError, files};
use crate::domain::Serial;
use crate::remedy::{Remedy, Retry};
use crate::vault::holder::AskPassphrase;
use std::{
    io::{self, BufRead, Read, Write},
    path::Path,
    sync::Arc,
};
use zeroize::Zeroizing;

/// Who asks the person. The real one is [`Terminal`].
pub trait Prompt {
    /// Shows `label` and reads a line without an echo.
    fn secret(&mut self, label: &str) -> io::Result<Zeroizing<String>>;
    /// Shows `label` and reads a line.
    fn line(&mut self, label: &str) -> io::Result<String>;
    /// Asks for the passphrase of a private key, should it turn out to have one.
    fn for_private_key(&self) -> AskPassphrase;
    /// Whether another program may ask on the same terminal, as gpg's agent does.
    fn lends_terminal(&self) -> bool {
        true
    }
}

/// The terminal that kiln runs in, whatever standard output is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal;

impl Prompt for Terminal {
    fn secret(&mut self, label: &str) -> io::Result<Zeroizing<String>> {
        rpassword::prompt_password(label).map(Zeroizing::new)
    }

    fn line(&mut self, label: &str) -> io::Result<String> {
        let mut tty = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        tty.write_all(label.as_bytes())?;
        tty.flush()?;
        let mut line = String::new();
        io::BufReader::new(tty).read_line(&mut line)?;
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn for_private_key(&self) -> AskPassphrase {
        Arc::new(|| rpassword::prompt_password("passphrase of the private key: ").ok().map(Zeroizing::new))
    }
}

/// Whoever answers one question can be asked any, but has no private key.
impl<F: FnMut(&str) -> io::Result<Zeroizing<String>>> Prompt for F {
    fn secret(&mut self, label: &str) -> io::Result<Zeroizing<String>> {
        self(label)
    }

    fn line(&mut self, label: &str) -> io::Result<String> {
        self(label).map(|text| text.as_str().to_owned())
    }

    fn for_private_key(&self) -> AskPassphrase {
        Arc::new(|| None)
    }
}

/// The person was not there, or typed something that can't be.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The terminal can't be used.
    #[error("the terminal can't be asked for {what}: {source}")]
    Terminal {
        /// What was wanted.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Nothing was given.
    #[error("the {what} is empty")]
    Empty {
        /// What was wanted.
        what: &'static str,
    },
    /// A line without an end.
    #[error("the {what} on standard input is longer than {LONGEST_BYTES} bytes")]
    TooLong {
        /// What was wanted.
        what: &'static str,
    },
    /// Standard input ended, or isn't text.
    #[error("standard input holds no {what}: {source}")]
    Input {
        /// What was wanted.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Typed twice, differently.
    #[error("the {what} was typed in two different ways")]
    Differs {
        /// What was wanted.
        what: &'static str,
    },
    /// No person is there to confirm.
    #[error("nobody is there to type the last four characters of {serial}")]
    Unconfirmed {
        /// The token.
        serial: Serial,
    },
    /// Confirmed for another token.
    #[error("these are not the last four characters of {serial}")]
    OtherToken {
        /// The token.
        serial: Serial,
    },
}

impl VerbError for PromptError {
    fn exit(&self) -> Exit {
        match self {
            Self::Terminal { .. } | Self::Input { .. } => Exit::Environment,
            Self::Empty { .. } | Self::TooLong { .. } | Self::Differs { .. } | Self::Unconfirmed { .. } => {
                Exit::Usage
            }
            Self::OtherToken { .. } => Exit::No,
        }
    }
}

impl Remedy for PromptError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Terminal { .. } => "run kiln in a terminal, or hand it over in a file or on standard input",
            Self::Empty { .. } => "give one: typed, in a file, or as the first line of standard input",
            Self::TooLong { .. } => "check that the right thing is on standard input",
            Self::Input { .. } => "send it as the first line of standard input, as UTF-8 text",
            Self::Differs { .. } => "run the same command again and type it twice with care",
            Self::Unconfirmed { .. } => {
                "run it in a terminal, or give --last-four in a script that knows the token"
            }
            Self::OtherToken { .. } => "read the serial from the token in your hand; nothing was changed",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// How often a person types a new secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// It is compared with what exists: a slip shows at once.
    Once,
    /// It is new: a slip would lock everybody out.
    Twice,
}

/// The longest line that is taken for a passphrase or a key, with its end. A buffer of this size never moves, so that
/// nothing is left behind unwiped.
const LONGEST_BYTES: u16 = 4096;

/// A secret text called `what`: the content of `file` without its last line end; else asked for on the terminal; else
/// the first line of standard input.
pub fn secret(
    io: &mut Io<'_>,
    what: &'static str,
    file: Option<&Path>,
    typed: Typed,
) -> Result<Zeroizing<String>, super::CliError> {
    let text = match file {
        Some(file) => {
            if files::others_may_read(file) {
                io.warn(format_args!("other accounts can read {}", file.display()))?;
            }
            files::read_text(file)?
        }
        None => match &mut io.prompt {
            Some(person) => typed_by(&mut **person, what, typed)?,
            None => {
                let mut line = Zeroizing::new(String::with_capacity(LONGEST_BYTES.into()));
                let mut input = Read::take(&mut *io.input, LONGEST_BYTES.into());
                input.read_line(&mut line).map_err(|source| PromptError::Input { what, source })?;
                if line.len() == usize::from(LONGEST_BYTES) {
                    return Err(PromptError::TooLong { what }.into());
                }
                line
            }
        },
    };
    let text = Zeroizing::new(files::without_line_end(&text).to_owned());
    if text.is_empty() { Err(PromptError::Empty { what }.into()) } else { Ok(text) }
}

fn typed_by(
    person: &mut dyn Prompt,
    what: &'static str,
    typed: Typed,
) -> Result<Zeroizing<String>, PromptError> {
    let terminal = |source| PromptError::Terminal { what, source };
    let first = person.secret(&format!("{what}: ")).map_err(terminal)?;
    if typed == Typed::Twice && !first.is_empty() {
        let second = person.secret(&format!("{what}, once more: ")).map_err(terminal)?;
        if *first != *second {
            return Err(PromptError::Differs { what });
        }
    }
    Ok(first)
}

/// The last four characters of `serial`, as the person gave or types them. Compared here as well as in the station, so
/// that a slip costs no round trip; the station's word counts.
pub fn last_four(
    io: &mut Io<'_>,
    serial: &Serial,
    given: Option<String>,
    what_happens: &str,
) -> Result<String, PromptError> {
    let typed = match (given, &mut io.prompt) {
        (Some(given), _) => given,
        (None, Some(person)) => {
            let label = format!("{what_happens}\nType the last four characters of its serial: ");
            let what = "the serial's last four characters";
            person.line(&label).map_err(|source| PromptError::Terminal { what, source })?
        }
        (None, None) => return Err(PromptError::Unconfirmed { serial: serial.clone() }),
    };
    let typed = typed.trim();
    if typed == serial.last_four() {
        Ok(typed.to_owned())
    } else {
        Err(PromptError::OtherToken { serial: serial.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{CliError, testing::Desk};

    #[test]
    fn a_new_secret_is_typed_twice() {
        let mut desk = Desk::terminal(&["blue horse", "blue house"]);
        let error = secret(&mut desk.io(), "passphrase", None, Typed::Twice).unwrap_err();
        assert!(matches!(error, CliError::Prompt(PromptError::Differs { .. })), "{error}");
        let mut desk = Desk::terminal(&["blue horse", "blue horse"]);
        assert_eq!(*secret(&mut desk.io(), "passphrase", None, Typed::Twice).unwrap(), "blue horse");
        assert_eq!(desk.asked(), ["passphrase: ", "passphrase, once more: "]);
    }

    #[test]
    fn without_a_terminal_it_is_the_first_line_of_standard_input() {
        let mut desk = Desk::input("blue horse\r\nmore\n");
        assert_eq!(*secret(&mut desk.io(), "passphrase", None, Typed::Twice).unwrap(), "blue horse");
        let mut desk = Desk::input("\n");
        let error = secret(&mut desk.io(), "passphrase", None, Typed::Once).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
        let mut desk = Desk::input(&"x".repeat(5000));
        let error = secret(&mut desk.io(), "passphrase", None, Typed::Once).unwrap_err();
        assert!(matches!(error, CliError::Prompt(PromptError::TooLong { .. })), "cut off without a word");
    }

    #[test]
    fn a_file_that_others_can_read_is_warned_of() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pass");
        std::fs::write(&file, "blue horse\n").unwrap();
        for (mode, warned) in [(0o600, false), (0o644, true)] {
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            let mut desk = Desk::default();
            assert_eq!(
                *secret(&mut desk.io(), "passphrase", Some(&file), Typed::Once).unwrap(),
                "blue horse"
            );
            assert_eq!(desk.err().contains("warning"), warned, "{mode:o}");
        }
    }

    #[test]
    fn only_this_tokens_last_four_confirm() {
        let serial: Serial = "86596000000017".parse().unwrap();
        let mut desk = Desk::terminal(&["0017 "]);
        assert_eq!(last_four(&mut desk.io(), &serial, None, "It dies.").unwrap(), "0017");
        assert_eq!(desk.asked(), ["It dies.\nType the last four characters of its serial: "]);
        let other = last_four(&mut desk.io(), &serial, Some("0018".into()), "").unwrap_err();
        assert_eq!(other.exit(), Exit::No);
        let nobody = last_four(&mut Desk::input("0017\n").io(), &serial, None, "").unwrap_err();
        assert!(matches!(nobody, PromptError::Unconfirmed { .. }));
    }

    #[test]
    fn every_error_says_what_to_do() {
        let serial: Serial = "1".parse().unwrap();
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        for error in [
            PromptError::Terminal { what: "key", source: broken() },
            PromptError::Empty { what: "key" },
            PromptError::TooLong { what: "key" },
            PromptError::Input { what: "key", source: broken() },
            PromptError::Differs { what: "key" },
            PromptError::Unconfirmed { serial: serial.clone() },
            PromptError::OtherToken { serial },
        ] {
            assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
    }
}
