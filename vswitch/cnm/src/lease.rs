//! An address that a DHCP server lent to an endpoint.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// An address that a DHCP server lent to an endpoint (RFC 2131), as it is persisted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The address.
    pub address: Ipv4Addr,
    /// The prefix length of its subnet.
    pub prefix_len: u8,
    /// The router there.
    #[serde(default)]
    pub router: Option<Ipv4Addr>,
    /// Who lent it.
    pub server: Ipv4Addr,
    /// Name servers, the preferred ones first.
    #[serde(default)]
    pub dns: Vec<Ipv4Addr>,
    /// When it was lent or renewed, in seconds since 1970 UTC.
    pub obtained: u64,
    /// For how long, in seconds.
    pub seconds: u32,
    /// When it is to be renewed, in seconds from `obtained`.
    pub renew_after: u32,
    /// When any server may renew it, in seconds from `obtained`.
    pub rebind_after: u32,
}

impl Lease {
    /// The address with its prefix length; `None` if no interface can have it.
    #[must_use]
    pub fn network(&self) -> Option<Ipv4Net> {
        let net = Ipv4Net::new(self.address, self.prefix_len).ok()?;
        let unusable = self.address.is_unspecified()
            || self.address.is_loopback()
            || self.address.is_multicast()
            || self.address.is_broadcast()
            || self.prefix_len == 0;
        (!unusable).then_some(net)
    }
}
