//! What the control side calls a port.

use vswitch_cnm::{EndpointId, NetworkId};

/// A port, by what is behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PortName {
    /// An endpoint's interface.
    Endpoint(EndpointId),
    /// The host port of a network.
    Host(NetworkId),
    /// A NIC of the host, by its index.
    Uplink(u32),
}

/// Something happened to a port that the control side must act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortEvent {
    /// The port's device vanished: its namespace died, or somebody deleted it. Told once; no
    /// worker polls it any more.
    Gone(PortName),
}
