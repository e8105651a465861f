//! `kiln audit verify|anchor|show`.

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    run::{Form, print_json},
    table::{Table, count, or_dash},
    tokens::PageArgs,
};
use crate::face::{Command, Reply};
use clap::Subcommand;

/// `kiln audit`
#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// Check every entry of the log against the one before it
    Verify,
    /// Print how many entries there are and the last one's hash, to keep elsewhere
    Anchor,
    /// Entries of the log, newest first
    Show(PageArgs),
}

/// Asks and prints. A broken log is the station's "no": exit status 1.
pub fn run(verb: AuditVerb, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    match verb {
        AuditVerb::Verify => {
            let head = answer!(station, Command::AuditVerify, Reply::AuditHead(head) => head);
            match form {
                Form::Json => print_json(io.out, &head)?,
                Form::Text => {
                    let entries = count(head.entries, "entry").replace("entrys", "entries");
                    writeln!(io.out, "unbroken: {entries}, the last with hash {}", head.hash)?;
                    writeln!(
                        io.err,
                        "-> compare it with an anchor kept elsewhere: a chain cannot show its own end"
                    )?;
                }
            }
        }
        AuditVerb::Anchor => {
            let head = answer!(station, Command::AuditAnchor, Reply::AuditHead(head) => head);
            match form {
                Form::Json => print_json(io.out, &head)?,
                Form::Text => writeln!(io.out, "{} {}", head.entries, head.hash)?,
            }
        }
        AuditVerb::Show(pages) => {
            let log = pages
                .fetch(|page| Ok(answer!(station, Command::AuditShow { query: String::new(), page }, Reply::Audit(log) => log)))?;
            if form == Form::Json {
                print_json(io.out, &log)?;
                return Ok(Exit::Done);
            }
            let mut table = Table::new(&[">NO", "WHEN", "WHO", "WHAT", "SERIAL", "CLOCK", "DETAIL"]);
            for entry in &log.items {
                table.row([
                    entry.seq.to_string(),
                    entry.at.floor_second().to_string(),
                    entry.who.clone(),
                    entry.what.clone(),
                    or_dash(entry.serial.as_ref()),
                    entry.clock.clone(),
                    entry.detail.clone(),
                ]);
            }
            table.write(io.out)?;
            pages.tell_rest(&log, io)?;
        }
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, NOW, Scripted};
    use crate::face::{AuditEntry, AuditHead, Failure, FailureKind, PageOf};

    fn head() -> Reply {
        Reply::AuditHead(AuditHead { entries: 2, hash: "c0ffee".into() })
    }

    #[test]
    fn the_head_of_the_log_is_one_line() {
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("audit anchor", &Scripted::new([head()])), Exit::Done);
        assert_eq!(desk.out(), "2 c0ffee\n");
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("audit verify", &Scripted::new([head()])), Exit::Done);
        assert_eq!(desk.out(), "unbroken: 2 entries, the last with hash c0ffee\n");
    }

    #[test]
    fn a_broken_log_is_a_no() {
        let station = Scripted::failing(Failure {
            kind: FailureKind::No,
            message: "entry 7 was altered".into(),
            remedy: "restore the log from a copy".into(),
            details: vec![],
        });
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("audit verify", &station), Exit::No);
        assert_eq!(desk.err(), "kiln: entry 7 was altered\n-> restore the log from a copy\n");
    }

    #[test]
    fn entries_are_a_table() {
        let entry = AuditEntry {
            seq: 7,
            at: NOW,
            who: "alice".into(),
            what: "unlock".into(),
            serial: None,
            clock: "synchronised".into(),
            detail: "{}".into(),
            hash: "00".into(),
        };
        let mut desk = Desk::default();
        let station = Scripted::new([Reply::Audit(PageOf { total: 7, items: vec![entry] })]);
        assert_eq!(desk.kiln("audit show --limit 1", &station), Exit::Done);
        assert_eq!(
            desk.out(),
            "NO  WHEN                  WHO    WHAT    SERIAL  CLOCK         DETAIL\n\
             \u{20}7  2026-01-02T03:04:05Z  alice  unlock  -       synchronised  {}\n"
        );
        assert!(desk.err().starts_with("1 of 7 shown"));
    }
}
