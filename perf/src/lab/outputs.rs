//! Files that a lab is written to.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use super::record::Record;
use super::{markdown, plot, report};

/// Where to write what came of a lab, for people.
#[derive(Debug, Args)]
pub(crate) struct Outputs {
    /// Write tables, switches and machine to this file
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Draw the ratios, with the spread of the runs, into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Outputs {
    /// Whether there is nothing to write.
    pub(crate) const fn is_empty(&self) -> bool {
        self.markdown.is_none() && self.svg.is_none()
    }

    /// Writes them. Of several labs, documents follow each other, and figures are in one plot.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn write(&self, records: &[Record]) -> Result<()> {
        if let Some(path) = &self.markdown {
            let documents: Vec<_> = records.iter().map(markdown::document).collect();
            write(path, &documents.join("\n"))?;
        }
        if let Some(path) = &self.svg {
            let results: Vec<_> = records.iter().flat_map(|one| one.results.clone()).collect();
            write(path, &plot::draw(&results))?;
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    report::wrote(path);
    Ok(())
}
