//! TCP: what is accepted on a held port is joined to a connection to the container.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::binding::Targets;
use super::holder::Bounds;
use super::relay::relay;

/// Both ends of a proxied connection.
const DESCRIPTORS: u32 = 2;

/// How long to wait when the kernel has no descriptor or memory for a connection that is there.
const RETRY: Duration = Duration::from_millis(500);

/// A peer that vanished without a word is noticed after this and nine probes at [`PROBE`], the kernel's
/// default number.
const SILENCE: Duration = Duration::from_secs(60);

/// Between two probes.
const PROBE: Duration = Duration::from_secs(15);

/// Serves a listener until its port is let go. All connections are gone then.
pub(super) async fn serve(listener: TcpListener, mut targets: Targets, bounds: Bounds) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            held = targets.changed() => {
                connections.abort_all();
                if !held {
                    break;
                }
            }
            Some(_) = connections.join_next() => {}
            (client, room) = accept(&listener, &bounds) => {
                // A client may be quicker than the news, and is then led to the new target.
                if targets.renew() {
                    connections.abort_all();
                }
                let target = client.local_addr().ok().and_then(|local| targets.of(local));
                match target {
                    Some(target) => {
                        connections.spawn(proxy(client, target, bounds.limits.connect, room));
                    }
                    None => reset(&client),
                }
            }
        }
    }
    connections.shutdown().await;
}

/// The next connection, when there is room for it. It waits in the kernel's queue before.
async fn accept(listener: &TcpListener, bounds: &Bounds) -> (TcpStream, OwnedSemaphorePermit) {
    let mut told = false;
    loop {
        let Ok(room) = bounds.room.clone().acquire_many_owned(DESCRIPTORS).await else {
            // Nobody closes the semaphore.
            std::future::pending().await
        };
        match listener.accept().await {
            Ok((client, _)) => return (client, room),
            // The client's doing: it is gone already (accept(2)).
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                if !told {
                    tracing::warn!("cannot accept a connection to a published port yet: {error}");
                    told = true;
                }
                drop(room);
                sleep(RETRY).await;
            }
        }
    }
}

async fn proxy(
    client: TcpStream,
    target: SocketAddr,
    patience: Duration,
    _room: OwnedSemaphorePermit,
) {
    let proxied = async {
        prepare(&client)?;
        let container = match target {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        prepare(&container)?;
        let container = timeout(patience, container.connect(target)).await??;
        relay(&client, &container).await?;
        // What was written last may still be on its way.
        SockRef::from(&client).set_linger(None)?;
        SockRef::from(&container).set_linger(None)
    };
    if let Err(error) = proxied.await {
        tracing::debug!(%target, "a proxied connection ended: {error}");
        reset(&client);
    }
}

/// A stream that was cut off must not look like one that ended, so the connection is reset whenever it is
/// dropped. What is small is sent at once, as the sender did. A peer that is gone is noticed.
fn prepare<S: AsFd>(socket: &S) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(SILENCE).with_interval(PROBE);
    socket.set_tcp_keepalive(&keepalive)
}

/// Has the connection reset when it is dropped.
fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!("a connection to a published port ends instead of being reset: {error}");
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | NetworkUnreachable
    )
}
