//! What happens at a station, as it happens. Events are news: the snapshot is the truth.

use super::{BatchView, ClockView, Doing, ResyncView, SlotView, VaultState, Who};
use crate::domain::{DriftSeconds, JobState, Proof, Serial, SlotName, UnixMillis};
use serde::{Deserialize, Serialize};

/// An event with its number; numbers start anew with the server and have no gaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Numbered {
    /// From 1.
    pub number: u64,
    /// When.
    pub at: UnixMillis,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// How far a reset or key change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// The token must be put down.
    WaitsForToken,
    /// The token asks for its button.
    WaitsForButton,
    /// It is done, and confirmed by the token.
    Done,
    /// It is not, or nobody knows.
    Failed,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// The server is up; `recovered` jobs were in hand when the last one ended and are unfinished now.
    Started {
        /// Their numbers.
        recovered: Vec<i64>,
    },
    /// A slot says something else than before.
    Slot(SlotView),
    /// A slot is no more: its reader was unplugged.
    SlotGone {
        /// Its name.
        slot: SlotName,
    },
    /// A token told its serial and its clock.
    TokenRead {
        /// Where.
        slot: SlotName,
        /// Which.
        serial: Serial,
        /// Its model, where the catalog knows it.
        model: Option<String>,
        /// Its clock against the station's; none: it has no clock.
        drift: Option<DriftSeconds>,
    },
    /// A job moved.
    Job {
        /// Its number.
        job: i64,
        /// Its batch.
        batch: String,
        /// Where it stands now.
        state: JobState,
        /// The token.
        serial: Option<Serial>,
        /// The slot.
        slot: Option<SlotName>,
        /// How sure it is, once burned.
        proof: Option<Proof>,
        /// Whether a person should type the code from the display.
        wants_eyes: bool,
        /// Why, where it isn't plain.
        reason: Option<String>,
        /// How far off the token's clock is, where the job sets that instead of burning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resync: Option<ResyncView>,
    },
    /// A batch changed in state or numbers.
    Batch(BatchView),
    /// The clock's quality changed, or an override began or ended.
    Clock(ClockView),
    /// The vault was made, opened or closed.
    Vault {
        /// What it is now.
        state: VaultState,
    },
    /// Something that wants a person, until it is read or over.
    Alarm {
        /// Its number, which no other alarm of this station gets.
        id: u64,
        /// What happened.
        message: String,
        /// What to do.
        remedy: String,
        /// Where.
        slot: Option<SlotName>,
        /// What hands should do there.
        doing: Option<Doing>,
    },
    /// Alarms that want nobody any more.
    AlarmsOver {
        /// Their numbers.
        ids: Vec<u64>,
        /// Who has read them; none: what they told of is over.
        read_by: Option<String>,
    },
    /// A reset or key change of a token went on.
    Device {
        /// Which token.
        serial: Serial,
        /// How far it is.
        state: DeviceState,
        /// What there is to say, in a sentence.
        says: String,
        /// What to do now; empty where there is nothing.
        remedy: String,
    },
    /// A person typed a code.
    Verified {
        /// Which token.
        serial: Serial,
        /// Whether it was right.
        right: bool,
    },
    /// Somebody looks on from now on.
    Attached(Who),
    /// Somebody looks on no more.
    Left(Who),
    /// The server ends after the burns in hand.
    Stopping,
}
