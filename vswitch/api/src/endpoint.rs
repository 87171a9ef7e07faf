//! Endpoints: attaching a sandbox to a network, and the reverse.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::PortBinding;

/// Body of `POST /v1/networks/{network}/endpoints`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attach {
    /// A name below `/run/netns`, a path, `pid:N`, or `host`.
    pub sandbox: String,
    /// IPv4 address; none: the next free one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<Ipv4Addr>,
    /// IPv6 address; none: the next free one, if the network has IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip6: Option<Ipv6Addr>,
    /// Six hexadecimal octets with colons; none: `02:42` and the IPv4 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// The interface's name in the sandbox; none: the lowest free `ethN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ifname: Option<String>,
    /// Further names of the sandbox on this network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Of several networks, the one with the highest priority gives the sandbox its default route.
    #[serde(default)]
    pub gateway_priority: i32,
    /// Options of this port, such as `vswitch.vlan`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// Ports to publish, each as in [`Publish`](crate::Publish).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<String>,
    /// Notes of whoever attaches, without effect; inspecting the network shows them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// An endpoint: answer to `POST /v1/networks/{network}/endpoints`, and part of a [`Sandbox`].
///
/// Drivers without resources (`host`, `null`) give no interface, MAC or address.
///
/// [`Sandbox`]: crate::Sandbox
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The network's name.
    pub network: String,
    /// The sandbox, as the user wrote it.
    pub sandbox: String,
    /// The interface's name in the sandbox.
    pub ifname: Option<String>,
    /// Six hexadecimal octets with colons.
    pub mac: Option<String>,
    /// Octets of IP that the interface takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u16>,
    /// With prefix length, IPv4 first.
    pub addresses: Vec<IpNet>,
    /// The network's IPv4 router, whether or not the sandbox's default route goes there.
    pub gateway: Option<Ipv4Addr>,
    /// The network's IPv6 router.
    pub gateway6: Option<Ipv6Addr>,
    /// Further names of the sandbox on this network.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Published ports.
    #[serde(default)]
    pub ports: Vec<PortBinding>,
}

/// Query of `DELETE /v1/networks/{network}/endpoints`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetachQuery {
    /// As in [`Attach`].
    pub sandbox: String,
}
