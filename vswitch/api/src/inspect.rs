//! A network in full, in the words of `docker network inspect`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Answer to `GET /v1/networks/{network}`: the fields and the spelling of `docker network inspect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NetworkInspect {
    /// What users call it.
    pub name: String,
    /// 64 hexadecimal digits.
    pub id: String,
    /// When it was made; RFC 3339, UTC.
    pub created: Timestamp,
    /// `local`: of this host only; `global`: an overlay, which other hosts may be in.
    pub scope: String,
    /// `bridge`, `overlay`, `macvlan`, `ipvlan`, `host`, `null`, or a plugin's name.
    pub driver: String,
    /// Endpoints get IPv6 addresses.
    #[serde(rename = "EnableIPv6")]
    pub enable_ipv6: bool,
    /// Its addresses.
    #[serde(rename = "IPAM")]
    pub ipam: InspectIpam,
    /// No way out of the network.
    pub internal: bool,
    /// Driver options as given.
    pub options: BTreeMap<String, String>,
    /// Labels as given.
    pub labels: BTreeMap<String, String>,
    /// What is attached, by sandbox as the user wrote it (`web`, `/proc/7/ns/net`, `pid:7`).
    pub containers: BTreeMap<String, InspectContainer>,
    /// Of `macvlan` and `ipvlan`: the interface that leads to the physical network. Docker has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<InspectParent>,
}

/// `IPAM` of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InspectIpam {
    /// `default`: the switch's own address management; `dhcp`: a server on the physical network; `null`: no
    /// addresses.
    pub driver: String,
    /// As given to an IPAM plugin.
    pub options: BTreeMap<String, String>,
    /// One per subnet, IPv4 first.
    pub config: Vec<InspectConfig>,
}

/// One subnet of a network. As in Docker, what is not there is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InspectConfig {
    /// The subnet.
    pub subnet: IpNet,
    /// Addresses are given out of this part only.
    #[serde(rename = "IPRange", default, skip_serializing_if = "Option::is_none")]
    pub ip_range: Option<IpNet>,
    /// The router's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// Addresses in use by others, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub auxiliary_addresses: BTreeMap<String, IpAddr>,
}

/// One endpoint of a network. As in Docker, what is not there is an empty string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InspectContainer {
    /// The sandbox.
    #[serde(rename = "Name")]
    pub name: String,
    /// 64 hexadecimal digits.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// Six hexadecimal octets with colons.
    #[serde(rename = "MacAddress")]
    pub mac_address: String,
    /// With prefix length: `10.20.0.2/16`.
    #[serde(rename = "IPv4Address")]
    pub ipv4_address: String,
    /// With prefix length: `fd00::2/64`.
    #[serde(rename = "IPv6Address")]
    pub ipv6_address: String,
    /// As given when it was attached; left out if there are none. Docker has no such field.
    #[serde(rename = "Labels", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What the DHCP server gave it; none with other address management. Docker has no such field.
    #[serde(rename = "Lease", default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<InspectLease>,
}

/// The lease of one endpoint, beside its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InspectLease {
    /// Who gave the address.
    pub server: Ipv4Addr,
    /// The router that the server named first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<Ipv4Addr>,
    /// Seconds until the address has to be given up; left out for an address that was given for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
}

/// The parent of a network: what is not there, as while the interface is missing, is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InspectParent {
    /// The interface's name, without the VLAN.
    pub name: String,
    /// Whether it can carry frames.
    pub state: ParentState,
    /// Six hexadecimal octets with colons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Octets of IP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// The tag that the network's frames have on the wire, 1 to 4094; left out: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// Which frames the interface takes off the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<ParentFilter>,
}

/// Whether a parent can carry frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ParentState {
    /// It can.
    #[serde(rename = "up")]
    Up,
    /// It is up, and the other end of its cable is not.
    #[serde(rename = "no link")]
    NoLink,
    /// The host has it down.
    #[serde(rename = "down")]
    Down,
    /// The host has no interface of that name.
    #[serde(rename = "missing")]
    Missing,
}

/// How a parent is told which frames from the wire are for endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ParentFilter {
    /// The interface takes frames for the endpoints' MAC addresses, each of which it was told.
    #[serde(rename = "unicast")]
    Unicast,
    /// It takes all frames: it has no room for the addresses, or a network wants all (`passthru`).
    #[serde(rename = "promiscuous")]
    Promiscuous,
    /// Endpoints have the interface's own MAC address on the wire.
    #[serde(rename = "shared MAC")]
    SharedMac,
}
