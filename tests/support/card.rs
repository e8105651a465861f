//! A scripted card on a virtual reader: no token, only a peer for the harness's own tests and for cards that are no
//! tokens of ours. Virtual tokens are `kiln simulate`'s.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpStream},
    thread::JoinHandle,
};

/// The answer to reset of an ISO-DEP card without historical bytes.
pub const ISO_DEP: &[u8] = &[0x3B, 0x80, 0x80, 0x01, 0x01];

/// What a card does with a command.
pub enum Answer {
    /// Response data and status word.
    Bytes(Vec<u8>),
    /// The card leaves the reader in the middle of the command.
    Leave,
}

/// Lies on its reader until it is dropped.
pub struct Card {
    stream: TcpStream,
    thread: Option<JoinHandle<()>>,
}

impl Card {
    /// Puts a card on the reader that listens on `port`. `answer` gets each command APDU.
    #[track_caller]
    pub fn insert(
        port: u16,
        atr: &'static [u8],
        mut answer: impl FnMut(&[u8]) -> Answer + Send + 'static,
    ) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .unwrap_or_else(|error| panic!("no reader listens on port {port}: {error}"));
        stream.set_nodelay(true).expect("an option of a socket can be set");
        let mut peer = stream.try_clone().expect("a socket can be cloned");
        let thread = std::thread::spawn(move || {
            while let Some(message) = receive(&mut peer) {
                let reply = match message[..] {
                    // Power off, power on, reset: answered by nothing.
                    [0..=2] => continue,
                    [4] => Answer::Bytes(atr.to_vec()),
                    _ => answer(&message),
                };
                match reply {
                    Answer::Bytes(bytes) => send(&mut peer, &bytes),
                    Answer::Leave => break,
                }
            }
            peer.shutdown(Shutdown::Both).ok();
        });
        Self { stream, thread: Some(thread) }
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        self.stream.shutdown(Shutdown::Both).ok();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the card's script panicked");
        }
    }
}

/// One message: two bytes of length, most significant first, and as many bytes. `None` when the reader has gone.
fn receive(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    let mut read = |buffer: &mut [u8]| match stream.read_exact(buffer) {
        Ok(()) => Some(()),
        Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => None,
        Err(error) => panic!("the reader's socket: {error}"),
    };
    read(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    read(&mut message)?;
    Some(message)
}

/// In one write, since a reader in two halves waits for the second. An error means that the reader has gone, and the
/// next `receive` says so.
fn send(stream: &mut TcpStream, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).expect("a response fits a message");
    assert!(length > 0, "an empty message makes the driver wait for ever");
    let mut message = length.to_be_bytes().to_vec();
    message.extend_from_slice(bytes);
    stream.write_all(&message).ok();
}
