//! Which of a sandbox's networks is its way out.

use std::cmp::Reverse;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;
use crate::id::{EndpointId, NetworkId};
use crate::network::Network;

/// A sandbox's default routes; the families may leave by different networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gateways {
    /// The IPv4 default route.
    pub v4: Option<GatewayChoice>,
    /// The IPv6 default route.
    pub v6: Option<GatewayChoice>,
}

/// A default route: `default via ADDRESS dev IFNAME`, or `default dev IFNAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayChoice {
    /// The endpoint whose network it is.
    pub endpoint: EndpointId,
    /// The network.
    pub network: NetworkId,
    /// The interface in the sandbox.
    pub ifname: String,
    /// The next hop, of the family of the route.
    pub next_hop: NextHop,
}

/// Where an interface sends what goes by a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NextHop {
    /// To a router, on link.
    Router(IpAddr),
    /// Onto the link, whoever is there.
    Link,
}

/// An endpoint and where it can send what is not on its link.
pub(crate) struct Candidate<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) network: &'a Network,
    pub(crate) v4: Option<NextHop>,
    pub(crate) v6: Option<NextHop>,
}

/// libnetwork's election (`Endpoint.Less` in endpoint.go): the highest priority wins, then who has a
/// gateway of both families, then the first network by name.
///
/// libnetwork puts internal networks behind others at that; here they are no candidates for want of a
/// gateway.
pub(crate) fn elect(mut candidates: Vec<Candidate<'_>>) -> Gateways {
    candidates.sort_by_key(|candidate| {
        (
            Reverse(candidate.endpoint.gateway_priority),
            Reverse(candidate.families()),
            candidate.network.name.clone(),
        )
    });
    let first = |next_hop: fn(&Candidate<'_>) -> Option<NextHop>| {
        candidates.iter().find_map(|candidate| {
            Some(GatewayChoice {
                endpoint: candidate.endpoint.id,
                network: candidate.network.id,
                ifname: candidate.endpoint.ifname.clone()?,
                next_hop: next_hop(candidate)?,
            })
        })
    };
    Gateways {
        v4: first(|candidate| candidate.v4),
        v6: first(|candidate| candidate.v6),
    }
}

impl Candidate<'_> {
    fn families(&self) -> usize {
        usize::from(self.v4.is_some()) + usize::from(self.v6.is_some())
    }
}
