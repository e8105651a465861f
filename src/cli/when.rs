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
    let Times { times: found, cut, collisions, .. } = times;
    for shown in found {
        write!(io.out, "{}  to  {}  (give or take {} s)", shown.from, shown.until, shown.uncertainty_s)?;
        match shown.replaced {
            Some(at) => writeln!(io.out, "  by the seed that was replaced at {at}")?,
            None => writeln!(io.out)?,
        }
    }
    if found.is_empty() {
        writeln!(io.err, "not shown between {} and {}", times.since, times.until)?;
    }
    if *cut {
        writeln!(io.err, "and more: a code that comes back so often proves no time")?;
    }
    match &collisions.advice {
        Some(advice) => writeln!(io.err, "{advice}")?,
        None => writeln!(
            io.err,
            "chance that another time of the {} steps in the range shows it, too: {}",
            collisions.steps,
            percent(collisions.chance)
        )?,
    }
    Ok(())
}

/// As people read it; small ones by their power of ten.
fn percent(chance: f64) -> String {
    if chance >= 0.000_1 { format!("{:.2} %", chance * 100.0) } else { format!("{:.0e}", chance) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, Scripted};
    use serde_json::{Value, json};

    fn times(times: &Value) -> Reply {
        Reply::Findings(json!({
            "since": 1_772_539_200, "until": 1_772_625_600, "times": times, "cut": false,
            "collisions": {
                "steps": 2_881, "expected": 0.00288, "chance": 0.00288,
                "with_eight_digits_and_sixty_seconds": 0.0000144, "advice": null,
            },
        }))
    }

    #[test]
    fn one_time_is_done_and_none_or_several_are_a_no() {
        let at =
            |from: i64| json!({"step": 59_087_520, "from": from, "until": from + 30, "uncertainty_s": 4});
        let replaced = json!({"step": 1, "from": 1_772_600_000, "until": 1_772_600_030, "uncertainty_s": 4,
            "replaced": 1_772_610_000});
        for (found, exit, out, err) in [
            (
                json!([at(1_772_600_400)]),
                Exit::Done,
                "2026-03-04T05:00:00Z  to  2026-03-04T05:00:30Z  (give or take 4 s)\n",
                "",
            ),
            (json!([]), Exit::No, "", "not shown between 2026-03-03T12:00:00Z and 2026-03-04T12:00:00Z\n"),
            (json!([at(1_772_600_400), at(1_772_610_000)]), Exit::No, "05:00:00Z", ""),
            (json!([replaced]), Exit::Done, "by the seed that was replaced at 2026-03-04T07:40:00Z", ""),
        ] {
            let mut desk = Desk::default();
            assert_eq!(desk.kiln("when 17 123456", &Scripted::new([times(&found)])), exit);
            assert!(desk.out().contains(out) && desk.err().contains(err), "{}{}", desk.out(), desk.err());
            assert!(
                desk.err().contains("of the 2881 steps in the range shows it, too: 0.29 %"),
                "{}",
                desk.err()
            );
        }
    }
}
