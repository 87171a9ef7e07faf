//! Routes: where the switch's router and the sandboxes send a packet.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// One element of the answer to `GET /v1/routes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteEntry {
    /// The sandbox whose route it is; none: the switch's own router.
    pub sandbox: Option<String>,
    /// `0.0.0.0/0` and `::/0` are default routes.
    pub destination: IpNet,
    /// Next hop; none: the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// The network that it goes out by.
    pub network: Option<String>,
    /// The interface that it goes out by, in the sandbox or on the host.
    pub interface: Option<String>,
    /// Lower wins among routes to the same destination.
    pub metric: Option<u32>,
    /// Seconds since the route was made; none where nobody knows.
    pub age: Option<u64>,
    /// Where the entry came from.
    pub origin: RouteOrigin,
}

/// Where a route came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteOrigin {
    /// The subnet of an attached network.
    Connected,
    /// The election of a sandbox's gateway.
    Gateway,
    /// A route of the host, followed over netlink.
    Host,
    /// The configuration.
    Static,
}

impl RouteOrigin {
    /// The word in JSON and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Gateway => "gateway",
            Self::Host => "host",
            Self::Static => "static",
        }
    }
}
