//! `kiln verify SERIAL CODE…`: a person read the display.

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    diagnose::show,
    run::{Form, print_json},
    table::{count, plain},
};
use crate::domain::{Profile, Serial};
use crate::face::{Command, Reply};
use clap::Args;

/// Laid out by hand for 80 columns.
const EXAMPLES: &str = "\
Switch the token off and on before reading: until then it may show the code
of its old seed.

Example:
  kiln verify 86596000000001 123456";

/// `kiln verify`
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES
)]
pub struct VerifyArgs {
    /// The token's serial
    serial: Serial,
    /// The codes, in the order in which they were read
    #[arg(required = true, value_name = "CODE")]
    codes: Vec<String>,
    /// Which profile, counted from 0 as on the token's screen
    #[arg(long, value_name = "N", default_value_t = 0)]
    profile: u8,
}

/// Asks and prints; why a wrong code is wrong, too. Exit status 1: a code is wrong.
pub fn run(args: VerifyArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let command = Command::Verify {
        serial: args.serial.clone(),
        profile: Profile::new(args.profile),
        codes: args.codes,
    };
    let verdict = answer!(station, command, Reply::Verdict(verdict) => verdict);
    match form {
        Form::Json => print_json(io.out, &verdict)?,
        Form::Text => {
            let mut said = format!("{}: {}", args.serial, if verdict.right { "right" } else { "wrong" });
            match verdict.steps_off {
                Some(0) => said.push_str(", in the expected step"),
                Some(steps) => {
                    let side = if steps > 0 { "ahead" } else { "behind" };
                    said.push_str(&format!(", {} {side}", count(steps.unsigned_abs(), "step")));
                }
                None => {}
            }
            said.push_str(&format!(" ({} either way searched)", count(verdict.window, "step")));
            if let Some(proof) = verdict.proof {
                said.push_str(&format!("; proof on record: {proof}"));
            }
            writeln!(io.out, "{said}")?;
            match verdict.diagnosis {
                // It says what is wrong and what to do at greater length.
                Some(found) => show(&serde_json::from_value(*found)?, io.out)?,
                None if verdict.advice.is_empty() => {}
                None => writeln!(io.out, "{}", plain(&verdict.advice))?,
            }
        }
    }
    Ok(if verdict.right { Exit::Done } else { Exit::No })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, Scripted};
    use crate::domain::Proof;
    use crate::face::Verdict;

    fn verdict(right: bool, steps_off: Option<i64>) -> Reply {
        let proof = right.then_some(Proof::Seen);
        let advice = "Take the next one.".into();
        Reply::Verdict(Verdict { right, steps_off, window: 10, proof, advice, diagnosis: None })
    }

    #[test]
    fn a_right_code_is_done_and_a_wrong_one_is_a_no() {
        for (reply, exit, said) in [
            (
                verdict(true, Some(-1)),
                Exit::Done,
                "17: right, 1 step behind (10 steps either way searched); proof on record: seen\nTake the next one.\n",
            ),
            (
                verdict(false, None),
                Exit::No,
                "17: wrong (10 steps either way searched)\nTake the next one.\n",
            ),
        ] {
            let station = Scripted::new([reply]);
            let mut desk = Desk::default();
            assert_eq!(desk.kiln("verify 17 123456 654321 --profile 3", &station), exit);
            assert_eq!(desk.out(), said);
            let asked = serde_json::json!(
                {"do": "verify", "serial": "17", "profile": 3, "codes": ["123456", "654321"]}
            );
            assert_eq!(station.asked(), [asked]);
        }
    }
}
