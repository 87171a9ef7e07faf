//! Overlay networks: who is at the other ends of their tunnels, and what is known to be there.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// One element of the answer to `GET /v1/vteps`: one for each segment and VTEP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vtep {
    /// The network's name.
    pub network: String,
    /// The segment's number in VXLAN headers.
    pub vni: u32,
    /// The other host, or the multicast group.
    pub address: IpAddr,
    /// The UDP port, the same on all hosts.
    pub port: u16,
    /// Why it is known.
    pub origin: VtepOrigin,
    /// The longest packet that a container can send there whole, in octets of IP.
    pub mtu: u16,
    /// How many MAC addresses are known to be there, learned and programmed.
    pub macs: usize,
    /// Seconds since a frame came from there; none if none ever came.
    pub heard: Option<u64>,
}

/// Why a VTEP is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VtepOrigin {
    /// It was given, with the network or later.
    Configured,
    /// It sent a frame, and the network accepts such. Ages.
    Learned,
    /// It is the network's multicast group.
    Group,
}

/// Body of `POST /v1/networks/{network}/vteps`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VtepCreate {
    /// The other host.
    pub address: IpAddr,
}

/// A MAC address that is said to be behind a VTEP: body of `POST /v1/networks/{network}/remotes`, and, with
/// `network`, one element of the answer to `GET /v1/remotes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// The network's name; none in a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Six hexadecimal octets with colons.
    pub mac: String,
    /// The host that it is on.
    pub vtep: IpAddr,
    /// Its IP addresses; questions for them (ARP, ND) are answered by the switch.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
}

impl VtepOrigin {
    /// The word in JSON and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Learned => "learned",
            Self::Group => "group",
        }
    }
}
