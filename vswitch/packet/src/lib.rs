//! Frames as bytes: what a switch must know of them, sans IO and without allocation on the way.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod checksum;
pub mod coalesce;
pub mod ethernet;
pub mod flow;
pub mod frame;
pub mod ip;
pub mod mac;
pub mod moment;
pub mod segment;
pub mod vnet;

mod length;
mod likeness;
mod word;

pub use coalesce::{Answer, Candidate, Train};
pub use ethernet::{EtherType, VlanId, VlanTag};
pub use flow::FlowKey;
pub use frame::{Frame, FrameError, Layout, MAX_FRAME_LEN, Network};
pub use mac::MacAddr;
pub use moment::Moment;
pub use segment::{ChecksumMode, Segment, Segments};
pub use vnet::{Capabilities, Gso, GsoKind, Offload, PartialChecksum, VNET_HEADER_LEN, VnetHeader};
