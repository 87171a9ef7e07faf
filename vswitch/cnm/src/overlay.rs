//! Networks that span hosts: what is kept of one, and what the data path is told.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use vswitch_packet::MacAddr;
use vswitch_vxlan::ecn::Dscp;

use crate::mac;

/// What is kept of an overlay network, beside what every network has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayRecord {
    /// The VNI of each segment, in their order.
    pub vnis: Vec<u32>,
    /// The VTEPs of other hosts that were given, in the order of being given.
    #[serde(default)]
    pub peers: Vec<IpAddr>,
    /// The addresses that were given as being at a peer, in the order of being given.
    #[serde(default)]
    pub remotes: Vec<Remote>,
    /// The MTU of the way to the peers, in octets of outer packets; `None` until it is known.
    #[serde(default)]
    pub underlay_mtu: Option<u16>,
}

/// A MAC address that is said to be at another host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// The address.
    #[serde(with = "mac::text")]
    pub mac: MacAddr,
    /// The peer it is at.
    pub vtep: IpAddr,
    /// Its IP addresses, all in one segment; none if they are not known.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
}

/// How a segment reaches other hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlaySettings {
    /// The segment's number, 1 to 16777215.
    pub vni: u32,
    /// The UDP port on both sides.
    pub port: u16,
    /// The host's address to send from; `None` leaves it to the way out.
    pub local: Option<IpAddr>,
    /// The multicast group that stands for all hosts.
    pub group: Option<IpAddr>,
    /// The outer TTL or hop limit; `None` is the kernel's.
    pub ttl: Option<u8>,
    /// The outer DSCP.
    pub dscp: Dscp,
    /// Whether frames of VTEPs that nobody named are accepted, which makes these peers.
    pub accept_unknown: bool,
    /// Whether the addresses behind peers are learned from frames.
    pub learning: bool,
    /// Whether frames with a VLAN tag cross the tunnel (RFC 7348 section 6.1).
    pub tagged: bool,
    /// Whether questions for known addresses are answered here, instead of being sent to all peers.
    pub suppress: bool,
    /// How many addresses are learned at most behind each peer.
    pub peer_fdb_limit: u32,
    /// The peers that were given.
    pub peers: Vec<IpAddr>,
    /// What is said to be at them in this segment.
    pub remotes: Vec<Remote>,
}
