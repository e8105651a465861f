//! `kiln export`: what is burned, in a server's format.

use super::{
    Ask, CliError, Exit, Io, VerbError,
    ask::answer,
    files::{Overwrite, create, may_create},
    run::{Form, print_json},
    table::{count, plain},
};
use crate::face::{AuditHead, Command, ExportFormat, Exported, Reply};
use crate::remedy::{Remedy, Retry};
use clap::{Args, ValueEnum};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Laid out by hand for 80 columns.
const EXAMPLES: &str = "\
A file is created for its owner alone (0600), whole or not at all, never over
another. Its SHA-256 goes beside it (sha256sum -c FILE.sha256). The head of
the audit log, printed last, is worth keeping somewhere else: it shows later
that nothing was cut off or rewritten.

Examples:
  kiln export --format entra --batch spring -o spring.csv
  kiln export --format report";

/// An export that must not be written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// Seeds to a terminal.
    #[error("this export holds seeds, and standard output is a terminal")]
    SeedsToTerminal,
    /// The data themselves have a format already.
    #[error("--json tells about an export, and the export itself would go to the same place")]
    JsonNeedsFile,
    /// An option of another format.
    #[error("{option} belongs to --format entra")]
    EntraOnly {
        /// Which.
        option: &'static str,
    },
}

impl Remedy for ExportError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::SeedsToTerminal => {
                "write it to a file with -o FILE, or say -o - if you want to see the seeds"
            }
            Self::JsonNeedsFile => "write the export to a file with -o FILE",
            Self::EntraOnly { .. } => "leave it away, or export with --format entra",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

impl VerbError for ExportError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

/// What can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Entra ID's hardware OATH CSV: holds the seeds
    Entra,
    /// One line for each profile, without seeds
    Report,
}

/// `kiln export`
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES
)]
pub struct ExportArgs {
    /// What to write
    #[arg(long)]
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
    /// Spell the fourth column `timeinterval`, as older servers' pages do
    #[arg(long)]
    old_interval_column: bool,
    /// Also tokens that nobody has seen a right code of, although the batch wants that
    #[arg(long)]
    unproven: bool,
}

/// What `--json` tells about an export in a file.
#[derive(Serialize)]
struct Written<'a> {
    file: String,
    sha256: String,
    tokens: u32,
    left_out: &'a [String],
    anchor: &'a AuditHead,
}

impl ExportArgs {
    fn face_format(&self) -> ExportFormat {
        match self.format {
            Format::Entra => ExportFormat::EntraCsv { old_interval_column: self.old_interval_column },
            Format::Report => ExportFormat::Report,
        }
    }

    fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| *path != Path::new("-"))
    }

    fn overwrite(&self) -> Overwrite {
        if self.force { Overwrite::Force } else { Overwrite::Refuse }
    }

    /// What can be refused without a station: an export that is asked for is recorded for good.
    pub fn check(&self, form: Form, out_is_terminal: bool) -> Result<(), CliError> {
        if self.format == Format::Report {
            for (given, option) in
                [(self.old_interval_column, "--old-interval-column"), (self.unproven, "--unproven")]
            {
                if given {
                    return Err(ExportError::EntraOnly { option }.into());
                }
            }
        }
        if let Some(file) = self.file() {
            may_create(file, self.overwrite())?;
            may_create(&checksum_name(file), self.overwrite())?;
        } else if form == Form::Json {
            return Err(ExportError::JsonNeedsFile.into());
        } else if self.output.is_none() && out_is_terminal && self.face_format().holds_seeds() {
            return Err(ExportError::SeedsToTerminal.into());
        }
        Ok(())
    }
}

/// Asks and writes.
pub fn run(args: ExportArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    args.check(form, io.out_is_terminal)?;
    let command = Command::Export {
        format: args.face_format(),
        batch: args.batch.clone(),
        inventory: args.inventory,
        unproven: args.unproven,
    };
    let export = answer!(station, command, Reply::Exported(export) => export);
    let Exported { content, tokens, left_out, anchor } = &export;
    let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(content.expose()));
    match args.file() {
        None => io.out.write_all(content.expose())?,
        Some(file) => {
            create(file, content.expose(), args.overwrite())?;
            create(&checksum_name(file), checksum_line(&sha256, file).as_bytes(), args.overwrite())?;
        }
    }
    if let (Form::Json, Some(file)) = (form, args.file()) {
        let file = file.display().to_string();
        print_json(io.out, &Written { file, sha256, tokens: *tokens, left_out, anchor })?;
        return Ok(Exit::Done);
    }
    for sentence in left_out {
        writeln!(io.err, "left out: {}", plain(sentence))?;
    }
    let place = args.file().map(|file| format!(" to {}", file.display())).unwrap_or_default();
    writeln!(io.err, "{} written{}", count(*tokens, "token"), plain(&place))?;
    writeln!(io.err, "sha256 {sha256}")?;
    writeln!(io.err, "audit anchor {} {}", anchor.entries, anchor.hash)?;
    Ok(Exit::Done)
}

fn checksum_name(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sha256");
    name.into()
}

/// As `sha256sum` writes it: a backslash in front says that some characters of the name are escaped.
fn checksum_line(sha256: &str, file: &Path) -> String {
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let escaped = name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
    format!("{}{sha256}  {escaped}\n", if escaped == name { "" } else { "\\" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, Scripted};
    use crate::face::SecretBytes;
    use std::{fs, os::unix::fs::PermissionsExt};

    const CSV: &str = "upn,serial number,secret key\n";

    fn exported() -> Scripted {
        let anchor = AuditHead { entries: 17, hash: "c0ffee".into() };
        let left_out = vec!["token 18 was not seen".into()];
        Scripted::new([Reply::Exported(Exported {
            content: SecretBytes::new(CSV),
            tokens: 1,
            left_out,
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
        assert_eq!(beside, format!("{sum}  spring.csv\n"));
        assert_eq!(desk.out(), "");
        assert_eq!(
            desk.err(),
            format!(
                "left out: token 18 was not seen\n1 token written to {}\nsha256 {sum}\naudit anchor 17 c0ffee\n",
                file.display()
            )
        );
        let asked = serde_json::json!({
            "do": "export", "format": {"entra_csv": {"old_interval_column": false}}, "batch": "spring",
            "inventory": false,
            "unproven": true,
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
    fn odd_names_are_escaped_as_sha256sum_does() {
        assert_eq!(checksum_line("00", Path::new("/x/a b.csv")), "00  a b.csv\n");
        assert_eq!(checksum_line("00", Path::new("a\nb\\c")), "\\00  a\\nb\\\\c\n");
    }

    #[test]
    fn every_error_says_what_to_do() {
        for error in [
            ExportError::SeedsToTerminal,
            ExportError::JsonNeedsFile,
            ExportError::EntraOnly { option: "--unproven" },
        ] {
            assert!(error.remedy().len() > 20, "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
    }
}
