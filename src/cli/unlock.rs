//! `kiln unlock`: opens the vault. The holder's file is opened here; the station gets the data key.

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    opener::{OpenArgs, OpenError, holders, open},
    run::done,
};
use crate::face::{Command, Reply, SecretBytes, VaultState};
use clap::Args;

/// `kiln unlock`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kiln unlock                          asks for the passphrase
  kiln unlock --holder alice
  kiln unlock --identity ~/.ssh/id_ed25519
  pass show kiln | kiln unlock")]
pub struct UnlockArgs {
    #[command(flatten)]
    open: OpenArgs,
}

/// Asks for the holders' files, opens one, and hands the key over.
pub fn run(args: UnlockArgs, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let snapshot = answer!(station, Command::Snapshot, Reply::Snapshot(snapshot) => snapshot);
    match snapshot.vault {
        VaultState::Absent => return Err(OpenError::Absent.into()),
        VaultState::Open => {
            writeln!(io.err, "the vault is open already")?;
            return Ok(Exit::Done);
        }
        VaultState::Locked => {}
    }
    let key = open(&holders(station)?, &args.open, io)?;
    done(station, Command::VaultUnlock { data_key: SecretBytes::new(*key.expose()) })?;
    writeln!(io.err, "the vault is open")?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{
        opener::wrap,
        testing::{Desk, Scripted, snapshot},
    };
    use crate::face::Snapshot;
    use crate::vault::{
        DataKey,
        holder::{Recipient, WorkFactor},
    };

    fn in_state(vault: VaultState) -> Reply {
        Reply::Snapshot(Box::new(Snapshot { vault, ..snapshot() }))
    }

    #[test]
    fn the_data_key_reaches_the_station_and_the_passphrase_does_not() {
        let key = DataKey::from_bytes(&[7; 32]).unwrap();
        let work = WorkFactor::new(2).unwrap();
        let recipient = Recipient::passphrase("blue horse".to_owned().into(), work).unwrap();
        let holder = wrap("alice".into(), &key, &recipient).unwrap();
        let station =
            Scripted::new([in_state(VaultState::Locked), Reply::Holders(vec![holder]), Reply::Done]);
        let mut desk = Desk::input("blue horse\n");
        assert_eq!(desk.kiln("unlock", &station), Exit::Done);
        let asked = station.asked();
        let sent = data_encoding::BASE64.encode(&[7; 32]);
        assert_eq!(asked[2], serde_json::json!({"do": "vault_unlock", "data_key": sent}));
        assert!(!asked.iter().any(|asked| asked.to_string().contains("horse")));
    }

    #[test]
    fn nobody_is_asked_where_nothing_is_locked() {
        for (state, exit) in [(VaultState::Open, Exit::Done), (VaultState::Absent, Exit::Environment)] {
            let mut desk = Desk::terminal(&["unasked"]);
            assert_eq!(desk.kiln("unlock", &Scripted::new([in_state(state)])), exit);
            assert!(desk.asked().is_empty());
        }
    }
}
