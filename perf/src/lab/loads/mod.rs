//! The loads, one file each.

mod among_busy;
mod attach;
mod connections;
mod containers;
mod datagrams;
mod delivered;
mod footprint;
mod loaded_ping_pong;
mod ping_pong;
mod quic_like;
mod requests;
mod rfc2544;
mod rfc2889;
mod soak;
mod tcp;

pub(super) use among_busy::AmongBusy;
pub(super) use attach::Attach;
pub(super) use connections::Connections;
pub(super) use containers::Containers;
pub(super) use datagrams::{Datagrams, OfferedDatagrams};
pub(super) use delivered::{Among, Delivered};
pub(super) use footprint::Footprint;
pub(super) use loaded_ping_pong::LoadedPingPong;
pub(super) use ping_pong::PingPong;
pub(super) use quic_like::QuicLike;
pub(super) use requests::Requests;
pub(super) use rfc2544::{BackToBack, FrameThroughput, LossRate, Recovery};
pub(super) use rfc2889::{Broadcast, Caching, Congestion, Errored, Learning, Mesh};
pub(super) use soak::Soak;
pub(super) use tcp::{Tcp, TcpBothWays, TcpReverse};

use crate::traffic::Traffic;

/// Where iperf3 listens that was told nothing else.
const IPERF_PORT: u16 = 5201;

/// The ports that servers listen at over TCP: what has to be published.
pub(super) const PORTS: [u16; 4] = [
    IPERF_PORT,
    Traffic::PingPong.port(),
    Traffic::Connections.port(),
    Traffic::Requests.port(),
];

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a few minutes are far below 2^52"
)]
fn mega(count: u64) -> f64 {
    count as f64 / 1e6
}
