//! The host port: a TAP in the host's namespace that holds a network's gateway addresses, or the host's own on a LAN.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;

use ipnet::IpNet;
use vswitch_netio::InterfaceName;
use vswitch_netio::netlink::{Dad, LinkSettings, Route, RouteTable};
use vswitch_netio::sysctl::{self, SysctlError};
use vswitch_netio::tap::Tap;
use vswitch_packet::MacAddr;

use super::interface::{configure, match_ipv6, unqueue};
use super::{EdgeError, Namespace};

/// How a host port is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// Its name.
    pub name: InterfaceName,
    /// Its mark.
    pub alias: String,
    /// The router's address, which the host has too.
    pub mac: MacAddr,
    /// The longest packet, in bytes.
    pub mtu: u16,
    /// With the prefix length of their subnets, which makes the host's routes to them.
    pub addresses: Vec<IpNet>,
}

impl HostPort {
    /// Makes it in the calling thread's namespace, which is the host's.
    ///
    /// It is up, and survives its queues, when this returns. On failure nothing is left behind.
    ///
    /// # Errors
    /// [`EdgeError`].
    pub fn make(&self, host: &mut Namespace, queues: NonZeroUsize) -> Result<Tap, EdgeError> {
        let tap = Tap::create(&self.name, queues)?;
        let netlink = &mut host.netlink;
        let settings = LinkSettings {
            alias: Some(&self.alias),
            mac: Some(self.mac),
            mtu: Some(u32::from(self.mtu)),
            ..LinkSettings::default()
        };
        netlink.set(tap.index, &settings)?;
        unqueue(netlink, tap.index);
        match_ipv6(&self.name, &self.addresses)?;
        ignore_router_advertisements(&self.name)?;
        configure(netlink, tap.index, &self.addresses)?;
        tap.set_persistent(true)?;
        Ok(tap)
    }
}

impl HostPort {
    /// Gives it the addresses that the host has now, in the place of those it had. Nothing happens if it is
    /// not there.
    ///
    /// # Errors
    /// [`EdgeError`].
    pub fn follow_addresses(&self, host: &mut Namespace) -> Result<(), EdgeError> {
        let netlink = &mut host.netlink;
        let Some(link) = netlink
            .link(&self.name)?
            .filter(|link| link.alias.as_ref() == Some(&self.alias))
        else {
            return Ok(());
        };
        let addresses = netlink.addresses()?.into_iter();
        let present: Vec<IpNet> = addresses
            .filter(|address| address.interface == link.index)
            .map(|address| address.network)
            .filter(
                |network| !matches!(network, IpNet::V6(v6) if v6.addr().is_unicast_link_local()),
            )
            .collect();
        if present.iter().all(|net| self.addresses.contains(net))
            && self.addresses.iter().all(|net| present.contains(net))
        {
            return Ok(());
        }
        for gone in present.iter().filter(|net| !self.addresses.contains(net)) {
            netlink.remove_address(link.index, *gone)?;
        }
        match_ipv6(&self.name, &self.addresses)?;
        for new in self.addresses.iter().filter(|net| !present.contains(net)) {
            netlink.add_address(link.index, *new, Dad::Off)?;
        }
        Ok(())
    }
}

/// Makes the host's routes through a host port lead to `stations`, each with the host's address that it is reached
/// from, and nowhere else. Nothing happens if the port is not there.
///
/// # Errors
/// [`EdgeError`].
pub fn route_stations(
    host: &mut Namespace,
    port: &HostPort,
    stations: &BTreeMap<IpAddr, IpAddr>,
) -> Result<(), EdgeError> {
    let netlink = &mut host.netlink;
    let Some(link) = netlink.link(&port.name)? else {
        return Ok(());
    };
    let wanted: BTreeMap<IpNet, IpAddr> = stations
        .iter()
        .map(|(&station, &source)| (IpNet::from(station), source))
        .collect();
    let mut present = BTreeMap::new();
    for route in netlink.routes()? {
        // Routes of the kernel's own to the host's addresses are in the table of local ones.
        if let (Some(to), RouteTable::Main, true) = (
            route.destination,
            route.table,
            route.interface == link.index,
        ) && to.prefix_len() == to.max_prefix_len()
            && !port.addresses.contains(&to)
        {
            present.insert(to, route);
        }
    }
    for (to, route) in &present {
        if !wanted.contains_key(to) {
            netlink.delete_route(route)?;
        }
    }
    for (to, from) in wanted {
        if present.get(&to).map(|route| route.preferred_source) != Some(Some(from)) {
            let mut route = Route::to(to, None, link.index);
            route.preferred_source = Some(from);
            netlink.replace_route(&route)?;
        }
    }
    Ok(())
}

/// No container may become the host's router.
fn ignore_router_advertisements(name: &InterfaceName) -> Result<(), SysctlError> {
    match sysctl::write(&["ipv6", "conf", name.as_str(), "accept_ra"], "0") {
        Err(SysctlError::NotFound { .. }) => Ok(()),
        Err(error @ SysctlError::NotPermitted { .. }) => {
            tracing::warn!("{error}");
            Ok(())
        }
        other => other,
    }
}
