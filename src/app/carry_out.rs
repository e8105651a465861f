//! From a parsed command line to the part that carries it out.

use super::{
    catalog,
    client::connector,
    doctor, screen,
    simulate::{self, SimulateArgs},
    station,
    system_clock::SystemClock,
};
use crate::{
    cli::{self, Cli, CliError, DemoArgs, Exit, Global, Hosts, Io, Route},
    domain::Catalog,
    face::Failure,
    service::{
        self, Home, Mode,
        process::{self, Hold},
    },
};
use clap::CommandFactory;
use std::{ffi::OsString, io, sync::Arc};

fn env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Carries it out and says how it ended. What went wrong has been told on `io.err`.
pub fn carry_out(global: Global, route: Route<SimulateArgs>, io: &mut Io<'_>) -> Exit {
    // Passphrases and seeds pass through this process, whatever it does.
    if let Err(error) = process::harden() {
        return CliError::from(service::failure(&error)).tell(io);
    }
    match route {
        Route::Otp(args) => cli::run_otp(&args, io),
        Route::Papers(papers) => cli::run_papers(papers, Cli::<SimulateArgs>::command(), io),
        Route::Doctor(args) => match Home::find(env) {
            Ok(home) => {
                let here = doctor::Here::new(home.clone());
                cli::run_doctor(args, &here, global, io, &mut connector(&home, mode(global)))
            }
            Err(error) => CliError::from(service::failure(&error)).tell(io),
        },
        Route::Diagnose(args) => {
            let profiles = Home::find(env).map(|home| home.profiles().to_owned());
            // Without a home there are no files of the operator's own.
            match profiles.map_or_else(|_| Ok(Catalog::built_in()), |profiles| catalog::load(&profiles)) {
                Ok(catalog) => cli::run_diagnose(&args, &catalog, io),
                Err(failure) => CliError::from(failure).tell(io),
            }
        }
        Route::Asks(verb) => match Home::find(env) {
            Ok(home) => {
                let mode = mode(global);
                if verb.is_none()
                    && let Some(shape) = screen::shape(global, io, &env)
                {
                    return screen::run(&home, mode, shape, io, env)
                        .unwrap_or_else(|failure| CliError::from(failure).tell(io));
                }
                cli::run(verb, global, io, &mut connector(&home, mode))
            }
            Err(error) => CliError::from(service::failure(&error)).tell(io),
        },
        Route::Hosts(hosts) => {
            host(global, hosts, io).unwrap_or_else(|failure| CliError::from(failure).tell(io))
        }
    }
}

fn mode(global: Global) -> Mode {
    if global.read_only { Mode::ReadOnly } else { Mode::Full }
}

fn host(global: Global, hosts: Hosts<SimulateArgs>, io: &mut Io<'_>) -> Result<Exit, Failure> {
    match hosts {
        Hosts::StationRun { detached } => {
            let hold = if detached { Hold::Detached } else { Hold::Foreground };
            station::run(env, hold, io.out)?;
            Ok(Exit::Done)
        }
        Hosts::Simulate(args) if args.stdio => {
            // Reports are bytes: nothing else may read them, or write between them.
            simulate::run_on_usb(&args, Arc::new(SystemClock), io::stdin(), io.out, io::stderr())
                .map_err(|error| service::failure(&error))?;
            Ok(Exit::Done)
        }
        Hosts::Simulate(args) => {
            simulate::run(&args, Arc::new(SystemClock), &mut *io.input, io.out, io::stderr())
                .map_err(|error| service::failure(&error))?;
            Ok(Exit::Done)
        }
        Hosts::Demo(DemoArgs { slots, tokens, headless }) => {
            match screen::shape(global, io, &env).filter(|_| !headless) {
                Some(shape) => {
                    super::demo::on_screen(slots, tokens, |home| {
                        screen::show(home, Mode::Full, shape, io, env)
                    })?;
                    let _ = writeln!(io.err, "{}", super::demo::WITH_REAL_READERS);
                    Ok(Exit::Done)
                }
                None => {
                    let right = super::demo::run(slots, tokens, io.out)?;
                    Ok(if right { Exit::Done } else { Exit::No })
                }
            }
        }
    }
}
