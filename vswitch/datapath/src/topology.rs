//! The configuration of all bridges and ports: an immutable snapshot that workers read.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;
use vswitch_packet::Moment;

use crate::bridge::{Bridge, BridgeId};
use crate::gateway::Gateway;
use crate::lan::{Lans, Member};
use crate::port::{Port, PortId, Role};
use crate::prefix::Prefixes;
use crate::router::Router;
use crate::snoop::Audience;
use crate::tunnel::Tunnels;
use crate::verdict::Reach;
use crate::vlan::Vlan;

/// All bridges and ports. Changing it means to clone it, which copies two vectors of handles, and
/// to publish the clone.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    bridges: Vec<Option<Arc<Bridge>>>,
    ports: Vec<Option<Arc<Port>>>,
    host_addresses: Arc<HashSet<IpAddr, FixedState>>,
    /// The gateways' subnets.
    subnets: Arc<Prefixes<BridgeId>>,
    router: Arc<Router>,
    tunnels: Arc<Tunnels>,
    lans: Arc<Lans>,
}

impl Topology {
    /// The port at `id`.
    #[inline]
    #[must_use]
    pub fn port(&self, id: PortId) -> Option<&Port> {
        self.ports.get(id.0 as usize)?.as_deref()
    }

    /// The bridge at `id`.
    #[inline]
    #[must_use]
    pub fn bridge(&self, id: BridgeId) -> Option<&Bridge> {
        self.bridges.get(id.0 as usize)?.as_deref()
    }

    /// All ports.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.ports.iter().flatten().map(AsRef::as_ref)
    }

    /// All bridges.
    pub fn bridges(&self) -> impl Iterator<Item = &Bridge> {
        self.bridges.iter().flatten().map(AsRef::as_ref)
    }

    /// The addresses of the host itself, wherever they are configured.
    #[must_use]
    pub fn host_addresses(&self) -> &HashSet<IpAddr, FixedState> {
        &self.host_addresses
    }

    /// The bridge in whose subnet `address` is.
    #[inline]
    #[must_use]
    pub fn bridge_of(&self, address: IpAddr) -> Option<BridgeId> {
        self.subnets.get(address).copied()
    }

    /// The router between bridges and uplinks.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Which datagram belongs to which tunnel.
    #[must_use]
    pub fn tunnels(&self) -> &Tunnels {
        &self.tunnels
    }

    /// Who is on which LAN.
    #[inline]
    #[must_use]
    pub fn lans(&self) -> &Lans {
        &self.lans
    }

    /// The ports a frame is flooded to: those of `ingress`'s bridge that `reach` covers, without
    /// `ingress` itself, without other VLANs, without isolated ports if it is isolated, and
    /// without tunnels if it came by one, or from the host.
    pub fn flood<'t>(
        &'t self,
        ingress: &'t Port,
        vlan: Vlan,
        reach: Reach,
        now: Moment,
    ) -> impl Iterator<Item = &'t Port> {
        let bridge = ingress.bridge.and_then(|bridge| self.bridge(bridge));
        let audience = match bridge.and_then(|bridge| bridge.groups.as_ref()) {
            Some(groups) => groups.audience(vlan, reach, now),
            None => Audience::Everyone,
        };
        let ports = bridge.map_or(&[][..], |bridge| &bridge.ports);
        ports
            .iter()
            .filter_map(|&id| self.port(id))
            .filter(move |port| {
                port.id != ingress.id
                    && !(port.isolated && ingress.isolated)
                    && vlan.leaves_by(port)
                    && match &port.tunnel {
                        None => audience.contains(port.id),
                        // Reports have to reach the switches of other hosts. Behind which of them
                        // members are, a group does not tell: it is no port that reports come from.
                        Some(tunnel) => {
                            tunnel.is_flooded
                                && ingress.role == Role::Endpoint
                                && (reach == Reach::Routers
                                    || tunnel.peer.ip().is_multicast()
                                    || audience.contains(port.id))
                        }
                    }
            })
    }

    /// A place for a new bridge, the lowest that is free.
    #[must_use]
    pub fn vacant_bridge(&self) -> BridgeId {
        BridgeId(vacant(&self.bridges))
    }

    /// A place for a new port, the lowest that is free. A place is free for use once every worker
    /// has let go of its former port and the learned tables have forgotten it.
    #[must_use]
    pub fn vacant_port(&self) -> PortId {
        PortId(vacant(&self.ports))
    }

    /// Puts `bridge` in its place; the bridge that was there is replaced.
    pub fn set_bridge(&mut self, bridge: Bridge) {
        let (id, place) = (bridge.id, bridge.id.0 as usize);
        let is_lan = bridge.lan.is_some() || self.is_lan(id);
        set(&mut self.bridges, place, Some(Arc::new(bridge)));
        self.index_subnets();
        self.index_tunnels();
        if is_lan {
            self.index_lans();
        }
    }

    /// Takes the bridge away. Its ports must be gone before.
    pub fn remove_bridge(&mut self, id: BridgeId) {
        let was_lan = self.is_lan(id);
        set(&mut self.bridges, id.0 as usize, None);
        self.index_subnets();
        self.index_tunnels();
        if was_lan {
            self.index_lans();
        }
    }

    /// Adds `port` to its bridge.
    pub fn add_port(&mut self, port: Port) {
        let (id, place) = (port.id, port.id.0 as usize);
        let was_tunnel = self.port(id).is_some_and(|port| port.tunnel.is_some());
        let is_tunnel = was_tunnel || port.tunnel.is_some();
        let is_of_lan = of_lan(&port) || self.port(id).is_some_and(of_lan);
        if let Some(bridge) = port.bridge {
            self.edit_bridge(bridge, |bridge| {
                if !bridge.ports.contains(&id) {
                    bridge.ports.push(id);
                }
            });
        }
        set(&mut self.ports, place, Some(Arc::new(port)));
        if is_tunnel {
            self.index_tunnels();
        }
        if is_of_lan {
            self.index_lans();
        }
    }

    /// Takes the port away.
    pub fn remove_port(&mut self, id: PortId) {
        if let Some(bridge) = self.port(id).and_then(|port| port.bridge) {
            self.edit_bridge(bridge, |bridge| {
                bridge.ports.retain(|&port| port != id);
                if let Some(gateway) = &mut bridge.gateway {
                    gateway.host_port = gateway.host_port.filter(|&port| port != id);
                }
            });
        }
        let is_tunnel = self.port(id).is_some_and(|port| port.tunnel.is_some());
        let was_of_lan = self.port(id).is_some_and(of_lan);
        set(&mut self.ports, id.0 as usize, None);
        if is_tunnel {
            self.index_tunnels();
        }
        if was_of_lan {
            self.index_lans();
        }
    }

    /// Changes the bridge at `id`.
    pub fn edit_bridge(&mut self, id: BridgeId, change: impl FnOnce(&mut Bridge)) {
        let Some(Some(bridge)) = self.bridges.get_mut(id.0 as usize) else {
            return;
        };
        let subnets = |bridge: &Bridge| -> Vec<_> {
            let gateway = bridge.gateway.iter();
            gateway.flat_map(Gateway::on_link).copied().collect()
        };
        let before = (subnets(bridge), bridge.overlay.clone());
        let lan_before = bridge.lan;
        change(Arc::make_mut(bridge));
        let (subnets_differ, overlay_differs) =
            (subnets(bridge) != before.0, bridge.overlay != before.1);
        let lan_differs = bridge.lan != lan_before;
        if subnets_differ {
            self.index_subnets();
        }
        if overlay_differs {
            self.index_tunnels();
        }
        if lan_differs {
            self.index_lans();
        }
    }

    fn is_lan(&self, bridge: BridgeId) -> bool {
        self.bridge(bridge)
            .is_some_and(|bridge| bridge.lan.is_some())
    }

    fn index_lans(&mut self) {
        self.lans = Arc::new(Lans::new(self));
    }

    fn index_tunnels(&mut self) {
        // Whoever has an address of ours is no other host.
        let ports = self.ports().filter(|port| {
            let tunnel = port.tunnel.as_ref();
            tunnel.is_none_or(|tunnel| !self.host_addresses.contains(&tunnel.peer.ip()))
        });
        self.tunnels = Arc::new(Tunnels::new(self.bridges(), ports));
    }

    fn index_subnets(&mut self) {
        let mut subnets = Prefixes::default();
        for bridge in self.bridges() {
            for &subnet in bridge.gateway.iter().flat_map(Gateway::on_link) {
                subnets.insert_new(subnet, bridge.id);
            }
        }
        self.subnets = Arc::new(subnets);
    }

    /// Replaces the router's configuration.
    pub fn set_router(&mut self, router: Router) {
        self.router = Arc::new(router);
    }

    /// Replaces the set of the host's addresses.
    pub fn set_host_addresses(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.host_addresses = Arc::new(addresses.into_iter().collect());
        self.index_tunnels();
    }
}

/// Whether LANs depend on `port`.
fn of_lan(port: &Port) -> bool {
    port.role == Role::Parent || Member::of(port).is_some()
}

fn vacant<T>(places: &[Option<T>]) -> u32 {
    let free = places
        .iter()
        .position(Option::is_none)
        .unwrap_or(places.len());
    u32::try_from(free).unwrap_or(u32::MAX)
}

fn set<T>(places: &mut Vec<Option<T>>, place: usize, value: Option<T>) {
    if places.len() <= place {
        places.resize_with(place + 1, || None);
    }
    places[place] = value;
}
