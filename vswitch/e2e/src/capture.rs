//! Raw frames in and out of an interface.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::{Background, Place, eventually};

/// The frames that arrive at an interface, from when it was made.
#[derive(Debug)]
pub struct Capture(Background);

/// See its first lines.
const FRAMES: &str = include_str!("frames.py");

impl Capture {
    /// Begins to listen.
    ///
    /// # Errors
    /// If there is no such interface, or it is down.
    pub fn start(place: &Place, interface: &str) -> Result<Self> {
        let mut process = place
            .program("python3")
            .args(["-c", FRAMES, "capture", interface])
            .spawn()?;
        process.wait_for("ready", Duration::from_secs(10))?;
        Ok(Self(process))
    }

    /// The frames so far, with their VLAN tags.
    ///
    /// # Errors
    /// If the listener's output cannot be read.
    pub fn frames(&self) -> Result<Vec<Vec<u8>>> {
        let (stdout, _) = self.0.written()?;
        // The last line may be half written.
        let whole = stdout.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().skip(1).map(from_hex).collect()
    }

    /// How many frames begin with these octets.
    ///
    /// # Errors
    /// If the listener's output cannot be read.
    pub fn count(&self, frame: &[u8]) -> Result<usize> {
        let frames = self.frames()?;
        Ok(frames.iter().filter(|seen| seen.starts_with(frame)).count())
    }

    /// Waits for a frame that begins with these octets.
    ///
    /// # Errors
    /// If none arrives within 5 s.
    pub fn wait_for(&self, frame: &[u8]) -> Result<()> {
        let what = format!("a frame that begins {}", to_hex(frame));
        eventually(&what, Duration::from_secs(5), || Ok(self.count(frame)? > 0))
    }
}

/// Sends frames, each in turn, `count` times over.
///
/// # Errors
/// If the interface does not take them.
pub fn send_frames(place: &Place, interface: &str, count: u32, frames: &[Vec<u8>]) -> Result<()> {
    let program = place.program("python3");
    let program = program.args(["-c", FRAMES, "send", interface, &count.to_string()]);
    program.args(frames.iter().map(|f| to_hex(f))).output()?;
    Ok(())
}

/// Sends frames, each behind a virtio header (10 octets) that may be nonsense. Says how many of them the
/// sender's own kernel let through.
///
/// # Errors
/// If the interface is not there.
pub fn send_with_vnet_header(
    place: &Place,
    interface: &str,
    frames: &[([u8; 10], Vec<u8>)],
) -> Result<usize> {
    let program = place.program("python3");
    let program = program.args(["-c", FRAMES, "send-vnet", interface]);
    let pair =
        |(header, frame): &([u8; 10], Vec<u8>)| format!("{}:{}", to_hex(header), to_hex(frame));
    let passed = program.args(frames.iter().map(pair)).output()?;
    passed.parse().context("frames.py said no number")
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    (0..text.len() / 2)
        .map(|at| Ok(u8::from_str_radix(&text[2 * at..2 * at + 2], 16)?))
        .collect()
}
