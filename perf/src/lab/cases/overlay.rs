//! Between containers on two hosts.

use crate::lab::case::Case;
use crate::lab::load::Load;
use crate::lab::loads::{Datagrams, PingPong, QuicLike, Tcp, TcpReverse};
use crate::lab::setting::Setting;

const fn case(name: &'static str, title: &'static str, load: &'static dyn Load) -> Case {
    Case::outward(Setting::Overlay, name, title, load)
}

pub(super) const CASES: &[Case] = &[
    case(
        "overlay-tcp1",
        "Overlay, TCP, 1 stream",
        &Tcp { streams: 1 },
    ),
    case(
        "overlay-tcp4",
        "Overlay, TCP, 4 streams",
        &Tcp { streams: 4 },
    ),
    case(
        "overlay-udp64",
        "Overlay, UDP 64 B delivered",
        &Datagrams { length: 64 },
    ),
    // The longest that fits beside the headers of the tunnel.
    case(
        "overlay-udp1398",
        "Overlay, UDP 1398 B delivered",
        &Datagrams { length: 1398 },
    ),
    case("overlay-ping-pong", "Overlay, TCP ping-pong", &PingPong),
];

/// What says little that the others do not.
pub(super) const MORE: &[Case] = &[
    case(
        "overlay-tcp1-reverse",
        "Overlay, TCP, 1 stream, the server sends",
        &TcpReverse { streams: 1 },
    ),
    case(
        "overlay-quic-like",
        "Overlay, QUIC-like UDP, 1 flow",
        &QuicLike,
    ),
];
