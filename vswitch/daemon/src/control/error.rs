//! Why a command was not carried out.

use std::io;
use std::net::IpAddr;

use axum::http::StatusCode;
use vswitch_cnm::ErrorKind;
use vswitch_netio::InterfaceName;
use vswitch_netio::netlink::NetlinkError;
use vswitch_netio::netns::NetnsError;
use vswitch_netio::tap::TapError;

use super::Stopped;
use crate::edge::{EdgeError, SandboxError};
use crate::leases::{AcquireError, CheckError};
use crate::plugins::PluginError;
use crate::store::StoreError;

/// Why a command was not carried out. Everything is as before then, as far as the kernel let us.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The model refuses.
    #[error(transparent)]
    Model(#[from] vswitch_cnm::Error),
    /// A text in the request is not what it should be.
    #[error("{0}")]
    Request(String),
    /// A sandbox's namespace is not there.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The kernel refuses.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// The state cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The workers refuse.
    #[error("the switch cannot take the port: {0:#}")]
    Dataplane(anyhow::Error),
    /// The sockets of tunnels are not to be had.
    #[error("cannot use UDP port {port} of {}: {}", any(.local), underlay_hint(.source))]
    Underlay {
        /// The host's address.
        local: IpAddr,
        /// The port.
        port: u16,
        /// Why not.
        source: io::Error,
    },
    /// A multicast group cannot be joined.
    #[error(
        "cannot join the group {group}: {source}; -o local= with one of the host's addresses says by which interface"
    )]
    Group {
        /// The group.
        group: IpAddr,
        /// Why not.
        source: io::Error,
    },
    /// A NIC cannot be used.
    #[error("{0:#}")]
    Parent(anyhow::Error),
    /// A NIC that a network is on is gone.
    #[error("the parent {parent} is gone: the network waits for it to come back")]
    ParentMissing {
        /// Its name.
        parent: InterfaceName,
    },
    /// A NIC that a network is on is switched off.
    #[error("the parent {parent} is down: ip link set {parent} up")]
    ParentDown {
        /// Its name.
        parent: InterfaceName,
    },
    /// The physical network refuses an address, or does not answer.
    #[error(transparent)]
    Acquire(#[from] AcquireError),
    /// An engine asks for another endpoint by the id of one that is there.
    #[error("endpoint {id} is there already, and another one than this; delete it first")]
    EndpointExists {
        /// The beginning of its id.
        id: String,
    },
    /// A plugin is not there, does not answer, or refuses.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// A driver that is neither ours nor a plugin.
    #[error("{ours}; {source}")]
    UnknownDriver {
        /// What there is of ours.
        ours: String,
        /// Where plugins were looked for.
        source: PluginError,
    },
    /// A plugin that has to be told is not there.
    #[error(
        "network {network} cannot be removed at its plugin: {source}; --force removes it here all the same"
    )]
    PluginAway {
        /// The network's name.
        network: String,
        /// Why not.
        source: PluginError,
    },
    /// Another command waits for somebody's answer about this.
    #[error("{what} is just being changed by another command: try again when that is done")]
    Unsettled {
        /// What.
        what: String,
    },
    /// A part of the command was not executed.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// An endpoint went while it was attached.
    #[error("the endpoint was detached, or its sandbox ended, while it was attached")]
    Detached,
    /// No random numbers.
    #[error("cannot draw an id: {0}")]
    Random(getrandom::Error),
    /// Statistics of what is neither network nor port.
    #[error("no network or port {0:?}: vsctl stats shows those there are")]
    NothingNamed(String),
}

impl ControlError {
    /// For programs; does not change.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Model(error) => error.code(),
            Self::Request(_) => "bad_request",
            Self::Sandbox(SandboxError::NotFound { .. }) => "sandbox_not_found",
            Self::Sandbox(SandboxError::Netns(_)) => "kernel_refused",
            Self::Edge(error) => edge_code(error),
            Self::Store(_) => "state_not_written",
            Self::Dataplane(_) => "dataplane_refused",
            Self::Underlay { .. } | Self::Group { .. } => "underlay_refused",
            Self::Parent(_) => "parent_refused",
            Self::ParentMissing { .. } => "parent_missing",
            Self::ParentDown { .. } => "parent_down",
            Self::Acquire(error) => acquire_code(error),
            Self::EndpointExists { .. } => "endpoint_exists",
            Self::Plugin(error) | Self::PluginAway { source: error, .. } => plugin_code(error),
            Self::UnknownDriver { .. } => "unknown_driver",
            Self::Unsettled { .. } => "busy",
            Self::Stopped(stopped) => stopped.code(),
            Self::Detached => "detached",
            Self::Random(_) => "internal",
            Self::NothingNamed(_) => "not_found",
        }
    }

    /// For HTTP.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Model(error) => match error.kind() {
                ErrorKind::Invalid => StatusCode::BAD_REQUEST,
                ErrorKind::Forbidden => StatusCode::FORBIDDEN,
                ErrorKind::NotFound => StatusCode::NOT_FOUND,
                ErrorKind::Conflict => StatusCode::CONFLICT,
            },
            Self::Request(_) => StatusCode::BAD_REQUEST,
            Self::Sandbox(SandboxError::NotFound { .. }) | Self::NothingNamed(_) => {
                StatusCode::NOT_FOUND
            }
            Self::Edge(error) if edge_code(error) == "interface_in_use" => StatusCode::CONFLICT,
            Self::Edge(error) if edge_code(error) == "sandbox_exists" => StatusCode::CONFLICT,
            Self::Underlay { .. }
            | Self::Group { .. }
            | Self::ParentMissing { .. }
            | Self::ParentDown { .. }
            | Self::Acquire(_)
            | Self::EndpointExists { .. }
            | Self::PluginAway { .. }
            | Self::Unsettled { .. }
            | Self::Detached => StatusCode::CONFLICT,
            Self::UnknownDriver { .. }
            | Self::Plugin(PluginError::Unplaced { .. } | PluginError::Own { .. }) => {
                StatusCode::BAD_REQUEST
            }
            Self::Plugin(_) => StatusCode::BAD_GATEWAY,
            Self::Stopped(stopped) => stopped.status(),
            Self::Sandbox(SandboxError::Netns(_))
            | Self::Edge(_)
            | Self::Store(_)
            | Self::Dataplane(_)
            | Self::Parent(_)
            | Self::Random(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

fn edge_code(error: &EdgeError) -> &'static str {
    match error {
        EdgeError::NameTaken { .. } | EdgeError::Tap(TapError::Exists { .. }) => "interface_in_use",
        EdgeError::Netns(NetnsError::Exists { .. }) => "sandbox_exists",
        EdgeError::Netns(NetnsError::NotPermitted { .. })
        | EdgeError::Netlink(NetlinkError::NotPermitted(_))
        | EdgeError::Tap(TapError::NotPermitted { .. }) => "not_permitted",
        EdgeError::Tap(TapError::NoDevice) => "no_tun",
        _ => "kernel_refused",
    }
}

const fn plugin_code(error: &PluginError) -> &'static str {
    match error {
        PluginError::Missing(_) | PluginError::Role { .. } => "plugin_not_found",
        PluginError::Own { .. } => "unknown_driver",
        PluginError::Unplaced { .. } => "address_not_in_subnet",
        _ if error.is_absence() => "plugin_away",
        _ => "plugin_refused",
    }
}

const fn acquire_code(error: &AcquireError) -> &'static str {
    match error {
        AcquireError::NoAnswer { .. } | AcquireError::NotConfirmed { .. } => "no_dhcp_answer",
        AcquireError::Conflict { .. } | AcquireError::Check(CheckError::Conflict { .. }) => {
            "address_in_use"
        }
        AcquireError::Wire(_) | AcquireError::Check(CheckError::Wire(_)) => "parent_refused",
    }
}

fn any(local: &IpAddr) -> String {
    if local.is_unspecified() {
        "this host".to_owned()
    } else {
        local.to_string()
    }
}

fn underlay_hint(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "it is in use, by a network with another -o local=, a VXLAN device of the kernel or another program; \
            choose another with -o port=, the same on all hosts"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this host has that address; choose one of them with -o local="
                .to_owned()
        }
        _ => error.to_string(),
    }
}
