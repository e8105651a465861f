//! What is known before the search: plain values that a station fills from its records, or a command from one seed.

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
    /// profile is the seed on record. At least that one must be there.
    pub history: Vec<Held<'a>>,
    /// What is known of the token's clock.
    pub drift: Option<Drift>,
    /// Seeds on record besides this token's: how many the neighbours will be at most. It sets how likely any single
    /// one of them is.
    pub inventory: u64,
    /// Who else is affected if the records share a mistake (same batch, station, hour, recipe), each in words.
    pub siblings: Vec<String>,
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
}

/// What is known of a token's clock at one moment. Positive: the token is fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// When it was measured.
    pub at: UnixTime,
    /// Token clock minus reference, in seconds.
    pub seconds: f64,
    /// How far off that may be, in seconds.
    pub error_s: f64,
    /// What it gains a day, in seconds.
    pub rate_s_per_day: f64,
    /// How far off that may be, in seconds a day.
    pub rate_error_s_per_day: f64,
}

impl Drift {
    /// A clock of which nothing was measured, set right `at` a moment: a quartz of 20 ppm, which is what watch crystals
    /// keep at room temperature.
    pub fn unmeasured(at: UnixTime) -> Self {
        Self { at, seconds: 0.0, error_s: 1.0, rate_s_per_day: 0.0, rate_error_s_per_day: 1.73 }
    }

    fn days_since(&self, moment: UnixTime) -> f64 {
        moment.0.saturating_sub(self.at.0) as f64 / 86_400.0
    }

    /// Token clock minus reference at `moment`, in seconds.
    pub fn seconds_at(&self, moment: UnixTime) -> f64 {
        self.seconds + self.days_since(moment) * self.rate_s_per_day
    }

    /// How far off [`seconds_at`](Self::seconds_at) may be, in seconds.
    pub fn error_at(&self, moment: UnixTime) -> f64 {
        self.error_s + self.days_since(moment).abs() * self.rate_error_s_per_day
    }
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

    /// The seed on record for the profile in question.
    pub fn current(&self) -> Option<&Held<'a>> {
        self.history.iter().find(|held| held.profile == self.profile && held.standing == Standing::Current)
    }
}
