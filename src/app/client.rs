//! The station that the verbs ask: at the other end of the socket, and started where none runs.

use crate::{
    cli::{Ask, News, Start, Stream},
    face::{Command, Failure, Reply, Snapshot},
    service::{self, Client, ClientError, Home, Mode, launch::connect_or_start},
};

impl Ask for Client {
    fn ask(&mut self, command: Command) -> Result<Reply, Failure> {
        Client::ask(self, command).map_err(ClientError::into_failure)
    }

    fn version(&self) -> String {
        self.greeting().version.clone()
    }

    fn subscribe(self: Box<Self>) -> Result<(Snapshot, Stream), Failure> {
        let (snapshot, events) = Client::subscribe(*self).map_err(ClientError::into_failure)?;
        let news = events.map(|news| match news {
            Ok(service::News::Event(event)) => Ok(event.into()),
            Ok(service::News::Lagged { snapshot, .. }) => Ok(News::Snapshot(snapshot)),
            Err(error) => Err(error.into_failure()),
        });
        Ok((snapshot, Box::new(news)))
    }
}

/// Finds the station of `home`, or starts it.
pub fn connector(home: &Home, mode: Mode) -> impl FnMut(Start) -> Result<Option<Box<dyn Ask>>, Failure> {
    move |start| match start {
        Start::IfNone => match connect_or_start(home, mode) {
            Ok(client) => Ok(Some(Box::new(client))),
            Err(error) => Err(error.into_failure()),
        },
        Start::Never => match Client::connect(home, mode) {
            Ok(client) => Ok(Some(Box::new(client))),
            Err(ClientError::NotRunning { .. }) => Ok(None),
            Err(error) => Err(error.into_failure()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::FailureKind;

    #[test]
    fn where_no_station_runs_none_is_started_to_be_ended() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        home.prepare().unwrap();
        let found = connector(&home, Mode::Full)(Start::Never).unwrap();
        assert!(found.is_none());
        assert!(!home.lock().exists());
    }

    #[test]
    fn a_socket_that_cannot_be_trusted_is_told_with_its_remedy() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let home = Home::at(dir.path().join("home")).with_socket(dir.path().join("socket"));
        let failure = connector(&home, Mode::Full)(Start::Never).map(|_| ()).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Environment);
        assert!(!failure.remedy.is_empty());
    }
}
