//! `kiln token SERIAL`, and what a person can decide about one token: `scrap`, `allow`.

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    batch::jobs_table,
    prompt::last_four,
    run::{Form, done, print_json},
    table::{or_dash, plain},
    tokens::proof,
};
use crate::domain::Serial;
use crate::face::{Command, Consent, MappingView, Reply, TokenView};
use clap::{Args, Subcommand};
use std::io::{self, Write};

/// How many readings of the clock are shown to people; `--json` has them all.
const READINGS_SHOWN: usize = 5;

/// `kiln token`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct TokenArgs {
    /// The token's serial
    #[arg(required = true)]
    serial: Option<Serial>,
    #[command(subcommand)]
    verb: Option<TokenVerb>,
}

/// What a person decides about a token.
#[derive(Debug, Subcommand)]
enum TokenVerb {
    /// Record that a token died with its seed
    #[command(
        long_about = "Record that a token died with its seed. A seed made by kiln is retired with it; an imported one \
                      stays bound to the dead token, unless --release-seeds gives it back to its batch."
    )]
    Scrap {
        /// The token's serial
        serial: Serial,
        /// Give its imported seed back to the batch, for another token: only if the dead one can't come back to life
        #[arg(long)]
        release_seeds: bool,
        /// The serial's last four characters, for scripts; else they are asked for
        #[arg(long, value_name = "FOUR")]
        last_four: Option<String>,
    },
    /// Allow, for one token and one time, what kiln does not do by itself
    Allow(AllowArgs),
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(false).args(["replace", "try_key"]))]
struct AllowArgs {
    /// The token's serial
    serial: Serial,
    /// Another seed over the one that the token holds, which is lost for good
    #[arg(long)]
    replace: bool,
    /// One more try of the customer key, after it was refused or the token left meanwhile
    #[arg(long)]
    try_key: bool,
    /// The serial's last four characters, for scripts; else they are asked for
    #[arg(long, value_name = "FOUR")]
    last_four: Option<String>,
}

/// Asks and prints.
pub fn run(args: TokenArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    match (args.verb, args.serial) {
        (Some(TokenVerb::Scrap { serial, release_seeds, last_four: given }), _) => {
            let warning = format!("Token {serial} is recorded as dead, and its seed with it.");
            let last_four = last_four(io, &serial, given, &warning)?;
            done(station, Command::Scrap { serial: serial.clone(), last_four, release_seeds })?;
            writeln!(io.err, "token {serial} is scrapped")?;
        }
        (Some(TokenVerb::Allow(allow)), _) => {
            let AllowArgs { serial, replace, last_four: given, .. } = allow;
            let (what, warning, said) = if replace {
                let warning = "is written over: the seed that it holds now is lost for good";
                (Consent::Replace, warning, "another seed may be written over what it holds")
            } else {
                let warning =
                    "gets one more try of its key: each refused one brings it nearer to its lock-out";
                (Consent::TryKey, warning, "its key may be tried once more")
            };
            let last_four = last_four(io, &serial, given, &format!("Token {serial} {warning}."))?;
            done(station, Command::Allow { serial: serial.clone(), last_four, what })?;
            writeln!(io.err, "token {serial}: {said}, one time")?;
        }
        (None, Some(serial)) => {
            let token = answer!(station, Command::Token { serial }, Reply::Token(token) => token);
            match form {
                Form::Json => print_json(io.out, &token)?,
                Form::Text => print(&token, io.out)?,
            }
        }
        (None, None) => unreachable!("clap asks for a serial where there is no verb"),
    }
    Ok(Exit::Done)
}

fn print(token: &TokenView, out: &mut dyn Write) -> io::Result<()> {
    let line = &token.line;
    writeln!(out, "serial     {}", line.serial)?;
    writeln!(out, "model      {}", plain(&or_dash(line.model.as_ref())))?;
    writeln!(out, "user       {}", plain(&or_dash(line.upn.as_ref())))?;
    writeln!(out, "proof      {}", proof(line))?;
    writeln!(out, "last seen  {}", or_dash(line.last_seen.map(|at| at.floor_second())))?;
    if let Some(at) = token.clock_set {
        writeln!(out, "clock set  {}", at.floor_second())?;
    }
    if let Some(at) = line.scrapped {
        writeln!(out, "scrapped   {}", at.floor_second())?;
    }
    for mapping in &token.mappings {
        writeln!(out)?;
        print_mapping(mapping, out)?;
    }
    if !token.readings.is_empty() {
        writeln!(out, "\nclock")?;
        for reading in token.readings.iter().take(READINGS_SHOWN) {
            let at = reading.at.floor_second();
            writeln!(out, "  {at}  {} (give or take {} ms)", reading.drift, reading.uncertainty_ms)?;
        }
    }
    if !token.jobs.is_empty() {
        writeln!(out)?;
        jobs_table(&token.jobs).write(out)?;
    }
    Ok(())
}

fn print_mapping(mapping: &MappingView, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "profile {}: {}", mapping.profile, mapping.parameters)?;
    let mut field = |name: &str, value: Option<String>| match value {
        Some(value) => writeln!(out, "  {name:<9}{}", plain(&value)),
        None => Ok(()),
    };
    field("seed", Some(mapping.seed.to_string()))?;
    field("title", mapping.title.clone())?;
    field("user", mapping.upn.clone())?;
    field("proof", mapping.proof.map(|proof| proof.to_string()))?;
    field("since", Some(mapping.from.floor_second().to_string()))?;
    let until = mapping.to.map(|to| match &mapping.ended_by {
        Some(by) => format!("{} ({by})", to.floor_second()),
        None => to.floor_second().to_string(),
    });
    field("until", until)?;
    field("origin", Some(mapping.origin.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, NOW, Scripted, token_line};
    use crate::domain::{
        ClockState, DriftSeconds, Parameters, Profile, Proof, ReadingKind, SeedId, UnixMillis,
    };
    use crate::face::ReadingView;

    fn token() -> TokenView {
        let mapping = MappingView {
            profile: Profile::ZERO,
            seed: SeedId([0xAB; 16]),
            parameters: Parameters::standard(),
            title: None,
            upn: Some("alice@example.com".into()),
            from: NOW,
            to: Some(UnixMillis(NOW.0 + 60_000)),
            ended_by: Some("replaced".into()),
            proof: Some(Proof::Written),
            origin: "burned".into(),
        };
        TokenView {
            line: token_line("86596000000017"),
            mappings: vec![mapping],
            readings: vec![ReadingView {
                at: NOW,
                drift: DriftSeconds(1.25),
                uncertainty_ms: 500,
                clock: ClockState::Simulated,
                kind: ReadingKind::Clock,
            }],
            clock_set: Some(NOW),
            jobs: vec![],
            clock: None,
        }
    }

    #[test]
    fn a_token_is_told_with_its_history() {
        let mut desk = Desk::default();
        let station = Scripted::new([Reply::Token(Box::new(token()))]);
        assert_eq!(desk.kiln("token 86596000000017", &station), Exit::Done);
        assert_eq!(
            desk.out(),
            "serial     86596000000017
model      miniotp-2-i
user       alice@example.com
proof      written
last seen  2026-01-02T03:04:05Z
clock set  2026-01-02T03:04:05Z

profile 0: TOTP SHA-1 6 digits 30 s
  seed     abababababababababababababababab
  user     alice@example.com
  proof    written
  since    2026-01-02T03:04:05Z
  until    2026-01-02T03:05:05Z (replaced)
  origin   burned

clock
  2026-01-02T03:04:05Z  +1.2 s (give or take 500 ms)
"
        );
    }

    #[test]
    fn json_is_the_stations_own_answer() {
        let mut desk = Desk::default();
        let station = Scripted::new([Reply::Token(Box::new(token()))]);
        desk.kiln("--json token 86596000000017", &station);
        assert_eq!(serde_json::from_str::<TokenView>(&desk.out()).unwrap(), token());
    }

    #[test]
    fn scrapping_wants_the_last_four_characters() {
        let station = Scripted::new([Reply::Done]);
        let mut desk = Desk::terminal(&["0017"]);
        assert_eq!(desk.kiln("token scrap 86596000000017", &station), Exit::Done);
        let asked = serde_json::json!({
            "do": "scrap", "serial": "86596000000017", "last_four": "0017", "release_seeds": false,
        });
        assert_eq!(station.asked(), [asked]);

        let station = Scripted::new([]);
        assert_eq!(Desk::terminal(&["0071"]).kiln("token scrap 86596000000017", &station), Exit::No);
        assert_eq!(Desk::default().kiln("token scrap 86596000000017", &station), Exit::Usage);
        assert!(station.asked().is_empty());
    }

    #[test]
    fn one_thing_is_allowed_at_a_time() {
        for (flag, what) in [("--replace", "replace"), ("--try-key", "try_key")] {
            let station = Scripted::new([Reply::Done]);
            let line = format!("token allow 86596000000017 {flag} --last-four 0017");
            assert_eq!(Desk::default().kiln(&line, &station), Exit::Done);
            assert_eq!(station.asked()[0]["what"], what);
        }
    }
}
