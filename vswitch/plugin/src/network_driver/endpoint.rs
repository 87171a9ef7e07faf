//! Endpoints.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use vswitch_packet::MacAddr;

use super::Options;
use crate::text;

/// Makes an endpoint, which is in no sandbox yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateEndpoint {
    /// Never empty.
    #[serde(rename = "NetworkID", deserialize_with = "text::id")]
    pub network_id: String,
    /// 64 hex digits; never empty.
    #[serde(rename = "EndpointID", deserialize_with = "text::id")]
    pub endpoint_id: String,
    /// What is settled; the driver may choose the rest.
    #[serde(default)]
    pub interface: Option<EndpointInterface>,
    /// Ports, and the attachment's own driver options.
    #[serde(default)]
    pub options: Options,
}

/// The addresses of an endpoint. Absent ones are empty strings, as libnetwork writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EndpointInterface {
    /// IPv4, with the subnet's prefix length.
    #[serde(default, with = "text::optional")]
    pub address: Option<IpNet>,
    /// IPv6, with the subnet's prefix length.
    #[serde(default, with = "text::optional", rename = "AddressIPv6")]
    pub address_ipv6: Option<IpNet>,
    /// The interface's.
    #[serde(default, with = "text::optional")]
    pub mac_address: Option<MacAddr>,
}

/// The answer to [`CreateEndpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateEndpointReply {
    /// What the driver chose. libnetwork refuses what the request had already.
    #[serde(default)]
    pub interface: Option<EndpointInterface>,
}

/// An endpoint of a network: the request of `DeleteEndpoint`, `Leave`, `EndpointOperInfo` and
/// `RevokeExternalConnectivity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EndpointRef {
    /// Never empty.
    #[serde(rename = "NetworkID", deserialize_with = "text::id")]
    pub network_id: String,
    /// Never empty.
    #[serde(rename = "EndpointID", deserialize_with = "text::id")]
    pub endpoint_id: String,
}

/// The answer to `EndpointOperInfo`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OperInfoReply {
    /// Whatever the driver tells of the endpoint.
    #[serde(default)]
    pub value: Options,
}

/// Puts an endpoint into a sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Join {
    /// Never empty.
    #[serde(rename = "NetworkID", deserialize_with = "text::id")]
    pub network_id: String,
    /// Never empty.
    #[serde(rename = "EndpointID", deserialize_with = "text::id")]
    pub endpoint_id: String,
    /// Path of the network namespace, which need not be there yet.
    #[serde(default)]
    pub sandbox_key: String,
    /// The sandbox's: ports.
    #[serde(default)]
    pub options: Options,
}

/// The answer to [`Join`]: what the engine does in the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct JoinReply {
    /// Which interface moves into it.
    #[serde(default)]
    pub interface_name: InterfaceName,
    /// IPv4's default route.
    #[serde(default, with = "text::optional")]
    pub gateway: Option<IpAddr>,
    /// IPv6's default route.
    #[serde(default, with = "text::optional", rename = "GatewayIPv6")]
    pub gateway_ipv6: Option<IpAddr>,
    /// Further routes.
    #[serde(default)]
    pub static_routes: Vec<StaticRoute>,
    /// Whether a sandbox without gateway stays without: else Docker puts it on `docker_gwbridge`.
    #[serde(default)]
    pub disable_gateway_service: bool,
}

/// An interface that moves from the host's namespace to a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InterfaceName {
    /// Its name before; empty if there is none to move.
    #[serde(default)]
    pub src_name: String,
    /// Its name after; libnetwork ignores it.
    #[serde(default)]
    pub dst_name: String,
    /// Else its name after is this and the lowest number that is free.
    #[serde(default)]
    pub dst_prefix: String,
}

/// A route of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StaticRoute {
    /// Whereto.
    #[serde(with = "text")]
    pub destination: IpNet,
    /// How.
    #[serde(default)]
    pub route_type: RouteType,
    /// Through whom, for [`RouteType::NextHop`].
    #[serde(default, with = "text::optional")]
    pub next_hop: Option<IpAddr>,
}

/// How a destination is reached; a number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub enum RouteType {
    /// 0: through a router.
    #[default]
    NextHop,
    /// 1: directly, on the interface.
    Connected,
}

/// Publishes the endpoint's ports: it is its sandbox's way outside now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProgramExternalConnectivity {
    /// Never empty.
    #[serde(rename = "NetworkID", deserialize_with = "text::id")]
    pub network_id: String,
    /// Never empty.
    #[serde(rename = "EndpointID", deserialize_with = "text::id")]
    pub endpoint_id: String,
    /// As in [`Join`].
    #[serde(default)]
    pub options: Options,
}

impl TryFrom<i64> for RouteType {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        match number {
            0 => Ok(Self::NextHop),
            1 => Ok(Self::Connected),
            _ => Err(format!(
                "{number} is not a route type (0: by a next hop, 1: connected)"
            )),
        }
    }
}

impl From<RouteType> for i64 {
    fn from(kind: RouteType) -> Self {
        match kind {
            RouteType::NextHop => 0,
            RouteType::Connected => 1,
        }
    }
}
