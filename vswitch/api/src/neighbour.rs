//! The router's neighbours: which MAC address an IP address has (ARP and ND).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{EntryOrigin, Port};

/// One element of the answer to `GET /v1/neighbours`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourEntry {
    /// The network's name.
    pub network: String,
    /// Whose address it is.
    pub address: IpAddr,
    /// Six hexadecimal octets with colons; none while it is being asked for.
    pub mac: Option<String>,
    /// Where it is, as far as known.
    pub port: Option<Port>,
    /// In the words of `ip neigh`: `permanent`, `reachable`, `stale`, `incomplete`, `failed`.
    pub state: String,
    /// Seconds since the address was last confirmed; none for entries that do not age.
    pub age: Option<u64>,
    /// Where the entry came from.
    pub origin: EntryOrigin,
}
