//! Requests and answers over connections that stay, as between services that keep theirs open.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::ping_pong::{Latency, latency};

/// Connections side by side, each with one request at a time.
pub(crate) const SIDE_BY_SIDE: usize = 16;
/// Octets of a request: a short one of HTTP.
pub(crate) const REQUEST: usize = 128;
/// Octets of an answer; it fits in one packet, in a tunnel too.
pub(crate) const ANSWER: usize = 1024;
/// Before the first request that counts.
const WARM_UP: Duration = Duration::from_millis(400);

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

/// Answers requests, on a thread for each connection, until the process is killed.
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
    accept(&listener)
}

/// Sends requests, each when the answer before is there, and prints [`Requests`] as JSON.
///
/// # Errors
/// If the server cannot be reached or ends a connection.
#[expect(clippy::print_stdout, reason = "the lab reads the output")]
pub(crate) fn measure(server: SocketAddr, seconds: u64) -> Result<()> {
    let requests = ask(server, Duration::from_secs(seconds))?;
    println!("{}", serde_json::to_string(&requests)?);
    Ok(())
}

fn accept(listener: &TcpListener) -> Result<()> {
    for connection in listener.incoming() {
        let connection = connection?;
        connection.set_nodelay(true)?;
        // The client sees, and tells, what goes wrong.
        thread::spawn(move || answer(connection));
    }
    Ok(())
}

fn answer(mut connection: TcpStream) -> std::io::Result<()> {
    let mut request = [0; REQUEST];
    let mut answer = [0; ANSWER];
    loop {
        connection.read_exact(&mut request)?;
        answer[..REQUEST].copy_from_slice(&request);
        connection.write_all(&answer)?;
    }
}

fn ask(server: SocketAddr, time: Duration) -> Result<Requests> {
    let connections = (0..SIDE_BY_SIDE)
        .map(|_| TcpStream::connect(server).with_context(|| format!("reach {server}")))
        .collect::<Result<Vec<_>>>()?;
    let counted_from = Instant::now() + WARM_UP;
    let end = counted_from + time;
    let asked = thread::scope(|scope| {
        let clients = connections.into_iter();
        let clients: Vec<_> = clients
            .map(|connection| scope.spawn(move || ask_until(connection, counted_from, end)))
            .collect();
        let ended = |client: thread::ScopedJoinHandle<'_, Result<Asked>>| {
            let ended = client.join();
            ended.map_err(|_| anyhow::anyhow!("a client died"))?
        };
        clients.into_iter().map(ended).collect::<Result<Vec<_>>>()
    })?;
    let count = asked.iter().map(|one| one.count).sum();
    let halves: Vec<_> = asked.into_iter().flat_map(|one| one.halves).collect();
    let latency = latency(halves)?;
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

fn ask_until(mut connection: TcpStream, counted_from: Instant, end: Instant) -> Result<Asked> {
    connection.set_nodelay(true)?;
    let request = [0x47; REQUEST];
    let mut answer = [0; ANSWER];
    let mut asked = Asked {
        halves: Vec::with_capacity(1 << 17),
        count: 0,
    };
    let mut sent = Instant::now();
    loop {
        connection.write_all(&request)?;
        connection.read_exact(&mut answer)?;
        ensure!(answer[..REQUEST] == request, "another request was answered");
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
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        thread::spawn(move || accept(&listener));
        let requests = ask(server, Duration::from_millis(200)).unwrap();
        assert!(requests.count >= requests.latency.messages, "{requests:?}");
        assert!(requests.per_second > 0.0, "{requests:?}");
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
        assert!(ask(server, Duration::from_millis(1)).is_err());
    }
}
