//! Every command that the documents, errors and screens show is one that kiln takes: a new operator types them as they
//! stand. Values are placeholders as often as not (`SERIAL`, `age1…`), so only words and options are judged.

use clap::{CommandFactory, Parser, error::ErrorKind};
use kiln::{app::simulate::SimulateArgs, cli::Cli};
use std::{fs, path::Path};

/// The words of a command line as a shell would part them; quotes keep words together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted, mut open) = (Vec::new(), false, false);
    for c in line.chars() {
        match c {
            '"' => (quoted, open) = (!quoted, open),
            c if c.is_whitespace() && !quoted => open = false,
            c => {
                if !open {
                    words.push(String::new());
                    open = true;
                }
                words.last_mut().unwrap().push(c);
            }
        }
    }
    words
}

/// What is wrong with the command that begins at `kiln` in `text`, if kiln would not take it.
fn fault(text: &str) -> Option<String> {
    let line = text.split(['#', '|', '>', ';', ',', '(', ')', '[', '&']).next().unwrap_or_default();
    match Cli::<SimulateArgs>::try_parse_from(words(line)) {
        Ok(_) => None,
        Err(error) => match error.kind() {
            ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument | ErrorKind::ArgumentConflict => {
                Some(error.to_string().lines().next().unwrap_or_default().to_owned())
            }
            // A value that stands for another, an option that a sentence leaves out, `--help`.
            _ => None,
        },
    }
}

/// Every command in `text` that begins behind `open` and goes on to one of `close`. A sentence may begin so, too: what
/// follows must be a verb.
fn between<'a>(text: &'a str, open: &str, close: &[char]) -> Vec<&'a str> {
    let verbs: Vec<String> =
        Cli::<SimulateArgs>::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let mut found = Vec::new();
    for (at, _) in text.match_indices(&format!("{open}kiln ")) {
        let command = text[at + open.len()..].split(close).next().unwrap_or_default();
        let verb = command.split_whitespace().nth(1).unwrap_or_default();
        if open == "`" || verbs.iter().any(|known| known == verb) {
            found.push(command);
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_command_of_the_documents_is_taken() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for document in ["README.md", "docs/day-at-the-bench.md", "fuzz/README.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let shown = text
            .lines()
            .filter(|line| line.starts_with("    "))
            .flat_map(|line| line.split_once('#').map_or(line, |(command, _)| command).split("&&"))
            .map(|command| command.trim().trim_start_matches("sudo "))
            .filter(|command| command.starts_with("kiln "));
        for command in shown.chain(between(&text, "`", &['`', '\n'])) {
            seen += 1;
            wrong.extend(fault(command).map(|why| format!("{document}: {command}: {why}")));
        }
    }
    assert!(seen > 80, "only {seen} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Remedies name commands in quotes, behind a colon or in brackets; what stands for a value is in braces there.
#[test]
fn every_command_that_kiln_itself_names_is_taken() {
    let (mut seen, mut wrong) = (0, Vec::new());
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for open in ["\\\"", ": ", "("] {
                for command in between(&text, open, &['"', '\\', '`', '\n']) {
                    seen += 1;
                    let typed = command.replace(['{', '}'], "");
                    wrong.extend(fault(&typed).map(|why| format!("{}: {command}: {why}", path.display())));
                }
            }
        }
    }
    assert!(seen > 50, "only {seen} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_command_that_is_none_is_noticed() {
    assert!(fault("kiln bacth start spring").is_some());
    assert!(fault("kiln batch strat spring").is_some());
    assert!(fault("kiln status --colour").is_some());
    assert_eq!(fault("kiln token allow SERIAL --try-key # said once"), None);
    assert_eq!(words("kiln slots name \"ACS ACR122U 00 00\" left").len(), 5);
}
