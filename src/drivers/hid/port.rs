//! One USB port, as the thread of its slot sees it.

use super::{Shared, link::HidrawLink, table::Key};
use crate::link::{LinkError, Opened, Port, Presence};
use std::{
    path::PathBuf,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

/// How long udev may take to let this user have a new node, before it counts as refused.
const SETTLING: Duration = Duration::from_secs(2);

/// A port by its name.
pub struct HidPort {
    name: String,
    shared: Arc<Shared>,
    /// What was told to be here: which plugging-in, and whether it could be opened then.
    told: Option<(PathBuf, bool)>,
    /// A key that may not be opened, and since when it is known.
    settling: Option<(PathBuf, Instant)>,
}

impl HidPort {
    /// The port called `name`.
    pub fn new(name: String, shared: Arc<Shared>) -> Self {
        Self { name, shared, told: None, settling: None }
    }

    /// Whether the key counts as being here; if not yet, until when.
    fn is_settled(&mut self, key: &Key) -> Result<(), Instant> {
        if key.may_open {
            return Ok(());
        }
        let plugging = &key.place.plugging;
        let since = match &self.settling {
            Some((known, since)) if known == plugging => *since,
            Some(_) | None => {
                let now = Instant::now();
                self.settling = Some((plugging.clone(), now));
                now
            }
        };
        if since.elapsed() >= SETTLING { Ok(()) } else { Err(since + SETTLING) }
    }

    /// What to tell about a key that is here now, where `known` was told before.
    fn tell(&mut self, key: &Key, known: Presence) -> Presence {
        let now = (key.place.plugging.clone(), key.may_open);
        let is_same = self.told.as_ref().is_none_or(|told| *told == now);
        if known == Presence::Present && !is_same {
            // What was here has left, though something is here again; or it may be opened at last.
            self.told = None;
            return Presence::Empty;
        }
        self.told = Some(now);
        Presence::Present
    }
}

impl Port for HidPort {
    fn wait_change(&mut self, known: Presence, at_most: Duration) -> Result<Presence, LinkError> {
        let until = Instant::now() + at_most;
        let shared = self.shared.clone();
        let mut table = shared.table();
        loop {
            let key = table.port(&self.name).ok_or(LinkError::ReaderGone)?.cloned();
            let mut look_at = until;
            let now = match &key {
                None => Presence::Empty,
                Some(key) => match self.is_settled(key) {
                    Ok(()) => self.tell(key, known),
                    Err(settled) => {
                        look_at = settled.min(until);
                        Presence::Empty
                    }
                },
            };
            let left = look_at.saturating_duration_since(Instant::now());
            if now != known || (left.is_zero() && look_at == until) {
                return Ok(now);
            }
            let waited = shared.changed.wait_timeout(table, left);
            table = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn open(&mut self) -> Result<Opened, LinkError> {
        self.shared.look();
        let key = self.shared.table().port(&self.name).ok_or(LinkError::ReaderGone)?.cloned();
        let key = key.ok_or(LinkError::Gone)?;
        self.told = Some((key.place.plugging.clone(), key.may_open));
        Ok(Opened::Hid(Box::new(HidrawLink::open(&key, self.shared.clone())?)))
    }
}
