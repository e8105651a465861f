//! What a batch may do with what it finds on a token: arguments that `import` and `batch new` share.

use crate::domain::{OnFound, SeenPolicy, Serials};
use crate::face::BatchPolicy;
use clap::{Args, ValueEnum};

/// `--on-factory`, `--on-foreign`, `--seen`, `--serials`.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "What the batch allows")]
pub struct PolicyArgs {
    /// A token as delivered, with the vendor's seed or none [default: replace]
    #[arg(long, value_name = "WHAT")]
    pub on_factory: Option<Found>,
    /// A token with a seed that is not on record here [default: ask]
    #[arg(long, value_name = "WHAT")]
    pub on_foreign: Option<Found>,
    /// Which tokens a person must prove by typing a displayed code, where the token itself proves too little: the
    /// FIRST so many, then each EVERY-th (0: none) [default: 1,25]
    #[arg(long, value_name = "FIRST,EVERY")]
    pub seen: Option<SeenPolicy>,
    /// By what serial a key goes that tells none: one that a person gives it, or a random one [default: given]
    #[arg(long, value_name = "HOW")]
    pub serials: Option<From>,
}

/// `--priority`.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct PriorityArg {
    /// Of several running batches the one with the highest number is served first
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub priority: i32,
}

impl PolicyArgs {
    /// As it goes to the station.
    pub fn to_face(self) -> BatchPolicy {
        BatchPolicy {
            factory: self.on_factory.map(Found::to_domain),
            foreign: self.on_foreign.map(Found::to_domain),
            seen: self.seen,
            serials: self.serials.map(From::to_domain),
        }
    }
}

/// Where a serial comes from that a key does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// From a person: `kiln slots serial SLOT SERIAL`
    Given,
    /// Drawn by the station
    Random,
}

impl From {
    fn to_domain(self) -> Serials {
        match self {
            Self::Given => Serials::Given,
            Self::Random => Serials::Random,
        }
    }
}

/// What to do with a token that holds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Found {
    /// Leave it alone
    Refuse,
    /// Wait for `kiln token allow SERIAL --replace`
    Ask,
    /// Write over it
    Replace,
}

impl Found {
    fn to_domain(self) -> OnFound {
        match self {
            Self::Refuse => OnFound::Refuse,
            Self::Ask => OnFound::Ask,
            Self::Replace => OnFound::Replace,
        }
    }
}
