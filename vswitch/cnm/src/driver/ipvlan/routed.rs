//! Modes l3 and l3s: endpoints behind a router that is nobody's address, routed to the host's network.

use ipnet::IpNet;
use vswitch_ipam::{Family, GatewayRequest, PoolRequest};

use crate::driver::lan::{self, LanOptions};
use crate::driver::switched;
use crate::endpoint::Endpoint;
use crate::error::{Error, LanError};
use crate::gateway::NextHop;
use crate::ipam::Ipam;
use crate::lan::{L3Settings, LanMode, LanRecord};
use crate::network::{Network, NetworkRequest};
use crate::option_key as key;
use crate::options::OptionError;
use crate::policy::{FamilyPolicy, GatewayMode, Policy};
use crate::segment::Segment;
use crate::settings::{BridgeSettings, PortSettings, Settings};

/// Checks where a network is: routes are the host's, so the NIC has to be one of the host's.
pub(super) fn check_place(record: &LanRecord) -> Result<(), Error> {
    if record.parent.is_none() {
        return Err(LanError::NoParent {
            what: "ipvlan mode l3",
        }
        .into());
    }
    match record.vlan {
        None => Ok(()),
        Some(vlan) => Err(Error::Option(OptionError::Conflict {
            key: key::PARENT_VLAN,
            value: vlan.get().to_string(),
            other: "ipvlan mode l3, whose packets leave by the host's routes",
            hint: "make the VLAN an interface of the host, and give that as parent",
        })),
    }
}

/// The pools to request, as on a link; but nobody is the gateway.
pub(super) fn plan(
    request: &NetworkRequest,
    options: &LanOptions,
) -> Result<Vec<PoolRequest>, Error> {
    let pools = lan::plan(request, options)?;
    for pool in &pools {
        if let GatewayRequest::Address(gateway) = pool.gateway {
            return Err(LanError::RoutedGateway { gateway }.into());
        }
    }
    check_ipam(&request.ipam)?;
    Ok(pools)
}

/// Checks a record as [`plan`] and [`check_place`] check a request.
pub(super) fn check(network: &Network) -> Result<(), Error> {
    if let Some(gateway) = network.subnets.iter().find_map(|record| record.gateway) {
        return Err(LanError::RoutedGateway { gateway }.into());
    }
    check_ipam(&network.ipam)?;
    network.lan.as_ref().map_or(Ok(()), check_place)
}

/// Everything that is not the interface's own address goes to the router, which answers to any.
pub(super) fn next_hop(network: &Network, endpoint: &Endpoint, family: Family) -> Option<NextHop> {
    let segment = network.segment_of(endpoint)?;
    let routed = segment.subnet(family).is_some() && !network.internal;
    routed.then_some(NextHop::Link)
}

/// How each segment of a network is routed.
pub(super) fn bridges(
    network: &Network,
    settings: &Settings,
    options: &LanOptions,
) -> Result<Vec<BridgeSettings>, Error> {
    let parent = lan::parent(network, options)?;
    let mtu = lan::endpoint_mtu(network, options, settings);
    let bridge = |segment: &Segment<'_>| BridgeSettings {
        l3: Some(L3Settings {
            parent: parent.to_owned(),
            subnets: segment.subnets().map(|record| record.subnet).collect(),
            flag: options.mode,
            scope: network.internal.then_some(network.id),
        }),
        policy: open(),
        ..switched::bridge(network, segment, Vec::new(), mtu, &options.switch)
    };
    Ok(network.segments().iter().map(bridge).collect())
}

/// How an endpoint's port is switched.
pub(super) fn port(
    network: &Network,
    endpoint: &Endpoint,
    settings: &Settings,
    options: &LanOptions,
) -> Result<PortSettings, Error> {
    let mtu = lan::endpoint_mtu(network, options, settings);
    let port = switched::port(network, endpoint, mtu, &options.switch)?;
    Ok(PortSettings {
        routes: routes_to_siblings(network, endpoint, options),
        ..port
    })
}

/// Leases are asked for by broadcast, which has nobody to go to.
const fn check_ipam(ipam: &Ipam) -> Result<(), LanError> {
    match ipam.is_dhcp() {
        false => Ok(()),
        true => Err(LanError::DhcpRouted),
    }
}

/// Out as it is, and in to every port: the routers beyond the parent know the subnets.
fn open() -> Policy {
    let family = FamilyPolicy {
        mode: GatewayMode::NatUnprotected,
        masquerade: false,
        source: None,
    };
    Policy {
        v4: family,
        v6: family,
        ..Policy::default()
    }
}

/// What is in the network's other segments goes to the router, be the network internal or not.
fn routes_to_siblings(
    network: &Network,
    endpoint: &Endpoint,
    options: &LanOptions,
) -> Vec<(IpNet, NextHop)> {
    let Some(own) = network.segment_of(endpoint) else {
        return Vec::new();
    };
    if options.mode != LanMode::Bridge {
        return Vec::new();
    }
    network
        .segments()
        .iter()
        .filter(|segment| segment.index != own.index)
        .flat_map(Segment::subnets)
        .filter(|record| own.subnet(Family::of(record.subnet)).is_some())
        .map(|record| (record.subnet, NextHop::Link))
        .collect()
}
