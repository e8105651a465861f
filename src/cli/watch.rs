//! `kiln watch`: what happens, as it happens.

use super::{
    CliError, Exit, Io,
    ask::{Connector, News, answer, connect},
    batch::left,
    run::{Form, print_json},
    sentence::Sentences,
    status,
};
use crate::face::{BatchView, Command, Event, Reply, Snapshot};
use clap::Args;

/// Laid out by hand for 80 columns.
const EXAMPLES: &str = "\
With --json each line is one JSON object: first the snapshot, then events with
rising numbers; where events were missed, another snapshot.

Example:
  kiln batch start spring && kiln watch --until-done spring";

/// `kiln watch`
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES
)]
pub struct WatchArgs {
    /// End when no job of this batch is left: status 0 when all of them are burned, 1 when it ends otherwise or was
    /// paused by the station
    #[arg(long, value_name = "BATCH")]
    until_done: Option<String>,
}

/// How a batch came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Every job is burned.
    Burned,
    /// Nothing will happen any more, or not before a person acts.
    Otherwise,
}

fn end(batch: &BatchView) -> Option<End> {
    if batch.jobs.burned == batch.jobs.total() {
        Some(End::Burned)
    } else if left(batch) == 0
        || batch.state == "cancelled"
        || (batch.state == "paused" && batch.reason.is_some())
    {
        Some(End::Otherwise)
    } else {
        None
    }
}

/// Subscribes and prints until the station ends, or the batch.
pub fn run(
    args: &WatchArgs,
    form: Form,
    io: &mut Io<'_>,
    connector: &mut Connector<'_>,
) -> Result<Exit, CliError> {
    let mut station = connect(connector)?;
    if let Some(name) = &args.until_done {
        // A batch that is done need not be in the snapshot, and one that never was must be refused.
        let command = Command::BatchShow { name: name.clone() };
        let batch = answer!(station, command, Reply::Batch(batch) => batch).batch;
        if let Some(end) = end(&batch) {
            return tell_end(&batch, end, io);
        }
    }
    let (snapshot, news) = station.subscribe()?;
    let mut sentences = Sentences::default();
    if let Some((batch, end)) = show_snapshot(&snapshot, args, form, io, &mut sentences)? {
        return tell_end(&batch, end, io);
    }
    for news in news {
        match news? {
            News::Event(numbered) => {
                match form {
                    Form::Json => print_json(io.out, &numbered)?,
                    Form::Text => {
                        for line in sentences.of(&numbered) {
                            writeln!(io.out, "{line}")?;
                        }
                    }
                }
                io.out.flush()?;
                if let Event::Batch(batch) = &numbered.event
                    && Some(&batch.name) == args.until_done.as_ref()
                    && let Some(end) = end(batch)
                {
                    return tell_end(batch, end, io);
                }
            }
            News::Snapshot(snapshot) => {
                if let Some((batch, end)) = show_snapshot(&snapshot, args, form, io, &mut sentences)? {
                    return tell_end(&batch, end, io);
                }
            }
        }
    }
    match &args.until_done {
        Some(batch) => Err(CliError::StationEnded { batch: batch.clone() }),
        None => Ok(Exit::Done),
    }
}

fn show_snapshot(
    snapshot: &Snapshot,
    args: &WatchArgs,
    form: Form,
    io: &mut Io<'_>,
    sentences: &mut Sentences,
) -> Result<Option<(BatchView, End)>, CliError> {
    sentences.restart(snapshot);
    match form {
        Form::Json => print_json(io.out, snapshot)?,
        Form::Text => {
            status::print(snapshot, io.out)?;
            writeln!(io.out)?;
        }
    }
    io.out.flush()?;
    let batch = snapshot.batches.iter().find(|batch| Some(&batch.name) == args.until_done.as_ref());
    Ok(batch.and_then(|batch| Some((batch.clone(), end(batch)?))))
}

fn tell_end(batch: &BatchView, end: End, io: &mut Io<'_>) -> Result<Exit, CliError> {
    let name = super::table::plain(&batch.name);
    let (burned, all) = (batch.jobs.burned, batch.jobs.total());
    match end {
        End::Burned => {
            writeln!(io.err, "batch {name}: all {all} burned")?;
            Ok(Exit::Done)
        }
        End::Otherwise => {
            let state = &batch.state;
            let reason = batch.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            writeln!(
                io.err,
                "batch {name} is {state}{}: {burned} of {all} burned",
                super::table::plain(&reason)
            )?;
            writeln!(io.err, "-> see which are not: kiln batch show {name} --jobs")?;
            Ok(Exit::No)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, NOW, Scripted, batch, snapshot};
    use crate::domain::Policy;
    use crate::face::{BatchDetail, JobCounts, Numbered, VaultState};

    fn counts(queued: u64, burned: u64, failed: u64) -> JobCounts {
        JobCounts { queued, burned, failed, ..JobCounts::default() }
    }

    fn detail(batch: BatchView) -> Reply {
        let policy = Policy::default();
        let detail = BatchDetail { batch, policy, recipe: None, login_target: None, key: None, source: None };
        Reply::Batch(Box::new(detail))
    }

    fn event(number: u64, event: Event) -> News {
        Numbered { number, at: NOW, event }.into()
    }

    #[test]
    fn a_batch_is_watched_to_its_end() {
        for (last, state, reason, exit) in [
            (counts(0, 2, 0), "done", None, Exit::Done),
            (counts(0, 1, 1), "done", None, Exit::No),
            (counts(1, 1, 0), "cancelled", None, Exit::No),
            (counts(1, 1, 0), "paused", Some("three refused keys in a row"), Exit::No),
            (counts(1, 1, 0), "paused", None, Exit::Environment),
        ] {
            let running = batch("spring", "running", counts(2, 0, 0));
            let mut ended = batch("spring", state, last);
            ended.reason = reason.map(str::to_owned);
            let other = batch("autumn", "done", counts(0, 1, 0));
            let news = vec![event(42, Event::Batch(other)), event(43, Event::Batch(ended))];
            let station = Scripted::new([detail(running)]).with_news(snapshot(), news);
            let mut desk = Desk::default();
            assert_eq!(desk.kiln("watch --until-done spring", &station), exit, "{state} {reason:?}");
        }
    }

    #[test]
    fn a_batch_that_is_done_already_is_not_waited_for() {
        let station = Scripted::new([detail(batch("spring", "done", counts(0, 2, 0)))]);
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("watch --until-done spring", &station), Exit::Done);
        assert_eq!(desk.err(), "batch spring: all 2 burned\n");
    }

    #[test]
    fn json_is_the_snapshot_and_then_an_event_a_line() {
        let news = vec![
            event(42, Event::Vault { state: VaultState::Locked }),
            News::Snapshot(Box::new(snapshot())),
            event(43, Event::Stopping),
        ];
        let station = Scripted::new([]).with_news(snapshot(), news);
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("watch --json", &station), Exit::Done);
        let out = desk.out();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 4);
        for at in [0, 2] {
            assert_eq!(serde_json::from_str::<Snapshot>(lines[at]).unwrap(), snapshot());
        }
        for (at, number) in [(1, 42), (3, 43)] {
            assert_eq!(serde_json::from_str::<Numbered>(lines[at]).unwrap().number, number);
        }
    }
}
