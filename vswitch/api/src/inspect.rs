//! A network in full, in the words of `docker network inspect`.

use std::collections::BTreeMap;
use std::net::IpAddr;

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
    /// `bridge`, `overlay`, `host`, `null`.
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
}

/// `IPAM` of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InspectIpam {
    /// `default`: the switch's own address management; `null`: no addresses.
    pub driver: String,
    /// None are known.
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
}
