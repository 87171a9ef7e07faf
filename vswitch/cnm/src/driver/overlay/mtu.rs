//! How long a container's packets are, given what carries them.

use vswitch_ipam::Family;
use vswitch_packet::ip::Version;

use super::network_options::NetworkOptions;
use crate::driver::switched::{MTU_MIN, MTU_MIN_V6};
use crate::network::Network;
use crate::option_key as key;
use crate::options::{OptionError, invalid};
use crate::segment::family_of;
use crate::settings::Settings;

/// The containers' MTU in bytes: as chosen, or what the underlay leaves. Never less than IP needs, as an
/// interface with less has no addresses.
pub(super) fn of_containers(
    network: &Network,
    options: &NetworkOptions,
    settings: &Settings,
) -> u16 {
    let underlay = options
        .switch
        .mtu
        .or(known(network))
        .unwrap_or(settings.default_mtu);
    options
        .inner_mtu
        .unwrap_or_else(|| within(underlay, network, options))
        .max(least(network))
}

/// What an underlay MTU leaves to containers.
pub(super) fn within(underlay: u16, network: &Network, options: &NetworkOptions) -> u16 {
    underlay.saturating_sub(overhead(network, options))
}

/// What containers would need of the underlay.
pub(super) fn around(inner: u16, network: &Network, options: &NetworkOptions) -> u32 {
    u32::from(inner) + u32::from(overhead(network, options))
}

/// The underlay's MTU, if somebody has looked.
pub(super) fn known(network: &Network) -> Option<u16> {
    network.overlay.as_ref()?.underlay_mtu
}

/// Checks the options against each other, and against what IPv6 needs.
pub(super) fn check(network: &Network, options: &NetworkOptions) -> Result<(), OptionError> {
    let least = least(network);
    if let Some(underlay) = options.switch.mtu
        && within(underlay, network, options) < least
    {
        let headers = overhead(network, options);
        let what = if least == MTU_MIN_V6 { "IPv6" } else { "IPv4" };
        let expected = format!(
            "{} bytes or more, for {what} behind {headers} of headers",
            least + headers
        );
        return Err(invalid(key::MTU, &underlay.to_string(), &expected));
    }
    let Some(inner) = options.inner_mtu else {
        return Ok(());
    };
    let conflict = |other, hint| {
        Err(OptionError::Conflict {
            key: key::INNER_MTU,
            value: inner.to_string(),
            other,
            hint,
        })
    };
    if inner < least {
        return conflict("IPv6", "use 1280 or more");
    }
    match options.switch.mtu {
        Some(underlay) if inner > within(underlay, network, options) => conflict(
            "com.docker.network.driver.mtu, the underlay's, which leaves less",
            "leave one of the two out",
        ),
        _ => Ok(()),
    }
}

/// The headers between the packets of both MTUs, in bytes. IPv4's while nothing tells what the tunnels go
/// over.
fn overhead(network: &Network, options: &NetworkOptions) -> u16 {
    let ends = options.local.into_iter().chain(options.group);
    let family = ends
        .chain(network.peers().iter().copied())
        .map(family_of)
        .next();
    vswitch_vxlan::overhead(match family {
        Some(Family::V6) => Version::V6,
        Some(Family::V4) | None => Version::V4,
    })
}

/// What an interface needs to have addresses of the network.
pub(super) fn least(network: &Network) -> u16 {
    let mut families = network
        .subnets
        .iter()
        .map(|record| Family::of(record.subnet));
    if families.any(|family| family == Family::V6) {
        MTU_MIN_V6
    } else {
        MTU_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::DriverName;
    use crate::id::NetworkId;
    use crate::network::SubnetRecord;
    use crate::overlay::OverlayRecord;

    fn network(subnet: &str, underlay_mtu: Option<u16>, given: &[(&str, &str)]) -> Network {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let options = given.iter().map(owned).collect();
        Network {
            id: NetworkId::from_octets([1; 32]),
            name: "web".into(),
            driver: DriverName::Overlay,
            plugin: None,
            created: 0,
            ipv6: false,
            internal: false,
            subnets: vec![SubnetRecord {
                subnet: subnet.parse().unwrap(),
                gateway: None,
                ip_range: None,
                aux: std::collections::BTreeMap::new(),
            }],
            overlay: Some(OverlayRecord {
                vnis: vec![4096],
                peers: NetworkOptions::parse(&options, false).unwrap().peers,
                remotes: Vec::new(),
                underlay_mtu,
            }),
            options,
            labels: std::collections::BTreeMap::new(),
            ipam: crate::ipam::Ipam::Default,
            lan: None,
        }
    }

    fn mtu(network: &Network) -> u16 {
        let options = NetworkOptions::parse(&network.options, false).unwrap();
        assert_eq!(check(network, &options), Ok(()));
        of_containers(network, &options, &Settings::default())
    }

    fn refusal(network: &Network) -> String {
        let options = NetworkOptions::parse(&network.options, false).unwrap();
        check(network, &options).unwrap_err().to_string()
    }

    const V4: &str = "10.0.0.0/24";
    const V6: &str = "fd00::/64";

    #[test]
    fn containers_have_what_the_headers_leave() {
        let over_v6 = (key::PEERS, "2001:db8::2");
        for (underlay_mtu, given, expected) in [
            (None, &[][..], 1450),
            (None, &[over_v6], 1430),
            (None, &[(key::LOCAL, "2001:db8::1")], 1430),
            (None, &[(key::GROUP, "ff0e::1")], 1430),
            (Some(9000), &[], 8950),
            (Some(9000), &[over_v6], 8930),
            (Some(9000), &[(key::MTU, "1400")], 1350),
            (Some(9000), &[(key::MTU, "0")], 8950),
            (Some(9000), &[(key::INNER_MTU, "1500")], 1500),
            (Some(1500), &[(key::INNER_MTU, "1500")], 1500),
            (None, &[(key::INNER_MTU, "1350"), (key::MTU, "1400")], 1350),
            (None, &[(key::INNER_MTU, "1300"), (key::MTU, "1400")], 1300),
        ] {
            assert_eq!(
                mtu(&network(V4, underlay_mtu, given)),
                expected,
                "{given:?}"
            );
        }
    }

    #[test]
    fn containers_have_at_least_what_ip_needs() {
        assert_eq!(mtu(&network(V6, Some(1300), &[])), 1280);
        assert_eq!(mtu(&network(V4, Some(1300), &[])), 1250);
        assert_eq!(mtu(&network(V4, Some(80), &[])), 68);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (subnet, given, message) in [
            (
                V4,
                &[(key::INNER_MTU, "1351"), (key::MTU, "1400")][..],
                "option mtu=1351 does not go with com.docker.network.driver.mtu, the underlay's, which \
                 leaves less; leave one of the two out",
            ),
            (
                V6,
                &[(key::INNER_MTU, "1279")],
                "option mtu=1279 does not go with IPv6; use 1280 or more",
            ),
            (
                V6,
                &[(key::MTU, "1329")],
                "option com.docker.network.driver.mtu=1329: the value must be 1330 bytes or more, for \
                 IPv6 behind 50 of headers",
            ),
            (
                V4,
                &[(key::MTU, "117")],
                "option com.docker.network.driver.mtu=117: the value must be 118 bytes or more, for \
                 IPv4 behind 50 of headers",
            ),
        ] {
            assert_eq!(refusal(&network(subnet, None, given)), message);
        }
    }
}
