//! Switch ports: what the datapath knows of an endpoint's TAP.

use std::sync::Arc;

use vswitch_packet::{Capabilities, MacAddr, VlanId};

use crate::bridge::BridgeId;
use crate::counters::PortCounters;
use crate::identity::Identity;
use crate::lan::Station;
use crate::storm::StormLimit;
use crate::tunnel::Tunnel;

/// A port's place in the [`crate::Topology`]; reused after the port is gone and forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId(pub u32);

/// What is behind a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A container's interface.
    Endpoint,
    /// The TAP in the host's namespace that holds the gateway addresses.
    Host,
    /// A NIC of the host that leads outside.
    Uplink,
    /// The sockets that datagrams of tunnels come in by and leave by.
    Underlay,
    /// Another host, at the other end of a tunnel.
    Tunnel,
    /// A NIC of the host that LANs are on.
    Parent,
}

/// One port, as configured.
#[derive(Clone, Debug)]
pub struct Port {
    /// Its place.
    pub id: PortId,
    /// The bridge it belongs to; none for an uplink, which is the router's alone,
    /// for an underlay, and for a parent.
    pub bridge: Option<BridgeId>,
    /// What is behind it.
    pub role: Role,
    /// The address of the interface behind it.
    pub mac: MacAddr,
    /// The longest packet its interface takes, octets without the Ethernet header; see [`Port::mtu`].
    pub mtu: u16,
    /// Which unfinished work it takes.
    pub capabilities: Capabilities,
    /// An access port: untagged frames belong to this VLAN, and only its frames come out.
    pub vlan: Option<VlanId>,
    /// Does not talk to other isolated ports.
    pub isolated: bool,
    /// The only addresses it may send from.
    pub identity: Option<Identity>,
    /// How many frames a second it may have flooded.
    pub storm: Option<Arc<StormLimit>>,
    /// Where its frames travel to in datagrams, and how.
    pub tunnel: Option<Box<Tunnel>>,
    /// What it is on its bridge's LAN, if that is on one.
    pub station: Option<Box<Station>>,
    /// Its counters.
    pub counters: Arc<PortCounters>,
}

impl Port {
    /// The longest packet it takes at present, octets without the Ethernet header.
    #[inline]
    #[must_use]
    pub fn mtu(&self) -> u16 {
        match &self.tunnel {
            None => self.mtu,
            Some(tunnel) => self.mtu.min(tunnel.path.inner_mtu()),
        }
    }
}
