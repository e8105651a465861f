//! The threads that talk to the station: one hears its news, one puts the questions. Both connect by themselves, and
//! again when the server is lost.

use super::{
    export::Exporting,
    input::Passphrase,
    msg::{Asked, Effect, ExportTo, Msg},
};
use crate::{
    envelope::question::{Answer, Question},
    face::{
        BatchReport, Command, ExportOptions, Exported, Failure, FailureKind, HolderFile, ImportOptions,
        ImportReport, Reply, SecretBytes,
    },
    remedy::Remedy,
    service::client::{Client, ClientError, News},
    vault::{
        DataKey,
        holder::{self, HolderError, Identity, Recipient, WorkFactor},
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
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

/// A seed file in plain.
pub struct Opened {
    /// Its name for the record.
    pub name: String,
    /// Its content, in memory that is wiped.
    pub content: SecretBytes,
    /// What the person should know.
    pub notes: Vec<String>,
}

/// Why a seed file isn't open.
#[derive(Debug)]
pub enum Shut {
    /// The person has to say something first.
    Asks(Question),
    /// It can't be opened.
    Failed(Failure),
}

/// Reads a seed file and takes it out of what it is wrapped in, with what the person has said so far.
pub type OpenFile = Box<dyn Fn(&Path, &[Answer]) -> Result<Opened, Shut> + Send>;

/// Writes exports where the person sits, as `kiln export` does.
pub trait Exporter: Send {
    /// Refuses what could not be written: before the station is asked, so that nothing is exported in vain.
    fn check(&self, to: &ExportTo) -> Result<(), Failure>;
    /// Protects and writes it; gives a sentence about the file.
    fn write(&self, to: &ExportTo, exported: Exported) -> Result<String, Failure>;
    /// Draws a batch's report as a page and writes it likewise.
    fn report(&self, to: &ExportTo, report: &BatchReport) -> Result<String, Failure>;
}

/// What lies where the person sits.
pub struct Desk {
    /// What `~` stands for in a path.
    pub home: Option<PathBuf>,
    /// Opens a seed file.
    pub open: OpenFile,
    /// Writes exports.
    pub export: Box<dyn Exporter>,
}

impl Desk {
    /// One where nothing can be opened or written: for whoever wants the screen alone.
    pub fn bare() -> Self {
        Self {
            home: None,
            open: Box::new(|_, _| Err(Shut::Failed(nothing_here()))),
            export: Box::new(NoPaper),
        }
    }
}

/// Nothing can be written.
struct NoPaper;

impl Exporter for NoPaper {
    fn check(&self, _: &ExportTo) -> Result<(), Failure> {
        Err(nothing_here())
    }

    fn write(&self, _: &ExportTo, _: Exported) -> Result<String, Failure> {
        Err(nothing_here())
    }

    fn report(&self, _: &ExportTo, _: &BatchReport) -> Result<String, Failure> {
        Err(nothing_here())
    }
}

fn nothing_here() -> Failure {
    Failure {
        kind: FailureKind::Environment,
        message: "this screen has no files".into(),
        remedy: "use the kiln of a terminal".into(),
        details: Vec::new(),
    }
}

/// The most names that a path is completed to.
const NAMES: usize = 200;

/// The way to the threads.
pub struct Workers {
    questions: Sender<Work>,
    start: Sender<()>,
    connector: Arc<Mutex<Connector>>,
    out: Sender<Msg>,
}

enum Work {
    Ask(Asked, Command),
    Unlock(HolderFile, Passphrase),
    Init(String, Passphrase),
    Complete(String),
    Export(ExportOptions, ExportTo),
    Report(String, ExportTo),
    Import(String, Vec<Answer>, ImportOptions),
}

impl Workers {
    /// Starts both; what they have to say goes to `out`. They end with the process, or when nobody listens.
    pub fn start(connector: Connector, desk: Desk, out: Sender<Msg>) -> Self {
        let connector = Arc::new(Mutex::new(connector));
        let (questions, asked) = channel();
        let (start, wanted) = channel();
        let (listening, telling) = (Arc::clone(&connector), out.clone());
        thread::spawn(move || listen(&listening, &wanted, &telling));
        let (asking, told) = (Arc::clone(&connector), out.clone());
        thread::spawn(move || answer(&asking, &desk, &asked, &told));
        Self { questions, start, connector, out }
    }

    /// Takes an effect that is for the station; gives others back.
    pub fn take(&self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::Ask(asked, command @ Command::SlotGiveUp { .. }) => self.put_aside(asked, command),
            Effect::Ask(asked, command) => self.put(Work::Ask(asked, command)),
            Effect::Unlock(holder, passphrase) => self.put(Work::Unlock(holder, passphrase)),
            Effect::Init(name, passphrase) => self.put(Work::Init(name, passphrase)),
            Effect::Complete(typed) => self.put(Work::Complete(typed)),
            Effect::Import { path, answers, options } => self.put(Work::Import(path, answers, options)),
            Effect::Export { options, to } => self.put(Work::Export(options, to)),
            Effect::Report { batch, to } => self.put(Work::Report(batch, to)),
            Effect::Start => drop(self.start.send(())),
            other => return Some(other),
        }
        None
    }

    /// Asks beside what was asked before: that may be what waits for the touch.
    fn put_aside(&self, asked: Asked, command: Command) {
        let (connector, out) = (Arc::clone(&self.connector), self.out.clone());
        thread::spawn(move || {
            // Where nobody listens any more, nobody waits for the answer.
            drop(out.send(Msg::Answer(asked, ask(&connector, &mut None, command))));
        });
    }

    fn put(&self, question: Work) {
        // A thread that is gone has told why, or the program ends.
        drop(self.questions.send(question));
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
        kind: FailureKind::Environment,
        message: "the station ended".into(),
        remedy: "to start it again press : and choose \"start the station\"".into(),
        details: Vec::new(),
    })
}

fn answer(connector: &Mutex<Connector>, desk: &Desk, questions: &Receiver<Work>, out: &Sender<Msg>) {
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
            Work::Ask(asked, command) => Msg::Answer(asked, ask(connector, &mut client, command)),
            Work::Unlock(holder, passphrase) => {
                let opened = data_key(&holder, passphrase).and_then(|data_key| {
                    ask(connector, &mut client, Command::VaultUnlock { data_key }).map(|_| ())
                });
                Msg::Unlocked(opened)
            }
            Work::Init(name, passphrase) => {
                let made =
                    new_holder(name, passphrase, WorkFactor::DEFAULT).and_then(|(holder, data_key)| {
                        ask(connector, &mut client, Command::VaultInit { holder, data_key }).map(|_| ())
                    });
                Msg::Made(made)
            }
            Work::Complete(typed) => {
                let found = complete(desk.home.as_deref(), &typed);
                Msg::Completed(typed, found)
            }
            Work::Import(path, answers, options) => {
                let file = expand(desk.home.as_deref(), &path);
                match (desk.open)(&file, &answers) {
                    Err(Shut::Asks(question)) => Msg::Wrapped(question),
                    Err(Shut::Failed(failure)) => Msg::Answer(Asked::Import, Err(failure)),
                    Ok(Opened { name: file_name, content, notes }) => {
                        let command = Command::Import { file_name, content, options };
                        let imported = ask(connector, &mut client, command);
                        Msg::Answer(Asked::Import, imported.map(|reply| with_notes(reply, notes)))
                    }
                }
            }
            Work::Report(name, to) => {
                let to = expanded(desk, to);
                let written = desk.export.check(&to).and_then(|()| {
                    match ask(connector, &mut client, Command::BatchReport { name })? {
                        Reply::BatchReport(report) => {
                            desk.export.report(&to, &report).map(Exporting::Written)
                        }
                        reply => Ok(Exporting::Looked(reply)),
                    }
                });
                Msg::Exported(written)
            }
            Work::Export(options, to) => {
                let to = expanded(desk, to);
                let dry_run = options.dry_run;
                let exported = desk.export.check(&to).and_then(|()| {
                    match ask(connector, &mut client, Command::Export(options))? {
                        Reply::Exported(exported) if !dry_run => {
                            desk.export.write(&to, exported).map(Exporting::Written)
                        }
                        reply => Ok(Exporting::Looked(reply)),
                    }
                });
                Msg::Exported(exported)
            }
        };
        if out.send(msg).is_err() {
            return;
        }
    }
}

/// What was noticed when the file was opened stands before what the station has to say.
fn with_notes(reply: Reply, mut notes: Vec<String>) -> Reply {
    match reply {
        Reply::Imported(mut report) => {
            notes.append(&mut report.notes);
            Reply::Imported(ImportReport { notes, ..report })
        }
        other => other,
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
fn data_key(holder: &HolderFile, passphrase: Passphrase) -> Result<SecretBytes, Failure> {
    let file = data_encoding::BASE64.decode(holder.file.as_bytes()).map_err(|_| Failure {
        kind: FailureKind::Environment,
        message: format!("the file of holder {} is damaged", holder.name),
        remedy: "open the vault as another holder, or take the database from a backup".into(),
        details: Vec::new(),
    })?;
    let opened = Identity::passphrase(passphrase.0).and_then(|identity| holder::open(&file, &identity));
    opened.map(|key| SecretBytes::new(*key.expose())).map_err(|error| refused(&error))
}

fn refused(error: &HolderError) -> Failure {
    Failure {
        kind: FailureKind::No,
        message: error.to_string(),
        remedy: error.remedy().into(),
        details: Vec::new(),
    }
}

/// A new data key and the file that lets `passphrase` open it, both made here.
fn new_holder(
    name: String,
    passphrase: Passphrase,
    work: WorkFactor,
) -> Result<(HolderFile, SecretBytes), Failure> {
    let key = DataKey::generate().map_err(|error| Failure {
        kind: FailureKind::Environment,
        message: error.to_string(),
        remedy: error.remedy().into(),
        details: Vec::new(),
    })?;
    let recipient = Recipient::passphrase(passphrase.0, work).map_err(|error| refused(&error))?;
    let file = holder::wrap(&key, &recipient).map_err(|error| refused(&error))?;
    let holder = HolderFile {
        name,
        kind: recipient.kind().word().into(),
        recipient: recipient.text(),
        file: data_encoding::BASE64.encode(&file),
    };
    Ok((holder, SecretBytes::new(*key.expose())))
}

fn expanded(desk: &Desk, to: ExportTo) -> ExportTo {
    let path = expand(desk.home.as_deref(), to.place.path()).display().to_string();
    ExportTo { place: to.place.at(path), ..to }
}

/// `~/` at the beginning stands for the person's own folder.
fn expand(home: Option<&Path>, typed: &str) -> PathBuf {
    match (typed.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(typed),
    }
}

/// The paths that begin as `typed`, in its own spelling; folders end with a slash. Hidden ones only where their dot was
/// typed.
fn complete(home: Option<&Path>, typed: &str) -> Vec<String> {
    let (folder, begun) = typed.rfind('/').map_or(("", typed), |at| typed.split_at(at + 1));
    let place = if folder.is_empty() { PathBuf::from(".") } else { expand(home, folder) };
    let Ok(entries) = fs::read_dir(place) else { return Vec::new() };
    let mut found: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let fits = name.starts_with(begun) && (begun.starts_with('.') || !name.starts_with('.'));
            let end = if entry.path().is_dir() { "/" } else { "" };
            fits.then(|| format!("{folder}{name}{end}"))
        })
        .collect();
    found.sort();
    found.truncate(NAMES);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk() -> Desk {
        Desk::bare()
    }

    #[test]
    fn a_path_is_completed_in_its_own_spelling() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("spring")).unwrap();
        for name in ["spring.csv", "autumn.csv", ".hidden"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let home = Some(dir.path());
        assert_eq!(complete(home, "~/sp"), ["~/spring.csv", "~/spring/"]);
        assert_eq!(complete(home, "~/").len(), 3);
        assert_eq!(complete(home, "~/.h"), ["~/.hidden"]);
        assert!(complete(home, "~/spring/").is_empty() && complete(home, "/no/such/").is_empty());
        let typed = format!("{}/a", dir.path().display());
        assert_eq!(complete(None, &typed), [format!("{typed}utumn.csv")]);
    }

    #[test]
    fn a_new_vault_opens_with_the_passphrase_that_was_typed() {
        let work = WorkFactor::new(2).unwrap();
        let typed = || Passphrase("blue horse".to_owned().into());
        let (holder, key) = new_holder("ann".into(), typed(), work).unwrap();
        assert_eq!(data_key(&holder, typed()).unwrap().expose(), key.expose());
    }

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
        let workers = Workers::start(connector, desk(), out);
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
        let workers = Workers::start(connector, desk(), out);
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
        let typed = |text: &str| Passphrase(text.to_owned().into());
        assert_eq!(data_key(&holder, typed("blue horse")).unwrap().expose(), [7; 32]);
        let failure = data_key(&holder, typed("red horse")).unwrap_err();
        assert!(!failure.remedy.is_empty() && !format!("{failure:?}").contains("red horse"));
        let damaged = HolderFile { file: "!".into(), ..holder };
        assert!(!data_key(&damaged, typed("x")).unwrap_err().remedy.is_empty());
    }
}
