//! `kiln alarms [read ID…]`: what wants a person, and that somebody has read it.

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    error,
    run::{Form, done, print_json},
    status,
};
use crate::face::{Command, Reply};
use clap::{Args, Subcommand};

/// `kiln alarms`
#[derive(Debug, Args)]
pub struct AlarmsArgs {
    #[command(subcommand)]
    verb: Option<AlarmsVerb>,
}

#[derive(Debug, Subcommand)]
enum AlarmsVerb {
    /// They were read: nobody is shown them any more
    Read {
        /// Their numbers
        #[arg(required_unless_present = "all")]
        ids: Vec<u64>,
        /// All that there are now
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}

/// Asks and prints. Exit status 1: there is no such alarm.
pub fn run(args: AlarmsArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let snapshot = answer!(station, Command::Snapshot, Reply::Snapshot(snapshot) => snapshot);
    let open = &snapshot.alarms;
    let Some(AlarmsVerb::Read { ids, all }) = args.verb else {
        match form {
            Form::Json => print_json(io.out, open)?,
            Form::Text if open.is_empty() => writeln!(io.err, "there are no alarms")?,
            Form::Text => status::alarms(open, io.out)?,
        }
        return Ok(Exit::Done);
    };
    let known: Vec<u64> = open.iter().map(|alarm| alarm.id).collect();
    if let Some(unknown) = ids.iter().find(|id| !known.contains(id)) {
        let message = format!("there is no alarm {unknown}: it was read, or it is over");
        error::tell(io.err, &message, &[], "look at those there are with \"kiln alarms\"")?;
        return Ok(Exit::No);
    }
    let ids = if all { known } else { ids };
    if !ids.is_empty() {
        done(station, Command::AlarmsRead { ids })?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::testing::{Desk, NOW, Scripted, snapshot},
        face::{Alarm, Snapshot},
    };

    fn two() -> Reply {
        let alarm = |id, message: &str| Alarm {
            id,
            at: NOW,
            message: message.into(),
            remedy: "do it".into(),
            slot: Some(crate::domain::SlotName("left".into())),
        };
        let alarms = vec![alarm(3, "one"), alarm(8, "two")];
        Reply::Snapshot(Box::new(Snapshot { alarms, ..snapshot() }))
    }

    #[test]
    fn alarms_are_listed_with_their_numbers() {
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("alarms", &Scripted::new([two()])), Exit::Done);
        assert_eq!(
            desk.out(),
            "alarm 3  2026-01-02T03:04:05Z  left: one\n  -> do it\n\
             alarm 8  2026-01-02T03:04:05Z  left: two\n  -> do it\n"
        );
        let mut desk = Desk::default();
        desk.kiln("alarms --json", &Scripted::new([two()]));
        let listed: Vec<Alarm> = serde_json::from_str(&desk.out()).unwrap();
        assert_eq!(listed.iter().map(|alarm| alarm.id).collect::<Vec<_>>(), [3, 8]);
    }

    #[test]
    fn those_that_are_named_are_read_or_all() {
        for (line, ids) in [("alarms read 8", vec![8]), ("alarms read --all", vec![3, 8])] {
            let station = Scripted::new([two(), Reply::Done]);
            assert_eq!(Desk::default().kiln(line, &station), Exit::Done);
            assert_eq!(station.asked()[1], serde_json::json!({"do": "alarms_read", "ids": ids}));
        }
    }

    #[test]
    fn one_that_is_not_there_is_told() {
        let mut desk = Desk::default();
        let station = Scripted::new([two()]);
        assert_eq!(desk.kiln("alarms read 3 4", &station), Exit::No);
        assert!(desk.err().contains("no alarm 4") && desk.err().contains("-> look"), "{}", desk.err());
        assert_eq!(station.asked().len(), 1, "and none was read");
    }
}
