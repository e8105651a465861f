//! `kiln activate list|walk|done`: codes for a server that takes an uploaded token only after it was given one.

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    prompt::PromptError,
    run::{Form, done, print_json},
    table::{Table, count, or_dash, plain},
};
use crate::domain::{Serial, UnixTime};
use crate::face::{ActivationAsk, ActivationCode, ActivationCodes, COMPUTED_PROVES_LITTLE, Command, Reply};
use clap::{Args, Subcommand};
use std::io::Write;

/// What to do instead, where the token is at hand.
const BETTER: &str = "where it is at hand, read its display (kiln activate done SERIAL --code CODE)";

/// `kiln activate`
#[derive(Debug, Subcommand)]
pub enum ActivateVerb {
    /// Codes to type at the server now, no faster than it takes them
    List(ListArgs),
    /// One token after the other: its code, and what the server said to it
    Walk(Which),
    /// Record that the server has taken the codes of these tokens
    Done(DoneArgs),
}

/// Of which tokens.
#[derive(Debug, Args)]
pub struct Which {
    /// Only these tokens [default: all that are not activated yet]
    serials: Vec<Serial>,
    /// Only of this batch
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,
    /// The server [default: the batch's]
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
}

/// `kiln activate list`
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    which: Which,
    /// So many at most: as many as you can type before they change
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// A sheet: comma-separated values with a header (serial,user,code,valid for s)
    #[arg(long)]
    csv: bool,
}

/// `kiln activate done`
#[derive(Debug, Args)]
pub struct DoneArgs {
    /// The tokens
    #[arg(required = true)]
    serials: Vec<Serial>,
    /// The code that was read from the display of the only one: the proof is then "seen", not "computed"
    #[arg(long)]
    code: Option<String>,
}

impl Which {
    fn ask(&self, limit: u32) -> ActivationAsk {
        ActivationAsk {
            batch: self.batch.clone(),
            serials: self.serials.clone(),
            except: Vec::new(),
            limit,
            login_target: self.target.clone(),
        }
    }
}

/// Asks and prints.
pub fn run(verb: ActivateVerb, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    match verb {
        ActivateVerb::List(args) => list(&args, form, io, station),
        ActivateVerb::Walk(which) => walk(&which, io, station),
        ActivateVerb::Done(args) => {
            let number = args.serials.len() as u64;
            let seen = args.code.is_some();
            done(station, Command::Activated { serials: args.serials, code: args.code })?;
            let proof = if seen { "with a code seen on the display" } else { "with a computed code" };
            writeln!(io.err, "{} activated, {proof}", count(number, "token"))?;
            Ok(Exit::Done)
        }
    }
}

fn codes(station: &mut dyn Ask, ask: ActivationAsk) -> Result<ActivationCodes, CliError> {
    Ok(answer!(station, Command::ActivationCodes(ask), Reply::ActivationCodes(codes) => codes))
}

fn left(code: &ActivationCode, at: UnixTime) -> i64 {
    code.until.0.saturating_sub(at.0)
}

fn list(args: &ListArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let codes = codes(station, args.which.ask(args.limit))?;
    match form {
        Form::Json => print_json(io.out, &codes)?,
        Form::Text if args.csv => sheet(&codes, io.out)?,
        Form::Text => {
            let mut table = Table::new(&["SERIAL", ">CODE", ">VALID FOR", "USER"]);
            for code in &codes.codes {
                let valid = format!("{} s", left(code, codes.at));
                table.row([code.serial.to_string(), code.code.clone(), valid, or_dash(code.user.as_ref())]);
            }
            table.write(io.out)?;
        }
    }
    for sentence in &codes.left_out {
        writeln!(io.err, "left out: {}", plain(sentence))?;
    }
    if !codes.codes.is_empty() {
        writeln!(io.err, "{COMPUTED_PROVES_LITTLE}: {BETTER}")?;
        writeln!(io.err, "when {} has taken them: kiln activate done SERIAL…", plain(&codes.login_target))?;
    }
    tell_rest(&codes, io)?;
    Ok(Exit::Done)
}

/// A table for a printer or a script; a user's name that a spreadsheet would run gets an apostrophe in front.
fn sheet(codes: &ActivationCodes, out: &mut dyn Write) -> Result<(), CliError> {
    let mut file = csv::Writer::from_writer(Vec::new());
    let written = file.write_record(["serial", "user", "code", "valid for s"]).and_then(|()| {
        codes.codes.iter().try_for_each(|code| {
            let user = code.user.as_deref().unwrap_or("");
            let tame = if user.starts_with(['=', '+', '-', '@']) { format!("'{user}") } else { user.into() };
            let valid = left(code, codes.at).to_string();
            file.write_record([code.serial.as_str(), &tame, &code.code, &valid])
        })
    });
    written.expect("rows are of one width, and memory takes them");
    out.write_all(&file.into_inner().expect("memory takes the rest, too"))?;
    Ok(())
}

fn tell_rest(codes: &ActivationCodes, io: &mut Io<'_>) -> Result<(), CliError> {
    match codes.more_at {
        Some(at) => {
            let wait = at.0.saturating_sub(codes.at.0).max(1);
            writeln!(
                io.err,
                "{} wait; the server takes more in {wait} s (at {at})",
                count(codes.waiting, "token")
            )?;
        }
        None if codes.waiting > 0 => writeln!(io.err, "{} wait for theirs", count(codes.waiting, "token"))?,
        None if codes.codes.is_empty() => writeln!(io.err, "no token waits for its activation")?,
        None => {}
    }
    Ok(())
}

/// Token by token, so that each code is fresh when it is typed.
fn walk(which: &Which, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    if io.prompt.is_none() {
        let source = std::io::ErrorKind::NotConnected.into();
        return Err(PromptError::Terminal { what: "what the server said", source }.into());
    }
    let all = codes(station, which.ask(0))?;
    writeln!(io.err, "{} wait for activation at {}", count(all.waiting, "token"), plain(&all.login_target))?;
    writeln!(io.err, "{COMPUTED_PROVES_LITTLE}: {BETTER}")?;
    let (mut taken, mut passed) = (0u64, Vec::new());
    loop {
        let ask = ActivationAsk { except: passed.clone(), ..which.ask(1) };
        let found = codes(station, ask)?;
        let Some(code) = found.codes.first() else {
            tell_rest(&found, io)?;
            break;
        };
        let label = format!(
            "{}  {}  {} ({} s)  taken? [y]es [n]o [a]nother code [q]uit: ",
            code.serial,
            plain(code.user.as_deref().unwrap_or("-")),
            code.code,
            left(code, found.at)
        );
        let Some(prompt) = io.prompt.as_deref_mut() else { break };
        let said = prompt
            .line(&label)
            .map_err(|source| PromptError::Terminal { what: "what the server said", source })?;
        match said.trim().to_lowercase().as_str() {
            "y" | "yes" => {
                done(station, Command::Activated { serials: vec![code.serial.clone()], code: None })?;
                taken += 1;
            }
            "n" | "no" => passed.push(code.serial.clone()),
            "q" | "quit" => break,
            _ => {}
        }
    }
    writeln!(io.err, "{} activated with computed codes", count(taken, "token"))?;
    for serial in &passed {
        writeln!(
            io.err,
            "not taken: {serial}; find out why with its display at hand: kiln diagnose --token {serial} CODE CODE"
        )?;
    }
    Ok(if passed.is_empty() { Exit::Done } else { Exit::No })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, NOW, Scripted};
    use crate::domain::Profile;

    fn codes(serials: &[&str], waiting: u64) -> Reply {
        let at = NOW.floor_second();
        let code = |serial: &&str| ActivationCode {
            serial: serial.parse().unwrap(),
            profile: Profile::ZERO,
            user: Some("=ann@example.com".into()),
            code: "012345".into(),
            until: at.plus(25),
        };
        Reply::ActivationCodes(ActivationCodes {
            at,
            login_target: "Entra ID".into(),
            codes: serials.iter().map(code).collect(),
            waiting,
            more_at: (waiting > 5).then(|| at.plus(130)),
            left_out: vec![],
        })
    }

    #[test]
    fn a_list_says_how_long_codes_are_good_and_what_they_prove() {
        let mut desk = Desk::default();
        let station = Scripted::new([codes(&["86596100000001"], 199)]);
        assert_eq!(desk.kiln("activate list --batch spring --limit 1", &station), Exit::Done);
        assert_eq!(
            desk.out(),
            "SERIAL            CODE  VALID FOR  USER\n86596100000001  012345       25 s  =ann@example.com\n"
        );
        assert!(desk.err().contains("prove nothing about the token in hand"), "{}", desk.err());
        assert!(desk.err().contains("199 tokens wait; the server takes more in 130 s"), "{}", desk.err());
        let asked = serde_json::json!({
            "do": "activation_codes", "batch": "spring", "serials": [], "except": [], "limit": 1,
            "login_target": null,
        });
        assert_eq!(station.asked(), [asked]);
    }

    #[test]
    fn a_sheet_is_a_table_that_runs_nothing() {
        let mut desk = Desk::default();
        desk.kiln("activate list --csv", &Scripted::new([codes(&["86596100000001"], 0)]));
        assert_eq!(desk.out(), "serial,user,code,valid for s\n86596100000001,'=ann@example.com,012345,25\n");
    }

    #[test]
    fn a_walk_records_what_the_server_took_and_passes_over_what_it_did_not() {
        let mut desk = Desk::terminal(&["n", "a", "y"]);
        let station = Scripted::new([
            codes(&[], 2),
            codes(&["1"], 1),
            codes(&["2"], 0),
            codes(&["2"], 0),
            Reply::Done,
            codes(&[], 0),
        ]);
        assert_eq!(desk.kiln("activate walk --target entra", &station), Exit::No, "one was not taken");
        assert!(desk.asked()[0].contains("1  =ann@example.com  012345 (25 s)"), "{:?}", desk.asked());
        let asked = station.asked();
        assert_eq!(asked[2]["except"], serde_json::json!(["1"]));
        assert_eq!(asked[4], serde_json::json!({"do": "activated", "serials": ["2"], "code": null}));
        assert!(
            desk.err().contains("1 token activated") && desk.err().contains("not taken: 1"),
            "{}",
            desk.err()
        );
        let mut script = Desk::default();
        assert_eq!(script.kiln("activate walk", &Scripted::new([])), Exit::Environment, "nobody is there");
    }

    #[test]
    fn what_was_taken_is_recorded_with_its_proof() {
        let mut desk = Desk::default();
        let station = Scripted::new([Reply::Done]);
        assert_eq!(desk.kiln("activate done 86596100000001 --code 123456", &station), Exit::Done);
        let asked = serde_json::json!({"do": "activated", "serials": ["86596100000001"], "code": "123456"});
        assert_eq!(station.asked(), [asked]);
        assert_eq!(desk.err(), "1 token activated, with a code seen on the display\n");
    }
}
