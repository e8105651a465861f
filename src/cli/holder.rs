//! `kiln holder add|list|remove`: who can open the vault.

use super::{
    Ask, CliError, Exit, Io,
    opener::{OpenArgs, OpenError, RecipientArgs, holders, open, wrap},
    run::{Form, done, print_json},
    table::{Table, or_dash},
};
use crate::face::Command;
use crate::vault::holder::WorkFactor;
use clap::{Args, Subcommand};

/// Laid out by hand for 80 columns.
const EXAMPLES: &str = "\
Adding a holder opens the vault with one that there is (--holder,
--passphrase-file, --identity), even while it is unlocked: the station does
not give its key away. Removing one later does not reach old backups: a
holder's file in them still opens.

Examples:
  kiln holder add safe --age age1...
  kiln holder add bob --ssh bob.pub --identity ~/.ssh/id_ed25519";

/// `kiln holder`
#[derive(Debug, Subcommand)]
pub enum HolderVerb {
    /// Let another passphrase or key open the vault
    Add(AddArgs),
    /// Who can open the vault
    List,
    /// Forget a holder; the last one stays
    Remove {
        /// The holder's name
        name: String,
    },
}

/// `kiln holder add`
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES
)]
pub struct AddArgs {
    /// The new holder's name
    name: String,
    #[command(flatten)]
    new: RecipientArgs,
    #[command(flatten, next_help_heading = "Opening the vault")]
    open: OpenArgs,
}

/// Asks and prints.
pub fn run(verb: HolderVerb, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    match verb {
        HolderVerb::Add(args) => add(args, io, station, WorkFactor::DEFAULT)?,
        HolderVerb::List => {
            let holders = holders(station)?;
            if form == Form::Json {
                print_json(io.out, &holders)?;
                return Ok(Exit::Done);
            }
            let mut table = Table::new(&["HOLDER", "OPENED BY", "KEY"]);
            for holder in holders {
                table.row([holder.name, holder.kind, or_dash(holder.recipient)]);
            }
            table.write(io.out)?;
        }
        HolderVerb::Remove { name } => {
            done(station, Command::HolderRemove { name: name.clone() })?;
            writeln!(io.err, "holder {name} is removed")?;
            writeln!(io.err, "-> destroy old backups that its passphrase or key still opens")?;
        }
    }
    Ok(Exit::Done)
}

fn add(args: AddArgs, io: &mut Io<'_>, station: &mut dyn Ask, work: WorkFactor) -> Result<(), CliError> {
    let holders = holders(station)?;
    if holders.iter().any(|holder| holder.name == args.name) {
        return Err(OpenError::NameTaken { name: args.name }.into());
    }
    let key = open(&holders, &args.open, io)?;
    let recipient = args.new.recipient(io, work)?;
    let holder = wrap(args.name.clone(), &key, &recipient)?;
    done(station, Command::HolderAdd { holder })?;
    writeln!(io.err, "holder {} is added", args.name)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, Scripted};
    use crate::face::{HolderFile, Reply};
    use crate::vault::{
        DataKey,
        holder::{Identity, Recipient, open as open_file},
    };

    fn alice() -> HolderFile {
        let key = DataKey::from_bytes(&[7; 32]).unwrap();
        let recipient =
            Recipient::passphrase("blue horse".to_owned().into(), WorkFactor::new(2).unwrap()).unwrap();
        wrap("alice".into(), &key, &recipient).unwrap()
    }

    #[test]
    fn a_new_holder_gets_the_same_data_key() {
        let mut station = Scripted::new([Reply::Holders(vec![alice()]), Reply::Done]);
        let mut desk = Desk::terminal(&["blue horse", "red house", "red house"]);
        let args = AddArgs { name: "bob".into(), new: RecipientArgs::default(), open: OpenArgs::default() };
        add(args, &mut desk.io(), &mut station, WorkFactor::new(2).unwrap()).unwrap();
        let file = station.asked()[1]["holder"]["file"].as_str().unwrap().to_owned();
        let file = data_encoding::BASE64.decode(file.as_bytes()).unwrap();
        let bob = Identity::passphrase("red house".to_owned().into()).unwrap();
        assert_eq!(open_file(&file, &bob).unwrap().expose(), &[7; 32]);
        assert_eq!(desk.asked(), ["passphrase: ", "new passphrase: ", "new passphrase, once more: "]);
    }

    #[test]
    fn a_name_is_given_once() {
        let station = Scripted::new([Reply::Holders(vec![alice()])]);
        let mut desk = Desk::terminal(&["unasked"]);
        assert_eq!(desk.kiln("holder add alice", &station), Exit::No);
        assert!(desk.asked().is_empty());
    }

    #[test]
    fn holders_are_listed_by_name_and_kind() {
        let mut desk = Desk::default();
        desk.kiln("holder list", &Scripted::new([Reply::Holders(vec![alice()])]));
        assert_eq!(desk.out(), "HOLDER  OPENED BY   KEY\nalice   passphrase  -\n");
    }

    #[test]
    fn a_holder_is_removed_by_name() {
        let station = Scripted::new([Reply::Done]);
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("holder remove alice", &station), Exit::Done);
        assert_eq!(station.asked(), [serde_json::json!({"do": "holder_remove", "name": "alice"})]);
    }
}
