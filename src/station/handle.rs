//! The only door to a running station; the socket's server and the tests each hold one.

use crate::face::{Command, Failure, FailureKind, Numbered, Reply, Role};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot};

/// Who asks. Every act is recorded with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account's name, else `uid N`.
    pub who: String,
    /// The account.
    pub uid: u32,
    /// What the server allows this caller.
    pub role: Role,
}

/// A command on its way to the station, with the way back.
#[derive(Debug)]
pub struct Request {
    /// What is asked.
    pub command: Command,
    /// Who asks.
    pub caller: Caller,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<Reply, Failure>>,
}

/// The only door to a running station. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StationHandle {
    requests: mpsc::Sender<Request>,
    events: broadcast::Sender<Arc<Numbered>>,
}

impl StationHandle {
    /// A door to whatever takes from the other end of `requests` and sends to `events`.
    pub fn new(requests: mpsc::Sender<Request>, events: broadcast::Sender<Arc<Numbered>>) -> Self {
        Self { requests, events }
    }

    /// Asks and waits for the answer. The role is checked here, so that no way in can forget it.
    pub async fn ask(&self, command: Command, caller: Caller) -> Result<Reply, Failure> {
        if caller.role < command.needs() {
            return Err(Failure {
                kind: FailureKind::Environment,
                message: format!("{} may look at this station but not change anything", caller.who),
                remedy: "ask the station's owner to put you into the operators' group".into(),
                details: Vec::new(),
            });
        }
        let (answer, answered) = oneshot::channel();
        let gone = || Failure {
            kind: FailureKind::Environment,
            message: "the station is ending".into(),
            remedy: "start it again: any kiln command does".into(),
            details: Vec::new(),
        };
        self.requests.send(Request { command, caller, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Events from now on. A receiver that is too slow is told how many it missed and takes the snapshot again.
    pub fn events(&self) -> broadcast::Receiver<Arc<Numbered>> {
        self.events.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_observer_is_refused_before_the_station_hears_of_it() {
        let (requests, mut heard) = mpsc::channel(1);
        let door = StationHandle::new(requests, broadcast::channel(1).0);
        let caller = Caller { who: "eve".into(), uid: 1000, role: Role::Observer };
        let refused = door.ask(Command::VaultLock, caller).await.unwrap_err();
        assert_eq!(refused.kind, FailureKind::Environment);
        assert!(heard.try_recv().is_err());
    }
}
