//! The state of a station as clients see it. Small whatever the inventory's size, and without secrets.

use super::{ClockCourse, Role};
use crate::domain::{
    ClockState, DriftSeconds, JobCounts, JobState, Parameters, Profile, Proof, ProofCounts, ReadingKind,
    SeedId, Serial, SlotName, SweptCounts, SweptOutcome, TimeKeeper, UnixMillis,
};
use serde::{Deserialize, Serialize};

/// The state now. It carries the number of the last event, so that a client knows where the stream goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Number of the last event that this state contains.
    pub last_event: u64,
    /// The station's time when the snapshot was taken.
    pub at: UnixMillis,
    /// Every slot, by name.
    pub slots: Vec<SlotView>,
    /// Every batch that is not done, and the last few that are.
    pub batches: Vec<BatchView>,
    /// The next jobs, and those in hand or unfinished: a window of the queue.
    pub queue: Vec<JobView>,
    /// What stays until it is read.
    pub alarms: Vec<Alarm>,
    /// The station's clock.
    pub clock: ClockView,
    /// The vault.
    pub vault: VaultState,
    /// How many connections there are, each verb that runs right now among them.
    pub clients: u32,
    /// Who looks on: each subscriber, those who came first before the others.
    pub attached: Vec<Who>,
}

/// Somebody who looks on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The account's name, else `uid N`.
    pub name: String,
    /// What the server allows it; less where the client asked for less.
    pub role: Role,
}

/// Whether burns are possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VaultState {
    /// `kiln init` was never run.
    Absent,
    /// Slots, queue and history show; burns wait for `kiln unlock`.
    Locked,
    /// Open.
    Open,
}

/// What the operator's hands have to do at a slot: one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Doing {
    /// Put a token down.
    Place,
    /// Leave it.
    Wait,
    /// Press the token's button.
    Touch,
    /// Take the token away.
    Take,
    /// Read what the slot says.
    Look,
}

impl Doing {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Place => "place",
            Self::Wait => "wait",
            Self::Touch => "touch",
            Self::Take => "take",
            Self::Look => "look",
        }
    }

    /// The glyph: it says the same where the word has no room.
    pub fn glyph(self) -> char {
        match self {
            Self::Place => '+',
            Self::Wait => '~',
            Self::Touch => '!',
            Self::Take => '^',
            Self::Look => '?',
        }
    }
}

/// One slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlotView {
    /// Its name.
    pub slot: SlotName,
    /// What to do there now.
    pub doing: Doing,
    /// Whether something lies on it, be it a token or not.
    #[serde(default)]
    pub occupied: bool,
    /// The token on it.
    pub serial: Option<Serial>,
    /// That token's model.
    pub model: Option<String>,
    /// The job in hand.
    pub job: Option<i64>,
    /// Steps of the burn done, of how many.
    pub progress: Option<(u32, u32)>,
    /// The token's clock against the station's.
    pub drift: Option<DriftSeconds>,
    /// What there is to say, in a sentence.
    pub says: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl SlotView {
    /// A slot on which nothing lies, and that has nothing to say but what hands should do.
    pub fn empty(slot: SlotName, doing: Doing) -> Self {
        Self {
            slot,
            doing,
            occupied: false,
            serial: None,
            model: None,
            job: None,
            progress: None,
            drift: None,
            says: None,
            remedy: None,
        }
    }
}

/// A batch, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchView {
    /// Its name.
    pub name: String,
    /// `draft`, `running`, `paused`, `done` or `cancelled`.
    pub state: String,
    /// Why it is paused, where kiln did that itself.
    pub reason: Option<String>,
    /// Jobs by state.
    pub jobs: JobCounts,
    /// Burned jobs by proof.
    pub proofs: ProofCounts,
    /// Since when.
    pub created: UnixMillis,
    /// Of several that run the one with the highest number is served first, then the oldest.
    #[serde(default)]
    pub priority: i32,
    /// What it sweeps, where it sets clocks instead of burning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Box<SweepView>>,
}

/// A batch that sets the clocks of tokens on record: which, and how many of those that came stand how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepView {
    /// Clocks that are further off are set, in milliseconds; none: by what the server of each token forgives.
    pub threshold_ms: Option<u64>,
    /// Only tokens of this batch.
    pub of_batch: Option<String>,
    /// Only the clock of this profile, where a token has one for each.
    pub profile: Option<Profile>,
    /// How many tokens it names; 0: it is for any.
    pub serials: u32,
    /// How many came, by what became of them.
    #[serde(flatten)]
    pub swept: SweptCounts,
}

impl SweepView {
    /// Whose clocks it sets, and from how far off on.
    pub fn of_whom(&self) -> String {
        let tokens = match self.serials {
            0 if self.of_batch.is_none() => "all tokens on record".to_owned(),
            0 => "the tokens".to_owned(),
            1 => "1 token".to_owned(),
            n => format!("{n} tokens"),
        };
        let of = self.of_batch.as_ref().map(|batch| format!(" of batch {batch}")).unwrap_or_default();
        let profile = self.profile.map(|profile| format!(" in profile {profile}")).unwrap_or_default();
        let off = match self.threshold_ms {
            Some(ms) => format!("more than {} s", ms / 1000),
            None => "more than a third of what their server forgives".to_owned(),
        };
        format!("{tokens}{of}{profile}, where they are off by {off}")
    }

    /// In words, without those that nothing is said of.
    pub fn words(&self) -> String {
        let counts = SweptOutcome::ALL.into_iter().map(|outcome| (self.swept.of(outcome), outcome));
        let said: Vec<String> =
            counts.filter(|(n, _)| *n > 0).map(|(n, outcome)| format!("{n} {outcome}")).collect();
        if said.is_empty() { "no token yet".to_owned() } else { said.join(", ") }
    }
}

/// A token that came to a sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweptView {
    /// Which.
    pub serial: Serial,
    /// When it was there last.
    pub at: UnixMillis,
    /// Its clock minus the station's when it came, in milliseconds.
    pub before_ms: Option<i64>,
    /// And when it left, where it was set.
    pub after_ms: Option<i64>,
    /// `set`, `right`, `unfinished`, `failed`, `refused`, `not known` or `not meant`.
    pub outcome: String,
    /// Why, where that isn't plain.
    pub reason: Option<String>,
}

/// How far off a clock was that a job sets, in milliseconds: token minus station.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResyncView {
    /// Before.
    pub before_ms: Option<i64>,
    /// Afterwards.
    pub after_ms: Option<i64>,
}

impl ResyncView {
    /// What a job in `state` is called that sets a clock: it burns nothing.
    pub fn word(self, state: JobState) -> &'static str {
        match state {
            JobState::Burned => "set",
            state => state.word(),
        }
    }

    /// Both drifts, as far as they are known: the same words wherever they are read.
    pub fn words(self) -> String {
        let [before, after] = [self.before_ms, self.after_ms].map(|ms| ms.map(DriftSeconds::from_millis));
        match (before, after) {
            (Some(before), Some(after)) => format!("{before} before, {after} now"),
            (Some(before), None) => format!("{before} before"),
            (None, Some(after)) => format!("{after} now"),
            (None, None) => String::new(),
        }
    }
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    /// Its number.
    pub job: i64,
    /// Its batch.
    pub batch: String,
    /// Its place in the batch, from 1.
    pub position: u32,
    /// Where it stands.
    pub state: JobState,
    /// Why.
    pub reason: Option<String>,
    /// The token that it is for or on.
    pub serial: Option<Serial>,
    /// The model that it needs; none: any that fits.
    pub model: Option<String>,
    /// The slot that holds it.
    pub slot: Option<SlotName>,
    /// The user it is for.
    pub upn: Option<String>,
    /// How many profiles it fills.
    pub profiles: u32,
    /// The weakest proof over its profiles.
    pub proof: Option<Proof>,
    /// Whether a person should type the code from the display.
    pub wants_eyes: bool,
    /// How far off the token's clock is, where the job sets that instead of burning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resync: Option<ResyncView>,
}

/// Something that wants a person. It stays until an operator has read it or its cause is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its number, which no other alarm of this station gets.
    pub id: u64,
    /// When.
    pub at: UnixMillis,
    /// What happened.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// Where.
    pub slot: Option<SlotName>,
}

/// The station's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockView {
    /// The time now.
    pub now: UnixMillis,
    /// What it is worth.
    #[serde(flatten)]
    pub state: ClockState,
    /// Whether burns may set tokens from it.
    pub burns_allowed: bool,
    /// Until when a person overrode the gate.
    pub override_until: Option<UnixMillis>,
    /// Who keeps it right; only where that was asked (`clock`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeper: Option<TimeKeeper>,
}

/// A token in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLine {
    /// Its serial.
    pub serial: Serial,
    /// Its model.
    pub model: Option<String>,
    /// The user.
    pub upn: Option<String>,
    /// How many profiles hold a seed on record.
    pub profiles: u32,
    /// The weakest proof over them.
    pub proof: Option<Proof>,
    /// When it was last on record: on a reader, or in a file.
    pub last_seen: Option<UnixMillis>,
    /// When a person said that it is dead.
    pub scrapped: Option<UnixMillis>,
    /// The batch of its last job.
    #[serde(default)]
    pub batch: Option<String>,
}

/// All about one token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenView {
    /// The line.
    #[serde(flatten)]
    pub line: TokenLine,
    /// What each profile held and holds, newest first.
    pub mappings: Vec<MappingView>,
    /// Readings of its clock, newest first.
    pub readings: Vec<ReadingView>,
    /// Since when its clock is right as far as kiln knows: when it was set last.
    #[serde(default)]
    pub clock_set: Option<UnixMillis>,
    /// Its jobs, newest first.
    pub jobs: Vec<JobView>,
    /// How its clock runs; none where it has none, or nobody checks its codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Box<ClockCourse>>,
}

/// Which seed and parameters a profile held, from when to when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingView {
    /// The profile.
    pub profile: Profile,
    /// The seed, by name.
    pub seed: SeedId,
    /// How codes are made of it.
    pub parameters: Parameters,
    /// The title on the token.
    pub title: Option<String>,
    /// The user.
    pub upn: Option<String>,
    /// `burned` here, or `delivered` so.
    pub origin: String,
    /// Since when.
    pub from: UnixMillis,
    /// Until when; none: still.
    pub to: Option<UnixMillis>,
    /// What ended it.
    pub ended_by: Option<String>,
    /// How sure it is.
    pub proof: Option<Proof>,
}

/// A reading of a token's clock.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReadingView {
    /// When.
    pub at: UnixMillis,
    /// Token clock minus the station's.
    pub drift: DriftSeconds,
    /// Half the width of what it may really be.
    pub uncertainty_ms: u64,
    /// What the station's clock was worth.
    pub clock: ClockState,
    /// How it was read.
    #[serde(default)]
    pub kind: ReadingKind,
}
