//! What the control side calls a port.

use std::net::IpAddr;

use vswitch_cnm::{EndpointId, SegmentId};
use vswitch_datapath::tunnel::Stranger;

/// A port, by what is behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PortName {
    /// An endpoint's interface.
    Endpoint(EndpointId),
    /// The host port of a network's segment.
    Host(SegmentId),
    /// A NIC of the host, by its index.
    Uplink(u32),
    /// A NIC of the host that containers are put on.
    Parent(ParentKey),
    /// The sockets of tunnels.
    Underlay(UnderlayKey),
    /// Another host's end of a tunnel, or the group that stands for all of them.
    Vtep(SegmentId, IpAddr),
}

/// Which NIC it is that containers are put on. It keeps its number while it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParentKey(pub u32);

/// Which sockets tunnels use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnderlayKey {
    /// The host's address; the unspecified one of a family for any.
    pub local: IpAddr,
    /// The UDP port.
    pub port: u16,
}

/// Something happened that the control side must act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortEvent {
    /// The port's device vanished: its namespace died, or somebody deleted it. Told once; no
    /// worker polls it any more.
    Gone(PortName),
    /// A host that is no peer yet sent a frame to a segment that takes peers so. Not told of every one.
    Stranger(Stranger),
}
