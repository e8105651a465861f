//! `kiln import FILE`: seeds from a file into a batch or the inventory.

use super::{
    CliError, Exit, Io,
    ask::{Connector, answer, connect},
    files::{self, read_all},
    policy::{PolicyArgs, PriorityArg},
    run::{Form, print_json},
    table::{count, plain},
    unseal::{self, ExpectError},
    unwrap::{UnwrapArgs, WrongCodes, unwrap},
};
use crate::domain::{Hash, Serial, seed_text::Encoding};
use crate::face::{Command, ImportOptions, ImportReport, ImportTarget, Reply, SecretBytes};
use crate::formats::serial_list;
use clap::Args;
use std::path::{Path, PathBuf};

/// Laid out by hand for 80 columns.
const EXAMPLES: &str = "\
Examples:
  kiln import tokens.csv --batch spring --dry-run   what would happen
  kiln import tokens.csv --batch spring             to burn, as a new batch
  kiln import factory.csv --inventory               what the tokens hold already
  kiln import tokens.csv --batch spring --expect order.txt   no more, no fewer
  kiln import tokens.pskc --inventory               asks for its passphrase
  kiln import tokens.csv.gpg --identity key.asc --batch spring
  kiln import tokens.zip --inventory                asks for its password
  kiln import screenshot.png --batch spring         QR codes in a picture

A password, a private key and what is inside never touch the disk, and only
what is inside reaches the station.

What a file is, its content tells; --format overrules it: entra-csv, table,
okta-csv, graph-json, pskc, dualshield-xml, tseeds-xml, hseeds-xml, tseeds,
hseeds, privacyidea-csv, linotp-csv, duo-totp6, duo-totp8, duo-hotp6,
duo-hotp8, yubico-csv, key-uris, google-export, aegis, twofas. What Entra ID
said about an upload is read by kiln entra-errors.

Burning a token destroys the seed that it was delivered with, for good. So
kiln wants to be told which of the two the seeds are for.";

/// `kiln import`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ImportArgs {
    /// The seed file; - is standard input
    file: PathBuf,
    /// Burn these seeds onto tokens: make a batch of this name
    #[arg(long, value_name = "NAME", conflicts_with = "inventory")]
    batch: Option<String>,
    /// The tokens hold these seeds already: only record them
    #[arg(long, conflicts_with_all = ["key", "on_factory", "on_foreign", "seen", "priority"])]
    inventory: bool,
    /// The file's format, where its look misleads
    #[arg(long)]
    format: Option<String>,
    /// The columns in order, where a table's first line doesn't name them: serial,secret,-,interval
    #[arg(long, value_name = "NAMES")]
    columns: Option<String>,
    /// How the seeds of a table are spelled, where its header doesn't say
    #[arg(long, value_name = "SPELLING", value_enum)]
    encoding: Option<super::seed_input::Format>,
    /// Check against a list of serials (an order confirmation): name those that are missing and those too many
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// The passphrase, or pre-shared key, of an encrypted file, on the first line of FILE [default: ask]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// What is put on each token; repeat it for several models [default: one profile, as the line states]
    #[arg(long = "recipe", value_name = "RECIPE")]
    recipes: Vec<String>,
    /// Keys: put all lines of one user that name no serial on one key
    #[arg(long, conflicts_with = "inventory")]
    key_per_user: bool,
    /// The login server that will check the codes
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The hash, where the file doesn't say: SHA-1, SHA-256, SHA-512
    #[arg(long)]
    hash: Option<Hash>,
    /// Take the good lines although there are bad ones
    #[arg(long)]
    good_lines_only: bool,
    /// Say what would happen and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The tokens' customer key, by its name in the vault (see `kiln key`) [default: the one they are delivered with]
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    priority: PriorityArg,
    #[command(flatten)]
    wrapping: UnwrapArgs,
}

impl ImportArgs {
    /// What can be refused without a station.
    pub fn check(&self) -> Result<(), CliError> {
        if self.batch.is_none() && !self.inventory { Err(CliError::ImportTargetUnsaid) } else { Ok(()) }
    }
}

/// Reads the file, takes it out of its wrapping, asks, and prints the report. Exit status 1: bad lines stopped the
/// import, or would stop it.
pub fn run(
    args: ImportArgs,
    form: Form,
    io: &mut Io<'_>,
    connector: &mut Connector<'_>,
) -> Result<Exit, CliError> {
    args.check()?;
    let from_stdin = args.file == Path::new("-");
    let (name, content) = if from_stdin {
        ("standard input".to_owned(), read_all(io.input, "standard input")?)
    } else {
        let name = args.file.file_name().unwrap_or(args.file.as_os_str()).to_string_lossy().into_owned();
        (name, files::read(&args.file)?)
    };
    let expect = args.expect.as_deref().map(expected).transpose()?;
    let good_lines_only = args.good_lines_only;
    let wrong_codes = if good_lines_only { WrongCodes::LeaveOut } else { WrongCodes::Refuse };
    // Before a station is started for it.
    let mut file = unwrap(content, name, &args.wrapping, wrong_codes, io)?;
    unseal::make_plain(&mut file.content, args.passphrase_file.as_deref(), from_stdin, io)?;
    let options = ImportOptions {
        target: args.batch.map_or(ImportTarget::Inventory, ImportTarget::Batch),
        format: args.format,
        columns: args.columns,
        encoding: args.encoding.map(Encoding::from),
        expect,
        recipes: args.recipes,
        key_per_user: args.key_per_user,
        login_target: args.target,
        hash: args.hash,
        good_lines_only,
        dry_run: args.dry_run,
        key: args.key,
        policy: args.policy.to_face(),
        priority: args.priority.priority,
    };
    let content = SecretBytes::new(std::mem::take(&mut *file.content));
    let command = Command::Import { file_name: file.name, content, options };
    let mut station = connect(connector)?;
    let report = answer!(station, command, Reply::Imported(report) => report);
    print(&report, form, io)?;
    if !report.dry_run && report.taken > 0 && !from_stdin {
        let file = args.file.display().to_string();
        writeln!(
            io.err,
            "{} still holds the seeds: keep it as safe as the tokens, or destroy it",
            plain(&file)
        )?;
    }
    let refused = (report.left_out > 0 || !report.missing.is_empty()) && !good_lines_only;
    Ok(if refused { Exit::No } else { Exit::Done })
}

/// The serials of a list; a list with bad lines proves nothing.
fn expected(file: &Path) -> Result<Vec<Serial>, CliError> {
    let content = files::read(file)?;
    let shown = || file.display().to_string();
    let list = serial_list::read(&content).map_err(|error| ExpectError::File { file: shown(), error })?;
    if list.bad.is_empty() {
        Ok(list.serials)
    } else {
        Err(ExpectError::Lines { file: shown(), bad: list.bad }.into())
    }
}

/// Prints what an import, or a new batch, did.
pub fn print(report: &ImportReport, form: Form, io: &mut Io<'_>) -> Result<(), CliError> {
    if form == Form::Json {
        return print_json(io.out, report);
    }
    for line in &report.lines {
        let field = line.field.as_ref().map(|field| format!(", {field}")).unwrap_or_default();
        let refused = if line.refused { "left out: " } else { "" };
        let said = format!("{}{field}: {refused}{} -> {}", line.place, line.problem, line.remedy);
        writeln!(io.out, "{}", plain(&said))?;
    }
    for serial in &report.missing {
        writeln!(io.out, "serial {serial}: expected and not in the file -> ask the vendor for it")?;
    }
    for note in &report.notes {
        writeln!(io.out, "{}", plain(note))?;
    }
    // Several lines of a file may be for one key.
    let of_what = if report.batch.is_some() && report.jobs < report.taken { "line" } else { "token" };
    let mut sentence = format!("{}: {} ", plain(&report.format), count(report.taken, of_what));
    sentence.push_str(if report.dry_run { "would be taken" } else { "taken" });
    if report.left_out > 0 {
        sentence.push_str(&format!(", {} left out", report.left_out));
    }
    if !report.missing.is_empty() {
        sentence.push_str(&format!(", {} expected and missing", report.missing.len()));
    }
    if let Some(batch) = &report.batch {
        sentence.push_str(&format!(", {} in batch {}", count(report.jobs, "job"), plain(batch)));
    }
    writeln!(io.out, "{sentence}")?;
    if let Some(batch) = report.batch.as_ref().filter(|_| !report.dry_run) {
        writeln!(
            io.err,
            "-> look at it with `kiln batch show {0}`, then `kiln batch start {0}`",
            plain(batch)
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, Scripted};
    use crate::face::ImportLine;

    fn report(dry_run: bool, left_out: u32) -> ImportReport {
        let line = ImportLine {
            line: 3,
            place: "line 3".into(),
            field: Some("serial number".into()),
            problem: "a spreadsheet turned it into 8.65962E+13".into(),
            remedy: "format the column as text before saving".into(),
            refused: true,
        };
        ImportReport {
            dry_run,
            format: "Entra ID CSV".into(),
            batch: Some("spring".into()),
            taken: 2,
            left_out,
            jobs: 2,
            missing: vec![],
            lines: if left_out > 0 { vec![line] } else { vec![] },
            notes: vec!["the file starts with a byte order mark".into()],
        }
    }

    #[test]
    fn without_a_word_on_what_the_seeds_are_for_nothing_is_read() {
        let station = Scripted::new([]);
        let mut desk = Desk::input("seeds");
        assert_eq!(desk.kiln("import -", &station), Exit::Usage);
        assert!(desk.err().contains("for good") && desk.err().contains("--inventory"), "{}", desk.err());
        assert!(station.asked().is_empty());
    }

    #[test]
    fn a_file_goes_to_the_station_with_what_was_said() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tokens.csv");
        std::fs::write(&file, "upn,serial").unwrap();
        let station = Scripted::new([Reply::Imported(report(false, 0))]);
        let mut desk = Desk::default();
        let line = format!(
            "import {} --batch spring --hash sha256 --recipe a --recipe b --seen 2,0 --priority 3",
            file.display()
        );
        assert_eq!(desk.kiln(&line, &station), Exit::Done);
        let options = serde_json::json!({
            "target": {"batch": "spring"}, "format": null, "columns": null, "encoding": null,
            "expect": null, "recipes": ["a", "b"], "login_target": null,
            "hash": "SHA256", "good_lines_only": false, "dry_run": false, "key": null,
            "policy": {"factory": null, "foreign": null, "seen": {"first": 2, "every": 0}},
            "priority": 3,
        });
        let asked = &station.asked()[0];
        assert_eq!(asked["file_name"], "tokens.csv");
        assert_eq!(asked["content"], data_encoding::BASE64.encode(b"upn,serial"));
        assert_eq!(asked["options"], options);
        assert_eq!(
            desk.out(),
            "the file starts with a byte order mark\nEntra ID CSV: 2 tokens taken, 2 jobs in batch spring\n"
        );
        assert!(
            desk.err().contains("kiln batch start spring") && desk.err().contains("still holds the seeds")
        );
    }

    #[test]
    fn a_list_of_serials_goes_along_and_a_spoiled_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("order.txt");
        std::fs::write(&list, "Serial\n0012345678901\n0012345678902\n").unwrap();
        let missing = "0012345678902".parse().unwrap();
        let found = ImportReport { missing: vec![missing], ..report(true, 0) };
        let station = Scripted::new([Reply::Imported(found)]);
        let mut desk = Desk::input("upn,serial");
        let line = format!("import - --batch spring --dry-run --expect {}", list.display());
        assert_eq!(desk.kiln(&line, &station), Exit::No);
        assert_eq!(
            station.asked()[0]["options"]["expect"],
            serde_json::json!(["0012345678901", "0012345678902"])
        );
        assert!(desk.out().contains("serial 0012345678902: expected and not in the file"), "{}", desk.out());

        std::fs::write(&list, "0012345678901\n8.65962E+13\n").unwrap();
        let station = Scripted::new([]);
        let mut desk = Desk::input("upn,serial");
        assert_eq!(desk.kiln(&line, &station), Exit::No);
        assert!(desk.err().contains("line 2, serial number") && station.asked().is_empty(), "{}", desk.err());
    }

    #[test]
    fn an_encrypted_file_is_made_plain_before_it_leaves() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/seed-files.json")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tokens.xml");
        std::fs::write(&file, vectors["pskc_password"]["document"].as_str().unwrap()).unwrap();
        let line = format!("import {} --inventory", file.display());

        let station = Scripted::new([Reply::Imported(report(false, 0))]);
        let mut desk = Desk::terminal(&["kiln-passphrase"]);
        assert_eq!(desk.kiln(&line, &station), Exit::Done, "{}", desk.err());
        assert_eq!(desk.asked(), ["passphrase of the file: "]);
        let sent =
            data_encoding::BASE64.decode(station.asked()[0]["content"].as_str().unwrap().as_bytes()).unwrap();
        let sent = String::from_utf8(sent).unwrap();
        assert!(sent.contains("<PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue>"), "{sent}");
        assert!(!station.asked()[0].to_string().contains("kiln-passphrase"));

        let station = Scripted::new([]);
        let mut desk = Desk::terminal(&["wrong"]);
        assert_eq!(desk.kiln(&line, &station), Exit::No);
        assert!(
            desk.err().contains("does not open this file") && !desk.err().contains("wrong\n"),
            "{}",
            desk.err()
        );
        assert!(station.asked().is_empty());
    }

    #[test]
    fn a_pre_shared_key_comes_from_a_file_or_from_standard_input() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/seed-files.json")).unwrap();
        let vector = &vectors["pskc_preshared"];
        let dir = tempfile::tempdir().unwrap();
        let (file, key) = (dir.path().join("tokens.xml"), dir.path().join("key"));
        std::fs::write(&file, vector["document"].as_str().unwrap()).unwrap();
        std::fs::write(&key, vector["key"].as_str().unwrap()).unwrap();
        let line = format!("import {} --inventory", file.display());

        let station = Scripted::new([Reply::Imported(report(false, 0))]);
        let mut desk = Desk::default();
        assert_eq!(desk.kiln(&format!("{line} --passphrase-file {}", key.display()), &station), Exit::Done);
        let station = Scripted::new([Reply::Imported(report(false, 0))]);
        let mut desk = Desk::input(vector["key"].as_str().unwrap());
        assert_eq!(desk.kiln(&line, &station), Exit::Done, "{}", desk.err());

        // The file itself comes on standard input: no other place is left for the key.
        let station = Scripted::new([]);
        let mut desk = Desk::input(vector["document"].as_str().unwrap());
        assert_eq!(desk.kiln("import - --inventory", &station), Exit::Usage);
        assert!(desk.err().contains("--passphrase-file"), "{}", desk.err());
    }

    #[test]
    fn a_dry_run_that_would_be_refused_says_no() {
        for (good_lines_only, exit) in [("", Exit::No), ("--good-lines-only", Exit::Done)] {
            let station = Scripted::new([Reply::Imported(report(true, 1))]);
            let mut desk = Desk::input("upn,serial");
            let line = format!("import - --batch spring --dry-run {good_lines_only}");
            assert_eq!(desk.kiln(&line, &station), exit);
            assert_eq!(
                desk.out(),
                "line 3, serial number: left out: a spreadsheet turned it into 8.65962E+13 -> format the column as \
                 text before saving\nthe file starts with a byte order mark\n\
                 Entra ID CSV: 2 tokens would be taken, 1 left out, 2 jobs in batch spring\n"
            );
            assert_eq!(desk.err(), "");
        }
    }
}
