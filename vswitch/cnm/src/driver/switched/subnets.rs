//! How many subnets a network has, of what families, and which of them have a gateway.

use ipnet::IpNet;
use vswitch_ipam::{Family, GatewayRequest, PoolRequest, SubnetRequest};

use super::network_options::SwitchOptions;
use crate::error::Error;
use crate::network::NetworkRequest;
use crate::segment::MOST_SEGMENTS;

/// The families the network is to have; a subnet of one that nobody mentioned brings it along.
pub(in crate::driver) fn families(
    request: &NetworkRequest,
    options: &SwitchOptions,
) -> Result<Vec<Family>, Error> {
    let given = |family| {
        request
            .subnets
            .iter()
            .copied()
            .find(|subnet| Family::of(*subnet) == family)
    };
    let ipv4 = options.enable_ipv4.unwrap_or(request.ipv4);
    let ipv6 = options
        .enable_ipv6
        .unwrap_or(request.ipv6 || given(Family::V6).is_some());
    let mut families = Vec::new();
    for (family, enabled) in [(Family::V4, ipv4), (Family::V6, ipv6)] {
        match given(family) {
            Some(subnet) if !enabled => return Err(Error::FamilyDisabled { subnet, family }),
            _ if enabled => families.push(family),
            _ => {}
        }
    }
    if families.is_empty() {
        return Err(Error::NoFamily {
            name: request.name.clone(),
        });
    }
    Ok(families)
}

/// Leaves out a gateway that the network or the subnet has no room for.
pub(in crate::driver) fn choose_gateway(
    pool: &mut PoolRequest,
    options: &SwitchOptions,
) -> Result<(), Error> {
    let family = pool.subnet.family();
    match pool.gateway {
        GatewayRequest::Address(gateway) if options.is_isolated(family) => {
            Err(Error::IsolatedGateway { gateway, family })
        }
        // A gateway nobody asked for would leave no address to the one endpoint there can be.
        GatewayRequest::FirstFree
            if options.is_isolated(family) || is_single_address(pool.subnet) =>
        {
            pool.gateway = GatewayRequest::None;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Checks that the subnets make no more segments than a network can have.
pub(in crate::driver) fn check_count(name: &str, subnets: &[IpNet]) -> Result<(), Error> {
    let of = |family| {
        subnets
            .iter()
            .filter(|net| Family::of(**net) == family)
            .count()
    };
    match of(Family::V4).max(of(Family::V6)) {
        0..=MOST_SEGMENTS => Ok(()),
        segments => Err(Error::TooManySegments {
            name: name.to_owned(),
            segments,
            most: MOST_SEGMENTS,
        }),
    }
}

fn is_single_address(subnet: SubnetRequest) -> bool {
    match subnet {
        SubnetRequest::Exact(subnet) => subnet.prefix_len() == subnet.max_prefix_len(),
        SubnetRequest::Size { family, prefix } => match family {
            Family::V4 => prefix == 32,
            Family::V6 => prefix == 128,
        },
        SubnetRequest::Default(_) | SubnetRequest::FirstOf(_) => false,
    }
}
