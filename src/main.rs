//! The kiln binary: parses, hands over, exits.

use clap::Parser;
use kiln::{
    app::{self, simulate::SimulateArgs, system_clock::SystemClock},
    cli::{Cli, Io, Terminal},
};
use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

fn main() -> ExitCode {
    let (global, route) = Cli::<SimulateArgs>::parse().route();
    let out_is_terminal = io::stdout().is_terminal();
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let mut person = Terminal;
    let mut io = Io {
        out: &mut io::stdout(),
        err: &mut io::stderr(),
        input: &mut io::BufReader::new(io::stdin()),
        prompt: if io::stdin().is_terminal() { Some(&mut person) } else { None },
        out_is_terminal,
        colour: out_is_terminal && !no_colour,
        clock: &SystemClock,
    };
    app::carry_out(global, route, &mut io).into()
}
