//! Keys on USB that speak over HID: the kernel's `hidraw`, through hidapi.
//!
//! What is where is looked up when the kernel says that something has changed (`watch`), after each call that
//! failed, and before each opening; in between nothing is asked. hidapi's errors do not tell why a call failed (the
//! variant of a pulled key differs from call to call): a key that is still plugged in under the same name of the
//! kernel's is there, any other is gone.
//!
//! `hidraw` is shared: each program that has a key open gets all its answers. So kiln locks the node, which keeps
//! another kiln away. Other programs know no such lock; that an answer is for one of them, whoever joins the reports
//! notices ([`LinkError::Interfered`], [`LinkError::Garbled`]).

mod link;
mod place;
mod port;
mod table;
mod watch;

use place::Place;
pub use place::UsbAddress;

use crate::{
    domain::model::UsbId,
    link::{LinkError, LinkSource, Listing, Port},
};
use hidapi::HidApi;
use nix::unistd::{AccessFlags, eaccess};
use port::HidPort;
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};
use table::{Key, Table};
use watch::Watch;

/// Usage page and usage of the interface that FIDO keys have, over which these keys' own commands go as well
/// (token2-otp section 1; FIDO CTAP 2.1, section 11.2.8.1).
const FIDO: (u16, u16) = (0xF1D0, 0x01);

/// All ports of this machine that a known key was in.
pub struct HidSource {
    shared: Arc<Shared>,
    /// Without it (no more inotify instances are to be had) every listing looks for itself.
    watch: Option<Watch>,
}

impl HidSource {
    /// Looks for keys with one of these ids, and for all that come later.
    pub fn start(ids: impl IntoIterator<Item = UsbId>) -> Self {
        let shared = Arc::new(Shared {
            ids: ids.into_iter().collect(),
            looking: Mutex::default(),
            table: Mutex::default(),
            changed: Condvar::new(),
        });
        let watch = {
            let shared = shared.clone();
            Watch::start(Path::new("/dev"), move || shared.look())
        };
        let watch = match watch {
            Ok(watch) => Some(watch),
            Err(error) => {
                tracing::warn!(%error, "USB keys are looked for at intervals: /dev cannot be watched");
                None
            }
        };
        // After the watch has begun: what comes in between is seen twice rather than never.
        shared.look();
        Self { shared, watch }
    }

    /// The ports of all plugged-in keys that pcscd lists as readers as well, and their addresses.
    pub fn reader_addresses(&self) -> BTreeMap<String, UsbAddress> {
        let table = self.shared.table();
        let both = table.keys().filter(|key| key.place.is_reader_too);
        both.filter_map(|key| Some((key.place.port.clone(), key.place.address?))).collect()
    }
}

/// One key that is plugged in, for those who only want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluggedIn {
    /// Its slot's reader: `usb 1-2.3`.
    pub port: String,
    /// Its node under `/dev`.
    pub node: PathBuf,
    /// Whether this user may open it.
    pub may_open: bool,
}

/// All keys with one of these ids that are plugged in now. Opens none.
pub fn plugged_in(ids: &[UsbId]) -> Vec<PluggedIn> {
    // What hidapi's back end calls an error here (no memory, no sysfs) is nothing to be found either.
    let found = HidApi::new().map(|api| keys_among(&api, ids)).unwrap_or_default();
    let plugged = |key: Key| PluggedIn { port: key.place.port, node: key.node, may_open: key.may_open };
    found.into_iter().map(plugged).collect()
}

impl LinkSource for HidSource {
    fn list(&self) -> Listing {
        if self.watch.is_none() {
            self.shared.look();
        }
        self.shared.table().names().cloned().collect::<Vec<_>>().into()
    }

    fn open_port(&self, name: &str) -> Result<Box<dyn Port>, LinkError> {
        match self.shared.table().port(name) {
            Some(_) => Ok(Box::new(HidPort::new(name.to_owned(), self.shared.clone()))),
            None => Err(LinkError::ReaderGone),
        }
    }
}

/// What the ports share with their source.
struct Shared {
    ids: Vec<UsbId>,
    /// Held while looking: of two lookings at once the older could come in last.
    looking: Mutex<()>,
    table: Mutex<Table>,
    /// Told when the table has changed.
    changed: Condvar,
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        // A thread that panicked left a table behind that was right a moment ago.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks what is plugged in now. Reads sysfs and opens nothing.
    fn look(&self) {
        let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match HidApi::new() {
            Ok(api) => keys_among(&api, &self.ids),
            Err(error) => {
                tracing::warn!(%error, "USB keys cannot be looked for");
                return;
            }
        };
        if self.table().take_in(found, Path::exists) {
            self.changed.notify_all();
        }
    }
}

fn keys_among(api: &HidApi, ids: &[UsbId]) -> Vec<Key> {
    let is_key = |device: &&hidapi::DeviceInfo| {
        let id = UsbId { vendor: device.vendor_id(), product: device.product_id() };
        (device.usage_page(), device.usage()) == FIDO && ids.contains(&id)
    };
    api.device_list()
        .filter(is_key)
        .filter_map(|device| {
            let node = PathBuf::from(OsStr::from_bytes(device.path().to_bytes()));
            let place = Place::find(Path::new("/sys"), node.file_name()?.to_str()?)?;
            // The node goes first and its directory a moment later: without a node it has left.
            node.exists().then(|| {
                let may_open = eaccess(&node, AccessFlags::R_OK | AccessFlags::W_OK).is_ok();
                Key { place, node, may_open }
            })
        })
        .collect()
}
