//! `kiln status`, and what `kiln` alone prints.

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    batch::batches_table,
    clock::burns,
    next,
    run::{Form, print_json},
    table::{Table, or_dash, plain},
};
use crate::face::{Alarm, Command, Reply, SlotView, Snapshot, VaultState, Who};
use std::io::{self, Write};

/// Whether the steps that a person would take next are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// `kiln` alone.
    Shown,
    /// `kiln status`.
    Hidden,
}

/// Asks and prints.
pub fn run(steps: Steps, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let snapshot = answer!(station, Command::Snapshot, Reply::Snapshot(snapshot) => snapshot);
    if form == Form::Json {
        print_json(io.out, &snapshot)?;
        return Ok(Exit::Done);
    }
    print(&snapshot, io.out)?;
    if steps == Steps::Shown {
        writeln!(io.out, "\nnext")?;
        for step in next::steps(&snapshot) {
            writeln!(io.out, "  {}", plain(&step))?;
        }
        writeln!(io.out, "  all that kiln can do: kiln help")?;
    }
    Ok(Exit::Done)
}

/// The vault, in a word.
pub fn vault(state: VaultState) -> &'static str {
    match state {
        VaultState::Absent => "not made yet (kiln init)",
        VaultState::Locked => "locked (kiln unlock)",
        VaultState::Open => "open",
    }
}

/// Somebody who looks on.
pub fn person(who: &Who) -> String {
    format!("{} ({})", who.name, who.role.word())
}

/// Who looks on; each once, however many terminals somebody has open.
fn people(attached: &[Who]) -> String {
    let mut counted: Vec<(&Who, usize)> = Vec::new();
    for who in attached {
        match counted.iter_mut().find(|(known, _)| *known == who) {
            Some((_, times)) => *times += 1,
            None => counted.push((who, 1)),
        }
    }
    if counted.is_empty() {
        return "nobody looks on".into();
    }
    let told = counted.iter().map(|(who, times)| match times {
        1 => person(who),
        times => format!("{} x{times}", person(who)),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// The whole state for people.
pub fn print(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "vault    {}", vault(snapshot.vault))?;
    writeln!(out, "clock    {}", snapshot.clock.state)?;
    writeln!(out, "burns    {}", burns(&snapshot.clock))?;
    writeln!(out, "people   {}", plain(&people(&snapshot.attached)))?;
    if snapshot.slots.is_empty() {
        writeln!(out, "slots    none: no reader is plugged in")?;
    } else {
        writeln!(out)?;
        slots(&snapshot.slots, out)?;
    }
    if !snapshot.batches.is_empty() {
        writeln!(out)?;
        batches_table(&snapshot.batches).write(out)?;
        for batch in &snapshot.batches {
            if let Some(reason) = &batch.reason {
                writeln!(out, "{} is {}: {}", plain(&batch.name), batch.state, plain(reason))?;
            }
        }
    }
    if !snapshot.alarms.is_empty() {
        writeln!(out)?;
        alarms(&snapshot.alarms, out)?;
    }
    Ok(())
}

/// What wants a person.
pub fn alarms(alarms: &[Alarm], out: &mut dyn Write) -> io::Result<()> {
    for alarm in alarms {
        let place = alarm.slot.as_ref().map(|slot| format!("{slot}: ")).unwrap_or_default();
        let said = plain(&format!("{place}{}", alarm.message)).into_owned();
        writeln!(out, "alarm {}  {}  {said}", alarm.id, alarm.at.floor_second())?;
        writeln!(out, "  -> {}", plain(&alarm.remedy))?;
    }
    Ok(())
}

fn slots(slots: &[SlotView], out: &mut dyn Write) -> io::Result<()> {
    // Names of readers have no bound, so they come last.
    let mut table = Table::new(&["DO", "SERIAL", "MODEL", "STEP", "DRIFT", "SLOT"]);
    for slot in slots {
        table.row([
            format!("{} {}", slot.doing.glyph(), slot.doing.word()),
            or_dash(slot.serial.as_ref()),
            or_dash(slot.model.as_ref()),
            or_dash(slot.progress.map(|(done, all)| format!("{done}/{all}"))),
            or_dash(slot.drift),
            slot.slot.to_string(),
        ]);
    }
    table.write(out)?;
    for slot in slots {
        if let Some(says) = &slot.says {
            writeln!(out, "{}: {}", plain(&slot.slot.0), plain(says))?;
        }
        if let Some(remedy) = &slot.remedy {
            writeln!(out, "  -> {}", plain(remedy))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, NOW, Scripted, batch, snapshot};
    use crate::domain::{DriftSeconds, SlotName};
    use crate::face::{Doing, JobCounts, Role};

    fn busy() -> Snapshot {
        let slot = SlotView {
            slot: SlotName("ACS ACR1252 [PICC] 00 00".into()),
            doing: Doing::Look,
            occupied: true,
            serial: Some("86596000000017".parse().unwrap()),
            model: Some("c302-i".into()),
            job: Some(3),
            progress: Some((2, 6)),
            drift: Some(DriftSeconds(-3.04)),
            says: Some("the token refused the key".into()),
            remedy: Some("check which key it has".into()),
        };
        let mut paused =
            batch("spring", "paused", JobCounts { queued: 4, burned: 1, ..JobCounts::default() });
        paused.reason = Some("three refused keys in a row".into());
        let alarm = Alarm {
            id: 40,
            at: NOW,
            message: "batch spring was paused".into(),
            remedy: "kiln batch show spring".into(),
            slot: None,
        };
        Snapshot { slots: vec![slot], batches: vec![paused], alarms: vec![alarm], ..snapshot() }
    }

    #[test]
    fn the_state_is_told_in_80_columns() {
        let mut desk = Desk::default();
        let station = Scripted::new([Reply::Snapshot(Box::new(busy()))]);
        assert_eq!(desk.kiln("status", &station), Exit::Done);
        assert_eq!(
            desk.out(),
            "vault    open
clock    synchronised (error at most 12 ms)
burns    allowed
people   nobody looks on

DO      SERIAL          MODEL   STEP  DRIFT   SLOT
? look  86596000000017  c302-i  2/6   -3.0 s  ACS ACR1252 [PICC] 00 00
ACS ACR1252 [PICC] 00 00: the token refused the key
  -> check which key it has

BATCH   STATE   PRIORITY  JOBS  BURNED  QUEUED  UNFINISHED  FAILED  TO SEE
spring  paused         0     5       1       4           0       0       0
spring is paused: three refused keys in a row

alarm 40  2026-01-02T03:04:05Z  batch spring was paused
  -> kiln batch show spring
"
        );
        assert!(desk.out().lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn kiln_alone_adds_the_next_steps() {
        let absent = Snapshot { vault: VaultState::Absent, ..snapshot() };
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("", &Scripted::new([Reply::Snapshot(Box::new(absent))])), Exit::Done);
        assert_eq!(
            desk.out(),
            "vault    not made yet (kiln init)
clock    synchronised (error at most 12 ms)
burns    allowed
people   nobody looks on
slots    none: no reader is plugged in

next
  make the vault, which keeps the seeds encrypted: kiln init
  all that kiln can do: kiln help
"
        );
    }

    #[test]
    fn who_looks_on_is_named_once() {
        let who = |name: &str, role| Who { name: name.into(), role };
        let ann = who("ann", Role::Operator);
        let all = [ann.clone(), who("bob", Role::Observer), ann];
        assert_eq!(people(&all), "ann (operator) x2, bob (observer)");
    }

    #[test]
    fn json_is_the_snapshot_on_one_line() {
        let mut desk = Desk::default();
        desk.kiln("status --json", &Scripted::new([Reply::Snapshot(Box::new(busy()))]));
        assert_eq!(desk.out().lines().count(), 1);
        assert_eq!(serde_json::from_str::<Snapshot>(&desk.out()).unwrap(), busy());
    }
}
