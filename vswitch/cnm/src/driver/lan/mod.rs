//! What the networks on a NIC of the host have in common: macvlan and ipvlan.
//!
//! Nothing of theirs is ours beside the endpoints: no gateway, no translation, no learning. Several networks
//! may be on one NIC, and those on the same VLAN of it are on one link.

use std::collections::BTreeMap;

use vswitch_ipam::Family;
use vswitch_packet::MacAddr;

use super::switched::{self, EndpointOptions};
use super::{DriverName, InterfacePlan, Publishing, ipvlan, macvlan};
use crate::endpoint::{AttachRequest, Endpoint};
use crate::error::{Error, LanError};
use crate::gateway::NextHop;
use crate::ipam::Ipam;
use crate::lan::{LanFace, LanMode, LanRecord, LanSettings};
use crate::mac::mac_for;
use crate::network::{Network, NetworkRequest};
use crate::option_key as key;
use crate::options::{OptionError, Options};
use crate::segment::Segment;
use crate::settings::{BridgeSettings, PortSettings, Settings};

mod host_access;
mod mtu;
mod options;
mod parent;
mod places;
mod subnets;
mod warnings;

pub(super) use mtu::of_endpoints as endpoint_mtu;
pub(super) use options::LanOptions;
use options::OWN;
pub(super) use places::link;
pub(super) use subnets::plan;
pub(super) use warnings::of as warnings;

/// Where a network to be is, given what its options ask of the place.
pub(super) fn place(request: &NetworkRequest, options: &LanOptions) -> Result<LanRecord, Error> {
    let record = parent::resolve(options, &request.interfaces)?;
    check_parent_needed(&request.ipam, &record, options)?;
    Ok(record)
}

/// What a network to be is beside its place and its subnets. Without a parent there is no way out.
pub(super) fn complete(
    request: &NetworkRequest,
    network: Network,
    options: &LanOptions,
) -> Result<Network, Error> {
    let record = parent::recorded(&network, options)?;
    host_access::check_parent(&network, record, options, &request.interfaces)?;
    let slaac = network.ipam.is_dhcp() && options.switch.enable_ipv6.unwrap_or(request.ipv6);
    if slaac && face(&network, options) != LanFace::Own {
        return Err(LanError::SlaacShared.into());
    }
    Ok(Network {
        internal: network.internal || record.parent.is_none(),
        ipv6: network.ipv6 || slaac,
        ..network
    })
}

/// Checks a network against its record, its subnets and `others`.
pub(super) fn check(
    network: &Network,
    options: &LanOptions,
    others: &[&Network],
) -> Result<(), Error> {
    let record = parent::recorded(network, options)?;
    check_parent_needed(&network.ipam, record, options)?;
    options.switch.check_mtu_for(network.ipv6)?;
    subnets::check(network)?;
    host_access::check(network, record, options)?;
    places::check(network, others)
}

/// Checks what is asked for beside options.
pub(super) fn check_endpoint(
    network: &Network,
    request: &AttachRequest,
    others: &[&Endpoint],
    options: &LanOptions,
) -> Result<(), Error> {
    let name = || network.name.clone();
    if let (LanMode::Passthru, Some(other)) = (options.mode, others.first()) {
        return Err(Error::Lan(LanError::SecondEndpoint {
            network: name(),
            holder: other.called("sandbox"),
        }));
    }
    if face(network, options) == LanFace::Shared && request.mac.is_some() {
        return Err(LanError::MacShared { network: name() }.into());
    }
    let parents = request.parent.as_ref().and_then(|parent| parent.mac);
    if let Some(mac) = request.mac.filter(|mac| parents == Some(*mac))
        && options.mode != LanMode::Passthru
    {
        return Err(LanError::ParentMac { mac }.into());
    }
    if !network.ipam.is_dhcp() {
        return Ok(());
    }
    let v4 = request.ip.map(|ip| (ip.into(), "the DHCP server chooses"));
    let v6 = request
        .ip6
        .map(|ip| (ip.into(), "its endpoints choose them themselves (SLAAC)"));
    match v4.or(v6) {
        None => Ok(()),
        Some((address, chooser)) => Err(Error::Lan(LanError::AddressChosen {
            address,
            network: name(),
            chooser,
        })),
    }
}

/// How an endpoint's interface is made.
pub(super) fn interface(
    options: LanOptions,
    endpoint: &BTreeMap<String, String>,
) -> Result<InterfacePlan, Error> {
    let own = EndpointOptions::parse(endpoint)?;
    if let Some(vlan) = own.vlan {
        return Err(Error::Option(OptionError::Conflict {
            key: key::VLAN,
            value: vlan.get().to_string(),
            other: "a network on a NIC, whose endpoints are all in its one VLAN",
            hint: "make a network with -o vlan=NUMBER",
        }));
    }
    if options.mode == LanMode::Passthru && own.anti_spoof == Some(true) {
        return Err(Error::Option(unchecked()));
    }
    switched::interface(options.switch, endpoint)
}

/// Where an endpoint can send what is not on its link: to the router of the physical network.
pub(super) fn next_hop(network: &Network, endpoint: &Endpoint, family: Family) -> Option<NextHop> {
    if !network.ipam.is_dhcp() {
        return switched::next_hop(network, &network.segment_of(endpoint)?, family);
    }
    match family {
        Family::V4 if !network.internal => {
            let router = endpoint.lease.as_ref()?.router?;
            Some(NextHop::Router(router.into()))
        }
        _ => None,
    }
}

/// How each segment of a network is switched.
pub(super) fn bridges(
    network: &Network,
    settings: &Settings,
    options: &LanOptions,
) -> Result<Vec<BridgeSettings>, Error> {
    let record = parent::recorded(network, options)?;
    let mtu = endpoint_mtu(network, options, settings);
    let bridge = |segment: &Segment<'_>| {
        let lan = on_lan(network, record, segment, options);
        let host_port = || switched::host_port(network, segment.index, &options.switch);
        BridgeSettings {
            gateway_mac: host_port_mac(network, segment),
            host_port: lan.host_access.is_some().then(host_port),
            lan: Some(lan),
            ..switched::bridge(network, segment, Vec::new(), mtu, &options.switch)
        }
    };
    Ok(segments(network).iter().map(bridge).collect())
}

/// How an endpoint's port is switched.
pub(super) fn port(
    network: &Network,
    endpoint: &Endpoint,
    settings: &Settings,
    options: &LanOptions,
) -> Result<PortSettings, Error> {
    let mtu = endpoint_mtu(network, options, settings);
    let port = switched::port(network, endpoint, mtu, &options.switch)?;
    Ok(PortSettings {
        lan: true,
        // Whoever is behind a passthru endpoint sends by it too.
        anti_spoof: port.anti_spoof && options.mode != LanMode::Passthru,
        slaac: network.ipam.is_dhcp() && network.ipv6,
        ..port
    })
}

/// Ports of such a network cannot be published.
pub(super) fn publishing(network: &Network) -> Result<Publishing, Error> {
    Err(Error::NotPublishable {
        network: network.name.clone(),
        reason: "its endpoints are reached at their own addresses, with all their ports",
    })
}

/// The refusal of a check that cannot be made of a passthru endpoint.
pub(super) fn unchecked() -> OptionError {
    OptionError::Conflict {
        key: key::ANTI_SPOOF,
        value: "true".to_owned(),
        other: "mode passthru, whose endpoint may send from any address",
        hint: "leave it out",
    }
}

/// Refuses the options of such networks, on others.
pub(super) fn check_none(options: Options<'_>) -> Result<(), OptionError> {
    options.check_driver(DriverName::Macvlan, OWN)?;
    options.check_driver(DriverName::Macvlan, macvlan::OWN)?;
    options.check_driver(DriverName::Ipvlan, ipvlan::OWN)
}

/// The NIC of a network that cannot be without one.
pub(super) fn parent<'a>(network: &'a Network, options: &LanOptions) -> Result<&'a str, LanError> {
    let parent = parent::recorded(network, options)?.parent.as_deref();
    parent.ok_or_else(|| LanError::PlaceRecord {
        network: network.name.clone(),
    })
}

/// The options of a network that is on a NIC.
fn options_of(network: &Network) -> Result<Option<LanOptions>, Error> {
    match network.driver {
        DriverName::Macvlan => macvlan::options(network).map(Some),
        DriverName::Ipvlan => ipvlan::lan_options(network).map(Some),
        DriverName::Bridge
        | DriverName::Host
        | DriverName::Null
        | DriverName::Overlay
        | DriverName::Plugin => Ok(None),
    }
}

fn check_parent_needed(
    ipam: &Ipam,
    record: &LanRecord,
    options: &LanOptions,
) -> Result<(), LanError> {
    let needs = [
        (options.mode == LanMode::Passthru, "mode passthru"),
        (options.face == LanFace::Translated, "option mac_nat=true"),
        (ipam.is_dhcp(), "--ipam dhcp"),
    ];
    match needs.into_iter().find(|(needed, _)| *needed) {
        Some((_, what)) if record.parent.is_none() => Err(LanError::NoParent { what }),
        _ => Ok(()),
    }
}

/// As the subnets have it. With DHCP nobody knows the subnets, and one segment has them all.
fn segments(network: &Network) -> Vec<Segment<'_>> {
    let segments = network.segments();
    if !segments.is_empty() {
        return segments;
    }
    vec![Segment {
        index: 0,
        v4: None,
        v6: None,
    }]
}

fn on_lan(
    network: &Network,
    record: &LanRecord,
    segment: &Segment<'_>,
    options: &LanOptions,
) -> LanSettings {
    LanSettings {
        parent: record.parent.clone(),
        vlan: record.vlan,
        service_tag: record.service,
        mode: options.mode,
        face: face(network, options),
        host_access: host_access::addresses(record, segment, options),
        check_conflicts: options.dad && record.parent.is_some(),
        dhcp: network.ipam.is_dhcp(),
    }
}

/// Without a parent there is no address to share.
fn face(network: &Network, options: &LanOptions) -> LanFace {
    let parent = network
        .lan
        .as_ref()
        .and_then(|record| record.parent.as_ref());
    parent.map_or(LanFace::Own, |_| options.face)
}

/// Host ports of all segments are on one link, so each has an address of its own.
fn host_port_mac(network: &Network, segment: &Segment<'_>) -> MacAddr {
    let mut seed = *network.id.octets();
    seed[5] ^= segment.index;
    mac_for([], &seed)
}
