//! Which of the host's interfaces lead outside, and the host's routes as the router wants them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use vswitch_netio::InterfaceName;
use vswitch_netio::netlink::{Address, Link, NetlinkError, Route, RouteKind, RouteTable};

use crate::config::Uplink;
use crate::daemon_id::DaemonId;
use crate::dataplane::{HostRoute, HostWay, UplinkSpec};
use crate::edge::Namespace;

/// What the kernel says of the way outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Interfaces that lead outside, and are up.
    pub(crate) nics: Vec<Nic>,
    /// The addresses by which the outside reaches the host.
    pub(crate) addresses: BTreeSet<IpAddr>,
    /// The main table.
    pub(crate) routes: Vec<HostRoute>,
}

/// An interface that leads outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Nic {
    /// Its name.
    pub(crate) name: InterfaceName,
    /// What the router is told.
    pub(crate) spec: UplinkSpec,
}

impl Survey {
    /// The uplinks are those that are wanted, and those by which networks are routed.
    pub(crate) fn take(
        host: &mut Namespace,
        wanted: &Uplink,
        routed: &BTreeSet<InterfaceName>,
        daemon: DaemonId,
    ) -> Result<Self, NetlinkError> {
        let links = host.netlink.links()?;
        let addresses = host.netlink.addresses()?;
        let routes = host.netlink.routes()?;
        let present = (&links[..], &addresses[..], &routes[..]);
        Ok(Self::of(present, wanted, routed, daemon))
    }

    fn of(
        (links, addresses, routes): (&[Link], &[Address], &[Route]),
        wanted: &Uplink,
        routed: &BTreeSet<InterfaceName>,
        daemon: DaemonId,
    ) -> Self {
        let ours = |index: u32| {
            let link = links.iter().find(|link| link.index == index);
            link.is_some_and(|link| is_ours(link, daemon))
        };
        let nics: Vec<Nic> = links
            .iter()
            .filter(|link| link.up && !is_ours(link, daemon))
            .filter(|link| {
                routed.contains(&link.name) || leads_outside(link, addresses, routes, wanted)
            })
            .filter_map(|link| nic(link, addresses))
            .collect();
        let routes = routes
            .iter()
            .filter(|route| route.table == RouteTable::Main && !ours(route.interface))
            .filter_map(host_route)
            .collect();
        let addresses = addresses
            .iter()
            .filter(|address| !ours(address.interface) && !address.tentative)
            .map(|address| address.network.addr())
            .filter(|address| is_global(*address))
            .collect();
        Self {
            nics,
            addresses,
            routes,
        }
    }
}

fn is_ours(link: &Link, daemon: DaemonId) -> bool {
    let alias = link.alias.as_deref();
    alias.is_some_and(|alias| daemon.owned(alias).is_some())
}

/// Without a list: the interfaces of default routes, and those of hardware and alike that have an
/// address. A bridge or a TAP that is not on the way to everywhere is somebody's own network.
fn leads_outside(link: &Link, addresses: &[Address], routes: &[Route], wanted: &Uplink) -> bool {
    match wanted {
        Uplink::None => false,
        Uplink::Interfaces(names) => names.contains(&link.name),
        Uplink::Auto => {
            let is_default = routes.iter().any(|route| {
                route.table == RouteTable::Main
                    && route.destination.is_none()
                    && route.kind == RouteKind::Unicast
                    && route.interface == link.index
            });
            let has_address = addresses
                .iter()
                .any(|address| address.interface == link.index && !address.local_scope);
            let somebodys = matches!(link.kind.as_deref(), Some("bridge" | "tun"));
            is_default || (has_address && !somebodys && link.controller.is_none())
        }
    }
}

/// `None` for what has no Ethernet address: there, a frame has no place to go.
fn nic(link: &Link, addresses: &[Address]) -> Option<Nic> {
    let mac = link.mac.filter(|mac| mac.is_valid_source())?;
    let own = addresses
        .iter()
        .filter(|address| address.interface == link.index && !address.tentative)
        .map(|address| address.network)
        .filter(|network| !network.addr().is_loopback())
        .collect();
    Some(Nic {
        name: link.name.clone(),
        spec: UplinkSpec {
            interface: link.index,
            mac,
            mtu: u16::try_from(link.mtu).unwrap_or(u16::MAX),
            addresses: own,
        },
    })
}

fn host_route(route: &Route) -> Option<HostRoute> {
    let way = match route.kind {
        RouteKind::Unicast => HostWay::Interface {
            interface: route.interface,
            gateway: route.gateway,
            source: route.preferred_source,
            mtu: route.mtu.and_then(|mtu| u16::try_from(mtu).ok()),
        },
        RouteKind::Unreachable => HostWay::Unreachable,
        RouteKind::Prohibit => HostWay::Prohibited,
        RouteKind::Blackhole => HostWay::Blackhole,
        _ => return None,
    };
    let everything = if route.version == 4 {
        IpNet::V4(Ipv4Net::default())
    } else {
        IpNet::V6(Ipv6Net::default())
    };
    Some(HostRoute {
        destination: route.destination.unwrap_or(everything),
        way,
        metric: route.metric,
    })
}

/// Reachable from beyond the link.
fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    }
}
