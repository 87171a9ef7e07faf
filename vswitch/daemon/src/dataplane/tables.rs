//! What the datapath has learned and counted, in the control side's terms.

use std::net::IpAddr;

use vswitch_cnm::NetworkId;
use vswitch_datapath::Totals;
use vswitch_packet::MacAddr;

use super::name::PortName;

/// Why an entry is in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Configured with an endpoint.
    Static,
    /// Given as being at another host.
    Programmed,
    /// Heard from the endpoint.
    Learned,
    /// The gateway's own.
    Gateway,
}

/// One address of a network's forwarding database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FdbRow {
    /// The network.
    pub network: NetworkId,
    /// The address.
    pub mac: MacAddr,
    /// The VLAN, 0 for none.
    pub vlan: u16,
    /// The port it is behind; `None` for the gateway's where there is no host port.
    pub port: Option<PortName>,
    /// Seconds since it was last seen; `None` where entries do not age.
    pub age: Option<u32>,
    /// Where it comes from.
    pub origin: Origin,
}

/// One neighbour of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighbourRow {
    /// The network.
    pub network: NetworkId,
    /// The IP address.
    pub ip: IpAddr,
    /// Its MAC address.
    pub mac: MacAddr,
    /// The port it is behind.
    pub port: Option<PortName>,
    /// Seconds since it was confirmed; `None` where entries do not age.
    pub age: Option<u64>,
    /// Where it comes from.
    pub origin: Origin,
}

/// The counters of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortStats {
    /// The network; none for an uplink, and for an underlay.
    pub network: Option<NetworkId>,
    /// The port.
    pub port: PortName,
    /// Its counters since it was attached.
    pub totals: Totals,
}
