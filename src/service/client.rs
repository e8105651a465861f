//! The client's end: blocking, one request at a time, as a command line wants it.

use super::home::{Address, Home};
use super::line::{LineBuffer, TooLong, encode};
use super::listener::open_directory;
use crate::face::{
    Command, Event, Failure, FailureKind, Greeting, Numbered, PROTOCOL, Reply, Role, Snapshot, ToClient,
    ToServer,
};
use crate::remedy::{Remedy, Retry};
use serde::Deserialize;
use std::cmp::Ordering;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a server that took the connection may leave us without a greeting.
const GREETING: Duration = Duration::from_secs(30);
/// Longest line from a server: exports and pages, never anything near it.
const LINE_MAX: usize = 512 * 1024 * 1024;

/// In which role to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All that the server allows.
    Full,
    /// As one who may only look (`kiln --read-only`).
    ReadOnly,
}

/// A connection to a station's server. The server's greeting has been read and its protocol is ours.
#[derive(Debug)]
pub struct Client {
    lines: Lines,
    greeting: Greeting,
    mode: Mode,
    last_id: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The station's answer is no, with a remedy of its own: take it from [`ClientError::into_failure`].
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The command changes something, and this client promised to look only.
    #[error("this command changes something, and kiln was told to look only (--read-only)")]
    ReadOnly,
    /// Nothing listens there.
    #[error("no kiln server listens on {socket}")]
    NotRunning {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket can't be reached by this account.
    #[error("no permission to connect to {socket}")]
    NoPermission {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket could be anybody's.
    #[error("not connecting to {socket}: its directory can be changed by other accounts (mode {mode:04o})")]
    Untrusted {
        /// The socket.
        socket: PathBuf,
        /// Permission bits of its directory.
        mode: u32,
    },
    /// Connecting failed otherwise.
    #[error("cannot connect to {socket}: {source}")]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The server took the connection and said nothing.
    #[error("the server on {socket} did not greet within {seconds} seconds")]
    Silent {
        /// The socket.
        socket: PathBuf,
        /// How long it was given.
        seconds: u64,
    },
    /// The server is older than this program.
    #[error("the running server (kiln {version}) speaks protocol {protocol}, this kiln speaks {PROTOCOL}")]
    ServerTooOld {
        /// Its version.
        version: String,
        /// Its protocol.
        protocol: u32,
    },
    /// This program is older than the server.
    #[error("the running server (kiln {version}) speaks protocol {protocol}, this kiln only {PROTOCOL}")]
    ClientTooOld {
        /// The server's version.
        version: String,
        /// The server's protocol.
        protocol: u32,
    },
    /// The connection ended before the answer came. What was asked may have been done.
    #[error("the server ended before it answered")]
    Gone,
    /// The connection broke.
    #[error("the connection to the server broke: {0}")]
    Broken(io::Error),
    /// What came is not of the protocol. What it was is not told: it may be a secret.
    #[error("the server sent a line that is not of protocol {PROTOCOL}")]
    Garbled,
}

impl Remedy for ClientError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Failure(_) => "do what the station's answer says",
            Self::ReadOnly => "run it again without --read-only",
            Self::NotRunning { .. } => {
                "start the server with kiln station run, as the account that owns the station"
            }
            Self::NoPermission { .. } => {
                "ask the station's owner to put you into the group that may enter the socket's directory; then log \
                 in again"
            }
            Self::Untrusted { .. } => {
                "ask the owner of that directory to take the write permission of group and others away"
            }
            Self::Connect { .. } => "check the path in KILN_SOCKET or KILN_HOME",
            Self::Silent { .. } => {
                "look into the server's log; if the server hangs, end its process and try again"
            }
            Self::ServerTooOld { .. } => {
                "update the server: when no burn is running, end it with SIGTERM (the file lock in its home holds \
                 its process number), then try again"
            }
            Self::ClientTooOld { .. } => "update this kiln, or use the one that the server was started from",
            Self::Gone => "look with kiln status whether it was done before you try again",
            Self::Broken(_) => "look with kiln status whether it was done before you try again",
            Self::Garbled => "use the same kiln for server and client, and report this with both versions",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Silent { .. } => Retry::Soon,
            Self::ReadOnly | Self::ClientTooOld { .. } | Self::Garbled => Retry::Never,
            Self::Failure(_)
            | Self::NotRunning { .. }
            | Self::NoPermission { .. }
            | Self::Untrusted { .. }
            | Self::Connect { .. }
            | Self::ServerTooOld { .. }
            | Self::Gone
            | Self::Broken(_) => Retry::AfterOperator,
        }
    }
}

impl ClientError {
    /// Message, remedy and kind in one shape, whether the station said no or the way there failed.
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Failure(failure) => failure,
            Self::ReadOnly => Failure { kind: FailureKind::Usage, ..super::failure(&self) },
            other => super::failure(&other),
        }
    }
}

impl Client {
    /// Connects to the server of `home`, which has to run already, and waits for its greeting.
    pub fn connect(home: &Home, mode: Mode) -> Result<Self, ClientError> {
        let socket = home.socket();
        let at_socket = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ClientError::NotRunning { socket: socket.clone() }
            }
            io::ErrorKind::PermissionDenied => ClientError::NoPermission { socket: socket.clone() },
            _ => ClientError::Connect { socket: socket.clone(), source },
        };
        if let Some((_, mode)) = open_directory(&socket).map_err(at_socket)? {
            return Err(ClientError::Untrusted { socket, mode });
        }
        let address = Address::of(&socket).map_err(at_socket)?;
        let stream = UnixStream::connect(address.path()).map_err(at_socket)?;
        stream.set_read_timeout(Some(GREETING)).map_err(ClientError::Broken)?;
        let mut lines = Lines::new(stream);
        let greeting = lines.greeting().map_err(|error| match error {
            ClientError::Broken(source) if source.kind() == io::ErrorKind::WouldBlock => {
                ClientError::Silent { socket: socket.clone(), seconds: GREETING.as_secs() }
            }
            other => other,
        })?;
        // An import or the end of a burn takes as long as it takes.
        lines.stream.set_read_timeout(None).map_err(ClientError::Broken)?;
        Ok(Self { lines, greeting, mode, last_id: 0 })
    }

    /// What the server said of itself and of us.
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// What this client may do: what the server allows, and no more than it wants.
    pub fn role(&self) -> Role {
        match self.mode {
            Mode::Full => self.greeting.role,
            Mode::ReadOnly => Role::Observer,
        }
    }

    /// Asks and waits for the answer, for as long as that takes.
    pub fn ask(&mut self, command: Command) -> Result<Reply, ClientError> {
        let id = self.send(command)?;
        match self.lines.message()? {
            ToClient::Reply { id: answered, result } if answered == id => Ok(result?),
            // Nothing else can come: we ask one thing at a time, and a subscription that lagged is silent.
            ToClient::Reply { .. }
            | ToClient::Event(_)
            | ToClient::Lagged { .. }
            | ToClient::Greeting(_)
            | ToClient::Refused(_) => Err(ClientError::Garbled),
        }
    }

    /// The state now and what happens from then on, without gap or repetition.
    pub fn subscribe(mut self) -> Result<(Snapshot, EventStream), ClientError> {
        let snapshot = self.snapshot()?;
        Ok((snapshot, EventStream { client: self, stopping: false, ended: false }))
    }

    fn snapshot(&mut self) -> Result<Snapshot, ClientError> {
        match self.ask(Command::Subscribe)? {
            Reply::Snapshot(snapshot) => Ok(*snapshot),
            _ => Err(ClientError::Garbled),
        }
    }

    fn send(&mut self, command: Command) -> Result<u64, ClientError> {
        let role = match self.mode {
            Mode::Full => None,
            Mode::ReadOnly if command.needs() > Role::Observer => return Err(ClientError::ReadOnly),
            Mode::ReadOnly => Some(Role::Observer),
        };
        self.last_id += 1;
        let line = encode(&ToServer { id: self.last_id, role, command }).map_err(|_| ClientError::Garbled)?;
        // A refusal may lie unread when the server hangs up; reading finds it, or that the server has gone.
        match self.lines.stream.write_all(&line) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(self.last_id),
            written => written.map(|()| self.last_id).map_err(ClientError::Broken),
        }
    }
}

/// What a subscriber hears.
#[derive(Debug)]
pub enum News {
    /// It happened.
    Event(Numbered),
    /// We were too slow and `missed` events are lost to us; this is the state now, and the stream goes on from it.
    Lagged {
        /// How many.
        missed: u64,
        /// The state now.
        snapshot: Box<Snapshot>,
    },
}

/// Events as they happen, waiting for each. Ends when the server has said that it stops, and stopped; an error is the
/// last item.
#[derive(Debug)]
pub struct EventStream {
    client: Client,
    stopping: bool,
    ended: bool,
}

impl Iterator for EventStream {
    type Item = Result<News, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let news = match self.client.lines.message() {
            Ok(ToClient::Event(event)) => {
                self.stopping |= matches!(event.event, Event::Stopping);
                Ok(News::Event(event))
            }
            Ok(ToClient::Lagged { missed }) => {
                self.client.snapshot().map(|snapshot| News::Lagged { missed, snapshot: Box::new(snapshot) })
            }
            Ok(ToClient::Reply { .. } | ToClient::Greeting(_) | ToClient::Refused(_)) => {
                Err(ClientError::Garbled)
            }
            Err(error) => Err(error),
        };
        self.ended = news.is_err();
        match news {
            Err(ClientError::Gone) if self.stopping => None,
            news => Some(news),
        }
    }
}

/// The first line, read so that one of any other protocol still tells its number.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum First {
    Greeting(AnyGreeting),
    Refused(Failure),
}

#[derive(Deserialize)]
struct AnyGreeting {
    protocol: u32,
    version: String,
}

/// Lines of a blocking stream.
#[derive(Debug)]
struct Lines {
    stream: UnixStream,
    buffer: LineBuffer,
}

impl Lines {
    fn new(stream: UnixStream) -> Self {
        Self { stream, buffer: LineBuffer::new(LINE_MAX) }
    }

    fn line(&mut self) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        loop {
            if let Some(line) = self.buffer.next_line() {
                return line.map_err(|TooLong| ClientError::Garbled);
            }
            match self.stream.read(self.buffer.space()) {
                Ok(0) => return Err(ClientError::Gone),
                Ok(count) => self.buffer.filled(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(ClientError::Gone);
                }
                Err(error) => return Err(ClientError::Broken(error)),
            }
        }
    }

    fn message(&mut self) -> Result<ToClient, ClientError> {
        serde_json::from_slice(&self.line()?).map_err(|_| ClientError::Garbled)
    }

    fn greeting(&mut self) -> Result<Greeting, ClientError> {
        let line = self.line()?;
        let AnyGreeting { protocol, version } = match serde_json::from_slice(&line) {
            Ok(First::Greeting(any)) => any,
            Ok(First::Refused(failure)) => return Err(failure.into()),
            Err(_) => return Err(ClientError::Garbled),
        };
        match protocol.cmp(&PROTOCOL) {
            Ordering::Less => return Err(ClientError::ServerTooOld { version, protocol }),
            Ordering::Greater => return Err(ClientError::ClientTooOld { version, protocol }),
            Ordering::Equal => {}
        }
        match serde_json::from_slice(&line) {
            Ok(ToClient::Greeting(greeting)) => Ok(greeting),
            Ok(_) | Err(_) => Err(ClientError::Garbled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::thread;

    /// A server that takes one client, says `said` and reads what comes until the client is done.
    fn server_saying(said: &'static str) -> (tempfile::TempDir, Home, thread::JoinHandle<String>) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        let listener = UnixListener::bind(home.socket()).unwrap();
        let heard = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(said.as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut heard = String::new();
            let _ = stream.read_to_string(&mut heard);
            heard
        });
        (dir, home, heard)
    }

    const HELLO: &str = r#"{"greeting":{"protocol":1,"version":"0.1.0","role":"operator","demo":false}}"#;

    #[test]
    fn a_greeting_of_another_protocol_says_which_side_to_update() {
        let (_dir, home, _) = server_saying("{\"greeting\":{\"protocol\":0,\"version\":\"0.0.9\"}}\n");
        let error = Client::connect(&home, Mode::Full).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the running server (kiln 0.0.9) speaks protocol 0, this kiln speaks 1"
        );
        assert!(error.remedy().starts_with("update the server"));
        let (_dir, home, _) =
            server_saying("{\"greeting\":{\"protocol\":7,\"version\":\"9.0.0\",\"new\":[]}}\n");
        let error = Client::connect(&home, Mode::Full).unwrap_err();
        assert!(matches!(error, ClientError::ClientTooOld { protocol: 7, .. }), "{error}");
        assert!(error.remedy().starts_with("update this kiln"));
    }

    #[test]
    fn no_socket_and_a_dead_one_are_no_server() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        assert!(matches!(Client::connect(&home, Mode::Full), Err(ClientError::NotRunning { .. })));
        drop(UnixListener::bind(home.socket()).unwrap());
        assert!(matches!(Client::connect(&home, Mode::Full), Err(ClientError::NotRunning { .. })));
    }

    #[test]
    fn a_socket_that_anybody_could_have_put_there_is_not_trusted() {
        use std::os::unix::fs::PermissionsExt;
        let (dir, home, _) = server_saying("");
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let error = Client::connect(&home, Mode::Full).unwrap_err();
        assert!(matches!(error, ClientError::Untrusted { mode: 0o777, .. }), "{error}");
    }

    #[test]
    fn a_refusal_is_told_as_the_server_worded_it() {
        let (_dir, home, _) = server_saying(
            "{\"refused\":{\"kind\":\"environment\",\"message\":\"not you\",\"remedy\":\"ask ann\"}}\n",
        );
        let failure = Client::connect(&home, Mode::Full).unwrap_err().into_failure();
        assert_eq!((failure.message.as_str(), failure.remedy.as_str()), ("not you", "ask ann"));
    }

    #[test]
    fn one_who_promised_to_look_only_does_not_even_ask() {
        let said: &str = Box::leak(format!("{HELLO}\n").into_boxed_str());
        let (_dir, home, heard) = server_saying(said);
        let mut client = Client::connect(&home, Mode::ReadOnly).unwrap();
        assert_eq!(client.role(), Role::Observer);
        let error = client.ask(Command::VaultLock).unwrap_err();
        assert_eq!(error.into_failure().kind, FailureKind::Usage);
        assert!(matches!(client.ask(Command::Batches), Err(ClientError::Gone)));
        drop(client);
        assert_eq!(
            heard.join().unwrap(),
            "{\"id\":1,\"role\":\"observer\",\"command\":{\"do\":\"batches\"}}\n"
        );
    }

    #[test]
    fn what_is_not_of_the_protocol_is_not_repeated() {
        let said: &str = Box::leak(format!("{HELLO}\n{{\"JBSWY3DP\":1}}\n").into_boxed_str());
        let (_dir, home, _) = server_saying(said);
        let mut client = Client::connect(&home, Mode::Full).unwrap();
        let error = client.ask(Command::Batches).unwrap_err();
        assert!(matches!(error, ClientError::Garbled));
        assert!(!format!("{error} {error:?} {client:?}").contains("JBSWY3DP"));
    }

    #[test]
    fn every_error_has_a_remedy() {
        let socket = PathBuf::from("/s");
        let source = || io::Error::from(io::ErrorKind::TimedOut);
        let failure = Failure {
            kind: FailureKind::No,
            message: "no".into(),
            remedy: "yes".into(),
            details: Vec::new(),
        };
        for error in [
            ClientError::Failure(failure),
            ClientError::ReadOnly,
            ClientError::NotRunning { socket: socket.clone() },
            ClientError::NoPermission { socket: socket.clone() },
            ClientError::Untrusted { socket: socket.clone(), mode: 0o777 },
            ClientError::Connect { socket: socket.clone(), source: source() },
            ClientError::Silent { socket, seconds: 30 },
            ClientError::ServerTooOld { version: "0".into(), protocol: 0 },
            ClientError::ClientTooOld { version: "9".into(), protocol: 9 },
            ClientError::Gone,
            ClientError::Broken(source()),
            ClientError::Garbled,
        ] {
            assert!(!error.remedy().is_empty() && !error.remedy().ends_with('.'), "{error}");
            let _ = error.retry();
            assert!(!error.into_failure().remedy.is_empty());
        }
    }
}
