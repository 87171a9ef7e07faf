//! The way of a frame from one port to others, as plain state machines: bytes and the time in, a
//! [`Verdict`] out. No socket, no clock, no thread.

#![forbid(unsafe_code)]

mod announcement;
pub mod bridge;
pub mod burst;
pub mod counters;
pub mod fdb;
pub mod forwarder;
mod fragment;
pub mod gateway;
mod heard;
pub mod identity;
pub mod lan;
mod link_address;
pub mod neighbour;
mod path_mtu;
pub mod pipeline;
pub mod port;
mod prefix;
mod rate;
pub mod router;
pub mod snoop;
pub mod storm;
mod suppress;
pub mod topology;
mod trains;
pub mod transmit;
pub mod tunnel;
pub mod verdict;
pub mod vlan;

pub use announcement::announce;
pub use bridge::{Bridge, BridgeId};
pub use counters::{PortCounters, Totals};
pub use fdb::Fdb;
pub use forwarder::Forwarder;
pub use gateway::{Gateway, GatewayLink, Reply};
pub use identity::{Identity, link_local};
pub use lan::{Face, Lan, Mode, Station, WireTag};
pub use neighbour::Neighbours;
pub use pipeline::Pipeline;
pub use port::{Port, PortId, Role};
pub use router::Router;
pub use storm::StormLimit;
pub use topology::Topology;
pub use transmit::{SendError, Wires};
pub use tunnel::{Arrival, Envelope, Overlay, Tunnel};
pub use verdict::{DropReason, Reach, Verdict};
