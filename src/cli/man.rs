//! `kiln man [DIR]`: the command line as manual pages.

use super::{CliError, Io, files::FileError};
use clap::{Args, Command};
use clap_mangen::Man;
use std::{fs, io, path::Path, path::PathBuf};

/// Laid out by hand for 80 columns.
const EXAMPLES: &str = "\
Examples:
  kiln man | man -l -                    read it
  sudo kiln man /usr/local/share/man/man1    one page for each verb";

/// `kiln man`
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ManArgs {
    /// Write kiln.1 and a page for each verb (kiln-import.1, …) there; none: kiln.1 to standard output
    dir: Option<PathBuf>,
}

/// Writes the page of `tree`, the command line's own, or all pages.
pub fn run(args: ManArgs, mut tree: Command, io: &mut Io<'_>) -> Result<(), CliError> {
    tree.build();
    let Some(dir) = args.dir else {
        io.out.write_all(&page(tree)?)?;
        return Ok(());
    };
    let mut pages = Vec::new();
    collect(tree, &mut pages)?;
    for (name, text) in &pages {
        put(&dir.join(name), text)?;
    }
    writeln!(io.err, "{} pages are in {}", pages.len(), dir.display())?;
    Ok(())
}

/// Pages by file name, those of the verbs below as well.
fn collect(command: Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        collect(verb.clone(), pages)?;
    }
    let man = Man::new(command);
    pages.push((man.get_filename(), render(&man)?));
    Ok(())
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    render(&Man::new(command))
}

fn render(man: &Man) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    man.render(&mut text)?;
    Ok(text)
}

fn put(path: &Path, text: &[u8]) -> Result<(), FileError> {
    fs::write(path, text).map_err(|source| FileError::Write { path: path.display().to_string(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{
        Cli,
        testing::{Desk, NoArgs},
    };
    use clap::CommandFactory;

    #[test]
    fn each_verb_has_a_page_and_kiln_names_them() {
        let dir = tempfile::tempdir().unwrap();
        let mut desk = Desk::default();
        let args = ManArgs { dir: Some(dir.path().into()) };
        run(args, Cli::<NoArgs>::command(), &mut desk.io()).unwrap();
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert!(read("kiln.1").contains("kiln\\-import"));
        assert!(read("kiln-import.1").contains("inventory"));
        assert!(read("kiln-holder-add.1").contains(".TH kiln-holder-add 1"), "{}", read("kiln-holder-add.1"));
        assert!(!dir.path().join("kiln-help.1").exists());
    }

    #[test]
    fn without_a_directory_the_page_is_printed() {
        let mut desk = Desk::default();
        run(ManArgs { dir: None }, Cli::<NoArgs>::command(), &mut desk.io()).unwrap();
        assert!(desk.out().contains(".SH SYNOPSIS"));
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let args = ManArgs { dir: Some("/not/there".into()) };
        let error = run(args, Cli::<NoArgs>::command(), &mut Desk::default().io()).unwrap_err();
        assert!(error.to_string().contains("/not/there"), "{error}");
    }
}
