//! What passed each port, and what was dropped and why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Port;

/// One element of the answer to `GET /v1/stats`. Counted since the daemon took the port up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortStats {
    /// The network's name; `host` for ports of none, which are uplinks, underlays and parents.
    pub network: String,
    /// The port.
    pub port: Port,
    /// Into the switch: sent by the sandbox, by the host behind the VTEP, or by the physical network.
    pub rx: Traffic,
    /// Out of the switch: received by the sandbox, by the host behind the VTEP, or by the physical network.
    pub tx: Traffic,
    /// Frames that were joined with the frame before them into one write to this port.
    pub coalesced: u64,
    /// Super-frames that had to be cut up because this port cannot take them whole.
    pub segmented: u64,
    /// Frames that waited for a neighbour to answer, or fragments for their first one. What becomes of them is
    /// counted when they go on.
    pub held: u64,
    /// Dropped frames by reason, of frames that came in at or should have gone out of this port.
    pub drops: BTreeMap<String, u64>,
}

/// Traffic in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Reads or writes of the port's device; a super-frame counts once.
    pub frames: u64,
    /// Octets of Ethernet frame, without virtio header.
    pub bytes: u64,
    /// Of `frames`, those that hold several segments (GSO).
    pub super_frames: u64,
}

/// Query of `GET /v1/stats`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatsQuery {
    /// A network (name, id or beginning of an id) or a port ([`Port::answers_to`]); none: all ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

impl PortStats {
    /// All drops, whatever the reason.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.drops.values().fold(0, |sum, &n| sum.saturating_add(n))
    }
}
