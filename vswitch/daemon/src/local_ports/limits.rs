//! How much the proxy takes at most.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};

/// How much the proxy takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long neither a UDP client nor the container has to send anything until the client is forgotten.
    pub udp_idle: Duration,
    /// UDP clients of one port that are remembered; the one that was silent the longest goes first.
    pub udp_clients: usize,
    /// How long a container may take to accept a connection.
    pub connect: Duration,
    /// Descriptors for all that is proxied: two for a TCP connection, one for a UDP client. Connections
    /// beyond wait in the kernel's queue. The ports themselves are not counted.
    pub descriptors: usize,
}

impl Default for Limits {
    /// Docker's idle time, and a quarter of the descriptors that the process may have now.
    fn default() -> Self {
        let most = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
        Self {
            udp_idle: Duration::from_secs(90),
            udp_clients: 1024,
            connect: Duration::from_secs(10),
            descriptors: usize::try_from(most / 4).unwrap_or(1 << 18).max(2),
        }
    }
}
