//! The threads that talk to the station: one hears its news, one puts the questions. Both connect by themselves, and
//! again when the server is lost.

use super::msg::{Asked, Effect, Msg};
use crate::{
    face::{Command, Failure, HolderFile, Reply, SecretBytes},
    remedy::Remedy,
    service::client::{Client, ClientError, News},
    vault::holder::{self, Identity},
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

/// How long a lost server is left alone between two tries.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a connection without questions is kept.
const IDLE: Duration = Duration::from_secs(2);

/// Whether a station may be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Where none runs.
    IfNone,
    /// In no case: somebody may have ended it on purpose.
    Never,
}

/// Finds the station.
pub type Connector = Box<dyn FnMut(Start) -> Result<Client, Failure> + Send>;

/// The way to the threads.
pub struct Workers {
    questions: Sender<Question>,
    start: Sender<()>,
}

enum Question {
    Ask(Asked, Command),
    Unlock(HolderFile, super::input::Passphrase),
}

impl Workers {
    /// Starts both; what they have to say goes to `out`. They end with the process, or when nobody listens.
    pub fn start(connector: Connector, out: Sender<Msg>) -> Self {
        let connector = Arc::new(Mutex::new(connector));
        let (questions, asked) = channel();
        let (start, wanted) = channel();
        let (listening, telling) = (Arc::clone(&connector), out.clone());
        thread::spawn(move || listen(&listening, &wanted, &telling));
        thread::spawn(move || answer(&connector, &asked, &out));
        Self { questions, start }
    }

    /// Takes an effect that is for the station; gives others back.
    pub fn take(&self, effect: Effect) -> Option<Effect> {
        // A thread that is gone has told why, or the program ends.
        match effect {
            Effect::Ask(asked, command) => drop(self.questions.send(Question::Ask(asked, command))),
            Effect::Unlock(holder, passphrase) => {
                drop(self.questions.send(Question::Unlock(holder, passphrase)));
            }
            Effect::Start => drop(self.start.send(())),
            other => return Some(other),
        }
        None
    }
}

fn connect(connector: &Mutex<Connector>, start: Start) -> Result<Client, Failure> {
    (connector.lock().unwrap_or_else(PoisonError::into_inner))(start)
}

fn listen(connector: &Mutex<Connector>, wanted: &Receiver<()>, out: &Sender<Msg>) {
    let mut start = Start::IfNone;
    loop {
        let Some(lost) = hear(connector, start, out) else { return };
        if out.send(Msg::Lost(lost)).is_err() {
            return;
        }
        start = match wanted.recv_timeout(AGAIN) {
            Ok(()) => Start::IfNone,
            Err(RecvTimeoutError::Timeout) => Start::Never,
            Err(RecvTimeoutError::Disconnected) => return,
        };
    }
}

/// Hears the news until the connection ends; tells why, or nothing if nobody listens any more.
fn hear(connector: &Mutex<Connector>, start: Start, out: &Sender<Msg>) -> Option<Failure> {
    let client = match connect(connector, start) {
        Ok(client) => client,
        Err(failure) => return Some(failure),
    };
    let (greeting, role) = (client.greeting().clone(), client.role());
    let (snapshot, news) = match client.subscribe() {
        Ok(subscribed) => subscribed,
        Err(error) => return Some(error.into_failure()),
    };
    out.send(Msg::Attached { greeting, role, snapshot: Box::new(snapshot) }).ok()?;
    for told in news {
        let msg = match told {
            Ok(News::Event(event)) => Msg::News(event),
            Ok(News::Lagged { snapshot, .. }) => Msg::Lagged(snapshot),
            Err(error) => return Some(error.into_failure()),
        };
        out.send(msg).ok()?;
    }
    Some(Failure {
        kind: crate::face::FailureKind::Environment,
        message: "the station ended".into(),
        remedy: "to start it again press : and choose \"start the station\"".into(),
        details: Vec::new(),
    })
}

fn answer(connector: &Mutex<Connector>, questions: &Receiver<Question>, out: &Sender<Msg>) {
    let mut client = None;
    loop {
        // One who asks nothing holds one connection, that of the news.
        let question = match (&client, questions.recv_timeout(IDLE)) {
            (_, Ok(question)) => question,
            (Some(_), Err(RecvTimeoutError::Timeout)) => {
                client = None;
                continue;
            }
            (None, Err(RecvTimeoutError::Timeout)) => match questions.recv() {
                Ok(question) => question,
                Err(_) => return,
            },
            (_, Err(RecvTimeoutError::Disconnected)) => return,
        };
        let msg = match question {
            Question::Ask(asked, command) => Msg::Answer(asked, ask(connector, &mut client, command)),
            Question::Unlock(holder, passphrase) => {
                let opened = data_key(&holder, passphrase).and_then(|data_key| {
                    ask(connector, &mut client, Command::VaultUnlock { data_key }).map(|_| ())
                });
                Msg::Unlocked(opened)
            }
        };
        if out.send(msg).is_err() {
            return;
        }
    }
}

/// Asks on the connection that there is, else on a new one. What was sent on a connection that then broke may have
/// been done, so it is not sent again.
fn ask(
    connector: &Mutex<Connector>,
    client: &mut Option<Client>,
    command: Command,
) -> Result<Reply, Failure> {
    let mut using = match client.take() {
        Some(client) => client,
        None => connect(connector, Start::Never)?,
    };
    match using.ask(command) {
        Ok(reply) => {
            *client = Some(using);
            Ok(reply)
        }
        Err(error @ (ClientError::Failure(_) | ClientError::ReadOnly)) => {
            *client = Some(using);
            Err(error.into_failure())
        }
        Err(error) => Err(error.into_failure()),
    }
}

/// Opens the holder's file here, so that the passphrase goes nowhere.
fn data_key(holder: &HolderFile, passphrase: super::input::Passphrase) -> Result<SecretBytes, Failure> {
    let file = data_encoding::BASE64.decode(holder.file.as_bytes()).map_err(|_| Failure {
        kind: crate::face::FailureKind::Environment,
        message: format!("the file of holder {} is damaged", holder.name),
        remedy: "open the vault as another holder, or take the database from a backup".into(),
        details: Vec::new(),
    })?;
    let opened = Identity::passphrase(passphrase.0).and_then(|identity| holder::open(&file, &identity));
    opened.map(|key| SecretBytes::new(*key.expose())).map_err(|error| Failure {
        kind: crate::face::FailureKind::No,
        message: error.to_string(),
        remedy: error.remedy().into(),
        details: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::FailureKind;

    fn no_station() -> Failure {
        Failure {
            kind: FailureKind::Environment,
            message: "none runs".into(),
            remedy: "start one".into(),
            details: Vec::new(),
        }
    }

    #[test]
    fn a_station_that_was_lost_is_started_again_only_on_a_persons_word() {
        let (out, heard) = channel();
        let (tried, tries) = channel();
        let connector: Connector = Box::new(move |start| {
            tried.send(start).unwrap();
            Err(no_station())
        });
        let workers = Workers::start(connector, out);
        assert_eq!(tries.recv().unwrap(), Start::IfNone);
        assert!(matches!(heard.recv().unwrap(), Msg::Lost(_)));
        assert!(workers.take(Effect::Start).is_none());
        assert_eq!(tries.recv().unwrap(), Start::IfNone);
        // Later ones come by themselves, and start nothing.
        assert_eq!(tries.recv().unwrap(), Start::Never);
    }

    #[test]
    fn a_question_without_a_station_is_answered_with_the_failure() {
        let (out, heard) = channel();
        let connector: Connector = Box::new(|_| Err(no_station()));
        let workers = Workers::start(connector, out);
        assert!(workers.take(Effect::Ask(Asked::State, Command::Snapshot)).is_none());
        let answer = heard.iter().find(|msg| matches!(msg, Msg::Answer(..))).unwrap();
        assert!(matches!(answer, Msg::Answer(Asked::State, Err(failure)) if failure == no_station()));
        assert!(matches!(workers.take(Effect::Bell), Some(Effect::Bell)));
    }

    #[test]
    fn a_wrong_passphrase_is_told_with_its_remedy_and_not_repeated() {
        use crate::vault::{
            DataKey,
            holder::{Recipient, WorkFactor, wrap},
        };
        let key = DataKey::from_bytes(&[7; 32]).unwrap();
        let recipient =
            Recipient::passphrase("blue horse".to_owned().into(), WorkFactor::new(2).unwrap()).unwrap();
        let file = data_encoding::BASE64.encode(&wrap(&key, &recipient).unwrap());
        let holder = HolderFile { name: "ann".into(), kind: "passphrase".into(), recipient: None, file };
        let typed = |text: &str| super::super::input::Passphrase(text.to_owned().into());
        assert_eq!(data_key(&holder, typed("blue horse")).unwrap().expose(), [7; 32]);
        let failure = data_key(&holder, typed("red horse")).unwrap_err();
        assert!(!failure.remedy.is_empty() && !format!("{failure:?}").contains("red horse"));
        let damaged = HolderFile { file: "!".into(), ..holder };
        assert!(!data_key(&damaged, typed("x")).unwrap_err().remedy.is_empty());
    }
}
