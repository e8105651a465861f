//! `kiln diagnose`: why a code is rejected, by a station's records or from a seed or a key URI at hand.

use super::{
    Ask, CliError, Exit, Io, VerbError,
    ask::answer,
    moment,
    otp::{OtpError, ParameterArgs},
    run::{Form, print_json},
    seed_input::{Format, GivenSeed, SeedArgs, SeedInputError, read_seed},
    table::count,
    timing::{self, TimingVerbError},
};
use crate::{
    diagnose::{
        DiagnoseError, Diagnosis, Evidence, EvidenceError, Finding, Known, Read, Symptom, Windows, diagnose,
        symptom,
    },
    domain::{Catalog, Code, Parameters, Profile, Serial, UnixTime},
    face::{Command, Reply},
    remedy::{Remedy, Retry},
};
use std::{
    io::{self, Write},
    path::PathBuf,
};

/// Laid out by hand for 80 columns.
const EXAMPLES: &str = "\
Several codes are successive displays. Without --at, the last was read now.
Status 0: the code is right as recorded. 1: it is not, or nothing explains it.

Examples:
  kiln diagnose --token 86596100000001 123456
  kiln diagnose --secret seed.txt 123456 654321
  echo 'otpauth://totp/...' | kiln diagnose --uri - 123456 --at 1772366400
  kiln diagnose --secret - --shows dashes
  kiln diagnose --timing                  no seed: when does the code change?";

/// Find out why a code is rejected
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct DiagnoseArgs {
    /// The codes that the token showed, in their order
    #[arg(value_name = "CODE", required_unless_present_any = ["shows", "timing"])]
    codes: Vec<String>,
    /// The token, by its serial: its seeds, parameters and clock are on record at the station
    #[arg(long, value_name = "SERIAL", conflicts_with_all = ["secret", "uri", "format", "target"])]
    pub token: Option<Serial>,
    /// Which of its profiles
    #[arg(long, value_name = "N", default_value_t = 0, requires = "token")]
    profile: u8,
    /// Read the seed from FILE, "-" for standard input or a prompt
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
    /// Read a key URI (otpauth://…) from FILE, "-" for standard input or a prompt
    #[arg(long, value_name = "FILE", conflicts_with = "secret")]
    uri: Option<PathBuf>,
    /// How the seed is spelled; without it, it is recognised
    #[arg(long, value_name = "FORMAT", conflicts_with = "uri")]
    format: Option<Format>,
    #[command(flatten)]
    parameters: ParameterArgs,
    /// What the token shows instead of a code
    #[arg(long, value_name = "SYMPTOM", value_parser = shows, conflicts_with_all = ["codes", "at"])]
    shows: Option<Symptom>,
    /// Time the changes of the code at this terminal: period and clock, without any seed
    #[arg(long, conflicts_with_all = ["codes", "token", "secret", "uri", "shows", "report"])]
    timing: bool,
    /// When the first code was read: 2026-03-01T12:00:00Z or seconds since 1970 [default: the last just now]
    #[arg(long, value_name = "TIME", value_parser = moment::parse, allow_hyphen_values = true)]
    at: Option<UnixTime>,
    /// The server that rejects the code, by the name of its target
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// Search windows N times as wide
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    wider: u32,
    /// Print one JSON object
    #[arg(long, conflicts_with = "report")]
    json: bool,
    /// Print a report without secrets, serials in full or codes, for a ticket
    #[arg(long)]
    report: bool,
}

fn shows(text: &str) -> Result<Symptom, String> {
    Symptom::ALL.into_iter().find(|symptom| symptom.name() == text).ok_or_else(|| {
        let names: Vec<&str> = Symptom::ALL.iter().map(|symptom| symptom.name()).collect();
        format!("one of {}", names.join(", "))
    })
}

/// Why no diagnosis was made.
#[derive(Debug, thiserror::Error)]
pub enum DiagnoseVerbError {
    /// No seed was had.
    #[error(transparent)]
    Input(#[from] SeedInputError),
    /// The parameters contradict each other.
    #[error(transparent)]
    Parameters(#[from] OtpError),
    /// What was given as a code is none.
    #[error("\"{given}\" is no code: a code is 4 to 10 decimal digits")]
    NotACode {
        /// The text, cut.
        given: String,
    },
    /// The codes can't be searched for.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// Nothing to compare with.
    #[error(transparent)]
    Nothing(#[from] DiagnoseError),
    /// Nothing was timed.
    #[error(transparent)]
    Timing(#[from] TimingVerbError),
    /// Neither `--secret` nor `--uri`.
    #[error("there is no seed to compare with")]
    NoSeed,
    /// No such target.
    #[error("there is no target \"{name}\"")]
    Target {
        /// The name given.
        name: String,
    },
    /// Standard output or error is gone.
    #[error("the output could not be written: {0}")]
    Output(#[from] io::Error),
}

impl Remedy for DiagnoseVerbError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Input(error) => error.remedy(),
            Self::Parameters(error) => error.remedy(),
            Self::NotACode { .. } => {
                "give the digits that the token shows, or what it shows instead with --shows"
            }
            Self::Evidence(error) => error.remedy(),
            Self::Nothing(error) => error.remedy(),
            Self::Timing(error) => error.remedy(),
            Self::NoSeed => {
                "name the token with --token SERIAL, or give the seed with --secret FILE or a key URI with --uri FILE (\"-\" is standard input)"
            }
            Self::Target { .. } => "name a file of profiles/targets, such as entra or privacyidea",
            Self::Output(_) => "check where the output goes",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

impl VerbError for DiagnoseVerbError {
    fn exit(&self) -> Exit {
        match self {
            Self::Input(error) => error.exit(),
            Self::Parameters(error) => error.exit(),
            Self::Timing(error) => error.exit(),
            Self::NotACode { .. }
            | Self::Evidence(_)
            | Self::Nothing(_)
            | Self::NoSeed
            | Self::Target { .. } => Exit::Usage,
            Self::Output(_) => Exit::Environment,
        }
    }
}

/// Searches and prints. `catalog` knows the targets.
pub fn run(args: &DiagnoseArgs, catalog: &Catalog, io: &mut Io<'_>) -> Result<Exit, DiagnoseVerbError> {
    if args.timing {
        return Ok(timing::run(args.json, io)?);
    }
    let codes: Vec<Code> = args.codes.iter().map(|text| code(text)).collect::<Result<_, _>>()?;
    let target = match &args.target {
        Some(name) => {
            Some(catalog.target(name).ok_or_else(|| DiagnoseVerbError::Target { name: name.clone() })?)
        }
        None => None,
    };
    if args.secret.is_none() && args.uri.is_none() {
        return Err(DiagnoseVerbError::NoSeed);
    }
    let seed_args = SeedArgs { secret_file: args.secret.clone(), uri: args.uri.clone(), format: args.format };
    let GivenSeed { seed, parameters, .. } = read_seed(&seed_args, io)?;
    let parameters = args.parameters.over(parameters)?;
    let known = Known { target, ..Known::bare(&seed, parameters) };
    let diagnosis = match args.shows {
        Some(shown) => symptom(&known, shown)?,
        None => {
            let read = read_at(args.at, &parameters, io)?;
            let evidence = Evidence::new(codes, read)?;
            let windows = Windows::default().widened(args.wider);
            diagnose(&known, &evidence, windows, &mut std::iter::empty())?
        }
    };
    print(args, &diagnosis, io)?;
    Ok(if diagnosis.is_right() { Exit::Done } else { Exit::No })
}

fn code(text: &str) -> Result<Code, DiagnoseVerbError> {
    Code::parse(text).map_err(|_| DiagnoseVerbError::NotACode { given: text.chars().take(20).collect() })
}

fn read_at(at: Option<UnixTime>, parameters: &Parameters, io: &mut Io<'_>) -> io::Result<Read> {
    if let Some(at) = at {
        return Ok(Read::First(at));
    }
    let state = io.clock.state();
    if parameters.period().is_some() && !state.is_trusted() {
        io.warn(format_args!("this machine's clock is {state}; give --at TIME if you know better"))?;
    }
    Ok(Read::Last(io.clock.now().floor_second()))
}

fn print(args: &DiagnoseArgs, diagnosis: &Diagnosis, io: &mut Io<'_>) -> io::Result<()> {
    if args.json {
        serde_json::to_writer(&mut *io.out, diagnosis)?;
        return writeln!(io.out);
    }
    if args.report {
        return write!(io.out, "{}", diagnosis.report());
    }
    show(diagnosis, io.out)
}

/// Asks the station about a token on record, and prints.
pub fn ask(
    args: &DiagnoseArgs,
    serial: Serial,
    form: Form,
    io: &mut Io<'_>,
    station: &mut dyn Ask,
) -> Result<Exit, CliError> {
    let command = Command::Diagnose {
        serial,
        profile: Profile::new(args.profile),
        codes: args.codes.clone(),
        shows: args.shows.map(|symptom| symptom.name().to_owned()),
        at: args.at,
        typed: Vec::new(),
        wider: args.wider,
    };
    let found = answer!(station, command, Reply::Findings(found) => found);
    let diagnosis: Diagnosis = serde_json::from_value(found.clone())?;
    match form {
        Form::Json => print_json(io.out, &found)?,
        Form::Text if args.report => write!(io.out, "{}", diagnosis.report())?,
        Form::Text => show(&diagnosis, io.out)?,
    }
    Ok(if diagnosis.is_right() { Exit::Done } else { Exit::No })
}

/// How many findings are shown in full.
const SHOWN: usize = 5;

/// For a person: the likeliest finding in full, the others in a line each, then what was searched.
pub fn show(diagnosis: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    match diagnosis.findings.split_first() {
        None if diagnosis.withheld > 0 => writeln!(out, "not right as recorded")?,
        None => writeln!(out, "nothing explains this")?,
        Some((first, others)) => {
            let sure = if diagnosis.ask_another_code { "perhaps: " } else { "" };
            writeln!(out, "{sure}{}", first.what)?;
            writeln!(out, "  how sure    {}", sureness(first))?;
            writeln!(out, "  parameters  {}", first.parameters)?;
            if let Some(token) = &first.token {
                writeln!(out, "  token       {} profile {}", token.serial, token.profile)?;
            }
            if let Some(tie_break) = &first.tie_break {
                writeln!(out, "  or else     {tie_break}")?;
            }
            if !diagnosis.ask_another_code {
                writeln!(out, "  do          {}", first.remedy)?;
            }
            if diagnosis.withheld > 0 {
                writeln!(
                    out,
                    "  and         {} that operators are told",
                    count(diagnosis.withheld as u64, "less likely finding")
                )?;
            }
            if !others.is_empty() {
                writeln!(out, "less likely:")?;
            }
            for other in others.iter().take(SHOWN) {
                writeln!(out, "  {:>5.1} %  {}", other.posterior * 100.0, other.what)?;
            }
            if others.len() > SHOWN {
                writeln!(out, "  and {} more (--json lists all)", others.len() - SHOWN)?;
            }
        }
    }
    if let Some(why) = &diagnosis.why_ask {
        writeln!(out, "ask for another code: {why}")?;
    }
    if !diagnosis.also_affected.is_empty() {
        writeln!(out, "check these, too: {}", diagnosis.also_affected.join(", "))?;
    }
    writeln!(out, "searched:")?;
    for stage in diagnosis.searched.iter().filter(|stage| stage.candidates > 0) {
        writeln!(out, "  {:>9}  {}", stage.candidates, stage.what)?;
    }
    Ok(())
}

fn sureness(finding: &Finding) -> String {
    let percent = finding.posterior * 100.0;
    let percent = if percent > 99.9 { "over 99.9 %".to_owned() } else { format!("{percent:.1} %") };
    if finding.accidental == 0.0 {
        return percent;
    }
    format!(
        "{percent} ({}, {:.1e} accidental hits to be expected)",
        count(finding.candidates, "candidate"),
        finding.accidental
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_names_its_cure() {
        let all = [
            (DiagnoseVerbError::Input(SeedInputError::TooLong), Exit::Usage),
            (DiagnoseVerbError::Parameters(OtpError::PeriodOfHotp), Exit::Usage),
            (DiagnoseVerbError::NotACode { given: "x".into() }, Exit::Usage),
            (DiagnoseVerbError::Evidence(EvidenceError::NoCode), Exit::Usage),
            (DiagnoseVerbError::Nothing(DiagnoseError::NothingOnRecord), Exit::Usage),
            (DiagnoseVerbError::Timing(TimingVerbError::NoTerminal), Exit::Usage),
            (DiagnoseVerbError::NoSeed, Exit::Usage),
            (DiagnoseVerbError::Target { name: "x".into() }, Exit::Usage),
            (DiagnoseVerbError::Output(io::ErrorKind::BrokenPipe.into()), Exit::Environment),
        ];
        for (error, exit) in all {
            assert!(error.remedy().len() > 10 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!((error.retry(), error.exit()), (Retry::AfterOperator, exit), "{error}");
        }
    }
}
