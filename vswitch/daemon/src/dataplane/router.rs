//! The router's part of the configuration: uplinks, routes, published ports and policies.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;
use vswitch_cnm::EndpointId;
use vswitch_datapath::router::{Hop, Route, RouteKind, Routes, Uplink};
use vswitch_datapath::{Neighbours, Port, PortId, Role, Router};
use vswitch_nat::{Nat, Opening, Owner, Protocol, Publication, Published};
use vswitch_netio::clock;
use vswitch_netio::packet_socket::PacketSocket;
use vswitch_packet::MacAddr;

use super::name::PortName;
use super::queue::{Frames, Queue};
use super::snapshot::Snapshot;
use super::tables::PortStats;
use super::{Dataplane, Directory};

/// A NIC of the host that leads outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UplinkSpec {
    /// Its index.
    pub interface: u32,
    /// Its address.
    pub mac: MacAddr,
    /// The longest packet, in octets.
    pub mtu: u16,
    /// The host's addresses on it, the preferred one of each family first.
    pub addresses: Vec<IpNet>,
}

/// One of the host's routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRoute {
    /// Where to.
    pub destination: IpNet,
    /// What happens there.
    pub way: HostWay,
    /// The lower, the better.
    pub metric: u32,
}

/// Which way a route of the host leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostWay {
    /// By an interface, which may be an uplink or not.
    Interface {
        /// Its index.
        interface: u32,
        /// The next router.
        gateway: Option<IpAddr>,
        /// The preferred source.
        source: Option<IpAddr>,
        /// A smaller MTU.
        mtu: Option<u16>,
    },
    /// Nowhere, and the sender is told.
    Unreachable,
    /// Nowhere, by policy.
    Prohibited,
    /// Nowhere.
    Blackhole,
}

/// A published range of ports, of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointPorts {
    /// The endpoint's port.
    pub owner: Owner,
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// The host's address and ports; none where the container is reached at its own address only.
    pub host: Option<(IpAddr, RangeInclusive<u16>)>,
    /// The container's address.
    pub inside: IpAddr,
    /// The container's ports.
    pub ports: RangeInclusive<u16>,
}

impl Dataplane {
    /// The translator.
    #[must_use]
    pub const fn nat(&self) -> &Arc<Nat> {
        &self.nat
    }

    /// Adds a NIC; one socket for each worker.
    ///
    /// # Errors
    /// If it is an uplink already.
    pub fn add_uplink(&self, spec: &UplinkSpec, sockets: Vec<PacketSocket>) -> anyhow::Result<()> {
        let queues = sockets.into_iter().map(Frames::Uplink);
        let queues = queues.map(Queue::Frames).collect();
        let mut directory = self.directory();
        let name = PortName::Uplink(spec.interface);
        self.add_outer_port(&mut directory, name, queues, |port, next| {
            next.edit_router(|router| {
                router.uplinks.push(Uplink {
                    port: port.id,
                    mac: spec.mac,
                    addresses: spec.addresses.clone(),
                    neighbours: Arc::new(Neighbours::default()),
                });
            });
            Port {
                role: Role::Uplink,
                mac: spec.mac,
                mtu: spec.mtu,
                ..port
            }
        })
    }

    /// Whether a NIC is an uplink, and its device still there.
    #[must_use]
    pub fn has_uplink(&self, interface: u32) -> bool {
        let directory = self.directory();
        let port = directory.ports.get(&PortName::Uplink(interface));
        let snapshot = self.shared.snapshot.load();
        port.and_then(|&port| snapshot.wire(port))
            .is_some_and(|wire| !wire.is_gone())
    }

    /// Replaces the host's addresses on a NIC.
    pub fn set_uplink_addresses(&self, interface: u32, addresses: &[IpNet]) {
        let directory = self.directory();
        let Some(&port) = directory.ports.get(&PortName::Uplink(interface)) else {
            return;
        };
        self.change(|next| {
            next.edit_router(|router| {
                if let Some(uplink) = router.uplinks.iter_mut().find(|u| u.port == port) {
                    uplink.addresses = addresses.to_vec();
                }
            });
        });
    }

    /// Takes a NIC away. Returns when no worker holds its sockets.
    pub fn remove_uplink(&self, interface: u32) {
        let mut directory = self.directory();
        let Some(port) = directory.ports.remove(&PortName::Uplink(interface)) else {
            return;
        };
        self.change(|next| {
            next.edit_router(|router| router.uplinks.retain(|uplink| uplink.port != port));
            next.unwire(port);
        });
        self.settle();
        self.forget(port);
    }

    /// Tells of a neighbour that the host's kernel knows on a NIC.
    pub fn learn_uplink_neighbour(
        &self,
        interface: u32,
        address: IpAddr,
        mac: MacAddr,
        permanent: bool,
    ) {
        let directory = self.directory();
        let Some(&port) = directory.ports.get(&PortName::Uplink(interface)) else {
            return;
        };
        let snapshot = self.shared.snapshot.load();
        let mut uplinks = snapshot.topology.router().uplinks.iter();
        let Some(uplink) = uplinks.find(|uplink| uplink.port == port) else {
            return;
        };
        if permanent {
            uplink
                .neighbours
                .set_static(address, mac, port, clock::now());
        } else {
            uplink.neighbours.learn(address, mac, port, clock::now());
        }
    }

    /// Replaces the host's routes.
    pub fn set_host_routes(&self, routes: &[HostRoute]) {
        let directory = self.directory();
        let routes = routes.iter().map(|route| directory.route(route)).collect();
        let routes = Arc::new(Routes::new(routes));
        self.change(|next| next.edit_router(|router| router.routes = routes));
    }

    /// Replaces the published ports. Returns when no worker goes by the former ones.
    pub fn set_published(&self, ports: &[EndpointPorts]) {
        let _directory = self.directory();
        let mut publications = Vec::new();
        let mut openings = Vec::new();
        for entry in ports {
            openings.push(Opening {
                protocol: entry.protocol,
                inside: entry.inside,
                ports: entry.ports.clone(),
            });
            if let Some((address, host)) = &entry.host {
                publications.push(Publication {
                    owner: entry.owner,
                    protocol: entry.protocol,
                    address: *address,
                    ports: host.clone(),
                    inside: SocketAddr::new(entry.inside, *entry.ports.start()),
                });
            }
        }
        let published = Arc::new(Published::new(publications, openings));
        self.change(|next| next.edit_router(|router| router.published = published));
        self.settle();
    }

    /// Ends the mappings at ports of one of the host's addresses, and their sessions.
    pub fn end_mappings(&self, protocol: Protocol, address: IpAddr, ports: RangeInclusive<u16>) {
        for port in ports {
            let external = SocketAddr::new(address, port);
            self.nat.forget_mapping(protocol, external);
        }
    }

    /// The counters of ports that belong to no network.
    pub(super) fn outer_stats(&self) -> Vec<PortStats> {
        let snapshot = self.shared.snapshot.load();
        let ports = snapshot.topology.ports();
        ports
            .filter(|port| port.bridge.is_none())
            .filter_map(|port| {
                Some(PortStats {
                    network: None,
                    port: snapshot.wire(port.id)?.name,
                    totals: port.counters.total(),
                })
            })
            .collect()
    }

    /// Whose an address is among the endpoints' ports.
    #[must_use]
    pub fn owner(&self, endpoint: EndpointId) -> Option<Owner> {
        let directory = self.directory();
        let port = directory.ports.get(&PortName::Endpoint(endpoint))?;
        Some(Owner(port.0))
    }

    /// Which endpoint an owner is.
    #[must_use]
    pub fn endpoint_of(&self, owner: Owner) -> Option<EndpointId> {
        let snapshot = self.shared.snapshot.load();
        match snapshot.wire(PortId(owner.0))?.name {
            PortName::Endpoint(id) => Some(id),
            _ => None,
        }
    }
}

impl Directory {
    fn route(&self, route: &HostRoute) -> Route {
        let kind = match route.way {
            HostWay::Interface {
                interface,
                gateway,
                source,
                mtu,
            } => match self.ports.get(&PortName::Uplink(interface)) {
                Some(&port) => RouteKind::Via(Hop {
                    port,
                    gateway,
                    source,
                    mtu,
                }),
                None => RouteKind::Elsewhere,
            },
            HostWay::Unreachable => RouteKind::Unreachable,
            HostWay::Prohibited => RouteKind::Prohibited,
            HostWay::Blackhole => RouteKind::Blackhole,
        };
        Route {
            destination: route.destination,
            kind,
            metric: route.metric,
        }
    }
}

impl Snapshot {
    pub(super) fn edit_router(&mut self, change: impl FnOnce(&mut Router)) {
        let mut router = self.topology.router().clone();
        change(&mut router);
        self.topology.set_router(router);
    }
}
