//! What the kernel does, against what this crate says it does. Needs root; leaves the machine untouched.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a surprise is a failed test"
)]

mod divert;
mod lab;
mod link;
mod local_delivery;
mod membership;
mod monitor;
mod netlink;
mod netns;
mod packet_socket;
mod station_filter;
mod super_frame;
mod sysctl;
mod tap;
mod tap_lifetime;
mod udp_tunnel;
mod udp_tunnel_errors;
mod udp_tunnel_group;
mod uplink;
mod uplink_socket;
mod vlan;
mod vlan_super_frame;
