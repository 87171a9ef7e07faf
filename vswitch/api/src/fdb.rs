//! The forwarding database: which MAC address is behind which port.

use serde::{Deserialize, Serialize};

use crate::Port;

/// One element of the answer to `GET /v1/fdb`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FdbEntry {
    /// The network's name.
    pub network: String,
    /// Six hexadecimal octets with colons.
    pub mac: String,
    /// VLAN that the address was seen in; none: untagged.
    pub vlan: Option<u16>,
    /// Where frames to the address go: for an address on another host, the port of that host's VTEP.
    pub port: Port,
    /// Seconds since a frame from the address was last seen; none for entries that do not age.
    pub age: Option<u64>,
    /// Where the entry came from.
    pub origin: EntryOrigin,
}

/// Where an entry of the FDB or of the neighbour table came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryOrigin {
    /// From a frame that was seen. Ages.
    Learned,
    /// From the configuration of an endpoint or of the host port.
    Static,
    /// The switch's own router.
    Gateway,
    /// An administrator or a control plane said that it is behind a VTEP ([`Remote`](crate::Remote)).
    Programmed,
}

impl EntryOrigin {
    /// The word in JSON and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Learned => "learned",
            Self::Static => "static",
            Self::Gateway => "gateway",
            Self::Programmed => "programmed",
        }
    }
}
