//! LANs: stations on a physical network.

mod physical;

mod announcement;
mod changes;
mod conservation;
mod host_port;
mod internal;
mod managed_dhcp;
mod modes;
mod mtu;
mod passthru;
mod shared_mac;
mod spoofing;
mod tags;
mod trains;
mod translated;
mod wire_errors;
