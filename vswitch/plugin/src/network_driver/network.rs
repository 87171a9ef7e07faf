//! Networks.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Options;
use crate::text;

/// Makes a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateNetwork {
    /// 64 hex digits; never empty.
    #[serde(rename = "NetworkID", deserialize_with = "text::id")]
    pub network_id: String,
    /// Under [`GENERIC`](super::GENERIC) the user's own, beside it libnetwork's.
    #[serde(default)]
    pub options: Options,
    /// Pools of IPv4, mostly one.
    #[serde(default, rename = "IPv4Data")]
    pub ipv4_data: Vec<IpamData>,
    /// Pools of IPv6.
    #[serde(default, rename = "IPv6Data")]
    pub ipv6_data: Vec<IpamData>,
}

/// What IPAM gave to a network. Absent fields are left out, as libnetwork does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct IpamData {
    /// The address space's name.
    #[serde(default)]
    pub address_space: String,
    /// The subnet; 0.0.0.0/0 from Docker's `null` IPAM driver.
    #[serde(
        default,
        with = "text::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub pool: Option<IpNet>,
    /// The gateway's address, with the subnet's prefix length.
    #[serde(
        default,
        with = "text::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub gateway: Option<IpNet>,
    /// Addresses that nobody gets, by name, with the subnet's prefix length.
    #[serde(
        default,
        with = "text::by_name",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub aux_addresses: BTreeMap<String, IpNet>,
}

/// Removes a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteNetwork {
    /// Never empty.
    #[serde(rename = "NetworkID", deserialize_with = "text::id")]
    pub network_id: String,
}

/// Asks, before any address is chosen, whether the network needs a gateway's at all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GwAllocCheck {
    /// As in [`CreateNetwork`].
    #[serde(default)]
    pub options: Options,
}

/// The answer to [`GwAllocCheck`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GwAllocCheckReply {
    /// Needs no IPv4 gateway.
    #[serde(default, rename = "SkipIPv4")]
    pub skip_ipv4: bool,
    /// Needs no IPv6 gateway.
    #[serde(default, rename = "SkipIPv6")]
    pub skip_ipv6: bool,
}

/// Swarm's manager chooses what all hosts of a global network must agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AllocateNetwork {
    /// Never empty.
    #[serde(rename = "NetworkID", deserialize_with = "text::id")]
    pub network_id: String,
    /// The user's.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// As in [`CreateNetwork`].
    #[serde(default, rename = "IPv4Data")]
    pub ipv4_data: Vec<IpamData>,
    /// As in [`CreateNetwork`].
    #[serde(default, rename = "IPv6Data")]
    pub ipv6_data: Vec<IpamData>,
}

/// The answer to [`AllocateNetwork`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AllocateNetworkReply {
    /// Given to each host's [`CreateNetwork`].
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// The reverse of [`AllocateNetwork`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FreeNetwork {
    /// Never empty.
    #[serde(rename = "NetworkID", deserialize_with = "text::id")]
    pub network_id: String,
}
