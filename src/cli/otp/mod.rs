//! `kiln otp`: seeds, codes and QR codes without a station. Each verb can also speak the XML documents of X4's TOTP
//! adapter (`--xml`).

mod code;
mod qr;
mod qr_image;
mod secret;
mod verify;
mod xml;

pub use xml::DocumentError;

use super::{Exit, Io, VerbError, moment, seed_input::SeedInputError};
use crate::{
    domain::{Digits, Hash, Mode, ParameterError, Parameters, Period, UnixTime},
    remedy::{Remedy, Retry},
};
use std::{io, path::PathBuf};

/// A verb of `kiln otp` that asks nobody.
#[derive(Debug, Clone)]
pub struct OtpArgs {
    /// Which.
    pub verb: OtpVerb,
}

/// What can be done with a seed at hand.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum OtpVerb {
    /// Make a random seed
    Secret(secret::SecretArgs),
    /// Show the code of a seed, now or at another time
    Code(code::CodeArgs),
    /// Check a code against a seed; status 1 if it does not match
    Verify(verify::VerifyArgs),
    /// Show or write the QR code that enrols a seed; it holds the seed
    Qr(qr::QrArgs),
}

/// How codes are made. What is given here wins over a key URI.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ParameterArgs {
    /// SHA1, SHA256 or SHA512 [default: SHA1]
    #[arg(long)]
    hash: Option<Hash>,
    /// Length of a code, 4 to 10 [default: 6]
    #[arg(long, value_name = "N", value_parser = digits)]
    digits: Option<Digits>,
    /// Seconds for which a code is shown [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = period)]
    period: Option<Period>,
    /// The moment from which periods are counted [default: 1970]
    #[arg(long, value_name = "TIME", value_parser = moment::parse, allow_hyphen_values = true)]
    t0: Option<UnixTime>,
    /// Make HOTP codes, of this counter
    #[arg(long, value_name = "N", conflicts_with_all = ["period", "t0"])]
    counter: Option<u64>,
}

impl ParameterArgs {
    /// These, and for what they don't say those of the key URI or the usual ones.
    pub(super) fn over(&self, from_uri: Option<Parameters>) -> Result<Parameters, OtpError> {
        let base = from_uri.unwrap_or_else(Parameters::standard);
        let mode = match (self.counter, base.mode) {
            (Some(counter), _) => Mode::Hotp { counter },
            (None, Mode::Totp { period, t0 }) => {
                Mode::Totp { period: self.period.unwrap_or(period), t0: self.t0.unwrap_or(t0) }
            }
            (None, Mode::Hotp { .. }) if self.period.is_some() || self.t0.is_some() => {
                return Err(OtpError::PeriodOfHotp);
            }
            (None, hotp @ Mode::Hotp { .. }) => hotp,
        };
        Ok(Parameters {
            hash: self.hash.unwrap_or(base.hash),
            digits: self.digits.unwrap_or(base.digits),
            mode,
        })
    }
}

fn digits(text: &str) -> Result<Digits, ParameterError> {
    // What isn't even a number is as far out of bounds as can be.
    Digits::new(text.parse().unwrap_or(u64::MAX))
}

fn period(text: &str) -> Result<Period, String> {
    let seconds = text.parse().map_err(|_| "a period is a whole number of seconds".to_owned())?;
    Period::from_secs(seconds).map_err(|error| error.to_string())
}

/// Why a verb of `kiln otp` came to no answer.
#[derive(Debug, thiserror::Error)]
pub enum OtpError {
    /// No seed was had.
    #[error(transparent)]
    Input(#[from] SeedInputError),
    /// The document of `--xml` is not one of the adapter's.
    #[error(transparent)]
    Document(#[from] xml::DocumentError),
    /// `--period` or `--t0` for a key URI of HOTP.
    #[error("the key URI is of type hotp, which has no period and no T0")]
    PeriodOfHotp,
    /// TOTP has no code before T0.
    #[error("{at} lies before T0 ({t0}), where there is no code")]
    BeforeT0 {
        /// The moment asked for.
        at: UnixTime,
        /// T0.
        t0: UnixTime,
    },
    /// What was to be checked is no code.
    #[error("what was given to check is no code: a code is 4 to 10 decimal digits")]
    NotACode,
    /// A QR code without a name to show in the application.
    #[error("a QR code needs an account, which the application will show")]
    NoAccount,
    /// A T0 other than 1970 in a QR code.
    #[error("a QR code cannot say T0, and every application counts from 1970")]
    T0InQr,
    /// Issuer and account are too long for any QR code.
    #[error("issuer and account are too long for a QR code")]
    QrTooLong,
    /// The picture exists already.
    #[error("{} exists and was left as it is", path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// The picture could not be written.
    #[error("{} could not be written: {error}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no random bytes: {0}")]
    Random(getrandom::Error),
    /// Standard output or error is gone.
    #[error("the output could not be written: {0}")]
    Output(#[from] io::Error),
}

impl Remedy for OtpError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Input(error) => error.remedy(),
            Self::Document(error) => error.remedy(),
            Self::PeriodOfHotp => "leave out --period and --t0, or give the bare seed instead of the URI",
            Self::BeforeT0 { .. } => "check --at and --t0",
            Self::NotACode => "give the digits that the token shows",
            Self::NoAccount => "name it with --account (and the service with --issuer)",
            Self::T0InQr => "leave the T0 out, or program a token with it instead",
            Self::QrTooLong => "shorten --issuer or --account",
            Self::Exists { .. } => "choose another name, or say --force to replace it",
            Self::Write { .. } => "check the directory, its permissions and the free space",
            Self::Random(_) => "try again; if it fails again, this machine's random source needs repair",
            Self::Output(_) => "check where the output goes",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

impl VerbError for OtpError {
    fn exit(&self) -> Exit {
        match self {
            Self::Input(error) => error.exit(),
            Self::Exists { .. } | Self::Write { .. } | Self::Random(_) | Self::Output(_) => Exit::Environment,
            Self::Document(_)
            | Self::PeriodOfHotp
            | Self::BeforeT0 { .. }
            | Self::NotACode
            | Self::NoAccount
            | Self::T0InQr
            | Self::QrTooLong => Exit::Usage,
        }
    }
}

/// Runs one verb. With `--xml`, errors become documents, and `Err` is only what kept one from being written.
pub fn run(args: &OtpArgs, io: &mut Io<'_>) -> Result<Exit, OtpError> {
    match &args.verb {
        OtpVerb::Secret(args) => secret::run(args, io),
        OtpVerb::Code(args) => code::run(args, io),
        OtpVerb::Verify(args) => verify::run(args, io),
        OtpVerb::Qr(args) => qr::run(args, io),
    }
}

/// The moment to calculate for: the one asked for, else now, with a warning where this machine's clock can't be
/// trusted.
fn moment_or_now(at: Option<UnixTime>, parameters: &Parameters, io: &mut Io<'_>) -> io::Result<UnixTime> {
    let state = io.clock.state();
    if at.is_none() && parameters.period().is_some() && !state.is_trusted() {
        io.warn(format_args!("this machine's clock is {state}; give --at TIME if you know better"))?;
    }
    Ok(at.unwrap_or_else(|| io.clock.now().floor_second()))
}

/// One line of JSON.
fn print_json(shape: &impl serde::Serialize, io: &mut Io<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *io.out, shape)?;
    writeln!(io.out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_names_its_cure() {
        let failure = || io::Error::from(io::ErrorKind::NotFound);
        let path = PathBuf::from("f");
        let all = [
            (OtpError::Input(SeedInputError::TooLong), Exit::Usage),
            (OtpError::Document(xml::DocumentError::Dtd), Exit::Usage),
            (OtpError::PeriodOfHotp, Exit::Usage),
            (OtpError::BeforeT0 { at: UnixTime(0), t0: UnixTime(1) }, Exit::Usage),
            (OtpError::NotACode, Exit::Usage),
            (OtpError::NoAccount, Exit::Usage),
            (OtpError::T0InQr, Exit::Usage),
            (OtpError::QrTooLong, Exit::Usage),
            (OtpError::Exists { path: path.clone() }, Exit::Environment),
            (OtpError::Write { path, error: failure() }, Exit::Environment),
            (OtpError::Random(getrandom::Error::UNSUPPORTED), Exit::Environment),
            (OtpError::Output(failure()), Exit::Environment),
        ];
        for (error, exit) in all {
            assert!(error.remedy().len() > 10 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!((error.retry(), error.exit()), (Retry::AfterOperator, exit), "{error}");
        }
    }

    #[test]
    fn options_win_over_the_uri() {
        let uri = Parameters::totp(Hash::Sha256, Digits::EIGHT, Period::SIXTY);
        let args = ParameterArgs { digits: Some(Digits::SIX), ..ParameterArgs::default() };
        assert_eq!(args.over(Some(uri)).unwrap(), Parameters::totp(Hash::Sha256, Digits::SIX, Period::SIXTY));
        let hotp = Parameters { mode: Mode::Hotp { counter: 3 }, ..uri };
        assert_eq!(ParameterArgs::default().over(Some(hotp)).unwrap(), hotp);
        let args = ParameterArgs { period: Some(Period::SIXTY), ..ParameterArgs::default() };
        assert!(matches!(args.over(Some(hotp)), Err(OtpError::PeriodOfHotp)));
    }
}
