//! VXLAN (RFC 7348): Ethernet frames of a segment in UDP datagrams between hosts.
//!
//! Octets in, octets out: what goes in front of a frame, what a datagram must be to hold one, which
//! source port a flow has, how congestion marks cross the tunnel, and what is known of the way to a peer.

#![forbid(unsafe_code)]

mod datagrams;
pub mod ecn;
mod entropy;
mod header;
mod path;
mod vni;

pub use datagrams::Datagrams;
pub use entropy::entropy;
pub use header::{HEADER_LEN, Malformed, decapsulate, header};
pub use path::{Path, overhead};
pub use vni::{InvalidVni, Vni};

/// The UDP port of VXLAN (RFC 7348 §5).
pub const PORT: u16 = 4789;
