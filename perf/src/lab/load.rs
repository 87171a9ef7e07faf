//! What is sent through a switch, and what is counted of it.

use serde::Serialize;

/// A client at one end, a server at the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// As much as fits, by iperf3.
    Tcp {
        /// Connections side by side.
        streams: u32,
    },
    /// As many datagrams as the sender can make, by iperf3.
    Datagrams {
        /// Octets of payload.
        length: u32,
    },
    /// One small message at a time, there and back, by sockperf.
    PingPong,
    /// One connection after the other, by [`crate::connections`].
    Connections,
    /// One container after the other, by Docker: [`super::engine`].
    Containers,
}

/// One figure of a load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Metric {
    /// What it is, in a table.
    pub(crate) title: String,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// What the processor time is divided by.
    pub(crate) work: &'static str,
}

/// Where iperf3 listens that was told nothing else.
const IPERF: u16 = 5201;

impl Load {
    /// All ports that servers listen at, all over TCP: what has to be published.
    pub(crate) const PORTS: [u16; 3] = [IPERF, Self::PingPong.port(), Self::Connections.port()];

    /// Where its server listens.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Tcp { .. } | Self::Datagrams { .. } => IPERF,
            Self::PingPong => 11111,
            Self::Connections => 11112,
            // Pings have none.
            Self::Containers => 0,
        }
    }

    /// Its figures, in the order of [`super::measurement::Measurement::figures`].
    pub(crate) fn metrics(self, title: &str) -> Vec<Metric> {
        let metric = |detail: &str, unit, work| Metric {
            title: format!("{title}{detail}"),
            unit,
            work,
        };
        match self {
            Self::Tcp { .. } => vec![metric("", "Gbit/s", "GB")],
            Self::Datagrams { length: 64 } => vec![metric("", "Mbit/s", "Mpkt")],
            Self::Datagrams { .. } => vec![metric("", "Gbit/s", "Mpkt")],
            Self::PingPong => vec![
                metric(", one way, median", "µs", "M messages"),
                metric(", one way, p99", "µs", "M messages"),
            ],
            Self::Connections => vec![metric("", "a second", "1000 connections")],
            Self::Containers => vec![
                metric(" run to the first ping answered, median", "ms", "container"),
                metric(" rm --force, median", "ms", "container"),
            ],
        }
    }
}
