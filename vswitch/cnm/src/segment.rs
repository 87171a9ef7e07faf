//! The segments of a network: each a link of its own, with one subnet of a family at most.

use std::net::IpAddr;

use vswitch_ipam::{AddressError, Family};

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::network::{Network, SubnetRecord};

/// A segment of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Which of the network's.
    pub index: u8,
    /// Its IPv4 subnet.
    pub v4: Option<&'a SubnetRecord>,
    /// Its IPv6 subnet.
    pub v6: Option<&'a SubnetRecord>,
}

/// How many segments a network can have: as many as an index of one octet counts.
pub(crate) const MOST_SEGMENTS: usize = u8::MAX as usize + 1;

/// The auxiliary names that override the default gateway of containers, as in Docker's bridge driver.
const DEFAULT_GATEWAY_AUX: [(Family, &str); 2] = [
    (Family::V4, "DefaultGatewayIPv4"),
    (Family::V6, "DefaultGatewayIPv6"),
];

impl Network {
    /// Its segments, in order: the first has the first subnet of either family, and so on.
    #[must_use]
    pub fn segments(&self) -> Vec<Segment<'_>> {
        let of = |family| {
            let of_family = move |record: &&SubnetRecord| Family::of(record.subnet) == family;
            self.subnets.iter().filter(of_family)
        };
        let (mut v4, mut v6) = (of(Family::V4), of(Family::V6));
        (0..=u8::MAX)
            .map(|index| Segment {
                index,
                v4: v4.next(),
                v6: v6.next(),
            })
            .take_while(|segment| segment.v4.is_some() || segment.v6.is_some())
            .collect()
    }

    /// The segment that an endpoint is on; `None` without addresses.
    #[must_use]
    pub fn segment_of(&self, endpoint: &Endpoint) -> Option<Segment<'_>> {
        let address = endpoint.addresses.first()?.addr();
        self.segments()
            .into_iter()
            .find(|segment| segment.contains(address))
    }

    /// The subnet that `address` is in.
    #[must_use]
    pub fn subnet_with(&self, address: IpAddr) -> Option<&SubnetRecord> {
        self.subnets
            .iter()
            .find(|record| record.subnet.contains(&address))
    }

    /// The one segment that all the addresses are in; `None` if there are no addresses.
    pub(crate) fn segment_with(
        &self,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Result<Option<Segment<'_>>, Error> {
        let mut found: Option<(IpAddr, Segment<'_>)> = None;
        for second in addresses {
            let segment = self.segment_or_error(second)?;
            match found {
                Some((first, other)) if other.index != segment.index => {
                    return Err(Error::SegmentsApart {
                        first,
                        second,
                        network: self.name.clone(),
                    });
                }
                _ => found = Some((second, segment)),
            }
        }
        Ok(found.map(|(_, segment)| segment))
    }

    fn segment_or_error(&self, address: IpAddr) -> Result<Segment<'_>, Error> {
        let segments = self.segments();
        if let Some(segment) = segments.iter().find(|segment| segment.contains(address)) {
            return Ok(*segment);
        }
        let family = family_of(address);
        let subnets = segments
            .iter()
            .filter_map(|segment| segment.subnet(family))
            .map(|record| record.subnet)
            .collect::<Vec<_>>();
        Err(match subnets[..] {
            [] => Error::NoSubnet {
                address,
                family,
                network: self.name.clone(),
            },
            [subnet] => AddressError::Outside { address, subnet }.into(),
            _ => Error::OutsideSubnets {
                address,
                network: self.name.clone(),
                subnets: subnets
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            },
        })
    }
}

impl<'a> Segment<'a> {
    /// Its subnet of `family`.
    #[must_use]
    pub const fn subnet(&self, family: Family) -> Option<&'a SubnetRecord> {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }

    /// Its subnets, IPv4 first.
    pub fn subnets(&self) -> impl Iterator<Item = &'a SubnetRecord> {
        self.v4.into_iter().chain(self.v6)
    }

    /// Where endpoints send what is not in the subnet: the auxiliary address `DefaultGatewayIPv4` or
    /// `DefaultGatewayIPv6`, else the gateway.
    #[must_use]
    pub fn next_hop(&self, family: Family) -> Option<IpAddr> {
        let record = self.subnet(family)?;
        DEFAULT_GATEWAY_AUX
            .iter()
            .filter(|(of, _)| *of == family)
            .find_map(|(_, name)| record.aux.get(*name).copied())
            .or(record.gateway)
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.subnets()
            .any(|record| record.subnet.contains(&address))
    }
}

pub(crate) const fn family_of(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::driver::DriverName;
    use crate::id::NetworkId;

    fn record(subnet: &str, gateway: &str) -> SubnetRecord {
        SubnetRecord {
            subnet: subnet.parse().unwrap(),
            gateway: Some(gateway.parse().unwrap()),
            ip_range: None,
            aux: BTreeMap::new(),
        }
    }

    fn network(subnets: Vec<SubnetRecord>) -> Network {
        Network {
            id: NetworkId::from_octets([1; 32]),
            name: "web".into(),
            driver: DriverName::Overlay,
            plugin: None,
            created: 0,
            ipv6: false,
            internal: false,
            subnets,
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
            overlay: None,
            ipam: crate::ipam::Ipam::Default,
            lan: None,
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_subnets_of_the_families_are_paired_in_their_order() {
        let network = network(vec![
            record("fd01::/64", "fd01::1"),
            record("10.1.0.0/24", "10.1.0.1"),
            record("fd02::/64", "fd02::1"),
        ]);
        let of = |family| {
            let subnet = |segment: &Segment<'_>| {
                let record = segment.subnet(family)?;
                Some(record.subnet.to_string())
            };
            network.segments().iter().map(subnet).collect::<Vec<_>>()
        };
        assert_eq!(of(Family::V4), [Some("10.1.0.0/24".into()), None]);
        assert_eq!(
            of(Family::V6),
            [Some("fd01::/64".into()), Some("fd02::/64".into())]
        );
    }

    #[test]
    fn addresses_of_one_interface_are_in_one_segment() {
        let network = network(vec![
            record("10.1.0.0/24", "10.1.0.1"),
            record("10.2.0.0/24", "10.2.0.1"),
            record("fd01::/64", "fd01::1"),
        ]);
        let segment = |addresses: &[&str]| {
            network
                .segment_with(addresses.iter().map(|text| ip(text)))
                .map(|segment| segment.map(|segment| segment.index))
                .map_err(|error| error.to_string())
        };
        assert_eq!(segment(&[]), Ok(None));
        assert_eq!(segment(&["10.2.0.9"]), Ok(Some(1)));
        assert_eq!(segment(&["10.1.0.9", "fd01::9"]), Ok(Some(0)));
        for (addresses, message) in [
            (
                ["10.2.0.9", "fd01::9"],
                "addresses 10.2.0.9 and fd01::9 are in different segments of network web; choose both \
                 in the same",
            ),
            (
                ["10.1.0.9", "fd03::9"],
                "address fd03::9 is outside subnet fd01::/64; choose one inside",
            ),
            (
                ["fd01::9", "10.3.0.9"],
                "address 10.3.0.9 is in none of network web's subnets 10.1.0.0/24, 10.2.0.0/24; choose \
                 one inside",
            ),
        ] {
            assert_eq!(segment(&addresses), Err(message.to_owned()));
        }
    }

    #[test]
    fn the_auxiliary_address_overrides_the_gateway() {
        let mut record = record("10.0.0.0/24", "10.0.0.1");
        let next_hop = |record: &SubnetRecord, family| {
            network(vec![record.clone()]).segments()[0].next_hop(family)
        };
        assert_eq!(next_hop(&record, Family::V4), record.gateway);
        let router = ip("10.0.0.9");
        record.aux.insert("DefaultGatewayIPv4".into(), router);
        assert_eq!(next_hop(&record, Family::V4), Some(router));
        assert_eq!(next_hop(&record, Family::V6), None);
    }
}
