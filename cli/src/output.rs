//! What is printed, where and how. Nothing else of the program writes to standard output or error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::table::Table;

/// Standard output, in the form the user asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    terminal: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            terminal: io::stdout().is_terminal(),
        }
    }

    /// `--json` was given.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// A person reads it.
    pub(crate) const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// A list, as JSON or as a table of it.
    pub(crate) fn rows<T: Serialize>(
        &self,
        rows: &[T],
        table: impl FnOnce(&[T]) -> Table,
    ) -> anyhow::Result<()> {
        if self.json {
            self.json(rows)
        } else {
            self.text(&self.table(&table(rows)))
        }
    }

    /// A thing, as JSON or as the one line that scripts want of it.
    pub(crate) fn value(&self, value: &impl Serialize, line: &str) -> anyhow::Result<()> {
        if self.json {
            self.json(value)
        } else {
            self.lines([line])
        }
    }

    /// JSON for reading.
    pub(crate) fn json(&self, value: &(impl Serialize + ?Sized)) -> anyhow::Result<()> {
        self.lines([serde_json::to_string_pretty(value)?])
    }

    /// Lines as they are.
    pub(crate) fn lines(
        &self,
        lines: impl IntoIterator<Item = impl Display>,
    ) -> anyhow::Result<()> {
        let text: String = lines.into_iter().map(|line| format!("{line}\n")).collect();
        self.text(&text)
    }

    /// Text as it is, at once.
    pub(crate) fn text(&self, text: &str) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()?;
        Ok(())
    }

    /// A table in the form that fits the reader.
    pub(crate) fn table(&self, table: &Table) -> String {
        if self.terminal {
            table.terminal(None)
        } else {
            table.plain()
        }
    }

    /// What is not as the user may think.
    pub(crate) fn warning(&self, warning: &str) {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }

    /// An error that does not end the program.
    pub(crate) fn error(&self, error: &dyn Display) {
        // Nowhere is left to complain to.
        let _ = writeln!(io::stderr(), "error: {error}");
    }
}

/// Prints why the program ends and says with which code: 1, or 0 if only the reader went away
/// (`vsctl ls | head -1`).
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    let reader_left = error
        .downcast_ref::<io::Error>()
        .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe);
    if reader_left {
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::FAILURE
}
