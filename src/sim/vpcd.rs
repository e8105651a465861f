//! A virtual token behind a real `pcscd`: the card's end of the vpcd socket, `protocols/vpcd.md`.
//!
//! The reader's driver is the server; connecting puts the token down, closing takes it away. There is no timeout in the
//! driver: whoever doesn't answer hangs the reader, which is what a mute token is for.

use super::token::{Outcome, VirtualToken};
use crate::remedy::{Remedy, Retry};
use socket2::SockRef;
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long to wait before looking again for a reader service that went away under a token.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How long a token that left stays away at least. `pcscd` looks every 0.4 s; it doesn't notice a shorter absence, and
/// where it lost the token in mid-command it then calls the reader empty for good. No hand is faster either.
const ABSENCE: Duration = Duration::from_millis(700);

/// A token that can't be put down.
#[derive(Debug, thiserror::Error)]
pub enum VpcdError {
    /// Nobody listens there.
    #[error("no virtual reader listens on port {port}: {source}")]
    NoReader {
        /// Where one was expected, on this machine.
        port: u16,
        /// What connecting said.
        source: io::Error,
    },
    /// No thread to serve it with.
    #[error("no thread could be started for the virtual token: {0}")]
    NoThread(io::Error),
}

impl Remedy for VpcdError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NoReader { .. } => {
                "start pcscd with a vpcd reader entry on this port (Debian package vsmartcard-vpcd), then place the token"
            }
            Self::NoThread(_) => "end other programs of this user, then place the token again",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// What happened to a token on its reader. Told before the reader learns of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// A command came to its end, answered or not.
    Exchange,
    /// A fault tore the token off; it stays off until it is placed again.
    TornOff,
    /// Its display went dark, so the reader lost it; it comes back when it is switched on.
    WentDark,
    /// The reader service went away; the token lies there and is found again when the service comes back.
    ReaderLost,
}

type Watcher = Box<dyn Fn(&VirtualToken, Happened) + Send + Sync>;

/// Where the token is.
#[derive(Default)]
struct Whereabouts {
    lies: bool,
    /// A thread serves the token and will go on serving it.
    served: bool,
    stream: Option<TcpStream>,
    /// When the last connection ended.
    left: Option<Instant>,
}

struct Shared {
    port: u16,
    absence: Duration,
    token: VirtualToken,
    watcher: Watcher,
    whereabouts: Mutex<Whereabouts>,
    taken: Condvar,
}

impl Shared {
    fn whereabouts(&self) -> MutexGuard<'_, Whereabouts> {
        self.whereabouts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that `take` can cut; `None` where the token was taken away meanwhile.
    fn connect(&self) -> Result<Option<TcpStream>, io::Error> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        let mut whereabouts = self.whereabouts();
        if !whereabouts.lies {
            return Ok(None);
        }
        whereabouts.stream = Some(stream.try_clone()?);
        Ok(Some(stream))
    }
}

/// How a conversation ended.
enum End {
    Torn,
    Dark,
    /// The reader closed it, or `take` cut it.
    Closed,
}

/// A token and the reader it is put on.
pub struct Card {
    shared: Arc<Shared>,
    server: Option<JoinHandle<()>>,
}

impl Card {
    /// A card for the reader whose driver listens on `port` of this machine, not put down yet. `watcher` is told, on the
    /// card's own thread, whatever happens to it.
    pub fn new(
        port: u16,
        token: VirtualToken,
        watcher: impl Fn(&VirtualToken, Happened) + Send + Sync + 'static,
    ) -> Self {
        Self::with_absence(ABSENCE, port, token, watcher)
    }

    fn with_absence(
        absence: Duration,
        port: u16,
        token: VirtualToken,
        watcher: impl Fn(&VirtualToken, Happened) + Send + Sync + 'static,
    ) -> Self {
        let shared = Shared {
            port,
            absence,
            token,
            watcher: Box::new(watcher),
            whereabouts: Mutex::default(),
            taken: Condvar::new(),
        };
        Self { shared: Arc::new(shared), server: None }
    }

    /// Whether the token lies on the reader, seen by it or not.
    pub fn lies(&self) -> bool {
        self.shared.whereabouts().lies
    }

    /// Puts the token down; where it left only just now, after a moment. One that is switched off lies there unseen,
    /// until this is called again after switching it on.
    pub fn place(&mut self) -> Result<(), VpcdError> {
        if self.shared.token.is_dark() {
            self.take();
            self.shared.whereabouts().lies = true;
            return Ok(());
        }
        {
            let whereabouts = self.shared.whereabouts();
            let alive = self.server.as_ref().is_some_and(|server| !server.is_finished());
            if whereabouts.lies && whereabouts.served && alive {
                return Ok(());
            }
        }
        self.take();
        let left = self.shared.whereabouts().left;
        if let Some(left) = left {
            wait_out(self.shared.absence.saturating_sub(left.elapsed()));
        }
        *self.shared.whereabouts() = Whereabouts { lies: true, served: true, stream: None, left: None };
        let connected = self.shared.connect();
        let shared = self.shared.clone();
        let started = match connected {
            Ok(None) => return Ok(()),
            Ok(Some(stream)) => thread::Builder::new()
                .name("virtual token".into())
                .spawn(move || attend(&shared, stream))
                .map_err(VpcdError::NoThread),
            Err(source) => Err(VpcdError::NoReader { port: self.shared.port, source }),
        };
        match started {
            Ok(server) => {
                self.server = Some(server);
                Ok(())
            }
            Err(error) => {
                self.take();
                Err(error)
            }
        }
    }

    /// Takes the token away. When this returns, nothing of it is left on the reader.
    pub fn take(&mut self) {
        let stream = {
            let mut whereabouts = self.shared.whereabouts();
            whereabouts.lies = false;
            let stream = whereabouts.stream.take();
            if stream.is_some() {
                whereabouts.left = Some(Instant::now());
            }
            stream
        };
        self.shared.taken.notify_all();
        if let Some(stream) = stream {
            // Fails only where the other end closed it first.
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.shared.token.let_go();
        if let Some(server) = self.server.take()
            && server.join().is_err()
        {
            tracing::error!("the thread of a virtual token panicked");
        }
        self.shared.token.taken_off();
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        self.take();
    }
}

/// Serves the token for as long as it lies there, over as many connections as the reader service makes necessary.
fn attend(shared: &Shared, mut stream: TcpStream) {
    loop {
        let mut wait = LOOK_AGAIN;
        match converse(shared, &mut stream) {
            End::Torn => {
                *shared.whereabouts() = Whereabouts { left: Some(Instant::now()), ..Whereabouts::default() };
                shared.token.taken_off();
                return;
            }
            End::Dark => {
                (shared.watcher)(&shared.token, Happened::WentDark);
                let mut whereabouts = shared.whereabouts();
                whereabouts.stream = None;
                whereabouts.left = Some(Instant::now());
                // Looked at again under the lock: a hand that lights it from here on finds it unserved, and one that
                // lit it before counts on this thread.
                if shared.token.is_dark() {
                    whereabouts.served = false;
                    return;
                }
                wait = shared.absence;
            }
            End::Closed if !shared.whereabouts().lies => return,
            End::Closed => (shared.watcher)(&shared.token, Happened::ReaderLost),
        }
        shared.token.activate();
        // Closes this end too, so that the reader sees the token leave before it comes back.
        drop(stream);
        stream = loop {
            let whereabouts = shared.whereabouts();
            let waited = shared.taken.wait_timeout_while(whereabouts, wait, |at| at.lies);
            if !waited.unwrap_or_else(PoisonError::into_inner).0.lies {
                return;
            }
            match shared.connect() {
                Ok(Some(stream)) => break stream,
                Ok(None) => return,
                Err(error) => tracing::debug!(port = shared.port, %error, "the reader is still away"),
            }
        };
    }
}

fn converse(shared: &Shared, stream: &mut TcpStream) -> End {
    let mut inbox = Inbox::default();
    loop {
        let Ok(Some(message)) = inbox.next(stream) else { return End::Closed };
        let token = &shared.token;
        let reply = match message.as_slice() {
            [0..=2] => {
                token.activate();
                continue;
            }
            // It doubles as the presence check, so this is where a reader notices that the token went dark.
            [4] if token.is_dark() => return End::Dark,
            [4] => token.answer_to_reset().to_vec(),
            [] | [_] => continue,
            _ if token.is_dark() => return End::Dark,
            command => {
                let delay = token.delay();
                wait_out(delay / 2);
                let outcome = token.exchange(command);
                let happened = if outcome == Outcome::Torn { Happened::TornOff } else { Happened::Exchange };
                (shared.watcher)(token, happened);
                wait_out(delay - delay / 2);
                match outcome {
                    Outcome::Answer(bytes) => bytes,
                    Outcome::Torn => return End::Torn,
                    Outcome::Silence => {
                        // Nothing more is said on this connection, whatever is asked.
                        while let Ok(Some(_)) = inbox.next(stream) {}
                        return End::Closed;
                    }
                }
            }
        };
        if send(stream, &reply).is_err() {
            return End::Closed;
        }
    }
}

fn wait_out(delay: Duration) {
    if !delay.is_zero() {
        thread::sleep(delay);
    }
}

/// One message in one write: with two, the second would wait for the other end's acknowledgement.
fn send(stream: &mut TcpStream, reply: &[u8]) -> io::Result<()> {
    let length = u16::try_from(reply.len()).map_err(io::Error::other)?;
    let mut message = Vec::with_capacity(2 + reply.len());
    message.extend(length.to_be_bytes());
    message.extend(reply);
    stream.write_all(&message)
}

/// Cuts the byte stream of a vpcd connection into messages: two bytes of length, most significant first, and as many
/// bytes. Several may come in one segment, one in several.
#[derive(Debug, Default)]
pub struct Inbox {
    unread: Vec<u8>,
}

impl Inbox {
    /// Takes what came over the connection.
    pub fn take(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// The next message that is whole.
    pub fn message(&mut self) -> Option<Vec<u8>> {
        let (length, rest) = self.unread.split_first_chunk::<2>()?;
        let message = rest.get(..usize::from(u16::from_be_bytes(*length)))?.to_vec();
        self.unread.drain(..2 + message.len());
        Some(message)
    }

    /// The next message, `None` at the end of the stream.
    fn next(&mut self, stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(message) = self.message() {
                return Ok(Some(message));
            }
            let mut chunk = [0; 1024];
            let count = match stream.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            // The driver writes length and body apart and waits for an acknowledgement in between; the kernel forgets
            // the option after a while, so it is set again each time.
            SockRef::from(&*stream).set_tcp_quickack(true)?;
            self.take(&chunk[..count]);
        }
    }
}

#[cfg(test)]
mod tests;
