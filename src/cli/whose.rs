//! `kiln whose CODE…`: which token of the inventory shows this?

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    moment,
    run::{Form, print_json},
    table::Table,
};
use crate::{
    diagnose::whose::Owners,
    domain::UnixTime,
    face::{Command, Reply},
};
use clap::Args;

/// `kiln whose`
#[derive(Debug, Args)]
pub struct WhoseArgs {
    /// The codes that the token showed, in their order
    #[arg(value_name = "CODE", required = true)]
    codes: Vec<String>,
    /// When the first code was read: RFC 3339 or seconds since 1970 [default: the last just now]
    #[arg(long, value_name = "TIME", value_parser = moment::parse, allow_hyphen_values = true)]
    at: Option<UnixTime>,
    /// Clock errors up to so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    within: u32,
}

/// Asks and prints. Status 0 where exactly one token shows the codes and no other code is needed.
pub fn run(args: WhoseArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let command = Command::Whose { codes: args.codes, at: args.at, within_s: args.within };
    let found = answer!(station, command, Reply::Findings(found) => found);
    let owners: Owners = serde_json::from_value(found.clone())?;
    match form {
        Form::Json => print_json(io.out, &found)?,
        Form::Text => print(&owners, io)?,
    }
    let settled = owners.matches.len() == 1 && !owners.ask_another_code;
    Ok(if settled { Exit::Done } else { Exit::No })
}

fn print(owners: &Owners, io: &mut Io<'_>) -> Result<(), CliError> {
    let mut table = Table::new(&["TOKEN", ">PROFILE", ">CLOCK", ">SURE"]);
    for found in &owners.matches {
        table.row([
            found.token.serial.to_string(),
            found.token.profile.to_string(),
            found.offset.map_or_else(|| "-".into(), |offset| format!("{:+} s", offset.seconds)),
            format!("{:.1} %", found.posterior * 100.0),
        ]);
    }
    table.write(io.out)?;
    if owners.matches.is_empty() {
        writeln!(
            io.err,
            "none of {} seeds on record shows that; widen the search with --within",
            owners.tokens
        )?;
    }
    if owners.ask_another_code {
        writeln!(
            io.err,
            "ask for another code: among {} seeds one code is no proof ({:.1e} accidental matches to be expected)",
            owners.tokens, owners.accidental
        )?;
    }
    Ok(())
}
