//! `kiln station stop`: no more work is taken, burns in hand end, then the station does.

use super::{
    CliError, Exit, Io,
    ask::{Connector, Start},
    run::done,
};
use crate::face::Command;
use clap::Subcommand;

/// What can be asked of a station as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum StationVerb {
    /// Be the station, in the foreground
    Run {
        /// Go to the background once ready; the first client of a home does this by itself
        #[arg(long)]
        detached: bool,
    },
    /// Finish the burns in hand, then end the station
    Stop,
}

/// Asks the station to end and waits until it has.
pub fn run(io: &mut Io<'_>, connector: &mut Connector<'_>) -> Result<Exit, CliError> {
    let (Some(mut station), Some(listener)) = (connector(Start::Never)?, connector(Start::Never)?) else {
        writeln!(io.err, "no station runs here")?;
        return Ok(Exit::Done);
    };
    let (_, news) = listener.subscribe()?;
    done(&mut *station, Command::Stop)?;
    drop(station);
    // The stream ends with the server; how the line breaks then is no news.
    for _ in news.take_while(Result::is_ok) {}
    writeln!(io.err, "the station has ended")?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, NOW, Scripted, snapshot};
    use crate::face::{Event, Numbered, Reply};

    #[test]
    fn it_waits_until_the_station_has_ended() {
        let news = vec![Numbered { number: 42, at: NOW, event: Event::Stopping }.into()];
        let station = Scripted::new([Reply::Done]).with_news(snapshot(), news);
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("station stop", &station), Exit::Done);
        assert_eq!(desk.err(), "the station has ended\n");
    }

    #[test]
    fn no_station_is_started_to_be_stopped_or_locked() {
        for line in ["station stop", "lock"] {
            let mut desk = Desk::default();
            assert_eq!(desk.kiln(line, &Scripted::absent()), Exit::Done);
            assert!(desk.err().starts_with("no station runs here"));
        }
    }
}
