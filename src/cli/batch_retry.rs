//! `kiln batch retry`: which jobs are in the queue again, and of the others why they are not.

use super::{
    Ask, CliError, Io,
    ask::answer,
    batch::tell_left,
    run::{Form, print_json},
    table::{count, plain},
};
use crate::domain::JobState;
use crate::face::{Command, JobView, Reply, Retried};
use std::io::{self, Write};

/// Asks and prints.
pub fn run(name: String, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<(), CliError> {
    let retried = answer!(station, Command::BatchRetry { name }, Reply::Retried(retried) => retried);
    if form == Form::Json {
        return print_json(io.out, &retried);
    }
    print(&retried, io.out)?;
    Ok(tell_left(&retried.batch.batch, io)?)
}

fn print(retried: &Retried, out: &mut dyn Write) -> io::Result<()> {
    let Retried { batch, put_back, unfinished } = retried;
    let name = plain(&batch.batch.name);
    if put_back.total == 0 {
        writeln!(out, "no job of it has failed: none was put back")?;
    }
    for job in &put_back.items {
        writeln!(out, "{}: in the queue again; it failed{}", called(job), because(job))?;
    }
    match put_back.total.saturating_sub(put_back.items.len() as u64) {
        0 => {}
        more => writeln!(out, "and {}: in the queue again", count(more, "more failed job"))?,
    }
    for job in &unfinished.items {
        let token =
            job.serial.as_ref().map_or_else(|| "its token".to_owned(), |serial| format!("token {serial}"));
        writeln!(
            out,
            "{}: left unfinished{} -> put {token} back, which may hold the seed, and it goes on",
            called(job),
            because(job)
        )?;
    }
    match unfinished.total.saturating_sub(unfinished.items.len() as u64) {
        0 => {}
        more => writeln!(
            out,
            "and {}: kiln batch show {name} --state unfinished",
            count(more, "more unfinished job")
        )?,
    }
    let mut jobs = batch.batch.jobs;
    jobs.queued = jobs.queued.saturating_sub(put_back.total);
    for (state, why) in [
        (JobState::Queued, "in the queue already"),
        (JobState::Claimed, "being burned now"),
        (JobState::Burned, "done"),
        (JobState::Scrapped, "the token died with its seed"),
        (JobState::Cancelled, "called off; import the seed again"),
    ] {
        match jobs.of(state) {
            0 => {}
            jobs => writeln!(out, "{}: {why}", count(jobs, &format!("{state} job")))?,
        }
    }
    Ok(())
}

fn called(job: &JobView) -> String {
    match &job.serial {
        Some(serial) => format!("job {} (token {serial})", job.job),
        None => format!("job {}", job.job),
    }
}

fn because(job: &JobView) -> String {
    job.reason.as_ref().map_or(String::new(), |reason| format!(": {}", plain(reason)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{
        Exit,
        testing::{Desk, Scripted, batch},
    };
    use crate::domain::Policy;
    use crate::face::{BatchDetail, JobCounts, PageOf};

    fn job(number: i64, state: JobState, serial: &str, reason: &str) -> JobView {
        JobView {
            job: number,
            batch: "spring".into(),
            position: 1,
            state,
            reason: Some(reason.into()),
            serial: Some(serial.parse().unwrap()),
            model: None,
            slot: None,
            upn: None,
            profiles: 1,
            proof: None,
            wants_eyes: false,
            resync: None,
        }
    }

    fn retried(put_back: PageOf<JobView>, unfinished: PageOf<JobView>, jobs: JobCounts) -> Retried {
        let batch = BatchDetail {
            batch: batch("spring", "running", jobs),
            policy: Policy::default(),
            recipe: None,
            login_target: None,
            key: None,
            source: None,
        };
        Retried { batch, put_back, unfinished }
    }

    #[test]
    fn of_each_job_it_says_whether_it_was_put_back_and_why_not() {
        let failed = job(4, JobState::Failed, "8001", "it refused the key");
        let unfinished = job(7, JobState::Unfinished, "8002", "the link was lost");
        let jobs = JobCounts {
            queued: 4,
            claimed: 1,
            unfinished: 3,
            burned: 5,
            cancelled: 1,
            ..JobCounts::default()
        };
        let answer = retried(
            PageOf { total: 2, items: vec![failed] },
            PageOf { total: 3, items: vec![unfinished] },
            jobs,
        );
        let station = Scripted::new([Reply::Retried(Box::new(answer))]);
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("batch retry spring", &station), Exit::Done);
        assert_eq!(
            desk.out(),
            "job 4 (token 8001): in the queue again; it failed: it refused the key\n\
             and 1 more failed job: in the queue again\n\
             job 7 (token 8002): left unfinished: the link was lost -> put token 8002 back, which may hold the seed, and it \
             goes on\n\
             and 2 more unfinished jobs: kiln batch show spring --state unfinished\n\
             2 queued jobs: in the queue already\n1 claimed job: being burned now\n5 burned jobs: done\n\
             1 cancelled job: called off; import the seed again\n"
        );
        assert_eq!(desk.err(), "batch spring is running: 8 jobs to go\n");
        assert_eq!(station.asked(), [serde_json::json!({"do": "batch_retry", "name": "spring"})]);
    }

    #[test]
    fn where_nothing_failed_it_says_so() {
        let none = || PageOf { total: 0, items: vec![] };
        let answer = retried(none(), none(), JobCounts { burned: 1, ..JobCounts::default() });
        let station = Scripted::new([Reply::Retried(Box::new(answer))]);
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("batch retry spring", &station), Exit::Done);
        assert_eq!(desk.out(), "no job of it has failed: none was put back\n1 burned job: done\n");
    }
}
