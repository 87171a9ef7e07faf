//! The host on LANs: a port of its own, with the addresses it has there, and a route to each endpoint.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_cnm::{BridgeSettings, Endpoint, LanSettings, Network, NetworkId, Segment, SegmentId};

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

    /// Makes the host's routes to the endpoints of a LAN that it has a port on agree with the records.
    pub(super) fn route_host_access(&mut self, segment: SegmentId) -> Result<(), ControlError> {
        let Some(settings) = self.segment_settings(segment) else {
            return Ok(());
        };
        let own = self.host_access(&settings)?;
        let Some(port) = self.host_port(&settings)?.filter(|_| !own.is_empty()) else {
            return Ok(());
        };
        let mut stations = BTreeMap::new();
        for settings in self.ports_of(segment.network) {
            if settings.segment_id() != segment {
                continue;
            }
            for address in settings.addresses {
                if let Some(source) = own.iter().find(|net| net.contains(&address)) {
                    stations.insert(address, source.addr());
                }
            }
        }
        Ok(edge::route_stations(&mut self.host, &port, &stations)?)
    }

    /// The host's routes to the LAN of an endpoint, if it has a port there.
    pub(super) fn route_host_access_of(&mut self, endpoint: &Endpoint) {
        let segments = self
            .model
            .bridge_settings(endpoint.network)
            .unwrap_or_default();
        for segment in segments {
            if segment
                .lan
                .as_ref()
                .is_some_and(|lan| lan.host_access.is_some())
                && let Err(error) = self.route_host_access(segment.id())
            {
                let network = segment.name;
                tracing::warn!(
                    network,
                    "cannot set the host's routes to its endpoints: {error}"
                );
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

    /// Gives the host's ports on LANs the addresses that the host has now, and the host its routes.
    pub(super) fn follow_host_access(&mut self) {
        let networks: Vec<NetworkId> = self.model.networks().map(|network| network.id).collect();
        for id in networks {
            for settings in self.model.bridge_settings(id).unwrap_or_default() {
                if settings
                    .lan
                    .as_ref()
                    .is_none_or(|lan| lan.host_access.is_none())
                {
                    continue;
                }
                let followed = self
                    .host_port(&settings)
                    .and_then(|port| match port {
                        Some(port) => Ok(port.follow_addresses(&mut self.host)?),
                        None => Ok(()),
                    })
                    .and_then(|()| self.route_host_access(settings.id()));
                if let Err(error) = followed {
                    let network = settings.name;
                    tracing::warn!(network, "the host port does not follow the host: {error}");
                }
            }
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
