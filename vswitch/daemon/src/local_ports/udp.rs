//! UDP: each client of a held port gets a socket of its own to the container, until both are silent.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::coop::consume_budget;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::binding::Targets;
use super::datagram::{Flow, Front};
use super::holder::Bounds;
use super::scratch;

/// Datagrams that are carried before others have their turn.
const BURST: usize = 32;

/// Those who sent something to one held socket.
struct Clients {
    front: Arc<Front>,
    bounds: Bounds,
    by_flow: HashMap<Flow, Client>,
    /// One task for each, which carries its answers until it is idle.
    answers: JoinSet<Flow>,
}

struct Client {
    upstream: Arc<Upstream>,
    answers: AbortHandle,
}

/// A socket to the container that speaks for one client.
struct Upstream {
    socket: UdpSocket,
    opened: Instant,
    /// When something was last carried, in milliseconds since it was opened.
    active: AtomicU64,
    _room: OwnedSemaphorePermit,
}

/// Serves a socket until its port is let go. All sockets are closed then.
pub(super) async fn serve(front: Front, mut targets: Targets, bounds: Bounds) {
    let front = Arc::new(front);
    let mut clients = Clients {
        front: front.clone(),
        bounds,
        by_flow: HashMap::new(),
        answers: JoinSet::new(),
    };
    loop {
        // In this order: who became idle is forgotten before its next datagram, so that it is not given to a
        // socket whose answers nobody waits for.
        tokio::select! {
            biased;
            held = targets.changed() => {
                clients.end_all();
                if !held {
                    break;
                }
            }
            Some(ended) = clients.answers.join_next() => clients.forget(ended),
            // Fails only when the runtime ends.
            Ok(()) = front.held.readable() => clients.receive(&mut targets),
        }
        consume_budget().await;
    }
    clients.answers.shutdown().await;
}

impl Clients {
    /// Carries what has come, to where it leads; what leads nowhere is discarded.
    fn receive(&mut self, targets: &mut Targets) {
        scratch::lend(|buffer| {
            for _ in 0..BURST {
                match self.front.receive(buffer) {
                    Ok((length, flow)) => {
                        // A client may be quicker than the news.
                        if targets.renew() {
                            self.end_all();
                        }
                        if let Some(target) = targets.of(flow.local) {
                            self.forward(flow, &buffer[..length], target);
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                    Err(error) => tracing::debug!("a datagram to a published port: {error}"),
                }
            }
        });
    }

    fn forward(&mut self, flow: Flow, payload: &[u8], target: SocketAddr) {
        let upstream = match self.by_flow.get(&flow) {
            Some(client) => Ok(client.upstream.clone()),
            None => self.open(flow, target),
        };
        if let Err(error) = upstream.and_then(|upstream| upstream.send(payload)) {
            tracing::debug!(%target, client = %flow.client, "a datagram was not proxied: {error}");
        }
    }

    /// Begins with a client, at the cost of the one that was silent the longest if there are too many.
    fn open(&mut self, flow: Flow, target: SocketAddr) -> io::Result<Arc<Upstream>> {
        if self.by_flow.len() >= self.bounds.limits.udp_clients {
            self.evict();
        }
        let Ok(room) = self.bounds.room.clone().try_acquire_owned() else {
            // The place is free when the evicted task is gone, for one of the next datagrams.
            self.evict();
            return Err(io::Error::other("too many connections are proxied"));
        };
        let upstream = Arc::new(Upstream {
            socket: connect(target)?,
            opened: Instant::now(),
            active: AtomicU64::new(0),
            _room: room,
        });
        let carried = carry_answers(
            flow,
            upstream.clone(),
            self.front.clone(),
            self.bounds.limits.udp_idle,
        );
        let answers = self.answers.spawn(carried);
        let client = Client {
            upstream: upstream.clone(),
            answers,
        };
        self.by_flow.insert(flow, client);
        Ok(upstream)
    }

    fn evict(&mut self) {
        let activity = |client: &Client| client.upstream.last_active();
        let oldest = self
            .by_flow
            .iter()
            .min_by_key(|(_, client)| activity(client));
        if let Some((&flow, _)) = oldest
            && let Some(client) = self.by_flow.remove(&flow)
        {
            client.answers.abort();
        }
    }

    /// A task that was evicted is not in the table any more.
    fn forget(&mut self, ended: Result<Flow, JoinError>) {
        if let Ok(flow) = ended {
            self.by_flow.remove(&flow);
        }
    }

    fn end_all(&mut self) {
        self.by_flow.clear();
        self.answers.abort_all();
    }
}

impl Upstream {
    fn send(&self, payload: &[u8]) -> io::Result<()> {
        self.touch();
        // Not the runtime's way to send: that one does not try a new socket before it was told that there is
        // room, which there is.
        let socket = SockRef::from(&self.socket);
        let sent = match socket.send(payload) {
            // Of the datagram before; this one was not tried.
            Err(error) if is_of_answer(&error) => socket.send(payload),
            sent => sent,
        };
        sent.map(drop)
    }

    fn touch(&self) {
        let passed = self.opened.elapsed().as_millis();
        self.active
            .store(u64::try_from(passed).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn last_active(&self) -> Instant {
        self.opened + Duration::from_millis(self.active.load(Ordering::Relaxed))
    }
}

/// Carries what the container answers, until nothing was carried either way for that long.
async fn carry_answers(
    flow: Flow,
    upstream: Arc<Upstream>,
    front: Arc<Front>,
    idle: Duration,
) -> Flow {
    loop {
        let end = upstream.last_active() + idle;
        match timeout_at(end, upstream.socket.readable()).await {
            Err(_) if upstream.last_active() + idle <= Instant::now() => return flow,
            Err(_) => continue,
            Ok(Err(_)) => return flow,
            Ok(Ok(())) => {}
        }
        if let Err(error) = answer_burst(&flow, &upstream, &front) {
            tracing::debug!(client = %flow.client, "a UDP client is forgotten: {error}");
            return flow;
        }
        consume_budget().await;
    }
}

fn answer_burst(flow: &Flow, upstream: &Upstream, front: &Front) -> io::Result<()> {
    scratch::lend(|buffer| {
        for _ in 0..BURST {
            match upstream.socket.try_recv(buffer) {
                Ok(length) => {
                    upstream.touch();
                    if let Err(error) = front.answer(flow, &buffer[..length]) {
                        tracing::debug!(client = %flow.client, "an answer was not sent: {error}");
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // The container may listen a moment later.
                Err(error) if is_of_answer(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    })
}

/// What ICMP errors become at a connected socket (`icmp_err_convert` of Linux): they are told once, and the
/// socket goes on.
fn is_of_answer(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::CONNREFUSED
                | Errno::HOSTUNREACH
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::NONET
                | Errno::NOPROTOOPT
                | Errno::OPNOTSUPP
                | Errno::MSGSIZE
                | Errno::PROTO
                | Errno::ACCESS
        )
    )
}

fn connect(target: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(target), Type::DGRAM.nonblocking(), None)?;
    socket.connect(&target.into())?;
    UdpSocket::from_std(socket.into())
}
