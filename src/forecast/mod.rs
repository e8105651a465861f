//! How tokens' clocks run, and when they will be too far off for their servers: from readings to rates, dates and advice.
//! Numbers in, values out; the moment is handed in.
//!
//! **What a reading is worth.** A token tells whole seconds, so its clock stands anywhere within that second: an even
//! spread, to which the exchange adds half its length. A code or a timing by hand is spread wider.
//!
//! **How a crystal runs.** Each has a rate of its own, in millionths (ppm), good to some 20 by its makers' usual figure.
//! Temperature moves it: by the square of the distance from 25 °C, 0.034 ppm for each degree squared (the usual figure of
//! tuning-fork crystals of 32,768 Hz). Where a token lies, that gives a swing with the seasons and one from week to week.
//! Neither is measured; how wide they are is weighed by how well they explain the readings. Ageing (a few ppm in the
//! first year) is part of what is wide.
//!
//! **The fit** is a Kalman filter over five numbers: where the clock stands, its rate, the slow wobble of the rate, and
//! the two halves of the season's swing. It takes each reading once, whatever their number, and its spread says how sure
//! a forecast is (`filter`). Readings that no crystal explains are found by comparing what could have happened instead
//! (`series`): the reading is bad, or the clock jumped. Setting a clock moves where it stands and not how fast it runs,
//! so a new series begins with the rate that is known already.
//!
//! **A forecast** is a date with the span in which it lies 19 times out of 20 ([`Course::leaves`]). `tests/calibrate/clocks.rs` holds
//! that against tokens that are simulated by other means, and `make calibrate` against many more.

mod advice;
mod course;
mod filter;
mod peers;
mod series;

pub use advice::{Advice, Check, advise};
pub use course::{Course, Estimate, Leaves, Rate};
pub use peers::{MadeBy, Odd, Own, Population, odd_batches};
pub use series::{Event, Happened, Known, Reading, Setting};

/// Seconds that a clock gains in a day for each ppm.
const S_PER_PPM_DAY: f64 = 0.0864;

const DAY_MS: f64 = 86_400_000.0;

/// A moment as the filter counts: days since 1970.
fn days(at: crate::domain::UnixMillis) -> f64 {
    at.0 as f64 / DAY_MS
}

/// And back.
fn moment(days: f64) -> crate::domain::UnixMillis {
    crate::domain::UnixMillis((days * DAY_MS) as i64)
}

/// The part of a normal distribution below `z`.
fn below(z: f64) -> f64 {
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}
