//! The server's end: accepts clients until told to stop. One client is `connection`'s business.

use super::connection::{Connection, refuse};
use super::{Access, Attached, BindError, HomeLock, Listener};
use crate::station::StationHandle;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// More clients than people and scripts at one station ever are; fewer than the file descriptors of a process.
const CLIENTS_MAX: usize = 256;
/// How long clients have to take their last lines when the server ends.
const FAREWELL: Duration = Duration::from_secs(2);
/// Pause after the system refused to accept a connection, so that the refusals don't fill log and processor.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// On what terms clients are served.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Who may do what.
    pub access: Access,
    /// Whether the station is a demonstration; told to every client.
    pub demo: bool,
    /// Where attached clients are listed.
    pub attached: Attached,
}

/// Serves clients until `shutdown` is done. Then takes no more of them, removes the socket, lets answers that are on
/// their way arrive (for two seconds at most) and gives the home's lock back, which the caller holds until the
/// database is closed.
///
/// Needs a tokio runtime with I/O and time. No client can slow the station or another client: each has a queue of
/// its own, and is told that it lagged, or cut off, when it doesn't read.
pub async fn serve(
    listener: Listener,
    door: StationHandle,
    terms: Terms,
    shutdown: impl Future<Output = ()>,
) -> Result<HomeLock, BindError> {
    let Listener { socket, name, lock } = listener;
    let socket = UnixListener::from_std(socket)
        .map_err(|source| BindError::Bind { path: name.path().into(), source })?;
    let terms = Arc::new(terms);
    let (stop, stopping) = watch::channel(false);
    let mut clients = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = socket.accept() => accepted,
        };
        while clients.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) if clients.len() < CLIENTS_MAX => {
                let (door, terms, stopping) = (door.clone(), Arc::clone(&terms), stopping.clone());
                clients.spawn(attend(stream, door, terms, stopping));
            }
            Ok((stream, _)) => {
                tracing::warn!(clients = clients.len(), "one client too many was sent away");
                clients.spawn(refuse(
                    stream,
                    format!("{CLIENTS_MAX} clients are attached to this station already"),
                    "close some of them and try again",
                ));
            }
            Err(error) => {
                tracing::error!(%error, "cannot accept a client");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    // The name goes first: who comes now finds no server rather than one that never answers.
    drop(name);
    drop(socket);
    // One that is sent away later would hear of those before it, and the last one of all.
    terms.attached.hush();
    stop.send_replace(true);
    let all = async { while clients.join_next().await.is_some() {} };
    if timeout(FAREWELL, all).await.is_err() {
        tracing::warn!("clients that don't read were cut off at the end");
    }
    Ok(lock)
}

async fn attend(stream: UnixStream, door: StationHandle, terms: Arc<Terms>, stopping: watch::Receiver<bool>) {
    match Connection::admit(stream, &terms).await {
        Ok(Some(connection)) => connection.run(door, stopping).await,
        Ok(None) => {}
        Err(error) => tracing::info!(%error, "a client went before it was greeted"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Client, Home, Mode, News};
    use super::*;
    use crate::domain::{ClockState, UnixMillis};
    use crate::face::{
        ClockView, Command, Event, Failure, FailureKind, Numbered, Reply, Role, Snapshot, ToClient,
        VaultState, Who,
    };
    use crate::station::Request;
    use std::sync::atomic::Ordering;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
    use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
    use tokio::sync::{broadcast, mpsc, oneshot};
    use tokio::task::JoinHandle;

    /// Events that the station's ring holds in these tests.
    const RING: usize = 8;

    /// A real socket in a home of its own; the test plays the station.
    struct Bench {
        home: Home,
        asked: mpsc::Receiver<Request>,
        events: broadcast::Sender<Arc<Numbered>>,
        terms: Terms,
        door: StationHandle,
        shutdown: oneshot::Sender<()>,
        serving: JoinHandle<Result<HomeLock, BindError>>,
        _dir: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let home = Home::at(dir.path().join("home"));
            let access = Access::private(nix::unistd::geteuid().as_raw());
            let listener = Listener::bind(&home, &access).unwrap();
            let (requests, asked) = mpsc::channel(4);
            let events = broadcast::channel(RING).0;
            let door = StationHandle::new(requests, events.clone());
            let terms = Terms { access, demo: true, attached: Attached::default() };
            let (shutdown, down) = oneshot::channel::<()>();
            let ended = async {
                let _ = down.await;
            };
            let serving = tokio::spawn(serve(listener, door.clone(), terms.clone(), ended));
            Self { home, asked, events, terms, door, shutdown, serving, _dir: dir }
        }

        /// A client that was greeted.
        async fn client(&self) -> Raw {
            let mut client = Raw::of(UnixStream::connect(self.home.socket()).await.unwrap());
            assert!(matches!(client.hear().await, ToClient::Greeting(_)));
            client
        }

        /// A client that was greeted as `role`, whoever runs this test.
        async fn client_as(&self, role: Option<Role>) -> Raw {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let (terms, door) = (self.terms.clone(), self.door.clone());
            tokio::spawn(async move {
                let admitted = Connection::greet(theirs, &terms, ("eve".into(), 1000), role).await.unwrap();
                if let Some(connection) = admitted {
                    connection.run(door, watch::channel(false).1).await;
                }
            });
            Raw::of(ours)
        }

        async fn next_request(&mut self) -> Request {
            self.asked.recv().await.unwrap()
        }

        /// What `client` is told instead of an answer; the station must not be asked.
        async fn refusal(&mut self, client: &mut Raw) -> Failure {
            tokio::select! {
                request = self.next_request() => panic!("the station was asked: {request:?}"),
                (_, result) = client.hear_reply() => result.unwrap_err(),
            }
        }

        async fn answer_snapshot(&mut self, last_event: u64) {
            let request = self.next_request().await;
            assert!(matches!(request.command, Command::Snapshot));
            request.answer.send(Ok(Reply::Snapshot(Box::new(snapshot(last_event))))).unwrap();
        }

        fn happen(&self, number: u64, says: &str) {
            let event = Event::Alarm {
                id: number,
                message: says.into(),
                remedy: String::new(),
                slot: None,
                doing: None,
            };
            self.events.send(Arc::new(Numbered { number, at: UnixMillis(0), event })).unwrap();
        }
    }

    /// A client that sees lines.
    struct Raw {
        lines: Lines<BufReader<OwnedReadHalf>>,
        write: OwnedWriteHalf,
    }

    impl Raw {
        fn of(stream: UnixStream) -> Self {
            let (read, write) = stream.into_split();
            Self { lines: BufReader::new(read).lines(), write }
        }

        async fn say(&mut self, line: &str) {
            self.write.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }

        async fn hear_line(&mut self) -> Option<String> {
            self.lines.next_line().await.unwrap()
        }

        async fn hear(&mut self) -> ToClient {
            serde_json::from_str(&self.hear_line().await.unwrap()).unwrap()
        }

        async fn hear_reply(&mut self) -> (u64, Result<Reply, Failure>) {
            match self.hear().await {
                ToClient::Reply { id, result } => (id, result),
                other => panic!("{other:?}"),
            }
        }

        async fn hear_event(&mut self) -> u64 {
            match self.hear().await {
                ToClient::Event(event) => event.number,
                other => panic!("{other:?}"),
            }
        }

        async fn hear_snapshot(&mut self) -> u64 {
            match self.hear_reply().await {
                (_, Ok(Reply::Snapshot(snapshot))) => snapshot.last_event,
                other => panic!("{other:?}"),
            }
        }
    }

    fn snapshot(last_event: u64) -> Snapshot {
        Snapshot {
            last_event,
            at: UnixMillis(0),
            slots: Vec::new(),
            batches: Vec::new(),
            queue: Vec::new(),
            alarms: Vec::new(),
            clock: ClockView {
                now: UnixMillis(0),
                state: ClockState::Simulated,
                burns_allowed: true,
                override_until: None,
                keeper: None,
            },
            vault: VaultState::Open,
            clients: 0,
            attached: Vec::new(),
        }
    }

    const SUBSCRIBE: &str = r#"{"id":1,"command":{"do":"subscribe"}}"#;

    #[tokio::test]
    async fn a_blocking_client_is_greeted_answered_and_counted() {
        let mut bench = Bench::new();
        let home = bench.home.clone();
        let client = tokio::task::spawn_blocking(move || {
            let mut client = Client::connect(&home, Mode::Full).unwrap();
            assert_eq!((client.role(), client.greeting().demo), (Role::Operator, true));
            assert!(matches!(client.ask(Command::VaultLock).unwrap(), Reply::Done));
            let (snapshot, mut stream) = client.subscribe().unwrap();
            assert_eq!(snapshot.last_event, 6);
            let News::Event(event) = stream.next().unwrap().unwrap() else { panic!() };
            (event.number, stream)
        });
        let request = bench.next_request().await;
        assert_eq!(request.caller.role, Role::Operator);
        assert!(matches!(request.command, Command::VaultLock));
        let who = Who { name: request.caller.who, role: Role::Operator };
        assert_eq!(bench.terms.attached.list(), [who]);
        request.answer.send(Ok(Reply::Done)).unwrap();
        let request = bench.next_request().await;
        bench.happen(7, "");
        request.answer.send(Ok(Reply::Snapshot(Box::new(snapshot(6))))).unwrap();
        let (number, stream) = client.await.unwrap();
        assert_eq!((number, bench.terms.attached.counter().load(Ordering::Relaxed)), (7, 1));
        drop(stream);
        bench.shutdown.send(()).unwrap();
        let _lock = bench.serving.await.unwrap().unwrap();
        assert_eq!(bench.terms.attached.list(), []);
    }

    #[tokio::test]
    async fn a_slow_answer_holds_up_no_other() {
        let mut bench = Bench::new();
        let mut client = bench.client().await;
        client.say(r#"{"id":5,"command":{"do":"batches"}}"#).await;
        client.say(r#"{"id":9,"command":{"do":"vault_lock"}}"#).await;
        let slow = bench.next_request().await;
        bench.next_request().await.answer.send(Ok(Reply::Done)).unwrap();
        assert!(matches!(client.hear_reply().await, (9, Ok(Reply::Done))));
        slow.answer.send(Ok(Reply::Batches(Vec::new()))).unwrap();
        assert!(matches!(client.hear_reply().await, (5, Ok(Reply::Batches(_)))));
    }

    #[tokio::test]
    async fn events_go_on_exactly_behind_the_snapshot() {
        let mut bench = Bench::new();
        let mut client = bench.client().await;
        client.say(SUBSCRIBE).await;
        let request = bench.next_request().await;
        for number in 1..=4 {
            bench.happen(number, "while the snapshot is made");
        }
        request.answer.send(Ok(Reply::Snapshot(Box::new(snapshot(2))))).unwrap();
        assert_eq!(client.hear_snapshot().await, 2);
        bench.happen(5, "later");
        assert_eq!(
            [client.hear_event().await, client.hear_event().await, client.hear_event().await],
            [3, 4, 5]
        );
        // Another subscription on the same connection takes the place of the first.
        client.say(SUBSCRIBE).await;
        bench.answer_snapshot(5).await;
        assert_eq!(client.hear_snapshot().await, 5);
        bench.happen(6, "once");
        bench.happen(7, "once");
        assert_eq!([client.hear_event().await, client.hear_event().await], [6, 7]);
    }

    #[tokio::test]
    async fn one_who_does_not_read_lags_and_nobody_else_notices() {
        let mut bench = Bench::new();
        let mut sleeper = bench.client().await;
        sleeper.say(SUBSCRIBE).await;
        bench.answer_snapshot(0).await;
        let mut reader = bench.client().await;
        reader.say(SUBSCRIBE).await;
        bench.answer_snapshot(0).await;
        assert_eq!(reader.hear_snapshot().await, 0);
        let long = "x".repeat(8 * 1024);
        let mut last = 0;
        // More than queue, ring and the kernel's buffer together.
        while last < 1000 {
            last += 1;
            bench.happen(last, &long);
            assert_eq!(reader.hear_event().await, last);
        }
        assert_eq!(sleeper.hear_snapshot().await, 0);
        let mut heard = 0;
        let missed = loop {
            match sleeper.hear().await {
                ToClient::Event(event) => {
                    heard += 1;
                    assert_eq!(event.number, heard, "no gap before it is told");
                }
                ToClient::Lagged { missed } => break missed,
                other => panic!("{other:?}"),
            }
        };
        assert!(heard > 0 && heard + missed + RING as u64 >= last, "{heard} heard, {missed} missed");
        // Nothing more until it subscribes again: the next line is the new snapshot.
        bench.happen(last + 1, "");
        sleeper.say(SUBSCRIBE).await;
        bench.answer_snapshot(last + 1).await;
        assert_eq!(sleeper.hear_snapshot().await, last + 1);
        bench.happen(last + 2, "");
        assert_eq!(sleeper.hear_event().await, last + 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_never_reads_is_cut_off() {
        let mut bench = Bench::new();
        let mut sleeper = bench.client().await;
        sleeper.say(SUBSCRIBE).await;
        bench.answer_snapshot(0).await;
        let mut reader = bench.client().await;
        reader.say(SUBSCRIBE).await;
        bench.answer_snapshot(0).await;
        reader.hear_snapshot().await;
        let long = "x".repeat(8 * 1024);
        for number in 1..=100 {
            bench.happen(number, &long);
            reader.hear_event().await;
        }
        sleep(Duration::from_secs(31)).await;
        assert_eq!(bench.terms.attached.list().len(), 1);
        bench.happen(101, "");
        assert_eq!(reader.hear_event().await, 101);
    }

    #[tokio::test]
    async fn one_who_may_look_cannot_act_whatever_it_asks_for() {
        let mut bench = Bench::new();
        let mut eve = bench.client_as(Some(Role::Observer)).await;
        let ToClient::Greeting(greeting) = eve.hear().await else { panic!() };
        assert_eq!(greeting.role, Role::Observer);
        eve.say(r#"{"id":1,"role":"operator","command":{"do":"vault_lock"}}"#).await;
        assert_eq!(bench.refusal(&mut eve).await.kind, FailureKind::Environment);
        let mut operator = bench.client().await;
        operator.say(r#"{"id":2,"role":"observer","command":{"do":"vault_lock"}}"#).await;
        assert_eq!(bench.refusal(&mut operator).await.kind, FailureKind::Environment);
        operator.say(r#"{"id":3,"role":"operator","command":{"do":"batches"}}"#).await;
        let request = bench.next_request().await;
        assert!(matches!(request.command, Command::Batches));
    }

    #[tokio::test]
    async fn a_stranger_is_told_why_and_let_go() {
        let bench = Bench::new();
        let mut eve = bench.client_as(None).await;
        let ToClient::Refused(failure) = eve.hear().await else { panic!() };
        assert_eq!(failure.message, "eve is not among the people of this station");
        assert_eq!(eve.hear_line().await, None);
        assert_eq!(bench.terms.attached.list(), []);
    }

    #[tokio::test]
    async fn what_is_no_request_is_answered_and_not_repeated() {
        let mut bench = Bench::new();
        let mut client = bench.client().await;
        for (line, number) in [
            (r#"{"id":7,"command":{"do":"JBSWY3DP"}}"#, 7),
            (r#"{"id":8,"command":{"do":"vault_unlock","data_key":["JBSWY3DP"]}}"#, 8),
            (r#"{"id":"JBSWY3DP","command":{"do":"batches"}}"#, 0),
            (r#"{"id":9,"command":{"do":"batches"} JBSWY3DP"#, 0),
            ("\u{fffd}JBSWY3DP", 0),
        ] {
            client.say("").await;
            client.say(line).await;
            let (id, refused) = client.hear_reply().await;
            let failure = refused.unwrap_err();
            assert_eq!((id, failure.kind), (number, FailureKind::Usage), "{line}");
            assert!(!format!("{failure:?}").contains("JBSWY3DP"), "{failure}");
        }
        client.say(r#"{"id":10,"command":{"do":"batches"}}"#).await;
        bench.next_request().await.answer.send(Ok(Reply::Done)).unwrap();
        assert!(matches!(client.hear_reply().await, (10, Ok(Reply::Done))));
    }

    #[tokio::test]
    async fn only_an_operators_import_may_be_long() {
        let mut bench = Bench::new();
        let long = "x".repeat(1024 * 1024);
        let mut operator = bench.client().await;
        operator.say(&format!(r#"{{"id":4,"command":{{"do":"batch_show","name":"{long}"}}}}"#)).await;
        let refused = bench.refusal(&mut operator).await;
        assert_eq!(
            (refused.kind, refused.message.contains("bytes")),
            (FailureKind::Usage, true),
            "{refused}"
        );
        let mut eve = bench.client_as(Some(Role::Observer)).await;
        eve.hear().await;
        eve.say(&format!(r#"{{"id":4,"command":{{"do":"batch_show","name":"{long}"}}}}"#)).await;
        let (id, refused) = eve.hear_reply().await;
        assert_eq!((id, refused.unwrap_err().kind), (0, FailureKind::Usage));
        eve.say(r#"{"id":5,"command":{"do":"batches"}}"#).await;
        bench.next_request().await.answer.send(Ok(Reply::Done)).unwrap();
        assert!(matches!(eve.hear_reply().await, (5, Ok(Reply::Done))));

        let content = data_encoding::BASE64.encode(long.as_bytes());
        let options =
            r#"{"target":"inventory","recipes":[],"good_lines_only":false,"dry_run":true,"policy":{}}"#;
        operator
            .say(&format!(
                r#"{{"id":6,"command":{{"do":"import","file_name":"f","content":"{content}","options":{options}}}}}"#
            ))
            .await;
        let request = bench.next_request().await;
        let Command::Import { content, .. } = request.command else { panic!() };
        assert_eq!(content.expose(), long.as_bytes());
    }

    #[tokio::test]
    async fn one_who_has_said_all_still_hears_the_answer() {
        let mut bench = Bench::new();
        let Raw { mut lines, mut write } = bench.client().await;
        write.write_all(b"{\"id\":1,\"command\":{\"do\":\"batches\"}}\n").await.unwrap();
        drop(write);
        bench.next_request().await.answer.send(Ok(Reply::Done)).unwrap();
        assert!(lines.next_line().await.unwrap().unwrap().starts_with("{\"reply\""));
        assert_eq!(lines.next_line().await.unwrap(), None);
    }

    #[tokio::test]
    async fn at_the_end_what_happened_is_told_and_the_home_is_free_again() {
        let mut bench = Bench::new();
        let mut client = bench.client().await;
        client.say(SUBSCRIBE).await;
        bench.answer_snapshot(0).await;
        client.say(r#"{"id":2,"command":{"do":"stop"}}"#).await;
        let stop = bench.next_request().await;
        bench.happen(1, "the last burn");
        stop.answer.send(Ok(Reply::Done)).unwrap();
        bench.shutdown.send(()).unwrap();
        assert_eq!(client.hear_snapshot().await, 0);
        let mut rest = Vec::new();
        while let Some(line) = client.hear_line().await {
            rest.push(line);
        }
        rest.sort();
        assert!(rest[0].starts_with("{\"event\"") && rest[1].starts_with("{\"reply\":{\"id\":2"), "{rest:?}");
        let lock = bench.serving.await.unwrap().unwrap();
        assert!(!bench.home.socket().exists());
        assert!(matches!(Listener::bind(&bench.home, &bench.terms.access), Err(BindError::Running { .. })));
        drop(lock);
        drop(Listener::bind(&bench.home, &bench.terms.access).unwrap());
    }
}
