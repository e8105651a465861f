//! `kiln doctor`: what stands between an operator and a burn, looked at from here and from the station.

use super::{
    CliError, Exit, Io,
    ask::{Ask, Connector, Start, answer},
    run::{Form, print_json},
    table::{count, plain},
};
use crate::face::{Check, Command, Failure, Finding, Health, Reply, Side};
use clap::Args;
use std::io::{self, Write};

/// Laid out by hand for 80 columns.
const EXAMPLES: &str = "\
Exit status: 0 where nothing fails, warnings allowed; 3 where something does.";

/// `kiln doctor`
#[derive(Debug, Clone, Copy, Args)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    /// Where no station runs, start none; what only it could tell is left out
    #[arg(long)]
    no_start: bool,
}

/// What can be looked at from here. The composition hands it in, since it reaches below the station.
pub trait Premises {
    /// What matters wherever the station is.
    fn always(&self) -> Vec<Finding>;
    /// What the station would look at, where none answers.
    fn without_station(&self) -> Vec<Finding>;
}

/// Looks, asks and prints.
pub fn run(
    args: DoctorArgs,
    premises: &dyn Premises,
    form: Form,
    io: &mut Io<'_>,
    connector: &mut Connector<'_>,
) -> Result<Exit, CliError> {
    let mut findings = premises.always();
    let start = if args.no_start { Start::Never } else { Start::IfNone };
    match connector(start) {
        Ok(Some(mut station)) => findings.extend(ask(&mut *station)?),
        Ok(None) => {
            findings.push(absent());
            findings.extend(premises.without_station());
        }
        Err(failure) => {
            findings.push(unreachable(failure));
            findings.extend(premises.without_station());
        }
    }
    match form {
        Form::Json => print_json(io.out, &findings)?,
        Form::Text => print(&findings, io.out)?,
    }
    let worst = findings.iter().map(|finding| finding.health).max();
    Ok(if worst == Some(Health::Fail) { Exit::Environment } else { Exit::Done })
}

fn ask(station: &mut dyn Ask) -> Result<Vec<Finding>, CliError> {
    let mut findings = vec![
        Finding::ok(Side::Client, Check::Server, "a station answers"),
        version(env!("CARGO_PKG_VERSION"), &station.version()),
    ];
    findings.extend(answer!(station, Command::Doctor, Reply::Doctor(findings) => findings));
    Ok(findings)
}

/// A difference in the protocol is told before this: then there is no connection.
fn version(ours: &str, stations: &str) -> Finding {
    let (side, check) = (Side::Client, Check::Version);
    if ours == stations {
        Finding::ok(side, check, format!("this is kiln {ours}, as the station"))
    } else {
        Finding::warn(
            side,
            check,
            format!("this is kiln {ours}, and the station runs kiln {stations}"),
            "they understand each other, but one of them lacks what the other can do",
            "when no burn is running: kiln station stop; the next command starts the installed one",
        )
    }
}

fn absent() -> Finding {
    Finding::warn(
        Side::Client,
        Check::Server,
        "no station runs here; what only it can tell (vault, holders) was skipped",
        "what follows was looked at by this program in its place",
        "leave --no-start away, or start it: kiln station run",
    )
}

fn unreachable(failure: Failure) -> Finding {
    let mut found = failure.message;
    for detail in failure.details {
        found.push_str("; ");
        found.push_str(&detail);
    }
    let means = "no station can be asked; what only it can tell was skipped";
    Finding::fail(Side::Client, Check::Server, found, means, failure.remedy)
}

fn print(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let mut first = true;
    for (side, title) in [(Side::Client, "from here"), (Side::Station, "from the station")] {
        let mut of_side = findings.iter().filter(|finding| finding.side == side).peekable();
        if of_side.peek().is_none() {
            continue;
        }
        writeln!(out, "{}{title}", if first { "" } else { "\n" })?;
        first = false;
        for finding in of_side {
            print_one(finding, out)?;
        }
    }
    let of = |health| findings.iter().filter(|finding| finding.health == health).count() as u64;
    let (failed, warnings) = (of(Health::Fail), of(Health::Warn));
    let all = count(findings.len() as u64, "check");
    writeln!(out, "\n{all}: {failed} failed, {}", count(warnings, "warning"))
}

fn print_one(finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let Finding { check, health, found, means, remedy, lines, .. } = finding;
    writeln!(out, "  {:<5} {check:<13} {}", health.word(), plain(found))?;
    const UNDER: &str = "        ";
    if let Some(means) = means {
        writeln!(out, "{UNDER}{}", plain(means))?;
    }
    if let Some(remedy) = remedy {
        writeln!(out, "{UNDER}-> {}", plain(remedy))?;
    }
    for line in lines {
        writeln!(out, "{UNDER}   | {}", plain(line))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::testing::{Desk, Scripted},
        face::FailureKind,
    };

    /// All is well from here, with the disk full where that has to be looked at from here.
    struct Room;

    impl Premises for Room {
        fn always(&self) -> Vec<Finding> {
            vec![Finding::ok(Side::Client, Check::Pcscd, "it answers")]
        }
        fn without_station(&self) -> Vec<Finding> {
            vec![Finding::fail(Side::Client, Check::Disk, "0 MiB are free", "nothing fits", "make room")]
        }
    }

    fn doctor(no_start: bool, form: Form, station: &Scripted) -> (Exit, String) {
        let mut desk = Desk::default();
        let mut connector = station.connector();
        let exit = run(DoctorArgs { no_start }, &Room, form, &mut desk.io(), &mut connector).unwrap();
        (exit, desk.out())
    }

    fn rule() -> Finding {
        Finding::fail(Side::Station, Check::Readers, "refused", "none can be used", "allow it")
            .with_lines(["line 1", "line\x1b 2"])
    }

    #[test]
    fn both_sides_are_told_and_a_failure_is_status_3() {
        let station = Scripted::new([Reply::Doctor(vec![rule()])]);
        let (exit, out) = doctor(false, Form::Text, &station);
        assert_eq!(exit, Exit::Environment);
        assert_eq!(station.asked(), [serde_json::json!({"do": "doctor"})]);
        assert_eq!(
            out,
            "from here
  ok    pcscd         it answers
  ok    server        a station answers
  ok    version       this is kiln 0.1.0, as the station

from the station
  FAIL  readers       refused
        none can be used
        -> allow it
           | line 1
           | line\u{fffd} 2

4 checks: 1 failed, 0 warnings
"
            .replace("0.1.0", env!("CARGO_PKG_VERSION"))
        );
    }

    #[test]
    fn warnings_are_no_failure() {
        let warning = Finding::warn(Side::Station, Check::Vault, "locked", "burns wait", "open it");
        let (exit, out) = doctor(false, Form::Text, &Scripted::new([Reply::Doctor(vec![warning])]));
        assert_eq!(exit, Exit::Done);
        assert!(out.ends_with("4 checks: 0 failed, 1 warning\n"), "{out}");
    }

    #[test]
    fn without_a_station_this_program_looks_itself_and_says_what_it_skipped() {
        let (exit, out) = doctor(true, Form::Text, &Scripted::absent());
        assert_eq!(exit, Exit::Environment);
        assert!(out.contains("warn  server        no station runs here") && out.contains("skipped"), "{out}");
        assert!(out.contains("FAIL  disk          0 MiB are free"), "{out}");
    }

    #[test]
    fn a_station_that_cannot_be_reached_is_a_finding_and_no_end() {
        let mut desk = Desk::default();
        let mut connector = |_| {
            Err(Failure {
                kind: FailureKind::Environment,
                message: "no room".into(),
                remedy: "make room".into(),
                details: vec![],
            })
        };
        let args = DoctorArgs { no_start: false };
        let exit = run(args, &Room, Form::Json, &mut desk.io(), &mut connector).unwrap();
        assert_eq!(exit, Exit::Environment);
        let findings: Vec<Finding> = serde_json::from_str(&desk.out()).unwrap();
        assert_eq!(
            findings.iter().map(|f| (f.check, f.health)).collect::<Vec<_>>(),
            [(Check::Pcscd, Health::Ok), (Check::Server, Health::Fail), (Check::Disk, Health::Fail)]
        );
        assert_eq!(findings[1].remedy.as_deref(), Some("make room"));
    }

    #[test]
    fn another_version_is_worth_a_warning() {
        assert_eq!(version("1.0.0", "1.0.0").health, Health::Ok);
        assert_eq!(version("1.0.1", "1.0.0").health, Health::Warn);
    }
}
