//! `kiln when SERIAL CODE…`: when was this code shown?

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    moment,
    run::{Form, print_json},
};
use crate::{
    diagnose::when::Times,
    domain::{Profile, Serial, UnixTime},
    face::{Command, Reply},
};
use clap::Args;

/// `kiln when`
#[derive(Debug, Args)]
pub struct WhenArgs {
    /// The token's serial
    serial: Serial,
    /// The codes that it showed, in their order
    #[arg(value_name = "CODE", required = true)]
    codes: Vec<String>,
    /// Which of its profiles
    #[arg(long, value_name = "N", default_value_t = 0)]
    profile: u8,
    /// From when: RFC 3339 or seconds since 1970 [default: a day before --until]
    #[arg(long, value_name = "TIME", value_parser = moment::parse, allow_hyphen_values = true)]
    since: Option<UnixTime>,
    /// Until when [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment::parse, allow_hyphen_values = true)]
    until: Option<UnixTime>,
}

/// Asks and prints. Status 0 where the codes were shown at exactly one time of the range.
pub fn run(args: WhenArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let command = Command::When {
        serial: args.serial,
        profile: Profile::new(args.profile),
        codes: args.codes,
        since: args.since,
        until: args.until,
    };
    let found = answer!(station, command, Reply::Findings(found) => found);
    let times: Times = serde_json::from_value(found.clone())?;
    match form {
        Form::Json => print_json(io.out, &found)?,
        Form::Text => print(&times, io)?,
    }
    Ok(if times.times.len() == 1 { Exit::Done } else { Exit::No })
}

fn print(times: &Times, io: &mut Io<'_>) -> Result<(), CliError> {
    for shown in &times.times {
        writeln!(io.out, "{}  to  {}  (give or take {} s)", shown.from, shown.until, shown.uncertainty_s)?;
    }
    if times.times.is_empty() {
        writeln!(io.err, "not shown between {} and {}", times.since, times.until)?;
    }
    if times.cut {
        writeln!(io.err, "and more: a code that comes back so often proves no time")?;
    }
    writeln!(io.err, "chance that another time of the range shows it, too: {:.1e}", times.collisions.chance)?;
    if let Some(advice) = &times.collisions.advice {
        writeln!(io.err, "{advice}")?;
    }
    Ok(())
}
