//! The tokens' clocks: how they run, when they are too far off for their servers, and what to do about them.

use crate::domain::{ClockSetBy, Serial, UnixMillis};
use serde::{Deserialize, Serialize};

/// Which clocks are asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftFilter {
    /// Only those with each of these words in serial, model, batch, target or user; empty for all.
    #[serde(default)]
    pub words: String,
    /// Only those that are out of their window, or likely to be before this moment.
    #[serde(default)]
    pub before: Option<UnixMillis>,
    /// Only those of this batch, by its whole name.
    #[serde(default)]
    pub batch: Option<String>,
}

/// Clocks by the date on which they are likely to fail, those that have failed first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftReport {
    /// The moment for which it was reckoned, by the station's clock.
    pub at: UnixMillis,
    /// How many tokens pass the filter.
    pub total: u64,
    /// This page's.
    pub items: Vec<DriftLine>,
    /// All of them together.
    pub fleet: Fleet,
}

/// All clocks that pass the filter together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fleet {
    /// How many have a rate that their own readings tell.
    pub measured: u64,
    /// How many are likely out of their window now.
    pub outside: u64,
    /// How many are likely to be within half a year.
    pub soon: u64,
    /// How many run how fast, slowest first; only those that are measured.
    pub rates: Vec<RateBin>,
    /// What is known of each model, of all its tokens.
    pub models: Vec<ModelRate>,
    /// Batches that run worse than others of their model, worst first, of all tokens.
    pub odd: Vec<OddBatch>,
}

/// A column of the histogram: rates from `from_ppm` up to `to_ppm`. The first and the last hold what lies beyond, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateBin {
    /// From this rate…
    pub from_ppm: i32,
    /// …up to this one, which is not in it.
    pub to_ppm: i32,
    /// How many.
    pub tokens: u64,
}

/// How the clocks of a model run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelRate {
    /// The model.
    pub model: String,
    /// How many tokens say so.
    pub tokens: u64,
    /// Their middle, in ppm.
    pub ppm: f64,
    /// How far they lie from it, as one standard deviation.
    pub deviation_ppm: f64,
}

/// A batch that runs worse than its peers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OddBatch {
    /// The batch.
    pub batch: String,
    /// The model.
    pub model: String,
    /// How many of its tokens say so.
    pub tokens: u64,
    /// How far off they are on average, in ppm, either way.
    pub off_ppm: f64,
    /// How far the others of the model are.
    pub others_ppm: f64,
}

/// From what a token's rate is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateBy {
    /// From its own readings.
    Own,
    /// From other tokens of its model.
    Model,
    /// From nothing but what crystals are like.
    Nothing,
}

/// A number with the span in which it lies 19 times out of 20.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ranged {
    /// The likeliest.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// What happened to a clock besides running.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum ClockEvent {
    /// It was set.
    Set {
        /// When.
        at: UnixMillis,
        /// By what.
        by: ClockSetBy,
    },
    /// It jumped.
    Jumped {
        /// When that was noticed.
        at: UnixMillis,
        /// By so many seconds.
        by_s: f64,
    },
    /// It began again at a date long past.
    Restarted {
        /// When that was noticed.
        at: UnixMillis,
        /// So many seconds from the right time.
        off_s: f64,
    },
    /// It runs in a time zone, or by summer time.
    Zone {
        /// When that was noticed.
        at: UnixMillis,
        /// So many seconds from UTC, or from what it ran by before.
        zone_s: i64,
    },
    /// A reading that nothing after it agrees with.
    BadReading {
        /// When it was taken.
        at: UnixMillis,
        /// So many seconds from where the clock stood.
        off_s: f64,
    },
}

/// One token's clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftLine {
    /// The token.
    pub serial: Serial,
    /// Its model.
    pub model: Option<String>,
    /// The batch that burned the profile whose window is the narrowest.
    pub batch: Option<String>,
    /// Whose it is.
    pub upn: Option<String>,
    /// The server that checks its codes, as people call it; none: not on record.
    pub target: Option<String>,
    /// So many seconds off, either way, the first codes are rejected. Without a target: a step (RFC 6238 section 5.2).
    pub window_s: u32,
    /// Whether that server follows a clock that is used.
    pub learns: bool,
    /// The last good reading.
    pub read: Option<UnixMillis>,
    /// How many readings tell its rate.
    pub readings: u32,
    /// From what the rate is known.
    pub by: RateBy,
    /// How fast it runs, in ppm: positive gains.
    pub rate_ppm: Ranged,
    /// Where it stands now, token minus reference, in seconds; none: nothing tells.
    pub now_s: Option<Ranged>,
    /// Whether it is likely out of the window.
    pub outside: bool,
    /// When it is likely to be; none: not within ten years, or not as long as the server follows it.
    pub fails: Option<UnixMillis>,
    /// 39 times out of 40 not before…
    pub fails_from: Option<UnixMillis>,
    /// …and not after.
    pub fails_to: Option<UnixMillis>,
    /// What happened to it besides running since it was set last, if anything.
    pub trouble: Option<ClockEvent>,
    /// What to do, as an order.
    pub advice: String,
}

/// Where the fit puts a clock at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FitPoint {
    /// When.
    pub at: UnixMillis,
    /// Token minus reference, in seconds.
    pub drift_s: Ranged,
}

/// One token's clock, with what a plot needs besides its readings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClockCourse {
    /// The line.
    #[serde(flatten)]
    pub line: DriftLine,
    /// What happened to it, oldest first.
    pub events: Vec<ClockEvent>,
    /// The fit, from when it was set (or jumped) last until it leaves the window, in even steps.
    pub fit: Vec<FitPoint>,
}
