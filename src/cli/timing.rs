//! `kiln diagnose --timing`: period and clock from the moments at which the code changes, without a seed or a station.

use super::{Exit, Io, VerbError};
use crate::{
    diagnose::timing::{Timing, TimingError, timing},
    remedy::{Remedy, Retry},
};
use serde::Serialize;
use std::io;

/// More changes than this make nothing surer.
const MOST: usize = 8;
/// As many are asked for at least: two alone don't show that one was missed.
const LEAST: usize = 3;

/// Why nothing was timed.
#[derive(Debug, thiserror::Error)]
pub enum TimingVerbError {
    /// Nobody is there to press Enter.
    #[error("changes of the code are timed by a person at a terminal")]
    NoTerminal,
    /// They leave the period open.
    #[error("these presses leave open which period the token has")]
    Unsure,
    /// The presses tell nothing.
    #[error(transparent)]
    Timing(#[from] TimingError),
    /// Terminal or output are gone.
    #[error("the terminal or the output is gone: {0}")]
    Output(#[from] io::Error),
}

impl Remedy for TimingVerbError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NoTerminal => "run it at a terminal, or give codes that the token showed",
            Self::Unsure => "start again, and press at more changes",
            Self::Timing(error) => error.remedy(),
            Self::Output(_) => "check where the output goes",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

impl VerbError for TimingVerbError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoTerminal => Exit::Usage,
            Self::Timing(_) | Self::Unsure => Exit::No,
            Self::Output(_) => Exit::Environment,
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Timed {
    presses: usize,
    period: u32,
    sure: f64,
    offset_s: f64,
    uncertainty_s: f64,
    others: Vec<(u32, f64)>,
    cannot_tell: String,
    next: String,
}

/// Lets a person press Enter at each change until the period is sure.
pub fn press(io: &mut Io<'_>) -> Result<Timing, TimingVerbError> {
    let state = io.clock.state();
    if !state.is_trusted() {
        io.warn(format_args!("this machine's clock is {state}: offsets are against that"))?;
    }
    let Some(prompt) = io.prompt.as_mut() else { return Err(TimingVerbError::NoTerminal) };
    writeln!(
        io.err,
        "Watch the display, and press Enter at the moment the code changes (q and Enter ends)."
    )?;
    let mut presses = Vec::new();
    while presses.len() < MOST {
        let typed = prompt.line(&format!("change {}: ", presses.len() + 1))?;
        let at = io.clock.now();
        if !typed.trim().is_empty() {
            break;
        }
        presses.push(at);
        if presses.len() >= LEAST && timing(&presses).is_ok_and(|found| !found.wants_another()) {
            break;
        }
    }
    Ok(timing(&presses)?)
}

/// Times the changes and says what that tells.
pub fn run(json: bool, io: &mut Io<'_>) -> Result<Exit, TimingVerbError> {
    let found = press(io)?;
    if json {
        let seconds = |period: crate::domain::Period| period.as_secs();
        let timed = Timed {
            presses: found.presses,
            period: seconds(found.period),
            sure: found.sure,
            offset_s: found.offset_s,
            uncertainty_s: found.uncertainty_s,
            others: found.others.iter().map(|(period, share)| (seconds(*period), *share)).collect(),
            cannot_tell: found.cannot_tell(),
            next: found.remedy(),
        };
        serde_json::to_writer(&mut *io.out, &timed).map_err(io::Error::from)?;
        writeln!(io.out)?;
    } else {
        writeln!(io.out, "{}", found.what())?;
        for line in [found.cannot_tell(), found.assumed(), found.remedy()] {
            writeln!(io.out, "  {line}")?;
        }
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Clock, ClockState, UnixMillis};
    use std::cell::Cell;
    use zeroize::Zeroizing;

    /// A clock that shows the next moment each time it is asked.
    struct Presses(std::sync::Mutex<Vec<i64>>);

    impl Clock for Presses {
        fn now(&self) -> UnixMillis {
            UnixMillis(1_772_366_400_000 + self.0.lock().unwrap().remove(0))
        }

        fn state(&self) -> ClockState {
            ClockState::Unsynchronised { max_error_ms: 16_000 }
        }
    }

    /// Presses at these milliseconds, then `q`.
    fn timed(at: &[i64], json: bool) -> (Result<Exit, TimingVerbError>, String, String) {
        let left = Cell::new(at.len());
        let mut prompt = |_: &str| {
            let more = left.get() > 0;
            left.set(left.get().saturating_sub(1));
            Ok(Zeroizing::new(if more { "" } else { "q" }.to_owned()))
        };
        let moments = at.iter().copied().chain([0]).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut io = Io {
            out: &mut out,
            err: &mut err,
            input: &mut io::empty(),
            prompt: Some(&mut prompt),
            out_is_terminal: false,
            colour: false,
            clock: &Presses(std::sync::Mutex::new(moments)),
        };
        let result = run(json, &mut io);
        (result, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn three_changes_are_enough_and_a_doubtful_period_asks_for_more() {
        let (result, out, err) = timed(&[7_400, 37_400, 67_400, 97_400], false);
        assert_eq!(result.unwrap(), Exit::Done);
        assert!(
            out.starts_with("a new code every 30 s (over 99 %); the token's clock is -7.0 s off"),
            "{out}"
        );
        assert!(out.contains("only a code tells") && err.contains("not synchronised"), "{out}{err}");
        let (_, out, _) = timed(&[400, 60_400, 90_400, 120_400], true);
        let told: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&told["period"], told["offset_s"].as_f64().map(f64::abs)), (&30.into(), Some(0.0)));
    }

    #[test]
    fn what_tells_nothing_is_refused_with_a_cure() {
        let (too_few, ..) = timed(&[400], false);
        let no_terminal = TimingVerbError::NoTerminal;
        let gone = TimingVerbError::Output(io::ErrorKind::BrokenPipe.into());
        for (error, exit) in [
            (too_few.unwrap_err(), Exit::No),
            (TimingVerbError::Unsure, Exit::No),
            (no_terminal, Exit::Usage),
            (gone, Exit::Environment),
        ] {
            assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!((error.exit(), error.retry()), (exit, Retry::AfterOperator), "{error}");
        }
    }
}
