//! What is refused of networks that span hosts.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_packet::MacAddr;

use crate::driver::DriverName;

/// What does not go with networks that span hosts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OverlayError {
    /// Only overlay networks have peers.
    #[error(
        "network {network} is of driver {driver} and does not span hosts; make one with -d overlay"
    )]
    NotSpanning {
        /// The network's name.
        network: String,
        /// Its driver.
        driver: DriverName,
    },
    /// The default IPv6 subnets are of this host alone.
    #[error(
        "network {name} spans hosts, and the default IPv6 subnets differ between them; give --subnet with \
         an address, the same on each host"
    )]
    DefaultIpv6 {
        /// The network's name.
        name: String,
    },
    /// Two networks of a host cannot have the same number.
    #[error("VNI {vni} is in use by network {network} on UDP port {port}; choose another")]
    VniTaken {
        /// The number.
        vni: u32,
        /// The UDP port.
        port: u16,
        /// The network that has it.
        network: String,
    },
    /// Each number is in use.
    #[error("no VNI is free on UDP port {port}; choose another port")]
    VnisExhausted {
        /// The UDP port.
        port: u16,
    },
    /// A stored record that no version writes.
    #[error("network {network} needs a VNI for each of its segments, each another")]
    VniRecord {
        /// The network's name.
        network: String,
    },
    /// The address cannot be a peer's.
    #[error("network {network}: {source}")]
    Peer {
        /// The network's name.
        network: String,
        /// Why it cannot.
        source: PeerError,
    },
    /// Nobody named this peer.
    #[error(
        "{peer} was not given as a peer of network {network}; `vsctl vtep list {network}` shows those there are"
    )]
    PeerNotFound {
        /// The address.
        peer: IpAddr,
        /// The network's name.
        network: String,
    },
    /// What is remote is at a peer.
    #[error(
        "{vtep} was not given as a peer of network {network}; `vsctl vtep add {network} {vtep}` makes it one"
    )]
    RemoteWithoutPeer {
        /// The address.
        vtep: IpAddr,
        /// The network's name.
        network: String,
    },
    /// Nobody named this address.
    #[error(
        "MAC address {mac} was not given as a remote one of network {network}; `vsctl remote list \
         {network}` shows those there are"
    )]
    RemoteNotFound {
        /// The address.
        mac: MacAddr,
        /// The network's name.
        network: String,
    },
}

/// Why an address cannot be a peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// No other host answers at such an address.
    #[error("{peer} is {what}; give the address of another host")]
    Unusable {
        /// The address.
        peer: IpAddr,
        /// What it is.
        what: &'static str,
    },
    /// It is where the tunnels begin.
    #[error("{peer} is the local end of the tunnels; give the addresses of other hosts")]
    Local {
        /// The address.
        peer: IpAddr,
    },
    /// It is a peer as it is.
    #[error("{peer} is a peer already; leave it out")]
    Twice {
        /// The address.
        peer: IpAddr,
    },
    /// The tunnels go over IPv4 or IPv6.
    #[error(
        "{peer} and {other} are of different families, and the tunnels of a network go over one; give \
         addresses of the same"
    )]
    Family {
        /// The address.
        peer: IpAddr,
        /// The local end, the group or another peer.
        other: IpAddr,
    },
    /// The way there would lead through the tunnel itself.
    #[error(
        "{peer} is in the network's own subnet {subnet}; give the address that the host has outside of it"
    )]
    Inside {
        /// The address.
        peer: IpAddr,
        /// The subnet.
        subnet: IpNet,
    },
}
