//! From a container to the outside, translated, and from the outside to a published port.

use crate::lab::case::{Case, Way};
use crate::lab::load::Load;
use crate::lab::loads::{Connections, Datagrams, PingPong, QuicLike, Requests, Tcp};
use crate::lab::setting::Setting;

const fn case(way: Way, name: &'static str, title: &'static str, load: &'static dyn Load) -> Case {
    Case {
        name,
        title,
        setting: Setting::Outside,
        way,
        load,
    }
}

use Way::{Inward, Outward};

pub(super) const CASES: &[Case] = &[
    case(
        Outward,
        "nat-out-tcp",
        "NAT out, TCP, 1 stream",
        &Tcp { streams: 1 },
    ),
    case(
        Inward,
        "nat-in-tcp",
        "NAT in, TCP, 1 stream",
        &Tcp { streams: 1 },
    ),
    case(
        Outward,
        "nat-out-udp64",
        "NAT out, UDP 64 B delivered",
        &Datagrams { length: 64 },
    ),
    case(
        Outward,
        "nat-out-udp1448",
        "NAT out, UDP 1448 B delivered",
        &Datagrams { length: 1448 },
    ),
    case(
        Outward,
        "nat-out-quic-like",
        "NAT out, QUIC-like UDP, 1 flow",
        &QuicLike,
    ),
    case(
        Outward,
        "nat-ping-pong",
        "NAT out, TCP ping-pong",
        &PingPong,
    ),
    case(
        Outward,
        "nat-connections",
        "NAT out, new TCP connections",
        &Connections,
    ),
    case(
        Inward,
        "nat-connections-in",
        "NAT in, new TCP connections",
        &Connections,
    ),
];

/// What says little that the others do not.
pub(super) const MORE: &[Case] = &[
    case(
        Outward,
        "nat-out-tcp4",
        "NAT out, TCP, 4 streams",
        &Tcp { streams: 4 },
    ),
    case(
        Inward,
        "nat-in-tcp4",
        "NAT in, TCP, 4 streams",
        &Tcp { streams: 4 },
    ),
    case(
        Outward,
        "nat-out-requests",
        "NAT out, requests over 16 TCP connections",
        &Requests,
    ),
    case(
        Inward,
        "nat-in-requests",
        "NAT in, requests over 16 TCP connections",
        &Requests,
    ),
];
