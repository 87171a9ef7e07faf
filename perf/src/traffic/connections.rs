//! One new TCP connection after the other: what a switch that keeps state pays for each of them.
//!
//! An octet goes there, an octet comes back, then the server closes first, and the client, which waits
//! for that, after it. Nothing is cut short by a reset: a switch sees whole lives. TIME_WAIT is the
//! server's, which lets the same port of the client in again as its timestamps are newer
//! (`tcp_timewait_state_process`), so the client never runs out of ports. It takes every other one of
//! `ip_local_port_range`: after 14,000 connections, a switch meets ports that it remembers as closed.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::side_by_side;

/// Connections at the same time: enough to keep all processors busy, few enough for the backlog.
const SIDE_BY_SIDE: usize = 16;

/// What a client did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Connections {
    /// Connections from beginning to end.
    pub(crate) count: u64,
    /// How long that took.
    pub(crate) seconds: f64,
}

/// Answers connections until the process is killed.
///
/// # Errors
/// If none can be accepted any more.
pub(super) fn serve(listener: &TcpListener) -> Result<()> {
    let (ended, first) = mpsc::channel();
    for _ in 0..SIDE_BY_SIDE {
        let (listener, ended) = (listener.try_clone()?, ended.clone());
        // The first that fails ends the process, and so all of them.
        thread::spawn(move || ended.send(answer(&listener)));
    }
    first.recv()?
}

fn answer(listener: &TcpListener) -> Result<()> {
    loop {
        let (mut connection, _) = match listener.accept() {
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            accepted => accepted.context("accept a connection")?,
        };
        let mut octet = [0];
        // What goes wrong is seen, and told, by the client.
        if connection.read_exact(&mut octet).is_ok() {
            let _ = connection.write_all(&octet);
        }
    }
}

/// Makes connections for a time, and waits for the end of the last ones.
///
/// # Errors
/// If one of them is refused, reset or answered wrongly.
pub(super) fn connect(server: SocketAddr, time: Duration) -> Result<Connections> {
    let start = Instant::now();
    let clients = 0..SIDE_BY_SIDE;
    let counts = side_by_side(clients, |_| connect_until(server, start + time))?;
    Ok(Connections {
        count: counts.iter().sum(),
        seconds: start.elapsed().as_secs_f64(),
    })
}

fn connect_until(server: SocketAddr, end: Instant) -> Result<u64> {
    let mut count = 0;
    // One at least: a busy machine may start a thread after the end.
    while count == 0 || Instant::now() < end {
        let octet = exchange(server)
            .with_context(|| format!("connection to {server} after {count} good ones"))?;
        ensure!(octet == OCTET, "{server} answers {octet}, not {OCTET}");
        count += 1;
    }
    Ok(count)
}

const OCTET: u8 = 7;

fn exchange(server: SocketAddr) -> io::Result<u8> {
    let mut connection = TcpStream::connect(server)?;
    connection.write_all(&[OCTET])?;
    let mut answer = [0];
    connection.read_exact(&mut answer)?;
    match connection.read(&mut [0])? {
        0 => Ok(answer[0]),
        _ => Err(io::Error::new(ErrorKind::InvalidData, "a long answer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve_once(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                connection.read_exact(&mut [0]).unwrap();
                let _ = connection.write_all(answer);
            }
        });
        address
    }

    #[test]
    fn the_server_answers_what_the_client_expects() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        for _ in 0..2 {
            let listener = listener.try_clone().unwrap();
            thread::spawn(move || answer(&listener));
        }
        let connections = connect(server, Duration::from_millis(20)).unwrap();
        assert!(connections.count >= SIDE_BY_SIDE as u64, "{connections:?}");
        assert!(connections.seconds >= 0.02, "{connections:?}");
    }

    #[test]
    fn a_wrong_answer_is_no_connection() {
        for wrong in [&[][..], &[OCTET + 1], &[OCTET, OCTET]] {
            let server = serve_once(wrong);
            let made = connect(server, Duration::from_millis(1));
            assert!(made.is_err(), "{wrong:?}: {made:?}");
        }
    }
}
