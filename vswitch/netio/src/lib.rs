//! The Linux edge: everything that touches the kernel, as thin and typed as it can be.
//!
//! Interfaces ([`tap`], [`packet_socket`]) and tunnels to other hosts ([`udp_tunnel`]), where they live
//! ([`netns`]), how they are configured ([`netlink`], [`sysctl`]) and watched ([`monitor`]), how addresses and
//! ports are shared with the host's kernel ([`divert`], [`sockets`], [`ephemeral_ports`], [`local_delivery`]),
//! which frames of a NIC concern a LAN ([`station_filter`]),
//! what outlives the process ([`ledger`]), and what a worker thread needs ([`epoll`], [`wake`], [`thread`],
//! [`clock`]). Nothing here decides anything; no other crate of the workspace holds `unsafe` code.
//!
//! Whatever opens a socket or a device does so in the network namespace of the *calling thread*.
//! [`netns::Netns::run`] is the way to be in another one.

pub mod bpf;
pub mod clock;
pub mod divert;
pub mod ephemeral_ports;
pub mod epoll;
pub mod interface_name;
pub mod ledger;
pub mod local_delivery;
mod mapping;
mod message;
pub mod monitor;
pub mod netlink;
pub mod netns;
pub mod packet_socket;
mod socket_option;
pub mod sockets;
pub mod station_filter;
pub mod sysctl;
pub mod tap;
pub mod thread;
pub mod transport_protocol;
pub mod udp_tunnel;
pub mod wake;

pub use interface_name::InterfaceName;
pub use transport_protocol::TransportProtocol;
