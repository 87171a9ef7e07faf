//! What is refused of networks on a NIC.

use std::net::{IpAddr, Ipv4Addr};

use vswitch_packet::{MacAddr, VlanId};

use crate::driver::DriverName;

/// What does not go with networks on a NIC.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LanError {
    /// The host has no such interface.
    #[error("parent {parent} not found; {}", there_are(.known))]
    UnknownParent {
        /// The name given.
        parent: String,
        /// The interfaces that could be meant.
        known: Vec<String>,
    },
    /// The switch made it.
    #[error("parent {parent} is an interface of the switch itself; give a NIC of the host")]
    OwnParent {
        /// The interface.
        parent: String,
    },
    /// No Ethernet frame could be sent from it.
    #[error("parent {parent} is no Ethernet interface; give one that has a MAC address")]
    NotEthernet {
        /// The interface.
        parent: String,
    },
    /// The parent's name is that of a VLAN, and another was given.
    #[error(
        "option vlan={vlan} does not go with parent={parent}, which is another VLAN; leave one of the two out"
    )]
    OtherVlan {
        /// The VLAN given.
        vlan: VlanId,
        /// The parent given.
        parent: String,
    },
    /// What only a wire makes sense of.
    #[error("{what} needs a parent; add -o parent=NIC")]
    NoParent {
        /// What was asked for.
        what: &'static str,
    },
    /// Networks are where a network wants to be alone.
    #[error(
        "mode passthru has {place} to itself, and network {network} is there; choose another parent, or \
         remove {network}"
    )]
    PlaceInUse {
        /// The parent, or the VLAN on it.
        place: String,
        /// A network there.
        network: String,
    },
    /// Another network is there alone.
    #[error(
        "network {network} has {place} to itself, as its mode is passthru; choose another parent, or remove \
         {network}"
    )]
    PlaceTaken {
        /// The parent, or the VLAN on it.
        place: String,
        /// The network there.
        network: String,
    },
    /// There is one endpoint at most.
    #[error(
        "network {network} has one endpoint, as its mode is passthru, and {holder} has it; detach \
         that first"
    )]
    SecondEndpoint {
        /// The network's name.
        network: String,
        /// Who is attached: the sandbox, or the endpoint's id.
        holder: String,
    },
    /// The host's port would have no address.
    #[error("option host_access=true: the host has no address {place}; {hint}")]
    NoHostAddress {
        /// Where it should have one.
        place: String,
        /// What to do.
        hint: &'static str,
    },
    /// Nobody could be asked.
    #[error(
        "--ipam dhcp is for networks on a NIC, and driver {driver} makes none; leave it out, or choose \
         driver macvlan"
    )]
    DhcpDriver {
        /// The driver.
        driver: DriverName,
    },
    /// The DHCP server decides it.
    #[error(
        "{what} is given, but with --ipam dhcp the DHCP server chooses; leave one of the two out"
    )]
    DhcpChooses {
        /// What was given.
        what: &'static str,
    },
    /// There is nothing to lease.
    #[error("--ipam dhcp is for IPv4, which is disabled; leave one of the two out")]
    DhcpWithoutIpv4,
    /// IPv6 addresses would be of the parent's MAC address, and not be known here.
    #[error(
        "--ipv6 with --ipam dhcp is for endpoints that have a MAC address of their own on the wire; use driver \
         macvlan without mac_nat, or give an IPv6 subnet without --ipam dhcp"
    )]
    SlaacShared,
    /// Routed endpoints send no broadcasts.
    #[error(
        "--ipam dhcp does not go with ipvlan mode l3, which carries no broadcasts; give --subnet, or use l2"
    )]
    DhcpRouted,
    /// The endpoint's address is not for the user to choose.
    #[error("address {address} cannot be chosen on network {network}: {chooser}; leave it out")]
    AddressChosen {
        /// The address asked for.
        address: IpAddr,
        /// The network's name.
        network: String,
        /// Who chooses.
        chooser: &'static str,
    },
    /// The host has the address.
    #[error("address {address} is the host's own on the parent; choose another")]
    HostAddress {
        /// The address.
        address: IpAddr,
    },
    /// A DHCP server lent the address to another endpoint on the same link.
    #[error("address {address} is leased to {holder} on network {network}; choose another")]
    Leased {
        /// The address.
        address: IpAddr,
        /// Who has it: the sandbox, or the endpoint's id.
        holder: String,
        /// On which network.
        network: String,
    },
    /// The interface has the parent's MAC address.
    #[error("endpoints of network {network} have the parent's MAC address; leave --mac out")]
    MacShared {
        /// The network's name.
        network: String,
    },
    /// Frames for the endpoint would be the host's.
    #[error("MAC address {mac} is the parent's own; choose another")]
    ParentMac {
        /// The address.
        mac: MacAddr,
    },
    /// There is no router on the link.
    #[error(
        "gateway {gateway} is given, but ipvlan mode l3 has none: endpoints send everything to the host; \
         leave it out"
    )]
    RoutedGateway {
        /// The gateway.
        gateway: IpAddr,
    },
    /// The network's addresses come from its subnets.
    #[error("network {network} has no leased addresses; make one with --ipam dhcp")]
    NotLeased {
        /// The network's name.
        network: String,
    },
    /// No interface can have what the server lent.
    #[error(
        "DHCP server {server} lent {address}/{prefix_len}, which no interface can have; look at its \
         configuration"
    )]
    LeaseUnusable {
        /// The server.
        server: Ipv4Addr,
        /// The address.
        address: Ipv4Addr,
        /// The prefix length.
        prefix_len: u8,
    },
    /// The address is in use on the same link.
    #[error(
        "DHCP server {server} lent {address}, which is {holder}; keep its range apart from addresses of \
         other networks"
    )]
    LeaseTaken {
        /// The server.
        server: Ipv4Addr,
        /// The address.
        address: Ipv4Addr,
        /// What it is already.
        holder: String,
    },
    /// The network is not on a NIC.
    #[error("network {network} is of driver {driver} and has no parent; make one with -d macvlan")]
    NotOnParent {
        /// The network's name.
        network: String,
        /// Its driver.
        driver: DriverName,
    },
    /// A stored record that no version writes.
    #[error("network {network} needs a record of its parent, as its options have it")]
    PlaceRecord {
        /// The network's name.
        network: String,
    },
    /// A stored record that no version writes.
    #[error("endpoint {endpoint} needs the address of its lease, and no other")]
    LeaseRecord {
        /// The endpoint's id, shortened.
        endpoint: String,
    },
}

fn there_are(known: &[String]) -> String {
    match known {
        [] => "this host has no Ethernet interface".to_owned(),
        _ => format!("this host has {}", known.join(", ")),
    }
}
