//! `kiln clock`: the station's own clock, which tokens are set from.

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    moment,
    run::{Form, print_json},
};
use crate::face::{ClockView, Command, Reply};
use clap::{Args, Subcommand};
use std::io::{self, Write};

/// `kiln clock`
#[derive(Debug, Args)]
pub struct ClockArgs {
    #[command(subcommand)]
    verb: Option<ClockVerb>,
}

#[derive(Debug, Subcommand)]
enum ClockVerb {
    /// Burn although the clock is not trusted, for a while; it is recorded with each burn
    Override {
        /// For how long: 30m, 2h, 1h 30m
        #[arg(long = "for", value_name = "DURATION", value_parser = moment::seconds)]
        seconds: u32,
    },
}

/// Asks and prints.
pub fn run(args: ClockArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let command = match args.verb {
        None => Command::Clock,
        Some(ClockVerb::Override { seconds }) => Command::ClockOverride { seconds },
    };
    let clock = answer!(station, command, Reply::Clock(clock) => clock);
    match form {
        Form::Json => print_json(io.out, &clock)?,
        Form::Text => print(&clock, io.out)?,
    }
    Ok(Exit::Done)
}

fn print(clock: &ClockView, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "time   {}", clock.now)?;
    writeln!(out, "clock  {}", clock.state)?;
    if let Some(keeper) = clock.keeper {
        writeln!(out, "kept   by {keeper}")?;
    }
    writeln!(out, "burns  {}", burns(clock))?;
    match clock.keeper.filter(|_| !clock.state.is_trusted()) {
        Some(keeper) => writeln!(out, "advice {}", keeper.advice()),
        None => Ok(()),
    }
}

/// Whether tokens are set from it.
pub fn burns(clock: &ClockView) -> String {
    match (clock.burns_allowed, clock.override_until) {
        (true, Some(until)) => format!("allowed by a person until {}", until.floor_second()),
        (true, None) => "allowed".into(),
        (false, _) => "held until the clock is synchronised, or `kiln clock override --for 30m`".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, NOW, Scripted, clock};
    use crate::domain::{ClockState, TimeKeeper, UnixMillis};

    #[test]
    fn a_distrusted_clock_says_what_it_holds_up() {
        let state = ClockState::Unsynchronised { max_error_ms: 16_000 };
        let keeper = Some(TimeKeeper::Timesyncd);
        let view = ClockView { state, burns_allowed: false, keeper, ..clock() };
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("clock", &Scripted::new([Reply::Clock(view)])), Exit::Done);
        assert_eq!(
            desk.out(),
            "time   2026-01-02T03:04:05.000Z\n\
             clock  not synchronised (error up to 16000 ms)\n\
             kept   by systemd-timesyncd\n\
             burns  held until the clock is synchronised, or `kiln clock override --for 30m`\n\
             advice look at \"timedatectl timesync-status\"; \"systemctl restart systemd-timesyncd\" asks its server \
             again\n"
        );
    }

    #[test]
    fn an_override_has_an_end() {
        let view = ClockView { override_until: Some(UnixMillis(NOW.0 + 5_400_000)), ..clock() };
        let station = Scripted::new([Reply::Clock(view)]);
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("clock override --for 90m", &station), Exit::Done);
        assert_eq!(station.asked(), [serde_json::json!({"do": "clock_override", "seconds": 5400})]);
        assert!(desk.out().ends_with("burns  allowed by a person until 2026-01-02T04:34:05Z\n"));
    }
}
