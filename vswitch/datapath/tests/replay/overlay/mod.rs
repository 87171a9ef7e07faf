//! Segments that reach other hosts by tunnels (RFC 7348).

mod peers;

mod announcement;
mod congestion;
mod conservation;
mod crossing;
mod entropy;
mod fragments;
mod gateway;
mod header;
mod inner_vlan;
mod joined_arrivals;
mod learning;
mod mtu;
mod neighbours;
mod replication;
mod routing;
mod send_errors;
mod senders;
mod snooping;
mod super_frames;
mod suppression;
mod trains;
mod two_hosts;
