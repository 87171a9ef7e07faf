//! What may be a subnet, and which of its addresses may be given out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::error::{AddressError, ReservedRole, SubnetError};
use crate::family::{Family, number};
use crate::span::Span;

/// Blocks of which no part can be a container's, with what they are for.
const SET_ASIDE: [(IpNet, &str); 10] = [
    (v4([0, 0, 0, 0], 8), "this network"),
    (v4([127, 0, 0, 0], 8), "loopback"),
    (v4([169, 254, 0, 0], 16), "link-local"),
    (v4([224, 0, 0, 0], 4), "multicast"),
    (v4([255, 255, 255, 255], 32), "limited broadcast"),
    (v6(Ipv6Addr::UNSPECIFIED, 128), "the unspecified address"),
    (v6(Ipv6Addr::LOCALHOST, 128), "loopback"),
    (
        v6(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96),
        "IPv4-mapped",
    ),
    (
        v6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
        "link-local",
    ),
    (
        v6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
        "multicast",
    ),
];

/// Checks that containers can have addresses of `subnet`.
///
/// # Errors
/// [`SubnetError::HostBits`] for `10.0.0.5/24`; [`SubnetError::NotForContainers`] for a subnet with
/// a multicast, loopback, link-local or otherwise set aside address in it.
pub fn check_subnet(subnet: IpNet) -> Result<(), SubnetError> {
    check_host_bits(subnet)?;
    // The last address of 255.255.255.0/24 is no container's anyway, so usable addresses count.
    let addresses = usable(subnet);
    let clash = SET_ASIDE.iter().find(|(block, _)| {
        Family::of(*block) == Family::of(subnet)
            && Span::of(*block).intersection(addresses).is_some()
    });
    match clash {
        None => Ok(()),
        Some(&(block, meaning)) => Err(SubnetError::NotForContainers {
            subnet,
            block,
            meaning,
        }),
    }
}

/// Whether two blocks have an address in common.
pub(crate) fn overlap(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}

/// The addresses of `subnet` an interface may have.
///
/// Point-to-point subnets lose none: IPv4 /31 by RFC 3021, IPv6 /127 by RFC 6164.
pub(crate) fn usable(subnet: IpNet) -> Span {
    let Span { first, last } = Span::of(subnet);
    match subnet {
        IpNet::V4(net) if net.prefix_len() < 31 => Span {
            first: first + 1,
            last: last - 1,
        },
        IpNet::V6(net) if net.prefix_len() < 127 => Span {
            first: first + 1,
            last,
        },
        _ => Span { first, last },
    }
}

/// The addresses of `subnet` that may be given out unasked: the usable ones, limited to `range`.
pub(crate) fn dynamic(subnet: IpNet, range: Option<IpNet>) -> Result<Span, SubnetError> {
    let Some(range) = range else {
        return Ok(usable(subnet));
    };
    check_host_bits(range)?;
    if !subnet.contains(&range) {
        return Err(SubnetError::RangeOutside { range, subnet });
    }
    usable(subnet)
        .intersection(Span::of(range))
        .ok_or(SubnetError::RangeEmpty { range, subnet })
}

/// The number of `address`, if an interface in `subnet` may have it.
pub(crate) fn assignable(subnet: IpNet, address: IpAddr) -> Result<u128, AddressError> {
    if !subnet.contains(&address) {
        return Err(AddressError::Outside { address, subnet });
    }
    let number = number(address);
    if usable(subnet).contains(number) {
        return Ok(number);
    }
    let role = match address {
        IpAddr::V6(_) => ReservedRole::SubnetRouterAnycast,
        IpAddr::V4(_) if address == subnet.network() => ReservedRole::Network,
        IpAddr::V4(_) => ReservedRole::Broadcast,
    };
    Err(AddressError::Reserved {
        address,
        role,
        subnet,
    })
}

fn check_host_bits(given: IpNet) -> Result<(), SubnetError> {
    let masked = given.trunc();
    if masked == given {
        Ok(())
    } else {
        Err(SubnetError::HostBits { given, masked })
    }
}

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6(address: Ipv6Addr, prefix: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(address, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn host_bits_are_refused_with_the_masked_form() {
        let error = check_subnet(net("10.0.0.5/24")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "10.0.0.5/24 has host bits set; write 10.0.0.0/24"
        );
        assert!(check_subnet(net("fd00::1/64")).is_err());
    }

    #[test]
    fn blocks_set_aside_are_refused_in_part_or_whole() {
        for text in [
            "0.0.0.0/0",
            "0.1.0.0/16",
            "127.0.0.0/8",
            "126.0.0.0/7",
            "169.254.7.0/24",
            "224.0.0.0/24",
            "192.0.0.0/2",
            "255.255.255.254/31",
            "::/0",
            "::/64",
            "::1/128",
            "::ffff:10.0.0.0/104",
            "fe80::/10",
            "fe80::/64",
            "fe80:1::/32",
            "fe00::/8",
            "ff02::/64",
        ] {
            let result = check_subnet(net(text));
            assert!(
                matches!(result, Err(SubnetError::NotForContainers { .. })),
                "{text}: {result:?}"
            );
        }
    }

    #[test]
    fn ordinary_subnets_of_any_size_pass() {
        for text in [
            "10.0.0.0/8",
            "172.18.0.0/29",
            "192.0.2.6/31",
            "192.0.2.7/32",
            "100.64.0.0/10",
            "223.255.255.0/24",
            "240.0.0.0/8",
            "255.255.255.0/24",
            "fd00::/8",
            "2001:db8::/127",
            "2001:db8::7/128",
            // As a number this is 127.0.0.0, but the families are apart.
            "::7f00:0/104",
        ] {
            assert_eq!(check_subnet(net(text)), Ok(()), "{text}");
        }
    }

    #[test]
    fn usable_leaves_out_what_the_subnet_keeps() {
        for (text, expected) in [
            ("10.0.0.0/24", 254),
            ("10.0.0.0/30", 2),
            ("10.0.0.0/31", 2),
            ("10.0.0.0/32", 1),
            ("fd00::/64", (1 << 64) - 1),
            ("fd00::/126", 3),
            ("fd00::/127", 2),
            ("fd00::/128", 1),
        ] {
            assert_eq!(usable(net(text)).len(), expected, "{text}");
        }
    }

    #[test]
    fn reserved_addresses_are_named_for_what_they_are() {
        let role = |subnet, address: &str| match assignable(net(subnet), address.parse().unwrap()) {
            Err(AddressError::Reserved { role, .. }) => Some(role),
            other => {
                assert!(other.is_ok(), "{other:?}");
                None
            }
        };
        assert_eq!(role("10.0.0.0/24", "10.0.0.0"), Some(ReservedRole::Network));
        assert_eq!(
            role("10.0.0.0/24", "10.0.0.255"),
            Some(ReservedRole::Broadcast)
        );
        assert_eq!(
            role("fd00::/64", "fd00::"),
            Some(ReservedRole::SubnetRouterAnycast)
        );
        assert_eq!(role("10.0.0.0/31", "10.0.0.0"), None);
        assert_eq!(role("fd00::/64", "fd00::ffff:ffff:ffff:ffff"), None);
    }

    #[test]
    fn outside_addresses_and_other_families_are_refused() {
        for address in ["10.0.1.0", "::a00:1", "::ffff:10.0.0.1"] {
            let address = address.parse().unwrap();
            let subnet = net("10.0.0.0/24");
            assert_eq!(
                assignable(subnet, address),
                Err(AddressError::Outside { address, subnet })
            );
        }
    }

    #[test]
    fn a_range_is_a_part_of_the_subnet_with_something_to_give() {
        let subnet = net("10.0.0.0/16");
        let within = |range| dynamic(subnet, Some(net(range))).map(Span::len);
        assert_eq!(within("10.0.5.0/24"), Ok(256));
        assert_eq!(within("10.0.0.0/24"), Ok(255));
        assert_eq!(within("10.0.255.0/24"), Ok(255));
        assert_eq!(within("10.0.0.0/16"), Ok(65534));
        assert!(matches!(
            within("10.1.0.0/24"),
            Err(SubnetError::RangeOutside { .. })
        ));
        assert!(matches!(
            within("10.0.0.0/15"),
            Err(SubnetError::RangeOutside { .. })
        ));
        assert!(matches!(
            within("fd00::/64"),
            Err(SubnetError::RangeOutside { .. })
        ));
        assert!(matches!(
            within("10.0.0.0/32"),
            Err(SubnetError::RangeEmpty { .. })
        ));
        assert!(matches!(
            within("10.0.5.1/24"),
            Err(SubnetError::HostBits { .. })
        ));
    }
}
