//! A key that was opened: reports to and fro.

use super::{Shared, table::Key};
use crate::link::{HidLink, LinkError, REPORT_BYTES, Report};
use hidapi::{HidApi, HidDevice, HidError};
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};
use std::{
    ffi::CString,
    fs::{File, OpenOptions},
    io,
    os::unix::ffi::OsStrExt,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

/// How long a pulled key may still be listed after a call to it has failed: on USB the transfer fails at once, and the
/// hub tells later (USB 2.0, 7.1.7.3 and 11.12.3: some 100 ms to debounce, some 10 ms between two looks).
const LEAVING: Duration = Duration::from_millis(500);

/// An open key. Nobody else that runs kiln has it.
pub struct HidrawLink {
    device: HidDevice,
    key: Key,
    shared: Arc<Shared>,
    /// Kept until the device was closed, which is above it.
    _lock: Flock<File>,
}

impl HidrawLink {
    /// Takes the key for this kiln alone.
    pub fn open(key: &Key, shared: Arc<Shared>) -> Result<Self, LinkError> {
        // First by hand: hidapi tells in words only why it could not. The lock is on the node itself rather than on a
        // file of ours, so that it holds between stations of any homes and accounts, and ends with its process.
        let file = OpenOptions::new().read(true).write(true).open(&key.node).map_err(|error| why(&error))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
            Errno::EWOULDBLOCK => LinkError::HeldByKiln,
            error => why(&error.into()),
        })?;
        let path = CString::new(key.node.as_os_str().as_bytes()).map_err(|_| LinkError::Gone)?;
        let failed = |error: HidError| judge(&error, &shared, key);
        let device = HidApi::new().and_then(|api| api.open_path(&path)).map_err(failed)?;
        // The node may have gone to another key between looking and opening. It is this one's still, so it was then.
        shared.look();
        match shared.table().port(&key.place.port).flatten() {
            Some(here) if here == key => {}
            Some(_) | None => return Err(LinkError::Gone),
        }
        Ok(Self { device, key: key.clone(), shared, _lock: lock })
    }
}

impl HidLink for HidrawLink {
    fn send(&mut self, report: &Report) -> Result<(), LinkError> {
        let raw = report.numbered();
        match self.device.write(&raw) {
            Ok(sent) if sent == raw.len() => Ok(()),
            Ok(sent) => {
                Err(judge(&HidError::IncompleteSendError { sent, all: raw.len() }, &self.shared, &self.key))
            }
            Err(error) => Err(judge(&error, &self.shared, &self.key)),
        }
    }

    fn receive(&mut self, at_most: Duration) -> Result<Option<Report>, LinkError> {
        let until = Instant::now() + at_most;
        // One more than a report has: a longer one must not look whole.
        let mut raw = [0; REPORT_BYTES + 2];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            // Rounded up, or the last part of a millisecond would be spent in circles. Never negative, which waits
            // without end.
            let millis = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
            match self.device.read_timeout(&mut raw, millis) {
                Ok(0) if left.is_zero() => return Ok(None),
                // The time may not be up: a signal, or a wait of more than 24 days.
                Ok(0) => {}
                Ok(read) => return Report::read(&raw[..read]).map(Some),
                Err(HidError::IoError { error }) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(judge(&error, &self.shared, &self.key)),
            }
        }
    }
}

/// What a failed opening means.
fn why(error: &io::Error) -> LinkError {
    match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
        Errno::EACCES | Errno::EPERM => LinkError::NoPermission,
        Errno::ENOENT | Errno::ENODEV | Errno::ENXIO => LinkError::Gone,
        other => {
            tracing::warn!(%error, "a USB key could not be opened");
            LinkError::Usb(other as i32)
        }
    }
}

/// What a failed call means: hidapi's words don't tell, so look whether the key is still there.
fn judge(error: &HidError, shared: &Shared, key: &Key) -> LinkError {
    let until = Instant::now() + LEAVING;
    shared.look();
    let mut table = shared.table();
    loop {
        let here = table.port(&key.place.port).flatten();
        if here.is_none_or(|here| here.place.plugging != key.place.plugging) {
            tracing::debug!(%error, port = key.place.port, "a USB key has left");
            return LinkError::Gone;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        table = shared.changed.wait_timeout(table, left).unwrap_or_else(PoisonError::into_inner).0;
    }
    tracing::warn!(%error, port = key.place.port, "a USB key failed, and is still plugged in");
    match error {
        HidError::IoError { error } => LinkError::Usb(error.raw_os_error().unwrap_or_default()),
        _ => LinkError::Usb(0),
    }
}
