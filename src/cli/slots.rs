//! `kiln slots [name SLOT NAME | serial SLOT SERIAL]`: the slots, their readers, and names that stay.

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    run::{Form, done, print_json},
    table::{Table, or_dash},
};
use crate::{
    domain::Serial,
    face::{Command, Reply},
};
use clap::{Args, Subcommand};

/// `kiln slots`
#[derive(Debug, Args)]
pub struct SlotsArgs {
    #[command(subcommand)]
    verb: Option<SlotsVerb>,
}

#[derive(Debug, Subcommand)]
enum SlotsVerb {
    /// Call a slot so from now on, wherever its reader is listed
    Name {
        /// The slot, by its name or its reader's
        slot: String,
        /// Its new name, up to 24 characters; none takes the name away
        name: Option<String>,
    },
    /// Give the key on a slot, which tells no serial, the one by which it goes from now on
    Serial {
        /// The slot, by its name or its reader's
        slot: String,
        /// The serial that is printed on the key, or one of your own
        serial: Serial,
    },
}

/// Asks and prints.
pub fn run(args: SlotsArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let command = match args.verb {
        None => Command::Slots,
        Some(SlotsVerb::Name { slot, name }) => Command::SlotName { slot, name },
        Some(SlotsVerb::Serial { slot, serial }) => {
            done(station, Command::SlotSerial { slot: slot.clone(), serial: serial.clone() })?;
            writeln!(io.err, "the key on {slot} goes by serial {serial} from now on")?;
            return Ok(Exit::Done);
        }
    };
    let slots = answer!(station, command, Reply::Slots(slots) => slots);
    match form {
        Form::Json => print_json(io.out, &slots)?,
        Form::Text if slots.is_empty() => {
            writeln!(io.err, "there is no reader; plug one in, and see that pcscd runs")?;
        }
        Form::Text => {
            let mut table = Table::new(&["SLOT", "DO", "TOKEN", "READER"]);
            for slot in slots {
                table.row([
                    slot.view.slot.to_string(),
                    slot.view.doing.word().to_owned(),
                    or_dash(slot.view.serial.as_ref()),
                    slot.reader,
                ]);
            }
            table.write(io.out)?;
        }
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::testing::{Desk, Scripted},
        domain::SlotName,
        face::{Doing, SlotInfo, SlotView},
    };

    fn left() -> Reply {
        Reply::Slots(vec![SlotInfo {
            view: SlotView::empty(SlotName("left".into()), Doing::Place),
            reader: "ACS ACR122U 00 00".into(),
        }])
    }

    #[test]
    fn a_slot_is_listed_with_its_reader() {
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("slots", &Scripted::new([left()])), Exit::Done);
        assert_eq!(
            desk.out(),
            "SLOT  DO     TOKEN  READER\n\
             left  place  -      ACS ACR122U 00 00\n"
        );
    }

    #[test]
    fn a_key_is_lent_a_serial() {
        let station = Scripted::new([Reply::Done]);
        assert_eq!(Desk::default().kiln("slots serial left S-17", &station), Exit::Done);
        let asked = serde_json::json!({"do": "slot_serial", "slot": "left", "serial": "S-17"});
        assert_eq!(station.asked(), [asked]);
    }

    #[test]
    fn a_name_is_given_and_taken_away() {
        let station = Scripted::new([left(), left()]);
        assert_eq!(Desk::default().kiln("slots name reader-1 left", &station), Exit::Done);
        assert_eq!(Desk::default().kiln("slots name left", &station), Exit::Done);
        assert_eq!(
            station.asked(),
            [
                serde_json::json!({"do": "slot_name", "slot": "reader-1", "name": "left"}),
                serde_json::json!({"do": "slot_name", "slot": "left", "name": null}),
            ]
        );
    }
}
