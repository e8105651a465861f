//! From a parsed command line to the verb's file.

use super::{
    Asks, CliError, Exit, Global, Io, activate, alarms,
    args::Papers,
    ask::{Connector, Start, connect},
    audit, batch, clock, collect, completions, device,
    diagnose::{self, DiagnoseArgs},
    doctor::{self, DoctorArgs, Premises},
    drift, entra_errors, export, holder, import, init, key, man,
    otp::{self, OtpArgs},
    otp_read, slots, status, stop, token, tokens, unlock, verify, watch, when, whose,
};
use crate::{domain::Catalog, face::Command};
use serde::Serialize;
use std::io::Write;

/// Runs one verb that asks a station, `None` for `kiln` alone. Errors are told on `io.err` with their remedy.
pub fn run(verb: Option<Asks>, global: Global, io: &mut Io<'_>, connector: &mut Connector<'_>) -> Exit {
    let done = dispatch(verb, global, io, connector).and_then(|exit| {
        io.out.flush()?;
        Ok(exit)
    });
    done.unwrap_or_else(|error| error.tell(io))
}

/// Runs a verb that needs no station.
pub fn run_diagnose(args: &DiagnoseArgs, catalog: &Catalog, io: &mut Io<'_>) -> Exit {
    diagnose::run(args, catalog, io).unwrap_or_else(|error| CliError::from(error).tell(io))
}

/// Runs a verb of `kiln otp`. Errors are told on `io.err` with their remedy.
pub fn run_otp(args: &OtpArgs, io: &mut Io<'_>) -> Exit {
    otp::run(args, io).unwrap_or_else(|error| CliError::from(error).tell(io))
}

/// Runs `kiln doctor`, which asks a station and looks around itself.
pub fn run_doctor(
    args: DoctorArgs,
    premises: &dyn Premises,
    global: Global,
    io: &mut Io<'_>,
    connector: &mut Connector<'_>,
) -> Exit {
    let done = doctor::run(args, premises, global.form(), io, connector).and_then(|exit| {
        io.out.flush()?;
        Ok(exit)
    });
    done.unwrap_or_else(|error| error.tell(io))
}

/// Writes what can be made of `tree`, the whole command line.
pub fn run_papers(papers: Papers, tree: clap::Command, io: &mut Io<'_>) -> Exit {
    let done = match papers {
        Papers::Completions(args) => completions::run(args, tree, io.out),
        Papers::Man(args) => man::run(args, tree, io),
    };
    let done = done.and_then(|()| Ok(io.out.flush()?));
    done.map_or_else(|error| error.tell(io), |()| Exit::Done)
}

fn dispatch(
    verb: Option<Asks>,
    global: Global,
    io: &mut Io<'_>,
    connector: &mut Connector<'_>,
) -> Result<Exit, CliError> {
    let json = global.form();
    // What can be refused without a station is refused before one is started for it.
    match &verb {
        Some(Asks::Import(args)) => args.check()?,
        Some(Asks::Collect(collect::CollectVerb::Serials(args))) => args.check()?,
        Some(Asks::Export(args)) => args.check(json, io.out_is_terminal)?,
        _ => {}
    }
    let Some(verb) = verb else {
        return status::run(status::Steps::Shown, json, io, &mut *connect(connector)?);
    };
    match verb {
        Asks::Watch(args) => watch::run(&args, json, io, connector),
        Asks::StationStop => stop::run(io, connector),
        Asks::Init(args) => init::run(args, io, &mut *connect(connector)?),
        Asks::Unlock(args) => unlock::run(args, io, &mut *connect(connector)?),
        Asks::Lock => lock(io, connector),
        Asks::Holder(args) => holder::run(args, json, io, &mut *connect(connector)?),
        Asks::Import(args) => import::run(args, json, io, connector),
        Asks::Batch(args) => batch::run(args, json, io, &mut *connect(connector)?),
        Asks::Alarms(args) => alarms::run(args, json, io, &mut *connect(connector)?),
        Asks::Status => status::run(status::Steps::Hidden, json, io, &mut *connect(connector)?),
        Asks::Tokens(args) => tokens::run(args, json, io, &mut *connect(connector)?),
        Asks::Token(args) => token::run(args, json, io, &mut *connect(connector)?),
        Asks::Verify(args) => verify::run(args, json, io, &mut *connect(connector)?),
        Asks::Export(args) => export::run(*args, json, io, &mut *connect(connector)?),
        Asks::Activate(verb) => activate::run(verb, json, io, &mut *connect(connector)?),
        Asks::EntraErrors(args) => entra_errors::run(&args, json, io, &mut *connect(connector)?),
        Asks::Diagnose(args, serial) => diagnose::ask(&args, serial, json, io, &mut *connect(connector)?),
        Asks::Whose(args) => whose::run(args, json, io, &mut *connect(connector)?),
        Asks::When(args) => when::run(args, json, io, &mut *connect(connector)?),
        Asks::Drift(args) => drift::run(args, json, io, &mut *connect(connector)?),
        Asks::Device(verb) => device::run(verb, json, io, connector),
        Asks::OtpRead(args) => otp_read::run(args, json, io, &mut *connect(connector)?),
        Asks::Collect(verb) => collect::run(verb, json, io, connector),
        Asks::Slots(args) => slots::run(args, json, io, &mut *connect(connector)?),
        Asks::Clock(args) => clock::run(args, json, io, &mut *connect(connector)?),
        Asks::Key(args) => key::run(args, json, io, &mut *connect(connector)?),
        Asks::Audit(args) => audit::run(args, json, io, &mut *connect(connector)?),
    }
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// `--json`: one value on one line.
    Json,
}

/// Prints `value` as one line of JSON.
pub fn print_json(out: &mut dyn Write, value: &impl Serialize) -> Result<(), CliError> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}

fn lock(io: &mut Io<'_>, connector: &mut Connector<'_>) -> Result<Exit, CliError> {
    // A station that does not run holds no key.
    let Some(mut station) = connector(Start::Never)? else {
        writeln!(io.err, "no station runs here: its vault is locked")?;
        return Ok(Exit::Done);
    };
    done(&mut *station, Command::VaultLock)?;
    writeln!(io.err, "the vault is locked")?;
    Ok(Exit::Done)
}

/// Asks what is answered with "done".
pub fn done(station: &mut dyn super::Ask, command: Command) -> Result<(), CliError> {
    match station.ask(command)? {
        crate::face::Reply::Done => Ok(()),
        other => Err(CliError::unexpected(&other)),
    }
}
