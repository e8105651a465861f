//! `kiln otp code`: the code of a seed.

use super::{Exit, Io, OtpError, ParameterArgs, moment_or_now, print_json, xml};
use crate::{
    cli::{
        moment,
        seed_input::{GivenSeed, SeedArgs, read_seed},
    },
    domain::{Mode, Parameters, StepCount, UnixTime, otp},
};
use serde::Serialize;

/// Arguments of `kiln otp code`.
#[derive(Debug, Clone, clap::Args)]
pub struct CodeArgs {
    #[command(flatten)]
    seed: SeedArgs,
    #[command(flatten)]
    parameters: ParameterArgs,
    /// The moment whose code to show: 2026-03-01T12:00:00Z or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment::parse, allow_hyphen_values = true)]
    at: Option<UnixTime>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Read the adapter's document `<Secret>…</Secret>` and print `<Password>…</Password>`
    #[arg(long, conflicts_with_all = ["json", "uri", "format"])]
    xml: bool,
}

/// `valid_until` is the first second in which the next code shows.
#[derive(Serialize)]
struct Shape<'a> {
    code: &'a str,
    #[serde(flatten)]
    parameters: Parameters,
    #[serde(flatten)]
    validity: Option<Validity>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Validity {
    at: UnixTime,
    step: u64,
    valid_from: UnixTime,
    valid_until: UnixTime,
}

pub(super) fn run(args: &CodeArgs, io: &mut Io<'_>) -> Result<Exit, OtpError> {
    if args.xml {
        return xml::answer(io, |io| {
            let seed = xml::read_secret(args.seed.secret_file.as_deref(), io)?;
            let parameters = args.parameters.over(None)?;
            let at = args.at.unwrap_or_else(|| io.clock.now().floor_second());
            let (step, _) = step(&parameters, at)?;
            let code = otp::code(&seed, parameters.hash, parameters.digits, step);
            Ok(xml::Answer::Password(code))
        });
    }
    let GivenSeed { seed, parameters, .. } = read_seed(&args.seed, io)?;
    let parameters = args.parameters.over(parameters)?;
    let at = moment_or_now(args.at, &parameters, io)?;
    let (step, validity) = step(&parameters, at)?;
    let code = otp::code(&seed, parameters.hash, parameters.digits, step);
    if args.json {
        print_json(&Shape { code: code.as_str(), parameters, validity }, io)?;
        return Ok(Exit::Done);
    }
    writeln!(io.out, "{code}")?;
    if let (true, Some(validity)) = (io.out_is_terminal, validity) {
        let left = validity.valid_until.0.saturating_sub(at.0);
        io.note(format_args!("{parameters}; shown until {}, {left} s more", validity.valid_until))?;
    }
    Ok(Exit::Done)
}

/// The moving factor at `at`, and for TOTP the time for which it stands.
fn step(parameters: &Parameters, at: UnixTime) -> Result<(StepCount, Option<Validity>), OtpError> {
    match parameters.mode {
        Mode::Hotp { counter } => Ok((StepCount(counter), None)),
        Mode::Totp { period, t0 } => {
            let step = otp::step_at(at, t0, period).ok_or(OtpError::BeforeT0 { at, t0 })?;
            let seconds = i64::from(period.as_secs());
            let since = (i128::from(at.0) - i128::from(t0.0)) % i128::from(seconds);
            let valid_from = at.plus(-i64::try_from(since).expect("less than a period, which has 32 bits"));
            let valid_until = valid_from.plus(seconds);
            Ok((step, Some(Validity { at, step: step.0, valid_from, valid_until })))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Digits, Hash, Period};

    #[test]
    fn a_code_stands_from_its_steps_first_second_to_the_next_ones() {
        let mode = Mode::Totp { period: Period::SIXTY, t0: UnixTime(-7) };
        let parameters = Parameters { hash: Hash::Sha1, digits: Digits::SIX, mode };
        for (at, from) in [(-7, -7), (52, -7), (53, 53), (112, 53)] {
            let (_, validity) = step(&parameters, UnixTime(at)).unwrap();
            let validity = validity.unwrap();
            assert_eq!(
                (validity.valid_from, validity.valid_until),
                (UnixTime(from), UnixTime(from + 60)),
                "{at}"
            );
        }
        assert!(matches!(step(&parameters, UnixTime(-8)), Err(OtpError::BeforeT0 { .. })));
    }
}
