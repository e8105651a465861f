//! `kiln completions SHELL`: what the shell needs to complete kiln's verbs and options.

use super::CliError;
use clap::{Args, Command};
use clap_complete::Shell;
use std::io::Write;

/// Laid out by hand for 80 columns.
const EXAMPLES: &str = "\
Examples:
  kiln completions bash > ~/.local/share/bash-completion/completions/kiln
  kiln completions zsh > ~/.zfunc/_kiln       (with fpath+=~/.zfunc in .zshrc)
  kiln completions fish > ~/.config/fish/completions/kiln.fish";

/// `kiln completions`
#[derive(Debug, Clone, Copy, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// For which shell
    shell: Shell,
}

/// Writes the script for `tree`, the command line's own.
pub fn run(args: CompletionsArgs, mut tree: Command, out: &mut dyn Write) -> Result<(), CliError> {
    // The generator panics where its writer fails, and a pipe may close.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut tree, "kiln", &mut script);
    out.write_all(&script)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, testing::NoArgs};
    use clap::{CommandFactory, ValueEnum};

    #[test]
    fn every_shell_learns_every_verb() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            run(CompletionsArgs { shell: *shell }, Cli::<NoArgs>::command(), &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            for word in ["doctor", "completions", "holder", "until-done", "no-start"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
