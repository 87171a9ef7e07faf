//! `IpamDriver.*`: pools and addresses, as libnetwork asks an IPAM driver for them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::text;

/// Key in [`RequestAddress::options`] for what the address is for.
pub const ADDRESS_TYPE: &str = "RequestAddressType";

/// Value of [`ADDRESS_TYPE`]: the gateway's. Also the key in [`RequestPoolReply::data`] for a gateway
/// that the driver chose, as a CIDR.
pub const GATEWAY: &str = "com.docker.network.gateway";

/// Key in [`RequestAddress::options`] for the endpoint's MAC address, if the driver
/// [wants it](Capabilities::requires_mac_address).
pub const MAC_ADDRESS: &str = "com.docker.network.endpoint.macaddress";

/// Key in [`RequestAddress::options`]: `true` to have addresses one after the other.
pub const SERIAL: &str = "com.docker.network.ipam.serial";

/// What the driver needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Capabilities {
    /// The endpoint's MAC address with each request of an address.
    #[serde(default, rename = "RequiresMACAddress")]
    pub requires_mac_address: bool,
    /// All requests again when the engine starts.
    #[serde(default)]
    pub requires_request_replay: bool,
}

/// Names for [`RequestPool::address_space`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AddressSpaces {
    /// For networks of one host.
    #[serde(default)]
    pub local_default_address_space: String,
    /// For networks of a cluster.
    #[serde(default)]
    pub global_default_address_space: String,
}

/// Asks for a pool.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RequestPool {
    /// In which address space.
    #[serde(default)]
    pub address_space: String,
    /// This very subnet; else any that overlaps nothing.
    #[serde(default, with = "text::optional")]
    pub pool: Option<IpNet>,
    /// The part of it to take addresses from when none is named.
    #[serde(default, with = "text::optional")]
    pub sub_pool: Option<IpNet>,
    /// The user's (`--ipam-opt`).
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// IPv6, where no pool is named.
    #[serde(default)]
    pub v6: bool,
}

/// The answer to [`RequestPool`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RequestPoolReply {
    /// The driver's own name for it.
    #[serde(default, rename = "PoolID")]
    pub pool_id: String,
    /// The subnet.
    #[serde(with = "text")]
    pub pool: IpNet,
    /// More about it: [`GATEWAY`].
    #[serde(default)]
    pub data: BTreeMap<String, String>,
}

/// Gives a pool back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReleasePool {
    /// As in [`RequestPoolReply`].
    #[serde(rename = "PoolID", deserialize_with = "text::id")]
    pub pool_id: String,
}

/// Asks for an address of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RequestAddress {
    /// As in [`RequestPoolReply`].
    #[serde(rename = "PoolID", deserialize_with = "text::id")]
    pub pool_id: String,
    /// This very address; else any.
    #[serde(default, with = "text::optional")]
    pub address: Option<IpAddr>,
    /// [`ADDRESS_TYPE`], [`MAC_ADDRESS`], [`SERIAL`].
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// The answer to [`RequestAddress`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RequestAddressReply {
    /// With the pool's prefix length. libnetwork takes none for an error.
    #[serde(default, with = "text::optional")]
    pub address: Option<IpNet>,
    /// More about it.
    #[serde(default)]
    pub data: BTreeMap<String, String>,
}

/// Gives an address back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReleaseAddress {
    /// As in [`RequestPoolReply`].
    #[serde(rename = "PoolID", deserialize_with = "text::id")]
    pub pool_id: String,
    /// Which; libnetwork writes an empty string if it has none to give back.
    #[serde(default, with = "text::optional")]
    pub address: Option<IpAddr>,
}
