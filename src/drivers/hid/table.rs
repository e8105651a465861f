//! The ports of this machine that keys were seen in, and what is in them now.
//!
//! A port is a slot from the first key on and stays one while it is empty: the next key goes there, and a burn that was
//! cut short waits there for its own. It ends with its hub.

use super::place::Place;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// A key in a port, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Where it is.
    pub place: Place,
    /// Its node under `/dev`.
    pub node: PathBuf,
    /// Whether this user may open it. udev decides that a moment after the node is made.
    pub may_open: bool,
}

/// Ports by their names.
#[derive(Debug, Default)]
pub struct Table {
    ports: BTreeMap<String, Port>,
}

#[derive(Debug)]
struct Port {
    hub: Option<PathBuf>,
    key: Option<Key>,
}

impl Table {
    /// Takes in what was found by looking just now, everywhere. Tells whether anything differs from before.
    pub fn take_in(&mut self, found: Vec<Key>, is_there: impl Fn(&Path) -> bool) -> bool {
        let mut now: BTreeMap<String, Key> = BTreeMap::new();
        for key in found {
            // A key with several such interfaces is one key. The first one by its name is the same every time.
            let first = now.entry(key.place.port.clone()).or_insert_with(|| key.clone());
            if key.place.plugging < first.place.plugging {
                *first = key;
            }
        }
        let before = self.ports.len();
        let mut differs = false;
        self.ports.retain(|name, port| {
            let key = now.remove(name);
            differs |= port.key != key;
            port.key = key;
            port.key.is_some() || port.hub.as_deref().is_none_or(&is_there)
        });
        differs |= self.ports.len() != before || !now.is_empty();
        self.ports.extend(
            now.into_iter().map(|(name, key)| (name, Port { hub: key.place.hub.clone(), key: Some(key) })),
        );
        differs
    }

    /// The ports' names.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.ports.keys()
    }

    /// What is in a port; the outer none: there is no such port.
    pub fn port(&self, name: &str) -> Option<Option<&Key>> {
        self.ports.get(name).map(|port| port.key.as_ref())
    }

    /// All keys that are plugged in.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.ports.values().filter_map(|port| port.key.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(port: &str, plugging: &str) -> Key {
        let hub = Some(PathBuf::from("hub"));
        let place =
            Place { port: port.into(), hub, plugging: plugging.into(), address: None, is_reader_too: false };
        Key { place, node: "hidraw0".into(), may_open: true }
    }

    fn names(table: &Table) -> Vec<&str> {
        table.names().map(String::as_str).collect()
    }

    #[test]
    fn a_port_stays_when_its_key_leaves_and_goes_with_its_hub() {
        let mut table = Table::default();
        assert!(table.take_in(vec![key("b", "1"), key("a", "2")], |_| true));
        assert_eq!(names(&table), ["a", "b"]);
        assert!(table.take_in(vec![key("b", "1")], |_| true));
        assert_eq!((table.port("a"), table.port("c")), (Some(None), None));
        assert_eq!(table.port("b"), Some(Some(&key("b", "1"))));
        assert!(!table.take_in(vec![key("b", "1")], |_| true), "nothing is new");
        assert!(table.take_in(vec![], |_| false));
        assert_eq!(names(&table), [""; 0]);
    }

    #[test]
    fn a_hub_that_cannot_be_seen_keeps_a_port_with_a_key() {
        let mut table = Table::default();
        table.take_in(vec![key("a", "1")], |_| false);
        table.take_in(vec![key("a", "1")], |_| false);
        assert_eq!(names(&table), ["a"]);
    }

    #[test]
    fn a_key_that_comes_back_differs_although_all_its_names_are_the_same() {
        let mut table = Table::default();
        table.take_in(vec![key("a", "1")], |_| true);
        assert!(table.take_in(vec![key("a", "7")], |_| true));
        let other = Key { may_open: false, ..key("a", "7") };
        assert!(table.take_in(vec![other], |_| true), "so does one that may be opened at last");
    }

    #[test]
    fn two_interfaces_of_one_key_are_one_slot() {
        for order in [["1", "2"], ["2", "1"]] {
            let mut table = Table::default();
            table.take_in(order.map(|plugging| key("a", plugging)).into(), |_| true);
            assert_eq!(table.port("a"), Some(Some(&key("a", "1"))));
        }
    }
}
