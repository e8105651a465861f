//! `kiln batch report NAME`: a batch for an auditor, as text, as JSON, or as a page to print.

mod html;
mod text;

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    files::{Overwrite, create, may_create},
    run::{Form, print_json},
    table::plain,
};
use crate::domain::{JobState, Proof};
use crate::face::{BatchReport, Command, Reply, ReportedJob, Sums};
use clap::Args;
use std::path::PathBuf;

/// `kiln batch report`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The batch's name
    name: String,
    /// A page to print, HTML that stands alone
    #[arg(long)]
    html: bool,
    /// Write it to FILE, for this account alone, never over another
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long, requires = "output")]
    force: bool,
}

/// Asks and writes. Exit status 1: the numbers don't add up.
pub fn run(args: ReportArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let overwrite = if args.force { Overwrite::Force } else { Overwrite::Refuse };
    if let Some(file) = &args.output {
        may_create(file, overwrite)?;
    }
    let command = Command::BatchReport { name: args.name };
    let report = answer!(station, command, Reply::BatchReport(report) => report);
    let mut written = Vec::new();
    match (args.html, form) {
        (true, _) => written = html::write(&report).into_bytes(),
        (false, Form::Json) => print_json(&mut written, &report)?,
        (false, Form::Text) => text::write(&report, &mut written)?,
    }
    match &args.output {
        None => io.out.write_all(&written)?,
        Some(file) => {
            create(file, &written, overwrite)?;
            writeln!(io.err, "report written to {}", plain(&file.display().to_string()))?;
            writeln!(io.err, "audit anchor {} {}", report.anchor.entries, report.anchor.hash)?;
        }
    }
    for wrong in &report.sums.wrong {
        writeln!(io.err, "kiln: the numbers do not add up: {}", plain(wrong))?;
    }
    Ok(if report.sums.wrong.is_empty() { Exit::Done } else { Exit::No })
}

/// The page, for other faces.
pub fn page(report: &BatchReport) -> String {
    html::write(report)
}

/// A number with its name, indented by how deep it lies below what it adds up to.
struct Line {
    depth: usize,
    name: String,
    number: u64,
    note: &'static str,
}

/// The sums in the order in which they add up.
fn sum_lines(sums: &Sums) -> Vec<Line> {
    let line = |depth, name: &str, number, note| Line { depth, name: name.to_owned(), number, note };
    let mut lines = vec![line(0, "came in", sums.came_in, "each a token to be burned")];
    lines.push(line(1, "burned", sums.jobs.burned, ""));
    for (proof, number) in &sums.proven {
        let name = match proof {
            Proof::Written => "proven: written only",
            Proof::ReadBack => "proven: read back",
            Proof::Computed => "proven: computed by the token",
            Proof::Seen => "proven: seen by a person",
        };
        lines.push(line(2, name, *number, ""));
    }
    for (state, note) in [
        (JobState::Failed, "ended before anything was written"),
        (JobState::Scrapped, "the token died with its seed"),
        (JobState::Cancelled, "called off"),
    ] {
        lines.push(line(1, state.word(), sums.jobs.of(state), note));
    }
    lines.push(line(1, "left", sums.left, "queued, in hand or unfinished"));
    for state in [JobState::Queued, JobState::Claimed, JobState::Unfinished] {
        lines.push(line(2, state.word(), sums.jobs.of(state), ""));
    }
    lines
}

/// What is said of the sums in words.
fn verdict(sums: &Sums) -> String {
    let of = |depth| {
        let parts = sum_lines(sums).into_iter().filter(|line| line.depth == depth);
        parts.map(|line| line.number.to_string()).collect::<Vec<_>>().join(" + ")
    };
    if sums.wrong.is_empty() {
        format!("{} = {}: the numbers add up", of(1), sums.came_in)
    } else {
        format!("the numbers do not add up: {}", sums.wrong.join("; "))
    }
}

/// What a job's token shows for, in a few words.
fn proof(job: &ReportedJob) -> String {
    let eyes = if job.to_be_seen { ", to be seen" } else { "" };
    job.proof.map_or_else(String::new, |proof| format!("{proof}{eyes}"))
}

/// What it put on its token, profile by profile.
fn profiles(job: &ReportedJob) -> Vec<String> {
    let one = |profile: &crate::face::ReportedProfile| {
        let title = profile.title.as_ref().map(|title| format!(" \"{title}\"")).unwrap_or_default();
        format!("{}{title} {}", profile.profile, profile.parameters)
    };
    job.profiles.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, NOW, Scripted, batch};
    use crate::domain::{ClockState, DriftSeconds, Parameters, Policy, Profile};
    use crate::face::{
        ActivationRecord, AuditEntry, AuditHead, BatchDetail, JobCounts, ReportedProfile, Source,
    };

    pub fn sample() -> BatchReport {
        let jobs = JobCounts { queued: 1, burned: 2, failed: 1, ..JobCounts::default() };
        let burned = |position, proof, serial: &str| ReportedJob {
            position,
            state: JobState::Burned,
            reason: None,
            serial: Some(serial.parse().unwrap()),
            model: Some("c301-i".into()),
            user: Some("alice@example.com".into()),
            moved: NOW,
            proof: Some(proof),
            to_be_seen: proof == Proof::Written,
            profiles: vec![ReportedProfile {
                profile: Profile::ZERO,
                title: Some("<Office>".into()),
                parameters: Parameters::standard(),
                proof: Some(proof),
                proven: Some(NOW),
            }],
            drift: Some(DriftSeconds(0.4)),
            clock: Some(ClockState::Synchronised { max_error_ms: 12 }),
        };
        let open = |position, state| ReportedJob {
            state,
            reason: (state == JobState::Failed).then(|| "the key was refused".into()),
            serial: None,
            proof: None,
            to_be_seen: false,
            profiles: vec![],
            drift: None,
            clock: None,
            ..burned(position, Proof::Written, "1")
        };
        BatchReport {
            at: NOW,
            clock: ClockState::Synchronised { max_error_ms: 12 },
            version: "0.1.0".into(),
            batch: BatchDetail {
                batch: batch("spring", "running", jobs),
                policy: Policy::default(),
                recipe: None,
                login_target: Some("entra".into()),
                key: None,
                source: Some(Source { name: "tokens & co.csv".into(), sha256: "00ff".into() }),
            },
            sums: Sums {
                came_in: 4,
                jobs,
                proven: vec![
                    (Proof::Written, 1),
                    (Proof::ReadBack, 0),
                    (Proof::Computed, 0),
                    (Proof::Seen, 1),
                ],
                to_be_seen: 1,
                left: 1,
                activated: 1,
                wrong: vec![],
            },
            jobs: vec![
                burned(1, Proof::Seen, "86596100000001"),
                burned(2, Proof::Written, "86596100000002"),
                open(3, JobState::Failed),
                open(4, JobState::Queued),
            ],
            activations: vec![ActivationRecord {
                serial: "86596100000001".parse().unwrap(),
                at: NOW,
                who: "ann".into(),
                proof: Proof::Computed,
            }],
            log: vec![AuditEntry {
                seq: 3,
                at: NOW,
                who: "ann".into(),
                what: "batch running".into(),
                serial: None,
                clock: "synchronised (error at most 12 ms)".into(),
                detail: "{\"batch\":\"spring\",\"reason\":null}".into(),
                hash: "abcdef".into(),
            }],
            anchor: AuditHead { entries: 17, hash: "c0ffee".into() },
        }
    }

    fn ask(line: &str, report: BatchReport) -> (Exit, Desk) {
        let mut desk = Desk::default();
        let exit = desk.kiln(line, &Scripted::new([Reply::BatchReport(Box::new(report))]));
        (exit, desk)
    }

    #[test]
    fn the_text_adds_up() {
        let (exit, desk) = ask("batch report spring", sample());
        assert_eq!(exit, Exit::Done);
        insta::assert_snapshot!(desk.out());
    }

    #[test]
    fn numbers_that_do_not_add_up_are_an_answer_of_no() {
        let mut report = sample();
        report.sums.wrong = vec!["5 jobs came in, and 4 are listed".into()];
        let (exit, desk) = ask("batch report spring", report);
        assert_eq!(exit, Exit::No);
        assert!(desk.err().contains("do not add up: 5 jobs came in"), "{}", desk.err());
        assert!(!desk.out().contains("the numbers add up"));
    }

    #[test]
    fn the_page_stands_alone_and_escapes_what_it_tells() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("report.html");
        let (exit, desk) = ask(&format!("batch report spring --html -o {}", file.display()), sample());
        assert_eq!((exit, desk.out()), (Exit::Done, String::new()));
        assert!(desk.err().contains("audit anchor 17 c0ffee"));
        let page = std::fs::read_to_string(file).unwrap();
        for foreign in ["http", "src=", "href=", "<script", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        for said in
            ["&lt;Office&gt;", "tokens &amp; co.csv", "c0ffee", "86596100000002", "the key was refused"]
        {
            assert!(page.contains(said), "{said}");
        }
        let mut reader = quick_xml::Reader::from_str(page.trim_start_matches("<!DOCTYPE html>\n"));
        reader.config_mut().check_end_names = false;
        while !matches!(reader.read_event().unwrap(), quick_xml::events::Event::Eof) {}
    }

    #[test]
    fn json_is_the_whole_report() {
        let (_, desk) = ask("batch report spring --json", sample());
        assert_eq!(serde_json::from_str::<BatchReport>(&desk.out()).unwrap(), sample());
    }
}
