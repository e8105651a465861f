//! `kiln export`: what is burned, in a server's format.

mod format;
mod pictures;
mod place;
mod protect;

pub use format::FormatArgs;
pub use place::{Outlet, Place};
pub use protect::Seal;

use self::{format::Format, place::Put, protect::ProtectArgs};
use super::{
    Ask, CliError, Exit, Io, VerbError,
    ask::answer,
    files::Overwrite,
    run::{Form, print_json},
    table::{count, plain},
};
use crate::{
    domain::Profile,
    envelope::seal,
    face::{
        AuditHead, Command, ExportLine, ExportOptions, Exported, OnLint, ProfileChoice, Reply, SecretBytes,
    },
    formats::{SealError, UnsealError},
    remedy::{Remedy, Retry},
    vault::holder::HolderError,
};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Laid out by hand for 80 columns.
const EXAMPLES: &str = "\
A file is created for its owner alone (0600), whole or not at all, never over
another. Its SHA-256 goes beside it (sha256sum -c FILE.sha256), with the head
of the audit log: kept elsewhere, it shows later that nothing was cut off.

What the server would refuse, or take for something else without a word, is
named line by line before anything is written. Tokens that stay out, and what
the format has no place for, are named, too.

Examples:
  kiln export --format entra --batch spring -o spring.csv
  kiln export --format entra --batch spring --pgp-key ann.asc -o spring.asc
  kiln export --format pskc --for-privacyidea --pskc-password -o spring.xml
  kiln export --format qr-png --batch spring -o pictures
  kiln export --format labels --html --batch spring -o labels.html";

/// An export that must not be written there, or not so.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Seeds to a terminal.
    #[error("this export holds seeds, and standard output is a terminal")]
    SeedsToTerminal,
    /// The data themselves have a format already.
    #[error("--json tells about an export, and the export itself would go to the same place")]
    JsonNeedsFile,
    /// Pictures are many.
    #[error("pictures go into a directory, and none was named")]
    NeedsDirectory,
    /// An option of another format.
    #[error("{option} belongs to --format {formats}")]
    OtherFormat {
        /// Which.
        option: &'static str,
        /// Those it belongs to.
        formats: &'static str,
    },
    /// A text that is no key.
    #[error(transparent)]
    Key(UnsealError),
    /// Somebody who can't be encrypted to with age.
    #[error(transparent)]
    Recipient(HolderError),
    /// It can't be encrypted to somebody.
    #[error(transparent)]
    Seal(seal::SealError),
    /// The values of the container can't be encrypted.
    #[error(transparent)]
    Values(SealError),
    /// The operating system gives no random bytes.
    #[error("there are no random bytes to encrypt with")]
    NoRandomness,
    /// A picture can't be drawn.
    #[error("the QR code of token {serial} can't be drawn")]
    Picture {
        /// Whose.
        serial: String,
    },
}

impl Remedy for ExportError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::SeedsToTerminal => {
                "write it to a file with -o FILE, or say -o - if you want to see the seeds"
            }
            Self::JsonNeedsFile => "write the export to a file with -o FILE",
            Self::NeedsDirectory => "name a directory with -o DIR; it is made where there is none",
            Self::OtherFormat { .. } => "leave it away, or export in a format that it belongs to",
            Self::Key(error) => error.remedy(),
            Self::Recipient(error) => error.remedy(),
            Self::Seal(error) => error.remedy(),
            Self::Values(error) => error.remedy(),
            Self::NoRandomness => "check that /dev/urandom is there and readable, then try again",
            Self::Picture { .. } => "export its key URI as text (--format key-uris)",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

impl VerbError for ExportError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoRandomness => Exit::Environment,
            Self::Picture { .. } => Exit::No,
            Self::SeedsToTerminal
            | Self::JsonNeedsFile
            | Self::NeedsDirectory
            | Self::OtherFormat { .. }
            | Self::Key(_)
            | Self::Recipient(_)
            | Self::Seal(_)
            | Self::Values(_) => Exit::Usage,
        }
    }
}

/// `kiln export`
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES
)]
pub struct ExportArgs {
    /// What to write
    #[arg(long, hide_possible_values = false)]
    format: Format,
    /// Only this batch
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,
    /// Not what was burned, but the tokens that were delivered with their seeds (kiln import --inventory)
    #[arg(long, conflicts_with = "batch")]
    inventory: bool,
    /// Where to; - is standard output, even if that is a terminal
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long)]
    force: bool,
    /// Also tokens that nobody has seen a right code of, although the batch wants that
    #[arg(long)]
    unproven: bool,
    /// One profile of each token, by its number or its title [default: all, or the first that fits]
    #[arg(long, value_name = "N|TITLE")]
    profile: Option<String>,
    /// The server that will read it [default: the batch's, else the format's own]
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// Leave out what that server would refuse or change in silence
    #[arg(long, conflicts_with = "despite")]
    good_lines_only: bool,
    /// Write that all the same, by the name of the target whose rules it breaks
    #[arg(long, value_name = "TARGET")]
    despite: Option<String>,
    /// Write nothing: only say what would be
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    choices: FormatArgs,
    #[command(flatten)]
    protect: ProtectArgs,
}

/// What `--json` tells about an export in a file.
#[derive(Serialize)]
struct Written<'a> {
    file: Option<String>,
    sha256: Option<String>,
    tokens: u32,
    left_out: &'a [String],
    cannot_carry: &'a [String],
    target: Option<&'a str>,
    lint: &'a [ExportLine],
    anchor: &'a AuditHead,
}

impl ExportArgs {
    fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| *path != Path::new("-"))
    }

    /// None is standard output.
    fn place(&self) -> Option<Place> {
        let path = self.file()?.to_owned();
        Some(if self.format == Format::QrPng { Place::Pictures(path) } else { Place::File(path) })
    }

    fn overwrite(&self) -> Overwrite {
        if self.force { Overwrite::Force } else { Overwrite::Refuse }
    }

    fn options(&self) -> ExportOptions {
        // A title of digits alone would be a number; no model has more profiles than a byte counts.
        let profile = self.profile.as_ref().map(|text| match text.parse::<u8>() {
            Ok(number) => ProfileChoice::Number(Profile::new(number)),
            Err(_) => ProfileChoice::Title(text.clone()),
        });
        let on_lint = match &self.despite {
            Some(target) => OnLint::Despite(target.clone()),
            None if self.good_lines_only => OnLint::GoodLinesOnly,
            None => OnLint::Refuse,
        };
        ExportOptions {
            batch: self.batch.clone(),
            inventory: self.inventory,
            unproven: self.unproven,
            profile,
            login_target: self.target.clone(),
            on_lint,
            dry_run: self.dry_run,
            ..ExportOptions::of(self.format.face(&self.choices))
        }
    }

    /// What can be refused without a station: an export that is asked for is recorded for good.
    pub fn check(&self, form: Form, out_is_terminal: bool) -> Result<(), CliError> {
        let other = |(option, formats)| CliError::from(ExportError::OtherFormat { option, formats });
        self.format.foreign_option(&self.choices).map_or(Ok(()), |found| Err(other(found)))?;
        let servers = self.format.is_for_servers();
        for (given, belongs, option, formats) in [
            (self.unproven, self.format != Format::Report, "--unproven", "other than report"),
            (self.profile.is_some(), servers, "--profile", "that servers read"),
            (self.target.is_some(), servers, "--target", "that servers read"),
            (self.good_lines_only, servers, "--good-lines-only", "that servers read"),
            (self.despite.is_some(), servers, "--despite", "that servers read"),
            (self.protect.pskc_password.is_some(), self.format == Format::Pskc, "--pskc-password", "pskc"),
            (self.protect.pskc_key.is_some(), self.format == Format::Pskc, "--pskc-key", "pskc"),
        ] {
            if given && !belongs {
                return Err(other((option, formats)));
            }
        }
        let holds_seeds = self.format.face(&self.choices).holds_seeds();
        if self.dry_run {
            return Ok(());
        }
        match self.place() {
            Some(place) => place.may_be_written(self.overwrite())?,
            None if self.format == Format::QrPng => return Err(ExportError::NeedsDirectory.into()),
            None if form == Form::Json => return Err(ExportError::JsonNeedsFile.into()),
            None if self.output.is_none() && out_is_terminal && holds_seeds && !self.protect.is_any() => {
                return Err(ExportError::SeedsToTerminal.into());
            }
            None => {}
        }
        Ok(())
    }
}

/// Asks and writes.
pub fn run(args: ExportArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    args.check(form, io.out_is_terminal)?;
    let protection = args.protect.gather(&args.choices, io.clock.now().floor_second(), io)?;
    let command = Command::Export(args.options());
    let mut export = answer!(station, command, Reply::Exported(export) => export);
    let content = std::mem::replace(&mut export.content, SecretBytes::new([]));
    let put = match args.place() {
        _ if args.dry_run => None,
        Some(place) => Some(place.write(content, &protection, &export.anchor, args.overwrite())?),
        None => {
            let ready = protection.seal(content)?;
            io.out.write_all(ready.bytes())?;
            Some(Put::of(ready.bytes()))
        }
    };
    let read_again = put.as_ref().filter(|_| args.format.is_for_servers());
    if let Some(says) = read_again.and_then(Put::too_long_to_read) {
        io.note(format_args!("{says}"))?;
    }
    let sha256 = put.map(|put| put.sha256);
    if let (Form::Json, true) = (form, args.file().is_some() || args.dry_run) {
        let file = args.file().filter(|_| !args.dry_run).map(|file| file.display().to_string());
        let Exported { tokens, left_out, cannot_carry, login_target, lint, anchor, .. } = &export;
        let target = login_target.as_deref();
        print_json(
            io.out,
            &Written { file, sha256, tokens: *tokens, left_out, cannot_carry, target, lint, anchor },
        )?;
        return Ok(Exit::Done);
    }
    tell(&args, &export, sha256.as_deref(), protection.told(), io)?;
    Ok(Exit::Done)
}

fn tell(
    args: &ExportArgs,
    export: &Exported,
    sha256: Option<&str>,
    protected: Option<String>,
    io: &mut Io<'_>,
) -> Result<(), CliError> {
    for sentence in &export.left_out {
        writeln!(io.err, "left out: {}", plain(sentence))?;
    }
    for sentence in &export.cannot_carry {
        writeln!(io.err, "not in the file: {}", plain(sentence))?;
    }
    for line in &export.lint {
        writeln!(io.err, "despite: {}", plain(&line.words()))?;
    }
    if let Some(target) = &export.login_target {
        writeln!(io.err, "looked at by the rules of {}", plain(target))?;
    }
    if args.dry_run {
        writeln!(io.err, "{} would be written; nothing was", count(export.tokens, "token"))?;
        return Ok(());
    }
    let place = args.file().map(|file| format!(" to {}", file.display())).unwrap_or_default();
    writeln!(io.err, "{} written{}", count(export.tokens, "token"), plain(&place))?;
    if let Some(protected) = protected {
        writeln!(io.err, "{protected}")?;
    }
    writeln!(io.err, "sha256 {}", sha256.unwrap_or_default())?;
    writeln!(io.err, "audit anchor {} {}", export.anchor.entries, export.anchor.hash)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, Scripted};
    use sha2::{Digest, Sha256};
    use std::{fs, os::unix::fs::PermissionsExt};

    const CSV: &str = "upn,serial number,secret key\n";

    fn exported() -> Scripted {
        let anchor = AuditHead { entries: 17, hash: "c0ffee".into() };
        let left_out = vec!["token 18 was not seen".into()];
        Scripted::new([Reply::Exported(Exported {
            content: SecretBytes::new(CSV),
            tokens: 1,
            left_out,
            cannot_carry: vec!["line 2: the profile's title has no place in this format".into()],
            login_target: Some("Entra ID".into()),
            lint: vec![],
            anchor,
        })])
    }

    #[test]
    fn a_file_is_private_and_has_its_checksum_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("spring.csv");
        let mut desk = Desk::showing();
        let line = format!("export --format entra --batch spring --unproven -o {}", file.display());
        let station = exported();
        assert_eq!(desk.kiln(&line, &station), Exit::Done);
        assert_eq!(fs::read_to_string(&file).unwrap(), CSV);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let sum = data_encoding::HEXLOWER.encode(&Sha256::digest(CSV));
        let beside = fs::read_to_string(dir.path().join("spring.csv.sha256")).unwrap();
        assert_eq!(beside, format!("{sum}  spring.csv\n# audit anchor 17 c0ffee\n"));
        assert_eq!(desk.out(), "");
        assert_eq!(
            desk.err(),
            format!(
                "left out: token 18 was not seen\nnot in the file: line 2: the profile's title has no place in this format\n\
                 looked at by the rules of Entra ID\n1 token written to {}\nsha256 {sum}\naudit anchor 17 c0ffee\n",
                file.display()
            )
        );
        let asked = serde_json::json!({
            "do": "export", "format": {"entra_csv": {"old_interval_column": false}}, "batch": "spring",
            "inventory": false, "unproven": true, "profile": null, "login_target": null, "on_lint": "refuse",
            "dry_run": false,
        });
        assert_eq!(station.asked(), [asked]);
    }

    #[test]
    fn nothing_is_asked_for_where_it_could_not_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("spring.csv");
        fs::write(dir.path().join("spring.csv.sha256"), "kept").unwrap();
        let station = Scripted::new([]);
        let mut desk = Desk::showing();
        let line = format!("export --format entra -o {}", file.display());
        assert_eq!(desk.kiln(&line, &station), Exit::Usage);
        assert!(!file.exists());
        assert_eq!(desk.kiln("export --format entra", &station), Exit::Usage, "seeds to a terminal");
        assert_eq!(
            desk.kiln("--json export --format report", &station),
            Exit::Usage,
            "two things in one place"
        );
        assert_eq!(desk.kiln("export --format report --unproven", &station), Exit::Usage);
        assert!(station.asked().is_empty());
    }

    #[test]
    fn seeds_reach_a_terminal_only_by_request_and_a_pipe_by_default() {
        let mut desk = Desk::showing();
        assert_eq!(desk.kiln("export --format entra -o -", &exported()), Exit::Done);
        assert_eq!(desk.out(), CSV);
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("export --format entra --old-interval-column", &exported()), Exit::Done);
        assert_eq!(desk.out(), CSV);
    }

    #[test]
    fn json_tells_about_the_file_and_holds_no_seed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.csv");
        let mut desk = Desk::default();
        desk.kiln(&format!("export --json --format entra -o {}", file.display()), &exported());
        let told: serde_json::Value = serde_json::from_str(&desk.out()).unwrap();
        assert_eq!(told["tokens"], 1);
        assert_eq!(told["anchor"]["hash"], "c0ffee");
        assert!(told.get("content").is_none());
    }

    #[test]
    fn every_error_says_what_to_do() {
        for error in [
            ExportError::SeedsToTerminal,
            ExportError::JsonNeedsFile,
            ExportError::NeedsDirectory,
            ExportError::OtherFormat { option: "--qr", formats: "labels" },
            ExportError::Key(UnsealError::KeyText),
            ExportError::Recipient(HolderError::OtherKey),
            ExportError::Seal(seal::SealError::Nobody),
            ExportError::Values(SealError::NotPlain),
            ExportError::NoRandomness,
            ExportError::Picture { serial: "1".into() },
        ] {
            assert!(error.remedy().len() > 20, "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
    }
}
