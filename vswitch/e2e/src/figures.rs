//! What tests measure, for people to see although the tests pass.

use std::fs::OpenOptions;
use std::io::Write;

use anyhow::{Context, Result};

/// Prints a text, and adds it to the file that `VSWITCH_FIGURES` names: `make test` shows that at its end.
///
/// # Errors
/// If the file cannot be written.
#[expect(
    clippy::print_stdout,
    reason = "test runners show it if the test fails"
)]
pub fn figures(text: &str) -> Result<()> {
    println!("{text}");
    let Some(path) = std::env::var_os("VSWITCH_FIGURES") else {
        return Ok(());
    };
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("write VSWITCH_FIGURES, {}", path.display()))?;
    // At once, as tests write side by side.
    file.write_all(format!("{text}\n").as_bytes())?;
    Ok(())
}
