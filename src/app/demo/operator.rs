//! The demo's operator: does what the slots say, and makes a few of the mistakes that people make.

use super::{DemoToken, USB, USB_SLOT, shows_the_right_code};
use crate::{
    domain::{JobState, Profile, Serial},
    face::{Doing, Event, Failure, SlotView, Snapshot},
    service::Client,
    sim::{Bench, Fault, ForeignCard, VirtualToken},
};
use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroU32,
    time::Duration,
};

/// Which token of the pile is torn off in the middle of its burn, counted from 0.
const TORN_OFF: usize = 1;

/// At which of its commands: identity, challenge, answer, configuration; so the configuration took effect and the seed
/// was never written.
const TORN_OFF_AFTER: NonZeroU32 = NonZeroU32::new(4).expect("4 is not zero");

/// How long a finger lies on a key before it is taken off again.
const REACH: Duration = Duration::from_secs(2);

/// How often a token is put back before the operator gives up on it.
const PATIENCE: u32 = 5;

/// A person with a pile of tokens.
pub struct Operator {
    bench: Bench,
    pile: Vec<DemoToken>,
    /// Tokens still to be put down, by their place in the pile.
    to_do: VecDeque<usize>,
    /// How often each token was put back after something went wrong with it.
    put_back: Vec<u32>,
    /// What lies in each slot.
    slots: BTreeMap<String, Lies>,
    /// Tokens that are burned, or given up.
    finished: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lies {
    Nothing,
    Token(usize),
    SecurityKey,
}

impl Operator {
    /// An operator in front of empty slots.
    pub fn new(bench: Bench, slots: Vec<String>, pile: Vec<DemoToken>) -> Self {
        if let Some(torn) = pile.get(TORN_OFF) {
            torn.token.arm(Fault::YankAfter(TORN_OFF_AFTER));
        }
        Self {
            bench,
            to_do: (0..pile.len()).collect(),
            put_back: vec![0; pile.len()],
            pile,
            slots: slots.into_iter().map(|slot| (slot, Lies::Nothing)).collect(),
            finished: 0,
        }
    }

    /// Puts a security key on a reader by mistake; the tokens follow as the slots ask for them.
    pub fn begin(&mut self) {
        let key = VirtualToken::foreign(ForeignCard::FidoKey);
        if let Some((slot, lies)) = self.slots.iter_mut().find(|(slot, _)| slot.as_str() != USB_SLOT)
            && self.bench.place(slot, &key).is_ok()
        {
            *lies = Lies::SecurityKey;
        }
    }

    /// Whether every token has been burned, or given up, and taken away.
    pub fn is_done(&self) -> bool {
        self.finished >= self.pile.len() && self.slots.values().all(|lies| *lies == Lies::Nothing)
    }

    /// The tokens, for a last look at their displays.
    pub fn into_pile(self) -> Vec<DemoToken> {
        self.pile
    }

    /// Does what an event calls for. Gives what there is to tell about it.
    pub fn react(&mut self, event: &Event, client: &mut Client) -> Result<Vec<String>, Failure> {
        match event {
            Event::Slot(view) => self.obey(view, client),
            Event::Job { state: JobState::Burned, .. } => {
                self.finished += 1;
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Looks at all slots again after news were missed.
    pub fn catch_up(&mut self, snapshot: &Snapshot, client: &mut Client) -> Result<(), Failure> {
        let burned: u64 = snapshot.batches.iter().map(|batch| batch.jobs.burned).sum();
        let given_up = self.put_back.iter().filter(|times| **times > PATIENCE).count();
        self.finished = usize::try_from(burned).unwrap_or(usize::MAX).saturating_add(given_up);
        for view in &snapshot.slots {
            self.obey(view, client)?;
        }
        Ok(())
    }

    fn obey(&mut self, view: &SlotView, client: &mut Client) -> Result<Vec<String>, Failure> {
        let slot = view.slot.0.clone();
        let lies = self.slots.get(&slot).copied().unwrap_or(Lies::Nothing);
        match (view.doing, lies) {
            (Doing::Place, Lies::Nothing) => {
                self.put_down_next(&slot);
                Ok(Vec::new())
            }
            (Doing::Take, Lies::Token(at)) => {
                self.take_away(&slot);
                if view.remedy.as_deref().is_some_and(|remedy| remedy.contains("kiln verify")) {
                    return self.type_the_code(at, client);
                }
                Ok(Vec::new())
            }
            (Doing::Take, Lies::SecurityKey) => {
                self.take_away(&slot);
                Ok(vec!["  (the operator takes the security key away and reaches for a token)".into()])
            }
            (Doing::Touch, Lies::Token(at)) => {
                let serial = &self.pile[at].serial;
                let touched = self.pile[at].token.touch_within(REACH);
                Ok(touched.then(|| format!("  (the operator touches key {serial})")).into_iter().collect())
            }
            (Doing::Look, Lies::Token(at)) => {
                // Torn off in the middle: the same token goes back.
                self.take_away(&slot);
                self.put_back[at] += 1;
                let serial = &self.pile[at].serial;
                if self.put_back[at] > PATIENCE {
                    self.finished += 1;
                    return Ok(vec![format!("  (the operator gives up on token {serial})")]);
                }
                self.to_do.push_front(at);
                Ok(vec![format!("  (the operator picks token {serial} up and will put it back)")])
            }
            (Doing::Wait | Doing::Touch | Doing::Look | Doing::Place | Doing::Take, _) => Ok(Vec::new()),
        }
    }

    fn put_down_next(&mut self, slot: &str) {
        // A Molto2 hangs on USB; the others lie on readers.
        let fits = |at: &usize| (self.pile[*at].batch == USB) == (slot == USB_SLOT);
        if let Some(place) = self.to_do.iter().position(fits)
            && let Some(at) = self.to_do.remove(place)
        {
            if self.bench.place(slot, &self.pile[at].token).is_ok() {
                self.slots.insert(slot.to_owned(), Lies::Token(at));
            } else {
                self.to_do.push_front(at);
            }
        }
    }

    fn take_away(&mut self, slot: &str) {
        self.bench.take(slot);
        self.slots.insert(slot.to_owned(), Lies::Nothing);
    }

    fn type_the_code(&self, at: usize, client: &mut Client) -> Result<Vec<String>, Failure> {
        let demo = &self.pile[at];
        let serial: &Serial = &demo.serial;
        let right = shows_the_right_code(client, demo, Profile::ZERO)?;
        let verdict = if right { "right" } else { "WRONG" };
        Ok(vec![format!("  (the operator types the code that token {serial} shows: {verdict})")])
    }
}
