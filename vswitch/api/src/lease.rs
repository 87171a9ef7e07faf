//! DHCP leases: the addresses that a physical network's own server gave to endpoints.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// One element of the answer to `GET /v1/leases`: one for each endpoint of a network with `ipam` `dhcp`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The network's name.
    pub network: String,
    /// The sandbox, as the user wrote it.
    pub sandbox: String,
    /// The interface's name in the sandbox.
    pub ifname: String,
    /// Six hexadecimal octets with colons.
    pub mac: String,
    /// With prefix length; none if the last one has ended and none was given since.
    pub address: Option<Ipv4Net>,
    /// The router that the server named first.
    pub router: Option<Ipv4Addr>,
    /// Who gave the address.
    pub server: Option<Ipv4Addr>,
    /// How far the conversation with the server is.
    pub state: LeaseState,
    /// Seconds until the address has to be given up; none for an address that was given for ever, or if there is none.
    pub expires_in: Option<u64>,
}

/// How far the conversation with a DHCP server is (RFC 2131 §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseState {
    /// The address is held, and it is too early to ask for more time.
    Bound,
    /// The server that gave the address is asked for more time.
    Renewing,
    /// Any server is asked for more time: the one that gave the address does not answer.
    Rebinding,
    /// Any server is asked for an address.
    Asking,
}

impl LeaseState {
    /// The word in JSON and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Renewing => "renewing",
            Self::Rebinding => "rebinding",
            Self::Asking => "asking",
        }
    }
}
