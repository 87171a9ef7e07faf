//! What the lab's own programs tell the lab that has started them, each in a line on standard output.
#![expect(clippy::print_stdout, reason = "the lab reads it")]

use anyhow::Result;
use serde::Serialize;

/// That the program does its work from now on.
pub(crate) fn ready() {
    println!("ready");
}

/// What it has measured, as JSON.
///
/// # Errors
/// If this is nothing that JSON can express.
pub(crate) fn figures(figures: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(figures)?);
    Ok(())
}
