//! Completion scripts: `completions`.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::output::Output;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl completions bash > /etc/bash_completion.d/vsctl
  vsctl completions zsh > /usr/local/share/zsh/site-functions/_vsctl
  vsctl completions fish > ~/.config/fish/completions/vsctl.fish")]
pub(crate) struct Completions {
    /// For this shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, output: &Output) -> anyhow::Result<ExitCode> {
        // By way of memory: the generator panics where a pipe breaks.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "vsctl", &mut script);
        output.text(&String::from_utf8(script)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
