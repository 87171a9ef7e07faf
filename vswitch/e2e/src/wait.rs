//! Waiting for what happens in its own time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Asks again and again until the answer is yes.
///
/// # Errors
/// If that is not so after `patience`, or the question itself fails.
pub fn eventually(
    what: &str,
    patience: Duration,
    mut holds: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let start = Instant::now();
    while !holds()? {
        if start.elapsed() > patience {
            bail!("not within {patience:?}: {what}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
