//! The subnets of a bridge network: one of each family at most.

use ipnet::IpNet;
use vswitch_ipam::{Family, IpamOptions, PoolRequest, plan as place};

use crate::driver::switched::{SwitchOptions, choose_gateway, families};
use crate::error::Error;
use crate::network::{Network, NetworkRequest};

/// The pools to request, IPv4 first.
pub(super) fn plan(
    request: &NetworkRequest,
    options: &SwitchOptions,
) -> Result<Vec<PoolRequest>, Error> {
    check_one_of_each(&request.subnets)?;
    let mut pools = place(&IpamOptions {
        subnets: request.subnets.clone(),
        ranges: request.ip_ranges.clone(),
        gateways: request.gateways.clone(),
        aux: request.aux_addresses.clone(),
        families: families(request, options)?,
    })?;
    for pool in &mut pools {
        choose_gateway(pool, options)?;
    }
    pools.sort_by_key(|pool| pool.subnet.family());
    Ok(pools)
}

/// Checks a record as [`plan`] checks a request.
pub(super) fn check(network: &Network) -> Result<(), Error> {
    let subnets: Vec<IpNet> = network.subnets.iter().map(|record| record.subnet).collect();
    check_one_of_each(&subnets)
}

fn check_one_of_each(subnets: &[IpNet]) -> Result<(), Error> {
    for (index, &second) in subnets.iter().enumerate() {
        let family = Family::of(second);
        if let Some(&first) = subnets[..index]
            .iter()
            .find(|first| Family::of(**first) == family)
        {
            return Err(Error::SecondSubnet {
                family,
                first,
                second,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use vswitch_ipam::GatewayRequest;

    use super::*;
    use crate::option_key as key;
    use crate::options::Options;

    fn plan_of(request: &NetworkRequest) -> Result<Vec<PoolRequest>, Error> {
        let options = SwitchOptions::parse(Options(&request.options), request.internal)?;
        plan(request, &options)
    }

    fn with_subnets(subnets: &[&str]) -> NetworkRequest {
        NetworkRequest {
            subnets: subnets
                .iter()
                .map(|subnet| subnet.parse().unwrap())
                .collect(),
            ..NetworkRequest::new("web")
        }
    }

    fn families_of(request: &NetworkRequest) -> Result<Vec<Family>, Error> {
        let pools = plan_of(request)?;
        Ok(pools.iter().map(|pool| pool.subnet.family()).collect())
    }

    #[test]
    fn families_follow_flags_options_and_subnets() {
        let none = |ipv4, ipv6| NetworkRequest {
            ipv4,
            ipv6,
            ..NetworkRequest::new("web")
        };
        let option = |key: &str, value: &str| NetworkRequest {
            options: [(key.to_owned(), value.to_owned())].into(),
            ..with_subnets(&["fd00::/64"])
        };
        for (request, expected) in [
            (none(true, false), vec![Family::V4]),
            (none(true, true), vec![Family::V4, Family::V6]),
            (none(false, true), vec![Family::V6]),
            (with_subnets(&["fd00::/64"]), vec![Family::V4, Family::V6]),
            (
                with_subnets(&["fd00::/64", "10.0.0.0/24"]),
                vec![Family::V4, Family::V6],
            ),
            (option(key::ENABLE_IPV4, "false"), vec![Family::V6]),
        ] {
            assert_eq!(families_of(&request), Ok(expected), "{request:?}");
        }
        assert!(matches!(
            families_of(&none(false, false)),
            Err(Error::NoFamily { .. })
        ));
        assert!(matches!(
            families_of(&option(key::ENABLE_IPV6, "false")),
            Err(Error::FamilyDisabled { .. })
        ));
    }

    #[test]
    fn a_second_subnet_of_a_family_is_refused() {
        assert_eq!(
            plan_of(&with_subnets(&["10.0.0.0/24", "10.0.1.0/24"]))
                .unwrap_err()
                .to_string(),
            "subnets 10.0.0.0/24 and 10.0.1.0/24 are both IPv4; a bridge network has one of each \
             family"
        );
    }

    #[test]
    fn a_single_address_is_the_endpoints_unless_asked_for() {
        for subnet in ["10.0.0.7/32", "0.0.0.0/32"] {
            let pools = plan_of(&with_subnets(&[subnet])).unwrap();
            assert_eq!(pools[0].gateway, GatewayRequest::None, "{subnet}");
        }
        let asked = NetworkRequest {
            gateways: vec!["10.0.0.7".parse().unwrap()],
            ..with_subnets(&["10.0.0.7/32"])
        };
        let gateway = GatewayRequest::Address("10.0.0.7".parse().unwrap());
        assert_eq!(plan_of(&asked).unwrap()[0].gateway, gateway);
        let pair = plan_of(&with_subnets(&["10.0.0.6/31"])).unwrap();
        assert_eq!(pair[0].gateway, GatewayRequest::FirstFree);
    }

    #[test]
    fn an_isolated_family_has_no_gateway() {
        let isolated = NetworkRequest {
            internal: true,
            options: [(key::GATEWAY_MODE_IPV4.to_owned(), "isolated".to_owned())].into(),
            ..with_subnets(&["10.0.0.0/24", "fd00::/64"])
        };
        let pools = plan_of(&isolated).unwrap();
        assert_eq!(pools[0].gateway, GatewayRequest::None);
        assert_eq!(pools[1].gateway, GatewayRequest::FirstFree);
        let contradicted = NetworkRequest {
            gateways: vec!["10.0.0.1".parse().unwrap()],
            ..isolated
        };
        assert!(matches!(
            plan_of(&contradicted),
            Err(Error::IsolatedGateway { .. })
        ));
    }
}
