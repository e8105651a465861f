//! What is known before the search: plain values that a station fills from its records, or a command from one seed.

use super::drift::Drift;
use crate::domain::{Model, Parameters, Profile, Seed, Serial, Target, UnixTime};

/// Everything on record about the token whose code is rejected.
pub struct Known<'a> {
    /// Its serial; `None` for a bare seed or key URI.
    pub serial: Option<Serial>,
    /// What kind of token it is.
    pub model: Option<&'a Model>,
    /// The server that checks its codes.
    pub target: Option<&'a Target>,
    /// The profile that should have shown the code.
    pub profile: Profile,
    /// What the profiles of the token hold, held, or should hold. The first one with [`Standing::Current`] and this
    /// profile is the seed on record; where there is none, the one of a burn that did not end, else the one that
    /// waits to be burned. At least one of these must be there.
    pub history: Vec<Held<'a>>,
    /// What is known of the token's clock.
    pub drift: Option<Drift>,
    /// Seeds on record besides this token's: how many the neighbours will be at most. It sets how likely any single
    /// one of them is.
    pub inventory: u64,
    /// Who else is affected if a mistake was made for several.
    pub siblings: Vec<Siblings>,
}

/// Other tokens that have something in common with the one in question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Siblings {
    /// What.
    pub share: Share,
    /// Who they are, in words.
    pub said: String,
}

/// What tokens have in common, and with it a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// The batch, and so the file that the seeds came from and the order of burning.
    Batch,
    /// Burned at this station within the same hour, by the same clock.
    Hour,
    /// The recipe, and so the parameters.
    Recipe,
}

/// One seed and its parameters in one profile, for a time.
pub struct Held<'a> {
    /// Which profile.
    pub profile: Profile,
    /// The seed.
    pub seed: &'a Seed,
    /// Its parameters.
    pub parameters: Parameters,
    /// How it stands.
    pub standing: Standing,
    /// Since when, where known.
    pub from: Option<UnixTime>,
    /// Until when, where it ended.
    pub to: Option<UnixTime>,
}

/// How a seed on record stands to a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is what the profile holds, as far as the records go.
    Current,
    /// It was replaced.
    Before,
    /// The token was delivered with it.
    Factory,
    /// It was to be burned, and the burn did not come to its end.
    Unfinished,
    /// A job for this token waits with it: it was never burned.
    Waiting,
}

/// Another token of the inventory, nearest first: those beside it in burn order, then the rest.
pub struct Neighbour {
    /// Its serial.
    pub serial: Serial,
    /// Which of its profiles.
    pub profile: Profile,
    /// The seed on record there. Wiped when this is dropped.
    pub seed: Seed,
    /// Its parameters.
    pub parameters: Parameters,
    /// What is known of its clock.
    pub drift: Option<Drift>,
    /// How it lies to the token in question.
    pub place: Place,
}

/// How another token lies to the one in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Burned in the same batch, this many places later (negative: earlier). Never zero.
    BurnOrder(i64),
    /// Anywhere else.
    Inventory,
}

impl<'a> Known<'a> {
    /// What a bare seed says.
    pub fn bare(seed: &'a Seed, parameters: Parameters) -> Self {
        Self {
            serial: None,
            model: None,
            target: None,
            profile: Profile::ZERO,
            history: vec![Held {
                profile: Profile::ZERO,
                seed,
                parameters,
                standing: Standing::Current,
                from: None,
                to: None,
            }],
            drift: None,
            inventory: 0,
            siblings: Vec::new(),
        }
    }

    /// The seed that the profile in question should hold.
    pub fn current(&self) -> Option<&Held<'a>> {
        let here = |wanted: Standing| {
            self.history.iter().find(|held| held.profile == self.profile && held.standing == wanted)
        };
        here(Standing::Current).or_else(|| here(Standing::Unfinished)).or_else(|| here(Standing::Waiting))
    }

    /// Those who share a mistake with these causes.
    pub(super) fn affected(&self, causes: &[super::Cause]) -> Vec<String> {
        let shares: Vec<Share> =
            causes.iter().flat_map(|cause| super::advice::shared_by(*cause)).copied().collect();
        self.siblings
            .iter()
            .filter(|siblings| shares.contains(&siblings.share))
            .map(|siblings| siblings.said.clone())
            .collect()
    }

    /// What was compared, for the answer.
    pub(super) fn subject(&self, current: &Held<'_>, codes: usize) -> super::finding::Subject {
        super::finding::Subject {
            serial: self.serial.clone(),
            profile: self.profile,
            model: self.model.map(|model| model.label.clone()),
            recorded: current.parameters,
            server: self.target.map(|target| target.label.clone()),
            codes,
        }
    }
}
