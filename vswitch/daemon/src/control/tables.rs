//! What the workers learned and counted, and the routes, as tables of the API.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use vswitch_api as api;
use vswitch_cnm::{Endpoint, GatewayChoice, Network, NetworkId};
use vswitch_netio::InterfaceName;

use super::endpoint::router;
use super::{Control, ControlError, convert, now};
use crate::dataplane::{self, HostRoute, HostWay, PortName};

/// Where uplinks are.
const HOST: &str = "host";

impl Control {
    /// Which MAC addresses are behind which ports, of one network or of all.
    ///
    /// # Errors
    /// [`ControlError::Model`] if there is no such network.
    pub fn fdb(&self, network: Option<&str>) -> Result<Vec<api::FdbEntry>, ControlError> {
        let rows = self.dataplane.fdb(self.network_id(network)?);
        let entries = rows.into_iter().filter_map(|row| {
            Some(api::FdbEntry {
                network: self.network_name(row.network)?,
                mac: row.mac.to_string(),
                vlan: (row.vlan != 0).then_some(row.vlan),
                port: self.learned_port(row.origin, row.port)?,
                age: row.age.map(u64::from),
                origin: origin(row.origin),
            })
        });
        Ok(entries.collect())
    }

    /// Which MAC addresses the router knows for IP addresses, of one network or of all.
    ///
    /// # Errors
    /// [`ControlError::Model`] if there is no such network.
    pub fn neighbours(
        &self,
        network: Option<&str>,
    ) -> Result<Vec<api::NeighbourEntry>, ControlError> {
        let rows = self.dataplane.neighbours(self.network_id(network)?);
        let entries = rows.into_iter().filter_map(|row| {
            Some(api::NeighbourEntry {
                network: self.network_name(row.network)?,
                address: row.ip,
                mac: Some(row.mac.to_string()),
                port: self.learned_port(row.origin, row.port),
                // The workers forget an entry when it is no longer to be trusted.
                state: if row.age.is_some() {
                    "reachable"
                } else {
                    "permanent"
                }
                .to_owned(),
                age: row.age,
                origin: origin(row.origin),
            })
        });
        Ok(entries.collect())
    }

    /// The counters of all ports, or of those of a network, or of one port.
    ///
    /// # Errors
    /// [`ControlError::NothingNamed`].
    pub fn stats(&self, of: Option<&str>) -> Result<Vec<api::PortStats>, ControlError> {
        let Some(term) = of else {
            return Ok(self.port_stats(None));
        };
        let network = self.model.find_network(term).ok();
        // A port's name goes before the mere beginning of an id.
        if network.is_none_or(|network| network.name != term) {
            let mut ports = self.port_stats(None);
            ports.retain(|stats| stats.port.answers_to(term));
            if !ports.is_empty() {
                return Ok(ports);
            }
        }
        match network {
            Some(network) => Ok(self.port_stats(Some(network.id))),
            None => Err(ControlError::NothingNamed(term.to_owned())),
        }
    }

    /// Where the switch's router and the sandboxes send a packet.
    #[must_use]
    pub fn routes(&self) -> Vec<api::RouteEntry> {
        let mut networks: Vec<_> = self.model.networks().collect();
        networks.sort_by(|a, b| a.name.cmp(&b.name));
        let mut routes: Vec<_> = networks
            .into_iter()
            .flat_map(|network| self.router_routes(network))
            .collect();
        let host = self.outside.routes();
        routes.extend(host.map(|(route, uplink)| host_route(route, uplink)));
        for sandbox in self.model.sandboxes() {
            let mut endpoints: Vec<_> = self.model.endpoints_in(&sandbox.key).collect();
            endpoints.sort_by(|a, b| a.ifname.cmp(&b.ifname));
            let gateways = self.model.gateway_of(&sandbox.key);
            let v4 = (IpNet::V4(Ipv4Net::default()), gateways.v4);
            let v6 = (IpNet::V6(Ipv6Net::default()), gateways.v6);
            routes.extend(
                [v4, v6]
                    .into_iter()
                    .filter_map(|(everything, choice)| self.gateway_route(everything, &choice?)),
            );
            routes.extend(
                endpoints
                    .into_iter()
                    .flat_map(|endpoint| self.connected_routes(endpoint)),
            );
        }
        routes
    }

    fn router_routes(&self, network: &Network) -> Vec<api::RouteEntry> {
        let segments = self.model.bridge_settings(network.id).unwrap_or_default();
        let connected = segments.iter().flat_map(|segment| {
            segment.gateways.iter().map(|gateway| api::RouteEntry {
                sandbox: None,
                destination: gateway.trunc(),
                gateway: None,
                network: Some(network.name.clone()),
                interface: segment.host_port.clone(),
                metric: None,
                age: Some(now().saturating_sub(network.created)),
                source: None,
                kind: api::RouteKind::Unicast,
                origin: api::RouteOrigin::Connected,
            })
        });
        connected.collect()
    }

    fn connected_routes(&self, endpoint: &Endpoint) -> Vec<api::RouteEntry> {
        let connected = endpoint.addresses.iter().map(|address| api::RouteEntry {
            sandbox: Some(convert::sandbox(endpoint)),
            destination: address.trunc(),
            gateway: None,
            network: self.network_name(endpoint.network),
            interface: endpoint.ifname.clone(),
            metric: None,
            age: Some(now().saturating_sub(endpoint.created)),
            source: None,
            kind: api::RouteKind::Unicast,
            origin: api::RouteOrigin::Connected,
        });
        connected.collect()
    }

    fn gateway_route(&self, everything: IpNet, choice: &GatewayChoice) -> Option<api::RouteEntry> {
        let endpoint = self.model.endpoint(choice.endpoint)?;
        Some(api::RouteEntry {
            sandbox: Some(convert::sandbox(endpoint)),
            destination: everything,
            gateway: router(choice.next_hop),
            network: self.network_name(choice.network),
            interface: Some(choice.ifname.clone()),
            metric: None,
            // The election is not remembered.
            age: None,
            source: None,
            kind: api::RouteKind::Unicast,
            origin: api::RouteOrigin::Gateway,
        })
    }

    fn port_stats(&self, network: Option<NetworkId>) -> Vec<api::PortStats> {
        let rows = self.dataplane.stats(network).into_iter();
        rows.filter_map(|row| {
            let totals = row.totals;
            Some(api::PortStats {
                network: match row.network {
                    Some(network) => self.network_name(network)?,
                    None => HOST.to_owned(),
                },
                port: self.port(row.port)?,
                rx: api::Traffic {
                    frames: totals.received_frames,
                    bytes: totals.received_bytes,
                    super_frames: totals.received_super,
                },
                tx: api::Traffic {
                    frames: totals.sent_frames,
                    bytes: totals.sent_bytes,
                    super_frames: totals.sent_super,
                },
                coalesced: totals.coalesced,
                segmented: totals.segmented,
                held: totals.held,
                drops: totals
                    .dropped()
                    .map(|(reason, count)| (reason.name().to_owned(), count))
                    .collect(),
            })
        })
        .collect()
    }

    /// The gateway's own entries are at no port.
    fn learned_port(&self, origin: dataplane::Origin, port: Option<PortName>) -> Option<api::Port> {
        if origin == dataplane::Origin::Gateway {
            return Some(api::Port {
                name: "gateway".to_owned(),
                sandbox: None,
                ifname: None,
            });
        }
        self.port(port?)
    }

    fn port(&self, name: PortName) -> Option<api::Port> {
        match name {
            PortName::Endpoint(id) => {
                let endpoint = self.model.endpoint(id)?;
                Some(api::Port {
                    name: endpoint.tap_name(),
                    sandbox: Some(convert::sandbox(endpoint)),
                    ifname: endpoint.ifname.clone(),
                })
            }
            PortName::Uplink(interface) => {
                let name = self.outside.name(interface)?.to_string();
                Some(api::Port {
                    name: name.clone(),
                    sandbox: Some(HOST.to_owned()),
                    ifname: Some(name),
                })
            }
            PortName::Parent(key) => {
                let name = self.parents.name(key)?.to_string();
                Some(api::Port {
                    name: format!("parent-{name}"),
                    sandbox: None,
                    ifname: None,
                })
            }
            PortName::Underlay(key) => Some(api::Port {
                name: self.underlay_name(key),
                sandbox: None,
                ifname: None,
            }),
            PortName::Vtep(segment, address) => Some(api::Port {
                name: self.vtep_name(segment, address),
                sandbox: None,
                ifname: None,
            }),
            PortName::Host(segment) => {
                let name = self.segment_settings(segment)?.host_port?;
                Some(api::Port {
                    name: name.clone(),
                    sandbox: Some(HOST.to_owned()),
                    ifname: Some(name),
                })
            }
        }
    }

    pub(super) fn network_id(&self, term: Option<&str>) -> Result<Option<NetworkId>, ControlError> {
        let found = term.map(|term| self.model.find_network(term)).transpose()?;
        Ok(found.map(|network| network.id))
    }

    pub(super) fn network_name(&self, id: NetworkId) -> Option<String> {
        self.model.network(id).map(|network| network.name.clone())
    }
}

/// A route of the host, as the router takes it.
fn host_route(route: &HostRoute, uplink: Option<&InterfaceName>) -> api::RouteEntry {
    let (gateway, source, kind) = match route.way {
        HostWay::Interface {
            gateway, source, ..
        } => {
            let kind = if uplink.is_some() {
                api::RouteKind::Unicast
            } else {
                api::RouteKind::Elsewhere
            };
            (gateway, source, kind)
        }
        HostWay::Unreachable => (None, None, api::RouteKind::Unreachable),
        HostWay::Prohibited => (None, None, api::RouteKind::Prohibit),
        HostWay::Blackhole => (None, None, api::RouteKind::Blackhole),
    };
    api::RouteEntry {
        sandbox: None,
        destination: route.destination,
        gateway,
        network: None,
        interface: uplink.map(ToString::to_string),
        source,
        metric: Some(route.metric),
        age: None,
        kind,
        origin: api::RouteOrigin::Host,
    }
}

const fn origin(origin: dataplane::Origin) -> api::EntryOrigin {
    match origin {
        dataplane::Origin::Static => api::EntryOrigin::Static,
        dataplane::Origin::Programmed => api::EntryOrigin::Programmed,
        dataplane::Origin::Learned => api::EntryOrigin::Learned,
        dataplane::Origin::Gateway => api::EntryOrigin::Gateway,
    }
}
