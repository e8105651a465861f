//! A seed file opened for somebody who can't be asked in the middle of it, as on a screen that has to go on: each
//! question ends the opening, and the file is opened again with its answer.

use super::{
    CliError, Io, files,
    prompt::Prompt,
    unseal,
    unwrap::{UnwrapArgs, UnwrapError, WrongCodes, unwrap},
};
use crate::{
    domain::Clock,
    envelope::{
        age::AgeError,
        openpgp::OpenPgpError,
        question::{Answer, Question},
    },
    face::{Failure, SecretBytes},
    vault::holder::AskPassphrase,
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use zeroize::Zeroizing;

/// A seed file in plain.
pub struct Opened {
    /// Its name for the record.
    pub name: String,
    /// Its content.
    pub content: SecretBytes,
    /// What the person should know.
    pub notes: Vec<String>,
}

/// Why it isn't open.
#[derive(Debug)]
pub enum Shut {
    /// The person has to say something first.
    Asks(Question),
    /// It can't be opened.
    Failed(Failure),
}

impl From<CliError> for Shut {
    fn from(error: CliError) -> Self {
        Self::Failed(error.to_failure())
    }
}

/// Reads the seed file at `path` and takes it out of whatever it is wrapped in, with what the person has said so far. Codes
/// of a picture that are no seeds are left out with a note, since the person sees a report before anything is done.
pub fn open_seed_file(path: &Path, answers: &[Answer], clock: &dyn Clock) -> Result<Opened, Shut> {
    let said = |question: fn(&Question) -> bool| {
        answers.iter().find(|answer| question(&answer.to)).map(|answer| answer.text.as_str().to_owned())
    };
    let identity = said(|to| matches!(to, Question::PrivateKey)).map(PathBuf::from);
    let has_identity = identity.is_some();
    let args = UnwrapArgs::said(identity, said(|to| matches!(to, Question::Entry(_))));
    let asked = Arc::new(Mutex::new(None));
    let mut person = Absent { answers, asked: Arc::clone(&asked) };
    let (mut out, mut err) = (io::sink(), Vec::new());
    let mut io = Io {
        out: &mut out,
        err: &mut err,
        input: &mut io::empty(),
        prompt: Some(&mut person),
        out_is_terminal: false,
        colour: false,
        clock,
    };
    let opened = open(path, &args, &mut io);
    if let Some(question) = asked.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(Shut::Asks(question));
    }
    let (name, content) = opened.map_err(|error| match error {
        CliError::Unwrap(UnwrapError::SeveralFiles { entries }) => {
            Shut::Asks(Question::Entry(entries.into_iter().map(|entry| entry.name).collect()))
        }
        CliError::Unwrap(
            UnwrapError::OpenPgp(OpenPgpError::KeyNeeded { .. }) | UnwrapError::Age(AgeError::KeyNeeded),
        ) if !has_identity => Shut::Asks(Question::PrivateKey),
        error => error.into(),
    })?;
    let notes = String::from_utf8_lossy(&err).lines().map(str::to_owned).collect();
    Ok(Opened { name, content, notes })
}

fn open(path: &Path, args: &UnwrapArgs, io: &mut Io<'_>) -> Result<(String, SecretBytes), CliError> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mut file = unwrap(files::read(path)?, name, args, WrongCodes::LeaveOut, io)?;
    unseal::make_plain(&mut file.content, None, false, io)?;
    Ok((file.name, SecretBytes::new(std::mem::take(&mut *file.content))))
}

/// One who has said all that they will say in this try.
struct Absent<'a> {
    answers: &'a [Answer],
    asked: Arc<Mutex<Option<Question>>>,
}

/// What a private key's passphrase is called.
const KEY_PASSPHRASE: &str = "passphrase of the private key";

fn answer(answers: &[Answer], question: &Question) -> Option<Zeroizing<String>> {
    answers.iter().find(|answer| answer.to == *question).map(|answer| answer.text.clone())
}

impl Prompt for Absent<'_> {
    fn secret(&mut self, label: &str) -> io::Result<Zeroizing<String>> {
        let question = Question::Secret(label.trim_end_matches([':', ' ']).to_owned());
        answer(self.answers, &question).ok_or_else(|| {
            *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(question);
            io::Error::other("the person is asked first")
        })
    }

    fn line(&mut self, label: &str) -> io::Result<String> {
        self.secret(label).map(|text| text.as_str().to_owned())
    }

    fn lends_terminal(&self) -> bool {
        false
    }

    fn for_private_key(&self) -> AskPassphrase {
        let question = Question::Secret(KEY_PASSPHRASE.into());
        let said = answer(self.answers, &question);
        let asked = Arc::clone(&self.asked);
        Arc::new(move || {
            if said.is_none() {
                *asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(question.clone());
            }
            said.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::Noon;
    use std::{fs, io::Write};
    use zip::{AesMode, ZipWriter, write::SimpleFileOptions};

    const CSV: &str = "upn,serial number,secret key,time interval,manufacturer,model\n";

    fn archive(names: &[&str], password: Option<&str>) -> Vec<u8> {
        let mut archive = ZipWriter::new(io::Cursor::new(Vec::new()));
        for name in names {
            let mut options = SimpleFileOptions::default();
            if let Some(password) = password {
                options = options.with_aes_encryption(AesMode::Aes256, password);
            }
            archive.start_file(*name, options).unwrap();
            archive.write_all(CSV.as_bytes()).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    fn answers(said: &[(Question, &str)]) -> Vec<Answer> {
        said.iter().map(|(to, text)| Answer { to: to.clone(), text: (*text).to_owned().into() }).collect()
    }

    /// Opens `content` as a file of this name.
    fn open(name: &str, content: &[u8], said: &[(Question, &str)]) -> Result<Opened, Shut> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        open_seed_file(&path, &answers(said), &Noon)
    }

    fn question(result: Result<Opened, Shut>) -> Question {
        match result {
            Err(Shut::Asks(question)) => question,
            Err(Shut::Failed(failure)) => panic!("{failure:?}"),
            Ok(_) => panic!("it is open"),
        }
    }

    #[test]
    fn a_plain_file_asks_nothing() {
        let opened = open("a.csv", CSV.as_bytes(), &[]).unwrap();
        assert_eq!((opened.name.as_str(), opened.content.expose()), ("a.csv", CSV.as_bytes()));
    }

    #[test]
    fn each_question_is_put_once_and_its_answer_used() {
        let two = archive(&["a.csv", "b.csv"], Some("blue horse"));
        let which = question(open("two.zip", &two, &[]));
        assert_eq!(which, Question::Entry(vec!["a.csv".into(), "b.csv".into()]));
        let password = question(open("two.zip", &two, &[(which.clone(), "b.csv")]));
        assert_eq!(password, Question::Secret("password of the archive".into()));
        let opened =
            open("two.zip", &two, &[(which.clone(), "b.csv"), (password.clone(), "blue horse")]).unwrap();
        assert_eq!((opened.name.as_str(), opened.content.expose()), ("two.zip: b.csv", CSV.as_bytes()));
        match open("two.zip", &two, &[(which, "b.csv"), (password, "red horse")]) {
            Err(Shut::Failed(failure)) => {
                assert!(!failure.remedy.is_empty() && !failure.message.contains("red horse"), "{failure:?}");
            }
            _ => panic!("another password"),
        }
    }

    #[test]
    fn a_file_for_a_key_asks_where_that_is() {
        let key = ::age::x25519::Identity::generate();
        let message = ::age::encrypt(&key.to_public(), CSV.as_bytes()).unwrap();
        assert_eq!(question(open("a.age", &message, &[])), Question::PrivateKey);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key.txt");
        fs::write(&file, ::age::secrecy::ExposeSecret::expose_secret(&key.to_string())).unwrap();
        let said = [(Question::PrivateKey, file.to_str().unwrap())];
        let opened = open("a.age", &message, &said).unwrap();
        assert_eq!(opened.content.expose(), CSV.as_bytes());
        // The person should know that others can read the key.
        assert!(opened.notes.iter().any(|note| note.contains("key.txt")), "{:?}", opened.notes);
    }
}
