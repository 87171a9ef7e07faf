//! Traffic that the lab makes itself: a server that answers, and a client that measures, in processes of their
//! own.

mod connections;
mod latency;
mod quic_like;
mod requests;

pub(crate) use connections::Connections;
pub(crate) use latency::Latency;
pub(crate) use quic_like::{DATAGRAM, Goodput};
pub(crate) use requests::{Exchange, Requests};

use std::net::{SocketAddr, TcpListener};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::stdout;

/// A kind of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Traffic {
    /// One small message at a time, there and back, for machines without sockperf
    PingPong,
    /// One new TCP connection after the other
    Connections,
    /// Requests and answers over connections that stay
    Requests,
    /// Datagrams as QUIC sends them
    QuicLike,
}

impl Traffic {
    /// The port that its server listens at in the lab.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::PingPong => 11111,
            Self::Connections => 11112,
            Self::Requests => 11113,
            Self::QuicLike => 11114,
        }
    }

    /// Answers, until the process is killed.
    ///
    /// # Errors
    /// If the address cannot be listened at.
    pub(crate) fn serve(self, address: SocketAddr) -> Result<()> {
        match self {
            Self::PingPong => requests::serve(&listen(address)?, Exchange::PING_PONG),
            Self::Connections => connections::serve(&listen(address)?),
            Self::Requests => requests::serve(&listen(address)?, Exchange::REQUESTS),
            Self::QuicLike => quic_like::serve(address),
        }
    }

    /// Makes it for some seconds, and prints its figures as JSON: [`Requests`], [`Connections`] or [`Goodput`].
    ///
    /// # Errors
    /// If the server cannot be reached, goes away, or answers wrongly.
    pub(crate) fn measure(self, server: SocketAddr, seconds: u64) -> Result<()> {
        let time = Duration::from_secs(seconds);
        match self {
            Self::PingPong => stdout::figures(&requests::ask(server, time, Exchange::PING_PONG)?),
            Self::Connections => stdout::figures(&connections::connect(server, time)?),
            Self::Requests => stdout::figures(&requests::ask(server, time, Exchange::REQUESTS)?),
            Self::QuicLike => stdout::figures(&quic_like::send(server, time)?),
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| format!("listen at {address}"))?;
    stdout::ready();
    Ok(listener)
}

/// Runs clients, each on a thread of its own, and gives what each of them gives.
fn side_by_side<C: Send, T: Send>(
    clients: impl IntoIterator<Item = C>,
    run: impl Fn(C) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    thread::scope(|scope| {
        let run = &run;
        let clients = clients.into_iter();
        let clients: Vec<_> = clients
            .map(|client| scope.spawn(move || run(client)))
            .collect();
        let ended = |client: ScopedJoinHandle<'_, Result<T>>| {
            let ended = client.join();
            ended.map_err(|_| anyhow::anyhow!("a client died"))?
        };
        clients.into_iter().map(ended).collect()
    })
}
