//! One client at the server: who it is, its requests, its events, its queue.
//!
//! Four kinds of tasks share a connection. The *reader* cuts lines and hands each request to a task of its own, so
//! that a slow answer holds up no other; at most [`IN_FLIGHT_MAX`] are open, then it reads no further. The
//! *subscription* turns the station's broadcast into lines. All lines go through one bounded queue to the *writer*.
//! A client that doesn't read fills its queue; then its subscription waits, the broadcast passes it by and it is told
//! that it lagged; and when it takes nothing for [`STALLED`], it is cut off. The station waits for none of them.

use super::Terms;
use super::access::Account;
use super::attached::Place;
use super::line::{LineBuffer, TooLong, encode};
use crate::face::{
    Command, Failure, FailureKind, Greeting, Numbered, PROTOCOL, Reply, Role, ToClient, ToServer, Who,
};
use crate::station::{Caller, StationHandle};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Longest line from a client that may not change anything, and longest command that isn't an import.
const LINE_MAX: usize = 1024 * 1024;
/// Longest line of all: a file of 256 MiB in base64, and what stands around it.
const IMPORT_LINE_MAX: usize = 256 * 1024 * 1024 / 3 * 4 + LINE_MAX;
/// Requests of one client that may wait for an answer at a time.
const IN_FLIGHT_MAX: usize = 32;
/// Lines that may wait for one client.
const QUEUE: usize = 256;
/// How long a client may take nothing from a full socket before it is cut off.
const STALLED: Duration = Duration::from_secs(30);

type Line = Zeroizing<Vec<u8>>;
/// What is asked, and the role to ask it in.
type Request = (Command, Option<Role>);
type Queue = mpsc::Sender<Line>;

/// A client that was let in and greeted.
pub(super) struct Connection {
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    caller: Caller,
    place: Place,
}

/// Tells a client why it can't come in. Whether it hears that is its own affair.
pub(super) async fn refuse(stream: UnixStream, message: String, remedy: &str) {
    let kind = FailureKind::Environment;
    let failure = Failure { kind, message, remedy: remedy.into(), details: Vec::new() };
    if let Some(line) = line_of(&ToClient::Refused(failure)) {
        let (_read, write) = stream.into_split();
        let _ = put(write, &line).await;
    }
}

impl Connection {
    /// Asks the kernel who is there, and greets or refuses; `None`: refused.
    pub(super) async fn admit(stream: UnixStream, terms: &Terms) -> io::Result<Option<Self>> {
        let peer = stream.peer_cred()?;
        let (uid, gid) = (peer.uid(), peer.gid());
        // Directory servers can be slow; this is no place to wait for one.
        let account = tokio::task::spawn_blocking(move || Account::of(uid, gid)).await?;
        let role = terms.access.role(uid, &account.gids);
        Self::greet(stream, terms, (account.name, uid), role).await
    }

    /// Greets the account `who`, or refuses it where it has no role.
    pub(super) async fn greet(
        stream: UnixStream,
        terms: &Terms,
        (who, uid): (String, u32),
        role: Option<Role>,
    ) -> io::Result<Option<Self>> {
        let Some(role) = role else {
            tracing::warn!(who, "refused: neither owner nor in a group of this station");
            let message = format!("{who} is not among the people of this station");
            refuse(
                stream,
                message,
                "ask the station's owner to put you into its observers' or operators' group",
            )
            .await;
            return Ok(None);
        };
        let version = env!("CARGO_PKG_VERSION").into();
        let greeting = Greeting { protocol: PROTOCOL, version, role, demo: terms.demo };
        // Listed before it is greeted, so that its first snapshot counts it.
        let place = terms.attached.enter(Who { name: who.clone(), role });
        let (read, mut write) = stream.into_split();
        if let Some(line) = line_of(&ToClient::Greeting(greeting)) {
            write = put(write, &line).await?;
        }
        tracing::info!(who, ?role, "attached");
        Ok(Some(Self { read, write, caller: Caller { who, uid, role }, place }))
    }

    /// Answers until the client hangs up, is cut off, or `stopping` turns true; then lets open requests end.
    pub(super) async fn run(self, door: StationHandle, mut stopping: watch::Receiver<bool>) {
        let Self { mut read, write, caller, place } = self;
        let (queue, lines) = mpsc::channel(QUEUE);
        // In a set, here and below, because dropping a set ends its tasks.
        let mut writer = JoinSet::new();
        writer.spawn(write_lines(write, lines));
        let max = match caller.role {
            Role::Operator => IMPORT_LINE_MAX,
            Role::Observer => LINE_MAX,
        };
        let who = caller.who.clone();
        let mut buffer = LineBuffer::new(max);
        let mut desk = Desk::new(door, caller, place, queue.clone());
        'reading: loop {
            while let Some(line) = buffer.next_line() {
                tokio::select! {
                    _ = stopping.wait_for(|&stop| stop) => break 'reading,
                    () = queue.closed() => break 'reading,
                    () = desk.take(line) => {}
                }
            }
            tokio::select! {
                _ = stopping.wait_for(|&stop| stop) => break,
                () = queue.closed() => break,
                count = read.read(buffer.space()) => match count {
                    Ok(count @ 1..) => buffer.filled(count),
                    Ok(0) | Err(_) => break,
                },
            }
        }
        drop(queue);
        desk.close().await;
        if let Some(Ok(Err(error))) = writer.join_next().await {
            tracing::info!(who, %error, "a client was cut off");
        }
        tracing::info!(who, "detached");
    }
}

/// What is going on for one client.
struct Desk {
    door: StationHandle,
    caller: Caller,
    place: Place,
    queue: Queue,
    room: Arc<Semaphore>,
    open: JoinSet<()>,
    subscription: Option<Subscription>,
}

struct Subscription {
    end: oneshot::Sender<()>,
    task: JoinSet<()>,
}

impl Subscription {
    /// Lets it say its last word.
    async fn end(self) {
        let Self { end, mut task } = self;
        drop(end);
        task.join_next().await;
    }
}

impl Desk {
    fn new(door: StationHandle, caller: Caller, place: Place, queue: Queue) -> Self {
        let room = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
        Self { door, caller, place, queue, room, open: JoinSet::new(), subscription: None }
    }

    /// Starts what a line asks for; waits only for room among the open requests.
    async fn take(&mut self, line: Result<Line, TooLong>) {
        if line.as_ref().is_ok_and(|line| line.trim_ascii().is_empty()) {
            return;
        }
        while self.open.try_join_next().is_some() {}
        let Ok(room) = Arc::clone(&self.room).acquire_owned().await else { return };
        let queue = self.queue.clone();
        let (id, asked) = read_request(line);
        let (command, role) = match asked {
            Ok(asked) => asked,
            Err(failure) => {
                self.open.spawn(async move {
                    let _room = room;
                    reply(&queue, id, Err(failure)).await;
                });
                return;
            }
        };
        let door = self.door.clone();
        let mut caller = self.caller.clone();
        caller.role = role.map_or(caller.role, |role| role.min(caller.role));
        if matches!(command, Command::Subscribe) {
            // Before the snapshot is taken, so that it shows this client among the others.
            self.place.look_on(caller.role);
            let before = self.subscription.take();
            let (end, ended) = oneshot::channel();
            let mut task = JoinSet::new();
            task.spawn(async move {
                // Events of the one before don't belong behind the new snapshot.
                if let Some(before) = before {
                    before.end().await;
                }
                if let Some((events, last)) = open_stream(&door, caller, &queue, id).await {
                    drop(room);
                    stream(events, last, &queue, ended).await;
                }
            });
            self.subscription = Some(Subscription { end, task });
        } else {
            self.open.spawn(async move {
                let _room = room;
                let result = door.ask(command, caller).await;
                reply(&queue, id, result).await;
            });
        }
    }

    /// Ends the subscription after what has happened so far, and waits for the answers of open requests; unless
    /// nobody is left to hear them.
    async fn close(mut self) {
        let last_words = async {
            if let Some(subscription) = self.subscription.take() {
                subscription.end().await;
            }
            while self.open.join_next().await.is_some() {}
        };
        tokio::select! {
            () = self.queue.closed() => {}
            () = last_words => {}
        }
    }
}

/// Replies with the snapshot; gives the events since before it was taken, and the number of the last one in it.
async fn open_stream(
    door: &StationHandle,
    caller: Caller,
    queue: &Queue,
    id: u64,
) -> Option<(broadcast::Receiver<Arc<Numbered>>, u64)> {
    // The receiver first: what happens while the snapshot is made is in one of the two, and by its number in one only.
    let events = door.events();
    let result = door.ask(Command::Snapshot, caller).await;
    let last = match &result {
        Ok(Reply::Snapshot(snapshot)) => Some(snapshot.last_event),
        Ok(_) | Err(_) => None,
    };
    reply(queue, id, result).await;
    last.map(|last| (events, last))
}

/// Sends events with numbers above `last` until `ended`, or until some were missed and the client was told so.
async fn stream(
    mut events: broadcast::Receiver<Arc<Numbered>>,
    last: u64,
    queue: &Queue,
    mut ended: oneshot::Receiver<()>,
) {
    loop {
        let event = tokio::select! {
            // Events first: what happened before the end is told before it.
            biased;
            event = events.recv() => event,
            _ = &mut ended => return,
            () = queue.closed() => return,
        };
        let message = match event {
            Ok(event) if event.number <= last => continue,
            Ok(event) => ToClient::Event((*event).clone()),
            Err(broadcast::error::RecvError::Lagged(missed)) => ToClient::Lagged { missed },
            Err(broadcast::error::RecvError::Closed) => return,
        };
        let lagged = matches!(message, ToClient::Lagged { .. });
        let Some(line) = line_of(&message) else { return };
        if queue.send(line).await.is_err() || lagged {
            return;
        }
    }
}

/// A request's number, what it asks and in which role, from its line. The failure says where a line is wrong and never what stands
/// there: it may be a seed.
pub fn read_request(line: Result<Line, TooLong>) -> (u64, Result<Request, Failure>) {
    #[derive(Deserialize)]
    struct NumberOnly {
        id: u64,
    }
    let usage = |message: String, remedy: &str| Failure {
        kind: FailureKind::Usage,
        message,
        remedy: remedy.into(),
        details: Vec::new(),
    };
    let Ok(line) = line else {
        let message = "the line was too long and was skipped".into();
        return (0, Err(usage(message, "send at most 1 MiB a line, and files of at most 256 MiB")));
    };
    match serde_json::from_slice::<ToServer>(&line) {
        Ok(ToServer { id, command, .. })
            if line.len() > LINE_MAX && !matches!(command, Command::Import { .. }) =>
        {
            let message = format!("a command of {} bytes is too long", line.len());
            (id, Err(usage(message, "send at most 1 MiB a line; only files to import may be longer")))
        }
        Ok(ToServer { id, role, command }) => (id, Ok((command, role))),
        Err(error) => {
            let id = serde_json::from_slice::<NumberOnly>(&line).map_or(0, |number| number.id);
            let what = match error.classify() {
                serde_json::error::Category::Data => "no command that this station knows",
                serde_json::error::Category::Syntax
                | serde_json::error::Category::Eof
                | serde_json::error::Category::Io => "not JSON",
            };
            let message = format!("the line is {what} (protocol {PROTOCOL}, near column {})", error.column());
            (id, Err(usage(message, "send one request a line, as kiln's own client does")))
        }
    }
}

async fn reply(queue: &Queue, id: u64, result: Result<Reply, Failure>) {
    let line = line_of(&ToClient::Reply { id, result });
    let line = line.or_else(|| {
        let failure = Failure {
            kind: FailureKind::Environment,
            message: "the station's answer cannot be written as JSON".into(),
            remedy: "look into the server's log and report it to kiln's makers".into(),
            details: Vec::new(),
        };
        line_of(&ToClient::Reply { id, result: Err(failure) })
    });
    if let Some(line) = line {
        // The client may have gone; then nobody waits for it.
        let _ = queue.send(line).await;
    }
}

fn line_of(message: &impl Serialize) -> Option<Line> {
    encode(message).inspect_err(|error| tracing::error!(%error, "a message cannot be written as JSON")).ok()
}

async fn write_lines(mut write: OwnedWriteHalf, mut lines: mpsc::Receiver<Line>) -> io::Result<()> {
    while let Some(line) = lines.recv().await {
        write = put(write, &line).await?;
    }
    Ok(())
}

/// Writes all of `line`, however long it is, as long as the client takes a piece of it now and then.
async fn put(mut write: OwnedWriteHalf, line: &[u8]) -> io::Result<OwnedWriteHalf> {
    let mut rest = line;
    while !rest.is_empty() {
        match timeout(STALLED, write.write(rest)).await {
            Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(Ok(count)) => rest = &rest[count..],
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "it took nothing for 30 seconds")),
        }
    }
    Ok(write)
}
