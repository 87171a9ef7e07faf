//! IPv4 and IPv6, and addresses as plain numbers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4, 32-bit addresses.
    V4,
    /// IPv6, 128-bit addresses.
    V6,
}

impl Family {
    /// The family of `net`.
    #[must_use]
    pub const fn of(net: IpNet) -> Self {
        match net {
            IpNet::V4(_) => Self::V4,
            IpNet::V6(_) => Self::V6,
        }
    }

    /// How many bits an address has.
    pub(crate) const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// The address whose number is `number`: the inverse of [`number`].
    pub(crate) const fn address(self, number: u128) -> IpAddr {
        match self {
            // Numbers of IPv4 addresses come from IPv4 subnets, so nothing is cut off.
            Self::V4 => IpAddr::V4(Ipv4Addr::from_bits(number as u32)),
            Self::V6 => IpAddr::V6(Ipv6Addr::from_bits(number)),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// The bits of `address` as a number, so that both families share one arithmetic.
pub(crate) const fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits() as u128,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_the_way_to_a_number_and_back() {
        for (family, text) in [
            (Family::V4, "255.1.2.3"),
            (Family::V6, "fd00::1:2"),
            (Family::V6, "::a00:1"),
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(family.address(number(address)), address);
        }
    }
}
