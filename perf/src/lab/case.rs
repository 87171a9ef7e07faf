//! What is measured.

use clap::ValueEnum;
use serde::Serialize;

/// One kind of run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Case {
    /// TCP, one connection.
    Tcp1,
    /// TCP, four connections.
    Tcp4,
    /// Datagrams of 64 octets of payload, as many as the sender can make.
    Udp64,
    /// Datagrams of 1448 octets of payload, as many as the sender can make.
    Udp1448,
    /// One small message at a time, there and back, over TCP.
    PingPong,
}

/// One figure of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Metric {
    /// What it is, in a table.
    pub(crate) title: &'static str,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// What the processor time of the case is divided by.
    pub(crate) work: &'static str,
}

impl Case {
    /// All of them, in the order they are run.
    pub(crate) const ALL: [Self; 5] = [
        Self::Tcp1,
        Self::Tcp4,
        Self::Udp64,
        Self::Udp1448,
        Self::PingPong,
    ];

    /// Its name for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Tcp1 => "TCP, 1 stream",
            Self::Tcp4 => "TCP, 4 streams",
            Self::Udp64 => "UDP 64 B delivered",
            Self::Udp1448 => "UDP 1448 B delivered",
            Self::PingPong => "TCP ping-pong",
        }
    }

    /// Its figures, in the order of [`super::measurement::Measurement::figures`].
    pub(crate) fn metrics(self) -> Vec<Metric> {
        let metric = |title, unit, work| Metric { title, unit, work };
        match self {
            Self::Tcp1 | Self::Tcp4 => vec![metric(self.title(), "Gbit/s", "GB")],
            Self::Udp64 => vec![metric(self.title(), "Mbit/s", "Mpkt")],
            Self::Udp1448 => vec![metric(self.title(), "Gbit/s", "Mpkt")],
            Self::PingPong => vec![
                metric("TCP ping-pong, one way, median", "µs", "M messages"),
                metric("TCP ping-pong, one way, p99", "µs", "M messages"),
            ],
        }
    }
}
