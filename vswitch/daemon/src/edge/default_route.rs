//! The default routes of a sandbox, towards the gateway that was elected.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use vswitch_ipam::Family;
use vswitch_netio::InterfaceName;
use vswitch_netio::netlink::{Link, Netlink, NetlinkError, Route, RouteTable};

use super::{EdgeError, GuestMark, Namespace};
use crate::daemon_id::DaemonId;

/// A default route that should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultRoute {
    /// Its interface: the alias, as the user may have renamed it.
    pub alias: String,
    /// What the interface is known by if somebody else made it.
    pub guest: Option<GuestMark>,
    /// The name that the interface was given.
    pub interface: InterfaceName,
    /// Of IPv4 or of IPv6.
    pub family: Family,
    /// The next hop; `None` if everything is on the link.
    pub gateway: Option<IpAddr>,
}

/// Sets the sandbox's default routes, one per IP version at most, in the place of others through
/// interfaces of this daemon and through its `guests`. One that somebody else made stays, with a warning in the
/// log.
///
/// Routes through an interface that is gone went with it.
///
/// # Errors
/// [`EdgeError::Netlink`].
pub fn set_default_routes(
    sandbox: &mut Namespace,
    daemon: DaemonId,
    guests: &[GuestMark],
    routes: &[DefaultRoute],
) -> Result<(), EdgeError> {
    let netlink = &mut sandbox.netlink;
    for wanted in routes {
        let Some(link) = find(netlink, wanted)? else {
            continue;
        };
        let route = match wanted.gateway {
            Some(gateway) => Route::default_via(gateway, link.index),
            None => default_on(link.index, wanted.family),
        };
        match netlink.add_route(&route) {
            Err(NetlinkError::Exists(_)) => replace(netlink, daemon, guests, &route)?,
            other => other?,
        }
    }
    Ok(())
}

fn default_on(interface: u32, family: Family) -> Route {
    let everything = match family {
        Family::V4 => IpNet::V4(Ipv4Net::default()),
        Family::V6 => IpNet::V6(Ipv6Net::default()),
    };
    Route {
        destination: None,
        ..Route::to(everything, None, interface)
    }
}

fn find(netlink: &mut Netlink, wanted: &DefaultRoute) -> Result<Option<Link>, NetlinkError> {
    if let Some(guest) = &wanted.guest {
        return Ok(guest.among(&netlink.links()?));
    }
    let marked = |link: &Link| link.alias.as_ref() == Some(&wanted.alias);
    Ok(match netlink.link(&wanted.interface)?.filter(marked) {
        Some(link) => Some(link),
        None => netlink.links()?.into_iter().find(marked),
    })
}

/// There is a default route already: put ours in its place if it is one of ours.
fn replace(
    netlink: &mut Netlink,
    daemon: DaemonId,
    guests: &[GuestMark],
    route: &Route,
) -> Result<(), NetlinkError> {
    let present = netlink.routes()?.into_iter().find(|present| {
        present.table == RouteTable::Main
            && present.destination.is_none()
            && present.version == route.version
            && matches!(present.metric, 0 | IPV6_DEFAULT_METRIC)
    });
    let Some(present) = present else {
        return netlink.replace_route(route);
    };
    if present.interface == route.interface && present.gateway == route.gateway {
        return Ok(());
    }
    let link = netlink.link_at(present.interface)?;
    let alias = link.as_ref().and_then(|link| link.alias.as_deref());
    let is_guest = |link: &Link| guests.iter().any(|guest| guest.is(link));
    if alias.is_some_and(|alias| daemon.owned(alias).is_some())
        || link.as_ref().is_some_and(is_guest)
    {
        return netlink.replace_route(route);
    }
    tracing::warn!(
        interface = link.as_ref().map(|link| link.name.as_str()),
        "the sandbox has a default route of its own, which stays"
    );
    Ok(())
}

/// What the kernel makes of metric 0 (`IP6_RT_PRIO_USER`).
const IPV6_DEFAULT_METRIC: u32 = 1024;
