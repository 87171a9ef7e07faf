//! The host on LANs: a port of its own, with the addresses it has there, and a route to each endpoint.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_cnm::{BridgeSettings, LanSettings, Network, NetworkId, Segment, SegmentId};

use super::host_port::alone;
use super::{Control, ControlError};
use crate::edge;

impl Control {
    /// The addresses of the host on a segment of a LAN that it has a port on, with the prefix of the subnet that
    /// each is in.
    pub(super) fn host_access(
        &mut self,
        settings: &BridgeSettings,
    ) -> Result<Vec<IpNet>, ControlError> {
        let Some(LanSettings {
            host_access: Some(given),
            parent,
            dhcp,
            ..
        }) = &settings.lan
        else {
            return Ok(Vec::new());
        };
        let subnets = self.subnets(settings.id());
        let subnet = |address: &IpAddr| subnets.iter().find(|subnet| subnet.contains(address));
        let addresses: Vec<IpNet> = match (given.as_slice(), parent) {
            ([], Some(parent)) => {
                let own = self.host_interfaces()?.remove(parent);
                let own = own.into_iter().flat_map(|nic| nic.addresses);
                // What the subnet is, the DHCP server knows.
                own.filter(|net| (*dhcp && net.addr().is_ipv4()) || subnet(&net.addr()).is_some())
                    .collect()
            }
            (given, _) => {
                let within = |address: &IpAddr| {
                    let prefix = subnet(address)?.prefix_len();
                    IpNet::new(*address, prefix).ok()
                };
                given.iter().filter_map(within).collect()
            }
        };
        Ok(addresses)
    }

    /// Gives the host's port of a LAN, if it has one there, the addresses that the host has now, and the host a
    /// route to each endpoint.
    pub(super) fn follow_host(&mut self, settings: &BridgeSettings) -> Result<(), ControlError> {
        let own = self.host_access(settings)?;
        let Some(port) = self.host_port_with(settings, alone(&own))? else {
            return Ok(());
        };
        port.follow_addresses(&mut self.host)?;
        let mut stations = BTreeMap::new();
        for endpoint in self.ports_of(settings.network) {
            if endpoint.segment_id() != settings.id() {
                continue;
            }
            for address in endpoint.addresses {
                if let Some(source) = own.iter().find(|net| net.contains(&address)) {
                    stations.insert(address, source.addr());
                }
            }
        }
        Ok(edge::route_stations(&mut self.host, &port, &stations)?)
    }

    /// As [`Control::follow_host`], for all segments of a network.
    pub(super) fn follow_host_on(&mut self, network: NetworkId) {
        for settings in self.model.bridge_settings(network).unwrap_or_default() {
            let lan = settings.lan.as_ref();
            if lan.is_some_and(|lan| lan.host_access.is_some())
                && let Err(error) = self.follow_host(&settings)
            {
                let network = settings.name;
                tracing::warn!(network, "the host port does not follow the host: {error}");
            }
        }
    }

    /// The host's port of a segment gets the MTU that goes with its NIC's.
    pub(super) fn follow_host_port(
        &mut self,
        settings: &BridgeSettings,
    ) -> Result<(), ControlError> {
        if let Some(port) = self.host_port(settings)? {
            edge::adjust(&mut self.host, &port.alias, port.mac, port.mtu)?;
        }
        self.dataplane.resize(settings);
        Ok(())
    }

    /// As [`Control::follow_host`], everywhere.
    pub(super) fn follow_host_access(&mut self) {
        let networks: Vec<NetworkId> = self.model.networks().map(|network| network.id).collect();
        for id in networks {
            self.follow_host_on(id);
        }
    }

    fn subnets(&self, segment: SegmentId) -> Vec<IpNet> {
        let network = self.model.network(segment.network);
        let segments = network.map(Network::segments).unwrap_or_default();
        let segment = segments.iter().find(|other| other.index == segment.index);
        let records = segment.into_iter().flat_map(Segment::subnets);
        records.map(|record| record.subnet).collect()
    }
}
