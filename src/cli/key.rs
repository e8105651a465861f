//! `kiln key add|list`: customer keys, by name, in the vault.

use super::{
    Ask, CliError, Exit, Io, VerbError,
    ask::answer,
    prompt::{Typed, secret},
    run::{Form, done, print_json},
    table::Table,
};
use crate::face::{Command, Reply, SecretBytes};
use crate::remedy::{Remedy, Retry};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Laid out by hand for 80 columns.
const EXAMPLES: &str = "\
The key is asked for without an echo, or read from --key-file, or from
standard input.

Examples:
  kiln key add plant-a --ascii
  kiln key add plant-b --hex --key-file plant-b.key";

/// A text that is no customer key. Says nothing of the text but where it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// Not a hex digit.
    #[error("character {position} of the key is no hex digit")]
    NotHex {
        /// From 1.
        position: usize,
    },
    /// Half a byte.
    #[error("the key has {digits} hex digits, and two make a byte")]
    OddHex {
        /// How many.
        digits: usize,
    },
    /// Not ASCII.
    #[error("character {position} of the key is no printable ASCII character")]
    NotAscii {
        /// From 1.
        position: usize,
    },
}

impl Remedy for KeyTextError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NotHex { .. } => "say --ascii if the key is a text, or correct the digit",
            Self::OddHex { .. } => "look for a digit that is missing or one too many",
            Self::NotAscii { .. } => "give the key's bytes with --hex",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

impl VerbError for KeyTextError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

/// `kiln key`
#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// Keep a customer key in the vault
    Add(AddArgs),
    /// Names and fingerprints of the customer keys
    List,
}

/// `kiln key add`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("spelling").required(true).multiple(false).args(["hex", "ascii"]))]
#[command(
    after_help = EXAMPLES)]
pub struct AddArgs {
    /// How batches will call it
    name: String,
    /// The key is written in hex digits
    #[arg(long)]
    hex: bool,
    /// The key is written as text
    #[arg(long)]
    ascii: bool,
    /// Read the key from this file
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// Asks and prints.
pub fn run(verb: KeyVerb, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    match verb {
        KeyVerb::Add(AddArgs { name, hex, key_file, .. }) => {
            let text = secret(io, "customer key", key_file.as_deref(), Typed::Twice)?;
            let mut bytes = if hex { from_hex(&text)? } else { from_ascii(&text)? };
            let key = SecretBytes::new(std::mem::take(&mut *bytes));
            done(station, Command::KeyAdd { name: name.clone(), key })?;
            writeln!(io.err, "customer key {name} is in the vault")?;
        }
        KeyVerb::List => {
            let keys = answer!(station, Command::Keys, Reply::Keys(keys) => keys);
            if form == Form::Json {
                print_json(io.out, &keys)?;
                return Ok(Exit::Done);
            }
            if keys.is_empty() {
                writeln!(io.err, "no customer keys yet")?;
            }
            let mut table = Table::new(&["KEY", "FINGERPRINT", "ADDED"]);
            for key in keys {
                table.row([key.name, key.fingerprint, key.added.floor_second().to_string()]);
            }
            table.write(io.out)?;
        }
    }
    Ok(Exit::Done)
}

/// Hex digits in either case; blanks, colons and hyphens between them are dropped.
fn from_hex(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyTextError> {
    let mut digits = Zeroizing::new(Vec::with_capacity(text.len()));
    for (at, c) in text.chars().enumerate() {
        match c.to_digit(16) {
            Some(digit) => digits.push(digit as u8),
            None if c.is_whitespace() || c == ':' || c == '-' => {}
            None => return Err(KeyTextError::NotHex { position: at + 1 }),
        }
    }
    if digits.len() % 2 == 1 {
        return Err(KeyTextError::OddHex { digits: digits.len() });
    }
    Ok(Zeroizing::new(digits.chunks_exact(2).map(|pair| (pair[0] << 4) | pair[1]).collect()))
}

/// The text's own bytes: nothing is dropped, since a blank may be part of a key.
fn from_ascii(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyTextError> {
    match text.chars().position(|c| !(' '..='~').contains(&c)) {
        Some(at) => Err(KeyTextError::NotAscii { position: at + 1 }),
        None => Ok(Zeroizing::new(text.as_bytes().to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, NOW, Scripted};
    use crate::face::KeyInfo;

    #[test]
    fn a_key_is_the_same_in_both_spellings() {
        assert_eq!(*from_hex("54:4f-4B 45").unwrap(), *from_ascii("TOKE").unwrap());
        assert_eq!(from_hex("54x"), Err(KeyTextError::NotHex { position: 3 }));
        assert_eq!(from_hex("544"), Err(KeyTextError::OddHex { digits: 3 }));
        assert_eq!(from_ascii("TÖ"), Err(KeyTextError::NotAscii { position: 2 }));
        for error in [
            KeyTextError::NotHex { position: 1 },
            KeyTextError::OddHex { digits: 1 },
            KeyTextError::NotAscii { position: 1 },
        ] {
            assert!(error.remedy().len() > 20 && error.retry() == Retry::AfterOperator, "{error}");
        }
    }

    #[test]
    fn a_typed_key_reaches_the_vault_and_nothing_else() {
        let station = Scripted::new([Reply::Done]);
        let mut desk = Desk::terminal(&["TOKEN2MOLTO1-KEY", "TOKEN2MOLTO1-KEY"]);
        assert_eq!(desk.kiln("key add plant-a --ascii", &station), Exit::Done);
        let key = data_encoding::BASE64.encode(b"TOKEN2MOLTO1-KEY");
        assert_eq!(station.asked(), [serde_json::json!({"do": "key_add", "name": "plant-a", "key": key})]);
        assert_eq!(desk.err(), "customer key plant-a is in the vault\n");
        assert_eq!(desk.out(), "");
    }

    #[test]
    fn keys_are_listed_by_fingerprint() {
        let key = KeyInfo { name: "plant-a".into(), fingerprint: "a1b2c3d4".into(), added: NOW };
        let mut desk = Desk::default();
        desk.kiln("key list", &Scripted::new([Reply::Keys(vec![key])]));
        assert_eq!(desk.out(), "KEY      FINGERPRINT  ADDED\nplant-a  a1b2c3d4     2026-01-02T03:04:05Z\n");
    }
}
