//! Where a station's slots come from: readers behind PC/SC, and USB ports. The station sees one source.
//!
//! **A key that is both** (a reader to pcscd through its CCID interface, and a HID device) is one slot, its USB port's.
//! HID wins: the slot's name stays with the port; a key that waits for a touch says so on the way and can be called off;
//! the largest entries go through, which T=0 refuses; pcscd need not run; and no other program (gpg, a browser) holds
//! the key. Its reader is found by the address on USB, which libccid tells, and left out. A key that says nothing over
//! HID, since its OTP function is off there, is talked to through its reader, at the same slot ([`key_port`]). What cannot
//! be told apart (a reader that another program holds) makes two slots for one token, and then the claim of a job by its
//! serial, one at a time, still keeps it from being burned twice at once.

mod key_port;

use crate::{
    domain::{catalog::Catalog, model::UsbId},
    drivers::{
        hid::{HidSource, UsbAddress},
        pcsc::PcscSource,
    },
    link::{LinkError, LinkSource, Listing, Port},
};
use key_port::KeyPort;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Readers that may be USB devices themselves.
pub trait Readers: LinkSource {
    /// Under which address the reader answers on USB; none where it is no USB device. An error where that cannot be
    /// told now.
    fn usb_address(&self, reader: &str) -> Result<Option<UsbAddress>, LinkError>;
}

/// USB ports with keys in them.
pub trait Keys: LinkSource {
    /// The ports of all plugged-in keys that are readers as well, and their addresses.
    fn reader_addresses(&self) -> BTreeMap<String, UsbAddress>;
}

impl Readers for PcscSource {
    fn usb_address(&self, reader: &str) -> Result<Option<UsbAddress>, LinkError> {
        PcscSource::usb_address(self, reader)
    }
}

impl Keys for HidSource {
    fn reader_addresses(&self) -> BTreeMap<String, UsbAddress> {
        HidSource::reader_addresses(self)
    }
}

/// The ids of all keys that take their commands over HID.
pub fn usb_keys(catalog: &Catalog) -> Vec<UsbId> {
    let on_hid = catalog.models().filter(|model| model.driver.is_on_hid());
    on_hid.flat_map(|model| model.recognised_by.usb_ids.iter().copied()).collect()
}

/// Both as one.
pub struct Sources<R, K>(Arc<Both<R, K>>);

struct Both<R, K> {
    readers: R,
    keys: K,
    known: Mutex<Known>,
}

/// Where readers are on USB. Asked once for each reader and each change of keys: asking opens the reader.
#[derive(Default)]
struct Known {
    keys: BTreeMap<String, UsbAddress>,
    readers: BTreeMap<String, Option<UsbAddress>>,
}

impl<R: Readers, K: Keys> Sources<R, K> {
    /// Of these two.
    pub fn new(readers: R, keys: K) -> Self {
        Self(Arc::new(Both { readers, keys, known: Mutex::default() }))
    }
}

impl<R: Readers, K: Keys> Both<R, K> {
    /// Parts the readers into those that are no key in a USB port, and the keys' own, by their ports.
    fn part(&self, readers: Vec<String>) -> (Vec<String>, BTreeMap<String, String>) {
        let keys = self.keys.reader_addresses();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.keys != keys {
            // pcscd gives a reader's name to the next one of its kind: what was known of a name may be of another key.
            *known = Known { keys, readers: BTreeMap::new() };
        }
        let Known { keys, readers: addresses } = &mut *known;
        if keys.is_empty() {
            return (readers, BTreeMap::new());
        }
        addresses.retain(|name, _| readers.contains(name));
        let mut others = Vec::new();
        let mut of_keys = BTreeMap::new();
        for name in readers {
            let address = addresses.get(&name).copied().or_else(|| {
                let told = self.readers.usb_address(&name).ok()?;
                addresses.insert(name.clone(), told);
                Some(told)
            });
            let address = address.flatten();
            match keys.iter().find(|(_, key)| Some(**key) == address) {
                Some((port, _)) => drop(of_keys.insert(port.clone(), name)),
                None => others.push(name),
            }
        }
        (others, of_keys)
    }
}

impl<R: Readers, K: Keys> key_port::OtherWay for Both<R, K> {
    fn port(&self, port: &str) -> Result<Box<dyn Port>, LinkError> {
        let (_, of_keys) = self.part(self.readers.list().names);
        self.readers.open_port(of_keys.get(port).ok_or(LinkError::ReaderGone)?)
    }
}

impl<R: Readers + 'static, K: Keys + 'static> LinkSource for Sources<R, K> {
    fn list(&self) -> Listing {
        // The keys first: a key is its port's slot before pcscd lists it.
        let keys = self.0.keys.list();
        let readers = self.0.readers.list();
        let mut names = keys.names;
        names.extend(self.0.part(readers.names).0);
        Listing { names, trouble: readers.trouble.or(keys.trouble) }
    }

    fn open_port(&self, name: &str) -> Result<Box<dyn Port>, LinkError> {
        match self.0.keys.open_port(name) {
            Err(LinkError::ReaderGone) => self.0.readers.open_port(name),
            Err(error) => Err(error),
            Ok(port) => Ok(Box::new(KeyPort::new(name.to_owned(), port, self.0.clone()))),
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
        fn reader_addresses(&self) -> BTreeMap<String, UsbAddress> {
            let addresses = self.addresses.lock().unwrap();
            let told = |(port, told): (&&str, &Result<_, _>)| {
                Some(((*port).to_owned(), told.clone().ok().flatten()?))
            };
            addresses.iter().filter_map(told).collect()
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
        sources.0.readers.names.lock().unwrap().push("TOKEN2 Key 01");
        let other = UsbAddress { bus: 1, device: 10 };
        sources.0.readers.addresses.lock().unwrap().insert("TOKEN2 Key 01", Ok(Some(other)));
        assert_eq!(sources.list().names, ["usb 1-2", "ACR", "TOKEN2 Key 01"]);
    }

    #[test]
    fn readers_are_asked_once_and_only_where_a_key_is_a_reader() {
        let sources = Sources::new(fake(&["ACR"]), fake(&["usb 1-2"]));
        sources.list();
        assert_eq!(sources.0.readers.asked.load(Ordering::Relaxed), 0, "no key has such an interface");
        sources.0.keys.addresses.lock().unwrap().insert("usb 1-2", Ok(Some(KEY)));
        for _ in 0..3 {
            assert_eq!(sources.list().names, ["usb 1-2", "ACR"]);
        }
        assert_eq!(sources.0.readers.asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_readers_name_that_goes_to_another_key_is_asked_again() {
        let readers = with(fake(&["TOKEN2 Key 00"]), "TOKEN2 Key 00", Ok(Some(KEY)));
        let sources = Sources::new(readers, with(fake(&["usb 1-2"]), "usb 1-2", Ok(Some(KEY))));
        assert_eq!(sources.list().names, ["usb 1-2"]);
        // Pulled, and another one plugged in, between two listings; pcscd calls it the same.
        let next = UsbAddress { bus: 1, device: 10 };
        sources.0.readers.addresses.lock().unwrap().insert("TOKEN2 Key 00", Ok(Some(next)));
        sources.0.keys.addresses.lock().unwrap().insert("usb 1-2", Ok(Some(next)));
        assert_eq!(sources.list().names, ["usb 1-2"]);
        sources.0.keys.addresses.lock().unwrap().insert("usb 1-2", Ok(Some(KEY)));
        assert_eq!(sources.list().names, ["usb 1-2", "TOKEN2 Key 00"], "that is not its reader");
    }

    #[test]
    fn a_reader_that_cannot_be_asked_stays_and_is_asked_again() {
        let readers = with(fake(&["TOKEN2 Key 00"]), "TOKEN2 Key 00", Err(LinkError::Busy));
        let sources = Sources::new(readers, with(fake(&["usb 1-2"]), "usb 1-2", Ok(Some(KEY))));
        assert_eq!(sources.list().names, ["usb 1-2", "TOKEN2 Key 00"]);
        sources.0.readers.addresses.lock().unwrap().insert("TOKEN2 Key 00", Ok(Some(KEY)));
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
