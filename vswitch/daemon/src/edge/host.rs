//! What the host is like: its routes, its addresses, and its way outside.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_netio::netlink::{Address, Link, NetlinkError, Route, RouteKind, RouteTable};

use super::Namespace;
use crate::config::Uplink;
use crate::daemon_id::DaemonId;

/// The host's routes that a network's subnet must not overlap: all but default routes, and but
/// those through our own host ports.
///
/// # Errors
/// [`NetlinkError`].
pub fn occupied_routes(host: &mut Namespace, daemon: DaemonId) -> Result<Vec<IpNet>, NetlinkError> {
    let links = host.netlink.links()?;
    let routes = host.netlink.routes()?;
    Ok(occupied(&routes, &links, daemon))
}

/// The smallest MTU of the interfaces that lead outside, or `None` if none does.
///
/// # Errors
/// [`NetlinkError`].
pub fn uplink_mtu(host: &mut Namespace, uplink: &Uplink) -> Result<Option<u32>, NetlinkError> {
    if *uplink == Uplink::None {
        return Ok(None);
    }
    let links = host.netlink.links()?;
    let routes = host.netlink.routes()?;
    let leads_outside = |link: &Link| match uplink {
        Uplink::Interfaces(names) => names.contains(&link.name),
        _ => routes
            .iter()
            .any(|route| is_default(route) && route.interface == link.index),
    };
    let outside = links.iter().filter(|link| leads_outside(link));
    Ok(outside.map(|link| link.mtu).min())
}

/// The MTU of the way to other hosts: of the interface that has the address `local`, or of those that
/// lead outside.
///
/// # Errors
/// [`NetlinkError`].
pub fn underlay_mtu(
    host: &mut Namespace,
    local: Option<IpAddr>,
) -> Result<Option<u32>, NetlinkError> {
    let Some(local) = local else {
        return uplink_mtu(host, &Uplink::Auto);
    };
    let Some(index) = interface_of(host, local)? else {
        return Ok(None);
    };
    Ok(host.netlink.link_at(index)?.map(|link| link.mtu))
}

/// The index of the interface that has an address.
///
/// # Errors
/// [`NetlinkError`].
pub fn interface_of(host: &mut Namespace, address: IpAddr) -> Result<Option<u32>, NetlinkError> {
    let addresses = host.netlink.addresses()?;
    let mut found = addresses.iter().filter(|a| a.network.addr() == address);
    Ok(found.next().map(|address| address.interface))
}

/// The addresses by which the host itself is reached: all but loopback's.
///
/// # Errors
/// [`NetlinkError`].
pub fn addresses(host: &mut Namespace) -> Result<Vec<IpAddr>, NetlinkError> {
    Ok(reachable(&host.netlink.addresses()?))
}

fn is_default(route: &Route) -> bool {
    route.table == RouteTable::Main
        && route.destination.is_none()
        && route.kind == RouteKind::Unicast
}

fn occupied(routes: &[Route], links: &[Link], daemon: DaemonId) -> Vec<IpNet> {
    let ours = |index: u32| {
        links.iter().any(|link| {
            let alias = link.alias.as_deref();
            link.index == index && alias.is_some_and(|alias| daemon.owned(alias).is_some())
        })
    };
    let mut occupied: Vec<IpNet> = routes
        .iter()
        .filter(|route| {
            // The local table and its kinds repeat what the routes of the same interface say.
            route.table != RouteTable::Local
                && !matches!(
                    route.kind,
                    RouteKind::Local
                        | RouteKind::Broadcast
                        | RouteKind::Anycast
                        | RouteKind::Multicast
                )
                && !ours(route.interface)
        })
        .filter_map(|route| route.destination)
        .filter(|net| !is_everything(net) && !is_link_local(net) && !net.addr().is_multicast())
        .collect();
    occupied.sort_unstable();
    occupied.dedup();
    occupied
}

/// A default route, or a half of one, as VPN clients set them to win over the default route.
fn is_everything(net: &IpNet) -> bool {
    net.prefix_len() <= 1
}

/// `fe80::/10` is on every link, and in the way of none.
fn is_link_local(net: &IpNet) -> bool {
    matches!(net, IpNet::V6(v6) if v6.addr().is_unicast_link_local())
}

fn reachable(addresses: &[Address]) -> Vec<IpAddr> {
    let mut reachable: Vec<IpAddr> = addresses
        .iter()
        .map(|address| address.network.addr())
        .filter(|ip| !ip.is_loopback())
        .collect();
    reachable.sort_unstable();
    reachable.dedup();
    reachable
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: DaemonId = DaemonId::new([1; 8]);

    fn link(index: u32, alias: Option<String>) -> Link {
        Link {
            index,
            name: format!("if{index}").parse().unwrap(),
            mac: None,
            permanent_mac: None,
            mtu: 1500,
            up: true,
            running: true,
            carrier: true,
            alias,
            kind: None,
            controller: None,
            promiscuity: 0,
            tun: None,
        }
    }

    fn route(destination: &str, gateway: Option<&str>, interface: u32) -> Route {
        Route::to(
            destination.parse().unwrap(),
            gateway.map(|ip| ip.parse().unwrap()),
            interface,
        )
    }

    #[test]
    fn routes_of_the_host_are_occupied_and_ours_are_not() {
        let links = [
            link(1, None),
            link(2, Some("uplink".to_owned())),
            link(3, Some(OURS.alias(&"a"))),
            link(4, Some(DaemonId::new([2; 8]).alias(&"b"))),
        ];
        let routes = [
            route("0.0.0.0/0", Some("10.0.0.254"), 2),
            route("0.0.0.0/1", Some("10.0.0.254"), 2),
            route("128.0.0.0/1", Some("10.0.0.254"), 2),
            route("10.0.0.0/24", None, 2),
            route("10.9.0.0/16", Some("10.0.0.254"), 2),
            route("172.17.0.0/16", None, 3),
            route("172.18.0.0/16", None, 4),
            route("fe80::/64", None, 2),
            route("ff00::/8", None, 2),
            route("fd00:1::/64", None, 2),
            Route {
                kind: RouteKind::Blackhole,
                ..route("172.30.0.0/16", None, 0)
            },
            Route {
                table: RouteTable::Local,
                kind: RouteKind::Local,
                ..route("192.168.5.5/32", None, 2)
            },
        ];
        let expected = [
            "10.0.0.0/24",
            "10.9.0.0/16",
            "172.18.0.0/16",
            "172.30.0.0/16",
            "fd00:1::/64",
        ];
        let occupied: Vec<String> = occupied(&routes, &links, OURS)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(occupied, expected);
    }

    #[test]
    fn loopback_is_no_way_to_the_host() {
        let address = |network: &str| Address {
            interface: 1,
            network: network.parse().unwrap(),
            local_scope: false,
            tentative: false,
        };
        let all = [
            "127.0.0.1/8",
            "::1/128",
            "10.0.0.5/24",
            "fe80::1/64",
            "10.0.0.5/32",
        ];
        let reachable = reachable(&all.map(address));
        let expected: [IpAddr; 2] = ["10.0.0.5".parse().unwrap(), "fe80::1".parse().unwrap()];
        assert_eq!(reachable, expected);
    }
}
