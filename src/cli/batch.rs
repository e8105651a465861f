//! `kiln batch new|list|show|report|start|pause|retry|priority|cancel`.

use super::{
    Ask, CliError, Exit, Io, VerbError,
    ask::answer,
    batch_report::{self, ReportArgs},
    batch_retry, files, import,
    policy::{PolicyArgs, PriorityArg},
    run::{Form, print_json},
    table::{Table, count, or_dash, plain},
    tokens::PageArgs,
};
use crate::domain::{Digits, Hash, JobState, ParameterError, Period, Touch};
use crate::face::{
    BatchDetail, BatchView, Command, JobFilter, JobView, MadeFor, NewBatch, Reply, ResyncView, SweepView,
    User,
};
use crate::remedy::{Remedy, Retry};
use clap::{Args, Subcommand};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

/// `kiln batch`
#[derive(Debug, Subcommand)]
pub enum BatchVerb {
    /// Make a batch of tokens with new random seeds
    New(NewArgs),
    /// All batches
    List,
    /// One batch and what it allows
    Show(ShowArgs),
    /// All of one batch for an auditor: numbers that add up, who did what when, clocks
    Report(ReportArgs),
    /// Let the slots take its jobs, for the first time or again
    #[command(visible_alias = "resume")]
    Start {
        /// The batch's name
        name: String,
    },
    /// Let no slot take another of its jobs; burns in hand end
    Pause {
        /// The batch's name
        name: String,
    },
    /// Put its failed jobs back into the queue, and say what the other ones wait for
    Retry {
        /// The batch's name
        name: String,
    },
    /// Say which of several running batches is served first
    Priority {
        /// The batch's name
        name: String,
        /// The highest number first; a new batch has 0
        #[arg(allow_negative_numbers = true)]
        priority: i32,
    },
    /// Call it off; tokens that were begun can still be finished
    Cancel {
        /// The batch's name
        name: String,
    },
}

/// `kiln batch new`
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The new batch's name
    name: String,
    /// How many tokens
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..),
        required_unless_present = "users",
        conflicts_with = "users"
    )]
    count: Option<u32>,
    /// Whom they are for, in this order: a file with one user name (UPN) in each line, and behind a comma the serial of
    /// the token where it is given
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// Which model they are
    #[arg(long)]
    model: String,
    /// What is put on each
    #[arg(long)]
    recipe: String,
    /// The hash, where the recipe leaves it open: SHA-1, SHA-256, SHA-512
    #[arg(long)]
    hash: Option<Hash>,
    /// How many digits, where the recipe leaves it open
    #[arg(long, value_name = "N", value_parser = digits)]
    digits: Option<Digits>,
    /// The period in seconds, where the recipe leaves it open
    #[arg(long, value_name = "SECONDS", value_parser = period, conflicts_with = "hotp")]
    period: Option<Period>,
    /// Counter-based codes, from 0, instead of time-based ones
    #[arg(long)]
    hotp: bool,
    /// Each code wants a touch, on keys that can want one
    #[arg(long)]
    touch: bool,
    /// The login server that will check the codes
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The tokens' customer key, by its name in the vault (see `kiln key`)
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    priority: PriorityArg,
}

/// `kiln batch show`
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The batch's name
    name: String,
    /// List its jobs
    #[arg(long)]
    jobs: bool,
    /// List its jobs in this state: queued, claimed, unfinished, burned, failed, scrapped, cancelled
    #[arg(long, value_parser = state)]
    state: Option<JobState>,
    #[command(flatten)]
    page: PageArgs,
}

fn digits(text: &str) -> Result<Digits, String> {
    let number = text.parse().map_err(|_| "a number from 4 to 10".to_owned())?;
    Digits::new(number).map_err(|error| error.to_string())
}

fn period(text: &str) -> Result<Period, String> {
    let seconds = text.parse().map_err(|_| "a number of seconds, such as 30".to_owned())?;
    Period::from_secs(seconds).map_err(|error| error.to_string())
}

/// A list of users with something wrong in it. Nothing was asked of the station.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// No line names anybody.
    #[error("{file} names no user")]
    Nobody {
        /// Which file.
        file: String,
    },
    /// A line that is no user, or has no serial behind its comma.
    #[error("{file}, line {line}: {problem}")]
    Line {
        /// Which file.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

impl VerbError for UsersError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

impl Remedy for UsersError {
    fn remedy(&self) -> &'static str {
        "write one user name in each line, and where a token is given, a comma and its serial: ann@example.com,96105000000017"
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// Reads a list of users; empty lines count for nothing.
fn users(file: &Path) -> Result<Vec<User>, CliError> {
    let text = files::read_text(file)?;
    let shown = || file.display().to_string();
    let mut users = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |problem: String| UsersError::Line { file: shown(), line: at + 1, problem };
        let (upn, serial) = line.split_once(',').map_or((line, None), |(upn, serial)| (upn, Some(serial)));
        let upn = upn.trim();
        if upn.is_empty() || upn.chars().any(char::is_control) {
            return Err(wrong("there is no user name before the comma".into()).into());
        }
        let serial = serial
            .map(|serial| serial.trim().parse().map_err(|error: ParameterError| wrong(error.to_string())))
            .transpose()?;
        users.push(User { upn: upn.to_owned(), serial });
    }
    if users.is_empty() { Err(UsersError::Nobody { file: shown() }.into()) } else { Ok(users) }
}

fn state(text: &str) -> Result<JobState, String> {
    JobState::from_word(text).ok_or_else(|| JobState::ALL.map(JobState::word).join(", "))
}

/// Asks and prints.
pub fn run(verb: BatchVerb, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    match verb {
        BatchVerb::New(new) => {
            let users = new.users.as_deref().map(users).transpose()?.unwrap_or_default();
            let listed = u32::try_from(users.len()).unwrap_or(u32::MAX);
            let batch = NewBatch {
                name: new.name,
                count: new.count.unwrap_or(listed),
                made_for: MadeFor {
                    users,
                    hash: new.hash,
                    digits: new.digits,
                    period: new.period,
                    counts: new.hotp,
                    touch: if new.touch { Touch::Required } else { Touch::Free },
                },
                model: new.model,
                recipe: new.recipe,
                login_target: new.target,
                key: new.key,
                policy: new.policy.to_face(),
                dry_run: false,
                priority: new.priority.priority,
            };
            let report = answer!(station, Command::BatchNew(batch), Reply::Imported(report) => report);
            import::print(&report, form, io)?;
        }
        BatchVerb::List => {
            let batches = answer!(station, Command::Batches, Reply::Batches(batches) => batches);
            match form {
                Form::Json => print_json(io.out, &batches)?,
                Form::Text if batches.is_empty() => writeln!(io.err, "no batches yet")?,
                Form::Text => batches_table(&batches).write(io.out)?,
            }
        }
        BatchVerb::Show(args) => show(args, form, io, station)?,
        BatchVerb::Report(args) => return batch_report::run(args, form, io, station),
        BatchVerb::Start { name } => moved(Command::BatchStart { name }, form, io, station)?,
        BatchVerb::Pause { name } => moved(Command::BatchPause { name }, form, io, station)?,
        BatchVerb::Retry { name } => batch_retry::run(name, form, io, station)?,
        BatchVerb::Priority { name, priority } => {
            moved(Command::BatchPriority { name, priority }, form, io, station)?;
        }
        BatchVerb::Cancel { name } => moved(Command::BatchCancel { name }, form, io, station)?,
    }
    Ok(Exit::Done)
}

fn show(args: ShowArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<(), CliError> {
    let name = args.name;
    if !args.jobs && args.state.is_none() {
        let batch = answer!(station, Command::BatchShow { name }, Reply::Batch(batch) => batch);
        return match form {
            Form::Json => print_json(io.out, &batch),
            Form::Text => Ok(print_detail(&batch, io.out)?),
        };
    }
    let filter = JobFilter { state: args.state };
    let jobs = args.page.fetch(|page| {
        let command = Command::Jobs { batch: name.clone(), filter: filter.clone(), page };
        Ok(answer!(station, command, Reply::Jobs(jobs) => jobs))
    })?;
    if form == Form::Json {
        return print_json(io.out, &jobs);
    }
    jobs_table(&jobs.items).write(io.out)?;
    args.page.tell_rest(&jobs, io)
}

fn moved(command: Command, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<(), CliError> {
    let batch = answer!(station, command, Reply::Batch(batch) => batch);
    match form {
        Form::Json => print_json(io.out, &batch),
        Form::Text if batch.batch.sweep.is_some() => {
            let so_far = batch.batch.sweep.as_deref().map(SweepView::words).unwrap_or_default();
            writeln!(io.err, "sweep {} is {}: {so_far}", plain(&batch.batch.name), batch.batch.state)?;
            Ok(())
        }
        Form::Text => Ok(tell_left(&batch.batch, io)?),
    }
}

/// Says in a sentence where a batch stands.
pub fn tell_left(batch: &BatchView, io: &mut Io<'_>) -> io::Result<()> {
    let left = count(left(batch), "job");
    writeln!(io.err, "batch {} is {}: {left} to go", plain(&batch.name), batch.state)
}

/// How many jobs of it are not at their end.
pub fn left(batch: &BatchView) -> u64 {
    batch.jobs.queued + batch.jobs.claimed + batch.jobs.unfinished
}

/// One line for each batch.
pub fn batches_table(batches: &[BatchView]) -> Table {
    let mut table = Table::new(&[
        "BATCH",
        "STATE",
        ">PRIORITY",
        ">JOBS",
        ">BURNED",
        ">QUEUED",
        ">UNFINISHED",
        ">FAILED",
        ">TO SEE",
    ]);
    for batch in batches {
        table.row([
            batch.name.clone(),
            batch.state.clone(),
            batch.priority.to_string(),
            batch.jobs.total().to_string(),
            batch.jobs.burned.to_string(),
            (batch.jobs.queued + batch.jobs.claimed).to_string(),
            batch.jobs.unfinished.to_string(),
            batch.jobs.failed.to_string(),
            batch.proofs.waiting_for_eyes.to_string(),
        ]);
    }
    table
}

/// One line for each job.
pub fn jobs_table(jobs: &[JobView]) -> Table {
    let mut table = Table::new(&[">JOB", ">NO", "STATE", "SERIAL", "PROOF", "USER", "REASON"]);
    for job in jobs {
        let to_see = if job.wants_eyes { ", to see" } else { "" };
        table.row([
            job.job.to_string(),
            job.position.to_string(),
            job.resync.map_or(job.state.word(), |resync| resync.word(job.state)).to_owned(),
            or_dash(job.serial.as_ref()),
            format!("{}{to_see}", or_dash(job.proof)),
            or_dash(job.upn.as_ref()),
            job.reason.clone().or_else(|| job.resync.map(ResyncView::words)).unwrap_or_default(),
        ]);
    }
    table
}

fn print_detail(batch: &BatchDetail, out: &mut dyn Write) -> io::Result<()> {
    let BatchView { name, state, reason, jobs, proofs, created, priority, sweep } = &batch.batch;
    let mut field = |name: &str, value: &str| writeln!(out, "{name:<10} {}", plain(value));
    field("batch", name)?;
    field("state", state)?;
    if let Some(reason) = reason {
        field("because", reason)?;
    }
    field("priority", &priority.to_string())?;
    field("created", &created.floor_second().to_string())?;
    if let Some(sweep) = sweep {
        field("sets", &format!("the clocks of {}", sweep.of_whom()))?;
        field("so far", &sweep.words())?;
        return field("each", &format!("kiln drift swept {name}"));
    }
    if let Some(source) = &batch.source {
        field("file", &source.name)?;
        field("sha256", &source.sha256)?;
    }
    field("recipe", &or_dash(batch.recipe.as_ref()))?;
    field("target", &or_dash(batch.login_target.as_ref()))?;
    field("key", batch.key.as_deref().unwrap_or("as delivered"))?;
    let policy = &batch.policy;
    field("on factory", policy.factory.word())?;
    field("on foreign", policy.foreign.word())?;
    field(
        "to be seen",
        &match (policy.seen.first, policy.seen.every) {
            (0, 0) => "none".to_owned(),
            (first, 0) => format!("the first {first}"),
            (first, every) => format!("the first {first}, then every {every}th"),
        },
    )?;
    let counted = |counts: &[(u64, &str)]| {
        let said: Vec<String> =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        if said.is_empty() { "-".to_owned() } else { said.join(", ") }
    };
    let states = JobState::ALL.map(|state| (jobs.of(state), state.word()));
    field("jobs", &counted(&states))?;
    field(
        "proofs",
        &counted(&[
            (proofs.written, "written"),
            (proofs.read_back, "read back"),
            (proofs.computed, "computed"),
            (proofs.seen, "seen"),
            (proofs.waiting_for_eyes, "still to be seen"),
        ]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, Scripted, batch};
    use crate::domain::{Policy, Proof};
    use crate::face::{ImportReport, JobCounts, PageOf, Source};

    fn detail(state: &str) -> BatchDetail {
        BatchDetail {
            batch: batch("spring", state, JobCounts { queued: 2, burned: 5, ..JobCounts::default() }),
            policy: Policy::default(),
            recipe: None,
            login_target: Some("entra".into()),
            key: None,
            source: Some(Source { name: "tokens.csv".into(), sha256: "00ff".into() }),
        }
    }

    #[test]
    fn batches_are_listed_in_numbers() {
        let mut desk = Desk::default();
        let station = Scripted::new([Reply::Batches(vec![detail("running").batch])]);
        assert_eq!(desk.kiln("batch list", &station), Exit::Done);
        assert_eq!(
            desk.out(),
            "BATCH   STATE    PRIORITY  JOBS  BURNED  QUEUED  UNFINISHED  FAILED  TO SEE\n\
             spring  running         0     7       5       2           0       0       0\n"
        );
        assert!(desk.out().lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn a_batch_is_told_with_what_it_allows() {
        let mut desk = Desk::default();
        desk.kiln("batch show spring", &Scripted::new([Reply::Batch(Box::new(detail("paused")))]));
        assert_eq!(
            desk.out(),
            "batch      spring
state      paused
priority   0
created    2026-01-02T03:04:05Z
file       tokens.csv
sha256     00ff
recipe     -
target     entra
key        as delivered
on factory replace
on foreign ask
to be seen the first 1, then every 25th
jobs       2 queued, 5 burned
proofs     5 written
"
        );
    }

    #[test]
    fn jobs_are_listed_by_state() {
        let job = JobView {
            job: 12,
            batch: "spring".into(),
            position: 3,
            state: JobState::Burned,
            reason: None,
            serial: Some("0012345678901".parse().unwrap()),
            model: None,
            slot: None,
            upn: Some("bob@example.com".into()),
            profiles: 1,
            proof: Some(Proof::Written),
            wants_eyes: true,
            resync: None,
        };
        let station = Scripted::new([Reply::Jobs(PageOf { total: 1, items: vec![job] })]);
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("batch show spring --state burned", &station), Exit::Done);
        assert_eq!(
            desk.out(),
            "JOB  NO  STATE   SERIAL         PROOF            USER             REASON\n\
             \u{20}12   3  burned  0012345678901  written, to see  bob@example.com\n"
        );
        assert_eq!(station.asked()[0]["filter"]["state"], "burned");
    }

    #[test]
    fn a_new_batch_carries_what_was_said_and_nothing_else() {
        let report = ImportReport {
            dry_run: false,
            format: "random".into(),
            batch: Some("spring".into()),
            taken: 3,
            left_out: 0,
            jobs: 3,
            missing: vec![],
            lines: vec![],
            notes: vec![],
        };
        let station = Scripted::new([Reply::Imported(report)]);
        let line =
            "batch new spring --count 3 --model c302-i --recipe plain --on-foreign refuse --priority -2";
        let mut desk = Desk::default();
        assert_eq!(desk.kiln(line, &station), Exit::Done);
        let asked = serde_json::json!({
            "do": "batch_new", "name": "spring", "count": 3, "model": "c302-i", "recipe": "plain",
            "login_target": null, "key": null, "policy": {"factory": null, "foreign": "refuse", "seen": null},
            "dry_run": false, "priority": -2,
            "made_for": {
                "users": [], "hash": null, "digits": null, "period": null, "counts": false, "touch": "free",
            },
        });
        assert_eq!(station.asked(), [asked]);
        assert!(desk.err().contains("kiln batch start spring"), "{}", desk.err());
    }

    #[test]
    fn users_come_from_a_file_one_key_after_another() {
        let dir = tempfile::tempdir().unwrap();
        let file = |text: &str| {
            let path = dir.path().join("users.txt");
            std::fs::write(&path, text).unwrap();
            path
        };
        let read = users(&file("ann@example.com\n\n bob@example.com , 96105000000017\r\n")).unwrap();
        let bob = Some("96105000000017".parse().unwrap());
        let upns: Vec<&str> = read.iter().map(|user| user.upn.as_str()).collect();
        assert_eq!((upns, &read[1].serial), (vec!["ann@example.com", "bob@example.com"], &bob));
        for (text, says) in
            [("", "names no user"), ("ann\n,961", "line 2: there is no user"), ("ann,8.6E+13", "line 1")]
        {
            let error = users(&file(text)).unwrap_err();
            assert!(error.to_string().contains(says) && error.remedy().contains("one user name"), "{error}");
        }
    }

    #[test]
    fn a_batch_that_was_moved_says_what_is_left() {
        let verbs = [("start", "start"), ("resume", "start"), ("pause", "pause"), ("cancel", "cancel")];
        for (verb, act) in verbs {
            let mut desk = Desk::default();
            let station = Scripted::new([Reply::Batch(Box::new(detail("running")))]);
            assert_eq!(desk.kiln(&format!("batch {verb} spring"), &station), Exit::Done);
            assert_eq!(desk.err(), "batch spring is running: 2 jobs to go\n");
            assert_eq!(station.asked()[0]["do"], format!("batch_{act}"));
        }
        let mut desk = Desk::default();
        let station = Scripted::new([Reply::Batch(Box::new(detail("running")))]);
        assert_eq!(desk.kiln("batch priority spring -3", &station), Exit::Done);
        let asked = serde_json::json!({"do": "batch_priority", "name": "spring", "priority": -3});
        assert_eq!(station.asked(), [asked]);
    }
}
