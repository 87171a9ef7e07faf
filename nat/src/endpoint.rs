//! Endpoints and conversations as they are looked up with each packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use vswitch_packet::ip::Version;

use crate::tuple::{Protocol, Tuple};

/// An address and a port: of one shape for both families, and in whole words, so that it is copied,
/// compared and hashed in registers, without asking which it is.
#[derive(Clone, Copy, Eq)]
pub(crate) struct Endpoint {
    address: Words,
    /// The port in the lower 16 bits, and above it the family.
    rest: u64,
}

/// An address of either family.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    address: Words,
    /// 0 or [`V6`]. No enum: what is a variant of another one would be copied in pieces around it.
    family: u64,
}

/// The octets of an address as they stand in a packet, and zeros behind those of IPv4.
type Words = [u64; 2];

const V6: u64 = 1 << 16;

/// As [`Tuple`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) protocol: Protocol,
    pub(crate) inside: Endpoint,
    pub(crate) remote: Endpoint,
}

impl Endpoint {
    #[inline]
    pub(crate) const fn new(address: Address, port: u16) -> Self {
        Self {
            address: address.address,
            rest: address.family | port as u64,
        }
    }

    #[inline]
    pub(crate) const fn address(&self) -> Address {
        Address {
            address: self.address,
            family: self.rest & V6,
        }
    }

    #[inline]
    pub(crate) const fn port(&self) -> u16 {
        self.rest as u16
    }

    /// All there is to hash, with the uppermost 32 bits free.
    #[inline]
    pub(crate) const fn words(&self) -> [u64; 3] {
        let [first, second] = self.address;
        [first, second, self.rest]
    }
}

impl PartialEq for Endpoint {
    /// Word by word. What is derived compares sixteen octets at once, and waits until the two words that
    /// were just stored are together in memory.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let ([a, b, c], [d, e, f]) = (self.words(), other.words());
        (a ^ d) | (b ^ e) | (c ^ f) == 0
    }
}

impl Address {
    #[inline]
    pub(crate) const fn v4(octets: [u8; 4]) -> Self {
        let [a, b, c, d] = octets;
        Self {
            address: [u64::from_ne_bytes([a, b, c, d, 0, 0, 0, 0]), 0],
            family: 0,
        }
    }

    #[inline]
    pub(crate) const fn v6(octets: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = octets;
        Self {
            address: [
                u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
                u64::from_ne_bytes([i, j, k, l, m, n, o, p]),
            ],
            family: V6,
        }
    }

    #[inline]
    pub(crate) const fn version(&self) -> Version {
        match self.family {
            V6 => Version::V6,
            _ => Version::V4,
        }
    }

    /// Those of IPv4.
    #[inline]
    pub(crate) const fn four_octets(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.address[0].to_ne_bytes();
        [a, b, c, d]
    }

    /// Those of IPv6.
    #[inline]
    pub(crate) const fn sixteen_octets(&self) -> [u8; 16] {
        let [a, b, c, d, e, f, g, h] = self.address[0].to_ne_bytes();
        let [i, j, k, l, m, n, o, p] = self.address[1].to_ne_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        IpAddr::from(*self).fmt(f)
    }
}

impl From<IpAddr> for Address {
    #[inline]
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::v4(v4.octets()),
            IpAddr::V6(v6) => Self::v6(v6.octets()),
        }
    }
}

impl From<Address> for IpAddr {
    #[inline]
    fn from(address: Address) -> Self {
        match address.version() {
            Version::V4 => Ipv4Addr::from(address.four_octets()).into(),
            Version::V6 => Ipv6Addr::from(address.sixteen_octets()).into(),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    #[inline]
    fn from(socket: SocketAddr) -> Self {
        Self::new(socket.ip().into(), socket.port())
    }
}

impl From<Endpoint> for SocketAddr {
    #[inline]
    fn from(endpoint: Endpoint) -> Self {
        Self::new(endpoint.address().into(), endpoint.port())
    }
}

impl From<&Tuple> for Flow {
    #[inline]
    fn from(tuple: &Tuple) -> Self {
        Self {
            protocol: tuple.protocol,
            inside: tuple.inside.into(),
            remote: tuple.remote.into(),
        }
    }
}

impl From<Flow> for Tuple {
    fn from(flow: Flow) -> Self {
        Self {
            protocol: flow.protocol,
            inside: flow.inside.into(),
            remote: flow.remote.into(),
        }
    }
}
