//! From a container to the outside, translated, and from the outside to a published port.

use crate::lab::case::{Case, Way};
use crate::lab::load::Load;
use crate::lab::loads::{Connections, Datagrams, PingPong, Tcp};
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
