//! The subnets of an overlay network, which are the same on each host.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_ipam::{
    BasePool, Family, GatewayRequest, IpamOptions, PoolError, PoolRequest, SubnetRequest,
    plan as place,
};

use crate::driver::switched::{SwitchOptions, check_count, choose_gateway, families};
use crate::error::{Error, OverlayError};
use crate::network::{Network, NetworkRequest};

/// The pools to request, IPv4 first.
pub(super) fn plan(
    request: &NetworkRequest,
    options: &SwitchOptions,
) -> Result<Vec<PoolRequest>, Error> {
    check_count(&request.name, &request.subnets)?;
    let mut pools = place(&IpamOptions {
        subnets: request.subnets.clone(),
        ranges: request.ip_ranges.clone(),
        gateways: request.gateways.clone(),
        aux: request.aux_addresses.clone(),
        families: families(request, options)?,
    })?;
    for pool in &mut pools {
        choose_subnet(pool, &request.name)?;
        choose_gateway(pool, options)?;
        if let (SubnetRequest::Exact(subnet), GatewayRequest::FirstFree) =
            (pool.subnet, pool.gateway)
            && let Some(first) = first_address(subnet)
        {
            // Not the first of the range, which differs between hosts.
            pool.gateway = GatewayRequest::Address(first);
        }
    }
    pools.sort_by_key(|pool| pool.subnet.family());
    Ok(pools)
}

/// Checks a record as [`plan`] checks a request.
pub(super) fn check(network: &Network) -> Result<(), Error> {
    let subnets: Vec<IpNet> = network.subnets.iter().map(|record| record.subnet).collect();
    check_count(&network.name, &subnets)
}

/// What nobody chose comes from the block of Docker's swarms. The host's default pools are its own: other
/// hosts may have others, and those of IPv6 are different by design (RFC 4193 section 3.1).
fn choose_subnet(pool: &mut PoolRequest, name: &str) -> Result<(), Error> {
    let block = match pool.subnet {
        SubnetRequest::Exact(_) | SubnetRequest::FirstOf(_) => return Ok(()),
        SubnetRequest::Default(Family::V4) => BasePool::SWARM,
        SubnetRequest::Size {
            family: Family::V4,
            prefix,
        } => BasePool::SWARM
            .in_pieces_of(prefix)
            .map_err(PoolError::Subnet)?,
        SubnetRequest::Default(Family::V6)
        | SubnetRequest::Size {
            family: Family::V6, ..
        } => {
            return Err(OverlayError::DefaultIpv6 {
                name: name.to_owned(),
            }
            .into());
        }
    };
    pool.subnet = SubnetRequest::FirstOf(block);
    Ok(())
}

/// The first address of a subnet that an interface may have; an IPv6 subnet's very first is all routers'
/// (RFC 4291 section 2.6.1), unless there are but two (RFC 6164).
fn first_address(subnet: IpNet) -> Option<IpAddr> {
    match subnet {
        IpNet::V4(net) => net.hosts().next().map(IpAddr::V4),
        IpNet::V6(net) => {
            let anycast = usize::from(net.prefix_len() < 127);
            net.hosts().nth(anycast).map(IpAddr::V6)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::DriverName;
    use crate::options::Options;

    fn request(subnets: &[&str]) -> NetworkRequest {
        NetworkRequest {
            driver: DriverName::Overlay,
            subnets: subnets.iter().map(|net| net.parse().unwrap()).collect(),
            ..NetworkRequest::new("web")
        }
    }

    fn planned(request: &NetworkRequest) -> Result<Vec<PoolRequest>, Error> {
        let options = SwitchOptions::parse(Options(&request.options), request.internal)?;
        plan(request, &options)
    }

    #[test]
    fn the_gateway_is_the_subnets_first_address_whatever_the_range() {
        for (subnet, gateway) in [
            ("10.1.0.0/24", "10.1.0.1"),
            ("10.1.0.6/31", "10.1.0.6"),
            ("fd00::/64", "fd00::1"),
            ("fd00::6/127", "fd00::6"),
        ] {
            let pools = planned(&request(&[subnet])).unwrap();
            let pool = pools.last().unwrap();
            let expected = GatewayRequest::Address(gateway.parse().unwrap());
            let pool = if gateway.contains(':') {
                pool
            } else {
                &pools[0]
            };
            assert_eq!(pool.gateway, expected, "{subnet}");
        }
        let ranged = NetworkRequest {
            ip_ranges: vec!["10.1.0.128/25".parse().unwrap()],
            ..request(&["10.1.0.0/24"])
        };
        let first = GatewayRequest::Address([10, 1, 0, 1].into());
        assert_eq!(planned(&ranged).unwrap()[0].gateway, first);
        let chosen = NetworkRequest {
            gateways: vec!["10.1.0.254".parse().unwrap()],
            ..ranged
        };
        let last = GatewayRequest::Address([10, 1, 0, 254].into());
        assert_eq!(planned(&chosen).unwrap()[0].gateway, last);
        let single = planned(&request(&["10.1.0.7/32"])).unwrap();
        assert_eq!(single[0].gateway, GatewayRequest::None);
    }

    #[test]
    fn what_nobody_chose_is_of_the_swarms_block() {
        let subnet = |subnets: &[&str]| planned(&request(subnets)).map(|pools| pools[0].subnet);
        assert_eq!(subnet(&[]), Ok(SubnetRequest::FirstOf(BasePool::SWARM)));
        let small = BasePool::SWARM.in_pieces_of(28).unwrap();
        assert_eq!(subnet(&["0.0.0.0/28"]), Ok(SubnetRequest::FirstOf(small)));
        assert_eq!(
            subnet(&["0.0.0.0/7"]).unwrap_err().to_string(),
            "default pool 10.0.0.0/8 cannot be split into /7; choose a size from 8 to 32"
        );
        let dual = NetworkRequest {
            ipv6: true,
            ..request(&[])
        };
        for request in [dual, request(&["::/64"])] {
            assert_eq!(
                planned(&request).unwrap_err().to_string(),
                "network web spans hosts, and the default IPv6 subnets differ between them; give \
                 --subnet with an address, the same on each host"
            );
        }
    }

    #[test]
    fn segments_are_counted() {
        let subnets: Vec<String> = (0..257)
            .map(|n| format!("10.{}.{}.0/24", n / 256, n % 256))
            .collect();
        let subnets: Vec<&str> = subnets.iter().map(String::as_str).collect();
        assert_eq!(planned(&request(&subnets[..256])).unwrap().len(), 256);
        assert_eq!(
            planned(&request(&subnets)).unwrap_err().to_string(),
            "network web would have 257 segments; 256 are allowed"
        );
    }
}
