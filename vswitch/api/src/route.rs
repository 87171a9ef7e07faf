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
    /// The address of its own that the router prefers on this way.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// Lower wins among routes to the same destination.
    pub metric: Option<u32>,
    /// Seconds since the route was made; none where nobody knows.
    pub age: Option<u64>,
    /// What happens to what is sent there.
    #[serde(default)]
    pub kind: RouteKind,
    /// Where the entry came from.
    pub origin: RouteOrigin,
}

/// What happens to a packet on a route, in the words of `ip route`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum RouteKind {
    /// It goes on.
    #[default]
    Unicast,
    /// It is refused: there is no such network.
    Unreachable,
    /// It is refused by policy.
    Prohibit,
    /// It is dropped without a word.
    Blackhole,
    /// It would leave by an interface of the host that is no uplink, and so is refused.
    Elsewhere,
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

impl RouteKind {
    /// The word in JSON and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unicast => "unicast",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
            Self::Blackhole => "blackhole",
            Self::Elsewhere => "elsewhere",
        }
    }
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
