//! `kiln otp read [NAME]`: the codes of the key on a slot.

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    run::{Form, print_json},
    table::Table,
};
use crate::{
    domain::UnixTime,
    face::{Command, KeyCode, KeyCodes, KeyWants, Reply},
};
use clap::Args;

/// `kiln otp read`
#[derive(Debug, Clone, Args)]
pub struct OtpReadArgs {
    /// Which credential: its whole name, its title, or its account. Needed for one that wants a touch, and for one that
    /// counts (its counter moves on) [default: all that the key calculates by itself]
    name: Option<String>,
    /// The slot on which the key lies, by its name or its reader's [default: the only one on which something lies]
    #[arg(long)]
    slot: Option<String>,
    /// The password of the key, by its name in the vault
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
}

/// Asks and prints. Status 1 where there is not one code.
pub fn run(args: OtpReadArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let OtpReadArgs { name, slot, key } = args;
    if name.is_some() {
        writeln!(io.err, "touch the key if it blinks")?;
    }
    let codes = answer!(station, Command::OtpRead { slot, name, key }, Reply::Codes(codes) => codes);
    match form {
        Form::Json => print_json(io.out, &codes)?,
        Form::Text => print(&codes, io)?,
    }
    let any = codes.codes.iter().any(|code| code.code.is_some());
    Ok(if any { Exit::Done } else { Exit::No })
}

fn print(codes: &KeyCodes, io: &mut Io<'_>) -> Result<(), CliError> {
    let model = codes.model.as_ref().map(|model| format!(" ({model})")).unwrap_or_default();
    writeln!(io.err, "key {}{model}", codes.serial)?;
    if codes.codes.is_empty() {
        writeln!(io.err, "it holds no credentials")?;
        return Ok(());
    }
    let mut table = Table::new(&["CODE", "LEFT", "NAME"]);
    for code in &codes.codes {
        table.row([shown(code), left(code, codes.at), code.name.clone()]);
    }
    table.write(io.out)?;
    Ok(())
}

fn shown(code: &KeyCode) -> String {
    match (&code.code, code.wants) {
        (Some(code), _) => code.clone(),
        (None, Some(KeyWants::Touch)) => "touch".to_owned(),
        (None, Some(KeyWants::Asking)) => "counts".to_owned(),
        (None, None) => "-".to_owned(),
    }
}

fn left(code: &KeyCode, at: UnixTime) -> String {
    code.until.map_or_else(|| "-".to_owned(), |until| format!("{} s", until.0.saturating_sub(at.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, Scripted};

    fn code(name: &str, code: Option<&str>, wants: Option<KeyWants>) -> KeyCode {
        KeyCode {
            name: name.to_owned(),
            issuer: None,
            account: name.to_owned(),
            period_s: Some(30),
            code: code.map(str::to_owned),
            until: code.map(|_| UnixTime(1_767_225_630)),
            wants,
        }
    }

    fn read(codes: Vec<KeyCode>) -> (Exit, String) {
        let reply = KeyCodes {
            serial: "12345678".parse().unwrap(),
            model: Some("yubikey-5".into()),
            at: UnixTime(1_767_225_611),
            codes,
        };
        let station = Scripted::new([Reply::Codes(reply)]);
        let mut desk = Desk::default();
        let exit = desk.kiln("otp read Acme:ann --slot left --key office", &station);
        let asked =
            serde_json::json!({"do": "otp_read", "slot": "left", "name": "Acme:ann", "key": "office"});
        assert_eq!(station.asked(), [asked]);
        (exit, desk.out().to_owned())
    }

    #[test]
    fn codes_stand_with_the_time_they_are_good_for() {
        let codes = vec![
            code("Acme:ann", Some("012345"), None),
            code("Acme:touchy", None, Some(KeyWants::Touch)),
            code("Bank:ann", None, Some(KeyWants::Asking)),
        ];
        let (exit, out) = read(codes);
        assert_eq!(exit, Exit::Done);
        let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["012345", "19", "s", "Acme:ann"]);
        assert_eq!(lines[2], ["touch", "-", "Acme:touchy"]);
        assert_eq!(lines[3], ["counts", "-", "Bank:ann"]);
    }

    #[test]
    fn not_one_code_is_a_no() {
        assert_eq!(read(vec![code("Acme:touchy", None, Some(KeyWants::Touch))]).0, Exit::No);
        assert_eq!(read(vec![]).0, Exit::No);
    }
}
