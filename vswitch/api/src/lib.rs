//! The API of `vswitchd`: what goes over its unix socket, and a client for it.
//!
//! HTTP and JSON under `/v1`. Success is a 2xx status with the type named below as its body; anything
//! else is a fitting status with an [`ErrorBody`]. Names, ids and sandbox keys that stand in a path or
//! a query are percent-encoded.
//!
//! | request | body or query | answer |
//! |---|---|---|
//! | `GET /v1/networks` | | `[NetworkSummary]` |
//! | `POST /v1/networks` | [`NetworkCreate`] | 201 [`NetworkCreated`] |
//! | `GET /v1/networks/{network}` | | [`NetworkInspect`] |
//! | `DELETE /v1/networks/{network}` | [`RemoveNetworkQuery`] | 204 |
//! | `POST /v1/networks/{network}/endpoints` | [`Attach`] | 201 [`Endpoint`] |
//! | `DELETE /v1/networks/{network}/endpoints` | [`DetachQuery`] | 204 |
//! | `POST /v1/networks/{network}/endpoints/{sandbox}/publish` | [`Publish`] | `[PublishedPort]` |
//! | `POST /v1/networks/{network}/endpoints/{sandbox}/unpublish` | [`Publish`] | `[PublishedPort]` |
//! | `POST /v1/networks/{network}/vteps` | [`VtepCreate`] | 201, no body |
//! | `DELETE /v1/networks/{network}/vteps/{address}` | | 204 |
//! | `POST /v1/networks/{network}/remotes` | [`Remote`] | 201, no body |
//! | `DELETE /v1/networks/{network}/remotes/{mac}` | | 204 |
//! | `GET /v1/sandboxes` | | `[Sandbox]` |
//! | `POST /v1/sandboxes` | [`SandboxCreate`] | 201 [`Sandbox`] |
//! | `GET /v1/sandboxes/{sandbox}` | | [`Sandbox`] |
//! | `DELETE /v1/sandboxes/{sandbox}` | | 204 |
//! | `GET /v1/fdb` | [`NetworkQuery`] | `[FdbEntry]` |
//! | `GET /v1/neighbours` | [`NetworkQuery`] | `[NeighbourEntry]` |
//! | `GET /v1/ports` | [`NetworkQuery`] | `[PublishedPort]` |
//! | `GET /v1/vteps` | [`NetworkQuery`] | `[Vtep]` |
//! | `GET /v1/remotes` | [`NetworkQuery`] | `[Remote]` |
//! | `GET /v1/leases` | [`NetworkQuery`] | `[Lease]` |
//! | `GET /v1/conntrack` | [`ConntrackQuery`] | `[Session]` |
//! | `DELETE /v1/conntrack` | [`FlushQuery`] | 204 |
//! | `GET /v1/conntrack/stats` | | [`NatStats`] |
//! | `GET /v1/routes` | | `[RouteEntry]` |
//! | `GET /v1/stats` | [`StatsQuery`] | `[PortStats]` |
//! | `GET /v1/version` | | [`Version`] |
//!
//! Requests refuse fields they do not know, so that a misspelt one is an error and not a default.
//! Answers may gain fields.

#![forbid(unsafe_code)]

pub mod client;
mod conntrack;
mod endpoint;
mod error_body;
mod fdb;
mod inspect;
mod lease;
mod neighbour;
mod network;
mod port;
mod port_range;
mod publish;
mod route;
mod sandbox;
mod stats;
mod version;
mod vtep;

pub use client::{Client, ClientError};
pub use conntrack::{
    ConntrackQuery, FlushQuery, NatStats, ProtocolError, Session, SessionProtocol, SessionState,
};
pub use endpoint::{Attach, DetachQuery, Endpoint};
pub use error_body::{ErrorBody, ErrorDetail};
pub use fdb::{EntryOrigin, FdbEntry};
pub use inspect::{
    InspectConfig, InspectContainer, InspectIpam, InspectLease, InspectParent, NetworkInspect,
    ParentFilter, ParentState,
};
/// A point in time; RFC 3339 as text.
pub use jiff::Timestamp;
pub use lease::{Lease, LeaseState};
pub use neighbour::NeighbourEntry;
pub use network::{
    NetworkCreate, NetworkCreated, NetworkQuery, NetworkSummary, RemoveNetworkQuery,
};
pub use port::Port;
pub use port_range::{PortRange, PortRangeError};
pub use publish::{PortBinding, Publish, PublishedPort};
pub use route::{RouteEntry, RouteKind, RouteOrigin};
pub use sandbox::{Sandbox, SandboxCreate};
pub use stats::{PortStats, StatsQuery, Traffic};
pub use version::Version;
pub use vtep::{Remote, Vtep, VtepCreate, VtepOrigin};

/// Where the daemon listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/vswitch/vswitchd.sock";

/// The environment variable that names another socket, for the daemon and its clients alike.
pub const SOCKET_VARIABLE: &str = "VSWITCH_SOCKET";
