//! Addresses that do not cross a router.

use std::net::IpAddr;

/// Addresses that no packet on a link comes from (RFC 1812 §5.3.7, RFC 4291 §2.5.3 and §2.7).
/// The unspecified address is left to the host: DHCP starts from it.
pub(crate) fn is_source_nowhere(source: IpAddr) -> bool {
    let broadcast = matches!(source, IpAddr::V4(source) if source.is_broadcast());
    broadcast || source.is_multicast() || source.is_loopback()
}

/// Destinations on a link that only the host's kernel can know.
pub(crate) fn is_link_scoped(destination: IpAddr) -> bool {
    match destination {
        IpAddr::V4(a) => a.is_multicast() || a.is_broadcast() || a.is_link_local(),
        IpAddr::V6(a) => a.is_multicast() || a.is_unicast_link_local(),
    }
}

/// Whether `address` names one station, and may be in a packet that crosses a router (RFC 1812
/// §5.3.7, RFC 3927 §2.7, RFC 4291 §2.5).
pub(crate) fn crosses_routers(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => {
            let [first, ..] = a.octets();
            !(matches!(first, 0 | 127 | 224..) || a.is_link_local())
        }
        IpAddr::V6(a) => {
            let mapped = a.to_ipv4_mapped().is_some();
            let nobody = a.is_unspecified() || a.is_loopback() || a.is_multicast();
            !(mapped || nobody || a.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_names_a_station_everywhere_crosses() {
        for (address, crosses) in [
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("127.0.0.1", false),
            ("169.254.1.1", false),
            ("224.0.0.1", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("10.0.0.1", true),
            ("223.255.255.255", true),
            ("::", false),
            ("::1", false),
            ("::ffff:10.0.0.1", false),
            ("fe80::1", false),
            ("ff02::1", false),
            ("fd00::1", true),
            ("2001:db8::1", true),
        ] {
            assert_eq!(
                crosses_routers(address.parse().unwrap()),
                crosses,
                "{address}"
            );
        }
    }
}
