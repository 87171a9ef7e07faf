//! The time to an answer over TCP, for machines without sockperf.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// Octets of a message: sockperf's smallest.
pub(crate) const MESSAGE: usize = 14;
/// Round trips before the first that counts.
const WARM_UP: Duration = Duration::from_millis(400);

/// Half of a round trip, in microseconds, as sockperf counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    /// Half of the round trips are faster.
    pub(crate) median: f64,
    /// 99 of 100 are faster.
    pub(crate) p99: f64,
    /// 999 of 1000 are faster.
    pub(crate) p999: f64,
    /// Round trips.
    pub(crate) messages: u64,
}

/// Returns every message, connection after connection, until the process is killed.
///
/// # Errors
/// If the address cannot be listened at.
#[expect(
    clippy::print_stdout,
    reason = "the lab waits for the word on the output"
)]
pub(crate) fn serve(listen: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).with_context(|| format!("listen at {listen}"))?;
    println!("ready");
    for connection in listener.incoming() {
        let mut connection = connection?;
        connection.set_nodelay(true)?;
        let mut message = [0; MESSAGE];
        while connection.read_exact(&mut message).is_ok() {
            connection.write_all(&message)?;
        }
    }
    Ok(())
}

/// Sends one message after another, each when the one before is back, and prints a [`Latency`] as JSON.
///
/// # Errors
/// If the server cannot be reached or ends the connection.
#[expect(clippy::print_stdout, reason = "the lab reads the output")]
pub(crate) fn measure(server: SocketAddr, seconds: u64) -> Result<()> {
    let mut connection = TcpStream::connect(server).with_context(|| format!("reach {server}"))?;
    connection.set_nodelay(true)?;
    let mut message = [7; MESSAGE];
    let start = Instant::now();
    let end = start + WARM_UP + Duration::from_secs(seconds);
    let mut halves = Vec::with_capacity(1 << 20);
    let mut sent = start;
    while sent < end {
        connection.write_all(&message)?;
        connection.read_exact(&mut message)?;
        let back = Instant::now();
        if sent >= start + WARM_UP {
            halves.push((back - sent).as_secs_f64() * 1e6 / 2.0);
        }
        sent = back;
    }
    println!("{}", serde_json::to_string(&latency(halves)?)?);
    Ok(())
}

/// Percentiles of halves of round trips, in microseconds.
///
/// # Errors
/// If there are none.
pub(crate) fn latency(mut halves: Vec<f64>) -> Result<Latency> {
    ensure!(!halves.is_empty(), "not one round trip in the time given");
    halves.sort_unstable_by(f64::total_cmp);
    let at = |permille: usize| halves[(halves.len() - 1) * permille / 1000];
    Ok(Latency {
        median: at(500),
        p99: at(990),
        p999: at(999),
        messages: u64::try_from(halves.len())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let halves = (1..=1001).rev().map(f64::from).collect();
        let latency = latency(halves).unwrap();
        assert_eq!(
            (latency.median, latency.p99, latency.p999),
            (501.0, 991.0, 1000.0)
        );
        assert_eq!(latency.messages, 1001);
    }

    #[test]
    fn no_round_trip_is_an_error() {
        assert!(latency(Vec::new()).is_err());
    }
}
