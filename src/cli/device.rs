//! `kiln device reset|set-key SERIAL`: what is done to a token itself, with its button.

use super::{
    CliError, Exit, Io,
    ask::{Connector, News, connect},
    prompt::last_four,
    run::{Form, done, print_json},
};
use crate::{
    domain::Serial,
    face::{Command, DeviceState, Event},
};
use clap::{Args, Subcommand};

/// `kiln device`
#[derive(Debug, Subcommand)]
pub enum DeviceVerb {
    /// Back to the factory state: every profile is erased, the delivered customer key is back
    Reset(Confirmed),
    /// Give a token another customer key, which must be in the vault already
    SetKey {
        #[command(flatten)]
        token: Confirmed,
        /// The new key, by its name in the vault
        #[arg(long, value_name = "NAME")]
        key: String,
        /// The key that the token takes now; none: the one it was delivered with
        #[arg(long, value_name = "NAME")]
        current: Option<String>,
    },
    /// Say that the button of a token that asks for its new key was pressed
    Pressed {
        /// The token's serial
        serial: Serial,
    },
    /// Forget a reset or key change that was not begun
    Cancel {
        /// The token's serial
        serial: Serial,
    },
}

/// A token that a person has in hand.
#[derive(Debug, Args)]
pub struct Confirmed {
    /// The token's serial
    serial: Serial,
    /// The serial's last four characters, for scripts; else they are asked for
    #[arg(long, value_name = "FOUR")]
    last_four: Option<String>,
}

/// Orders and waits for the end, telling what the token wants meanwhile.
pub fn run(
    verb: DeviceVerb,
    form: Form,
    io: &mut Io<'_>,
    connector: &mut Connector<'_>,
) -> Result<Exit, CliError> {
    let (serial, command) = match verb {
        DeviceVerb::Reset(Confirmed { serial, last_four: given }) => {
            let warning = format!("Every profile of token {serial} is erased; its seeds are lost for good.");
            let last_four = last_four(io, &serial, given, &warning)?;
            (serial.clone(), Command::DeviceReset { serial, last_four })
        }
        DeviceVerb::SetKey { token: Confirmed { serial, last_four: given }, key, current } => {
            let warning = format!("Token {serial} will take nothing but the key \"{key}\" from then on.");
            let last_four = last_four(io, &serial, given, &warning)?;
            (serial.clone(), Command::DeviceSetKey { serial, last_four, current, new: key })
        }
        DeviceVerb::Pressed { serial } => {
            done(&mut *connect(connector)?, Command::DevicePressed { serial })?;
            return Ok(Exit::Done);
        }
        DeviceVerb::Cancel { serial } => {
            done(&mut *connect(connector)?, Command::DeviceCancel { serial })?;
            return Ok(Exit::Done);
        }
    };
    // Listening comes first, so that nothing of what follows is missed.
    let (_, news) = connect(connector)?.subscribe()?;
    let mut station = connect(connector)?;
    done(&mut *station, command)?;
    for news in news {
        let News::Event(numbered) = news? else { continue };
        let Event::Device { serial: of, state, says, remedy } = &numbered.event else { continue };
        if *of != serial {
            continue;
        }
        match form {
            Form::Json => print_json(io.out, &numbered)?,
            Form::Text if remedy.is_empty() => writeln!(io.out, "{says}")?,
            Form::Text => writeln!(io.out, "{says}\n-> {remedy}")?,
        }
        io.out.flush()?;
        match state {
            DeviceState::Done => return Ok(Exit::Done),
            DeviceState::Failed => return Ok(Exit::No),
            DeviceState::WaitsForToken => {}
            DeviceState::WaitsForButton => {
                if let Some(person) = io.prompt.as_mut() {
                    let pressed = person.line("Press Enter here when you have pressed it: ");
                    if pressed.is_ok() {
                        // A reset is seen without a word of anybody; the station then no longer waits for one.
                        let _ = done(&mut *station, Command::DevicePressed { serial: serial.clone() });
                    }
                }
            }
        }
    }
    Err(CliError::NoStation)
}
