//! The subnets of a network on a NIC: those of the physical network, whose router is somebody there.

use vswitch_ipam::{Family, GatewayRequest, IpamOptions, PoolRequest, plan as place};

use super::options::LanOptions;
use crate::driver::switched::{check_count, families};
use crate::error::{Error, LanError};
use crate::network::{Network, NetworkRequest};

/// The pools to request, IPv4 first; none with DHCP. As in Docker from version 28, a gateway is only what
/// was given.
pub(in crate::driver) fn plan(
    request: &NetworkRequest,
    options: &LanOptions,
) -> Result<Vec<PoolRequest>, Error> {
    check_count(&request.name, &request.subnets)?;
    let families = families(request, &options.switch)?;
    if request.ipam.is_dhcp() {
        check_dhcp(request, &families)?;
        return Ok(Vec::new());
    }
    let mut pools = place(&IpamOptions {
        subnets: request.subnets.clone(),
        ranges: request.ip_ranges.clone(),
        gateways: request.gateways.clone(),
        aux: request.aux_addresses.clone(),
        families,
    })?;
    for pool in &mut pools {
        if pool.gateway == GatewayRequest::FirstFree {
            pool.gateway = GatewayRequest::None;
        }
    }
    pools.sort_by_key(|pool| pool.subnet.family());
    Ok(pools)
}

/// Checks a record as [`plan`] checks a request.
pub(in crate::driver) fn check(network: &Network) -> Result<(), Error> {
    let subnets: Vec<_> = network.subnets.iter().map(|record| record.subnet).collect();
    check_count(&network.name, &subnets)?;
    if network.ipam.is_dhcp() && !subnets.is_empty() {
        return Err(LanError::DhcpChooses { what: "--subnet" }.into());
    }
    Ok(())
}

fn check_dhcp(request: &NetworkRequest, families: &[Family]) -> Result<(), LanError> {
    let given = [
        (!request.subnets.is_empty(), "--subnet"),
        (!request.gateways.is_empty(), "--gateway"),
        (!request.ip_ranges.is_empty(), "--ip-range"),
        (!request.aux_addresses.is_empty(), "--aux-address"),
    ];
    if let Some((_, what)) = given.into_iter().find(|(given, _)| *given) {
        return Err(LanError::DhcpChooses { what });
    }
    if !families.contains(&Family::V4) {
        return Err(LanError::DhcpWithoutIpv4);
    }
    Ok(())
}
