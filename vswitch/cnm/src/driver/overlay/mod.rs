//! A bridge on each of several hosts for each segment, with VXLAN tunnels between them (RFC 7348).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_ipam::{Family, PoolRequest};
use vswitch_packet::MacAddr;

use self::network_options::NetworkOptions;
use super::switched::{self, EndpointOptions};
use super::{Driver, DriverName, InterfacePlan, Publishing};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::gateway::NextHop;
use crate::mac::mac_for;
use crate::network::{Network, NetworkRequest};
use crate::option_key;
use crate::options::OptionError;
use crate::overlay::{OverlayRecord, OverlaySettings, Remote};
use crate::sandbox::SandboxKey;
use crate::segment::Segment;
use crate::settings::{BridgeSettings, PortSettings, Settings};

mod mtu;
mod network_options;
mod peers;
mod subnets;
mod vnis;
mod warnings;

pub(super) use network_options::OWN;

/// The driver `overlay`.
#[derive(Debug)]
pub(super) struct Overlay;

impl Driver for Overlay {
    fn name(&self) -> DriverName {
        DriverName::Overlay
    }

    fn single_instance(&self) -> bool {
        false
    }

    fn shares_sandbox(&self) -> bool {
        true
    }

    fn plan(&self, request: &NetworkRequest) -> Result<Vec<PoolRequest>, Error> {
        let options = NetworkOptions::parse(&request.options, request.internal)?;
        subnets::plan(request, &options.switch)
    }

    fn complete(
        &self,
        _request: &NetworkRequest,
        network: Network,
        others: &[&Network],
    ) -> Result<Network, Error> {
        let options = options(&network)?;
        Ok(Network {
            overlay: Some(OverlayRecord {
                vnis: vnis::choose(&network, &options, others)?,
                peers: options.peers,
                ..OverlayRecord::default()
            }),
            ..network
        })
    }

    fn check_network(&self, network: &Network, others: &[&Network]) -> Result<(), Error> {
        let options = options(network)?;
        subnets::check(network)?;
        vnis::check(network, &options, others)?;
        peers::check_outside(network, &options)?;
        let peers = network.peers();
        for (index, peer) in peers.iter().enumerate() {
            peers::check(network, &options, *peer, &peers[..index])?;
        }
        Ok(mtu::check(network, &options)?)
    }

    fn check_peer(&self, network: &Network, peer: IpAddr) -> Result<(), Error> {
        peers::check(network, &options(network)?, peer, network.peers())
    }

    fn warnings(
        &self,
        network: &Network,
        others: &[&Network],
        settings: &Settings,
    ) -> Result<Vec<String>, Error> {
        warnings::of(network, &options(network)?, others, settings)
    }

    fn check_sandbox(&self, network: &Network, sandbox: &SandboxKey) -> Result<(), Error> {
        switched::check_sandbox(network, sandbox)
    }

    fn interface(
        &self,
        network: &Network,
        endpoint: &BTreeMap<String, String>,
    ) -> Result<Option<InterfacePlan>, Error> {
        let options = options(network)?;
        if let (Some(vlan), false) = (EndpointOptions::parse(endpoint)?.vlan, options.tagged) {
            return Err(Error::Option(OptionError::Conflict {
                key: option_key::VLAN,
                value: vlan.get().to_string(),
                other: "a network whose tunnels carry no tags",
                hint: "make the network with -o inner-vlan=true",
            }));
        }
        switched::interface(options.switch, endpoint).map(Some)
    }

    fn next_hop(&self, network: &Network, endpoint: &Endpoint, family: Family) -> Option<NextHop> {
        switched::next_hop(network, &network.segment_of(endpoint)?, family)
    }

    fn route_to(&self, network: &Network) -> Result<BTreeSet<String>, Error> {
        Ok(options(network)?.switch.route_to)
    }

    fn bridges(
        &self,
        network: &Network,
        settings: &Settings,
    ) -> Result<Vec<BridgeSettings>, Error> {
        let options = options(network)?;
        let mtu = mtu::of_containers(network, &options, settings);
        let bridge = |(segment, &vni): (&Segment<'_>, &u32)| {
            let gateways = switched::gateways(segment);
            BridgeSettings {
                gateway_mac: gateway_mac(&gateways, vni),
                overlay: Some(tunnels(network, segment, vni, &options)),
                ..switched::bridge(network, segment, gateways, mtu, &options.switch)
            }
        };
        let segments = network.segments();
        Ok(segments.iter().zip(network.vnis()).map(bridge).collect())
    }

    fn publishing(&self, network: &Network, endpoint: &Endpoint) -> Result<Publishing, Error> {
        let segment = network.segment_of(endpoint);
        let gateways = segment.as_ref().map(switched::gateways).unwrap_or_default();
        switched::publishing(network, endpoint, &gateways, &options(network)?.switch)
    }

    fn port(
        &self,
        network: &Network,
        endpoint: &Endpoint,
        settings: &Settings,
    ) -> Result<Option<PortSettings>, Error> {
        let options = options(network)?;
        let mtu = mtu::of_containers(network, &options, settings);
        let port = switched::port(network, endpoint, mtu, &options.switch)?;
        Ok(Some(PortSettings {
            routes: routes_to_siblings(network, endpoint),
            ..port
        }))
    }
}

fn options(network: &Network) -> Result<NetworkOptions, Error> {
    Ok(NetworkOptions::parse(&network.options, network.internal)?)
}

/// The same on each host, as a container may have it in its neighbour table when it moves; so it is not
/// of the network's id.
fn gateway_mac(gateways: &[IpNet], vni: u32) -> MacAddr {
    let [_, a, b, c] = vni.to_be_bytes();
    let mut seed = [0; 32];
    // As of 0.a.b.c, which is no gateway's address.
    seed[..6].copy_from_slice(&[0x02, 0x42, 0, a, b, c]);
    mac_for(gateways.iter().map(IpNet::addr), &seed)
}

fn tunnels(
    network: &Network,
    segment: &Segment<'_>,
    vni: u32,
    options: &NetworkOptions,
) -> OverlaySettings {
    // Where nobody says which segment it is in, it may be in each.
    let is_here = |remote: &&Remote| match remote.addresses.first() {
        Some(&address) => segment.contains(address),
        None => true,
    };
    OverlaySettings {
        vni,
        port: options.port,
        local: options.local,
        group: options.group,
        ttl: options.ttl,
        dscp: options.dscp,
        accept_unknown: options.learn_peers,
        learning: options.learning,
        tagged: options.tagged,
        suppress: options.suppress,
        peer_fdb_limit: options.peer_fdb_limit,
        peers: network.peers().to_vec(),
        remotes: network.remotes().iter().filter(is_here).cloned().collect(),
    }
}

/// As libnetwork's overlay: what is in the network's other segments goes to the gateway of one's own, be
/// the network internal or not.
fn routes_to_siblings(network: &Network, endpoint: &Endpoint) -> Vec<(IpNet, NextHop)> {
    let Some(own) = network.segment_of(endpoint) else {
        return Vec::new();
    };
    network
        .segments()
        .iter()
        .filter(|segment| segment.index != own.index)
        .flat_map(Segment::subnets)
        .filter_map(|record| {
            let gateway = own.subnet(Family::of(record.subnet))?.gateway?;
            Some((record.subnet, NextHop::Router(gateway)))
        })
        .collect()
}
