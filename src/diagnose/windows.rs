//! How wide the search goes.

/// The bounds of a search. Each can be widened; every answer says how wide it was. Durations are in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Clock error searched without a gap, to each side of what the records expect.
    pub drift_s: u32,
    /// The date may be this many whole days off, to each side.
    pub days: u32,
    /// The year may be this many off, to each side.
    pub years: u32,
    /// Any clock error at all, to each side.
    pub any_s: u32,
    /// How long a clock that fell back to its first moment may have run since.
    pub reset_s: u32,
    /// HOTP counters searched: from 0 for a time-based seed, to each side of the counter for a counter-based one.
    pub counters: u32,
    /// Clock error allowed where something else is wrong, too (another seed, another token), to each side.
    pub beside_s: u32,
}

impl Default for Windows {
    /// An hour of drift, 400 days, 30 years, 3 days of any error, 7 days after a reset, 1000 counters, 5 minutes.
    fn default() -> Self {
        Self {
            drift_s: 3_600,
            days: 400,
            years: 30,
            any_s: 3 * 86_400,
            reset_s: 7 * 86_400,
            counters: 1_000,
            beside_s: 300,
        }
    }
}

impl Windows {
    /// All of them `factor` times as wide.
    pub fn widened(self, factor: u32) -> Self {
        let by = |n: u32| n.saturating_mul(factor);
        Self {
            drift_s: by(self.drift_s),
            days: by(self.days),
            years: by(self.years).min(200),
            any_s: by(self.any_s),
            reset_s: by(self.reset_s),
            counters: by(self.counters),
            beside_s: by(self.beside_s),
        }
    }
}
