//! A listener on a Unix socket: what clients and server say to each other, recorded byte by byte.

use std::{
    fs,
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

/// Who spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The one that connected.
    Client,
    /// The one that listens.
    Server,
}

/// One direction of one connection.
#[derive(Debug, Clone)]
pub struct Stream {
    /// The connection's number, from 0, in the order in which they were made.
    pub connection: usize,
    /// Whose words these are.
    pub speaker: Speaker,
    /// All of them so far.
    pub bytes: Vec<u8>,
}

impl Stream {
    /// Its newline-delimited messages.
    pub fn messages(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.split(|byte| *byte == b'\n').filter(|message| !message.is_empty())
    }
}

type Record = Arc<Mutex<Vec<Stream>>>;

/// Stands between clients and server until it is dropped.
pub struct Wiretap {
    socket: PathBuf,
    server: PathBuf,
    record: Record,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Wiretap {
    /// Moves the socket at `socket`, which a server listens on, aside and listens in its place. Clients notice nothing;
    /// what they say is handed on and recorded.
    #[track_caller]
    pub fn interpose(socket: &Path) -> Self {
        let mut server = socket.as_os_str().to_owned();
        server.push(".tapped");
        let server = PathBuf::from(server);
        fs::rename(socket, &server).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
        let listener =
            UnixListener::bind(socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
        let (record, closing) = (Record::default(), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (server, record, closing) = (server.clone(), Arc::clone(&record), Arc::clone(&closing));
            move || {
                for (connection, client) in listener.incoming().map_while(Result::ok).enumerate() {
                    if closing.load(Ordering::SeqCst) {
                        break;
                    }
                    // A server that has gone: the client finds its connection closed, as it would without the tap.
                    if let Ok(server) = UnixStream::connect(&server) {
                        join(connection, &client, &server, &record);
                    }
                }
            }
        });
        Self { socket: socket.to_owned(), server, record, closing, thread: Some(thread) }
    }

    /// All that was said so far.
    pub fn record(&self) -> Vec<Stream> {
        lock(&self.record).clone()
    }
}

impl Drop for Wiretap {
    /// Puts the server's socket back. Connections that stand go on.
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is to close.
        UnixStream::connect(&self.socket).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
        fs::rename(&self.server, &self.socket).ok();
    }
}

fn lock(record: &Record) -> MutexGuard<'_, Vec<Stream>> {
    record.lock().expect("no thread panics while it holds the record")
}

/// Hands on what either says to the other, each direction in a thread of its own.
fn join(connection: usize, client: &UnixStream, server: &UnixStream, record: &Record) {
    for (speaker, from, to) in [(Speaker::Client, client, server), (Speaker::Server, server, client)] {
        let number = {
            let mut record = lock(record);
            record.push(Stream { connection, speaker, bytes: Vec::new() });
            record.len() - 1
        };
        let clone = |stream: &UnixStream| stream.try_clone().expect("a socket can be cloned");
        let (mut from, mut to, record) = (clone(from), clone(to), Arc::clone(record));
        std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                // Recorded before it is handed on: who has the answer finds it in the record.
                lock(&record)[number].bytes.extend_from_slice(&buffer[..length]);
                if to.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            to.shutdown(Shutdown::Write).ok();
            from.shutdown(Shutdown::Read).ok();
        });
    }
}
