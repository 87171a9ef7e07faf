//! Whether one place reaches another.

use std::net::IpAddr;

use anyhow::{Result, ensure};

use crate::Place;

/// An echo request is answered, if not the first.
///
/// # Errors
/// If none is within five seconds.
pub fn ping(place: &Place, to: IpAddr) -> Result<()> {
    let ping = place.program("ping");
    // Until the first answer: the first frame of all may wait for the neighbour's address.
    ping.args(["-c", "1", "-i", "0.2", "-w", "5", &to.to_string()])
        .output()?;
    Ok(())
}

/// Nothing is answered within a second.
///
/// # Errors
/// If something is.
pub fn no_ping(place: &Place, to: IpAddr) -> Result<()> {
    let ping = place.program("ping");
    let ping = ping.args(["-c", "3", "-i", "0.3", "-w", "1", &to.to_string()]);
    ensure!(!ping.run()?.status.success(), "{to} should not answer");
    Ok(())
}
