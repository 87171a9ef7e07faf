//! From the IPAM options of `docker network create` to the pools they ask for.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::error::PlanError;
use crate::family::Family;
use crate::request::{GatewayRequest, PoolRequest, SubnetRequest};
use crate::subnet::{assignable, check_subnet, dynamic, overlap};

/// What was typed, in the order it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpamOptions {
    /// `--subnet`; `0.0.0.0/24` and `::/80` ask for a size.
    pub subnets: Vec<IpNet>,
    /// `--ip-range`.
    pub ranges: Vec<IpNet>,
    /// `--gateway`.
    pub gateways: Vec<IpAddr>,
    /// `--aux-address NAME=IP`.
    pub aux: Vec<(String, IpAddr)>,
    /// Families the network must have. One that no subnet is given for gets a default pool; a subnet
    /// brings its family along whether or not it is listed.
    pub families: Vec<Family>,
}

/// Sorts ranges, gateways and auxiliary addresses to the subnets they lie in, which come in the order
/// they were given; default pools for families without a subnet come last.
///
/// # Errors
/// [`PlanError`] if the options contradict each other. What other networks and the host hold is
/// checked when the pools are requested.
pub fn plan(options: &IpamOptions) -> Result<Vec<PoolRequest>, PlanError> {
    check_counts(options)?;
    check_subnets(&options.subnets)?;
    let mut pools: Vec<PoolRequest> = options
        .subnets
        .iter()
        .copied()
        .map(PoolRequest::new)
        .collect();
    for &range in &options.ranges {
        place_range(&mut pools, range)?;
    }
    for &gateway in &options.gateways {
        place_gateway(&mut pools, gateway)?;
    }
    for (name, address) in &options.aux {
        place_aux(&mut pools, name, *address)?;
    }
    for &family in &options.families {
        if !pools.iter().any(|pool| pool.subnet.family() == family) {
            pools.push(PoolRequest::new(SubnetRequest::Default(family)));
        }
    }
    Ok(pools)
}

fn check_counts(options: &IpamOptions) -> Result<(), PlanError> {
    let subnets = options.subnets.len();
    let (ranges, gateways) = (options.ranges.len(), options.gateways.len());
    if ranges > subnets {
        return Err(PlanError::TooManyRanges { ranges, subnets });
    }
    if gateways > subnets {
        return Err(PlanError::TooManyGateways { gateways, subnets });
    }
    Ok(())
}

fn check_subnets(subnets: &[IpNet]) -> Result<(), PlanError> {
    let exact: Vec<IpNet> = subnets
        .iter()
        .copied()
        .filter(|subnet| matches!((*subnet).into(), SubnetRequest::Exact(_)))
        .collect();
    for (index, &second) in exact.iter().enumerate() {
        check_subnet(second)?;
        if let Some(&first) = exact[..index].iter().find(|first| overlap(**first, second)) {
            return Err(PlanError::SubnetsOverlap { first, second });
        }
    }
    Ok(())
}

fn place_range(pools: &mut [PoolRequest], range: IpNet) -> Result<(), PlanError> {
    let (subnet, pool) = pool_with(pools, |subnet| subnet.contains(&range))
        .ok_or(PlanError::RangeNowhere { range })?;
    dynamic(subnet, Some(range))?;
    match pool.range.replace(range) {
        None => Ok(()),
        Some(first) => Err(PlanError::SecondRange {
            subnet,
            first,
            second: range,
        }),
    }
}

fn place_gateway(pools: &mut [PoolRequest], gateway: IpAddr) -> Result<(), PlanError> {
    let (subnet, pool) = pool_with(pools, |subnet| subnet.contains(&gateway))
        .ok_or(PlanError::GatewayNowhere { gateway })?;
    assignable(subnet, gateway)?;
    if let GatewayRequest::Address(first) = pool.gateway {
        return Err(PlanError::SecondGateway {
            subnet,
            first,
            second: gateway,
        });
    }
    pool.gateway = GatewayRequest::Address(gateway);
    Ok(())
}

fn place_aux(pools: &mut [PoolRequest], name: &str, address: IpAddr) -> Result<(), PlanError> {
    let name = name.to_owned();
    // A name is a key of the network, not of one subnet: `docker network inspect` lists them so.
    if pools.iter().any(|pool| pool.aux.contains_key(&name)) {
        return Err(PlanError::AuxNameTwice { name });
    }
    let Some((subnet, pool)) = pool_with(pools, |subnet| subnet.contains(&address)) else {
        return Err(PlanError::AuxNowhere { name, address });
    };
    assignable(subnet, address)?;
    let is_gateway = pool.gateway == GatewayRequest::Address(address);
    if is_gateway || pool.aux.values().any(|other| *other == address) {
        return Err(PlanError::AddressTwice { address });
    }
    pool.aux.insert(name, address);
    Ok(())
}

/// The pool whose exact subnet `matches`; one at most does, as subnets do not overlap.
fn pool_with(
    pools: &mut [PoolRequest],
    matches: impl Fn(IpNet) -> bool,
) -> Option<(IpNet, &mut PoolRequest)> {
    pools.iter_mut().find_map(|pool| match pool.subnet {
        SubnetRequest::Exact(subnet) if matches(subnet) => Some((subnet, pool)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::error::{AddressError, SubnetError};

    fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(texts: &[&str]) -> Vec<T> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Plans an IPv4 network.
    fn planned(
        subnets: &[&str],
        ranges: &[&str],
        gateways: &[&str],
        aux: &[(&str, &str)],
    ) -> Result<Vec<PoolRequest>, PlanError> {
        plan(&IpamOptions {
            subnets: parse(subnets),
            ranges: parse(ranges),
            gateways: parse(gateways),
            aux: aux
                .iter()
                .map(|(name, address)| ((*name).to_owned(), ip(address)))
                .collect(),
            families: vec![Family::V4],
        })
    }

    #[test]
    fn everything_goes_to_the_subnet_it_lies_in() {
        let pools = planned(
            &["10.1.0.0/16", "fd00:1::/64", "10.2.0.0/16"],
            &["10.2.5.0/24", "fd00:1::8000/113"],
            &["fd00:1::1", "10.1.0.254"],
            &[("router", "10.2.0.9"), ("printer", "10.2.0.8")],
        );
        let aux = [("router", "10.2.0.9"), ("printer", "10.2.0.8")];
        assert_eq!(
            pools,
            Ok(vec![
                PoolRequest {
                    gateway: GatewayRequest::Address(ip("10.1.0.254")),
                    ..PoolRequest::new(net("10.1.0.0/16"))
                },
                PoolRequest {
                    range: Some(net("fd00:1::8000/113")),
                    gateway: GatewayRequest::Address(ip("fd00:1::1")),
                    ..PoolRequest::new(net("fd00:1::/64"))
                },
                PoolRequest {
                    range: Some(net("10.2.5.0/24")),
                    aux: BTreeMap::from(aux.map(|(name, text)| (name.to_owned(), ip(text)))),
                    ..PoolRequest::new(net("10.2.0.0/16"))
                },
            ])
        );
    }

    #[test]
    fn a_family_without_a_subnet_gets_a_default_pool() {
        let families = |subnets: &[&str], families: &[Family]| -> Vec<SubnetRequest> {
            let options = IpamOptions {
                subnets: parse(subnets),
                families: families.to_vec(),
                ..IpamOptions::default()
            };
            let pools = plan(&options).unwrap();
            pools.into_iter().map(|pool| pool.subnet).collect()
        };
        let (v4, v6) = (Family::V4, Family::V6);
        assert_eq!(families(&[], &[]), []);
        assert_eq!(families(&[], &[v4, v4]), [SubnetRequest::Default(v4)]);
        assert_eq!(
            families(&["fd00:1::/64"], &[v4, v6]),
            [net("fd00:1::/64").into(), SubnetRequest::Default(v4)]
        );
        assert_eq!(
            families(&["0.0.0.0/24", "0.0.0.0/24"], &[v4]),
            [net("0.0.0.0/24").into(), net("0.0.0.0/24").into()]
        );
    }

    #[test]
    fn every_range_and_gateway_needs_a_subnet() {
        assert_eq!(
            planned(&[], &["10.0.0.0/24"], &[], &[]),
            Err(PlanError::TooManyRanges {
                ranges: 1,
                subnets: 0
            })
        );
        assert_eq!(
            planned(&["10.0.0.0/24"], &[], &["10.0.0.1", "10.0.0.2"], &[]),
            Err(PlanError::TooManyGateways {
                gateways: 2,
                subnets: 1
            })
        );
    }

    #[test]
    fn what_lies_in_no_subnet_is_refused() {
        let range = net("10.1.0.0/24");
        assert_eq!(
            planned(&["10.0.0.0/16"], &["10.1.0.0/24"], &[], &[]),
            Err(PlanError::RangeNowhere { range })
        );
        let range = net("10.0.0.0/15");
        assert_eq!(
            planned(&["10.0.0.0/16"], &["10.0.0.0/15"], &[], &[]),
            Err(PlanError::RangeNowhere { range })
        );
        let gateway = ip("172.17.0.1");
        assert_eq!(
            planned(&["0.0.0.0/24"], &[], &["172.17.0.1"], &[]),
            Err(PlanError::GatewayNowhere { gateway })
        );
        assert!(matches!(
            planned(&[], &[], &[], &[("router", "10.0.0.1")]),
            Err(PlanError::AuxNowhere { .. })
        ));
    }

    #[test]
    fn a_subnet_has_one_range_and_one_gateway() {
        let subnets = ["10.0.0.0/16", "10.1.0.0/16"];
        assert!(matches!(
            planned(&subnets, &["10.0.1.0/24", "10.0.2.0/24"], &[], &[]),
            Err(PlanError::SecondRange { .. })
        ));
        assert!(matches!(
            planned(&subnets, &[], &["10.0.0.1", "10.0.0.2"], &[]),
            Err(PlanError::SecondGateway { .. })
        ));
    }

    #[test]
    fn subnets_of_one_network_do_not_overlap() {
        for (first, second) in [
            ("10.0.0.0/8", "10.1.0.0/16"),
            ("10.1.0.0/16", "10.0.0.0/8"),
            ("fd00::/64", "fd00::/64"),
        ] {
            assert_eq!(
                planned(&[first, "192.168.0.0/24", second], &[], &[], &[]),
                Err(PlanError::SubnetsOverlap {
                    first: net(first),
                    second: net(second)
                })
            );
        }
    }

    #[test]
    fn host_bits_are_refused_in_subnet_and_range() {
        for (subnet, range) in [
            ("10.0.0.5/16", "10.0.1.0/24"),
            ("10.0.0.0/16", "10.0.1.5/24"),
        ] {
            assert!(matches!(
                planned(&[subnet], &[range], &[], &[]),
                Err(PlanError::Subnet(SubnetError::HostBits { .. }))
            ));
        }
    }

    #[test]
    fn gateway_and_aux_are_addresses_an_interface_may_have() {
        for address in ["10.0.0.0", "10.0.0.255"] {
            for result in [
                planned(&["10.0.0.0/24"], &[], &[address], &[]),
                planned(&["10.0.0.0/24"], &[], &[], &[("router", address)]),
            ] {
                assert!(matches!(
                    result,
                    Err(PlanError::Address(AddressError::Reserved { .. }))
                ));
            }
        }
        assert!(planned(&["10.0.0.0/31"], &[], &["10.0.0.0"], &[]).is_ok());
    }

    #[test]
    fn names_and_addresses_are_used_once() {
        let subnets = ["10.0.0.0/24", "10.1.0.0/24"];
        assert!(matches!(
            planned(
                &subnets,
                &[],
                &[],
                &[("router", "10.0.0.2"), ("router", "10.1.0.2")]
            ),
            Err(PlanError::AuxNameTwice { .. })
        ));
        let address = ip("10.0.0.2");
        assert_eq!(
            planned(
                &subnets,
                &[],
                &[],
                &[("one", "10.0.0.2"), ("two", "10.0.0.2")]
            ),
            Err(PlanError::AddressTwice { address })
        );
        assert_eq!(
            planned(&subnets, &[], &["10.0.0.2"], &[("one", "10.0.0.2")]),
            Err(PlanError::AddressTwice { address })
        );
    }
}
