//! What a client can ask of a station.

use super::{ActivationAsk, DriftFilter, ExportOptions, Role, SecretBytes, SeenCode};
use crate::domain::{
    Digits, Hash, JobState, OnFound, Period, Profile, SeenPolicy, Serial, Serials, Touch, UnixTime,
    seed_text::Encoding,
};
use serde::{Deserialize, Serialize};

/// One request. Each is answered by one reply; [`Command::needs`] says who may ask.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Command {
    /// The state now.
    Snapshot,
    /// The state now, and events from then on.
    Subscribe,
    /// Makes the vault: seals a check value under `data_key`, keeps the first holder's file, leaves the vault open.
    VaultInit {
        /// The first holder.
        holder: super::HolderFile,
        /// The key that the file holds.
        data_key: SecretBytes,
    },
    /// The files of all holders; the client opens its own.
    Holders,
    /// Opens the vault.
    VaultUnlock {
        /// The data key.
        data_key: SecretBytes,
    },
    /// Closes it. A burn in hand ends first.
    VaultLock,
    /// Keeps another holder's file.
    HolderAdd {
        /// The file; it must hold the same data key, which the client has checked.
        holder: super::HolderFile,
    },
    /// Forgets a holder; the last one stays.
    HolderRemove {
        /// Its name.
        name: String,
    },
    /// Keeps a customer key in the vault, by name.
    KeyAdd {
        /// How batches call it.
        name: String,
        /// The bytes; hex or ASCII was decided by the client.
        key: SecretBytes,
    },
    /// Names and fingerprints of the customer keys.
    Keys,
    /// Reads a seed file into a batch or the inventory; with `dry_run` only says what would happen.
    Import {
        /// The file's name, for the record.
        file_name: String,
        /// Its content.
        content: SecretBytes,
        /// What to do with it.
        options: ImportOptions,
    },
    /// Models, recipes and targets, for whoever makes batches.
    Catalog,
    /// Makes a batch with random seeds; with `dry_run` only says whether it could be made.
    BatchNew(NewBatch),
    /// All batches.
    Batches,
    /// One batch with its policy.
    BatchShow {
        /// Its name.
        name: String,
    },
    /// Lets slots take jobs of the batch.
    BatchStart {
        /// Its name.
        name: String,
    },
    /// Lets no slot take another job of it.
    BatchPause {
        /// Its name.
        name: String,
    },
    /// Puts failed jobs of the batch back into the queue.
    BatchRetry {
        /// Its name.
        name: String,
    },
    /// Says which of several running batches is served first.
    BatchPriority {
        /// The batch's name.
        name: String,
        /// The highest number first; a new batch has 0.
        priority: i32,
    },
    /// Calls the batch off: what was begun can still be finished.
    BatchCancel {
        /// Its name.
        name: String,
    },
    /// Makes a batch that sets the clocks of tokens on record as they are put down, and lets it run.
    Resync(NewSweep),
    /// The tokens that came to such a batch, the last one first.
    Swept {
        /// The batch's name.
        name: String,
        /// Which page.
        page: Page,
    },
    /// Alarms were read: they are shown to nobody any more.
    AlarmsRead {
        /// Their numbers. Those that another has read meanwhile, or that are over, are no error.
        ids: Vec<u64>,
    },
    /// Jobs of a batch.
    Jobs {
        /// The batch's name.
        batch: String,
        /// Which of them.
        filter: JobFilter,
        /// Which page.
        page: Page,
    },
    /// The inventory, filtered by words, each of which is searched in serial, user, model, titles, batch and state.
    Tokens {
        /// The words; empty for all.
        query: String,
        /// Which page.
        page: Page,
    },
    /// The tokens' clocks, by the date on which they are likely to be too far off.
    Drift {
        /// Which of them.
        #[serde(default)]
        filter: DriftFilter,
        /// Which page.
        page: Page,
    },
    /// A person timed the changes of this token's code: a reading of a clock that no reader can read.
    ClockTimed {
        /// The token.
        serial: Serial,
        /// The period in seconds.
        period_s: u32,
        /// Token clock minus the station's, in milliseconds; whole periods can't be told by it.
        offset_ms: i64,
        /// How far off that may be, either way.
        within_ms: u64,
    },
    /// All about one token.
    Token {
        /// Its serial.
        serial: Serial,
    },
    /// Compares codes typed from the display with the record, and records the proof *seen*.
    Verify {
        /// The token's serial.
        serial: Serial,
        /// Which profile.
        profile: Profile,
        /// One or more codes, in the order they were read.
        codes: Vec<String>,
    },
    /// Shows what enrols one profile of a token elsewhere: whoever sees it can make the token's codes from then on.
    /// Recorded before it is answered.
    Reveal {
        /// The token's serial.
        serial: Serial,
        /// Which profile.
        profile: Profile,
        /// The serial's last four characters, typed by the person.
        last_four: String,
    },
    /// A person allows, for one serial and one time, what kiln would not do by itself.
    Allow {
        /// The token's serial.
        serial: Serial,
        /// Its last four characters, typed by the person.
        last_four: String,
        /// What is allowed.
        what: Consent,
    },
    /// The token died with its seed.
    Scrap {
        /// Its serial.
        serial: Serial,
        /// Its last four characters, typed by the person.
        last_four: String,
        /// An imported seed of it goes back to its batch, for another token. Else it stays bound to the dead one.
        #[serde(default)]
        release_seeds: bool,
    },
    /// Resets a token to its factory state as soon as it lies on a slot and its button is pressed. Told by
    /// [`Event::Device`](super::Event::Device).
    DeviceReset {
        /// Its serial.
        serial: Serial,
        /// Its last four characters, typed by the person.
        last_four: String,
    },
    /// Gives a token another customer key, likewise.
    DeviceSetKey {
        /// Its serial.
        serial: Serial,
        /// Its last four characters, typed by the person.
        last_four: String,
        /// The key that it takes now, by its name in the vault; none: the one it was delivered with.
        current: Option<String>,
        /// The new key, by its name in the vault.
        new: String,
    },
    /// A person has pressed the button of a token that waits for it.
    DevicePressed {
        /// Its serial.
        serial: Serial,
    },
    /// Forgets a reset or key change that was not begun.
    DeviceCancel {
        /// The token's serial.
        serial: Serial,
    },
    /// Why is a code of this token rejected? Those who only look on may ask this and the next two some times an hour, and
    /// are told what is no accident.
    Diagnose {
        /// The token.
        serial: Serial,
        /// The profile that should have shown the codes.
        profile: Profile,
        /// Successive displays, or, where `typed` says when, any.
        codes: Vec<String>,
        /// What the display shows instead of a code.
        shows: Option<String>,
        /// When the first was read; none: the last was read just now.
        at: Option<UnixTime>,
        /// When each was typed, up to some twenty seconds after it was read. Empty: they are successive displays.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        typed: Vec<UnixTime>,
        /// Search windows so many times as wide.
        wider: u32,
    },
    /// What explains what this token shows, and what would it show about now under each explanation?
    Examine {
        /// The token.
        serial: Serial,
        /// The profile that should have shown the codes.
        profile: Profile,
        /// What was typed so far, each with its moment; may be empty.
        seen: Vec<SeenCode>,
        /// What the display shows instead of a code.
        shows: Option<String>,
    },
    /// Which token of the inventory shows these codes?
    Whose {
        /// Successive displays.
        codes: Vec<String>,
        /// When the first was read; none: the last was read just now.
        at: Option<UnixTime>,
        /// Seconds of clock error to each side.
        within_s: u32,
    },
    /// When did this token show these codes?
    When {
        /// The token.
        serial: Serial,
        /// The profile.
        profile: Profile,
        /// Successive displays.
        codes: Vec<String>,
        /// From when; none: a day before `until`.
        since: Option<UnixTime>,
        /// Until when; none: now.
        until: Option<UnixTime>,
    },
    /// Writes what is burned in a server's format.
    Export(ExportOptions),
    /// Codes by which tokens are activated at their server, as the station computes them.
    ActivationCodes(ActivationAsk),
    /// The server has taken the codes of these tokens.
    Activated {
        /// Which.
        serials: Vec<Serial>,
        /// The code that a person read from the display of the only one; none: those that the station computed.
        code: Option<String>,
    },
    /// What an auditor wants to know of a batch.
    BatchReport {
        /// Its name.
        name: String,
    },
    /// The slots with their readers.
    Slots,
    /// Gives a slot a name that stays with its reader; none: the reader's own name.
    SlotName {
        /// The slot, by its name or its reader's.
        slot: String,
        /// The new name.
        name: Option<String>,
    },
    /// Gives the token that lies on a slot and tells no serial the one by which it goes from now on.
    SlotSerial {
        /// The slot, by its name or its reader's.
        slot: String,
        /// The serial.
        serial: Serial,
    },
    /// Gives up the wait for a touch of the key on a slot: on USB, where it does not wait within a reader.
    SlotGiveUp {
        /// The slot, by its name or its reader's.
        slot: String,
    },
    /// Reads codes from the key on a slot: all that it calculates by itself, or one, by its name.
    OtpRead {
        /// The slot, by its name or its reader's; none: the only one on which something lies.
        slot: Option<String>,
        /// Which: the whole name, its title, or its account. One that wants a touch waits for it; one that counts is used
        /// up.
        name: Option<String>,
        /// The password of the key, by its name in the vault.
        key: Option<String>,
    },
    /// The station's clock.
    Clock,
    /// Lets burns go on with a clock that is not trusted, for a while.
    ClockOverride {
        /// For how long.
        seconds: u32,
    },
    /// Walks the audit chain.
    AuditVerify,
    /// The head of the chain, to be kept elsewhere.
    AuditAnchor,
    /// Entries of the log, newest first.
    AuditShow {
        /// Only those that hold this text in who, what, serial or detail; empty for all.
        #[serde(default)]
        query: String,
        /// Which page.
        page: Page,
    },
    /// What is right and wrong with the station and the machine it runs on, as the server sees it.
    Doctor,
    /// Ends running burns, then the server.
    Stop,
}

impl Command {
    /// The least role that may ask this.
    pub fn needs(&self) -> Role {
        match self {
            Self::Snapshot
            | Self::Subscribe
            | Self::Keys
            | Self::Catalog
            | Self::Batches
            | Self::BatchShow { .. }
            | Self::Jobs { .. }
            | Self::Swept { .. }
            | Self::Tokens { .. }
            | Self::Drift { .. }
            | Self::Token { .. }
            | Self::Diagnose { .. }
            | Self::Whose { .. }
            | Self::When { .. }
            | Self::Slots
            | Self::Clock
            | Self::AuditVerify
            | Self::AuditAnchor
            | Self::AuditShow { .. }
            | Self::BatchReport { .. }
            | Self::Doctor => Role::Observer,
            Self::VaultInit { .. }
            | Self::Holders
            | Self::VaultUnlock { .. }
            | Self::VaultLock
            | Self::HolderAdd { .. }
            | Self::HolderRemove { .. }
            | Self::KeyAdd { .. }
            | Self::Import { .. }
            | Self::BatchNew(_)
            | Self::BatchStart { .. }
            | Self::BatchPause { .. }
            | Self::BatchRetry { .. }
            | Self::BatchPriority { .. }
            | Self::BatchCancel { .. }
            | Self::Resync(_)
            | Self::AlarmsRead { .. }
            | Self::ClockTimed { .. }
            | Self::Verify { .. }
            | Self::Reveal { .. }
            | Self::Allow { .. }
            | Self::Scrap { .. }
            | Self::DeviceReset { .. }
            | Self::DeviceSetKey { .. }
            | Self::DevicePressed { .. }
            | Self::DeviceCancel { .. }
            | Self::Examine { .. }
            | Self::Export(_)
            | Self::ActivationCodes(_)
            | Self::Activated { .. }
            | Self::SlotName { .. }
            | Self::SlotSerial { .. }
            | Self::SlotGiveUp { .. }
            | Self::OtpRead { .. }
            | Self::ClockOverride { .. }
            | Self::Stop => Role::Operator,
        }
    }
}

/// Where imported seeds go. Must be said, since burning destroys a factory seed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportTarget {
    /// They are to be burned: jobs of a new batch of this name.
    Batch(String),
    /// The tokens hold them already: a record only.
    Inventory,
}

/// How to read a seed file and what to make of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportOptions {
    /// Batch or inventory.
    pub target: ImportTarget,
    /// The format, where the content's own look is to be overruled.
    pub format: Option<String>,
    /// The columns of a table in order, where its first line doesn't name them.
    #[serde(default)]
    pub columns: Option<String>,
    /// How the seeds of a table are spelled, where its header doesn't say.
    #[serde(default)]
    pub encoding: Option<Encoding>,
    /// The serials that the file should hold, no more and no fewer.
    #[serde(default)]
    pub expect: Option<Vec<Serial>>,
    /// Recipes by name; each serves the lines whose model it lists. None: one profile as the line states.
    pub recipes: Vec<String>,
    /// Keys: lines of one user without a serial go on one key together.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub key_per_user: bool,
    /// The login server that will check the codes.
    pub login_target: Option<String>,
    /// The hash, where the file doesn't say.
    pub hash: Option<Hash>,
    /// Take the good lines although there are bad ones.
    pub good_lines_only: bool,
    /// Change nothing.
    pub dry_run: bool,
    /// The customer key of the tokens, by its name in the vault; none: the key that the model was delivered with.
    pub key: Option<String>,
    /// What the batch allows.
    pub policy: BatchPolicy,
    /// Of several running batches the one with the highest number is served first.
    #[serde(default)]
    pub priority: i32,
}

impl ImportOptions {
    /// Nothing said but where the seeds go.
    pub fn to(target: ImportTarget) -> Self {
        Self {
            target,
            format: None,
            columns: None,
            encoding: None,
            expect: None,
            recipes: Vec::new(),
            key_per_user: false,
            login_target: None,
            hash: None,
            good_lines_only: false,
            dry_run: false,
            key: None,
            policy: BatchPolicy::default(),
            priority: 0,
        }
    }
}

/// What a batch allows, as far as it was said; the rest is the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchPolicy {
    /// What to do with a token as delivered.
    pub factory: Option<OnFound>,
    /// What to do with a token that somebody else filled.
    pub foreign: Option<OnFound>,
    /// Which tokens a person must prove.
    pub seen: Option<SeenPolicy>,
    /// By what serial a token goes that tells none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serials: Option<Serials>,
}

/// A batch with random seeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewBatch {
    /// Its name.
    pub name: String,
    /// How many tokens.
    pub count: u32,
    /// Which model.
    pub model: String,
    /// Which recipe.
    pub recipe: String,
    /// The login server that will check the codes.
    pub login_target: Option<String>,
    /// The customer key, by its name in the vault.
    pub key: Option<String>,
    /// What it allows.
    pub policy: BatchPolicy,
    /// Change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Of several running batches the one with the highest number is served first.
    #[serde(default)]
    pub priority: i32,
    /// Whom the tokens are for, and what the recipe leaves open.
    #[serde(default)]
    pub made_for: MadeFor,
}

/// Whom the tokens of a batch with random seeds are for, and how their codes are made as far as the recipe leaves that open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MadeFor {
    /// One token for each of them, in this order; none: as many as the count says, for nobody yet.
    pub users: Vec<User>,
    /// The hash.
    pub hash: Option<Hash>,
    /// The code length.
    pub digits: Option<Digits>,
    /// The period.
    pub period: Option<Period>,
    /// Counter-based codes, from 0, instead of time-based ones.
    pub counts: bool,
    /// Whether each code wants a touch, on keys that can want one.
    pub touch: Touch,
}

/// Whose a token will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their user principal name.
    pub upn: String,
    /// The token's serial, where it is given; whichever comes else.
    #[serde(default)]
    pub serial: Option<Serial>,
}

/// A batch that sets clocks: of which tokens, and from how far off on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSweep {
    /// Its name; none: one with the day in it.
    pub name: Option<String>,
    /// Clocks that are further off are set, in seconds. None: two seconds where tokens are named, else a third of what
    /// the server of each token forgives.
    pub threshold_s: Option<u32>,
    /// Only tokens that hold something of this batch.
    pub of_batch: Option<String>,
    /// Only these; empty: all that are on record.
    pub serials: Vec<Serial>,
    /// Only the clock of this profile, where a token has one for each.
    pub profile: Option<Profile>,
    /// How long displays stay on, in seconds: of tokens that are delivered and whose own is not on record. Kept with each.
    #[serde(default)]
    pub display_timeout_s: Option<u16>,
}

/// Which jobs of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFilter {
    /// Only those in this state.
    pub state: Option<JobState>,
}

/// A piece of a long list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// How many to pass over.
    pub offset: u32,
    /// How many to give; the server gives 1,000 at the most.
    pub limit: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { offset: 0, limit: 100 }
    }
}

/// What a person can allow for one serial, one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// Another seed over what the token holds.
    Replace,
    /// One more authentication after a refused key or a link that was lost during one.
    TryKey,
}
