//! An endpoint's interface: a TAP in a sandbox, or one that an engine will put there.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;

use ipnet::{IpNet, Ipv6Net};
use vswitch_netio::InterfaceName;
use vswitch_netio::netlink::{
    AddressGeneration, Dad, Link, LinkSettings, Netlink, NetlinkError, Route,
};
use vswitch_netio::sysctl::{self, SysctlError};
use vswitch_netio::tap::{Tap, TapError};
use vswitch_packet::MacAddr;

use super::{EdgeError, Namespace};

/// How an interface is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name in the host's namespace, while it waits there for an engine.
    pub tap_name: InterfaceName,
    /// Its name in the sandbox.
    pub name: InterfaceName,
    /// Its mark.
    pub alias: String,
    /// Its address.
    pub mac: MacAddr,
    /// The longest packet, in bytes.
    pub mtu: u16,
    /// With the prefix length of their subnets.
    pub addresses: Vec<IpNet>,
    /// Whether it finds its neighbours by ARP and ND; one on a point-to-point link does not.
    pub arp: bool,
    /// What the interface hears of IPv6 beside its addresses.
    pub ipv6: Ipv6,
    /// The link-local address, where the kernel would make one that others have too, of a MAC address that
    /// is not the interface's alone.
    pub link_local: Option<Ipv6Addr>,
    /// How many segments its super-frames have at most, where fewer are better.
    pub segments: Option<u32>,
    /// Where to beside these subnets, and by which next hop; `None` if it is on the link.
    pub routes: Vec<(IpNet, Option<IpAddr>)>,
}

/// Where an interface has its IPv6 addresses from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ipv6 {
    /// From us; it has no IPv6 if it has no such address.
    Given,
    /// From us, though there may be routers on the link that announce prefixes.
    GivenOnly,
    /// From the routers on its link.
    Announced,
}

/// How many frames wait for the switch. Docker's veth pairs have none; the kernel's default for a TAP is 500,
/// which a worker that is off the processor for a few milliseconds lets overflow.
const QUEUE_LENGTH: u32 = 1000;

impl Interface {
    /// Makes the TAP in the sandbox, which its queues keep alive: to make it elsewhere and move it takes a grace
    /// period for all callbacks of the kernel (`rcu_barrier` in `__dev_change_net_namespace`, Linux 6.18), under the
    /// lock of the whole machine's network configuration.
    ///
    /// It is up when this returns, and goes with its queues until [`Tap::set_persistent`] is called. On failure
    /// nothing is left behind.
    ///
    /// # Errors
    /// [`EdgeError`].
    pub fn make(&self, sandbox: &mut Namespace, queues: NonZeroUsize) -> Result<Tap, EdgeError> {
        sandbox.set_loopback_up()?;
        sandbox.run(|netlink| {
            let tap = Tap::create(&self.name, queues).map_err(|error| match error {
                TapError::Exists { name } => EdgeError::NameTaken { name },
                other => other.into(),
            })?;
            self.prepare(netlink, tap.index)?;
            unqueue(netlink, tap.index);
            self.set_up_ipv6()?;
            self.configure(netlink, tap.index)?;
            Ok::<_, EdgeError>(tap)
        })
    }

    /// Makes the TAP in the host's namespace and leaves it there, down, for somebody else to move and set up.
    /// It survives its queues. On failure nothing is left behind.
    ///
    /// # Errors
    /// [`EdgeError`].
    pub fn hand_over(&self, host: &mut Namespace, queues: NonZeroUsize) -> Result<Tap, EdgeError> {
        let tap = Tap::create(&self.tap_name, queues)?;
        self.prepare(&mut host.netlink, tap.index)?;
        tap.set_persistent(true)?;
        Ok(tap)
    }

    /// Addresses and routes, and switched on.
    fn configure(&self, netlink: &mut Netlink, index: u32) -> Result<(), NetlinkError> {
        if self.link_local.is_some() {
            netlink.set_ipv6_address_generation(index, AddressGeneration::None)?;
        }
        configure(netlink, index, &self.addresses)?;
        if let Some(address) = self.link_local.filter(|_| self.has_ipv6()) {
            let network = Ipv6Net::new_assert(address, 64).into();
            netlink.add_address(index, network, Dad::Off)?;
        }
        for &(destination, gateway) in &self.routes {
            netlink.replace_route(&Route::to(destination, gateway, index))?;
        }
        Ok(())
    }

    fn prepare(&self, netlink: &mut Netlink, index: u32) -> Result<(), NetlinkError> {
        let settings = LinkSettings {
            alias: Some(&self.alias),
            mac: Some(self.mac),
            mtu: Some(u32::from(self.mtu)),
            queue_length: Some(QUEUE_LENGTH),
            segments: self.segments,
            arp: (!self.arp).then_some(false),
        };
        netlink.set(index, &settings)
    }

    fn has_ipv6(&self) -> bool {
        self.ipv6 == Ipv6::Announced || self.addresses.iter().any(|net| net.addr().is_ipv6())
    }

    /// For the thread's namespace.
    fn set_up_ipv6(&self) -> Result<(), SysctlError> {
        set_ipv6(&self.name, self.has_ipv6())?;
        match self.ipv6 {
            Ipv6::GivenOnly if self.has_ipv6() => {
                // An address that nobody gave is one that it may not send from.
                sysctl::write(&["ipv6", "conf", self.name.as_str(), "autoconf"], "0")
            }
            _ => Ok(()),
        }
    }
}

/// Deletes the interface with that alias, whatever it is called now. `false` if there is none.
///
/// # Errors
/// [`EdgeError::Netlink`].
pub fn remove_interface(
    namespace: &mut Namespace,
    name: &InterfaceName,
    alias: &str,
) -> Result<bool, EdgeError> {
    let marked = |link: &Link| link.alias.as_deref() == Some(alias);
    let netlink = &mut namespace.netlink;
    let link = match netlink.link(name)?.filter(marked) {
        Some(link) => Some(link),
        None => netlink.links()?.into_iter().find(marked),
    };
    match link {
        Some(link) => delete(netlink, link.index),
        None => Ok(false),
    }
}

/// Gives the interface with that alias another address and MTU, if it has not got them. Nothing happens if it
/// is not there.
///
/// # Errors
/// [`EdgeError::Netlink`].
pub fn adjust(
    namespace: &mut Namespace,
    alias: &str,
    mac: MacAddr,
    mtu: u16,
) -> Result<(), EdgeError> {
    let netlink = &mut namespace.netlink;
    let mut links = netlink.links()?.into_iter();
    let Some(link) = links.find(|link| link.alias.as_deref() == Some(alias)) else {
        return Ok(());
    };
    if link.mac != Some(mac) {
        netlink.set_mac(link.index, mac)?;
    }
    if link.mtu != u32::from(mtu) {
        netlink.set_mtu(link.index, u32::from(mtu))?;
    }
    Ok(())
}

/// Gives the interface with that alias `new` addresses in the place of `old` ones.
///
/// # Errors
/// [`EdgeError::Netlink`].
pub fn replace_addresses(
    namespace: &mut Namespace,
    alias: &str,
    old: &[IpNet],
    new: &[IpNet],
) -> Result<(), EdgeError> {
    let netlink = &mut namespace.netlink;
    let mut links = netlink.links()?.into_iter();
    let Some(link) = links.find(|link| link.alias.as_deref() == Some(alias)) else {
        return Ok(());
    };
    for gone in old.iter().filter(|net| !new.contains(net)) {
        match netlink.remove_address(link.index, *gone) {
            // Somebody else was faster.
            Err(NetlinkError::NotFound(_)) => {}
            other => other?,
        }
    }
    for added in new.iter().filter(|net| !old.contains(net)) {
        match netlink.add_address(link.index, *added, Dad::Off) {
            Err(NetlinkError::Exists(_)) => {}
            other => other?,
        }
    }
    Ok(())
}

/// Deletes an interface. `false` if it was not there.
pub(super) fn delete(netlink: &mut Netlink, index: u32) -> Result<bool, EdgeError> {
    match netlink.delete_link(index) {
        Ok(()) => Ok(true),
        Err(NetlinkError::NotFound(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Has a TAP's frames wait for the switch in its own queues only. It works without that, too.
pub fn unqueue(netlink: &mut Netlink, index: u32) {
    if let Err(error) = netlink.set_unqueued(index) {
        tracing::debug!("{error}");
    }
}

/// Gives an interface that is down its addresses, and switches it on.
pub(super) fn configure(
    netlink: &mut Netlink,
    index: u32,
    addresses: &[IpNet],
) -> Result<(), NetlinkError> {
    for &address in addresses {
        // We hand addresses out, so nobody else has this one.
        netlink.add_address(index, address, Dad::Off)?;
    }
    netlink.set_up(index)
}

/// Gives the interface IPv6 if it has an IPv6 address to get, else takes it away, as libnetwork does. For the
/// thread's namespace.
pub(super) fn match_ipv6(name: &InterfaceName, addresses: &[IpNet]) -> Result<(), SysctlError> {
    set_ipv6(name, addresses.iter().any(|net| net.addr().is_ipv6()))
}

fn set_ipv6(name: &InterfaceName, wanted: bool) -> Result<(), SysctlError> {
    match sysctl::set_ipv6_disabled(name, !wanted) {
        // A kernel without IPv6; or /proc/sys that is read-only, which leaves a link-local address.
        Err(SysctlError::NotFound { .. }) if !wanted => Ok(()),
        Err(error @ SysctlError::NotPermitted { .. }) if !wanted => {
            tracing::debug!("{error}");
            Ok(())
        }
        other => other,
    }
}
