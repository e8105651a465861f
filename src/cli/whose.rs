//! `kiln whose CODE…`: which token of the inventory shows this?

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    moment,
    run::{Form, print_json},
    table::{Table, count},
};
use crate::{
    diagnose::{Diagnosis, whose::Owners},
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
    let seeds = count(owners.tokens, "seed");
    if owners.withheld > 0 {
        writeln!(io.err, "one code is too little to tell those who look on whose it is among {seeds}")?;
    } else if owners.matches.is_empty() {
        writeln!(
            io.err,
            "none of {seeds} on record shows that; widen the search with --within, or find out by kiln diagnose what else is wrong"
        )?;
    }
    if owners.ask_another_code {
        writeln!(
            io.err,
            "ask for the next code, too: among {seeds} so few digits match {:.1e} times by accident (more than {} is too many)",
            owners.accidental,
            Diagnosis::ASK_ABOVE
        )?;
    }
    if owners.unreadable > 0 {
        let those = count(owners.unreadable, "seed");
        writeln!(
            io.err,
            "{those} on record could not be read and were not tried; the station's log names them"
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, Scripted};
    use serde_json::{Value, json};

    fn owners(matches: Value, more: &Value) -> Reply {
        let mut found = json!({
            "matches": matches, "ask_another_code": false, "tokens": 250, "candidates": 10_250, "accidental": 1e-8,
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            found[name] = value.clone();
        }
        Reply::Findings(found)
    }

    fn of(serial: &str) -> Value {
        let parameters = serde_json::to_value(crate::domain::Parameters::standard()).unwrap();
        json!([{
            "token": {"serial": serial, "profile": 0}, "parameters": parameters,
            "offset": {"steps": -2, "seconds": -60}, "posterior": 0.9994,
        }])
    }

    #[test]
    fn one_owner_is_done_and_every_doubt_is_a_no_that_says_what_to_do() {
        for (reply, exit, out, err) in [
            (owners(of("17"), &json!({})), Exit::Done, "17", ""),
            (owners(json!([]), &json!({})), Exit::No, "", "none of 250 seeds on record shows that; widen"),
            (
                owners(of("17"), &json!({"ask_another_code": true, "accidental": 0.01})),
                Exit::No,
                "-60 s",
                "ask for the next code, too: among 250 seeds so few digits match 1.0e-2 times by accident",
            ),
            (
                owners(json!([]), &json!({"ask_another_code": true, "withheld": 2})),
                Exit::No,
                "",
                "one code is too little to tell those who look on",
            ),
            (
                owners(of("17"), &json!({"unreadable": 1})),
                Exit::Done,
                "17",
                "1 seed on record could not be read",
            ),
        ] {
            let mut desk = Desk::default();
            assert_eq!(desk.kiln("whose 123456 654321", &Scripted::new([reply])), exit);
            assert!(desk.out().contains(out) && desk.err().contains(err), "{}{}", desk.out(), desk.err());
            assert_eq!(desk.err().is_empty(), err.is_empty(), "{}", desk.err());
        }
    }
}
