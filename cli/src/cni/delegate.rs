//! Another plugin, which gives out the addresses.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use crate::failure::{Failure, code};
use crate::result::Success;

/// An IPAM plugin that was found. It is given the environment and the configuration that came here.
#[derive(Debug, Clone)]
pub(crate) struct Delegate<'a> {
    program: PathBuf,
    name: &'a str,
    config: &'a [u8],
}

impl<'a> Delegate<'a> {
    /// Looks for the plugin in the folders of `CNI_PATH`.
    pub(crate) fn find(name: &'a str, path: &[PathBuf], config: &'a [u8]) -> Result<Self, Failure> {
        let mut programs = path.iter().map(|folder| folder.join(name));
        match programs.find(|program| program.is_file()) {
            Some(program) => Ok(Self {
                program,
                name,
                config,
            }),
            None if path.is_empty() => Err(Failure::new(
                code::INVALID_ENVIRONMENT,
                format!("CNI_PATH is not set, and the IPAM plugin {name} is to be found there"),
            )),
            None => {
                let folders: Vec<_> = path
                    .iter()
                    .map(|folder| folder.display().to_string())
                    .collect();
                let folders = folders.join(", ");
                let details =
                    format!("there is no IPAM plugin {name} in {folders}, which is CNI_PATH");
                Err(Failure::config(details))
            }
        }
    }

    /// Asks for addresses. A plugin that fails is asked to take back what it may have given.
    pub(crate) fn add(&self) -> Result<Success, Failure> {
        let added = self.ask("ADD").and_then(|stdout| {
            let what = format!("the result of {}", self.name);
            let json = serde_json::from_slice(&stdout)
                .map_err(|error| Failure::new(code::DECODING, format!("{what}: {error}")))?;
            Success::read(json, &what)
        });
        if added.is_err() {
            self.undo();
        }
        added
    }

    /// Gives addresses back, after something failed that has to be told instead of what fails here.
    pub(crate) fn undo(&self) {
        if let Err(failure) = self.ask("DEL") {
            let _ = writeln!(
                io::stderr(),
                "{} keeps what it gave: {}",
                self.name,
                failure.details
            );
        }
    }

    /// Runs a command that answers nothing.
    pub(crate) fn run(&self, command: &str) -> Result<(), Failure> {
        self.ask(command).map(drop)
    }

    fn ask(&self, command: &str) -> Result<Vec<u8>, Failure> {
        let output = self.output(command).map_err(|error| {
            let details = format!("cannot run {}: {error}", self.program.display());
            Failure::new(code::IO, details)
        })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = serde_json::from_slice::<Failure>(&output.stdout).map_err(|_| {
            let printed = String::from_utf8_lossy(&output.stdout);
            let details = format!(
                "{} {command} ended with {} and said {:?}",
                self.name,
                output.status,
                printed.trim()
            );
            Failure::new(code::IPAM_PLUGIN, details)
        });
        let mut failure = said?;
        failure.msg = format!("{}: {}", self.name, failure.msg);
        Err(failure)
    }

    fn output(&self, command: &str) -> io::Result<Output> {
        let mut child = Command::new(Path::new(&self.program))
            .env("CNI_COMMAND", command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let stdin = child.stdin.take();
        thread::scope(|scope| {
            // Beside the reading: a plugin may write much before it has read all.
            scope.spawn(move || {
                // One that does not read says by its exit whether that matters.
                let _ = stdin.map(|mut stdin| stdin.write_all(self.config));
            });
            child.wait_with_output()
        })
    }
}
