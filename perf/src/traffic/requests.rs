//! Requests and answers over connections that stay, as between services that keep theirs open; a ping-pong is one
//! with a single connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{Latency, side_by_side};

/// What goes there and back over each of some connections, one request at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange {
    /// How many connections, side by side.
    pub(crate) connections: usize,
    /// Octets of a request.
    pub(crate) request: usize,
    /// Octets of an answer: those of the request first, then others, if any.
    pub(crate) answer: usize,
}

/// What a client did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Requests {
    /// Answers a second.
    pub(crate) per_second: f64,
    /// Half of the time from a request to the end of its answer.
    pub(crate) latency: Latency,
    /// Answers altogether, those before the first that counts among them.
    pub(crate) count: u64,
}

/// Before the first request that counts.
const WARM_UP: Duration = Duration::from_millis(400);
/// Requests that there is room for from the start, over all connections.
const ROOM: usize = 1 << 21;

impl Exchange {
    /// As of services: a short request of HTTP, and an answer that fits in one packet, in a tunnel too.
    pub(crate) const REQUESTS: Self = Self {
        connections: 16,
        request: 128,
        answer: 1024,
    };
    /// Sockperf's smallest message, there and back.
    pub(crate) const PING_PONG: Self = Self {
        connections: 1,
        request: 14,
        answer: 14,
    };

    /// Octets in both directions together.
    pub(crate) const fn octets(self) -> u64 {
        (self.request + self.answer) as u64
    }
}

/// Answers requests, on a thread for each connection, until the process is killed.
///
/// # Errors
/// If no connection can be accepted any more.
pub(super) fn serve(listener: &TcpListener, exchange: Exchange) -> Result<()> {
    for connection in listener.incoming() {
        let connection = connection?;
        connection.set_nodelay(true)?;
        // The client sees, and tells, what goes wrong.
        thread::spawn(move || answer(connection, exchange));
    }
    Ok(())
}

fn answer(mut connection: TcpStream, exchange: Exchange) -> std::io::Result<()> {
    let mut answer = vec![0; exchange.answer];
    loop {
        connection.read_exact(&mut answer[..exchange.request])?;
        connection.write_all(&answer)?;
    }
}

/// Sends requests, each when the answer before is there.
///
/// # Errors
/// If the server cannot be reached, ends a connection, or answers another request.
pub(super) fn ask(server: SocketAddr, time: Duration, exchange: Exchange) -> Result<Requests> {
    let connections = (0..exchange.connections)
        .map(|_| TcpStream::connect(server).with_context(|| format!("reach {server}")))
        .collect::<Result<Vec<_>>>()?;
    let counted_from = Instant::now() + WARM_UP;
    let end = counted_from + time;
    let asked = side_by_side(connections, |connection| {
        ask_until(connection, exchange, counted_from, end)
    })?;
    let count = asked.iter().map(|one| one.count).sum();
    let halves: Vec<_> = asked.into_iter().flat_map(|one| one.halves).collect();
    let latency = Latency::of(halves)?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "requests of a few minutes are far below 2^52"
    )]
    let per_second = latency.messages as f64 / time.as_secs_f64();
    Ok(Requests {
        per_second,
        latency,
        count,
    })
}

struct Asked {
    /// Of those that count, half of each time to the answer, in microseconds.
    halves: Vec<f64>,
    count: u64,
}

fn ask_until(
    mut connection: TcpStream,
    exchange: Exchange,
    counted_from: Instant,
    end: Instant,
) -> Result<Asked> {
    connection.set_nodelay(true)?;
    let request = vec![0x47; exchange.request];
    let mut answer = vec![0; exchange.answer];
    let mut asked = Asked {
        halves: Vec::with_capacity(ROOM / exchange.connections),
        count: 0,
    };
    let mut sent = Instant::now();
    loop {
        connection.write_all(&request)?;
        connection.read_exact(&mut answer)?;
        ensure!(answer.starts_with(&request), "another request was answered");
        let back = Instant::now();
        asked.count += 1;
        // Only what began and ended within the time.
        if back > end {
            return Ok(asked);
        }
        if sent >= counted_from {
            asked.halves.push((back - sent).as_secs_f64() * 1e6 / 2.0);
        }
        sent = back;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_answered() {
        for exchange in [Exchange::REQUESTS, Exchange::PING_PONG] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let server = listener.local_addr().unwrap();
            thread::spawn(move || serve(&listener, exchange));
            let requests = ask(server, Duration::from_millis(200), exchange).unwrap();
            assert!(requests.count >= requests.latency.messages, "{requests:?}");
            assert!(requests.per_second > 0.0, "{requests:?}");
        }
    }

    #[test]
    fn a_server_that_goes_away_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        thread::spawn(move || {
            for connection in listener.incoming() {
                drop(connection);
            }
        });
        let asked = ask(server, Duration::from_millis(1), Exchange::PING_PONG);
        assert!(asked.is_err(), "{asked:?}");
    }
}
