//! Tells when HID devices come and go, without looking for them.
//!
//! The kernel makes a node under `/dev` when a device comes and removes it when it goes, udev changes its rights a moment
//! later; inotify on that directory tells all three and costs nothing while nothing happens. Netlink (what libudev's
//! monitor stands on) would tell the same; it is another family of sockets, which the unit file's hardening forbids,
//! and in containers it stays silent where the directory is still true.

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::inotify::{AddWatchFlags, InitFlags, Inotify},
};
use std::{
    io::{self, PipeReader, PipeWriter},
    os::fd::AsFd,
    path::Path,
    thread,
};

/// What the kernel calls the nodes.
const NODES: &str = "hidraw";

/// A thread that waits for news. Dropping this ends it.
#[derive(Debug)]
pub struct Watch {
    _end: PipeWriter,
}

impl Watch {
    /// Calls `news` whenever a HID device's node at `dev` has come, gone or changed its rights.
    pub fn start(dev: &Path, news: impl Fn() + Send + 'static) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let what = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_ONLYDIR;
        inotify.add_watch(dev, what)?;
        let (ended, end) = io::pipe()?;
        thread::Builder::new().name("usb".into()).spawn(move || {
            while let Ok(true) = wait(&inotify, &ended) {
                if is_news(&inotify) {
                    news();
                }
            }
        })?;
        Ok(Self { _end: end })
    }
}

/// Waits without end for something to read; tells whether to go on.
fn wait(inotify: &Inotify, ended: &PipeReader) -> nix::Result<bool> {
    loop {
        let mut both =
            [PollFd::new(inotify.as_fd(), PollFlags::POLLIN), PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
        match poll(&mut both, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
            // The other end of the pipe was dropped.
            Ok(_) if both[1].any() == Some(true) => return Ok(false),
            Ok(_) => return Ok(true),
        }
    }
}

/// Takes what has happened, and tells whether any of it was about a HID device. A queue that ran over may have lost that.
fn is_news(inotify: &Inotify) -> bool {
    match inotify.read_events() {
        Ok(events) => events.iter().any(|event| {
            event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW)
                || event
                    .name
                    .as_ref()
                    .is_some_and(|name| name.as_encoded_bytes().starts_with(NODES.as_bytes()))
        }),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs,
        os::unix::fs::PermissionsExt,
        sync::mpsc::{RecvTimeoutError, channel},
        time::Duration,
    };

    /// Only so that a test that fails does not hang as well.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn nodes_that_come_go_or_change_their_rights_are_news_and_nothing_else_is() {
        let dev = tempfile::tempdir().unwrap();
        let (told, hears) = channel();
        let watch = Watch::start(dev.path(), move || told.send(()).unwrap()).unwrap();
        let node = dev.path().join("hidraw0");
        let other = dev.path().join("tty7");
        // One step after the other, so that each is one piece of news, and what is none lies between two.
        let steps: [&dyn Fn(); 3] = [
            &|| drop(fs::File::create(&node).unwrap()),
            &|| fs::set_permissions(&node, fs::Permissions::from_mode(0o660)).unwrap(),
            &|| fs::remove_file(&node).unwrap(),
        ];
        for step in steps {
            fs::write(&other, "x").unwrap();
            fs::remove_file(&other).unwrap();
            assert_eq!(hears.try_recv().ok(), None, "that was no HID device");
            step();
            hears.recv_timeout(PATIENCE).unwrap();
        }
        drop(watch);
        assert_eq!(hears.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "its thread has ended");
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        assert!(Watch::start(Path::new("/nonesuch"), || ()).is_err());
    }
}
