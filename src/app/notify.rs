//! What a service manager is told of a station that it runs (sd_notify(3), Type=notify): that it is ready, that it
//! lives, that it ends.

use crate::{
    face::{Command, Event, Role},
    station::{Caller, StationHandle},
};
use std::{
    ffi::OsString,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{MissedTickBehavior, interval},
};

/// The line to the service manager, where there is one.
#[derive(Debug)]
pub struct Notify {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// The manager that the environment names; `pid` is this process's number.
    pub fn find(env: impl Fn(&str) -> Option<OsString>, pid: u32) -> Self {
        let socket = env("NOTIFY_SOCKET").filter(|name| !name.is_empty()).and_then(|name| {
            connect(&name)
                .inspect_err(|error| {
                    tracing::warn!(%error, socket = %name.display(), "the service manager can't be reached");
                })
                .ok()
        });
        let number = |name| env(name).and_then(|text| text.to_str()?.parse::<u64>().ok());
        // Variables that were inherited from another process of the service are not meant for this one.
        let ours = env("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(pid.into());
        let watchdog = number("WATCHDOG_USEC").filter(|usec| ours && *usec > 0).map(Duration::from_micros);
        Self { socket, watchdog }
    }

    /// Nobody is told anything.
    pub fn nobody() -> Self {
        Self { socket: None, watchdog: None }
    }

    /// The station answers; `status` is what people read in `systemctl status`.
    pub fn ready(&self, status: &str) {
        self.say(&format!("READY=1\nSTATUS={}", status.replace('\n', " ")));
    }

    /// Tells of the end when it begins, and that the station lives as long as it answers: a server whose threads run
    /// but whose station hangs is as good as dead. Never ends; drop it with the station.
    pub async fn attend(&self, door: &StationHandle) {
        if self.socket.is_some() {
            tokio::join!(self.tell_the_end(door), self.tell_life(door));
        }
    }

    async fn tell_the_end(&self, door: &StationHandle) {
        let mut events = door.events();
        loop {
            match events.recv().await {
                Ok(numbered) if numbered.event == Event::Stopping => {
                    self.say("STOPPING=1\nSTATUS=finishing the burns in hand");
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn tell_life(&self, door: &StationHandle) {
        let Some(limit) = self.watchdog else { return };
        // Twice as often as needed, as sd_watchdog_enabled(3) advises.
        let mut often = interval(limit / 2);
        often.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            often.tick().await;
            let caller = Caller {
                who: "service manager".into(),
                uid: nix::unistd::geteuid().as_raw(),
                role: Role::Observer,
            };
            // Whatever the answer is: there is one.
            let _ = door.ask(Command::Clock, caller).await;
            self.say("WATCHDOG=1");
        }
    }

    fn say(&self, what: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(what.as_bytes()) {
            tracing::warn!(%error, "the service manager was not told");
        }
    }
}

/// `@NAME` is in the abstract namespace.
fn connect(name: &OsString) -> io::Result<UnixDatagram> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A manager that hangs must not hang the station with it.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::UnixMillis,
        face::{Numbered, Reply},
    };
    use std::sync::Arc;
    use tokio::sync::{broadcast, mpsc};

    fn vars(set: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
        |name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into())
    }

    fn heard(manager: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let len = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    }

    fn manager() -> (UnixDatagram, String, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify").display().to_string();
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        (socket, path, dir)
    }

    #[test]
    fn readiness_is_said_once_with_a_status_of_one_line() {
        let (manager, path, _dir) = manager();
        Notify::find(vars(&[("NOTIFY_SOCKET", &path)]), 1).ready("answers on /a\nb");
        assert_eq!(heard(&manager), "READY=1\nSTATUS=answers on /a b");
    }

    #[test]
    fn a_manager_in_the_abstract_namespace_is_reached() {
        let name = format!("kiln-test-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        Notify::find(vars(&[("NOTIFY_SOCKET", &format!("@{name}"))]), 1).ready("");
        assert!(heard(&manager).starts_with("READY=1\n"));
    }

    #[test]
    fn without_a_manager_nothing_is_said_and_nothing_fails() {
        for set in [vec![], vec![("NOTIFY_SOCKET", "")], vec![("NOTIFY_SOCKET", "/not/there")]] {
            let notify = Notify::find(vars(&set), 1);
            assert!(notify.socket.is_none());
            notify.ready("");
        }
    }

    #[test]
    fn a_watchdog_of_another_process_is_not_ours() {
        let limit = |set: &[(&str, &str)]| Notify::find(vars(set), 7).watchdog;
        let two_minutes = Some(Duration::from_secs(120));
        assert_eq!(limit(&[("WATCHDOG_USEC", "120000000")]), two_minutes);
        assert_eq!(limit(&[("WATCHDOG_USEC", "120000000"), ("WATCHDOG_PID", "7")]), two_minutes);
        assert_eq!(limit(&[("WATCHDOG_USEC", "120000000"), ("WATCHDOG_PID", "8")]), None);
        assert_eq!(limit(&[("WATCHDOG_USEC", "soon")]), None);
        assert_eq!(limit(&[("WATCHDOG_USEC", "0")]), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_lives_as_long_as_the_station_answers() {
        let (manager, path, _dir) = manager();
        manager.set_nonblocking(true).unwrap();
        let set = [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "10000000")];
        let notify = Notify::find(vars(&set), 1);
        let (requests, mut asked) = mpsc::channel(4);
        let events = broadcast::channel(4).0;
        let door = StationHandle::new(requests, events.clone());
        tokio::spawn(async move { notify.attend(&door).await });
        let silent = |manager: &UnixDatagram| manager.recv(&mut [0; 8]).is_err();
        for _ in 0..3 {
            let request = asked.recv().await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(silent(&manager), "not before the answer");
            request.answer.send(Ok(Reply::Done)).unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(heard(&manager), "WATCHDOG=1");
        }
        let _unanswered = asked.recv().await.unwrap();
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(silent(&manager), "a station that hangs is not called alive");
        let stopping = Numbered { number: 1, at: UnixMillis(0), event: Event::Stopping };
        events.send(Arc::new(stopping)).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(heard(&manager).starts_with("STOPPING=1\n"));
    }
}
