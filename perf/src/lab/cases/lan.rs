//! Between a container on the physical network and a neighbour there.

use crate::lab::case::{Case, Way};
use crate::lab::load::Load;
use crate::lab::loads::{Datagrams, PingPong, Tcp};
use crate::lab::setting::Setting;

const fn case(way: Way, name: &'static str, title: &'static str, load: &'static dyn Load) -> Case {
    Case {
        name,
        title,
        setting: Setting::Lan,
        way,
        load,
    }
}

use Way::{Inward, Outward};

pub(super) const CASES: &[Case] = &[
    case(
        Outward,
        "lan-out-tcp",
        "LAN out, TCP, 1 stream",
        &Tcp { streams: 1 },
    ),
    case(
        Inward,
        "lan-in-tcp",
        "LAN in, TCP, 1 stream",
        &Tcp { streams: 1 },
    ),
    case(
        Outward,
        "lan-out-tcp4",
        "LAN out, TCP, 4 streams",
        &Tcp { streams: 4 },
    ),
    case(
        Outward,
        "lan-out-udp64",
        "LAN out, UDP 64 B delivered",
        &Datagrams { length: 64 },
    ),
    case(
        Outward,
        "lan-ping-pong",
        "LAN out, TCP ping-pong",
        &PingPong,
    ),
];
