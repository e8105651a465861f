//! `kiln entra-errors FILE`: what Entra ID said about an upload, token by token, with what to do for each.

use super::{
    Ask, CliError, Exit, Io, files,
    run::{Form, print_json},
    table::{count, plain},
    unseal::ExpectError,
};
use crate::{
    domain::Serial,
    face::{Command, FailureKind, Reply},
    formats::entra_errors,
    remedy::Remedy,
};
use clap::Args;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Laid out by hand for 80 columns.
const EXAMPLES: &str = "\
Examples:
  kiln entra-errors errors.csv    the file that the portal offers afterwards
  kiln entra-errors -             its message, pasted; end with Ctrl-D

Each error is mapped to its token, and what to do is said for each. What is
not named was taken: correct the rest and upload only that.";

/// `kiln entra-errors`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct EntraErrorsArgs {
    /// The file of errors, or the portal's message; - is standard input
    file: PathBuf,
}

/// One error, mapped.
#[derive(Debug, Serialize)]
struct Mapped {
    place: String,
    serial: Option<Serial>,
    upn: Option<String>,
    /// What this station knows of the token.
    token: Known,
    reason: String,
    remedy: &'static str,
}

/// What is on record about a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Known {
    /// It is here, with the user and the batch it is on record for.
    Here { upn: Option<String>, batch: Option<String> },
    /// It is not.
    Nowhere,
    /// The line names no token.
    Unnamed,
}

/// Reads the file, looks every token up and prints. Exit status 1: there are errors.
pub fn run(
    args: &EntraErrorsArgs,
    form: Form,
    io: &mut Io<'_>,
    station: &mut dyn Ask,
) -> Result<Exit, CliError> {
    let content = if args.file == Path::new("-") {
        files::read_all(io.input, "standard input")?
    } else {
        files::read(&args.file)?
    };
    let errors = entra_errors::read(&content)
        .map_err(|error| ExpectError::File { file: args.file.display().to_string(), error })?;
    let mut looked_up: BTreeMap<Serial, Known> = BTreeMap::new();
    let mut mapped = Vec::new();
    for error in errors {
        let token = match &error.serial {
            None => Known::Unnamed,
            Some(serial) => match looked_up.get(serial) {
                Some(known) => known.clone(),
                None => {
                    let known = look_up(serial, station)?;
                    looked_up.insert(serial.clone(), known.clone());
                    known
                }
            },
        };
        mapped.push(Mapped {
            place: error.place.to_string(),
            serial: error.serial,
            upn: error.upn,
            token,
            reason: error.reason.to_string(),
            remedy: error.reason.remedy(),
        });
    }
    if form == Form::Json {
        print_json(io.out, &mapped)?;
        return Ok(Exit::No);
    }
    for line in &mapped {
        writeln!(io.out, "{}", plain(&sentence(line)))?;
    }
    writeln!(io.err, "{} in the upload; what is not named was taken", count(tally(&mapped), "error"))?;
    Ok(Exit::No)
}

fn tally(mapped: &[Mapped]) -> u32 {
    u32::try_from(mapped.len()).unwrap_or(u32::MAX)
}

fn look_up(serial: &Serial, station: &mut dyn Ask) -> Result<Known, CliError> {
    match station.ask(Command::Token { serial: serial.clone() }) {
        Ok(Reply::Token(token)) => {
            let held = token.mappings.iter().find(|mapping| mapping.to.is_none());
            Ok(Known::Here {
                upn: held.and_then(|held| held.upn.clone()),
                batch: token.jobs.first().map(|job| job.batch.clone()),
            })
        }
        Ok(other) => Err(CliError::unexpected(&other)),
        Err(failure) if failure.kind == FailureKind::No => Ok(Known::Nowhere),
        Err(failure) => Err(failure.into()),
    }
}

fn sentence(line: &Mapped) -> String {
    let token = match (&line.serial, &line.token) {
        (None, _) => "a token without a serial".to_owned(),
        (Some(serial), Known::Here { upn, batch }) => {
            let user = upn.as_ref().map(|upn| format!(" of {upn}")).unwrap_or_default();
            let batch = batch.as_ref().map(|batch| format!(", batch {batch}")).unwrap_or_default();
            format!("token {serial}{user}{batch}")
        }
        (Some(serial), Known::Nowhere | Known::Unnamed) => {
            format!("token {serial}, which is not on record here")
        }
    };
    // The user of the upload matters where it is another than the one on record.
    let other_user = match (&line.upn, &line.token) {
        (Some(upn), Known::Here { upn: Some(known), .. }) if upn == known => String::new(),
        (Some(upn), _) => format!(" (uploaded for {upn})"),
        (None, _) => String::new(),
    };
    format!("{}, {token}{other_user}: {} -> {}", line.place, line.reason, line.remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::testing::{Desk, Scripted},
        face::Failure,
    };

    #[test]
    fn errors_are_told_with_their_tokens_and_what_to_do() {
        let nobody = Failure {
            kind: FailureKind::No,
            message: "token 1000 is not on record".into(),
            remedy: String::new(),
            details: vec![],
        };
        let station = Scripted::failing(nobody);
        let mut desk = Desk::input(
            "upn,serial number,error\nalice@example.com,1000,Invalid base32 encoding due to illegal character 8\n\
             bob@example.com,1000,this serial already exists\n",
        );
        assert_eq!(desk.kiln("entra-errors -", &station), Exit::No);
        let out = desk.out();
        assert!(
            out.starts_with(
                "line 2, token 1000, which is not on record here (uploaded for alice@example.com): its secret key \
                 holds \"8\", which is no base32 -> upload what"
            ),
            "{out}"
        );
        assert!(out.contains("line 3, ") && out.contains("in the tenant already"), "{out}");
        assert_eq!(station.asked().len(), 1, "a token is looked up once");
        assert!(desk.err().contains("2 errors"), "{}", desk.err());
    }

    #[test]
    fn a_file_that_holds_no_errors_is_refused() {
        let station = Scripted::new([]);
        let mut desk = Desk::input("upn,serial number,secret key\n");
        assert_eq!(desk.kiln("entra-errors -", &station), Exit::No);
        assert!(desk.err().contains("does not recognise"), "{}", desk.err());
    }
}
