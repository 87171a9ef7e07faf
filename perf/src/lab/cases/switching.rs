//! Between two containers of one network.

use crate::lab::case::{Case, Way};
use crate::lab::load::Load;
use crate::lab::loads::{Datagrams, PingPong, Tcp};
use crate::lab::setting::Setting;

const fn case(name: &'static str, title: &'static str, load: &'static dyn Load) -> Case {
    Case {
        name,
        title,
        setting: Setting::PAIR,
        way: Way::Outward,
        load,
    }
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
    case("ping-pong", "TCP ping-pong", &PingPong),
];
