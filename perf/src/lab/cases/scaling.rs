//! How a switch does with many ports, and with more or fewer threads.

use crate::lab::case::Case;
use crate::lab::load::Load;
use crate::lab::loads::{AmongBusy, Datagrams, PingPong, Tcp};
use crate::lab::setting::Setting;

const TCP: &dyn Load = &Tcp { streams: 1 };
const TCP_4: &dyn Load = &Tcp { streams: 4 };
const UDP: &dyn Load = &Datagrams { length: 64 };

macro_rules! workers {
    ($count:literal, $word:literal, $title:literal, $load:expr) => {
        Case::outward(
            Setting::Workers($count),
            concat!("workers-", $count, "-", $word),
            concat!("Workers: ", $count, ", ", $title),
            $load,
        )
    };
}

macro_rules! ports {
    ($count:literal, $word:literal, $title:literal, $load:expr) => {
        Case::outward(
            Setting::Bridge { containers: $count },
            concat!("ports-", $count, "-", $word),
            concat!($count, " ports, ", $title),
            $load,
        )
    };
}

pub(super) const CASES: &[Case] = &[
    workers!(1, "tcp4", "TCP, 4 streams", TCP_4),
    workers!(1, "udp64", "UDP 64 B delivered", UDP),
    workers!(2, "tcp4", "TCP, 4 streams", TCP_4),
    workers!(2, "udp64", "UDP 64 B delivered", UDP),
    workers!(4, "tcp4", "TCP, 4 streams", TCP_4),
    workers!(4, "udp64", "UDP 64 B delivered", UDP),
    ports!(2, "tcp", "TCP, 1 stream", TCP),
    ports!(2, "udp64", "UDP 64 B delivered", UDP),
    ports!(2, "ping-pong", "TCP ping-pong", &PingPong),
    ports!(16, "tcp", "TCP, 1 stream", TCP),
    ports!(16, "udp64", "UDP 64 B delivered", UDP),
    ports!(16, "ping-pong", "TCP ping-pong", &PingPong),
    ports!(128, "tcp", "TCP, 1 stream", TCP),
    ports!(128, "udp64", "UDP 64 B delivered", UDP),
    ports!(128, "ping-pong", "TCP ping-pong", &PingPong),
    ports!(1000, "tcp", "TCP, 1 stream", TCP),
    ports!(1000, "udp64", "UDP 64 B delivered", UDP),
    ports!(1000, "ping-pong", "TCP ping-pong", &PingPong),
    ports!(
        1000,
        "busy-udp64",
        "all a little busy, UDP 64 B delivered",
        &AmongBusy { load: UDP }
    ),
    ports!(
        1000,
        "busy-ping-pong",
        "all a little busy, TCP ping-pong",
        &AmongBusy { load: &PingPong }
    ),
];
