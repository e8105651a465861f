//! Where on this machine a HID device is plugged in, from sysfs. hidapi tells ids and usage page, and nothing of ports.
//!
//! The kernel's names do the work: a USB device's directory is called after its bus and its chain of ports (`1-2.3` is
//! port 3 of the hub in port 2 of bus 1), and a HID device's directory ends with a number that no later device gets
//! again before a reboot (`0003:349E:0026.0007`), so that a key that was pulled and put back is told from one that
//! stayed even where nobody saw it leave.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The class of a smart-card interface (CCID), as sysfs writes it.
const CCID: &str = "0b";

/// Under what numbers a device answers on USB, from one plugging-in to the next. pcscd's readers tell theirs as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsbAddress {
    /// The bus.
    pub bus: u8,
    /// The device on it.
    pub device: u8,
}

/// One HID device of a key, plugged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The port by the name under which it is a slot: `usb 1-2.3`; what hangs on no USB goes by the place that its
    /// driver tells.
    pub port: String,
    /// The hub whose port that is; none where there is no USB.
    pub hub: Option<PathBuf>,
    /// This plugging-in: another one, of the same key into the same port as well, has another.
    pub plugging: PathBuf,
    /// Under which address its USB device answers.
    pub address: Option<UsbAddress>,
    /// Whether the same USB device has a smart-card interface too, so that pcscd lists it as a reader.
    pub is_reader_too: bool,
}

impl Place {
    /// Of the device behind `/dev/NODE`, in the sysfs at `sys`; none where it has left meanwhile.
    pub fn find(sys: &Path, node: &str) -> Option<Self> {
        let plugging = fs::canonicalize(sys.join("class/hidraw").join(node).join("device")).ok()?;
        let usb =
            plugging.ancestors().find(|path| path.join("busnum").exists() && path.join("devnum").exists());
        let Some(usb) = usb else {
            return Some(Self {
                port: format!("hid {}", elsewhere(&plugging)?),
                hub: None,
                plugging,
                address: None,
                is_reader_too: false,
            });
        };
        Some(Self {
            port: format!("usb {}", usb.file_name()?.to_str()?),
            hub: usb.parent().map(Path::to_owned),
            address: Some(UsbAddress { bus: number(usb, "busnum")?, device: number(usb, "devnum")? }),
            is_reader_too: has_interface(usb, CCID),
            plugging,
        })
    }
}

/// Where a device hangs that is on no USB: its driver's words for it, which stay with the place, else its own name.
fn elsewhere(device: &Path) -> Option<String> {
    let about = fs::read_to_string(device.join("uevent")).ok()?;
    let told = about.lines().find_map(|line| line.strip_prefix("HID_PHYS=")).filter(|text| !text.is_empty());
    Some(match told {
        Some(told) => told.to_owned(),
        None => device.file_name()?.to_str()?.to_owned(),
    })
}

fn number(device: &Path, name: &str) -> Option<u8> {
    fs::read_to_string(device.join(name)).ok()?.trim().parse().ok()
}

fn has_interface(usb: &Path, class: &str) -> bool {
    let interfaces = fs::read_dir(usb).into_iter().flatten().flatten();
    interfaces
        .filter_map(|entry| fs::read_to_string(entry.path().join("bInterfaceClass")).ok())
        .any(|found| found.trim() == class)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A sysfs of our own, laid out as the kernel's is (seen on 6.1 with dummy-hcd).
    pub struct Tree(tempfile::TempDir);

    impl Tree {
        pub fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        pub fn path(&self) -> &Path {
            self.0.path()
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        /// Binds `/dev/NODE` to the HID device at `device`.
        fn node(&self, node: &str, device: &str) {
            let class = self.path().join("class/hidraw").join(node);
            fs::create_dir_all(&class).unwrap();
            symlink(self.path().join(device), class.join("device")).unwrap();
        }

        /// A key on USB, with `interfaces` by their classes, of which the first is its HID device.
        pub fn usb(&self, node: &str, usb: &str, hid: &str, address: UsbAddress, interfaces: &[&str]) {
            self.write(&format!("{usb}/busnum"), &format!("{}\n", address.bus));
            self.write(&format!("{usb}/devnum"), &format!("{}\n", address.device));
            let name = usb.rsplit('/').next().unwrap();
            for (at, class) in interfaces.iter().enumerate() {
                self.write(&format!("{usb}/{name}:1.{at}/bInterfaceClass"), &format!("{class}\n"));
            }
            let hid = format!("{usb}/{name}:1.0/{hid}");
            self.write(&format!("{hid}/uevent"), "DRIVER=hid-generic\nHID_PHYS=usb-dummy_hcd.0-1/input0\n");
            self.node(node, &hid);
        }
    }

    #[test]
    fn a_port_is_named_as_the_kernel_names_it() {
        let tree = Tree::new();
        let usb = "devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2.3";
        let address = UsbAddress { bus: 1, device: 9 };
        // The hubs have the same files.
        tree.write("devices/pci0000:00/0000:00:14.0/usb1/1-2/busnum", "1\n");
        tree.write("devices/pci0000:00/0000:00:14.0/usb1/1-2/devnum", "4\n");
        tree.usb("hidraw3", usb, "0003:349E:0026.0007", address, &["03", "03", "0b"]);
        let place = Place::find(tree.path(), "hidraw3").unwrap();
        assert_eq!((place.port.as_str(), place.address), ("usb 1-2.3", Some(address)));
        assert!(place.is_reader_too);
        assert!(place.hub.unwrap().ends_with("usb1/1-2"));
        assert!(place.plugging.ends_with("1-2.3:1.0/0003:349E:0026.0007"), "{:?}", place.plugging);
    }

    #[test]
    fn a_key_without_ccid_is_no_reader() {
        let tree = Tree::new();
        let address = UsbAddress { bus: 2, device: 3 };
        tree.usb("hidraw0", "devices/p/usb2/2-1", "0003:349E:0024.0001", address, &["03", "03"]);
        let place = Place::find(tree.path(), "hidraw0").unwrap();
        assert_eq!((place.port.as_str(), place.is_reader_too), ("usb 2-1", false));
        assert!(place.hub.unwrap().ends_with("usb2"));
    }

    #[test]
    fn what_is_on_no_usb_goes_by_its_drivers_words() {
        let tree = Tree::new();
        for (node, hid, about, port) in [
            ("hidraw0", "0003:349E:0026.0001", "HID_NAME=A\nHID_PHYS=hidbench/A\n", "hid hidbench/A"),
            ("hidraw1", "0003:349E:0026.0002", "HID_NAME=A\nHID_PHYS=\n", "hid 0003:349E:0026.0002"),
        ] {
            let device = format!("devices/virtual/misc/uhid/{hid}");
            tree.write(&format!("{device}/uevent"), about);
            tree.node(node, &device);
            let place = Place::find(tree.path(), node).unwrap();
            assert_eq!((place.port.as_str(), &place.hub, place.address), (port, &None, None));
        }
    }

    #[test]
    fn what_has_left_is_nowhere() {
        let tree = Tree::new();
        assert_eq!(Place::find(tree.path(), "hidraw0"), None);
        tree.node("hidraw1", "devices/gone");
        assert_eq!(Place::find(tree.path(), "hidraw1"), None);
    }
}
