//! Between two containers of one network.

use crate::lab::case::Case;
use crate::lab::load::Load;
use crate::lab::loads::{
    Connections, Datagrams, LoadedPingPong, OfferedDatagrams, PingPong, QuicLike, Requests, Tcp,
    TcpBothWays, TcpReverse,
};
use crate::lab::setting::Setting;

const fn case(name: &'static str, title: &'static str, load: &'static dyn Load) -> Case {
    Case::outward(Setting::PAIR, name, title, load)
}

pub(super) const CASES: &[Case] = &[
    case("tcp1", "TCP, 1 stream", &Tcp { streams: 1 }),
    case("tcp4", "TCP, 4 streams", &Tcp { streams: 4 }),
    case("udp64", "UDP 64 B delivered", &Datagrams { length: 64 }),
    case(
        "udp1448",
        "UDP 1448 B delivered",
        &Datagrams { length: 1448 },
    ),
    case("quic-like", "QUIC-like UDP, 1 flow", &QuicLike),
    case("ping-pong", "TCP ping-pong", &PingPong),
    case(
        "ping-pong-loaded",
        "TCP ping-pong beside a TCP stream",
        &LoadedPingPong,
    ),
    case("connections", "New TCP connections", &Connections),
    case("requests", "Requests over 16 TCP connections", &Requests),
];

/// What says little that the others do not.
pub(super) const MORE: &[Case] = &[
    case("tcp16", "TCP, 16 streams", &Tcp { streams: 16 }),
    case(
        "tcp1-reverse",
        "TCP, 1 stream, the server sends",
        &TcpReverse { streams: 1 },
    ),
    case(
        "tcp-both",
        "TCP, 1 stream in each direction",
        &TcpBothWays { streams: 1 },
    ),
    case("udp512", "UDP 512 B delivered", &Datagrams { length: 512 }),
    case(
        "udp64-offered",
        "UDP 64 B at 130 Mbit/s",
        &OfferedDatagrams {
            length: 64,
            megabits: 130,
        },
    ),
];
