//! Networks: making, removing and listing them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Body of `POST /v1/networks`. Everything but the name has Docker's default.
///
/// Ranges, gateways and auxiliary addresses belong to the subnet that contains them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkCreate {
    /// What users call it.
    pub name: String,
    /// `bridge`, `overlay`, `macvlan`, `ipvlan`, `host`, `null`, or the name of a Docker network plugin.
    #[serde(default = "bridge")]
    pub driver: String,
    /// Who gives out addresses. `default`: the switch; `dhcp`: the DHCP server of the physical network that a
    /// `macvlan` or `ipvlan` network is on; `given`: whoever attaches; else the Docker IPAM plugin of that name.
    /// None: `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipam: Option<String>,
    /// Options for the IPAM plugin.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ipam_options: BTreeMap<String, String>,
    /// One per address pool; none: a default pool.
    #[serde(default)]
    pub subnets: Vec<IpNet>,
    /// Address of the router in each subnet; none: the first address, but for `macvlan` and `ipvlan`, where nobody
    /// is the router then.
    #[serde(default)]
    pub gateways: Vec<IpAddr>,
    /// The part of each subnet that addresses are given out from; none: all of it.
    #[serde(default)]
    pub ip_ranges: Vec<IpNet>,
    /// Addresses that are in use by others, by a name for each.
    #[serde(default)]
    pub aux_addresses: BTreeMap<String, IpAddr>,
    /// IPv6 too, from a unique local prefix if no IPv6 subnet is given.
    #[serde(default)]
    pub ipv6: bool,
    /// No way out of the network: no default route.
    #[serde(default)]
    pub internal: bool,
    /// Notes of the user, without effect.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Driver options: Docker's keys and those that begin with `vswitch.`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// Answer to `POST /v1/networks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkCreated {
    /// 64 hexadecimal digits.
    pub id: String,
    /// What is not as the user may think, such as an MTU that the way to a VTEP does not have, or a parent
    /// interface that is down; a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One element of the answer to `GET /v1/networks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSummary {
    /// 64 hexadecimal digits.
    pub id: String,
    /// What users call it.
    pub name: String,
    /// `bridge`, `overlay`, `macvlan`, `ipvlan`, `host`, `null`, or a plugin's name.
    pub driver: String,
    /// `local`: of this host only; `global`: an overlay, which other hosts may be in.
    pub scope: String,
    /// IPv4 first; empty for drivers without addresses.
    pub subnets: Vec<IpNet>,
    /// Number of endpoints attached.
    pub ports: usize,
}

/// Query of `DELETE /v1/networks/{network}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveNetworkQuery {
    /// Detach what is attached, instead of refusing; and remove a network whose plugin is away.
    #[serde(default)]
    pub force: bool,
}

/// Query of the tables that can be narrowed to one network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkQuery {
    /// Name, id or beginning of an id; none: all networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

impl NetworkCreate {
    /// A `bridge` network with every default.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            driver: bridge(),
            ipam: None,
            ipam_options: BTreeMap::new(),
            subnets: Vec::new(),
            gateways: Vec::new(),
            ip_ranges: Vec::new(),
            aux_addresses: BTreeMap::new(),
            ipv6: false,
            internal: false,
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
        }
    }
}

fn bridge() -> String {
    "bridge".to_owned()
}
