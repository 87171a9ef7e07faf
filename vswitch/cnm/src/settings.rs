//! Typed settings: what the model is told, and what it tells the data path.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_ipam::DefaultPools;
use vswitch_packet::{MacAddr, VlanId};

use crate::gateway::NextHop;
use crate::id::{EndpointId, NetworkId, SegmentId};
use crate::lan::{L3Settings, LanSettings};
use crate::overlay::OverlaySettings;
use crate::policy::Policy;
use crate::publish::{PortRange, PublishedPort};
use crate::sandbox::NetnsId;

/// What holds for all networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where subnets come from when none is given.
    pub default_pools: DefaultPools,
    /// The MTU of networks without `com.docker.network.driver.mtu`, in bytes.
    pub default_mtu: u16,
    /// The host's own namespace, if known: a sandbox that turns out to be it is refused.
    pub host_netns: Option<NetnsId>,
    /// Where ports of the host come from that nobody chose.
    pub ephemeral_ports: PortRange,
    /// The host's address ports are published on where neither the user nor the network says; `None`, as
    /// 0.0.0.0, is all of both families.
    pub default_publish_address: Option<IpAddr>,
    /// When the predefined networks came to be, in seconds since 1970 UTC: the daemon's start.
    pub started: u64,
}

/// How a network's segment is to be switched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeSettings {
    /// The network.
    pub network: NetworkId,
    /// Which of its segments.
    pub segment: u8,
    /// Its name.
    pub name: String,
    /// The addresses the router owns, with the prefix length of their subnet; empty without gateway of ours.
    pub gateways: Vec<IpNet>,
    /// The router's link-layer address; without gateway of ours, the host port's.
    pub gateway_mac: MacAddr,
    /// The name of the host port's interface; `None` if the router owns no address, and the host is on no
    /// port of its own.
    pub host_port: Option<String>,
    /// Whether endpoints may reach each other.
    pub icc: bool,
    /// Whether there is no way out.
    pub internal: bool,
    /// Of the host port and the endpoints' interfaces, in bytes.
    pub mtu: u16,
    /// How long a learned address is kept, in seconds.
    pub ageing_secs: u32,
    /// How many addresses are learned at most.
    pub fdb_limit: u32,
    /// Whether multicast goes only where it was asked for (RFC 4541).
    pub snooping: bool,
    /// Whether interfaces are offered segmentation and checksum offload.
    pub offload: bool,
    /// What may cross the gateway.
    pub policy: Policy,
    /// How it reaches other hosts; `None` if it does not.
    pub overlay: Option<OverlaySettings>,
    /// Where on the physical network it is; `None` if it is not on one.
    pub lan: Option<LanSettings>,
    /// How it is routed behind a NIC without a gateway's address; `None` if it is not.
    pub l3: Option<L3Settings>,
}

/// How an endpoint's port is to be switched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSettings {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Its network.
    pub network: NetworkId,
    /// Which of the network's segments it is on.
    pub segment: u8,
    /// The interface's name in the sandbox; the TAP's in the host's namespace without one.
    pub ifname: String,
    /// The endpoint's link-layer address. The interface's too, unless endpoints share the parent's.
    pub mac: MacAddr,
    /// The interface's addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// Routes of the interface beside those of its own subnets: where to, and by which next hop.
    pub routes: Vec<(IpNet, NextHop)>,
    /// Whether frames must come from `mac` and `addresses`.
    pub anti_spoof: bool,
    /// Whether IPv6 addresses are the endpoint's own choice (SLAAC), so that `addresses` has none and none
    /// can be checked.
    pub slaac: bool,
    /// The access VLAN.
    pub vlan: Option<VlanId>,
    /// How many broadcast, multicast and unknown unicast frames a second it may send.
    pub storm_pps: Option<u32>,
    /// In bytes.
    pub mtu: u16,
    /// Whether it is kept from other isolated ports of the network: the opposite of icc.
    pub isolated: bool,
    /// Published ports.
    pub published: Vec<PublishedPort>,
    /// Whether it is on a physical network.
    pub lan: bool,
}

impl BridgeSettings {
    /// The segment.
    #[must_use]
    pub const fn id(&self) -> SegmentId {
        SegmentId {
            network: self.network,
            index: self.segment,
        }
    }
}

impl PortSettings {
    /// The segment.
    #[must_use]
    pub const fn segment_id(&self) -> SegmentId {
        SegmentId {
            network: self.network,
            index: self.segment,
        }
    }
}

/// Docker's default, Ethernet's payload.
const DEFAULT_MTU: u16 = 1500;

impl Default for Settings {
    /// Docker's defaults; every host has the same unique local prefix, so the daemon should set its own.
    fn default() -> Self {
        Self {
            default_pools: DefaultPools::docker(0),
            default_mtu: DEFAULT_MTU,
            host_netns: None,
            ephemeral_ports: PortRange::EPHEMERAL,
            default_publish_address: None,
            started: 0,
        }
    }
}
