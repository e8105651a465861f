//! Where a station's slots come from: readers behind PC/SC, and USB ports. The station sees one source.
//!
//! **A key that is both** (a reader to pcscd through its CCID interface, and a HID device) is one slot, its USB port's.
//! HID wins: the slot's name stays with the port; a key that waits for a touch says so on the way and can be called off;
//! the largest entries go through, which T=0 refuses; pcscd need not run; and no other program (gpg, a browser) holds
//! the key. Its reader is found by the address on USB, which libccid tells, and left out. What cannot be told apart (a
//! reader that another program holds) makes two slots for one token, and then the claim of a job by its serial, one at
//! a time, still keeps it from being burned twice at once.

use crate::{
    domain::{catalog::Catalog, model::UsbId},
    drivers::{
        hid::{HidSource, UsbAddress},
        pcsc::PcscSource,
    },
    link::{LinkError, LinkSource, Listing, Port},
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Readers that may be USB devices themselves.
pub trait Readers: LinkSource {
    /// Under which address the reader answers on USB; none where it is no USB device. An error where that cannot be
    /// told now.
    fn usb_address(&self, reader: &str) -> Result<Option<UsbAddress>, LinkError>;
}

/// USB ports with keys in them.
pub trait Keys: LinkSource {
    /// The addresses of all plugged-in keys that are readers as well.
    fn reader_addresses(&self) -> Vec<UsbAddress>;
}

impl Readers for PcscSource {
    fn usb_address(&self, reader: &str) -> Result<Option<UsbAddress>, LinkError> {
        PcscSource::usb_address(self, reader)
    }
}

impl Keys for HidSource {
    fn reader_addresses(&self) -> Vec<UsbAddress> {
        HidSource::reader_addresses(self)
    }
}

/// The ids of all keys that take their commands over HID.
pub fn usb_keys(catalog: &Catalog) -> Vec<UsbId> {
    let on_hid = catalog.models().filter(|model| model.driver.is_on_hid());
    on_hid.flat_map(|model| model.recognised_by.usb_ids.iter().copied()).collect()
}

/// Both as one.
pub struct Sources<R, K> {
    readers: R,
    keys: K,
    known: Mutex<Known>,
}

/// Where readers are on USB. Asked once for each reader and each change of keys: asking opens the reader.
#[derive(Default)]
struct Known {
    keys: Vec<UsbAddress>,
    readers: BTreeMap<String, Option<UsbAddress>>,
}

impl<R: Readers, K: Keys> Sources<R, K> {
    /// Of these two.
    pub fn new(readers: R, keys: K) -> Self {
        Self { readers, keys, known: Mutex::default() }
    }

    /// Leaves out the readers that are keys in a USB port.
    fn without_keys(&self, readers: Vec<String>) -> Vec<String> {
        let keys = self.keys.reader_addresses();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.keys != keys {
            // pcscd gives a reader's name to the next one of its kind: what was known of a name may be of another key.
            *known = Known { keys, readers: BTreeMap::new() };
        }
        if known.keys.is_empty() {
            return readers;
        }
        known.readers.retain(|name, _| readers.contains(name));
        readers
            .into_iter()
            .filter(|name| {
                let address = known.readers.get(name).copied().or_else(|| {
                    let told = self.readers.usb_address(name).ok()?;
                    known.readers.insert(name.clone(), told);
                    Some(told)
                });
                address.flatten().is_none_or(|address| !known.keys.contains(&address))
            })
            .collect()
    }
}

impl<R: Readers, K: Keys> LinkSource for Sources<R, K> {
    fn list(&self) -> Listing {
        // The keys first: a key is its port's slot before pcscd lists it.
        let keys = self.keys.list();
        let readers = self.readers.list();
        let mut names = keys.names;
        names.extend(self.without_keys(readers.names));
        Listing { names, trouble: readers.trouble.or(keys.trouble) }
    }

    fn open_port(&self, name: &str) -> Result<Box<dyn Port>, LinkError> {
        match self.keys.open_port(name) {
            Err(LinkError::ReaderGone) => self.readers.open_port(name),
            opened => opened,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const KEY: UsbAddress = UsbAddress { bus: 1, device: 9 };
    const READER: UsbAddress = UsbAddress { bus: 1, device: 4 };

    #[derive(Default)]
    struct Fake {
        names: Mutex<Vec<&'static str>>,
        trouble: Mutex<Option<LinkError>>,
        addresses: Mutex<BTreeMap<&'static str, Result<Option<UsbAddress>, LinkError>>>,
        asked: AtomicUsize,
    }

    impl LinkSource for Fake {
        fn list(&self) -> Listing {
            let names = self.names.lock().unwrap().iter().map(|name| (*name).to_owned()).collect();
            Listing { names, trouble: self.trouble.lock().unwrap().clone() }
        }

        fn open_port(&self, name: &str) -> Result<Box<dyn Port>, LinkError> {
            // No port is needed to see whose it would have been.
            Err(if self.names.lock().unwrap().contains(&name) {
                LinkError::Busy
            } else {
                LinkError::ReaderGone
            })
        }
    }

    impl Readers for Fake {
        fn usb_address(&self, reader: &str) -> Result<Option<UsbAddress>, LinkError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.addresses.lock().unwrap().get(reader).cloned().unwrap_or(Ok(None))
        }
    }

    impl Keys for Fake {
        fn reader_addresses(&self) -> Vec<UsbAddress> {
            self.addresses.lock().unwrap().values().filter_map(|told| told.clone().ok().flatten()).collect()
        }
    }

    fn fake(names: &[&'static str]) -> Fake {
        Fake { names: Mutex::new(names.to_vec()), ..Fake::default() }
    }

    fn with(fake: Fake, name: &'static str, told: Result<Option<UsbAddress>, LinkError>) -> Fake {
        fake.addresses.lock().unwrap().insert(name, told);
        fake
    }

    #[test]
    fn a_key_that_is_a_reader_too_is_one_slot() {
        let readers = with(
            with(fake(&["TOKEN2 Key 00", "ACR"]), "TOKEN2 Key 00", Ok(Some(KEY))),
            "ACR",
            Ok(Some(READER)),
        );
        let sources = Sources::new(readers, with(fake(&["usb 1-2"]), "usb 1-2", Ok(Some(KEY))));
        assert_eq!(sources.list().names, ["usb 1-2", "ACR"]);
        // A second key of the model, which is no HID device to us, keeps its reader.
        sources.readers.names.lock().unwrap().push("TOKEN2 Key 01");
        let other = UsbAddress { bus: 1, device: 10 };
        sources.readers.addresses.lock().unwrap().insert("TOKEN2 Key 01", Ok(Some(other)));
        assert_eq!(sources.list().names, ["usb 1-2", "ACR", "TOKEN2 Key 01"]);
    }

    #[test]
    fn readers_are_asked_once_and_only_where_a_key_is_a_reader() {
        let sources = Sources::new(fake(&["ACR"]), fake(&["usb 1-2"]));
        sources.list();
        assert_eq!(sources.readers.asked.load(Ordering::Relaxed), 0, "no key has such an interface");
        sources.keys.addresses.lock().unwrap().insert("usb 1-2", Ok(Some(KEY)));
        for _ in 0..3 {
            assert_eq!(sources.list().names, ["usb 1-2", "ACR"]);
        }
        assert_eq!(sources.readers.asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_readers_name_that_goes_to_another_key_is_asked_again() {
        let readers = with(fake(&["TOKEN2 Key 00"]), "TOKEN2 Key 00", Ok(Some(KEY)));
        let sources = Sources::new(readers, with(fake(&["usb 1-2"]), "usb 1-2", Ok(Some(KEY))));
        assert_eq!(sources.list().names, ["usb 1-2"]);
        // Pulled, and another one plugged in, between two listings; pcscd calls it the same.
        let next = UsbAddress { bus: 1, device: 10 };
        sources.readers.addresses.lock().unwrap().insert("TOKEN2 Key 00", Ok(Some(next)));
        sources.keys.addresses.lock().unwrap().insert("usb 1-2", Ok(Some(next)));
        assert_eq!(sources.list().names, ["usb 1-2"]);
        sources.keys.addresses.lock().unwrap().insert("usb 1-2", Ok(Some(KEY)));
        assert_eq!(sources.list().names, ["usb 1-2", "TOKEN2 Key 00"], "that is not its reader");
    }

    #[test]
    fn a_reader_that_cannot_be_asked_stays_and_is_asked_again() {
        let readers = with(fake(&["TOKEN2 Key 00"]), "TOKEN2 Key 00", Err(LinkError::Busy));
        let sources = Sources::new(readers, with(fake(&["usb 1-2"]), "usb 1-2", Ok(Some(KEY))));
        assert_eq!(sources.list().names, ["usb 1-2", "TOKEN2 Key 00"]);
        sources.readers.addresses.lock().unwrap().insert("TOKEN2 Key 00", Ok(Some(KEY)));
        assert_eq!(sources.list().names, ["usb 1-2"]);
    }

    #[test]
    fn without_pcscd_the_usb_ports_are_slots_all_the_same() {
        let readers = Fake { trouble: Mutex::new(Some(LinkError::NoService)), ..fake(&[]) };
        let sources = Sources::new(readers, fake(&["usb 1-2"]));
        let listing = sources.list();
        assert_eq!(
            (listing.names, listing.trouble),
            (vec!["usb 1-2".to_owned()], Some(LinkError::NoService))
        );
    }

    #[test]
    fn each_name_opens_its_own_source() {
        let sources = Sources::new(fake(&["ACR"]), fake(&["usb 1-2"]));
        assert_eq!(sources.open_port("usb 1-2").err(), Some(LinkError::Busy));
        assert_eq!(sources.open_port("ACR").err(), Some(LinkError::Busy));
        assert_eq!(sources.open_port("none").err(), Some(LinkError::ReaderGone));
    }
}
