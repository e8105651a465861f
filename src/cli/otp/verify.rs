//! `kiln otp verify`: does a code belong to a seed, and how far off?

use super::{Exit, Io, OtpError, ParameterArgs, moment_or_now, print_json, xml};
use crate::{
    cli::{
        moment,
        seed_input::{GivenSeed, SeedArgs, read_seed},
    },
    domain::{Code, Mode, Parameters, Seed, UnixTime, otp},
};
use serde::Serialize;
use std::fmt;

/// Arguments of `kiln otp verify`.
#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {
    /// The code to check
    #[arg(required_unless_present = "xml", conflicts_with = "xml")]
    code: Option<String>,
    #[command(flatten)]
    seed: SeedArgs,
    #[command(flatten)]
    parameters: ParameterArgs,
    /// Steps to search before and after the current one (HOTP: counts to search after the counter)
    #[arg(long, value_name = "STEPS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(..=100_000))]
    window: u32,
    /// The moment to check for: 2026-03-01T12:00:00Z or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment::parse, allow_hyphen_values = true)]
    at: Option<UnixTime>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Read the adapter's document `<TOTP><Password>…</Password><Secret>…</Secret></TOTP>` and print `<Ok/>` or `<Error/>`
    #[arg(long, conflicts_with_all = ["json", "uri", "format"])]
    xml: bool,
}

/// Where the search went, and how far from its middle the code was found.
#[derive(Debug, Clone, Copy, Serialize)]
struct Finding {
    matches: bool,
    /// Steps; negative is before the current one.
    distance: Option<i64>,
    window: Window,
    /// `None` for HOTP.
    at: Option<UnixTime>,
    #[serde(flatten)]
    parameters: Parameters,
}

/// The look-ahead window that was searched, in steps (HOTP: counts).
#[derive(Debug, Clone, Copy, Serialize)]
struct Window {
    back: u32,
    ahead: u32,
}

impl Finding {
    fn search(
        seed: &Seed,
        parameters: Parameters,
        at: UnixTime,
        code: &Code,
        steps: u32,
    ) -> Result<Self, OtpError> {
        let back = match parameters.mode {
            Mode::Hotp { .. } => 0,
            Mode::Totp { period, t0 } => {
                otp::step_at(at, t0, period).ok_or(OtpError::BeforeT0 { at, t0 })?;
                steps
            }
        };
        let distance = otp::find_in_window(seed, &parameters, at, code, back, steps);
        let window = Window { back, ahead: steps };
        let at = parameters.period().map(|_| at);
        Ok(Self { matches: distance.is_some(), distance, window, at, parameters })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = |n: u64| if n == 1 { "step" } else { "steps" };
        match (self.distance, self.parameters.mode) {
            (None, _) => write!(f, "no match")?,
            (Some(0), Mode::Totp { .. }) => write!(f, "match: the current step")?,
            (Some(d), Mode::Totp { .. }) => {
                let (n, side) = (d.unsigned_abs(), if d < 0 { "before" } else { "after" });
                write!(f, "match: {n} {} {side} the current one", unit(n))?;
            }
            (Some(d), Mode::Hotp { counter }) => {
                // Ahead only, so the distance is not negative.
                write!(f, "match: counter {} ({d} after {counter})", counter.saturating_add_signed(d))?;
            }
        }
        let Window { back, ahead } = self.window;
        match self.parameters.mode {
            Mode::Totp { .. } => write!(f, "; searched {back} {} back and {ahead} ahead", unit(back.into())),
            Mode::Hotp { counter } => write!(f, "; searched counter {counter} and {ahead} ahead"),
        }
    }
}

pub(super) fn run(args: &VerifyArgs, io: &mut Io<'_>) -> Result<Exit, OtpError> {
    if args.xml {
        return xml::answer(io, |io| {
            let (code, seed) = xml::read_totp(args.seed.secret_file.as_deref(), io)?;
            let parameters = args.parameters.over(None)?;
            let at = args.at.unwrap_or_else(|| io.clock.now().floor_second());
            let finding = Finding::search(&seed, parameters, at, &code, args.window)?;
            let description = finding.to_string();
            Ok(if finding.matches { xml::Answer::Ok(description) } else { xml::Answer::NoMatch(description) })
        });
    }
    let code = Code::parse(args.code.as_deref().unwrap_or_default()).map_err(|_| OtpError::NotACode)?;
    let GivenSeed { seed, parameters, .. } = read_seed(&args.seed, io)?;
    let parameters = args.parameters.over(parameters)?;
    let at = moment_or_now(args.at, &parameters, io)?;
    let finding = Finding::search(&seed, parameters, at, &code, args.window)?;
    if args.json {
        print_json(&finding, io)?;
    } else {
        writeln!(io.out, "{finding}")?;
    }
    if finding.matches {
        return Ok(Exit::Done);
    }
    let (offered, expected) = (code.as_str().len(), usize::from(parameters.digits.get()));
    if offered != expected {
        io.note(format_args!("the code has {offered} digits, the parameters say {expected} (--digits)"))?;
    }
    Ok(Exit::No)
}
