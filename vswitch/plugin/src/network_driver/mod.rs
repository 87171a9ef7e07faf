//! `NetworkDriver.*`: networks and endpoints, as libnetwork asks a driver for them.

mod endpoint;
mod network;
mod options;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text;

pub use endpoint::{
    CreateEndpoint, CreateEndpointReply, EndpointInterface, EndpointRef, InterfaceName, Join,
    JoinReply, OperInfoReply, ProgramExternalConnectivity, RouteType, StaticRoute,
};
pub use network::{
    AllocateNetwork, AllocateNetworkReply, CreateNetwork, DeleteNetwork, FreeNetwork, GwAllocCheck,
    GwAllocCheckReply, IpamData,
};
pub use options::{
    ENABLE_IPV4, ENABLE_IPV6, EXPOSED_PORTS, GENERIC, INTERNAL, MAC_ADDRESS, PORT_MAP, PortBinding,
    flag, generic, port_map,
};

/// Options by key; their values are whatever the key says, see [`PORT_MAP`] and its neighbours.
pub type Options = serde_json::Map<String, Value>;

/// What the driver is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Capabilities {
    /// Whose the driver's networks are.
    #[serde(with = "text")]
    pub scope: Scope,
    /// How far they reach; as `scope` if absent.
    #[serde(default, with = "text::optional")]
    pub connectivity_scope: Option<Scope>,
    /// Whether it wants to be asked [`GwAllocCheck`].
    #[serde(default)]
    pub gw_alloc_checker: bool,
}

/// One host, or all of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// `local`: each host has its own.
    Local,
    /// `global`: the cluster's.
    Global,
}

/// Something came or went in the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Discover {
    /// 1: a node. No other type reaches a plugin.
    #[serde(default)]
    pub discovery_type: i64,
    /// Of a node: `Address`, `BindAddress` and `Self`.
    #[serde(default)]
    pub discovery_data: Value,
}
