//! `kiln drift`: the tokens' clocks.

use super::{Ask, CliError, Exit, Io, resync, run::Form};
use clap::{Args, Subcommand};

/// `kiln drift`
#[derive(Debug, Args)]
pub struct DriftArgs {
    #[command(subcommand)]
    verb: DriftVerb,
}

/// What can be asked of, or done to, the tokens' clocks.
#[derive(Debug, Subcommand)]
enum DriftVerb {
    /// Set the clocks of tokens right as they are put down; seeds and parameters stay as they are
    #[command(after_help = resync::EXAMPLES)]
    Resync(resync::ResyncArgs),
    /// What became of each token that came to a sweep
    Swept(resync::SweptArgs),
}

/// Asks and prints.
pub fn run(args: DriftArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    match args.verb {
        DriftVerb::Resync(args) => resync::run(args, form, io, station),
        DriftVerb::Swept(args) => resync::swept(&args, form, io, station),
    }
}
