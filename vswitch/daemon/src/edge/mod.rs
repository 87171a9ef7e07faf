//! The Linux edge: what the kernel is told so that an endpoint or a host port is there.
//!
//! Everything here runs on the control thread, which stays in the host's namespace. What has to
//! happen inside a sandbox happens through a [`Namespace`].

mod default_route;
mod error;
mod guest;
mod host;
mod host_port;
mod interface;
mod namespace;
mod reattach;
mod sandbox;

pub use default_route::{DefaultRoute, set_default_routes};
pub use error::EdgeError;
pub use guest::{Guest, GuestMark};
pub use host::{addresses, interface_of, occupied_routes, underlay_mtu, uplink_mtu};
pub use host_port::{HostPort, route_stations};
pub use interface::{Interface, Ipv6, adjust, remove_interface, replace_addresses, unqueue};
pub use namespace::Namespace;
pub use reattach::{Adopted, Survey, survey};
pub use sandbox::{SandboxError, is_there, living, open};
