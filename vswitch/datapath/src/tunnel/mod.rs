//! Tunnels: ports whose frames travel to other hosts in datagrams (VXLAN, RFC 7348).
//!
//! A peer is a port of the segment's bridge like any other: addresses are learned behind it, frames are
//! flooded to it, and it has counters. What differs is how frames leave and come in, and
//! that nothing goes from one tunnel to another: each host floods to all others by itself.

mod batch;
mod encapsulate;
mod index;
mod passage;
mod vteps;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use vswitch_vxlan::ecn::Dscp;
use vswitch_vxlan::{Path, Vni};

use crate::bridge::BridgeId;
use crate::port::PortId;

pub use batch::super_frame_segments;
pub(crate) use encapsulate::Outer;
pub use index::{Foreign, Tunnels};

/// What a port needs to be a tunnel's end.
#[derive(Clone, Debug)]
pub struct Tunnel {
    /// The port whose sockets it uses.
    pub underlay: PortId,
    /// The segment.
    pub vni: Vni,
    /// The other host, or the multicast group.
    pub peer: SocketAddr,
    /// What is known of the way there.
    pub path: Arc<Path>,
    /// Whether what is for everybody goes there.
    pub is_flooded: bool,
    /// Of the outer packets; without it, the kernel's default.
    pub ttl: Option<u8>,
    /// Of the outer packets.
    pub dscp: Dscp,
    /// Whether VLAN tags are carried (RFC 7348 §6.1).
    pub tagged: bool,
    /// Whether addresses are learned from what comes from there.
    pub learning: bool,
    /// How many are learned at most; see [`crate::Fdb::learn_within`].
    pub learn_limit: u32,
}

/// What a bridge needs to be a part of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// The segment.
    pub vni: Vni,
    /// The ports whose sockets it uses.
    pub underlays: Vec<PortId>,
    /// Whether hosts that are no peers yet may become some by sending a frame.
    pub accept_unknown: bool,
    /// Whether ARP and ND are answered for neighbours that are known.
    pub suppress: bool,
}

/// Where datagrams go, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The port whose sockets they leave by.
    pub underlay: PortId,
    /// The other host, or a multicast group.
    pub to: SocketAddr,
    /// The hash of the flow inside: chooses the source port.
    pub entropy: u16,
    /// TOS or traffic class.
    pub tos: u8,
    /// TTL or hop limit; without it, the kernel's default.
    pub ttl: Option<u8>,
    /// The octets of each datagram but the last, if there are several.
    pub segment: Option<u16>,
}

/// Datagrams that were read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Where they are from.
    pub from: IpAddr,
    /// The octets of each but the last, if several were joined.
    pub segment: Option<u16>,
    /// TOS or traffic class.
    pub tos: u8,
    /// They came by the group of this tunnel, and concern no other segment.
    pub group: Option<PortId>,
}

/// A host that is no peer of a segment that anybody may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// The segment's bridge.
    pub bridge: BridgeId,
    /// Where its datagram came in.
    pub underlay: PortId,
    /// Its address.
    pub address: IpAddr,
}
