//! Removing several things, of which some may not go.

use std::process::ExitCode;

use serde::Serialize;
use vswitch_api::ClientError;

use crate::output::Output;

/// What went and whether something did not.
#[derive(Debug)]
pub(crate) struct Removal<'a> {
    output: &'a Output,
    removed: Vec<String>,
    refused: bool,
}

/// With `--json`.
#[derive(Debug, Serialize)]
struct Removed {
    removed: Vec<String>,
}

impl<'a> Removal<'a> {
    pub(crate) const fn new(output: &'a Output) -> Self {
        Self {
            output,
            removed: Vec::new(),
            refused: false,
        }
    }

    /// Prints the name of what went, or why it did not. Without a daemon there is no going on.
    pub(crate) fn note(
        &mut self,
        name: String,
        result: Result<(), ClientError>,
    ) -> anyhow::Result<()> {
        match result {
            Ok(()) => {
                if !self.output.is_json() {
                    self.output.lines([&name])?;
                }
                self.removed.push(name);
            }
            Err(error) if error.code().is_some() => {
                self.output.error(&error);
                self.refused = true;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Exit code 1 if something did not go.
    pub(crate) fn finish(self) -> anyhow::Result<ExitCode> {
        if self.output.is_json() {
            self.output.json(&Removed {
                removed: self.removed,
            })?;
        }
        Ok(if self.refused {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}
