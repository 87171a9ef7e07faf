//! The loads, one file each.

mod connections;
mod containers;
mod datagrams;
mod ping_pong;
mod tcp;

pub(super) use connections::Connections;
pub(super) use containers::Containers;
pub(super) use datagrams::Datagrams;
pub(super) use ping_pong::PingPong;
pub(super) use tcp::Tcp;

/// Where iperf3 listens that was told nothing else.
const IPERF_PORT: u16 = 5201;

/// All ports that servers listen at, all over TCP: what has to be published.
pub(super) const PORTS: [u16; 3] = [IPERF_PORT, ping_pong::PORT, connections::PORT];

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a few minutes are far below 2^52"
)]
fn mega(count: u64) -> f64 {
    count as f64 / 1e6
}
