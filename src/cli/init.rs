//! `kiln init`: makes the vault and its first holder.

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    opener::{OpenError, RecipientArgs, wrap},
    run::done,
};
use crate::face::{Command, Reply, SecretBytes, VaultState};
use crate::vault::{DataKey, holder::WorkFactor};
use clap::Args;
use std::path::PathBuf;

/// Laid out by hand for 80 columns.
const EXAMPLES: &str = "\
Seeds rest encrypted under a random data key. Each holder of the vault - a
passphrase, an age key, an SSH key - has a file of that key of its own. Where
the last holder is lost, so are the seeds: add a second one (kiln holder add)
and keep it elsewhere.

Examples:
  kiln init                                asks for a passphrase, twice
  kiln init --passphrase-file FILE
  kiln init --ssh ~/.ssh/id_ed25519.pub";

/// `kiln init`
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES
)]
#[command(group = clap::ArgGroup::new("first").multiple(false).args(["passphrase_file", "age", "ssh"]))]
pub struct InitArgs {
    /// The first holder's name [default: passphrase, age or ssh]
    #[arg(long)]
    name: Option<String>,
    /// Read the passphrase from this file
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The holder has an age key: its public half (age1...)
    #[arg(long, value_name = "RECIPIENT")]
    age: Option<String>,
    /// The holder has an SSH key: the file of its public half
    #[arg(long, value_name = "PUBKEYFILE")]
    ssh: Option<PathBuf>,
}

/// Makes data key and holder here; the station gets the key for as long as it is unlocked.
pub fn run(args: InitArgs, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    init(args, io, station, WorkFactor::DEFAULT)
}

fn init(args: InitArgs, io: &mut Io<'_>, station: &mut dyn Ask, work: WorkFactor) -> Result<Exit, CliError> {
    // Nobody should think up a passphrase for a vault that is there already.
    let snapshot = answer!(station, Command::Snapshot, Reply::Snapshot(snapshot) => snapshot);
    if snapshot.vault != VaultState::Absent {
        return Err(OpenError::Exists.into());
    }
    let InitArgs { name, passphrase_file: new_passphrase_file, age, ssh } = args;
    let recipient = RecipientArgs { new_passphrase_file, age, ssh }.recipient(io, work)?;
    let data_key = DataKey::generate().map_err(|_| OpenError::NoRandomness)?;
    let name = name.unwrap_or_else(|| recipient.kind().word().into());
    let holder = wrap(name.clone(), &data_key, &recipient)?;
    let data_key = SecretBytes::new(*data_key.expose());
    done(station, Command::VaultInit { holder, data_key })?;
    writeln!(io.err, "the vault is made and open; its holder is called {name}")?;
    io.warn("if this holder is lost, so are the seeds; nobody can restore them")?;
    writeln!(io.err, "-> add a second holder and keep it elsewhere: kiln holder add NAME")?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, Scripted, snapshot};
    use crate::vault::holder::{self, Identity};

    fn absent() -> Reply {
        Reply::Snapshot(Box::new(crate::face::Snapshot { vault: VaultState::Absent, ..snapshot() }))
    }

    fn args() -> InitArgs {
        InitArgs { name: None, passphrase_file: None, age: None, ssh: None }
    }

    #[test]
    fn the_station_gets_a_key_that_the_holders_file_gives_back() {
        let mut station = Scripted::new([absent(), Reply::Done]);
        let mut desk = Desk::terminal(&["a long blue horse", "a long blue horse"]);
        let work = WorkFactor::new(2).unwrap();
        assert_eq!(init(args(), &mut desk.io(), &mut station, work).unwrap(), Exit::Done);
        let asked = &station.asked()[1];
        let decode = |value: &serde_json::Value| {
            data_encoding::BASE64.decode(value.as_str().unwrap().as_bytes()).unwrap()
        };
        let identity = Identity::passphrase("a long blue horse".to_owned().into()).unwrap();
        let opened = holder::open(&decode(&asked["holder"]["file"]), &identity).unwrap();
        assert_eq!(opened.expose()[..], decode(&asked["data_key"]));
        assert_eq!(asked["holder"]["name"], "passphrase");
        assert!(desk.err().contains("if this holder is lost, so are the seeds"));
        assert!(!asked.to_string().contains("blue horse"));
    }

    #[test]
    fn a_vault_is_made_once() {
        let mut station = Scripted::new([Reply::Snapshot(Box::new(snapshot()))]);
        let mut desk = Desk::terminal(&["unasked"]);
        let error = run(args(), &mut desk.io(), &mut station).unwrap_err();
        assert_eq!(error.exit(), Exit::No);
        assert!(desk.asked().is_empty());
    }

    #[test]
    fn a_short_passphrase_is_warned_of() {
        let mut station = Scripted::new([absent(), Reply::Done]);
        let mut desk = Desk::input("short\n");
        init(args(), &mut desk.io(), &mut station, WorkFactor::new(2).unwrap()).unwrap();
        assert!(desk.err().contains("this short can be guessed"), "{}", desk.err());
    }
}
