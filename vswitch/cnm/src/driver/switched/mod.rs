//! What the networks have in common that the switch carries.

use std::collections::BTreeMap;

use ipnet::IpNet;
use vswitch_ipam::Family;

use super::{InterfacePlan, Publishing};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::gateway::NextHop;
use crate::interface_name::MAX_LEN;
use crate::mac::mac_for;
use crate::network::Network;
use crate::policy::Policy;
use crate::sandbox::SandboxKey;
use crate::segment::Segment;
use crate::settings::{BridgeSettings, PortSettings};

mod endpoint_options;
mod network_options;
mod subnets;

pub(super) use endpoint_options::EndpointOptions;
pub(super) use network_options::{
    FDB_LIMIT_MAX, KNOWN, MTU_MAX, MTU_MIN, MTU_MIN_V6, SwitchOptions,
};
pub(super) use subnets::{check_count, choose_gateway, families};

/// Any sandbox but the host itself can be on such a network.
pub(super) fn check_sandbox(network: &Network, sandbox: &SandboxKey) -> Result<(), Error> {
    if sandbox.is_host() {
        Err(Error::NotForHost {
            network: network.name.clone(),
        })
    } else {
        Ok(())
    }
}

/// How an endpoint's interface is made.
pub(super) fn interface(
    options: SwitchOptions,
    endpoint: &BTreeMap<String, String>,
) -> Result<InterfacePlan, Error> {
    Ok(InterfacePlan {
        name: EndpointOptions::parse(endpoint)?.ifname,
        prefix: options.iface_prefix,
        order: options.order,
    })
}

/// Where endpoints of a segment can send what is not on their link.
pub(super) fn next_hop(
    network: &Network,
    segment: &Segment<'_>,
    family: Family,
) -> Option<NextHop> {
    let router = segment.next_hop(family).filter(|_| !network.internal);
    router.map(NextHop::Router)
}

/// The gateways of a segment, with the prefix lengths of their subnets.
pub(super) fn gateways(segment: &Segment<'_>) -> Vec<IpNet> {
    segment
        .subnets()
        .filter_map(|record| IpNet::new(record.gateway?, record.subnet.prefix_len()).ok())
        .collect()
}

/// How a segment whose router owns `gateways` is switched; endpoints reach each other, and no other host.
pub(super) fn bridge(
    network: &Network,
    segment: &Segment<'_>,
    gateways: Vec<IpNet>,
    mtu: u16,
    options: &SwitchOptions,
) -> BridgeSettings {
    BridgeSettings {
        network: network.id,
        segment: segment.index,
        name: network.name.clone(),
        gateway_mac: mac_for(gateways.iter().map(IpNet::addr), network.id.octets()),
        host_port: (!gateways.is_empty()).then(|| host_port(network, segment.index, options)),
        gateways,
        icc: true,
        internal: network.internal,
        mtu,
        ageing_secs: options.ageing_secs,
        fdb_limit: options.fdb_limit,
        snooping: options.snooping,
        offload: options.offload,
        policy: Policy {
            v4: options.v4,
            v6: options.v6,
            filtering: options.filtering,
            route_to: Vec::new(),
        },
        overlay: None,
        lan: None,
        l3: None,
    }
}

/// How an endpoint publishes ports whose segment's router owns `gateways`.
pub(super) fn publishing(
    network: &Network,
    endpoint: &Endpoint,
    gateways: &[IpNet],
    options: &SwitchOptions,
) -> Result<Publishing, Error> {
    let refused = |reason| {
        Err(Error::NotPublishable {
            network: network.name.clone(),
            reason,
        })
    };
    if network.internal {
        return refused("it is internal");
    }
    if EndpointOptions::parse(&endpoint.options)?.vlan.is_some() {
        return refused("the endpoint is in a VLAN, which has no gateway");
    }
    let has = |family| gateways.iter().any(|net| Family::of(*net) == family);
    if gateways.is_empty() {
        return refused("it has no gateway of ours");
    }
    Ok(Publishing {
        v4: has(Family::V4).then_some(options.v4.mode),
        v6: has(Family::V6).then_some(options.v6.mode),
        host_binding: options.host_binding,
    })
}

/// How an endpoint's port is switched; it is not isolated, and has no routes of its own.
pub(super) fn port(
    network: &Network,
    endpoint: &Endpoint,
    mtu: u16,
    options: &SwitchOptions,
) -> Result<PortSettings, Error> {
    let own = EndpointOptions::parse(&endpoint.options)?;
    Ok(PortSettings {
        endpoint: endpoint.id,
        network: network.id,
        segment: network
            .segment_of(endpoint)
            .map_or(0, |segment| segment.index),
        ifname: endpoint
            .ifname
            .clone()
            .unwrap_or_else(|| endpoint.tap_name()),
        mac: endpoint.mac,
        addresses: endpoint.addresses.iter().map(IpNet::addr).collect(),
        routes: Vec::new(),
        anti_spoof: own.anti_spoof.unwrap_or(options.anti_spoof),
        vlan: own.vlan,
        storm_pps: own.storm_pps.unwrap_or(options.storm_pps),
        mtu,
        isolated: false,
        published: endpoint.published.clone(),
        slaac: false,
        lan: false,
    })
}

/// The option's name for the first segment, else `br-` and the beginning of the id; the others' end with
/// their index.
pub(super) fn host_port(network: &Network, index: u8, options: &SwitchOptions) -> String {
    let id = network.id.short();
    match (index, &options.host_port) {
        (0, Some(name)) => name.clone(),
        (0, None) => format!("br-{id}"),
        _ => {
            let suffix = format!("-{index}");
            let digits = id.len().min(MAX_LEN - "br-".len() - suffix.len());
            format!("br-{}{suffix}", &id[..digits])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::DriverName;
    use crate::id::NetworkId;
    use crate::options::Options;

    #[test]
    fn host_ports_of_all_segments_have_names_of_their_own_that_linux_takes() {
        let network = Network {
            id: NetworkId::from_octets([0xab; 32]),
            name: "web".into(),
            driver: DriverName::Overlay,
            plugin: None,
            created: 0,
            ipv6: false,
            internal: false,
            subnets: Vec::new(),
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
            overlay: None,
            ipam: crate::ipam::Ipam::Default,
            lan: None,
        };
        let name = |index, given: &[(&str, &str)]| {
            let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            let given = given.iter().map(owned).collect();
            let options = SwitchOptions::parse(Options(&given), false).unwrap();
            host_port(&network, index, &options)
        };
        let web = [(crate::option_key::BRIDGE_NAME, "web0")];
        assert_eq!(
            (name(0, &[]), name(0, &web)),
            ("br-abababababab".into(), "web0".into())
        );
        for given in [&[][..], &web] {
            assert_eq!(name(1, given), "br-ababababab-1");
            assert_eq!(name(10, given), "br-ababababa-10");
            assert_eq!(name(255, given), "br-abababab-255");
        }
    }
}
