//! The switch that everybody writes first: read a frame, write a frame.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tun_tap::{Iface, Mode};

use crate::stdout;

/// Room for the largest frame; without offloads none is longer than the MTU and a header.
const FRAME: usize = 1 << 16;

/// Makes two TAPs, says so, and carries frames between them until the process is killed.
///
/// # Errors
/// If a TAP cannot be made, read or written.
pub(crate) fn run(left: &str, right: &str) -> Result<()> {
    let [left, right] = [left, right].map(|name| {
        let tap = Iface::without_packet_info(name, Mode::Tap);
        tap.with_context(|| format!("make the TAP {name}"))
    });
    let (left, right) = (Arc::new(left?), Arc::new(right?));
    stdout::ready();
    let way_back = {
        let (left, right) = (Arc::clone(&left), Arc::clone(&right));
        thread::spawn(move || forward(&right, &left))
    };
    let way_there = thread::spawn(move || forward(&left, &right));
    for way in [way_there, way_back] {
        way.join()
            .map_err(|_| anyhow::anyhow!("a forwarder died"))??;
    }
    Ok(())
}

fn forward(from: &Iface, to: &Iface) -> Result<()> {
    let mut frame = vec![0; FRAME];
    loop {
        let Ok(length) = from.recv(&mut frame) else {
            // The interface is down while it moves to its namespace (EBADFD).
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        // A frame that the other side cannot take now is lost, as in any switch.
        let _ = to.send(&frame[..length]);
    }
}
