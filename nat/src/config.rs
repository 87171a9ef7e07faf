//! What is decided before the first packet.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::host_ports::HostPorts;
use crate::ledger::Ledger;

/// A translator's configuration.
pub struct Config {
    /// Sessions at most.
    pub max_sessions: usize,
    /// Sessions of one owner at most.
    pub max_sessions_per_owner: usize,
    /// How long what is silent stays.
    pub timeouts: Timeouts,
    /// Where a port is drawn from when the container's own cannot be kept.
    pub ports: RangeInclusive<u16>,
    /// Which ports the host uses, and by which it learns which are ours.
    pub host_ports: Box<dyn HostPorts>,
    /// Where sessions are written down, so that a restart finds them.
    pub ledger: Option<Box<dyn Ledger>>,
    /// Hash and port randomness.
    pub seed: u64,
}

/// Who may answer to a mapping (RFC 4787 §5, RFC 5382 §4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Filtering {
    /// Whoever knows the mapping.
    EndpointIndependent,
    /// The addresses that the container sent to.
    #[default]
    AddressDependent,
    /// The addresses and ports that the container sent to.
    AddressAndPortDependent,
}

/// How long a session stays without a packet that refreshes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// UDP (RFC 4787 REQ-5: two minutes at least, five recommended).
    pub udp: Duration,
    /// TCP in both directions (RFC 5382 REQ-5: two hours and four minutes at least).
    pub tcp_established: Duration,
    /// TCP that is half open or closing (RFC 5382 REQ-5: four minutes at least).
    pub tcp_transitory: Duration,
    /// SCTP in both directions.
    pub sctp_established: Duration,
    /// SCTP that was not answered yet, or was shut down.
    pub sctp_transitory: Duration,
    /// ICMP queries (RFC 5508 REQ-2: 60 seconds at least).
    pub echo: Duration,
    /// What has no state of its own, untranslated.
    pub other: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            udp: Duration::from_secs(300),
            tcp_established: Duration::from_secs(7440),
            tcp_transitory: Duration::from_secs(240),
            sctp_established: Duration::from_secs(7440),
            sctp_transitory: Duration::from_secs(240),
            echo: Duration::from_secs(60),
            other: Duration::from_secs(600),
        }
    }
}
